//! The checker checked: wrong gradients, each of which it must find, with exactly the right tensors named.
//!
//! A check that has never failed proves nothing: neither that it can, nor that what it lets pass is right. So here are the mistakes that
//! people make with gradients, each as its author makes it: in the code of a plain back-propagation ([`backprop`]), in the formula of an
//! activation or a loss (`formulas.rs`), under a dropout mask (`dropout.rs`), on the
//! way back through batch normalisation (`batch_norm.rs`). A [`Specimen`] draws a network and rows from a seed and
//! has two gradients checked, one with the mistake and one, the control, by the same code without. It is caught if the verdict on the
//! first is *wrong* and the tensors named are those that the mistake reaches, no fewer and no more; anything but *verified* on the
//! second is a false alarm. Faults are as large as they naturally are: a forgotten penalty is 1e-4 of a weight, a sum in single
//! precision 1e-7 of an entry.
//!
//! Begin reading at the table in `catalogue.rs`.
//!
//! ```
//! use deltarule::engine::Engine;
//! use deltarule::verify::specimens;
//!
//! let specimen = specimens::catalogue().iter().find(|specimen| specimen.name == "sums_in_f32").unwrap();
//! let examined = specimen.examine(Engine::default(), 1)?;
//! assert!(examined.is_caught() && !examined.is_false_alarm());
//! # Ok::<(), deltarule::Error>(())
//! ```

pub mod backprop;
mod batch_norm;
mod catalogue;
mod dropout;
mod formulas;
mod subjects;

use crate::engine::Engine;
use crate::error::Result;
use crate::gradcheck::{Report, Tensor, TensorReport, Verdict};
use crate::rng::Rng;
use serde::Serialize;
use std::fmt;
use std::time::Instant;

/// The one that takes seconds, and is examined once.
const LARGE: &str = "one_entry_of_many";

/// Tensors that lie one after another, by their names and how many numbers they have.
fn one_after_another<'a>(tensors: impl Iterator<Item = (&'a str, usize)>) -> Vec<Tensor> {
    let mut start = 0;
    let tensor = |(name, size): (&str, usize)| {
        let range = start..start + size;
        start = range.end;
        Tensor { name: name.into(), range }
    };
    tensors.map(tensor).collect()
}

/// A mistake that people make with gradients.
#[derive(Clone, Copy, Debug)]
pub struct Specimen {
    /// Its name.
    pub name: &'static str,
    /// What the mistake is, and where it is seen.
    pub what: &'static str,
    how: How,
    reach: Reach,
}

/// Where the mistake is made.
#[derive(Clone, Copy, Debug)]
enum How {
    Code(backprop::Fault),
    Activation(formulas::Unit),
    Loss(formulas::Lapse),
    Dropout(dropout::Slip),
    BatchNorm(batch_norm::Slip),
    /// In the gradient with respect to the inputs.
    Inputs,
    /// In one entry of many.
    Entry,
}

/// Which tensors it reaches.
#[derive(Clone, Copy, Debug)]
enum Reach {
    Everything,
    Weights,
    Biases,
    /// Every layer but the last.
    BelowOutput,
    /// Weights, but of the first layer.
    LaterWeights,
    FirstWeights,
}

impl Reach {
    /// Those of `tensors`: weights and biases, layer after layer.
    fn among(self, tensors: &[TensorReport]) -> Vec<String> {
        let is_guilty = |at: usize| match self {
            Self::Everything => true,
            Self::Weights => at.is_multiple_of(2),
            Self::Biases => !at.is_multiple_of(2),
            Self::BelowOutput => at + 2 < tensors.len(),
            Self::LaterWeights => at.is_multiple_of(2) && at > 0,
            Self::FirstWeights => at == 0,
        };
        tensors.iter().enumerate().filter(|(at, _)| is_guilty(*at)).map(|(_, tensor)| tensor.name.clone()).collect()
    }
}

/// All specimens.
pub fn catalogue() -> &'static [Specimen] {
    &catalogue::ALL
}

