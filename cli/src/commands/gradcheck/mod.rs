//! `deltarule gradcheck`: is the gradient right, of a model on data, of a random network, or of thousands?

mod suite;

use super::{AnyModel, Outcome, check_outputs, engine, existing, widths, with_model};
use crate::args::{Check, Dtype, Gradcheck, Oracle};
use crate::input::{self, Target};
use crate::report;
use deltarule::file::{self, Existing};
use deltarule::gradcheck::junit::{self, Case};
use deltarule::gradcheck::{self, Counts, Mode, Options, Report, Verdict};
use deltarule::model::{Certificate, Input, certify_file};
use deltarule::prelude::*;
use deltarule::{Error, Result, memory, verify};
use ndarray::Array2;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

pub fn run(args: &Gradcheck) -> Result<Outcome> {
    check(args)?;
    if args.suite {
        return suite::run(args);
    }
    let mode = match (args.directions, args.sample) {
        (Some(count), _) => Mode::Directions { count, seed: args.seed },
        (_, Some(per_tensor)) => Mode::Sample { per_tensor, seed: args.seed },
        _ => Mode::EveryCoordinate,
    };
    let oracle = |oracle: &Oracle| match oracle {
        Oracle::Differences => gradcheck::Oracle::Differences,
        Oracle::Dual => gradcheck::Oracle::Dual,
        Oracle::Complex => gradcheck::Oracle::Complex,
    };
    let mut oracles: Vec<_> = Vec::new();
    for oracle in args.oracles.iter().map(oracle) {
        if !oracles.contains(&oracle) {
            oracles.push(oracle);
        }
    }
    let options = Options { mode, tolerance: args.tolerance, oracles, ..Options::default() };
    let engine = engine(&args.multiply)?;
    let started = Instant::now();
    let checked = match (&args.model, &args.data) {
        (Some(model), Some(data)) => of_model(args, model, data, engine, &options)?,
        _ => of_random_network(args, engine, &options)?,
    };
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        report::print_json(&checked.json(seconds))?;
    } else {
        let mut text = format!("{}; {}, {}, {seconds:.2} s\n", checked.what, engine.isa(), engine.backend());
        for (name, found) in &checked.reports {
            text += &format!("\n== {name}\n{found}");
        }
        report::print_line(text.trim_end())?;
    }
    if let Some(path) = &args.junit {
        write_junit(path, checked.reports.iter().map(|(name, found)| (*name, found.cases())).collect(), args.force)?;
    }
    if let (Some(path), Some(certificate)) = (&args.model, checked.certificate) {
        certify_file(path, certificate?)?;
        report::say(&format!("wrote the certificate into {}", path.display()));
    }
    Ok(outcome(checked.verdict))
}

/// What could not be measured at all is not proved, either.
fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Verified | Verdict::Kink => Outcome::Done,
        Verdict::Inconclusive | Verdict::Wrong => Outcome::CheckFailed,
    }
}

fn write_junit(path: &Path, suites: Vec<(&str, Vec<Case>)>, force: bool) -> Result<()> {
    file::write_whole(path, junit::xml(&suites).as_bytes(), existing(force))?;
    report::say(&format!("wrote {}", path.display()));
    Ok(())
}

