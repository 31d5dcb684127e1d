//! How good a network is on some rows: their loss, and other figures, in pieces of bounded memory.
//!
//! Row 6 of the house: imports everything below.

use super::Trainer;
use super::divergence::diverged;
use super::measure::{Measure, Part};
use crate::activation::ActivationFn;
use crate::error::Result;
use crate::float::Float;
use crate::loss::LossFn;
use crate::memory::zeros;
use crate::network::fold::fold_into;
use crate::network::objective::Batch;
use crate::network::workspace::{Workspace, rows_at_a_time};
use crate::network::{Spec, pass};
use ndarray::{Array2, s};

/// Rows by which a network is judged.
pub(super) struct Judge<'a, 'd, T, L> {
    trainer: &'a Trainer<L>,
    rows: Batch<'d, T>,
    part: Part,
    workspace: Workspace<T>,
    /// Rows judged at a time.
    size: usize,
    /// Room for the folded network, where there is batch normalisation.
    folded: Vec<T>,
    /// Who takes figures, and what they are taken of.
    measure: Option<(&'d dyn Measure<T>, Array2<T>)>,
}

impl<'a, 'd, T: Float, L: LossFn> Judge<'a, 'd, T, L> {
    pub fn new<A: ActivationFn>(
        trainer: &'a Trainer<L>,
        spec: &Spec<A>,
        rows: Batch<'d, T>,
        part: Part,
        measure: Option<&'d dyn Measure<T>>,
    ) -> Result<Self> {
        let size = rows_at_a_time::<T, A>(spec, rows.x.nrows());
        let folded = spec.couples_rows().then(|| spec.folded());
        let workspace =
            Workspace::for_prediction(folded.as_ref().unwrap_or(spec), size, trainer.engine, trainer.threads.clone())?;
        let folded = zeros(folded.map_or(0, |spec| spec.state()), "the folded network")?;
        let measure = measure.map(|measure| (measure, Array2::from_elem((rows.x.nrows(), spec.outputs()), T::ZERO)));
        Ok(Self { trainer, rows, part, workspace, size, folded, measure })
    }

    /// Has `work` done on what predicts: the parameters, of batch normalisation those of the folded network, for `numbers` are a network's
    /// state.
    fn on_network<A: ActivationFn, R>(
        &mut self,
        spec: &Spec<A>,
        numbers: &[T],
        work: impl FnOnce(&mut Self, &Spec<A>, &[T]) -> R,
    ) -> R {
        if !spec.couples_rows() {
            return work(self, spec, numbers);
        }
        let (shape, mut folded) = (spec.folded(), std::mem::take(&mut self.folded));
        fold_into(spec, numbers, &shape, &mut folded);
        let done = work(self, &shape, &folded);
        self.folded = folded;
        done
    }

    /// [`loss`](Self::loss) after the epoch and batch `at`, which must be finite.
    pub fn finite_loss<A: ActivationFn>(&mut self, spec: &Spec<A>, numbers: &[T], at: (usize, usize)) -> Result<f64> {
        let loss = self.on_network(spec, numbers, |judge, spec, params| judge.loss(spec, params))?;
        if loss.is_finite() {
            return Ok(loss);
        }
        let layer = self.workspace.layer_not_finite();
        Err(diverged("loss on the held-back rows", loss, layer, at))
    }

    /// The weighted mean loss, without penalty.
    fn loss<A: ActivationFn>(&mut self, spec: &Spec<A>, params: &[T]) -> Result<f64> {
        let count = self.rows.x.nrows();
        let (mut loss, mut total) = (0.0, 0.0);
        for start in (0..count).step_by(self.size) {
            let rows = self.rows.rows(start..count.min(start + self.size));
            let weight = rows.weights.map_or(rows.x.nrows() as f64, |w| w.iter().map(|w| w.real()).sum());
            if weight > 0.0 {
                let value = pass::value(spec, params, rows, &self.trainer.objective, &mut self.workspace)?;
                loss += weight * value.loss;
                total += weight;
            }
        }
        Ok(loss / total)
    }

