//! Figures for machines: one object on standard output, whose keys are agreed, whose numbers are those of the data's own
//! units, and whose checksum proves that the same seed gives the same bits.

mod command;

use command::Folder;
use command::certified::certify;
use command::data::{blobs, classes, csv, numbers, points, several};
use deltarule::file::Existing;
use deltarule::gradcheck::Verdict;
use deltarule::model::Model;
use serde_json::Value;
use std::collections::HashSet;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("t.csv", csv("a,b,y", &classes()));
    folder.write("n.csv", csv("a,b,y", &numbers()));
    folder
}

/// The keys of an object, sorted.
fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("expected a number, found {value}"))
}

const TRAIN: [&str; 11] = [
    "baseline",
    "epochs",
    "interval",
    "parameters_sha256",
    "rows",
    "seconds",
    "stopped",
    "task",
    "test",
    "train",
    "watched",
];
const INSPECT: [&str; 10] = [
    "certificate",
    "certificate_fits",
    "dtype",
    "input",
    "loss",
    "network",
    "parameters",
    "parameters_sha256",
    "provenance",
    "target",
];
const CLASSIFICATION: [&str; 3] = ["accuracy", "balanced_accuracy", "log_loss"];
const REGRESSION: [&str; 3] = ["mae", "r2", "rmse"];

#[test]
fn train_prints_the_agreed_keys() {
    let folder = folder();
    for (data, task, metric, names) in
        [("t.csv", "classify", "accuracy", CLASSIFICATION), ("n.csv", "regress", "r2", REGRESSION)]
    {
        let run = folder.must(&format!("train {data} --target y --epochs 30 --patience 99 --json")).json();
        assert_eq!(keys(&run), TRAIN);
        assert_eq!(run["task"], task);
        assert_eq!(run["rows"], serde_json::json!({ "train": 32, "test": 8 }));
        assert_eq!(run["epochs"], 30);
        assert_eq!(run["stopped"], "epochs");
        assert!(number(&run["seconds"]) > 0.0);
        for part in ["train", "test", "baseline"] {
            assert_eq!(keys(&run[part]), names, "{part}");
            names.iter().for_each(|name| assert!(number(&run[part][name]).is_finite()));
        }
        let interval = &run["interval"];
        assert_eq!((keys(interval), &interval["metric"]), (vec!["high", "low", "metric"], &metric.into()));
        let (low, high) = (number(&interval["low"]), number(&interval["high"]));
        assert!(low <= number(&run["test"][metric]) && number(&run["test"][metric]) <= high, "{interval}");
        let sha = run["parameters_sha256"].as_str().expect("a sum");
        assert!(sha.len() == 64 && sha.bytes().all(|b| b.is_ascii_hexdigit()), "{sha}");
    }
    // Without --json nothing is for machines.
    assert!(folder.must("train t.csv --target y").stdout.is_empty());
    assert!(folder.must("evaluate --help").text().contains("--json"));
}

#[test]
fn what_is_not_defined_is_null() {
    let folder = folder();
    let run = folder.must("train t.csv --target y --test 0 --json").json();
    assert_eq!((&run["test"], &run["rows"]["test"]), (&Value::Null, &0.into()));
    assert!(run["train"]["accuracy"].is_number() && run["baseline"]["accuracy"].is_number());
    // R2 needs two different truths.
    folder.write("two.csv", "a,b,y\n1,2,3.5\n2,1,4.5\n");
    let run = folder.must("train two.csv --target y --test 0.5 --json").json();
    assert_eq!(run["rows"], serde_json::json!({ "train": 1, "test": 1 }));
    assert!(run["test"]["r2"].is_null() && run["test"]["rmse"].is_number(), "{run}");
    assert!(run["interval"]["low"].is_null() && run["interval"]["high"].is_null(), "{run}");
    // Scores and threshold units give no probabilities; beside them is a baseline that does.
    for flags in ["--loss hinge", "--loss squared_hinge --hidden none --rate 0.05", "--solver perceptron"] {
        let run = folder.must(&format!("train t.csv --target y {flags} --json")).json();
        assert!(run["train"]["log_loss"].is_null() && run["test"]["log_loss"].is_null(), "{flags}: {run}");
        assert!(run["baseline"]["log_loss"].is_number() && number(&run["train"]["accuracy"]) > 0.9, "{flags}: {run}");
    }
    // Cross-validation has no single training; a model to be saved is one.
    let run = folder.must("train t.csv --target y --cv 4x2 --epochs 5 --json").json();
    assert_eq!(keys(&run), [&["baseline", "cv"], &TRAIN[1..]].concat());
    for key in ["epochs", "stopped", "train", "test", "baseline", "interval", "parameters_sha256", "watched"] {
        assert!(run[key].is_null(), "{key}");
    }
    assert_eq!(keys(&run["cv"]), ["accuracy", "balanced_accuracy", "folds", "log_loss", "repetitions"]);
    assert_eq!(keys(&run["cv"]["accuracy"]), ["baseline", "mean", "standard_error"]);
    let run = folder.must("train t.csv --target y --cv 2 --epochs 5 --model cv.st --json").json();
    let all = folder.must("train t.csv --target y --test 0 --epochs 5 --json").json();
    assert_eq!(run["parameters_sha256"], all["parameters_sha256"]);
    assert_eq!(folder.must("inspect cv.st --json").json()["parameters_sha256"], all["parameters_sha256"]);
}

