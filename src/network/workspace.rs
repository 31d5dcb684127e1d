//! Every buffer that a pass needs, allocated once: a step of training allocates nothing.
//!
//! A batch is cut into *shards* of rows, each with buffers of its own for one block of its rows, as the [`Plan`] says.
//! Row 4 of the house: imports `noise`, `norms`, `plan`, `tiny`, `spec`, the engines and the ground.

use super::noise::{Draw, Noise};
use super::norms::Statistics;
use super::plan::Plan;
use super::spec::{Layer, Norm, Spec};
use super::tiny::Tiny;
use crate::activation::ActivationFn;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::gemm::Packed;
use crate::kernel::vector;
use crate::memory::{self, zeros};
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
    /// For each layer what its norm made of the sums before they were scaled and shifted, rows x outputs, and of layer normalisation the
    /// inverse deviation of each row; empty for layers without a norm, and where no gradient is asked for.
    pub normalised: Vec<Vec<T>>,
    pub inverse: Vec<Vec<T>>,
    /// For each layer with batch normalisation the statistics of the batch, which every pass needs; empty for others.
    pub statistics: Vec<Statistics<T>>,
    /// The loss of each row.
    pub losses: Vec<T>,
    /// The inputs with their noise; empty where they have none.
    pub noisy: Vec<T>,
    /// For each hidden layer its activations before any are dropped, which a formula of your own may ask for on the way back; empty for
    /// others, and where none are dropped.
    pub undropped: Vec<Vec<T>>,
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
    /// The noise of values and gradients.
    pub(super) draw: Option<Draw>,
    /// The functions of a network that is tiny.
    pub(super) tiny: Option<Tiny>,
    /// The weights of the one network it serves, packed where that pays; or nothing, where they may change.
    pub(super) packed: Vec<Option<Packed<T>>>,
    /// The widths it was made for, first the inputs, and the norms.
    widths: Vec<usize>,
    norms: Vec<Norm>,
}

