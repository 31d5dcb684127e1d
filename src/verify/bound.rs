//! A bound on the rounding errors of a gradient, entry by entry: running error analysis, layer by layer.
//!
//! Beside every number of the pass goes a bound on its error, in absolute terms, from the roundings made so far:
//!
//! ```text
//! sum of n products    what comes in: E(x) |w|;   what is added: s(n) u sum |x| |w|
//! activation, slope    the largest change over z +- E(z), and the kernel's own error
//! loss gradient        the change with each output moved by its error, and its own rounding
//! ```
//!
//! So the tolerance for a gradient in `f32` is not a constant: it follows from the network, the rows and the precision. A unit that lies
//! closer to its kink than rounding can tell has a slope in doubt, and its bound says so.
//!
//! It is made twice. The *certain* bound adds absolute errors, as above, and holds in whatever order a sum is added (`s(n) = n`); through
//! wide layers it grows to thousands of times what happens, and would hide faults. The *likely* one takes errors for independent and adds
//! their squares; sixteen of its standard deviations are taken. The lesser of both counts. Errors are kept as their first or second powers
//! ([`Power`]), in which both are sums.
//!
//! **Source**: Higham, Accuracy and Stability of Numerical Algorithms (2002), sections 3.1 and 3.3; Higham and Mary, A new approach to
//! probabilistic rounding error analysis (SIAM J. Sci. Comput. 41, 2019).

use super::bound_norm::{self, Normalised};
use super::point::Point;
use super::powers::{DEVIATIONS, KERNEL, Power};
use crate::activation::{Activation, ActivationFn};
use crate::engine::Engine;
use crate::float::Float;
use crate::gemm::{Mat, MatMut, gemm};
use crate::loss::LossFn;
use crate::network::objective::Objective;

/// The unit roundoff of single precision.
const SINGLE: f64 = f32::EPSILON as f64 / 2.0;

/// Bounds on the errors of the gradient computed in numbers of type `T`, parameter by parameter; nothing for activations whose own errors
/// nobody knows.
pub(super) fn rounding<T: Float, A: ActivationFn, L: LossFn>(point: &Point<'_, A, L>) -> Option<Vec<f64>> {
    Some(rounding_of_both::<T, A, L>(point)?.0)
}

/// The same, and bounds on the errors of the gradient with respect to the inputs, row after row.
pub(super) fn rounding_of_both<T: Float, A: ActivationFn, L: LossFn>(
    point: &Point<'_, A, L>,
) -> Option<(Vec<f64>, Vec<f64>)> {
    let u = if T::NAME == f32::NAME { SINGLE } else { f64::EPSILON / 2.0 };
    let spec = point.spec;
    if spec.layers().iter().any(|layer| layer.activation.builtin().is_none()) || spec.check_differentiable().is_err() {
        return None;
    }
    let ((mut params, mut inputs), likely) = (powers_of(point, Power::Certain, u), powers_of(point, Power::Likely, u));
    let lost = tiny_of(u) * (1 + point.batch.x.nrows()) as f64;
    for (bounds, likely) in [(&mut params, likely.0), (&mut inputs, likely.1)] {
        let likely = likely.into_iter().map(|power| DEVIATIONS * Power::Likely.root(power));
        bounds.iter_mut().zip(likely).for_each(|(bound, likely)| *bound = bound.min(likely) + lost);
    }
    Some((params, inputs))
}

/// The smallest normal number of the type whose unit roundoff is `u`.
fn tiny_of(u: f64) -> f64 {
    if u == SINGLE { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE }
}

