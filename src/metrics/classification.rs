//! How good predicted classes and probabilities are.
//!
//! Row 5 of the house: imports `error`, `scalar` and its siblings. Begin with [`Classification::of`].

use super::{Weights, check_labels, check_rows, finite_or_null};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use ndarray::ArrayView2;
use serde::Serialize;
use std::collections::BTreeMap;

/// The figures of predictions of one class to a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Classification {
    /// See [`accuracy`].
    #[serde(serialize_with = "finite_or_null")]
    pub accuracy: f64,
    /// See [`balanced_accuracy`].
    #[serde(serialize_with = "finite_or_null")]
    pub balanced_accuracy: f64,
    /// See [`log_loss`].
    #[serde(serialize_with = "finite_or_null")]
    pub log_loss: f64,
}

impl Classification {
    /// What its figures are called, the most telling first.
    pub const NAMES: [&'static str; 3] = ["accuracy", "balanced_accuracy", "log_loss"];

    /// The figures of `probabilities`, whose largest in a row is the prediction (see [`most_probable`]).
    ///
    /// **Shapes**: a label to each row of `probabilities`, a column to each class.
    ///
    /// **Errors** as the single figures have them.
    pub fn of<T: Scalar>(truth: &[usize], probabilities: ArrayView2<'_, T>, weights: Option<&[f64]>) -> Result<Self> {
        let log_loss = log_loss(truth, probabilities, weights)?;
        let predicted = most_probable(probabilities);
        Ok(Self {
            accuracy: accuracy(truth, &predicted, weights)?,
            balanced_accuracy: balanced_accuracy(truth, &predicted, weights)?,
            log_loss,
        })
    }
}

/// The column of each row's largest element; the first of equals, as in NumPy.
pub fn most_probable<T: Scalar>(probabilities: ArrayView2<'_, T>) -> Vec<usize> {
    let row_best = |row: ndarray::ArrayView1<'_, T>| {
        let mut best = 0;
        for (class, value) in row.iter().enumerate() {
            if value.real() > row[best].real() {
                best = class;
            }
        }
        best
    };
    probabilities.rows().into_iter().map(row_best).collect()
}

/// The share of rows whose class was predicted; NaN for no rows.
///
/// **Errors** if lengths differ, or a weight is negative or not finite.
///
/// **Source**: scikit-learn's `accuracy_score`.
pub fn accuracy(truth: &[usize], predicted: &[usize], weights: Option<&[f64]>) -> Result<f64> {
    check_rows("predictions", truth.len(), predicted.len())?;
    let weights = Weights::new(weights, truth.len())?;
    Ok(weights.mean(truth.len(), |row| f64::from(u8::from(truth[row] == predicted[row]))))
}

/// The mean over the classes of the share of their rows that was recognised; classes without rows do not count. NaN for no
/// rows.
///
/// **Errors** as [`accuracy`].
///
/// **Source**: scikit-learn's `balanced_accuracy_score`.
pub fn balanced_accuracy(truth: &[usize], predicted: &[usize], weights: Option<&[f64]>) -> Result<f64> {
    check_rows("predictions", truth.len(), predicted.len())?;
    let weights = Weights::new(weights, truth.len())?;
    // Two sums to a class and not the whole confusion matrix: a label may be a large number, the matrix may not.
    let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (row, (&truth, &predicted)) in truth.iter().zip(predicted).enumerate() {
        let (right, all) = sums.entry(truth).or_default();
        *all += weights.of(row);
        *right += if truth == predicted { weights.of(row) } else { 0.0 };
    }
    let recalls: Vec<f64> = sums.values().filter(|(_, all)| *all > 0.0).map(|(right, all)| right / all).collect();
    Ok(recalls.iter().sum::<f64>() / recalls.len() as f64)
}

/// The mean of `-ln p`, p being the probability given to a row's true class; NaN for no rows.
///
/// Probabilities are clipped to `eps ..= 1 - eps` with the eps of their own type, as scikit-learn 1.9 does: the figure is at most 36.04 for
/// `f64` and 15.94 for `f32`, and not normalised if a row does not sum to 1.
///
/// **Shapes**: a label to each row of `probabilities`, a column to each class.
///
/// **Errors** if shapes differ, a label is no class, a probability is not in `0..=1`, or a weight is negative or not finite.
///
/// **Source**: scikit-learn's `log_loss`.
pub fn log_loss<T: Scalar>(truth: &[usize], probabilities: ArrayView2<'_, T>, weights: Option<&[f64]>) -> Result<f64> {
    check_rows("probabilities", truth.len(), probabilities.nrows())?;
    check_labels("true class", truth, probabilities.ncols())?;
    let outside = probabilities.indexed_iter().find(|(_, p)| !(0.0..=1.0).contains(&p.real()));
    if let Some(((row, class), p)) = outside {
        return Err(Error::setting(format!("probability, row {row}, class {class}"), "a number in 0 to 1", p.real()));
    }
    let weights = Weights::new(weights, truth.len())?;
    let eps = epsilon::<T>();
    Ok(weights.mean(truth.len(), |row| -libm::log(probabilities[[row, truth[row]]].real().clamp(eps, 1.0 - eps))))
}

/// From 1 to the next number of the type.
fn epsilon<T: Scalar>() -> f64 {
    let mut eps = T::ONE;
    while (T::ONE + eps / T::from_f64(2.0)).real() > 1.0 {
        eps /= T::from_f64(2.0);
    }
    eps.real()
}
