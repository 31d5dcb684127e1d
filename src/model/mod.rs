//! A model: the whole pipeline from raw rows to labelled predictions, in one file.
//!
//! Row 6 of the house: imports everything below. Begin reading at [`Recipe::fit`], which makes a [`Model`];
//! `incremental.rs` learns in many calls; `format.rs` saves and loads a model;
//! `certificate.rs` is what a gradient check of it found, which its file can carry.

mod certificate;
mod declared;
mod design;
mod evaluation;
mod format;
mod incremental;
mod measures;
#[cfg(feature = "pictures")]
mod pictures;
mod plain;
mod predictions;
mod prepared;
mod recipe;
mod source;
mod suited;
mod warm;
mod weighing;

use crate::activation::Activation;
use crate::data::features::Kind;
use crate::data::matrix::Scratch;
use crate::data::{Features, Matrix, Target, numeric};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::Loss;
use crate::memory;
use crate::network::Network;
use crate::network::workspace::rows_at_a_time;
pub use certificate::{Certificate, CertifiedTensor};
pub use declared::Declared;
pub use evaluation::{ColumnEvaluation, Evaluation};
pub use format::{certify_file, peek_dtype, read};
pub use incremental::Incremental;
use ndarray::{Array2, ArrayView2, s};
pub use plain::plain_target;
pub use predictions::Predictions;
pub use prepared::{Judged, Validation};
pub use recipe::{Fitted, Recipe, With};
use serde::{Deserialize, Serialize};
pub use source::{Groups, Source};
pub use suited::narrowed;

/// What turns raw rows into a network's inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// The columns of a table or a matrix: categories one-hot, numbers standardised.
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

    /// Leaves numbers as they are, with mean 0 and scale 1; what stands for missing ones stays.
    pub(super) fn keep_as_they_are(&mut self) {
        if let Self::Table(features) = self {
            for column in &mut features.columns {
                if let Kind::Number { mean, scale, .. } = &mut column.kind {
                    (*mean, *scale) = (0.0, 1.0);
                }
            }
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
        if let (Self::Table(features), Source::Table { table, .. }) = (self, source) {
            return features.encode(table, rows);
        }
        let width = self.width();
        let mut x = memory::zeros(rows.len().saturating_mul(width), "the encoded rows")?;
        self.encode_into(source, rows, &mut x, &mut Scratch::default())?;
        Ok(Array2::from_shape_vec((rows.len(), width), x).expect("as many as were asked for"))
    }

    /// The network's inputs for the given rows of images or of a matrix, written to `out`; a table has
    /// [`encode`](Self::encode).
    ///
    /// **Shapes**: rows x [`width`](Self::width), row-major. **Overwrites** `out`. **Errors** name file, row, column and value.
    pub fn encode_into<T: Float>(
        &self,
        source: &Source,
        rows: &[usize],
        out: &mut [T],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let refuse = |message: String| Err(Error::data(source.name(), message));
        match (self, source) {
            (Self::Table(features), Source::Matrix { matrix, .. }) => {
                features.encode_matrix(matrix, rows, out, scratch)
            }
            (Self::Images { height, width }, Source::Images { images, .. }) => {
                let found = image_size(images);
                if found != (*height, *width) {
                    return refuse(format!(
                        "expected images of {height} x {width} pixels, found {} x {}",
                        found.0, found.1
                    ));
                }
                numeric::pixels_into(images, rows, out, scratch)
            }
            (Self::Table(_), Source::Images { .. }) => {
                refuse("holds images, and the model expects the columns of a table".into())
            }
            (Self::Images { height, width }, Source::Table { .. }) => {
                refuse(format!("holds a table, and the model expects images of {height} x {width} pixels"))
            }
            (Self::Images { height, width }, Source::Matrix { .. }) => {
                refuse(format!("holds a matrix, and the model expects images of {height} x {width} pixels (IDX)"))
            }
            (Self::Table(_), Source::Table { .. }) => {
                Err(Error::Unsupported(format!("{}: a table is encoded as a whole", source.name())))
            }
        }
    }
}

/// Height and width of the images of an IDX file.
fn image_size(images: &Matrix) -> (usize, usize) {
    match images.dims()[..] {
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
    /// Rows it was trained on; 0 of a network from elsewhere, whose training is not known.
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

/// Rows of images or of a matrix that are encoded at a time for a prediction, at least.
const PIECE_ROWS: usize = 1024;

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
        let predictions = self.predict_in_pieces(source, rows)?;
        match predictions.values().rows().into_iter().position(|row| row.iter().any(|value| !value.is_finite())) {
            None => Ok(predictions),
            Some(row) => Err(source.row_fault(
                rows[row],
                None,
                "the prediction is not finite: the inputs are too far from those of the training",
            )),
        }
    }

    /// Encodes and predicts some rows at a time, so that the inputs need not fit into memory; a table, which does, at once.
    ///
    /// The pieces are whole numbers of those in which [`Network::predict`] works: the bits are those of one piece.
    fn predict_in_pieces(&self, source: &Source, rows: &[usize]) -> Result<Predictions> {
        let piece = rows_at_a_time::<T, _>(self.network.spec(), rows.len());
        let piece = match source {
            Source::Table { .. } => rows.len().max(1),
            _ => piece * PIECE_ROWS.div_ceil(piece),
        };
        if rows.len() <= piece {
            return self.predict_encoded(self.input.encode(source, rows)?.view());
        }
        let mut all: Option<Predictions> = None;
        for (at, part) in rows.chunks(piece).enumerate().map(|(i, part)| (i * piece, part)) {
            let said = self.predict_encoded(self.input.encode(source, part)?.view())?;
            let width = said.values().ncols();
            let all = all.get_or_insert_with(|| said.like(Array2::zeros((rows.len(), width))));
            all.values_mut().slice_mut(s![at..at + part.len(), ..]).assign(&said.values());
        }
        Ok(all.expect("more rows than a piece has"))
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
        Predictions::are_probabilities(self.output())
    }

    /// The network's targets for the given rows of `source`: one column for each number, each label, or two classes, else
    /// one-hot.
    ///
    /// **Errors** name file, line, column and value.
    pub fn encode_targets(&self, source: &Source, rows: &[usize]) -> Result<Array2<T>> {
        source.encode_targets(&self.target, rows, self.network.spec().outputs())
    }
}
