//! The BLAS libraries that tests load: the one that `DELTARULE_BLAS` names, and specimens compiled here.
#![allow(dead_code, reason = "each harness uses a part")]

use deltarule::engine::{Backend, Engine};
use deltarule::simd::Isa;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that names a library for the tests of every backend.
pub const VARIABLE: &str = "DELTARULE_BLAS";

/// The engines that multiply through a BLAS: the one that is linked, if one is, and the one that `DELTARULE_BLAS` names, if it
/// names one.
pub fn engines() -> Vec<Engine> {
    let mut backends = Vec::new();
    if Backend::Blas.available() {
        backends.push(Backend::Blas);
    }
    if let Ok(name) = std::env::var(VARIABLE)
        && !name.is_empty()
    {
        backends.push(Backend::parse(&name).unwrap_or_else(|e| panic!("{VARIABLE}={name}: {e}")));
    }
    let engine = |backend| Engine::new(Isa::best(), backend).unwrap_or_else(|e| panic!("{backend}: {e}"));
    backends.into_iter().map(engine).collect()
}

/// Compiles `specimen.c` with these macros defined into a library in `folder`; nothing where there is no C compiler.
pub fn specimen(folder: &Path, name: &str, macros: &[&str]) -> Option<PathBuf> {
    let source = folder.join("specimen.c");
    std::fs::write(&source, include_str!("specimen.c")).expect("a file in a temporary folder");
    let library = folder.join(format!("lib{name}.so"));
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-fPIC", "-shared", "-o"]).arg(&library).arg(&source);
    compiler.args(macros.iter().map(|definition| format!("-D{definition}")));
    match compiler.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "cc: {said}");
            Some(library)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: specimen '{name}', for there is no C compiler");
            None
        }
        Err(error) => panic!("cc: {error}"),
    }
}
