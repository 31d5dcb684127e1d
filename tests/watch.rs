//! A gradient that goes wrong in the middle of a training ends it, at its step and with the tensor's name; sound ones raise no alarm,
//! and whether they are watched changes no bit.
//!
//! `cargo test --release --test watch -- --ignored --nocapture` measures what watching costs.

mod trainings;

use deltarule::prelude::*;
use deltarule::scalar::Scalar;
use deltarule::simd::Isa;
use deltarule::train::{History, Watched};
use deltarule::{Error, Result};
use ndarray::Array2;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use trainings::*;

/// The largest error of sound gradients, and how many could not be judged.
#[derive(Debug, Default)]
struct Tally {
    checks: usize,
    inconclusive: usize,
    largest: f64,
}

impl Tally {
    fn add(&mut self, watched: &[Watched]) {
        self.checks += watched.len();
        self.inconclusive += watched.iter().filter(|w| w.inconclusive).count();
        let conclusive = watched.iter().filter(|w| !w.inconclusive);
        self.largest = conclusive.map(|w| w.error).fold(self.largest, f64::max);
    }
}

/// Rows with targets that every loss allows; in some all inputs are 0, so that biases of 0 lie at a kink.
fn rows<T: Float>(count: usize, inputs: usize, outputs: usize) -> (Array2<T>, Array2<T>, Vec<T>) {
    let mut x = random(count, inputs, 1);
    x.rows_mut().into_iter().step_by(9).for_each(|mut row| row.fill(0.0));
    let mut y = random(count, outputs, 2).mapv(|y| 1.0 / (1.0 + y.exp()));
    y.rows_mut().into_iter().for_each(|mut row| row /= row.sum());
    let weights = (0..count).map(|i| T::from_f64(0.5 + (i % 3) as f64)).collect();
    (cast(&x), cast(&y), weights)
}

fn sound<T: Float>(epochs: usize) -> Tally {
    let (mut tally, mut smooth) = (Tally::default(), Tally::default());
    let (x, y, weights) = rows::<T>(45, 5, 3);
    let hidden = Activation::ALL.into_iter().filter(|a| ![Activation::Step, Activation::Softmax].contains(a));
    for (i, (hidden, loss)) in hidden.flat_map(|h| Loss::ALL.map(|loss| (h, loss))).enumerate() {
        let output = loss.link().unwrap_or(Activation::Identity);
        for (batch, units) in [(1, &[8][..]), (10, &[12, 7]), (45, &[30])] {
            for (weighted, l1, l2) in [(false, 0.0, 0.0), (true, 0.01, 0.0), (true, 0.0, 0.01)] {
                let spec = Spec::mlp(5, units, hidden, 3, output).unwrap();
                let mut net = Network::<T>::new(spec, None, &mut Rng::new(i as u64)).unwrap();
                let trainer = Trainer {
                    solver: Solver::Steps([Method::adam(), Method::sgd()][i % 2]),
                    objective: Objective { loss, l1, l2 },
                    learning_rate: 0.01,
                    epochs,
                    batch,
                    seed: i as u64,
                    stopping: Stopping::NEVER,
                    watch_gradients: Some(1),
                    ..Trainer::default()
                };
                let rows = Batch { x: x.view(), y: y.view(), weights: weighted.then_some(&weights) };
                let history = trainer.fit(&mut net, rows, None, &mut go_on);
                let what = format!("{} {hidden}, {loss}, {units:?}, batches of {batch}, l1 {l1}, l2 {l2}", T::NAME);
                let history = history.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(history.watched.len(), epochs * 45usize.div_ceil(batch), "{what}");
                tally.add(&history.watched);
                let has_kinks = [Activation::Relu, Activation::Selu].contains(&hidden)
                    || matches!(hidden, Activation::LeakyRelu { .. } | Activation::Elu { .. })
                    || matches!(loss, Loss::AbsoluteError | Loss::Huber { .. });
                if !has_kinks && l1 == 0.0 {
                    smooth.add(&history.watched);
                }
            }
        }
    }
    println!("{} {tally:?}, of these without kinks {smooth:?}", T::NAME);
    tally
}

