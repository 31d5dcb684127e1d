//! A step of training allocates nothing, on one thread and inside the pool; nor does a prediction.
//!
//! A file of its own because it counts every allocation of its process; one test at a time does, by the lock.

mod counting;

use counting::{allocations, alone, most_bytes};
use deltarule::network::noise::Noise;
use deltarule::optim::Optimizer;
use deltarule::optim::levenberg_marquardt::Options;
use deltarule::optim::rprop;
use deltarule::prelude::*;
use deltarule::scalar::Scalar;
use deltarule::train::{Inputs, Measure, Part, Run, Scope};
use ndarray::{Array2, ArrayView2};
use std::collections::HashSet;
use std::hint::black_box;
use std::ops::ControlFlow::Continue;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Hands out pieces until each thread has taken one and `work` has run in each.
fn warm_up(threads: &Threads, work: &(impl Fn() + Sync)) {
    let seen = Mutex::new(HashSet::new());
    let begun = Instant::now();
    while seen.lock().unwrap().len() < threads.count() {
        assert!(begun.elapsed() < Duration::from_secs(60), "a thread takes no work");
        threads.for_each(&mut [(); 16], |_, ()| {
            if !seen.lock().unwrap().contains(&std::thread::current().id()) {
                work();
                seen.lock().unwrap().insert(std::thread::current().id());
            }
            std::thread::sleep(Duration::from_micros(100));
        });
    }
}

/// Rows enough that the workspace cuts two shards or more, of layers whose products take every path: one unit, odd widths,
/// more than a block.
const ROWS: usize = 1000;
const HIDDEN: [usize; 3] = [65, 1, 70];

/// Everything that a step needs, made before it.
struct Steps<T> {
    net: Network<T>,
    x: Array2<T>,
    y: Array2<T>,
    weights: Vec<T>,
    out: Array2<T>,
    below: Array2<T>,
    gradient: Vec<T>,
    workspace: Workspace<T>,
    predictor: Predictor<T>,
    optimizer: Optimizer<T>,
    objective: Objective,
}

impl<T: Float> Steps<T> {
    fn new(hidden: Activation, loss: Loss, method: Method, threads: &Threads) -> Self {
        let mut rng = Rng::new(1);
        let output = loss.link().unwrap_or(Activation::Identity);
        let net = Network::new(Spec::mlp(70, &HIDDEN, hidden, 2, output).unwrap(), None, &mut rng).unwrap();
        let mut draw = |cols| Array2::from_shape_simple_fn((ROWS, cols), || rng.uniform(0.0, 1.0));
        let (x, mut y) = (draw(70), draw(2));
        y.rows_mut().into_iter().for_each(|mut row| row[1] = T::ONE - row[0]);
        let (len, objective) = (net.params().len(), Objective { loss, l1: 0.0, l2: 0.01 });
        Self {
            workspace: Workspace::new(net.spec(), ROWS, Engine::default(), threads.clone()).unwrap(),
            predictor: Predictor::new(&net, ROWS, Engine::default(), threads.clone()).unwrap(),
            optimizer: Optimizer::new(method, len).unwrap(),
            gradient: vec![T::ZERO; len],
            weights: (0..ROWS).map(|i| T::from_f64(1.0 + (i % 3) as f64)).collect(),
            out: y.clone(),
            below: x.clone(),
            net,
            x,
            y,
            objective,
        }
    }

    /// A step, a prediction, a value, and a gradient with respect to the inputs.
    fn run(&mut self) {
        let Self { net, x, y, weights, out, below, gradient, workspace, predictor, optimizer, objective } = self;
        let batch = Batch { x: x.view(), y: y.view(), weights: Some(weights) };
        let (spec, params) = net.parts_mut();
        pass::value_and_gradient(spec, params, batch, objective, workspace, gradient).unwrap();
        optimizer.step(workspace.engine().isa(), 0.01, gradient, params);
        pass::value(spec, params, batch, objective, workspace).unwrap();
        pass::predict_into(spec, params, x.view(), workspace, out.view_mut()).unwrap();
        predictor.predict_into(x.view(), out.view_mut()).unwrap();
        optimizer.step_checked(workspace.threads(), workspace.engine().isa(), 0.01, gradient, params);
        pass::backward(spec, params, x.view(), y.view(), workspace, gradient, Some(below.view_mut())).unwrap();
    }
}

