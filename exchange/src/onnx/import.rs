//! A plain multilayer perceptron from an ONNX file.
//!
//! Imports `columns`, `constant`, `layers`, `messages`, `operators`, `value`, `wire`. Begin reading at [`import`].

use super::columns::Columns;
use super::constant::Constant;
use super::layers::{Form, Layers, Parent, Rows};
use super::messages::{Graph, Model as File, Node, element};
use super::operators::Machine;
use super::value::{self, Value};
use super::wire;
use crate::AnyModel;
use deltarule::activation::Activation;
use deltarule::data::Target;
use deltarule::data::target::Classes;
use deltarule::float::Float;
use deltarule::loss::Loss;
use deltarule::memory;
use deltarule::model::{Input, Model, plain_target};
use deltarule::network::{Layer, Network, Norm, Spec};
use deltarule::{Error, Result};
use prost::Message;
use prost::bytes::Bytes;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

/// The most nodes: a multilayer perceptron has some ten, and with a node for each input column some thousand.
const NODES: usize = 20_000;

/// How many characters of a name a message shows.
const SHOWN: usize = 80;

/// Bytes that are asked for before they are taken.
const LARGE: usize = 16 << 20;

/// How a refusal of a node begins.
const NO_NETWORK: &str = "it is no plain multilayer perceptron";

/// The model of an ONNX file that is a plain multilayer perceptron; `path` is for messages.
///
/// Its nodes may be written as PyTorch, Keras and scikit-learn's converters do, and as [`export`](super::export()) does: `Gemm`, or `MatMul`
/// and `Add`; the activations, as operators or by arithmetic; batch normalisation, which goes into the weights, and layer normalisation;
/// before the first layer what fills, standardises and encodes input columns, which becomes the model's preprocessing; behind the last
/// softmax, a scale and a shift (the target's units) and class names. The model has the type of the weights, `f32` or `f64`; weights that
/// nothing was folded into keep their bits. What the outputs mean is said by [`plain_target`], with the names that the file has. `output` is
/// the activation of a last layer that the file leaves without one, as PyTorch's classifiers do.
///
/// **Errors**: a file that is damaged, or keeps numbers in others, which are never read; one that is no such network, with the first node
/// that is not understood, its number, name and operator.
///
/// **Accuracy**: what is folded into weights is computed in `f64` and rounded once. An activation is recognised by its values, to 2e-6.
pub fn import(bytes: &[u8], path: &Path, output: Option<Activation>) -> Result<AnyModel> {
    read(bytes, output).map_err(|fault| match fault {
        Fault::File(message) => Error::model(path, message),
        Fault::Asked(error) => error,
    })
}

/// Whose fault it is.
enum Fault {
    File(String),
    /// A setting that does not fit the file, or memory.
    Asked(Error),
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::File(message)
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        Self::File(message.into())
    }
}

fn read(bytes: &[u8], output: Option<Activation>) -> std::result::Result<AnyModel, Fault> {
    wire::check(bytes)?;
    if bytes.len() > LARGE {
        // The file again, its numbers as doubles and those once more in another order, and the network.
        memory::require("an ONNX file", 8 * bytes.len() as u128).map_err(Fault::Asked)?;
    }
    let file = File::decode(Bytes::copy_from_slice(bytes)).map_err(|e| format!("it is damaged: {e}"))?;
    let standard =
        file.opset_import.iter().find(|set| matches!(set.domain.as_deref().unwrap_or_default(), "" | "ai.onnx"));
    let version = standard.and_then(|set| set.version).unwrap_or(1);
    let graph = file.graph.ok_or("it has no graph")?;
    let mut machine = Machine { layers: Layers::new(bytes.len()), version };
    let outputs = run(&mut machine, graph)?;
    let network = found(&outputs)?;
    let [program, release] =
        [&file.producer_name, &file.producer_version].map(|text| text.as_deref().unwrap_or_default());
    let producer = shown(format!("{program} {release}").trim());
    // Names that a threshold of a single score chooses between.
    let mut by_sign = false;
    for (_, value) in &outputs {
        if let Value::Label(rows, _) = value {
            by_sign |= matches!(machine.layers.settle(rows), Ok((_, Activation::Step, None)));
        }
    }
    let targets = file
        .metadata_props
        .iter()
        .find(|entry| entry.key.as_deref() == Some("targets"))
        .and_then(|entry| entry.value.as_deref());
    let about = About {
        by_sign,
        labels: outputs
            .iter()
            .find_map(|(_, value)| if let Value::Label(_, labels) = value { Some(labels.clone()) } else { None }),
        targets: targets.and_then(|names| serde_json::from_str(names).ok()),
        training: if producer.is_empty() {
            "imported from ONNX".into()
        } else {
            format!("imported from ONNX, written by {producer}")
        },
    };
    let is_double = chain(&machine.layers, network.stage)
        .iter()
        .any(|&stage| machine.layers.stages[stage].element == element::DOUBLE);
    Ok(match is_double {
        false => AnyModel::F32(model(&mut machine.layers, &network, about, output)?),
        true => AnyModel::F64(model(&mut machine.layers, &network, about, output)?),
    })
}

