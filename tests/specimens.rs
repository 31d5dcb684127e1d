//! The checker finds every mistake of the catalogue, names the tensors that it reaches, and accuses nobody else.
//!
//! `DELTARULE_SEEDS` asks for more subjects of each than 5.

use deltarule::prelude::*;
use deltarule::verify::specimens::{self, backprop};
use ndarray::Array2;
use std::collections::BTreeSet;

#[test]
fn every_mistake_is_found_and_nothing_else_is() {
    let seeds = std::env::var("DELTARULE_SEEDS").map_or(5, |seeds| seeds.parse::<u64>().expect("a number of seeds"));
    let found = specimens::detection(Engine::default(), seeds).unwrap();
    println!("{found}");
    assert!(found.is_complete(), "{found}\n{}\n{}", found.missed.join("\n"), found.alarms.join("\n"));
    // The large one is examined once.
    let all = (found.specimens - 1) * seeds as usize + 1;
    assert_eq!((found.trials, found.caught, found.controls, found.false_alarms), (all, all, all, 0));
    assert!(found.specimens >= 24 && found.missed.is_empty() && found.alarms.is_empty());
}

#[test]
fn each_has_a_name_of_its_own_and_a_sentence() {
    let catalogue = specimens::catalogue();
    let names: BTreeSet<_> = catalogue.iter().map(|s| s.name).collect();
    assert_eq!(names.len(), catalogue.len());
    for specimen in catalogue {
        assert!(
            specimen.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
            "{}",
            specimen.name
        );
        assert!(specimen.what.len() > 20 && specimen.what.ends_with('.'), "{}: {}", specimen.name, specimen.what);
    }
}

/// The mistakes are made in a back-propagation that is right without them, whatever the network.
#[test]
fn the_plain_back_propagation_is_the_librarys_gradient() {
    /// Sums of a few dozen terms of size 1, in another order.
    const REORDERED: f64 = 1e-14;
    let smooth = Activation::ALL.into_iter().filter(|a| a.is_differentiable() && *a != Activation::Softmax);
    for (seed, hidden) in smooth.enumerate() {
        for loss in Loss::ALL {
            let mut rng = Rng::new(seed as u64);
            let output = loss.link().unwrap_or(hidden);
            let mut net =
                Network::<f64>::new(Spec::mlp(4, &[6, 5], hidden, 3, output).unwrap(), None, &mut rng).unwrap();
            net.params_mut().iter_mut().for_each(|p| *p += rng.uniform::<f64>(-0.3, 0.3));
            // Exponentials of exponentials leave the numbers' range.
            if hidden == Activation::Exponential {
                net.params_mut().iter_mut().for_each(|p| *p /= 8.0);
            }
            let x = Array2::from_shape_simple_fn((7, 4), || rng.normal(0.0, 1.0));
            let mut y = Array2::from_shape_simple_fn((7, 3), || rng.uniform::<f64>(0.0, 1.0));
            y.rows_mut().into_iter().for_each(|mut row| row /= row.sum());
            let weights: Vec<f64> = (0..7).map(|_| rng.uniform(0.1, 3.0)).collect();
            let batch = Batch { x: x.view(), y: y.view(), weights: Some(&weights) };
            let objective = Objective { loss, l1: 0.01, l2: 0.1 };
            let mut workspace = Workspace::new(net.spec(), 7, Engine::default(), Threads::one()).unwrap();
            let mut expected = vec![f64::NAN; net.params().len()];
            pass::value_and_gradient(net.spec(), net.params(), batch.view(), &objective, &mut workspace, &mut expected)
                .unwrap();
            let mut found = vec![f64::NAN; expected.len()];
            backprop::gradient(&net, batch, &objective, None, &mut found);
            let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < REORDERED && found.iter().all(|g| g.is_finite()), "{hidden}, {loss}: {worst:e}");
        }
    }
}
