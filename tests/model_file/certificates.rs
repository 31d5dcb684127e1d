//! Certificates: what a gradient check found comes back byte for byte, contradicts neither itself nor its network, and is not
//! taken for one of other parameters.

use super::refusals::{Parts, refusal};
use super::{fit, images, read, small, table};
use deltarule::file::Existing;
use deltarule::gradcheck::Verdict;
use deltarule::model::{Certificate, CertifiedTensor, Dtype, Model, Recipe, certify_file, peek_dtype};
use deltarule::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What a check of every coordinate would say in which all agree, but for one kink in each tensor of more than ten entries.
fn draft<T: Float>(model: &Model<T>) -> Certificate {
    let spec = model.network.spec();
    let tensors = spec.tensors().into_iter().map(|(name, place)| {
        let (entries, kinks) = (place.len(), usize::from(place.len() > 10));
        CertifiedTensor {
            name,
            entries,
            checked: entries,
            verified: entries - kinks,
            kinks,
            inconclusive: 0,
            wrong: 0,
            worst_error: 1e-9 / entries as f64,
            worst: spec.parameter_name(place.start),
        }
    });
    Certificate {
        version: "0.1.0".into(),
        isa: "avx2".into(),
        gemm: "embedded".into(),
        architecture: spec.architecture(),
        objective: format!("{}, l2 0.01", model.loss),
        dtype: Dtype::F64,
        rows: 36,
        mode: "every coordinate".into(),
        oracles: vec!["differences".into(), "dual".into()],
        verdict: Verdict::Verified,
        tensors: tensors.collect(),
        parameters_sha256: model.parameters_sha256(),
        sha256: String::new(),
    }
}

/// The model with a certificate that fits it.
pub fn certified<T: Float>(mut model: Model<T>) -> Model<T> {
    model.certify(draft(&model).seal().unwrap()).unwrap();
    model
}

fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text of the certificate in a file, as it stands there.
fn text_in(bytes: &[u8]) -> String {
    let envelope = Parts::envelope(bytes);
    let start = envelope.find(r#""certificate":"#).unwrap() + r#""certificate":"#.len();
    // It is the last of the description, which is the last of the envelope.
    envelope[start..envelope.len() - 2].to_string()
}

#[test]
fn a_certificate_comes_back_byte_for_byte() {
    fn comes_back<T: Float>(model: Model<T>) {
        let plain = model.to_bytes().unwrap();
        let model = certified(model);
        let bytes = model.to_bytes().unwrap();
        let back = read::<T>(&bytes).unwrap();
        assert!(back == model && back.certificate.as_ref().unwrap().fits(&back));
        assert_eq!(back.to_bytes().unwrap(), bytes);
        assert_eq!(back.parameters_sha256(), model.parameters_sha256());
        assert_eq!(peek_dtype(&bytes, Path::new("x")).unwrap(), Dtype::of::<T>());
        // Without it, the file is the one that it was before.
        assert_eq!(Model { certificate: None, ..back }.to_bytes().unwrap(), plain);
    }
    let deep = |recipe: &mut Recipe| {
        recipe.hidden = vec![5, 3];
        recipe.activations = vec![Activation::LeakyRelu { slope: 0.1 }, Activation::Gelu];
    };
    let perceptron = |recipe: &mut Recipe| (recipe.trainer.solver, recipe.hidden) = (Solver::Perceptron, vec![]);
    comes_back(small());
    comes_back(fit::<f64>(&table("price"), deep));
    comes_back(fit::<f32>(&images(), perceptron));
}

#[test]
fn an_error_that_is_no_number_is_null_and_infinite_when_read_again() {
    for error in [f64::NAN, f64::INFINITY] {
        let mut model = small();
        let mut draft = draft(&model);
        let tensor = &mut draft.tensors[1];
        (tensor.verified, tensor.wrong, tensor.worst_error) = (tensor.verified - 1, 1, error);
        draft.verdict = Verdict::Wrong;
        model.certify(draft.seal().unwrap()).unwrap();
        let bytes = model.to_bytes().unwrap();
        assert_eq!(text_in(&bytes).matches(r#""worst_error":null,"#).count(), 1);
        let back = read::<f32>(&bytes).unwrap();
        assert_eq!(back.certificate.as_ref().unwrap().tensors[1].worst_error, f64::INFINITY);
        assert!(back == model && back.to_bytes().unwrap() == bytes);
    }
    // Errors of many digits keep them all.
    for error in [0.1 + 0.2, 5e-324, f64::MAX, 1.0 / 3.0, 1e23, 0.0] {
        let mut model = small();
        let mut draft = draft(&model);
        draft.tensors[0].worst_error = error;
        model.certify(draft.seal().unwrap()).unwrap();
        assert_eq!(read::<f32>(&model.to_bytes().unwrap()), Ok(model), "{error:e}");
    }
}

#[test]
fn the_checksum_is_that_of_the_text_before_it() {
    let model = certified(small());
    let text = text_in(&model.to_bytes().unwrap());
    let (before, sum) = text.split_once(r#","sha256":""#).unwrap();
    let expected = hex(Sha256::digest(format!("{before}}}")));
    assert_eq!(sum, format!("{expected}\"}}"));
    let certificate = model.certificate.unwrap();
    assert_eq!(certificate.sha256, expected);
    assert_eq!(serde_json::to_string(&certificate).unwrap(), text);
    // Sealed again, it is the same; another is not.
    assert_eq!(certificate.clone().seal().unwrap(), certificate);
    assert_ne!(Certificate { rows: 35, ..certificate.clone() }.seal().unwrap().sha256, certificate.sha256);
}

#[test]
fn a_file_without_a_certificate_is_of_format_1_and_one_with_it_of_format_2_or_with_norms_4() {
    let (plain, with) = (small().to_bytes().unwrap(), certified(small()).to_bytes().unwrap());
    assert!(Parts::envelope(&plain).starts_with(r#"{"format":1,"#) && !Parts::envelope(&plain).contains("certificate"));
    assert!(Parts::envelope(&with).starts_with(r#"{"format":2,"#));
    assert_eq!(read::<f32>(&Parts::of(&with).forge()), Ok(certified(small())));
    let other_format = |bytes: &[u8], from: &str, to: &str| {
        let parts = Parts::of(bytes);
        let (header, data) = parts.header(&parts.model.to_string(), |metadata| {
            metadata["deltarule"] = metadata["deltarule"].as_str().unwrap().replacen(from, to, 1).into();
        });
        refusal(&Parts::pack(&header, &data))
    };
    let expected = "it holds a certificate, expected none in a file of format 1";
    assert_eq!(other_format(&with, "\"format\":2", "\"format\":1"), expected);
    let expected = "it holds no certificate, expected one in a file of format 2";
    assert_eq!(other_format(&plain, "\"format\":1", "\"format\":2"), expected);
    // Norms make it format 4, with a certificate or without.
    let normed = || fit::<f32>(&table("class"), |recipe| recipe.norm = Norm::Layer);
    for model in [normed(), certified(normed())] {
        let bytes = model.to_bytes().unwrap();
        assert!(Parts::envelope(&bytes).starts_with(r#"{"format":4,"#));
        assert_eq!(read::<f32>(&bytes), Ok(model));
        // Forged, it says the format that it would have without them.
        let said = refusal(&Parts::of(&bytes).forge());
        assert!(said.starts_with("it has a layer with a norm, expected none in a file of format"), "{said}");
    }
    // Batch normalisation makes it format 5.
    let coupled = || fit::<f32>(&table("class"), |recipe| recipe.norm = Norm::Batch);
    for model in [coupled(), certified(coupled())] {
        let bytes = model.to_bytes().unwrap();
        assert!(Parts::envelope(&bytes).starts_with(r#"{"format":5,"#));
        assert_eq!(read::<f32>(&bytes), Ok(model));
        let said = refusal(&Parts::of(&bytes).forge());
        assert!(
            said.starts_with("it has a layer with batch normalisation, expected none in a file of format"),
            "{said}"
        );
    }
    let expected = "it has no layer with batch normalisation, expected one in a file of format 5";
    assert_eq!(other_format(&plain, "\"format\":1", "\"format\":5"), expected);
    let expected = "it has no layer with a norm, expected one in a file of format 4";
    assert_eq!(other_format(&plain, "\"format\":1", "\"format\":4"), expected);
}

/// The golden files of this version were written before there were certificates.
#[test]
fn files_without_a_certificate_keep_their_bytes() {
    fn same<T: Float>(name: &str) {
        let bytes = std::fs::read(golden(name)).unwrap();
        assert!(read::<T>(&bytes).unwrap().to_bytes().unwrap() == bytes, "{name}");
    }
    same::<f32>("classes-0.1.0.safetensors");
    same::<f64>("price-0.1.0.safetensors");
}

type Edit = fn(&mut Certificate);

/// What makes a certificate contradict itself, and what is said of it.
const CONTRADICTIONS: [(Edit, &str); 21] = [
    (|c| c.version.clear(), "its certificate names no version"),
    (|c| c.isa.clear(), "its certificate names no instruction set"),
    (|c| c.gemm.clear(), "its certificate names no GEMM"),
    (|c| c.architecture.clear(), "its certificate names no architecture"),
    (|c| c.objective.clear(), "its certificate names no objective"),
    (|c| c.mode.clear(), "its certificate names no mode"),
    (|c| c.oracles.clear(), "its certificate does not name what the gradient was compared with"),
    (|c| c.oracles.push(String::new()), "its certificate does not name what the gradient was compared with"),
    (|c| c.rows = 0, "its certificate is of no rows of data"),
    (
        |c| c.parameters_sha256 = "ab".into(),
        "its certificate's parameters_sha256: expected 64 hexadecimal digits, found \"ab\"",
    ),
    (|c| c.parameters_sha256.replace_range(5..6, "g"), "expected 64 hexadecimal digits, found \""),
    (|c| c.parameters_sha256 = "A".repeat(64), "expected 64 hexadecimal digits, found \"AAAA"),
    (
        |c| c.tensors[0].checked = 21,
        "its certificate's layer 1, weights: 21 checked, but 19 verified, 1 at kinks, 0 inconclusive and 0 wrong",
    ),
    (|c| c.tensors[1].kinks = usize::MAX, "its certificate's layer 1, biases: 4 checked, but 4 verified, "),
    (
        |c| (c.tensors[1].checked, c.tensors[1].verified) = (5, 5),
        "its certificate's layer 1, biases: 5 checked of 4 entries",
    ),
    (
        |c| c.tensors[2].worst_error = -1.0,
        "its certificate's layer 2, weights: expected an error of at least 0, found -1",
    ),
    (|c| c.tensors[2].worst_error = -0.0, "expected an error of at least 0, found -0"),
    (|c| c.tensors[2].worst_error = f64::NEG_INFINITY, "expected an error of at least 0, found "),
    (|c| c.verdict = Verdict::Wrong, "its certificate's verdict is wrong, and its counts say verified"),
    (
        |c| (c.tensors[1].verified, c.tensors[1].inconclusive) = (0, 4),
        "its certificate's verdict is verified, and its counts say inconclusive",
    ),
    (
        |c| (c.tensors[1].verified, c.tensors[1].wrong) = (3, 1),
        "its certificate's verdict is verified, and its counts say wrong",
    ),
];

/// What makes one contradict the network it lies beside.
const STRANGERS: [(Edit, &str); 6] = [
    (
        |c| c.architecture = "5-4-3, tanh, softmax".into(),
        "its certificate is of \"5-4-3, tanh, softmax\", its network is \"5-4-3, relu, softmax\"",
    ),
    (|c| _ = c.tensors.pop(), "its certificate has 3 tensors, its network 4"),
    (|c| c.tensors.push(c.tensors[0].clone()), "its certificate has 5 tensors, its network 4"),
    (
        |c| c.tensors.swap(0, 2),
        "its certificate has \"layer 2, weights\" of 12 entries where its network has \"layer 1, weights\" of 20",
    ),
    (
        |c| c.tensors[1].name = "layer 1, bias".into(),
        "its certificate has \"layer 1, bias\" of 4 entries where its network has \"layer 1, biases\" of 4",
    ),
    (
        |c| c.tensors[3].entries = 4,
        "its certificate has \"layer 2, biases\" of 4 entries where its network has \"layer 2, biases\" of 3",
    ),
];

/// The checksum that a certificate must have, whatever it says.
fn forged(mut certificate: Certificate) -> Certificate {
    certificate.sha256.clear();
    certificate.sha256 = hex(Sha256::digest(serde_json::to_string(&certificate).unwrap()));
    certificate
}

#[test]
fn a_certificate_that_contradicts_itself_or_its_network_is_neither_sealed_nor_written_nor_read() {
    let model = certified(small());
    let whole = Parts::of(&model.to_bytes().unwrap());
    let every = || {
        let marked = |mark| move |&(edit, expected)| (edit, expected, mark);
        CONTRADICTIONS.iter().map(marked(true)).chain(STRANGERS.iter().map(marked(false)))
    };
    for (edit, expected, alone) in every() {
        let mut draft = draft(&model);
        edit(&mut draft);
        match draft.clone().seal() {
            Ok(_) => assert!(!alone, "{expected}: was sealed"),
            Err(error) => {
                let error = error.to_string();
                assert!(alone && error.starts_with("the certificate cannot be sealed: ") && error.contains(expected));
            }
        }
        let certificate = forged(draft);
        let mut other = model.clone();
        let error = other.certify(certificate.clone()).unwrap_err().to_string();
        assert!(error.starts_with("the model cannot be certified: ") && error.contains(expected), "{error}");
        assert_eq!(other, model, "a certificate that is refused leaves the old one");
        other.certificate = Some(certificate.clone());
        let error = other.to_bytes().unwrap_err().to_string();
        assert!(error.starts_with("the model cannot be written: ") && error.contains(expected), "{error}");
        // JSON has no negative infinity to be read.
        if certificate.tensors.iter().all(|tensor| tensor.worst_error != f64::NEG_INFINITY) {
            let mut parts = whole.clone();
            parts.model["certificate"] = serde_json::to_value(&certificate).unwrap();
            let message = refusal(&parts.forge());
            assert!(message.contains(expected), "{message}, expected {expected}");
        }
    }
}

#[test]
fn a_certificate_that_was_edited_or_is_none_is_refused() {
    let model = certified(small());
    let whole = Parts::of(&model.to_bytes().unwrap());
    let sentence = "its certificate's checksum does not fit its content: it was edited, or never sealed";
    let damaged = |text: &str| format!("its description is damaged: {text}");
    for (at, value, expected) in [
        ("/rows", json!(37), sentence.to_string()),
        ("/isa", json!("avx512"), sentence.to_string()),
        ("/verdict", json!("kink"), sentence.to_string()),
        ("/dtype", json!("f32"), sentence.to_string()),
        ("/tensors/0/worst_error", Value::Null, sentence.to_string()),
        ("/tensors/3/worst", json!("elsewhere"), sentence.to_string()),
        ("/sha256", json!(""), sentence.to_string()),
        ("/sha256", json!("0".repeat(64)), sentence.to_string()),
        ("/sha256", Value::Null, damaged("invalid type: null, expected a string")),
        ("/verdict", json!("right"), damaged("unknown variant `right`, expected one of `verified`, `kink`")),
        ("/dtype", json!("f16"), damaged("unknown variant `f16`")),
        ("/tensors/0/checked", json!(-1), damaged("invalid value: integer `-1`, expected usize")),
        ("/tensors/0/worst_error", json!("NaN"), damaged("invalid type: string \"NaN\", expected f64")),
        ("", Value::Null, damaged("invalid type: null, expected struct Certificate")),
        ("", json!("certified"), damaged("invalid type: string \"certified\", expected struct Certificate")),
    ] {
        let mut parts = whole.clone();
        *parts.model.pointer_mut(&format!("/certificate{at}")).unwrap() = value;
        let message = refusal(&parts.forge());
        assert!(message.starts_with(&expected), "{at}: {message:?}, expected {expected:?}");
    }
    for field in ["sha256", "verdict", "oracles"] {
        let mut parts = whole.clone();
        _ = parts.model["certificate"].as_object_mut().unwrap().remove(field);
        assert!(refusal(&parts.forge()).starts_with(&damaged(&format!("missing field `{field}`"))));
    }
    let mut parts = whole;
    _ = parts.model["certificate"]["tensors"][0].as_object_mut().unwrap().remove("worst_error");
    assert!(refusal(&parts.forge()).starts_with(&damaged("missing field `worst_error`")));
    // In memory too: fields are public, so that what was changed after the seal is found when it is used.
    let mut model = model;
    model.certificate.as_mut().unwrap().rows += 1;
    assert_eq!(model.to_bytes().unwrap_err().to_string(), format!("the model cannot be written: {sentence}"));
    let unsealed = draft(&small());
    let error = small().certify(unsealed).unwrap_err().to_string();
    assert_eq!(error, format!("the model cannot be certified: {sentence}"));
}

#[test]
fn a_verdict_is_the_one_that_the_counts_amount_to() {
    use Verdict::{Inconclusive, Kink, Verified, Wrong};
    let model = small();
    // Of the first tensor: verified, at kinks, inconclusive, wrong; the others are verified.
    for (counts, expected) in [
        ([20, 0, 0, 0], Verified),
        ([19, 1, 0, 0], Verified),
        ([0, 20, 0, 0], Verified),
        ([18, 1, 1, 0], Verified),
        ([0, 0, 1, 0], Inconclusive),
        ([0, 0, 0, 0], Inconclusive),
        ([17, 1, 1, 1], Wrong),
        ([0, 0, 0, 1], Wrong),
    ] {
        let mut draft = draft(&model);
        let tensor = &mut draft.tensors[0];
        [tensor.verified, tensor.kinks, tensor.inconclusive, tensor.wrong] = counts;
        tensor.checked = counts.iter().sum();
        for verdict in [Verified, Kink, Inconclusive, Wrong] {
            let sealed = Certificate { verdict, ..draft.clone() }.seal();
            assert_eq!(sealed.is_ok(), verdict == expected, "{verdict} of {counts:?}");
        }
    }
}

#[test]
fn what_changes_the_parameters_makes_a_certificate_stale_and_no_file_unreadable() {
    let mut model = certified(small());
    let fits = |model: &Model<f32>| model.certificate.as_ref().unwrap().fits(model);
    assert!(fits(&model));
    let kept = model.network.params()[7];
    model.network.params_mut()[7] += 1.0;
    assert!(!fits(&model));
    let back = read::<f32>(&model.to_bytes().unwrap()).unwrap();
    assert!(!fits(&back) && back == model, "a stale certificate is kept, as what it is");
    // A certificate is not given to parameters that it is not of.
    let stale = model.certificate.clone().unwrap();
    let error = model.certify(stale.clone()).unwrap_err().to_string();
    assert_eq!(error, "the model cannot be certified: its certificate is of other parameters");
    model.network.params_mut()[7] = kept;
    assert!(fits(&model), "with the old bits it is true again");

    // Trained on, and trained anew.
    let source = table("class");
    let rows: Vec<usize> = (0..36).collect();
    let (x, y) = (model.input.encode(&source, &rows).unwrap(), model.encode_targets(&source, &rows).unwrap());
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let objective = Objective { loss: model.loss, l1: 0.0, l2: 0.0 };
    let trainer = Trainer { epochs: 1, objective, ..Trainer::default() };
    trainer.fit(&mut model.network, batch, None, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    assert!(!fits(&model));
    let anew = fit::<f32>(&source, |recipe| {
        recipe.features.ignore = vec!["price".into()];
        recipe.trainer.seed = 1;
    });
    assert_eq!(anew.certificate, None);
    assert!(!stale.fits(&anew));
    // The same numbers in the other type have other bytes.
    assert!(!stale.fits(&fit::<f64>(&source, |recipe| recipe.features.ignore = vec!["price".into()])));
}

#[test]
fn a_file_is_certified_whole_or_not_at_all() {
    fn of_type<T: Float>(model: Model<T>, path: &Path) {
        model.save(path, Existing::Replace).unwrap();
        let certificate = draft(&model).seal().unwrap();
        certify_file(path, certificate.clone()).unwrap();
        let found = Model::<T>::load(path).unwrap();
        assert_eq!(found.certificate.as_ref(), Some(&certificate));
        assert_eq!(Model { certificate: None, ..found }, model);
        // A newer one takes its place.
        let newer = Certificate { isa: "avx512".into(), ..certificate.clone() }.seal().unwrap();
        certify_file(path, newer.clone()).unwrap();
        assert_eq!(Model::<T>::load(path).unwrap().certificate, Some(newer));
        // Another model took the file while the check was running.
        let mut other = model;
        other.network.params_mut()[0] += T::ONE;
        other.save(path, Existing::Replace).unwrap();
        let before = std::fs::read(path).unwrap();
        let error = certify_file(path, certificate).unwrap_err().to_string();
        let expected = "the model cannot be certified: its certificate is of other parameters";
        assert_eq!(error, format!("{}: {expected}", path.display()));
        assert_eq!(std::fs::read(path).unwrap(), before);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    of_type(small(), &path);
    of_type(fit::<f64>(&table("price"), |_| {}), &path);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    let missing = folder.path().join("missing");
    let error = certify_file(&missing, draft(&small()).seal().unwrap()).unwrap_err().to_string();
    assert!(error.contains("missing: No such file") && !missing.exists(), "{error}");
    std::fs::write(&path, "no model").unwrap();
    let error = certify_file(&path, draft(&small()).seal().unwrap()).unwrap_err().to_string();
    assert!(error.contains("not a usable model: it is a text file"), "{error}");
}

#[test]
fn an_architecture_is_one_line_that_tells_networks_apart() {
    let relu = Activation::Relu;
    let spec = |inputs, layers| Spec::new(inputs, layers).unwrap();
    let out = Layer::new(4, Activation::Softmax);
    let bare = spec(21, vec![Layer::without_bias(100, relu), out]);
    for (spec, line) in [
        (spec(21, vec![Layer::new(100, relu), out]), "21-100-4, relu, softmax"),
        (bare.clone(), "21-100-4, relu without biases, softmax"),
        (spec(3, vec![Layer::new(1, Activation::Identity)]), "3-1, identity"),
        (
            spec(3, vec![Layer::new(2, Activation::LeakyRelu { slope: 0.1 }), Layer::new(2, Activation::Tanh)]),
            "3-2-2, leaky_relu=0.1, tanh",
        ),
    ] {
        assert_eq!(spec.architecture(), line);
    }
    let names = ["layer 1, weights", "layer 2, weights", "layer 2, biases"];
    let places = [0..2100, 2100..2500, 2500..2504];
    assert_eq!(bare.tensors(), names.map(String::from).into_iter().zip(places).collect::<Vec<_>>());
}

// --------------------------------------------------------------------------------------------------------- the golden file

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Writes the golden file with a certificate: `cargo test --test model_file make_certified_golden -- --ignored`. That of a
/// released version is never made again.
#[test]
#[ignore = "writes the golden file"]
fn make_certified_golden_file() {
    let name = format!("certified-{}.safetensors", env!("CARGO_PKG_VERSION"));
    certified(small()).save(&golden(&name), Existing::Replace).unwrap();
}

#[test]
fn certificates_of_released_versions_stay_readable() {
    fn stays(version: &str) {
        let bytes = std::fs::read(golden(&format!("certified-{version}.safetensors"))).unwrap();
        let model = read::<f32>(&bytes).unwrap();
        assert!(model.to_bytes().unwrap() == bytes, "{version}: not the same bytes");
        let certificate = model.certificate.as_ref().unwrap();
        assert!(certificate.fits(&model));
        assert_eq!(*certificate, Certificate { version: version.into(), ..draft(&model) }.seal().unwrap());
        assert_eq!(certificate.architecture, "5-4-3, relu, softmax");
    }
    stays("0.1.0");
}
