//! Steps along the gradient itself, scaled by the root of what was gathered of its squares.

use super::{running_mean, square, update};
use crate::kernel::sweep::Step;
use crate::simd::{Isa, Lanes, Vectorized};

/// The constants of one step of [`rmsprop`] or [`rmsprop_centered`], with PyTorch's defaults.
#[derive(Clone, Copy, Debug)]
pub struct RmspropStep<T> {
    /// Decay of the mean square, and of the mean: 0.99.
    pub decay: T,
    /// The part of the last step that is taken again: 0.
    pub momentum: T,
    /// The learning rate: 1e-2.
    pub rate: T,
    /// Added to the root: 1e-8.
    pub epsilon: T,
}

/// RMSprop: `s <- decay s + (1 - decay) g^2`, `b <- momentum b + g / (sqrt(s) + epsilon)`, `params <- params - rate b`.
///
/// **Source**: Tieleman and Hinton 2012 (lecture 6.5), in PyTorch's form. Without momentum `b` is the step alone, and where `buffer`
/// is empty it is not kept: the same bits, and a quarter less to read and write.
pub fn rmsprop<T: Vectorized>(
    isa: Isa,
    c: RmspropStep<T>,
    grad: &[T],
    square: &mut [T],
    buffer: &mut [T],
    params: &mut [T],
) {
    if keeps_no_buffer(c, buffer) {
        update(isa, Alone(c), grad, [square, params]);
    } else {
        update(isa, c, grad, [square, buffer, params]);
    }
}

/// Centred RMSprop: the root is that of the variance, `s - mean^2` with `mean <- decay mean + (1 - decay) g`; where
/// rounding makes that negative, of 0 (PyTorch's is NaN there). `buffer` may be empty as in [`rmsprop`].
///
/// **Source**: Graves 2013, eq. 38 to 45, in PyTorch's form.
pub fn rmsprop_centered<T: Vectorized>(
    isa: Isa,
    c: RmspropStep<T>,
    grad: &[T],
    square: &mut [T],
    mean: &mut [T],
    buffer: &mut [T],
    params: &mut [T],
) {
    if keeps_no_buffer(c, buffer) {
        update(isa, Alone(c), grad, [square, mean, params]);
    } else {
        update(isa, c, grad, [square, mean, buffer, params]);
    }
}

/// Whether the last step need not be remembered, for none of it is taken again.
fn keeps_no_buffer<T: Vectorized>(c: RmspropStep<T>, buffer: &[T]) -> bool {
    c.momentum == T::ZERO && buffer.is_empty()
}

/// Adagrad: `s <- s + g^2`, `params <- params - rate g / (sqrt(s) + epsilon)`; PyTorch's rate is 1e-2, its epsilon 1e-10.
///
/// **Source**: Duchi, Hazan and Singer 2011, fig. 1 (diagonal). PyTorch's decay of the rate is the caller's.
pub fn adagrad<T: Vectorized>(isa: Isa, rate: T, epsilon: T, grad: &[T], square: &mut [T], params: &mut [T]) {
    update(isa, Adagrad { rate, epsilon }, grad, [square, params]);
}

/// Adadelta: `s <- decay s + (1 - decay) g^2`, `step = g sqrt(u + epsilon) / sqrt(s + epsilon)`,
/// `u <- decay u + (1 - decay) step^2`, `params <- params - rate step`; PyTorch's decay is 0.9, its epsilon 1e-6, its rate 1.
///
/// **Source**: Zeiler 2012, Algorithm 1; the rate is PyTorch's.
pub fn adadelta<T: Vectorized>(
    isa: Isa,
    [rate, decay, epsilon]: [T; 3],
    grad: &[T],
    square: &mut [T],
    steps: &mut [T],
    params: &mut [T],
) {
    update(isa, Adadelta { rate, decay, epsilon }, grad, [square, steps, params]);
}

