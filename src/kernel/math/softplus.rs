//! Softplus and log-sigmoid.

use crate::simd::{Lanes, Vectorized};

/// `ln(1 + e^x)`.
#[inline(always)]
pub fn softplus<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    super::each(lanes, x, T::softplus)
}

/// [`softplus`] and its derivative, the sigmoid.
#[inline(always)]
pub fn softplus_with_slope<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    (super::each(lanes, x, T::softplus), super::each(lanes, x, T::sigmoid))
}

/// `ln(sigmoid(x))`, which is `-softplus(-x)`.
#[inline(always)]
pub fn log_sigmoid<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    super::each(lanes, x, |x| -(-x).softplus())
}

/// [`log_sigmoid`] and its derivative, `sigmoid(-x)`.
#[inline(always)]
pub fn log_sigmoid_with_slope<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    (super::each(lanes, x, |x| -(-x).softplus()), super::each(lanes, x, |x| (-x).sigmoid()))
}
