//! What a model is trained on or applied to: a table, images with labels, or a matrix with targets.

use super::{Input, image_size};
use crate::data::cell::{Cell, count, quoted};
use crate::data::features::{self, Features};
use crate::data::idx::Idx;
use crate::data::matrix::Scratch;
use crate::data::target::Classes;
use crate::data::{Matrix, Parting, Strata, Table, Target, Task, Warning, numeric, weights};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::train::Inputs;
use ndarray::Array2;
use std::collections::BTreeMap;

/// Raw rows: a table, images and perhaps their labels, or a matrix and perhaps its targets.
///
/// Images and matrices may lie in files larger than memory ([`Matrix::is_in_file`]).
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
        /// The images: bytes of two dimensions (rows of pixels) or three.
        images: Matrix,
        /// Their labels, if known.
        labels: Option<Matrix>,
    },
    /// Rows of numbers, as NPY files hold them.
    Matrix {
        /// The numbers.
        matrix: Matrix,
        /// What is to be predicted, a number for each row, if known.
        targets: Option<Matrix>,
    },
}

/// Rows by what a split keeps.
#[derive(Clone, Debug)]
pub enum Groups {
    /// Nothing, of so many rows.
    None(usize),
    /// Classes in proportion.
    Classes {
        /// The class of each row.
        classes: Vec<usize>,
        /// Their names.
        labels: Vec<String>,
    },
    /// The order, of so many rows.
    Ordered(usize),
    /// Groups as a whole: that of each row.
    Whole(Vec<usize>),
}

