//! What is odd about the data but no reason to refuse them.
//!
//! Imports `cell` for the way names are shown.

use super::cell::list;
use std::fmt;

/// Something about the data that a person should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Columns with one value in all the rows looked at: they tell nothing. They keep their weights, fed by a constant.
    Constant {
        /// The columns' names.
        columns: Vec<String>,
    },
    /// The last line has no line break at its end, as in a file that was cut off.
    NoFinalNewline {
        /// The file.
        file: String,
        /// The last line.
        line: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant { columns } if columns.len() == 1 => {
                write!(f, "column {} holds one value only and tells nothing", list(columns))
            }
            Self::Constant { columns } => {
                write!(f, "{} columns hold one value each and tell nothing: {}", columns.len(), list(columns))
            }
            Self::NoFinalNewline { file, line } => {
                write!(f, "{file}:{line}: the last line has no line break at its end; is the file complete?")
            }
        }
    }
}
