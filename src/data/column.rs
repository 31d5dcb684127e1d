//! What a column holds: numbers, categories, or neither. One rule for inputs and target.
//!
//! A column is **numeric** if every cell that is not missing is a number. If more than 90 % of them are, the others are
//! taken for mistakes and refused. Else it is a **category** if its values repeat: at most a fifth of the rows hold
//! distinct values. A fifth of a small table is too few, so up to ten values also pass if each stands twice on average
//! (at most half the rows, rounded up). Anything else looks like an identifier or free text.
//! Imports `cell`, `table`, `error`. Begin reading at [`scan`].

use super::cell::{Cell, count, plain, quoted};
use super::table::Table;
use crate::error::{Error, Result};
use std::collections::{BTreeSet, HashSet};

/// The most categories of a column, and classes of a target: each is a column of the encoded array, so that a million
/// identifiers over a million rows would ask for 4 TB.
pub const MAX_LEVELS: usize = 10_000;

/// The share of numbers above which what is not a number is a mistake.
const MOSTLY: f64 = 0.9;

/// How many places a message lists.
const PLACES: usize = 5;

/// Cells of one sort: how many, and where the first ones are.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub count: usize,
    first: Vec<(usize, usize)>,
}

impl Places {
    pub(super) fn add(&mut self, row: usize, column: usize) {
        self.count += 1;
        if self.first.len() < PLACES {
            self.first.push((row, column));
        }
    }

    /// An error at the first place that lists the others.
    pub(super) fn error(&self, table: &Table, what: &str, remedy: &str) -> Error {
        let places: Vec<String> = self
            .first
            .iter()
            .map(|&(row, column)| format!("line {} '{}'", table.line(row), plain(&table.columns()[column])))
            .collect();
        let dots = if self.count > self.first.len() { ", …" } else { "" };
        let message = format!("{} {what}: {}{dots}{remedy}", count(self.count, "cell"), places.join(", "));
        match self.first.first() {
            Some(&(row, column)) => table.fault(row, column, message),
            None => Error::data(table.name(), message),
        }
    }
}

/// The cells of one column, counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Census {
    pub numbers: usize,
    pub texts: usize,
    /// The first row that holds a text.
    pub first_text: usize,
}

impl Census {
    pub(super) fn is_numeric(&self) -> bool {
        self.texts == 0
    }
}

/// The columns of a table, counted in one pass over its rows.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// One for each column asked for.
    pub columns: Vec<Census>,
    pub missing: Places,
    pub infinite: Places,
}

/// Counts what the given columns hold.
pub(super) fn scan(table: &Table, columns: &[usize]) -> Scan {
    let mut scan = Scan { columns: vec![Census::default(); columns.len()], ..Scan::default() };
    for row in 0..table.rows() {
        for (census, &column) in scan.columns.iter_mut().zip(columns) {
            match Cell::parse(table.cell(row, column)) {
                Cell::Missing => scan.missing.add(row, column),
                Cell::Number(_) => census.numbers += 1,
                Cell::Infinite => {
                    census.numbers += 1;
                    scan.infinite.add(row, column);
                }
                Cell::Text => {
                    if census.texts == 0 {
                        census.first_text = row;
                    }
                    census.texts += 1;
                }
            }
        }
    }
    scan
}

/// Whether the column is numeric; if not, it may be a category.
///
/// **Errors**: no value at all, or a text among numbers.
pub(super) fn decide_numeric(table: &Table, column: usize, census: &Census) -> Result<bool> {
    let values = census.numbers + census.texts;
    if values == 0 {
        return Err(table.column_fault(column, "every cell is missing"));
    }
    if census.texts > 0 && census.numbers as f64 > MOSTLY * values as f64 {
        let text = quoted(table.cell(census.first_text, column));
        let message = format!(
            "not a number: {text}; {} of the column's {values} values are numbers, so this is taken for a mistake (unless the column is declared categorical)",
            census.numbers
        );
        return Err(table.fault(census.first_text, column, message));
    }
    Ok(census.is_numeric())
}

/// Whether so many distinct values in so many rows repeat enough to be categories.
pub(super) fn repeats(distinct: usize, rows: usize) -> bool {
    distinct <= (rows / 5).max(rows.div_ceil(2).min(10))
}

/// The distinct values of a column, sorted: by number if all are whole numbers, else by text.
///
/// **Errors**: more than [`MAX_LEVELS`]; unless `declared`, values that do not [`repeat`](repeats).
pub(super) fn levels(table: &Table, column: usize, declared: bool) -> Result<Vec<String>> {
    let values =
        || (0..table.rows()).map(|row| table.cell(row, column)).filter(|cell| Cell::parse(cell) != Cell::Missing);
    let distinct: HashSet<&str> = values().collect();
    if distinct.is_empty() {
        return Err(table.column_fault(column, "every cell is missing"));
    }
    if !declared && !repeats(distinct.len(), table.rows()) {
        let message = format!(
            "looks like an identifier or free text: {} distinct values in {} rows (the first is {}); leave the column out, or declare it categorical",
            distinct.len(),
            table.rows(),
            values().next().map(quoted).unwrap_or_default()
        );
        return Err(table.column_fault(column, message));
    }
    if distinct.len() > MAX_LEVELS {
        let message = format!("expected at most {MAX_LEVELS} categories, found {}", distinct.len());
        return Err(table.column_fault(column, message));
    }
    Ok(ordered(distinct.into_iter().map(str::to_string).collect()))
}

/// Distinct values in the order of the encoded columns: by number if all are whole numbers, else by text.
pub(super) fn ordered(mut levels: Vec<String>) -> Vec<String> {
    levels.sort_unstable();
    if levels.iter().all(|level| level.parse::<i128>().is_ok()) {
        levels.sort_by_key(|level| level.parse::<i128>().unwrap_or_default());
    }
    levels
}

/// Whether a column of numbers reads like class numbers: whole, at most `limit` of them, and repeating.
pub(super) fn few_whole_numbers(table: &Table, column: usize, limit: usize) -> bool {
    let mut distinct = BTreeSet::new();
    for row in 0..table.rows() {
        match Cell::parse(table.cell(row, column)) {
            Cell::Number(value) if value == value.trunc() && value.abs() < 2_f64.powi(53) => {
                distinct.insert(value as i64);
                if distinct.len() > limit {
                    return false;
                }
            }
            Cell::Missing => {}
            _ => return false,
        }
    }
    repeats(distinct.len(), table.rows())
}
