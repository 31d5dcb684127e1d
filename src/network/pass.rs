//! Forward and backward: from parameters and rows to outputs, a loss and its gradient.
//!
//! Row 4 of the house: imports `workspace`, `spec`, mathematics and engines. Begin reading at
//! [`value_and_gradient`], then `Pass::forward` and `Pass::backward`, which are the algorithm.
//!
//! For each layer, with input `X` (rows x inputs), weights `W` (inputs x outputs), biases `b` and activation `f`:
//!
//! ```text
//! forward    Z = X W + b        A = f(Z)          S = f'(Z)
//! backward   D = dE/dA * S      dE/dW = X' D      dE/db = column sums of D      dE/dX = D W'
//! ```
//!
//! A norm stands between `Z` and `f`, and on the way back between `D` and the rest ([`layer_norm`],
//! [`batch_norm`](crate::kernel::batch_norm)). Batch normalisation is by the statistics of the batch at hand, for values as for gradients;
//! what predicts is the folded network ([`Network::folded`](super::Network::folded)).
//!
//! Where the workspace has noise ([`noise`](super::noise)), `A` and `S` are those of the units that are not dropped.

use super::keep::{Keep, activate};
use super::noise::Draw;
use super::norms;
use super::objective::{Batch, Objective, Value, is_linked, loss_rows, penalty, total_weight};
use super::shapes::{check_length, contiguous_mut, rows_of};
use super::spec::{Layer, Norm, Spec};
use super::tiny::{self, Tiny};
use super::workspace::{Shard, Workspace, each_shard};
use crate::activation::{Activation, ActivationFn};
use crate::engine::{Backend, Engine};
use crate::error::Result;
use crate::float::Float;
use crate::gemm::{Mat, MatMut, Packed, affine, gemm};
use crate::kernel::{layer_norm, rows, vector};
use crate::loss::LossFn;
use crate::threads::Threads;
use ndarray::{ArrayView2, ArrayViewMut2};
use std::ops::Range;

/// The objective and its gradient at `params`, which lie as [`Spec::blocks`] says.
///
/// **Shapes**: `batch.x` rows x inputs, `batch.y` rows x outputs, `gradient` as long as the parameters.
/// **Overwrites** `gradient` and the workspace. **Determinism**: the same bits for any number of threads.
/// **Errors**: shapes that do not fit, an activation without slope, weights that are negative or sum to 0, one row alone under batch
/// normalisation.
pub fn value_and_gradient<T: Float, A: ActivationFn, L: LossFn>(
    spec: &Spec<A>,
    params: &[T],
    batch: Batch<'_, T>,
    objective: &Objective<L>,
    workspace: &mut Workspace<T>,
    gradient: &mut [T],
) -> Result<Value> {
    spec.check_differentiable()?;
    check_length("gradient", spec, gradient)?;
    workspace.check_trains()?;
    let loss = mean_loss(spec, params, batch, objective, workspace, Some(&mut *gradient))?;
    let penalty = penalty(spec, params, objective, workspace.engine, Some(gradient));
    Ok(Value { loss, penalty })
}

/// The objective alone, at about a third of the cost.
///
/// Of a network with batch normalisation it is that of a training, by the statistics of this batch; the one of rows held back is the value
/// of the folded network.
///
/// **Overwrites** the workspace. **Errors** and **determinism** as [`value_and_gradient`].
pub fn value<T: Float, A: ActivationFn, L: LossFn>(
    spec: &Spec<A>,
    params: &[T],
    batch: Batch<'_, T>,
    objective: &Objective<L>,
    workspace: &mut Workspace<T>,
) -> Result<Value> {
    let loss = mean_loss(spec, params, batch, objective, workspace, None)?;
    Ok(Value { loss, penalty: penalty(spec, params, objective, workspace.engine, None) })
}

