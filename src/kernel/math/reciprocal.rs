//! `1 / (1 + f)` without a division.

use super::coefficients::RECIPROCAL;
use super::polynomial::polynomial;
use crate::simd::{Lanes, Vectorized};

/// `1 / sum`, to about a unit in the last place, where `sum` is `1 + f` rounded and `f` from 0 to 1.
///
/// Newton's method begins at a polynomial that is right to 14 bits, and doubles them: once for `f32`, twice for `f64`. A
/// division takes twice as long.
#[inline(always)]
pub(super) fn reciprocal<T: Vectorized, L: Lanes<T>>(lanes: L, f: L::Vector, sum: L::Vector) -> L::Vector {
    let one = lanes.splat(T::ONE);
    let v = lanes.sub(f, lanes.splat(T::from_f64(0.5)));
    let minus_sum = lanes.neg(sum);
    let mut g = polynomial(lanes, RECIPROCAL, v, lanes.mul(v, v));
    for _ in 0..T::either(1, 2) {
        g = lanes.mul_add(g, lanes.mul_add(g, minus_sum, one), g);
    }
    g
}
