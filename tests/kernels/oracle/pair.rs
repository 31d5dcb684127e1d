//! Pairs of `f64` whose sum is the number: some 100 bits.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `high + low`, with `low` at most half a unit in the last place of `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The nearest `f64`.
    pub high: f64,
    /// What that leaves.
    pub low: f64,
}

impl Pair {
    /// One.
    pub const ONE: Self = Self { high: 1.0, low: 0.0 };
    /// The natural logarithm of 2.
    pub const LN_2: Self = Self { high: std::f64::consts::LN_2, low: 2.319_046_813_846_299_6e-17 };

    /// `a + b`, exactly, for any two numbers (Knuth).
    pub fn sum(a: f64, b: f64) -> Self {
        let high = a + b;
        let of_b = high - a;
        Self { high, low: (a - (high - of_b)) + (b - of_b) }
    }

    /// `a + b`, exactly, where `a` is the larger (Dekker).
    fn quick_sum(a: f64, b: f64) -> Self {
        let high = a + b;
        Self { high, low: b - (high - a) }
    }

    /// `a * b`, exactly, unless the product is nearly subnormal.
    pub fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        Self { high, low: a.mul_add(b, -high) }
    }

    /// `2^exponent` times this, where neither is subnormal.
    pub fn scale(self, exponent: i32) -> Self {
        let factor = super::power_of_two(exponent);
        Self { high: self.high * factor, low: self.low * factor }
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
        let sum = Self::quick_sum(sum.high, sum.low + low.high);
        Self::quick_sum(sum.high, sum.low + low.low)
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
        let product = Self::product(self.high, other.high);
        Self::quick_sum(product.high, product.low + (self.high * other.low + self.low * other.high))
    }
}

impl Div for Pair {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let first = self.high / other.high;
        let rest = self - other * Self::from(first);
        let second = rest.high / other.high;
        let rest = rest - other * Self::from(second);
        Self::quick_sum(first, second) + Self::from(rest.high / other.high)
    }
}
