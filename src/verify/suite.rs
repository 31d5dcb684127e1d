//! Thousands of random networks of every kind, each before all witnesses: what a new machine, a new backend or a new kernel is tried with.
//!
//! The catalogue is the product of activation x loss x depth 0 to 3 x sample weights x penalty x precision, each combination once; sizes,
//! rows, biases, constants, weights and targets are drawn. To it come wider networks, for products larger than a tile, and networks of every
//! activation, loss and depth under dropout and noise on their inputs, with one draw of it for all witnesses, and with layer normalisation. Of
//! each network are
//! checked: the gradient of every parameter (of a wide one, some of each tensor) by differences, dual numbers and a complex step; the
//! gradient in the network's own precision, entry by entry, to its rounding bound; the gradient of the inputs; and the Hessian's product
//! with a random vector. What fails is made smaller for as long as it fails, and named with its number, by which it can be had again.

use super::findings::{CURVATURE, INPUTS, PARAMETERS, PRECISION};
pub use super::findings::{Class, Failure, Findings};
use super::{curvature_under, inputs, parameters_under, precision_under};
use crate::activation::{Activation, ActivationFn};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::gradcheck::{Mode, Options, Report, Verdict};
use crate::loss::{Loss, LossFn};
use crate::network::noise::{Draw, Noise};
use crate::network::objective::{Batch, Objective};
use crate::network::{Layer, Network, Norm, Spec};
use crate::rng::Rng;
use ndarray::Array2;
use std::time::Instant;

/// Which networks, and who computes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Instruction set and GEMM backend.
    pub engine: Engine,
    /// What sizes and numbers are drawn from.
    pub seed: u64,
    /// Only the network of this number, from 0.
    pub only: Option<usize>,
}

/// Failures that are made smaller and told.
const MOST_FAILURES: usize = 5;
/// Wider networks, in which products have whole tiles and rest.
const WIDE: usize = 60;
/// Of so many networks under noise, one more is wide.
const NOISY_PER_WIDE: usize = 10;

/// One combination of the catalogue.
#[derive(Clone, Copy, Debug)]
struct Kind {
    activation: Activation,
    loss: Loss,
    depth: usize,
    weighted: bool,
    l1: f64,
    l2: f64,
    single: bool,
    wide: bool,
    noisy: bool,
    normed: bool,
}

impl Kind {
    /// The classes that networks of this kind belong to.
    fn classes(&self) -> [String; 8] {
        let penalty = match self {
            Self { l1, .. } if *l1 > 0.0 => "l1",
            Self { l2, .. } if *l2 > 0.0 => "l2",
            _ => "none",
        };
        [
            format!("activation {}", self.activation.name()),
            format!("loss {}", self.loss.name()),
            if self.wide { "wide".into() } else { format!("depth {}", self.depth) },
            format!("penalty {penalty}"),
            format!("weights {}", if self.weighted { "yes" } else { "no" }),
            format!("precision {}", if self.single { "f32" } else { "f64" }),
            format!("dropout {}", if self.noisy { "yes" } else { "no" }),
            format!("layer norm {}", if self.normed { "yes" } else { "no" }),
        ]
    }
}

/// The whole catalogue.
fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    let trainable = || Activation::ALL.into_iter().filter(ActivationFn::is_differentiable);
    for activation in trainable() {
        // A softmax in a hidden layer is refused.
        let depths = if activation == Activation::Softmax { 0..1 } else { 0..4 };
        for loss in Loss::ALL {
            for depth in depths.clone() {
                for (l1, l2) in [(0.0, 0.0), (0.05, 0.0), (0.0, 0.1)] {
                    for bits in 0..4 {
                        let (weighted, single) = (bits & 1 > 0, bits & 2 > 0);
                        kinds.push(Kind {
                            activation,
                            loss,
                            depth,
                            weighted,
                            l1,
                            l2,
                            single,
                            wide: false,
                            noisy: false,
                            normed: false,
                        });
                    }
                }
            }
        }
    }
    let wide = kinds.iter().filter(|kind| kind.depth > 0).copied().collect::<Vec<_>>();
    let stride = wide.len() / WIDE;
    kinds.extend((0..WIDE).map(|i| Kind { wide: true, ..wide[i * stride] }));
    // One of each twelve, whose penalties, weights and precisions take turns; 5 and 12 have no factor in common.
    let noisy = wide.chunks_exact(12).enumerate().map(|(i, twelve)| twelve[5 * i % 12]).collect::<Vec<_>>();
    kinds.extend(noisy.iter().map(|&kind| Kind { noisy: true, ..kind }));
    kinds.extend(noisy.iter().step_by(NOISY_PER_WIDE).map(|&kind| Kind { noisy: true, wide: true, ..kind }));
    // And of the other parity of penalties and weights, with layer normalisation.
    let normed = wide.chunks_exact(12).enumerate().map(|(i, twelve)| twelve[(5 * i + 6) % 12]).collect::<Vec<_>>();
    kinds.extend(normed.iter().map(|&kind| Kind { normed: true, ..kind }));
    kinds.extend(normed.iter().step_by(NOISY_PER_WIDE).map(|&kind| Kind { normed: true, wide: true, ..kind }));
    kinds
}

