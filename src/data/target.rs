//! The column to predict: classes or a number, encoded for training and decoded for reports.
//!
//! Imports `cell`, `column`, `features` (numbers of a column), `standard`, `table`, `scalar`, `error`. Begin reading at
//! [`Task::guess`] and [`Target::infer`].

use super::Warning;
use super::array::{rows_mut, zeros};
use super::cell::{Cell, list, quoted};
use super::column::{self, MAX_LEVELS, Places};
use super::features::number;
use super::standard::{Extent, Moments, standardise};
use super::table::Table;
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One of several classes.
    Classify,
    /// A number.
    Regress,
}

/// The most distinct whole numbers that are taken for class numbers.
const GUESSED_CLASSES: usize = 20;

impl Task {
    /// The task that the target column suggests.
    ///
    /// Texts are classes. Numbers are classes if they are whole, at most 20 different ones, and repeat: at most a fifth
    /// of the rows hold distinct values, or, in small tables, up to ten values that stand twice on average. Other
    /// numbers are a regression.
    ///
    /// **Errors**: every cell is missing, or a text stands among more than 90 % numbers.
    ///
    /// **Panics** if the table has no such column.
    pub fn guess(table: &Table, column: usize) -> Result<Self> {
        let scan = column::scan(table, &[column]);
        let numeric = column::decide_numeric(table, column, &scan.columns[0])?;
        let classes = !numeric || column::few_whole_numbers(table, column, GUESSED_CLASSES);
        Ok(if classes { Self::Classify } else { Self::Regress })
    }
}

/// The fitted preprocessing of the target column: plain data, part of a saved model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Target {
    /// One of several classes, encoded one-hot.
    Classes {
        /// The column's name.
        name: String,
        /// The classes as the file writes them, by number if all are whole numbers, else by text.
        labels: Vec<String>,
    },
    /// A number, encoded as `(value - mean) / scale`.
    Number {
        /// The column's name.
        name: String,
        /// The mean over the training rows.
        mean: f64,
        /// The population standard deviation over the training rows; 1 for a constant target.
        scale: f64,
    },
}

impl Target {
    /// Reads the target column of a whole table, for the given task or the one [guessed](Task::guess).
    ///
    /// **Errors**: missing cells; for classes a single one, more than 10,000, one number written in two ways (`1` and
    /// `1.0`), or, unless the task is given, values that look like an identifier; for a number anything that is none.
    ///
    /// **Panics** if the table has no such column.
    pub fn infer(table: &Table, column: usize, task: Option<Task>) -> Result<Self> {
        let scan = column::scan(table, &[column]);
        if scan.missing.count > 0 {
            return Err(scan.missing.error(table, "missing in the target", "; leave out their rows"));
        }
        let name = table.columns()[column].clone();
        let given = task.is_some();
        let task = match task {
            Some(task) => task,
            None => Task::guess(table, column)?,
        };
        match task {
            Task::Classify => {
                let labels = column::levels(table, column, given)?;
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
                Ok(Self::Classes { name, labels })
            }
            Task::Regress => {
                let census = &scan.columns[0];
                if !census.is_numeric() {
                    let text = quoted(table.cell(census.first_text, column));
                    return Err(table.fault(census.first_text, column, format!("not a number: {text}")));
                }
                if scan.infinite.count > 0 {
                    return Err(scan.infinite.error(table, "infinite or too large for a number", ""));
                }
                Ok(Self::Number { name, mean: 0.0, scale: 1.0 })
            }
        }
    }

    /// Learns a number's mean and standard deviation from the given rows, which should be the training rows only;
    /// for classes there is nothing to learn.
    ///
    /// **Errors**: no rows, or a cell that is no number.
    ///
    /// **Panics** if the table has not so many rows.
    pub fn fit(&mut self, table: &Table, rows: &[usize]) -> Result<Vec<Warning>> {
        if rows.is_empty() {
            return Err(Error::data(table.name(), "no rows to train on"));
        }
        if let Self::Classes { .. } = self {
            return Ok(Vec::new());
        }
        let values = self.numbers(table, rows)?;
        Ok(self.fit_numbers(&values))
    }

    /// Learns the numbers' mean and standard deviation.
    pub(super) fn fit_numbers(&mut self, values: &[f64]) -> Vec<Warning> {
        let mut extent = Extent::new();
        values.iter().for_each(|&value| extent.add(value));
        let mut moments = Moments::new(extent);
        values.iter().for_each(|&value| moments.add(value));
        let Self::Number { name, mean, scale } = self else { return Vec::new() };
        (*mean, *scale) = (moments.mean(), moments.scale());
        let constant = || vec![Warning::Constant { columns: vec![name.clone()] }];
        if extent.is_constant() { constant() } else { Vec::new() }
    }

    /// A number as a network is trained on it.
    ///
    /// **Errors**: a sentence, where it is not finite in `T`.
    pub fn standardised<T: Scalar>(&self, value: f64) -> std::result::Result<T, String> {
        let (mean, scale) = if let Self::Number { mean, scale, .. } = self { (*mean, *scale) } else { (0.0, 1.0) };
        let encoded = T::from_f64(standardise(value, mean, scale));
        match encoded.is_finite() {
            true => Ok(encoded),
            false => Err(format!("{value} is out of range once standardised (mean {mean}, scale {scale})")),
        }
    }

