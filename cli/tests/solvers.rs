//! The solvers that look at all rows before a step: what they reach, and what they refuse to be told.

mod command;

use command::Folder;
use command::data::csv;

fn folder() -> Folder {
    let folder = Folder::new();
    let rows: Vec<_> = (0..60).map(|i| f64::from(i) / 30.0 - 1.0).map(|x| format!("{x},{}", (3.0 * x).sin())).collect();
    folder.write("sine.csv", csv("x,y", &rows));
    folder
}

const TRAIN: &str = "train sine.csv --target y --test 0 --hidden 8 --activation tanh --json";

#[test]
fn levenberg_marquardt_fits_a_sine_in_f64_by_default() {
    let folder = folder();
    for (solver, most) in [("lm", 1e-5), ("bayes", 1e-5), ("scg", 0.05)] {
        let run = folder.must(&format!("{TRAIN} --solver {solver}")).json();
        let rmse = run["train"]["rmse"].as_f64().expect("a number");
        assert!(rmse < most, "{solver}: {rmse:e}");
        assert_eq!(run["regularisation"]["gamma"].is_number(), solver == "bayes", "{run}");
    }
    // What is chosen is what could have been said.
    let sha = |flags: &str| {
        folder.must(&format!("{TRAIN} --solver lm --epochs 9 {flags}")).json()["parameters_sha256"].clone()
    };
    assert_eq!(sha(""), sha("--dtype f64 --init nguyen_widrow"));
    assert_ne!(sha(""), sha("--init glorot_uniform"));
    assert_ne!(sha(""), sha("--dtype f32"));
}

#[test]
fn options_of_mini_batch_methods_are_refused_by_name() {
    let folder = folder();
    for solver in ["lbfgs", "scg", "lm", "bayes"] {
        for option in ["--batch 16", "--rate 0.1", "--momentum 0.5", "--no-nesterov"] {
            let run = folder.command().words(&format!("{TRAIN} --solver {solver} {option}")).run();
            let name = option.split(' ').next().expect("a name");
            assert_ne!(run.code(), 0);
            assert!(run.stderr.contains(&format!("{name} has no meaning for --solver {solver}")), "{}", run.stderr);
        }
    }
    let run = folder.command().words(&format!("{TRAIN} --solver bayes --l2 0.1")).run();
    assert!(run.code() != 0 && run.stderr.contains("finds the penalty itself"), "{}", run.stderr);
}
