//! Model files: predictions and figures for tables and arrays from Python, through the model's own pipeline.
//!
//! Begin reading at [`StoredModel`]. `deltarule/_model.py` says what of a frame is a [`DataSource`].

use crate::errors::{exception, guard};
use deltarule::data::matrix::Matrix;
use deltarule::data::{Features, Table, csv, idx, npy};
use deltarule::file::Existing;
use deltarule::float::Float;
use deltarule::loss::Loss;
use deltarule::metrics::{Interval, Metrics};
use deltarule::model::{Certificate, Evaluation, Input, Model, Predictions, Provenance, Source};
use deltarule::network::Spec;
use deltarule::{Error, Result};
use deltarule_exchange::{AnyModel, with_model};
use ndarray::Array2;
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray1, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;
use std::fmt::Write;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

/// What stands for the file in messages about arrays and frames.
const IN_MEMORY: &str = "data";

/// Rows from Python or of a file.
#[pyclass(module = "deltarule._deltarule", frozen)]
#[derive(Debug)]
pub struct DataSource {
    source: Source,
    /// Whether its columns go by their places whatever the model's are called.
    by_position: bool,
}

/// A column of a frame: numbers, of which NaN is missing, or texts, of which an empty one is.
#[derive(FromPyObject)]
enum Column<'py> {
    Numbers(PyReadonlyArray1<'py, f64>),
    Texts(Vec<String>),
}

#[pymethods]
impl DataSource {
    /// The rows of a file: CSV, NPY or IDX, told apart by their first bytes; `labels` is the file of an array's targets or of images'
    /// labels.
    #[staticmethod]
    fn file(
        py: Python<'_>,
        path: PathBuf,
        labels: Option<PathBuf>,
        targets: Vec<String>,
        weights: Option<String>,
    ) -> PyResult<Self> {
        let source = py.detach(|| guard(|| open(&path, labels.as_deref(), &targets, weights.as_deref())))?;
        Ok(Self { source, by_position: false })
    }

    /// The rows of columns. Without `names` they are matched by place.
    #[staticmethod]
    fn table(
        names: Option<Vec<String>>,
        columns: Vec<Column<'_>>,
        targets: Vec<String>,
        weights: Option<String>,
    ) -> PyResult<Self> {
        let mut table = match names {
            Some(names) => Table::new(IN_MEMORY, names),
            None => Table::unnamed(IN_MEMORY, columns.len()),
        }
        .map_err(told)?;
        let length = |column: &Column<'_>| match column {
            Column::Numbers(numbers) => numbers.len(),
            Column::Texts(texts) => texts.len(),
        };
        let rows = columns.first().map_or(0, length);
        if let Some(at) = columns.iter().position(|column| length(column) != rows) {
            let found = length(&columns[at]);
            return Err(PyValueError::new_err(format!(
                "column '{}': expected {rows} rows as in the first column, found {found}",
                table.columns()[at]
            )));
        }
        let mut cells = vec![String::new(); columns.len()];
        for row in 0..rows {
            for (cell, column) in cells.iter_mut().zip(&columns) {
                cell.clear();
                match column {
                    Column::Numbers(numbers) => {
                        let number = numbers.as_array()[row];
                        // The shortest text that is read as the same number.
                        if !number.is_nan() {
                            write!(cell, "{number}").expect("a string takes all");
                        }
                    }
                    Column::Texts(texts) => cell.push_str(&texts[row]),
                }
            }
            // Places in messages are the rows, from 0 as Python counts.
            table.push(row as u64, &cells).map_err(told)?;
        }
        let source = Source::table(table, &targets, weights.as_deref()).map_err(told)?;
        Ok(Self { source, by_position: false })
    }

    /// The rows of an array whose first dimension counts them, matched by place; more than two dimensions are images. `targets` is a
    /// number for each row.
    #[staticmethod]
    fn array(rows: PyReadonlyArrayDyn<'_, f64>, targets: Option<PyReadonlyArrayDyn<'_, f64>>) -> PyResult<Self> {
        let is_images = rows.ndim() > 2;
        let rows = matrix(&rows)?;
        let targets = targets.as_ref().map(matrix).transpose()?;
        let source = match is_images {
            true => Source::Images { images: rows, labels: targets },
            false => Source::matrix(rows, targets).map_err(told)?,
        };
        Ok(Self { source, by_position: true })
    }
}

