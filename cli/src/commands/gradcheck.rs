//! `deltarule gradcheck`: is the gradient right, of a model on data or of a random network?

use super::{AnyModel, Outcome, widths, with_model};
use crate::args::Gradcheck;
use crate::input::{self, Target};
use crate::report;
use deltarule::gradcheck::{Mode, Options, Report, Verdict};
use deltarule::model::Input;
use deltarule::prelude::*;
use deltarule::{Error, Result, memory, verify};
use ndarray::Array2;
use serde_json::json;

pub fn run(args: &Gradcheck) -> Result<Outcome> {
    check(args)?;
    let mode = match args.directions {
        None => Mode::EveryCoordinate,
        Some(count) => Mode::Directions { count, seed: args.seed },
    };
    let options = Options { mode, tolerance: args.tolerance, ..Options::default() };
    let (report, spec, what) = match (&args.model, &args.data) {
        (Some(model), Some(data)) => of_model(args, model, data, &options)?,
        _ => of_random_network(args, &options)?,
    };
    let name = |index: usize| match args.directions {
        None => spec.parameter_name(index),
        Some(_) => format!("direction {}", index + 1),
    };
    if args.json {
        let entry = |e: &deltarule::gradcheck::Entry| {
            json!({ "parameter": name(e.index), "index": e.index, "analytic": e.analytic, "numeric": e.numeric,
                    "error": e.error, "estimate": e.estimate, "step": e.step })
        };
        report::print_json(&json!({
            "verdict": report.verdict, "network": what, "parameters": spec.parameters(), "tolerance": report.tolerance,
            "checked": report.counts.checked, "agreed": report.counts.verified, "disagreed": report.counts.wrong, "kinks": report.counts.kinks,
            "inconclusive": report.counts.inconclusive, "worst": report.worst.as_ref().map(entry),
            "wrong": report.faults.iter().map(entry).collect::<Vec<_>>(), "message": report.message,
        }))?;
    } else {
        report::print_line(&format!("{what}\n{report}"))?;
        for entry in report.worst.iter().chain(&report.faults) {
            report::print_line(&format!("  {} is {}", entry.index, name(entry.index)))?;
        }
    }
    // What could not be measured is not proved.
    Ok(if report.verdict == Verdict::Verified { Outcome::Done } else { Outcome::CheckFailed })
}

/// Refuses settings out of range.
fn check(args: &Gradcheck) -> Result<()> {
    if !(args.tolerance > 0.0 && args.tolerance < 1.0) {
        return Err(Error::setting("--tolerance", "a number between 0 and 1", args.tolerance));
    }
    if !(args.l2.is_finite() && args.l2 >= 0.0) {
        return Err(Error::setting("--l2", "a finite number of at least 0", args.l2));
    }
    for (name, count) in [("--rows", args.rows), ("--directions", args.directions.unwrap_or(1))] {
        if count == 0 {
            return Err(Error::setting(name, "at least 1", 0));
        }
    }
    Ok(())
}

/// The gradient of a saved model on the first rows of a data file.
fn of_model(
    args: &Gradcheck,
    path: &std::path::Path,
    data: &std::path::Path,
    options: &Options,
) -> Result<(Report, Spec, String)> {
    let any = AnyModel::load(path)?;
    with_model!(any, model => {
        let target = match model.input {
            Input::Table(_) => Target::Column(model.target.name()),
            Input::Images { .. } => Target::Unknown,
        };
        let source = input::open(data, &args.reading, target)?;
        let rows: Vec<usize> = (0..source.rows().min(args.rows)).collect();
        let (x, y) = (model.input.encode(&source, &rows)?, model.encode_targets(&source, &rows)?);
        let batch = Batch { x: x.view(), y: y.view(), weights: None };
        let objective = Objective { loss: model.loss, l1: 0.0, l2: args.l2 };
        let report = verify::parameters(&model.network, batch, &objective, Engine::default(), options)?;
        let what = format!("{} on {}, checked in f64", path.display(), report::count(rows.len(), "row"));
        Ok((report, model.network.spec().clone(), what))
    })
}

/// Refuses what does not fit into memory: parameters, gradient and two points; rows, and what a pass makes of them.
fn require_memory(spec: &Spec, rows: usize) -> Result<()> {
    let units: u128 = spec.layers().iter().map(|layer| layer.outputs as u128).sum();
    let ends = spec.inputs() as u128 + spec.outputs() as u128;
    let numbers = 4 * spec.parameters() as u128 + rows as u128 * (2 * ends + 2 * units);
    let what = format!("checking {} parameters on {}", spec.parameters(), report::count(rows, "row"));
    memory::require(&what, 8 * numbers)
}

/// The gradient of a network with random weights, on random rows.
fn of_random_network(args: &Gradcheck, options: &Options) -> Result<(Report, Spec, String)> {
    let activation = Activation::parse(&args.activation)?;
    let (output, loss) = (Activation::parse(&args.output_activation)?, Loss::parse(&args.loss)?);
    let spec = Spec::mlp(args.inputs, &widths("--hidden", &args.hidden)?, activation, args.outputs, output)?;
    require_memory(&spec, args.rows)?;
    let mut rng = Rng::new(args.seed);
    let mut net = Network::<f64>::new(spec.clone(), None, &mut rng)?;
    // Biases of zero would hide a fault in their gradient's neighbours.
    for block in spec.blocks() {
        net.params_mut()[block.bias.clone()].iter_mut().for_each(|b| *b = rng.normal(0.0, 0.5));
    }
    let rows = args.rows;
    let x = Array2::from_shape_simple_fn((rows, args.inputs), || rng.normal::<f64>(0.0, 1.0));
    let y = match loss {
        Loss::SoftmaxCrossEntropy | Loss::LogisticCrossEntropy => {
            let classes: Vec<usize> = (0..rows).map(|_| rng.below(args.outputs)).collect();
            Array2::from_shape_fn((rows, args.outputs), |(row, class)| if classes[row] == class { 1.0 } else { 0.0 })
        }
        _ => Array2::from_shape_simple_fn((rows, args.outputs), || rng.normal::<f64>(0.0, 1.0)),
    };
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let report =
        verify::parameters(&net, batch, &Objective { loss, l1: 0.0, l2: args.l2 }, Engine::default(), options)?;
    let hidden = if args.hidden == "none" { String::new() } else { format!("-{}", args.hidden.replace(',', "-")) };
    let what =
        format!("{}{hidden}-{} {activation}, {output} outputs, {loss}, {} rows", args.inputs, args.outputs, rows);
    Ok((report, spec, what))
}
