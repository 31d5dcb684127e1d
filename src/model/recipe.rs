//! How a model is made from raw rows: the choices of a person, and defaults for all of them.

use super::design;
use super::measures::Measures;
use super::source::InFile;
use super::weighing::Weighed;
use super::{Input, Model, Provenance, Source};
use crate::activation::Activation;
use crate::data::{ClassWeights, Parting, Target, Task, Warning, features, split};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::init::Init;
use crate::loss::{Loss, smooth_labels};
use crate::memory;
use crate::network::objective::{Batch, Objective};
use crate::network::spec::Block;
use crate::network::workspace::{Workspace, rows_at_a_time};
use crate::network::{Network, Norm, Spec};
use crate::rng::{Rng, stream};
use crate::schedule::Schedule;
use crate::train::checkpoint::Checkpointing;
use crate::train::{History, Inputs, Measure, Observer, RangeTest, RateRange, Run, Solver, Trainer};
use ndarray::Array2;
use std::fmt;
use std::sync::atomic::AtomicBool;

/// What network to build, and how to train it.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Classes or a number; guessed from the column if not given.
    pub task: Option<Task>,
    /// Units of each hidden layer.
    pub hidden: Vec<usize>,
    /// The hidden layers' activation, or one for each.
    pub activations: Vec<Activation>,
    /// What becomes of the hidden layers' weighted sums before their activation.
    pub norm: Norm,
    /// The output's activation; by the loss if that is given, else by the task.
    pub output: Option<Activation>,
    /// The loss; by the task and output if not given.
    pub loss: Option<Loss>,
    /// The initial weights; by each layer's activation if not given.
    pub init: Option<Init>,
    /// What is done with the columns.
    pub features: features::Options,
    /// Solver, rate, epochs, seed, engine, threads. Its loss is replaced by the one above.
    pub trainer: Trainer,
    /// The share of the training rows held back to stop on, if any.
    pub held_back: Option<f64>,
    /// What is watched on the rows held back, by its name (`accuracy`, `r2`, ...), in place of their loss.
    pub monitor: Option<String>,
    /// Whether the figures of the rows trained on are taken after each epoch, too, for [`History::figures`]: a forward pass over them.
    pub measures_training: bool,
    /// The share of each training row's label that is spread over all classes ([`smooth_labels`]), from 0 to below 1. Rows held back
    /// keep theirs.
    pub label_smoothing: f64,
    /// How much the rows of each class count, on top of the weights that a [`Source`] has for its rows; alike if not given.
    pub class_weights: Option<ClassWeights>,
    /// How those rows are chosen, and how rows are parted wherever this recipe is measured; a column of groups is no input.
    pub parting: Parting,
}

impl Default for Recipe {
    /// One hidden layer of 100 rectified units, trained by Adam in small batches until the training loss stalls.
    ///
    /// Batches of 32 at a rate of 0.005 were chosen on the car data, where ten seeds reach a hold-out accuracy of 0.998.
    fn default() -> Self {
        Self {
            task: None,
            hidden: vec![100],
            activations: vec![Activation::Relu],
            norm: Norm::None,
            output: None,
            loss: None,
            init: None,
            features: features::Options::default(),
            trainer: Trainer { learning_rate: 0.005, batch: 32, ..Trainer::default() },
            held_back: None,
            monitor: None,
            measures_training: false,
            label_smoothing: 0.0,
            class_weights: None,
            parting: Parting::Random,
        }
    }
}

/// A model and how it came about.
#[derive(Clone, Debug)]
pub struct Fitted<T> {
    /// The model.
    pub model: Model<T>,
    /// The losses of the training, and figures after each epoch if the recipe monitors one or measures the rows trained on.
    pub history: History,
    /// The names of the figures.
    pub figures: Vec<&'static str>,
    /// What was odd about the data.
    pub warnings: Vec<Warning>,
}

/// What accompanies the making of a model.
#[derive(Default)]
pub struct With<'a> {
    /// Told of each epoch, and may end the training.
    pub observe: Option<&'a mut Observer<'a>>,
    /// Ends the training after the step, or the epoch of a whole-batch solver, in which it becomes true.
    pub interrupt: Option<&'a AtomicBool>,
    /// Where the training's state is kept.
    pub checkpoint: Option<Checkpointing<'a>>,
}

impl fmt::Debug for With<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("With").field("checkpoint", &self.checkpoint).finish_non_exhaustive()
    }
}

