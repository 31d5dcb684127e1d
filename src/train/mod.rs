//! Training: epochs, shuffled mini-batches or whole-batch solvers, when to stop, and what to keep.
//!
//! Row 6 of the house: imports everything below. Begin reading at [`Trainer::fit`].

mod averaging;
pub mod checkpoint;
mod clip;
mod course;
mod descent;
mod divergence;
mod exact;
mod judge;
mod least_squares;
mod measure;
mod perceptron;
mod range;
mod rate;
mod required;
mod rows;
mod run;
mod state;
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
use crate::optim::bayes::Regularisation;
use crate::optim::{Method, levenberg_marquardt, rprop};
use crate::schedule::Schedule;
use crate::simd::Isa;
use crate::threads::Threads;
pub use averaging::Averaging;
pub use clip::Clip;
pub use measure::{Measure, Part};
pub use range::{RangeEnd, RangeTest, RateRange, Tried};
pub use required::Scope;
pub use rows::Inputs;
pub use run::{Observer, Run, Saving};
use serde::{Deserialize, Serialize};
pub use state::{Saved, Snapshot, Standing};
pub use stopping::{Monitor, Stopping};
pub use watch::Watched;

/// How the parameters are moved.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Solver {
    /// A step after each mini-batch.
    Steps(Method),
    /// L-BFGS with a strong-Wolfe line search on the whole batch; an epoch is an iteration. It chooses its own rate.
    Lbfgs,
    /// Rprop on the whole batch: a step for each parameter, by the sign of its slope; an epoch is an iteration.
    Rprop(rprop::Options),
    /// Scaled conjugate gradients on the whole batch, without a line search; an epoch is an iteration. It chooses its own rate.
    Scg,
    /// Levenberg-Marquardt with geodesic acceleration on the whole batch, in `f64` whatever the network's type; an epoch is an
    /// iteration, and [`Trainer::epochs`] their most. For the squared error and the cross-entropies, and networks of up to some
    /// thousand parameters: it holds two numbers for each pair of them.
    LevenbergMarquardt(levenberg_marquardt::Options),
    /// The same for the squared error, with a penalty on all parameters that is found from the data
    /// ([Bayesian regularisation](crate::optim::bayes)); [`History::regularisation`] says what it found.
    Bayes(levenberg_marquardt::Options),
    /// Rosenblatt's rule for one layer of threshold units, row by row.
    Perceptron,
}

impl Solver {
    /// What people call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Steps(method) => method.name(),
            Self::Lbfgs => "L-BFGS",
            Self::Rprop(_) => "Rprop",
            Self::Scg => "scaled conjugate gradients",
            Self::LevenbergMarquardt(_) => "Levenberg-Marquardt",
            Self::Bayes(_) => "Bayesian regularisation",
            Self::Perceptron => "the perceptron rule",
        }
    }
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
    /// The length of a step, in the solver's own unit; only [`Solver::Steps`] has use for it.
    pub learning_rate: f64,
    /// What becomes of it during the training; for [`Solver::Steps`] alone.
    pub schedule: Schedule,
    /// Over so many epochs it first rises, step by step, from its first part; on top of the schedule, for [`Solver::Steps`] alone.
    pub warm_up: usize,
    /// How long a gradient may be; for [`Solver::Steps`] alone.
    pub clip: Option<Clip>,
    /// The average of the parameters that is kept in place of the last; for [`Solver::Steps`] alone.
    pub averaging: Option<Averaging>,
    /// The most passes over the data.
    pub epochs: usize,
    /// Rows of a mini-batch; more than there are means all. Under batch normalisation they are at least 2, and one row that is left over
    /// for the last batch of an epoch joins the one before. Only [`Solver::Steps`] takes mini-batches: all others look at all rows,
    /// and neither this nor [`shuffle`](Self::shuffle) is used.
    pub batch: usize,
    /// Whether each epoch takes the rows in a new random order.
    pub shuffle: bool,
    /// The seed of those orders.
    pub seed: u64,
    /// When to stop before the last epoch; without held-back rows, the whole-batch solvers stop by their own tolerances and
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
            schedule: Schedule::Constant,
            warm_up: 0,
            clip: None,
            averaging: None,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stopped {
    /// All epochs were used.
    #[default]
    Epochs,
    /// The training loss no longer fell.
    TrainingStalled,
    /// The loss on the held-back rows no longer fell, or another figure no longer improved; the best parameters were restored.
    ValidationStalled,
    /// The loss came down to [`Stopping::target_loss`].
    TargetReached,
    /// [`Stopping::time_limit`] was over.
    TimeUp,
    /// [`Run::interrupt`] was set.
    Interrupted,
    /// The solver found nothing left to gain.
    Converged,
    /// No step along the steepest descent gave less: the rounding of the type hides what is left, or a slope is wrong.
    LineSearch,
    /// No part of [`Solver::Rprop`]'s step led to finite numbers; what it came to before is kept.
    NotFinite,
    /// The observer asked for it.
    Observer,
}

