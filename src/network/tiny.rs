//! Passes of tiny networks: all layers in one kernel, where the way from one product to the next would take longer than they do.
//!
//! Row 4 of the house: imports `spec`, `activation` and the engines. Begin with [`Tiny::of`], which says which networks these are. The
//! formulas, and the bits, are those of `pass`.

use super::spec::{Block, Spec};
use crate::activation::{Activation, ActivationFn};
use crate::engine::{Backend, Engine};
use crate::float::Float;
use crate::gemm::tiny::{Embedded, Shape, affine, input_gradient, weight_gradient};
use crate::kernel::elementwise::Function;
use crate::kernel::{elementwise, rows, vector};
use crate::simd::{Isa, Kernel, Lanes, Typed, Vectorized};

/// The most parameters and the most units or inputs of a layer.
const PARAMETERS: usize = 1024;
const WIDTH: usize = 64;
/// The most rows of a block.
const ROWS: usize = 8;
/// The most layers.
const LAYERS: usize = 4;

/// What the layers of a tiny network do to their sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiny {
    functions: [Option<Function>; LAYERS],
}

impl Tiny {
    /// The functions of a network that is tiny: few parameters, narrow layers, built-in activations of single units, no norm, our own GEMM.
    pub fn of<A: ActivationFn>(spec: &Spec<A>, engine: Engine) -> Option<Self> {
        let widths = spec.layers().iter().map(|layer| layer.outputs).chain([spec.inputs()]);
        let fits = spec.parameters() <= PARAMETERS && spec.layers().len() <= LAYERS && widths.max() <= Some(WIDTH);
        let fits = fits && spec.layers().iter().all(|layer| layer.norm.is_none());
        if !fits || engine.backend() != Backend::Embedded {
            return None;
        }
        let mut functions = [None; LAYERS];
        for (layer, to) in spec.layers().iter().zip(&mut functions) {
            *to = match layer.activation.builtin()? {
                Activation::Identity | Activation::Softmax => None,
                activation => Some(activation.kernel()?),
            };
        }
        Some(Self { functions })
    }

    /// The work on a block of so many rows, if they are few enough.
    pub fn job<'a>(&'a self, blocks: &'a [Block], rows: usize) -> Option<Job<'a>> {
        (rows <= ROWS).then_some(Job { tiny: self, blocks, rows })
    }
}

/// A block of rows at work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job<'a> {
    tiny: &'a Tiny,
    blocks: &'a [Block],
    rows: usize,
}

/// The forward pass: activations, and slopes where there is room for them, of every layer but the last, whose weighted sums are left
/// as they are.
pub(super) fn forward<T: Float>(
    isa: Isa,
    job: Job<'_>,
    [params, x]: [&[T]; 2],
    activations: &mut [Vec<T>],
    slopes: &mut [Vec<T>],
    output: &mut [T],
) {
    let ([a, b, c], [d, e, f, _]) = (slices(activations), slices(slopes));
    match T::typed([params, x], [a, b, c, d, e, f, output]) {
        Typed::Single(read, written) => single::forward(isa, job, read, written),
        Typed::Double(read, written) => double::forward(isa, job, read, written),
    }
}

/// The backward pass, from the gradient with respect to the last layer's weighted sums, which lies in its slopes' place; added to the
/// gradient that is there unless it is the first.
#[allow(clippy::too_many_arguments, reason = "what a pass reads and writes")]
pub(super) fn backward<T: Float>(
    isa: Isa,
    job: Job<'_>,
    [params, x]: [&[T]; 2],
    activations: &[Vec<T>],
    slopes: &mut [Vec<T>],
    below: &mut [T],
    gradient: &mut [T],
    is_first: bool,
) {
    let layer = |l: usize| activations.get(l).map_or(&[][..], |a| &a[..]);
    let [a, b, c, d] = slices(slopes);
    match T::typed([params, x, layer(0), layer(1), layer(2)], [a, b, c, d, below, gradient]) {
        Typed::Single(read, written) => single::backward(isa, job, read, written, is_first),
        Typed::Double(read, written) => double::backward(isa, job, read, written, is_first),
    }
}

