//! What subnormal numbers cost: a training that starts from weights of 1e-40 (`f64`: 1e-310) must not be slow.

use super::Real;
use deltarule::kernel::update;
use deltarule::optim::Optimizer;
use deltarule::prelude::*;
use deltarule::simd::Isa;
use ndarray::Array2;
use std::time::Instant;

/// The parameters of a network of 784 inputs, 100 hidden units and 10 outputs.
const PARAMETERS: usize = 79_510;
const STEPS: usize = 60;

/// The most that a run may take, in times that of one with ordinary numbers.
const BOUND: f64 = 2.0;

/// Gradient, two moments and parameters.
type Buffers<T> = [Vec<T>; 4];

fn buffers<T: Real>(values: [f64; 4]) -> Buffers<T> {
    values.map(|value| (0..PARAMETERS).map(|i| T::from_f64(value * (1.0 + i as f64 / PARAMETERS as f64))).collect())
}

type Sweep<T> = fn(Isa, &mut Buffers<T>);

fn sweeps<T: Real>() -> [(&'static str, Sweep<T>); 3] {
    [
        ("descend", |isa, [g, _, _, p]| update::descend(isa, T::from_f64(1e-3), g, p)),
        ("momentum", |isa, [g, m, _, p]| {
            update::momentum(isa, T::from_f64(1e-3), T::from_f64(0.9), true, g, m, p);
        }),
        ("adam", |isa, [g, m, v, p]| {
            let of = T::from_f64;
            let (rate, correction, epsilon) = (of(1e-3), of(1.3), of(1e-8));
            let c = update::AdamStep { beta1: of(0.9), beta2: of(0.999), rate, correction, epsilon };
            update::adam(isa, c, g, m, v, p);
        }),
    ]
}

/// The seconds of a run, the least of five.
fn seconds<T: Real>(isa: Isa, sweep: Sweep<T>, values: [f64; 4]) -> f64 {
    let run = |_| {
        let mut buffers = buffers(values);
        let start = Instant::now();
        (0..STEPS).for_each(|_| sweep(isa, &mut buffers));
        start.elapsed().as_secs_f64()
    };
    (0..5).map(run).fold(f64::INFINITY, f64::min)
}

fn ratios<T: Real>(tiny: f64) {
    for isa in Isa::available().filter(|&isa| isa != Isa::Portable) {
        for (name, sweep) in sweeps::<T>() {
            let ordinary = seconds(isa, sweep, [1e-3, 1e-3, 1e-6, 0.5]);
            for (what, values) in [
                ("weights", [1e-3, 1e-3, 1e-6, tiny]),
                ("weights, no gradient", [0.0, 0.0, 0.0, tiny]),
                ("gradients", [tiny, 1e-3, 1e-6, 0.5]),
                ("moments", [0.0, tiny, tiny, 0.5]),
                ("everything", [tiny, tiny, tiny, tiny]),
            ] {
                let ratio = seconds(isa, sweep, values) / ordinary;
                println!("{name}, {} at {isa}, subnormal {what}: {ratio:.2}", T::either("f32", "f64"));
                assert!(ratio <= BOUND, "{name} at {isa}, subnormal {what}: {ratio} times an ordinary run's time");
            }
        }
    }
}

/// `cargo test --release --test kernels -- --ignored --nocapture subnormal`.
#[test]
#[ignore = "measures time, which other tests disturb"]
fn subnormal_numbers_are_not_slow_in_f32() {
    ratios::<f32>(1e-40);
}

#[test]
#[ignore = "measures time, which other tests disturb"]
fn subnormal_numbers_are_not_slow_in_f64() {
    ratios::<f64>(1e-310);
}

/// The steps of a training: an epoch of 60,000 rows.
const TRAINING: usize = 600;

/// The seconds of a training whose weights begin at their usual size times `scale`, the least of five.
fn training<T: Float>(activation: Activation, method: Method, scale: f64) -> f64 {
    let mut rng = Rng::new(1);
    let spec = Spec::mlp(64, &[100], activation, 10, Activation::Softmax).unwrap();
    let x = Array2::from_shape_simple_fn((100, 64), || rng.uniform::<T>(-1.0, 1.0));
    let y = Array2::from_shape_fn((100, 10), |(i, j)| if i % 10 == j { T::ONE } else { T::ZERO });
    let objective = Objective { loss: Loss::SoftmaxCrossEntropy, l1: 0.0, l2: 1e-4 };
    let engine = Engine::default();
    let mut run = || {
        let mut net = Network::<T>::new(spec.clone(), None, &mut rng).unwrap();
        let mut workspace = Workspace::new(&spec, 100, engine, Threads::one()).unwrap();
        let mut optimizer = Optimizer::new(method, net.params().len()).unwrap();
        let mut gradient = vec![T::ZERO; net.params().len()];
        let (spec, params) = net.parts_mut();
        params.iter_mut().for_each(|p| *p *= T::from_f64(scale));
        let start = Instant::now();
        for _ in 0..TRAINING {
            let batch = Batch { x: x.view(), y: y.view(), weights: None };
            pass::value_and_gradient(spec, params, batch, &objective, &mut workspace, &mut gradient).unwrap();
            optimizer.step(engine.isa(), 0.01, &gradient, params);
        }
        start.elapsed().as_secs_f64()
    };
    (0..5).map(|_| run()).fold(f64::INFINITY, f64::min)
}

/// The same command. The first step still multiplies the tiny weights, and takes as long as some eighty others; those multiply what
/// an update has left.
#[test]
#[ignore = "measures time, which other tests disturb"]
fn subnormal_weights_do_not_slow_a_training_down() {
    let sgd = Method::Sgd { momentum: 0.9, nesterov: true };
    let adam = Method::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    for activation in [Activation::Relu, Activation::Tanh, Activation::Sigmoid] {
        for (name, method) in [("descent", sgd), ("Adam", adam)] {
            let single = training::<f32>(activation, method, 1e-39) / training::<f32>(activation, method, 1.0);
            let double = training::<f64>(activation, method, 1e-309) / training::<f64>(activation, method, 1.0);
            println!("{name}, {activation}, subnormal weights: f32 {single:.2}, f64 {double:.2}");
            assert!(single <= BOUND && double <= BOUND, "{name}, {activation}: {single} and {double} times as long");
        }
    }
}

#[test]
fn nothing_subnormal_remains() {
    fn check<T: Real>(tiny: f64) {
        for isa in Isa::available() {
            for (name, sweep) in sweeps::<T>() {
                let mut buffers = buffers::<T>([tiny; 4]);
                sweep(isa, &mut buffers);
                let [_, first, second, params] = buffers;
                // What the sweep does not know stays as it was.
                let moments =
                    [first, second].into_iter().take(if name == "adam" { 2 } else { usize::from(name == "momentum") });
                let smallest = T::either(f64::from(f32::MIN_POSITIVE), f64::MIN_POSITIVE);
                let left = moments.flatten().chain(params).find(|x| x.real() != 0.0 && x.real().abs() < smallest);
                assert!(left.is_none(), "{name} at {isa} leaves {left:?}");
            }
        }
    }
    check::<f32>(1e-40);
    check::<f64>(1e-310);
}
