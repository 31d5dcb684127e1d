//! Trainings: known optima are reached, the right epoch is kept, and bad settings are refused. What runs away is in
//! `divergence.rs`.

mod trainings;

use deltarule::prelude::*;
use deltarule::train::{Epoch, History, Stopped};
use ndarray::{Array1, Array2, array, s};
use std::ops::ControlFlow::{Break, Continue};
use trainings::*;

// ---------------------------------------------------------------------------------------------------- known optima

/// Solves `a x = b` for a positive definite `a`, by elimination.
fn solve(mut a: Array2<f64>, mut b: Array1<f64>) -> Array1<f64> {
    let n = b.len();
    for i in 0..n {
        for j in i + 1..n {
            let factor = a[[j, i]] / a[[i, i]];
            let row = a.row(i).to_owned();
            a.row_mut(j).scaled_add(-factor, &row);
            b[j] -= factor * b[i];
        }
    }
    for i in (0..n).rev() {
        b[i] = (b[i] - a.slice(s![i, i + 1..]).dot(&b.slice(s![i + 1..]))) / a[[i, i]];
    }
    b
}

/// Weights and bias that minimise the weighted mean of half the squared error plus `l2 / 2 |w|^2`: the normal equations
/// of centred columns.
fn ridge(x: &Array2<f64>, y: &Array2<f64>, weights: &[f64], l2: f64) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    let share = Array1::from_iter(weights.iter().map(|w| w / total));
    let (x_mean, y_mean) = (share.dot(x), share.dot(&y.column(0)));
    let (x, y) = (x - &x_mean, &y.column(0) - y_mean);
    let weighted = &x * &share.view().insert_axis(ndarray::Axis(1));
    let w = solve(weighted.t().dot(&x) + Array2::<f64>::eye(x.ncols()) * l2, weighted.t().dot(&y));
    let bias = y_mean - x_mean.dot(&w);
    w.into_iter().chain([bias]).collect()
}

/// How far from the optimum a training may end: L-BFGS stops at a gradient of 1e-5, and the least curvature here is 0.3;
/// descent goes on to the rounding of the type.
const NEAR_LBFGS: f64 = 1e-4;
const NEAR_F64: f64 = 1e-9;
const NEAR_F32: f64 = 1e-5;

fn distance<T: Float>(net: &Network<T>, optimum: &[f64]) -> f64 {
    net.params().iter().zip(optimum).map(|(p, o)| (p.real() - o).abs()).fold(0.0, f64::max)
}

fn linear_regression<T: Float>(near: f64) {
    let (x, noise) = (random(60, 3, 2) + 0.5, random(60, 1, 3));
    let y = x.dot(&array![[2.0], [-1.0], [0.5]]) + 3.0 + noise;
    let weights: Vec<f64> = (0..60).map(|i| f64::from(i % 4)).collect();
    let (x_t, y_t, weights_t) =
        (cast::<T>(&x), cast::<T>(&y), cast(&Array2::from_shape_vec((1, 60), weights.clone()).unwrap()));
    for (l2, weighted) in [(0.0, false), (0.3, false), (0.3, true)] {
        let optimum = ridge(&x, &y, if weighted { &weights } else { &[1.0; 60] }, l2);
        let rows = Batch { weights: weighted.then(|| weights_t.as_slice().unwrap()), ..batch(&x_t, &y_t) };
        let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2 };
        let descent = Trainer { objective, batch: 60, epochs: 600, ..plain(Loss::SquaredError) };
        let trainers = [
            (Trainer { solver: Solver::Lbfgs, ..descent.clone() }, NEAR_LBFGS),
            (Trainer { solver: Solver::Steps(Method::sgd()), ..descent.clone() }, near),
        ];
        for (trainer, near) in trainers {
            let mut net = linear::<T>(3, Activation::Identity);
            trainer.fit(&mut net, rows, None, &mut go_on).unwrap();
            let error = distance(&net, &optimum);
            assert!(error < near, "{} {:?} l2 {l2}: {error:e} from {optimum:?}", T::NAME, trainer.solver);
        }
        // What has not yet arrived is seen.
        let mut net = linear::<T>(3, Activation::Identity);
        Trainer { epochs: 20, ..descent }.fit(&mut net, rows, None, &mut go_on).unwrap();
        assert!(distance(&net, &optimum) > 10.0 * NEAR_LBFGS);
    }
}

#[test]
fn linear_and_ridge_regression_reach_the_normal_equations() {
    linear_regression::<f64>(NEAR_F64);
    linear_regression::<f32>(NEAR_F32);
}

