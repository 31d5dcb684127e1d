//! The record: a table in Markdown, with what it takes to repeat it.

use crate::bounds::promise;
use crate::real::Real;
use crate::sweep::Finding;
use deltarule::kernel::elementwise::Function;
use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Row(String);

impl Row {
    /// What a sweep found, and the hash over 2^24 inputs, which all levels share.
    pub fn new<T: Real>(function: Function, finding: &Finding<T>, common: Option<&Finding<T>>) -> Self {
        let promise = promise(function);
        let descents = if promise.monotone { finding.descents.to_string() } else { "-".into() };
        let common = common.map_or("-".into(), |c| format!("{:016x} {:016x}", c.hash, c.slope_hash));
        Self(format!(
            "| {} | {} | {} | {} | {:.4} | {:e} | {descents} | {:e} to {:e} | {:.2e} | {:016x} | {common} |",
            function.name(),
            T::NAME,
            finding.isa,
            finding.tried,
            finding.ulp,
            finding.at,
            finding.lowest,
            finding.highest,
            finding.slope_error,
            finding.hash
        ))
    }

    /// A level that only took part in the comparison over 2^24 inputs.
    pub fn common<T: Real>(function: Function, common: &Finding<T>) -> Self {
        Self(format!(
            "| {} | {} | {} | {} | - | - | - | {:e} to {:e} | - | - | {:016x} {:016x} |",
            function.name(),
            T::NAME,
            common.isa,
            common.tried,
            common.lowest,
            common.highest,
            common.hash,
            common.slope_hash
        ))
    }
}

/// Where the table is kept.
pub const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/TABLE.md");

/// What the kept table says of a function, type and level: so many inputs with this hash, and both hashes of 2^24. A kernel
/// that gives other bits is not the one that was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// How many inputs.
    pub tried: String,
    /// The hash over them.
    pub hash: String,
    /// Those over 2^24 inputs.
    pub common: String,
}

impl Kept {
    /// Reads the row in the table's text, if there is one.
    pub fn read(table: &str, function: Function, name: &str, level: &str) -> Option<Self> {
        table.lines().find_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, f, t, l, tried, _, _, _, _, _, hash, common, _] = cells[..] else { return None };
            let own = f == function.name() && t == name && l == level;
            own.then(|| Self { tried: tried.into(), hash: hash.into(), common: common.into() })
        })
    }

    /// What differs from it, in words: the hash over as many inputs, or those over 2^24.
    pub fn differs<T: Real>(&self, found: &Finding<T>, common: bool) -> Option<String> {
        let (kept, hash) = if common {
            (&self.common, format!("{:016x} {:016x}", found.hash, found.slope_hash))
        } else {
            (&self.hash, format!("{:016x}", found.hash))
        };
        let comparable = kept != "-" && (common || self.tried == found.tried.to_string());
        (comparable && *kept != hash).then(|| format!("hash {hash}, but {kept} was proven: run scripts/prove again"))
    }
}

/// The rows under their heads.
pub fn rows(rows: &[Row]) -> String {
    let mut text = String::from(
        "| function | type | level | inputs | max ulp | at | descents | range | slope error | hash | hashes of 2^24: value, slope |\n\
         |---|---|---|---:|---:|---:|---:|---|---:|---|---|\n",
    );
    for Row(row) in rows {
        text += row;
        text.push('\n');
    }
    text
}

/// The whole page.
pub fn page(table: &str, command: &str, elapsed: Duration) -> String {
    let mut text = String::from("# What was proven of the kernels\n\n");
    let _ = writeln!(
        text,
        "{}, version {} at commit {}, {}: `{command}`, {:.1} minutes.\n",
        said_by("date", &["-u", "+%F"]),
        env!("CARGO_PKG_VERSION"),
        said_by("git", &["describe", "--always", "--dirty"]),
        processor(),
        elapsed.as_secs_f64() / 60.0
    );
    text += "Every input was compared with the exact value, on every level with the same truth; `prove/src/lib.rs` says how.\n\
             *max ulp*: the largest distance from the exact value in units in its last place, and the input where. *descents*: how\n\
             often a monotone function falls from one input to the next (of `f64`, among those tried). *slope error*: absolute where\n\
             the slope is at most 1, else relative. *hash*: of all values in order, equal on all levels; the portable level, which\n\
             without instructions for fused multiply-add would take hours, is held to the others' over 2^24 inputs.\n\n";
    text += table;
    text
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let said = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    said.map_or("unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().into())
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {cores} cores", name.map_or("unknown processor", |(_, name)| name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Subset;
    use crate::sweep::{Questions, sweep};
    use crate::work::Progress;
    use deltarule::simd::Isa;

    #[test]
    fn the_kept_table_knows_its_kernels() {
        let function = Function::Relu;
        let subset = Subset { count: 4096 };
        let questions = Questions { truth: true, slopes: true };
        let found = &sweep::<f32>(&function, &[Isa::Portable], &subset, questions, &Progress::new(1))[0];
        let text = page(&rows(&[Row::new(function, found, Some(found))]), "prove", Duration::from_secs(60));
        let kept = Kept::read(&text, function, "f32", "portable").unwrap();
        assert_eq!((kept.differs(found, false), kept.differs(found, true)), (None, None));
        assert_eq!(Kept::read(&text, function, "f64", "portable"), None);
        let mut other = found.clone();
        other.hash += 1;
        for common in [false, true] {
            let said = kept.differs(&other, common).unwrap();
            assert!(said.contains("was proven"), "{said}");
        }
        // Another number of inputs has another hash.
        other.tried += 1;
        assert_eq!(kept.differs(&other, false), None);
    }
}
