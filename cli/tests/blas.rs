//! BLAS libraries from the command line: described, chosen, told their core, refused.
//!
//! The libraries are specimens of `tests/blas`, compiled here; without a C compiler the tests that need them are skipped.

#[path = "../../tests/blas/mod.rs"]
mod blas;
mod command;

use command::data::{classes, csv};
use command::{Case, Deltarule, Folder, Run};

/// A folder with a table and the specimen with these macros.
fn with_specimen(macros: &[&str]) -> Option<Folder> {
    let folder = Folder::new();
    folder.write("t.csv", csv("a,b,y", &classes()));
    blas::specimen(&folder.path("."), "blas", macros)?;
    std::fs::remove_file(folder.path("specimen.c")).expect("the source");
    Some(folder)
}

/// The command, in an environment that names no core.
fn command(folder: &Folder, line: &str) -> Deltarule {
    folder.command().words(line).env("OPENBLAS_CORETYPE", "")
}

fn must(folder: &Folder, line: &str) -> Run {
    let run = command(folder, line).run();
    assert_eq!(run.code(), 0, "deltarule {line}\n{}", run.stderr);
    run
}

fn rejects(folder: &Folder, line: &str, code: i32, says: &[&str]) {
    command::rejects_command(folder, command(folder, line), Case { line, code, says });
}

#[test]
fn info_describes_and_tests_a_library() {
    let Some(folder) = with_specimen(&["PREFIX=scipy_"]) else { return };
    let run = must(&folder, "info --blas ./libblas.so");
    for part in ["./libblas.so", "OpenBLAS 9.8.7", "Prescott", "threads    1", "scipy_", "products right"] {
        assert!(run.text().contains(part), "{part:?} in {}", run.text());
    }
    let info = must(&folder, "info --blas ./libblas.so --json").json();
    assert_eq!((&info["gemm"], &info["blas_core"]), (&"embedded".into(), &"Prescott".into()));
    let library = &info["blas"];
    assert_eq!((&library["name"], &library["linked"]), (&"./libblas.so".into(), &false.into()));
    assert_eq!((&library["version"], &library["prefix"]), (&"OpenBLAS 9.8.7".into(), &"scipy_".into()));
    assert_eq!((&library["threads"], &library["self_test"]["passed"]), (&1.into(), &true.into()));
    let seconds = library["self_test"]["seconds"].as_f64().expect("a number");
    assert!(seconds > 0.0 && seconds < 1.0, "{seconds}");
    let chosen = must(&folder, "info --gemm ./libblas.so --json").json();
    assert_eq!((&chosen["gemm"], &chosen["blas"]["name"]), (&"./libblas.so".into(), &"./libblas.so".into()));
}

#[test]
fn a_model_is_trained_through_a_library_with_the_same_bits_for_any_threads() {
    let Some(folder) = with_specimen(&[]) else { return };
    let line = "train t.csv --target y --epochs 3 --json --gemm";
    let hash = |more: &str| must(&folder, &format!("{line} {more}")).json()["parameters_sha256"].clone();
    let one = hash("./libblas.so --threads 1");
    assert_eq!(hash("./libblas.so --threads 3"), one);
    // Sums in another order, so that it is not the embedded GEMM which was tested here.
    assert_ne!(hash("embedded"), one);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_core_is_told_before_the_library_is_loaded() {
    let Some(folder) = with_specimen(&[]) else { return };
    let core = |line: &str| {
        let run = must(&folder, &format!("{line} --json"));
        (run.json()["blas_core"].as_str().expect("a name").to_string(), run.stderr)
    };
    assert_eq!(core("info --blas ./libblas.so --blas-core Nehalem").0, "Nehalem");
    assert_eq!(core("info --gemm ./libblas.so --blas-core Nehalem").0, "Nehalem");
    let (detected, said) = core("info --gemm ./libblas.so");
    assert_eq!(detected, "Prescott");
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        assert!(said.contains("warning: ") && said.contains("--blas-core auto"), "{said}");
        let (chosen, said) = core("info --gemm ./libblas.so --blas-core auto");
        assert!(["SkylakeX", "Haswell"].contains(&chosen.as_str()), "{chosen}");
        assert!(!said.contains("warning"), "{said}");
        let said = must(&folder, "train t.csv --target y --epochs 2 --gemm ./libblas.so").stderr;
        assert!(said.contains("warning: OpenBLAS does not know this CPU"), "{said}");
    }
    // Who has set the variable has chosen.
    let line = "info --blas ./libblas.so --blas-core auto --json";
    let run = folder.command().words(line).env("OPENBLAS_CORETYPE", "Penryn").run();
    assert_eq!(run.json()["blas_core"], "Penryn");
}

