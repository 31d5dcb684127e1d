//! A pair with an exponent of its own, so that nothing overflows and no truth is subnormal.

use super::pair::Pair;
use super::{Number, exponent_of, series};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// `value * 2^exponent`, with `value.high` in `1..2` by magnitude; zero, infinities and NaN as they are.
#[derive(Clone, Copy, Debug)]
pub struct Wide {
    value: Pair,
    exponent: i32,
}

impl Wide {
    fn new(value: Pair, exponent: i32) -> Self {
        if value.high == 0.0 || !value.high.is_finite() {
            return Self { value: Pair::from(value.high), exponent: 0 };
        }
        let of_value = exponent_of(value.high);
        Self { value: value.scale(-of_value), exponent: exponent + of_value }
    }

    /// As a pair, for numbers that are neither huge nor tiny.
    fn pair(self) -> Pair {
        self.value.scale(self.exponent)
    }

    /// `e^x = (1 + m) 2^k`: `m` and `k`.
    fn split(self) -> (Pair, i32) {
        let x = self.pair();
        let k = (x.high / std::f64::consts::LN_2).round();
        (series::exp_m1(x - Pair::LN_2 * Pair::from(k)), k as i32)
    }

    /// Below this exponent the third term of a series is beyond twice what a pair holds.
    const TINY: i32 = -110;
}

impl Number for Wide {
    const ROUNDED: bool = false;

    fn constant(high: f64, low: f64) -> Self {
        // Away from the ends first, where the factor that brings it to 1..2 would be none.
        let exponent = if high.abs() < 1e-200 {
            -300
        } else if high.abs() > 1e200 {
            300
        } else {
            0
        };
        Self::new(Pair { high, low }.scale(-exponent), exponent)
    }

    fn parts(self) -> (f64, f64, i32) {
        (self.value.high, self.value.low, self.exponent)
    }

    fn exp(self) -> Self {
        if self.exponent < Self::TINY {
            return Self::of(1.0) + self;
        }
        if self.value.high.is_nan() {
            return self;
        }
        let (m, k) = self.split();
        Self::new(Pair::ONE + m, k)
    }

    fn exp_m1(self) -> Self {
        if self.exponent < Self::TINY {
            return self + self * self * Self::of(0.5);
        }
        if self.value.high.is_nan() {
            return self;
        }
        match self.split() {
            (m, 0) => Self::new(m, 0),
            (m, k) => Self::new(Pair::ONE + m, k) - Self::of(1.0),
        }
    }

    fn ln(self) -> Self {
        if !self.value.high.is_finite() || self.value.high <= 0.0 {
            return Self::of(self.value.high.ln());
        }
        let above = self.value.high > 1.41;
        let (value, exponent) =
            if above { (self.value.scale(-1), self.exponent + 1) } else { (self.value, self.exponent) };
        // Near 1 the difference is exact, and then the exponent is 0.
        let ln = series::ln_1p(value - Pair::ONE);
        Self::new(Pair::LN_2 * Pair::from(f64::from(exponent)) + ln, 0)
    }

    fn ln_1p(self) -> Self {
        if self.exponent < Self::TINY {
            return self - self * self * Self::of(0.5);
        }
        if self.exponent < 0 && (-0.29..0.41).contains(&self.pair().high) {
            return Self::new(series::ln_1p(self.pair()), 0);
        }
        (Self::of(1.0) + self).ln()
    }

    fn normal_distribution(self) -> Self {
        let beyond = self.exponent >= 0 && self.pair().high.abs() >= series::TAIL_END;
        let x = if self.value.high < 0.0 { -self } else { self };
        let tail = if beyond {
            Self::of(0.0)
        } else {
            // Far below the grid's first step the place is 0 to 105 bits.
            let place = if x.exponent < Self::TINY { Pair::from(0.0) } else { x.pair() };
            (-x * x * Self::of(0.5)).exp() * Self::new(series::mills(place), 0)
        };
        if self.value.high < 0.0 { tail } else { Self::of(1.0) - tail }
    }
}

impl Neg for Wide {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, exponent: self.exponent }
    }
}

impl Add for Wide {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let sum = self.value.high + other.value.high;
        if !sum.is_finite() {
            return Self::of(sum);
        }
        if self.value.high == 0.0 {
            return other;
        }
        if other.value.high == 0.0 {
            return self;
        }
        let (large, small) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let below = large.exponent - small.exponent;
        // What is further below is nothing to a pair.
        if below > 220 { large } else { Self::new(large.value + small.value.scale(-below), large.exponent) }
    }
}

impl Sub for Wide {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Wide {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let product = self.value.high * other.value.high;
        if !product.is_finite() {
            return Self::of(product);
        }
        Self::new(self.value * other.value, self.exponent + other.exponent)
    }
}

impl Div for Wide {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let quotient = self.value.high / other.value.high;
        if !quotient.is_finite() || !other.value.high.is_finite() {
            return Self::of(quotient);
        }
        Self::new(self.value / other.value, self.exponent - other.exponent)
    }
}
