//! From a file to arrays: tables, what their columns mean, and how rows are parted.
//!
//! A [`Table`] holds the cells of a CSV file as text. [`Features`] decides what its input columns are, learns means
//! and levels from the training rows and turns any rows into numbers; [`Target`] does the same for the columns to
//! predict. Both are plain data and part of a saved model. A [`Matrix`] holds numbers, whose columns `numeric.rs` makes into the
//! same two: [`npy`] reads NumPy's arrays, and [`idx`] images. [`split`] parts rows into training and test.
//!
//! Row 5 of the house: imports `scalar`, `rng`, `error` and ndarray; knows no network and no model.
//! Begin reading at `table.rs`, then `cell.rs` (what counts as a number) and `features.rs`.

mod array;
pub mod cell;
mod column;
pub mod csv;
mod declared;
pub mod features;
pub mod idx;
mod input;
pub mod matrix;
pub mod npy;
pub mod numeric;
mod records;
pub mod split;
mod standard;
mod stored;
pub mod table;
pub mod target;
mod warning;
pub mod weights;

pub use features::{Features, Missing};
pub use matrix::Matrix;
pub use split::{Parting, Split, Strata};
pub use table::Table;
pub use target::{Target, Task};
pub use warning::Warning;
pub use weights::ClassWeights;
