//! From a path to raw rows: CSV or IDX, told apart by the first bytes; `-` is standard input.

use crate::args::{Header, Reading};
use deltarule::data::{Table, csv, idx};
use deltarule::model::{Input, Source};
use deltarule::{Error, Result};
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

/// Opens a data file.
///
/// **Errors** name file, line, column and value.
pub fn open(path: &Path, reading: &Reading, target: Target<'_>, weights: Option<&str>) -> Result<Source> {
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
    let whole = Cursor::new(magic).take(seen as u64).chain(file);
    // No text begins with NUL; gzip is read for images alone.
    if seen == 2 && (magic == [0, 0] || magic == [0x1f, 0x8b]) {
        let images = idx::read_from(whole, &name)?;
        let labels = reading.labels.as_deref().map(idx::labels).transpose()?;
        return match (target, weights) {
            (Target::Named(column), _) => {
                Err(Error::setting("target", "no column for images, whose labels --labels names", column))
            }
            (_, Some(column)) => Err(Error::setting("--weight-column", "no column for images", column)),
            _ => Source::images(images.expect_images()?, labels),
        };
    }
    if reading.labels.is_some() {
        return Err(Error::data(name, "--labels goes with IDX images, and this is no IDX file"));
    }
    let table = csv::read_from(whole, &name, &options(reading)?)?;
    let columns = match target {
        Target::Named(named) => split_names(&table, named),
        Target::Columns(columns) => columns.to_vec(),
        Target::Unknown => Vec::new(),
        Target::Missing => return Err(missing_target(&table)),
    };
    Source::table(table, &columns, weights)
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
