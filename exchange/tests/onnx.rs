//! ONNX: what is written is read again with the same bits, and what is no plain network is refused by its first node.

use deltarule::data::Target;
use deltarule::data::features::{Feature, Features, Kind, Missing};
use deltarule::data::target::{Classes, Number};
use deltarule::float::Float;
use deltarule::model::{Input, Model, plain_target};
use deltarule::network::Norm;
use deltarule::prelude::*;
use deltarule_exchange::{AnyModel, Kind as FileKind, onnx};
use std::path::Path;

/// A network with random biases too.
fn network<T: Float>(spec: Spec) -> Network<T> {
    let mut network = Network::<T>::new(spec, None, &mut Rng::new(3)).unwrap();
    let mut rng = Rng::new(4);
    network.params_mut().iter_mut().for_each(|p| *p = T::from_f64(rng.normal::<f64>(0.0, 0.5)));
    network
}

fn plain<T: Float>(spec: Spec) -> Model<T> {
    let target = plain_target(&spec);
    let loss = match (spec.layers().last().unwrap().activation, &target) {
        (Activation::Softmax, _) => Loss::SoftmaxCrossEntropy,
        (Activation::Sigmoid, _) => Loss::LogisticCrossEntropy,
        (Activation::Exponential, _) => Loss::Poisson,
        _ => Loss::SquaredError,
    };
    Model::of_network(network(spec), None, target, loss).unwrap()
}

fn import(bytes: &[u8]) -> deltarule::Result<AnyModel> {
    onnx::import(bytes, Path::new("a.onnx"), None)
}

/// The model that the file of a model is read as.
fn again<T: Float>(model: &Model<T>) -> Model<T>
where
    AnyModel: Into<Read<T>>,
{
    let bytes = onnx::export(model, onnx::Options::default()).unwrap();
    assert_eq!(FileKind::of(&bytes), FileKind::Onnx);
    let Read(read) = import(&bytes).unwrap().into();
    read
}

struct Read<T>(Model<T>);

impl From<AnyModel> for Read<f32> {
    fn from(any: AnyModel) -> Self {
        match any {
            AnyModel::F32(model) => Self(model),
            AnyModel::F64(_) => panic!("expected f32, found f64"),
        }
    }
}

impl From<AnyModel> for Read<f64> {
    fn from(any: AnyModel) -> Self {
        match any {
            AnyModel::F64(model) => Self(model),
            AnyModel::F32(_) => panic!("expected f64, found f32"),
        }
    }
}

/// Networks alone: the same activations, and parameters of the same bits.
fn networks_come_back<T: Float>()
where
    AnyModel: Into<Read<T>>,
{
    let mut activations = Activation::ALL.to_vec();
    activations.extend([Activation::LeakyRelu { slope: 0.2 }, Activation::Elu { alpha: 0.7 }]);
    for hidden in activations.into_iter().filter(|a| *a != Activation::Softmax) {
        for (outputs, last) in
            [(3, Activation::Softmax), (1, Activation::Sigmoid), (2, Activation::Identity), (1, hidden)]
        {
            let model = plain::<T>(Spec::mlp(4, &[5, 3], hidden, outputs, last).unwrap());
            let read = again(&model);
            assert_eq!(read.network, model.network, "{hidden}, {last}");
            assert_eq!(read.target, model.target, "{hidden}, {last}");
            assert_eq!(read.input, model.input, "{hidden}, {last}");
            assert_eq!(read.loss, model.loss, "{hidden}, {last}");
            read.to_bytes().unwrap();
        }
    }
}

#[test]
fn networks_come_back_in_f32() {
    networks_come_back::<f32>();
}

#[test]
fn networks_come_back_in_f64() {
    networks_come_back::<f64>();
}

fn norms_come_back<T: Float>()
where
    AnyModel: Into<Read<T>>,
{
    let layer = |outputs, norm| Layer::new(outputs, Activation::Tanh).with_norm(norm);
    let spec = |norm| {
        Spec::new(4, vec![layer(5, norm), layer(3, Norm::None), Layer::without_bias(2, Activation::Softmax)]).unwrap()
    };
    let model = plain::<T>(spec(Norm::Layer));
    assert_eq!(again(&model).network, model.network);
    // Batch normalisation is part of the weights then.
    let model = plain::<T>(spec(Norm::Batch));
    assert_eq!(again(&model).network, model.network.folded().unwrap());
}

