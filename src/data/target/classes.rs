//! A target column of classes.
//!
//! Imports `cell`, `column`, `table`, `error`.

use super::super::cell::{Cell, list, quoted};
use super::super::column::{self, MAX_LEVELS};
use super::super::table::Table;
use super::missing_in;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// A column that holds one of several classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// The column's name.
    pub name: String,
    /// The classes as the file writes them, by number if all are whole numbers, else by text.
    pub labels: Vec<String>,
}

impl Classes {
    /// Reads the classes of a column without missing cells; `declared` ones may look like an identifier.
    pub(super) fn infer(table: &Table, column: usize, declared: bool) -> Result<Self> {
        let labels = column::levels(table, column, declared)?;
        if let [only] = &labels[..] {
            let message = format!("expected at least 2 classes, found {} in every row", quoted(only));
            return Err(table.column_fault(column, message));
        }
        let mut numbers = HashMap::new();
        for label in &labels {
            let Cell::Number(value) = Cell::parse(label) else { continue };
            // + 0.0 makes -0 and 0 one number.
            if let Some(other) = numbers.insert((value + 0.0).to_bits(), label) {
                let message = format!(
                    "{} and {} are one number written in two ways; which class is it?",
                    quoted(other),
                    quoted(label)
                );
                return Err(table.column_fault(column, message));
            }
        }
        Ok(Self { name: table.columns()[column].clone(), labels })
    }

    /// The index of each row's class.
    ///
    /// **Errors**: the column is not there; missing cells; a class unseen in training.
    ///
    /// **Panics** if the table has not so many rows.
    pub fn indices(&self, table: &Table, rows: &[usize]) -> Result<Vec<usize>> {
        let column = table.column(&self.name)?;
        let index: HashMap<&str, usize> =
            self.labels.iter().enumerate().map(|(at, label)| (label.as_str(), at)).collect();
        let class = |&row: &usize| {
            let label = table.cell(row, column);
            index.get(label).copied().ok_or_else(|| match Cell::parse(label) {
                Cell::Missing => missing_in(table, column, rows),
                _ => {
                    let known = list(&self.labels);
                    let message = format!("class {} was not seen in training, which knew {known}", quoted(label));
                    table.fault(row, column, message)
                }
            })
        };
        rows.iter().map(class).collect()
    }

    /// Says what [`infer`](Self::infer) never makes.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        let Self { name, labels } = self;
        let distinct: HashSet<&String> = labels.iter().collect();
        if labels.len() < 2 || labels.len() > MAX_LEVELS || distinct.len() < labels.len() {
            return Err(format!(
                "target {}: expected 2 to {MAX_LEVELS} distinct classes, found {} ({} distinct)",
                quoted(name),
                labels.len(),
                distinct.len()
            ));
        }
        Ok(())
    }
}

/// A label that a row has or has not, by a column of two classes.
impl Classes {
    /// What the probability of a label is the probability of: the second class, as `column=class`.
    pub fn event(&self) -> String {
        format!("{}={}", self.name, self.labels.get(1).map_or("", String::as_str))
    }

    /// An error unless there are two classes.
    pub(super) fn require_two(&self, table: &Table, column: usize) -> Result<()> {
        if self.labels.len() == 2 {
            return Ok(());
        }
        let message = format!(
            "{} classes ({}): of several targets each must hold 2, or all must be numbers; train a model for this one alone",
            self.labels.len(),
            list(&self.labels)
        );
        Err(table.column_fault(column, message))
    }
}
