//! NPY files that are cut, mismatched or of another kind, and rows that cannot stay in their file.

use crate::command::data::{classes, csv, gzip, images, matrix, npy};
use crate::command::{Folder, rejects, rejects_command};
use crate::{DATA, IO, USAGE, case};

fn folder() -> Folder {
    let folder = Folder::new();
    let (numbers, classes_, targets) = matrix(40);
    folder.write("x.npy", numbers);
    folder.write("c.npy", classes_);
    folder.write("n.npy", targets);
    folder.write("t.csv", csv("a,b,y", &classes()));
    folder
}

/// A matrix of 40 rows and 2 columns, the number at `at` (row by row) replaced.
fn matrix_with(at: usize, value: f64) -> Vec<u8> {
    let (mut bytes, ..) = matrix(40);
    let start = bytes.len() - 8 * 80 + 8 * at;
    bytes[start..start + 8].copy_from_slice(&value.to_le_bytes());
    bytes
}

#[test]
fn matrices_to_train_on() {
    let folder = folder();
    let (numbers, classes, _) = matrix(40);
    let of = |values: &[i32]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        npy("<i4", &format!("({},)", values.len()), &bytes)
    };
    let floats = |values: &[f64]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        npy("<f8", &format!("({},)", values.len()), &bytes)
    };
    let distinct: Vec<i32> = (0..40).collect();
    let mut halves = [0.0; 40];
    (halves[0], halves[7]) = (1.0, 0.5);
    let mut gap = [1.0; 40];
    gap[2] = f64::NAN;
    let lone: Vec<i32> = (0..40).map(|i| if i == 11 { 9 } else { i % 2 }).collect();
    /// What is wrong, the matrix' and the targets' bytes, more flags, and what is said.
    type Fault<'a> = (&'a str, Vec<u8>, Vec<u8>, &'a str, &'a [&'a str]);
    let table: &[Fault<'_>] = &[
        (
            "cut",
            numbers[..numbers.len() - 1].into(),
            classes.clone(),
            "",
            &["x: truncated", "40 x 2 of 8 bytes = 640 bytes, found 639"],
        ),
        ("too long", [&numbers[..], &[0]].concat(), classes.clone(), "", &["x: bytes left over", "640 bytes"]),
        ("cut in the header", numbers[..40].into(), classes.clone(), "", &["x: truncated in its header"]),
        (
            "objects",
            npy("|O", "(40, 2)", &[0; 99]),
            classes.clone(),
            "",
            &["x: its header: an array of Python objects"],
        ),
        ("a tebibyte", npy("<f8", "(40, 3435973837)", &[0; 99]), classes.clone(), "", &["x: truncated", "found 99"]),
        (
            "NaN",
            matrix_with(3, f64::NAN),
            classes.clone(),
            "",
            &["x: 1 cell missing (NaN): row 2 column 2", "fill in the mean"],
        ),
        ("infinity", matrix_with(4, f64::INFINITY), classes.clone(), "", &["x: row 3: column 1: inf is infinite"]),
        (
            "infinity, filled",
            matrix_with(4, f64::INFINITY),
            classes.clone(),
            "--missing mean",
            &["x: row 3: column 1: inf"],
        ),
        ("too few targets", numbers.clone(), matrix(39).1, "", &["z: expected 40 targets for the rows of x, found 39"]),
        ("no targets", numbers.clone(), numbers.clone(), "", &["z: expected one target for each row, found 40 x 2"]),
        ("text as targets", numbers.clone(), b"1\n2\n".to_vec(), "", &["z: not an NPY file: it begins with 31 0a"]),
        ("one class", numbers.clone(), of(&[7; 40]), "", &["z: all labels are 7"]),
        ("a lone class", numbers.clone(), of(&lone), "", &["x: row 12: class '9'", "alone"]),
        (
            "no classes",
            numbers.clone(),
            of(&distinct),
            "",
            &["z: looks like a number to predict", "40 distinct values in 40 rows"],
        ),
        ("half a class", numbers.clone(), floats(&halves), "--task classify", &["z: row 8: expected a whole number"]),
        ("a gap", numbers.clone(), floats(&gap), "", &["z: row 3: the target is NaN"]),
        ("no column", numbers.clone(), classes.clone(), "--ignore 3", &["x: no column '3'", "1 to 2"]),
        ("all left out", numbers.clone(), classes.clone(), "--ignore 1,2", &["x: no input column"]),
    ];
    for (what, numbers, targets, flags, says) in table {
        folder.write("x", numbers);
        folder.write("z", targets);
        eprintln!("{what}");
        rejects(&folder, case(&format!("train x --labels z --epochs 1 --model m {flags}"), DATA, says));
    }
}

