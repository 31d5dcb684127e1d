//! Products of small and of skinny matrices, read where they lie: nothing is packed, nothing is allocated.
//!
//! Imports `simd` and the views of `gemm`. Begin with `tile`.
//!
//! C is cut into tiles of a few rows and a few vectors of columns, whose sums stay in registers while k runs:
//!
//! ```text
//! for each strip of columns          (as wide as 8, 2 or 1 vectors, the last one partly filled)
//!     for each tile of rows in it    (8, 4 or 1)
//!         for p in 0..k              sums[r][v] += A[r][p] * B[p][v]
//!         C = alpha sums + beta C
//! ```
//!
//! **Determinism**: an element of C is one chain of fused multiply-adds with p ascending, whatever its tile and whatever the
//! level; then `alpha * sum`, and with `beta` not zero the fused `beta * c + alpha * sum`.

use super::{DEPTH, Mat, MatMut};
use crate::simd::{Isa, Kernel, Lanes, Vectorized};

/// Whether the product of an `m` x `k` with a `k` x `n` matrix is better done here than by a backend that packs.
pub(super) fn suits(m: usize, n: usize, k: usize) -> bool {
    m <= 4 || m.saturating_mul(n).saturating_mul(k) <= 1 << 15
}

/// `C <- alpha A B + beta C`; with `beta` zero, C is not read.
///
/// The shapes fit: the caller has checked them. Fastest where the rows of B are contiguous; a transposed B is gathered.
pub(super) fn gemm<T: Vectorized>(isa: Isa, alpha: T, a: Mat<'_, T>, b: Mat<'_, T>, beta: T, c: MatMut<'_, T>) {
    debug_assert!(a.cols == b.rows && a.rows == c.rows && b.cols == c.cols);
    if a.cols > DEPTH {
        return deep(isa, alpha, a, b, beta, c);
    }
    if b.col_stride == 1 || b.cols == 1 {
        T::dispatch(isa, Product::<_, true> { alpha, a, b, beta, c });
    } else {
        T::dispatch(isa, Product::<_, false> { alpha, a, b, beta, c });
    }
}

/// A product with a long sum, in the blocks that the packing backend forms it in: the same bits.
#[cold]
fn deep<T: Vectorized>(isa: Isa, alpha: T, a: Mat<'_, T>, b: Mat<'_, T>, beta: T, mut c: MatMut<'_, T>) {
    for start in (0..a.cols).step_by(DEPTH) {
        let steps = start..a.cols.min(start + DEPTH);
        let beta = if start == 0 { beta } else { T::ONE };
        gemm(isa, alpha, a.t().row_range(steps.clone()).t(), b.row_range(steps), beta, c.reborrow());
    }
}

/// A product to be done; `CONTIGUOUS` says that the rows of B are.
struct Product<'a, T, const CONTIGUOUS: bool> {
    alpha: T,
    a: Mat<'a, T>,
    b: Mat<'a, T>,
    beta: T,
    c: MatMut<'a, T>,
}

impl<T: Vectorized, const CONTIGUOUS: bool> Kernel<T> for Product<'_, T, CONTIGUOUS> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(mut self, lanes: L) {
        let (rows, cols) = (self.c.rows, self.c.cols);
        let mut j = 0;
        while j < cols {
            // Wider strips only where they are full. A single row needs eight sums side by side to hide the latency of an
            // addition; four rows need two.
            let full = (cols - j) / L::WIDTH;
            let mut i = 0;
            if rows == 1 && full >= 8 {
                self.tile::<L, 1, 8>(lanes, 0, j);
                j += 8 * L::WIDTH;
            } else if full >= 2 {
                while rows - i >= 4 {
                    self.tile::<L, 4, 2>(lanes, i, j);
                    i += 4;
                }
                while i < rows {
                    self.tile::<L, 1, 2>(lanes, i, j);
                    i += 1;
                }
                j += 2 * L::WIDTH;
            } else {
                while rows - i >= 8 {
                    self.tile::<L, 8, 1>(lanes, i, j);
                    i += 8;
                }
                if rows - i >= 4 {
                    self.tile::<L, 4, 1>(lanes, i, j);
                    i += 4;
                }
                while i < rows {
                    self.tile::<L, 1, 1>(lanes, i, j);
                    i += 1;
                }
                j += L::WIDTH;
            }
        }
    }
}

