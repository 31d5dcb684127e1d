//! The units that a sigmoid gates: SiLU and the tanh form of GELU, which is `x sigmoid(a x + b x^3)`.

use super::coefficients::{GELU_TANH_DOUBLE, GELU_TANH_SINGLE};
use super::exponential::{Exponential, mantissa, split_sum};
use super::reciprocal::reciprocal;
use crate::simd::{Lanes, Vectorized};

/// `x sigmoid(x)`, also called swish: -0 at minus infinity, and 0 with its sign at 0.
///
/// **Accuracy**: 1 ulp.
#[inline(always)]
pub fn silu<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    silu_with_slope(lanes, x).0
}

/// [`silu`] and its derivative.
///
/// **Accuracy**: the slope to within 3 units in the last place of 1.
#[inline(always)]
pub fn silu_with_slope<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    // Beyond this x e^x is 0, and the sigmoid of -x is 1; x stands second, where NaN survives.
    let last = T::either(112.0, 754.0);
    let x = lanes.max(splat(-last), x);
    let capped = lanes.min(splat(last), x);
    let gate = gate(lanes, x, capped, lanes.neg(lanes.abs(capped)), splat(0.0));
    let slope = lanes.mul_add(lanes.mul(capped, gate.open), gate.shut, gate.open);
    (gate.value, slope)
}

/// `x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2`: -0 at minus infinity, and 0 with its sign at 0.
///
/// **Accuracy**: 1 ulp.
#[inline(always)]
pub fn gelu_tanh<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    gelu_tanh_with_slope(lanes, x).0
}

/// [`gelu_tanh`] and its derivative.
///
/// **Accuracy**: the slope to within 3 units in the last place of 1.
#[inline(always)]
pub fn gelu_tanh_with_slope<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let last = T::either(12.0, 22.0);
    let x = lanes.max(splat(-last), x);
    let capped = lanes.min(splat(last), x);
    // The sigmoid's argument z = m (a + b m^2), for m = |x|: its error counts z times in the result, where that is small, so
    // every product and sum keeps what it lost.
    let [[a, a_low], [b, b_low]] = T::either(GELU_TANH_SINGLE, GELU_TANH_DOUBLE);
    let (a, a_low, b, b_low) = (splat(a), splat(a_low), splat(b), splat(b_low));
    let m = lanes.abs(capped);
    let square = lanes.mul(m, m);
    let square_low = lanes.mul_add(m, m, lanes.neg(square));
    let product = lanes.mul(b, square);
    let product_low = lanes.mul_add(b, square, lanes.neg(product));
    let product_low = lanes.mul_add(b_low, square, lanes.mul_add(b, square_low, product_low));
    let sum = lanes.add(a, product);
    let sum_low = lanes.sub(lanes.min(a, product), lanes.sub(sum, lanes.max(a, product)));
    let sum_low = lanes.add(sum_low, lanes.add(a_low, product_low));
    let minus_m = lanes.neg(m);
    let minus_z = lanes.mul(minus_m, sum);
    let minus_z_low = lanes.mul_add(minus_m, sum_low, lanes.mul_add(minus_m, sum, lanes.neg(minus_z)));

    let gate = gate(lanes, x, capped, minus_z, minus_z_low);
    let bend = lanes.mul_add(lanes.mul(splat(3.0), b), square, a);
    let slope = lanes.mul_add(lanes.mul(lanes.mul(capped, gate.open), gate.shut), bend, gate.open);
    (gate.value, slope)
}

/// `x sigmoid(z)`, and the sigmoids of `z` and `-z`, those at least `2^-100` (`f32`) or `2^-1000`.
struct Gate<V> {
    value: V,
    open: V,
    shut: V,
}

/// The gate whose `z` has the sign of `x`, and whose `-|z|` is `exponent + exponent_low`. `capped` is `x` or a smaller number,
/// beyond which the gate is quite open.
///
/// With `f = e^-|z|` the sigmoid is 1 or `f`, over `1 + f`, which keeps what its roundings lost, as the other numbers here do;
/// what the quotient lost is found by multiplying back.
#[inline(always)]
fn gate<T: Vectorized, L: Lanes<T>>(
    lanes: L,
    x: L::Vector,
    capped: L::Vector,
    exponent: L::Vector,
    exponent_low: L::Vector,
) -> Gate<L::Vector> {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    let (zero, one) = (splat(0.0), splat(1.0));
    let negative = lanes.lt(x, zero);
    let Exponential { k, r, w } = split_sum(lanes, exponent, exponent_low);
    let (high, low) = mantissa(lanes, r, w);
    // 2^k may be no normal number: what is beyond waits until the end.
    let first = lanes.max(splat(T::either(-100.0, -1000.0)), k);
    let beyond = lanes.select(negative, lanes.sub(k, first), zero);
    let s = lanes.pow2(first);
    let (f, f_low) = (lanes.mul(high, s), lanes.mul(low, s));

    let sum = lanes.add(one, f);
    let sum_low = lanes.add(lanes.add(lanes.sub(one, sum), f), f_low);
    let g = reciprocal(lanes, f, sum);
    let numerator = lanes.select(negative, f, one);
    let numerator_low = lanes.select(negative, f_low, zero);
    let open = lanes.mul(numerator, g);
    let minus_open = lanes.neg(open);
    let residual = lanes.add(lanes.mul_add(minus_open, sum, numerator), numerator_low);
    let open_low = lanes.mul(lanes.mul_add(minus_open, sum_low, residual), g);
    let value = lanes.mul_add(x, open, lanes.mul(capped, open_low));
    Gate { value: lanes.scale(value, beyond), open, shut: lanes.mul(lanes.select(negative, one, f), g) }
}
