//! Scaled conjugate gradients: conjugate directions whose step length comes from curvature, not from a line search.
//!
//! Each iteration measures the curvature along its direction by one difference of gradients, adds a damping `lambda` where it is
//! not positive, and takes the quadratic model's own step; how well the model foretold the value decides the next `lambda`. Two
//! evaluations an iteration, whatever the objective does. Begin reading at [`Scg::minimize`].
//!
//! **Source**: Moller 1993 (Neural Networks 6, 525-533), whose constants and names these are. Three things the paper leaves open
//! are settled here: it restarts after as many *accepted* steps as there are parameters (a step refused uses up no direction);
//! a value or gradient that is not finite is a step refused; and it ends where rounding hides what is left.
//!
//! Row 5 of the house: imports `kernel`, `simd` and `error`.

use super::history::dot;
use super::minimum::{Iteration, Report, Stop, begin, largest, rounding};
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
    /// The rounding error of `T`, below which differences tell nothing.
    rounding: f64,
}

/// What an iteration hands to the next.
struct State {
    /// The damping, and what of it the last direction's curvature has in it already (the paper's lambda with a bar).
    lambda: f64,
    /// The curvature along the direction, damped; and without damping.
    curvature: f64,
    /// Whether the curvature is that of a new direction, to be measured.
    fresh: bool,
    /// Accepted steps since the direction was the steepest.
    since_restart: usize,
    /// Whether the first trial from this point promised more than rounding.
    promised: bool,
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
        options.check()?;
        let buffer = || zeros(len, 1, "scaled conjugate gradients");
        Ok(Self {
            options,
            direction: buffer()?,
            grad: buffer()?,
            trial: buffer()?,
            trial_grad: buffer()?,
            rounding: rounding::<T>(),
        })
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
        mut observe: impl FnMut(&Iteration<'_, T>) -> ControlFlow<()>,
    ) -> Result<Report> {
        let mut report = begin(params, &mut self.grad, &mut objective)?;
        let mut state =
            State { lambda: self.options.lambda, curvature: 0.0, fresh: true, since_restart: 0, promised: false };
        self.steepest(isa);
        report.stopped = loop {
            if report.gradient <= self.options.gradient_tolerance {
                break Stop::Gradient;
            }
            if report.iterations >= self.options.max_iterations {
                break Stop::IterationLimit;
            }
            // A round takes up to two.
            if report.evaluations + 2 > self.options.max_evaluations {
                break Stop::EvaluationLimit;
            }
            if let Some(stop) = self.round(isa, params, &mut report, &mut state, &mut objective, &mut observe)? {
                break stop;
            }
        };
        Ok(report)
    }

    /// One round of the paper's: curvature, step, comparison. Says why to stop, if there is a reason.
    fn round(
        &mut self,
        isa: Isa,
        params: &mut [T],
        report: &mut Report,
        state: &mut State,
        objective: &mut impl FnMut(&[T], &mut [T]) -> Result<f64>,
        observe: &mut impl FnMut(&Iteration<'_, T>) -> ControlFlow<()>,
    ) -> Result<Option<Stop>> {
        let length = dot(isa, &self.direction, &self.direction);
        let slope = -dot(isa, &self.grad, &self.direction);
        // A slope below 0 makes a step backwards, which is as good.
        if slope == 0.0 || !slope.is_finite() || length == 0.0 || !length.is_finite() {
            // Rounding, or numbers whose squares overflow: nothing better than the steepest descent is known.
            if state.since_restart == 0 {
                return Ok(Some(if slope == 0.0 || length == 0.0 { Stop::Decrease } else { Stop::LineSearch }));
            }
            self.restart(isa, state);
            return Ok(None);
        }
        if state.fresh {
            let distance = self.options.sigma.max(if self.rounding > 1e-10 { self.rounding.sqrt() } else { 0.0 });
            let sigma = distance / length.sqrt();
            self.move_along(isa, params, sigma);
            report.evaluations += 1;
            let value = objective(&self.trial, &mut self.trial_grad)?;
            let change = dot(isa, &self.trial_grad, &self.direction) + slope;
            // What is not finite so near by says nothing of the curvature; the damping alone makes the step.
            let finite = value.is_finite() && change.is_finite();
            state.curvature = if finite { change / sigma } else { 0.0 };
        }
        let mut damped = state.curvature + state.lambda * length;
        if damped <= 0.0 {
            // The paper's: a damping of twice what would make it 0.
            let raised = 2.0 * (state.lambda - damped / length);
            damped = state.lambda * length - damped;
            state.lambda = raised;
        }
        let step = slope / damped;
        // Half the fall that the model foretells, below which the values' rounding hides it.
        let invisible = 0.5 * slope * step <= self.rounding * report.value.abs();
        if state.fresh {
            state.promised = !invisible;
        }
        self.move_along(isa, params, step);
        report.evaluations += 1;
        let value = objective(&self.trial, &mut self.trial_grad)?;
        let finite = value.is_finite() && vector::all_finite(isa, &self.trial_grad);
        let comparison = if finite { 2.0 * damped * (report.value - value) / (slope * slope) } else { -1.0 };
        let accepted = finite && value <= report.value && comparison >= 0.0;
        if comparison < POOR || !accepted {
            state.lambda += damped * (1.0 - comparison) / length;
        } else if comparison >= GOOD {
            state.lambda *= SHRINK;
        }
        if !accepted || value == report.value {
            state.fresh = false;
            return Ok(self.refused(isa, invisible, state));
        }

        let new = dot(isa, &self.trial_grad, &self.trial_grad);
        let across = dot(isa, &self.trial_grad, &self.grad);
        params.copy_from_slice(&self.trial);
        std::mem::swap(&mut self.grad, &mut self.trial_grad);
        state.since_restart += 1;
        if state.since_restart >= self.grad.len() {
            self.restart(isa, state);
        } else {
            // p <- r + beta p, with r the negative gradient.
            vector::scale(isa, T::from_f64((new - across) / slope), &mut self.direction);
            vector::axpy(isa, T::from_f64(-1.0), &self.grad, &mut self.direction);
        }
        state.fresh = true;
        report.iterations += 1;
        report.value = value;
        report.gradient = largest(&self.grad);
        let seen = observe(&Iteration {
            number: report.iterations,
            value,
            gradient: report.gradient,
            step,
            evaluations: report.evaluations,
            params,
        });
        Ok(seen.is_break().then_some(Stop::Observer))
    }

    /// After a step refused: more damping, or where that only hides the step, the steepest descent, or the end.
    fn refused(&mut self, isa: Isa, invisible: bool, state: &mut State) -> Option<Stop> {
        if !invisible {
            return None;
        }
        if state.since_restart == 0 {
            return Some(if state.promised { Stop::LineSearch } else { Stop::Decrease });
        }
        // What the damping grew to hid the step; of the new direction it says nothing.
        state.lambda = self.options.lambda;
        self.restart(isa, state);
        None
    }

    fn restart(&mut self, isa: Isa, state: &mut State) {
        self.steepest(isa);
        (state.since_restart, state.fresh) = (0, true);
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
