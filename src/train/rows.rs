//! The rows of a mini-batch, gathered: from memory, or their inputs read when their turn comes.
//!
//! Row 6 of the house: imports everything below. Begin reading at [`Inputs`].

use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::vector;
use crate::network::objective::Batch;
use crate::simd::Isa;
use ndarray::ArrayView2;

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
            // No batch is larger than the first, and a last one may be smaller.
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
