//! ONNX: the whole pipeline out, plain multilayer perceptrons in.
//!
//! Begin reading at [`export`] and [`import`]. `messages.rs` is the format, `graph.rs` a graph that grows, `activations.rs` what
//! activations look like in it.

mod activations;
mod export;
mod graph;
mod messages;

use crate::AnyModel;
use deltarule::activation::Activation;
use deltarule::{Error, Result};
pub use export::{Options, export};
use std::path::Path;

/// The model of an ONNX file.
pub fn import(_bytes: &[u8], _path: &Path, _output: Option<Activation>) -> Result<AnyModel> {
    Err(Error::Unsupported("ONNX is not read yet".into()))
}

/// Whether the outline of these bytes is that of an ONNX file.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    bytes.first() == Some(&8)
}
