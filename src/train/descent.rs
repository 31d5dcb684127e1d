//! Mini-batch descent: gather, gradient, step; an epoch after another.

use super::required::{copied, counted};
use super::stopping::Watch;
use super::watch::GradientWatch;
use super::{Epoch, History, Observer, Stopped, Trainer};
use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::vector;
use crate::loss::LossFn;
use crate::memory::zeros;
use crate::network::max_norm::MaxNorm;
use crate::network::noise::Draw;
use crate::network::objective::{Batch, Value};
use crate::network::workspace::{Workspace, rows_at_a_time};
use crate::network::{Network, Spec, pass};
use crate::optim::{Method, Optimizer};
use crate::rng::{Rng, stream};
use crate::simd::Isa;
use ndarray::ArrayView2;

/// A loss this many times the largest of 1, the first loss, and what the same rows lost before training has run away: an
/// adaptive method that does so stays finite for ever. The same rows, because those of the first batch may all have been
/// easy.
const RUN_AWAY: f64 = 1000.0;

pub(super) fn fit<T: Float, A: ActivationFn, L: LossFn>(
    trainer: &Trainer<L>,
    method: Method,
    net: &mut Network<T, A>,
    training: Batch<'_, T>,
    held_back: Option<Batch<'_, T>>,
    observe: &mut Observer<'_>,
) -> Result<History> {
    let mut descent = Descent::new(trainer, method, net, training)?;
    let mut judge = held_back.map(|rows| Judge::new(trainer, net.spec(), rows)).transpose()?;
    let mut watch = Watch::new(trainer.stopping, judge.is_some());
    let mut history = History::default();
    let kept = if judge.is_some() { net.params() } else { &[] };
    let mut best = copied(kept, "the best parameters")?;
    let mut before = copied(net.params(), "the parameters of the last epoch")?;
    let batches = training.x.nrows().div_ceil(trainer.batch);

    for number in 1..=trainer.epochs {
        before.copy_from_slice(net.params());
        let (spec, params) = net.parts_mut();
        let outcome = trainer.threads.enter(|| descent.epoch(spec, params, number));
        let value = match outcome {
            Ok(value) => value,
            Err(diverged) => {
                params.copy_from_slice(&before);
                return Err(diverged);
            }
        };
        let validation =
            match judge.as_mut().map(|judge| judge.finite_loss(spec, params, (number, batches))).transpose() {
                Ok(validation) => validation,
                Err(diverged) => {
                    params.copy_from_slice(&before);
                    return Err(diverged);
                }
            };
        history.training.push(value.loss);
        history.validation.extend(validation);
        let (lowest, stop) = watch.see(validation.unwrap_or(value.objective()));
        if judge.is_none() || lowest {
            history.kept = number;
        }
        if judge.is_some() && lowest {
            best.copy_from_slice(params);
        }
        let go_on = observe(&Epoch { number, training: value.loss, validation });
        if go_on.is_break() {
            history.stopped = Stopped::Observer;
            break;
        }
        if let Some(stop) = stop {
            history.stopped = stop;
            break;
        }
    }
    if judge.is_some() {
        net.params_mut().copy_from_slice(&best);
    }
    history.watched = descent.watch.map_or_else(Vec::new, |watch| watch.watched);
    Ok(history)
}

/// Everything that a step needs, allocated before the first.
struct Descent<'a, 'd, T, L> {
    trainer: &'a Trainer<L>,
    training: Batch<'d, T>,
    workspace: Workspace<T>,
    optimizer: Optimizer<T>,
    gradient: Vec<T>,
    /// The order in which the rows are taken.
    order: Vec<usize>,
    /// The rows of a mini-batch, gathered: inputs, targets, weights.
    gathered: (Vec<T>, Vec<T>, Vec<T>),
    /// The parameters before training.
    start: Vec<T>,
    /// The largest loss of a batch that is known from before training.
    start_loss: Option<f64>,
    watch: Option<GradientWatch>,
    max_norm: Option<MaxNorm<T>>,
}

