//! The gated units, `x` times a gate that opens from 0 to 1: SiLU and both forms of GELU.

use crate::scalar::Scalar;
use crate::simd::{Lanes, Vectorized};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// `z gate(z)` and its slope `gate + z gate'`; the product's limit where the gate has shut.
fn gated<T: Scalar>(z: T, gate: T, gate_slope: T) -> (T, T) {
    if gate == T::ZERO { (T::ZERO, T::ZERO) } else { (z * gate, z.mul_add(gate_slope, gate)) }
}

fn plain_silu<T: Scalar>(x: T) -> (T, T) {
    let s = x.sigmoid();
    gated(x, s, s * (-x).sigmoid())
}

fn plain_gelu<T: Scalar>(x: T) -> (T, T) {
    let half = T::from_f64(0.5);
    let density = T::from_f64((0.5 / PI).sqrt()) * (-(half * x * x)).exp();
    gated(x, half * (-x * T::from_f64(FRAC_1_SQRT_2)).erfc(), density)
}

fn plain_gelu_tanh<T: Scalar>(x: T) -> (T, T) {
    let root = (2.0 / PI).sqrt();
    let cubic = T::from_f64(root * 0.044_715) * x * x;
    let t = (x * (T::from_f64(root) + cubic)).tanh();
    let slope = T::from_f64(root) + T::from_f64(3.0) * cubic;
    let half = T::from_f64(0.5);
    let gate = half * (T::ONE + t);
    // Once the gate is fully open or shut its slope is 0, also where `slope` has overflowed.
    let shut = T::ONE - t * t;
    gated(x, gate, if shut == T::ZERO { T::ZERO } else { half * shut * slope })
}

/// `x sigmoid(x)`, also called swish.
#[inline(always)]
pub fn silu<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    super::each(lanes, x, |x| plain_silu(x).0)
}

/// [`silu`] and its derivative.
#[inline(always)]
pub fn silu_with_slope<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    (silu(lanes, x), super::each(lanes, x, |x| plain_silu(x).1))
}

/// `x Phi(x)` with the normal distribution function.
#[inline(always)]
pub fn gelu<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    super::each(lanes, x, |x| plain_gelu(x).0)
}

/// [`gelu`] and its derivative.
#[inline(always)]
pub fn gelu_with_slope<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    (gelu(lanes, x), super::each(lanes, x, |x| plain_gelu(x).1))
}

/// `x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2`.
#[inline(always)]
pub fn gelu_tanh<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    super::each(lanes, x, |x| plain_gelu_tanh(x).0)
}

/// [`gelu_tanh`] and its derivative.
#[inline(always)]
pub fn gelu_tanh_with_slope<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    (gelu_tanh(lanes, x), super::each(lanes, x, |x| plain_gelu_tanh(x).1))
}