impl Recipe {
    /// Makes a model from the given rows of `source`: nothing is learnt from the others, except which categories exist.
    ///
    /// A row of weight `k` counts as `k` rows like it in everything that is learnt: means, scales, classes' shares, the objective
    /// on training rows and on those held back. Those of weight 0 are left out.
    ///
    /// **Determinism**: the same source, rows and recipe give the same bits, for any number of threads.
    /// **Errors** name file, line, column and value, or the setting.
    pub fn fit<T: Float>(&self, source: &Source, rows: &[usize], observe: &mut Observer<'_>) -> Result<Fitted<T>> {
        self.fit_with(source, rows, With { observe: Some(observe), ..With::default() })
    }

    /// [`fit`](Self::fit) with all that may accompany it.
    ///
    /// **Determinism** as there; a training continued from a checkpoint comes to the bits of one that was never interrupted. The model
    /// of an interrupted training is that of the steps done.
    /// **Errors** as there; also those of [`Trainer::run_checkpointed`].
    pub fn fit_with<T: Float>(&self, source: &Source, rows: &[usize], with: With<'_>) -> Result<Fitted<T>> {
        let Prepared { mut model, mut trainer, training, factors, learnt, judged, warnings } =
            self.prepare(source, rows)?;
        let measured = self.measures_training.then_some(&training);
        let measures = (self.monitor.is_some() || self.measures_training)
            .then(|| Measures::new(source, &model.target, model.output(), measured, judged.as_ref()))
            .transpose()?;
        if let Some(name) = &self.monitor {
            trainer.stopping.monitor = Measures::monitor(&model.target, name)?;
        }
        let judged =
            judged.as_ref().map(|rows| Rows::new(&model, source, rows, factors.as_deref(), true)).transpose()?;
        let Model { input, network, .. } = &mut model;
        let mut in_file = InFile::new(input, source, training.rows());
        let inputs: Option<&mut dyn Inputs<T>> = if source.is_in_file() { Some(&mut in_file) } else { None };
        let With { observe, interrupt, checkpoint } = with;
        let observe = observe.map(|observe| -> &mut Observer<'_> { observe });
        let run = Run {
            inputs,
            held_back: judged.as_ref().map(Rows::batch),
            measure: measures.as_ref().map(|measures| measures as &dyn Measure<T>),
            observe,
            interrupt,
            ..Run::default()
        };
        let history = match checkpoint {
            None => trainer.run(network, learnt.batch(), run)?,
            Some(state) => trainer.run_checkpointed(network, learnt.batch(), run, state)?,
        };
        require_finite(&model.network, history.training.len())?;
        model.provenance.epochs = history.training.len();
        let figures = Measures::names_of(&model.target);
        Ok(Fitted { model, history, figures, warnings })
    }

    /// The learning-rate range test ([`Trainer::find_rate`]) of the training that [`fit`](Self::fit) would make of the same rows: with their
    /// preprocessing, weights and smoothed labels, without those held back, from the same initial weights. Says, too, what was odd about
    /// the data.
    ///
    /// **Determinism**: the same source, rows and recipe give the same bits, for any number of threads.
    /// **Errors** as those of both.
    pub fn find_rate<T: Float>(
        &self,
        source: &Source,
        rows: &[usize],
        range: RateRange,
        interrupt: Option<&AtomicBool>,
    ) -> Result<(RangeTest, Vec<Warning>)> {
        let Prepared::<T> { model, trainer, training, learnt, warnings, .. } = self.prepare(source, rows)?;
        let mut in_file = InFile::new(&model.input, source, training.rows());
        let inputs: Option<&mut dyn Inputs<T>> = if source.is_in_file() { Some(&mut in_file) } else { None };
        let found = trainer.find_rate(&model.network, learnt.batch(), range, inputs, interrupt)?;
        Ok((found, warnings))
    }

    /// The model before its training, and what it will learn from.
    fn prepare<T: Float>(&self, source: &Source, rows: &[usize]) -> Result<Prepared<T>> {
        let (mut input, mut target, mut warnings) = self.infer(source)?;
        let (training, judged) = self.hold_back(source, &target, &source.counted(rows)?)?;
        let training = Weighed::new(source, &target, training)?;
        warnings.extend(source.fit(&mut input, &mut target, training.rows(), training.weights.as_deref())?);
        warnings.dedup();
        let factors = self.class_weights.as_ref().map(|weights| training.factors(weights, &target)).transpose()?;
        let (spec, loss) = design::network(self, &input, &target)?;
        design::check_labels(self, &target, loss)?;
        let mut means = Vec::new();
        if loss == Loss::Poisson {
            design::check_counts(source, &target, training.rows())?;
            design::check_counts(source, &target, &judged)?;
            means = target.keep_as_they_are();
        }
        let in_memory = judged.len() + if source.is_in_file() { 0 } else { training.rows().len() };
        self.require_memory::<T>(&spec, (training.rows().len(), judged.len()), in_memory)?;
        let seed = self.trainer.seed;
        let mut network = Network::<T>::new(spec, self.init, &mut Rng::with_stream(seed, stream::WEIGHTS))?;
        if let (Some(init), Some(bad)) = (self.init, network.params().iter().find(|w| !w.is_finite())) {
            return Err(Error::setting(format!("init {}", init.name()), format!("weights finite in {}", T::NAME), bad));
        }
        if let Some(last) = network.spec().blocks().last().cloned() {
            // From the rates of all rows together, as standardised targets start from their mean: rates of 1 would take long to a million.
            for (bias, mean) in network.params_mut()[last.bias].iter_mut().zip(&means).filter(|(_, mean)| **mean > 0.0)
            {
                *bias = T::from_f64(libm::log(*mean));
            }
        }
        let mut trainer = self.trainer.clone();
        trainer.objective.loss = loss;

        let provenance = Provenance {
            version: env!("CARGO_PKG_VERSION").into(),
            data: source.name().into(),
            rows: training.rows().len(),
            class_counts: training.class_counts(&target),
            class_shares: training.class_shares(&target),
            seed,
            training: describe(&trainer, self.label_smoothing) + &self.describe_weights(source),
            epochs: 0,
            means,
        };
        let model = Model { input, network, target, loss, provenance, certificate: None };
        // Rows that lie in a file stay there; their targets are a few numbers each.
        let mut learnt = Rows::new(&model, source, &training, factors.as_deref(), false)?;
        if self.label_smoothing > 0.0 {
            let cols = learnt.y.ncols();
            smooth_labels(learnt.y.as_slice_mut().expect("row-major, as it was made"), cols, self.label_smoothing)?;
        }
        let judged = match judged.is_empty() {
            true => None,
            false => Some(Weighed::new(source, &model.target, judged)?),
        };
        Ok(Prepared { model, trainer, training, factors, learnt, judged, warnings })
    }

    /// What the inputs of `source` hold and what is to be predicted, judged over all rows.
    ///
    /// **Errors** name file, line, column and value.
    pub fn infer(&self, source: &Source) -> Result<(Input, Target, Vec<Warning>)> {
        let options = features::Options { ignore: self.ignored(), ..self.features.clone() };
        source.infer(self.task, &options)
    }

    /// The columns that are no inputs: those to leave out, and the one that groups the rows.
    pub fn ignored(&self) -> Vec<String> {
        let mut ignored = self.features.ignore.clone();
        if let Parting::Groups(column) = &self.parting {
            ignored.push(column.clone());
        }
        ignored
    }

    /// Refuses a network that cannot be trained in the memory there is, before the first of it is touched.
    fn require_memory<T: Float>(
        &self,
        spec: &Spec,
        (training, held_back): (usize, usize),
        in_memory: usize,
    ) -> Result<()> {
        // The network and the encoded data, and what their training takes; or what comes after, for which a training must not
        // have been in vain: the predictions that it is judged by, and the bytes of the file with its tensors.
        let rows = training as u128 + held_back as u128;
        // A row is inputs, outputs and a weight.
        let encoded = in_memory as u128 * spec.inputs() as u128 + rows * (spec.outputs() as u128 + 1);
        let numbers = spec.parameters() as u128 + encoded;
        let file = 2 * spec.parameters() as u128 * size_of::<T>() as u128;
        let judging = Workspace::<T>::required_bytes(spec, rows_at_a_time::<T, _>(spec, training), false);
        memory::require(
            &format!("training {} parameters in {}", spec.parameters(), T::NAME),
            numbers * size_of::<T>() as u128
                + self.trainer.required_bytes::<T, _>(spec, training, held_back).max(judging).max(file),
        )
    }

    /// The rows to train on, and those to stop on.
    fn hold_back(&self, source: &Source, target: &Target, rows: &[usize]) -> Result<(Vec<usize>, Vec<usize>)> {
        let Some(share) = self.held_back else { return Ok((rows.to_vec(), Vec::new())) };
        let groups = source.groups(target, rows, &self.parting)?;
        // Another stream than the hold-out's, or the two splits would pick the same places.
        let parts =
            split::hold_out(groups.strata(), share, &mut Rng::with_stream(self.trainer.seed, stream::SPLIT + 1))
                .map_err(|error| match error {
                    Error::Setting { expected, found, .. } => Error::setting("held-back share", expected, found),
                    other => other,
                })?;
        let parts = parts.among(rows);
        Ok((parts.train, parts.test))
    }

    /// What makes some rows count more than others, in words that follow others.
    fn describe_weights(&self, source: &Source) -> String {
        let rows = match source {
            Source::Table { table, weights: Some(column), .. } => format!("; rows by '{}'", table.columns()[*column]),
            _ => String::new(),
        };
        rows + &self.class_weights.as_ref().map_or(String::new(), |weights| format!("; classes by {weights}"))
    }
}

/// A model before its training.
struct Prepared<T> {
    model: Model<T>,
    trainer: Trainer,
    /// The rows trained on, and what the classes of each count.
    training: Weighed,
    factors: Option<Vec<Vec<f64>>>,
    /// The same as the network reads them.
    learnt: Rows<T>,
    judged: Option<Weighed>,
    warnings: Vec<Warning>,
}

/// Rows as a network reads them.
struct Rows<T> {
    x: Array2<T>,
    y: Array2<T>,
    weights: Option<Vec<T>>,
}

impl<T: Float> Rows<T> {
    /// Rows that are trained on stay in their file if they are in one; those that judge are few.
    fn new(
        model: &Model<T>,
        source: &Source,
        rows: &Weighed,
        factors: Option<&[Vec<f64>]>,
        is_judged: bool,
    ) -> Result<Self> {
        Ok(Self {
            x: match source.is_in_file() && !is_judged {
                true => Array2::from_elem((rows.rows().len(), 0), T::ZERO),
                false => model.input.encode(source, rows.rows())?,
            },
            y: model.encode_targets(source, rows.rows())?,
            weights: rows.total(factors)?,
        })
    }

