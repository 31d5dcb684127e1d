//! Weights of rows and classes: a row of weight `k` is `k` rows, one of weight 0 is none, and weights that are all alike are none.
//!
//! First of the objective alone, for random networks and rows; then of whole trainings from tables.

mod trainings;

use deltarule::data::{ClassWeights, csv};
use deltarule::model::{Model, Recipe, Source};
use deltarule::network::pass;
use deltarule::network::workspace::Workspace;
use deltarule::prelude::*;
use deltarule::rng::Rng;
use ndarray::{Array2, Axis, array};
use proptest::prelude::*;
use std::fmt::Write as _;
use trainings::{bits, go_on, random};

/// The objective and its gradient.
fn value_and_gradient(net: &Network<f64>, batch: Batch<'_, f64>, objective: &Objective) -> (f64, Vec<f64>) {
    let (engine, threads) = (Engine::default(), Threads::one());
    let mut workspace = Workspace::new(net.spec(), batch.x.nrows(), engine, threads).unwrap();
    let mut gradient = vec![0.0; net.params().len()];
    let value = pass::value_and_gradient(net.spec(), net.params(), batch, objective, &mut workspace, &mut gradient);
    (value.unwrap().objective(), gradient)
}

/// Rows are summed in another order and number: some roundings of sums of at most 36 terms.
const ROUNDING: f64 = 1e-13;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_row_of_weight_k_is_k_rows_in_value_and_gradient(seed: u64, counts in prop::collection::vec(0u8..4, 2..12), linked: bool) {
        prop_assume!(counts.iter().any(|&count| count > 0));
        let (x, y) = (random(counts.len(), 3, seed), random(counts.len(), 2, seed ^ 1).mapv(|y| f64::from(u8::from(y > 0.0))));
        let spec = Spec::mlp(3, &[4], Activation::Tanh, 2, Activation::Sigmoid).unwrap();
        let net = Network::<f64>::new(spec, None, &mut Rng::new(seed)).unwrap();
        let loss = if linked { Loss::LogisticCrossEntropy } else { Loss::SquaredError };
        let objective = Objective { loss, l1: 0.01, l2: 0.1 };
        let weights: Vec<f64> = counts.iter().map(|&count| f64::from(count)).collect();
        let weighted = value_and_gradient(&net, Batch { x: x.view(), y: y.view(), weights: Some(&weights) }, &objective);
        let rows: Vec<usize> = counts.iter().enumerate().flat_map(|(row, &count)| vec![row; usize::from(count)]).collect();
        let (x, y) = (x.select(Axis(0), &rows), y.select(Axis(0), &rows));
        let repeated = value_and_gradient(&net, Batch { x: x.view(), y: y.view(), weights: None }, &objective);
        prop_assert!((weighted.0 - repeated.0).abs() <= ROUNDING * repeated.0, "{} and {}", weighted.0, repeated.0);
        let size = repeated.1.iter().map(|g| g * g).sum::<f64>().sqrt();
        for (g, h) in weighted.1.iter().zip(&repeated.1) {
            prop_assert!((g - h).abs() <= ROUNDING * size.max(1.0), "{g} and {h}");
        }
    }

    /// Only the ratios of weights matter; powers of two change no bit.
    #[test]
    fn weights_that_are_all_alike_are_none_to_the_bit(seed: u64, exponent in -20i32..20, rows in 1usize..40) {
        let (x, y) = (random(rows, 3, seed), random(rows, 1, seed ^ 1));
        let net = trainings::small::<f64>();
        let weights = vec![2f64.powi(exponent); rows];
        let objective = Objective::default();
        let plain = value_and_gradient(&net, Batch { x: x.view(), y: y.view(), weights: None }, &objective);
        let weighted = value_and_gradient(&net, Batch { x: x.view(), y: y.view(), weights: Some(&weights) }, &objective);
        prop_assert_eq!(plain, weighted);
    }
}

/// Forty rows of a number, a category with gaps, a class, a number to predict, and a weight by the row's number.
fn source(target: &str, weight: impl Fn(usize) -> f64, weighted: bool) -> Source {
    let mut text = "length,colour,class,price,w\n".to_string();
    for i in 0..40 {
        row(&mut text, i, weight(i));
    }
    read(&text, target, weighted)
}