impl Groups {
    /// What [`split`](crate::data::split) asks for.
    pub fn strata(&self) -> Strata<'_> {
        match self {
            Self::None(rows) => Strata::None(*rows),
            Self::Classes { classes, labels } => Strata::Classes { classes, labels },
            Self::Ordered(rows) => Strata::Ordered(*rows),
            Self::Whole(groups) => Strata::Groups(groups),
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
    /// **Errors** if they are not equally many, or of another number of dimensions.
    pub fn images(images: impl Into<Matrix>, labels: Option<Idx>) -> Result<Self> {
        let (images, labels) = (images.into(), labels.map(Matrix::from));
        if !(2..=3).contains(&images.dims().len()) {
            let found = images.dims().len();
            return Err(Error::data(images.name(), format!("not images: expected 2 or 3 dimensions, found {found}")));
        }
        expect_as_many(&images, labels.as_ref(), ("label", "images"))?;
        Ok(Self::Images { images, labels })
    }

    /// Rows of numbers with what is to be predicted.
    ///
    /// **Errors** if they are not equally many.
    pub fn matrix(matrix: Matrix, targets: Option<Matrix>) -> Result<Self> {
        expect_as_many(&matrix, targets.as_ref(), ("target", "rows"))?;
        Ok(Self::Matrix { matrix, targets })
    }

    /// Whether its rows lie in a file and are read when they are asked for.
    pub fn is_in_file(&self) -> bool {
        match self {
            Self::Table { .. } => false,
            Self::Images { images: rows, .. } | Self::Matrix { matrix: rows, .. } => rows.is_in_file(),
        }
    }

    /// The same rows, read into memory if they lie in a file.
    ///
    /// **Errors**: the file cannot be read, or does not fit.
    pub fn into_memory(self) -> Result<Self> {
        Ok(match self {
            Self::Images { images, labels } => Self::Images { images: images.into_memory()?, labels },
            Self::Matrix { matrix, targets } => Self::Matrix { matrix: matrix.into_memory()?, targets },
            table => table,
        })
    }

    /// The file's name, for messages.
    pub fn name(&self) -> &str {
        match self {
            Self::Table { table, .. } => table.name(),
            Self::Images { images: rows, .. } | Self::Matrix { matrix: rows, .. } => rows.name(),
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        match self {
            Self::Table { table, .. } => table.rows(),
            Self::Images { images: rows, .. } | Self::Matrix { matrix: rows, .. } => rows.rows(),
        }
    }

    /// An error about one row, with its place in the file.
    pub(super) fn row_fault(&self, row: usize, column: Option<&str>, message: impl Into<String>) -> Error {
        match self {
            Self::Table { table, .. } => Error::data_at(table.name(), table.line(row), column, message),
            Self::Images { images, .. } => {
                Error::data(images.name(), format!("image {}: {}", images.number(row), message.into()))
            }
            Self::Matrix { matrix, .. } => {
                Error::data(matrix.name(), format!("row {}: {}", matrix.number(row), message.into()))
            }
        }
    }

    /// Leaves out the rows with a missing cell in a target, in the weights, or in an input column that is not ignored; says how
    /// many.
    ///
    /// **Errors**: an ignored column that is not there; no row is left.
    pub fn drop_incomplete(&mut self, ignore: &[String]) -> Result<usize> {
        let (kept, rows) = match self {
            Self::Images { .. } => return Ok(0),
            Self::Table { table, targets, weights } => {
                let ignored = ignore.iter().map(|name| table.column(name)).collect::<Result<Vec<_>>>()?;
                let needed = |c: &usize| targets.contains(c) || *weights == Some(*c) || !ignored.contains(c);
                let columns: Vec<usize> = (0..table.columns().len()).filter(needed).collect();
                let complete = |row: &usize| columns.iter().all(|&c| Cell::parse(table.cell(*row, c)) != Cell::Missing);
                ((0..table.rows()).filter(complete).collect::<Vec<_>>(), table.rows())
            }
            Self::Matrix { matrix, targets } => {
                let mut kept = numeric::complete_rows(matrix, ignore)?;
                if let Some(targets) = targets {
                    let known = numeric::complete_rows(targets, &[])?;
                    kept.retain(|row| known.binary_search(row).is_ok());
                }
                (kept, matrix.rows())
            }
        };
        let dropped = rows - kept.len();
        if kept.is_empty() {
            return Err(Error::data(self.name(), format!("each of the {dropped} rows has a missing cell")));
        }
        if dropped > 0 {
            match self {
                Self::Table { table, .. } => table.keep_rows(&kept),
                Self::Images { images: rows, labels: known } | Self::Matrix { matrix: rows, targets: known } => {
                    rows.keep_rows(&kept);
                    known.iter_mut().for_each(|known| known.keep_rows(&kept));
                }
            }
        }
        Ok(dropped)
    }

    /// What the inputs hold and what is to be predicted, judged over all rows.
    ///
    /// **Errors** name file, line, column and value.
    pub fn infer(&self, task: Option<Task>, options: &features::Options) -> Result<(Input, Target, Vec<Warning>)> {
        match self {
            Self::Table { table, targets, .. } => {
                let (input, warnings) = self.infer_input(options)?;
                Ok((input, Target::infer(table, targets, task)?, warnings))
            }
            Self::Images { labels, .. } => {
                let labels = self.known(labels)?;
                if task == Some(Task::Regress) {
                    return Err(Error::setting("task", "classify, for images with labels", "regress"));
                }
                let target = Target::infer_array(labels, Some(Task::Classify))?;
                let (input, warnings) = self.infer_input(options)?;
                Ok((input, target, warnings))
            }
            Self::Matrix { targets, .. } => {
                let target = Target::infer_array(self.known(targets)?, task)?;
                let (input, warnings) = self.infer_input(options)?;
                Ok((input, target, warnings))
            }
        }
    }

    /// What the inputs hold, judged over all rows, without a look at what is to be predicted.
    ///
    /// **Errors** name file, line, column and value.
    pub(super) fn infer_input(&self, options: &features::Options) -> Result<(Input, Vec<Warning>)> {
        match self {
            Self::Table { table, targets, weights } => {
                if targets.is_empty() {
                    return Err(Error::data(table.name(), "no target column was named"));
                }
                self.weights(&(0..table.rows()).collect::<Vec<_>>())?;
                let apart: Vec<usize> = targets.iter().chain(weights).copied().collect();
                let (features, warnings) = Features::infer(table, &apart, options)?;
                Ok((Input::Table(features), warnings))
            }
            Self::Images { images, .. } => {
                let (height, width) = image_size(images);
                Ok((Input::Images { height, width }, Vec::new()))
            }
            Self::Matrix { matrix, .. } => Ok((Input::Table(Features::infer_matrix(matrix, options)?), Vec::new())),
        }
    }

    /// What the columns to predict are called; labels of images and targets of a matrix have no name but that of their kind.
    pub(super) fn target_names(&self) -> Vec<&str> {
        match self {
            Self::Table { table, targets, .. } => {
                targets.iter().map(|&column| table.columns()[column].as_str()).collect()
            }
            Self::Images { .. } | Self::Matrix { .. } => vec![numeric::CLASS_NAME],
        }
    }

    /// Learns what the columns and the target hold in the given rows, which should be the training rows only.
    ///
    /// **Errors** name file, line, column and value.
    pub fn fit(
        &self,
        input: &mut Input,
        target: &mut Target,
        rows: &[usize],
        weights: Option<&[f64]>,
    ) -> Result<Vec<Warning>> {
        let mut warnings = Vec::new();
        match (self, input) {
            (Self::Table { table, .. }, Input::Table(features)) => {
                warnings.extend(features.fit(table, rows, weights)?);
                warnings.extend(target.fit(table, rows, weights)?);
            }
            (Self::Matrix { matrix, targets }, Input::Table(features)) => {
                warnings.extend(features.fit_matrix(matrix, rows)?);
                warnings.extend(target.fit_array(self.known(targets)?, rows)?);
            }
            _ => {}
        }
        Ok(warnings)
    }

    fn known<'a>(&self, labels: &'a Option<Matrix>) -> Result<&'a Matrix> {
        let what = if let Self::Images { .. } = self { "images without labels" } else { "a matrix without targets" };
        labels.as_ref().ok_or_else(|| Error::data(self.name(), format!("{what}: --labels names their file")))
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
            Self::Images { labels: known, .. } | Self::Matrix { targets: known, .. } => {
                let classes = target.classes_in(self.known(known)?, rows)?;
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
            Self::Matrix { targets, .. } => {
                let numbers = target.numbers_in(self.known(targets)?, rows)?;
                Ok(Array2::from_shape_vec((rows.len(), 1), numbers).expect("a number to each row"))
            }
            Self::Images { images, .. } => Err(Error::data(images.name(), "labels of images are classes, not numbers")),
        }
    }

