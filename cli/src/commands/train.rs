//! `deltarule train`: from a data file to a model, its pictures, and honest figures.

mod checkpoints;
mod course;
mod folds;
mod solver;

use super::{Outcome, existing, machine, widths};
use crate::args::{self, Dtype, Train};
use crate::input::{self, Target};
use crate::progress::Progress;
use crate::report::{self, EvaluationJson, say};
use crate::signals::Signals;
use deltarule::data::{ClassWeights, Missing, Task, Warning, features, split};
use deltarule::file::{self, Existing};
use deltarule::float::Float;
use deltarule::model::{Evaluation, Fitted, Recipe, Source, With};
use deltarule::network::noise::Noise;
use deltarule::picture::{self, spark::spark};
use deltarule::prelude::*;
use deltarule::rng::stream;
use deltarule::train::{Epoch, Stopped, Watched};
use deltarule::{Error, Result, memory};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

pub fn run(args: &Train) -> Result<Outcome> {
    check_outputs(args)?;
    let cv = args.cv.as_deref().map(folds::parse_cv).transpose()?;
    let parting = folds::parting(args, cv)?;
    let recipe = Recipe { parting, ..recipe(args)? };
    let target = match (&args.target, &args.reading.labels) {
        (Some(columns), _) => Target::Named(columns),
        (None, Some(_)) => Target::Unknown,
        (None, None) => Target::Missing,
    };
    let mut source = open(args, target, &recipe)?;
    if recipe.features.missing == Missing::Drop {
        let rows = source.rows();
        let dropped = source.drop_incomplete(&recipe.ignored())?;
        say(&format!("{dropped} of {} left out for missing cells", report::count(rows, "row")));
    }
    match dtype(args) {
        Dtype::F32 => train::<f32>(args, cv, &recipe, &source),
        Dtype::F64 => train::<f64>(args, cv, &recipe, &source),
    }
}

/// The type of the network's numbers: what was asked for, or what suits the solver.
fn dtype(args: &Train) -> Dtype {
    args.dtype.unwrap_or(if solver::is_least_squares(args.solver) { Dtype::F64 } else { Dtype::F32 })
}

/// Opens the data; their rows stay in the file if that was asked for, or if they would not fit into memory.
fn open(args: &Train, target: Target<'_>, recipe: &Recipe) -> Result<Source> {
    let steps = matches!(recipe.trainer.solver, Solver::Steps(_));
    if args.stream && !steps {
        let expected = "one that takes mini-batches with --stream, for others need all rows at once";
        return Err(Error::setting("--solver", expected, solver::name(args.solver)));
    }
    let bytes = if dtype(args) == Dtype::F32 { size_of::<f32>() } else { size_of::<f64>() };
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
    let rows = report::counted(source)?;
    say(&format!("{}: {}, {}", source.name(), report::count(rows.len(), "row"), report::inputs(&input)));
    if let Some((folds, repetitions)) = cv {
        let (measured, seconds, mut watched) =
            cross_validate::<T>(args, recipe, source, (&target, &rows), (folds, repetitions), &mut said)?;
        let figures = folds::cross_validated(&measured, folds, repetitions);
        let mut object = json!({
            "task": target.task(), "rows": { "train": rows.len(), "test": 0 }, "cv": figures, "seconds": seconds,
            "epochs": null, "stopped": null, "train": null, "test": null, "baseline": null, "interval": null,
            "parameters_sha256": null,
        });
        if !outputs(args).is_empty() {
            let fitted = fit::<T>(args, recipe, source, &rows, ("all rows  ", None), &mut said)?;
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
            let groups = source.groups(&target, &rows, &recipe.parting)?;
            let part = split::hold_out(groups.strata(), share, &mut Rng::with_stream(args.seed, stream::SPLIT))?;
            let part = part.among(&rows);
            (part.train, part.test)
        }
    };
    let started = Instant::now();
    let signals = Signals::listen()?;
    let fitted = fit::<T>(args, recipe, source, &training, ("", Some(&signals)), &mut said)?;
    let seconds = started.elapsed().as_secs_f64();
    let on_training = fitted.model.evaluate(source, &training)?;
    let on_test = if test.is_empty() { None } else { Some(fitted.model.evaluate(source, &test)?) };
    // The figures before the files: they are not lost where a disk is full.
    print_report(&fitted, &on_training, on_test.as_ref(), seconds);
    write_outputs(args, &fitted)?;
    if args.json {
        let mut object = describe(&fitted, &on_training, on_test.as_ref(), seconds, &target.task());
        object["watched"] = report::watched_json(&fitted.history.watched, args.watch_gradients);
        if let Some(found) = fitted.history.regularisation.last() {
            object["regularisation"] = json!(found);
        }
        report::print_json(&object)?;
    }
    // Also where the signal came after the last step: whoever sent it wants nothing to follow.
    Ok(signals.exit_code().map_or(Outcome::Done, Outcome::Interrupted))
}

