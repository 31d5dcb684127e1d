//! What a gradient check found: data first, a table for people, an error for those who require success.

use super::Options;
use super::difference::{Finding, Measured, Slope};
use crate::error::{Error, Result};
use serde::Serialize;
use std::fmt;

/// What an entry's index counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// The coordinates of the point.
    Coordinate,
    /// The random directions.
    Direction,
    /// The points given to [`scalar`](super::scalar).
    Point,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every slope that exists agrees, and there is one.
    Right,
    /// At least one disagrees, or something is not finite.
    Wrong,
    /// None disagrees, but some could not be measured, or there was nothing to compare.
    Inconclusive,
}

/// One comparison.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Which coordinate, direction or point, from 0.
    pub index: usize,
    /// The slope in question.
    pub analytic: f64,
    /// The measured slope; NaN if the function is not finite beside the point.
    pub numeric: f64,
    /// `|analytic - numeric| / max(|analytic|, |numeric|, floor)`; infinite if either is not finite.
    pub error: f64,
    /// The measured slope's own error, estimated.
    pub estimate: f64,
    /// The longer of the two steps that it was measured with.
    pub step: f64,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// What was compared.
    pub subject: Subject,
    /// The largest relative error that agrees.
    pub tolerance: f64,
    /// Comparisons made: the sum of the next four.
    pub checked: usize,
    /// Those that agree.
    pub agreed: usize,
    /// Those that disagree.
    pub disagreed: usize,
    /// Those without a slope, where the function has a kink: not judged. Move the point to judge them.
    pub kinks: usize,
    /// Those whose slope could not be measured well enough to judge.
    pub inconclusive: usize,
    /// The largest absolute floor used: slopes smaller than this were compared absolutely.
    pub floor: f64,
    /// The comparison with the largest error, kinks apart.
    pub worst: Option<Entry>,
    /// The first comparisons that disagree.
    pub wrong: Vec<Entry>,
    /// What else is to be said, such as where a value is not finite.
    pub message: Option<String>,
    #[serde(skip)]
    most_wrong: usize,
}

impl Report {
    pub(super) fn new(subject: Subject, options: &Options) -> Self {
        Self {
            verdict: Verdict::Inconclusive,
            subject,
            tolerance: options.tolerance,
            checked: 0,
            agreed: 0,
            disagreed: 0,
            kinks: 0,
            inconclusive: 0,
            floor: 0.0,
            worst: None,
            wrong: Vec::new(),
            message: None,
            most_wrong: options.most_wrong,
        }
    }

    /// Whether the options make sense; if not, the report says so and nothing can be compared.
    pub(super) fn accepts(&mut self, options: &Options) -> bool {
        let sensible = options.tolerance > 0.0 && options.tolerance < 1.0;
        if !sensible {
            self.message = Some(format!("tolerance: expected a number between 0 and 1, found {}", options.tolerance));
        }
        sensible
    }

    /// Wrong before anything was compared.
    pub(super) fn refuse(mut self, message: String) -> Self {
        self.verdict = Verdict::Wrong;
        self.message = Some(message);
        self
    }

    pub(super) fn add(&mut self, index: usize, slope: &Slope, finding: Finding) {
        self.checked += 1;
        let measured = match finding {
            Finding::Kink => {
                self.kinks += 1;
                return;
            }
            Finding::Agrees(m) => {
                self.agreed += 1;
                Some(m)
            }
            Finding::Inconclusive(m) => {
                self.inconclusive += 1;
                Some(m)
            }
            Finding::Disagrees(m) => {
                self.disagreed += 1;
                Some(m)
            }
            Finding::NotFinite => {
                self.disagreed += 1;
                None
            }
        };
        let entry = self.entry(index, slope, measured);
        if matches!(finding, Finding::Disagrees(_) | Finding::NotFinite) && self.wrong.len() < self.most_wrong {
            self.wrong.push(entry);
        }
        if self.worst.is_none_or(|worst| entry.error > worst.error) {
            self.worst = Some(entry);
        }
    }

    fn entry(&mut self, index: usize, slope: &Slope, measured: Option<Measured>) -> Entry {
        let name = self.subject;
        let fault = match measured {
            None => Some(format!("the function is not finite at or beside {name} {index}, however near")),
            Some(_) if !slope.analytic.is_finite() => {
                Some(format!("the gradient at {name} {index} is {}", slope.analytic))
            }
            Some(m) => {
                self.floor = self.floor.max(slope.floor(&m));
                None
            }
        };
        let finite = fault.is_none();
        self.message = self.message.take().or(fault);
        Entry {
            index,
            analytic: slope.analytic,
            numeric: measured.map_or(f64::NAN, |m| m.numeric),
            error: if let (true, Some(m)) = (finite, measured) { slope.error(&m) } else { f64::INFINITY },
            estimate: measured.map_or(f64::NAN, |m| m.estimate()),
            step: measured.map_or(f64::NAN, |m| m.step),
        }
    }

    pub(super) fn conclude(mut self) -> Self {
        self.verdict = if self.disagreed > 0 {
            Verdict::Wrong
        } else if self.inconclusive > 0 || self.agreed == 0 {
            Verdict::Inconclusive
        } else {
            Verdict::Right
        };
        if self.agreed == 0 && self.disagreed + self.inconclusive == 0 {
            let reason = if self.checked == 0 { "there was nothing to compare" } else { "there is a kink everywhere" };
            self.message = self.message.take().or(Some(reason.to_string()));
        }
        self
    }

    /// Success, or an error that names the worst entry.
    ///
    /// **Errors** if the verdict is not [`Verdict::Right`].
    pub fn require(&self) -> Result<()> {
        match self.verdict {
            Verdict::Right => Ok(()),
            _ => Err(Error::Check(self.to_string().trim_end().to_string())),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Coordinate => "coordinate",
            Self::Direction => "direction",
            Self::Point => "point",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// A sentence and a short table: the entries that disagree, or else the worst.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verdict, subject, checked, agreed, disagreed, kinks, inconclusive, tolerance, .. } = self;
        let plural = if *checked == 1 { "" } else { "s" };
        write!(f, "gradient {verdict} at tolerance {tolerance:e}: of {checked} {subject}{plural} {agreed} agree")?;
        for (count, what) in [(disagreed, "disagree"), (kinks, "at a kink"), (inconclusive, "inconclusive")] {
            if *count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if let Some(worst) = &self.worst {
            write!(f, "; worst at {subject} {}", worst.index)?;
        }
        writeln!(f)?;
        if let Some(message) = &self.message {
            writeln!(f, "{message}")?;
        }
        let entries = if self.wrong.is_empty() { self.worst.as_slice() } else { &self.wrong };
        if !entries.is_empty() {
            writeln!(
                f,
                "{subject:>10} {:>16} {:>16} {:>9} {:>9} {:>9}",
                "analytic", "numeric", "error", "estimate", "step"
            )?;
        }
        for e in entries {
            write!(f, "{:>10} {:>16.9e} {:>16.9e}", e.index, e.analytic, e.numeric)?;
            writeln!(f, " {:>9.2e} {:>9.2e} {:>9.2e}", e.error, e.estimate, e.step)?;
        }
        Ok(())
    }
}
