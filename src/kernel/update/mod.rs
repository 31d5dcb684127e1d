//! The optimisers' sweeps: each one pass over the flat buffers.
//!
//! A sweep knows one step. What changes from step to step (a rate's schedule, the corrections of a mean that began at zero), its
//! caller puts into the constants. Coupled weight decay is part of the gradient; decoupled decay is a factor `keep` on the
//! parameters, `1 - rate * decay`, and 1 for none. NaN in a gradient or a moment arrives in the parameter.
//!
//! **Subnormal numbers** cost an x86 CPU about two hundred cycles for each vector that multiplies one: with a gradient of 1e-40
//! a sweep of Adam took 12 times as long, and moments that decay without a gradient arrive at such numbers and stay there.
//! So gradients below 1e-33 (1e-300 in `f64`) count as zero, moments below 16 times the smallest normal number and parameters
//! below that number become zero, and squares are those of gradients from 1.5e-17 (1.5e-152) on: the products of all
//! others with the usual constants are normal. Beside an epsilon of 1e-8 nothing of this is seen.

mod adam;
mod scaled;

pub use adam::{AdamStep, NadamStep, adam, adamw, amsgrad, nadam};
pub use scaled::{RmspropStep, adadelta, adagrad, rmsprop, rmsprop_centered};

use super::sweep::{Step, sweep};
use crate::simd::{Isa, Lanes, Vectorized};

/// Gradient descent: `params <- params - rate grad`, rounded once.
pub fn descend<T: Vectorized>(isa: Isa, rate: T, grad: &[T], params: &mut [T]) {
    update(isa, Descend { rate }, grad, [params]);
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
        update(isa, Momentum::<T, true> { rate, momentum }, grad, [velocity, params]);
    } else {
        update(isa, Momentum::<T, false> { rate, momentum }, grad, [velocity, params]);
    }
}

/// The constants of one step of [`lion`].
#[derive(Clone, Copy, Debug)]
pub struct LionStep<T> {
    /// The mean's part in the step, by default 0.9.
    pub beta1: T,
    /// Decay of the mean, by default 0.99.
    pub beta2: T,
    /// The learning rate, of the paper 3 to 10 times below Adam's: 1e-4.
    pub rate: T,
    /// What decoupled decay leaves of a parameter.
    pub keep: T,
}

/// Lion: `params <- keep params - rate sign(beta1 m + (1 - beta1) g)`, then `m <- beta2 m + (1 - beta2) g`; the sign of 0 is 0.
///
/// **Source**: Chen et al. 2023, Algorithm 2 (neither PyTorch nor scikit-learn has it).
pub fn lion<T: Vectorized>(isa: Isa, c: LionStep<T>, grad: &[T], mean: &mut [T], params: &mut [T]) {
    update(isa, c, grad, [mean, params]);
}

/// Takes the step along the buffers, the parameters last.
fn update<T: Vectorized, S: Step<T, 1, WRITES>, const WRITES: usize>(
    isa: Isa,
    step: S,
    grad: &[T],
    written: [&mut [T]; WRITES],
) {
    sweep(isa, Normal(step), [grad], written);
}

/// A step whose gradients, moments and parameters are normal numbers or zero.
#[derive(Clone, Copy)]
struct Normal<S>(S);

impl<T: Vectorized, S: Step<T, 1, WRITES>, const WRITES: usize> Step<T, 1, WRITES> for Normal<S> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [grad]: [L::Vector; 1], written: [L::Vector; WRITES]) -> [L::Vector; WRITES] {
        let smallest = T::either(f64::from(f32::MIN_POSITIVE), f64::MIN_POSITIVE);
        let mut written = self.0.step(lanes, [zero_below(lanes, T::either(1e-33, 1e-300), grad)], written);
        for (i, x) in written.iter_mut().enumerate() {
            *x = zero_below(lanes, if i + 1 < WRITES { 16.0 * smallest } else { smallest }, *x);
        }
        written
    }
}

/// `x`, or zero where it is closer to zero than `least`.
#[inline(always)]
fn zero_below<T: Vectorized, L: Lanes<T>>(lanes: L, least: f64, x: L::Vector) -> L::Vector {
    // NaN is not less.
    lanes.select(lanes.lt(lanes.abs(x), lanes.splat(T::from_f64(least))), lanes.splat(T::ZERO), x)
}

/// `grad^2`, or zero where it would be too small to be multiplied.
#[inline(always)]
fn square<T: Vectorized, L: Lanes<T>>(lanes: L, grad: L::Vector) -> L::Vector {
    let grad = zero_below(lanes, T::either(1.5e-17, 1.5e-152), grad);
    lanes.mul(grad, grad)
}

/// `decay mean + (1 - decay) x`.
#[inline(always)]
fn running_mean<T: Vectorized, L: Lanes<T>>(lanes: L, decay: T, mean: L::Vector, x: L::Vector) -> L::Vector {
    lanes.mul_add(lanes.splat(decay), mean, lanes.mul(lanes.splat(T::ONE - decay), x))
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

impl<T: Vectorized> Step<T, 1, 2> for LionStep<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [grad]: [L::Vector; 1], [mean, params]: [L::Vector; 2]) -> [L::Vector; 2] {
        let zero = lanes.splat(T::ZERO);
        let direction = running_mean(lanes, self.beta1, mean, grad);
        let rate = lanes.copysign(lanes.splat(self.rate), direction);
        // Only a number beside zero has a sign; NaN and zero go on as they are.
        let has_sign = lanes.lt(zero, lanes.abs(direction));
        let step = lanes.select(has_sign, rate, direction);
        let params = lanes.sub(lanes.mul(lanes.splat(self.keep), params), step);
        [running_mean(lanes, self.beta2, mean, grad), params]
    }
}
