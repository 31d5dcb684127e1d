//! Arrays whose size a file decides: refused with an error, not an abort, when they do not fit into memory.
//!
//! Imports `memory`, `scalar` and `error`.

use crate::error::{Error, Result};
use crate::memory;
use crate::scalar::Scalar;
use ndarray::Array2;

/// A `rows` x `width` array of zeros in row-major order, if it can be had; `what` names it in the error.
pub(super) fn zeros<T: Scalar>(rows: usize, width: usize, what: &str) -> Result<Array2<T>> {
    let size = rows.saturating_mul(width);
    let refuse = |_| Error::Memory { what: what.to_string(), bytes: size.saturating_mul(size_of::<T>()) };
    Array2::from_shape_vec((rows, width), memory::zeros(size, what)?).map_err(refuse)
}

/// The rows of such an array, as slices.
pub(super) fn rows_mut<T: Scalar>(array: &mut Array2<T>) -> impl Iterator<Item = &mut [T]> {
    array.rows_mut().into_iter().map(|row| row.into_slice().expect("row-major"))
}
