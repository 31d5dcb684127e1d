//! A bound on the rounding errors of a gradient, entry by entry: running error analysis, layer by layer.
//!
//! Beside every number of the pass goes a bound on its error, in absolute terms, from the roundings made so far:
//!
//! ```text
//! sum of n products    what comes in: |x| E(w) + E(x) |w|;   what is added: s(n) u sum |x| |w|
//! activation, slope    the largest change over z +- E(z), and the kernel's own error
//! loss gradient        the change with each output moved by its error, and its own rounding
//! ```
//!
//! So the tolerance for a gradient in `f32` is not a constant: it follows from the network, the rows and the precision. A unit that lies
//! closer to its kink than rounding can tell has a slope in doubt, and its bound says so. `s(n)` is `n` for sums of up to 64 terms, which
//! is certain in whatever order they are added; longer sums have `8 sqrt(n)`, which their errors exceed with a probability below 1e-13 if
//! roundings are independent, where the certain bound would hide faults.
//!
//! **Source**: Higham, Accuracy and Stability of Numerical Algorithms (2002), sections 3.1 and 3.3; Higham and Mary, A new approach to
//! probabilistic rounding error analysis (SIAM J. Sci. Comput. 41, 2019).

use super::structure::Subject;
use crate::activation::{Activation, ActivationFn};
use crate::engine::Engine;
use crate::gemm::{Mat, MatMut, gemm};
use crate::loss::LossFn;

/// Units of roundoff that a kernel's value or slope may be off by: the proof's table has at most 2 in the last place, which are 4.
const KERNEL: f64 = 8.0;
/// Standard deviations of a long sum's error.
const DEVIATIONS: f64 = 8.0;

/// How many roundings a sum of `n` products counts for.
fn roundings(n: usize) -> f64 {
    let n = n as f64;
    n.min(DEVIATIONS * n.sqrt())
}

/// Bounds on the errors of the gradient computed with unit roundoff `u` (2^-24 for `f32`), parameter by parameter; nothing for
/// activations whose own errors nobody knows.
pub(super) fn rounding<A: ActivationFn, L: LossFn>(subject: &Subject<'_, A, L>, u: f64) -> Option<Vec<f64>> {
    let spec = subject.spec;
    if spec.layers().iter().any(|layer| layer.activation.builtin().is_none()) || spec.check_differentiable().is_err() {
        return None;
    }
    let rows = subject.batch.x.nrows();
    let mut forward: Vec<Errors> = Vec::new();
    for l in 0..spec.layers().len() {
        let errors = Errors::forward(subject, l, forward.last().map(|below| &below.activation[..]), u);
        forward.push(errors);
    }
    let (mut delta, mut error) = loss_gradient(subject, &forward[forward.len() - 1].activation, u);
    let mut bounds = vec![0.0; spec.parameters()];
    for (l, block) in spec.blocks().iter().enumerate().rev() {
        let (inputs, outputs) = (block.inputs, block.outputs);
        forward[l].backward(subject, l, &mut delta, &mut error, u);
        let size = absolute(&delta);
        let input = absolute(subject.input(l));
        let none = vec![0.0; input.len()];
        let below = if l == 0 { &none } else { &forward[l - 1].activation };
        // |A|' E(D) + E(A)' (|D| + E(D)) + s(rows) u |A|' |D|.
        let added = (roundings(rows) + 8.0) * u;
        let both: Vec<f64> = error.iter().zip(&size).map(|(e, d)| e + added * d).collect();
        let whole: Vec<f64> = error.iter().zip(&size).map(|(e, d)| e + d).collect();
        let to = &mut bounds[block.weights.clone()];
        product(Mat::new(&input, rows, inputs).t(), Mat::new(&both, rows, outputs), 0.0, to);
        product(Mat::new(below, rows, inputs).t(), Mat::new(&whole, rows, outputs), 1.0, to);
        let bias = &mut bounds[block.bias.clone()];
        both.chunks_exact(outputs).for_each(|row| bias.iter_mut().zip(row).for_each(|(b, e)| *b += e));
        penalty(subject, block.weights.clone(), u, &mut bounds);
        if l > 0 {
            let weights = &subject.params[block.weights.clone()];
            let sizes = absolute(weights);
            let added = roundings(outputs) * u;
            let both: Vec<f64> = error.iter().zip(&size).map(|(e, d)| e + added * d).collect();
            error = vec![0.0; rows * inputs];
            product(Mat::new(&both, rows, outputs), Mat::new(&sizes, inputs, outputs).t(), 0.0, &mut error);
            let mut lower = vec![0.0; rows * inputs];
            product(Mat::new(&delta, rows, outputs), Mat::new(weights, inputs, outputs).t(), 0.0, &mut lower);
            delta = lower;
        }
    }
    Some(bounds)
}

