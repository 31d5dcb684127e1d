//! Softplus and log-sigmoid: `ln(1 + e^-|x|)`, and what lies beyond.

use super::coefficients::{SOFTPLUS_DOUBLE, SOFTPLUS_SINGLE};
use super::exponential::{Exponential, mantissa, split};
use super::polynomial::polynomial;
use super::reciprocal::reciprocal;
use crate::simd::{Lanes, Vectorized};

/// `ln(1 + e^x)`: 0 at minus infinity.
///
/// **Accuracy**: 1.3 ulp.
#[inline(always)]
pub fn softplus<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    softplus_with_slope(lanes, x).0
}

/// [`softplus`] and its derivative, the sigmoid.
///
/// **Accuracy**: the slope to within 3 units in the last place of 1.
#[inline(always)]
pub fn softplus_with_slope<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    let zero = lanes.splat(T::ZERO);
    // x stands second, where NaN survives.
    let Bend { value, far, near } = bend(lanes, x, lanes.max(zero, x));
    (value, lanes.select(lanes.lt(x, zero), far, near))
}

/// `ln(sigmoid(x))`, which is `-softplus(-x)`: -0 at infinity.
///
/// **Accuracy**: 1.3 ulp.
#[inline(always)]
pub fn log_sigmoid<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    log_sigmoid_with_slope(lanes, x).0
}

/// [`log_sigmoid`] and its derivative, `sigmoid(-x)`.
///
/// **Accuracy**: the slope to within 3 units in the last place of 1.
#[inline(always)]
pub fn log_sigmoid_with_slope<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    let zero = lanes.splat(T::ZERO);
    let Bend { value, far, near } = bend(lanes, x, lanes.max(zero, lanes.neg(x)));
    (lanes.neg(value), lanes.select(lanes.lt(x, zero), near, far))
}

/// `beyond + ln(1 + e^-|x|)`; and the sigmoid at `-|x|`, and at `|x|`.
struct Bend<V> {
    value: V,
    far: V,
    near: V,
}

/// With `f = e^-|x|`, at most 1, the logarithm is `f - f^2 / 2 + f^3 q(f)`, and small `f` come out as they are.
#[inline(always)]
fn bend<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector, beyond: L::Vector) -> Bend<L::Vector> {
    let splat = |value: f64| lanes.splat(T::from_f64(value));
    // Below this e^x is 0; x stands second, where NaN survives.
    let x = lanes.max(splat(T::either(-104.0, -746.0)), lanes.neg(lanes.abs(x)));
    let Exponential { k, r, w } = split(lanes, x);
    let (high, low) = mantissa(lanes, r, w);
    // 2^k may be no normal number: of two factors the first stays among them, so that only the second product rounds.
    let first = lanes.max(splat(T::either(-100.0, -1000.0)), k);
    let second = lanes.sub(k, first);
    let (first, second) = (lanes.pow2(first), lanes.pow2(second));
    let f = lanes.mul(lanes.mul(high, first), second);
    let rest = lanes.mul(lanes.mul(low, first), second);

    let v = lanes.sub(f, splat(0.5));
    // The constant comes last and alone: near x = 0 the cube's term is a quarter of the result, and every unit by which q is wrong
    // shows.
    let (constant, later) = T::either(SOFTPLUS_SINGLE, SOFTPLUS_DOUBLE);
    let q = lanes.mul_add(v, polynomial(lanes, later, v, lanes.mul(v, v)), splat(constant));
    let minus_half = lanes.mul(splat(-0.5), f);
    let bent = lanes.mul_add(minus_half, f, f);
    let lost = lanes.mul_add(minus_half, f, lanes.sub(f, bent));
    // The rest counts by the logarithm's slope, 1 / (1 + f), for which 1 - f / 2 is near enough.
    let low = lanes.add(lost, lanes.mul_add(rest, minus_half, rest));
    let low = lanes.mul_add(lanes.mul(lanes.mul(f, f), f), q, low);
    // beyond + bent, and what that lost.
    let (larger, smaller) = (lanes.max(bent, beyond), lanes.min(bent, beyond));
    let high = lanes.add(larger, smaller);
    let lost = lanes.sub(smaller, lanes.sub(high, larger));
    // At infinity, infinity less itself: any number will do then. (Of x = NaN there is one in the high part.)
    let low = lanes.min(lanes.add(low, lost), splat(1.0));

    let near = reciprocal(lanes, f, lanes.add(splat(1.0), f));
    Bend { value: lanes.add(high, low), far: lanes.mul(f, near), near }
}