impl<'a, 'd, T: Float, L: LossFn> Descent<'a, 'd, T, L> {
    fn new<A: ActivationFn>(
        trainer: &'a Trainer<L>,
        method: Method,
        net: &Network<T, A>,
        training: Batch<'d, T>,
    ) -> Result<Self> {
        let spec = net.spec();
        let count = training.x.nrows();
        let batch = trainer.batch.min(count);
        let gather =
            |width: usize| zeros(if trainer.shuffle { batch.saturating_mul(width) } else { 0 }, "a mini-batch");
        let draw = || Draw { noise: trainer.noise.clone(), seed: trainer.seed, step: 0 };
        let mut workspace = Workspace::new(spec, batch, trainer.engine, trainer.threads.clone())?;
        workspace.set_noise(spec, draw())?;
        let mut watch = GradientWatch::new(trainer, spec, batch)?;
        watch.iter_mut().try_for_each(|watch| watch.workspace.set_noise(spec, draw()))?;
        Ok(Self {
            trainer,
            training,
            workspace,
            optimizer: Optimizer::new(method, spec.parameters())?,
            gradient: zeros(spec.parameters(), "the gradient")?,
            order: counted(count, "the order of the rows")?,
            gathered: (gather(spec.inputs())?, gather(spec.outputs())?, gather(1)?),
            start: copied(net.params(), "the parameters before training")?,
            start_loss: None,
            watch,
            max_norm: trainer.max_norm.map(|limit| MaxNorm::new(spec, limit)).transpose()?,
        })
    }

    /// One pass over the rows; the mean over them of the objective while it ran.
    fn epoch<A: ActivationFn>(&mut self, spec: &Spec<A>, params: &mut [T], number: usize) -> Result<Value> {
        let count = self.order.len();
        let size = self.trainer.batch.min(count);
        if self.trainer.shuffle {
            // From the identity, so that an epoch's order depends on its number alone.
            self.order.iter_mut().enumerate().for_each(|(i, o)| *o = i);
            Rng::with_stream(self.trainer.seed, stream::SHUFFLE + number as u64).shuffle(&mut self.order);
        }
        self.watch.iter_mut().for_each(|watch| watch.begin_epoch(count.div_ceil(size)));
        let (mut loss, mut penalty, mut total) = (0.0, 0.0, 0.0);
        for (b, start) in (0..count).step_by(size).enumerate() {
            let rows = start..count.min(start + size);
            let weight = match self.training.weights {
                None => rows.len() as f64,
                Some(_) => self.batch_weight(rows.clone()),
            };
            if weight == 0.0 {
                continue;
            }
            let value = self.step(spec, params, rows, number, b + 1)?;
            loss += weight * value.loss;
            penalty += weight * value.penalty;
            total += weight;
        }
        Ok(Value { loss: loss / total, penalty: penalty / total })
    }

    fn batch_weight(&self, rows: std::ops::Range<usize>) -> f64 {
        let weights = self.training.weights.unwrap_or_default();
        rows.map(|r| weights[if self.trainer.shuffle { self.order[r] } else { r }].real()).sum()
    }

    /// One step on the rows at `rows` of the order.
    fn step<A: ActivationFn>(
        &mut self,
        spec: &Spec<A>,
        params: &mut [T],
        rows: std::ops::Range<usize>,
        epoch: usize,
        number: usize,
    ) -> Result<Value> {
        let batch = if self.trainer.shuffle {
            gather(&self.training, &self.order[rows], &mut self.gathered)
        } else {
            self.training.rows(rows)
        };
        let objective = &self.trainer.objective;
        let gradient = &mut self.gradient;
        // Noise, as order, depends on the epoch's number and the batch's alone.
        let batches = self.order.len().div_ceil(self.trainer.batch.min(self.order.len()));
        let step = (epoch as u64 - 1) * batches as u64 + number as u64;
        self.workspace.set_step(step);
        let value = pass::value_and_gradient(spec, params, batch.view(), objective, &mut self.workspace, gradient)?;
        let isa = self.trainer.engine.isa;
        let at = (epoch, number);
        if !value.objective().is_finite() {
            return Err(not_finite(&self.workspace, value, at));
        }
        let known = *self.start_loss.get_or_insert(value.loss);
        if value.loss > RUN_AWAY * known.max(1.0) {
            let start = pass::value(spec, &self.start, batch.view(), objective, &mut self.workspace)?.loss;
            if value.loss > RUN_AWAY * start.max(1.0) {
                return Err(diverged("loss", value.objective(), Some(largest_layer(spec, params)), at));
            }
            self.start_loss = Some(start.max(known));
        }
        if let Some(watch) = &mut self.watch
            && watch.is_due()
        {
            watch.workspace.set_step(step);
            watch.check((spec, params), batch, objective, gradient, at)?;
        }
        let Trainer { learning_rate, threads, .. } = self.trainer;
        let finite = self.optimizer.step_checked(threads, isa, *learning_rate, gradient, params);
        if !finite.gradient {
            check_finite("gradient", isa, spec, gradient, at)?;
        }
        if !finite.params {
            check_finite("weight", isa, spec, params, at)?;
        }
        self.max_norm.iter_mut().for_each(|limit| limit.limit_norms(isa, spec, params));
        Ok(value)
    }
}

/// The error about `what`, in layer `layer` (from 0), in epoch and batch `at` (from 1).
fn diverged(what: &str, value: f64, layer: Option<usize>, at: (usize, usize)) -> Error {
    Error::Diverged { epoch: at.0, batch: at.1, layer: layer.map(|l| l + 1), what: what.into(), value }
}

