//! A factor packed once, for products with many others: the weights of a network that predicts.
//!
//! Row 2 of the house: imports `simd` and its parents. What a product with a plain factor copies each time lies here as the strips
//! read it; the sums, and so the bits, are the same.

use super::embedded::{Embedded, blocks, packs_a};
use super::pack::{pack_columns, pack_rows};
use super::strip::{Along, Next, Rows, Start, Strip, WIDE, WIDE_ROW};
use super::{DEPTH, LINE_BYTES, Mat, MatMut, check_bias, check_shapes};
use crate::error::Result;
use crate::memory;
use crate::simd::{Isa, Vectorized};
use std::ops::Range;

/// The right factor of a product, packed for one instruction set.
#[derive(Clone, Debug)]
pub struct Packed<T> {
    isa: Isa,
    rows: usize,
    cols: usize,
    /// Vectors in a strip.
    wide: usize,
    /// For each block of [`DEPTH`] rows its strips, one behind the other.
    data: Vec<T>,
    /// Where the data begin on a cache line.
    first: usize,
}

impl<T: Vectorized + Embedded> Packed<T> {
    /// `b`, packed for products with matrices of one row, or of more.
    ///
    /// **Errors** if the memory cannot be had.
    pub(crate) fn new(isa: Isa, b: Mat<'_, T>, one_row: bool) -> Result<Self> {
        let (wide, lanes) = (if one_row { WIDE_ROW } else { WIDE }, isa.lanes::<T>());
        let length = b.cols.next_multiple_of(lanes).saturating_mul(b.rows).saturating_add(LINE);
        let data: Vec<T> = memory::zeros(length, &format!("a packed matrix of {} x {}", b.rows, b.cols))?;
        let first = data.as_ptr().align_offset(LINE_BYTES).min(LINE);
        let mut packed = Self { isa, rows: b.rows, cols: b.cols, wide, data, first };
        let mut at = first;
        for steps in blocks(b.rows, DEPTH) {
            for cols in blocks(b.cols, wide * lanes) {
                let width = cols.len().next_multiple_of(lanes);
                let end = at + width * steps.len();
                pack_columns(isa, &b.row_range(steps.clone()), cols, width, &mut packed.data[at..end]);
                at = end;
            }
        }
        Ok(packed)
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.data.len() * size_of::<T>()
    }

    /// `Z <- X W`, plus `bias` in each row unless it is empty, W being this factor.
    ///
    /// **Panics** if the shapes do not fit. **Determinism**: the bits of [`affine`](super::affine) with the plain factor.
    pub(crate) fn affine(&self, x: Mat<'_, T>, bias: &[T], mut z: MatMut<'_, T>) {
        check_shapes("affine", (x.rows, x.cols), (self.rows, self.cols), (z.rows, z.cols));
        check_bias(bias, z.cols);
        let first = if bias.is_empty() { Start::Zero } else { Start::Row(bias) };
        for steps in blocks(self.rows, DEPTH) {
            let start = if steps.start == 0 { first } else { Start::C };
            let x = x.columns(steps.clone());
            if self.wide > WIDE {
                for i in 0..z.rows {
                    let a = Along { data: &x.data[i * x.row_stride..], across: x.row_stride };
                    self.strips(a, steps.clone(), start, &mut z.reborrow().row_range(i..i + 1));
                }
            } else if packs_a(&z, self.isa.lanes::<T>()) {
                T::with_packing_room(|room, _| {
                    for rows in blocks(z.rows, room.len() / DEPTH) {
                        let a = pack_rows(self.isa, &x.row_range(rows.clone()), room);
                        self.strips(a, steps.clone(), start, &mut z.reborrow().row_range(rows));
                    }
                });
            } else {
                self.strips(Along { data: x.data, across: x.row_stride }, steps, start, &mut z);
            }
        }
    }

    /// The strips of one block of the sum.
    fn strips<A: Rows<T>>(&self, a: A, steps: Range<usize>, start: Start<'_, T>, c: &mut MatMut<'_, T>) {
        let lanes = self.isa.lanes::<T>();
        let before = self.first + steps.start * self.cols.next_multiple_of(lanes);
        let mut b = &self.data[before..];
        for cols in blocks(self.cols, self.wide * lanes) {
            let (column, columns, width) = (cols.start, cols.len(), cols.len().next_multiple_of(lanes));
            let start = start.at_column(column);
            let next = Next::NOTHING;
            let mut strip =
                Strip { alpha: T::ONE, a, b, step: width, width, steps: steps.len(), start, c, column, columns, next };
            A::compute(self.isa, width / lanes, &mut strip);
            b = &b[width * steps.len()..];
        }
    }
}

/// As many numbers as fill a line, of the smallest type.
const LINE: usize = LINE_BYTES / size_of::<f32>();
