//! Files of format 3: several targets, and classes that were counted by weight.

use super::certificates::certified;
use super::refusals::{Parts, refusal};
use super::{fit, numbers, read};
use deltarule::data::csv;
use deltarule::file::Existing;
use deltarule::model::{Model, Source};
use deltarule::prelude::*;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Two inputs, two labels, two numbers, and a weight.
fn table(targets: &[&str], weights: Option<&str>) -> Source {
    let mut text = "a,b,red,big,price,mass,w\n".to_string();
    for i in 0..24 {
        let (red, big) = (["no", "yes"][i % 2], i / 3 % 2);
        let (a, b) = (i as f64 * 0.37 - 5.0, (i * 7 % 24) as f64);
        writeln!(text, "{a},{b},{red},{big},{},{},{}", 100.0 * a + b + 0.1, a / 100.0, 1 + i % 3).unwrap();
    }
    let table = csv::read_from(text.as_bytes(), "small.csv", &csv::Options::default()).unwrap();
    Source::table(table, targets, weights).unwrap()
}

pub fn model<T: Float>(targets: &[&str], weights: Option<&str>) -> Model<T> {
    let ignore = ["red", "big", "price", "mass", "w"].map(String::from).to_vec();
    fit(&table(targets, weights), |recipe| recipe.features.ignore = ignore)
}

pub fn labels() -> Model<f32> {
    model(&["red", "big"], Some("w"))
}

#[test]
fn the_target_is_a_list_in_the_description() {
    let parts = Parts::of(&labels().to_bytes().unwrap());
    let expected = json!({ "labels": [
        { "name": "red", "labels": ["no", "yes"] },
        { "name": "big", "labels": ["0", "1"] },
    ] });
    assert_eq!(parts.model["target"], expected);
    assert_eq!(parts.model["provenance"]["class_counts"], json!([12, 12, 12, 12]));
    assert_eq!(parts.model["provenance"]["class_shares"].as_array().map(Vec::len), Some(4));
    let parts = Parts::of(&model::<f32>(&["price", "mass"], None).to_bytes().unwrap());
    let names = |i: usize| &parts.model["target"]["numbers"][i]["name"];
    assert_eq!((names(0), names(1)), (&json!("price"), &json!("mass")));
    assert_eq!(parts.model["provenance"].get("class_shares"), None);
}

#[test]
fn they_come_back_bit_for_bit_with_a_certificate_or_without() {
    fn of_type<T: Float>() {
        for (targets, weights) in [(&["red", "big"][..], None), (&["price", "mass"], None), (&["red"], Some("w"))] {
            for model in [model::<T>(targets, weights), certified(model(targets, weights))] {
                let bytes = model.to_bytes().unwrap();
                let back = read::<T>(&bytes).unwrap();
                assert!(back == model && back.to_bytes().unwrap() == bytes);
                let (source, rows) = (table(targets, weights), (0..24).collect::<Vec<_>>());
                assert_eq!(model.predict(&source, &rows).unwrap(), back.predict(&source, &rows).unwrap());
            }
        }
    }
    of_type::<f32>();
    of_type::<f64>();
}

