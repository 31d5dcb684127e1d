//! The Cholesky factor of a symmetric matrix, in blocks whose work is done by the library's own products.
//!
//! Begin reading at [`Cholesky::factor`]. Only the lower triangle is read. What divides by a diagonal block multiplies by its
//! inverse instead, so that all but an `n`-th of the work is GEMM: fast, shared among threads, and (with the embedded backend) the
//! same bits on every instruction set, which neither nalgebra nor faer promises.
//!
//! Row 5 of the house: imports `gemm`, `kernel`, `engine`, `threads` and `error`.

use crate::engine::Engine;
use crate::error::Result;
use crate::gemm::{Mat, MatMut, gemm};
use crate::kernel::vector;
use crate::memory::zeros;
use crate::threads::Threads;

/// Rows and columns of a block: deep enough for the products, and its own factor is an hundredth of the work from 600 rows on.
const BLOCK: usize = 48;

/// A factor `L` with `L L' = A`, and the memory that finding it takes.
#[derive(Clone, Debug)]
pub(super) struct Cholesky {
    len: usize,
    /// `len` x `len`, row-major: `L` and, above it, what is of no use.
    factor: Vec<f64>,
    /// A block's columns of `L`, below its diagonal block, before and after the division by it.
    panels: [Vec<f64>; 2],
    /// The inverse of each diagonal block, one after the other, each `BLOCK` x `BLOCK`.
    inverses: Vec<f64>,
}

impl Cholesky {
    /// How many bytes a factor of `len` x `len` takes.
    pub fn required_bytes(len: usize) -> u128 {
        let len = len as u128;
        (len * len + (2 * len + len.next_multiple_of(BLOCK as u128)) * BLOCK as u128) * size_of::<f64>() as u128
    }

    /// For matrices of `len` x `len`.
    pub fn new(len: usize) -> Result<Self> {
        let what = "a Cholesky factor";
        let panel = || zeros(len.saturating_mul(BLOCK), what);
        Ok(Self {
            len,
            factor: zeros(len.saturating_mul(len), what)?,
            panels: [panel()?, panel()?],
            inverses: zeros(len.next_multiple_of(BLOCK).saturating_mul(BLOCK), what)?,
        })
    }

    /// The matrix to be factored next, row-major; only its lower triangle is read.
    pub fn matrix_mut(&mut self) -> &mut [f64] {
        &mut self.factor
    }

    /// Factors what [`matrix_mut`](Self::matrix_mut) was filled with; `false` if it is not positive definite, as far as rounding
    /// can tell. Allocates nothing.
    ///
    /// **Determinism**: the same bits for any number of threads.
    pub fn factor(&mut self, engine: Engine, threads: &Threads) -> bool {
        let n = self.len;
        for start in (0..n).step_by(BLOCK) {
            let width = BLOCK.min(n - start);
            let end = start + width;
            if !self.factor_block(engine, start, width) {
                return false;
            }
            let below = n - end;
            if below == 0 {
                break;
            }
            // The rows below, divided by the block: X <- A inv(L)'.
            let [old, new] = &mut self.panels;
            for (row, to) in self.factor[end * n..].chunks_exact(n).zip(old.chunks_exact_mut(width)) {
                to.copy_from_slice(&row[start..end]);
            }
            let (old, new) = (&old[..below * width], &mut new[..below * width]);
            let inverse = Mat::new(&self.inverses[start * BLOCK..start * BLOCK + width * width], width, width);
            gemm(engine, 1.0, Mat::new(old, below, width), inverse.t(), 0.0, MatMut::new(new, below, width));
            for (row, from) in self.factor[end * n..].chunks_exact_mut(n).zip(new.chunks_exact(width)) {
                row[start..end].copy_from_slice(from);
            }
            // What they explain of the rest, in the lower triangle alone.
            let panel = Mat::new(new, below, width);
            let rest = &mut self.factor[end * n..];
            threads.share(below.div_ceil(SHARED_ROWS), below, [rest], |rows, [rest]| {
                let columns = rows.end;
                let rest = MatMut::with_stride(&mut rest[end..], rows.len(), columns, n);
                gemm(engine, -1.0, panel.row_range(rows), panel.row_range(0..columns).t(), 1.0, rest);
            });
        }
        true
    }

