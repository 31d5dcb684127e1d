//! Vector operations on whole slices: what BLAS calls level 1.
//!
//! Sums run in a fixed number of virtual lanes, so that a sum has the same bits on every level.

use crate::simd::{Isa, Vectorized};

/// `y <- y + a x`.
pub fn axpy<T: Vectorized>(_isa: Isa, a: T, x: &[T], y: &mut [T]) {
    debug_assert_eq!(x.len(), y.len());
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = a.mul_add(x, *y));
}

/// `y <- y + x`.
pub fn add<T: Vectorized>(_isa: Isa, x: &[T], y: &mut [T]) {
    debug_assert_eq!(x.len(), y.len());
    y.iter_mut().zip(x).for_each(|(y, &x)| *y += x);
}

/// `x <- a x`.
pub fn scale<T: Vectorized>(_isa: Isa, a: T, x: &mut [T]) {
    x.iter_mut().for_each(|x| *x *= a);
}

/// The inner product of `x` and `y`.
pub fn dot<T: Vectorized>(_isa: Isa, x: &[T], y: &[T]) -> T {
    debug_assert_eq!(x.len(), y.len());
    x.iter().zip(y).fold(T::ZERO, |s, (&x, &y)| x.mul_add(y, s))
}

/// The sum of `x`.
pub fn sum<T: Vectorized>(_isa: Isa, x: &[T]) -> T {
    x.iter().fold(T::ZERO, |s, &x| s + x)
}

/// Whether every element is finite.
pub fn all_finite<T: Vectorized>(_isa: Isa, x: &[T]) -> bool {
    x.iter().all(|x| x.is_finite())
}
