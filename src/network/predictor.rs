//! A network made ready to predict again and again.
//!
//! Row 4 of the house: imports `pass` and what is below. The weights are packed once, in the order in which the products read them; a
//! call then allocates nothing and copies nothing of them.

use super::pass;
use super::workspace::Workspace;
use super::{Network, Spec};
use crate::activation::{Activation, ActivationFn};
use crate::engine::{Backend, Engine};
use crate::error::Result;
use crate::float::Float;
use crate::gemm::{Mat, Packed};
use crate::threads::Threads;
use ndarray::{ArrayView2, ArrayViewMut2};

/// A network with its weights packed, and the buffers of its predictions. Batch normalisation is folded into them
/// ([`Network::folded`]).
///
/// It is made for batches of up to a number of rows: for one row its weights lie in another way than for many.
///
/// ```
/// use deltarule::network::predictor::Predictor;
/// use deltarule::prelude::*;
/// use ndarray::{Array2, array};
///
/// let net = Network::<f32>::new(Spec::mlp(2, &[8], Activation::Relu, 3, Activation::Softmax)?, None, &mut Rng::new(1))?;
/// let mut predictor = Predictor::new(&net, 1, Engine::default(), Threads::one())?;
/// let x = array![[0.5, -1.0]];
/// let mut out = Array2::zeros((1, 3));
/// predictor.predict_into(x.view(), out.view_mut())?;
/// assert_eq!(out, net.predict(x.view())?);
/// # Ok::<(), deltarule::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Predictor<T, A = Activation> {
    net: Network<T, A>,
    workspace: Workspace<T>,
}

/// Weights that are packed: fewer stay in the first-level cache, where it does not matter how they lie.
const PACKED: usize = 1 << 12;

impl<T: Float, A: ActivationFn> Predictor<T, A> {
    /// A predictor for batches of up to `rows` rows, which `threads` share where they are large. With a BLAS nothing is packed, for it
    /// packs in a way of its own.
    ///
    /// **Errors** if the memory cannot be had.
    pub fn new(net: &Network<T, A>, rows: usize, engine: Engine, threads: Threads) -> Result<Self> {
        let net = if net.spec().couples_rows() { net.folded()? } else { net.clone() };
        let mut workspace = Workspace::for_prediction(net.spec(), rows, engine, threads)?;
        if engine.backend() == Backend::Embedded {
            let packed = net.spec().blocks().iter().map(|block| {
                let weights = Mat::new(&net.params()[block.weights.clone()], block.inputs, block.outputs);
                let pays = block.weights.len() >= PACKED;
                pays.then(|| Packed::new(engine.isa(), weights, rows <= 1)).transpose()
            });
            workspace.packed = packed.collect::<Result<_>>()?;
        }
        Ok(Self { net, workspace })
    }

    /// The shape of the network that predicts: the [`folded`](Spec::folded) one.
    pub fn spec(&self) -> &Spec<A> {
        self.net.spec()
    }

    /// How many bytes the packed weights and the buffers take, beside the network's own parameters.
    pub fn bytes(&self) -> usize {
        self.workspace.bytes()
    }

    /// The outputs for `x`, written to `out`, without allocating.
    ///
    /// **Shapes**: `x` rows x inputs, `out` rows x outputs, both row-major, no more rows than it was made for. **Overwrites** `out`.
    ///
    /// **Determinism**: the bits of [`pass::predict_into`], for any number of threads; with the embedded GEMM a row's outputs do not depend
    /// on the other rows. **Errors**: shapes that do not fit.
    pub fn predict_into(&mut self, x: ArrayView2<'_, T>, out: ArrayViewMut2<'_, T>) -> Result<()> {
        pass::predict_into(self.net.spec(), self.net.params(), x, &mut self.workspace, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::simd::Isa;
    use ndarray::Array2;

    /// Sums longer than a block, layers of several strips and of less than a vector, packed and not.
    fn agrees<T: Float>(widths: &[usize], rows: usize) {
        let mut rng = Rng::new(3);
        let (hidden, outputs) = (&widths[1..widths.len() - 1], widths[widths.len() - 1]);
        let spec = Spec::mlp(widths[0], hidden, Activation::Relu, outputs, Activation::Softmax).unwrap();
        let net = Network::<T>::new(spec, None, &mut rng).unwrap();
        let x = Array2::from_shape_simple_fn((rows, widths[0]), || rng.uniform(-1.0, 1.0));
        for isa in Isa::available() {
            let engine = Engine::new(isa, Backend::Embedded).unwrap();
            let mut workspace = Workspace::for_prediction(net.spec(), rows, engine, Threads::one()).unwrap();
            let mut plain = Array2::from_elem((rows, outputs), T::ZERO);
            pass::predict_into(net.spec(), net.params(), x.view(), &mut workspace, plain.view_mut()).unwrap();
            for threads in [Threads::one(), Threads::new(3).unwrap()] {
                let mut predictor = Predictor::new(&net, rows, engine, threads).unwrap();
                let mut packed = Array2::from_elem((rows, outputs), T::from_f64(f64::NAN));
                predictor.predict_into(x.view(), packed.view_mut()).unwrap();
                assert_eq!(packed, plain, "{isa} {} {widths:?}, {rows} rows", T::NAME);
            }
        }
    }

    #[test]
    fn packed_weights_give_the_bits_of_plain_ones() {
        for (widths, rows) in
            [(&[6, 64, 8, 4][..], 1), (&[1030, 137, 70, 3], 1), (&[1030, 137, 70, 3], 45), (&[90, 700, 50], 300)]
        {
            agrees::<f32>(widths, rows);
            agrees::<f64>(widths, rows);
        }
    }

    #[test]
    fn more_rows_than_it_was_made_for_are_refused() {
        let spec = Spec::mlp(2, &[3], Activation::Tanh, 1, Activation::Identity).unwrap();
        let net = Network::<f32>::zeros(spec).unwrap();
        let mut predictor = Predictor::new(&net, 1, Engine::default(), Threads::one()).unwrap();
        let refusal =
            predictor.predict_into(Array2::zeros((2, 2)).view(), Array2::zeros((2, 1)).view_mut()).unwrap_err();
        assert!(refusal.to_string().contains("at most 1, the workspace's, found 2"), "{refusal}");
    }
}
