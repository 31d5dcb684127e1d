//! Rows of one's own that judge a training: the bits of the same rows held back, nothing learnt from them, and whatever does not fit them
//! refused with its place.

use deltarule::data::{Parting, csv, npy, split};
use deltarule::model::{Fitted, Input, Recipe, Source, Validation, With};
use deltarule::prelude::*;
use deltarule::rng::stream;
use deltarule::train::Stopped;
use std::fmt::Write;

const ROWS: usize = 60;

/// A row of a number, a category, two labels, a number to predict and a weight, told by its number.
fn cells(i: usize) -> [String; 6] {
    let a = 4.0 * ((i as f64 + 0.5) * 0.618_033_988_749_895).fract() - 2.0;
    let colour = ["red", "green", "blue"][i % 3];
    let u = if a + (i % 3) as f64 > 0.8 { "yes" } else { "no" };
    let v = if a < 0.0 { "low" } else { "high" };
    [format!("{a:.4}"), colour.into(), u.into(), v.into(), format!("{:.3}", 10.0 * a + 5.0), (i % 4).to_string()]
}

const NAMES: [&str; 6] = ["a", "colour", "u", "v", "n", "w"];

/// A table of these rows with its columns in the given order; others than those above hold the row's number.
fn table(name: &str, columns: &[&str], rows: &[usize]) -> deltarule::data::Table {
    let mut text = columns.join(",") + "\n";
    for &row in rows {
        let cell = |column: &&str| match NAMES.iter().position(|name| name == column) {
            Some(at) => cells(row)[at].clone(),
            None => row.to_string(),
        };
        writeln!(text, "{}", columns.iter().map(cell).collect::<Vec<_>>().join(",")).unwrap();
    }
    csv::read_from(text.as_bytes(), name, &csv::Options::default()).unwrap()
}

fn all(source: &Source) -> Vec<usize> {
    (0..source.rows()).collect()
}

fn recipe() -> Recipe {
    let ignore = ["v", "n", "w"].map(String::from).to_vec();
    let mut recipe = Recipe { hidden: vec![12], monitor: Some("accuracy".into()), ..Recipe::default() };
    recipe.features.ignore = ignore;
    (recipe.trainer.epochs, recipe.trainer.stopping.patience) = (40, 5);
    recipe
}

fn fit(
    recipe: &Recipe,
    source: &Source,
    rows: &[usize],
    validation: Option<&Source>,
) -> deltarule::Result<Fitted<f32>> {
    let own = validation.map(all);
    let validation = validation.zip(own.as_ref()).map(|(source, rows)| Validation { source, rows });
    recipe.fit_with(source, rows, With { validation, ..With::default() })
}

/// What would break it: validation rows encoded by what they hold themselves, columns matched by position, a row more or fewer trained on.
#[test]
fn the_rows_held_back_in_a_file_of_their_own_give_the_same_bits() {
    let numbers: Vec<usize> = (0..ROWS).collect();
    let source = Source::table(table("t.csv", &NAMES, &numbers), &["u"], None).unwrap();
    let held_back = Recipe { held_back: Some(0.25), ..recipe() };
    let expected = fit(&held_back, &source, &numbers, None).unwrap();
    let (_, target, _) = recipe().infer(&source).unwrap();
    let groups = source.groups(&target, &numbers, &Parting::Random).unwrap();
    let mut rng = Rng::with_stream(0, stream::SPLIT + 1);
    let part = split::hold_out(groups.strata(), 0.25, &mut rng).unwrap();
    for columns in [&NAMES[..], &["w", "more", "u", "colour", "a"]] {
        let own = Source::table(table("v.csv", columns, &part.test), &["u"], None).unwrap();
        let fitted = fit(&recipe(), &source, &part.train, Some(&own)).unwrap();
        assert_eq!(fitted.model.network, expected.model.network, "{columns:?}");
        assert_eq!((&fitted.model.input, &fitted.model.target), (&expected.model.input, &expected.model.target));
        assert_eq!(fitted.history, expected.history);
        assert_eq!(fitted.history.stopped, Stopped::ValidationStalled);
        let judged = fitted.judged.unwrap();
        assert_eq!((judged.rows, judged.data.as_str(), judged.is_held_back), (part.test.len(), "v.csv", false));
        assert!(fitted.model.provenance.training.ends_with("judged on 15 rows of v.csv"));
        assert_eq!(fitted.model.provenance.rows, part.train.len());
    }
    assert!(expected.judged.unwrap().is_held_back);
}

