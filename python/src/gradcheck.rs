//! Gradient checks of functions written in Python: what `deltarule/_gradcheck.py` calls with flat arrays.
//!
//! Begin reading at [`gradcheck`]. An exception in the function ends the check and is handed on as it is.

use crate::errors::guard;
use deltarule::gradcheck::jacobian::{self, Product};
use deltarule::gradcheck::{Counts, Entry, Function, Mode, Options, Report, Sample, Tensor, check_function};
use deltarule::{Error, Result};
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::cell::RefCell;

/// How to check, as Python says it.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
pub struct Asked {
    mode: String,
    /// Of each tensor, or directions.
    count: usize,
    seed: u64,
    tolerance: f64,
    negligible: f64,
    absolute: f64,
    most_wrong: usize,
    /// Names and lengths of the coordinates' parts.
    tensors: Vec<(String, usize)>,
}

impl Asked {
    fn options(&self) -> Result<Options> {
        let mode = match &*self.mode {
            "coordinates" => Mode::EveryCoordinate,
            "sample" => Mode::Sample { per_tensor: self.count, seed: self.seed },
            "directions" => Mode::Directions { count: self.count, seed: self.seed },
            other => return Err(Error::setting("mode", "coordinates, sample or directions", format!("'{other}'"))),
        };
        let mut at = 0;
        let mut tensor = |(name, length): &(String, usize)| {
            let from = at;
            at += length;
            Tensor { name: name.clone(), range: from..at }
        };
        let tensors = self.tensors.iter().map(&mut tensor).collect();
        let &Self { tolerance, negligible, absolute, most_wrong, .. } = self;
        Ok(Options { mode, tolerance, negligible, absolute, most_wrong, tensors, ..Options::default() })
    }
}

/// A function in Python, until it raises: from then on it is not called, and has no values.
struct Called<'a, 'py> {
    py: Python<'py>,
    function: &'a Bound<'py, PyAny>,
    raised: &'a RefCell<Option<PyErr>>,
}

impl<'py> Called<'_, 'py> {
    /// What it gives at `x`, as `read` makes it out. It gets a copy each time: what it does to that stays its own affair.
    fn at<R>(&self, x: &[f64], read: impl FnOnce(Bound<'py, PyAny>) -> PyResult<R>) -> Option<R> {
        if self.raised.borrow().is_some() {
            return None;
        }
        let value = self.function.call1((PyArray1::from_slice(self.py, x),)).and_then(read);
        value.map_err(|error| self.raised.borrow_mut().replace(error)).ok()
    }

    fn values(&self, x: &[f64]) -> Vec<f64> {
        let read = |value: Bound<'py, PyAny>| Ok(value.extract::<PyReadonlyArray1<'py, f64>>()?.to_vec()?);
        self.at(x, read).unwrap_or_default()
    }
}

/// The function that is checked: its value, the piece it is in if it tells, and its coordinates' names.
struct Checked<'a, 'py> {
    f: Called<'a, 'py>,
    /// Says whether a point lies in another piece than the one that is checked.
    crossed: Option<Called<'a, 'py>>,
    name: &'a Bound<'py, PyAny>,
}

impl Function for Checked<'_, '_> {
    fn sample(&mut self, x: &[f64]) -> Sample {
        let value = self.f.at(x, |value| value.extract()).unwrap_or(f64::NAN);
        let crossed = self.crossed.as_ref().and_then(|crossed| crossed.at(x, |crossed| crossed.extract::<bool>()));
        Sample { value, crossed: crossed.map(usize::from) }
    }

    fn name(&self, index: usize) -> Option<String> {
        self.name.call1((index,)).and_then(|name| name.extract()).ok()
    }
}

/// What was found: a dictionary of the report's fields, its text, and what `require` raises, if it does.
type Found<'py> = (Bound<'py, PyDict>, String, Option<String>);

