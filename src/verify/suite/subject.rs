//! What the suite checks: the catalogue of networks, and one of them drawn with its rows, checked, and made smaller.

use super::findings::{CURVATURE, INPUTS, PARAMETERS, PRECISION};
use crate::activation::{Activation, ActivationFn};
use crate::engine::Engine;
use crate::error::Result;
use crate::float::Float;
use crate::gradcheck::{Mode, Options, Report, Verdict};
use crate::loss::{Loss, LossFn, Targets};
use crate::network::noise::{Draw, Noise};
use crate::network::objective::{Batch, Objective};
use crate::network::{Layer, Network, Norm, Spec};
use crate::rng::Rng;
use crate::verify::{curvature_under, inputs, parameters_under, precision_under};
use ndarray::Array2;

/// Wider networks, in which products have whole tiles and rest.
const WIDE: usize = 60;
/// Of so many networks under noise, one more is wide.
const NOISY_PER_WIDE: usize = 10;

/// One combination of the catalogue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub activation: Activation,
    pub loss: Loss,
    pub depth: usize,
    pub weighted: bool,
    pub l1: f64,
    pub l2: f64,
    pub single: bool,
    pub wide: bool,
    pub noisy: bool,
    pub norm: Norm,
}

impl Kind {
    /// The classes that networks of this kind belong to.
    pub fn classes(&self) -> [String; 9] {
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
            format!("layer norm {}", if self.norm == Norm::Layer { "yes" } else { "no" }),
            format!("batch norm {}", if self.norm == Norm::Batch { "yes" } else { "no" }),
        ]
    }
}

/// The whole catalogue.
pub(super) fn kinds() -> Vec<Kind> {
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
                        let (wide, noisy, norm) = (false, false, Norm::None);
                        kinds.push(Kind { activation, loss, depth, weighted, l1, l2, single, wide, noisy, norm });
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
    let norm = Norm::Layer;
    kinds.extend(normed.iter().map(|&kind| Kind { norm, ..kind }));
    kinds.extend(normed.iter().step_by(NOISY_PER_WIDE).map(|&kind| Kind { norm, wide: true, ..kind }));
    // And of the place after that with batch normalisation, every other one under noise too.
    let coupled = wide.chunks_exact(12).enumerate().map(|(i, twelve)| twelve[(5 * i + 7) % 12]).collect::<Vec<_>>();
    let norm = Norm::Batch;
    kinds.extend(coupled.iter().enumerate().map(|(i, &kind)| Kind { norm, noisy: i % 2 == 1, ..kind }));
    kinds.extend(coupled.iter().step_by(NOISY_PER_WIDE).map(|&kind| Kind { norm, wide: true, ..kind }));
    kinds
}

/// A network to be checked, with its rows.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    kind: Kind,
    net: Network<f64>,
    x: Array2<f64>,
    y: Array2<f64>,
    weights: Option<Vec<f64>>,
    objective: Objective,
    noise: Draw,
}

