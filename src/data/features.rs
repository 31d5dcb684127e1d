//! Input columns as numbers: which they are, what they mean, and how a row of text becomes a row of an array.
//!
//! [`Features::infer`] decides each column's kind over the whole table (rule: `column.rs`), [`Features::fit`] learns
//! means, deviations and fills from the training rows alone, [`Features::encode`] turns any rows of any table with the
//! same columns into numbers. What is learnt is plain data and goes into the model file.
//! Imports `cell`, `column`, `standard`, `table`, `scalar`, `error`. Begin reading at [`Features::encode`].

use super::Warning;
use super::array::{rows_mut, zeros};
use super::cell::{Cell, count, list, quoted};
use super::column::{self, MAX_LEVELS, Places};
use super::standard::{Extent, Moments, standardise};
use super::table::Table;
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// What to do with missing cells of the input columns. Infinite numbers are no missing cells and always an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Refuse them, with their count and the first places.
    #[default]
    Error,
    /// Put the training rows' mean for a number, their most frequent category (of equals the first) for a category.
    Mean,
    /// Leave out their rows, which [`Features::complete_rows`] does. [`Features::encode`] still refuses them.
    Drop,
}

/// What the user says about the input columns.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Columns that are categories whatever they look like, by name or number.
    pub categorical: Vec<String>,
    /// Columns to leave out, by name or number.
    pub ignore: Vec<String>,
    /// What to do with missing cells.
    pub missing: Missing,
}

/// What an input column holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Kind {
    /// A number, encoded as `(value - mean) / scale`.
    Number {
        /// The mean over the training rows.
        mean: f64,
        /// The population standard deviation over the training rows; 1 for a constant column.
        scale: f64,
        /// What stands for a missing cell.
        fill: Option<f64>,
    },
    /// One of a few texts, encoded one-hot.
    Category {
        /// The texts, in the order of the encoded columns: by number if all are whole numbers, else by text.
        levels: Vec<String>,
        /// What stands for a missing cell: one of `levels`.
        fill: Option<String>,
    },
}

/// An input column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Its name; its number, from 1, in a file without a header.
    pub name: String,
    /// Its index in the training file.
    pub position: usize,
    /// What it holds.
    pub kind: Kind,
}

impl Feature {
    /// The number of columns it takes in the encoded array.
    pub fn width(&self) -> usize {
        match &self.kind {
            Kind::Number { .. } => 1,
            Kind::Category { levels, .. } => levels.len(),
        }
    }
}

/// The fitted preprocessing of the input columns: plain data, part of a saved model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// The input columns, in the training file's order.
    pub columns: Vec<Feature>,
    /// Whether the training file named its columns. If so, tables are matched by name, otherwise by position.
    pub header: bool,
    /// How many columns the training file had, target and ignored ones included.
    pub source_columns: usize,
    /// What is done with missing cells.
    pub missing: Missing,
}

impl Features {
    /// Decides what each column but those `apart` (targets, weights) holds, over the whole table; [`fit`](Self::fit) must follow.
    ///
    /// **Errors**: a column named that is not there; missing cells, unless they are to be filled or dropped; infinite
    /// numbers; a text in a column of numbers; an identifier or free text; more than 10,000 categories; no input column.
    ///
    /// **Panics** if the table has no column that is one of those `apart`.
    pub fn infer(table: &Table, apart: &[usize], options: &Options) -> Result<(Self, Vec<Warning>)> {
        apart.iter().for_each(|&c| assert!(c < table.columns().len(), "column {c} of {}", table.columns().len()));
        let find = |names: &[String]| names.iter().map(|name| table.column(name)).collect::<Result<HashSet<usize>>>();
        let (ignored, declared) = (find(&options.ignore)?, find(&options.categorical)?);
        let positions: Vec<usize> =
            (0..table.columns().len()).filter(|column| !apart.contains(column) && !ignored.contains(column)).collect();
        if positions.is_empty() {
            let apart: Vec<&String> = apart.iter().map(|&column| &table.columns()[column]).collect();
            let message = format!("no input column beside the target {}", list(&apart));
            return Err(Error::data(table.name(), message));
        }
        let scan = column::scan(table, &positions);
        if scan.missing.count > 0 && options.missing == Missing::Error {
            return Err(missing_error(table, &scan.missing));
        }
        let mut columns = Vec::new();
        let mut constant = Vec::new();
        for (&position, census) in positions.iter().zip(&scan.columns) {
            let declared = declared.contains(&position);
            let kind = if !declared && column::decide_numeric(table, position, census)? {
                Kind::Number { mean: 0.0, scale: 1.0, fill: None }
            } else {
                let levels = column::levels(table, position, declared)?;
                if levels.len() == 1 {
                    constant.push(table.columns()[position].clone());
                }
                Kind::Category { levels, fill: None }
            };
            columns.push(Feature { name: table.columns()[position].clone(), position, kind });
        }
        // After the kinds: a text in a column of numbers says more about the file.
        if scan.infinite.count > 0 {
            return Err(scan.infinite.error(table, "infinite or too large for a number", ""));
        }
        let mut warnings = Vec::new();
        if !constant.is_empty() {
            warnings.push(Warning::Constant { columns: constant });
        }
        if !table.has_final_newline() && table.rows() > 0 {
            warnings.push(Warning::NoFinalNewline { file: table.name().into(), line: table.line(table.rows() - 1) });
        }
        let (header, source_columns) = (table.has_header(), table.columns().len());
        Ok((Self { columns, header, source_columns, missing: options.missing }, warnings))
    }

