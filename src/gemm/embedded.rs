//! The GEMM that needs nothing installed: how a product is cut into strips, and what of it is packed.
//!
//! Row 2 of the house: imports `simd`, `scalar` and its parent. Begin with [`gemm`]; the loops that compute are in `strip`.
//!
//! ```text
//! for 512 steps of the sum                          (DEPTH)
//!   for 1 MiB of A                                  (a block of rows)
//!     for each strip of columns                     (3 vectors of B)
//!       for each tile of rows: sums in registers
//! ```
//!
//! Packing makes what a strip reads contiguous, and transposes it if need be. What is used too few times to repay that is read where
//! it lies.

use super::pack::{pack_columns, pack_rows};
use super::strip::{Along, Beside, Next, Rows, Start, Strip, Strips, TALL, WIDE, WIDE_ROW};
use super::{DEPTH, LINE_BYTES, Mat, MatMut};
use crate::scalar::Scalar;
use crate::simd::{Isa, Vectorized};
use std::cell::RefCell;
use std::ops::Range;

/// Size of a packed block of A. It passes through the second-level cache once for each strip, at three bytes a cycle: half of what a
/// third-level cache gives. Of 0.5, 1, 2 and 4 MiB none is faster by more than 3 % for every product of 784-512-512-10 and of layers of 2048.
const BLOCK_BYTES: usize = 1 << 20;
/// B is packed where more tiles than this read it: below, reading it from its place costs less than copying it.
const TILES_THAT_PACK_B: usize = 2;
/// A is packed where more strips than this read it.
const STRIPS_THAT_PACK_A: usize = 6;

/// The hook of `f32` and `f64` to this backend: public in a private module, which seals it.
pub trait Embedded: Strips {
    /// Calls `work` with this thread's room for a packed block of A and a packed strip of B.
    fn with_packing_room<R>(work: impl FnOnce(&mut [Self], &mut [Self]) -> R) -> R;
}

/// `C <- alpha A B + start` for sizes that are not zero.
///
/// Inlined, and so are `strips`: of a product of ten nanoseconds each call on the way would cost two.
#[inline(always)]
pub(super) fn gemm<T: Vectorized + Embedded>(
    isa: Isa,
    alpha: T,
    a: &Mat<'_, T>,
    b: &Mat<'_, T>,
    start: Start<'_, T>,
    c: &mut MatMut<'_, T>,
) {
    let lanes = isa.lanes::<T>();
    if a.cols <= DEPTH && !packs_a(c, lanes) && !packs_b(b, c) && !turns(a, b, c, lanes) {
        return strips(isa, lanes, alpha, a, b, start, c, None);
    }
    in_blocks(isa, alpha, a, b, start, c);
}

/// A is packed where many strips read it.
pub(super) fn packs_a<T>(c: &MatMut<'_, T>, lanes: usize) -> bool {
    c.cols > STRIPS_THAT_PACK_A * WIDE * lanes && c.rows >= TALL
}

/// B is packed where its rows do not lie one after the other, and where many tiles read it.
fn packs_b<T>(b: &Mat<'_, T>, c: &MatMut<'_, T>) -> bool {
    b.col_stride != 1 && b.cols > 1 || c.rows > TILES_THAT_PACK_B * TALL
}

/// The rows of C times the steps of the sum from which on it pays to turn C: what that costs beside the product is some 50 ns.
const TURNED: usize = 1024;

/// Whether C is computed transposed: of the gradient of a layer of few outputs a strip would fill few of its lanes, while the
/// layer's inputs, a row after another in the transposed A, fill them.
fn turns<T>(a: &Mat<'_, T>, b: &Mat<'_, T>, c: &MatMut<'_, T>, lanes: usize) -> bool {
    c.cols < lanes
        && c.rows * a.cols >= TURNED
        && a.col_stride != 1
        && b.col_stride == 1
        && 4 * c.cols * c.rows.div_ceil(lanes) < 3 * c.rows
        && c.cols * c.rows <= BLOCK_BYTES / size_of::<T>() / 4
}

/// A product whose sums are long, or whose factors are packed.
#[inline(never)]
fn in_blocks<T: Vectorized + Embedded>(
    isa: Isa,
    alpha: T,
    a: &Mat<'_, T>,
    b: &Mat<'_, T>,
    start: Start<'_, T>,
    c: &mut MatMut<'_, T>,
) {
    let lanes = isa.lanes::<T>();
    for steps in blocks(a.cols, DEPTH) {
        let start = if steps.start == 0 { start } else { Start::C };
        let (a, b) = (a.columns(steps.clone()), b.row_range(steps));
        T::with_packing_room(|room_a, room_b| {
            if turns(&a, &b, c, lanes) {
                return turned(isa, lanes, alpha, &a, &b, start, c, room_a, room_b);
            }
            let (packs_a, packs_b) = (packs_a(c, lanes), packs_b(&b, c));
            let height = if packs_a { BLOCK_BYTES / size_of::<T>() / DEPTH } else { c.rows };
            for rows in blocks(c.rows, height) {
                let a = a.row_range(rows.clone());
                let mut c = c.reborrow().row_range(rows);
                let room = packs_b.then_some(&mut *room_b);
                if packs_a {
                    strips_of(isa, lanes, alpha, pack_rows(isa, &a, room_a), &b, start, &mut c, room);
                } else {
                    strips(isa, lanes, alpha, &a, &b, start, &mut c, room);
                }
            }
        });
    }
}

