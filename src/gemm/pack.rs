//! Copies of parts of a factor in the order in which the strips read them.
//!
//! Row 2 of the house: imports `simd`, `scalar` and its parent. A strip's columns of B (or a tile's rows of A) lie next to each other
//! there, step after step of the sum: reading them costs one cache line after another instead of one page after another, and a
//! transposed factor is turned once instead of at every reading.

use super::Mat;
use super::strip::{Beside, TALL};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, Lanes, Vectorized};
use std::ops::Range;

/// Packs a strip whose neighbours across the sum are neighbours in memory: step after step, `used` elements and zeros.
struct PackAlong<'a, T> {
    strip: &'a mut [T],
    padded: usize,
    source: &'a [T],
    step: usize,
    used: usize,
}

impl<T: Vectorized> Kernel<T> for PackAlong<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Self { strip, padded, source, step, used } = self;
        // The last row may end where it is used.
        for (to, from) in strip.chunks_exact_mut(padded).zip(source.chunks(step)) {
            for (to, from) in to.chunks_mut(L::WIDTH).zip(from[..used].chunks(L::WIDTH)) {
                lanes.store_partial(lanes.load_partial(from), to);
            }
        }
    }
}

/// Packs a strip whose steps of the sum are neighbours in memory and whose neighbours across it are `across` apart.
///
/// Squares of 4 x 4 turn in registers: 2 to 4 times faster than moving single elements.
fn pack_transposed<T: Scalar>(strip: &mut [T], padded: usize, source: &[T], across: usize, used: usize) {
    /// Steps moved together: what they fill, 16 KiB, stays in the first-level cache while all lanes pass.
    const TOGETHER: usize = 64;
    const SIDE: usize = 4;
    for (block, to) in strip.chunks_mut(padded * TOGETHER).enumerate() {
        let steps = to.len() / padded;
        let lane_of = |lane: usize| &source[lane * across + block * TOGETHER..][..steps];
        let in_squares = used / SIDE * SIDE;
        for lane in (0..in_squares).step_by(SIDE) {
            let lanes: [&[T]; SIDE] = std::array::from_fn(|i| lane_of(lane + i));
            let squares = lanes.map(|lane| lane.as_chunks::<SIDE>().0);
            for (i, to) in to.chunks_exact_mut(SIDE * padded).enumerate() {
                let square = squares.map(|squares| squares[i]);
                for (step, to) in to.chunks_exact_mut(padded).enumerate() {
                    to[lane..lane + SIDE].copy_from_slice(&square.map(|lane| lane[step]));
                }
            }
            for step in steps / SIDE * SIDE..steps {
                to[step * padded + lane..][..SIDE].copy_from_slice(&lanes.map(|lane| lane[step]));
            }
        }
        for lane in in_squares..used {
            for (to, &from) in to[lane..].iter_mut().step_by(padded).zip(lane_of(lane)) {
                *to = from;
            }
        }
        for to in to.chunks_exact_mut(padded) {
            to[used..].fill(T::ZERO);
        }
    }
}

/// The columns `cols` of `b`, step after step, `padded` elements each: zeros behind the last column, `padded` being whole vectors.
pub(super) fn pack_columns<'r, T: Vectorized>(
    isa: Isa,
    b: &Mat<'_, T>,
    cols: Range<usize>,
    padded: usize,
    room: &'r mut [T],
) -> &'r [T] {
    let strip = &mut room[..padded * b.rows];
    let source = &b.data[cols.start * b.col_stride..];
    if b.col_stride == 1 {
        T::dispatch(isa, PackAlong { strip, padded, source, step: b.row_stride.max(cols.len()), used: cols.len() });
    } else {
        pack_transposed(strip, padded, source, b.col_stride, cols.len());
    }
    strip
}

/// The rows of `a` in tiles of [`TALL`].
pub(super) fn pack_rows<'r, T: Vectorized>(isa: Isa, a: &Mat<'_, T>, room: &'r mut [T]) -> Beside<'r, T> {
    let room = &mut room[..a.rows * a.cols];
    for (i, tile) in room.chunks_mut(TALL * a.cols).enumerate() {
        let source = &a.data[i * TALL * a.row_stride..];
        let rows = tile.len() / a.cols;
        if a.row_stride == 1 {
            T::dispatch(isa, PackAlong { strip: tile, padded: rows, source, step: a.col_stride.max(rows), used: rows });
        } else {
            pack_transposed(tile, rows, source, a.row_stride, rows);
        }
    }
    Beside { data: room, step: TALL, packed: Some(a.rows) }
}
