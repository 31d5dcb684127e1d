//! Every loss gives the values and gradients that others computed (`scripts/golden-losses.py`), trains a model that is better than
//! none, and refuses what it has no meaning for.

use deltarule::data::csv;
use deltarule::loss::Targets;
use deltarule::metrics::Metrics;
use deltarule::model::{Fitted, Model, Predictions, Recipe, Source};
use deltarule::prelude::*;
use deltarule::simd::Isa;
use serde_json::Value;
use std::fmt::Write as _;
use std::ops::ControlFlow::Continue;

// ------------------------------------------------------------------------------------------------------- golden numbers

/// Units in the last place that a loss may be off by: roundings of a dozen operations.
const ROUNDINGS: f64 = 16.0;

/// A row, and what the references say of it.
struct Golden {
    loss: Loss,
    output: Vec<f64>,
    target: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

fn golden() -> Vec<Golden> {
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden/losses.json")).unwrap();
    let numbers = |value: &Value| value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    let of = |case: &Value| Golden {
        loss: Loss::parse(case["loss"].as_str().unwrap()).unwrap(),
        output: numbers(&case["output"]),
        target: numbers(&case["target"]),
        value: case["value"].as_f64().unwrap(),
        gradient: numbers(&case["gradient"]),
    };
    cases.iter().map(of).collect()
}

impl Golden {
    /// How far the value, and the gradient at an output, may be off in a type with this epsilon.
    fn allowed(&self, epsilon: f64) -> (f64, impl Fn(usize) -> f64) {
        let Self { loss, output, target, value, gradient } = self;
        let largest = output.iter().fold(0.0, |most: f64, o| most.max(o.abs()));
        // A power that is no product has a rounded exponent.
        let exponent = match *loss {
            Loss::Focal { gamma } | Loss::SoftmaxFocal { gamma } if gamma % 1.0 != 0.0 => gamma * largest,
            _ => 0.0,
        };
        let roundings = epsilon * (ROUNDINGS + 2.0 * exponent);
        let lost = if epsilon > 1e-10 { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
        let is_poisson = *loss == Loss::Poisson;
        // Terms of either sign: the value's of Poisson, and the gradient's wherever a target is not certain.
        let term = if is_poisson { target[0] * largest } else { 0.0 };
        let gradient = move |j: usize| {
            let uncertain = loss.link().is_some() && target.iter().any(|t| t % 1.0 != 0.0);
            let term = if is_poisson {
                target[j]
            } else if uncertain {
                1.0
            } else {
                0.0
            };
            lost + roundings * (gradient[j].abs() + term)
        };
        (lost + roundings * (value.abs() + term), gradient)
    }

    fn check<T: Float>(&self, epsilon: f64) {
        let Self { loss, output, target, value, gradient } = self;
        let own = |numbers: &[f64]| numbers.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
        let (output, target) = (own(output), own(target));
        let most = T::either(f64::from(f32::MAX), f64::MAX);
        let mut delta = vec![T::from_f64(f64::NAN); output.len()];
        let mut found = vec![(String::from("row"), loss.row(&output, &target, &mut delta), delta.clone())];
        for isa in Isa::available() {
            let mut losses = [T::from_f64(f64::NAN)];
            loss.rows(isa, &output, &target, &mut delta, output.len(), &mut losses);
            found.push((isa.to_string(), losses[0], delta.clone()));
        }
        let (allowed, of_gradient) = self.allowed(epsilon);
        for (who, got, slopes) in found {
            let what = format!("{loss} of {output:?} at {target:?}, {}, {who}", T::NAME);
            let agrees = |got: f64, exact: f64, allowed: f64| match exact.abs() > most {
                true => got == exact.signum() * f64::INFINITY,
                false => (got - exact).abs() <= allowed,
            };
            assert!(agrees(got.real(), *value, allowed), "{what}: {got:?} for {value:e}");
            for (j, (slope, exact)) in slopes.iter().zip(gradient).enumerate() {
                assert!(agrees(slope.real(), *exact, of_gradient(j)), "{what}, output {j}: {slope:?} for {exact:e}");
            }
        }
    }
}

#[test]
fn values_and_gradients_are_those_of_the_definitions_and_of_other_libraries() {
    let golden = golden();
    for loss in Loss::ALL {
        let count = golden.iter().filter(|case| case.loss.name() == loss.name()).count();
        assert!(count > 20, "{loss}: {count}");
    }
    for case in golden {
        case.check::<f64>(f64::EPSILON);
        let is_single = |x: &f64| f64::from(*x as f32) == *x;
        if case.output.iter().chain(&case.target).all(is_single) {
            case.check::<f32>(f64::from(f32::EPSILON));
        }
    }
}

// -------------------------------------------------------------------------------------------------------------- models

const ROWS: usize = 400;

/// Rows of two numbers and a target `y` that `of` makes of them and of a random number.
fn table(mut of: impl FnMut(f64, f64, &mut Rng) -> String) -> Source {
    let mut rng = Rng::new(5);
    let mut text = "a,b,y\n".to_string();
    for _ in 0..ROWS {
        let (a, b): (f64, f64) = (rng.uniform(-1.0, 1.0), rng.uniform(-1.0, 1.0));
        writeln!(text, "{a},{b},{}", of(a, b, &mut rng)).unwrap();
    }
    let table = csv::read_from(text.as_bytes(), "rows.csv", &csv::Options::default()).unwrap();
    Source::table(table, &["y"], None).unwrap()
}

fn numbers() -> Source {
    table(|a, b, rng| (3.0 * a - 2.0 * b + 10.0 + rng.normal::<f64>(0.0, 0.5) * (1.5 + a)).to_string())
}

/// Poisson numbers by Knuth's product of uniform ones, of rates from 1 to 20.
fn counts() -> Source {
    table(|a, b, rng| {
        let rate: f64 = (1.5 + a - 0.5 * b).exp();
        let (mut count, mut product): (i32, f64) = (-1, 1.0);
        while product > (-rate).exp() {
            (count, product) = (count + 1, product * rng.uniform::<f64>(0.0, 1.0));
        }
        count.to_string()
    })
}

fn classes(count: usize) -> Source {
    table(move |a, b, _| {
        ["no", "yes", "perhaps"][usize::from(a > 0.2) + usize::from(count > 2 && b > 0.1 && a > 0.2)].into()
    })
}

fn recipe(loss: Loss) -> Recipe {
    let mut recipe = Recipe { hidden: vec![12], loss: Some(loss), ..Recipe::default() };
    (recipe.trainer.learning_rate, recipe.trainer.epochs) = (0.01, 150);
    recipe
}

fn fit(source: &Source, recipe: &Recipe) -> deltarule::Result<Fitted<f32>> {
    recipe.fit(source, &every(), &mut |_| Continue(()))
}

fn every() -> Vec<usize> {
    (0..ROWS).collect()
}

fn predicted(model: &Model<f32>, source: &Source) -> Vec<f64> {
    match model.predict(source, &every()).unwrap() {
        Predictions::Numbers(numbers) => numbers.into_iter().collect(),
        _ => panic!("numbers"),
    }
}

/// The mean loss of the rows, in the target's own units.
fn mean_loss(loss: Loss, outputs: &[f64], truth: &[f64]) -> f64 {
    let row = |(o, t): (&f64, &f64)| loss.row(&[*o], &[*t], &mut [0.0]);
    outputs.iter().zip(truth).map(row).sum::<f64>() / truth.len() as f64
}

#[test]
fn every_loss_of_a_number_is_less_than_the_best_constants() {
    let source = numbers();
    for loss in Loss::ALL.into_iter().filter(|loss| loss.targets() == Targets::Numbers) {
        let model = fit(&source, &recipe(loss)).unwrap().model;
        let truth = source.numbers(&model.target, &every()).unwrap().into_raw_vec_and_offset().0;
        let constant = |c: i32| mean_loss(loss, &[f64::from(c) / 10.0; ROWS], &truth);
        let best = (50..150).map(constant).fold(f64::INFINITY, f64::min);
        let own = mean_loss(loss, &predicted(&model, &source), &truth);
        assert!(own < 0.5 * best, "{loss}: {own} beside {best}");
    }
}

#[test]
fn a_quantile_has_its_share_of_rows_below_it() {
    let source = numbers();
    for quantile in [0.1, 0.5, 0.9] {
        // All rows at a time: the last of many small steps is off by what its few rows say.
        let mut recipe = recipe(Loss::Quantile { quantile });
        (recipe.trainer.batch, recipe.trainer.epochs) = (ROWS, 600);
        let model = fit(&source, &recipe).unwrap().model;
        let truth = source.numbers(&model.target, &every()).unwrap().into_raw_vec_and_offset().0;
        let below = truth.iter().zip(predicted(&model, &source)).filter(|(t, p)| *t < p).count();
        let share = below as f64 / ROWS as f64;
        assert!((share - quantile).abs() < 0.05, "{quantile}: {share}");
    }
}

#[test]
fn counts_are_predicted_as_rates_and_judged_beside_their_mean() {
    let source = counts();
    let Fitted { model, .. } = fit(&source, &recipe(Loss::Poisson)).unwrap();
    assert_eq!(model.network.spec().layers()[1].activation, Activation::Exponential);
    let truth = source.numbers(&model.target, &every()).unwrap().into_raw_vec_and_offset().0;
    let mean = truth.iter().sum::<f64>() / ROWS as f64;
    assert!((model.provenance.means[0] - mean).abs() < 1e-12);
    let rates = predicted(&model, &source);
    assert!(rates.iter().all(|rate| *rate > 0.0));
    // The likeliest model has the mean of the targets for the mean of its rates (the last bias's gradient is their difference).
    assert!((rates.iter().sum::<f64>() / ROWS as f64 - mean).abs() < 0.1 * mean);
    let logs: Vec<f64> = rates.iter().map(|rate| rate.ln()).collect();
    let (own, baseline) =
        (mean_loss(Loss::Poisson, &logs, &truth), mean_loss(Loss::Poisson, &[mean.ln(); ROWS], &truth));
    // Of rates from 1 to 20, half the deviance is 1.5 without inputs and 0.5 with them.
    assert!(own < baseline - 0.5, "{own} beside {baseline}");
    let evaluation = model.evaluate(&source, &every()).unwrap();
    let r2 = |metrics: Metrics| metrics.get("r2").unwrap();
    assert!(r2(evaluation.baseline).abs() < 1e-9 && r2(evaluation.metrics) > 0.3, "{evaluation:?}");
    assert_eq!(Model::<f32>::from_bytes(&model.to_bytes().unwrap(), "m".as_ref()).unwrap(), model);
    // An exponential output asks for counts, too.
    let chosen = Recipe { loss: None, output: Some(Activation::Exponential), ..recipe(Loss::Poisson) };
    assert_eq!(fit(&source, &chosen).unwrap().model, model);
}

#[test]
fn losses_of_classes_find_them_and_scores_claim_no_probability() {
    let losses = [Loss::Hinge, Loss::SquaredHinge, Loss::Focal { gamma: 2.0 }, Loss::SoftmaxFocal { gamma: 2.0 }];
    for (count, loss) in [2, 3].into_iter().flat_map(|count| losses.map(|loss| (count, loss))) {
        let source = classes(count);
        let model = fit(&source, &recipe(loss)).unwrap().model;
        let evaluation = model.evaluate(&source, &every()).unwrap();
        let get = |metrics: &Metrics, name| metrics.get(name).unwrap();
        let [own, baseline] = [&evaluation.metrics, &evaluation.baseline].map(|m| get(m, "accuracy"));
        assert!(own > 0.95 && own > baseline + 0.2, "{loss}, {count} classes: {own} beside {baseline}");
        let is_hinge = loss.targets() == Targets::Labels;
        assert_eq!(model.has_probabilities(), !is_hinge);
        assert_eq!(get(&evaluation.metrics, "log_loss").is_nan(), is_hinge, "{loss}");
        let Predictions::Classes(p) = model.predict(&source, &every()).unwrap() else { panic!("classes") };
        for row in p.rows() {
            assert!((row.sum() - 1.0).abs() < 1e-6, "{loss}: {row}");
            assert!(!is_hinge || row.iter().filter(|p| **p == 1.0).count() == 1, "{loss}: {row}");
        }
        assert_eq!(Model::<f32>::from_bytes(&model.to_bytes().unwrap(), "m".as_ref()).unwrap(), model);
        // Scores of another loss have no meaning.
        let forged = Model { loss: Loss::SquaredError, ..model.clone() };
        assert_eq!(forged.to_bytes().is_err(), is_hinge, "{loss}");
    }
}

#[test]
fn smoothed_labels_keep_a_network_from_being_sure_and_rows_held_back_keep_theirs() {
    let source = classes(2);
    let surest = |label_smoothing| {
        let recipe = Recipe { label_smoothing, held_back: Some(0.25), ..recipe(Loss::LogisticCrossEntropy) };
        let Fitted { model, history, .. } = fit(&source, &recipe).unwrap();
        assert_eq!(model.provenance.training.contains("label smoothing 0.4"), label_smoothing > 0.0);
        let Predictions::Classes(p) = model.predict(&source, &every()).unwrap() else { panic!("classes") };
        (p.iter().fold(0.0, |most: f64, p| most.max(*p)), history)
    };
    let ((sure, _), (unsure, history)) = (surest(0.0), surest(0.4));
    // Targets are 0.2 and 0.8.
    assert!(sure > 0.99 && unsure > 0.7 && unsure < 0.9, "{sure} {unsure}");
    // The entropy of 0.2 is 0.5004: no network has less on the training rows. On whole labels it is 0.223 where all are right.
    let least = |losses: &[f64]| losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(least(&history.training) > 0.5, "{:?}", history.training);
    let held_back = least(&history.validation);
    assert!(held_back > 0.1 && held_back < 0.4, "{held_back}");
}

#[test]
fn what_has_no_meaning_is_refused_by_name() {
    let refusal = |source: &Source, recipe: Recipe| fit(source, &recipe).unwrap_err().to_string();
    let smoothed = |loss| Recipe { label_smoothing: 0.1, ..recipe(loss) };
    let with = |loss, output| Recipe { output: Some(output), ..recipe(loss) };
    let (two, three, number) = (classes(2), classes(3), numbers());
    let negative = table(|a, _, _| if a > 0.9 { "-3".into() } else { format!("{}", 10.0 * a.abs()) });
    let line = match &negative {
        Source::Table { table, .. } => (0..ROWS).find(|&row| table.cell(row, 2) == "-3").map(|row| table.line(row)),
        Source::Images { .. } | Source::Matrix { .. } => None,
    };
    let place = format!("rows.csv:{}", line.unwrap());
    let held_back = Recipe { held_back: Some(0.5), ..recipe(Loss::Poisson) };
    let perceptron = Recipe {
        loss: Some(Loss::Hinge),
        hidden: Vec::new(),
        trainer: Trainer { solver: Solver::Perceptron, ..Trainer::default() },
        ..Recipe::default()
    };
    let named: [&str; 4] = [&place, "y", "-3", "at least 0"];
    let cases: Vec<(String, &[&str])> = vec![
        (refusal(&negative, recipe(Loss::Poisson)), &named),
        (refusal(&negative, held_back), &["rows.csv", "y", "-3", "at least 0"]),
        (refusal(&number, smoothed(Loss::SquaredError)), &["label smoothing", "0.1", "y", "number", "squared_error"]),
        (refusal(&two, smoothed(Loss::Hinge)), &["label smoothing", "0.1", "hinge"]),
        (refusal(&three, smoothed(Loss::SquaredHinge)), &["label smoothing", "0.1", "squared_hinge"]),
        (
            refusal(&two, Recipe { label_smoothing: 1.0, ..recipe(Loss::LogisticCrossEntropy) }),
            &["label smoothing", "0 to below 1", "found 1"],
        ),
        (refusal(&two, recipe(Loss::Quantile { quantile: 0.5 })), &["loss", "for classes", "quantile=0.5"]),
        (refusal(&two, recipe(Loss::Poisson)), &["loss", "for classes", "poisson"]),
        (refusal(&number, recipe(Loss::Hinge)), &["loss", "for a number", "hinge"]),
        (refusal(&number, recipe(Loss::Focal { gamma: 2.0 })), &["loss", "for a number", "focal=2"]),
        (refusal(&two, with(Loss::Hinge, Activation::Sigmoid)), &["output activation", "hinge", "identity", "sigmoid"]),
        (refusal(&number, with(Loss::Poisson, Activation::Softplus)), &["loss for softplus outputs", "poisson"]),
        (refusal(&three, with(Loss::Focal { gamma: 2.0 }, Activation::Softmax)), &["softmax outputs", "focal=2"]),
        (
            refusal(&two, with(Loss::LogisticCrossEntropy, Activation::Exponential)),
            &["sigmoid or softmax", "exponential"],
        ),
        (refusal(&two, perceptron), &["loss for step outputs", "hinge"]),
    ];
    for (found, expected) in cases {
        expected.iter().for_each(|part| assert!(found.contains(part), "expected {part}: {found}"));
    }
}
