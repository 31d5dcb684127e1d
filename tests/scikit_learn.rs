//! Nine defects of scikit-learn 1.9.1's networks, each found by running it, and what happens here instead.

use deltarule::data::{Strata, split};
use deltarule::model::{Incremental, Recipe};
use deltarule::prelude::*;
use deltarule::train::{Averaging, Run, Saving, Snapshot, Stopped};
use ndarray::{Array2, s};
use std::ops::ControlFlow::Continue;

/// Forty rows of two inputs, and a number that is not linear in them.
fn rows() -> (Array2<f64>, Array2<f64>) {
    let mut rng = Rng::new(3);
    let x: Array2<f64> = Array2::from_shape_simple_fn((40, 2), || rng.uniform(-1.0, 1.0));
    let y = Array2::from_shape_fn((40, 1), |(i, _)| (3.0 * x[[i, 0]]).sin() + x[[i, 1]] * x[[i, 1]]);
    (x, y)
}

fn net(inputs: usize, hidden: usize) -> Network<f64> {
    let spec = Spec::mlp(inputs, &[hidden], Activation::Tanh, 1, Activation::Identity).unwrap();
    Network::new(spec, None, &mut Rng::new(1)).unwrap()
}

fn batch<'a>(x: &'a Array2<f64>, y: &'a Array2<f64>) -> Batch<'a, f64> {
    Batch { x: x.view(), y: y.view(), weights: None }
}

fn trainer() -> Trainer {
    Trainer { learning_rate: 0.01, batch: 8, epochs: 2, stopping: Stopping::NEVER, ..Trainer::default() }
}

/// Trains for some epochs from a state, and gives the one after them.
fn go_on(
    trainer: &Trainer,
    net: &mut Network<f64>,
    resume: Option<deltarule::train::Saved<f64>>,
) -> deltarule::Result<deltarule::train::Saved<f64>> {
    let (x, y) = rows();
    let mut saved = None;
    let mut save = |state: &Snapshot<'_, f64>| {
        saved = Some(state.to_saved());
        Ok(())
    };
    let run = Run { resume, save: Some(Saving { every: 1, save: &mut save }), ..Run::default() };
    trainer.run(net, batch(&x, &y), run)?;
    Ok(saved.expect("a state after every epoch"))
}

/// scikit-learn's `partial_fit` of a regressor with `solver="lbfgs"` runs all of L-BFGS.
#[test]
fn one_a_solver_of_all_rows_takes_as_many_iterations_as_are_asked_for() {
    for solver in [Solver::Lbfgs, Solver::Scg] {
        let trainer = |epochs| Trainer { solver, epochs, ..trainer() };
        let (mut whole, mut parts) = (net(2, 4), net(2, 4));
        let ended = go_on(&trainer(3), &mut whole, None).expect("three iterations").standing;
        assert_eq!((ended.epoch, ended.history.training.len()), (3, 3));
        let mut state = None;
        for epochs in 1..=3 {
            state = Some(go_on(&trainer(epochs), &mut parts, state).expect("one iteration more"));
            assert_eq!(state.as_ref().map(|state| state.standing.epoch), Some(epochs));
        }
        assert_eq!(whole.params(), parts.params(), "{}", solver.name());
        let recipe = Recipe { trainer: trainer(1), ..Recipe::default() };
        let error = Incremental::<f64>::new(recipe).expect_err("no partial fits").to_string();
        assert!(error.contains(solver.name()), "{error}");
    }
}

#[test]
fn two_rows_are_held_back_in_the_shares_of_any_number_of_classes() {
    for count in [2, 3, 5] {
        let labels: Vec<String> = (0..count).map(|class| class.to_string()).collect();
        let classes: Vec<usize> = (0..20 * count).map(|row| row % count).collect();
        let strata = Strata::Classes { classes: &classes, labels: &labels };
        let part = split::hold_out(strata, 0.25, &mut Rng::new(7)).unwrap();
        for class in 0..count {
            assert_eq!(part.test.iter().filter(|&&row| classes[row] == class).count(), 5, "{count} classes");
        }
    }
}

