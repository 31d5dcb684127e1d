//! The numbers a network is made of.
//!
//! [`Scalar`] is the mathematics: anything that adds, multiplies and has the elementary functions. `f32` and `f64`
//! are scalars; so are dual and complex numbers, which is how one formula is both run and verified.
//! Ground of the house: imports nothing of ours.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// A number with the elementary functions.
///
/// Formulas of activations and losses are written once over this trait. Decisions (is it positive? which is larger?)
/// are taken on [`real`](Scalar::real), so that they also hold for numbers without an order.
///
/// **Determinism**: the functions of `f32` and `f64` are those of the `libm` crate, the same bits on every platform.
pub trait Scalar:
    Copy
    + Debug
    + Default
    + PartialEq
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;

    /// The nearest number of this type to `value`.
    fn from_f64(value: f64) -> Self;
    /// The real part as an `f64`: exact for `f32` and `f64`.
    fn real(self) -> f64;
    /// `self * by + plus`, rounded once where the type can.
    fn mul_add(self, by: Self, plus: Self) -> Self;
    /// The exponential function.
    fn exp(self) -> Self;
    /// `exp(self) - 1`, accurate near zero.
    fn exp_m1(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// `ln(1 + self)`, accurate near zero.
    fn ln_1p(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The error function.
    fn erf(self) -> Self;
    /// The complementary error function, accurate in its tail.
    fn erfc(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;

    /// The absolute value; the sign is the real part's.
    fn abs(self) -> Self {
        if self.real() < 0.0 { -self } else { self }
    }

    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool {
        self.real().is_finite()
    }

    /// The logistic sigmoid `1 / (1 + exp(-self))`, finite and in `0..=1` for every input.
    fn sigmoid(self) -> Self {
        if self.real() >= 0.0 {
            Self::ONE / (Self::ONE + (-self).exp())
        } else {
            let e = self.exp();
            e / (Self::ONE + e)
        }
    }

    /// `ln(1 + exp(self))` without overflow.
    fn softplus(self) -> Self {
        if self.real() > 0.0 { self + (-self).exp().ln_1p() } else { self.exp().ln_1p() }
    }
}

macro_rules! scalar {
    ($t:ident, $exp:ident, $expm1:ident, $log:ident, $log1p:ident, $tanh:ident, $erf:ident, $erfc:ident) => {
        impl Scalar for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            fn from_f64(value: f64) -> Self {
                value as $t
            }
            fn real(self) -> f64 {
                f64::from(self)
            }
            fn mul_add(self, by: Self, plus: Self) -> Self {
                $t::mul_add(self, by, plus)
            }
            fn exp(self) -> Self {
                libm::$exp(self)
            }
            fn exp_m1(self) -> Self {
                libm::$expm1(self)
            }
            fn ln(self) -> Self {
                libm::$log(self)
            }
            fn ln_1p(self) -> Self {
                libm::$log1p(self)
            }
            fn tanh(self) -> Self {
                libm::$tanh(self)
            }
            fn erf(self) -> Self {
                libm::$erf(self)
            }
            fn erfc(self) -> Self {
                libm::$erfc(self)
            }
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            fn abs(self) -> Self {
                $t::abs(self)
            }
        }
    };
}

scalar!(f32, expf, expm1f, logf, log1pf, tanhf, erff, erfcf);
scalar!(f64, exp, expm1, log, log1p, tanh, erf, erfc);
