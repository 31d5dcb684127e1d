//! The Gauss-Newton curvature of an objective: `J' H J`, with `J` the Jacobian of the outputs and `H` the loss's second derivative.
//!
//! Row 4 of the house: imports `objective`, `spec`, mathematics, engines and the ground. Begin reading at [`Curvature::compute`].
//!
//! For each row `H` is a sum of `s s'` over as many vectors `s` as there are outputs ([`LossFn::curvature_root`]), and each of them,
//! sent back through the network like a gradient, becomes a row of `B`, so that the curvature is `B' B`. For the squared error `B`
//! is the Jacobian itself. `B` is made in blocks of rows and never stored whole:
//!
//! ```text
//! a block of rows, cut into lanes    forward, then each s backward: lanes on whichever thread is free
//! C <- C + B' B                      the lower triangle in bands of rows, which the threads share
//! ```
//!
//! No bit of a band depends on who computes it, and blocks are added in their order: the same bits for any number of threads
//! without a second copy of `C`, which would be the largest thing there is.

use super::objective::{Batch, Objective, is_linked, total_weight};
use super::spec::{Layer, Spec};
use crate::activation::ActivationFn;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::gemm::{Mat, MatMut, affine, gemm};
use crate::loss::LossFn;
use crate::memory::zeros;
use crate::threads::Threads;

/// The numbers of a block of `B`: 4 MiB in `f64`, which a band reads once.
const BLOCK_NUMBERS: usize = 1 << 19;
/// The most rows of `B` in a block: the depth to which a product sums before it adds to `C` ([`crate::gemm::DEPTH`]).
const BLOCK_ROWS: usize = crate::gemm::DEPTH;
/// Into how many lanes a block is cut at most, and the fewest rows of one: below, its products are thin.
const LANES: usize = 16;
const LANE_ROWS: usize = 8;
/// Rows of `C` in a band. What a band computes above the diagonal is wasted: half its square.
const BAND: usize = 64;

/// What one lane needs for its rows.
#[derive(Clone, Debug)]
struct Lane<T> {
    /// For each layer its activations and slopes: rows x outputs.
    activations: Vec<Vec<T>>,
    slopes: Vec<Vec<T>>,
    /// The vectors on their way back, those of the first output first: rows x outputs, for each output of the network.
    delta: Vec<T>,
    below: Vec<T>,
    /// The root of one row's second derivative.
    root: Vec<T>,
}

/// How a block is cut: a function of shapes alone.
#[derive(Clone, Copy, Debug)]
struct Cut {
    lanes: usize,
    lane_rows: usize,
}

impl Cut {
    fn new<A: ActivationFn>(spec: &Spec<A>, rows: usize) -> Self {
        let outputs = spec.outputs();
        let fit = BLOCK_NUMBERS / spec.parameters().saturating_mul(outputs).max(1);
        let block = fit.min(BLOCK_ROWS / outputs).clamp(1, rows.max(1));
        let lanes = (block / LANE_ROWS).clamp(1, LANES);
        Self { lanes, lane_rows: block.div_ceil(lanes) }
    }

    fn rows(self) -> usize {
        self.lanes * self.lane_rows
    }
}

/// The buffers that a curvature takes, allocated once.
#[derive(Clone, Debug)]
pub struct Curvature<T> {
    engine: Engine,
    threads: Threads,
    cut: Cut,
    lanes: Vec<Lane<T>>,
    /// A block of `B`: for each row and output the vector sent back, as long as the parameters.
    rows: Vec<T>,
    widths: Vec<usize>,
}

/// The network and the rows that every lane reads.
struct Work<'a, T, A, L> {
    spec: &'a Spec<A>,
    params: &'a [T],
    batch: Batch<'a, T>,
    loss: &'a L,
    total: f64,
    linked: bool,
    engine: Engine,
}