/// `C^T = B^T A^T` into `room`, and from there into C: each element is the same sum of the same products.
#[allow(clippy::too_many_arguments, reason = "a product has seven parts, and its rooms")]
fn turned<T: Vectorized + Embedded>(
    isa: Isa,
    lanes: usize,
    alpha: T,
    a: &Mat<'_, T>,
    b: &Mat<'_, T>,
    start: Start<'_, T>,
    c: &mut MatMut<'_, T>,
    room: &mut [T],
    room_b: &mut [T],
) {
    let (rows, cols) = (c.rows, c.cols);
    let room = &mut room[..rows * cols];
    let packs = cols > TILES_THAT_PACK_B * TALL;
    let mut sums = MatMut::new(room, cols, rows);
    strips(isa, lanes, T::ONE, &b.t(), &a.t(), Start::Zero, &mut sums, packs.then_some(room_b));
    for (i, to) in c.data.chunks_mut(c.row_stride).enumerate() {
        for (j, to) in to[..cols].iter_mut().enumerate() {
            let sum = room[j * rows + i];
            *to = match start {
                Start::Zero => alpha * sum,
                Start::C => alpha.mul_add(sum, *to),
                Start::Scaled(beta) => beta * *to + alpha * sum,
                Start::Row(row) => alpha.mul_add(sum, row[j]),
            };
        }
    }
}

/// All strips, with A where it lies.
#[allow(clippy::too_many_arguments, reason = "a product has seven parts")]
#[inline(always)]
fn strips<T: Vectorized + Embedded>(
    isa: Isa,
    lanes: usize,
    alpha: T,
    a: &Mat<'_, T>,
    b: &Mat<'_, T>,
    start: Start<'_, T>,
    c: &mut MatMut<'_, T>,
    room: Option<&mut [T]>,
) {
    if a.col_stride == 1 {
        strips_of(isa, lanes, alpha, Along { data: a.data, across: a.row_stride }, b, start, c, room);
    } else {
        strips_of(isa, lanes, alpha, Beside { data: a.data, step: a.col_stride, packed: None }, b, start, c, room);
    }
}

/// All strips, B packed into `room` if there is one.
#[allow(clippy::too_many_arguments, reason = "a product has seven parts")]
#[inline(always)]
fn strips_of<T: Vectorized + Embedded, A: Rows<T>>(
    isa: Isa,
    lanes: usize,
    alpha: T,
    a: A,
    b: &Mat<'_, T>,
    start: Start<'_, T>,
    c: &mut MatMut<'_, T>,
    mut room: Option<&mut [T]>,
) {
    let wide = if c.rows == 1 { WIDE_ROW } else { WIDE };
    let mut column = 0;
    while column < b.cols {
        let columns = (b.cols - column).min(wide * lanes);
        let vectors = columns.div_ceil(lanes);
        let (strip_of_b, step, width, next) = match &mut room {
            // Of a single row the next is nowhere: a transposed column says that it is one element further.
            None => (&b.data[column * b.col_stride..], b.row_stride.max(columns), columns, Next::NOTHING),
            Some(room) => {
                let (end, width) = (column + columns, vectors * lanes);
                let packed = pack_columns(isa, b, column..end, width, room);
                (packed, width, width, next_columns(b, end..b.cols.min(end + columns)))
            }
        };
        let (start, steps) = (start.at_column(column), b.rows);
        let mut strip = Strip { alpha, a, b: strip_of_b, step, width, steps, start, c, column, columns, next };
        A::compute(isa, vectors, &mut strip);
        column += columns;
    }
}

/// From this size on a factor does not stay in a cache between two products: what is packed next is asked for while
/// the strip before it is computed, which makes products of layers of 2048 faster by 7 to 12 %.
const ASKED_FOR_BYTES: usize = 2 << 20;

/// The columns `cols` of `b` as they lie in memory, or nothing where they are near anyway.
fn next_columns<'a, T>(b: &Mat<'a, T>, cols: Range<usize>) -> Next<'a, T> {
    if b.rows * b.cols * size_of::<T>() < ASKED_FOR_BYTES {
        return Next::NOTHING;
    }
    let data = b.data.get(cols.start * b.col_stride..).unwrap_or_default();
    if b.col_stride == 1 {
        Next { data, rows: b.rows, cols: cols.len(), row_stride: b.row_stride }
    } else {
        Next { data, rows: cols.len(), cols: b.rows, row_stride: b.col_stride }
    }
}

/// `0..len` in ranges of `size`, the last one shorter.
pub(super) fn blocks(len: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(size).map(move |start| start..len.min(start + size))
}

macro_rules! embedded {
    ($t:ident) => {
        impl Embedded for $t {
            fn with_packing_room<R>(work: impl FnOnce(&mut [Self], &mut [Self]) -> R) -> R {
                thread_local! {
                    static ROOM: RefCell<Vec<$t>> = const { RefCell::new(Vec::new()) };
                }
                ROOM.with_borrow_mut(|room| packing_room(room, work))
            }
        }
    };
}

embedded!(f32);
embedded!(f64);

/// Both blocks in one aligned allocation, made at the thread's first product and kept. Pages that no product needs are never touched.
fn packing_room<T: Scalar, R>(room: &mut Vec<T>, work: impl FnOnce(&mut [T], &mut [T]) -> R) -> R {
    let line = LINE_BYTES / size_of::<T>();
    let (for_a, for_b) = (BLOCK_BYTES / size_of::<T>(), WIDE_ROW * line * DEPTH);
    if room.is_empty() {
        *room = vec![T::ZERO; for_a + for_b + line];
    }
    let skipped = room.as_ptr().align_offset(LINE_BYTES);
    let (to_a, rest) = room[skipped..].split_at_mut(for_a);
    work(to_a, &mut rest[..for_b])
}
