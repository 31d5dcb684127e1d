//! Features and targets of a [`Matrix`]: the same rules as for a table of numbers, without the text.
//!
//! Its columns are called `column 1`, `column 2`, and so on, and are matched by position. NaN is a missing cell. Everything goes
//! row by row, in a buffer of one row, so that the matrix may lie in a file that is larger than memory.
//! Imports `matrix`, `features`, `target`, `column` (limits), `standard`, `cell`, `scalar`, `error`. Begin reading at
//! [`Features::encode_matrix`].

use super::Warning;
use super::cell::{list, quoted};
use super::column::{MAX_LEVELS, repeats};
use super::features::{ALL_MISSING, Feature, Features, Kind, Missing, Options};
use super::matrix::{Matrix, Scratch};
use super::standard::{Extent, Moments, standardise};
use super::target::{Classes, Number, Target, Task};
use crate::error::{Error, Result};
use crate::memory;
use crate::scalar::Scalar;
use std::collections::{BTreeMap, HashMap};

/// How many places a message lists.
const PLACES: usize = 5;

/// What the target of a matrix is called: its file names none.
pub(crate) const CLASS_NAME: &str = "label";
const NUMBER_NAME: &str = "target";

/// What a column is called.
fn name(column: usize) -> String {
    format!("column {}", column + 1)
}

/// The column that a user named: `column 3`, or 3.
fn find(matrix: &Matrix, wanted: &str) -> Result<usize> {
    let number = wanted.strip_prefix("column ").unwrap_or(wanted).parse::<usize>();
    match number {
        Ok(number) if (1..=matrix.width()).contains(&number) => Ok(number - 1),
        _ => {
            let message = format!("no column {}; its columns are called 1 to {}", quoted(wanted), matrix.width());
            Err(Error::data(matrix.name(), message))
        }
    }
}

/// Cells that are missing: how many, and where the first ones are.
#[derive(Default)]
struct Gaps {
    count: usize,
    first: Vec<String>,
}

impl Gaps {
    fn add(&mut self, matrix: &Matrix, row: usize, column: usize) {
        self.count += 1;
        if self.first.len() < PLACES {
            self.first.push(format!("row {} {}", matrix.number(row), name(column)));
        }
    }

    fn error(&self, matrix: &Matrix, remedy: &str) -> Error {
        let dots = if self.count > self.first.len() { ", …" } else { "" };
        let cells = super::cell::count(self.count, "cell");
        Error::data(matrix.name(), format!("{cells} missing (NaN): {}{dots}{remedy}", self.first.join(", ")))
    }
}

const REMEDY: &str = "; choose to fill in the mean or to drop their rows";

impl Features {
    /// The columns of a matrix but those to leave out, all of them numbers; [`fit_matrix`](Self::fit_matrix) must follow.
    ///
    /// **Errors**: a column named that is not there, or declared a category; missing cells (NaN), unless they are to be filled or
    /// dropped; infinite numbers; no input column; a file that cannot be read.
    pub fn infer_matrix(matrix: &Matrix, options: &Options) -> Result<Self> {
        if !options.categorical.is_empty() {
            return Err(Error::setting(
                "categorical",
                "no column of a matrix, whose columns are numbers",
                list(&options.categorical),
            ));
        }
        let ignored = options.ignore.iter().map(|name| find(matrix, name)).collect::<Result<Vec<_>>>()?;
        let positions: Vec<usize> = (0..matrix.width()).filter(|column| !ignored.contains(column)).collect();
        if positions.is_empty() {
            return Err(Error::data(matrix.name(), "no input column: all are left out"));
        }
        let mut gaps = Gaps::default();
        let rows: Vec<usize> = (0..matrix.rows()).collect();
        matrix.each_row(&rows, &mut Scratch::default(), |row, values| {
            for &column in &positions {
                let value = values[column];
                if value.is_infinite() {
                    return Err(matrix.row_fault(row, format_args!("{}: {value} is infinite", name(column))));
                }
                if value.is_nan() {
                    gaps.add(matrix, row, column);
                }
            }
            Ok(())
        })?;
        if gaps.count > 0 && options.missing == Missing::Error {
            return Err(gaps.error(matrix, REMEDY));
        }
        let kind = Kind::Number { mean: 0.0, scale: 1.0, fill: None };
        let feature = |position| Feature { name: name(position), position, kind: kind.clone() };
        let columns = positions.into_iter().map(feature).collect();
        Ok(Self { columns, header: false, source_columns: matrix.width(), missing: options.missing })
    }

