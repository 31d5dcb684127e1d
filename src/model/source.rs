//! What a model is trained on or applied to: a table, or images with labels.

use super::{Input, image_size};
use crate::data::cell::{Cell, quoted};
use crate::data::features::{self, Features};
use crate::data::idx::Idx;
use crate::data::target::Classes;
use crate::data::{Strata, Table, Target, Task, Warning, weights};
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::Array2;
use std::collections::BTreeMap;

/// Raw rows: a table, or images and perhaps their labels.
#[derive(Clone, Debug)]
pub enum Source {
    /// The rows of a table.
    Table {
        /// The table.
        table: Table,
        /// The indices of the columns to predict; none where there is nothing to compare with.
        targets: Vec<usize>,
        /// The index of the column that says how much each row counts; without, all count alike.
        weights: Option<usize>,
    },
    /// Images of an IDX file.
    Images {
        /// The images.
        images: Idx,
        /// Their labels, if known.
        labels: Option<Idx>,
    },
}

/// Rows by what a split keeps in proportion.
#[derive(Clone, Debug)]
pub struct Groups {
    rows: usize,
    classes: Vec<usize>,
    labels: Vec<String>,
}

impl Groups {
    /// What [`split`](crate::data::split) asks for.
    pub fn strata(&self) -> Strata<'_> {
        match self.labels.is_empty() {
            true => Strata::None(self.rows),
            false => Strata::Classes { classes: &self.classes, labels: &self.labels },
        }
    }
}

impl Source {
    /// A table, the columns to predict, and perhaps that of the rows' weights: names, or numbers from 1.
    ///
    /// **Errors** if there is no such column.
    pub fn table<S: AsRef<str>>(table: Table, targets: &[S], weights: Option<&str>) -> Result<Self> {
        let targets = targets.iter().map(|name| table.column(name.as_ref())).collect::<Result<_>>()?;
        let weights = weights.map(|name| table.column(name)).transpose()?;
        Ok(Self::Table { table, targets, weights })
    }

    /// Images with labels.
    ///
    /// **Errors** if they are not equally many.
    pub fn images(images: Idx, labels: Option<Idx>) -> Result<Self> {
        if let Some(labels) = &labels {
            images.expect_labels(labels)?;
        }
        Ok(Self::Images { images, labels })
    }

