//! Batch normalisation of columns: each unit by its own mean and deviation over the rows of a batch (Ioffe and Szegedy 2015).
//!
//! Row 2 of the house: imports `rows`, `sweep` and `simd`. For the numbers `z` of a unit in `n` rows, with `m` their mean and `v` the mean
//! square of what is left without it:
//!
//! ```text
//! forward    h = (z - m) r,   r = 1 / sqrt(v + epsilon)       y = g h + b
//! backward   dE/db = sum D,   dE/dg = sum D h,   D = dE/dy     dE/dz = g r (D - dE/db / n - h dE/dg / n)
//! ```
//!
//! Sums over rows are made of *chunks* of [`CHUNK`] rows, whose sums are added in order: whoever computes a chunk, the bits are the same,
//! and a sum of 100,000 terms in `f32` errs by some `64 + 1563` roundings at most, not by 100,000. The variance is that of the numbers less
//! their mean, in a second pass: the mean of squares less the square of the mean has no digits left where the mean is large.
//!
//! All functions here work on some of the chunks or rows; `network::norms` hands them out to threads.

use super::rows;
use super::sweep::{Affine, Step, sweep};
use crate::simd::{Isa, Lanes, Vectorized};
use std::ops::Range;

/// What is added to the variance, so that a unit of equal numbers stays finite: PyTorch's default.
pub const EPSILON: f64 = 1e-5;
/// How far running averages move towards the statistics of each batch: PyTorch's default.
pub const MOMENTUM: f64 = 0.1;
/// Rows that are summed in one go: the root of 4096 rows, a large batch, of which there are then as many chunks as a chunk has rows.
pub const CHUNK: usize = 64;

/// How many chunks so many rows have.
pub fn chunks(rows: usize) -> usize {
    rows.div_ceil(CHUNK)
}

/// The rows of a chunk.
fn rows_of<T>(chunk: usize, x: &[T], width: usize) -> &[T] {
    &x[chunk * CHUNK * width..x.len().min((chunk + 1) * CHUNK * width)]
}

/// What is summed over the rows of each column.
#[derive(Clone, Copy, Debug)]
pub enum Sum<'a, T> {
    /// The numbers.
    Numbers(&'a [T]),
    /// The squares of what is left of the numbers without the column's mean, which comes second.
    SquaresAbout(&'a [T], &'a [T]),
    /// The products of the numbers of two matrices.
    Products(&'a [T], &'a [T]),
}

/// The sums of some chunks, each a row of `partial`.
///
/// **Shapes**: matrices rows x units, `partial` chunks x units. **Overwrites** `partial`.
pub fn sum_chunks<T: Vectorized>(isa: Isa, width: usize, what: Sum<'_, T>, chunks: Range<usize>, partial: &mut [T]) {
    for (chunk, sums) in chunks.zip(partial.chunks_exact_mut(width)) {
        sums.fill(T::ZERO);
        match what {
            Sum::Numbers(x) => rows::add_column_sums(isa, rows_of(chunk, x, width), sums),
            Sum::SquaresAbout(x, mean) => rows::add_column_squares_about(isa, rows_of(chunk, x, width), mean, sums),
            Sum::Products(x, y) => {
                rows::add_column_products(isa, rows_of(chunk, x, width), rows_of(chunk, y, width), sums);
            }
        }
    }
}

/// The rows `z` become `y`; what they were normalised to is kept where there is room for it.
///
/// **Shapes**: `z` rows x units, `normalised` the same or empty, all others one a unit.
pub fn forward<T: Vectorized>(isa: Isa, [mean, inverse, scale, shift]: [&[T]; 4], z: &mut [T], normalised: &mut [T]) {
    let width = scale.len();
    for (r, z) in z.chunks_exact_mut(width).enumerate() {
        sweep(isa, Normalise, [mean, inverse], [&mut *z]);
        if !normalised.is_empty() {
            normalised[r * width..(r + 1) * width].copy_from_slice(z);
        }
        sweep(isa, Affine, [scale, shift], [z]);
    }
}

