//! From Python's rows and settings to a training of the library, and back.

use crate::errors::guard;
use crate::given::{Given, borrowed1, borrowed2};
use crate::measure::{Score, target};
use crate::rows::Rows;
use crate::settings::Settings;
use crate::training;
use deltarule::data::target::Target;
use deltarule::float::Float;
use deltarule::prelude::{Batch, Network, Trainer};
use deltarule::train::{
    Averaging, Epoch, History, Inputs, Measure, Monitor, Run, Saved, Saving, Snapshot, Solver, Stopped,
};
use deltarule::{Error, Result};
use ndarray::{Array2, ArrayView2};
use numpy::{Element, PyReadonlyArray1};
use pyo3::prelude::*;

/// Inputs, targets and weights of Python's rows, as they come in one argument.
pub type Owned<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

/// The same, borrowed.
type Trio<'a, 'py> = (&'a Bound<'py, PyAny>, &'a Bound<'py, PyAny>, Option<&'a Bound<'py, PyAny>>);

pub fn fit<T: Float + Element>(
    py: Python<'_>,
    net: &mut Network<T>,
    saved: &mut Option<Saved<T>>,
    (x, y, weights): Trio<'_, '_>,
    (settings, goes_on): (&Settings, bool),
    validation: Option<&Owned<'_>>,
    callback: Option<Py<PyAny>>,
) -> PyResult<(Py<PyAny>, Option<PyErr>)> {
    let target = &guard(|| target(&settings.target, &settings.target_names))?;
    let mut trainer = guard(|| settings.trainer::<T>(target, validation.is_some()))?;
    let given = Given::<T>::new(x)?;
    let y = borrowed2::<T>(y, "y")?;
    let weights = weights.map(|weights| borrowed1::<T>(weights, "sample_weight")).transpose()?;
    let judged = match validation {
        None => None,
        Some((x, y, weights)) => {
            let weights = weights.as_ref().map(|weights| borrowed1::<T>(weights, "sample_weight")).transpose()?;
            Some((Given::<T>::new(x)?, borrowed2::<T>(y, "y")?, weights))
        }
    };
    let rows = given.rows()?;
    let judged_rows = judged.as_ref().map(|(x, _, _)| x.rows()).transpose()?;
    let judged = match (&judged, judged_rows) {
        (Some((_, y, weights)), Some(x)) => {
            Some((x, y.as_array(), weights.as_ref().map(PyReadonlyArray1::as_slice).transpose()?))
        }
        _ => None,
    };
    let (y, weights) = (y.as_array(), weights.as_ref().map(PyReadonlyArray1::as_slice).transpose()?);
    let monitor = match trainer.stopping.monitor {
        Monitor::Figure { index, .. } => Some(index),
        Monitor::Loss => None,
    };
    let resume = if goes_on { saved.take() } else { None };
    let begun = resume.as_ref().map_or(0, |saved| saved.standing.epoch);
    if goes_on {
        guard(|| check_parts(&trainer))?;
        trainer.epochs = begun + 1;
        trainer.stopping.patience = usize::MAX;
    }
    *saved = None;
    let ended = training::run(py, callback, move |link| {
        let parts = Parts { rows, y, weights, judged, target, keeps: goes_on, resume };
        train(net, &trainer, parts, &link)
    });
    let (history, names, kept) = ended.result?;
    // Half an epoch is of these rows alone; the next part may be of others.
    *saved = if history.stopped == Stopped::Interrupted { None } else { kept };
    Ok((training::history(py, &history, begun, &names, monitor)?, ended.raised))
}

/// Refuses what has no meaning where each part is a pass of its own.
fn check_parts(trainer: &Trainer) -> Result<()> {
    let what = match trainer.averaging {
        _ if trainer.schedule.knows_the_end() => format!("schedule {}", trainer.schedule),
        Some(Averaging::Uniform { from }) if from > 1 => "swa from a later epoch on".into(),
        _ => return Ok(()),
    };
    Err(Error::Unsupported(format!("{what} in partial_fit, which does not know how many passes there will be")))
}

/// Inputs, targets and weights of rows, as the library reads them.
type Judged<'a, T> = (Rows<'a, T>, ArrayView2<'a, T>, Option<&'a [T]>);

/// What a training is of.
struct Parts<'a, T> {
    rows: Rows<'a, T>,
    y: ArrayView2<'a, T>,
    weights: Option<&'a [T]>,
    judged: Option<Judged<'a, T>>,
    target: &'a Target,
    /// Whether where it stands is kept, to go on from.
    keeps: bool,
    resume: Option<Saved<T>>,
}

/// What happened, the names of its figures, and where the training stands.
type Trained<T> = (History, Vec<String>, Option<Saved<T>>);

fn train<T: Float>(
    net: &mut Network<T>,
    trainer: &Trainer,
    parts: Parts<'_, T>,
    link: &training::Link<'_>,
) -> Result<Trained<T>> {
    let Parts { rows, y, weights, judged, target, keeps, resume } = parts;
    let output = net.spec().layers().last().map(|layer| layer.activation);
    // Mini-batches of sparse rows are written out when their turn comes; solvers that look at all rows look at all of them.
    let (mut sparse, written);
    let mut inputs: Option<&mut dyn Inputs<T>> = None;
    let none = Array2::from_elem((rows.count(), 0), T::ZERO);
    let x = match rows {
        Rows::Dense(x) => x,
        Rows::Sparse(x) if matches!(trainer.solver, Solver::Steps(_)) => {
            sparse = x;
            inputs = Some(&mut sparse);
            none.view()
        }
        Rows::Sparse(x) => {
            written = x.dense(0..x.rows());
            written.view()
        }
    };
    let judged_x = match &judged {
        Some((Rows::Sparse(x), _, _)) => Some(x.dense(0..x.rows())),
        _ => None,
    };
    let held_back = judged.as_ref().map(|(rows, y, weights)| {
        let x = match (rows, &judged_x) {
            (Rows::Dense(x), _) => *x,
            (_, Some(x)) => x.view(),
            (Rows::Sparse(_), None) => unreachable!("written out above"),
        };
        Batch { x, y: *y, weights: *weights }
    });
    let score = judged.as_ref().map(|(_, y, weights)| Score {
        target,
        output,
        truth: *y,
        weights: weights.map(|weights| weights.iter().map(|weight| weight.real()).collect()),
    });
    let names = score.as_ref().map_or(Vec::new(), Measure::names);
    let mut kept = None;
    let mut keep = |snapshot: &Snapshot<'_, T>| {
        kept = Some(snapshot.to_saved());
        Ok(())
    };
    let mut observe = |epoch: &Epoch<'_>| link.tell(epoch);
    let run = Run {
        held_back,
        inputs,
        measure: score.as_ref().map(|score| score as &dyn Measure<T>),
        observe: if link.is_heard() { Some(&mut observe) } else { None },
        interrupt: Some(link.interrupt),
        save: keeps.then_some(Saving { every: usize::MAX, save: &mut keep }),
        resume,
    };
    let history = trainer.run(net, Batch { x, y, weights }, run)?;
    // What ended this part does not end the next.
    let kept = kept.map(|mut saved: Saved<T>| {
        saved.standing.stopped = None;
        saved
    });
    Ok((history, names, kept))
}
