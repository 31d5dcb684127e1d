//! What accompanies a training: it is judged by any figure, told of, interrupted at any step, saved, and continued with the same bits.

use deltarule::prelude::*;
use deltarule::scalar::Scalar;
use deltarule::train::{Averaging, Clip, History, Measure, Monitor, Part, Run, Saved, Saving, Stopped};
use ndarray::{Array2, ArrayView2, s};
use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const ROWS: usize = 60;

/// Points on a circle's two halves, with a few on the wrong side: no network gets all of them right in a few epochs.
fn rows<T: Float>() -> (Array2<T>, Array2<T>) {
    let mut rng = Rng::new(5);
    let mut x = Array2::from_elem((ROWS, 2), T::ZERO);
    x.iter_mut().for_each(|x| *x = rng.uniform(-1.0, 1.0));
    let y = Array2::from_shape_fn((ROWS, 1), |(i, _)| {
        let inside = x[[i, 0]].real().hypot(x[[i, 1]].real()) < 0.7;
        T::from_f64(f64::from(u8::from(inside != (i % 13 == 0))))
    });
    (x, y)
}

fn batch<'a, T>(x: &'a Array2<T>, y: &'a Array2<T>, rows: std::ops::Range<usize>) -> Batch<'a, T> {
    Batch { x: x.slice(s![rows.clone(), ..]), y: y.slice(s![rows, ..]), weights: None }
}

fn net<T: Float>() -> Network<T> {
    Network::new(Spec::mlp(2, &[8], Activation::Tanh, 1, Activation::Sigmoid).unwrap(), None, &mut Rng::new(1)).unwrap()
}

/// The logistic cross-entropy, which sets a flag once it has seen so many rows: an interrupt in the middle of an epoch.
#[derive(Clone, Debug)]
struct Alarmed {
    rows: usize,
    seen: Arc<AtomicUsize>,
    flag: Arc<AtomicBool>,
}

impl Alarmed {
    fn after(rows: usize) -> Self {
        Self { rows, seen: Arc::default(), flag: Arc::default() }
    }
}

impl LossFn for Alarmed {
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
        Loss::LogisticCrossEntropy.row(output, target, delta)
    }

    fn rows<T: Float>(
        &self,
        isa: deltarule::simd::Isa,
        output: &[T],
        target: &[T],
        delta: &mut [T],
        cols: usize,
        losses: &mut [T],
    ) {
        if self.seen.fetch_add(losses.len(), Ordering::Relaxed) + losses.len() >= self.rows {
            self.flag.store(true, Ordering::Relaxed);
        }
        Loss::LogisticCrossEntropy.rows(isa, output, target, delta, cols, losses);
    }

    fn link(&self) -> Option<Activation> {
        Loss::LogisticCrossEntropy.link()
    }
}

fn trainer() -> Trainer<Alarmed> {
    Trainer {
        learning_rate: 0.02,
        epochs: 12,
        batch: 7,
        stopping: Stopping::NEVER,
        ..Trainer::new(Objective { loss: Alarmed::after(usize::MAX), l1: 0.0, l2: 1e-3 })
    }
}

/// Every setting under which a training must continue as if nothing had happened.
fn settings() -> Vec<(&'static str, Trainer<Alarmed>)> {
    let of = |method| Trainer { solver: Solver::Steps(method), ..trainer() };
    let impatient = |patience| Stopping { tolerance: 0.05, patience, ..Stopping::default() };
    vec![
        ("adam", trainer()),
        ("sgd", of(Method::Sgd { momentum: 0.0, nesterov: false })),
        ("momentum", of(Method::sgd())),
        ("unshuffled", Trainer { shuffle: false, ..trainer() }),
        ("one_cycle", Trainer { schedule: Schedule::OneCycle { rise: 0.3 }, ..trainer() }),
        ("plateau", Trainer { schedule: Schedule::Plateau { patience: 0, factor: 0.5 }, ..trainer() }),
        ("warm-up", Trainer { warm_up: 5, ..trainer() }),
        ("average", Trainer { averaging: Some(Averaging::Exponential { decay: 0.9 }), ..trainer() }),
        ("swa", Trainer { averaging: Some(Averaging::Uniform { from: 4 }), ..trainer() }),
        ("clip", Trainer { clip: Some(Clip::Norm(0.1)), ..trainer() }),
        ("watched", Trainer { watch_gradients: Some(5), ..trainer() }),
        ("stalls", Trainer { stopping: impatient(2), ..trainer() }),
        ("adaptive", Trainer { schedule: Schedule::parse("adaptive").unwrap(), stopping: impatient(1), ..trainer() }),
    ]
}

