//! The network in any numbers: the same mathematics as [`pass`](super::pass), loop by loop, over every [`Scalar`].
//!
//! Row 4 of the house: imports `objective`, `spec`, mathematics and the ground. Begin reading at [`objective`].
//!
//! It has no kernels, no blocks and no threads, and is some thirty times slower; but it runs on dual and on complex numbers, so that
//! what the pass computes has witnesses: derivatives that know nothing of back-propagation. Run backward in dual numbers it gives
//! the Hessian's product with a vector ([`hessian_vector`]).

use super::objective::{Batch, Objective, is_linked, total_weight};
use super::spec::Spec;
use crate::activation::ActivationFn;
use crate::dual::Dual;
use crate::error::{Error, Result};
use crate::kernel::layer_norm::EPSILON;
use crate::loss::LossFn;
use crate::scalar::Scalar;

/// One layer of a row.
struct Units<S> {
    /// The activations and the slopes that belong to them.
    activations: Vec<S>,
    slopes: Vec<S>,
    /// What the next layer is fed: the activations, some of which may be dropped.
    fed: Vec<S>,
    /// What the norm made of the sums before they were scaled and shifted, and the inverse deviation.
    normalised: Vec<S>,
    inverse: S,
}

/// What the activations of hidden layers are multiplied by: for each layer rows x units, or nothing
/// ([`Draw::write_out`](super::noise::Draw::write_out)).
#[derive(Clone, Copy)]
struct Factors<'a> {
    layers: &'a [Vec<f64>],
    row: usize,
}

impl Factors<'_> {
    /// Those of layer `l`, for numbers that belong to its units.
    fn apply<S: Scalar>(self, l: usize, numbers: &mut [S]) {
        let width = numbers.len();
        if let Some(factors) = self.layers.get(l).filter(|factors| !factors.is_empty()) {
            let row = &factors[self.row * width..(self.row + 1) * width];
            numbers.iter_mut().zip(row).for_each(|(x, &factor)| *x *= S::from_f64(factor));
        }
    }
}

/// The outputs of one row, layer by layer.
struct Row<S> {
    layers: Vec<Units<S>>,
}

impl<S: Scalar> Row<S> {
    fn new<A: ActivationFn>(spec: &Spec<A>) -> Self {
        let zeros = |count: usize| vec![S::ZERO; count];
        let units = |count| Units {
            activations: zeros(count),
            slopes: zeros(count),
            fed: zeros(count),
            normalised: zeros(count),
            inverse: S::ZERO,
        };
        Self { layers: spec.layers().iter().map(|layer| units(layer.outputs)).collect() }
    }

    /// With `linked`, the last layer keeps its weighted sums: the loss reads those.
    fn forward<A: ActivationFn>(&mut self, spec: &Spec<A>, params: &[S], x: &[S], linked: bool, factors: Factors<'_>) {
        for (l, (layer, block)) in spec.layers().iter().zip(spec.blocks()).enumerate() {
            let (below, from_here) = self.layers.split_at_mut(l);
            let input = if l == 0 { x } else { &below[l - 1].fed };
            let Units { activations: z, slopes, fed, normalised, inverse } = &mut from_here[0];
            match layer.bias {
                true => z.copy_from_slice(&params[block.bias.clone()]),
                false => z.fill(S::ZERO),
            }
            for (&a, weights) in input.iter().zip(params[block.weights.clone()].chunks_exact(block.outputs)) {
                z.iter_mut().zip(weights).for_each(|(z, &w)| *z = a.mul_add(w, *z));
            }
            if !layer.norm.is_none() {
                let [scale, shift] = [&block.scale, &block.shift].map(|range| &params[range.clone()]);
                *inverse = normalise([scale, shift], z, normalised);
            }
            if !(linked && l + 1 == spec.layers().len()) {
                layer.activation.forward_row(z, slopes);
            }
            fed.copy_from_slice(z);
            factors.apply(l, fed);
        }
    }

