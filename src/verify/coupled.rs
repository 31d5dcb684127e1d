//! Objectives of networks whose rows depend on each other, as batch normalisation makes them: every value is a whole pass, and every exact
//! slope a whole pass in dual or complex numbers, for a moved parameter changes all rows of its unit and all that follows. What
//! `structure.rs` saves by computing a column alone is not to be had here, nor needed to be believed.

use super::structure::Subject;
use crate::activation::ActivationFn;
use crate::gradcheck::{Function, Oracle, Sample, Tensor};
use crate::loss::LossFn;

/// A [`Subject`] whose values and slopes are those of whole passes.
pub(super) struct Coupled<'s, 'a, A, L>(pub &'s mut Subject<'a, A, L>);

impl<A: ActivationFn, L: LossFn> Function for Coupled<'_, '_, A, L> {
    fn sample(&mut self, x: &[f64]) -> Sample {
        self.0.sample(x)
    }

    fn slope(&mut self, oracle: Oracle, at: &[f64], direction: &[f64]) -> Option<f64> {
        self.0.slope(oracle, at, direction)
    }

    fn tensors(&self) -> Vec<Tensor> {
        self.0.tensors()
    }

    fn name(&self, index: usize) -> Option<String> {
        self.0.name(index)
    }

    fn rounding(&self) -> Option<&[f64]> {
        Function::rounding(self.0)
    }
}
