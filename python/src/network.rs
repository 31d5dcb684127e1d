//! A network of either precision, its training and its predictions.

use crate::errors::{exception, guard};
use crate::fitting::{Owned, fit};
use crate::given::borrowed1;
use crate::measure::target;
use crate::predicting::predict;
use crate::settings::Settings;
use deltarule::activation::Activation;
use deltarule::data::features::{Features, Kind};
use deltarule::data::target::Target;
use deltarule::file::Existing;
use deltarule::float::Float;
use deltarule::model::{Dtype, Input, Model, peek_dtype, plain_target, read};
use deltarule::prelude::{Init, Layer, Loss, Norm, Rng, Spec};
use deltarule::rng::stream;
use deltarule::train::{Saved, Standing};
use deltarule::{Error, Result};
use numpy::{Element, IntoPyArray, PyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A network, and where its training stands if that goes on in parts.
#[derive(Debug)]
struct Held<T> {
    net: deltarule::network::Network<T>,
    saved: Option<Saved<T>>,
}

/// Either precision.
#[derive(Debug)]
enum Either {
    F32(Held<f32>),
    F64(Held<f64>),
}

/// Runs the same code on a network of either precision.
macro_rules! with {
    ($either:expr, $held:ident => $body:expr) => {
        match $either {
            Either::F32($held) => $body,
            Either::F64($held) => $body,
        }
    };
}

/// A dense network: what an estimator holds.
#[pyclass(module = "deltarule._deltarule")]
#[derive(Debug)]
pub struct Network {
    inner: Either,
}

/// A layer, as Python describes it: units, activation, whether it has biases, norm.
type Described = (usize, String, bool, String);

fn spec(inputs: usize, layers: &[Described]) -> Result<Spec> {
    let layer = |(units, activation, bias, norm): &Described| {
        let norm = match &**norm {
            "none" => Norm::None,
            "layer" => Norm::Layer,
            "batch" => Norm::Batch,
            other => return Err(Error::setting("norm", "none, layer or batch", other)),
        };
        Ok(Layer { outputs: *units, bias: *bias, activation: Activation::parse(activation)?, norm })
    };
    Spec::new(inputs, layers.iter().map(layer).collect::<Result<_>>()?)
}

/// A spec as Python describes it.
fn described(spec: &Spec) -> (usize, Vec<Described>) {
    let norm = |norm: Norm| match norm {
        Norm::Layer => "layer",
        Norm::Batch => "batch",
        _ => "none",
    };
    let layer = |layer: &Layer| (layer.outputs, layer.activation.to_string(), layer.bias, norm(layer.norm).into());
    (spec.inputs(), spec.layers().iter().map(layer).collect())
}

/// What `Network.describe` says of a network of these layers, without making one.
#[pyfunction]
pub fn describe(inputs: usize, layers: Vec<Described>) -> PyResult<(usize, Vec<Described>)> {
    guard(|| Ok(described(&spec(inputs, &layers)?)))
}

/// A new network, as a recipe of the library begins: the same bits for the same seed. `means` are those of counts, whose logarithms its
/// last biases are.
fn first<T: Float>(spec: Spec, init: Option<Init>, seed: u64, means: &[f64]) -> Result<Held<T>> {
    let mut net = deltarule::network::Network::<T>::new(spec, init, &mut Rng::with_stream(seed, stream::WEIGHTS))?;
    if let Some(last) = net.spec().blocks().last().cloned() {
        let biases = net.params_mut()[last.bias].iter_mut();
        biases.zip(means).filter(|(_, mean)| **mean > 0.0).for_each(|(bias, mean)| *bias = T::from_f64(mean.ln()));
    }
    Ok(Held { net, saved: None })
}

#[pymethods]
impl Network {
    #[new]
    fn new(
        inputs: usize,
        layers: Vec<Described>,
        init: Option<String>,
        seed: u64,
        dtype: &str,
        means: Vec<f64>,
    ) -> PyResult<Self> {
        guard(|| {
            let init = init.as_deref().map(Init::parse).transpose()?;
            let spec = spec(inputs, &layers)?;
            let inner = match dtype {
                "float32" => Either::F32(first(spec, init, seed, &means)?),
                "float64" => Either::F64(first(spec, init, seed, &means)?),
                other => return Err(Error::setting("dtype", "float32 or float64", other)),
            };
            Ok(Self { inner })
        })
    }

    /// `float32` or `float64`.
    #[getter]
    fn dtype(&self) -> &'static str {
        match self.inner {
            Either::F32(_) => "float32",
            Either::F64(_) => "float64",
        }
    }

    /// How many parameters there are.
    #[getter]
    fn parameters(&self) -> usize {
        with!(&self.inner, held => held.net.spec().parameters())
    }

    /// Inputs, and each layer's units, activation, bias, norm.
    fn describe(&self) -> (usize, Vec<Described>) {
        with!(&self.inner, held => described(held.net.spec()))
    }

    /// A copy of layer `layer`'s weights, inputs x outputs.
    fn weights<'py>(&self, py: Python<'py>, layer: usize) -> Bound<'py, PyAny> {
        with!(&self.inner, held => held.net.weights(layer).to_owned().into_pyarray(py).into_any())
    }

    /// A copy of layer `layer`'s biases; empty without.
    fn bias<'py>(&self, py: Python<'py>, layer: usize) -> Bound<'py, PyAny> {
        with!(&self.inner, held => held.net.bias(layer).to_owned().into_pyarray(py).into_any())
    }

    /// Replaces all parameters.
    fn set_params(&mut self, params: &Bound<'_, PyAny>) -> PyResult<()> {
        with!(&mut self.inner, held => set_params(held, params))
    }

    /// The SHA-256 of the parameters as the library's files have it.
    fn sha256(&self) -> PyResult<String> {
        guard(|| with!(&self.inner, held => Ok(plain(&held.net, Loss::SquaredError)?.parameters_sha256())))
    }

    /// The outputs for rows of numbers, on so many threads (0: all). With `check`, None if a number is not finite, of which the caller can
    /// say more.
    fn predict<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        threads: usize,
        check: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        with!(&self.inner, held => predict(py, &held.net, x, (threads, check)))
    }

    /// Forgets where its training in parts stands: the next begins with an optimiser that remembers nothing.
    fn forget(&mut self) {
        with!(&mut self.inner, held => held.saved = None);
    }

    /// Trains: `x` is an array, or (data, indices, indptr, columns) of a sparse one; `y` rows x outputs. Gives what happened, and the
    /// exception that ended it, if one did: the network then has the parameters of the steps done.
    #[pyo3(signature = (x, y, weights, settings, validation = None, callback = None, goes_on = false))]
    #[expect(clippy::too_many_arguments, reason = "one call from one place, by name")]
    fn fit(
        &mut self,
        py: Python<'_>,
        x: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        weights: Option<&Bound<'_, PyAny>>,
        settings: Settings,
        validation: Option<Owned<'_>>,
        callback: Option<Py<PyAny>>,
        goes_on: bool,
    ) -> PyResult<(Py<PyAny>, Option<PyErr>)> {
        with!(&mut self.inner, held => {
            fit(py, &mut held.net, &mut held.saved, (x, y, weights), (&settings, goes_on), validation.as_ref(), callback)
        })
    }

    /// All of it as bytes and, if it was trained in parts, where that stands.
    fn __getstate__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let state = PyDict::new(py);
        with!(&self.inner, held => {
            let bytes = guard(|| plain(&held.net, Loss::SquaredError)?.to_bytes())?;
            state.set_item("model", PyBytes::new(py, &bytes))?;
            if let Some(Saved { standing, buffers, wide }) = &held.saved {
                let standing = serde_json::to_string(standing).map_err(|e| PyValueError::new_err(e.to_string()))?;
                state.set_item("standing", standing)?;
                state.set_item("buffers", arrays(py, buffers)?)?;
                state.set_item("wide", arrays(py, wide)?)?;
            }
        });
        Ok(state)
    }

    fn __setstate__(&mut self, state: &Bound<'_, PyDict>) -> PyResult<()> {
        let item = |name: &str| state.get_item(name);
        let model = item("model")?.ok_or_else(|| PyValueError::new_err("a pickled network without its model"))?;
        let bytes: &[u8] = model.extract()?;
        let path = Path::new("pickle");
        self.inner = match guard(|| peek_dtype(bytes, path))? {
            Dtype::F32 => Either::F32(Held { net: guard(|| Model::from_bytes(bytes, path))?.network, saved: None }),
            Dtype::F64 => Either::F64(Held { net: guard(|| Model::from_bytes(bytes, path))?.network, saved: None }),
        };
        let (Some(standing), Some(buffers), Some(wide)) = (item("standing")?, item("buffers")?, item("wide")?) else {
            return Ok(());
        };
        let standing: &str = standing.extract()?;
        let standing: Standing =
            serde_json::from_str(standing).map_err(|e| PyValueError::new_err(format!("pickled training: {e}")))?;
        with!(&mut self.inner, held => {
            held.saved = Some(Saved { standing, buffers: vectors(&buffers)?, wide: vectors(&wide)? });
        });
        Ok(())
    }

    /// What `__setstate__` fills.
    fn __getnewargs__(&self) -> (usize, Vec<Described>, Option<String>, u64, &'static str, Vec<f64>) {
        (1, vec![(1, "identity".into(), false, "none".into())], Some("zeros".into()), 0, self.dtype(), Vec::new())
    }

    /// Writes a model file.
    #[expect(clippy::too_many_arguments, reason = "one call from one place, by name")]
    fn save(
        &self,
        path: PathBuf,
        overwrite: bool,
        columns: Option<Vec<String>>,
        kind: &str,
        names: Vec<String>,
        loss: &str,
        provenance: BTreeMap<String, String>,
    ) -> PyResult<()> {
        guard(|| {
            let (loss, target) = (Loss::parse(loss)?, target(kind, &names)?);
            let existing = if overwrite { Existing::Replace } else { Existing::Keep };
            with!(&self.inner, held => {
                let mut model = Model::of_network(held.net.clone(), columns.as_deref(), target, loss)?;
                model.provenance.training = provenance.get("training").cloned().unwrap_or_default();
                model.provenance.data = provenance.get("data").cloned().unwrap_or_default();
                model.save(&path, existing)
            })
        })
    }
}

