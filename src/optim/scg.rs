//! Scaled conjugate gradients: conjugate directions whose step length comes from curvature, not from a line search.
//!
//! Each iteration measures the curvature along its direction by one difference of gradients, adds a damping `lambda` where it is
//! not positive, and takes the quadratic model's own step; how well the model foretold the value decides the next `lambda`. Two
//! evaluations an iteration, whatever the objective does. Begin reading at [`Scg::advance`](super::Minimiser::advance).
//!
//! **Source**: Moller 1993 (Neural Networks 6, 525-533), whose constants and names these are. Three things the paper leaves open
//! are settled here: it restarts after as many *accepted* steps as there are parameters (a step refused uses up no direction);
//! a value or gradient that is not finite is a step refused; and it ends where rounding hides what is left.
//!
//! Row 5 of the house: imports `kernel`, `simd` and `error`.

use super::history::dot;
use super::minimum::{
    Iteration, Minimiser, Objective, Report, Stop, begin, check_buffer, check_length, check_number, largest, lead,
    rounding,
};
use super::zeros;
use crate::error::{Error, Result};
use crate::kernel::vector;
use crate::simd::{Isa, Vectorized};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// When to stop, and the two constants of the method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The distance, in lengths of the parameters' move, at which the curvature is measured; the paper asks for at most 1e-4,
    /// and MATLAB's `trainscg` has this as `sigma`.
    ///
    /// In `f32` a difference over so short a distance is rounding: there it is never less than the root of the type's epsilon.
    pub sigma: f64,
    /// The first damping; the paper asks for at most 1e-6, and MATLAB's `trainscg` has this as `lambda`.
    pub lambda: f64,
    /// Most accepted steps.
    pub max_iterations: usize,
    /// Most evaluations of the objective with its gradient.
    pub max_evaluations: usize,
    /// Small enough a gradient: every component's absolute value is at most this. MATLAB's `min_grad`, there of the length.
    pub gradient_tolerance: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { sigma: 5e-5, lambda: 5e-7, max_iterations: 1000, max_evaluations: 15_000, gradient_tolerance: 1e-6 }
    }
}

impl Options {
    /// Whether every option is in its range.
    ///
    /// **Errors** name the first that is not.
    pub fn check(&self) -> Result<()> {
        for (name, found) in [("sigma", self.sigma), ("lambda", self.lambda)] {
            if !(found > 0.0 && found < 1.0) {
                return Err(Error::setting(name, "a number above 0 and below 1", found));
            }
        }
        if self.max_evaluations == 0 {
            return Err(Error::setting("max_evaluations", "at least 1", 0));
        }
        if !(self.gradient_tolerance >= 0.0 && self.gradient_tolerance.is_finite()) {
            return Err(Error::setting("gradient_tolerance", "a finite number, at least 0", self.gradient_tolerance));
        }
        Ok(())
    }
}

/// How far a minimisation has come, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Iterations done: steps accepted.
    pub iterations: usize,
    /// Evaluations of the objective.
    pub evaluations: usize,
    /// The objective where it stands.
    pub value: f64,
    /// The damping.
    pub lambda: f64,
    /// Accepted steps since the direction was the steepest.
    pub since_restart: usize,
}

/// All that a minimisation needs, beside the parameters, to go on between two iterations with the same bits: borrowed from
/// [`Scg::state`], given to [`Scg::resume`]. The paper's flag of success is always set there, and the curvature not yet measured.
///
/// Each buffer has as many numbers as there are parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct State<B> {
    /// The direction of the next step.
    pub direction: B,
    /// The gradient where it stands.
    pub gradient: B,
    /// Counts and values.
    pub progress: Progress,
}

