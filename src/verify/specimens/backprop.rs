//! A plain back-propagation, in double precision and products of matrices, that makes one mistake to order.
//!
//! Each [`Fault`] is made where it is made in real code: in the line that would hold it, before whatever follows from it. Without a fault
//! this is one more gradient of the objective, which shares no line with [`pass`](crate::network::pass).

use crate::activation::{Activation, ActivationFn};
use crate::loss::{Loss, LossFn};
use crate::network::Network;
use crate::network::objective::{Batch, Objective, is_linked};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};

/// A mistake in the code of back-propagation; [`specimens`](super) says of each where it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `t - y` for `y - t`.
    Sign,
    /// Rows are summed where the value is their mean.
    Summed,
    /// The mean is taken twice.
    MeanTwice,
    /// Back through the weights of square layers as they lie, not transposed.
    BackUntransposed,
    /// The gradient of weights is stored outputs x inputs.
    StoredTransposed,
    /// Biases get no gradient.
    BiasForgotten,
    /// Biases get the last row's gradient: `=` for `+=`.
    BiasOfLastRow,
    /// Biases get the sum over rows and units: a sum without its axis.
    BiasOverUnits,
    /// Biases are penalised.
    BiasPenalised,
    /// The squared penalty has no gradient.
    L2Missing,
    /// The squared penalty's gradient has the factor 2 that the half in its value cancels.
    L2Twice,
    /// The absolute penalty's gradient has no sign.
    L1Unsigned,
    /// The penalty's gradient is divided by the number of rows.
    PenaltyPerRow,
    /// The output activation has no slope: "delta is `y - t`" with any loss.
    OutputSlopeMissing,
    /// A layer takes the slope of the layer before.
    SlopeOfLayerBefore,
    /// Slopes are taken at the activations, where the sums are due.
    SlopeAtActivation,
    /// Weights' gradients take the sums of the layer below, where its activations are due.
    SumsForActivations,
    /// Weights are moved before the gradient goes back through them.
    MovedBefore,
    /// Nothing goes below the output layer.
    Detached,
    /// Products over rows are added up in single precision.
    SingleSums,
    /// Products over rows are made in blocks, and what is left over after the last is not.
    LastBlock,
    /// What lies in the buffer is added to.
    Accumulated,
    /// All rows count alike.
    WeightsIgnored,
    /// The first row counts as the second does.
    NeighboursWeight,
    /// Weighted rows are divided by how many they are.
    WeightsNotNormalised,
    /// Targets are those of the next row.
    TargetsShifted,
}

/// Rows of a block, for [`Fault::LastBlock`].
pub(super) const BLOCK: usize = 4;
/// How far [`Fault::MovedBefore`] moves: the rate that tutorials begin with.
const RATE: f64 = 0.01;

/// The gradient of the objective, as somebody who makes the mistake `fault` computes it.
///
/// **Shapes**: as [`pass::value_and_gradient`](crate::network::pass::value_and_gradient); softmax stands before its own loss only.
/// **Overwrites** `gradient`, which [`Fault::Accumulated`] adds to. **Panics** if shapes do not fit.
pub fn gradient(
    net: &Network<f64>,
    batch: Batch<'_, f64>,
    objective: &Objective<Loss>,
    fault: Option<Fault>,
    gradient: &mut [f64],
) {
    if fault != Some(Fault::Accumulated) {
        gradient.fill(0.0);
    }
    let layers = net.spec().layers();
    let (sums, activations) = forward(net, batch.x);
    let mut delta = output(net, &batch, objective, &sums, &activations, fault);
    for (l, block) in net.spec().blocks().iter().enumerate().rev() {
        let input = match l {
            0 => batch.x,
            _ if fault == Some(Fault::SumsForActivations) => sums[l - 1].view(),
            _ => activations[l - 1].view(),
        };
        let weights = over_rows(input, &delta, fault);
        let as_it_lies: Vec<f64> = match fault {
            Some(Fault::StoredTransposed) => weights.t().iter().copied().collect(),
            _ => weights.iter().copied().collect(),
        };
        gradient[block.weights.clone()].iter_mut().zip(as_it_lies).for_each(|(g, w)| *g += w);
        gradient[block.bias.clone()].iter_mut().zip(biases(&delta, fault)).for_each(|(g, b)| *g += b);
        if l == 0 {
            break;
        }
        let mut below = match fault {
            Some(Fault::BackUntransposed) if block.inputs == block.outputs => delta.dot(&net.weights(l)),
            Some(Fault::MovedBefore) => delta.dot(&(&net.weights(l) - RATE * &weights).t()),
            Some(Fault::Detached) => Array2::zeros((delta.nrows(), block.inputs)),
            _ => delta.dot(&net.weights(l).t()),
        };
        let at = match fault {
            Some(Fault::SlopeOfLayerBefore) => &sums[l.saturating_sub(2)],
            Some(Fault::SlopeAtActivation) => &activations[l - 1],
            _ => &sums[l - 1],
        };
        below *= &slopes(layers[l - 1].activation, at);
        delta = below;
    }
    penalty(net, objective, batch.x.nrows(), fault, gradient);
}