/// The network of a model file, what it predicts (as `measure::target` has it) with the classes' or numbers' names, its loss, the columns'
/// names if it knows any, and how it was trained, in words.
type Read = (Network, &'static str, Vec<String>, String, Option<Vec<String>>, String);

/// Reads the network of a model file, if numbers go into it as they are and come out as they are: one that an estimator saved; else None.
#[pyfunction]
pub fn read_network(path: PathBuf) -> PyResult<Option<Read>> {
    guard(|| {
        let bytes = read(&path)?;
        Ok(match peek_dtype(&bytes, &path)? {
            Dtype::F32 => parts(Model::from_bytes(&bytes, &path)?, Either::F32),
            Dtype::F64 => parts(Model::from_bytes(&bytes, &path)?, Either::F64),
        })
    })
}

fn parts<T: Float>(model: Model<T>, either: impl Fn(Held<T>) -> Either) -> Option<Read> {
    let Input::Table(Features { columns, header, .. }) = &model.input else { return None };
    let as_it_is =
        |kind: &Kind| matches!(kind, Kind::Number { mean, scale, fill: None } if (*mean, *scale) == (0.0, 1.0));
    let numbers = model.target.number_columns();
    let is_mine = model.provenance.training.starts_with("deltarule for Python, ");
    if !is_mine || !columns.iter().all(|c| as_it_is(&c.kind)) || numbers.iter().any(|n| (n.mean, n.scale) != (0.0, 1.0))
    {
        return None;
    }
    let (kind, names) = match &model.target {
        Target::Classes(classes) => ("classes", classes.labels.clone()),
        Target::Labels(labels) => ("labels", labels.iter().map(|label| label.name.clone()).collect()),
        Target::Number(_) | Target::Numbers(_) => ("numbers", numbers.iter().map(|n| n.name.clone()).collect()),
    };
    let columns = header.then(|| columns.iter().map(|column| column.name.clone()).collect());
    let (loss, training) = (model.loss.to_string(), model.provenance.training);
    let inner = either(Held { net: model.network, saved: None });
    Some((Network { inner }, kind, names, loss, columns, training))
}

fn set_params<T: Float + Element>(held: &mut Held<T>, params: &Bound<'_, PyAny>) -> PyResult<()> {
    let given = borrowed1::<T>(params, "params")?;
    let given = given.as_slice()?;
    let to = held.net.params_mut();
    if to.len() != given.len() {
        return Err(exception(Error::shape("parameters", to.len(), given.len())));
    }
    if let Some(index) = given.iter().position(|value| !value.is_finite()) {
        return Err(exception(Error::setting(format!("parameter {index}"), "a finite number", given[index])));
    }
    to.copy_from_slice(given);
    held.saved = None;
    Ok(())
}

/// Its model, for bytes and hashes.
fn plain<T: Float>(net: &deltarule::network::Network<T>, loss: Loss) -> Result<Model<T>> {
    Model::of_network(net.clone(), None, plain_target(net.spec()), loss)
}

fn arrays<'py, T: Element + Clone>(
    py: Python<'py>,
    buffers: &BTreeMap<String, Vec<T>>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, buffer) in buffers {
        dict.set_item(name, PyArray1::from_vec(py, buffer.clone()))?;
    }
    Ok(dict)
}

fn vectors<T: Element + Clone>(dict: &Bound<'_, PyAny>) -> PyResult<BTreeMap<String, Vec<T>>> {
    let dict = dict.cast::<PyDict>()?;
    let vector = |(name, array): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        Ok((name.extract::<String>()?, borrowed1::<T>(&array, "buffer")?.as_slice()?.to_vec()))
    };
    dict.iter().map(vector).collect()
}
