//! Networks: made, read, written, saved.
//!
//! A network is a [`Shared`]: an immutable shape, and parameters that readers take a reference to. Who writes while somebody reads writes
//! to a copy, which then takes the place of the old; so no reader waits for a writer, and what a reader sees is whole.

use crate::abi::{self, Layer, LayerPlace, NetworkSizes, Status, Tensor, Type};
use crate::border::{Call, In, Out, Plain, export};
use crate::handle;
use crate::status::{Failure, Outcome, expect, flag, usage};
use crate::text::Buffer;
use deltarule::Error;
use deltarule::file::Existing;
use deltarule::model::{Dtype, Model, plain_target};
use deltarule::network::{Layer as Dense, Norm, Spec};
use deltarule::prelude::{Activation, Float, Init, Loss, Network, Rng};
use deltarule::rng::stream;
use std::ffi::c_char;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

/// `f32` or `f64`, at the border too.
pub trait Real: Float + Plain {}
impl Real for f32 {}
impl Real for f64 {}

/// A network that many threads know.
pub struct Shared<T> {
    spec: Spec,
    network: RwLock<Arc<Network<T>>>,
}

impl<T: Real> Shared<T> {
    fn new(network: Network<T>) -> Self {
        Self { spec: network.spec().clone(), network: RwLock::new(Arc::new(network)) }
    }

