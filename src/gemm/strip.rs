//! The innermost loops of a product: one strip of C, a few vectors wide, all its rows, one block of the sum.
//!
//! Row 2 of the house: imports `simd` and its parent. Begin with [`Compute`], then `tile`. (The module is private: what is public here is
//! so for the hooks of `f32` and `f64`.)
//!
//! A strip is cut into tiles of 8, 4, 2 or 1 rows, whose sums stay in registers while the sum runs:
//!
//! ```text
//! for each tile of rows
//!     for p in 0..k            sums[r][v] += A[r][p] * B[p][v]
//!     C = alpha sums, + what C starts with
//! ```
//!
//! 8 rows by 3 vectors are 24 chains of additions, twice what hides their latency, and with the 3 vectors of B and one element
//! of A the 28 registers that a compiler still allots without spilling: of 6 x 4, 12 x 2 and 14 x 2 it spills, and they reach
//! 0.8, 0.8 and 0.4 of this speed (Zen 5). Levels of 16 registers take 4 x 3. Nothing here is unsafe, and the speed is that of hand-written
//! kernels: 262 GF/s in `f32` beside 264 of gemm-f32 0.19 on the same data.
//!
//! **Determinism**: an element of C is one chain of fused multiply-adds with p ascending, whatever its tile and the level.

use super::{LINE_BYTES, MatMut};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, Lanes, Vectorized};
use std::borrow::Borrow;

/// The most vectors in a strip.
pub(super) const WIDE: usize = 3;
/// The same where C is a single row: eight sums side by side hide the latency of an addition.
pub(super) const WIDE_ROW: usize = 8;
/// The most rows in a tile.
pub(super) const TALL: usize = 8;

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a, T> {
    /// Nothing: C is not read.
    Zero,
    /// C itself.
    C,
    /// C times a factor.
    Scaled(T),
    /// A row, the same for every row of C, which is not read.
    Row(&'a [T]),
}

impl<T: Vectorized> Start<'_, T> {
    /// `beta C`.
    pub fn scaled(beta: T) -> Self {
        match beta {
            beta if beta == T::ZERO => Self::Zero,
            beta if beta == T::ONE => Self::C,
            beta => Self::Scaled(beta),
        }
    }

    /// The same for the columns from `j` on.
    #[inline(always)]
    pub fn at_column(self, j: usize) -> Self {
        match self {
            Self::Row(row) => Self::Row(&row[j..]),
            other => other,
        }
    }
}

/// The hook of `f32` and `f64` to these loops.
pub trait Strips: Scalar {
    /// Computes a strip of so many vectors. Not generic, so that its loops are compiled once, in this crate.
    fn along(isa: Isa, vectors: usize, strip: &mut Strip<'_, '_, Self, Along<'_, Self>>);
    /// The same for the other kind of rows.
    fn beside(isa: Isa, vectors: usize, strip: &mut Strip<'_, '_, Self, Beside<'_, Self>>);
}

macro_rules! compute {
    ($t:ident, $isa:ident, $vectors:ident, $strip:ident) => {
        match $vectors {
            WIDE if $strip.next.rows > 0 => <$t>::dispatch($isa, Compute::<_, _, WIDE, true>($strip)),
            1 => <$t>::dispatch($isa, Compute::<_, _, 1, false>($strip)),
            2 => <$t>::dispatch($isa, Compute::<_, _, 2, false>($strip)),
            3 => <$t>::dispatch($isa, Compute::<_, _, 3, false>($strip)),
            4 => <$t>::dispatch($isa, Compute::<_, _, 4, false>($strip)),
            5 => <$t>::dispatch($isa, Compute::<_, _, 5, false>($strip)),
            6 => <$t>::dispatch($isa, Compute::<_, _, 6, false>($strip)),
            7 => <$t>::dispatch($isa, Compute::<_, _, 7, false>($strip)),
            _ => <$t>::dispatch($isa, Compute::<_, _, WIDE_ROW, false>($strip)),
        }
    };
}

macro_rules! strips {
    ($t:ident) => {
        impl Strips for $t {
            fn along(isa: Isa, vectors: usize, strip: &mut Strip<'_, '_, $t, Along<'_, $t>>) {
                compute!($t, isa, vectors, strip);
            }
            fn beside(isa: Isa, vectors: usize, strip: &mut Strip<'_, '_, $t, Beside<'_, $t>>) {
                compute!($t, isa, vectors, strip);
            }
        }
    };
}

strips!(f32);
strips!(f64);

/// The rows of A that a strip reads, one element at a time.
pub trait Rows<T>: Copy {
    /// Computes a strip of so many vectors with such rows.
    fn compute(isa: Isa, vectors: usize, strip: &mut Strip<'_, '_, T, Self>);
    /// The elements of `R` rows from row `i` on, step after step of the sum.
    fn tile<const R: usize>(self, i: usize, steps: usize) -> impl Iterator<Item = impl Borrow<[T; R]>>;
}

/// Rows that lie one element after the other.
#[derive(Clone, Copy, Debug)]
pub struct Along<'a, T> {
    pub data: &'a [T],
    /// From one row to the next.
    pub across: usize,
}

impl<T: Vectorized + Strips> Rows<T> for Along<'_, T> {
    #[inline(always)]
    fn compute(isa: Isa, vectors: usize, strip: &mut Strip<'_, '_, T, Self>) {
        T::along(isa, vectors, strip);
    }

