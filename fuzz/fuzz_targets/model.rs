//! A model file from its bytes to predictions. Any error will do, a panic not; and what is accepted can be described, used,
//! and written again as the same file.
//!
//! No mutation finds a SHA-256, so each input is also tried with its checksum repaired, and with that of its certificate.

#![no_main]

use deltarule::float::Float;
use deltarule::model::{Certificate, Dtype, Model, peek_dtype};
use libfuzzer_sys::fuzz_target;
use ndarray::Array2;
use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::path::Path;

fuzz_target!(|input: &[u8]| {
    try_both(input);
    if let Some(repaired) = repaired(input) {
        try_both(&repaired);
    }
    if let Some(repaired) = resealed(input).as_deref().and_then(repaired) {
        try_both(&repaired);
    }
});

fn try_both(bytes: &[u8]) {
    let path = Path::new("fuzz.safetensors");
    let (single, double) = (Model::<f32>::from_bytes(bytes, path), Model::<f64>::from_bytes(bytes, path));
    assert!(single.is_err() || double.is_err(), "numbers have one type");
    let accepted = if single.is_ok() { Some(Dtype::F32) } else { double.is_ok().then_some(Dtype::F64) };
    if accepted.is_some() {
        assert_eq!(peek_dtype(bytes, path).ok(), accepted);
    }
    single.into_iter().for_each(|model| use_it(&model));
    double.into_iter().for_each(|model| use_it(&model));
}

fn use_it<T: Float>(model: &Model<T>) {
    let spec = model.network.spec();
    assert_eq!((model.input.names().len(), model.input.width()), (spec.inputs(), spec.inputs()));
    assert!(!spec.parameter_name(spec.parameters() - 1).is_empty());
    let zeros = Array2::from_elem((2, spec.inputs()), T::ZERO);
    match model.predict_encoded(zeros.view()) {
        Ok(predictions) => assert_eq!(predictions.values().dim(), (2, model.target.width())),
        // Sums of finite weights may overflow.
        Err(_) => {}
    }
    let bytes = model.to_bytes().expect("what was read can be written");
    let again = Model::<T>::from_bytes(&bytes, Path::new("again")).expect("what was written can be read");
    assert!(again == *model && again.to_bytes().expect("as before") == bytes);
    if let Some(certificate) = &model.certificate {
        assert!(certificate.clone().seal().expect("what was read can be sealed") == *certificate);
        let mut bare = Model { certificate: None, ..model.clone() };
        assert!(bare.to_bytes().expect("it needs no certificate") != bytes);
        // It can be given to a model only if it is of its parameters.
        assert_eq!(bare.certify(certificate.clone()).is_ok(), certificate.fits(model));
    }
}

/// The envelope in a file's metadata, as text.
fn envelope(bytes: &[u8]) -> Option<String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
    metadata.metadata().as_ref()?.get("deltarule").cloned()
}

/// Inside a string of the header, so that its quotes are escaped.
const MARK: &[u8] = b"\\\"sha256\\\":\\\"";

/// The file with another checksum behind the mark at `at`.
fn with_sum(bytes: &[u8], at: usize, digest: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    let sum: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut bytes = bytes.to_vec();
    bytes.get_mut(at + MARK.len()..at + MARK.len() + sum.len())?.copy_from_slice(sum.as_bytes());
    Some(bytes)
}

/// The file with the checksum that its certificate has; it stands last of all.
fn resealed(bytes: &[u8]) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Envelope {
        model: Holder,
    }
    #[derive(Deserialize)]
    struct Holder {
        certificate: Certificate,
    }
    let Envelope { model } = serde_json::from_str(&envelope(bytes)?).ok()?;
    let unsealed = Certificate { sha256: String::new(), ..model.certificate };
    let text = serde_json::to_string(&unsealed).expect("what was read can be written");
    let at = bytes.windows(MARK.len()).rposition(|window| window == MARK)?;
    with_sum(bytes, at, Sha256::digest(text))
}

/// The file with the checksum that its content has.
fn repaired(bytes: &[u8]) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        model: &'a RawValue,
    }
    let text = envelope(bytes)?;
    let file = SafeTensors::deserialize(bytes).ok()?;
    let envelope: Envelope<'_> = serde_json::from_str(&text).ok()?;
    let mut hash = Sha256::new_with_prefix(envelope.model.get());
    for layer in 0.. {
        let Ok(weight) = file.tensor(&format!("{layer}.weight")) else { break };
        hash.update(weight.data());
        if let Ok(bias) = file.tensor(&format!("{layer}.bias")) {
            hash.update(bias.data());
        }
    }
    let at = bytes.windows(MARK.len()).position(|window| window == MARK)?;
    with_sum(bytes, at, hash.finalize())
}
