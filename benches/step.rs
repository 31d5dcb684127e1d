//! One step of training (forward, loss, backward, update), beside the same step in plain loops.
//!
//! ```text
//! cargo bench --bench step
//! ```
//!
//! Before anything is timed, the losses and parameters of a few steps are compared with the loops'.

#![allow(missing_docs, reason = "criterion's macros make functions without")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use deltarule::optim::Optimizer;
use deltarule::prelude::*;
use ndarray::Array2;
use std::hint::black_box;
use std::time::Duration;

/// A network, its rows and how it learns.
struct Subject {
    inputs: usize,
    hidden: usize,
    outputs: usize,
    rows: usize,
    activation: Activation,
    loss: Loss,
    method: Method,
    rate: f64,
}

/// The XOR document's network.
const XOR: Subject = Subject {
    inputs: 3,
    hidden: 4,
    outputs: 1,
    rows: 4,
    activation: Activation::Sigmoid,
    loss: Loss::SquaredError,
    method: Method::Sgd { momentum: 0.0, nesterov: false },
    rate: 0.5,
};
/// A small table's.
const TABLE: Subject = Subject { inputs: 21, hidden: 100, outputs: 4, rows: 200, ..IMAGES };
/// Handwritten digits'.
const IMAGES: Subject = Subject {
    inputs: 784,
    hidden: 100,
    outputs: 10,
    rows: 200,
    activation: Activation::Relu,
    loss: Loss::SoftmaxCrossEntropy,
    method: Method::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    rate: 0.001,
};

impl Subject {
    fn output(&self) -> Activation {
        self.loss.link().unwrap_or(self.activation)
    }

    fn data<T: Float>(&self) -> (Network<T>, Array2<T>, Array2<T>) {
        let mut rng = Rng::new(1);
        let spec = Spec::mlp(self.inputs, &[self.hidden], self.activation, self.outputs, self.output()).unwrap();
        let net = Network::new(spec, None, &mut rng).unwrap();
        let x = Array2::from_shape_simple_fn((self.rows, self.inputs), || rng.uniform(0.0, 1.0));
        let one = |i: usize, j: usize| if i % self.outputs.max(2) == j { T::ONE } else { T::ZERO };
        (net, x, Array2::from_shape_fn((self.rows, self.outputs), |(i, j)| one(i, j)))
    }
}

/// A network of two layers as one writes it down first: weights inputs x outputs, then biases, and a loop to each sum.
struct Loops<'a, T> {
    subject: &'a Subject,
    params: Vec<T>,
    gradient: Vec<T>,
    moments: (Vec<T>, Vec<T>),
    steps: i32,
    hidden: Vec<T>,
    output: Vec<T>,
    delta: Vec<T>,
    below: Vec<T>,
}

impl<'a, T: Float> Loops<'a, T> {
    fn new(subject: &'a Subject, params: &[T]) -> Self {
        let zeros = |len: usize| vec![T::ZERO; len];
        Self {
            subject,
            params: params.to_vec(),
            gradient: zeros(params.len()),
            moments: (zeros(params.len()), zeros(params.len())),
            steps: 0,
            hidden: zeros(subject.hidden),
            output: zeros(subject.outputs),
            delta: zeros(subject.outputs),
            below: zeros(subject.hidden),
        }
    }

    /// One step on all rows; the mean loss before it.
    fn step(&mut self, x: &Array2<T>, y: &Array2<T>) -> f64 {
        let Self { subject, params, gradient, hidden, output, delta, below, .. } = self;
        let Subject { inputs, hidden: units, outputs, rows, .. } = **subject;
        let (first, second) = params.split_at(inputs * units + units);
        gradient.fill(T::ZERO);
        let share = T::from_f64(1.0 / rows as f64);
        let mut loss = 0.0;
        for (x, y) in x.rows().into_iter().zip(y.rows()) {
            for j in 0..units {
                let mut z = first[inputs * units + j];
                for i in 0..inputs {
                    z += x[i] * first[i * units + j];
                }
                hidden[j] = if subject.activation == Activation::Relu {
                    if z > T::ZERO { z } else { T::ZERO }
                } else {
                    T::ONE / (T::ONE + (-z).exp())
                };
            }
            for k in 0..outputs {
                let mut z = second[units * outputs + k];
                for j in 0..units {
                    z += hidden[j] * second[j * outputs + k];
                }
                output[k] = z;
            }
            if subject.loss == Loss::SoftmaxCrossEntropy {
                let mut sum = T::ZERO;
                output.iter().for_each(|&o| sum += o.exp());
                for k in 0..outputs {
                    let p = output[k].exp() / sum;
                    loss -= (y[k] * p.ln()).real() / rows as f64;
                    delta[k] = (p - y[k]) * share;
                }
            } else {
                for k in 0..outputs {
                    let a = T::ONE / (T::ONE + (-output[k]).exp());
                    loss += 0.5 * (a - y[k]).real().powi(2) / rows as f64;
                    delta[k] = (a - y[k]) * a * (T::ONE - a) * share;
                }
            }
            let (first_gradient, second_gradient) = gradient.split_at_mut(inputs * units + units);
            for j in 0..units {
                let mut sum = T::ZERO;
                for k in 0..outputs {
                    sum += delta[k] * second[j * outputs + k];
                    second_gradient[j * outputs + k] += hidden[j] * delta[k];
                }
                below[j] = if subject.activation == Activation::Relu {
                    if hidden[j] > T::ZERO { sum } else { T::ZERO }
                } else {
                    sum * hidden[j] * (T::ONE - hidden[j])
                };
                first_gradient[inputs * units + j] += below[j];
            }
            for k in 0..outputs {
                second_gradient[units * outputs + k] += delta[k];
            }
            for i in 0..inputs {
                for j in 0..units {
                    first_gradient[i * units + j] += x[i] * below[j];
                }
            }
        }
        self.update();
        loss
    }