    #[inline(always)]
    fn tile<const R: usize>(self, i: usize, steps: usize) -> impl Iterator<Item = impl Borrow<[T; R]>> {
        let mut rows = [&self.data[..0]; R];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = &self.data[(i + r) * self.across..][..steps];
        }
        (0..steps).map(move |p| {
            let mut elements = [T::ZERO; R];
            for r in 0..R {
                elements[r] = rows[r][p];
            }
            elements
        })
    }
}

/// Rows whose elements of one step lie side by side: those of a transposed matrix, or packed, [`TALL`] rows after another.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a, T> {
    pub data: &'a [T],
    /// From one step of the sum to the next; in a packed copy that is [`TALL`], and in its last tile the rows that are left.
    pub step: usize,
    /// Whether it is a packed copy, and of how many rows.
    pub packed: Option<usize>,
}

impl<T: Vectorized + Strips> Rows<T> for Beside<'_, T> {
    #[inline(always)]
    fn compute(isa: Isa, vectors: usize, strip: &mut Strip<'_, '_, T, Self>) {
        T::beside(isa, vectors, strip);
    }

    #[inline(always)]
    fn tile<const R: usize>(self, i: usize, steps: usize) -> impl Iterator<Item = impl Borrow<[T; R]>> {
        let (first, step) = match self.packed {
            None => (i, self.step),
            Some(rows) => {
                let tile = i / TALL * TALL;
                (tile * steps + i - tile, TALL.min(rows - tile))
            }
        };
        // By reference: copied, they would be one vector, and taking its lanes apart costs more than loading each.
        self.data[first..].chunks(step).take(steps).map(|chunk| chunk.first_chunk().expect("a tile's rows are there"))
    }
}

/// What is left of a slice from every `step`-th element on: as `chunks`, which divides to know how many there are; that division
/// takes as long as a small tile. (Where the rows of A lie side by side the compiler makes twice as fast a loop for AVX2 of chunks.)
struct Every<'a, T> {
    rest: &'a [T],
    step: usize,
}

impl<'a, T> Iterator for Every<'a, T> {
    type Item = &'a [T];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a [T]> {
        let here = self.rest;
        self.rest = here.get(self.step..).unwrap_or_default();
        Some(here)
    }
}

/// A strip of C to be computed, and of what.
#[derive(Debug)]
pub struct Strip<'a, 'c, T, A> {
    pub alpha: T,
    pub a: A,
    /// The strip's columns of B, the rows `step` apart; `width` of each are read, those beyond C being zeros.
    pub b: &'a [T],
    pub step: usize,
    pub width: usize,
    pub steps: usize,
    pub start: Start<'a, T>,
    /// C, and the strip's columns of it.
    pub c: &'a mut MatMut<'c, T>,
    pub column: usize,
    pub columns: usize,
    /// What will be packed next, to be brought nearer between the tiles.
    pub next: Next<'a, T>,
}

/// Rows of numbers that lie row after row in memory: nothing, if they are none.
#[derive(Clone, Copy, Debug)]
pub struct Next<'a, T> {
    pub data: &'a [T],
    pub rows: usize,
    pub cols: usize,
    /// From one row to the next.
    pub row_stride: usize,
}

impl<T> Next<'_, T> {
    pub const NOTHING: Self = Self { data: &[], rows: 0, cols: 0, row_stride: 0 };
}

/// Computes a strip of `V` vectors, the last of them perhaps in part, and `ASKS` for what is next (in the same loops, that would cost
/// small products 5 %).
///
/// By reference: fields just written one by one, and copied as wider vectors, would stall each copy for some five nanoseconds.
pub(super) struct Compute<'s, 'a, 'c, T, A, const V: usize, const ASKS: bool>(pub &'s mut Strip<'a, 'c, T, A>);

