//! Batch normalisation folded into weights and biases, for predictions.
//!
//! Row 4 of the house: imports `spec`, `kernel` and the engines. By running statistics it is a scale and a shift of each unit's sum, which
//! is linear in weights and bias: no row is needed to know what comes of it.
//!
//! ```text
//! g (x w + b - m) / sqrt(v + epsilon) + s  =  x (w k) + ((b - m) k + s),     k = g / sqrt(v + epsilon)
//! ```

use super::spec::{Norm, Spec};
use crate::activation::ActivationFn;
use crate::float::Float;
use crate::kernel::batch_norm::EPSILON;

/// Writes to `folded` the parameters of the network of the shape `to`, [`Spec::folded`], that predicts what the one of `state` does. In
/// `f64`, each rounded once.
///
/// **Panics** if the buffers are not as long as the states of the specs.
pub(crate) fn fold_into<T: Float, A: ActivationFn>(spec: &Spec<A>, state: &[T], to: &Spec<A>, folded: &mut [T]) {
    for ((layer, from), to) in spec.layers().iter().zip(spec.blocks()).zip(to.blocks()) {
        if layer.norm != Norm::Batch {
            folded[to.all()].copy_from_slice(&state[from.all()]);
            continue;
        }
        let at = |range: &std::ops::Range<usize>, unit: usize| state[range.start + unit].real();
        for unit in 0..from.outputs {
            let factor = at(&from.scale, unit) / (at(&from.variance, unit) + EPSILON).sqrt();
            let weights = from.weights.clone().skip(unit).step_by(from.outputs);
            for (from, to) in weights.zip(to.weights.clone().skip(unit).step_by(from.outputs)) {
                folded[to] = T::from_f64(state[from].real() * factor);
            }
            let bias = if layer.bias { at(&from.bias, unit) } else { 0.0 };
            folded[to.bias.start + unit] =
                T::from_f64((bias - at(&from.mean, unit)).mul_add(factor, at(&from.shift, unit)));
        }
    }
}
