//! Adam and its relatives: the step of every parameter is scaled by the running mean of its squared gradient.
//!
//! Row 5 of the house: imports `simd` and the sweeps' constants.

use crate::kernel::update::AdamStep;
use crate::simd::Vectorized;

/// What a mean that began at zero has gathered of its whole after `number` steps: `1 - beta^number`.
///
/// The power is that of the beta as rounded to `T`, the one that the mean really decays by: as an `f32`, 0.999 leaves
/// 1 - beta2 = 0.00100005, and powers of the exact 0.999 would correct the first steps 5e-5 too much.
/// `libm`'s power is the same on every platform.
pub(super) fn gathered<T: Vectorized>(beta: T, number: u64) -> f64 {
    1.0 - libm::pow(beta.real(), number as f64)
}

/// The constants of step number `number`, from 1.
pub(super) fn rule<T: Vectorized>(rate: f64, number: u64, [beta1, beta2, epsilon]: [f64; 3]) -> AdamStep<T> {
    let (beta1, beta2) = (T::from_f64(beta1), T::from_f64(beta2));
    AdamStep {
        beta1,
        beta2,
        rate: T::from_f64(rate / gathered(beta1, number)),
        correction: T::from_f64(1.0 / gathered(beta2, number)),
        epsilon: T::from_f64(epsilon),
    }
}