/// The bits of the parameters that a training ends with, what happened in it, and what was saved last.
fn train<T: Float>(
    trainer: &Trainer<Alarmed>,
    held_back: bool,
    resume: Option<Saved<T>>,
) -> (Vec<u64>, History, Saved<T>) {
    let (x, y) = rows();
    // What is resumed comes into a network with other parameters.
    let mut network = if resume.is_some() { Network::zeros(net::<T>().spec().clone()).unwrap() } else { net::<T>() };
    let mut saved = None;
    let mut save = |state: &deltarule::train::Snapshot<'_, T>| {
        saved = Some(state.to_saved());
        Ok(())
    };
    let run = Run {
        held_back: held_back.then(|| batch(&x, &y, 48..ROWS)),
        interrupt: Some(&trainer.objective.loss.flag),
        save: Some(Saving { every: 5, save: &mut save }),
        resume,
        ..Run::default()
    };
    let training = batch(&x, &y, 0..if held_back { 48 } else { ROWS });
    let history = trainer.run(&mut network, training, run).unwrap();
    (network.params().iter().map(|p| p.real().to_bits()).collect(), history, saved.expect("it is saved at the end"))
}

fn continues_with_the_same_bits<T: Float>() {
    for (name, trainer) in settings() {
        for held_back in [false, true] {
            let (params, history, last) = train::<T>(&trainer, held_back, None);
            // After the first step, within an epoch, at the end of one, and late.
            for rows in [1, 30, 60, 137, 420] {
                let mut alarmed = trainer.clone();
                alarmed.objective.loss = Alarmed::after(rows);
                let (_, interrupted, saved) = train::<T>(&alarmed, held_back, None);
                if interrupted.stopped != Stopped::Interrupted {
                    assert!(history.training.len() < 12, "{name}: {rows} rows are fewer than twelve epochs have");
                    continue;
                }
                assert!(saved.standing.steps < last.standing.steps);
                let threads = Threads::new(1 + rows % 3).unwrap();
                let (again, continued, end) = train(&Trainer { threads, ..trainer.clone() }, held_back, Some(saved));
                let what = format!("{} {name}, held back {held_back}, after {rows} rows", T::NAME);
                assert_eq!(params, again, "{what}");
                assert_eq!(history, continued, "{what}");
                assert_eq!(last.buffers, end.buffers, "{what}");
            }
        }
    }
}

#[test]
fn an_interrupted_training_continues_with_the_same_bits() {
    continues_with_the_same_bits::<f32>();
    continues_with_the_same_bits::<f64>();
}

#[test]
fn a_finished_training_has_nothing_to_continue() {
    let (params, history, saved) = train::<f32>(&trainer(), false, None);
    let (again, continued, _) = {
        let (x, y) = rows();
        let mut network = net::<f32>();
        let run = Run { resume: Some(saved.clone()), ..Run::default() };
        let history = trainer().run(&mut network, batch(&x, &y, 0..ROWS), run).unwrap();
        (network.params().iter().map(|p| p.real().to_bits()).collect::<Vec<_>>(), history, ())
    };
    assert_eq!((params, history), (again, continued));
    // And with more epochs it goes on, as if it had been told so from the start.
    let longer = Trainer { epochs: 20, ..trainer() };
    assert_eq!(train::<f32>(&longer, false, Some(saved)).0, train::<f32>(&longer, false, None).0);
}

#[test]
fn a_state_of_another_training_is_refused_by_name() {
    let (_, _, saved) = train::<f32>(&trainer(), false, None);
    let refusal = |trainer: &Trainer<Alarmed>, saved: &Saved<f32>| {
        let (x, y) = rows();
        let before = net::<f32>();
        let mut network = before.clone();
        let run = Run { resume: Some(saved.clone()), ..Run::default() };
        let error = trainer.run(&mut network, batch(&x, &y, 0..ROWS), run).unwrap_err().to_string();
        assert_eq!(network, before, "{error}");
        error
    };
    let method = Method::Sgd { momentum: 0.0, nesterov: false };
    let error = refusal(&Trainer { solver: Solver::Steps(method), ..trainer() }, &saved);
    assert!(error.contains("moments"), "{error}");
    let error = refusal(&Trainer { averaging: Some(Averaging::Uniform { from: 1 }), ..trainer() }, &saved);
    assert!(error.contains("average"), "{error}");
    let error = refusal(&Trainer { epochs: 11, ..trainer() }, &saved);
    assert!(error.contains("11 epochs") && error.contains("12"), "{error}");
    let mut broken = saved.clone();
    broken.buffers.get_mut("params").unwrap()[3] = f32::NAN;
    let error = refusal(&trainer(), &broken);
    assert!(error.contains("'params', index 3") && error.contains("NaN"), "{error}");
    let mut short = saved.clone();
    short.buffers.get_mut("before").unwrap().pop();
    let error = refusal(&trainer(), &short);
    assert!(error.contains("'before'"), "{error}");
}

