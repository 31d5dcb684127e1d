//! ONNX files as PyTorch, Keras and scikit-learn's converters write them (scripts/golden-onnx.py), and damaged ones.

use deltarule::Error;
use deltarule::data::Table;
use deltarule::float::Float;
use deltarule::model::{Model, Source};
use deltarule::prelude::*;
use deltarule_exchange::{AnyModel, Kind, onnx};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn cases() -> Vec<(String, Vec<u8>, Value)> {
    let text = fs::read_to_string(golden("files.json")).unwrap();
    let Value::Object(cases) = serde_json::from_str(&text).unwrap() else { panic!("expected an object") };
    assert!(cases.len() > 20);
    cases
        .into_iter()
        .map(|(name, case)| (name.clone(), fs::read(golden(&format!("{name}.onnx"))).unwrap(), case))
        .collect()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().into()).collect()
}

/// The largest difference of the predictions for the case's cells from what it says.
fn difference<T: Float>(model: &Model<T>, case: &Value) -> f64 {
    let rows: Vec<Vec<String>> = case["cells"].as_array().unwrap().iter().map(texts).collect();
    let mut table = match &case["columns"] {
        Value::Null => Table::unnamed("rows", rows[0].len()).unwrap(),
        names => Table::new("rows", texts(names)).unwrap(),
    };
    for (line, row) in rows.iter().enumerate() {
        table.push(line as u64, row).unwrap();
    }
    let source = Source::table(table, &[] as &[&str], None).unwrap();
    let predictions = model.predict(&source, &(0..rows.len()).collect::<Vec<_>>()).unwrap();
    let expected = case["outputs"].as_array().unwrap();
    // Of a single probability that is the second class's.
    let skip = predictions.values().ncols() - expected[0].as_array().unwrap().len();
    let mut largest: f64 = 0.0;
    for (row, expected) in predictions.values().rows().into_iter().zip(expected) {
        for (found, expected) in row.iter().skip(skip).zip(expected.as_array().unwrap()) {
            let expected = expected.as_f64().unwrap();
            largest = largest.max((found - expected).abs() / expected.abs().max(1.0));
        }
    }
    largest
}

#[test]
fn files_of_other_programs_predict_what_they_say() {
    for (name, bytes, case) in cases().into_iter().filter(|(_, _, case)| case["network"].is_string()) {
        assert_eq!(Kind::of(&bytes), Kind::Onnx, "{name}");
        let any = onnx::import(&bytes, Path::new(&name), None).unwrap_or_else(|e| panic!("{e}"));
        let (network, target, difference, bound) = match &any {
            AnyModel::F32(model) => {
                (model.network.spec().architecture(), model.target.clone(), difference(model, &case), 2e-6)
            }
            AnyModel::F64(model) => {
                (model.network.spec().architecture(), model.target.clone(), difference(model, &case), 1e-14)
            }
        };
        assert_eq!(Value::from(network), case["network"], "{name}");
        assert!(difference <= bound, "{name}: {difference:e}");
        if case["labels"].is_array() {
            assert_eq!(target.labels(), texts(&case["labels"]), "{name}");
        }
    }
}

#[test]
fn what_is_no_plain_network_is_refused_by_its_first_node() {
    for (name, bytes, case) in cases().into_iter().filter(|(_, _, case)| case["refused"].is_array()) {
        let error = onnx::import(&bytes, Path::new(&name), None).err().unwrap_or_else(|| panic!("{name} was taken"));
        assert!(matches!(error, Error::Model { .. }), "{name}");
        for word in texts(&case["refused"]) {
            assert!(error.to_string().contains(&word), "{name}: expected '{word}', found '{error}'");
        }
    }
}

#[test]
fn a_last_layer_without_activation_takes_the_one_that_is_asked_for() {
    let bytes = fs::read(golden("pytorch_gelu.onnx")).unwrap();
    let read = |name: &str, output| onnx::import(&fs::read(golden(name)).unwrap(), Path::new("a"), output);
    let AnyModel::F32(model) = onnx::import(&bytes, Path::new("a"), Some(Activation::Softmax)).unwrap() else {
        panic!()
    };
    assert_eq!(model.network.spec().architecture(), "4-5-2, gelu, softmax");
    assert_eq!(model.target.labels(), ["0", "1"]);
    let refusal = read("pytorch_batch_norm.onnx", Some(Activation::Softmax)).unwrap_err();
    assert!(refusal.to_string().contains("the last layer of the file has sigmoid"), "{refusal}");
}

/// Reads it, and writes what was read: an error will do, a panic not.
fn survive(bytes: &[u8]) -> bool {
    let _ = Kind::of(bytes);
    match onnx::import(bytes, Path::new("a"), None) {
        Ok(AnyModel::F32(model)) => model.to_bytes().map(|_| true).unwrap(),
        Ok(AnyModel::F64(model)) => model.to_bytes().map(|_| true).unwrap(),
        Err(Error::Model { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn no_damaged_file_is_a_panic() {
    for name in ["scikit_learn_pipeline", "pytorch_layer_norm_silu", "columns", "arithmetic_softplus"] {
        let bytes = fs::read(golden(&format!("{name}.onnx"))).unwrap();
        assert!(survive(&bytes));
        for end in 0..bytes.len() {
            survive(&bytes[..end]);
        }
        let mut taken = 0;
        for at in 0..bytes.len() {
            for change in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut damaged = bytes.clone();
                damaged[at] ^= change;
                taken += usize::from(survive(&damaged));
            }
        }
        // Names and weights may be others and still be names and weights; most of the rest is found.
        println!("{name}: {taken} of {} taken", 9 * bytes.len());
    }
}

/// A message of two bytes decodes to hundreds: what would not fit is refused before.
#[test]
fn a_file_of_empty_messages_is_refused_by_their_number() {
    // A graph of empty nodes.
    let nodes: Vec<u8> = [0x0a, 0x00].repeat(3 << 20);
    let mut bytes = vec![0x08, 0x08, 0x3a];
    let mut length = nodes.len();
    while length > 0x7f {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(nodes);
    let error = onnx::import(&bytes, Path::new("a"), None).unwrap_err();
    assert!(error.to_string().contains("more than 1048576 parts"), "{error}");
}
