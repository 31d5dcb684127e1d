//! Tables to train on that are no tables, or hold what cannot be learnt from.

use crate::command::data::{classes, classes_with, csv, numbers};
use crate::command::{Folder, rejects};
use crate::{DATA, IO, case};

/// Trains on a file that must be refused.
fn refuses(content: impl AsRef<[u8]>, flags: &str, says: &[&str]) {
    let folder = Folder::new();
    folder.write("t.csv", content);
    rejects(&folder, case(&format!("train t.csv --model m {flags}"), DATA, says));
}

#[test]
fn a_file_that_is_no_table() {
    let rows = classes();
    refuses("", "--target y", &["t.csv: ", "empty"]);
    refuses("\n\n \n", "--target y", &["t.csv: ", "empty"]);
    refuses("a,b,y\n", "--target y", &["t.csv: ", "after its header line"]);
    refuses("a,b,y", "--target y", &["t.csv: ", "after its header line"]);
    let mut ragged = rows.clone();
    ragged[7] = "1,2".into();
    refuses(csv("a,b,y", &ragged), "--target y", &["t.csv:9: ", "expected 3 cells as in line 1, found 2"]);
    ragged[7] = "1,2,p,q".into();
    refuses(csv("a,b,y", &ragged), "--target y", &["t.csv:9: ", "expected 3 cells as in line 1, found 4"]);
    let quote = classes_with(&[(3, 1, "\"1.5")]);
    refuses(quote, "--target y", &["t.csv:5: column 'b': ", "quote is never closed"]);
    let after = classes_with(&[(3, 1, "\"1.5\"x")]);
    refuses(after, "--target y", &["t.csv:5: column 'b': ", "text after the closing quote"]);
    let good = csv("a,b,y", &rows);
    let wide = |order: fn(u16) -> [u8; 2]| good.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    refuses([&[0xff, 0xfe], &wide(u16::to_le_bytes)[..]].concat(), "--target y", &["t.csv: ", "UTF-16"]);
    refuses([&[0xfe, 0xff], &wide(u16::to_be_bytes)[..]].concat(), "--target y", &["t.csv: ", "UTF-16"]);
    refuses(wide(u16::to_le_bytes), "--target y", &["t.csv: ", "UTF-16"]);
    let latin = good.replace("p\n", "\u{e9}\n").chars().map(|c| c as u8).collect::<Vec<_>>();
    refuses(latin, "--target y", &["t.csv:", "invalid UTF-8: byte 0xe9"]);
    refuses(good.replace("0.", "0\0"), "--target y", &["t.csv:", "NUL byte"]);
    refuses(b"PK\x03\x04 a spreadsheet", "--target y", &["t.csv: ", "zip archive or a spreadsheet"]);
    refuses(
        csv("a,b,y", &numbers()).replace(',', " "),
        "--target y",
        &["t.csv:", "1 column found; is the separator a space?"],
    );
    refuses(csv("a,a,y", &rows), "--target y", &["t.csv:1: ", "columns 1 and 2 are both called 'a'"]);
    refuses(csv("a,,y", &rows), "--target y", &["t.csv:1: ", "column 2 has no name"]);
    refuses(csv("1,b,y", &rows), "--target y", &["t.csv:1: ", "is this the header line?", "'b'", "'1'"]);
    refuses("1,5;2,5;3,0\n2,5;1,5;4,0\n", "--target 1", &["t.csv: ", "both ',' and ';'"]);
}

#[test]
fn a_file_that_cannot_be_read() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("folder")).expect("a folder");
    for (line, says) in [
        ("train absent.csv --target y", ["absent.csv: ", "No such file"]),
        ("train folder --target y", ["folder: ", "directory"]),
        ("predict absent.st absent.csv", ["absent.st: ", "No such file"]),
        ("evaluate absent.st absent.csv", ["absent.st: ", "No such file"]),
        ("inspect absent.st", ["absent.st: ", "No such file"]),
    ] {
        rejects(&folder, case(line, IO, &says));
    }
    folder.write("t.csv", csv("a,b,y", &classes()));
    folder.must("train t.csv --target y --model m.st");
    rejects(&folder, case("predict m.st absent.csv", IO, &["absent.csv: ", "No such file"]));
    rejects(&folder, case("evaluate m.st folder", IO, &["folder: ", "directory"]));
}