#[test]
fn matrices_and_the_wrong_flags_or_models() {
    let folder = folder();
    let (pixels, labels) = images(40);
    folder.write("i.gz", gzip(&pixels));
    folder.write("i", pixels);
    folder.write("l", labels);
    folder.write("r.csv", ["red,p", "blue,q"].repeat(20).join("\n") + "\n");
    let (wide, ..) = matrix(40);
    let bytes = &wide[wide.len() - 640..];
    folder.write("wide.npy", npy("<f8", "(20, 4)", bytes));
    let fortran = npy("<f8", "(40, 2)", bytes);
    let at = fortran.windows(5).position(|window| window == b"False").expect("the order");
    folder.write("fortran.npy", [&fortran[..at], b"True ", &fortran[at + 5..]].concat());
    folder.must("train x.npy --labels c.npy --epochs 3 --model m.st");
    folder.must("train fortran.npy --labels c.npy --epochs 1");
    folder.must("train t.csv --target y --epochs 2 --model t.st");
    folder.must("train r.csv --header no --target 2 --epochs 1 --model r.st");
    folder.must("train i --labels l --epochs 1 --model i.st");
    for (line, code, says) in [
        ("train x.npy", DATA, &["x.npy: a matrix without targets", "--labels"][..]),
        ("train x.npy --target 2", USAGE, &["target", "--labels names"]),
        ("train x.npy --labels c.npy --target 2", USAGE, &["target", "--labels names"]),
        ("train x.npy --labels c.npy --categorical 1", USAGE, &["--categorical", "columns are numbers"]),
        ("train x.npy --labels absent", IO, &["absent: ", "No such file"]),
        ("train x.npy --labels l", DATA, &["l: not an NPY file"]),
        ("predict m.st t.csv", DATA, &["t.csv: ", "expected 2 columns", "found 3"]),
        ("predict m.st wide.npy", DATA, &["wide.npy: ", "expected 2 columns", "found 4"]),
        ("predict t.st x.npy", DATA, &["x.npy: ", "matched by name"]),
        ("predict r.st x.npy", DATA, &["x.npy: ", "'1' is a category"]),
        ("predict i.st x.npy", DATA, &["x.npy: holds a matrix", "4 x 4 pixels"]),
        ("predict m.st i", DATA, &["i: holds images"]),
        ("predict m.st x.npy --labels l", DATA, &["l: not an NPY file"]),
        ("evaluate m.st x.npy", DATA, &["x.npy: a matrix without targets", "--labels"]),
        ("evaluate m.st x.npy --labels n.npy", DATA, &["n.npy: label 1 is", "knew 0, 1"]),
        ("train t.csv --target y --labels c.npy", DATA, &["t.csv: --labels goes with IDX images or an NPY matrix"]),
        // Rows that cannot stay where they are.
        ("train t.csv --target y --stream", USAGE, &["--stream", "IDX or NPY", "t.csv"]),
        ("train - --labels c.npy --stream", USAGE, &["--stream", "IDX or NPY", "standard input"]),
        ("train fortran.npy --labels c.npy --stream", USAGE, &["fortran.npy: in Fortran order", "ascontiguousarray"]),
        ("train i.gz --labels l --stream", USAGE, &["i.gz: gzipped", "unpack it"]),
        ("train x.npy --labels c.npy --stream --solver lbfgs", USAGE, &["--solver", "--stream", "lbfgs"]),
        ("train x.npy --labels c.npy --stream --solver perceptron", USAGE, &["--solver", "--stream", "perceptron"]),
    ] {
        rejects(&folder, case(line, code, says));
    }
    folder.write("x", matrix_with(79, f64::NAN));
    rejects(&folder, case("predict m.st x", DATA, &["x: 1 cell missing (NaN): row 40 column 2"]));
    let piped = folder.command().words("predict m.st -").input(matrix_with(79, f64::INFINITY));
    let says = &["standard input: row 40: column 2: inf is infinite"];
    rejects_command(&folder, piped, case("predict m.st - < x", DATA, says));
}

/// A number to predict, a class, the same network from a table, and all three ways to be read.
#[test]
fn a_matrix_trains_predicts_and_is_measured() {
    let folder = folder();
    folder.must("train x.npy --labels c.npy --epochs 60 --model m.st");
    let run = folder.must("evaluate m.st x.npy --labels c.npy --json").json();
    assert!(run["metrics"]["accuracy"].as_f64() > Some(0.9), "{run}");
    let expected = folder.must("predict m.st x.npy --proba").stdout;
    assert!(expected.starts_with(b"label,p(0),p(1)\n"));
    folder.must("predict m.st x.npy --proba --out p.csv");
    assert_eq!(folder.read("p.csv"), expected);
    assert_eq!(folder.command().words("predict m.st - --proba").input(matrix(40).0).run().stdout, expected);
    let report = folder.must("train x.npy --labels n.npy --epochs 3 --json").json();
    assert_eq!(report["task"], "regress");
    let report = folder.must("train x.npy --labels c.npy --epochs 3 --task regress --json").json();
    assert_eq!(report["task"], "regress");
    for flags in ["", "--early-stopping 0.2", "--cv 3 --model a.st", "--split ordered", "--groups 1", "--missing drop"]
    {
        let line = |more: &str| format!("train x.npy --labels c.npy --epochs 5 --json --force {flags} {more}");
        let (plain, streamed) = (folder.must(&line("")).json(), folder.must(&line("--stream --threads 2")).json());
        assert!(plain["parameters_sha256"].is_string(), "{plain}");
        for figure in ["parameters_sha256", "train", "test", "cv"] {
            assert_eq!(plain[figure], streamed[figure], "{flags}");
        }
    }
}
