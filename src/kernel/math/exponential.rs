//! The exponential, `e^x - 1`, and the splitting that both and most other functions begin with.
//!
//! `e^x = 2^k (1 + r + w)`, where `k` is an integer, `r` is what `k ln 2` leaves of `x`, at most 0.35, and `w = e^r - 1 - r` is at
//! most 0.07, from a polynomial.

use super::coefficients::{DOUBLE, SINGLE};
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
    let constants = T::either(&SINGLE, &DOUBLE);
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    // Adding 1.5 * 2^23 (2^52) pushes the fraction out, rounding to the nearest integer: cheaper than the instruction for it,
    // for the addition comes free with the product.
    let magic = splat(T::either(12_582_912.0, 6_755_399_441_055_744.0));
    let k = lanes.sub(lanes.mul_add(x, splat(constants.log2_e), magic), magic);
    // The first step is exact: k times the high part cancels the leading bits of x, and what is left fits the type.
    let r = lanes.mul_add(k, splat(-constants.ln2_high), x);
    // The second would round: what it takes off goes to w, which is finer.
    let rest = lanes.mul(k, splat(-constants.ln2_low));
    let reduced = lanes.add(r, rest);
    // Even and odd powers apart: as many operations as in one chain, and half the waiting.
    let square = lanes.mul(reduced, reduced);
    let (mut even, mut odd) = (splat(0.0), splat(0.0));
    for (i, &[e, o]) in constants.polynomial.iter().rev().enumerate() {
        even = if i == 0 { splat(e) } else { lanes.mul_add(even, square, splat(e)) };
        odd = if i == 0 { splat(o) } else { lanes.mul_add(odd, square, splat(o)) };
    }
    let p = lanes.mul_add(odd, reduced, even);
    Exponential { k, r, w: lanes.mul_add(square, p, rest) }
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

/// `e^x - 1`: -1 far below zero, infinite from above the largest number.
#[inline(always)]
pub fn exp_m1<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    super::each(lanes, x, T::exp_m1)
}