/// The powers of the errors of the parameters' gradient, and of the inputs'.
fn powers_of<A: ActivationFn, L: LossFn>(point: &Point<'_, A, L>, powers: Power, u: f64) -> (Vec<f64>, Vec<f64>) {
    let spec = point.spec;
    let rows = point.batch.x.nrows();
    let mut forward: Vec<Errors> = Vec::new();
    for l in 0..spec.layers().len() {
        let errors = Errors::forward(point, l, forward.last().map(|below| &below.activation[..]), powers, u);
        forward.push(errors);
    }
    let (mut delta, mut error) = loss_gradient(point, &forward[forward.len() - 1].activation, powers, u);
    let mut bounds = vec![0.0; spec.parameters()];
    for (l, block) in spec.blocks().iter().enumerate().rev() {
        let (inputs, outputs) = (block.inputs, block.outputs);
        forward[l].backward(point, l, &mut delta, &mut error, powers, u);
        if !block.scale.is_empty() {
            let of_norm = [&block.scale, &block.shift].map(|range| range.clone());
            let [scales, shifts] =
                bound_norm::backward(point, l, &forward[l].normalised, (&mut delta, &mut error), powers, u);
            of_norm.into_iter().zip([scales, shifts]).for_each(|(range, from)| bounds[range].copy_from_slice(&from));
        }
        // What is smaller than any normal number may be lost, before it is multiplied by what comes in.
        error.iter_mut().for_each(|e| *e += powers.of(tiny_of(u)));
        let size = powers.powers(&delta);
        let input = powers.powers(point.input(l));
        let first = input_errors(point, powers, u);
        let below = if l == 0 { &first } else { &forward[l - 1].activation };
        // |A|' E(D) + E(A)' (|D| + E(D)) + s(rows) u |A|' |D|; some rows more for sums of shards and blocks.
        let plus = |factor: f64| error.iter().zip(&size).map(|(e, d)| e + factor * d).collect::<Vec<f64>>();
        let (both, whole) = (plus(powers.summed(rows + 8, u)), plus(1.0));
        let to = &mut bounds[block.weights.clone()];
        product(Mat::new(&input, rows, inputs).t(), Mat::new(&both, rows, outputs), 0.0, to);
        product(Mat::new(below, rows, inputs).t(), Mat::new(&whole, rows, outputs), 1.0, to);
        let bias = &mut bounds[block.bias.clone()];
        both.chunks_exact(outputs).for_each(|row| bias.iter_mut().zip(row).for_each(|(b, e)| *b += e));
        // The penalty's own roundings, and that of adding it.
        let Objective { l1, l2, .. } = *point.objective;
        for i in block.weights.clone().filter(|_| l1 > 0.0 || l2 > 0.0) {
            bounds[i] += powers.of(4.0 * u * (l2 * point.params[i].abs() + l1));
        }
        let weights = &point.params[block.weights.clone()];
        let both = plus(powers.summed(outputs, u));
        error = vec![0.0; rows * inputs];
        let sizes = powers.powers(weights);
        product(Mat::new(&both, rows, outputs), Mat::new(&sizes, inputs, outputs).t(), 0.0, &mut error);
        let mut lower = vec![0.0; rows * inputs];
        product(Mat::new(&delta, rows, outputs), Mat::new(weights, inputs, outputs).t(), 0.0, &mut lower);
        delta = lower;
    }
    (bounds, error)
}

/// The powers of the errors of the inputs: those of their noise, which is computed, added and scaled up.
fn input_errors<A: ActivationFn, L: LossFn>(point: &Point<'_, A, L>, powers: Power, u: f64) -> Vec<f64> {
    match &point.dropped.sizes[..] {
        [] => vec![0.0; point.x().len()],
        sizes => sizes.iter().map(|size| powers.of(4.0 * u * size)).collect(),
    }
}

/// The powers of one layer's errors: of its activations, or of the sums that the loss reads, and of the slopes.
struct Errors {
    activation: Vec<f64>,
    slope: Vec<f64>,
    slope_error: Vec<f64>,
    normalised: Normalised,
}