#[test]
fn logistic_regression_ends_where_its_gradient_is_zero() {
    let x = random(80, 2, 4);
    let y = Array2::from_shape_fn((80, 1), |(i, _)| f64::from(x[[i, 0]] + 0.8 * random(80, 1, 5)[[i, 0]] > 0.0));
    let mut net = linear::<f64>(2, Activation::Sigmoid);
    let objective = Objective { loss: Loss::LogisticCrossEntropy, l1: 0.0, l2: 0.01 };
    let trainer = Trainer { solver: Solver::Lbfgs, objective, ..Trainer::default() };
    let history = trainer.fit(&mut net, batch(&x, &y), None, &mut go_on).unwrap();
    assert_eq!(history.stopped, Stopped::Converged);
    let p = net.params();
    let gradient = |k: usize| {
        let row = |i: usize| {
            let z = x[[i, 0]] * p[0] + x[[i, 1]] * p[1] + p[2];
            (1.0 / (1.0 + (-z).exp()) - y[[i, 0]]) * if k < 2 { x[[i, k]] } else { 1.0 }
        };
        (0..80).map(row).sum::<f64>() / 80.0 + if k < 2 { 0.01 * p[k] } else { 0.0 }
    };
    for k in 0..3 {
        // The tolerance that L-BFGS was given.
        assert!(gradient(k).abs() <= 1e-5, "{k}: {:e}", gradient(k));
    }
    assert!(p[0] > 0.5, "it did move");
}

fn xor<T: Float>() {
    let x = cast::<T>(&array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let y = cast::<T>(&array![[0.0], [1.0], [1.0], [0.0]]);
    let objective = Objective { loss: Loss::LogisticCrossEntropy, l1: 0.0, l2: 0.0 };
    let steps =
        Trainer { objective, epochs: 500, learning_rate: 0.05, stopping: Stopping::NEVER, ..Trainer::default() };
    let sgd = Trainer { solver: Solver::Steps(Method::sgd()), learning_rate: 0.2, ..steps.clone() };
    for trainer in [Trainer { solver: Solver::Lbfgs, ..steps.clone() }, sgd, steps] {
        for seed in 0..3 {
            let spec = Spec::mlp(2, &[8], Activation::Tanh, 1, Activation::Sigmoid).unwrap();
            let mut net = Network::<T>::new(spec, None, &mut Rng::new(seed)).unwrap();
            trainer.fit(&mut net, batch(&x, &y), None, &mut go_on).unwrap();
            for (p, y) in net.predict(x.view()).unwrap().iter().zip(&y) {
                assert!((p.real() - y.real()).abs() < 0.1, "{} {:?} seed {seed}", T::NAME, trainer.solver);
            }
        }
    }
}

#[test]
fn xor_is_learnt() {
    xor::<f64>();
    xor::<f32>();
}

#[test]
fn the_perceptron_rule_learns_and_but_not_xor() {
    let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let trainer = Trainer { solver: Solver::Perceptron, epochs: 50, ..Trainer::default() };
    let train = |y: &Array2<f64>| {
        let mut net = linear::<f64>(2, Activation::Step);
        let history = trainer.fit(&mut net, batch(&x, y), None, &mut go_on).unwrap();
        (net.predict(x.view()).unwrap() == *y, history)
    };
    let (right, history) = train(&array![[0.0], [0.0], [0.0], [1.0]]);
    assert!(right && history.stopped == Stopped::Converged);
    assert_eq!((history.training.last(), history.kept), (Some(&0.0), history.training.len()));
    let (right, history) = train(&array![[0.0], [1.0], [1.0], [0.0]]);
    assert!(!right && history.stopped == Stopped::Epochs && history.training.len() == 50);
}

// ------------------------------------------------------------------------------------------------ epochs and stopping

#[test]
fn a_history_has_an_entry_for_each_epoch_and_the_first_is_the_loss_before_training() {
    let (x, y) = small_data::<f64>();
    let mut net = small();
    // So small a rate that nothing moves; 12 rows in batches of 5, 5 and 2.
    let trainer = Trainer { learning_rate: 1e-300, epochs: 3, batch: 5, ..plain(Loss::SquaredError) };
    let history = trainer.fit(&mut net, batch(&x, &y), None, &mut go_on).unwrap();
    let errors = net.predict(x.view()).unwrap() - &y;
    let mean = errors.mapv(|e| e * e / 2.0).sum() / 12.0;
    assert_eq!((history.training.len(), history.validation.len(), history.kept), (3, 0, 3));
    assert_eq!(history.stopped, Stopped::Epochs);
    for loss in history.training {
        assert!((loss - mean).abs() < 1e-15, "{loss} and {mean}");
    }
}

#[test]
fn lbfgs_records_the_loss_without_the_penalty_as_descent_does() {
    let (x, y) = small_data::<f64>();
    let mut net = small();
    let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.1 };
    let trainer = Trainer { solver: Solver::Lbfgs, objective, epochs: 7, ..Trainer::default() };
    let history = trainer.fit(&mut net, batch(&x, &y), None, &mut go_on).unwrap();
    let errors = net.predict(x.view()).unwrap() - &y;
    let mean = errors.mapv(|e| e * e / 2.0).sum() / 12.0;
    assert!((history.training[6] - mean).abs() < 1e-14, "{} and {mean}", history.training[6]);
}

