//! When a training has nothing left to gain, and which parameters were the best.

use super::Stopped;
use crate::error::{Error, Result};

/// Stops when the loss has not fallen by more than `tolerance` below its best for `patience` epochs running.
///
/// The loss is the held-back rows' if there are any, else the training objective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stopping {
    /// The least fall that counts, as a share of the first epoch's loss: so no unit of the loss is special, and a loss
    /// that falls to zero stalls at last (measured against itself it never would).
    pub tolerance: f64,
    /// How many epochs without it are borne; `usize::MAX` means never stop.
    pub patience: usize,
}

impl Default for Stopping {
    fn default() -> Self {
        Self { tolerance: 1e-4, patience: 10 }
    }
}

impl Stopping {
    /// Never before the last epoch.
    pub const NEVER: Self = Self { tolerance: 0.0, patience: usize::MAX };

    pub(super) fn check(&self) -> Result<()> {
        if !(self.tolerance.is_finite() && self.tolerance >= 0.0) {
            return Err(Error::setting("tolerance", "a finite number of at least 0", self.tolerance));
        }
        if self.patience == 0 {
            return Err(Error::setting("patience", "at least 1 epoch", 0));
        }
        Ok(())
    }
}

/// Watches one loss over the epochs.
#[derive(Debug)]
pub(super) struct Watch {
    rule: Stopping,
    /// Whether the loss watched is that of held-back rows.
    held_back: bool,
    /// The first epoch's loss.
    first: Option<f64>,
    /// The lowest loss, by however little.
    lowest: f64,
    /// The loss that the next must undercut by the tolerance to count.
    mark: f64,
    /// Epochs since the mark was undercut.
    waited: usize,
}

impl Watch {
    pub(super) fn new(rule: Stopping, held_back: bool) -> Self {
        Self { rule, held_back, first: None, lowest: f64::INFINITY, mark: f64::INFINITY, waited: 0 }
    }

    /// Takes in an epoch's loss; says whether it is the lowest so far, and whether to stop.
    pub(super) fn see(&mut self, loss: f64) -> (bool, Option<Stopped>) {
        let lowest = loss < self.lowest;
        self.lowest = self.lowest.min(loss);
        let fall = self.rule.tolerance * self.first.get_or_insert(loss).abs();
        if loss < self.mark - fall {
            (self.mark, self.waited) = (loss, 0);
        } else {
            self.waited += 1;
        }
        let stalled = if self.held_back { Stopped::ValidationStalled } else { Stopped::TrainingStalled };
        (lowest, (self.waited >= self.rule.patience).then_some(stalled))
    }
}
