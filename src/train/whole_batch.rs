//! Solvers that look at all rows before each move: L-BFGS; and the perceptron rule, which looks at each.

use super::descent::{Judge, check_finite, not_finite};
use super::required::copied;
use super::stopping::Watch;
use super::{Epoch, History, Observer, Stopped, Trainer};
use crate::activation::{Activation, ActivationFn};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::LossFn;
use crate::network::objective::{Batch, penalty};
use crate::network::workspace::Workspace;
use crate::network::{Network, pass};
use crate::optim::Stop;
use crate::optim::lbfgs::{self, Lbfgs};
use crate::optim::perceptron::Perceptron;
use std::ops::ControlFlow;

pub(super) fn lbfgs<T: Float, A: ActivationFn, L: LossFn>(
    trainer: &Trainer<L>,
    net: &mut Network<T, A>,
    training: Batch<'_, T>,
    held_back: Option<Batch<'_, T>>,
    observe: &mut Observer<'_>,
) -> Result<History> {
    let rows = training.x.nrows();
    let mut workspace = Workspace::new(net.spec(), rows, trainer.engine, trainer.threads.clone())?;
    let mut judge = held_back.map(|rows| Judge::new(trainer, net.spec(), rows)).transpose()?;
    let mut watch = Watch::new(trainer.stopping, judge.is_some());
    let mut history = History::default();
    let mut best = copied(net.params(), "the best parameters")?;
    let (spec, params) = net.parts_mut();
    let mut solver =
        Lbfgs::new(spec.parameters(), lbfgs::Options { max_iterations: trainer.epochs, ..Default::default() })?;
    let mut broken = None;
    let isa = trainer.engine.isa;

    // The line search shortens steps into what is not finite; before the first there is nothing to shorten.
    let mut begun = false;
    let objective = |params: &[T], gradient: &mut [T]| {
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
    let report = solver.minimize(isa, params, objective, |iteration| {
        let validation = match judge.as_mut().map(|judge| judge.loss(spec, iteration.params)).transpose() {
            Ok(validation) => validation,
            Err(error) => {
                broken = Some(error);
                return ControlFlow::Break(());
            }
        };
        let number = iteration.number;
        let training = iteration.value - penalty(spec, iteration.params, &trainer.objective, trainer.engine, None);
        history.training.push(training);
        history.validation.extend(validation);
        if let Some(validation) = validation {
            let (lowest, stop) = watch.see(validation);
            if lowest {
                best.copy_from_slice(iteration.params);
                history.kept = number;
            }
            if let Some(stop) = stop {
                history.stopped = stop;
                return ControlFlow::Break(());
            }
        } else {
            history.kept = number;
        }
        let go_on = observe(&Epoch { number, training, validation });
        if go_on.is_break() {
            history.stopped = Stopped::Observer;
        }
        go_on
    })?;
    if let Some(error) = broken {
        return Err(error);
    }
    match report.stopped {
        Stop::LineSearch => history.stopped = Stopped::LineSearch,
        stop if stop.converged() => history.stopped = Stopped::Converged,
        _ => {}
    }
    if judge.is_some() {
        net.params_mut().copy_from_slice(&best);
    }
    Ok(history)
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
    if !layer.norm.is_none() {
        return Err(Error::Unsupported("the perceptron rule trains a layer without a norm".into()));
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
