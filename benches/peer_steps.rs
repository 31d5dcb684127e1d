//! This library's side of `scripts/compare steps` and `scripts/compare scale`: training steps and predictions, timed on request.
//!
//! Called with `serve THREADS` it reads one request a line from stdin and answers each with one line on stdout:
//!
//! ```text
//! about                what this is: version, instruction set, GEMM
//! load JOB             prepares the work that JOB, a line of JSON, describes: ok, and how it is done
//! answer FILE          starts over, and writes to FILE (f64, raw, little-endian) the losses of the first five steps; for a gradient
//!                      the loss and the gradient, for an epoch its loss, for a prediction the outputs: ok
//! time REPETITIONS     starts over, and gives the nanoseconds of so many, after one that is not counted (an epoch: without)
//! limit MILLISECONDS   GF/s of fused multiply-adds in registers (f32, one thread), measured for so long
//! ```
//!
//! A request that cannot be met is answered by `error:` and the reason. Otherwise (as `cargo bench` calls it) it checks a step of
//! each kind against central differences and itself, times nothing, and ends.
//!
//! What is measured is [`Subject::once`].

mod served;
mod subject;

use deltarule::prelude::*;
use deltarule::simd::{Isa, Kernel, Lanes};
use serde::Deserialize;
use served::{converse, fail, read};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use subject::{Job, Subject, Work};

/// What it is called.
const PROGRAM: &str = "peer_steps";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, threads] = &arguments[..]
        && verb == "serve"
    {
        let threads = threads.parse().map_err(|_| format!("expected a number of threads, found '{threads}'"));
        let threads = threads.and_then(|count| Threads::new(count).map_err(|error| error.to_string()));
        let mut server = Server { threads: threads.unwrap_or_else(|reason| fail(PROGRAM, &reason)), subject: None };
        converse(PROGRAM, |request| server.answer(request));
    } else {
        check();
        println!("peer_steps: steps, gradients and predictions agree; `scripts/compare steps` times them");
    }
}

// --------------------------------------------------------------------------------------------------------------- jobs

/// The rest of a line that describes a job.
#[derive(Debug, Deserialize)]
struct Place {
    /// Where `params`, `x` and `y` lie: raw files of the type, little-endian.
    folder: PathBuf,
}

/// A job of either type.
trait Served {
    fn answer(&mut self) -> Vec<f64>;
    fn time(&mut self, repetitions: u32) -> Duration;
}

/// How many losses are compared.
const COMPARED: usize = 5;

impl<T: Float> Served for Subject<T> {
    fn answer(&mut self) -> Vec<f64> {
        self.start_over();
        let threads = self.trainer.threads.clone();
        let numbers = |slice: &[T]| slice.iter().map(|number| number.real()).collect::<Vec<f64>>();
        threads.enter(|| match self.work {
            Work::Step => (0..COMPARED).map(|_| self.step()).collect(),
            Work::Gradient => {
                let loss = self.gradient();
                [vec![loss], numbers(&self.gradient)].concat()
            }
            Work::Epoch => vec![self.epoch()],
            Work::Predict => {
                self.predict();
                numbers(self.outputs.as_slice().expect("made row-major"))
            }
        })
    }

    fn time(&mut self, repetitions: u32) -> Duration {
        self.start_over();
        let threads = self.trainer.threads.clone();
        threads.enter(|| {
            if self.work != Work::Epoch {
                self.once();
            }
            let begun = Instant::now();
            for _ in 0..repetitions {
                black_box(self.once());
            }
            begun.elapsed()
        })
    }
}

// ---------------------------------------------------------------------------------------------------------- requests

struct Server {
    threads: Threads,
    subject: Option<Box<dyn Served>>,
}

