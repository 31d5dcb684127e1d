//! Watches the gradients of a training while it runs: every so many steps the gradient just computed is held against values.
//!
//! Along a direction `u` of random signs the slope is `g . u`, and from values alone `(E(p + h u) - E(p - h u)) / 2h`: in `f64`
//! whatever the training's type, for a difference of two `f32` values has no digits left. One direction sees every parameter, for
//! two forward passes. The error of the slope is measured against the largest of both slopes and `|g|`, which is the standard
//! deviation of `g . u` over the signs: a direction in which a sound gradient happens to cancel raises no alarm.
//!
//! What disagrees is not yet wrong. Where the rounding of the values explains it, nothing is said. And a sound gradient in `T` is
//! that of a point within rounding of the parameters, on whichever side of a kink this lies. So the numeric slope is measured
//! around such points too: where it differs from one to the next by as much as the gradient from it, nothing is said either.
//!
//! Begin reading at [`GradientWatch::check`].

use super::Trainer;
use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::vector;
use crate::loss::LossFn;
use crate::memory::zeros;
use crate::network::objective::{Batch, Objective};
use crate::network::workspace::Workspace;
use crate::network::{Spec, pass};
use crate::rng::{Rng, stream};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The step, in units of the root mean square of the parameters: since that of a layer is about one over the root of its inputs, a
/// direction of signs moves every weighted sum by about this part of it. The difference then errs by 1e-12 (the square) times the
/// third derivative, and by 1e-10 of the value, both far below the tolerances; and of a million rectified units' sums one or two
/// lie within the step of their kink.
const STEP: f64 = 1.0 / (1u64 << 20) as f64;

/// The largest error of a sound slope. An `f32` gradient errs by some hundred roundings of 6e-8, an `f64` one by what the difference
/// does: in 17,136 steps of smooth networks 1.3e-5 and 7.5e-8 were the most (`tests/watch.rs`). More comes near a minimum, where the
/// rows' slopes cancel, and of kinks; both are looked into. A slope that is 1 % too large everywhere is seen in 97.6 % of directions
/// in `f32`: in the others less than 0.03 of the gradient's length lies along them.
fn tolerance<T: Float>() -> f64 {
    T::either(3e-4, 1e-5)
}

/// How far from the parameters, in the step's unit, the points lie that a gradient is excused by: some sixty roundings of an `f32`,
/// which sums of hundreds of terms come to; in `f64` as far as the step, which sees each kink that the step does.
fn radius<T: Float>() -> f64 {
    T::either(4.0, 1.0) * STEP
}

/// The roundings of a value that are borne.
const ROUNDINGS: f64 = 10.0;

/// Around so many points the slope is measured before a gradient is called wrong ...
const NEIGHBOURS: usize = 24;
/// ... and none is if it differs around as many as these by [`EXCUSE`] of the disagreement. Half of all neighbours lie on the other
/// side of a kink that rounding cannot place, and fewer than three of 24 do once in 25,000 times. A kink that happens to be near
/// shows in a few of a hundred.
const EXCUSES: usize = 3;
const EXCUSE: f64 = 0.25;

/// Signs in a word of random bits.
const SIGNS: usize = 64;

/// A gradient that was held against values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watched {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step, from 1, counted over the whole training.
    pub step: usize,
    /// The error of the slope along a random direction, as a part of the largest of both slopes and the gradient's length.
    pub error: f64,
    /// Whether rounding or a kink explains an error beyond the tolerance: nothing was learnt.
    pub inconclusive: bool,
}

impl Watched {
    /// The largest error of the conclusive ones, if there is any.
    pub fn largest_error(watched: &[Self]) -> Option<f64> {
        watched.iter().filter(|check| !check.inconclusive).map(|check| check.error).reduce(f64::max)
    }
}

/// What the checks need, allocated before the first step.
#[derive(Debug)]
pub(super) struct GradientWatch {
    interval: usize,
    seed: u64,
    /// The direction, a bit for each sign.
    direction: Vec<u64>,
    /// The direction in which a neighbour lies.
    aside: Vec<u64>,
    /// Where a value is taken.
    point: Vec<f64>,
    /// The batch: inputs, targets, weights.
    rows: [Vec<f64>; 3],
    workspace: Workspace<f64>,
}

/// A slope by the gradient and by values.
#[derive(Clone, Copy, Debug)]
struct Slope {
    analytic: f64,
    numeric: f64,
    /// What the error is a part of.
    size: f64,
}

impl Slope {
    fn difference(&self) -> f64 {
        (self.analytic - self.numeric).abs()
    }

    fn error(&self) -> f64 {
        match self.difference() {
            0.0 => 0.0,
            difference => difference / self.size,
        }
    }
}

