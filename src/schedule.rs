//! Schedules: what becomes of the learning rate while a training goes on.
//!
//! A schedule is a factor on the rate, and those here are functions of how far the training is: nothing is remembered between
//! steps, so that one which is interrupted continues as if it had not been. Two only say how they answer what a training finds
//! ([`Schedule::Adaptive`], [`Schedule::Plateau`]); who watches the loss does the rest. Row 3 of the house: imports `error`.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::fmt;

/// How far a training is, before a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps that the whole training would take.
    pub steps: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// Rows of an epoch.
    pub rows: u64,
}

impl Progress {
    /// Epochs done, the begun one as a part.
    fn epochs(&self) -> f64 {
        self.step as f64 / self.steps_per_epoch.max(1) as f64
    }

    /// Epochs finished.
    fn finished(&self) -> u64 {
        self.step / self.steps_per_epoch.max(1)
    }
}

/// What the learning rate is multiplied by.
///
/// ```
/// use deltarule::schedule::{Progress, Schedule};
///
/// let halved_after_five = Schedule::parse("step=5,0.5")?;
/// let at = |epoch: u64| Progress { step: 10 * epoch, steps: 100, steps_per_epoch: 10, rows: 320 };
/// assert_eq!(halved_after_five.factor(at(4)), 1.0);
/// assert_eq!(halved_after_five.factor(at(5)), 0.5);
/// # Ok::<(), deltarule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// 1 throughout.
    #[default]
    Constant,
    /// `1 / (rows + 1)^power`, rows counted over all finished epochs: scikit-learn's `invscaling`, whose power is 0.5.
    InverseScaling {
        /// The power; at least 0.
        power: f64,
    },
    /// Where a training would stop for want of progress, the rate is divided instead, until it is `least` or below: scikit-learn's
    /// `adaptive`, with 5 and 1e-6.
    Adaptive {
        /// What the rate is divided by; above 1.
        divisor: f64,
        /// The rate, as it is, from which on the training may stop.
        least: f64,
    },
    /// `factor` to the power of how often so many epochs have passed: PyTorch's `StepLR`, whose factor is 0.1.
    Step {
        /// After how many epochs; at least 1.
        every: usize,
        /// The factor; above 0 and at most 1.
        factor: f64,
    },
    /// `factor` to the power of the epochs finished: PyTorch's `ExponentialLR`.
    Exponential {
        /// The factor; above 0 and at most 1.
        factor: f64,
    },
    /// From 1 to 0 along half a cosine, step by step, and anew after each period (Loshchilov and Hutter 2017, SGDR).
    Cosine {
        /// Epochs of the first period; 0 for all of the training.
        period: usize,
        /// How much longer each next period is; at least 1.
        growth: usize,
    },
    /// Up from 1/25 to 1 during the first part of the training and down to 1/250,000 in the rest, both along cosines (Smith and
    /// Topin 2018), step by step as PyTorch's `OneCycleLR`: the learning rate is the highest.
    OneCycle {
        /// The part of the training in which it rises, between 0 and 1; 0.3 as in PyTorch.
        rise: f64,
    },
    /// The rate is multiplied by `factor` where the watched loss has not fallen by 1e-4 of itself for more than `patience` epochs:
    /// PyTorch's `ReduceLROnPlateau`, with 10 and 0.1.
    Plateau {
        /// Epochs without progress that are borne.
        patience: usize,
        /// The factor; above 0 and below 1.
        factor: f64,
    },
}

/// What PyTorch's `OneCycleLR` begins with, below the highest rate.
const FIRST: f64 = 1.0 / 25.0;
/// And what it ends with, below that.
const LAST: f64 = 1e-4;

impl Schedule {
    /// Every schedule, with the constants its users expect.
    pub const ALL: [Self; 8] = [
        Self::Constant,
        Self::InverseScaling { power: 0.5 },
        Self::Adaptive { divisor: 5.0, least: 1e-6 },
        Self::Step { every: 30, factor: 0.1 },
        Self::Exponential { factor: 0.95 },
        Self::Cosine { period: 0, growth: 1 },
        Self::OneCycle { rise: 0.3 },
        Self::Plateau { patience: 10, factor: 0.1 },
    ];