/// The figures of each fold, the seconds that they took, and the gradients watched in all of them.
fn cross_validate<T: Float>(
    args: &Train,
    recipe: &Recipe,
    source: &Source,
    (target, rows): (&deltarule::data::Target, &[usize]),
    (folds, repetitions): (usize, usize),
    said: &mut Said,
) -> Result<(Vec<Evaluation>, f64, Vec<Watched>)> {
    let groups = source.groups(target, rows, &recipe.parting)?;
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
        for part in split::folds(groups.strata(), folds, 1, &mut rng)? {
            let part = part.among(rows);
            let prefix = format!("fold {}/{}  ", measured.len() + 1, folds.saturating_mul(repetitions));
            let fitted = fit::<T>(args, recipe, source, &part.train, (&prefix, None), said)?;
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
    (prefix, signals): (&str, Option<&Signals>),
    said: &mut Said,
) -> Result<Fitted<T>> {
    let mut progress = Progress::start(args.epochs, prefix);
    let mut observe = |epoch: &Epoch<'_>| {
        progress.epoch(epoch);
        ControlFlow::Continue(())
    };
    let mut told = |start| checkpoints::say_start(&args.checkpoints, start);
    let with = With {
        observe: Some(&mut observe),
        interrupt: signals.map(Signals::asked),
        // A fold has no state of its own.
        checkpoint: signals.and_then(|_| checkpoints::of(args, &mut told)),
    };
    let fitted = recipe.fit_with::<T>(source, rows, with);
    progress.finish();
    let fitted = fitted?;
    checkpoints::say_end(&args.checkpoints, fitted.history.stopped);
    said.warn(&fitted.warnings);
    Ok(fitted)
}

/// The files that are made of a model and its training.
fn outputs(args: &Train) -> Vec<&Path> {
    let files = [&args.model, &args.course.history, &args.plot, &args.diagram, &args.weights];
    files.into_iter().flatten().map(AsRef::as_ref).collect()
}

/// Refuses outputs that cannot be written before hours of training, not after.
fn check_outputs(args: &Train) -> Result<()> {
    let pictures = [&args.plot, &args.diagram, &args.weights];
    pictures.into_iter().flatten().try_for_each(|path| picture::check_name(path))?;
    let outputs = outputs(args);
    let inputs: Vec<&Path> = args.reading.labels.iter().chain([&args.data]).map(AsRef::as_ref).collect();
    super::check_outputs(&outputs, &inputs, existing(args.force))?;
    if let Some(path) = &args.checkpoints.checkpoint {
        checkpoints::check(args, path)?;
        let outputs: Vec<&Path> = outputs.into_iter().chain([path.as_ref()]).collect();
        super::check_outputs(&outputs, &inputs, Existing::Replace)?;
    }
    if args.weights.is_some() && args.reading.labels.is_none() {
        return Err(Error::setting("--weights", "images (with --labels)", "a table"));
    }
    Ok(())
}

/// The library's recipe for these flags.
fn recipe(args: &Train) -> Result<Recipe> {
    solver::check_options(args)?;
    let (engine, threads) = machine(&args.machine)?;
    let (solver, default_rate) = solver::of(args.solver, &args.constants)?;
    let hidden = if args.solver == args::Solver::Perceptron { Vec::new() } else { widths("--hidden", &args.hidden)? };
    let activations = args.activation.split(',').map(Activation::parse).collect::<Result<Vec<_>>>()?;
    let parse = |name: &Option<String>| name.as_deref().map(Activation::parse).transpose();
    let mut recipe = Recipe {
        task: args.task.map(|task| match task {
            args::Task::Classify => Task::Classify,
            args::Task::Regress => Task::Regress,
        }),
        hidden,
        norm: match args.norm {
            args::Norm::None => Norm::None,
            args::Norm::Layer => Norm::Layer,
            args::Norm::Batch => Norm::Batch,
        },
        output: parse(&args.output_activation)?,
        loss: args.loss.as_deref().map(Loss::parse).transpose()?,
        init: solver::init(args, &activations)?,
        activations,
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
            batch: args.batch.unwrap_or(solver::BATCH),
            shuffle: true,
            seed: args.seed,
            stopping: Stopping { tolerance: args.tolerance, patience: args.patience, ..Stopping::default() },
            noise: Noise {
                dropout: args.dropout.clone(),
                input_dropout: args.input_dropout,
                input_noise: args.input_noise,
            },
            max_norm: args.max_norm,
            watch_gradients: args.watch_gradients,
            engine,
            threads,
            ..Trainer::default()
        },
        held_back: args.early_stopping,
        label_smoothing: args.label_smoothing,
        class_weights: args.class_weight.as_deref().map(ClassWeights::parse).transpose()?,
        ..Recipe::default()
    };
    course::apply(&args.course, &mut recipe)?;
    Ok(recipe)
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
    write(&args.course.history, &|| Ok(course::history(fitted)))?;
    write(&args.plot, &|| Ok(fitted.curve_svg()))?;
    write(&args.diagram, &|| fitted.model.diagram_svg())?;
    write(&args.weights, &|| fitted.model.weights_svg())
}

fn print_report<T: Float>(fitted: &Fitted<T>, training: &Evaluation, test: Option<&Evaluation>, seconds: f64) {
    let (history, spec) = (&fitted.history, fitted.model.network.spec());
    let why = match history.stopped {
        Stopped::Epochs => "all epochs used",
        Stopped::TrainingStalled => "the training loss no longer falls",
        Stopped::ValidationStalled => "what is watched on the rows held back no longer improves",
        Stopped::TargetReached => "the target loss is reached",
        Stopped::TimeUp => "the time is over",
        Stopped::Interrupted => "interrupted",
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
    if !judged.targets.is_empty() {
        object["targets"] = json!(judged.targets);
    }
    object
}