/// Runs the graph; its outputs by their names.
fn run(machine: &mut Machine, graph: Graph) -> std::result::Result<Vec<(String, Value)>, String> {
    if graph.node.len() > NODES {
        return Err(format!("it has {} nodes, expected at most {NODES}", graph.node.len()));
    }
    let mut values: HashMap<String, Value> = HashMap::new();
    for tensor in graph.initializer {
        let name = tensor.name.clone().unwrap_or_default();
        let value = match Constant::read(tensor) {
            Ok(constant) => Value::Constant(Rc::new(constant)),
            Err(why) => Value::Unknown(format!("the constant '{}': {why}", shown(&name)).into()),
        };
        values.insert(name, value);
    }
    for input in graph.input {
        let name = input.name.unwrap_or_default();
        // Old files name their constants as inputs too.
        if values.contains_key(&name) {
            continue;
        }
        let tensor = input.r#type.and_then(|t| t.tensor_type);
        let value = match tensor.as_ref().and_then(|tensor| tensor.elem_type) {
            Some(element::FLOAT | element::DOUBLE) => {
                let dims = tensor.and_then(|tensor| tensor.shape).map(|shape| shape.dim);
                let width = dims
                    .as_deref()
                    .and_then(|dims| if let [_, width] = dims { usize::try_from(width.dim_value?).ok() } else { None });
                let rows = dims.as_deref().and_then(|dims| dims.first()?.dim_value);
                let flat = dims.is_none_or(|dims| dims.len() == 2);
                Value::Columns(Rc::new(Columns::numbers(&name, width.filter(|&width| width > 0), flat).of_rows(rows)))
            }
            Some(element::STRING) => Value::Text(name.as_str().into()),
            Some(other) => Value::Unknown(
                format!("the input '{name}' is of the type {}, expected float, double or string", element::name(other))
                    .into(),
            ),
            None => Value::Unknown(format!("the input '{}' is no tensor", shown(&name)).into()),
        };
        values.insert(name, value);
    }
    let count = graph.node.len();
    for (i, mut node) in graph.node.into_iter().enumerate() {
        let outputs = std::mem::take(&mut node.output);
        let named = described(&node, i, count);
        let inputs: std::result::Result<Vec<Option<Value>>, String> = node
            .input
            .iter()
            .map(|name| {
                if name.is_empty() {
                    Ok(None)
                } else {
                    values
                        .get(name)
                        .cloned()
                        .map(Some)
                        .ok_or_else(|| format!("its input '{}' is not there", shown(name)))
                }
            })
            .collect();
        let named: Rc<str> = named.into();
        let value = match inputs.and_then(|inputs| machine.run(node, &inputs)) {
            Ok(Value::Rows(rows)) => Value::Rows(Rows { made: Some(named.clone()), ..rows }),
            Ok(value) => value,
            Err(why) => {
                let blamed = machine.layers.blamed.take().unwrap_or_else(|| named.clone());
                Value::Unknown(format!("{blamed}: {why}").into())
            }
        };
        let mut outputs = outputs.into_iter();
        if let Some(first) = outputs.next() {
            values.insert(first, value);
        }
        for other in outputs.filter(|name| !name.is_empty()) {
            values.insert(other, Value::Unknown(format!("{named}: its second output").into()));
        }
    }
    let output = |info: super::messages::ValueInfo| {
        let name = info.name.unwrap_or_default();
        let value = values.get(&name).cloned().ok_or_else(|| format!("its output '{}' is not there", shown(&name)))?;
        Ok((name, value))
    };
    graph.output.into_iter().map(output).collect()
}

