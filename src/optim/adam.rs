//! Adam: the step of every parameter is scaled by the running mean of its squared gradient.

use crate::error::{Error, Result};
use crate::kernel::update::AdamStep;
use crate::simd::Vectorized;

/// The means of the gradient and of its square.
pub(super) const MOMENTS: usize = 2;

/// A beta of 1 would never learn, and divides by zero in its own correction; an epsilon of 0 divides by zero at the
/// first parameter without a gradient.
pub(super) fn check(beta1: f64, beta2: f64, epsilon: f64) -> Result<()> {
    for (name, beta) in [("beta1", beta1), ("beta2", beta2)] {
        if !(0.0..1.0).contains(&beta) {
            return Err(Error::setting(name, "a number from 0 to below 1 in the type of the parameters", beta));
        }
    }
    if !(epsilon > 0.0 && epsilon.is_finite()) {
        return Err(Error::setting("epsilon", "a number above 0 in the type of the parameters", epsilon));
    }
    Ok(())
}

/// The constants of step number `number`, from 1.
///
/// The corrections are powers of the betas as rounded to `T`, the ones that the means really decay by: as an `f32`,
/// 0.999 leaves 1 - beta2 = 0.00100005, and powers of the exact 0.999 would correct the first steps 5e-5 too much.
/// `libm`'s power is the same on every platform.
pub(super) fn rule<T: Vectorized>(rate: f64, number: u64, [beta1, beta2, epsilon]: [f64; 3]) -> AdamStep<T> {
    let (beta1, beta2) = (T::from_f64(beta1), T::from_f64(beta2));
    let gathered = |beta: T| 1.0 - libm::pow(beta.real(), number as f64);
    AdamStep {
        beta1,
        beta2,
        rate: T::from_f64(rate / gathered(beta1)),
        correction: T::from_f64(1.0 / gathered(beta2)),
        epsilon: T::from_f64(epsilon),
    }
}
