//! Products of small and of skinny matrices, read where they lie: nothing is packed, nothing is allocated.
//!
//! Imports `simd` and the views of `gemm`. Begin with `tile`.
//!
//! C is cut into tiles of a few rows and a few vectors of columns, whose sums stay in registers while k runs:
//!
//! ```text
//! for each strip of columns        (up to 8 vectors for a single row, else 2 or 1; the last vector partly filled)
//!     for each tile of its rows    (1 for a single row, else 4, or 8 where the strip is one vector)
//!         for p in 0..k            sums[r][v] += A[r][p] * B[p][v]
//!         C = alpha sums + beta C
//! ```
//!
//! Eight sums side by side hide the latency of an addition. Where C has fewer rows than its last tile, the last row is computed
//! again instead: that costs less than another pass over B.
//!
//! **Determinism**: an element of C is one chain of fused multiply-adds with p ascending, whatever its tile and whatever the
//! level; then `alpha * sum`; with `beta` 1 the fused `alpha * sum + c`, with any other `beta * c + alpha * sum`, each step rounded: as the
//! micro-kernels of the packing backend have it, so that the way a product takes does not show in its bits.

use super::{DEPTH, Mat, MatMut};
use crate::simd::{Isa, Kernel, Lanes, VIRTUAL_LANES, Vectorized};

/// Whether the product of an `m` x `k` with a `k` x `n` matrix is better done here than by a backend that packs.
///
/// That is where B is read once or twice (few rows), where packing it would take as long as the product (k small), and where
/// all is over before packing pays: 32 x 32 x 32 in `f32` reaches 100 GF/s here, of 185 that the processor has.
pub(super) fn suits(m: usize, n: usize, k: usize) -> bool {
    m <= 4 || k <= 8 || m.saturating_mul(n).saturating_mul(k) <= 1 << 15
}

/// `C <- alpha A B + beta C`; with `beta` zero, C is not read.
///
/// The shapes fit: the caller has checked them. Fastest where the rows of B are contiguous; a transposed B is gathered, once
/// for all rows of C where there are many and a strip of B fits [`ROOM`].
pub(super) fn gemm<T: Vectorized>(isa: Isa, alpha: T, a: Mat<'_, T>, b: Mat<'_, T>, beta: T, mut c: MatMut<'_, T>) {
    // By reference: fields just written one by one, and copied as wider vectors, would stall each copy for some five nanoseconds.
    let (a, b, c) = (&a, &b, &mut c);
    debug_assert!(a.cols == b.rows && a.rows == c.rows && b.cols == c.cols);
    if a.cols > DEPTH {
        return deep(isa, alpha, a, b, beta, c);
    }
    // Each way is compiled on its own: where a product takes ten nanoseconds, one function that knew all ways would spend
    // twenty on preparing for those not taken.
    if b.col_stride != 1 && b.cols > 1 {
        T::dispatch(isa, Gathered(Product { alpha, a, b, beta, c }));
    } else if c.rows == 1 {
        T::dispatch(isa, Row(Product { alpha, a, b, beta, c }));
    } else if c.cols <= VIRTUAL_LANES {
        T::dispatch(isa, Narrow(Product { alpha, a, b, beta, c }));
    } else {
        T::dispatch(isa, Wide(Product { alpha, a, b, beta, c }));
    }
}

/// A product with a long sum, in the blocks that the packing backend forms it in: the same bits.
#[cold]
fn deep<T: Vectorized>(isa: Isa, alpha: T, a: &Mat<'_, T>, b: &Mat<'_, T>, beta: T, c: &mut MatMut<'_, T>) {
    for start in (0..a.cols).step_by(DEPTH) {
        let steps = start..a.cols.min(start + DEPTH);
        let beta = if start == 0 { beta } else { T::ONE };
        gemm(isa, alpha, a.t().row_range(steps.clone()).t(), b.row_range(steps), beta, c.reborrow());
    }
}