/// A text of a file as messages show it: shortened. A name may be as long as the file.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

/// A node, for messages: its number, name and operator.
fn described(node: &Node, i: usize, count: usize) -> String {
    let domain = node
        .domain
        .as_deref()
        .filter(|domain| !domain.is_empty())
        .map(|domain| format!("{}.", shown(domain)))
        .unwrap_or_default();
    let name = node
        .name
        .as_deref()
        .filter(|name| !name.is_empty())
        .map(|name| format!(" '{}'", shown(name)))
        .unwrap_or_default();
    format!("node {} of {count}{name}, {domain}{}", i + 1, shown(node.op_type.as_deref().unwrap_or("of no operator")))
}

/// The outputs of the network, among those of the graph.
fn found(outputs: &[(String, Value)]) -> std::result::Result<Rows, String> {
    let mut network: Option<(&str, &Rows)> = None;
    for (name, value) in outputs {
        let rows = match value {
            Value::Rows(rows) => rows,
            Value::Unknown(why) => return Err(format!("{NO_NETWORK}: {why}")),
            Value::Label(rows, _) | Value::Of(value::About::Place, rows) => rows,
            _ => return Err(format!("its output '{}' is not what a network gives", shown(name))),
        };
        match network {
            // Rows say more than what is known of them.
            Some((_, before)) if before.stage == rows.stage => {
                if let Value::Rows(rows) = value {
                    network = Some((name, rows));
                }
            }
            Some((before, _)) => {
                return Err(format!("it has two networks, of the outputs '{}' and '{}'", shown(before), shown(name)));
            }
            None => network = Some((name, rows)),
        }
    }
    network.map(|(_, rows)| rows.clone()).ok_or_else(|| "it has no output".into())
}

/// What else a file says.
struct About {
    by_sign: bool,
    labels: Option<Rc<Vec<String>>>,
    targets: Option<Vec<String>>,
    training: String,
}

/// The stages that lead to this one, first to last.
fn chain(layers: &Layers, last: usize) -> Vec<usize> {
    let mut stages = vec![last];
    let mut at = last;
    while let Parent::Layer(before, _) = layers.stages[at].parent {
        stages.push(before);
        at = before;
    }
    stages.reverse();
    stages
}

fn model<T: Float>(
    layers: &mut Layers,
    rows: &Rows,
    about: About,
    asked: Option<Activation>,
) -> std::result::Result<Model<T>, Fault> {
    let settled = layers.settle(rows).map_err(|why| {
        let blamed = layers.blamed.take().unwrap_or_default();
        format!("{NO_NETWORK}: {blamed}: {why}")
    });
    let (stage, mut activation, line) = settled?;
    let line = line.map(Rc::unwrap_or_clone);
    if let Some(asked) = asked {
        if activation != Activation::Identity || line.is_some() {
            let expected = format!("none, for the last layer of the file has {activation}");
            return Err(Fault::Asked(Error::setting("--output-activation", expected, asked)));
        }
        activation = asked;
    }
    let stages = chain(layers, stage);
    let mut spec = Vec::with_capacity(stages.len());
    let mut params: Vec<T> = Vec::new();
    for (l, &stage) in stages.iter().enumerate() {
        let next = stages.get(l + 1).map(|&next| &layers.stages[next].parent);
        let activation = if let Some(Parent::Layer(_, activation)) = next { *activation } else { activation };
        let stage = &layers.stages[stage];
        let norm = if stage.norm.is_some() { Norm::Layer } else { Norm::None };
        spec.push(Layer { outputs: stage.outputs, bias: stage.bias.is_some(), activation, norm });
        let factors = stage.factor.as_deref();
        for row in stage.weights.chunks_exact(stage.outputs) {
            params.extend(
                row.iter().enumerate().map(|(unit, &w)| T::from_f64(factors.map_or(w, |factors| w * factors[unit]))),
            );
        }
        // One number may stand for all.
        let lists = stage.bias.iter().chain(stage.norm.iter().flatten());
        lists.for_each(|list| {
            params
                .extend((0..stage.outputs).map(|unit| T::from_f64(if let [one] = list[..] { one } else { list[unit] })))
        });
    }
    let inputs = layers.stages[stages[0]].inputs;
    let Parent::Columns(columns) = &layers.stages[stages[0]].parent else {
        return Err("its first layer has no input columns".into());
    };
    let features = columns.features()?;
    let spec = Spec::new(inputs, spec).map_err(|e| format!("its network: {e}"))?;
    if let Some(bad) = params.iter().position(|p| !p.is_finite()) {
        return Err(format!("{} is {}, expected a finite number", spec.parameter_name(bad), params[bad]).into());
    }
    let target = target(&spec, rows, &about, line)?;
    let loss = loss(&target, activation);
    let network = Network::from_params(spec, params).map_err(Fault::Asked)?;
    let mut model = Model::of_network(network, None, target, loss).map_err(|e| e.to_string())?;
    model.input = Input::Table(features);
    model.provenance.training = about.training;
    Ok(model)
}

