//! A training on a thread of its own, while the caller's thread waits for signals and runs callbacks.
//!
//! Python sees Ctrl-C on its main thread alone, and only while that runs Python. So the training has another thread; the caller's wakes
//! ten times a second to ask for signals, and whenever an epoch is over if somebody wants to know. In the loop itself is no Python.

use crate::errors::guard;
use deltarule::Result;
use deltarule::train::{Epoch, History};
use pyo3::prelude::*;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

/// How often signals are asked for: a keyboard interrupt is heard within this and a step.
const PATIENCE: Duration = Duration::from_millis(100);

/// An epoch that is over, for Python.
#[derive(Clone, Debug)]
struct Over {
    number: usize,
    training: f64,
    validation: Option<f64>,
    rate: f64,
    figures: Vec<f64>,
}

impl Over {
    fn of(epoch: &Epoch<'_>) -> Self {
        Self {
            number: epoch.number,
            training: epoch.training,
            validation: epoch.validation,
            rate: epoch.rate,
            figures: epoch.figures.validation.last().cloned().unwrap_or_default(),
        }
    }
}

/// What the training tells the caller's thread, and how that answers.
struct Line {
    tell: Sender<Over>,
    answer: Receiver<ControlFlow<()>>,
}

/// What a training is given: whom to tell of its epochs, and what ends it.
pub struct Link<'a> {
    line: Option<Line>,
    pub interrupt: &'a AtomicBool,
}

impl Link<'_> {
    /// Whether anybody wants to know.
    pub fn is_heard(&self) -> bool {
        self.line.is_some()
    }

    /// Tells of an epoch, and waits for the answer.
    pub fn tell(&self, epoch: &Epoch<'_>) -> ControlFlow<()> {
        let Some(line) = &self.line else { return ControlFlow::Continue(()) };
        match line.tell.send(Over::of(epoch)) {
            Ok(()) => line.answer.recv().unwrap_or(ControlFlow::Break(())),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// How a training ended: what it came to, and the exception of a callback or a signal that ended it, if one did.
pub struct Ended<R> {
    pub result: PyResult<R>,
    pub raised: Option<PyErr>,
}

/// Runs `train` without the interpreter's lock.
///
/// `callback` is called with each epoch's number, loss, loss on the rows held back, rate and figures of these; what it returns ends the
/// training if it is true.
pub fn run<R: Send>(
    py: Python<'_>,
    callback: Option<Py<PyAny>>,
    train: impl FnOnce(Link<'_>) -> Result<R> + Send,
) -> Ended<R> {
    py.detach(|| {
        let interrupt = AtomicBool::new(false);
        let (tell, told) = channel::<Over>();
        let (reply, answer): (SyncSender<_>, _) = sync_channel(1);
        let mut raised = None;
        let result = std::thread::scope(|scope| {
            let line = callback.is_some().then(|| Line { tell: tell.clone(), answer });
            let link = Link { line, interrupt: &interrupt };
            // Its sender's end tells that the training is over.
            let (over, ended) = channel::<()>();
            let training = scope.spawn(move || {
                let result = guard(|| train(link));
                drop((over, tell));
                result
            });
            let stop = |error: Option<PyErr>, raised: &mut Option<PyErr>| {
                interrupt.store(true, Ordering::Relaxed);
                if raised.is_none() {
                    *raised = error;
                }
            };
            match &callback {
                None => {
                    while ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                        if let Err(error) = Python::attach(|py| py.check_signals()) {
                            stop(Some(error), &mut raised);
                        }
                    }
                }
                Some(callback) => loop {
                    match told.recv_timeout(PATIENCE) {
                        Err(RecvTimeoutError::Disconnected) => break,
                        Err(RecvTimeoutError::Timeout) => {
                            if let Err(error) = Python::attach(|py| py.check_signals()) {
                                stop(Some(error), &mut raised);
                            }
                        }
                        Ok(epoch) => {
                            let wants_end = Python::attach(|py| {
                                py.check_signals()?;
                                let Over { number, training, validation, rate, figures } = epoch;
                                callback.call1(py, (number, training, validation, rate, figures))?.is_truthy(py)
                            });
                            let answer = match wants_end {
                                Ok(false) => ControlFlow::Continue(()),
                                Ok(true) => ControlFlow::Break(()),
                                Err(error) => {
                                    stop(Some(error), &mut raised);
                                    ControlFlow::Break(())
                                }
                            };
                            // The training may be over, and hear nothing.
                            let _ = reply.send(answer);
                        }
                    }
                },
            }
            match training.join() {
                Ok(result) => result,
                Err(_) => unreachable!("a panic was caught inside"),
            }
        });
        Ended { result, raised }
    })
}

/// What is said of a training, of its epochs from `begun` on: a dictionary's items.
pub fn history(
    py: Python<'_>,
    history: &History,
    begun: usize,
    names: &[String],
    monitor: Option<usize>,
) -> PyResult<Py<PyAny>> {
    fn since<T>(all: &[T], begun: usize) -> &[T] {
        &all[begun.min(all.len())..]
    }
    let dict = pyo3::types::PyDict::new(py);
    dict.set_item("training", since(&history.training, begun))?;
    dict.set_item("validation", since(&history.validation, begun))?;
    dict.set_item("rates", since(&history.rates, begun))?;
    dict.set_item("figure_names", names)?;
    let figures = since(&history.figures.validation, begun);
    dict.set_item("figures", figures)?;
    let scores: Vec<f64> = match monitor {
        Some(index) => figures.iter().map(|figures| figures[index]).collect(),
        None => Vec::new(),
    };
    dict.set_item("scores", scores)?;
    dict.set_item("kept", history.kept)?;
    let stopped = serde_json::to_value(history.stopped).ok();
    dict.set_item("stopped", stopped.and_then(|value| value.as_str().map(String::from)))?;
    Ok(dict.into_any().unbind())
}
