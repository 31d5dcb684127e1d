//! Thousands of random networks of every kind, each before all witnesses: what a new machine, a new backend or a new kernel is tried with.
//!
//! The catalogue is the product of activation x loss x depth 0 to 3 x sample weights x penalty x precision, each combination once; sizes,
//! rows, biases, constants, weights and targets are drawn. To it come wider networks, for products larger than a tile. Of each network are
//! checked: the gradient of every parameter (of a wide one, some of each tensor) by differences, dual numbers and a complex step; the
//! gradient in the network's own precision, entry by entry, to its rounding bound; the gradient of the inputs; and the Hessian's product
//! with a random vector. What fails is made smaller for as long as it fails, and named with its number, by which it can be had again.
//!
//! Dropout is no axis yet: no layer drops anything.

mod subject;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gradcheck::junit::Case;
use crate::gradcheck::{Counts, Report, Verdict};
use crate::rng::Rng;
use serde::Serialize;
use std::fmt;
use std::time::Instant;
use subject::{INPUTS, Kind, PARAMETERS, PRECISION, Subject, kinds};

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

/// Networks that have something in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Class {
    /// What they have in common: `activation tanh`, `loss huber`, `depth 2`.
    pub name: String,
    /// How many they are.
    pub networks: usize,
    /// All comparisons.
    #[serde(flatten)]
    pub counts: Counts,
    /// The largest relative error of an entry against differences, kinks apart.
    pub worst: f64,
    /// The largest distance of a gradient to an exact witness, relative to the larger of entry and a thousandth of the largest.
    pub worst_exact: f64,
    /// The largest error of a gradient in the network's own precision, in parts of its bound.
    pub worst_of_bound: f64,
}

/// A network whose check failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// Its number.
    pub network: usize,
    /// What is left of it after it was made smaller.
    pub smallest: String,
    /// Which check, and what it said.
    pub report: String,
}

