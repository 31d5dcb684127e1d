//! GELU in its exact form, `x` times the normal distribution function.

use super::coefficients::{NORMAL_DOUBLE, NORMAL_SINGLE};
use super::exponential::{Exponential, mantissa, split_sum};
use super::polynomial::polynomial;
use crate::simd::{Lanes, Vectorized};
use std::f64::consts::PI;

/// `x Phi(x)` with the normal distribution function: -0 at minus infinity, and 0 with its sign at 0.
///
/// **Accuracy**: 1.8 ulp, also in the tail.
#[inline(always)]
pub fn gelu<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    gelu_with_slope(lanes, x).0
}

/// [`gelu`] and its derivative.
///
/// With `m = |x|`, all follows from the tail `Phi(-m) = e^(-m^2 / 2) p(t) / (m + 1.25)`: GELU is `max(x, 0) - m Phi(-m)`. Every
/// factor keeps what its rounding lost, the quotient's being found by multiplying back.
///
/// **Accuracy**: the slope to within 3 units in the last place of 1.
#[inline(always)]
pub fn gelu_with_slope<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let (zero, one) = (splat(0.0), splat(1.0));
    // Beyond this m Phi(-m) is 0; |x| stands second, where NaN survives.
    let m = lanes.min(splat(T::either(14.5, 38.8)), lanes.abs(x));

    // e^(-m^2 / 2); the error of the square counts up to 750 times.
    let square = lanes.mul(m, m);
    let square_low = lanes.mul_add(m, m, lanes.neg(square));
    let minus_half = splat(-0.5);
    let Exponential { k, r, w } = split_sum(lanes, lanes.mul(minus_half, square), lanes.mul(minus_half, square_low));
    let (e, e_low) = mantissa(lanes, r, w);
    // 2^k may be no normal number: what is beyond waits until the end.
    let first = lanes.max(splat(T::either(-100.0, -1000.0)), k);
    let s = lanes.pow2(first);

    // p(t) / (m + 1.25), t = (m - 4) / (m + 4) = 1 - 8 / (m + 4): one division gives both reciprocals.
    let pole = splat(1.25);
    let sum = lanes.add(m, pole);
    let sum_low = lanes.sub(m, lanes.sub(sum, pole));
    let other = lanes.add(m, splat(4.0));
    let both = lanes.div(one, lanes.mul(sum, other));
    let g = lanes.mul(other, both);
    let t = lanes.mul_add(splat(-8.0), lanes.mul(sum, both), one);
    let constants = T::either(&NORMAL_SINGLE, &NORMAL_DOUBLE);
    let later = polynomial(lanes, constants.polynomial, t, lanes.mul(t, t));
    let constant = splat(constants.first);
    let p = lanes.mul_add(t, later, constant);
    let p_low = lanes.mul_add(t, later, lanes.sub(constant, p));
    let p_low = lanes.add(p_low, splat(constants.first_low));
    let q = lanes.mul(p, g);
    let minus_q = lanes.neg(q);
    let residual = lanes.add(lanes.mul_add(minus_q, sum, p), lanes.mul_add(minus_q, sum_low, p_low));
    let q_low = lanes.mul(residual, g);

    let tail = lanes.mul(q, e);
    let tail_low = lanes.mul_add(q, e_low, lanes.mul_add(q_low, e, lanes.mul_add(q, e, lanes.neg(tail))));
    let product = lanes.mul(lanes.mul_add(m, tail, lanes.mul(m, tail_low)), s);
    let product = lanes.scale(product, lanes.sub(k, first));
    // The zero is negative so that a product of 0 leaves the sign of x.
    let value = lanes.sub(lanes.max(splat(-0.0), x), product);

    // Phi(x) + x e^(-x^2 / 2) / sqrt(2 pi).
    let tail = lanes.mul(tail, s);
    let phi = lanes.select(lanes.lt(x, zero), tail, lanes.sub(one, tail));
    let density = lanes.mul(lanes.mul(e, s), splat((0.5 / PI).sqrt()));
    (value, lanes.mul_add(lanes.copysign(m, x), density, phi))
}
