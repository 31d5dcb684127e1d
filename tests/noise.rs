//! Dropout and noise on inputs: the passes under them against loops, statistics and themselves.

use deltarule::activation::ActivationFn;
use deltarule::dual::Dual;
use deltarule::network::noise::{Draw, Noise};
use deltarule::network::workspace::Workspace;
use deltarule::network::{generic, pass};
use deltarule::prelude::*;
use deltarule::scalar::Scalar;
use deltarule::simd::Isa;
use ndarray::{Array2, Axis, array};
use std::ops::ControlFlow;

fn noise(dropout: &[f64], input_dropout: f64, input_noise: f64) -> Noise {
    Noise { dropout: dropout.to_vec(), input_dropout, input_noise }
}

fn rows_of<T: Float>(rows: usize, cols: usize, rng: &mut Rng) -> Array2<T> {
    Array2::from_shape_simple_fn((rows, cols), || rng.normal(0.0, 1.0))
}

/// A network of random parameters, and rows for it.
struct Subject<T, A> {
    net: Network<T, A>,
    x: Array2<T>,
    y: Array2<T>,
}

impl<T: Float, A: ActivationFn> Subject<T, A> {
    fn new(inputs: usize, hidden: &[usize], activation: A, output: A, rows: usize) -> Self {
        let mut rng = Rng::new(3);
        let spec = Spec::mlp(inputs, hidden, activation, 3, output).unwrap();
        let mut net = Network::new(spec, None, &mut rng).unwrap();
        net.params_mut().iter_mut().for_each(|p| *p += rng.uniform::<T>(-0.2, 0.2));
        Self { net, x: rows_of(rows, inputs, &mut rng), y: rows_of(rows, 3, &mut rng) }
    }

    fn batch(&self) -> Batch<'_, T> {
        Batch { x: self.x.view(), y: self.y.view(), weights: None }
    }

    fn workspace(&self, draw: Option<Draw>, engine: Engine, threads: usize) -> Workspace<T> {
        let threads = Threads::new(threads).unwrap();
        let mut workspace = Workspace::new(self.net.spec(), self.x.nrows(), engine, threads).unwrap();
        draw.into_iter().for_each(|draw| workspace.set_noise(self.net.spec(), draw).unwrap());
        workspace
    }

    /// Loss, gradient and the gradient of the inputs (of the targets as the outputs' gradient).
    fn results(&self, workspace: &mut Workspace<T>) -> (f64, Vec<T>, Array2<T>) {
        let (spec, params) = (self.net.spec(), self.net.params());
        let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.0 };
        let mut gradient = vec![T::from_f64(f64::NAN); params.len()];
        let value = pass::value_and_gradient(spec, params, self.batch(), &objective, workspace, &mut gradient).unwrap();
        assert_eq!(pass::value(spec, params, self.batch(), &objective, workspace).unwrap(), value);
        let (mut again, mut below) = (gradient.clone(), self.x.clone());
        pass::backward(spec, params, self.x.view(), self.y.view(), workspace, &mut again, Some(below.view_mut()))
            .unwrap();
        (value.loss, gradient, below)
    }
}

/// A unit without a kernel, whose way back asks for its activation.
#[derive(Clone, Debug, PartialEq)]
struct Squash;

impl ActivationFn for Squash {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        let a = z.tanh();
        (a, T::ONE - a * a)
    }

    fn backward_row<T: Scalar>(&self, a: &[T], _: &[T], delta: &mut [T]) {
        delta.iter_mut().zip(a).for_each(|(d, &a)| *d *= T::ONE - a * a);
    }
}

