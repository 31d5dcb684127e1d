//! The exponential linear unit, scaled or not.

use super::exponential::{Difference, difference};
use crate::scalar::Scalar;
use crate::simd::{Lanes, Vectorized};

/// `scale x` where `x` is positive, else `scale alpha (e^x - 1)`: `-scale alpha` at minus infinity; -0 comes back as it is.
///
/// **Accuracy**: 1.2 ulp, with the exact product of `scale` and `alpha`.
#[inline(always)]
pub fn elu<T: Vectorized, L: Lanes<T>>(lanes: L, scale: f64, alpha: f64, x: L::Vector) -> L::Vector {
    elu_with_slope(lanes, scale, alpha, x).0
}

/// [`elu`] and its derivative, at 0 that of the negative side.
///
/// **Accuracy**: the slope to within 3 units in the last place of 1 or, if larger, of `scale alpha`.
#[inline(always)]
pub fn elu_with_slope<T: Vectorized, L: Lanes<T>>(
    lanes: L,
    scale: f64,
    alpha: f64,
    x: L::Vector,
) -> (L::Vector, L::Vector) {
    let zero = lanes.splat(T::ZERO);
    let [[above, above_low], [below, below_low]] = [parts::<T>(scale, 1.0), parts::<T>(scale, alpha)];
    let (above, above_low) = (lanes.splat(above), lanes.splat(above_low));
    let (below, below_low) = (lanes.splat(below), lanes.splat(below_low));
    // x stands second, where NaN survives. Up to 0 there is no excess.
    let Difference { high, low, power, .. } = difference(lanes, lanes.min(zero, x));
    let sum = lanes.add(high, low);
    let rest = lanes.add(lanes.sub(high, sum), low);
    let negative = lanes.mul_add(below, sum, lanes.mul_add(below, rest, lanes.mul(below_low, sum)));
    // Infinity times a rest of 0 would be NaN.
    let finite = lanes.min(lanes.splat(T::either(T::from_f64(f32::MAX.into()), T::from_f64(f64::MAX))), x);
    let positive = lanes.mul_add(above, x, lanes.mul(above_low, finite));
    let is_positive = lanes.lt(zero, x);
    (
        lanes.select(is_positive, positive, lanes.copysign(negative, lanes.mul(below, x))),
        lanes.select(is_positive, above, lanes.mul(below, power)),
    )
}

/// `a b` as the nearest number of the type and the one nearest to the rest.
#[inline(always)]
fn parts<T: Scalar>(a: f64, b: f64) -> [T; 2] {
    let product = a * b;
    let high = T::from_f64(product);
    let low = T::from_f64((product - high.real()) + a.mul_add(b, -product));
    // A product beyond the type has no rest.
    [high, if high.is_finite() { low } else { T::ZERO }]
}