    /// The column's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Classes { name, .. } | Self::Number { name, .. } => name,
        }
    }

    /// The task.
    pub fn task(&self) -> Task {
        match self {
            Self::Classes { .. } => Task::Classify,
            Self::Number { .. } => Task::Regress,
        }
    }

    /// The classes, in the order of the encoded columns; none for a number.
    pub fn labels(&self) -> &[String] {
        if let Self::Classes { labels, .. } = self { labels } else { &[] }
    }

    /// The number of columns of the encoded array.
    pub fn width(&self) -> usize {
        if let Self::Classes { labels, .. } = self { labels.len() } else { 1 }
    }

    /// The index of each row's class.
    ///
    /// **Errors**: the column is not there; missing cells; a class unseen in training; the target is a number.
    ///
    /// **Panics** if the table has not so many rows.
    pub fn classes(&self, table: &Table, rows: &[usize]) -> Result<Vec<usize>> {
        let Self::Classes { name, labels } = self else {
            return Err(Error::Unsupported(format!(
                "the target {} is a number and has no classes",
                quoted(self.name())
            )));
        };
        let column = table.column(name)?;
        let index: HashMap<&str, usize> = labels.iter().enumerate().map(|(at, label)| (label.as_str(), at)).collect();
        let class = |&row: &usize| {
            let label = table.cell(row, column);
            index.get(label).copied().ok_or_else(|| match Cell::parse(label) {
                Cell::Missing => missing_in(table, column, rows),
                _ => {
                    let message =
                        format!("class {} was not seen in training, which knew {}", quoted(label), list(labels));
                    table.fault(row, column, message)
                }
            })
        };
        rows.iter().map(class).collect()
    }

    /// The target's number in each row, in its own units.
    ///
    /// **Errors**: the column is not there; a cell that is no number; the target is a class.
    ///
    /// **Panics** if the table has not so many rows.
    pub fn numbers(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>> {
        let Self::Number { name, .. } = self else {
            return Err(Error::Unsupported(format!("the target {} has classes and is no number", quoted(self.name()))));
        };
        let column = table.column(name)?;
        let value = |&row: &usize| number(table, row, column)?.ok_or_else(|| missing_in(table, column, rows));
        rows.iter().map(value).collect()
    }

    /// The target of the given rows as a network is trained on it.
    ///
    /// **Shapes**: `rows.len()` x [`width`](Self::width): classes one-hot, a number standardised.
    ///
    /// **Errors**: as for [`classes`](Self::classes) and [`numbers`](Self::numbers); a number not finite in `T`; no memory.
    ///
    /// **Panics** if the table has not so many rows.
    pub fn encode<T: Scalar>(&self, table: &Table, rows: &[usize]) -> Result<Array2<T>> {
        let mut values = zeros::<T>(rows.len(), self.width(), "the encoded target")?;
        match self {
            Self::Classes { .. } => {
                let classes = self.classes(table, rows)?;
                for (encoded, class) in rows_mut(&mut values).zip(classes) {
                    encoded[class] = T::ONE;
                }
            }
            Self::Number { .. } => {
                let numbers = self.numbers(table, rows)?;
                for ((encoded, value), &row) in values.iter_mut().zip(numbers).zip(rows) {
                    let column = || table.column(self.name());
                    *encoded = match self.standardised(value) {
                        Ok(encoded) => encoded,
                        Err(message) => return Err(table.fault(row, column()?, message)),
                    };
                }
            }
        }
        Ok(values)
    }

    /// A standardised number in the target's own units; the number itself where the target is a class.
    pub fn inverse(&self, value: f64) -> f64 {
        match self {
            Self::Classes { .. } => value,
            Self::Number { mean, scale, .. } => value * scale + mean,
        }
    }

    /// A network's outputs in the target's own units, one for each row.
    ///
    /// **Shapes**: rows x 1.
    ///
    /// **Errors**: another shape, or a target with classes.
    pub fn inverse_all<T: Scalar>(&self, outputs: ArrayView2<'_, T>) -> Result<Vec<f64>> {
        if let Self::Classes { name, .. } = self {
            return Err(Error::Unsupported(format!("the target {} has classes and is no number", quoted(name))));
        }
        if outputs.ncols() != 1 {
            return Err(Error::shape("outputs", "1 column", outputs.ncols()));
        }
        Ok(outputs.iter().map(|output| self.inverse(output.real())).collect())
    }

    /// Says what is wrong with a target read from a file, if anything: what [`fit`](Self::fit) never makes.
    ///
    /// **Errors**: a sentence for the model file's error.
    pub fn check(&self) -> std::result::Result<(), String> {
        let shown = quoted(self.name());
        match self {
            Self::Classes { labels, .. } => {
                let distinct: HashSet<&String> = labels.iter().collect();
                if labels.len() < 2 || labels.len() > MAX_LEVELS || distinct.len() < labels.len() {
                    return Err(format!(
                        "target {shown}: expected 2 to {MAX_LEVELS} distinct classes, found {} ({} distinct)",
                        labels.len(),
                        distinct.len()
                    ));
                }
            }
            Self::Number { mean, scale, .. } => {
                if !(mean.is_finite() && scale.is_finite() && *scale > 0.0) {
                    return Err(format!(
                        "target {shown}: expected finite numbers and a positive scale, found mean {mean}, scale {scale}"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The error about all missing cells of the target in the rows.
fn missing_in(table: &Table, column: usize, rows: &[usize]) -> Error {
    let mut missing = Places::default();
    for &row in rows.iter().filter(|&&row| Cell::parse(table.cell(row, column)) == Cell::Missing) {
        missing.add(row, column);
    }
    missing.error(table, "missing in the target", "; leave out their rows")
}
