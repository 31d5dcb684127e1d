//! Solvers that look at all rows before each move, by values and gradients.
//!
//! Begin reading at [`fit`]. Levenberg-Marquardt, which asks for more, is in `least_squares.rs` and shares the [`Course`].

use super::divergence::{check_finite, not_finite};
use super::judge::Jury;
use super::required::copied;
use super::run::{Observer, Run, tell};
use super::state::Standing;
use super::{History, Solver, Stopped, Trainer};
use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::LossFn;
use crate::network::objective::{Batch, Value, penalty};
use crate::network::workspace::Workspace;
use crate::network::{Network, Spec, pass};
use crate::optim::{Iteration, Lbfgs, Report, Rprop, Scg, Stop, lbfgs, rprop, scg};
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What all minimisers of a whole objective share: who judges an iteration, who is told of it, and what is kept.
pub(super) struct Course<'a, T, L> {
    trainer: &'a Trainer<L>,
    jury: Jury<'a, 'a, T, L>,
    standing: Standing,
    /// The best parameters by the rows held back; empty without them.
    best: Vec<T>,
    observe: Option<&'a mut Observer<'a>>,
    interrupt: Option<&'a AtomicBool>,
    begun: Instant,
    /// What the judges failed of.
    broken: Option<Error>,
    /// The statistics of batch normalisation, where there is any.
    settled: Option<Settled<'a, T>>,
}

/// Statistics of batch normalisation at any parameters: those of the whole batch, which is what a running average of them would approach.
struct Settled<'a, T> {
    training: Batch<'a, T>,
    workspace: Workspace<T>,
    /// A network's state.
    numbers: Vec<T>,
}

impl<'a, T: Float> Settled<'a, T> {
    fn new<A: ActivationFn, L>(trainer: &Trainer<L>, net: &Network<T, A>, training: &Batch<'a, T>) -> Result<Self> {
        let (rows, threads) = (training.x.nrows(), trainer.threads.clone());
        let workspace = Workspace::for_prediction(net.spec(), rows, trainer.engine, threads)?;
        Ok(Self { training: *training, workspace, numbers: copied(net.state(), "the running statistics")? })
    }

    /// The state of the network at `params`.
    fn at<A: ActivationFn, L: LossFn>(&mut self, trainer: &Trainer<L>, spec: &Spec<A>, params: &[T]) -> Result<&[T]> {
        pass::value(spec, params, self.training.view(), &trainer.objective, &mut self.workspace)?;
        self.numbers[..params.len()].copy_from_slice(params);
        self.workspace.update_running(spec, 1.0, &mut self.numbers);
        Ok(&self.numbers)
    }
}

impl<'a, T: Float, L: LossFn> Course<'a, T, L> {
    pub fn new<A: ActivationFn>(
        trainer: &'a Trainer<L>,
        net: &Network<T, A>,
        training: Batch<'a, T>,
        run: Run<'a, T>,
    ) -> Result<Self> {
        let Run { held_back, measure, observe, interrupt, .. } = run;
        let settled = net.spec().couples_rows().then(|| Settled::new(trainer, net, &training)).transpose()?;
        let jury = Jury::new(trainer, net.spec(), training, held_back, measure)?;
        let best = copied(if jury.judges() { net.params() } else { &[] }, "the best parameters")?;
        let standing = Standing::new();
        Ok(Self { trainer, jury, standing, best, observe, interrupt, begun: Instant::now(), broken: None, settled })
    }