#[test]
fn a_training_whose_loss_stalls_ends_after_the_patience() {
    let (x, y) = small_data::<f64>();
    let stopping = Stopping { tolerance: 1e-3, patience: 4, ..Stopping::default() };
    let trainer = Trainer { stopping, epochs: 5000, ..plain(Loss::SquaredError) };
    let history = trainer.fit(&mut small(), batch(&x, &y), None, &mut go_on).unwrap();
    assert_eq!(history.stopped, Stopped::TrainingStalled);
    let loss = &history.training;
    assert_eq!(history.kept, loss.len());
    // The rule told again: the epochs since the mark was last undercut.
    let (mut mark, mut waited, first) = (f64::INFINITY, 0, loss[0]);
    for (epoch, &loss_now) in loss.iter().enumerate() {
        (mark, waited) = if loss_now < mark - 1e-3 * first { (loss_now, 0) } else { (mark, waited + 1) };
        assert_eq!(waited == 4, epoch + 1 == loss.len(), "epoch {}", epoch + 1);
    }
}

/// Data on which a network soon learns the noise: the held-back loss falls, then rises.
fn overfitted(solver: Solver) -> (History, Network<f64>, Network<f64>) {
    let (x, noise) = (random(40, 3, 8), random(40, 1, 9));
    let y = Array2::from_shape_fn((40, 1), |(i, _)| x[[i, 0]] + noise[[i, 0]]);
    let rows = |range: std::ops::Range<usize>| (x.slice(s![range.clone(), ..]), y.slice(s![range, ..]));
    let ((x1, y1), (x2, y2)) = (rows(0..20), rows(20..40));
    let training = Batch { x: x1, y: y1, weights: None };
    let spec = Spec::mlp(3, &[20], Activation::Tanh, 1, Activation::Identity).unwrap();
    let start = Network::<f64>::new(spec, None, &mut Rng::new(1)).unwrap();
    let stopping = Stopping { tolerance: 0.0, patience: 15, ..Stopping::default() };
    let trainer = Trainer { solver, stopping, epochs: 400, learning_rate: 0.01, batch: 5, ..Trainer::default() };
    let mut net = start.clone();
    let held_back = Batch { x: x2, y: y2, weights: None };
    let history = trainer.fit(&mut net, training, Some(held_back), &mut go_on).unwrap();
    let mut again = start;
    let until = Trainer { epochs: history.kept, stopping: Stopping::NEVER, ..trainer };
    until.fit(&mut again, training, None, &mut go_on).unwrap();
    (history, net, again)
}

#[test]
fn of_held_back_rows_the_best_epochs_parameters_are_kept() {
    for solver in [Solver::Steps(Method::adam()), Solver::Steps(Method::sgd()), Solver::Lbfgs] {
        let (history, net, until_kept) = overfitted(solver);
        assert_eq!(history.stopped, Stopped::ValidationStalled, "{solver:?}");
        let loss = &history.validation;
        let best = (0..loss.len()).min_by(|&a, &b| loss[a].total_cmp(&loss[b])).unwrap();
        assert_eq!((history.kept, loss.len()), (best + 1, best + 1 + 15), "{solver:?}");
        assert_eq!(bits(&net), bits(&until_kept), "{solver:?}");
    }
}

