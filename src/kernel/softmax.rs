//! Softmax and log-softmax of rows with their gradients, and what they are made of: a row's largest number and the logarithm
//! of its summed exponentials.
//!
//! All begin with `e^(x - top)`, where `top` is the row's largest number, so that nothing overflows. The difference is rounded:
//! at a distance of 50 by up to 2e-6 (`f32`), which is 32 units in the last place of the exponential. What the rounding lost is
//! therefore found (Knuth's two-sum) and enters the exponential's reduction.
//!
//! **Rows that are special**: minus infinity is a column that is not there: its softmax is 0. Where a row has a NaN or plus
//! infinity, or is minus infinity throughout, softmax and log-softmax are NaN in all columns; the largest number and the
//! log-sum-exp are NaN for a NaN only.
//!
//! **Determinism**: a row's bits depend on its numbers alone, not on other rows, its place or the level. Sums run in
//! [`VIRTUAL_LANES`] partial sums, column `i` in partial sum `i` modulo their number.

use super::layout::{Reduce, Replace, Row, RowMut, reduce_rows, replace_rows, whole_rows};
use super::{check_length, math};
use crate::error::{Error, Result};
use crate::simd::{Isa, Lanes, Typed, VIRTUAL_LANES, Vectorized};

/// A function of a whole row that gives a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowFunction {
    /// `e^x_j / sum(e^x)`.
    ///
    /// **Accuracy**: 4 ulp, and `cols / 32` more at worst, for what the sum's roundings may add up to. What is below
    /// `e^-87` (`f32`) or `e^-708` (`f64`) of the largest is 0.
    Softmax,
    /// `x_j - ln(sum(e^x))`.
    ///
    /// **Accuracy**: 4 ulp, and `cols / 32` more at worst; also for the largest column of a row that is nearly certain,
    /// where the usual formula takes the logarithm of a number so close to 1 that it has lost its digits. What is below `e^-87`
    /// (`e^-708`) of the largest counts as nothing.
    LogSoftmax,
}

impl RowFunction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Softmax, Self::LogSoftmax];

    /// The name: `softmax` or `log_softmax`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Softmax => "softmax",
            Self::LogSoftmax => "log_softmax",
        }
    }

    /// Replaces every row of `x` (of `cols` columns).
    pub fn apply<T: Vectorized>(self, isa: Isa, x: &mut [T], cols: usize) {
        match T::typed([], [x]) {
            Typed::Single([], [x]) => single::apply(self, isa, x, cols),
            Typed::Double([], [x]) => double::apply(self, isa, x, cols),
        }
    }

    /// Turns the gradient with respect to the results `y` into the one with respect to what they were made of.
    ///
    /// **Overwrites** `delta`: `delta_j <- y_j (delta_j - sum(delta y))` for softmax, `delta_j - e^y_j sum(delta)` for
    /// log-softmax.
    pub fn backward<T: Vectorized>(self, isa: Isa, y: &[T], delta: &mut [T], cols: usize) {
        match T::typed([y], [delta]) {
            Typed::Single([y], [delta]) => single::backward(self, isa, y, delta, cols),
            Typed::Double([y], [delta]) => double::backward(self, isa, y, delta, cols),
        }
    }

    /// Each row of `y` becomes the function of that row of `x`, for callers whose slices come from outside.
    ///
    /// **Errors**: no columns; numbers that are no whole rows; slices of different lengths; a level that this machine does not
    /// have. Nothing is written then.
    pub fn map<T: Vectorized>(self, isa: Isa, x: &[T], cols: usize, y: &mut [T]) -> Result<()> {
        check_rows(isa, x.len(), cols)?;
        check_length("the output", x.len(), y.len())?;
        y.copy_from_slice(x);
        self.apply(isa, y, cols);
        Ok(())
    }
}

/// A function of a whole row that gives one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowReduction {
    /// The largest number, exactly; a zero is +0.
    Max,
    /// `ln(sum(e^x))`.
    ///
    /// **Accuracy**: 2 ulp of the largest of `|top|`, `ln(cols)` and the result: where `top` is negative and the logarithm makes
    /// up for it, the result is a small difference of two rounded numbers.
    LogSumExp,
}

