//! What a source file has to say of a model, whatever the language: inputs, layers, outputs and the functions in them.

use super::record::{self, Function};
use crate::foreign;
use deltarule::activation::Activation;
use deltarule::data::Target;
use deltarule::data::features::Kind;
use deltarule::float::Float;
use deltarule::model::{Input, Model};
use deltarule::network::{Layer, Network, Norm};
use deltarule::{Error, Result};

/// How a raw column becomes inputs of the network.
#[derive(Clone, Debug)]
pub enum Column {
    /// `(value - mean) / scale`; a missing one is `fill`.
    Number { name: String, mean: f64, scale: f64, fill: Option<f64> },
    /// The code of one of the texts, one-hot; a missing one is `fill`.
    Category { name: String, levels: Vec<String>, fill: Option<usize> },
}

impl Column {
    /// Its name.
    pub fn name(&self) -> &str {
        let (Self::Number { name, .. } | Self::Category { name, .. }) = self;
        name
    }

    /// The texts of a category.
    pub fn levels(&self) -> &[String] {
        match self {
            Self::Number { .. } => &[],
            Self::Category { levels, .. } => levels,
        }
    }

    /// What stands for a missing value.
    pub fn fill(&self) -> Option<f64> {
        match self {
            Self::Number { fill, .. } => *fill,
            Self::Category { fill, .. } => fill.map(|code| code as f64),
        }
    }
}

/// What the raw inputs are.
#[derive(Clone, Debug)]
pub enum Inputs {
    /// The columns of a table.
    Columns(Vec<Column>),
    /// So many grey pixels, from 0 to 255.
    Pixels(usize),
}

impl Inputs {
    /// How many raw numbers a row has.
    pub fn count(&self) -> usize {
        match self {
            Self::Columns(columns) => columns.len(),
            Self::Pixels(count) => *count,
        }
    }

    /// The columns; none of pixels.
    pub fn columns(&self) -> &[Column] {
        match self {
            Self::Columns(columns) => columns,
            Self::Pixels(_) => &[],
        }
    }
}

/// How the network's outputs become what the model says.
#[derive(Clone, Debug, PartialEq)]
pub enum Outputs {
    /// In their own units: mean and scale of each.
    Numbers(Vec<(f64, f64)>),
    /// They are the probabilities.
    AsTheyAre,
    /// Each is a score: 1 where it is positive.
    Signs,
    /// One score of two classes: the second where it is positive.
    Sign,
    /// One output is the probability of the second class of two.
    Second,
    /// The class with the largest score has 1.
    Largest,
    /// Divided by their sum; where that is 0 all are as probable.
    Shares,
}

/// A model, laid out for writing.
#[derive(Debug)]
pub struct Plan<'a, T> {
    /// The model.
    pub model: &'a Model<T>,
    /// Its network, without batch normalisation.
    pub network: Network<T>,
    /// The raw inputs.
    pub inputs: Inputs,
    /// What is made of the outputs.
    pub outputs: Outputs,
    /// The functions of the layers, each once, and those that softmax is made of.
    pub functions: Vec<Function<T>>,
    /// For each layer, the place of its function; none of the identity and of softmax.
    pub of_layer: Vec<Option<usize>>,
}

impl<'a, T: Float> Plan<'a, T> {
    /// Lays a model out.
    ///
    /// **Errors**: a model that is damaged; an activation or a norm that this does not know.
    pub fn new(model: &'a Model<T>) -> Result<Self> {
        check(model)?;
        let network = model.network.folded()?;
        let mut functions: Vec<Function<T>> = Vec::new();
        let mut known: Vec<(Activation, Option<usize>)> = Vec::new();
        let mut of_layer = Vec::new();
        for (l, layer) in network.spec().layers().iter().enumerate() {
            if !matches!(layer.norm, Norm::None | Norm::Layer) {
                return Err(Error::Unsupported(format!(
                    "layer {} has {}, which no source is written for",
                    l + 1,
                    layer.norm.name()
                )));
            }
            let place = match known.iter().find(|(activation, _)| *activation == layer.activation) {
                Some((_, place)) => *place,
                None => {
                    let place = function(layer, l, &mut functions)?;
                    known.push((layer.activation, place));
                    place
                }
            };
            of_layer.push(place);
        }
        let output = network.spec().layers()[of_layer.len() - 1].activation;
        if output == Activation::Softmax {
            functions.push(record::exp_below("exp_below".into()));
        }
        let outputs = outputs(&model.target, output, network.spec().outputs())?;
        Ok(Self { model, inputs: inputs(&model.input), outputs, functions, of_layer, network })
    }

