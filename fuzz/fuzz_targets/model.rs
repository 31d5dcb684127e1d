//! A model file from its bytes to predictions. Any error will do, a panic not; and what is accepted can be described, used,
//! and written again as the same file.
//!
//! No mutation finds a SHA-256, so each input is also tried with its checksum repaired.

#![no_main]

use deltarule::float::Float;
use deltarule::model::{Dtype, Model, Predictions, peek_dtype};
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
        Ok(Predictions::Classes(p)) => assert_eq!(p.dim(), (2, model.target.labels().len())),
        Ok(Predictions::Numbers(numbers)) => assert_eq!(numbers.len(), 2),
        // Sums of finite weights may overflow.
        Err(_) => {}
    }
    let bytes = model.to_bytes().expect("what was read can be written");
    let again = Model::<T>::from_bytes(&bytes, Path::new("again")).expect("what was written can be read");
    assert!(again == *model && again.to_bytes().expect("as before") == bytes);
}

/// The file with the checksum that its content has.
fn repaired(bytes: &[u8]) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        model: &'a RawValue,
    }
    let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
    let file = SafeTensors::deserialize(bytes).ok()?;
    let envelope: Envelope<'_> = serde_json::from_str(metadata.metadata().as_ref()?.get("deltarule")?).ok()?;
    let mut hash = Sha256::new_with_prefix(envelope.model.get());
    for layer in 0.. {
        let Ok(weight) = file.tensor(&format!("{layer}.weight")) else { break };
        hash.update(weight.data());
        if let Ok(bias) = file.tensor(&format!("{layer}.bias")) {
            hash.update(bias.data());
        }
    }
    let sha: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    // Inside a string of the header, so that its quotes are escaped.
    let mark = b"\\\"sha256\\\":\\\"";
    let at = bytes.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let mut repaired = bytes.to_vec();
    repaired.get_mut(at..at + sha.len())?.copy_from_slice(sha.as_bytes());
    Some(repaired)
}
