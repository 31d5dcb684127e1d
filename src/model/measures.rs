//! Figures of a network in training, in the target's own terms: accuracies of classes, errors of numbers in their own units.
//!
//! Part of `model`, for `recipe.rs`: what the trainer sees of it is a [`Measure`].

use super::predictions::Truth;
use super::weighing::Weighed;
use super::{Predictions, Source};
use crate::activation::Activation;
use crate::data::Target;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::metrics::{Classification, MultiLabel, Regression};
use crate::train::{Measure, Monitor, Part};
use ndarray::{Array2, ArrayView2};

/// Rows, and their numbers.
struct Known<'a> {
    rows: &'a Weighed,
    /// Rows x number columns.
    numbers: Array2<f64>,
}

/// The figures that a task has, of the rows trained on and of those held back.
pub(super) struct Measures<'a> {
    target: Target,
    output: Option<Activation>,
    training: Option<Known<'a>>,
    held_back: Option<Known<'a>>,
}

impl<'a> Measures<'a> {
    /// For a target and the network's last activation, of rows each with what they are of; those trained on are measured only if there
    /// are any given.
    ///
    /// **Errors** name file, line, column and value.
    pub fn new(
        target: &Target,
        output: Option<Activation>,
        training: Option<(&Source, &'a Weighed)>,
        held_back: Option<(&Source, &'a Weighed)>,
    ) -> Result<Self> {
        let known = |(source, rows): (&Source, &'a Weighed)| {
            let numbers = match target.number_columns() {
                [] => Array2::zeros((rows.rows().len(), 0)),
                _ => source.numbers(target, rows.rows())?,
            };
            Ok(Known { rows, numbers })
        };
        Ok(Self {
            target: target.clone(),
            output,
            training: training.map(known).transpose()?,
            held_back: held_back.map(known).transpose()?,
        })
    }

    /// The names of the figures of a target's kind, the most telling first.
    pub fn names_of(target: &Target) -> Vec<&'static str> {
        match target {
            Target::Classes(_) => Classification::NAMES.to_vec(),
            Target::Labels(_) => MultiLabel::NAMES.to_vec(),
            Target::Number(_) | Target::Numbers(_) => Regression::NAMES.to_vec(),
        }
    }

    /// What to watch for a figure's name, of a network that ends in the activation `output`: of an error less is better, of all others
    /// more.
    ///
    /// **Errors** if such a model has no such figure, naming those that it has.
    pub fn monitor(target: &Target, output: Option<Activation>, name: &str) -> Result<Monitor> {
        let names = Self::names_of(target);
        let is_defined = |name: &str| name != "log_loss" || Predictions::are_probabilities(output);
        if let Some(index) = names.iter().position(|known| *known == name).filter(|_| is_defined(name)) {
            return Ok(Monitor::Figure { index, rises: !matches!(name, "log_loss" | "hamming_loss" | "rmse" | "mae") });
        }
        let known: Vec<_> = names.iter().copied().filter(|name| is_defined(name)).collect();
        let why = if known.len() < names.len() { " (without probabilities there is no log_loss)" } else { "" };
        Err(Error::setting("monitor", format!("one of {}{why}", known.join(", ")), format!("'{name}'")))
    }
}

impl<T: Float> Measure<T> for Measures<'_> {
    fn names(&self) -> Vec<String> {
        Self::names_of(&self.target).into_iter().map(Into::into).collect()
    }

    fn figures(&self, part: Part, outputs: ArrayView2<'_, T>) -> Result<Vec<f64>> {
        let known = match part {
            Part::Training => &self.training,
            Part::HeldBack => &self.held_back,
        };
        let Some(Known { rows, numbers }) = known else { return Ok(Vec::new()) };
        let truth = Truth { classes: rows.classes(), numbers: numbers.view() };
        let predictions = Predictions::of(&self.target, self.output, outputs)?;
        let metrics =
            predictions.metrics(truth, rows.weights.as_deref(), Predictions::are_probabilities(self.output))?;
        Ok(metrics.figures().into_iter().map(|(_, figure)| figure).collect())
    }

    fn measures_training(&self) -> bool {
        self.training.is_some()
    }
}