impl<T: Float> Workspace<T> {
    /// Buffers for training on batches of up to `rows` rows, whose shards `threads` share.
    ///
    /// **Determinism**: results have the same bits for any number of threads. **Errors** if the memory cannot be had, before any
    /// of it is touched.
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
        let plan = Plan::new(spec, rows, trains);
        let tiny = Tiny::of(spec, engine);
        let count = plan.shards(rows);
        let last = spec.layers().len() - 1;
        let what = format!("a workspace for {rows} rows");
        require(&what, Self::required_bytes(spec, rows, trains))?;
        let matrix = |cols: usize| zeros(plan.block_rows.saturating_mul(cols), &what);
        let layers = |layers: &[Layer<A>]| layers.iter().map(|layer| matrix(layer.outputs)).collect::<Result<Vec<_>>>();
        // The way back passes through the activations of every hidden layer, and the last where the loss is given outputs.
        let widest = spec.layers().iter().map(|layer| layer.outputs).max().unwrap_or(0);
        let normalised = |layer: &Layer<A>| if trains && !layer.norm.is_none() { layer.outputs } else { 0 };
        let inverse = |layer: &Layer<A>| usize::from(trains && layer.norm == Norm::Layer);
        let statistics = |layer: &Layer<A>| match layer.norm {
            Norm::Batch => Statistics::new(plan.block_rows, layer.outputs, &what),
            _ => Ok(Statistics::default()),
        };
        let of_norms = |cols: &dyn Fn(&Layer<A>) -> usize| {
            spec.layers().iter().map(|layer| matrix(cols(layer))).collect::<Result<Vec<_>>>()
        };
        let shard = || {
            Ok(Shard {
                normalised: of_norms(&normalised)?,
                inverse: of_norms(&inverse)?,
                statistics: spec.layers().iter().map(statistics).collect::<Result<_>>()?,
                activations: layers(&spec.layers()[..last])?,
                output: matrix(spec.outputs())?,
                slopes: if trains { layers(spec.layers())? } else { Vec::new() },
                below: matrix(if trains { widest } else { spec.outputs() })?,
                gradient: zeros(if trains && count > 1 { spec.parameters() } else { 0 }, &what)?,
                losses: matrix(1)?,
                noisy: Vec::new(),
                undropped: Vec::new(),
                value: 0.0,
                not_finite: None,
            })
        };
        let shards = (0..count).map(|_| shard()).collect::<Result<_>>()?;
        let widths = std::iter::once(spec.inputs()).chain(spec.layers().iter().map(|l| l.outputs)).collect();
        let norms = spec.layers().iter().map(|layer| layer.norm).collect();
        Ok(Self { engine, threads, trains, rows, plan, shards, draw: None, tiny, packed: Vec::new(), widths, norms })
    }

    /// From now on values and gradients are those under the noise of `draw`, and those that follow under that of the step that
    /// [`set_step`](Self::set_step) is told; predictions have none.
    ///
    /// **Errors**: rates out of range, a network that the workspace was not made for, or no memory for the noisy inputs.
    pub fn set_noise<A: ActivationFn>(&mut self, spec: &Spec<A>, draw: Draw) -> Result<()> {
        draw.noise.check(spec)?;
        self.draw = None;
        self.check(spec, 0)?;
        let rows = self.plan.block_rows;
        let buffer = |length: usize| zeros(rows.saturating_mul(length), "the noise of a training");
        for shard in &mut self.shards {
            shard.noisy = buffer(if draw.noise.is_on_inputs() { spec.inputs() } else { 0 })?;
            let widths = undropped(spec, &draw.noise, self.trains);
            shard.undropped = widths.map(buffer).collect::<Result<_>>()?;
        }
        self.draw = (!draw.noise.is_none()).then_some(draw);
        Ok(())
    }

    /// Goes on to the noise of another step.
    pub fn set_step(&mut self, step: u64) {
        self.draw.iter_mut().for_each(|draw| draw.step = step);
    }

    /// The bytes that [`set_noise`](Self::set_noise) takes. Nothing is allocated.
    pub fn noise_bytes<A: ActivationFn>(spec: &Spec<A>, rows: usize, trains: bool, noise: &Noise) -> u128 {
        let plan = Plan::new(spec, rows, trains);
        let inputs = if noise.is_on_inputs() { spec.inputs() as u128 } else { 0 };
        let units: u128 = undropped(spec, noise, trains).map(|width| width as u128).sum();
        plan.shards(rows) as u128 * plan.block_rows as u128 * (inputs + units) * size_of::<T>() as u128
    }

    /// The engine.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The threads.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Whether threads share a pass over all the rows that there is room for. Entering their pool takes 25 us, as much as an epoch of a
    /// small network.
    pub fn is_shared(&self) -> bool {
        self.plan.shared || self.shards.len() > 1
    }

    /// The first layer (from 0) with an activation that was not finite, after a pass whose loss was not.
    pub fn layer_not_finite(&self) -> Option<usize> {
        self.shards.iter().filter_map(|shard| shard.not_finite).min()
    }

    /// How many bytes the buffers take.
    pub fn bytes(&self) -> usize {
        let numbers = |s: &Shard<T>| {
            let layers = s.activations.iter().chain(&s.slopes).chain(&s.undropped);
            let layers = layers.chain(&s.normalised).chain(&s.inverse).map(Vec::len).sum::<usize>();
            let layers = layers + s.statistics.iter().map(Statistics::len).sum::<usize>();
            layers + s.output.len() + s.below.len() + s.gradient.len() + s.losses.len() + s.noisy.len()
        };
        let packed = self.packed.iter().flatten().map(Packed::bytes).sum::<usize>();
        self.shards.iter().map(numbers).sum::<usize>() * size_of::<T>() + packed
    }

    /// How many [`bytes`](Self::bytes) a workspace for batches of up to `rows` rows takes: for training, or else for prediction.
    /// Nothing is allocated.
    pub fn required_bytes<A: ActivationFn>(spec: &Spec<A>, rows: usize, trains: bool) -> u128 {
        let plan = Plan::new(spec, rows, trains);
        let count = plan.shards(rows);
        let units: u128 = spec.layers().iter().map(|layer| layer.outputs as u128).sum();
        let widest = spec.layers().iter().map(|layer| layer.outputs).max().unwrap_or(0);
        // What `allocate` makes: activations, slopes and the way back, a loss, and the gradient of each of several shards.
        let normed = spec.layers().iter().map(|layer| match layer.norm {
            Norm::None => 0,
            norm => layer.outputs as u128 + u128::from(norm == Norm::Layer),
        });
        let coupled = spec.layers().iter().filter(|layer| layer.norm == Norm::Batch);
        let statistics = coupled.map(|layer| Statistics::<T>::numbers(plan.block_rows, layer.outputs) as u128);
        let columns = if trains {
            2 * units + widest as u128 + 1 + normed.sum::<u128>()
        } else {
            units + spec.outputs() as u128 + 1
        };
        let gradient = if trains && count > 1 { spec.parameters() } else { 0 };
        let numbers = plan.block_rows as u128 * columns + gradient as u128 + statistics.sum::<u128>();
        count as u128 * numbers * size_of::<T>() as u128
    }

    /// Moves the running means and variances in `state`, a network's ([`Spec::state`]), by the part `share` of the way towards those of the
    /// batch of the last pass; its variance is taken as an estimate of its population's, with one row less in the denominator. Rows
    /// count alike whatever their weights. Without batch normalisation nothing is done.
    ///
    /// A training takes a `share` of [`MOMENTUM`](crate::kernel::batch_norm::MOMENTUM) after each step; 1 takes the statistics as they are.
    /// **Panics** if the state is not of the network that the workspace was made for.
    pub fn update_running<A: ActivationFn>(&self, spec: &Spec<A>, share: f64, state: &mut [T]) {
        if !spec.couples_rows() {
            return;
        }
        for (block, statistics) in
            spec.blocks().iter().zip(&self.shards[0].statistics).filter(|(block, _)| !block.mean.is_empty())
        {
            for (to, from) in [&block.mean, &block.variance].into_iter().zip(statistics.mean_and_variance()) {
                match &mut state[to.clone()] {
                    to if share == 1.0 => to.copy_from_slice(from),
                    to => vector::approach(self.engine.isa, T::from_f64(share), from, to),
                }
            }
        }
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
        if spec.layers().iter().zip(&self.norms).any(|(layer, norm)| layer.norm != *norm) {
            return Err(Error::shape("workspace", format!("made for norms {:?}", self.norms), "others"));
        }
        if let Some(draw) = &self.draw {
            let kept = undropped(spec, &draw.noise, self.trains).map(|width| width == 0);
            if !kept.eq(self.shards[0].undropped.iter().map(Vec::is_empty)) {
                return Err(Error::Unsupported(
                    "the workspace's noise was set for a network of other activations".into(),
                ));
            }
        }
        if rows > self.rows {
            return Err(Error::shape("rows of the batch", format!("at most {}, the workspace's", self.rows), rows));
        }
        Ok(())
    }
}

