//! Networks of FANN, the Fast Artificial Neural Network library: its text files of floating-point numbers, formats 2.0 and 2.1.
//!
//! ```text
//! FANN_FLO_2.1
//! num_layers=3
//! network_type=0
//! layer_sizes=3 4 2                                   each with its bias neuron: 2 inputs, 3 hidden units, 1 output
//! scale_included=0
//! neurons (num_inputs, activation_function, activation_steepness)=(0, 0, 0.0e+00) ...
//! connections (connected_to_neuron, weight)=(0, -1.5e+00) ...
//! ```
//!
//! A neuron's value is `f(s z)`, with `z` the weighted sum of the layer before (whose last neuron is 1, the bias) and `s` its steepness,
//! which is folded into the weights. Of FANN's twenty functions six are ours: `LINEAR` is the identity; `SIGMOID`, `1 / (1 + e^(-2 s z))`,
//! the sigmoid of `2 s z`; `SIGMOID_SYMMETRIC` the hyperbolic tangent of `s z`; `LINEAR_PIECE_RECT` and `LINEAR_PIECE_RECT_LEAKY` the two
//! rectifiers. The others are refused by name.
//!
//! Where a file has scaling parameters, they become part of the model: inputs go in and outputs come out in their own units, as FANN does
//! between `fann_scale_input` and `fann_descale_output`.
//!
//! Begin reading at [`import`].

use crate::{AnyModel, foreign};
use deltarule::activation::Activation;
use deltarule::data::Target;
use deltarule::data::features::Kind;
use deltarule::data::target::Number;
use deltarule::float::Float;
use deltarule::model::{Input, Model};
use deltarule::network::{Layer, Network, Spec};
use deltarule::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// A file as its entries, each with the number of its line.
struct Entries<'a> {
    file: String,
    found: HashMap<&'a str, (u64, &'a str)>,
}

/// A neuron of the file.
struct Neuron {
    inputs: usize,
    function: usize,
    steepness: f64,
}

/// What FANN calls its functions, by their numbers in a file.
const FUNCTIONS: [&str; 20] = [
    "LINEAR",
    "THRESHOLD",
    "THRESHOLD_SYMMETRIC",
    "SIGMOID",
    "SIGMOID_STEPWISE",
    "SIGMOID_SYMMETRIC",
    "SIGMOID_SYMMETRIC_STEPWISE",
    "GAUSSIAN",
    "GAUSSIAN_SYMMETRIC",
    "GAUSSIAN_STEPWISE",
    "ELLIOT",
    "ELLIOT_SYMMETRIC",
    "LINEAR_PIECE",
    "LINEAR_PIECE_SYMMETRIC",
    "SIN_SYMMETRIC",
    "COS_SYMMETRIC",
    "SIN",
    "COS",
    "LINEAR_PIECE_RECT",
    "LINEAR_PIECE_RECT_LEAKY",
];

const NEURONS: &str = "neurons (num_inputs, activation_function, activation_steepness)";
const CONNECTIONS: &str = "connections (connected_to_neuron, weight)";

/// Reads a network of FANN's; `path` is for messages.
///
/// The model is of single precision if that holds every number of it exactly, else of double. Its outputs mean what their activation says
/// ([`deltarule::model::plain_target`]); with scaling parameters they are numbers. FANN cuts the weighted sum of a neuron off at ±150 over
/// its steepness, which this does not.
///
/// **Errors** name file, line, key and value: other formats (fixed point, 1.1); shortcut and sparse networks; functions that are none of
/// ours, or several in one layer; numbers that are none. Nothing is allocated beyond a small multiple of the file's length.
pub fn import(bytes: &[u8], path: &Path) -> Result<AnyModel> {
    let file = path.display().to_string();
    let text = std::str::from_utf8(bytes).map_err(|e| {
        Error::data(&file, format!("expected a text of FANN's, found other bytes at {}", e.valid_up_to()))
    })?;
    let entries = Entries::read(file, text)?;
    let sizes = entries.sizes()?;
    let neurons = entries.neurons(&sizes)?;
    let layers = layers(&entries, &sizes, &neurons)?;
    let parameters = entries.parameters(&sizes, &neurons)?;
    let scales = entries.scales(&sizes)?;
    // `as f32` rounds; what comes back unchanged was a number of single precision.
    if parameters.iter().all(|&value| f64::from(value as f32) == value) {
        Ok(AnyModel::F32(model(layers, sizes[0] - 1, parameters, scales)?))
    } else {
        Ok(AnyModel::F64(model(layers, sizes[0] - 1, parameters, scales)?))
    }
}

