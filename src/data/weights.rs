//! What a row counts: by a column of the table, and by its class.
//!
//! A row of weight `k` counts as `k` rows like it, one of weight 0 as none; only the weights' ratios matter.
//! Imports `cell`, `features` (numbers of a column), `table`, `target`, `error`. Begin reading at [`read`] and [`ClassWeights::factors`].

use super::cell::{list, plain, quoted};
use super::features::number;
use super::table::Table;
use super::target::{Classes, Target};
use crate::error::{Error, Result};
use ndarray::ArrayView2;
use std::fmt;

/// The weights of the given rows, read from a column.
///
/// **Errors**: a cell that is missing, no number, not finite or negative, naming file, line, column and value; no weight above 0.
///
/// **Panics** if the table has no such column, or not so many rows.
pub fn read(table: &Table, column: usize, rows: &[usize]) -> Result<Vec<f64>> {
    let weight = |&row: &usize| {
        let expected = "expected a weight, a number of at least 0";
        match number(table, row, column)? {
            Some(weight) if weight >= 0.0 => Ok(weight),
            Some(_) => Err(table.fault(row, column, format!("{expected}, found {}", quoted(table.cell(row, column))))),
            None => Err(table.fault(row, column, format!("{expected}, found none"))),
        }
    };
    let weights = rows.iter().map(weight).collect::<Result<Vec<f64>>>()?;
    if !rows.is_empty() && weights.iter().all(|&weight| weight == 0.0) {
        return Err(table.column_fault(column, format!("expected a weight above 0 in {} rows, found none", rows.len())));
    }
    Ok(weights)
}

/// How much the rows of each class count in training, on top of their own weights.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeights {
    /// Each class counts alike: its rows by `n / (k n_c)`, for `n` training rows of `k` classes, `n_c` of them of this one; rows
    /// that have weights are counted by them. Of several labels the factors are multiplied.
    ///
    /// **Source**: scikit-learn's `class_weight="balanced"`, `compute_sample_weight`.
    Balanced,
    /// By the classes' names; of those not named, 1. For a target of one column.
    Given(Vec<(String, f64)>),
}

impl ClassWeights {
    /// Reads `balanced`, or `class=weight,class=weight`.
    ///
    /// **Errors**: anything else, a weight negative or not finite, and a class named twice.
    pub fn parse(text: &str) -> Result<Self> {
        if text == "balanced" {
            return Ok(Self::Balanced);
        }
        let refuse = |found: &str| {
            let expected = "'balanced', or classes with finite weights of at least 0, such as yes=5,no=1";
            Error::setting(SETTING, expected, format!("'{}'", plain(found)))
        };
        let mut given: Vec<(String, f64)> = Vec::new();
        for part in text.split(',') {
            let (label, weight) = part.rsplit_once('=').ok_or_else(|| refuse(part))?;
            let weight: f64 = weight.trim().parse().map_err(|_| refuse(part))?;
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(refuse(part));
            }
            if given.iter().any(|(other, _)| other == label) {
                return Err(Error::setting(SETTING, "each class once", format!("{} twice", quoted(label))));
            }
            given.push((label.to_string(), weight));
        }
        Ok(Self::Given(given))
    }

    /// For each [class column](Target::class_columns), the factor of each class, from the training rows' classes and weights.
    ///
    /// **Shapes**: `classes` is rows x class columns.
    ///
    /// **Errors**: the target is a number; a class that is none, naming those there are; classes given for several columns; no
    /// class of a training row has a weight above 0.
    pub fn factors(
        &self,
        target: &Target,
        classes: ArrayView2<'_, usize>,
        weights: Option<&[f64]>,
    ) -> Result<Vec<Vec<f64>>> {
        let columns = target.class_columns();
        if columns.is_empty() {
            let found = format!("the number {} (task regress)", list(&target.names()));
            return Err(Error::setting(SETTING, "classes to predict (task classify)", found));
        }
        match self {
            Self::Balanced => {
                let balanced = |(column, Classes { labels, .. }): (usize, &Classes)| {
                    let mut sums = vec![0.0; labels.len()];
                    for (i, &class) in classes.column(column).iter().enumerate() {
                        sums[class] += weights.map_or(1.0, |weights| weights[i]);
                    }
                    let present = sums.iter().filter(|sum| **sum > 0.0).count() as f64;
                    let total = sums.iter().sum::<f64>();
                    sums.iter().map(|&sum| if sum > 0.0 { total / (present * sum) } else { 0.0 }).collect()
                };
                Ok(columns.iter().enumerate().map(balanced).collect())
            }
            Self::Given(given) => {
                let [Classes { labels, .. }] = columns else {
                    let found = format!("{self} for {}", list(&target.names()));
                    return Err(Error::setting(SETTING, "'balanced', for several targets", found));
                };
                let mut factors = vec![1.0; labels.len()];
                for (label, weight) in given {
                    let class = labels.iter().position(|known| known == label);
                    let refuse = || Error::setting(SETTING, format!("classes among {}", list(labels)), quoted(label));
                    factors[class.ok_or_else(refuse)?] = *weight;
                }
                if classes.iter().all(|&class| factors[class] == 0.0) {
                    return Err(Error::setting(SETTING, "one above 0 for a class of the training rows", self));
                }
                Ok(vec![factors])
            }
        }
    }
}

/// What messages call it.
const SETTING: &str = "class weights";

/// As it is [parsed](ClassWeights::parse).
impl fmt::Display for ClassWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balanced => f.write_str("balanced"),
            Self::Given(given) => {
                let parts: Vec<String> = given.iter().map(|(label, weight)| format!("{label}={weight}")).collect();
                f.write_str(&parts.join(","))
            }
        }
    }
}