#[test]
fn three_negative_counts_are_refused() {
    let (x, mut y) = rows();
    y.mapv_inplace(f64::abs);
    y[[5, 0]] = -1.0;
    let spec = Spec::mlp(2, &[], Activation::Tanh, 1, Activation::Exponential).unwrap();
    let objective = Objective { loss: Loss::Poisson, l1: 0.0, l2: 0.0 };
    let error = Trainer { objective, ..trainer() }
        .fit(&mut Network::zeros(spec).unwrap(), batch(&x, &y), None, &mut |_| Continue(()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("row 6") && error.contains("-1"), "{error}");
}

#[test]
fn four_a_saturated_log_loss_is_told_as_it_is_and_agrees_with_its_gradient() {
    for isa in deltarule::simd::Isa::available() {
        let (mut delta, mut losses) = ([f32::NAN; 2], [f32::NAN; 2]);
        Loss::LogisticCrossEntropy.rows(isa, &[-69.08_f32, 69.08], &[1.0, 0.0], &mut delta, 1, &mut losses);
        assert!(losses.iter().all(|loss| (loss - 69.08).abs() < 1e-4), "not 15.94: {losses:?}");
        assert_eq!(delta, [-1.0, 1.0]);
    }
}

#[test]
fn five_a_changed_network_is_not_continued_as_the_old_one() {
    let saved = go_on(&trainer(), &mut net(2, 4), None).unwrap();
    let more = Trainer { epochs: 4, ..trainer() };
    assert!(go_on(&more, &mut net(2, 4), Some(saved.clone())).is_ok());
    let error = go_on(&more, &mut net(2, 5), Some(saved)).unwrap_err().to_string();
    assert!(error.contains("'params'") && error.contains("17") && error.contains("21"), "{error}");
    let (x, y) = rows();
    let error = trainer().fit(&mut net(3, 4), batch(&x, &y), None, &mut |_| Continue(())).unwrap_err().to_string();
    assert!(error.contains("40 x 3") && error.contains("40 x 2"), "{error}");
}

#[test]
fn six_whole_batch_solvers_stop_early_and_keep_the_best() {
    let (x, mut y) = rows();
    // Noise, which a solver that goes on fits.
    let mut rng = Rng::new(9);
    y.iter_mut().for_each(|y| *y += rng.uniform::<f64>(-0.7, 0.7));
    for solver in [Solver::Lbfgs, Solver::Scg] {
        let stopping = Stopping { tolerance: 0.0, patience: 5, ..Stopping::default() };
        let trainer = Trainer { solver, epochs: 400, stopping, ..trainer() };
        let mut network = net(2, 20);
        let part = |rows: std::ops::Range<usize>| Batch {
            x: x.slice(s![rows.clone(), ..]),
            y: y.slice(s![rows, ..]),
            weights: None,
        };
        let history = trainer.fit(&mut network, part(0..28), Some(part(28..40)), &mut |_| Continue(())).unwrap();
        assert_eq!(history.stopped, Stopped::ValidationStalled, "{solver:?}");
        assert_eq!(history.validation.len(), history.training.len());
        let best = history.validation.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(history.validation[history.kept - 1], best);
        let error = (network.predict(x.slice(s![28.., ..])).unwrap() - y.slice(s![28.., ..])).mapv(|e| e * e / 2.0);
        assert!((error.mean().unwrap() - best).abs() < 1e-12, "{solver:?}");
    }
}

#[test]
fn seven_a_training_that_is_continued_takes_its_rows_in_a_new_order_each_time() {
    let one = Trainer { epochs: 1, ..trainer() };
    let mut whole = net(2, 4);
    let end = go_on(&trainer(), &mut whole, None).unwrap();
    let mut parts = net(2, 4);
    let saved = go_on(&one, &mut parts, None).unwrap();
    let again = go_on(&trainer(), &mut parts, Some(saved)).unwrap();
    assert_eq!((whole.params(), &end.buffers), (parts.params(), &again.buffers));
    // From the same parameters the same order again would give the same first epoch.
    let sgd = Solver::Steps(Method::Sgd { momentum: 0.0, nesterov: false });
    let (x, y) = rows();
    let mut second = net(2, 4);
    let first = Trainer { solver: sgd, ..one.clone() };
    first.fit(&mut second, batch(&x, &y), None, &mut |_| Continue(())).unwrap();
    first.fit(&mut second, batch(&x, &y), None, &mut |_| Continue(())).unwrap();
    let mut both = net(2, 4);
    Trainer { solver: sgd, ..trainer() }.fit(&mut both, batch(&x, &y), None, &mut |_| Continue(())).unwrap();
    assert_ne!(second.params(), both.params(), "the second epoch has an order of its own");
}

#[test]
fn eight_the_strength_of_a_penalty_does_not_depend_on_the_batch() {
    let (x, y) = rows();
    let network = net(2, 4);
    let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.3 };
    let penalty = |rows: usize| {
        let mut workspace = Workspace::new(network.spec(), 40, Engine::default(), Threads::one()).unwrap();
        let some = batch(&x, &y);
        let some = some.rows(0..rows);
        pass::value(network.spec(), network.params(), some, &objective, &mut workspace).unwrap().penalty
    };
    assert!(penalty(40) > 0.0);
    assert_eq!((penalty(1), penalty(8)), (penalty(40), penalty(40)));
}

#[test]
fn nine_more_than_the_last_weights_can_be_kept_and_predictions_are_cut_into_pieces() {
    let (x, y) = rows();
    let averaging = Some(Averaging::Uniform { from: 1 });
    let (mut last, mut mean) = (net(2, 4), net(2, 4));
    trainer().fit(&mut last, batch(&x, &y), None, &mut |_| Continue(())).unwrap();
    Trainer { averaging, ..trainer() }.fit(&mut mean, batch(&x, &y), None, &mut |_| Continue(())).unwrap();
    assert_ne!(last.params(), mean.params());
    // A piece at a time: as many rows as would fill a piece many times over give what each gives alone.
    let many = Array2::from_shape_fn((5000, 2), |(i, j)| x[[i % 40, j]]);
    let (all, few) = (last.predict(many.view()).unwrap(), last.predict(x.view()).unwrap());
    assert!((0..5000).all(|i| (all[[i, 0]] - few[[i % 40, 0]]).abs() < 1e-14));
}