impl<T: Vectorized> RmspropStep<T> {
    /// The buffer and the parameters after a step along `grad`, scaled by the root of `variance`.
    #[inline(always)]
    fn along<L: Lanes<T>>(
        self,
        lanes: L,
        grad: L::Vector,
        variance: L::Vector,
        [buffer, params]: [L::Vector; 2],
    ) -> [L::Vector; 2] {
        let step = lanes.div(grad, lanes.add(lanes.sqrt(variance), lanes.splat(self.epsilon)));
        let buffer = lanes.mul_add(lanes.splat(self.momentum), buffer, step);
        [buffer, lanes.mul_add(lanes.splat(-self.rate), buffer, params)]
    }
}

impl<T: Vectorized> Step<T, 1, 3> for RmspropStep<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(
        self,
        lanes: L,
        [grad]: [L::Vector; 1],
        [squares, buffer, params]: [L::Vector; 3],
    ) -> [L::Vector; 3] {
        let squares = running_mean(lanes, self.decay, squares, square(lanes, grad));
        let [buffer, params] = self.along(lanes, grad, squares, [buffer, params]);
        [squares, buffer, params]
    }
}

impl<T: Vectorized> Step<T, 1, 4> for RmspropStep<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(
        self,
        lanes: L,
        [grad]: [L::Vector; 1],
        [squares, mean, buffer, params]: [L::Vector; 4],
    ) -> [L::Vector; 4] {
        let squares = running_mean(lanes, self.decay, squares, square(lanes, grad));
        let mean = running_mean(lanes, self.decay, mean, grad);
        let variance = lanes.sub(squares, square(lanes, mean));
        // NaN stands second, where it survives.
        let variance = lanes.max(lanes.splat(T::ZERO), variance);
        let [buffer, params] = self.along(lanes, grad, variance, [buffer, params]);
        [squares, mean, buffer, params]
    }
}

/// RMSprop without a buffer: the one that it would have is 0 before each step.
#[derive(Clone, Copy)]
struct Alone<T>(RmspropStep<T>);

impl<T: Vectorized> Step<T, 1, 2> for Alone<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, grad: [L::Vector; 1], [squares, params]: [L::Vector; 2]) -> [L::Vector; 2] {
        let [squares, _, params] = self.0.step(lanes, grad, [squares, lanes.splat(T::ZERO), params]);
        [squares, params]
    }
}

impl<T: Vectorized> Step<T, 1, 3> for Alone<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(
        self,
        lanes: L,
        grad: [L::Vector; 1],
        [squares, mean, params]: [L::Vector; 3],
    ) -> [L::Vector; 3] {
        let [squares, mean, _, params] = self.0.step(lanes, grad, [squares, mean, lanes.splat(T::ZERO), params]);
        [squares, mean, params]
    }
}

#[derive(Clone, Copy)]
struct Adagrad<T> {
    rate: T,
    epsilon: T,
}

impl<T: Vectorized> Step<T, 1, 2> for Adagrad<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [grad]: [L::Vector; 1], [squares, params]: [L::Vector; 2]) -> [L::Vector; 2] {
        let squares = lanes.add(squares, square(lanes, grad));
        let root = lanes.add(lanes.sqrt(squares), lanes.splat(self.epsilon));
        [squares, lanes.sub(params, lanes.div(lanes.mul(lanes.splat(self.rate), grad), root))]
    }
}

#[derive(Clone, Copy)]
struct Adadelta<T> {
    rate: T,
    decay: T,
    epsilon: T,
}

impl<T: Vectorized> Step<T, 1, 3> for Adadelta<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(
        self,
        lanes: L,
        [grad]: [L::Vector; 1],
        [squares, steps, params]: [L::Vector; 3],
    ) -> [L::Vector; 3] {
        let epsilon = lanes.splat(self.epsilon);
        let squares = running_mean(lanes, self.decay, squares, square(lanes, grad));
        let above = lanes.sqrt(lanes.add(steps, epsilon));
        let below = lanes.sqrt(lanes.add(squares, epsilon));
        let step = lanes.mul(lanes.div(above, below), grad);
        let steps = running_mean(lanes, self.decay, steps, square(lanes, step));
        [squares, steps, lanes.mul_add(lanes.splat(-self.rate), step, params)]
    }
}