fn subjects() -> impl Iterator<Item = (Activation, Loss, Method)> {
    let hidden = Activation::ALL.into_iter().filter(|a| ![Activation::Step, Activation::Softmax].contains(a));
    let losses = Loss::ALL.into_iter().cycle();
    let methods = [Method::sgd(), Method::adam()].into_iter().cycle();
    hidden.zip(losses).zip(methods).map(|((activation, loss), method)| (activation, loss, method))
}

fn nothing<T: Float>(count: usize) {
    let _alone = alone();
    let threads = Threads::new(count).unwrap();
    for (activation, loss, method) in subjects() {
        let mut steps = Steps::<T>::new(activation, loss, method, &threads);
        // Each thread keeps a buffer for the products' factors, which it allocates once.
        warm_up(&threads, &|| Steps::<T>::new(activation, loss, method, &Threads::one()).run());
        let before = steps.net.params()[0];
        let counted = threads.enter(|| {
            steps.run();
            allocations(|| (0..3).for_each(|_| steps.run()))
        });
        assert_eq!(counted, 0, "{} {activation} {loss} {method}, {count} threads", T::NAME);
        assert!(steps.net.params()[0] != before && steps.out.iter().all(|o| o.is_finite()));
    }
}

#[test]
fn steps_and_predictions_allocate_nothing_on_one_thread() {
    nothing::<f32>(1);
    nothing::<f64>(1);
}

#[test]
fn steps_and_predictions_allocate_nothing_inside_the_pool() {
    nothing::<f32>(3);
    nothing::<f64>(3);
}

/// A stranger's activation that makes a vector for each sweep, as is easily written.
#[derive(Clone, Debug)]
struct Wasteful;

impl ActivationFn for Wasteful {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        (z, T::ONE)
    }
    fn apply<T: Float>(&self, _: deltarule::simd::Isa, z: &mut [T], _: usize) {
        let copy = black_box(z.to_vec());
        z.copy_from_slice(&copy);
    }
}

#[test]
fn a_vector_in_the_loop_is_seen() {
    let _alone = alone();
    let threads = Threads::new(2).unwrap();
    for threads in [Threads::one(), threads] {
        let net =
            Network::<f32, _>::new(Spec::mlp(70, &[65, 70], Wasteful, 2, Wasteful).unwrap(), None, &mut Rng::new(1));
        let (net, x) = (net.unwrap(), Array2::zeros((ROWS, 70)));
        let mut out = Array2::zeros((ROWS, 2));
        let mut workspace = Workspace::for_prediction(net.spec(), ROWS, Engine::default(), threads.clone()).unwrap();
        let counted = threads.enter(|| {
            let mut predict = || {
                pass::predict_into(net.spec(), net.params(), x.view(), &mut workspace, out.view_mut()).unwrap();
            };
            predict();
            allocations(predict)
        });
        // Three layers of two shards, each with its vector.
        assert!(counted >= 6, "{counted}");
    }
}

/// Entering the pool from outside costs rayon a block of its queue now and then: one for some thirty entries.
const ENTRIES: usize = 2;

