//! The settings of a training, as Python hands them over, and the library's trainer that they make.

use crate::measure::Score;
use deltarule::data::target::Target;
use deltarule::float::Float;
use deltarule::optim::{levenberg_marquardt, rprop};
use deltarule::prelude::*;
use deltarule::simd::Isa;
use deltarule::train::{Averaging, Clip};
use deltarule::{Error, Result};
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// Every setting by name: the estimators fill in all of them.
#[derive(FromPyObject, Debug)]
#[pyo3(from_item_all)]
pub struct Settings {
    solver: String,
    /// The solver's constants: `beta1`, `momentum`, …
    constants: BTreeMap<String, f64>,
    nesterov: bool,
    loss: String,
    l1: f64,
    l2: f64,
    learning_rate: f64,
    schedule: String,
    warm_up: usize,
    clip_norm: Option<f64>,
    clip_value: Option<f64>,
    ema: Option<f64>,
    swa: Option<usize>,
    pub epochs: usize,
    batch: usize,
    shuffle: bool,
    pub seed: u64,
    tolerance: f64,
    /// None: never stop for want of progress.
    patience: Option<usize>,
    monitor: Option<String>,
    target_loss: Option<f64>,
    time_limit: Option<f64>,
    gradient_tolerance: Option<f64>,
    function_tolerance: Option<f64>,
    max_evaluations: Option<usize>,
    dropout: Vec<f64>,
    input_dropout: f64,
    input_noise: f64,
    max_norm: Option<f64>,
    watch_gradients: Option<usize>,
    gemm: String,
    threads: usize,
    /// `classes`, `labels` or `numbers`.
    pub target: String,
    /// The names of the classes, labels or numbers.
    pub target_names: Vec<String>,
}

impl Settings {
    fn solver(&self) -> Result<Solver> {
        let without = |solver: Solver| match self.constants.keys().next() {
            None => Ok(solver),
            Some(name) => Err(Error::Unsupported(format!("{name} has no meaning for {}", self.solver))),
        };
        match &*self.solver {
            "lbfgs" => without(Solver::Lbfgs),
            "rprop" => without(Solver::Rprop(rprop::Options::default())),
            "scg" => without(Solver::Scg),
            "lm" => without(Solver::LevenbergMarquardt(levenberg_marquardt::Options::default())),
            "bayes" => without(Solver::Bayes(levenberg_marquardt::Options::default())),
            "perceptron" => without(Solver::Perceptron),
            name => {
                let mut method = Method::parse(name)?;
                for (name, value) in &self.constants {
                    method = method.with(name, *value)?;
                }
                if let Method::Sgd { momentum, nesterov } = &mut method {
                    // Without momentum there is nothing to look ahead along.
                    *nesterov = self.nesterov && *momentum > 0.0;
                }
                Ok(Solver::Steps(method))
            }
        }
    }

    /// The trainer. `judged`: whether rows are held back, for then their figure may be monitored.
    pub fn trainer<T: Float>(&self, target: &Target, judged: bool) -> Result<Trainer> {
        let mut stopping = Stopping {
            tolerance: self.tolerance,
            is_absolute: true,
            patience: self.patience.unwrap_or(usize::MAX),
            target_loss: self.target_loss,
            time_limit: self
                .time_limit
                .map(Duration::try_from_secs_f64)
                .transpose()
                .map_err(|error| Error::setting("time_limit", "seconds of at least 0", error))?,
            gradient_tolerance: self.gradient_tolerance,
            function_tolerance: self.function_tolerance,
            max_evaluations: self.max_evaluations,
            ..Stopping::default()
        };
        if let (true, Some(name)) = (judged, &self.monitor) {
            stopping.monitor = Score::<T>::monitor(target, name)?;
        }
        let clip = match (self.clip_norm, self.clip_value) {
            (Some(_), Some(_)) => {
                return Err(Error::Unsupported("clip_norm and clip_value together: one of them".into()));
            }
            (Some(norm), None) => Some(Clip::Norm(norm)),
            (None, value) => value.map(Clip::Value),
        };
        let averaging = match (self.ema, self.swa) {
            (Some(_), Some(_)) => return Err(Error::Unsupported("ema and swa together: one of them".into())),
            (Some(decay), None) => Some(Averaging::Exponential { decay }),
            (None, from) => from.map(|from| Averaging::Uniform { from }),
        };
        Ok(Trainer {
            solver: self.solver()?,
            objective: Objective { loss: Loss::parse(&self.loss)?, l1: self.l1, l2: self.l2 },
            learning_rate: self.learning_rate,
            schedule: Schedule::parse(&self.schedule)?,
            warm_up: self.warm_up,
            clip,
            averaging,
            epochs: self.epochs,
            batch: self.batch,
            shuffle: self.shuffle,
            seed: self.seed,
            stopping,
            noise: Noise {
                dropout: self.dropout.clone(),
                input_dropout: self.input_dropout,
                input_noise: self.input_noise,
            },
            max_norm: self.max_norm,
            watch_gradients: self.watch_gradients,
            engine: Engine::new(Isa::current(), Backend::parse(&self.gemm)?)?,
            threads: threads(self.threads)?,
        })
    }
}

/// One thread alone has no pool.
pub fn threads(count: usize) -> Result<Threads> {
    if count == 1 { Ok(Threads::one()) } else { Threads::new(count) }
}
