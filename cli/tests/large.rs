//! Files larger than memory: predictions in memory that does not grow with the file, trainings in memory that hardly does, and
//! the same bytes as from small files.
#![cfg(target_os = "linux")]

#[path = "command/mod.rs"]
mod command;

use command::data::{blobs, idx, npy};
use command::{Case, Folder, rejects};

/// How much more a run may take for many times the rows: the allocator's whims, and output that is held back.
const SLACK: u64 = 4 << 20;

/// Bytes of peak memory for this line.
fn peak(folder: &Folder, line: &str) -> u64 {
    folder.command().words(line).run_for_peak()
}

#[test]
fn a_prediction_takes_as_much_memory_for_ten_times_the_rows() {
    let folder = Folder::new();
    folder.write("t.csv", blobs(300, 12));
    folder.must("train t.csv --target y --hidden 4 --epochs 2 --model m.st");
    folder.write("large.csv", blobs(600_000, 12));
    let length = |name: &str| std::fs::metadata(folder.path(name)).expect("a file").len();
    // Classes alone are 1.8 MB of output, which is held back; with probabilities, 40 bytes a row, 200,000 rows fill what is held.
    for (rows, flags) in [(60_000, ""), (200_000, "--proba"), (200_000, "--proba --out p.csv --force")] {
        folder.write("small.csv", blobs(rows, 12));
        let [small, large] = ["small", "large"].map(|name| peak(&folder, &format!("predict m.st {name}.csv {flags}")));
        let longer = length("large.csv") - length("small.csv");
        println!("CSV {flags}: {small} and {large} bytes, the file {longer} longer");
        assert!(longer > 25 << 20 && large < small + SLACK, "{flags}: {small} and {large} bytes");
    }
}

#[test]
fn a_training_that_leaves_its_rows_in_the_file_takes_little_more_for_ten_times_the_rows() {
    let folder = Folder::new();
    let write = |name: &str, rows: usize| {
        let pixels: Vec<u8> = (0..rows * 784).map(|i| (i * 37 % 251) as u8).collect();
        folder.write(format!("{name}.idx"), idx(&[rows as u32, 28, 28], &pixels));
        let labels: Vec<u8> = (0..rows).map(|row| (row % 3) as u8).collect();
        folder.write(format!("{name}.labels"), idx(&[rows as u32], &labels));
    };
    write("small", 4_000);
    write("large", 40_000);
    let line = |name: &str, flags: &str| {
        format!("train {name}.idx --labels {name}.labels --hidden 2 --epochs 1 --batch 256 --threads 1 {flags}")
    };
    let growth =
        |flags: &str| peak(&folder, &line("large", flags)).saturating_sub(peak(&folder, &line("small", flags)));
    let (streamed, in_memory) = (growth("--stream"), growth(""));
    // 36,000 rows of 784 bytes are 28 MB in the file, and 113 MB as f32. Streamed, a row costs its places in a few lists, its
    // target and its prediction: some hundred bytes.
    println!("IDX: {streamed} bytes more for ten times the rows, {in_memory} in memory");
    assert!(streamed < (8 << 20) && in_memory > (100 << 20), "{streamed} and {in_memory} bytes");
    // Where they would not fit, the command sees that by itself: 31 MB of file and 125 MB of f32 in 150 MB of address space.
    let limited = folder.limited(150_000).words(&(line("large", "--json"))).run();
    assert!(limited.code() == 0 && limited.stderr.contains("do not fit into memory"), "{}", limited.stderr);
    let free = folder.must(&line("large", "--json"));
    assert!(!free.stderr.contains("do not fit"), "{}", free.stderr);
    assert_eq!(limited.json()["parameters_sha256"], free.json()["parameters_sha256"]);
    let sha = |flags: &str| folder.must(&(line("small", flags) + " --json")).json()["parameters_sha256"].clone();
    assert_eq!(sha("--stream"), sha(""));
    assert!(sha("").is_string());
}

/// More rows than are read at a time: in pieces, from a pipe and at once, a file gives the same bytes, and a bad row behind them
/// leaves nothing behind.
#[test]
fn pieces_are_the_whole() {
    let folder = Folder::new();
    folder.write("t.csv", blobs(300, 3));
    folder.must("train t.csv --target y --hidden 4 --epochs 2 --model m.st");
    let long = blobs(10_000, 3);
    folder.write("long.csv", &long);
    let whole = folder.must("predict m.st long.csv --proba").stdout;
    let piped = folder.command().words("predict m.st - --proba").input(long.clone()).run();
    assert_eq!((piped.code(), &piped.stdout), (0, &whole));
    folder.must("predict m.st long.csv --proba --out p.csv");
    assert_eq!(folder.read("p.csv"), whole);
    // Line by line, with the header before each: the same predictions.
    let lines: Vec<&str> = long.lines().collect();
    let predicted: Vec<&str> = std::str::from_utf8(&whole).expect("text").lines().collect();
    for row in [1, 4_096, 4_097, 8_192, 10_000] {
        let one =
            folder.command().words("predict m.st - --proba").input(format!("{}\n{}\n", lines[0], lines[row])).run();
        assert_eq!(one.text().lines().nth(1), Some(predicted[row]), "row {row}");
    }
    for (line, bad, says) in [
        (9_000, "x,0,0,k1", "bad.csv:9001: column 'x0': not a number: 'x'"),
        (9_000, "0,0,k1", "bad.csv:9001: expected 4 cells"),
        (9_999, "\"0,0,0,k1", "bad.csv:10000: column 'x0': this cell's opening quote is never closed"),
    ] {
        let mut lines = lines.clone();
        lines[line] = bad;
        folder.write("bad.csv", lines.join("\n") + "\n");
        for flags in ["", "--out q.csv"] {
            let line = format!("predict m.st bad.csv {flags}");
            rejects(&folder, Case { line: &line, code: 3, says: &[says] });
        }
    }
}

/// Of output that is longer than what is held back, standard output keeps what was written, and the message says so; a file
/// does not come into being.
#[test]
fn a_bad_row_behind_much_output_is_said_to_be() {
    let folder = Folder::new();
    let numbers = |count: usize| (0..count).flat_map(|i| (i as f64 * 1e-3).to_le_bytes()).collect::<Vec<u8>>();
    folder.write("x.npy", npy("<f8", "(60, 2)", &numbers(120)));
    folder.write("y.npy", npy("<f8", "(60,)", &numbers(60)));
    folder.must("train x.npy --labels y.npy --hidden 2 --epochs 1 --model m.st --dtype f64");
    const ROWS: usize = 600_000;
    let mut bytes = numbers(2 * ROWS);
    let last = bytes.len() - 8;
    bytes[last..].copy_from_slice(&f64::NAN.to_le_bytes());
    folder.write("large.npy", npy("<f8", &format!("({ROWS}, 2)"), &bytes));
    let run = folder.run("predict m.st large.npy");
    assert_eq!(run.code(), 3, "{}", run.stderr);
    assert!(run.stderr.contains("row 600000 column 2"), "{}", run.stderr);
    assert!(run.stderr.contains("standard output holds predictions of no more than the first 5"), "{}", run.stderr);
    assert!(run.stdout.len() >= 8 << 20 && run.text().ends_with('\n'), "{} bytes", run.stdout.len());
    let run = folder.run("predict m.st large.npy --out p.csv");
    assert_eq!((run.code(), folder.snapshot().len()), (3, 4), "neither p.csv nor a temporary file: {}", run.stderr);
}
