//! Reading: begin at [`import`].
//!
//! What a tensor is, the end of its name says: PyTorch's `weight` (outputs x inputs), `bias` and a norm's `running_mean`, `running_var`;
//! scikit-learn's `coefs_.N` (inputs x outputs) and `intercepts_.N`. What stands before names its module, and modules follow each other as
//! people sort names: `layer2` before `layer10`. That they are one chain of layers, their shapes must show.

use crate::{AnyModel, foreign};
use deltarule::activation::Activation;
use deltarule::float::Float;
use deltarule::network::{Layer, Network, Norm, Spec};
use deltarule::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::path::Path;

/// Reads a network of dense layers from safetensors; `path` is for messages.
///
/// The file says nothing of activations, so all hidden layers have `hidden` and the last has `output`. The model is of single precision, or
/// of double if all tensors are; half precision (`F16`, `BF16`) is widened. Layer and batch normalisation are read where they stand right
/// behind a layer, as in `nn.Sequential`, and taken to have PyTorch's epsilon, 1e-5. Columns are matched by position, and outputs mean what
/// their activation says ([`deltarule::model::plain_target`]).
///
/// **Errors** name the tensor: names that are no module's, one twice or missing; shapes that are no chain; other types of numbers; one that
/// is not finite. A file of deltarule's own is refused, for it is a model already. Nothing is allocated beyond a small multiple of the
/// file's length.
pub fn import(bytes: &[u8], path: &Path, hidden: Activation, output: Activation) -> Result<AnyModel> {
    read(bytes, hidden, output)?.map_err(|message| Error::model(path, message))
}

type Found<T> = std::result::Result<T, String>;

/// The model, or what is wrong with the file; the outer error is of the activations.
fn read(bytes: &[u8], hidden: Activation, output: Activation) -> Result<Found<AnyModel>> {
    let modules = match modules(bytes) {
        Ok(modules) => modules,
        Err(message) => return Ok(Err(message)),
    };
    let doubles = modules.iter().flat_map(|module| &module.parts).any(|part| part.view.dtype() == Dtype::F64);
    if doubles {
        Ok(network::<f64>(&modules, hidden, output)?.map(AnyModel::F64))
    } else {
        Ok(network::<f32>(&modules, hidden, output)?.map(AnyModel::F32))
    }
}

/// What a tensor is to its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Outputs x inputs, or a norm's scale.
    Weight,
    Bias,
    /// Inputs x outputs.
    Coefficients,
    Mean,
    Variance,
    /// Of batches, which nothing here needs.
    Count,
}

struct Part<'a> {
    what: What,
    name: String,
    view: TensorView<'a>,
}

/// The tensors of one module.
struct Module<'a> {
    prefix: String,
    parts: Vec<Part<'a>>,
}

impl Module<'_> {
    fn part(&self, what: What) -> Option<&Part<'_>> {
        self.parts.iter().find(|part| part.what == what)
    }
}

/// The modules, in the order of their names.
fn modules(bytes: &[u8]) -> Found<Vec<Module<'_>>> {
    names_stand_once(bytes)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| format!("it is no safetensors file: {e}"))?;
    if header.metadata().as_ref().is_some_and(|metadata| metadata.contains_key("deltarule")) {
        return Err("it is a model of deltarule's already, which needs no import".into());
    }
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("it is no safetensors file: {e}"))?;
    let mut tensors = file.tensors();
    tensors.sort_by(|a, b| natural(&a.0, &b.0));
    let mut modules: Vec<Module<'_>> = Vec::new();
    for (name, view) in tensors {
        let (prefix, what) = place(&name).ok_or_else(|| {
            format!("tensor {name:?}: expected a name that ends in weight, bias or what a norm has, or scikit-learn's coefs_.N and intercepts_.N")
        })?;
        let known = matches!(view.dtype(), Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64);
        if what != What::Count && !known {
            return Err(format!("tensor {name:?}: expected F16, BF16, F32 or F64, found {:?}", view.dtype()));
        }
        let at = modules.iter().position(|module| module.prefix == prefix).unwrap_or_else(|| {
            modules.push(Module { prefix, parts: Vec::new() });
            modules.len() - 1
        });
        modules[at].parts.push(Part { what, name, view });
    }
    modules.sort_by(|a, b| natural(&a.prefix, &b.prefix));
    let parts = || modules.iter().flat_map(|module| &module.parts).filter(|part| part.what != What::Count);
    let is_double = |part: &&Part<'_>| part.view.dtype() == Dtype::F64;
    match (parts().find(is_double), parts().find(|part| !is_double(part))) {
        (Some(double), Some(other)) => Err(format!(
            "tensor {:?} is of {:?}, and tensor {:?} of F64: expected one type",
            other.name,
            other.view.dtype(),
            double.name
        )),
        _ if modules.is_empty() => Err("it holds no tensors".into()),
        _ => Ok(modules),
    }
}

