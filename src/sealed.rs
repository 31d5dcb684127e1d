//! Sealed files: safetensors with one metadata key, and a checksum over everything that counts.
//!
//! ```text
//! metadata    KEY = {"format":1,"sha256":"...","FIELD":{...}}
//! sha256      over the text of FIELD, then the tensors' little-endian bytes in an order that the kind of file knows
//! ```
//!
//! Reading is written as refusals: whatever the writer would not have written is an error. Errors are texts, which whoever
//! knows the file's path puts into an [`Error`](crate::error::Error). Row 5 of the house: imports `float`.

use crate::float::Float;
use safetensors::tensor::{Dtype as TensorType, SafeTensors, TensorView};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::{self, Write};

type Result<T> = std::result::Result<T, String>;

/// A kind of sealed file.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The one metadata key.
    pub key: &'static str,
    /// The field of the document in it.
    pub field: &'static str,
    /// The formats that this library reads, one after the other.
    pub formats: &'static [u32],
}

/// A tensor to be written.
#[derive(Debug)]
pub(crate) struct Tensor {
    name: String,
    dtype: TensorType,
    shape: Vec<usize>,
    /// Little-endian.
    bytes: Vec<u8>,
}

impl Tensor {
    /// The tensor of these numbers, row-major.
    pub fn new<'a, T: Float>(name: &str, shape: Vec<usize>, numbers: impl Iterator<Item = &'a T>) -> Self {
        let mut bytes = Vec::with_capacity(shape.iter().product::<usize>() * size_of::<T>());
        numbers.for_each(|n| n.write_le(&mut bytes));
        Self { name: name.into(), dtype: tensor_type::<T>(), shape, bytes }
    }

    /// The numbers as little-endian bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What safetensors calls the type.
fn tensor_type<T: Float>() -> TensorType {
    if T::NAME == "f32" { TensorType::F32 } else { TensorType::F64 }
}

/// A hash as hexadecimal digits.
pub(crate) fn hex(hash: impl AsRef<[u8]>) -> String {
    hash.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of a sealed file: the document's text, and tensors, which are hashed in the order given.
pub(crate) fn seal(kind: &Kind, format: u32, document: &str, tensors: &[Tensor]) -> Result<Vec<u8>> {
    let mut hash = Sha256::new_with_prefix(document);
    tensors.iter().for_each(|tensor| hash.update(&tensor.bytes));
    let (sha256, field) = (hex(hash.finalize()), kind.field);
    let envelope = format!(r#"{{"format":{format},"sha256":"{sha256}","{field}":{document}}}"#);
    let views = tensors
        .iter()
        .map(|t| Ok((&t.name, TensorView::new(t.dtype, t.shape.clone(), &t.bytes)?)))
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>();
    views
        .and_then(|views| safetensors::serialize(views, Some(HashMap::from([(kind.key.into(), envelope)]))))
        .map_err(|e| e.to_string())
}

/// The text in the file's one metadata key, from a header without a surprise in it.
pub(crate) fn metadata(kind: &Kind, bytes: &[u8]) -> Result<String> {
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
        .ok_or_else(|| format!("it has no metadata, expected the key '{}'", kind.key))?;
    let metadata: UniqueKeys<'_> =
        serde_json::from_str(metadata.1.get()).map_err(|e| format!("its metadata are damaged: {e}"))?;
    match &metadata.0[..] {
        [(key, value)] if key == kind.key => {
            serde_json::from_str(value.get()).map_err(|e| format!("its metadata are damaged: {e}"))
        }
        keys => {
            let found: Vec<_> = keys.iter().map(|(key, _)| format!("{key:?}")).take(5).collect();
            Err(format!("expected the metadata key '{}' alone, found {}", kind.key, found.join(", ")))
        }
    }
}

/// What stands in the metadata key.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    /// The version.
    pub format: u32,
    sha256: String,
    /// The document's text.
    pub document: &'a str,
}

/// Reads the text of [`metadata`].
pub(crate) fn envelope<'a>(kind: &Kind, metadata: &'a str) -> Result<Envelope<'a>> {
    let damaged = |e: &dyn fmt::Display| format!("its metadata are damaged: {e}");
    let UniqueKeys(entries) = serde_json::from_str(metadata).map_err(|e| damaged(&e))?;
    let find = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, value)| *value);
    let missing = |key: &str| damaged(&format!("missing field `{key}`"));
    let format = find("format").ok_or_else(|| missing("format"))?;
    let format: u32 = serde_json::from_str(format.get()).map_err(|e| damaged(&e))?;
    if !kind.formats.contains(&format) {
        let read = match kind.formats {
            [only] => format!("format {only}"),
            [first, .., last] => format!("formats {first} to {last}"),
            [] => "none".into(),
        };
        return Err(format!("it is of format {format}, and this program reads {read}"));
    }
    if let Some((key, _)) = entries.iter().find(|(name, _)| !["format", "sha256", kind.field].contains(&name.as_str()))
    {
        return Err(damaged(&format!("unknown field `{key}`")));
    }
    let sha256 = find("sha256").ok_or_else(|| missing("sha256"))?;
    let sha256 = serde_json::from_str(sha256.get()).map_err(|e| damaged(&e))?;
    let document = find(kind.field).ok_or_else(|| missing(kind.field))?.get();
    Ok(Envelope { format, sha256, document })
}

/// The tensors of a sealed file, to be read in the order in which they are hashed.
pub(crate) struct Tensors<'a> {
    file: SafeTensors<'a>,
    hash: Sha256,
    sha256: &'a str,
    read: usize,
}

impl<'a> Tensors<'a> {
    /// Those of the file with this envelope.
    pub fn open(bytes: &'a [u8], envelope: &'a Envelope<'_>) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| format!("its tensors are damaged: {e}"))?;
        let hash = Sha256::new_with_prefix(envelope.document);
        Ok(Self { file, hash, sha256: &envelope.sha256, read: 0 })
    }

    /// The numbers of one tensor.
    pub fn numbers<T: Float>(&mut self, name: &str, shape: &[usize]) -> Result<Vec<T>> {
        let tensor = self.file.tensor(name).map_err(|_| format!("tensor {name} is missing"))?;
        let expected = tensor_type::<T>();
        if tensor.dtype() != expected || tensor.shape() != shape {
            let (dtype, found) = (tensor.dtype(), tensor.shape());
            return Err(format!("tensor {name}: expected {expected:?} {shape:?}, found {dtype:?} {found:?}"));
        }
        self.hash.update(tensor.data());
        self.read += 1;
        Ok(tensor.data().chunks_exact(size_of::<T>()).map(T::read_le).collect())
    }

    /// Refuses tensors that were not read, and a checksum that does not fit those that were.
    pub fn finish(self) -> Result<()> {
        if self.file.len() != self.read {
            return Err(format!("expected {} tensors, found {}", self.read, self.file.len()));
        }
        match hex(self.hash.finalize()) == *self.sha256 {
            true => Ok(()),
            false => Err("its checksum does not fit its content: it was damaged or edited".into()),
        }
    }
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
