//! The command behind `scripts/prove`: chooses what is swept, prints the table, stores it after a whole sweep.

use deltarule::kernel::elementwise::Function;
use deltarule::simd::Isa;
use deltarule_prove::inputs::{Every, Inputs, Random, Subset};
use deltarule_prove::real::Real;
use deltarule_prove::sweep::{Finding, Questions, sweep};
use deltarule_prove::table::{self, Kept, Row};
use deltarule_prove::work::Progress;
use std::process::ExitCode;

const USAGE: &str = "prove [--quick | --hash] [--type f32|f64] [--stride N] [--count N] [FUNCTION...]

  (nothing)       every function, all 2^32 inputs of f32 and 10^8 of f64; writes prove/TABLE.md
  --quick         exp, sigmoid and tanh of f32 only, without slopes
  --hash          2^24 inputs of every function and type, value and slope: the same bits on all levels, portable included
  --type T        only f32, or only f64
  --stride N      every N-th f32
  --count N       so many f64, in the table too
  FUNCTION        only these";

/// How many f64 are tried.
const COUNT: u64 = 100_000_000;

/// What an input costs in nanoseconds, about: with the truth in f64, with it in 100 bits, and at the portable level.
const SINGLE_COST: u64 = 40;
const DOUBLE_COST: u64 = 600;
const HASH_COST: u64 = 250;

struct Settings {
    functions: Vec<Function>,
    types: Vec<&'static str>,
    stride: u64,
    count: u64,
    quick: bool,
    hash: bool,
}

impl Settings {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut settings = Self {
            functions: Vec::new(),
            types: vec!["f32", "f64"],
            stride: 1,
            count: COUNT,
            quick: false,
            hash: false,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            let number = |text: String| match text.parse() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(format!("{argument}: expected a number above 0, found '{text}'")),
            };
            match argument.as_str() {
                "--quick" => settings.quick = true,
                "--hash" => settings.hash = true,
                "--stride" => settings.stride = number(value()?)?,
                "--count" => settings.count = number(value()?)?,
                "--type" => {
                    let name = value()?;
                    settings.types.retain(|&known| known == name);
                    if settings.types.is_empty() {
                        return Err(format!("--type: expected f32 or f64, found '{name}'"));
                    }
                }
                name => match Function::ALL.into_iter().find(|function| function.name() == name) {
                    Some(function) => settings.functions.push(function),
                    None => {
                        let names: Vec<_> = Function::ALL.iter().map(|function| function.name()).collect();
                        return Err(format!("expected one of {}, found '{name}'", names.join(", ")));
                    }
                },
            }
        }
        if settings.quick && settings.hash {
            return Err("--quick and --hash are two different things".into());
        }
        if settings.quick {
            settings.types = vec!["f32"];
            if settings.functions.is_empty() {
                settings.functions = vec![Function::Exp, Function::Sigmoid, Function::Tanh];
            }
        }
        Ok(settings)
    }

    /// The sweep whose table is kept.
    fn whole(&self) -> bool {
        let plain = !self.quick && !self.hash && self.functions.is_empty();
        plain && self.types.len() == 2 && self.stride == 1
    }

    /// What brings it about.
    fn command(&self) -> String {
        if self.count == COUNT { "scripts/prove".into() } else { format!("scripts/prove --count {}", self.count) }
    }

    fn functions(&self) -> Vec<Function> {
        if self.functions.is_empty() { Function::ALL.to_vec() } else { self.functions.clone() }
    }
}

/// What has been found so far.
#[derive(Default)]
struct Record {
    rows: Vec<Row>,
    faults: u64,
    /// The text of the kept table, unless it is about to be replaced.
    kept: String,
}

impl Record {
    fn note<T: Real>(&mut self, function: Function, findings: &[Finding<T>], common: bool) {
        for finding in findings {
            let kept = Kept::read(&self.kept, function, T::NAME, finding.isa.name());
            if let Some(words) = kept.and_then(|kept| kept.differs(finding, common)) {
                self.faults += 1;
                eprintln!("\nprove: {} {} at {}: {words}", function.name(), T::NAME, finding.isa);
            }
            self.faults += finding.faults;
            finding.words.iter().for_each(|words| eprintln!("\nprove: {words}"));
        }
    }

    fn prove<T: Real>(
        &mut self,
        function: Function,
        settings: &Settings,
        inputs: &impl Inputs<T>,
        cost: u64,
        progress: &Progress,
    ) {
        let all: Vec<Isa> = Isa::available().collect();
        let fast: Vec<Isa> = all.iter().copied().filter(|&isa| isa != Isa::Portable).collect();
        let mut swept = Vec::new();
        if !settings.hash {
            progress.each_costs(cost);
            // On a processor without vector instructions the portable level is all there is.
            let levels = if fast.is_empty() { &all } else { &fast };
            swept = sweep::<T>(&function, levels, inputs, Questions { truth: true, slopes: !settings.quick }, progress);
            self.note(function, &swept, false);
        }
        let mut common = Vec::new();
        if !settings.quick {
            progress.each_costs(HASH_COST);
            common = sweep::<T>(&function, &all, &Subset::WHOLE, Questions { truth: false, slopes: true }, progress);
            self.note(function, &common, true);
        }
        let of_level = |isa: Isa| common.iter().find(|finding| finding.isa == isa);
        self.rows.extend(swept.iter().map(|finding| Row::new(function, finding, of_level(finding.isa))));
        let rest = common.iter().filter(|finding| swept.iter().all(|other| other.isa != finding.isa));
        self.rows.extend(rest.map(|finding| Row::common(function, finding)));
    }
}

fn main() -> ExitCode {
    let settings = match Settings::parse(std::env::args().skip(1)) {
        Ok(settings) => settings,
        Err(fault) => {
            eprintln!("prove: {fault}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let functions = settings.functions();
    let common = if settings.quick { 0 } else { HASH_COST << 24 };
    let work = |name: &str| match name {
        _ if settings.hash => common,
        "f32" => (1 << 32) / settings.stride * SINGLE_COST + common,
        _ => settings.count * DOUBLE_COST + common,
    };
    let progress = Progress::new(settings.types.iter().map(|name| work(name)).sum::<u64>() * functions.len() as u64);
    let mut record = Record::default();
    if !settings.whole() {
        // There is none before the first whole sweep.
        record.kept = std::fs::read_to_string(table::FILE).unwrap_or_default();
    }
    progress.shown(|| {
        for &function in &functions {
            for &name in &settings.types {
                match name {
                    "f32" => {
                        let inputs = Every { stride: settings.stride };
                        record.prove::<f32>(function, &settings, &inputs, SINGLE_COST, &progress);
                    }
                    _ => {
                        let inputs = Random::new::<f64>(settings.count);
                        record.prove::<f64>(function, &settings, &inputs, DOUBLE_COST, &progress);
                    }
                }
            }
        }
    });
    let rows = table::rows(&record.rows);
    eprintln!();
    print!("{rows}");
    println!("{} faults, {:.1} minutes", record.faults, progress.elapsed().as_secs_f64() / 60.0);
    if record.faults > 0 {
        return ExitCode::from(1);
    }
    if settings.whole() {
        if let Err(reason) = std::fs::write(table::FILE, table::page(&rows, &settings.command(), progress.elapsed())) {
            eprintln!("prove: {}: {reason}", table::FILE);
            return ExitCode::from(6);
        }
        println!("wrote prove/TABLE.md");
    }
    ExitCode::SUCCESS
}
