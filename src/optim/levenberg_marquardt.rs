//! Levenberg-Marquardt: Newton's method with the curvature of a sum of squares, damped where its model fails.
//!
//! An iteration asks the [`Problem`] for its gradient `g` and its Gauss-Newton curvature `A` (for residuals `r` with Jacobian `J`,
//! `J'r` and `J'J`), and moves by `d + a`:
//!
//! ```text
//! (A + lambda D) d = -g            D: the largest diagonal of A so far, no element below a tenth of the largest
//! (A + lambda D) a = -c / 2        c: the gradient that the residuals' bend along d adds (geodesic acceleration)
//! ```
//!
//! A step that lowers the value and bends little is taken and `lambda` divided by 3, else `lambda` is doubled and the step tried
//! again. What these choices are worth, over seeds none of which is among those of any figure that is reported: by the whole
//! diagonal, a sine by ten units from Glorot's start, its inputs not scaled, came to 1e-10 within 300 iterations in 26 of 30 seeds
//! with acceleration and in none without. D is between Levenberg's identity and Marquardt's diagonal because either loses
//! somewhere: the diagonal moves units that have hardly any slope ever further (Friedman's first function by twenty units ended at
//! 0.9 in 120 iterations, by the identity at 1e-5); by the identity that sine was reached in none of 8 seeds. A floor of a tenth
//! serves both, of a hundredth fails in one of three. Factors of 1.5 and 5 took a sixth fewer iterations, but 4.5 trials in each
//! where 2 and 3 take 2.4.
//!
//! [`bayes`](super::bayes) adds a penalty that is found from the data. All is in `f64`: squared, the condition of `J` leaves nothing
//! of the 24 bits of an `f32`. Begin reading at [`LevenbergMarquardt::advance`].
//!
//! **Source**: Levenberg 1944; Marquardt 1963; the largest so far, More 1978; acceleration and "delayed gratification",
//! Transtrum and Sethna 2012 (arXiv:1201.5885).
//!
//! Row 5 of the house: imports `kernel`, `engine`, `threads`, `memory` and `error`.

use super::bayes::{Evidence, Regularisation, Rows};
use super::cholesky::Cholesky;
use super::minimum::{Iteration, Report, Stop, check_buffer, check_length, check_number, check_start, largest};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::kernel::vector;
use crate::memory::{require, zeros};
use crate::threads::Threads;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// What is minimised: a value with a gradient and a curvature that is never negative.
pub trait Problem {
    /// The value at `params`.
    fn value(&mut self, params: &[f64]) -> Result<f64>;

    /// The value, its gradient, and the lower triangle (diagonal included) of its Gauss-Newton curvature.
    ///
    /// **Shapes**: `params` and `gradient` of `n` numbers, `curvature` `n` x `n`, row-major. **Overwrites** both.
    fn model(&mut self, params: &[f64], gradient: &mut [f64], curvature: &mut [f64]) -> Result<f64>;

    /// The gradient `J' r''` that the second derivative of the residuals along `direction` stands for, at `params`; `false`, the
    /// default, if that is not known, and steps then go straight.
    ///
    /// **Overwrites** `gradient`. Called between [`model`](Self::model) at `params` and the next.
    fn bend(&mut self, params: &[f64], direction: &[f64], gradient: &mut [f64]) -> Result<bool> {
        let _ = (params, direction, gradient);
        Ok(false)
    }
}

/// When to stop, and how to damp.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Most iterations. A training takes its number of epochs instead.
    pub max_iterations: usize,
    /// The first damping, in units of the curvature's diagonal; MATLAB's `mu`, there in the unit of the data.
    pub damping: f64,
    /// What a step that is refused multiplies the damping by; above 1. MATLAB's `mu_inc`.
    pub raise: f64,
    /// What a step that is taken multiplies it by; above 0 and at most 1. MATLAB's `mu_dec`.
    pub lower: f64,
    /// The most that a step may bend: twice the length of `a` over that of `d`, in units of the diagonal; 0 goes straight.
    pub bend: f64,
    /// Small enough a gradient: every component's absolute value is at most this.
    pub gradient_tolerance: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_iterations: 1000,
            damping: 1e-3,
            raise: 2.0,
            lower: 1.0 / 3.0,
            bend: 0.75,
            // MATLAB's trainlm has 1e-7, where a fit of exact data still gains four digits.
            gradient_tolerance: 1e-10,
        }
    }
}