/// Bounds on one layer's errors: of its sums, of what they become, and of the slopes.
struct Errors {
    activation: Vec<f64>,
    slope: Vec<f64>,
    slope_error: Vec<f64>,
}

impl Errors {
    fn forward<A: ActivationFn, L: LossFn>(
        subject: &Subject<'_, A, L>,
        l: usize,
        below: Option<&[f64]>,
        u: f64,
    ) -> Self {
        let (layer, block) = (&subject.spec.layers()[l], &subject.spec.blocks()[l]);
        let (rows, width) = (subject.batch.x.nrows(), block.outputs);
        let weights = absolute(&subject.params[block.weights.clone()]);
        let added = roundings(block.inputs + 1) * u;
        let mut input: Vec<f64> = subject.input(l).iter().map(|x| added * x.abs()).collect();
        if let Some(below) = below {
            input.iter_mut().zip(below).for_each(|(x, e)| *x += e);
        }
        let mut sums = vec![0.0; rows * width];
        product(Mat::new(&input, rows, block.inputs), Mat::new(&weights, block.inputs, width), 0.0, &mut sums);
        for row in sums.chunks_exact_mut(width) {
            let bias = &subject.params[block.bias.clone()];
            row.iter_mut().zip(bias).for_each(|(e, b)| *e += added * b.abs());
        }
        let z = &subject.sums[l];
        if subject.linked && l + 1 == subject.spec.layers().len() {
            return Self { activation: sums, slope: Vec::new(), slope_error: Vec::new() };
        }
        if layer.activation.builtin() == Some(Activation::Softmax) {
            let p = &subject.activations[l];
            let mut activation = vec![0.0; p.len()];
            for ((to, p), e) in
                activation.chunks_exact_mut(width).zip(p.chunks_exact(width)).zip(sums.chunks_exact(width))
            {
                let mean: f64 = p.iter().zip(e).map(|(p, e)| p * e).sum();
                let own = (KERNEL + roundings(width)) * u;
                to.iter_mut().zip(p).zip(e).for_each(|((to, p), e)| *to = p * (e + mean + own));
            }
            return Self { activation, slope: Vec::new(), slope_error: Vec::new() };
        }
        let at = |z: f64| layer.activation.value_and_slope(z);
        let mut errors = Self { activation: Vec::new(), slope: Vec::new(), slope_error: Vec::new() };
        for (&z, &e) in z.iter().zip(&sums) {
            let ((a, s), (a_up, s_up), (a_down, s_down)) = (at(z), at(z + e), at(z - e));
            let own = KERNEL * u;
            errors.activation.push((a_up - a).abs().max((a_down - a).abs()) + own * a.abs());
            errors.slope.push(s);
            // Formulas such as 1 - a^2 round as numbers of size 1 do.
            errors.slope_error.push((s_up - s).abs().max((s_down - s).abs()) + own * s.abs().max(1.0));
        }
        errors
    }

