//! What specimens are examined on: random networks and rows, small but for one, and both gradients before the checker.

use super::backprop::{self, BLOCK, Fault};
use super::formulas::{CLIP, Formula, Lapse, Measure, Unit};
use crate::activation::{Activation, ActivationFn};
use crate::engine::Engine;
use crate::error::Result;
use crate::gradcheck::{Options, Report};
use crate::loss::Loss;
use crate::network::objective::{Batch, Objective};
use crate::network::{Network, Spec};
use crate::rng::Rng;
use crate::verify::{claimed, inputs, parameters};
use ndarray::Array2;

/// The penalties that are customary: as small as this is what their faults are.
const PENALTY: f64 = 1e-4;

/// Sizes that no fault hides in: no width of 1, rows that no block divides.
struct Sizes {
    inputs: usize,
    hidden: [usize; 2],
    outputs: usize,
    rows: usize,
}

impl Sizes {
    fn draw(rng: &mut Rng) -> Self {
        Self {
            inputs: 3 + rng.below(3),
            hidden: [4 + rng.below(3), 4 + rng.below(3)],
            outputs: 2 + rng.below(3),
            rows: BLOCK * (1 + rng.below(2)) + 1 + rng.below(BLOCK - 1),
        }
    }
}

fn normal(rng: &mut Rng, rows: usize, cols: usize, deviation: f64) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, cols), || rng.normal(0.0, deviation))
}

/// One class a row. Two classes are there for certain, and the first more often than all others.
fn one_hot(rng: &mut Rng, rows: usize, classes: usize) -> Array2<f64> {
    let mut y = Array2::zeros((rows, classes));
    let class = |r: usize| match r {
        _ if r <= rows / 2 => 0,
        _ if r + 1 == rows => classes - 1,
        _ => rng.below(classes),
    };
    (0..rows).map(class).enumerate().for_each(|(r, class)| y[[r, class]] = 1.0);
    y
}

fn row_weights(rng: &mut Rng, rows: usize) -> Vec<f64> {
    (0..rows).map(|_| rng.uniform(0.5, 2.0)).collect()
}

/// A network all of whose parameters are random, the biases too.
fn network<A: ActivationFn>(sizes: &Sizes, hidden: A, output: A, rng: &mut Rng) -> Result<Network<f64, A>> {
    let mut net = Network::new(Spec::mlp(sizes.inputs, &sizes.hidden, hidden, sizes.outputs, output)?, None, rng)?;
    net.params_mut().iter_mut().for_each(|p| *p += rng.uniform::<f64>(-0.3, 0.3));
    Ok(net)
}

/// A mistake in the code of back-propagation: the gradient with it and without, before the checker.
pub(super) fn code(fault: Fault, engine: Engine, rng: &mut Rng) -> Result<[Report; 2]> {
    let Drawn { net, x, y, before, weights, objective } = Drawn::new(fault, rng)?;
    let batch = Batch { x: x.view(), y: y.view(), weights: weights.as_deref() };
    let [x, y] = &before;
    let earlier = Batch { x: x.view(), y: y.view(), weights: weights.as_deref() };
    let examine = |fault: Option<Fault>| {
        let mut gradient = vec![0.0; net.params().len()];
        backprop::gradient(&net, earlier.view(), &objective, None, &mut gradient);
        backprop::gradient(&net, batch.view(), &objective, fault, &mut gradient);
        claimed(&net, batch.view(), &objective, &gradient, engine, &Options::default())
    };
    Ok([examine(Some(fault))?, examine(None)?])
}

/// What [`backprop`] works on.
struct Drawn {
    net: Network<f64>,
    x: Array2<f64>,
    y: Array2<f64>,
    /// Rows and targets of the batch before.
    before: [Array2<f64>; 2],
    weights: Option<Vec<f64>>,
    objective: Objective<Loss>,
}

