//! Solvers that look at all rows before each move: L-BFGS; and the perceptron rule, which looks at each.

use super::divergence::{check_finite, not_finite};
use super::judge::Jury;
use super::required::copied;
use super::run::Run;
use super::state::Standing;
use super::{History, Stopped, Trainer};
use crate::activation::{Activation, ActivationFn};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::LossFn;
use crate::network::objective::{Batch, Value, penalty};
use crate::network::workspace::Workspace;
use crate::network::{Network, pass};
use crate::optim::Stop;
use crate::optim::lbfgs::{self, Lbfgs};
use crate::optim::perceptron::Perceptron;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Instant;

pub(super) fn lbfgs<'a, T: Float, A: ActivationFn, L: LossFn>(
    trainer: &Trainer<L>,
    net: &mut Network<T, A>,
    training: Batch<'a, T>,
    run: Run<'a, T>,
) -> Result<History> {
    let Run { held_back, measure, mut observe, interrupt, .. } = run;
    let begun = Instant::now();
    let rows = training.x.nrows();
    let mut workspace = Workspace::new(net.spec(), rows, trainer.engine, trainer.threads.clone())?;
    let mut jury = Jury::new(trainer, net.spec(), training, held_back, measure)?;
    let mut standing = Standing::new();
    let mut best = copied(net.params(), "the best parameters")?;
    let (spec, params) = net.parts_mut();
    let mut solver =
        Lbfgs::new(spec.parameters(), lbfgs::Options { max_iterations: trainer.epochs, ..Default::default() })?;
    let mut broken = None;
    let isa = trainer.engine.isa;

    // The line search shortens steps into what is not finite; before the first there is nothing to shorten.
    let mut begun_search = false;
    let objective = |params: &[T], gradient: &mut [T]| {
        let value =
            pass::value_and_gradient(spec, params, training.view(), &trainer.objective, &mut workspace, gradient)?;
        if !std::mem::replace(&mut begun_search, true) {
            if !value.objective().is_finite() {
                return Err(not_finite(&workspace, value, (1, 1)));
            }
            check_finite("gradient", isa, spec, gradient, (1, 1))?;
        }
        Ok(value.objective())
    };
    let report = solver.minimize(isa, params, objective, |iteration| {
        let heard = match jury.hear(spec, iteration.params, (iteration.number, 1)) {
            Ok(heard) => heard,
            Err(error) => {
                broken = Some(error);
                return ControlFlow::Break(());
            }
        };
        let penalty = penalty(spec, iteration.params, &trainer.objective, trainer.engine, None);
        standing.seconds = begun.elapsed().as_secs_f64();
        // Its own tolerances say when training has nothing left to gain.
        let value = Value { loss: iteration.value - penalty, penalty };
        if standing.end_epoch(trainer, value, heard, jury.judges()) && jury.judges() {
            best.copy_from_slice(iteration.params);
        }
        if observe.as_mut().is_some_and(|observe| observe(&standing.last_epoch()).is_break()) {
            standing.stopped = Some(Stopped::Observer);
        } else if interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            standing.stopped = Some(Stopped::Interrupted);
        }
        if standing.stopped.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if let Some(error) = broken {
        return Err(error);
    }
    let mut history = standing.history;
    history.stopped = standing.stopped.unwrap_or(match report.stopped {
        Stop::LineSearch => Stopped::LineSearch,
        stop if stop.converged() => Stopped::Converged,
        _ => Stopped::Epochs,
    });
    if jury.judges() && history.kept > 0 {
        net.params_mut().copy_from_slice(&best);
    }
    Ok(history)
}

/// The perceptron rule, one pass over the rows after another, until no row is wrong.
pub(super) fn perceptron<'a, T: Float, A: ActivationFn, L: LossFn>(
    trainer: &Trainer<L>,
    net: &mut Network<T, A>,
    training: Batch<'a, T>,
    run: Run<'a, T>,
) -> Result<History> {
    let Run { mut observe, interrupt, .. } = run;
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
    let mut standing = Standing::new();
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
        standing.history.training.push(wrong);
        standing.history.kept = number;
        standing.epoch = number;
        if observe.as_mut().is_some_and(|observe| observe(&standing.last_epoch()).is_break()) {
            standing.history.stopped = Stopped::Observer;
            break;
        }
        if interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            standing.history.stopped = Stopped::Interrupted;
            break;
        }
        if mistakes == 0 {
            standing.history.stopped = Stopped::Converged;
            break;
        }
    }
    Ok(standing.history)
}
