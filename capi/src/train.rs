//! Training by the library's solvers.

use crate::abi::{self, Batch as Rows, Epoch, History, Stopped, Threads, TrainOptions};
use crate::border::{Call, In, Out, Plain, User, export};
use crate::network::{self, Real};
use crate::status::{Failure, Outcome, flag, usage};
use crate::threads::pool;
use crate::workspace::{Parts, objective, parts};
use deltarule::data::split::{Strata, hold_out};
use deltarule::engine::{Backend, Engine};
use deltarule::network::objective::Batch;
use deltarule::optim::{levenberg_marquardt, rprop};
use deltarule::prelude::{Method, Network, Noise, Rng, Schedule, Solver, Stopping, Trainer};
use deltarule::rng::stream;
use deltarule::simd::Isa;
use deltarule::train::{self, Averaging, Clip, Run};
use deltarule::{Error, memory};
use ndarray::{Array2, ArrayView2, Axis};
use std::ops::ControlFlow;
use std::slice;
use std::time::Duration;

/// The library's own defaults.
fn defaults() -> TrainOptions {
    let trainer = <Trainer>::default();
    TrainOptions {
        size: size_of::<TrainOptions>(),
        loss: In::NULL,
        solver: In::NULL,
        schedule: In::NULL,
        gemm: In::NULL,
        learning_rate: 0.0,
        l1: 0.0,
        l2: 0.0,
        epochs: trainer.epochs,
        batch: trainer.batch,
        shuffle: i32::from(trainer.shuffle),
        reserved: 0,
        seed: trainer.seed,
        validation_share: 0.0,
        patience: trainer.stopping.patience,
        tolerance: trainer.stopping.tolerance,
        target_loss: f64::NAN,
        time_limit: 0.0,
        warm_up: trainer.warm_up,
        clip_norm: 0.0,
        max_norm: 0.0,
        dropout: 0.0,
        input_dropout: 0.0,
        input_noise: 0.0,
        average_decay: 0.0,
        watch_gradients: 0,
        threads: Threads { id: 0 },
        on_epoch: None,
        user: User::NULL,
    }
}

/// The solvers that look at all rows.
const WHOLE: [&str; 6] = ["lbfgs", "rprop", "scg", "levenberg_marquardt", "bayes", "perceptron"];

/// A constant that stands for yes or no.
fn switch(name: &str, value: f64) -> Result<bool, Failure> {
    match value {
        0.0 => Ok(false),
        1.0 => Ok(true),
        _ => Err(usage(name, "0 or 1", value)),
    }
}

/// Reads `adam` or `sgd:momentum=0.8,nesterov=0`.
fn solver(text: &str) -> Result<Solver, Failure> {
    let (name, constants) = text.split_once(':').unwrap_or((text, ""));
    let whole = match name {
        "lbfgs" => Some(Solver::Lbfgs),
        "rprop" => Some(Solver::Rprop(rprop::Options::default())),
        "scg" => Some(Solver::Scg),
        "levenberg_marquardt" | "lm" => Some(Solver::LevenbergMarquardt(levenberg_marquardt::Options::default())),
        "bayes" => Some(Solver::Bayes(levenberg_marquardt::Options::default())),
        "perceptron" => Some(Solver::Perceptron),
        _ => None,
    };
    if let Some(whole) = whole {
        return if constants.is_empty() {
            Ok(whole)
        } else {
            Err(usage("solver", format!("{name} alone"), format!("'{text}'")))
        };
    }
    let mut method = Method::parse(name).map_err(|_| {
        usage("solver", format!("{} or {}", Method::NAMES.join(", "), WHOLE.join(", ")), format!("'{name}'"))
    })?;
    for constant in constants.split(',').filter(|constant| !constant.is_empty()) {
        let pair =
            constant.split_once('=').and_then(|(key, value)| Some((key.trim(), value.trim().parse::<f64>().ok()?)));
        let Some((key, value)) = pair else {
            return Err(usage("solver", format!("{name}:constant=number,..."), format!("'{text}'")));
        };
        method = match (key, method) {
            ("nesterov", Method::Sgd { momentum, .. }) => Method::Sgd { momentum, nesterov: switch(key, value)? },
            ("centered", Method::RmsProp { rho, epsilon, momentum, .. }) => {
                Method::RmsProp { rho, epsilon, momentum, centered: switch(key, value)? }
            }
            (key, method) => method.with(key, value)?,
        };
    }
    Ok(Solver::Steps(method))
}