impl Options {
    /// Whether every option is in its range.
    ///
    /// **Errors** name the first that is not.
    pub fn check(&self) -> Result<()> {
        let checks = [
            ("damping", self.damping, self.damping >= 0.0, "a finite number, at least 0"),
            ("raise", self.raise, self.raise > 1.0, "a finite number above 1"),
            ("lower", self.lower, self.lower > 0.0 && self.lower <= 1.0, "a number above 0, at most 1"),
            ("bend", self.bend, self.bend >= 0.0, "a finite number, at least 0"),
            (
                "gradient_tolerance",
                self.gradient_tolerance,
                self.gradient_tolerance >= 0.0,
                "a finite number, at least 0",
            ),
        ];
        match checks.into_iter().find(|&(_, found, good, _)| !(good && found.is_finite())) {
            Some((name, found, _, expected)) => Err(Error::setting(name, expected, found)),
            None => Ok(()),
        }
    }
}

/// The least damping: below it the smallest pivots of a curvature of rank less than `n` are rounding.
const LEAST_DAMPING: f64 = 1e-14;
/// The most damping: a step of 1e-16 of its gradient's moves nothing.
const MOST_DAMPING: f64 = 1e16;
/// After so many steps refused on end the damping grows by [`LEAP`]: doubled each time, twelve decades would take 40 factors.
const PATIENCE: usize = 8;
const LEAP: f64 = 10.0;
/// The least element of D, over the largest (see the head).
const LEAST_SCALE: f64 = 0.1;
/// Falls smaller than this part of the value are rounding.
const ROUNDING: f64 = f64::EPSILON / 2.0;

/// How far a minimisation has come, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Iterations done.
    pub iterations: usize,
    /// Evaluations of the problem.
    pub evaluations: usize,
    /// The damping of the next step.
    pub damping: f64,
    /// Whether the last step gained no more than rounding.
    pub exhausted: bool,
    /// What the evidence has found; `None` without it.
    pub regularisation: Option<Regularisation>,
}

/// All that a minimisation needs, beside the parameters, to go on between two iterations with the same bits: borrowed from
/// [`LevenbergMarquardt::state`], given to [`LevenbergMarquardt::resume`]. Gradient and curvature, which are of as many numbers as
/// there are pairs of parameters, are evaluated again.
#[derive(Clone, Debug, PartialEq)]
pub struct State<B> {
    /// D: as many numbers as parameters.
    pub scale: B,
    /// Counts and values.
    pub progress: Progress,
}