    /// From the gradient with respect to the activations to that with respect to the sums, with its errors.
    fn backward<A: ActivationFn, L: LossFn>(
        &self,
        subject: &Subject<'_, A, L>,
        l: usize,
        delta: &mut [f64],
        error: &mut [f64],
        u: f64,
    ) {
        if subject.linked && l + 1 == subject.spec.layers().len() {
            return;
        }
        let width = subject.spec.blocks()[l].outputs;
        if subject.spec.layers()[l].activation.builtin() == Some(Activation::Softmax) {
            let p = subject.activations[l].chunks_exact(width).zip(self.activation.chunks_exact(width));
            for (((p, p_error), d), e) in p.zip(delta.chunks_exact_mut(width)).zip(error.chunks_exact_mut(width)) {
                let mean: f64 = p.iter().zip(&*d).map(|(p, d)| p * d).sum();
                let size: f64 = p.iter().zip(&*d).map(|(p, d)| (p * d).abs()).sum();
                let moved: f64 = p
                    .iter()
                    .zip(p_error)
                    .zip(d.iter().zip(&*e))
                    .map(|((p, pe), (d, e))| p * e + pe * (d.abs() + e))
                    .sum();
                for ((p, pe), (d, e)) in p.iter().zip(p_error).zip(d.iter_mut().zip(e)) {
                    let rounded = (roundings(width) + 4.0) * u * p * (d.abs() + size);
                    *e = p * (*e + moved) + pe * ((*d - mean).abs() + *e + moved) + rounded;
                    *d = p * (*d - mean);
                }
            }
            return;
        }
        for ((d, e), (s, se)) in delta.iter_mut().zip(error).zip(self.slope.iter().zip(&self.slope_error)) {
            *e = *e * s.abs() + d.abs() * se + *e * se;
            *d *= s;
            *e += u * d.abs();
        }
    }
}

/// The gradient with respect to what the loss reads, and its errors, of rows that count as they do.
fn loss_gradient<A: ActivationFn, L: LossFn>(
    subject: &Subject<'_, A, L>,
    output_errors: &[f64],
    u: f64,
) -> (Vec<f64>, Vec<f64>) {
    let width = subject.spec.outputs();
    let loss = &subject.objective.loss;
    let outputs = &subject.activations[subject.activations.len() - 1];
    let (mut delta, mut error) = (vec![0.0; outputs.len()], vec![0.0; outputs.len()]);
    let mut moved = vec![0.0; width];
    for (r, share) in subject.shares.iter().enumerate() {
        let row = r * width..(r + 1) * width;
        let (target, output_error) = (&subject.y()[row.clone()], &output_errors[row.clone()]);
        let mut output = outputs[row.clone()].to_vec();
        let (delta, error) = (&mut delta[row.clone()], &mut error[row]);
        loss.row(&output, target, delta);
        for j in 0..width {
            let here = output[j];
            let mut most = vec![0.0_f64; width];
            for there in [here + output_error[j], here - output_error[j]] {
                output[j] = there;
                loss.row(&output, target, &mut moved);
                most.iter_mut().zip(&moved).zip(&*delta).for_each(|((m, a), b)| *m = m.max((a - b).abs()));
            }
            output[j] = here;
            error.iter_mut().zip(most).for_each(|(e, m)| *e += m);
        }
        // A cross-entropy's gradient is a difference of numbers up to 1, whose exponents round with the logits.
        let largest = |numbers: &[f64]| numbers.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let size = largest(&output).max(largest(target));
        let unit = if loss.link().is_some() { 1.0 + size } else { size };
        for (d, e) in delta.iter_mut().zip(error) {
            *e += KERNEL * u * (d.abs() + unit * d.abs().min(1.0).max(if loss.link().is_some() { 1.0 } else { 0.0 }));
            *d *= share;
            *e = *e * share + 3.0 * u * d.abs();
        }
    }
    (delta, error)
}

/// The penalty's own roundings, and that of adding it.
fn penalty<A: ActivationFn, L: LossFn>(
    subject: &Subject<'_, A, L>,
    weights: std::ops::Range<usize>,
    u: f64,
    bounds: &mut [f64],
) {
    let objective = subject.objective;
    if objective.l1 == 0.0 && objective.l2 == 0.0 {
        return;
    }
    for i in weights {
        bounds[i] = (1.0 + u) * bounds[i] + 4.0 * u * (objective.l2 * subject.params[i].abs() + objective.l1);
    }
}

fn absolute(numbers: &[f64]) -> Vec<f64> {
    numbers.iter().map(|x| x.abs()).collect()
}

fn product(a: Mat<'_, f64>, b: Mat<'_, f64>, beta: f64, to: &mut [f64]) {
    let (rows, cols) = (a.rows(), b.cols());
    gemm(Engine::default(), 1.0, a, b, beta, MatMut::new(to, rows, cols));
}
