//! Files that are almost right: forged with a sound checksum, damaged, cut, or of another kind.

use super::certificates::certified;
use super::{PATH, fit, images, read, small, table};
use deltarule::model::Recipe;
use deltarule::prelude::*;
use safetensors::SafeTensors;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;

/// A file taken apart: the text that describes the model, and the tensors in the file's order.
#[derive(Clone)]
pub struct Parts {
    pub model: Value,
    tensors: Vec<(String, String, Vec<usize>, Vec<u8>)>,
}

impl Parts {
    /// The text in the metadata of a file.
    pub fn envelope(bytes: &[u8]) -> String {
        let (_, metadata) = SafeTensors::read_metadata(bytes).unwrap();
        metadata.metadata().as_ref().unwrap()["deltarule"].clone()
    }

    pub fn of(bytes: &[u8]) -> Self {
        let envelope: Value = serde_json::from_str(&Self::envelope(bytes)).unwrap();
        let file = SafeTensors::deserialize(bytes).unwrap();
        let tensor = |name: &str| {
            let tensor = file.tensor(name).unwrap();
            (name.to_string(), tensor.dtype().to_string(), tensor.shape().to_vec(), tensor.data().to_vec())
        };
        // A layer under batch normalisation has no biases.
        let names = ["0.weight", "0.bias", "1.weight", "1.bias"].into_iter().filter(|name| file.tensor(name).is_ok());
        let tensors = names.map(tensor).collect();
        Self { model: envelope["model"].clone(), tensors }
    }

    /// A header and its data.
    pub fn pack(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
    }

