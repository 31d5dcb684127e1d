//! What a peer's program is asked, and how it answers: the requests of `benches/peer_steps.rs`, for any [`Peer`].

use serde::Deserialize;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

/// What is repeated.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    Step,
    Gradient,
    Epoch,
    Predict,
}

/// What a line of JSON describes; `scripts/compare_rows.py` says what each means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    pub work: Work,
    /// `f32` or `f64`.
    #[serde(rename = "type")]
    pub kind: String,
    pub widths: Vec<usize>,
    pub biases: bool,
    pub hidden: String,
    pub output: String,
    pub rows: usize,
    pub batch: usize,
    pub method: String,
    pub rate: f64,
    pub folder: PathBuf,
}

/// A layer's first parameters: weights inputs x outputs, and biases if it has them.
pub struct Layer {
    pub inputs: usize,
    pub outputs: usize,
    pub weights: Vec<f64>,
    pub biases: Option<Vec<f64>>,
}

impl Job {
    /// Whether its targets are classes and its loss cross-entropy.
    pub fn classifies(&self) -> bool {
        self.output == "softmax"
    }

    pub fn outputs(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    /// What the mean squared error over rows and outputs has to be multiplied by, to be half the sum over outputs.
    pub fn half_outputs(&self) -> f64 {
        self.outputs() as f64 / 2.0
    }

    /// The first row and the number of rows of each mini-batch.
    pub fn batches(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (rows, batch) = (self.rows, self.batch);
        (0..rows).step_by(batch).map(move |start| (start, batch.min(rows - start)))
    }

    pub fn x(&self) -> Result<Vec<f64>, String> {
        self.read("x")
    }

    pub fn y(&self) -> Result<Vec<f64>, String> {
        self.read("y")
    }

    /// The class of each row.
    pub fn labels(&self) -> Result<Vec<u32>, String> {
        let class = |row: &[f64]| row.iter().position(|&y| y == 1.0).map(|class| class as u32);
        let labels: Option<_> = self.y()?.chunks_exact(self.outputs()).map(class).collect();
        labels.ok_or_else(|| "expected one 1 in each row of y".to_string())
    }

    pub fn layers(&self) -> Result<Vec<Layer>, String> {
        let mut params = self.read("params")?.into_iter();
        let mut take = |count: usize| params.by_ref().take(count).collect::<Vec<f64>>();
        let layer = |pair: &[usize]| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let weights = take(inputs * outputs);
            Layer { inputs, outputs, weights, biases: self.biases.then(|| take(outputs)) }
        };
        Ok(self.widths.windows(2).map(layer).collect())
    }

    /// The numbers of a raw file of the job's type; `f64` holds each exactly.
    fn read(&self, name: &str) -> Result<Vec<f64>, String> {
        let file = self.folder.join(name);
        let bytes = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(match &self.kind[..] {
            "f32" => bytes.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four).into()).collect(),
            _ => bytes.as_chunks().0.iter().map(|&eight| f64::from_le_bytes(eight)).collect(),
        })
    }
}

/// How a library does a job.
pub trait Peer: Sized {
    /// What the work gives, before it is made numbers.
    type Output;

    fn load(job: &Job) -> Result<Self, String>;
    /// Back to the first parameters, and to an optimiser that has seen nothing.
    fn start_over(&mut self);
    /// The job's work: the loss, the loss and the gradient, the mean loss of an epoch, or the outputs.
    fn once(&mut self) -> Self::Output;
    /// What is compared: of a gradient the loss, then for each layer weights (inputs x outputs) and biases.
    fn numbers(&self, output: Self::Output) -> Vec<f64>;
}

/// The version of a package, from the lock file.
pub fn version<'a>(lock: &'a str, package: &str) -> &'a str {
    let behind = lock.split_once(&format!("name = \"{package}\"\nversion = \"")).map(|(_, behind)| behind);
    behind.and_then(|behind| behind.split('"').next()).unwrap_or("of unknown version")
}

/// How many losses are compared.
const COMPARED: usize = 5;

/// Answers requests until there are no more.
pub fn serve<P: Peer>(about: &str) {
    let mut loaded: Option<(Job, P)> = None;
    for request in std::io::stdin().lock().lines() {
        let request = request.expect("a line of text");
        let answer = answer(about, &mut loaded, &request).unwrap_or_else(|reason| format!("error: {reason}"));
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}").and_then(|()| out.flush()).expect("somebody reads the answers");
    }
}

fn answer<P: Peer>(about: &str, loaded: &mut Option<(Job, P)>, request: &str) -> Result<String, String> {
    let (verb, rest) = request.split_once(' ').unwrap_or((request, ""));
    match (verb, loaded) {
        ("about", _) => Ok(about.to_string()),
        ("load", loaded) => {
            *loaded = None; // Its memory first.
            let job: Job = serde_json::from_str(rest).map_err(|error| error.to_string())?;
            let peer = P::load(&job)?;
            *loaded = Some((job, peer));
            Ok("ok".to_string())
        }
        ("answer", Some((job, peer))) => {
            peer.start_over();
            let repetitions = if job.work == Work::Step { COMPARED } else { 1 };
            let mut raw = Vec::new();
            for _ in 0..repetitions {
                let output = peer.once();
                raw.extend(peer.numbers(output).iter().flat_map(|number| number.to_le_bytes()));
            }
            std::fs::write(rest, raw).map_err(|error| format!("{rest}: {error}"))?;
            Ok("ok".to_string())
        }
        ("time", Some((job, peer))) => {
            let repetitions: u32 = rest.parse().map_err(|_| format!("expected a whole number, found '{rest}'"))?;
            peer.start_over();
            if job.work != Work::Epoch {
                black_box(peer.once());
            }
            let begun = Instant::now();
            for _ in 0..repetitions {
                black_box(peer.once());
            }
            Ok(begun.elapsed().as_nanos().to_string())
        }
        _ => Err(format!("expected about, load, answer or time, found '{verb}'")),
    }
}