#[test]
fn an_observer_that_breaks_ends_the_training_with_what_it_has() {
    let (x, y) = small_data::<f64>();
    for solver in [Solver::Steps(Method::adam()), Solver::Lbfgs] {
        let trainer = Trainer { solver, ..Trainer::default() };
        let train = |trainer: &Trainer, last: usize| {
            let mut net = small();
            let mut numbers = Vec::new();
            let observe = &mut |epoch: &Epoch| {
                numbers.push(epoch.number);
                if epoch.number == last { Break(()) } else { Continue(()) }
            };
            let history = trainer.fit(&mut net, batch(&x, &y), None, observe).unwrap();
            assert_eq!(numbers, [1, 2, 3]);
            (history.stopped, history.training.len(), history.kept, bits(&net))
        };
        let broken = train(&trainer, 3);
        assert_eq!((broken.0, broken.1, broken.2), (Stopped::Observer, 3, 3), "{solver:?}");
        assert_eq!(broken.3, train(&Trainer { epochs: 3, ..trainer }, usize::MAX).3, "{solver:?}");
    }
}

// ---------------------------------------------------------------------------------------------------- rows and weights

#[test]
fn any_number_of_rows_trains() {
    let (x, y) = small_data::<f64>();
    let train = |rows: usize, size: usize, shuffle: bool| {
        let mut net = small();
        let trainer = Trainer { batch: size, shuffle, epochs: 3, ..plain(Loss::SquaredError) };
        trainer.fit(&mut net, batch(&x, &y).rows(0..rows), None, &mut go_on).unwrap();
        bits(&net)
    };
    assert_ne!(train(1, 4, true), bits(&small::<f64>()));
    // A batch of more rows than there are is one of all.
    assert_eq!(train(12, 12, false), train(12, usize::MAX, false));
    // A last batch of 2 is a step of its own: 10 rows give another result than 8, and shuffled than in order.
    assert_ne!(train(10, 4, false), train(8, 4, false));
    assert_ne!(train(10, 4, true), train(10, 4, false));
}

/// Sums over the same rows in another order differ in their last bits.
const SAME: f64 = 1e-12;

#[test]
fn rows_of_weight_zero_count_as_if_they_were_not_there() {
    let (x, y) = small_data::<f64>();
    let weights: Vec<f64> =
        (0..12).map(|i| if (4..8).contains(&i) || i == 10 { 0.0 } else { 1.0 + f64::from(i) }).collect();
    let kept: Vec<usize> = (0..12).filter(|&i| weights[i] > 0.0).collect();
    let (x2, y2) = (x.select(ndarray::Axis(0), &kept), y.select(ndarray::Axis(0), &kept));
    let few: Vec<f64> = kept.iter().map(|&i| weights[i]).collect();
    // In batches of 4: the first weighted rows, none (no step at all), the last.
    let trainer = Trainer { epochs: 20, ..plain(Loss::SquaredError) };
    let (mut net, mut other) = (small(), small());
    let history = trainer.fit(&mut net, Batch { weights: Some(&weights), ..batch(&x, &y) }, None, &mut go_on).unwrap();
    let fewer = trainer.fit(&mut other, Batch { weights: Some(&few), ..batch(&x2, &y2) }, None, &mut go_on).unwrap();
    let apart = net.params().iter().zip(other.params()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart < SAME && (history.training[19] - fewer.training[19]).abs() < SAME, "{apart:e}");
    assert!(bits(&net) != bits(&small::<f64>()));
}

#[test]
fn weights_that_make_no_sense_are_refused_with_their_row() {
    let (x, y) = small_data::<f64>();
    for (weights, message) in [
        (vec![1.0; 11], "weights: expected 12, one a row, found 11"),
        (vec![0.0; 12], "weights: expected a finite sum above 0, found 0"),
        (vec![f64::MAX; 12], "weights: expected a finite sum above 0, found inf"),
        (with(vec![1.0; 12], 6, -1.0), "weight of row 7: expected a finite number of at least 0, found -1"),
        (with(vec![1.0; 12], 11, f64::NAN), "weight of row 12: expected a finite number of at least 0, found NaN"),
    ] {
        let weighted = Batch { weights: Some(&weights), ..batch(&x, &y) };
        for solver in [Solver::Steps(Method::adam()), Solver::Lbfgs] {
            let trainer = Trainer { solver, batch: 4, ..Trainer::default() };
            for (training, held_back) in [(weighted, None), (batch(&x, &y), Some(weighted))] {
                let mut net = small();
                let error = trainer.fit(&mut net, training, held_back, &mut go_on).unwrap_err().to_string();
                assert_eq!(error, message);
                assert_eq!(bits(&net), bits(&small::<f64>()), "refused before the first step");
            }
        }
    }
}

fn with<T>(mut items: Vec<T>, index: usize, item: T) -> Vec<T> {
    items[index] = item;
    items
}

