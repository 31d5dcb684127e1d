//! Complex numbers, for derivatives by a complex step.
//!
//! For a function that is analytic, `f(x + ih) = f(x) + ih f'(x) - h^2 f''(x) / 2 ...`, so the imaginary part over `h` is the slope,
//! with an error of `h^2`. Nothing is subtracted, so `h` may be [`STEP`], whose square vanishes. It knows the rules of calculus
//! as little as differences do (there is no chain rule in it, only complex arithmetic), and gives all digits: a third witness.
//!
//! Ground of the house: imports `scalar`. **Source**: Squire and Trapp, Using complex variables to estimate derivatives of real
//! functions (SIAM Review 40, 1998).
//!
//! ```
//! use deltarule::complex::{Complex, STEP};
//! use deltarule::scalar::Scalar;
//!
//! let y = Complex { re: 0.5, im: STEP }.tanh();
//! assert!((y.im / STEP - (1.0 - 0.5f64.tanh().powi(2))).abs() < 1e-15);
//! ```

use crate::scalar::Scalar;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// A step whose square is below half an epsilon of every number above 1e-284, and that leaves slopes of 1e-150 normal numbers.
pub const STEP: f64 = 1e-150;

/// A complex number; functions take their principal branches.
///
/// **Accuracy**: a few units in the last place of each part, while the imaginary part is small. Decisions are taken on the real part.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Complex {
    /// The real part.
    pub re: f64,
    /// The imaginary part.
    pub im: f64,
}

/// Below this, `sin(x)` and `sinh(x)` are `x`, and `cos(x)` and `cosh(x)` are 1, to the last bit.
const STRAIGHT: f64 = 1e-9;

fn sin_cos(x: f64) -> (f64, f64) {
    if x.abs() < STRAIGHT { (x, 1.0) } else { (libm::sin(x), libm::cos(x)) }
}

fn sinh_cosh(x: f64) -> (f64, f64) {
    if x.abs() < STRAIGHT { (x, 1.0) } else { (libm::sinh(x), libm::cosh(x)) }
}

/// `exp(-n^2 / 4)` from n = 1; at 12.5 it is 1e-17.
const ERF_TERMS: [f64; 12] = [
    0.7788007830714049,
    0.36787944117144233,
    0.10539922456186433,
    0.01831563888873418,
    0.0019304541362277093,
    0.00012340980408667956,
    4.785117392129009e-06,
    1.1253517471925912e-07,
    1.6052280551856116e-09,
    1.3887943864964021e-11,
    7.287724095819692e-14,
    2.3195228302435696e-16,
];

impl Complex {
    /// `erf(self) - erf(self.re)`, by Abramowitz and Stegun 7.1.29, whose terms fall as `exp(-n^2/4)`: relative error 1e-16.
    fn erf_beside(self) -> Self {
        let Self { re: x, im: y } = self;
        let (sin, cos) = sin_cos(2.0 * x * y);
        // (1 - cos 2xy) / 2 pi x and sin 2xy / 2 pi x, finite at x = 0.
        let half = libm::sin(x * y);
        let over = |number: f64, limit: f64| if x == 0.0 { limit } else { number / (2.0 * std::f64::consts::PI * x) };
        let (mut re, mut im) = (over(2.0 * half * half, 0.0), over(sin, y / std::f64::consts::PI));
        for (n, term) in (1..).zip(ERF_TERMS) {
            let n = f64::from(n);
            let (sinh, cosh) = sinh_cosh(n * y);
            let weight = std::f64::consts::FRAC_2_PI * term / (n * n + 4.0 * x * x);
            re += weight * (2.0 * x * (1.0 - cosh * cos) + n * sinh * sin);
            im += weight * (2.0 * x * cosh * sin + n * sinh * cos);
        }
        let e = libm::exp(-x * x);
        Self { re: e * re, im: e * im }
    }
}

impl Add for Complex {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

impl Sub for Complex {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }
}

impl Mul for Complex {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
}

/// By Smith's method, which squares nothing and so neither overflows nor loses a tiny part.
impl Div for Complex {
    type Output = Self;
    fn div(self, by: Self) -> Self {
        if by.im.abs() <= by.re.abs() {
            let ratio = by.im / by.re;
            let under = by.re + by.im * ratio;
            Self { re: (self.re + self.im * ratio) / under, im: (self.im - self.re * ratio) / under }
        } else {
            let ratio = by.re / by.im;
            let under = by.re * ratio + by.im;
            Self { re: (self.re * ratio + self.im) / under, im: (self.im * ratio - self.re) / under }
        }
    }
}

impl Neg for Complex {
    type Output = Self;
    fn neg(self) -> Self {
        Self { re: -self.re, im: -self.im }
    }
}

macro_rules! assigning {
    ($($trait:ident $method:ident $op:tt),*) => {$(
        impl $trait for Complex {
            fn $method(&mut self, other: Self) {
                *self = *self $op other;
            }
        }
    )*};
}

assigning!(AddAssign add_assign +, SubAssign sub_assign -, MulAssign mul_assign *, DivAssign div_assign /);

impl Scalar for Complex {
    const ZERO: Self = Self { re: 0.0, im: 0.0 };
    const ONE: Self = Self { re: 1.0, im: 0.0 };

