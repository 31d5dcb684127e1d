//! Classes and categories that a person names, because the first rows need not hold all of them.
//!
//! Imports `cell`, `column`, `features`, `target`, `error`.

use super::cell::{list, quoted};
use super::column::{MAX_LEVELS, ordered};
use super::features::{Features, Kind};
use super::target::{Classes, Target};
use crate::error::{Error, Result};

/// What messages call them.
const CLASSES: &str = "declared classes";
const CATEGORIES: &str = "declared categories";

impl Target {
    /// A target of the columns `names`, each of these classes, in the order in which a file with all of them would give them.
    ///
    /// **Errors**: not a list for each column; a column of fewer than two classes, of more than 10,000, or of one named twice; of
    /// several columns, one of more than two.
    pub fn declared(names: &[&str], classes: &[Vec<String>]) -> Result<Self> {
        if names.len() != classes.len() {
            let expected = format!("a list for each target column ({})", list(names));
            return Err(Error::setting(CLASSES, expected, classes.len()));
        }
        let column =
            |(name, labels): (&&str, &Vec<String>)| Classes { name: (*name).into(), labels: ordered(labels.clone()) };
        let mut columns: Vec<Classes> = names.iter().zip(classes).map(column).collect();
        let target = if columns.len() == 1 { Self::Classes(columns.remove(0)) } else { Self::Labels(columns) };
        target.check().map_err(|wrong| Error::Unsupported(format!("{CLASSES}: {wrong}")))?;
        Ok(target)
    }
}

impl Features {
    /// Takes the columns named for categories, of these levels, in the order in which a file with all of them would give them.
    ///
    /// **Errors**: a column that is no input; no level, more than 10,000, or one named twice.
    pub fn declare(&mut self, categories: &[(String, Vec<String>)]) -> Result<()> {
        for (name, levels) in categories {
            let Some(at) = self.columns.iter().position(|feature| feature.name == *name) else {
                let names: Vec<&String> = self.columns.iter().map(|feature| &feature.name).collect();
                return Err(Error::setting(CATEGORIES, format!("input columns, of {}", list(&names)), quoted(name)));
            };
            let given = levels.len();
            let mut levels = ordered(levels.clone());
            levels.dedup();
            if levels.is_empty() || given > MAX_LEVELS || levels.len() < given {
                let expected = format!("1 to {MAX_LEVELS} distinct categories of {}", quoted(name));
                return Err(Error::setting(CATEGORIES, expected, format!("{given} ({} distinct)", levels.len())));
            }
            self.columns[at].kind = Kind::Category { levels, fill: None };
        }
        Ok(())
    }
}
