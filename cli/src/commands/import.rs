//! `deltarule import`: a model of another program's network.

use super::{AnyModel, Outcome, check_outputs, existing, with_model};
use crate::args::Import;
use crate::report;
use deltarule::activation::Activation;
use deltarule::data::Target;
use deltarule::data::target::{Classes, Number};
use deltarule::float::Float;
use deltarule::model::{self, Input, Model};
use deltarule::{Error, Result};
use deltarule_exchange::{Kind, fann, onnx, torch};

pub fn run(args: &Import) -> Result<Outcome> {
    let existing = existing(args.force);
    check_outputs(&[&args.model], &[&args.file], existing)?;
    for (flag, names) in [("--columns", &args.columns), ("--target", &args.target), ("--labels", &args.labels)] {
        check_names(flag, names)?;
    }
    let any = read(args)?;
    with_model!(any, model => {
        let mut model = model;
        name(&mut model, args)?;
        model.save(&args.model, existing)?;
        let spec = model.network.spec();
        let size = report::count(spec.parameters(), "parameter");
        report::say(&format!("{}: {}, {size}, {}", args.model.display(), spec.architecture(), model_type(&model)));
    });
    Ok(Outcome::Done)
}

fn model_type<T: Float>(_: &Model<T>) -> &'static str {
    T::NAME
}

/// Reads the file as what its content says it is.
fn read(args: &Import) -> Result<AnyModel> {
    let activation = |flag: &str, name: &Option<String>| {
        let flagged = |e| match e {
            Error::Setting { expected, found, .. } => Error::setting(flag, expected, found),
            other => other,
        };
        name.as_deref().map(|name| Activation::parse(name).map_err(flagged)).transpose()
    };
    let hidden = activation("--activation", &args.activation)?;
    let output = activation("--output-activation", &args.output_activation)?;
    let path = args.file.as_path();
    let bytes = model::read(path)?;
    let kind = Kind::of(&bytes);
    let known = |flag: &str| Error::setting(flag, "none, for the file says what its activations are", "one");
    match kind {
        Kind::Onnx if hidden.is_some() => Err(known("--activation")),
        Kind::Onnx => onnx::import(&bytes, path, output),
        Kind::Fann if hidden.is_some() => Err(known("--activation")),
        Kind::Fann if output.is_some() => Err(known("--output-activation")),
        Kind::Fann => fann::import(&bytes, path),
        Kind::Safetensors => {
            let hidden = hidden.ok_or_else(|| {
                Error::setting("--activation", "the hidden layers' activation, which safetensors does not hold", "none")
            })?;
            torch::import(&bytes, path, hidden, output.unwrap_or(Activation::Identity))
        }
        Kind::Deltarule => {
            Err(Error::model(path, "it is a model of deltarule's already, which every command reads as it is"))
        }
        other => {
            let found = other.name();
            Err(Error::model(path, format!("it is {found}, expected ONNX, safetensors or a network of FANN's")))
        }
    }
}

/// Refuses an empty name, and one that stands twice.
fn check_names(flag: &str, names: &[String]) -> Result<()> {
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() || names[..i].contains(name) {
            let found = if name.is_empty() { "an empty one".into() } else { format!("'{name}' twice") };
            return Err(Error::setting(flag, "names, each once", found));
        }
    }
    Ok(())
}

/// Refuses more or fewer names than there are things to name.
fn check_count(flag: &str, names: &[String], what: &str, count: usize) -> Result<()> {
    if names.len() == count {
        return Ok(());
    }
    Err(Error::setting(flag, format!("{}, one for each {what}", report::count(count, "name")), names.len()))
}

/// Gives columns, targets and classes the names that were asked for.
fn name<T: Float>(model: &mut Model<T>, args: &Import) -> Result<()> {
    let Import { columns, target, labels, .. } = args;
    if let (Input::Table(features), false) = (&mut model.input, columns.is_empty()) {
        check_count("--columns", columns, "input column", features.columns.len())?;
        features.columns.iter_mut().zip(columns).for_each(|(column, name)| column.name.clone_from(name));
        features.header = true;
    }
    if !labels.is_empty() {
        let output = model.network.spec().layers().last().map(|layer| layer.activation.name());
        match &mut model.target {
            Target::Classes(classes) => {
                check_count("--labels", labels, "class", classes.labels.len())?;
                classes.labels.clone_from(labels);
            }
            Target::Labels(_) => {
                return Err(Error::setting(
                    "--labels",
                    "none where each output is a label of its own, which --target names",
                    "some",
                ));
            }
            Target::Number(_) | Target::Numbers(_) => {
                let found = format!("those of '{}'", output.unwrap_or_default());
                let expected =
                    "outputs that are probabilities, as --output-activation softmax or sigmoid makes weighted sums";
                return Err(Error::setting("--labels", expected, found));
            }
        }
    }
    if !target.is_empty() {
        check_count("--target", target, "target column", model.target.names().len())?;
        let names: Vec<&mut String> = match &mut model.target {
            Target::Classes(Classes { name, .. }) | Target::Number(Number { name, .. }) => vec![name],
            Target::Labels(columns) => columns.iter_mut().map(|column| &mut column.name).collect(),
            Target::Numbers(columns) => columns.iter_mut().map(|column| &mut column.name).collect(),
        };
        names.into_iter().zip(target).for_each(|(to, name)| to.clone_from(name));
    }
    Ok(())
}