/// What the suite found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Findings {
    /// The answer: wrong if anything is.
    pub verdict: Verdict,
    /// How many networks were drawn.
    pub networks: usize,
    /// How many of them have something wrong.
    pub wrong_networks: usize,
    /// Gradients of parameters, by differences and exact witnesses.
    pub parameters: Counts,
    /// Gradients in the network's own precision.
    pub precision: Counts,
    /// Gradients of inputs.
    pub inputs: Counts,
    /// Products with the Hessian.
    pub curvature: Counts,
    /// By what networks have in common.
    pub classes: Vec<Class>,
    /// The first that failed.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub seconds: f64,
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
    let mut findings = Findings {
        verdict: Verdict::Inconclusive,
        networks: 0,
        wrong_networks: 0,
        parameters: Counts::default(),
        precision: Counts::default(),
        inputs: Counts::default(),
        curvature: Counts::default(),
        classes: Vec::new(),
        failures: Vec::new(),
        seconds: 0.0,
    };
    for (number, &kind) in kinds.iter().enumerate() {
        if settings.only.is_some_and(|only| only != number) {
            continue;
        }
        let mut rng = Rng::with_stream(settings.seed, number as u64);
        let subject = Subject::draw(kind, &mut rng)?;
        findings.networks += 1;
        let reports = subject.check(settings.engine, number as u64);
        let failed = reports.iter().any(|(_, report)| !matches!(report, Ok(r) if r.verdict != Verdict::Wrong));
        findings.add(kind, &reports);
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

impl Findings {
    /// A test case for each class of networks, and for each failure that was made smaller.
    pub fn cases(&self) -> Vec<Case> {
        let class = |class: &Class| {
            let Counts { checked, verified, kinks, inconclusive, wrong } = class.counts;
            let summary = format!(
                "{} networks, {checked} entries: {verified} verified, {kinks} at a kink, {inconclusive} inconclusive, {wrong} wrong",
                class.networks
            );
            Case { name: class.name.clone(), verdict: class.counts.verdict(), summary, detail: String::new() }
        };
        let failure = |Failure { network, smallest, report }: &Failure| Case {
            name: format!("network {network}"),
            verdict: Verdict::Wrong,
            summary: smallest.clone(),
            detail: report.clone(),
        };
        self.classes.iter().map(class).chain(self.failures.iter().map(failure)).collect()
    }

    fn add(&mut self, kind: Kind, reports: &[(&'static str, Result<Report>)]) {
        let penalty = match kind {
            Kind { l1, .. } if l1 > 0.0 => "l1",
            Kind { l2, .. } if l2 > 0.0 => "l2",
            _ => "none",
        };
        let names = [
            format!("activation {}", kind.activation.name()),
            format!("loss {}", kind.loss.name()),
            if kind.wide { "wide".into() } else { format!("depth {}", kind.depth) },
            format!("penalty {penalty}"),
            format!("weights {}", if kind.weighted { "yes" } else { "no" }),
            format!("precision {}", if kind.single { "f32" } else { "f64" }),
        ];
        for name in names {
            let class = match self.classes.iter().position(|class| class.name == name) {
                Some(at) => &mut self.classes[at],
                None => {
                    self.classes.push(Class { name, ..Class::default() });
                    self.classes.last_mut().expect("the one just pushed")
                }
            };
            class.networks += 1;
            for (what, report) in reports.iter().filter_map(|(what, report)| Some((*what, report.as_ref().ok()?))) {
                class.counts.absorb(&report.counts);
                let of_bound = report.worst_of_estimate();
                match what {
                    PRECISION => class.worst_of_bound = class.worst_of_bound.max(of_bound),
                    _ => class.worst = class.worst.max(report.worst.as_ref().map_or(0.0, |worst| worst.error)),
                }
                let exact = report
                    .disagreements
                    .iter()
                    .filter(|pair| pair.between[0] == "gradient" && pair.between[1] != "differences");
                class.worst_exact = exact.fold(class.worst_exact, |most, pair| most.max(pair.worst));
            }
        }
        for (what, report) in reports.iter().filter_map(|(what, report)| Some((*what, report.as_ref().ok()?))) {
            let counts = match what {
                PARAMETERS => &mut self.parameters,
                PRECISION => &mut self.precision,
                INPUTS => &mut self.inputs,
                _ => &mut self.curvature,
            };
            counts.absorb(&report.counts);
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verdict, networks, wrong_networks, seconds, .. } = self;
        writeln!(f, "suite {verdict}: {networks} networks, {wrong_networks} of them wrong, {seconds:.1} s\n")?;
        writeln!(f, "{:24} {:>9} {:>9} {:>6} {:>8} {:>6}", "", "checked", "verified", "kinks", "unknown", "wrong")?;
        let checks = [
            ("gradient of parameters", self.parameters),
            ("in its own precision", self.precision),
            ("gradient of inputs", self.inputs),
            ("Hessian-vector products", self.curvature),
        ];
        for (name, c) in checks {
            write!(f, "{name:24} {:>9} {:>9} {:>6}", c.checked, c.verified, c.kinks)?;
            writeln!(f, " {:>8} {:>6}", c.inconclusive, c.wrong)?;
        }
        write!(
            f,
            "\n{:34} {:>8} {:>9} {:>6} {:>8} {:>6}",
            "class", "networks", "checked", "kinks", "unknown", "wrong"
        )?;
        writeln!(f, " {:>11} {:>9} {:>9}", "differences", "exact", "of bound")?;
        for Class { name, networks, counts: c, worst, worst_exact, worst_of_bound } in &self.classes {
            write!(f, "{name:34} {networks:>8} {:>9} {:>6} {:>8} {:>6}", c.checked, c.kinks, c.inconclusive, c.wrong)?;
            writeln!(f, " {worst:>11.1e} {worst_exact:>9.1e} {worst_of_bound:>9.3}")?;
        }
        for Failure { network, smallest, report } in &self.failures {
            writeln!(f, "\nnetwork {network}, made as small as it still fails: {smallest}\n{report}")?;
        }
        Ok(())
    }
}
