//! When a training has nothing left to gain, and which parameters were the best.

use crate::error::{Error, Result};
#[cfg(doc)]
use crate::optim::lbfgs;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// When a training ends before its last epoch.
///
/// It ends where the figure that is watched has not fallen (or risen, for one that should) by more than `tolerance` beyond its best
/// for `patience` epochs running. That figure is the [`monitor`](Self::monitor)'s, of the held-back rows if there are any, else the
/// training objective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stopping {
    /// The least progress that counts, as a share of the first epoch's figure: so no unit of the loss is special, and a loss
    /// that falls to zero stalls at last (measured against itself it never would).
    pub tolerance: f64,
    /// Whether the tolerance is in the figure's own unit instead, as scikit-learn's `tol`.
    pub is_absolute: bool,
    /// How many epochs without it are borne; `usize::MAX` means never stop.
    pub patience: usize,
    /// Ends the training after the first epoch whose loss is at most this: that of the held-back rows if there are any, else of the
    /// training, both without penalty.
    pub target_loss: Option<f64>,
    /// Ends the training after the first epoch that is over later than this. What a training learns until then has the same bits as
    /// ever; how far it comes depends on the machine.
    pub time_limit: Option<Duration>,
    /// What is watched on the held-back rows.
    pub monitor: Monitor,
    /// Ends a training by L-BFGS where no component of the gradient is larger, scikit-learn's `tol` for it; without, as
    /// [`lbfgs::Options`] has it. For [`Solver::Lbfgs`](super::Solver::Lbfgs) alone.
    pub gradient_tolerance: Option<f64>,
    /// Ends a training by L-BFGS where an iteration lessens the objective by no larger a part of it (or of 1, if that is more), SciPy's
    /// `ftol`; without, as [`lbfgs::Options`] has it. For [`Solver::Lbfgs`](super::Solver::Lbfgs) alone.
    pub function_tolerance: Option<f64>,
    /// Ends a training by L-BFGS after so many evaluations of the objective, scikit-learn's `max_fun`; without, as [`lbfgs::Options`] has
    /// it. For [`Solver::Lbfgs`](super::Solver::Lbfgs) alone.
    pub max_evaluations: Option<usize>,
}

/// A figure of the held-back rows, by which a training is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// The loss.
    #[default]
    Loss,
    /// One of the figures that the run's [`Measure`](super::Measure) takes.
    Figure {
        /// Which, from 0, in the order of its names.
        index: usize,
        /// Whether more is better, as of an accuracy.
        rises: bool,
    },
}

impl Default for Stopping {
    fn default() -> Self {
        Self { tolerance: 1e-4, patience: 10, ..Self::NEVER }
    }
}

impl Stopping {
    /// Never before the last epoch.
    pub const NEVER: Self = Self {
        tolerance: 0.0,
        is_absolute: false,
        patience: usize::MAX,
        target_loss: None,
        time_limit: None,
        monitor: Monitor::Loss,
        gradient_tolerance: None,
        function_tolerance: None,
        max_evaluations: None,
    };

    /// Whether a loss has come down to the target.
    pub(super) fn is_reached(&self, loss: f64) -> bool {
        self.target_loss.is_some_and(|target| loss <= target)
    }

    /// Whether so many seconds are as many as allowed.
    pub(super) fn is_time_up(&self, seconds: f64) -> bool {
        self.time_limit.is_some_and(|limit| seconds >= limit.as_secs_f64())
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(self.tolerance.is_finite() && self.tolerance >= 0.0) {
            return Err(Error::setting("tolerance", "a finite number of at least 0", self.tolerance));
        }
        if self.patience == 0 {
            return Err(Error::setting("patience", "at least 1 epoch", 0));
        }
        for (name, tolerance) in
            [("gradient tolerance", self.gradient_tolerance), ("function tolerance", self.function_tolerance)]
        {
            if let Some(tolerance) = tolerance.filter(|tolerance| !(tolerance.is_finite() && *tolerance >= 0.0)) {
                return Err(Error::setting(name, "a finite number of at least 0", tolerance));
            }
        }
        if self.max_evaluations == Some(0) {
            return Err(Error::setting("evaluations", "at least 1", 0));
        }
        match self.target_loss {
            Some(target) if !target.is_finite() => Err(Error::setting("target loss", "a finite number", target)),
            _ => Ok(()),
        }
    }
}

/// Watches one figure over the epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Watch {
    /// The first epoch's figure.
    #[serde(with = "super::exact::option")]
    first: Option<f64>,
    /// The best figure, by however little.
    #[serde(with = "super::exact::option")]
    best: Option<f64>,
    /// The figure that the next must outdo by the tolerance to count.
    #[serde(with = "super::exact::option")]
    mark: Option<f64>,
    /// Epochs since the mark was outdone.
    waited: usize,
}

/// What a [`Watch`] says of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether it is the best so far.
    pub is_best: bool,
    /// Whether patience is over.
    pub is_stalled: bool,
}

impl Watch {
    pub fn new() -> Self {
        Self { first: None, best: None, mark: None, waited: 0 }
    }

    /// Takes in an epoch's figure, of which less is better unless it `rises`.
    pub fn see(&mut self, rule: &Stopping, figure: f64, rises: bool) -> Seen {
        let loss = if rises { -figure } else { figure };
        let below = |mark: Option<f64>, fall: f64| mark.is_none_or(|mark| loss < mark - fall);
        let is_best = below(self.best, 0.0);
        if is_best {
            self.best = Some(loss);
        }
        let first = self.first.get_or_insert(loss).abs();
        let fall = rule.tolerance * if rule.is_absolute { 1.0 } else { first };
        if below(self.mark, fall) {
            (self.mark, self.waited) = (Some(loss), 0);
        } else {
            self.waited += 1;
        }
        Seen { is_best, is_stalled: self.is_stalled(rule) }
    }

    /// Whether patience is over.
    pub fn is_stalled(&self, rule: &Stopping) -> bool {
        self.waited >= rule.patience
    }

    /// Begins to wait anew.
    pub fn forgive(&mut self) {
        self.waited = 0;
    }
}
