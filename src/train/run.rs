//! What accompanies a training: rows that judge it, figures that are taken, who is told, who may end it, and what is saved.
//!
//! Row 6 of the house: imports everything below. Begin reading at [`Run`].

use super::measure::Measure;
use super::rows::Inputs;
use super::state::{Saved, Snapshot, Standing};
use super::{Epoch, Stopped};
use crate::error::Result;
use crate::network::objective::Batch;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// Told of each epoch; breaking ends the training with what it has.
pub type Observer<'a> = dyn FnMut(&Epoch) -> ControlFlow<()> + 'a;

/// What accompanies a training. Nothing of it moves a parameter: rows held back choose which of them are kept, and when to stop.
///
/// ```
/// use deltarule::prelude::*;
/// use deltarule::train::Run;
/// use ndarray::array;
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// let (x, y) = (array![[0.0], [1.0], [2.0]], array![[1.0], [3.0], [5.0]]);
/// let mut net = Network::<f64>::zeros(Spec::mlp(1, &[], Activation::Tanh, 1, Activation::Identity)?)?;
/// let batch = Batch { x: x.view(), y: y.view(), weights: None };
/// // Another thread, or a signal, may set this at any time: the training ends after the step.
/// let interrupt = AtomicBool::new(false);
/// let run = Run { interrupt: Some(&interrupt), ..Run::default() };
/// let trainer = Trainer { learning_rate: 0.1, ..Trainer::default() };
/// let history = trainer.run(&mut net, batch, run)?;
/// assert_eq!(history.training.len(), history.rates.len());
/// # Ok::<(), deltarule::Error>(())
/// ```
pub struct Run<'a, T> {
    /// Rows that are not trained on: the training stops when their loss, or what [`Stopping::monitor`](super::Stopping) says,
    /// stalls, and the best parameters are kept.
    pub held_back: Option<Batch<'a, T>>,
    /// Where the inputs of the training rows are read, mini-batch after mini-batch, if they are not in memory: the training's `x` is then
    /// rows x 0. For solvers that step after each mini-batch.
    pub inputs: Option<&'a mut (dyn Inputs<T> + 'a)>,
    /// What is measured beside the loss after each epoch.
    pub measure: Option<&'a dyn Measure<T>>,
    /// Told of each epoch, and may end the training.
    pub observe: Option<&'a mut Observer<'a>>,
    /// Ends the training after the step, or the epoch of a whole-batch solver, in which it becomes true.
    pub interrupt: Option<&'a AtomicBool>,
    /// Where the training's state goes.
    pub save: Option<Saving<'a, T>>,
    /// The state of an earlier run to continue from, in place of the network's parameters.
    pub resume: Option<Saved<T>>,
}

impl<T> Default for Run<'_, T> {
    fn default() -> Self {
        Self { held_back: None, inputs: None, measure: None, observe: None, interrupt: None, save: None, resume: None }
    }
}

impl<T> fmt::Debug for Run<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("held_back", &self.held_back.is_some()).finish_non_exhaustive()
    }
}

/// Who keeps a training's state, and how often.
pub struct Saving<'a, T> {
    /// After every so many epochs (iterations of a solver that looks at all rows), and where the training ends or is interrupted.
    pub every: usize,
    /// Takes the state; an error ends the training.
    pub save: &'a mut dyn FnMut(&Snapshot<'_, T>) -> Result<()>,
}

impl<T> fmt::Debug for Saving<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saving").field("every", &self.every).finish_non_exhaustive()
    }
}

/// Tells of the last epoch, after which `observe` or an interrupt may end the training. What has ended it already stays the reason:
/// whoever resumes an interrupted one goes on.
pub(super) fn tell(standing: &mut Standing, observe: &mut Option<&mut Observer<'_>>, interrupt: Option<&AtomicBool>) {
    let asked = observe.as_mut().is_some_and(|observe| observe(&standing.last_epoch()).is_break());
    if standing.stopped.is_some() {
        return;
    }
    if asked {
        standing.stopped = Some(Stopped::Observer);
    } else if interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        standing.stopped = Some(Stopped::Interrupted);
    }
}