/// A minimiser for `len` parameters, with all the memory that it will need.
///
/// ```
/// use deltarule::optim::levenberg_marquardt::{LevenbergMarquardt, Options, Problem};
/// use deltarule::{engine::Engine, threads::Threads};
/// use std::ops::ControlFlow::Continue;
///
/// /// Rosenbrock's function: residuals 10 (y - x^2) and 1 - x.
/// struct Rosenbrock;
/// impl Problem for Rosenbrock {
///     fn value(&mut self, p: &[f64]) -> deltarule::Result<f64> {
///         Ok(50.0 * (p[1] - p[0] * p[0]).powi(2) + 0.5 * (1.0 - p[0]).powi(2))
///     }
///     fn model(&mut self, p: &[f64], gradient: &mut [f64], curvature: &mut [f64]) -> deltarule::Result<f64> {
///         let (r, s) = (10.0 * (p[1] - p[0] * p[0]), 1.0 - p[0]);
///         gradient.copy_from_slice(&[-20.0 * p[0] * r - s, 10.0 * r]);
///         curvature.copy_from_slice(&[400.0 * p[0] * p[0] + 1.0, 0.0, -200.0 * p[0], 100.0]);
///         self.value(p)
///     }
/// }
///
/// let mut params = [-1.2, 1.0];
/// let report = LevenbergMarquardt::new(2, Options::default(), None)?.minimize(
///     Engine::default(), &Threads::one(), &mut params, &mut Rosenbrock, |_, _| Continue(()))?;
/// assert!(report.stopped.converged() && report.value < 1e-20);
/// # Ok::<(), deltarule::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LevenbergMarquardt {
    options: Options,
    evidence: Option<Evidence>,
    /// `len` x `len`: the curvature's lower triangle.
    curvature: Vec<f64>,
    cholesky: Cholesky,
    gradient: Vec<f64>,
    /// D.
    scale: Vec<f64>,
    step: Vec<f64>,
    /// Of the acceleration.
    second: Vec<f64>,
    trial: Vec<f64>,
    /// The inverse of the factor, of which `bayes` takes the trace; empty without it.
    inverse: Vec<f64>,
    /// All but what the evidence knows.
    progress: Progress,
    /// The problem's value where it stands, without the evidence's penalty.
    value: f64,
    known: Known,
}

/// What is known where the minimisation stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    /// Nothing: it has not begun.
    Nothing,
    /// The state, but not the model there, which is to be evaluated again.
    State,
    /// All.
    Model,
}

/// What a trial came to.
enum Trial {
    /// It lies in `trial`, with this value, penalty included.
    Better(f64),
    /// More damping is needed; the fall that the model promised.
    Worse(f64),
}

impl LevenbergMarquardt {
    /// How many bytes a minimiser for `len` parameters takes: two numbers of 8 bytes for each pair of them, or three with `bayes`.
    pub fn required_bytes(len: usize, bayes: bool) -> u128 {
        let square = (len as u128).pow(2);
        (square * (1 + u128::from(bayes)) + 5 * len as u128) * size_of::<f64>() as u128 + Cholesky::required_bytes(len)
    }

    /// A minimiser for `len` parameters; with `bayes`, the [rows](Rows) whose noise it weighs against the parameters' size.
    ///
    /// **Errors** if an option is outside its range; [`Error::Memory`] with the [bytes](Self::required_bytes) that it takes if
    /// they cannot be had, before any of them is touched.
    pub fn new(len: usize, options: Options, bayes: Option<Rows>) -> Result<Self> {
        options.check()?;
        let what = format!("Levenberg-Marquardt, which holds {len} x {len} numbers for {len} parameters,");
        require(&what, Self::required_bytes(len, bayes.is_some()))?;
        let square = len.saturating_mul(len);
        let buffer = || zeros(len, &what);
        Ok(Self {
            options,
            evidence: bayes.map(|rows| Evidence::new(rows, len)).transpose()?,
            curvature: zeros(square, &what)?,
            cholesky: Cholesky::new(len)?,
            gradient: buffer()?,
            scale: buffer()?,
            step: buffer()?,
            second: buffer()?,
            trial: buffer()?,
            inverse: zeros(if bayes.is_some() { square } else { 0 }, &what)?,
            progress: Progress::default(),
            value: 0.0,
            known: Known::Nothing,
        })
    }