    /// The figures of the outputs; none without a [`Measure`].
    pub fn figures<A: ActivationFn>(&mut self, spec: &Spec<A>, numbers: &[T]) -> Result<Vec<f64>> {
        self.on_network(spec, numbers, |judge, spec, params| judge.take_figures(spec, params))
    }

    fn take_figures<A: ActivationFn>(&mut self, spec: &Spec<A>, params: &[T]) -> Result<Vec<f64>> {
        let Some((measure, outputs)) = &mut self.measure else { return Ok(Vec::new()) };
        let count = self.rows.x.nrows();
        for start in (0..count).step_by(self.size) {
            let rows = start..count.min(start + self.size);
            let (x, out) = (self.rows.x.slice(s![rows.clone(), ..]), outputs.slice_mut(s![rows, ..]));
            pass::predict_into(spec, params, x, &mut self.workspace, out)?;
        }
        measure.figures(self.part, outputs.view())
    }
}

/// The bytes that a judge takes for so many rows, of whose outputs figures are taken if it `measures`. Nothing is allocated.
pub(super) fn required_bytes<T: Float, A: ActivationFn>(spec: &Spec<A>, rows: usize, measures: bool) -> u128 {
    let folded = spec.couples_rows().then(|| spec.folded());
    let outputs = if measures { rows as u128 * spec.outputs() as u128 } else { 0 };
    let numbers = folded.as_ref().map_or(0, |spec| spec.state()) as u128 + outputs;
    let size = rows_at_a_time::<T, A>(spec, rows);
    Workspace::<T>::required_bytes(folded.as_ref().unwrap_or(spec), size, false) + numbers * size_of::<T>() as u128
}

/// All who say after an epoch how good the network is: the rows held back, and the figures of those trained on.
pub(super) struct Jury<'a, 'd, T, L> {
    held_back: Option<Judge<'a, 'd, T, L>>,
    training: Option<Judge<'a, 'd, T, L>>,
}

/// What a jury said.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// The loss on the rows held back, if there are any.
    pub validation: Option<f64>,
    /// Figures of the rows trained on; empty without a [`Measure`].
    pub training_figures: Vec<f64>,
    /// Figures of the rows held back; empty without them or a [`Measure`].
    pub validation_figures: Vec<f64>,
}

impl<'a, 'd, T: Float, L: LossFn> Jury<'a, 'd, T, L> {
    pub fn new<A: ActivationFn>(
        trainer: &'a Trainer<L>,
        spec: &Spec<A>,
        training: Batch<'d, T>,
        held_back: Option<Batch<'d, T>>,
        measure: Option<&'d dyn Measure<T>>,
    ) -> Result<Self> {
        let of_training = measure.filter(|measure| measure.measures_training());
        let judge = |rows, part, measure| Judge::new(trainer, spec, rows, part, measure);
        Ok(Self {
            held_back: held_back.map(|rows| judge(rows, Part::HeldBack, measure)).transpose()?,
            training: of_training.map(|measure| judge(training, Part::Training, Some(measure))).transpose()?,
        })
    }

    /// Whether there are rows held back.
    pub fn judges(&self) -> bool {
        self.held_back.is_some()
    }

    /// Whether anybody has something to say.
    pub fn listens(&self) -> bool {
        self.held_back.is_some() || self.training.is_some()
    }

    /// What is to be said after the epoch and batch `at` of a network of the state `numbers`.
    pub fn hear<A: ActivationFn>(&mut self, spec: &Spec<A>, numbers: &[T], at: (usize, usize)) -> Result<Heard> {
        let validation = self.held_back.as_mut().map(|judge| judge.finite_loss(spec, numbers, at)).transpose()?;
        let figures = |judge: &mut Option<Judge<'_, '_, T, L>>| match judge {
            Some(judge) => judge.figures(spec, numbers),
            None => Ok(Vec::new()),
        };
        Ok(Heard {
            validation,
            training_figures: figures(&mut self.training)?,
            validation_figures: figures(&mut self.held_back)?,
        })
    }
}