#[test]
fn gradients_are_watched_and_nothing_else_changes() {
    let folder = folder();
    for dtype in ["f32", "f64"] {
        // 32 rows in batches of 10: 4 steps an epoch, of which every third is watched, the first first.
        let line = format!("train t.csv --target y --epochs 5 --batch 10 --l1 1e-4 --dtype {dtype} --json");
        let plain = folder.must(&line).json();
        assert!(plain["watched"].is_null());
        let run = folder.must(&format!("{line} --watch-gradients 3 --plot {dtype}.svg"));
        let watched = &run.json()["watched"];
        assert_eq!(keys(watched), ["count", "inconclusive", "interval", "worst_error"]);
        assert_eq!((&watched["count"], &watched["interval"]), (&7.into(), &3.into()));
        let error = number(&watched["worst_error"]);
        assert!(error < if dtype == "f32" { 3e-4 } else { 1e-5 }, "{error:e}");
        assert_eq!(run.json()["parameters_sha256"], plain["parameters_sha256"]);
        let inconclusive = match number(&watched["inconclusive"]) {
            0.0 => String::new(),
            some => format!(" ({some} inconclusive)"),
        };
        let says = format!("gradients watched 7 times{inconclusive}, largest error {error:.1e}, none wrong");
        assert!(run.stderr.contains(&says), "no '{says}' in {}", run.stderr);
        let picture = String::from_utf8(folder.read(format!("{dtype}.svg"))).expect("text");
        let says = format!("error of watched gradients (7 checks, largest {error:.1e})");
        assert!(picture.contains(&says), "no '{says}' in the picture");
    }
    // Of every fold, and of the model on all rows.
    let line = "train t.csv --target y --epochs 2 --batch 10 --cv 4x2 --watch-gradients 3 --json";
    assert_eq!(folder.must(line).json()["watched"]["count"], 8 * 2);
    assert_eq!(folder.must(&format!("{line} --model m.st")).json()["watched"]["count"], 8 * 2 + 3);
}

#[test]
fn a_training_with_noise_is_watched_described_and_the_same_for_any_threads() {
    let folder = folder();
    let line = "train t.csv --target y --hidden 20,10 --epochs 6 --batch 10 --json --watch-gradients 1";
    let noise = "--dropout 0.2,0.5 --input-dropout 0.1 --input-noise 0.25 --max-norm 0.5";
    let sum = |flags: &str| folder.must(&format!("{line} {flags}")).json()["parameters_sha256"].to_string();
    let noisy = sum(&format!("{noise} --threads 1 --model m.st"));
    assert_eq!(noisy, sum(&format!("{noise} --threads 3")));
    // Each of the four has a part in it, and a rate of 0 has none.
    let lesser = ["--dropout 0.2,0.5", "--input-dropout 0.1", "--input-noise 0.25", "--max-norm 0.5"];
    let plain = sum("");
    assert_eq!(plain, sum("--dropout 0 --input-dropout 0 --input-noise 0"));
    let sums: HashSet<_> = lesser.into_iter().map(sum).chain([noisy, plain]).collect();
    assert_eq!(sums.len(), 6);
    let says = "; dropout 0.2, 0.5, input dropout 0.1, input noise 0.25; max norm 0.5";
    let inspected = folder.must("inspect m.st");
    assert!(inspected.text().contains(says), "no '{says}' in {}", inspected.text());
}

#[test]
fn a_network_with_layer_normalisation_goes_through_all_commands() {
    let folder = folder();
    let line = "train t.csv --target y --hidden 8,6 --norm layer --epochs 30 --watch-gradients 5 --model n.st --json";
    let run = folder.must(line).json();
    assert_ne!(
        run["parameters_sha256"],
        folder.must(&line.replace("layer", "none").replace("n.st", "p.st")).json()["parameters_sha256"]
    );
    let inspected = folder.must("inspect n.st");
    assert_eq!(inspected.text().matches("relu, layer norm").count(), 2, "{}", inspected.text());
    assert_eq!(folder.must("inspect n.st --json").json()["parameters_sha256"], run["parameters_sha256"]);
    folder.must("predict n.st t.csv");
    folder.must("evaluate n.st t.csv");
    for checks in ["parameters,precision", "inputs,curvature"] {
        let checked = folder.must(&format!("gradcheck n.st t.csv --checks {checks} --json"));
        assert_eq!(checked.code(), 0, "{}", checked.stderr);
    }
}

