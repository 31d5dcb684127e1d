//! Which class was taken for which.
//!
//! Row 5 of the house: imports `error` and its parent.

use super::{Weights, check_labels, check_rows};
use crate::error::Result;
use std::fmt;

/// Counts (or summed sample weights) of rows by true class and predicted class.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionMatrix {
    classes: usize,
    /// True class after true class.
    counts: Vec<f64>,
    names: Option<Vec<String>>,
}

impl ConfusionMatrix {
    /// The matrix of the given labels, each below `classes`.
    ///
    /// **Errors** if lengths differ, a label is no class, or a weight is negative or not finite.
    pub fn new(truth: &[usize], predicted: &[usize], classes: usize, weights: Option<&[f64]>) -> Result<Self> {
        check_rows("predictions", truth.len(), predicted.len())?;
        check_labels("true class", truth, classes)?;
        check_labels("predicted class", predicted, classes)?;
        let weights = Weights::new(weights, truth.len())?;
        let mut counts = vec![0.0; classes * classes];
        for (row, (&truth, &predicted)) in truth.iter().zip(predicted).enumerate() {
            counts[truth * classes + predicted] += weights.of(row);
        }
        Ok(Self { classes, counts, names: None })
    }

    /// The same matrix, printed with the classes' names instead of their numbers.
    ///
    /// **Errors** if there are not as many names as classes.
    pub fn named(self, names: &[String]) -> Result<Self> {
        if names.len() != self.classes {
            return Err(crate::error::Error::shape("class names", self.classes, names.len()));
        }
        Ok(Self { names: Some(names.to_vec()), ..self })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The rows of class `truth` that were predicted as class `predicted`.
    ///
    /// **Panics** if either is no class.
    pub fn count(&self, truth: usize, predicted: usize) -> f64 {
        assert!(truth < self.classes && predicted < self.classes, "classes {truth}, {predicted} of {}", self.classes);
        self.counts[truth * self.classes + predicted]
    }

    /// The share of class `truth` that was recognised; NaN if no row is of that class.
    ///
    /// **Panics** if it is no class.
    pub fn recall(&self, truth: usize) -> f64 {
        let of_class = (0..self.classes).map(|predicted| self.count(truth, predicted)).sum::<f64>();
        self.count(truth, truth) / of_class
    }
}

/// A table with a line to each true class and a column to each predicted one.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |class: usize| self.names.as_ref().map_or_else(|| class.to_string(), |names| names[class].clone());
        // Whole counts as such; weighted ones with two places.
        let places = if self.counts.iter().all(|count| count.fract() == 0.0) { 0 } else { 2 };
        let cell = |truth, predicted| format!("{:.places$}", self.count(truth, predicted));
        let title = "true \\ predicted";
        let names: Vec<String> = (0..self.classes).map(name).collect();
        let left = names.iter().map(|name| name.chars().count()).chain([title.len()]).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.classes)
            .map(|column| {
                let cells = (0..self.classes).map(|row| cell(row, column).len());
                cells.chain([names[column].chars().count()]).max().unwrap_or(0)
            })
            .collect();
        write!(f, "{title:<left$}")?;
        for (name, width) in names.iter().zip(&widths) {
            write!(f, "  {name:>width$}")?;
        }
        for (row, name) in names.iter().enumerate() {
            write!(f, "\n{name:<left$}")?;
            for (column, width) in widths.iter().enumerate() {
                write!(f, "  {:>width$}", cell(row, column))?;
            }
        }
        Ok(())
    }
}