#[test]
fn an_average_is_kept_in_place_of_the_last_parameters() {
    let along = |averaging: Option<Averaging>| {
        let (x, y) = rows::<f64>();
        let mut network = net::<f64>();
        let mut seen = Vec::new();
        let mut save = |state: &deltarule::train::Snapshot<'_, f64>| {
            seen.push(state.to_saved().buffers["params"].clone());
            Ok(())
        };
        let run = Run { save: Some(Saving { every: 1, save: &mut save }), ..Run::default() };
        Trainer { averaging, ..trainer() }.run(&mut network, batch(&x, &y, 0..ROWS), run).unwrap();
        (network.params().to_vec(), seen)
    };
    let (last, path) = along(None);
    assert_eq!(last, path[11]);
    let (mean, same) = along(Some(Averaging::Uniform { from: 4 }));
    assert_eq!(path, same, "an average moves nothing");
    for (i, found) in mean.iter().enumerate() {
        let expected = path[3..].iter().map(|params| params[i]).sum::<f64>() / 9.0;
        assert!((found - expected).abs() < 1e-12, "{i}: {found} for {expected}");
    }
    // With one step an epoch the path has every step.
    let whole = Trainer { batch: ROWS, ..trainer() };
    let (x, y) = rows::<f64>();
    let run = |averaging| {
        let mut network = net::<f64>();
        let mut seen = Vec::new();
        let mut save = |state: &deltarule::train::Snapshot<'_, f64>| {
            seen.push(state.to_saved().buffers["params"].clone());
            Ok(())
        };
        let accompanied = Run { save: Some(Saving { every: 1, save: &mut save }), ..Run::default() };
        Trainer { averaging, ..whole.clone() }.run(&mut network, batch(&x, &y, 0..ROWS), accompanied).unwrap();
        (network.params().to_vec(), seen)
    };
    let (moving, path) = run(Some(Averaging::Exponential { decay: 0.75 }));
    for (i, found) in moving.iter().enumerate() {
        let expected = path[1..].iter().fold(path[0][i], |mean, params| 0.75 * mean + 0.25 * params[i]);
        assert!((found - expected).abs() < 1e-12, "{i}: {found} for {expected}");
    }
}

/// The share of rows on the right side, and a figure that only falls.
struct Accuracy {
    training: Array2<f64>,
    held_back: Array2<f64>,
}

impl Measure<f64> for Accuracy {
    fn names(&self) -> Vec<String> {
        vec!["accuracy".into(), "rows".into()]
    }

    fn figures(&self, part: Part, outputs: ArrayView2<'_, f64>) -> deltarule::Result<Vec<f64>> {
        let targets = if part == Part::Training { &self.training } else { &self.held_back };
        assert_eq!(outputs.dim(), targets.dim());
        let right = outputs.iter().zip(targets).filter(|(o, t)| (**o > 0.5) == (**t > 0.5)).count();
        Ok(vec![right as f64 / targets.len() as f64, targets.len() as f64])
    }
}

