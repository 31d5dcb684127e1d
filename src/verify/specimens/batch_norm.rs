//! A network of one hidden layer under batch normalisation: not one of ours, and checked as a stranger's function is, with its tensors
//! named. Its value is that of the batch at hand; the mistakes are in what goes back through its statistics.

use super::one_after_another;
use crate::gradcheck::{self, Generic, Options, Report};
use crate::rng::Rng;
use crate::scalar::Scalar;

/// What the way back through batch normalisation does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slip {
    /// The mean is taken for a constant.
    FixedMean,
    /// The deviation is.
    FixedDeviation,
    /// Both are, and the deviation is the running one.
    Running,
    /// Sums over rows are divided by one row less, as running variances are.
    OneRowLess,
}

/// The mean of half the squared errors of `tanh` units after batch normalisation.
struct Normed {
    /// Inputs, hidden units, outputs.
    widths: [usize; 3],
    x: Vec<f64>,
    y: Vec<f64>,
    /// The running variance of each hidden unit.
    running: Vec<f64>,
}

/// What is added to a variance, as everywhere.
const VARIANCE_FLOOR: f64 = 1e-5;

/// Checks the gradient with and without the mistake.
pub(super) fn examine(slip: Slip, rng: &mut Rng) -> [Report; 2] {
    let widths = [3 + rng.below(3), 4 + rng.below(3), 2 + rng.below(3)];
    let rows = 5 + rng.below(5);
    let mut numbers =
        |count: usize, deviation: f64| -> Vec<f64> { (0..count).map(|_| rng.normal(0.0, deviation)).collect() };
    let (x, y) = (numbers(rows * widths[0], 1.0), numbers(rows * widths[2], 1.5));
    let sizes = [widths[0] * widths[1], widths[1], widths[1], widths[1] * widths[2], widths[2]];
    let mut at = numbers(sizes.iter().sum(), 0.5);
    // Scales that are not next to nothing, behind which no mistake would show.
    at[sizes[0]..sizes[0] + sizes[1]].iter_mut().for_each(|scale| *scale += if *scale < 0.0 { -0.5 } else { 0.5 });
    let running = numbers(widths[1], 0.5).into_iter().map(f64::exp).collect();
    let subject = Normed { widths, x, y, running };
    let names = ["layer 1, weights", "layer 1, scale", "layer 1, shift", "layer 2, weights", "layer 2, biases"];
    let options = Options { tensors: one_after_another(names.into_iter().zip(sizes)), ..Options::default() };
    [Some(slip), None].map(|slip| gradcheck::check_generic(&subject, &subject.gradient(&at, slip), &at, &options))
}

/// What a way forward leaves, rows x units, and of each hidden unit the inverse deviation.
struct Forward<S> {
    normalised: Vec<S>,
    inverse: Vec<S>,
    units: Vec<S>,
    errors: Vec<S>,
}

