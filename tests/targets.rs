//! Several targets: numbers in their own units, labels that do not exclude each other; and what is refused of both.

mod trainings;

use deltarule::data::Parting;
use deltarule::data::target::{Classes, Number};
use deltarule::data::{Target, Task, csv, split};
use deltarule::metrics::{Classification, Metrics, MultiLabel, Regression};
use deltarule::model::{Evaluation, Model, Predictions, Recipe, Source};
use deltarule::prelude::*;
use ndarray::{Array2, array};
use std::fmt::Write as _;
use std::path::Path;
use trainings::go_on;

/// Sixty rows of two inputs, evenly spread, two labels and two numbers of other sizes; and two columns that do not fit to either.
fn table(targets: &[&str], weights: Option<&str>) -> Source {
    let mut text = "a,b,red,big,price,mass,three,w\n".to_string();
    for i in 0..60 {
        let spread = |step: f64| (6.0 * ((f64::from(i) + 0.5) * step).fract() * 1000.0).round() / 1000.0 - 3.0;
        let (a, b) = (spread(0.618_033_988_749_895), spread(std::f64::consts::SQRT_2));
        let (red, big) = (if a + b > 0.0 { "yes" } else { "no" }, u8::from(a - b > 0.5));
        let (price, mass) = (1000.0 + 50.0 * a - 20.0 * b, 0.001 * (a + 2.0 * b) + 0.01);
        writeln!(text, "{a},{b},{red},{big},{price},{mass},{},{}", ["p", "q", "r"][i as usize % 3], i % 4).unwrap();
    }
    let table = csv::read_from(text.as_bytes(), "t.csv", &csv::Options::default()).unwrap();
    Source::table(table, targets, weights).unwrap()
}

const LABELS: [&str; 2] = ["red", "big"];
const NUMBERS: [&str; 2] = ["price", "mass"];

fn recipe() -> Recipe {
    let mut recipe = Recipe { hidden: vec![6], activations: vec![Activation::Tanh], ..Recipe::default() };
    recipe.features.ignore = ["red", "big", "price", "mass", "three", "w"].map(String::from).to_vec();
    recipe.trainer.solver = Solver::Lbfgs;
    recipe.trainer.objective.l2 = 1e-3;
    recipe
}

fn all() -> Vec<usize> {
    (0..60).collect()
}

fn train(source: &Source, adjust: impl FnOnce(&mut Recipe)) -> (Model<f64>, Evaluation) {
    let mut recipe = recipe();
    adjust(&mut recipe);
    let model = recipe.fit::<f64>(source, &all(), &mut go_on).unwrap().model;
    let evaluation = model.evaluate(source, &all()).unwrap();
    (model, evaluation)
}

fn figure(metrics: &Metrics, name: &str) -> f64 {
    metrics.get(name).unwrap_or_else(|| panic!("{metrics:?} has no {name}"))
}

#[test]
fn numbers_are_predicted_and_judged_in_their_own_units() {
    for weights in [None, Some("w")] {
        let source = table(&NUMBERS, weights);
        let (model, evaluation) = train(&source, |_| {});
        let layer = model.network.spec().layers().last().unwrap();
        assert_eq!((layer.outputs, layer.activation, model.loss), (2, Activation::Identity, Loss::SquaredError));
        let Predictions::Numbers(p) = model.predict(&source, &all()).unwrap() else { panic!("numbers") };
        assert_eq!(p.dim(), (60, 2));
        assert!(p.column(0).iter().all(|p| (600.0..1400.0).contains(p)));
        assert!(p.column(1).iter().all(|p| (-0.02..0.04).contains(p)));
        // Each column by itself, and scikit-learn's uniform average of them.
        assert_eq!(evaluation.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), NUMBERS);
        for (name, value) in evaluation.metrics.figures() {
            let mean = evaluation.columns.iter().map(|c| figure(&c.metrics, name)).sum::<f64>() / 2.0;
            assert!((value - mean).abs() <= 1e-12 * mean.abs(), "{name}: {value} and {mean}");
        }
        let truth = source.numbers(&model.target, &all()).unwrap();
        let own = source.weights(&all()).unwrap();
        let expected = Regression::of(truth.view(), p.view(), own.as_deref()).unwrap();
        assert_eq!(evaluation.metrics, Metrics::Regression(expected));
        assert!(expected.r2 > 0.99, "{expected:?}");
        assert!((figure(&evaluation.baseline, "r2")).abs() < 1e-9, "the mean of the same rows explains nothing");
        assert!(evaluation.interval.low <= expected.r2 && expected.r2 <= evaluation.interval.high);
        assert!(evaluation.confusion.is_none() && model.provenance.class_counts.is_empty());
        // Alone, a number has the same mean and scale.
        let (alone, _) = train(&table(&["mass"], weights), |_| {});
        let Target::Number(number) = &alone.target else { panic!("a number") };
        assert_eq!(&model.target.number_columns()[1], number);
    }
}

