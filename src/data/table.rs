//! A table of text cells, each row with its line in the file.
//!
//! The cells' bytes lie in one arena, four bytes of index to a cell: MNIST as CSV (60,000 rows of 785 cells) takes
//! 110 MB of text and 190 MB of index, where a `String` for each cell would take 1.5 GB.
//! Imports `cell` and `error`. Begin reading at [`Table`].

use super::cell::{count, list, plain};
use crate::error::{Error, Result};
use std::collections::HashMap;

/// The most bytes a row may hold: keeps an index in 32 bits, and a file without line breaks from filling the memory.
pub const MAX_ROW_BYTES: usize = 64 << 20;

/// The most columns a table may have.
pub const MAX_COLUMNS: usize = 1 << 20;

/// A table of text cells with named columns.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    columns: Vec<String>,
    header: bool,
    text: String,
    rows: Vec<Row>,
    /// For each cell, row by row, where it ends: bytes after its row's start.
    ends: Vec<u32>,
    final_newline: bool,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    start: usize,
    line: u64,
}

impl Table {
    /// An empty table whose columns have the given names; `name` stands for it in messages (the path of its file, or
    /// `standard input`).
    ///
    /// **Errors**: no column, too many, an empty name, or the same name twice.
    pub fn new(name: impl Into<String>, columns: Vec<String>) -> Result<Self> {
        let mut table = Self::unnamed(name, columns.len())?;
        check_names(&table.name, 1, &columns)?;
        (table.columns, table.header) = (columns, true);
        Ok(table)
    }

    /// An empty table without a header: its columns are called `1`, `2`, and so on.
    ///
    /// **Errors**: no column, or too many.
    pub fn unnamed(name: impl Into<String>, columns: usize) -> Result<Self> {
        let name = name.into();
        if columns == 0 || columns > MAX_COLUMNS {
            return Err(Error::data(name, format!("expected 1 to {MAX_COLUMNS} columns, found {columns}")));
        }
        let columns = (1..=columns).map(|number| number.to_string()).collect();
        let (text, rows, ends) = (String::new(), Vec::new(), Vec::new());
        Ok(Self { name, columns, header: false, text, rows, ends, final_newline: true })
    }

    /// Appends a row that stands at `line` of the file.
    ///
    /// **Errors**: not as many cells as columns, a row too long, or no memory.
    pub fn push<S: AsRef<str>>(&mut self, line: u64, cells: &[S]) -> Result<()> {
        let text: String = cells.iter().map(AsRef::as_ref).collect();
        let mut end = 0;
        let ends = cells.iter().map(|cell| {
            end += cell.as_ref().len();
            end as u32
        });
        if text.len() > MAX_ROW_BYTES {
            return Err(Error::data_at(
                &self.name,
                line,
                None,
                format!("expected at most {MAX_ROW_BYTES} bytes in a row, found {}", text.len()),
            ));
        }
        let ends: Vec<u32> = ends.collect();
        self.push_joined(line, &text, &ends)
    }

    /// Appends a row given as its cells' joined text and the end of each cell in it.
    pub(super) fn push_joined(&mut self, line: u64, text: &str, ends: &[u32]) -> Result<()> {
        debug_assert!(text.len() <= MAX_ROW_BYTES && ends.last().is_none_or(|&end| end as usize == text.len()));
        if ends.len() != self.columns.len() {
            let message = format!("expected {}, found {}", count(self.columns.len(), "cell"), ends.len());
            return Err(Error::data_at(&self.name, line, None, message));
        }
        let room = self
            .text
            .try_reserve(text.len())
            .and_then(|()| self.ends.try_reserve(ends.len()))
            .and_then(|()| self.rows.try_reserve(1));
        if room.is_err() {
            // What failed is the next doubling.
            let bytes = 2 * (self.text.len() + 4 * self.ends.len() + size_of::<Row>() * self.rows.len());
            return Err(Error::Memory { what: format!("{}: the table", self.name), bytes });
        }
        self.rows.push(Row { start: self.text.len(), line });
        self.text.push_str(text);
        self.ends.extend_from_slice(ends);
        Ok(())
    }

    /// Makes the first row the column names.
    ///
    /// **Errors**: an empty name, or the same name twice.
    pub(super) fn promote_first_row(&mut self) -> Result<()> {
        let names: Vec<String> = self.row(0).map(str::to_string).collect();
        check_names(&self.name, self.line(0), &names)?;
        self.ends.drain(..names.len());
        self.rows.remove(0);
        (self.columns, self.header) = (names, true);
        Ok(())
    }

    /// Keeps the given rows, which ascend, and drops the others; each keeps its line.
    ///
    /// **Panics** if there is no such row.
    pub fn keep_rows(&mut self, rows: &[usize]) {
        debug_assert!(rows.is_sorted());
        let width = self.columns.len();
        for (to, &from) in rows.iter().enumerate() {
            self.rows[to] = self.rows[from];
            self.ends.copy_within(from * width..(from + 1) * width, to * width);
        }
        self.rows.truncate(rows.len());
        self.ends.truncate(rows.len() * width);
    }