#[test]
fn a_target_that_cannot_be_learnt() {
    let rows = classes();
    let good = csv("a,b,y", &rows);
    refuses(&good, "--target Y", &["t.csv: ", "no column 'Y'", "'a', 'b', 'y'"]);
    refuses(&good, "--target 4", &["t.csv: ", "no column '4'", "'a', 'b', 'y'"]);
    refuses(&good, "--target 0", &["t.csv: ", "no column '0'"]);
    refuses(&good, "--target y --header no", &["t.csv: ", "no column 'y'", "no header line", "1 to 3"]);
    let number = numbers().join("\n") + "\n";
    refuses(number, "--target y", &["t.csv: ", "no column 'y'", "no header line", "1 to 3"]);
    let single = csv("a,b,y", &rows.iter().map(|row| row.replace('q', "p")).collect::<Vec<_>>());
    refuses(single, "--target y", &["t.csv: column 'y': ", "expected at least 2 classes, found 'p' in every row"]);
    refuses("a,b,y\n1,2,x\n", "--target y", &["t.csv: column 'y': ", "expected at least 2 classes"]);
    refuses("a,b,y\n1,2,1.5\n", "--target y", &["t.csv: ", "expected at least 2 rows", "found 1"]);
    for flags in ["", "--cv 5", "--test 0 --early-stopping 0.2"] {
        let lone = classes_with(&[(7, 2, "z")]);
        let says = ["t.csv:9: column 'y': class 'z'", "alone", "at least 2 rows of every class"];
        refuses(lone, &format!("--target y {flags}"), &says);
    }
    let gaps = classes_with(&[(3, 2, ""), (5, 2, "NA"), (9, 2, "nan")]);
    let says = ["t.csv:5: column 'y': 3 cells missing in the target", "line 5 'y', line 7 'y', line 11 'y'"];
    refuses(&gaps, "--target y", &says);
    refuses(&gaps, "--target y --missing mean", &says);
    refuses(&good, "--target y --task regress", &["t.csv:2: column 'y': not a number: '"]);
    let text =
        numbers().iter().enumerate().map(|(i, row)| if i == 5 { "1,2,3o".into() } else { row.clone() }).collect();
    refuses(csv("a,b,y", &Vec::<String>::clone(&text)), "--target y", &["t.csv:7: column 'y': not a number: '3o'"]);
    let many: Vec<String> = (0..10_001).map(|i| format!("{},1,class{i}", i % 7)).collect();
    let many = csv("a,b,y", &many);
    refuses(&many, "--target y", &["t.csv: column 'y': ", "identifier or free text", "10001 distinct"]);
    refuses(&many, "--target y --task classify", &["t.csv: column 'y': ", "at most 10000", "found 10001"]);
    let twice: Vec<String> = rows.iter().map(|r| r.replace('p', "1").replace('q', "1.0")).collect();
    let says = ["t.csv: column 'y': ", "one number written in two ways"];
    refuses(csv("a,b,y", &twice), "--target y --task classify", &says);
}

#[test]
fn an_input_column_that_cannot_be_learnt_from() {
    refuses(classes_with(&[(3, 1, "high")]), "--target y", &["t.csv:5: column 'b': not a number: 'high'"]);
    refuses(classes_with(&[(3, 1, "0x10")]), "--target y", &["t.csv:5: column 'b': not a number: '0x10'", "39 of"]);
    refuses(classes_with(&[(3, 1, "1_0")]), "--target y", &["t.csv:5: column 'b': not a number: '1_0'"]);
    refuses(classes_with(&[(3, 1, "\"1,5\"")]), "--target y", &["t.csv:5: column 'b': not a number: '1,5'"]);
    refuses(classes_with(&[(3, 1, "\u{1b}[2J")]), "--target y", &["t.csv:5: column 'b': not a number: '\\u{1b}[2J'"]);
    let gaps = classes_with(&[(3, 1, ""), (5, 0, "NaN"), (9, 1, "NA"), (9, 0, "null")]);
    let says = ["t.csv:5: column 'b': 4 cells missing", "line 5 'b', line 7 'a', line 11 'a', line 11 'b'"];
    refuses(&gaps, "--target y", &says);
    for text in ["1e309", "-inf", "Infinity"] {
        for flags in ["", "--missing mean", "--missing drop"] {
            let says = ["t.csv:5: column 'b': ", "infinite or too large for a number", "line 5 'b'"];
            refuses(classes_with(&[(3, 1, text)]), &format!("--target y {flags}"), &says);
        }
    }
    let identifiers: Vec<_> = classes().iter().enumerate().map(|(i, row)| format!("id{i},{row}")).collect();
    let says = ["t.csv: column 'name': ", "identifier or free text", "40 distinct values in 40 rows", "'id0'"];
    refuses(csv("name,a,b,y", &identifiers), "--target y", &says);
    let empty: Vec<_> = classes().iter().map(|row| format!(",{row}")).collect();
    let says = ["t.csv: column 'none': ", "every cell is missing"];
    refuses(csv("none,a,b,y", &empty), "--target y --missing mean", &says);
    let says = ["t.csv: ", "each of the 40 rows has a missing cell"];
    refuses(csv("none,a,b,y", &empty), "--target y --missing drop", &says);
    refuses(classes_with(&[]), "--target y --ignore a,b", &["t.csv: ", "no input column"]);
    refuses(classes_with(&[]), "--target y --ignore c", &["t.csv: ", "no column 'c'"]);
    refuses(classes_with(&[]), "--target y --categorical c", &["t.csv: ", "no column 'c'"]);
}