#[test]
fn sound_gradients_raise_no_alarm() {
    let single = sound::<f32>(8);
    assert!(single.largest < 3e-4 && 100 * single.inconclusive < single.checks, "{single:?}");
    let double = sound::<f64>(8);
    assert!(double.largest < 1e-5 && 100 * double.inconclusive < double.checks, "{double:?}");
}

#[test]
#[ignore = "the same over trainings twenty times as long, which reach their minima"]
fn sound_gradients_raise_no_alarm_however_long() {
    sound::<f32>(160);
    sound::<f64>(160);
    // Of 20,000 rectified sums some are within rounding of their kink at most steps.
    let (x, y, _) = rows::<f32>(1000, 200, 10);
    let spec = Spec::mlp(200, &[100], Activation::Relu, 10, Activation::Softmax).unwrap();
    let mut net = Network::<f32>::new(spec, None, &mut Rng::new(3)).unwrap();
    let objective = Objective { loss: Loss::SoftmaxCrossEntropy, l1: 1e-5, l2: 0.0 };
    let base = Trainer { objective, epochs: 2000, stopping: Stopping::NEVER, ..Trainer::default() };
    let history = Trainer { watch_gradients: Some(1), ..base }.fit(&mut net, batch(&x, &y), None, &mut go_on).unwrap();
    let mut tally = Tally::default();
    tally.add(&history.watched);
    println!("200-100-10 {tally:?}");
}

/// Half the squared error, whose slope is 1 % too large from the row call `from` on.
#[derive(Clone, Debug)]
struct Fading {
    calls: Arc<AtomicUsize>,
    from: usize,
}

impl LossFn for Fading {
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
        let e = output[0] - target[0];
        let is_wrong = self.calls.fetch_add(1, Ordering::Relaxed) + 1 >= self.from;
        delta[0] = e * T::from_f64(if is_wrong { 1.01 } else { 1.0 });
        T::from_f64(0.5) * e * e
    }
}