/// The module that a tensor belongs to, and what it is to it.
fn place(name: &str) -> Option<(String, What)> {
    for (word, what) in [("coefs_", What::Coefficients), ("intercepts_", What::Bias)] {
        // The last such word, and a whole number behind it.
        if let Some((before, number)) = name.rsplit_once(word) {
            let number = number.strip_prefix('.').unwrap_or(number);
            let whole = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            return whole.then(|| (format!("{before}{number}"), what));
        }
    }
    let (prefix, last) = name.rsplit_once('.').unwrap_or(("", name));
    let what = match last {
        "weight" => What::Weight,
        "bias" => What::Bias,
        "running_mean" => What::Mean,
        "running_var" => What::Variance,
        "num_batches_tracked" => What::Count,
        _ => return None,
    };
    Some((prefix.to_string(), what))
}

/// The network of the modules.
fn network<T: Float>(
    modules: &[Module<'_>],
    hidden: Activation,
    output: Activation,
) -> Result<Found<deltarule::model::Model<T>>> {
    let (layers, inputs, state) = match stack::<T>(modules) {
        Ok(stack) => stack,
        Err(message) => return Ok(Err(message)),
    };
    let last = layers.len() - 1;
    let layers = layers
        .into_iter()
        .enumerate()
        .map(|(l, layer)| Layer { activation: if l == last { output } else { hidden }, ..layer });
    let spec = Spec::new(inputs, layers.collect())?;
    foreign::model(Network::from_state(spec, state)?, "safetensors").map(Ok)
}

/// The layers, the width of the inputs and the network's state.
fn stack<T: Float>(modules: &[Module<'_>]) -> Found<(Vec<Layer>, usize, Vec<T>)> {
    let (mut layers, mut parameters, mut statistics) = (Vec::<Layer>::new(), Vec::new(), Vec::new());
    // The last tensor of a layer, and the modules that it and the norm behind it are.
    let (mut inputs, mut before, mut dense) = (0, None::<(String, usize)>, None::<usize>);
    for (m, module) in modules.iter().enumerate() {
        let weight = module.part(What::Weight).or_else(|| module.part(What::Coefficients));
        let Some(weight) = weight else {
            let name = &module.parts[0].name;
            return Err(format!("tensor {name:?}: expected weights of the same module beside it, found none"));
        };
        if module.parts.len() > module.parts.iter().map(|part| part.what as u8).collect::<HashSet<_>>().len() {
            return Err(format!("tensor {:?}: expected one of each kind in its module, found more", weight.name));
        }
        match *weight.view.shape() {
            [rows, columns] => {
                let transposed = weight.what == What::Coefficients;
                let (outputs, width) = if transposed { (columns, rows) } else { (rows, columns) };
                if outputs == 0 || width == 0 {
                    return Err(format!(
                        "tensor {:?}: expected at least one input and output, found {rows} x {columns}",
                        weight.name
                    ));
                }
                if let Some(part) = module.parts.iter().find(|part| matches!(part.what, What::Mean | What::Variance)) {
                    return Err(format!("tensor {:?}: expected in a norm, found beside {:?}", part.name, weight.name));
                }
                match &before {
                    None => inputs = width,
                    Some((name, outputs)) if *outputs != width => {
                        return Err(format!(
                            "tensor {:?}: expected {outputs} inputs, as {name:?} has outputs, found {width}",
                            weight.name
                        ));
                    }
                    Some(_) => {}
                }
                let numbers = numbers::<T>(weight)?;
                if transposed {
                    parameters.extend(numbers);
                } else {
                    parameters.extend((0..width).flat_map(|i| numbers[i..].iter().step_by(width).copied()));
                }
                let bias = module.part(What::Bias);
                if let Some(bias) = bias {
                    parameters.extend(vector::<T>(bias, outputs, &weight.name)?);
                }
                layers.push(Layer { bias: bias.is_some(), ..Layer::new(outputs, Activation::Identity) });
                (before, dense) = (Some((weight.name.clone(), outputs)), Some(m));
            }
            [units] => {
                let behind =
                    dense.is_some_and(|dense| dense + 1 == m && is_next(&modules[dense].prefix, &module.prefix));
                let (Some(layer), true, Some((name, outputs))) = (layers.last_mut(), behind, &before) else {
                    let why = "a norm (weights of one dimension) is read right behind its layer, as in nn.Sequential: a module counted one more";
                    return Err(format!("tensor {:?}: {why}", weight.name));
                };
                if units != *outputs {
                    return Err(format!(
                        "tensor {:?}: expected {outputs} numbers, as {name:?} has outputs, found {units}",
                        weight.name
                    ));
                }
                let shift = module
                    .part(What::Bias)
                    .ok_or_else(|| format!("tensor {:?}: expected a bias beside it", weight.name))?;
                parameters.extend(numbers::<T>(weight)?);
                parameters.extend(vector::<T>(shift, units, &weight.name)?);
                layer.norm = match (module.part(What::Mean), module.part(What::Variance)) {
                    (None, None) => Norm::Layer,
                    (Some(mean), Some(variance)) => {
                        statistics.extend(vector::<T>(mean, units, &weight.name)?);
                        let variances = vector::<T>(variance, units, &weight.name)?;
                        if let Some(bad) = variances.iter().find(|value| value.real() < 0.0) {
                            return Err(format!(
                                "tensor {:?}: expected no negative variance, found {bad}",
                                variance.name
                            ));
                        }
                        statistics.extend(variances);
                        Norm::Batch
                    }
                    (Some(one), None) | (None, Some(one)) => {
                        return Err(format!(
                            "tensor {:?}: expected running_mean and running_var, found it alone",
                            one.name
                        ));
                    }
                };
            }
            ref shape => {
                return Err(format!(
                    "tensor {:?}: expected weights of a dense layer, outputs x inputs, found {shape:?}",
                    weight.name
                ));
            }
        }
    }
    if layers.is_empty() {
        return Err("it holds no layer".into());
    }
    parameters.extend(statistics);
    Ok((layers, inputs, parameters))
}

/// Whether two names differ in the whole number that they end in, which is one more in the second.
fn is_next(first: &str, second: &str) -> bool {
    let split = |name: &str| {
        let at = name.len() - name.bytes().rev().take_while(u8::is_ascii_digit).count();
        name[at..].parse::<u64>().ok().map(|number| (name[..at].to_string(), number))
    };
    match (split(first), split(second)) {
        (Some((a, i)), Some((b, j))) => a == b && i.checked_add(1) == Some(j),
        _ => false,
    }
}

/// The numbers of a vector of this length.
fn vector<T: Float>(part: &Part<'_>, length: usize, beside: &str) -> Found<Vec<T>> {
    if part.view.shape() != [length] {
        return Err(format!(
            "tensor {:?}: expected {length} numbers for {beside:?}, found {:?}",
            part.name,
            part.view.shape()
        ));
    }
    numbers(part)
}

/// The numbers of a tensor, all finite.
fn numbers<T: Float>(part: &Part<'_>) -> Found<Vec<T>> {
    let bytes = part.view.data();
    let two = |pair: &[u8]| u16::from_le_bytes([pair[0], pair[1]]);
    let numbers: Vec<T> = match part.view.dtype() {
        Dtype::F64 => bytes.chunks_exact(8).map(|b| T::from_f64(f64::read_le(b))).collect(),
        Dtype::F32 => bytes.chunks_exact(4).map(|b| T::from_f64(f32::read_le(b).into())).collect(),
        // The upper half of an f32.
        Dtype::BF16 => {
            bytes.chunks_exact(2).map(|b| T::from_f64(f32::from_bits(u32::from(two(b)) << 16).into())).collect()
        }
        _ => bytes.chunks_exact(2).map(|b| T::from_f64(half(two(b)))).collect(),
    };
    match numbers.iter().position(|number| !number.is_finite()) {
        None => Ok(numbers),
        Some(at) => {
            Err(format!("tensor {:?}: expected finite numbers, found {} at place {}", part.name, numbers[at], at + 1))
        }
    }
}

/// A number of IEEE 754's binary16.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// The order that people sort names in: runs of digits as numbers.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (i, j) = (digits(a), digits(b));
        let order = if i > 0 && j > 0 {
            let [x, y] = [&a[..i], &b[..j]].map(|number| number.trim_start_matches('0'));
            // Equal numbers with other zeros before them are told apart, so that the order is one.
            x.len().cmp(&y.len()).then_with(|| x.cmp(y)).then_with(|| i.cmp(&j))
        } else {
            match (a.chars().next(), b.chars().next()) {
                (None, None) => return Ordering::Equal,
                (x, y) => x.cmp(&y),
            }
        };
        if order != Ordering::Equal {
            return order;
        }
        let step = if i > 0 { i } else { a.chars().next().map_or(0, char::len_utf8) };
        (a, b) = (&a[step..], &b[step..]);
    }
}

