//! Sweeps over the rows of a row-major matrix.

use super::layout::whole_rows;
use crate::simd::{Isa, Kernel, Lanes, Vectorized};

/// `sums[j] <- sums[j] + sum over the rows of x[row][j]`, rows added in order from the first.
pub fn add_column_sums<T: Vectorized>(isa: Isa, x: &[T], sums: &mut [T]) {
    debug_assert!(whole_rows(x.len(), sums.len()));
    T::dispatch(isa, ColumnSums::<T, false> { x, sums });
}

/// `sums[j] <- sums[j] + sum over the rows of x[row][j]^2`, each rounded once, rows in order from the first.
pub fn add_column_squares<T: Vectorized>(isa: Isa, x: &[T], sums: &mut [T]) {
    debug_assert!(whole_rows(x.len(), sums.len()));
    T::dispatch(isa, ColumnSums::<T, true> { x, sums });
}

/// [`add_column_sums`] inside a kernel.
#[inline(always)]
pub(crate) fn add_column_sums_at<T: Vectorized, L: Lanes<T>>(lanes: L, x: &[T], sums: &mut [T]) {
    ColumnSums::<T, false> { x, sums }.run(lanes);
}

/// `sums[j] <- sums[j] + sum over the rows of x[row][j] y[row][j]`, each rounded once, rows in order from the first.
pub fn add_column_products<T: Vectorized>(isa: Isa, x: &[T], y: &[T], sums: &mut [T]) {
    debug_assert!(whole_rows(x.len(), sums.len()) && x.len() == y.len());
    T::dispatch(isa, ColumnProducts { x, y, sums });
}

/// `sums[j] <- sums[j] + sum over the rows of (x[row][j] - centre[j])^2`, each square and its sum rounded once, rows in order from the
/// first.
pub fn add_column_squares_about<T: Vectorized>(isa: Isa, x: &[T], centre: &[T], sums: &mut [T]) {
    debug_assert!(whole_rows(x.len(), sums.len()) && centre.len() == sums.len());
    T::dispatch(isa, SquaresAbout { x, centre, sums });
}

struct SquaresAbout<'a, T> {
    x: &'a [T],
    centre: &'a [T],
    sums: &'a mut [T],
}

impl<T: Vectorized> Kernel<T> for SquaresAbout<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Self { x, centre, sums } = self;
        let cols = sums.len();
        for x in x.chunks_exact(cols) {
            let parts = x.chunks(L::WIDTH).zip(centre.chunks(L::WIDTH));
            for ((x, centre), sum) in parts.zip(sums.chunks_mut(L::WIDTH)) {
                let apart = lanes.sub(lanes.load_partial(x), lanes.load_partial(centre));
                let total = lanes.mul_add(apart, apart, lanes.load_partial(sum));
                lanes.store_partial(total, sum);
            }
        }
    }
}

struct ColumnProducts<'a, T> {
    x: &'a [T],
    y: &'a [T],
    sums: &'a mut [T],
}

impl<T: Vectorized> Kernel<T> for ColumnProducts<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Self { x, y, sums } = self;
        let cols = sums.len();
        for (x, y) in x.chunks_exact(cols).zip(y.chunks_exact(cols)) {
            let parts = x.chunks(L::WIDTH).zip(y.chunks(L::WIDTH));
            for ((x, y), sum) in parts.zip(sums.chunks_mut(L::WIDTH)) {
                let total = lanes.mul_add(lanes.load_partial(x), lanes.load_partial(y), lanes.load_partial(sum));
                lanes.store_partial(total, sum);
            }
        }
    }
}

struct ColumnSums<'a, T, const SQUARED: bool> {
    x: &'a [T],
    sums: &'a mut [T],
}

/// How many vectors of columns are summed side by side: enough to hide the latency of an addition.
const STRIP: usize = 8;

impl<T: Vectorized, const SQUARED: bool> Kernel<T> for ColumnSums<'_, T, SQUARED> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Self { x, sums } = self;
        let cols = sums.len();
        let add = |total: L::Vector, x: L::Vector| match SQUARED {
            false => lanes.add(total, x),
            true => lanes.mul_add(x, x, total),
        };
        let mut at = 0;
        while cols - at >= STRIP * L::WIDTH {
            let mut totals = [lanes.splat(T::ZERO); STRIP];
            for (total, from) in totals.iter_mut().zip(sums[at..].chunks_exact(L::WIDTH)) {
                *total = lanes.load(from);
            }
            for row in x.chunks_exact(cols) {
                let strip = &row[at..at + STRIP * L::WIDTH];
                for (total, part) in totals.iter_mut().zip(strip.chunks_exact(L::WIDTH)) {
                    *total = add(*total, lanes.load(part));
                }
            }
            for (total, to) in totals.into_iter().zip(sums[at..].chunks_exact_mut(L::WIDTH)) {
                lanes.store(total, to);
            }
            at += STRIP * L::WIDTH;
        }
        while at < cols {
            let end = cols.min(at + L::WIDTH);
            let mut total = lanes.load_partial(&sums[at..end]);
            for row in x.chunks_exact(cols) {
                total = add(total, lanes.load_partial(&row[at..end]));
            }
            lanes.store_partial(total, &mut sums[at..end]);
            at = end;
        }
    }
}
