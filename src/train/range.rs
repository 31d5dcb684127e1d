//! The learning-rate range test: which rates teach, found by trying all of them in one short training.
//!
//! Row 6 of the house: imports everything below. Begin reading at [`Trainer::find_rate`].
//!
//! Smith (2017, "Cyclical learning rates for training neural networks", section 3.3) lets the rate rise and looks where the loss begins
//! to fall and where it ceases to. This is the form that fastai's `lr_find` has given it: an exponential rise, a smoothed loss, and an
//! end where that has grown to four times its lowest.

use super::descent::Descent;
use super::rows::Inputs;
use super::{Scope, Solver, Trainer};
use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::LossFn;
use crate::network::Network;
use crate::network::objective::Batch;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};

/// Which rates are tried, and when the trying ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateRange {
    /// The first rate.
    pub from: f64,
    /// The last.
    pub to: f64,
    /// Steps, of a mini-batch each; the rate grows by the same factor from each to the next.
    pub steps: usize,
    /// How much of the smoothed loss is left of it at each step, from 0 (nothing: it is the loss itself) to below 1.
    pub smoothing: f64,
    /// The test is over where the smoothed loss exceeds so many times its lowest.
    pub divergence: f64,
}

impl Default for RateRange {
    /// Those of fastai's `lr_find`: 1e-7 to 10 in 100 steps, and an end at four times the lowest. The smoothing is 0.8 rather than its 0.98,
    /// which remembers half of the steps: networks of 3 to 5 units were told rates at which they learn nothing.
    fn default() -> Self {
        Self { from: 1e-7, to: 10.0, steps: 100, smoothing: 0.8, divergence: 4.0 }
    }
}

impl RateRange {
    /// Reads `FROM,TO` or `FROM,TO,STEPS`, such as `1e-7,10,100`.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse =
            || Error::setting("find rate", "FROM,TO or FROM,TO,STEPS such as 1e-7,10,100", format!("'{text}'"));
        let mut range = Self::default();
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let [from, to, steps @ ..] = &parts[..] else { return Err(refuse()) };
        range.from = from.parse().map_err(|_| refuse())?;
        range.to = to.parse().map_err(|_| refuse())?;
        match steps {
            [] => {}
            [steps] => range.steps = steps.parse().map_err(|_| refuse())?,
            _ => return Err(refuse()),
        }
        range.check()?;
        Ok(range)
    }

    /// The rate of step `number`, from 0.
    pub fn rate(&self, number: usize) -> f64 {
        let last = self.steps - 1;
        // The ends to the last bit.
        if number == last { self.to } else { self.from * libm::pow(self.to / self.from, number as f64 / last as f64) }
    }

    fn check(&self) -> Result<()> {
        let Self { from, to, steps, smoothing, divergence } = *self;
        if !(from.is_finite() && from > 0.0) {
            return Err(Error::setting("the first rate", "a finite number above 0", from));
        }
        if !(to.is_finite() && to > from && (to / from).is_finite()) {
            return Err(Error::setting("the last rate", format!("a finite number above {from}, the first"), to));
        }
        if !(2..=MOST_STEPS).contains(&steps) {
            return Err(Error::setting("steps of the range test", format!("2 to {MOST_STEPS}"), steps));
        }
        if !(0.0..1.0).contains(&smoothing) {
            return Err(Error::setting("smoothing of the range test", "0 to below 1", smoothing));
        }
        if !(divergence.is_finite() && divergence > 1.0) {
            return Err(Error::setting("divergence of the range test", "a finite number above 1", divergence));
        }
        Ok(())
    }
}

/// More would say nothing that a picture could show: at a million steps the rate grows by 2 in 100,000 from each to the next.
const MOST_STEPS: usize = 1_000_000;

/// One step of a range test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tried {
    /// Its learning rate.
    pub rate: f64,
    /// The loss of its mini-batch before it, without penalty: what the rates below have made of the network.
    pub loss: f64,
    /// The exponential mean of the losses so far, over the sum of its weights.
    pub smoothed: f64,
}

/// Why a range test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RangeEnd {
    /// The loss exceeded [`RateRange::divergence`] times its lowest, ran away as [`Trainer::fit`] has it, or something was not finite.
    Diverged,
    /// All rates were tried.
    AllTried,
    /// It was interrupted.
    Interrupted,
}

/// What a range test found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeTest {
    /// The steps, in order; losses are finite.
    pub tried: Vec<Tried>,
    /// Why there were no more.
    pub end: RangeEnd,
}

impl RangeTest {
    /// The step whose smoothed loss is the lowest, the first of several.
    pub fn lowest(&self) -> Option<Tried> {
        let lower = |a: &Tried, b: &Tried| a.smoothed.total_cmp(&b.smoothed);
        self.tried.iter().copied().min_by(lower)
    }

    /// A rate to train at: a tenth of that at the lowest smoothed loss.
    ///
    /// None where that is below all that were tried (a test that begins lower, or a loss that falls at all, would say), or where the test
    /// was interrupted. If the lowest is the last and all were tried, higher rates may be better.
    ///
    /// On the car data, of networks of 0, 3, 5, 10, 30 and 100 hidden units at three seeds each, 17 of 18 came with it to an accuracy at most
    /// 0.06 below that of the default rate, nine of them above it; one of three units learnt nothing.
    /// [`steepest`](Self::steepest) was misled by the batches' own scatter in a third of the tests.
    pub fn suggestion(&self) -> Option<f64> {
        let rate = self.lowest()?.rate / 10.0;
        (self.end != RangeEnd::Interrupted && rate >= self.tried[0].rate).then_some(rate)
    }