impl<T: Vectorized, const CONTIGUOUS: bool> Product<'_, T, CONTIGUOUS> {
    /// Rows `i..i + ROWS` and the `VECTORS` vectors of columns from `j` on; a single vector may reach beyond C.
    #[inline(always)]
    fn tile<L: Lanes<T>, const ROWS: usize, const VECTORS: usize>(&mut self, lanes: L, i: usize, j: usize) {
        let width = (VECTORS * L::WIDTH).min(self.c.cols - j);
        let mut sums = [[lanes.splat(T::ZERO); VECTORS]; ROWS];
        for p in 0..self.a.cols {
            let mut b = [lanes.splat(T::ZERO); VECTORS];
            let from = &self.b.data[p * self.b.row_stride + j * self.b.col_stride..];
            if CONTIGUOUS {
                let from = &from[..width];
                for (v, b) in b.iter_mut().enumerate() {
                    *b = if VECTORS == 1 { lanes.load_partial(from) } else { lanes.load(&from[v * L::WIDTH..]) };
                }
            } else {
                for (v, b) in b.iter_mut().enumerate() {
                    let stride = self.b.col_stride;
                    *b = lanes.load_strided(&from[v * L::WIDTH * stride..], stride, width);
                }
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = lanes.splat(self.a.data[(i + r) * self.a.row_stride + p * self.a.col_stride]);
                for (sum, &b) in sums.iter_mut().zip(&b) {
                    *sum = lanes.mul_add(a, b, *sum);
                }
            }
        }
        let (alpha, beta) = (lanes.splat(self.alpha), lanes.splat(self.beta));
        for (r, sums) in sums.into_iter().enumerate() {
            let c = &mut self.c.data[(i + r) * self.c.row_stride + j..][..width];
            for (v, sum) in sums.into_iter().enumerate() {
                let c = &mut c[v * L::WIDTH..];
                let mut result = lanes.mul(alpha, sum);
                if self.beta != T::ZERO {
                    result = lanes.mul_add(beta, lanes.load_partial(c), result);
                }
                lanes.store_partial(result, c);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without pattern, from a linear congruential sequence.
    fn numbers<T: Vectorized>(count: usize, seed: u64) -> Vec<T> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            T::from_f64((state >> 40) as f64 / (1 << 23) as f64 - 1.0)
        };
        (0..count).map(|_| next()).collect()
    }

    /// One element's chain, as the head of this file defines it.
    fn element<T: Vectorized>(alpha: T, a: Mat<'_, T>, b: Mat<'_, T>, beta: T, c: T, i: usize, j: usize) -> T {
        let sum = (0..a.cols).fold(T::ZERO, |sum, p| {
            a.data[i * a.row_stride + p * a.col_stride].mul_add(b.data[p * b.row_stride + j * b.col_stride], sum)
        });
        if beta == T::ZERO { alpha * sum } else { beta.mul_add(c, alpha * sum) }
    }

    fn agrees<T: Vectorized>(isa: Isa, m: usize, n: usize, k: usize) {
        let (a, at) = (numbers(m * k, 1), numbers(m * k, 2));
        let (b, bt) = (numbers(k * n, 3), numbers(k * n, 4));
        for a in [Mat::new(&a, m, k), Mat::new(&at, k, m).t()] {
            for b in [Mat::new(&b, k, n), Mat::new(&bt, n, k).t()] {
                for (alpha, beta) in [(1.0, 0.0), (-0.3, 0.7)] {
                    let (alpha, beta) = (T::from_f64(alpha), T::from_f64(beta));
                    // With beta zero, what stands in C must not be read.
                    let old = if beta == T::ZERO { vec![T::from_f64(f64::NAN); m * n] } else { numbers(m * n, 5) };
                    let mut c = old.clone();
                    gemm(isa, alpha, a, b, beta, MatMut::new(&mut c, m, n));
                    for (at, &c) in c.iter().enumerate() {
                        let expected = element(alpha, a, b, beta, old[at], at / n, at % n);
                        assert!(c == expected, "{isa}: {m} x {n} x {k}, element {at}: {c:?}, expected {expected:?}");
                    }
                }
            }
        }
    }

    /// Bit for bit, at every level: every small shape, and the neighbours of every tile's and vector's edge.
    #[test]
    fn products_are_the_defined_chains() {
        for isa in Isa::available() {
            for m in (0..=9).chain([12, 13]) {
                for n in (0..=9).chain([15, 16, 17, 31, 32, 33, 65, 127, 128, 130]) {
                    for k in [0, 1, 2, 3, 7] {
                        agrees::<f32>(isa, m, n, k);
                        agrees::<f64>(isa, m, n, k);
                    }
                }
            }
        }
    }
}
