//! A model as ONNX: preprocessing, network, and what its outputs say.
//!
//! Imports `messages`, `graph`, `activations`. Begin reading at [`export`].

use super::activations::activation;
use super::graph::{Builder, ML, element_of, entry, float, int, ints, texts};
use super::messages::{Model as File, OperatorSet, element};
use deltarule::activation::Activation;
use deltarule::data::Target;
use deltarule::data::cell::{Cell, MISSING};
use deltarule::data::features::{Feature, Kind};
use deltarule::float::Float;
use deltarule::kernel::layer_norm::EPSILON;
use deltarule::memory;
use deltarule::model::{Input, Model};
use deltarule::network::{Network, Norm};
use deltarule::{Error, Result};
use prost::Message;

/// The version of the file's form that goes with the operators: that of ONNX 1.15, of 2023.
const IR_VERSION: i64 = 9;
/// The operators: `Gelu` is of 20.
const OPERATORS: i64 = 20;
/// Those for tables and classes.
const ML_OPERATORS: i64 = 3;
/// What a protocol buffer can hold.
const LIMIT: u64 = (1 << 31) - 1;

/// How a model is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// One input `x`, rows x columns, and not one for each column. The columns must be numbers. Models of images, and of columns that have
    /// no names, have it anyway.
    pub one_input: bool,
}

