//! Solvers that look at all rows before each move, by values and gradients; and the perceptron rule, which looks at each row.
//!
//! Begin reading at [`fit`]. Levenberg-Marquardt, which asks for more, is in `least_squares.rs` and shares the [`Course`].

use super::descent::{Judge, check_finite, not_finite};
use super::required::copied;
use super::stopping::Watch;
use super::{Epoch, History, Observer, Solver, Stopped, Trainer};
use crate::activation::{Activation, ActivationFn};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::LossFn;
use crate::network::objective::{Batch, penalty};
use crate::network::workspace::Workspace;
use crate::network::{Network, Spec, pass};
use crate::optim::perceptron::Perceptron;
use crate::optim::{Iteration, Lbfgs, Report, Scg, Stop, lbfgs, scg};
use std::ops::ControlFlow;

/// What all minimisers of a whole objective share: who judges an iteration, who is told of it, and what is kept.
pub(super) struct Course<'a, 'd, 'o, T, L> {
    judge: Option<Judge<'a, 'd, T, L>>,
    watch: Watch,
    pub history: History,
    /// The best parameters by the rows held back; empty without them.
    best: Vec<T>,
    observe: &'a mut Observer<'o>,
    /// What the judge failed of.
    broken: Option<Error>,
}

impl<'a, 'd, 'o, T: Float, L: LossFn> Course<'a, 'd, 'o, T, L> {
    pub fn new<A: ActivationFn>(
        trainer: &'a Trainer<L>,
        net: &Network<T, A>,
        held_back: Option<Batch<'d, T>>,
        observe: &'a mut Observer<'o>,
    ) -> Result<Self> {
        let judge = held_back.map(|rows| Judge::new(trainer, net.spec(), rows)).transpose()?;
        let best = copied(if judge.is_some() { net.params() } else { &[] }, "the best parameters")?;
        let watch = Watch::new(trainer.stopping, judge.is_some());
        Ok(Self { judge, watch, history: History::default(), best, observe, broken: None })
    }

    /// Takes in iteration `number`, which ended at `params` with the loss `training`; says whether to go on.
    pub fn see<A: ActivationFn>(
        &mut self,
        spec: &Spec<A>,
        number: usize,
        training: f64,
        params: &[T],
    ) -> ControlFlow<()> {
        let validation = match self.judge.as_mut().map(|judge| judge.loss(spec, params)).transpose() {
            Ok(validation) => validation,
            Err(error) => {
                self.broken = Some(error);
                return ControlFlow::Break(());
            }
        };
        let history = &mut self.history;
        history.training.push(training);
        history.validation.extend(validation);
        if let Some(validation) = validation {
            let (lowest, stop) = self.watch.see(validation);
            if lowest {
                self.best.copy_from_slice(params);
                history.kept = number;
            }
            if let Some(stop) = stop {
                history.stopped = stop;
                return ControlFlow::Break(());
            }
        } else {
            history.kept = number;
        }
        let go_on = (self.observe)(&Epoch { number, training, validation });
        if go_on.is_break() {
            history.stopped = Stopped::Observer;
        }
        go_on
    }

    /// After the minimisation: what happened, with the best parameters in `params` where rows judged them.
    pub fn end(mut self, report: &Report, params: &mut [T]) -> Result<History> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        match report.stopped {
            Stop::LineSearch => self.history.stopped = Stopped::LineSearch,
            stop if stop.converged() => self.history.stopped = Stopped::Converged,
            _ => {}
        }
        if self.judge.is_some() {
            params.copy_from_slice(&self.best);
        }
        Ok(self.history)
    }
}

