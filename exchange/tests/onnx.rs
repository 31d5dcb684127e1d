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
