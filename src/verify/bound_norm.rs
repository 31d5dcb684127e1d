//! What layer normalisation does to rounding errors: on the way forward and on the way back, to first order and with the product of errors
//! that occur together (`bound.rs`).

use super::point::Point;
use super::powers::{KERNEL, Power};
use crate::activation::ActivationFn;
use crate::kernel::layer_norm::EPSILON;

/// The powers of the errors of what the sums were normalised to, rows x units, and of the inverse deviation of each row.
#[derive(Default)]
pub(super) struct Normalised {
    pub numbers: Vec<f64>,
    pub inverse: Vec<f64>,
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
    let (n, scale) = (block.outputs, &point.params[block.scale.clone()]);
    let of = |x: f64| powers.of(x);
    let mut errors = Normalised { numbers: vec![0.0; sums.len()], inverse: Vec::new() };
    for (r, e) in sums.chunks_exact_mut(n).enumerate() {
        let row = r * n..(r + 1) * n;
        let (z, h) = (&point.layers.raw[l][row.clone()], &point.layers.normalised[l][row.clone()]);
        let (y, inverse) = (&point.layers.sums[l][row.clone()], point.layers.inverse[l][r]);
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
        for (i, e) in e.iter_mut().enumerate() {
            let of_h = of_left[i] * of(inverse) + of(left[i]) * of_inverse + of_left[i] * of_inverse + of(u * h[i]);
            errors.numbers[r * n + i] = of_h;
            *e = of(scale[i]) * of_h + of(u * y[i]);
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
    for (r, (delta, error)) in delta.chunks_exact_mut(n).zip(error.chunks_exact_mut(n)).enumerate() {
        let row = r * n..(r + 1) * n;
        let (h, of_h) = (&point.layers.normalised[l][row.clone()], &errors.numbers[row]);
        let (inverse, of_inverse) = (point.layers.inverse[l][r], errors.inverse[r]);
        for i in 0..n {
            let (d, e) = (of(delta[i]), error[i]);
            scales[i] += of(h[i]) * e + of_h[i] * (d + e) + summed * of(h[i]) * d;
            shifts[i] += e + summed * d;
            delta[i] *= scale[i];
            error[i] = e * of(scale[i]) + of(u * delta[i]);
        }
        let sizes = || delta.iter().map(|&d| of(d));
        let of_mean = mean(powers, error.iter().copied(), n) + powers.summed(n + 1, u) * mean(powers, sizes(), n);
        let terms = (0..n).map(|i| error[i] * of(h[i]) + of(delta[i]) * of_h[i] + error[i] * of_h[i]);
        let products = (0..n).map(|i| of(delta[i] * h[i]));
        let of_along = mean(powers, terms, n) + powers.summed(n + 1, u) * mean(powers, products, n);
        let average = delta.iter().sum::<f64>() / n as f64;
        let along = delta.iter().zip(h).map(|(d, h)| d * h).sum::<f64>() / n as f64;
        for i in 0..n {
            let rest = delta[i] - average - h[i] * along;
            let rounded = of(2.0 * u) * (of(delta[i]) + of(average) + of(h[i] * along));
            let of_product = of(h[i]) * of_along + of(along) * of_h[i] + of_along * of_h[i];
            let of_rest = error[i] + of_mean + of_product + rounded;
            delta[i] = inverse * rest;
            error[i] = of(inverse) * of_rest + of(rest) * of_inverse + of_rest * of_inverse + of(u * delta[i]);
        }
    }
    [scales, shifts]
}
