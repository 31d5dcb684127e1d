//! A network's objective as a function of its parameters, with values beside the point by the least work.
//!
//! A weight into unit `j` of layer `l` changes that unit alone, so nothing before it has to be computed again, and of the layer after it
//! only what hangs on one column of activations. So the point's weighted sums are kept; a moved parameter gives a new column; the next
//! layer's sums are the old ones plus that column's change times one row of weights; and only the layers after that are products, of the
//! rows of many moved parameters stacked on each other. For 784-100-10 on 32 rows each of 79,510 parameters costs 32 softmaxes a value
//! instead of 32 passes, and fewer where a row's number in that column stays as it is.
//!
//! ```text
//! z_l[:, j] + t x[:, i]  ->  a_l[:, j]  ->  z_(l+1) + (a' - a) w_(l+1)[j, :]  ->  A_(l+1) W_(l+2) + b ...  ->  losses
//! ```
//!
//! Nothing of this knows a derivative. That it gives the values of the pass itself is tried for each tensor before it is believed
//! ([`Subject::agrees_with_the_pass`]). The same road is taken in dual and complex numbers (`witnesses.rs`).

use super::point::{Feeds, Layers, Point};
use super::witnesses::{self, Known};
use super::{bound, tensors_of};
use crate::activation::ActivationFn;
use crate::complex::Complex;
use crate::dual::Dual;
use crate::error::Result;
use crate::gemm::{Mat, MatMut, affine};
use crate::gradcheck::{Function, Move, Oracle, Sample, Tensor, slope_of};
use crate::loss::LossFn;
use crate::network::objective::{Objective, penalty};
use crate::network::workspace::Workspace;
use crate::network::{Layer, generic, pass};
use crate::threads::Threads;

/// Numbers of one stacked matrix: 512 KiB, so that it stays in a second-level cache.
const STACKED: usize = 1 << 16;

/// The objective around its point.
pub(super) struct Subject<'a, A, L> {
    point: Point<'a, A, L>,
    workspace: Workspace<f64>,
    /// Inputs, weighted sums and activations once more, unit after unit: a move reads a few of these columns.
    x_columns: Vec<f64>,
    raw_columns: Vec<Vec<f64>>,
    normalised_columns: Vec<Vec<f64>>,
    sum_columns: Vec<Vec<f64>>,
    activation_columns: Vec<Vec<f64>>,
    /// Of each row, its loss and the piece of it.
    losses: Vec<f64>,
    loss_pieces: Vec<u64>,
    penalty: f64,
    /// Whether every activation and the loss tell their pieces.
    tells_pieces: bool,
    bounds: Option<Vec<f64>>,
    room: Room,
    /// What dual numbers and complex ones have found so far.
    known: [Known; 2],
}

/// Room for the values of some moves, kept from one call to the next.
#[derive(Default)]
struct Room {
    column: Vec<f64>,
    touched: Vec<Touched>,
    stacked: Vec<f64>,
    other: Vec<f64>,
    targets: Vec<f64>,
    /// Of what is touched; and of all rows of each move.
    losses: Vec<f64>,
    all: Vec<f64>,
    crossed: Vec<usize>,
}

/// A row of the batch that a move changes.
struct Touched {
    which: usize,
    row: usize,
    /// The number in it that changes first, what it becomes and by how much.
    unit: usize,
    to: f64,
    change: f64,
}

/// A matrix of so many rows, column after column.
fn transposed(numbers: &[f64], rows: usize) -> Vec<f64> {
    let cols = numbers.len() / rows;
    (0..numbers.len()).map(|i| numbers[i % rows * cols + i / rows]).collect()
}

/// So many of `value`, whatever was there.
fn refill<T: Copy>(numbers: &mut Vec<T>, length: usize, value: T) {
    numbers.clear();
    numbers.resize(length, value);
}

/// How many numbers lie in another piece of the activation than those beside them, of those that are kept.
fn crossings<A: ActivationFn>(activation: &A, there: &[f64], here: &[f64], kept: impl Fn(usize) -> bool) -> usize {
    let pairs = there.iter().zip(here).enumerate();
    pairs.filter(|(i, (a, b))| activation.piece(**a) != activation.piece(**b) && kept(*i)).count()
}

