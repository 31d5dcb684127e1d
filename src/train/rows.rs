//! The rows of a mini-batch, gathered: from memory, or their inputs read when their turn comes.
//!
//! Row 6 of the house: imports everything below. Begin reading at [`Inputs`].

use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::vector;
use crate::network::objective::Batch;
use crate::simd::Isa;
use ndarray::ArrayView2;
use std::ops::Range;

/// The inputs of training rows that are not in memory: a file's, a database's. Their targets and weights are.
///
/// A training reads each row once an epoch, in the order of that epoch; with the same numbers as from memory it takes the same
/// steps, bit for bit.
pub trait Inputs<T>: Send {
    /// Writes the inputs of the given training rows (numbers from 0, in any order) to `out`.
    ///
    /// **Shapes**: `rows.len()` x inputs, row-major. **Overwrites** `out`. **Errors** end the training.
    fn read(&mut self, rows: &[usize], out: &mut [T]) -> Result<()>;
}

/// How the rows of an epoch are cut into batches: all of one size but the last, which has what is left.
///
/// Where batch normalisation couples the rows of a batch, one row that is left over joins the batch before it: by itself it has no
/// variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    rows: usize,
    size: usize,
    /// How many batches there are.
    pub batches: usize,
    /// The rows of the largest.
    pub largest: usize,
}

impl Cut {
    pub fn new(rows: usize, size: usize, is_coupled: bool) -> Self {
        let size = size.min(rows).max(1);
        let batches = rows.div_ceil(size);
        match is_coupled && batches > 1 && size > 1 && rows % size == 1 {
            true => Self { rows, size, batches: batches - 1, largest: size + 1 },
            false => Self { rows, size, batches, largest: size },
        }
    }

    /// The rows of batch `b`, in the order of the epoch.
    pub fn rows_of(self, b: usize) -> Range<usize> {
        b * self.size..if b + 1 == self.batches { self.rows } else { (b + 1) * self.size }
    }
}

/// The buffers of a mini-batch: inputs, targets, weights.
pub(super) type Buffers<T> = (Vec<T>, Vec<T>, Vec<T>);

/// The rows of `training` that `order` lists, copied into `buffers`; their inputs come from `inputs`, if there are such.
pub(super) fn gather<'b, T: Float>(
    training: &Batch<'_, T>,
    inputs: Option<&mut (dyn Inputs<T> + '_)>,
    isa: Isa,
    order: &[usize],
    buffers: &'b mut Buffers<T>,
) -> Result<Batch<'b, T>> {
    let copy = |from: &ArrayView2<'_, T>, to: &mut [T]| {
        let width = from.ncols();
        let from = from.as_slice().expect("row-major, as fit() has checked");
        for (to, &row) in to.chunks_exact_mut(width).zip(order) {
            to.copy_from_slice(&from[row * width..(row + 1) * width]);
        }
    };
    let (x, y, w) = buffers;
    let inputs_width = match inputs {
        None => {
            copy(&training.x, x);
            training.x.ncols()
        }
        Some(inputs) => {
            // The buffers are for the largest batch.
            let width = x.len() / (y.len() / training.y.ncols());
            let x = &mut x[..order.len() * width];
            inputs.read(order, x)?;
            if !vector::all_finite(isa, x) {
                let bad = x.iter().position(|number| !number.is_finite()).unwrap_or(0);
                let what = format!("x, row {}, column {}", order[bad / width] + 1, bad % width + 1);
                return Err(Error::shape(what, "a finite number", x[bad]));
            }
            width
        }
    };
    copy(&training.y, y);
    if let Some(weights) = training.weights {
        w.iter_mut().zip(order).for_each(|(w, &row)| *w = weights[row]);
    }
    let view = |data: &'b [T], width: usize| {
        ArrayView2::from_shape((order.len(), width), &data[..order.len() * width]).expect("as many as gathered")
    };
    Ok(Batch {
        x: view(x, inputs_width),
        y: view(y, training.y.ncols()),
        weights: training.weights.map(|_| &w[..order.len()]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_a_batch_and_none_is_alone_where_rows_are_coupled() {
        for rows in 1..70 {
            for size in [1, 2, 3, 8, 32, 100] {
                for is_coupled in [false, true] {
                    let cut = Cut::new(rows, size, is_coupled);
                    let batches: Vec<_> = (0..cut.batches).map(|b| cut.rows_of(b)).collect();
                    assert!(batches.iter().cloned().flatten().eq(0..rows), "{cut:?}");
                    assert_eq!(batches.iter().map(Range::len).max(), Some(cut.largest), "{cut:?}");
                    let alone = batches.iter().any(|rows| rows.len() == 1);
                    assert!(!alone || !is_coupled || size == 1 || rows == 1, "{cut:?}");
                    assert!(is_coupled || cut.batches == rows.div_ceil(size.min(rows)), "{cut:?}");
                }
            }
        }
    }
}
