//! Places that cannot or must not be written to: refused before the work, and left as they are.

use crate::command::rejects;
use crate::{IO, USAGE, case, trained};
use std::fs;

#[test]
fn places_that_cannot_be_written_to() {
    let folder = trained();
    fs::create_dir(folder.path("d")).expect("a folder");
    for flag in ["--model", "--plot", "--diagram"] {
        let train = |place: &str| format!("train t.csv --target y --epochs 1 {flag} {place}");
        rejects(&folder, case(&train("absent/x.svg"), IO, &["absent/x.svg", "'absent' does not exist"]));
        rejects(&folder, case(&train("t.csv/x.svg"), IO, &["t.csv/x.svg", "'t.csv' does not exist"]));
        rejects(&folder, case(&train("d/"), if flag == "--model" { IO } else { USAGE }, &["d/"]));
    }
    rejects(&folder, case("train t.csv --target y --model d", IO, &["d: is a folder"]));
    rejects(&folder, case("train t.csv --target y --model .", IO, &[".: is a folder"]));
    rejects(&folder, case("train t.csv --target y --model new/", IO, &["new/: is no name of a file"]));
    rejects(&folder, case("predict m.st t.csv --out absent/p.csv", IO, &["absent/p.csv", "does not exist"]));
    rejects(&folder, case("predict m.st t.csv --out d", IO, &["d: is a folder"]));
    rejects(&folder, case("inspect m.st --diagram absent/n.svg", IO, &["absent/n.svg", "does not exist"]));
    for flag in ["--plot", "--diagram"] {
        let says = ["x.png: PNG is not supported: use .svg"];
        rejects(&folder, case(&format!("train t.csv --target y {flag} x.png"), USAGE, &says));
        let says = ["x: a picture's name must end in .svg"];
        rejects(&folder, case(&format!("train t.csv --target y {flag} x"), USAGE, &says));
    }
    rejects(&folder, case("inspect m.st --weights w.svg", USAGE, &["images", "table"]));
}

#[cfg(target_os = "linux")]
#[test]
fn places_that_the_system_does_not_give() {
    let folder = trained();
    let long = format!("{}.svg", "x".repeat(300));
    for (line, says) in [
        ("train t.csv --target y --model /dev/full", ["/dev/full", "No space left"]),
        ("train t.csv --target y --model /proc/m.st", ["/proc/m.st", "os error"]),
        ("train t.csv --target y --plot /proc/m.svg", ["/proc/m.svg", "os error"]),
        ("predict m.st t.csv --out /dev/full", ["/dev/full", "No space left"]),
        ("predict m.st t.csv --out /proc/p.csv", ["/proc/p.csv", "os error"]),
        ("inspect m.st --diagram /proc/n.svg", ["/proc/n.svg", "os error"]),
        (&format!("train t.csv --target y --plot {long}"), [&long, "too long"]),
    ] {
        rejects(&folder, case(line, IO, &says));
    }
    // What cannot be written is known before the training: not even the file's columns are looked at.
    rejects(&folder, case("train absent.csv --target y --model /proc/m.st", IO, &["/proc/m.st"]));
    // The figures are not lost with the file.
    let run = folder.run("train t.csv --target y --model /dev/full");
    assert!(run.stderr.contains("held out (8 rows)"), "{}", run.stderr);
}

