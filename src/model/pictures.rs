//! The pictures of a model and its training: from the library's types to the picture module's slices.
//!
//! Part of `model`, behind the feature `pictures`.

use super::{Fitted, Input, Model};
use crate::data::Target;
use crate::data::target::Classes;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::picture::curve::{Curve, Panel, Series};
use crate::picture::diagram::{Column, Diagram, Edges};
use crate::picture::rates::Rates;
use crate::picture::weights::{Scale, Weights};
use crate::train::{RangeTest, Watched};

impl RangeTest {
    /// The loss over the learning rates, the rate suggested and that of the steepest fall, as the text of an SVG file.
    pub fn svg(&self) -> String {
        let [mut rates, mut losses, mut smoothed] = [const { Vec::new() }; 3];
        for step in &self.tried {
            rates.push(step.rate);
            losses.push(step.loss);
            smoothed.push(step.smoothed);
        }
        let marks = [self.suggestion().map(|rate| ("suggested", rate)), self.steepest().map(|rate| ("steepest", rate))];
        let marks: Vec<_> = marks.into_iter().flatten().collect();
        let title = "Learning-rate range test";
        Rates { title, rates: &rates, losses: &losses, smoothed: &smoothed, marks: &marks }.svg()
    }
}

impl<T> Fitted<T> {
    /// The loss over the epochs of the training, and under it the errors of the gradients that were watched, as the text of an
    /// SVG file.
    pub fn curve_svg(&self) -> String {
        let mut series = vec![Series { name: "training", values: &self.history.training }];
        if !self.history.validation.is_empty() {
            series.push(Series { name: "held back", values: &self.history.validation });
        }
        let watched = &self.history.watched;
        let shown = |check: &Watched| if check.inconclusive { f64::NAN } else { check.error };
        let errors: Vec<f64> = watched.iter().map(shown).collect();
        let largest = Watched::largest_error(watched).map_or("none conclusive".into(), |e| format!("largest {e:.1e}"));
        let name = format!("error of watched gradients ({} checks, {largest})", watched.len());
        let below = (!watched.is_empty()).then(|| Panel { name: &name, count: "check", values: &errors });
        Curve { title: "Loss", series, log_y: None, below }.svg()
    }
}

impl<T: Float + Into<f64>> Model<T> {
    /// The network, as the text of an SVG file: nodes, and edges by sign and size.
    pub fn diagram_svg(&self) -> Result<String> {
        let spec = self.network.spec();
        let inputs = self.input.names();
        let outputs = match &self.target {
            Target::Classes(Classes { labels, .. }) if labels.len() == spec.outputs() => labels.clone(),
            // One output tells two classes apart: it is the probability of the second.
            Target::Classes(Classes { labels, .. }) => vec![labels[1].clone()],
            Target::Labels(columns) => columns.iter().map(Classes::event).collect(),
            Target::Number(_) | Target::Numbers(_) => self.target.names().into_iter().map(Into::into).collect(),
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
        let params = self.network.params();
        let edges = spec.blocks().iter().map(|block| Edges {
            weights: &params[block.weights.clone()],
            biases: (!block.bias.is_empty()).then(|| &params[block.bias.clone()]),
        });
        let title = format!("{}: {} parameters", self.target.names().join(", "), spec.parameters());
        Diagram { title: &title, columns, edges: edges.collect() }.svg()
    }

    /// What each unit of the first layer looks for in an image, as the text of an SVG file.
    ///
    /// **Errors** if the model reads a table.
    pub fn weights_svg(&self) -> Result<String> {
        let Input::Images { height, width } = self.input else {
            let why = "first-layer weights are drawn for models of images, and this one reads a table";
            return Err(Error::Unsupported(why.into()));
        };
        let block = &self.network.spec().blocks()[0];
        let weights = &self.network.params()[block.weights.clone()];
        let title = format!("First-layer weights of {} units", block.outputs);
        Weights { title: &title, image: (height, width), units: block.outputs, weights, scale: Scale::PerUnit }.svg()
    }
}