impl<'a, A: ActivationFn, L: LossFn> Subject<'a, A, L> {
    /// **Errors**: shapes that do not fit, or no memory.
    pub fn new(point: Point<'a, A, L>) -> Result<Self> {
        let (spec, objective, rows) = (point.spec, point.objective, point.shares.len());
        let columns = |layers: &[Vec<f64>]| layers.iter().map(|numbers| transposed(numbers, rows)).collect();
        let outputs = &point.layers.activations[spec.layers().len() - 1];
        let (mut losses, mut unused) = (vec![0.0; rows], vec![0.0; outputs.len()]);
        objective.loss.rows(point.engine.isa(), outputs, point.y(), &mut unused, spec.outputs(), &mut losses);
        let told = |layer: &Layer<A>| layer.activation.is_piecewise().is_some();
        let mut workspace = Workspace::for_prediction(spec, rows, point.engine, Threads::one())?;
        workspace.set_noise(spec, point.dropped.draw.clone())?;
        let mut subject = Self {
            workspace,
            x_columns: transposed(point.x(), rows),
            raw_columns: columns(&point.layers.raw),
            normalised_columns: columns(&point.layers.normalised),
            sum_columns: columns(&point.layers.sums),
            activation_columns: columns(&point.layers.activations),
            losses,
            loss_pieces: Vec::new(),
            penalty: penalty(spec, point.params, objective, point.engine, None),
            tells_pieces: spec.layers().iter().all(told) && objective.loss.is_piecewise().is_some(),
            bounds: bound::rounding::<f64, _, _>(&point),
            room: Room::default(),
            known: Default::default(),
            point,
        };
        subject.loss_pieces =
            subject.pieces_of_loss(&subject.point.layers.activations[spec.layers().len() - 1], subject.point.y());
        Ok(subject)
    }

    fn pieces_of_loss(&self, outputs: &[f64], targets: &[f64]) -> Vec<u64> {
        let width = self.point.spec.outputs();
        let targets = targets.chunks_exact(width);
        outputs.chunks_exact(width).zip(targets).map(|(o, t)| self.point.objective.loss.piece(o, t)).collect()
    }

    /// By how much one weight's part of the penalty changes.
    fn penalty_change(&self, index: usize, to: f64) -> f64 {
        let from = self.point.params[index];
        let Objective { l1, l2, .. } = *self.point.objective;
        l2 / 2.0 * (to - from) * (to + from) + l1 * (to.abs() - from.abs())
    }

    /// How many pieces of layer `l`'s sums differ from the point's: rows of any moves, of each of which it is told the move and the row
    /// of the batch.
    fn count_pieces(&self, l: usize, sums: &[f64], of: impl Iterator<Item = (usize, usize)>, crossed: &mut [usize]) {
        let (activation, width) = (&self.point.spec.layers()[l].activation, self.point.spec.layers()[l].outputs);
        if activation.is_piecewise() != Some(true) {
            return;
        }
        for (sums, (which, row)) in sums.chunks_exact(width).zip(of) {
            let here = &self.point.layers.sums[l][row * width..(row + 1) * width];
            crossed[which] += crossings(activation, sums, here, |unit| self.point.dropped.keeps(l, row, unit, width));
        }
    }

