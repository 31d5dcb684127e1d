//! What a network says of rows: its outputs.

use crate::errors::guard;
use crate::given::Given;
use crate::rows::Rows;
use deltarule::Result;
use deltarule::float::Float;
use deltarule::kernel::vector;
use deltarule::network::workspace::rows_at_a_time;
use deltarule::prelude::Network;
use deltarule::simd::Isa;
use ndarray::{Array2, Axis};
use numpy::{Element, IntoPyArray};
use pyo3::prelude::*;

/// Fewer multiplications than this are not worth a second thread: 20 ms of them. On two cores, 0.8 10^9 took 8.6 ms on one thread and
/// 9.2 on two, 20 10^9 took 207 and 161.
const WORTH_A_THREAD: usize = 2_000_000_000;

/// The outputs of rows. With `check`, None if a number among them is not finite.
pub fn predict<'py, T: Float + Element>(
    py: Python<'py>,
    net: &Network<T>,
    x: &Bound<'py, PyAny>,
    (threads, check): (usize, bool),
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let given = Given::<T>::new(x)?;
    let rows = given.rows()?;
    let outputs = py.detach(|| {
        if check && !is_finite(rows) {
            return Ok(None);
        }
        guard(|| outputs(net, rows, threads)).map(Some)
    })?;
    Ok(outputs.map(|outputs| outputs.into_pyarray(py).into_any()))
}

fn is_finite<T: Float>(rows: Rows<'_, T>) -> bool {
    let all = |numbers: &[T]| vector::all_finite(Isa::current(), numbers);
    match rows {
        Rows::Dense(x) => match x.as_slice() {
            Some(numbers) => all(numbers),
            None => x.iter().all(|value| value.is_finite()),
        },
        Rows::Sparse(x) => all(x.data),
    }
}

/// The outputs of all rows, in parts for threads of their own; the bits are those of one part.
fn outputs<T: Float>(net: &Network<T>, rows: Rows<'_, T>, threads: usize) -> Result<Array2<T>> {
    let folded = if net.spec().couples_rows() { Some(net.folded()?) } else { None };
    let net = folded.as_ref().unwrap_or(net);
    let count = rows.count();
    let piece = rows_at_a_time::<T, _>(net.spec(), count).max(1);
    let work = count.saturating_mul(net.spec().parameters());
    let parts = match count.div_ceil(piece).min(1 + work / WORTH_A_THREAD) {
        // To ask how many cores there are takes longer than many a prediction.
        0 | 1 => 1,
        parts if threads == 0 => parts.min(std::thread::available_parallelism().map_or(1, usize::from)),
        parts => parts.min(threads),
    };
    let mut out = Array2::from_elem((count, net.spec().outputs()), T::ZERO);
    // Whole numbers of the pieces in which a prediction works.
    let share = count.div_ceil(piece).div_ceil(parts).max(1) * piece;
    let part = |from: usize, mut out: ndarray::ArrayViewMut2<'_, T>| -> Result<()> {
        match rows {
            Rows::Dense(x) => {
                let rows = from..from + out.nrows();
                out.assign(&net.predict(x.slice_axis(Axis(0), rows.into()))?);
            }
            Rows::Sparse(x) => {
                for (i, mut out) in out.axis_chunks_iter_mut(Axis(0), piece).enumerate() {
                    let begin = from + i * piece;
                    let rows = begin..begin + out.nrows();
                    out.assign(&net.predict(x.dense(rows).view())?);
                }
            }
        }
        Ok(())
    };
    if parts == 1 {
        if let Rows::Dense(x) = rows {
            return net.predict(x);
        }
        part(0, out.view_mut())?;
        return Ok(out);
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = (out.axis_chunks_iter_mut(Axis(0), share).enumerate())
            .map(|(i, out)| {
                scope.spawn({
                    let part = &part;
                    move || part(i * share, out)
                })
            })
            .collect();
        running
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok(out)
}