/// An array as an NPY file has it.
fn matrix(array: &PyReadonlyArrayDyn<'_, f64>) -> PyResult<Matrix> {
    let shape: Vec<String> = array.shape().iter().map(|size| format!("{size},")).collect();
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}), }}\n", shape.concat());
    let mut bytes = npy::MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    array.as_slice()?.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    npy::read_from(Cursor::new(bytes), IN_MEMORY).map_err(told)
}

fn open(path: &Path, labels: Option<&Path>, targets: &[String], weights: Option<&str>) -> Result<Source> {
    let mut magic = Vec::new();
    let begun = File::open(path).and_then(|file| file.take(2).read_to_end(&mut magic));
    begun.map_err(|error| Error::io(path, error))?;
    // No text in UTF-8 begins with NUL or with 0x93; gzip is read for images alone.
    match magic[..] {
        [0, 0] | [0x1f, 0x8b] => Source::images(idx::images(path)?, labels.map(idx::labels).transpose()?),
        [first, second] if npy::MAGIC.starts_with(&[first, second]) => {
            Source::matrix(npy::read(path)?, labels.map(npy::read).transpose()?)
        }
        _ if labels.is_some() => Err(Error::Unsupported(format!(
            "{}: a table has its targets in a column, and takes no file of labels",
            path.display()
        ))),
        _ => Source::table(csv::read(path, &csv::Options::default())?, targets, weights),
    }
}

/// An error about rows in memory, with Python's names for their places; any other as it is.
fn told(error: Error) -> PyErr {
    match error {
        Error::Data { file, line, column, message } if file == IN_MEMORY => {
            let place = match (line, column) {
                (Some(row), Some(column)) => format!("row {row}, column '{column}': "),
                (Some(row), None) => format!("row {row}: "),
                (None, Some(column)) => format!("column '{column}': "),
                (None, None) => String::new(),
            };
            // A list of missing cells names the others' places, too; and what could be chosen can be no more.
            let list = message.strip_suffix("; choose to fill in the mean or to drop their rows");
            let message = list.map_or(message.clone(), |list| {
                format!("{}; the model was trained without missing cells", list.replace("line ", "row "))
            });
            PyValueError::new_err(format!("{place}{message}"))
        }
        other => exception(other),
    }
}

/// What a model file holds.
#[pyclass(module = "deltarule._deltarule", frozen)]
#[derive(Debug)]
pub struct StoredModel {
    pub inner: AnyModel,
}

/// What `deltarule inspect --json` shows.
#[derive(Serialize)]
struct Described<'a> {
    dtype: &'static str,
    network: &'a Spec,
    parameters: usize,
    parameters_sha256: String,
    input: &'a Input,
    target: &'a deltarule::data::Target,
    loss: Loss,
    provenance: &'a Provenance,
    certificate: Option<&'a Certificate>,
    certificate_fits: Option<bool>,
}

/// What `deltarule evaluate --json` shows.
#[derive(Serialize)]
struct Judged<'a> {
    rows: usize,
    metrics: Metrics,
    baseline: Metrics,
    interval: &'a Interval,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<JudgedColumn<'a>>,
}

#[derive(Serialize)]
struct JudgedColumn<'a> {
    name: &'a str,
    metrics: Metrics,
    baseline: Metrics,
}

/// How often each class was taken for each, and in words.
type Confusion<'py> = (Bound<'py, PyArray2<f64>>, String);

#[pymethods]
impl StoredModel {
    /// The model of a file's bytes; `path` names it in messages.
    #[new]
    fn new(bytes: &[u8], path: PathBuf) -> PyResult<Self> {
        Ok(Self { inner: guard(|| AnyModel::from_bytes(bytes, &path))? })
    }

    /// The model of a file.
    #[staticmethod]
    fn read(path: PathBuf) -> PyResult<Self> {
        Ok(Self { inner: guard(|| AnyModel::load(&path))? })
    }