    /// The values of moves in layer `l`, all before its norm or none, and how many pieces each crosses.
    fn moved_in(&self, l: usize, moves: &[Move], samples: &mut [Sample], room: &mut Room) {
        let (rows, last) = (self.point.batch.x.nrows(), self.point.spec.layers().len() - 1);
        let (layer, block) = (&self.point.spec.layers()[l], &self.point.spec.blocks()[l]);
        let isa = self.point.engine.isa();
        let through = self.point.is_before_norm(moves[0].index);
        let Room { column, touched, stacked, other, targets, losses, all, crossed } = room;
        refill(crossed, moves.len(), 0);
        // The column that each move changes.
        refill(column, moves.len() * rows, 0.0);
        for ((to, m), crossed) in column.chunks_exact_mut(rows).zip(moves).zip(&mut *crossed) {
            let (_, unit, feeds) = self.point.place(m.index);
            let t = m.to - self.point.params[m.index];
            let sums = if through { &self.raw_columns[l] } else { &self.sum_columns[l] };
            let sums = &sums[unit * rows..(unit + 1) * rows];
            let by = match feeds {
                Feeds::Bias | Feeds::Shift => None,
                Feeds::Input(i) if l == 0 => Some(&self.x_columns[i * rows..(i + 1) * rows]),
                Feeds::Input(i) => Some(&self.activation_columns[l - 1][i * rows..(i + 1) * rows]),
                Feeds::Scale => Some(&self.normalised_columns[l][unit * rows..(unit + 1) * rows]),
            };
            match by {
                None => to.iter_mut().zip(sums).for_each(|(to, z)| *to = z + t),
                Some(x) => to.iter_mut().zip(sums).zip(x).for_each(|((to, z), x)| *to = z + t * x),
            }
            if layer.activation.is_piecewise() == Some(true) && !through {
                let dropped = &self.point.dropped;
                *crossed += crossings(&layer.activation, to, sums, |row| dropped.keeps(l, row, unit, block.outputs));
            }
            let signs = matches!(feeds, Feeds::Input(_)) && (m.to > 0.0) != (self.point.params[m.index] > 0.0);
            *crossed += usize::from(self.point.objective.l1 > 0.0 && signs);
        }
        let linked = self.point.linked && l == last;
        let elementwise = (linked || self.point.is_elementwise(l)) && !through;
        if elementwise && !linked {
            layer.activation.apply(isa, column, 1);
        }
        if let Some(factors) = self.point.dropped.of(l).filter(|_| elementwise) {
            for (column, m) in column.chunks_exact_mut(rows).zip(moves) {
                let (_, unit, _) = self.point.place(m.index);
                column.iter_mut().enumerate().for_each(|(row, a)| *a *= factors[row * block.outputs + unit]);
            }
        }
        let (here, columns) = match (elementwise, through) {
            (true, _) => (&self.point.layers.activations[l], &self.activation_columns[l]),
            (false, true) => (&self.point.layers.raw[l], &self.raw_columns[l]),
            (false, false) => (&self.point.layers.sums[l], &self.sum_columns[l]),
        };
        // A row whose number stays as it is, behind an input of 0 or a unit that is off, has the loss that it has at the point.
        touched.clear();
        for (which, (column, m)) in column.chunks_exact(rows).zip(moves).enumerate() {
            let (_, unit, _) = self.point.place(m.index);
            for (row, (&to, before)) in column.iter().zip(&columns[unit * rows..(unit + 1) * rows]).enumerate() {
                if to != *before {
                    touched.push(Touched { which, row, unit, to, change: to - before });
                }
            }
        }
        let of = || touched.iter().map(|t| (t.which, t.row));
        stacked.clear();
        let next = if l < last && elementwise {
            // The next layer's sums, by the change of one column.
            let next = &self.point.spec.blocks()[l + 1];
            for t in &*touched {
                let weights = next.weights.start + t.unit * next.outputs;
                let weights = &self.point.params[weights..weights + next.outputs];
                let from = stacked.len();
                let sums = self.point.weighted_sums(l + 1);
                stacked.extend_from_slice(&sums[t.row * next.outputs..(t.row + 1) * next.outputs]);
                stacked[from..].iter_mut().zip(weights).for_each(|(z, w)| *z += t.change * w);
            }
            self.point.normalise(l + 1, stacked);
            self.count_pieces(l + 1, stacked, of(), crossed);
            if !(self.point.linked && l + 1 == last) {
                self.point.spec.layers()[l + 1].activation.apply(isa, stacked, next.outputs);
            }
            self.point.dropped.apply(l + 1, next.outputs, stacked, touched.iter().map(|t| t.row));
            l + 2
        } else {
            // Whole rows of this layer: it is the last, or its units look at each other.
            for t in &*touched {
                let at = stacked.len() + t.unit;
                stacked.extend_from_slice(&here[t.row * block.outputs..(t.row + 1) * block.outputs]);
                stacked[at] = t.to;
            }
            if through {
                self.point.normalise(l, stacked);
                self.count_pieces(l, stacked, of(), crossed);
            }
            if !elementwise {
                if !linked {
                    layer.activation.apply(isa, stacked, block.outputs);
                }
                self.point.dropped.apply(l, block.outputs, stacked, touched.iter().map(|t| t.row));
            }
            l + 1
        };
        for l in next..=last {
            let (layer, block) = (&self.point.spec.layers()[l], &self.point.spec.blocks()[l]);
            refill(other, touched.len() * block.outputs, 0.0);
            let weights = Mat::new(&self.point.params[block.weights.clone()], block.inputs, block.outputs);
            let to = MatMut::new(other, touched.len(), block.outputs);
            let input = Mat::new(stacked, touched.len(), block.inputs);
            affine(self.point.engine, input, weights, &self.point.params[block.bias.clone()], to);
            self.point.normalise(l, other);
            self.count_pieces(l, other, of(), crossed);
            if !(self.point.linked && l == last) {
                layer.activation.apply(isa, other, block.outputs);
            }
            self.point.dropped.apply(l, block.outputs, other, touched.iter().map(|t| t.row));
            std::mem::swap(stacked, other);
        }
        let width = self.point.spec.outputs();
        targets.clear();
        touched.iter().for_each(|t| targets.extend_from_slice(&self.point.y()[t.row * width..(t.row + 1) * width]));
        if self.point.objective.loss.is_piecewise() == Some(true) {
            for (piece, (which, row)) in self.pieces_of_loss(stacked, targets).into_iter().zip(of()) {
                crossed[which] += usize::from(piece != self.loss_pieces[row]);
            }
        }
        refill(other, stacked.len(), 0.0);
        refill(losses, touched.len(), 0.0);
        self.point.objective.loss.rows(isa, stacked, targets, other, width, losses);
        all.clear();
        moves.iter().for_each(|_| all.extend_from_slice(&self.losses));
        losses.iter().zip(of()).for_each(|(&loss, (which, row))| all[which * rows + row] = loss);
        for (((sample, m), losses), &crossed) in
            samples.iter_mut().zip(moves).zip(all.chunks_exact(rows)).zip(&*crossed)
        {
            let mean: f64 = losses.iter().zip(&self.point.shares).map(|(loss, share)| loss * share).sum();
            let is_weight = matches!(self.point.place(m.index).2, Feeds::Input(_));
            let change = if is_weight { self.penalty_change(m.index, m.to) } else { 0.0 };
            *sample = Sample { value: mean + (self.penalty + change), crossed: self.tells_pieces.then_some(crossed) };
        }
    }