impl Errors {
    fn forward<A: ActivationFn, L: LossFn>(
        point: &Point<'_, A, L>,
        l: usize,
        below: Option<&[f64]>,
        powers: Power,
        u: f64,
    ) -> Self {
        let (layer, block) = (&point.spec.layers()[l], &point.spec.blocks()[l]);
        let (rows, width) = (point.batch.x.nrows(), block.outputs);
        let weights = powers.powers(&point.params[block.weights.clone()]);
        let added = powers.summed(block.inputs + 1, u);
        let mut input: Vec<f64> = point.input(l).iter().map(|&x| added * powers.of(x)).collect();
        match below {
            Some(below) => input.iter_mut().zip(below).for_each(|(x, e)| *x += e),
            None => input.iter_mut().zip(input_errors(point, powers, u)).for_each(|(x, e)| *x += e),
        }
        let mut sums = vec![0.0; rows * width];
        product(Mat::new(&input, rows, block.inputs), Mat::new(&weights, block.inputs, width), 0.0, &mut sums);
        for row in sums.chunks_exact_mut(width) {
            let bias = &point.params[block.bias.clone()];
            row.iter_mut().zip(bias).for_each(|(e, &b)| *e += added * powers.of(b));
        }
        let mut errors = Self {
            activation: Vec::new(),
            slope: Vec::new(),
            slope_error: Vec::new(),
            normalised: Normalised::default(),
        };
        if !layer.norm.is_none() {
            errors.normalised = bound_norm::forward(point, l, &mut sums, powers, u);
        }
        if point.linked && l + 1 == point.spec.layers().len() {
            errors.activation = sums;
        } else if layer.activation.builtin() == Some(Activation::Softmax) {
            for (p, e) in point.layers.activations[l].chunks_exact(width).zip(sums.chunks_exact(width)) {
                let mean: f64 = p.iter().zip(e).map(|(&p, e)| powers.of(p) * e).sum();
                let own = powers.of(KERNEL * u) + powers.summed(width, u);
                errors.activation.extend(p.iter().zip(e).map(|(&p, e)| powers.of(p) * (e + mean + own)));
            }
        } else {
            let at = |z: f64| layer.activation.value_and_slope(z);
            for (&z, &e) in point.layers.sums[l].iter().zip(&sums) {
                let e = powers.reach() * powers.root(e);
                let ((a, s), (a_up, s_up), (a_down, s_down)) = (at(z), at(z + e), at(z - e));
                let most = |up: f64, down: f64, here: f64| (up - here).abs().max((down - here).abs());
                let changed = |up: f64, down: f64, here: f64| powers.of(most(up, down, here) / powers.reach());
                errors.activation.push(changed(a_up, a_down, a) + powers.of(KERNEL * u * a));
                errors.slope.push(s);
                // Formulas such as 1 - a^2 round as numbers of size 1 do.
                errors.slope_error.push(changed(s_up, s_down, s) + powers.of(KERNEL * u * s.abs().max(1.0)));
            }
            errors.drop(point, l, powers, u);
        }
        errors
    }

    /// Of what is kept, activations and slopes are multiplied by a rounded factor; what is dropped is exact.
    fn drop<A: ActivationFn, L: LossFn>(&mut self, point: &Point<'_, A, L>, l: usize, powers: Power, u: f64) {
        let Some(factors) = point.dropped.of(l) else { return };
        for (i, &factor) in factors.iter().enumerate() {
            self.slope[i] *= factor;
            self.slope_error[i] = self.slope_error[i] * powers.of(factor) + powers.of(2.0 * u * self.slope[i]);
            let rounded = powers.of(2.0 * u * point.layers.activations[l][i]);
            self.activation[i] = self.activation[i] * powers.of(factor) + rounded;
        }
    }

    /// From the gradient with respect to the activations to that with respect to the sums, with its errors.
    fn backward<A: ActivationFn, L: LossFn>(
        &self,
        point: &Point<'_, A, L>,
        l: usize,
        delta: &mut [f64],
        error: &mut [f64],
        powers: Power,
        u: f64,
    ) {
        if point.linked && l + 1 == point.spec.layers().len() {
            return;
        }
        let width = point.spec.blocks()[l].outputs;
        if point.spec.layers()[l].activation.builtin() == Some(Activation::Softmax) {
            let p = point.layers.activations[l].chunks_exact(width).zip(self.activation.chunks_exact(width));
            for (((p, p_error), d), e) in p.zip(delta.chunks_exact_mut(width)).zip(error.chunks_exact_mut(width)) {
                let mean: f64 = p.iter().zip(&*d).map(|(p, d)| p * d).sum();
                let size: f64 = p.iter().zip(&*d).map(|(p, d)| powers.of(p * d)).sum();
                let terms = p.iter().zip(p_error).zip(d.iter().zip(&*e));
                let moved: f64 = terms.map(|((&p, pe), (&d, e))| powers.of(p) * e + pe * (powers.of(d) + e)).sum();
                let rounded = powers.summed(width + 4, u);
                for ((&p, pe), (d, e)) in p.iter().zip(p_error).zip(d.iter_mut().zip(e)) {
                    let moved = *e + moved + rounded * (powers.of(*d) + size);
                    *e = powers.of(p) * moved + pe * (powers.of(*d - mean) + moved);
                    *d = p * (*d - mean);
                }
            }
            return;
        }
        for ((d, e), (&s, se)) in delta.iter_mut().zip(error).zip(self.slope.iter().zip(&self.slope_error)) {
            *e = *e * powers.of(s) + powers.of(*d) * se + *e * se;
            *d *= s;
            *e += powers.of(u * *d);
        }
    }
}

