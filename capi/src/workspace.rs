//! Values and gradients, for those who bring an optimiser of their own.

use crate::abi::{self, Batch as Rows, Value};
use crate::border::{Call, In, Out, export};
use crate::handle;
use crate::network::{self, Real, expect, of_other_type};
use crate::status::{Failure, Outcome};
use crate::threads::pool;
use deltarule::network::objective::{Batch, Objective};
use deltarule::prelude::{Engine, Loss, Network, Spec, Workspace, pass};
use ndarray::ArrayView2;
use std::ffi::c_char;
use std::sync::{Arc, Mutex, PoisonError};

/// A workspace that several threads know, and room for rows with gaps, which a pass cannot take.
struct Shared<T> {
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    workspace: Workspace<T>,
    x: Vec<T>,
    y: Vec<T>,
}

/// A matrix without gaps: the caller's, or a copy in a buffer that keeps its room.
fn packed<'a, T: Real>(view: &'a ArrayView2<'_, T>, room: &'a mut Vec<T>) -> Result<ArrayView2<'a, T>, Failure> {
    if view.is_standard_layout() {
        return Ok(view.view());
    }
    room.clear();
    if room.capacity() < view.len() {
        deltarule::memory::require("a copy of rows with gaps", (view.len() * size_of::<T>()) as u128)?;
        room.reserve_exact(view.len());
    }
    room.extend(view.iter());
    Ok(ArrayView2::from_shape(view.raw_dim(), room).expect("as many as the view has"))
}

/// The parts of a batch of the caller's, checked.
pub struct Parts<'c, T> {
    pub x: ArrayView2<'c, T>,
    pub y: ArrayView2<'c, T>,
    pub weights: Option<&'c [T]>,
}

/// What a batch's parts are called in messages: whole texts, for a step makes none.
pub type Names = [&'static str; 6];

/// Takes a batch apart.
pub fn parts<'c, T: Real>(
    call: &'c Call,
    names: Names,
    batch: In<Rows<T>>,
    spec: &Spec,
) -> Result<Parts<'c, T>, Failure>
where
    Rows<T>: crate::border::Plain,
{
    let [name, inputs, outputs, x, y, weights] = names;
    let batch = call.one(name, batch)?;
    expect(inputs, spec.inputs(), batch.inputs)?;
    expect(outputs, spec.outputs(), batch.outputs)?;
    Ok(Parts {
        x: call.rows(x, batch.x, (batch.rows, batch.inputs), batch.x_stride)?,
        y: call.rows(y, batch.y, (batch.rows, batch.outputs), batch.y_stride)?,
        weights: if batch.weights.is_null() { None } else { Some(call.read(weights, batch.weights, batch.rows)?) },
    })
}

/// A loss and its penalties.
pub fn objective(loss: Loss, l1: f64, l2: f64) -> Result<Objective, Failure> {
    for (name, factor) in [("l1", l1), ("l2", l2)] {
        if !(factor.is_finite() && factor >= 0.0) {
            return Err(network::usage(name, "a finite number of at least 0", factor));
        }
    }
    Ok(Objective { loss, l1, l2 })
}

/// The parameters that the caller gives, or the network's own.
fn parameters<'a, T: Real>(
    call: &'a Call,
    network: &'a Network<T>,
    (given, count): (In<T>, usize),
) -> Result<&'a [T], Failure> {
    if given.is_null() && count == 0 {
        return Ok(network.params());
    }
    expect("parameter_count", network.params().len(), count)?;
    call.read("parameters", given, count)
}

fn make<T: Real>(network: &network::Shared<T>, rows: usize, threads: abi::Threads) -> Result<abi::Workspace, Failure> {
    if rows == 0 {
        return Err(network::usage("rows", "at least 1", 0));
    }
    let workspace = Workspace::<T>::new(network.spec(), rows, Engine::default(), pool(threads)?)?;
    handle::keep(Shared { inner: Mutex::new(Inner { workspace, x: Vec::new(), y: Vec::new() }) })
}

fn workspace<T: Real>(workspace: abi::Workspace) -> Result<Arc<Shared<T>>, Failure> {
    handle::get(workspace)?.ok_or_else(|| of_other_type::<T>("workspace"))
}

