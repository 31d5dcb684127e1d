//! Everything that a training changes while it runs: what is saved to continue it another day with the same bits.
//!
//! Row 6 of the house: imports everything below.

use super::judge::Heard;
use super::rate::Rate;
use super::stopping::{Monitor, Seen, Stopping, Watch};
use super::{Epoch, Figures, History, Stopped, Trainer};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::network::objective::Value;
use crate::optim::{lbfgs, levenberg_marquardt, rprop, scg};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The plain numbers of a solver that looks at all rows, between two iterations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Minimisation {
    Lbfgs(lbfgs::Progress),
    Scg(scg::Progress),
    Rprop(rprop::Progress),
    LevenbergMarquardt(levenberg_marquardt::Progress),
}

impl Minimisation {
    fn iterations(&self) -> usize {
        match self {
            Self::Lbfgs(progress) => progress.iterations,
            Self::Scg(progress) => progress.iterations,
            Self::Rprop(progress) => progress.iterations,
            Self::LevenbergMarquardt(progress) => progress.iterations,
        }
    }
}

/// The plain numbers of a training's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Epochs finished.
    pub epoch: usize,
    /// Batches done of the next.
    pub batch: usize,
    /// Steps done in all.
    pub steps: u64,
    /// Sums over the batches of the epoch begun: of weighted losses, of weighted penalties, of weights.
    pub(super) sums: [f64; 3],
    /// The largest loss of a batch that is known from before training.
    pub(super) start_loss: Option<f64>,
    pub(super) watch: Watch,
    pub(super) rate: Rate,
    /// How many parameters the average is of.
    pub(super) averaged: u64,
    /// Where a whole-batch solver stands; none of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) minimisation: Option<Minimisation>,
    /// Seconds of training in this and earlier runs.
    pub seconds: f64,
    /// What has happened.
    pub history: History,
    /// Why the training is over, if it is.
    pub stopped: Option<Stopped>,
}

impl Standing {
    pub(super) fn new() -> Self {
        Self {
            epoch: 0,
            batch: 0,
            steps: 0,
            sums: [0.0; 3],
            start_loss: None,
            watch: Watch::new(),
            rate: Rate::new(),
            averaged: 0,
            minimisation: None,
            seconds: 0.0,
            history: History::default(),
            stopped: None,
        }
    }

    /// Whether there is nothing left to do.
    pub(super) fn is_over(&self, epochs: usize) -> bool {
        self.stopped.is_some() || self.epoch >= epochs
    }

    /// Takes in an epoch: its loss, and what was said of it. Says whether it is the best so far. With `stalls`, the training ends
    /// where the figure watched no longer improves.
    pub(super) fn end_epoch<L>(&mut self, trainer: &Trainer<L>, value: Value, heard: Heard, stalls: bool) -> bool {
        let Heard { validation, training_figures, validation_figures } = heard;
        let rule = &trainer.stopping;
        let (watched, rises) = match (validation, rule.monitor) {
            (Some(_), Monitor::Figure { index, rises }) => (validation_figures[index], rises),
            (Some(loss), Monitor::Loss) => (loss, false),
            (None, _) => (value.objective(), false),
        };
        self.epoch += 1;
        self.history.training.push(value.loss);
        self.history.validation.extend(validation);
        let Figures { training, validation: held_back } = &mut self.history.figures;
        for (to, figures) in [(training, training_figures), (held_back, validation_figures)] {
            if !figures.is_empty() {
                to.push(figures);
            }
        }
        let Seen { is_best, is_stalled } = self.watch.see(rule, watched, rises);
        self.rate.see(trainer.schedule, if rises { -watched } else { watched });
        if validation.is_none() || is_best {
            self.history.kept = self.epoch;
        }
        if stalls && is_stalled {
            if self.rate.relents(trainer) {
                self.watch.forgive();
            } else {
                self.stopped = Some(stalled(validation.is_some()));
            }
        }
        if rule.is_reached(validation.unwrap_or(value.loss)) {
            self.stopped = Some(Stopped::TargetReached);
        }
        if rule.is_time_up(self.seconds) {
            self.stopped = Some(Stopped::TimeUp);
        }
        is_best
    }

    /// Takes back what ended the training, unless it still would: an interruption or an observer's word, a target that was moved, a
    /// limit that was raised. With `stalls`, it ends where the figure watched no longer improves, as in [`end_epoch`](Self::end_epoch).
    pub(super) fn reopen(&mut self, rule: &Stopping, stalls: bool) {
        let is_judged = !self.history.validation.is_empty();
        let losses = if is_judged { &self.history.validation } else { &self.history.training };
        let last = losses.last().copied().unwrap_or(f64::INFINITY);
        self.stopped = match self.stopped {
            Some(Stopped::Interrupted | Stopped::Observer) => None,
            Some(Stopped::TargetReached) if !rule.is_reached(last) => None,
            Some(Stopped::TimeUp) if !rule.is_time_up(self.seconds) => None,
            other => other,
        };
        // What they had covered: the training had stalled in the same epoch.
        if stalls && self.stopped.is_none() && self.epoch > 0 && self.watch.is_stalled(rule) {
            self.stopped = Some(stalled(is_judged));
        }
    }

    /// Refuses numbers that no training with mini-batches would have saved.
    pub(super) fn check(&self, epochs: usize, batches: usize, is_judged: bool) -> Result<()> {
        // The rate of an epoch is noted when it begins.
        let begun = self.epoch + usize::from(self.batch > 0);
        self.check_epochs((epochs, batches.max(1)), is_judged, [begun, 0])?;
        match self.minimisation {
            None => Ok(()),
            Some(_) => {
                Err(Error::shape("saved state", "one of mini-batches", "one of a solver that looks at all rows"))
            }
        }
    }

