//! A model before its training, and the rows that it will learn from and be judged by.
//!
//! Part of `model`, for `recipe.rs`. Row 6 of the house. Begin reading at [`Recipe::prepare`].

use super::design;
use super::warm;
use super::weighing::Weighed;
use super::{Model, Provenance, Recipe, Source};
use crate::data::cell::count;
use crate::data::{Target, Warning, split};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::{Loss, smooth_labels};
use crate::memory;
use crate::network::objective::{Batch, Objective};
use crate::network::workspace::{Workspace, rows_at_a_time};
use crate::network::{Network, Spec};
use crate::rng::{Rng, stream};
use crate::schedule::Schedule;
use crate::train::{Scope, Solver, Trainer};
use ndarray::Array2;

/// Which rows judged a training after each epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// How many.
    pub rows: usize,
    /// The file that they are from.
    pub data: String,
    /// Whether they were held back from the rows to train on; else they were given.
    pub is_held_back: bool,
}

/// Rows of one's own that judge a training, in place of some held back.
///
/// They are encoded by what was learnt from the rows trained on, which they have no part in: no mean, no category and no class comes
/// from them. Of a table columns are matched as those of any rows to predict: by name, in any order, with others between them, or by
/// position without a header. They may have weights, and lie in a file.
#[derive(Clone, Copy, Debug)]
pub struct Validation<'a> {
    /// What they are rows of.
    pub source: &'a Source,
    /// Which; those of weight 0 are left out.
    pub rows: &'a [usize],
}

/// A model before its training.
pub(super) struct Prepared<T> {
    pub(super) model: Model<T>,
    pub(super) trainer: Trainer,
    /// The rows trained on, and what the classes of each count.
    pub(super) training: Weighed,
    pub(super) factors: Option<Vec<Vec<f64>>>,
    /// The same as the network reads them.
    pub(super) learnt: Rows<T>,
    pub(super) judged: Option<Weighed>,
    pub(super) told: Option<Judged>,
    pub(super) warnings: Vec<Warning>,
}

/// Rows as a network reads them.
pub(super) struct Rows<T> {
    x: Array2<T>,
    y: Array2<T>,
    weights: Option<Vec<T>>,
}

impl<T: Float> Rows<T> {
    /// Rows that are trained on stay in their file if they are in one; those that judge are few.
    pub(super) fn new(
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

    pub(super) fn batch(&self) -> Batch<'_, T> {
        Batch { x: self.x.view(), y: self.y.view(), weights: self.weights.as_deref() }
    }
}

impl Recipe {
    /// The model before its training, and what it will learn from; `start` is what it begins as, and whether it is said to be.
    pub(super) fn prepare<T: Float>(
        &self,
        source: &Source,
        rows: &[usize],
        validation: Option<Validation<'_>>,
        (start, is_named): (Option<&Model<T>>, bool),
    ) -> Result<Prepared<T>> {
        let (mut input, mut target, mut warnings) = match start {
            None => self.infer(source)?,
            Some(model) => {
                warm::check_recipe(self, source, model)?;
                (model.input.clone(), model.target.clone(), Vec::new())
            }
        };
        let counted = source.counted(rows)?;
        if counted.is_empty() {
            return Err(Error::data(source.name(), "no rows to train on"));
        }
        let (training, judged) = match validation {
            None => self.hold_back(source, &target, &counted)?,
            Some(validation) => (counted, self.validation_rows(&validation)?),
        };
        let judges = validation.map_or(source, |validation| validation.source);
        let training = Weighed::new(source, &target, training)?;
        if start.is_none() {
            warnings.extend(source.fit(&mut input, &mut target, training.rows(), training.weights.as_deref())?);
            warnings.dedup();
        }
        let factors = self.class_weights.as_ref().map(|weights| training.factors(weights, &target)).transpose()?;
        let (spec, loss) = design::network(self, &input, &target)?;
        design::check_labels(self, &target, loss)?;
        start.map_or(Ok(()), |model| warm::check_network(&spec, loss, model))?;
        let mut means = start.map_or(Vec::new(), |model| model.provenance.means.clone());
        if loss == Loss::Poisson {
            design::check_counts(source, &target, training.rows())?;
            design::check_counts(judges, &target, &judged)?;
        }
        if start.is_none() {
            if !self.standardise {
                input.keep_as_they_are();
            }
            if !self.standardise || loss == Loss::Poisson {
                means = target.keep_as_they_are();
            }
        }
        let in_memory = judged.len() + if source.is_in_file() { 0 } else { training.rows().len() };
        let given = Scope {
            rows: training.rows().len(),
            held_back: judged.len(),
            streams: source.is_in_file(),
            measures: self.monitor.is_some() || self.measures_training,
            measures_training: self.measures_training,
        };
        self.require_memory::<T>(&spec, given, in_memory)?;
        let seed = self.trainer.seed;
        let network = match start {
            Some(model) => model.network.clone(),
            None => self.first_network(spec, if loss == Loss::Poisson { &means } else { &[] })?,
        };
        let mut trainer = self.trainer.clone();
        trainer.objective.loss = loss;

        let judged = match judged.is_empty() {
            true => None,
            false => Some(Weighed::new(judges, &target, judged)?),
        };
        let told = judged.as_ref().map(|judged| Judged {
            rows: judged.rows().len(),
            data: judges.name().into(),
            is_held_back: validation.is_none(),
        });
        let mut words = describe(&trainer, self.label_smoothing) + &self.describe_weights(source);
        if let Some(Judged { rows, data, is_held_back: false }) = &told {
            words += &format!("; judged on {} of {data}", count(*rows, "row"));
        }
        if let (Some(model), true) = (start, is_named) {
            words += &origin(model);
        }
        let provenance = Provenance {
            version: env!("CARGO_PKG_VERSION").into(),
            data: source.name().into(),
            rows: training.rows().len(),
            class_counts: training.class_counts(&target),
            class_shares: training.class_shares(&target),
            seed,
            training: words,
            epochs: 0,
            means,
        };
        let model = Model { input, network, target, loss, provenance, certificate: None };
        // Rows that lie in a file stay there; their targets are a few numbers each.
        let mut learnt = Rows::new(&model, source, &training, factors.as_deref(), false)?;
        if self.label_smoothing > 0.0 {
            // Labels do not exclude each other: each is one of two by itself.
            let cols = if model.target.labels().is_empty() { 1 } else { learnt.y.ncols() };
            smooth_labels(learnt.y.as_slice_mut().expect("row-major, as it was made"), cols, self.label_smoothing)?;
        }
        Ok(Prepared { model, trainer, training, factors, learnt, judged, told, warnings })
    }