    /// A minimiser that goes on from `state`, with the parameters where that was taken. The first [`advance`](Self::advance) evaluates
    /// the model there, which is not counted.
    ///
    /// **Errors** as [`new`](Self::new); if D or a number of the progress is none that a minimisation comes to, or one has an
    /// evidence and the other not.
    pub fn resume(options: Options, bayes: Option<Rows>, state: State<Vec<f64>>) -> Result<Self> {
        let State { scale, progress } = state;
        let Progress { evaluations, damping, regularisation, .. } = progress;
        check_buffer("Levenberg-Marquardt's scale", &scale, scale.len())?;
        if let Some(index) = scale.iter().position(|scale| *scale <= 0.0) {
            let name = format!("Levenberg-Marquardt's scale at index {index}");
            return Err(Error::setting(name, "a number above 0", scale[index]));
        }
        let is_damping = damping.is_finite() && damping >= 0.0;
        check_number("Levenberg-Marquardt's damping", is_damping, "a finite number, at least 0", damping)?;
        check_number("Levenberg-Marquardt's evaluations", evaluations > 0, "at least 1", evaluations)?;
        let mut solver = Self { progress, known: Known::State, ..Self::new(scale.len(), options, bayes)? };
        match (&mut solver.evidence, regularisation) {
            (Some(evidence), Some(found)) => evidence.resume(found)?,
            (None, None) => {}
            (evidence, _) => {
                let names = ["none", "alpha, beta and gamma"];
                let (expected, found) =
                    (names[usize::from(evidence.is_some())], names[usize::from(evidence.is_none())]);
                return Err(Error::setting("Levenberg-Marquardt's regularisation", expected, found));
            }
        }
        solver.scale = scale;
        Ok(solver)
    }

    /// All that a minimisation needs to go on from here, beside the parameters. Of use between two iterations.
    pub fn state(&self) -> State<&[f64]> {
        let regularisation = self.evidence.as_ref().map(Evidence::regularisation);
        State { scale: &self.scale, progress: Progress { regularisation, ..self.progress } }
    }

