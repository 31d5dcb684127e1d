//! The exponential, `e^x - 1`, and the splitting that both and most other functions begin with.
//!
//! `e^x = 2^k (1 + r + w)`, where `k` is an integer, `r` is what `k ln 2` leaves of `x`, at most 0.35, and `w = e^r - 1 - r` is at
//! most 0.07, from a polynomial.

use super::coefficients::{DOUBLE, SINGLE};
use super::polynomial::polynomial;
use crate::simd::{Lanes, Vectorized};

/// `e^x = 2^k (1 + r + w)`.
#[derive(Debug)]
pub(super) struct Exponential<V> {
    pub k: V,
    pub r: V,
    pub w: V,
}

/// Splits `e^x`, for `|x|` up to about twice where the exponential overflows. A NaN arrives in `r` and `w`.
#[inline(always)]
pub(super) fn split<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> Exponential<L::Vector> {
    split_sum(lanes, x, lanes.splat(T::ZERO))
}

/// Splits `e^(x + low)`, with a `low` that `x` would swallow.
#[inline(always)]
pub(super) fn split_sum<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector, low: L::Vector) -> Exponential<L::Vector> {
    let constants = T::either(&SINGLE, &DOUBLE);
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    // Adding 1.5 * 2^23 (2^52) pushes the fraction out, rounding to the nearest integer: cheaper than the instruction for it,
    // for the addition comes free with the product.
    let magic = splat(T::either(12_582_912.0, 6_755_399_441_055_744.0));
    let k = lanes.sub(lanes.mul_add(x, splat(constants.log2_e), magic), magic);
    // The first step is exact: k times the high part cancels the leading bits of x, and what is left fits the type. The second
    // would round: what it takes off goes to w, which is finer.
    let r = lanes.mul_add(k, splat(-constants.ln2_high), x);
    let low = lanes.mul_add(k, splat(-constants.ln2_low), low);
    let reduced = lanes.add(r, low);
    let square = lanes.mul(reduced, reduced);
    let p = polynomial(lanes, constants.polynomial, reduced, square);
    Exponential { k, r, w: lanes.mul_add(square, p, low) }
}

/// `e^x`: 0 from below the smallest subnormal, infinite from above the largest number.
///
/// **Accuracy**: 1 ulp.
#[inline(always)]
pub fn exp<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    // Beyond these the result is 0 or infinite; x stands second, where NaN survives.
    let low = splat(T::either(-104.0, -746.0));
    let high = splat(T::either(89.0, 710.0));
    let Exponential { k, r, w } = split(lanes, lanes.min(high, lanes.max(low, x)));
    // 1 + r + w, with what the rounding of 1 + r loses: half a unit, where the sum is below 1.
    let one = splat(1.0);
    let high = lanes.add(one, r);
    let low = lanes.add(lanes.add(lanes.sub(one, high), r), w);
    lanes.scale_far(lanes.add(high, low), k)
}

/// `e^(x + low)`, for `x` from -87 (`f64`: -708) to 88 (709) and a `low` that `x` would swallow: no result is subnormal.
///
/// **Accuracy**: 1 ulp.
#[inline(always)]
pub fn exp_sum<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector, low: L::Vector) -> L::Vector {
    let Exponential { k, r, w } = split_sum(lanes, x, low);
    lanes.scale(lanes.add(lanes.splat(T::ONE), lanes.add(r, w)), k)
}

/// `1 + r + w` as the nearest number and what that lost.
#[inline(always)]
pub(super) fn mantissa<T: Vectorized, L: Lanes<T>>(lanes: L, r: L::Vector, w: L::Vector) -> (L::Vector, L::Vector) {
    let one = lanes.splat(T::ONE);
    let sum = lanes.add(one, lanes.add(r, w));
    // Both differences are exact: the sum lies between half of 1 and twice 1, and 1 less the sum is nearly -r.
    (sum, lanes.add(lanes.add(lanes.sub(one, sum), r), w))
}

/// `e^x - 1`: -1 far below zero, infinite from above the largest number; -0 and subnormal numbers come back as they are.
///
/// **Accuracy**: 1.5 ulp.
#[inline(always)]
pub fn exp_m1<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    let Difference { high, low, excess, .. } = difference(lanes, x);
    lanes.copysign(lanes.scale(lanes.add(high, low), excess), x)
}

/// [`exp_m1`] and its derivative, `e^x`.
///
/// **Accuracy**: the slope to 2 ulp, below 1 to within 2 units in the last place of 1; never below `e^-87` (`f32`) or `e^-708`.
#[inline(always)]
pub fn exp_m1_with_slope<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    let Difference { high, low, excess, power } = difference(lanes, x);
    (lanes.copysign(lanes.scale(lanes.add(high, low), excess), x), lanes.scale(power, excess))
}

/// `e^x - 1 = 2^excess (high + low)` and `e^x = 2^excess power`.
pub(super) struct Difference<V> {
    pub high: V,
    pub low: V,
    pub excess: V,
    pub power: V,
}

/// With `s = 2^k`, the sum of `s - 1`, `s r` and `s w`, the last the smallest by far; for every `x`.
#[inline(always)]
pub(super) fn difference<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> Difference<L::Vector> {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    // Below the first e^x does not matter to -1, above the other it is infinite; x stands second, where NaN survives.
    let x = lanes.min(splat(T::either(89.0, 710.0)), lanes.max(splat(T::either(-87.0, -708.0)), x));
    let Exponential { k, r, w } = split(lanes, x);
    // 2^k may be no number of the type; where it is not, 1 does not matter, and the excess waits.
    let capped = lanes.min(splat(T::either(100.0, 1000.0)), k);
    let s = lanes.pow2(capped);
    let rest = lanes.sub(s, splat(1.0));
    let high = lanes.mul_add(s, r, rest);
    let low = lanes.mul_add(s, w, lanes.mul_add(s, r, lanes.sub(rest, high)));
    Difference { high, low, excess: lanes.sub(k, capped), power: lanes.mul_add(s, lanes.add(r, w), s) }
}