/// Value and gradients under noise are those of loops over the written-out noise, the inputs' too.
fn agrees_with_loops<A: ActivationFn>(subject: &Subject<f64, A>, noise: Noise, engine: Engine) {
    let draw = Draw { noise, seed: 11, step: 5 };
    let spec = subject.net.spec();
    let (value, gradient, below) = subject.results(&mut subject.workspace(Some(draw.clone()), engine, 1));
    let (x, factors) = draw.write_out(spec, Isa::Portable, subject.x.as_slice().unwrap());
    let noisy = Array2::from_shape_vec(subject.x.dim(), x).unwrap();
    let batch = Batch { x: noisy.view(), y: subject.y.view(), weights: None };
    let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.0 };
    let mut expected = vec![0.0; gradient.len()];
    let loops = generic::objective_under(&factors, spec, subject.net.params(), &batch, &objective, Some(&mut expected))
        .unwrap();
    assert!((value - loops).abs() < 1e-12 * loops.abs());
    for (g, e) in gradient.iter().zip(&expected) {
        assert!((g - e).abs() < 1e-12 * (1.0 + e.abs()), "{g} for {e}");
    }
    // Along a direction in dual numbers, which know of no gradient.
    let at: Vec<Dual> = subject.net.params().iter().map(|&p| Dual { value: p, slope: p.sin() }).collect();
    let slope = generic::objective_under(&factors, spec, &at, &batch, &objective, None).unwrap().slope;
    let along: f64 = gradient.iter().zip(&at).map(|(g, d)| g * d.slope).sum();
    assert!((slope - along).abs() < 1e-11 * (1.0 + slope.abs()), "{slope}, {along}");
    // An input that is dropped has no slope; of the others a difference of values tells.
    let value_at = |x: &Array2<f64>| {
        let mut workspace = subject.workspace(Some(draw.clone()), engine, 1);
        let batch = Batch { x: x.view(), y: subject.y.view(), weights: None };
        // Half the square of the outputs, less that of outputs less targets, is outputs times targets but for a constant.
        let squares = |y: &Array2<f64>, workspace: &mut Workspace<f64>| {
            let batch = Batch { y: y.view(), ..batch.view() };
            pass::value(spec, subject.net.params(), batch, &objective, workspace).unwrap().loss
        };
        let zero = Array2::zeros(subject.y.dim());
        (squares(&zero, &mut workspace) - squares(&subject.y, &mut workspace)) * x.nrows() as f64 / scale_of(&objective)
    };
    for (i, j) in [(0, 0), (1, 1), (x_rows(subject) - 1, 2), (2, 0)] {
        let step = 1e-5;
        let mut moved = [subject.x.clone(), subject.x.clone()];
        moved[0][[i, j]] += step;
        moved[1][[i, j]] -= step;
        let slope = (value_at(&moved[0]) - value_at(&moved[1])) / (2.0 * step);
        assert!((slope - below[[i, j]]).abs() < 1e-6 * (1.0 + slope.abs()), "{slope} for {}", below[[i, j]]);
    }
}

fn x_rows<A: ActivationFn>(subject: &Subject<f64, A>) -> usize {
    subject.x.nrows()
}

/// What the squared error of one row is in half squares: found, not assumed.
fn scale_of(objective: &Objective<Loss>) -> f64 {
    let mut unused = [0.0];
    2.0 * LossFn::row(&objective.loss, &[1.0], &[0.0], &mut unused)
}

#[test]
fn passes_under_noise_are_those_of_loops() {
    let every =
        [noise(&[0.5], 0.0, 0.0), noise(&[0.3, 0.6], 0.2, 0.0), noise(&[0.0, 0.4], 0.0, 0.3), noise(&[], 0.25, 0.5)];
    for noise in every {
        for isa in Isa::available() {
            let engine = Engine::new(isa, Backend::Embedded).unwrap();
            for activation in [Activation::Tanh, Activation::Identity, Activation::Gelu] {
                let subject = Subject::new(5, &[7, 6], activation, Activation::Identity, 13);
                agrees_with_loops(&subject, noise.clone(), engine);
            }
            agrees_with_loops(&Subject::new(4, &[9, 5], Squash, Squash, 21), noise.clone(), engine);
        }
    }
    // Several shards of several blocks.
    let subject = Subject::new(20, &[64, 64], Activation::Sigmoid, Activation::Identity, 2000);
    agrees_with_loops(&subject, noise(&[0.5], 0.2, 0.1), Engine::default());
}

#[test]
fn bits_do_not_depend_on_threads() {
    fn check<T: Float>(hidden: &[usize], rows: usize) {
        let subject = Subject::<T, _>::new(60, hidden, Activation::Relu, Activation::Identity, rows);
        let custom = Subject::<T, _>::new(60, hidden, Squash, Squash, rows);
        let draw = Draw { noise: noise(&[0.5], 0.2, 0.1), seed: 1, step: 9 };
        let expected = subject.results(&mut subject.workspace(Some(draw.clone()), Engine::default(), 1));
        let of_custom = custom.results(&mut custom.workspace(Some(draw.clone()), Engine::default(), 1));
        for threads in [2, 3, 8] {
            let workspace = &mut subject.workspace(Some(draw.clone()), Engine::default(), threads);
            assert_eq!(subject.results(workspace), expected, "{threads} threads");
            let workspace = &mut custom.workspace(Some(draw.clone()), Engine::default(), threads);
            assert_eq!(custom.results(workspace), of_custom, "{threads} threads");
        }
    }
    // Shards, and products that are shared.
    check::<f32>(&[50, 33], 1100);
    check::<f64>(&[300, 257], 333);
}