#[test]
fn a_network_with_batch_normalisation_goes_through_all_commands() {
    let folder = folder();
    let line = "train t.csv --target y --hidden 8,6 --norm batch --epochs 30 --batch 7 --ema 0.9 --watch-gradients 5 --model n.st --json";
    let run = folder.must(line).json();
    assert_eq!(
        run["parameters_sha256"],
        folder.must(&line.replace("n.st", "m.st --threads 3")).json()["parameters_sha256"]
    );
    let inspected = folder.must("inspect n.st");
    assert_eq!(inspected.text().matches("relu, batch norm, no bias").count(), 2, "{}", inspected.text());
    assert_eq!(folder.must("inspect n.st --json").json()["parameters_sha256"], run["parameters_sha256"]);
    folder.must("predict n.st t.csv");
    folder.must("evaluate n.st t.csv");
    folder.must("train t.csv --target y --norm batch --solver lbfgs --epochs 5 --early-stopping 0.2 --model l.st");
    for checks in ["parameters,precision", "inputs,curvature"] {
        let checked = folder.must(&format!("gradcheck n.st t.csv --checks {checks} --json"));
        assert_eq!(checked.code(), 0, "{}", checked.stderr);
    }
}

/// Work is cut by shape: whole batches of small layers into shards of rows, wide layers into tiles.
#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let folder = Folder::new();
    folder.write("blobs.csv", blobs(1500, 6));
    let mut sums = HashSet::new();
    for (network, batch) in [("--hidden 64,64 --epochs 4", 1024), ("--hidden 700 --epochs 2", 200)] {
        for dtype in ["f32", "f64"] {
            for solver in [format!("adam --batch {batch}"), "lbfgs".into()] {
                let sum = |threads: usize, seed: u64| {
                    let flags = format!("--dtype {dtype} --solver {solver} --threads {threads} --seed {seed}");
                    let run = folder.must(&format!("train blobs.csv --target y --json {network} {flags}")).json();
                    run["parameters_sha256"].as_str().expect("a sum").to_string()
                };
                let one = sum(1, 0);
                for threads in [2, 3, 8] {
                    assert_eq!(sum(threads, 0), one, "{network} {dtype} {solver}, {threads} threads");
                }
                let other = sum(1, 1);
                assert!(
                    sums.insert(one) && sums.insert(other),
                    "{network} {dtype} {solver}: two trainings with one result"
                );
            }
        }
    }
}

#[test]
fn a_training_gives_the_same_file_byte_for_byte() {
    let folder = folder();
    for flags in ["", "--dtype f64", "--solver lbfgs", "--cv 3", "--early-stopping 0.2", "--threads 3"] {
        let line = |name: &str| format!("train t.csv --target y --epochs 5 --model {name} --force {flags}");
        folder.must(&line("one.st"));
        folder.must(&line("two.st"));
        let one = folder.read("one.st");
        assert!(one == folder.read("two.st"), "{flags}");
        folder.must(&format!("{} --seed 1", line("two.st")));
        assert!(one != folder.read("two.st"), "{flags}: another seed");
    }
}

/// Mean squared error and all that, anew from the printed predictions.
fn measured(predicted: &[f64], truth: &[f64]) -> (f64, f64, f64) {
    let count = truth.len() as f64;
    let mean = truth.iter().sum::<f64>() / count;
    let errors = || truth.iter().zip(predicted).map(|(t, p)| t - p);
    let squares: f64 = errors().map(|e| e * e).sum();
    let spread: f64 = truth.iter().map(|t| (t - mean).powi(2)).sum();
    (1.0 - squares / spread, (squares / count).sqrt(), errors().map(f64::abs).sum::<f64>() / count)
}

/// Predictions are printed with all digits of their type; sums of forty have a few roundings.
const PRINTED: f64 = 1e-12;

#[test]
fn a_number_is_predicted_and_measured_in_its_own_units() {
    let folder = folder();
    let truth: Vec<f64> =
        numbers().iter().map(|row| row.rsplit(',').next().expect("a cell").parse().expect("a number")).collect();
    for dtype in ["f32", "f64"] {
        let line = format!("train n.csv --target y --test 0 --dtype {dtype} --model {dtype}.st --json");
        let trained = folder.must(&line).json();
        let run = folder.must(&format!("predict {dtype}.st n.csv"));
        let mut lines = run.text().lines();
        assert_eq!(lines.next(), Some("y"));
        let predicted: Vec<f64> = lines.map(|line| line.parse().expect("a number")).collect();
        let (r2, rmse, mae) = measured(&predicted, &truth);
        // The targets are around 1000, spread by 100: a network that knew nothing would be wrong by the latter.
        assert!(r2 > 0.99 && rmse < 10.0, "R2 {r2}, RMSE {rmse}");
        let evaluated = folder.must(&format!("evaluate {dtype}.st n.csv --json")).json();
        assert_eq!(keys(&evaluated), ["baseline", "interval", "metrics", "rows"]);
        assert_eq!(evaluated["rows"], 40);
        for (name, expected) in [("r2", r2), ("rmse", rmse), ("mae", mae)] {
            let found = number(&evaluated["metrics"][name]);
            assert!((found - expected).abs() <= PRINTED * expected.abs(), "{dtype} {name}: {found}, {expected}");
            assert_eq!(evaluated["metrics"][name], trained["train"][name], "{dtype} {name}");
        }
        let mean = truth.iter().sum::<f64>() / 40.0;
        let (_, rmse, mae) = measured(&[mean; 40], &truth);
        for (name, expected) in [("rmse", rmse), ("mae", mae)] {
            let found = number(&evaluated["baseline"][name]);
            assert!((found - expected).abs() <= PRINTED * expected, "{dtype} baseline {name}: {found}, {expected}");
        }
    }
    // In other units the same network learns the same, and errors scale.
    let scaled: Vec<_> =
        points(40).iter().zip(&truth).map(|((a, b), y)| format!("{a:.3},{b:.3},{}", y * 1024.0)).collect();
    folder.write("scaled.csv", csv("a,b,y", &scaled));
    let rmse = |data: &str| {
        number(&folder.must(&format!("train {data} --target y --dtype f64 --json")).json()["test"]["rmse"])
    };
    let (plain, scaled) = (rmse("n.csv"), rmse("scaled.csv"));
    assert!((scaled / 1024.0 - plain).abs() < 1e-6 * plain, "{plain} and {scaled}");
}

