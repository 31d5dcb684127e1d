//! Reading CSV files: separator and header line found or given, every fault with its line and column.
//!
//! What is accepted: UTF-8 with or without a byte order mark; LF, CRLF or CR; quoted cells, line breaks in them
//! included; spaces around cells (dropped outside quotes); blank lines (skipped). Everything else is an error: rows of unequal length, unclosed
//! quotes, text after a closing quote, NUL bytes, UTF-16.
//! Imports `records` (the grammar), `cell`, `table`, `input`. Begin reading at [`read`].

use super::cell::{Cell, count, plain, quoted};
use super::input::{open, read_some};
use super::records::{Fault, Record, Records};
use super::table::Table;
use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// Whether the first line names the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// It does.
    Yes,
    /// It is data.
    No,
    /// Decide: a line that holds a number is data. A line of texts is a header if a column below it, within the
    /// first thousand rows, is numeric, or if its cells all differ and none returns below it in its own column. Where a number
    /// stands in the first line, but also a text above a column of numbers, it is an error that asks.
    #[default]
    Auto,
}

/// How a file is written, where the user knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The separator, an ASCII character other than a quote or line break; found among `,` `;` tab and `|` if not given.
    pub delimiter: Option<u8>,
    /// Whether the first line names the columns.
    pub header: Header,
}

/// The separators that are looked for.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How much of the file the search for the separator sees.
const SAMPLE_BYTES: usize = 256 << 10;

/// How many rows the search for a header sees.
const SAMPLE_ROWS: usize = 1000;

/// Reads a CSV file.
///
/// **Errors**: [`Error::Io`] if the file cannot be read, [`Error::Data`] with line and column if it is not a table,
/// [`Error::Memory`] if it does not fit.
pub fn read(path: &Path, options: &Options) -> Result<Table> {
    read_from(open(path)?, &path.display().to_string(), options)
}

/// Reads a CSV table from any source; `name` stands for it in messages.
///
/// **Errors**: as for [`read`].
pub fn read_from(source: impl Read, name: &str, options: &Options) -> Result<Table> {
    Ok(Reader::new(source, name, options)?.next(usize::MAX)?.expect("no table is without rows"))
}