    /// The shape.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The network as it is now: what others write from now on is not seen.
    pub fn now(&self) -> Arc<Network<T>> {
        // What is behind the lock is a whole network at any time.
        Arc::clone(&self.network.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another network of the same shape in its place.
    pub fn put(&self, network: Network<T>) {
        *self.network.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(network);
    }

    /// Overwrites numbers: in place if nobody reads.
    fn change(&self, write: impl FnOnce(&mut [T])) -> Outcome {
        let mut guard = self.network.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(&guard) > 1 {
            deltarule::memory::require("a copy of the network", size_of_val(guard.state()) as u128)?;
        }
        write(Arc::make_mut(&mut guard).state_mut());
        Ok(())
    }
}

/// What can be said of a network without its type.
pub trait AnyNetwork: Send + Sync {
    /// The shape.
    fn spec(&self) -> &Spec;
    /// The type.
    fn dtype(&self) -> Dtype;
    /// A copy with numbers of the other type, or of the same.
    fn copy(&self, dtype: Dtype) -> Result<abi::Network, Failure>;
    /// A model around a copy.
    fn model(&self, loss: Loss) -> Result<abi::Model, Failure>;
    /// Saves a model around it.
    fn save(&self, loss: Loss, path: &Path, existing: Existing) -> Outcome;
}

impl<T: Real> AnyNetwork for Shared<T> {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn dtype(&self) -> Dtype {
        Dtype::of::<T>()
    }

    fn copy(&self, dtype: Dtype) -> Result<abi::Network, Failure> {
        let now = self.now();
        let bytes = size_of::<f64>() * now.state().len();
        deltarule::memory::require("a copy of the network", bytes as u128)?;
        match dtype {
            Dtype::F32 => keep(now.cast::<f32>()),
            Dtype::F64 => keep(now.cast::<f64>()),
        }
    }

    fn model(&self, loss: Loss) -> Result<abi::Model, Failure> {
        handle::keep(model_of(&self.now(), loss)?)
    }

    fn save(&self, loss: Loss, path: &Path, existing: Existing) -> Outcome {
        Ok(model_of(&self.now(), loss)?.save(path, existing)?)
    }
}

/// The model of a network that takes numbers as they are.
fn model_of<T: Float>(network: &Network<T>, loss: Loss) -> deltarule::Result<Model<T>> {
    Model::of_network(network.clone(), None, plain_target(network.spec()), loss)
}

/// Keeps a network, and gives its handle.
pub fn keep<T: Real>(network: Network<T>) -> Result<abi::Network, Failure> {
    handle::keep(Shared::new(network))
}

/// The network of a handle, which must be over `T`.
pub fn shared<T: Real>(network: abi::Network) -> Result<Arc<Shared<T>>, Failure> {
    handle::get::<Shared<T>>(network)?.ok_or_else(|| of_other_type::<T>("network"))
}

/// Refuses an object over the other type.
pub fn of_other_type<T: Float>(what: &str) -> Failure {
    let other = if T::NAME == "f32" { "f64" } else { "f32" };
    Failure::border(Status::Handle, format!("{what}: expected one of {}, found one of {other}", T::NAME))
}

/// The network of a handle.
pub fn any(network: abi::Network) -> Result<Arc<dyn AnyNetwork>, Failure> {
    if let Some(single) = handle::get::<Shared<f32>>(network)? {
        return Ok(single);
    }
    Ok(handle::get::<Shared<f64>>(network)?.expect("a network of one of two types"))
}

/// The number of a type.
pub fn type_of(dtype: Dtype) -> i32 {
    match dtype {
        Dtype::F32 => Type::F32 as i32,
        Dtype::F64 => Type::F64 as i32,
    }
}

fn type_from(number: i32) -> Result<Dtype, Failure> {
    match number {
        32 => Ok(Dtype::F32),
        64 => Ok(Dtype::F64),
        _ => Err(usage("dtype", "DELTARULE_TYPE_F32 or DELTARULE_TYPE_F64", number)),
    }
}

/// A loss by its name; squared error without one.
pub fn loss(call: &Call, name: In<c_char>) -> Result<Loss, Failure> {
    Ok(call.optional_text("loss", name)?.map_or(Ok(Loss::SquaredError), Loss::parse)?)
}

fn layer(call: &Call, index: usize, layer: &Layer) -> Result<Dense, Failure> {
    let of = |what: &str| format!("layers[{index}].{what}");
    let named = |e: Error| match e {
        Error::Setting { expected, found, .. } => usage(&of("activation"), expected, found),
        other => other.into(),
    };
    let activation = Activation::parse(&call.text_copy(&of("activation"), layer.activation)?).map_err(named)?;
    let norm = if layer.norm.is_null() { "none".into() } else { call.text_copy(&of("norm"), layer.norm)? };
    let norm = match norm.as_str() {
        "none" => Norm::None,
        "layer" => Norm::Layer,
        "batch" => Norm::Batch,
        other => return Err(usage(&of("norm"), "none, layer or batch", format!("'{other}'"))),
    };
    let bias = flag(&of("bias"), layer.bias)?;
    Ok(Dense { outputs: layer.units, bias, activation, norm })
}

/// A network with random parameters.
fn create(spec: Spec, number: i32, init: Option<&str>, seed: u64) -> Result<abi::Network, Failure> {
    let init = init.map(Init::parse).transpose()?;
    // As everywhere in deltarule: the same seed gives the same weights to Rust, Python and the command.
    let mut rng = Rng::with_stream(seed, stream::WEIGHTS);
    match type_from(number)? {
        Dtype::F32 => keep(Network::<f32>::new(spec, init, &mut rng)?),
        Dtype::F64 => keep(Network::<f64>::new(spec, init, &mut rng)?),
    }
}

/// Where a part of a layer lies in the network's state.
fn part(spec: &Spec, layer: usize, tensor: i32) -> Result<Range<usize>, Failure> {
    let Some(block) = spec.blocks().get(layer) else {
        return Err(usage("layer", format!("0 to {}", spec.blocks().len() - 1), layer));
    };
    let parts = [
        (Tensor::Weights, &block.weights),
        (Tensor::Bias, &block.bias),
        (Tensor::Scale, &block.scale),
        (Tensor::Shift, &block.shift),
        (Tensor::Mean, &block.mean),
        (Tensor::Variance, &block.variance),
    ];
    let found = parts.into_iter().find(|(known, _)| *known as i32 == tensor);
    found.map(|(_, range)| range.clone()).ok_or_else(|| usage("tensor", "a deltarule_tensor, 0 to 5", tensor))
}

/// Copies a part of the state to the caller.
fn read<T: Real>(
    call: &Call,
    network: abi::Network,
    (out, count): (Out<T>, usize),
    range: impl FnOnce(&Spec) -> Result<Range<usize>, Failure>,
) -> Outcome {
    let network = shared::<T>(network)?;
    let range = range(network.spec())?;
    expect("count", range.len(), count)?;
    call.write("out", out, count)?.copy_from_slice(&network.now().state()[range]);
    Ok(())
}

/// Copies a part of the state from the caller.
fn write<T: Real>(
    call: &Call,
    network: abi::Network,
    (from, count): (In<T>, usize),
    range: impl FnOnce(&Spec) -> Result<Range<usize>, Failure>,
) -> Outcome {
    let network = shared::<T>(network)?;
    let range = range(network.spec())?;
    expect("count", range.len(), count)?;
    let from = call.read("from", from, count)?;
    network.change(|state| state[range].copy_from_slice(from))
}

fn place(spec: &Spec, layer: usize) -> Result<LayerPlace, Failure> {
    part(spec, layer, 0)?;
    let block = &spec.blocks()[layer];
    Ok(LayerPlace {
        size: 0,
        inputs: block.inputs,
        outputs: block.outputs,
        weights: block.weights.start,
        bias: block.bias.start,
        bias_length: block.bias.len(),
        scale: block.scale.start,
        shift: block.shift.start,
        norm_length: block.scale.len(),
    })
}

export! {
    /// Makes a network of `count` layers on rows of `inputs` numbers, of a deltarule_type, with random weights drawn from `seed`.
    ///
    /// `init`: glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, uniform=0.5, normal=0.1, zeros,
    /// nguyen_widrow; null takes what suits each layer's activation. Biases are 0 but with nguyen_widrow.
    fn deltarule_network_new(
        call, inputs: usize, layers: In<Layer>, count: usize, dtype: i32, init: In<c_char>, seed: u64, network: Out<abi::Network>,
    ) {
        let layers = call.read("layers", layers, count)?;
        let init = call.optional_text("init", init)?;
        let place = call.place("network", network)?;
        let layers = layers.iter().enumerate().map(|(i, of)| layer(call, i, of)).collect::<Result<_, _>>()?;
        *place = create(Spec::new(inputs, layers)?, dtype, init, seed)?;
        Ok(())
    }

    /// Makes a network of a shape in JSON, as deltarule_network_json writes it:
    /// {"inputs":2,"layers":[{"outputs":8,"bias":true,"activation":"tanh"},{"outputs":1,"bias":true,"activation":"sigmoid"}]}
    /// The rest is as for deltarule_network_new.
    fn deltarule_network_from_json(
        call, json: In<c_char>, dtype: i32, init: In<c_char>, seed: u64, network: Out<abi::Network>,
    ) {
        let json = call.text("json", json)?;
        let init = call.optional_text("init", init)?;
        let place = call.place("network", network)?;
        let spec = serde_json::from_str::<Spec>(json).map_err(|e| usage("json", "the shape of a network", e))?;
        *place = create(spec, dtype, init, seed)?;
        Ok(())
    }

    /// Makes a copy of a network, of the same or the other deltarule_type.
    fn deltarule_network_copy(call, network: abi::Network, dtype: i32, copy: Out<abi::Network>) {
        let place = call.place("copy", copy)?;
        *place = any(network)?.copy(type_from(dtype)?)?;
        Ok(())
    }

    /// Frees a network. Calls that are at work on it in other threads end as if it were there.
    fn deltarule_network_free(_call, network: abi::Network) {
        handle::free(network)
    }

    /// The sizes of a network.
    fn deltarule_network_describe(call, network: abi::Network, sizes: Out<NetworkSizes>) {
        let report = call.report("sizes", sizes)?;
        let network = any(network)?;
        let spec = network.spec();
        report.set(NetworkSizes {
            size: 0,
            inputs: spec.inputs(),
            outputs: spec.outputs(),
            layers: spec.layers().len(),
            parameters: spec.parameters(),
            state: spec.state(),
            dtype: type_of(network.dtype()),
            reserved: 0,
        });
        Ok(())
    }

    /// Where the parameters of a layer (from 0) lie in the flat buffer.
    fn deltarule_network_layer(call, network: abi::Network, layer: usize, place: Out<LayerPlace>) {
        let report = call.report("place", place)?;
        report.set(self::place(any(network)?.spec(), layer)?);
        Ok(())
    }

    /// The whole shape on one line, such as "21-100-4, relu, softmax".
    ///
    /// Texts go to `buffer`, of `capacity` bytes, with a zero at the end; `length` (or null) becomes their length without it. With a null
    /// buffer of capacity 0 only the length is told.
    fn deltarule_network_architecture(
        call, network: abi::Network, buffer: Out<c_char>, capacity: usize, length: Out<usize>,
    ) {
        let buffer = Buffer::new(call, buffer, capacity, length)?;
        buffer.set(&any(network)?.spec().architecture())
    }

    /// The shape in JSON. The text goes to `buffer` as in deltarule_network_architecture.
    fn deltarule_network_json(call, network: abi::Network, buffer: Out<c_char>, capacity: usize, length: Out<usize>) {
        let buffer = Buffer::new(call, buffer, capacity, length)?;
        let json = serde_json::to_string(any(network)?.spec()).map_err(|e| usage("network", "a shape for JSON", e))?;
        buffer.set(&json)
    }

    /// The name of a parameter (from 0), such as "layer 2, weight from input 5 to unit 3", which counts from 1. The text goes to
    /// `buffer` as in deltarule_network_architecture.
    fn deltarule_network_parameter_name(
        call, network: abi::Network, index: usize, buffer: Out<c_char>, capacity: usize, length: Out<usize>,
    ) {
        let buffer = Buffer::new(call, buffer, capacity, length)?;
        let network = any(network)?;
        let count = network.spec().parameters();
        if index >= count {
            return Err(usage("index", format!("0 to {}", count - 1), index));
        }
        buffer.set(&network.spec().parameter_name(index))
    }

    /// Copies all parameters to `out`, layer after layer as deltarule_network_layer says. `count` is how many there are.
    fn deltarule_network_parameters_f32 | deltarule_network_parameters_f64 <T>(
        call, network: abi::Network, out: Out<T>, count: usize,
    ) {
        read(call, network, (out, count), |spec| Ok(0..spec.parameters()))
    }

    /// Overwrites all parameters. Threads that read meanwhile see all the old or all the new ones.
    fn deltarule_network_set_parameters_f32 | deltarule_network_set_parameters_f64 <T>(
        call, network: abi::Network, from: In<T>, count: usize,
    ) {
        write(call, network, (from, count), |spec| Ok(0..spec.parameters()))
    }

    /// Copies the state to `out`: the parameters, then of each layer with batch normalisation its running means and variances.
    fn deltarule_network_state_f32 | deltarule_network_state_f64 <T>(
        call, network: abi::Network, out: Out<T>, count: usize,
    ) {
        read(call, network, (out, count), |spec| Ok(0..spec.state()))
    }

    /// Overwrites the state.
    fn deltarule_network_set_state_f32 | deltarule_network_set_state_f64 <T>(
        call, network: abi::Network, from: In<T>, count: usize,
    ) {
        write(call, network, (from, count), |spec| Ok(0..spec.state()))
    }

    /// Copies a part of a layer (from 0), a deltarule_tensor, to `out`: weights are inputs x outputs, row after row. `count` is how many
    /// numbers it has; 0 of a part that the layer does not have.
    fn deltarule_network_tensor_f32 | deltarule_network_tensor_f64 <T>(
        call, network: abi::Network, layer: usize, tensor: i32, out: Out<T>, count: usize,
    ) {
        read(call, network, (out, count), |spec| part(spec, layer, tensor))
    }

    /// Overwrites a part of a layer (from 0).
    fn deltarule_network_set_tensor_f32 | deltarule_network_set_tensor_f64 <T>(
        call, network: abi::Network, layer: usize, tensor: i32, from: In<T>, count: usize,
    ) {
        write(call, network, (from, count), |spec| part(spec, layer, tensor))
    }

    /// Writes a network to a model file, whole or not at all, as one that takes numbers as they are; classes are called 0, 1 and so on.
    /// What is at `path` is replaced if `replace` is 1, and with 0 it is an error. `loss` is the one it was trained with, as in
    /// deltarule_train_options.
    fn deltarule_network_save(call, network: abi::Network, loss: In<c_char>, path: In<c_char>, replace: i32) {
        let (loss, path) = (self::loss(call, loss)?, call.text("path", path)?);
        let existing = if flag("replace", replace)? { Existing::Replace } else { Existing::Keep };
        any(network)?.save(loss, Path::new(path), existing)
    }
}
