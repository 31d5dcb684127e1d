//! Where a gradient is checked: a network, its parameters, a batch, and what a forward pass makes of them, layer by layer.

use crate::activation::{Activation, ActivationFn};
use crate::engine::Engine;
use crate::error::Result;
use crate::gemm::{Mat, MatMut, affine};
use crate::kernel::layer_norm;
use crate::loss::LossFn;
use crate::network::noise::{Draw, Noise};
use crate::network::objective::{Batch, Objective, is_linked, total_weight};
use crate::network::{Norm, Spec, generic};

/// The point.
pub(super) struct Point<'a, A, L> {
    pub spec: &'a Spec<A>,
    pub params: &'a [f64],
    /// Row-major.
    pub batch: Batch<'a, f64>,
    pub objective: &'a Objective<L>,
    pub engine: Engine,
    /// Whether the loss reads the last layer's weighted sums.
    pub linked: bool,
    /// Of each row, its part of the mean.
    pub shares: Vec<f64>,
    pub layers: Layers,
    pub dropped: Dropped,
}

/// What a forward pass leaves of each layer, rows x units.
#[derive(Default)]
pub(super) struct Layers {
    /// The weighted sums of a layer with a norm, what they were normalised to, and the inverse deviation of each row, or of
    /// each unit of batch normalisation; nothing for others.
    pub raw: Vec<Vec<f64>>,
    pub normalised: Vec<Vec<f64>>,
    pub inverse: Vec<Vec<f64>>,
    /// What the activation is given: the weighted sums, or what the norm made of them.
    pub sums: Vec<Vec<f64>>,
    /// The activations, some of which may be dropped; of the last layer, what the loss reads.
    pub activations: Vec<Vec<f64>>,
}

/// What a parameter moves at its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feeds {
    /// The weighted sum, by the input of this number.
    Input(usize),
    /// The weighted sum.
    Bias,
    /// What the norm made of it, by what it was normalised to.
    Scale,
    /// What the norm made of it.
    Shift,
}

/// What the noise of a step makes of a batch: all that its gradient needs to know of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Dropped {
    /// The noise of the hidden layers alone: that of the inputs is in the rows.
    pub draw: Draw,
    /// For each hidden layer what its activations are multiplied by, rows x units, or nothing.
    pub factors: Vec<Vec<f64>>,
    /// A size of each input that its own rounding is a part of; nothing where inputs are what they are.
    pub sizes: Vec<f64>,
}

impl Dropped {
    /// The inputs under the noise of `draw`, and the rest of it.
    pub fn new<A: ActivationFn>(draw: &Draw, spec: &Spec<A>, engine: Engine, x: &[f64]) -> (Vec<f64>, Self) {
        let (noisy, factors) = draw.write_out(spec, engine.isa(), x);
        let hidden = Noise { input_dropout: 0.0, input_noise: 0.0, ..draw.noise.clone() };
        // What was added is at most the sum and the input, both scaled up.
        let scale = 1.0 / (1.0 - draw.noise.input_dropout);
        let sizes = match draw.noise.is_on_inputs() {
            true => x.iter().zip(&noisy).map(|(x, to)| 2.0 * (to.abs() + scale * x.abs())).collect(),
            false => Vec::new(),
        };
        (noisy, Self { draw: Draw { noise: hidden, ..draw.clone() }, factors, sizes })
    }

    /// Those of layer `l`, if any.
    pub fn of(&self, l: usize) -> Option<&[f64]> {
        self.factors.get(l).filter(|factors| !factors.is_empty()).map(|factors| &factors[..])
    }

    /// Whether the unit of layer `l` is kept in this row of the batch.
    pub fn keeps(&self, l: usize, row: usize, unit: usize, width: usize) -> bool {
        self.of(l).is_none_or(|factors| factors[row * width + unit] != 0.0)
    }

    /// Drops of rows of layer `l`'s activations, each of which is the one of the batch that `rows` says.
    pub fn apply(&self, l: usize, width: usize, activations: &mut [f64], rows: impl Iterator<Item = usize>) {
        let Some(factors) = self.of(l) else { return };
        for (numbers, row) in activations.chunks_exact_mut(width).zip(rows) {
            numbers.iter_mut().zip(&factors[row * width..]).for_each(|(a, factor)| *a *= factor);
        }
    }
}

impl<'a, A: ActivationFn, L: LossFn> Point<'a, A, L> {
    /// **Errors**: shapes that do not fit, and weights of rows that are none.
    pub fn new(
        spec: &'a Spec<A>,
        params: &'a [f64],
        batch: Batch<'a, f64>,
        objective: &'a Objective<L>,
        engine: Engine,
        dropped: Dropped,
    ) -> Result<Self> {
        let rows = batch.x.nrows();
        let total = total_weight(batch.weights, rows)?;
        generic::check(spec, params, &batch)?;
        let shares = (0..rows).map(|i| batch.weights.map_or(1.0, |w| w[i]) / total).collect();
        let linked = is_linked(spec, &objective.loss);
        let layers = Layers::default();
        let mut point = Self { spec, params, batch, objective, engine, linked, shares, layers, dropped };
        point.layers = point.forward(params);
        Ok(point)
    }

