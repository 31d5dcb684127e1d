//! The small networks and rows that several tests train.
#![allow(dead_code, reason = "each harness uses a part")]

use deltarule::prelude::*;
use deltarule::train::Epoch;
use ndarray::Array2;
use std::ops::ControlFlow::{self, Continue};

pub fn batch<'a, T>(x: &'a Array2<T>, y: &'a Array2<T>) -> Batch<'a, T> {
    Batch { x: x.view(), y: y.view(), weights: None }
}

pub fn go_on(_: &Epoch) -> ControlFlow<()> {
    Continue(())
}

pub fn cast<T: Float>(array: &Array2<f64>) -> Array2<T> {
    array.mapv(T::from_f64)
}

/// Normal numbers.
pub fn random(rows: usize, cols: usize, seed: u64) -> Array2<f64> {
    let mut rng = Rng::new(seed);
    Array2::from_shape_simple_fn((rows, cols), || rng.normal(0.0, 1.0))
}

pub fn linear<T: Float>(inputs: usize, output: Activation) -> Network<T> {
    Network::zeros(Spec::mlp(inputs, &[], output, 1, output).unwrap()).unwrap()
}

/// The network that most tests train: 3 inputs, 4 tanh units, 1 output.
pub fn small<T: Float>() -> Network<T> {
    Network::new(Spec::mlp(3, &[4], Activation::Tanh, 1, Activation::Identity).unwrap(), None, &mut Rng::new(5))
        .unwrap()
}

/// 12 rows for it.
pub fn small_data<T: Float>() -> (Array2<T>, Array2<T>) {
    let x = random(12, 3, 1);
    let y = Array2::from_shape_fn((12, 1), |(i, _)| (x[[i, 0]] * x[[i, 1]]).sin() + 0.1 * x[[i, 2]]);
    (cast(&x), cast(&y))
}

/// Plain descent in order, for exact statements about epochs and batches.
pub fn plain<L>(loss: L) -> Trainer<L> {
    let solver = Solver::Steps(Method::Sgd { momentum: 0.0, nesterov: false });
    let objective = Objective { loss, l1: 0.0, l2: 0.0 };
    let base = Trainer::new(objective);
    Trainer { solver, learning_rate: 0.05, batch: 4, shuffle: false, stopping: Stopping::NEVER, ..base }
}

pub fn bits<T: Float>(net: &Network<T>) -> Vec<u64> {
    net.params().iter().map(|p| p.real().to_bits()).collect()
}
