//! The shape of a network: no floats, only sizes and functions, and where each number lies in the flat buffer.
//!
//! Row 4 of the house: imports `activation` and `error`.

use crate::activation::{Activation, ActivationFn};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// What becomes of a layer's weighted sums before its activation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Norm {
    /// Nothing.
    #[default]
    None,
    /// Layer normalisation: each row's sums are shifted and scaled to mean 0 and variance 1, then scaled and shifted by parameters of each
    /// unit ([`layer_norm`](crate::kernel::layer_norm)).
    Layer,
    /// Batch normalisation: each unit's sums are shifted and scaled to mean 0 and variance 1 over the rows of the batch, then scaled and
    /// shifted by parameters of the unit ([`batch_norm`](crate::kernel::batch_norm)). A trained network takes the means and variances that
    /// its training kept as running averages, and is then a network without it ([`Network::folded`](super::Network::folded)).
    Batch,
}

impl Norm {
    /// Whether it does nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// What people call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "no norm",
            Self::Layer => "layer norm",
            Self::Batch => "batch norm",
        }
    }
}

/// One dense layer: `outputs` units, each with its weighted sum of all inputs, a bias if wanted, and an activation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer<A = Activation> {
    /// Number of units.
    pub outputs: usize,
    /// Whether each unit adds a bias.
    pub bias: bool,
    /// What each unit does to its weighted sum.
    pub activation: A,
    /// What becomes of the sums before; of files without it, nothing.
    #[serde(default, skip_serializing_if = "Norm::is_none")]
    pub norm: Norm,
}

impl<A> Layer<A> {
    /// A layer with biases.
    pub fn new(outputs: usize, activation: A) -> Self {
        Self { outputs, bias: true, activation, norm: Norm::None }
    }

    /// A layer without biases.
    pub fn without_bias(outputs: usize, activation: A) -> Self {
        Self { outputs, bias: false, activation, norm: Norm::None }
    }

    /// The same layer with another norm.
    pub fn with_norm(self, norm: Norm) -> Self {
        Self { norm, ..self }
    }
}

/// Where one layer lies in the flat buffer of parameters: the weights row after row (inputs x outputs: all that one
/// input feeds lies together), then the biases, then the norm's scales and shifts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Width of the layer's input.
    pub inputs: usize,
    /// Number of units.
    pub outputs: usize,
    /// The weights, inputs x outputs.
    pub weights: Range<usize>,
    /// The biases; empty if the layer has none.
    pub bias: Range<usize>,
    /// What the normalised sums are multiplied by; empty if the layer has no norm.
    pub scale: Range<usize>,
    /// What is then added; empty if the layer has no norm.
    pub shift: Range<usize>,
    /// Where the running means of batch normalisation lie in the network's *state*, which is the parameters and then these
    /// ([`Spec::state`]); empty for other layers.
    pub mean: Range<usize>,
    /// The running variances, there.
    pub variance: Range<usize>,
}

impl Block {
    /// All of the layer's parameters.
    pub fn all(&self) -> Range<usize> {
        self.weights.start..self.shift.end
    }
}

/// A feedforward network as plain data: the input's width and the layers.
///
/// Comparable, printable, serialisable; made only through [`Spec::new`], so that every one is sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    into = "Plain<A>",
    try_from = "Plain<A>",
    bound(serialize = "A: Serialize + ActivationFn", deserialize = "A: Deserialize<'de> + ActivationFn")
)]
pub struct Spec<A = Activation> {
    inputs: usize,
    layers: Vec<Layer<A>>,
    blocks: Vec<Block>,
    /// How many running statistics there are.
    statistics: usize,
}

/// A spec as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<A> {
    inputs: usize,
    layers: Vec<Layer<A>>,
}

impl<A> From<Spec<A>> for Plain<A> {
    fn from(spec: Spec<A>) -> Self {
        Self { inputs: spec.inputs, layers: spec.layers }
    }
}

impl<A: ActivationFn> TryFrom<Plain<A>> for Spec<A> {
    type Error = Error;
    fn try_from(plain: Plain<A>) -> Result<Self> {
        Self::new(plain.inputs, plain.layers)
    }
}