    /// Header and data, with a checksum over `model` and the tensors, and what `edit` makes of the metadata.
    pub fn header(&self, model: &str, edit: impl FnOnce(&mut Value)) -> (String, Vec<u8>) {
        let data: Vec<u8> = self.tensors.iter().flat_map(|t| t.3.clone()).collect();
        let mut hash = Sha256::new_with_prefix(model);
        hash.update(&data);
        let sha: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let several = ["labels", "numbers"].iter().any(|kind| self.model["target"].get(kind).is_some());
        let format = match self.model.get("certificate") {
            _ if several || self.model["provenance"].get("class_shares").is_some() => 3,
            Some(_) => 2,
            None => 1,
        };
        let mut metadata = json!({ "deltarule": format!(r#"{{"format":{format},"sha256":"{sha}","model":{model}}}"#) });
        edit(&mut metadata);
        let (mut entries, mut start) = (vec![format!(r#""__metadata__":{metadata}"#)], 0);
        for (name, dtype, shape, bytes) in &self.tensors {
            let end = start + bytes.len();
            entries.push(format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#));
            start = end;
        }
        (format!("{{{}}}", entries.join(",")), data)
    }

    /// A file that is all right but for what was changed in the parts.
    pub fn forge(&self) -> Vec<u8> {
        let (header, data) = self.header(&self.model.to_string(), |_| {});
        Self::pack(&header, &data)
    }
}

/// Why the forged file is refused.
pub fn refusal(bytes: &[u8]) -> String {
    let message = read::<f32>(bytes).expect_err("a forged file was accepted");
    message.strip_prefix(&format!("{PATH}: not a usable model: ")).expect("the path comes first").to_string()
}

/// Why a file is refused after `change`, though its checksum is right.
fn changed(change: impl FnOnce(&mut Parts)) -> String {
    let mut parts = Parts::of(&small().to_bytes().unwrap());
    change(&mut parts);
    refusal(&parts.forge())
}

#[test]
fn a_file_put_together_again_is_accepted() {
    let model = small();
    // The keys of the description are sorted by this; what counts is what it says.
    assert_eq!(read::<f32>(&Parts::of(&model.to_bytes().unwrap()).forge()), Ok(model));
}

#[test]
fn tensors_that_are_not_the_networks_are_refused() {
    type Change = fn(&mut Parts);
    let changes: [(Change, &str); 7] = [
        (|p| _ = p.tensors.pop(), "tensor 1.bias is missing"),
        (|p| p.tensors[2].0 = "one.weight".into(), "tensor 1.weight is missing"),
        (|p| p.tensors.push(("2.bias".into(), "F32".into(), vec![1], vec![0; 4])), "expected 4 tensors, found 5"),
        (|p| p.tensors[0].2.reverse(), "tensor 0.weight: expected F32 [4, 5], found F32 [5, 4]"),
        (
            |p| (p.tensors[0].1, p.tensors[0].2) = ("F64".into(), vec![5, 2]),
            "tensor 0.weight: expected F32 [4, 5], found F64 [5, 2]",
        ),
        (|p| p.tensors[3].1 = "I32".into(), "tensor 1.bias: expected F32 [3], found I32 [3]"),
        (
            |p| p.tensors[0].3[20..24].copy_from_slice(&f32::NAN.to_le_bytes()),
            "layer 1, weight from input 1 to unit 2 is NaN, expected a finite number",
        ),
    ];
    for (change, expected) in changes {
        assert_eq!(changed(change), expected);
    }
    let (header, data) = Parts::of(&small().to_bytes().unwrap()).header("{}", |_| {});
    // The same name twice, the second with the first's bytes: a reader that lets the last one win sees no fault.
    let entry = header.find("\"0.bias\"").unwrap();
    let end = entry + header[entry..].find('}').unwrap() + 1;
    let twice = header.replace(&header[entry..end], &[&header[entry..end], &header[entry..end]].join(","));
    let message = refusal(&Parts::pack(&twice, &data));
    assert!(
        message.starts_with("its header is not what safetensors says: the key \"0.bias\" stands twice"),
        "{message}"
    );
}

#[test]
fn a_description_that_says_more_less_or_nonsense_is_refused() {
    // Every object of the description, with a field that this version does not know.
    fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
        if let Value::Object(entries) = value {
            found.push(at.to_string());
            entries.iter().for_each(|(key, inner)| objects(inner, &format!("{at}/{key}"), found));
        }
        if let Value::Array(items) = value {
            items.iter().enumerate().for_each(|(i, inner)| objects(inner, &format!("{at}/{i}"), found));
        }
    }
    let mut model = certified(small());
    model.loss = Loss::Huber { delta: 1.0 };
    let parts = Parts::of(&model.to_bytes().unwrap());
    let mut found = Vec::new();
    objects(&parts.model, "", &mut found);
    assert!(found.len() >= 17, "{found:?}");
    for at in found {
        let mut parts = parts.clone();
        parts.model.pointer_mut(&at).unwrap()["surprise"] = json!(1);
        let message = refusal(&parts.forge());
        assert!(message.starts_with("its description is damaged: "), "{at}: {message}");
    }

    let number = "/input/table/columns/0/kind/number";
    for (at, value, expected) in [
        (format!("{number}/scale"), json!(0.0), "positive scale, found mean"),
        (format!("{number}/scale"), json!(-1.0), "positive scale, found mean"),
        (format!("{number}/scale"), Value::Null, "its description is damaged: invalid type: null, expected f64"),
        (
            format!("{number}/mean"),
            json!("NaN"),
            "its description is damaged: invalid type: string \"NaN\", expected f64",
        ),
        ("/target/classes/labels".into(), json!(["no", "yes"]), "its target has 2 classes, its network 3 outputs"),
        ("/target/classes/labels".into(), json!(["no", "yes", "no"]), "distinct classes, found 3 (2 distinct)"),
        ("/provenance/class_counts".into(), json!([12, 24]), "its training rows are not counted for each class"),
        ("/provenance/class_counts".into(), json!([12, 12, 13]), "its training rows are not counted for each class"),
        (
            "/provenance/class_counts".into(),
            json!([u64::MAX, 1, 36]),
            "its training rows are not counted for each class",
        ),
        ("/input/table/columns/0/name".into(), json!("colour"), "expected one of its name and position, found two"),
        ("/network/inputs".into(), json!(7), "tensor 0.weight: expected F32 [4, 7], found F32 [4, 5]"),
        ("/network/inputs".into(), json!(0), "inputs: expected at least 1, found 0"),
        ("/network/layers/0/outputs".into(), json!(1u64 << 62), "size of layer 1: expected addressable"),
        ("/network/layers/0/activation".into(), json!("softmax"), "expected an activation for hidden layers"),
        ("/network/layers/0/activation".into(), json!({"elu": {"alpha": -1.0}}), "the constant of elu"),
        ("/network/layers/1/activation".into(), json!("tanh"), "its network's outputs are no probabilities of classes"),
        ("/loss".into(), json!({"huber": {"delta": 0.0}}), "delta of huber: expected a finite number above 0, found 0"),
        ("/dtype".into(), json!("f64"), "its numbers are f64, expected f32"),
        ("/dtype".into(), json!("bf16"), "its description is damaged: unknown variant `bf16`"),
    ] {
        let mut parts = parts.clone();
        *parts.model.pointer_mut(&at).unwrap_or_else(|| panic!("{at}")) = value;
        let message = refusal(&parts.forge());
        assert!(message.contains(expected), "{at}: {message:?}, expected {expected:?}");
    }
}

#[test]
fn other_metadata_and_newer_formats_are_refused() {
    let parts = Parts::of(&small().to_bytes().unwrap());
    let edited = |edit: fn(&mut Value)| {
        let (header, data) = parts.header(&parts.model.to_string(), edit);
        refusal(&Parts::pack(&header, &data))
    };
    let envelope = |metadata: &mut Value, from: &str, to: &str| {
        metadata["deltarule"] = metadata["deltarule"].as_str().unwrap().replacen(from, to, 1).into();
    };
    assert_eq!(
        edited(|m| m["format"] = "pt".into()),
        "expected the metadata key 'deltarule' alone, found \"deltarule\", \"format\""
    );
    assert_eq!(edited(|m| *m = json!({})), "expected the metadata key 'deltarule' alone, found ");
    let newer = |m: &mut Value| envelope(m, "\"format\":1", "\"format\":6,\"new\":{}");
    let (header, data) = parts.header(&parts.model.to_string(), newer);
    assert_eq!(refusal(&Parts::pack(&header, &data)), "it is of format 6, and this program reads formats 1 to 5");
    let wrong_sum = |m: &mut Value| envelope(m, "\"sha256\":\"", "\"sha256\":\"0");
    let (header, data) = parts.header(&parts.model.to_string(), wrong_sum);
    let sentence = "its checksum does not fit its content: it was damaged or edited";
    assert_eq!(refusal(&Parts::pack(&header, &data)), sentence);
    let (header, data) = parts.header(&parts.model.to_string(), |_| {});
    let start = header.find("\"0.weight\"").unwrap();
    let bare = format!("{{{}", &header[start..]);
    assert_eq!(refusal(&Parts::pack(&bare, &data)), "it has no metadata, expected the key 'deltarule'");
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    for model in [small(), certified(small())] {
        let bytes = model.to_bytes().unwrap();
        let mut refused = 0;
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                match read::<f32>(&flipped) {
                    Err(_) => refused += 1,
                    // In the header, a blank may become another one; nothing that means anything.
                    Ok(read) => assert!(read == model && bytes[at].is_ascii_whitespace(), "byte {at}, bit {bit}"),
                }
            }
        }
        assert!(refused > 8 * bytes.len() - 100, "{refused} of {}", 8 * bytes.len());
    }
}

#[test]
fn no_truncation_goes_unnoticed() {
    assert_eq!(refusal(&[]), "it is empty, expected safetensors");
    for model in [small(), certified(small())] {
        let bytes = model.to_bytes().unwrap();
        for length in 0..bytes.len() {
            refusal(&bytes[..length]);
        }
        refusal(&[&bytes[..], &[0]].concat());
    }
}

#[test]
fn absurd_headers_are_refused_without_memory_or_stack() {
    for length in [1u64 << 63, u64::MAX, 1 << 40, 100_000_001] {
        let message = refusal(&[&length.to_le_bytes()[..], b"{}"].concat());
        assert_eq!(message, format!("it is cut short or no safetensors file: a header of {length} bytes in 10"));
    }
    let parts = Parts::of(&small().to_bytes().unwrap());
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let (header, data) = parts.header(&deep, |_| {});
    assert!(refusal(&Parts::pack(&header, &data)).contains("damaged"));
    refusal(&Parts::pack(&format!(r#"{{"__metadata__":{deep}}}"#), &[]));
    refusal(&Parts::pack(&format!(r#"{{"0.weight":{deep},{}"#, &header[1..]), &data));
}

#[test]
fn what_is_no_model_file_is_said_by_its_kind() {
    for (bytes, kind) in [
        (&b"PK\x03\x04............"[..], "a zip archive (as of PyTorch's .pt or NumPy's .npz)"),
        (b"\x80\x04\x95.............", "a Python pickle"),
        (b"\x1f\x8b\x08.............", "gzipped"),
        (b"\0\0\x08\x03............", "an IDX file"),
        (b"length,width\n1,2\n3,4\n", "a text file"),
    ] {
        assert_eq!(refusal(bytes), format!("it is {kind}, expected safetensors"));
    }
}

/// Writes the corpus of the fuzz target `model`: `cargo test --test model_file make_fuzz_corpus -- --ignored`.
#[test]
#[ignore = "writes fuzz/corpus/model"]
fn make_fuzz_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/model");
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    let perceptron = |recipe: &mut Recipe| (recipe.trainer.solver, recipe.hidden) = (Solver::Perceptron, vec![]);
    let constants = |recipe: &mut Recipe| {
        recipe.activations = vec![Activation::Elu { alpha: 0.5 }];
        recipe.loss = Some(Loss::Huber { delta: 0.5 });
    };
    let bytes = small().to_bytes().unwrap();
    write("classes", &bytes);
    write("certified", &certified(small()).to_bytes().unwrap());
    write("number", &fit::<f64>(&table("price"), constants).to_bytes().unwrap());
    write("images", &fit::<f32>(&images(), |_| {}).to_bytes().unwrap());
    write("perceptron", &fit::<f64>(&table("class"), perceptron).to_bytes().unwrap());
    write("labels", &super::targets::labels().to_bytes().unwrap());
    write("numbers", &super::targets::model::<f64>(&["price", "mass"], None).to_bytes().unwrap());
    write("truncated", &bytes[..bytes.len() - 10]);
    write("header-huge", &[&(1u64 << 63).to_le_bytes()[..], b"{}"].concat());
    write("text", b"length,width\n1,2\n");
    let parts = Parts::of(&bytes);
    let forged = |name: &str, change: fn(&mut Parts)| {
        let mut parts = parts.clone();
        change(&mut parts);
        write(name, &parts.forge());
    };
    forged("not-finite", |p| p.tensors[0].3[20..24].copy_from_slice(&f32::NAN.to_le_bytes()));
    forged("transposed", |p| p.tensors[0].2.reverse());
    forged("missing", |p| _ = p.tensors.pop());
    forged("no-class", |p| p.model["target"]["classes"]["labels"] = json!([]));
    forged("huge-layer", |p| p.model["network"]["layers"][0]["outputs"] = json!(1u64 << 60));
    let (header, data) = parts.header(&format!("{}{}", "[".repeat(500), "]".repeat(500)), |_| {});
    write("deep", &Parts::pack(&header, &data));
}
