//! The GEMM that needs nothing installed: the micro-kernels of gemm-f32 and gemm-f64 under a blocking of our own.
//!
//! Row 2 of the house: imports `simd`, `scalar` and its parent. Begin with [`gemm`].
//!
//! Why not the whole of that library: its blocking allocates in each call, asks the caches how to cut the sums, and has other
//! routines for few rows, so that bits change with the machine and with the number of rows. Its micro-kernels are what is
//! fast. They compute a tile of a few vectors by a few columns of a column-major C. Ours is row-major, so we hand them
//! C^T = B^T A^T: vectors lie along the columns of C.
//!
//! ```text
//! for 1008 rows of C                                  (a block of A: packed into strips of 4 or 6 rows)
//!   for 512 steps of the sum                          (DEPTH)
//!     for 512 KiB of B                                (a block of B: packed into strips of 1 to 4 vectors; second-level cache)
//!       for each strip of rows                        (first-level cache)
//!         for each strip of columns: one tile of C in registers
//! ```
//!
//! Packing makes a strip contiguous, pads it with zeros to whole vectors, and transposes it if need be. A block that is used
//! too few times to repay that is read where it lies.
//!
//! In these micro-kernels `alpha` multiplies the destination and `beta` the product: the reverse of BLAS.
//!
//! The duty of every `unsafe` here, called *extent*: a tile reads and writes only elements inside the views it was cut from, or
//! inside the packed strips. `Mat` and `MatMut` hold it for their corners; the loops stay between the corners.

use super::{DEPTH, Mat, MatMut};
use crate::scalar::Scalar;
use crate::simd::Isa;
use gemm_common::microkernel::MicroKernelFn;
use std::cell::RefCell;
use std::ops::Range;

/// The micro-kernels of one type on one instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Kernels<T: 'static> {
    /// Elements in a vector.
    lanes: usize,
    /// Columns of C in the widest tile: whole vectors.
    width: usize,
    /// Rows of C in the highest tile.
    height: usize,
    /// The tile of v vectors by h rows stands at `(v - 1) * height + h - 1`.
    tiles: &'static [MicroKernelFn<T>],
}

/// The hook of `f32` and `f64` to this backend.
pub trait Embedded: Scalar {
    /// The micro-kernels for an instruction set; those of [`Isa::Portable`] where this machine lacks it.
    fn kernels(isa: Isa) -> Kernels<Self>;
    /// Calls `work` with this thread's room for packed blocks: [`ROWS`] x [`DEPTH`] and [`BLOCK_BYTES`].
    fn with_packing_room(work: impl FnOnce(&mut [Self], &mut [Self]));
}

/// Rows of A in a block: a multiple of every tile's height (4, 6), high enough that repacking B for the next block costs less
/// than a hundredth of the products it serves.
const ROWS: usize = 1008;
/// Size of a packed block of B: half of a second-level cache of 1 MiB.
const BLOCK_BYTES: usize = 512 << 10;
/// What packed blocks are aligned to: a cache line, which a load of the widest vector must not straddle.
const LINE_BYTES: usize = 64;

/// `C <- alpha A B + beta C` for sizes that are not zero.
pub(super) fn gemm<T: Embedded>(isa: Isa, alpha: T, a: Mat<'_, T>, b: Mat<'_, T>, beta: T, c: MatMut<'_, T>) {
    let kernels = T::kernels(isa);
    let columns = BLOCK_BYTES / (DEPTH * size_of::<T>());
    let (m, n) = (c.rows, c.cols);
    T::with_packing_room(|room_a, room_b| {
        for rows in blocks(m, ROWS) {
            for steps in blocks(a.cols, DEPTH) {
                let beta = if steps.start == 0 { beta } else { T::ONE };
                let a = Strips::of_rows(&kernels, a, rows.clone(), steps.clone(), n, room_a);
                for cols in blocks(n, columns) {
                    let b = Strips::of_columns(&kernels, b, steps.clone(), cols.clone(), rows.len(), room_b);
                    for i in rows.clone().step_by(kernels.height) {
                        let height = kernels.height.min(rows.end - i);
                        let from_a = a.strip(i);
                        for j in cols.clone().step_by(kernels.width) {
                            let width = kernels.width.min(cols.end - j);
                            let from_b = b.strip(j);
                            let tile = kernels.tiles[(width.div_ceil(kernels.lanes) - 1) * kernels.height + height - 1];
                            // 0: C is not read; 1: it is added; 2: it is scaled and added.
                            let destination = if beta == T::ZERO { 0 } else { 2 - u8::from(beta == T::ONE) };
                            let unused = std::ptr::null();
                            // SAFETY: extent; the instruction set was found on this machine when the kernels were chosen;
                            // and `c` is borrowed mutably, so nothing else reads or writes the tile.
                            unsafe {
                                tile(
                                    width,
                                    height,
                                    steps.len(),
                                    c.data.as_mut_ptr().add(i * c.row_stride + j),
                                    from_b.first,
                                    from_a.first,
                                    c.row_stride as isize,
                                    1,
                                    from_b.step as isize,
                                    from_a.step as isize,
                                    from_a.across as isize,
                                    beta,
                                    alpha,
                                    destination,
                                    false,
                                    false,
                                    false,
                                    unused,
                                );
                            }
                        }
                    }
                }
            }
        }
    });
}

