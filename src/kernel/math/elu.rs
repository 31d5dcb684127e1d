//! The exponential linear unit, scaled or not.

use crate::simd::{Lanes, Vectorized};

/// `scale x` where `x` is positive, else `scale alpha (e^x - 1)`.
#[inline(always)]
pub fn elu<T: Vectorized, L: Lanes<T>>(lanes: L, scale: f64, alpha: f64, x: L::Vector) -> L::Vector {
    elu_with_slope(lanes, scale, alpha, x).0
}

/// [`elu`] and its derivative.
#[inline(always)]
pub fn elu_with_slope<T: Vectorized, L: Lanes<T>>(
    lanes: L,
    scale: f64,
    alpha: f64,
    x: L::Vector,
) -> (L::Vector, L::Vector) {
    let (scale, below) = (T::from_f64(scale), T::from_f64(scale * alpha));
    let value = |x: T| if x <= T::ZERO { below * x.exp_m1() } else { scale * x };
    let slope = |x: T| if x <= T::ZERO { below * x.exp() } else { scale };
    (super::each(lanes, x, value), super::each(lanes, x, slope))
}