/// The whole pipeline as the bytes of an ONNX file, for ONNX Runtime and others: operators of version 20, weights inline.
///
/// **Inputs**: of a table one for each column, by its name, rows x 1: texts for categories, and for numbers doubles, which are standardised
/// as doubles like everywhere in this library; of images, of a matrix, or if [asked for](Options::one_input), `x`, rows x columns. Numbers
/// that are not standardised have the model's type, and so have pixels. What stands for a missing cell is put by the file: for NaN, and for
/// the texts of [`MISSING`].
///
/// **Outputs**: of classes `label`, a text for each row, and `probabilities`, rows x classes; of scores, which are no probabilities,
/// `scores` as the network has them; of several labels both as rows x labels, with the probability of each column's second class; of
/// numbers `prediction`, rows x numbers, in their own units, as doubles if they were standardised. Where a column has such a name, a number
/// is put behind it. A row with NaN in it has the label "" and NaN for the others; a category that training did not know is an error
/// of the runtime.
///
/// **Errors**: more than 2 GiB; one input for columns of texts.
///
/// ```
/// use deltarule::prelude::*;
/// use deltarule::model::{Model, plain_target};
/// use deltarule_exchange::onnx;
///
/// let spec = Spec::mlp(2, &[3], Activation::Tanh, 2, Activation::Softmax)?;
/// let network = Network::<f32>::new(spec, None, &mut Rng::new(1))?;
/// let target = plain_target(network.spec());
/// let model = Model::of_network(network, None, target, Loss::SoftmaxCrossEntropy)?;
/// let file = onnx::export(&model, onnx::Options::default())?;
/// assert!(file.len() < 2000);
/// # Ok::<(), deltarule::Error>(())
/// ```
pub fn export<T: Float>(model: &Model<T>, options: Options) -> Result<Vec<u8>> {
    let network = model.network.folded()?;
    let bytes = size_of_val(network.state()) as u64;
    let too_large = |bytes: u64| {
        Err(Error::Unsupported(format!("an ONNX file holds at most {LIMIT} bytes, this would have {bytes}")))
    };
    if bytes > LIMIT {
        return too_large(bytes);
    }
    // The numbers again as constants, and those in the file.
    memory::require("an ONNX file", 3 * u128::from(bytes))?;
    let mut g = Builder::default();
    let encoded = inputs::<T>(&mut g, &model.input, options)?;
    let outputs = layers(&mut g, &network, encoded)?;
    let last = network.spec().layers().last().map(|layer| layer.activation);
    say::<T>(&mut g, &model.target, last, network.spec().outputs(), &outputs);
    let file = File {
        ir_version: Some(IR_VERSION),
        producer_name: Some("deltarule".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        model_version: Some(1),
        doc_string: Some(provenance(model)),
        graph: Some(g.finish("deltarule")),
        opset_import: [("", OPERATORS), (ML, ML_OPERATORS)]
            .map(|(domain, version)| OperatorSet { domain: Some(domain.into()), version: Some(version) })
            .to_vec(),
        metadata_props: vec![
            entry("parameters_sha256", model.parameters_sha256()),
            entry("dtype", T::NAME),
            entry("network", model.network.spec().architecture()),
            entry("loss", model.loss.to_string()),
            entry("targets", serde_json::to_string(&model.target.names()).unwrap_or_default()),
        ],
    };
    match file.encoded_len() as u64 {
        bytes if bytes > LIMIT => too_large(bytes),
        _ => Ok(file.encode_to_vec()),
    }
}

/// Where a model comes from, in words.
fn provenance<T: Float>(model: &Model<T>) -> String {
    let p = &model.provenance;
    let predicts = model.target.names().join(", ");
    match p.rows {
        0 => format!("predicts {predicts}; {}", p.training),
        rows => format!(
            "predicts {predicts}; trained on {rows} rows of {}, {} epochs, seed {}: {}; deltarule {}",
            p.data, p.epochs, p.seed, p.training, p.version
        ),
    }
}

/// From raw rows to the network's inputs.
fn inputs<T: Float>(g: &mut Builder, input: &Input, options: Options) -> Result<String> {
    let features = match input {
        Input::Images { height, width } => {
            let x = g.input("x", element_of::<T>(), height * width);
            let most = g.number::<T>("white", 255.0);
            return Ok(g.node("Div", &[&x, &most], Vec::new(), "pixels"));
        }
        Input::Table(features) => features,
    };
    let text = features.columns.iter().find(|column| matches!(column.kind, Kind::Category { .. }));
    if let (Some(column), true) = (text, options.one_input) {
        let found = format!("'{}', of texts", column.name);
        return Err(Error::setting("one input", "columns of numbers", found));
    }
    let element = match features.columns.iter().all(is_plain) {
        true => element_of::<T>(),
        false => element::DOUBLE,
    };
    if options.one_input || text.is_none() && !features.header {
        let x = g.input("x", element, features.columns.len());
        return Ok(numbers::<T>(g, &features.columns, x, element));
    }
    // Names first: what is made of them may have none of theirs.
    let named: Vec<String> = features.columns.iter().map(|column| named_input(g, column, element)).collect();
    let mut parts = Vec::new();
    let mut at = 0;
    // Columns of numbers that stand together are one matrix.
    for run in features.columns.chunk_by(|a, b| is_number(a) && is_number(b)) {
        let names = &named[at..at + run.len()];
        at += run.len();
        parts.push(match &run[0].kind {
            Kind::Number { .. } => {
                let x = g.beside(names, "numbers");
                numbers::<T>(g, run, x, element)
            }
            Kind::Category { levels, fill } => category::<T>(g, &names[0], levels, fill.as_deref()),
        });
    }
    Ok(g.beside(&parts, "encoded"))
}

fn named_input(g: &mut Builder, column: &Feature, number: i32) -> String {
    let wanted = if column.name.is_empty() { format!("column {}", column.position + 1) } else { column.name.clone() };
    g.input(&wanted, if is_number(column) { number } else { element::STRING }, 1)
}

fn is_number(column: &Feature) -> bool {
    matches!(column.kind, Kind::Number { .. })
}

/// Whether a column needs no arithmetic.
fn is_plain(column: &Feature) -> bool {
    matches!(column.kind, Kind::Category { .. } | Kind::Number { mean: 0.0, scale: 1.0, fill: None })
}

/// Columns of numbers, filled and standardised as doubles, then in the network's type.
fn numbers<T: Float>(g: &mut Builder, columns: &[Feature], x: String, element: i32) -> String {
    let kinds: Vec<(f64, f64, Option<f64>)> = columns
        .iter()
        .filter_map(|column| match column.kind {
            Kind::Number { mean, scale, fill } => Some((mean, scale, fill)),
            Kind::Category { .. } => None,
        })
        .collect();
    let width = [kinds.len()];
    let mut x = x;
    if kinds.iter().any(|(.., fill)| fill.is_some()) {
        let fills = g.numbers::<f64>("fill", &width, kinds.iter().map(|(.., fill)| fill.unwrap_or(f64::NAN)));
        let missing = g.node("IsNaN", &[&x], Vec::new(), "missing");
        x = g.node("Where", &[&missing, &fills, &x], Vec::new(), "filled");
    }
    if !columns.iter().all(is_plain) {
        let mean = g.numbers::<f64>("mean", &width, kinds.iter().map(|(mean, ..)| *mean));
        let scale = g.numbers::<f64>("scale", &width, kinds.iter().map(|(_, scale, _)| *scale));
        x = g.node("Sub", &[&x, &mean], Vec::new(), "centred");
        x = g.node("Div", &[&x, &scale], Vec::new(), "standardised");
    }
    if element == element_of::<T>() { x } else { g.cast(&x, element_of::<T>(), "standardised") }
}

/// A column of texts, one-hot.
fn category<T: Float>(g: &mut Builder, name: &str, levels: &[String], fill: Option<&str>) -> String {
    let known = levels.iter().map(String::as_str);
    let (from, categories) = match fill.and_then(|fill| levels.iter().position(|level| level == fill)) {
        None => (name.to_string(), texts("cats_strings", known)),
        // Texts become their places; what is missing that of the fill, and what is unknown one that the next node refuses.
        Some(fill) => {
            let missing = missing();
            let keys = known.chain(missing.iter().map(String::as_str));
            let places = (0..levels.len() as i64).chain(missing.iter().map(|_| fill as i64)).collect();
            let attributes = vec![texts("keys_strings", keys), ints("values_int64s", places), int("default_int64", -1)];
            let places = g.node_of(ML, "LabelEncoder", &[name], attributes, &format!("{name}.level"));
            (places, ints("cats_int64s", (0..levels.len() as i64).collect()))
        }
    };
    // With zeros, an unknown text would be no category at all.
    let attributes = vec![categories, int("zeros", 0)];
    let encoded = g.node_of(ML, "OneHotEncoder", &[&from], attributes, &format!("{name}.one_hot"));
    let axes = g.integers("axes", &[1], &[1]);
    let encoded = g.node("Squeeze", &[&encoded, &axes], Vec::new(), &format!("{name}.encoded"));
    match element_of::<T>() {
        element::FLOAT => encoded,
        wide => g.cast(&encoded, wide, &format!("{name}.encoded")),
    }
}

/// The texts that mean that there is none: [`MISSING`], and every spelling of NaN.
fn missing() -> Vec<String> {
    let mut found: Vec<String> = MISSING.iter().map(ToString::to_string).collect();
    for sign in ["", "+", "-"] {
        for cases in 0..8 {
            let letter = |(i, c): (usize, char)| if cases >> i & 1 == 1 { c.to_ascii_uppercase() } else { c };
            let text = sign.to_string() + &"nan".chars().enumerate().map(letter).collect::<String>();
            if Cell::parse(&text) == Cell::Missing && !found.contains(&text) {
                found.push(text);
            }
        }
    }
    found
}

/// The network, from its inputs to its outputs.
fn layers<T: Float>(g: &mut Builder, network: &Network<T>, encoded: String) -> Result<String> {
    let mut x = encoded;
    for (l, layer) in network.spec().layers().iter().enumerate() {
        let (weights, bias) = (network.weights(l), network.bias(l));
        let (inputs, outputs) = weights.dim();
        // Outputs x inputs, as PyTorch's exporter has it.
        let w = g.numbers(&format!("{l}.weight"), &[outputs, inputs], weights.t().iter().copied());
        let mut operands = vec![x.as_str(), &w];
        let b = layer.bias.then(|| g.numbers(&format!("{l}.bias"), &[outputs], bias.iter().copied()));
        operands.extend(b.as_deref());
        let mut z = g.node("Gemm", &operands, vec![int("transB", 1)], &format!("layer {}.sums", l + 1));
        if layer.norm == Norm::Layer {
            z = layer_norm(g, network, l, &z);
        }
        x = activation::<T>(g, layer.activation, &z, &format!("layer {}.{}", l + 1, layer.activation.name()))?;
    }
    Ok(x)
}

/// Layer normalisation; of doubles by arithmetic, for an operator's epsilon is a single-precision number.
fn layer_norm<T: Float>(g: &mut Builder, network: &Network<T>, l: usize, z: &str) -> String {
    let [scale, shift] = network.norm(l);
    let wanted = format!("layer {}.normalised", l + 1);
    let width = [scale.len()];
    let scale = g.numbers(&format!("{l}.norm.weight"), &width, scale.iter().copied());
    let shift = g.numbers(&format!("{l}.norm.bias"), &width, shift.iter().copied());
    if element_of::<T>() == element::FLOAT {
        let attributes = vec![int("axis", -1), float("epsilon", EPSILON)];
        return g.node("LayerNormalization", &[z, &scale, &shift], attributes, &wanted);
    }
    let axes = g.integers("axes", &[1], &[1]);
    let mut node = |operator: &str, inputs: &[&str]| g.node(operator, inputs, Vec::new(), &wanted);
    let mean = node("ReduceMean", &[z, &axes]);
    let centred = node("Sub", &[z, &mean]);
    let square = node("Mul", &[&centred, &centred]);
    let variance = node("ReduceMean", &[&square, &axes]);
    let epsilon = g.number::<T>("epsilon", EPSILON);
    let mut node = |operator: &str, inputs: &[&str]| g.node(operator, inputs, Vec::new(), &wanted);
    let sum = node("Add", &[&variance, &epsilon]);
    let deviation = node("Sqrt", &[&sum]);
    let normalised = node("Div", &[&centred, &deviation]);
    let scaled = node("Mul", &[&normalised, &scale]);
    node("Add", &[&scaled, &shift])
}

/// What the network's outputs say of the target.
fn say<T: Float>(g: &mut Builder, target: &Target, last: Option<Activation>, width: usize, outputs: &str) {
    let element = element_of::<T>();
    let is_scores = last == Some(Activation::Identity);
    // Threshold units choose, and what they give are no probabilities.
    let told = if is_scores || last == Some(Activation::Step) { "scores" } else { "probabilities" };
    match target {
        Target::Number(_) | Target::Numbers(_) => {
            let columns = target.number_columns();
            if columns.iter().all(|column| column.mean == 0.0 && column.scale == 1.0) {
                return g.output("prediction", outputs, element, Some(width));
            }
            let mut y = outputs.to_string();
            if element != element::DOUBLE {
                y = g.cast(&y, element::DOUBLE, "output");
            }
            let scale = g.numbers("target.scale", &[width], columns.iter().map(|column| column.scale));
            let mean = g.numbers("target.mean", &[width], columns.iter().map(|column| column.mean));
            let scaled = g.node("Mul", &[&y, &scale], Vec::new(), "scaled");
            let number = g.node("Add", &[&scaled, &mean], Vec::new(), "number");
            g.output("prediction", &number, element::DOUBLE, Some(width));
        }
        Target::Labels(columns) => {
            let half = g.number::<T>("threshold", if is_scores { 0.0 } else { 0.5 });
            let has = g.node("Greater", &[outputs, &half], Vec::new(), "has");
            let place = g.cast(&has, element::INT64, "has");
            let firsts: Vec<i64> = (0..width as i64).map(|column| 2 * column).collect();
            let firsts = g.integers("first", &[width], &firsts);
            let place = g.node("Add", &[&place, &firsts], Vec::new(), "place");
            let missing = g.node("IsNaN", &[outputs], Vec::new(), "missing");
            let labels = columns.iter().flat_map(|column| &column.labels);
            let label = label(g, labels, &missing, &place);
            g.output("label", &label, element::STRING, Some(width));
            g.output(told, outputs, element, Some(width));
        }
        Target::Classes(classes) => {
            let count = classes.labels.len();
            let known =
                if told == "scores" { outputs.to_string() } else { probabilities::<T>(g, last, width, count, outputs) };
            let axes = g.integers("axes", &[1], &[1]);
            let place = if told == "scores" && width == 1 {
                // Scores lie around 0, and threshold units give 0 or 1.
                let threshold = g.number::<T>("threshold", 0.0);
                let second = g.node("Greater", &[&known, &threshold], Vec::new(), "second");
                let second = g.cast(&second, element::INT64, "second");
                g.node("Squeeze", &[&second, &axes], Vec::new(), "place")
            } else {
                g.node("ArgMax", &[&known], vec![int("axis", 1), int("keepdims", 0)], "place")
            };
            let sum = g.node("ReduceSum", &[&known, &axes], vec![int("keepdims", 0)], "sum");
            let missing = g.node("IsNaN", &[&sum], Vec::new(), "missing");
            let label = label(g, classes.labels.iter(), &missing, &place);
            g.output("label", &label, element::STRING, None);
            let columns = if told == "scores" { width } else { count };
            g.output(told, &known, element, Some(columns));
        }
    }
}

/// The probabilities of `count` classes: of one output those of both, of independent ones scaled to the sum 1.
fn probabilities<T: Float>(
    g: &mut Builder,
    last: Option<Activation>,
    width: usize,
    count: usize,
    outputs: &str,
) -> String {
    if width == 1 && count == 2 {
        let one = g.number::<T>("one", 1.0);
        let other = g.node("Sub", &[&one, outputs], Vec::new(), "other");
        return g.beside(&[other, outputs.to_string()], "known");
    }
    if last == Some(Activation::Softmax) {
        return outputs.to_string();
    }
    let axes = g.integers("axes", &[1], &[1]);
    let sum = g.node("ReduceSum", &[outputs, &axes], Vec::new(), "total");
    let (zero, share) = (g.number::<T>("zero", 0.0), g.number::<T>("share", 1.0 / count as f64));
    let none = g.node("Equal", &[&sum, &zero], Vec::new(), "none");
    let quotient = g.node("Div", &[outputs, &sum], Vec::new(), "scaled");
    g.node("Where", &[&none, &share, &quotient], Vec::new(), "known")
}

/// The text at each place, and "" where something is missing.
fn label<'a>(g: &mut Builder, labels: impl Iterator<Item = &'a String>, missing: &str, place: &str) -> String {
    let labels: Vec<&str> = labels.map(String::as_str).chain([""]).collect();
    let behind = g.integers("behind", &[], &[labels.len() as i64 - 1]);
    let labels = g.texts("labels", labels.into_iter());
    let place = g.node("Where", &[missing, &behind, place], Vec::new(), "place");
    g.node("Gather", &[&labels, &place], Vec::new(), "text")
}