/// A network to be checked, with its rows.
#[derive(Clone, Debug)]
struct Subject {
    kind: Kind,
    net: Network<f64>,
    x: Array2<f64>,
    y: Array2<f64>,
    weights: Option<Vec<f64>>,
    objective: Objective,
    noise: Draw,
}

impl Subject {
    fn draw(kind: Kind, rng: &mut Rng) -> Result<Self> {
        let size = |rng: &mut Rng| if kind.wide { 20 + rng.below(50) } else { 1 + rng.below(6) };
        let (inputs, outputs) = (size(rng), if kind.wide { 1 + rng.below(12) } else { 1 + rng.below(4) });
        let rows = if kind.wide { 30 + rng.below(100) } else { 1 + rng.below(8) };
        // Constants are part of a slope, too.
        let drawn = |activation: Activation, rng: &mut Rng| match activation {
            Activation::LeakyRelu { .. } => Activation::LeakyRelu { slope: rng.uniform(0.0, 0.5) },
            Activation::Elu { .. } => Activation::Elu { alpha: rng.uniform(0.2, 2.0) },
            other => other,
        };
        let activation = drawn(kind.activation, rng);
        let loss =
            if let Loss::Huber { .. } = kind.loss { Loss::Huber { delta: rng.uniform(0.2, 1.5) } } else { kind.loss };
        // Every third loss that reads logits gets outputs it was not made for.
        let output = match (kind.depth, loss.link()) {
            (0, _) => activation,
            (_, Some(link)) if rng.below(3) > 0 => link,
            _ => {
                let all: Vec<_> = Activation::ALL.into_iter().filter(ActivationFn::is_differentiable).collect();
                drawn(all[rng.below(all.len())], rng)
            }
        };
        let mut layers = Vec::new();
        for _ in 0..kind.depth {
            // Rows of two numbers have one direction, whose length the norm takes away.
            let least = if kind.normed { 3 } else { 0 };
            let layer = Layer { outputs: least + size(rng), bias: rng.below(4) > 0, activation, norm: Norm::None };
            layers.push(layer.with_norm(if kind.normed && rng.below(4) > 0 { Norm::Layer } else { Norm::None }));
        }
        let normed = kind.normed && outputs > 2 && rng.below(2) == 0;
        let norm = if normed { Norm::Layer } else { Norm::None };
        layers.push(Layer { outputs, bias: rng.below(4) > 0, activation: output, norm });
        let mut net = Network::new(Spec::new(inputs, layers)?, None, rng)?;
        net.params_mut().iter_mut().for_each(|p| *p += rng.uniform::<f64>(-0.4, 0.4));
        let x = Array2::from_shape_simple_fn((rows, inputs), || rng.normal(0.0, 1.0));
        let y = targets(loss, rows, outputs, rng);
        let mut weights: Option<Vec<f64>> = kind.weighted.then(|| (0..rows).map(|_| rng.uniform(0.1, 3.0)).collect());
        if let Some(weights) = weights.as_mut().filter(|weights| weights.len() > 2) {
            weights[1] = 0.0;
        }
        let mut noise = Draw::default();
        if kind.noisy {
            let dropout = (0..kind.depth).map(|_| rng.uniform(0.0, 0.7)).collect();
            let input_dropout = if rng.below(2) == 0 { rng.uniform(0.0, 0.5) } else { 0.0 };
            let input_noise = if rng.below(2) == 0 { rng.uniform(0.0, 0.5) } else { 0.0 };
            let step = rng.below(1000) as u64;
            noise = Draw { noise: Noise { dropout, input_dropout, input_noise }, seed: 1, step };
        }
        let objective = Objective { loss, l1: kind.l1, l2: kind.l2 };
        let mut subject = Self { kind, net, x, y, weights, objective, noise };
        if kind.single {
            subject.round();
        }
        Ok(subject)
    }

