//! The model file: safetensors with PyTorch's names and layout, one metadata key, and a checksum over everything that
//! counts.
//!
//! ```text
//! tensors     0.weight  outputs x inputs      0.bias  outputs      1.weight ...
//! of a norm   0.norm.weight  outputs          0.norm.bias  outputs
//! metadata    deltarule = {"format":1,"sha256":"...","model":{...}}, or "format":2 if "model" ends in a "certificate",
//!             or "format":3 if a layer has a norm
//! sha256      over the text of "model", then 0.weight, 0.bias, 0.norm.weight, ... as little-endian bytes
//! ```
//!
//! Reading is written as refusals: whatever the writer would not have written is an error. The same model gives the same
//! file, byte for byte.
//!
//! A file is of the oldest format that can say what it holds. Format 2 adds the certificate to format 1 and changes nothing
//! else, so a model without one keeps the bytes it always had, and programs that know only format 1 keep reading it; one
//! with a certificate they refuse by its format, which says more than that they do not know a field. As a format says
//! whether there is a certificate, each is refused that does not keep its word. Format 3 has norms, with a certificate or
//! without.

use super::certificate::{Certificate, hex};
use super::{Dtype, Input, Model, Provenance};
use crate::activation::Activation;
use crate::data::Target;
use crate::error::{Error, Result};
use crate::file::{self, Existing};
use crate::float::Float;
use crate::loss::{Loss, LossFn};
use crate::network::workspace::require;
use crate::network::{Network, Spec};
use safetensors::tensor::{Dtype as TensorType, SafeTensors, TensorView};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// The version of a document without a certificate.
const PLAIN: u32 = 1;
/// That of one with a certificate.
const CERTIFIED: u32 = 2;
/// That of a network with norms, and the newest that this library reads.
const NORMED: u32 = 3;
/// The one metadata key.
const KEY: &str = "deltarule";
/// The largest file that is read.
const LIMIT: u64 = 16 << 30;

/// What stands in the metadata key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    format: u32,
    sha256: String,
    #[serde(borrow)]
    model: &'a RawValue,
}

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

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Certificate>, D::Error> {
    Certificate::deserialize(deserializer).map(Some)
}

/// What safetensors calls a type.
fn tensor_type(dtype: Dtype) -> TensorType {
    match dtype {
        Dtype::F32 => TensorType::F32,
        Dtype::F64 => TensorType::F64,
    }
}

/// What a layer's norm scales and shifts by, by PyTorch's names for the parameters of a norm.
const NORM: [&str; 2] = ["norm.weight", "norm.bias"];

fn has_norms(spec: &Spec) -> bool {
    spec.layers().iter().any(|layer| !layer.norm.is_none())
}

/// The tensors of a network, in the file's order and layout: name, shape, little-endian bytes.
fn tensors<T: Float>(network: &Network<T>) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let mut tensors = Vec::new();
    for l in 0..network.spec().layers().len() {
        let (weights, bias) = (network.weights(l), network.bias(l));
        let bytes = |numbers: &mut dyn Iterator<Item = &T>| {
            let mut bytes = Vec::with_capacity(weights.len().max(bias.len()) * size_of::<T>());
            numbers.for_each(|n| n.write_le(&mut bytes));
            bytes
        };
        let shape = vec![weights.ncols(), weights.nrows()];
        tensors.push((format!("{l}.weight"), shape, bytes(&mut weights.t().iter())));
        if !bias.is_empty() {
            tensors.push((format!("{l}.bias"), vec![bias.len()], bytes(&mut bias.iter())));
        }
        for (name, numbers) in NORM.into_iter().zip(network.norm(l)).filter(|(_, numbers)| !numbers.is_empty()) {
            tensors.push((format!("{l}.{name}"), vec![numbers.len()], bytes(&mut numbers.iter())));
        }
    }
    tensors
}

/// The SHA-256 of a network's parameters, in the file's order and layout, little-endian: two trainings with the same bits
/// have the same.
pub(super) fn parameters_sha256<T: Float>(network: &Network<T>) -> String {
    let mut hash = Sha256::new();
    tensors(network).iter().for_each(|(_, _, bytes)| hash.update(bytes));
    hex(hash.finalize())
}

