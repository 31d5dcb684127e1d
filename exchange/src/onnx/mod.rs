//! ONNX: the whole pipeline out, plain multilayer perceptrons in.

use crate::AnyModel;
use deltarule::activation::Activation;
use deltarule::float::Float;
use deltarule::model::Model;
use deltarule::{Error, Result};
use std::path::Path;

/// How a model is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// One input `x`, rows x columns, and not one for each column.
    pub one_input: bool,
}

/// The model as the bytes of an ONNX file.
pub fn export<T: Float>(_model: &Model<T>, _options: Options) -> Result<Vec<u8>> {
    Err(Error::Unsupported("ONNX is not written yet".into()))
}

/// The model of an ONNX file.
pub fn import(_bytes: &[u8], _path: &Path, _output: Option<Activation>) -> Result<AnyModel> {
    Err(Error::Unsupported("ONNX is not read yet".into()))
}

/// Whether the outline of these bytes is that of an ONNX file.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    bytes.first() == Some(&8)
}