impl Server {
    fn answer(&mut self, request: &str) -> Result<String, String> {
        let (verb, rest) = request.split_once(' ').unwrap_or((request, ""));
        let count = || rest.parse::<u32>().map_err(|_| format!("expected a whole number, found '{rest}'"));
        match (verb, &mut self.subject) {
            ("about", _) => Ok(about()),
            ("limit", _) => Ok(format!("{:.2}", limit(Duration::from_millis(count()?.into())))),
            ("load", subject) => {
                let job: Job = serde_json::from_str(rest).map_err(|error| error.to_string())?;
                let Place { folder } = serde_json::from_str(rest).map_err(|error| error.to_string())?;
                *subject = None; // Its memory first.
                *subject = Some(match &job.kind[..] {
                    "f32" => Box::new(load(&job, &self.threads, &folder, f32::from_le_bytes)?),
                    "f64" => Box::new(load(&job, &self.threads, &folder, f64::from_le_bytes)?),
                    other => return Err(format!("expected f32 or f64, found '{other}'")),
                });
                Ok("ok".to_string())
            }
            ("answer" | "time", None) => Err(format!("{verb} before any load")),
            ("answer", Some(subject)) => {
                let raw: Vec<u8> = subject.answer().iter().flat_map(|number| number.to_le_bytes()).collect();
                std::fs::write(rest, raw).map_err(|error| format!("{rest}: {error}"))?;
                Ok("ok".to_string())
            }
            ("time", Some(subject)) => Ok(subject.time(count()?).as_nanos().to_string()),
            _ => Err(format!("expected about, load, answer, time or limit, found '{verb}'")),
        }
    }
}

fn about() -> String {
    let engine = Engine::default();
    let core = engine.backend().blas().and_then(|library| library.about().core.clone());
    let core = core.map_or_else(String::new, |core| format!(" (core {core})"));
    format!("deltarule {} at {}, gemm {}{core}", env!("CARGO_PKG_VERSION"), engine.isa(), engine.backend())
}

/// A job with the numbers that lie in `folder`.
fn load<T: Float, const SIZE: usize>(
    job: &Job,
    threads: &Threads,
    folder: &Path,
    number: impl Fn([u8; SIZE]) -> T,
) -> Result<Subject<T>, String> {
    Subject::new(job, threads, |name, _| read(&folder.join(name), &number))
}

// ------------------------------------------------------------------------------------------------------------- limit

/// Chains of multiply-adds that do not wait for each other: two in each cycle, of a latency of four or five, and some spare.
const CHAINS: usize = 12;
/// Multiply-adds of a chain in one run, some microseconds.
const LINKS: usize = 4096;

/// Multiply-adds in registers, [`CHAINS`] times [`LINKS`] of them in each lane.
struct MultiplyAdds {
    factor: f32,
    summand: f32,
}

impl Kernel<f32> for MultiplyAdds {
    /// How many operations were done, and a result that depends on all.
    type Output = (usize, f32);

    #[inline(always)]
    fn run<L: Lanes<f32>>(self, lanes: L) -> Self::Output {
        let (factor, summand) = (lanes.splat(self.factor), lanes.splat(self.summand));
        let mut chains = [summand; CHAINS];
        for _ in 0..LINKS {
            for chain in &mut chains {
                *chain = lanes.mul_add(*chain, factor, summand);
            }
        }
        let mut total = [0.0; 16];
        lanes.store(chains.into_iter().reduce(|a, b| lanes.add(a, b)).expect("chains"), &mut total);
        (2 * CHAINS * LINKS * L::WIDTH, total[0])
    }
}

/// GF/s of multiply-adds in registers, the most in any run of about a millisecond.
fn limit(span: Duration) -> f64 {
    let begun = Instant::now();
    let mut most: f64 = 0.0;
    while begun.elapsed() < span {
        let (mut operations, run) = (0, Instant::now());
        while run.elapsed() < Duration::from_millis(1) {
            let (done, result) = multiply_adds(Isa::current(), black_box(0.5), black_box(1.0));
            black_box(result);
            operations += done;
        }
        most = most.max(operations as f64 / run.elapsed().as_nanos() as f64);
    }
    most
}

#[inline(never)]
fn multiply_adds(isa: Isa, factor: f32, summand: f32) -> (usize, f32) {
    <f32 as deltarule::simd::Vectorized>::dispatch(isa, MultiplyAdds { factor, summand })
}

