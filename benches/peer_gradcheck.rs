//! This library's side of `scripts/compare gradcheck`: the gradient check of every parameter of a network, timed on request.
//!
//! Called with `serve WITNESSES`, which are `differences` or `all`, it reads one request a line from stdin and answers each with one
//! line on stdout:
//!
//! ```text
//! about              what this is: version, instruction set, GEMM
//! load JOB           takes the network and the rows that JOB, a line of JSON, describes: ok
//! answer FILE        writes the loss and its gradient to FILE (f64, raw, little-endian): ok
//! verdict            checks every entry of the gradient: right, or wrong and why
//! spoiled INDEX      the same with the entry at INDEX off by one hundredth of itself
//! time REPETITIONS   the nanoseconds of so many checks, each with the gradient that it checks
//! ```
//!
//! A request that cannot be met is answered by `error:` and the reason. Otherwise (as `cargo bench` calls it) it holds such a
//! conversation about a small network, times nothing, and ends.
//!
//! What is measured is [`Subject::check`].

mod served;

use deltarule::gradcheck::{Mode, Options, Oracle, Report, Verdict};
use deltarule::prelude::*;
use deltarule::verify;
use ndarray::Array2;
use serde::Deserialize;
use served::{converse, fail, read};
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

/// What it is called.
const PROGRAM: &str = "peer_gradcheck";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, witnesses] = &arguments[..]
        && verb == "serve"
    {
        let mut server = Server::new(witnesses).unwrap_or_else(|reason| fail(PROGRAM, &reason));
        converse(PROGRAM, |request| server.answer(request));
    } else {
        check();
        println!("peer_gradcheck: a gradient is right and a spoiled one wrong; `scripts/compare gradcheck` times both");
    }
}

// --------------------------------------------------------------------------------------------------------------- jobs

/// A network of a softmax trained on cross-entropy, and where its numbers lie.
#[derive(Debug, Deserialize)]
struct Job {
    /// Of the input and of every layer.
    widths: Vec<usize>,
    hidden: String,
    rows: usize,
    /// Where `params`, `x` and `y` lie: raw files of f64, little-endian.
    folder: PathBuf,
}

struct Subject {
    net: Network<f64>,
    x: Array2<f64>,
    y: Array2<f64>,
    objective: Objective,
    options: Options,
}

impl Subject {
    fn new(job: &Job, oracles: &[Oracle]) -> Result<Self, String> {
        let [inputs, hidden @ .., outputs] = &job.widths[..] else {
            return Err(format!("expected at least two widths, found {:?}", job.widths));
        };
        let activation = Activation::parse(&job.hidden).map_err(|error| error.to_string())?;
        let spec = Spec::mlp(*inputs, hidden, activation, *outputs, Activation::Softmax);
        let spec = spec.map_err(|error| error.to_string())?;
        let matrix = |name: &str, width: usize| {
            Array2::from_shape_vec((job.rows, width), read(&job.folder.join(name), f64::from_le_bytes)?)
                .map_err(|error| format!("{name}: {error}"))
        };
        Ok(Self {
            net: Network::from_params(spec, read(&job.folder.join("params"), f64::from_le_bytes)?)
                .map_err(|error| error.to_string())?,
            x: matrix("x", *inputs)?,
            y: matrix("y", *outputs)?,
            objective: Objective { loss: Loss::SoftmaxCrossEntropy, l1: 0.0, l2: 0.0 },
            options: Options { mode: Mode::EveryCoordinate, oracles: oracles.to_vec(), ..Options::default() },
        })
    }

    fn batch(&self) -> Batch<'_, f64> {
        Batch { x: self.x.view(), y: self.y.view(), weights: None }
    }

    /// The gradient, and its check against every witness.
    fn check(&self) -> deltarule::Result<Report> {
        verify::parameters(&self.net, black_box(self.batch()), &self.objective, Engine::default(), &self.options)
    }

    /// The same for a gradient whose entry at `index` is off.
    fn check_spoiled(&self, index: usize) -> Result<Report, String> {
        let (_, mut gradient) = self.gradient()?;
        *gradient.get_mut(index).ok_or_else(|| format!("there is no entry {index}"))? *= 1.01;
        let engine = Engine::default();
        verify::claimed(&self.net, self.batch(), &self.objective, &gradient, engine, &self.options)
            .map_err(|error| error.to_string())
    }

    /// The loss and its gradient.
    fn gradient(&self) -> Result<(f64, Vec<f64>), String> {
        let (spec, params) = (self.net.spec(), self.net.params());
        let mut gradient = vec![0.0; params.len()];
        let value =
            Workspace::new(spec, self.x.nrows(), Engine::default(), Threads::one()).and_then(|mut workspace| {
                pass::value_and_gradient(spec, params, self.batch(), &self.objective, &mut workspace, &mut gradient)
            });
        Ok((value.map_err(|error| error.to_string())?.loss, gradient))
    }
}

// ---------------------------------------------------------------------------------------------------------- requests

struct Server {
    oracles: Vec<Oracle>,
    subject: Option<Subject>,
}

