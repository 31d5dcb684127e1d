//! C <- alpha A B + beta C, with the whole contract of CBLAS.

use crate::abi::{Order, Threads, Transpose};
use crate::border::{Call, In, Out, export, extent};
use crate::network::{Real, usage};
use crate::status::{Failure, Outcome};
use crate::threads::pool;
use deltarule::gemm::{Mat, MatMut, gemm};
use deltarule::prelude::Engine;
use std::ops::Range;

/// Multiply-adds that a thread is woken for, as in a network's pass.
const PIECE_WORK: u128 = 1 << 22;

/// A factor as the caller gives it.
struct Factor<T> {
    name: &'static str,
    from: In<T>,
    stride: usize,
    transposed: bool,
}

impl<T: Real> Factor<T> {
    /// The factor as it is multiplied, rows x cols.
    fn matrix<'c>(&self, call: &'c Call, rows: usize, cols: usize) -> Result<Mat<'c, T>, Failure> {
        let (stored_rows, stored_cols) = if self.transposed { (cols, rows) } else { (rows, cols) };
        let data = call.read(self.name, self.from, extent(self.name, stored_rows, stored_cols, self.stride)?)?;
        let stored = Mat::with_stride(data, stored_rows, stored_cols, self.stride);
        Ok(if self.transposed { stored.t() } else { stored })
    }

    /// That its stride is that of a matrix, even where none of it is read.
    fn check(&self, rows: usize, cols: usize) -> Outcome {
        let (rows, cols) = if self.transposed { (cols, rows) } else { (rows, cols) };
        extent(self.name, rows, cols, self.stride).map(|_| ())
    }
}

fn is_transposed(name: &str, number: i32) -> Result<bool, Failure> {
    match number {
        number if number == Transpose::No as i32 => Ok(false),
        number if number == Transpose::Yes as i32 => Ok(true),
        number => Err(usage(name, "DELTARULE_TRANSPOSE_NO (111) or DELTARULE_TRANSPOSE_YES (112)", number)),
    }
}

/// Rows of C that a thread computes.
struct Piece<'c, T> {
    rows: Range<usize>,
    c: MatMut<'c, T>,
}

/// Cuts C into pieces of a multiple of 8 rows.
fn cut<T>(mut c: MatMut<'_, T>, pieces: usize) -> Vec<Piece<'_, T>> {
    let each = c.rows().div_ceil(pieces).next_multiple_of(8);
    let mut cut = Vec::with_capacity(pieces);
    let mut first = 0;
    while c.rows() > each {
        let (upper, lower) = c.split_at_row(each);
        cut.push(Piece { rows: first..first + each, c: upper });
        (c, first) = (lower, first + each);
    }
    cut.push(Piece { rows: first..first + c.rows(), c });
    cut
}

#[expect(clippy::too_many_arguments, reason = "those of CBLAS")]
fn multiply<T: Real>(
    call: &Call,
    order: i32,
    (m, n, k): (usize, usize, usize),
    alpha: T,
    a: Factor<T>,
    b: Factor<T>,
    beta: T,
    (c, ldc): (Out<T>, usize),
    threads: Threads,
) -> Outcome {
    // Column after column, the transpose of everything lies row after row.
    let (m, n, a, b) = match order {
        order if order == Order::RowMajor as i32 => (m, n, a, b),
        order if order == Order::ColMajor as i32 => (n, m, b, a),
        order => {
            let expected = "DELTARULE_ORDER_ROW_MAJOR (101) or DELTARULE_ORDER_COL_MAJOR (102)";
            return Err(usage("order", expected, order));
        }
    };
    let threads = pool(threads)?;
    a.check(m, k)?;
    b.check(k, n)?;
    let length = extent("c", m, n, ldc)?;
    if length == 0 {
        return Ok(());
    }
    let engine = Engine::default();
    // Without a product A and B are not looked at, and may be null.
    if k == 0 || alpha == T::ZERO {
        let c = MatMut::with_stride(call.write("c", c, length)?, m, n, ldc);
        gemm(engine, T::ZERO, Mat::new(&[], m, 0), Mat::new(&[], 0, n), beta, c);
        return Ok(());
    }
    let (a, b) = (a.matrix(call, m, k)?, b.matrix(call, k, n)?);
    let c = MatMut::with_stride(call.write("c", c, length)?, m, n, ldc);
    let worth = (m as u128 * n as u128).saturating_mul(k as u128) / PIECE_WORK;
    let pieces = threads.count().min(usize::try_from(worth).unwrap_or(usize::MAX));
    if pieces < 2 {
        gemm(engine, alpha, a, b, beta, c);
        return Ok(());
    }
    threads.for_each(&mut cut(c, pieces), |_, piece| {
        gemm(engine, alpha, a.row_range(piece.rows.clone()), b, beta, piece.c.reborrow());
    });
    Ok(())
}

export! {
    /// C <- alpha op(A) op(B) + beta C, as CBLAS has it: op(A) is m x k, op(B) k x n and C m x n; `order` and the transposes are
    /// deltarule_order and deltarule_transpose, with CBLAS's numbers; `lda`, `ldb` and `ldc` are the distances of rows (by columns: of
    /// columns) in elements. With a beta of 0 C is not read and may hold NaN; with an alpha of 0, or a k of 0, A and B are not, and may be
    /// null. C may not overlap A or B.
    ///
    /// `threads` share the rows of C (by columns: its columns); all zero is the calling thread alone. The same bits for any number of
    /// threads and on every instruction set.
    fn deltarule_gemm_f32 | deltarule_gemm_f64 <T>(
        call, order: i32, trans_a: i32, trans_b: i32, m: usize, n: usize, k: usize, alpha: T, a: In<T>, lda: usize, b: In<T>,
        ldb: usize, beta: T, c: Out<T>, ldc: usize, threads: Threads,
    ) {
        let a = Factor { name: "a", from: a, stride: lda, transposed: is_transposed("trans_a", trans_a)? };
        let b = Factor { name: "b", from: b, stride: ldb, transposed: is_transposed("trans_b", trans_b)? };
        multiply(call, order, (m, n, k), alpha, a, b, beta, (c, ldc), threads)
    }
}
