//! `C <- alpha A B + beta C` behind one contract, whoever multiplies.
//!
//! Row 2 of the house: imports `engine`, `simd`, `scalar`, `error`. Begin with [`gemm`]; [`Mat`] and [`MatMut`] are the checked
//! views it takes. `embedded` is the backend that needs nothing installed, [`blas`] a CBLAS, linked or loaded.
//!
//! What holds for every backend is tested for every backend in `tests/gemm.rs`. All `unsafe` stands in the files of `blas` that its
//! head names.

pub mod blas;
mod embedded;
mod pack;
mod packed;
mod strip;
pub(crate) mod tiny;

use crate::engine::Engine;
use crate::simd::Vectorized;
use blas::call::{Product, Stored};
pub use packed::Packed;
use std::ops::Range;
use strip::Start;

/// A borrowed matrix: row-major with a row stride, or the transpose of one.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a, T> {
    /// From the first element to the last, no further: what unsafe code may rely on.
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

    /// The matrix of `rows` x `cols` whose rows begin `row_stride` elements apart in `data`.
    ///
    /// **Panics** if `row_stride` is less than `cols`, or if `data` ends before the last element.
    pub fn with_stride(data: &'a [T], rows: usize, cols: usize, row_stride: usize) -> Self {
        let data = &data[..extent(data.len(), rows, cols, row_stride)];
        Self { data, rows, cols, row_stride, col_stride: 1 }
    }

    /// The transpose: nothing moves.
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// The rows of `range` as a matrix of their own: nothing moves.
    ///
    /// **Panics** if there are not so many rows.
    pub fn row_range(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.rows, "rows {range:?} of {}", self.rows);
        let rows = range.len();
        let data = if rows == 0 || self.cols == 0 {
            &[]
        } else {
            let first = range.start * self.row_stride;
            &self.data[first..=first + (rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride]
        };
        Self { data, rows, ..self }
    }

    /// The columns of `range` as a matrix of their own: nothing moves.
    ///
    /// **Panics** if there are not so many columns.
    pub fn columns(self, range: Range<usize>) -> Self {
        self.t().row_range(range).t()
    }

    /// The elements row after row, of a matrix without gaps that is not transposed.
    ///
    /// **Panics** for any other.
    pub fn elements(&self) -> &'a [T] {
        assert!(
            self.data.len() == self.rows * self.cols && (self.col_stride == 1 || self.cols <= 1),
            "a matrix with gaps"
        );
        self.data
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
    /// From the first element to the last, no further: what unsafe code may rely on.
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

    /// The matrix of `rows` x `cols` whose rows begin `row_stride` elements apart in `data`.
    ///
    /// **Panics** if `row_stride` is less than `cols`, or if `data` ends before the last element.
    pub fn with_stride(data: &'a mut [T], rows: usize, cols: usize, row_stride: usize) -> Self {
        let end = extent(data.len(), rows, cols, row_stride);
        Self { data: &mut data[..end], rows, cols, row_stride }
    }

    /// The same matrix for a shorter time.
    pub fn reborrow(&mut self) -> MatMut<'_, T> {
        MatMut { data: self.data, rows: self.rows, cols: self.cols, row_stride: self.row_stride }
    }

    /// The first `row` rows and the others: nothing moves.
    ///
    /// **Panics** if there are not so many rows.
    pub fn split_at_row(self, row: usize) -> (Self, Self) {
        let Self { data, rows, cols, row_stride } = self;
        assert!(row <= rows, "row {row} of {rows}");
        // With the last row in the upper part, the lower part is empty and may not begin behind the data.
        let (upper, lower) = data.split_at_mut((row * row_stride).min(data.len()));
        let upper = Self::with_stride(upper, row, cols, row_stride);
        (upper, Self::with_stride(lower, rows - row, cols, row_stride))
    }

    /// The rows of `range` as a matrix of their own: nothing moves.
    ///
    /// **Panics** if there are not so many rows.
    pub fn row_range(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.rows, "rows {range:?} of {}", self.rows);
        self.split_at_row(range.end).0.split_at_row(range.start).1
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

/// How many of `available` elements a row-major matrix covers, from its first to its last.
fn extent(available: usize, rows: usize, cols: usize, row_stride: usize) -> usize {
    assert!(row_stride >= cols, "rows of {cols} elements that begin {row_stride} apart overlap");
    let needed = match rows {
        0 => Some(0),
        _ if cols == 0 => Some(0),
        _ => (rows - 1).checked_mul(row_stride).and_then(|before_last| before_last.checked_add(cols)),
    };
    assert!(
        needed.is_some_and(|needed| needed <= available),
        "a {rows} x {cols} matrix with row stride {row_stride} in a slice of {available}"
    );
    needed.unwrap_or(0)
}

/// The scalars that have a GEMM: `f32` and `f64`. Sealed: the backends' hooks are private.
pub trait Gemm: Vectorized + embedded::Embedded + blas::call::Cblas {}
impl Gemm for f32 {}
impl Gemm for f64 {}

