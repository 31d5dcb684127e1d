//! L-BFGS: Newton's method with a curvature learnt from the last few steps.
//!
//! Each iteration asks `history.rs` for a direction and `line_search.rs` for a step along it. Begin reading at
//! [`Lbfgs::advance`](super::Minimiser::advance).
//!
//! **Source**: Liu and Nocedal 1989. Defaults are those of SciPy's L-BFGS-B, iterations those of scikit-learn.

use super::history::{History, dot};
use super::line_search::{Point, Wolfe, search};
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

/// When to stop, and what to remember.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How many steps are remembered.
    pub history: usize,
    /// Most iterations; scikit-learn's `max_iter`.
    pub max_iterations: usize,
    /// Most evaluations of the objective; scikit-learn's `max_fun`.
    pub max_evaluations: usize,
    /// Most evaluations along one direction; SciPy's `maxls`.
    pub max_search_evaluations: usize,
    /// Small enough a gradient: every component's absolute value is at most this. SciPy's `gtol`, into which
    /// scikit-learn puts its `tol`, 1e-4 by default.
    pub gradient_tolerance: f64,
    /// Small enough a decrease: `(before - after) / max(|before|, |after|, 1)` is at most this. SciPy's `ftol`, 1e7
    /// times the `f64` epsilon, which scikit-learn leaves as it is. 0 stops only where the value falls no more.
    pub function_tolerance: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            history: 10,
            max_iterations: 200,
            max_evaluations: 15_000,
            max_search_evaluations: 20,
            gradient_tolerance: 1e-5,
            function_tolerance: 1e7 * f64::EPSILON,
        }
    }
}

impl Options {
    /// The longest history that makes sense: beyond some tens it costs more than it tells.
    const MOST_HISTORY: usize = 1000;

    /// Whether every option is in its range.
    ///
    /// **Errors** name the first that is not.
    pub fn check(&self) -> Result<()> {
        if !(1..=Self::MOST_HISTORY).contains(&self.history) {
            return Err(Error::setting("history", format!("1 to {}", Self::MOST_HISTORY), self.history));
        }
        let counts =
            [("max_evaluations", self.max_evaluations), ("max_search_evaluations", self.max_search_evaluations)];
        if let Some((name, found)) = counts.into_iter().find(|&(_, count)| count == 0) {
            return Err(Error::setting(name, "at least 1", found));
        }
        for (name, found) in
            [("gradient_tolerance", self.gradient_tolerance), ("function_tolerance", self.function_tolerance)]
        {
            if !(found >= 0.0 && found.is_finite()) {
                return Err(Error::setting(name, "a finite number, at least 0", found));
            }
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
    /// The objective where it stands.
    pub value: f64,
    /// Whether the last iteration gained no more than the tolerance.
    pub exhausted: bool,
    /// Pairs of moves and changes remembered.
    pub pairs: usize,
    /// Which of the history's places the next pair takes, from 0.
    pub next: usize,
}

/// All that a minimisation needs, beside the parameters, to go on between two iterations with the same bits: borrowed from
/// [`Lbfgs::state`], given to [`Lbfgs::resume`]. The line search remembers nothing from one to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct State<B> {
    /// The gradient where it stands: as many numbers as parameters.
    pub gradient: B,
    /// The moves remembered, one after the other: [`history`](Options::history) times as many.
    pub moves: B,
    /// How the gradient changed along each: as many.
    pub changes: B,
    /// Counts and values.
    pub progress: Progress,
}

/// A minimiser for `len` parameters, with all the memory that it will need.
///
/// ```
/// use deltarule::{optim::{Lbfgs, lbfgs::Options}, simd::Isa};
/// use std::ops::ControlFlow::Continue;
///
/// let mut params = [-1.2, 1.0];
/// let rosenbrock = |p: &[f64], grad: &mut [f64]| {
///     let (a, b) = (1.0 - p[0], p[1] - p[0] * p[0]);
///     grad.copy_from_slice(&[-2.0 * a - 400.0 * p[0] * b, 200.0 * b]);
///     Ok(a * a + 100.0 * b * b)
/// };
/// let report = Lbfgs::new(2, Options::default())?
///     .minimize(Isa::current(), &mut params, rosenbrock, |_| Continue(()))?;
/// assert!(report.stopped.converged() && (params[0] - 1.0).abs() < 1e-4);
/// # Ok::<(), deltarule::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lbfgs<T> {
    options: Options,
    history: History<T>,
    direction: Vec<T>,
    grad: Vec<T>,
    trial: Vec<T>,
    trial_grad: Vec<T>,
    /// All but what the history knows of itself.
    progress: Progress,
    /// The largest absolute value in `grad`.
    largest: f64,
    /// Whether there is a point to go on from.
    begun: bool,
    /// The rounding error of `T`, below which differences tell nothing.
    rounding: f64,
}