    /// Learns means, standard deviations and fills from the given rows, which should be the training rows only: in two passes.
    ///
    /// **Determinism**: depends on the rows' order only by rounding; the same rows give the same bits, in memory or in a file.
    ///
    /// **Errors**: as for [`encode_matrix`](Self::encode_matrix); no rows, or a column without any value in them.
    ///
    /// **Panics** if the matrix has not so many rows.
    pub fn fit_matrix(&mut self, matrix: &Matrix, rows: &[usize]) -> Result<Vec<Warning>> {
        let mut source = Vec::new();
        self.columns_of(matrix, &mut source)?;
        if rows.is_empty() {
            return Err(Error::data(matrix.name(), "no rows to train on"));
        }
        let mut scratch = Scratch::default();
        let mut extents = vec![Extent::new(); source.len()];
        let imputes = self.missing == Missing::Mean;
        let mut gaps = Gaps::default();
        matrix.each_row(rows, &mut scratch, |row, values| {
            for (extent, &column) in extents.iter_mut().zip(&source) {
                match values[column] {
                    value if value.is_nan() => gaps.add(matrix, row, column),
                    value => extent.add(finite(matrix, row, column, value)?, 1.0),
                }
            }
            Ok(())
        })?;
        if gaps.count > 0 && !imputes {
            return Err(gaps.error(matrix, REMEDY));
        }
        let mut moments: Vec<Moments> = extents.iter().map(|&extent| Moments::new(extent)).collect();
        matrix.each_row(rows, &mut scratch, |_, values| {
            let present = moments.iter_mut().zip(&source).filter(|&(_, &column)| !values[column].is_nan());
            present.for_each(|(moments, &column)| moments.add(values[column], 1.0));
            Ok(())
        })?;
        let mut constant = Vec::new();
        for (index, feature) in self.columns.iter_mut().enumerate() {
            if extents[index].count == 0 {
                return Err(Error::data(matrix.name(), format!("{}: {ALL_MISSING}", feature.name)));
            }
            if extents[index].is_constant() {
                constant.push(feature.name.clone());
            }
            let (mean, scale) = (moments[index].mean(), moments[index].scale());
            feature.kind = Kind::Number { mean, scale, fill: imputes.then_some(mean) };
        }
        Ok(if constant.is_empty() { Vec::new() } else { vec![Warning::Constant { columns: constant }] })
    }

    /// The given rows of a matrix as a network's inputs, written to `out`. A model of a table may be given a matrix if all its
    /// columns are numbers and it matches them by position.
    ///
    /// **Shapes**: `rows.len()` x [`width`](Self::width), row-major. **Overwrites** `out`.
    ///
    /// **Allocates** nothing once `scratch` has been through a call of as many rows.
    ///
    /// **Errors**: another number of columns; columns matched by name, or categories; missing cells without a fill; a number
    /// not finite, in the file or in `T`; a file that cannot be read.
    ///
    /// **Panics** if the matrix has not so many rows.
    pub fn encode_matrix<T: Scalar>(
        &self,
        matrix: &Matrix,
        rows: &[usize],
        out: &mut [T],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let mut source = std::mem::take(&mut scratch.columns);
        self.columns_of(matrix, &mut source)?;
        assert_eq!(out.len(), rows.len() * source.len(), "room for the rows");
        let mut out = out.chunks_exact_mut(source.len());
        let encoded = matrix.each_row(rows, scratch, |row, values| {
            let encoded = out.next().expect("a row for each");
            for ((encoded, feature), &column) in encoded.iter_mut().zip(&self.columns).zip(&source) {
                let Kind::Number { mean, scale, fill } = &feature.kind else { unreachable!("checked by columns_of") };
                let value = match (values[column], fill) {
                    (value, Some(fill)) if value.is_nan() => *fill,
                    (value, None) if value.is_nan() => {
                        let mut gap = Gaps::default();
                        gap.add(matrix, row, column);
                        return Err(gap.error(matrix, REMEDY));
                    }
                    (value, _) => finite(matrix, row, column, value)?,
                };
                *encoded = T::from_f64(standardise(value, *mean, *scale));
                if !encoded.is_finite() {
                    let message = format!(
                        "{}: {value} is out of range once standardised (mean {mean}, scale {scale})",
                        name(column)
                    );
                    return Err(matrix.row_fault(row, message));
                }
            }
            Ok(())
        });
        scratch.columns = source;
        encoded
    }

