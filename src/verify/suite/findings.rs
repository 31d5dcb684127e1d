//! What the suite found: counts by check and by class, failures, and how they are told.

use crate::error::Result;
use crate::gradcheck::junit::Case;
use crate::gradcheck::{Counts, Report, Verdict};
use serde::Serialize;
use std::fmt;

/// The checks, by name.
pub(super) const PARAMETERS: &str = "parameters";
pub(super) const PRECISION: &str = "precision";
pub(super) const INPUTS: &str = "inputs";
pub(super) const CURVATURE: &str = "curvature";

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

impl Findings {
    pub(super) fn new() -> Self {
        Self {
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
        }
    }

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

    /// Adds the reports of one network, which belongs to the classes of these names.
    pub(super) fn add(&mut self, names: impl IntoIterator<Item = String>, reports: &[(&'static str, Result<Report>)]) {
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
