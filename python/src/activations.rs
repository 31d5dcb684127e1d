//! The activation kernels over arrays: what `deltarule/activations.py` calls with arrays that are flat, of one type and apart.
//!
//! The type of the first array says which kernel runs. The interpreter is free meanwhile.

use crate::errors::{exception, guard};
use deltarule::activation::{Activation, ActivationFn};
use deltarule::float::Float;
use deltarule::kernel::elementwise::Function;
use deltarule::kernel::softmax::{RowFunction, RowReduction};
use deltarule::simd::Isa;
use deltarule::{Error, Result};
use numpy::{Element, PyReadonlyArray1, PyReadwriteArray1};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// A function of one number: with a kernel, or so short that it needs none.
#[derive(Clone, Copy)]
enum Kernel {
    Swept(Function),
    Plain(Activation),
}

impl Kernel {
    /// The function of that name; `constant` for those that have one.
    fn named(name: &str, constant: Option<f64>) -> Result<Self> {
        let constant = |default: f64| match constant {
            None => Ok(default),
            Some(given) if given.is_finite() && given >= 0.0 => Ok(given),
            Some(given) => {
                let what = if name == "elu" { "alpha" } else { "slope" };
                Err(Error::setting(what, "a finite number of at least 0", given))
            }
        };
        let plain = match name {
            "identity" => Some(Activation::Identity),
            "step" => Some(Activation::Step),
            _ => None,
        };
        if let Some(plain) = plain {
            return Ok(Self::Plain(plain));
        }
        Ok(Self::Swept(match Function::ALL.into_iter().find(|function| function.name() == name) {
            Some(Function::LeakyRelu { slope }) => Function::LeakyRelu { slope: constant(slope)? },
            Some(Function::Elu { alpha }) => Function::Elu { alpha: constant(alpha)? },
            Some(function) => function,
            None => return Err(Error::setting("activation", "a function of one number", format!("'{name}'"))),
        }))
    }

    fn in_place<T: Float>(self, z: &mut [T], slope: Option<&mut [T]>) -> Result<()> {
        let isa = Isa::current();
        if slope.as_ref().is_some_and(|slope| slope.len() != z.len()) {
            return Err(Error::shape("slope", z.len(), slope.map_or(0, |slope| slope.len())));
        }
        match (self, slope) {
            (Self::Swept(function), None) => function.apply(isa, z),
            (Self::Swept(function), Some(slope)) => function.apply_with_slope(isa, z, slope),
            (Self::Plain(function), None) => z.iter_mut().for_each(|z| *z = function.value_and_slope(*z).0),
            (Self::Plain(function), Some(slope)) => {
                z.iter_mut().zip(slope).for_each(|(z, slope)| (*z, *slope) = function.value_and_slope(*z));
            }
        }
        Ok(())
    }

    fn map<T: Float>(self, x: &[T], y: &mut [T], slope: Option<&mut [T]>) -> Result<()> {
        let isa = Isa::current();
        match (self, slope) {
            (Self::Swept(function), None) => function.map(isa, x, y),
            (Self::Swept(function), Some(slope)) => function.map_with_slope(isa, x, y, slope),
            (Self::Plain(_), slope) => {
                if x.len() != y.len() {
                    return Err(Error::shape("out", x.len(), y.len()));
                }
                y.copy_from_slice(x);
                self.in_place(y, slope)
            }
        }
    }
}

fn written<'py, T: Element>(array: &Bound<'py, PyAny>) -> PyResult<PyReadwriteArray1<'py, T>> {
    array.extract().map_err(|_| wrong(array))
}

fn read<'py, T: Element>(array: &Bound<'py, PyAny>) -> PyResult<PyReadonlyArray1<'py, T>> {
    array.extract().map_err(|_| wrong(array))
}

/// What the module in front keeps from happening.
fn wrong(array: &Bound<'_, PyAny>) -> PyErr {
    let kind = array.get_type();
    PyTypeError::new_err(format!(
        "expected flat arrays of one type, float32 or float64, that may be written to and do not overlap, found {kind}"
    ))
}

fn is_single(array: &Bound<'_, PyAny>) -> bool {
    array.extract::<PyReadonlyArray1<'_, f32>>().is_ok()
}

/// Runs a generic function in the type of `$array`.
macro_rules! typed {
    ($array:expr, $function:ident($($argument:expr),*)) => {
        if is_single($array) { $function::<f32>($($argument),*) } else { $function::<f64>($($argument),*) }
    };
}