    /// Numbers that single precision has.
    fn round(&mut self) {
        let round = |x: &mut f64| *x = f64::from(*x as f32);
        self.net.params_mut().iter_mut().for_each(round);
        self.x.iter_mut().for_each(round);
        self.y.iter_mut().for_each(round);
        self.weights.iter_mut().flatten().for_each(round);
    }

    fn describe(&self) -> String {
        let spec = self.net.spec();
        let without: Vec<_> = (spec.layers().iter().enumerate().filter(|(_, layer)| !layer.bias))
            .map(|(l, _)| (l + 1).to_string())
            .collect();
        let biases = if without.is_empty() { String::new() } else { format!(", no biases in {}", without.join(", ")) };
        let weights = if self.weights.is_some() { ", weighted" } else { "" };
        let Objective { loss, l1, l2 } = self.objective;
        let (dtype, noise) = (if self.kind.single { "f32" } else { "f64" }, self.noise.noise.describe());
        let rows = self.x.nrows();
        format!("{}{biases}, {loss}, l1 {l1}, l2 {l2}, {rows} rows{weights}, {dtype}{noise}", spec.architecture())
    }

    /// The four checks, by name; of inputs that have noise, without it.
    fn check(&self, engine: Engine, seed: u64) -> Vec<(&'static str, Result<Report>)> {
        if self.kind.single {
            let weights: Option<Vec<f32>> = self.weights.as_ref().map(|w| w.iter().map(|&w| w as f32).collect());
            let (x, y) = (self.x.mapv(|x| x as f32), self.y.mapv(|y| y as f32));
            let batch = Batch { x: x.view(), y: y.view(), weights: weights.as_deref() };
            self.check_in(&self.net.cast::<f32>(), batch, engine, seed)
        } else {
            let batch = Batch { x: self.x.view(), y: self.y.view(), weights: self.weights.as_deref() };
            self.check_in(&self.net, batch, engine, seed)
        }
    }

    fn check_in<T: Float>(
        &self,
        net: &Network<T>,
        batch: Batch<'_, T>,
        engine: Engine,
        seed: u64,
    ) -> Vec<(&'static str, Result<Report>)> {
        let some = Mode::Sample { per_tensor: 16, seed };
        let mode = if self.kind.wide { some } else { Mode::EveryCoordinate };
        let options = Options { mode, ..Options::default() };
        let along = Options { mode: Mode::Directions { count: 1, seed }, ..Options::default() };
        vec![
            (PARAMETERS, parameters_under(&self.noise, net, batch.view(), &self.objective, engine, &options)),
            (PRECISION, precision_under(&self.noise, net, batch.view(), &self.objective, engine)),
            (INPUTS, inputs(net, batch.x.view(), engine, &options)),
            (CURVATURE, curvature_under(&self.noise, net, batch.view(), &self.objective, engine, &along)),
        ]
    }

    /// The first check that fails, and what it says.
    fn failure(&self, engine: Engine, seed: u64) -> Option<String> {
        self.check(engine, seed).into_iter().find_map(|(what, report)| match report {
            Ok(report) if report.verdict != Verdict::Wrong => None,
            Ok(report) => Some(format!("{what}: {report}")),
            Err(error) => Some(format!("{what}: {error}")),
        })
    }

