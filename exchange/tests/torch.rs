//! Networks as safetensors: bits that come back, what other writers call their tensors, what is refused, and PyTorch's own answers where
//! an interpreter with PyTorch is named.

use deltarule::activation::Activation;
use deltarule::data::Target;
use deltarule::data::target::{Classes, Number};
use deltarule::float::Float;
use deltarule::loss::Loss;
use deltarule::model::{Model, plain_target};
use deltarule::network::{Layer, Network, Norm, Spec};
use deltarule::rng::Rng;
use deltarule_exchange::{AnyModel, torch};
use ndarray::Array2;
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The interpreter, one that imports torch and numpy, and safetensors if it is there.
const PYTHON: &str = "DELTARULE_PYTHON";

fn model<T: Float>(inputs: usize, layers: Vec<Layer>) -> Model<T> {
    let spec = Spec::new(inputs, layers).unwrap();
    let parameters = spec.parameters();
    let mut rng = Rng::new(3);
    let mut network = Network::<T>::new(spec, None, &mut rng).unwrap();
    for (i, value) in network.state_mut().iter_mut().enumerate() {
        let noise: f64 = rng.uniform(0.0, 0.5);
        *value = T::from_f64(if i < parameters { value.real() + noise - 0.25 } else { value.real().abs() + noise });
    }
    let target = match plain_target(network.spec()) {
        Target::Classes(classes) => Target::Classes(Classes { name: "class \"of\" é".into(), ..classes }),
        Target::Number(number) => Target::Number(Number { name: "n".into(), ..number }),
        other => other,
    };
    Model::of_network(network, None, target, Loss::SquaredError).unwrap()
}

/// Networks with every module, by the name of what is special.
fn networks<T: Float>() -> Vec<(&'static str, Model<T>)> {
    let layer = Layer::<Activation>::new;
    let deep: Vec<Layer> = [
        Activation::Tanh,
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.2 },
        Activation::Elu { alpha: 1.5 },
        Activation::Selu,
        Activation::Softplus,
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Sigmoid,
        Activation::Identity,
    ]
    .into_iter()
    .enumerate()
    .map(|(i, activation)| Layer { bias: i % 3 != 1, ..layer(6 + i % 4, activation) })
    .chain([layer(4, Activation::Softmax)])
    .collect();
    let norms = vec![
        layer(9, Activation::Relu).with_norm(Norm::Batch),
        Layer::without_bias(8, Activation::Tanh).with_norm(Norm::Layer),
        layer(3, Activation::Sigmoid),
    ];
    vec![
        ("activations", model(5, deep)),
        ("norms", model(7, norms)),
        ("one", model(3, vec![layer(1, Activation::Identity)])),
        ("counts", model(3, vec![layer(4, Activation::Relu), layer(2, Activation::Exponential)])),
        ("steps", model(3, vec![layer(4, Activation::Step)])),
    ]
}

fn network<T: Float>(found: AnyModel) -> Model<T> {
    // Of two types one is the caller's.
    let any: Box<dyn std::any::Any> = match found {
        AnyModel::F32(model) => Box::new(model),
        AnyModel::F64(model) => Box::new(model),
    };
    *any.downcast().expect("a model of the file's type")
}

fn import(bytes: &[u8]) -> deltarule::Result<AnyModel> {
    torch::import(bytes, Path::new("net.safetensors"), Activation::Relu, Activation::Identity)
}

fn round_trip<T: Float>() {
    for (name, model) in networks::<T>() {
        let bytes = torch::export(&model).unwrap();
        assert_eq!(bytes, torch::export(&model).unwrap(), "{name}: the same bytes each time");
        let back = network::<T>(import(&bytes).unwrap_or_else(|e| panic!("{name}: {e}")));
        let bits = |model: &Model<T>| model.network.state().iter().map(|v| v.real().to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&model), "{name}");
        assert_eq!(back.parameters_sha256(), model.parameters_sha256(), "{name}");
        // Saved as deltarule's own and read again.
        assert_eq!(Model::from_bytes(&back.to_bytes().unwrap(), Path::new("again")).unwrap(), back, "{name}");
        for (back, layer) in back.network.spec().layers().iter().zip(model.network.spec().layers()) {
            assert_eq!((back.outputs, back.bias, back.norm), (layer.outputs, layer.bias, layer.norm), "{name}");
        }
    }
}

