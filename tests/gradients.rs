//! Every gradient of every network is right: activation x loss x depth x weights x penalty x bias, against slopes measured
//! from values alone. Gradients that are wrong in the ways people get them wrong are found out in `specimens.rs`.
//!
//! `DELTARULE_BLAS` names a BLAS library to be loaded and tried too.

mod blas;

use deltarule::gradcheck::{self, Mode, Options, Report};
use deltarule::loss::Targets;
use deltarule::network::objective::Value;
use deltarule::prelude::*;
use deltarule::scalar::Scalar;
use deltarule::verify;
use ndarray::{Array2, Axis, concatenate, s};
use std::sync::{Arc, Mutex};

const INPUTS: usize = 3;
const OUTPUTS: usize = 2;

/// Rows to learn from, with targets that the loss allows.
struct Data {
    x: Array2<f64>,
    y: Array2<f64>,
    weights: Vec<f64>,
}

impl Data {
    fn new(rows: usize, inputs: usize, outputs: usize, loss: Loss, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let x = Array2::from_shape_simple_fn((rows, inputs), || rng.normal(0.0, 1.0));
        let mut y = Array2::from_shape_simple_fn((rows, outputs), || match loss.targets() {
            Targets::Probabilities | Targets::Distribution => rng.uniform(0.0, 1.0),
            Targets::Labels => rng.below(2) as f64,
            Targets::Counts => rng.below(6) as f64,
            Targets::Numbers => rng.normal(0.0, 1.5),
        });
        if loss.targets() == Targets::Distribution {
            y.rows_mut().into_iter().for_each(|mut row| row /= row.sum());
        }
        Self { x, y, weights: (0..rows).map(|_| rng.uniform(0.1, 3.0)).collect() }
    }

    fn batch(&self, weighted: bool) -> Batch<'_, f64> {
        Batch { x: self.x.view(), y: self.y.view(), weights: weighted.then_some(&self.weights) }
    }
}

/// A network of `depth` hidden layers of 4 and 3 units, whose biases are not zero.
fn network(hidden: Activation, depth: usize, output: Activation, bias: bool, seed: u64) -> Network<f64> {
    let layer = |units, activation| Layer { outputs: units, bias, activation, norm: Norm::None };
    let mut layers: Vec<_> = [4, 3].into_iter().take(depth).map(|units| layer(units, hidden)).collect();
    layers.push(layer(OUTPUTS, output));
    let mut rng = Rng::new(seed);
    let mut net = Network::new(Spec::new(INPUTS, layers).unwrap(), None, &mut rng).unwrap();
    net.params_mut().iter_mut().for_each(|p| *p += rng.uniform::<f64>(-0.3, 0.3));
    // Exponentials of exponentials leave the numbers' range.
    if hidden == Activation::Exponential {
        net.params_mut().iter_mut().for_each(|p| *p /= 8.0);
    }
    net
}

fn gradient_of<L: LossFn>(net: &Network<f64>, batch: Batch<'_, f64>, objective: &Objective<L>) -> (Value, Vec<f64>) {
    gradient_with(Engine::default(), net, batch, objective)
}

