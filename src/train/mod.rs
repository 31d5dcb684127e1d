//! Training: epochs, shuffled mini-batches or whole-batch solvers, when to stop, and what to keep.
//!
//! Row 6 of the house: imports everything below. Begin reading at [`Trainer::fit`].

mod descent;
mod required;
mod stopping;
mod watch;
mod whole_batch;

use crate::activation::ActivationFn;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::vector;
use crate::loss::{Loss, LossFn};
use crate::network::Network;
use crate::network::max_norm;
use crate::network::noise::Noise;
use crate::network::objective::{Batch, Objective, total_weight};
use crate::optim::Method;
use crate::simd::Isa;
use crate::threads::Threads;
use serde::Serialize;
use std::ops::ControlFlow;
pub use stopping::Stopping;
pub use watch::Watched;

/// How the parameters are moved.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Solver {
    /// A step after each mini-batch.
    Steps(Method),
    /// L-BFGS with a strong-Wolfe line search on the whole batch; an epoch is an iteration. It chooses its own rate.
    Lbfgs,
    /// Rosenblatt's rule for one layer of threshold units, row by row.
    Perceptron,
}

/// How a network is trained: plain settings, all public.
///
/// ```
/// use deltarule::prelude::*;
/// use ndarray::array;
///
/// let (x, y) = (array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], array![[0.0], [1.0], [1.0], [0.0]]);
/// let spec = Spec::mlp(2, &[8], Activation::Tanh, 1, Activation::Sigmoid)?;
/// let mut net = Network::<f64>::new(spec, None, &mut Rng::new(1))?;
/// let trainer = Trainer {
///     solver: Solver::Lbfgs,
///     objective: Objective { loss: Loss::LogisticCrossEntropy, l1: 0.0, l2: 0.0 },
///     ..Trainer::default()
/// };
/// let batch = Batch { x: x.view(), y: y.view(), weights: None };
/// let history = trainer.fit(&mut net, batch, None, &mut |_| std::ops::ControlFlow::Continue(()))?;
/// assert!(history.training.last().unwrap() < &1e-3);
/// # Ok::<(), deltarule::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trainer<L = Loss> {
    /// How the parameters are moved.
    pub solver: Solver,
    /// What is minimised.
    pub objective: Objective<L>,
    /// The length of a step, in the solver's own unit.
    pub learning_rate: f64,
    /// The most passes over the data.
    pub epochs: usize,
    /// Rows of a mini-batch; more than there are means all.
    pub batch: usize,
    /// Whether each epoch takes the rows in a new random order.
    pub shuffle: bool,
    /// The seed of those orders.
    pub seed: u64,
    /// When to stop before the last epoch; without held-back rows, [`Solver::Lbfgs`] stops by its own tolerances and
    /// [`Solver::Perceptron`] where no row is wrong.
    pub stopping: Stopping,
    /// Dropout of units and inputs, and noise on inputs, for [`Solver::Steps`] alone: held-back rows are judged without. That of a step is
    /// a function of the seed, the epoch's number and the batch's in it.
    pub noise: Noise,
    /// The largest norm of the weights that come into a hidden unit, to which they are cut after each step
    /// ([`MaxNorm`](max_norm::MaxNorm)), for [`Solver::Steps`] alone.
    pub max_norm: Option<f64>,
    /// Holds the gradient of the first step, and of every so many after it, against central differences in `f64` along a random
    /// direction, and ends the training where one is wrong; for [`Solver::Steps`] alone. The parameters keep the same bits with and
    /// without it. A check costs two forward passes in `f64`, some two steps;
    /// one that disagrees, be it for a kink, up to fifty.
    pub watch_gradients: Option<usize>,
    /// Instruction set and GEMM backend.
    pub engine: Engine,
    /// The threads that share each batch.
    pub threads: Threads,
}

impl Default for Trainer {
    fn default() -> Self {
        Self::new(Objective::default())
    }
}

