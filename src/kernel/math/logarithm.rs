//! The natural logarithm, and that of `1 + x`.

use crate::simd::{Lanes, Vectorized};

/// The natural logarithm: minus infinity at 0, NaN below.
#[inline(always)]
pub fn ln<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    super::each(lanes, x, T::ln)
}

/// `ln(1 + x)`: minus infinity at -1, NaN below.
#[inline(always)]
pub fn ln_1p<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector) -> L::Vector {
    super::each(lanes, x, T::ln_1p)
}