/// For each hidden layer how wide its activations are, if they are kept before some are dropped.
fn undropped<A: ActivationFn>(spec: &Spec<A>, noise: &Noise, trains: bool) -> impl Iterator<Item = usize> {
    let hidden = &spec.layers()[..spec.layers().len() - 1];
    hidden.iter().enumerate().map(move |(l, layer)| {
        let kept = trains && noise.rate(l) > 0.0 && layer.activation.builtin().is_none();
        if kept { layer.outputs } else { 0 }
    })
}

/// Less than this is asked of the allocator alone: what it grants is there, and the system's files that tell how much is free
/// cost 50 us.
const LARGE_BYTES: u128 = 64 << 20;

/// Refuses `bytes` that are many and cannot be had.
pub(crate) fn require(what: &str, bytes: u128) -> Result<()> {
    if bytes > LARGE_BYTES { memory::require(what, bytes) } else { Ok(()) }
}

/// How many of `rows` rows are predicted at a time, so that the memory of a prediction does not grow with them: 1024, or fewer
/// where those would take more than the parameters do, and many; a function of shapes alone.
pub fn rows_at_a_time<T: Float, A: ActivationFn>(spec: &Spec<A>, rows: usize) -> usize {
    if spec.couples_rows() {
        // Predictions are those of the folded network.
        return rows_at_a_time::<T, A>(&spec.folded(), rows);
    }
    let parameters = spec.parameters() as u128 * size_of::<T>() as u128;
    let fit = LARGE_BYTES.max(parameters) / Workspace::<T>::required_bytes(spec, 1, false).max(1);
    rows.clamp(1, fit.clamp(1, 1024) as usize)
}

