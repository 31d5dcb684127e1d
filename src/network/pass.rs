//! Forward and backward: from parameters and rows to outputs, a loss and its gradient.
//!
//! Row 4 of the house: imports `workspace`, `spec`, mathematics and engines. Begin reading at
//! [`value_and_gradient`], then [`forward_rows`] and [`backward_rows`], which are the algorithm.
//!
//! For each layer, with input `X` (rows x inputs), weights `W` (inputs x outputs), biases `b` and activation `f`:
//!
//! ```text
//! forward    Z = X W + b        A = f(Z)          S = f'(Z)
//! backward   D = dE/dA * S      dE/dW = X' D      dE/db = column sums of D      dE/dX = D W'
//! ```
//!
use super::objective::{Batch, Objective, Value, loss_rows, penalty, total_weight};
use super::spec::Spec;
use super::workspace::{Shard, Workspace};
use crate::activation::ActivationFn;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::gemm::{Mat, MatMut, gemm};
use crate::kernel::{rows, vector};
use crate::loss::LossFn;
use ndarray::{ArrayView2, ArrayViewMut2};

/// The objective and its gradient at `params`, which lie as [`Spec::blocks`] says.
///
/// **Shapes**: `batch.x` rows x inputs, `batch.y` rows x outputs, `gradient` as long as the parameters.
/// **Overwrites** `gradient` and the workspace. **Determinism**: the same bits for any number of threads.
/// **Errors**: shapes that do not fit, an activation without slope, weights that are negative or sum to 0.
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
    let penalty = penalty(spec, params, objective.l2, workspace.engine, Some(gradient));
    Ok(Value { loss, penalty })
}

/// The objective alone, at about a third of the cost.
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
    Ok(Value { loss, penalty: penalty(spec, params, objective.l2, workspace.engine, None) })
}

/// The outputs for `x`, written to `out`, without allocating.
///
/// **Shapes**: `x` rows x inputs, `out` rows x outputs, both row-major. **Overwrites** `out` and the workspace.
pub fn predict_into<T: Float, A: ActivationFn>(
    spec: &Spec<A>,
    params: &[T],
    x: ArrayView2<'_, T>,
    workspace: &mut Workspace<T>,
    mut out: ArrayViewMut2<'_, T>,
) -> Result<()> {
    let engine = workspace.engine;
    check_length("parameters", spec, params)?;
    let input = Rows::of("x", &x, x.nrows(), spec.inputs(), workspace.shard_rows)?;
    let out = contiguous_mut("out", &mut out, x.nrows(), spec.outputs())?;
    workspace.check(spec, x.nrows())?;
    run_shards(workspace, x.nrows(), None, |s, shard, _| {
        forward_rows(spec, params, engine, input.shard(s), shard, Keep::Outputs);
    });
    let last = spec.layers().len() - 1;
    for (out, shard) in out.chunks_mut(workspace.shard_rows * spec.outputs()).zip(&workspace.shards) {
        out.copy_from_slice(&shard.activations[last][..out.len()]);
    }
    Ok(())
}

/// The gradient with respect to the parameters, and to the inputs if asked for, given the one with respect to the
/// outputs: for those who put a network inside something larger, or bring a loss of their own.
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
    input_gradient: Option<ArrayViewMut2<'_, T>>,
) -> Result<()> {
    let (engine, count) = (workspace.engine, x.nrows());
    let last = spec.layers().len() - 1;
    spec.check_differentiable()?;
    check_length("parameters", spec, params)?;
    check_length("gradient", spec, gradient)?;
    workspace.check_trains()?;
    workspace.check(spec, count)?;
    let input = Rows::of("x", &x, count, spec.inputs(), workspace.shard_rows)?;
    let given = Rows::of("output gradient", &output_gradient, count, spec.outputs(), workspace.shard_rows)?;
    run_shards(workspace, count, Some(gradient), |s, shard, gradient| {
        forward_rows(spec, params, engine, input.shard(s), shard, Keep::Slopes);
        let given = given.shard(s);
        shard.delta[..given.elements().len()].copy_from_slice(given.elements());
        activation_backward(spec, engine, last, shard, given.rows());
        backward_rows(spec, params, engine, input.shard(s), shard, gradient);
    });
    if let Some(mut below) = input_gradient {
        let block = &spec.blocks()[0];
        let weights = Mat::new(&params[block.weights.clone()], block.inputs, block.outputs);
        let below = contiguous_mut("input gradient", &mut below, count, block.inputs)?;
        for (below, shard) in below.chunks_mut(workspace.shard_rows * block.inputs).zip(&workspace.shards) {
            let rows = below.len() / block.inputs;
            let delta = Mat::new(&shard.delta[..rows * block.outputs], rows, block.outputs);
            gemm(engine, T::ONE, delta, weights.t(), T::ZERO, MatMut::new(below, rows, block.inputs));
        }
    }
    Ok(())
}