#[test]
fn every_bit_comes_back() {
    round_trip::<f32>();
    round_trip::<f64>();
}

/// A file of these tensors: name, shape, numbers.
fn file(tensors: &[(&str, &[usize], Vec<f32>)]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, numbers)| numbers.iter().flat_map(|n| n.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()));
    serialize(views, None).unwrap()
}

fn count(from: usize, numbers: usize) -> Vec<f32> {
    (from..from + numbers).map(|n| n as f32).collect()
}

#[test]
fn names_of_other_writers_are_understood() {
    // 2 inputs, 3 hidden units, 1 output.
    let expected = [0., 2., 4., 1., 3., 5., 10., 11., 12., 20., 21., 22., 30.];
    for [first, second] in [
        ["0", "2"],
        ["fc1", "fc2"],
        ["layers.0", "layers.1"],
        ["net.layer9", "net.layer10"],
        ["model.body.0.linear", "model.head.linear"],
    ] {
        let [w1, b1, w2, b2] = [(first, "weight"), (first, "bias"), (second, "weight"), (second, "bias")]
            .map(|(module, what)| format!("{module}.{what}"));
        let bytes = file(&[
            (&w2, &[1, 3], count(20, 3)),
            (&b2, &[1], count(30, 1)),
            (&w1, &[3, 2], count(0, 6)),
            (&b1, &[3], count(10, 3)),
        ]);
        let model = network::<f32>(import(&bytes).unwrap_or_else(|e| panic!("{first}: {e}")));
        assert_eq!(model.network.params(), expected, "{first}");
        assert_eq!(model.network.spec().architecture(), "2-3-1, relu, identity");
    }
    for separator in [".", ""] {
        let name = |what: &str, layer: usize| format!("{what}_{separator}{layer}");
        let bytes = file(&[
            (&name("coefs", 0), &[2, 3], vec![0., 2., 4., 1., 3., 5.]),
            (&name("intercepts", 0), &[3], count(10, 3)),
            (&name("coefs", 1), &[3, 1], count(20, 3)),
            (&name("intercepts", 1), &[1], count(30, 1)),
        ]);
        let model = torch::import(&bytes, Path::new("mlp"), Activation::Tanh, Activation::Sigmoid).unwrap();
        let model = network::<f32>(model);
        assert_eq!(model.network.params(), expected);
        assert_eq!(model.network.spec().architecture(), "2-3-1, tanh, sigmoid");
    }
}

#[test]
fn half_precision_is_widened_and_double_stays() {
    let of = |dtype: Dtype, bytes: &[u8]| {
        serialize([("0.weight", TensorView::new(dtype, vec![1, 2], bytes).unwrap())], None).unwrap()
    };
    let half = network::<f32>(import(&of(Dtype::F16, &[0x00, 0x3c, 0x55, 0xb5])).unwrap());
    assert_eq!(half.network.params(), [1.0, -0.333_251_95]);
    let brain = network::<f32>(import(&of(Dtype::BF16, &[0x80, 0x3f, 0x49, 0xc0])).unwrap());
    assert_eq!(brain.network.params(), [1.0, -3.140_625]);
    let bytes: Vec<u8> = [0.1f64, -0.2].iter().flat_map(|n| n.to_le_bytes()).collect();
    assert_eq!(network::<f64>(import(&of(Dtype::F64, &bytes)).unwrap()).network.params(), [0.1, -0.2]);
    let message = import(&of(Dtype::I64, &[0; 16])).unwrap_err().to_string();
    assert!(message.contains("\"0.weight\": expected F16, BF16, F32 or F64, found I64"), "{message}");
}