impl<T: Float> Curvature<T> {
    /// Buffers for batches of up to `rows` rows.
    ///
    /// **Errors** if the memory cannot be had.
    pub fn new<A: ActivationFn>(spec: &Spec<A>, rows: usize, engine: Engine, threads: Threads) -> Result<Self> {
        let what = "the curvature's buffers";
        let (cut, outputs) = (Cut::new(spec, rows), spec.outputs());
        let matrix = |cols: usize| zeros(cut.lane_rows.saturating_mul(cols), what);
        let layers = || spec.layers().iter().map(|layer| matrix(layer.outputs)).collect::<Result<Vec<_>>>();
        let widest = widest(spec).saturating_mul(outputs);
        let lane = || {
            Ok(Lane {
                activations: layers()?,
                slopes: layers()?,
                delta: matrix(widest)?,
                below: matrix(widest)?,
                root: zeros(outputs.saturating_mul(outputs), what)?,
            })
        };
        Ok(Self {
            engine,
            threads,
            cut,
            lanes: (0..cut.lanes).map(|_| lane()).collect::<Result<_>>()?,
            rows: zeros((cut.rows() * outputs).saturating_mul(spec.parameters()), what)?,
            widths: std::iter::once(spec.inputs()).chain(spec.layers().iter().map(|l| l.outputs)).collect(),
        })
    }

    /// How many bytes the buffers for batches of up to `rows` rows take.
    pub fn required_bytes<A: ActivationFn>(spec: &Spec<A>, rows: usize) -> u128 {
        let (cut, outputs) = (Cut::new(spec, rows), spec.outputs() as u128);
        let units: u128 = spec.layers().iter().map(|layer| layer.outputs as u128).sum();
        let lane = cut.lane_rows as u128 * (2 * units + 2 * widest(spec) as u128 * outputs) + outputs * outputs;
        let block = cut.rows() as u128 * outputs * spec.parameters() as u128;
        (cut.lanes as u128 * lane + block) * size_of::<T>() as u128
    }

    /// Writes the lower triangle of the objective's Gauss-Newton curvature at `params`: of the weighted mean of the losses, and the
    /// `l2` penalty's diagonal.
    ///
    /// **Shapes**: `curvature` parameters x parameters, row-major; what lies above the diagonal is of no use. **Overwrites** it and
    /// the buffers. Allocates nothing. **Determinism**: the same bits for any number of threads. **Errors**: shapes that do not
    /// fit, an activation without slope, weights that are negative or sum to 0, a loss without
    /// [curvature](LossFn::curvature_root), an `l1` penalty, which has none.
    pub fn compute<A: ActivationFn, L: LossFn>(
        &mut self,
        spec: &Spec<A>,
        params: &[T],
        batch: Batch<'_, T>,
        objective: &Objective<L>,
        curvature: &mut [T],
    ) -> Result<()> {
        let (count, outputs, len) = (batch.x.nrows(), spec.outputs(), spec.parameters());
        self.check(spec, params, &batch, curvature)?;
        check_objective(spec, objective)?;
        let total = total_weight(batch.weights, count)?;
        let Self { engine, cut, .. } = *self;
        let linked = is_linked(spec, &objective.loss);
        let batch = batch.view();
        let work = Work { spec, params, batch, loss: &objective.loss, total, linked, engine };
        let (threads, lanes, block) = (&self.threads, &mut self.lanes, &mut self.rows);
        for start in (0..count).step_by(cut.rows()) {
            let rows = cut.rows().min(count - start) * outputs;
            let block = &mut block[..rows * len];
            threads.enter(|| each_lane(threads, lanes, start, cut.lane_rows * outputs * len, block, cut, &work));
            let b = Mat::new(block, rows, len);
            let beta = if start == 0 { T::ZERO } else { T::ONE };
            threads.enter(|| {
                threads.share(len.div_ceil(BAND), len, [&mut *curvature], |band, [c]| {
                    let c = MatMut::with_stride(c, band.len(), band.end, len);
                    gemm(engine, T::ONE, b.columns(band.clone()).t(), b.columns(0..band.end), beta, c);
                });
            });
        }
        for i in spec.blocks().iter().flat_map(|block| block.weights.clone()) {
            curvature[i * len + i] += T::from_f64(objective.l2);
        }
        Ok(())
    }