impl<L> Trainer<L> {
    /// The default settings for an objective, which may hold a loss of your own: `Trainer { epochs: 9,
    /// ..Trainer::new(objective) }`.
    pub fn new(objective: Objective<L>) -> Self {
        Self {
            solver: Solver::Steps(Method::adam()),
            objective,
            learning_rate: 0.001,
            epochs: 200,
            batch: 200,
            shuffle: true,
            seed: 0,
            stopping: Stopping::default(),
            noise: Noise::default(),
            max_norm: None,
            watch_gradients: None,
            engine: Engine::default(),
            threads: Threads::one(),
        }
    }
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stopped {
    /// All epochs were used.
    #[default]
    Epochs,
    /// The training loss no longer fell.
    TrainingStalled,
    /// The loss on the held-back rows no longer fell; the best parameters were restored.
    ValidationStalled,
    /// The solver found nothing left to gain.
    Converged,
    /// No step along the steepest descent gave less: the rounding of the type hides what is left, or a slope is wrong.
    LineSearch,
    /// The observer asked for it.
    Observer,
}

/// One epoch, as the observer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: usize,
    /// The mean training loss while it ran, without penalty.
    pub training: f64,
    /// The loss on the held-back rows after it.
    pub validation: Option<f64>,
}

/// What happened in a training.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The mean training loss of each epoch, without penalty.
    pub training: Vec<f64>,
    /// The loss on the held-back rows after each epoch; empty without them.
    pub validation: Vec<f64>,
    /// The gradients that were held against values, in order; empty unless [`Trainer::watch_gradients`] asked for it.
    pub watched: Vec<Watched>,
    /// Why it ended.
    pub stopped: Stopped,
    /// The epoch, from 1, whose parameters were kept.
    pub kept: usize,
}

/// Told of each epoch; breaking ends the training with what it has.
pub type Observer<'a> = dyn FnMut(&Epoch) -> ControlFlow<()> + 'a;

impl<L: LossFn> Trainer<L> {
    /// Trains `net` on `training`, and judges it after each epoch on `held_back` rows if there are any: training then
    /// stops when their loss stalls, and the best parameters are restored.
    ///
    /// **Shapes**: `x` rows x inputs, `y` rows x outputs. **Determinism**: the same seed, data and settings give the
    /// same bits, for any number of threads. **Errors**: shapes, settings out of range, targets that the loss refuses,
    /// no memory, [`Error::Diverged`] in the step in which a value stops being finite or the loss exceeds 1,000 times the
    /// largest of 1, the first loss, and what the same rows lost before training, and [`Error::Check`] in the step in which
    /// a watched gradient is wrong; in the last two cases `net` holds the parameters of the last good epoch.
    pub fn fit<T: Float, A: ActivationFn>(
        &self,
        net: &mut Network<T, A>,
        training: Batch<'_, T>,
        held_back: Option<Batch<'_, T>>,
        observe: &mut Observer<'_>,
    ) -> Result<History> {
        self.check()?;
        self.noise.check(net.spec())?;
        self.check_rows(net, &training)?;
        if let Some(held_back) = &held_back {
            self.check_rows(net, held_back)?;
        }
        self.require_memory(net, &training, held_back.as_ref())?;
        match self.solver {
            Solver::Steps(method) => descent::fit(self, method, net, training, held_back, observe),
            Solver::Lbfgs => whole_batch::lbfgs(self, net, training, held_back, observe),
            Solver::Perceptron => {
                if held_back.is_some() || training.weights.is_some() {
                    let what = if held_back.is_some() { "held-back rows" } else { "weights of rows" };
                    return Err(Error::Unsupported(format!("the perceptron rule has no use for {what}")));
                }
                whole_batch::perceptron(self, net, training, observe)
            }
        }
    }

