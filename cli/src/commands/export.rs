//! `deltarule export`: a model for other programs.

use super::{AnyModel, Outcome, check_outputs, existing, with_model};
use crate::args::Export;
use deltarule::file;
use deltarule::{Error, Result};
use deltarule_exchange::{Form, onnx};
use std::path::Path;

pub fn run(args: &Export) -> Result<Outcome> {
    let existing = existing(args.force);
    let outputs = outputs(args)?;
    let paths: Vec<&Path> = outputs.iter().map(|(_, path)| *path).collect();
    check_outputs(&paths, &[&args.model], existing)?;
    let any = AnyModel::load(&args.model)?;
    let options = onnx::Options { one_input: args.one_input };
    let made = with_model!(any, model => {
        outputs.iter().map(|(form, _)| form.bytes(&model, &args.name, options)).collect::<Result<Vec<_>>>()?
    });
    // All are made before the first is written: a model that one cannot hold leaves no half of what was asked for.
    for (path, bytes) in paths.into_iter().zip(made) {
        file::write_whole(path, &bytes, existing)?;
    }
    Ok(Outcome::Done)
}

/// The files that were asked for.
fn outputs(args: &Export) -> Result<Vec<(Form, &Path)>> {
    let mut outputs = Vec::new();
    if let Some(path) = &args.out {
        outputs.push((form_of(path)?, path.as_path()));
    }
    let flags = [(Form::Onnx, &args.onnx), (Form::C, &args.c), (Form::Rust, &args.rust), (Form::Torch, &args.torch)];
    outputs.extend(flags.into_iter().filter_map(|(form, path)| Some((form, path.as_deref()?))));
    if outputs.is_empty() {
        return Err(Error::setting("OUT", "a file to write, or --onnx, --c, --rust or --torch with one", "none"));
    }
    if args.one_input && outputs.iter().all(|(form, _)| *form != Form::Onnx) {
        return Err(Error::setting("--one-input", "an ONNX file to be written", "none"));
    }
    Ok(outputs)
}

/// What a file's name ends in.
fn form_of(path: &Path) -> Result<Form> {
    match path.extension().and_then(|suffix| suffix.to_str()) {
        Some("onnx") => Ok(Form::Onnx),
        Some("c") => Ok(Form::C),
        Some("rs") => Ok(Form::Rust),
        Some("safetensors") => Ok(Form::Torch),
        _ => Err(Error::setting(
            "OUT",
            "a name that ends in .onnx, .c, .rs or .safetensors (--onnx, --c, --rust and --torch take any)",
            format!("'{}'", path.display()),
        )),
    }
}
