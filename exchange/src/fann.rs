//! FANN 2.1.

use crate::AnyModel;
use deltarule::{Error, Result};
use std::path::Path;

/// The model of such a file.
pub fn import(_bytes: &[u8], _path: &Path) -> Result<AnyModel> {
    Err(Error::Unsupported("FANN's files are not read yet".into()))
}
