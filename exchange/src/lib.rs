//! Models for other programs, and other programs' models for deltarule.
//!
//! | file | out | in |
//! |---|---|---|
//! | ONNX ([`onnx`]) | the whole pipeline | plain multilayer perceptrons |
//! | safetensors by PyTorch's names ([`torch`]) | the network | networks of dense layers; scikit-learn's `coefs_` and `intercepts_` |
//! | FANN 2.1 ([`fann`]) | | layered networks |
//! | C99 and `no_std` Rust ([`source`]) | the whole pipeline that numbers go into, in one file that checks itself | |
//!
//! A crate of its own, so that a Rust user of the library has none of its dependencies. It uses the library's public interface only.
//! What a file is, its content tells: [`Kind`].

pub mod fann;
mod foreign;
mod form;
mod kind;
pub mod onnx;
pub mod source;
pub mod torch;

use deltarule::Result;
use deltarule::model::{self, Dtype, Model};
pub use form::Form;
pub use kind::Kind;
use std::path::Path;

/// A model in the precision of the file it was read from.
#[derive(Clone, Debug)]
pub enum AnyModel {
    /// Single precision.
    F32(Model<f32>),
    /// Double precision.
    F64(Model<f64>),
}

impl AnyModel {
    /// Reads a model's file, deltarule's own.
    ///
    /// **Errors** as [`Model::load`].
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(&model::read(path)?, path)
    }

    /// Reads the bytes of such a file; `path` names it in messages.
    ///
    /// **Errors** as [`Model::from_bytes`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        Ok(match model::peek_dtype(bytes, path)? {
            Dtype::F32 => Self::F32(Model::from_bytes(bytes, path)?),
            Dtype::F64 => Self::F64(Model::from_bytes(bytes, path)?),
        })
    }
}

/// Runs the same code on a model of either precision.
#[macro_export]
macro_rules! with_model {
    ($any:expr, $model:ident => $body:expr) => {
        match $any {
            $crate::AnyModel::F32($model) => $body,
            $crate::AnyModel::F64($model) => $body,
        }
    };
}