/// Checks the gradient `grad` of `f` at `at`.
///
/// `f` takes a flat array and gives a float; `crossed`, if given, says of one whether it lies in another smooth piece than `at`; `name`
/// gives a coordinate's name.
#[pyfunction]
pub fn gradcheck<'py>(
    py: Python<'py>,
    f: &Bound<'py, PyAny>,
    grad: PyReadonlyArray1<'py, f64>,
    at: PyReadonlyArray1<'py, f64>,
    crossed: Option<&Bound<'py, PyAny>>,
    name: &Bound<'py, PyAny>,
    asked: Asked,
) -> PyResult<Found<'py>> {
    let (grad, at) = (grad.to_vec()?, at.to_vec()?);
    let raised = RefCell::new(None);
    let called = |function| Called { py, function, raised: &raised };
    let report = guard(|| {
        let mut checked = Checked { f: called(f), crossed: crossed.map(called), name };
        Ok(check_function(&mut checked, &grad, &at, &asked.options()?))
    });
    found(py, raised.into_inner(), report)
}

/// Checks a product with the Jacobian of `f` at `at`: `J v` if `right`, else `u' J`. Functions take and give flat arrays.
#[pyfunction]
pub fn jacobian_check<'py>(
    py: Python<'py>,
    f: &Bound<'py, PyAny>,
    product: &Bound<'py, PyAny>,
    right: bool,
    at: PyReadonlyArray1<'py, f64>,
    asked: Asked,
) -> PyResult<Found<'py>> {
    let at = at.to_vec()?;
    let raised = RefCell::new(None);
    let called = |function| Called { py, function, raised: &raised };
    let (f, product) = (called(f), called(product));
    let report = guard(|| {
        let mut multiply = |v: &[f64]| product.values(v);
        let product = if right { Product::Right(&mut multiply) } else { Product::Left(&mut multiply) };
        Ok(jacobian::check(|x| f.values(x), product, &at, &asked.options()?))
    });
    found(py, raised.into_inner(), report)
}

fn found<'py>(py: Python<'py>, raised: Option<PyErr>, report: PyResult<Report>) -> PyResult<Found<'py>> {
    if let Some(raised) = raised {
        return Err(raised);
    }
    let report = report?;
    Ok((describe(py, &report)?, report.to_string(), report.require().err().map(|error| error.to_string())))
}

fn describe<'py>(py: Python<'py>, report: &Report) -> PyResult<Bound<'py, PyDict>> {
    let entries = |list: &[Entry]| list.iter().map(|e| entry(py, e)).collect::<PyResult<Vec<_>>>();
    let worst = |worst: &Option<Entry>| worst.as_ref().map(|worst| entry(py, worst)).transpose();
    let tensors = PyList::empty(py);
    for tensor in &report.tensors {
        let described = counts(py, &tensor.counts)?;
        described.set_item("name", &tensor.name)?;
        described.set_item("entries", tensor.entries)?;
        described.set_item("verdict", tensor.verdict.to_string())?;
        described.set_item("worst", worst(&tensor.worst)?)?;
        tensors.append(described)?;
    }
    let described = counts(py, &report.counts)?;
    described.set_item("verdict", report.verdict.to_string())?;
    described.set_item("subject", report.subject.to_string())?;
    described.set_item("tolerance", report.tolerance)?;
    described.set_item("floor", report.floor)?;
    described.set_item("worst", worst(&report.worst)?)?;
    described.set_item("faults", entries(&report.faults)?)?;
    described.set_item("at_kinks", entries(&report.at_kinks)?)?;
    described.set_item("tensors", tensors)?;
    described.set_item("message", report.message.as_deref())?;
    Ok(described)
}

fn counts<'py>(py: Python<'py>, counts: &Counts) -> PyResult<Bound<'py, PyDict>> {
    let described = PyDict::new(py);
    described.set_item("checked", counts.checked)?;
    described.set_item("verified", counts.verified)?;
    described.set_item("kinks", counts.kinks)?;
    described.set_item("inconclusive", counts.inconclusive)?;
    described.set_item("wrong", counts.wrong)?;
    Ok(described)
}

fn entry<'py>(py: Python<'py>, entry: &Entry) -> PyResult<Bound<'py, PyDict>> {
    let described = PyDict::new(py);
    described.set_item("index", entry.index)?;
    described.set_item("name", &entry.name)?;
    described.set_item("verdict", entry.verdict.to_string())?;
    described.set_item("analytic", entry.analytic)?;
    described.set_item("numeric", entry.numeric)?;
    described.set_item("error", entry.error)?;
    described.set_item("estimate", entry.estimate)?;
    described.set_item("step", entry.step)?;
    described.set_item("smooth", entry.smooth)?;
    described.set_item("sides", entry.sides.map(|[left, right]| (left, right)))?;
    Ok(described)
}