#[test]
fn labels_do_not_exclude_each_other() {
    for weights in [None, Some("w")] {
        let source = table(&LABELS, weights);
        let (model, evaluation) = train(&source, |_| {});
        let layer = model.network.spec().layers().last().unwrap();
        assert_eq!((layer.outputs, layer.activation), (2, Activation::Sigmoid));
        assert_eq!(model.loss, Loss::LogisticCrossEntropy);
        let Predictions::Labels(p) = model.predict(&source, &all()).unwrap() else { panic!("labels") };
        let classes = source.classes(&model.target, &all()).unwrap();
        let own = source.weights(&all()).unwrap();
        let truth = classes.mapv(|class| class == 1);
        let expected = MultiLabel::of(truth.view(), p.view(), own.as_deref()).unwrap();
        assert_eq!(evaluation.metrics, Metrics::MultiLabel(expected));
        assert!(expected.accuracy > 0.95 && expected.hamming_loss < 0.03 && expected.f1_macro > 0.95, "{expected:?}");
        assert!(p.rows().into_iter().any(|p| p.sum() > 1.5), "some rows have both");
        for (label, column) in evaluation.columns.iter().enumerate() {
            assert_eq!(column.name, LABELS[label]);
            let Metrics::Classification(Classification { accuracy, .. }) = column.metrics else { panic!("classes") };
            assert!(accuracy >= expected.accuracy, "a label is right where all are");
            assert!(figure(&column.baseline, "accuracy") < 0.8 && figure(&column.baseline, "accuracy") >= 0.5);
        }
        let [low, high] = [evaluation.interval.low, evaluation.interval.high];
        assert!(low <= expected.accuracy && expected.accuracy <= high && evaluation.interval.metric == "accuracy");
        // Both classes of both columns; by weight, the rows of weight 0 are not there.
        let rows = if weights.is_none() { 60 } else { 45 };
        let counts = &model.provenance.class_counts;
        assert_eq!((counts.len(), counts[0] + counts[1], counts[2] + counts[3]), (4, rows, rows));
        assert_eq!(model.provenance.class_shares.len(), if weights.is_none() { 0 } else { 4 });
    }
}

#[test]
fn labels_are_trained_by_each_solver_and_as_what_they_are_alone() {
    let source = table(&LABELS, None);
    let rows = all();
    let perceptron = |recipe: &mut Recipe| {
        (recipe.trainer.solver, recipe.trainer.objective.l2, recipe.hidden) = (Solver::Perceptron, 0.0, vec![])
    };
    let (model, evaluation) = train(&source, perceptron);
    assert!(figure(&evaluation.metrics, "accuracy") > 0.9, "two lines part the rows: {evaluation:?}");
    assert!(model.predict(&source, &rows).unwrap().values().iter().all(|&p| p == 0.0 || p == 1.0));
    // Without hidden units nothing is shared: each output is the logistic regression of its label.
    let linear = |recipe: &mut Recipe| (recipe.hidden, recipe.trainer.objective.l2) = (vec![], 0.1);
    let (both, _) = train(&source, linear);
    let p = both.predict(&source, &rows).unwrap();
    for (label, name) in LABELS.iter().enumerate() {
        let alone = table(&[name], None);
        let (model, _) = train(&alone, linear);
        let q = model.predict(&alone, &rows).unwrap();
        for (p, q) in p.values().column(label).iter().zip(q.values().column(1)) {
            assert!((p - q).abs() < 1e-5, "{name}: {p} and {q}");
        }
    }
    for (adjust, says) in [
        (
            (|r| r.output = Some(Activation::Softmax)) as fn(&mut Recipe),
            "output activation for labels: expected sigmoid",
        ),
        (|r| r.output = Some(Activation::Tanh), "output activation for labels: expected sigmoid"),
        (|r| r.loss = Some(Loss::SoftmaxCrossEntropy), "loss: expected a loss for sigmoid outputs"),
    ] {
        let mut recipe = recipe();
        adjust(&mut recipe);
        let message = recipe.fit::<f32>(&source, &rows, &mut go_on).unwrap_err().to_string();
        assert!(message.starts_with(says), "{message}");
    }
}

#[test]
fn splits_keep_the_shares_of_what_labels_stand_together() {
    let source = table(&LABELS, None);
    let target = source.infer(None, &recipe().features).unwrap().1;
    let classes = source.classes(&target, &all()).unwrap();
    let groups = source.groups(&target, &all(), &Parting::Random).unwrap();
    for part in split::folds(groups.strata(), 3, 1, &mut Rng::new(1)).unwrap() {
        for pair in [[0, 0], [0, 1], [1, 0], [1, 1]] {
            let count = |rows: &[usize]| rows.iter().filter(|&&row| classes.row(row) == ndarray::arr1(&pair)).count();
            let (all, test) = (count(&all()), count(&part.test));
            assert!(test.abs_diff(all / 3) <= 1, "{pair:?}: {test} of {all}");
        }
    }
    // A pair that one row has alone cannot be kept on both sides; then nothing is.
    let lone = (0..60).filter(|&row| classes.row(row) != ndarray::arr1(&[1, 1]));
    let first = (0..60).find(|&row| classes.row(row) == ndarray::arr1(&[1, 1])).unwrap();
    let rows: Vec<usize> = lone.chain([first]).collect();
    let groups = source.groups(&target, &rows, &Parting::Random).unwrap();
    assert!(matches!(groups.strata(), deltarule::data::Strata::None(count) if count == rows.len()));
}

