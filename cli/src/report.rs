//! Figures for people (text on standard error) and for machines (one JSON object on standard output).

use deltarule::metrics::{Interval, Metrics};
use deltarule::model::{Evaluation, Input, Source};
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

/// The rows of a source that count: all but those of weight 0, of which people are told.
pub fn counted(source: &Source) -> Result<Vec<usize>> {
    let all: Vec<usize> = (0..source.rows()).collect();
    let rows = source.counted(&all)?;
    if rows.len() < all.len() {
        say(&format!("{} of {} left out, as their weight is 0", all.len() - rows.len(), count(all.len(), "row")));
    }
    Ok(rows)
}

/// The figures of an evaluation as a small table, the baseline's beside them, without the last line break; of several target
/// columns, a line for each under them.
pub fn table(title: &str, evaluation: &Evaluation) -> String {
    let baseline = match evaluation.metrics {
        Metrics::Regression(_) => "mean alone",
        Metrics::Classification(_) => "majority class",
        Metrics::MultiLabel(_) => "majority of each",
    };
    let mut text = format!(
        "{title} ({}){:>w$}{baseline:>18}\n",
        count(evaluation.rows, "row"),
        "model",
        w = 40usize.saturating_sub(title.len() + 12)
    );
    let figure =
        |value: Option<f64>| value.filter(|value| !value.is_nan()).map_or("-".into(), |value| format!("{value:.4}"));
    let line = |name: &str, model: f64, baseline: Option<f64>| {
        format!("  {name:<24}{:>14}{:>18}", figure(Some(model)), figure(baseline))
    };
    for (name, value) in evaluation.metrics.figures() {
        let interval = match &evaluation.interval {
            i if i.metric == name && i.low.is_finite() => format!("   95 %: {:.4} to {:.4}", i.low, i.high),
            _ => String::new(),
        };
        text += &format!("{}{interval}\n", line(&name.replace('_', " "), value, evaluation.baseline.get(name)));
    }
    for column in evaluation.columns.iter().take(SHOWN) {
        // The first figure tells the most; --json has the others.
        for (name, value) in column.metrics.figures().into_iter().take(1) {
            text += &format!("{}\n", line(&format!("{name} of {}", column.name), value, column.baseline.get(name)));
        }
    }
    if evaluation.columns.len() > SHOWN {
        text += &format!("  … of {} targets (--json has all)\n", evaluation.columns.len());
    }
    text.truncate(text.trim_end().len());
    text
}

/// The most target columns that a table has a line for.
const SHOWN: usize = 20;

/// The flag that sets what the library calls by another name.
pub fn flag(setting: &str) -> &str {
    match setting {
        "learning rate" => "--rate",
        "test fraction" => "--test",
        "held-back share" => "--early-stopping",
        "label smoothing" => "--label-smoothing",
        "folds" | "repetitions" => "--cv",
        "categorical" => "--categorical",
        "groups" => "--groups",
        "activations" => "--activation",
        "find rate" | "the first rate" | "the last rate" | "steps of the range test" => "--find-rate",
        "epochs" => "--epochs",
        "schedule" => "--schedule",
        "decay of the average" => "--ema",
        "first epoch of the average" => "--swa",
        "target loss" => "--target-loss",
        "monitor" => "--monitor",
        "batch" => "--batch",
        "beta1" => "--beta1",
        "beta2" => "--beta2",
        "epsilon" => "--epsilon",
        "rho" => "--rho",
        "weight_decay" => "--weight-decay",
        "momentum" => "--momentum",
        "l1" => "--l1",
        "l2" => "--l2",
        "dropout" => "--dropout",
        "input dropout" => "--input-dropout",
        "input noise" => "--input-noise",
        "max norm" => "--max-norm",
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
        "target" => "--target",
        "weight column" => "--weight-column",
        "missing" => "--missing",
        "task" => "--task",
        "class weights" => "--class-weight",
        "inputs" => "--inputs",
        "one input" => "--one-input",
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
    /// Of several target columns, each by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<ColumnJson<'a>>,
}

/// The evaluation of one of several target columns, for machines.
#[derive(Debug, Serialize)]
pub struct ColumnJson<'a> {
    /// The column.
    pub name: &'a str,
    /// The model's figures.
    pub metrics: Metrics,
    /// The baseline's.
    pub baseline: Metrics,
}

impl<'a> From<&'a Evaluation> for EvaluationJson<'a> {
    fn from(evaluation: &'a Evaluation) -> Self {
        let Evaluation { rows, metrics, baseline, interval, columns, .. } = evaluation;
        let targets = columns.iter().map(|c| ColumnJson { name: &c.name, metrics: c.metrics, baseline: c.baseline });
        Self { rows: *rows, metrics: *metrics, baseline: *baseline, interval, targets: targets.collect() }
    }
}