impl<A: ActivationFn> Spec<A> {
    /// A network of `layers` on `inputs` numbers a row.
    ///
    /// **Errors**: no inputs, no layers, a layer of no units, an activation's constant out of range, a softmax before
    /// the output layer, or more parameters than can be addressed.
    pub fn new(inputs: usize, layers: Vec<Layer<A>>) -> Result<Self> {
        if inputs == 0 {
            return Err(Error::setting("inputs", "at least 1", 0));
        }
        if layers.is_empty() {
            return Err(Error::setting("layers", "at least 1", 0));
        }
        let mut blocks = Vec::with_capacity(layers.len());
        let (mut width, mut start) = (inputs, 0usize);
        for (l, layer) in layers.iter().enumerate() {
            if layer.outputs == 0 {
                return Err(Error::setting(format!("units of layer {}", l + 1), "at least 1", 0));
            }
            layer.activation.check().map_err(|e| match e {
                Error::Setting { name, expected, found } => {
                    Error::Setting { name: format!("layer {}: {name}", l + 1), expected, found }
                }
                other => other,
            })?;
            if layer.activation.builtin() == Some(Activation::Softmax) && l + 1 < layers.len() {
                let name = format!("activation of layer {}", l + 1);
                return Err(Error::setting(name, "an activation for hidden layers", "softmax"));
            }
            let biases = if layer.bias { layer.outputs } else { 0 };
            let normed = if layer.norm.is_none() { 0 } else { layer.outputs };
            let end = (width.checked_mul(layer.outputs))
                .and_then(|weights| weights.checked_add(biases))
                .and_then(|length| length.checked_add(normed)?.checked_add(normed))
                .and_then(|length| length.checked_add(start))
                // Slices end at isize::MAX bytes.
                .filter(|end| *end <= isize::MAX as usize / 8)
                .ok_or_else(|| {
                    Error::setting(
                        format!("size of layer {}", l + 1),
                        "addressable",
                        format!("{width} x {}", layer.outputs),
                    )
                })?;
            let (shift, scale) = (end - normed, end - 2 * normed);
            let bias = scale - biases;
            blocks.push(Block {
                inputs: width,
                outputs: layer.outputs,
                weights: start..bias,
                bias: bias..scale,
                scale: scale..shift,
                shift: shift..end,
                mean: 0..0,
                variance: 0..0,
            });
            (width, start) = (layer.outputs, end);
        }
        let parameters = start;
        for (layer, block) in layers.iter().zip(&mut blocks).filter(|(layer, _)| layer.norm == Norm::Batch) {
            block.mean = start..start + layer.outputs;
            block.variance = block.mean.end..block.mean.end + layer.outputs;
            start = block.variance.end;
        }
        if start > isize::MAX as usize / 8 {
            return Err(Error::setting("size of the running statistics", "addressable", start - parameters));
        }
        Ok(Self { inputs, layers, blocks, statistics: start - parameters })
    }

    /// A multilayer perceptron: `hidden` layers of one activation, then an output layer, all with biases.
    ///
    /// **Errors** as [`Spec::new`].
    pub fn mlp(inputs: usize, hidden: &[usize], activation: A, outputs: usize, output_activation: A) -> Result<Self> {
        let mut layers: Vec<_> = hidden.iter().map(|&units| Layer::new(units, activation.clone())).collect();
        layers.push(Layer::new(outputs, output_activation));
        Self::new(inputs, layers)
    }

