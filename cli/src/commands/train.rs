//! `deltarule train`: from a data file to a model, its pictures, and honest figures.

use super::{Outcome, existing, machine, widths};
use crate::args::{self, Dtype, Train};
use crate::input::{self, Target};
use crate::progress::Progress;
use crate::report::{self, EvaluationJson, say};
use deltarule::data::{Missing, Parting, Task, Warning, features, split};
use deltarule::file;
use deltarule::float::Float;
use deltarule::model::{Evaluation, Fitted, Recipe, Source};
use deltarule::picture::{self, spark::spark};
use deltarule::prelude::*;
use deltarule::rng::stream;
use deltarule::train::{Stopped, Watched};
use deltarule::{Error, Result, memory};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

/// What the rates are without `--rate`.
const ADAM_RATE: f64 = 0.005;
const SGD_RATE: f64 = 0.05;

pub fn run(args: &Train) -> Result<Outcome> {
    check_outputs(args)?;
    let cv = args.cv.as_deref().map(parse_cv).transpose()?;
    let parting = parting(args, cv)?;
    let recipe = Recipe { parting, ..recipe(args)? };
    let target = match (&args.target, &args.reading.labels) {
        (Some(column), _) => Target::Column(column),
        (None, Some(_)) => Target::Unknown,
        (None, None) => Target::Missing,
    };
    let mut source = open(args, target, &recipe)?;
    if recipe.features.missing == Missing::Drop {
        let rows = source.rows();
        let dropped = source.drop_incomplete(&recipe.ignored())?;
        say(&format!("{dropped} of {} left out for missing cells", report::count(rows, "row")));
    }
    match args.dtype {
        Dtype::F32 => train::<f32>(args, cv, &recipe, &source),
        Dtype::F64 => train::<f64>(args, cv, &recipe, &source),
    }
}

/// Opens the data; their rows stay in the file if that was asked for, or if they would not fit into memory.
fn open(args: &Train, target: Target<'_>, recipe: &Recipe) -> Result<Source> {
    let steps = matches!(recipe.trainer.solver, Solver::Steps(_));
    if args.stream && !steps {
        let found = if recipe.trainer.solver == Solver::Lbfgs { "lbfgs" } else { "perceptron" };
        return Err(Error::setting("--solver", "adam or sgd with --stream, for others need all rows at once", found));
    }
    let bytes = if args.dtype == Dtype::F32 { size_of::<f32>() } else { size_of::<f64>() };
    if args.stream {
        return input::open_in_place(&args.data, &args.reading, target);
    }
    if steps && input::is_too_large(&args.data, bytes) {
        say("the rows do not fit into memory: each mini-batch is read from the file (--stream)");
        return input::open_in_place(&args.data, &args.reading, target);
    }
    input::open(&args.data, &args.reading, target)
}

