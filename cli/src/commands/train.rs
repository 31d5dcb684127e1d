//! `deltarule train`: from a data file to a model, its pictures, and honest figures.

use super::{Outcome, machine, widths};
use crate::args::{self, Dtype, Train};
use crate::input::{self, Target};
use crate::progress::Progress;
use crate::report::{self, EvaluationJson};
use deltarule::data::{Missing, Strata, Task, features, split};
use deltarule::file::{self, Existing};
use deltarule::float::Float;
use deltarule::model::{Evaluation, Fitted, Recipe, Source};
use deltarule::picture::{self, spark::spark};
use deltarule::prelude::*;
use deltarule::rng::stream;
use deltarule::train::Stopped;
use deltarule::{Error, Result};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

/// What the rates are without `--rate`.
const ADAM_RATE: f64 = 0.005;
const SGD_RATE: f64 = 0.05;

pub fn run(args: &Train) -> Result<Outcome> {
    check_outputs(args)?;
    let recipe = recipe(args)?;
    let target = match (&args.target, &args.reading.labels) {
        (Some(column), _) => Target::Column(column),
        (None, Some(_)) => Target::Unknown,
        (None, None) => Target::Missing,
    };
    let source = input::open(&args.data, &args.reading, target)?;
    match args.dtype {
        Dtype::F32 => train::<f32>(args, &recipe, &source),
        Dtype::F64 => train::<f64>(args, &recipe, &source),
    }
}

/// Trains, measures, writes and reports.
fn train<T: Float + Into<f64>>(args: &Train, recipe: &Recipe, source: &Source) -> Result<Outcome> {
    // Once over all rows, for the split's strata; each training does it again, and says the same.
    let (input, target, warnings) = source.infer(recipe.task, &recipe.features)?;
    warnings.iter().for_each(|warning| eprintln!("warning: {}", report::printable(&warning.to_string())));
    let rows = usable_rows(recipe, source, &input)?;
    let mut classes = Vec::new();
    let strata = source.strata(&target, &rows, &mut classes)?;
    let pick = |part: &[usize]| -> Vec<usize> { part.iter().map(|&i| rows[i]).collect() };
    let mut rng = Rng::with_stream(args.seed, stream::SPLIT);
    let announce = |rows: usize| {
        eprintln!("{}: {}, {}", report::printable(source.name()), report::count(rows, "row"), report::inputs(&input));
    };

    if let Some(plan) = &args.cv {
        let (folds, repetitions) = parse_cv(plan)?;
        announce(rows.len());
        let splits = split::folds(strata, folds, repetitions, &mut rng)?;
        let started = Instant::now();
        let mut measured = Vec::new();
        for (i, part) in splits.iter().enumerate() {
            let prefix = format!("fold {}/{}  ", i + 1, splits.len());
            let fitted = fit::<T>(args, recipe, source, &pick(&part.train), &prefix)?;
            measured.push(fitted.model.evaluate(source, &pick(&part.test))?);
        }
        let figures = cross_validated(&measured, folds, repetitions);
        let seconds = started.elapsed().as_secs_f64();
        let mut object = json!({ "task": target.task(), "rows": { "train": rows.len(), "test": 0 }, "cv": figures, "seconds": seconds });
        if [&args.model, &args.plot, &args.diagram, &args.weights].iter().any(|path| path.is_some()) {
            let fitted = fit::<T>(args, recipe, source, &rows, "all rows  ")?;
            write_outputs(args, &fitted)?;
            object["parameters_sha256"] = fitted.model.parameters_sha256().into();
        }
        if args.json {
            report::print_json(&object)?;
        }
        return Ok(Outcome::Done);
    }

    let (training, test) = match args.test {
        0.0 => (rows.clone(), Vec::new()),
        share => {
            let part = hold_out(strata, share, &mut rng)?;
            (pick(&part.train), pick(&part.test))
        }
    };
    announce(rows.len());
    let started = Instant::now();
    let fitted = fit::<T>(args, recipe, source, &training, "")?;
    let seconds = started.elapsed().as_secs_f64();
    let on_training = fitted.model.evaluate(source, &training)?;
    let on_test = if test.is_empty() { None } else { Some(fitted.model.evaluate(source, &test)?) };
    write_outputs(args, &fitted)?;
    print_report(&fitted, &on_training, on_test.as_ref(), seconds);
    if args.json {
        report::print_json(&describe(&fitted, &on_training, on_test.as_ref(), seconds, &target.task()))?;
    }
    Ok(Outcome::Done)
}

fn hold_out(strata: Strata<'_>, share: f64, rng: &mut Rng) -> Result<split::Split> {
    split::hold_out(strata, share, rng).map_err(|error| match error {
        Error::Setting { expected, found, .. } => Error::Setting { name: "--test".into(), expected, found },
        other => other,
    })
}