    /// Refuses settings out of range.
    fn check(&self) -> Result<()> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if let Solver::Steps(method) = self.solver {
            method.check()?;
        }
        if !positive(self.learning_rate) {
            return Err(Error::setting("learning rate", "a finite number above 0", self.learning_rate));
        }
        for (name, factor) in [("l1", self.objective.l1), ("l2", self.objective.l2)] {
            if !(factor.is_finite() && factor >= 0.0) {
                return Err(Error::setting(name, "a finite number of at least 0", factor));
            }
        }
        for (name, value) in [("epochs", self.epochs), ("batch", self.batch)] {
            if value == 0 {
                return Err(Error::setting(name, "at least 1", 0));
            }
        }
        self.max_norm.map_or(Ok(()), max_norm::check)?;
        let solver = if self.solver == Solver::Lbfgs { "L-BFGS" } else { "the perceptron rule" };
        let of_steps = if !self.noise.is_none() {
            Some("noise (dropout, or noise of inputs)")
        } else {
            self.max_norm.map(|_| "a max norm")
        };
        if let Some(what) = of_steps.filter(|_| !matches!(self.solver, Solver::Steps(_))) {
            return Err(Error::Unsupported(format!(
                "{what} belongs to the steps of a mini-batch solver; {solver} works on one objective that stays as it is"
            )));
        }
        match (self.watch_gradients, self.solver) {
            (Some(0), _) => return Err(Error::setting("watch gradients", "at least 1 step", 0)),
            (Some(_), Solver::Lbfgs | Solver::Perceptron) => {
                return Err(Error::Unsupported(format!(
                    "gradients are watched in the steps of a mini-batch solver, which {solver} does not take"
                )));
            }
            _ => {}
        }
        self.objective.loss.check()?;
        self.stopping.check()
    }

    /// Refuses rows that do not fit the network, and targets that the loss has no meaning for, naming the row.
    fn check_rows<T: Float, A: ActivationFn>(&self, net: &Network<T, A>, batch: &Batch<'_, T>) -> Result<()> {
        check_shapes(self.engine.isa, net, batch)?;
        if self.solver == Solver::Perceptron {
            return Ok(());
        }
        let mut target = vec![0.0; batch.y.ncols()];
        for (i, row) in batch.y.rows().into_iter().enumerate() {
            row.iter().zip(&mut target).for_each(|(&y, t)| *t = y.real());
            self.objective.loss.check_target(&target).map_err(|e| match e {
                Error::Shape { what, expected, found } => {
                    Error::Shape { what: format!("row {}: {what}", i + 1), expected, found }
                }
                other => other,
            })?;
        }
        Ok(())
    }
}

/// Refuses rows that do not fit the network, numbers that are not finite, and weights that are negative or sum to 0.
fn check_shapes<T: Float, A: ActivationFn>(isa: Isa, net: &Network<T, A>, batch: &Batch<'_, T>) -> Result<()> {
    let rows = batch.x.nrows();
    if rows == 0 {
        return Err(Error::shape("training rows", "at least 1", 0));
    }
    let widths = [("x", &batch.x, net.spec().inputs()), ("y", &batch.y, net.spec().outputs())];
    for (name, array, width) in widths {
        if array.dim() != (rows, width) {
            return Err(Error::shape(
                name,
                format!("{rows} x {width}"),
                format!("{} x {}", array.nrows(), array.ncols()),
            ));
        }
        if !array.is_standard_layout() {
            return Err(Error::shape(name, "rows in standard (row-major) layout", "another layout"));
        }
        let numbers = array.as_slice().expect("row-major, as checked above");
        // One sweep of the lanes, for the data may be large; only bad ones are looked for one by one.
        if vector::all_finite(isa, numbers) {
            continue;
        }
        if let Some(((i, j), value)) = array.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(Error::shape(format!("{name}, row {}, column {}", i + 1, j + 1), "a finite number", value));
        }
    }
    total_weight(batch.weights, rows).map(|_| ())
}
