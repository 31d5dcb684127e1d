//! Which library this is, and on what machine.

use crate::abi::{self, Build, Struct};
use crate::border::{In, Out, export, export_plain};
use crate::handle;
use deltarule::prelude::Engine;
use std::ffi::{CStr, c_char};

/// The version, with the zero that C ends a text with.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// The number of the binary interface, which changes where something that was compiled before would no longer work.
pub const ABI_VERSION: u32 = 0;

fn version() -> &'static CStr {
    CStr::from_bytes_with_nul(VERSION.as_bytes()).unwrap_or(c"")
}

/// A name of the library's, as C has it.
fn name(of: &str) -> &'static CStr {
    let known = [c"portable", c"avx2", c"avx512", c"neon", c"embedded", c"blas"];
    known.into_iter().find(|name| name.to_bytes() == of.as_bytes()).unwrap_or(c"unknown")
}

/// Part of the version: 0 major, 1 minor, 2 patch.
fn version_part(part: usize) -> u32 {
    env!("CARGO_PKG_VERSION").split('.').nth(part).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The size of a struct, as this library has it.
fn size_of_struct(which: i32) -> Option<usize> {
    let sizes = [
        (Struct::Layer, size_of::<abi::Layer>()),
        (Struct::BatchF32, size_of::<abi::Batch<f32>>()),
        (Struct::BatchF64, size_of::<abi::Batch<f64>>()),
        (Struct::Value, size_of::<abi::Value>()),
        (Struct::Epoch, size_of::<abi::Epoch>()),
        (Struct::TrainOptions, size_of::<abi::TrainOptions>()),
        (Struct::History, size_of::<abi::History>()),
        (Struct::GradcheckOptions, size_of::<abi::GradcheckOptions>()),
        (Struct::GradcheckReport, size_of::<abi::GradcheckReport>()),
        (Struct::NetworkSizes, size_of::<abi::NetworkSizes>()),
        (Struct::LayerPlace, size_of::<abi::LayerPlace>()),
        (Struct::ModelFacts, size_of::<abi::ModelFacts>()),
        (Struct::Build, size_of::<Build>()),
    ];
    sizes.into_iter().find(|(known, _)| *known as i32 == which).map(|(_, size)| size)
}

export_plain! {
    /// The library's version, such as "0.1.0"; the header's is DELTARULE_VERSION. The text stays.
    fn deltarule_version() -> In<c_char> {
        In::of_text(version())
    }

    /// The library's version as a number: 10000 major + 100 minor + patch; the header's is DELTARULE_VERSION_NUMBER.
    fn deltarule_version_number() -> u32 {
        10_000 * version_part(0) + 100 * version_part(1) + version_part(2)
    }

    /// The number of the library's binary interface; a program is sound with a library whose number is the header's
    /// DELTARULE_ABI_VERSION.
    fn deltarule_abi_version() -> u32 {
        ABI_VERSION
    }

    /// The size in bytes of a struct as the library has it (a deltarule_struct), to be held against sizeof; 0 of one that it does not
    /// know. Structs that begin with their size may differ.
    fn deltarule_abi_size(which: i32) -> usize {
        size_of_struct(which).unwrap_or(0)
    }
}

export! {
    /// What this library is and what it found on this machine. The texts stay.
    fn deltarule_build_info(call, build: Out<Build>) {
        let report = call.report("build", build)?;
        let engine = Engine::default();
        report.set(Build {
            size: 0,
            version: In::of_text(version()),
            isa: In::of_text(name(engine.isa().name())),
            gemm: In::of_text(name(engine.backend().name())),
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            abi_version: ABI_VERSION,
            objects: u32::try_from(handle::count()).unwrap_or(u32::MAX),
        });
        Ok(())
    }
}
