//! How the rows of a matrix lie in vectors: along them, or each row in a lane of its own.
//!
//! What softmax and its relatives do to a row is a few passes over it, between which stands a number of the whole row (its
//! largest, its sum). A row of a thousand columns fills vectors, and what its lanes gather is put together at the end. A row of
//! ten would leave six lanes of sixteen idle and spend more on putting together than on all the rest. So narrow rows are
//! transposed, [`VIRTUAL_LANES`] at a time, into a scratch on the stack: there a vector is a column and a lane a row, nothing is
//! put together across lanes, and all lanes work.
//!
//! [`Row`] hides which of the two it is, and a formula is written once. The bits are the same for both: a row's sum is always
//! that of [`VIRTUAL_LANES`] partial sums, column `i` in partial sum `i` modulo their number. So neither the level nor the
//! number of rows nor a row's place matters.

use crate::simd::{Isa, Kernel, Lanes, VIRTUAL_LANES, Vectorized};
use std::ops::Deref;

/// The widest rows that are transposed: from here on the two ways take as long, on AVX-512.
const NARROW: usize = 32;

/// One row in vectors of `L`, or as many rows as a vector has lanes.
///
/// A formula loops over the vectors itself: a closure would be compiled for the level's instructions only where it happens to be
/// inlined, and cost a hundred times as much elsewhere.
pub(super) trait Row<T: Vectorized, L: Lanes<T>> {
    /// How many vectors there are.
    fn vectors(&self) -> usize;
    /// The partial sum that vector `i` belongs to.
    fn part(&self, i: usize) -> usize;
    /// Vector `i`; a lane behind the row's end holds what neither a maximum nor a sum of exponentials notices, minus infinity.
    fn load(&self, i: usize) -> L::Vector;
    /// The largest number, in every lane of the row; NaN is passed over, and of two zeros either may be meant.
    fn largest(&self) -> L::Vector;
    /// The sum of the partial sums, in every lane of the row.
    fn total(&self, parts: [L::Vector; VIRTUAL_LANES]) -> L::Vector;
}

/// A row that can be overwritten, with the rows at the same place of `READS` matrices that are only read.
pub(super) trait RowMut<T: Vectorized, L: Lanes<T>, const READS: usize>: Row<T, L> {
    /// Vector `i` of each row that is read, and of this one; a lane behind the end holds zero.
    fn load_all(&self, i: usize) -> ([L::Vector; READS], L::Vector);
    /// Replaces vector `i`.
    fn store(&mut self, i: usize, x: L::Vector);
}

/// What becomes of a row, and one number of it in every lane of the row. Always `#[inline(always)]`.
pub(super) trait Replace<T: Vectorized, const READS: usize>: Copy {
    fn replace<L: Lanes<T>>(self, lanes: L, row: impl RowMut<T, L, READS>) -> L::Vector;
}

/// One number of a row, in every lane of the row. Always `#[inline(always)]`.
pub(super) trait Reduce<T: Vectorized>: Copy {
    fn reduce<L: Lanes<T>>(self, lanes: L, row: impl Row<T, L>) -> L::Vector;
}

/// Replaces every row of `written` (of `cols` columns); `numbers[i]` becomes the number of row `i`, unless there is no place for any.
pub(super) fn replace_rows<T: Vectorized, F: Replace<T, READS>, const READS: usize>(
    isa: Isa,
    formula: F,
    read: [&[T]; READS],
    written: &mut [T],
    cols: usize,
    numbers: &mut [T],
) {
    debug_assert!(whole_rows(written.len(), cols), "{} numbers are no rows of {cols}", written.len());
    debug_assert!(read.iter().all(|r| r.len() == written.len()), "slices of different lengths");
    debug_assert!(numbers.is_empty() || numbers.len() * cols == written.len(), "a number for each row");
    if cols > 0 {
        T::dispatch(isa, ReplaceRows { formula, read, written, cols, numbers });
    }
}

/// `results[i]` becomes the number of row `i` of `x` (of `cols` columns).
pub(super) fn reduce_rows<T: Vectorized, F: Reduce<T>>(isa: Isa, formula: F, x: &[T], cols: usize, results: &mut [T]) {
    debug_assert_eq!(x.len(), results.len() * cols, "{} numbers are no {} rows of {cols}", x.len(), results.len());
    if cols > 0 {
        T::dispatch(isa, ReduceRows { formula, x, cols, results });
    }
}

/// Whether `length` numbers are rows of `cols` columns.
pub(super) fn whole_rows(length: usize, cols: usize) -> bool {
    if cols == 0 { length == 0 } else { length.is_multiple_of(cols) }
}

/// [`VIRTUAL_LANES`] narrow rows, transposed: what is in lanes without a row, zeros or an earlier row, nobody sees.
type Scratch<T> = [T; NARROW * VIRTUAL_LANES];

struct ReplaceRows<'a, T, F, const READS: usize> {
    formula: F,
    read: [&'a [T]; READS],
    written: &'a mut [T],
    cols: usize,
    numbers: &'a mut [T],
}