#[test]
fn predictions_agree_with_the_evaluation() {
    let folder = folder();
    folder.write("blobs.csv", blobs(300, 3));
    for (data, flags) in [
        ("t.csv", ""),
        ("t.csv", "--output-activation softmax"),
        ("t.csv", "--solver perceptron"),
        ("blobs.csv", ""),
        ("blobs.csv", "--output-activation sigmoid"),
        ("blobs.csv", "--solver perceptron"),
        ("blobs.csv", "--dtype f64 --solver lbfgs --hidden none"),
    ] {
        let trained = folder.must(&format!("train {data} --target y --epochs 10 --model m.st --force --json {flags}"));
        let parameters = &trained.json()["parameters_sha256"];
        assert_eq!(&folder.must("inspect m.st --json").json()["parameters_sha256"], parameters);
        let evaluated = folder.must(&format!("evaluate m.st {data} --json")).json();
        let printed = folder.must(&format!("predict m.st {data} --proba"));
        let to_file = folder.must(&format!("predict m.st {data} --proba --out p.csv --force"));
        assert!(to_file.stdout.is_empty());
        assert_eq!(folder.read("p.csv"), printed.stdout);
        let table = String::from_utf8(folder.read(data)).expect("text");
        let truth = table.lines().skip(1).map(|line| line.rsplit(',').next().expect("a cell"));
        let mut lines = printed.text().lines();
        let labels: Vec<_> = lines.next().expect("a header").split(',').skip(1).map(String::from).collect();
        let (mut right, mut log_loss, mut rows) = (0, 0.0, 0);
        for (line, truth) in lines.zip(truth) {
            let mut cells = line.split(',');
            let class = cells.next().expect("a class");
            let p: Vec<f64> = cells.map(|cell| cell.parse().expect("a number")).collect();
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{data} {flags}: {line}");
            let most = p.iter().copied().fold(0.0, f64::max);
            let at = |name: &str| labels.iter().position(|label| *label == format!("p({name})")).expect("a label");
            assert_eq!(p[at(class)], most, "{line}");
            log_loss -= p[at(truth)].ln();
            right += usize::from(class == truth);
            rows += 1;
        }
        let metrics = &evaluated["metrics"];
        assert_eq!(evaluated["rows"], rows);
        assert_eq!(number(&metrics["accuracy"]), right as f64 / rows as f64, "{data} {flags}");
        // Threshold units give none, even where all are right.
        if log_loss.is_finite() && !flags.contains("perceptron") {
            let (found, expected) = (number(&metrics["log_loss"]), log_loss / rows as f64);
            // The evaluation scales each row of f32 probabilities to sum to 1 exactly.
            assert!((found - expected).abs() < 1e-5, "{data} {flags}: {found}, {expected}");
        }
        folder
            .must(&format!("predict m.st {data}"))
            .text()
            .lines()
            .skip(1)
            .zip(printed.text().lines().skip(1))
            .for_each(|(alone, with)| assert_eq!(Some(alone), with.split(',').next()));
    }
}

/// A table of several targets, and the flags that leave out what is none.
fn folder_of_several() -> Folder {
    let folder = Folder::new();
    folder.write("s.csv", csv("a,b,u,v,s,t,w", &several()));
    folder
}

const MULTILABEL: [&str; 5] = ["accuracy", "f1_macro", "f1_micro", "hamming_loss", "log_loss"];

