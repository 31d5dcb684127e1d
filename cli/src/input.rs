//! From a path to raw rows: CSV, IDX or NPY, told apart by the first bytes; `-` is standard input.

use crate::args::{Header, Reading};
use deltarule::data::matrix::Chunks as Pieces;
use deltarule::data::{Table, csv, idx, npy};
use deltarule::model::{Input, Source};
use deltarule::{Error, Result, memory};
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

/// What standard input is called in messages.
const STANDARD_INPUT: &str = "standard input";

/// Which columns of a table are to be predicted.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Those that a user named: a column by its name, its number from 1, or several in a list.
    Named(&'a str),
    /// Those with these names.
    Columns(&'a [&'a str]),
    /// None is looked for.
    Unknown,
    /// None was named, and one is needed.
    Missing,
}

impl<'a> Target<'a> {
    /// What a model predicts.
    pub fn of_model(input: &Input, names: &'a [&'a str]) -> Self {
        match input {
            Input::Table(_) => Self::Columns(names),
            Input::Images { .. } => Self::Unknown,
        }
    }
}

/// What a file holds, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Idx,
    Npy,
    Csv,
}

/// A file or standard input, its name in messages, and what it holds.
fn begin(path: &Path) -> Result<(Box<dyn Read>, String, Format)> {
    let (mut file, name): (Box<dyn Read>, String) = if path == Path::new("-") {
        (Box::new(io::stdin().lock()), STANDARD_INPUT.into())
    } else {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        (Box::new(file), path.display().to_string())
    };
    let mut magic = [0; 2];
    let mut seen = 0;
    while seen < magic.len() {
        match file.read(&mut magic[seen..]) {
            Ok(0) => break,
            Ok(count) => seen += count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io(path, e)),
        }
    }
    // No text in UTF-8 begins with NUL or with 0x93; gzip is read for images alone.
    let format = match magic {
        _ if seen < 2 => Format::Csv,
        [0, 0] | [0x1f, 0x8b] => Format::Idx,
        [first, second] if npy::MAGIC.starts_with(&[first, second]) => Format::Npy,
        _ => Format::Csv,
    };
    Ok((Box::new(Cursor::new(magic).take(seen as u64).chain(file)), name, format))
}

/// Opens a data file.
///
/// **Errors** name file, line, column and value.
pub fn open(path: &Path, reading: &Reading, target: Target<'_>, weights: Option<&str>) -> Result<Source> {
    let (whole, name, format) = begin(path)?;
    check_columns(format, target, weights)?;
    match format {
        Format::Idx => {
            let images = idx::read_from(whole, &name)?;
            Source::images(images.expect_images()?, labels(reading, idx::labels)?)
        }
        Format::Npy => Source::matrix(npy::read_from(whole, &name)?, labels(reading, npy::read)?),
        Format::Csv => {
            refuse_labels(&name, reading)?;
            let table = csv::read_from(whole, &name, &options(reading)?)?;
            let columns = match target {
                Target::Named(named) => split_names(&table, named),
                Target::Columns(columns) => columns.to_vec(),
                Target::Unknown => Vec::new(),
                Target::Missing => return Err(missing_target(&table)),
            };
            Source::table(table, &columns, weights)
        }
    }
}

/// Opens a data file whose rows stay in it until they are asked for: an IDX file that is not gzipped, or an NPY file in C order.
///
/// **Errors**: as for [`open`], and any other file.
pub fn open_in_place(path: &Path, reading: &Reading, target: Target<'_>, weights: Option<&str>) -> Result<Source> {
    let refuse = |found: &str| Err(Error::setting("--stream", "an IDX or NPY file, whose rows have places", found));
    if path == Path::new("-") {
        return refuse(STANDARD_INPUT);
    }
    let (_, name, format) = begin(path)?;
    check_columns(format, target, weights)?;
    match format {
        Format::Idx => Source::images(idx::open(path)?, labels(reading, idx::labels)?),
        Format::Npy => Source::matrix(npy::open(path)?, labels(reading, npy::read)?),
        Format::Csv => refuse(&format!("the table {name}")),
    }
}

/// Whether a file is so large that as numbers of `number_bytes` it may not fit into memory, and is one that
/// [`open_in_place`] reads.
pub fn is_too_large(path: &Path, number_bytes: usize) -> bool {
    // Without a closer look at small files: the one that takes most memory, bytes as f64, needs nine times its size.
    let large = |length: u64| memory::available().is_some_and(|free| length.saturating_mul(9) > free);
    let found = std::fs::metadata(path).ok().filter(|found| found.is_file() && large(found.len()));
    // Standard input, which has no size, must not be begun twice.
    let Some((_, _, format)) = found.and_then(|_| begin(path).ok()) else { return false };
    let rows = match format {
        Format::Idx => idx::open(path),
        Format::Npy => npy::open(path),
        Format::Csv => return false,
    };
    rows.is_ok_and(|rows| {
        let numbers = rows.rows() as u128 * rows.width() as u128;
        memory::require("the encoded data", rows.bytes() + numbers * number_bytes as u128).is_err()
    })
}

