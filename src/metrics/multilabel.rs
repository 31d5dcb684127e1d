//! How good predictions of any number of labels to a row are.
//!
//! Row 5 of the house: imports `error`, `scalar`, its parent and the single label's log loss. Begin with [`MultiLabel::of`].
//!
//! **Shapes** throughout: a row to a sample, a column to a label, truth and predictions alike.

use super::classification::log_loss;
use super::{Weights, finite_or_null};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use ndarray::{Array2, ArrayView2};
use serde::Serialize;

/// The figures of predictions of any number of labels to a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MultiLabel {
    /// See [`subset_accuracy`]; under the name that scikit-learn gives it.
    #[serde(serialize_with = "finite_or_null")]
    pub accuracy: f64,
    /// See [`hamming_loss`].
    #[serde(serialize_with = "finite_or_null")]
    pub hamming_loss: f64,
    /// See [`f1_macro`].
    #[serde(serialize_with = "finite_or_null")]
    pub f1_macro: f64,
    /// See [`f1_micro`].
    #[serde(serialize_with = "finite_or_null")]
    pub f1_micro: f64,
    /// The mean over the labels of each one's [`log_loss`].
    #[serde(serialize_with = "finite_or_null")]
    pub log_loss: f64,
}

impl MultiLabel {
    /// What its figures are called, the most telling first.
    pub const NAMES: [&'static str; 5] = ["accuracy", "hamming_loss", "f1_macro", "f1_micro", "log_loss"];

    /// The figures of `probabilities`, which predict the labels of more than a half (see [`probable`]).
    ///
    /// **Errors** if shapes differ, a probability is not in `0..=1`, or a weight is negative or not finite.
    pub fn of<T: Scalar>(
        truth: ArrayView2<'_, bool>,
        probabilities: ArrayView2<'_, T>,
        weights: Option<&[f64]>,
    ) -> Result<Self> {
        let predicted = probable(probabilities);
        let accuracy = subset_accuracy(truth, predicted.view(), weights)?;
        let labels = truth.ncols();
        let mut losses = 0.0;
        for label in 0..labels {
            let classes: Vec<usize> = truth.column(label).iter().map(|&has| usize::from(has)).collect();
            losses += log_loss(&classes, either(probabilities, label).view(), weights)?;
        }
        Ok(Self {
            accuracy,
            hamming_loss: hamming_loss(truth, predicted.view(), weights)?,
            f1_macro: f1_macro(truth, predicted.view(), weights)?,
            f1_micro: f1_micro(truth, predicted.view(), weights)?,
            log_loss: losses / labels as f64,
        })
    }
}

/// The labels that are more probable than not: of more than a half.
pub fn probable<T: Scalar>(probabilities: ArrayView2<'_, T>) -> Array2<bool> {
    probabilities.mapv(|p| p.real() > 0.5)
}

/// The probabilities that a row has not and has the label: rows x 2, as two classes.
pub fn either<T: Scalar>(probabilities: ArrayView2<'_, T>, label: usize) -> Array2<T> {
    let p = probabilities.column(label);
    Array2::from_shape_fn((p.len(), 2), |(row, class)| if class == 0 { T::ONE - p[row] } else { p[row] })
}

/// The share of rows whose every label was predicted right; NaN for no rows.
///
/// **Errors** if shapes differ, or a weight is negative or not finite.
///
/// **Source**: scikit-learn's `accuracy_score` of label indicators.
pub fn subset_accuracy(
    truth: ArrayView2<'_, bool>,
    predicted: ArrayView2<'_, bool>,
    weights: Option<&[f64]>,
) -> Result<f64> {
    let weights = checked(truth, predicted, weights)?;
    Ok(weights.mean(truth.nrows(), |row| f64::from(u8::from(truth.row(row) == predicted.row(row)))))
}

/// The share of labels that were predicted wrong; NaN for no rows.
///
/// **Errors** as [`subset_accuracy`].
///
/// **Source**: scikit-learn's `hamming_loss`.
pub fn hamming_loss(
    truth: ArrayView2<'_, bool>,
    predicted: ArrayView2<'_, bool>,
    weights: Option<&[f64]>,
) -> Result<f64> {
    let weights = checked(truth, predicted, weights)?;
    let wrong = |row| truth.row(row).iter().zip(predicted.row(row)).filter(|(t, p)| t != p).count();
    Ok(weights.mean(truth.nrows(), |row| wrong(row) as f64 / truth.ncols() as f64))
}

/// The mean over the labels of F1, the harmonic mean of precision and recall: `2 right / (true + predicted)`. A label that no row
/// has and none was said to have counts 0, as with scikit-learn's default.
///
/// **Errors** as [`subset_accuracy`].
///
/// **Source**: scikit-learn's `f1_score(average="macro")`.
pub fn f1_macro(truth: ArrayView2<'_, bool>, predicted: ArrayView2<'_, bool>, weights: Option<&[f64]>) -> Result<f64> {
    let weights = checked(truth, predicted, weights)?;
    let labels = truth.ncols();
    Ok((0..labels).map(|label| f1(counted(truth, predicted, weights, label))).sum::<f64>() / labels as f64)
}

/// F1 of all labels' counts together; 0 as for [`f1_macro`].
///
/// **Errors** as [`subset_accuracy`].
///
/// **Source**: scikit-learn's `f1_score(average="micro")`.
pub fn f1_micro(truth: ArrayView2<'_, bool>, predicted: ArrayView2<'_, bool>, weights: Option<&[f64]>) -> Result<f64> {
    let weights = checked(truth, predicted, weights)?;
    let add = |(right, all): (f64, f64), label| {
        let (more_right, more) = counted(truth, predicted, weights, label);
        (right + more_right, all + more)
    };
    Ok(f1((0..truth.ncols()).fold((0.0, 0.0), add)))
}

fn f1((right, all): (f64, f64)) -> f64 {
    if all > 0.0 { 2.0 * right / all } else { 0.0 }
}

/// Of one label: the weight of the rows that rightly were said to have it, and that of those that have it plus that of those
/// that were said to.
fn counted(
    truth: ArrayView2<'_, bool>,
    predicted: ArrayView2<'_, bool>,
    weights: Weights<'_>,
    label: usize,
) -> (f64, f64) {
    let (mut right, mut all) = (0.0, 0.0);
    for (row, (&truth, &predicted)) in truth.column(label).iter().zip(predicted.column(label)).enumerate() {
        let times = f64::from(u8::from(truth) + u8::from(predicted));
        right += if truth && predicted { weights.of(row) } else { 0.0 };
        all += times * weights.of(row);
    }
    (right, all)
}

fn checked<'a>(
    truth: ArrayView2<'_, bool>,
    predicted: ArrayView2<'_, bool>,
    weights: Option<&'a [f64]>,
) -> Result<Weights<'a>> {
    if truth.dim() != predicted.dim() {
        let shape = |(rows, cols)| format!("{rows} x {cols}");
        return Err(Error::shape("predicted labels", shape(truth.dim()), shape(predicted.dim())));
    }
    Weights::new(weights, truth.nrows())
}