/// Hands out the shards, the first of which begins at row `first`, each with its rows of `out`.
pub(super) fn each_shard<T: Float>(
    threads: &Threads,
    shards: &mut [Shard<T>],
    first: usize,
    rows: usize,
    out: &mut [T],
    out_cols: usize,
    work: &(impl Fn(usize, &mut Shard<T>, &mut [T]) + Sync),
) {
    if let [only] = shards {
        return work(first, only, out);
    }
    let half = shards.len() / 2;
    let (left, right) = shards.split_at_mut(half);
    let (out_left, out_right) = out.split_at_mut((half * rows * out_cols).min(out.len()));
    threads.join(
        || each_shard(threads, left, first, rows, out_left, out_cols, work),
        || each_shard(threads, right, first + half * rows, rows, out_right, out_cols, work),
    );
}

#[cfg(test)]
mod tests {
    use super::super::plan::SHARDS;
    use super::*;
    use crate::activation::Activation;

    const NORMS: [Norm; 3] = [Norm::None, Norm::Layer, Norm::Batch];

    #[test]
    fn as_many_bytes_are_required_as_are_taken() {
        fn check<T: Float>(spec: &Spec, rows: usize, trains: bool) -> usize {
            let workspace =
                Workspace::<T>::allocate(spec, rows, Engine::default(), Threads::one(), trains).expect("it is small");
            let required = Workspace::<T>::required_bytes(spec, rows, trains);
            assert_eq!(required, workspace.bytes() as u128, "{rows} rows of {spec:?}, trains: {trains}");
            workspace.shards.len()
        }
        let mut shards = 0;
        let shapes = [&[][..], &[1], &[100, 7], &[64, 64], &[300]];
        for (hidden, norm) in shapes.into_iter().flat_map(|hidden| NORMS.map(|norm| (hidden, norm))) {
            let layers = hidden.iter().map(|&units| Layer::new(units, Activation::Relu).with_norm(norm));
            let layers = layers.chain([Layer::new(3, Activation::Softmax)]).collect();
            let spec = Spec::new(20, layers).expect("a network");
            for rows in [0, 1, 63, 64, 65, 1000, 1150, 5000] {
                for trains in [true, false] {
                    shards = shards.max(check::<f32>(&spec, rows, trains));
                    shards = shards.max(check::<f64>(&spec, rows, trains));
                }
            }
        }
        assert!(shards > 2, "batches that are cut are among them");
    }

    #[test]
    fn a_prediction_takes_little_memory_whatever_the_rows() {
        for (hidden, expected) in [(10, 1024), (16_000, 1024), (100_000, 167), (10_000_000, 3)] {
            let spec = Spec::mlp(2, &[hidden], Activation::Relu, 1, Activation::Identity).expect("a network");
            let rows = rows_at_a_time::<f32, _>(&spec, 1 << 40);
            assert_eq!(rows, expected, "{hidden}");
            let bytes = |rows| Workspace::<f32>::required_bytes(&spec, rows, false);
            // Shards are of one length, which may come to a row more in each.
            let most = LARGE_BYTES.max(4 * spec.parameters() as u128) + SHARDS as u128 * bytes(1);
            assert!(bytes(rows) <= most, "{hidden}: {} of {most}", bytes(rows));
            assert_eq!(rows_at_a_time::<f32, _>(&spec, 3), 3);
            assert_eq!(rows_at_a_time::<f32, _>(&spec, 0), 1);
        }
    }

    #[test]
    fn what_cannot_be_had_is_refused_with_its_figure() {
        let spec = Spec::mlp(10, &[1 << 40], Activation::Relu, 3, Activation::Softmax).expect("a network");
        let rows = 1_000_000_000;
        let refusal = Workspace::<f32>::for_prediction(&spec, rows, Engine::default(), Threads::one()).unwrap_err();
        let figure = Workspace::<f32>::required_bytes(&spec, rows, false).to_string();
        assert!(refusal.to_string().contains(&format!("needs {figure} bytes")), "{refusal}");
        assert!(matches!(refusal, Error::Memory { .. }));
    }
}
