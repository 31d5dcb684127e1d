//! `deltarule train`: from a data file to a model, its pictures, and honest figures.

mod begin;
mod checkpoints;
mod course;
mod folds;
mod rates;
mod solver;
mod summary;

use super::{AnyModel, Outcome, existing, machine, widths, with_model};
use crate::args::{self, Dtype, Train};
use crate::input::Target;
use crate::progress::Progress;
use crate::report::{self, say};
use crate::signals::Signals;
use deltarule::data::{ClassWeights, Missing, Task, Warning, features, split};
use deltarule::file::{self, Existing};
use deltarule::float::Float;
use deltarule::model::{Evaluation, Fitted, Model, Recipe, Source, Validation, With};
use deltarule::network::noise::Noise;
use deltarule::picture;
use deltarule::prelude::*;
use deltarule::rng::stream;
use deltarule::train::{Epoch, RateRange, Watched};
use deltarule::{Error, Result, memory};
use serde_json::json;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

pub fn run(args: &Train) -> Result<Outcome> {
    check_outputs(args)?;
    let cv = args.cv.as_deref().map(folds::parse_cv).transpose()?;
    let parting = folds::parting(args, cv)?;
    let start = args.warm_start.as_deref().map(AnyModel::load).transpose()?;
    let dtype = begin::dtype(args, start.as_ref())?;
    let base = start.as_ref().map_or_else(Recipe::default, |any| with_model!(any, model => Recipe::of(model)));
    let recipe = Recipe { parting, ..recipe(args, base)? };
    let range = rates::range(args, &recipe)?;
    let known = start.as_ref().map(|any| with_model!(any, model => (model.input.clone(), model.target.clone())));
    let names = known.as_ref().map_or(Vec::new(), |(_, target)| target.names());
    let target = match (&args.target, &known, &args.reading.labels) {
        (Some(columns), _, _) => Target::Named(columns),
        (None, Some((input, _)), _) => Target::of_model(input, &names),
        (None, None, Some(_)) => Target::Unknown,
        (None, None, None) => Target::Missing,
    };
    let mut source = begin::open(args, target, &recipe, dtype)?;
    if recipe.features.missing == Missing::Drop {
        let ignored = known.as_ref().map_or_else(|| recipe.ignored(), |(input, _)| begin::unused(&source, input));
        begin::drop_incomplete(&mut source, &ignored)?;
    }
    match (start, dtype) {
        (Some(AnyModel::F32(model)), _) => train::<f32>(args, (cv, range), &recipe, &source, Some(&model)),
        (Some(AnyModel::F64(model)), _) => train::<f64>(args, (cv, range), &recipe, &source, Some(&model)),
        (None, Dtype::F32) => train::<f32>(args, (cv, range), &recipe, &source, None),
        (None, Dtype::F64) => train::<f64>(args, (cv, range), &recipe, &source, None),
    }
}

