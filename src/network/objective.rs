//! What training minimises, and the one place where it is weighted and scaled, for value and gradient alike.
//!
//! Row 4 of the house: imports `spec`, `loss`, the engines and the ground.
//!
//! The objective is the weighted mean over rows of the loss, plus two penalties on weights, biases excluded: `l1` times the sum of
//! their absolute values, and `l2 / 2` times the sum of their squares: `E = sum_i w_i loss_i / sum_i w_i + l1 |W|_1 + l2/2 |W|^2`.
//! Its scale does not depend on the batch's size; scikit-learn's `alpha` is `l2` times the number of rows of the batch it averages
//! over.

use super::spec::Spec;
use crate::activation::ActivationFn;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::gemm::Mat;
use crate::kernel::vector;
use crate::loss::{Loss, LossFn};
use crate::simd::Isa;
use ndarray::{ArrayView2, s};
use std::ops::Range;

/// Rows to learn from: inputs, targets, and how much each row counts.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, T> {
    /// rows x inputs, row-major.
    pub x: ArrayView2<'a, T>,
    /// rows x outputs, row-major.
    pub y: ArrayView2<'a, T>,
    /// One non-negative weight a row; without them every row counts alike.
    pub weights: Option<&'a [T]>,
}

impl<T> Batch<'_, T> {
    /// The same rows, borrowed for a shorter time.
    pub fn view(&self) -> Batch<'_, T> {
        Batch { x: self.x.view(), y: self.y.view(), weights: self.weights }
    }

    /// Some of the rows, in place.
    ///
    /// **Panics** if there are not so many.
    pub fn rows(&self, rows: Range<usize>) -> Batch<'_, T> {
        let part = |array| ArrayView2::slice_move(array, s![rows.clone(), ..]);
        Batch { x: part(self.x.view()), y: part(self.y.view()), weights: self.weights.map(|w| &w[rows.clone()]) }
    }
}

/// What training minimises: the weighted mean of a loss, and the penalties on weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Objective<L = Loss> {
    /// The loss of a row.
    pub loss: L,
    /// `l1` times the sum of absolute weights is added, biases excluded. Its slope at a weight of 0 is taken as 0, the middle of what
    /// it is on either side; no step of a solver ends there but by chance, so that weights of no use stay near 0, within about a step.
    pub l1: f64,
    /// `l2 / 2` times the sum of squared weights is added, biases excluded.
    pub l2: f64,
}

/// Where a training step looked at its numbers: the value of the objective, with and without its penalty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// The weighted mean of the rows' losses.
    pub loss: f64,
    /// `l1` times the sum of absolute weights, and `l2 / 2` times that of squared ones.
    pub penalty: f64,
}

impl Value {
    /// What is minimised: loss plus penalty.
    pub fn objective(&self) -> f64 {
        self.loss + self.penalty
    }
}

/// The loss of each row, and its gradient with respect to the outputs scaled by the row's `weight / total`: the place where the
/// gradient's mean is taken (the value's is, by the same shares, where the losses are summed).
#[allow(clippy::too_many_arguments, reason = "rows, their weights, and what becomes of them")]
pub(super) fn loss_rows<T: Float, L: LossFn>(
    isa: Isa,
    loss: &L,
    y: Mat<'_, T>,
    weights: Option<&[T]>,
    total: f64,
    outputs: &[T],
    delta: &mut [T],
    losses: &mut [T],
) {
    loss.rows(isa, outputs, y.elements(), delta, y.cols(), losses);
    match weights {
        None => vector::scale(isa, T::from_f64(1.0 / total), delta),
        Some(weights) => {
            for (delta, weight) in delta.chunks_exact_mut(y.cols()).zip(weights) {
                let share = T::from_f64(weight.real() / total);
                delta.iter_mut().for_each(|d| *d *= share);
            }
        }
    }
}

/// The penalties of `objective`; their gradient is added to `gradient`.
pub(crate) fn penalty<T: Float, A: ActivationFn, L>(
    spec: &Spec<A>,
    params: &[T],
    objective: &Objective<L>,
    engine: Engine,
    gradient: Option<&mut [T]>,
) -> f64 {
    let Objective { l1, l2, .. } = *objective;
    let isa = engine.isa;
    let blocks = || spec.blocks().iter().map(|block| (block.weights.clone(), &params[block.weights.clone()]));
    if let Some(gradient) = gradient {
        for (range, weights) in blocks() {
            if l1 != 0.0 {
                vector::add_signs(isa, T::from_f64(l1), weights, &mut gradient[range.clone()]);
            }
            if l2 != 0.0 {
                vector::axpy(isa, T::from_f64(l2), weights, &mut gradient[range]);
            }
        }
    }
    // Without a factor nothing is summed: an infinite weight is found out elsewhere, and 0 times it would be NaN here.
    let total = |factor: f64, of: fn(Isa, &[T]) -> T| match factor {
        0.0 => 0.0,
        _ => factor * blocks().map(|(_, weights)| of(isa, weights).real()).sum::<f64>(),
    };
    total(l1, vector::sum_abs) + total(l2 / 2.0, vector::squared_norm)
}

/// Whether the loss reads the last layer's weighted sums: the network ends in the loss's own link.
pub(crate) fn is_linked<A: ActivationFn, L: LossFn>(spec: &Spec<A>, loss: &L) -> bool {
    let last = &spec.layers()[spec.layers().len() - 1];
    loss.link().is_some() && loss.link() == last.activation.builtin()
}

/// The sum of the rows' weights.
pub(crate) fn total_weight<T: Float>(weights: Option<&[T]>, count: usize) -> Result<f64> {
    if count == 0 {
        return Err(Error::shape("rows of the batch", "at least 1", 0));
    }
    let Some(weights) = weights else { return Ok(count as f64) };
    if weights.len() != count {
        return Err(Error::shape("weights", format!("{count}, one a row"), weights.len()));
    }
    if let Some(bad) = weights.iter().position(|w| !(w.is_finite() && w.real() >= 0.0)) {
        return Err(Error::setting(
            format!("weight of row {}", bad + 1),
            "a finite number of at least 0",
            weights[bad],
        ));
    }
    match weights.iter().map(|w| w.real()).sum() {
        total if total > 0.0 && f64::is_finite(total) => Ok(total),
        total => Err(Error::setting("weights", "a finite sum above 0", total)),
    }
}
