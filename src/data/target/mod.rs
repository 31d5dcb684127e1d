//! What is to be predicted: classes or a number, or several columns of one kind, encoded for training and decoded for reports.
//!
//! [`Target`] is a list of columns of one kind, each a [`Classes`] or a [`Number`] that knows itself alone.
//! Imports its two parts, `cell`, `column`, `table`, `scalar`, `error`. Begin reading at [`Task::guess`] and [`Target::infer`].

mod classes;
mod number;

use super::Warning;
use super::array::{rows_mut, zeros};
use super::cell::{Cell, count, list, quoted};
use super::column::{self, MAX_LEVELS, Places};
use super::table::Table;
use crate::error::{Error, Result};
use crate::scalar::Scalar;
pub use classes::Classes;
use ndarray::{Array2, ArrayView2};
pub use number::Number;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

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

/// The fitted preprocessing of what is predicted: plain data, part of a saved model.
///
/// One column of either kind, or several of one kind. A single column of two classes and one label among several are the same
/// thing, but for the network: each label has an output of its own, and a row may have any number of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Target {
    /// One of several classes, encoded one-hot.
    Classes(Classes),
    /// A number.
    Number(Number),
    /// Labels, at least two columns of two classes each: multi-label classification.
    Labels(Vec<Classes>),
    /// At least two numbers, each in its own units: multi-output regression.
    Numbers(Vec<Number>),
}

impl Target {
    /// Reads the target columns of a whole table, for the given task or the one [guessed](Task::guess) for each.
    ///
    /// **Errors**: no column, or one twice; missing cells; for classes a single one, more than 10,000, one number written in two
    /// ways (`1` and `1.0`), or, unless the task is given, values that look like an identifier; for a number anything that is
    /// none; of several columns, classes beside numbers, and more than two classes.
    ///
    /// **Panics** if the table has no such column.
    pub fn infer(table: &Table, columns: &[usize], task: Option<Task>) -> Result<Self> {
        let [first, others @ ..] = columns else {
            return Err(Error::data(table.name(), "no target column was named"));
        };
        if columns.len() > MAX_LEVELS {
            return Err(Error::setting("target", format!("at most {MAX_LEVELS} columns"), columns.len()));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = columns.iter().find(|column| !seen.insert(*column)) {
            let name = quoted(&table.columns()[*twice]);
            return Err(Error::setting("target", "each column once", format!("{name} twice")));
        }
        let scan = column::scan(table, columns);
        if scan.missing.count > 0 {
            return Err(scan.missing.error(table, "missing in the target", "; leave out their rows"));
        }
        let task_of = |column| task.map_or_else(|| Task::guess(table, column), Ok);
        let kind = task_of(*first)?;
        for &other in others {
            if task_of(other)? != kind {
                return Err(mixture(table, (*first, kind), other));
            }
        }
        match kind {
            Task::Classify => {
                let mut read = Vec::with_capacity(columns.len());
                for &column in columns {
                    let classes = Classes::infer(table, column, task.is_some())?;
                    if !others.is_empty() {
                        classes.require_two(table, column)?;
                    }
                    read.push(classes);
                }
                Ok(if others.is_empty() { Self::Classes(read.remove(0)) } else { Self::Labels(read) })
            }
            Task::Regress => {
                let number = |&column: &usize| Number::infer(table, column, &column::scan(table, &[column]));
                let mut read = columns.iter().map(number).collect::<Result<Vec<_>>>()?;
                Ok(if others.is_empty() { Self::Number(read.remove(0)) } else { Self::Numbers(read) })
            }
        }
    }

    /// Learns means and standard deviations of numbers from the given rows, which should be the training rows only, each
    /// counting as often as its weight says; of classes there is nothing to learn.
    ///
    /// **Errors**: no rows, or a cell that is no number.
    ///
    /// **Panics** if the table has not so many rows, or they are not as many as the weights.
    pub fn fit(&mut self, table: &Table, rows: &[usize], weights: Option<&[f64]>) -> Result<Vec<Warning>> {
        if rows.is_empty() {
            return Err(Error::data(table.name(), "no rows to train on"));
        }
        let mut constant = Vec::new();
        for number in self.number_columns_mut() {
            if !number.fit(table, rows, weights)? {
                constant.push(number.name.clone());
            }
        }
        Ok(if constant.is_empty() { Vec::new() } else { vec![Warning::Constant { columns: constant }] })
    }

    /// The columns that hold classes; none if all hold numbers.
    pub fn class_columns(&self) -> &[Classes] {
        match self {
            Self::Classes(classes) => std::slice::from_ref(classes),
            Self::Labels(labels) => labels,
            Self::Number(_) | Self::Numbers(_) => &[],
        }
    }

    /// The columns that hold numbers; none if all hold classes.
    pub fn number_columns(&self) -> &[Number] {
        match self {
            Self::Number(number) => std::slice::from_ref(number),
            Self::Numbers(numbers) => numbers,
            Self::Classes(_) | Self::Labels(_) => &[],
        }
    }

    fn number_columns_mut(&mut self) -> &mut [Number] {
        match self {
            Self::Number(number) => std::slice::from_mut(number),
            Self::Numbers(numbers) => numbers,
            Self::Classes(_) | Self::Labels(_) => &mut [],
        }
    }

    /// Leaves numbers as they are, with mean 0 and scale 1, and gives the means that [`fit`](Self::fit) had found.
    pub fn keep_as_they_are(&mut self) -> Vec<f64> {
        self.number_columns_mut()
            .iter_mut()
            .map(|number| {
                number.scale = 1.0;
                std::mem::take(&mut number.mean)
            })
            .collect()
    }

    /// The columns' names.
    pub fn names(&self) -> Vec<&str> {
        let classes = self.class_columns().iter().map(|classes| classes.name.as_str());
        classes.chain(self.number_columns().iter().map(|number| number.name.as_str())).collect()
    }

    /// The task.
    pub fn task(&self) -> Task {
        if self.class_columns().is_empty() { Task::Regress } else { Task::Classify }
    }

    /// The classes of a single column, in the order of the encoded columns; none for numbers and for several columns.
    pub fn labels(&self) -> &[String] {
        if let Self::Classes(Classes { labels, .. }) = self { labels } else { &[] }
    }

    /// The number of columns of the encoded array: one for each class of a single column, else one for each column.
    pub fn width(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.labels.len(),
            _ => self.class_columns().len() + self.number_columns().len(),
        }
    }

