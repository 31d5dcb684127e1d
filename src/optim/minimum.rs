//! What every minimiser of a whole objective is: led an iteration at a time, it says what each came to, and how it ended.
//!
//! Row 5 of the house: imports `simd` and `error`. Begin reading at [`Minimiser`].

use crate::error::{Error, Result};
use crate::simd::{Isa, Vectorized};
use serde::Serialize;
use std::fmt;
use std::ops::ControlFlow;

/// Why a minimisation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The gradient is within its tolerance: a stationary point.
    Gradient,
    /// The value falls no more than its tolerance, or than rounding lets one see.
    Decrease,
    /// No step along the steepest descent gave less, though the slope promised it: the gradient is wrong, the objective
    /// jumps, or its rounding errors are far above those of its type.
    LineSearch,
    /// No part of a step led to finite numbers. Of Rprop, which has no line search and takes any step that does.
    NotFinite,
    /// As many iterations as allowed.
    IterationLimit,
    /// As many evaluations as allowed.
    EvaluationLimit,
    /// The observer asked to stop.
    Observer,
}

impl Stop {
    /// Whether a minimum was found, as far as the tolerances and the type can tell.
    pub fn converged(self) -> bool {
        matches!(self, Self::Gradient | Self::Decrease)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gradient => "the gradient is within its tolerance",
            Self::Decrease => "the value no longer falls",
            Self::LineSearch => "no step along the steepest descent gave less: is the gradient right?",
            Self::NotFinite => "no part of a step led to finite numbers",
            Self::IterationLimit => "as many iterations as allowed",
            Self::EvaluationLimit => "as many evaluations as allowed",
            Self::Observer => "asked to stop",
        })
    }
}

/// What an observer sees after each iteration.
#[derive(Clone, Copy, Debug)]
pub struct Iteration<'a, T> {
    /// The iteration's number, from 1.
    pub number: usize,
    /// The objective at `params`.
    pub value: f64,
    /// The largest absolute value in the gradient at `params`.
    pub gradient: f64,
    /// The step taken, in lengths of the direction; 1 is the model's own step.
    pub step: f64,
    /// Evaluations so far.
    pub evaluations: usize,
    /// The point reached.
    pub params: &'a [T],
}

/// How a minimisation ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Why.
    pub stopped: Stop,
    /// Iterations done.
    pub iterations: usize,
    /// Evaluations of the objective.
    pub evaluations: usize,
    /// The objective where it ended: the least of all accepted points, never above the start's.
    pub value: f64,
    /// The largest absolute value in the gradient there.
    pub gradient: f64,
}

/// What is minimised: it writes its gradient at a point, and gives its value there.
pub type Objective<'a, T> = dyn FnMut(&[T], &mut [T]) -> Result<f64> + 'a;

/// A minimiser of values with gradients that is led one iteration at a time. Between any two it can be saved, and one that was
/// restored goes on with the same bits.
///
/// ```
/// use deltarule::{optim::{Minimiser, Scg, Stop, scg::Options}, simd::Isa};
/// use std::ops::ControlFlow::{Break, Continue};
///
/// let mut params = [-1.0, 1.0];
/// let mut bowl = |p: &[f64], grad: &mut [f64]| {
///     grad.copy_from_slice(&[p[0] - 3.0, 10.0 * p[1]]);
///     Ok(0.5 * (p[0] - 3.0).powi(2) + 5.0 * p[1] * p[1])
/// };
/// let mut scg = Scg::new(2, Options::default())?;
/// let stop = loop {
///     match scg.advance(Isa::current(), &mut params, &mut bowl)? {
///         Continue(iteration) => assert!(iteration.number < 100),
///         Break(stop) => break stop,
///     }
/// };
/// assert_eq!(stop, Stop::Gradient);
/// # Ok::<(), deltarule::error::Error>(())
/// ```
pub trait Minimiser<T> {
    /// Takes one iteration from `params`, and leaves in it where that ended; or gives the reason to stop, of which asking again tells
    /// nothing new. A minimiser without any iteration behind it begins at `params`, where it evaluates the objective first.
    ///
    /// **Shapes**: `params` as long as the minimiser was made for, and holding what the last iteration left.
    ///
    /// **Errors** of the objective; of another length; of a start that is not finite.
    fn advance<'p>(
        &mut self,
        isa: Isa,
        params: &'p mut [T],
        objective: &mut Objective<'_, T>,
    ) -> Result<ControlFlow<Stop, Iteration<'p, T>>>;

    /// Puts into `params` what the minimisation came to, where that is not the last iteration's.
    fn settle(&self, params: &mut [T]) {
        let _ = params;
    }

    /// Where it stands, said to have ended for this reason.
    fn report(&self, stopped: Stop) -> Report;
}