impl<T: Float> Model<T> {
    /// The SHA-256 of the parameters, in the file's order and layout, little-endian, in the training type: what makes
    /// "same bits" checkable.
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
        // The tensors, and the file that they are put into.
        require("the bytes of a model's file", 2 * size_of_val(self.network.params()) as u128)?;
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
        let format = match self.certificate {
            _ if has_norms(self.network.spec()) => NORMED,
            Some(_) => CERTIFIED,
            None => PLAIN,
        };
        let document = serde_json::to_string(&document).map_err(|e| unwritable(&e))?;
        let tensors = tensors(&self.network);
        let mut hash = Sha256::new_with_prefix(&document);
        tensors.iter().for_each(|(_, _, bytes)| hash.update(bytes));
        let envelope = format!(r#"{{"format":{format},"sha256":"{}","model":{document}}}"#, hex(hash.finalize()));
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| Ok((name, TensorView::new(tensor_type(dtype), shape.clone(), bytes)?)))
            .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|e| unwritable(&e))?;
        safetensors::serialize(views, Some(HashMap::from([(KEY.into(), envelope)]))).map_err(|e| unwritable(&e))
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
        let metadata = header(bytes)?;
        let envelope = envelope(&metadata)?;
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

/// The text in the file's one metadata key, from a header without a surprise in it.
fn header(bytes: &[u8]) -> std::result::Result<String, String> {
    if let Some(kind) = other_kind(bytes) {
        return Err(format!("it is {kind}, expected safetensors"));
    }
    let (length, rest) = bytes.split_at_checked(8).ok_or("it is too short for safetensors")?;
    let length = u64::from_le_bytes(length.try_into().expect("8 bytes"));
    let text = (usize::try_from(length).ok()).and_then(|length| rest.get(..length)).ok_or_else(|| {
        format!("it is cut short or no safetensors file: a header of {length} bytes in {}", bytes.len())
    })?;
    // The format's library lets the last of two tensors of one name win, so names are checked here.
    let entries: UniqueKeys<'_> =
        serde_json::from_slice(text).map_err(|e| format!("its header is not what safetensors says: {e}"))?;
    let metadata = entries
        .0
        .iter()
        .find(|(key, _)| key == "__metadata__")
        .ok_or("it has no metadata, expected the key 'deltarule'")?;
    let metadata: UniqueKeys<'_> =
        serde_json::from_str(metadata.1.get()).map_err(|e| format!("its metadata are damaged: {e}"))?;
    match &metadata.0[..] {
        [(key, value)] if key == KEY => {
            serde_json::from_str(value.get()).map_err(|e| format!("its metadata are damaged: {e}"))
        }
        keys => {
            let found: Vec<_> = keys.iter().map(|(key, _)| format!("{key:?}")).take(5).collect();
            Err(format!("expected the metadata key 'deltarule' alone, found {}", found.join(", ")))
        }
    }
}

fn envelope(metadata: &str) -> std::result::Result<Envelope<'_>, String> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let damaged = |e: serde_json::Error| format!("its metadata are damaged: {e}");
    let Version { format } = serde_json::from_str(metadata).map_err(damaged)?;
    if !(PLAIN..=NORMED).contains(&format) {
        return Err(format!("it is of format {format}, and this program reads formats {PLAIN} to {NORMED}"));
    }
    serde_json::from_str(metadata).map_err(damaged)
}

fn document(envelope: &Envelope<'_>) -> std::result::Result<Document, String> {
    let document: Document =
        serde_json::from_str(envelope.model.get()).map_err(|e| format!("its description is damaged: {e}"))?;
    let normed = has_norms(&document.network);
    if normed != (envelope.format == NORMED) {
        let (has, expected) = if normed { ("a layer with a norm", "none") } else { ("no layer with a norm", "one") };
        return Err(format!("it has {has}, expected {expected} in a file of format {}", envelope.format));
    }
    match (envelope.format, &document.certificate) {
        (PLAIN, Some(_)) => Err(format!("it holds a certificate, expected none in a file of format {PLAIN}")),
        (CERTIFIED, None) => Err(format!("it holds no certificate, expected one in a file of format {CERTIFIED}")),
        _ => Ok(document),
    }
}

