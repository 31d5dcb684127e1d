//! The hyperbolic tangent: for `f32` a polynomial for each of 32 intervals, for `f64` a quotient.

use super::exponential::{Exponential, split};
use super::tables::{TANH, TANH_FIRST, TANH_ONE};
use crate::simd::{Lanes, Table, Vectorized};
use std::f64::consts::LN_2;

/// The hyperbolic tangent: odd to the bit, in `-1..=1`.
///
/// **Accuracy**: 1 ulp; subnormal numbers come back as they are, -0 is -0, the infinities give -1 and 1.
#[inline(always)]
pub fn tanh<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    match T::own(&TANH) {
        Some(table) => tanh_from(lanes, table, x),
        None => quotient(lanes, x),
    }
}

/// [`tanh`] from a table of `f32`: the proof calls this with a table that is wrong in one bit, to show that it would notice.
///
/// The interval is named by the low bits of the exponent of `|x|` and the top two of its mantissa, and its polynomial is
/// fetched with it: eighteen operations, none of them a division. An interval is narrow for its distance from zero, so that
/// the rounding errors of the polynomial, all but the last, count a ninth.
#[inline(always)]
pub fn tanh_from<T: Vectorized, L: Lanes<T>>(lanes: L, table: &Table<T>, x: L::Vector) -> L::Vector {
    let splat = |value: f32| lanes.splat(T::from_f64(value.into()));
    // The magnitude stands second in the minimum, where NaN survives; its index is then any row.
    let magnitude = lanes.min(splat(TANH_ONE), lanes.abs(x));
    let row = lanes.index::<21>(lanes.max(splat(TANH_FIRST), magnitude));
    let [c0, c1, c2, c3, c4, c5, center, _] = lanes.lookup(table, row);
    let d = lanes.sub(magnitude, center);
    let p = lanes.mul_add(lanes.mul_add(lanes.mul_add(lanes.mul_add(c5, d, c4), d, c3), d, c2), d, c1);
    lanes.copysign(lanes.mul_add(p, d, c0), x)
}

/// Of `f64`: with `n = 1 - e^(-2|x|)` it is `q = n / (2 - n)`. That is also `2 q = n (1 + q)`, whose two sides differ, for a rounded
/// `q`, by a residual that needs no rounded `2 - n`; Newton's step adds the residual over `2 - n`.
#[inline(always)]
fn quotient<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let (one, two, minus_two) = (splat(1.0), splat(2.0), splat(-2.0));
    let magnitude = lanes.abs(x);
    // The result differs from 1 by 2 e^y: it is the last number below 1 from the first bound on, and 1 beyond the second, where
    // the difference is less than half of a step. The first keeps s large enough for 1 - s to be exact. NaN stands second in
    // the maximum, where it survives.
    let last = splat(-53.46 * LN_2);
    let beyond = splat(55.0 / 2.0 * LN_2);
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
    let lost = lanes.add(lanes.sub(high, n), low);
    // (n + lost) (1 + q) - 2 q. n - 2 q is exact, for q lies between half of n and n, and n q nearly cancels it.
    let residual = lanes.mul_add(n, q, lanes.mul_add(minus_two, q, n));
    let residual = lanes.add(residual, lanes.mul_add(lost, q, lost));
    let value = lanes.mul_add(residual, reciprocal, q);
    lanes.copysign(lanes.select(lanes.lt(beyond, magnitude), one, value), x)
}