impl GradientWatch {
    /// For batches of up to `rows` rows, if the trainer wants its gradients watched.
    pub fn new<A: ActivationFn, L>(trainer: &Trainer<L>, spec: &Spec<A>, rows: usize) -> Result<Option<Self>> {
        let Some(interval) = trainer.watch_gradients else { return Ok(None) };
        let what = "watching gradients";
        let matrix = |cols: usize| zeros(rows.saturating_mul(cols), what);
        let mut signs = [Vec::new(), Vec::new()];
        for signs in &mut signs {
            let words = spec.parameters().div_ceil(SIGNS);
            let refused = |_| Error::Memory { what: what.into(), bytes: words.saturating_mul(size_of::<u64>()) };
            signs.try_reserve_exact(words).map_err(refused)?;
            signs.resize(words, 0);
        }
        let [direction, aside] = signs;
        Ok(Some(Self {
            interval,
            seed: trainer.seed,
            direction,
            aside,
            point: zeros(spec.parameters(), what)?,
            rows: [matrix(spec.inputs())?, matrix(spec.outputs())?, matrix(1)?],
            workspace: Workspace::for_prediction(spec, rows, trainer.engine, trainer.threads.clone())?,
        }))
    }

    /// The bytes that [`new`](Self::new) takes.
    pub fn required_bytes<A: ActivationFn>(spec: &Spec<A>, rows: usize) -> u128 {
        let signs = 2 * spec.parameters().div_ceil(SIGNS) as u128;
        let width = spec.inputs() as u128 + spec.outputs() as u128 + 1;
        let numbers = signs + spec.parameters() as u128 + rows as u128 * width;
        numbers * size_of::<f64>() as u128 + Workspace::<f64>::required_bytes(spec, rows, false)
    }

    /// How many checks there are at most in so many steps.
    pub fn most(&self, steps: usize) -> usize {
        steps.div_ceil(self.interval)
    }

    /// Whether the gradient of that step, from 1, is to be watched: the first is, and every so many after it.
    pub fn is_due(&self, step: u64) -> bool {
        (step - 1).is_multiple_of(self.interval as u64)
    }

    /// Holds the gradient of step number `step`, in epoch and batch `at`, against values; one that is not finite is left to others.
    ///
    /// **Errors**: [`Error::Check`] if it is wrong, with the tensors in which it is.
    pub fn check<T: Float, A: ActivationFn, L: LossFn>(
        &mut self,
        (spec, params): (&Spec<A>, &[T]),
        batch: Batch<'_, T>,
        objective: &Objective<L>,
        gradient: &[T],
        at: (usize, usize),
        step: u64,
    ) -> Result<Option<Watched>> {
        let Self { seed, direction, aside, point, rows, workspace, .. } = self;
        // By its number alone, so that a training which continues looks where it would have.
        let rng = &mut Rng::with_stream(*seed, stream::WATCH + step);
        let batch = double(&batch, rows);
        let square = vector::squared_norm(workspace.engine().isa(), params).real();
        // Parameters that are all 0, or nearly, move as if they had one over the root of their number.
        let scale = (square.max(1.0) / params.len() as f64).sqrt();
        let mut probe = Probe { spec, params, objective, gradient, batch, point, workspace, scale, value: 0.0 };
        rng.fill_bits(direction);
        let slope = probe.look(0..params.len(), direction, None)?;
        if !slope.analytic.is_finite() {
            return Ok(None);
        }
        let mut seen = Watched { epoch: at.0, step: step as usize, error: slope.error(), inconclusive: false };
        if seen.error.is_nan() || seen.error > tolerance::<T>() {
            seen.inconclusive = probe.is_rounding(slope) || probe.is_excused(slope, rng, direction, aside)?;
            if !seen.inconclusive {
                let to_blame = probe.tensors_to_blame(rng, direction)?;
                return Err(Error::Check(format!(
                    "gradient wrong in epoch {}, batch {} (step {step}), in {to_blame}: along a random direction its slope is \
                     {:.6e}, that of the values {:.6e}, an error of {:.1e} at tolerance {:e}",
                    at.0,
                    at.1,
                    slope.analytic,
                    slope.numeric,
                    seen.error,
                    tolerance::<T>()
                )));
            }
        }
        Ok(Some(seen))
    }
}

/// The objective around the parameters, and the gradient there.
struct Probe<'a, T, A, L> {
    spec: &'a Spec<A>,
    params: &'a [T],
    objective: &'a Objective<L>,
    gradient: &'a [T],
    batch: Batch<'a, f64>,
    point: &'a mut [f64],
    workspace: &'a mut Workspace<f64>,
    /// The root mean square of the parameters.
    scale: f64,
    /// The objective where it was last asked for.
    value: f64,
}

