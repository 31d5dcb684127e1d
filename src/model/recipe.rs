//! How a model is made from raw rows: the choices of a person, and defaults for all of them.

use super::declared::Declared;
use super::measures::Measures;
use super::prepared::{Judged, Prepared, Rows, Validation};
use super::source::InFile;
use super::{Input, Model, Source};
use crate::activation::Activation;
use crate::data::{ClassWeights, Parting, Target, Task, Warning, features};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::init::Init;
use crate::loss::Loss;
use crate::network::spec::Block;
use crate::network::{Network, Norm};
use crate::train::checkpoint::Checkpointing;
use crate::train::{History, Inputs, Measure, Observer, RangeTest, RateRange, Run, Saved, Saving, Snapshot, Trainer};
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
    /// Whether numbers, of inputs and targets, are brought to mean 0 and deviation 1 over the training rows; else the network sees them
    /// as they are. A warm start has its model's.
    pub standardise: bool,
    /// Solver, rate, epochs, seed, engine, threads. Its loss is replaced by the one above.
    pub trainer: Trainer,
    /// The share of the training rows held back to stop on, if any.
    pub held_back: Option<f64>,
    /// What is watched on the rows held back, by its name (`accuracy`, `r2`, ...), in place of their loss: a figure that the model has,
    /// as `log_loss` needs [probabilities](Model::has_probabilities).
    pub monitor: Option<String>,
    /// Whether the figures of the rows trained on are taken after each epoch, too, for [`History::figures`]: a forward pass over them.
    pub measures_training: bool,
    /// The share of each training row's label that is spread over all classes ([`smooth_labels`](crate::loss::smooth_labels)), from 0 to
    /// below 1. Rows held back keep theirs.
    pub label_smoothing: f64,
    /// How much the rows of each class count, on top of the weights that a [`Source`] has for its rows; alike if not given.
    pub class_weights: Option<ClassWeights>,
    /// Classes and categories to be expected beside those of the rows.
    pub declared: Declared,
    /// How the rows held back are chosen, and how rows are parted wherever this recipe is measured; a column of groups is no input.
    pub parting: Parting,
}

impl Default for Recipe {
    /// One hidden layer of 100 rectified units, trained by Adam in small batches until the training loss stalls.
    ///
    /// For data of which nothing is known; [`suited_to`](Recipe::suited_to) is what the command takes, by the number of rows.
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
            standardise: true,
            trainer: Trainer { learning_rate: 0.005, batch: 32, ..Trainer::default() },
            held_back: None,
            monitor: None,
            measures_training: false,
            label_smoothing: 0.0,
            class_weights: None,
            declared: Declared::default(),
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
    /// The rows that judged the training, if any did.
    pub judged: Option<Judged>,
    /// What was odd about the data.
    pub warnings: Vec<Warning>,
}