    fn save(&self, path: PathBuf, overwrite: bool) -> PyResult<()> {
        let existing = if overwrite { Existing::Replace } else { Existing::Keep };
        guard(|| with_model!(&self.inner, model => model.save(&path, existing)))
    }

    /// The file's bytes.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &guard(|| with_model!(&self.inner, model => model.to_bytes()))?))
    }

    /// What `deltarule inspect --json` shows.
    fn describe(&self) -> PyResult<String> {
        with_model!(&self.inner, model => describe(model)).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Whether what it says of classes are probabilities, and not the choices of scores.
    fn has_probabilities(&self) -> bool {
        with_model!(&self.inner, model => model.has_probabilities())
    }

    /// The probabilities or numbers for rows: a row to each.
    fn predict<'py>(&self, py: Python<'py>, data: &DataSource) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let said =
            py.detach(|| guard(|| Ok(with_model!(&self.inner, model => predict(model, data)))))?.map_err(told)?;
        Ok(said.into_pyarray(py))
    }

    /// The figures of rows whose targets are known, as `deltarule evaluate --json` shows them; and of one column of classes the confusion.
    fn evaluate<'py>(&self, py: Python<'py>, data: &DataSource) -> PyResult<(String, Option<Confusion<'py>>)> {
        let evaluation =
            py.detach(|| guard(|| Ok(with_model!(&self.inner, model => evaluate(model, data)))))?.map_err(told)?;
        let Evaluation { rows, metrics, baseline, interval, columns, confusion, .. } = &evaluation;
        let targets = columns.iter().map(|c| JudgedColumn { name: &c.name, metrics: c.metrics, baseline: c.baseline });
        let judged =
            Judged { rows: *rows, metrics: *metrics, baseline: *baseline, interval, targets: targets.collect() };
        let text = serde_json::to_string(&judged).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let confusion = confusion.as_ref().map(|confusion| {
            let classes = confusion.classes();
            let counts = Array2::from_shape_fn((classes, classes), |(truth, said)| confusion.count(truth, said));
            (counts.into_pyarray(py), confusion.to_string())
        });
        Ok((text, confusion))
    }
}

fn describe<T: Float>(model: &Model<T>) -> serde_json::Result<String> {
    let spec = model.network.spec();
    serde_json::to_string(&Described {
        dtype: T::NAME,
        network: spec,
        parameters: spec.parameters(),
        parameters_sha256: model.parameters_sha256(),
        input: &model.input,
        target: &model.target,
        loss: model.loss,
        provenance: &model.provenance,
        certificate: model.certificate.as_ref(),
        certificate_fits: model.certificate.as_ref().map(|certificate| certificate.fits(model)),
    })
}

fn predict<T: Float>(model: &Model<T>, data: &DataSource) -> Result<Array2<f64>> {
    let rows: Vec<usize> = (0..data.source.rows()).collect();
    let predictions = match (&model.input, data.by_position, &data.source) {
        (Input::Table(features), true, Source::Matrix { .. }) if features.header => {
            let by_position = Input::Table(Features { header: false, ..features.clone() });
            let predictions = model.predict_encoded(by_position.encode(&data.source, &rows)?.view())?;
            finite(&predictions)?;
            predictions
        }
        _ => model.predict(&data.source, &rows)?,
    };
    Ok(predictions.values().to_owned())
}

fn finite(predictions: &Predictions) -> Result<()> {
    let faulty = |row: &ndarray::ArrayView1<'_, f64>| row.iter().any(|value| !value.is_finite());
    match predictions.values().rows().into_iter().position(|row| faulty(&row)) {
        None => Ok(()),
        Some(row) => {
            let message = "the prediction is not finite: the inputs are too far from those of the training";
            Err(Error::data_at(IN_MEMORY, row as u64, None, message))
        }
    }
}

fn evaluate<T: Float>(model: &Model<T>, data: &DataSource) -> Result<Evaluation> {
    let rows: Vec<usize> = (0..data.source.rows()).collect();
    model.evaluate(&data.source, &data.source.counted(&rows)?)
}