/// The outputs for `x`, written to `out`, without allocating and without noise.
///
/// **Shapes**: `x` rows x inputs, `out` rows x outputs, both row-major. **Overwrites** `out` and the workspace. **Errors**: shapes that do
/// not fit, and batch normalisation, whose running statistics are not among the parameters: a folded network has none
/// ([`Network::folded`](super::Network::folded), [`Predictor`](super::predictor::Predictor)).
pub fn predict_into<T: Float, A: ActivationFn>(
    spec: &Spec<A>,
    params: &[T],
    x: ArrayView2<'_, T>,
    workspace: &mut Workspace<T>,
    mut out: ArrayViewMut2<'_, T>,
) -> Result<()> {
    check_length("parameters", spec, params)?;
    spec.check_predicts()?;
    let input = rows_of("x", &x, x.nrows(), spec.inputs())?;
    let out = contiguous_mut("out", &mut out, x.nrows(), spec.outputs())?;
    workspace.check(spec, x.nrows())?;
    let draw = workspace.draw.take();
    run(workspace, spec, params, x.nrows(), None, out, |net, block, shard, _, out| {
        net.forward(input.row_range(block.rows.clone()), block.rows.start, shard, out, Keep::Outputs);
    });
    workspace.draw = draw;
    Ok(())
}

/// The gradient with respect to the parameters, and to the inputs if asked for, given the one with respect to the
/// outputs: for those who put a network inside something larger, or bring a loss of their own. Batch normalisation is that of a training.
///
/// **Shapes**: `x` and `input_gradient` rows x inputs, `output_gradient` rows x outputs, `gradient` as long as the
/// parameters. **Overwrites** `gradient`, `input_gradient` and the workspace.
pub fn backward<T: Float, A: ActivationFn>(
    spec: &Spec<A>,
    params: &[T],
    x: ArrayView2<'_, T>,
    output_gradient: ArrayView2<'_, T>,
    workspace: &mut Workspace<T>,
    gradient: &mut [T],
    mut input_gradient: Option<ArrayViewMut2<'_, T>>,
) -> Result<()> {
    let count = x.nrows();
    let (last, outputs) = (spec.layers().len() - 1, spec.outputs());
    spec.check_differentiable()?;
    check_length("parameters", spec, params)?;
    check_length("gradient", spec, gradient)?;
    workspace.check_trains()?;
    workspace.check(spec, count)?;
    spec.check_coupled(count)?;
    let input = rows_of("x", &x, count, spec.inputs())?;
    let given = rows_of("output gradient", &output_gradient, count, outputs)?;
    let below = match &mut input_gradient {
        Some(below) => contiguous_mut("input gradient", below, count, spec.inputs())?,
        None => &mut [],
    };
    run(workspace, spec, params, count, Some(gradient), below, |net, block, shard, gradient, below| {
        let first = block.rows.start;
        let (x, given) = (input.row_range(block.rows.clone()), given.row_range(block.rows));
        net.forward_own(x, first, shard, Keep::Slopes);
        let elements = given.elements().len();
        let delta = &mut shard.below[..elements];
        delta.copy_from_slice(given.elements());
        net.settle((last, first), &shard.output[..elements], &mut shard.slopes[last][..elements], delta);
        net.backward(x, first, shard, gradient, block.is_first);
        if !below.is_empty() {
            let block = &spec.blocks()[0];
            let delta = Mat::new(&shard.slopes[0][..x.rows() * block.outputs], x.rows(), block.outputs);
            let to = MatMut::new(&mut *below, x.rows(), block.inputs);
            gemm(net.engine, T::ONE, delta, net.weights(0).t(), T::ZERO, to);
            net.draw.iter().for_each(|draw| draw.drop_inputs(net.engine.isa, (first, block.inputs), below));
        }
    });
    Ok(())
}

/// A network at work on one block of rows.
struct Pass<'a, T, A> {
    spec: &'a Spec<A>,
    params: &'a [T],
    engine: Engine,
    threads: &'a Threads,
    /// Whether the threads share each product; otherwise one thread does all of it.
    shared: bool,
    tiny: Option<&'a Tiny>,
    draw: Option<&'a Draw>,
    /// The weights of each layer once more, packed, where that pays; or nothing.
    packed: &'a [Option<Packed<T>>],
}

/// Multiply-adds that a thread is woken for: some 35 us of a product, about what it takes to wake one that has fallen asleep. (With a
/// quarter of that, two threads took a step of 257-257-257-10 on 63 rows in 1.15 times the time of one.)
const PIECE_WORK: usize = 1 << 22;
/// Into how many pieces a product is cut for a BLAS, whatever the number of threads: only the same calls give the same bits.
const BLAS_PIECES: usize = 8;

