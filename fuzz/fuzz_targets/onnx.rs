//! An ONNX file from its bytes to a model. Any error will do, a panic not; and what is accepted can be saved, used, and written as ONNX
//! again, which is read as the same network.

#![no_main]

use deltarule::float::Float;
use deltarule::model::Model;
use deltarule_exchange::{AnyModel, Kind, onnx};
use libfuzzer_sys::fuzz_target;
use ndarray::Array2;
use std::path::Path;

fuzz_target!(|input: &[u8]| {
    let _ = Kind::of(input);
    match onnx::import(input, Path::new("fuzz.onnx"), None) {
        Ok(AnyModel::F32(model)) => use_it(&model),
        Ok(AnyModel::F64(model)) => use_it(&model),
        Err(_) => {}
    }
});

fn use_it<T: Float>(model: &Model<T>) {
    let spec = model.network.spec();
    let bytes = model.to_bytes().expect("what was read can be saved");
    assert!(Model::<T>::from_bytes(&bytes, Path::new("again")).expect("and read") == *model);
    let zeros = Array2::from_elem((2, spec.inputs()), T::ZERO);
    if let Ok(predictions) = model.predict_encoded(zeros.view()) {
        assert_eq!(predictions.values().dim(), (2, model.target.width()));
    }
    let file = onnx::export(model, onnx::Options::default()).expect("what was read can be written");
    let again = match onnx::import(&file, Path::new("again.onnx"), None).expect("and read again") {
        AnyModel::F32(again) => again.network.spec().architecture(),
        AnyModel::F64(again) => again.network.spec().architecture(),
    };
    assert_eq!(again, spec.architecture());
}
