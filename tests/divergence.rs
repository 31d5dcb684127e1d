//! What runs away is named, with its epoch, batch and layer, in the step in which it happens, and the parameters of the
//! last good epoch are left.

mod trainings;

use deltarule::Error;
use deltarule::prelude::*;
use deltarule::scalar::Scalar;
use ndarray::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use trainings::*;

/// Where and of what a training is said to have diverged; what it left must be finite.
fn divergence<T: Float, L: LossFn>(
    trainer: &Trainer<L>,
    net: &mut Network<T>,
    rows: Batch<'_, T>,
) -> (usize, usize, Option<usize>, String) {
    match trainer.fit(net, rows, None, &mut go_on) {
        Err(Error::Diverged { epoch, batch, layer, what, .. }) => {
            assert!(net.params().iter().all(|p| p.is_finite()));
            (epoch, batch, layer, what)
        }
        other => panic!("{other:?} of {:?}", trainer.solver),
    }
}

fn absurd_rate<T: Float>() {
    let (x, y) = small_data::<T>();
    for method in [Method::sgd(), Method::adam()] {
        let trainer = Trainer { solver: Solver::Steps(method), learning_rate: 1e10, ..plain(Loss::SquaredError) };
        let mut net = small();
        let (epoch, batch, layer, what) = divergence(&trainer, &mut net, batch(&x, &y));
        // The second batch is the first that sees what the first step did.
        assert_eq!((epoch, batch, &what[..]), (1, 2, "loss"), "{} {method}", T::NAME);
        assert!(layer.is_some_and(|layer| (1..=2).contains(&layer)), "{} {method}: layer {layer:?}", T::NAME);
        assert_eq!(bits(&net), bits(&small::<T>()), "no epoch was good, so the start is left");
    }
}

#[test]
fn an_absurd_rate_is_named_in_the_step_after_it() {
    absurd_rate::<f64>();
    absurd_rate::<f32>();
}

#[test]
fn overflow_is_named_with_its_layer() {
    let (x, y) = small_data::<f32>();
    let trainer = plain(Loss::SquaredError);
    // Sums of some 1e30 saturate tanh and leave the loss as it is; linear units pass them on, and 1e30 squared is no f32.
    let scaled = x.mapv(|x| x * 1e30);
    let spec = Spec::mlp(3, &[4], Activation::Identity, 1, Activation::Identity).unwrap();
    let mut net = Network::new(spec, None, &mut Rng::new(5)).unwrap();
    assert_eq!(divergence(&trainer, &mut net, batch(&scaled, &y)), (1, 1, None, "loss".into()));
    let lbfgs = Trainer { solver: Solver::Lbfgs, ..trainer.clone() };
    assert_eq!(divergence(&lbfgs, &mut net, batch(&scaled, &y)), (1, 1, None, "loss".into()));
    // Weights of the second layer whose sums are too large for an f32, while the first layer's are not.
    net.params_mut()[16..20].fill(f32::MAX);
    let large = x.mapv(|x| 1e3 * x.abs());
    for trainer in [trainer, lbfgs] {
        assert_eq!(divergence(&trainer, &mut net, batch(&large, &y)), (1, 1, Some(2), "loss".into()));
    }
    // The perceptron adds rows to its weights.
    let rule = Trainer { solver: Solver::Perceptron, ..plain(Loss::SquaredError) };
    let mut net = linear::<f32>(2, Activation::Step);
    net.params_mut()[..2].fill(2e38);
    let found = divergence(&rule, &mut net, batch(&array![[-3e38, 3e38]], &array![[1.0]]));
    assert_eq!((found, net.params()), ((1, 1, Some(1), "weight".into()), &[2e38, 2e38, 0.0][..]));
}

/// Half the squared error until the row call `at`, then what was planted.
#[derive(Clone, Debug)]
struct Planted {
    calls: Arc<AtomicUsize>,
    at: usize,
    value: f64,
    slope: f64,
}

impl LossFn for Planted {
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
        let e = output[0] - target[0];
        let mut value = T::from_f64(0.5) * e * e;
        delta[0] = e;
        if self.calls.fetch_add(1, Ordering::Relaxed) + 1 == self.at {
            value += T::from_f64(self.value);
            delta[0] += T::from_f64(self.slope);
        }
        value
    }
}

#[test]
fn what_a_loss_lets_in_is_named_in_its_epoch_and_batch_and_the_last_good_epoch_is_left() {
    let (x, y) = small_data::<f64>();
    for (value, slope, what, layer) in [
        (f64::NAN, 0.0, "loss", None),
        (f64::INFINITY, 0.0, "loss", None),
        (0.0, f64::NAN, "gradient", Some(1)),
        (0.0, f64::INFINITY, "gradient", Some(1)),
    ] {
        for (epoch, number) in [(1, 1), (1, 3), (3, 2), (4, 1)] {
            // A row in the middle of the batch; 12 rows to an epoch, 4 to a batch.
            let at = (epoch - 1) * 12 + (number - 1) * 4 + 2;
            let trainer = plain(Planted { calls: Arc::default(), at, value, slope });
            let mut net = small();
            let found = divergence(&trainer, &mut net, batch(&x, &y));
            assert_eq!(found, (epoch, number, layer, what.to_string()));
            let mut good = small();
            if epoch > 1 {
                let until = Trainer { epochs: epoch - 1, ..plain(Loss::SquaredError) };
                until.fit(&mut good, batch(&x, &y), None, &mut go_on).unwrap();
            }
            assert_eq!(bits(&net), bits(&good), "epoch {epoch}, batch {number}, {what}");
        }
    }
}

#[test]
fn a_message_names_the_first_bad_number() {
    let (x, y) = small_data::<f64>();
    let trainer = plain(Planted { calls: Arc::default(), at: 18, value: 0.0, slope: f64::NEG_INFINITY });
    let message = trainer.fit(&mut small(), batch(&x, &y), None, &mut go_on).unwrap_err().to_string();
    assert!(
        message.starts_with("diverged in epoch 2, batch 2: gradient is ") && message.ends_with("(layer 1)"),
        "{message}"
    );
}

#[test]
fn held_back_rows_that_overflow_are_named_too() {
    let (x, y) = small_data::<f32>();
    let mut net =
        Network::new(Spec::mlp(3, &[], Activation::Identity, 1, Activation::Identity).unwrap(), None, &mut Rng::new(5))
            .unwrap();
    let start = bits(&net);
    let far = x.mapv(|x| x * 1e30);
    let trainer = plain(Loss::SquaredError);
    let error = trainer.fit(&mut net, batch(&x, &y), Some(batch(&far, &y)), &mut go_on).unwrap_err().to_string();
    assert_eq!(error, "diverged in epoch 1, batch 3: loss on the held-back rows is inf");
    assert_eq!(bits(&net), start);
}

#[test]
fn a_hard_batch_after_an_easy_one_has_not_run_away() {
    // The first row is learnt already (loss 0); the others lose 5000 at the start, and less from then on.
    let x = array![[0.0], [1.0], [1.0], [1.0]];
    let y = array![[0.0], [100.0], [100.0], [100.0]];
    let trainer = Trainer { batch: 1, epochs: 100, learning_rate: 0.1, ..plain(Loss::SquaredError) };
    let mut net = linear::<f64>(1, Activation::Identity);
    let history = trainer.fit(&mut net, batch(&x, &y), None, &mut go_on).unwrap();
    assert!(history.training[99] < 1e-3 * history.training[0]);
}