#[test]
fn an_epoch_of_the_trainer_allocates_nothing_but_its_line_of_history() {
    let _alone = alone();
    let cases = [(1, 0, None), (2, ENTRIES, None), (1, 0, Some(1)), (2, ENTRIES, Some(1))];
    for (i, (count, allowed, watch_gradients)) in cases.into_iter().chain(cases).chain(cases).enumerate() {
        let threads = Threads::new(count).unwrap();
        let (is_noisy, is_coupled) = (i / cases.len() == 1, i / cases.len() == 2);
        let mut steps = Steps::<f32>::new(Activation::Tanh, Loss::SoftmaxCrossEntropy, Method::adam(), &threads);
        warm_up(&threads, &|| {
            Steps::<f32>::new(Activation::Tanh, Loss::SoftmaxCrossEntropy, Method::adam(), &Threads::one()).run();
        });
        let trainer = Trainer {
            objective: steps.objective,
            batch: 300,
            epochs: 16,
            stopping: Stopping::NEVER,
            watch_gradients,
            noise: if is_noisy { noise() } else { Noise::default() },
            max_norm: is_noisy.then_some(1.0),
            threads,
            ..Trainer::default()
        };
        if is_coupled {
            let layers = steps.net.spec().layers().iter().map(|layer| layer.with_norm(Norm::Batch)).collect();
            steps.net = Network::new(Spec::new(70, layers).unwrap(), None, &mut Rng::new(1)).unwrap();
        }
        let rows = Batch { x: steps.x.view(), y: steps.y.view(), weights: Some(&steps.weights) };
        let mut seen = [0; 16];
        let observe = &mut |epoch: &deltarule::train::Epoch| {
            seen[epoch.number - 1] = counting::count();
            Continue(())
        };
        let history = trainer.fit(&mut steps.net, rows, None, observe).unwrap();
        assert_eq!(history.watched.len(), if watch_gradients.is_some() { 64 } else { 0 });
        // The history grows at its 5th and 9th line; from the 9th to the 16th nothing does. The list of gradients watched, of 4 an
        // epoch, makes room before the first step of the 9th.
        assert!(seen[15] - seen[8] <= allowed, "{count} threads, watching {watch_gradients:?}: {seen:?}");
        assert!(seen[8] > seen[7], "the history's growth is seen: {seen:?}");
    }
}

#[test]
fn an_epoch_of_the_second_order_allocates_nothing_but_its_line_of_history() {
    let _alone = alone();
    let options = Options::default();
    for solver in [Solver::Scg, Solver::LevenbergMarquardt(options), Solver::Bayes(options)] {
        let spec = Spec::mlp(70, &[3], Activation::Tanh, 2, Activation::Identity).unwrap();
        let steps = Steps::<f32>::new(Activation::Tanh, Loss::SquaredError, Method::adam(), &Threads::one());
        let mut net = Network::<f32>::new(spec, None, &mut Rng::new(1)).unwrap();
        let trainer = Trainer { solver, epochs: 16, ..Trainer::default() };
        let rows = Batch { x: steps.x.view(), y: steps.y.view(), weights: Some(&steps.weights) };
        let mut seen = [0; 16];
        let observe = &mut |epoch: &deltarule::train::Epoch| {
            seen[epoch.number - 1] = counting::count();
            Continue(())
        };
        trainer.fit(&mut net, rows, None, observe).unwrap();
        assert_eq!(seen[15], seen[8], "{solver:?}: {seen:?}");
        assert!(seen[8] > seen[7], "the history's growth is seen: {seen:?}");
    }
}

fn noise() -> Noise {
    Noise { dropout: vec![0.5], input_dropout: 0.2, input_noise: 0.1 }
}

/// What is not in the figure: the history, the widths of layers, and other lists that are short, of three workspaces.
const SMALL_BYTES: usize = 1 << 14;
/// The history of the gradients watched in the epochs below.
const WATCHED_BYTES: usize = 1 << 14;
/// So many that even those of the rows, in `f32`, are not small.
const OUTPUTS: usize = 6;

/// A figure that takes no memory, of the rows held back and perhaps of those trained on.
struct Sum {
    of_training: bool,
}

impl<T: Float> Measure<T> for Sum {
    fn names(&self) -> Vec<String> {
        vec!["sum".into()]
    }
    fn figures(&self, _: Part, outputs: ArrayView2<'_, T>) -> deltarule::Result<Vec<f64>> {
        assert_eq!(outputs.nrows(), ROWS);
        Ok(vec![outputs.iter().map(|output| output.real()).sum()])
    }
    fn measures_training(&self) -> bool {
        self.of_training
    }
}

/// Inputs that are read in parts.
struct Stored<'a, T>(ArrayView2<'a, T>);

impl<T: Float> Inputs<T> for Stored<'_, T> {
    fn read(&mut self, rows: &[usize], out: &mut [T]) -> deltarule::Result<()> {
        for (out, &row) in out.chunks_exact_mut(self.0.ncols()).zip(rows) {
            out.copy_from_slice(self.0.row(row).to_slice().unwrap());
        }
        Ok(())
    }
}