    /// Takes in an iteration, which ended at `params`, whatever numbers it is in; says whether to go on.
    pub fn see<N: Float, A: ActivationFn>(
        &mut self,
        spec: &Spec<A>,
        iteration: &Iteration<'_, N>,
        params: &[T],
    ) -> ControlFlow<()> {
        let numbers = match &mut self.settled {
            Some(settled) if self.jury.listens() => settled.at(self.trainer, spec, params),
            _ => Ok(params),
        };
        let heard = match numbers.and_then(|numbers| self.jury.hear(spec, numbers, (iteration.number, 1))) {
            Ok(heard) => heard,
            Err(error) => {
                self.broken = Some(error);
                return ControlFlow::Break(());
            }
        };
        let judges = self.jury.judges();
        let penalty = penalty(spec, iteration.params, &self.trainer.objective, self.trainer.engine, None);
        let value = Value { loss: iteration.value - penalty, penalty };
        let standing = &mut self.standing;
        standing.seconds = self.begun.elapsed().as_secs_f64();
        // Without rows held back, the solver's own tolerances say when there is nothing left to gain.
        if standing.end_epoch(self.trainer, value, heard, judges) && judges {
            self.best.copy_from_slice(params);
        }
        tell(standing, &mut self.observe, self.interrupt);
        if standing.stopped.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// After the minimisation: what happened, with the best parameters in `numbers`, the network's state, where rows judged them.
    pub fn end<A: ActivationFn>(mut self, spec: &Spec<A>, report: &Report, numbers: &mut [T]) -> Result<History> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let mut history = self.standing.history;
        history.stopped = self.standing.stopped.unwrap_or(match report.stopped {
            Stop::LineSearch => Stopped::LineSearch,
            stop if stop.converged() => Stopped::Converged,
            _ => Stopped::Epochs,
        });
        let params = &mut numbers[..spec.parameters()];
        if self.jury.judges() && history.kept > 0 {
            params.copy_from_slice(&self.best);
        }
        if let Some(settled) = &mut self.settled {
            let settled = settled.at(self.trainer, spec, params)?;
            numbers.copy_from_slice(settled);
        }
        Ok(history)
    }
}

/// A minimiser of values with gradients is called with the start, the objective and who observes it.
type Objective<'a, T> = &'a mut dyn FnMut(&[T], &mut [T]) -> Result<f64>;
type Seen<'a, T> = &'a mut dyn FnMut(&Iteration<'_, T>) -> ControlFlow<()>;

/// Trains by a minimiser that asks for values and gradients: a new one is an arm below, and a figure in `required.rs`.
pub(super) fn fit<'a, T: Float, A: ActivationFn, L: LossFn>(
    trainer: &'a Trainer<L>,
    net: &mut Network<T, A>,
    training: Batch<'a, T>,
    run: Run<'a, T>,
) -> Result<History> {
    let (len, isa, max_iterations) = (net.spec().parameters(), trainer.engine.isa, trainer.epochs);
    match trainer.solver {
        Solver::Scg => {
            let mut scg = Scg::new(len, scg::Options { max_iterations, ..Default::default() })?;
            minimise(trainer, net, training, run, |p, f, seen| scg.minimize(isa, p, f, seen))
        }
        Solver::Rprop(options) => {
            let mut rprop = Rprop::new(len, rprop::Options { max_iterations, ..options })?;
            minimise(trainer, net, training, run, |p, f, seen| rprop.minimize(isa, p, f, seen))
        }
        Solver::Lbfgs => {
            let mut lbfgs = Lbfgs::new(len, lbfgs::Options { max_iterations, ..Default::default() })?;
            minimise(trainer, net, training, run, |p, f, seen| lbfgs.minimize(isa, p, f, seen))
        }
        Solver::Steps(_) | Solver::Perceptron | Solver::LevenbergMarquardt(_) | Solver::Bayes(_) => {
            unreachable!("the trainer gives these to others")
        }
    }
}

/// Gives `minimiser` the network's objective, and the training its course.
fn minimise<'a, T: Float, A: ActivationFn, L: LossFn>(
    trainer: &'a Trainer<L>,
    net: &mut Network<T, A>,
    training: Batch<'a, T>,
    run: Run<'a, T>,
    minimiser: impl FnOnce(&mut [T], Objective<'_, T>, Seen<'_, T>) -> Result<Report>,
) -> Result<History> {
    let mut workspace = Workspace::new(net.spec(), training.x.nrows(), trainer.engine, trainer.threads.clone())?;
    let mut course = Course::new(trainer, net, training, run)?;
    let (spec, numbers) = net.state_parts_mut();
    let params = &mut numbers[..spec.parameters()];
    let isa = trainer.engine.isa;

    // Minimisers shorten steps into what is not finite; before the first there is nothing to shorten.
    let mut begun = false;
    let mut objective = |params: &[T], gradient: &mut [T]| {
        let value =
            pass::value_and_gradient(spec, params, training.view(), &trainer.objective, &mut workspace, gradient)?;
        if !std::mem::replace(&mut begun, true) {
            if !value.objective().is_finite() {
                return Err(not_finite(&workspace, value, (1, 1)));
            }
            check_finite("gradient", isa, spec, gradient, (1, 1))?;
        }
        Ok(value.objective())
    };
    let report = minimiser(params, &mut objective, &mut |iteration| course.see(spec, iteration, iteration.params))?;
    course.end(spec, &report, numbers)
}