/// Means, deviations, categories and classes are those of a training without the rows, however strange they are.
#[test]
fn nothing_is_learnt_from_rows_that_judge() {
    let numbers: Vec<usize> = (0..ROWS).collect();
    let source = Source::table(table("t.csv", &NAMES, &numbers), &["n"], None).unwrap();
    let mut recipe = recipe();
    (recipe.features.ignore, recipe.monitor) = (vec!["u".into(), "v".into(), "w".into()], Some("r2".into()));
    recipe.trainer.epochs = 1;
    let without = fit(&Recipe { monitor: None, ..recipe.clone() }, &source, &numbers, None).unwrap();
    let text = "a,colour,n\n900,red,-1e6\n-4000,blue,1e6\n";
    let strange = csv::read_from(text.as_bytes(), "v.csv", &csv::Options::default()).unwrap();
    let strange = Source::table(strange, &["n"], None).unwrap();
    let with = fit(&recipe, &source, &numbers, Some(&strange)).unwrap();
    assert_eq!((with.model.input, with.model.target), (without.model.input, without.model.target));
    assert_eq!(with.model.network, without.model.network);
    assert!(with.history.validation[0] > 1e3, "{:?}", with.history.validation);
}

/// A row of weight 0 is none, and one of weight 2 is two, also among the rows that judge; several targets of either kind are judged.
#[test]
fn weights_and_several_targets_are_judged_as_in_an_evaluation() {
    let numbers: Vec<usize> = (0..ROWS).collect();
    for (targets, ignore, monitor) in
        [(&["u"][..], &["v", "n"][..], "accuracy"), (&["u", "v"], &["n"], "f1_macro"), (&["n", "a"], &["u", "v"], "r2")]
    {
        let mut recipe = recipe();
        recipe.features.ignore = ignore.iter().map(|&name| name.into()).collect();
        (recipe.monitor, recipe.trainer.epochs) = (Some(monitor.into()), 6);
        let source = Source::table(table("t.csv", &NAMES, &numbers), targets, Some("w")).unwrap();
        let judges: Vec<usize> = (ROWS..ROWS + 24).collect();
        let weighted = Source::table(table("v.csv", &NAMES, &judges), targets, Some("w")).unwrap();
        let repeated: Vec<usize> = judges.iter().flat_map(|&i| vec![i; i % 4]).collect();
        let columns: Vec<&str> = NAMES[..5].to_vec();
        let repeated = Source::table(table("v.csv", &columns, &repeated), targets, None).unwrap();
        let [a, b] = [&weighted, &repeated].map(|judges| fit(&recipe, &source, &numbers, Some(judges)).unwrap());
        assert_eq!(a.judged.unwrap().rows, 18, "a quarter weighs nothing");
        for (a, b) in a.history.validation.iter().zip(&b.history.validation) {
            assert!((a - b).abs() <= 1e-5 * b.abs(), "{a} and {b}");
        }
        let [a, b] = [a.history.figures.validation, b.history.figures.validation];
        let pairs = a.iter().flatten().zip(b.iter().flatten());
        pairs.for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{targets:?}: {a} and {b}"));
    }
}

/// What would break it: figures of the same name that are formed twice, so that one of them claims a log loss where there are no
/// probabilities.
#[test]
fn figures_in_training_are_those_of_an_evaluation_to_the_bit() {
    let weigh_something = |rows: std::ops::Range<usize>| rows.filter(|i| i % 4 != 0).collect::<Vec<usize>>();
    let hinge = Some(Loss::Hinge);
    for (targets, loss, solver) in [
        (&["u"][..], None, None),
        (&["u"], hinge, None),
        (&["u"], None, Some(Solver::Perceptron)),
        (&["u", "v"], None, None),
        (&["u", "v"], hinge, None),
        (&["n"], None, None),
        (&["n", "a"], None, None),
    ] {
        let mut recipe = Recipe { loss, monitor: None, measures_training: true, ..recipe() };
        recipe.features.ignore =
            ["u", "v", "n", "w"].into_iter().filter(|n| !targets.contains(n)).map(Into::into).collect();
        recipe.trainer.epochs = 6;
        let is_perceptron = solver.is_some();
        if let Some(solver) = solver {
            (recipe.hidden, recipe.trainer.solver) = (Vec::new(), solver);
        }
        let weights = (!is_perceptron).then_some("w");
        let part = |name, rows: std::ops::Range<usize>| {
            Source::table(table(name, &NAMES, &weigh_something(rows)), targets, weights).unwrap()
        };
        let (source, judges) = (part("t.csv", 0..ROWS), part("v.csv", ROWS..ROWS + 24));
        let validation = (!is_perceptron).then_some(&judges);
        let Fitted { model, history, .. } = fit(&recipe, &source, &all(&source), validation).unwrap();
        let mut parts = vec![(&source, &history.figures.training)];
        parts.extend(validation.map(|judges| (judges, &history.figures.validation)));
        for (rows, seen) in parts {
            let figures = model.evaluate(rows, &all(rows)).unwrap().metrics.figures();
            for ((name, figure), seen) in figures.into_iter().zip(&seen[history.kept - 1]) {
                assert_eq!(seen.to_bits(), figure.to_bits(), "{targets:?}, {loss:?}, {name}: {seen} and {figure}");
                assert_eq!(figure.is_nan(), name == "log_loss" && !model.has_probabilities(), "{targets:?}, {name}");
            }
        }
        // Nor is it watched where there is none.
        recipe.monitor = Some("log_loss".into());
        let refused = fit(&recipe, &source, &all(&source), validation).map(|_| ()).map_err(|e| e.to_string());
        let known = match targets {
            ["u"] => "accuracy, balanced_accuracy",
            ["n", ..] => "r2, rmse, mae",
            _ => "accuracy, hamming_loss, f1_macro, f1_micro",
        };
        let why = if targets[0] == "n" { "" } else { " (without probabilities there is no log_loss)" };
        assert_eq!(
            refused,
            match model.has_probabilities() {
                true => Ok(()),
                false => Err(format!("monitor: expected one of {known}{why}, found 'log_loss'")),
            }
        );
    }
}

