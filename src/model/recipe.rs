//! How a model is made from raw rows: the choices of a person, and defaults for all of them.

use super::source::InFile;
use super::{Input, Model, Provenance, Source};
use crate::activation::Activation;
use crate::data::{Parting, Target, Task, Warning, features, split};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::init::Init;
use crate::loss::{Loss, LossFn};
use crate::memory;
use crate::network::objective::{Batch, Objective};
use crate::network::spec::Block;
use crate::network::workspace::{Workspace, rows_at_a_time};
use crate::network::{Layer, Network, Spec};
use crate::rng::{Rng, stream};
use crate::train::{History, Inputs, Observer, Run, Solver, Trainer};
use ndarray::Array2;

/// What network to build, and how to train it.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Classes or a number; guessed from the column if not given.
    pub task: Option<Task>,
    /// Units of each hidden layer.
    pub hidden: Vec<usize>,
    /// The hidden layers' activation, or one for each.
    pub activations: Vec<Activation>,
    /// The output's activation; by the task if not given.
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
            output: None,
            loss: None,
            init: None,
            features: features::Options::default(),
            trainer: Trainer { learning_rate: 0.005, batch: 32, ..Trainer::default() },
            held_back: None,
            parting: Parting::Random,
        }
    }
}

/// A model and how it came about.
#[derive(Clone, Debug)]
pub struct Fitted<T> {
    /// The model.
    pub model: Model<T>,
    /// The losses of the training.
    pub history: History,
    /// What was odd about the data.
    pub warnings: Vec<Warning>,
}

impl Recipe {
    /// Makes a model from the given rows of `source`: nothing is learnt from the others, except which categories exist.
    ///
    /// **Determinism**: the same source, rows and recipe give the same bits, for any number of threads.
    /// **Errors** name file, line, column and value, or the setting.
    pub fn fit<T: Float>(&self, source: &Source, rows: &[usize], observe: &mut Observer<'_>) -> Result<Fitted<T>> {
        let (mut input, mut target, mut warnings) = self.infer(source)?;
        let (training, judged) = self.hold_back(source, &target, rows)?;
        warnings.extend(source.fit(&mut input, &mut target, &training)?);
        warnings.dedup();
        let (spec, loss) = self.network(&input, &target)?;
        let in_memory = judged.len() + if source.is_in_file() { 0 } else { training.len() };
        self.require_memory::<T>(&spec, (training.len(), judged.len()), in_memory)?;
        let seed = self.trainer.seed;
        let network = Network::<T>::new(spec, self.init, &mut Rng::with_stream(seed, stream::WEIGHTS))?;
        if let (Some(init), Some(bad)) = (self.init, network.params().iter().find(|w| !w.is_finite())) {
            return Err(Error::setting(format!("init {}", init.name()), format!("weights finite in {}", T::NAME), bad));
        }
        let mut trainer = self.trainer.clone();
        trainer.objective.loss = loss;

        let provenance = Provenance {
            version: env!("CARGO_PKG_VERSION").into(),
            data: source.name().into(),
            rows: training.len(),
            class_counts: count_classes(source, &target, &training)?,
            seed,
            training: describe(&trainer),
            epochs: 0,
        };
        let mut model = Model { input, network, target, loss, provenance, certificate: None };
        // Rows that lie in a file stay there; their targets are a few numbers each.
        let in_memory = if source.is_in_file() { &[][..] } else { &training };
        let x = match in_memory {
            [] => Array2::from_elem((training.len(), 0), T::ZERO),
            rows => model.input.encode::<T>(source, rows)?,
        };
        let y = model.encode_targets(source, &training)?;
        let judged = match judged.is_empty() {
            true => None,
            false => Some((model.input.encode::<T>(source, &judged)?, model.encode_targets(source, &judged)?)),
        };
        let batch = |x, y| Batch { x, y, weights: None };
        let held_back = judged.as_ref().map(|(x, y)| batch(x.view(), y.view()));
        let Model { input, network, .. } = &mut model;
        let mut in_file = InFile::new(input, source, &training);
        let inputs: Option<&mut dyn Inputs<T>> = if source.is_in_file() { Some(&mut in_file) } else { None };
        let run = Run { held_back, inputs, observe: Some(observe), ..Run::default() };
        let history = trainer.run(network, batch(x.view(), y.view()), run)?;
        require_finite(&model.network, history.training.len())?;
        model.provenance.epochs = history.training.len();
        Ok(Fitted { model, history, warnings })
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
        let encoded = in_memory as u128 * spec.inputs() as u128 + rows * spec.outputs() as u128;
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
        let mut classes = Vec::new();
        let strata = source.strata(target, rows, &self.parting, &mut classes)?;
        // Another stream than the hold-out's, or the two splits would pick the same places.
        let parts = split::hold_out(strata, share, &mut Rng::with_stream(self.trainer.seed, stream::SPLIT + 1))
            .map_err(|error| match error {
                Error::Setting { expected, found, .. } => Error::setting("held-back share", expected, found),
                other => other,
            })?;
        let pick = |part: &[usize]| part.iter().map(|&i| rows[i]).collect();
        Ok((pick(&parts.train), pick(&parts.test)))
    }

