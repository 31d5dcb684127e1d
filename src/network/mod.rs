//! The network: a [`Spec`] and one flat buffer of parameters.
//!
//! Row 4 of the house: `predictor` > `network`, `curvature` > `pass`, `generic` > `workspace`, `objective` > `fold`, `keep`, `max_norm`, `noise`, `norms`, `plan`, `shapes`, `tiny` > `spec`. Begin reading at [`pass`]:
//! forward and backward on one page.

pub mod curvature;
pub(crate) mod fold;
pub mod generic;
mod keep;
pub mod max_norm;
pub mod noise;
mod norms;
pub mod objective;
pub mod pass;
mod plan;
pub mod predictor;
mod shapes;
pub mod spec;
mod tiny;
pub mod workspace;

use crate::activation::{Activation, ActivationFn};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::init::Init;
use crate::memory;
use crate::rng::Rng;
use crate::threads::Threads;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
pub use spec::{Layer, Norm, Spec};
use workspace::Workspace;

/// A network: its [`Spec`] and its parameters, which lie in one contiguous buffer (see [`spec::Block`]).
///
/// Gradients and moments are buffers of the same length, and an optimiser sees only slices. After the parameters the buffer holds what else
/// a training leaves: the running means and variances of batch normalisation ([`state`](Self::state)).
///
/// ```
/// use deltarule::prelude::*;
///
/// // 4 inputs, 8 tanh units, 3 classes.
/// let spec = Spec::mlp(4, &[8], Activation::Tanh, 3, Activation::Softmax)?;
/// let net = Network::<f32>::new(spec, None, &mut Rng::new(1))?;
/// let probabilities = net.predict(ndarray::Array2::zeros((5, 4)).view())?;
/// assert_eq!(probabilities.dim(), (5, 3));
/// # Ok::<(), deltarule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Network<T, A = Activation> {
    spec: Spec<A>,
    /// The parameters, then the running statistics.
    state: Vec<T>,
}

impl<T: Float, A: ActivationFn> Network<T, A> {
    /// A network with random weights and biases as the `init` has them, zero in all but one, and norms that scale by 1 and shift by 0; without an `init`, each layer's is the one suited to its
    /// activation ([`Init::suited_to`]).
    ///
    /// **Errors** if the memory cannot be had, or the constant of `init` is out of range.
    pub fn new(spec: Spec<A>, init: Option<Init>, rng: &mut Rng) -> Result<Self> {
        init.map_or(Ok(()), |init| init.check())?;
        let mut net = Self::zeros(spec)?;
        let last = net.spec.layers().len() - 1;
        for (l, (layer, block)) in net.spec.layers().iter().zip(net.spec.blocks()).enumerate() {
            let activation = layer.activation.builtin();
            let init = init.or(activation.map(Init::suited_to)).unwrap_or(Init::GlorotUniform);
            let (weights, biases) = net.state[block.weights.start..block.bias.end].split_at_mut(block.weights.len());
            init.fill_layer(rng, activation, l == last, block.inputs, block.outputs, weights, biases);
            net.state[block.scale.clone()].fill(T::ONE);
        }
        Ok(net)
    }

    /// A network with all parameters zero, and running means of 0 and variances of 1.
    ///
    /// **Errors** if the memory cannot be had.
    pub fn zeros(spec: Spec<A>) -> Result<Self> {
        let state = memory::zeros(spec.state(), "the network's parameters")?;
        Ok(Self { spec, state }.with_plain_statistics())
    }

    /// A network with the given parameters, in the order of [`Spec::blocks`], and running means of 0 and variances of 1.
    ///
    /// **Errors** if there are too few or too many.
    pub fn from_params(spec: Spec<A>, params: Vec<T>) -> Result<Self> {
        if params.len() != spec.parameters() {
            return Err(Error::shape("parameters", spec.parameters(), params.len()));
        }
        let mut state = params;
        state.resize(spec.state(), T::ZERO);
        Ok(Self { spec, state }.with_plain_statistics())
    }

    /// A network with the given [`state`](Self::state).
    ///
    /// **Errors** if it is too short or too long.
    pub fn from_state(spec: Spec<A>, state: Vec<T>) -> Result<Self> {
        match spec.state() {
            expected if expected == state.len() => Ok(Self { spec, state }),
            expected => Err(Error::shape("parameters and running statistics", expected, state.len())),
        }
    }

    fn with_plain_statistics(mut self) -> Self {
        self.spec.blocks().iter().for_each(|block| self.state[block.variance.clone()].fill(T::ONE));
        self
    }

    /// The shape.
    pub fn spec(&self) -> &Spec<A> {
        &self.spec
    }

    /// All parameters, in the order of [`Spec::blocks`].
    pub fn params(&self) -> &[T] {
        &self.state[..self.spec.parameters()]
    }

    /// All parameters, to be moved by an optimiser.
    pub fn params_mut(&mut self) -> &mut [T] {
        &mut self.state[..self.spec.parameters()]
    }

