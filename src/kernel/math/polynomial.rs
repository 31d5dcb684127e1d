//! Polynomials with constant coefficients.

use crate::simd::{Lanes, Vectorized};

/// The value at `x`, whose square is given; coefficients in pairs of an even and an odd one, the lowest first.
///
/// Even and odd powers go apart: as many operations as in one chain, and half the waiting.
#[inline(always)]
pub(super) fn polynomial<T: Vectorized, L: Lanes<T>>(
    lanes: L,
    coefficients: &[[f64; 2]],
    x: L::Vector,
    square: L::Vector,
) -> L::Vector {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let (mut even, mut odd) = (splat(0.0), splat(0.0));
    for (i, &[e, o]) in coefficients.iter().rev().enumerate() {
        even = if i == 0 { splat(e) } else { lanes.mul_add(even, square, splat(e)) };
        odd = if i == 0 { splat(o) } else { lanes.mul_add(odd, square, splat(o)) };
    }
    lanes.mul_add(odd, x, even)
}