#[test]
fn several_targets_have_figures_of_all_and_of_each() {
    let folder = folder_of_several();
    for (targets, task, ignore, names, each) in [
        ("u,v", "classify", "s,t,w", &MULTILABEL[..], CLASSIFICATION),
        ("s,t", "regress", "u,v,w", &REGRESSION, REGRESSION),
    ] {
        let line = format!("train s.csv --target {targets} --ignore {ignore} --epochs 20 --solver lbfgs");
        let run = folder.must(&format!("{line} --model m.st --diagram m.svg --force --json"));
        assert!(run.stderr.contains(" of u ") || run.stderr.contains(" of s "), "{}", run.stderr);
        let run = run.json();
        let mut expected = [&TRAIN[..], &["targets"]].concat();
        expected.sort_unstable();
        assert_eq!(keys(&run), expected);
        assert_eq!(run["task"], task);
        for part in ["train", "test", "baseline"] {
            assert_eq!(keys(&run[part]), names, "{part}");
        }
        let evaluated = folder.must("evaluate m.st s.csv --json").json();
        assert_eq!(keys(&evaluated), ["baseline", "interval", "metrics", "rows", "targets"]);
        for list in [&run["targets"], &evaluated["targets"]] {
            let list = list.as_array().expect("a list");
            for (column, name) in list.iter().zip(targets.split(',')) {
                assert_eq!((keys(column), &column["name"]), (vec!["baseline", "metrics", "name"], &name.into()));
                assert_eq!((keys(&column["metrics"]), keys(&column["baseline"])), (each.to_vec(), each.to_vec()));
            }
            assert_eq!(list.len(), 2);
        }
        // What is printed, judged anew.
        let table = String::from_utf8(folder.read("s.csv")).expect("text");
        let printed = folder.must("predict m.st s.csv --proba").text().to_string();
        let mut lines = printed.lines();
        let header = if task == "classify" { "u,v,p(u=yes),p(v=1)" } else { "s,t" };
        assert_eq!(lines.next(), Some(header));
        let cells = |line: &str, at: usize| line.split(',').skip(at).take(2).map(String::from).collect::<Vec<_>>();
        let pairs: Vec<_> = lines
            .zip(table.lines().skip(1))
            .map(|(p, truth)| (cells(p, 0), cells(p, 2), cells(truth, if task == "classify" { 2 } else { 4 })))
            .collect();
        assert_eq!(pairs.len(), 40);
        if task == "classify" {
            let right = pairs.iter().filter(|(said, _, truth)| said == truth).count();
            assert_eq!(number(&evaluated["metrics"]["accuracy"]), right as f64 / 40.0);
            for (said, probable, _) in &pairs {
                for (label, p) in said.iter().zip(probable) {
                    let is_second = label == "yes" || label == "1";
                    assert_eq!(is_second, p.parse::<f64>().expect("a number") > 0.5, "{label} {p}");
                }
            }
        } else {
            let parsed = |cells: &[String], at: usize| cells[at].parse::<f64>().expect("a number");
            let of = |at: usize| {
                let (said, truth): (Vec<_>, Vec<_>) =
                    pairs.iter().map(|p| (parsed(&p.0, at), parsed(&p.2, at))).unzip();
                measured(&said, &truth)
            };
            let mean = (of(0).0 + of(1).0) / 2.0;
            let found = number(&evaluated["metrics"]["r2"]);
            assert!((found - mean).abs() < 1e-12 && found > 0.9, "{found} and {mean}");
            assert!((number(&evaluated["targets"][1]["metrics"]["rmse"]) - of(1).1).abs() < 1e-12);
        }
        let model = folder.must("inspect m.st --json").json();
        assert_eq!(keys(&model), INSPECT);
        let kind = if task == "classify" { "labels" } else { "numbers" };
        assert_eq!((keys(&model["target"]), model["target"][kind].as_array().map(Vec::len)), (vec![kind], Some(2)));
        let shown = folder.must("inspect m.st").text().to_string();
        assert_eq!(shown.lines().filter(|line| line.starts_with("predicts   ")).count(), 2, "{shown}");
        assert_eq!(folder.must("gradcheck m.st s.csv --json").json()["verdict"], "verified");
        let cv = folder.must(&format!("{line} --cv 4x2 --json")).json()["cv"].clone();
        assert_eq!(keys(&cv).len(), 3 + names.len(), "{cv}");
        let metric = if task == "classify" { "accuracy" } else { "r2" };
        assert!(keys(&cv["targets"][0]).iter().all(|key| [metric, "name"].contains(key)), "{cv}");
        assert_eq!(keys(&cv["targets"][0][metric]), ["baseline", "mean", "standard_error"]);
    }
}

#[test]
fn a_column_whose_name_has_a_comma_goes_before_a_list() {
    let folder = Folder::new();
    folder.write("t.csv", csv("a,b,\"a,b\"", &classes()));
    let run = folder.must("train t.csv --target a,b --epochs 3 --model m.st --json").json();
    assert_eq!((&run["task"], &run["targets"]), (&"classify".into(), &Value::Null));
    folder.write("n.csv", csv("p,q,\"p,r\"", &numbers()));
    // By number, a list too.
    let run = folder.must("train n.csv --target 1,3 --epochs 3 --json").json();
    assert_eq!((&run["targets"][0]["name"], &run["targets"][1]["name"]), (&"p".into(), &"p,r".into()));
    // A model finds its columns again.
    folder.must("evaluate m.st t.csv");
}

