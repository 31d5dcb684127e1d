//! Solvers that look at all rows before each move, by values and gradients.
//!
//! Row 6 of the house: imports everything below. Begin reading at [`fit`]. Levenberg-Marquardt, which asks for more, is in
//! `least_squares.rs`; what becomes of an iteration, in `course.rs`.

use super::course::{Course, WholeBatch};
use super::divergence::{check_finite, not_finite};
use super::run::Run;
use super::state::{Minimisation, Saved};
use super::{History, Solver, Trainer};
use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::LossFn;
use crate::network::objective::{Batch, Value, penalty};
use crate::network::workspace::Workspace;
use crate::network::{Network, Spec, pass};
use crate::optim::{Lbfgs, Minimiser, Rprop, Scg, Stop, lbfgs, rprop, scg};
use crate::simd::Isa;
use std::ops::ControlFlow;

/// Trains by a minimiser that asks for values and gradients: a new one is an arm below, a [`Kept`], and figures in `required.rs`.
pub(super) fn fit<'a, T: Float, A: ActivationFn, L: LossFn>(
    trainer: &'a Trainer<L>,
    net: &mut Network<T, A>,
    training: Batch<'a, T>,
    run: Run<'a, T>,
) -> Result<History> {
    let max_iterations = trainer.epochs;
    match trainer.solver {
        Solver::Scg => {
            let options = scg::Options { max_iterations, ..Default::default() };
            minimise::<T, A, L, Scg<T>>(trainer, options, net, training, run)
        }
        Solver::Rprop(options) => {
            let options = rprop::Options { max_iterations, ..options };
            minimise::<T, A, L, Rprop<T>>(trainer, options, net, training, run)
        }
        Solver::Lbfgs => {
            let usual = lbfgs::Options::default();
            let rule = &trainer.stopping;
            let options = lbfgs::Options {
                max_iterations,
                max_evaluations: rule.max_evaluations.unwrap_or(usual.max_evaluations),
                gradient_tolerance: rule.gradient_tolerance.unwrap_or(usual.gradient_tolerance),
                function_tolerance: rule.function_tolerance.unwrap_or(usual.function_tolerance),
                ..usual
            };
            minimise::<T, A, L, Lbfgs<T>>(trainer, options, net, training, run)
        }
        Solver::Steps(_) | Solver::Perceptron | Solver::LevenbergMarquardt(_) | Solver::Bayes(_) => {
            unreachable!("the trainer gives these to others")
        }
    }
}

/// Gives a minimiser the network's objective, and the training its course.
fn minimise<'a, T: Float, A: ActivationFn, L: LossFn, M: Kept<T>>(
    trainer: &'a Trainer<L>,
    options: M::Options,
    net: &mut Network<T, A>,
    training: Batch<'a, T>,
    run: Run<'a, T>,
) -> Result<History> {
    let workspace = Workspace::new(net.spec(), training.x.nrows(), trainer.engine, trainer.threads.clone())?;
    let (course, mut saved) = Course::new(trainer, net, training, run)?;
    let minimiser = match &mut saved {
        None => M::new(net.params().len(), options)?,
        Some(saved) => {
            let params = saved.take("params", net.params().len())?;
            let minimiser = M::resume(trainer.engine.isa, options, &params, saved)?;
            saved.check_empty()?;
            net.params_mut().copy_from_slice(&params);
            minimiser
        }
    };
    let (spec, numbers) = net.state_parts_mut();
    let mut solver = Minimising { trainer, spec, training, workspace, minimiser, begun: saved.is_some() };
    course.lead(spec, numbers, &mut solver)
}

/// A minimiser at work on a network's objective.
struct Minimising<'a, 'n, T, A, L, M> {
    trainer: &'a Trainer<L>,
    spec: &'n Spec<A>,
    training: Batch<'a, T>,
    workspace: Workspace<T>,
    minimiser: M,
    /// Whether the objective was finite once.
    begun: bool,
}

impl<T: Float, A: ActivationFn, L: LossFn, M: Kept<T>> WholeBatch<T> for Minimising<'_, '_, T, A, L, M> {
    fn advance(&mut self, params: &mut [T]) -> Result<ControlFlow<Stop, Value>> {
        let Self { trainer, spec, training, workspace, minimiser, begun } = self;
        let (isa, objective) = (trainer.engine.isa, &trainer.objective);
        // Minimisers shorten steps into what is not finite; before the first there is nothing to shorten.
        let mut evaluate = |params: &[T], gradient: &mut [T]| {
            let value = pass::value_and_gradient(spec, params, training.view(), objective, workspace, gradient)?;
            if !std::mem::replace(begun, true) {
                if !value.objective().is_finite() {
                    return Err(not_finite(workspace, value, (1, 1)));
                }
                check_finite("gradient", isa, spec, gradient, (1, 1))?;
            }
            Ok(value.objective())
        };
        Ok(match minimiser.advance(isa, params, &mut evaluate)? {
            ControlFlow::Break(stop) => ControlFlow::Break(stop),
            ControlFlow::Continue(iteration) => {
                let penalty = penalty(spec, iteration.params, objective, trainer.engine, None);
                ControlFlow::Continue(Value { loss: iteration.value - penalty, penalty })
            }
        })
    }