/// A product to be done.
struct Product<'a, 'c, T> {
    alpha: T,
    a: &'a Mat<'a, T>,
    b: &'a Mat<'a, T>,
    beta: T,
    c: &'a mut MatMut<'c, T>,
}

/// For a single row of C.
struct Row<'a, 'c, T>(Product<'a, 'c, T>);
/// For few columns of C.
struct Narrow<'a, 'c, T>(Product<'a, 'c, T>);
/// For more of them.
struct Wide<'a, 'c, T>(Product<'a, 'c, T>);
/// For a transposed B.
struct Gathered<'a, 'c, T>(Product<'a, 'c, T>);

impl<T: Vectorized> Kernel<T> for Row<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let mut product = self.0;
        let cols = product.c.cols;
        let mut j = 0;
        while j < cols {
            let b = product.b.strip(j);
            match (cols - j).div_ceil(L::WIDTH) {
                1 => product.tile::<L, true, 1, 1>(lanes, b, 0, j),
                2 => product.tile::<L, true, 1, 2>(lanes, b, 0, j),
                3 => product.tile::<L, true, 1, 3>(lanes, b, 0, j),
                4 => product.tile::<L, true, 1, 4>(lanes, b, 0, j),
                5 => product.tile::<L, true, 1, 5>(lanes, b, 0, j),
                6 => product.tile::<L, true, 1, 6>(lanes, b, 0, j),
                7 => product.tile::<L, true, 1, 7>(lanes, b, 0, j),
                _ => product.tile::<L, true, 1, 8>(lanes, b, 0, j),
            }
            j += 8 * L::WIDTH;
        }
    }
}

impl<T: Vectorized> Kernel<T> for Narrow<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let mut product = self.0;
        for j in (0..product.c.cols).step_by(L::WIDTH) {
            product.narrow_strip::<L, true>(lanes, product.b.strip(j), j);
        }
    }
}

impl<T: Vectorized> Kernel<T> for Wide<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let mut product = self.0;
        let (rows, cols) = (product.c.rows, product.c.cols);
        for j in (0..cols).step_by(2 * L::WIDTH) {
            let b = product.b.strip(j);
            if cols - j <= L::WIDTH {
                product.narrow_strip::<L, true>(lanes, b, j);
            } else {
                (0..rows).step_by(4).for_each(|i| product.tile::<L, true, 4, 2>(lanes, b, i, j));
            }
        }
    }
}

/// A strip of a transposed B is copied if it has at most this many elements, and C more than [`MANY`] rows: clearing that much
/// stack takes as long as gathering a few vectors, and two tiles share the copy.
const ROOM: usize = 1024;
const MANY: usize = 8;

impl<T: Vectorized> Kernel<T> for Gathered<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let mut product = self.0;
        let cols = product.c.cols;
        for j in (0..cols).step_by(L::WIDTH) {
            let b = product.b.strip(j);
            let width = L::WIDTH.min(cols - j);
            if product.c.rows > MANY && product.a.cols * width <= ROOM {
                let mut room = [T::ZERO; ROOM];
                for (p, to) in room.chunks_exact_mut(width).take(product.a.cols).enumerate() {
                    lanes.store_partial(lanes.load_strided(&b.data[p * b.row_stride..], b.col_stride, width), to);
                }
                let b = Strip { data: &room, row_stride: width, col_stride: 1 };
                product.narrow_strip::<L, true>(lanes, b, j);
            } else {
                product.narrow_strip::<L, false>(lanes, b, j);
            }
        }
    }
}

/// Some columns of B: element `(p, j)` stands at `p * row_stride + j * col_stride`.
#[derive(Clone, Copy)]
struct Strip<'a, T> {
    data: &'a [T],
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> Mat<'a, T> {
    /// The columns from `j` on.
    #[inline(always)]
    fn strip(&self, j: usize) -> Strip<'a, T> {
        let data = self.data.get(j * self.col_stride..).unwrap_or(&[]);
        Strip { data, row_stride: self.row_stride, col_stride: self.col_stride }
    }
}