impl<T: Vectorized, F: Replace<T, READS>, const READS: usize> Kernel<T> for ReplaceRows<'_, T, F, READS> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Self { formula, read, written, cols, numbers } = self;
        if cols > NARROW {
            for (i, row) in written.chunks_exact_mut(cols).enumerate() {
                let read = read.map(|slice| &slice[i * cols..][..cols]);
                let number = formula.replace(lanes, Along { lanes, read, row });
                lanes.store_partial(number, numbers.get_mut(i..=i).unwrap_or_default());
            }
            return;
        }
        let mut read_scratch: [Scratch<T>; READS] = [[T::ZERO; NARROW * VIRTUAL_LANES]; READS];
        let mut scratch: Scratch<T> = [T::ZERO; NARROW * VIRTUAL_LANES];
        let block = VIRTUAL_LANES * cols;
        for (i, rows) in written.chunks_mut(block).enumerate() {
            for (scratch, slice) in read_scratch.iter_mut().zip(read) {
                transpose(lanes, &slice[i * block..][..rows.len()], cols, scratch);
            }
            transpose(lanes, rows, cols, &mut scratch);
            let mut lane = 0;
            while lane * cols < rows.len() {
                let mut read = [&[][..]; READS];
                for (read, scratch) in read.iter_mut().zip(&read_scratch) {
                    *read = &scratch[..block];
                }
                let number = formula.replace(lanes, Across { lanes, lane, read, rows: &mut scratch[..block] });
                let end = numbers.len().min(i * VIRTUAL_LANES + lane + L::WIDTH);
                lanes.store_partial(number, numbers.get_mut(i * VIRTUAL_LANES + lane..end).unwrap_or_default());
                lane += L::WIDTH;
            }
            transpose_back(lanes, &scratch, cols, rows);
        }
    }
}

struct ReduceRows<'a, T, F> {
    formula: F,
    x: &'a [T],
    cols: usize,
    results: &'a mut [T],
}

impl<T: Vectorized, F: Reduce<T>> Kernel<T> for ReduceRows<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Self { formula, x, cols, results } = self;
        if cols > NARROW {
            for (row, result) in x.chunks_exact(cols).zip(results.chunks_exact_mut(1)) {
                lanes.store_partial(formula.reduce(lanes, Along { lanes, read: [], row }), result);
            }
            return;
        }
        let mut scratch: Scratch<T> = [T::ZERO; NARROW * VIRTUAL_LANES];
        let block = VIRTUAL_LANES * cols;
        for (rows, results) in x.chunks(block).zip(results.chunks_mut(VIRTUAL_LANES)) {
            transpose(lanes, rows, cols, &mut scratch);
            for (i, results) in results.chunks_mut(L::WIDTH).enumerate() {
                let row = Across { lanes, lane: i * L::WIDTH, read: [], rows: &mut scratch[..block] };
                lanes.store_partial(formula.reduce(lanes, row), results);
            }
        }
    }
}

/// Each row becomes a lane of the scratch, each column [`VIRTUAL_LANES`] numbers.
#[inline(always)]
fn transpose<T: Vectorized, L: Lanes<T>>(lanes: L, rows: &[T], cols: usize, scratch: &mut Scratch<T>) {
    let count = rows.len() / cols;
    let mut lane = 0;
    while lane < count {
        for (j, column) in scratch.chunks_exact_mut(VIRTUAL_LANES).enumerate().take(cols) {
            lanes.store(lanes.load_strided(&rows[lane * cols + j..], cols, count - lane), &mut column[lane..]);
        }
        lane += L::WIDTH;
    }
}

/// Each lane becomes a row.
#[inline(always)]
fn transpose_back<T: Vectorized, L: Lanes<T>>(lanes: L, scratch: &Scratch<T>, cols: usize, rows: &mut [T]) {
    for (lane, row) in rows.chunks_exact_mut(cols).enumerate() {
        for (i, part) in row.chunks_mut(L::WIDTH).enumerate() {
            let from = &scratch[i * L::WIDTH * VIRTUAL_LANES + lane..];
            lanes.store_partial(lanes.load_strided(from, VIRTUAL_LANES, part.len()), part);
        }
    }
}

/// A row along vectors: `S` is a slice that may be overwritten, or one that may not.
struct Along<'a, T, L, S, const READS: usize> {
    lanes: L,
    read: [&'a [T]; READS],
    row: S,
}