    /// Minimises `problem` from `params` on. Allocates nothing.
    ///
    /// The observer is told each accepted point; with `bayes` also what the evidence is there. The value, with the penalty that
    /// the evidence asks for if there is one, never rises within an iteration, and the number of evaluations is bounded: some
    /// hundred an iteration at worst, where no step is any better. [`Iteration::step`] is 1, [`Iteration::value`] the problem's
    /// own, without the evidence's penalty.
    ///
    /// **Overwrites** `params` with the last accepted point, also where it returns an error.
    ///
    /// **Determinism**: as the problem's; the same bits for any number of threads.
    ///
    /// **Errors** of `problem`; if `params` has another length than [`new`](Self::new) was told; if the start's value
    /// or gradient is not finite.
    pub fn minimize(
        &mut self,
        engine: Engine,
        threads: &Threads,
        params: &mut [f64],
        problem: &mut impl Problem,
        mut observe: impl FnMut(&Iteration<'_, f64>, Option<&Evidence>) -> ControlFlow<()>,
    ) -> Result<Report> {
        self.known = Known::Nothing;
        loop {
            match self.advance(engine, threads, params, problem)? {
                ControlFlow::Break(stop) => return Ok(self.report(stop)),
                ControlFlow::Continue(iteration) => {
                    if observe(&iteration, self.evidence.as_ref()).is_break() {
                        return Ok(self.report(Stop::Observer));
                    }
                }
            }
        }
    }

    /// Takes one iteration from `params`, and leaves in it where that ended; or gives the reason to stop. A minimiser without any
    /// iteration behind it begins at `params`, where it evaluates the model first.
    ///
    /// **Shapes**, **determinism** and **errors** as of [`minimize`](Self::minimize); `params` holds what the last iteration left.
    pub fn advance<'p>(
        &mut self,
        engine: Engine,
        threads: &Threads,
        params: &'p mut [f64],
        problem: &mut impl Problem,
    ) -> Result<ControlFlow<Stop, Iteration<'p, f64>>> {
        check_length(params, &self.gradient)?;
        if self.known != Known::Model {
            self.start(engine, params, problem)?;
        }
        let Progress { iterations, exhausted, .. } = self.progress;
        if exhausted {
            return Ok(ControlFlow::Break(Stop::Decrease));
        } else if largest(&self.gradient) <= self.options.gradient_tolerance {
            return Ok(ControlFlow::Break(Stop::Gradient));
        } else if iterations >= self.options.max_iterations {
            return Ok(ControlFlow::Break(Stop::IterationLimit));
        }
        if let Some(stop) = self.find_step(engine, threads, params, problem)? {
            return Ok(ControlFlow::Break(stop));
        }
        params.copy_from_slice(&self.trial);
        // An error leaves half a model.
        self.known = Known::State;
        self.value = problem.model(params, &mut self.gradient, &mut self.curvature)?;
        self.progress.evaluations += 1;
        self.progress.iterations += 1;
        self.weigh(engine, threads, params, self.value);
        let gradient = largest(&self.gradient);
        self.add_decay(engine, params);
        self.known = Known::Model;
        let (value, Progress { iterations: number, evaluations, .. }) = (self.value, self.progress);
        Ok(ControlFlow::Continue(Iteration { number, value, gradient, step: 1.0, evaluations, params }))
    }

    /// Where it stands, said to have ended for this reason.
    pub fn report(&self, stopped: Stop) -> Report {
        let Progress { iterations, evaluations, .. } = self.progress;
        Report { stopped, iterations, evaluations, value: self.value, gradient: largest(&self.gradient) }
    }

    /// Evaluates the model where a minimisation begins or goes on.
    fn start(&mut self, engine: Engine, params: &[f64], problem: &mut impl Problem) -> Result<()> {
        self.value = problem.model(params, &mut self.gradient, &mut self.curvature)?;
        check_start(self.value, &self.gradient)?;
        if self.known == Known::Nothing {
            self.scale.fill(0.0);
            self.progress = Progress { evaluations: 1, damping: self.options.damping, ..Progress::default() };
            if let Some(evidence) = &mut self.evidence {
                evidence.begin(self.value, vector::squared_norm(engine.isa, params));
            }
        }
        self.add_decay(engine, params);
        self.known = Known::Model;
        Ok(())
    }

    /// What the evidence knows; `None` without `bayes`.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref()
    }

    fn decay(&self) -> f64 {
        self.evidence.as_ref().map_or(0.0, |evidence| evidence.decay())
    }

    /// Adds the penalty's part to the gradient and the curvature's diagonal, and takes in the diagonal; that of a model which is
    /// evaluated again changes nothing in D.
    fn add_decay(&mut self, engine: Engine, params: &[f64]) {
        let (decay, len) = (self.decay(), params.len());
        if decay > 0.0 {
            vector::axpy(engine.isa, decay, params, &mut self.gradient);
        }
        for (i, scale) in self.scale.iter_mut().enumerate() {
            let diagonal = &mut self.curvature[i * len + i];
            *diagonal += decay;
            *scale = scale.max(*diagonal);
        }
        let least = LEAST_SCALE * largest(&self.scale);
        // Without any curvature a step is one of the gradient.
        self.scale.iter_mut().for_each(|scale| *scale = scale.max(if least > 0.0 { least } else { 1.0 }));
    }

    /// Tries steps, each with more damping, until one is better, which is then in `trial`; or says why there is none.
    fn find_step(
        &mut self,
        engine: Engine,
        threads: &Threads,
        params: &[f64],
        problem: &mut impl Problem,
    ) -> Result<Option<Stop>> {
        let before = self.value + 0.5 * self.decay() * vector::squared_norm(engine.isa, params);
        let mut first_promise = None;
        for refused in 0.. {
            let raise = if refused < PATIENCE { self.options.raise } else { LEAP };
            match self.try_step(engine, threads, params, before, problem)? {
                Trial::Better(after) => {
                    self.progress.damping = (self.progress.damping * self.options.lower).max(LEAST_DAMPING);
                    self.progress.exhausted = before - after <= 2.0 * ROUNDING * before.abs();
                    return Ok(None);
                }
                Trial::Worse(promise) => {
                    let first = *first_promise.get_or_insert(promise);
                    let invisible = promise <= ROUNDING * before.abs();
                    if invisible || self.progress.damping >= MOST_DAMPING {
                        // If already the first step promised nothing, this is as low as numbers of this size can show.
                        let small = first <= ROUNDING.sqrt() * before.abs();
                        return Ok(Some(if small { Stop::Decrease } else { Stop::LineSearch }));
                    }
                    self.progress.damping = (self.progress.damping * raise).max(LEAST_DAMPING);
                }
            }
        }
        unreachable!("the damping grows until it is the most")
    }

    /// One step at the damping there is.
    fn try_step(
        &mut self,
        engine: Engine,
        threads: &Threads,
        params: &[f64],
        before: f64,
        problem: &mut impl Problem,
    ) -> Result<Trial> {
        let isa = engine.isa;
        self.damped(self.progress.damping);
        if !self.cholesky.factor(engine, threads) {
            return Ok(Trial::Worse(f64::INFINITY));
        }
        self.step.copy_from_slice(&self.gradient);
        vector::scale(isa, -1.0, &mut self.step);
        self.cholesky.solve(engine, &mut self.step);
        // Half of what the damped model falls by: g'd is minus d' (A + lambda D) d.
        let promise = -0.5 * vector::dot(isa, &self.gradient, &self.step);
        if !(promise.is_finite() && promise > 0.0) {
            return Ok(Trial::Worse(if promise <= 0.0 { 0.0 } else { f64::INFINITY }));
        }
        self.trial.copy_from_slice(params);
        vector::add(isa, &self.step, &mut self.trial);
        if self.options.bend > 0.0 && problem.bend(params, &self.step, &mut self.second)? {
            self.progress.evaluations += 2;
            vector::scale(isa, -0.5, &mut self.second);
            self.cholesky.solve(engine, &mut self.second);
            let length = |x: &[f64]| x.iter().zip(&self.scale).map(|(x, d)| d * x * x).sum::<f64>().sqrt();
            let bend = 2.0 * length(&self.second);
            if bend.is_nan() || bend > self.options.bend * length(&self.step) {
                return Ok(Trial::Worse(promise));
            }
            vector::add(isa, &self.second, &mut self.trial);
        }
        self.progress.evaluations += 1;
        let after = problem.value(&self.trial)? + 0.5 * self.decay() * vector::squared_norm(isa, &self.trial);
        Ok(if after < before { Trial::Better(after) } else { Trial::Worse(promise) })
    }

    /// Puts the curvature, damped, where it is factored.
    fn damped(&mut self, damping: f64) {
        let len = self.gradient.len();
        let matrix = self.cholesky.matrix_mut();
        for (i, (to, from)) in matrix.chunks_exact_mut(len).zip(self.curvature.chunks_exact(len)).enumerate() {
            to[..=i].copy_from_slice(&from[..=i]);
            to[i] += damping * self.scale[i];
        }
    }

    /// Lets the evidence learn from the point reached; its `gradient` and `curvature` are without penalty.
    fn weigh(&mut self, engine: Engine, threads: &Threads, params: &[f64], value: f64) {
        let Some(mut evidence) = self.evidence.take() else { return };
        let (len, decay) = (params.len(), evidence.decay());
        let matrix = self.cholesky.matrix_mut();
        for (i, (to, from)) in matrix.chunks_exact_mut(len).zip(self.curvature.chunks_exact(len)).enumerate() {
            to[..=i].copy_from_slice(&from[..=i]);
            to[i] += decay;
        }
        // A curvature that is singular for rounding leaves the effective parameters as they were.
        let trace = (self.cholesky.factor(engine, threads))
            .then(|| self.cholesky.trace_of_inverse(engine, threads, &mut self.inverse));
        evidence.learn(value, vector::squared_norm(engine.isa, params), trace);
        self.evidence = Some(evidence);
    }
}
