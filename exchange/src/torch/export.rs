//! Writing: begin at [`export`].

use crate::foreign;
use deltarule::activation::Activation;
use deltarule::float::Float;
use deltarule::model::Model;
use deltarule::network::{Network, Norm};
use deltarule::{Error, Result};
use serde_json::{Map, Value, json};

/// A tensor to be written.
struct Tensor {
    name: String,
    dtype: &'static str,
    shape: Vec<usize>,
    /// Little-endian.
    bytes: Vec<u8>,
}

/// The network of a model as safetensors for `load_state_dict` of a PyTorch `nn.Sequential`, which the metadata `sequential` builds.
///
/// Weights are outputs x inputs; norms are modules of their own (`nn.LayerNorm`, `nn.BatchNorm1d` with its running statistics). Numbers
/// keep their bits, and the same model gives the same bytes. Standardised inputs go in; what follows PyTorch's own modules (`exp` and the
/// step, which have none) stands in the metadata `then`.
///
/// **Errors**: a hidden layer with an activation that PyTorch has no module of, naming it; a number that is not finite; no memory.
///
/// ```
/// use deltarule::loss::Loss;
/// use deltarule::model::{Model, plain_target};
/// use deltarule::prelude::*;
///
/// let spec = Spec::mlp(2, &[3], Activation::Relu, 1, Activation::Identity)?;
/// let network = Network::<f32>::new(spec, None, &mut Rng::new(1))?;
/// let target = plain_target(network.spec());
/// let model = Model::of_network(network, None, target, Loss::SquaredError)?;
/// let bytes = deltarule_exchange::torch::export(&model)?;
/// let text = String::from_utf8_lossy(&bytes);
/// assert!(text.contains("nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))"));
/// # Ok::<(), deltarule::Error>(())
/// ```
pub fn export<T: Float>(model: &Model<T>) -> Result<Vec<u8>> {
    let network = &model.network;
    foreign::require_finite(network)?;
    let (modules, tensors, then) = modules(network)?;
    let mut metadata = Map::new();
    metadata.insert("format".into(), "pt".into());
    metadata.insert("inputs".into(), json!(model.input.names()).to_string().into());
    metadata.insert("sequential".into(), format!("nn.Sequential({})", modules.join(", ")).into());
    if let Some(then) = then {
        metadata.insert("then".into(), then.into());
    }
    metadata.insert("written_by".into(), format!("deltarule {}", env!("CARGO_PKG_VERSION")).into());
    write(metadata, tensors)
}

/// The modules as Python, the tensors, and what follows the last module, if PyTorch has none of it.
fn modules<T: Float>(network: &Network<T>) -> Result<(Vec<String>, Vec<Tensor>, Option<&'static str>)> {
    let (mut modules, mut tensors, mut then) = (Vec::new(), Vec::new(), None);
    let layers = network.spec().layers();
    let dtype = if T::NAME == "f32" { "F32" } else { "F64" };
    for (l, layer) in layers.iter().enumerate() {
        let (weights, bias) = (network.weights(l), network.bias(l));
        let mut tensor = |name: String, shape: Vec<usize>, numbers: &mut dyn Iterator<Item = &T>| {
            let mut bytes = Vec::new();
            numbers.for_each(|number| number.write_le(&mut bytes));
            tensors.push(Tensor { name, dtype, shape, bytes });
        };
        let (at, inputs, outputs) = (modules.len(), weights.nrows(), weights.ncols());
        tensor(format!("{at}.weight"), vec![outputs, inputs], &mut weights.t().iter());
        if layer.bias {
            tensor(format!("{at}.bias"), vec![outputs], &mut bias.iter());
        }
        modules.push(format!("nn.Linear({inputs}, {outputs}{})", if layer.bias { "" } else { ", bias=False" }));
        if layer.norm != Norm::None {
            let at = modules.len();
            let named = ["weight", "bias"].into_iter().zip(network.norm(l));
            let named = named.chain(["running_mean", "running_var"].into_iter().zip(network.statistics(l)));
            for (name, numbers) in named.filter(|(_, numbers)| !numbers.is_empty()) {
                tensor(format!("{at}.{name}"), vec![outputs], &mut numbers.iter());
            }
        }
        match layer.norm {
            Norm::None => {}
            Norm::Layer => modules.push(format!("nn.LayerNorm({outputs})")),
            Norm::Batch => {
                // How many batches the running averages are of; PyTorch counts on from here.
                let name = format!("{}.num_batches_tracked", modules.len());
                tensors.push(Tensor { name, dtype: "I64", shape: Vec::new(), bytes: vec![0; 8] });
                modules.push(format!("nn.BatchNorm1d({outputs})"));
            }
            other => {
                return Err(Error::Unsupported(format!("layer {} has {}, which is not written", l + 1, other.name())));
            }
        }
        match (module(layer.activation), after(layer.activation)) {
            (Some(module), _) => modules.extend(module),
            (None, Some(function)) if l + 1 == layers.len() => then = Some(function),
            _ => {
                let why =
                    format!("layer {} has the activation {}, which PyTorch has no module of", l + 1, layer.activation);
                return Err(Error::Unsupported(why));
            }
        }
    }
    Ok((modules, tensors, then))
}

/// PyTorch's module of an activation, none of the identity; nothing if there is no such module.
fn module(activation: Activation) -> Option<Option<String>> {
    Some(Some(match activation {
        Activation::Identity => return Some(None),
        Activation::Sigmoid => "nn.Sigmoid()".into(),
        Activation::Tanh => "nn.Tanh()".into(),
        Activation::Relu => "nn.ReLU()".into(),
        Activation::LeakyRelu { slope } => format!("nn.LeakyReLU({slope:?})"),
        Activation::Elu { alpha } => format!("nn.ELU({alpha:?})"),
        Activation::Selu => "nn.SELU()".into(),
        // From its threshold on PyTorch takes x itself: at 20, its default, that is 2e-9 away, at 40 less than a rounding.
        Activation::Softplus => "nn.Softplus(threshold=40)".into(),
        Activation::Silu => "nn.SiLU()".into(),
        Activation::Gelu => "nn.GELU()".into(),
        Activation::GeluTanh => "nn.GELU(approximate='tanh')".into(),
        Activation::Softmax => "nn.Softmax(dim=1)".into(),
        _ => return None,
    }))
}

/// What follows the last module in its place.
fn after(activation: Activation) -> Option<&'static str> {
    match activation {
        Activation::Exponential => Some("torch.exp(output)"),
        Activation::Step => Some("(output > 0).to(output.dtype)"),
        _ => None,
    }
}

/// The bytes of a file: the header's keys in a fixed order, the widest numbers first, so that every tensor is aligned.
fn write(metadata: Map<String, Value>, mut tensors: Vec<Tensor>) -> Result<Vec<u8>> {
    tensors.sort_by_key(|tensor| tensor.dtype == "F32");
    let mut header = Map::new();
    header.insert("__metadata__".into(), metadata.into());
    let mut end = 0;
    for Tensor { name, dtype, shape, bytes } in &tensors {
        let start = end;
        end += bytes.len();
        header.insert(name.clone(), json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]}));
    }
    let mut header = Value::from(header).to_string();
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    let length = 8 + header.len() + end;
    let mut file = Vec::new();
    file.try_reserve_exact(length)
        .map_err(|_| Error::Memory { what: "the bytes of a safetensors file".into(), bytes: length })?;
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header.as_bytes());
    tensors.iter().for_each(|tensor| file.extend(&tensor.bytes));
    Ok(file)
}