fn row(text: &mut String, i: usize, weight: f64) {
    let (length, colour) = (i as f64 * 0.37 - 5.0, ["red", "green", "blue", ""][i * 7 % 4]);
    let class = if (i * 13 % 40) < 20 { "no" } else { "yes" };
    let price = 10.0 * length + (i * i % 7) as f64;
    writeln!(text, "{length},{colour},{class},{price},{weight}").unwrap();
}

fn read(text: &str, target: &str, weighted: bool) -> Source {
    let table = csv::read_from(text.as_bytes(), "t.csv", &csv::Options::default()).unwrap();
    Source::table(table, &[target], weighted.then_some("w")).unwrap()
}

fn recipe(target: &str, adjust: impl FnOnce(&mut Recipe)) -> Recipe {
    let mut recipe = Recipe { hidden: vec![4], activations: vec![Activation::Tanh], ..Recipe::default() };
    recipe.features.missing = deltarule::data::Missing::Mean;
    // Of the table's columns, the other target and the weights are no inputs in any of these trainings.
    recipe.features.ignore =
        ["class", "price", "w"].iter().filter(|name| **name != target).map(ToString::to_string).collect();
    recipe.trainer.epochs = 20;
    adjust(&mut recipe);
    recipe
}

fn train<T: Float>(recipe: &Recipe, source: &Source, rows: &[usize]) -> Model<T> {
    recipe.fit(source, rows, &mut go_on).unwrap().model
}

fn all(source: &Source) -> Vec<usize> {
    (0..source.rows()).collect()
}

fn solvers() -> Vec<fn(&mut Recipe)> {
    vec![
        |recipe| recipe.trainer.batch = 7,
        |recipe| recipe.held_back = Some(0.25),
        |recipe| recipe.trainer.solver = Solver::Lbfgs,
        |recipe| recipe.trainer.solver = Solver::Steps(Method::sgd()),
    ]
}

#[test]
fn rows_of_one_weight_train_to_the_bits_of_rows_without() {
    fn of_type<T: Float>() {
        for target in ["class", "price"] {
            for adjust in solvers() {
                let recipe = recipe(target, adjust);
                let plain = source(target, |_| 1.0, false);
                let expected = train::<T>(&recipe, &plain, &all(&plain));
                for weight in [1.0, 0.25, 3.0e200] {
                    let weighted = source(target, |_| weight, true);
                    let found = train::<T>(&recipe, &weighted, &all(&weighted));
                    // The mean of rows of weight 3 is rounded otherwise than that of rows of weight 1.
                    let exact = weight != 3.0e200;
                    assert!(!exact || bits(&found.network) == bits(&expected.network), "{target}, weight {weight}");
                    assert!(!exact || found.target == expected.target && found.input == expected.input);
                    assert!(found.network.params().iter().all(|p| p.is_finite()));
                }
            }
        }
    }
    of_type::<f32>();
    of_type::<f64>();
}

#[test]
fn a_row_of_weight_0_is_not_there_to_the_bit() {
    for target in ["class", "price"] {
        for adjust in solvers() {
            for balanced in [false, true] {
                let mut recipe = recipe(target, adjust);
                recipe.class_weights = (balanced && target == "class").then_some(ClassWeights::Balanced);
                let weight = |i: usize| if i % 5 == 2 { 0.0 } else { 1.0 + (i % 3) as f64 };
                let weighted = source(target, weight, true);
                let kept: Vec<usize> = (0..40).filter(|&i| weight(i) > 0.0).collect();
                let found = train::<f64>(&recipe, &weighted, &all(&weighted));
                let expected = train::<f64>(&recipe, &weighted, &kept);
                assert_eq!(found, expected, "{target}");
                assert_eq!(found.provenance.rows + usize::from(recipe.held_back.is_some()) * 8, 32);
            }
        }
    }
}

/// L-BFGS ends where the gradient is 1e-4 or less of its scale; what the penalty leaves of the minimum's width is below this.
const PREDICTED: f64 = 1e-6;

