//! The learning rate of each step: the schedule, the warm-up before it, and what is remembered of the losses by the two
//! schedules that answer them.
//!
//! Row 6 of the house: imports `schedule`.

use super::Trainer;
use crate::schedule::{Progress, Schedule};
use serde::{Deserialize, Serialize};

/// The least fall that is progress to [`Schedule::Plateau`], as a share of the lowest loss: PyTorch's threshold.
const PLATEAU: f64 = 1e-4;

/// What a training's losses have made of its rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rate {
    /// The factor that has come of them.
    factor: f64,
    /// The loss that counts as the lowest, once there is one.
    #[serde(with = "super::exact::option")]
    lowest: Option<f64>,
    /// Epochs since it was undercut.
    waited: usize,
}

impl Rate {
    pub fn new() -> Self {
        Self { factor: 1.0, lowest: None, waited: 0 }
    }

    /// The learning rate of the step after `at`.
    pub fn at<L>(&self, trainer: &Trainer<L>, at: Progress) -> f64 {
        let warming = trainer.warm_up as f64 * at.steps_per_epoch as f64;
        // Linear: the first step takes one part of the rate, the last of the warm-up all of it.
        let warm = if warming > 0.0 { ((at.step + 1) as f64 / warming).min(1.0) } else { 1.0 };
        trainer.learning_rate * (trainer.schedule.factor(at) * self.factor * warm)
    }

    /// Takes in the loss that is watched, after an epoch.
    pub fn see(&mut self, schedule: Schedule, loss: f64) {
        let Schedule::Plateau { patience, factor } = schedule else { return };
        let lowest = self.lowest.unwrap_or(f64::INFINITY);
        // Also of a loss below zero a share is a fall.
        if loss < lowest - if lowest.is_finite() { PLATEAU * lowest.abs() } else { 0.0 } {
            (self.lowest, self.waited) = (Some(loss), 0);
            return;
        }
        self.waited += 1;
        if self.waited > patience {
            (self.factor, self.waited) = (self.factor * factor, 0);
        }
    }

    /// Whether a training that has stalled goes on at a lower rate instead, from now on.
    pub fn relents<L>(&mut self, trainer: &Trainer<L>) -> bool {
        let Schedule::Adaptive { divisor, least } = trainer.schedule else { return false };
        if trainer.learning_rate * self.factor <= least {
            return false;
        }
        self.factor /= divisor;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plateau_is_told_as_pytorch_tells_it() {
        let schedule = Schedule::Plateau { patience: 2, factor: 0.5 };
        // PyTorch 2.15.0: scripts/golden-schedules.py.
        let losses = [1.0, 0.9, 0.95, 0.92, 0.91, 0.91, 0.91, 0.5, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6];
        let rates = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125];
        let mut rate = Rate::new();
        for (loss, expected) in losses.into_iter().zip(rates) {
            rate.see(schedule, loss);
            assert_eq!(rate.factor, expected, "after {loss}");
        }
        assert_ne!(rate, Rate::new());
    }
}