    fn batch(&self) -> Batch<'_, T> {
        Batch { x: self.x.view(), y: self.y.view(), weights: self.weights.as_deref() }
    }
}

/// No model holds a number that is not finite, whatever the solver.
fn require_finite<T: Float>(network: &Network<T>, epoch: usize) -> Result<()> {
    let finite = |block: &Block| network.params()[block.all()].iter().all(|p| p.is_finite());
    match network.spec().blocks().iter().position(|block| !finite(block)) {
        None => Ok(()),
        Some(layer) => {
            let what = "a weight".into();
            Err(Error::Diverged { epoch, batch: 1, layer: Some(layer + 1), what, value: f64::NAN })
        }
    }
}

/// How a model was trained, in words.
fn describe(trainer: &Trainer, label_smoothing: f64) -> String {
    let Objective { loss, l1, l2 } = trainer.objective;
    let l1 = if l1 == 0.0 { String::new() } else { format!(", l1 {l1}") };
    let smoothing = if label_smoothing == 0.0 { String::new() } else { format!(", label smoothing {label_smoothing}") };
    let objective = format!("{loss}{l1}, l2 {l2}{smoothing}");
    match trainer.solver {
        Solver::Steps(method) => {
            let Trainer { learning_rate, schedule, warm_up, clip, averaging, batch, noise, max_norm, .. } = trainer;
            let mut text = format!("{method}; rate {learning_rate}");
            if *schedule != Schedule::Constant {
                text += &format!(", schedule {schedule}");
            }
            if *warm_up > 0 {
                text += &format!(", warm-up {warm_up}");
            }
            text += &format!(", batch {batch}; {objective}{}", noise.describe());
            for more in [
                max_norm.map(|limit| format!("max norm {limit}")),
                clip.map(|clip| clip.to_string()),
                averaging.map(|averaging| averaging.to_string()),
            ] {
                text += &more.map_or_else(String::new, |more| format!("; {more}"));
            }
            text
        }
        Solver::Lbfgs | Solver::Rprop(_) | Solver::Scg | Solver::LevenbergMarquardt(_) | Solver::Bayes(_) => {
            format!("{}; {objective}", trainer.solver.name())
        }
        Solver::Perceptron => format!("perceptron rule; rate {}", trainer.learning_rate),
    }
}
