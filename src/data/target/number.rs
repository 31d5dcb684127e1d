//! A target column of numbers.
//!
//! Imports `cell`, `column`, `features` (numbers of a column), `standard`, `table`, `error`.

use super::super::cell::quoted;
use super::super::column::Scan;
use super::super::features::number;
use super::super::standard::{Extent, Moments, standardise};
use super::super::table::Table;
use super::missing_in;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// A column that holds a number, encoded as `(value - mean) / scale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// The column's name.
    pub name: String,
    /// The mean over the training rows, by their weights.
    pub mean: f64,
    /// The population standard deviation over the training rows, by their weights; 1 for a constant target.
    pub scale: f64,
}

impl Number {
    /// Reads a column, which `scan` is of, as numbers.
    pub(super) fn infer(table: &Table, column: usize, scan: &Scan) -> Result<Self> {
        let census = &scan.columns[0];
        if !census.is_numeric() {
            let text = quoted(table.cell(census.first_text, column));
            return Err(table.fault(census.first_text, column, format!("not a number: {text}")));
        }
        if scan.infinite.count > 0 {
            return Err(scan.infinite.error(table, "infinite or too large for a number", ""));
        }
        Ok(Self { name: table.columns()[column].clone(), mean: 0.0, scale: 1.0 })
    }

    /// Learns mean and scale; says whether the values differ.
    pub(super) fn fit(&mut self, table: &Table, rows: &[usize], weights: Option<&[f64]>) -> Result<bool> {
        Ok(self.fit_values(&self.values(table, rows)?, weights))
    }

    /// Learns mean and scale of these values; says whether they differ.
    pub(in crate::data) fn fit_values(&mut self, values: &[f64], weights: Option<&[f64]>) -> bool {
        let weighted = || values.iter().enumerate().map(|(i, &value)| (value, weights.map_or(1.0, |w| w[i])));
        let mut extent = Extent::new();
        weighted().for_each(|(value, weight)| extent.add(value, weight));
        let mut moments = Moments::new(extent);
        weighted().for_each(|(value, weight)| moments.add(value, weight));
        (self.mean, self.scale) = (moments.mean(), moments.scale());
        !extent.is_constant()
    }

    /// The number of each row, in its own units.
    ///
    /// **Errors**: the column is not there; a cell that is no number.
    ///
    /// **Panics** if the table has not so many rows.
    pub fn values(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>> {
        let column = table.column(&self.name)?;
        let value = |&row: &usize| number(table, row, column)?.ok_or_else(|| missing_in(table, column, rows));
        rows.iter().map(value).collect()
    }

    /// The number as a network is trained on it.
    pub(super) fn standardise(&self, value: f64) -> f64 {
        standardise(value, self.mean, self.scale)
    }

    /// A standardised number in its own units.
    pub fn inverse(&self, value: f64) -> f64 {
        value * self.scale + self.mean
    }

    /// Says what [`fit`](Self::fit) never makes.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        let Self { name, mean, scale } = self;
        if mean.is_finite() && scale.is_finite() && *scale > 0.0 {
            return Ok(());
        }
        let shown = quoted(name);
        Err(format!("target {shown}: expected finite numbers and a positive scale, found mean {mean}, scale {scale}"))
    }
}
