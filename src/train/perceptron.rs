//! The perceptron rule, which looks at one row after another.
//!
//! Row 6 of the house: imports everything below.

use super::divergence::check_finite;
use super::required::copied;
use super::run::{Run, tell};
use super::state::Standing;
use super::{History, Stopped, Trainer};
use crate::activation::{Activation, ActivationFn};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::LossFn;
use crate::network::Network;
use crate::network::objective::Batch;
use crate::optim::perceptron::Perceptron;

/// The perceptron rule, one pass over the rows after another, until no row is wrong.
pub(super) fn fit<'a, T: Float, A: ActivationFn, L: LossFn>(
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
    if !layer.norm.is_none() {
        return Err(Error::Unsupported("the perceptron rule trains a layer without a norm".into()));
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
        tell(&mut standing, &mut observe, interrupt);
        if mistakes == 0 {
            standing.stopped.get_or_insert(Stopped::Converged);
        }
        if let Some(stopped) = standing.stopped {
            standing.history.stopped = stopped;
            break;
        }
    }
    Ok(standing.history)
}