#[test]
fn a_row_of_weight_k_trains_as_k_rows() {
    for target in ["class", "price"] {
        for balanced in [false, true] {
            for solver in [Solver::Lbfgs, Solver::Steps(Method::Sgd { momentum: 0.9, nesterov: true })] {
                let recipe = recipe(target, |recipe| {
                    recipe.class_weights = (balanced && target == "class").then_some(ClassWeights::Balanced);
                    (recipe.trainer.solver, recipe.trainer.batch, recipe.trainer.objective.l2) = (solver, 1000, 0.1);
                    recipe.trainer.stopping = Stopping::NEVER;
                });
                let times = |i: usize| 1 + i * 3 % 4;
                let weighted = source(target, |i| times(i) as f64, true);
                let mut text = "length,colour,class,price,w\n".to_string();
                (0..40).for_each(|i| (0..times(i)).for_each(|_| row(&mut text, i, 1.0)));
                let repeated = read(&text, target, false);
                let one = train::<f64>(&recipe, &weighted, &all(&weighted));
                let two = train::<f64>(&recipe, &repeated, &all(&repeated));
                let (p, q) = (one.predict(&weighted, &all(&weighted)), two.predict(&weighted, &all(&weighted)));
                let (p, q) = (p.unwrap(), q.unwrap());
                let scale = one.target.number_columns().first().map_or(1.0, |number| number.scale);
                for (p, q) in p.values().iter().zip(q.values()) {
                    assert!((p - q).abs() <= PREDICTED * scale, "{target}, {solver:?}: {p} and {q}");
                }
                // And are judged alike.
                let (e, f) = (one.evaluate(&weighted, &all(&weighted)), one.evaluate(&repeated, &all(&repeated)));
                let (e, f) = (e.unwrap(), f.unwrap());
                for ((name, x), (_, y)) in e.metrics.figures().into_iter().zip(f.metrics.figures()) {
                    assert!((x - y).abs() <= 1e-12 * y.abs().max(1.0), "{target}: {name} {x} and {y}");
                }
                let f = two.evaluate(&repeated, &all(&repeated)).unwrap();
                for ((name, x), (_, y)) in e.baseline.figures().into_iter().zip(f.baseline.figures()) {
                    assert!((x - y).abs() <= 1e-12 * y.abs().max(1.0), "{target}: baseline {name} {x} and {y}");
                }
                let plain = source(target, |_| 1.0, false);
                let other = train::<f64>(&recipe, &plain, &all(&plain)).predict(&weighted, &all(&weighted)).unwrap();
                let apart =
                    p.values().iter().zip(other.values()).any(|(p, q)| (p - q).abs() > 100.0 * PREDICTED * scale);
                assert!(apart, "{target}: weights that change nothing would pass all of this");
            }
        }
    }
}

#[test]
fn balanced_weights_of_balanced_classes_are_none() {
    for adjust in solvers() {
        let recipe = recipe("class", adjust);
        let source = source("class", |_| 1.0, false);
        let expected = train::<f64>(&recipe, &source, &all(&source));
        for class_weights in ["balanced", "yes=1", "no=0.5,yes=0.5"] {
            let class_weights = Some(ClassWeights::parse(class_weights).unwrap());
            let found = train::<f64>(&Recipe { class_weights, ..recipe.clone() }, &source, &all(&source));
            assert_eq!(bits(&found.network), bits(&expected.network));
        }
    }
}

