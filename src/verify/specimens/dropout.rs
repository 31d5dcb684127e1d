//! A network of one hidden layer under a dropout mask that is given as data: not one of ours, and checked as a stranger's function is,
//! with its tensors named.

use super::one_after_another;
use crate::gradcheck::{self, Generic, Options, Report};
use crate::rng::Rng;
use crate::scalar::Scalar;

/// What dropout does wrong on the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slip {
    /// The mask is that of the draw before.
    StaleMask,
    /// There is none: what was dropped learns.
    Forgotten,
    /// The mask has only zeros and ones, where what is kept was scaled up.
    Unscaled,
}

/// The mean of half the squared errors of `tanh` units, some of which are dropped in each row.
struct Dropped {
    /// Inputs, hidden units, outputs.
    widths: [usize; 3],
    x: Vec<f64>,
    y: Vec<f64>,
    /// Rows x hidden units: 0, or one over the part that is kept.
    mask: Vec<f64>,
    /// That of the draw before.
    before: Vec<f64>,
}

/// The part of the units that is kept.
const KEPT: f64 = 0.75;

/// Checks the gradient with and without the mistake.
pub(super) fn examine(slip: Slip, rng: &mut Rng) -> [Report; 2] {
    let widths = [3 + rng.below(3), 4 + rng.below(3), 2 + rng.below(3)];
    let rows = 5 + rng.below(5);
    let mut numbers =
        |count: usize, deviation: f64| -> Vec<f64> { (0..count).map(|_| rng.normal(0.0, deviation)).collect() };
    let (x, y) = (numbers(rows * widths[0], 1.0), numbers(rows * widths[2], 1.5));
    let sizes = [widths[0] * widths[1], widths[1], widths[1] * widths[2], widths[2]];
    let at = numbers(sizes.iter().sum(), 0.5);
    let mut mask = || -> Vec<f64> {
        let mut one = || if rng.uniform::<f64>(0.0, 1.0) < KEPT { 1.0 / KEPT } else { 0.0 };
        (0..rows * widths[1]).map(|_| one()).collect()
    };
    let (before, now) = (mask(), mask());
    let subject = Dropped { widths, x, y, mask: now, before };
    let names = ["layer 1, weights", "layer 1, biases", "layer 2, weights", "layer 2, biases"];
    let options = Options { tensors: one_after_another(names.into_iter().zip(sizes)), ..Options::default() };
    [Some(slip), None].map(|slip| gradcheck::check_generic(&subject, &subject.gradient(&at, slip), &at, &options))
}

impl Dropped {
    /// The four tensors.
    fn parts<'p, S>(&self, params: &'p [S]) -> [&'p [S]; 4] {
        let [inputs, hidden, outputs] = self.widths;
        let (first, rest) = params.split_at(inputs * hidden);
        let (first_bias, rest) = rest.split_at(hidden);
        let (second, second_bias) = rest.split_at(hidden * outputs);
        [first, first_bias, second, second_bias]
    }

    fn rows(&self) -> usize {
        self.mask.len() / self.widths[1]
    }

    /// `tanh` of the hidden sums of a row, before the mask, and the errors of its outputs.
    fn row<S: Scalar>(&self, params: &[S], r: usize) -> (Vec<S>, Vec<S>) {
        let [inputs, hidden, outputs] = self.widths;
        let [first, first_bias, second, second_bias] = self.parts(params);
        let mut units = first_bias.to_vec();
        for (x, weights) in self.x[r * inputs..][..inputs].iter().zip(first.chunks_exact(hidden)) {
            units.iter_mut().zip(weights).for_each(|(z, &w)| *z += S::from_f64(*x) * w);
        }
        units.iter_mut().for_each(|z| *z = z.tanh());
        let mut errors = second_bias.to_vec();
        let mask = &self.mask[r * hidden..][..hidden];
        for ((&a, m), weights) in units.iter().zip(mask).zip(second.chunks_exact(outputs)) {
            errors.iter_mut().zip(weights).for_each(|(o, &w)| *o += S::from_f64(*m) * a * w);
        }
        errors.iter_mut().zip(&self.y[r * outputs..]).for_each(|(o, t)| *o -= S::from_f64(*t));
        (units, errors)
    }

    fn gradient(&self, params: &[f64], slip: Option<Slip>) -> Vec<f64> {
        let [inputs, hidden, outputs] = self.widths;
        let second = self.parts(params)[2];
        let share = 1.0 / self.rows() as f64;
        let mut gradient = vec![0.0; params.len()];
        let (weights, rest) = gradient.split_at_mut(inputs * hidden);
        let (biases, rest) = rest.split_at_mut(hidden);
        let (next_weights, next_biases) = rest.split_at_mut(hidden * outputs);
        for r in 0..self.rows() {
            let (units, errors) = self.row(params, r);
            for (b, e) in next_biases.iter_mut().zip(&errors) {
                *b += share * e;
            }
            for (j, a) in units.iter().enumerate() {
                let at = r * hidden + j;
                let mut back = 0.0;
                for (k, e) in errors.iter().enumerate() {
                    next_weights[j * outputs + k] += share * self.mask[at] * a * e;
                    back += share * e * second[j * outputs + k];
                }
                let mask = match slip {
                    Some(Slip::StaleMask) => self.before[at],
                    Some(Slip::Forgotten) => 1.0,
                    Some(Slip::Unscaled) => f64::from(u8::from(self.mask[at] > 0.0)),
                    None => self.mask[at],
                };
                let delta = back * mask * (1.0 - a * a);
                biases[j] += delta;
                for (i, x) in self.x[r * inputs..][..inputs].iter().enumerate() {
                    weights[i * hidden + j] += x * delta;
                }
            }
        }
        gradient
    }
}

impl Generic for Dropped {
    fn value<S: Scalar>(&self, params: &[S]) -> S {
        let half = S::from_f64(0.5 / self.rows() as f64);
        let errors = (0..self.rows()).flat_map(|r| self.row(params, r).1);
        errors.fold(S::ZERO, |sum, e| sum + half * e * e)
    }
}