/// The gradient with respect to `y`, in `delta`, becomes that with respect to `z`; `scales` and `shifts` are the gradients of those, and
/// `rows` how many rows they are sums over.
///
/// **Shapes**: `delta` and `normalised` rows x units, all others one a unit.
pub fn backward<T: Vectorized>(
    isa: Isa,
    rows: usize,
    [inverse, scale, scales, shifts]: [&[T]; 4],
    normalised: &[T],
    delta: &mut [T],
) {
    let width = scale.len();
    let share = T::ONE / T::from_f64(rows as f64);
    for (delta, normalised) in delta.chunks_exact_mut(width).zip(normalised.chunks_exact(width)) {
        sweep(isa, Project { share }, [normalised, inverse, scale, scales, shifts], [delta]);
    }
}

#[derive(Clone, Copy)]
struct Normalise;

impl<T: Vectorized> Step<T, 2, 1> for Normalise {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [mean, inverse]: [L::Vector; 2], [z]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.mul(lanes.sub(z, mean), inverse)]
    }
}

#[derive(Clone, Copy)]
struct Project<T> {
    share: T,
}

impl<T: Vectorized> Step<T, 5, 1> for Project<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(
        self,
        lanes: L,
        [h, inverse, scale, scales, shifts]: [L::Vector; 5],
        [d]: [L::Vector; 1],
    ) -> [L::Vector; 1] {
        let share = lanes.splat(self.share);
        let rest = lanes.sub(d, lanes.mul(shifts, share));
        let rest = lanes.mul_add(lanes.neg(h), lanes.mul(scales, share), rest);
        [lanes.mul(lanes.mul(scale, inverse), rest)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float::Float;
    use crate::rng::Rng;

    /// Sums by chunks, what is normalised, and its gradient.
    fn all<T: Float>(isa: Isa, rows: usize, width: usize) -> [Vec<T>; 5] {
        let mut rng = Rng::new(1);
        let mut draw = |count: usize| -> Vec<T> { (0..count).map(|_| rng.normal(1.0, 2.0)).collect() };
        let [mean, inverse, scale, shift] = [(); 4].map(|()| draw(width));
        let (mut z, mut delta, mut normalised) = (draw(rows * width), draw(rows * width), draw(rows * width));
        let mut of_chunks = |what: Sum<'_, T>| {
            let mut partial = vec![T::from_f64(f64::NAN); chunks(rows) * width];
            sum_chunks(isa, width, what, 0..chunks(rows), &mut partial);
            partial
        };
        let sums = [Sum::Numbers(&z), Sum::SquaresAbout(&z, &mean), Sum::Products(&z, &delta)].map(&mut of_chunks);
        forward(isa, [&mean, &inverse, &scale, &shift], &mut z, &mut normalised);
        backward(isa, rows, [&inverse, &scale, &mean, &shift], &normalised, &mut delta);
        let [numbers, squares, products] = sums;
        [[numbers, squares].concat(), products, z, normalised, delta]
    }

    fn check<T: Float>() {
        for (rows, width) in [(2, 1), (3, 2), (65, 7), (128, 64), (200, 131)] {
            let expected = all::<T>(Isa::Portable, rows, width);
            for isa in Isa::available() {
                assert_eq!(all::<T>(isa, rows, width), expected, "{isa}, {rows} x {width}");
            }
        }
    }

    #[test]
    fn columns_are_normalised_with_the_same_bits_at_every_level() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn every_row_is_in_one_chunk() {
        let x: Vec<f64> = (0..3 * 150).map(f64::from).collect();
        let mut partial = [0.0; 9];
        sum_chunks(Isa::Portable, 3, Sum::Numbers(&x), 0..3, &mut partial);
        let column = |j: usize| x.iter().skip(j).step_by(3).sum::<f64>();
        (0..3).for_each(|j| assert_eq!(partial.iter().skip(j).step_by(3).sum::<f64>(), column(j)));
        assert_eq!((chunks(1), chunks(64), chunks(65)), (1, 1, 2));
    }
}
