//! The network in any numbers: the same mathematics as [`pass`](super::pass), loop by loop, over every [`Scalar`].
//!
//! Row 4 of the house: imports `objective`, `spec`, mathematics and the ground. Begin reading at [`objective`].
//!
//! It has no kernels, no blocks and no threads, and is some thirty times slower; but it runs on dual and on complex numbers, so that
//! what the pass computes has witnesses: derivatives that know nothing of back-propagation. Run backward in dual numbers it gives
//! the Hessian's product with a vector ([`hessian_vector`]).

use super::objective::{Batch, Objective, is_linked, total_weight};
use super::spec::{Layer, Norm, Spec};
use crate::activation::ActivationFn;
use crate::dual::Dual;
use crate::error::{Error, Result};
use crate::kernel::layer_norm::EPSILON;
use crate::loss::LossFn;
use crate::scalar::Scalar;

/// One layer of some rows: rows x units.
struct Units<S> {
    /// The activations and the slopes that belong to them.
    activations: Vec<S>,
    slopes: Vec<S>,
    /// What the next layer is fed: the activations, some of which may be dropped.
    fed: Vec<S>,
    /// What the norm made of the sums before they were scaled and shifted, and the inverse deviations: of each row, or of each unit.
    normalised: Vec<S>,
    inverse: Vec<S>,
}

/// What the activations of hidden layers are multiplied by: for each layer rows x units, or nothing
/// ([`Draw::write_out`](super::noise::Draw::write_out)).
#[derive(Clone, Copy)]
struct Factors<'a> {
    layers: &'a [Vec<f64>],
    /// The first row.
    row: usize,
}

impl Factors<'_> {
    /// Those of layer `l`, of so many units, for numbers that belong to rows of it.
    fn apply<S: Scalar>(self, l: usize, width: usize, numbers: &mut [S]) {
        if let Some(factors) = self.layers.get(l).filter(|factors| !factors.is_empty()) {
            let factors = &factors[self.row * width..self.row * width + numbers.len()];
            numbers.iter_mut().zip(factors).for_each(|(x, &factor)| *x *= S::from_f64(factor));
        }
    }
}

/// Some rows at work, layer by layer: one at a time, or all that batch normalisation couples.
struct Rows<S> {
    layers: Vec<Units<S>>,
}

/// How many rows of a batch are worked on at once.
fn rows_at_once<A: ActivationFn>(spec: &Spec<A>, rows: usize) -> usize {
    if spec.couples_rows() { rows } else { 1 }
}

impl<S: Scalar> Rows<S> {
    fn new<A: ActivationFn>(spec: &Spec<A>, rows: usize) -> Self {
        let zeros = |count: usize| vec![S::ZERO; count];
        let units = |layer: &Layer<A>| Units {
            activations: zeros(rows * layer.outputs),
            slopes: zeros(rows * layer.outputs),
            fed: zeros(rows * layer.outputs),
            normalised: zeros(rows * layer.outputs),
            inverse: zeros(if layer.norm == Norm::Batch { layer.outputs } else { rows }),
        };
        Self { layers: spec.layers().iter().map(units).collect() }
    }

    /// With `linked`, the last layer keeps its weighted sums: the loss reads those.
    fn forward<A: ActivationFn>(&mut self, spec: &Spec<A>, params: &[S], x: &[S], linked: bool, factors: Factors<'_>) {
        for (l, (layer, block)) in spec.layers().iter().zip(spec.blocks()).enumerate() {
            let (below, from_here) = self.layers.split_at_mut(l);
            let input = if l == 0 { x } else { &below[l - 1].fed };
            let width = block.outputs;
            let Units { activations: z, slopes, fed, normalised, inverse } = &mut from_here[0];
            for (z, input) in z.chunks_exact_mut(width).zip(input.chunks_exact(block.inputs)) {
                match layer.bias {
                    true => z.copy_from_slice(&params[block.bias.clone()]),
                    false => z.fill(S::ZERO),
                }
                for (&a, weights) in input.iter().zip(params[block.weights.clone()].chunks_exact(width)) {
                    z.iter_mut().zip(weights).for_each(|(z, &w)| *z = a.mul_add(w, *z));
                }
            }
            let of_norm = [&block.scale, &block.shift].map(|range| &params[range.clone()]);
            match layer.norm {
                Norm::None => {}
                Norm::Layer => {
                    let rows = z.chunks_exact_mut(width).zip(normalised.chunks_exact_mut(width));
                    rows.zip(inverse).for_each(|((z, h), inverse)| *inverse = normalise(of_norm, z, h));
                }
                Norm::Batch => normalise_columns(of_norm, z, normalised, inverse),
            }
            if !(linked && l + 1 == spec.layers().len()) {
                let rows = z.chunks_exact_mut(width).zip(slopes.chunks_exact_mut(width));
                rows.for_each(|(z, slopes)| layer.activation.forward_row(z, slopes));
            }
            fed.copy_from_slice(z);
            factors.apply(l, width, fed);
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
            let width = block.outputs;
            let Units { activations, slopes, normalised, inverse, .. } = &self.layers[l];
            factors.apply(l, width, &mut delta);
            if !(linked && l + 1 == spec.layers().len()) {
                let rows = activations.chunks_exact(width).zip(slopes.chunks_exact(width));
                for ((a, slopes), delta) in rows.zip(delta.chunks_exact_mut(width)) {
                    layer.activation.backward_row(a, slopes, delta);
                }
            }
            if !layer.norm.is_none() {
                for (delta, h) in delta.chunks_exact(width).zip(normalised.chunks_exact(width)) {
                    let numbers = delta.iter().zip(h);
                    gradient[block.scale.clone()]
                        .iter_mut()
                        .zip(numbers)
                        .for_each(|(g, (&d, &h))| *g = d.mul_add(h, *g));
                    gradient[block.shift.clone()].iter_mut().zip(delta).for_each(|(g, &d)| *g += d);
                }
                let scale = &params[block.scale.clone()];
                delta.chunks_exact_mut(width).for_each(|row| row.iter_mut().zip(scale).for_each(|(d, &g)| *d *= g));
                project(layer.norm, width, normalised, inverse, &mut delta);
            }
            let input = if l == 0 { x } else { &self.layers[l - 1].fed };
            let mut below = vec![S::ZERO; input.len()];
            let rows = input.chunks_exact(block.inputs).zip(below.chunks_exact_mut(block.inputs));
            for ((input, below), delta) in rows.zip(delta.chunks_exact(width)) {
                let weights = params[block.weights.clone()].chunks_exact(width);
                for ((&a, to), (weights, gradient)) in
                    (input.iter().zip(below)).zip(weights.zip(gradient[block.weights.clone()].chunks_exact_mut(width)))
                {
                    for ((&d, &w), g) in delta.iter().zip(weights).zip(gradient) {
                        *to = d.mul_add(w, *to);
                        *g = a.mul_add(d, *g);
                    }
                }
                // Under batch normalisation it is 0, as the pass has it; the sum would be its rounding.
                if layer.norm != Norm::Batch {
                    gradient[block.bias.clone()].iter_mut().zip(delta).for_each(|(g, &d)| *g += d);
                }
            }
            delta = below;
        }
    }
}

