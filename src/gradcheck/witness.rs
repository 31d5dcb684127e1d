//! One entry before its witnesses: differences with their finding, exact ones with their number.
//!
//! Any witness that disagrees makes the entry wrong, also where the others agree with it: if the values themselves are computed
//! wrongly, backward and differences may agree with each other, and the same formula in other numbers does not. A kink is judged by
//! its two sides alone, for there each exact witness takes one of them.

use super::Options;
use super::against::VACUOUS;
use super::difference::{CONFIDENCE, Finding, Measured, NotFinite, Slope};
use super::function::Oracle;
use super::report::{Entry, Report, Verdict};

/// Rounding bounds hold for the gradient; an exact witness makes some times as many operations.
const WITNESS_ROUNDING: f64 = 4.0;
/// Without such a bound: entries below this part of the largest are compared with exact witnesses as if they had that size.
const SMALL: f64 = 1e-3;

/// Judges entries of one gradient.
pub(super) struct Bench {
    pub exact: f64,
    pub absolute: f64,
    /// The largest entry of the gradient.
    pub largest: f64,
    /// A bound on the rounding of this entry.
    pub bound: Option<f64>,
}

/// What the witnesses say of an entry.
pub(super) struct Testimony {
    pub index: usize,
    pub slope: Slope,
    pub finding: Option<Finding>,
    pub dual: Option<f64>,
    pub complex: Option<f64>,
}

impl Bench {
    pub fn new(options: &Options, largest: f64, bound: Option<f64>) -> Self {
        Self { exact: options.exact, absolute: options.absolute, largest, bound }
    }

    /// How far two numbers may be apart that are both exact but for rounding.
    fn allowed(&self, a: f64, b: f64) -> f64 {
        self.absolute + self.bound.map_or(self.closely(a, b), |bound| WITNESS_ROUNDING * bound)
    }

    fn closely(&self, a: f64, b: f64) -> f64 {
        self.exact * a.abs().max(b.abs()).max(SMALL * self.largest)
    }

    /// Whether two numbers agree; nothing if a bound allows what is too much to tell.
    fn agree(&self, a: f64, b: f64) -> Option<bool> {
        let difference = (a - b).abs();
        match difference <= self.allowed(a, b) {
            true if self.bound.is_some_and(|bound| bound > VACUOUS * self.largest) => {
                (difference <= self.closely(a, b)).then_some(true)
            }
            agree => Some(agree),
        }
    }

    pub fn hear(&self, said: &Testimony, report: &mut Report, name: impl Fn() -> String) {
        let Testimony { index, slope, finding, dual, complex } = said;
        let (index, analytic) = (*index, slope.analytic);
        let exact = [(Oracle::Dual, *dual), (Oracle::Complex, *complex)];
        // What is no number says nothing.
        let exact = exact.into_iter().filter_map(|(oracle, found)| Some((oracle, found.filter(|f| f.is_finite())?)));
        let at_kink = matches!(finding, Some(Finding::Kink(_) | Finding::NoSubgradient(_)));
        let (mut agrees, mut disagrees, mut furthest) = (false, false, 0.0_f64);
        for (_, found) in exact.clone() {
            let agree = self.agree(found, analytic);
            let distance = self.distance(found, analytic);
            furthest = if distance.is_nan() { f64::INFINITY } else { furthest.max(distance) };
            agrees |= agree == Some(true);
            disagrees |= agree == Some(false);
        }
        let judged = match finding {
            _ if !analytic.is_finite() => Verdict::Wrong,
            Some(Finding::Disagrees(_) | Finding::NoSubgradient(_) | Finding::NotFinite(_)) => Verdict::Wrong,
            // A kink that is only near, too small to step out of its way: the exact witnesses have one side of it.
            Some(Finding::Kink(m)) if agrees && !disagrees && slope.ended_early(m) => Verdict::Verified,
            Some(Finding::Kink(_)) => Verdict::Kink,
            _ if disagrees => Verdict::Wrong,
            Some(Finding::Agrees(_)) => Verdict::Verified,
            Some(Finding::Inconclusive(_)) | None if agrees => Verdict::Verified,
            Some(Finding::Inconclusive(_)) | None => Verdict::Inconclusive,
        };
        let measured = finding.as_ref().and_then(Finding::measured);
        let by_differences = match (finding, measured) {
            (Some(Finding::NotFinite(_)), _) => f64::INFINITY,
            _ if !analytic.is_finite() => f64::INFINITY,
            (_, Some(m)) => {
                report.floor = report.floor.max(slope.floor(m));
                slope.error(m)
            }
            (_, None) => 0.0,
        };
        let alone = judged == Verdict::Wrong && !matches!(finding, Some(Finding::Disagrees(_)));
        let error = if alone || measured.is_none() { by_differences.max(furthest) } else { by_differences };
        let entry = Entry {
            index,
            name: String::new(),
            verdict: judged,
            analytic,
            numeric: measured.map_or(f64::NAN, |m| m.numeric),
            error,
            estimate: measured.map_or(f64::NAN, Measured::estimate),
            step: measured.map_or(f64::NAN, |m| m.step),
            smooth: measured.and_then(|m| m.crossed).map(|crossed| !crossed),
            sides: measured.filter(|_| at_kink).map(|m| m.sides),
            dual: *dual,
            complex: *complex,
        };
        report.add(entry, name, fault_of(analytic, finding.as_ref()));
        if !at_kink {
            self.cross_examine(said, exact, report);
        }
    }