impl<T: Float, A: ActivationFn, L: LossFn> Probe<'_, T, A, L> {
    /// The slopes along the signs `direction` of the parameters at `range`: at the parameters, or for the numeric one at a neighbour
    /// in the direction `aside`.
    fn look(&mut self, range: Range<usize>, direction: &[u64], aside: Option<&[u64]>) -> Result<Slope> {
        let step = STEP * self.scale;
        let mut value_at = |step: f64| -> Result<f64> {
            self.point.iter_mut().zip(self.params).for_each(|(to, p)| *to = p.real());
            aside.into_iter().for_each(|aside| add_signed(self.point, radius::<T>() * self.scale, aside));
            add_signed(&mut self.point[range.clone()], step, direction);
            let value = pass::value(self.spec, self.point, self.batch.view(), self.objective, self.workspace)?;
            Ok(value.objective())
        };
        let (above, below) = (value_at(step)?, value_at(-step)?);
        self.value = above.abs().max(below.abs());
        let numeric = (above - below) / (2.0 * step);
        let (mut analytic, mut square) = (0.0, 0.0);
        for (gradient, word) in self.gradient[range].chunks(SIGNS).zip(direction) {
            for (j, g) in gradient.iter().enumerate() {
                analytic += signed(g.real(), word >> j);
                square += g.real() * g.real();
            }
        }
        Ok(Slope { analytic, numeric, size: analytic.abs().max(numeric.abs()).max(f64::sqrt(square)) })
    }

    /// What a sound slope may err by: the rounding of the values that were looked at, and that of a gradient in `T` whose terms come
    /// to as much as moves the value by itself.
    fn rounding(&self) -> f64 {
        let of_type = T::either(f64::from(f32::EPSILON), f64::EPSILON);
        ROUNDINGS * self.value * (f64::EPSILON / STEP + of_type) / self.scale
    }

    /// Whether the slopes differ by no more than [`rounding`](Self::rounding), or the values were not finite.
    fn is_rounding(&self, slope: Slope) -> bool {
        slope.difference().is_nan() || slope.difference() <= self.rounding()
    }

    /// Whether the numeric slope around the parameters differs from the one at them as the analytic does.
    fn is_excused(&mut self, slope: Slope, rng: &mut Rng, direction: &[u64], aside: &mut [u64]) -> Result<bool> {
        let mut excuses = 0;
        for _ in 0..NEIGHBOURS {
            rng.fill_bits(aside);
            let there = self.look(0..self.params.len(), direction, Some(aside))?;
            let apart = (there.numeric - slope.numeric).abs();
            excuses += usize::from(apart.is_nan() || apart >= EXCUSE * slope.difference());
            if excuses == EXCUSES {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The tensors whose gradients are wrong by themselves, each looked at along a direction of its own; or the one that is most.
    fn tensors_to_blame(&mut self, rng: &mut Rng, direction: &mut [u64]) -> Result<String> {
        let (mut names, mut most) = (Vec::new(), (0.0, String::from("no single tensor")));
        for (name, range) in self.spec.tensors() {
            rng.fill_bits(direction);
            let slope = self.look(range, direction, None)?;
            if slope.error() > tolerance::<T>() && !self.is_rounding(slope) {
                names.push(name.clone());
            }
            if slope.error() > most.0 {
                most = (slope.error(), name);
            }
        }
        Ok(if names.is_empty() { most.1 } else { names.join("; ") })
    }
}

/// The number, with its sign turned if the lowest bit says so.
fn signed(x: f64, bits: u64) -> f64 {
    f64::from_bits(x.to_bits() ^ (bits << 63))
}

/// Adds `by` to each number, or takes it away, as the bits say.
fn add_signed(numbers: &mut [f64], by: f64, signs: &[u64]) {
    for (numbers, word) in numbers.chunks_mut(SIGNS).zip(signs) {
        numbers.iter_mut().enumerate().for_each(|(j, x)| *x += signed(by, word >> j));
    }
}

/// The batch in `f64`, copied into `buffers`.
fn double<'a, T: Float>(batch: &Batch<'_, T>, buffers: &'a mut [Vec<f64>; 3]) -> Batch<'a, f64> {
    let (count, [x, y, weights]) = (batch.x.nrows(), buffers);
    let copy = |from: &[T], to: &mut [f64]| to.iter_mut().zip(from).for_each(|(to, from)| *to = from.real());
    let elements = |array: &ArrayView2<'_, T>, to: &mut [f64]| {
        copy(array.as_slice().expect("row-major, as fit() has checked"), to);
    };
    elements(&batch.x, x);
    elements(&batch.y, y);
    batch.weights.into_iter().for_each(|from| copy(from, weights));
    let view = |data: &'a [f64], width: usize| {
        ArrayView2::from_shape((count, width), &data[..count * width]).expect("as many as the buffers were made for")
    };
    Batch {
        x: view(x, batch.x.ncols()),
        y: view(y, batch.y.ncols()),
        weights: batch.weights.map(|_| &weights[..count]),
    }
}
