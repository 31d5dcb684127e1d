//! `deltarule predict`: a CSV of predictions, a line for each row.

use super::{AnyModel, Outcome, check_outputs, existing, with_model};
use crate::args::Predict;
use crate::input::Chunks;
use deltarule::data::Target;
use deltarule::file::{Existing, Whole};
use deltarule::float::Float;
use deltarule::metrics::classification::most_probable;
use deltarule::metrics::multilabel::probable;
use deltarule::model::{Model, Predictions};
use deltarule::{Error, Result};
use ndarray::ArrayView1;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Rows read, predicted and written at a time: neither the file nor the output is held in memory.
const CHUNK: usize = 4096;

/// How much output is held back before the first of it is written, so that a bad row leaves no half output. Past it, what
/// was written to standard output stays there when a later row is refused; a file appears whole or not at all.
const HELD_BYTES: usize = 8 << 20;

pub fn run(args: &Predict) -> Result<Outcome> {
    let existing = existing(args.force);
    let outputs: Vec<&Path> = args.out.iter().map(AsRef::as_ref).collect();
    check_outputs(&outputs, &[&args.model, &args.data], existing)?;
    let any = AnyModel::load(&args.model)?;
    let mut rows = Chunks::open(&args.data, &args.reading)?;
    let mut out = Held::new(args.out.clone(), existing);
    with_model!(any, model => write_predictions(&model, &mut rows, args.proba, &mut out)?);
    out.finish()?;
    Ok(Outcome::Done)
}

fn write_predictions<T: Float>(model: &Model<T>, rows: &mut Chunks, proba: bool, out: &mut Held) -> Result<()> {
    let classes = model.target.class_columns();
    let mut header: Vec<String> = model.target.names().into_iter().map(cell).collect();
    if proba {
        header.extend(match &model.target {
            Target::Labels(columns) => columns.iter().map(|label| cell(&format!("p({})", label.event()))).collect(),
            target => target.labels().iter().map(|label| cell(&format!("p({label})"))).collect::<Vec<_>>(),
        });
    }
    let mut text = header.join(",") + "\n";
    let label = |column: usize, class: usize| cell(&classes[column].labels[class]);
    let mut written = 0;
    let mut chunk = || rows.next(CHUNK)?.map(|source| model.predict(&source, &indices(source.rows()))).transpose();
    loop {
        let predictions = match chunk() {
            Ok(Some(predictions)) => predictions,
            Ok(None) => break,
            Err(error) => {
                out.give_up(written);
                return Err(error);
            }
        };
        let said: Vec<Vec<String>> = match &predictions {
            Predictions::Numbers(numbers) => {
                numbers.rows().into_iter().map(|row| row.iter().map(|&n| number(n)).collect()).collect()
            }
            Predictions::Classes(p) => most_probable(p.view()).into_iter().map(|class| vec![label(0, class)]).collect(),
            Predictions::Labels(p) => {
                let said = |row: ArrayView1<'_, bool>| {
                    row.iter().enumerate().map(|(column, &has)| label(column, has.into())).collect()
                };
                probable(p.view()).rows().into_iter().map(said).collect()
            }
        };
        written += said.len();
        for (mut line, row) in said.into_iter().zip(predictions.values().rows()) {
            if proba && !classes.is_empty() {
                line.extend(row.iter().map(|&p| number(p)));
            }
            text += &(line.join(",") + "\n");
        }
        out.write(&text)?;
        text.clear();
    }
    Ok(())
}

fn indices(count: usize) -> Vec<usize> {
    (0..count).collect()
}

/// Output that begins to be written when it is complete, or longer than [`HELD_BYTES`].
struct Held {
    path: Option<PathBuf>,
    existing: Existing,
    held: Vec<u8>,
    /// What is written to, from then on.
    begun: Option<Destination>,
}

enum Destination {
    Standard(io::StdoutLock<'static>),
    File(Whole),
}

impl Held {
    fn new(path: Option<PathBuf>, existing: Existing) -> Self {
        Self { path, existing, held: Vec::new(), begun: None }
    }

    fn write(&mut self, text: &str) -> Result<()> {
        self.held.extend_from_slice(text.as_bytes());
        if self.held.len() >= HELD_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what is held.
    fn flush(&mut self) -> Result<()> {
        let destination = match (&mut self.begun, &self.path) {
            (Some(destination), _) => destination,
            (begun @ None, None) => begun.insert(Destination::Standard(io::stdout().lock())),
            (begun @ None, Some(path)) => begun.insert(Destination::File(Whole::begin(path, self.existing)?)),
        };
        let name = self.path.as_deref().unwrap_or(Path::new("standard output"));
        let written = match destination {
            Destination::Standard(out) => out.write_all(&self.held).and_then(|()| out.flush()),
            Destination::File(file) => file.write_all(&self.held),
        };
        self.held.clear();
        written.map_err(|e| Error::io(name, e))
    }

    /// Says what a refusal leaves behind, if anything.
    fn give_up(&self, rows: usize) {
        if let Some(Destination::Standard(_)) = self.begun {
            crate::report::say(&format!("standard output holds predictions of no more than the first {rows} rows"));
        }
    }

    fn finish(mut self) -> Result<()> {
        self.flush()?;
        match self.begun {
            Some(Destination::File(file)) => file.finish(),
            _ => Ok(()),
        }
    }
}

/// A number in the fewest digits that give it back, with an exponent where it would begin with a row of zeros.
fn number(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e16).contains(&value.abs()) { format!("{value:e}") } else { value.to_string() }
}

/// A text as a cell of a CSV file (RFC 4180); spaces around it are kept by quotes.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) || text.trim_ascii() != text {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}
