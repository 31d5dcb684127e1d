//! Rprop: each parameter has a step of its own, which grows while its slope keeps its sign and shrinks where it changes.
//!
//! Only signs of the gradient count, so the method knows no learning rate and no scale; it needs the gradient of all rows, for
//! the sign of a mini-batch's is noise. Begin reading at
//! [`Rprop::advance`](super::Minimiser::advance), then [`Rprop::adapt`].
//!
//! **Source**: Riedmiller and Braun 1993; both variants here are those of Igel and Huesken 2000 and 2003, "Empirical evaluation of the
//! improved Rprop learning algorithms". FANN's default method is iRPROP-; PyTorch's Rprop is iRPROP-, too.
//!
//! Row 5 of the house: imports `kernel`, `simd` and `error`.

use super::minimum::{Iteration, Minimiser, Objective, Report, Stop, begin, check_buffer, check_length, largest, lead};
use super::zeros;
use crate::error::{Error, Result};
use crate::kernel::vector;
use crate::simd::{Isa, Vectorized};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// What becomes of a parameter whose slope has changed its sign: it has jumped over a minimum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// iRPROP+: its last step is taken back if the objective rose; else it stays.
    #[default]
    Plus,
    /// iRPROP-: it stays where it is.
    Minus,
}

/// How steps change, and when to stop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// iRPROP+ by default, the papers' recommendation. Neither is always ahead: a network that learns exclusive or took iRPROP+ 578
    /// iterations to a gradient of 1e-5, and iRPROP- 369 (means of six trainings in `tests/rprop.rs`).
    pub variant: Variant,
    /// The factor on a step where the slope has changed its sign, between 0 and 1: 0.5, as everywhere.
    pub eta_minus: f64,
    /// The factor on a step where the slope has kept its sign, above 1: 1.2, as everywhere.
    pub eta_plus: f64,
    /// The first step of each parameter: 0.0125, the papers' value; FANN and Riedmiller have 0.1, as large as the weights that a
    /// network begins with. Twelve iterations lead from one to the other.
    pub initial_step: f64,
    /// The least step: 0, as in the papers and in FANN (PyTorch's is 1e-6, beyond which no minimum is found). What is smaller than
    /// the smallest normal number of the type is that number, or a step could never grow again.
    pub min_step: f64,
    /// The largest step: 50, as everywhere.
    pub max_step: f64,
    /// Most iterations, those before a [`resume`](Rprop::resume) included.
    pub max_iterations: usize,
    /// Small enough a gradient: every component's absolute value is at most this, at the lowest point so far.
    pub gradient_tolerance: f64,
    /// Small enough a decrease, over `patience` iterations: `(before - after) / max(|before|, |after|, 1)` is at most this. The value
    /// of L-BFGS. 0 stops only where the value falls no more.
    pub function_tolerance: f64,
    /// For how many iterations the lowest value may fall no more than that. The objective rises now and then, and what a step
    /// that jumped too far has to shrink takes an iteration for each halving: in 20, it shrinks to a millionth, and grows by 38.
    pub patience: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            variant: Variant::default(),
            eta_minus: 0.5,
            eta_plus: 1.2,
            initial_step: 0.0125,
            min_step: 0.0,
            max_step: 50.0,
            max_iterations: 1000,
            gradient_tolerance: 1e-5,
            function_tolerance: 1e7 * f64::EPSILON,
            patience: 20,
        }
    }
}

impl Options {
    /// Whether every option is in its range.
    ///
    /// **Errors** name the first that is not.
    pub fn check(&self) -> Result<()> {
        self.check_as(|value| value)
    }

    /// [`check`](Self::check) of the options as they are once `rounded` to the type of the parameters.
    fn check_as(&self, rounded: impl Fn(f64) -> f64) -> Result<()> {
        let (min, max) = (rounded(self.min_step), rounded(self.max_step));
        let (minus, plus, initial) = (rounded(self.eta_minus), rounded(self.eta_plus), rounded(self.initial_step));
        let between =
            format!("a number above 0, from min_step to max_step ({min} to {max}), in the type of the parameters");
        let tolerance = "a finite number, at least 0";
        let (gradient, function) = (self.gradient_tolerance, self.function_tolerance);
        for (name, inside, expected, found) in [
            ("eta_minus", minus > 0.0 && minus < 1.0, "a number between 0 and 1 in the type of the parameters", minus),
            ("eta_plus", plus > 1.0 && plus.is_finite(), "a number above 1 in the type of the parameters", plus),
            ("min_step", min >= 0.0 && min.is_finite(), tolerance, min),
            ("max_step", max > 0.0 && max.is_finite(), "a finite number above 0 in the type of the parameters", max),
            ("initial_step", initial > 0.0 && (min..=max).contains(&initial), &between, initial),
            ("gradient_tolerance", gradient >= 0.0 && gradient.is_finite(), tolerance, gradient),
            ("function_tolerance", function >= 0.0 && function.is_finite(), tolerance, function),
        ] {
            if !inside {
                return Err(Error::setting(name, expected, found));
            }
        }
        if self.patience == 0 {
            return Err(Error::setting("patience", "at least 1 iteration", 0));
        }
        Ok(())
    }
}