impl Server {
    fn new(witnesses: &str) -> Result<Self, String> {
        let oracles = match witnesses {
            "differences" => vec![Oracle::Differences],
            "all" => Oracle::ALL.to_vec(),
            other => return Err(format!("expected differences or all, found '{other}'")),
        };
        Ok(Self { oracles, subject: None })
    }

    fn answer(&mut self, request: &str) -> Result<String, String> {
        let (verb, rest) = request.split_once(' ').unwrap_or((request, ""));
        let number = || rest.parse::<u32>().map_err(|_| format!("expected a whole number, found '{rest}'"));
        match (verb, &mut self.subject) {
            ("about", _) => {
                let (engine, version) = (Engine::default(), env!("CARGO_PKG_VERSION"));
                Ok(format!("deltarule {version} at {}, gemm {}", engine.isa(), engine.backend()))
            }
            ("load", subject) => {
                let job: Job = serde_json::from_str(rest).map_err(|error| error.to_string())?;
                *subject = Some(Subject::new(&job, &self.oracles)?);
                Ok("ok".to_string())
            }
            ("answer" | "verdict" | "spoiled" | "time", None) => Err(format!("{verb} before any load")),
            ("answer", Some(subject)) => {
                let (loss, gradient) = subject.gradient()?;
                let raw: Vec<u8> = [loss].iter().chain(&gradient).flat_map(|number| number.to_le_bytes()).collect();
                std::fs::write(rest, raw).map_err(|error| format!("{rest}: {error}"))?;
                Ok("ok".to_string())
            }
            ("verdict", Some(subject)) => Ok(verdict(&subject.check().map_err(|error| error.to_string())?)),
            ("spoiled", Some(subject)) => Ok(verdict(&subject.check_spoiled(number()? as usize)?)),
            ("time", Some(subject)) => {
                let begun = Instant::now();
                for _ in 0..number()? {
                    black_box(subject.check()).map_err(|error| error.to_string())?;
                }
                Ok(begun.elapsed().as_nanos().to_string())
            }
            _ => Err(format!("expected about, load, answer, verdict, spoiled or time, found '{verb}'")),
        }
    }
}

/// A report in one line: every entry was looked at, and none is in doubt; or which is the worst.
fn verdict(report: &Report) -> String {
    let counts = report.counts;
    let entries: usize = report.tensors.iter().map(|tensor| tensor.entries).sum();
    match report.verdict {
        Verdict::Verified if counts.verified + counts.kinks == entries => {
            format!("right, {} verified, {} at a kink", counts.verified, counts.kinks)
        }
        Verdict::Wrong => {
            let indices: Vec<_> = report.faults.iter().map(|entry| entry.index.to_string()).collect();
            format!("wrong, {} of {entries}, at {}", counts.wrong, indices.join(" "))
        }
        other => format!("{other}, {} of {entries} verified", counts.verified),
    }
}

// -------------------------------------------------------------------------------------------------------- self-check

/// A conversation with either server about a small network, among it requests that must be refused.
fn check() {
    let folder = tempfile::tempdir().expect("a folder for the samples");
    let mut rng = Rng::new(1);
    let sample = |name: &str, numbers: Vec<f64>| {
        let raw: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        std::fs::write(folder.path().join(name), raw).expect("the sample");
    };
    sample("params", (0..3 * 4 + 4 + 4 * 4 + 4 + 4 * 2 + 2).map(|_| rng.normal(0.0, 1.0)).collect());
    // Behind the first input nothing ever changes.
    sample("x", (0..5 * 3).map(|i| if i % 3 == 0 { 0.0 } else { rng.normal(0.0, 1.0) }).collect());
    sample("y", (0..5).flat_map(|i| [f64::from(i % 2), f64::from(1 - i % 2)]).collect());
    let output = folder.path().join("output");
    let job = serde_json::json!({ "widths": [3, 4, 4, 2], "hidden": "tanh", "rows": 5, "folder": folder.path() });
    for witnesses in ["differences", "all"] {
        let mut server = Server::new(witnesses).expect("witnesses that there are");
        let mut ask = |request: &str| server.answer(request).unwrap_or_else(|reason| format!("error: {reason}"));
        assert_eq!(ask("verdict"), "error: verdict before any load");
        assert_eq!(ask(&format!("load {job}")), "ok");
        assert_eq!(ask(&format!("answer {}", output.display())), "ok");
        assert_eq!(read(&output, f64::from_le_bytes).expect("an answer").len(), 1 + 46);
        assert_eq!(ask("verdict"), "right, 46 verified, 0 at a kink");
        assert_eq!(ask("spoiled 17"), "wrong, 1 of 46, at 17");
        assert_eq!(ask("spoiled 46"), "error: there is no entry 46");
        assert!(ask("time 2").parse::<u64>().is_ok_and(|nanoseconds| nanoseconds > 0));
        assert_eq!(ask("time many"), "error: expected a whole number, found 'many'");
        assert_eq!(ask("dance"), "error: expected about, load, answer, verdict, spoiled or time, found 'dance'");
    }
    assert!(Server::new("none").is_err());
}
