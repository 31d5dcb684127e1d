//! What a training begins with beside its data: rows of one's own to be judged by (`--validation`), and a model to go on with
//! (`--warm-start`).

mod command;

use command::data::{classes, csv, images, numbers, points};
use command::{Case, Folder, rejects};
use deltarule::model::Model;
use serde_json::json;

/// Forty rows to train on, twenty of the same line between the classes to judge by, with the columns in another order.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("t.csv", csv("a,b,y", &classes()));
    folder.write("n.csv", csv("a,b,y", &numbers()));
    let row = |(i, (a, b)): (usize, &(f64, f64))| format!("{},{b:.3},{i},{a:.3}", if a + b > 0.1 { "p" } else { "q" });
    folder.write("v.csv", csv("y,b,more,a", &points(60)[40..].iter().enumerate().map(row).collect::<Vec<_>>()));
    folder
}

fn refuses(folder: &Folder, cases: &[(&str, i32, &[&str])]) {
    cases.iter().for_each(|&(line, code, says)| rejects(folder, Case { line, code, says }));
}

#[test]
fn rows_of_a_file_judge_the_training() {
    let folder = folder();
    let line = "train t.csv --target y --validation v.csv --epochs 400 --patience 5 --monitor accuracy --test 0 --model m.st --json";
    let run = folder.must(&format!("{line} --history h.csv"));
    let report = run.json();
    assert_eq!(report["validation"], json!({ "rows": 20, "data": "v.csv", "held_back": false }));
    assert_eq!(report["rows"], json!({ "train": 40, "test": 0 }), "nothing is split off");
    assert_eq!(report["stopped"], "validation_stalled");
    assert!(
        ["v.csv: 20 rows to judge by", "judged on 20 rows of v.csv"].iter().all(|words| run.stderr.contains(words))
    );
    let history = String::from_utf8(folder.read("h.csv")).expect("text");
    assert!(history.lines().nth(1).expect("an epoch").split(',').all(|cell| !cell.is_empty()), "{history}");
    assert!(folder.must("inspect m.st").text().contains("judged on 20 rows of v.csv"));
    // Beside it, rows may be held out for a test; those held back are told of as well.
    let run = folder.must("train t.csv --target y --validation v.csv --epochs 3 --json").json();
    assert_eq!((&run["rows"], &run["validation"]["rows"]), (&json!({ "train": 32, "test": 8 }), &json!(20)));
    let run = folder.must("train t.csv --target y --early-stopping 0.25 --epochs 3 --json").json();
    assert_eq!(run["validation"], json!({ "rows": 8, "data": "t.csv", "held_back": true }));
    assert!(folder.must("train t.csv --target y --epochs 3 --json").json().get("validation").is_none());
    // The file that the model was not trained on, measured afterwards: the loss in the history is that of the model kept.
    let kept = folder.must("evaluate m.st v.csv --json").json();
    let losses = history.lines().skip(1).map(|line| line.split(',').nth(3).expect("a loss").parse().expect("a number"));
    let losses: Vec<f64> = losses.collect();
    let loss = kept["metrics"]["log_loss"].as_f64().expect("a loss");
    assert!(losses.iter().any(|other| (other - loss).abs() < 1e-5), "{loss} in {losses:?}");
}

#[test]
fn images_and_gaps_are_judged_too() {
    let folder = folder();
    let (pixels, labels) = images(40);
    folder.write("i", pixels);
    folder.write("l", labels);
    let own = "--validation i --validation-labels l";
    let sums = ["", "--stream"].map(|stream| {
        let run = folder.must(&format!("train i --labels l {own} {stream} --epochs 4 --json")).json();
        assert_eq!(run["validation"]["rows"], 40);
        run["parameters_sha256"].to_string()
    });
    assert_eq!(sums[0], sums[1]);
    // A column that is no input may have gaps; a row with one in an input, or in the target, is left out.
    folder.write("gaps.csv", "more,y,b,a\n,p,1,1\n,q,,1\n2,,1,1\n3,q,-1,-1\n");
    let run = folder.must("train t.csv --target y --validation gaps.csv --missing drop --epochs 3 --json").json();
    assert_eq!(run["validation"]["rows"], 2);
    refuses(
        &folder,
        &[
            ("train i --labels l --validation i", 2, &["--validation-labels", "none"]),
            (
                "train t.csv --target y --validation v.csv --validation-labels l",
                2,
                &["--validation-labels", "--labels"],
            ),
            ("train i --labels l --validation v.csv --validation-labels l", 3, &["v.csv", "--labels"]),
            ("train t.csv --target y --validation gaps.csv", 3, &["gaps.csv:4: column 'y'", "missing"]),
        ],
    );
}