#[test]
fn a_rate_of_nothing_is_no_noise_and_predictions_have_none() {
    for hidden in [&[8][..], &[70, 60]] {
        let subject = Subject::<f32, _>::new(6, hidden, Activation::Relu, Activation::Identity, 50);
        let plain = subject.results(&mut subject.workspace(None, Engine::default(), 1));
        for nothing in [noise(&[], 0.0, 0.0), noise(&[0.0], 0.0, 0.0)] {
            let draw = Draw { noise: nothing, seed: 1, step: 1 };
            assert_eq!(subject.results(&mut subject.workspace(Some(draw), Engine::default(), 1)), plain);
        }
        let draw = Draw { noise: noise(&[0.5], 0.3, 0.3), seed: 1, step: 1 };
        let mut workspace = subject.workspace(Some(draw), Engine::default(), 1);
        let noisy = subject.results(&mut workspace);
        assert_ne!(noisy, plain);
        let mut out = Array2::zeros(subject.y.dim());
        pass::predict_into(subject.net.spec(), subject.net.params(), subject.x.view(), &mut workspace, out.view_mut())
            .unwrap();
        assert_eq!(out, subject.net.predict(subject.x.view()).unwrap());
        assert_eq!(subject.results(&mut workspace), noisy, "a prediction leaves the noise as it was");
    }
}

/// A unit that is ours or one of your own, as data.
#[derive(Clone, Debug, PartialEq)]
enum Either {
    Own(Squash),
    Ours(Activation),
}

impl ActivationFn for Either {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        match self {
            Self::Own(own) => own.value_and_slope(z),
            Self::Ours(ours) => ours.value_and_slope(z),
        }
    }

    fn builtin(&self) -> Option<Activation> {
        match self {
            Self::Own(_) => None,
            Self::Ours(ours) => Some(*ours),
        }
    }
}

#[test]
fn noise_that_was_set_for_other_activations_is_refused() {
    let own = Subject::<f64, _>::new(4, &[5], Either::Own(Squash), Either::Own(Squash), 9);
    let ours = Subject::<f64, _>::new(4, &[5], Either::Ours(Activation::Tanh), Either::Own(Squash), 9);
    let draw = Draw { noise: noise(&[0.5], 0.0, 0.0), seed: 1, step: 1 };
    let mut workspace = own.workspace(Some(draw.clone()), Engine::default(), 1);
    let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.0 };
    let (spec, params) = (ours.net.spec(), ours.net.params());
    let refusal = pass::value(spec, params, ours.batch(), &objective, &mut workspace).unwrap_err().to_string();
    assert!(refusal.contains("noise was set for a network of other activations"), "{refusal}");
    workspace.set_noise(spec, draw).unwrap();
    pass::value(spec, params, ours.batch(), &objective, &mut workspace).unwrap();
}

#[test]
fn a_step_is_found_again_by_its_number() {
    let subject = Subject::<f32, _>::new(6, &[20], Activation::Relu, Activation::Identity, 40);
    let draw = |step| Some(Draw { noise: noise(&[0.5], 0.1, 0.1), seed: 2, step });
    let mut workspace = subject.workspace(draw(1), Engine::default(), 1);
    let mut seen = Vec::new();
    for step in 1..=6 {
        workspace.set_step(step);
        seen.push(subject.results(&mut workspace));
    }
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]));
    for (i, expected) in seen.iter().enumerate().rev() {
        assert_eq!(subject.results(&mut subject.workspace(draw(i as u64 + 1), Engine::default(), 1)), *expected);
    }
}

#[test]
fn a_linear_network_is_the_same_in_the_mean() {
    let subject = Subject::<f64, _>::new(6, &[10, 8], Activation::Identity, Activation::Identity, 4);
    let spec = subject.net.spec();
    let plain = subject.net.predict(subject.x.view()).unwrap();
    let draw = Draw { noise: noise(&[0.5, 0.3], 0.2, 0.4), seed: 5, step: 0 };
    let mut workspace = subject.workspace(Some(draw), Engine::default(), 1);
    // The gradient of half the squared error with respect to the last biases is the mean over the rows of output less target.
    const STEPS: u64 = 20_000;
    let last = &spec.blocks()[2];
    let (mut sum, mut squares) = ([0.0; 3], [0.0; 3]);
    let mut gradient = vec![0.0; spec.parameters()];
    for step in 0..STEPS {
        workspace.set_step(step);
        let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.0 };
        let params = subject.net.params();
        pass::value_and_gradient(spec, params, subject.batch(), &objective, &mut workspace, &mut gradient).unwrap();
        for (k, g) in gradient[last.bias.clone()].iter().enumerate() {
            sum[k] += g / STEPS as f64;
            squares[k] += g * g / STEPS as f64;
        }
    }
    let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.0 };
    let expected = (&plain - &subject.y).mean_axis(Axis(0)).unwrap() * scale_of(&objective);
    for k in 0..3 {
        let error = ((squares[k] - sum[k] * sum[k]) / STEPS as f64).sqrt();
        assert!(
            error > 0.0 && (sum[k] - expected[k]).abs() < 4.0 * error,
            "{} for {}, +- {error}",
            sum[k],
            expected[k]
        );
    }
}