    fn settle(&self, params: &mut [T]) {
        self.minimiser.settle(params);
    }

    fn minimisation(&self) -> Option<Minimisation> {
        Some(self.minimiser.minimisation())
    }

    fn buffers(&self) -> Vec<(&'static str, &[T])> {
        self.minimiser.buffers()
    }
}

/// A minimiser whose state is kept: how it comes out of a saved state, and into one.
trait Kept<T: Float>: Minimiser<T> + Sized {
    type Options;
    fn new(len: usize, options: Self::Options) -> Result<Self>;
    /// The one that was saved at `params`.
    fn resume(isa: Isa, options: Self::Options, params: &[T], saved: &mut Saved<T>) -> Result<Self>;
    fn minimisation(&self) -> Minimisation;
    fn buffers(&self) -> Vec<(&'static str, &[T])>;
}

fn of_another<T>(solver: &Solver) -> Result<T> {
    Err(Error::shape("saved state", format!("one of {}", solver.name()), "one of another solver"))
}

impl<T: Float> Kept<T> for Lbfgs<T> {
    type Options = lbfgs::Options;

    fn new(len: usize, options: Self::Options) -> Result<Self> {
        Lbfgs::new(len, options)
    }

    fn resume(isa: Isa, options: Self::Options, params: &[T], saved: &mut Saved<T>) -> Result<Self> {
        let Some(Minimisation::Lbfgs(progress)) = saved.standing.minimisation else {
            return of_another(&Solver::Lbfgs);
        };
        let (len, remembered) = (params.len(), options.history.saturating_mul(params.len()));
        let state = lbfgs::State {
            gradient: saved.take("gradient", len)?,
            moves: saved.take("moves", remembered)?,
            changes: saved.take("changes", remembered)?,
            progress,
        };
        Lbfgs::resume(isa, options, state)
    }

    fn minimisation(&self) -> Minimisation {
        Minimisation::Lbfgs(self.state().progress)
    }

    fn buffers(&self) -> Vec<(&'static str, &[T])> {
        let lbfgs::State { gradient, moves, changes, .. } = self.state();
        vec![("gradient", gradient), ("moves", moves), ("changes", changes)]
    }
}

impl<T: Float> Kept<T> for Scg<T> {
    type Options = scg::Options;

    fn new(len: usize, options: Self::Options) -> Result<Self> {
        Scg::new(len, options)
    }

    fn resume(_: Isa, options: Self::Options, params: &[T], saved: &mut Saved<T>) -> Result<Self> {
        let Some(Minimisation::Scg(progress)) = saved.standing.minimisation else { return of_another(&Solver::Scg) };
        let (direction, gradient) = (saved.take("direction", params.len())?, saved.take("gradient", params.len())?);
        Scg::resume(options, scg::State { direction, gradient, progress })
    }

    fn minimisation(&self) -> Minimisation {
        Minimisation::Scg(self.state().progress)
    }

    fn buffers(&self) -> Vec<(&'static str, &[T])> {
        let scg::State { direction, gradient, .. } = self.state();
        vec![("direction", direction), ("gradient", gradient)]
    }
}

impl<T: Float> Kept<T> for Rprop<T> {
    type Options = rprop::Options;

    fn new(len: usize, options: Self::Options) -> Result<Self> {
        Rprop::new(len, options)
    }

    fn resume(_: Isa, options: Self::Options, params: &[T], saved: &mut Saved<T>) -> Result<Self> {
        let Some(Minimisation::Rprop(progress)) = saved.standing.minimisation else {
            return of_another(&Solver::Rprop(options));
        };
        let state = rprop::State {
            params: params.to_vec(),
            best: saved.take("lowest", params.len())?,
            steps: saved.take("steps", params.len())?,
            gradient: saved.take("gradient", params.len())?,
            moves: saved.take("moves", params.len())?,
            progress,
        };
        Rprop::resume(options, state)
    }

    fn minimisation(&self) -> Minimisation {
        Minimisation::Rprop(self.state().progress)
    }

    fn buffers(&self) -> Vec<(&'static str, &[T])> {
        let rprop::State { best, steps, gradient, moves, .. } = self.state();
        vec![("lowest", best), ("steps", steps), ("gradient", gradient), ("moves", moves)]
    }
}
