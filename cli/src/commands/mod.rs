//! A file for each command, and what several share.

mod evaluate;
mod export;
mod gradcheck;
mod import;
mod info;
mod inspect;
mod predict;
mod train;

use crate::args::{Command, Machine, Multiply};
use crate::report;
use deltarule::engine::{Backend, Engine};
use deltarule::file::{self, Existing};
use deltarule::gemm::blas::{Core, Library};
use deltarule::simd::Isa;
use deltarule::threads::Threads;
use deltarule::{Error, Result};
use deltarule_exchange::{AnyModel, with_model};
use std::path::Path;

/// How a command ended that met no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Done,
    /// It checked something, and that is wrong.
    CheckFailed,
    /// A signal ended it early, and in order; with the exit code.
    Interrupted(u8),
}

/// Runs a command.
///
/// **Errors**, of all commands, if `DELTARULE_ISA` names no instruction set of this machine: the library would take another.
pub fn run(command: Command) -> Result<Outcome> {
    Isa::from_environment()?;
    match command {
        Command::Train(args) => train::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Gradcheck(args) => gradcheck::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Info(args) => info::run(&args),
    }
}

/// The engine and threads that were asked for.
fn machine(args: &Machine) -> Result<(Engine, Threads)> {
    // Before there are threads: an OpenBLAS can be told its core only by the environment, which they may read.
    let engine = engine(&args.multiply)?;
    Ok((engine, Threads::new(args.threads)?))
}

/// The engine that was asked for; what makes a BLAS slow is warned about.
fn engine(args: &Multiply) -> Result<Engine> {
    let backend = Backend::parse_with_core(&args.gemm, &core(args)?)?;
    if let Some(library) = backend.blas() {
        warnings(library).iter().for_each(|warning| report::say(&format!("warning: {warning}")));
    }
    Engine::new(Isa::from_environment()?, backend)
}

/// The kernels that were asked for.
fn core(args: &Multiply) -> Result<Core> {
    args.blas_core.as_deref().map_or(Ok(Core::Detected), Core::parse)
}

/// What makes a library slow, and what this command can do about it.
fn warnings(library: Library) -> Vec<String> {
    let loaded = Some(library) != Library::linked();
    let mend = |warning: &String| match warning.contains("OPENBLAS_CORETYPE") && loaded {
        true => format!("{warning} (--blas-core auto does the first)"),
        false => warning.clone(),
    };
    library.about().warnings.iter().map(mend).collect()
}

/// Refuses outputs that cannot be written before hours of work, not after: also two under one name, and one that would
/// replace an input.
fn check_outputs(outputs: &[&Path], inputs: &[&Path], existing: Existing) -> Result<()> {
    for (i, path) in outputs.iter().enumerate() {
        file::check_writable(path, existing)?;
        let found = || format!("'{}'", path.display());
        if outputs[..i].iter().any(|other| file::is_same(other, path)) {
            return Err(Error::setting("output files", "different names", format!("{} twice", found())));
        }
        if inputs.iter().any(|input| file::is_same(input, path)) {
            return Err(Error::setting("output file", "another file than the input", found()));
        }
    }
    Ok(())
}

/// What `--force` says.
fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Keep }
}

/// Reads a list of widths such as `100,50`, or `none`.
fn widths(name: &str, text: &str) -> Result<Vec<usize>> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let width = |part: &str| {
        let found = format!("'{text}'");
        part.trim()
            .parse()
            .ok()
            .filter(|&n| n > 0)
            .ok_or_else(|| Error::setting(name, "whole numbers above 0 such as 100,50, or 'none'", found))
    };
    text.split(',').map(width).collect()
}