#[test]
fn layer_normalisation_comes_back_and_batch_normalisation_as_weights() {
    norms_come_back::<f32>();
    norms_come_back::<f64>();
}

/// Numbers with fills, and categories.
fn features(texts: bool) -> Features {
    let number = |position: usize, mean: f64, scale: f64| Feature {
        name: format!("n{position}"),
        position,
        kind: Kind::Number { mean, scale, fill: Some(mean) },
    };
    let category = Feature {
        name: "colour".into(),
        position: 2,
        kind: Kind::Category { levels: vec!["red".into(), "green, or so".into()], fill: Some("red".into()) },
    };
    let mut columns = vec![number(0, 0.1, 3.0), number(1, 1e6, 7.0)];
    if texts {
        columns.push(category);
    }
    columns.push(number(columns.len(), -0.3, 1e-9));
    let source_columns = columns.len();
    Features { columns, header: true, source_columns, missing: Missing::Mean }
}

fn whole_models_come_back<T: Float>()
where
    AnyModel: Into<Read<T>>,
{
    let classes = |name: &str, labels: &[&str]| Classes {
        name: name.into(),
        labels: labels.iter().map(ToString::to_string).collect(),
    };
    let number = |name: &str, mean: f64, scale: f64| Number { name: name.into(), mean, scale };
    for texts in [false, true] {
        for (outputs, last, target, loss) in [
            (3, Activation::Softmax, Target::Classes(classes("kind", &["b", "", "a"])), Loss::SoftmaxCrossEntropy),
            (3, Activation::Sigmoid, Target::Classes(classes("kind", &["b", "c", "a"])), Loss::LogisticCrossEntropy),
            (3, Activation::Identity, Target::Classes(classes("kind", &["b", "c", "a"])), Loss::Hinge),
            (1, Activation::Sigmoid, Target::Classes(classes("kind", &["yes", "no"])), Loss::LogisticCrossEntropy),
            (1, Activation::Identity, Target::Classes(classes("kind", &["yes", "no"])), Loss::Hinge),
            (1, Activation::Step, Target::Classes(classes("kind", &["yes", "no"])), Loss::SquaredError),
            (3, Activation::Step, Target::Classes(classes("kind", &["b", "c", "a"])), Loss::SquaredError),
            (
                2,
                Activation::Sigmoid,
                Target::Labels(vec![classes("x", &["0", "1"]), classes("y", &["cold", "hot"])]),
                Loss::LogisticCrossEntropy,
            ),
            (1, Activation::Identity, Target::Number(number("price", 0.1, 3.3)), Loss::SquaredError),
            (
                2,
                Activation::Identity,
                Target::Numbers(vec![number("p", 1e6, 3.3), number("q", -0.2, 1e-7)]),
                Loss::SquaredError,
            ),
        ] {
            let features = features(texts);
            let spec = Spec::mlp(features.width(), &[4], Activation::Gelu, outputs, last).unwrap();
            let mut model = Model::of_network(network::<T>(spec), None, target, loss).unwrap();
            model.input = Input::Table(features);
            let mut read = again(&model);
            assert_eq!(read.input, model.input, "{last}");
            assert_eq!(read.target, model.target, "{last}");
            assert_eq!(read.network, model.network, "{last}");
            assert_eq!(read.loss, model.loss);
            assert!(read.provenance.training.starts_with("imported from ONNX, written by deltarule"));
            read.provenance = model.provenance.clone();
            assert_eq!(read, model);
        }
    }
}

#[test]
fn whole_models_come_back_with_columns_classes_and_units() {
    whole_models_come_back::<f32>();
    whole_models_come_back::<f64>();
}