// ------------------------------------------------------------------------------------------------------------ refusals

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let (x, y) = small_data::<f64>();
    let base = Trainer::default;
    let loss = |loss: Loss| Objective { loss, l1: 0.0, l2: 0.0 };
    let l2 = |l2: f64| Objective { l2, ..Objective::default() };
    let l1 = |l1: f64| Objective { l1, ..Objective::default() };
    let stopping = |tolerance: f64, patience: usize| Stopping { tolerance, patience, ..Stopping::default() };
    let solver = |momentum: f64| Solver::Steps(Method::Sgd { momentum, nesterov: false });
    for (trainer, message) in [
        (Trainer { learning_rate: 0.0, ..base() }, "learning rate: expected a finite number above 0, found 0"),
        (Trainer { learning_rate: f64::NAN, ..base() }, "learning rate: expected a finite number above 0, found NaN"),
        (Trainer { objective: l2(-1.0), ..base() }, "l2: expected a finite number of at least 0, found -1"),
        (Trainer { objective: l2(f64::INFINITY), ..base() }, "l2: expected a finite number of at least 0, found inf"),
        (Trainer { objective: l1(-1.0), ..base() }, "l1: expected a finite number of at least 0, found -1"),
        (Trainer { objective: l1(f64::NAN), ..base() }, "l1: expected a finite number of at least 0, found NaN"),
        (Trainer { epochs: 0, ..base() }, "epochs: expected at least 1, found 0"),
        (Trainer { batch: 0, ..base() }, "batch: expected at least 1, found 0"),
        (
            Trainer { stopping: stopping(-1.0, 1), ..base() },
            "tolerance: expected a finite number of at least 0, found -1",
        ),
        (Trainer { stopping: stopping(0.0, 0), ..base() }, "patience: expected at least 1 epoch, found 0"),
        (Trainer { solver: solver(1.5), ..base() }, "momentum: expected a number from 0 to 1, found 1.5"),
        (
            Trainer { objective: loss(Loss::Huber { delta: 0.0 }), ..base() },
            "delta of huber: expected a finite number above 0, found 0",
        ),
        (
            Trainer { objective: loss(Loss::LogisticCrossEntropy), ..base() },
            "row 4: target of logistic_cross_entropy: expected a number in 0..=1, found -0.05",
        ),
        (
            Trainer { solver: Solver::Perceptron, ..base() },
            "the perceptron rule trains one layer of threshold units, and this network has 2 layers",
        ),
    ] {
        let error = trainer.fit(&mut small(), batch(&x, &y), None, &mut go_on).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error:?}, expected {message:?}");
    }
}

#[test]
fn rows_that_do_not_fit_are_refused_by_name() {
    let (x, y) = small_data::<f64>();
    let mut holed = x.clone();
    holed[[4, 2]] = f64::INFINITY;
    let mut no_target = y.clone();
    no_target[[11, 0]] = f64::NAN;
    let columns = Array2::from_shape_vec((3, 12), x.iter().copied().collect()).unwrap();
    let none = Array2::zeros((0, 3));
    for (x, y, message) in [
        (none.view(), y.view(), "training rows: expected at least 1, found 0"),
        (x.slice(s![..11, ..]), y.view(), "y: expected 11 x 1, found 12 x 1"),
        (x.slice(s![.., ..2]), y.view(), "x: expected 12 x 3, found 12 x 2"),
        (columns.t(), y.view(), "x: expected rows in standard (row-major) layout, found another layout"),
        (holed.view(), y.view(), "x, row 5, column 3: expected a finite number, found inf"),
        (x.view(), no_target.view(), "y, row 12, column 1: expected a finite number, found NaN"),
    ] {
        let error = Trainer::default().fit(&mut small(), Batch { x, y, weights: None }, None, &mut go_on);
        assert_eq!(error.unwrap_err().to_string(), message);
    }
    // A step has no slope; the perceptron rule has no use for what it would ignore.
    let mut net = linear::<f64>(3, Activation::Step);
    let error = plain(Loss::SquaredError).fit(&mut net, batch(&x, &y), None, &mut go_on).unwrap_err().to_string();
    assert!(error.starts_with("layer 1 has an activation without a usable slope (Step)"), "{error}");
    let rule = Trainer { solver: Solver::Perceptron, ..Trainer::default() };
    let error = rule.fit(&mut net, batch(&x, &y), Some(batch(&x, &y)), &mut go_on).unwrap_err().to_string();
    assert_eq!(error, "the perceptron rule has no use for held-back rows");
    let error = rule.fit(&mut net, batch(&x, &y), None, &mut go_on).unwrap_err().to_string();
    assert!(error.starts_with("target in row 1, column 1: expected 0 or 1, found"), "{error}");
}
