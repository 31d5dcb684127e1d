//! `train --find-rate`: the range test's report, its picture, and what it is not for.

mod command;

use command::{Folder, data};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("t.csv", data::csv("a,b,y", &data::classes()));
    folder
}

const FIND: &str = "train t.csv --target y --find-rate";

#[test]
fn a_test_reports_its_steps_and_a_rate_and_writes_a_picture_but_no_model() {
    let folder = folder();
    let run = folder.must(&format!("{FIND} --plot rates.svg --json"));
    let json = run.json();
    assert_eq!(
        (&json["range"]["from"], &json["range"]["to"], &json["range"]["steps"]),
        (&1e-7.into(), &10.0.into(), &100.into())
    );
    let tried = json["tried"].as_array().expect("steps");
    assert!((2..=100).contains(&tried.len()) && tried[0]["rate"] == 1e-7, "{json}");
    let (lowest, rate) =
        (json["lowest"]["rate"].as_f64().expect("a rate"), json["suggestion"].as_f64().expect("a rate"));
    assert!((rate - lowest / 10.0).abs() < 1e-15);
    assert!(json["steepest"].is_number());
    let said = &run.stderr;
    assert!(said.contains(&format!("suggested: --rate {rate:.1e}")) && said.contains("smoothed"), "{said}");
    let picture = String::from_utf8(folder.read("rates.svg")).expect("text");
    assert!(picture.contains("learning rate, logarithmic") && picture.contains("suggested"));
    // The same bits for any number of threads; another seed is another test.
    let tried = |flags: &str| folder.must(&format!("{FIND} --json {flags}")).json()["tried"].clone();
    assert_eq!(tried("--threads 1"), tried("--threads 3"));
    assert_ne!(tried(""), tried("--seed 5"));
}

#[test]
fn the_range_is_what_was_said() {
    let folder = folder();
    let json =
        folder.must("train t.csv --target y --find-rate=1e-4,1e-2,7 --solver sgd --early-stopping 0.2 --json").json();
    let tried = json["tried"].as_array().expect("steps");
    assert_eq!(tried.len(), 7);
    assert_eq!((json["end"].as_str(), tried[6]["rate"].as_f64()), (Some("all_tried"), Some(1e-2)));
    // Nothing falls where everything is too much.
    let run = folder.must("train t.csv --target y --find-rate=1e3,1e6 --solver sgd --json");
    assert!(run.json()["suggestion"].is_null() && run.stderr.contains("no rate suggests itself"), "{}", run.stderr);
}

#[test]
fn what_a_test_has_no_use_for_is_refused_by_name() {
    let folder = folder();
    for flags in [
        "--model m",
        "--history m",
        "--diagram m.svg",
        "--cv 3",
        "--every 7",
        "--resume",
        "--validation-labels m",
        "--checkpoint m",
        "--rate 0.1",
        "--schedule cosine",
        "--warm-up 2",
        "--ema 0.9",
        "--swa 3",
        "--target-loss 0.1",
        "--time-limit 9",
        "--epochs 3",
        "--patience 3",
        "--tolerance 0.1",
        "--watch-gradients 5",
    ] {
        let run = folder.run(&format!("{FIND} {flags}"));
        let name = flags.split(' ').next().expect("a name");
        assert!(
            run.code() == 2 && run.stderr.contains("--find-rate") && run.stderr.contains(name),
            "{flags}: {}",
            run.stderr
        );
        assert!(!folder.path("m").exists() && !folder.path("m.svg").exists());
    }
    for solver in ["lbfgs", "rprop", "scg", "lm", "bayes", "perceptron"] {
        let run = folder.run(&format!("{FIND} --solver {solver}"));
        let expected = format!("--find-rate has no meaning for --solver {solver}");
        assert!(run.code() == 2 && run.stderr.contains(&expected), "{}", run.stderr);
    }
    for (range, word) in [
        ("x", "1e-7,10,100"),
        ("1,0.1", "above 1, the first"),
        ("0,1", "--find-rate: expected a finite number above 0"),
        ("1e-5,1,1", "2 to"),
    ] {
        let run = folder.run(&format!("train t.csv --target y --find-rate={range}"));
        assert!(run.code() == 2 && run.stderr.contains(word), "{range}: {}", run.stderr);
    }
    folder.write("old.svg", "mine");
    assert_ne!(folder.run(&format!("{FIND} --plot old.svg")).code(), 0);
    assert_eq!(folder.read("old.svg"), b"mine");
}

/// A rate that is suggested trains narrow networks and wide ones: always to say the most frequent class is right in 0.70.
#[test]
fn networks_of_three_units_and_of_a_hundred_learn_at_the_rate_suggested() {
    let folder = Folder::new();
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/car.csv");
    let run = |flags: &str| {
        let run = folder.command().words("train").arg(&data).words("--target class --json").words(flags).run();
        assert_eq!(run.code(), 0, "{}", run.stderr);
        run.json()
    };
    for units in [3, 5, 100] {
        let rate = run(&format!("--hidden {units} --find-rate"))["suggestion"].as_f64().expect("a rate");
        let accuracy = run(&format!("--hidden {units} --rate {rate}"))["test"]["accuracy"].as_f64().expect("a figure");
        println!("{units} units: {accuracy:.4} at a rate of {rate}");
        assert!(accuracy > 0.85, "{units} units: {accuracy} at a rate of {rate}");
    }
}