/// The gradient with respect to what the loss reads, and the powers of its errors, of rows that count as they do.
fn loss_gradient<A: ActivationFn, L: LossFn>(
    point: &Point<'_, A, L>,
    output_errors: &[f64],
    powers: Power,
    u: f64,
) -> (Vec<f64>, Vec<f64>) {
    let width = point.spec.outputs();
    let loss = &point.objective.loss;
    let outputs = &point.layers.activations[point.layers.activations.len() - 1];
    let (mut delta, mut error) = (vec![0.0; outputs.len()], vec![0.0; outputs.len()]);
    let mut moved = vec![0.0; width];
    for (r, share) in point.shares.iter().enumerate() {
        let row = r * width..(r + 1) * width;
        let (target, output_error) = (&point.y()[row.clone()], &output_errors[row.clone()]);
        let mut output = outputs[row.clone()].to_vec();
        let (delta, error) = (&mut delta[row.clone()], &mut error[row]);
        loss.row(&output, target, delta);
        for j in 0..width {
            let here = output[j];
            let mut most = vec![0.0_f64; width];
            let by = powers.reach() * powers.root(output_error[j]);
            for there in [here + by, here - by] {
                output[j] = there;
                loss.row(&output, target, &mut moved);
                most.iter_mut()
                    .zip(&moved)
                    .zip(&*delta)
                    .for_each(|((m, a), b)| *m = m.max((a - b).abs() / powers.reach()));
            }
            output[j] = here;
            error.iter_mut().zip(most).for_each(|(e, m)| *e += powers.of(m));
        }
        let own = loss_rounding(loss, &output, target, u);
        for ((d, e), own) in delta.iter_mut().zip(error).zip(own) {
            *e += powers.of(own);
            *d *= share;
            *e = *e * powers.of(*share) + powers.of(3.0 * u * *d);
        }
    }
    (delta, error)
}

/// What the loss itself rounds in its gradient of one row.
///
/// Exponents of logits round as the logits are large. What else its formula does is measured: in single precision against double at the
/// same numbers, and scaled to `u`; but one measurement may be small by chance where the gradient is a difference: of a cross-entropy, and
/// its focal kin, of numbers up to 1 where a target is neither 0 nor 1; of a rate and what was counted, of numbers as large as that.
fn loss_rounding<L: LossFn>(loss: &L, output: &[f64], target: &[f64], u: f64) -> Vec<f64> {
    let single = |numbers: &[f64]| numbers.iter().map(|&x| x as f32).collect::<Vec<f32>>();
    let (output_f32, target_f32) = (single(output), single(target));
    let wide = |numbers: &[f32]| numbers.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    let (mut rough, mut exact) = (vec![0.0_f32; output.len()], vec![0.0; output.len()]);
    loss.row(&output_f32, &target_f32, &mut rough);
    loss.row(&wide(&output_f32), &wide(&target_f32), &mut exact);
    let largest = output.iter().fold(0.0, |m: f64, o| m.max(o.abs()));
    let link = loss.link();
    let own = |((&rough, &exact), &t): ((&f32, &f64), &f64)| {
        let measured = (f64::from(rough) - exact).abs() / SINGLE;
        let unit = match link {
            Some(Activation::Exponential) => t.abs(),
            Some(_) if t != 0.0 && t != 1.0 => 1.0,
            _ => 0.0,
        };
        let exponents = if link.is_some() { 1.0 + 2.0 * largest } else { 1.0 };
        KERNEL * u * (measured + exponents * (exact.abs() + unit))
    };
    rough.iter().zip(&exact).zip(target).map(own).collect()
}

fn product(a: Mat<'_, f64>, b: Mat<'_, f64>, beta: f64, to: &mut [f64]) {
    let (rows, cols) = (a.rows(), b.cols());
    gemm(Engine::default(), 1.0, a, b, beta, MatMut::new(to, rows, cols));
}