    /// The network and its loss for an input and a target.
    fn network(&self, input: &Input, target: &Target) -> Result<(Spec, Loss)> {
        let classes = target.labels().len();
        let perceptron = self.trainer.solver == Solver::Perceptron;
        let output = self.output.unwrap_or(match classes {
            _ if perceptron => Activation::Step,
            0 => Activation::Identity,
            2 => Activation::Sigmoid,
            _ => Activation::Softmax,
        });
        let allowed: &[Activation] = match classes {
            0 => &[],
            _ if perceptron => &[Activation::Step],
            _ => &[Activation::Sigmoid, Activation::Softmax],
        };
        if classes > 0 && !allowed.contains(&output) {
            let names: Vec<_> = allowed.iter().map(Activation::name).collect();
            return Err(Error::setting("output activation for classes", names.join(" or "), output));
        }
        if classes == 0 && matches!(output, Activation::Softmax | Activation::Step) {
            return Err(Error::setting("output activation for a number", "any but softmax and step", output));
        }
        let loss = self.loss.unwrap_or(match output {
            Activation::Softmax => Loss::SoftmaxCrossEntropy,
            Activation::Sigmoid if classes > 0 => Loss::LogisticCrossEntropy,
            _ => Loss::SquaredError,
        });
        if loss.link().is_some_and(|link| link != output) {
            let expected = format!("a loss for {} outputs", output.name());
            return Err(Error::setting("loss", expected, loss));
        }
        let units = if classes == 2 && output != Activation::Softmax { 1 } else { classes.max(1) };
        let count = self.activations.len();
        if count != 1 && count != self.hidden.len() {
            return Err(Error::setting(
                "activations",
                format!("1, or one for each of {} hidden layers", self.hidden.len()),
                count,
            ));
        }
        let activation = |l: usize| self.activations[if count == 1 { 0 } else { l }];
        let mut layers: Vec<_> =
            self.hidden.iter().enumerate().map(|(l, &units)| Layer::new(units, activation(l))).collect();
        layers.push(Layer::new(units, output));
        Ok((Spec::new(input.width(), layers)?, loss))
    }
}

/// No model holds a number that is not finite, whatever the solver.
fn require_finite<T: Float>(network: &Network<T>, epoch: usize) -> Result<()> {
    let finite = |block: &Block| network.params()[block.weights.start..block.bias.end].iter().all(|p| p.is_finite());
    match network.spec().blocks().iter().position(|block| !finite(block)) {
        None => Ok(()),
        Some(layer) => {
            let what = "a weight".into();
            Err(Error::Diverged { epoch, batch: 1, layer: Some(layer + 1), what, value: f64::NAN })
        }
    }
}

/// How many of the rows are of each class; nothing for a number.
fn count_classes(source: &Source, target: &Target, rows: &[usize]) -> Result<Vec<usize>> {
    let mut counts = vec![0; target.labels().len()];
    if let Target::Classes { .. } = target {
        source.classes(target, rows)?.into_iter().for_each(|class| counts[class] += 1);
    }
    Ok(counts)
}

/// How a model was trained, in words.
fn describe(trainer: &Trainer) -> String {
    let Objective { loss, l1, l2 } = trainer.objective;
    let l1 = if l1 == 0.0 { String::new() } else { format!(", l1 {l1}") };
    let objective = format!("{loss}{l1}, l2 {l2}");
    match trainer.solver {
        Solver::Steps(method) => {
            format!("{method}; rate {}, batch {}; {objective}", trainer.learning_rate, trainer.batch)
        }
        Solver::Lbfgs => format!("L-BFGS; {objective}"),
        Solver::Perceptron => format!("perceptron rule; rate {}", trainer.learning_rate),
    }
}
