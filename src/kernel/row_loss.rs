//! The loss of each row of a matrix and its gradient, in one pass over the rows.
//!
//! The formulas are those of `loss`, where they are written for any scalar; here for vectors, and arranged so that
//! the digits of a nearly certain row are kept.

use super::layout::{Replace, RowMut, replace_rows};
use super::math;
use super::softmax::exp_below;
use super::sweep::{Step, sweep};
use crate::simd::{Isa, Lanes, Typed, VIRTUAL_LANES, Vectorized};

/// A loss of rows that has a kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowLoss {
    /// Half the square of the error.
    SquaredError,
    /// The absolute error.
    AbsoluteError,
    /// Half the square of the error up to `delta`, then `delta` times what it is beyond half of `delta`.
    Huber {
        /// Where the square ends.
        delta: f64,
    },
    /// `1 - quantile` of an error above 0, `-quantile` of one below.
    Quantile {
        /// The quantile.
        quantile: f64,
    },
    /// `ln(cosh(e))` of the error.
    LogCosh,
    /// `e^o - t o` of logarithms `o` of rates.
    Poisson,
    /// `max(0, 1 - y o)` of scores `o` with `y = 2 t - 1`.
    Hinge,
    /// `max(0, 1 - y o)^2`.
    SquaredHinge,
    /// `t softplus(-o) + (1 - t) softplus(o)` of logits `o`: the cross-entropy of their sigmoids.
    LogisticCrossEntropy,
    /// `sum(t) ln(sum(e^o)) - sum(t o)` of logits `o`: the cross-entropy of their softmax.
    SoftmaxCrossEntropy,
}

impl RowLoss {
    /// `losses[i]` becomes the loss of row `i` of `x` (of `cols` columns), and the row its gradient.
    ///
    /// **Shapes**: `targets` and `x` rows x `cols`, a loss for each row. **Overwrites** `x` and `losses`.
    ///
    /// **Accuracy**: gradients to 4 ulp of the larger of target and prediction, and `cols / 32` more at worst for softmax; also of rows
    /// that are nearly certain, where the gradient is tiny; losses of one output to 8 ulp. NaN of a row makes its loss NaN.
    pub fn apply<T: Vectorized>(self, isa: Isa, targets: &[T], x: &mut [T], cols: usize, losses: &mut [T]) {
        match T::typed([targets], [x, losses]) {
            Typed::Single([targets], [x, losses]) => single::apply(self, isa, targets, x, cols, losses),
            Typed::Double([targets], [x, losses]) => double::apply(self, isa, targets, x, cols, losses),
        }
    }
}

/// The kernels of one type, compiled here: as generic code every crate that calls one would compile them all.
macro_rules! compiled {
    ($module:ident, $t:ty) => {
        mod $module {
            use super::*;

            pub fn apply(loss: RowLoss, isa: Isa, targets: &[$t], x: &mut [$t], cols: usize, losses: &mut [$t]) {
                match loss {
                    RowLoss::SquaredError => each(isa, SquaredError, targets, x, cols, losses),
                    RowLoss::AbsoluteError => each(isa, Sides([-1.0, 1.0]), targets, x, cols, losses),
                    RowLoss::Huber { delta } => each(isa, Huber(delta), targets, x, cols, losses),
                    RowLoss::Quantile { quantile } => {
                        each(isa, Sides([-quantile, 1.0 - quantile]), targets, x, cols, losses);
                    }
                    RowLoss::LogCosh => each(isa, LogCosh, targets, x, cols, losses),
                    RowLoss::Poisson => each(isa, Poisson, targets, x, cols, losses),
                    RowLoss::Hinge => each(isa, Hinge { squared: false }, targets, x, cols, losses),
                    RowLoss::SquaredHinge => each(isa, Hinge { squared: true }, targets, x, cols, losses),
                    RowLoss::LogisticCrossEntropy => each(isa, Logistic, targets, x, cols, losses),
                    RowLoss::SoftmaxCrossEntropy => replace_rows(isa, Softmax, [targets], x, cols, losses),
                }
            }
        }
    };
}

compiled!(single, f32);
compiled!(double, f64);

