//! What a training says when its numbers leave all bounds: the epoch, the batch, the layer and what was found there.
//!
//! Row 6 of the house: imports everything below.

use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::vector;
use crate::network::Spec;
use crate::network::objective::Value;
use crate::network::workspace::Workspace;
use crate::simd::Isa;

/// The error about `what`, in layer `layer` (from 0), in epoch and batch `at` (from 1).
pub(super) fn diverged(what: &str, value: f64, layer: Option<usize>, at: (usize, usize)) -> Error {
    Error::Diverged { epoch: at.0, batch: at.1, layer: layer.map(|l| l + 1), what: what.into(), value }
}

/// The layer (from 0) with the largest parameter: where to look when a loss ran away and everything is still finite.
pub(super) fn largest_layer<T: Float, A: ActivationFn>(spec: &Spec<A>, params: &[T]) -> usize {
    let largest = (0..params.len()).fold(0, |best, i| if params[i].abs() > params[best].abs() { i } else { best });
    spec.blocks().iter().position(|b| largest < b.shift.end).unwrap_or(0)
}

/// The error about an objective that is not finite, after the pass that found it.
pub(super) fn not_finite<T: Float>(workspace: &Workspace<T>, value: Value, at: (usize, usize)) -> Error {
    diverged("loss", value.objective(), workspace.layer_not_finite(), at)
}

/// Refuses numbers that lie like parameters and are not all finite, naming the first of them and its layer.
pub(super) fn check_finite<T: Float, A: ActivationFn>(
    what: &str,
    isa: Isa,
    spec: &Spec<A>,
    numbers: &[T],
    at: (usize, usize),
) -> Result<()> {
    if vector::all_finite(isa, numbers) {
        return Ok(());
    }
    let index = numbers.iter().position(|n| !n.is_finite());
    let layer = index.and_then(|index| spec.blocks().iter().position(|b| index < b.shift.end));
    Err(diverged(what, index.map_or(f64::NAN, |index| numbers[index].real()), layer, at))
}

/// Refuses running statistics of batch normalisation that are not all finite, naming the first layer that has any: sums so large that
/// their squares overflow are normalised to 0, and the loss stays finite.
pub(super) fn check_statistics<T: Float, A: ActivationFn>(
    isa: Isa,
    spec: &Spec<A>,
    state: &[T],
    at: (usize, usize),
) -> Result<()> {
    let statistics = &state[spec.parameters()..];
    if vector::all_finite(isa, statistics) {
        return Ok(());
    }
    let index = statistics.iter().position(|n| !n.is_finite()).map_or(0, |index| spec.parameters() + index);
    let layer = spec.blocks().iter().position(|block| block.mean.contains(&index) || block.variance.contains(&index));
    Err(diverged("a running statistic", state[index].real(), layer, at))
}
