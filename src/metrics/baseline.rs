//! What a prediction that never looks at the inputs reaches: the figure to beat.
//!
//! Row 5 of the house: imports `error`, `scalar` and its siblings. Fitted on the training targets, evaluated on others.

use super::{Classification, Regression, Weights, check_finite, check_labels};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use ndarray::{Array2, ArrayView2};

/// Always the commonest class, with the classes' frequencies as probabilities.
///
/// **Source**: scikit-learn's `DummyClassifier(strategy="prior")`.
#[derive(Clone, Debug, PartialEq)]
pub struct MajorityBaseline {
    frequencies: Vec<f64>,
}

impl MajorityBaseline {
    /// Counts the training labels, each below `classes`.
    ///
    /// **Errors** if there are none, a label is no class, or a weight is negative or not finite.
    pub fn fit(labels: &[usize], classes: usize, weights: Option<&[f64]>) -> Result<Self> {
        if labels.is_empty() {
            return Err(Error::shape("training labels", "at least 1", 0));
        }
        check_labels("true class", labels, classes)?;
        let weights = Weights::new(weights, labels.len())?;
        let mut frequencies = vec![0.0; classes];
        let mut total = 0.0;
        for (row, &label) in labels.iter().enumerate() {
            frequencies[label] += weights.of(row);
            total += weights.of(row);
        }
        frequencies.iter_mut().for_each(|count| *count /= total);
        Ok(Self { frequencies })
    }

    /// The class it predicts: the first of the commonest.
    pub fn class(&self) -> usize {
        let mut best = 0;
        for (class, frequency) in self.frequencies.iter().enumerate() {
            if *frequency > self.frequencies[best] {
                best = class;
            }
        }
        best
    }

    /// Each class's share of the training labels.
    pub fn frequencies(&self) -> &[f64] {
        &self.frequencies
    }

    /// Its figures on other labels.
    ///
    /// **Errors** as [`Classification::of`].
    pub fn evaluate(&self, truth: &[usize], weights: Option<&[f64]>) -> Result<Classification> {
        let probabilities = Array2::from_shape_fn((truth.len(), self.frequencies.len()), |(_, c)| self.frequencies[c]);
        Classification::of(truth, probabilities.view(), weights)
    }
}

/// Always the mean of each output.
///
/// **Source**: scikit-learn's `DummyRegressor(strategy="mean")`.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanBaseline {
    means: Vec<f64>,
}

impl MeanBaseline {
    /// Averages the training targets, a row to a sample.
    ///
    /// **Errors** if there are none, a target is not finite, or a weight is negative or not finite.
    pub fn fit<T: Scalar>(targets: ArrayView2<'_, T>, weights: Option<&[f64]>) -> Result<Self> {
        if targets.nrows() == 0 {
            return Err(Error::shape("training targets", "at least 1 row", 0));
        }
        check_finite("target", targets)?;
        let weights = Weights::new(weights, targets.nrows())?;
        let mean = |output| weights.mean(targets.nrows(), |row| targets[[row, output]].real());
        Ok(Self { means: (0..targets.ncols()).map(mean).collect() })
    }

    /// The number it predicts for each output.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// Its figures on other targets.
    ///
    /// **Errors** as [`Regression::of`].
    pub fn evaluate<T: Scalar>(&self, truth: ArrayView2<'_, T>, weights: Option<&[f64]>) -> Result<Regression> {
        let predicted = Array2::from_shape_fn((truth.nrows(), self.means.len()), |(_, output)| self.means[output]);
        Regression::of(truth.mapv(Scalar::real).view(), predicted.view(), weights)
    }
}