#[expect(clippy::too_many_arguments, reason = "those of the exported function")]
fn value_and_gradient<T: Real>(
    call: &Call,
    network: abi::Network,
    workspace: abi::Workspace,
    given: (In<T>, usize),
    batch: In<Rows<T>>,
    (loss, l1, l2): (In<c_char>, f64, f64),
    (gradient, count): (Out<T>, usize),
    value: Out<Value>,
) -> Outcome
where
    Rows<T>: crate::border::Plain,
{
    let (network, shared) = (network::shared::<T>(network)?, self::workspace::<T>(workspace)?);
    let (spec, now) = (network.spec(), network.now());
    let params = parameters(call, &now, given)?;
    let names = ["batch", "batch.inputs", "batch.outputs", "batch.x", "batch.y", "batch.weights"];
    let batch = parts(call, names, batch, spec)?;
    let objective = objective(network::loss(call, loss)?, l1, l2)?;
    let wants_gradient = !(gradient.is_null() && count == 0);
    if wants_gradient {
        expect("gradient_count", spec.parameters(), count)?;
    }
    let gradient = call.write("gradient", gradient, count)?;
    let value = call.place("value", value)?;
    // Buffers that a panic left are overwritten by the next call.
    let mut inner = shared.inner.lock().unwrap_or_else(PoisonError::into_inner);
    let Inner { workspace, x, y } = &mut *inner;
    let batch = Batch { x: packed(&batch.x, x)?, y: packed(&batch.y, y)?, weights: batch.weights };
    let found = match wants_gradient {
        true => pass::value_and_gradient(spec, params, batch, &objective, workspace, gradient)?,
        false => pass::value(spec, params, batch, &objective, workspace)?,
    };
    *value = Value { loss: found.loss, penalty: found.penalty };
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "those of the exported function")]
fn backward<T: Real>(
    call: &Call,
    network: abi::Network,
    workspace: abi::Workspace,
    given: (In<T>, usize),
    rows: usize,
    (x, inputs, x_stride): (In<T>, usize, usize),
    (output_gradient, outputs, output_stride): (In<T>, usize, usize),
    (gradient, count): (Out<T>, usize),
    input_gradient: Out<T>,
) -> Outcome {
    let (network, shared) = (network::shared::<T>(network)?, self::workspace::<T>(workspace)?);
    let (spec, now) = (network.spec(), network.now());
    let params = parameters(call, &now, given)?;
    expect("columns of x", spec.inputs(), inputs)?;
    expect("columns of output_gradient", spec.outputs(), outputs)?;
    expect("gradient_count", spec.parameters(), count)?;
    let x = call.rows("x", x, (rows, inputs), x_stride)?;
    let output_gradient = call.rows("output_gradient", output_gradient, (rows, outputs), output_stride)?;
    let gradient = call.write("gradient", gradient, count)?;
    let below = match input_gradient.is_null() {
        true => None,
        false => Some(call.rows_mut("input_gradient", input_gradient, (rows, inputs), inputs)?),
    };
    let mut inner = shared.inner.lock().unwrap_or_else(PoisonError::into_inner);
    let Inner { workspace, x: x_room, y: y_room } = &mut *inner;
    let (x, output_gradient) = (packed(&x, x_room)?, packed(&output_gradient, y_room)?);
    Ok(pass::backward(spec, params, x, output_gradient, workspace, gradient, below)?)
}

export! {
    /// Makes the buffers for values and gradients of a network, or of others of the same widths, norms and type, over batches of up to
    /// `rows` rows, which `threads` share where they are large.
    fn deltarule_workspace_new(
        call, network: abi::Network, rows: usize, threads: abi::Threads, workspace: Out<abi::Workspace>,
    ) {
        let place = call.place("workspace", workspace)?;
        *place = match handle::get::<network::Shared<f32>>(network)? {
            Some(single) => make(&*single, rows, threads)?,
            None => make(&*network::shared::<f64>(network)?, rows, threads)?,
        };
        Ok(())
    }

    /// Frees a workspace.
    fn deltarule_workspace_free(_call, workspace: abi::Workspace) {
        handle::free(workspace)
    }

    /// What training minimises, and its gradient: the weighted mean over the rows of the batch of the loss (as in
    /// deltarule_train_options; null is squared_error), plus l1 times the sum of absolute weights and l2 / 2 times that of squared ones.
    ///
    /// The parameters are those at `parameters`, so that an optimiser of yours need not copy them, or the network's own if that is null
    /// and `parameter_count` is 0. `gradient` has as many numbers; with null and 0 only the value is computed, in a third of the time.
    /// Nothing is allocated, if the rows have no gaps. The same bits for any number of threads.
    fn deltarule_value_and_gradient_f32 | deltarule_value_and_gradient_f64 <T>(
        call, network: abi::Network, workspace: abi::Workspace, parameters: In<T>, parameter_count: usize, batch: In<Rows<T>>,
        loss: In<c_char>, l1: f64, l2: f64, gradient: Out<T>, gradient_count: usize, value: Out<Value>,
    ) {
        let (given, gradient) = ((parameters, parameter_count), (gradient, gradient_count));
        value_and_gradient(call, network, workspace, given, batch, (loss, l1, l2), gradient, value)
    }

    /// The gradient with respect to the parameters, given the one with respect to the outputs (rows x outputs), for a network inside of
    /// something larger, or with a loss of your own; and to `input_gradient`, unless it is null, the one with respect to the inputs,
    /// rows x inputs without gaps. The rest is as for deltarule_value_and_gradient_f32.
    fn deltarule_backward_f32 | deltarule_backward_f64 <T>(
        call, network: abi::Network, workspace: abi::Workspace, parameters: In<T>, parameter_count: usize, rows: usize, x: In<T>,
        inputs: usize, x_stride: usize, output_gradient: In<T>, outputs: usize, output_stride: usize, gradient: Out<T>,
        gradient_count: usize, input_gradient: Out<T>,
    ) {
        let (given, gradient) = ((parameters, parameter_count), (gradient, gradient_count));
        let (x, output_gradient) = ((x, inputs, x_stride), (output_gradient, outputs, output_stride));
        backward(call, network, workspace, given, rows, x, output_gradient, gradient, input_gradient)
    }
}
