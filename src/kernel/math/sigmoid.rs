//! The logistic sigmoid: for `f32` a polynomial for each power of two, for `f64` a quotient.

use super::coefficients::SINGLE;
use super::exponential::{Exponential, split};
use super::tables::SIGMOID;
use crate::simd::{Lanes, TABLE_ROWS, Table, Vectorized};

/// `1 / (1 + e^-x)`, in `0..=1`.
///
/// **Accuracy**: 1 ulp, subnormal results included. 1/2 for both zeros and subnormal `x`, 0 and 1 at the infinities.
#[inline(always)]
pub fn sigmoid<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    match T::own(&SIGMOID) {
        Some(table) => sigmoid_from(lanes, table, x),
        None => quotient(lanes, x),
    }
}

/// [`sigmoid`] from a table of `f32`: the proof calls this with a table that is wrong in one bit, to show that it would notice.
///
/// With `-|x| = k ln 2 + r`, the sigmoid of `-|x|` is `2^k` times a polynomial in `r`, fetched by `k`; that of `|x|` is 1 less it,
/// where its error counts half at most.
#[inline(always)]
pub fn sigmoid_from<T: Vectorized, L: Lanes<T>>(lanes: L, table: &Table<T>, x: L::Vector) -> L::Vector {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    // Below this the result is 0; x stands second, where NaN survives.
    let y = lanes.max(splat(-104.5), lanes.neg(lanes.abs(x)));
    // As in `split`; the low bits of the sum are those of k, and the last row is for all k beyond it.
    let magic = splat(12_582_912.0);
    let pushed = lanes.mul_add(y, splat(SINGLE.log2_e), magic);
    let row = lanes.index::<0>(lanes.max(splat(12_582_912.0 - (TABLE_ROWS - 1) as f64), pushed));
    let k = lanes.sub(pushed, magic);
    let [c0, c1, c2, c3, c4, c5, c6, shift] = lanes.lookup(table, row);
    let r = lanes.mul_add(k, splat(-SINGLE.ln2_high), y);
    let d = lanes.add(r, lanes.mul_add(k, splat(-SINGLE.ln2_low), shift));
    let p = lanes.mul_add(lanes.mul_add(lanes.mul_add(c6, d, c5), d, c4), d, c3);
    let p = lanes.mul_add(lanes.mul_add(p, d, c2), d, c1);
    let below = lanes.scale_down(lanes.mul_add(p, d, c0), k);
    lanes.select(lanes.lt(x, splat(0.0)), below, lanes.sub(splat(1.0), below))
}

/// Of `f64`: with `e^-x = s (1 + t)`, where `s = 2^k` and `t = r + w`, it is one over `(1 + s) + s t`. Where `s` would overflow, 1 no
/// longer matters to that, and the excess of `k` waits until after the division.
#[inline(always)]
fn quotient<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let one = splat(1.0);
    // Beyond these the result is 0 or 1; x stands second, where NaN survives.
    let x = lanes.min(splat(60.0), lanes.max(splat(-746.0), x));
    let Exponential { k, r, w } = split(lanes, lanes.neg(x));
    let t = lanes.add(r, w);
    let capped = lanes.min(splat(1000.0), k);
    let s = lanes.pow2(capped);
    let d = lanes.mul_add(s, t, lanes.add(one, s));
    // What the roundings of t and d lost: the larger of 1 and s minus d is exact, and with the smaller it is nearly -s t.
    let difference = lanes.add(lanes.sub(lanes.max(one, s), d), lanes.min(one, s));
    let lost = lanes.mul_add(s, w, lanes.mul_add(s, r, difference));
    let q = lanes.div(one, d);
    let residual = lanes.mul_add(lanes.neg(q), lost, lanes.mul_add(lanes.neg(q), d, one));
    lanes.scale(lanes.mul_add(q, residual, q), lanes.sub(capped, k))
}