impl<T: Vectorized, L: Lanes<T>, S: Deref<Target = [T]>, const READS: usize> Row<T, L> for Along<'_, T, L, S, READS> {
    #[inline(always)]
    fn vectors(&self) -> usize {
        self.row.len().div_ceil(L::WIDTH)
    }

    #[inline(always)]
    fn part(&self, i: usize) -> usize {
        i % (VIRTUAL_LANES / L::WIDTH)
    }

    #[inline(always)]
    fn load(&self, i: usize) -> L::Vector {
        let (lanes, from) = (self.lanes, &self.row[i * L::WIDTH..]);
        if from.len() >= L::WIDTH {
            return lanes.load(from);
        }
        let there = lanes.load_partial(&[T::ONE; VIRTUAL_LANES][..from.len()]);
        let there = lanes.lt(lanes.splat(T::ZERO), there);
        lanes.select(there, lanes.load_partial(from), lanes.splat(T::from_f64(f64::NEG_INFINITY)))
    }

    #[inline(always)]
    fn largest(&self) -> L::Vector {
        // Four at a time: a maximum waits four cycles for the one before.
        let lanes = self.lanes;
        let mut tops = [lanes.splat(T::from_f64(f64::NEG_INFINITY)); 4];
        let blocks = self.row.chunks_exact(4 * L::WIDTH);
        let rest = self.row.len() / (4 * L::WIDTH) * 4..self.vectors();
        for block in blocks {
            for (top, x) in tops.iter_mut().zip(block.chunks_exact(L::WIDTH)) {
                *top = lanes.max(lanes.load(x), *top);
            }
        }
        for i in rest {
            tops[0] = lanes.max(self.load(i), tops[0]);
        }
        let top = lanes.max(lanes.max(tops[0], tops[1]), lanes.max(tops[2], tops[3]));
        let mut lane = [T::ZERO; VIRTUAL_LANES];
        lanes.store(top, &mut lane);
        let mut half = L::WIDTH;
        while half > 1 {
            half /= 2;
            for i in 0..half {
                lane[i] = if lane[i] > lane[i + half] { lane[i] } else { lane[i + half] };
            }
        }
        lanes.splat(lane[0])
    }

    #[inline(always)]
    fn total(&self, mut parts: [L::Vector; VIRTUAL_LANES]) -> L::Vector {
        for part in parts.iter_mut().take(VIRTUAL_LANES / L::WIDTH) {
            // A partial sum of -0 becomes +0, in every layout.
            *part = self.lanes.add(*part, self.lanes.splat(T::ZERO));
        }
        self.lanes.splat(self.lanes.sum(parts))
    }
}

impl<T: Vectorized, L: Lanes<T>, const READS: usize> RowMut<T, L, READS> for Along<'_, T, L, &mut [T], READS> {
    #[inline(always)]
    fn load_all(&self, i: usize) -> ([L::Vector; READS], L::Vector) {
        let mut read = [self.lanes.splat(T::ZERO); READS];
        for (x, slice) in read.iter_mut().zip(self.read) {
            *x = self.lanes.load_partial(&slice[i * L::WIDTH..]);
        }
        (read, self.lanes.load_partial(&self.row[i * L::WIDTH..]))
    }

    #[inline(always)]
    fn store(&mut self, i: usize, x: L::Vector) {
        let to = &mut self.row[i * L::WIDTH..];
        if to.len() >= L::WIDTH { self.lanes.store(x, to) } else { self.lanes.store_partial(x, to) }
    }
}

/// A row in each lane, a column in each vector: those of the scratch from `lane` on.
struct Across<'a, T, L, const READS: usize> {
    lanes: L,
    lane: usize,
    read: [&'a [T]; READS],
    rows: &'a mut [T],
}

impl<T: Vectorized, L: Lanes<T>, const READS: usize> Row<T, L> for Across<'_, T, L, READS> {
    #[inline(always)]
    fn vectors(&self) -> usize {
        self.rows.len() / VIRTUAL_LANES
    }

    #[inline(always)]
    fn part(&self, i: usize) -> usize {
        i % VIRTUAL_LANES
    }

    #[inline(always)]
    fn load(&self, i: usize) -> L::Vector {
        self.lanes.load(&self.rows[i * VIRTUAL_LANES + self.lane..])
    }

    #[inline(always)]
    fn largest(&self) -> L::Vector {
        let mut top = self.lanes.splat(T::from_f64(f64::NEG_INFINITY));
        for i in 0..self.vectors() {
            top = self.lanes.max(self.load(i), top);
        }
        top
    }

    #[inline(always)]
    fn total(&self, mut parts: [L::Vector; VIRTUAL_LANES]) -> L::Vector {
        for part in &mut parts {
            *part = self.lanes.add(*part, self.lanes.splat(T::ZERO));
        }
        let mut half = VIRTUAL_LANES;
        while half > 1 {
            half /= 2;
            for i in 0..half {
                parts[i] = self.lanes.add(parts[i], parts[i + half]);
            }
        }
        parts[0]
    }
}

impl<T: Vectorized, L: Lanes<T>, const READS: usize> RowMut<T, L, READS> for Across<'_, T, L, READS> {
    #[inline(always)]
    fn load_all(&self, i: usize) -> ([L::Vector; READS], L::Vector) {
        let mut read = [self.lanes.splat(T::ZERO); READS];
        for (x, slice) in read.iter_mut().zip(self.read) {
            *x = self.lanes.load(&slice[i * VIRTUAL_LANES + self.lane..]);
        }
        (read, self.load(i))
    }

    #[inline(always)]
    fn store(&mut self, i: usize, x: L::Vector) {
        self.lanes.store(x, &mut self.rows[i * VIRTUAL_LANES + self.lane..]);
    }
}