impl Normed {
    /// The five tensors.
    fn parts<'p, S>(&self, params: &'p [S]) -> [&'p [S]; 5] {
        let [inputs, hidden, outputs] = self.widths;
        let (weights, rest) = params.split_at(inputs * hidden);
        let (scale, rest) = rest.split_at(hidden);
        let (shift, rest) = rest.split_at(hidden);
        let (next, biases) = rest.split_at(hidden * outputs);
        [weights, scale, shift, next, biases]
    }

    fn rows(&self) -> usize {
        self.x.len() / self.widths[0]
    }

    fn forward<S: Scalar>(&self, params: &[S]) -> Forward<S> {
        let ([inputs, hidden, outputs], rows) = (self.widths, self.rows());
        let [weights, scale, shift, next, biases] = self.parts(params);
        let share = S::from_f64(1.0 / rows as f64);
        let mut normalised = vec![S::ZERO; rows * hidden];
        for (z, x) in normalised.chunks_exact_mut(hidden).zip(self.x.chunks_exact(inputs)) {
            for (x, weights) in x.iter().zip(weights.chunks_exact(hidden)) {
                z.iter_mut().zip(weights).for_each(|(z, &w)| *z += S::from_f64(*x) * w);
            }
        }
        let mut inverse = Vec::new();
        for j in 0..hidden {
            let sum = |numbers: &[S], of: fn(S) -> S| {
                numbers.iter().skip(j).step_by(hidden).fold(S::ZERO, |sum, &z| sum + of(z))
            };
            let mean = share * sum(&normalised, |z| z);
            normalised.iter_mut().skip(j).step_by(hidden).for_each(|z| *z -= mean);
            let variance = share * sum(&normalised, |z| z * z);
            inverse.push(S::ONE / (variance + S::from_f64(VARIANCE_FLOOR)).sqrt());
            normalised.iter_mut().skip(j).step_by(hidden).for_each(|z| *z *= inverse[j]);
        }
        let of_unit = |(at, &h): (usize, &S)| (scale[at % hidden] * h + shift[at % hidden]).tanh();
        let units: Vec<S> = normalised.iter().enumerate().map(of_unit).collect();
        let mut errors = Vec::new();
        for (units, y) in units.chunks_exact(hidden).zip(self.y.chunks_exact(outputs)) {
            let mut row = biases.to_vec();
            for (&a, weights) in units.iter().zip(next.chunks_exact(outputs)) {
                row.iter_mut().zip(weights).for_each(|(o, &w)| *o += a * w);
            }
            row.iter_mut().zip(y).for_each(|(o, t)| *o -= S::from_f64(*t));
            errors.extend(row);
        }
        Forward { normalised, inverse, units, errors }
    }

    fn gradient(&self, params: &[f64], slip: Option<Slip>) -> Vec<f64> {
        let ([inputs, hidden, outputs], rows) = (self.widths, self.rows());
        let [_, scale, _, next, _] = self.parts(params);
        let Forward { normalised, inverse, units, errors } = self.forward(params);
        let share = 1.0 / rows as f64;
        let mut gradient = vec![0.0; params.len()];
        let (weights, rest) = gradient.split_at_mut(inputs * hidden);
        let (scales, rest) = rest.split_at_mut(hidden);
        let (shifts, rest) = rest.split_at_mut(hidden);
        let (next_weights, next_biases) = rest.split_at_mut(hidden * outputs);
        let mut delta = vec![0.0; rows * hidden];
        for (r, errors) in errors.chunks_exact(outputs).enumerate() {
            next_biases.iter_mut().zip(errors).for_each(|(b, e)| *b += share * e);
            for j in 0..hidden {
                let (at, a) = (r * hidden + j, units[r * hidden + j]);
                let mut back = 0.0;
                for (k, e) in errors.iter().enumerate() {
                    next_weights[j * outputs + k] += share * a * e;
                    back += share * e * next[j * outputs + k];
                }
                delta[at] = back * (1.0 - a * a);
                shifts[j] += delta[at];
                scales[j] += delta[at] * normalised[at];
            }
        }
        let divisor = if slip == Some(Slip::OneRowLess) { rows as f64 - 1.0 } else { rows as f64 };
        let is_fixed = |which| slip == Some(which) || slip == Some(Slip::Running);
        for (at, d) in delta.iter().enumerate() {
            let j = at % hidden;
            let mean = if is_fixed(Slip::FixedMean) { 0.0 } else { shifts[j] / divisor };
            let along = if is_fixed(Slip::FixedDeviation) { 0.0 } else { scales[j] / divisor };
            let inverse = match slip {
                Some(Slip::Running) => 1.0 / (self.running[j] + VARIANCE_FLOOR).sqrt(),
                _ => inverse[j],
            };
            let back = scale[j] * inverse * (d - mean - normalised[at] * along);
            for (i, x) in self.x[at / hidden * inputs..][..inputs].iter().enumerate() {
                weights[i * hidden + j] += x * back;
            }
        }
        gradient
    }
}

impl Generic for Normed {
    fn value<S: Scalar>(&self, params: &[S]) -> S {
        let half = S::from_f64(0.5 / self.rows() as f64);
        self.forward(params).errors.into_iter().fold(S::ZERO, |sum, e| sum + half * e * e)
    }
}
