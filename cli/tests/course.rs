//! The course of a training: schedules, clipping, averages, ends, and the file of its history.

mod command;

use command::{Folder, data};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("t.csv", data::csv("a,b,y", &data::classes()));
    folder.write("n.csv", data::csv("a,b,y", &data::numbers()));
    folder
}

/// The cells of a history, line by line, and its header.
fn history(folder: &Folder, flags: &str) -> (Vec<String>, Vec<Vec<String>>) {
    folder.must(&format!("train {flags} --history h.csv --force"));
    let text = String::from_utf8(folder.read("h.csv")).expect("text");
    let mut lines = text.lines().map(|line| line.split(',').map(String::from).collect::<Vec<_>>());
    (lines.next().expect("a header"), lines.collect())
}

#[test]
fn every_schedule_reaches_the_training() {
    let folder = folder();
    let rate = |schedule: &str, epoch: usize| {
        let (_, rows) = history(&folder, &format!("t.csv --target y --rate 0.01 --epochs 12 --patience 99 {schedule}"));
        rows[epoch - 1][1].parse::<f64>().expect("a rate")
    };
    assert_eq!((rate("--schedule constant", 1), rate("--schedule constant", 12)), (0.01, 0.01));
    assert_eq!((rate("", 1), rate("", 12)), (rate("--schedule cosine", 1), rate("--schedule cosine", 12)));
    assert_eq!(rate("--swa 2", 12), 0.01);
    assert_eq!((rate("--schedule step=6,0.5", 6), rate("--schedule step=6,0.5", 7)), (0.01, 0.005));
    assert!((rate("--schedule exponential=0.9", 3) - 0.0081).abs() < 1e-12);
    assert!(rate("--schedule cosine", 12) < 0.001 && rate("--schedule one_cycle", 12) < 1e-5);
    assert!(
        rate("--schedule inverse_scaling", 2) < 0.01
            && rate("--warm-up 6", 1) < 0.01
            && rate("--schedule constant --warm-up 6", 6) == 0.01
    );
}

#[test]
fn a_history_has_every_figure_of_both_parts() {
    let folder = folder();
    let (header, rows) = history(&folder, "t.csv --target y --epochs 5 --early-stopping 0.25 --monitor accuracy");
    let expected = "epoch,rate,train_loss,held_back_loss,train_accuracy,train_balanced_accuracy,train_log_loss,held_back_accuracy,\
                    held_back_balanced_accuracy,held_back_log_loss";
    assert_eq!(header.join(","), expected);
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row.len() == header.len() && row.iter().all(|cell| cell.parse::<f64>().is_ok())));
    let (header, rows) = history(&folder, "n.csv --target y --epochs 5");
    assert_eq!(header.join(","), "epoch,rate,train_loss,held_back_loss,train_r2,train_rmse,train_mae");
    assert!(rows.iter().all(|row| row[3].is_empty()), "nothing was held back");
    // Scores and threshold units give no probabilities, and so no log loss.
    for flags in ["--loss hinge --early-stopping 0.25", "--solver perceptron"] {
        let (header, rows) = history(&folder, &format!("t.csv --target y --epochs 5 {flags}"));
        for row in rows {
            for (name, cell) in header.iter().zip(row).filter(|(name, _)| name.contains('_')) {
                let is_none =
                    name.ends_with("log_loss") || (name.starts_with("held_back") && flags.contains("perceptron"));
                assert_eq!(cell.is_empty(), is_none, "{flags}, {name}: {cell}");
            }
        }
    }
}

#[test]
fn a_training_ends_when_it_is_told_to() {
    let folder = folder();
    let stopped = |flags: &str| {
        let run = folder.must(&format!("train t.csv --target y --json --epochs 300 --patience 999 {flags}")).json();
        (run["stopped"].as_str().expect("a reason").to_string(), run["epochs"].as_u64().expect("a number"))
    };
    let (why, epochs) = stopped("--target-loss 0.3");
    assert!(why == "target_reached" && epochs < 300, "{why} after {epochs}");
    assert_eq!(stopped("--time-limit 1e-9"), ("time_up".into(), 1));
    // An average is another model, and clipped gradients another way.
    let sha = |flags: &str| {
        folder.must(&format!("train t.csv --target y --json --epochs 9 {flags}")).json()["parameters_sha256"]
            .to_string()
    };
    let all: std::collections::HashSet<_> =
        ["", "--ema 0.9", "--swa 3", "--clip-norm 0.01", "--clip-value 0.001"].into_iter().map(sha).collect();
    assert_eq!(all.len(), 5);
    let words = folder
        .must("train t.csv --target y --epochs 9 --swa 3 --clip-norm 0.5 --schedule cosine --model m")
        .stderr
        .clone();
    assert!(words.contains("wrote m"), "{words}");
    let run = folder.must("inspect m");
    let said = run.text();
    assert!(["average from epoch 3", "norm 0.5", "cosine"].iter().all(|word| said.contains(word)), "{said}");
}

#[test]
fn what_is_out_of_range_or_cannot_be_used_is_refused_by_name() {
    let folder = folder();
    for (flags, words) in [
        ("--schedule linear", ["--schedule", "cosine"]),
        ("--schedule step=0", ["every", "at least 1"]),
        ("--ema 1", ["--ema", "below 1"]),
        ("--swa 0", ["--swa", "1 to"]),
        ("--clip-norm 0", ["clip", "above 0"]),
        ("--clip-norm 1 --clip-value 1", ["--clip-norm", "--clip-value"]),
        ("--ema 0.9 --swa 3", ["--ema", "--swa"]),
        ("--time-limit 0", ["--time-limit", "above 0"]),
        ("--target-loss nan", ["--target-loss", "finite"]),
        ("--monitor accuracy", ["--monitor", "--early-stopping"]),
        ("--monitor r2 --early-stopping 0.2", ["--monitor", "balanced_accuracy"]),
        ("--loss hinge --monitor log_loss --early-stopping 0.2", ["--monitor", "without probabilities"]),
        ("--solver lbfgs --schedule cosine", ["cosine", "L-BFGS"]),
        ("--solver lm --ema 0.9", ["average", "Levenberg-Marquardt"]),
        ("--warm-up 3 --schedule one_cycle", ["warm-up", "one_cycle"]),
    ] {
        let run = folder.run(&format!("train t.csv --target y --model m {flags}"));
        assert_eq!(run.code(), 2, "{flags}: {}", run.stderr);
        assert!(words.iter().all(|word| run.stderr.contains(word)), "{flags}: {}", run.stderr);
        assert!(!folder.path("m").exists());
    }
}
