//! A model: the whole pipeline from raw rows to labelled predictions, in one file.
//!
//! Row 6 of the house: imports everything below. Begin reading at [`Recipe::fit`], which makes a [`Model`];
//! `format.rs` saves and loads it;
//! `certificate.rs` is what a gradient check of it found, which its file can carry.

mod certificate;
mod design;
mod evaluation;
mod format;
mod measures;
#[cfg(feature = "pictures")]
mod pictures;
mod predictions;
mod recipe;
mod source;
mod weighing;

use crate::activation::Activation;
use crate::data::idx::Idx;
use crate::data::{Features, Target};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::Loss;
use crate::network::Network;
pub use certificate::{Certificate, CertifiedTensor};
pub use evaluation::{ColumnEvaluation, Evaluation};
pub use format::{certify_file, peek_dtype, read};
use ndarray::{Array2, ArrayView2};
pub use predictions::Predictions;
pub use recipe::{Fitted, Recipe, With};
use serde::{Deserialize, Serialize};
pub use source::{Groups, Source};

/// What turns raw rows into a network's inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// The columns of a table: categories one-hot, numbers standardised.
    Table(Features),
    /// Grey images of one size: pixels over 255.
    Images {
        /// Rows of pixels.
        height: usize,
        /// Pixels of a row.
        width: usize,
    },
}

impl Input {
    /// The number of network inputs.
    pub fn width(&self) -> usize {
        match self {
            Self::Table(features) => features.width(),
            Self::Images { height, width } => height * width,
        }
    }

    /// The name of each network input.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Table(features) => features.names(),
            Self::Images { height, width } => {
                (0..height * width).map(|p| format!("pixel {},{}", p / width + 1, p % width + 1)).collect()
            }
        }
    }

    /// The network's inputs for the given rows of `source`.
    ///
    /// **Shapes**: rows x [`width`](Self::width). **Errors** name file, line, column and value.
    pub fn encode<T: Float>(&self, source: &Source, rows: &[usize]) -> Result<Array2<T>> {
        match (self, source) {
            (Self::Table(features), Source::Table { table, .. }) => features.encode(table, rows),
            (Self::Images { height, width }, Source::Images { images, .. }) => {
                let found = image_size(images);
                if found != (*height, *width) {
                    let message =
                        format!("expected images of {height} x {width} pixels, found {} x {}", found.0, found.1);
                    return Err(Error::data(&images.name, message));
                }
                images.pixels(rows)
            }
            (Self::Table(_), Source::Images { images, .. }) => {
                Err(Error::data(&images.name, "holds images, and the model expects the columns of a table"))
            }
            (Self::Images { height, width }, Source::Table { table, .. }) => {
                let message = format!("holds a table, and the model expects images of {height} x {width} pixels");
                Err(Error::data(table.name(), message))
            }
        }
    }
}

/// Height and width of the images of an IDX file.
fn image_size(images: &Idx) -> (usize, usize) {
    match images.dims[..] {
        [_, height, width] => (height, width),
        _ => (1, images.width()),
    }
}

/// Where a model comes from, for those who find it later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The version of this library that trained it.
    pub version: String,
    /// The file it was trained on.
    pub data: String,
    /// Rows it was trained on.
    pub rows: usize,
    /// How many of them were of each class, of several labels column after column; empty for numbers.
    pub class_counts: Vec<usize>,
    /// Each class's share of the rows' weights, in the same order; empty where rows had none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_shares: Vec<f64>,
    /// The seed of split, weights and order.
    pub seed: u64,
    /// How it was trained, in words.
    pub training: String,
    /// Epochs it was trained for.
    pub epochs: usize,
    /// The means of the training rows' numbers, where the target does not hold them: numbers that are trained on as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub means: Vec<f64>,
}

/// The type of a model's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl Dtype {
    /// That of `T`.
    pub fn of<T: Float>() -> Self {
        if T::NAME == "f32" { Self::F32 } else { Self::F64 }
    }

    /// The name that Rust, NumPy and PyTorch's users know: `f32` or `f64`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// A trained pipeline: preprocessing, network, and the meaning of its outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Model<T> {
    /// From raw rows to the network's inputs.
    pub input: Input,
    /// The network.
    pub network: Network<T>,
    /// From the network's outputs to labels or numbers.
    pub target: Target,
    /// The loss it was trained with.
    pub loss: Loss,
    /// Where it comes from.
    pub provenance: Provenance,
    /// What a gradient check found, if there was one. It may be of parameters that the network had before:
    /// [`Certificate::fits`] tells.
    pub certificate: Option<Certificate>,
}

impl<T: Float> Model<T> {
    /// The predictions for the given rows of `source`.
    ///
    /// **Errors** name file, line, column and value; inputs so far from those of the training that a prediction is not
    /// finite are one of them.
    pub fn predict(&self, source: &Source, rows: &[usize]) -> Result<Predictions> {
        let x = self.input.encode(source, rows)?;
        let predictions = self.predict_encoded(x.view())?;
        match predictions.values().rows().into_iter().position(|row| row.iter().any(|value| !value.is_finite())) {
            None => Ok(predictions),
            Some(row) => Err(source.row_fault(
                rows[row],
                None,
                "the prediction is not finite: the inputs are too far from those of the training",
            )),
        }
    }

    /// The predictions for rows that are already encoded; a network may give what is not finite.
    pub fn predict_encoded(&self, x: ArrayView2<'_, T>) -> Result<Predictions> {
        Predictions::of(&self.target, self.output(), self.network.predict(x)?.view())
    }

    /// The output's activation.
    fn output(&self) -> Option<Activation> {
        self.network.spec().layers().last().map(|layer| layer.activation)
    }

    /// Whether what it says of classes are probabilities, and not the choices of scores or of threshold units.
    pub fn has_probabilities(&self) -> bool {
        matches!(self.output(), Some(Activation::Softmax | Activation::Sigmoid))
    }

    /// The network's targets for the given rows of `source`: one column for each number, each label, or two classes, else
    /// one-hot.
    ///
    /// **Errors** name file, line, column and value.
    pub fn encode_targets(&self, source: &Source, rows: &[usize]) -> Result<Array2<T>> {
        source.encode_targets(&self.target, rows, self.network.spec().outputs())
    }
}