/// The rows' losses of a function that looks at each output alone.
fn each<T: Vectorized, F: EachOutput>(isa: Isa, f: F, targets: &[T], x: &mut [T], cols: usize, losses: &mut [T]) {
    if cols == 1 {
        return sweep(isa, Single(f), [targets], [x, losses]);
    }
    if cols > NARROW {
        return replace_rows(isa, Sum(f), [targets], x, cols, losses);
    }
    // Outputs of many rows fill vectors; what is left for each row is a short sum.
    let mut room = [T::ZERO; ROOM];
    let rows = ROOM / cols;
    let blocks = x.chunks_mut(rows * cols).zip(targets.chunks(rows * cols));
    for ((x, targets), losses) in blocks.zip(losses.chunks_mut(rows)) {
        let each = &mut room[..x.len()];
        sweep(isa, Single(f), [targets], [x, each]);
        for (loss, row) in losses.iter_mut().zip(each.chunks_exact(cols)) {
            *loss = row.iter().fold(T::ZERO, |sum, &x| sum + x);
        }
    }
}

/// Rows up to this many outputs are summed one by one.
const NARROW: usize = 32;
/// The outputs whose losses are computed together.
const ROOM: usize = 128;

/// A loss that looks at each output alone.
trait EachOutput: Copy {
    /// Whether an output of minus infinity is what costs nothing where the target is zero; otherwise an output of zero.
    const MINUS_INFINITY_IS_NO_LOSS: bool;
    /// The loss of one output and its slope. Always `#[inline(always)]`.
    fn loss_and_slope<T: Vectorized, L: Lanes<T>>(
        self,
        lanes: L,
        x: L::Vector,
        target: L::Vector,
    ) -> (L::Vector, L::Vector);
}

/// Rows of one output.
#[derive(Clone, Copy)]
struct Single<F>(F);

impl<T: Vectorized, F: EachOutput> Step<T, 1, 2> for Single<F> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [target]: [L::Vector; 1], [x, _]: [L::Vector; 2]) -> [L::Vector; 2] {
        let (loss, slope) = self.0.loss_and_slope(lanes, x, target);
        [slope, loss]
    }
}

/// The sum over a row's outputs.
#[derive(Clone, Copy)]
struct Sum<F>(F);

impl<T: Vectorized, F: EachOutput> Replace<T, 1> for Sum<F> {
    #[inline(always)]
    fn replace<L: Lanes<T>>(self, lanes: L, mut row: impl RowMut<T, L, 1>) -> L::Vector {
        let mut parts = [lanes.splat(T::ZERO); VIRTUAL_LANES];
        for i in 0..row.vectors() {
            let ([target], x) = row.load_all(i);
            // Zero behind the row's end, or minus infinity.
            let x = if F::MINUS_INFINITY_IS_NO_LOSS { row.load(i) } else { x };
            let (loss, slope) = self.0.loss_and_slope(lanes, x, target);
            parts[row.part(i)] = lanes.add(parts[row.part(i)], loss);
            row.store(i, slope);
        }
        row.total(parts)
    }
}

#[derive(Clone, Copy)]
struct SquaredError;

impl EachOutput for SquaredError {
    const MINUS_INFINITY_IS_NO_LOSS: bool = false;

    #[inline(always)]
    fn loss_and_slope<T: Vectorized, L: Lanes<T>>(
        self,
        lanes: L,
        x: L::Vector,
        target: L::Vector,
    ) -> (L::Vector, L::Vector) {
        let error = lanes.sub(x, target);
        (lanes.mul(lanes.mul(lanes.splat(T::from_f64(0.5)), error), error), error)
    }
}

/// The slope of a number below 0, and of one above; of 0 it is 0, of NaN NaN.
#[inline(always)]
fn sided<T: Vectorized, L: Lanes<T>>(lanes: L, e: L::Vector, [below, above]: [f64; 2]) -> L::Vector {
    let (zero, splat) = (lanes.splat(T::ZERO), |x: f64| lanes.splat(T::from_f64(x)));
    lanes.select(lanes.lt(zero, e), splat(above), lanes.select(lanes.lt(e, zero), splat(below), e))
}

/// A straight line on each side of no error, with these slopes.
#[derive(Clone, Copy)]
struct Sides([f64; 2]);