    /// Every pair of those who have something to say.
    fn cross_examine(&self, said: &Testimony, exact: impl Iterator<Item = (Oracle, f64)> + Clone, report: &mut Report) {
        let Testimony { slope, finding, .. } = said;
        let analytic = slope.analytic;
        let conclusive = match finding {
            Some(Finding::Agrees(m) | Finding::Disagrees(m)) => Some(m),
            _ => None,
        };
        if let Some(m) = conclusive {
            let agrees = matches!(finding, Some(Finding::Agrees(_)));
            report.compare(["gradient", "differences"], agrees, slope.error(m));
        }
        for (oracle, found) in exact.clone() {
            let agrees = self.agree(found, analytic) != Some(false);
            report.compare(["gradient", oracle.name()], agrees, self.distance(found, analytic));
        }
        for (oracle, found) in exact.clone() {
            let Some(m) = conclusive else { break };
            let other = Slope { analytic: found, ..*slope };
            let near = other.error(m) <= slope.tolerance || (found - m.numeric).abs() <= CONFIDENCE * m.estimate();
            report.compare(["differences", oracle.name()], near, other.error(m));
        }
        let mut exact = exact;
        if let (Some((a, first)), Some((b, second))) = (exact.next(), exact.next()) {
            let agrees = self.agree(first, second) != Some(false);
            report.compare([a.name(), b.name()], agrees, self.distance(first, second));
        }
    }

    /// Relative to the larger, and to what rounding makes of nothing.
    fn distance(&self, a: f64, b: f64) -> f64 {
        match a.abs().max(b.abs()).max(SMALL * self.largest).max(self.allowed(a, b) / self.exact) {
            0.0 => 0.0,
            size => (a - b).abs() / size,
        }
    }
}

/// What is to be said at once; `{}` stands for the entry's name.
fn fault_of(analytic: f64, finding: Option<&Finding>) -> Option<String> {
    match finding {
        _ if !analytic.is_finite() => Some(format!("the gradient at {{}} is {analytic}")),
        Some(Finding::NotFinite(NotFinite { went, value })) if *went == 0.0 => {
            Some(format!("the function is {value} at {{}}"))
        }
        Some(Finding::NotFinite(NotFinite { went, value })) => {
            let side = if *went > 0.0 { "right" } else { "left" };
            let far = went.abs();
            Some(format!("the function is {value} {far:e} to the {side} of {{}}, and not finite however near"))
        }
        Some(Finding::NoSubgradient(m)) => {
            let [left, right] = m.sides;
            let between = format!("between {left:e} to the left and {right:e} to the right");
            Some(format!("at {{}} there is a kink: a subgradient lies {between}, the gradient has {analytic:e}"))
        }
        _ => None,
    }
}
