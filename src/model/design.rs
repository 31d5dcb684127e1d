//! The network and the loss that suit a target, and what else a recipe asks of labels and counts.

use super::{Input, Recipe, Source};
use crate::activation::Activation;
use crate::data::cell::quoted;
use crate::data::{Target, Task};
use crate::error::{Error, Result};
use crate::loss::{Loss, LossFn, Targets, check_smoothing};
use crate::network::{Layer, Norm, Spec};
use crate::train::Solver;

/// Whether the loss reads scores of classes, of which the largest is chosen.
fn is_hinge(loss: Loss) -> bool {
    matches!(loss, Loss::Hinge | Loss::SquaredHinge)
}

/// The network and its loss for an input and a target.
pub(super) fn network(recipe: &Recipe, input: &Input, target: &Target) -> Result<(Spec, Loss)> {
    let classes = target.class_columns().len();
    // Labels do not exclude each other, nor do the two sides of one.
    let exclusive = target.labels().len();
    let perceptron = recipe.trainer.solver == Solver::Perceptron;
    if let Some(loss) = recipe.loss {
        check_task(loss, target.task())?;
    }
    let wants_scores = recipe.loss.is_some_and(is_hinge);
    // Labels have no choice of outputs.
    let is_chosen = !perceptron && (classes == 0 || exclusive > 0);
    let linked = || if is_chosen { recipe.loss?.link() } else { None };
    let output = recipe.output.or_else(linked).unwrap_or(match exclusive {
        _ if perceptron => Activation::Step,
        _ if wants_scores => Activation::Identity,
        0 if classes == 0 => Activation::Identity,
        0 | 2 => Activation::Sigmoid,
        _ => Activation::Softmax,
    });
    let allowed: &[Activation] = match exclusive {
        _ if classes == 0 => &[],
        _ if perceptron => &[Activation::Step],
        _ if wants_scores => &[Activation::Identity],
        0 => &[Activation::Sigmoid],
        _ => &[Activation::Sigmoid, Activation::Softmax],
    };
    if classes > 0 && !allowed.contains(&output) {
        let names: Vec<_> = allowed.iter().map(Activation::name).collect();
        let with = recipe.loss.filter(|_| wants_scores).map_or(String::new(), |loss| format!(" with {loss}"));
        let setting = format!("output activation for {}{with}", if exclusive > 0 { "classes" } else { "labels" });
        return Err(Error::setting(setting, names.join(" or "), output));
    }
    if classes == 0 && matches!(output, Activation::Softmax | Activation::Step) {
        return Err(Error::setting("output activation for a number", "any but softmax and step", output));
    }
    let loss = recipe.loss.unwrap_or(match output {
        Activation::Softmax => Loss::SoftmaxCrossEntropy,
        Activation::Sigmoid if classes > 0 => Loss::LogisticCrossEntropy,
        Activation::Exponential => Loss::Poisson,
        _ => Loss::SquaredError,
    });
    let misses_its_scores = is_hinge(loss) && output != Activation::Identity;
    if misses_its_scores || loss.link().is_some_and(|link| link != output) {
        let expected = format!("a loss for {} outputs", output.name());
        return Err(Error::setting("loss", expected, loss));
    }
    let units = if exclusive == 2 && output != Activation::Softmax { 1 } else { target.width() };
    let count = recipe.activations.len();
    if count != 1 && count != recipe.hidden.len() {
        let expected = format!("1, or one for each of {} hidden layers", recipe.hidden.len());
        return Err(Error::setting("activations", expected, count));
    }
    let activation = |l: usize| recipe.activations[if count == 1 { 0 } else { l }];
    let mut layers: Vec<_> = (recipe.hidden.iter().enumerate())
        .map(|(l, &units)| {
            let layer = Layer::new(units, activation(l)).with_norm(recipe.norm);
            // What a bias would shift all rows by, the mean over them takes away.
            Layer { bias: recipe.norm != Norm::Batch, ..layer }
        })
        .collect();
    layers.push(Layer::new(units, output));
    Ok((Spec::new(input.width(), layers)?, loss))
}

/// Refuses labels to be smoothed where there are none, or where the loss knows whole ones only.
pub(super) fn check_labels(recipe: &Recipe, target: &Target, loss: Loss) -> Result<()> {
    check_smoothing(recipe.label_smoothing)?;
    if recipe.label_smoothing == 0.0 {
        return Ok(());
    }
    let why = match target.number_columns().first() {
        Some(number) => {
            format!("0, for the target {} is a number and {loss} no loss of labels", quoted(&number.name))
        }
        None if recipe.trainer.solver == Solver::Perceptron => "0 with the perceptron rule".into(),
        None if loss.targets() == Targets::Labels => format!("0 with {loss}, whose targets are 0 or 1"),
        None => return Ok(()),
    };
    Err(Error::setting("label smoothing", why, recipe.label_smoothing))
}

/// Refuses a loss that is for the other task. (Errors of probabilities are a loss for classes, too: that of Brier, say.)
fn check_task(loss: Loss, task: Task) -> Result<()> {
    let is_for_numbers = matches!(loss.targets(), Targets::Numbers | Targets::Counts);
    let is_for_numbers_only = matches!(loss, Loss::Quantile { .. } | Loss::LogCosh | Loss::Poisson);
    match task {
        Task::Regress if !is_for_numbers => Err(Error::setting("loss", "a loss for a number", loss)),
        Task::Classify if is_for_numbers_only => Err(Error::setting("loss", "a loss for classes", loss)),
        _ => Ok(()),
    }
}

/// Refuses a negative target, which no rate explains.
pub(super) fn check_counts(source: &Source, target: &Target, rows: &[usize]) -> Result<()> {
    let numbers = source.numbers(target, rows)?;
    match numbers.indexed_iter().find(|(_, number)| **number < 0.0) {
        None => Ok(()),
        Some(((row, column), number)) => {
            let message = format!("poisson expects counts or rates of at least 0, found {number}");
            Err(source.row_fault(rows[row], Some(target.names()[column]), message))
        }
    }
}