    /// What a forward pass leaves at `params`.
    pub fn forward(&self, params: &[f64]) -> Layers {
        let (rows, last) = (self.batch.x.nrows(), self.spec.layers().len() - 1);
        let mut layers = Layers::default();
        for (l, (layer, block)) in self.spec.layers().iter().zip(self.spec.blocks()).enumerate() {
            let input = if l == 0 { self.x() } else { &layers.activations[l - 1] };
            let mut z = vec![0.0; rows * block.outputs];
            let weights = Mat::new(&params[block.weights.clone()], block.inputs, block.outputs);
            let to = MatMut::new(&mut z, rows, block.outputs);
            affine(self.engine, Mat::new(input, rows, block.inputs), weights, &params[block.bias.clone()], to);
            let (mut raw, mut normalised, mut inverse) = (Vec::new(), Vec::new(), Vec::new());
            if !layer.norm.is_none() {
                (raw, normalised) = (z.clone(), vec![0.0; z.len()]);
                inverse = vec![0.0; if layer.norm == Norm::Batch { block.outputs } else { rows }];
                let of_norm = [&block.scale, &block.shift].map(|range| &params[range.clone()]);
                if layer.norm == Norm::Batch {
                    generic::normalise_columns(of_norm, &mut z, &mut normalised, &mut inverse);
                } else {
                    layer_norm::forward(self.engine.isa(), of_norm, &mut z, &mut normalised, &mut inverse);
                }
            }
            let mut a = z.clone();
            if !(self.linked && l == last) {
                layer.activation.apply(self.engine.isa(), &mut a, block.outputs);
            }
            self.dropped.apply(l, block.outputs, &mut a, 0..rows);
            layers.raw.push(raw);
            layers.normalised.push(normalised);
            layers.inverse.push(inverse);
            layers.sums.push(z);
            layers.activations.push(a);
        }
        layers
    }

    pub fn x(&self) -> &[f64] {
        self.batch.x.as_slice().expect("row-major, as the adaptors make it")
    }

    pub fn y(&self) -> &[f64] {
        self.batch.y.as_slice().expect("row-major, as the adaptors make it")
    }

    /// The numbers that feed layer `l`, at the point.
    pub fn input(&self, l: usize) -> &[f64] {
        if l == 0 { self.x() } else { &self.layers.activations[l - 1] }
    }

    /// The layer of a parameter, the unit it feeds, and how.
    pub fn place(&self, index: usize) -> (usize, usize, Feeds) {
        let l = self.spec.blocks().iter().position(|b| index < b.shift.end).expect("an index below parameters()");
        let block = &self.spec.blocks()[l];
        let ranges = [(&block.shift, Feeds::Shift), (&block.scale, Feeds::Scale), (&block.bias, Feeds::Bias)];
        match ranges.into_iter().find(|(range, _)| range.contains(&index)) {
            Some((range, feeds)) => (l, index - range.start, feeds),
            None => {
                let at = index - block.weights.start;
                (l, at % block.outputs, Feeds::Input(at / block.outputs))
            }
        }
    }

    /// Whether a parameter moves a weighted sum that a norm then sees, and so every unit of its layer.
    pub fn is_before_norm(&self, index: usize) -> bool {
        let (l, _, feeds) = self.place(index);
        !self.spec.layers()[l].norm.is_none() && matches!(feeds, Feeds::Input(_) | Feeds::Bias)
    }

    /// The weighted sums of layer `l`.
    pub fn weighted_sums(&self, l: usize) -> &[f64] {
        if self.layers.raw[l].is_empty() { &self.layers.sums[l] } else { &self.layers.raw[l] }
    }

    /// Weighted sums of layer `l` become what its activation is given; not for batch normalisation, which needs all rows.
    pub fn normalise(&self, l: usize, sums: &mut [f64]) {
        if !self.spec.layers()[l].norm.is_none() {
            let block = &self.spec.blocks()[l];
            let of_norm = [&block.scale, &block.shift].map(|range| &self.params[range.clone()]);
            layer_norm::forward(self.engine.isa(), of_norm, sums, &mut [], &mut []);
        }
    }

    /// Whether an activation looks at each unit alone: the built-in ones but softmax do, of others it is not known.
    pub fn is_elementwise(&self, l: usize) -> bool {
        !matches!(self.spec.layers()[l].activation.builtin(), None | Some(Activation::Softmax))
    }
}
