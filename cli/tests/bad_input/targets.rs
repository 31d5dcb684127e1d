//! Several targets that do not go together, and weights of rows and classes that are none.

use crate::command::data::{classes, csv, images, numbers, several};
use crate::command::{Folder, rejects};
use crate::{DATA, USAGE, case};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("s.csv", csv("a,b,u,v,s,t,w", &several()));
    folder.write("t.csv", csv("a,b,y", &classes()));
    folder.write("n.csv", csv("a,b,y", &numbers()));
    folder
}

#[test]
fn targets_that_do_not_go_together() {
    let folder = folder();
    let three: Vec<_> =
        several().iter().enumerate().map(|(i, row)| format!("{row},{}", ["x", "y", "z"][i % 3])).collect();
    folder.write("three.csv", csv("a,b,u,v,s,t,w,c", &three));
    for (line, code, says) in [
        ("s.csv --target u,s", DATA, &["s.csv: ", "classes ('u') beside a number ('s')", "all of one kind"][..]),
        ("s.csv --target s,t,v", DATA, &["classes ('v') beside a number ('s')"]),
        ("s.csv --target s,u --task regress", DATA, &["s.csv:2: column 'u': not a number: "]),
        ("s.csv --target u,s --task classify", DATA, &["s.csv: column 's': 40 classes", "each must hold 2"]),
        (
            "three.csv --target u,c",
            DATA,
            &["column 'c': 3 classes ('x', 'y', 'z')", "train a model for this one alone"],
        ),
        ("s.csv --target u,u", USAGE, &["--target", "each column once", "'u' twice"]),
        ("s.csv --target u,3", USAGE, &["--target", "each column once", "'u' twice"]),
        ("s.csv --target u,x", DATA, &["s.csv: ", "no column 'x'", "'a', 'b', 'u'"]),
        ("s.csv --target u,", DATA, &["s.csv: ", "no column ''"]),
        ("s.csv --target a,b,u,v,s,t,w", DATA, &["s.csv: ", "no input column beside the target"]),
        (
            "s.csv --target u,v --output-activation softmax",
            USAGE,
            &["output activation for labels", "sigmoid", "softmax"],
        ),
        ("s.csv --target u,v --loss softmax_cross_entropy", USAGE, &["--loss", "sigmoid outputs"]),
        ("s.csv --target s,t --output-activation softmax", USAGE, &["output activation for a number", "softmax"]),
        ("s.csv --target s,t --solver perceptron", USAGE, &["output activation for a number", "step"]),
    ] {
        rejects(&folder, case(&format!("train {line} --model m"), code, says));
    }
    folder.must("train s.csv --target u,v --ignore s,t,w --epochs 2 --model m.st");
    folder.write("x.csv", "a,b,u,v\n1,2,yes,0\n1,2,yes,2\n");
    rejects(&folder, case("evaluate m.st x.csv", DATA, &["x.csv:3: column 'v': class '2' was not seen", "'0', '1'"]));
    folder.write("x.csv", "a,b,u\n1,2,yes\n");
    rejects(&folder, case("evaluate m.st x.csv", DATA, &["x.csv: ", "no column 'v'"]));
}

