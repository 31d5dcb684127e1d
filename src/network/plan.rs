//! How a batch is cut: what is shared among threads, and what stays in a cache. A function of shapes alone, never of threads, so
//! that the bits of a sum do not depend on them.
//!
//! Row 4 of the house: imports `spec`. Begin with [`Plan::new`].
//!
//! ```text
//! few parameters    a batch is cut into shards of rows, each with a gradient of its own, which are summed in a fixed tree
//! many parameters   one shard: the threads share the rows or columns of each product, which changes no bit of it
//! either            a shard is worked through in blocks of rows, forward and backward, whose numbers stay in a cache
//! batch norm        one shard of one block: what a row becomes depends on all others
//! ```

use super::spec::Spec;
use crate::activation::ActivationFn;

/// From this many parameters on, products are shared: a gradient for each shard would cost more than it gains, in memory and in time.
const SHARED: usize = 1 << 15;
/// A shard holds at least this many rows: below it, products become too thin for their memory traffic.
const SHARD_ROWS: usize = 64;
/// A shard is worth at least this many multiply-adds (about 50 us in f32), more than it takes to wake a thread that has fallen asleep.
const SHARD_WORK: usize = 1 << 22;
/// More shards than this would pay for no machine we know, and each holds a gradient.
pub(super) const SHARDS: usize = 16;
/// The numbers of a block: 128 KiB in `f32`, an eighth to a half of a second-level cache.
const BLOCK_NUMBERS: usize = 1 << 15;
/// Rows of a block: enough that a call costs little beside its work, and that copying the weights of large layers into the order of
/// the products does.
const BLOCK_ROWS: usize = 64;
const BLOCK_ROWS_SHARED: usize = 256;
/// The numbers of such a block, 4 MiB in `f32`, however wide its layers.
const MOST_NUMBERS: usize = 1 << 20;
/// Of large layers: what bounds the memory of large batches.
const MOST_ROWS: usize = 1024;

/// How a batch is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Whether threads share each product, not whole shards.
    pub shared: bool,
    /// Rows of each shard but the last, which takes what is left.
    pub shard_rows: usize,
    /// Rows of each block of a shard but the last.
    pub block_rows: usize,
}

impl Plan {
    /// For batches of up to `rows` rows: for gradients of them, or else for predictions.
    pub fn new<A: ActivationFn>(spec: &Spec<A>, rows: usize, trains: bool) -> Self {
        if spec.couples_rows() {
            // One block, for statistics are those of all rows: threads share products and columns.
            return Self { shared: true, shard_rows: rows.max(1), block_rows: rows.max(1) };
        }
        if trains { Self::training(spec, rows) } else { Self::prediction(spec, rows) }
    }

    /// How many shards a batch of `rows` rows has.
    pub fn shards(&self, rows: usize) -> usize {
        // A division costs a tenth of a tiny network's whole pass.
        if rows <= self.shard_rows { 1 } else { rows.div_ceil(self.shard_rows) }
    }

    fn training<A: ActivationFn>(spec: &Spec<A>, rows: usize) -> Self {
        // Activations, slopes and the way back.
        let numbers = spec.inputs() + 3 * spec.layers().iter().map(|layer| layer.outputs).sum::<usize>();
        if spec.parameters() > SHARED {
            return Self { shared: true, shard_rows: rows.max(1), block_rows: even(rows, MOST_ROWS) };
        }
        // Forward, weight gradient and input gradient each multiply once by every weight.
        Self::of(spec.parameters().saturating_mul(3), numbers, rows, BLOCK_ROWS)
    }

    fn prediction<A: ActivationFn>(spec: &Spec<A>, rows: usize) -> Self {
        let numbers = spec.inputs() + spec.layers().iter().map(|layer| layer.outputs).sum::<usize>();
        let many = BLOCK_ROWS_SHARED.min(MOST_NUMBERS / numbers).max(8);
        let least = if spec.parameters() > SHARED { many } else { BLOCK_ROWS };
        Self::of(spec.parameters(), numbers, rows, least)
    }

    /// With `work` multiply-adds and `numbers` numbers a row.
    fn of(work: usize, numbers: usize, rows: usize, least: usize) -> Self {
        let shards = (rows / SHARD_ROWS).min(work.saturating_mul(rows) / SHARD_WORK).clamp(1, SHARDS);
        // A power of two: threads come in such numbers, and none should wait for the one with an odd shard.
        let shards = 1 << shards.ilog2();
        let shard_rows = rows.div_ceil(shards).max(1);
        Self { shared: false, shard_rows, block_rows: even(shard_rows, (BLOCK_NUMBERS / numbers).max(least)) }
    }
}

/// The size of the fewest parts of `rows` of at most `most`, all but the last of one size: whole tiles of 8 rows.
fn even(rows: usize, most: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most).max(1)).next_multiple_of(8).clamp(1, rows.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;

    fn spec(widths: &[usize]) -> Spec {
        let (inputs, hidden, outputs) = (widths[0], &widths[1..widths.len() - 1], widths[widths.len() - 1]);
        Spec::mlp(inputs, hidden, Activation::Tanh, outputs, Activation::Identity).unwrap()
    }

    #[test]
    fn small_networks_are_cut_into_rows_and_large_ones_are_not() {
        let tall = Plan::training(&spec(&[4, 32, 16, 4]), 10_000);
        assert!(!tall.shared && tall.shard_rows == 2500, "{tall:?}");
        assert!(tall.block_rows < 330 && tall.block_rows.is_multiple_of(8), "{tall:?}");
        let wide = Plan::training(&spec(&[784, 512, 512, 10]), 128);
        assert_eq!(wide, Plan { shared: true, shard_rows: 128, block_rows: 128 });
        assert_eq!(Plan::training(&spec(&[784, 512, 512, 10]), 60_000).block_rows, 1024);
    }

    #[test]
    fn every_row_is_in_a_block() {
        for rows in (0..70).chain([127, 128, 129, 1000, 1023, 1025, 4097]) {
            for widths in [&[1, 1][..], &[3, 4, 1], &[20, 48, 48, 3], &[784, 100, 10], &[2048, 2048]] {
                for plan in [Plan::training(&spec(widths), rows), Plan::prediction(&spec(widths), rows)] {
                    assert!(plan.shard_rows >= 1 && (1..=plan.shard_rows).contains(&plan.block_rows), "{plan:?}");
                    assert!(rows.div_ceil(plan.shard_rows) <= SHARDS, "{plan:?}");
                }
            }
        }
    }
}