/// Trains, measures, reports and writes.
fn train<T: Float + Into<f64>>(
    args: &Train,
    cv: Option<(usize, usize)>,
    recipe: &Recipe,
    source: &Source,
) -> Result<Outcome> {
    // Once over all rows, for the split's strata; each training does it again, and says the same.
    let (input, target, warnings) = recipe.infer(source)?;
    let mut said = Said::default();
    said.warn(&warnings);
    let rows: Vec<usize> = (0..source.rows()).collect();
    say(&format!("{}: {}, {}", source.name(), report::count(rows.len(), "row"), report::inputs(&input)));
    if let Some((folds, repetitions)) = cv {
        let (measured, seconds, mut watched) =
            cross_validate::<T>(args, recipe, source, &target, (folds, repetitions), &mut said)?;
        let figures = cross_validated(&measured, folds, repetitions);
        let mut object = json!({
            "task": target.task(), "rows": { "train": rows.len(), "test": 0 }, "cv": figures, "seconds": seconds,
            "epochs": null, "stopped": null, "train": null, "test": null, "baseline": null, "interval": null,
            "parameters_sha256": null,
        });
        if [&args.model, &args.plot, &args.diagram, &args.weights].iter().any(|path| path.is_some()) {
            let fitted = fit::<T>(args, recipe, source, &rows, "all rows  ", &mut said)?;
            write_outputs(args, &fitted)?;
            object["parameters_sha256"] = fitted.model.parameters_sha256().into();
            watched.extend(fitted.history.watched);
        }
        report::watched(&watched).iter().for_each(|line| say(line));
        object["watched"] = report::watched_json(&watched, args.watch_gradients);
        if args.json {
            report::print_json(&object)?;
        }
        return Ok(Outcome::Done);
    }

    let (training, test) = match args.test {
        0.0 => (rows, Vec::new()),
        share => {
            let mut classes = Vec::new();
            let strata = source.strata(&target, &rows, &recipe.parting, &mut classes)?;
            let part = split::hold_out(strata, share, &mut Rng::with_stream(args.seed, stream::SPLIT))?;
            (part.train, part.test)
        }
    };
    let started = Instant::now();
    let fitted = fit::<T>(args, recipe, source, &training, "", &mut said)?;
    let seconds = started.elapsed().as_secs_f64();
    let on_training = fitted.model.evaluate(source, &training)?;
    let on_test = if test.is_empty() { None } else { Some(fitted.model.evaluate(source, &test)?) };
    // The figures before the files: they are not lost where a disk is full.
    print_report(&fitted, &on_training, on_test.as_ref(), seconds);
    write_outputs(args, &fitted)?;
    if args.json {
        let mut object = describe(&fitted, &on_training, on_test.as_ref(), seconds, &target.task());
        object["watched"] = report::watched_json(&fitted.history.watched, args.watch_gradients);
        report::print_json(&object)?;
    }
    Ok(Outcome::Done)
}

/// The figures of each fold, the seconds that they took, and the gradients watched in all of them.
fn cross_validate<T: Float>(
    args: &Train,
    recipe: &Recipe,
    source: &Source,
    target: &deltarule::data::Target,
    (folds, repetitions): (usize, usize),
    said: &mut Said,
) -> Result<(Vec<Evaluation>, f64, Vec<Watched>)> {
    let rows: Vec<usize> = (0..source.rows()).collect();
    let mut classes = Vec::new();
    let strata = source.strata(target, &rows, &recipe.parting, &mut classes)?;
    // Each fold lists all rows, here or there.
    let indices = folds as u128 * rows.len() as u128;
    memory::require(
        &format!("{folds} folds of {}", report::count(rows.len(), "row")),
        indices * size_of::<usize>() as u128,
    )?;
    let mut rng = Rng::with_stream(args.seed, stream::SPLIT);
    let started = Instant::now();
    let (mut measured, mut watched) = (Vec::new(), Vec::new());
    // One repetition's folds at a time: a million of them would not fit into memory.
    for _ in 0..repetitions {
        for part in split::folds(strata, folds, 1, &mut rng)? {
            let prefix = format!("fold {}/{}  ", measured.len() + 1, folds.saturating_mul(repetitions));
            let fitted = fit::<T>(args, recipe, source, &part.train, &prefix, said)?;
            measured.push(fitted.model.evaluate(source, &part.test)?);
            watched.extend(fitted.history.watched);
        }
    }
    Ok((measured, started.elapsed().as_secs_f64(), watched))
}

/// The warnings that were given already: of many trainings on the same data, each says the same.
#[derive(Default)]
struct Said(HashSet<String>);

impl Said {
    fn warn(&mut self, warnings: &[Warning]) {
        for warning in warnings.iter().map(|warning| format!("warning: {warning}")) {
            if !self.0.contains(&warning) {
                say(&warning);
                self.0.insert(warning);
            }
        }
    }
}