    /// The index of each row's class.
    ///
    /// **Shapes**: `rows.len()` x [`class_columns`](Self::class_columns).
    ///
    /// **Errors**: a column is not there; missing cells; a class unseen in training; the target is a number.
    ///
    /// **Panics** if the table has not so many rows.
    pub fn classes(&self, table: &Table, rows: &[usize]) -> Result<Array2<usize>> {
        let columns = self.class_columns();
        if columns.is_empty() {
            return Err(self.unlike("is a number and has no classes"));
        }
        let mut classes = Array2::zeros((rows.len(), columns.len()));
        for (mut to, column) in classes.columns_mut().into_iter().zip(columns) {
            to.iter_mut().zip(column.indices(table, rows)?).for_each(|(to, class)| *to = class);
        }
        Ok(classes)
    }

    /// The target's numbers in each row, in their own units.
    ///
    /// **Shapes**: `rows.len()` x [`number_columns`](Self::number_columns).
    ///
    /// **Errors**: a column is not there; a cell that is no number; the target is a class.
    ///
    /// **Panics** if the table has not so many rows.
    pub fn numbers(&self, table: &Table, rows: &[usize]) -> Result<Array2<f64>> {
        let columns = self.number_columns();
        if columns.is_empty() {
            return Err(self.unlike("has classes and is no number"));
        }
        let mut numbers = zeros(rows.len(), columns.len(), "the target's numbers")?;
        for (mut to, column) in numbers.columns_mut().into_iter().zip(columns) {
            to.iter_mut().zip(column.values(table, rows)?).for_each(|(to, value)| *to = value);
        }
        Ok(numbers)
    }

    pub(super) fn unlike(&self, what: &str) -> Error {
        Error::Unsupported(format!("the target {} {what}", list(&self.names())))
    }

    /// The target of the given rows as a network is trained on it.
    ///
    /// **Shapes**: `rows.len()` x [`width`](Self::width): the classes of a single column one-hot, labels as 0 and 1, numbers
    /// standardised.
    ///
    /// **Errors**: as for [`classes`](Self::classes) and [`numbers`](Self::numbers); a number not finite in `T`; no memory.
    ///
    /// **Panics** if the table has not so many rows.
    pub fn encode<T: Scalar>(&self, table: &Table, rows: &[usize]) -> Result<Array2<T>> {
        if !self.class_columns().is_empty() {
            return self.encode_classes(self.classes(table, rows)?.view(), self.width());
        }
        let fault = |row: usize, name: &str, message: String| Ok(table.fault(rows[row], table.column(name)?, message));
        self.encode_numbers(self.numbers(table, rows)?.view(), fault)
    }

