//! Numbers as they are: a recipe that does not standardise trains the bits of a trainer on the arrays, and a model around a network
//! comes back from its file. Also the stopping rules that scikit-learn's users know.

mod trainings;

use deltarule::data::csv;
use deltarule::data::target::Target;
use deltarule::file::Existing;
use deltarule::model::{Model, Recipe, Source, With, plain_target};
use deltarule::prelude::*;
use deltarule::rng::stream;
use deltarule::train::Stopped;
use ndarray::{Array2, Axis};
use std::fmt::Write as _;
use trainings::{bits, go_on, random};

/// Rows of three numbers with a mean far from 0, and a smooth target.
fn data() -> (Array2<f64>, Array2<f64>, Source) {
    let x = random(60, 3, 7).mapv(|x| 10.0 * x + 3.0);
    let y = x.map_axis(Axis(1), |row| (row[0] / 5.0).sin() + row[1] * 0.3 - row[2]).insert_axis(Axis(1));
    let mut text = String::from("a,b,c,y\n");
    for (x, y) in x.rows().into_iter().zip(&y) {
        let _ = writeln!(text, "{:?},{:?},{:?},{y:?}", x[0], x[1], x[2]);
    }
    let table = csv::read_from(text.as_bytes(), "t.csv", &csv::Options::default()).unwrap();
    let source = Source::table(table, &["y"], None).unwrap();
    (x, y, source)
}

fn recipe(standardise: bool) -> Recipe {
    let trainer = Trainer { epochs: 9, batch: 16, seed: 5, ..Trainer::default() };
    Recipe { hidden: vec![6], activations: vec![Activation::Tanh], standardise, trainer, ..Recipe::default() }
}

#[test]
fn a_recipe_that_leaves_numbers_alone_trains_the_bits_of_a_trainer_on_the_arrays() {
    let (x, y, source) = data();
    let rows: Vec<usize> = (0..60).collect();
    let fitted = |standardise| recipe(standardise).fit_with::<f64>(&source, &rows, With::default()).unwrap().model;
    let spec = Spec::mlp(3, &[6], Activation::Tanh, 1, Activation::Identity).unwrap();
    let mut net = Network::<f64>::new(spec, None, &mut Rng::with_stream(5, stream::WEIGHTS)).unwrap();
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let trainer = recipe(false).trainer;
    trainer.fit(&mut net, batch, None, &mut go_on).unwrap();
    assert_eq!(bits(&net), bits(&fitted(false).network));
    assert_ne!(bits(&net), bits(&fitted(true).network));
    assert!(!fitted(false).provenance.means.is_empty(), "a baseline needs the mean that the target does not hold");
}

#[test]
fn a_model_around_a_network_comes_back_from_its_file_and_reads_tables_by_name() {
    let (x, _, source) = data();
    let spec = Spec::mlp(3, &[4], Activation::Relu, 2, Activation::Softmax).unwrap();
    let network = Network::<f64>::new(spec, None, &mut Rng::new(3)).unwrap();
    let names: Vec<String> = ["a", "b", "c"].map(String::from).into();
    let target = plain_target(network.spec());
    assert_eq!(target.labels(), ["0", "1"]);
    let of =
        |names: &[String]| Model::of_network(network.clone(), Some(names), target.clone(), Loss::SoftmaxCrossEntropy);
    let model = of(&names).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    model.save(&path, Existing::Keep).unwrap();
    let back = Model::<f64>::load(&path).unwrap();
    assert_eq!(back, model);
    let predicted = back.predict(&source, &[0, 1, 2]).unwrap();
    let direct = network.predict(x.slice(ndarray::s![0..3, ..])).unwrap();
    assert_eq!(predicted.values(), direct.view());
    let error = of(&names[..2]).unwrap_err().to_string();
    assert_eq!(error, "names of inputs: expected 3, found 2");
    let twice: Vec<String> = ["a", "b", "a"].map(String::from).into();
    assert_eq!(of(&twice).unwrap_err().to_string(), "names of inputs: expected each once, found 'a' twice");
    let three = plain_target(&Spec::mlp(3, &[], Activation::Relu, 3, Activation::Softmax).unwrap());
    let error = Model::of_network(network, None, three, Loss::SoftmaxCrossEntropy).unwrap_err().to_string();
    assert_eq!(error, "target: expected one of 2 outputs, found one of 3");
}

