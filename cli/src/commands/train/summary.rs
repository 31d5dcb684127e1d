//! What is said of a training that is over: for people, and as JSON.

use crate::report::{self, EvaluationJson, say};
use deltarule::data::Task;
use deltarule::float::Float;
use deltarule::model::{Evaluation, Fitted, Judged};
use deltarule::picture::spark::spark;
use deltarule::train::Stopped;
use serde_json::{Value, json};

/// The network, how its training went, and its figures.
pub fn print<T: Float>(fitted: &Fitted<T>, training: &Evaluation, test: Option<&Evaluation>, seconds: f64) {
    let (history, spec) = (&fitted.history, fitted.model.network.spec());
    let why = match history.stopped {
        Stopped::Epochs => "all epochs used",
        Stopped::TrainingStalled => "the training loss no longer falls",
        Stopped::ValidationStalled => "what is watched no longer improves",
        Stopped::TargetReached => "the target loss is reached",
        Stopped::TimeUp => "the time is over",
        Stopped::Interrupted => "interrupted",
        Stopped::Converged => "nothing left to gain",
        Stopped::LineSearch => "no step gives less",
        Stopped::NotFinite => "no part of a step leads to finite numbers",
        _ => "stopped",
    };
    let widths: Vec<_> =
        std::iter::once(spec.inputs()).chain(spec.layers().iter().map(|l| l.outputs)).map(|n| n.to_string()).collect();
    say(&format!(
        "network {}, {} parameters; {}, {seconds:.2} s: {why}",
        widths.join("-"),
        spec.parameters(),
        report::count(history.training.len(), "epoch")
    ));
    if let (Some(first), Some(last)) = (history.training.first(), history.training.last()) {
        say(&format!("loss {first:.4} {} {last:.6}", spark(&history.training)));
    }
    if let Some(found) = history.regularisation.last() {
        say(&format!(
            "the data determine {:.1} of {} parameters (alpha {:.4e}, beta {:.4e})",
            found.gamma,
            spec.parameters(),
            found.alpha,
            found.beta
        ));
    }
    report::watched(&history.watched).iter().for_each(|line| say(line));
    if let (Some(Judged { rows, data, is_held_back }), 1..) = (&fitted.judged, history.kept) {
        let whence = if *is_held_back { "held back".into() } else { format!("of {data}") };
        let kept = history.kept;
        say(&format!(
            "judged on {} {whence}: those of epoch {kept} are the parameters kept",
            report::count(*rows, "row")
        ));
    }
    say("");
    say(&report::table("training", training));
    match test {
        None => say("\nno rows were held out: these figures say nothing about new rows"),
        Some(test) => {
            say(&report::table("held out", test));
            if let Some(confusion) = test.confusion.as_ref().filter(|c| c.classes() <= 20) {
                say(&format!("\n{confusion}"));
            }
        }
    }
}

/// The run, for machines.
pub fn json<T: Float>(
    fitted: &Fitted<T>,
    training: &Evaluation,
    test: Option<&Evaluation>,
    seconds: f64,
    task: &Task,
) -> Value {
    let judged = EvaluationJson::from(test.unwrap_or(training));
    let mut object = json!({
        "task": task,
        "rows": { "train": training.rows, "test": test.map_or(0, |t| t.rows) },
        "epochs": fitted.history.training.len(),
        "seconds": seconds,
        "stopped": fitted.history.stopped,
        "train": training.metrics,
        "test": test.map(|t| t.metrics),
        "baseline": judged.baseline,
        "interval": judged.interval,
        "parameters_sha256": fitted.model.parameters_sha256(),
    });
    if let Some(Judged { rows, data, is_held_back }) = &fitted.judged {
        object["validation"] = json!({ "rows": rows, "data": data, "held_back": is_held_back });
    }
    if !judged.targets.is_empty() {
        object["targets"] = json!(judged.targets);
    }
    object
}