/// What a run found.
struct Checked {
    what: String,
    parameters: usize,
    verdict: Verdict,
    reports: Vec<(&'static str, Report)>,
    certificate: Option<Result<Certificate>>,
}

impl Checked {
    fn new(what: String, parameters: usize, reports: Vec<(&'static str, Report)>) -> Self {
        let any = |verdict| reports.iter().any(|(_, report)| report.verdict == verdict);
        let worst = [Verdict::Wrong, Verdict::Inconclusive, Verdict::Kink].into_iter().find(|&verdict| any(verdict));
        Self { what, parameters, verdict: worst.unwrap_or(Verdict::Verified), reports, certificate: None }
    }

    fn json(&self, seconds: f64) -> Value {
        let mut counts = Counts::default();
        self.reports.iter().for_each(|(_, report)| counts.absorb(&report.counts));
        let reports: serde_json::Map<_, _> = (self.reports.iter())
            .map(|(name, report)| ((*name).to_string(), serde_json::to_value(report).unwrap_or_default()))
            .collect();
        json!({
            "verdict": self.verdict, "network": self.what, "parameters": self.parameters, "seconds": seconds,
            "checked": counts.checked, "verified": counts.verified, "kinks": counts.kinks,
            "inconclusive": counts.inconclusive, "wrong": counts.wrong,
            "inconclusive_share": counts.inconclusive_share(),
            "reports": reports, "certificate": self.certificate.as_ref().and_then(|c| c.as_ref().ok()),
        })
    }
}

/// Refuses settings out of range, and outputs that could not be written.
fn check(args: &Gradcheck) -> Result<()> {
    if !(args.tolerance > 0.0 && args.tolerance < 1.0) {
        return Err(Error::setting("--tolerance", "a number between 0 and 1", args.tolerance));
    }
    for (name, penalty) in [("--l1", args.l1), ("--l2", args.l2)] {
        if !(penalty.is_finite() && penalty >= 0.0) {
            return Err(Error::setting(name, "a finite number of at least 0", penalty));
        }
    }
    let counts = [("--rows", Some(args.rows)), ("--directions", args.directions), ("--sample", args.sample)];
    if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == Some(0)) {
        return Err(Error::setting(name, "at least 1", 0));
    }
    if args.certify && !args.checks.contains(&Check::Parameters) {
        return Err(Error::setting("--checks with --certify", "parameters among them", "others alone"));
    }
    let outputs: Vec<&Path> = args.junit.iter().map(AsRef::as_ref).collect();
    let inputs: Vec<&Path> = args.model.iter().chain(&args.data).map(AsRef::as_ref).collect();
    check_outputs(&outputs, &inputs, existing(args.force))?;
    match &args.model {
        Some(path) if args.certify => file::check_writable(path, Existing::Replace),
        _ => Ok(()),
    }
}

/// The checks that were asked for, of one network on its rows.
fn check_network<T: Float>(
    args: &Gradcheck,
    net: &Network<T>,
    batch: Batch<'_, T>,
    objective: &Objective,
    engine: Engine,
    options: &Options,
) -> Result<Vec<(&'static str, Report)>> {
    let one = |check: &Check| {
        Ok(match check {
            Check::Parameters => ("parameters", verify::parameters(net, batch.view(), objective, engine, options)?),
            Check::Precision => ("precision", verify::precision(net, batch.view(), objective, engine)?),
            Check::Inputs => ("inputs", verify::inputs(net, batch.x.view(), engine, options)?),
            Check::Curvature => {
                let options = match args.directions {
                    Some(_) => options.clone(),
                    None => Options { mode: Mode::Directions { count: 1, seed: args.seed }, ..options.clone() },
                };
                ("curvature", verify::curvature(net, batch.view(), objective, engine, &options)?)
            }
        })
    };
    let mut checks = args.checks.clone();
    checks.sort_unstable();
    checks.dedup();
    checks.iter().map(one).collect()
}

/// The gradient of a saved model on the first rows of a data file.
fn of_model(args: &Gradcheck, path: &Path, data: &Path, engine: Engine, options: &Options) -> Result<Checked> {
    let any = AnyModel::load(path)?;
    with_model!(any, model => {
        let target = match model.input {
            Input::Table(_) => Target::OfModel(model.target.name()),
            Input::Images { .. } => Target::Unknown,
        };
        let source = input::open(data, &args.reading, target)?;
        let rows: Vec<usize> = (0..source.rows().min(args.rows)).collect();
        let (x, y) = (model.input.encode(&source, &rows)?, model.encode_targets(&source, &rows)?);
        let batch = Batch { x: x.view(), y: y.view(), weights: None };
        let objective = Objective { loss: model.loss, l1: args.l1, l2: args.l2 };
        let spec = model.network.spec();
        require_memory(args, spec, rows.len())?;
        let reports = check_network(args, &model.network, batch, &objective, engine, options)?;
        let what = format!("{} on {}: {}", path.display(), report::count(rows.len(), "row"), spec.architecture());
        let mut checked = Checked::new(what, spec.parameters(), reports);
        if args.certify {
            let found = |name| checked.reports.iter().find(|(check, _)| *check == name).map(|(_, report)| report);
            let parameters = found("parameters").expect("asked for, as check() requires");
            let (on, by) = ((&objective, rows.len()), (engine, options));
            checked.certificate = Some(Certificate::of(&model, on, by, parameters, found("precision")));
        }
        Ok(checked)
    })
}

/// Refuses what does not fit into memory: of parameters, points, gradients, bounds and their dual numbers; of rows, every layer's sums,
/// activations and errors.
fn require_memory<A: ActivationFn>(args: &Gradcheck, spec: &Spec<A>, rows: usize) -> Result<()> {
    let units: u128 = spec.layers().iter().map(|layer| layer.outputs as u128).sum();
    let ends = spec.inputs() as u128 + spec.outputs() as u128;
    // A check of curvature keeps the gradients that it has met along each vector.
    let vectors = if args.checks.contains(&Check::Curvature) { args.directions.unwrap_or(1) as u128 } else { 0 };
    let numbers = (16 + 48 * vectors) * spec.parameters() as u128 + rows as u128 * (4 * ends + 12 * units);
    let what = format!("checking {} parameters on {}", spec.parameters(), report::count(rows, "row"));
    memory::require(&what, 8 * numbers)
}

/// The gradient of a network with random weights, on random rows.
fn of_random_network(args: &Gradcheck, engine: Engine, options: &Options) -> Result<Checked> {
    match args.dtype {
        Dtype::F32 => of_random::<f32>(args, engine, options),
        Dtype::F64 => of_random::<f64>(args, engine, options),
    }
}

fn of_random<T: Float>(args: &Gradcheck, engine: Engine, options: &Options) -> Result<Checked> {
    let activation = Activation::parse(&args.activation)?;
    let (output, loss) = (Activation::parse(&args.output_activation)?, Loss::parse(&args.loss)?);
    let spec = Spec::mlp(args.inputs, &widths("--hidden", &args.hidden)?, activation, args.outputs, output)?;
    require_memory(args, &spec, args.rows)?;
    let mut rng = Rng::new(args.seed);
    let mut net = Network::<T>::new(spec.clone(), None, &mut rng)?;
    // Biases of zero would hide a fault in their gradient's neighbours.
    for block in spec.blocks() {
        net.params_mut()[block.bias.clone()].iter_mut().for_each(|b| *b = rng.normal(0.0, 0.5));
    }
    let rows = args.rows;
    let x = Array2::from_shape_simple_fn((rows, args.inputs), || rng.normal::<T>(0.0, 1.0));
    let y = match loss {
        Loss::SoftmaxCrossEntropy | Loss::LogisticCrossEntropy => {
            let classes: Vec<usize> = (0..rows).map(|_| rng.below(args.outputs)).collect();
            Array2::from_shape_fn(
                (rows, args.outputs),
                |(row, class)| {
                    if classes[row] == class { T::ONE } else { T::ZERO }
                },
            )
        }
        _ => Array2::from_shape_simple_fn((rows, args.outputs), || rng.normal::<T>(0.0, 1.0)),
    };
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let objective = Objective { loss, l1: args.l1, l2: args.l2 };
    let reports = check_network(args, &net, batch, &objective, engine, options)?;
    let what = format!("{}, {loss}, {}, {}", spec.architecture(), report::count(rows, "row"), T::NAME);
    Ok(Checked::new(what, spec.parameters(), reports))
}
