//! The engine behind the Python package: what `deltarule/*.py` calls, and nobody else.
//!
//! A shell around the library's public interface. Begin reading at `network.rs`, then `training.rs`. What users see is written in
//! Python, beside: the estimators, their parameters and their errors.

mod activations;
mod errors;
mod fitting;
mod foreign;
mod given;
mod gradcheck;
mod measure;
mod model;
mod network;
mod predicting;
mod rows;
mod settings;
mod training;

use deltarule::data::{Strata, split};
use deltarule::float::Float;
use deltarule::rng::{Rng, stream};
use deltarule::simd::Isa;
use numpy::{Element, PyReadwriteArray2};
use pyo3::prelude::*;

/// The rows to train on and those held back: the same that the command holds back for this seed and share.
///
/// `classes`: the class of each row, which the two parts then have in proportion; or None.
#[pyfunction]
fn hold_back(
    rows: usize,
    classes: Option<Vec<usize>>,
    labels: Vec<String>,
    share: f64,
    seed: u64,
) -> PyResult<(Vec<usize>, Vec<usize>)> {
    errors::guard(|| {
        let strata = match &classes {
            None => Strata::None(rows),
            Some(classes) => Strata::Classes { classes, labels: &labels },
        };
        let parts = split::hold_out(strata, share, &mut Rng::with_stream(seed, stream::SPLIT + 1))?;
        Ok((parts.train, parts.test))
    })
}

/// Spreads this share of each row's label over all classes, in place.
#[pyfunction]
fn smooth_labels(y: &Bound<'_, PyAny>, share: f64) -> PyResult<()> {
    fn smooth<T: Float + Element>(mut y: PyReadwriteArray2<'_, T>, share: f64) -> PyResult<()> {
        let cols = y.as_array().ncols();
        let y = y.as_slice_mut()?;
        errors::guard(|| deltarule::loss::smooth_labels(y, cols, share))
    }
    match y.extract::<PyReadwriteArray2<'_, f32>>() {
        Ok(y) => smooth(y, share),
        Err(_) => smooth(y.extract::<PyReadwriteArray2<'_, f64>>()?, share),
    }
}

/// What computes: instruction set and version.
#[pyfunction]
fn info() -> (String, &'static str) {
    (Isa::current().to_string(), env!("CARGO_PKG_VERSION"))
}

/// The module `deltarule._deltarule`.
#[pymodule]
fn _deltarule(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<network::Network>()?;
    module.add_function(wrap_pyfunction!(hold_back, module)?)?;
    module.add_function(wrap_pyfunction!(smooth_labels, module)?)?;
    module.add_function(wrap_pyfunction!(network::describe, module)?)?;
    module.add_function(wrap_pyfunction!(network::read_network, module)?)?;
    module.add_function(wrap_pyfunction!(info, module)?)?;
    module.add_function(wrap_pyfunction!(activations::activate, module)?)?;
    module.add_function(wrap_pyfunction!(activations::activate_rows, module)?)?;
    module.add_function(wrap_pyfunction!(activations::activate_rows_backward, module)?)?;
    module.add_function(wrap_pyfunction!(activations::log_sum_exp, module)?)?;
    module.add_function(wrap_pyfunction!(gradcheck::gradcheck, module)?)?;
    module.add_function(wrap_pyfunction!(gradcheck::jacobian_check, module)?)?;
    module.add_class::<model::DataSource>()?;
    module.add_class::<model::StoredModel>()?;
    module.add_function(wrap_pyfunction!(foreign::export_model, module)?)?;
    module.add_function(wrap_pyfunction!(foreign::import_model, module)?)?;
    errors::register(module)
}