/// A CSV file that is read some rows at a time, in memory that does not grow with it: separator and header are decided by its
/// beginning, as they are when it is read at once.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    options: Options,
    /// The beginning of the file, until it has been fed to the machine; whether it is the whole file.
    sample: Vec<u8>,
    is_whole: bool,
    is_fed: bool,
    is_done: bool,
    records: Records,
    rows: Rows,
    chunk: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Begins to read; `name` stands for the source in messages.
    ///
    /// **Errors**: a separator that is none, a source that cannot be read, and what is no text in UTF-8.
    pub fn new(mut source: R, name: &str, options: &Options) -> Result<Self> {
        if let Some(delimiter) = options.delimiter
            && (!delimiter.is_ascii() || [b'"', b'\r', b'\n', 0].contains(&delimiter))
        {
            let found = format!("byte {delimiter}");
            return Err(Error::setting("delimiter", "an ASCII character other than a quote or line break", found));
        }
        let mut sample = Vec::new();
        let failed = |source| Error::io(Path::new(name), source);
        source.by_ref().take(SAMPLE_BYTES as u64).read_to_end(&mut sample).map_err(failed)?;
        // A sample that is not full was the whole file.
        let is_whole = sample.len() < SAMPLE_BYTES;
        check_encoding(&sample, name)?;
        if sample.starts_with(BYTE_ORDER_MARK) {
            sample.drain(..BYTE_ORDER_MARK.len());
        }
        let delimiter = match options.delimiter {
            Some(delimiter) => delimiter,
            None => find_delimiter(whole_lines(&sample, is_whole), name)?,
        };
        let rows = Rows { name: name.into(), header: options.header, table: None, first_line: 0, error: None };
        let (records, chunk) = (Records::new(delimiter), vec![0; if is_whole { 0 } else { SAMPLE_BYTES }]);
        let options = Options { delimiter: Some(delimiter), ..*options };
        Ok(Self { source, options, sample, is_whole, is_fed: false, is_done: false, records, rows, chunk })
    }

    /// The next rows, at most so many; none at the end.
    ///
    /// **Errors**: [`Error::Data`] with line and column where the file stops being a table; no row at all; no memory.
    pub fn next(&mut self, most: usize) -> Result<Option<Table>> {
        let is_first = !self.is_fed;
        // The header is decided by this many rows and the first, whatever is asked for.
        let wanted = if is_first { most.max(SAMPLE_ROWS) } else { most }.max(1).saturating_add(1);
        while !self.is_done && self.rows.count() < wanted {
            self.feed()?;
        }
        if is_first {
            self.begin()?;
        }
        let Some(table) = &mut self.rows.table else { return Ok(None) };
        if table.rows() == 0 {
            return Ok(None);
        }
        let rest = table.split_off(most.max(1).min(table.rows()))?;
        Ok(self.rows.table.replace(rest))
    }

    /// Takes the next bytes of the source.
    fn feed(&mut self) -> Result<()> {
        let Self { source, records, rows, chunk, .. } = self;
        let mut sink = |record: Record<'_>| rows.push(record);
        let outcome = if !self.is_fed {
            self.is_fed = true;
            records.feed(&self.sample, &mut sink)
        } else {
            let length = if self.is_whole {
                0
            } else {
                read_some(source, chunk).map_err(|e| Error::io(Path::new(&rows.name), e))?
            };
            let mut sink = |record: Record<'_>| rows.push(record);
            if length > 0 {
                records.feed(&chunk[..length], &mut sink)
            } else {
                self.is_done = true;
                let final_newline = records.at_line_start();
                let outcome = records.finish(&mut sink);
                rows.table.iter_mut().for_each(|table| table.set_final_newline(final_newline));
                outcome
            }
        };
        outcome.map_err(|fault| self.rows.explain(fault))
    }

    /// Decides, with the first rows at hand, whether they are a table, and whether the first of them is its header.
    fn begin(&mut self) -> Result<()> {
        let name = &self.rows.name;
        let Some(table) = &mut self.rows.table else {
            return Err(Error::data(name, "no data rows: the file is empty"));
        };
        let sample = std::mem::take(&mut self.sample);
        if table.columns().len() == 1
            && let Some(other) =
                likely_delimiter(whole_lines(&sample, self.is_whole), self.options.delimiter.unwrap_or(b','))
        {
            let message = format!("1 column found; is the separator {}?", shown(other));
            return Err(Error::data_at(name, table.line(0), None, message));
        }
        let header = match self.options.header {
            Header::Yes => true,
            Header::No => false,
            Header::Auto => looks_like_header(table)?,
        };
        if header {
            table.promote_first_row()?;
        }
        // From here on no first row is a header, not even of a later piece.
        self.rows.header = if header { Header::Yes } else { Header::No };
        if table.rows() == 0 {
            return Err(Error::data(name, "no data rows: the file ends after its header line"));
        }
        Ok(())
    }
}

/// What stands in front of the text in some files.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What turns records into a table's rows.
#[derive(Debug)]
struct Rows {
    name: String,
    header: Header,
    table: Option<Table>,
    first_line: u64,
    /// The table's own refusal, which says more than a [`Fault`].
    error: Option<Error>,
}

impl Rows {
    fn count(&self) -> usize {
        self.table.as_ref().map_or(0, Table::rows)
    }

