//! What every minimiser of a whole objective says: each iteration, and how it ended.
//!
//! Row 5 of the house: imports `simd` and `error`.

use crate::error::{Error, Result};
use crate::simd::Vectorized;
use serde::Serialize;
use std::fmt;

/// Why a minimisation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The gradient is within its tolerance: a stationary point.
    Gradient,
    /// The value falls no more than its tolerance, or than rounding lets one see.
    Decrease,
    /// No step along the steepest descent gave less, though the slope promised it: the gradient is wrong, the objective
    /// jumps, or its rounding errors are far above those of its type. Of Rprop: no part of a step led to finite numbers.
    LineSearch,
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

/// Evaluates the objective where a minimisation begins: the report of none yet.
pub(super) fn begin<T: Vectorized>(
    params: &[T],
    grad: &mut [T],
    objective: &mut impl FnMut(&[T], &mut [T]) -> Result<f64>,
) -> Result<Report> {
    check_length(params, grad)?;
    let value = objective(params, grad)?;
    check_start(value, grad)?;
    Ok(Report { stopped: Stop::Gradient, iterations: 0, evaluations: 1, value, gradient: largest(grad) })
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
