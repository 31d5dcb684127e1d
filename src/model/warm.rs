//! A training that goes on with a model: what of a recipe must then be the model's, and is refused by name where it is not.
//!
//! Part of `model`, for `recipe.rs`. scikit-learn keeps the old network, without a word, where `hidden_layer_sizes` has changed between two
//! fits with `warm_start`. Row 6 of the house. Begin reading at [`Recipe::of`].

use super::{Input, Model, Recipe, Source};
use crate::activation::Activation;
use crate::data::cell::{list, quoted};
use crate::data::{Parting, Task, features};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::Loss;
use crate::network::{Norm, Spec};
use crate::train::{Solver, Trainer};

impl Recipe {
    /// The recipe of a network like the model's, of its loss and of what it does with missing cells, and defaults for how it is
    /// trained: what [`fit_from`](Self::fit_from) and [`Incremental::of`](super::Incremental::of) go on with.
    pub fn of<T: Float>(model: &Model<T>) -> Self {
        let defaults = Self::default();
        let (hidden, output) = match model.network.spec().layers() {
            [hidden @ .., output] => (hidden, Some(output.activation)),
            [] => (&[][..], None),
        };
        let solver = if output == Some(Activation::Step) { Solver::Perceptron } else { defaults.trainer.solver };
        Self {
            task: Some(model.target.task()),
            hidden: hidden.iter().map(|layer| layer.outputs).collect(),
            activations: hidden.iter().map(|layer| layer.activation).collect(),
            norm: hidden.first().map_or(Norm::None, |layer| layer.norm),
            output,
            loss: Some(model.loss),
            features: match &model.input {
                Input::Table(known) => features::Options { missing: known.missing, ..features::Options::default() },
                Input::Images { .. } => features::Options::default(),
            },
            trainer: Trainer { solver, ..defaults.trainer },
            ..defaults
        }
    }
}

/// Refuses a recipe that wants another preprocessing than the model's, and a source with another target.
pub(super) fn check_recipe<T: Float>(recipe: &Recipe, source: &Source, model: &Model<T>) -> Result<()> {
    let name = |task: Task| if task == Task::Classify { "classify" } else { "regress" };
    let task = model.target.task();
    if let Some(other) = recipe.task.filter(|other| *other != task) {
        return Err(Error::setting("task", format!("{}, that of the model to go on with", name(task)), name(other)));
    }
    if let Some(init) = recipe.init {
        return Err(Error::setting("init", "none where a training goes on with a model's parameters", init.name()));
    }
    let features::Options { categorical, ignore, missing } = &recipe.features;
    for (setting, columns) in [("categorical", categorical), ("ignore", ignore)] {
        if !columns.is_empty() {
            let expected = "no column where a training goes on with a model, whose preprocessing stays";
            return Err(Error::setting(setting, expected, list(columns)));
        }
    }
    if !recipe.declared.is_empty() {
        let expected = "none where a training goes on with a model, whose classes and categories stay";
        return Err(Error::setting("declared classes and categories", expected, "some"));
    }
    if let Input::Table(known) = &model.input {
        if known.missing != *missing {
            let [expected, found] = [known.missing, *missing].map(|missing| format!("{missing:?}").to_lowercase());
            return Err(Error::setting("missing", format!("{expected}, that of the model to go on with"), found));
        }
        if let Parting::Groups(column) = &recipe.parting
            && known.columns.iter().any(|feature| feature.name == *column)
        {
            let expected = "a column that is no input of the model to go on with";
            return Err(Error::setting("groups", expected, quoted(column)));
        }
    }
    let names = source.target_names();
    if matches!(source, Source::Table { .. }) && names != model.target.names() {
        let expected = format!("{}, that of the model to go on with", list(&model.target.names()));
        return Err(Error::setting("target", expected, list(&names)));
    }
    Ok(())
}

/// Refuses a network or a loss that cannot go on with the model's parameters, naming the first difference and both values.
pub(super) fn check_network<T: Float>(spec: &Spec, loss: Loss, model: &Model<T>) -> Result<()> {
    let known = model.network.spec();
    let differs = |what: String, expected: String, found: String| {
        Err(Error::setting(what, format!("{expected}, that of the model to go on with"), found))
    };
    let hidden = |spec: &Spec| spec.layers().len() - 1;
    if hidden(spec) != hidden(known) {
        return differs("hidden layers".into(), hidden(known).to_string(), hidden(spec).to_string());
    }
    if spec.inputs() != known.inputs() {
        return differs("inputs of the network".into(), known.inputs().to_string(), spec.inputs().to_string());
    }
    let biases = |has: bool| if has { "biases" } else { "no biases" };
    for (l, (new, old)) in spec.layers().iter().zip(known.layers()).enumerate() {
        let fields = [
            ("units", old.outputs.to_string(), new.outputs.to_string()),
            ("activation", old.activation.to_string(), new.activation.to_string()),
            ("norm", format!("{:?}", old.norm).to_lowercase(), format!("{:?}", new.norm).to_lowercase()),
            ("biases", biases(old.bias).into(), biases(new.bias).into()),
        ];
        if let Some((field, expected, found)) = fields.into_iter().find(|(_, old, new)| old != new) {
            return differs(format!("{field} of layer {}", l + 1), expected, found);
        }
    }
    // Rates are learnt in the target's own units, all other numbers standardised. Any other loss of the same outputs may follow.
    if (loss == Loss::Poisson) != (model.loss == Loss::Poisson) {
        return differs("loss".into(), model.loss.to_string(), loss.to_string());
    }
    Ok(())
}
