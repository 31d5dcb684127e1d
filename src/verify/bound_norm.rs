//! What normalisation does to rounding errors, that of rows and that of columns: on the way forward and on the way back, to first order and
//! with the product of errors that occur together (`bound.rs`).
//!
//! One formula serves both: numbers that share a mean are a [`Group`], a row of a layer or a unit of a batch. The last multiplies by the
//! scale when all else is done, where the other begins with it; as many roundings are in either.

use super::point::Point;
use super::powers::{KERNEL, Power};
use crate::activation::ActivationFn;
use crate::kernel::layer_norm::EPSILON;
use crate::network::Norm;

/// The powers of the errors of what the sums were normalised to, rows x units, and of the inverse deviation of each group.
#[derive(Default)]
pub(super) struct Normalised {
    pub numbers: Vec<f64>,
    pub inverse: Vec<f64>,
}

/// Numbers that share a mean and a deviation: where they lie.
#[derive(Clone, Copy)]
struct Group {
    first: usize,
    stride: usize,
    size: usize,
}

impl Group {
    /// Those of layer `l`.
    fn all<A: ActivationFn, L>(point: &Point<'_, A, L>, l: usize) -> Vec<Self> {
        let (rows, units) = (point.shares.len(), point.spec.blocks()[l].outputs);
        match point.spec.layers()[l].norm {
            Norm::Batch => (0..units).map(|first| Self { first, stride: units, size: rows }).collect(),
            _ => (0..rows).map(|row| Self { first: row * units, stride: 1, size: units }).collect(),
        }
    }

    fn places(self) -> impl Iterator<Item = usize> + Clone {
        (self.first..).step_by(self.stride).take(self.size)
    }

    fn of(self, numbers: &[f64]) -> Vec<f64> {
        self.places().map(|at| numbers[at]).collect()
    }
}

/// The power of a mean's error, from those of its terms.
fn mean(powers: Power, terms: impl Iterator<Item = f64>, n: usize) -> f64 {
    let share = powers.of(1.0 / n as f64);
    terms.map(|term| share * term).sum()
}

/// The powers of the errors of weighted sums become those of what the activation is given.
pub(super) fn forward<A: ActivationFn, L>(
    point: &Point<'_, A, L>,
    l: usize,
    sums: &mut [f64],
    powers: Power,
    u: f64,
) -> Normalised {
    let block = &point.spec.blocks()[l];
    let scale = &point.params[block.scale.clone()];
    let of = |x: f64| powers.of(x);
    let mut errors = Normalised { numbers: vec![0.0; sums.len()], inverse: Vec::new() };
    let layers = &point.layers;
    for (group, &inverse) in Group::all(point, l).into_iter().zip(&layers.inverse[l]) {
        let n = group.size;
        let (e, z, h) = (group.of(sums), group.of(&layers.raw[l]), group.of(&layers.normalised[l]));
        let of_mean =
            mean(powers, e.iter().copied(), n) + powers.summed(n + 1, u) * mean(powers, z.iter().map(|&z| of(z)), n);
        // Of what is left without the mean.
        let left: Vec<f64> = h.iter().map(|h| h / inverse).collect();
        let of_left: Vec<f64> = e.iter().zip(&left).map(|(e, &d)| e + of_mean + of(u * d)).collect();
        let squares = left.iter().zip(&of_left).map(|(&d, e)| of(2.0 * d) * e + e * e);
        let of_variance =
            mean(powers, squares, n) + powers.summed(n + 2, u) * mean(powers, left.iter().map(|&d| of(d * d)), n);
        // The variance is never negative, whatever its error.
        let least = (1.0 / (inverse * inverse) - powers.reach() * powers.root(of_variance)).max(EPSILON);
        let of_inverse = of((1.0 / least.sqrt() - inverse).abs() / powers.reach()) + of(KERNEL * u * inverse);
        for (i, at) in group.places().enumerate() {
            let of_h = of_left[i] * of(inverse) + of(left[i]) * of_inverse + of_left[i] * of_inverse + of(u * h[i]);
            errors.numbers[at] = of_h;
            sums[at] = of(scale[at % block.outputs]) * of_h + of(u * layers.sums[l][at]);
        }
        errors.inverse.push(of_inverse);
    }
    errors
}

/// The gradient with respect to what the activation was given, and the powers of its errors, become those with respect to the weighted
/// sums; the powers of the errors of the scales' gradient and of the shifts'.
pub(super) fn backward<A: ActivationFn, L>(
    point: &Point<'_, A, L>,
    l: usize,
    errors: &Normalised,
    (delta, error): (&mut [f64], &mut [f64]),
    powers: Power,
    u: f64,
) -> [Vec<f64>; 2] {
    let block = &point.spec.blocks()[l];
    let (n, rows, scale) = (block.outputs, point.shares.len(), &point.params[block.scale.clone()]);
    let of = |x: f64| powers.of(x);
    let (mut scales, mut shifts) = (vec![0.0; n], vec![0.0; n]);
    // Some rows more for sums of shards and blocks, as for biases.
    let summed = powers.summed(rows + 8, u);
    for at in 0..delta.len() {
        let (unit, h, of_h) = (at % n, point.layers.normalised[l][at], errors.numbers[at]);
        let (d, e) = (of(delta[at]), error[at]);
        scales[unit] += of(h) * e + of_h * (d + e) + summed * of(h) * d;
        shifts[unit] += e + summed * d;
        delta[at] *= scale[unit];
        error[at] = e * of(scale[unit]) + of(u * delta[at]);
    }
    let inverses = point.layers.inverse[l].iter().zip(&errors.inverse);
    for (group, (&inverse, &of_inverse)) in Group::all(point, l).into_iter().zip(inverses) {
        let n = group.size;
        let (d, e) = (group.of(delta), group.of(error));
        let (h, of_h) = (group.of(&point.layers.normalised[l]), group.of(&errors.numbers));
        let of_mean =
            mean(powers, e.iter().copied(), n) + powers.summed(n + 1, u) * mean(powers, d.iter().map(|&d| of(d)), n);
        let terms = (0..n).map(|i| e[i] * of(h[i]) + of(d[i]) * of_h[i] + e[i] * of_h[i]);
        let products = (0..n).map(|i| of(d[i] * h[i]));
        let of_along = mean(powers, terms, n) + powers.summed(n + 1, u) * mean(powers, products, n);
        let average = d.iter().sum::<f64>() / n as f64;
        let along = d.iter().zip(&h).map(|(d, h)| d * h).sum::<f64>() / n as f64;
        for (i, at) in group.places().enumerate() {
            let rest = d[i] - average - h[i] * along;
            let rounded = of(2.0 * u) * (of(d[i]) + of(average) + of(h[i] * along));
            let of_product = of(h[i]) * of_along + of(along) * of_h[i] + of_along * of_h[i];
            let of_rest = e[i] + of_mean + of_product + rounded;
            delta[at] = inverse * rest;
            error[at] = of(inverse) * of_rest + of(rest) * of_inverse + of_rest * of_inverse + of(u * delta[at]);
        }
    }
    [scales, shifts]
}