fn fit<T: Float>(
    args: &Train,
    recipe: &Recipe,
    source: &Source,
    rows: &[usize],
    prefix: &str,
    said: &mut Said,
) -> Result<Fitted<T>> {
    let mut progress = Progress::start(args.epochs, prefix);
    let fitted = recipe.fit::<T>(source, rows, &mut |epoch| {
        progress.epoch(epoch);
        ControlFlow::Continue(())
    });
    progress.finish();
    let fitted = fitted?;
    said.warn(&fitted.warnings);
    Ok(fitted)
}

/// Refuses outputs that cannot be written before hours of training, not after.
fn check_outputs(args: &Train) -> Result<()> {
    let pictures: Vec<&Path> =
        [&args.plot, &args.diagram, &args.weights].into_iter().flatten().map(AsRef::as_ref).collect();
    pictures.iter().try_for_each(|path| picture::check_name(path))?;
    let outputs: Vec<&Path> = args.model.iter().map(AsRef::as_ref).chain(pictures).collect();
    let inputs: Vec<&Path> = args.reading.labels.iter().chain([&args.data]).map(AsRef::as_ref).collect();
    super::check_outputs(&outputs, &inputs, existing(args.force))?;
    if args.weights.is_some() && args.reading.labels.is_none() {
        return Err(Error::setting("--weights", "images (with --labels)", "a table"));
    }
    Ok(())
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
            objective: Objective { loss: Loss::default(), l1: args.l1, l2: args.l2 },
            learning_rate: args.rate.unwrap_or(default_rate),
            epochs: args.epochs,
            batch: args.batch,
            shuffle: true,
            seed: args.seed,
            stopping: Stopping { tolerance: args.tolerance, patience: args.patience, ..Stopping::default() },
            watch_gradients: args.watch_gradients,
            engine,
            threads,
            ..Trainer::default()
        },
        held_back: args.early_stopping,
        parting: Parting::Random,
    })
}

/// How rows are parted.
fn parting(args: &Train, cv: Option<(usize, usize)>) -> Result<Parting> {
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
fn parse_cv(text: &str) -> Result<(usize, usize)> {
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

fn write_outputs<T: Float + Into<f64>>(args: &Train, fitted: &Fitted<T>) -> Result<()> {
    let existing = existing(args.force);
    let write = |path: &Option<std::path::PathBuf>, text: &dyn Fn() -> Result<String>| match path {
        None => Ok(()),
        Some(path) => {
            file::write_whole(path, text()?.as_bytes(), existing)?;
            say(&format!("wrote {}", path.display()));
            Ok(())
        }
    };
    if let Some(path) = &args.model {
        fitted.model.save(path, existing)?;
        say(&format!("wrote {}", path.display()));
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
    say(&format!(
        "network {}, {} parameters; {}, {seconds:.2} s: {why}",
        widths.join("-"),
        spec.parameters(),
        report::count(history.training.len(), "epoch")
    ));
    if let (Some(first), Some(last)) = (history.training.first(), history.training.last()) {
        say(&format!("loss {first:.4} {} {last:.6}", spark(&history.training)));
    }
    report::watched(&history.watched).iter().for_each(|line| say(line));
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
    say(&format!("{folds} folds x {repetitions}: mean and standard error over {} trainings", measured.len()));
    for name in ["accuracy", "balanced_accuracy", "log_loss", "r2", "rmse", "mae"] {
        let figures = |of: &dyn Fn(&Evaluation) -> Option<f64>| measured.iter().map(of).collect::<Option<Vec<f64>>>();
        let Some(model) = figures(&|e| e.metrics.get(name)) else { continue };
        let baseline = figures(&|e| e.baseline.get(name)).unwrap_or_default();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let centre = mean(&model);
        let groups: Vec<f64> = if repetitions > 1 { model.chunks(folds).map(mean).collect() } else { model };
        let variance = groups.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (groups.len() - 1) as f64;
        let error = (variance / groups.len() as f64).sqrt();
        say(&format!("  {:<20}{centre:>9.4} +- {error:.4}   baseline {:.4}", name.replace('_', " "), mean(&baseline)));
        object[name] = json!({ "mean": centre, "standard_error": error, "baseline": mean(&baseline) });
    }
    object
}