/// The names of inputs and outputs, as a runtime would ask for them: a message's field after the other.
fn names(bytes: &[u8], wanted: u64) -> Vec<String> {
    fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
        let varint = |bytes: &mut &[u8]| {
            let mut value = 0;
            for shift in (0..).step_by(7) {
                let byte = bytes[0];
                *bytes = &bytes[1..];
                value |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    break;
                }
            }
            value
        };
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            match key & 7 {
                0 => _ = varint(&mut bytes),
                2 => {
                    let length = varint(&mut bytes) as usize;
                    found.push((key >> 3, &bytes[..length]));
                    bytes = &bytes[length..];
                }
                other => panic!("kind {other}"),
            }
        }
        found
    }
    let graph = fields(bytes).into_iter().find(|(field, _)| *field == 7).expect("a graph").1;
    let values = fields(graph).into_iter().filter(|(field, _)| *field == wanted);
    values.map(|(_, value)| String::from_utf8(fields(value)[0].1.to_vec()).unwrap()).collect()
}

const INPUTS: u64 = 11;
const OUTPUTS: u64 = 12;

#[test]
fn each_column_is_an_input_by_its_name_whatever_that_is() {
    let spec = Spec::mlp(4, &[2], Activation::Tanh, 3, Activation::Softmax).unwrap();
    let columns = ["label", "probabilities", "0.weight", "standardised"].map(String::from);
    let target = plain_target(&spec);
    let mut model = Model::of_network(network::<f32>(spec), Some(&columns), target, Loss::SoftmaxCrossEntropy).unwrap();
    if let Input::Table(Features { columns, .. }) = &mut model.input {
        columns[3].kind = Kind::Number { mean: 1.0, scale: 2.0, fill: None };
    }
    let bytes = onnx::export(&model, onnx::Options::default()).unwrap();
    assert_eq!(names(&bytes, INPUTS), columns);
    assert_eq!(names(&bytes, OUTPUTS), ["label_2", "probabilities_2"]);
    let read = again(&model);
    assert_eq!((read.input, read.network), (model.input.clone(), model.network.clone()));
    let one = onnx::export(&model, onnx::Options { one_input: true }).unwrap();
    assert_eq!(
        (names(&one, INPUTS), names(&one, OUTPUTS)),
        (vec!["x".into()], vec!["label".into(), "probabilities".into()])
    );
}

#[test]
fn images_are_one_input_of_pixels() {
    let spec = Spec::mlp(6, &[2], Activation::Relu, 3, Activation::Softmax).unwrap();
    let mut model = plain::<f32>(spec);
    model.input = Input::Images { height: 2, width: 3 };
    let bytes = onnx::export(&model, onnx::Options::default()).unwrap();
    assert_eq!(names(&bytes, INPUTS), ["x"]);
    // They come back as columns that are divided by 255.
    let Input::Table(features) = again(&model).input else { panic!("expected columns") };
    assert!(features.columns.iter().all(|c| c.kind == Kind::Number { mean: 0.0, scale: 255.0, fill: None }));
}

#[test]
fn scores_and_numbers_are_named_for_what_they_are() {
    for (last, outputs, loss, target, expected) in [
        (Activation::Identity, 1, Loss::SquaredError, None, &["prediction"][..]),
        (Activation::Identity, 3, Loss::Hinge, Some(3), &["label", "scores"]),
        (Activation::Identity, 1, Loss::Hinge, Some(2), &["label", "scores"]),
        (Activation::Step, 1, Loss::SquaredError, Some(2), &["label", "scores"]),
        (Activation::Sigmoid, 1, Loss::LogisticCrossEntropy, Some(2), &["label", "probabilities"]),
    ] {
        let spec = Spec::mlp(2, &[2], Activation::Tanh, outputs, last).unwrap();
        let target = target.map_or_else(
            || plain_target(&spec),
            |count: usize| {
                Target::Classes(Classes { name: "class".into(), labels: (0..count).map(|c| c.to_string()).collect() })
            },
        );
        let model = Model::of_network(network::<f64>(spec), None, target, loss).unwrap();
        let bytes = onnx::export(&model, onnx::Options::default()).unwrap();
        assert_eq!(names(&bytes, OUTPUTS), expected, "{last}");
    }
}
