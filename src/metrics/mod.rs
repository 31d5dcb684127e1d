//! How good predictions are: scikit-learn's figures under scikit-learn's names.
//!
//! Row 5 of the house: imports `error`, `rng`, `scalar`; knows slices and views, no network and no data file. Begin with
//! [`Metrics`], which a command prints; the single figures are in [`classification`], [`multilabel`] and [`regression`], what a prediction without
//! inputs would reach in [`baseline`], and how far chance moves a figure in [`interval`].
//!
//! A figure that is not defined (R2 of constant targets, say) is NaN in Rust and null in JSON. All sums are formed in `f64`,
//! row after row.

pub mod baseline;
pub mod classification;
pub mod confusion;
pub mod interval;
pub mod multilabel;
pub mod regression;

pub use baseline::{MajorityBaseline, MeanBaseline};
pub use classification::Classification;
pub use confusion::ConfusionMatrix;
pub use interval::Interval;
pub use multilabel::MultiLabel;
pub use regression::Regression;

use crate::error::{Error, Result};
use crate::scalar::Scalar;
use ndarray::ArrayView2;
use serde::{Serialize, Serializer};

/// The figures of one task, in JSON an object with scikit-learn's names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Metrics {
    /// One class to a row.
    Classification(Classification),
    /// Any number of labels to a row.
    MultiLabel(MultiLabel),
    /// Numbers to a row.
    Regression(Regression),
}

impl Metrics {
    /// Each figure under its name, the most telling first.
    pub fn figures(&self) -> Vec<(&'static str, f64)> {
        fn named<const N: usize>(names: [&'static str; N], figures: [f64; N]) -> Vec<(&'static str, f64)> {
            names.into_iter().zip(figures).collect()
        }
        match self {
            Self::Classification(m) => named(Classification::NAMES, [m.accuracy, m.balanced_accuracy, m.log_loss]),
            Self::MultiLabel(m) => {
                named(MultiLabel::NAMES, [m.accuracy, m.hamming_loss, m.f1_macro, m.f1_micro, m.log_loss])
            }
            Self::Regression(m) => named(Regression::NAMES, [m.r2, m.rmse, m.mae]),
        }
    }

    /// The figure of that name, if this task has it.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.figures().into_iter().find_map(|(known, figure)| (known == name).then_some(figure))
    }
}

/// Writes what is not finite as null.
fn finite_or_null<S: Serializer>(figure: &f64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    figure.is_finite().then_some(figure).serialize(serializer)
}

/// Checks that `what` has `expected` rows.
fn check_rows(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::shape(format!("rows of {what}"), expected, found)) }
}

/// Checks that every label is a class.
fn check_labels(what: &str, labels: &[usize], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(row) => Err(Error::setting(format!("{what}, row {row}"), format!("a class below {classes}"), labels[row])),
    }
}

/// Checks that every number is finite.
fn check_finite<T: Scalar>(what: &str, values: ArrayView2<'_, T>) -> Result<()> {
    match values.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row, column), value)) => {
            Err(Error::setting(format!("{what}, row {row}, column {column}"), "a finite number", value.real()))
        }
    }
}

/// What each row counts: 1, or its sample weight.
#[derive(Clone, Copy)]
struct Weights<'a>(Option<&'a [f64]>);

impl<'a> Weights<'a> {
    /// Checks that there is a weight to each of `rows` rows, none negative, and some positive.
    fn new(weights: Option<&'a [f64]>, rows: usize) -> Result<Self> {
        if let Some(weights) = weights {
            check_rows("sample weights", rows, weights.len())?;
            if let Some(row) = weights.iter().position(|w| !w.is_finite() || *w < 0.0) {
                return Err(Error::setting(
                    format!("sample weight, row {row}"),
                    "a finite number of at least 0",
                    weights[row],
                ));
            }
            if rows > 0 && weights.iter().all(|&w| w == 0.0) {
                return Err(Error::setting("sample weights", "one above 0", "none"));
            }
        }
        Ok(Self(weights))
    }

    fn of(self, row: usize) -> f64 {
        self.0.map_or(1.0, |weights| weights[row])
    }

    /// The weighted mean over `rows` rows; NaN over none.
    fn mean(self, rows: usize, value: impl Fn(usize) -> f64) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for row in 0..rows {
            let weight = self.of(row);
            // A row of no weight counts for nothing, whatever its value.
            if weight > 0.0 {
                sum += weight * value(row);
                total += weight;
            }
        }
        sum / total
    }
}
