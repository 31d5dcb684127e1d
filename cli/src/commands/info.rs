//! `deltarule info`: what this build does on this machine.

use super::{Outcome, core, machine, warnings};
use crate::args::Info;
use crate::report;
use deltarule::engine::Backend;
use deltarule::gemm::blas::{Library, SelfTest};
use deltarule::simd::Isa;
use deltarule::{Error, Result};
use serde_json::{Value, json};

pub fn run(args: &Info) -> Result<Outcome> {
    // The library first, and both before there are threads.
    let asked = args.blas.as_ref().map(|name| Library::load(name, &core(&args.machine.multiply)?)).transpose()?;
    let mut chosen = args.machine.clone();
    if asked.is_some() && ["embedded", "blas"].contains(&chosen.multiply.gemm.as_str()) {
        // The core was that library's.
        chosen.multiply.blas_core = None;
    }
    let (engine, threads) = machine(&chosen)?;
    let library = asked.or(engine.backend().blas()).or(Library::linked());
    let tested = library.map(|library| (library, library.self_test()));
    let available: Vec<_> = Isa::available().map(|isa| isa.name()).collect();
    let version = env!("CARGO_PKG_VERSION");
    let outcome = match &tested {
        Some((_, Err(Error::Check(_)))) => Outcome::CheckFailed,
        _ => Outcome::Done,
    };
    if args.json {
        report::print_json(&json!({
            "version": version,
            "isa": engine.isa().name(),
            "isa_available": available,
            "gemm": engine.backend().name(),
            "blas_core": library.and_then(|library| library.about().core.as_ref()),
            "blas": tested.as_ref().map(|(library, tested)| describe(*library, tested)),
            "threads": threads.count(),
        }))?;
        return Ok(outcome);
    }
    let mut text = format!("version    {version}\n");
    text += &format!("kernels    {} (of {}; DELTARULE_ISA chooses)\n", engine.isa(), available.join(", "));
    text += &match engine.backend() {
        Backend::Embedded => format!("gemm       embedded ({})\n", engine.isa()),
        backend => format!("gemm       {backend}\n"),
    };
    text += &match &tested {
        None => "blas       none in this build (cargo feature openblas); --blas describes a library\n".into(),
        Some((library, tested)) => lines(*library, tested),
    };
    report::print_line(&report::printable(&format!("{text}threads    {}", threads.count())))?;
    // Of the one that was chosen, the warnings are given already.
    if let Some(library) = library.filter(|library| engine.backend().blas() != Some(*library)) {
        warnings(library).iter().for_each(|warning| report::say(&format!("warning: {warning}")));
    }
    Ok(outcome)
}

/// A library, for people.
fn lines(library: Library, tested: &Result<SelfTest>) -> String {
    let about = library.about();
    let unknown = || "unknown".to_string();
    let prefix = if about.prefix.is_empty() { "none" } else { about.prefix };
    let tested = match tested {
        Ok(test) => format!("{} products right, {:.1} ms", test.products, 1e3 * test.duration.as_secs_f64()),
        Err(fault) => format!("FAILED: {fault}"),
    };
    format!(
        "blas       {}{}\n  version    {}\n  core       {}\n  threads    {}\n  prefix     {prefix}\n  self-test  {tested}\n",
        about.name,
        if Some(library) == Library::linked() { " (linked)" } else { "" },
        about.version.clone().unwrap_or_else(unknown),
        about.core.clone().unwrap_or_else(unknown),
        about.threads.map_or_else(unknown, |n| n.to_string()),
    )
}

/// A library, for machines.
fn describe(library: Library, tested: &Result<SelfTest>) -> Value {
    let about = library.about();
    json!({
        "name": about.name,
        "linked": Some(library) == Library::linked(),
        "version": about.version,
        "core": about.core,
        "threads": about.threads,
        "prefix": about.prefix,
        "warnings": about.warnings,
        "self_test": match tested {
            Ok(test) => json!({
                "passed": true, "products": test.products, "seconds": test.duration.as_secs_f64(), "fault": null,
            }),
            Err(fault) => json!({ "passed": false, "products": null, "seconds": null, "fault": fault.to_string() }),
        },
    })
}
