//! The loss of counts and rates.

use crate::scalar::Scalar;

/// `exp(o) - t o` of the logarithm `o` of a rate, and its slope.
pub(super) fn poisson<T: Scalar>(o: T, t: T) -> (T, T) {
    let rate = o.exp();
    // Nothing counted costs the rate alone, even one whose logarithm is minus infinity.
    let value = if t == T::ZERO { rate } else { (-t).mul_add(o, rate) };
    (value, rate - t)
}