    /// The factor of the diagonal block at `start`, and its inverse.
    fn factor_block(&mut self, engine: Engine, start: usize, width: usize) -> bool {
        let n = self.len;
        for i in 0..width {
            let (above, row) = self.factor[start * n..].split_at_mut(i * n);
            let row = &mut row[start..=start + i];
            for j in 0..i {
                let other = &above[j * n + start..=j * n + start + j];
                let sum = vector::dot(engine.isa, &row[..j], &other[..j]);
                row[j] = (row[j] - sum) / other[j];
            }
            let square = row[i] - vector::squared_norm(engine.isa, &row[..i]);
            // Also where it is NaN.
            if !(square > 0.0 && square.is_finite()) {
                return false;
            }
            row[i] = square.sqrt();
        }
        // Row i of the inverse: minus row i of L times the rows above it, over the diagonal.
        let inverse = &mut self.inverses[start * BLOCK..start * BLOCK + width * width];
        inverse.fill(0.0);
        for i in 0..width {
            let row = &self.factor[(start + i) * n + start..=(start + i) * n + start + i];
            let (above, own) = inverse.split_at_mut(i * width);
            for (j, &l) in row[..i].iter().enumerate() {
                vector::axpy(engine.isa, -l, &above[j * width..j * width + i], &mut own[..i]);
            }
            own[i] = 1.0;
            vector::scale(engine.isa, 1.0 / row[i], &mut own[..=i]);
        }
        true
    }

    /// Solves `A x = b` for what was factored. Allocates nothing.
    ///
    /// **Overwrites** `b` with `x`.
    pub fn solve(&self, engine: Engine, b: &mut [f64]) {
        let (n, isa) = (self.len, engine.isa);
        for i in 0..n {
            let row = &self.factor[i * n..=i * n + i];
            b[i] = (b[i] - vector::dot(isa, &row[..i], &b[..i])) / row[i];
        }
        for i in (0..n).rev() {
            let row = &self.factor[i * n..=i * n + i];
            b[i] /= row[i];
            let x = b[i];
            vector::axpy(isa, -x, &row[..i], &mut b[..i]);
        }
    }

    /// The trace of the inverse of what was factored: the sum of squares of the inverse of `L`, which is written to `inverse`,
    /// `len` x `len`. Allocates nothing.
    pub fn trace_of_inverse(&self, engine: Engine, threads: &Threads, inverse: &mut [f64]) -> f64 {
        let n = self.len;
        for start in (0..n).step_by(BLOCK) {
            let width = BLOCK.min(n - start);
            let (above, rows) = inverse.split_at_mut(start * n);
            let rows = &mut rows[..width * n];
            // On the diagonal the block's inverse; left of it, minus the block's rows of L times what is above, times that inverse.
            let left = Mat::with_stride(&self.factor[start * n..], width, start, n);
            let block = Mat::new(&self.inverses[start * BLOCK..start * BLOCK + width * width], width, width);
            rows.fill(0.0);
            for (i, row) in rows.chunks_exact_mut(n).enumerate() {
                row[start..start + width].copy_from_slice(&block.elements()[i * width..(i + 1) * width]);
            }
            if start == 0 {
                continue;
            }
            let mut product = MatMut::with_stride(rows, width, start, n);
            let above = Mat::with_stride(above, start, start, n);
            threads.enter(|| gemm(engine, -1.0, left, above, 0.0, product.reborrow()));
            for column in (0..start).step_by(BLOCK) {
                let columns = column..(column + BLOCK).min(start);
                let mut piece = [0.0; BLOCK * BLOCK];
                let piece = &mut piece[..width * columns.len()];
                for (to, row) in piece.chunks_exact_mut(columns.len()).zip(rows.chunks_exact(n)) {
                    to.copy_from_slice(&row[columns.clone()]);
                }
                let to = MatMut::with_stride(&mut rows[columns.start..], width, columns.len(), n);
                gemm(engine, 1.0, block, Mat::new(piece, width, columns.len()), 0.0, to);
            }
        }
        inverse.chunks_exact(n).enumerate().map(|(i, row)| vector::squared_norm(engine.isa, &row[..=i])).sum()
    }
}

/// Rows of a piece of the rest that a thread takes.
const SHARED_ROWS: usize = 96;
