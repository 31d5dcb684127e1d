//! Truth in `f64`: correctly rounded functions, which are fast too (6 to 23 ns).

use crate::oracle::Number;
use std::f64::consts::FRAC_1_SQRT_2;

impl Number for f64 {
    const ROUNDED: bool = true;

    #[inline]
    fn constant(high: f64, _: f64) -> Self {
        high
    }
    #[inline]
    fn parts(self) -> (f64, f64, i32) {
        (self, 0.0, 0)
    }
    #[inline]
    fn exp(self) -> Self {
        core_math::exp(self)
    }
    #[inline]
    fn exp_m1(self) -> Self {
        core_math::expm1(self)
    }
    #[inline]
    fn ln(self) -> Self {
        core_math::log(self)
    }
    #[inline]
    fn ln_1p(self) -> Self {
        core_math::log1p(self)
    }
    #[inline]
    fn normal_distribution(self) -> Self {
        0.5 * core_math::erfc(-self * FRAC_1_SQRT_2)
    }
}