/// A setting that is none where it is 0.
fn unless_zero(name: &str, value: f64) -> Result<Option<f64>, Failure> {
    match value {
        0.0 => Ok(None),
        value if value.is_finite() && value > 0.0 => Ok(Some(value)),
        value => Err(usage(name, "a finite number of at least 0", value)),
    }
}

/// The library's trainer of these options.
fn trainer(call: &Call, options: &TrainOptions) -> Result<Trainer, Failure> {
    let solver = solver(call.optional_text("options.solver", options.solver)?.unwrap_or("adam"))?;
    let default_rate = if let Solver::Steps(method) = solver { method.default_rate() } else { 0.001 };
    let schedule = call.optional_text("options.schedule", options.schedule)?.map(Schedule::parse).transpose()?;
    let backend = call.optional_text("options.gemm", options.gemm)?.map(Backend::parse).transpose()?;
    let time_limit = unless_zero("time_limit", options.time_limit)?
        .map(|seconds| Duration::try_from_secs_f64(seconds).map_err(|e| usage("time_limit", "seconds", e)));
    let dropout = unless_zero("dropout", options.dropout)?;
    Ok(Trainer {
        solver,
        objective: objective(network::loss(call, options.loss)?, options.l1, options.l2)?,
        learning_rate: unless_zero("learning_rate", options.learning_rate)?.unwrap_or(default_rate),
        schedule: schedule.unwrap_or(Schedule::Constant),
        warm_up: options.warm_up,
        clip: unless_zero("clip_norm", options.clip_norm)?.map(Clip::Norm),
        averaging: unless_zero("average_decay", options.average_decay)?.map(|decay| Averaging::Exponential { decay }),
        epochs: options.epochs,
        batch: options.batch,
        shuffle: flag("shuffle", options.shuffle)?,
        seed: options.seed,
        stopping: Stopping {
            tolerance: options.tolerance,
            patience: if options.patience == 0 { usize::MAX } else { options.patience },
            target_loss: (!options.target_loss.is_nan()).then_some(options.target_loss),
            time_limit: time_limit.transpose()?,
            ..Stopping::default()
        },
        noise: Noise {
            dropout: dropout.into_iter().collect(),
            input_dropout: options.input_dropout,
            input_noise: options.input_noise,
        },
        max_norm: unless_zero("max_norm", options.max_norm)?,
        watch_gradients: (options.watch_gradients > 0).then_some(options.watch_gradients),
        engine: Engine::new(Isa::current(), backend.unwrap_or_default())?,
        threads: pool(options.threads)?,
    })
}

/// Rows of the library's own: a copy, without gaps.
struct Owned<T> {
    x: Array2<T>,
    y: Array2<T>,
    weights: Option<Vec<T>>,
}

impl<T: Real> Owned<T> {
    fn of(parts: &Parts<'_, T>, rows: &[usize]) -> Result<Self, Failure> {
        let numbers = rows.len() as u128 * (parts.x.ncols() + parts.y.ncols() + 1) as u128;
        memory::require("a copy of the rows", numbers * size_of::<T>() as u128)?;
        Ok(Self {
            x: parts.x.select(Axis(0), rows),
            y: parts.y.select(Axis(0), rows),
            weights: parts.weights.map(|weights| rows.iter().map(|&row| weights[row]).collect()),
        })
    }

    fn batch(&self) -> Batch<'_, T> {
        Batch { x: self.x.view(), y: self.y.view(), weights: self.weights.as_deref() }
    }
}

/// Rows where they are, or a copy of those with gaps.
enum Packed<'c, T> {
    Borrowed(Parts<'c, T>),
    Owned(Owned<T>),
}

impl<'c, T: Real> Packed<'c, T> {
    fn of(parts: Parts<'c, T>) -> Result<Self, Failure> {
        let is_packed = |view: &ArrayView2<'_, T>| view.is_standard_layout();
        if is_packed(&parts.x) && is_packed(&parts.y) {
            return Ok(Self::Borrowed(parts));
        }
        let all: Vec<usize> = (0..parts.x.nrows()).collect();
        Owned::of(&parts, &all).map(Self::Owned)
    }

    fn batch(&self) -> Batch<'_, T> {
        match self {
            Self::Borrowed(parts) => Batch { x: parts.x.view(), y: parts.y.view(), weights: parts.weights },
            Self::Owned(owned) => owned.batch(),
        }
    }
}

fn stopped(stopped: train::Stopped) -> Stopped {
    match stopped {
        train::Stopped::Epochs => Stopped::Epochs,
        train::Stopped::TrainingStalled => Stopped::TrainingStalled,
        train::Stopped::ValidationStalled => Stopped::ValidationStalled,
        train::Stopped::TargetReached => Stopped::TargetReached,
        train::Stopped::TimeUp => Stopped::TimeUp,
        train::Stopped::Interrupted => Stopped::Interrupted,
        train::Stopped::Converged => Stopped::Converged,
        train::Stopped::LineSearch => Stopped::LineSearch,
        train::Stopped::NotFinite => Stopped::NotFinite,
        train::Stopped::Observer => Stopped::Callback,
        _ => Stopped::Other,
    }
}

