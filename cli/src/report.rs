//! Figures for people (text on standard error) and for machines (one JSON object on standard output).

use deltarule::metrics::{Interval, Metrics};
use deltarule::model::{Evaluation, Input};
use deltarule::train::Watched;
use deltarule::{Error, Result};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// The text without control characters: names come from files and may hold anything.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Says something to people: a line on standard error, without control characters. Nobody may be listening (a closed pipe,
/// a full disk), which is no reason to fail.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(line));
}

/// Prints one JSON object on standard output.
pub fn print_json(object: &impl Serialize) -> Result<()> {
    let text =
        serde_json::to_string(object).map_err(|e| Error::Unsupported(format!("cannot be written as JSON: {e}")))?;
    print_line(&text)
}

/// Prints a line on standard output.
pub fn print_line(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| Error::io(Path::new("standard output"), e))
}

/// A count and its noun.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The figures of an evaluation as a small table, the baseline's beside them, without the last line break.
pub fn table(title: &str, evaluation: &Evaluation) -> String {
    let (names, baseline) = match evaluation.metrics {
        Metrics::Regression(_) => (["r2", "rmse", "mae"], "mean alone"),
        _ => (["accuracy", "balanced_accuracy", "log_loss"], "majority class"),
    };
    let mut text = format!(
        "{title} ({}){:>w$}{baseline:>18}\n",
        count(evaluation.rows, "row"),
        "model",
        w = 40usize.saturating_sub(title.len() + 12)
    );
    for name in names {
        let figure = |metrics: &Metrics| metrics.get(name).map_or("-".into(), |value| format!("{value:.4}"));
        let interval = match &evaluation.interval {
            i if i.metric == name && i.low.is_finite() => format!("   95 %: {:.4} to {:.4}", i.low, i.high),
            _ => String::new(),
        };
        text += &format!(
            "  {:<24}{:>14}{:>18}{interval}\n",
            name.replace('_', " "),
            figure(&evaluation.metrics),
            figure(&evaluation.baseline)
        );
    }
    text.truncate(text.trim_end().len());
    text
}

/// The flag that sets what the library calls by another name.
pub fn flag(setting: &str) -> &str {
    match setting {
        "learning rate" => "--rate",
        "test fraction" => "--test",
        "held-back share" => "--early-stopping",
        "folds" | "repetitions" => "--cv",
        "categorical" => "--categorical",
        "groups" => "--groups",
        "activations" => "--activation",
        "epochs" => "--epochs",
        "batch" => "--batch",
        "momentum" => "--momentum",
        "l1" => "--l1",
        "l2" => "--l2",
        "tolerance" => "--tolerance",
        "patience" => "--patience",
        "watch gradients" => "--watch-gradients",
        "threads" => "--threads",
        "gemm" => "--gemm",
        "BLAS core" => "--blas-core",
        "loss" => "--loss",
        "init" => "--init",
        "activation" => "--activation",
        "delimiter" => "--delimiter",
        "inputs" => "--inputs",
        other => other,
    }
}

/// What watching gradients came to, in a line, if any were.
pub fn watched(watched: &[Watched]) -> Option<String> {
    let inconclusive = watched.iter().filter(|check| check.inconclusive).count();
    let without = if inconclusive == 0 { String::new() } else { format!(" ({inconclusive} inconclusive)") };
    let largest = Watched::largest_error(watched).map_or(String::new(), |error| format!(", largest error {error:.1e}"));
    let times = count(watched.len(), "time");
    (!watched.is_empty()).then(|| format!("gradients watched {times}{without}{largest}, none wrong"))
}

/// The same for machines; null unless every so many steps were to be watched.
pub fn watched_json(watched: &[Watched], interval: Option<usize>) -> Value {
    interval.map_or(Value::Null, |interval| {
        json!({
            "interval": interval,
            "count": watched.len(),
            "inconclusive": watched.iter().filter(|check| check.inconclusive).count(),
            "worst_error": Watched::largest_error(watched),
        })
    })
}

/// What the inputs of a network are, in words.
pub fn inputs(input: &Input) -> String {
    match input {
        Input::Table(features) => {
            format!("{} -> {}", count(features.columns.len(), "column"), count(features.width(), "input"))
        }
        Input::Images { height, width } => format!("images of {height} x {width} pixels"),
    }
}

/// An evaluation, for machines.
#[derive(Debug, Serialize)]
pub struct EvaluationJson<'a> {
    /// Rows measured.
    pub rows: usize,
    /// The model's figures.
    pub metrics: Metrics,
    /// The baseline's.
    pub baseline: Metrics,
    /// The 95 % interval.
    pub interval: &'a Interval,
}

impl<'a> From<&'a Evaluation> for EvaluationJson<'a> {
    fn from(evaluation: &'a Evaluation) -> Self {
        let Evaluation { rows, metrics, baseline, interval, .. } = evaluation;
        Self { rows: *rows, metrics: *metrics, baseline: *baseline, interval }
    }
}
