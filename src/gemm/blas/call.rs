//! `cblas_sgemm` and `cblas_dgemm`: how they are called, wherever they come from.
//!
//! Row 2 of the house: imports nothing of ours. [`multiply`] is the one place in the library that calls them.

use std::ffi::c_int;

/// CBLAS's words for the order of a matrix and for its transposition.
const ROW_MAJOR: c_int = 101;
const NO_TRANS: c_int = 111;
const TRANS: c_int = 112;

/// `cblas_?gemm` of a library with 32-bit sizes.
pub type Function<T> = unsafe extern "C" fn(
    order: c_int,
    a_transpose: c_int,
    b_transpose: c_int,
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: T,
    a: *const T,
    a_rows_apart: c_int,
    b: *const T,
    b_rows_apart: c_int,
    beta: T,
    c: *mut T,
    c_rows_apart: c_int,
);

/// `cblas_sdot`, declared with 64-bit sizes to find out whether it has them.
pub type Dot = unsafe extern "C" fn(n: i64, x: *const f32, x_step: i64, y: *const f32, y_step: i64) -> f32;

/// What is called of a library.
#[derive(Clone, Copy, Debug)]
pub struct Functions {
    pub sgemm: Function<f32>,
    pub dgemm: Function<f64>,
    /// Every CBLAS that we met has it; it only serves to ask for the size of integers.
    pub sdot: Option<Dot>,
}

impl PartialEq for Functions {
    fn eq(&self, other: &Self) -> bool {
        self.sgemm as usize == other.sgemm as usize && self.dgemm as usize == other.dgemm as usize
    }
}

/// The hook of `f32` and `f64`: public in a private module, which seals it.
pub trait Cblas: Copy {
    /// The type's function.
    fn function(functions: &Functions) -> Function<Self>;
}

impl Cblas for f32 {
    fn function(functions: &Functions) -> Function<Self> {
        functions.sgemm
    }
}

impl Cblas for f64 {
    fn function(functions: &Functions) -> Function<Self> {
        functions.dgemm
    }
}

/// A matrix as CBLAS says it.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a, T> {
    /// From the first element to the last at least.
    pub data: &'a [T],
    /// Whether it is the transpose of what lies in memory row after row.
    pub transposed: bool,
    /// How far apart the rows in memory begin: at least their length, and 1, even where there is only one.
    pub rows_apart: usize,
}

impl<T> Stored<'_, T> {
    /// Refuses what does not hold a matrix of `rows` x `cols`.
    fn check(&self, rows: usize, cols: usize) {
        let (outer, inner) = if self.transposed { (cols, rows) } else { (rows, cols) };
        check_extent(self.data.len(), outer, inner, self.rows_apart);
    }
}

/// What is multiplied: C is `m` x `n`, the sums have `k` terms.
#[derive(Clone, Copy, Debug)]
pub struct Product<'a, T> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub alpha: T,
    pub a: Stored<'a, T>,
    pub b: Stored<'a, T>,
    pub beta: T,
}

impl<T> Product<'_, T> {
    /// Whether CBLAS's 32-bit sizes can say it.
    pub fn fits(&self, c_rows_apart: usize) -> bool {
        let largest = [self.m, self.n, self.k, self.a.rows_apart, self.b.rows_apart, c_rows_apart];
        largest.iter().all(|&size| c_int::try_from(size).is_ok())
    }
}

/// Refuses memory that ends before its last row.
fn check_extent(len: usize, rows: usize, cols: usize, rows_apart: usize) {
    assert!(rows_apart >= cols.max(1), "rows of {cols} elements that begin {rows_apart} apart");
    // Sizes of 32 bits, so that the product fits.
    let needed = if rows == 0 || cols == 0 { 0 } else { (rows as u64 - 1) * rows_apart as u64 + cols as u64 };
    assert!(needed <= len as u64, "{rows} rows of {cols}, {rows_apart} apart, in a slice of {len}");
}

/// `C <- alpha A B + beta C`.
///
/// **Panics** if the product does not [fit](Product::fits), or a slice ends before its matrix.
pub fn multiply<T: Cblas>(functions: &Functions, product: Product<'_, T>, c: &mut [T], c_rows_apart: usize) {
    assert!(product.fits(c_rows_apart), "a size beyond 32 bits");
    let Product { m, n, k, alpha, a, b, beta } = product;
    a.check(m, k);
    b.check(k, n);
    check_extent(c.len(), m, n, c_rows_apart);
    let transpose = |matrix: &Stored<'_, T>| if matrix.transposed { TRANS } else { NO_TRANS };
    // SAFETY: the slices hold every element that these sizes and strides reach, and the sizes fit 32 bits (all checked
    // above); C is borrowed mutably, so nothing else touches it. That the function is a CBLAS with 32-bit sizes is the duty
    // of `linked` and `loaded`, which make `Functions`.
    unsafe {
        T::function(functions)(
            ROW_MAJOR,
            transpose(&a),
            transpose(&b),
            m as c_int,
            n as c_int,
            k as c_int,
            alpha,
            a.data.as_ptr(),
            a.rows_apart as c_int,
            b.data.as_ptr(),
            b.rows_apart as c_int,
            beta,
            c.as_mut_ptr(),
            c_rows_apart as c_int,
        );
    }
}

/// Whether a library's sizes have 64 bits, by its `cblas_sdot`; no where that cannot be asked.
///
/// The length is `1` to who reads 32 bits of it, and negative to who reads 64: a sum of one term, or of none, which is 0
/// without a complaint. (A `gemm` with a negative size is an error, and some libraries end the process at one.)
pub fn has_64_bit_sizes(functions: &Functions) -> bool {
    const LENGTH: i64 = 0xffff_ffff_0000_0001_u64 as i64;
    // Where integers are passed in 64-bit registers of which a callee with 32-bit ones reads the lower half alone; other
    // processors' conventions promise that the upper half repeats the sign.
    if !cfg!(all(target_pointer_width = "64", any(target_arch = "x86_64", target_arch = "aarch64"))) {
        return false;
    }
    let Some(dot) = functions.sdot else { return false };
    // SAFETY: with either size at most one element is read of each vector, and both have one.
    let sum = unsafe { dot(LENGTH, &3.0, 1, &5.0, 1) };
    sum != 15.0
}
