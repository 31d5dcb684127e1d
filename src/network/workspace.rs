//! Every buffer that a pass needs, allocated once: a step of training allocates nothing.
//!
//! A batch is cut into *shards* of rows, each with buffers of its own for one block of its rows, as the [`Plan`] says.
//! Row 4 of the house: imports `plan`, `spec`, the engines and the ground.

use super::plan::Plan;
use super::spec::{Layer, Spec};
use crate::activation::ActivationFn;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::gemm::Packed;
use crate::threads::Threads;

/// The buffers of one shard, for one block of its rows at a time.
#[derive(Clone, Debug)]
pub(super) struct Shard<T> {
    /// For each hidden layer its activations (its weighted sums, until the activation is applied): rows x outputs.
    pub activations: Vec<Vec<T>>,
    /// The last layer's, or what the loss reads instead.
    pub output: Vec<T>,
    /// For each layer its slopes, and after the way back the gradient with respect to its weighted sums: rows x outputs.
    pub slopes: Vec<Vec<T>>,
    /// A gradient with respect to activations, on its way to the one with respect to the weighted sums.
    pub below: Vec<T>,
    /// The shard's part of the parameters' gradient; empty where one shard is all, which writes to the caller's.
    pub gradient: Vec<T>,
    /// The loss of each row.
    pub losses: Vec<T>,
    /// The shard's part of the loss.
    pub value: f64,
    /// The first layer with an activation that is not finite, of a pass whose loss is not.
    pub not_finite: Option<usize>,
}

/// The buffers of a pass over batches of up to a fixed number of rows, the engine that computes it, and its threads.
#[derive(Clone, Debug)]
pub struct Workspace<T> {
    pub(super) engine: Engine,
    pub(super) threads: Threads,
    trains: bool,
    rows: usize,
    pub(super) plan: Plan,
    pub(super) shards: Vec<Shard<T>>,
    /// The weights of the one network it serves, packed where that pays; or nothing, where they may change.
    pub(super) packed: Vec<Option<Packed<T>>>,
    /// The widths it was made for, first the inputs.
    widths: Vec<usize>,
}

impl<T: Float> Workspace<T> {
    /// Buffers for training on batches of up to `rows` rows, whose shards `threads` share.
    ///
    /// **Determinism**: results have the same bits for any number of threads. **Errors** if the memory cannot be had.
    pub fn new<A: ActivationFn>(spec: &Spec<A>, rows: usize, engine: Engine, threads: Threads) -> Result<Self> {
        Self::allocate(spec, rows, engine, threads, true)
    }

    /// Buffers for predictions and values alone, without those for slopes and gradients.
    ///
    /// **Determinism** and **errors** as [`new`](Self::new).
    pub fn for_prediction<A: ActivationFn>(
        spec: &Spec<A>,
        rows: usize,
        engine: Engine,
        threads: Threads,
    ) -> Result<Self> {
        Self::allocate(spec, rows, engine, threads, false)
    }

    fn allocate<A: ActivationFn>(
        spec: &Spec<A>,
        rows: usize,
        engine: Engine,
        threads: Threads,
        trains: bool,
    ) -> Result<Self> {
        let plan = if trains { Plan::training(spec, rows) } else { Plan::prediction(spec, rows) };
        let count = rows.div_ceil(plan.shard_rows).max(1);
        let last = spec.layers().len() - 1;
        let what = format!("a workspace for {rows} rows");
        let matrix = |cols: usize| zeros(plan.block_rows.saturating_mul(cols), &what);
        let layers = |layers: &[Layer<A>]| layers.iter().map(|layer| matrix(layer.outputs)).collect::<Result<Vec<_>>>();
        // The way back passes through the activations of every hidden layer, and the last where the loss is given outputs.
        let widest = spec.layers().iter().map(|layer| layer.outputs).max().unwrap_or(0);
        let shard = || {
            Ok(Shard {
                activations: layers(&spec.layers()[..last])?,
                output: matrix(spec.outputs())?,
                slopes: if trains { layers(spec.layers())? } else { Vec::new() },
                below: matrix(if trains { widest } else { spec.outputs() })?,
                gradient: zeros(if trains && count > 1 { spec.parameters() } else { 0 }, &what)?,
                losses: matrix(1)?,
                value: 0.0,
                not_finite: None,
            })
        };
        let shards = (0..count).map(|_| shard()).collect::<Result<_>>()?;
        let widths = std::iter::once(spec.inputs()).chain(spec.layers().iter().map(|l| l.outputs)).collect();
        Ok(Self { engine, threads, trains, rows, plan, shards, packed: Vec::new(), widths })
    }

    /// The engine.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The threads.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The first layer (from 0) with an activation that was not finite, after a pass whose loss was not.
    pub fn layer_not_finite(&self) -> Option<usize> {
        self.shards.iter().filter_map(|shard| shard.not_finite).min()
    }

    /// How many bytes the buffers take.
    pub fn bytes(&self) -> usize {
        let numbers = |s: &Shard<T>| {
            let layers = s.activations.iter().chain(&s.slopes).map(Vec::len).sum::<usize>();
            layers + s.output.len() + s.below.len() + s.gradient.len() + s.losses.len()
        };
        let packed = self.packed.iter().flatten().map(Packed::bytes).sum::<usize>();
        self.shards.iter().map(numbers).sum::<usize>() * size_of::<T>() + packed
    }

    /// How many shards a batch of `rows` rows has.
    pub(super) fn pieces(&self, rows: usize) -> usize {
        // A division costs a tenth of a tiny network's whole pass.
        if rows <= self.plan.shard_rows { 1 } else { rows.div_ceil(self.plan.shard_rows) }
    }

    /// Refuses to train in a workspace for prediction.
    pub(super) fn check_trains(&self) -> Result<()> {
        match self.trains {
            true => Ok(()),
            false => Err(Error::Unsupported("a gradient was asked for in a workspace made for prediction".into())),
        }
    }

    /// Refuses a batch that this workspace was not made for.
    pub(super) fn check<A: ActivationFn>(&self, spec: &Spec<A>, rows: usize) -> Result<()> {
        let layers = spec.layers().iter().zip(&self.widths[1..]);
        let same =
            spec.layers().len() + 1 == self.widths.len() && layers.fold(true, |same, (l, &w)| same & (l.outputs == w));
        if !same || spec.inputs() != self.widths[0] {
            let found: Vec<_> = std::iter::once(spec.inputs()).chain(spec.layers().iter().map(|l| l.outputs)).collect();
            return Err(Error::shape("workspace", format!("made for layers {:?}", self.widths), format!("{found:?}")));
        }
        if rows > self.rows {
            return Err(Error::shape("rows of the batch", format!("at most {}, the workspace's", self.rows), rows));
        }
        Ok(())
    }
}

/// `length` zeros, or the error that says how many bytes could not be had.
pub(crate) fn zeros<T: Float>(length: usize, what: &str) -> Result<Vec<T>> {
    let refuse = || Error::Memory { what: what.to_string(), bytes: length.saturating_mul(size_of::<T>()) };
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(length).map_err(|_| refuse())?;
    buffer.resize(length, T::ZERO);
    Ok(buffer)
}