    /// The width of an input row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The width of an output row.
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs
    }

    /// The layers, first to last.
    pub fn layers(&self) -> &[Layer<A>] {
        &self.layers
    }

    /// Where each layer lies in the flat buffer.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// How many parameters there are.
    pub fn parameters(&self) -> usize {
        self.blocks[self.blocks.len() - 1].shift.end
    }

    /// How many numbers a network holds: its parameters, and then the running means and variances of its batch normalisations, layer after
    /// layer.
    pub fn state(&self) -> usize {
        self.parameters() + self.statistics
    }

    /// Whether a layer has batch normalisation: the outputs of a training pass for one row then depend on the others.
    pub fn couples_rows(&self) -> bool {
        self.statistics > 0
    }

    /// Refuses a batch of fewer than 2 rows if a layer has batch normalisation, naming it: of one row there is no variance.
    pub fn check_coupled(&self, rows: usize) -> Result<()> {
        if rows > 1 || !self.couples_rows() {
            return Ok(());
        }
        let l = self.layers.iter().position(|layer| layer.norm == Norm::Batch).unwrap_or(0);
        let expected =
            format!("at least 2, for layer {} has batch normalisation, and of one row there is no variance", l + 1);
        Err(Error::shape("rows of the batch", expected, rows))
    }

    /// Refuses batch normalisation, of whose running statistics the parameters know nothing.
    pub(crate) fn check_predicts(&self) -> Result<()> {
        if !self.couples_rows() {
            return Ok(());
        }
        let why = "a prediction by a pass under batch normalisation, which knows this batch's statistics alone: fold the network first";
        Err(Error::Unsupported(why.into()))
    }

    /// The shape of the network that predicts: batch normalisation is part of weights and biases, which every layer then has that had it
    /// ([`Network::folded`](super::Network::folded)). Layer normalisation stays: it depends on the row.
    pub fn folded(&self) -> Self {
        let fold = |layer: &Layer<A>| match layer.norm {
            Norm::Batch => Layer { bias: true, norm: Norm::None, ..layer.clone() },
            _ => layer.clone(),
        };
        let layers = self.layers.iter().map(fold).collect();
        Self::new(self.inputs, layers).expect("no larger than the network, and no less sound")
    }

    /// The name of the parameter at `index` of the flat buffer, such as `layer 2, weight from input 5 to unit 3`
    /// (all counted from 1).
    ///
    /// **Panics** if there is no such parameter.
    pub fn parameter_name(&self, index: usize) -> String {
        let l = self.blocks.iter().position(|b| index < b.shift.end).expect("an index below parameters()");
        let block = &self.blocks[l];
        for (what, range) in [("scale", &block.scale), ("shift", &block.shift)] {
            if range.contains(&index) {
                return format!("layer {}, {what} of unit {}", l + 1, index - range.start + 1);
            }
        }
        if index >= block.bias.start {
            return format!("layer {}, bias of unit {}", l + 1, index - block.bias.start + 1);
        }
        let (input, unit) =
            ((index - block.weights.start) / block.outputs, (index - block.weights.start) % block.outputs);
        format!("layer {}, weight from input {} to unit {}", l + 1, input + 1, unit + 1)
    }

    /// The tensors in the order of the flat buffer, each with its name and place: `layer 1, weights`, `layer 1, biases`,
    /// `layer 2, weights` and so on. A layer without biases has no tensor of them; one with a norm has `scale` and `shift` after them.
    pub fn tensors(&self) -> Vec<(String, Range<usize>)> {
        let mut tensors = Vec::with_capacity(2 * self.blocks.len());
        for (l, (layer, block)) in self.layers.iter().zip(&self.blocks).enumerate() {
            tensors.push((format!("layer {}, weights", l + 1), block.weights.clone()));
            if layer.bias {
                tensors.push((format!("layer {}, biases", l + 1), block.bias.clone()));
            }
            if !layer.norm.is_none() {
                tensors.push((format!("layer {}, scale", l + 1), block.scale.clone()));
                tensors.push((format!("layer {}, shift", l + 1), block.shift.clone()));
            }
        }
        tensors
    }

    /// The whole spec on one line, as people write it: `21-100-4, relu, softmax`.
    ///
    /// Two specs have one line only if they are equal, and files hold such lines to compare them: what it says of a network is
    /// said by every version.
    pub fn architecture(&self) -> String
    where
        A: fmt::Display,
    {
        let mut text = self.inputs.to_string();
        self.layers.iter().for_each(|layer| text += &format!("-{}", layer.outputs));
        for Layer { activation, bias, norm, .. } in &self.layers {
            let norm = if norm.is_none() { String::new() } else { format!(" of {}", norm.name()) };
            text += &format!(", {activation}{norm}{}", if *bias { "" } else { " without biases" });
        }
        text
    }

    /// Refuses a network with an activation that has no slope to follow, naming the layer.
    pub fn check_differentiable(&self) -> Result<()> {
        match self.layers.iter().position(|layer| !layer.activation.is_differentiable()) {
            None => Ok(()),
            Some(l) => Err(Error::Unsupported(format!(
                "layer {} has an activation without a usable slope ({:?}): no gradient can train it; \
                 a single layer of threshold units learns by the perceptron rule",
                l + 1,
                self.layers[l].activation
            ))),
        }
    }
}
