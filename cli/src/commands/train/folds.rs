//! How rows are parted for a test or for folds, and what the folds' figures come to.

use crate::args::{self, Train};
use crate::report::say;
use deltarule::data::Parting;
use deltarule::metrics::Metrics;
use deltarule::model::{ColumnEvaluation, Evaluation};
use deltarule::{Error, Result};
use serde_json::{Value, json};

/// How rows are parted.
pub fn parting(args: &Train, cv: Option<(usize, usize)>) -> Result<Parting> {
    let parting = match (&args.groups, args.split) {
        (Some(_), args::SplitBy::Ordered) => {
            return Err(Error::setting(
                "--split",
                "random together with --groups, whose rows have no order",
                "ordered",
            ));
        }
        (Some(column), args::SplitBy::Random) => Parting::Groups(column.clone()),
        (None, args::SplitBy::Ordered) => Parting::Ordered,
        (None, args::SplitBy::Random) => Parting::Random,
    };
    if let (Some(_), 0.0, true) = (&args.validation, args.test, parting != Parting::Random) {
        let flag = if args.groups.is_some() { "--groups" } else { "--split ordered" };
        let expected = "above 0 with --validation, for else no rows are parted";
        return Err(Error::setting("--test", expected, format!("0 and {flag}")));
    }
    match cv {
        Some((folds, repetitions)) if repetitions > 1 && parting != Parting::Random => {
            let flag = if args.groups.is_some() { "--groups" } else { "--split ordered" };
            let expected = format!("{folds} folds once, for with {flag} they are always the same");
            Err(Error::setting("--cv", expected, format!("{folds}x{repetitions}")))
        }
        _ => Ok(parting),
    }
}

/// Reads `K` or `KxR`.
pub fn parse_cv(text: &str) -> Result<(usize, usize)> {
    let (folds, repetitions) = text.split_once('x').unwrap_or((text, "1"));
    match (folds.parse(), repetitions.parse()) {
        (Ok(folds), Ok(repetitions)) if folds >= 2 && repetitions >= 1 => Ok((folds, repetitions)),
        _ => Err(Error::setting(
            "--cv",
            "K folds (2 or more), or KxR with R repetitions, such as 5x4",
            format!("'{text}'"),
        )),
    }
}

/// Mean and standard error over the repetitions of each figure, printed and for machines.
///
/// The folds of one repetition are averaged first: every row counts once in it. The standard error is that of the mean
/// over repetitions; with a single one it is taken over its folds.
pub fn cross_validated(measured: &[Evaluation], folds: usize, repetitions: usize) -> Value {
    let mut object = json!({ "folds": folds, "repetitions": repetitions });
    say(&format!("{folds} folds x {repetitions}: mean and standard error over {} trainings", measured.len()));
    let first = &measured[0];
    for (name, _) in first.metrics.figures() {
        let figures = |of: fn(&Evaluation) -> &Metrics| measured.iter().filter_map(|e| of(e).get(name)).collect();
        let (model, baseline) = (figures(|e| &e.metrics), figures(|e| &e.baseline));
        object[name] = summary(&name.replace('_', " "), (model, baseline), folds, repetitions);
    }
    // Of each of several target columns, the figure that tells the most.
    let mut columns = Vec::new();
    for (j, column) in first.columns.iter().enumerate() {
        for (name, _) in column.metrics.figures().into_iter().take(1) {
            let figures = |of: fn(&ColumnEvaluation) -> &Metrics| {
                measured.iter().filter_map(|e| of(&e.columns[j]).get(name)).collect()
            };
            let (model, baseline) = (figures(|c| &c.metrics), figures(|c| &c.baseline));
            let title = format!("{name} of {}", column.name);
            columns.push(json!({ "name": column.name, name: summary(&title, (model, baseline), folds, repetitions) }));
        }
    }
    if !columns.is_empty() {
        object["targets"] = columns.into();
    }
    object
}

/// Mean and standard error of one figure and the mean of the baseline's, printed and for machines.
fn summary(title: &str, (model, baseline): (Vec<f64>, Vec<f64>), folds: usize, repetitions: usize) -> Value {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let centre = mean(&model);
    let groups: Vec<f64> = if repetitions > 1 { model.chunks(folds).map(mean).collect() } else { model };
    let variance = groups.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (groups.len() - 1) as f64;
    let error = (variance / groups.len() as f64).sqrt();
    say(&format!("  {title:<20}{centre:>9.4} +- {error:.4}   baseline {:.4}", mean(&baseline)));
    json!({ "mean": centre, "standard_error": error, "baseline": mean(&baseline) })
}