impl Drawn {
    fn new(fault: Fault, rng: &mut Rng) -> Result<Self> {
        let mut sizes = Sizes::draw(rng);
        if fault == Fault::BackUntransposed {
            (sizes.hidden[1], sizes.outputs) = (sizes.hidden[0], sizes.hidden[0]);
        } else if fault == Fault::SlopeOfLayerBefore {
            sizes.hidden[1] = sizes.hidden[0];
        }
        let smooth = [Activation::Sigmoid, Activation::Tanh, Activation::Softplus, Activation::Silu, Activation::Gelu];
        let pairs = [
            (Loss::SquaredError, Activation::Identity),
            (Loss::LogisticCrossEntropy, Activation::Sigmoid),
            (Loss::SoftmaxCrossEntropy, Activation::Softmax),
        ];
        let (hidden, mut pair) = (smooth[rng.below(smooth.len())], pairs[rng.below(pairs.len())]);
        if fault == Fault::OutputSlopeMissing {
            pair = (Loss::SquaredError, Activation::Tanh);
        }
        let (loss, output) = pair;
        let mut net = network(&sizes, hidden, output, rng)?;
        for start in net.spec().blocks().iter().map(|b| b.weights.start).collect::<Vec<_>>() {
            // A weight of each sign in every layer.
            let params = net.params_mut();
            (params[start], params[start + 1]) = (params[start].abs(), -params[start + 1].abs());
        }
        let mut targets = || match loss {
            Loss::SquaredError => normal(rng, sizes.rows, sizes.outputs, 1.0),
            Loss::SoftmaxCrossEntropy => one_hot(rng, sizes.rows, sizes.outputs),
            _ => normal(rng, sizes.rows, sizes.outputs, 1.0).mapv(|y| f64::from(u8::from(y > 0.0))),
        };
        let [y, y_before] = [targets(), targets()];
        let [x, x_before] = [0, 1].map(|_| normal(rng, sizes.rows, sizes.inputs, 1.0));
        // Where rows count alike, targets in another order leave the mean of their errors, the last biases' gradient, as it is.
        let about_weights =
            [Fault::WeightsIgnored, Fault::NeighboursWeight, Fault::WeightsNotNormalised, Fault::TargetsShifted];
        let weighted = about_weights.contains(&fault) || rng.below(2) == 0;
        let weights = weighted.then(|| row_weights(rng, sizes.rows));
        let objective = Objective { loss, l1: PENALTY, l2: PENALTY };
        Ok(Self { net, x, y, before: [x_before, y_before], weights, objective })
    }
}

/// A single wrong entry among some 100,000, by a thousandth of itself.
pub(super) fn entry(engine: Engine, rng: &mut Rng) -> Result<[Report; 2]> {
    let sizes = Sizes { inputs: 300, hidden: [0; 2], outputs: 30, rows: 2 };
    let spec = Spec::mlp(sizes.inputs, &[300], Activation::Tanh, sizes.outputs, Activation::Identity)?;
    let net = Network::<f64>::new(spec, None, rng)?;
    let (x, y) = (normal(rng, sizes.rows, sizes.inputs, 1.0), normal(rng, sizes.rows, sizes.outputs, 1.0));
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: PENALTY };
    let mut gradient = vec![0.0; net.params().len()];
    backprop::gradient(&net, batch.view(), &objective, None, &mut gradient);
    let innocent = claimed(&net, batch.view(), &objective, &gradient, engine, &Options::default())?;
    gradient[rng.below(net.spec().blocks()[0].weights.end)] *= 1.001;
    Ok([claimed(&net, batch, &objective, &gradient, engine, &Options::default())?, innocent])
}

/// A wrong activation, in the hidden layers or, if it is one for outputs, there.
pub(super) fn activation(unit: Unit, engine: Engine, rng: &mut Rng) -> Result<[Report; 2]> {
    let sizes = Sizes::draw(rng);
    let (x, y) = (normal(rng, sizes.rows, sizes.inputs, 1.0), normal(rng, sizes.rows, sizes.outputs, 1.0));
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let sound = |activation| Formula { unit: Unit::Sound(activation), faulty: false };
    let rng = rng.clone();
    let examine = |faulty| {
        let formula = Formula { unit, faulty };
        let (hidden, output) = match unit {
            Unit::SoftmaxDiagonal => (sound(Activation::Tanh), formula),
            _ => (formula, sound(Activation::Identity)),
        };
        let net = network(&sizes, hidden, output, &mut rng.clone())?;
        parameters(&net, batch.view(), &Objective::<Loss>::default(), engine, &Options::default())
    };
    Ok([examine(true)?, examine(false)?])
}