// -------------------------------------------------------------------------------------------------------- self-check

/// How far a gradient may be from a central difference in f64, relative to the largest: the difference's own error, and far
/// below what a missing term would be.
const TOLERANCE: f64 = 1e-7;
/// Half the distance of the two values of a difference.
const DISTANCE: f64 = 1e-5;

/// A conversation about a small network for each kind of work, among it requests that must be refused.
fn check() {
    let folder = tempfile::tempdir().expect("a folder for the samples");
    let mut rng = Rng::new(1);
    for (name, length) in [("params", 3 * 4 + 4 + 4 * 2 + 2), ("x", 7 * 3), ("y", 7 * 2)] {
        let raw: Vec<u8> = (0..length).flat_map(|_| rng.uniform::<f64>(0.1, 0.9).to_le_bytes()).collect();
        std::fs::write(folder.path().join(name), raw).expect("the sample");
    }
    let output = folder.path().join("output");
    let job = |work: &str, rate: f64| {
        serde_json::json!({
            "work": work, "type": "f64", "widths": [3, 4, 2], "biases": true, "hidden": "tanh", "output": "identity",
            "rows": 7, "batch": 7, "method": "sgd", "rate": rate, "folder": folder.path(),
        })
    };
    for threads in [Threads::one(), Threads::new(2).expect("two threads")] {
        let mut server = Server { threads, subject: None };
        let mut ask = |request: String| server.answer(&request);
        let mut found = |job: serde_json::Value| {
            assert_eq!(ask(format!("load {job}")), Ok("ok".to_string()));
            assert_eq!(ask(format!("answer {}", output.display())), Ok("ok".to_string()));
            read(&output, f64::from_le_bytes).expect("an answer")
        };
        // A step of gradient descent at a rate r lowers the loss by r times the squared gradient, but for r squared.
        let gradient = found(job("gradient", 0.0));
        let losses = found(job("step", DISTANCE));
        let back = found(job("step", -DISTANCE));
        let squared: f64 = gradient[1..].iter().map(|g| g * g).sum();
        let difference = (back[1] - losses[1]) / (2.0 * DISTANCE);
        assert_eq!((gradient.len(), losses.len()), (1 + 26, COMPARED));
        assert!((difference - squared).abs() <= TOLERANCE * squared, "{difference} and {squared}");
        assert_eq!((losses[0], found(job("epoch", 0.1))[0]), (gradient[0], gradient[0]), "one batch of an epoch");
        let outputs = found(job("predict", 0.0));
        let y = read(&folder.path().join("y"), f64::from_le_bytes).expect("the targets");
        let loss = outputs.iter().zip(&y).map(|(a, y)| (a - y).powi(2) / 2.0).sum::<f64>() / 7.0;
        assert!((loss - gradient[0]).abs() <= TOLERANCE * loss, "{loss} from outputs, {} from the pass", gradient[0]);
    }
    let mut server = Server { threads: Threads::one(), subject: None };
    let mut broken = job("step", 0.1);
    broken["rows"] = 8.into();
    let requests = format!("time 3\nload {broken}\nload {}\ntime 3\ntime many\nlimit 1\ndance\n", job("step", 0.1));
    let mut answers = Vec::new();
    served::serve(requests.as_bytes(), &mut answers, |request| server.answer(request)).expect("answers kept in memory");
    let answers = String::from_utf8(answers).expect("text");
    let answers: Vec<&str> = answers.lines().collect();
    let [early, shapes, "ok", time, many, limit, dance] = answers[..] else { panic!("answered {answers:?}") };
    assert_eq!(early, "error: time before any load");
    assert_eq!(shapes, "error: x: 21 numbers for (8, 3)");
    assert!(time.parse::<u64>().is_ok_and(|nanoseconds| nanoseconds > 0), "{time}");
    assert_eq!(many, "error: expected a whole number, found 'many'");
    assert!(limit.parse::<f64>().is_ok_and(|gigaflops| gigaflops > 0.1), "{limit}");
    assert_eq!(dance, "error: expected about, load, answer, time or limit, found 'dance'");
}
