//! The memory that a training takes, asked for before its first step.
//!
//! Row 6 of the house: imports everything below.

use super::judge;
use super::rows::Cut;
use super::run::Run;
use super::watch::GradientWatch;
use super::{Measure, Solver, Trainer};
use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::memory::zeros;
use crate::network::curvature::Curvature;
use crate::network::max_norm::MaxNorm;
use crate::network::workspace::{Workspace, require};
use crate::network::{Network, Spec};
use crate::optim::{LevenbergMarquardt, Rprop, Scg, lbfgs};

/// What a training is given, as far as its memory depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The rows trained on.
    pub rows: usize,
    /// The rows held back.
    pub held_back: usize,
    /// Whether the inputs of the rows trained on are read mini-batch after mini-batch ([`Run::inputs`]).
    pub streams: bool,
    /// Whether a [`Measure`] takes figures of the rows held back.
    pub measures: bool,
    /// Whether it takes figures of the rows trained on.
    pub measures_training: bool,
}

impl Scope {
    /// That of a run on so many rows.
    pub(super) fn of<T>(rows: usize, run: &Run<'_, T>) -> Self {
        Self {
            rows,
            held_back: run.held_back.as_ref().map_or(0, |batch| batch.x.nrows()),
            streams: run.inputs.is_some(),
            measures: run.measure.is_some(),
            measures_training: run.measure.is_some_and(Measure::measures_training),
        }
    }
}

impl<L> Trainer<L> {
    /// The bytes that [`run`](Self::run) takes beside the network and what it is given: workspaces, gradient, the solver's memory,
    /// copies of the parameters, a mini-batch, and the outputs of which figures are taken (what a [`Measure`] itself takes is not
    /// known here). Nothing is allocated.
    ///
    /// ```
    /// use deltarule::prelude::*;
    /// use deltarule::train::Scope;
    ///
    /// let spec = Spec::mlp(784, &[100], Activation::Relu, 10, Activation::Softmax)?;
    /// let bytes = |held_back| {
    ///     Trainer::default().required_bytes::<f32, _>(&spec, Scope { rows: 60_000, held_back, ..Scope::default() })
    /// };
    /// assert!(bytes(10_000) > bytes(0));
    /// # Ok::<(), deltarule::Error>(())
    /// ```
    pub fn required_bytes<T: Float, A: ActivationFn>(&self, spec: &Spec<A>, given: Scope) -> u128 {
        let Scope { rows, held_back, streams, measures, measures_training } = given;
        // Running statistics are copied with the parameters; gradient and moments have none.
        let (parameters, state) = (spec.parameters() as u128, spec.state() as u128);
        let numbers = |count: u128| count * size_of::<T>() as u128;
        let judged = u128::from(held_back > 0);
        let judge =
            |judges, rows, measures| if judges { judge::required_bytes::<T, A>(spec, rows, measures) } else { 0 };
        let judge = judge(held_back > 0, held_back, measures) + judge(measures_training, rows, true);
        // What whole batches leave of statistics.
        let settled =
            if spec.couples_rows() { Workspace::<T>::required_bytes(spec, rows, false) + numbers(state) } else { 0 };
        match self.solver {
            Solver::Steps(method) => {
                let batch = Cut::new(rows, self.batch, spec.couples_rows()).largest.min(rows);
                let width = spec.inputs() as u128 + spec.outputs() as u128 + 1;
                let gathered = if self.shuffle || streams { batch as u128 * width } else { 0 };
                // The parameters of before, of the last epoch, of the best where rows judge them, and their average.
                let copies = 2 + judged + u128::from(self.averaging.is_some());
                let buffers = copies * state + (1 + method.moments() as u128) * parameters;
                let watch = self.watch_gradients.map_or(0, |_| {
                    GradientWatch::required_bytes(spec, batch)
                        + Workspace::<f64>::noise_bytes(spec, batch, false, &self.noise)
                });
                let noise = Workspace::<T>::noise_bytes(spec, batch, true, &self.noise);
                let norms = self.max_norm.map_or(0, |_| MaxNorm::<T>::required_bytes(spec));
                numbers(buffers + gathered)
                    + watch
                    + noise
                    + norms
                    + Workspace::<T>::required_bytes(spec, batch, true)
                    + rows as u128 * size_of::<usize>() as u128
                    + judge
            }
            Solver::Lbfgs => {
                // The best parameters where rows judge them; direction, gradient, and both at the trial point; the pairs remembered.
                let buffers = judged + 4 + 2 * lbfgs::Options::default().history as u128;
                numbers(buffers * parameters) + Workspace::<T>::required_bytes(spec, rows, true) + judge + settled
            }
            Solver::Rprop(_) => {
                let buffers = judged + Rprop::<T>::BUFFERS as u128;
                numbers(buffers * parameters) + Workspace::<T>::required_bytes(spec, rows, true) + judge + settled
            }
            Solver::Scg => {
                let buffers = judged + Scg::<T>::BUFFERS as u128;
                numbers(buffers * parameters) + Workspace::<T>::required_bytes(spec, rows, true) + judge + settled
            }
            Solver::LevenbergMarquardt(_) => {
                least_squares_bytes(spec, rows, false) + numbers(judged * parameters) + judge
            }
            Solver::Bayes(_) => least_squares_bytes(spec, rows, true) + numbers(judged * parameters) + judge,
            Solver::Perceptron => numbers(parameters + spec.outputs() as u128) + judge,
        }
    }

