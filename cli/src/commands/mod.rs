//! A file for each command, and what several share.

mod evaluate;
mod gradcheck;
mod info;
mod inspect;
mod predict;
mod train;

use crate::args::{Command, Machine};
use deltarule::engine::{Backend, Engine};
use deltarule::model::{self, Dtype, Model};
use deltarule::simd::Isa;
use deltarule::threads::Threads;
use deltarule::{Error, Result};
use std::path::Path;

/// How a command ended that met no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Done,
    /// It checked something, and that is wrong.
    CheckFailed,
}

/// Runs a command.
pub fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Train(args) => train::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Gradcheck(args) => gradcheck::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Info(args) => info::run(&args),
    }
}

/// The engine and threads that were asked for; a slow BLAS core is warned about.
fn machine(args: &Machine) -> Result<(Engine, Threads)> {
    let engine = Engine::new(Isa::from_environment()?, Backend::parse(&args.gemm)?)?;
    if engine.backend() == Backend::Blas {
        if let Some(warning) = blas_warning() {
            eprintln!("warning: {warning}");
        }
    }
    Ok((engine, Threads::new(args.threads)?))
}

/// The core that a linked OpenBLAS chose.
fn blas_core() -> Option<String> {
    #[cfg(feature = "openblas")]
    return deltarule::gemm::blas::core_name();
    #[cfg(not(feature = "openblas"))]
    None
}

/// Why a linked OpenBLAS will be slow, if it will.
fn blas_warning() -> Option<String> {
    #[cfg(feature = "openblas")]
    return deltarule::gemm::blas::warning();
    #[cfg(not(feature = "openblas"))]
    None
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

/// A model of either precision: the one place where the command chooses.
enum AnyModel {
    F32(Model<f32>),
    F64(Model<f64>),
}

impl AnyModel {
    fn load(path: &Path) -> Result<Self> {
        let bytes = model::read(path)?;
        Ok(match model::peek_dtype(&bytes, path)? {
            Dtype::F32 => Self::F32(Model::from_bytes(&bytes, path)?),
            Dtype::F64 => Self::F64(Model::from_bytes(&bytes, path)?),
        })
    }
}

/// Runs the same code on a model of either precision.
macro_rules! with_model {
    ($any:expr, $model:ident => $body:expr) => {
        match $any {
            $crate::commands::AnyModel::F32($model) => $body,
            $crate::commands::AnyModel::F64($model) => $body,
        }
    };
}
use with_model;
