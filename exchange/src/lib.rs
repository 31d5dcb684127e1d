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

pub mod fann;
mod foreign;
pub mod onnx;
pub mod source;
pub mod torch;

use deltarule::model::Model;

/// A model in the precision of the file it was read from.
#[derive(Clone, Debug)]
pub enum AnyModel {
    /// Single precision.
    F32(Model<f32>),
    /// Double precision.
    F64(Model<f64>),
}
