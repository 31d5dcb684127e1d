//! The hyperbolic tangent.

use super::exponential::{Exponential, split};
use crate::simd::{Lanes, Vectorized};
use std::f64::consts::LN_2;

/// The hyperbolic tangent: odd to the bit, in `-1..=1`.
///
/// With `n = 1 - e^(-2|x|)` it is `q = n / (2 - n)`. That is also `2 q = n (1 + q)`, whose two sides differ, for a rounded
/// `q`, by a residual that needs no rounded `2 - n`; Newton's step adds the residual over `2 - n`.
///
/// **Accuracy**: 1 ulp; subnormal numbers come back as they are.
#[inline(always)]
pub fn tanh<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let (one, two, minus_two) = (splat(1.0), splat(2.0), splat(-2.0));
    let magnitude = lanes.abs(x);
    // The result differs from 1 by 2 e^y: it is the last number below 1 from the first bound on, and 1 beyond the second, where
    // the difference is less than half of a step. The first keeps s large enough for 1 - s to be exact. NaN stands second in
    // the maximum, where it survives.
    let last = splat(T::either(-24.46, -53.46) * LN_2);
    let beyond = splat(T::either(26.0, 55.0) / 2.0 * LN_2);
    let y = lanes.max(last, lanes.mul(minus_two, magnitude));
    let Exponential { k, r, w } = split(lanes, y);
    let s = lanes.pow2(k);
    let minus_s = lanes.neg(s);
    // n = (1 - s) - s r - s w, as a rounded sum and the rest. For small x, k is 0 and n is -r - w: nothing cancels.
    let rest = lanes.sub(one, s);
    let high = lanes.mul_add(minus_s, r, rest);
    let low = lanes.mul_add(minus_s, w, lanes.mul_add(minus_s, r, lanes.sub(rest, high)));
    let n = lanes.add(high, low);
    let reciprocal = lanes.div(one, lanes.sub(two, n));
    let q = lanes.mul(n, reciprocal);
    // (high + low) (1 + q) - 2 q; high - 2 q is exact, for q lies between half of n and n.
    let residual = lanes.mul_add(high, q, lanes.mul_add(minus_two, q, high));
    let residual = lanes.add(residual, lanes.mul_add(low, q, low));
    let value = lanes.mul_add(residual, reciprocal, q);
    lanes.copysign(lanes.select(lanes.lt(beyond, magnitude), one, value), x)
}