fn go_on(_: &deltarule::train::Epoch) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn a_training_with_noise_is_watched_repeats_itself_and_judges_without() {
    let mut rng = Rng::new(8);
    let x = rows_of::<f32>(300, 5, &mut rng);
    let y = x.map_axis(Axis(1), |row| row[0] * row[1] + row[2]).insert_axis(Axis(1));
    let spec = Spec::mlp(5, &[40, 30], Activation::Tanh, 1, Activation::Identity).unwrap();
    let start = Network::<f32>::new(spec, None, &mut rng).unwrap();
    let train = |threads: usize, watch: Option<usize>, epochs: usize, max_norm: Option<f64>| {
        let trainer = Trainer {
            noise: noise(&[0.2, 0.4], 0.1, 0.2),
            max_norm,
            watch_gradients: watch,
            threads: Threads::new(threads).unwrap(),
            learning_rate: 0.01,
            epochs,
            batch: 64,
            ..Trainer::default()
        };
        let mut net = start.clone();
        let batch = Batch { x: x.view(), y: y.view(), weights: None };
        let history = trainer.fit(&mut net, batch.view(), Some(batch.rows(0..100)), &mut go_on).unwrap();
        (net, history)
    };
    let (net, history) = train(1, Some(1), 20, None);
    assert_eq!(history.watched.len(), 20 * 5);
    assert!(history.watched.iter().all(|watched| watched.inconclusive || watched.error < 3e-4));
    for threads in [2, 3] {
        let (other, same) = train(threads, None, 20, None);
        assert_eq!((other.params(), &same.validation), (net.params(), &history.validation));
    }
    // What is judged is the loss of predictions.
    let rows = x.slice(ndarray::s![..100, ..]).to_owned();
    let (net, history) = train(1, None, 1, None);
    let errors = net.predict(rows.view()).unwrap() - y.slice(ndarray::s![..100, ..]);
    let scale = scale_of(&Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.0 }) / 2.0;
    let loss = scale * f64::from(errors.mapv(|e| e * e).mean().unwrap());
    assert!((loss - history.validation[0]).abs() < 1e-5 * loss, "{loss} for {}", history.validation[0]);
    // The limit holds after the last step, and only for hidden units.
    let (net, _) = train(1, Some(1), 20, Some(0.5));
    for l in 0..2 {
        let longest = net.weights(l).columns().into_iter().map(|c| c.dot(&c).sqrt()).fold(0.0, f32::max);
        assert!((0.499..0.500_01).contains(&longest), "{longest}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let (x, y) = (array![[0.0, 1.0], [1.0, 0.0]], array![[1.0], [0.0]]);
    let refusal = |trainer: Trainer, hidden: &[usize]| {
        let spec = Spec::mlp(2, hidden, Activation::Tanh, 1, Activation::Identity).unwrap();
        let mut net = Network::<f64>::new(spec, None, &mut Rng::new(1)).unwrap();
        let batch = Batch { x: x.view(), y: y.view(), weights: None };
        trainer.fit(&mut net, batch, None, &mut go_on).unwrap_err().to_string()
    };
    let with = |noise: Noise| Trainer { noise, ..Trainer::default() };
    for (trainer, hidden, expected) in [
        (with(noise(&[1.0], 0.0, 0.0)), &[3][..], "dropout: expected a rate of at least 0 and below 1, found 1"),
        (with(noise(&[0.1, -0.5], 0.0, 0.0)), &[3, 3], "dropout of layer 2: expected a rate"),
        (
            with(noise(&[0.1, 0.5], 0.0, 0.0)),
            &[3],
            "dropout: expected one rate, or one for each of 1 hidden layers, found 2",
        ),
        (with(noise(&[0.5], 0.0, 0.0)), &[], "dropout: expected none, for there are no hidden layers"),
        (with(noise(&[], f64::NAN, 0.0)), &[3], "input dropout: expected a rate"),
        (with(noise(&[], 0.0, -1.0)), &[3], "input noise: expected a finite standard deviation"),
        (
            Trainer { max_norm: Some(0.0), ..Trainer::default() },
            &[3],
            "max norm: expected a finite number above 0, found 0",
        ),
        (
            Trainer { solver: Solver::Lbfgs, ..with(noise(&[0.5], 0.0, 0.0)) },
            &[3],
            "noise (dropout, or noise of inputs)",
        ),
        (
            Trainer { solver: Solver::Lbfgs, max_norm: Some(3.0), ..Trainer::default() },
            &[3],
            "a max norm is for solvers that step",
        ),
    ] {
        let said = refusal(trainer, hidden);
        assert!(said.contains(expected), "{said}");
    }
}