/// Leads a minimiser to its end, or until `observe` breaks.
pub(super) fn lead<T>(
    minimiser: &mut impl Minimiser<T>,
    isa: Isa,
    params: &mut [T],
    objective: &mut Objective<'_, T>,
    mut observe: impl FnMut(&Iteration<'_, T>) -> ControlFlow<()>,
) -> Result<Report> {
    let ended = loop {
        match minimiser.advance(isa, params, objective) {
            Ok(ControlFlow::Continue(iteration)) if observe(&iteration).is_break() => break Ok(Stop::Observer),
            Ok(ControlFlow::Continue(_)) => {}
            Ok(ControlFlow::Break(stop)) => break Ok(stop),
            Err(error) => break Err(error),
        }
    };
    minimiser.settle(params);
    ended.map(|stopped| minimiser.report(stopped))
}

/// The objective where a minimisation begins, its gradient in `grad`.
pub(super) fn begin<T: Vectorized>(params: &[T], grad: &mut [T], objective: &mut Objective<'_, T>) -> Result<f64> {
    let value = objective(params, grad)?;
    check_start(value, grad)?;
    Ok(value)
}

/// Refuses a buffer of a saved state that has another length, or a number that is not finite.
pub(super) fn check_buffer<T: Vectorized>(what: &str, buffer: &[T], len: usize) -> Result<()> {
    if buffer.len() != len {
        return Err(Error::shape(what, len, buffer.len()));
    }
    match buffer.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::setting(format!("{what} at index {index}"), "a finite number", buffer[index].real())),
    }
}

/// Refuses a number of a saved state that is not in its range.
pub(super) fn check_number(what: &str, inside: bool, expected: &str, found: impl fmt::Display) -> Result<()> {
    if inside { Ok(()) } else { Err(Error::setting(what, expected, found)) }
}

/// Refuses other parameters than as many as the minimiser was made for.
pub(super) fn check_length<T>(params: &[T], grad: &[T]) -> Result<()> {
    match params.len() == grad.len() {
        true => Ok(()),
        false => Err(Error::shape("parameters to minimise over", grad.len(), params.len())),
    }
}

/// Refuses to start from a value or a gradient that is not finite.
pub(super) fn check_start<T: Vectorized>(value: f64, grad: &[T]) -> Result<()> {
    if !value.is_finite() {
        return Err(Error::setting("the objective at the start", "a finite number", value));
    }
    match grad.iter().position(|g| !g.is_finite()) {
        Some(index) => {
            let name = format!("the gradient at the start, index {index}");
            Err(Error::setting(name, "a finite number", grad[index].real()))
        }
        None => Ok(()),
    }
}

/// The largest absolute value; 0 for an empty slice.
pub(super) fn largest<T: Vectorized>(x: &[T]) -> f64 {
    x.iter().fold(0.0, |most, x| most.max(x.real().abs()))
}

/// The relative rounding error of `T`: half its epsilon.
pub(super) fn rounding<T: Vectorized>() -> f64 {
    let mut rounding = 1.0;
    while T::from_f64(1.0 + rounding) != T::ONE {
        rounding /= 2.0;
    }
    rounding
}