#[test]
fn weights_of_rows_that_are_none() {
    let folder = folder();
    let weighted = |change: &str| {
        let rows = classes();
        let row = |(i, row): (usize, &String)| format!("{row},{}", if i == 5 { change } else { "1" });
        csv("a,b,y,w", &rows.iter().enumerate().map(row).collect::<Vec<_>>())
    };
    for (cell, says) in [
        ("-1", &["t.csv:7: column 'w': expected a weight, a number of at least 0, found '-1'"][..]),
        ("", &["t.csv:7: column 'w': expected a weight", "found none"]),
        ("NA", &["t.csv:7: column 'w': expected a weight", "found none"]),
        ("inf", &["t.csv:7: column 'w': 'inf' is infinite"]),
        ("1e309", &["t.csv:7: column 'w': '1e309' is infinite"]),
        ("much", &["t.csv:7: column 'w': not a number: 'much'"]),
    ] {
        folder.write("t.csv", weighted(cell));
        for flags in ["", "--missing mean", "--cv 4", "--test 0"] {
            rejects(&folder, case(&format!("train t.csv --target y --weight-column w {flags} --model m"), DATA, says));
        }
    }
    folder.write("t.csv", weighted("2"));
    folder.must("train t.csv --target y --weight-column w --epochs 2 --model m.st");
    folder.write("x.csv", weighted("-2"));
    let says = ["x.csv:7: column 'w': expected a weight, a number of at least 0, found '-2'"];
    rejects(&folder, case("evaluate m.st x.csv --weight-column w", DATA, &says));
    folder.write("t.csv", csv("a,b,y,w", &classes().iter().map(|row| format!("{row},0")).collect::<Vec<_>>()));
    let says = ["t.csv: column 'w': expected a weight above 0 in 40 rows, found none"];
    rejects(&folder, case("train t.csv --target y --weight-column w --model m", DATA, &says));
    rejects(&folder, case("evaluate m.st t.csv --weight-column w", DATA, &says));
    for (line, code, says) in [
        ("t.csv --target y --weight-column x", DATA, &["t.csv: ", "no column 'x'"][..]),
        ("t.csv --target y --weight-column y", USAGE, &["--weight-column", "another column than the target's", "'y'"]),
        ("t.csv --target 3 --weight-column y", USAGE, &["--weight-column", "'y'"]),
        ("n.csv --target y --weight-column a --ignore b", DATA, &["column 'a': expected a weight"]),
    ] {
        rejects(&folder, case(&format!("train {line} --model m"), code, says));
    }
    folder.write("t.csv", weighted("2"));
    let says = ["perceptron rule has no use for weights of rows"];
    rejects(&folder, case("train t.csv --target y --weight-column w --solver perceptron --model m", USAGE, &says));
    let (pixels, labels) = images(40);
    folder.write("i", pixels);
    folder.write("l", labels);
    let says = ["--weight-column", "no column for images", "w"];
    rejects(&folder, case("train i --labels l --weight-column w --model m", USAGE, &says));
    // A row without a weight is left out with the others that lack something, where that is asked for.
    folder.write("t.csv", weighted(""));
    let run = folder.must("train t.csv --target y --weight-column w --missing drop --test 0 --json").json();
    assert_eq!(run["rows"]["train"], 39);
}

#[test]
fn weights_of_classes_that_are_none() {
    let folder = folder();
    for (line, says) in [
        ("t.csv --target y --class-weight x=1", &["--class-weight", "classes among 'p', 'q'", "found 'x'"][..]),
        ("t.csv --target y --class-weight p=1,r=2", &["--class-weight", "classes among 'p', 'q'", "found 'r'"]),
        ("t.csv --target y --class-weight even", &["--class-weight", "'balanced'", "yes=5,no=1", "'even'"]),
        ("t.csv --target y --class-weight p=-1", &["--class-weight", "at least 0", "'p=-1'"]),
        ("t.csv --target y --class-weight p=nan", &["--class-weight", "finite", "'p=nan'"]),
        ("t.csv --target y --class-weight p=1,p=2", &["--class-weight", "each class once", "'p' twice"]),
        ("t.csv --target y --class-weight p=0,q=0", &["--class-weight", "one above 0", "p=0,q=0"]),
        ("t.csv --target y --class-weight balanced --solver perceptron", &["perceptron rule has no use for weights"]),
        (
            "n.csv --target y --class-weight balanced",
            &["--class-weight", "task classify", "the number 'y' (task regress)"],
        ),
        ("n.csv --target y --task regress --class-weight a=1", &["--class-weight", "task classify", "task regress"]),
        ("s.csv --target s,t --ignore u,v --class-weight balanced", &["--class-weight", "the number 's', 't'"]),
        ("s.csv --target u,v --class-weight yes=2", &["--class-weight", "'balanced', for several targets", "'u', 'v'"]),
    ] {
        rejects(&folder, case(&format!("train {line} --model m"), USAGE, says));
    }
}