impl<T: Vectorized> Product<'_, '_, T> {
    /// The strip of C, one vector wide, from column `j` on.
    #[inline(always)]
    fn narrow_strip<L: Lanes<T>, const LOADED: bool>(&mut self, lanes: L, b: Strip<'_, T>, j: usize) {
        let rows = self.c.rows;
        let mut i = 0;
        while rows - i > 4 {
            self.tile::<L, LOADED, 8, 1>(lanes, b, i, j);
            i += rows.min(i + 8) - i;
        }
        if i < rows {
            self.tile::<L, LOADED, 4, 1>(lanes, b, i, j);
        }
    }

    /// Up to `ROWS` rows from `i` on of the strip from column `j` on, which is `WIDE` vectors wide; the last may reach beyond
    /// C. The rows of B are `LOADED` from contiguous places, or else gathered.
    #[inline(always)]
    fn tile<L: Lanes<T>, const LOADED: bool, const ROWS: usize, const WIDE: usize>(
        &mut self,
        lanes: L,
        b: Strip<'_, T>,
        i: usize,
        j: usize,
    ) {
        let a = *self.a;
        let width = (WIDE * L::WIDTH).min(self.c.cols - j);
        let mut sums = [[lanes.splat(T::ZERO); WIDE]; ROWS];
        let mut a_at: [usize; ROWS] = std::array::from_fn(|r| (i + r).min(a.rows - 1) * a.row_stride);
        let mut b_at = 0;
        for _ in 0..a.cols {
            let from = &b.data[b_at..];
            b_at += b.row_stride;
            let mut row = [lanes.splat(T::ZERO); WIDE];
            if LOADED {
                let (whole, last) = from[..width].split_at((WIDE - 1) * L::WIDTH);
                for (v, to) in row[..WIDE - 1].iter_mut().enumerate() {
                    *to = lanes.load(&whole[v * L::WIDTH..]);
                }
                row[WIDE - 1] = lanes.load_partial(last);
            } else {
                row[0] = lanes.load_strided(from, b.col_stride, width);
            }
            for (at, sums) in a_at.iter_mut().zip(&mut sums) {
                let a_here = lanes.splat(a.data[*at]);
                *at += a.col_stride;
                for (sum, &b) in sums.iter_mut().zip(&row) {
                    *sum = lanes.mul_add(a_here, b, *sum);
                }
            }
        }
        let alpha = lanes.splat(self.alpha);
        let rows = self.c.data[i * self.c.row_stride + j..].chunks_mut(self.c.row_stride);
        if self.beta == T::ZERO {
            for (sums, c) in sums.into_iter().zip(rows) {
                for (v, sum) in sums.into_iter().enumerate() {
                    lanes.store_partial(lanes.mul(alpha, sum), &mut c[..width][v * L::WIDTH..]);
                }
            }
        } else {
            let beta = lanes.splat(self.beta);
            for (sums, c) in sums.into_iter().zip(rows) {
                for (v, sum) in sums.into_iter().enumerate() {
                    let c = &mut c[..width][v * L::WIDTH..];
                    let old = lanes.load_partial(c);
                    let joined = if self.beta == T::ONE {
                        lanes.mul_add(alpha, sum, old)
                    } else {
                        lanes.add(lanes.mul(beta, old), lanes.mul(alpha, sum))
                    };
                    lanes.store_partial(joined, c);
                }
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
        match beta.real() {
            0.0 => alpha * sum,
            1.0 => alpha.mul_add(sum, c),
            _ => beta * c + alpha * sum,
        }
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
            for m in (0..=9).chain([12, 23]) {
                for n in (0..=9).chain([15, 16, 17, 31, 32, 33, 65, 127, 128, 130]) {
                    // The last is too deep for the copy of a transposed strip.
                    for k in [0, 1, 2, 3, 7, 70] {
                        agrees::<f32>(isa, m, n, k);
                        agrees::<f64>(isa, m, n, k);
                    }
                }
            }
        }
    }
}