    fn check<A: ActivationFn>(
        &self,
        spec: &Spec<A>,
        params: &[T],
        batch: &Batch<'_, T>,
        curvature: &[T],
    ) -> Result<()> {
        let rows = batch.x.nrows();
        let widths = std::iter::once(spec.inputs()).chain(spec.layers().iter().map(|l| l.outputs));
        if !widths.clone().eq(self.widths.iter().copied()) {
            let found: Vec<_> = widths.collect();
            return Err(Error::shape("curvature", format!("made for layers {:?}", self.widths), format!("{found:?}")));
        }
        let len = spec.parameters();
        for (what, expected, found) in
            [("parameters", len, params.len()), ("curvature", len.saturating_mul(len), curvature.len())]
        {
            if expected != found {
                return Err(Error::shape(what, expected, found));
            }
        }
        for (what, array, width) in [("x", &batch.x, spec.inputs()), ("y", &batch.y, spec.outputs())] {
            if array.dim() != (rows, width) || !array.is_standard_layout() {
                let found = format!("{} x {}", array.nrows(), array.ncols());
                return Err(Error::shape(what, format!("{rows} x {width}, row-major"), found));
            }
        }
        Ok(())
    }
}

/// The widest layer, whose numbers go back.
fn widest<A: ActivationFn>(spec: &Spec<A>) -> usize {
    spec.layers().iter().map(|layer| layer.outputs).max().unwrap_or(0)
}

/// Refuses what has no Gauss-Newton curvature.
///
/// **Errors** name the loss, the penalty or the layer.
pub fn check_objective<A: ActivationFn, L: LossFn>(spec: &Spec<A>, objective: &Objective<L>) -> Result<()> {
    spec.check_differentiable()?;
    if objective.l1 != 0.0 {
        let found = format!("l1 = {}", objective.l1);
        return Err(Error::Unsupported(format!(
            "Gauss-Newton methods know no curvature of absolute weights ({found})"
        )));
    }
    if let Some(l) = spec.layers().iter().position(|layer| !layer.norm.is_none()) {
        return Err(Error::Unsupported(format!("Gauss-Newton methods take no norms, and layer {} has one", l + 1)));
    }
    let mut root = [0.0];
    if !objective.loss.curvature_root(&[0.5], &[0.5], &mut root) {
        return Err(Error::Unsupported(format!(
            "Gauss-Newton methods need a loss with a curvature, the squared error or a cross-entropy, and this is {:?}",
            objective.loss
        )));
    }
    Ok(())
}

/// Hands out the lanes of a block that begins at row `start`, each with its part of `B`.
fn each_lane<T: Float, A: ActivationFn, L: LossFn>(
    threads: &Threads,
    lanes: &mut [Lane<T>],
    start: usize,
    part: usize,
    block: &mut [T],
    cut: Cut,
    work: &Work<'_, T, A, L>,
) {
    if block.is_empty() {
        return;
    }
    if let [only] = lanes {
        let rows = block.len() / (work.spec.outputs() * work.spec.parameters());
        return only.run(work, start, rows, block);
    }
    let half = lanes.len() / 2;
    let (left, right) = lanes.split_at_mut(half);
    let (block_left, block_right) = block.split_at_mut((half * part).min(block.len()));
    threads.join(
        || each_lane(threads, left, start, part, block_left, cut, work),
        || each_lane(threads, right, start + half * cut.lane_rows, part, block_right, cut, work),
    );
}