/// The rows to be used: all, or those without missing cells if they are to be dropped.
fn usable_rows(recipe: &Recipe, source: &Source, input: &deltarule::model::Input) -> Result<Vec<usize>> {
    match (recipe.features.missing, source, input) {
        (Missing::Drop, Source::Table { table, .. }, deltarule::model::Input::Table(features)) => {
            let rows = features.complete_rows(table)?;
            eprintln!(
                "{} of {} left out for missing cells",
                table.rows() - rows.len(),
                report::count(table.rows(), "row")
            );
            Ok(rows)
        }
        _ => Ok((0..source.rows()).collect()),
    }
}

fn fit<T: Float>(args: &Train, recipe: &Recipe, source: &Source, rows: &[usize], prefix: &str) -> Result<Fitted<T>> {
    let mut progress = Progress::start(args.epochs, prefix);
    let fitted = recipe.fit::<T>(source, rows, &mut |epoch| {
        progress.epoch(epoch);
        ControlFlow::Continue(())
    });
    progress.finish();
    fitted
}

/// Refuses outputs that cannot be written before hours of training, not after.
fn check_outputs(args: &Train) -> Result<()> {
    let existing = existing(args.force);
    let pictures: Vec<&Path> =
        [&args.plot, &args.diagram, &args.weights].into_iter().flatten().map(AsRef::as_ref).collect();
    pictures.iter().try_for_each(|path| picture::check_name(path))?;
    let all: Vec<&Path> = args.model.iter().map(AsRef::as_ref).chain(pictures).collect();
    for (i, path) in all.iter().enumerate() {
        file::check_writable(path, existing)?;
        let same =
            |other: &Path| other == *path || (path.exists() && other.canonicalize().ok() == path.canonicalize().ok());
        if all[..i].iter().any(|other| same(other)) {
            return Err(Error::setting("output files", "different names", format!("'{}' twice", path.display())));
        }
        if args.reading.labels.iter().chain([&args.data]).any(|input| same(input)) {
            return Err(Error::setting("output file", "another file than the data", format!("'{}'", path.display())));
        }
    }
    if args.weights.is_some() && args.reading.labels.is_none() {
        return Err(Error::setting("--weights", "images (with --labels)", "a table"));
    }
    Ok(())
}

fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Keep }
}

/// The library's recipe for these flags.
fn recipe(args: &Train) -> Result<Recipe> {
    let (engine, threads) = machine(&args.machine)?;
    let solver = match args.solver {
        args::Solver::Adam => Solver::Steps(Method::adam()),
        args::Solver::Sgd => {
            Solver::Steps(Method::Sgd { momentum: args.momentum, nesterov: !args.no_nesterov && args.momentum > 0.0 })
        }
        args::Solver::Lbfgs => Solver::Lbfgs,
        args::Solver::Perceptron => Solver::Perceptron,
    };
    let default_rate = if args.solver == args::Solver::Sgd { SGD_RATE } else { ADAM_RATE };
    let hidden = if args.solver == args::Solver::Perceptron { Vec::new() } else { widths("--hidden", &args.hidden)? };
    let parse = |name: &Option<String>| name.as_deref().map(Activation::parse).transpose();
    Ok(Recipe {
        task: args.task.map(|task| match task {
            args::Task::Classify => Task::Classify,
            args::Task::Regress => Task::Regress,
        }),
        activations: args.activation.split(',').map(Activation::parse).collect::<Result<_>>()?,
        hidden,
        output: parse(&args.output_activation)?,
        loss: args.loss.as_deref().map(Loss::parse).transpose()?,
        init: args.init.as_deref().map(Init::parse).transpose()?,
        features: features::Options {
            categorical: args.categorical.clone(),
            ignore: args.ignore.clone(),
            missing: match args.missing {
                args::Missing::Error => Missing::Error,
                args::Missing::Mean => Missing::Mean,
                args::Missing::Drop => Missing::Drop,
            },
        },
        trainer: Trainer {
            solver,
            objective: Objective { loss: Loss::default(), l2: args.l2 },
            learning_rate: args.rate.unwrap_or(default_rate),
            epochs: args.epochs,
            batch: args.batch,
            shuffle: true,
            seed: args.seed,
            stopping: Stopping { tolerance: args.tolerance, patience: args.patience },
            engine,
            threads,
        },
        held_back: args.early_stopping,
    })
}

/// Reads `K` or `KxR`.
fn parse_cv(text: &str) -> Result<(usize, usize)> {
    let (folds, repetitions) = text.split_once('x').unwrap_or((text, "1"));
    match (folds.parse(), repetitions.parse()) {
        (Ok(folds), Ok(repetitions)) => Ok((folds, repetitions)),
        _ => Err(Error::setting("--cv", "K folds, or KxR with R repetitions, such as 5x4", format!("'{text}'"))),
    }
}