fn gradient_with<L: LossFn>(
    engine: Engine,
    net: &Network<f64>,
    batch: Batch<'_, f64>,
    objective: &Objective<L>,
) -> (Value, Vec<f64>) {
    let mut workspace = Workspace::new(net.spec(), batch.x.nrows(), engine, Threads::one()).unwrap();
    // What is to be overwritten is NaN before.
    let mut gradient = vec![f64::NAN; net.spec().parameters()];
    let value = pass::value_and_gradient(net.spec(), net.params(), batch, objective, &mut workspace, &mut gradient);
    (value.unwrap(), gradient)
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

// --------------------------------------------------------------------------------------------------- the whole product

/// What many checks found together.
#[derive(Debug, Default)]
struct Tally {
    networks: usize,
    checked: usize,
    agreed: usize,
    kinks: usize,
    inconclusive: usize,
    floor: f64,
}

impl Tally {
    fn add(&mut self, report: &Report, what: &str) {
        assert_eq!(report.counts.wrong, 0, "{what}: {report}");
        self.networks += 1;
        self.checked += report.counts.checked;
        self.agreed += report.counts.verified;
        self.kinks += report.counts.kinks;
        self.inconclusive += report.counts.inconclusive;
        self.floor = self.floor.max(report.floor);
    }

    /// Points are random, so that a kink within a step of 2^-17 is met once in some 10^4 coordinates; what could not be judged
    /// must be as rare. Slopes below the floor were compared absolutely, here to 1e-7 of a tenth of the largest loss: counts of up to 5
    /// make Poisson's as large as 10.
    fn require(&self, networks: usize) {
        println!("{self:?}");
        assert_eq!(self.networks, networks);
        assert!(1000 * self.kinks <= self.checked && 1000 * self.inconclusive <= self.checked, "{self:?}");
        assert_eq!(self.agreed + self.kinks + self.inconclusive, self.checked);
        assert!(self.floor < 1.0, "{self:?}");
    }
}

fn trainable() -> impl Iterator<Item = Activation> {
    Activation::ALL.into_iter().filter(|a| *a != Activation::Step)
}

/// Every combination of weights, penalty and bias.
fn variants() -> impl Iterator<Item = (bool, f64, bool)> {
    (0..8).map(|i| (i & 1 > 0, if i & 2 > 0 { 0.1 } else { 0.0 }, i & 4 > 0))
}

fn check_all(pairs: &[(Activation, usize, Activation)], loss: Loss, tally: &mut Tally) {
    for (i, &(hidden, depth, output)) in pairs.iter().enumerate() {
        for (weighted, l2, bias) in variants() {
            let net = network(hidden, depth, output, bias, i as u64);
            let data = Data::new(5, INPUTS, OUTPUTS, loss, i as u64);
            let objective = Objective { loss, l1: 0.0, l2 };
            let report =
                verify::parameters(&net, data.batch(weighted), &objective, Engine::default(), &Options::default())
                    .unwrap();
            assert_eq!(report.counts.checked, net.spec().parameters());
            let what = format!("{depth} x {hidden}, {output}, {loss}, weights {weighted}, l2 {l2}, bias {bias}");
            tally.add(&report, &what);
        }
    }
}

#[test]
fn every_output_activation_with_every_loss() {
    let mut tally = Tally::default();
    let pairs: Vec<_> = trainable().flat_map(|output| (0..3).map(move |d| (Activation::Tanh, d, output))).collect();
    Loss::ALL.into_iter().for_each(|loss| check_all(&pairs, loss, &mut tally));
    tally.require(13 * 3 * 12 * 8);
}

#[test]
fn every_hidden_activation_with_every_loss() {
    let mut tally = Tally::default();
    for loss in Loss::ALL {
        let output = loss.link().unwrap_or(Activation::Identity);
        let hidden = trainable().filter(|a| *a != Activation::Softmax);
        let pairs: Vec<_> = hidden.flat_map(|hidden| (1..3).map(move |d| (hidden, d, output))).collect();
        check_all(&pairs, loss, &mut tally);
    }
    tally.require(12 * 2 * 12 * 8);
}

#[test]
fn the_gradient_with_respect_to_the_inputs() {
    let mut tally = Tally::default();
    for (i, activation) in trainable().enumerate() {
        for depth in 0..3 {
            let hidden = if activation == Activation::Softmax { Activation::Gelu } else { activation };
            let net = network(hidden, depth, activation, depth != 1, i as u64);
            let x = Data::new(7, INPUTS, OUTPUTS, Loss::SquaredError, i as u64).x;
            let report = verify::inputs(&net, x.view(), Engine::default(), &Options::default()).unwrap();
            assert_eq!(report.counts.checked, 7 * INPUTS);
            tally.add(&report, &format!("{depth} x {hidden}, {activation}"));
        }
    }
    tally.require(13 * 3);
}

#[test]
fn constants_of_activations_and_losses_are_part_of_their_slopes() {
    let mut tally = Tally::default();
    for constant in [0.0, 0.3, 2.0] {
        let pairs = [Activation::LeakyRelu { slope: constant }, Activation::Elu { alpha: constant }].map(|a| (a, 2, a));
        let losses = [
            Loss::Huber { delta: 0.2 + constant },
            Loss::Quantile { quantile: 0.1 + constant / 3.0 },
            Loss::Focal { gamma: constant },
            Loss::SoftmaxFocal { gamma: 2.0 * constant },
        ];
        losses.into_iter().for_each(|loss| check_all(&pairs, loss, &mut tally));
    }
    tally.require(3 * 2 * 4 * 8);
}

#[test]
fn a_step_is_refused_by_its_layer_and_a_hidden_softmax_at_once() {
    let data = Data::new(4, INPUTS, OUTPUTS, Loss::SquaredError, 0);
    let layers = [Activation::Tanh; 3];
    for l in 0..3 {
        let mut layers = layers.map(|activation| Layer::new(OUTPUTS, activation));
        layers[l].activation = Activation::Step;
        let spec = Spec::new(INPUTS, layers.to_vec()).unwrap();
        let net = Network::<f64>::new(spec, None, &mut Rng::new(0)).unwrap();
        let expected = format!("layer {} has an activation without a usable slope (Step)", l + 1);
        let options = Options::default();
        let errors = [
            verify::parameters(&net, data.batch(false), &Objective::<Loss>::default(), Engine::default(), &options)
                .unwrap_err(),
            verify::inputs(&net, data.x.view(), Engine::default(), &options).unwrap_err(),
        ];
        for error in errors {
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
        layers[l].activation = Activation::Softmax;
        let spec = Spec::new(INPUTS, layers.to_vec());
        assert_eq!(spec.is_ok(), l == 2, "softmax in layer {}", l + 1);
    }
}

// -------------------------------------------------------------------------------------------------- weights, rows, types

/// Sums of a dozen terms near 1, in another order.
const REORDERED: f64 = 1e-14;

#[test]
fn only_the_ratios_of_weights_count_and_a_row_of_weight_two_is_the_row_twice() {
    for loss in Loss::ALL {
        let data = Data::new(9, INPUTS, OUTPUTS, loss, 3);
        let net = network(Activation::Tanh, 1, loss.link().unwrap_or(Activation::Identity), true, 3);
        let objective = Objective { loss, l1: 0.0, l2: 0.2 };
        let weighted = |weights: &[f64]| {
            let batch = Batch { weights: Some(weights), ..data.batch(false) };
            gradient_of(&net, batch, &objective)
        };
        let times = |factor: f64| weighted(&data.weights.iter().map(|w| factor * w).collect::<Vec<_>>());
        // Twice everything is exact; three times is not.
        assert_eq!(times(1.0), times(2.0), "{loss}");
        assert!(apart(&times(1.0).1, &times(3.0).1) < REORDERED, "{loss}");
        assert!(apart(&weighted(&[1.0; 9]).1, &gradient_of(&net, data.batch(false), &objective).1) < REORDERED);

        let mut twice = vec![1.0; 9];
        twice[4] = 2.0;
        let repeat = |a: &Array2<f64>| concatenate![Axis(0), a.view(), a.slice(s![4..5, ..])];
        let (x, y) = (repeat(&data.x), repeat(&data.y));
        let both = gradient_of(&net, Batch { x: x.view(), y: y.view(), weights: None }, &objective);
        let (value, gradient) = weighted(&twice);
        assert!((value.loss - both.0.loss).abs() < REORDERED && value.penalty == both.0.penalty, "{loss}");
        assert!(apart(&gradient, &both.1) < REORDERED, "{loss}");
        // It does matter which row.
        assert!(apart(&gradient, &times(1.0).1) > 1e-3, "{loss}");
    }
}

#[test]
fn the_objectives_scale_does_not_depend_on_the_rows() {
    let data = Data::new(12, INPUTS, OUTPUTS, Loss::SquaredError, 5);
    let net = network(Activation::Sigmoid, 2, Activation::Identity, true, 5);
    let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.3 };
    let (value, gradient) = gradient_of(&net, data.batch(false), &objective);
    // By hand: the mean of half squares, and the weights' squares without biases.
    let error = net.predict(data.x.view()).unwrap() - &data.y;
    let weights: f64 = (0..3).map(|l| net.weights(l).mapv(|w| w * w).sum()).sum();
    assert!((value.loss - error.mapv(|e| e * e).sum() / 24.0).abs() < REORDERED);
    assert!((value.penalty - 0.15 * weights).abs() < REORDERED);
    for size in [1, 2, 3, 4, 6] {
        let parts: Vec<_> = (0..12)
            .step_by(size)
            .map(|start| gradient_of(&net, data.batch(false).rows(start..start + size), &objective))
            .collect();
        let count = parts.len() as f64;
        let mean = parts.iter().map(|p| p.0.objective()).sum::<f64>() / count;
        assert!((mean - value.objective()).abs() < REORDERED, "batches of {size}");
        let means: Vec<_> = (0..gradient.len()).map(|i| parts.iter().map(|p| p.1[i]).sum::<f64>() / count).collect();
        assert!(apart(&means, &gradient) < REORDERED, "batches of {size}");
    }
}

#[test]
fn the_l1_penalty_is_the_sum_of_absolute_weights_and_its_slope_their_signs() {
    let mut tally = Tally::default();
    let pairs = Loss::ALL.map(|loss| (loss, loss.link().unwrap_or(Activation::Identity)));
    for ((loss, output), weighted) in pairs.into_iter().flat_map(|pair| [(pair, false), (pair, true)]) {
        let (data, mut net) = (Data::new(6, INPUTS, OUTPUTS, loss, 8), network(Activation::Tanh, 2, output, true, 8));
        let without = Objective { loss, l1: 0.0, l2: 0.1 };
        let with = Objective { l1: 0.25, ..without };
        tally.add(
            &verify::parameters(&net, data.batch(weighted), &with, Engine::default(), &Options::default()).unwrap(),
            &format!("{loss}, weights {weighted}"),
        );
        // By hand; a weight of 0 has no sign, and biases are not penalised.
        (net.params_mut()[1], net.params_mut()[5]) = (0.0, -0.0);
        let (value, mut expected) = gradient_of(&net, data.batch(weighted), &without);
        let (penalised, gradient) = gradient_of(&net, data.batch(weighted), &with);
        let mut sum = 0.0;
        for i in net.spec().blocks().iter().flat_map(|block| block.weights.clone()) {
            let weight = net.params()[i];
            sum += weight.abs();
            expected[i] += if weight == 0.0 { 0.0 } else { 0.25_f64.copysign(weight) };
        }
        assert_eq!(penalised.loss, value.loss);
        assert!((penalised.penalty - value.penalty - 0.25 * sum).abs() < REORDERED, "{loss}");
        assert_eq!(gradient.len(), net.spec().parameters());
        assert!(apart(&gradient, &expected) < REORDERED, "{loss}");
        for bias in net.spec().blocks().iter().map(|block| block.bias.clone()) {
            assert_eq!(gradient[bias.clone()], expected[bias], "{loss}");
        }
    }
    tally.require(12 * 2);
}

/// The f32 gradient's error, in parts of the largest component: some hundred roundings of 6e-8 each, which mostly cancel.
const SINGLE: f64 = 5e-6;

#[test]
fn the_gradient_in_f32_is_that_in_f64_to_its_rounding() {
    let mut worst: f64 = 0.0;
    for loss in Loss::ALL {
        for hidden in trainable().filter(|a| *a != Activation::Softmax) {
            let output = loss.link().unwrap_or(Activation::Identity);
            let single = network(hidden, 2, output, true, 7).cast::<f32>();
            let data = Data::new(40, INPUTS, OUTPUTS, loss, 7);
            let (x, y) = (data.x.mapv(|v| v as f32), data.y.mapv(|v| v as f32));
            let objective = Objective { loss, l1: 0.0, l2: 0.05 };
            let mut workspace = Workspace::new(single.spec(), 40, Engine::default(), Threads::one()).unwrap();
            let mut gradient = vec![f32::NAN; single.spec().parameters()];
            let batch = Batch { x: x.view(), y: y.view(), weights: None };
            pass::value_and_gradient(single.spec(), single.params(), batch, &objective, &mut workspace, &mut gradient)
                .unwrap();
            let (x, y) = (x.mapv(f64::from), y.mapv(f64::from));
            let batch = Batch { x: x.view(), y: y.view(), weights: None };
            let (_, double) = gradient_of(&single.cast(), batch, &objective);
            let gradient: Vec<f64> = gradient.into_iter().map(f64::from).collect();
            let error = apart(&gradient, &double) / double.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
            assert!(error < SINGLE && error > 0.0, "{hidden}, {loss}: {error:e}");
            worst = worst.max(error);
        }
    }
    println!("worst {worst:e}");
}

// -------------------------------------------------------------------------------------------------------------- shards

/// The squared error, and where the rows of outputs lie.
#[derive(Clone, Debug, Default)]
struct Addresses(Arc<Mutex<Vec<usize>>>);

impl LossFn for Addresses {
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
        self.0.lock().unwrap().push(output.as_ptr() as usize);
        Loss::SquaredError.row(output, target, delta)
    }
}