impl<T: Float> Lane<T> {
    /// The rows of `B` that belong to `count` rows from `first` on, those of the first output first.
    fn run<A: ActivationFn, L: LossFn>(
        &mut self,
        work: &Work<'_, T, A, L>,
        first: usize,
        count: usize,
        block: &mut [T],
    ) {
        let &Work { spec, params, engine, linked, .. } = work;
        let (last, outputs, len) = (spec.layers().len() - 1, spec.outputs(), spec.parameters());
        let x = work.batch.x.as_slice().expect("row-major, as compute() has checked");
        let x = Mat::new(&x[first * spec.inputs()..(first + count) * spec.inputs()], count, spec.inputs());
        for (l, (layer, at)) in spec.layers().iter().zip(spec.blocks()).enumerate() {
            let (below, from_here) = self.activations.split_at_mut(l);
            let input = if l == 0 { x } else { Mat::new(&below[l - 1][..count * at.inputs], count, at.inputs) };
            let z = &mut from_here[0][..count * at.outputs];
            let weights = Mat::new(&params[at.weights.clone()], at.inputs, at.outputs);
            affine(engine, input, weights, &params[at.bias.clone()], MatMut::new(z, count, at.outputs));
            if !(linked && l == last) {
                let slope = &mut self.slopes[l][..count * at.outputs];
                layer.activation.apply_with_slope(engine.isa, z, slope, layer.outputs);
            }
        }
        self.seed(work, first, count);
        for (l, (layer, at)) in spec.layers().iter().zip(spec.blocks()).enumerate().rev() {
            let size = count * at.outputs;
            let delta = &mut self.delta[..outputs * size];
            if !(linked && l == last) {
                let (a, slope) = (&self.activations[l][..size], &self.slopes[l][..size]);
                back(layer, engine, a, slope, delta);
            }
            let input = if l == 0 { x.elements() } else { &self.activations[l - 1][..count * at.inputs] };
            for (row, (to, delta)) in block.chunks_exact_mut(len).zip(delta.chunks_exact(at.outputs)).enumerate() {
                let input = &input[row % count * at.inputs..][..at.inputs];
                for (to, &a) in to[at.weights.clone()].chunks_exact_mut(at.outputs).zip(input) {
                    to.iter_mut().zip(delta).for_each(|(to, &d)| *to = a * d);
                }
                if layer.bias {
                    to[at.bias.clone()].copy_from_slice(delta);
                }
            }
            if l > 0 {
                let rows = outputs * count;
                let weights = Mat::new(&params[at.weights.clone()], at.inputs, at.outputs);
                let to = MatMut::new(&mut self.below[..rows * at.inputs], rows, at.inputs);
                gemm(engine, T::ONE, Mat::new(delta, rows, at.outputs), weights.t(), T::ZERO, to);
                std::mem::swap(&mut self.delta, &mut self.below);
            }
        }
    }

    /// The vectors whose squares are each row's second derivative, by the root of the row's share of the mean.
    fn seed<A: ActivationFn, L: LossFn>(&mut self, work: &Work<'_, T, A, L>, first: usize, count: usize) {
        let outputs = work.spec.outputs();
        let y = work.batch.y.as_slice().expect("row-major, as compute() has checked");
        let out = &self.activations[work.spec.layers().len() - 1];
        for i in 0..count {
            let row = first + i;
            let (output, target) = (&out[i * outputs..][..outputs], &y[row * outputs..][..outputs]);
            work.loss.curvature_root(output, target, &mut self.root);
            let weight = work.batch.weights.map_or(1.0, |w| w[row].real());
            let share = T::from_f64((weight / work.total).sqrt());
            for (k, root) in self.root.chunks_exact(outputs).enumerate() {
                let to = &mut self.delta[(k * count + i) * outputs..][..outputs];
                to.iter_mut().zip(root).for_each(|(to, &s)| *to = share * s);
            }
        }
    }
}

/// Takes every output's vectors from a layer's activations to its weighted sums.
fn back<T: Float, A: ActivationFn>(layer: &Layer<A>, engine: Engine, a: &[T], slope: &[T], delta: &mut [T]) {
    for delta in delta.chunks_exact_mut(a.len()) {
        layer.activation.backward(engine.isa, a, slope, delta, layer.outputs);
    }
}