impl<T: Float, A: ActivationFn> Pass<'_, T, A> {
    /// Into how many pieces of rows a matrix is cut that takes `work` multiply-adds.
    fn pieces(&self, work: usize) -> usize {
        if !self.shared {
            return 1;
        }
        let most = if self.engine.backend() == Backend::Embedded { self.threads.count() } else { BLAS_PIECES };
        most.min(work / PIECE_WORK).max(1)
    }

    /// The weights of layer `l`: inputs x outputs.
    fn weights(&self, l: usize) -> Mat<'_, T> {
        let block = &self.spec.blocks()[l];
        Mat::new(&self.params[block.weights.clone()], block.inputs, block.outputs)
    }

    /// The forward pass of the rows of `x`, of which the first is row `first` of the batch: each layer's activations, and slopes if they are
    /// kept.
    fn forward(&self, x: Mat<'_, T>, first: usize, shard: &mut Shard<T>, output: &mut [T], keep: Keep) {
        let (count, last) = (x.rows(), self.spec.layers().len() - 1);
        let Shard { activations, slopes, normalised, inverse, statistics, noisy, undropped, .. } = shard;
        if let Some(job) = self.tiny.and_then(|tiny| tiny.job(self.spec.blocks(), count)) {
            let hidden = if keep.of_hidden() == Keep::Slopes { &mut slopes[..last] } else { &mut [] };
            let z = &mut output[..count * self.spec.outputs()];
            tiny::forward(self.engine.isa, job, [self.params, x.elements()], activations, hidden, z);
            let slope = if keep == Keep::Slopes { &mut slopes[last][..z.len()] } else { &mut [] };
            return activate(&self.spec.layers()[last], self.engine, z, slope, keep);
        }
        if let Some(draw) = self.draw.filter(|draw| draw.noise.is_on_inputs()) {
            let to = &mut noisy[..x.elements().len()];
            // A number of noise takes about as long as twenty multiply-adds.
            self.threads.share(self.pieces(20 * to.len()), count, [to], |rows, [to]| {
                let place = (first + rows.start, x.cols());
                draw.inputs(self.engine.isa, place, x.row_range(rows).elements(), to);
            });
        }
        let x = self.seen(x, noisy);
        for (l, (layer, block)) in self.spec.layers().iter().zip(self.spec.blocks()).enumerate() {
            let (below, from_here) = activations.split_at_mut(l);
            let input = if l == 0 { x } else { Mat::new(&below[l - 1][..count * block.inputs], count, block.inputs) };
            let z = if l == last { &mut *output } else { &mut from_here[0] };
            let z = &mut z[..count * block.outputs];
            let keep = if l == last { keep } else { keep.of_hidden() };
            let slope = if keep == Keep::Slopes { &mut slopes[l][..z.len()] } else { &mut [] };
            let draw = self.draw_of(l);
            let whole = match undropped.get_mut(l) {
                Some(whole) if !whole.is_empty() => &mut whole[..z.len()],
                _ => &mut [],
            };
            let [bias, scale, shift] =
                [&block.bias, &block.scale, &block.shift].map(|range| &self.params[range.clone()]);
            let (weights, kept) = (self.weights(l), !layer.norm.is_none() && keep.wants_gradient());
            let normalised = &mut normalised[l][..if kept { count * block.outputs } else { 0 }];
            let inverse = &mut inverse[l][..if kept && layer.norm == Norm::Layer { count } else { 0 }];
            let work = count * block.inputs * block.outputs;
            let finish = |row: usize, z: &mut [T], slope: &mut [T], whole: &mut [T]| {
                activate(layer, self.engine, z, slope, keep);
                let Some(draw) = draw else { return };
                let place = (first + row, block.outputs);
                if whole.is_empty() {
                    return draw.drop_units(self.engine.isa, l, place, [z, slope]);
                }
                whole.copy_from_slice(z);
                draw.drop_units(self.engine.isa, l, place, [z]);
            };
            let matrices = [&mut *z, &mut *slope, &mut *whole, &mut *normalised, inverse];
            self.threads.share(self.pieces(work), count, matrices, |rows, [z, slope, whole, normalised, inverse]| {
                let row = rows.start;
                let sums = MatMut::new(&mut *z, rows.len(), block.outputs);
                match self.packed.get(l) {
                    Some(Some(packed)) => packed.affine(input.row_range(rows), bias, sums),
                    _ => affine(self.engine, input.row_range(rows), weights, bias, sums),
                }
                match layer.norm {
                    Norm::None => {}
                    Norm::Layer => layer_norm::forward(self.engine.isa, [scale, shift], z, normalised, inverse),
                    // Its statistics are those of all rows.
                    Norm::Batch => return,
                }
                finish(row, z, slope, whole);
            });
            if layer.norm == Norm::Batch {
                self.norms(work, count).forward_of_columns([scale, shift], z, normalised, &mut statistics[l]);
                self.threads.share(self.pieces(work), count, [z, slope, whole], |rows, [z, slope, whole]| {
                    finish(rows.start, z, slope, whole);
                });
            }
        }
    }

    /// Who normalises a block of `rows` rows, which is about as much work as a product of `work` multiply-adds.
    fn norms(&self, work: usize, rows: usize) -> norms::Work<'_> {
        norms::Work { isa: self.engine.isa, threads: self.threads, pieces: self.pieces(work), rows }
    }

    /// [`forward`](Self::forward) to the shard's own output.
    fn forward_own(&self, x: Mat<'_, T>, first: usize, shard: &mut Shard<T>, keep: Keep) {
        let mut output = std::mem::take(&mut shard.output);
        self.forward(x, first, shard, &mut output, keep);
        shard.output = output;
    }

    /// What the first layer sees of the rows `x`, once their noise is drawn.
    fn seen<'x>(&self, x: Mat<'x, T>, noisy: &'x [T]) -> Mat<'x, T> {
        match self.draw {
            Some(draw) if draw.noise.is_on_inputs() => Mat::new(&noisy[..x.elements().len()], x.rows(), x.cols()),
            _ => x,
        }
    }

    /// The noise of layer `l`, if some of its units are dropped.
    fn draw_of(&self, l: usize) -> Option<&Draw> {
        self.draw.filter(|draw| l + 1 < self.spec.layers().len() && draw.noise.rate(l) > 0.0)
    }

    /// The backward pass, from the gradient with respect to the last layer's weighted sums, which lies in its slopes' place.
    /// After it, those of all layers do. The parameters' gradient is that of the block, added to what is there unless it is the first.
    fn backward(&self, x: Mat<'_, T>, first: usize, shard: &mut Shard<T>, gradient: &mut [T], is_first: bool) {
        let count = x.rows();
        let Shard { activations, slopes, below, normalised, inverse, statistics, noisy, undropped, .. } = shard;
        if let Some(job) = self.tiny.and_then(|tiny| tiny.job(self.spec.blocks(), count)) {
            let read = [self.params, x.elements()];
            return tiny::backward(self.engine.isa, job, read, activations, slopes, below, gradient, is_first);
        }
        for (l, block) in self.spec.blocks().iter().enumerate().rev() {
            let (lower, from_here) = slopes.split_at_mut(l);
            let work = count * block.inputs * block.outputs;
            let is_coupled = !block.mean.is_empty();
            if !block.scale.is_empty() {
                let delta = &mut from_here[0][..count * block.outputs];
                let (scale, normalised) = (&self.params[block.scale.clone()], &normalised[l][..delta.len()]);
                let (scales, shifts) = gradient[block.scale.start..block.shift.end].split_at_mut(block.outputs);
                let norms = self.norms(work, count);
                if is_coupled {
                    norms.backward_of_columns(scale, normalised, &mut statistics[l], delta, [scales, shifts]);
                } else {
                    let of_rows = (normalised, &inverse[l][..count]);
                    norms.backward_of_rows(scale, of_rows, delta, [scales, shifts], is_first);
                }
            }
            let delta = Mat::new(&from_here[0][..count * block.outputs], count, block.outputs);
            let input = if l == 0 {
                self.seen(x, noisy)
            } else {
                let length = count * block.inputs;
                let a = &activations[l - 1][..length];
                let whole = undropped.get(l - 1).filter(|whole| !whole.is_empty()).map_or(a, |whole| &whole[..length]);
                let matrices = [&mut below[..length], &mut lower[l - 1][..length]];
                self.threads.share(self.pieces(work), count, matrices, |rows, [to, slope]| {
                    let whole = &whole[rows.start * block.inputs..rows.end * block.inputs];
                    let row = first + rows.start;
                    let product = MatMut::new(&mut *to, rows.len(), block.inputs);
                    gemm(self.engine, T::ONE, delta.row_range(rows), self.weights(l).t(), T::ZERO, product);
                    self.settle((l - 1, row), whole, slope, to);
                });
                Mat::new(a, count, block.inputs)
            };
            let (weights, biases) = gradient[..block.bias.end].split_at_mut(block.bias.start);
            let weights = &mut weights[block.weights.clone()];
            let beta = if is_first { T::ZERO } else { T::ONE };
            self.threads.share(self.pieces(work), block.inputs, [weights], |inputs, [weights]| {
                let sums = MatMut::new(weights, inputs.len(), block.outputs);
                gemm(self.engine, T::ONE, input.t().row_range(inputs), delta, beta, sums);
            });
            if is_first {
                biases.fill(T::ZERO);
            }
            // What all rows are shifted by, their mean takes away: the slope is 0, and a sum would be its rounding.
            if !biases.is_empty() && !is_coupled {
                rows::add_column_sums(self.engine.isa, delta.elements(), biases);
            }
        }
    }

    /// Turns `delta`, the gradient with respect to layer `l`'s activations `a` (before any were dropped) from row `row` of the batch on,
    /// into that with respect to its weighted sums, which takes the slopes' place. What is left in `delta` is of no use.
    fn settle(&self, (l, row): (usize, usize), a: &[T], slope: &mut [T], delta: &mut [T]) {
        let Layer { outputs, activation, .. } = &self.spec.layers()[l];
        let draw = self.draw_of(l);
        match activation.builtin() {
            Some(Activation::Identity) if draw.is_none() => slope.copy_from_slice(delta),
            None | Some(Activation::Identity | Activation::Softmax) => {
                draw.iter().for_each(|draw| draw.drop_units(self.engine.isa, l, (row, *outputs), [&mut *delta]));
                activation.backward(self.engine.isa, a, slope, delta, *outputs);
                slope.copy_from_slice(delta);
            }
            // What is dropped has no slope since the way forward.
            Some(_) => vector::multiply(self.engine.isa, slope, delta),
        }
    }
}