#[test]
fn a_library_that_computes_wrongly_is_a_check_that_failed() {
    let Some(folder) = with_specimen(&["WRONG=(m==625&&i==7&&j==9)"]) else { return };
    let says = ["computes wrongly", "625 x 5 times 5 x 625", "C[7, 9]: expected ", ", found "];
    rejects(&folder, "train t.csv --target y --model m --gemm ./libblas.so", 1, &says);
    rejects(&folder, "info --gemm ./libblas.so", 1, &says);
    // Asked what it is, the command says so all the same.
    let run = command(&folder, "info --blas ./libblas.so --json").run();
    let library = &run.json()["blas"];
    assert_eq!((run.code(), &library["self_test"]["passed"]), (1, &false.into()));
    assert!(library["self_test"]["fault"].as_str().expect("a text").contains(says[2]));
    let run = command(&folder, "info --blas ./libblas.so").run();
    assert!(run.code() == 1 && run.text().contains("FAILED: ") && run.text().contains("9.8.7"), "{}", run.text());
}

#[test]
fn what_is_no_usable_library_is_refused() {
    let folder = Folder::new();
    folder.write("t.csv", csv("a,b,y", &classes()));
    folder.write("text.so", "not a library");
    for (line, code, says) in [
        ("info --blas ./text.so", 2, &["BLAS library", "text.so' ("][..]),
        ("info --blas ./missing.so", 6, &["missing.so: "]),
        ("info --blas ./", 6, &["./: "]),
        ("info --gemm nothing", 2, &["--gemm", "embedded or blas", "openblas, mkl, blis, accelerate", "'nothing' ("]),
        ("train t.csv --target y --gemm ./text.so --model m", 2, &["--gemm", "text.so"]),
        ("train t.csv --target y --gemm ./missing.so --model m", 6, &["missing.so: "]),
        ("train t.csv --target y --blas-core auto", 2, &["--blas-core", "'embedded'"]),
        ("info --gemm blas --blas-core auto", 2, &["--blas-core", "'blas'"]),
        ("info --gemm ./missing.so --blas-core a=b", 2, &["--blas-core", "'a=b'"]),
    ] {
        rejects(&folder, line, code, says);
    }
}

/// OpenBLAS 0.3.21 would wait for memory for ever.
#[test]
#[cfg(target_os = "linux")]
fn a_library_is_not_loaded_where_it_would_hang() {
    let Some(folder) = with_specimen(&[]) else { return };
    let line = "info --blas ./libblas.so";
    let says = ["loading a BLAS", "address space", "needs ", " bytes"];
    command::rejects_command(&folder, folder.limited(300_000).words(line), Case { line, code: 7, says: &says });
}

#[test]
fn integers_of_64_bits_and_missing_functions_are_refused() {
    for (macros, says) in [
        (&["INTEGER=long"][..], &["32 bits (LP64)", "64 bits (ILP64)", "libopenblas0"][..]),
        (&["PREFIX=scipy_", "SUFFIX=64_", "INTEGER=long"], &["32 bits (LP64)", "scipy-openblas32"]),
        (&["NO_CBLAS"], &["cblas_sgemm and cblas_dgemm", "neither in './libblas.so'"]),
    ] {
        let Some(folder) = with_specimen(macros) else { return };
        rejects(&folder, "info --blas ./libblas.so", 2, says);
        rejects(&folder, "train t.csv --target y --gemm ./libblas.so", 2, says);
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_core_that_cannot_be_had_is_refused() {
    let Some(folder) = with_specimen(&["ONE_CORE"]) else { return };
    rejects(&folder, "info --blas ./libblas.so --blas-core Nehalem", 2, &["--blas-core", "'Nehalem'", "'Prescott'"]);
    if !is_x86_feature_detected!("avx512f") {
        rejects(&folder, "info --blas ./libblas.so --blas-core SkylakeX", 2, &["--blas-core", "512 bits"]);
    }
    let Some(folder) = with_specimen(&["NO_OPENBLAS"]) else { return };
    rejects(&folder, "info --blas ./libblas.so --blas-core Nehalem", 2, &["--blas-core", "OpenBLAS"]);
    assert_eq!(
        must(&folder, "info --blas ./libblas.so --blas-core auto --json").json()["blas"]["core"],
        serde_json::Value::Null
    );
}