/// One epoch, as the observer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Epoch<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// The mean training loss while it ran, without penalty.
    pub training: f64,
    /// The loss on the held-back rows after it.
    pub validation: Option<f64>,
    /// The learning rate of its last step; that of a solver that chooses its own is 0.
    pub rate: f64,
    /// The figures after each epoch so far, this one's last.
    pub figures: &'a Figures,
}

/// What a [`Measure`] said after each epoch: a row of figures for each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Of the rows trained on.
    #[serde(with = "exact::rows")]
    pub training: Vec<Vec<f64>>,
    /// Of the rows held back.
    #[serde(with = "exact::rows")]
    pub validation: Vec<Vec<f64>>,
}

/// What happened in a training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The mean training loss of each epoch, without penalty.
    pub training: Vec<f64>,
    /// The loss on the held-back rows after each epoch; empty without them.
    pub validation: Vec<f64>,
    /// The learning rate of each epoch's last step; empty for a solver that chooses its own.
    pub rates: Vec<f64>,
    /// What the run's [`Measure`] said; empty without one.
    pub figures: Figures,
    /// The gradients that were held against values, in order; empty unless [`Trainer::watch_gradients`] asked for it.
    pub watched: Vec<Watched>,
    /// What [`Solver::Bayes`] found after each epoch; empty with any other.
    pub regularisation: Vec<Regularisation>,
    /// Why it ended.
    pub stopped: Stopped,
    /// The epoch, from 1, whose parameters were kept.
    pub kept: usize,
}

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
        let held_back = held_back.as_ref().map(Batch::view);
        self.run(net, training.view(), Run { held_back, observe: Some(observe), ..Run::default() })
    }

    /// [`fit`](Self::fit) with all that may accompany a training.
    ///
    /// **Shapes**, **determinism** and **errors** as there; also those of the run's own functions, and a saved state that does not fit.
    pub fn run<'a, T: Float, A: ActivationFn>(
        &'a self,
        net: &mut Network<T, A>,
        training: Batch<'a, T>,
        run: Run<'a, T>,
    ) -> Result<History> {
        self.check()?;
        self.check_run(&run)?;
        self.check_training(net, &training, run.inputs.is_some())?;
        if let Some(held_back) = &run.held_back {
            self.check_rows(net, held_back, net.spec().inputs())?;
        }
        if let Solver::LevenbergMarquardt(options) | Solver::Bayes(options) = self.solver {
            least_squares::check(self, net, (options, matches!(self.solver, Solver::Bayes(_))))?;
        }
        self.require_memory(net, Scope::of(training.x.nrows(), &run))?;
        match self.solver {
            Solver::Steps(method) => descent::fit(self, method, net, training, run),
            Solver::Lbfgs | Solver::Scg | Solver::Rprop(_) => whole_batch::fit(self, net, training, run),
            Solver::LevenbergMarquardt(options) => least_squares::fit(self, (options, false), net, training, run),
            Solver::Bayes(options) => least_squares::fit(self, (options, true), net, training, run),
            Solver::Perceptron => {
                if run.held_back.is_some() || training.weights.is_some() {
                    let what = if run.held_back.is_some() { "held-back rows" } else { "weights of rows" };
                    return Err(Error::Unsupported(format!("the perceptron rule has no use for {what}")));
                }
                perceptron::fit(self, net, training, run)
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
        self.schedule.check()?;
        self.clip.map_or(Ok(()), |clip| clip.check())?;
        self.averaging.map_or(Ok(()), |averaging| averaging.check(self.epochs))?;
        if self.warm_up > 0 && matches!(self.schedule, Schedule::OneCycle { .. }) {
            return Err(Error::Unsupported("a warm-up before schedule one_cycle, which warms up itself".into()));
        }
        if self.watch_gradients == Some(0) {
            return Err(Error::setting("watch gradients", "at least 1 step", 0));
        }
        self.check_options_of_steps()?;
        self.objective.loss.check()?;
        let of_lbfgs = [
            ("gradient tolerance", self.stopping.gradient_tolerance.is_some()),
            ("function tolerance", self.stopping.function_tolerance.is_some()),
            ("most evaluations", self.stopping.max_evaluations.is_some()),
        ];
        if let Some((name, _)) = of_lbfgs.into_iter().find(|(_, given)| *given && self.solver != Solver::Lbfgs) {
            return Err(Error::Unsupported(format!("{name} for {}: only L-BFGS has use for it", self.solver.name())));
        }
        self.stopping.check()
    }

    /// Refuses what only steps on mini-batches can use where the solver takes none.
    fn check_options_of_steps(&self) -> Result<()> {
        if let Solver::Steps(_) = self.solver {
            return Ok(());
        }
        let schedule = format!("schedule {}", self.schedule.name());
        let wanted = [
            (self.schedule != Schedule::Constant, schedule.as_str()),
            (self.warm_up > 0, "a warm-up"),
            (self.clip.is_some(), "clipping of gradients"),
            (!self.noise.is_none(), "noise (dropout, or noise of inputs)"),
            (self.max_norm.is_some(), "a max norm"),
            (self.averaging.is_some(), "an average of the parameters"),
            (self.watch_gradients.is_some(), "watching gradients"),
        ];
        match wanted.into_iter().find(|(is_wanted, _)| *is_wanted) {
            None => Ok(()),
            Some((_, what)) => {
                let solver = self.solver.name();
                Err(Error::Unsupported(format!(
                    "{what} is for solvers that step after each mini-batch, which {solver} is not"
                )))
            }
        }
    }

    /// Refuses noise that does not suit the network, and rows that it cannot be trained on.
    fn check_training<T: Float, A: ActivationFn>(
        &self,
        net: &Network<T, A>,
        training: &Batch<'_, T>,
        streams: bool,
    ) -> Result<()> {
        self.noise.check(net.spec())?;
        self.check_rows(net, training, if streams { 0 } else { net.spec().inputs() })?;
        self.check_coupled(net, training.x.nrows())
    }

    /// Refuses rows that would stand alone in a batch under batch normalisation.
    fn check_coupled<T: Float, A: ActivationFn>(&self, net: &Network<T, A>, rows: usize) -> Result<()> {
        let one_by_one = self.batch == 1 && matches!(self.solver, Solver::Steps(_));
        net.spec().check_coupled(if one_by_one { 1 } else { rows }).map_err(|error| match error {
            Error::Shape { expected, .. } => {
                let found = format!("{rows} in batches of {}", self.batch);
                Error::shape("training rows of a batch", expected, found)
            }
            other => other,
        })
    }

    /// Refuses what accompanies a training and cannot be used in it.
    fn check_run<T>(&self, run: &Run<'_, T>) -> Result<()> {
        if let Monitor::Figure { index, .. } = self.stopping.monitor {
            let count = run.measure.map_or(0, |measure| measure.names().len());
            if run.held_back.is_none() {
                return Err(Error::Unsupported("a figure to be monitored without held-back rows to take it of".into()));
            }
            if index >= count {
                return Err(Error::setting("the figure to be monitored", format!("one of {count}, from 0"), index));
            }
        }
        if run.inputs.is_some() {
            if !matches!(self.solver, Solver::Steps(_)) {
                return Err(Error::Unsupported(format!(
                    "rows that are not in memory are for solvers that step after each mini-batch, which {} is not",
                    self.solver.name()
                )));
            }
            if run.measure.is_some_and(Measure::measures_training) {
                let what = "figures of the training rows, which are not in memory, after each epoch";
                return Err(Error::Unsupported(what.into()));
            }
        }
        match &run.save {
            Some(Saving { every: 0, .. }) => Err(Error::setting("epochs between two states saved", "at least 1", 0)),
            _ => Ok(()),
        }
    }

    /// Refuses rows that do not fit the network, and targets that the loss has no meaning for, naming the row.
    fn check_rows<T: Float, A: ActivationFn>(
        &self,
        net: &Network<T, A>,
        batch: &Batch<'_, T>,
        inputs: usize,
    ) -> Result<()> {
        check_shapes(self.engine.isa, net, batch, inputs)?;
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
fn check_shapes<T: Float, A: ActivationFn>(
    isa: Isa,
    net: &Network<T, A>,
    batch: &Batch<'_, T>,
    inputs: usize,
) -> Result<()> {
    let rows = batch.x.nrows();
    if rows == 0 {
        return Err(Error::shape("training rows", "at least 1", 0));
    }
    let widths = [("x", &batch.x, inputs), ("y", &batch.y, net.spec().outputs())];
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
