//! The model file: safetensors with PyTorch's names and layout, one metadata key, and a checksum over everything that
//! counts.
//!
//! ```text
//! tensors     0.weight  outputs x inputs      0.bias  outputs      1.weight ...
//! of a norm   0.norm.weight  outputs          0.norm.bias  outputs
//! of batches  0.norm.running_mean  outputs    0.norm.running_var  outputs
//! metadata    deltarule = {"format":1,"sha256":"...","model":{...}}, or "format":2 if "model" ends in a "certificate",
//!             "format":3 if it has several targets or weighted rows, "format":4 if a layer has a norm, and "format":5 if
//!             that is batch normalisation
//! sha256      over the text of "model", then 0.weight, 0.bias, 0.norm.weight, ... as little-endian bytes
//! ```
//!
//! Reading is written as refusals: whatever the writer would not have written is an error. The same model gives the same
//! file, byte for byte.
//!
//! A file is of the oldest format that can say what it holds. Format 2 adds the certificate to format 1 and changes nothing
//! else, so a model without one keeps the bytes it always had, and programs that know only format 1 keep reading it; one
//! with a certificate they refuse by its format, which says more than that they do not know a field. Format 3 adds lists of
//! targets (`labels`, `numbers`) and the classes' shares by weight, with a certificate or without; format 4 has norms, with any of
//! that or without; format 5 has batch normalisation, with its running means and variances after each layer's other tensors. As a format
//! says what there is, each is refused that does not keep its word.

use super::certificate::Certificate;
use super::{Dtype, Input, Model, Provenance};
use crate::activation::Activation;
use crate::data::Target;
use crate::error::{Error, Result};
use crate::file::{self, Existing};
use crate::float::Float;
use crate::loss::{Loss, LossFn};
use crate::network::workspace::require;
use crate::network::{Network, Norm, Spec};
use crate::sealed::{self, Envelope, Kind, Tensor, Tensors, hex};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::Path;

/// The version of a document without a certificate.
const PLAIN: u32 = 1;
/// That of one with a certificate.
const CERTIFIED: u32 = 2;
/// That of one with several targets or weighted rows.
const WEIGHED: u32 = 3;
/// That of a network with norms.
const NORMED: u32 = 4;
/// That of a network with batch normalisation, and the newest that this library reads.
const COUPLED: u32 = 5;
const KIND: Kind = Kind { key: "deltarule", field: "model", formats: &[PLAIN, CERTIFIED, WEIGHED, NORMED, COUPLED] };
/// The largest file that is read.
const LIMIT: u64 = 16 << 30;

/// All of a model but its tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    dtype: Dtype,
    network: Spec,
    input: Input,
    target: Target,
    loss: Loss,
    provenance: Provenance,
    // Absent without one: `null` is a word of neither format.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate>,
}

impl Document {
    /// The oldest format that can say all of it.
    fn format(&self) -> u32 {
        let several = matches!(self.target, Target::Labels(_) | Target::Numbers(_));
        match self.certificate {
            _ if self.network.couples_rows() => COUPLED,
            _ if has_norms(&self.network) => NORMED,
            _ if several || !self.provenance.class_shares.is_empty() => WEIGHED,
            Some(_) => CERTIFIED,
            None => PLAIN,
        }
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Certificate>, D::Error> {
    Certificate::deserialize(deserializer).map(Some)
}

/// What a layer's norm scales and shifts by, by PyTorch's names for the parameters of a norm.
const NORM: [&str; 2] = ["norm.weight", "norm.bias"];
/// The running means and variances of batch normalisation, by PyTorch's names.
const STATISTICS: [&str; 2] = ["norm.running_mean", "norm.running_var"];

fn has_norms(spec: &Spec) -> bool {
    spec.layers().iter().any(|layer| !layer.norm.is_none())
}

/// The tensors of a network, in the file's order and layout: name, shape, little-endian bytes.
fn tensors<T: Float>(network: &Network<T>) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for l in 0..network.spec().layers().len() {
        let (weights, bias) = (network.weights(l), network.bias(l));
        let shape = vec![weights.ncols(), weights.nrows()];
        tensors.push(Tensor::new(&format!("{l}.weight"), shape, weights.t().iter()));
        if !bias.is_empty() {
            tensors.push(Tensor::new(&format!("{l}.bias"), vec![bias.len()], bias.iter()));
        }
        let of_norm = NORM.into_iter().zip(network.norm(l));
        let of_norm = of_norm.chain(STATISTICS.into_iter().zip(network.statistics(l)));
        for (name, numbers) in of_norm.filter(|(_, numbers)| !numbers.is_empty()) {
            tensors.push(Tensor::new(&format!("{l}.{name}"), vec![numbers.len()], numbers.iter()));
        }
    }
    tensors
}

/// The SHA-256 of a network's parameters and running statistics, in the file's order and layout, little-endian: two trainings with the
/// same bits have the same.
pub(super) fn parameters_sha256<T: Float>(network: &Network<T>) -> String {
    let mut hash = Sha256::new();
    tensors(network).iter().for_each(|tensor| hash.update(tensor.bytes()));
    hex(hash.finalize())
}

impl<T: Float> Model<T> {
    /// The SHA-256 of the parameters, and of the running statistics of batch normalisation, in the file's order and layout,
    /// little-endian, in the training type: what makes "same bits" checkable.
    pub fn parameters_sha256(&self) -> String {
        parameters_sha256(&self.network)
    }

