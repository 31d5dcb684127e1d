//! Activations over a slice, with or without their slope, and the product with a slope.

use super::math;
use super::sweep::{Step, sweep};
use crate::simd::{Isa, Lanes, Vectorized};

/// `x <- sigmoid(x)`.
///
/// **Accuracy**: 1 ulp; in `0..=1`.
pub fn sigmoid<T: Vectorized>(isa: Isa, x: &mut [T]) {
    sweep(isa, Sigmoid, [], [x]);
}

/// `x <- sigmoid(x)`, `slope <- sigmoid'`, which is `s (1 - s)`.
///
/// **Accuracy**: of the slope, that of the formula on the rounded `s`.
pub fn sigmoid_with_slope<T: Vectorized>(isa: Isa, x: &mut [T], slope: &mut [T]) {
    sweep(isa, Sigmoid, [], [x, slope]);
}

/// `x <- tanh(x)`.
///
/// **Accuracy**: 1 ulp; odd to the bit, in `-1..=1`.
pub fn tanh<T: Vectorized>(isa: Isa, x: &mut [T]) {
    sweep(isa, Tanh, [], [x]);
}

/// `x <- tanh(x)`, `slope <- tanh'`, which is `1 - t * t`, rounded once.
///
/// **Accuracy**: of the slope, that of the formula on the rounded `t`.
pub fn tanh_with_slope<T: Vectorized>(isa: Isa, x: &mut [T], slope: &mut [T]) {
    sweep(isa, Tanh, [], [x, slope]);
}

/// `x <- max(x, 0)`; NaN stays NaN, -0 becomes +0.
pub fn relu<T: Vectorized>(isa: Isa, x: &mut [T]) {
    sweep(isa, Relu, [], [x]);
}

/// `x <- max(x, 0)`, `slope <- 1` where `x > 0`, else 0 (NaN where `x` is NaN).
pub fn relu_with_slope<T: Vectorized>(isa: Isa, x: &mut [T], slope: &mut [T]) {
    sweep(isa, Relu, [], [x, slope]);
}

/// `x <- x * by`, element by element.
pub fn multiply<T: Vectorized>(isa: Isa, x: &mut [T], by: &[T]) {
    sweep(isa, Multiply, [by], [x]);
}

/// An activation of a vector, and its slope there.
trait Activation: Copy {
    fn value<T: Vectorized, L: Lanes<T>>(self, lanes: L, x: L::Vector) -> L::Vector;
    /// From the input `x` and the value `y`.
    fn slope<T: Vectorized, L: Lanes<T>>(self, lanes: L, x: L::Vector, y: L::Vector) -> L::Vector;
}

/// Alone.
impl<T: Vectorized, A: Activation> Step<T, 0, 1> for A {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, []: [L::Vector; 0], [x]: [L::Vector; 1]) -> [L::Vector; 1] {
        [self.value(lanes, x)]
    }
}

/// With its slope, whose slice is overwritten unseen.
impl<T: Vectorized, A: Activation> Step<T, 0, 2> for A {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, []: [L::Vector; 0], [x, _]: [L::Vector; 2]) -> [L::Vector; 2] {
        let y = self.value(lanes, x);
        [y, self.slope(lanes, x, y)]
    }
}

#[derive(Clone, Copy)]
struct Sigmoid;

impl Activation for Sigmoid {
    #[inline(always)]
    fn value<T: Vectorized, L: Lanes<T>>(self, lanes: L, x: L::Vector) -> L::Vector {
        math::sigmoid(lanes, x)
    }
    #[inline(always)]
    fn slope<T: Vectorized, L: Lanes<T>>(self, lanes: L, _: L::Vector, y: L::Vector) -> L::Vector {
        lanes.mul(y, lanes.sub(lanes.splat(T::ONE), y))
    }
}

#[derive(Clone, Copy)]
struct Tanh;

impl Activation for Tanh {
    #[inline(always)]
    fn value<T: Vectorized, L: Lanes<T>>(self, lanes: L, x: L::Vector) -> L::Vector {
        math::tanh(lanes, x)
    }
    #[inline(always)]
    fn slope<T: Vectorized, L: Lanes<T>>(self, lanes: L, _: L::Vector, y: L::Vector) -> L::Vector {
        lanes.mul_add(lanes.neg(y), y, lanes.splat(T::ONE))
    }
}

#[derive(Clone, Copy)]
struct Relu;

impl Activation for Relu {
    #[inline(always)]
    fn value<T: Vectorized, L: Lanes<T>>(self, lanes: L, x: L::Vector) -> L::Vector {
        // A maximum with zero would let -0 through on x86.
        let zero = lanes.splat(T::ZERO);
        lanes.select(lanes.le(x, zero), zero, x)
    }
    #[inline(always)]
    fn slope<T: Vectorized, L: Lanes<T>>(self, lanes: L, x: L::Vector, y: L::Vector) -> L::Vector {
        // Where x is not above zero, y is 0 or NaN, which is the slope there.
        lanes.select(lanes.lt(lanes.splat(T::ZERO), x), lanes.splat(T::ONE), y)
    }
}

#[derive(Clone, Copy)]
struct Multiply;

impl<T: Vectorized> Step<T, 1, 1> for Multiply {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [by]: [L::Vector; 1], [x]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.mul(x, by)]
    }
}