    fn update(&mut self) {
        self.steps += 1;
        let rate = self.subject.rate;
        let number = T::from_f64;
        for (i, (p, &g)) in self.params.iter_mut().zip(&self.gradient).enumerate() {
            *p -= match self.subject.method {
                Method::Adam { beta1, beta2, epsilon } => {
                    let (mean, square) = (&mut self.moments.0[i], &mut self.moments.1[i]);
                    *mean = number(beta1) * *mean + number(1.0 - beta1) * g;
                    *square = number(beta2) * *square + number(1.0 - beta2) * g * g;
                    let corrected = *mean / number(1.0 - beta1.powi(self.steps));
                    let root = (*square / number(1.0 - beta2.powi(self.steps))).sqrt();
                    number(rate) * corrected / (root + number(epsilon))
                }
                _ => number(rate) * g,
            };
        }
    }
}

/// Steps compared before any is timed.
const COMPARED: usize = 5;

/// Rounding after five steps: the losses are means near 1, and Adam moves a weight by the rate whatever its gradient's size,
/// so that a weight whose gradient is nothing but rounding may go astray by some steps.
const LOSS_TOLERANCE: f64 = 1e-5;

fn step<T: Float>(criterion: &mut Criterion, subject: &Subject) {
    let Subject { inputs, hidden, outputs, rows, .. } = *subject;
    let mut group = criterion.benchmark_group(format!("{inputs}-{hidden}-{outputs}, {rows} rows, {}", T::NAME));
    group.sample_size(30).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));

    let (mut net, x, y) = subject.data::<T>();
    let engine = Engine::default();
    let objective = Objective { loss: subject.loss, l2: 0.0 };
    let mut workspace = Workspace::new(net.spec(), rows, engine, Threads::one()).unwrap();
    let mut optimizer = Optimizer::new(subject.method, net.params().len()).unwrap();
    let mut gradient = vec![T::ZERO; net.params().len()];
    let mut loops = Loops::new(subject, net.params());
    let (spec, params) = net.parts_mut();
    let mut step = || {
        let batch = Batch { x: black_box(x.view()), y: y.view(), weights: None };
        let value = pass::value_and_gradient(spec, params, batch, &objective, &mut workspace, &mut gradient).unwrap();
        optimizer.step(engine.isa(), subject.rate, &gradient, params);
        value.loss
    };
    let mut losses = [0.0; COMPARED];
    for loss in &mut losses {
        let (ours, theirs) = (step(), loops.step(&x, &y));
        assert!((ours - theirs).abs() <= LOSS_TOLERANCE * theirs, "loss {ours}, by loops {theirs}");
        *loss = ours;
    }
    assert!(losses[COMPARED - 1] < losses[0], "it learns: {losses:?}");
    group.bench_function(BenchmarkId::from_parameter("deltarule"), |bencher| bencher.iter(&mut step));
    group
        .bench_function(BenchmarkId::from_parameter("loops"), |bencher| bencher.iter(|| loops.step(black_box(&x), &y)));
}

fn steps(criterion: &mut Criterion) {
    let engine = Engine::default();
    println!("{}; {}; gemm {}; one thread", cpu(), engine.isa(), engine.backend());
    step::<f64>(criterion, &XOR);
    step::<f32>(criterion, &TABLE);
    step::<f32>(criterion, &IMAGES);
}

/// The CPU as Linux names it.
fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")).and_then(|rest| rest.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_string(), |(_, name)| name.trim().to_string())
}

criterion_group!(benches, steps);
criterion_main!(benches);