    /// The model as the bytes of its file.
    ///
    /// **Errors** if a parameter is not finite, naming it, or the model's parts do not fit each other: whatever reading
    /// would refuse.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let unwritable = |e: &dyn fmt::Display| Error::Unsupported(format!("the model cannot be written: {e}"));
        check(self).map_err(|e| unwritable(&e))?;
        if let Some(bad) = self.network.params().iter().position(|p| !p.is_finite()) {
            let what = self.network.spec().parameter_name(bad);
            return Err(Error::shape(what, "a finite number", self.network.params()[bad]));
        }
        check_statistics(&self.network).map_err(|e| unwritable(&e))?;
        // The tensors, and the file that they are put into.
        require("the bytes of a model's file", 2 * size_of_val(self.network.state()) as u128)?;
        let dtype = Dtype::of::<T>();
        let document = Document {
            dtype,
            network: self.network.spec().clone(),
            input: self.input.clone(),
            target: self.target.clone(),
            loss: self.loss,
            provenance: self.provenance.clone(),
            certificate: self.certificate.clone(),
        };
        let format = document.format();
        let document = serde_json::to_string(&document).map_err(|e| unwritable(&e))?;
        sealed::seal(&KIND, format, &document, &tensors(&self.network)).map_err(|e| unwritable(&e))
    }

    /// Writes the model's file, whole or not at all.
    ///
    /// **Errors** name the path and the system's reason; an older file is then untouched.
    pub fn save(&self, path: &Path, existing: Existing) -> Result<()> {
        file::write_whole(path, &self.to_bytes()?, existing)
    }

    /// Reads a model's file.
    ///
    /// **Errors** name the path and what was expected and found; a file of the other [`Dtype`] is one of them.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(&read(path)?, path)
    }

    /// Reads a model from the bytes of its file; `path` is for messages.
    ///
    /// **Errors** as [`load`](Self::load).
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        parse(bytes).map_err(|message| Error::model(path, message))
    }
}

/// The bytes of a model's file.
///
/// **Errors** name the path and the system's reason.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    file::read_whole(path, LIMIT)
}

/// The type of the numbers of a model's file; `path` is for messages.
///
/// **Errors** as [`Model::load`].
pub fn peek_dtype(bytes: &[u8], path: &Path) -> Result<Dtype> {
    let dtype = || -> std::result::Result<Dtype, String> {
        let metadata = sealed::metadata(&KIND, bytes)?;
        let envelope = sealed::envelope(&KIND, &metadata)?;
        Ok(document(&envelope)?.dtype)
    };
    dtype().map_err(|message| Error::model(path, message))
}