    /// The same network with less of something, by each way there is.
    fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        let rows = self.x.nrows();
        for keep in [rows / 2, rows - 1] {
            if keep > 0 && keep < rows {
                let cut = |array: &Array2<f64>| array.slice(ndarray::s![..keep, ..]).to_owned();
                let weights = self.weights.as_ref().map(|w| w[..keep].to_vec()).filter(|w| w.iter().sum::<f64>() > 0.0);
                smaller.push(Self { x: cut(&self.x), y: cut(&self.y), weights, ..self.clone() });
            }
        }
        if self.weights.is_some() {
            smaller.push(Self { weights: None, ..self.clone() });
        }
        if self.objective.l1 > 0.0 || self.objective.l2 > 0.0 {
            smaller.push(Self { objective: Objective { l1: 0.0, l2: 0.0, ..self.objective }, ..self.clone() });
        }
        if !self.noise.noise.is_none() {
            smaller.push(Self { noise: Draw::default(), ..self.clone() });
            let one = |noise| Self { noise: Draw { noise, ..self.noise.clone() }, ..self.clone() };
            if self.noise.noise.is_on_inputs() {
                smaller.push(one(Noise { input_dropout: 0.0, input_noise: 0.0, ..self.noise.noise.clone() }));
            }
            // One rate for all layers, for there may soon be fewer.
            if self.noise.noise.dropout.len() > 1 {
                smaller.push(one(Noise { dropout: vec![self.noise.noise.rate(0)], ..self.noise.noise.clone() }));
            }
        }
        // One unit of a hidden layer less, or a whole layer.
        let (spec, hidden) = (self.net.spec(), self.net.spec().layers().len() - 1);
        for l in 0..hidden {
            let mut narrower = spec.layers().to_vec();
            let mut shallower = narrower.clone();
            narrower[l].outputs = (narrower[l].outputs / 2).max(1);
            shallower.remove(l);
            for layers in [narrower, shallower].into_iter().filter(|layers| layers != spec.layers()) {
                let mut rng = Rng::new(l as u64);
                let Ok(spec) = Spec::new(spec.inputs(), layers) else { continue };
                let Ok(mut net) = Network::new(spec, None, &mut rng) else { continue };
                net.params_mut().iter_mut().for_each(|p| *p += rng.uniform::<f64>(-0.4, 0.4));
                let mut subject = Self { net, ..self.clone() };
                if self.kind.single {
                    subject.round();
                }
                smaller.push(subject);
            }
        }
        smaller
    }
}

/// Targets that the loss has a meaning for.
pub(super) fn targets(loss: Loss, rows: usize, outputs: usize, rng: &mut Rng) -> Array2<f64> {
    let mut y = Array2::from_shape_simple_fn((rows, outputs), || match loss {
        Loss::LogisticCrossEntropy | Loss::SoftmaxCrossEntropy => rng.uniform(0.0, 1.0),
        _ => rng.normal(0.0, 1.5),
    });
    for (i, mut row) in y.rows_mut().into_iter().enumerate() {
        match loss {
            // Half of the rows are certain of one class.
            Loss::SoftmaxCrossEntropy if i % 2 == 0 => {
                let class = rng.below(outputs);
                row.iter_mut().enumerate().for_each(|(j, y)| *y = f64::from(u8::from(j == class)));
            }
            Loss::SoftmaxCrossEntropy => row /= row.sum(),
            Loss::LogisticCrossEntropy if i % 2 == 0 => row.mapv_inplace(f64::round),
            _ => {}
        }
    }
    y
}

/// Runs the suite; `observe` is told after each network how many there were and are.
///
/// **Determinism**: the same findings for the same settings, but for the seconds. **Errors**: a number that no network has;
/// what fails is in the findings.
pub fn run(settings: Settings, observe: &mut dyn FnMut(usize, usize)) -> Result<Findings> {
    let started = Instant::now();
    let kinds = kinds();
    if let Some(number) = settings.only.filter(|&number| number >= kinds.len()) {
        return Err(Error::setting("number of a network", format!("0 to {}", kinds.len() - 1), number));
    }
    let mut findings = Findings::new();
    for (number, &kind) in kinds.iter().enumerate() {
        if settings.only.is_some_and(|only| only != number) {
            continue;
        }
        let mut rng = Rng::with_stream(settings.seed, number as u64);
        let subject = Subject::draw(kind, &mut rng)?;
        findings.networks += 1;
        let reports = subject.check(settings.engine, number as u64);
        let failed = reports.iter().any(|(_, report)| !matches!(report, Ok(r) if r.verdict != Verdict::Wrong));
        findings.add(kind.classes(), &reports);
        if failed {
            findings.wrong_networks += 1;
            if findings.failures.len() < MOST_FAILURES {
                findings.failures.push(smallest(number, subject, settings.engine));
            }
        }
        observe(number + 1, kinds.len());
    }
    let all = [findings.parameters, findings.precision, findings.inputs, findings.curvature];
    findings.verdict = match findings.wrong_networks {
        0 => Verdict::of(all.into_iter()),
        _ => Verdict::Wrong,
    };
    findings.seconds = started.elapsed().as_secs_f64();
    Ok(findings)
}

/// Makes a network that fails smaller for as long as it fails.
fn smallest(number: usize, mut subject: Subject, engine: Engine) -> Failure {
    let seed = number as u64;
    let mut report = subject.failure(engine, seed).unwrap_or_else(|| "failed, and then no more".into());
    'shrinking: loop {
        for smaller in subject.smaller() {
            if let Some(said) = smaller.failure(engine, seed) {
                (subject, report) = (smaller, said);
                continue 'shrinking;
            }
        }
        return Failure { network: number, smallest: subject.describe(), report };
    }
}