/// The rows of a data file, some at a time, with nothing to compare with.
pub enum Chunks {
    Table(Box<csv::Reader<Box<dyn Read>>>),
    Images(Pieces<'static>),
    Matrix(Pieces<'static>),
}

impl Chunks {
    /// Begins to read a data file.
    ///
    /// **Errors**: as for [`open`].
    pub fn open(path: &Path, reading: &Reading) -> Result<Self> {
        let (whole, name, format) = begin(path)?;
        // Labels say nothing that a prediction needs, and yet should be those of the file.
        let expect = |rows: &Pieces<'_>, labels: Option<usize>| match labels {
            Some(labels) if labels != rows.rows() => {
                let expected = format!("{} for the rows of {name}", crate::report::count(rows.rows(), "label"));
                Err(Error::setting("--labels", expected, labels))
            }
            _ => Ok(()),
        };
        match format {
            Format::Csv => {
                refuse_labels(&name, reading)?;
                Ok(Self::Table(Box::new(csv::Reader::new(whole, &name, &options(reading)?)?)))
            }
            Format::Idx => {
                let rows = idx::chunks(whole, &name)?;
                expect(&rows, labels(reading, idx::labels)?.map(|labels| labels.rows()))?;
                Ok(Self::Images(rows))
            }
            Format::Npy => {
                let rows = npy::chunks(whole, &name)?;
                expect(&rows, labels(reading, npy::read)?.map(|labels| labels.rows()))?;
                Ok(Self::Matrix(rows))
            }
        }
    }

    /// The next rows, at most so many; none at the end.
    ///
    /// **Errors** name file, line and column.
    pub fn next(&mut self, most: usize) -> Result<Option<Source>> {
        match self {
            Self::Table(reader) => {
                Ok(reader.next(most)?.map(|table| Source::Table { table, targets: Vec::new(), weights: None }))
            }
            Self::Images(rows) => rows.next(most)?.map(|images| Source::images(images, None)).transpose(),
            Self::Matrix(rows) => rows.next(most)?.map(|matrix| Source::matrix(matrix, None)).transpose(),
        }
    }
}

fn labels<T>(reading: &Reading, read: impl Fn(&Path) -> Result<T>) -> Result<Option<T>> {
    reading.labels.as_deref().map(read).transpose()
}

/// Only a table has columns to name.
fn check_columns(format: Format, target: Target<'_>, weights: Option<&str>) -> Result<()> {
    let (what, of_targets) = match format {
        Format::Csv => return Ok(()),
        Format::Idx => ("no column for images", "no column for images, whose labels --labels names"),
        Format::Npy => ("no column for a matrix", "no column for a matrix, whose targets --labels names"),
    };
    match (target, weights) {
        (Target::Named(column), _) => Err(Error::setting("target", of_targets, column)),
        (_, Some(column)) => Err(Error::setting("--weight-column", what, column)),
        _ => Ok(()),
    }
}

fn refuse_labels(name: &str, reading: &Reading) -> Result<()> {
    match reading.labels {
        None => Ok(()),
        Some(_) => Err(Error::data(name, "--labels goes with IDX images or an NPY matrix, and this is neither")),
    }
}

/// One name or several between commas; a column whose own name has a comma goes before.
fn split_names<'a>(table: &Table, named: &'a str) -> Vec<&'a str> {
    if table.column(named).is_ok() { vec![named] } else { named.split(',').map(str::trim).collect() }
}

fn missing_target(table: &Table) -> Error {
    let names: Vec<_> = table.columns().iter().take(20).map(String::as_str).collect();
    let more = if table.columns().len() > 20 { ", …" } else { "" };
    Error::setting("--target", format!("the column to predict, one of {}{more}", names.join(", ")), "none")
}

fn options(reading: &Reading) -> Result<csv::Options> {
    let delimiter = match reading.delimiter.as_deref() {
        None => None,
        Some("tab" | "\\t" | "\t") => Some(b'\t'),
        Some(one) if one.len() == 1 => Some(one.as_bytes()[0]),
        Some(other) => {
            return Err(Error::setting("--delimiter", "one ASCII character, or 'tab'", format!("'{other}'")));
        }
    };
    let header = match reading.header {
        Header::Auto => csv::Header::Auto,
        Header::Yes => csv::Header::Yes,
        Header::No => csv::Header::No,
    };
    Ok(csv::Options { delimiter, header })
}