    fn output(&self) -> &[S] {
        &self.layers[self.layers.len() - 1].activations
    }

    /// From the gradient with respect to the outputs to that of the parameters, which is added to `gradient`.
    fn backward<A: ActivationFn>(
        &self,
        spec: &Spec<A>,
        params: &[S],
        (x, factors): (&[S], Factors<'_>),
        mut delta: Vec<S>,
        linked: bool,
        gradient: &mut [S],
    ) {
        for (l, (layer, block)) in spec.layers().iter().zip(spec.blocks()).enumerate().rev() {
            let Units { activations, slopes, normalised, inverse, .. } = &self.layers[l];
            factors.apply(l, &mut delta);
            if !(linked && l + 1 == spec.layers().len()) {
                layer.activation.backward_row(activations, slopes, &mut delta);
            }
            if !layer.norm.is_none() {
                let numbers = delta.iter().zip(normalised);
                gradient[block.scale.clone()].iter_mut().zip(numbers).for_each(|(g, (&d, &h))| *g = d.mul_add(h, *g));
                gradient[block.shift.clone()].iter_mut().zip(&delta).for_each(|(g, &d)| *g += d);
                delta.iter_mut().zip(&params[block.scale.clone()]).for_each(|(d, &scale)| *d *= scale);
                let share = S::from_f64(1.0 / block.outputs as f64);
                let mean = share * delta.iter().fold(S::ZERO, |sum, &d| sum + d);
                let along = share * delta.iter().zip(normalised).fold(S::ZERO, |sum, (&d, &h)| d.mul_add(h, sum));
                delta.iter_mut().zip(normalised).for_each(|(d, &h)| *d = *inverse * (*d - mean - h * along));
            }
            let input = if l == 0 { x } else { &self.layers[l - 1].fed };
            let weights = params[block.weights.clone()].chunks_exact(block.outputs);
            let mut below = vec![S::ZERO; block.inputs];
            for ((&a, to), (weights, gradient)) in (input.iter().zip(&mut below))
                .zip(weights.zip(gradient[block.weights.clone()].chunks_exact_mut(block.outputs)))
            {
                for ((&d, &w), g) in delta.iter().zip(weights).zip(gradient) {
                    *to = d.mul_add(w, *to);
                    *g = a.mul_add(d, *g);
                }
            }
            gradient[block.bias.clone()].iter_mut().zip(&delta).for_each(|(g, &d)| *g += d);
            delta = below;
        }
    }
}

/// Layer normalisation of one row of sums, which become what the activation is given; the inverse deviation.
pub(crate) fn normalise<S: Scalar>([scale, shift]: [&[S]; 2], z: &mut [S], normalised: &mut [S]) -> S {
    let share = S::from_f64(1.0 / z.len() as f64);
    let mean = share * z.iter().fold(S::ZERO, |sum, &z| sum + z);
    z.iter_mut().for_each(|z| *z -= mean);
    let variance = share * z.iter().fold(S::ZERO, |sum, &z| z.mul_add(z, sum));
    let inverse = S::ONE / (variance + S::from_f64(EPSILON)).sqrt();
    for (((z, h), &scale), &shift) in z.iter_mut().zip(normalised).zip(scale).zip(shift) {
        *h = *z * inverse;
        *z = scale.mul_add(*h, shift);
    }
    inverse
}

/// The objective at `params`, in any numbers; with a `gradient`, its gradient too, written there.
///
/// **Shapes**: as [`pass::value_and_gradient`](super::pass::value_and_gradient). **Overwrites** `gradient`. **Errors** as there.
pub fn objective<S: Scalar, A: ActivationFn, L: LossFn>(
    spec: &Spec<A>,
    params: &[S],
    batch: &Batch<'_, f64>,
    objective: &Objective<L>,
    gradient: Option<&mut [S]>,
) -> Result<S> {
    objective_under(&[], spec, params, batch, objective, gradient)
}

/// [`objective`] with the activations of hidden layers multiplied by `factors`, as dropout does: for each layer rows x units, or nothing
/// where none are dropped.
///
/// **Errors** as there, and factors that do not fit.
pub fn objective_under<S: Scalar, A: ActivationFn, L: LossFn>(
    factors: &[Vec<f64>],
    spec: &Spec<A>,
    params: &[S],
    batch: &Batch<'_, f64>,
    objective: &Objective<L>,
    mut gradient: Option<&mut [S]>,
) -> Result<S> {
    let total = total_weight(batch.weights, batch.x.nrows())?;
    check(spec, params, batch)?;
    check_factors(factors, spec, batch.x.nrows())?;
    if let Some(gradient) = &mut gradient {
        spec.check_differentiable()?;
        if gradient.len() != spec.parameters() {
            return Err(Error::shape("gradient", spec.parameters(), gradient.len()));
        }
        gradient.fill(S::ZERO);
    }
    let linked = is_linked(spec, &objective.loss);
    let lift = |row: ndarray::ArrayView1<'_, f64>| row.iter().map(|&x| S::from_f64(x)).collect::<Vec<S>>();
    let mut row = Row::new(spec);
    let mut value = S::ZERO;
    for (i, (x, y)) in batch.x.rows().into_iter().zip(batch.y.rows()).enumerate() {
        let (x, y) = (lift(x), lift(y));
        let factors = Factors { layers: factors, row: i };
        row.forward(spec, params, &x, linked, factors);
        let mut delta = vec![S::ZERO; y.len()];
        let share = S::from_f64(batch.weights.map_or(1.0, |w| w[i]) / total);
        value += share * objective.loss.row(row.output(), &y, &mut delta);
        if let Some(gradient) = &mut gradient {
            delta.iter_mut().for_each(|d| *d *= share);
            row.backward(spec, params, (&x, factors), delta, linked, gradient);
        }
    }
    Ok(value + penalty(spec, params, objective, gradient))
}

fn penalty<S: Scalar, A: ActivationFn, L>(
    spec: &Spec<A>,
    params: &[S],
    objective: &Objective<L>,
    mut gradient: Option<&mut [S]>,
) -> S {
    let (l1, l2) = (S::from_f64(objective.l1), S::from_f64(objective.l2));
    let (mut sizes, mut squares) = (S::ZERO, S::ZERO);
    for i in spec.blocks().iter().flat_map(|block| block.weights.clone()) {
        let w = params[i];
        sizes += w.abs();
        squares = w.mul_add(w, squares);
        if let Some(gradient) = &mut gradient {
            let sign = S::from_f64(f64::from(u8::from(w.real() > 0.0)) - f64::from(u8::from(w.real() < 0.0)));
            gradient[i] += l1 * sign + l2 * w;
        }
    }
    l1 * sizes + l2 * S::from_f64(0.5) * squares
}

/// The sum of `combination` times the outputs, row by row: what [`pass::backward`](super::pass::backward) is the gradient of.
///
/// **Shapes**: `x` and `combination` rows x inputs and rows x outputs, row-major; `factors` as in [`objective_under`].
pub(crate) fn combined_outputs<S: Scalar, A: ActivationFn>(
    factors: &[Vec<f64>],
    spec: &Spec<A>,
    params: &[S],
    x: &[S],
    combination: &[f64],
) -> S {
    let mut row = Row::new(spec);
    let mut sum = S::ZERO;
    for (i, (x, c)) in x.chunks_exact(spec.inputs()).zip(combination.chunks_exact(spec.outputs())).enumerate() {
        row.forward(spec, params, x, false, Factors { layers: factors, row: i });
        row.output().iter().zip(c).for_each(|(&o, &c)| sum = o.mul_add(S::from_f64(c), sum));
    }
    sum
}

/// The product of the objective's Hessian with `vector`, at `params`: the second derivative along it, of every parameter.
///
/// A backward pass in dual numbers whose slopes are `vector` (Pearlmutter 1994 by another road): exact, no step to choose, at some
/// four times the work of a backward pass. Where a slope jumps it is that of the side the pass takes.
///
/// **Shapes**: `vector` and `product` as long as the parameters. **Overwrites** `product`. **Errors** as [`objective`].
///
/// ```
/// use deltarule::prelude::*;
/// use deltarule::network::generic;
/// use ndarray::array;
///
/// // One linear unit: the Hessian is the mean of x x'.
/// let spec = Spec::new(2, vec![Layer::without_bias(1, Activation::Identity)])?;
/// let (x, y) = (array![[1.0, 2.0], [3.0, -1.0]], array![[0.0], [1.0]]);
/// let batch = Batch { x: x.view(), y: y.view(), weights: None };
/// let mut product = [0.0; 2];
/// generic::hessian_vector(&spec, &[0.3, 0.4], &batch, &Objective::<Loss>::default(), &[1.0, 0.0], &mut product)?;
/// assert_eq!(product, [5.0, -0.5]);
/// # Ok::<(), deltarule::Error>(())
/// ```
pub fn hessian_vector<A: ActivationFn, L: LossFn>(
    spec: &Spec<A>,
    params: &[f64],
    batch: &Batch<'_, f64>,
    of: &Objective<L>,
    vector: &[f64],
    product: &mut [f64],
) -> Result<()> {
    hessian_vector_under(&[], spec, params, batch, of, (vector, product))
}

/// [`hessian_vector`] of [`objective_under`] factors.
pub(crate) fn hessian_vector_under<A: ActivationFn, L: LossFn>(
    factors: &[Vec<f64>],
    spec: &Spec<A>,
    params: &[f64],
    batch: &Batch<'_, f64>,
    of: &Objective<L>,
    (vector, product): (&[f64], &mut [f64]),
) -> Result<()> {
    for (name, length) in [("parameters", params.len()), ("vector", vector.len()), ("product", product.len())] {
        if length != spec.parameters() {
            return Err(Error::shape(name, spec.parameters(), length));
        }
    }
    let at: Vec<Dual> = params.iter().zip(vector).map(|(&value, &slope)| Dual { value, slope }).collect();
    let mut gradient = vec![Dual::ZERO; at.len()];
    objective_under(factors, spec, &at, batch, of, Some(&mut gradient))?;
    product.iter_mut().zip(&gradient).for_each(|(p, g)| *p = g.slope);
    Ok(())
}

/// Refuses shapes that do not fit.
pub(crate) fn check<S, A: ActivationFn>(spec: &Spec<A>, params: &[S], batch: &Batch<'_, f64>) -> Result<()> {
    if params.len() != spec.parameters() {
        return Err(Error::shape("parameters", spec.parameters(), params.len()));
    }
    for (name, found, width) in [("x", batch.x.dim(), spec.inputs()), ("y", batch.y.dim(), spec.outputs())] {
        let rows = batch.x.nrows();
        if found != (rows, width) {
            return Err(Error::shape(name, format!("{rows} x {width}"), format!("{} x {}", found.0, found.1)));
        }
    }
    Ok(())
}

/// Refuses factors that do not fit.
fn check_factors<A: ActivationFn>(factors: &[Vec<f64>], spec: &Spec<A>, rows: usize) -> Result<()> {
    let hidden = &spec.layers()[..spec.layers().len() - 1];
    if factors.len() > hidden.len() {
        return Err(Error::shape("factors", format!("those of {} hidden layers", hidden.len()), factors.len()));
    }
    for (l, (factors, layer)) in factors.iter().zip(hidden).enumerate() {
        if !factors.is_empty() && factors.len() != rows * layer.outputs {
            return Err(Error::shape(format!("factors of layer {}", l + 1), rows * layer.outputs, factors.len()));
        }
    }
    Ok(())
}