#[test]
fn rows_count_by_their_weights() {
    let folder = folder_of_several();
    let weighted: Vec<String> = several();
    let times = |row: &String| row.rsplit(',').next().expect("a cell").parse::<usize>().expect("a count");
    let repeated: Vec<&String> = weighted.iter().flat_map(|row| vec![row; times(row)]).collect();
    folder.write("r.csv", csv("a,b,u,v,s,t,w", &repeated));
    for (target, ignore) in [("u", "v,s,t"), ("s", "u,v,t"), ("u,v", "s,t"), ("s,t", "u,v")] {
        let line = |data: &str, flags: &str| {
            format!(
                "train {data} --target {target} --test 0 --dtype f64 --solver lbfgs --l2 0.1 --hidden none --json {flags}"
            )
        };
        let one = folder.must(&line("s.csv", &format!("--ignore {ignore} --weight-column w --model m.st --force")));
        assert!(one.stderr.contains("10 of 40 rows left out, as their weight is 0"), "{}", one.stderr);
        let one = one.json();
        let two = folder.must(&line("r.csv", &format!("--ignore {ignore},w"))).json();
        assert_eq!((&one["rows"]["train"], &two["rows"]["train"]), (&30.into(), &60.into()));
        for part in ["train", "baseline"] {
            for (name, value) in one[part].as_object().expect("an object") {
                let (x, y) = (number(value), number(&two[part][name]));
                assert!((x - y).abs() <= 1e-6 * y.abs().max(1.0), "{target}, {part}, {name}: {x} and {y}");
            }
        }
        // Evaluated with them and without.
        let with = folder.must("evaluate m.st s.csv --weight-column w --json").json();
        let on_repeated = folder.must("evaluate m.st r.csv --json").json();
        let without = folder.must("evaluate m.st s.csv --json").json();
        assert_eq!((&with["rows"], &without["rows"]), (&30.into(), &40.into()));
        let first = if target.contains('u') { "log_loss" } else { "rmse" };
        assert!((number(&with["metrics"][first]) - number(&on_repeated["metrics"][first])).abs() < 1e-9);
        assert_ne!(with["metrics"][first], without["metrics"][first]);
        // The column of weights is no input, and rows to predict need none.
        folder.write("p.csv", csv("a,b", &["0.5,0.25"]));
        assert_eq!(folder.must("predict m.st p.csv").text().lines().count(), 2);
    }
    let shown = folder.must("inspect m.st").text().to_string();
    assert!(shown.contains("; rows by 'w'"), "{shown}");
}

#[test]
fn classes_count_by_their_weights() {
    let folder = folder();
    // Three of four rows are of one class.
    let rows = classes();
    let of = |class: &str| rows.iter().filter(|row| row.ends_with(class)).cloned().collect::<Vec<_>>();
    let uneven = [of("p"), of("q")[..7].to_vec()].concat();
    folder.write("u.csv", csv("a,b,y", &uneven));
    let sum = |flags: &str| {
        let line = format!("train u.csv --target y --test 0 --epochs 5 --model m.st --force --json {flags}");
        folder.must(&line).json()["parameters_sha256"].as_str().expect("a sum").to_string()
    };
    let plain = sum("");
    let balanced = sum("--class-weight balanced");
    assert!(folder.must("inspect m.st").text().contains("; classes by balanced"));
    assert_ne!(plain, balanced);
    assert_eq!(plain, sum("--class-weight p=2,q=2"));
    assert_ne!(plain, sum("--class-weight p=0"), "a class of weight 0 is allowed unless all are");
    // Balanced is n / (k n_c), of which only the ratio counts.
    let (p, q) = (uneven.len() - 7, 7);
    let ratio = |a: usize, b: usize| uneven.len() as f64 / (2.0 * a as f64) / (uneven.len() as f64 / (2.0 * b as f64));
    let close = sum(&format!("--class-weight p={},q=1 --dtype f64 --solver lbfgs", ratio(p, q)));
    assert_ne!(close, plain);
}

const GRADCHECK: [&str; 12] = [
    "certificate",
    "checked",
    "inconclusive",
    "inconclusive_share",
    "kinks",
    "network",
    "parameters",
    "reports",
    "seconds",
    "verdict",
    "verified",
    "wrong",
];

