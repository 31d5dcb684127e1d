//! The network: a [`Spec`] and one flat buffer of parameters.
//!
//! Row 4 of the house: `predictor` > `network`, `curvature` > `pass`, `generic` > `workspace`, `objective` > `keep`, `max_norm`, `noise`, `plan`, `shapes`, `tiny` > `spec`. Begin reading at [`pass`]:
//! forward and backward on one page.

pub mod curvature;
pub mod generic;
mod keep;
pub mod max_norm;
pub mod noise;
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
/// Gradients, moments and averages are buffers of the same length, and an optimiser sees only slices.
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
    params: Vec<T>,
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
            let (weights, biases) = net.params[block.weights.start..block.bias.end].split_at_mut(block.weights.len());
            init.fill_layer(rng, activation, l == last, block.inputs, block.outputs, weights, biases);
            net.params[block.scale.clone()].fill(T::ONE);
        }
        Ok(net)
    }

    /// A network with all parameters zero.
    ///
    /// **Errors** if the memory cannot be had.
    pub fn zeros(spec: Spec<A>) -> Result<Self> {
        let params = memory::zeros(spec.parameters(), "the network's parameters")?;
        Ok(Self { spec, params })
    }

    /// A network with the given parameters, in the order of [`Spec::blocks`].
    ///
    /// **Errors** if there are too few or too many.
    pub fn from_params(spec: Spec<A>, params: Vec<T>) -> Result<Self> {
        if params.len() != spec.parameters() {
            return Err(Error::shape("parameters", spec.parameters(), params.len()));
        }
        Ok(Self { spec, params })
    }

    /// The shape.
    pub fn spec(&self) -> &Spec<A> {
        &self.spec
    }

    /// All parameters, in the order of [`Spec::blocks`].
    pub fn params(&self) -> &[T] {
        &self.params
    }

    /// All parameters, to be moved by an optimiser.
    pub fn params_mut(&mut self) -> &mut [T] {
        &mut self.params
    }

    /// Shape and parameters at once: what a training step needs.
    pub fn parts_mut(&mut self) -> (&Spec<A>, &mut [T]) {
        (&self.spec, &mut self.params)
    }

    /// The weights of a layer (from 0): inputs x outputs.
    ///
    /// **Panics** if there is no such layer.
    pub fn weights(&self, layer: usize) -> ArrayView2<'_, T> {
        let block = &self.spec.blocks()[layer];
        ArrayView2::from_shape((block.inputs, block.outputs), &self.params[block.weights.clone()])
            .expect("a block's size")
    }

    /// The biases of a layer (from 0): one for each output, or none.
    ///
    /// **Panics** if there is no such layer.
    pub fn bias(&self, layer: usize) -> ArrayView1<'_, T> {
        self.params[self.spec.blocks()[layer].bias.clone()].into()
    }

    /// What the norm of a layer (from 0) scales and shifts each unit by, or nothing.
    ///
    /// **Panics** if there is no such layer.
    pub fn norm(&self, layer: usize) -> [ArrayView1<'_, T>; 2] {
        let block = &self.spec.blocks()[layer];
        [&block.scale, &block.shift].map(|range| self.params[range.clone()].into())
    }

    /// The same network in another precision: how an `f32` network is checked in `f64`.
    pub fn cast<U: Float>(&self) -> Network<U, A> {
        Network { spec: self.spec.clone(), params: self.params.iter().map(|p| U::from_f64(p.real())).collect() }
    }

    /// The outputs for `x`, with the default engine on one thread.
    ///
    /// **Shapes**: `x` is rows x inputs, the result rows x outputs. **Errors** if `x` has another width.
    pub fn predict(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>> {
        let mut outputs = Array2::from_elem((x.nrows(), self.spec.outputs()), T::ZERO);
        let chunk = workspace::rows_at_a_time::<T, A>(&self.spec, x.nrows());
        let mut workspace = Workspace::for_prediction(&self.spec, chunk, Engine::default(), Threads::one())?;
        let out = outputs.axis_chunks_iter_mut(Axis(0), chunk);
        for (x, out) in x.axis_chunks_iter(Axis(0), chunk).zip(out) {
            pass::predict_into(&self.spec, &self.params, x.as_standard_layout().view(), &mut workspace, out)?;
        }
        Ok(outputs)
    }
}
