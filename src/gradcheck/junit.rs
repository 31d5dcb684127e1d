//! Findings for continuous integration: JUnit's XML, which every such service reads.

use super::report::{Entry, Report, Verdict};
use std::fmt::Write;

/// One test case: a tensor, or a class of networks.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What is wrong has failed; what nobody could judge is skipped.
    pub verdict: Verdict,
    /// What was counted.
    pub summary: String,
    /// What is to be said of a failure.
    pub detail: String,
}

impl Report {
    /// A test case for each tensor; one for the whole check if it was refused.
    pub fn cases(&self) -> Vec<Case> {
        if self.tensors.is_empty() || self.counts.checked == 0 {
            let summary = self.message.clone().unwrap_or_else(|| "there was nothing to compare".into());
            return vec![Case { name: "gradient".into(), verdict: self.verdict, summary, detail: String::new() }];
        }
        let case = |tensor: &super::TensorReport| {
            let c = &tensor.counts;
            let summary = format!(
                "{} of {} entries checked: {} verified, {} at a kink, {} inconclusive, {} wrong",
                c.checked, tensor.entries, c.verified, c.kinks, c.inconclusive, c.wrong
            );
            let detail = tensor.worst.as_ref().map(told).unwrap_or_default();
            Case { name: tensor.name.clone(), verdict: tensor.verdict, summary, detail }
        };
        self.tensors.iter().map(case).collect()
    }
}

/// The text of a JUnit file with a suite for each list of cases.
///
/// ```
/// use deltarule::gradcheck::{check, junit, Options};
///
/// let report = check(|x: &[f64]| x[0] * x[0], &[2.0], &[1.0], &Options::default());
/// let xml = junit::xml(&[("square", report.cases())]);
/// assert!(xml.contains("<testsuite name=\"square\" tests=\"1\" failures=\"0\""));
/// ```
pub fn xml(suites: &[(&str, Vec<Case>)]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (name, cases) in suites {
        let suite = escaped(name);
        let count = |verdict: Verdict| cases.iter().filter(|case| case.verdict == verdict).count();
        let (failures, skipped) = (count(Verdict::Wrong), count(Verdict::Inconclusive));
        let _ = write!(xml, "  <testsuite name=\"{suite}\" tests=\"{}\" failures=\"{failures}\"", cases.len());
        let _ = writeln!(xml, " errors=\"0\" skipped=\"{skipped}\">");
        for case in cases {
            let (summary, detail) = (escaped(&case.summary), escaped(&case.detail));
            let _ = writeln!(xml, "    <testcase classname=\"{suite}\" name=\"{}\">", escaped(&case.name));
            let _ = match case.verdict {
                Verdict::Wrong => writeln!(xml, "      <failure message=\"{summary}\">{detail}</failure>"),
                Verdict::Inconclusive => writeln!(xml, "      <skipped message=\"{summary}\"/>"),
                Verdict::Verified | Verdict::Kink => writeln!(xml, "      <system-out>{summary}</system-out>"),
            };
            xml.push_str("    </testcase>\n");
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn told(entry: &Entry) -> String {
    let Entry { name, analytic, numeric, error, estimate, step, .. } = entry;
    let mut text = format!("worst: {name}: analytic {analytic:e}, numeric {numeric:e}, error {error:.3e}");
    let _ = write!(text, ", estimate {estimate:.3e}, step {step:.3e}");
    for (witness, found) in [("dual", entry.dual), ("complex", entry.complex)] {
        if let Some(found) = found {
            let _ = write!(text, ", {witness} {found:e}");
        }
    }
    text
}

/// Text that XML takes for text, without the characters that XML 1.0 cannot hold.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
