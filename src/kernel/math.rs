//! The elementary functions of a vector: exponential, sigmoid, hyperbolic tangent.
//!
//! All three begin with one splitting (`split`): `e^x = 2^k (1 + r + w)`, where `k` is an integer, `r` is what `k ln 2` leaves
//! of `x`, at most 0.35, and `w = e^r - 1 - r` is at most 0.07, from a polynomial. Nothing branches, and no table is read, so
//! that one formula serves every level and both types.
//!
//! A quotient of rounded numbers would be wrong by more than two units in the last place: half a unit each for numerator,
//! denominator and division, and the first two may count double where the quotient's mantissa is large. So [`sigmoid`] and
//! [`tanh`] keep what those roundings lost, and put it right with one step of Newton's method on the quotient. That is ten
//! operations of their thirty. What remains are a few tenths of a unit from polynomial and splitting, and the last rounding:
//! 0.85 units at most where `tests/kernels.rs` has looked.

use std::f64::consts::LN_2;

use super::coefficients::{DOUBLE, SINGLE};
use crate::simd::{Lanes, Vectorized};

/// `e^x = 2^k (1 + r + w)`.
#[derive(Debug)]
struct Exponential<V> {
    k: V,
    r: V,
    w: V,
}

/// Splits `e^x`, for `|x|` up to about twice where the exponential overflows. A NaN arrives in `r` and `w`.
#[inline(always)]
fn split<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> Exponential<L::Vector> {
    let constants = T::either(&SINGLE, &DOUBLE);
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    // Adding 1.5 * 2^23 (2^52) pushes the fraction out, rounding to the nearest integer: cheaper than the instruction for it,
    // for the addition comes free with the product.
    let magic = splat(T::either(12_582_912.0, 6_755_399_441_055_744.0));
    let k = lanes.sub(lanes.mul_add(x, splat(constants.log2_e), magic), magic);
    // The first step is exact: k times the high part cancels the leading bits of x, and what is left fits the type.
    let r = lanes.mul_add(k, splat(-constants.ln2_high), x);
    let r = lanes.mul_add(k, splat(-constants.ln2_low), r);
    // Even and odd powers apart: as many operations as in one chain, and half the waiting.
    let square = lanes.mul(r, r);
    let (mut even, mut odd) = (splat(0.0), splat(0.0));
    for (i, &[e, o]) in constants.polynomial.iter().rev().enumerate() {
        even = if i == 0 { splat(e) } else { lanes.mul_add(even, square, splat(e)) };
        odd = if i == 0 { splat(o) } else { lanes.mul_add(odd, square, splat(o)) };
    }
    let p = lanes.mul_add(odd, r, even);
    Exponential { k, r, w: lanes.mul(square, p) }
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
    // 2^k may be no normal number: of two factors the first stays among them, so that only the second product rounds.
    let safe = T::either(100.0, 1000.0);
    let first = lanes.min(splat(safe), lanes.max(splat(-safe), k));
    // 1 + r + w, with what the rounding of 1 + r loses: half a unit, where the sum is below 1.
    let one = splat(1.0);
    let high = lanes.add(one, r);
    let low = lanes.add(lanes.add(lanes.sub(one, high), r), w);
    lanes.scale(lanes.scale(lanes.add(high, low), first), lanes.sub(k, first))
}

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
