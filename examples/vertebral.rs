//! The vertebral column data: a document's small network, its wrong gradient, and the network done right.
//!
//!     cargo run --release --example vertebral [FOLDER]     the pictures go to FOLDER (target/pictures unless named)
//!
//! The document builds 7-10-1: six measures and a constant 1, ten tanh units, one tanh output without a bias; 80 weights. Its
//! backpropagation leaves out the slope of the last tanh, so it is not the gradient of the loss that it prints. Its printed
//! "accuracy: 62.00 %" is the number of rows held out: the argmax of a single column is always 0, so every row counted.

use deltarule::data::{Parting, csv, features, split};
use deltarule::file::{self, Existing};
use deltarule::gradcheck::{self, Report, Verdict};
use deltarule::model::{Recipe, Source};
use deltarule::prelude::*;
use deltarule::rng::stream;
use deltarule::scalar::Scalar;
use deltarule::verify;
use ndarray::Array2;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// The hyperbolic tangent, its slope remembered or forgotten.
#[derive(Clone, Debug)]
enum Tanh {
    WithSlope,
    Forgotten,
}

impl ActivationFn for Tanh {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        let (value, slope) = Activation::Tanh.value_and_slope(z);
        match self {
            Self::WithSlope => (value, slope),
            Self::Forgotten => (value, T::ONE),
        }
    }
}

fn main() -> deltarule::Result<()> {
    let table = csv::read("data/vertebral.csv".as_ref(), &csv::Options::default())?;
    let source = Source::table(table, &["class"], None)?;
    check_gradients(&source)?;
    done_right(&source)
}

/// The document's gradient and the right one, side by side, each against central differences of the printed loss.
fn check_gradients(source: &Source) -> deltarule::Result<()> {
    let rows: Vec<usize> = (0..source.rows()).step_by(10).collect();
    let (mut input, target, _) = source.infer(None, &features::Options::default())?;
    if let (deltarule::model::Input::Table(features), Source::Table { table, .. }) = (&mut input, source) {
        features.fit(table, &rows, None)?;
    }
    let (x, y) = (input.encode::<f64>(source, &rows)?, source.encode_targets::<f64>(&target, &rows, 1)?);
    println!("gradient of half the squared error of the document's 7-10-1 network, {} rows:\n", rows.len());
    let forgotten = check(&x, &y, Tanh::Forgotten)?;
    let right = check(&x, &y, Tanh::WithSlope)?;
    println!("without the slope of the last tanh, as in the document:\n{forgotten}");
    println!("with it:\n{right}");
    assert_eq!((forgotten.verdict, right.verdict), (Verdict::Wrong, Verdict::Verified));
    Ok(())
}

fn check(x: &Array2<f64>, y: &Array2<f64>, output: Tanh) -> deltarule::Result<Report> {
    // The hidden layer's biases are the weights of the document's constant input: 60 + 10 + 10 = 80.
    let layers = vec![Layer::new(10, Tanh::WithSlope), Layer::without_bias(1, output)];
    let spec = Spec::new(x.ncols(), layers)?;
    assert_eq!(spec.parameters(), 80);
    // Weights from a standard normal, as in the document.
    let mut rng = Rng::new(1);
    let params = (0..spec.parameters()).map(|_| rng.normal(0.0, 1.0)).collect();
    let net = Network::from_params(spec, params)?;
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let options = gradcheck::Options { most_wrong: 3, ..Default::default() };
    let report = verify::parameters(&net, batch, &Objective::<Loss>::default(), Engine::default(), &options)?;
    Ok(report)
}

/// Ten tanh units and a logistic output, cross-validated by stratified folds; then one hold-out, with pictures.
fn done_right(source: &Source) -> deltarule::Result<()> {
    let mut recipe = Recipe { hidden: vec![10], activations: vec![Activation::Tanh], ..Recipe::default() };
    recipe.trainer.solver = Solver::Lbfgs;
    recipe.trainer.objective.l2 = 0.01;
    let (_, target, _) = source.infer(None, &recipe.features)?;
    let rows: Vec<usize> = (0..source.rows()).collect();
    let groups = source.groups(&target, &rows, &Parting::Random)?;
    let ignore = &mut |_: &deltarule::train::Epoch<'_>| ControlFlow::Continue(());

    let (folds, repetitions) = (5, 4);
    let mut accuracies = Vec::new();
    for part in split::folds(groups.strata(), folds, repetitions, &mut Rng::with_stream(0, stream::SPLIT))? {
        let fitted = recipe.fit::<f64>(source, &part.train, ignore)?;
        let evaluation = fitted.model.evaluate(source, &part.test)?;
        accuracies.push(evaluation.metrics.get("accuracy").unwrap_or(f64::NAN));
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let means: Vec<f64> = accuracies.chunks(folds).map(mean).collect();
    let centre = mean(&means);
    let variance = means.iter().map(|m| (m - centre).powi(2)).sum::<f64>() / (repetitions - 1) as f64;
    let error = (variance / repetitions as f64).sqrt();
    println!(
        "done right, stratified {folds} folds x {repetitions}: accuracy {centre:.4} +- {error:.4}; the majority class alone 0.6774"
    );
    assert!(centre >= 0.845 - error, "accuracy {centre} +- {error}");

    // By steps, whose history makes a curve worth looking at.
    recipe.trainer.solver = Solver::Steps(Method::sgd());
    recipe.trainer.learning_rate = 0.02;
    let part = split::hold_out(groups.strata(), 0.2, &mut Rng::with_stream(0, stream::SPLIT))?;
    let fitted = recipe.fit::<f64>(source, &part.train, ignore)?;
    let held_out = fitted.model.evaluate(source, &part.test)?;
    println!(
        "one hold-out of {} rows, by gradient descent with momentum, {} epochs: accuracy {:.4}, 95 % interval {:.4} to {:.4}",
        held_out.rows,
        fitted.history.training.len(),
        held_out.metrics.get("accuracy").unwrap_or(f64::NAN),
        held_out.interval.low,
        held_out.interval.high
    );
    let folder = std::env::args().nth(1).map_or_else(|| PathBuf::from("target/pictures"), PathBuf::from);
    std::fs::create_dir_all(&folder).map_err(|e| deltarule::Error::io(&folder, e))?;
    for (name, picture) in
        [("vertebral-loss.svg", fitted.curve_svg()), ("vertebral-network.svg", fitted.model.diagram_svg()?)]
    {
        file::write_whole(&folder.join(name), picture.as_bytes(), Existing::Replace)?;
        println!("wrote {}", folder.join(name).display());
    }
    Ok(())
}