/// The buffers of the layers; of those that are not there, nothing.
fn slices<T, const N: usize>(layers: &mut [Vec<T>]) -> [&mut [T]; N] {
    let mut layers = layers.iter_mut();
    std::array::from_fn(|_| layers.next().map_or(&mut [][..], |layer| &mut layer[..]))
}

/// The kernels of one type, compiled here: as generic code every crate that calls one would compile them all.
macro_rules! compiled {
    ($module:ident, $t:ty) => {
        mod $module {
            use crate::network::tiny::{Backward, Forward, Job};
            use crate::simd::{Isa, Vectorized};

            pub fn forward<'a>(isa: Isa, job: Job<'_>, read: [&'a [$t]; 2], mut written: [&'a mut [$t]; 7]) {
                <$t>::dispatch(isa, Forward { job, read: &read, written: &mut written });
            }
            pub fn backward<'a>(
                isa: Isa,
                job: Job<'_>,
                read: [&'a [$t]; 5],
                mut written: [&'a mut [$t]; 6],
                is_first: bool,
            ) {
                <$t>::dispatch(isa, Backward { job, read: &read, written: &mut written, is_first });
            }
        }
    };
}

compiled!(single, f32);
compiled!(double, f64);

struct Forward<'r, 'a, T> {
    job: Job<'r>,
    /// Parameters and rows.
    read: &'r [&'a [T]; 2],
    /// The hidden layers' activations, their slopes, the output.
    written: &'r mut [&'a mut [T]; 7],
}

impl<T: Vectorized + Embedded> Kernel<T> for Forward<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Self { job: Job { tiny, blocks, rows }, read: [params, x], written } = self;
        let (activations, rest) = written.split_at_mut(LAYERS - 1);
        let (slopes, output) = rest.split_at_mut(LAYERS - 1);
        let last = blocks.len() - 1;
        for (l, block) in blocks.iter().enumerate() {
            let &Block { inputs, outputs, .. } = block;
            let shape = Shape { rows, inputs, outputs };
            let (below, from_here) = activations.split_at_mut(l);
            let input = if l == 0 { *x } else { &below[l - 1][..rows * inputs] };
            let z = if l == last { &mut output[0][..rows * outputs] } else { &mut from_here[0][..rows * outputs] };
            affine(lanes, shape, input, &params[block.weights.clone()], &params[block.bias.clone()], z);
            let Some(function) = tiny.functions[l].filter(|_| l < last) else { continue };
            if slopes[l].is_empty() {
                elementwise::apply_at(lanes, function, z);
            } else {
                elementwise::apply_with_slope_at(lanes, function, z, &mut slopes[l][..rows * outputs]);
            }
        }
    }
}

struct Backward<'r, 'a, T> {
    job: Job<'r>,
    /// Parameters, rows, and the hidden layers' activations.
    read: &'r [&'a [T]; 5],
    /// The layers' slopes, room for a gradient on its way, and the parameters' gradient.
    written: &'r mut [&'a mut [T]; 6],
    is_first: bool,
}