    /// For each feature, its column in the matrix.
    fn columns_of(&self, matrix: &Matrix, columns: &mut Vec<usize>) -> Result<()> {
        let category = |feature: &&Feature| matches!(feature.kind, Kind::Category { .. });
        if let Some(feature) = self.columns.iter().find(category) {
            let message =
                format!("holds a matrix of numbers, and the model's input {} is a category", quoted(&feature.name));
            return Err(Error::data(matrix.name(), message));
        }
        if self.header {
            return Err(Error::data(
                matrix.name(),
                "columns are matched by name: expected a table with a header line, found a matrix",
            ));
        }
        self.positions(matrix.name(), matrix.width(), columns)
    }
}

fn finite(matrix: &Matrix, row: usize, column: usize, value: f64) -> Result<f64> {
    match value.is_finite() {
        true => Ok(value),
        false => Err(matrix.row_fault(row, format_args!("{}: {value} is infinite", name(column)))),
    }
}

impl Target {
    /// Reads the targets of a matrix or of images from an array of their own: whole numbers are classes, floating-point ones a
    /// number to predict, unless the task says otherwise.
    ///
    /// **Errors**: more than one column; missing or infinite numbers; for classes a number that is not whole, a single class, more
    /// than 10,000, or, unless the task is given, values that hardly repeat.
    pub fn infer_array(array: &Matrix, task: Option<Task>) -> Result<Self> {
        if array.width() != 1 {
            let dims = array.dims().iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
            return Err(Error::data(array.name(), format!("expected one target for each row, found {dims}")));
        }
        let rows: Vec<usize> = (0..array.rows()).collect();
        if task.unwrap_or(if array.is_float() { Task::Regress } else { Task::Classify }) == Task::Regress {
            let target = Self::Number(Number { name: NUMBER_NAME.into(), mean: 0.0, scale: 1.0 });
            target.numbers_in(array, &rows)?;
            return Ok(target);
        }
        let mut found = BTreeMap::new();
        for (&row, integer) in rows.iter().zip(array.integers(&rows)?) {
            let integer = integer.ok_or_else(|| array.row_fault(row, "expected a whole number, for a class"))?;
            *found.entry(integer).or_insert(0_usize) += 1;
        }
        if let (1, Some((only, _))) = (found.len(), found.first_key_value()) {
            return Err(Error::data(array.name(), format!("all labels are {only}: expected at least 2 classes")));
        }
        if task.is_none() && !repeats(found.len(), rows.len()) {
            let message = format!(
                "looks like a number to predict rather than classes: {} distinct values in {} rows; say which task it is",
                found.len(),
                rows.len()
            );
            return Err(Error::data(array.name(), message));
        }
        if found.len() > MAX_LEVELS {
            let message = format!("expected at most {MAX_LEVELS} classes, found {}", found.len());
            return Err(Error::data(array.name(), message));
        }
        let labels = found.keys().map(i128::to_string).collect();
        Ok(Self::Classes(Classes { name: CLASS_NAME.into(), labels }))
    }

    /// As [`fit`](Self::fit), from an array.
    ///
    /// **Errors**: no rows, or a number that is not finite.
    pub fn fit_array(&mut self, array: &Matrix, rows: &[usize]) -> Result<Vec<Warning>> {
        if rows.is_empty() {
            return Err(Error::data(array.name(), "no rows to train on"));
        }
        let Self::Number(_) = self else { return Ok(Vec::new()) };
        let values = self.numbers_in(array, rows)?;
        let Self::Number(number) = self else { return Ok(Vec::new()) };
        Ok(match number.fit_values(&values, None) {
            true => Vec::new(),
            false => vec![Warning::Constant { columns: vec![number.name.clone()] }],
        })
    }