    /// The rate at which the smoothed loss falls the fastest, up to the lowest; the first tenth of the steps, in which it is a mean
    /// of few, is left out. Smith's and fastai's first advice, of which the scatter of small batches makes little.
    pub fn steepest(&self) -> Option<f64> {
        let lowest = self.lowest()?.smoothed;
        let to = self.tried.iter().position(|step| step.smoothed == lowest)?;
        let fall = |i: usize| self.tried[i + 1].smoothed - self.tried[i].smoothed;
        let steepest = (self.tried.len() / 10..to).min_by(|&a, &b| fall(a).total_cmp(&fall(b)))?;
        Some(self.tried[steepest].rate)
    }
}

/// A test under way.
struct Test {
    range: RateRange,
    tried: Vec<Tried>,
    /// The rate of the step that is being taken.
    rate: f64,
    /// The exponential sum of the losses, and that of its weights.
    mean: f64,
    weight: f64,
    /// The lowest smoothed loss.
    lowest: f64,
}

impl Test {
    /// Takes in the loss of the step at the current rate; says whether it has diverged.
    fn hear(&mut self, loss: f64) -> bool {
        let kept = self.range.smoothing;
        self.mean = kept * self.mean + (1.0 - kept) * loss;
        self.weight = kept * self.weight + (1.0 - kept);
        let smoothed = self.mean / self.weight;
        self.tried.push(Tried { rate: self.rate, loss, smoothed });
        self.lowest = self.lowest.min(smoothed);
        // Of a lowest loss of 0 or below there is no multiple: it may rise as often as far as it has fallen, or lies from 0.
        let scale = match self.lowest > 0.0 {
            true => self.lowest,
            false => (self.tried[0].loss - self.lowest).max(-self.lowest),
        };
        smoothed - self.lowest > (self.range.divergence - 1.0) * scale
    }
}

impl<L: LossFn> Trainer<L> {
    /// Tries the rates of `range` on a copy of `net`, one for each step, and records the loss: the learning-rate range test.
    ///
    /// The steps are those that [`fit`](Self::fit) would take from the same parameters, in the same order of rows, with noise, norms,
    /// penalties and clipping, but for their rates: [`learning_rate`](Self::learning_rate), schedule and warm-up have no part in it, nor have
    /// averages, [`epochs`](Self::epochs) (the rows are gone through as often as it takes) and stopping. A batch that weighs nothing
    /// takes no step. `inputs` and `interrupt` are as in [`Run`](super::Run).
    ///
    /// **Shapes**: `x` rows x inputs (rows x 0 with `inputs`), `y` rows x outputs. **Determinism**: the same seed, data and settings give the
    /// same bits, for any number of threads. **Errors**: solvers that take no mini-batches, shapes, settings out of range, targets
    /// that the loss refuses, no memory, and those of `inputs`. A loss that diverges is none: it ends the test.
    pub fn find_rate<'a, T: Float, A: ActivationFn>(
        &self,
        net: &Network<T, A>,
        training: Batch<'a, T>,
        range: RateRange,
        inputs: Option<&'a mut (dyn Inputs<T> + 'a)>,
        interrupt: Option<&AtomicBool>,
    ) -> Result<RangeTest> {
        let Solver::Steps(method) = self.solver else {
            return Err(Error::Unsupported(format!(
                "a learning-rate range test is for solvers that step after each mini-batch, which {} is not",
                self.solver.name()
            )));
        };
        range.check()?;
        let trainer = Self { averaging: None, watch_gradients: None, ..self.clone() };
        trainer.check()?;
        let (rows, streams) = (training.x.nrows(), inputs.is_some());
        trainer.check_training(net, &training, streams)?;
        trainer.require_memory(net, Scope { rows, streams, ..Scope::default() })?;
        let mut net = net.clone();
        let mut descent = Descent::new(&trainer, method, &mut net, (training, inputs), false, None)?;
        let mut test = Test {
            range,
            tried: Vec::with_capacity(range.steps),
            rate: range.from,
            mean: 0.0,
            weight: 0.0,
            lowest: f64::INFINITY,
        };
        let mut end = RangeEnd::AllTried;
        let (spec, numbers) = net.state_parts_mut();
        let mut next = |last: Option<f64>| {
            if last.is_some_and(|loss| test.hear(loss)) {
                end = RangeEnd::Diverged;
                return None;
            }
            if test.tried.len() == range.steps {
                return None;
            }
            if interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                end = RangeEnd::Interrupted;
                return None;
            }
            test.rate = range.rate(test.tried.len());
            Some(test.rate)
        };
        match trainer.threads.enter(|| descent.steps(spec, numbers, &mut next)) {
            Ok(()) => {}
            Err(Error::Diverged { .. }) => end = RangeEnd::Diverged,
            Err(other) => return Err(other),
        }
        Ok(RangeTest { tried: test.tried, end })
    }
}
