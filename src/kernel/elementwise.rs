//! Activations over a slice, with or without their slope, and the product with a slope.

use crate::simd::{Isa, Vectorized};

/// `x <- sigmoid(x)`.
pub fn sigmoid<T: Vectorized>(_isa: Isa, x: &mut [T]) {
    x.iter_mut().for_each(|x| *x = x.sigmoid());
}

/// `x <- sigmoid(x)`, `slope <- sigmoid'`, which is `s (1 - s)`.
pub fn sigmoid_with_slope<T: Vectorized>(isa: Isa, x: &mut [T], slope: &mut [T]) {
    sigmoid(isa, x);
    x.iter().zip(slope).for_each(|(&s, d)| *d = s * (T::ONE - s));
}

/// `x <- tanh(x)`.
pub fn tanh<T: Vectorized>(_isa: Isa, x: &mut [T]) {
    x.iter_mut().for_each(|x| *x = x.tanh());
}

/// `x <- tanh(x)`, `slope <- tanh'`, which is `1 - t * t`.
pub fn tanh_with_slope<T: Vectorized>(isa: Isa, x: &mut [T], slope: &mut [T]) {
    tanh(isa, x);
    x.iter().zip(slope).for_each(|(&t, d)| *d = T::ONE - t * t);
}

/// `x <- max(x, 0)`; NaN stays NaN, -0 becomes +0.
pub fn relu<T: Vectorized>(_isa: Isa, x: &mut [T]) {
    x.iter_mut().for_each(|x| *x = if *x <= T::ZERO { T::ZERO } else { *x });
}

/// `x <- max(x, 0)`, `slope <- 1` where `x > 0`, else 0 (NaN where `x` is NaN).
pub fn relu_with_slope<T: Vectorized>(isa: Isa, x: &mut [T], slope: &mut [T]) {
    x.iter().zip(slope.iter_mut()).for_each(|(&x, d)| {
        *d = if x > T::ZERO {
            T::ONE
        } else if x <= T::ZERO {
            T::ZERO
        } else {
            x
        }
    });
    relu(isa, x);
}

/// `x <- x * by`, element by element.
pub fn multiply<T: Vectorized>(_isa: Isa, x: &mut [T], by: &[T]) {
    debug_assert_eq!(x.len(), by.len());
    x.iter_mut().zip(by).for_each(|(x, &by)| *x *= by);
}