/// Where such a model comes from.
const FROM: &str = "a network of FANN's";

/// Offset and divisor of each column that is scaled.
type Scales = Vec<(f64, f64)>;

fn model<T: Float>(
    layers: Vec<Layer>,
    inputs: usize,
    parameters: Vec<f64>,
    scales: Option<[Scales; 2]>,
) -> Result<Model<T>> {
    let spec = Spec::new(inputs, layers)?;
    let network = Network::from_params(spec, parameters.into_iter().map(T::from_f64).collect())?;
    let Some([of_inputs, of_outputs]) = scales else { return foreign::model(network, FROM) };
    let several = of_outputs.len() > 1;
    let number = |(i, &(mean, scale)): (usize, &(f64, f64))| {
        let name = if several { format!("target {}", i + 1) } else { "target".into() };
        Number { name, mean, scale }
    };
    let mut numbers: Vec<Number> = of_outputs.iter().enumerate().map(number).collect();
    let target = if several { Target::Numbers(numbers) } else { Target::Number(numbers.remove(0)) };
    let mut model = foreign::model_of(network, target, FROM)?;
    if let Input::Table(features) = &mut model.input {
        for (column, (mean, scale)) in features.columns.iter_mut().zip(of_inputs) {
            column.kind = Kind::Number { mean, scale, fill: None };
        }
    }
    Ok(model)
}

impl<'a> Entries<'a> {
    /// Splits a text into lines of `key=value`.
    fn read(file: String, text: &'a str) -> Result<Self> {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default().trim_end();
        let other = |what: &str| {
            Err(Error::data_at(
                &file,
                1,
                None,
                format!("{what}: expected FANN_FLO_2.1 or FANN_FLO_2.0, found '{}'", short(first)),
            ))
        };
        match first {
            "FANN_FLO_2.0" | "FANN_FLO_2.1" => {}
            _ if first.starts_with("FANN_FIX") => {
                return other("a network of fixed-point numbers, which FANN makes of one of floating-point numbers");
            }
            _ if first.starts_with("FANN_FLO_1") => return other("an older format, which FANN 2 reads and saves anew"),
            _ => return other("the first line is none of FANN's"),
        }
        let mut found = HashMap::new();
        for (number, line) in (2..).zip(lines).filter(|(_, line)| !line.trim().is_empty()) {
            let Some((key, value)) = line.split_once('=') else {
                return Err(Error::data_at(
                    &file,
                    number,
                    None,
                    format!("expected key=value, found '{}'", short(line)),
                ));
            };
            if found.insert(key, (number, value.trim())).is_some() {
                return Err(Error::data_at(&file, number, None, format!("{} stands there twice", short(key))));
            }
        }
        Ok(Self { file, found })
    }

    /// A fault in the line of a key.
    fn fault(&self, key: &str, message: impl std::fmt::Display) -> Error {
        let line = self.found.get(key).map(|(line, _)| *line);
        let message = format!("{key}: {message}");
        line.map_or_else(|| Error::data(&self.file, &message), |line| Error::data_at(&self.file, line, None, &message))
    }