impl<T: Vectorized + Embedded> Kernel<T> for Backward<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Self { job: Job { tiny, blocks, rows }, read, written, is_first } = self;
        let (params, inputs_of) = (read[0], &read[1..]);
        let (slopes, rest) = written.split_at_mut(LAYERS);
        let (below, gradient) = rest.split_at_mut(1);
        let (below, gradient) = (&mut *below[0], &mut *gradient[0]);
        for (l, block) in blocks.iter().enumerate().rev() {
            let &Block { inputs, outputs, .. } = block;
            let shape = Shape { rows, inputs, outputs };
            let (lower, from_here) = slopes.split_at_mut(l);
            let delta = &from_here[0][..rows * outputs];
            if l > 0 {
                let (to, slope) = (&mut below[..rows * inputs], &mut lower[l - 1][..rows * inputs]);
                input_gradient(lanes, shape, delta, &params[block.weights.clone()], to);
                match tiny.functions[l - 1] {
                    None => slope.copy_from_slice(to),
                    Some(_) => vector::multiply_at(lanes, slope, to),
                }
            }
            let input = &inputs_of[l][..rows * inputs];
            weight_gradient(lanes, shape, input, delta, is_first, &mut gradient[block.weights.clone()]);
            let biases = &mut gradient[block.bias.clone()];
            if is_first {
                biases.fill(T::ZERO);
            }
            if !biases.is_empty() {
                rows::add_column_sums_at(lanes, delta, biases);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::network::workspace::Workspace;
    use crate::prelude::*;
    use crate::simd::Isa;
    use ndarray::{Array2, ArrayView2};

    /// Loss, gradient, gradient of the inputs and predictions of a network, in one kernel or product by product.
    fn results<T: Float>(spec: &Spec, rows: usize, isa: Isa, tiny: bool) -> [Vec<T>; 4] {
        let mut rng = Rng::new(5);
        let net = Network::<T>::new(spec.clone(), Some(Init::GlorotUniform), &mut rng).unwrap();
        let mut draw = |cols| Array2::from_shape_simple_fn((rows, cols), || rng.uniform(-1.0, 1.0));
        let (x, y) = (draw(spec.inputs()), draw(spec.outputs()));
        let engine = Engine::new(isa, Backend::Embedded).unwrap();
        let mut workspace = Workspace::new(spec, rows, engine, Threads::one()).unwrap();
        assert!(workspace.tiny.is_some(), "{spec:?}");
        if !tiny {
            workspace.tiny = None;
        }
        let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.0 };
        let batch = Batch { x: x.view(), y: y.view(), weights: None };
        let mut gradient = vec![T::from_f64(f64::NAN); spec.parameters()];
        let loss =
            pass::value_and_gradient(spec, net.params(), batch, &objective, &mut workspace, &mut gradient).unwrap();
        let mut out = Array2::from_elem(y.dim(), T::ZERO);
        pass::predict_into(spec, net.params(), x.view(), &mut workspace, out.view_mut()).unwrap();
        let (mut again, mut below) = (gradient.clone(), x.clone());
        let given: ArrayView2<'_, T> = y.view();
        pass::backward(spec, net.params(), x.view(), given, &mut workspace, &mut again, Some(below.view_mut()))
            .unwrap();
        gradient.extend(again);
        [vec![T::from_f64(loss.loss)], gradient, below.into_raw_vec_and_offset().0, out.into_raw_vec_and_offset().0]
    }

    fn same<T: Float>(spec: &Spec) {
        for rows in 1..=super::ROWS + 1 {
            for isa in Isa::available() {
                let (one, several) = (results::<T>(spec, rows, isa, true), results::<T>(spec, rows, isa, false));
                assert_eq!(one, several, "{isa} {} {rows} rows {spec:?}", T::NAME);
            }
        }
    }

    #[test]
    fn one_kernel_has_the_bits_of_single_products() {
        for widths in [&[1, 1][..], &[3, 4, 1], &[17, 33, 9], &[6, 64, 8, 4], &[5, 16, 1, 2, 3]] {
            for activation in [Activation::Identity, Activation::Sigmoid, Activation::Relu, Activation::Selu] {
                let (hidden, outputs) = (&widths[1..widths.len() - 1], widths[widths.len() - 1]);
                let with_bias = Spec::mlp(widths[0], hidden, activation, outputs, Activation::Softmax).unwrap();
                let layers = widths[1..].iter().map(|&units| Layer::without_bias(units, activation)).collect();
                for spec in [with_bias, Spec::new(widths[0], layers).unwrap()] {
                    same::<f32>(&spec);
                    same::<f64>(&spec);
                }
            }
        }
    }

    #[test]
    fn other_networks_are_not_tiny() {
        let tiny = |spec: Spec| super::Tiny::of(&spec, Engine::default()).is_some();
        let mlp = |hidden: &[usize], activation| Spec::mlp(9, hidden, activation, 2, Activation::Identity).unwrap();
        assert!(tiny(mlp(&[64], Activation::Tanh)));
        assert!(!tiny(mlp(&[65], Activation::Tanh)));
        assert!(!tiny(mlp(&[40, 40], Activation::Tanh)));
        assert!(!tiny(mlp(&[2, 2, 2, 2], Activation::Tanh)));
        assert!(!tiny(mlp(&[4], Activation::Step)));
    }
}