impl<T: Vectorized> Lbfgs<T> {
    /// c1 and c2 of the Wolfe conditions: the values of Nocedal and Wright for quasi-Newton methods.
    const WOLFE: (f64, f64) = (1e-4, 0.9);

    /// A minimiser for `len` parameters.
    ///
    /// **Errors** if an option is outside its range or memory is short: it needs `2 history + 4` times that of the
    /// parameters.
    pub fn new(len: usize, options: Options) -> Result<Self> {
        options.check()?;
        Self::of(options, History::new(len, options.history)?, zeros(len, 1, "L-BFGS")?)
    }

    /// A minimiser that goes on from `state`, with the parameters where that was taken.
    ///
    /// **Errors** as [`new`](Self::new); if a buffer has another length or holds a number that is not finite, a pair has no positive
    /// curvature, or a number of the progress is none that a minimisation comes to.
    pub fn resume(isa: Isa, options: Options, state: State<Vec<T>>) -> Result<Self> {
        options.check()?;
        let State { gradient, moves, changes, progress } = state;
        check_buffer("L-BFGS's gradient", &gradient, gradient.len())?;
        check_number("L-BFGS's value", progress.value.is_finite(), "a finite number", progress.value)?;
        check_number("L-BFGS's evaluations", progress.evaluations > 0, "at least 1", 0)?;
        let ring = (progress.pairs, progress.next);
        let history = History::resume(isa, gradient.len(), options.history, (moves, changes), ring)?;
        let largest = largest(&gradient);
        Ok(Self { progress, largest, begun: true, ..Self::of(options, history, gradient)? })
    }

    fn of(options: Options, history: History<T>, grad: Vec<T>) -> Result<Self> {
        let buffer = || zeros(grad.len(), 1, "L-BFGS");
        Ok(Self {
            options,
            history,
            direction: buffer()?,
            trial: buffer()?,
            trial_grad: buffer()?,
            grad,
            progress: Progress::default(),
            largest: 0.0,
            begun: false,
            rounding: rounding::<T>(),
        })
    }

    /// All that a minimisation needs to go on from here, beside the parameters. Of use between two iterations.
    pub fn state(&self) -> State<&[T]> {
        let ((moves, changes), (pairs, next)) = (self.history.pairs(), self.history.ring());
        State { gradient: &self.grad, moves, changes, progress: Progress { pairs, next, ..self.progress } }
    }

    /// Minimises `objective`, which writes its gradient and gives its value, from `params` on. Allocates nothing.
    ///
    /// A value or gradient that is not finite makes the step shorter. Where the line search fails, the history is
    /// dropped and the steepest descent tried, once. The value never rises from one accepted point to the next, and the
    /// number of evaluations is bounded, whatever the objective does.
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

    /// The reason to stop where it stands, if there is one.
    fn limit(&self) -> Option<Stop> {
        let Progress { iterations, evaluations, exhausted, .. } = self.progress;
        if self.largest <= self.options.gradient_tolerance {
            Some(Stop::Gradient)
        } else if exhausted {
            Some(Stop::Decrease)
        } else if iterations >= self.options.max_iterations {
            Some(Stop::IterationLimit)
        } else if evaluations >= self.options.max_evaluations {
            Some(Stop::EvaluationLimit)
        } else {
            None
        }
    }

    /// Direction and line search: the point that it gives, in `trial`, or why there is none.
    fn find_step(
        &mut self,
        isa: Isa,
        params: &[T],
        objective: &mut Objective<'_, T>,
    ) -> Result<ControlFlow<Stop, Point>> {
        loop {
            let slope = self.choose_direction(isa, self.progress.iterations == 0);
            let start = Point { step: 0.0, value: self.progress.value, slope };
            if let Some(point) = self.search(isa, params, start, objective)? {
                return Ok(ControlFlow::Continue(point));
            }
            // A search keeps one evaluation back.
            if self.progress.evaluations + 1 >= self.options.max_evaluations {
                return Ok(ControlFlow::Break(Stop::EvaluationLimit));
            }
            if self.history.is_empty() {
                // What the slope promises over the first trial is less than values of this size can show.
                let invisible = -slope <= self.rounding * start.value.abs().max(1.0);
                return Ok(ControlFlow::Break(if invisible { Stop::Decrease } else { Stop::LineSearch }));
            }
            self.history.clear();
        }
    }

