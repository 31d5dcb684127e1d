//! The optimisers' sweeps: each one pass over the flat buffers.

use super::sweep::{Step, sweep};
use crate::simd::{Isa, Lanes, Vectorized};

/// Gradient descent: `params <- params - rate grad`, each rounded once.
pub fn descend<T: Vectorized>(isa: Isa, rate: T, grad: &[T], params: &mut [T]) {
    sweep(isa, Descend { rate }, [grad], [params]);
}

/// Gradient descent with momentum, in scikit-learn's form: `v <- momentum v - rate grad`, `params <- params + v`;
/// with `nesterov`, `params <- params + momentum v - rate grad`.
pub fn momentum<T: Vectorized>(
    isa: Isa,
    rate: T,
    momentum: T,
    nesterov: bool,
    grad: &[T],
    velocity: &mut [T],
    params: &mut [T],
) {
    // Two steps, not one that asks in the loop.
    if nesterov {
        sweep(isa, Momentum::<T, true> { rate, momentum }, [grad], [velocity, params]);
    } else {
        sweep(isa, Momentum::<T, false> { rate, momentum }, [grad], [velocity, params]);
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
pub fn adam<T: Vectorized>(isa: Isa, c: AdamStep<T>, grad: &[T], first: &mut [T], second: &mut [T], params: &mut [T]) {
    sweep(isa, c, [grad], [first, second, params]);
}

#[derive(Clone, Copy)]
struct Descend<T> {
    rate: T,
}

impl<T: Vectorized> Step<T, 1, 1> for Descend<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [grad]: [L::Vector; 1], [params]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.mul_add(lanes.splat(-self.rate), grad, params)]
    }
}

#[derive(Clone, Copy)]
struct Momentum<T, const NESTEROV: bool> {
    rate: T,
    momentum: T,
}

impl<T: Vectorized, const NESTEROV: bool> Step<T, 1, 2> for Momentum<T, NESTEROV> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [grad]: [L::Vector; 1], [velocity, params]: [L::Vector; 2]) -> [L::Vector; 2] {
        let momentum = lanes.splat(self.momentum);
        let step = lanes.mul(lanes.splat(-self.rate), grad);
        let velocity = lanes.mul_add(momentum, velocity, step);
        let ahead = if NESTEROV { lanes.mul_add(momentum, velocity, step) } else { velocity };
        [velocity, lanes.add(params, ahead)]
    }
}

impl<T: Vectorized> Step<T, 1, 3> for AdamStep<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(
        self,
        lanes: L,
        [grad]: [L::Vector; 1],
        [first, second, params]: [L::Vector; 3],
    ) -> [L::Vector; 3] {
        let fresh = lanes.mul(lanes.splat(T::ONE - self.beta1), grad);
        let first = lanes.mul_add(lanes.splat(self.beta1), first, fresh);
        let fresh = lanes.mul(lanes.mul(lanes.splat(T::ONE - self.beta2), grad), grad);
        let second = lanes.mul_add(lanes.splat(self.beta2), second, fresh);
        let root = lanes.sqrt(lanes.mul(second, lanes.splat(self.correction)));
        let step = lanes.div(lanes.mul(lanes.splat(self.rate), first), lanes.add(root, lanes.splat(self.epsilon)));
        [first, second, lanes.sub(params, step)]
    }
}
