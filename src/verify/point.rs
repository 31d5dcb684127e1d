//! Where a gradient is checked: a network, its parameters, a batch, and what a forward pass makes of them, layer by layer.

use crate::activation::{Activation, ActivationFn};
use crate::engine::Engine;
use crate::error::Result;
use crate::gemm::{Mat, MatMut, affine};
use crate::loss::LossFn;
use crate::network::noise::{Draw, Noise};
use crate::network::objective::{Batch, Objective, is_linked, total_weight};
use crate::network::{Spec, generic};

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
    /// Of each layer, rows x units: the weighted sums, and the activations, some of which may be dropped; of the last, what the loss reads.
    pub sums: Vec<Vec<f64>>,
    pub activations: Vec<Vec<f64>>,
    pub dropped: Dropped,
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
        let (sums, activations) = (Vec::new(), Vec::new());
        let mut point = Self { spec, params, batch, objective, engine, linked, shares, sums, activations, dropped };
        (point.sums, point.activations) = point.forward(params);
        Ok(point)
    }

    /// The weighted sums and activations of each layer; of the last, what the loss reads.
    pub fn forward(&self, params: &[f64]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let (rows, last) = (self.batch.x.nrows(), self.spec.layers().len() - 1);
        let mut sums: Vec<Vec<f64>> = Vec::new();
        let mut activations: Vec<Vec<f64>> = Vec::new();
        for (l, (layer, block)) in self.spec.layers().iter().zip(self.spec.blocks()).enumerate() {
            let input = if l == 0 { self.x() } else { &activations[l - 1] };
            let mut z = vec![0.0; rows * block.outputs];
            let weights = Mat::new(&params[block.weights.clone()], block.inputs, block.outputs);
            let to = MatMut::new(&mut z, rows, block.outputs);
            affine(self.engine, Mat::new(input, rows, block.inputs), weights, &params[block.bias.clone()], to);
            let mut a = z.clone();
            if !(self.linked && l == last) {
                layer.activation.apply(self.engine.isa(), &mut a, block.outputs);
            }
            self.dropped.apply(l, block.outputs, &mut a, 0..rows);
            sums.push(z);
            activations.push(a);
        }
        (sums, activations)
    }

    pub fn x(&self) -> &[f64] {
        self.batch.x.as_slice().expect("row-major, as the adaptors make it")
    }

    pub fn y(&self) -> &[f64] {
        self.batch.y.as_slice().expect("row-major, as the adaptors make it")
    }

    /// The numbers that feed layer `l`, at the point.
    pub fn input(&self, l: usize) -> &[f64] {
        if l == 0 { self.x() } else { &self.activations[l - 1] }
    }

    /// The layer of a parameter, the unit it feeds, and the input it comes from unless it is a bias.
    pub fn place(&self, index: usize) -> (usize, usize, Option<usize>) {
        let l = self.spec.blocks().iter().position(|b| index < b.bias.end).expect("an index below parameters()");
        let block = &self.spec.blocks()[l];
        match index.checked_sub(block.bias.start) {
            Some(unit) => (l, unit, None),
            None => {
                let at = index - block.weights.start;
                (l, at % block.outputs, Some(at / block.outputs))
            }
        }
    }

    /// Whether an activation looks at each unit alone: the built-in ones but softmax do, of others it is not known.
    pub fn is_elementwise(&self, l: usize) -> bool {
        !matches!(self.spec.layers()[l].activation.builtin(), None | Some(Activation::Softmax))
    }
}