    /// Refuses a network that cannot be trained in the memory there is, before the first of it is touched.
    fn require_memory<T: Float>(&self, spec: &Spec, given: Scope, in_memory: usize) -> Result<()> {
        // The network and the encoded data, and what their training takes; or what comes after, for which a training must not
        // have been in vain: the predictions that it is judged by, and the bytes of the file with its tensors.
        let rows = given.rows as u128 + given.held_back as u128;
        // A row is inputs, outputs and a weight.
        let encoded = in_memory as u128 * spec.inputs() as u128 + rows * (spec.outputs() as u128 + 1);
        let numbers = spec.parameters() as u128 + encoded;
        let file = 2 * spec.parameters() as u128 * size_of::<T>() as u128;
        let judging = Workspace::<T>::required_bytes(spec, rows_at_a_time::<T, _>(spec, given.rows), false);
        memory::require(
            &format!("training {} parameters in {}", spec.parameters(), T::NAME),
            numbers * size_of::<T>() as u128 + self.trainer.required_bytes::<T, _>(spec, given).max(judging).max(file),
        )
    }

    /// The network before training.
    fn first_network<T: Float>(&self, spec: Spec, means: &[f64]) -> Result<Network<T>> {
        let mut rng = Rng::with_stream(self.trainer.seed, stream::WEIGHTS);
        let mut network = Network::<T>::new(spec, self.init, &mut rng)?;
        if let (Some(init), Some(bad)) = (self.init, network.params().iter().find(|w| !w.is_finite())) {
            return Err(Error::setting(format!("init {}", init.name()), format!("weights finite in {}", T::NAME), bad));
        }
        if let Some(last) = network.spec().blocks().last().cloned() {
            // From the rates of all rows together, as standardised targets start from their mean: rates of 1 would take long to a million.
            for (bias, mean) in network.params_mut()[last.bias].iter_mut().zip(means).filter(|(_, mean)| **mean > 0.0) {
                *bias = T::from_f64(libm::log(*mean));
            }
        }
        Ok(network)
    }

    /// Rows of one's own that count.
    fn validation_rows(&self, validation: &Validation<'_>) -> Result<Vec<usize>> {
        if let Some(share) = self.held_back {
            let expected = "none beside rows of one's own to validate on";
            return Err(Error::setting("held-back share", expected, share));
        }
        let rows = validation.source.counted(validation.rows)?;
        if rows.is_empty() {
            return Err(Error::data(validation.source.name(), "no rows to validate on"));
        }
        Ok(rows)
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

/// Where a training that goes on with a model begins, in words that follow others.
pub(super) fn origin<T: Float>(model: &Model<T>) -> String {
    let hash = model.parameters_sha256();
    format!("; from parameters {}... of {}", &hash[..12], count(model.provenance.epochs, "epoch"))
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
