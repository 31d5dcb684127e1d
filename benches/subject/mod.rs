//! A network, its rows and what is repeated on them: a training step, a gradient, an epoch, a prediction. What the benches of steps
//! time, `instructions` counts, and `peer_steps` serves.
//!
//! Begin reading at [`Subject::step`]: what stands from there to [`Subject::once`] is all that is measured.

use deltarule::optim::Optimizer;
use deltarule::prelude::*;
use deltarule::train::Stopping;
use ndarray::Array2;
use serde::Deserialize;
use std::hint::black_box;
use std::ops::ControlFlow;

/// A network, its rows, and all that a step needs.
pub struct Subject<T> {
    pub work: Work,
    pub net: Network<T>,
    start: Vec<T>,
    x: Array2<T>,
    y: Array2<T>,
    pub trainer: Trainer,
    method: Method,
    workspace: Workspace<T>,
    predictor: Predictor<T>,
    optimizer: Optimizer<T>,
    pub gradient: Vec<T>,
    pub outputs: Array2<T>,
}

impl<T: Float> Subject<T> {
    /// One step of training on all rows; the loss before it.
    pub fn step(&mut self) -> f64 {
        let loss = self.gradient();
        let Trainer { engine, threads, learning_rate, .. } = &self.trainer;
        let params = self.net.params_mut();
        if threads.count() == 1 {
            self.optimizer.step(engine.isa(), *learning_rate, &self.gradient, params);
        } else {
            self.optimizer.step_checked(threads, engine.isa(), *learning_rate, &self.gradient, params);
        }
        loss
    }

    /// The loss, and its gradient.
    pub fn gradient(&mut self) -> f64 {
        let batch = Batch { x: black_box(self.x.view()), y: self.y.view(), weights: None };
        let (spec, params) = (self.net.spec(), self.net.params());
        let objective = &self.trainer.objective;
        pass::value_and_gradient(spec, params, batch, objective, &mut self.workspace, &mut self.gradient)
            .expect("shapes that the job gave")
            .loss
    }

    /// The outputs for all rows.
    pub fn predict(&mut self) -> f64 {
        let (x, out) = (black_box(self.x.view()), black_box(self.outputs.view_mut()));
        self.predictor.predict_into(x, out).expect("shapes that the job gave");
        0.0
    }

    /// One epoch of mini-batches, in the order of the rows; the mean loss meanwhile.
    pub fn epoch(&mut self) -> f64 {
        let batch = Batch { x: self.x.view(), y: self.y.view(), weights: None };
        let history = self.trainer.fit(&mut self.net, batch, None, &mut |_| ControlFlow::Continue(()));
        history.expect("a training that converges").training[0]
    }

    /// What the job repeats; the loss before it, if it has one.
    pub fn once(&mut self) -> f64 {
        match self.work {
            Work::Step => self.step(),
            Work::Gradient => self.gradient(),
            Work::Epoch => self.epoch(),
            Work::Predict => self.predict(),
        }
    }
}

/// What is repeated.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Forward, loss, backward and update.
    Step,
    /// The same without the update.
    Gradient,
    Epoch,
    Predict,
}

/// A network, its rows and what is repeated, as a line of JSON describes them.
#[derive(Clone, Debug, Deserialize)]
pub struct Job {
    pub work: Work,
    /// `f32` or `f64`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of the input and of every layer.
    pub widths: Vec<usize>,
    pub biases: bool,
    pub hidden: String,
    /// `softmax` is trained on cross-entropy; `identity` and `sigmoid` on half the squared error, summed over outputs. The loss is
    /// the mean over rows.
    pub output: String,
    pub rows: usize,
    /// Rows of a step: of an epoch a part of them, otherwise all.
    pub batch: usize,
    /// `sgd` without momentum, or `adam` with 0.9, 0.999 and 1e-8.
    pub method: String,
    pub rate: f64,
}

impl<T: Float> Subject<T> {
    /// Prepares a job. `numbers` gives its `params`, `x` and `y`, of which it is told the name and how many there are.
    pub fn new(
        job: &Job,
        threads: &Threads,
        numbers: impl Fn(&str, usize) -> Result<Vec<T>, String>,
    ) -> Result<Self, String> {
        let parse = |name: &str| Activation::parse(name).map_err(|error| error.to_string());
        let (hidden, output) = (parse(&job.hidden)?, parse(&job.output)?);
        let [inputs, units @ .., outputs] = &job.widths[..] else {
            return Err(format!("expected at least two widths, found {:?}", job.widths));
        };
        let layer = |&outputs, activation| Layer { outputs, bias: job.biases, activation, norm: Norm::None };
        let mut layers: Vec<_> = units.iter().map(|units| layer(units, hidden)).collect();
        layers.push(layer(outputs, output));
        let method = match &job.method[..] {
            "sgd" => Method::Sgd { momentum: 0.0, nesterov: false },
            other => Method::parse(other).map_err(|error| error.to_string())?,
        };
        let softmax = output == Activation::Softmax;
        let loss = if softmax { Loss::SoftmaxCrossEntropy } else { Loss::SquaredError };
        let trainer = Trainer {
            solver: Solver::Steps(method),
            objective: Objective { loss, l1: 0.0, l2: 0.0 },
            learning_rate: job.rate,
            epochs: 1,
            batch: job.batch,
            shuffle: false,
            stopping: Stopping::NEVER,
            engine: Engine::default(),
            threads: threads.clone(),
            ..Trainer::default()
        };
        let matrix = |name: &str, width: usize| {
            let shape = (job.rows, width);
            let numbers = numbers(name, job.rows * width)?;
            let found = numbers.len();
            Array2::from_shape_vec(shape, numbers).map_err(|_| format!("{name}: {found} numbers for {shape:?}"))
        };
        let spec = Spec::new(*inputs, layers).map_err(|error| error.to_string())?;
        let start = numbers("params", spec.parameters())?;
        let make = || -> deltarule::Result<_> {
            let workspace = Workspace::new(&spec, job.batch, trainer.engine, threads.clone())?;
            let optimizer = Optimizer::new(method, spec.parameters())?;
            let net = Network::from_params(spec.clone(), start.clone())?;
            let predictor = Predictor::new(&net, job.batch, trainer.engine, threads.clone())?;
            Ok((net, workspace, predictor, optimizer))
        };
        let (net, workspace, predictor, optimizer) = make().map_err(|error| error.to_string())?;
        Ok(Self {
            work: job.work,
            gradient: vec![T::ZERO; start.len()],
            net,
            start,
            x: matrix("x", *inputs)?,
            y: matrix("y", *outputs)?,
            trainer,
            method,
            workspace,
            predictor,
            optimizer,
            outputs: Array2::from_elem((job.rows, *outputs), T::ZERO),
        })
    }

    /// Back to the first parameters, and to an optimiser that has seen nothing.
    pub fn start_over(&mut self) {
        self.net.params_mut().copy_from_slice(&self.start);
        self.optimizer = Optimizer::new(self.method, self.start.len()).expect("as the first one");
    }
}
