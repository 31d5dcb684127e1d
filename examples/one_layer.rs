//! The ancestors: a perceptron, a linear regression and a logistic regression are networks of one layer.
//!
//!     cargo run --release --example one_layer

use deltarule::prelude::*;
use ndarray::{Array2, array};
use std::ops::ControlFlow;

fn main() -> deltarule::Result<()> {
    perceptron()?;
    linear_regression()?;
    logistic_regression()
}

/// Trains a network of one layer from zero, and gives its weights and bias.
fn train(
    trainer: &Trainer,
    activation: Activation,
    x: &Array2<f64>,
    y: &Array2<f64>,
) -> deltarule::Result<(Network<f64>, usize)> {
    let spec = Spec::mlp(x.ncols(), &[], activation, 1, activation)?;
    let mut net = Network::zeros(spec)?;
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let history = trainer.fit(&mut net, batch, None, &mut |_| ControlFlow::Continue(()))?;
    Ok((net, history.training.len()))
}

/// A threshold unit learns "and" by Rosenblatt's rule.
fn perceptron() -> deltarule::Result<()> {
    let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let y = array![[0.0], [0.0], [0.0], [1.0]];
    let trainer = Trainer { solver: Solver::Perceptron, ..Trainer::default() };
    let (net, passes) = train(&trainer, Activation::Step, &x, &y)?;
    println!("perceptron: 'and' after {passes} passes, weights {} bias {}", net.weights(0).t(), net.bias(0));
    assert_eq!(net.predict(x.view())?, y);
    Ok(())
}

/// `f(x) = b + w x` through five points, by L-BFGS, beside the normal equations' answer.
fn linear_regression() -> deltarule::Result<()> {
    let x = array![[0.0], [1.0], [2.0], [3.0], [4.0]];
    let y = array![[1.1], [2.9], [5.2], [6.8], [9.1]];
    let trainer = Trainer { solver: Solver::Lbfgs, ..Trainer::default() };
    let (net, iterations) = train(&trainer, Activation::Identity, &x, &y)?;
    let (mean_x, mean_y) = (x.mean().unwrap_or_default(), y.mean().unwrap_or_default());
    let slope = ((&x - mean_x) * (&y - mean_y)).sum() / (&x - mean_x).mapv(|d| d * d).sum();
    let intercept = mean_y - slope * mean_x;
    let (w, b) = (net.weights(0)[[0, 0]], net.bias(0)[0]);
    println!(
        "linear regression: f(x) = {b:.6} + {w:.6} x after {iterations} iterations; exactly {intercept:.6} + {slope:.6} x"
    );
    // The gradient tolerance of L-BFGS, 1e-5 or below, leaves the parameters this near.
    assert!((w - slope).abs() < 1e-4 && (b - intercept).abs() < 1e-4);
    Ok(())
}

/// The same sum through a logistic sigmoid: hours of study and the chance to pass.
fn logistic_regression() -> deltarule::Result<()> {
    let x = array![[0.5], [1.0], [1.5], [2.0], [2.5], [3.0], [3.5], [4.0], [4.5], [5.0]];
    let y = array![[0.0], [0.0], [0.0], [1.0], [0.0], [1.0], [0.0], [1.0], [1.0], [1.0]];
    let objective = Objective { loss: Loss::LogisticCrossEntropy, l1: 0.0, l2: 0.0 };
    let trainer = Trainer { solver: Solver::Lbfgs, objective, ..Trainer::default() };
    let (net, iterations) = train(&trainer, Activation::Sigmoid, &x, &y)?;
    let chance = net.predict(x.view())?;
    println!(
        "logistic regression after {iterations} iterations: p(pass) = sigmoid({:.4} + {:.4} x)",
        net.bias(0)[0],
        net.weights(0)[[0, 0]]
    );
    // At the optimum the mean of the chances is the share of those who passed, and so is the mean weighted by x.
    let balance = (&chance - &y).sum().abs().max(((&chance - &y) * &x).sum().abs());
    assert!(balance < 1e-3, "the optimum balances chances and outcomes, within {balance:e}");
    Ok(())
}
