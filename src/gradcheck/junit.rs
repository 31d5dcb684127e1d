//! A report for continuous integration: JUnit's XML, a test case for each tensor.

use super::report::{Entry, Report, Verdict};
use std::fmt::Write;

impl Report {
    /// The report as a JUnit file: one suite called `name`, a test case for each tensor. What is wrong has failed; what nobody could
    /// judge is skipped, with the reason.
    pub fn junit(&self, name: &str) -> String {
        suites(&[(name, self)])
    }
}

/// Several reports as one JUnit file.
pub fn suites(reports: &[(&str, &Report)]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (name, report) in reports {
        // A check that was refused has no tensors, and is one case by itself.
        let refused = report.tensors.is_empty() || report.counts.checked == 0;
        let failures = report.wrong_tensors().len() + usize::from(refused && report.verdict == Verdict::Wrong);
        let cases = report.tensors.len().max(1);
        let skipped = report.tensors.iter().filter(|t| t.verdict == Verdict::Inconclusive && !refused).count();
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{cases}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">",
            escaped(name)
        );
        if refused {
            let message = report.message.as_deref().unwrap_or("there was nothing to compare");
            let element = if report.verdict == Verdict::Wrong { "failure" } else { "skipped" };
            let _ = writeln!(xml, "    <testcase classname=\"{0}\" name=\"gradient\">", escaped(name));
            let _ = writeln!(xml, "      <{element} message=\"{}\"/>\n    </testcase>", escaped(message));
        }
        for tensor in report.tensors.iter().filter(|_| !refused) {
            let counts = &tensor.counts;
            let _ = write!(xml, "    <testcase classname=\"{}\" name=\"{}\"", escaped(name), escaped(&tensor.name));
            let summary = format!(
                "{} of {} entries checked: {} verified, {} at a kink, {} inconclusive, {} wrong",
                counts.checked, tensor.entries, counts.verified, counts.kinks, counts.inconclusive, counts.wrong
            );
            let element = match tensor.verdict {
                Verdict::Wrong => "failure",
                Verdict::Inconclusive => "skipped",
                Verdict::Verified | Verdict::Kink => {
                    let _ = writeln!(xml, ">\n      <system-out>{}</system-out>\n    </testcase>", escaped(&summary));
                    continue;
                }
            };
            let _ = writeln!(xml, ">\n      <{element} message=\"{}\">{}</{element}>", escaped(&summary), {
                tensor.worst.as_ref().map(|worst| escaped(&told(worst))).unwrap_or_default()
            });
            xml.push_str("    </testcase>\n");
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn told(entry: &Entry) -> String {
    let Entry { name, analytic, numeric, error, estimate, step, .. } = entry;
    let mut text = format!(
        "worst: {name}: analytic {analytic:e}, numeric {numeric:e}, error {error:.3e}, estimate {estimate:.3e}, step {step:.3e}"
    );
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
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