/// The layer (from 0) with the largest parameter: where to look when a loss ran away and everything is still finite.
fn largest_layer<T: Float, A: ActivationFn>(spec: &Spec<A>, params: &[T]) -> usize {
    let largest = (0..params.len()).fold(0, |best, i| if params[i].abs() > params[best].abs() { i } else { best });
    spec.blocks().iter().position(|b| largest < b.shift.end).unwrap_or(0)
}

/// The error about an objective that is not finite, after the pass that found it.
pub(super) fn not_finite<T: Float>(workspace: &Workspace<T>, value: Value, at: (usize, usize)) -> Error {
    diverged("loss", value.objective(), workspace.layer_not_finite(), at)
}

/// Refuses numbers that lie like parameters and are not all finite, naming the first of them and its layer.
pub(super) fn check_finite<T: Float, A: ActivationFn>(
    what: &str,
    isa: Isa,
    spec: &Spec<A>,
    numbers: &[T],
    at: (usize, usize),
) -> Result<()> {
    if vector::all_finite(isa, numbers) {
        return Ok(());
    }
    let index = numbers.iter().position(|n| !n.is_finite());
    let layer = index.and_then(|index| spec.blocks().iter().position(|b| index < b.shift.end));
    Err(diverged(what, index.map_or(f64::NAN, |index| numbers[index].real()), layer, at))
}

/// The rows of `training` that `order` lists, copied into `buffers`.
fn gather<'b, T: Float>(
    training: &Batch<'_, T>,
    order: &[usize],
    buffers: &'b mut (Vec<T>, Vec<T>, Vec<T>),
) -> Batch<'b, T> {
    let copy = |from: &ArrayView2<'_, T>, to: &mut [T]| {
        let width = from.ncols();
        let from = from.as_slice().expect("row-major, as fit() has checked");
        for (to, &row) in to.chunks_exact_mut(width).zip(order) {
            to.copy_from_slice(&from[row * width..(row + 1) * width]);
        }
    };
    let (x, y, w) = buffers;
    copy(&training.x, x);
    copy(&training.y, y);
    if let Some(weights) = training.weights {
        w.iter_mut().zip(order).for_each(|(w, &row)| *w = weights[row]);
    }
    let view = |data: &'b [T], width: usize| {
        ArrayView2::from_shape((order.len(), width), &data[..order.len() * width]).expect("as many as gathered")
    };
    Batch {
        x: view(x, training.x.ncols()),
        y: view(y, training.y.ncols()),
        weights: training.weights.map(|_| &w[..order.len()]),
    }
}

/// The loss on held-back rows, in pieces of bounded memory.
pub(super) struct Judge<'a, 'd, T, L> {
    trainer: &'a Trainer<L>,
    rows: Batch<'d, T>,
    workspace: Workspace<T>,
    /// Rows judged at a time.
    size: usize,
}

impl<'a, 'd, T: Float, L: LossFn> Judge<'a, 'd, T, L> {
    pub(super) fn new<A: ActivationFn>(trainer: &'a Trainer<L>, spec: &Spec<A>, rows: Batch<'d, T>) -> Result<Self> {
        let size = rows_at_a_time::<T, A>(spec, rows.x.nrows());
        let workspace = Workspace::for_prediction(spec, size, trainer.engine, trainer.threads.clone())?;
        Ok(Self { trainer, rows, workspace, size })
    }

    /// [`loss`](Self::loss) after the epoch and batch `at`, which must be finite.
    fn finite_loss<A: ActivationFn>(&mut self, spec: &Spec<A>, params: &[T], at: (usize, usize)) -> Result<f64> {
        let loss = self.loss(spec, params)?;
        if loss.is_finite() {
            return Ok(loss);
        }
        let layer = self.workspace.layer_not_finite();
        Err(diverged("loss on the held-back rows", loss, layer, at))
    }

    /// The weighted mean loss, without penalty.
    pub(super) fn loss<A: ActivationFn>(&mut self, spec: &Spec<A>, params: &[T]) -> Result<f64> {
        let count = self.rows.x.nrows();
        let (mut loss, mut total) = (0.0, 0.0);
        for start in (0..count).step_by(self.size) {
            let rows = self.rows.rows(start..count.min(start + self.size));
            let weight = rows.weights.map_or(rows.x.nrows() as f64, |w| w.iter().map(|w| w.real()).sum());
            if weight > 0.0 {
                let value = pass::value(spec, params, rows, &self.trainer.objective, &mut self.workspace)?;
                loss += weight * value.loss;
                total += weight;
            }
        }
        Ok(loss / total)
    }
}
