//! What each row counts in a training: its own weight, times that of its classes.
//!
//! Part of `model`, for `recipe.rs`. Only the ratios of weights matter, so they are divided by the power of two above the largest:
//! that is exact, it keeps sums finite and `f32` in its range, and weights that are all 1 give the same bits as none.

use super::Source;
use crate::data::{ClassWeights, Target};
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array2, ArrayView2};

/// The rows' own weights, by which means are formed and classes are counted.
pub(super) struct Weighed {
    rows: Vec<usize>,
    /// The largest lies in 1/2 to 1.
    pub(super) weights: Option<Vec<f64>>,
    /// The classes of each row, in each class column.
    classes: Array2<usize>,
}

impl Weighed {
    /// The weights and classes of some rows.
    ///
    /// **Errors** name file, line, column and value.
    pub(super) fn new(source: &Source, target: &Target, rows: Vec<usize>) -> Result<Self> {
        let weights = source.weights(&rows)?.map(scaled);
        let classes = match target.class_columns() {
            [] => Array2::zeros((rows.len(), 0)),
            _ => source.classes(target, &rows)?,
        };
        Ok(Self { rows, weights, classes })
    }

    /// Which rows these are.
    pub(super) fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The classes of each row: rows x class columns.
    pub(super) fn classes(&self) -> ArrayView2<'_, usize> {
        self.classes.view()
    }

    /// How many rows are of each class, column after column.
    pub(super) fn class_counts(&self, target: &Target) -> Vec<usize> {
        self.sums(target, |_| 1)
    }

    /// Each class's share of the rows' weights, column after column; empty without weights.
    pub(super) fn class_shares(&self, target: &Target) -> Vec<f64> {
        let Some(weights) = &self.weights else { return Vec::new() };
        let total = weights.iter().sum::<f64>();
        self.sums(target, |row| weights[row]).into_iter().map(|sum: f64| sum / total).collect()
    }

    fn sums<N: Clone + Default + std::ops::AddAssign>(&self, target: &Target, of: impl Fn(usize) -> N) -> Vec<N> {
        let mut sums = Vec::new();
        for (column, classes) in target.class_columns().iter().enumerate() {
            let first = sums.len();
            sums.resize(first + classes.labels.len(), N::default());
            self.classes.column(column).iter().enumerate().for_each(|(row, class)| sums[first + class] += of(row));
        }
        sums
    }

    /// The factor of each class of each class column, learnt from these rows.
    ///
    /// **Errors** as [`ClassWeights::factors`].
    pub(super) fn factors(&self, class_weights: &ClassWeights, target: &Target) -> Result<Vec<Vec<f64>>> {
        class_weights.factors(target, self.classes.view(), self.weights.as_deref())
    }

    /// What each row counts in the objective; nothing where all count alike.
    ///
    /// **Errors** if a row's weight is too large for a number.
    pub(super) fn total<T: Float>(&self, factors: Option<&[Vec<f64>]>) -> Result<Option<Vec<T>>> {
        if self.weights.is_none() && factors.is_none() {
            return Ok(None);
        }
        let total = |row: usize| {
            let own = self.weights.as_ref().map_or(1.0, |weights| weights[row]);
            let classes = factors.unwrap_or_default().iter().zip(self.classes.row(row));
            classes.fold(own, |product, (factors, &class)| product * factors[class])
        };
        let totals: Vec<f64> = (0..self.rows.len()).map(total).collect();
        if let Some(bad) = totals.iter().find(|total| !total.is_finite()) {
            return Err(Error::setting("class weights", "finite weights of rows", bad));
        }
        Ok(Some(scaled(totals).into_iter().map(T::from_f64).collect()))
    }
}

/// The weights over the power of two above the largest.
fn scaled(mut weights: Vec<f64>) -> Vec<f64> {
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let exponent = libm::frexp(largest).1;
    weights.iter_mut().for_each(|weight| *weight = libm::ldexp(*weight, -exponent));
    weights
}
