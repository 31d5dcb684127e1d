//! Standard input, output and error that are unusual: a pipe nobody reads, a full disk, names that are no text.

use crate::command::data::{blobs, classes, csv};
use crate::command::{Folder, full, rejects_command};
use crate::{DATA, USAGE, case, trained};
use std::process::Stdio;

#[test]
fn standard_input_is_a_file_like_any() {
    let folder = trained();
    let content = folder.read("t.csv");
    let from = |line: &str| folder.command().words(line).input(content.clone()).run();
    let (named, piped) = (folder.must("train t.csv --target y --json"), from("train - --target y --json"));
    assert_eq!(piped.code(), 0, "{}", piped.stderr);
    assert_eq!(piped.json()["parameters_sha256"], named.json()["parameters_sha256"]);
    assert!(piped.stderr.starts_with("standard input: 40 rows"), "{}", piped.stderr);
    assert_eq!(from("predict m.st -").stdout, folder.must("predict m.st t.csv").stdout);
    assert_eq!(from("evaluate m.st - --json").stdout, folder.must("evaluate m.st t.csv --json").stdout);
    assert_eq!(from("gradcheck m.st - --json").code(), 0);
    for (input, says) in [
        (&b""[..], ["standard input: ", "empty"]),
        (b"a,b,y\n1,2,p\n1,2\n", ["standard input:3: ", "expected 3 cells"]),
    ] {
        for line in ["train - --target y", "predict m.st -", "evaluate m.st -"] {
            rejects_command(&folder, folder.command().words(line).input(input), case(line, DATA, &says));
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let folder = trained();
    // More than a pipe holds.
    folder.write("long.csv", csv("a,b", &vec!["1,2"; 100_000]));
    folder.write("blobs.csv", blobs(300, 3));
    for line in ["predict m.st long.csv --proba", "train t.csv --target y --json", "info", "inspect m.st", "gradcheck"]
    {
        assert_eq!(folder.command().words(line).run_unread(true).code(), Some(0), "{line}");
    }
    // Nor is it one if nobody hears what is said on the way.
    for line in ["train blobs.csv --target y --cv 3x3", "evaluate m.st t.csv", "train t.csv --target y --model n.st"] {
        assert_eq!(folder.command().words(line).run_unread(false).code(), Some(0), "{line}");
    }
    folder.must("inspect n.st");
    assert_eq!(folder.command().words("train absent.csv --target y").run_unread(false).code(), Some(6));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output() {
    let folder = trained();
    for line in [
        "predict m.st t.csv",
        "train t.csv --target y --json",
        "evaluate m.st t.csv --json",
        "info",
        "inspect m.st",
        "gradcheck --json",
    ] {
        assert_eq!(folder.command().words(line).run_into(full(), Stdio::null()).code(), Some(6), "{line}");
    }
    // Messages that cannot be written are no reason to fail.
    let code = folder.command().words("train t.csv --target y --model n.st").run_into(Stdio::null(), full()).code();
    assert_eq!(code, Some(0));
    folder.must("inspect n.st");
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = trained();
    let odd = OsStr::from_bytes(b"odd\xff\x1b[2J.csv");
    let command = folder.command().words("train").arg(odd).words("--target y");
    rejects_command(&folder, command, case("train ODD", 6, &["odd\u{fffd}", "No such file"]));
    let command = folder.command().words("train t.csv --target").arg(odd);
    rejects_command(&folder, command, case("train t.csv --target ODD", USAGE, &["UTF-8"]));
    let command = folder.command().words("train t.csv --target y --hidden").arg(odd);
    rejects_command(&folder, command, case("train t.csv --hidden ODD", USAGE, &["UTF-8"]));
    // A file may have such a name.
    folder.write(odd, csv("a,b,y", &classes()));
    let run = folder.command().words("train").arg(odd).words("--target y --epochs 2 --model odd.st").run();
    assert_eq!(run.code(), 0, "{}", run.stderr);
    let run = folder.command().words("evaluate odd.st").arg(odd).run();
    assert_eq!(run.code(), 0, "{}", run.stderr);
    folder.must("inspect odd.st");
}

#[test]
fn names_inside_a_file_do_not_reach_the_terminal() {
    let folder = Folder::new();
    let rows: Vec<_> = classes().iter().map(|row| row.replace('p', "\"\u{1b}[31m\np\"")).collect();
    folder.write("t.csv", csv("a,\u{7}b,y\u{1b}]0;x", &rows));
    // What reaches standard error is checked in every run.
    folder.must("train t.csv --target 3 --cv 2 --ignore 1");
    folder.must("train t.csv --target 3 --epochs 3 --model m.st --diagram d.svg --plot p.svg");
    folder.must("evaluate m.st t.csv");
    let shown = folder.must("inspect m.st");
    assert!(!shown.text().chars().any(|c| c.is_control() && c != '\n'), "{:?}", shown.text());
    // A prediction is data: it keeps its bytes.
    assert!(folder.must("predict m.st t.csv").text().contains("\"\u{1b}[31m\np\""));
}