/// The weighted mean loss of a batch, and its gradient if asked for.
fn mean_loss<T: Float, A: ActivationFn, L: LossFn>(
    spec: &Spec<A>,
    params: &[T],
    batch: Batch<'_, T>,
    objective: &Objective<L>,
    workspace: &mut Workspace<T>,
    gradient: Option<&mut [T]>,
) -> Result<f64> {
    check_length("parameters", spec, params)?;
    let (count, outputs, last) = (batch.x.nrows(), spec.outputs(), spec.layers().len() - 1);
    workspace.check(spec, count)?;
    spec.check_coupled(count)?;
    let x = rows_of("x", &batch.x, count, spec.inputs())?;
    let y = rows_of("y", &batch.y, count, outputs)?;
    let total = total_weight(batch.weights, count)?;

    let fused = is_linked(spec, &objective.loss);
    let wanted = gradient.is_some();
    let keep = match (wanted, fused) {
        (true, true) => Keep::LogitsAndSlopes,
        (true, false) => Keep::Slopes,
        (false, true) => Keep::Logits,
        (false, false) => Keep::Outputs,
    };
    run(workspace, spec, params, count, gradient, &mut [], |net, block, shard, gradient, _| {
        let first = block.rows.start;
        let (x, y) = (x.row_range(block.rows.clone()), y.row_range(block.rows.clone()));
        let elements = y.elements().len();
        net.forward_own(x, first, shard, keep);
        let output = &shard.output[..elements];
        let delta = if wanted && fused { &mut shard.slopes[last] } else { &mut shard.below };
        let (delta, losses) = (&mut delta[..elements], &mut shard.losses[..y.rows()]);
        let weights = batch.weights.map(|w| &w[block.rows]);
        let (loss, engine) = (&objective.loss, net.engine);
        // A row of a loss takes about as long as twenty multiply-adds a number.
        net.threads.share(net.pieces(20 * elements), y.rows(), [&mut *delta, &mut *losses], |rows, [delta, losses]| {
            let output = &output[rows.start * outputs..rows.end * outputs];
            let weights = weights.map(|w| &w[rows.clone()]);
            loss_rows(engine.isa, loss, y.row_range(rows), weights, total, output, delta, losses);
        });
        let value = &mut shard.value;
        match weights {
            None => losses.iter().for_each(|loss| *value += 1.0 / total * loss.real()),
            Some(w) => losses.iter().zip(w).for_each(|(loss, w)| *value += w.real() / total * loss.real()),
        }
        if !value.is_finite() && shard.not_finite.is_none() {
            let hidden = shard.activations.iter().zip(spec.blocks()).map(|(a, block)| &a[..x.rows() * block.outputs]);
            let mut layers = hidden.chain([output]);
            shard.not_finite = layers.position(|a| !vector::all_finite(engine.isa, a));
        }
        if wanted {
            if !fused {
                let (slope, delta) = (&mut shard.slopes[last][..elements], &mut shard.below[..elements]);
                net.settle((last, first), &shard.output[..elements], slope, delta);
            }
            net.backward(x, first, shard, gradient, block.is_first);
        }
    });
    Ok(workspace.shards[..workspace.plan.shards(count)].iter().map(|s| s.value).sum())
}