#[test]
fn rows_that_do_not_fit_are_refused_with_their_place() {
    let numbers: Vec<usize> = (0..ROWS).collect();
    let source = Source::table(table("t.csv", &NAMES, &numbers), &["u"], None).unwrap();
    let refused = |recipe: &Recipe, text: &str| {
        let own = csv::read_from(text.as_bytes(), "v.csv", &csv::Options::default()).unwrap();
        let own = Source::table(own, &["u"], None).unwrap();
        fit(recipe, &source, &numbers, Some(&own)).unwrap_err().to_string()
    };
    for (text, says) in [
        ("a,colour,u\n1,red,yes\n2,red,perhaps\n", &["v.csv:3: column 'u'", "'perhaps'", "no", "yes"][..]),
        ("a,colour,u\n1,pink,yes\n", &["v.csv:2: column 'colour'", "'pink'", "'blue', 'green', 'red'"]),
        ("colour,u\nred,yes\n", &["v.csv", "1 column missing", "a"]),
        ("a,colour,u\nmuch,red,yes\n", &["v.csv:2: column 'a'", "much"]),
    ] {
        let message = refused(&recipe(), text);
        assert!(says.iter().all(|part| message.contains(part)), "{message}");
    }
    let both = Recipe { held_back: Some(0.2), ..recipe() };
    let message = refused(&both, "a,colour,u\n1,red,yes\n");
    assert!(message.contains("held-back share") && message.contains("0.2"), "{message}");
    let none = Validation { source: &source, rows: &[] };
    let with = With { validation: Some(none), ..With::default() };
    let message = recipe().fit_with::<f32>(&source, &numbers, with).unwrap_err().to_string();
    assert!(message.contains("t.csv: no rows to validate on"), "{message}");
    let mut threshold = Recipe { hidden: vec![], monitor: None, ..recipe() };
    threshold.trainer.solver = Solver::Perceptron;
    let message = refused(&threshold, "a,colour,u\n1,red,yes\n");
    assert!(message.contains("perceptron") && message.contains("held-back rows"), "{message}");
}

/// Streamed or in memory, both parts from NPY files.
#[test]
fn a_streamed_training_is_judged_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, descr: &str, shape: &str, bytes: Vec<u8>| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        let path = folder.path().join(name);
        std::fs::write(&path, [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), &bytes].concat()).unwrap();
        path
    };
    let part = |name: &str, rows: std::ops::Range<usize>| {
        let value = |i: usize| 2.0 * (i as f32 * 0.618_034).fract() - 1.0;
        let x =
            rows.clone().flat_map(|row| (0..5).map(move |c| value(5 * row + c) + f32::from(u8::from(row % 3 == c))));
        let (x, count) = (x.flat_map(f32::to_le_bytes).collect(), rows.len());
        let y = rows.flat_map(|row| ((row % 3) as i64).to_le_bytes()).collect();
        let x = write(&format!("{name}x"), "<f4", &format!("({count}, 5)"), x);
        (x, write(&format!("{name}y"), "<i8", &format!("({count},)"), y))
    };
    let (training, judges) = (part("t", 0..200), part("v", 200..260));
    let open = |(x, y): &(std::path::PathBuf, std::path::PathBuf), in_file: bool| {
        let x = if in_file { npy::open(x) } else { npy::read(x) };
        Source::matrix(x.unwrap(), Some(npy::read(y).unwrap())).unwrap()
    };
    let mut recipe = recipe();
    recipe.features.ignore.clear();
    let fits = [(false, false), (true, true), (true, false)].map(|(a, b)| {
        let (source, own) = (open(&training, a), open(&judges, b));
        assert_eq!(source.is_in_file(), a);
        fit(&recipe, &source, &all(&source), Some(&own)).unwrap()
    });
    assert!(fits.iter().all(|fitted| fitted.model.network == fits[0].model.network));
    assert!(fits.iter().all(|fitted| fitted.history == fits[0].history && fitted.history.validation.len() > 1));
    assert!(matches!(&fits[0].model.input, Input::Table(features) if features.width() == 5));
}