fn write_outputs<T: Float + Into<f64>>(args: &Train, fitted: &Fitted<T>) -> Result<()> {
    let existing = existing(args.force);
    let write = |path: &Option<std::path::PathBuf>, text: &dyn Fn() -> Result<String>| match path {
        None => Ok(()),
        Some(path) => {
            file::write_whole(path, text()?.as_bytes(), existing)?;
            eprintln!("wrote {}", path.display());
            Ok(())
        }
    };
    if let Some(path) = &args.model {
        fitted.model.save(path, existing)?;
        eprintln!("wrote {}", path.display());
    }
    write(&args.plot, &|| Ok(fitted.curve_svg()))?;
    write(&args.diagram, &|| fitted.model.diagram_svg())?;
    write(&args.weights, &|| fitted.model.weights_svg())
}

fn print_report<T: Float>(fitted: &Fitted<T>, training: &Evaluation, test: Option<&Evaluation>, seconds: f64) {
    let (history, spec) = (&fitted.history, fitted.model.network.spec());
    let why = match history.stopped {
        Stopped::Epochs => "all epochs used",
        Stopped::TrainingStalled => "the training loss no longer falls",
        Stopped::ValidationStalled => "the loss of the rows held back no longer falls",
        Stopped::Converged => "nothing left to gain",
        Stopped::LineSearch => "no step gives less",
        _ => "stopped",
    };
    let widths: Vec<_> =
        std::iter::once(spec.inputs()).chain(spec.layers().iter().map(|l| l.outputs)).map(|n| n.to_string()).collect();
    eprintln!(
        "network {}, {} parameters; {}, {seconds:.2} s: {why}",
        widths.join("-"),
        spec.parameters(),
        report::count(history.training.len(), "epoch")
    );
    if let (Some(first), Some(last)) = (history.training.first(), history.training.last()) {
        eprintln!("loss {first:.4} {} {last:.6}\n", spark(&history.training));
    }
    eprint!("{}", report::table("training", training));
    match test {
        None => eprintln!("\nno rows were held out: these figures say nothing about new rows"),
        Some(test) => {
            eprint!("{}", report::table("held out", test));
            if let Some(confusion) = test.confusion.as_ref().filter(|c| c.classes() <= 20) {
                eprintln!("\n{}", report::printable(&confusion.to_string()));
            }
        }
    }
}

/// The run, for machines.
fn describe<T: Float>(
    fitted: &Fitted<T>,
    training: &Evaluation,
    test: Option<&Evaluation>,
    seconds: f64,
    task: &Task,
) -> Value {
    let judged = test.unwrap_or(training);
    json!({
        "task": task,
        "rows": { "train": training.rows, "test": test.map_or(0, |t| t.rows) },
        "epochs": fitted.history.training.len(),
        "seconds": seconds,
        "stopped": fitted.history.stopped,
        "train": training.metrics,
        "test": test.map(|t| t.metrics),
        "baseline": EvaluationJson::from(judged).baseline,
        "interval": EvaluationJson::from(judged).interval,
        "parameters_sha256": fitted.model.parameters_sha256(),
    })
}

/// Mean and standard error over the repetitions of each figure, printed and for machines.
///
/// The folds of one repetition are averaged first: every row counts once in it. The standard error is that of the mean
/// over repetitions; with a single one it is taken over its folds.
fn cross_validated(measured: &[Evaluation], folds: usize, repetitions: usize) -> Value {
    let mut object = json!({ "folds": folds, "repetitions": repetitions });
    eprintln!("{folds} folds x {repetitions}: mean and standard error over {} trainings", measured.len());
    for name in ["accuracy", "balanced_accuracy", "log_loss", "r2", "rmse", "mae"] {
        let figures = |of: &dyn Fn(&Evaluation) -> Option<f64>| measured.iter().map(of).collect::<Option<Vec<f64>>>();
        let Some(model) = figures(&|e| e.metrics.get(name)) else { continue };
        let baseline = figures(&|e| e.baseline.get(name)).unwrap_or_default();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let centre = mean(&model);
        let groups: Vec<f64> = if repetitions > 1 { model.chunks(folds).map(mean).collect() } else { model };
        let variance = groups.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (groups.len() - 1) as f64;
        let error = (variance / groups.len() as f64).sqrt();
        eprintln!("  {:<20}{centre:>9.4} +- {error:.4}   baseline {:.4}", name.replace('_', " "), mean(&baseline));
        object[name] = json!({ "mean": centre, "standard_error": error, "baseline": mean(&baseline) });
    }
    object
}