    fn value(&self, key: &str) -> Result<&'a str> {
        self.found.get(key).map(|(_, value)| *value).ok_or_else(|| self.fault(key, "missing; is the file cut short?"))
    }

    fn whole(&self, key: &str, text: &str) -> Result<usize> {
        text.parse().map_err(|_| self.fault(key, format!("expected a whole number, found '{}'", short(text))))
    }

    /// A finite number; some languages' settings write a comma for its point.
    fn number(&self, key: &str, text: &str) -> Result<f64> {
        let parsed = text.replacen(',', ".", 1).parse().ok().filter(|value: &f64| value.is_finite());
        parsed.ok_or_else(|| self.fault(key, format!("expected a finite number, found '{}'", short(text))))
    }

    /// Numbers with blanks between them, so many of them.
    fn numbers(&self, key: &str, count: usize) -> Result<Vec<f64>> {
        let numbers =
            self.value(key)?.split_whitespace().map(|text| self.number(key, text)).collect::<Result<Vec<_>>>()?;
        match numbers.len() {
            found if found == count => Ok(numbers),
            found => Err(self.fault(key, format!("expected {count} numbers, found {found}"))),
        }
    }

    /// The parts of each `(a, b, c)`.
    fn tuples<const PARTS: usize>(&self, key: &str) -> Result<Vec<[&'a str; PARTS]>> {
        let mut tuples = Vec::new();
        for (i, tuple) in self.value(key)?.split_inclusive(')').enumerate() {
            let refuse = || {
                self.fault(
                    key,
                    format!(
                        "expected ({}) at place {}, found '{}'",
                        ["number"; PARTS].join(", "),
                        i + 1,
                        short(tuple.trim())
                    ),
                )
            };
            let inside = tuple.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or_else(refuse)?;
            let parts: Vec<&str> = inside.split(", ").map(str::trim).collect();
            tuples.push(parts.try_into().map_err(|_| refuse())?);
        }
        Ok(tuples)
    }

    /// The sizes of the layers, with their bias neurons.
    fn sizes(&self) -> Result<Vec<usize>> {
        let kind = self.value("network_type")?;
        if kind != "0" {
            let found = if kind == "1" {
                "1 (shortcut: layers are connected past others)".into()
            } else {
                format!("'{}'", short(kind))
            };
            return Err(self.fault("network_type", format!("expected 0 (layer), found {found}")));
        }
        let key = "layer_sizes";
        let sizes =
            self.value(key)?.split_whitespace().map(|text| self.whole(key, text)).collect::<Result<Vec<_>>>()?;
        let expected = self.whole("num_layers", self.value("num_layers")?)?;
        if sizes.len() != expected || expected < 2 {
            return Err(
                self.fault(key, format!("expected {expected} sizes (num_layers), at least 2, found {}", sizes.len()))
            );
        }
        match sizes.iter().position(|&size| size < 2) {
            Some(layer) => Err(self.fault(
                key,
                format!(
                    "expected at least a neuron and the bias neuron in layer {}, found {}",
                    layer + 1,
                    sizes[layer]
                ),
            )),
            None => Ok(sizes),
        }
    }

    /// The neurons, as many as the sizes say, each fully connected.
    fn neurons(&self, sizes: &[usize]) -> Result<Vec<Neuron>> {
        let tuples = self.tuples::<3>(NEURONS)?;
        let expected = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
        if expected != Some(tuples.len()) {
            let expected = expected.map_or("fewer than can be counted".into(), |sum| sum.to_string());
            return Err(self.fault(NEURONS, format!("layer_sizes asks for {expected}, found {}", tuples.len())));
        }
        let mut neurons = Vec::with_capacity(tuples.len());
        for [inputs, function, steepness] in tuples {
            let [inputs, function] = [self.whole(NEURONS, inputs)?, self.whole(NEURONS, function)?];
            neurons.push(Neuron { inputs, function, steepness: self.number(NEURONS, steepness)? });
        }
        let mut at = 0;
        for (layer, &size) in sizes.iter().enumerate() {
            for (i, neuron) in neurons[at..at + size].iter().enumerate() {
                let bias = i + 1 == size;
                let wanted = if layer == 0 || bias { 0 } else { sizes[layer - 1] };
                if neuron.inputs != wanted {
                    let what = if wanted == 0 {
                        "an input or bias neuron has none"
                    } else {
                        "a fully connected one has those of the layer before"
                    };
                    return Err(self.fault(
                        NEURONS,
                        format!(
                            "neuron {} (from 0, layer {}): expected {wanted} connections ({what}), found {}",
                            at + i,
                            layer + 1,
                            neuron.inputs
                        ),
                    ));
                }
            }
            at += size;
        }
        Ok(neurons)
    }

    /// Weights (inputs x outputs) and biases of every layer, the steepness folded in.
    fn parameters(&self, sizes: &[usize], neurons: &[Neuron]) -> Result<Vec<f64>> {
        let tuples = self.tuples::<2>(CONNECTIONS)?;
        let expected = neurons.iter().try_fold(0usize, |sum, neuron| sum.checked_add(neuron.inputs));
        if expected != Some(tuples.len()) {
            let expected = expected.map_or("fewer than can be counted".into(), |sum| sum.to_string());
            return Err(self.fault(CONNECTIONS, format!("the neurons ask for {expected}, found {}", tuples.len())));
        }
        // As many as were read.
        let mut parameters = Vec::with_capacity(tuples.len());
        let (mut tuples, mut first, mut place) = (tuples.into_iter(), 0, 0);
        for pair in sizes.windows(2) {
            let (inputs, outputs, start) = (pair[0], pair[1] - 1, parameters.len());
            // The biases, of the last neuron of the layer before, are the last row of a matrix of inputs x outputs.
            parameters.resize(start + inputs * outputs, f64::NAN);
            for unit in 0..outputs {
                let neuron = &neurons[first + inputs + unit];
                let factor = if FUNCTIONS.get(neuron.function) == Some(&"SIGMOID") {
                    2.0 * neuron.steepness
                } else {
                    neuron.steepness
                };
                for [source, weight] in tuples.by_ref().take(inputs) {
                    place += 1;
                    let (source, weight) = (self.whole(CONNECTIONS, source)?, self.number(CONNECTIONS, weight)?);
                    let refuse = |what: &str| {
                        self.fault(
                            CONNECTIONS,
                            format!("connection {place} of neuron {}: {what}, found {source}", first + inputs + unit),
                        )
                    };
                    let input = source.checked_sub(first).filter(|input| *input < inputs);
                    let Some(input) = input else {
                        return Err(refuse(&format!(
                            "expected a neuron of the layer before, {first} to {}",
                            first + inputs - 1
                        )));
                    };
                    let to: &mut f64 = &mut parameters[start + input * outputs + unit];
                    if !to.is_nan() {
                        return Err(refuse("expected each neuron once"));
                    }
                    *to = weight * factor;
                    if !to.is_finite() {
                        return Err(refuse(&format!(
                            "expected a weight that is finite times the steepness {}",
                            neuron.steepness
                        )));
                    }
                }
            }
            first += inputs;
        }
        Ok(parameters)
    }

    /// Offsets and divisors of inputs and outputs, if there are any.
    fn scales(&self, sizes: &[usize]) -> Result<Option<[Scales; 2]>> {
        match self.found.get("scale_included").map_or("0", |(_, value)| *value) {
            "0" => return Ok(None),
            "1" => {}
            other => return Err(self.fault("scale_included", format!("expected 0 or 1, found '{}'", short(other)))),
        }
        let side = |side: &str, count: usize| -> Result<Scales> {
            let [mean, deviation, least, factor] = ["mean", "deviation", "new_min", "factor"]
                .map(|what| self.numbers(&format!("scale_{what}_{side}"), count));
            let (mean, deviation, least, factor) = (mean?, deviation?, least?, factor?);
            let mut scales = Vec::with_capacity(count);
            for i in 0..count {
                // ((x - mean) / deviation + 1) factor + new_min, as (x - offset) / divisor.
                let (offset, divisor) =
                    (mean[i] - deviation[i] * (1.0 + least[i] / factor[i]), deviation[i] / factor[i]);
                if !(offset.is_finite() && divisor.is_finite() && divisor > 0.0) {
                    let key = format!("scale_factor_{side}");
                    let found = format!("{} with deviation {}", factor[i], deviation[i]);
                    return Err(self.fault(&key, format!("column {}: expected a positive scale, found {found}", i + 1)));
                }
                scales.push((offset, divisor));
            }
            Ok(scales)
        };
        Ok(Some([side("in", sizes[0] - 1)?, side("out", sizes[sizes.len() - 1] - 1)?]))
    }
}