#[test]
fn a_training_takes_the_bytes_that_it_says_it_will() {
    fn check<T: Float>(trainer: &Trainer, given: Scope, norm: Norm) {
        let spec = Spec::mlp(20, &[300, 50], Activation::Tanh, OUTPUTS, Activation::Identity).unwrap();
        let layers = spec.layers().iter().map(|layer| layer.with_norm(norm)).collect();
        let spec = match trainer.solver {
            _ if norm == Norm::Batch => Spec::new(20, layers).unwrap(),
            Solver::Perceptron => Spec::mlp(2000, &[], Activation::Step, OUTPUTS, Activation::Step).unwrap(),
            Solver::LevenbergMarquardt(_) | Solver::Bayes(_) => {
                Spec::mlp(20, &[15, 10], Activation::Tanh, OUTPUTS, Activation::Identity).unwrap()
            }
            _ => spec,
        };
        let mut rng = Rng::new(1);
        let mut net = Network::<T>::new(spec, None, &mut rng).unwrap();
        let mut draw =
            |cols| Array2::from_shape_simple_fn((ROWS, cols), || if rng.below(2) == 0 { T::ZERO } else { T::ONE });
        let (x, y) = (draw(net.spec().inputs()), draw(OUTPUTS));
        let nothing = Array2::from_elem((ROWS, 0), T::ZERO);
        let required = trainer.required_bytes::<T, _>(net.spec(), given) as usize;
        let measure = Sum { of_training: given.measures_training };
        let mut fit = || {
            let mut stored = Stored(x.view());
            let rows = || Batch { x: x.view(), y: y.view(), weights: None };
            let (training, inputs): (_, Option<&mut dyn Inputs<T>>) = match given.streams {
                true => (Batch { x: nothing.view(), ..rows() }, Some(&mut stored)),
                false => (rows(), None),
            };
            let held_back = (given.held_back > 0).then(rows);
            let measure = given.measures.then_some(&measure as &dyn Measure<T>);
            trainer.run(&mut net, training, Run { held_back, inputs, measure, ..Run::default() }).unwrap();
        };
        // A thread's first product allocates the panels that all others use.
        fit();
        let taken = most_bytes(fit);
        let what = format!("{}, {:?}, {norm:?}, {given:?}: {taken} bytes of {required}", T::NAME, trainer.solver);
        println!("{what}");
        let small = SMALL_BYTES + trainer.watch_gradients.map_or(0, |_| WATCHED_BYTES);
        assert!(taken >= required && taken <= required + small, "{what}");
    }
    let _alone = alone();
    let steps = [Method::adam(), Method::sgd()].map(Solver::Steps);
    for solver in steps.into_iter().chain([
        Solver::Lbfgs,
        Solver::Scg,
        Solver::Rprop(rprop::Options::default()),
        Solver::LevenbergMarquardt(Options::default()),
        Solver::Bayes(Options::default()),
        Solver::Perceptron,
    ]) {
        let is_steps = matches!(solver, Solver::Steps(_));
        let batches =
            [(32, true, false), (ROWS, true, false), (32, false, false), (ROWS, false, false), (32, true, true)];
        // Other solvers take no mini-batches.
        for (batch, shuffle, watched) in batches.into_iter().take(if is_steps { batches.len() } else { 1 }) {
            for held_back in [0, ROWS] {
                if held_back > 0 && solver == Solver::Perceptron {
                    continue;
                }
                let watch_gradients = watched.then_some(50);
                let trainer = Trainer { solver, batch, shuffle, watch_gradients, epochs: 2, ..Trainer::default() };
                let plain = Scope { rows: ROWS, held_back, ..Scope::default() };
                let measured = Scope { measures: true, ..plain };
                let mut all = vec![plain, measured, Scope { measures_training: true, ..measured }];
                if is_steps {
                    all.extend([plain, measured].map(|given| Scope { streams: true, ..given }));
                }
                for given in all {
                    check::<f32>(&trainer, given, Norm::None);
                    check::<f64>(&trainer, given, Norm::None);
                }
                if is_steps || matches!(solver, Solver::Lbfgs | Solver::Rprop(_)) {
                    check::<f32>(&trainer, Scope { measures_training: true, ..measured }, Norm::Batch);
                }
                if is_steps {
                    check::<f32>(&Trainer { noise: noise(), max_norm: Some(1.0), ..trainer }, plain, Norm::None);
                }
            }
        }
    }
}