impl RowReduction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Max, Self::LogSumExp];

    /// The name: `max` or `log_sum_exp`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::LogSumExp => "log_sum_exp",
        }
    }

    /// `results[i]` becomes the number of row `i` of `x` (of `cols` columns).
    pub fn apply<T: Vectorized>(self, isa: Isa, x: &[T], cols: usize, results: &mut [T]) {
        match T::typed([x], [results]) {
            Typed::Single([x], [results]) => single::reduce(self, isa, x, cols, results),
            Typed::Double([x], [results]) => double::reduce(self, isa, x, cols, results),
        }
    }

    /// [`apply`](Self::apply) for callers whose slices come from outside.
    ///
    /// **Errors**: no columns; numbers that are no whole rows; not one result for each row; a level that this machine does not
    /// have. Nothing is written then.
    pub fn map<T: Vectorized>(self, isa: Isa, x: &[T], cols: usize, results: &mut [T]) -> Result<()> {
        check_rows(isa, x.len(), cols)?;
        check_length("the results", x.len() / cols, results.len())?;
        self.apply(isa, x, cols, results);
        Ok(())
    }
}

/// The kernels of one type, compiled here: as generic code every crate that calls one would compile them all.
macro_rules! compiled {
    ($module:ident, $t:ty) => {
        mod $module {
            use super::*;

            pub fn apply(function: RowFunction, isa: Isa, x: &mut [$t], cols: usize) {
                match function {
                    RowFunction::Softmax => replace_rows(isa, Softmax, [], x, cols, &mut []),
                    RowFunction::LogSoftmax => replace_rows(isa, LogSoftmax, [], x, cols, &mut []),
                }
            }
            pub fn backward(function: RowFunction, isa: Isa, y: &[$t], delta: &mut [$t], cols: usize) {
                match function {
                    RowFunction::Softmax => replace_rows(isa, SoftmaxBackward, [y], delta, cols, &mut []),
                    RowFunction::LogSoftmax => replace_rows(isa, LogSoftmaxBackward, [y], delta, cols, &mut []),
                }
            }
            pub fn reduce(reduction: RowReduction, isa: Isa, x: &[$t], cols: usize, results: &mut [$t]) {
                match reduction {
                    RowReduction::Max => reduce_rows(isa, Max, x, cols, results),
                    RowReduction::LogSumExp => reduce_rows(isa, LogSumExp, x, cols, results),
                }
            }
        }
    };
}

compiled!(single, f32);
compiled!(double, f64);

fn check_rows(isa: Isa, length: usize, cols: usize) -> Result<()> {
    isa.require("isa")?;
    if cols == 0 {
        return Err(Error::setting("cols", "at least 1", cols));
    }
    if whole_rows(length, cols) {
        Ok(())
    } else {
        Err(Error::shape("the input", format!("whole rows of {cols}"), format!("{length} elements")))
    }
}

/// `e^(x - top)`, for `x` up to `top`, and 0 where that would be no normal number.
///
/// Nothing on the way is subnormal either, which would cost these CPUs two hundred cycles a vector: a difference that small is
/// moved away from zero by an amount that no digit of the result shows.
///
/// **Accuracy**: 1 ulp.
#[inline(always)]
pub fn exp_below<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector, top: L::Vector) -> L::Vector {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let distance = lanes.sub(x, top);
    let minus_top = lanes.sub(distance, x);
    let lost = lanes.sub(lanes.sub(x, lanes.sub(distance, minus_top)), lanes.add(top, minus_top));
    let low = splat(T::either(-87.0, -708.0));
    // The distance stands second, where NaN survives.
    let e = math::exp_sum(lanes, lanes.max(low, distance), lanes.sub(lost, splat(T::either(1e-12, 1e-24))));
    // Also where the distance is infinite, and what was lost is NaN.
    lanes.select(lanes.lt(distance, low), splat(0.0), e)
}

/// The row's largest number, and `ln(sum(e^(x - top)))` as `ln(1 + rest)`, where `rest` is the sum without one of the largest:
/// of a row that is nearly certain it is small, and keeps its digits.
#[inline(always)]
fn top_and_log_sum<T: Vectorized, L: Lanes<T>>(lanes: L, row: &impl Row<T, L>) -> (L::Vector, L::Vector) {
    let (zero, one) = (lanes.splat(T::ZERO), lanes.splat(T::ONE));
    let top = row.largest();
    let mut parts = [zero; VIRTUAL_LANES];
    let mut ties = [zero; VIRTUAL_LANES];
    for i in 0..row.vectors() {
        let x = row.load(i);
        let is_top = lanes.le(top, x);
        let part = row.part(i);
        parts[part] = lanes.add(parts[part], lanes.select(is_top, zero, exp_below(lanes, x, top)));
        ties[part] = lanes.add(ties[part], lanes.select(is_top, one, zero));
    }
    let rest = lanes.add(lanes.sub(row.total(ties), one), row.total(parts));
    (top, math::ln_1p(lanes, rest))
}