#[cfg(unix)]
#[test]
fn files_that_are_protected_or_linked() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = trained();
    let kept = folder.write("kept.st", "kept");
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o444)).expect("permissions");
    for force in ["", "--force"] {
        let says: &[&str] = &["kept.st", if force.is_empty() { "exists already" } else { "write-protected" }];
        rejects(&folder, case(&format!("train t.csv --target y --model kept.st {force}"), IO, says));
        rejects(&folder, case(&format!("predict m.st t.csv --out kept.st {force}"), IO, says));
    }
    symlink("absent/m.st", folder.path("astray.st")).expect("a link");
    rejects(&folder, case("train t.csv --target y --model astray.st", IO, &["astray.st", "/absent' does not exist"]));
    symlink("circle.st", folder.path("circle.st")).expect("a link");
    rejects(&folder, case("train t.csv --target y --model circle.st --force", IO, &["circle.st", "leads to no file"]));
    // Where a link points to a file that is not there yet, that one is written.
    symlink("new.st", folder.path("first.st")).expect("a link");
    folder.must("train t.csv --target y --model first.st");
    assert!(folder.path("first.st").is_symlink());
    folder.must("inspect new.st");
    // Through a link, the file it points to is replaced and the link stays.
    folder.write("old.st", "old");
    symlink("old.st", folder.path("link.st")).expect("a link");
    rejects(&folder, case("train t.csv --target y --model link.st", IO, &["link.st: exists already"]));
    folder.must("train t.csv --target y --model link.st --force");
    assert!(folder.path("link.st").is_symlink());
    assert_ne!(folder.read("old.st"), b"old");
    folder.must("inspect old.st");
    // A folder in which nothing may be created; to root everything may.
    fs::create_dir(folder.path("locked")).expect("a folder");
    fs::set_permissions(folder.path("locked"), fs::Permissions::from_mode(0o555)).expect("permissions");
    if fs::write(folder.path("locked/trial"), "").is_err() {
        rejects(&folder, case("train t.csv --target y --model locked/m.st", IO, &["locked/m.st", "ermission"]));
    }
}

#[test]
fn files_that_exist_are_replaced_only_by_force() {
    let folder = trained();
    for name in ["old.st", "old.svg", "old.csv"] {
        folder.write(name, "old");
    }
    for (line, name) in [
        ("train t.csv --target y --model old.st", "old.st"),
        ("train t.csv --target y --plot old.svg", "old.svg"),
        ("train t.csv --target y --diagram old.svg", "old.svg"),
        ("train t.csv --target y --model new.st --plot old.svg", "old.svg"),
        ("train t.csv --target y --cv 2 --model old.st", "old.st"),
        ("predict m.st t.csv --out old.csv", "old.csv"),
        ("inspect m.st --diagram old.svg", "old.svg"),
    ] {
        rejects(&folder, case(line, IO, &[name, "exists already", "--force"]));
        folder.must(&format!("{line} --force"));
        assert_ne!(folder.read(name), b"old", "{line}");
        folder.write(name, "old");
        let _ = fs::remove_file(folder.path("new.st"));
    }
    // A file is as open to others as it was.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder.path("old.st"), fs::Permissions::from_mode(0o600)).expect("permissions");
        folder.must("train t.csv --target y --model old.st --force");
        let mode = fs::metadata(folder.path("old.st")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn one_name_for_two_things() {
    let folder = trained();
    for line in [
        "train t.csv --target y --model t.csv --force",
        "train t.csv --target y --model ./t.csv --force",
        "train ./t.csv --target y --model t.csv --force",
        "predict m.st t.csv --out t.csv --force",
        "predict m.st t.csv --out m.st --force",
        "predict m.st t.csv --out ./m.st --force",
    ] {
        rejects(&folder, case(line, USAGE, &["output file", "another file than the input"]));
    }
    for line in [
        "train t.csv --target y --plot n.svg --diagram n.svg",
        "train t.csv --target y --plot n.svg --diagram ./n.svg",
        "train t.csv --target y --model n.svg --diagram n.svg",
        "train t.csv --target y --model n.svg --diagram n.svg --force",
    ] {
        rejects(&folder, case(line, USAGE, &["output files", "different names", "twice"]));
    }
    let model = folder.read("m.st");
    folder.write("n.svg", model);
    rejects(&folder, case("inspect n.svg --diagram n.svg --force", USAGE, &["another file than the input"]));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("t.csv", folder.path("link.csv")).expect("a link");
        let line = "train t.csv --target y --model link.csv --force";
        rejects(&folder, case(line, USAGE, &["another file than the input"]));
        std::os::unix::fs::symlink("new.svg", folder.path("link.svg")).expect("a link");
        let line = "train t.csv --target y --plot new.svg --diagram link.svg";
        rejects(&folder, case(line, USAGE, &["different names", "'link.svg' twice"]));
    }
}
