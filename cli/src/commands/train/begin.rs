//! What a training begins with: its data, perhaps a model to go on with, and rows of one's own to be judged by.

use crate::args::{Dtype, Reading, Train};
use crate::commands::AnyModel;
use crate::commands::train::solver;
use crate::input::{self, Target};
use crate::report::{self, say};
use deltarule::data::Missing;
use deltarule::model::{Input, Recipe, Source};
use deltarule::train::Solver;
use deltarule::{Error, Result};
use std::path::Path;

/// The type of the network's numbers: the model's, or what was asked for, or what suits the solver.
pub fn dtype(args: &Train, start: Option<&AnyModel>) -> Result<Dtype> {
    let known = match start {
        None if solver::is_least_squares(args.solver) => return Ok(args.dtype.unwrap_or(Dtype::F64)),
        None => return Ok(args.dtype.unwrap_or(Dtype::F32)),
        Some(AnyModel::F32(_)) => Dtype::F32,
        Some(AnyModel::F64(_)) => Dtype::F64,
    };
    let name = |dtype: Dtype| if dtype == Dtype::F32 { "f32" } else { "f64" };
    match args.dtype {
        Some(other) if other != known => {
            let expected = format!("{}, that of the model to go on with", name(known));
            Err(Error::setting("--dtype", expected, name(other)))
        }
        _ => Ok(known),
    }
}

/// Opens the data; their rows stay in the file if that was asked for, or if they would not fit into memory.
pub fn open(args: &Train, target: Target<'_>, recipe: &Recipe, dtype: Dtype) -> Result<Source> {
    let steps = matches!(recipe.trainer.solver, Solver::Steps(_));
    if args.stream && !steps {
        let expected = "one that takes mini-batches with --stream, for others need all rows at once";
        return Err(Error::setting("--solver", expected, solver::name(args.solver)));
    }
    let bytes = if dtype == Dtype::F32 { size_of::<f32>() } else { size_of::<f64>() };
    let weights = args.weight_column.as_deref();
    if args.stream {
        return input::open_in_place(&args.data, &args.reading, target, weights);
    }
    if steps && input::is_too_large(&args.data, bytes) {
        say("the rows do not fit into memory: each mini-batch is read from the file (--stream)");
        return input::open_in_place(&args.data, &args.reading, target, weights);
    }
    input::open(&args.data, &args.reading, target, weights)
}

/// The columns of `source` that a model with this input does not look at.
pub fn unused(source: &Source, input: &Input) -> Vec<String> {
    let Input::Table(features) = input else { return Vec::new() };
    let count = match source {
        Source::Table { table, .. } if features.header => {
            let is_input = |name: &String| features.columns.iter().any(|feature| feature.name == *name);
            return table.columns().iter().filter(|name| !is_input(name)).cloned().collect();
        }
        Source::Table { table, .. } => table.columns().len(),
        Source::Matrix { matrix, .. } => matrix.width(),
        Source::Images { .. } => 0,
    };
    // By position all are inputs, unless there are as many as the training file had.
    let is_whole = count == features.source_columns;
    let is_input = |column: &usize| !is_whole || features.columns.iter().any(|feature| feature.position == *column);
    (0..count).filter(|column| !is_input(column)).map(|column| (column + 1).to_string()).collect()
}

/// Leaves out the rows with missing cells, and says how many.
pub fn drop_incomplete(source: &mut Source, ignored: &[String]) -> Result<()> {
    let rows = source.rows();
    let dropped = source.drop_incomplete(ignored)?;
    say(&format!("{}: {dropped} of {} left out for missing cells", source.name(), report::count(rows, "row")));
    Ok(())
}

/// The rows of `--validation` that count, and their file.
pub fn validation(
    args: &Train,
    recipe: &Recipe,
    input: &Input,
    target: &deltarule::data::Target,
) -> Result<Option<(Source, Vec<usize>)>> {
    let Some(path) = &args.validation else { return Ok(None) };
    let labels = &args.validation_labels;
    match (&args.reading.labels, labels) {
        (Some(_), None) => {
            let expected = format!("the file with those of {}, as of the rows to train on", path.display());
            return Err(Error::setting("--validation-labels", expected, "none"));
        }
        (None, Some(labels)) => {
            let found = format!("'{}'", labels.display());
            return Err(Error::setting("--validation-labels", "none without --labels", found));
        }
        _ if path == Path::new("-") && args.data == Path::new("-") => {
            let expected = "a file, where standard input holds the rows to train on";
            return Err(Error::setting("--validation", expected, "'-'"));
        }
        _ => {}
    }
    let reading = Reading { labels: labels.clone(), ..args.reading.clone() };
    let names = target.names();
    // As numbers they are in memory either way; too large a file need not be so as it is, too.
    let open = if input::is_too_large(path, 0) { input::open_in_place } else { input::open };
    let mut source = open(path, &reading, Target::of_model(input, &names), args.weight_column.as_deref())?;
    if recipe.features.missing == Missing::Drop {
        let ignored = unused(&source, input);
        drop_incomplete(&mut source, &ignored)?;
    }
    let rows = report::counted(&source)?;
    say(&format!("{}: {} to judge by", source.name(), report::count(rows.len(), "row")));
    Ok(Some((source, rows)))
}
