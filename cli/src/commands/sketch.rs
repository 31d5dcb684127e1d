//! The pictures of a model, from the library's types to the picture module's slices.

use crate::picture::curve::{Curve, Series};
use crate::picture::diagram::{Column, Diagram, Edges};
use crate::picture::weights::{Scale, Weights};
use deltarule::data::Target;
use deltarule::float::Float;
use deltarule::model::{Input, Model};
use deltarule::train::History;
use deltarule::{Error, Result};

/// The loss over the epochs.
pub fn curve(title: &str, history: &History) -> String {
    let mut series = vec![Series { name: "training", values: &history.training }];
    if !history.validation.is_empty() {
        series.push(Series { name: "held back", values: &history.validation });
    }
    Curve { title, series, log_y: None }.svg()
}

/// The network: nodes, and edges by sign and size.
pub fn diagram<T: Float + Into<f64>>(model: &Model<T>) -> Result<String> {
    let spec = model.network.spec();
    let inputs = model.input.names();
    let outputs = match &model.target {
        Target::Classes { labels, .. } if labels.len() == spec.outputs() => labels.clone(),
        // One output tells two classes apart: it is the probability of the second.
        Target::Classes { labels, .. } => vec![labels[1].clone()],
        Target::Number { name, .. } => vec![name.clone()],
    };
    let last = spec.layers().len() - 1;
    let activations: Vec<String> = spec.layers().iter().map(|layer| layer.activation.to_string()).collect();
    let mut columns = vec![Column { name: "inputs", activation: None, nodes: spec.inputs(), labels: &inputs }];
    columns.extend(spec.layers().iter().zip(&activations).enumerate().map(|(l, (layer, activation))| Column {
        name: if l == last { "outputs" } else { "hidden" },
        activation: Some(activation),
        nodes: layer.outputs,
        labels: if l == last { &outputs } else { &[] },
    }));
    let params = model.network.params();
    let edges = spec.blocks().iter().map(|block| Edges {
        weights: &params[block.weights.clone()],
        biases: (!block.bias.is_empty()).then(|| &params[block.bias.clone()]),
    });
    let title = format!("{}: {} parameters", model.target.name(), spec.parameters());
    Diagram { title: &title, columns, edges: edges.collect() }.svg()
}

/// What each unit of the first layer looks for in an image.
pub fn weights<T: Float + Into<f64>>(model: &Model<T>) -> Result<String> {
    let Input::Images { height, width } = model.input else {
        return Err(Error::Unsupported(
            "first-layer weights are drawn for models of images, and this one reads a table".into(),
        ));
    };
    let block = &model.network.spec().blocks()[0];
    let weights = &model.network.params()[block.weights.clone()];
    let title = format!("First-layer weights of {} units", block.outputs);
    Weights { title: &title, image: (height, width), units: block.outputs, weights, scale: Scale::PerUnit }.svg()
}
