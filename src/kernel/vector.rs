//! Vector operations on whole slices: what BLAS calls level 1.
//!
//! Sums run in a fixed number of virtual lanes, so that a sum has the same bits on every level.

use super::sweep::{Step, sweep};
use crate::simd::{Isa, Kernel, Lanes, VIRTUAL_LANES, Vectorized};

/// `y <- y + a x`, each element rounded once.
pub fn axpy<T: Vectorized>(isa: Isa, a: T, x: &[T], y: &mut [T]) {
    sweep(isa, Axpy(a), [x], [y]);
}

/// `y <- y + x`.
pub fn add<T: Vectorized>(isa: Isa, x: &[T], y: &mut [T]) {
    sweep(isa, Add, [x], [y]);
}

/// `x <- a x`.
pub fn scale<T: Vectorized>(isa: Isa, a: T, x: &mut [T]) {
    sweep(isa, Scale(a), [], [x]);
}

/// `x <- x * by`, element by element.
pub fn multiply<T: Vectorized>(isa: Isa, x: &mut [T], by: &[T]) {
    sweep(isa, Multiply, [by], [x]);
}

/// The inner product of `x` and `y`: element `i` goes, by a fused multiply-add, to partial sum `i` modulo
/// [`VIRTUAL_LANES`]; those are added as [`Lanes::sum`] says.
pub fn dot<T: Vectorized>(isa: Isa, x: &[T], y: &[T]) -> T {
    debug_assert_eq!(x.len(), y.len());
    T::dispatch(isa, Dot { x, y })
}

/// The sum of `x`, in the order of [`dot`].
pub fn sum<T: Vectorized>(isa: Isa, x: &[T]) -> T {
    T::dispatch(isa, Sum { x })
}

/// Whether every element is finite.
pub fn all_finite<T: Vectorized>(isa: Isa, x: &[T]) -> bool {
    T::dispatch(isa, AllFinite { x })
}

#[derive(Clone, Copy)]
struct Axpy<T>(T);

impl<T: Vectorized> Step<T, 1, 1> for Axpy<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [x]: [L::Vector; 1], [y]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.mul_add(lanes.splat(self.0), x, y)]
    }
}

#[derive(Clone, Copy)]
struct Add;

impl<T: Vectorized> Step<T, 1, 1> for Add {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [x]: [L::Vector; 1], [y]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.add(y, x)]
    }
}

#[derive(Clone, Copy)]
struct Scale<T>(T);

impl<T: Vectorized> Step<T, 0, 1> for Scale<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, []: [L::Vector; 0], [x]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.mul(lanes.splat(self.0), x)]
    }
}

#[derive(Clone, Copy)]
struct Multiply;

impl<T: Vectorized> Step<T, 1, 1> for Multiply {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [by]: [L::Vector; 1], [x]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.mul(x, by)]
    }
}

struct Dot<'a, T> {
    x: &'a [T],
    y: &'a [T],
}

impl<T: Vectorized> Kernel<T> for Dot<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) -> T {
        let mut parts = [lanes.splat(T::ZERO); VIRTUAL_LANES];
        let x = self.x.chunks_exact(VIRTUAL_LANES);
        let y = self.y[..self.x.len()].chunks_exact(VIRTUAL_LANES);
        let (mut x_rest, mut y_rest) = (x.remainder(), y.remainder());
        for (x, y) in x.zip(y) {
            for ((part, x), y) in parts.iter_mut().zip(x.chunks_exact(L::WIDTH)).zip(y.chunks_exact(L::WIDTH)) {
                *part = lanes.mul_add(lanes.load(x), lanes.load(y), *part);
            }
        }
        // All partial sums take part in the last, partly filled block, so that each level adds the same zeros.
        for part in parts.iter_mut().take(VIRTUAL_LANES / L::WIDTH) {
            *part = lanes.mul_add(lanes.load_partial(x_rest), lanes.load_partial(y_rest), *part);
            x_rest = &x_rest[L::WIDTH.min(x_rest.len())..];
            y_rest = &y_rest[L::WIDTH.min(y_rest.len())..];
        }
        lanes.sum(parts)
    }
}

struct Sum<'a, T> {
    x: &'a [T],
}

impl<T: Vectorized> Kernel<T> for Sum<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) -> T {
        sum_lanes(lanes, self.x)
    }
}

/// The sum of `x`, in the order of [`dot`], for kernels that need one on their way.
#[inline(always)]
pub(super) fn sum_lanes<T: Vectorized, L: Lanes<T>>(lanes: L, x: &[T]) -> T {
    let mut parts = [lanes.splat(T::ZERO); VIRTUAL_LANES];
    let blocks = x.chunks_exact(VIRTUAL_LANES);
    let mut rest = blocks.remainder();
    for block in blocks {
        for (part, x) in parts.iter_mut().zip(block.chunks_exact(L::WIDTH)) {
            *part = lanes.add(*part, lanes.load(x));
        }
    }
    for part in parts.iter_mut().take(VIRTUAL_LANES / L::WIDTH) {
        *part = lanes.add(*part, lanes.load_partial(rest));
        rest = &rest[L::WIDTH.min(rest.len())..];
    }
    lanes.sum(parts)
}

struct AllFinite<'a, T> {
    x: &'a [T],
}

impl<T: Vectorized> Kernel<T> for AllFinite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) -> bool {
        // x - x is zero for a finite x, and NaN for the others: four vectors' are added before one comparison.
        let zero = lanes.splat(T::ZERO);
        let excess = |x: L::Vector| lanes.sub(x, x);
        let blocks = self.x.chunks_exact(4 * L::WIDTH);
        let rest = blocks.remainder();
        for block in blocks {
            let mut total = zero;
            for part in block.chunks_exact(L::WIDTH) {
                total = lanes.add(total, excess(lanes.load(part)));
            }
            if !lanes.all(lanes.le(total, zero)) {
                return false;
            }
        }
        rest.chunks(L::WIDTH).all(|part| lanes.all(lanes.le(excess(lanes.load_partial(part)), zero)))
    }
}
