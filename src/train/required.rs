//! The memory that a training takes, asked for before its first step.
//!
//! Row 6 of the house: imports everything below.

use super::rows::Cut;
use super::watch::GradientWatch;
use super::{Solver, Trainer};
use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::memory::zeros;
use crate::network::curvature::Curvature;
use crate::network::max_norm::MaxNorm;
use crate::network::objective::Batch;
use crate::network::workspace::{Workspace, require, rows_at_a_time};
use crate::network::{Network, Spec};
use crate::optim::{LevenbergMarquardt, Rprop, Scg, lbfgs};

impl<L> Trainer<L> {
    /// The bytes that [`fit`](Self::fit) takes beside the network and the rows that it is given: workspaces, gradient, the
    /// solver's memory, copies of the parameters, and a mini-batch. Nothing is allocated.
    pub fn required_bytes<T: Float, A: ActivationFn>(&self, spec: &Spec<A>, rows: usize, held_back: usize) -> u128 {
        // Running statistics are copied with the parameters; gradient and moments, which have none, are counted alike.
        let parameters = spec.state() as u128;
        let judge = match held_back {
            0 => 0,
            rows => Workspace::<T>::required_bytes(spec, rows_at_a_time::<T, A>(spec, rows), false),
        };
        let numbers = |count: u128| count * size_of::<T>() as u128;
        let judged = u128::from(held_back > 0);
        // The folded network for whoever judges, and what whole batches leave of statistics.
        let judge = judge + numbers(2 * u128::from(spec.couples_rows()) * parameters);
        let settled = if spec.couples_rows() {
            Workspace::<T>::required_bytes(spec, rows, false) + numbers(parameters)
        } else {
            0
        };
        match self.solver {
            Solver::Steps(method) => {
                let batch = Cut::new(rows, self.batch, spec.couples_rows()).largest.min(rows);
                let width = spec.inputs() as u128 + spec.outputs() as u128 + 1;
                let gathered = if self.shuffle { batch as u128 * width } else { 0 };
                // The gradient, and the parameters of before, of the last epoch, of the best where rows judge them, and their average.
                let kept = judged + u128::from(self.averaging.is_some());
                let buffers = 3 + kept + method.moments() as u128;
                let watch = self.watch_gradients.map_or(0, |_| {
                    GradientWatch::required_bytes(spec, batch)
                        + Workspace::<f64>::noise_bytes(spec, batch, false, &self.noise)
                });
                let noise = Workspace::<T>::noise_bytes(spec, batch, true, &self.noise);
                let norms = self.max_norm.map_or(0, |_| MaxNorm::<T>::required_bytes(spec));
                numbers(buffers * parameters + gathered)
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
            Solver::Perceptron => numbers(parameters + spec.outputs() as u128),
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
    pub(super) fn require_memory<T: Float, A: ActivationFn>(
        &self,
        net: &Network<T, A>,
        training: &Batch<'_, T>,
        held_back: Option<&Batch<'_, T>>,
    ) -> Result<()> {
        let (spec, rows) = (net.spec(), training.x.nrows());
        let bytes = self.required_bytes::<T, A>(spec, rows, held_back.map_or(0, |batch| batch.x.nrows()));
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
