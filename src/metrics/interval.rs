//! Where a figure would lie on other rows of the same kind: 95 % intervals.
//!
//! Row 5 of the house: imports `error`, `rng` and its siblings.

use super::finite_or_null;
use crate::rng::Rng;
use serde::Serialize;

/// A 95 % interval of one figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The figure's name: `accuracy`, `r2`, `rmse`, `mae`.
    pub metric: String,
    /// Its lower end.
    #[serde(serialize_with = "finite_or_null")]
    pub low: f64,
    /// Its upper end.
    #[serde(serialize_with = "finite_or_null")]
    pub high: f64,
}

/// The 97.5 % point of the normal distribution, which 95 % lie between and its opposite.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;
/// Samples drawn for a bootstrap: the ends' own scatter is then about a twentieth of the interval's width.
const RESAMPLES: usize = 1000;
/// The random stream of bootstraps: other uses of the same seed have other numbers.
const STREAM: u64 = 0x626f_6f74;

impl Interval {
    /// Wilson's score interval of a share, such as the accuracy of unweighted rows: `right` of `rows`.
    ///
    /// Unlike the normal approximation it stays inside 0 to 1 and holds for few rows and shares near the ends. NaN for no rows.
    ///
    /// **Panics** if more are right than there are.
    ///
    /// **Source**: Wilson 1927, J. Am. Stat. Assoc. 22, 209.
    pub fn wilson(metric: &str, right: usize, rows: usize) -> Self {
        assert!(right <= rows, "{right} of {rows} right");
        let (n, z2) = (rows as f64, NORMAL_QUANTILE * NORMAL_QUANTILE);
        let share = right as f64 / n;
        let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = NORMAL_QUANTILE / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
        // At the ends the formula gives 0 and 1 but for rounding.
        let low = if right == 0 && rows > 0 { 0.0 } else { centre - half };
        let high = if right == rows && rows > 0 { 1.0 } else { centre + half };
        Self { metric: metric.into(), low, high }
    }

    /// The interval of a share of rows: [Wilson's](Self::wilson), or of weighted rows the [bootstrap's](Self::bootstrap).
    ///
    /// **Determinism**: decided by `seed`.
    ///
    /// **Panics** if there are weights, and not one to each row.
    pub fn share(metric: &str, right: &[bool], weights: Option<&[f64]>, seed: u64) -> Self {
        if weights.is_none() {
            return Self::wilson(metric, right.iter().filter(|right| **right).count(), right.len());
        }
        Self::bootstrap(metric, right.len(), weights, seed, |drawn| {
            let of_right: f64 = drawn.iter().zip(right).filter(|(_, right)| **right).map(|(weight, _)| weight).sum();
            of_right / drawn.iter().sum::<f64>()
        })
    }

    /// The percentile bootstrap of any figure. 1000 samples of `rows` rows are drawn with replacement; `figure` is given each as sample
    /// weights (how often each row was drawn, times its own weight); the interval ends at the 2.5 % and 97.5 % points of its answers.
    ///
    /// Samples for which the figure is NaN (constant targets) do not count; if they are more than half, the interval is NaN. With fewer
    /// than 20 rows such intervals are known to be too narrow. The time is 1000 times that of the figure.
    ///
    /// **Determinism**: decided by `seed`.
    ///
    /// **Source**: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13; the points by linear interpolation
    /// (Hyndman and Fan's type 7, NumPy's default).
    pub fn bootstrap(
        metric: &str,
        rows: usize,
        weights: Option<&[f64]>,
        seed: u64,
        figure: impl Fn(&[f64]) -> f64,
    ) -> Self {
        let undefined = Self { metric: metric.into(), low: f64::NAN, high: f64::NAN };
        if rows == 0 {
            return undefined;
        }
        let mut rng = Rng::with_stream(seed, STREAM);
        let mut drawn = vec![0.0; rows];
        let mut answers = Vec::with_capacity(RESAMPLES);
        for _ in 0..RESAMPLES {
            drawn.fill(0.0);
            (0..rows).for_each(|_| drawn[rng.below(rows)] += 1.0);
            weights.into_iter().for_each(|weights| drawn.iter_mut().zip(weights).for_each(|(d, weight)| *d *= weight));
            let answer = figure(&drawn);
            if !answer.is_nan() {
                answers.push(answer);
            }
        }
        if answers.len() < RESAMPLES / 2 {
            return undefined;
        }
        answers.sort_by(f64::total_cmp);
        let point = |share: f64| {
            let at = share * (answers.len() - 1) as f64;
            let (below, above) = (answers[at.floor() as usize], answers[at.ceil() as usize]);
            below + (above - below) * at.fract()
        };
        Self { low: point(0.025), high: point(0.975), ..undefined }
    }
}
