//! Schedules of the learning rate, against PyTorch's and scikit-learn's, and in trainings.

use deltarule::prelude::*;
use deltarule::schedule::Progress;
use ndarray::Array2;
use std::ops::ControlFlow::Continue;

const EPOCHS: u64 = 12;
const PER_EPOCH: u64 = 5;
const ROWS: u64 = 37;
/// The steps before which [`RATES`] tell the rate.
const STEPS: [u64; 9] = [0, 1, 4, 5, 17, 18, 30, 44, 59];

/// PyTorch 2.15.0+cu132, scikit-learn 1.9.1: scripts/golden-schedules.py. PyTorch multiplies step by step where we take a power:
/// [`ROUNDINGS`] apart.
#[rustfmt::skip]
const RATES: [(&str, [f64; 9]); 7] = [
        ("step=3,0.5", [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125]),
        ("exponential=0.9", [1.0, 1.0, 1.0, 0.9, 0.7290000000000001, 0.7290000000000001, 0.5314410000000002, 0.43046721000000016, 0.31381059609000017]),
        ("cosine", [1.0, 0.9993147673772869, 0.9890738003669028, 0.9829629131445341, 0.8146601955249188, 0.7938926261462366, 0.5000000000000001, 0.16543469682057105, 0.0006852326227130835]),
        ("cosine=3,1", [1.0, 0.9890738003669028, 0.8345653031794291, 0.75, 0.9567727288213005, 0.9045084971874737, 1.0, 0.010926199633097156, 0.010926199633097156]),
        ("cosine=2,2", [1.0, 0.9755282581475768, 0.6545084971874737, 0.5, 0.7269952498697734, 0.6545084971874737, 1.0, 0.7269952498697734, 0.17527597583490806]),
        ("one_cycle=0.3", [0.040000000000000036, 0.04817291215172714, 0.16527571973408361, 0.2307353745379569, 1.0, 0.9986019041829957, 0.7816609023916948, 0.28306099820869923, 4e-06]),
        ("inverse_scaling=0.5", [1.0, 1.0, 1.0, 0.16222142113076254, 0.0944911182523068, 0.0944911182523068, 0.06696495301824251, 0.058025885318565944, 0.04950737714883372]),
];

/// Some sixty multiplications, and differences of numbers near 1.
const ROUNDINGS: f64 = 100.0 * f64::EPSILON;

fn at(step: u64) -> Progress {
    Progress { step, steps: EPOCHS * PER_EPOCH, steps_per_epoch: PER_EPOCH, rows: ROWS }
}

#[test]
fn rates_are_those_of_pytorch_and_scikit_learn() {
    for (name, rates) in RATES {
        let schedule = Schedule::parse(name).unwrap();
        for (step, rate) in STEPS.into_iter().zip(rates) {
            let found = schedule.factor(at(step));
            assert!((found - rate).abs() <= ROUNDINGS, "{name}, step {step}: {found} for {rate}");
        }
    }
    // Another constant is told apart.
    let other = Schedule::parse("step=3,0.51").unwrap();
    assert!((other.factor(at(17)) - RATES[0].1[4]).abs() > ROUNDINGS);
}

/// Eight rows of a line with noise, which no line fits.
fn rows() -> (Array2<f64>, Array2<f64>) {
    let x = Array2::from_shape_fn((8, 1), |(i, _)| i as f64 / 4.0 - 1.0);
    let y = Array2::from_shape_fn((8, 1), |(i, _)| i as f64 / 8.0 + f64::from(u8::from(i % 2 == 0)));
    (x, y)
}

fn history(trainer: &Trainer) -> deltarule::train::History {
    let (x, y) = rows();
    let mut net =
        Network::new(Spec::mlp(1, &[], Activation::Tanh, 1, Activation::Identity).unwrap(), None, &mut Rng::new(3))
            .unwrap();
    trainer.fit(&mut net, Batch { x: x.view(), y: y.view(), weights: None }, None, &mut |_| Continue(())).unwrap()
}

fn trainer(schedule: &str) -> Trainer {
    Trainer {
        solver: Solver::Steps(Method::Sgd { momentum: 0.0, nesterov: false }),
        learning_rate: 0.1,
        schedule: Schedule::parse(schedule).unwrap(),
        epochs: 40,
        batch: 4,
        ..Trainer::default()
    }
}

#[test]
fn a_training_follows_its_schedule_and_says_so() {
    let never = Trainer { stopping: Stopping::NEVER, ..trainer("step=10,0.5") };
    let rates = history(&never).rates;
    assert_eq!((rates.len(), rates[0], rates[9], rates[10], rates[39]), (40, 0.1, 0.1, 0.05, 0.0125));
    let constant = history(&Trainer { stopping: Stopping::NEVER, ..trainer("constant") });
    assert_ne!(constant.training[15], history(&never).training[15], "half the rate trains otherwise");
}

#[test]
fn a_rate_warms_up_step_by_step() {
    // Two steps an epoch: 4 epochs are 8 steps, of which the first has an eighth of the rate.
    let warm = Trainer { warm_up: 4, stopping: Stopping::NEVER, ..trainer("constant") };
    let rates = history(&warm).rates;
    assert_eq!(rates[..5], [0.1 * (2.0 / 8.0), 0.1 * (4.0 / 8.0), 0.1 * (6.0 / 8.0), 0.1, 0.1]);
}

#[test]
fn where_an_adaptive_training_would_stop_its_rate_is_divided() {
    let rule = Stopping { tolerance: 1e-3, patience: 2, ..Stopping::default() };
    let plain = history(&Trainer { epochs: 400, stopping: rule, ..trainer("constant") });
    let adaptive = history(&Trainer { epochs: 400, stopping: rule, ..trainer("adaptive=5,1e-3") });
    let end = plain.training.len();
    assert!(end < 400 && adaptive.training.len() > end);
    assert_eq!(plain.training[..], adaptive.training[..end]);
    assert!((adaptive.rates[end] - 0.1 / 5.0).abs() < 1e-15);
    // The last division brings it to 0.0008, from where on it may stop.
    assert!(adaptive.rates.last().unwrap() <= &1e-3 && adaptive.rates.last().unwrap() > &(1e-3 / 5.0));
    assert_eq!(adaptive.stopped, deltarule::train::Stopped::TrainingStalled);
}

#[test]
fn a_solver_without_a_rate_refuses_a_schedule_by_name() {
    let (x, y) = rows();
    let mut net = Network::<f64>::zeros(Spec::mlp(1, &[], Activation::Tanh, 1, Activation::Identity).unwrap()).unwrap();
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    for (changed, word) in [
        (Trainer { solver: Solver::Lbfgs, ..trainer("cosine") }, "cosine"),
        (Trainer { solver: Solver::Lbfgs, warm_up: 2, ..Trainer::default() }, "warm-up"),
        (Trainer { schedule: Schedule::Step { every: 0, factor: 0.5 }, ..Trainer::default() }, "every"),
        (Trainer { warm_up: 4, schedule: Schedule::OneCycle { rise: 0.3 }, ..Trainer::default() }, "one_cycle"),
    ] {
        let error = changed.fit(&mut net, batch.view(), None, &mut |_| Continue(())).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