/// `0..len` in ranges of `size`, the last one shorter.
fn blocks(len: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(size).map(move |start| start..len.min(start + size))
}

/// Where a tile reads one of its factors.
struct Strip<T> {
    first: *const T,
    /// From one step of the sum to the next.
    step: usize,
    /// From one row or column of C to the next.
    across: usize,
}

/// A block of A or B cut into strips, each read from its place or from a packed copy.
struct Strips<'a, T> {
    /// The block's rows of A or columns of B.
    range: Range<usize>,
    /// The block's steps of the sum.
    steps: Range<usize>,
    /// Rows or columns in a strip.
    size: usize,
    /// The strips are padded with zeros to a multiple of this.
    quantum: usize,
    /// The factor, and the distances in it along the sum and across it.
    data: &'a [T],
    step: usize,
    across: usize,
    /// The packed strips, and the row or column at which they begin; those before it are read from their places.
    packed: &'a [T],
    packed_from: usize,
}

impl<'a, T: Scalar> Strips<'a, T> {
    /// The strips of rows of A.
    ///
    /// The micro-kernels read single elements of it, from anywhere; packing pays when they are far apart and read for many
    /// columns. The limits are those that gemm-common 0.19 ships. Neon's read whole vectors where neighbours touch: packed always.
    fn of_rows(
        kernels: &Kernels<T>,
        a: Mat<'a, T>,
        rows: Range<usize>,
        steps: Range<usize>,
        cols_of_c: usize,
        room: &'a mut [T],
    ) -> Self {
        let enough = if a.col_stride == 1 { 128 } else { 2 } * kernels.width;
        let packed_from = if cfg!(target_arch = "aarch64") || cols_of_c > enough { rows.start } else { rows.end };
        let (size, quantum) = (kernels.height, kernels.height);
        let (step, across) = (a.col_stride, a.row_stride);
        Self { range: rows, steps, size, quantum, data: a.data, step, across, packed: &[], packed_from }.pack(room)
    }

    /// The strips of columns of B.
    ///
    /// The micro-kernels read whole vectors of it. So what does not lie row after row is packed, and so is a last strip that
    /// does not fill its vectors; the rest when more than 8 strips of rows will read it.
    fn of_columns(
        kernels: &Kernels<T>,
        b: Mat<'a, T>,
        steps: Range<usize>,
        cols: Range<usize>,
        rows_of_c: usize,
        room: &'a mut [T],
    ) -> Self {
        let ragged = cols.len() % kernels.width;
        let packed_from = if b.col_stride != 1 || rows_of_c > 8 * kernels.height {
            cols.start
        } else if !ragged.is_multiple_of(kernels.lanes) {
            cols.end - ragged
        } else {
            cols.end
        };
        let (size, quantum) = (kernels.width, kernels.lanes);
        let (step, across) = (b.row_stride, b.col_stride);
        Self { range: cols, steps, size, quantum, data: b.data, step, across, packed: &[], packed_from }.pack(room)
    }

    /// Copies the strips from `packed_from` on into `room`.
    fn pack(mut self, room: &'a mut [T]) -> Self {
        let mut end = 0;
        for start in (self.packed_from..self.range.end).step_by(self.size) {
            let used = self.size.min(self.range.end - start);
            let padded = used.next_multiple_of(self.quantum);
            let strip = &mut room[end..end + padded * self.steps.len()];
            let source = &self.data[start * self.across + self.steps.start * self.step..];
            if self.across == 1 {
                pack_along(strip, padded, source, self.step, used);
            } else {
                pack_transposed(strip, padded, source, self.across, used);
            }
            end += strip.len();
        }
        self.packed = &room[..end];
        self
    }

    /// The strip that begins at row or column `start` of the whole.
    fn strip(&self, start: usize) -> Strip<T> {
        if start < self.packed_from {
            let first = &self.data[start * self.across + self.steps.start * self.step];
            return Strip { first, step: self.step, across: self.across };
        }
        let padded = self.size.min(self.range.end - start).next_multiple_of(self.quantum);
        // Only the last strip is narrower, so those before it have all the same length.
        let first = &self.packed[(start - self.packed_from) * self.steps.len()];
        Strip { first, step: padded, across: 1 }
    }
}

