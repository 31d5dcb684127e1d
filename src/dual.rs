//! Dual numbers: a value and its derivative, carried along by the rules of calculus.
//!
//! With `e^2 = 0`, `f(x + e) = f(x) + f'(x) e`: whatever is written over [`Scalar`] gives its exact derivative in one run, without
//! a step to choose and without knowing anything of back-propagation. That makes it a witness against a gradient. Of dual numbers
//! of dual numbers come second derivatives, and a backward pass in dual numbers gives the product of the Hessian with a vector.
//!
//! Ground of the house: imports `scalar`.
//!
//! ```
//! use deltarule::dual::Dual;
//! use deltarule::scalar::Scalar;
//!
//! let x = Dual::variable(0.5);
//! let y = x * x.tanh();
//! assert!((y.slope - (0.5f64.tanh() + 0.5 * (1.0 - 0.5f64.tanh().powi(2)))).abs() < 1e-15);
//! ```

use crate::scalar::Scalar;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// A value and its derivative.
///
/// **Accuracy**: each function's slope errs by a few units in its last place, in the tails too, but those of `erf` and `erfc` by `x^2`
/// of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dual<S = f64> {
    /// The value.
    pub value: S,
    /// Its derivative along whatever direction the variables were given.
    pub slope: S,
}

impl<S: Scalar> Dual<S> {
    /// The variable that is differentiated by: its slope is 1.
    pub fn variable(value: S) -> Self {
        Self { value, slope: S::ONE }
    }

    /// A function of `self` with the given value and derivative.
    fn chain(self, value: S, derivative: S) -> Self {
        Self { value, slope: self.slope * derivative }
    }
}

impl<S: Scalar> Add for Dual<S> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl<S: Scalar> Sub for Dual<S> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, slope: self.slope - other.slope }
    }
}

impl<S: Scalar> Mul for Dual<S> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self { value: self.value * other.value, slope: self.slope.mul_add(other.value, self.value * other.slope) }
    }
}

impl<S: Scalar> Div for Dual<S> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Self { value, slope: (self.slope - value * other.slope) / other.value }
    }
}

impl<S: Scalar> Neg for Dual<S> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, slope: -self.slope }
    }
}

/// `a += b` and its kin, by `a + b`.
macro_rules! assigning {
    ($name:ident, $($trait:ident $method:ident $op:tt),*) => {$(
        impl<S: Scalar> $trait for $name<S> {
            fn $method(&mut self, other: Self) {
                *self = *self $op other;
            }
        }
    )*};
}

assigning!(Dual, AddAssign add_assign +, SubAssign sub_assign -, MulAssign mul_assign *, DivAssign div_assign /);

/// `1 - tanh(x)^2` with all its digits in the tails, where the difference has none.
fn sech_squared<S: Scalar>(x: S) -> S {
    let e = (-(x.abs() + x.abs())).exp();
    let sum = S::ONE + e;
    S::from_f64(4.0) * e / (sum * sum)
}

/// `2 / sqrt(pi) exp(-x^2)`, the slope of `erf`.
fn erf_slope<S: Scalar>(x: S) -> S {
    S::from_f64(std::f64::consts::FRAC_2_SQRT_PI) * (-(x * x)).exp()
}

impl<S: Scalar> Scalar for Dual<S> {
    const ZERO: Self = Self { value: S::ZERO, slope: S::ZERO };
    const ONE: Self = Self { value: S::ONE, slope: S::ZERO };

    fn from_f64(value: f64) -> Self {
        Self { value: S::from_f64(value), slope: S::ZERO }
    }
    fn real(self) -> f64 {
        self.value.real()
    }
    fn mul_add(self, by: Self, plus: Self) -> Self {
        let slope = self.slope.mul_add(by.value, self.value.mul_add(by.slope, plus.slope));
        Self { value: self.value.mul_add(by.value, plus.value), slope }
    }
    fn exp(self) -> Self {
        let e = self.value.exp();
        self.chain(e, e)
    }
    fn exp_m1(self) -> Self {
        self.chain(self.value.exp_m1(), self.value.exp())
    }
    fn ln(self) -> Self {
        self.chain(self.value.ln(), S::ONE / self.value)
    }
    fn ln_1p(self) -> Self {
        self.chain(self.value.ln_1p(), S::ONE / (S::ONE + self.value))
    }
    fn tanh(self) -> Self {
        self.chain(self.value.tanh(), sech_squared(self.value))
    }
    fn erf(self) -> Self {
        self.chain(self.value.erf(), erf_slope(self.value))
    }
    fn erfc(self) -> Self {
        self.chain(self.value.erfc(), -erf_slope(self.value))
    }
    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        if self.slope == S::ZERO {
            // A constant stays one, also at 0.
            return Self { value: root, slope: S::ZERO };
        }
        self.chain(root, S::from_f64(0.5) / root)
    }
    fn is_finite(self) -> bool {
        self.value.is_finite() && self.slope.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (&'static str, fn(Dual) -> Dual, fn(f64) -> f64);

    /// Slopes by hand.
    const CASES: [Case; 11] = [
        ("exp", |x| x.exp(), |x| libm::exp(x)),
        ("exp_m1", |x| x.exp_m1(), |x| libm::exp(x)),
        ("ln of 3 + x^2", |x| (Dual::from_f64(3.0) + x * x).ln(), |x| 2.0 * x / (3.0 + x * x)),
        ("ln_1p of x^2", |x| (x * x).ln_1p(), |x| 2.0 * x / (1.0 + x * x)),
        ("tanh", |x| x.tanh(), |x| 1.0 / libm::cosh(x) / libm::cosh(x)),
        ("erf", |x| x.erf(), |x| std::f64::consts::FRAC_2_SQRT_PI * libm::exp(-x * x)),
        ("erfc", |x| x.erfc(), |x| -std::f64::consts::FRAC_2_SQRT_PI * libm::exp(-x * x)),
        ("sqrt of 1 + x^2", |x| (Dual::ONE + x * x).sqrt(), |x| x / libm::sqrt(1.0 + x * x)),
        ("sigmoid", |x| x.sigmoid(), |x| 1.0 / (1.0 + libm::exp(-x)) / (1.0 + libm::exp(x))),
        ("softplus", |x| x.softplus(), |x| 1.0 / (1.0 + libm::exp(-x))),
        (
            "1 / (2 + x^2)",
            |x| Dual::ONE / (Dual::from_f64(2.0) + x * x),
            |x| -2.0 * x / ((2.0 + x * x) * (2.0 + x * x)),
        ),
    ];

    #[test]
    fn slopes_are_the_derivatives() {
        for (name, f, slope) in CASES {
            for x in [-20.0, -3.0, -0.7, -1e-3, 0.0, 1e-9, 0.3, 1.5, 6.0, 19.0] {
                let found = f(Dual::variable(x)).slope;
                let error = (found - slope(x)).abs() / slope(x).abs().max(f64::MIN_POSITIVE);
                // A dozen roundings; x^2 in an exponent multiplies its own.
                assert!(error < 2e-15 * (1.0 + x * x), "{name} at {x}: {found:e} for {:e}", slope(x));
            }
        }
    }

    #[test]
    fn duals_of_duals_are_second_derivatives() {
        for x in [-2.0, -0.3, 0.8] {
            let variable = Dual { value: Dual::variable(x), slope: Dual::ONE };
            let second = variable.tanh().slope.slope;
            let t = libm::tanh(x);
            assert!((second + 2.0 * t * (1.0 - t * t)).abs() < 1e-15, "{x}: {second}");
        }
    }
}