/// Refuses a header in which a name stands twice: of such the format's library takes the last.
fn names_stand_once(bytes: &[u8]) -> Found<()> {
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(
            "it is a zip archive, as of torch.save: write model.state_dict() with safetensors.torch.save_file".into()
        );
    }
    let header = bytes.split_at_checked(8).and_then(|(length, rest)| {
        let length = u64::from_le_bytes(length.try_into().expect("8 bytes"));
        rest.get(..usize::try_from(length).ok()?)
    });
    let Some(header) = header else { return Err("it is no safetensors file, or cut short".into()) };
    let mut json = serde_json::Deserializer::from_slice(header);
    json.deserialize_map(Once).map_err(|e| format!("its header is not what safetensors says: {e}"))
}

/// Reads an object whose keys stand once.
struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with distinct keys")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<(), M::Error> {
        let mut seen = HashSet::new();
        while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            if seen.contains(&key) {
                return Err(M::Error::custom(format!("tensor {key:?} stands twice")));
            }
            seen.insert(key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_as_people_do() {
        let mut names = ["layers.10.weight", "layers.9.bias", "fc2", "fc10", "fc1", "a", "layers.09.bias", ""];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["", "a", "fc1", "fc2", "fc10", "layers.9.bias", "layers.09.bias", "layers.10.weight"]);
    }

    #[test]
    fn halves_are_what_ieee_says() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_953_125),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x7bff, 65504.0),
        ] {
            assert_eq!(half(bits), value, "{bits:x}");
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }
}