fn train<T: Real>(
    call: &Call,
    handle: abi::Network,
    training: In<Rows<T>>,
    held_back: In<Rows<T>>,
    options: In<TrainOptions>,
    history: Out<History>,
) -> Outcome
where
    Rows<T>: Plain,
{
    let options = call.options("options", options, defaults())?;
    let shared = network::shared::<T>(handle)?;
    let spec = shared.spec();
    let names = ["training", "training.inputs", "training.outputs", "training.x", "training.y", "training.weights"];
    let training = parts(call, names, training, spec)?;
    let names =
        ["held_back", "held_back.inputs", "held_back.outputs", "held_back.x", "held_back.y", "held_back.weights"];
    let held_back = if held_back.is_null() { None } else { Some(parts(call, names, held_back, spec)?) };
    let trainer = trainer(call, &options)?;
    let history = call.optional_report("history", history)?;
    let (training, held_back) = match (unless_zero("validation_share", options.validation_share)?, held_back) {
        (Some(_), Some(_)) => {
            return Err(usage("validation_share", "0, where rows are held back already", options.validation_share));
        }
        (Some(share), None) => {
            let split = hold_out(
                Strata::None(training.x.nrows()),
                share,
                &mut Rng::with_stream(options.seed, stream::SPLIT + 1),
            )?;
            (
                Packed::Owned(Owned::of(&training, &split.train)?),
                Some(Packed::Owned(Owned::of(&training, &split.test)?)),
            )
        }
        (None, held_back) => (Packed::of(training)?, held_back.map(Packed::of).transpose()?),
    };
    let now = shared.now();
    memory::require("a copy of the network", size_of_val(now.state()) as u128)?;
    let mut network = Network::clone(&now);
    drop(now);
    let mut observe = |epoch: &train::Epoch<'_>| {
        let told = Epoch {
            size: size_of::<Epoch>(),
            number: epoch.number,
            training_loss: epoch.training,
            validation_loss: epoch.validation.unwrap_or(f64::NAN),
            learning_rate: epoch.rate,
        };
        match options.on_epoch.map(|on_epoch| on_epoch(In::of(slice::from_ref(&told)), options.user)) {
            None | Some(0) => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        }
    };
    let run = Run { held_back: held_back.as_ref().map(Packed::batch), observe: Some(&mut observe), ..Run::default() };
    let result = trainer.run(&mut network, training.batch(), run);
    // The network holds the parameters of the last good epoch.
    if matches!(result, Ok(_) | Err(Error::Diverged { .. } | Error::Check(_))) {
        shared.put(network);
    }
    let found = result?;
    history.set(History {
        size: 0,
        epochs: found.training.len(),
        kept: found.kept,
        training_loss: found.training.last().copied().unwrap_or(f64::NAN),
        validation_loss: found.validation.iter().copied().fold(f64::NAN, f64::min),
        stopped: stopped(found.stopped) as i32,
        reserved: 0,
    });
    Ok(())
}

export! {
    /// Sets `options` to the library's defaults: Adam at its own rate on the squared error, 200 epochs of batches of 200 rows, until the
    /// loss no longer falls for 10. `size` is sizeof(deltarule_train_options) as the caller's header has it.
    fn deltarule_train_options_init(call, options: Out<TrainOptions>, size: usize) {
        call.begin_report("options", options, size)?.set(defaults());
        Ok(())
    }

    /// Trains a network on the rows of `training`. `held_back` (or null) are rows that judge it: the training ends when their loss stalls,
    /// and the best parameters are kept. `options` may be null, for the defaults; `history` too.
    ///
    /// The training works on a copy, which is put in the network's place at its end: threads that read meanwhile see the old parameters,
    /// and what others write meanwhile is lost. After DELTARULE_STATUS_DIVERGED or _CHECK the network holds the parameters of the last good
    /// epoch, after any other error the old ones. Numbers that are not finite, and targets that the loss has no meaning for, are refused.
    /// The same bits for any number of threads.
    fn deltarule_train_f32 | deltarule_train_f64 <T>(
        call, network: abi::Network, training: In<Rows<T>>, held_back: In<Rows<T>>, options: In<TrainOptions>, history: Out<History>,
    ) {
        train(call, network, training, held_back, options, history)
    }
}
