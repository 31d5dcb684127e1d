//! Models for other programs, and other programs' models: what `Model.export` and `Model.read` of Python do.

use crate::errors::guard;
use crate::model::StoredModel;
use deltarule::activation::Activation;
use deltarule::data::Target;
use deltarule::file::{Existing, write_whole};
use deltarule::float::Float;
use deltarule::model::{Input, Model, read};
use deltarule::{Error, Result};
use deltarule_exchange::{AnyModel, Form, Kind, fann, onnx, torch, with_model};
use pyo3::prelude::*;
use std::path::{Path, PathBuf};

/// Writes a model in another program's form: `onnx`, `c`, `rust` or `torch`.
#[pyfunction]
pub fn export_model(
    py: Python<'_>,
    model: &StoredModel,
    path: PathBuf,
    form: &str,
    name: &str,
    one_input: bool,
    overwrite: bool,
) -> PyResult<()> {
    let existing = if overwrite { Existing::Replace } else { Existing::Keep };
    py.detach(|| {
        guard(|| {
            let (form, options) = (self::form(form)?, onnx::Options { one_input });
            let bytes = with_model!(&model.inner, model => form.bytes(model, name, options))?;
            write_whole(&path, &bytes, existing)
        })
    })
}

/// A form by its name.
fn form(name: &str) -> Result<Form> {
    match name {
        "onnx" => Ok(Form::Onnx),
        "c" => Ok(Form::C),
        "rust" => Ok(Form::Rust),
        "torch" => Ok(Form::Torch),
        other => Err(Error::setting("form", "onnx, c, rust or torch", format!("'{other}'"))),
    }
}

/// Reads another program's network: ONNX, safetensors or FANN, as its content says. `columns`, `targets` and `labels` are its names for
/// them, or empty.
#[pyfunction]
pub fn import_model(
    py: Python<'_>,
    path: PathBuf,
    hidden: Option<String>,
    output: Option<String>,
    columns: Vec<String>,
    targets: Vec<String>,
    labels: Vec<String>,
) -> PyResult<StoredModel> {
    py.detach(|| {
        guard(|| {
            let parse = |name: Option<String>| name.as_deref().map(Activation::parse).transpose();
            let mut inner = imported(&path, parse(hidden)?, parse(output)?)?;
            with_model!(&mut inner, model => {
                name_columns(model, columns)?;
                name_targets(model, targets, labels)?;
            });
            Ok(StoredModel { inner })
        })
    })
}

fn imported(path: &Path, hidden: Option<Activation>, output: Option<Activation>) -> Result<AnyModel> {
    let bytes = read(path)?;
    let none = |what: &str| Error::setting(what, "none, for the file says what its activations are", "one");
    match (Kind::of(&bytes), hidden, output) {
        (Kind::Onnx | Kind::Fann, Some(_), _) => Err(none("activation")),
        (Kind::Onnx, None, output) => onnx::import(&bytes, path, output),
        (Kind::Fann, None, Some(_)) => Err(none("output_activation")),
        (Kind::Fann, None, None) => fann::import(&bytes, path),
        (Kind::Safetensors, Some(hidden), output) => {
            torch::import(&bytes, path, hidden, output.unwrap_or(Activation::Identity))
        }
        (Kind::Safetensors, None, _) => {
            let expected = "that of the hidden layers, which safetensors does not hold";
            Err(Error::setting("activation", expected, "none"))
        }
        (Kind::Deltarule, ..) => Err(Error::model(path, "it is a model of deltarule's already: Model.load reads it")),
        (other, ..) => {
            let message = format!("it is {}, expected ONNX, safetensors or a network of FANN's", other.name());
            Err(Error::model(path, message))
        }
    }
}

/// Refuses names of which one is empty or stands twice, or that are not as many as what they name.
fn check(what: &str, names: &[String], count: usize) -> Result<()> {
    let faulty = |(i, name): (usize, &String)| name.is_empty() || names[..i].contains(name);
    if names.iter().enumerate().any(faulty) {
        return Err(Error::setting(what, "names, each once", format!("{names:?}")));
    }
    match names.len() == count {
        true => Ok(()),
        false => Err(Error::setting(what, format!("{count}, as many as there are to name"), names.len())),
    }
}

fn name_columns<T: Float>(model: &mut Model<T>, names: Vec<String>) -> Result<()> {
    let Input::Table(features) = &mut model.input else { return Ok(()) };
    if names.is_empty() {
        return Ok(());
    }
    check("columns", &names, features.columns.len())?;
    features.columns.iter_mut().zip(names).for_each(|(column, name)| column.name = name);
    features.header = true;
    Ok(())
}

fn name_targets<T: Float>(model: &mut Model<T>, names: Vec<String>, labels: Vec<String>) -> Result<()> {
    if !labels.is_empty() {
        let Target::Classes(classes) = &mut model.target else {
            let expected = "none where the outputs are not the probabilities of classes, as output_activation='softmax' makes them";
            return Err(Error::setting("classes", expected, format!("{labels:?}")));
        };
        check("classes", &labels, classes.labels.len())?;
        classes.labels = labels;
    }
    if names.is_empty() {
        return Ok(());
    }
    check("target", &names, model.target.names().len())?;
    let places: Vec<&mut String> = match &mut model.target {
        Target::Classes(classes) => vec![&mut classes.name],
        Target::Number(number) => vec![&mut number.name],
        Target::Labels(columns) => columns.iter_mut().map(|column| &mut column.name).collect(),
        Target::Numbers(columns) => columns.iter_mut().map(|column| &mut column.name).collect(),
    };
    places.into_iter().zip(names).for_each(|(place, name)| *place = name);
    Ok(())
}