#[test]
fn the_outputs_activation_tells_what_they_are() {
    let target = |outputs, activation| plain_target(&Spec::mlp(2, &[], Activation::Relu, outputs, activation).unwrap());
    assert!(matches!(target(1, Activation::Sigmoid), Target::Classes(classes) if classes.labels.len() == 2));
    assert!(matches!(target(3, Activation::Sigmoid), Target::Labels(labels) if labels.len() == 3));
    assert!(matches!(target(4, Activation::Softmax), Target::Classes(classes) if classes.labels.len() == 4));
    assert!(matches!(target(1, Activation::Identity), Target::Number(_)));
    assert!(matches!(target(2, Activation::Exponential), Target::Numbers(numbers) if numbers.len() == 2));
}

#[test]
fn an_absolute_tolerance_is_in_the_unit_of_the_loss() {
    let (x, y, _) = data();
    let epochs = |tolerance, is_absolute, scale: f64| {
        let y = y.mapv(|y| y * scale);
        let spec = Spec::mlp(3, &[], Activation::Tanh, 1, Activation::Identity).unwrap();
        let mut net = Network::<f64>::zeros(spec).unwrap();
        let stopping = Stopping { tolerance, is_absolute, patience: 1, ..Stopping::default() };
        let trainer = Trainer {
            solver: Solver::Steps(Method::Sgd { momentum: 0.0, nesterov: false }),
            learning_rate: 1e-3,
            epochs: 4000,
            batch: 60,
            shuffle: false,
            stopping,
            ..Trainer::default()
        };
        let batch = Batch { x: x.view(), y: y.view(), weights: None };
        trainer.fit(&mut net, batch, None, &mut go_on).unwrap().training.len()
    };
    // Targets a thousand times as large have losses a million times as large.
    assert_eq!(epochs(1e-3, false, 1.0), epochs(1e-3, false, 1000.0));
    let found = (epochs(1e-3, true, 1.0), epochs(1e-3, true, 1000.0));
    assert!(found.0 < found.1, "{found:?}");
    let first = Stopping { tolerance: 0.0, ..Stopping::default() };
    assert!(!first.is_absolute);
}

#[test]
fn l_bfgs_ends_by_the_gradient_and_by_evaluations_and_no_other_solver_takes_them() {
    let (x, y, _) = data();
    let train = |solver, stopping| {
        let spec = Spec::mlp(3, &[5], Activation::Tanh, 1, Activation::Identity).unwrap();
        let mut net = Network::<f64>::new(spec, None, &mut Rng::new(1)).unwrap();
        let batch = Batch { x: x.view(), y: y.view(), weights: None };
        Trainer { solver, epochs: 500, stopping, ..Trainer::default() }.fit(&mut net, batch, None, &mut go_on)
    };
    let loose = Stopping { gradient_tolerance: Some(1.0), ..Stopping::default() };
    let loose_epochs = train(Solver::Lbfgs, loose).unwrap();
    let usual = train(Solver::Lbfgs, Stopping::default()).unwrap();
    assert!(loose_epochs.training.len() < usual.training.len());
    assert_eq!(loose_epochs.stopped, Stopped::Converged);
    let coarse = Stopping { function_tolerance: Some(1e-2), ..Stopping::default() };
    assert!(train(Solver::Lbfgs, coarse).unwrap().training.len() < usual.training.len());
    let few = train(Solver::Lbfgs, Stopping { max_evaluations: Some(7), ..Stopping::default() }).unwrap();
    assert!(few.training.len() <= 7 && few.training.len() < usual.training.len());
    let error = train(Solver::Scg, loose).unwrap_err().to_string();
    assert_eq!(error, "gradient tolerance for scaled conjugate gradients: only L-BFGS has use for it");
    for (stopping, message) in [
        (
            Stopping { gradient_tolerance: Some(-1.0), ..Stopping::default() },
            "gradient tolerance: expected a finite number of at least 0, found -1",
        ),
        (Stopping { max_evaluations: Some(0), ..Stopping::default() }, "evaluations: expected at least 1, found 0"),
    ] {
        assert_eq!(train(Solver::Lbfgs, stopping).unwrap_err().to_string(), message);
    }
}
