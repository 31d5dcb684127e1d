//! The engine behind the Python package: what `deltarule/*.py` calls, and nobody else.
//!
//! A shell around the library's public interface. Begin reading at `network.rs`, then `training.rs`. What users see is written in
//! Python, beside: the estimators, their parameters and their errors.

mod errors;
mod fitting;
mod given;
mod measure;
mod network;
mod predicting;
mod rows;
mod settings;
mod training;

use deltarule::data::{Strata, split};
use deltarule::rng::{Rng, stream};
use deltarule::simd::Isa;
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
    module.add_function(wrap_pyfunction!(info, module)?)?;
    errors::register(module)
}
