//! `deltarule gradcheck --suite`: what a new machine, a new backend or a new BLAS is tried with.

use super::{Outcome, outcome, write_junit};
use crate::args::Gradcheck;
use crate::commands::engine;
use crate::report;
use deltarule::Result;
use deltarule::verify::suite::{self, Settings};
use indicatif::ProgressBar;
use serde_json::json;
use std::io::IsTerminal;

pub fn run(args: &Gradcheck) -> Result<Outcome> {
    let engine = engine(&args.multiply)?;
    let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(0));
    let settings = Settings { engine, seed: args.seed, only: args.network };
    let findings = suite::run(settings, &mut |done, of| {
        if let Some(bar) = &bar {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        }
    })?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    if args.json {
        let machine = json!({ "isa": engine.isa().name(), "gemm": engine.backend().to_string() });
        report::print_json(&json!({ "machine": machine, "suite": findings }))?;
    } else {
        report::print_line(&format!("{}, {}\n{findings}", engine.isa(), engine.backend()))?;
    }
    if let Some(path) = &args.junit {
        write_junit(path, vec![("suite", findings.cases())], args.force)?;
    }
    Ok(outcome(findings.verdict))
}