    /// Learns means, standard deviations and fills from the given rows, which should be the training rows only, each counting
    /// as often as its weight says.
    ///
    /// **Determinism**: depends on the rows' order only by rounding; the same rows give the same bits.
    ///
    /// **Errors**: as for [`encode`](Self::encode); no rows, or a column without any value in them.
    ///
    /// **Panics** if the table has not so many rows, or they are not as many as the weights.
    pub fn fit(&mut self, table: &Table, rows: &[usize], weights: Option<&[f64]>) -> Result<Vec<Warning>> {
        let source = self.columns_in(table)?;
        if rows.is_empty() {
            return Err(Error::data(table.name(), "no rows to train on"));
        }
        let mut extents = vec![Extent::new(); source.len()];
        let rows = Weighted { rows, weights };
        self.each_number(table, &source, rows, |feature, value, weight| extents[feature].add(value, weight))?;
        let mut moments: Vec<Moments> = extents.iter().map(|&extent| Moments::new(extent)).collect();
        self.each_number(table, &source, rows, |feature, value, weight| moments[feature].add(value, weight))?;
        let imputes = self.missing == Missing::Mean;
        let mut constant = Vec::new();
        for (index, feature) in self.columns.iter_mut().enumerate() {
            match &mut feature.kind {
                Kind::Number { mean, scale, fill } => {
                    if extents[index].count == 0 {
                        return Err(table.column_fault(source[index], ALL_MISSING));
                    }
                    if extents[index].is_constant() {
                        constant.push(feature.name.clone());
                    }
                    (*mean, *scale) = (moments[index].mean(), moments[index].scale());
                    *fill = imputes.then_some(*mean);
                }
                Kind::Category { levels, fill } => {
                    *fill = if imputes { most_frequent(table, source[index], rows, levels)? } else { None }
                }
            }
        }
        Ok(if constant.is_empty() { Vec::new() } else { vec![Warning::Constant { columns: constant }] })
    }

    /// The given rows as numbers.
    ///
    /// Columns are matched by name, so their order does not matter and others may stand between them. If the training file had
    /// no header, they are matched by position: the table has either all of that file's columns, or just the input columns.
    ///
    /// **Shapes**: `rows.len()` x [`width`](Self::width), in the order of [`names`](Self::names).
    ///
    /// **Errors**: columns missing; missing cells without a fill; a text for a number; a number not finite, in the file
    /// or in `T`; a category unseen in training; no memory.
    ///
    /// **Panics** if the table has not so many rows.
    pub fn encode<T: Scalar>(&self, table: &Table, rows: &[usize]) -> Result<Array2<T>> {
        let source = self.columns_in(table)?;
        let lookup: Vec<HashMap<&str, usize>> = self.columns.iter().map(level_index).collect();
        let mut values = zeros::<T>(rows.len(), self.width(), "the encoded table")?;
        for (&row, encoded) in rows.iter().zip(rows_mut(&mut values)) {
            let mut at = 0;
            for ((feature, &column), lookup) in self.columns.iter().zip(&source).zip(&lookup) {
                let text = table.cell(row, column);
                match &feature.kind {
                    Kind::Number { mean, scale, fill } => {
                        let value = match number(table, row, column)? {
                            Some(value) => value,
                            None => fill.ok_or_else(|| self.missing_in(table, &source, rows))?,
                        };
                        encoded[at] = T::from_f64(standardise(value, *mean, *scale));
                        if !encoded[at].is_finite() {
                            let message = format!(
                                "{} is out of range once standardised (mean {mean}, scale {scale})",
                                quoted(text)
                            );
                            return Err(table.fault(row, column, message));
                        }
                    }
                    Kind::Category { levels, fill } => {
                        let level = match (Cell::parse(text), fill) {
                            (Cell::Missing, Some(fill)) => fill.as_str(),
                            (Cell::Missing, None) => return Err(self.missing_in(table, &source, rows)),
                            _ => text,
                        };
                        let Some(&index) = lookup.get(level) else {
                            let message =
                                format!("{} was not seen in training, which knew {}", quoted(level), list(levels));
                            return Err(table.fault(row, column, message));
                        };
                        encoded[at + index] = T::ONE;
                    }
                }
                at += feature.width();
            }
        }
        Ok(values)
    }