    fn push(&mut self, record: Record<'_>) -> std::result::Result<(), Fault> {
        let text = decode(&record)?;
        let table = match &mut self.table {
            Some(table) => table,
            None => {
                self.first_line = record.line;
                match Table::unnamed(&self.name, record.ends.len()) {
                    Ok(table) => self.table.insert(table),
                    Err(error) => return Err(self.refuse(record.line, error)),
                }
            }
        };
        let (expected, found) = (table.columns().len(), record.ends.len());
        if found != expected {
            let message = format!("expected {} as in line {}, found {found}", count(expected, "cell"), self.first_line);
            return Err(Fault { line: record.line, column: None, message });
        }
        table.push_joined(record.line, text, record.ends).map_err(|error| self.refuse(record.line, error))
    }

    fn refuse(&mut self, line: u64, error: Error) -> Fault {
        self.error = Some(error);
        Fault { line, column: None, message: String::new() }
    }

    /// The error of a fault, its column under the name that the user knows.
    fn explain(&mut self, fault: Fault) -> Error {
        if let Some(error) = self.error.take() {
            return error;
        }
        let column = fault.column.map(|index| {
            let table = self.table.as_ref().filter(|table| index < table.columns().len());
            match table {
                Some(table) if table.has_header() => plain(&table.columns()[index]),
                // Not decided yet: what stands in the first row is a name if it reads like one.
                Some(table) if table.rows() > 0 && self.header != Header::No => {
                    let name = table.cell(0, index);
                    let is_name = self.header == Header::Yes || Cell::parse(name) == Cell::Text;
                    if is_name { plain(name) } else { (index + 1).to_string() }
                }
                _ => (index + 1).to_string(),
            }
        });
        Error::data_at(&self.name, fault.line, column.as_deref(), fault.message)
    }
}

/// The record's text, if every cell of it is UTF-8.
fn decode<'a>(record: &Record<'a>) -> std::result::Result<&'a str, Fault> {
    let bad = match std::str::from_utf8(record.bytes) {
        Err(error) => error.valid_up_to(),
        // A character must not be made of the ends of two cells.
        Ok(text) => match record.ends.iter().find(|&&end| !text.is_char_boundary(end as usize)) {
            Some(&end) => end as usize - 1,
            None => return Ok(text),
        },
    };
    let column = record.ends.iter().position(|&end| bad < end as usize);
    // Line breaks inside quotes put the byte below the record's first line.
    let above = &record.bytes[..bad];
    let breaks = above
        .iter()
        .enumerate()
        .filter(|&(at, &byte)| byte == b'\n' || (byte == b'\r' && above.get(at + 1) != Some(&b'\n')));
    let line = record.line + breaks.count() as u64;
    let message = format!("invalid UTF-8: byte 0x{:02x}; expected a file in UTF-8", record.bytes[bad]);
    Err(Fault { line, column, message })
}

/// Refuses what is no UTF-8 text at all, by its first bytes.
fn check_encoding(sample: &[u8], name: &str) -> Result<()> {
    let message = match sample {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "looks like UTF-16; expected UTF-8",
        [0x1f, 0x8b, ..] => "is compressed with gzip; expected text",
        [b'P', b'K', 3, 4, ..] => "is a zip archive or a spreadsheet; expected text, so export it as CSV",
        _ => {
            // ASCII in UTF-16 has a NUL in every second byte, on one side.
            let start = &sample[..sample.len().min(64)];
            let nuls = |odd: usize| start.iter().skip(odd).step_by(2).filter(|&&byte| byte == 0).count();
            let (even, odd) = (nuls(0), nuls(1));
            if (even == 0) == (odd == 0) || 4 * even.max(odd) < start.len() {
                return Ok(());
            }
            "looks like UTF-16; expected UTF-8"
        }
    };
    Err(Error::data(name, message))
}

/// The sample without its last line, which is cut unless the sample is the whole file (or one line).
fn whole_lines(sample: &[u8], is_whole: bool) -> &[u8] {
    let end = sample.iter().rposition(|&byte| byte == b'\n' || byte == b'\r');
    if is_whole { sample } else { &sample[..end.unwrap_or(sample.len())] }
}

