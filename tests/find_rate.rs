//! The learning-rate range test: its steps are a training's, its ends are found, and its bits do not depend on threads.

use deltarule::network::noise::Noise;
use deltarule::prelude::*;
use deltarule::rng::stream;
use deltarule::train::{Averaging, Inputs, RangeEnd, RangeTest, RateRange, Run};
use deltarule::{Error, Result};
use ndarray::Array2;
use std::sync::atomic::AtomicBool;

const ROWS: usize = 150;

fn rows() -> (Array2<f64>, Array2<f64>) {
    let mut rng = Rng::new(3);
    let x = Array2::from_shape_fn((ROWS, 4), |_| rng.normal(0.0, 1.0));
    let y = Array2::from_shape_fn((ROWS, 1), |(i, _)| f64::from(x[[i, 0]] * x[[i, 1]] + x[[i, 2]] > 0.0));
    (x, y)
}

fn network() -> Network<f64> {
    let spec = Spec::mlp(4, &[16, 8], Activation::Tanh, 1, Activation::Sigmoid).unwrap();
    Network::new(spec, None, &mut Rng::new(1)).unwrap()
}

fn trainer(method: Method) -> Trainer {
    Trainer {
        solver: Solver::Steps(method),
        objective: Objective { loss: Loss::LogisticCrossEntropy, l1: 0.0, l2: 1e-3 },
        batch: 16,
        ..Trainer::default()
    }
}

fn test(trainer: &Trainer, net: &Network<f64>, range: RateRange) -> RangeTest {
    let (x, y) = rows();
    trainer.find_rate(net, Batch { x: x.view(), y: y.view(), weights: None }, range, None, None).unwrap()
}

/// Nearly constant rates make the test a training, whose losses are those of its epochs.
#[test]
fn its_steps_are_those_of_a_training() {
    let (x, y) = rows();
    let weights: Vec<f64> = (0..ROWS).map(|row| if row < 32 { 0.0 } else { 1.0 + (row % 3) as f64 }).collect();
    let noise = Noise { dropout: vec![0.2], input_dropout: 0.1, input_noise: 0.1 };
    for shuffle in [true, false] {
        let batch = || Batch { x: x.view(), y: y.view(), weights: Some(&weights) };
        let trainer = Trainer {
            epochs: 1,
            learning_rate: 0.01,
            shuffle,
            noise: noise.clone(),
            max_norm: Some(1.5),
            ..trainer(Method::adam())
        };
        let mut order: Vec<usize> = (0..ROWS).collect();
        if shuffle {
            Rng::with_stream(0, stream::SHUFFLE + 1).shuffle(&mut order);
        }
        // Unshuffled, the first two batches weigh nothing and take no step.
        let weigh = |rows: &[usize]| rows.iter().map(|&row| weights[row]).sum::<f64>();
        let batches: Vec<f64> = order.chunks(16).map(weigh).filter(|weight| *weight > 0.0).collect();
        assert_eq!(batches.len(), if shuffle { 10 } else { 8 });

        let range = RateRange { from: 0.01, to: 0.01f64.next_up(), steps: batches.len(), ..RateRange::default() };
        let net = network();
        let before = net.params().to_vec();
        let found = trainer.find_rate(&net, batch(), range, None, None).unwrap();
        assert_eq!(net.params(), before, "the network was touched");
        assert_eq!((found.tried.len(), found.end), (batches.len(), RangeEnd::AllTried));
        let history = trainer.run(&mut network(), batch(), Run::default()).unwrap();
        let sum: f64 = found.tried.iter().zip(&batches).map(|(step, weight)| step.loss * weight).sum();
        let mean = sum / batches.iter().sum::<f64>();
        assert!((mean - history.training[0]).abs() < 1e-9, "{mean} and {}", history.training[0]);
    }
}

#[test]
fn rates_grow_by_one_factor_and_losses_are_smoothed_without_bias() {
    let range = RateRange { from: 1e-5, to: 1e-2, steps: 31, smoothing: 0.9, divergence: 4.0 };
    let found = test(&trainer(Method::sgd()), &network(), range);
    assert_eq!((found.tried.len(), found.end), (31, RangeEnd::AllTried));
    assert_eq!((found.tried[0].rate, found.tried[30].rate), (1e-5, 1e-2));
    let (mut mean, mut decayed) = (0.0, 1.0);
    for (i, step) in found.tried.iter().enumerate() {
        let rate = 1e-5 * 10f64.powf(i as f64 / 10.0);
        assert!((step.rate / rate - 1.0).abs() < 1e-12, "{} and {rate}", step.rate);
        mean = 0.9 * mean + 0.1 * step.loss;
        decayed *= 0.9;
        assert!((step.smoothed - mean / (1.0 - decayed)).abs() < 1e-12);
    }
}