/// What a forward pass leaves in its shard.
#[derive(Clone, Copy, PartialEq)]
enum Keep {
    /// The outputs: it predicts.
    Outputs,
    /// The outputs, and every slope: a gradient will be asked for.
    Slopes,
    /// The last layer's weighted sums instead of its outputs: the loss reads those.
    Logits,
    /// The same, and the slopes of all layers below.
    LogitsAndSlopes,
}

/// The forward pass of one shard. After it, each layer's activations (and slopes, if asked for) lie in the shard.
fn forward_rows<T: Float, A: ActivationFn>(
    spec: &Spec<A>,
    params: &[T],
    engine: Engine,
    x: Mat<'_, T>,
    shard: &mut Shard<T>,
    keep: Keep,
) {
    let count = x.rows();
    let last = spec.layers().len() - 1;
    for (l, (layer, block)) in spec.layers().iter().zip(spec.blocks()).enumerate() {
        let (below, rest) = shard.activations.split_at_mut(l);
        let input = if l == 0 { x } else { Mat::new(&below[l - 1][..count * block.inputs], count, block.inputs) };
        let z = &mut rest[0][..count * block.outputs];
        let beta = if layer.bias {
            rows::broadcast(engine.isa, z, &params[block.bias.clone()]);
            T::ONE
        } else {
            T::ZERO
        };
        let weights = Mat::new(&params[block.weights.clone()], block.inputs, block.outputs);
        gemm(engine, T::ONE, input, weights, beta, MatMut::new(z, count, block.outputs));
        match keep {
            Keep::Logits | Keep::LogitsAndSlopes if l == last => {}
            Keep::Outputs | Keep::Logits => layer.activation.apply(engine.isa, z, block.outputs),
            Keep::Slopes | Keep::LogitsAndSlopes => {
                let slope = &mut shard.slopes[l][..count * block.outputs];
                layer.activation.apply_with_slope(engine.isa, z, slope, block.outputs);
            }
        }
    }
}

/// The backward pass of one shard, from the gradient with respect to the last layer's weighted sums in `shard.delta`.
/// After it, `shard.delta` is that of the first layer.
fn backward_rows<T: Float, A: ActivationFn>(
    spec: &Spec<A>,
    params: &[T],
    engine: Engine,
    x: Mat<'_, T>,
    shard: &mut Shard<T>,
    gradient: &mut [T],
) {
    let count = x.rows();
    for (l, block) in spec.blocks().iter().enumerate().rev() {
        let input = match l {
            0 => x,
            _ => Mat::new(&shard.activations[l - 1][..count * block.inputs], count, block.inputs),
        };
        let delta = &shard.delta[..count * block.outputs];
        let (below, bias_gradient) = gradient[..block.bias.end].split_at_mut(block.bias.start);
        let weight_gradient = MatMut::new(&mut below[block.weights.clone()], block.inputs, block.outputs);
        gemm(engine, T::ONE, input.t(), Mat::new(delta, count, block.outputs), T::ZERO, weight_gradient);
        if !bias_gradient.is_empty() {
            rows::column_sums(engine.isa, delta, bias_gradient);
        }
        if l > 0 {
            let weights = Mat::new(&params[block.weights.clone()], block.inputs, block.outputs);
            let below = MatMut::new(&mut shard.delta_below[..count * block.inputs], count, block.inputs);
            gemm(engine, T::ONE, Mat::new(delta, count, block.outputs), weights.t(), T::ZERO, below);
            std::mem::swap(&mut shard.delta, &mut shard.delta_below);
            activation_backward(spec, engine, l - 1, shard, count);
        }
    }
}

