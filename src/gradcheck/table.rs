//! A report for people: a sentence, a table of the tensors, the wrong entries, and who disagrees with whom.

use super::report::{Entry, Report, TensorReport};
use std::fmt;

/// So many tensors are listed, those with something wrong first.
const MOST_TENSORS: usize = 40;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verdict, subject, counts, tolerance, .. } = self;
        let plural = if counts.checked == 1 { "" } else { "s" };
        let how = tolerance.map_or("to its bounds".into(), |tolerance| format!("at tolerance {tolerance:e}"));
        write!(f, "gradient {verdict} {how}: of {} {subject}{plural} ", counts.checked)?;
        write!(f, "{} verified", counts.verified)?;
        let others = [(counts.wrong, "wrong"), (counts.kinks, "at a kink"), (counts.inconclusive, "inconclusive")];
        for (count, what) in others.iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        if counts.inconclusive > 0 {
            write!(f, " ({:.3} %)", 100.0 * counts.inconclusive_share())?;
        }
        if let Some(worst) = &self.worst {
            write!(f, "; worst at {}", worst.name)?;
        }
        writeln!(f)?;
        if let Some(message) = &self.message {
            writeln!(f, "{message}")?;
        }
        self.write_tensors(f)?;
        if !self.faults.is_empty() {
            writeln!(f, "\nwrong {subject}s{}", if self.faults.len() < counts.wrong { ", the first" } else { "" })?;
            write_entries(f, self.faults.iter().map(|entry| (entry.name.as_str(), entry)))?;
        }
        if !self.at_kinks.is_empty() {
            let first = if self.at_kinks.len() < counts.kinks { ", the first" } else { "" };
            writeln!(f, "\n{subject}s at a kink, where each is a valid subgradient{first}")?;
            write_entries(f, self.at_kinks.iter().map(|entry| (entry.name.as_str(), entry)))?;
        }
        self.write_disagreements(f)
    }
}

impl Report {
    fn write_tensors(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tensors.iter().all(|tensor| tensor.counts.checked == 0) {
            return Ok(());
        }
        let mut listed: Vec<&TensorReport> = self.tensors.iter().collect();
        if listed.len() > MOST_TENSORS {
            listed.sort_by_key(|tensor| tensor.counts.wrong == 0);
        }
        listed.truncate(MOST_TENSORS);
        let width = listed.iter().map(|t| t.name.chars().count()).max().unwrap_or(0).max(6);
        write!(f, "\n{:width$} {:>8} {:>8} {:>8} {:>6} ", "tensor", "entries", "checked", "verified", "kinks")?;
        writeln!(f, "{:>8} {:>6}  verdict", "unknown", "wrong")?;
        for TensorReport { name, entries, verdict, counts, .. } in &listed {
            write!(f, "{name:width$} {entries:>8} {:>8} {:>8} ", counts.checked, counts.verified)?;
            writeln!(f, "{:>6} {:>8} {:>6}  {verdict}", counts.kinks, counts.inconclusive, counts.wrong)?;
        }
        if listed.len() < self.tensors.len() {
            writeln!(f, "and {} more", self.tensors.len() - listed.len())?;
        }
        let worst = listed.iter().filter_map(|t| t.worst.as_ref().map(|entry| (entry.name.as_str(), entry)));
        writeln!(f, "\nworst of each")?;
        write_entries(f, worst)
    }

    /// A triangle: the gradient and its witnesses, across and down.
    fn write_disagreements(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parties: Vec<&str> = Vec::new();
        for name in self.disagreements.iter().flat_map(|pair| &pair.between) {
            if !parties.contains(&name.as_str()) {
                parties.push(name);
            }
        }
        if parties.len() < 3 {
            return Ok(());
        }
        write!(f, "\n{:12}", "disagree")?;
        parties[1..].iter().try_for_each(|name| write!(f, " {name:>26}"))?;
        writeln!(f)?;
        for (i, row) in parties[..parties.len() - 1].iter().enumerate() {
            write!(f, "{row:12}")?;
            for (j, col) in parties.iter().enumerate().skip(1) {
                let cell = match self.disagreements.iter().find(|p| p.between == [*row, *col]) {
                    Some(p) if j > i => format!("{} of {} ({:.1e})", p.disagreed, p.compared, p.worst),
                    _ => String::new(),
                };
                write!(f, " {cell:>26}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn write_entries<'a>(
    f: &mut fmt::Formatter<'_>,
    entries: impl Iterator<Item = (&'a str, &'a Entry)> + Clone,
) -> fmt::Result {
    let width = entries.clone().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    writeln!(f, "{:width$} {:>16} {:>16} {:>9} {:>9} {:>9}", "", "analytic", "numeric", "error", "estimate", "step")?;
    for (name, e) in entries {
        // Without differences, what another witness says.
        let numeric = if e.numeric.is_nan() { e.dual.or(e.complex).unwrap_or(f64::NAN) } else { e.numeric };
        write!(f, "{name:width$} {:>16.9e} {numeric:>16.9e}", e.analytic)?;
        write!(f, " {:>9.2e} {:>9.2e} {:>9.2e}", e.error, e.estimate, e.step)?;
        if let Some([left, right]) = e.sides {
            write!(f, "  slopes {left:.6e} to the left, {right:.6e} to the right")?;
        }
        writeln!(f)?;
    }
    Ok(())
}