    /// Reads a name, perhaps with constants in the order of the fields: `cosine`, `cosine=10,2`, `step=30,0.1`.
    ///
    /// **Errors** name the list, or the constant and its range.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = || {
            let names: Vec<_> = Self::ALL.iter().map(Self::name).collect();
            Error::setting("schedule", format!("one of {}", names.join(", ")), format!("'{text}'"))
        };
        let (name, constants) = text.split_once('=').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let mut schedule = Self::ALL.into_iter().find(|s| s.name() == name).ok_or_else(refuse)?;
        let mut constants = constants.into_iter().flat_map(|rest| rest.split(','));
        let mut number = |to: &mut f64| match constants.next() {
            None => Ok(()),
            Some(text) => text.trim().parse().map(|x| *to = x).map_err(|_| refuse()),
        };
        let mut count = |to: &mut usize| -> Result<()> {
            let mut x = *to as f64;
            number(&mut x)?;
            // Beyond 2^53 a count would be rounded.
            if x < 0.0 || x.fract() != 0.0 || x > 9e15 {
                return Err(refuse());
            }
            *to = x as usize;
            Ok(())
        };
        match &mut schedule {
            Self::Constant => {}
            Self::InverseScaling { power: one } | Self::Exponential { factor: one } | Self::OneCycle { rise: one } => {
                number(one)?;
            }
            Self::Adaptive { divisor, least } => {
                number(divisor)?;
                number(least)?;
            }
            Self::Step { every: whole, factor } | Self::Plateau { patience: whole, factor } => {
                count(whole)?;
                number(factor)?;
            }
            Self::Cosine { period, growth } => {
                count(period)?;
                count(growth)?;
            }
        }
        if constants.next().is_some() {
            return Err(refuse());
        }
        schedule.check()?;
        Ok(schedule)
    }

    /// The name without constants.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::InverseScaling { .. } => "inverse_scaling",
            Self::Adaptive { .. } => "adaptive",
            Self::Step { .. } => "step",
            Self::Exponential { .. } => "exponential",
            Self::Cosine { .. } => "cosine",
            Self::OneCycle { .. } => "one_cycle",
            Self::Plateau { .. } => "plateau",
        }
    }

    /// Whether the rate of a step depends on how many epochs the whole training would take.
    pub const fn knows_the_end(&self) -> bool {
        matches!(self, Self::Cosine { period: 0, .. } | Self::OneCycle { .. })
    }

    /// Whether every constant is in its range.
    ///
    /// **Errors** name the first that is not.
    pub fn check(&self) -> Result<()> {
        let of = |constant: &str| format!("{constant} of schedule {}", self.name());
        let require = |is_in: bool, constant: &str, range: &str, found: f64| match is_in {
            true => Ok(()),
            false => Err(Error::setting(of(constant), range, found)),
        };
        let at_least_one = |constant: &str, found: usize| require(found >= 1, constant, "at least 1", found as f64);
        match *self {
            Self::Constant => Ok(()),
            Self::InverseScaling { power } => {
                require(power.is_finite() && power >= 0.0, "power", "a finite number of at least 0", power)
            }
            Self::Adaptive { divisor, least } => {
                require(divisor.is_finite() && divisor > 1.0, "divisor", "a finite number above 1", divisor)?;
                require(least.is_finite() && least > 0.0, "least", "a finite number above 0", least)
            }
            Self::Step { every, factor } => {
                at_least_one("every", every)?;
                require(factor > 0.0 && factor <= 1.0, "factor", "above 0 and at most 1", factor)
            }
            Self::Exponential { factor } => {
                require(factor > 0.0 && factor <= 1.0, "factor", "above 0 and at most 1", factor)
            }
            Self::Cosine { growth, .. } => at_least_one("growth", growth),
            Self::OneCycle { rise } => require(rise > 0.0 && rise < 1.0, "rise", "between 0 and 1", rise),
            Self::Plateau { factor, .. } => require(factor > 0.0 && factor < 1.0, "factor", "between 0 and 1", factor),
        }
    }

    /// The factor on the learning rate for the step after `at`; 1 for the two that answer what a training finds.
    ///
    /// **Determinism**: the same bits on every platform (`libm`'s power and cosine).
    pub fn factor(&self, at: Progress) -> f64 {
        match *self {
            Self::Constant | Self::Adaptive { .. } | Self::Plateau { .. } => 1.0,
            Self::InverseScaling { power } => libm::pow((at.finished() * at.rows + 1) as f64, -power),
            Self::Step { every, factor } => libm::pow(factor, (at.finished() / every as u64) as f64),
            Self::Exponential { factor } => libm::pow(factor, at.finished() as f64),
            Self::Cosine { period, growth } => {
                let whole = at.steps as f64 / at.steps_per_epoch.max(1) as f64;
                let mut length = if period == 0 { whole } else { period as f64 };
                let mut since = at.epochs();
                if growth == 1 {
                    since %= length.max(f64::MIN_POSITIVE);
                } else {
                    // Periods at least double: some tens reach any number of epochs.
                    while since >= length && length > 0.0 {
                        since -= length;
                        length *= growth as f64;
                    }
                }
                between(1.0, 0.0, since / length.max(f64::MIN_POSITIVE))
            }
            Self::OneCycle { rise } => {
                let (top, end) = (rise * at.steps as f64 - 1.0, at.steps as f64 - 1.0);
                let step = at.step as f64;
                if step <= top {
                    between(FIRST, 1.0, step / top.max(1.0))
                } else {
                    between(1.0, FIRST * LAST, (step - top.max(0.0)) / (end - top.max(0.0)).max(1.0))
                }
            }
        }
    }
}