/// The layers behind the inputs, with biases.
fn layers(entries: &Entries<'_>, sizes: &[usize], neurons: &[Neuron]) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    let mut at = sizes[0];
    for (l, &size) in sizes.iter().enumerate().skip(1) {
        let units = &neurons[at..at + size - 1];
        if let Some(other) = units.iter().position(|unit| unit.function != units[0].function) {
            let names = [&units[0], &units[other]].map(|unit| name(unit.function));
            return Err(entries.fault(
                NEURONS,
                format!(
                    "neuron {} (from 0, layer {}): expected the function of the others of its layer, {}, found {}",
                    at + other,
                    l + 1,
                    names[0],
                    names[1]
                ),
            ));
        }
        let activation = activation(units[0].function).map_err(|why| {
            entries.fault(
                NEURONS,
                format!("neuron {at} (from 0, layer {}) has the function {}: {why}", l + 1, name(units[0].function)),
            )
        })?;
        layers.push(Layer::new(size - 1, activation));
        at += size;
    }
    Ok(layers)
}

/// A function with its number.
fn name(function: usize) -> String {
    FUNCTIONS.get(function).map_or_else(|| format!("{function}"), |name| format!("{name} ({function})"))
}

/// Our name for a function, or why there is none.
fn activation(function: usize) -> std::result::Result<Activation, String> {
    match FUNCTIONS.get(function).copied() {
        Some("LINEAR") => Ok(Activation::Identity),
        Some("SIGMOID") => Ok(Activation::Sigmoid),
        Some("SIGMOID_SYMMETRIC") => Ok(Activation::Tanh),
        Some("LINEAR_PIECE_RECT") => Ok(Activation::Relu),
        // The slope that FANN has below zero.
        Some("LINEAR_PIECE_RECT_LEAKY") => Ok(Activation::LeakyRelu { slope: 0.01 }),
        // The largest distance of the six straight pieces from the curve is 0.0332, at 0.98.
        Some("SIGMOID_STEPWISE") => Err("straight pieces near SIGMOID, which nothing here is; write 3 in its place to take SIGMOID itself, at most 0.034 away".into()),
        Some("SIGMOID_SYMMETRIC_STEPWISE") => {
            Err("straight pieces near SIGMOID_SYMMETRIC, which nothing here is; write 5 in its place to take SIGMOID_SYMMETRIC itself, at most 0.067 away".into())
        }
        Some("THRESHOLD") => Err("it is 1 at 0, where a step here is 0".into()),
        Some(_) => Err("expected LINEAR, SIGMOID, SIGMOID_SYMMETRIC, LINEAR_PIECE_RECT or LINEAR_PIECE_RECT_LEAKY".into()),
        None => Err(format!("expected a number below {}", FUNCTIONS.len())),
    }
}

/// The first letters of what was found.
fn short(text: &str) -> String {
    let letters: String = text.chars().flat_map(char::escape_default).take(41).collect();
    if letters.len() > 40 { letters[..40].to_string() + "…" } else { letters }
}
