//! Files of released versions stay readable, and predict the same numbers.

use super::{fit, numbers, table};
use deltarule::file::Existing;
use deltarule::model::{Dtype, Model, peek_dtype};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Writes the golden files of this version: `cargo test --test model_file make_golden -- --ignored`. Those of a released
/// version are never made again.
#[test]
#[ignore = "writes the golden files"]
fn make_golden_files() {
    let version = env!("CARGO_PKG_VERSION");
    let (classes, prices) = (table("class"), table("price"));
    let rows: Vec<usize> = (0..36).collect();
    let (classifier, regressor) = (fit::<f32>(&classes, |_| {}), fit::<f64>(&prices, |_| {}));
    classifier.save(&golden(&format!("classes-{version}.safetensors")), Existing::Replace).unwrap();
    regressor.save(&golden(&format!("price-{version}.safetensors")), Existing::Replace).unwrap();
    let predicted = json!({
        "classes": numbers(classifier.predict(&classes, &rows).unwrap()),
        "price": numbers(regressor.predict(&prices, &rows).unwrap()),
    });
    std::fs::write(golden(&format!("predictions-{version}.json")), format!("{predicted:#}\n")).unwrap();
}

/// Faster kernels may round otherwise: some roundings of the type, of probabilities and of prices of some hundreds.
const SAME_F32: f64 = 1e-6;
const SAME_F64: f64 = 1e-9;

#[test]
fn files_of_released_versions_stay_readable_and_predict_the_same() {
    for version in ["0.1.0"] {
        let text = std::fs::read_to_string(golden(&format!("predictions-{version}.json"))).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        let path = |name: &str| golden(&format!("{name}-{version}.safetensors"));
        let rows: Vec<usize> = (0..36).collect();
        assert_eq!(peek_dtype(&std::fs::read(path("classes")).unwrap(), &path("classes")).unwrap(), Dtype::F32);
        let classifier = Model::<f32>::load(&path("classes")).unwrap();
        let regressor = Model::<f64>::load(&path("price")).unwrap();
        assert_eq!(classifier.provenance.version, version);
        assert_eq!(classifier.target.labels(), ["no", "perhaps", "yes"]);
        for (name, predictions, same) in [
            ("classes", classifier.predict(&table("class"), &rows), SAME_F32),
            ("price", regressor.predict(&table("price"), &rows), SAME_F64),
        ] {
            let (predicted, expected) = (numbers(predictions.unwrap()), expected[name].as_array().unwrap());
            assert_eq!(predicted.len(), expected.len());
            for (p, e) in predicted.iter().zip(expected) {
                assert!((p - e.as_f64().unwrap()).abs() <= same, "{name}: {p} and {e}");
            }
        }
    }
}