#[test]
fn what_several_columns_cannot_be_is_refused_by_name() {
    let infer = |targets: &[&str], task| table(targets, None).infer(task, &recipe().features).unwrap_err().to_string();
    for (targets, task, says) in [
        (
            &["red", "price"][..],
            None,
            "t.csv: classes ('red') beside a number ('price'): several targets are all of one kind",
        ),
        (&["price", "mass", "red"], None, "t.csv: classes ('red') beside a number ('price')"),
        (&["red", "price"], Some(Task::Regress), "t.csv:2: column 'red': not a number: "),
        (
            &["red", "three"],
            None,
            "t.csv: column 'three': 3 classes ('p', 'q', 'r'): of several targets each must hold 2",
        ),
        (&["red", "red"], None, "target: expected each column once, found 'red' twice"),
        (&["price", "mass"], Some(Task::Classify), "t.csv: column 'price': 60 classes ("),
        (&[], None, "t.csv: no target column was named"),
    ] {
        let message = infer(targets, task);
        assert!(message.starts_with(says), "{message:?}, expected {says:?}");
    }
    let message = table(&["red"], Some("red")).infer(None, &recipe().features).unwrap_err().to_string();
    assert_eq!(message, "weight column: expected another column than the target's, found 'red'");
}

#[test]
fn targets_are_encoded_and_decoded_column_by_column() {
    let text = "x,u,v,s,t\n1,a,1,10,-1\n2,b,0,20,1\n3,b,1,30,3\n";
    let table = csv::read_from(text.as_bytes(), "t.csv", &csv::Options::default()).unwrap();
    let labels = Target::infer(&table, &[2, 1], Some(Task::Classify)).unwrap();
    assert_eq!((labels.names(), labels.width(), labels.task()), (vec!["v", "u"], 2, Task::Classify));
    assert_eq!(labels.encode::<f32>(&table, &[0, 1, 2]).unwrap(), array![[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
    let Target::Labels(columns) = &labels else { panic!("labels") };
    assert_eq!(columns.iter().map(Classes::event).collect::<Vec<_>>(), ["v=1", "u=b"]);
    let mut numbers = Target::infer(&table, &[3, 4], None).unwrap();
    assert_eq!(numbers.fit(&table, &[0, 1], None).unwrap(), []);
    let expected = |name: &str, mean, scale| Number { name: name.into(), mean, scale };
    assert_eq!(numbers, Target::Numbers(vec![expected("s", 15.0, 5.0), expected("t", 0.0, 1.0)]));
    let encoded = numbers.encode::<f64>(&table, &[0, 2]).unwrap();
    assert_eq!(encoded, array![[-1.0, -1.0], [3.0, 3.0]]);
    assert_eq!(numbers.inverse_all(encoded.view()).unwrap(), array![[10.0, -1.0], [30.0, 3.0]]);
    let message = numbers.inverse_all(Array2::<f64>::zeros((1, 1)).view()).unwrap_err().to_string();
    assert_eq!(message, "outputs: expected 2 columns, found 1");
    // By weight.
    numbers.fit(&table, &[0, 1, 2], Some(&[3.0, 1.0, 0.0])).unwrap();
    let Target::Numbers(columns) = &numbers else { panic!("numbers") };
    assert!((columns[0].mean - 12.5).abs() < 1e-14 && (columns[0].scale - 18.75f64.sqrt()).abs() < 1e-14);
}

#[test]
fn their_models_come_back_from_files_of_format_3_and_others_keep_theirs() {
    let format = |model: &Model<f64>| {
        let bytes = model.to_bytes().unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let back = Model::<f64>::from_bytes(&bytes, Path::new("m")).unwrap();
        assert!(&back == model && back.to_bytes().unwrap() == bytes);
        let at = text.find("format\\\":").expect("a format") + "format\\\":".len();
        text[at..=at].parse::<u32>().unwrap()
    };
    for (targets, weights, expected) in [
        (&LABELS[..], None, 3),
        (&NUMBERS, None, 3),
        (&["red"], Some("w"), 3),
        (&["red"], None, 1),
        (&["price"], None, 1),
        // Of a number, the weights are in its mean and scale already.
        (&["price"], Some("w"), 1),
    ] {
        let (model, _) = train(&table(targets, weights), |recipe| recipe.trainer.epochs = 3);
        assert_eq!(format(&model), expected, "{targets:?} {weights:?}");
    }
}

#[cfg(feature = "pictures")]
#[test]
fn diagrams_name_each_output() {
    for (targets, names) in [(&LABELS, ["red=yes", "big=1"]), (&NUMBERS, NUMBERS)] {
        let (model, _) = train(&table(targets, None), |recipe| recipe.trainer.epochs = 2);
        let picture = model.diagram_svg().unwrap();
        names.iter().for_each(|name| assert!(picture.contains(&format!(">{name}<")), "{name}"));
        assert!(picture.contains(&targets.join(", ")));
    }
}
