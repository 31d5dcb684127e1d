//! Ways to part rows that contradict each other or the data.

use crate::command::data::{classes, csv, images, numbers};
use crate::command::{Folder, rejects};
use crate::{DATA, USAGE, case};

fn folder() -> Folder {
    let folder = Folder::new();
    let grouped = |rows: Vec<String>| -> Vec<String> {
        rows.iter().enumerate().map(|(i, row)| format!("g{},{row}", i % 8)).collect()
    };
    folder.write("t.csv", csv("who,a,b,y", &grouped(classes())));
    folder.write("n.csv", csv("who,a,b,y", &grouped(numbers())));
    let mut gap = grouped(classes());
    gap[4] = gap[4].replacen("g4", "", 1);
    folder.write("gap.csv", csv("who,a,b,y", &gap));
    let one: Vec<String> = classes().iter().map(|row| format!("g,{row}")).collect();
    folder.write("one.csv", csv("who,a,b,y", &one));
    let (pixels, labels) = images(40);
    folder.write("i", pixels);
    folder.write("l", labels);
    folder
}

#[test]
fn partings_that_cannot_be_are_refused() {
    let folder = folder();
    for (line, code, says) in [
        ("train t.csv --target y --split sideways", USAGE, &["--split", "sideways", "ordered"][..]),
        ("train t.csv --target y --split ordered --groups who", USAGE, &["--split", "--groups", "ordered"]),
        ("train n.csv --target y --cv 3x2 --split ordered", USAGE, &["--cv", "--split ordered", "3x2"]),
        ("train n.csv --target y --cv 3x2 --groups who", USAGE, &["--cv", "--groups", "3x2"]),
        ("train n.csv --target y --cv 9 --groups who", USAGE, &["--cv", "2 to 8 (there are 8 groups)", "9"]),
        ("train n.csv --target y --ignore who --cv 40 --split ordered", USAGE, &["--cv", "2 to 39 in order", "40"]),
        ("train t.csv --target y --groups y", USAGE, &["--groups", "another column than the target", "'y'"]),
        ("train t.csv --target y --groups whom", DATA, &["t.csv: no column 'whom'", "'who'"]),
        ("train gap.csv --target y --groups who", DATA, &["gap.csv:6: column 'who': missing", "a group for each row"]),
        ("train one.csv --target y --groups who", USAGE, &["--test", "at least 2 groups", "found 1"]),
        ("train i --labels l --groups 1", DATA, &["i: images have no column '1'"]),
    ] {
        rejects(&folder, case(line, code, says));
    }
}

/// What the flags do, by the rows that are counted.
#[test]
fn rows_are_parted_as_asked() {
    let folder = folder();
    let rows = |line: &str| {
        let report = folder.must(&format!("train n.csv --target y --epochs 2 --json {line}")).json();
        (report["rows"]["train"].as_u64(), report["rows"]["test"].as_u64())
    };
    assert_eq!(
        rows("--ignore who --split ordered --test 0.21"),
        (Some(31), Some(9)),
        "rounded up, as scikit-learn does"
    );
    // Eight groups of five rows.
    assert_eq!(rows("--groups who --test 0.3"), (Some(30), Some(10)));
    assert_eq!(rows("--groups who --test 0.3 --early-stopping 0.33"), (Some(30), Some(10)));
    assert_eq!(rows("--ignore who --split ordered --early-stopping 0.25"), (Some(32), Some(8)));
    let ordered = folder.must("train n.csv --target y --ignore who --epochs 2 --cv 4 --split ordered --json").json();
    assert_eq!(ordered["cv"]["folds"], 4);
}