#[test]
fn what_is_no_chain_of_layers_is_refused_by_the_tensor() {
    let layer = |w: usize| count(0, w);
    let refused = |tensors: &[(&str, &[usize], Vec<f32>)]| import(&file(tensors)).expect_err("a refusal").to_string();
    for (message, expected) in [
        (
            refused(&[("fc1.weight", &[3, 2], layer(6)), ("fc2.weight", &[1, 4], layer(4))]),
            "\"fc2.weight\": expected 3 inputs, as \"fc1.weight\" has outputs, found 4",
        ),
        (
            refused(&[("fc1.weight", &[3, 2], layer(6)), ("fc1.bias", &[2], layer(2))]),
            "\"fc1.bias\": expected 3 numbers for \"fc1.weight\", found [2]",
        ),
        (refused(&[("fc1.bias", &[2], layer(2))]), "\"fc1.bias\": expected weights of the same module"),
        (refused(&[("conv.weight", &[2, 1, 3, 3], layer(18))]), "\"conv.weight\": expected weights of a dense layer"),
        (refused(&[("embedding", &[2, 2], layer(4))]), "\"embedding\": expected a name that ends in weight"),
        (refused(&[("coefs_.x", &[2, 2], layer(4))]), "\"coefs_.x\": expected a name"),
        (
            refused(&[("0.weight", &[2, 2], vec![0.0, 1.0, f32::NAN, 2.0])]),
            "\"0.weight\": expected finite numbers, found NaN at place 3",
        ),
        (refused(&[("0.weight", &[0, 2], vec![])]), "\"0.weight\": expected at least one input and output"),
        (
            refused(&[("0.weight", &[2, 2], layer(4)), ("2.weight", &[2], layer(2)), ("2.bias", &[2], layer(2))]),
            "\"2.weight\": a norm",
        ),
        (
            refused(&[("0.weight", &[2, 2], layer(4)), ("1.weight", &[2], layer(2))]),
            "\"1.weight\": expected a bias beside it",
        ),
        (
            refused(&[
                ("0.weight", &[2, 2], layer(4)),
                ("1.weight", &[2], layer(2)),
                ("1.bias", &[2], layer(2)),
                ("1.running_var", &[2], layer(2)),
            ]),
            "\"1.running_var\": expected running_mean and running_var",
        ),
        (
            refused(&[("0.weight", &[2, 2], layer(4)), ("0.running_mean", &[2], layer(2))]),
            "\"0.running_mean\": expected in a norm",
        ),
        (
            refused(&[("a.coefs_.0", &[2, 2], layer(4)), ("a.coefs_0", &[2, 2], layer(4))]),
            "expected one of each kind in its module",
        ),
        (refused(&[]), "it holds no tensors"),
    ] {
        assert!(message.starts_with("net.safetensors") && message.contains(expected), "{message}\nexpected {expected}");
    }
    let mut own = networks::<f32>()[2].1.clone();
    own.provenance.rows = 1;
    let own = own.to_bytes().unwrap();
    assert!(import(&own).unwrap_err().to_string().contains("a model of deltarule's already"));
    // A name that stands twice, which the format's library would pass over.
    let header = r#"{"0.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"0.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}"#;
    let mut twice = (header.len() as u64).to_le_bytes().to_vec();
    twice.extend(header.as_bytes());
    twice.extend([0; 4]);
    assert!(import(&twice).unwrap_err().to_string().contains("tensor \"0.weight\" stands twice"));
    assert!(import(b"PK\x03\x04rest").unwrap_err().to_string().contains("a zip archive"));
    let softmax = torch::import(
        &file(&[("0.weight", &[2, 2], layer(4)), ("1.weight", &[2, 2], layer(4))]),
        Path::new("n"),
        Activation::Softmax,
        Activation::Identity,
    );
    assert!(softmax.unwrap_err().to_string().contains("softmax"));
}

#[test]
fn a_hidden_activation_that_pytorch_has_no_module_of_is_refused_by_its_layer() {
    let model = model::<f32>(2, vec![Layer::new(2, Activation::Exponential), Layer::new(1, Activation::Identity)]);
    let message = torch::export(&model).unwrap_err().to_string();
    assert!(message.contains("layer 1 has the activation exponential"), "{message}");
}