#[test]
fn validation_rows_that_do_not_fit_and_options_that_contradict_them_are_refused() {
    let folder = folder();
    folder.write("unseen.csv", "a,b,y\n1,2,p\n1,2,z\n");
    folder.write("short.csv", "a,y\n1,p\n");
    folder.write("empty.csv", "a,b,y\n");
    folder.write("nothing.csv", "");
    let train = |rest: &str| format!("train t.csv --target y --model m.st {rest}");
    let lines = [
        ("--validation unseen.csv", 3, &["unseen.csv:3: column 'y'", "'z'", "'p', 'q'"][..]),
        ("--validation short.csv", 3, &["short.csv", "1 column missing", "b"]),
        ("--validation empty.csv", 3, &["empty.csv"]),
        ("--validation nothing.csv", 3, &["nothing.csv"]),
        ("--validation none.csv", 6, &["none.csv"]),
        ("--validation v.csv --early-stopping 0.2", 2, &["--validation", "--early-stopping"]),
        ("--validation v.csv --cv 3", 2, &["--validation", "--cv"]),
        ("--validation v.csv --split ordered --test 0", 2, &["--validation", "--split ordered", "--test"]),
        ("--validation v.csv --groups a --test 0", 2, &["--validation", "--groups", "--test"]),
        ("--validation v.csv --weight-column more", 3, &["t.csv", "more"]),
        ("--validation v.csv --solver perceptron", 2, &["perceptron", "held-back rows"]),
        ("--validation-labels v.csv", 2, &["--validation"]),
        ("--monitor accuracy", 2, &["--monitor", "--early-stopping", "--validation"]),
    ];
    for (rest, code, says) in lines {
        refuses(&folder, &[(&train(rest), code, says)]);
    }
    refuses(
        &folder,
        &[(
            "train t.csv --target y --validation v.csv --model v.csv --force",
            2,
            &["output file", "another file", "v.csv"],
        )],
    );
}

/// Other rows to judge by are another training.
#[test]
fn a_checkpoint_knows_the_rows_that_judge() {
    let folder = folder();
    let line = "train t.csv --target y --epochs 6 --json --checkpoint c";
    let first = folder.must(&format!("{line} --validation v.csv")).json();
    let again = folder.must(&format!("{line} --validation v.csv --resume")).json();
    assert_eq!(first["parameters_sha256"], again["parameters_sha256"]);
    refuses(
        &folder,
        &[
            (&format!("{line} --resume --validation t.csv"), 2, &["checkpoint c", "held-back rows 20", "40"]),
            (&format!("{line} --resume"), 2, &["checkpoint c", "held-back rows 20", "0"]),
        ],
    );
}

#[test]
fn a_model_is_trained_further() {
    let folder = folder();
    let first = folder
        .must("train t.csv --target y --hidden 7 --activation tanh --dtype f64 --epochs 5 --model m.st --json")
        .json();
    let run = folder.must("train v.csv --warm-start m.st --epochs 40 --test 0 --model further.st --json");
    assert!(run.stderr.contains("going on with m.st, which was trained for 5 epochs"), "{}", run.stderr);
    let [before, after] =
        ["m.st", "further.st"].map(|name| Model::<f64>::load(&folder.path(name)).expect("a model in f64"));
    assert_eq!(
        (&after.input, &after.target, after.network.spec()),
        (&before.input, &before.target, before.network.spec())
    );
    assert_ne!(after.network, before.network);
    assert_eq!((after.provenance.data.as_str(), after.provenance.rows, after.provenance.epochs), ("v.csv", 20, 40));
    // The same options may be said again; the rows held out by the same seed are the same, and the loss goes on falling.
    let line = "train t.csv --target y --hidden 7 --activation tanh --dtype f64 --task classify --warm-start m.st --epochs 30 --json";
    let second = folder.must(line).json();
    let loss = |run: &serde_json::Value| run["train"]["log_loss"].as_f64().expect("a loss");
    assert!(loss(&second) < loss(&first), "{} then {}", loss(&first), loss(&second));
    assert_eq!(second["rows"], first["rows"]);
    // Steps of no length keep every parameter.
    let still = folder.must("train t.csv --warm-start m.st --epochs 3 --rate 1e-300 --json").json();
    assert_eq!(still["parameters_sha256"], first["parameters_sha256"]);
    let threads = ["1", "2"]
        .map(|threads| folder.must(&format!("{line} --threads {threads}")).json()["parameters_sha256"].to_string());
    assert_eq!(threads[0], threads[1]);
    assert_eq!(threads[0], second["parameters_sha256"].to_string());
}