/// How far a minimisation has come, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Iterations done.
    pub iterations: usize,
    /// Evaluations of the objective.
    pub evaluations: usize,
    /// The objective at the point before the last step.
    pub previous_value: f64,
    /// The least value so far.
    pub best_value: f64,
    /// The largest absolute value in the gradient there.
    pub best_gradient: f64,
    /// What the least value is held against: it has fallen by less than the tolerance since.
    pub reference: f64,
    /// The iterations since then.
    pub stalled: usize,
}

/// All that a minimisation needs to go on with the same bits: borrowed from [`Rprop::state`], given to [`Rprop::resume`].
///
/// Each buffer has as many numbers as there are parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct State<B> {
    /// Where the walk stands; the lowest point may be another.
    pub params: B,
    /// The lowest point so far.
    pub best: B,
    /// The step of each parameter.
    pub steps: B,
    /// The gradient before the last step, 0 where its sign had changed.
    pub gradient: B,
    /// The last step, with its sign.
    pub moves: B,
    /// Counts and values.
    pub progress: Progress,
}

/// A minimiser for `len` parameters, with all the memory that it will need.
///
/// ```
/// use deltarule::{optim::{Rprop, rprop::Options}, simd::Isa};
/// use std::ops::ControlFlow::Continue;
///
/// let mut params = [-1.2, 1.0];
/// let valley = |p: &[f64], grad: &mut [f64]| {
///     grad.copy_from_slice(&[p[0] - 3.0, 100.0 * p[1]]);
///     Ok(0.5 * (p[0] - 3.0).powi(2) + 50.0 * p[1] * p[1])
/// };
/// let report = Rprop::new(2, Options::default())?.minimize(Isa::current(), &mut params, valley, |_| Continue(()))?;
/// assert!(report.stopped.converged() && (params[0] - 3.0).abs() < 1e-4);
/// # Ok::<(), deltarule::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rprop<T> {
    options: Options,
    /// The gradient at the point that was evaluated last.
    grad: Vec<T>,
    /// The objective there.
    value: f64,
    /// The state; `params` is the point before the step that is being tried, and between iterations where the walk stands.
    state: State<Vec<T>>,
    known: Known,
}

/// What is known where the walk stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    /// Nothing: it has not begun, or failed.
    Nothing,
    /// The state, but neither the value nor the gradient, which are to be evaluated again.
    State,
    /// All.
    Gradient,
}

impl<T: Vectorized> Rprop<T> {
    /// How many numbers it holds for each parameter.
    pub const BUFFERS: usize = 6;
    /// How often a step into what is not finite is halved: the largest step, 50, is then 2^-60 of itself, less than the rounding
    /// of any parameter from 1 on.
    const MOST_HALVINGS: i32 = 60;

    /// A minimiser for `len` parameters.
    ///
    /// **Errors** if an option is outside its range, also after rounding to `T`, or memory is short: it needs [`BUFFERS`](Self::BUFFERS) times
    /// that of the parameters.
    pub fn new(len: usize, options: Options) -> Result<Self> {
        let buffer = || zeros(len, 1, "Rprop");
        let (params, best, steps, gradient, moves) = (buffer()?, buffer()?, buffer()?, buffer()?, buffer()?);
        let state = State { params, best, steps, gradient, moves, progress: Progress::default() };
        Self::of(options, state, Known::Nothing)
    }

    /// A minimiser that goes on from `state` where [`proceed`](Self::proceed) is called.
    ///
    /// **Errors** as [`new`](Self::new); if the buffers differ in length, hold a number that is not finite or a step that is
    /// negative; if a value in the progress is not finite.
    pub fn resume(options: Options, state: State<Vec<T>>) -> Result<Self> {
        let len = state.params.len();
        for (name, buffer) in [
            ("Rprop's parameters", &state.params),
            ("Rprop's best parameters", &state.best),
            ("Rprop's steps", &state.steps),
            ("Rprop's gradient", &state.gradient),
            ("Rprop's moves", &state.moves),
        ] {
            check_buffer(name, buffer, len)?;
        }
        if let Some(index) = state.steps.iter().position(|step| *step < T::ZERO) {
            let (name, found) = (format!("Rprop's steps at index {index}"), state.steps[index].real());
            return Err(Error::setting(name, "a finite number, at least 0", found));
        }
        let Progress { previous_value, best_value, best_gradient, reference, .. } = state.progress;
        if let Some(value) = [previous_value, best_value, best_gradient, reference].into_iter().find(|v| !v.is_finite())
        {
            return Err(Error::setting("Rprop's progress", "finite values", value));
        }
        Self::of(options, state, Known::State)
    }

