//! Whatever is wrong with a file, a setting or a place to write, the command says so: in words that name file, line,
//! column and value, with its exit code, within two seconds, and with every file as it was before.
//!
//! A file for each kind of fault; in each, tables of command lines with what must come of them.

#[path = "../command/mod.rs"]
mod command;

mod images;
mod matrices;
#[cfg(target_os = "linux")]
mod memory;
mod models;
mod outputs;
mod partings;
mod prediction;
mod settings;
mod streams;
mod tables;
mod targets;

use command::data::{classes, csv};
use command::{Case, Folder};

/// A row of a table.
const fn case<'a>(line: &'a str, code: i32, says: &'a [&'a str]) -> Case<'a> {
    Case { line, code, says }
}

/// A folder with a table and a model trained on it.
fn trained() -> Folder {
    let folder = Folder::new();
    folder.write("t.csv", csv("a,b,y", &classes()));
    folder.must("train t.csv --target y --epochs 3 --model m.st");
    folder
}

/// The exit codes, by what is at fault.
const USAGE: i32 = 2;
const DATA: i32 = 3;
const MODEL: i32 = 4;
const DIVERGED: i32 = 5;
const IO: i32 = 6;
const MEMORY: i32 = 7;

/// The specimen that must fail: a command line that is accepted.
#[test]
#[should_panic(expected = "expected exit 2")]
fn what_is_accepted_is_no_refusal() {
    command::rejects(&Folder::new(), case("info", USAGE, &[]));
}

/// Another: a refusal for another reason than the one expected.
#[test]
#[should_panic(expected = "expected \"--hidden\" in")]
fn a_refusal_for_another_reason_is_none() {
    command::rejects(&Folder::new(), case("gradcheck --rows 0", USAGE, &["--hidden"]));
}