/// What accompanies the making of a model.
#[derive(Default)]
pub struct With<'a> {
    /// Rows that judge the training: then none are held back.
    pub validation: Option<Validation<'a>>,
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
    /// on training rows and on those held back. Those of weight 0 are left out. (Batch normalisation's statistics and
    /// [`suited_to`](Self::suited_to) count rows as they are.)
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
        self.fit_begun(source, rows, with, Begin::default())
    }

    /// Trains a model further (a warm start): from its parameters, with its preprocessing, classes and all; what an optimiser remembers
    /// begins anew. [`Recipe::of`] is a recipe for it.
    ///
    /// A share of rows held back or tested on is the one that the model was not trained on only if `source`, seed and shares are those
    /// of its own training: else such rows may be known to it.
    ///
    /// **Determinism** as [`fit_with`](Self::fit_with). **Errors** as there; also another network, task, target or preprocessing
    /// than the model's, naming the layer or setting and both values; rows that lack one of its columns; a category or class that
    /// it has not seen, with file, line, column and value.
    ///
    /// ```
    /// use deltarule::data::csv;
    /// use deltarule::model::{Recipe, Source, With};
    ///
    /// let table = |text: &str| csv::read_from(text.as_bytes(), "t.csv", &csv::Options::default());
    /// let first = Source::table(table("a,y\n1,no\n2,no\n8,yes\n9,yes\n")?, &["y"], None)?;
    /// let model = Recipe::default().fit_with::<f32>(&first, &[0, 1, 2, 3], With::default())?.model;
    /// let more = Source::table(table("y,a\nno,3\nyes,7\n")?, &["y"], None)?;
    /// let fitted = Recipe::of(&model).fit_from(&model, &more, &[0, 1], With::default())?;
    /// assert_eq!(fitted.model.input, model.input);
    /// let unseen = Source::table(table("a,y\n3,no\n7,perhaps\n")?, &["y"], None)?;
    /// let error = Recipe::of(&model).fit_from(&model, &unseen, &[0, 1], With::default()).unwrap_err();
    /// assert!(error.to_string().starts_with("t.csv:3: column 'y': class 'perhaps' was not seen in training"));
    /// # Ok::<(), deltarule::Error>(())
    /// ```
    pub fn fit_from<T: Float>(
        &self,
        model: &Model<T>,
        source: &Source,
        rows: &[usize],
        with: With<'_>,
    ) -> Result<Fitted<T>> {
        self.fit_begun(source, rows, with, Begin { model: Some(model), state: None })
    }

    /// All of [`fit_with`](Self::fit_with), from wherever it begins.
    pub(super) fn fit_begun<T: Float>(
        &self,
        source: &Source,
        rows: &[usize],
        with: With<'_>,
        begin: Begin<'_, T>,
    ) -> Result<Fitted<T>> {
        let With { validation, observe, interrupt, checkpoint } = with;
        let judges = validation.map_or(source, |validation| validation.source);
        // A training in parts says itself where the first is from.
        let start = (begin.model, begin.state.is_none());
        let Prepared { mut model, mut trainer, training, factors, learnt, judged, told, warnings } =
            self.prepare(source, rows, validation, start)?;
        let measured = self.measures_training.then_some((source, &training));
        let measures = (self.monitor.is_some() || self.measures_training)
            .then(|| {
                Measures::new(&model.target, model.output(), measured, judged.as_ref().map(|judged| (judges, judged)))
            })
            .transpose()?;
        if let Some(name) = &self.monitor {
            trainer.stopping.monitor = Measures::monitor(&model.target, model.output(), name)?;
        }
        let judged =
            judged.as_ref().map(|rows| Rows::new(&model, judges, rows, factors.as_deref(), true)).transpose()?;
        let Model { input, network, .. } = &mut model;
        let mut in_file = InFile::new(input, source, training.rows());
        let inputs: Option<&mut dyn Inputs<T>> = if source.is_in_file() { Some(&mut in_file) } else { None };
        let mut ended = None;
        let mut keep = |snapshot: &Snapshot<'_, T>| {
            ended = Some(snapshot.to_saved());
            Ok(())
        };
        // The state at the end alone is of use.
        let save = begin.state.is_some().then_some(Saving { every: usize::MAX, save: &mut keep });
        let observe = observe.map(|observe| -> &mut Observer<'_> { observe });
        let run = Run {
            inputs,
            held_back: judged.as_ref().map(Rows::batch),
            measure: measures.as_ref().map(|measures| measures as &dyn Measure<T>),
            observe,
            interrupt,
            save,
            resume: begin.state.as_ref().and_then(|state| (**state).clone()),
        };
        let history = match checkpoint {
            None => trainer.run(network, learnt.batch(), run)?,
            Some(state) => trainer.run_checkpointed(network, learnt.batch(), run, state)?,
        };
        if let Some(state) = begin.state {
            *state = ended;
        }
        require_finite(&model.network, history.training.len())?;
        model.provenance.epochs = history.training.len();
        let figures = Measures::names_of(&model.target);
        Ok(Fitted { model, history, figures, judged: told, warnings })
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
        let Prepared::<T> { model, trainer, training, learnt, warnings, .. } =
            self.prepare(source, rows, None, (None, false))?;
        let mut in_file = InFile::new(&model.input, source, training.rows());
        let inputs: Option<&mut dyn Inputs<T>> = if source.is_in_file() { Some(&mut in_file) } else { None };
        let found = trainer.find_rate(&model.network, learnt.batch(), range, inputs, interrupt)?;
        Ok((found, warnings))
    }

    /// What the inputs of `source` hold and what is to be predicted, judged over all rows.
    ///
    /// **Errors** name file, line, column and value.
    pub fn infer(&self, source: &Source) -> Result<(Input, Target, Vec<Warning>)> {
        let options = features::Options { ignore: self.ignored(), ..self.features.clone() };
        self.declared.infer(source, self.task, options)
    }

    /// The columns that are no inputs: those to leave out, and the one that groups the rows.
    pub fn ignored(&self) -> Vec<String> {
        let mut ignored = self.features.ignore.clone();
        if let Parting::Groups(column) = &self.parting {
            ignored.push(column.clone());
        }
        ignored
    }
}

/// Where a training begins, and what becomes of its state.
pub(super) struct Begin<'a, T> {
    /// The model whose parameters, preprocessing and target it goes on with; without, all is made anew.
    pub model: Option<&'a Model<T>>,
    /// The state that it continues, if there is one yet, and where that of its end goes.
    pub state: Option<&'a mut Option<Saved<T>>>,
}

impl<T> Default for Begin<'_, T> {
    fn default() -> Self {
        Self { model: None, state: None }
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
