//! Whether matrices and buffers from outside fit a network.
//!
//! Row 4 of the house: imports `spec`, the engines and `error`.

use super::spec::Spec;
use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::gemm::Mat;
use ndarray::{ArrayView2, ArrayViewMut2};

/// Refuses a buffer that is not as long as the parameters.
pub(super) fn check_length<T, A: ActivationFn>(what: &str, spec: &Spec<A>, buffer: &[T]) -> Result<()> {
    match spec.parameters() {
        expected if expected == buffer.len() => Ok(()),
        expected => Err(Error::shape(what, expected, buffer.len())),
    }
}

/// The elements of `array` as a matrix, which must be `rows` x `cols` and row-major.
pub(super) fn rows_of<'a, T>(what: &str, array: &'a ArrayView2<'_, T>, rows: usize, cols: usize) -> Result<Mat<'a, T>> {
    match array.as_slice() {
        Some(data) if array.dim() == (rows, cols) => Ok(Mat::new(data, rows, cols)),
        _ => Err(refuse_shape(what, rows, cols, array.dim())),
    }
}

/// The elements of `array`, which must be `rows` x `cols` and row-major.
pub(super) fn contiguous_mut<'a, T>(
    what: &str,
    array: &'a mut ArrayViewMut2<'_, T>,
    rows: usize,
    cols: usize,
) -> Result<&'a mut [T]> {
    let dim = array.dim();
    array.as_slice_mut().filter(|_| dim == (rows, cols)).ok_or_else(|| refuse_shape(what, rows, cols, dim))
}

fn refuse_shape(what: &str, rows: usize, cols: usize, found: (usize, usize)) -> Error {
    let layout = if found == (rows, cols) { ", not row-major" } else { "" };
    Error::shape(what, format!("{rows} x {cols}, row-major"), format!("{} x {}{layout}", found.0, found.1))
}