/// Writes a certificate into a model's file, whole or not at all; one that is there gives way.
///
/// The file is read again for it: a check may take hours, in which another training may have replaced the model. The
/// certificate would then be of other parameters, and is refused.
///
/// **Errors** as [`Model::load`], [`Model::certify`] and [`Model::save`]; the file is then untouched.
pub fn certify_file(path: &Path, certificate: Certificate) -> Result<()> {
    fn of_type<T: Float>(bytes: &[u8], path: &Path, certificate: Certificate) -> Result<()> {
        let mut model = Model::<T>::from_bytes(bytes, path)?;
        model.certify(certificate).map_err(|e| Error::Unsupported(format!("{}: {e}", path.display())))?;
        model.save(path, Existing::Replace)
    }
    let bytes = read(path)?;
    match peek_dtype(&bytes, path)? {
        Dtype::F32 => of_type::<f32>(&bytes, path, certificate),
        Dtype::F64 => of_type::<f64>(&bytes, path, certificate),
    }
}

fn document(envelope: &Envelope<'_>) -> std::result::Result<Document, String> {
    let document: Document =
        serde_json::from_str(envelope.document).map_err(|e| format!("its description is damaged: {e}"))?;
    match (envelope.format, document.format()) {
        (found, needed) if found == needed => Ok(document),
        (PLAIN, CERTIFIED) => Err(format!("it holds a certificate, expected none in a file of format {PLAIN}")),
        (CERTIFIED, PLAIN) => Err(format!("it holds no certificate, expected one in a file of format {CERTIFIED}")),
        (found, COUPLED) => {
            Err(format!("it has a layer with batch normalisation, expected none in a file of format {found}"))
        }
        (COUPLED, _) => {
            Err(format!("it has no layer with batch normalisation, expected one in a file of format {COUPLED}"))
        }
        (found, NORMED) => Err(format!("it has a layer with a norm, expected none in a file of format {found}")),
        (NORMED, _) => Err(format!("it has no layer with a norm, expected one in a file of format {NORMED}")),
        (found, WEIGHED) => {
            Err(format!("it holds several targets or weighted rows, expected none in a file of format {found}"))
        }
        (found, _) => Err(format!(
            "it holds neither several targets nor weighted rows, expected them in a file of format {found}"
        )),
    }
}

fn parse<T: Float>(bytes: &[u8]) -> std::result::Result<Model<T>, String> {
    let metadata = sealed::metadata(&KIND, bytes)?;
    let envelope = sealed::envelope(&KIND, &metadata)?;
    let mut tensors = Tensors::open(bytes, &envelope)?;
    let Document { dtype, network: spec, input, target, loss, provenance, certificate } = document(&envelope)?;
    if dtype != Dtype::of::<T>() {
        return Err(format!("its numbers are {}, expected {}", dtype.name(), T::NAME));
    }

    let (mut params, mut statistics) = (Vec::new(), Vec::new());
    for (l, (layer, block)) in spec.layers().iter().zip(spec.blocks()).enumerate() {
        let weights = tensors.numbers::<T>(&format!("{l}.weight"), &[block.outputs, block.inputs])?;
        // From the file's outputs x inputs to ours.
        params.extend((0..block.inputs).flat_map(|i| weights.iter().skip(i).step_by(block.inputs)));
        if layer.bias {
            params.extend(tensors.numbers::<T>(&format!("{l}.bias"), &[block.outputs])?);
        }
        for name in NORM.iter().filter(|_| !layer.norm.is_none()) {
            params.extend(tensors.numbers::<T>(&format!("{l}.{name}"), &[block.outputs])?);
        }
        for name in STATISTICS.iter().filter(|_| layer.norm == Norm::Batch) {
            statistics.extend(tensors.numbers::<T>(&format!("{l}.{name}"), &[block.outputs])?);
        }
    }
    tensors.finish()?;
    if let Some(bad) = params.iter().position(|p| !p.is_finite()) {
        return Err(format!("{} is {}, expected a finite number", spec.parameter_name(bad), params[bad]));
    }
    params.extend(statistics);
    let network = Network::from_state(spec, params).map_err(|e| e.to_string())?;
    check_statistics(&network)?;
    let model = Model { input, network, target, loss, provenance, certificate };
    check(&model)?;
    Ok(model)
}