/// `shard.delta`: from the gradient with respect to layer `l`'s activations to the one with respect to its sums.
fn activation_backward<T: Float, A: ActivationFn>(
    spec: &Spec<A>,
    engine: Engine,
    l: usize,
    shard: &mut Shard<T>,
    count: usize,
) {
    let cols = spec.layers()[l].outputs;
    let (a, slope) = (&shard.activations[l][..count * cols], &shard.slopes[l][..count * cols]);
    spec.layers()[l].activation.backward(engine.isa, a, slope, &mut shard.delta[..count * cols], cols);
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
    let engine = workspace.engine;
    check_length("parameters", spec, params)?;
    let (count, outputs, last) = (batch.x.nrows(), spec.outputs(), spec.layers().len() - 1);
    workspace.check(spec, count)?;
    let x = Rows::of("x", &batch.x, count, spec.inputs(), workspace.shard_rows)?;
    let y = Rows::of("y", &batch.y, count, outputs, workspace.shard_rows)?;
    let total = total_weight(batch.weights, count)?;
    let weights = batch.weights.map(|w| Rows { whole: Mat::new(w, count, 1), shard_rows: workspace.shard_rows });

    let link = objective.loss.link();
    let fused = link.is_some() && link == spec.layers()[last].activation.builtin();
    let wanted = gradient.is_some();
    let keep = match (wanted, fused) {
        (true, true) => Keep::LogitsAndSlopes,
        (true, false) => Keep::Slopes,
        (false, true) => Keep::Logits,
        (false, false) => Keep::Outputs,
    };
    run_shards(workspace, count, gradient, |s, shard, gradient| {
        let (x, y) = (x.shard(s), y.shard(s));
        forward_rows(spec, params, engine, x, shard, keep);
        let elements = y.elements().len();
        let (output, delta) = (&shard.activations[last][..elements], &mut shard.delta[..elements]);
        let weights = weights.map(|w| w.shard(s).elements());
        shard.value = loss_rows(&objective.loss, y, weights, total, output, delta);
        if wanted {
            if !fused {
                activation_backward(spec, engine, last, shard, y.rows());
            }
            backward_rows(spec, params, engine, x, shard, gradient);
        }
    });
    Ok(workspace.shards[..workspace.pieces(count)].iter().map(|s| s.value).sum())
}

/// Runs every shard of a batch of `count` rows, on whichever thread is free, and sums their gradients in a fixed tree.
/// A shard is given the slice for its gradient, which counts only where a `gradient` is asked for.
fn run_shards<T: Float>(
    workspace: &mut Workspace<T>,
    count: usize,
    gradient: Option<&mut [T]>,
    run: impl Fn(usize, &mut Shard<T>, &mut [T]) + Sync,
) {
    let (engine, pieces) = (workspace.engine, workspace.pieces(count));
    let shards = &mut workspace.shards[..pieces];
    if let [only] = shards {
        return run(0, only, gradient.unwrap_or_default());
    }
    workspace.threads.for_each(shards, |s, shard| {
        let mut own = std::mem::take(&mut shard.gradient);
        run(s, shard, &mut own);
        shard.gradient = own;
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

/// Refuses a buffer that is not as long as the parameters.
fn check_length<T, A: ActivationFn>(what: &str, spec: &Spec<A>, buffer: &[T]) -> Result<()> {
    match spec.parameters() {
        expected if expected == buffer.len() => Ok(()),
        expected => Err(Error::shape(what, expected, buffer.len())),
    }
}

/// A row-major matrix, of which each shard takes its rows.
#[derive(Clone, Copy)]
struct Rows<'a, T> {
    whole: Mat<'a, T>,
    shard_rows: usize,
}

impl<'a, T: Copy> Rows<'a, T> {
    /// The rows of `array`, which must be `rows` x `cols` and row-major.
    fn of(what: &str, array: &'a ArrayView2<'_, T>, rows: usize, cols: usize, shard_rows: usize) -> Result<Self> {
        match array.as_slice() {
            Some(data) if array.dim() == (rows, cols) => Ok(Self { whole: Mat::new(data, rows, cols), shard_rows }),
            _ => Err(refuse_shape(what, rows, cols, array.dim())),
        }
    }

    /// The rows of shard `s`.
    fn shard(&self, s: usize) -> Mat<'a, T> {
        let first = s * self.shard_rows;
        self.whole.row_range(first..self.whole.rows().min(first + self.shard_rows))
    }
}

/// The elements of `array`, which must be `rows` x `cols` and row-major.
fn contiguous_mut<'a, T>(
    what: &str,
    array: &'a mut ArrayViewMut2<'_, T>,
    rows: usize,
    cols: usize,
) -> Result<&'a mut [T]> {
    let dim = array.dim();
    array.as_slice_mut().filter(|_| dim == (rows, cols)).ok_or_else(|| refuse_shape(what, rows, cols, dim))
}

fn refuse_shape(what: &str, rows: usize, cols: usize, found: (usize, usize)) -> Error {
    let layout = if found == (rows, cols) { ", not row-major" } else { "" };
    Error::shape(what, format!("{rows} x {cols}, row-major"), format!("{} x {}{layout}", found.0, found.1))
}
