//! What a forward pass keeps of its activations.
//!
//! Row 4 of the house: imports `spec` and the engines.

use super::spec::Layer;
use crate::activation::ActivationFn;
use crate::engine::Engine;
use crate::float::Float;

/// What a forward pass leaves behind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Keep {
    /// The outputs: it predicts.
    Outputs,
    /// The outputs, and every slope: a gradient will be asked for.
    Slopes,
    /// The last layer's weighted sums instead of its outputs: the loss reads those.
    Logits,
    /// The same, and the slopes of all layers below.
    LogitsAndSlopes,
}

impl Keep {
    /// Whether a gradient will be asked for.
    pub fn wants_gradient(self) -> bool {
        matches!(self, Self::Slopes | Self::LogitsAndSlopes)
    }

    /// What it keeps of layers before the last: [`Slopes`](Self::Slopes) or [`Outputs`](Self::Outputs).
    pub fn of_hidden(self) -> Self {
        match self {
            Self::Outputs | Self::Logits => Self::Outputs,
            Self::Slopes | Self::LogitsAndSlopes => Self::Slopes,
        }
    }
}

/// The weighted sums `z` become activations.
pub(super) fn activate<T: Float, A: ActivationFn>(
    layer: &Layer<A>,
    engine: Engine,
    z: &mut [T],
    slope: &mut [T],
    keep: Keep,
) {
    match keep {
        Keep::Logits | Keep::LogitsAndSlopes => {}
        Keep::Outputs => layer.activation.apply(engine.isa, z, layer.outputs),
        Keep::Slopes => layer.activation.apply_with_slope(engine.isa, z, slope, layer.outputs),
    }
}