    /// All numbers that it holds: the parameters, then for each layer with batch normalisation the running means of its units and their
    /// running variances ([`Block::mean`](spec::Block::mean)). What is saved of a network is its state.
    pub fn state(&self) -> &[T] {
        &self.state
    }

    /// The same, to be moved.
    pub fn state_mut(&mut self) -> &mut [T] {
        &mut self.state
    }

    /// Shape and parameters at once: what an optimiser needs.
    pub fn parts_mut(&mut self) -> (&Spec<A>, &mut [T]) {
        let parameters = self.spec.parameters();
        (&self.spec, &mut self.state[..parameters])
    }

    /// Shape and [`state`](Self::state) at once: what a training needs.
    pub fn state_parts_mut(&mut self) -> (&Spec<A>, &mut [T]) {
        (&self.spec, &mut self.state)
    }

    /// The weights of a layer (from 0): inputs x outputs.
    ///
    /// **Panics** if there is no such layer.
    pub fn weights(&self, layer: usize) -> ArrayView2<'_, T> {
        let block = &self.spec.blocks()[layer];
        ArrayView2::from_shape((block.inputs, block.outputs), &self.state[block.weights.clone()])
            .expect("a block's size")
    }

    /// The biases of a layer (from 0): one for each output, or none.
    ///
    /// **Panics** if there is no such layer.
    pub fn bias(&self, layer: usize) -> ArrayView1<'_, T> {
        self.state[self.spec.blocks()[layer].bias.clone()].into()
    }

    /// What the norm of a layer (from 0) scales and shifts each unit by, or nothing.
    ///
    /// **Panics** if there is no such layer.
    pub fn norm(&self, layer: usize) -> [ArrayView1<'_, T>; 2] {
        let block = &self.spec.blocks()[layer];
        [&block.scale, &block.shift].map(|range| self.state[range.clone()].into())
    }

    /// The running means and variances of the units of a layer (from 0), or nothing without batch normalisation.
    ///
    /// **Panics** if there is no such layer.
    pub fn statistics(&self, layer: usize) -> [ArrayView1<'_, T>; 2] {
        let block = &self.spec.blocks()[layer];
        [&block.mean, &block.variance].map(|range| self.state[range.clone()].into())
    }

    /// The same network in another precision: how an `f32` network is checked in `f64`.
    pub fn cast<U: Float>(&self) -> Network<U, A> {
        Network { spec: self.spec.clone(), state: self.state.iter().map(|p| U::from_f64(p.real())).collect() }
    }

    /// The network that predicts what this one does, without batch normalisation: with running mean `m` and variance `v` a unit has the
    /// weights `w k` and the bias `(b - m) k + shift`, where `k = scale / sqrt(v + epsilon)`. Layer normalisation stays, for no weights
    /// can do what depends on the row.
    ///
    /// **Accuracy**: folded weights and biases are those numbers, computed in `f64` and rounded once: an output `z` of a layer moves by at
    /// most `u (sum |x w k| + |bias|)` for it, `u` the unit roundoff, beside the roundings of its own sum. **Errors** if the memory cannot
    /// be had.
    ///
    /// ```
    /// use deltarule::prelude::*;
    ///
    /// let layers = vec![Layer::new(8, Activation::Relu).with_norm(Norm::Batch), Layer::new(1, Activation::Identity)];
    /// let net = Network::<f64>::new(Spec::new(4, layers)?, None, &mut Rng::new(1))?;
    /// let folded = net.folded()?;
    /// assert!(folded.spec().layers()[0].norm.is_none());
    /// let x = ndarray::Array2::ones((2, 4));
    /// assert_eq!(net.predict(x.view())?, folded.predict(x.view())?);
    /// # Ok::<(), deltarule::Error>(())
    /// ```
    pub fn folded(&self) -> Result<Self> {
        let spec = self.spec.folded();
        let mut state = memory::zeros(spec.state(), "the folded network")?;
        fold::fold_into(&self.spec, &self.state, &spec, &mut state);
        Ok(Self { spec, state })
    }

    /// The outputs for `x`, with the default engine on one thread; of a network with batch normalisation those of the
    /// [`folded`](Self::folded) one, by its running statistics.
    ///
    /// **Shapes**: `x` is rows x inputs, the result rows x outputs. **Errors** if `x` has another width.
    pub fn predict(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>> {
        if self.spec.couples_rows() {
            return self.folded()?.predict(x);
        }
        let mut outputs = Array2::from_elem((x.nrows(), self.spec.outputs()), T::ZERO);
        let chunk = workspace::rows_at_a_time::<T, A>(&self.spec, x.nrows());
        let mut workspace = Workspace::for_prediction(&self.spec, chunk, Engine::default(), Threads::one())?;
        let out = outputs.axis_chunks_iter_mut(Axis(0), chunk);
        for (x, out) in x.axis_chunks_iter(Axis(0), chunk).zip(out) {
            pass::predict_into(&self.spec, self.params(), x.as_standard_layout().view(), &mut workspace, out)?;
        }
        Ok(outputs)
    }
}
