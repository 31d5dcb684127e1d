//! Gradients are cut to a length before the step.
//!
//! Row 6 of the house: imports `kernel` and below.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::vector;
use crate::simd::Isa;
use serde::{Deserialize, Serialize};

/// How long a gradient may be: what rises above it is a sign of a bad batch or a steep place rather than of the way down
/// (Pascanu, Mikolov and Bengio 2013).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Clip {
    /// Each component is cut to this absolute value; the direction changes.
    Value(f64),
    /// The gradient of all parameters together is shortened to this Euclidean length; the direction stays.
    Norm(f64),
}

impl Clip {
    pub(super) fn check(&self) -> Result<()> {
        let (Self::Value(most) | Self::Norm(most)) = *self;
        match most.is_finite() && most > 0.0 {
            true => Ok(()),
            false => Err(Error::setting("clipping of gradients", "a finite number above 0", most)),
        }
    }

    /// Cuts a gradient. One that is not finite stays so, for the step to find.
    ///
    /// **Determinism**: the same bits on every instruction set and for any number of threads.
    pub fn apply<T: Float>(&self, isa: Isa, gradient: &mut [T]) {
        match *self {
            Self::Value(most) => vector::clamp(isa, T::from_f64(most), gradient),
            Self::Norm(most) => {
                let length = length(isa, gradient);
                if length > most && length.is_finite() {
                    vector::scale(isa, T::from_f64(most / length), gradient);
                }
            }
        }
    }
}

/// The Euclidean length, also where the squares leave the range of `T`.
fn length<T: Float>(isa: Isa, x: &[T]) -> f64 {
    let square = vector::squared_norm(isa, x).real();
    if square.is_normal() {
        return square.sqrt();
    }
    let largest = vector::max_abs(isa, x).real();
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * x.iter().map(|x| (x.real() / largest).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_is_cut_as_pytorch_cuts_it() {
        for isa in Isa::available() {
            let mut gradient = [3.0_f32, -4.0, 0.0];
            Clip::Norm(1.0).apply(isa, &mut gradient);
            assert_eq!(gradient, [0.6, -0.8, 0.0]);
            Clip::Norm(1.0).apply(isa, &mut gradient);
            assert!((gradient[0] - 0.6).abs() < 1e-6, "a short one stays");
            let mut gradient = [3.0_f32, -4.0, 0.5];
            Clip::Value(1.0).apply(isa, &mut gradient);
            assert_eq!(gradient, [1.0, -1.0, 0.5]);
            // Squares of these are no f32.
            for size in [1e30_f32, 1e-30] {
                let mut gradient = [3.0 * size, -4.0 * size];
                Clip::Norm(f64::from(size)).apply(isa, &mut gradient);
                assert!(
                    (gradient[0] / size - 0.6).abs() < 1e-6 && (gradient[1] / size + 0.8).abs() < 1e-6,
                    "{gradient:?}"
                );
            }
            for bad in [f32::NAN, f32::INFINITY] {
                for clip in [Clip::Norm(1.0), Clip::Value(1.0)] {
                    let mut gradient = [bad, 2.0];
                    clip.apply(isa, &mut gradient);
                    assert!(gradient.iter().any(|g| !g.is_finite()), "{clip:?} hides {bad}");
                }
            }
        }
    }
}
