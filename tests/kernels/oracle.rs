//! The truth about the elementary functions, in twice the precision of `f64`, and how far a result is from it.
//!
//! Slow and simple on purpose: Taylor's series and squaring, on pairs of `f64` whose sum is the number (some 100 bits).

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `high + low`, with `low` at most half a unit in the last place of `high`.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    pub high: f64,
    pub low: f64,
}

impl Pair {
    pub const ONE: Self = Self { high: 1.0, low: 0.0 };
    pub const LN_2: Self = Self { high: std::f64::consts::LN_2, low: 2.319_046_813_846_299_6e-17 };

    /// `a + b`, exactly, for any two numbers (Knuth).
    pub fn sum(a: f64, b: f64) -> Self {
        let high = a + b;
        let of_b = high - a;
        Self { high, low: (a - (high - of_b)) + (b - of_b) }
    }

    pub fn power_of_two(self, exponent: i32) -> Self {
        Self { high: self.high * 2f64.powi(exponent), low: self.low * 2f64.powi(exponent) }
    }
}

impl From<f64> for Pair {
    fn from(high: f64) -> Self {
        Self { high, low: 0.0 }
    }
}

impl Neg for Pair {
    type Output = Self;
    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

impl Add for Pair {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let sum = Self::sum(self.high, other.high);
        let low = Self::sum(self.low, other.low);
        let sum = Self::sum(sum.high, sum.low + low.high);
        Self::sum(sum.high, sum.low + low.low)
    }
}

impl Sub for Pair {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Pair {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let high = self.high * other.high;
        let low = self.high.mul_add(other.high, -high);
        Self::sum(high, low + (self.high * other.low + self.low * other.high))
    }
}

impl Div for Pair {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let first = Self::from(self.high / other.high);
        let rest = self - first * other;
        let second = Self::from(rest.high / other.high);
        let rest = rest - second * other;
        first + second + Self::from(rest.high / other.high)
    }
}

/// A true value: `value * 2^exponent`.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    pub value: Pair,
    pub exponent: i32,
}

/// The limits of a type: digits of the mantissa, and the exponent of its smallest normal number.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    pub digits: i32,
    pub min_exponent: i32,
}

/// `x * 2^exponent`, in two steps: one factor alone may overflow, or vanish.
fn scale(x: f64, exponent: i32) -> f64 {
    x * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2)
}

impl Truth {
    /// How far `y` is away, in units in the last place of the format at the true value. An infinite `y` stands for the power
    /// of two above the largest number, and is right for all that lies beyond it.
    pub fn ulps(self, y: f64, format: Format) -> f64 {
        let exponent_of = |x: f64| (x.abs().to_bits() >> 52) as i32 - 1023;
        let leading = (exponent_of(self.value.high) + self.exponent).max(format.min_exponent);
        let beyond = 2 - format.min_exponent;
        let y = match y {
            f64::INFINITY if leading >= beyond => return 0.0,
            f64::INFINITY => scale(1.0, beyond - self.exponent),
            _ => scale(y, -self.exponent),
        };
        let error = ((y - self.value.high) - self.value.low).abs();
        scale(error, self.exponent + format.digits - 1 - leading)
    }
}

/// `e^x`, for `x` whose exponential is finite or zero.
pub fn exp(x: f64) -> Truth {
    let k = (x / std::f64::consts::LN_2).round();
    let r = (Pair::from(x) - Pair::from(k) * Pair::LN_2).power_of_two(-6);
    // |r| is at most 0.0055: the twelfth term is below 2^-118.
    let mut sum = Pair::ONE;
    for i in (1..=12).rev() {
        sum = Pair::ONE + sum * r / Pair::from(f64::from(i));
    }
    for _ in 0..6 {
        sum = sum * sum;
    }
    Truth { value: sum, exponent: k as i32 }
}

/// `1 / (1 + e^-x)`.
pub fn sigmoid(x: f64) -> Truth {
    let e = exp(-x.abs());
    // e may be far below what a pair holds; where it is, 1 does not notice.
    let denominator = if e.exponent < -200 { Pair::ONE } else { Pair::ONE + e.value.power_of_two(e.exponent) };
    if x < 0.0 {
        Truth { value: e.value / denominator, exponent: e.exponent }
    } else {
        Truth { value: Pair::ONE / denominator, exponent: 0 }
    }
}

/// The hyperbolic tangent.
pub fn tanh(x: f64) -> Truth {
    let value = if x.abs() < 1e-6 {
        // x - x^3 / 3; the next term is below 2^-82 of it.
        Pair::sum(x, -x * x * x / 3.0)
    } else {
        let e = exp(-2.0 * x.abs().min(60.0));
        let e = e.value.power_of_two(e.exponent);
        let value = (Pair::ONE - e) / (Pair::ONE + e);
        if x < 0.0 { -value } else { value }
    };
    Truth { value, exponent: 0 }
}

/// The same for an `f32`'s sake, faster: the `libm` crate in `f64` is within a few units of 2^-53, far below the digits that an
/// `f32` shows.
pub mod in_f64 {
    use super::{Pair, Truth};

    fn truth(value: f64) -> Truth {
        Truth { value: Pair::from(value), exponent: 0 }
    }
    pub fn exp(x: f64) -> Truth {
        truth(libm::exp(x))
    }
    pub fn sigmoid(x: f64) -> Truth {
        let e = libm::exp(-x.abs());
        truth(if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) })
    }
    pub fn tanh(x: f64) -> Truth {
        truth(libm::tanh(x))
    }
}

/// The oracle itself against a second opinion, and its yardstick against known distances.
#[test]
fn oracle_agrees_with_libm_and_measures_units() {
    let double = Format { digits: 53, min_exponent: -1022 };
    for i in -4000..=4000 {
        let x = f64::from(i) * 0.0173;
        // libm promises about one unit for exp, and two for tanh.
        assert!(exp(x).ulps(libm::exp(x), double) < 1.5, "exp({x})");
        assert!(tanh(x).ulps(libm::tanh(x), double) < 2.5, "tanh({x})");
    }
    let one = Truth { value: Pair::ONE, exponent: 0 };
    assert_eq!(one.ulps(1.0 + f64::EPSILON, double), 1.0);
    assert_eq!(one.ulps(1.0 - f64::EPSILON, double), 1.0);
    let smallest = Truth { value: Pair::ONE, exponent: -1074 };
    assert_eq!(smallest.ulps(0.0, double), 1.0);
    assert_eq!(smallest.ulps(5e-324, double), 0.0);
}