    /// Sets the direction and gives the slope along it, which is negative.
    ///
    /// Without a history, or where rounding has spoilt what it says, it is the steepest descent. Nothing is known of
    /// its scale, so the first trial moves the parameters by 1 (as SciPy does), and in a restart, near a minimum
    /// perhaps, by no more than the gradient.
    fn choose_direction(&mut self, isa: Isa, first: bool) -> f64 {
        if !self.history.is_empty() {
            self.history.descend(isa, &self.grad, &mut self.direction);
            let slope = dot(isa, &self.grad, &self.direction);
            if slope < 0.0 && slope.is_finite() && vector::all_finite(isa, &self.direction) {
                return slope;
            }
            self.history.clear();
        }
        // In units of the largest component, whose square cannot overflow.
        let unit = largest(&self.grad);
        let length = unit * self.grad.iter().map(|g| (g.real() / unit).powi(2)).sum::<f64>().sqrt();
        self.direction.copy_from_slice(&self.grad);
        let factor = if first { 1.0 / length } else { (1.0 / length).min(1.0) };
        vector::scale(isa, T::from_f64(-factor), &mut self.direction);
        dot(isa, &self.grad, &self.direction)
    }

    /// Looks along the direction; leaves the point that it gives in `trial` and `trial_grad`.
    fn search(
        &mut self,
        isa: Isa,
        params: &[T],
        start: Point,
        objective: &mut Objective<'_, T>,
    ) -> Result<Option<Point>> {
        let left = self.options.max_evaluations - self.progress.evaluations;
        let wolfe = Wolfe {
            decrease: Self::WOLFE.0,
            curvature: Self::WOLFE.1,
            evaluations: left.min(self.options.max_search_evaluations),
            rounding: self.rounding,
        };
        search(start, 1.0, wolfe, |step| {
            self.progress.evaluations += 1;
            self.trial.copy_from_slice(params);
            vector::axpy(isa, T::from_f64(step), &self.direction, &mut self.trial);
            let value = objective(&self.trial, &mut self.trial_grad)?;
            Ok(Point { step, value, slope: dot(isa, &self.trial_grad, &self.direction) })
        })
    }
}

impl<T: Vectorized> Minimiser<T> for Lbfgs<T> {
    fn advance<'p>(
        &mut self,
        isa: Isa,
        params: &'p mut [T],
        objective: &mut Objective<'_, T>,
    ) -> Result<ControlFlow<Stop, Iteration<'p, T>>> {
        check_length(params, &self.grad)?;
        if !self.begun {
            self.history.clear();
            let value = begin(params, &mut self.grad, objective)?;
            self.progress = Progress { evaluations: 1, value, ..Progress::default() };
            (self.largest, self.begun) = (largest(&self.grad), true);
        }
        if let Some(stop) = self.limit() {
            return Ok(ControlFlow::Break(stop));
        }
        let point = match self.find_step(isa, params, objective)? {
            ControlFlow::Continue(point) => point,
            ControlFlow::Break(stop) => return Ok(ControlFlow::Break(stop)),
        };
        self.history.push(isa, self.rounding, (params, &self.grad), (&self.trial, &self.trial_grad));
        params.copy_from_slice(&self.trial);
        self.grad.copy_from_slice(&self.trial_grad);
        let Progress { iterations, value, exhausted, .. } = &mut self.progress;
        let gain = *value - point.value;
        let scale = value.abs().max(point.value.abs()).max(1.0);
        *exhausted = gain <= self.options.function_tolerance * scale;
        *iterations += 1;
        *value = point.value;
        self.largest = largest(&self.grad);
        Ok(ControlFlow::Continue(Iteration {
            number: self.progress.iterations,
            value: point.value,
            gradient: self.largest,
            step: point.step,
            evaluations: self.progress.evaluations,
            params,
        }))
    }

    fn report(&self, stopped: Stop) -> Report {
        let Progress { iterations, evaluations, value, .. } = self.progress;
        Report { stopped, iterations, evaluations, value, gradient: self.largest }
    }
}