/// Trains, measures, reports and writes.
fn train<T: Float + Into<f64>>(
    args: &Train,
    (cv, range): (Option<(usize, usize)>, Option<RateRange>),
    recipe: &Recipe,
    source: &Source,
    start: Option<&Model<T>>,
) -> Result<Outcome> {
    // Once over all rows, for the split's strata; each training does it again, and says the same.
    let (input, target, warnings) = match start {
        None => recipe.infer(source)?,
        Some(model) => (model.input.clone(), model.target.clone(), Vec::new()),
    };
    // Guessed once.
    let recipe = &Recipe { task: recipe.task.or(Some(target.task())), ..recipe.clone() };
    let mut said = Said::default();
    said.warn(&warnings);
    let rows = report::counted(source)?;
    say(&format!("{}: {}, {}", source.name(), report::count(rows.len(), "row"), report::inputs(&input)));
    let validation = begin::validation(args, recipe, &input, &target)?;
    if let (Some(path), Some(model)) = (&args.warm_start, start) {
        let epochs = report::count(model.provenance.epochs, "epoch");
        say(&format!("going on with {}, which was trained for {epochs}", path.display()));
    }
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
            let fitted = fit::<T>(args, (recipe, None), (source, &rows), None, ("all rows  ", None), &mut said)?;
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
    if let Some(range) = range {
        rates::run::<T>(args, (recipe, range), (source, &training), &signals, |warnings| said.warn(warnings))?;
        return Ok(signals.exit_code().map_or(Outcome::Done, Outcome::Interrupted));
    }
    let judging = validation.as_ref().map(|(source, rows)| Validation { source, rows });
    let fitted = fit(args, (recipe, start), (source, &training), judging, ("", Some(&signals)), &mut said)?;
    let seconds = started.elapsed().as_secs_f64();
    let on_training = fitted.model.evaluate(source, &training)?;
    let on_test = if test.is_empty() { None } else { Some(fitted.model.evaluate(source, &test)?) };
    // The figures before the files: they are not lost where a disk is full.
    summary::print(&fitted, &on_training, on_test.as_ref(), seconds);
    write_outputs(args, &fitted)?;
    if args.json {
        let mut object = summary::json(&fitted, &on_training, on_test.as_ref(), seconds, &target.task());
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
            let fitted = fit::<T>(args, (recipe, None), (source, &part.train), None, (&prefix, None), said)?;
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
    (recipe, start): (&Recipe, Option<&Model<T>>),
    (source, rows): (&Source, &[usize]),
    validation: Option<Validation<'_>>,
    (prefix, signals): (&str, Option<&Signals>),
    said: &mut Said,
) -> Result<Fitted<T>> {
    let recipe = solver::suit(args, recipe, rows.len());
    let epochs = recipe.trainer.epochs;
    if recipe.trainer.warm_up > epochs {
        return Err(Error::setting("--warm-up", format!("at most {epochs}, the epochs"), recipe.trainer.warm_up));
    }
    let mut progress = Progress::start(recipe.trainer.epochs, prefix);
    let mut observe = |epoch: &Epoch<'_>| {
        progress.epoch(epoch);
        ControlFlow::Continue(())
    };
    let mut told = |start| checkpoints::say_start(&args.checkpoints, start);
    let with = With {
        validation,
        observe: Some(&mut observe),
        interrupt: signals.map(Signals::asked),
        // A fold has no state of its own.
        checkpoint: signals.and_then(|_| checkpoints::of(args, &mut told)),
    };
    let fitted = match start {
        None => recipe.fit_with::<T>(source, rows, with),
        Some(model) => recipe.fit_from(model, source, rows, with),
    };
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
    let others = [&args.reading.labels, &args.validation, &args.validation_labels, &args.warm_start];
    let inputs: Vec<&Path> = others.into_iter().flatten().chain([&args.data]).map(AsRef::as_ref).collect();
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

/// The library's recipe for these flags; what they leave open is that of `base`.
fn recipe(args: &Train, base: Recipe) -> Result<Recipe> {
    solver::check_options(args)?;
    let (engine, threads) = machine(&args.machine)?;
    let (solver, default_rate) = solver::of(args.solver, &args.constants)?;
    let hidden = match &args.hidden {
        _ if args.solver == args::Solver::Perceptron => Vec::new(),
        Some(hidden) => widths("--hidden", hidden)?,
        None => base.hidden,
    };
    let activations = match &args.activation {
        Some(names) => names.split(',').map(Activation::parse).collect::<Result<Vec<_>>>()?,
        None if args.warm_start.is_none() && solver::is_least_squares(args.solver) => vec![Activation::Tanh],
        // One is for all; as many as a model to go on with has hidden layers are for no other number.
        None if [1, hidden.len()].contains(&base.activations.len()) => base.activations,
        None => vec![Activation::Relu],
    };
    let parse = |name: &Option<String>| name.as_deref().map(Activation::parse).transpose();
    let mut recipe = Recipe {
        task: (args.task.map(|task| match task {
            args::Task::Classify => Task::Classify,
            args::Task::Regress => Task::Regress,
        }))
        .or(base.task),
        hidden,
        norm: match args.norm {
            Some(args::Norm::None) => Norm::None,
            Some(args::Norm::Layer) => Norm::Layer,
            Some(args::Norm::Batch) => Norm::Batch,
            None => base.norm,
        },
        output: parse(&args.output_activation)?.or(base.output),
        loss: args.loss.as_deref().map(Loss::parse).transpose()?.or(base.loss),
        init: if args.warm_start.is_some() { None } else { solver::init(args, &activations)? },
        activations,
        features: features::Options {
            categorical: args.categorical.clone(),
            ignore: args.ignore.clone(),
            missing: match args.missing {
                Some(args::Missing::Error) => Missing::Error,
                Some(args::Missing::Mean) => Missing::Mean,
                Some(args::Missing::Drop) => Missing::Drop,
                None => base.features.missing,
            },
        },
        standardise: args.standardise.unwrap_or(true),
        trainer: Trainer {
            solver,
            objective: Objective { loss: Loss::default(), l1: args.l1, l2: args.l2.unwrap_or(0.0) },
            learning_rate: args.rate.unwrap_or(default_rate),
            epochs: args.epochs.unwrap_or(Trainer::default().epochs),
            batch: args.batch.unwrap_or(Trainer::default().batch),
            shuffle: true,
            seed: args.seed,
            stopping: Stopping {
                tolerance: args.tolerance.unwrap_or(Stopping::default().tolerance),
                patience: args.patience.unwrap_or(Stopping::default().patience),
                ..Stopping::default()
            },
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