    /// How many pieces the parameters `x` cross, if all parts tell.
    pub fn crossed(&self, x: &[f64]) -> Option<usize> {
        let Point { spec, objective, .. } = self.point;
        let piecewise = |l: &Layer<A>| l.activation.is_piecewise() == Some(true);
        let any = spec.layers().iter().any(piecewise) || objective.loss.is_piecewise() == Some(true);
        if !self.tells_pieces || !any && objective.l1 == 0.0 {
            return self.tells_pieces.then_some(0);
        }
        let Layers { sums, activations, .. } = self.point.forward(x);
        let mut crossed = [0];
        let rows = || (0..self.point.batch.x.nrows()).map(|row| (0, row));
        sums.iter().enumerate().for_each(|(l, sums)| self.count_pieces(l, sums, rows(), &mut crossed));
        let pieces = self.pieces_of_loss(&activations[activations.len() - 1], self.point.y());
        crossed[0] += pieces.iter().zip(&self.loss_pieces).filter(|(a, b)| a != b).count();
        if objective.l1 > 0.0 {
            let weights = spec.blocks().iter().flat_map(|b| b.weights.clone());
            crossed[0] += weights.filter(|&i| (x[i] > 0.0) != (self.point.params[i] > 0.0)).count();
        }
        Some(crossed[0])
    }