    /// The number of values that the model gives for a row.
    pub fn values(&self) -> usize {
        match (&self.model.target, &self.outputs) {
            (_, Outputs::Sign | Outputs::Second) => 2,
            _ => self.network.spec().outputs(),
        }
    }

    /// The widths of the network's inputs and of each layer.
    pub fn widths(&self) -> Vec<usize> {
        let spec = self.network.spec();
        std::iter::once(spec.inputs()).chain(spec.layers().iter().map(|layer| layer.outputs)).collect()
    }

    /// The two halves of the workspace: the widest of the network's inputs and every second layer, and of the others.
    pub fn halves(&self) -> [usize; 2] {
        let widths = self.widths();
        [0, 1].map(|first| widths.iter().skip(first).step_by(2).copied().max().unwrap_or(0))
    }

    /// Whether a layer has layer normalisation.
    pub fn has_layer_norm(&self) -> bool {
        self.network.spec().layers().iter().any(|layer| layer.norm == Norm::Layer)
    }

    /// Whether the output is a softmax.
    pub fn has_softmax(&self) -> bool {
        self.network.spec().layers().last().is_some_and(|layer| layer.activation == Activation::Softmax)
    }
}

/// Refuses what no training makes: numbers that are none, and parts that do not fit each other.
fn check<T: Float>(model: &Model<T>) -> Result<()> {
    let network = &model.network;
    foreign::require_finite(network)?;
    if model.input.width() != network.spec().inputs() {
        return Err(Error::shape("inputs of the network", model.input.width(), network.spec().inputs()));
    }
    let features = match &model.input {
        Input::Table(features) => features.check(),
        Input::Images { .. } => Ok(()),
    };
    features
        .and_then(|()| model.target.check())
        .map_err(|why| Error::Unsupported(format!("the model is damaged: {why}")))
}

/// The place of a layer's function, which is put there.
fn function<T: Float>(layer: &Layer, l: usize, functions: &mut Vec<Function<T>>) -> Result<Option<usize>> {
    if matches!(layer.activation, Activation::Identity | Activation::Softmax) {
        return Ok(None);
    }
    // Two of one name differ in their constant.
    let base = layer.activation.name();
    let twins = functions.iter().filter(|function| function.name.starts_with(base)).count();
    let name = if twins == 0 { base.to_string() } else { format!("{base}_{}", twins + 1) };
    match record::function(layer.activation, name) {
        Some(function) => {
            functions.push(function);
            Ok(Some(functions.len() - 1))
        }
        None => {
            let why =
                format!("layer {} has the activation {}, which no source is written for", l + 1, layer.activation);
            Err(Error::Unsupported(why))
        }
    }
}

fn inputs(input: &Input) -> Inputs {
    match input {
        Input::Images { height, width } => Inputs::Pixels(height * width),
        Input::Table(features) => {
            let column = |feature: &deltarule::data::features::Feature| {
                let name = feature.name.clone();
                match &feature.kind {
                    Kind::Number { mean, scale, fill } => {
                        Column::Number { name, mean: *mean, scale: *scale, fill: *fill }
                    }
                    Kind::Category { levels, fill } => {
                        let code = |fill: &String| levels.iter().position(|level| level == fill);
                        Column::Category { name, levels: levels.clone(), fill: fill.as_ref().and_then(code) }
                    }
                }
            };
            Inputs::Columns(features.columns.iter().map(column).collect())
        }
    }
}

/// What is made of so many outputs of an activation: as `Predictions::of` has it.
fn outputs(target: &Target, activation: Activation, count: usize) -> Result<Outputs> {
    let is_score = activation == Activation::Identity;
    Ok(match target {
        Target::Number(number) => Outputs::Numbers(vec![(number.mean, number.scale)]),
        Target::Numbers(numbers) => {
            Outputs::Numbers(numbers.iter().map(|number| (number.mean, number.scale)).collect())
        }
        Target::Labels(_) if is_score => Outputs::Signs,
        Target::Labels(_) => Outputs::AsTheyAre,
        Target::Classes(classes) => {
            let two = classes.labels.len() == 2 && count == 1;
            if !two && classes.labels.len() != count {
                return Err(Error::shape("outputs", classes.labels.len(), count));
            }
            match (is_score, two) {
                (true, true) => Outputs::Sign,
                (true, false) => Outputs::Largest,
                (false, true) => Outputs::Second,
                (false, false) if activation == Activation::Softmax => Outputs::AsTheyAre,
                (false, false) => Outputs::Shares,
            }
        }
    })
}
