//! `deltarule predict`: a CSV of predictions, a line for each row.

use super::{AnyModel, Outcome, check_outputs, existing, with_model};
use crate::args::Predict;
use crate::input::{self, Target};
use deltarule::file;
use deltarule::float::Float;
use deltarule::metrics::classification::most_probable;
use deltarule::model::{Model, Predictions, Source};
use deltarule::{Error, Result};
use std::io::Write;
use std::path::Path;

/// Rows predicted and written at a time: the whole output is not held in memory.
const CHUNK: usize = 4096;

pub fn run(args: &Predict) -> Result<Outcome> {
    let existing = existing(args.force);
    let outputs: Vec<&Path> = args.out.iter().map(AsRef::as_ref).collect();
    check_outputs(&outputs, &[&args.model, &args.data], existing)?;
    let any = AnyModel::load(&args.model)?;
    let source = input::open(&args.data, &args.reading, Target::Unknown)?;
    with_model!(any, model => match &args.out {
        // A file appears whole or not at all, so its text is made first.
        Some(out) => {
            let mut text = Vec::new();
            write_predictions(&model, &source, args.proba, &mut text, out)?;
            file::write_whole(out, &text, existing)?;
        }
        None => {
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            let name = Path::new("standard output");
            write_predictions(&model, &source, args.proba, &mut out, name)?;
            out.flush().map_err(|e| Error::io(name, e))?;
        }
    });
    Ok(Outcome::Done)
}

fn write_predictions<T: Float>(
    model: &Model<T>,
    source: &Source,
    proba: bool,
    out: &mut impl Write,
    name: &Path,
) -> Result<()> {
    let labels = model.target.labels();
    // Every row is judged before the first line is written, so that a bad row leaves no half output.
    let rows: Vec<usize> = (0..source.rows()).collect();
    let chunks = rows.chunks(CHUNK).map(|rows| model.predict(source, rows)).collect::<Result<Vec<_>>>()?;
    let mut write = |line: String| writeln!(out, "{line}").map_err(|e| Error::io(name, e));
    let mut header = cell(model.target.name());
    if proba {
        labels.iter().for_each(|label| header += &format!(",{}", cell(&format!("p({label})"))));
    }
    write(header)?;
    for predictions in chunks {
        match predictions {
            Predictions::Numbers(numbers) => {
                for number in numbers {
                    write(self::number(number))?;
                }
            }
            Predictions::Classes(probabilities) => {
                for (class, row) in most_probable(probabilities.view()).into_iter().zip(probabilities.rows()) {
                    let mut line = cell(&labels[class]);
                    if proba {
                        row.iter().for_each(|p| line += &format!(",{}", number(*p)));
                    }
                    write(line)?;
                }
            }
        }
    }
    Ok(())
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