/// Weighted sums of one row become what the activation is given: mean 0, variance 1, then scaled and shifted. What they were before that
/// is written to `normalised`; the inverse deviation is returned.
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

/// The same of columns, each over all rows.
pub(crate) fn normalise_columns<S: Scalar>(
    [scale, shift]: [&[S]; 2],
    z: &mut [S],
    normalised: &mut [S],
    inverse: &mut [S],
) {
    let width = scale.len();
    let rows = z.len() / width;
    let (mut column, mut h) = (vec![S::ZERO; rows], vec![S::ZERO; rows]);
    for unit in 0..width {
        column.iter_mut().zip(z.iter().skip(unit).step_by(width)).for_each(|(to, &z)| *to = z);
        let [of_scale, of_shift] = [scale[unit], shift[unit]].map(|number| vec![number; rows]);
        inverse[unit] = normalise([&of_scale, &of_shift], &mut column, &mut h);
        let places = z.iter_mut().zip(normalised.iter_mut()).skip(unit).step_by(width);
        places.zip(column.iter().zip(&h)).for_each(|((z, to), (&y, &h))| (*z, *to) = (y, h));
    }
}

/// What is left of a gradient with respect to `scale h` on the way back through mean and deviation, those of rows or of columns.
fn project<S: Scalar>(norm: Norm, width: usize, normalised: &[S], inverse: &[S], delta: &mut [S]) {
    // Who shares a mean: `size` numbers, `stride` apart.
    let by_rows = norm == Norm::Layer;
    let (size, stride) = if by_rows { (width, 1) } else { (delta.len() / width, width) };
    let share = S::from_f64(1.0 / size as f64);
    for (group, &inverse) in inverse.iter().enumerate() {
        let first = if by_rows { group * width } else { group };
        let places = || (0..size).map(|i| first + i * stride);
        let mean = share * places().fold(S::ZERO, |sum, i| sum + delta[i]);
        let along = share * places().fold(S::ZERO, |sum, i| delta[i].mul_add(normalised[i], sum));
        places().for_each(|i| delta[i] = inverse * (delta[i] - mean - normalised[i] * along));
    }
}

/// The objective at `params`, in any numbers; with a `gradient`, its gradient too, written there. Batch normalisation is that of a
/// training, by the statistics of the batch.
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
    let lift = |rows: ndarray::ArrayView2<'_, f64>| rows.iter().map(|&x| S::from_f64(x)).collect::<Vec<S>>();
    let (count, outputs) = batch.y.dim();
    let at_once = rows_at_once(spec, count);
    let mut rows = Rows::new(spec, at_once);
    let mut value = S::ZERO;
    for first in (0..count).step_by(at_once) {
        let part = batch.rows(first..first + at_once);
        let (x, y) = (lift(part.x), lift(part.y));
        let factors = Factors { layers: factors, row: first };
        rows.forward(spec, params, &x, linked, factors);
        let mut delta = vec![S::ZERO; y.len()];
        let of_rows = rows.output().chunks_exact(outputs).zip(y.chunks_exact(outputs));
        for (i, ((output, y), delta)) in of_rows.zip(delta.chunks_exact_mut(outputs)).enumerate() {
            let share = S::from_f64(part.weights.map_or(1.0, |w| w[i]) / total);
            value += share * objective.loss.row(output, y, delta);
            delta.iter_mut().for_each(|d| *d *= share);
        }
        if let Some(gradient) = &mut gradient {
            rows.backward(spec, params, (&x, factors), delta, linked, gradient);
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
    let at_once = rows_at_once(spec, x.len() / spec.inputs());
    let mut rows = Rows::new(spec, at_once);
    let mut sum = S::ZERO;
    let parts = x.chunks_exact(at_once * spec.inputs()).zip(combination.chunks_exact(at_once * spec.outputs()));
    for (i, (x, c)) in parts.enumerate() {
        rows.forward(spec, params, x, false, Factors { layers: factors, row: i * at_once });
        rows.output().iter().zip(c).for_each(|(&o, &c)| sum = o.mul_add(S::from_f64(c), sum));
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
    spec.check_coupled(batch.x.nrows())?;
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