impl Specimen {
    /// Has the gradient checked with the mistake and without, on a network, rows and an objective drawn from `seed`.
    ///
    /// **Errors**: no memory. **Determinism**: the same reports for the same seed.
    pub fn examine(&self, engine: Engine, seed: u64) -> Result<Examined> {
        let mut rng = Rng::new(seed);
        let [report, innocent] = match self.how {
            How::Code(fault) => subjects::code(fault, engine, &mut rng)?,
            How::Activation(unit) => subjects::activation(unit, engine, &mut rng)?,
            How::Loss(lapse) => subjects::loss(lapse, engine, &mut rng)?,
            How::Dropout(slip) => dropout::examine(slip, &mut rng),
            How::BatchNorm(slip) => batch_norm::examine(slip, &mut rng),
            How::Inputs => subjects::input(engine, &mut rng)?,
            How::Entry => subjects::entry(engine, &mut rng)?,
        };
        let guilty = self.reach.among(&innocent.tensors);
        Ok(Examined { report, guilty, innocent })
    }
}

/// What the checker said of a specimen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Examined {
    /// Of the gradient with the mistake.
    pub report: Report,
    /// The tensors that the mistake reaches.
    pub guilty: Vec<String>,
    /// Of the gradient by the same code, on the same subject, without the mistake.
    pub innocent: Report,
}

impl Examined {
    /// Whether the mistake was found, and the tensors named are those that it reaches.
    pub fn is_caught(&self) -> bool {
        self.report.verdict == Verdict::Wrong && self.report.wrong_tensors() == self.guilty
    }

    /// Whether the gradient without the mistake was not verified.
    pub fn is_false_alarm(&self) -> bool {
        self.innocent.verdict != Verdict::Verified
    }
}

/// How many of the specimens the checker finds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// How many mistakes there are.
    pub specimens: usize,
    /// How many gradients with a mistake were checked.
    pub trials: usize,
    /// Those that were found, with the right tensors named.
    pub caught: usize,
    /// The others: specimen, seed, verdict, and the tensors named and guilty.
    pub missed: Vec<String>,
    /// How many gradients without a mistake were not verified.
    pub false_alarms: usize,
    /// Which: specimen, seed and verdict, and the tensors named.
    pub alarms: Vec<String>,
    /// How many gradients without a mistake were checked.
    pub controls: usize,
    /// How long it took.
    pub seconds: f64,
}

impl Detection {
    /// Whether all were found and nothing else was.
    pub fn is_complete(&self) -> bool {
        self.caught == self.trials && self.false_alarms == 0
    }
}

/// Examines every specimen on as many subjects as there are `seeds`, the large one on one.
///
/// **Errors** as [`Specimen::examine`].
pub fn detection(engine: Engine, seeds: u64) -> Result<Detection> {
    let start = Instant::now();
    let mut found = Detection {
        specimens: catalogue().len(),
        trials: 0,
        caught: 0,
        missed: Vec::new(),
        false_alarms: 0,
        alarms: Vec::new(),
        controls: 0,
        seconds: 0.0,
    };
    for specimen in catalogue() {
        for seed in 0..if specimen.name == LARGE { seeds.min(1) } else { seeds } {
            let examined = specimen.examine(engine, seed)?;
            let Specimen { name, .. } = specimen;
            found.trials += 1;
            found.controls += 1;
            if examined.is_caught() {
                found.caught += 1;
            } else {
                let Examined { report, guilty, .. } = &examined;
                let (verdict, named) = (report.verdict, report.wrong_tensors());
                found.missed.push(format!("{name}, seed {seed}: {verdict}, named {named:?}, guilty {guilty:?}"));
            }
            if examined.is_false_alarm() {
                let (verdict, named) = (examined.innocent.verdict, examined.innocent.wrong_tensors());
                found.false_alarms += 1;
                found.alarms.push(format!("{name}, seed {seed}: {verdict}, named {named:?}"));
            }
        }
    }
    found.seconds = start.elapsed().as_secs_f64();
    Ok(found)
}

impl fmt::Display for Detection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { specimens, trials, caught, false_alarms, controls, seconds, .. } = self;
        writeln!(f, "{specimens} mistakes: {caught} of {trials} wrong gradients found, with the right tensors named")?;
        write!(f, "{false_alarms} false alarms among {controls} right ones ({seconds:.1} s)")
    }
}