#[test]
fn it_ends_where_the_loss_runs_away_and_suggests_a_rate_that_teaches() {
    let (x, y) = rows();
    for method in [Method::sgd(), Method::adam(), Method::rmsprop(), Method::lion(), Method::adagrad()] {
        let trainer = trainer(method);
        let found = test(&trainer, &network(), RateRange { to: 1e4, ..RateRange::default() });
        assert_eq!(found.end, RangeEnd::Diverged, "{}", method.name());
        assert!(found.tried.len() < 100);
        let lowest = found.lowest().unwrap();
        assert!(found.tried.iter().all(|step| step.loss.is_finite() && lowest.smoothed <= step.smoothed));
        let earlier = &found.tried[..found.tried.len() - 1];
        assert!(earlier.iter().all(|step| step.smoothed <= 4.0 * earlier[0].smoothed));
        let rate = found.suggestion().unwrap();
        assert_eq!(rate, lowest.rate / 10.0);
        assert!(found.steepest().unwrap() < lowest.rate);
        let after = |learning_rate: f64| {
            let trainer = Trainer { learning_rate, epochs: 20, ..trainer.clone() };
            let batch = Batch { x: x.view(), y: y.view(), weights: None };
            let history = trainer.run(&mut network(), batch, Run::default());
            history.map_or(f64::INFINITY, |history| *history.training.last().unwrap())
        };
        let (found, slow) = (after(rate), after(rate / 100.0));
        assert!(found < slow && found < 0.5, "{}: {found} at {rate}, {slow} at a hundredth", method.name());
    }
}

#[test]
fn the_bits_are_the_same_for_any_number_of_threads_and_from_a_file() {
    struct Read(Array2<f64>);
    impl Inputs<f64> for Read {
        fn read(&mut self, rows: &[usize], out: &mut [f64]) -> Result<()> {
            for (to, &row) in out.chunks_exact_mut(4).zip(rows) {
                to.copy_from_slice(self.0.row(row).to_slice().unwrap());
            }
            Ok(())
        }
    }
    let expected = test(&trainer(Method::adam()), &network(), RateRange::default());
    for threads in [2, 3] {
        let trainer = Trainer { threads: Threads::new(threads).unwrap(), ..trainer(Method::adam()) };
        assert_eq!(test(&trainer, &network(), RateRange::default()), expected);
    }
    let (x, y) = rows();
    let none = Array2::zeros((ROWS, 0));
    let batch = Batch { x: none.view(), y: y.view(), weights: None };
    let mut read = Read(x);
    let found =
        trainer(Method::adam()).find_rate(&network(), batch, RateRange::default(), Some(&mut read), None).unwrap();
    assert_eq!(found, expected);
    // What a test has no use for changes nothing.
    let other = Trainer {
        learning_rate: 7.0,
        schedule: Schedule::parse("cosine").unwrap(),
        averaging: Some(Averaging::Exponential { decay: 0.9 }),
        epochs: 1,
        watch_gradients: Some(1),
        ..trainer(Method::adam())
    };
    assert_eq!(test(&other, &network(), RateRange::default()), expected);
}

#[test]
fn where_nothing_is_to_be_found_nothing_is_suggested() {
    // Far too high from the start.
    let found = test(&trainer(Method::sgd()), &network(), RateRange { from: 100.0, to: 1e6, ..RateRange::default() });
    assert_eq!(found.suggestion(), None);
    // Interrupted before the first step.
    let (x, y) = rows();
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let flag = AtomicBool::new(true);
    let found = trainer(Method::adam()).find_rate(&network(), batch, RateRange::default(), None, Some(&flag)).unwrap();
    assert_eq!((found.tried.len(), found.end, found.suggestion()), (0, RangeEnd::Interrupted, None));
}

#[test]
fn what_is_out_of_range_is_refused_by_name() {
    let (x, y) = rows();
    let refused = |trainer: &Trainer, range: RateRange| {
        let batch = Batch { x: x.view(), y: y.view(), weights: None };
        trainer.find_rate(&network(), batch, range, None, None).unwrap_err().to_string()
    };
    let range = RateRange::default();
    let adam = trainer(Method::adam());
    for (range, word) in [
        (RateRange { from: 0.0, ..range }, "first rate"),
        (RateRange { to: 1e-8, ..range }, "last rate"),
        (RateRange { to: f64::INFINITY, ..range }, "last rate"),
        (RateRange { steps: 1, ..range }, "steps"),
        (RateRange { smoothing: 1.0, ..range }, "smoothing"),
        (RateRange { divergence: 1.0, ..range }, "divergence"),
    ] {
        let error = refused(&adam, range);
        assert!(error.contains(word), "{error}");
    }
    let error = refused(&Trainer { solver: Solver::Lbfgs, ..adam.clone() }, range);
    assert!(error.contains("L-BFGS") && error.contains("range test"), "{error}");
    for text in ["", "1", "1e-3,x", "1e-3,1,10,4", "1,1e-3", "1e-3,1,1.5"] {
        assert!(matches!(RateRange::parse(text), Err(Error::Setting { .. })), "'{text}'");
    }
    assert_eq!(RateRange::parse("1e-5, 1").unwrap(), RateRange { from: 1e-5, to: 1.0, ..range });
    assert_eq!(RateRange::parse("1e-7,10,100").unwrap(), range);
}
