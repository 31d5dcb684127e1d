//! C <- alpha op(A) op(B) + beta C behind one contract. (Interface with the reference body; the backends follow.)
//!
//! Row 2 of the house: imports `engine`, `simd`, `scalar`, `error`.

mod small;

use crate::engine::Engine;
use crate::simd::Vectorized;

/// A borrowed matrix: row-major with a row stride, or its transpose.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> Mat<'a, T> {
    /// The matrix of `rows` x `cols` that lies row after row in `data`.
    ///
    /// **Panics** if `data` does not hold exactly `rows * cols` elements.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert_eq!(Some(data.len()), rows.checked_mul(cols), "a {rows} x {cols} matrix in a slice of {}", data.len());
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transpose: nothing moves.
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }
}

/// A borrowed row-major matrix that can be written.
#[derive(Debug)]
pub struct MatMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

impl<'a, T> MatMut<'a, T> {
    /// The matrix of `rows` x `cols` that lies row after row in `data`.
    ///
    /// **Panics** if `data` does not hold exactly `rows * cols` elements.
    pub fn new(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        assert_eq!(Some(data.len()), rows.checked_mul(cols), "a {rows} x {cols} matrix in a slice of {}", data.len());
        Self { data, rows, cols, row_stride: cols }
    }
}

/// The scalars that have a GEMM.
pub trait Gemm: Vectorized {}
impl Gemm for f32 {}
impl Gemm for f64 {}

/// `C <- alpha A B + beta C`; with `beta` zero, C is not read and may hold NaN. Transposes are [`Mat::t`].
///
/// **Panics** if the shapes do not fit: A is m x k, B is k x n, C is m x n.
pub fn gemm<T: Gemm>(_engine: Engine, alpha: T, a: Mat<'_, T>, b: Mat<'_, T>, beta: T, c: MatMut<'_, T>) {
    assert!(a.cols == b.rows && a.rows == c.rows && b.cols == c.cols);
    for i in 0..c.rows {
        for j in 0..c.cols {
            let mut sum = T::ZERO;
            for p in 0..a.cols {
                sum = a.data[i * a.row_stride + p * a.col_stride]
                    .mul_add(b.data[p * b.row_stride + j * b.col_stride], sum);
            }
            let c = &mut c.data[i * c.row_stride + j];
            *c = if beta == T::ZERO { alpha * sum } else { alpha * sum + beta * *c };
        }
    }
}