/// What the outputs mean: what their activation says, and the file's class names, units and columns.
fn target(spec: &Spec, rows: &Rows, about: &About, line: Option<[Vec<f64>; 2]>) -> std::result::Result<Target, String> {
    let outputs = spec.outputs();
    let mut target = plain_target(spec);
    let labels = about.labels.as_deref().map_or(&[][..], Vec::as_slice);
    // A last one that is empty is for rows that are NaN.
    let named = |count: usize| match labels.split_at_checked(count) {
        Some((labels, rest)) if rest.is_empty() || rest == [""] => Some(labels),
        _ => None,
    };
    let whole = |count: usize| {
        Target::Classes(Classes { name: "label".into(), labels: (0..count).map(|class| class.to_string()).collect() })
    };
    let chosen = named(outputs).is_some() && outputs > 1;
    let is_score = spec.layers().last().is_some_and(|layer| layer.activation == Activation::Identity);
    if rows.scaled || chosen {
        target = whole(outputs);
    } else if outputs == 1 && is_score && about.by_sign && named(2).is_some() {
        target = whole(2);
    }
    match &mut target {
        Target::Classes(classes) => {
            if let Some(labels) = named(classes.labels.len()) {
                classes.labels = labels.to_vec();
            }
        }
        Target::Labels(columns) => {
            if let Some(labels) = named(2 * columns.len()) {
                columns.iter_mut().zip(labels.chunks(2)).for_each(|(column, labels)| column.labels = labels.to_vec());
            }
        }
        Target::Number(_) | Target::Numbers(_) => {}
    }
    if let Some([scale, shift]) = line {
        let at = |list: &[f64], i: usize| if let [one] = list { *one } else { list[i] };
        let numbers: Vec<_> = match &mut target {
            Target::Number(number) => vec![number],
            Target::Numbers(numbers) => numbers.iter_mut().collect(),
            _ => return Err("its probabilities are scaled or shifted".into()),
        };
        for (i, number) in numbers.into_iter().enumerate() {
            (number.scale, number.mean) = (at(&scale, i), at(&shift, i));
        }
    }
    if let Some(names) = about.targets.as_ref().filter(|names| names.len() == target.names().len()) {
        let places: Vec<&mut String> = match &mut target {
            Target::Classes(classes) => vec![&mut classes.name],
            Target::Number(number) => vec![&mut number.name],
            Target::Labels(columns) => columns.iter_mut().map(|column| &mut column.name).collect(),
            Target::Numbers(columns) => columns.iter_mut().map(|column| &mut column.name).collect(),
        };
        places.into_iter().zip(names).for_each(|(place, name)| place.clone_from(name));
    }
    if let Form::Pair(_) = rows.form
        && outputs != 1
    {
        return Err("two probabilities of more than one output".into());
    }
    target.check()?;
    Ok(target)
}

/// The loss that goes with the outputs: nothing in the file says which it was.
fn loss(target: &Target, activation: Activation) -> Loss {
    match (target, activation) {
        (Target::Classes(_) | Target::Labels(_), Activation::Softmax) => Loss::SoftmaxCrossEntropy,
        (Target::Classes(_) | Target::Labels(_), Activation::Sigmoid) => Loss::LogisticCrossEntropy,
        (Target::Classes(_) | Target::Labels(_), Activation::Identity) => Loss::Hinge,
        (Target::Number(_) | Target::Numbers(_), Activation::Exponential) => Loss::Poisson,
        _ => Loss::SquaredError,
    }
}
