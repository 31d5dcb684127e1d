//! `deltarule predict`: a CSV of predictions, a line for each row.

use super::{AnyModel, Outcome, check_outputs, existing, with_model};
use crate::args::Predict;
use crate::input;
use deltarule::data::Target;
use deltarule::file;
use deltarule::float::Float;
use deltarule::metrics::classification::most_probable;
use deltarule::metrics::multilabel::probable;
use deltarule::model::{Model, Predictions, Source};
use deltarule::{Error, Result};
use ndarray::ArrayView1;
use std::io::Write;
use std::path::Path;

/// Rows predicted and written at a time: the whole output is not held in memory.
const CHUNK: usize = 4096;

pub fn run(args: &Predict) -> Result<Outcome> {
    let existing = existing(args.force);
    let outputs: Vec<&Path> = args.out.iter().map(AsRef::as_ref).collect();
    check_outputs(&outputs, &[&args.model, &args.data], existing)?;
    let any = AnyModel::load(&args.model)?;
    let source = input::open(&args.data, &args.reading, input::Target::Unknown, None)?;
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
    // Every row is judged before the first line is written, so that a bad row leaves no half output.
    let rows: Vec<usize> = (0..source.rows()).collect();
    let chunks = rows.chunks(CHUNK).map(|rows| model.predict(source, rows)).collect::<Result<Vec<_>>>()?;
    let mut write = |line: String| writeln!(out, "{line}").map_err(|e| Error::io(name, e));
    let classes = model.target.class_columns();
    let mut header: Vec<String> = model.target.names().into_iter().map(cell).collect();
    if proba {
        header.extend(match &model.target {
            Target::Labels(columns) => columns.iter().map(|label| cell(&format!("p({})", label.event()))).collect(),
            target => target.labels().iter().map(|label| cell(&format!("p({label})"))).collect::<Vec<_>>(),
        });
    }
    write(header.join(","))?;
    let label = |column: usize, class: usize| cell(&classes[column].labels[class]);
    for predictions in chunks {
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
        for (mut line, row) in said.into_iter().zip(predictions.values().rows()) {
            if proba && !classes.is_empty() {
                line.extend(row.iter().map(|&p| number(p)));
            }
            write(line.join(","))?;
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