    /// The bytes of a state that is saved, of a network of so many parameters.
    pub(super) fn state_bytes<T: Float>(&self, parameters: usize) -> u128 {
        // The parameters, the best of them, and what each solver's state says that it holds.
        let (buffers, wide) = match self.solver {
            Solver::Steps(method) => (5 + method.moments(), 0),
            Solver::Lbfgs => (3 + 2 * lbfgs::Options::default().history, 0),
            Solver::Scg => (4, 0),
            Solver::Rprop(_) => (6, 0),
            Solver::LevenbergMarquardt(_) | Solver::Bayes(_) => (2, 2),
            Solver::Perceptron => (1, 0),
        };
        parameters as u128 * (buffers * size_of::<T>() + wide * size_of::<f64>()) as u128
    }

    /// Refuses a training that does not fit into memory.
    pub(super) fn require_memory<T: Float, A: ActivationFn>(&self, net: &Network<T, A>, given: Scope) -> Result<()> {
        let (spec, rows) = (net.spec(), given.rows);
        let bytes = self.required_bytes::<T, A>(spec, given);
        require(&format!("training {} parameters in {} on {rows} rows", spec.parameters(), T::NAME), bytes)
    }
}

/// The bytes that Levenberg-Marquardt takes, beside the judge and its best parameters: the solver's, the curvature's, a pass's, and
/// copies in `f64` of the rows, of three times their outputs, and of the parameters twice.
fn least_squares_bytes<A: ActivationFn>(spec: &Spec<A>, rows: usize, bayes: bool) -> u128 {
    let (parameters, row) = (spec.parameters() as u128, spec.inputs() as u128 + 4 * spec.outputs() as u128);
    LevenbergMarquardt::required_bytes(spec.parameters(), bayes)
        + Curvature::<f64>::required_bytes(spec, rows)
        + Workspace::<f64>::required_bytes(spec, rows, true)
        + (rows as u128 * row + 2 * parameters) * size_of::<f64>() as u128
}

/// A copy of the parameters, or the error that says how many bytes could not be had.
pub(super) fn copied<T: Float>(params: &[T], what: &str) -> Result<Vec<T>> {
    let mut copy = zeros(params.len(), what)?;
    copy.copy_from_slice(params);
    Ok(copy)
}

/// The numbers from 0 to `count`, or that error.
pub(super) fn counted(count: usize, what: &str) -> Result<Vec<usize>> {
    let bytes = count.saturating_mul(size_of::<usize>());
    let mut numbers = Vec::new();
    numbers.try_reserve_exact(count).map_err(|_| Error::Memory { what: what.into(), bytes })?;
    numbers.extend(0..count);
    Ok(numbers)
}
