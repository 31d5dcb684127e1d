//! The elementary functions of a vector: exponential, sigmoid, hyperbolic tangent.
//!
//! All three begin with one splitting ([`Exponential`]): `e^x = 2^k (1 + r + w)`, where `k` is an integer, `r` is what `k ln 2`
//! leaves of `x`, at most 0.35, and `w = e^r - 1 - r` is at most 0.07, from a polynomial. Nothing branches, and no table is
//! read, so that one formula serves every level and both types.
//!
//! A quotient of rounded numbers would be wrong by more than two units in the last place: half a unit each for numerator,
//! denominator and division, and the first two may count double where the quotient's mantissa is large. So [`sigmoid`] and
//! [`tanh`] keep what those roundings lost, and put it right with one step of Newton's method on the quotient: four to six
//! more multiply-adds, which hide behind the division on every processor measured. The result is the true value, wrong by the
//! polynomial's and the splitting's error (a few tenths of a unit), rounded once.
//!
//! Bounds in units in the last place are those of `tests/kernels.rs`.

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
    let mut p = splat(0.0);
    for (i, &coefficient) in constants.polynomial.iter().rev().enumerate() {
        p = if i == 0 { splat(coefficient) } else { lanes.mul_add(p, r, splat(coefficient)) };
    }
    Exponential { k, r, w: lanes.mul(lanes.mul(r, r), p) }
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
    lanes.scale(lanes.add(splat(1.0), lanes.add(r, w)), k)
}

/// `1 / (1 + e^-x)`, in `0..=1`.
///
/// With `m = 2^-|k|` and `t = r + w`, where `e^-x = 2^k (1 + t)`: for `k <= 0` this is `1 / (1 + m (1 + t))`, for `k > 0` it
/// is `m / (m + 1 + t)`. Both denominators are `1 + m + b t`, with `b` one of `m` and 1; so neither overflows, and the
/// numerator, a power of two, can wait until the end.
///
/// **Accuracy**: 1 ulp.
#[inline(always)]
pub fn sigmoid<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let (zero, one) = (splat(0.0), splat(1.0));
    // Beyond this the result is 0 or 1.
    let limit = T::either(104.0, 746.0);
    let y = lanes.min(splat(limit), lanes.max(splat(-limit), lanes.neg(x)));
    let Exponential { k, r, w } = split(lanes, y);
    let down = lanes.min(k, lanes.neg(k));
    // Below 2^-100 it no longer matters to 1 + m; the limit keeps it a normal number.
    let m = lanes.pow2(lanes.max(splat(-100.0), down));
    let t = lanes.add(r, w);
    let b = lanes.select(lanes.lt(zero, k), one, m);
    let d = lanes.mul_add(b, t, lanes.add(one, m));
    // What the rounding of d lost: 1 - d and its sum with m are exact.
    let lost = lanes.mul_add(b, t, lanes.add(lanes.sub(one, d), m));
    let q = lanes.div(one, d);
    let residual = lanes.mul_add(lanes.neg(q), lost, lanes.mul_add(lanes.neg(q), d, one));
    lanes.scale(lanes.mul_add(q, residual, q), lanes.min(lanes.neg(k), zero))
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
    // Beyond this the result is 1; x stands second, where NaN survives.
    let y = lanes.max(splat(T::either(-40.0, -80.0)), lanes.mul(minus_two, lanes.abs(x)));
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
    lanes.copysign(lanes.mul_add(residual, reciprocal, q), x)
}
