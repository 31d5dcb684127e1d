//! Figures that are taken of a network after each epoch, beside its loss.
//!
//! Row 6 of the house: imports `error`.

use crate::error::Result;
use ndarray::ArrayView2;

/// Which rows a figure is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Those trained on.
    Training,
    /// Those held back.
    HeldBack,
}

/// Figures that are taken of a network's outputs after each epoch, such as an accuracy.
pub trait Measure<T> {
    /// What they are called.
    fn names(&self) -> Vec<String>;

    /// The figures of `outputs` for the rows of `part`, one for each name.
    ///
    /// **Shapes**: `outputs` rows x outputs, in the order of the rows given to the training.
    fn figures(&self, part: Part, outputs: ArrayView2<'_, T>) -> Result<Vec<f64>>;

    /// Whether the rows trained on are measured too, at the price of a forward pass over them after each epoch.
    fn measures_training(&self) -> bool {
        true
    }
}
