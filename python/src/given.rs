//! Arrays from Python: borrowed, of the network's type, dense or sparse.

use crate::errors::guard;
use crate::rows::{Csr, Rows};
use deltarule::float::Float;
use ndarray::Dimension;
use numpy::{
    Element, PyArrayMethods, PyReadonlyArray, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// An array of the network's type, borrowed.
pub fn borrowed2<'py, T: Element>(array: &Bound<'py, PyAny>, name: &str) -> PyResult<PyReadonlyArray2<'py, T>> {
    aligned(array.extract().map_err(|_| wrong_array(array, name, "two dimensions"))?, name)
}

/// The same, of one dimension.
pub fn borrowed1<'py, T: Element>(array: &Bound<'py, PyAny>, name: &str) -> PyResult<PyReadonlyArray1<'py, T>> {
    aligned(array.extract().map_err(|_| wrong_array(array, name, "one dimension"))?, name)
}

/// Refuses numbers that lie across their words, which Python allows and Rust does not: the estimators copy such arrays.
fn aligned<'py, T: Element, D: Dimension>(
    array: PyReadonlyArray<'py, T, D>,
    name: &str,
) -> PyResult<PyReadonlyArray<'py, T, D>> {
    let align = align_of::<T>();
    match array.data().addr().is_multiple_of(align) && array.strides().iter().all(|step| step % align as isize == 0) {
        true => Ok(array),
        false => Err(PyTypeError::new_err(format!("{name}: expected an aligned array"))),
    }
}

fn wrong_array(array: &Bound<'_, PyAny>, name: &str, dimensions: &str) -> PyErr {
    let found = match array.cast::<PyUntypedArray>() {
        Ok(array) => format!("{:?} of {}", array.shape(), array.dtype()),
        Err(_) => array.get_type().to_string(),
    };
    PyTypeError::new_err(format!("{name}: expected an array of the network's type and {dimensions}, found {found}"))
}

/// What Python gives of sparse rows: data, indices, indptr, columns.
type SparseParts<'py, T> = (PyReadonlyArray1<'py, T>, PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i64>, usize);

/// Rows from Python, kept alive while they are borrowed.
pub enum Given<'py, T: Element> {
    Dense(PyReadonlyArray2<'py, T>),
    Sparse(SparseParts<'py, T>),
}

impl<'py, T: Float + Element> Given<'py, T> {
    pub fn new(x: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok((data, indices, indptr, columns)) =
            x.extract::<(Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, usize)>()
        {
            let (indices, indptr) = (borrowed1(&indices, "indices")?, borrowed1(&indptr, "indptr")?);
            return Ok(Self::Sparse((borrowed1(&data, "data")?, indices, indptr, columns)));
        }
        Ok(Self::Dense(borrowed2(x, "X")?))
    }

    pub fn rows(&self) -> PyResult<Rows<'_, T>> {
        Ok(match self {
            Self::Dense(x) => Rows::Dense(x.as_array()),
            Self::Sparse((data, indices, indptr, columns)) => {
                let csr = Csr {
                    data: data.as_slice()?,
                    indices: indices.as_slice()?,
                    indptr: indptr.as_slice()?,
                    columns: *columns,
                };
                guard(|| csr.check())?;
                Rows::Sparse(csr)
            }
        })
    }
}