#[test]
fn classes_count_by_their_weights_and_those_of_their_rows() {
    // A column of weights that says the same.
    let class_of = |i: usize| usize::from(i * 13 % 40 >= 20);
    for (text, factors) in [("yes=3", [1.0, 3.0]), ("no=0.5,yes=0", [0.5, 0.0])] {
        let recipe = recipe("class", |recipe| recipe.trainer.solver = Solver::Lbfgs);
        let own = |i: usize| 1.0 + (i % 2) as f64;
        let class_weights = Some(ClassWeights::parse(text).unwrap());
        let weighted = source("class", own, true);
        let found = train::<f64>(&Recipe { class_weights, ..recipe.clone() }, &weighted, &all(&weighted));
        // The preprocessing is by the rows' own weights, so it is the objective that is compared.
        let x = found.input.encode::<f64>(&weighted, &all(&weighted)).unwrap();
        let y = found.encode_targets(&weighted, &all(&weighted)).unwrap();
        let weights: Vec<f64> = (0..40).map(|i| own(i) * factors[class_of(i)]).collect();
        let mut net = Network::<f64>::new(
            found.network.spec().clone(),
            None,
            &mut Rng::with_stream(0, deltarule::rng::stream::WEIGHTS),
        )
        .unwrap();
        let trainer = Trainer { objective: Objective { loss: found.loss, ..Objective::default() }, ..recipe.trainer };
        trainer.fit(&mut net, Batch { x: x.view(), y: y.view(), weights: Some(&weights) }, None, &mut go_on).unwrap();
        for (p, q) in found.network.params().iter().zip(net.params()) {
            assert!((p - q).abs() <= 1e-9 * q.abs().max(1.0), "{text}: {p} and {q}");
        }
    }
}

/// `compute_class_weight("balanced", ...)` and `compute_sample_weight("balanced", ...)` of scikit-learn 1.9.1 on these rows.
#[test]
fn balanced_factors_are_scikit_learns() {
    let text = "x,y,z\n1,a,p\n2,b,p\n3,b,q\n4,b,p\n5,a,p\n6,c,p\n";
    let table = csv::read_from(text.as_bytes(), "t.csv", &csv::Options::default()).unwrap();
    let target = deltarule::data::Target::infer(&table, &[1], Some(deltarule::data::Task::Classify)).unwrap();
    let classes = target.classes(&table, &[0, 1, 2, 3, 4, 5]).unwrap();
    let close = |found: &[f64], expected: &[f64]| {
        assert_eq!(found.len(), expected.len());
        found.iter().zip(expected).for_each(|(f, e)| assert!((f - e).abs() < 1e-15, "{found:?}, {expected:?}"));
    };
    let balanced = |classes: &Array2<usize>, weights: Option<&[f64]>| {
        ClassWeights::Balanced.factors(&target, classes.view(), weights).unwrap().remove(0)
    };
    close(&balanced(&classes, None), &[1.0, 2.0 / 3.0, 2.0]);
    // A row of weight 2 is two rows.
    close(&balanced(&classes, Some(&[2.0, 1.0, 1.0, 1.0, 1.0, 1.0])), &[7.0 / 9.0, 7.0 / 9.0, 7.0 / 3.0]);
    // A class that no row has is not counted among them.
    close(&balanced(&array![[0], [1], [1], [1]], None), &[2.0, 2.0 / 3.0, 0.0]);

    let text = "x,y,z\n1,0,1\n2,1,1\n3,1,0\n4,1,1\n";
    let table = csv::read_from(text.as_bytes(), "t.csv", &csv::Options::default()).unwrap();
    let target = deltarule::data::Target::infer(&table, &[1, 2], None).unwrap();
    let classes = target.classes(&table, &[0, 1, 2, 3]).unwrap();
    let factors = ClassWeights::Balanced.factors(&target, classes.view(), None).unwrap();
    close(&factors[0], &[2.0, 2.0 / 3.0]);
    close(&factors[1], &[2.0, 2.0 / 3.0]);
}

#[test]
fn class_weights_are_read_and_refused() {
    for text in ["balanced", "a=1,b=0.5", "a=b=2"] {
        assert_eq!(ClassWeights::parse(text).unwrap().to_string(), text);
    }
    for (text, says) in [
        ("", "found ''"),
        ("Balanced", "found 'Balanced'"),
        ("a", "found 'a'"),
        ("a=x", "found 'a=x'"),
        ("a=-1", "found 'a=-1'"),
        ("a=inf", "found 'a=inf'"),
        ("a=1,a=2", "each class once, found 'a' twice"),
    ] {
        let message = ClassWeights::parse(text).unwrap_err().to_string();
        assert!(message.starts_with("class weights: expected ") && message.contains(says), "{message}");
    }
}
