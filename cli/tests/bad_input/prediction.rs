//! Rows to predict that do not fit the model.

use crate::command::data::{classes, csv, numbers};
use crate::command::{Folder, rejects};
use crate::{DATA, case};

/// A table with a category: columns `colour`, `a`, `y`.
fn coloured() -> String {
    let colours = ["red", "green", "blue"];
    let row = |(i, row): (usize, String)| {
        let mut cells = row.split(',');
        let (a, y) = (cells.next().unwrap_or_default(), cells.nth(1).unwrap_or_default());
        format!("{},{a},{y}", colours[i % 3])
    };
    csv("colour,a,y", &classes().into_iter().enumerate().map(row).collect::<Vec<_>>())
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("t.csv", coloured());
    folder.write("n.csv", csv("a,b,y", &numbers()));
    folder.must("train t.csv --target y --epochs 20 --model m.st");
    folder.must("train n.csv --target y --epochs 20 --init normal=3 --model n.st");
    folder.must("train n.csv --target y --epochs 20 --init normal=3 --dtype f64 --model n64.st");
    folder
}

#[test]
fn rows_that_do_not_fit_the_model() {
    let folder = folder();
    let table: &[(&str, &[&str])] = &[
        ("", &["x.csv: ", "empty"]),
        ("colour,a\n", &["x.csv: ", "after its header line"]),
        ("colour\nred\n", &["x.csv: ", "1 column missing: 'a'", "'colour'"]),
        ("other,a\nred,1\n", &["x.csv: ", "1 column missing: 'colour'", "'other', 'a'"]),
        ("red,1\ngreen,2\n", &["x.csv: ", "matched by name", "header"]),
        ("colour,a\nred,1\npink,2\n", &["x.csv:3: column 'colour': 'pink' was not seen", "'blue', 'green', 'red'"]),
        ("colour,a\nred,1\nRed,2\n", &["x.csv:3: column 'colour': 'Red' was not seen"]),
        ("colour,a\nred,1\nred,much\n", &["x.csv:3: column 'a': not a number: 'much'"]),
        ("colour,a\nred,1\nred,\n,2\n", &["x.csv:3: column 'a': 2 cells missing: line 3 'a', line 4 'colour'"]),
        ("colour,a\nred,1\nred,1e309\n", &["x.csv:3: column 'a': '1e309' is infinite or too large"]),
        ("colour,a\nred,1\nred,1e300\n", &["x.csv:3: column 'a': '1e300' is out of range once standardised"]),
        ("colour,a\nred,1\nred\n", &["x.csv:3: ", "expected 2 cells", "found 1"]),
    ];
    for (content, says) in table {
        folder.write("x.csv", content);
        for flags in ["", "--out p.csv", "--proba"] {
            rejects(&folder, case(&format!("predict m.st x.csv {flags}"), DATA, says));
        }
    }
    folder.write("x.csv", "colour,a,y\nred,1,p\nred,2,z\n");
    rejects(&folder, case("evaluate m.st x.csv", DATA, &["x.csv:3: column 'y': class 'z' was not seen", "'p', 'q'"]));
    rejects(&folder, case("evaluate m.st x.csv --json", DATA, &["x.csv:3: column 'y'"]));
    rejects(&folder, case("gradcheck m.st x.csv", DATA, &["x.csv:3: column 'y'"]));
    folder.write("x.csv", "colour,a\nred,1\n");
    rejects(&folder, case("evaluate m.st x.csv", DATA, &["x.csv: ", "no column 'y'", "'colour', 'a'"]));
    folder.write("x.csv", "a,b,y\n1,2,3\n1,2,much\n");
    rejects(&folder, case("evaluate n.st x.csv", DATA, &["x.csv:3: column 'y': not a number: 'much'"]));
}

#[test]
fn rows_so_far_away_that_nothing_can_be_said() {
    let folder = folder();
    folder.write("x.csv", "a,b,y\n1,2,3\n3e38,-3e38,4\n");
    // In f32 the sums overflow; f64 has room for them.
    for line in ["predict n.st x.csv", "predict n.st x.csv --out p.csv", "evaluate n.st x.csv"] {
        rejects(&folder, case(line, DATA, &["x.csv:3: ", "not finite", "too far from those of the training"]));
    }
    folder.must("predict n64.st x.csv");
    folder.write("x.csv", "a,b,y\n1,2,3\n1.7e308,-1.7e308,4\n");
    rejects(&folder, case("predict n64.st x.csv", DATA, &["x.csv:3: ", "not finite"]));
}

#[test]
fn columns_in_another_order_give_the_same_predictions() {
    let folder = folder();
    let expected = folder.must("predict m.st t.csv --proba").stdout;
    assert_eq!(expected.iter().filter(|&&byte| byte == b'\n').count(), 41, "a header and a line for each row");
    let reorder = |name: &str, header: &str, order: &dyn Fn(&[&str]) -> String| {
        let table = coloured();
        let rows = table.lines().skip(1).map(|line| order(&line.split(',').collect::<Vec<_>>()));
        folder.write(name, csv(header, &rows.collect::<Vec<_>>()));
        assert_eq!(folder.must(&format!("predict m.st {name} --proba")).stdout, expected, "{header}");
    };
    reorder("x.csv", "y,a,colour", &|cells| format!("{},{},{}", cells[2], cells[1], cells[0]));
    reorder("x.csv", "a,colour", &|cells| format!("{},{}", cells[1], cells[0]));
    reorder("x.csv", "a,free text,colour", &|cells| format!("{},x{},{}", cells[1], cells[1], cells[0]));
}

#[test]
fn a_model_without_names_matches_by_position() {
    let folder = Folder::new();
    folder.write("t.csv", classes().join("\n") + "\n");
    folder.must("train t.csv --target 3 --epochs 20 --model m.st");
    let expected = folder.must("predict m.st t.csv").stdout;
    let without: Vec<_> = classes().iter().map(|row| row.rsplit_once(',').expect("cells").0.to_string()).collect();
    folder.write("x.csv", without.join("\n") + "\n");
    assert_eq!(folder.must("predict m.st x.csv").stdout, expected);
    folder.write("x.csv", "1\n2\n");
    rejects(
        &folder,
        case("predict m.st x.csv", DATA, &["x.csv: ", "no header line", "expected 3 columns, or 2", "found 1"]),
    );
}
