//! The library's errors as Python's exceptions, and panics as no such thing.

use deltarule::{Error, Result};
use pyo3::create_exception;
use pyo3::exceptions::{PyAssertionError, PyKeyboardInterrupt, PyMemoryError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

create_exception!(
    deltarule,
    DivergenceError,
    PyValueError,
    "A training ran away: the message names epoch, batch, layer and value. The network keeps the parameters of the last good epoch."
);
create_exception!(deltarule, ModelFileError, PyValueError, "A file that is no usable model; the message says why.");
create_exception!(
    deltarule,
    GradientError,
    PyAssertionError,
    "A gradient is wrong; the message names the worst entry."
);

/// Adds the exceptions to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("DivergenceError", py.get_type::<DivergenceError>())?;
    module.add("ModelFileError", py.get_type::<ModelFileError>())?;
    module.add("GradientError", py.get_type::<GradientError>())
}

/// The exception that Python's users expect of an error.
pub fn exception(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Diverged { .. } => DivergenceError::new_err(text),
        Error::Model { .. } | Error::Checkpoint { .. } => ModelFileError::new_err(text),
        Error::Check(_) => GradientError::new_err(text),
        Error::Memory { .. } => PyMemoryError::new_err(text),
        Error::Interrupted => PyKeyboardInterrupt::new_err(text),
        // With the number, from which Python makes FileNotFoundError and its like.
        Error::Io { path, source } => match source.raw_os_error() {
            Some(number) => PyOSError::new_err((number, source.to_string(), path.display().to_string())),
            None => PyOSError::new_err(text),
        },
        _ => PyValueError::new_err(text),
    }
}

/// Runs what may fail, or, if there is a fault in it, panic: a fault is a `RuntimeError`, which `except Exception` catches, as it does
/// not pyo3's `PanicException`.
pub fn guard<R>(work: impl FnOnce() -> Result<R>) -> PyResult<R> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(exception),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(PyRuntimeError::new_err(format!("a fault in deltarule, which should be reported: {text}")))
        }
    }
}
