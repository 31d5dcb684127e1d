//! The logistic sigmoid.

use super::exponential::{Exponential, split};
use crate::simd::{Lanes, Vectorized};

/// `1 / (1 + e^-x)`, in `0..=1`.
///
/// With `e^-x = s (1 + t)`, where `s = 2^k` and `t = r + w`, the denominator is `(1 + s) + s t`. Where `s` would overflow, 1 no
/// longer matters to it, and the excess of `k` waits until after the division.
///
/// **Accuracy**: 1 ulp.
#[inline(always)]
pub fn sigmoid<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let one = splat(1.0);
    // Beyond these the result is 0 or 1; x stands second, where NaN survives.
    let low = splat(T::either(-104.0, -746.0));
    let x = lanes.min(splat(60.0), lanes.max(low, x));
    let Exponential { k, r, w } = split(lanes, lanes.neg(x));
    let t = lanes.add(r, w);
    let capped = lanes.min(splat(T::either(100.0, 1000.0)), k);
    let s = lanes.pow2(capped);
    let d = lanes.mul_add(s, t, lanes.add(one, s));
    // What the roundings of t and d lost: the larger of 1 and s minus d is exact, and with the smaller it is nearly -s t.
    let difference = lanes.add(lanes.sub(lanes.max(one, s), d), lanes.min(one, s));
    let lost = lanes.mul_add(s, w, lanes.mul_add(s, r, difference));
    let q = lanes.div(one, d);
    let residual = lanes.mul_add(lanes.neg(q), lost, lanes.mul_add(lanes.neg(q), d, one));
    lanes.scale(lanes.mul_add(q, residual, q), lanes.sub(capped, k))
}