/// With `data/car.csv`, as the page on training shows it.
#[test]
fn the_example_of_the_page_works() {
    let folder = Folder::new();
    let car = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/car.csv");
    let run = |words: &str| {
        let run = folder.command().words("train").arg(&car).words(words).run();
        assert_eq!(run.code(), 0, "{}", run.stderr);
        run.json()
    };
    let accuracy = |run: &serde_json::Value| run["test"]["accuracy"].as_f64().expect("a number");
    let first = run("--target class --epochs 5 --model car.safetensors --json");
    let further = run("--warm-start car.safetensors --epochs 40 --model further.safetensors --json");
    println!("car: {} after 5 epochs, {} after 40 more", accuracy(&first), accuracy(&further));
    assert!(accuracy(&further) > accuracy(&first) && accuracy(&further) > 0.98);
}

#[test]
fn a_warm_start_is_resumed_and_refuses_what_contradicts_the_model() {
    let folder = folder();
    folder.must("train t.csv --target y --hidden 7 --epochs 5 --model m.st");
    folder.must("train t.csv --target y --hidden 7 --epochs 6 --model other.st");
    folder.must("train n.csv --target y --epochs 2 --model n.st");
    folder.write("unseen.csv", "a,b,y\n1,2,p\n1,2,z\n1,2,q\n1,2,z\n");
    folder.write("short.csv", "a,y\n1,p\n2,q\n1,p\n2,q\n");
    let line = "train t.csv --warm-start m.st --schedule constant --json --checkpoint c";
    folder.must(&format!("{line} --epochs 4"));
    let resumed = folder.must(&format!("{line} --epochs 9 --resume")).json();
    let whole = folder.must("train t.csv --warm-start m.st --schedule constant --epochs 9 --json").json();
    assert_eq!(resumed["parameters_sha256"], whole["parameters_sha256"]);
    let train = |rest: &str| format!("train t.csv --warm-start m.st --model out.st {rest}");
    let lines = [
        ("--hidden 7,7", 2, &["hidden layers", "expected 1", "found 2"][..]),
        ("--hidden 8", 2, &["units of layer 1", "expected 7", "found 8"]),
        ("--activation tanh", 2, &["activation of layer 1", "relu", "tanh"]),
        ("--norm layer", 2, &["norm of layer 1", "none", "layer"]),
        ("--loss hinge", 2, &["hinge", "identity", "sigmoid"]),
        ("--dtype f64", 2, &["--dtype", "f32", "f64"]),
        ("--task regress", 2, &["--task", "classify", "regress"]),
        ("--target a", 2, &["--target", "'y'", "'a'"]),
        ("--missing mean", 2, &["--missing", "error", "mean"]),
        ("--init zeros", 2, &["--warm-start", "--init"]),
        ("--ignore a", 2, &["--warm-start", "--ignore"]),
        ("--categorical a", 2, &["--warm-start", "--categorical"]),
        ("--groups a", 2, &["--groups", "'a'"]),
        ("--cv 3", 2, &["--warm-start", "--cv"]),
        ("--solver perceptron", 2, &["output activation", "step", "sigmoid"]),
    ];
    for (rest, code, says) in lines {
        refuses(&folder, &[(&train(rest), code, says)]);
    }
    refuses(
        &folder,
        &[
            ("train t.csv --warm-start m.st --model m.st --force", 2, &["output file", "another file", "m.st"]),
            ("train unseen.csv --warm-start m.st --test 0", 3, &["unseen.csv:3: column 'y'", "'z'", "'p', 'q'"]),
            ("train unseen.csv --warm-start m.st", 3, &["unseen.csv:3: column 'y'", "'z'"]),
            ("train short.csv --warm-start m.st --test 0", 3, &["short.csv", "1 column missing", "b"]),
            ("train t.csv --warm-start n.st", 3, &["t.csv:2: column 'y'", "'q'"]),
            ("train t.csv --warm-start none.st", 6, &["none.st"]),
            ("train t.csv --warm-start t.csv", 4, &["t.csv"]),
            (&format!("{} --resume --epochs 9", line.replace("m.st", "other.st")), 2, &["initial parameters"]),
        ],
    );
}