/// How many cells the records of a sample have if `delimiter` separates them, up to the first fault: that will be found
/// again, and reported, when the file is read.
fn cells_per_record(sample: &[u8], delimiter: u8) -> Vec<usize> {
    let mut records = Records::new(delimiter);
    let mut counts = Vec::new();
    let mut sink = |record: Record<'_>| {
        counts.push(record.ends.len());
        Ok(())
    };
    let _ = records.feed(sample, &mut sink).and_then(|()| records.finish(&mut sink));
    counts
}

/// The separator that cuts the most records into as many cells as the first, which must be two or more; among equals
/// the one that gives the most cells.
fn find_delimiter(sample: &[u8], name: &str) -> Result<u8> {
    let mut best = (b',', 0, 1);
    let mut even = Vec::new();
    for delimiter in DELIMITERS {
        let counts = cells_per_record(sample, delimiter);
        let Some(&first) = counts.first().filter(|&&first| first > 1) else { continue };
        let agreeing = counts.iter().filter(|&&count| count == first).count();
        let share = agreeing * SAMPLE_BYTES / counts.len();
        if agreeing == counts.len() && counts.len() > 1 {
            even.push(delimiter);
        }
        if (share, first) > (best.1, best.2) {
            best = (delimiter, share, first);
        }
    }
    // `1,5;2,5`: two numbers with decimal commas, or three cells? Guessing wrong would train on nonsense.
    if even.contains(&b',') && even.contains(&b';') {
        return Err(Error::data(name, "both ',' and ';' cut every line evenly; say which is the separator"));
    }
    Ok(best.0)
}

/// Another separator that would cut every record of a one-column file evenly; a space only if what it parts are numbers.
fn likely_delimiter(sample: &[u8], used: u8) -> Option<u8> {
    DELIMITERS.into_iter().chain([b' ']).filter(|&other| other != used).find(|&other| {
        let counts = cells_per_record(sample, other);
        let numbers = || {
            let text = String::from_utf8_lossy(sample);
            let last = text.lines().rev().find(|line| !line.trim().is_empty());
            last.is_some_and(|line| line.split_whitespace().all(|word| Cell::parse(word).number().is_some()))
        };
        let first = counts.first().copied().unwrap_or(0);
        first > 1 && counts.iter().all(|&count| count == first) && (other != b' ' || numbers())
    })
}

fn shown(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "a tab".to_string(),
        b' ' => "a space".to_string(),
        other => format!("'{}'", other as char),
    }
}

/// The rule of [`Header::Auto`].
fn looks_like_header(table: &Table) -> Result<bool> {
    let below = 1..table.rows().min(SAMPLE_ROWS + 1);
    let mut number = None;
    let mut name_over_numbers = None;
    let mut distinct = true;
    let mut seen = std::collections::HashSet::new();
    for column in 0..table.columns().len() {
        let name = table.cell(0, column);
        distinct &= !name.is_empty() && seen.insert(name) && below.clone().all(|row| table.cell(row, column) != name);
        match Cell::parse(name) {
            Cell::Number(_) | Cell::Infinite => number = number.or(Some(column)),
            Cell::Missing => {}
            Cell::Text => {
                let mut cells = below.clone().map(|row| Cell::parse(table.cell(row, column)));
                let numeric = cells.clone().any(|cell| cell.number().is_some()) && cells.all(|cell| cell != Cell::Text);
                if numeric {
                    name_over_numbers = name_over_numbers.or(Some(column));
                }
            }
        }
    }
    match (number, name_over_numbers) {
        (Some(number), Some(name)) => Err(Error::data_at(
            table.name(),
            table.line(0),
            None,
            format!(
                "is this the header line? {} stands above numbers like a name, but {} is a number; say whether there is a header",
                quoted(table.cell(0, name)),
                quoted(table.cell(0, number))
            ),
        )),
        (Some(_), None) => Ok(false),
        (None, Some(_)) => Ok(true),
        (None, None) => Ok(distinct),
    }
}