    /// The network's targets: one column for each number, each label, or two classes told apart by one output, else one-hot.
    ///
    /// **Shapes**: rows x `outputs`. **Errors** name file, line, column and value.
    pub fn encode_targets<T: Float>(&self, target: &Target, rows: &[usize], outputs: usize) -> Result<Array2<T>> {
        match self {
            Self::Table { table, .. } if target.task() == Task::Regress => target.encode(table, rows),
            Self::Matrix { .. } if target.task() == Task::Regress => {
                let fault = |row: usize, _: &str, message: String| Ok(self.row_fault(rows[row], None, message));
                target.encode_numbers(self.numbers(target, rows)?.view(), fault)
            }
            _ => target.encode_classes(self.classes(target, rows)?.view(), outputs),
        }
    }

    /// The group of each row by a column: numbers from 0, in the order of the column's values.
    fn group_of_each(&self, column: &str, rows: &[usize]) -> Result<Vec<usize>> {
        match self {
            Self::Table { table, targets, .. } => {
                let column = table.column(column)?;
                if targets.contains(&column) {
                    let found = quoted(&table.columns()[column]);
                    return Err(Error::setting("groups", "another column than the target", found));
                }
                let cell = |&row: &usize| match table.cell(row, column) {
                    text if Cell::parse(text) == Cell::Missing => Err(Error::data_at(
                        table.name(),
                        table.line(row),
                        Some(&table.columns()[column]),
                        "missing: expected a group for each row",
                    )),
                    text => Ok(text),
                };
                Ok(ranks(&rows.iter().map(cell).collect::<Result<Vec<_>>>()?))
            }
            Self::Matrix { matrix, .. } => numeric::group_values(matrix, column, rows).map(|values| ranks(&values)),
            Self::Images { images, .. } => {
                Err(Error::data(images.name(), format!("images have no column {} to group them by", quoted(column))))
            }
        }
    }