#[test]
fn missing_cells_are_filled_or_dropped_where_that_is_asked_for() {
    let folder = Folder::new();
    folder.write("t.csv", classes_with(&[(3, 1, ""), (5, 0, "NaN"), (9, 1, "NA")]));
    let filled = folder.must("train t.csv --target y --missing mean --test 0 --json").json();
    assert_eq!(filled["rows"]["train"], 40);
    let dropped = folder.must("train t.csv --target y --missing drop --test 0 --json");
    assert_eq!(dropped.json()["rows"]["train"], 37);
    assert!(dropped.stderr.contains("3 of 40 rows left out"), "{}", dropped.stderr);
    // The same rows without the three are the same training.
    let complete = classes();
    let kept = (0..40).filter(|i| ![3, 5, 9].contains(i)).map(|i| complete[i].clone());
    folder.write("kept.csv", csv("a,b,y", &kept.collect::<Vec<_>>()));
    let kept = folder.must("train kept.csv --target y --test 0 --json").json();
    assert_eq!(kept["parameters_sha256"], dropped.json()["parameters_sha256"]);
    // Rows whose target is missing are dropped with the others; a gap in an ignored column is none.
    folder.write("t.csv", classes_with(&[(3, 2, ""), (5, 2, "?"), (9, 1, "NA")]));
    let run = folder.must("train t.csv --target y --missing drop --test 0 --json");
    assert_eq!(run.json()["rows"]["train"], 37);
    let run = folder.must("train t.csv --target y --missing drop --ignore b --test 0 --json");
    assert_eq!(run.json()["rows"]["train"], 38);
}

#[test]
fn what_is_odd_but_no_fault_is_a_warning() {
    let folder = Folder::new();
    let constant: Vec<_> = classes().iter().map(|row| format!("7,{row}")).collect();
    folder.write("t.csv", csv("c,a,b,y", &constant));
    for flags in ["", "--cv 3x2", "--categorical c"] {
        let run = folder.must(&format!("train t.csv --target y {flags}"));
        let warnings: Vec<_> = run.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
        assert_eq!(warnings, ["warning: column 'c' holds one value only and tells nothing"], "{flags}");
    }
    folder.write("t.csv", csv("a,b,y", &classes()).trim_end());
    let run = folder.must("train t.csv --target y");
    assert!(run.stderr.contains("warning: t.csv:41: the last line has no line break"), "{}", run.stderr);
    let constant: Vec<_> =
        numbers().iter().map(|row| row.rsplit_once(',').expect("cells").0.to_string() + ",7.5").collect();
    folder.write("t.csv", csv("a,b,y", &constant));
    let run = folder.must("train t.csv --target y --task regress --json");
    assert!(run.stderr.contains("warning: column 'y' holds one value only"), "{}", run.stderr);
    // R2 of a constant is not defined.
    assert!(run.json()["test"]["r2"].is_null() && run.json()["test"]["rmse"].is_number(), "{}", run.text());
}

#[test]
fn the_same_table_in_another_dress_is_the_same_training() {
    let folder = Folder::new();
    let plain = csv("a,b,y", &classes());
    let sha = |name: &str, content: String, flags: &str| {
        folder.write(name, content);
        let run = folder.must(&format!("train {name} --target y --epochs 20 --json {flags}"));
        run.json()["parameters_sha256"].as_str().expect("a sum").to_string()
    };
    let expected = sha("plain.csv", plain.clone(), "");
    for (dress, content, flags) in [
        ("a byte order mark", format!("\u{feff}{plain}"), ""),
        ("CRLF", plain.replace('\n', "\r\n"), ""),
        ("CR", plain.replace('\n', "\r"), ""),
        ("semicolons", plain.replace(',', ";"), ""),
        ("tabs", plain.replace(',', "\t"), "--delimiter tab"),
        ("bars", plain.replace(',', "|"), ""),
        (
            "quotes",
            plain.replace(',', "\",\"").replace('\n', "\"\n\"").trim_end_matches('"').replacen("a\"", "\"a\"", 1),
            "",
        ),
        ("blank lines and spaces", plain.replace(',', " , ").replace('\n', "\n\n"), ""),
    ] {
        assert_eq!(sha("dressed.csv", content, flags), expected, "{dress}");
    }
}

#[test]
fn counts_below_zero() {
    let mut rows: Vec<String> = numbers().iter().map(|row| row.replace(",-", ",")).collect();
    rows[7] = "0.5,1,-2".into();
    // Whether it is trained on or held back; rows to measure are not trained on.
    refuses(
        csv("a,b,y", &rows),
        "--target y --task regress --loss poisson --test 0",
        &["t.csv:9: column 'y': ", "at least 0", "-2"],
    );
}
