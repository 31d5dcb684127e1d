//! How good predicted numbers are.
//!
//! Row 5 of the house: imports `error`, `scalar` and its parent. Begin with [`Regression::of`].
//!
//! **Shapes** throughout: a row to a sample, a column to an output, targets and predictions alike. Of several outputs each has its
//! figure, and the plain mean of these is given (scikit-learn's `uniform_average`).

use super::{Interval, Weights, check_finite, finite_or_null};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use ndarray::ArrayView2;
use serde::Serialize;

/// The figures of predicted numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Regression {
    /// See [`r2`].
    #[serde(serialize_with = "finite_or_null")]
    pub r2: f64,
    /// See [`rmse`].
    #[serde(serialize_with = "finite_or_null")]
    pub rmse: f64,
    /// See [`mae`].
    #[serde(serialize_with = "finite_or_null")]
    pub mae: f64,
}

impl Regression {
    /// What its figures are called, the most telling first.
    pub const NAMES: [&'static str; 3] = ["r2", "rmse", "mae"];

    /// The figures of `predicted`.
    ///
    /// **Errors** if shapes differ, a number is not finite, or a weight is negative or not finite.
    pub fn of<T: Scalar>(
        truth: ArrayView2<'_, T>,
        predicted: ArrayView2<'_, T>,
        weights: Option<&[f64]>,
    ) -> Result<Self> {
        let pairs = Pairs::new(truth, predicted, weights)?;
        Ok(Self { r2: pairs.r2(), rmse: pairs.rmse(), mae: pairs.mae() })
    }

    /// The bootstrap interval of `r2`, `rmse` or `mae` (see [`Interval::bootstrap`]); a row that is drawn brings its weight.
    ///
    /// **Determinism**: decided by `seed`.
    ///
    /// **Errors** as [`of`](Self::of), and if `metric` is none of the three.
    pub fn interval<T: Scalar>(
        metric: &str,
        truth: ArrayView2<'_, T>,
        predicted: ArrayView2<'_, T>,
        weights: Option<&[f64]>,
        seed: u64,
    ) -> Result<Interval> {
        let figure: fn(Pairs<'_, T>) -> f64 = match metric {
            "r2" => |pairs| pairs.r2(),
            "rmse" => |pairs| pairs.rmse(),
            "mae" => |pairs| pairs.mae(),
            _ => return Err(Error::setting("metric of the interval", "r2, rmse or mae", metric)),
        };
        let Pairs { truth, predicted, .. } = Pairs::new(truth, predicted, weights)?;
        let on_sample = |drawn: &[f64]| {
            figure(Pairs { truth: truth.view(), predicted: predicted.view(), weights: Weights(Some(drawn)) })
        };
        Ok(Interval::bootstrap(metric, truth.nrows(), weights, seed, on_sample))
    }
}

/// The share of the targets' variance that the predictions explain: 1 - sum (y - p)^2 / sum (y - mean y)^2, at most 1.
///
/// NaN where it is not defined: fewer than 2 rows, or an output whose targets are all alike (where scikit-learn, forced to a
/// finite answer, says 1 or 0).
///
/// **Errors** as [`Regression::of`].
///
/// **Source**: scikit-learn's `r2_score`.
pub fn r2<T: Scalar>(truth: ArrayView2<'_, T>, predicted: ArrayView2<'_, T>, weights: Option<&[f64]>) -> Result<f64> {
    Pairs::new(truth, predicted, weights).map(Pairs::r2)
}

/// The root of the mean squared error; NaN for no rows.
///
/// **Errors** as [`Regression::of`].
///
/// **Source**: scikit-learn's `root_mean_squared_error`.
pub fn rmse<T: Scalar>(truth: ArrayView2<'_, T>, predicted: ArrayView2<'_, T>, weights: Option<&[f64]>) -> Result<f64> {
    Pairs::new(truth, predicted, weights).map(Pairs::rmse)
}

/// The mean absolute error; NaN for no rows.
///
/// **Errors** as [`Regression::of`].
///
/// **Source**: scikit-learn's `mean_absolute_error`.
pub fn mae<T: Scalar>(truth: ArrayView2<'_, T>, predicted: ArrayView2<'_, T>, weights: Option<&[f64]>) -> Result<f64> {
    Pairs::new(truth, predicted, weights).map(Pairs::mae)
}

/// Targets and predictions that belong together.
#[derive(Clone, Copy)]
struct Pairs<'a, T> {
    truth: ArrayView2<'a, T>,
    predicted: ArrayView2<'a, T>,
    weights: Weights<'a>,
}

impl<'a, T: Scalar> Pairs<'a, T> {
    fn new(truth: ArrayView2<'a, T>, predicted: ArrayView2<'a, T>, weights: Option<&'a [f64]>) -> Result<Self> {
        if truth.dim() != predicted.dim() {
            let shape = |(rows, cols)| format!("{rows} x {cols}");
            return Err(Error::shape("predictions", shape(truth.dim()), shape(predicted.dim())));
        }
        check_finite("target", truth)?;
        check_finite("prediction", predicted)?;
        let weights = Weights::new(weights, truth.nrows())?;
        Ok(Self { truth, predicted, weights })
    }

    /// The mean over the outputs of a figure.
    fn mean_of_outputs(self, figure: impl Fn(usize) -> f64) -> f64 {
        let outputs = self.truth.ncols();
        (0..outputs).map(figure).sum::<f64>() / outputs as f64
    }

    /// The weighted mean over the rows.
    fn mean_of_rows(self, value: impl Fn(usize) -> f64) -> f64 {
        self.weights.mean(self.truth.nrows(), value)
    }

    fn target(self, row: usize, output: usize) -> f64 {
        self.truth[[row, output]].real()
    }

    fn error(self, row: usize, output: usize) -> f64 {
        self.predicted[[row, output]].real() - self.target(row, output)
    }

    fn r2(self) -> f64 {
        if self.truth.nrows() < 2 {
            return f64::NAN;
        }
        self.mean_of_outputs(|output| {
            let mut counted = (0..self.truth.nrows()).filter(|&row| self.weights.of(row) > 0.0);
            let first = counted.next().map(|row| self.target(row, output));
            // Compared, not computed: the mean of equal targets can differ from them by a rounding, and the quotient is then
            // any large number.
            if counted.all(|row| Some(self.target(row, output)) == first) {
                return f64::NAN;
            }
            let mean = self.mean_of_rows(|row| self.target(row, output));
            let unexplained = self.mean_of_rows(|row| self.error(row, output).powi(2));
            1.0 - unexplained / self.mean_of_rows(|row| (self.target(row, output) - mean).powi(2))
        })
    }

    fn rmse(self) -> f64 {
        self.mean_of_outputs(|output| self.mean_of_rows(|row| self.error(row, output).powi(2)).sqrt())
    }

    fn mae(self) -> f64 {
        self.mean_of_outputs(|output| self.mean_of_rows(|row| self.error(row, output).abs()))
    }
}