    fn from_f64(value: f64) -> Self {
        Self { re: value, im: 0.0 }
    }
    fn real(self) -> f64 {
        self.re
    }
    fn mul_add(self, by: Self, plus: Self) -> Self {
        self * by + plus
    }
    fn exp(self) -> Self {
        let (e, (sin, cos)) = (libm::exp(self.re), sin_cos(self.im));
        Self { re: e * cos, im: e * sin }
    }
    fn exp_m1(self) -> Self {
        let (sin, cos) = sin_cos(self.im);
        let half = libm::sin(self.im / 2.0);
        Self { re: libm::expm1(self.re) * cos - 2.0 * half * half, im: libm::exp(self.re) * sin }
    }
    fn ln(self) -> Self {
        Self { re: libm::log(libm::hypot(self.re, self.im)), im: libm::atan2(self.im, self.re) }
    }
    fn ln_1p(self) -> Self {
        let ratio = self.im / (1.0 + self.re);
        let re = libm::log1p(self.re) + libm::log1p(ratio * ratio) / 2.0;
        Self { re, im: libm::atan2(self.im, 1.0 + self.re) }
    }
    fn tanh(self) -> Self {
        // (t + iu) / (1 + itu) with t = tanh(re) and u = tan(im).
        let (t, (sin, cos)) = (libm::tanh(self.re), sin_cos(self.im));
        let u = sin / cos;
        let e = libm::exp(-2.0 * self.re.abs());
        let rest = 4.0 * e / ((1.0 + e) * (1.0 + e));
        let under = 1.0 + t * t * u * u;
        Self { re: t * (1.0 + u * u) / under, im: u * rest / under }
    }
    fn erf(self) -> Self {
        Self::from_f64(libm::erf(self.re)) + self.erf_beside()
    }
    fn erfc(self) -> Self {
        Self::from_f64(libm::erfc(self.re)) - self.erf_beside()
    }
    fn sqrt(self) -> Self {
        if self == Self::ZERO {
            return self;
        }
        let root = libm::sqrt((libm::hypot(self.re, self.im) + self.re.abs()) / 2.0);
        let other = self.im / (2.0 * root);
        if self.re >= 0.0 { Self { re: root, im: other } } else { Self { re: other.abs(), im: root.copysign(self.im) } }
    }
    fn is_finite(self) -> bool {
        self.re.is_finite() && self.im.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dual::Dual;

    fn functions<S: Scalar>(x: S) -> [(&'static str, S); 11] {
        let one = S::ONE + x * x;
        [
            ("exp", x.exp()),
            ("exp_m1", x.exp_m1()),
            ("ln", one.ln()),
            ("ln_1p", (x * x).ln_1p()),
            ("tanh", x.tanh()),
            ("erf", x.erf()),
            ("erfc", x.erfc()),
            ("sqrt", one.sqrt()),
            ("sigmoid", x.sigmoid()),
            ("softplus", x.softplus()),
            ("division", x / one),
        ]
    }

    #[test]
    fn a_complex_step_gives_the_slope_of_dual_numbers() {
        for x in [-9.0, -3.0, -0.7, -1e-3, 0.0, 1e-9, 0.3, 1.5, 6.0, 19.0] {
            let steps = functions(Complex { re: x, im: STEP });
            for ((name, step), (_, dual)) in steps.into_iter().zip(functions(Dual::variable(x))) {
                let (found, exact) = (step.im / STEP, dual.slope);
                let error = (found - exact).abs() / exact.abs().max(f64::MIN_POSITIVE);
                assert!(error < 4e-15 * (1.0 + x * x), "{name} at {x}: {found:e} for {exact:e}");
                // At 0 the square of the step is all there is.
                let error = (step.re - dual.value).abs() / dual.value.abs().max(STEP);
                assert!(error < 1e-15, "{name} at {x}: {:e} for {:e}", step.re, dual.value);
            }
        }
    }

    /// Against their series (DLMF 4.2.19, 7.6.1) and against each other, at a point far from the real axis.
    #[test]
    fn a_step_of_any_size_is_a_complex_number() {
        let z = Complex { re: 0.5, im: 0.75 };
        // erf(z) by its Maclaurin series, in f64: thirty terms.
        let (mut sum, mut term) = (z, z);
        for n in 1..40 {
            term = -term * z * z / Complex::from_f64(f64::from(n));
            sum += term / Complex::from_f64(f64::from(2 * n + 1));
        }
        sum *= Complex::from_f64(std::f64::consts::FRAC_2_SQRT_PI);
        let mut exp = Complex::ONE;
        let mut power = Complex::ONE;
        for n in 1..30 {
            power = power * z / Complex::from_f64(f64::from(n));
            exp += power;
        }
        let near = |a: Complex, b: Complex| (a.re - b.re).abs() + (a.im - b.im).abs() < 2e-15;
        assert!(near(z.erf(), sum), "{:?} for {sum:?}", z.erf());
        assert!(near(z.erfc() + z.erf(), Complex::ONE));
        assert!(near(z.exp(), exp) && near(z.exp_m1() + Complex::ONE, exp));
        assert!(near(z.exp().ln(), z) && near(z.exp_m1().ln_1p(), z));
        let (plus, minus) = (z.exp(), (-z).exp());
        assert!(near(z.tanh(), (plus - minus) / (plus + minus)));
        for root in [z, Complex { re: 0.2, im: -0.9 }] {
            assert!(near((root * root).sqrt(), root));
        }
    }
}