/// Packs a strip whose neighbours across the sum are neighbours in memory: step after step, `used` elements and zeros.
fn pack_along<T: Scalar>(strip: &mut [T], padded: usize, source: &[T], step: usize, used: usize) {
    /// With the width known, a step is a few vector moves instead of a call.
    fn whole<T: Scalar, const WIDTH: usize>(strip: &mut [T], source: &[T], step: usize) {
        for (i, to) in strip.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
            to.copy_from_slice(&source[i * step..][..WIDTH]);
        }
    }
    match used {
        64 if padded == used => whole::<T, 64>(strip, source, step),
        48 if padded == used => whole::<T, 48>(strip, source, step),
        32 if padded == used => whole::<T, 32>(strip, source, step),
        16 if padded == used => whole::<T, 16>(strip, source, step),
        8 if padded == used => whole::<T, 8>(strip, source, step),
        6 if padded == used => whole::<T, 6>(strip, source, step),
        4 if padded == used => whole::<T, 4>(strip, source, step),
        _ => {
            for (i, to) in strip.chunks_exact_mut(padded).enumerate() {
                to[..used].copy_from_slice(&source[i * step..][..used]);
                to[used..].fill(T::ZERO);
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

/// Rows of C in a portable tile.
const PORTABLE_HEIGHT: usize = 4;
/// Columns of C in a portable tile.
const PORTABLE_WIDTH: usize = 4;

/// The micro-kernel without vectors: the same sums, fused step by step like the others', hence the same bits.
///
/// # Safety
/// Extent, as for the micro-kernels of gemm-common, whose signature this is; there, and so here, `alpha` scales the destination.
#[allow(clippy::too_many_arguments, reason = "the signature is gemm-common's")]
unsafe fn portable<T: Scalar>(
    width: usize,
    height: usize,
    steps: usize,
    c: *mut T,
    b: *const T,
    a: *const T,
    c_row: isize,
    c_column: isize,
    b_step: isize,
    a_step: isize,
    a_across: isize,
    alpha: T,
    beta: T,
    destination: u8,
    _: bool,
    _: bool,
    _: bool,
    _: *const T,
) {
    let mut sums = [[T::ZERO; PORTABLE_WIDTH]; PORTABLE_HEIGHT];
    for step in 0..steps as isize {
        for (i, sums) in sums.iter_mut().enumerate().take(height) {
            for (j, sum) in sums.iter_mut().enumerate().take(width) {
                // SAFETY: extent.
                let (b, a) = unsafe {
                    (*b.offset(step * b_step + j as isize), *a.offset(step * a_step + i as isize * a_across))
                };
                *sum = b.mul_add(a, *sum);
            }
        }
    }
    for (i, sums) in sums.iter().enumerate().take(height) {
        for (j, &sum) in sums.iter().enumerate().take(width) {
            // SAFETY: extent; the caller has `c` for itself.
            let c = unsafe { &mut *c.offset(i as isize * c_row + j as isize * c_column) };
            *c = match destination {
                0 => beta * sum,
                1 => beta.mul_add(sum, *c),
                _ => alpha * *c + beta * sum,
            };
        }
    }
}

macro_rules! embedded {
    ($t:ident, $library:ident, $bits:literal) => {
        impl Embedded for $t {
            fn kernels(isa: Isa) -> Kernels<Self> {
                #[allow(unused_macros, reason = "an architecture without kernels of its own")]
                macro_rules! of {
                    ($set:ident, $vector_bits:literal) => {{
                        use $library::microkernel::$set::$t::{MR_DIV_N, NR, UKR};
                        const TILES: &[[MicroKernelFn<$t>; NR]; MR_DIV_N] = &UKR;
                        const LANES: usize = $vector_bits / $bits;
                        Kernels { lanes: LANES, width: MR_DIV_N * LANES, height: NR, tiles: TILES.as_flattened() }
                    }};
                }
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 if is_x86_feature_detected!("avx512f") => of!(avx512f, 512),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") => of!(fma, 256),
                    #[cfg(target_arch = "aarch64")]
                    Isa::Neon => of!(neon, 128),
                    _ => Kernels {
                        lanes: 1,
                        width: PORTABLE_WIDTH,
                        height: PORTABLE_HEIGHT,
                        tiles: &[portable::<$t> as MicroKernelFn<$t>; PORTABLE_WIDTH * PORTABLE_HEIGHT],
                    },
                }
            }

            fn with_packing_room(work: impl FnOnce(&mut [Self], &mut [Self])) {
                thread_local! {
                    static ROOM: RefCell<Vec<$t>> = const { RefCell::new(Vec::new()) };
                }
                ROOM.with_borrow_mut(|room| packing_room(room, work));
            }
        }
    };
}

embedded!(f32, gemm_f32, 32);
embedded!(f64, gemm_f64, 64);

/// Both blocks in one aligned allocation, made at the thread's first product and kept. Pages that no product needs are never touched.
fn packing_room<T: Scalar>(room: &mut Vec<T>, work: impl FnOnce(&mut [T], &mut [T])) {
    let (for_a, for_b) = (ROWS * DEPTH, BLOCK_BYTES / size_of::<T>());
    if room.is_empty() {
        *room = vec![T::ZERO; for_a + for_b + LINE_BYTES / size_of::<T>()];
    }
    let skipped = room.as_ptr().align_offset(LINE_BYTES);
    let (to_a, rest) = room[skipped..].split_at_mut(for_a);
    work(to_a, &mut rest[..for_b]);
}