    /// The index of each row's class in an array.
    ///
    /// **Errors**: a class unseen in training; a target that is a number.
    ///
    /// **Panics** if the array has not so many rows.
    pub fn classes_in(&self, array: &Matrix, rows: &[usize]) -> Result<Vec<usize>> {
        let Self::Classes(Classes { labels, .. }) = self else {
            let message = format!("holds the classes of one target, and the model predicts {}", list(&self.names()));
            return Err(Error::data(array.name(), message));
        };
        let index: HashMap<i128, usize> =
            labels.iter().enumerate().filter_map(|(class, label)| Some((label.parse().ok()?, class))).collect();
        let class = |(&row, integer): (&usize, Option<i128>)| {
            integer.and_then(|integer| index.get(&integer).copied()).ok_or_else(|| {
                let found = integer.map_or("no whole number".to_string(), |integer| integer.to_string());
                let known = labels.join(", ");
                let message =
                    format!("label {} is {found}, not seen in training, which knew {known}", array.number(row));
                Error::data(array.name(), message)
            })
        };
        rows.iter().zip(array.integers(rows)?).map(class).collect()
    }

    /// The target's number in each row of an array, in its own units.
    ///
    /// **Errors**: NaN or infinity; a target with classes.
    ///
    /// **Panics** if the array has not so many rows.
    pub fn numbers_in(&self, array: &Matrix, rows: &[usize]) -> Result<Vec<f64>> {
        let Self::Number(_) = self else { return Err(self.unlike("is not a single number")) };
        let mut numbers = memory::zeros(rows.len(), "the targets")?;
        let mut at = 0;
        array.each_row(rows, &mut Scratch::default(), |row, values| {
            let value = values[0];
            if !value.is_finite() {
                return Err(array.row_fault(row, format_args!("the target is {value}, expected a finite number")));
            }
            numbers[at] = value;
            at += 1;
            Ok(())
        })?;
        Ok(numbers)
    }
}

/// The rows without a missing cell (NaN) in a column that is not left out, in order.
///
/// **Errors**: a column left out that is not there; a file that cannot be read.
pub fn complete_rows(matrix: &Matrix, ignore: &[String]) -> Result<Vec<usize>> {
    let ignored = ignore.iter().map(|name| find(matrix, name)).collect::<Result<Vec<_>>>()?;
    let mut kept = Vec::new();
    let rows: Vec<usize> = (0..matrix.rows()).collect();
    matrix.each_row(&rows, &mut Scratch::default(), |row, values| {
        let mut cells = values.iter().enumerate();
        if cells.all(|(column, value)| !value.is_nan() || ignored.contains(&column)) {
            kept.push(row);
        }
        Ok(())
    })?;
    Ok(kept)
}

/// What the given rows hold in the column that groups them, as bits that are ordered like the numbers.
///
/// **Errors**: there is no such column; a missing or infinite number in it; a file that cannot be read.
pub fn group_values(matrix: &Matrix, column: &str, rows: &[usize]) -> Result<Vec<i64>> {
    let column = find(matrix, column)?;
    let mut groups = Vec::with_capacity(rows.len());
    matrix.each_row(rows, &mut Scratch::default(), |row, values| {
        // + 0.0 makes -0 and 0 one number; of negative ones the order of the bits is turned.
        let value = values[column] + 0.0;
        if !value.is_finite() {
            return Err(matrix.row_fault(row, format_args!("{}: {value}, expected a group", name(column))));
        }
        let bits = value.to_bits() as i64;
        groups.push(if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits });
        Ok(())
    })?;
    Ok(groups)
}

/// Grey pixels of the given rows, divided by 255, written to `out`.
///
/// **Shapes**: `rows.len()` x [`Matrix::width`], row-major. **Overwrites** `out`.
///
/// **Errors**: a file that cannot be read. **Panics** if the matrix has not so many rows.
pub fn pixels_into<T: Scalar>(images: &Matrix, rows: &[usize], out: &mut [T], scratch: &mut Scratch) -> Result<()> {
    assert_eq!(out.len(), rows.len() * images.width(), "room for the rows");
    let mut out = out.chunks_exact_mut(images.width());
    images.each_row(rows, scratch, |_, values| {
        let encoded = out.next().expect("a row for each");
        encoded.iter_mut().zip(values).for_each(|(pixel, value)| *pixel = T::from_f64(value / 255.0));
        Ok(())
    })
}
