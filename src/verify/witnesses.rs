//! Slopes of a network's objective in dual and complex numbers, parameter by parameter, on the road of `structure.rs`.
//!
//! The moved column is the point's own with a slope in it; what hangs on it is computed in the numbers of the witness, the rest is lifted
//! from the point. Formulas are those of the open traits over any [`Scalar`], not the kernels.

use super::structure::Subject;
use crate::activation::ActivationFn;
use crate::complex::{Complex, STEP};
use crate::dual::Dual;
use crate::gradcheck::Oracle;
use crate::loss::LossFn;
use crate::scalar::Scalar;

/// The slopes of the parameters `indices`; whether `oracle` is such a witness.
pub(super) fn slopes<A: ActivationFn, L: LossFn>(
    subject: &Subject<'_, A, L>,
    oracle: Oracle,
    indices: &[usize],
    slopes: &mut [f64],
) -> bool {
    match oracle {
        Oracle::Dual => {
            let mut road = Road::new(subject);
            let step = Dual { value: 0.0, slope: 1.0 };
            slopes.iter_mut().zip(indices).for_each(|(slope, &index)| *slope = road.value(index, step).slope);
        }
        Oracle::Complex => {
            let mut road = Road::new(subject);
            let step = Complex { re: 0.0, im: STEP };
            slopes.iter_mut().zip(indices).for_each(|(slope, &index)| *slope = road.value(index, step).im / STEP);
        }
        _ => return false,
    }
    true
}

/// A subject in other numbers, and room for one row of it.
struct Road<'s, 'a, S, A, L> {
    subject: &'s Subject<'a, A, L>,
    targets: Vec<S>,
    /// One row of two layers, and what is of no use here.
    row: Vec<S>,
    next: Vec<S>,
    unused: Vec<S>,
}

impl<'s, 'a, S: Scalar, A: ActivationFn, L: LossFn> Road<'s, 'a, S, A, L> {
    fn new(subject: &'s Subject<'a, A, L>) -> Self {
        let widest = subject.spec.layers().iter().map(|layer| layer.outputs).max().unwrap_or(0);
        let room = || Vec::with_capacity(widest);
        let targets = subject.y().iter().map(|&t| S::from_f64(t)).collect();
        Self { subject, targets, row: room(), next: room(), unused: vec![S::ZERO; widest] }
    }

    /// The objective, less what does not depend on the parameter `index`, moved by `step`.
    fn value(&mut self, index: usize, step: S) -> S {
        let subject = self.subject;
        let (l, unit, from) = subject.place(index);
        let block = &subject.spec.blocks()[l];
        let mut value = S::ZERO;
        for (r, &share) in subject.shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            let x = from.map_or(1.0, |i| subject.input(l)[r * block.inputs + i]);
            // Where nothing comes in, nothing changes.
            if x != 0.0 {
                value += S::from_f64(share) * self.loss(r, l, unit, step * S::from_f64(x));
            }
        }
        if from.is_some() {
            let weight = S::from_f64(subject.params[index]) + step;
            value += S::from_f64(subject.objective.l2 / 2.0) * weight * weight;
            value += S::from_f64(subject.objective.l1) * weight.abs();
        }
        value
    }

    /// The loss of row `r` whose sum at `unit` of layer `l` is moved by `by`.
    fn loss(&mut self, r: usize, l: usize, unit: usize, by: S) -> S {
        let Self { subject, targets, row, next, unused } = self;
        let last = subject.spec.layers().len() - 1;
        let lifted = |numbers: &[f64], width: usize, to: &mut Vec<S>| {
            to.clear();
            to.extend(numbers[r * width..(r + 1) * width].iter().map(|&z| S::from_f64(z)));
        };
        let (layer, block) = (&subject.spec.layers()[l], &subject.spec.blocks()[l]);
        let mut from = l + 1;
        if l < last && subject.is_elementwise(l) {
            let z = S::from_f64(subject.sums[l][r * block.outputs + unit]) + by;
            let a = layer.activation.value_and_slope(z).0;
            // The point's own value is in the next layer's sums already.
            let change = a - S::from_f64(a.real());
            let block = &subject.spec.blocks()[l + 1];
            let weights = block.weights.start + unit * block.outputs;
            lifted(&subject.sums[l + 1], block.outputs, row);
            let weights = &subject.params[weights..weights + block.outputs];
            row.iter_mut().zip(weights).for_each(|(z, &w)| *z = change.mul_add(S::from_f64(w), *z));
            from = l + 2;
        } else {
            lifted(&subject.sums[l], block.outputs, row);
            row[unit] += by;
        }
        let mut activate = |l: usize, row: &mut [S]| {
            if !(subject.linked && l == last) {
                subject.spec.layers()[l].activation.forward_row(row, &mut unused[..row.len()]);
            }
        };
        activate(from - 1, row);
        for l in from..=last {
            let block = &subject.spec.blocks()[l];
            next.clear();
            match subject.spec.layers()[l].bias {
                true => next.extend(subject.params[block.bias.clone()].iter().map(|&b| S::from_f64(b))),
                false => next.resize(block.outputs, S::ZERO),
            }
            for (&a, weights) in row.iter().zip(subject.params[block.weights.clone()].chunks_exact(block.outputs)) {
                next.iter_mut().zip(weights).for_each(|(z, &w)| *z = a.mul_add(S::from_f64(w), *z));
            }
            std::mem::swap(row, next);
            activate(l, row);
        }
        let width = subject.spec.outputs();
        subject.objective.loss.row(row, &targets[r * width..(r + 1) * width], &mut unused[..width])
    }
}