impl Subject {
    pub fn draw(kind: Kind, rng: &mut Rng) -> Result<Self> {
        let size = |rng: &mut Rng| if kind.wide { 20 + rng.below(50) } else { 1 + rng.below(6) };
        let (inputs, outputs) = (size(rng), if kind.wide { 1 + rng.below(12) } else { 1 + rng.below(4) });
        let rows = if kind.wide { 30 + rng.below(100) } else { least_rows(kind.norm) + rng.below(8) };
        // Constants are part of a slope, too.
        let drawn = |activation: Activation, rng: &mut Rng| match activation {
            Activation::LeakyRelu { .. } => Activation::LeakyRelu { slope: rng.uniform(0.0, 0.5) },
            Activation::Elu { .. } => Activation::Elu { alpha: rng.uniform(0.2, 2.0) },
            other => other,
        };
        let activation = drawn(kind.activation, rng);
        let loss = match kind.loss {
            Loss::Huber { .. } => Loss::Huber { delta: rng.uniform(0.2, 1.5) },
            Loss::Quantile { .. } => Loss::Quantile { quantile: rng.uniform(0.05, 0.95) },
            // 1 and 2 by products, others by logarithms, which 0 has none of.
            Loss::Focal { .. } => Loss::Focal { gamma: focus(rng) },
            Loss::SoftmaxFocal { .. } => Loss::SoftmaxFocal { gamma: focus(rng) },
            other => other,
        };
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
            let least = if kind.norm == Norm::Layer { 3 } else { 0 };
            let layer = Layer { outputs: least + size(rng), bias: rng.below(4) > 0, activation, norm: Norm::None };
            let normed = !kind.norm.is_none() && rng.below(4) > 0;
            layers.push(layer.with_norm(if normed { kind.norm } else { Norm::None }));
        }
        let can_be = kind.norm == Norm::Batch || kind.norm == Norm::Layer && outputs > 2;
        let norm = if can_be && rng.below(2) == 0 { kind.norm } else { Norm::None };
        layers.push(Layer { outputs, bias: rng.below(4) > 0, activation: output, norm });
        let mut net = Network::new(Spec::new(inputs, layers)?, None, rng)?;
        net.params_mut().iter_mut().for_each(|p| *p += rng.uniform::<f64>(-0.4, 0.4));
        tame(&mut net);
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

    pub fn describe(&self) -> String {
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
    pub fn check(&self, engine: Engine, seed: u64) -> Vec<(&'static str, Result<Report>)> {
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
    pub fn failure(&self, engine: Engine, seed: u64) -> Option<String> {
        self.check(engine, seed).into_iter().find_map(|(what, report)| match report {
            Ok(report) if report.verdict != Verdict::Wrong => None,
            Ok(report) => Some(format!("{what}: {report}")),
            Err(error) => Some(format!("{what}: {error}")),
        })
    }

    /// The same network with less of something, by each way there is.
    pub fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        let rows = self.x.nrows();
        for keep in [rows / 2, rows - 1] {
            if keep >= least_rows(self.kind.norm) && keep < rows {
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
                tame(&mut net);
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

/// Two rows, as two numbers of a row, have one direction, whose length the norm takes away.
fn least_rows(norm: Norm) -> usize {
    if norm == Norm::Batch { 3 } else { 1 }
}

/// Exponentials of exponentials leave every type in a few layers: of a network with any, parameters are an eighth.
fn tame(net: &mut Network<f64>) {
    if net.spec().layers().iter().any(|layer| layer.activation == Activation::Exponential) {
        net.params_mut().iter_mut().for_each(|p| *p /= 8.0);
    }
}

/// A focal loss's exponent: now one that is a product, now one that is not.
fn focus(rng: &mut Rng) -> f64 {
    match rng.below(4) {
        0 => 0.0,
        1 => 1.0,
        2 => 2.0,
        _ => rng.uniform(0.3, 5.0),
    }
}

/// Targets that the loss has a meaning for.
pub(in crate::verify) fn targets(loss: Loss, rows: usize, outputs: usize, rng: &mut Rng) -> Array2<f64> {
    let kind = loss.targets();
    let mut y = Array2::from_shape_simple_fn((rows, outputs), || match kind {
        Targets::Probabilities | Targets::Distribution => rng.uniform(0.0, 1.0),
        Targets::Labels => rng.below(2) as f64,
        Targets::Counts => rng.below(6) as f64,
        Targets::Numbers => rng.normal(0.0, 1.5),
    });
    for (i, mut row) in y.rows_mut().into_iter().enumerate() {
        match kind {
            // Half of the rows are certain of one class.
            Targets::Distribution if i % 2 == 0 => {
                let class = rng.below(outputs);
                row.iter_mut().enumerate().for_each(|(j, y)| *y = f64::from(u8::from(j == class)));
            }
            Targets::Distribution => row /= row.sum(),
            Targets::Probabilities if i % 2 == 0 => row.mapv_inplace(f64::round),
            _ => {}
        }
    }
    y
}