    /// Numbers as a network is trained on them: standardised. `fault` makes an error of a row, a column's name and a message.
    ///
    /// **Shapes**: those of `numbers`. **Errors**: a number not finite in `T`; no memory.
    pub fn encode_numbers<T: Scalar>(
        &self,
        numbers: ArrayView2<'_, f64>,
        fault: impl Fn(usize, &str, String) -> Result<Error>,
    ) -> Result<Array2<T>> {
        let mut values = zeros::<T>(numbers.nrows(), numbers.ncols(), "the encoded target")?;
        for ((i, j), encoded) in values.indexed_iter_mut() {
            let (value, column) = (numbers[[i, j]], &self.number_columns()[j]);
            *encoded = T::from_f64(column.standardise(value));
            if !encoded.is_finite() {
                let Number { name, mean, scale } = column;
                let message = format!("{value} is out of range once standardised (mean {mean}, scale {scale})");
                return Err(fault(i, name, message)?);
            }
        }
        Ok(values)
    }

    /// Classes as a network of so many `outputs` is trained on them: an output to each column is 1 for its second class, else
    /// there is one for each class of the only column.
    ///
    /// **Shapes**: as `classes`, to rows x `outputs`. **Errors**: other outputs; no memory.
    pub fn encode_classes<T: Scalar>(&self, classes: ArrayView2<'_, usize>, outputs: usize) -> Result<Array2<T>> {
        let one_hot = classes.ncols() == 1 && outputs == self.labels().len();
        if !one_hot && (outputs != classes.ncols() || self.labels().len() > 2) {
            return Err(Error::shape("outputs", self.width(), outputs));
        }
        let mut values = zeros::<T>(classes.nrows(), outputs, "the encoded target")?;
        for (encoded, classes) in rows_mut(&mut values).zip(classes.rows()) {
            if one_hot {
                encoded[classes[0]] = T::ONE;
            } else {
                encoded.iter_mut().zip(classes).for_each(|(e, &class)| *e = if class == 1 { T::ONE } else { T::ZERO });
            }
        }
        Ok(values)
    }

    /// A network's outputs in the units of the target's numbers.
    ///
    /// **Shapes**: rows x [`number_columns`](Self::number_columns).
    ///
    /// **Errors**: another shape, or a target with classes.
    pub fn inverse_all<T: Scalar>(&self, outputs: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        let columns = self.number_columns();
        if columns.is_empty() {
            return Err(self.unlike("has classes and is no number"));
        }
        if outputs.ncols() != columns.len() {
            return Err(Error::shape("outputs", count(columns.len(), "column"), outputs.ncols()));
        }
        let mut values = zeros(outputs.nrows(), columns.len(), "the predicted numbers")?;
        for ((i, j), value) in values.indexed_iter_mut() {
            *value = columns[j].inverse(outputs[[i, j]].real());
        }
        Ok(values)
    }

    /// Says what is wrong with a target read from a file, if anything: what [`fit`](Self::fit) never makes.
    ///
    /// **Errors**: a sentence for the model file's error.
    pub fn check(&self) -> std::result::Result<(), String> {
        self.class_columns().iter().try_for_each(Classes::check)?;
        self.number_columns().iter().try_for_each(Number::check)?;
        let names = self.names();
        if let Self::Labels(_) | Self::Numbers(_) = self {
            let distinct: HashSet<&&str> = names.iter().collect();
            if names.len() < 2 || names.len() > MAX_LEVELS || distinct.len() < names.len() {
                return Err(format!(
                    "expected 2 to {MAX_LEVELS} distinct target columns in a list, found {} ({} distinct)",
                    names.len(),
                    distinct.len()
                ));
            }
        }
        if let Self::Labels(labels) = self
            && let Some(Classes { name, labels }) = labels.iter().find(|classes| classes.labels.len() != 2)
        {
            return Err(format!("target {}: expected 2 classes of a label, found {}", quoted(name), labels.len()));
        }
        Ok(())
    }
}

/// The error about classes beside numbers.
fn mixture(table: &Table, (first, kind): (usize, Task), other: usize) -> Error {
    let (classes, number) = if kind == Task::Classify { (first, other) } else { (other, first) };
    let [classes, number] = [classes, number].map(|column| quoted(&table.columns()[column]));
    let message = format!(
        "classes ({classes}) beside a number ({number}): several targets are all of one kind; a given task makes all of them that"
    );
    Error::data(table.name(), message)
}

/// The error about all missing cells of the target in the rows.
fn missing_in(table: &Table, column: usize, rows: &[usize]) -> Error {
    let mut missing = Places::default();
    for &row in rows.iter().filter(|&&row| Cell::parse(table.cell(row, column)) == Cell::Missing) {
        missing.add(row, column);
    }
    missing.error(table, "missing in the target", "; leave out their rows")
}