#[test]
fn any_figure_may_say_when_to_stop_and_what_to_keep() {
    let (x, y) = rows::<f64>();
    let part = |rows: std::ops::Range<usize>| y.slice(s![rows, ..]).to_owned();
    let measure = Accuracy { training: part(0..40), held_back: part(40..ROWS) };
    let fit = |stopping| {
        let mut network = net::<f64>();
        let run = Run { held_back: Some(batch(&x, &y, 40..ROWS)), measure: Some(&measure), ..Run::default() };
        let trainer = Trainer { epochs: 300, stopping, ..trainer() };
        let history = trainer.run(&mut network, batch(&x, &y, 0..40), run).unwrap();
        let outputs = network.predict(x.slice(s![40.., ..])).unwrap();
        (history, measure.figures(Part::HeldBack, outputs.view()).unwrap()[0])
    };
    let monitor = Monitor::Figure { index: 0, rises: true };
    let (history, kept) = fit(Stopping { tolerance: 0.0, patience: 30, monitor, ..Stopping::default() });
    let figures = &history.figures;
    assert_eq!((figures.training.len(), figures.validation.len()), (history.training.len(), history.training.len()));
    assert_eq!(history.stopped, Stopped::ValidationStalled);
    let best = figures.validation.iter().map(|row| row[0]).fold(0.0, f64::max);
    assert_eq!((figures.validation[history.kept - 1][0], kept), (best, best), "the first of the best epochs is kept");
    assert_eq!(history.kept, 1 + figures.validation.iter().position(|row| row[0] == best).unwrap());
    // A figure that never moves stalls at once.
    let monitor = Monitor::Figure { index: 1, rises: true };
    let (history, _) = fit(Stopping { tolerance: 0.0, patience: 3, monitor, ..Stopping::default() });
    assert_eq!((history.training.len(), history.kept), (4, 1));
}

#[test]
fn a_training_ends_at_its_target_at_its_time_and_at_a_word() {
    let (x, y) = rows::<f64>();
    let fit = |stopping: Stopping, until: usize| {
        let mut observe =
            |epoch: &deltarule::train::Epoch<'_>| if epoch.number == until { Break(()) } else { Continue(()) };
        let run = Run { observe: Some(&mut observe), ..Run::default() };
        Trainer { epochs: 400, stopping, ..trainer() }.run(&mut net::<f64>(), batch(&x, &y, 0..ROWS), run).unwrap()
    };
    let history = fit(Stopping { target_loss: Some(0.6), ..Stopping::NEVER }, 0);
    let (last, before) = history.training.split_last().unwrap();
    assert_eq!(history.stopped, Stopped::TargetReached);
    assert!(*last <= 0.6 && before.iter().all(|loss| *loss > 0.6));
    let history = fit(Stopping { time_limit: Some(Duration::ZERO), ..Stopping::NEVER }, 0);
    assert_eq!((history.stopped, history.training.len()), (Stopped::TimeUp, 1));
    let history = fit(Stopping::NEVER, 7);
    assert_eq!((history.stopped, history.training.len()), (Stopped::Observer, 7));
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let (x, y) = rows::<f64>();
    let refusal = |trainer: Trainer<Alarmed>, run: Run<'_, f64>| {
        // The run's borrows are shorter than the rows'.
        let (x, y) = (x.clone(), y.clone());
        let held_back = run.held_back.is_some().then(|| batch(&x, &y, 0..9));
        let run = Run { held_back, ..Run::default() };
        trainer.run(&mut net::<f64>(), batch(&x, &y, 0..ROWS), run).unwrap_err().to_string()
    };
    let figure = Stopping { monitor: Monitor::Figure { index: 0, rises: true }, ..Stopping::default() };
    for (trainer, run, words) in [
        (Trainer { stopping: figure, ..trainer() }, Run::default(), ["monitored", "held-back"]),
        (
            Trainer { stopping: figure, ..trainer() },
            Run { held_back: Some(batch(&x, &y, 0..9)), ..Run::default() },
            ["monitored", "0"],
        ),
        (Trainer { clip: Some(Clip::Value(0.0)), ..trainer() }, Run::default(), ["clip", "above 0"]),
        (
            Trainer { clip: Some(Clip::Norm(1.0)), solver: Solver::Lbfgs, ..trainer() },
            Run::default(),
            ["clip", "L-BFGS"],
        ),
        (
            Trainer { averaging: Some(Averaging::Exponential { decay: 1.0 }), ..trainer() },
            Run::default(),
            ["decay", "below 1"],
        ),
        (
            Trainer { averaging: Some(Averaging::Uniform { from: 13 }), ..trainer() },
            Run::default(),
            ["first epoch", "1 to 12"],
        ),
        (
            Trainer { stopping: Stopping { target_loss: Some(f64::NAN), ..Stopping::NEVER }, ..trainer() },
            Run::default(),
            ["target loss", "finite"],
        ),
    ] {
        let error = refusal(trainer, run);
        assert!(words.iter().all(|word| error.contains(word)), "{error} says {words:?}");
    }
}
