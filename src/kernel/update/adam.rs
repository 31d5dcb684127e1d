//! Adam and its relatives: steps along the mean gradient, scaled by the root of the mean squared gradient.
//!
//! Here `m` is the first moment and `v` the second. Epsilon stands beside the corrected root, as in the papers and in PyTorch;
//! scikit-learn adds it before the correction. The usual constants everywhere: betas 0.9 and 0.999, epsilon 1e-8, rate 1e-3
//! (PyTorch's NAdam: 2e-3).

use super::{running_mean, square, update};
use crate::kernel::sweep::Step;
use crate::simd::{Isa, Lanes, Vectorized};

/// The constants of one step of [`adam`], [`adamw`] or [`amsgrad`].
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
    update(isa, c, grad, [first, second, params]);
}

/// Adam with decoupled weight decay: the parameters shrink by the factor `keep`, `1 - rate decay` with the rate as it is before
/// any correction, then Adam's step. PyTorch's decay is 1e-2.
///
/// **Source**: Loshchilov and Hutter 2019, Algorithm 2, in PyTorch's form, where the learning rate scales the decay.
pub fn adamw<T: Vectorized>(
    isa: Isa,
    c: AdamStep<T>,
    keep: T,
    grad: &[T],
    first: &mut [T],
    second: &mut [T],
    params: &mut [T],
) {
    update(isa, Decoupled { adam: c, keep }, grad, [first, second, params]);
}

/// AMSGrad: Adam with the largest second moment so far, `top <- max(top, v)`, in place of `v`.
///
/// **Source**: Reddi, Kale and Kumar 2018, Algorithm 2, with both corrections as PyTorch has them (the largest is taken before).
pub fn amsgrad<T: Vectorized>(
    isa: Isa,
    c: AdamStep<T>,
    grad: &[T],
    first: &mut [T],
    second: &mut [T],
    top: &mut [T],
    params: &mut [T],
) {
    update(isa, Amsgrad(c), grad, [first, second, top, params]);
}

/// The constants of one step of [`nadam`], where `mu_t = beta1 (1 - 0.96^(0.004 t) / 2)` is the momentum of step `t`.
#[derive(Clone, Copy, Debug)]
pub struct NadamStep<T> {
    /// Decay of the first moment.
    pub beta1: T,
    /// Decay of the second moment.
    pub beta2: T,
    /// The gradient's rate, `rate (1 - mu_t) / (1 - mu_1 ... mu_t)`.
    pub rate: T,
    /// The first moment's rate, `rate mu_(t+1) / (1 - mu_1 ... mu_(t+1))`.
    pub ahead: T,
    /// The inverse of the second moment's bias correction, `1 / (1 - beta2^t)`.
    pub correction: T,
    /// Added to the root of the second moment.
    pub epsilon: T,
}

/// NAdam, Adam with Nesterov's look ahead: `params <- params - (rate g + ahead m) / (sqrt(v correction) + epsilon)` with the
/// moments of [`adam`].
///
/// **Source**: Dozat 2016, Algorithm 2, with PyTorch's schedule of the momentum.
pub fn nadam<T: Vectorized>(
    isa: Isa,
    c: NadamStep<T>,
    grad: &[T],
    first: &mut [T],
    second: &mut [T],
    params: &mut [T],
) {
    update(isa, c, grad, [first, second, params]);
}

/// `along / (sqrt(second correction) + epsilon)`.
#[inline(always)]
fn over_root<T: Vectorized, L: Lanes<T>>(
    lanes: L,
    along: L::Vector,
    second: L::Vector,
    [correction, epsilon]: [T; 2],
) -> L::Vector {
    let root = lanes.sqrt(lanes.mul(second, lanes.splat(correction)));
    lanes.div(along, lanes.add(root, lanes.splat(epsilon)))
}

impl<T: Vectorized> AdamStep<T> {
    /// `rate first / (sqrt(second correction) + epsilon)`.
    #[inline(always)]
    fn along<L: Lanes<T>>(self, lanes: L, first: L::Vector, second: L::Vector) -> L::Vector {
        over_root(lanes, lanes.mul(lanes.splat(self.rate), first), second, [self.correction, self.epsilon])
    }
}

/// Both means of the gradient.
#[inline(always)]
fn moments<T: Vectorized, L: Lanes<T>>(
    lanes: L,
    [beta1, beta2]: [T; 2],
    grad: L::Vector,
    [first, second]: [L::Vector; 2],
) -> [L::Vector; 2] {
    [running_mean(lanes, beta1, first, grad), running_mean(lanes, beta2, second, square(lanes, grad))]
}

impl<T: Vectorized> Step<T, 1, 3> for AdamStep<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(
        self,
        lanes: L,
        [grad]: [L::Vector; 1],
        [first, second, params]: [L::Vector; 3],
    ) -> [L::Vector; 3] {
        let [first, second] = moments(lanes, [self.beta1, self.beta2], grad, [first, second]);
        [first, second, lanes.sub(params, self.along(lanes, first, second))]
    }
}

#[derive(Clone, Copy)]
struct Decoupled<T> {
    adam: AdamStep<T>,
    keep: T,
}

impl<T: Vectorized> Step<T, 1, 3> for Decoupled<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(
        self,
        lanes: L,
        grad: [L::Vector; 1],
        [first, second, params]: [L::Vector; 3],
    ) -> [L::Vector; 3] {
        self.adam.step(lanes, grad, [first, second, lanes.mul(lanes.splat(self.keep), params)])
    }
}

#[derive(Clone, Copy)]
struct Amsgrad<T>(AdamStep<T>);

impl<T: Vectorized> Step<T, 1, 4> for Amsgrad<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(
        self,
        lanes: L,
        [grad]: [L::Vector; 1],
        [first, second, top, params]: [L::Vector; 4],
    ) -> [L::Vector; 4] {
        let [first, second] = moments(lanes, [self.0.beta1, self.0.beta2], grad, [first, second]);
        // NaN of either survives: a new one stands second, and an old one is in the second moment, too.
        let top = lanes.max(top, second);
        [first, second, top, lanes.sub(params, self.0.along(lanes, first, top))]
    }
}

impl<T: Vectorized> Step<T, 1, 3> for NadamStep<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(
        self,
        lanes: L,
        [grad]: [L::Vector; 1],
        [first, second, params]: [L::Vector; 3],
    ) -> [L::Vector; 3] {
        let [first, second] = moments(lanes, [self.beta1, self.beta2], grad, [first, second]);
        let along = lanes.mul_add(lanes.splat(self.ahead), first, lanes.mul(lanes.splat(self.rate), grad));
        let step = over_root(lanes, along, second, [self.correction, self.epsilon]);
        [first, second, lanes.sub(params, step)]
    }
}
