//! Certificates for models that the command has written: what a gradient check would put there.

use super::Folder;
use deltarule::float::Float;
use deltarule::gradcheck::Verdict;
use deltarule::model::{Certificate, CertifiedTensor, Dtype, Model, certify_file, peek_dtype, read};

/// Puts a certificate into the model's file, in which every coordinate agrees and `edit` may say otherwise. Gives it as it
/// was sealed.
pub fn certify(folder: &Folder, name: &str, edit: impl FnOnce(&mut Certificate)) -> Certificate {
    let path = folder.path(name);
    let bytes = read(&path).expect("a file");
    let mut draft = match peek_dtype(&bytes, &path).expect("a model") {
        Dtype::F32 => draft(&Model::<f32>::load(&path).expect("a model")),
        Dtype::F64 => draft(&Model::<f64>::load(&path).expect("a model")),
    };
    edit(&mut draft);
    let certificate = draft.seal().expect("no contradiction");
    certify_file(&path, certificate.clone()).expect("a certificate of this model");
    certificate
}

fn draft<T: Float>(model: &Model<T>) -> Certificate {
    let spec = model.network.spec();
    let tensor = |(name, place): (String, std::ops::Range<usize>)| CertifiedTensor {
        name,
        entries: place.len(),
        checked: place.len(),
        verified: place.len(),
        kinks: 0,
        inconclusive: 0,
        wrong: 0,
        worst_error: 1.5e-9,
        worst: spec.parameter_name(place.start),
    };
    Certificate {
        version: "0.1.0".into(),
        isa: "avx512".into(),
        gemm: "embedded".into(),
        architecture: spec.architecture(),
        objective: format!("{}, l2 0", model.loss),
        dtype: Dtype::F64,
        rows: 40,
        mode: "every coordinate".into(),
        oracles: vec!["differences".into(), "dual".into()],
        verdict: Verdict::Verified,
        tensors: spec.tensors().into_iter().map(tensor).collect(),
        parameters_sha256: model.parameters_sha256(),
        sha256: String::new(),
    }
}