/// A minimiser for `len` parameters, with all the memory that it will need.
///
/// ```
/// use deltarule::{optim::{Scg, scg::Options}, simd::Isa};
/// use std::ops::ControlFlow::Continue;
///
/// let mut params = [-1.2, 1.0];
/// let rosenbrock = |p: &[f64], grad: &mut [f64]| {
///     let (a, b) = (1.0 - p[0], p[1] - p[0] * p[0]);
///     grad.copy_from_slice(&[-2.0 * a - 400.0 * p[0] * b, 200.0 * b]);
///     Ok(a * a + 100.0 * b * b)
/// };
/// let report = Scg::new(2, Options::default())?
///     .minimize(Isa::current(), &mut params, rosenbrock, |_| Continue(()))?;
/// assert!(report.stopped.converged() && (params[0] - 1.0).abs() < 1e-4);
/// # Ok::<(), deltarule::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scg<T> {
    options: Options,
    direction: Vec<T>,
    grad: Vec<T>,
    trial: Vec<T>,
    trial_grad: Vec<T>,
    progress: Progress,
    /// The largest absolute value in `grad`.
    largest: f64,
    /// The curvature along the direction, without damping.
    curvature: f64,
    /// Whether the curvature is that of a new direction, to be measured; so it always is between two iterations.
    fresh: bool,
    /// Whether the first trial from this point promised more than rounding.
    promised: bool,
    /// Whether there is a point to go on from.
    begun: bool,
    /// The rounding error of `T`, below which differences tell nothing.
    rounding: f64,
}

/// What a round came to.
enum Round {
    /// A step of this many lengths of the direction.
    Moved(f64),
    /// A step refused: another follows.
    Refused,
    /// The end.
    Stopped(Stop),
}

/// How much the damping shrinks where the model foretold at least this part of the fall, and below which part it grows.
const SHRINK: f64 = 0.25;
const GOOD: f64 = 0.75;
const POOR: f64 = 0.25;

impl<T: Vectorized> Scg<T> {
    /// How many numbers it holds for each parameter.
    pub const BUFFERS: usize = 4;

    /// A minimiser for `len` parameters.
    ///
    /// **Errors** if an option is outside its range or memory is short: it needs [`BUFFERS`](Self::BUFFERS) times that of the
    /// parameters.
    pub fn new(len: usize, options: Options) -> Result<Self> {
        let buffer = || zeros(len, 1, "scaled conjugate gradients");
        Self::of(options, buffer()?, buffer()?)
    }

    /// A minimiser that goes on from `state`, with the parameters where that was taken.
    ///
    /// **Errors** as [`new`](Self::new); if the buffers differ in length or hold a number that is not finite, or a number of the progress
    /// is none that a minimisation comes to.
    pub fn resume(options: Options, state: State<Vec<T>>) -> Result<Self> {
        let State { direction, gradient, progress } = state;
        let Progress { evaluations, value, lambda, since_restart, .. } = progress;
        let len = gradient.len();
        check_buffer("SCG's gradient", &gradient, len)?;
        check_buffer("SCG's direction", &direction, len)?;
        check_number("SCG's value", value.is_finite(), "a finite number", value)?;
        check_number("SCG's lambda", lambda.is_finite() && lambda >= 0.0, "a finite number, at least 0", lambda)?;
        check_number("SCG's evaluations", evaluations > 0, "at least 1", evaluations)?;
        let most = len.saturating_sub(1);
        check_number("SCG's steps since a restart", since_restart <= most, &format!("at most {most}"), since_restart)?;
        let largest = largest(&gradient);
        Ok(Self { progress, largest, begun: true, ..Self::of(options, direction, gradient)? })
    }

    fn of(options: Options, direction: Vec<T>, grad: Vec<T>) -> Result<Self> {
        options.check()?;
        let buffer = || zeros(grad.len(), 1, "scaled conjugate gradients");
        Ok(Self {
            options,
            direction,
            trial: buffer()?,
            trial_grad: buffer()?,
            grad,
            progress: Progress::default(),
            largest: 0.0,
            curvature: 0.0,
            fresh: true,
            promised: false,
            begun: false,
            rounding: rounding::<T>(),
        })
    }