/// Sums over a thousand rows, in another order.
const SUMMED: f64 = 1e-12;

#[test]
fn row_shards_give_the_gradient_of_the_whole() {
    const ROWS: usize = 1150;
    let spec = Spec::mlp(8, &[64, 64], Activation::Tanh, 3, Activation::Identity).unwrap();
    let net = Network::<f64>::new(spec, None, &mut Rng::new(1)).unwrap();
    let data = Data::new(ROWS, 8, 3, Loss::SquaredError, 1);

    let addresses = Addresses::default();
    gradient_of(&net, data.batch(true), &Objective { loss: addresses.clone(), l1: 0.0, l2: 0.0 });
    let mut found = addresses.0.lock().unwrap().clone();
    found.sort_unstable();
    let shards = 1 + found.windows(2).filter(|pair| pair[1] - pair[0] != 3 * size_of::<f64>()).count();
    assert!(found.len() == ROWS && shards > 2, "{shards} shards");

    let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.1 };
    let (value, gradient) = gradient_of(&net, data.batch(true), &objective);
    let total: f64 = data.weights.iter().sum();
    let (mut loss, mut whole) = (0.0, vec![0.0; gradient.len()]);
    for start in (0..ROWS).step_by(50) {
        let rows = start..start + 50;
        let share = data.weights[rows.clone()].iter().sum::<f64>() / total;
        let (part, gradient) = gradient_of(&net, data.batch(true).rows(rows), &objective);
        loss += share * part.loss;
        whole.iter_mut().zip(gradient).for_each(|(w, g)| *w += share * g);
    }
    assert!((loss - value.loss).abs() < SUMMED && apart(&gradient, &whole) < SUMMED);

    // And both are right, along directions that each move every parameter.
    let options = Options { mode: Mode::Directions { count: 8, seed: 1 }, ..Options::default() };
    verify::parameters(&net, data.batch(true), &objective, Engine::default(), &options).unwrap().require().unwrap();
}