    fn of(options: Options, state: State<Vec<T>>, known: Known) -> Result<Self> {
        options.check_as(|value| T::from_f64(value).real())?;
        Ok(Self { options, grad: zeros(state.params.len(), 1, "Rprop")?, value: 0.0, state, known })
    }

    /// All that a minimisation needs to go on from here. Of use between two iterations.
    pub fn state(&self) -> State<&[T]> {
        let State { params, best, steps, gradient, moves, progress } = &self.state;
        State { params, best, steps, gradient, moves, progress: *progress }
    }

    /// The options.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Minimises `objective`, which writes its gradient and gives its value, from `params` on. Allocates nothing.
    ///
    /// The value may rise from one iteration to the next; the lowest point is kept. A value or gradient that is not finite takes the
    /// step back and halves it with all steps, at most 60 times, after which it stops with [`Stop::NotFinite`]. An observer sees
    /// where the walk stands, which need not be the lowest point, and as [`Iteration::step`] the share of the step that was taken.
    ///
    /// **Overwrites** `params` with the lowest point, also where it returns an error.
    ///
    /// **Determinism**: as the objective's; the same bits on every instruction set.
    ///
    /// **Errors** of `objective`; if `params` has another length than [`new`](Self::new) was told; if the start, its value or its
    /// gradient is not finite.
    pub fn minimize(
        &mut self,
        isa: Isa,
        params: &mut [T],
        objective: impl FnMut(&[T], &mut [T]) -> Result<f64>,
        observe: impl FnMut(&Iteration<'_, T>) -> ControlFlow<()>,
    ) -> Result<Report> {
        self.known = Known::Nothing;
        self.proceed(isa, params, objective, observe)
    }

    /// [`minimize`](Self::minimize) that goes on where the last call stopped, or where [`resume`](Self::resume) was told, with the
    /// same bits as one that never stopped; after an error, or in a new minimiser, it begins at `params`.
    ///
    /// The objective is evaluated again where the walk stands, which is not counted. What `params` held is of no account then.
    ///
    /// **Errors** as [`minimize`](Self::minimize).
    pub fn proceed(
        &mut self,
        isa: Isa,
        params: &mut [T],
        mut objective: impl FnMut(&[T], &mut [T]) -> Result<f64>,
        observe: impl FnMut(&Iteration<'_, T>) -> ControlFlow<()>,
    ) -> Result<Report> {
        check_length(params, &self.grad)?;
        if self.known == Known::Gradient {
            self.known = Known::State;
        }
        lead(self, isa, params, &mut objective, observe)
    }

    /// Evaluates the objective where the walk begins or goes on.
    fn start(&mut self, isa: Isa, params: &mut [T], objective: &mut Objective<'_, T>) -> Result<()> {
        let goes_on = std::mem::replace(&mut self.known, Known::Nothing) == Known::State;
        if goes_on {
            params.copy_from_slice(&self.state.params);
        } else {
            self.state.best.copy_from_slice(params);
            self.state.params.copy_from_slice(params);
        }
        if !vector::all_finite(isa, params) {
            let index = params.iter().position(|p| !p.is_finite()).unwrap_or_default();
            let name = format!("the parameter at the start, index {index}");
            return Err(Error::setting(name, "a finite number", params[index].real()));
        }
        let value = begin(params, &mut self.grad, objective)?;
        self.value = value;
        if !goes_on {
            self.state.steps.fill(T::from_f64(self.options.initial_step));
            self.state.gradient.fill(T::ZERO);
            self.state.moves.fill(T::ZERO);
            self.state.progress = Progress {
                iterations: 0,
                evaluations: 1,
                previous_value: value,
                best_value: value,
                best_gradient: largest(&self.grad),
                reference: value,
                stalled: 0,
            };
        }
        Ok(())
    }

    /// The new steps, and what they make of the gradient; `rose` says whether the last ones raised the objective.
    fn adapt(&mut self, rose: bool) {
        let Options { variant, eta_minus, eta_plus, min_step, max_step, .. } = self.options;
        let (minus, plus, most) = (T::from_f64(eta_minus), T::from_f64(eta_plus), T::from_f64(max_step));
        let least = least_step::<T>(min_step);
        let takes_back = variant == Variant::Plus && rose;
        let State { steps, gradient, moves, .. } = &mut self.state;
        let own = steps.iter_mut().zip(gradient).zip(moves);
        for (((step, before), last), &grad) in own.zip(&self.grad) {
            let (up, down) = (grad > T::ZERO, grad < T::ZERO);
            // Signs, not the product, which underflows.
            if (up && *before < T::ZERO) || (down && *before > T::ZERO) {
                *step = larger(*step * minus, least);
                *last = if takes_back { -*last } else { T::ZERO };
                // The next slope has no sign to keep: it sets out anew with the smaller step.
                *before = T::ZERO;
            } else {
                if (up && *before > T::ZERO) || (down && *before < T::ZERO) {
                    let grown = *step * plus;
                    *step = if grown < most { grown } else { most };
                }
                *last = if up {
                    -*step
                } else if down {
                    *step
                } else {
                    T::ZERO
                };
                *before = grad;
            }
        }
    }

    /// Takes the step, or as much of it as leads to finite numbers; the value there and the share of the step.
    fn take(&mut self, isa: Isa, params: &mut [T], objective: &mut Objective<'_, T>) -> Result<Option<(f64, f64)>> {
        let (half, least) = (T::from_f64(0.5), least_step::<T>(self.options.min_step));
        let State { params: before, steps, moves, progress, .. } = &mut self.state;
        before.copy_from_slice(params);
        for halvings in 0..=Self::MOST_HALVINGS {
            vector::add(isa, moves, params);
            let value = objective(params, &mut self.grad)?;
            progress.evaluations = progress.evaluations.saturating_add(1);
            if value.is_finite() && vector::all_finite(isa, &self.grad) && vector::all_finite(isa, params) {
                return Ok(Some((value, 0.5f64.powi(halvings))));
            }
            params.copy_from_slice(before);
            vector::scale(isa, half, moves);
            steps.iter_mut().for_each(|step| *step = larger(*step * half, least));
        }
        Ok(None)
    }

    /// Counts an iteration that led to `params`.
    fn count(&mut self, value: f64, gradient: f64, params: &[T]) {
        let progress = &mut self.state.progress;
        progress.iterations += 1;
        if value <= progress.best_value {
            (progress.best_value, progress.best_gradient) = (value, gradient);
            self.state.best.copy_from_slice(params);
        }
        let scale = progress.reference.abs().max(progress.best_value.abs()).max(1.0);
        if progress.reference - progress.best_value > self.options.function_tolerance * scale {
            (progress.reference, progress.stalled) = (progress.best_value, 0);
        } else {
            progress.stalled += 1;
        }
    }
}

impl<T: Vectorized> Minimiser<T> for Rprop<T> {
    fn advance<'p>(
        &mut self,
        isa: Isa,
        params: &'p mut [T],
        objective: &mut Objective<'_, T>,
    ) -> Result<ControlFlow<Stop, Iteration<'p, T>>> {
        check_length(params, &self.grad)?;
        if self.known != Known::Gradient {
            self.start(isa, params, objective)?;
        }
        self.known = Known::Gradient;
        let Progress { iterations, best_value, best_gradient, stalled, .. } = self.state.progress;
        // A gradient that vanishes higher up, on a plateau, is not what was looked for.
        if self.value <= best_value && best_gradient <= self.options.gradient_tolerance {
            return Ok(ControlFlow::Break(Stop::Gradient));
        } else if stalled >= self.options.patience {
            return Ok(ControlFlow::Break(Stop::Decrease));
        } else if iterations >= self.options.max_iterations {
            return Ok(ControlFlow::Break(Stop::IterationLimit));
        }
        // An error leaves a step half taken.
        self.known = Known::Nothing;
        self.adapt(self.value > self.state.progress.previous_value);
        let taken = self.take(isa, params, objective)?;
        let Some((value, step)) = taken else {
            self.known = Known::State;
            return Ok(ControlFlow::Break(Stop::NotFinite));
        };
        self.known = Known::Gradient;
        self.state.progress.previous_value = std::mem::replace(&mut self.value, value);
        let gradient = largest(&self.grad);
        self.count(value, gradient, params);
        self.state.params.copy_from_slice(params);
        let Progress { iterations: number, evaluations, .. } = self.state.progress;
        Ok(ControlFlow::Continue(Iteration { number, value, gradient, step, evaluations, params }))
    }

    /// The lowest point.
    fn settle(&self, params: &mut [T]) {
        params.copy_from_slice(&self.state.best);
    }

    fn report(&self, stopped: Stop) -> Report {
        let Progress { iterations, evaluations, best_value: value, best_gradient: gradient, .. } = self.state.progress;
        Report { stopped, iterations, evaluations, value, gradient }
    }
}

/// The least step of all, from which it can grow again.
fn least_step<T: Vectorized>(min_step: f64) -> T {
    T::from_f64(min_step.max(T::either(f64::from(f32::MIN_POSITIVE), f64::MIN_POSITIVE)))
}

fn larger<T: PartialOrd>(a: T, b: T) -> T {
    if a < b { b } else { a }
}
