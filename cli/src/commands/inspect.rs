//! `deltarule inspect`: what is inside a model file.

use super::{AnyModel, Outcome, check_outputs, existing, with_model};
use crate::args::Inspect;
use crate::report;
use deltarule::Result;
use deltarule::data::Target;
use deltarule::data::features::Kind;
use deltarule::data::target::{Classes, Number};
use deltarule::file;
use deltarule::float::Float;
use deltarule::loss::Loss;
use deltarule::model::{Certificate, Input, Model, Provenance};
use deltarule::network::Spec;
use deltarule::picture;
use serde::Serialize;
use std::path::Path;

pub fn run(args: &Inspect) -> Result<Outcome> {
    let existing = existing(args.force);
    let pictures: Vec<&Path> = args.diagram.iter().chain(&args.weights).map(AsRef::as_ref).collect();
    pictures.iter().try_for_each(|path| picture::check_name(path))?;
    check_outputs(&pictures, &[&args.model], existing)?;
    let any = AnyModel::load(&args.model)?;
    with_model!(any, model => {
        if let Some(path) = &args.diagram {
            file::write_whole(path, model.diagram_svg()?.as_bytes(), existing)?;
        }
        if let Some(path) = &args.weights {
            file::write_whole(path, model.weights_svg()?.as_bytes(), existing)?;
        }
        if args.json {
            report::print_json(&describe(&model))?;
        } else {
            print(&model)?;
        }
    });
    Ok(Outcome::Done)
}

/// A model, for machines. A struct and no `json!`, which would sort the keys: a certificate's checksum is that of its text.
#[derive(Serialize)]
struct Described<'a> {
    dtype: &'static str,
    network: &'a Spec,
    parameters: usize,
    parameters_sha256: String,
    input: &'a Input,
    target: &'a Target,
    loss: Loss,
    provenance: &'a Provenance,
    certificate: Option<&'a Certificate>,
    certificate_fits: Option<bool>,
}

fn describe<T: Float>(model: &Model<T>) -> Described<'_> {
    let spec = model.network.spec();
    Described {
        dtype: T::NAME,
        network: spec,
        parameters: spec.parameters(),
        parameters_sha256: model.parameters_sha256(),
        input: &model.input,
        target: &model.target,
        loss: model.loss,
        provenance: &model.provenance,
        certificate: model.certificate.as_ref(),
        certificate_fits: model.certificate.as_ref().map(|certificate| certificate.fits(model)),
    }
}

/// What a gradient check found, of these parameters or of others, in lines.
fn certified(certificate: &Certificate, fits: bool) -> Vec<String> {
    let Certificate { version, isa, gemm, objective, dtype, rows, mode, .. } = certificate;
    let whose = match fits {
        true => "of these parameters",
        false => "of other parameters: they were changed after the check, which says nothing of these",
    };
    let mut lines = vec![
        format!("gradient   {}, {whose}", certificate.verdict),
        format!(
            "             {mode} on {}, against {}; {objective}",
            report::count(*rows, "row"),
            certificate.oracles.join(", ")
        ),
    ];
    for tensor in &certificate.tensors {
        let mut line = format!("             {}: {} of {} checked", tensor.name, tensor.checked, tensor.entries);
        for (count, what) in [
            (tensor.verified, "verified"),
            (tensor.kinks, "at a kink"),
            (tensor.inconclusive, "inconclusive"),
            (tensor.wrong, "wrong"),
        ] {
            if count > 0 {
                line += &format!(", {count} {what}");
            }
        }
        if !tensor.worst.is_empty() {
            line += &format!("; largest error {:.1e}, {}", tensor.worst_error, tensor.worst);
        }
        lines.push(line);
    }
    // As much of the sum as tells certificates apart; --json has the whole.
    let sum: String = certificate.sha256.chars().take(12).collect();
    lines.push(format!("             {}, {isa}, gemm {gemm}; deltarule {version}; sha256 {sum}", dtype.name()));
    lines
}

fn print<T: Float>(model: &Model<T>) -> Result<()> {
    let mut lines = Vec::new();
    let spec = model.network.spec();
    for Classes { name, labels } in model.target.class_columns() {
        lines.push(format!("predicts   {name}: {}", labels.join(", ")));
    }
    for Number { name, mean, scale } in model.target.number_columns() {
        lines.push(if model.provenance.means.is_empty() {
            format!("predicts   {name}: a number, trained with mean {mean:.6} and deviation {scale:.6}")
        } else {
            format!("predicts   {name}: a number, trained as it is")
        });
    }
    lines.push(format!("inputs     {}", report::inputs(&model.input)));
    if let Input::Table(features) = &model.input {
        for column in &features.columns {
            lines.push(match &column.kind {
                Kind::Number { mean, scale, .. } => {
                    format!("             {}: number, mean {mean:.6}, deviation {scale:.6}", column.name)
                }
                Kind::Category { levels, .. } => format!("             {}: {}", column.name, levels.join(", ")),
            });
        }
    }
    lines.push(format!("network    {} parameters, {}, loss {}", spec.parameters(), T::NAME, model.loss));
    for (l, (layer, block)) in spec.layers().iter().zip(spec.blocks()).enumerate() {
        let bias = if layer.bias { "" } else { ", no bias" };
        let norm = if layer.norm.is_none() { String::new() } else { format!(", {}", layer.norm.name()) };
        lines.push(format!(
            "             layer {}: {} -> {} {}{norm}{bias}",
            l + 1,
            block.inputs,
            block.outputs,
            layer.activation
        ));
    }
    let p = &model.provenance;
    lines.push(match p.rows {
        0 => "trained    elsewhere".into(),
        rows => format!(
            "trained    on {} of {}, {}, seed {}",
            report::count(rows, "row"),
            p.data,
            report::count(p.epochs, "epoch"),
            p.seed
        ),
    });
    lines.push(format!("             {}; deltarule {}", p.training, p.version));
    lines.push(format!("sha256     {}", model.parameters_sha256()));
    if let Some(certificate) = &model.certificate {
        lines.extend(certified(certificate, certificate.fits(model)));
    }
    report::print_line(
        &lines.iter().map(|line| report::printable(&line.replace('\n', " "))).collect::<Vec<_>>().join("\n"),
    )
}