    /// Refuses numbers that no training by a solver which looks at all rows would have saved; with `is_bayes` it finds a
    /// regularisation after each epoch, and with `minimises` it says where it stands.
    pub(super) fn check_whole(&self, epochs: usize, is_judged: bool, is_bayes: bool, minimises: bool) -> Result<()> {
        self.check_epochs((epochs, 1), is_judged, [0, if is_bayes { self.epoch } else { 0 }])?;
        let (expected, found) = (minimises.then_some(self.epoch), self.minimisation.map(|state| state.iterations()));
        match expected == found {
            true => Ok(()),
            false => Err(Error::shape("saved iterations", format!("{expected:?}"), format!("{found:?}"))),
        }
    }

    /// Refuses more epochs or batches than there are, and a history of other lengths: it has as many rates and regularisations.
    fn check_epochs(
        &self,
        (epochs, batches): (usize, usize),
        is_judged: bool,
        [rates, found]: [usize; 2],
    ) -> Result<()> {
        if self.epoch > epochs || self.batch >= batches {
            let found = format!("{} epochs and {} batches", self.epoch, self.batch);
            return Err(Error::shape("saved state", format!("at most {epochs} epochs of {batches} batches"), found));
        }
        let history = &self.history;
        let expected = [self.epoch, if is_judged { self.epoch } else { 0 }, rates, found];
        let lengths =
            [history.training.len(), history.validation.len(), history.rates.len(), history.regularisation.len()];
        if lengths != expected {
            return Err(Error::shape("saved history", format!("{expected:?} figures"), format!("{lengths:?}")));
        }
        if history.kept > self.epoch {
            return Err(Error::shape("saved history, the epoch kept", format!("at most {}", self.epoch), history.kept));
        }
        Ok(())
    }

    /// The last epoch, as an observer sees it.
    pub(super) fn last_epoch(&self) -> Epoch<'_> {
        let History { training, validation, rates, figures, .. } = &self.history;
        Epoch {
            number: self.epoch,
            training: training.last().copied().unwrap_or(f64::NAN),
            validation: validation.last().copied(),
            rate: rates.last().copied().unwrap_or(0.0),
            figures,
        }
    }
}

/// Why a training that has stalled ends.
fn stalled(is_judged: bool) -> Stopped {
    if is_judged { Stopped::ValidationStalled } else { Stopped::TrainingStalled }
}

/// A training's state, borrowed from it.
#[derive(Clone, Debug)]
pub struct Snapshot<'a, T> {
    /// The plain numbers.
    pub standing: &'a Standing,
    /// The buffers, each with its name; the parameters, and after them the running statistics of batch normalisation, are `params`.
    pub buffers: Vec<(&'static str, &'a [T])>,
    /// Those in `f64`, whatever the network's type, of solvers that compute so.
    pub wide: Vec<(&'static str, &'a [f64])>,
}

impl<T: Clone> Snapshot<'_, T> {
    /// A copy that outlives the training.
    pub fn to_saved(&self) -> Saved<T> {
        Saved { standing: self.standing.clone(), buffers: owned(&self.buffers), wide: owned(&self.wide) }
    }

    /// The bytes of its buffers.
    pub(super) fn bytes(&self) -> u128 {
        let count = |lengths: &mut dyn Iterator<Item = usize>| lengths.map(|length| length as u128).sum::<u128>();
        count(&mut self.buffers.iter().map(|(_, buffer)| size_of_val(*buffer)))
            + count(&mut self.wide.iter().map(|(_, buffer)| size_of_val(*buffer)))
    }
}

fn owned<T: Clone>(buffers: &[(&'static str, &[T])]) -> BTreeMap<String, Vec<T>> {
    buffers.iter().map(|(name, buffer)| ((*name).into(), buffer.to_vec())).collect()
}

/// A training's state as it was saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved<T> {
    /// The plain numbers.
    pub standing: Standing,
    /// The buffers by name.
    pub buffers: BTreeMap<String, Vec<T>>,
    /// Those in `f64`, whatever the network's type.
    pub wide: BTreeMap<String, Vec<f64>>,
}

impl<T: Float> Saved<T> {
    /// Moves the buffer out.
    ///
    /// **Errors** if it is not there, has another length, or holds a number that is not finite.
    pub(super) fn take(&mut self, name: &str, length: usize) -> Result<Vec<T>> {
        take(&mut self.buffers, name, length)
    }

    /// [`take`](Self::take) of a buffer in `f64`.
    pub(super) fn take_wide(&mut self, name: &str, length: usize) -> Result<Vec<f64>> {
        take(&mut self.wide, name, length)
    }

    /// Refuses buffers that nobody took.
    pub(super) fn check_empty(&self) -> Result<()> {
        match self.buffers.keys().chain(self.wide.keys()).next() {
            None => Ok(()),
            Some(name) => Err(Error::shape("saved state", "only buffers of this training", format!("'{name}'"))),
        }
    }
}

fn take<T: Float>(buffers: &mut BTreeMap<String, Vec<T>>, name: &str, length: usize) -> Result<Vec<T>> {
    let what = || format!("saved state, buffer '{name}'");
    let buffer = buffers.remove(name).ok_or_else(|| Error::shape(what(), length, "no such buffer"))?;
    if buffer.len() != length {
        return Err(Error::shape(what(), length, buffer.len()));
    }
    match buffer.iter().position(|x| !x.is_finite()) {
        None => Ok(buffer),
        Some(index) => Err(Error::shape(format!("{}, index {index}", what()), "a finite number", buffer[index].real())),
    }
}
