//! `deltarule gradcheck --suite`: what a new machine, a new backend or a new BLAS is tried with.

use super::{Outcome, write_junit};
use crate::args::Gradcheck;
use crate::commands::engine;
use crate::report;
use deltarule::Result;
use deltarule::gradcheck::Verdict;
use deltarule::gradcheck::junit::Case;
use deltarule::verify::specimens::{self, Detection};
use deltarule::verify::suite::{self, Settings};
use indicatif::ProgressBar;
use serde_json::json;
use std::io::IsTerminal;

/// On how many subjects each wrong gradient is tried.
const SUBJECTS: u64 = 5;

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
    // Of a single network again, the checker is not to be checked.
    let detection = if args.network.is_some() { None } else { Some(specimens::detection(engine, SUBJECTS)?) };
    if args.json {
        let machine = json!({ "isa": engine.isa().name(), "gemm": engine.backend().to_string() });
        report::print_json(&json!({ "machine": machine, "suite": findings, "specimens": detection }))?;
    } else {
        report::print_line(&format!("{}, {}\n{findings}", engine.isa(), engine.backend()))?;
        if let Some(detection) = &detection {
            let told = detection.missed.iter().chain(&detection.alarms).map(|line| format!("\n{line}"));
            report::print_line(&format!("specimens  {detection}{}", told.collect::<String>()))?;
        }
    }
    let complete = detection.as_ref().is_none_or(Detection::is_complete);
    if let Some(path) = &args.junit {
        let specimens = detection.as_ref().map(|found| Case {
            name: "wrong gradients are found".into(),
            verdict: if complete { Verdict::Verified } else { Verdict::Wrong },
            summary: found.to_string(),
            detail: [&found.missed[..], &found.alarms].concat().join("\n"),
        });
        let specimens = specimens.into_iter().collect();
        write_junit(path, vec![("suite", findings.cases()), ("specimens", specimens)], args.force)?;
    }
    Ok(if findings.verdict == Verdict::Verified && complete { Outcome::Done } else { Outcome::CheckFailed })
}