/// `y <- f(x)`, or `y <- f(y)` without `x`; with `slope`, that becomes the derivative.
#[pyfunction]
#[pyo3(signature = (name, constant, x, y, slope = None))]
pub fn activate(
    py: Python<'_>,
    name: &str,
    constant: Option<f64>,
    x: Option<&Bound<'_, PyAny>>,
    y: &Bound<'_, PyAny>,
    slope: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let kernel = Kernel::named(name, constant).map_err(exception)?;
    typed!(y, sweep(py, kernel, x, y, slope))
}

fn sweep<T: Float + Element>(
    py: Python<'_>,
    kernel: Kernel,
    x: Option<&Bound<'_, PyAny>>,
    y: &Bound<'_, PyAny>,
    slope: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let (x, mut y, mut slope) = (x.map(read::<T>).transpose()?, written::<T>(y)?, slope.map(written::<T>).transpose()?);
    let x = x.as_ref().map(|x| x.as_slice()).transpose()?;
    let slope = slope.as_mut().map(|slope| slope.as_slice_mut()).transpose()?;
    let y = y.as_slice_mut()?;
    py.detach(|| {
        guard(|| match x {
            Some(x) => kernel.map(x, y, slope),
            None => kernel.in_place(y, slope),
        })
    })
}

fn row_function(name: &str) -> PyResult<RowFunction> {
    let found = RowFunction::ALL.into_iter().find(|function| function.name() == name);
    found.ok_or_else(|| exception(Error::setting("activation", "softmax or log_softmax", format!("'{name}'"))))
}

/// Replaces each row of `z`, of so many columns, by its softmax or log-softmax.
#[pyfunction]
pub fn activate_rows(py: Python<'_>, name: &str, z: &Bound<'_, PyAny>, columns: usize) -> PyResult<()> {
    let function = row_function(name)?;
    typed!(z, sweep_rows(py, function, z, columns))
}

fn sweep_rows<T: Float + Element>(
    py: Python<'_>,
    function: RowFunction,
    z: &Bound<'_, PyAny>,
    columns: usize,
) -> PyResult<()> {
    let mut z = written::<T>(z)?;
    let z = z.as_slice_mut()?;
    py.detach(|| {
        guard(|| {
            whole(z.len(), columns)?;
            function.apply(Isa::current(), z, columns);
            Ok(())
        })
    })
}

/// Turns the gradient `delta` with respect to rows `y` of softmax or log-softmax into the one with respect to what they were made of.
#[pyfunction]
pub fn activate_rows_backward(
    py: Python<'_>,
    name: &str,
    y: &Bound<'_, PyAny>,
    delta: &Bound<'_, PyAny>,
    columns: usize,
) -> PyResult<()> {
    let function = row_function(name)?;
    typed!(delta, sweep_rows_backward(py, function, y, delta, columns))
}

fn sweep_rows_backward<T: Float + Element>(
    py: Python<'_>,
    function: RowFunction,
    y: &Bound<'_, PyAny>,
    delta: &Bound<'_, PyAny>,
    columns: usize,
) -> PyResult<()> {
    let (y, mut delta) = (read::<T>(y)?, written::<T>(delta)?);
    let (y, delta) = (y.as_slice()?, delta.as_slice_mut()?);
    py.detach(|| {
        guard(|| {
            whole(y.len(), columns)?;
            if y.len() != delta.len() {
                return Err(Error::shape("gradient", y.len(), delta.len()));
            }
            function.backward(Isa::current(), y, delta, columns);
            Ok(())
        })
    })
}

/// The logarithm of each row's summed exponentials.
#[pyfunction]
pub fn log_sum_exp(py: Python<'_>, x: &Bound<'_, PyAny>, columns: usize, out: &Bound<'_, PyAny>) -> PyResult<()> {
    typed!(out, reduce(py, x, columns, out))
}

fn reduce<T: Float + Element>(
    py: Python<'_>,
    x: &Bound<'_, PyAny>,
    columns: usize,
    out: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let (x, mut out) = (read::<T>(x)?, written::<T>(out)?);
    let (x, out) = (x.as_slice()?, out.as_slice_mut()?);
    py.detach(|| guard(|| RowReduction::LogSumExp.map(Isa::current(), x, columns, out)))
}

fn whole(length: usize, columns: usize) -> Result<()> {
    match columns > 0 && length.is_multiple_of(columns) {
        true => Ok(()),
        false => Err(Error::shape("x", format!("whole rows of {columns} columns"), length)),
    }
}
