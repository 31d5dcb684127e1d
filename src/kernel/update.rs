//! The optimisers' sweeps: each one pass over the flat buffers.

use crate::simd::{Isa, Vectorized};

/// Gradient descent: `params <- params - rate grad`.
pub fn descend<T: Vectorized>(_isa: Isa, rate: T, grad: &[T], params: &mut [T]) {
    params.iter_mut().zip(grad).for_each(|(p, &g)| *p = (-rate).mul_add(g, *p));
}

/// Gradient descent with momentum, in scikit-learn's form: `v <- momentum v - rate grad`, `params <- params + v`;
/// with `nesterov`, `params <- params + momentum v - rate grad`.
pub fn momentum<T: Vectorized>(
    _isa: Isa,
    rate: T,
    momentum: T,
    nesterov: bool,
    grad: &[T],
    velocity: &mut [T],
    params: &mut [T],
) {
    for ((p, v), &g) in params.iter_mut().zip(velocity).zip(grad) {
        *v = momentum.mul_add(*v, -(rate * g));
        *p += if nesterov { momentum.mul_add(*v, -(rate * g)) } else { *v };
    }
}

/// The constants of one step of [`adam`].
#[derive(Clone, Copy, Debug)]
pub struct AdamStep<T> {
    /// Decay of the first moment.
    pub beta1: T,
    /// Decay of the second moment.
    pub beta2: T,
    /// The learning rate over the first moment's bias correction, `rate / (1 - beta1^t)`.
    pub rate: T,
    /// The inverse of the second moment's bias correction, `1 / (1 - beta2^t)`.
    pub correction: T,
    /// Added to the root of the second moment.
    pub epsilon: T,
}

/// Adam: `m <- beta1 m + (1 - beta1) g`, `v <- beta2 v + (1 - beta2) g^2`,
/// `params <- params - rate m / (sqrt(v correction) + epsilon)`.
///
/// **Source**: Kingma and Ba 2015, Algorithm 1.
pub fn adam<T: Vectorized>(_isa: Isa, c: AdamStep<T>, grad: &[T], first: &mut [T], second: &mut [T], params: &mut [T]) {
    for (((p, m), v), &g) in params.iter_mut().zip(first).zip(second).zip(grad) {
        *m = c.beta1.mul_add(*m, (T::ONE - c.beta1) * g);
        *v = c.beta2.mul_add(*v, (T::ONE - c.beta2) * g * g);
        *p -= c.rate * *m / ((*v * c.correction).sqrt() + c.epsilon);
    }
}