// ---------------------------------------------------------------------------------------------------------------- BLAS

/// Checked like every other, by values that the same library computed, and the embedded GEMM's but for the order of sums.
#[test]
fn a_blas_gives_the_gradient_too() {
    for engine in blas::engines() {
        let mut checked = 0;
        let mut check = |net: &Network<f64>, data: &Data, objective: &Objective, options: &Options| {
            let batch = || data.batch(true);
            let (_, gradient) = gradient_with(engine, net, batch(), objective);
            assert!(apart(&gradient, &gradient_of(net, batch(), objective).1) < SUMMED, "{engine:?}");
            let rows = data.x.nrows();
            let mut workspace = Workspace::for_prediction(net.spec(), rows, engine, Threads::one()).unwrap();
            let value = |p: &[f64]| pass::value(net.spec(), p, batch(), objective, &mut workspace).unwrap().objective();
            let report = gradcheck::check(value, &gradient, net.params(), options);
            assert_eq!(report.counts.wrong, 0, "{engine:?}: {report}");
            checked += report.counts.verified;
        };
        for loss in Loss::ALL {
            for depth in 0..3 {
                let net = network(Activation::Tanh, depth, loss.link().unwrap_or(Activation::Identity), true, 8);
                let data = Data::new(5, INPUTS, OUTPUTS, loss, 8);
                check(&net, &data, &Objective { loss, l1: 0.0, l2: 0.1 }, &Options::default());
            }
        }
        // Products of more than one tile, in shards of rows.
        let spec = Spec::mlp(8, &[64, 64], Activation::Tanh, 3, Activation::Identity).unwrap();
        let net = Network::<f64>::new(spec, None, &mut Rng::new(1)).unwrap();
        let data = Data::new(1150, 8, 3, Loss::SquaredError, 1);
        let options = Options { mode: Mode::Directions { count: 8, seed: 1 }, ..Options::default() };
        check(&net, &data, &Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.1 }, &options);
        println!("{}: {checked} agreed", engine.backend());
        assert!(checked > 300);
    }
}

// --------------------------------------------------------------------------------------------------------------- names

#[test]
fn a_parameters_name_says_where_it_lies() {
    let net = network(Activation::Tanh, 2, Activation::Tanh, true, 0);
    for (l, block) in net.spec().blocks().iter().enumerate() {
        for ((i, j), weight) in net.weights(l).indexed_iter() {
            let index = net.params().iter().position(|p| p == weight).unwrap();
            let name = format!("layer {}, weight from input {} to unit {}", l + 1, i + 1, j + 1);
            assert_eq!(net.spec().parameter_name(index), name);
        }
        assert_eq!(net.bias(l).len(), block.outputs);
        let last = format!("layer {}, bias of unit {}", l + 1, block.outputs);
        assert_eq!(net.spec().parameter_name(block.bias.end - 1), last);
    }
}