    /// Whether values by this road are those of the pass, for the first parameter of each tensor: if not, what differs.
    pub fn agrees_with_the_pass(&mut self) -> Option<String> {
        /// Far enough that a value changes, whatever it is made of.
        const STEP: f64 = 1.0 / 16.0;
        /// Sums in another order.
        const ROUNDING: f64 = 1e-10;
        let mut params = self.point.params.to_vec();
        for tensor in tensors_of(self.point.spec) {
            let index = tensor.range.start;
            let m = Move { index, to: self.point.params[index] + STEP };
            let mut sample = [Sample::from(f64::NAN)];
            self.moved(self.point.params, &[m], &mut sample);
            params[index] = m.to;
            let (by_parts, whole) = (sample[0].value, self.sample(&params).value);
            params[index] = self.point.params[index];
            let near = (by_parts - whole).abs() <= ROUNDING * whole.abs().max(by_parts.abs());
            // What is not finite is for the check itself to report.
            if !near && whole.is_finite() && by_parts.is_finite() {
                let what = &tensor.name;
                return Some(format!(
                    "the pass gives {whole:e} for a moved parameter of {what}, and its parts by themselves {by_parts:e}"
                ));
            }
        }
        None
    }
}

impl<A: ActivationFn, L: LossFn> Function for Subject<'_, A, L> {
    fn sample(&mut self, x: &[f64]) -> Sample {
        let value = pass::value(self.point.spec, x, self.point.batch.view(), self.point.objective, &mut self.workspace);
        // What fails here has failed before.
        Sample { value: value.map_or(f64::NAN, |v| v.objective()), crossed: self.crossed(x) }
    }

    fn moved(&mut self, _: &[f64], moves: &[Move], samples: &mut [Sample]) {
        let mut room = std::mem::take(&mut self.room);
        let mut from = 0;
        while from < moves.len() {
            let l = self.point.place(moves[from].index).0;
            let through = self.point.is_before_norm(moves[from].index);
            // Rows of this layer are stacked only where the next one's cannot be had from the change of a column.
            let alone = self.point.is_elementwise(l) && !through;
            let first = if l + 1 < self.point.spec.layers().len() && alone { l + 1 } else { l };
            let widest = self.point.spec.layers()[first..].iter().map(|layer| layer.outputs).max().unwrap_or(1);
            let most = (STACKED / (widest * self.point.batch.x.nrows())).max(1);
            let is_like = |m: &&Move| self.point.place(m.index).0 == l && self.point.is_before_norm(m.index) == through;
            let same = moves[from..].iter().take(most).take_while(is_like).count();
            self.moved_in(l, &moves[from..from + same], &mut samples[from..from + same], &mut room);
            from += same;
        }
        self.room = room;
    }

    fn slope(&mut self, oracle: Oracle, at: &[f64], direction: &[f64]) -> Option<f64> {
        let Point { spec, batch, objective, dropped, .. } = &self.point;
        let factors = &dropped.factors;
        slope_of(
            oracle,
            at,
            direction,
            |x: &[Dual]| {
                let value = generic::objective_under(factors, spec, x, batch, objective, None);
                value.unwrap_or(Dual { value: f64::NAN, slope: f64::NAN })
            },
            |x: &[Complex]| {
                let value = generic::objective_under(factors, spec, x, batch, objective, None);
                value.unwrap_or(Complex { re: f64::NAN, im: f64::NAN })
            },
        )
    }

    fn slopes(&mut self, oracle: Oracle, _: &[f64], indices: &[usize], slopes: &mut [f64]) -> bool {
        let which = usize::from(oracle == Oracle::Complex);
        let mut known = std::mem::take(&mut self.known[which]);
        let asked = witnesses::slopes(&self.point, oracle, indices, &mut known, slopes);
        self.known[which] = known;
        asked
    }

    fn tensors(&self) -> Vec<Tensor> {
        tensors_of(self.point.spec)
    }

    fn name(&self, index: usize) -> Option<String> {
        Some(self.point.spec.parameter_name(index))
    }

    fn rounding(&self) -> Option<&[f64]> {
        self.bounds.as_deref()
    }
}