    /// The given rows' groups for a split: their classes, or none for numbers. Of several labels the rows that have the same
    /// ones are a group; where one would be a row alone, which cannot stand on both sides, there are none. Or what `parting` says.
    ///
    /// **Errors** name file, line, column and value; rows that no split can put on both sides (a single one, or the
    /// only one of its class) are among them.
    pub fn groups(&self, target: &Target, rows: &[usize], parting: &Parting) -> Result<Groups> {
        if rows.len() < 2 {
            let message =
                format!("expected at least 2 rows, to train on some and measure on others, found {}", rows.len());
            return Err(Error::data(self.name(), message));
        }
        match parting {
            Parting::Random => {}
            Parting::Ordered => return Ok(Groups::Ordered(rows.len())),
            Parting::Groups(column) => return Ok(Groups::Whole(self.group_of_each(column, rows)?)),
        }
        let none = Groups::None(rows.len());
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
                Ok(Groups::Classes { classes, labels: labels.clone() })
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
                let (mut of_each, mut names) = (vec![0; rows.len()], Vec::new());
                for (labels, rows) in found {
                    rows.into_iter().for_each(|row| of_each[row] = names.len());
                    let named = columns.iter().zip(labels).map(|(column, class)| column.labels[class].as_str());
                    names.push(named.collect::<Vec<_>>().join(", "));
                }
                Ok(Groups::Classes { classes: of_each, labels: names })
            }
        }
    }
}

/// The inputs of a model that are read from a source's file and encoded when their turn comes.
pub(super) struct InFile<'a> {
    input: &'a Input,
    source: &'a Source,
    /// The rows that are trained on.
    rows: &'a [usize],
    picked: Vec<usize>,
    scratch: Scratch,
}

impl<'a> InFile<'a> {
    pub(super) fn new(input: &'a Input, source: &'a Source, rows: &'a [usize]) -> Self {
        Self { input, source, rows, picked: Vec::new(), scratch: Scratch::default() }
    }
}

impl<T: Float> Inputs<T> for InFile<'_> {
    fn read(&mut self, rows: &[usize], out: &mut [T]) -> Result<()> {
        self.picked.clear();
        self.picked.extend(rows.iter().map(|&row| self.rows[row]));
        self.input.encode_into(self.source, &self.picked, out, &mut self.scratch)
    }
}

/// Refuses targets of another number than the rows: `nouns` are what one target and the rows are called.
fn expect_as_many(rows: &Matrix, targets: Option<&Matrix>, nouns: (&str, &str)) -> Result<()> {
    match targets {
        Some(targets) if targets.rows() != rows.rows() => {
            let expected = count(rows.rows(), nouns.0);
            let message =
                format!("expected {expected} for the {} of {}, found {}", nouns.1, rows.name(), targets.rows());
            Err(Error::data(targets.name(), message))
        }
        _ => Ok(()),
    }
}

/// For each value its rank among the distinct ones.
fn ranks<V: Ord + Clone>(values: &[V]) -> Vec<usize> {
    let mut distinct = values.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    values.iter().map(|value| distinct.binary_search(value).unwrap_or(0)).collect()
}