impl EachOutput for Sides {
    const MINUS_INFINITY_IS_NO_LOSS: bool = false;

    #[inline(always)]
    fn loss_and_slope<T: Vectorized, L: Lanes<T>>(
        self,
        lanes: L,
        x: L::Vector,
        target: L::Vector,
    ) -> (L::Vector, L::Vector) {
        let error = lanes.sub(x, target);
        let slope = sided(lanes, error, self.0);
        (lanes.mul(slope, error), slope)
    }
}

#[derive(Clone, Copy)]
struct Huber(f64);

impl EachOutput for Huber {
    const MINUS_INFINITY_IS_NO_LOSS: bool = false;

    #[inline(always)]
    fn loss_and_slope<T: Vectorized, L: Lanes<T>>(
        self,
        lanes: L,
        x: L::Vector,
        target: L::Vector,
    ) -> (L::Vector, L::Vector) {
        let half = lanes.splat(T::from_f64(0.5));
        let knee = lanes.splat(T::from_f64(self.0));
        let error = lanes.sub(x, target);
        let size = lanes.abs(error);
        let inside = lanes.le(size, knee);
        let square = lanes.mul(lanes.mul(half, error), error);
        let line = lanes.mul(knee, lanes.sub(size, lanes.mul(half, knee)));
        let slope = sided(lanes, error, [-self.0, self.0]);
        (lanes.select(inside, square, line), lanes.select(inside, error, slope))
    }
}

#[derive(Clone, Copy)]
struct LogCosh;

impl EachOutput for LogCosh {
    const MINUS_INFINITY_IS_NO_LOSS: bool = false;

    #[inline(always)]
    fn loss_and_slope<T: Vectorized, L: Lanes<T>>(
        self,
        lanes: L,
        x: L::Vector,
        target: L::Vector,
    ) -> (L::Vector, L::Vector) {
        let splat = |x: f64| lanes.splat(T::from_f64(x));
        let (zero, one) = (splat(0.0), splat(1.0));
        let error = lanes.sub(x, target);
        let size = lanes.abs(error);
        // With m = e^-|e| - 1: cosh - 1 is m^2 / (2 (1 + m)); far from 0 it is |e| - ln 2 + ln(1 + (1 + m)^2), of numbers that are as
        // large as the result.
        let m = math::exp_m1(lanes, lanes.neg(size));
        let s = lanes.add(one, m);
        let near = lanes.lt(size, one);
        let small = lanes.div(lanes.mul(m, m), lanes.add(s, s));
        let bend = math::ln_1p(lanes, lanes.select(near, small, lanes.mul(s, s)));
        let line = lanes.select(near, zero, lanes.sub(size, splat(std::f64::consts::LN_2)));
        (lanes.add(line, bend), math::tanh(lanes, error))
    }
}

#[derive(Clone, Copy)]
struct Poisson;

impl EachOutput for Poisson {
    const MINUS_INFINITY_IS_NO_LOSS: bool = true;

    #[inline(always)]
    fn loss_and_slope<T: Vectorized, L: Lanes<T>>(
        self,
        lanes: L,
        x: L::Vector,
        target: L::Vector,
    ) -> (L::Vector, L::Vector) {
        let rate = math::exp(lanes, x);
        // Nothing counted costs the rate alone, even one whose logarithm is minus infinity.
        let none = lanes.le(lanes.abs(target), lanes.splat(T::ZERO));
        let loss = lanes.select(none, rate, lanes.mul_add(lanes.neg(target), x, rate));
        (loss, lanes.sub(rate, target))
    }
}

#[derive(Clone, Copy)]
struct Hinge {
    squared: bool,
}

impl EachOutput for Hinge {
    const MINUS_INFINITY_IS_NO_LOSS: bool = true;