#[test]
fn no_cut_and_no_change_of_a_byte_panics() {
    let whole = torch::export(&networks::<f32>()[1].1).unwrap();
    for end in 0..whole.len() {
        assert!(import(&whole[..end]).is_err(), "{end} bytes");
    }
    let mut rng = Rng::new(1);
    for _ in 0..4000 {
        let mut bytes = whole.clone();
        for _ in 0..=rng.below(2) {
            let at = rng.below(bytes.len().min(900));
            bytes[at] = rng.below(256) as u8;
        }
        let _ = import(&bytes);
    }
}

/// What PyTorch says of rows in a file of raw numbers: builds the `Sequential` of the metadata, loads strictly, and writes the outputs.
const SCRIPT: &str = r#"
import json, sys
import numpy, torch
from torch import nn
path, rows, out, inputs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
try:
    from safetensors import safe_open
    from safetensors.torch import load_file
    with safe_open(path, "pt") as f:
        metadata = f.metadata()
    tensors = load_file(path)
except ModuleNotFoundError:
    data = open(path, "rb").read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__")
    kinds = {"F32": numpy.float32, "F64": numpy.float64, "I64": numpy.int64}
    tensors = {
        name: torch.from_numpy(numpy.frombuffer(data[start:][t["data_offsets"][0]:t["data_offsets"][1]], kinds[t["dtype"]]).reshape(t["shape"]).copy())
        for name, t in header.items()
    }
dtype = tensors["0.weight"].dtype
net = eval(metadata["sequential"], {"nn": nn}).to(dtype)
net.load_state_dict(tensors, strict=True)
net.eval()
kind = numpy.float32 if dtype == torch.float32 else numpy.float64
x = torch.from_numpy(numpy.fromfile(rows, kind).reshape(-1, inputs))
with torch.no_grad():
    output = net(x)
    if "then" in metadata:
        output = eval(metadata["then"], {"torch": torch, "output": output})
output.numpy().tofile(out)
"#;

fn pytorch<T: Float>(python: &str) {
    let folder = TempDir::new().unwrap();
    let [path, rows, out] = ["net.safetensors", "rows", "out"].map(|name| folder.path().join(name));
    for (name, model) in networks::<T>() {
        let inputs = model.network.spec().inputs();
        let mut rng = Rng::new(9);
        let x = Array2::<T>::from_shape_fn((50, inputs), |_| rng.normal(0.0, 2.0));
        let mut bytes = Vec::new();
        x.iter().for_each(|value| value.write_le(&mut bytes));
        fs::write(&path, torch::export(&model).unwrap()).unwrap();
        fs::write(&rows, bytes).unwrap();
        let run = Command::new(python)
            .args(["-c", SCRIPT])
            .args([&path, &rows, &out])
            .arg(inputs.to_string())
            .output()
            .unwrap();
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
        let said: Vec<T> = fs::read(&out).unwrap().chunks_exact(size_of::<T>()).map(T::read_le).collect();
        let own = model.network.predict(x.view()).unwrap();
        assert_eq!(said.len(), own.len(), "{name}");
        let scale = own.iter().map(|v| v.real().abs()).fold(1.0, f64::max);
        let worst = said.iter().zip(&own).map(|(a, b)| (a.real() - b.real()).abs() / scale).fold(0.0, f64::max);
        println!("{name} {}: PyTorch differs by {worst:.1e}", T::NAME);
        assert!(worst <= if T::NAME == "f32" { 1e-6 } else { 1e-13 }, "{name}: {worst:e}");
    }
}

#[test]
fn pytorch_computes_the_same() {
    let Some(python) = std::env::var(PYTHON).ok().filter(|python| !python.is_empty()) else {
        println!("skipped: pytorch_computes_the_same ({PYTHON} names no interpreter)");
        return;
    };
    let has = Command::new(&python).args(["-c", "import torch, numpy"]).output();
    if !has.is_ok_and(|run| run.status.success()) {
        println!("skipped: pytorch_computes_the_same ({python} cannot import torch and numpy)");
        return;
    }
    pytorch::<f32>(&python);
    pytorch::<f64>(&python);
}