/// `C <- alpha A B + beta C`; transposes are [`Mat::t`].
///
/// **Shapes**: A is m x k, B is k x n, C is m x n. If m or n is 0 nothing happens; if k is 0, `C <- beta C`.
///
/// **Overwrites**: C. With `beta` zero, C is not read and may hold NaN; with `alpha` zero, A and B are not. What lies between
/// C's rows stays.
///
/// **Accuracy**: each element of A B within `k u` of the sum of its `|a||b|`, `u` being the unit roundoff. NaN, infinities and subnormal
/// numbers go through as IEEE 754 has it.
///
/// **Determinism**: with the embedded backend an element of C depends on its row of A and its column of B alone, not on m, n,
/// strides, transposes or caches: rows may be computed in any shards. Its sum runs over p upwards, one fused multiply-add each,
/// in blocks of [`DEPTH`] whose sums are added to C in order; so the bits are also the same on every instruction set.
/// BLAS promises nothing of this; the same call gives the same bits.
///
/// **Panics** if the shapes do not fit.
#[inline(always)]
pub fn gemm<T: Gemm>(engine: Engine, alpha: T, a: Mat<'_, T>, b: Mat<'_, T>, beta: T, c: MatMut<'_, T>) {
    check_shapes("gemm", (a.rows, a.cols), (b.rows, b.cols), (c.rows, c.cols));
    if c.rows == 0 || c.cols == 0 {
        return;
    }
    if a.cols == 0 || alpha == T::ZERO {
        return scale(beta, c);
    }
    if let Some(library) = engine.backend.blas() {
        let (m, n, k) = (c.rows, c.cols, a.cols);
        let product = Product { m, n, k, alpha, a: stored(&a), b: stored(&b), beta };
        // What its 32-bit sizes cannot say, the embedded backend multiplies.
        if product.fits(c.row_stride) {
            return library.multiply(product, c.data, c.row_stride);
        }
    }
    embedded::gemm(engine.isa, alpha, &a, &b, Start::scaled(beta), &mut { c });
}

/// A view as CBLAS says it: transposed or not, and the distance of its rows in memory, which must be at least their length
/// even where there is only one.
fn stored<'a, T>(matrix: &Mat<'a, T>) -> Stored<'a, T> {
    let &Mat { data, rows, cols, row_stride, col_stride } = matrix;
    if col_stride == 1 {
        Stored { data, transposed: false, rows_apart: row_stride.max(cols) }
    } else {
        Stored { data, transposed: true, rows_apart: col_stride.max(rows) }
    }
}

/// `Z <- X W`, plus `bias` in each row if there is one: what a layer does.
///
/// **Shapes**: X is rows x inputs, W inputs x outputs, Z rows x outputs; `bias` as long as a row of Z, or empty.
///
/// **Overwrites** Z. **Accuracy**, **determinism** and **panics** as [`gemm`]; with the embedded backend the bias is added to the sum of
/// the first [`DEPTH`] steps.
#[inline(always)]
pub fn affine<T: Gemm>(engine: Engine, x: Mat<'_, T>, w: Mat<'_, T>, bias: &[T], mut z: MatMut<'_, T>) {
    if bias.is_empty() {
        return gemm(engine, T::ONE, x, w, T::ZERO, z);
    }
    check_shapes("affine", (x.rows, x.cols), (w.rows, w.cols), (z.rows, z.cols));
    check_bias(bias, z.cols);
    if engine.backend.blas().is_none() && z.rows > 0 && x.cols > 0 {
        return embedded::gemm(engine.isa, T::ONE, &x, &w, Start::Row(bias), &mut z);
    }
    for row in z.data.chunks_mut(z.row_stride) {
        row[..bias.len()].copy_from_slice(bias);
    }
    gemm(engine, T::ONE, x, w, T::ONE, z);
}

/// Panics unless an `a` by a `b` matrix makes a `c` (rows and columns of each).
#[inline(always)]
fn check_shapes(what: &str, a: (usize, usize), b: (usize, usize), c: (usize, usize)) {
    assert!(
        a.1 == b.0 && a.0 == c.0 && b.1 == c.1,
        "{what}: {} x {} times {} x {} into {} x {}",
        a.0,
        a.1,
        b.0,
        b.1,
        c.0,
        c.1
    );
}

/// Panics unless there is no bias, or one for each of `cols` columns.
#[inline(always)]
fn check_bias(bias: &[impl Sized], cols: usize) {
    assert!(bias.is_empty() || bias.len() == cols, "affine: {} biases for {cols} columns", bias.len());
}

/// The longest sum that the embedded backend forms before it adds to C: part of what decides the bits, hence a constant where
/// others ask the caches. 512 is where a strip of 64 columns still passes through a second-level cache of 256 KiB.
pub const DEPTH: usize = 512;

/// A cache line: what packed blocks are aligned to, for a load of the widest vector must not straddle two.
const LINE_BYTES: usize = 64;

/// `C <- beta C`, and zero without reading C if `beta` is zero.
fn scale<T: Gemm>(beta: T, c: MatMut<'_, T>) {
    for row in c.data.chunks_mut(c.row_stride) {
        let row = &mut row[..c.cols];
        if beta == T::ZERO {
            row.fill(T::ZERO);
        } else if beta != T::ONE {
            row.iter_mut().for_each(|element| *element *= beta);
        }
    }
}
