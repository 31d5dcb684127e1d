//! What a model is trained on or applied to: a table, or images with labels.

use super::{Input, image_size};
use crate::data::cell::{Cell, quoted};
use crate::data::features::{self, Features};
use crate::data::idx::Idx;
use crate::data::{Strata, Table, Target, Task, Warning};
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::Array2;

/// Raw rows: a table, or images and perhaps their labels.
#[derive(Clone, Debug)]
pub enum Source {
    /// The rows of a table.
    Table {
        /// The table.
        table: Table,
        /// The index of the column to predict; none where there is nothing to compare with.
        target: Option<usize>,
    },
    /// Images of an IDX file.
    Images {
        /// The images.
        images: Idx,
        /// Their labels, if known.
        labels: Option<Idx>,
    },
}

impl Source {
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

    /// Leaves out the rows with a missing cell in the target or in an input column that is not ignored; says how many.
    ///
    /// **Errors**: an ignored column that is not there; no row is left.
    pub fn drop_incomplete(&mut self, ignore: &[String]) -> Result<usize> {
        let Self::Table { table, target } = self else { return Ok(0) };
        let ignored = ignore.iter().map(|name| table.column(name)).collect::<Result<Vec<_>>>()?;
        let columns: Vec<usize> =
            (0..table.columns().len()).filter(|c| Some(*c) == *target || !ignored.contains(c)).collect();
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
            Self::Table { table, target } => {
                let target = target.ok_or_else(|| Error::data(table.name(), "no target column was named"))?;
                let (features, warnings) = Features::infer(table, target, options)?;
                Ok((Input::Table(features), Target::infer(table, target, task)?, warnings))
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
                let target = Target::Classes { name: "label".into(), labels: names };
                Ok((Input::Images { height, width }, target, Vec::new()))
            }
        }
    }

    fn labels<'a>(&self, labels: &'a Option<Idx>) -> Result<&'a Idx> {
        labels.as_ref().ok_or_else(|| Error::data(self.name(), "images without labels: --labels names their file"))
    }

    /// The class of each row, as an index into the target's labels.
    ///
    /// **Errors** name file, line, column and value.
    pub fn classes(&self, target: &Target, rows: &[usize]) -> Result<Vec<usize>> {
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
                rows.iter().map(class).collect()
            }
        }
    }

    /// The number to predict of each row, in its own units.
    ///
    /// **Errors** name file, line, column and value.
    pub fn numbers(&self, target: &Target, rows: &[usize]) -> Result<Vec<f64>> {
        match self {
            Self::Table { table, .. } => target.numbers(table, rows),
            Self::Images { images, .. } => Err(Error::data(&images.name, "labels of images are classes, not numbers")),
        }
    }

    /// The network's targets: one column for a number or two classes told apart by one output, else one-hot.
    ///
    /// **Shapes**: rows x `outputs`. **Errors** name file, line, column and value.
    pub fn encode_targets<T: Float>(&self, target: &Target, rows: &[usize], outputs: usize) -> Result<Array2<T>> {
        if let (Target::Number { .. }, Self::Table { table, .. }) = (target, self) {
            return target.encode(table, rows);
        }
        let mut y = Array2::from_elem((rows.len(), outputs), T::ZERO);
        for (mut y, class) in y.rows_mut().into_iter().zip(self.classes(target, rows)?) {
            match outputs {
                1 => y[0] = if class == 1 { T::ONE } else { T::ZERO },
                _ => y[class] = T::ONE,
            }
        }
        Ok(y)
    }

    /// The given rows' strata for a split: their classes, or none for numbers. `classes` holds what they point to.
    ///
    /// **Errors** name file, line, column and value; rows that no split can put on both sides (a single one, or the
    /// only one of its class) are among them.
    pub fn strata<'a>(&self, target: &'a Target, rows: &[usize], classes: &'a mut Vec<usize>) -> Result<Strata<'a>> {
        if rows.len() < 2 {
            let message =
                format!("expected at least 2 rows, to train on some and measure on others, found {}", rows.len());
            return Err(Error::data(self.name(), message));
        }
        match target {
            Target::Number { .. } => Ok(Strata::None(rows.len())),
            Target::Classes { name, labels } => {
                *classes = self.classes(target, rows)?;
                let mut counts = vec![0_usize; labels.len()];
                classes.iter().for_each(|&class| counts[class] += 1);
                if let Some(lone) = classes.iter().position(|&class| counts[class] == 1) {
                    let message = format!(
                        "class {} stands in this row alone: expected at least 2 rows of every class, to train on some and measure on others",
                        quoted(&labels[classes[lone]])
                    );
                    return Err(self.row_fault(rows[lone], Some(name), message));
                }
                Ok(Strata::Classes { classes, labels })
            }
        }
    }
}
