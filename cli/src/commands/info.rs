//! `deltarule info`: what this build does on this machine.

use super::{Outcome, blas_core, blas_warning, machine};
use crate::args::Info;
use crate::report;
use deltarule::Result;
use deltarule::engine::Backend;
use deltarule::simd::Isa;
use serde_json::json;

pub fn run(args: &Info) -> Result<Outcome> {
    let (engine, threads) = machine(&args.machine)?;
    let available: Vec<_> = Isa::available().map(|isa| isa.name()).collect();
    let version = env!("CARGO_PKG_VERSION");
    if args.json {
        report::print_json(&json!({
            "version": version,
            "isa": engine.isa().name(),
            "isa_available": available,
            "gemm": engine.backend().name(),
            "blas_core": blas_core(),
            "threads": threads.count(),
        }))?;
        return Ok(Outcome::Done);
    }
    let kernels = format!("{} (of {}; DELTARULE_ISA chooses)", engine.isa(), available.join(", "));
    let gemm = match engine.backend() {
        Backend::Embedded => format!("embedded ({})", engine.isa()),
        Backend::Blas => format!("blas, core {}", blas_core().unwrap_or_else(|| "unknown".into())),
    };
    let blas = match (Backend::Blas.available(), blas_core()) {
        (false, _) => "not in this build (cargo feature openblas)".into(),
        (true, core) => format!("linked, core {}", core.unwrap_or_else(|| "unknown".into())),
    };
    let warning = blas_warning().map(|w| format!("\nwarning    {w}")).unwrap_or_default();
    report::print_line(&format!(
        "version    {version}\nkernels    {kernels}\ngemm       {gemm}\nblas       {blas}\nthreads    {}{warning}",
        threads.count()
    ))?;
    Ok(Outcome::Done)
}