fn parse<T: Float>(bytes: &[u8]) -> std::result::Result<Model<T>, String> {
    let metadata = header(bytes)?;
    let envelope = envelope(&metadata)?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("its tensors are damaged: {e}"))?;
    let Document { dtype, network: spec, input, target, loss, provenance, certificate } = document(&envelope)?;
    if dtype != Dtype::of::<T>() {
        return Err(format!("its numbers are {}, expected {}", dtype.name(), T::NAME));
    }

    let mut hash = Sha256::new_with_prefix(envelope.model.get());
    let mut params = Vec::new();
    let mut expected = 0;
    for (l, (layer, block)) in spec.layers().iter().zip(spec.blocks()).enumerate() {
        let weights = numbers::<T>(&file, &format!("{l}.weight"), &[block.outputs, block.inputs], dtype, &mut hash)?;
        // From the file's outputs x inputs to ours.
        params.extend((0..block.inputs).flat_map(|i| weights.iter().skip(i).step_by(block.inputs)));
        expected += 1;
        if layer.bias {
            params.extend(numbers::<T>(&file, &format!("{l}.bias"), &[block.outputs], dtype, &mut hash)?);
            expected += 1;
        }
        for name in NORM.iter().filter(|_| !layer.norm.is_none()) {
            params.extend(numbers::<T>(&file, &format!("{l}.{name}"), &[block.outputs], dtype, &mut hash)?);
            expected += 1;
        }
    }
    if file.len() != expected {
        return Err(format!("expected {expected} tensors, found {}", file.len()));
    }
    if hex(hash.finalize()) != envelope.sha256 {
        return Err("its checksum does not fit its content: it was damaged or edited".into());
    }
    if let Some(bad) = params.iter().position(|p| !p.is_finite()) {
        return Err(format!("{} is {}, expected a finite number", spec.parameter_name(bad), params[bad]));
    }
    let network = Network::from_params(spec, params).map_err(|e| e.to_string())?;
    let model = Model { input, network, target, loss, provenance, certificate };
    check(&model)?;
    Ok(model)
}

/// The numbers of one tensor, which are also taken into the hash.
fn numbers<T: Float>(
    file: &SafeTensors<'_>,
    name: &str,
    shape: &[usize],
    dtype: Dtype,
    hash: &mut Sha256,
) -> std::result::Result<Vec<T>, String> {
    let tensor = file.tensor(name).map_err(|_| format!("tensor {name} is missing"))?;
    if tensor.dtype() != tensor_type(dtype) || tensor.shape() != shape {
        return Err(format!(
            "tensor {name}: expected {:?} {shape:?}, found {:?} {:?}",
            tensor_type(dtype),
            tensor.dtype(),
            tensor.shape()
        ));
    }
    hash.update(tensor.data());
    Ok(tensor.data().chunks_exact(size_of::<T>()).map(T::read_le).collect())
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
    if outputs != classes.max(1) && !(classes == 2 && outputs == 1) {
        return Err(format!("its target has {classes} classes, its network {outputs} outputs"));
    }
    let probable = match spec.layers().last().map(|layer| layer.activation) {
        Some(Activation::Softmax) => outputs > 1,
        other => matches!(other, Some(Activation::Sigmoid | Activation::Step)),
    };
    if classes > 0 && !probable {
        return Err("its network's outputs are no probabilities of classes".into());
    }
    loss.check().map_err(|e| e.to_string())?;
    let counts = &provenance.class_counts;
    let counted = counts.iter().try_fold(0usize, |sum, &count| sum.checked_add(count));
    if provenance.rows == 0 || counts.len() != classes || (classes > 0 && counted != Some(provenance.rows)) {
        return Err("its training rows are not counted for each class".into());
    }
    certificate.as_ref().map_or(Ok(()), |certificate| certificate.check(spec))
}

/// What a file is that is not safetensors, by its first bytes.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [] => Some("empty"),
        [b'P', b'K', 3, 4, ..] => Some("a zip archive (as of PyTorch's .pt or NumPy's .npz)"),
        [0x80, 2..=5, ..] if bytes.get(8) != Some(&b'{') => Some("a Python pickle"),
        [0x1f, 0x8b, ..] => Some("gzipped"),
        [0, 0, 8, 1..=3, ..] => Some("an IDX file"),
        [b'<', ..] if bytes.get(8) != Some(&b'{') => Some("a text or XML file"),
        _ if bytes.iter().take(64).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) => Some("a text file"),
        _ => None,
    }
}

/// The entries of a JSON object, in order; a key that stands twice is an error.
struct UniqueKeys<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for UniqueKeys<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = UniqueKeys<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with distinct keys")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Self::Value, M::Error> {
                let (mut entries, mut seen) = (Vec::new(), std::collections::HashSet::new());
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    if !seen.insert(key.clone()) {
                        return Err(serde::de::Error::custom(format!("the key {key:?} stands twice")));
                    }
                    entries.push((key, value));
                }
                Ok(UniqueKeys(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