    /// The file's name, for messages.
    pub fn name(&self) -> &str {
        match self {
            Self::Table { table, .. } => table.name(),
            Self::Images { images, .. } => &images.name,
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        match self {
            Self::Table { table, .. } => table.rows(),
            Self::Images { images, .. } => images.rows(),
        }
    }

    /// An error about one row, with its place in the file.
    pub(super) fn row_fault(&self, row: usize, column: Option<&str>, message: impl Into<String>) -> Error {
        match self {
            Self::Table { table, .. } => Error::data_at(table.name(), table.line(row), column, message),
            Self::Images { images, .. } => Error::data(&images.name, format!("image {}: {}", row + 1, message.into())),
        }
    }

    /// Leaves out the rows with a missing cell in a target, in the weights, or in an input column that is not ignored; says how
    /// many.
    ///
    /// **Errors**: an ignored column that is not there; no row is left.
    pub fn drop_incomplete(&mut self, ignore: &[String]) -> Result<usize> {
        let Self::Table { table, targets, weights } = self else { return Ok(0) };
        let ignored = ignore.iter().map(|name| table.column(name)).collect::<Result<Vec<_>>>()?;
        let needed = |c: &usize| targets.contains(c) || *weights == Some(*c) || !ignored.contains(c);
        let columns: Vec<usize> = (0..table.columns().len()).filter(needed).collect();
        let complete = |row: &usize| columns.iter().all(|&c| Cell::parse(table.cell(*row, c)) != Cell::Missing);
        let kept: Vec<usize> = (0..table.rows()).filter(complete).collect();
        let dropped = table.rows() - kept.len();
        if kept.is_empty() {
            return Err(Error::data(table.name(), format!("each of the {dropped} rows has a missing cell")));
        }
        if dropped > 0 {
            table.keep_rows(&kept);
        }
        Ok(dropped)
    }

    /// What the inputs hold and what is to be predicted, judged over all rows.
    ///
    /// **Errors** name file, line, column and value.
    pub fn infer(&self, task: Option<Task>, options: &features::Options) -> Result<(Input, Target, Vec<Warning>)> {
        match self {
            Self::Table { table, targets, weights } => {
                if targets.is_empty() {
                    return Err(Error::data(table.name(), "no target column was named"));
                }
                self.weights(&(0..table.rows()).collect::<Vec<_>>())?;
                let apart: Vec<usize> = targets.iter().chain(weights).copied().collect();
                let (features, warnings) = Features::infer(table, &apart, options)?;
                Ok((Input::Table(features), Target::infer(table, targets, task)?, warnings))
            }
            Self::Images { images, labels } => {
                let labels = self.labels(labels)?;
                if task == Some(Task::Regress) {
                    return Err(Error::setting("task", "classify, for images with labels", "regress"));
                }
                let mut found: Vec<u8> = labels.bytes.clone();
                found.sort_unstable();
                found.dedup();
                if let [only] = found[..] {
                    return Err(Error::data(
                        &labels.name,
                        format!("all labels are {only}: expected at least 2 classes"),
                    ));
                }
                let names = found.iter().map(u8::to_string).collect();
                let (height, width) = image_size(images);
                let target = Target::Classes(Classes { name: "label".into(), labels: names });
                Ok((Input::Images { height, width }, target, Vec::new()))
            }
        }
    }

    fn labels<'a>(&self, labels: &'a Option<Idx>) -> Result<&'a Idx> {
        labels.as_ref().ok_or_else(|| Error::data(self.name(), "images without labels: --labels names their file"))
    }

    /// What each of the given rows counts, if there is a column of weights.
    ///
    /// **Errors** name file, line, column and value of a weight that is missing, no number, not finite or negative; no weight
    /// above 0, and a target for the column are others.
    pub fn weights(&self, rows: &[usize]) -> Result<Option<Vec<f64>>> {
        let Self::Table { table, targets, weights: Some(column) } = self else { return Ok(None) };
        if targets.contains(column) {
            let found = quoted(&table.columns()[*column]);
            return Err(Error::setting("weight column", "another column than the target's", found));
        }
        weights::read(table, *column, rows).map(Some)
    }

    /// The given rows but those of weight 0, which count for nothing.
    ///
    /// **Errors** as [`weights`](Self::weights).
    pub fn counted(&self, rows: &[usize]) -> Result<Vec<usize>> {
        Ok(match self.weights(rows)? {
            None => rows.to_vec(),
            Some(weights) => rows.iter().zip(weights).filter(|(_, w)| *w > 0.0).map(|(&row, _)| row).collect(),
        })
    }

    /// The classes of each row, as indices into the labels of the target's class columns.
    ///
    /// **Shapes**: rows x [class columns](Target::class_columns). **Errors** name file, line, column and value.
    pub fn classes(&self, target: &Target, rows: &[usize]) -> Result<Array2<usize>> {
        match self {
            Self::Table { table, .. } => target.classes(table, rows),
            Self::Images { labels, .. } => {
                let labels = self.labels(labels)?;
                let mut index = [None; 256];
                for (class, name) in target.labels().iter().enumerate() {
                    if let Ok(byte) = name.parse::<u8>() {
                        index[usize::from(byte)] = Some(class);
                    }
                }
                let class = |&row: &usize| {
                    let byte = labels.bytes[row];
                    index[usize::from(byte)].ok_or_else(|| {
                        let known = target.labels().join(", ");
                        let message = format!("label {} is {byte}, not seen in training, which knew {known}", row + 1);
                        Error::data(&labels.name, message)
                    })
                };
                let classes = rows.iter().map(class).collect::<Result<Vec<_>>>()?;
                Ok(Array2::from_shape_vec((rows.len(), 1), classes).expect("a class to each row"))
            }
        }
    }

    /// The numbers to predict of each row, in their own units.
    ///
    /// **Shapes**: rows x [number columns](Target::number_columns). **Errors** name file, line, column and value.
    pub fn numbers(&self, target: &Target, rows: &[usize]) -> Result<Array2<f64>> {
        match self {
            Self::Table { table, .. } => target.numbers(table, rows),
            Self::Images { images, .. } => Err(Error::data(&images.name, "labels of images are classes, not numbers")),
        }
    }

    /// The network's targets: one column for each number, each label, or two classes told apart by one output, else one-hot.
    ///
    /// **Shapes**: rows x `outputs`. **Errors** name file, line, column and value.
    pub fn encode_targets<T: Float>(&self, target: &Target, rows: &[usize], outputs: usize) -> Result<Array2<T>> {
        match self {
            Self::Table { table, .. } if target.task() == Task::Regress => target.encode(table, rows),
            _ => target.encode_classes(self.classes(target, rows)?.view(), outputs),
        }
    }

    /// The given rows' groups for a split: their classes, or none for numbers. Of several labels the rows that have the same
    /// ones are a group; where one would be a row alone, which cannot stand on both sides, there are none.
    ///
    /// **Errors** name file, line, column and value; rows that no split can put on both sides (a single one, or the
    /// only one of its class) are among them.
    pub fn groups(&self, target: &Target, rows: &[usize]) -> Result<Groups> {
        if rows.len() < 2 {
            let message =
                format!("expected at least 2 rows, to train on some and measure on others, found {}", rows.len());
            return Err(Error::data(self.name(), message));
        }
        let none = Groups { rows: rows.len(), classes: Vec::new(), labels: Vec::new() };
        match target {
            Target::Number(_) | Target::Numbers(_) => Ok(none),
            Target::Classes(Classes { name, labels }) => {
                let classes: Vec<usize> = self.classes(target, rows)?.into_iter().collect();
                let mut counts = vec![0_usize; labels.len()];
                classes.iter().for_each(|&class| counts[class] += 1);
                if let Some(lone) = classes.iter().position(|&class| counts[class] == 1) {
                    let message = format!(
                        "class {} stands in this row alone: expected at least 2 rows of every class, to train on some and measure on others",
                        quoted(&labels[classes[lone]])
                    );
                    return Err(self.row_fault(rows[lone], Some(name), message));
                }
                Ok(Groups { classes, labels: labels.clone(), ..none })
            }
            Target::Labels(columns) => {
                let classes = self.classes(target, rows)?;
                let mut found: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
                for (row, labels) in classes.rows().into_iter().enumerate() {
                    found.entry(labels.to_vec()).or_default().push(row);
                }
                if found.values().any(|rows| rows.len() < 2) {
                    return Ok(none);
                }
                let mut groups = Groups { classes: vec![0; rows.len()], ..none };
                for (labels, rows) in found {
                    rows.into_iter().for_each(|row| groups.classes[row] = groups.labels.len());
                    let named = columns.iter().zip(labels).map(|(column, class)| column.labels[class].as_str());
                    groups.labels.push(named.collect::<Vec<_>>().join(", "));
                }
                Ok(groups)
            }
        }
    }
}