/// The weighted sums and activations of each layer.
fn forward(net: &Network<f64>, x: ArrayView2<'_, f64>) -> (Vec<Array2<f64>>, Vec<Array2<f64>>) {
    let (mut sums, mut activations): (Vec<Array2<f64>>, Vec<Array2<f64>>) = Default::default();
    for (l, layer) in net.spec().layers().iter().enumerate() {
        let mut z = activations.last().map_or(x, |a| a.view()).dot(&net.weights(l));
        if layer.bias {
            z += &net.bias(l);
        }
        let mut a = z.as_standard_layout().into_owned();
        a.rows_mut().into_iter().for_each(|mut row| {
            layer.activation.forward_row(row.as_slice_mut().expect("row-major"), &mut []);
        });
        sums.push(z);
        activations.push(a);
    }
    (sums, activations)
}

/// The gradient with respect to the sums of the output layer.
fn output(
    net: &Network<f64>,
    batch: &Batch<'_, f64>,
    objective: &Objective<Loss>,
    sums: &[Array2<f64>],
    activations: &[Array2<f64>],
    fault: Option<Fault>,
) -> Array2<f64> {
    let last = sums.len() - 1;
    let linked = is_linked(net.spec(), &objective.loss);
    let read = if linked { &sums[last] } else { &activations[last] };
    let rows = read.nrows();
    let weights = match batch.weights {
        Some(weights) if fault != Some(Fault::WeightsIgnored) => weights.to_vec(),
        _ => vec![1.0; rows],
    };
    let total: f64 = weights.iter().sum();
    let mut delta = Array2::zeros(read.dim());
    for (r, mut delta) in delta.rows_mut().into_iter().enumerate() {
        let target = if fault == Some(Fault::TargetsShifted) { (r + 1) % rows } else { r };
        let (read, target) = (read.row(r).to_vec(), batch.y.row(target).to_vec());
        objective.loss.row(&read, &target, delta.as_slice_mut().expect("row-major"));
        let weight = if fault == Some(Fault::NeighboursWeight) && r == 0 { weights[1] } else { weights[r] };
        delta *= match fault {
            Some(Fault::Sign) => -weight / total,
            Some(Fault::Summed) => weight,
            Some(Fault::MeanTwice) => weight / total / total,
            Some(Fault::WeightsNotNormalised) => weight / rows as f64,
            _ => weight / total,
        };
    }
    if !linked && fault != Some(Fault::OutputSlopeMissing) {
        let at = if fault == Some(Fault::SlopeAtActivation) { &activations[last] } else { &sums[last] };
        delta *= &slopes(net.spec().layers()[last].activation, at);
    }
    delta
}

fn slopes(activation: Activation, z: &Array2<f64>) -> Array2<f64> {
    z.mapv(|z| activation.value_and_slope(z).1)
}

/// The gradient of weights: a sum over rows.
fn over_rows(input: ArrayView2<'_, f64>, delta: &Array2<f64>, fault: Option<Fault>) -> Array2<f64> {
    match fault {
        Some(Fault::SingleSums) => Array2::from_shape_fn((input.ncols(), delta.ncols()), |(i, j)| {
            single(input.column(i).iter().zip(delta.column(j)).map(|(a, d)| a * d))
        }),
        Some(Fault::LastBlock) => {
            let whole = input.nrows() / BLOCK * BLOCK;
            input.slice(s![..whole, ..]).t().dot(&delta.slice(s![..whole, ..]))
        }
        _ => input.t().dot(delta),
    }
}

/// The gradient of biases.
fn biases(delta: &Array2<f64>, fault: Option<Fault>) -> Array1<f64> {
    match fault {
        Some(Fault::BiasForgotten) => Array1::zeros(delta.ncols()),
        Some(Fault::BiasOfLastRow) => delta.row(delta.nrows() - 1).to_owned(),
        Some(Fault::BiasOverUnits) => Array1::from_elem(delta.ncols(), delta.sum()),
        Some(Fault::SingleSums) => delta.columns().into_iter().map(|d| single(d.iter().copied())).collect(),
        _ => delta.sum_axis(Axis(0)),
    }
}

/// A sum that is kept in single precision.
fn single(terms: impl Iterator<Item = f64>) -> f64 {
    terms.fold(0.0_f32, |sum, term| (f64::from(sum) + term) as f32).into()
}

/// Adds the penalties' gradient.
fn penalty(net: &Network<f64>, objective: &Objective<Loss>, rows: usize, fault: Option<Fault>, gradient: &mut [f64]) {
    let Objective { l1, l2, .. } = *objective;
    let part = if fault == Some(Fault::PenaltyPerRow) { 1.0 / rows as f64 } else { 1.0 };
    for block in net.spec().blocks() {
        for i in block.weights.clone() {
            let weight = net.params()[i];
            let squares = match fault {
                Some(Fault::L2Missing) => 0.0,
                Some(Fault::L2Twice) => 2.0 * l2 * weight,
                _ => l2 * weight,
            };
            let sizes = if fault == Some(Fault::L1Unsigned) { l1 } else { l1 * weight.signum() };
            gradient[i] += part * (squares + sizes);
        }
        if fault == Some(Fault::BiasPenalised) {
            block.bias.clone().for_each(|i| gradient[i] += l2 * net.params()[i]);
        }
    }
}