    /// The rows without a missing cell in an input column, in order.
    ///
    /// **Errors**: columns missing.
    pub fn complete_rows(&self, table: &Table) -> Result<Vec<usize>> {
        let source = self.columns_in(table)?;
        let complete =
            |&row: &usize| source.iter().all(|&column| Cell::parse(table.cell(row, column)) != Cell::Missing);
        Ok((0..table.rows()).filter(complete).collect())
    }

    /// The number of columns of the encoded array.
    pub fn width(&self) -> usize {
        self.columns.iter().map(Feature::width).sum()
    }

    /// The names of the encoded array's columns: a number's own, `safety=high` for a category.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for feature in &self.columns {
            match &feature.kind {
                Kind::Number { .. } => names.push(feature.name.clone()),
                Kind::Category { levels, .. } => {
                    names.extend(levels.iter().map(|level| format!("{}={level}", feature.name)))
                }
            }
        }
        names
    }

    /// Whether tables are matched by position, because the training file had no header line: worth telling the user.
    pub fn is_by_position(&self) -> bool {
        !self.header
    }

    /// Says what is wrong with features read from a file, if anything: what [`fit`](Self::fit) never makes.
    ///
    /// **Errors**: a sentence for the model file's error.
    pub fn check(&self) -> std::result::Result<(), String> {
        let mut names = HashSet::new();
        let mut positions = HashSet::new();
        if self.columns.is_empty() {
            return Err("it has no input column".into());
        }
        for Feature { name, position, kind } in &self.columns {
            let shown = quoted(name);
            if !names.insert(name) || !positions.insert(position) {
                return Err(format!("input column {shown}: expected one of its name and position, found two"));
            }
            if *position >= self.source_columns {
                return Err(format!("input column {shown}: position {position} of {}", self.source_columns));
            }
            match kind {
                Kind::Number { mean, scale, fill } => {
                    let fill = fill.unwrap_or(0.0);
                    if !(mean.is_finite() && scale.is_finite() && *scale > 0.0 && fill.is_finite()) {
                        return Err(format!(
                            "input column {shown}: expected finite numbers and a positive scale, found mean {mean}, scale {scale}, fill {fill}"
                        ));
                    }
                }
                Kind::Category { levels, fill } => {
                    let distinct: HashSet<&String> = levels.iter().collect();
                    if levels.is_empty() || levels.len() > MAX_LEVELS || distinct.len() < levels.len() {
                        return Err(format!(
                            "input column {shown}: expected 1 to {MAX_LEVELS} distinct categories, found {} ({} distinct)",
                            levels.len(),
                            distinct.len()
                        ));
                    }
                    if fill.as_ref().is_some_and(|fill| !distinct.contains(fill)) {
                        return Err(format!(
                            "input column {shown}: the fill {} is none of its categories",
                            quoted(fill.as_deref().unwrap_or_default())
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// For each feature, its column in the table.
    fn columns_in(&self, table: &Table) -> Result<Vec<usize>> {
        let found = table.columns().len();
        if !self.header {
            let mut columns = Vec::new();
            self.positions(table.name(), found, &mut columns)?;
            return Ok(columns);
        }
        if !table.has_header() {
            return Err(Error::data(table.name(), "columns are matched by name: expected a header line, found none"));
        }
        let index: HashMap<&str, usize> =
            table.columns().iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let absent: Vec<&str> =
            self.columns.iter().map(|feature| feature.name.as_str()).filter(|name| !index.contains_key(name)).collect();
        if !absent.is_empty() {
            let message = format!(
                "{} missing: {}; the table has {}",
                count(absent.len(), "column"),
                list(&absent),
                list(table.columns())
            );
            return Err(Error::data(table.name(), message));
        }
        Ok(self.columns.iter().map(|feature| index[feature.name.as_str()]).collect())
    }

    /// For each feature, its column in a file of so many columns that are matched by position.
    pub(super) fn positions(&self, file: &str, found: usize, columns: &mut Vec<usize>) -> Result<()> {
        columns.clear();
        match found {
            _ if found == self.source_columns => {
                columns.extend(self.columns.iter().map(|feature| feature.position));
                Ok(())
            }
            _ if found == self.columns.len() => {
                columns.extend(0..found);
                Ok(())
            }
            _ => {
                let message = format!(
                    "the training file had no header line, so columns are matched by position: expected {} columns, or {} without target and ignored ones, found {found}",
                    self.source_columns,
                    self.columns.len()
                );
                Err(Error::data(file, message))
            }
        }
    }

    /// Hands out the numbers of the numeric columns, row by row, as (feature, value, weight); refuses what `encode` would.
    fn each_number(
        &self,
        table: &Table,
        source: &[usize],
        rows: Weighted<'_>,
        mut take: impl FnMut(usize, f64, f64),
    ) -> Result<()> {
        for (row, weight) in rows.iter() {
            for (index, (feature, &column)) in self.columns.iter().zip(source).enumerate() {
                if let Kind::Number { .. } = feature.kind {
                    match number(table, row, column)? {
                        Some(value) => take(index, value, weight),
                        None if self.missing == Missing::Mean => {}
                        None => return Err(self.missing_in(table, source, rows.rows)),
                    }
                }
            }
        }
        Ok(())
    }

    /// The error about all missing cells of the rows.
    fn missing_in(&self, table: &Table, source: &[usize], rows: &[usize]) -> Error {
        let mut missing = Places::default();
        for &row in rows {
            for &column in source.iter().filter(|&&column| Cell::parse(table.cell(row, column)) == Cell::Missing) {
                missing.add(row, column);
            }
        }
        missing_error(table, &missing)
    }
}

pub(super) const ALL_MISSING: &str = "every cell is missing in the training rows";

fn missing_error(table: &Table, missing: &Places) -> Error {
    missing.error(table, "missing", "; choose to fill in the mean or to drop their rows")
}

/// A cell of a numeric column; `None` if it is missing.
pub(super) fn number(table: &Table, row: usize, column: usize) -> Result<Option<f64>> {
    let text = table.cell(row, column);
    match Cell::parse(text) {
        Cell::Number(value) => Ok(Some(value)),
        Cell::Missing => Ok(None),
        Cell::Infinite => {
            Err(table.fault(row, column, format!("{} is infinite or too large for a number", quoted(text))))
        }
        Cell::Text => Err(table.fault(row, column, format!("not a number: {}", quoted(text)))),
    }
}

/// Where each level stands; nothing for a number.
fn level_index(feature: &Feature) -> HashMap<&str, usize> {
    match &feature.kind {
        Kind::Number { .. } => HashMap::new(),
        Kind::Category { levels, .. } => levels.iter().enumerate().map(|(at, level)| (level.as_str(), at)).collect(),
    }
}

/// Rows, and what each counts: 1, or its weight.
#[derive(Clone, Copy)]
struct Weighted<'a> {
    rows: &'a [usize],
    weights: Option<&'a [f64]>,
}

impl Weighted<'_> {
    fn iter(&self) -> impl Iterator<Item = (usize, f64)> {
        self.rows.iter().enumerate().map(|(i, &row)| (row, self.weights.map_or(1.0, |weights| weights[i])))
    }
}

/// The category that most of the rows hold, of equals the first; none if all their cells are missing.
fn most_frequent(table: &Table, column: usize, rows: Weighted<'_>, levels: &[String]) -> Result<Option<String>> {
    let mut counts: HashMap<&str, f64> = HashMap::new();
    for (row, weight) in rows.iter().filter(|(_, weight)| *weight > 0.0) {
        *counts.entry(table.cell(row, column)).or_default() += weight;
    }
    let of = |level: &String| counts.get(level.as_str()).copied().unwrap_or(0.0);
    let most = levels.iter().rev().max_by(|a, b| of(a).total_cmp(&of(b)));
    match most {
        Some(level) if counts.contains_key(level.as_str()) => Ok(Some(level.clone())),
        _ => Err(table.column_fault(column, ALL_MISSING)),
    }
}