#[test]
fn wrong_lists_counts_and_formats_are_refused() {
    let label = |name: &str, labels: &[&str]| json!({ "name": name, "labels": labels });
    let (red, big) = (label("red", &["no", "yes"]), label("big", &["0", "1"]));
    let number = |name: &str| json!({ "name": name, "mean": 0.0, "scale": 1.0 });
    for (at, value, expected) in [
        ("/target/labels", json!([red, red]), "distinct target columns in a list, found 2 (1 distinct)"),
        ("/target/labels", json!([red]), "distinct target columns in a list, found 1 (1 distinct)"),
        ("/target/labels", json!([]), "distinct target columns in a list, found 0 (0 distinct)"),
        (
            "/target/labels",
            json!({ "name": "red" }),
            "its description is damaged: invalid type: map, expected a sequence",
        ),
        (
            "/target/labels",
            json!([red, label("big", &["0", "1", "2"])]),
            "target 'big': expected 2 classes of a label, found 3",
        ),
        ("/target/labels", json!([red, label("big", &["0", "0"])]), "expected 2 to 10000 distinct classes, found 2 (1"),
        (
            "/target/labels",
            json!([red, big, label("new", &["0", "1"])]),
            "its target has 3 labels, its network 2 outputs",
        ),
        ("/target/labels/0/surprise", json!(1), "its description is damaged: unknown field `surprise`"),
        (
            "/target",
            json!({ "numbers": [number("p"), number("q")] }),
            "its training rows are not counted for each class",
        ),
        ("/target", json!({ "numbers": [number("p"), number("p")] }), "found 2 (1 distinct)"),
        ("/target", json!({ "numbers": [number("p")] }), "distinct target columns in a list, found 1"),
        ("/target", json!({ "labels": [red, big], "numbers": [] }), "its description is damaged"),
        ("/target", json!([red, big]), "its description is damaged"),
        ("/provenance/class_counts", json!([12, 12]), "its training rows are not counted for each class"),
        ("/provenance/class_counts", json!([12, 12, 12, 13]), "its training rows are not counted for each class"),
        ("/provenance/class_counts", json!([12, 12, 12, 12, 24]), "its training rows are not counted for each class"),
        ("/provenance/class_shares", json!([0.5, 0.5, 0.5]), "its training rows are not counted for each class"),
        ("/provenance/class_shares", json!([0.5, 0.5, 0.5, 0.6]), "its class shares of \"big\": expected a sum of 1"),
        ("/provenance/class_shares", json!([0.5, 0.5, -1.0, 2.0]), "its class shares of \"big\": expected a sum of 1"),
        ("/network/layers/1/activation", json!("softmax"), "its network's outputs are no probabilities of classes"),
        ("/network/layers/1/activation", json!("identity"), "its network's outputs are no probabilities of classes"),
    ] {
        let mut parts = Parts::of(&labels().to_bytes().unwrap());
        let (folder, key) = at.rsplit_once('/').unwrap();
        let place = parts.model.pointer_mut(folder).unwrap();
        match place.as_array_mut() {
            Some(list) => list[key.parse::<usize>().unwrap()] = value,
            None => place[key] = value,
        }
        let message = refusal(&parts.forge());
        assert!(message.contains(expected), "{at}: {message:?}, expected {expected:?}");
    }
    // Each format keeps its word.
    let of_format = |model: Model<f32>, from: u32, to: u32| {
        let parts = Parts::of(&model.to_bytes().unwrap());
        let (from, to) = (format!("\"format\":{from}"), format!("\"format\":{to}"));
        let edit = |m: &mut Value| m["deltarule"] = m["deltarule"].as_str().unwrap().replacen(&from, &to, 1).into();
        let (header, data) = parts.header(&parts.model.to_string(), edit);
        refusal(&Parts::pack(&header, &data))
    };
    let says = "it holds several targets or weighted rows, expected none in a file of format";
    assert_eq!(of_format(labels(), 3, 1), format!("{says} 1"));
    assert_eq!(of_format(certified(labels()), 3, 2), format!("{says} 2"));
    let says = "it holds neither several targets nor weighted rows, expected them in a file of format 3";
    assert_eq!(of_format(super::small(), 1, 3), says);
    assert_eq!(of_format(certified(super::small()), 2, 3), says);
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let model = labels();
    let bytes = model.to_bytes().unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            if let Ok(read) = read::<f32>(&flipped) {
                assert!(read == model && bytes[at].is_ascii_whitespace(), "byte {at}, bit {bit}");
            }
        }
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Writes the golden files of this version: `cargo test --test model_file make_golden -- --ignored`. Those of a released
/// version are never made again.
#[test]
#[ignore = "writes the golden files"]
fn make_golden_files_of_several_targets() {
    let version = env!("CARGO_PKG_VERSION");
    let rows: Vec<usize> = (0..24).collect();
    let (labels, prices) = (labels(), model::<f64>(&["price", "mass"], None));
    labels.save(&golden(&format!("labels-{version}.safetensors")), Existing::Replace).unwrap();
    prices.save(&golden(&format!("numbers-{version}.safetensors")), Existing::Replace).unwrap();
    let predicted = json!({
        "labels": numbers(labels.predict(&table(&[], None), &rows).unwrap()),
        "numbers": numbers(prices.predict(&table(&[], None), &rows).unwrap()),
    });
    std::fs::write(golden(&format!("targets-{version}.json")), format!("{predicted:#}\n")).unwrap();
}

/// Faster kernels may round otherwise: some roundings of the type, of probabilities and of prices of some hundreds.
const SAME: f64 = 1e-6;

#[test]
fn files_of_released_versions_stay_readable_and_predict_the_same() {
    for version in ["0.1.0"] {
        let text = std::fs::read_to_string(golden(&format!("targets-{version}.json"))).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        let path = |name: &str| golden(&format!("{name}-{version}.safetensors"));
        let rows: Vec<usize> = (0..24).collect();
        let labels = Model::<f32>::load(&path("labels")).unwrap();
        let prices = Model::<f64>::load(&path("numbers")).unwrap();
        assert_eq!((labels.target.names(), prices.target.names()), (vec!["red", "big"], vec!["price", "mass"]));
        let source = table(&[], None);
        for (name, predictions) in
            [("labels", labels.predict(&source, &rows)), ("numbers", prices.predict(&source, &rows))]
        {
            let (predicted, expected) = (numbers(predictions.unwrap()), expected[name].as_array().unwrap());
            assert_eq!((predicted.len(), expected.len()), (48, 48));
            for (p, e) in predicted.iter().zip(expected) {
                assert!((p - e.as_f64().unwrap()).abs() <= SAME, "{name}: {p} and {e}");
            }
        }
    }
}
