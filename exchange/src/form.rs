//! What a model can be written as for other programs.

use crate::{onnx, source, torch};
use deltarule::Result;
use deltarule::float::Float;
use deltarule::model::Model;

/// A kind of file that models are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The whole pipeline ([`onnx`]).
    Onnx,
    /// C99 ([`source::c`]).
    C,
    /// `no_std` Rust ([`source::rust`]).
    Rust,
    /// The network's weights by PyTorch's names ([`torch`]).
    Torch,
}

impl Form {
    /// A model as the bytes of such a file. `name` is for source, `options` for ONNX.
    ///
    /// **Errors** of what the form cannot hold.
    pub fn bytes<T: Float>(self, model: &Model<T>, name: &str, options: onnx::Options) -> Result<Vec<u8>> {
        match self {
            Self::Onnx => onnx::export(model, options),
            Self::C => Ok(source::c(model, name)?.into_bytes()),
            Self::Rust => Ok(source::rust(model, name)?.into_bytes()),
            Self::Torch => torch::export(model),
        }
    }
}