/// From `start` to `end` along half a cosine, at the `part` of the way.
fn between(start: f64, end: f64, part: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + libm::cos(PI * part.min(1.0)))
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Constant => Ok(()),
            Self::InverseScaling { power: one } | Self::Exponential { factor: one } | Self::OneCycle { rise: one } => {
                write!(f, "={one}")
            }
            Self::Adaptive { divisor, least } => write!(f, "={divisor},{least}"),
            Self::Step { every: whole, factor } | Self::Plateau { patience: whole, factor } => {
                write!(f, "={whole},{factor}")
            }
            Self::Cosine { period, growth } => write!(f, "={period},{growth}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_again() {
        for schedule in Schedule::ALL {
            assert_eq!(Schedule::parse(&schedule.to_string()).unwrap(), schedule, "{schedule}");
            assert_eq!(Schedule::parse(schedule.name()).unwrap(), schedule, "{schedule}");
        }
        assert_eq!(Schedule::parse("cosine=10,2").unwrap(), Schedule::Cosine { period: 10, growth: 2 });
        for text in
            ["linear", "step=1,2,3", "step=1.5", "step=-1", "step=0", "cosine=1,0", "exponential=0", "exponential=nan"]
        {
            let error = Schedule::parse(text).unwrap_err().to_string();
            assert!(error.contains("schedule"), "{text}: {error}");
        }
    }

    #[test]
    fn no_factor_leaves_its_range_whatever_the_training() {
        for schedule in Schedule::ALL.into_iter().chain([Schedule::Cosine { period: 3, growth: 2 }]) {
            for (steps_per_epoch, epochs) in [(1, 1), (1, 2), (3, 1), (7, 40), (1, 1000)] {
                for step in 0..steps_per_epoch * epochs {
                    let at = Progress { step, steps: steps_per_epoch * epochs, steps_per_epoch, rows: 10 };
                    let factor = schedule.factor(at);
                    assert!((0.0..=1.0).contains(&factor), "{schedule} {at:?}: {factor}");
                }
            }
            assert!((0.0..=1.0).contains(&schedule.factor(Progress::default())), "{schedule}");
        }
    }
}