    #[inline(always)]
    fn loss_and_slope<T: Vectorized, L: Lanes<T>>(
        self,
        lanes: L,
        x: L::Vector,
        target: L::Vector,
    ) -> (L::Vector, L::Vector) {
        let (zero, one) = (lanes.splat(T::ZERO), lanes.splat(T::ONE));
        let y = lanes.sub(lanes.add(target, target), one);
        let lack = lanes.sub(one, lanes.mul(y, x));
        let done = lanes.le(lack, zero);
        let (loss, slope) = match self.squared {
            true => (lanes.mul(lack, lack), lanes.mul(y, lanes.add(lack, lack))),
            // NaN stays: it is not above zero.
            false => (lack, lanes.select(lanes.lt(zero, lack), y, lack)),
        };
        (lanes.select(done, zero, loss), lanes.select(done, zero, lanes.neg(slope)))
    }
}

#[derive(Clone, Copy)]
struct Logistic;

impl EachOutput for Logistic {
    const MINUS_INFINITY_IS_NO_LOSS: bool = true;

    #[inline(always)]
    fn loss_and_slope<T: Vectorized, L: Lanes<T>>(
        self,
        lanes: L,
        x: L::Vector,
        target: L::Vector,
    ) -> (L::Vector, L::Vector) {
        let (zero, one) = (lanes.splat(T::ZERO), lanes.splat(T::ONE));
        let minus = lanes.neg(x);
        let (for_no, for_yes) = (math::softplus(lanes, x), math::softplus(lanes, minus));
        // Not the slopes that softplus gives on the way: those are right to the last place of 1, these to their own.
        let (yes, no) = (math::sigmoid(lanes, x), math::sigmoid(lanes, minus));
        // `sigmoid(x) - t` has lost its digits where the network is right: of certain targets it is one of these.
        let is_no = lanes.le(lanes.abs(target), zero);
        let is_yes = lanes.le(lanes.abs(lanes.sub(target, one)), zero);
        let between = lanes.mul_add(target, for_yes, lanes.mul(lanes.sub(one, target), for_no));
        let loss = lanes.select(is_no, for_no, lanes.select(is_yes, for_yes, between));
        (loss, lanes.select(is_no, yes, lanes.select(is_yes, lanes.neg(no), lanes.sub(yes, target))))
    }
}

/// With `top` the largest logit and `rest` the sum of `e^(o - top)` over the others, `ln(sum(e^o))` is `top + ln(1 + rest)`.
#[derive(Clone, Copy)]
struct Softmax;

impl<T: Vectorized> Replace<T, 1> for Softmax {
    #[inline(always)]
    fn replace<L: Lanes<T>>(self, lanes: L, mut row: impl RowMut<T, L, 1>) -> L::Vector {
        let (zero, one) = (lanes.splat(T::ZERO), lanes.splat(T::ONE));
        let top = row.largest();
        let [mut rest, mut ties, mut mass, mut lack] = [[zero; VIRTUAL_LANES]; 4];
        for i in 0..row.vectors() {
            let ([target], _) = row.load_all(i);
            let x = row.load(i);
            let is_top = lanes.le(top, x);
            let e = exp_below(lanes, x, top);
            let part = row.part(i);
            rest[part] = lanes.add(rest[part], lanes.select(is_top, zero, e));
            ties[part] = lanes.add(ties[part], lanes.select(is_top, one, zero));
            mass[part] = lanes.add(mass[part], target);
            // A class without mass adds nothing, even where its logit is minus infinity.
            let counts = lanes.lt(zero, lanes.abs(target));
            let distance = lanes.select(counts, lanes.sub(top, x), zero);
            lack[part] = lanes.mul_add(target, distance, lack[part]);
            row.store(i, lanes.select(is_top, one, e));
        }
        let rest = lanes.add(lanes.sub(row.total(ties), one), row.total(rest));
        let mass = row.total(mass);
        let inverse = lanes.div(one, lanes.add(one, rest));
        let share = lanes.mul(mass, inverse);
        for i in 0..row.vectors() {
            let ([target], e) = row.load_all(i);
            // For the largest, `mass / (1 + rest) - t` without the difference of two numbers near 1.
            let top = lanes.mul_add(lanes.neg(target), rest, lanes.sub(mass, target));
            let delta = lanes.mul_add(e, share, lanes.neg(target));
            row.store(i, lanes.select(lanes.le(one, e), lanes.mul(top, inverse), delta));
        }
        lanes.mul_add(mass, math::ln_1p(lanes, rest), row.total(lack))
    }
}