impl<T: Vectorized, A: Rows<T>, const V: usize, const ASKS: bool> Kernel<T> for Compute<'_, '_, '_, T, A, V, ASKS> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let strip = self.0;
        if V > WIDE {
            debug_assert_eq!(strip.c.rows, 1, "wide strips are for single rows");
            return strip.tile::<L, 1, V>(lanes, 0);
        }
        let mut i = 0;
        if matches!(L::ISA, Isa::Avx512 | Isa::Neon) {
            i = strip.tiles::<L, 8, V, ASKS>(lanes, i);
        }
        i = strip.tiles::<L, 4, V, ASKS>(lanes, i);
        i = strip.tiles::<L, 2, V, ASKS>(lanes, i);
        strip.tiles::<L, 1, V, ASKS>(lanes, i);
    }
}

impl<T: Vectorized, A: Rows<T>> Strip<'_, '_, T, A> {
    /// As many tiles of `R` rows as there are from row `i` on; the row behind them.
    #[inline(always)]
    pub fn tiles<L: Lanes<T>, const R: usize, const V: usize, const ASKS: bool>(
        &mut self,
        lanes: L,
        mut i: usize,
    ) -> usize {
        let rows = self.c.rows;
        while rows - i >= R {
            self.tile::<L, R, V>(lanes, i);
            if ASKS {
                self.ask_for_next(lanes, i, R);
            }
            i += R;
        }
        i
    }

    /// Asks for the part of what is next that falls to the tile of `height` rows from `i` on.
    #[inline(always)]
    fn ask_for_next<L: Lanes<T>>(&self, lanes: L, i: usize, height: usize) {
        let Next { data, rows, cols, row_stride } = self.next;
        let line = LINE_BYTES / size_of::<T>();
        let share = |i: usize| rows * i / self.c.rows;
        for row in share(i)..share(i + height) {
            let row = data.get(row * row_stride..).unwrap_or_default();
            for column in (0..cols + line).step_by(line) {
                lanes.prefetch(row.get(column..).unwrap_or_default());
            }
        }
    }

    /// `R` rows of the strip of `V` vectors, from `i` on.
    #[inline(always)]
    fn tile<L: Lanes<T>, const R: usize, const V: usize>(&mut self, lanes: L, i: usize) {
        let mut sums = [[lanes.splat(T::ZERO); V]; R];
        let steps = Every { rest: self.b, step: self.step };
        // A masked load costs AVX2 half of the speed where it is one of three.
        let whole = self.width == V * L::WIDTH;
        for (a, b) in self.a.tile::<R>(i, self.steps).zip(steps) {
            let a: &[T; R] = a.borrow();
            let b = &b[..self.width];
            let mut row = [lanes.splat(T::ZERO); V];
            for v in 0..V - 1 {
                row[v] = lanes.load(&b[v * L::WIDTH..]);
            }
            let last = &b[(V - 1) * L::WIDTH..];
            row[V - 1] = if whole { lanes.load(last) } else { lanes.load_partial(last) };
            for r in 0..R {
                let a = lanes.splat(a[r]);
                for v in 0..V {
                    sums[r][v] = lanes.mul_add(a, row[v], sums[r][v]);
                }
            }
        }
        let alpha = lanes.splat(self.alpha);
        let stride = self.c.row_stride;
        let rows = self.c.data[i * stride + self.column..].chunks_mut(stride);
        match self.start {
            Start::Zero => each(lanes, sums, rows, self.columns, |sum, _| lanes.mul(alpha, sum)),
            Start::C => {
                each(lanes, sums, rows, self.columns, |sum, c| lanes.mul_add(alpha, sum, lanes.load_partial(c)))
            }
            Start::Scaled(beta) => {
                let beta = lanes.splat(beta);
                each(lanes, sums, rows, self.columns, |sum, c| {
                    lanes.add(lanes.mul(beta, lanes.load_partial(c)), lanes.mul(alpha, sum))
                });
            }
            Start::Row(row) => {
                let mut starts = [lanes.splat(T::ZERO); V];
                for v in 0..V {
                    starts[v] = lanes.load_partial(&row[..self.columns][v * L::WIDTH..]);
                }
                for (sums, c) in sums.into_iter().zip(rows) {
                    for v in 0..V {
                        let c = &mut c[..self.columns][v * L::WIDTH..];
                        lanes.store_partial(lanes.mul_add(alpha, sums[v], starts[v]), c);
                    }
                }
            }
        }
    }
}

/// Writes what becomes of each sum and of the elements of C in its place.
#[inline(always)]
fn each<'c, T: Vectorized, L: Lanes<T>, const R: usize, const V: usize>(
    lanes: L,
    sums: [[L::Vector; V]; R],
    rows: impl Iterator<Item = &'c mut [T]>,
    columns: usize,
    joined: impl Fn(L::Vector, &[T]) -> L::Vector,
) {
    for (sums, c) in sums.into_iter().zip(rows) {
        for v in 0..V {
            let c = &mut c[..columns][v * L::WIDTH..];
            lanes.store_partial(joined(sums[v], c), c);
        }
    }
}