#[test]
fn gradcheck_says_verified_or_ends_with_1() {
    let folder = folder();
    let check = |line: &str, code: i32, verdict: &str| {
        let run = folder.run(&format!("gradcheck --json {line}"));
        assert_eq!(run.code(), code, "{line}: {}", run.text());
        let report = run.json();
        assert_eq!(keys(&report), GRADCHECK);
        assert_eq!(report["verdict"], verdict, "{line}");
        report
    };
    for loss in ["squared_error", "absolute_error", "huber=0.5"] {
        check(&format!("--loss {loss} --output-activation identity --l2 0.1 --l1 0.01"), 0, "verified");
    }
    check("--loss logistic_cross_entropy --output-activation sigmoid --activation gelu", 0, "verified");
    let report = check("--directions 5 --hidden 30,20 --checks parameters", 0, "verified");
    assert_eq!((&report["checked"], &report["verified"]), (&5.into(), &5.into()));
    let report = check("--sample 4 --hidden 30,20 --checks parameters", 0, "verified");
    assert_eq!(report["checked"], 4 + 4 + 4 + 4 + 4 + 3);
    for dtype in ["f32", "f64"] {
        let report = check(&format!("--checks parameters,precision,inputs,curvature --dtype {dtype}"), 0, "verified");
        assert_eq!((&report["checked"], &report["parameters"]), (&(3 * 243 + 16 * 20).into(), &243.into()));
        assert_eq!(keys(&report["reports"]), ["curvature", "inputs", "parameters", "precision"]);
        let parameters = &report["reports"]["parameters"];
        assert!(number(&parameters["worst"]["error"]) < 1e-7);
        assert_eq!(parameters["tensors"][1]["name"], "layer 1, biases");
        // The gradient and three witnesses: six pairs.
        assert_eq!(parameters["disagreements"].as_array().map(Vec::len), Some(6));
    }
    let report = check("--checks parameters --oracles dual", 0, "verified");
    assert_eq!(report["reports"]["parameters"]["disagreements"].as_array().map(Vec::len), Some(1));
    for (data, dtype) in [("t.csv", "f32"), ("n.csv", "f64")] {
        folder.must(&format!("train {data} --target y --hidden 8 --dtype {dtype} --model {dtype}.st"));
        check(&format!("{dtype}.st {data}"), 0, "verified");
    }
    // A row so far away that the squared error is no number: there is no gradient to be right.
    folder.write("far.csv", "a,b,y\n1,2,3\n1e200,1,4\n");
    let report = check("f64.st far.csv", 1, "wrong");
    let message = &report["reports"]["parameters"]["message"];
    assert!(message.as_str().is_some_and(|text| text.contains("the function is inf")), "{report}");
}

#[test]
fn the_suite_checks_the_network_of_a_number_again() {
    let folder = folder();
    let run = folder.must("gradcheck --suite --network 7100 --json").json();
    let suite = &run["suite"];
    assert_eq!((&suite["verdict"], &suite["networks"]), (&"verified".into(), &1.into()));
    assert!(suite["classes"].as_array().expect("a list").iter().any(|class| class["name"] == "wide"));
    assert_eq!((&run["machine"]["gemm"], &run["specimens"]), (&"embedded".into(), &Value::Null));
}

#[test]
fn a_gradient_check_is_kept_in_the_models_file_and_written_for_continuous_integration() {
    let folder = folder();
    folder.must("train t.csv --target y --hidden 5 --epochs 3 --model m.st");
    let predicted = || folder.must("predict m.st t.csv").stdout.clone();
    let before = (folder.must("inspect m.st --json").json(), predicted());
    let run = folder.must("gradcheck m.st t.csv --certify --junit checks.xml --json").json();
    let after = folder.must("inspect m.st --json").json();
    assert_eq!(after["certificate"], run["certificate"]);
    assert_eq!((&after["certificate_fits"], &after["certificate"]["verdict"]), (&true.into(), &"verified".into()));
    assert_eq!(after["certificate"]["oracles"], serde_json::json!(["differences", "dual", "complex", "f64"]));
    assert_eq!((&before.0["parameters_sha256"], before.1), (&after["parameters_sha256"], predicted()));
    let xml = String::from_utf8(folder.read("checks.xml")).expect("text");
    assert_eq!(xml.matches("<testcase ").count(), 8, "{xml}");
    assert_eq!(xml.matches("failures=\"0\"").count(), 2, "{xml}");
    assert!(xml.contains("classname=\"parameters\" name=\"layer 2, biases\""), "{xml}");
    // It is not written over without leave.
    assert_eq!(folder.run("gradcheck m.st t.csv --junit checks.xml").code(), 6);
    folder.must("gradcheck m.st t.csv --junit checks.xml --force");
}

#[test]
fn info_and_inspect_for_machines() {
    let folder = folder();
    let info = folder.must("info --json --threads 3").json();
    assert_eq!(keys(&info), ["blas", "blas_core", "gemm", "isa", "isa_available", "threads", "version"]);
    assert_eq!((&info["threads"], &info["gemm"]), (&3.into(), &"embedded".into()));
    assert!(info["isa_available"].as_array().expect("a list").contains(&info["isa"]));
    for isa in info["isa_available"].as_array().expect("a list") {
        let isa = isa.as_str().expect("a name");
        let forced = folder.command().words("info --json").env("DELTARULE_ISA", isa).run().json();
        assert_eq!(forced["isa"], isa);
    }
    folder.must("train t.csv --target y --hidden 5 --epochs 3 --seed 7 --model m.st");
    let model = folder.must("inspect m.st --json").json();
    assert_eq!(keys(&model), INSPECT);
    assert_eq!((&model["dtype"], &model["parameters"]), (&"f32".into(), &(2 * 5 + 5 + 5 + 1).into()));
    assert_eq!((&model["provenance"]["seed"], &model["provenance"]["epochs"]), (&7.into(), &3.into()));
    assert_eq!(model["provenance"]["rows"], 32);
}

