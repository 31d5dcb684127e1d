//! Gradient descent: plain, with Polyak's momentum, or with Nesterov's.

use crate::error::{Error, Result};

/// The velocity, which descent without momentum does without.
pub(super) const fn moments(momentum: f64) -> usize {
    if momentum == 0.0 { 0 } else { 1 }
}

/// At 1 nothing is ever lost, as scikit-learn allows; above it every training runs away.
pub(super) fn check(momentum: f64) -> Result<()> {
    if (0.0..=1.0).contains(&momentum) {
        Ok(())
    } else {
        Err(Error::setting("momentum", "a number from 0 to 1", momentum))
    }
}
