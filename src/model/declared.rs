//! What a person knows of classes and categories before the rows are seen.
//!
//! Part of `model`, for `recipe.rs` and `incremental.rs`. Row 6 of the house. Begin reading at [`Declared`].

use super::{Input, Source};
use crate::data::cell::list;
use crate::data::{Target, Task, Warning, features};
use crate::error::{Error, Result};

/// Classes and categories beside those that the first rows hold.
///
/// A training on all rows finds them itself. A file that grows, or the first of many batches, need not hold all of them, and a network
/// has an output for each class and an input for each category: both must be known before its first step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// For each target column all of its classes; empty to find them in the rows.
    pub classes: Vec<Vec<String>>,
    /// Input columns by their names, each with all of its categories; others are found in the rows.
    pub categories: Vec<(String, Vec<String>)>,
}

impl Declared {
    /// All classes of the one target column.
    pub fn classes<S: Into<String>>(classes: impl IntoIterator<Item = S>) -> Self {
        Self { classes: vec![classes.into_iter().map(Into::into).collect()], categories: Vec::new() }
    }

    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty() && self.categories.is_empty()
    }

    /// What the inputs of `source` hold and what is to be predicted: what is declared, and of the rest what its rows say.
    ///
    /// **Errors** name file, line, column and value; a column declared that is not there, and categories of an image or a matrix, are
    /// others.
    pub(super) fn infer(
        &self,
        source: &Source,
        task: Option<Task>,
        mut options: features::Options,
    ) -> Result<(Input, Target, Vec<Warning>)> {
        let names: Vec<String> = self.categories.iter().map(|(name, _)| name.clone()).collect();
        if !matches!(source, Source::Table { .. }) && !names.is_empty() {
            let expected = "none for images or a matrix, whose inputs are numbers";
            return Err(Error::setting("declared categories", expected, list(&names)));
        }
        options.categorical.extend(names);
        let (mut input, target, warnings) = match task {
            _ if self.classes.is_empty() => source.infer(task, &options)?,
            Some(Task::Regress) => {
                return Err(Error::setting("declared classes", "none for numbers (task regress)", self.classes.len()));
            }
            _ => {
                let (input, warnings) = source.infer_input(&options)?;
                (input, Target::declared(&source.target_names(), &self.classes)?, warnings)
            }
        };
        if let Input::Table(features) = &mut input {
            features.declare(&self.categories)?;
        }
        Ok((input, target, warnings))
    }
}
