//! Thousands of random networks of every kind, each before all witnesses: what a new machine, a new backend or a new kernel is tried with.
//!
//! The catalogue is the product of activation x loss x depth 0 to 3 x sample weights x penalty x precision, each combination once; sizes,
//! rows, biases, constants, weights and targets are drawn. To it come wider networks, for products larger than a tile, and networks of every
//! activation, loss and depth under dropout and noise on their inputs, with one draw of it for all witnesses. Of each network are
//! checked: the gradient of every parameter (of a wide one, some of each tensor) by differences, dual numbers and a complex step; the
//! gradient in the network's own precision, entry by entry, to its rounding bound; the gradient of the inputs; and the Hessian's product
//! with a random vector. What fails is made smaller for as long as it fails, and named with its number, by which it can be had again.

mod findings;
mod subject;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gradcheck::Verdict;
use crate::rng::Rng;
pub use findings::{Class, Failure, Findings};
use std::time::Instant;
use subject::{Subject, kinds};

/// Which networks, and who computes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Instruction set and GEMM backend.
    pub engine: Engine,
    /// What sizes and numbers are drawn from.
    pub seed: u64,
    /// Only the network of this number, from 0.
    pub only: Option<usize>,
}

/// Failures that are made smaller and told.
const MOST_FAILURES: usize = 5;

/// Runs the suite; `observe` is told after each network how many there were and are.
///
/// **Determinism**: the same findings for the same settings, but for the seconds. **Errors**: a number that no network has;
/// what fails is in the findings.
pub fn run(settings: Settings, observe: &mut dyn FnMut(usize, usize)) -> Result<Findings> {
    let started = Instant::now();
    let kinds = kinds();
    if let Some(number) = settings.only.filter(|&number| number >= kinds.len()) {
        return Err(Error::setting("number of a network", format!("0 to {}", kinds.len() - 1), number));
    }
    let mut findings = Findings::new();
    for (number, &kind) in kinds.iter().enumerate() {
        if settings.only.is_some_and(|only| only != number) {
            continue;
        }
        let mut rng = Rng::with_stream(settings.seed, number as u64);
        let subject = Subject::draw(kind, &mut rng)?;
        findings.networks += 1;
        let reports = subject.check(settings.engine, number as u64);
        let failed = reports.iter().any(|(_, report)| !matches!(report, Ok(r) if r.verdict != Verdict::Wrong));
        findings.add(kind.classes(), &reports);
        if failed {
            findings.wrong_networks += 1;
            if findings.failures.len() < MOST_FAILURES {
                findings.failures.push(smallest(number, subject, settings.engine));
            }
        }
        observe(number + 1, kinds.len());
    }
    let all = [findings.parameters, findings.precision, findings.inputs, findings.curvature];
    findings.verdict = match findings.wrong_networks {
        0 => Verdict::of(all.into_iter()),
        _ => Verdict::Wrong,
    };
    findings.seconds = started.elapsed().as_secs_f64();
    Ok(findings)
}

/// Makes a network that fails smaller for as long as it fails.
fn smallest(number: usize, mut subject: Subject, engine: Engine) -> Failure {
    let seed = number as u64;
    let mut report = subject.failure(engine, seed).unwrap_or_else(|| "failed, and then no more".into());
    'shrinking: loop {
        for smaller in subject.smaller() {
            if let Some(said) = smaller.failure(engine, seed) {
                (subject, report) = (smaller, said);
                continue 'shrinking;
            }
        }
        return Failure { network: number, smallest: subject.describe(), report };
    }
}
