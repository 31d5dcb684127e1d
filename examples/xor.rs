//! Exclusive or, from scratch: the network that every introduction trains, in the arithmetic of the original.
//!
//!     cargo run --release --example xor
//!
//! Three inputs (the third is the constant 1, which serves as a bias), four hidden units, one output, logistic sigmoids, and
//! 60,000 steps of plain gradient descent on all four rows. The initial weights are NumPy's, from its
//! legacy generator with seed 1, so the printed errors can be compared with the document's digit by digit.

use deltarule::prelude::*;
use ndarray::{Array2, array};
use rand_mt::Mt;
use std::time::Instant;

const STEPS: usize = 60_000;

/// What the document prints: the mean absolute error before steps 0, 10,000, ..., 50,000.
const PUBLISHED: [f64; 6] = [
    0.4964100319027255,
    0.008584525653247157,
    0.0057894598625078,
    0.0046291767767700,
    0.0039587652802736,
    0.0035101225678617,
];

fn main() -> deltarule::Result<()> {
    let x = array![[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]];
    let y = array![[0.0], [1.0], [1.0], [0.0]];
    let layers = vec![Layer::without_bias(4, Activation::Sigmoid), Layer::without_bias(1, Activation::Sigmoid)];
    let spec = Spec::new(3, layers)?;
    // First the 3 x 4 weights, then the 4 x 1: our layout is the document's.
    let mut numpy = Mt::new(1);
    let mut params: Vec<f64> = (0..spec.parameters()).map(|_| 2.0 * numpy_random(&mut numpy) - 1.0).collect();

    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.0 };
    // The document adds up the four rows' gradients, our objective is their mean: four times the step is the same.
    let (method, rate) = (Method::Sgd { momentum: 0.0, nesterov: false }, 4.0);
    let engine = Engine::default();
    let mut optimizer = deltarule::optim::Optimizer::new(method, params.len())?;
    let mut workspace = Workspace::new(&spec, 4, engine, Threads::one())?;
    let mut gradient = vec![0.0; params.len()];
    let mut outputs = Array2::zeros((4, 1));
    let mut errors = Vec::new();

    let started = Instant::now();
    for step in 0..STEPS {
        if step % 10_000 == 0 {
            pass::predict_into(&spec, &params, x.view(), &mut workspace, outputs.view_mut())?;
            errors.push((&y - &outputs).mapv(f64::abs).mean().expect("four rows"));
        }
        pass::value_and_gradient(&spec, &params, batch.view(), &objective, &mut workspace, &mut gradient)?;
        optimizer.step(engine.isa(), rate, &gradient, &mut params);
    }
    let elapsed = started.elapsed();

    println!("   step   mean absolute error   published             relative difference");
    let mut worst: f64 = 0.0;
    for ((i, error), published) in errors.iter().enumerate().zip(PUBLISHED) {
        let difference = (error - published).abs() / published;
        worst = worst.max(difference);
        println!("{:7}   {error:<21.16} {published:<21.16} {difference:.1e}", i * 10_000);
    }
    pass::predict_into(&spec, &params, x.view(), &mut workspace, outputs.view_mut())?;
    println!("outputs after training: {:.5}", outputs.t());
    println!(
        "{STEPS} steps in {:.1} ms, {:.0} ns each",
        elapsed.as_secs_f64() * 1e3,
        elapsed.as_secs_f64() * 1e9 / STEPS as f64
    );
    // Twelve significant digits; the published ones end after thirteen or more.
    assert!(worst < 1e-12, "the errors differ from the published ones by {worst:e}");
    Ok(())
}

/// NumPy's legacy `random()`: 53 bits of two 32-bit draws, in `0..1`.
fn numpy_random(generator: &mut Mt) -> f64 {
    let (high, low) = (generator.next_u32() >> 5, generator.next_u32() >> 6);
    (f64::from(high) * f64::from(1u32 << 26) + f64::from(low)) / f64::from(1u32 << 26) / f64::from(1u32 << 27)
}