/// The gradient with respect to the inputs, without the slope of the first layer.
pub(super) fn input(engine: Engine, rng: &mut Rng) -> Result<[Report; 2]> {
    let sizes = Sizes::draw(rng);
    let x = normal(rng, sizes.rows, sizes.inputs, 1.0);
    let sound = |activation| Formula { unit: Unit::Sound(activation), faulty: false };
    let net = network(&sizes, sound(Activation::Tanh), sound(Activation::Identity), rng)?;
    let examine = |faulty| {
        let mut layers = net.spec().layers().to_vec();
        layers[0].activation = Formula { unit: Unit::Slopeless, faulty };
        let net = Network::from_params(Spec::new(sizes.inputs, layers)?, net.params().to_vec())?;
        inputs(&net, x.view(), engine, &Options::default())
    };
    Ok([examine(true)?, examine(false)?])
}

/// A wrong loss.
pub(super) fn loss(lapse: Lapse, engine: Engine, rng: &mut Rng) -> Result<[Report; 2]> {
    let measure = |faulty| Measure { lapse, faulty };
    let output = measure(false).output();
    let mut sizes = Sizes::draw(rng);
    let hidden = if lapse == Lapse::Unclipped { Activation::Softplus } else { Activation::Tanh };
    if lapse == Lapse::Unclipped {
        sizes.outputs = 1;
    }
    let net = network(&sizes, hidden, output, rng)?;
    let mut x = normal(rng, sizes.rows, sizes.inputs, 1.0);
    let mut y = match output {
        Activation::Sigmoid => normal(rng, sizes.rows, sizes.outputs, 1.0).mapv(|y| f64::from(u8::from(y > 0.0))),
        _ if measure(false).is_classes() => one_hot(rng, sizes.rows, sizes.outputs),
        _ if measure(false).is_counts() => normal(rng, sizes.rows, sizes.outputs, 3.0).mapv(|y| y.abs().floor()),
        _ => normal(rng, sizes.rows, sizes.outputs, 1.5),
    };
    if lapse == Lapse::Unclipped {
        saturate(&net, &mut x, &mut y, rng)?;
    }
    // Of rows that count alike, faults of size 1 here and -1 there cancel in the last biases.
    let weights = row_weights(rng, sizes.rows);
    let batch = Batch { x: x.view(), y: y.view(), weights: Some(&weights) };
    let examine = |faulty| {
        let objective = Objective { loss: measure(faulty), l1: 0.0, l2: 0.0 };
        parameters(&net, batch.view(), &objective, engine, &Options::default())
    };
    Ok([examine(true)?, examine(false)?])
}

/// Moves the first row outwards until the network is sure of it beyond what the loss counts, and wrong.
fn saturate(net: &Network<f64>, x: &mut Array2<f64>, y: &mut Array2<f64>, rng: &mut Rng) -> Result<()> {
    /// Small enough that a probability beyond the clip is none that has rounded to 1.
    const OUTWARDS: f64 = 1.1;
    /// Who is not sure so far out never will be: all units that matter are shut in that direction.
    const FAR: f64 = 1e3;
    let mut p = 0.5;
    while (CLIP..=1.0 - CLIP).contains(&p) {
        x.row_mut(0).mapv_inplace(|x| OUTWARDS * x);
        if x.row(0).iter().any(|x| x.abs() > FAR) {
            x.row_mut(0).mapv_inplace(|_| rng.normal(0.0, 1.0));
        }
        p = net.predict(x.view())?[[0, 0]];
    }
    y[[0, 0]] = if p < 0.5 { 1.0 } else { 0.0 };
    Ok(())
}