/// Refuses running means that are not finite, and variances that are not or are negative.
fn check_statistics<T: Float>(network: &Network<T>) -> std::result::Result<(), String> {
    for l in 0..network.spec().layers().len() {
        let [mean, variance] = network.statistics(l);
        let bad = |(what, numbers, least): (&str, ndarray::ArrayView1<'_, T>, f64)| {
            let unit = numbers.iter().position(|x| !(x.is_finite() && x.real() >= least))?;
            Some(format!("layer {}, running {what} of unit {} is {}", l + 1, unit + 1, numbers[unit]))
        };
        let numbers = [("mean", mean, f64::NEG_INFINITY), ("variance", variance, 0.0)];
        if let Some(bad) = numbers.into_iter().find_map(bad) {
            return Err(bad);
        }
    }
    Ok(())
}

/// Refuses a model whose parts are unsound or do not fit each other.
fn check<T: Float>(model: &Model<T>) -> std::result::Result<(), String> {
    let Model { input, network, target, loss, provenance, certificate } = model;
    let spec = network.spec();
    match input {
        Input::Table(features) => features.check()?,
        Input::Images { height, width } if height.checked_mul(*width).is_none_or(|pixels| pixels == 0) => {
            return Err(format!("images of {height} x {width} pixels"));
        }
        Input::Images { .. } => {}
    }
    target.check()?;
    if input.width() != spec.inputs() {
        return Err(format!("its preprocessing makes {} inputs, its network takes {}", input.width(), spec.inputs()));
    }
    let (classes, outputs) = (target.labels().len(), spec.outputs());
    if outputs != target.width() && !(classes == 2 && outputs == 1) {
        let held = match target {
            Target::Labels(labels) => format!("{} labels", labels.len()),
            Target::Numbers(numbers) => format!("{} numbers", numbers.len()),
            _ => format!("{classes} classes"),
        };
        return Err(format!("its target has {held}, its network {outputs} outputs"));
    }
    let probable = match spec.layers().last().map(|layer| layer.activation) {
        Some(Activation::Softmax) => classes > 0 && outputs > 1,
        // Scores, of which the largest is chosen.
        Some(Activation::Identity) => matches!(loss, Loss::Hinge | Loss::SquaredHinge),
        other => matches!(other, Some(Activation::Sigmoid | Activation::Step)),
    };
    if !target.class_columns().is_empty() && !probable {
        return Err("its network's outputs are no probabilities of classes".into());
    }
    loss.check().map_err(|e| e.to_string())?;
    if let Some(mean) = provenance.means.iter().find(|mean| !mean.is_finite()) {
        return Err(format!("the mean of its training rows is {mean}"));
    }
    check_counts(target, provenance)?;
    certificate.as_ref().map_or(Ok(()), |certificate| certificate.check(spec))
}

/// Refuses counts and shares of the training rows that are not those of each class of each column.
fn check_counts(target: &Target, provenance: &Provenance) -> std::result::Result<(), String> {
    let (mut counts, mut shares) = (&provenance.class_counts[..], &provenance.class_shares[..]);
    let weighed = !shares.is_empty();
    let refuse = || Err("its training rows are not counted for each class".to_string());
    if provenance.rows == 0 {
        // Trained elsewhere: of its rows nothing is known.
        return if counts.is_empty() && !weighed { Ok(()) } else { refuse() };
    }
    for column in target.class_columns() {
        let classes = column.labels.len();
        let Some((of_column, others)) = counts.split_at_checked(classes) else { return refuse() };
        let counted = of_column.iter().try_fold(0usize, |sum, &count| sum.checked_add(count));
        if counted != Some(provenance.rows) {
            return refuse();
        }
        counts = others;
        if weighed {
            let Some((of_column, others)) = shares.split_at_checked(classes) else { return refuse() };
            let sum: f64 = of_column.iter().sum();
            // As many roundings as there are rows, and shares that are written with all their digits.
            let whole = (sum - 1.0).abs() <= 1e-6 && of_column.iter().all(|share| (0.0..=1.0).contains(share));
            if !whole {
                return Err(format!("its class shares of {:?}: expected a sum of 1, found {sum}", column.name));
            }
            shares = others;
        }
    }
    if counts.is_empty() && shares.is_empty() { Ok(()) } else { refuse() }
}