#[test]
fn inspect_shows_a_certificate_and_whether_it_is_of_these_parameters() {
    let folder = folder();
    folder.must("train t.csv --target y --hidden 5 --epochs 3 --model m.st");
    let bare = folder.must("inspect m.st").text().to_string();
    assert!(!bare.contains("gradient"), "{bare}");
    let run = folder.must("inspect m.st --json").json();
    assert_eq!((&run["certificate"], &run["certificate_fits"]), (&Value::Null, &Value::Null));

    let certificate = certify(&folder, "m.st", |_| {});
    let run = folder.must("inspect m.st --json");
    let text = serde_json::to_string(&certificate).expect("JSON");
    assert!(run.text().contains(&format!("\"certificate\":{text},")), "the text that its sum is of");
    let run = run.json();
    assert_eq!(keys(&run), INSPECT);
    assert_eq!(run["certificate"], serde_json::to_value(&certificate).expect("JSON"));
    assert_eq!((&run["certificate"]["verdict"], &run["certificate_fits"]), (&"verified".into(), &true.into()));
    assert_eq!(run["certificate"]["parameters_sha256"], run["parameters_sha256"]);
    let shown = folder.must("inspect m.st").text().to_string();
    let section = shown.strip_prefix(bare.trim_end()).expect("all else as before");
    let expected = format!(
        "
gradient   verified, of these parameters
             every coordinate on 40 rows, against differences, dual; logistic_cross_entropy, l2 0
             layer 1, weights: 10 of 10 checked, 10 verified; largest error 1.5e-9, layer 1, weight from input 1 to unit 1
             layer 1, biases: 5 of 5 checked, 5 verified; largest error 1.5e-9, layer 1, bias of unit 1
             layer 2, weights: 5 of 5 checked, 5 verified; largest error 1.5e-9, layer 2, weight from input 1 to unit 1
             layer 2, biases: 1 of 1 checked, 1 verified; largest error 1.5e-9, layer 2, bias of unit 1
             f64, avx512, gemm embedded; deltarule 0.1.0; sha256 {}
",
        &certificate.sha256[..12]
    );
    assert_eq!(section, expected);

    // The parameters change under it, as a training that goes on would change them.
    let mut model = Model::<f32>::load(&folder.path("m.st")).expect("a model");
    model.network.params_mut()[0] += 1.0;
    model.save(&folder.path("m.st"), Existing::Replace).expect("a folder to write to");
    let run = folder.must("inspect m.st --json").json();
    assert_eq!((&run["certificate"]["verdict"], &run["certificate_fits"]), (&"verified".into(), &false.into()));
    assert_ne!(run["certificate"]["parameters_sha256"], run["parameters_sha256"]);
    let shown = folder.must("inspect m.st").text().to_string();
    let first =
        "\ngradient   verified, of other parameters: they were changed after the check, which says nothing of these\n";
    assert!(shown.contains(first), "{shown}");
    // Trained anew, there is none.
    folder.must("train t.csv --target y --hidden 5 --epochs 3 --model m.st --force");
    assert_eq!(folder.must("inspect m.st --json").json()["certificate"], Value::Null);
}

#[test]
fn inspect_says_what_a_check_found_amiss() {
    let folder = folder();
    folder.must("train n.csv --target y --hidden 3 --epochs 3 --dtype f64 --model m.st");
    certify(&folder, "m.st", |certificate| {
        let (first, second) = certificate.tensors.split_at_mut(1);
        let (first, second) = (&mut first[0], &mut second[0]);
        (first.verified, first.kinks, first.inconclusive, first.wrong) = (1, 2, 1, 2);
        first.worst_error = f64::NAN;
        (second.checked, second.verified, second.worst_error) = (0, 0, 0.0);
        second.worst.clear();
        (certificate.verdict, certificate.rows) = (Verdict::Wrong, 1);
        // Whatever stands in a file, no control character reaches a terminal, and no name makes a line.
        certificate.gemm = "em\u{1b}[31m\nbedded".into();
    });
    let shown = folder.must("inspect m.st").text().to_string();
    for line in [
        "gradient   wrong, of these parameters",
        "             every coordinate on 1 row, against differences, dual; squared_error, l2 0",
        "             layer 1, weights: 6 of 6 checked, 1 verified, 2 at a kink, 1 inconclusive, 2 wrong; \
         largest error inf, layer 1, weight from input 1 to unit 1",
        "             layer 1, biases: 0 of 3 checked",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line:?} is not in {shown}");
    }
    assert!(shown.contains("gemm em\u{fffd}[31m bedded; ") && !shown.contains('\u{1b}'), "{shown}");
    let tensor = &folder.must("inspect m.st --json").json()["certificate"]["tensors"][0];
    assert_eq!((&tensor["worst_error"], &tensor["wrong"]), (&Value::Null, &2.into()));
    // A certificate changes no prediction.
    folder.must("predict m.st n.csv");
}
