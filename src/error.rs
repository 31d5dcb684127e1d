//! Every way in which a caller, a file or a training can be wrong.
//!
//! Each message says what was expected and what was found, and where: file, line and column, or layer and tensor.
//! Ground of the house: imports nothing of ours.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The library's result.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two sizes that must agree do not.
    #[error("{what}: expected {expected}, found {found}")]
    Shape {
        /// What has the wrong size, for example `targets`.
        what: String,
        /// The size it must have.
        expected: String,
        /// The size it has.
        found: String,
    },
    /// A setting outside its range.
    #[error("{name}: expected {expected}, found {found}")]
    Setting {
        /// The setting's name, as the user knows it.
        name: String,
        /// The values it may have.
        expected: String,
        /// The value it has.
        found: String,
    },
    /// Something that cannot be done, and why.
    #[error("{0}")]
    Unsupported(String),
    /// Data that cannot be used, and the place.
    #[error("{}", place(file, *line, column.as_deref(), message))]
    Data {
        /// The file, or what stands for it (`standard input`).
        file: String,
        /// The line in it, from 1.
        line: Option<u64>,
        /// The column's name.
        column: Option<String>,
        /// What was expected and what was found.
        message: String,
    },
    /// A model file that is refused, and why.
    #[error("{}: not a usable model: {message}", file.display())]
    Model {
        /// The file.
        file: PathBuf,
        /// What was expected and what was found.
        message: String,
    },
    /// A checkpoint that is refused, and why.
    #[error("{}: not a usable checkpoint: {message}", file.display())]
    Checkpoint {
        /// The file.
        file: PathBuf,
        /// What was expected and what was found.
        message: String,
    },
    /// A training that ran away.
    #[error("diverged in epoch {epoch}, batch {batch}: {what} is {value}{}", layer.map(|l| format!(" (layer {l})")).unwrap_or_default())]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch in it, from 1.
        batch: usize,
        /// The first layer, from 1, that holds a value that is not finite; of a finite loss that ran away, the layer with the
        /// largest parameter.
        layer: Option<usize>,
        /// What ran away: `loss`, `gradient`, `weight`, `loss on the held-back rows`.
        what: String,
        /// Its value.
        value: f64,
    },
    /// A file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// More memory than can be had.
    #[error("{what} needs {bytes} bytes, which cannot be had")]
    Memory {
        /// What needs it.
        what: String,
        /// How much it needs.
        bytes: usize,
    },
    /// A check that did not pass (a gradient, a self-test), and its report.
    #[error("{0}")]
    Check(String),
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Two sizes that must agree and do not.
    pub fn shape(what: impl Into<String>, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::Shape { what: what.into(), expected: expected.to_string(), found: found.to_string() }
    }

    /// A setting outside its range.
    pub fn setting(name: impl Into<String>, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::Setting { name: name.into(), expected: expected.to_string(), found: found.to_string() }
    }

    /// A fault of a data file as a whole.
    pub fn data(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Data { file: file.into(), line: None, column: None, message: message.into() }
    }

    /// A fault at a line of a data file, and in a column if one is named.
    pub fn data_at(file: impl Into<String>, line: u64, column: Option<&str>, message: impl Into<String>) -> Self {
        Self::Data { file: file.into(), line: Some(line), column: column.map(Into::into), message: message.into() }
    }

    /// A model file that is refused.
    pub fn model(file: &Path, message: impl Into<String>) -> Self {
        Self::Model { file: file.to_path_buf(), message: message.into() }
    }

    /// A checkpoint that is refused.
    pub fn checkpoint(file: &Path, message: impl Into<String>) -> Self {
        Self::Checkpoint { file: file.to_path_buf(), message: message.into() }
    }

    /// A file that cannot be read or written.
    pub fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), source }
    }
}

fn place(file: &str, line: Option<u64>, column: Option<&str>, message: &str) -> String {
    let mut text = file.to_string();
    if let Some(line) = line {
        text += &format!(":{line}");
    }
    if let Some(column) = column {
        text += &format!(": column '{column}'");
    }
    text + ": " + message
}
