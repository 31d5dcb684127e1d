//! Predictions: at once, or again and again with buffers that stay.

use crate::abi;
use crate::border::{Call, In, Out, export};
use crate::handle;
use crate::network::{self, Real, expect, of_other_type};
use crate::status::{Failure, Outcome};
use crate::threads::pool;
use deltarule::prelude::{Engine, Predictor, Spec};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, Slice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A predictor that several threads know, and buffers for matrices with gaps, which it cannot take.
struct Shared<T> {
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    predictor: Predictor<T>,
    rows: usize,
    x: Array2<T>,
    out: Array2<T>,
}

impl<T: Real> Inner<T> {
    /// Predicts pieces of as many rows as there is room for.
    fn predict(&mut self, x: ArrayView2<'_, T>, mut out: ArrayViewMut2<'_, T>) -> Outcome {
        // It may have been made for more rows than there is memory for buffers.
        let most = self.rows.min(x.nrows()).max(1);
        for (x, mut out) in x.axis_chunks_iter(Axis(0), most).zip(out.axis_chunks_iter_mut(Axis(0), most)) {
            if x.is_standard_layout() && out.is_standard_layout() {
                self.predictor.predict_into(x, out)?;
                continue;
            }
            if self.x.nrows() < most {
                self.make_room(most, (x.ncols(), out.ncols()))?;
            }
            let rows = Slice::from(0..x.nrows());
            let mut within = self.x.slice_axis_mut(Axis(0), rows);
            within.assign(&x);
            let mut from = self.out.slice_axis_mut(Axis(0), rows);
            self.predictor.predict_into(within.view(), from.view_mut())?;
            out.assign(&from);
        }
        Ok(())
    }

    /// Makes the buffers for matrices with gaps.
    fn make_room(&mut self, rows: usize, (inputs, outputs): (usize, usize)) -> Outcome {
        let numbers = rows as u128 * (inputs + outputs) as u128;
        deltarule::memory::require("buffers for matrices with gaps", numbers * size_of::<T>() as u128)?;
        let matrix = |cols| Array2::from_elem((rows, cols), T::ZERO);
        (self.x, self.out) = (matrix(inputs), matrix(outputs));
        Ok(())
    }
}

fn make<T: Real>(network: &network::Shared<T>, rows: usize, threads: abi::Threads) -> Result<abi::Predictor, Failure> {
    if rows == 0 {
        return Err(network::usage("rows", "at least 1", 0));
    }
    let predictor = Predictor::new(&network.now(), rows, Engine::default(), pool(threads)?)?;
    let none = || Array2::from_elem((0, 0), T::ZERO);
    handle::keep(Shared { inner: Mutex::new(Inner { predictor, rows, x: none(), out: none() }) })
}

/// What is read and written, if it fits the network.
type Views<'c, T> = (ArrayView2<'c, T>, ArrayViewMut2<'c, T>);

fn views<'c, T: Real>(
    call: &'c Call,
    spec: &Spec,
    rows: usize,
    (x, cols, x_stride): (In<T>, usize, usize),
    (out, out_cols, out_stride): (Out<T>, usize, usize),
) -> Result<Views<'c, T>, Failure> {
    expect("columns of x", spec.inputs(), cols)?;
    expect("columns of out", spec.outputs(), out_cols)?;
    let x = call.rows("x", x, (rows, cols), x_stride)?;
    Ok((x, call.rows_mut("out", out, (rows, out_cols), out_stride)?))
}

fn predict_once<T: Real>(
    call: &Call,
    network: abi::Network,
    rows: usize,
    x: (In<T>, usize, usize),
    out: (Out<T>, usize, usize),
) -> Outcome {
    let network = network::shared::<T>(network)?;
    let (x, mut out) = views(call, network.spec(), rows, x, out)?;
    out.assign(&network.now().predict(x)?);
    Ok(())
}

fn predict_again<T: Real>(
    call: &Call,
    predictor: abi::Predictor,
    rows: usize,
    x: (In<T>, usize, usize),
    out: (Out<T>, usize, usize),
) -> Outcome {
    let shared: Arc<Shared<T>> = handle::get(predictor)?.ok_or_else(|| of_other_type::<T>("predictor"))?;
    // Buffers that a panic left are overwritten by the next call.
    let mut inner: MutexGuard<'_, Inner<T>> = shared.inner.lock().unwrap_or_else(PoisonError::into_inner);
    let (x, out) = views(call, inner.predictor.spec(), rows, x, out)?;
    inner.predict(x, out)
}

export! {
    /// The outputs for `rows` rows, on the calling thread: `x` is rows x cols (the network's inputs), `out` rows x out_cols (its outputs).
    /// Rows begin `x_stride` and `out_stride` elements apart. Any number of threads may predict by one network at once.
    fn deltarule_predict_f32 | deltarule_predict_f64 <T>(
        call, network: abi::Network, rows: usize, x: In<T>, cols: usize, x_stride: usize, out: Out<T>, out_cols: usize, out_stride: usize,
    ) {
        predict_once(call, network, rows, (x, cols, x_stride), (out, out_cols, out_stride))
    }

    /// Makes a predictor of a network as it is now: its weights packed for batches of up to `rows` rows (1 for one at a time), and the
    /// buffers, so that predictions without gaps in their matrices allocate nothing. Large batches are shared among `threads`.
    fn deltarule_predictor_new(
        call, network: abi::Network, rows: usize, threads: abi::Threads, predictor: Out<abi::Predictor>,
    ) {
        let place = call.place("predictor", predictor)?;
        *place = match handle::get::<network::Shared<f32>>(network)? {
            Some(single) => make(&*single, rows, threads)?,
            None => make(&*network::shared::<f64>(network)?, rows, threads)?,
        };
        Ok(())
    }

    /// Frees a predictor.
    fn deltarule_predictor_free(_call, predictor: abi::Predictor) {
        handle::free(predictor)
    }

    /// The outputs for `rows` rows, which may be more than the predictor was made for: then piece after piece. Shapes are those of
    /// deltarule_predict_f32, and so are the bits, for any number of threads.
    fn deltarule_predictor_predict_f32 | deltarule_predictor_predict_f64 <T>(
        call, predictor: abi::Predictor, rows: usize, x: In<T>, cols: usize, x_stride: usize, out: Out<T>, out_cols: usize,
        out_stride: usize,
    ) {
        predict_again(call, predictor, rows, (x, cols, x_stride), (out, out_cols, out_stride))
    }
}
