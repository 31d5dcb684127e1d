//! Layer normalisation of rows: each by its own mean and deviation (Ba, Kiros and Hinton 2016).
//!
//! Row 2 of the house: imports `vector`, `sweep` and `simd`. For a row `z` of `n` numbers, with `m` its mean and `v` the mean square of
//! what is left without it:
//!
//! ```text
//! forward    h = (z - m) r,   r = 1 / sqrt(v + epsilon)       y = g h + b
//! backward   D = dE/dy g                                     dE/dz = r (D - mean D - h mean(D h))
//! ```

use super::sweep::{Affine, Step, sweep};
use super::vector;
use crate::simd::{Isa, Lanes, Vectorized};

/// What is added to the variance, so that a row of equal numbers stays finite: PyTorch's default.
pub const EPSILON: f64 = 1e-5;

/// The rows `z` become `y`; what they were normalised to, and the inverse deviation of each row, are kept where there is room for them.
///
/// **Shapes**: `z` rows x units, `normalised` the same or empty, `inverse` one a row or empty, `scale` and `shift` one a unit.
pub fn forward<T: Vectorized>(
    isa: Isa,
    [scale, shift]: [&[T]; 2],
    z: &mut [T],
    normalised: &mut [T],
    inverse: &mut [T],
) {
    let width = scale.len();
    let share = T::ONE / T::from_f64(width as f64);
    for (r, z) in z.chunks_exact_mut(width).enumerate() {
        let mean = vector::sum(isa, z) * share;
        sweep(isa, Less(mean), [], [&mut *z]);
        let variance = vector::squared_norm(isa, z) * share;
        let by = T::ONE / (variance + T::from_f64(EPSILON)).sqrt();
        vector::scale(isa, by, z);
        if !inverse.is_empty() {
            inverse[r] = by;
            normalised[r * width..(r + 1) * width].copy_from_slice(z);
        }
        sweep(isa, Affine, [scale, shift], [z]);
    }
}

/// The gradient with respect to `y`, in `delta`, becomes that with respect to `z`.
///
/// **Shapes**: as [`forward`].
pub fn backward<T: Vectorized>(isa: Isa, scale: &[T], normalised: &[T], inverse: &[T], delta: &mut [T]) {
    let width = scale.len();
    let share = T::ONE / T::from_f64(width as f64);
    let rows = delta.chunks_exact_mut(width).zip(normalised.chunks_exact(width));
    for ((delta, normalised), &by) in rows.zip(inverse) {
        vector::multiply(isa, delta, scale);
        let mean = vector::sum(isa, delta) * share;
        let along = vector::dot(isa, delta, normalised) * share;
        sweep(isa, Project { mean, along, by }, [normalised], [delta]);
    }
}

#[derive(Clone, Copy)]
struct Less<T>(T);

impl<T: Vectorized> Step<T, 0, 1> for Less<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, []: [L::Vector; 0], [x]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.sub(x, lanes.splat(self.0))]
    }
}

#[derive(Clone, Copy)]
struct Project<T> {
    mean: T,
    along: T,
    by: T,
}

impl<T: Vectorized> Step<T, 1, 1> for Project<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [h]: [L::Vector; 1], [d]: [L::Vector; 1]) -> [L::Vector; 1] {
        let rest = lanes.mul_add(lanes.neg(h), lanes.splat(self.along), lanes.sub(d, lanes.splat(self.mean)));
        [lanes.mul(lanes.splat(self.by), rest)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float::Float;
    use crate::rng::Rng;

    /// Forward and backward of `rows` rows.
    fn both<T: Float>(isa: Isa, rows: usize, width: usize) -> [Vec<T>; 4] {
        let mut rng = Rng::new(1);
        let mut draw = |count: usize| -> Vec<T> { (0..count).map(|_| rng.normal(1.0, 2.0)).collect() };
        let (scale, shift) = (draw(width), draw(width));
        let (mut y, mut delta) = (draw(rows * width), draw(rows * width));
        let (mut normalised, mut inverse) = (vec![T::ZERO; rows * width], vec![T::ZERO; rows]);
        forward(isa, [&scale, &shift], &mut y, &mut normalised, &mut inverse);
        backward(isa, &scale, &normalised, &inverse, &mut delta);
        [y, normalised, inverse, delta]
    }

    fn check<T: Float>() {
        for (rows, width) in [(1, 1), (3, 2), (5, 7), (2, 64), (4, 131)] {
            let [y, normalised, inverse, delta] = both::<T>(Isa::Portable, rows, width);
            for isa in Isa::available() {
                assert_eq!(
                    both::<T>(isa, rows, width),
                    [y.clone(), normalised.clone(), inverse.clone(), delta.clone()]
                );
            }
            // Each row has mean 0 and, but for what is added, deviation 1; its gradient is free of both directions.
            let rounding = T::either(1e-5, 1e-13);
            for ((h, d), by) in normalised.chunks(width).zip(delta.chunks(width)).zip(&inverse) {
                let mean = |terms: &mut dyn Iterator<Item = f64>| terms.sum::<f64>() / width as f64;
                let variance = 1.0 / by.real().powi(2) - EPSILON;
                assert!(mean(&mut h.iter().map(|h| h.real())).abs() < rounding);
                let square = mean(&mut h.iter().map(|h| h.real().powi(2)));
                assert!((square * (variance + EPSILON) - variance).abs() < 10.0 * rounding * (variance + EPSILON));
                assert!(mean(&mut d.iter().map(|d| d.real())).abs() < 10.0 * rounding * by.real());
            }
        }
    }

    #[test]
    fn rows_are_normalised_with_the_same_bits_at_every_level() {
        check::<f32>();
        check::<f64>();
    }
}