    /// All that a minimisation needs to go on from here, beside the parameters. Of use between two iterations.
    pub fn state(&self) -> State<&[T]> {
        State { direction: &self.direction, gradient: &self.grad, progress: self.progress }
    }

    /// Minimises `objective`, which writes its gradient and gives its value, from `params` on. Allocates nothing.
    ///
    /// The value never rises from one accepted point to the next, and the number of evaluations is bounded, whatever the
    /// objective does. [`Iteration::step`] is the step in lengths of the conjugate direction.
    ///
    /// **Overwrites** `params` with the last accepted point, also where it returns an error.
    ///
    /// **Determinism**: as the objective's.
    ///
    /// **Errors** of `objective`; if `params` has another length than [`new`](Self::new) was told; if the start's value
    /// or gradient is not finite.
    pub fn minimize(
        &mut self,
        isa: Isa,
        params: &mut [T],
        mut objective: impl FnMut(&[T], &mut [T]) -> Result<f64>,
        observe: impl FnMut(&Iteration<'_, T>) -> ControlFlow<()>,
    ) -> Result<Report> {
        self.begun = false;
        lead(self, isa, params, &mut objective, observe)
    }

    /// One round of the paper's: curvature, step, comparison.
    fn round(&mut self, isa: Isa, params: &mut [T], objective: &mut Objective<'_, T>) -> Result<Round> {
        let length = dot(isa, &self.direction, &self.direction);
        let slope = -dot(isa, &self.grad, &self.direction);
        // A slope below 0 makes a step backwards, which is as good.
        if slope == 0.0 || !slope.is_finite() || length == 0.0 || !length.is_finite() {
            // Rounding, or numbers whose squares overflow: nothing better than the steepest descent is known.
            if self.progress.since_restart == 0 {
                let is_flat = slope == 0.0 || length == 0.0;
                return Ok(Round::Stopped(if is_flat { Stop::Decrease } else { Stop::LineSearch }));
            }
            self.restart(isa);
            return Ok(Round::Refused);
        }
        if self.fresh {
            let distance = self.options.sigma.max(if self.rounding > 1e-10 { self.rounding.sqrt() } else { 0.0 });
            let sigma = distance / length.sqrt();
            self.move_along(isa, params, sigma);
            self.progress.evaluations += 1;
            let value = objective(&self.trial, &mut self.trial_grad)?;
            let change = dot(isa, &self.trial_grad, &self.direction) + slope;
            // What is not finite so near by says nothing of the curvature; the damping alone makes the step.
            let finite = value.is_finite() && change.is_finite();
            self.curvature = if finite { change / sigma } else { 0.0 };
        }
        let mut damped = self.curvature + self.progress.lambda * length;
        if damped <= 0.0 {
            // The paper's: a damping of twice what would make it 0.
            let raised = 2.0 * (self.progress.lambda - damped / length);
            damped = self.progress.lambda * length - damped;
            self.progress.lambda = raised;
        }
        let step = slope / damped;
        // Half the fall that the model foretells, below which the values' rounding hides it.
        let invisible = 0.5 * slope * step <= self.rounding * self.progress.value.abs();
        if self.fresh {
            self.promised = !invisible;
        }
        self.move_along(isa, params, step);
        self.progress.evaluations += 1;
        let value = objective(&self.trial, &mut self.trial_grad)?;
        let finite = value.is_finite() && vector::all_finite(isa, &self.trial_grad);
        let comparison = if finite { 2.0 * damped * (self.progress.value - value) / (slope * slope) } else { -1.0 };
        let accepted = finite && value <= self.progress.value && comparison >= 0.0;
        if comparison < POOR || !accepted {
            self.progress.lambda += damped * (1.0 - comparison) / length;
        } else if comparison >= GOOD {
            self.progress.lambda *= SHRINK;
        }
        if !accepted || value == self.progress.value {
            self.fresh = false;
            return Ok(self.refused(isa, invisible).map_or(Round::Refused, Round::Stopped));
        }

        let new = dot(isa, &self.trial_grad, &self.trial_grad);
        let across = dot(isa, &self.trial_grad, &self.grad);
        params.copy_from_slice(&self.trial);
        std::mem::swap(&mut self.grad, &mut self.trial_grad);
        // Growing by what a model foretold too much of, it might leave the numbers; a state that is saved holds only such.
        self.progress.lambda = self.progress.lambda.min(f64::MAX);
        self.progress.since_restart += 1;
        // p <- r + beta p, with r the negative gradient.
        vector::scale(isa, T::from_f64((new - across) / slope), &mut self.direction);
        vector::axpy(isa, T::from_f64(-1.0), &self.grad, &mut self.direction);
        // A direction that is not finite would be dropped in the next round.
        if self.progress.since_restart >= self.grad.len() || !vector::all_finite(isa, &self.direction) {
            self.restart(isa);
        }
        self.fresh = true;
        self.progress.iterations += 1;
        self.progress.value = value;
        self.largest = largest(&self.grad);
        Ok(Round::Moved(step))
    }

    /// After a step refused: more damping, or where that only hides the step, the steepest descent, or the end.
    fn refused(&mut self, isa: Isa, invisible: bool) -> Option<Stop> {
        if !invisible {
            return None;
        }
        if self.progress.since_restart == 0 {
            return Some(if self.promised { Stop::LineSearch } else { Stop::Decrease });
        }
        // What the damping grew to hid the step; of the new direction it says nothing.
        self.progress.lambda = self.options.lambda;
        self.restart(isa);
        None
    }

    fn restart(&mut self, isa: Isa) {
        self.steepest(isa);
        (self.progress.since_restart, self.fresh) = (0, true);
    }

    fn steepest(&mut self, isa: Isa) {
        self.direction.copy_from_slice(&self.grad);
        vector::scale(isa, T::from_f64(-1.0), &mut self.direction);
    }

    /// Puts the point at `step` along the direction into `trial`.
    fn move_along(&mut self, isa: Isa, params: &[T], step: f64) {
        self.trial.copy_from_slice(params);
        vector::axpy(isa, T::from_f64(step), &self.direction, &mut self.trial);
    }
}

impl<T: Vectorized> Minimiser<T> for Scg<T> {
    fn advance<'p>(
        &mut self,
        isa: Isa,
        params: &'p mut [T],
        objective: &mut Objective<'_, T>,
    ) -> Result<ControlFlow<Stop, Iteration<'p, T>>> {
        check_length(params, &self.grad)?;
        if !self.begun {
            let value = begin(params, &mut self.grad, objective)?;
            self.progress = Progress { evaluations: 1, value, lambda: self.options.lambda, ..Progress::default() };
            self.restart(isa);
            (self.largest, self.begun) = (largest(&self.grad), true);
        }
        loop {
            let Progress { iterations, evaluations, .. } = self.progress;
            let round = if self.largest <= self.options.gradient_tolerance {
                Round::Stopped(Stop::Gradient)
            } else if iterations >= self.options.max_iterations {
                Round::Stopped(Stop::IterationLimit)
            } else if evaluations + 2 > self.options.max_evaluations {
                // A round takes up to two.
                Round::Stopped(Stop::EvaluationLimit)
            } else {
                self.round(isa, params, objective)?
            };
            match round {
                Round::Refused => {}
                Round::Stopped(stop) => return Ok(ControlFlow::Break(stop)),
                Round::Moved(step) => {
                    let Progress { iterations: number, evaluations, value, .. } = self.progress;
                    let gradient = self.largest;
                    return Ok(ControlFlow::Continue(Iteration { number, value, gradient, step, evaluations, params }));
                }
            }
        }
    }

    fn report(&self, stopped: Stop) -> Report {
        let Progress { iterations, evaluations, value, .. } = self.progress;
        Report { stopped, iterations, evaluations, value, gradient: self.largest }
    }
}
