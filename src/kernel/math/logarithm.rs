//! The natural logarithm, and that of `1 + x`.
//!
//! With `x = 2^k (1 + f)`, `f` from -1/4 to 1/2, `ln x = k ln 2 + f - f^2 / 2 + f^3 q(f)` with a polynomial `q`. The textbook's
//! `f / (2 + f)` would halve the polynomial, but a division takes longer than the other half.

use super::coefficients::{DOUBLE, LOGARITHM_DOUBLE, LOGARITHM_SINGLE, SINGLE};
use super::polynomial::polynomial;
use crate::simd::{Lanes, Vectorized};

/// The natural logarithm: minus infinity at 0 and -0, NaN below.
///
/// **Accuracy**: 1 ulp, also for subnormal numbers.
#[inline(always)]
pub fn ln<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    let (k, m) = lanes.exponent_and_mantissa(x);
    let f = lanes.sub(m, lanes.splat(T::ONE));
    or_special(lanes, x, x, reduced(lanes, k, f, lanes.splat(T::ZERO)))
}

/// `ln(1 + x)`: minus infinity at -1, NaN below; -0 and subnormal numbers come back as they are.
///
/// **Accuracy**: 1 ulp.
#[inline(always)]
pub fn ln_1p<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let one = splat(1.0);
    // 1 + x as a rounded sum and the rest.
    let large = lanes.max(one, x);
    let sum = lanes.add(one, x);
    let rest = lanes.sub(lanes.min(one, x), lanes.sub(sum, large));
    let (k, m) = lanes.exponent_and_mantissa(sum);
    // From 2^60 on (f64; f32 sooner) the rest, at most 1, no longer matters.
    let rest = lanes.scale(rest, lanes.sub(splat(0.0), lanes.min(splat(60.0), k)));
    let g = lanes.sub(m, one);
    let f = lanes.add(g, rest);
    let low = lanes.add(lanes.sub(g, f), rest);
    lanes.copysign(or_special(lanes, sum, x, reduced(lanes, k, f, low)), x)
}

/// `k ln 2 + ln(1 + f + low)`, for `f` from -1/4 to 1/2 and a `low` that is below the last place of `f`.
#[inline(always)]
fn reduced<T: Vectorized, L: Lanes<T>>(lanes: L, k: L::Vector, f: L::Vector, low: L::Vector) -> L::Vector {
    let constants = T::either(&SINGLE, &DOUBLE);
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let square = lanes.mul(f, f);
    let q = polynomial(lanes, T::either(LOGARITHM_SINGLE, LOGARITHM_DOUBLE), f, square);
    // f - f^2 / 2, then k ln 2 plus that, each as a rounded sum and what it lost. All differences are exact: k ln2_high is 0 or
    // larger than what is added to it.
    let minus_half = lanes.mul(splat(-0.5), f);
    let bend = lanes.mul_add(minus_half, f, f);
    let low = lanes.add(low, lanes.mul_add(minus_half, f, lanes.sub(f, bend)));
    let ln2_high = splat(constants.ln2_high);
    let high = lanes.mul_add(k, ln2_high, bend);
    let lost = lanes.add(lanes.mul_add(k, ln2_high, lanes.neg(high)), bend);
    let low = lanes.mul_add(lanes.mul(square, f), q, low);
    lanes.add(high, lanes.add(lost, lanes.mul_add(k, splat(constants.ln2_low), low)))
}

/// The logarithm of `argument` that is `finite` where it is positive and finite; `x` is what NaN and infinity come back as.
#[inline(always)]
fn or_special<T: Vectorized, L: Lanes<T>>(lanes: L, argument: L::Vector, x: L::Vector, finite: L::Vector) -> L::Vector {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let zero = splat(0.0);
    let pole = lanes.select(lanes.lt(argument, zero), splat(f64::NAN), splat(f64::NEG_INFINITY));
    let value = lanes.select(lanes.lt(zero, argument), finite, pole);
    lanes.select(lanes.lt(argument, splat(f64::INFINITY)), value, x)
}