/// What a training that must fail says.
fn refusal(history: Result<History>) -> String {
    match history {
        Err(error @ Error::Check(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn fading<T: Float>() {
    let (x, y) = small_data::<T>();
    for interval in [1, 2, 3, 5] {
        // Of 4 rows a step; a check reads them twice more. Three steps are sound in each epoch of 12 rows.
        for sound_steps in [0, 1, 7, 20] {
            let is_watched = |step: usize| (step - 1).is_multiple_of(interval);
            let checks = (1..=sound_steps).filter(|&step| is_watched(step)).count();
            let from = 4 * sound_steps + 8 * checks + 1;
            let found = (sound_steps + 1..).find(|&step| is_watched(step)).unwrap();
            let trainer = Trainer { watch_gradients: Some(interval), ..plain(Fading { calls: Arc::default(), from }) };
            let mut net = small();
            let message = refusal(trainer.fit(&mut net, batch(&x, &y), None, &mut go_on));
            let (epoch, number) = ((found - 1) / 3 + 1, (found - 1) % 3 + 1);
            let expected = format!("gradient wrong in epoch {epoch}, batch {number} (step {found}), in layer ");
            assert!(message.starts_with(&expected), "{message}, expected {expected}");
            // The parameters of the last good epoch, as a training that ends with it leaves them: its last steps may be wrong.
            let mut good = small();
            if epoch > 1 {
                let loss = Fading { calls: Arc::default(), from };
                let trainer = Trainer { epochs: epoch - 1, watch_gradients: Some(interval), ..plain(loss) };
                trainer.fit(&mut good, batch(&x, &y), None, &mut go_on).unwrap();
            }
            assert_eq!(bits(&net), bits(&good), "{message}");
        }
    }
}

#[test]
fn a_slope_that_goes_wrong_by_a_hundredth_is_caught_at_the_next_watched_step() {
    fading::<f64>();
    fading::<f32>();
}

#[test]
fn a_fault_is_seen_among_kinks() {
    fn check<T: Float>() {
        let (x, y) = (cast::<T>(&random(200, 20, 1)), cast::<T>(&random(200, 1, 2)));
        let mut steps = Vec::new();
        for seed in 0..100 {
            let spec = Spec::mlp(20, &[100], Activation::Relu, 1, Activation::Identity).unwrap();
            let mut net = Network::<T>::new(spec, None, &mut Rng::new(seed)).unwrap();
            let loss = Fading { calls: Arc::default(), from: 1 };
            let trainer = Trainer { watch_gradients: Some(1), batch: 200, seed, epochs: 20, ..plain(loss) };
            let message = refusal(trainer.fit(&mut net, batch(&x, &y), None, &mut go_on));
            let step = message.split("(step ").nth(1).and_then(|rest| rest.split(')').next()).unwrap();
            steps.push(step.parse::<usize>().unwrap());
        }
        let at_once = steps.iter().filter(|&&step| step == 1).count();
        println!("{}: {at_once} of 100 at the first watched step, the last at the {:?}th", T::NAME, steps.iter().max());
        assert!(at_once >= 90 && steps.iter().all(|&step| step <= 4), "{steps:?}");
    }
    check::<f32>();
    check::<f64>();
}

/// The hyperbolic tangent, whose slope is 2 % too small from the sweep `from` on.
#[derive(Clone, Debug)]
struct Worn {
    calls: Arc<AtomicUsize>,
    from: usize,
}

impl ActivationFn for Worn {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        let t = z.tanh();
        (t, T::ONE - t * t)
    }
    fn apply_with_slope<T: Float>(&self, _: Isa, z: &mut [T], slope: &mut [T], _: usize) {
        let is_wrong = self.calls.fetch_add(1, Ordering::Relaxed) + 1 >= self.from;
        for (z, slope) in z.iter_mut().zip(slope) {
            (*z, *slope) = self.value_and_slope(*z);
            *slope *= T::from_f64(if is_wrong { 0.98 } else { 1.0 });
        }
    }
}

#[test]
fn the_tensors_to_blame_are_named() {
    let (x, y) = small_data::<f64>();
    // The slope of the first layer is wrong, which the second's gradient does not pass through.
    for from in [1, 5, 14] {
        let worn = |from| Worn { calls: Arc::default(), from };
        let spec = Spec::mlp(3, &[4], worn(from), 1, worn(usize::MAX)).unwrap();
        let mut net = Network::<f64, _>::new(spec, None, &mut Rng::new(5)).unwrap();
        let trainer = Trainer { watch_gradients: Some(1), ..plain(Loss::SquaredError) };
        let message = refusal(trainer.fit(&mut net, batch(&x, &y), None, &mut go_on));
        let expected = format!(
            "gradient wrong in epoch {}, batch {} (step {from}), in layer 1, weights; layer 1, biases: along a random direction",
            (from - 1) / 3 + 1,
            (from - 1) % 3 + 1
        );
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn whether_gradients_are_watched_changes_no_bit_and_threads_change_none_of_what_is_seen() {
    fn check<T: Float>() {
        let (x, y, weights) = rows::<T>(700, 20, 3);
        for (hidden, size) in [(&[64, 40][..], 600), (&[300, 150], 128)] {
            let train = |watch_gradients: Option<usize>, threads: usize| {
                let spec = Spec::mlp(20, hidden, Activation::Relu, 3, Activation::Softmax).unwrap();
                let mut net = Network::<T>::new(spec, None, &mut Rng::new(3)).unwrap();
                let trainer = Trainer {
                    objective: Objective { loss: Loss::SoftmaxCrossEntropy, l1: 1e-4, l2: 1e-3 },
                    batch: size,
                    epochs: 3,
                    watch_gradients,
                    threads: Threads::new(threads).unwrap(),
                    ..Trainer::default()
                };
                let rows = Batch { x: x.view(), y: y.view(), weights: Some(&weights) };
                let history = trainer.fit(&mut net, rows, None, &mut go_on).unwrap();
                (bits(&net), history.training, history.watched)
            };
            let plain = train(None, 1);
            assert!(plain.2.is_empty());
            let watched = train(Some(2), 1);
            assert_eq!((&watched.0, &watched.1), (&plain.0, &plain.1), "{} {hidden:?}", T::NAME);
            let steps = 3 * 700usize.div_ceil(size);
            let found: Vec<_> = watched.2.iter().map(|w| w.step).collect();
            assert_eq!(found, (1..=steps).step_by(2).collect::<Vec<_>>());
            assert!(watched.2.iter().all(|w| w.epoch == (w.step - 1) / (steps / 3) + 1));
            for threads in [2, 3] {
                assert_eq!(train(Some(2), threads), watched, "{} {hidden:?}, {threads} threads", T::NAME);
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let (x, y) = small_data::<f64>();
    let refuse = |trainer: Trainer| trainer.fit(&mut small(), batch(&x, &y), None, &mut go_on).unwrap_err().to_string();
    let watch = |solver, interval| Trainer { solver, watch_gradients: Some(interval), ..Trainer::default() };
    assert_eq!(refuse(watch(Solver::Steps(Method::adam()), 0)), "watch gradients: expected at least 1 step, found 0");
    for (solver, name) in [(Solver::Lbfgs, "L-BFGS"), (Solver::Perceptron, "the perceptron rule")] {
        let expected =
            format!("watching gradients is for solvers that step after each mini-batch, which {name} is not");
        assert_eq!(refuse(watch(solver, 10)), expected);
    }
}

/// What a check takes of a training's time, if every thousandth step is watched: medians of alternating trainings.
#[test]
#[ignore = "measures time"]
fn what_a_check_costs() {
    for (inputs, hidden, outputs) in [(784, 100, 10), (21, 100, 4)] {
        let (x, y, _) = rows::<f32>(200, inputs, outputs);
        let spec = Spec::mlp(inputs, &[hidden], Activation::Relu, outputs, Activation::Softmax).unwrap();
        let net = Network::<f32>::new(spec, None, &mut Rng::new(3)).unwrap();
        let steps = 1000;
        let train = |watch_gradients| {
            let objective = Objective { loss: Loss::SoftmaxCrossEntropy, l1: 0.0, l2: 0.0 };
            let base = Trainer { objective, epochs: steps, stopping: Stopping::NEVER, ..Trainer::default() };
            let (mut net, trainer) = (net.clone(), Trainer { watch_gradients, learning_rate: 1e-4, ..base });
            let started = Instant::now();
            trainer.fit(&mut net, batch(&x, &y), None, &mut go_on).unwrap();
            started.elapsed().as_secs_f64()
        };
        // One check is less than such times differ by themselves, a hundred are not.
        let mut ratios = [Vec::new(), Vec::new()];
        let mut steps_took = Vec::new();
        for _ in 0..15 {
            let without = train(None);
            steps_took.push(without / steps as f64);
            for (ratios, interval) in ratios.iter_mut().zip([1000, 10]) {
                ratios.push(train(Some(interval)) / without);
            }
        }
        let median = |mut numbers: Vec<f64>| {
            numbers.sort_by(f64::total_cmp);
            numbers[numbers.len() / 2]
        };
        let [thousandth, tenth] = ratios.map(|ratios| 100.0 * (median(ratios) - 1.0));
        println!(
            "{inputs}-{hidden}-{outputs}, 200 rows, f32: a step takes {:.1} us; watching every 1000th {thousandth:+.2} %, \
             by what every 10th costs {:+.3} %",
            1e6 * median(steps_took),
            tenth / 100.0
        );
    }
}
