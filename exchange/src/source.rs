//! C99 and Rust source.

use deltarule::float::Float;
use deltarule::model::Model;
use deltarule::{Error, Result};

/// The model as C.
pub fn c<T: Float>(_model: &Model<T>, _name: &str) -> Result<String> {
    Err(Error::Unsupported("C is not written yet".into()))
}

/// The model as Rust.
pub fn rust<T: Float>(_model: &Model<T>, _name: &str) -> Result<String> {
    Err(Error::Unsupported("Rust is not written yet".into()))
}
