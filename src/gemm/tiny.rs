//! The three products of a layer of few inputs and outputs, for kernels that compute several layers at a stretch.
//!
//! Row 2 of the house: imports `simd` and its siblings. The sums are those of `embedded`, and so are the bits; what is missing is all that
//! decides how a product is cut: here a strip is one vector wide, and nothing is packed.

use super::MatMut;
pub(crate) use super::embedded::Embedded;
use super::strip::{Along, Beside, Next, Rows, Start, Strip};
use crate::simd::{Lanes, Vectorized};

/// Rows, inputs and outputs of a layer at work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub rows: usize,
    pub inputs: usize,
    pub outputs: usize,
}

/// `Z <- X W`, plus `bias` in each row unless it is empty.
#[inline(always)]
pub(crate) fn affine<T: Vectorized + Embedded, L: Lanes<T>>(
    lanes: L,
    shape: Shape,
    x: &[T],
    w: &[T],
    bias: &[T],
    z: &mut [T],
) {
    let Shape { rows, inputs, outputs } = shape;
    let start = if bias.is_empty() { Start::Zero } else { Start::Row(bias) };
    let z = &mut MatMut::new(z, rows, outputs);
    product(lanes, Along { data: x, across: inputs }, w, inputs, start, z);
}

/// `dE/dW <- X' D`, added to what is there unless it is the first.
#[inline(always)]
pub(crate) fn weight_gradient<T: Vectorized + Embedded, L: Lanes<T>>(
    lanes: L,
    shape: Shape,
    x: &[T],
    delta: &[T],
    is_first: bool,
    gradient: &mut [T],
) {
    let Shape { rows, inputs, outputs } = shape;
    let start = if is_first { Start::Zero } else { Start::C };
    let gradient = &mut MatMut::new(gradient, inputs, outputs);
    product(lanes, Beside { data: x, step: inputs, packed: None }, delta, rows, start, gradient);
}

/// `dE/dX <- D W'`.
#[inline(always)]
pub(crate) fn input_gradient<T: Vectorized + Embedded, L: Lanes<T>>(
    lanes: L,
    shape: Shape,
    delta: &[T],
    w: &[T],
    below: &mut [T],
) {
    const TILE: usize = 4;
    let Shape { rows, inputs, outputs } = shape;
    for first in (0..inputs).step_by(L::WIDTH) {
        let width = L::WIDTH.min(inputs - first);
        for top in (0..rows).step_by(TILE) {
            let height = TILE.min(rows - top);
            let mut sums = [lanes.splat(T::ZERO); TILE];
            for j in 0..outputs {
                let from = &w[first * outputs + j..];
                let w = if outputs == 1 {
                    lanes.load_partial(&from[..width])
                } else {
                    lanes.load_strided(from, outputs, width)
                };
                for r in 0..height {
                    sums[r] = lanes.mul_add(lanes.splat(delta[(top + r) * outputs + j]), w, sums[r]);
                }
            }
            for r in 0..height {
                lanes.store_partial(sums[r], &mut below[(top + r) * inputs + first..][..width]);
            }
        }
    }
}

#[inline(always)]
fn product<T: Vectorized + Embedded, L: Lanes<T>, A: Rows<T>>(
    lanes: L,
    a: A,
    b: &[T],
    steps: usize,
    start: Start<'_, T>,
    c: &mut MatMut<'_, T>,
) {
    let cols = c.cols;
    for column in (0..cols).step_by(L::WIDTH) {
        let columns = L::WIDTH.min(cols - column);
        let (start, next) = (start.at_column(column), Next::NOTHING);
        let (alpha, b) = (T::ONE, &b[column..]);
        let mut strip = Strip { alpha, a, b, step: cols, width: columns, steps, start, c, column, columns, next };
        let i = strip.tiles::<L, 4, 1, false>(lanes, 0);
        strip.tiles::<L, 1, 1, false>(lanes, i);
    }
}
