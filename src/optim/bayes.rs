//! Bayesian regularisation: how much the data say against how small the parameters should be, found from the data.
//!
//! The errors are taken as normal with precision `2 beta`, the parameters, biases included, with `2 alpha`; what is minimised is
//! `beta E_D + alpha E_W`, with `E_D` the sum of squared errors and `E_W` that of squared parameters. After each step
//!
//! ```text
//! gamma = N - 2 alpha tr(H^-1)    H = 2 beta J'J + 2 alpha I    alpha = gamma / (2 E_W)    beta = (n - gamma) / (2 E_D)
//! ```
//!
//! with `N` parameters and `n` errors: the fixed point at which the evidence for `alpha` and `beta` is largest. `gamma`, the number
//! of parameters that the data determine, says whether a network is larger than it need be.
//!
//! **Source**: MacKay 1992 (Neural Computation 4, 415-447 and 448-472); Foresee and Hagan 1997 (ICNN, 1930-1935), as MATLAB's
//! `trainbr` has it. Row 5 of the house: imports `error`.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The rows whose errors are weighed: what turns a mean loss into a sum of squared errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows {
    /// How many there are, or the sum of their weights, which then count as repetitions.
    pub weight: f64,
    /// Errors of a row: the network's outputs.
    pub outputs: usize,
}

/// The three numbers of the evidence, after an iteration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regularisation {
    /// The weight of the sum of squared parameters.
    pub alpha: f64,
    /// The weight of the sum of squared errors.
    pub beta: f64,
    /// The effective number of parameters, from 0 to all of them.
    pub gamma: f64,
}

/// What is known of `alpha`, `beta` and `gamma`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    rows: Rows,
    parameters: f64,
    now: Regularisation,
}

impl Evidence {
    /// For `parameters` parameters, before any step.
    ///
    /// **Errors** if the rows have no weight or no outputs.
    pub fn new(rows: Rows, parameters: usize) -> Result<Self> {
        if !(rows.weight.is_finite() && rows.weight > 0.0) {
            return Err(Error::setting("weight of the rows", "a finite number above 0", rows.weight));
        }
        if rows.outputs == 0 {
            return Err(Error::setting("outputs", "at least 1", 0));
        }
        let parameters = parameters as f64;
        Ok(Self { rows, parameters, now: Regularisation { alpha: 0.0, beta: 1.0, gamma: parameters } })
    }

    /// The numbers as they are.
    pub fn regularisation(&self) -> Regularisation {
        self.now
    }

    /// Goes on from what was found before.
    ///
    /// **Errors** if a number is none that is found.
    pub(super) fn resume(&mut self, found: Regularisation) -> Result<()> {
        let Regularisation { alpha, beta, gamma } = found;
        for (name, inside, expected, found) in [
            ("alpha", alpha.is_finite() && alpha >= 0.0, "a finite number, at least 0".into(), alpha),
            ("beta", beta.is_finite() && beta > 0.0, "a finite number above 0".into(), beta),
            ("gamma", (0.0..=self.parameters).contains(&gamma), format!("0 to {}", self.parameters), gamma),
        ] {
            if !inside {
                return Err(Error::setting(format!("the evidence's {name}"), expected, found));
            }
        }
        self.now = found;
        Ok(())
    }

    /// The factor of half the sum of squared parameters that, added to the mean over rows of half the squared errors, has the same
    /// minimum: `alpha / (beta weight)`.
    pub fn decay(&self) -> f64 {
        self.now.alpha / (self.now.beta * self.rows.weight)
    }

    /// At the start, of `value` (the mean over rows of half the squared errors): as if all parameters were determined.
    pub(super) fn begin(&mut self, value: f64, squares: f64) {
        self.now.gamma = self.parameters;
        self.set(value, squares);
    }

    /// After a step: `trace` is that of the inverse of the mean's curvature with the decay on its diagonal, if it is known.
    pub(super) fn learn(&mut self, value: f64, squares: f64, trace: Option<f64>) {
        if let Some(trace) = trace {
            let gamma = self.parameters - self.decay() * trace;
            if gamma.is_finite() {
                self.now.gamma = gamma.clamp(0.0, self.parameters);
            }
        }
        self.set(value, squares);
    }

    fn set(&mut self, value: f64, squares: f64) {
        let gamma = self.now.gamma;
        let errors = self.rows.weight * self.rows.outputs as f64;
        // The sum of squared errors; exact data can be fitted to the last bit.
        let sum = (2.0 * self.rows.weight * value).max(f64::MIN_POSITIVE);
        let beta = (errors - gamma) / (2.0 * sum);
        // Fewer errors than parameters say nothing yet of the noise; `trainbr` begins so too.
        self.now.beta = if beta > 0.0 && beta.is_finite() { beta } else { 1.0 };
        let alpha = gamma / (2.0 * squares);
        self.now.alpha = if alpha.is_finite() { alpha } else { 0.0 };
    }
}