/// A minimiser of values with gradients is called with the start, the objective and who observes it.
type Objective<'a, T> = &'a mut dyn FnMut(&[T], &mut [T]) -> Result<f64>;
type Seen<'a, T> = &'a mut dyn FnMut(&Iteration<'_, T>) -> ControlFlow<()>;

/// Trains by a minimiser that asks for values and gradients: a new one is an arm below, and a figure in `required.rs`.
pub(super) fn fit<T: Float, A: ActivationFn, L: LossFn>(
    trainer: &Trainer<L>,
    net: &mut Network<T, A>,
    training: Batch<'_, T>,
    held_back: Option<Batch<'_, T>>,
    observe: &mut Observer<'_>,
) -> Result<History> {
    let (len, isa, max_iterations) = (net.spec().parameters(), trainer.engine.isa, trainer.epochs);
    match trainer.solver {
        Solver::Scg => {
            let mut scg = Scg::new(len, scg::Options { max_iterations, ..Default::default() })?;
            minimise(trainer, net, training, held_back, observe, |p, f, seen| scg.minimize(isa, p, f, seen))
        }
        _ => {
            let mut lbfgs = Lbfgs::new(len, lbfgs::Options { max_iterations, ..Default::default() })?;
            minimise(trainer, net, training, held_back, observe, |p, f, seen| lbfgs.minimize(isa, p, f, seen))
        }
    }
}

/// Gives `minimiser` the network's objective, and the training its course.
fn minimise<T: Float, A: ActivationFn, L: LossFn>(
    trainer: &Trainer<L>,
    net: &mut Network<T, A>,
    training: Batch<'_, T>,
    held_back: Option<Batch<'_, T>>,
    observe: &mut Observer<'_>,
    minimiser: impl FnOnce(&mut [T], Objective<'_, T>, Seen<'_, T>) -> Result<Report>,
) -> Result<History> {
    let mut workspace = Workspace::new(net.spec(), training.x.nrows(), trainer.engine, trainer.threads.clone())?;
    let mut course = Course::new(trainer, net, held_back, observe)?;
    let (spec, params) = net.parts_mut();
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
    let report = minimiser(params, &mut objective, &mut |iteration| {
        let penalty = penalty(spec, iteration.params, &trainer.objective, trainer.engine, None);
        course.see(spec, iteration.number, iteration.value - penalty, iteration.params)
    })?;
    course.end(&report, params)
}

/// The perceptron rule, one pass over the rows after another, until no row is wrong.
pub(super) fn perceptron<T: Float, A: ActivationFn, L: LossFn>(
    trainer: &Trainer<L>,
    net: &mut Network<T, A>,
    training: Batch<'_, T>,
    observe: &mut Observer<'_>,
) -> Result<History> {
    let [layer] = net.spec().layers() else {
        return Err(Error::Unsupported(format!(
            "the perceptron rule trains one layer of threshold units, and this network has {} layers",
            net.spec().layers().len()
        )));
    };
    if layer.activation.builtin() != Some(Activation::Step) {
        return Err(Error::Unsupported(format!(
            "the perceptron rule trains threshold units (activation 'step'), and this layer is {:?}",
            layer.activation
        )));
    }
    let (count, inputs) = training.x.dim();
    let outputs = training.y.ncols();
    let mut history = History::default();
    let (spec, params) = net.parts_mut();
    let x = training.x.as_slice().expect("row-major, as fit() has checked");
    let y = training.y.as_slice().expect("row-major, as fit() has checked");
    let mut rule = Perceptron::<T>::new(inputs, outputs)?;
    let mut before = copied(params, "the parameters of the last epoch")?;
    for number in 1..=trainer.epochs {
        before.copy_from_slice(params);
        let (weights, bias) = params.split_at_mut(spec.blocks()[0].bias.start);
        let mistakes = rule.pass(trainer.engine.isa, x, y, weights, bias)?;
        if let Err(diverged) = check_finite("weight", trainer.engine.isa, spec, params, (number, 1)) {
            params.copy_from_slice(&before);
            return Err(diverged);
        }
        let wrong = mistakes as f64 / (count * outputs) as f64;
        history.training.push(wrong);
        history.kept = number;
        if observe(&Epoch { number, training: wrong, validation: None }).is_break() {
            history.stopped = Stopped::Observer;
            break;
        }
        if mistakes == 0 {
            history.stopped = Stopped::Converged;
            break;
        }
    }
    Ok(history)
}