#[derive(Clone, Copy)]
struct Softmax;

impl<T: Vectorized> Replace<T, 0> for Softmax {
    #[inline(always)]
    fn replace<L: Lanes<T>>(self, lanes: L, mut row: impl RowMut<T, L, 0>) -> L::Vector {
        let top = row.largest();
        let mut parts = [lanes.splat(T::ZERO); VIRTUAL_LANES];
        for i in 0..row.vectors() {
            let e = exp_below(lanes, row.load(i), top);
            parts[row.part(i)] = lanes.add(parts[row.part(i)], e);
            row.store(i, e);
        }
        // One division for the row, and half a unit more than with one for each column: those would cost a third of the time.
        let inverse = lanes.div(lanes.splat(T::ONE), row.total(parts));
        for i in 0..row.vectors() {
            let ([], e) = row.load_all(i);
            row.store(i, lanes.mul(e, inverse));
        }
        top
    }
}

#[derive(Clone, Copy)]
struct LogSoftmax;

impl<T: Vectorized> Replace<T, 0> for LogSoftmax {
    #[inline(always)]
    fn replace<L: Lanes<T>>(self, lanes: L, mut row: impl RowMut<T, L, 0>) -> L::Vector {
        let (top, log_sum) = top_and_log_sum(lanes, &row);
        // NaN where the largest is infinite.
        let log_sum = lanes.add(log_sum, lanes.sub(top, top));
        for i in 0..row.vectors() {
            let ([], x) = row.load_all(i);
            row.store(i, lanes.sub(lanes.sub(x, top), log_sum));
        }
        log_sum
    }
}

#[derive(Clone, Copy)]
struct SoftmaxBackward;

impl<T: Vectorized> Replace<T, 1> for SoftmaxBackward {
    #[inline(always)]
    fn replace<L: Lanes<T>>(self, lanes: L, mut row: impl RowMut<T, L, 1>) -> L::Vector {
        let mut parts = [lanes.splat(T::ZERO); VIRTUAL_LANES];
        for i in 0..row.vectors() {
            let ([y], delta) = row.load_all(i);
            parts[row.part(i)] = lanes.mul_add(y, delta, parts[row.part(i)]);
        }
        let mean = row.total(parts);
        for i in 0..row.vectors() {
            let ([y], delta) = row.load_all(i);
            row.store(i, lanes.mul(y, lanes.sub(delta, mean)));
        }
        mean
    }
}

#[derive(Clone, Copy)]
struct LogSoftmaxBackward;

impl<T: Vectorized> Replace<T, 1> for LogSoftmaxBackward {
    #[inline(always)]
    fn replace<L: Lanes<T>>(self, lanes: L, mut row: impl RowMut<T, L, 1>) -> L::Vector {
        let mut parts = [lanes.splat(T::ZERO); VIRTUAL_LANES];
        for i in 0..row.vectors() {
            let ([_], delta) = row.load_all(i);
            parts[row.part(i)] = lanes.add(parts[row.part(i)], delta);
        }
        let minus_sum = lanes.neg(row.total(parts));
        for i in 0..row.vectors() {
            let ([y], delta) = row.load_all(i);
            row.store(i, lanes.mul_add(math::exp(lanes, y), minus_sum, delta));
        }
        minus_sum
    }
}

#[derive(Clone, Copy)]
struct Max;

impl<T: Vectorized> Reduce<T> for Max {
    #[inline(always)]
    fn reduce<L: Lanes<T>>(self, lanes: L, row: impl Row<T, L>) -> L::Vector {
        // Zero, or NaN if there is one.
        let zero = lanes.splat(T::ZERO);
        let mut parts = [zero; VIRTUAL_LANES];
        for i in 0..row.vectors() {
            let x = row.load(i);
            parts[row.part(i)] = lanes.add(parts[row.part(i)], lanes.select(lanes.le(x, x), zero, x));
        }
        lanes.add(row.largest(), row.total(parts))
    }
}

#[derive(Clone, Copy)]
struct LogSumExp;

impl<T: Vectorized> Reduce<T> for LogSumExp {
    #[inline(always)]
    fn reduce<L: Lanes<T>>(self, lanes: L, row: impl Row<T, L>) -> L::Vector {
        let (top, log_sum) = top_and_log_sum(lanes, &row);
        lanes.add(top, log_sum)
    }
}
