//! The perceptron rule, which looks at one row after another.
//!
//! Row 6 of the house: imports everything below.

use super::course::{Course, WholeBatch};
use super::divergence::check_finite;
use super::required::copied;
use super::run::Run;
use super::{History, Trainer};
use crate::activation::{Activation, ActivationFn};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::LossFn;
use crate::network::objective::{Batch, Value};
use crate::network::{Network, Spec};
use crate::optim::Stop;
use crate::optim::perceptron::Perceptron;
use std::ops::ControlFlow;

/// The perceptron rule, one pass over the rows after another, until no row is wrong.
pub(super) fn fit<'a, T: Float, A: ActivationFn, L: LossFn>(
    trainer: &'a Trainer<L>,
    net: &mut Network<T, A>,
    training: Batch<'a, T>,
    run: Run<'a, T>,
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
    let (inputs, outputs) = (training.x.ncols(), training.y.ncols());
    let (course, mut saved) = Course::new(trainer, net, training, run)?;
    if let Some(saved) = &mut saved {
        let params = saved.take("params", net.params().len())?;
        saved.check_empty()?;
        net.params_mut().copy_from_slice(&params);
    }
    let (spec, params) = net.parts_mut();
    let mut solver = Passes {
        trainer,
        spec,
        training,
        rule: Perceptron::new(inputs, outputs)?,
        before: copied(params, "the parameters of the last epoch")?,
        passes: course.epochs(),
        separates: course.last_loss() == Some(0.0),
    };
    course.lead(spec, params, &mut solver)
}

/// The rule at work, a pass over the rows at a time.
struct Passes<'a, 'n, T, A, L> {
    trainer: &'a Trainer<L>,
    spec: &'n Spec<A>,
    training: Batch<'a, T>,
    rule: Perceptron<T>,
    before: Vec<T>,
    passes: usize,
    /// Whether the last pass found no row wrong.
    separates: bool,
}

impl<T: Float, A: ActivationFn, L: LossFn> WholeBatch<T> for Passes<'_, '_, T, A, L> {
    fn advance(&mut self, params: &mut [T]) -> Result<ControlFlow<Stop, Value>> {
        let Self { trainer, spec, training, rule, before, passes, separates } = self;
        if *separates {
            return Ok(ControlFlow::Break(Stop::Decrease));
        } else if *passes >= trainer.epochs {
            return Ok(ControlFlow::Break(Stop::IterationLimit));
        }
        let x = training.x.as_slice().expect("row-major, as fit() has checked");
        let y = training.y.as_slice().expect("row-major, as fit() has checked");
        before.copy_from_slice(params);
        let (weights, bias) = params.split_at_mut(spec.blocks()[0].bias.start);
        let mistakes = rule.pass(trainer.engine.isa, x, y, weights, bias)?;
        *passes += 1;
        if let Err(diverged) = check_finite("weight", trainer.engine.isa, spec, params, (*passes, 1)) {
            params.copy_from_slice(before);
            return Err(diverged);
        }
        *separates = mistakes == 0;
        Ok(ControlFlow::Continue(Value { loss: mistakes as f64 / training.y.len() as f64, penalty: 0.0 }))
    }
}