    /// Keeps the first `rows` rows, and gives the others as a table of the same columns.
    ///
    /// **Errors**: no memory.
    pub(super) fn split_off(&mut self, rows: usize) -> Result<Self> {
        let (width, start) = (self.columns.len(), self.rows.get(rows).map_or(self.text.len(), |row| row.start));
        let mut rest = Self {
            name: self.name.clone(),
            columns: self.columns.clone(),
            header: self.header,
            text: String::new(),
            rows: Vec::new(),
            ends: Vec::new(),
            final_newline: self.final_newline,
        };
        let room = rest
            .text
            .try_reserve(self.text.len() - start)
            .and_then(|()| rest.ends.try_reserve(self.ends.len() - rows * width))
            .and_then(|()| rest.rows.try_reserve(self.rows.len() - rows));
        if room.is_err() {
            let bytes = self.text.len() - start;
            return Err(Error::Memory { what: format!("{}: the table", self.name), bytes });
        }
        rest.text.push_str(&self.text[start..]);
        rest.ends.extend_from_slice(&self.ends[rows * width..]);
        rest.rows.extend(self.rows[rows..].iter().map(|row| Row { start: row.start - start, ..*row }));
        self.text.truncate(start);
        self.ends.truncate(rows * width);
        self.rows.truncate(rows);
        Ok(rest)
    }

    pub(super) fn set_final_newline(&mut self, present: bool) {
        self.final_newline = present;
    }

    /// What stands for the table in messages: the path of its file, or `standard input`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether the names come from the file; otherwise they are `1`, `2`, and so on.
    pub fn has_header(&self) -> bool {
        self.header
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Whether the file's last line ended in a line break; if not, it may have been cut off.
    pub fn has_final_newline(&self) -> bool {
        self.final_newline
    }

    /// The line of the file at which a row begins, from 1.
    ///
    /// **Panics** if there is no such row.
    pub fn line(&self, row: usize) -> u64 {
        self.rows[row].line
    }

    /// The text of a cell, without surrounding spaces unless they were quoted.
    ///
    /// **Panics** if there is no such cell.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        assert!(column < self.columns.len(), "column {column} of {}", self.columns.len());
        let at = row * self.columns.len() + column;
        let from = if column == 0 { 0 } else { self.ends[at - 1] as usize };
        let start = self.rows[row].start;
        &self.text[start + from..start + self.ends[at] as usize]
    }

    /// The cells of a row.
    ///
    /// **Panics** if there is no such row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = &str> {
        (0..self.columns.len()).map(move |column| self.cell(row, column))
    }

    /// The index of the column that a user named: by its name, else by its number, from 1.
    ///
    /// **Errors**: there is none; the message lists those there are.
    pub fn column(&self, wanted: &str) -> Result<usize> {
        if let Some(index) = self.columns.iter().position(|name| name == wanted) {
            return Ok(index);
        }
        match wanted.parse::<usize>() {
            Ok(number) if (1..=self.columns.len()).contains(&number) => Ok(number - 1),
            _ if self.header => {
                let message = format!("no column '{}'; it has {}", plain(wanted), list(&self.columns));
                Err(Error::data(&self.name, message))
            }
            _ => {
                let message = format!(
                    "no column '{}'; it has no header line, so its columns are called 1 to {}",
                    plain(wanted),
                    self.columns.len()
                );
                Err(Error::data(&self.name, message))
            }
        }
    }

    /// An error about one cell, with file, line and column.
    pub(super) fn fault(&self, row: usize, column: usize, message: impl Into<String>) -> Error {
        Error::data_at(&self.name, self.line(row), Some(&plain(&self.columns[column])), message)
    }

    /// An error about a whole column.
    pub(super) fn column_fault(&self, column: usize, message: impl Into<String>) -> Error {
        let column = Some(plain(&self.columns[column]));
        Error::Data { file: self.name.clone(), line: None, column, message: message.into() }
    }
}

/// Column names must be there, and differ.
fn check_names(file: &str, line: u64, names: &[String]) -> Result<()> {
    let mut seen = HashMap::new();
    for (index, name) in names.iter().enumerate() {
        let number = index + 1;
        if name.is_empty() {
            return Err(Error::data_at(file, line, None, format!("column {number} has no name")));
        }
        if let Some(first) = seen.insert(name, number) {
            let message = format!("columns {first} and {number} are both called '{}'", plain(name));
            return Err(Error::data_at(file, line, None, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_then_by_number() {
        let table = Table::new("t.csv", ["a", "3", "b"].map(String::from).to_vec()).unwrap();
        assert_eq!(table.column("b").unwrap(), 2);
        assert_eq!(table.column("3").unwrap(), 1, "the name goes before the number");
        assert_eq!(table.column("1").unwrap(), 0);
        for wrong in ["0", "4", "c", "", "-1"] {
            let expected = format!("t.csv: no column '{wrong}'; it has 'a', '3', 'b'");
            assert_eq!(table.column(wrong).unwrap_err().to_string(), expected);
        }
        let unnamed = Table::unnamed("t.csv", 3).unwrap();
        assert_eq!(
            unnamed.column("x").unwrap_err().to_string(),
            "t.csv: no column 'x'; it has no header line, so its columns are called 1 to 3"
        );
    }

    #[test]
    fn rows_are_what_was_pushed() {
        let mut table = Table::unnamed("t.csv", 3).unwrap();
        table.push(7, &["", "é", "xyz"]).unwrap();
        table.push(9, &["1", "", ""]).unwrap();
        assert_eq!(table.row(0).collect::<Vec<_>>(), ["", "é", "xyz"]);
        assert_eq!(table.row(1).collect::<Vec<_>>(), ["1", "", ""]);
        assert_eq!((table.rows(), table.line(1)), (2, 9));
        assert_eq!(table.push(10, &["1"]).unwrap_err().to_string(), "t.csv:10: expected 3 cells, found 1");
        assert!(Table::unnamed("t.csv", 0).is_err());
        table.push(11, &["4", "5", "6"]).unwrap();
        table.keep_rows(&[0, 2]);
        assert_eq!((table.rows(), table.line(0), table.line(1)), (2, 7, 11));
        assert_eq!(table.row(1).collect::<Vec<_>>(), ["4", "5", "6"]);
    }
}