/// One block of a batch's rows.
struct Block {
    rows: Range<usize>,
    /// Whether it is the first of its shard, so that its gradient begins a sum.
    is_first: bool,
}

/// Runs every block of a batch of `count` rows, the shards on whichever thread is free, and sums their gradients in a fixed tree.
///
/// `work` is given the slice for the shard's gradient, which counts only where a `gradient` is asked for, and the block's rows of `out`,
/// a matrix of `count` rows or nothing.
fn run<T: Float, A: ActivationFn>(
    workspace: &mut Workspace<T>,
    spec: &Spec<A>,
    params: &[T],
    count: usize,
    gradient: Option<&mut [T]>,
    out: &mut [T],
    work: impl Fn(&Pass<'_, T, A>, Block, &mut Shard<T>, &mut [T], &mut [T]) + Sync,
) {
    let (engine, plan) = (workspace.engine, workspace.plan);
    let pieces = plan.shards(count);
    let Workspace { threads, shards, tiny, packed, draw, .. } = workspace;
    let shards = &mut shards[..pieces];
    let out_cols = if out.is_empty() { 0 } else { out.len() / count };
    let draw = draw.as_ref();
    // The one kernel of a tiny network has no noise.
    let tiny = tiny.as_ref().filter(|_| draw.is_none());
    let net = Pass { spec, params, engine, threads, shared: plan.shared, tiny, draw, packed };
    let run_shard = |first: usize, shard: &mut Shard<T>, gradient: &mut [T], out: &mut [T]| {
        let end = count.min(first + plan.shard_rows);
        (shard.value, shard.not_finite) = (0.0, None);
        for start in (first..end).step_by(plan.block_rows) {
            let rows = start..end.min(start + plan.block_rows);
            let out = &mut out[(rows.start - first) * out_cols..(rows.end - first) * out_cols];
            work(&net, Block { rows, is_first: start == first }, shard, gradient, out);
        }
    };
    if let [only] = shards {
        let gradient = gradient.unwrap_or_default();
        return if plan.shared {
            threads.enter(|| run_shard(0, only, gradient, out))
        } else {
            run_shard(0, only, gradient, out)
        };
    }
    threads.enter(|| {
        each_shard(threads, shards, 0, plan.shard_rows, out, out_cols, &|first, shard, out| {
            let mut own = std::mem::take(&mut shard.gradient);
            run_shard(first, shard, &mut own, out);
            shard.gradient = own;
        });
    });
    let Some(gradient) = gradient else { return };
    let mut stride = 1;
    while stride < pieces {
        for pair in shards.chunks_mut(2 * stride) {
            if let (first, [second, ..]) = pair.split_at_mut(stride.min(pair.len())) {
                vector::add(engine.isa, &second.gradient, &mut first[0].gradient);
            }
        }
        stride *= 2;
    }
    gradient.copy_from_slice(&shards[0].gradient);
}
