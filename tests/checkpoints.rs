//! Checkpoints: a training continued from its file has the bits of one that was never interrupted; a file that is not whole, or is of
//! another training, is refused.

use deltarule::Error;
use deltarule::network::noise::Noise;
use deltarule::prelude::*;
use deltarule::schedule::Schedule;
use deltarule::threads::Threads;
use deltarule::train::checkpoint::{Checkpoint, Checkpointing, Found, Identity, Start, to_bytes};
use deltarule::train::{Averaging, Clip, History, Measure, Monitor, Part, Run, Saving, Stopped};
use ndarray::{Array2, ArrayView2, s};
use std::ops::ControlFlow::{Break, Continue};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn rows<T: Float>() -> (Array2<T>, Array2<T>) {
    let mut rng = Rng::new(5);
    let mut x = Array2::from_elem((40, 2), T::ZERO);
    x.iter_mut().for_each(|x| *x = rng.uniform(-1.0, 1.0));
    let y = Array2::from_shape_fn((40, 1), |(i, _)| {
        T::from_f64(f64::from(u8::from((x[[i, 0]] * x[[i, 1]]).real() > 0.0 && i % 11 != 0)))
    });
    (x, y)
}

fn net<T: Float>() -> Network<T> {
    Network::new(Spec::mlp(2, &[4], Activation::Tanh, 1, Activation::Sigmoid).unwrap(), None, &mut Rng::new(1)).unwrap()
}

fn trainer(method: Method) -> Trainer {
    Trainer {
        solver: Solver::Steps(method),
        objective: Objective { loss: Loss::LogisticCrossEntropy, l1: 0.0, l2: 1e-4 },
        learning_rate: 0.02,
        epochs: 12,
        batch: 7,
        stopping: Stopping::NEVER,
        ..Trainer::default()
    }
}

/// A training on the first thirty rows, judged on the last ten.
struct Case<'a> {
    trainer: &'a Trainer,
    path: PathBuf,
    judged: bool,
}

impl Case<'_> {
    fn run<T: Float>(
        &self,
        found: Found,
        interrupt: Option<&AtomicBool>,
    ) -> deltarule::Result<(Vec<T>, History, Start)> {
        let (x, y) = rows::<T>();
        let part = |from, to| Batch { x: x.slice(s![from..to, ..]), y: y.slice(s![from..to, ..]), weights: None };
        let mut net = net::<T>();
        let run = Run { held_back: self.judged.then(|| part(30, 40)), interrupt, ..Run::default() };
        let mut start = Start::Anew;
        let mut told = |how| start = how;
        let state = Checkpointing { path: &self.path, every: 5, found, told: Some(&mut told) };
        let history = self.trainer.run_checkpointed(&mut net, part(0, 30), run, state)?;
        Ok((net.params().to_vec(), history, start))
    }
}

/// Interrupted after every single batch, with another number of threads each time, against a run in one piece.
fn interrupted_everywhere<T: Float>(trainer: &Trainer, judged: bool) {
    let folder = tempfile::tempdir().unwrap();
    let whole = Case { trainer, path: folder.path().join("whole"), judged };
    let (expected, history, _) = whole.run::<T>(Found::Refuse, None).unwrap();
    let always = AtomicBool::new(true);
    let path = folder.path().join("pieces");
    for piece in 1.. {
        let trainer = Trainer { threads: Threads::new(1 + piece % 2).unwrap(), ..trainer.clone() };
        let case = Case { trainer: &trainer, path: path.clone(), judged };
        let (params, found, start) = case.run::<T>(Found::Resume, Some(&always)).unwrap();
        // Thirty rows in batches of seven are five batches.
        let expected_start = match piece - 1 {
            0 => Start::Anew,
            done => Start::Continued { epochs: done / 5, batches: done % 5 },
        };
        assert_eq!(start, expected_start);
        if found.stopped != Stopped::Interrupted {
            assert_eq!(params, expected);
            assert_eq!(found, history);
            break;
        }
        assert_eq!(found.rates.len(), found.training.len());
    }
}

#[test]
fn interrupted_after_every_batch_it_comes_to_the_same_bits() {
    for name in Method::NAMES {
        interrupted_everywhere::<f32>(&trainer(Method::parse(name).unwrap()), false);
    }
    let rich = Trainer {
        schedule: Schedule::OneCycle { rise: 0.3 },
        clip: Some(Clip::Norm(0.5)),
        averaging: Some(Averaging::Exponential { decay: 0.9 }),
        watch_gradients: Some(7),
        noise: Noise { dropout: vec![0.3], input_dropout: 0.1, input_noise: 0.2 },
        max_norm: Some(1.5),
        ..trainer(Method::adam())
    };
    interrupted_everywhere::<f32>(&rich, true);
    interrupted_everywhere::<f64>(&rich, false);
    let plateau = Trainer {
        schedule: Schedule::Plateau { patience: 1, factor: 0.5 },
        stopping: Stopping { tolerance: 0.01, patience: 3, ..Stopping::NEVER },
        averaging: Some(Averaging::Uniform { from: 4 }),
        epochs: 40,
        ..trainer(Method::sgd())
    };
    interrupted_everywhere::<f64>(&plateau, true);
}

/// A small checkpoint's bytes, with which training it is of.
fn small() -> (Identity, Vec<u8>) {
    let trainer = trainer(Method::sgd());
    let mut net = Network::<f32>::new(
        Spec::mlp(1, &[], Activation::Tanh, 1, Activation::Identity).unwrap(),
        None,
        &mut Rng::new(1),
    )
    .unwrap();
    let trainer = Trainer { objective: Objective::default(), epochs: 1, ..trainer };
    let (x, y) = (ndarray::array![[0.0_f32], [1.0]], ndarray::array![[1.0_f32], [0.5]]);
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let identity = Identity::of(&trainer, &net, &batch, None, None);
    let mut bytes = Vec::new();
    let mut save = |snapshot: &deltarule::train::Snapshot<'_, f32>| {
        bytes = to_bytes(&identity, snapshot)?;
        Ok(())
    };
    let run = Run { save: Some(Saving { every: 1, save: &mut save }), ..Run::default() };
    trainer.run(&mut net, batch.view(), run).unwrap();
    (identity, bytes)
}

#[test]
fn what_is_not_whole_is_refused() {
    let (identity, bytes) = small();
    let path = Path::new("c.st");
    let whole = Checkpoint::<f32>::from_bytes(&bytes, path).unwrap();
    assert_eq!(whole.identity, identity);
    assert_eq!(whole.saved.standing.epoch, 1);
    for length in 0..bytes.len() {
        let error = Checkpoint::<f32>::from_bytes(&bytes[..length], path).expect_err("it is cut short");
        assert!(matches!(error, Error::Checkpoint { .. }), "{length}: {error}");
    }
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let found = Checkpoint::<f32>::from_bytes(&flipped, path);
        assert!(
            found.is_err(),
            "bit {bit}, in {:?}",
            String::from_utf8_lossy(&bytes[(bit / 8).saturating_sub(20)..][..40])
        );
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(Checkpoint::<f32>::from_bytes(&longer, path).is_err());
    let other = Checkpoint::<f64>::from_bytes(&bytes, path).unwrap_err().to_string();
    assert_eq!(other, "checkpoint c.st is of dtype f32, this training has dtype f64");
}

#[test]
fn every_setting_that_moves_a_bit_is_a_field() {
    let folder = tempfile::tempdir().unwrap();
    let base = || Trainer { epochs: 2, ..trainer(Method::adam()) };
    let path = folder.path().join("c.st");
    Case { trainer: &base(), path: path.clone(), judged: true }.run::<f32>(Found::Refuse, None).unwrap();
    let objective = base().objective;
    let stopping = base().stopping;
    let noise = |noise: Noise| Trainer { noise, ..base() };
    let others: [(&str, Trainer); 21] = [
        ("dropout", noise(Noise { dropout: vec![0.5], ..Noise::default() })),
        ("input dropout", noise(Noise { input_dropout: 0.5, ..Noise::default() })),
        ("input noise", noise(Noise { input_noise: 0.5, ..Noise::default() })),
        ("max norm", Trainer { max_norm: Some(2.0), ..base() }),
        ("loss", Trainer { objective: Objective { loss: Loss::SquaredError, ..objective }, ..base() }),
        ("l1", Trainer { objective: Objective { l1: 0.1, ..objective }, ..base() }),
        ("l2", Trainer { objective: Objective { l2: 0.1, ..objective }, ..base() }),
        ("solver", trainer(Method::adamw())),
        ("solver", Trainer { solver: Solver::Steps(Method::adam().with("epsilon", 1e-7).unwrap()), ..base() }),
        ("learning rate", Trainer { learning_rate: 0.1, ..base() }),
        ("schedule", Trainer { schedule: Schedule::Exponential { factor: 0.5 }, ..base() }),
        ("warm-up", Trainer { warm_up: 1, ..base() }),
        ("clip", Trainer { clip: Some(Clip::Value(1.0)), ..base() }),
        ("averaging", Trainer { averaging: Some(Averaging::Uniform { from: 1 }), ..base() }),
        ("batch", Trainer { batch: 8, ..base() }),
        ("shuffle", Trainer { shuffle: false, ..base() }),
        ("seed", Trainer { seed: 9, ..base() }),
        ("tolerance", Trainer { stopping: Stopping { tolerance: 0.5, ..stopping }, ..base() }),
        ("patience", Trainer { stopping: Stopping { patience: 5, ..stopping }, ..base() }),
        (
            "monitor",
            Trainer { stopping: Stopping { monitor: Monitor::Figure { index: 0, rises: true }, ..stopping }, ..base() },
        ),
        ("epochs", Trainer { epochs: 1, ..base() }),
    ];
    let before = std::fs::read(&path).unwrap();
    for (name, trainer) in &others {
        let case = Case { trainer, path: path.clone(), judged: true };
        let error = case.run::<f32>(Found::Resume, None).unwrap_err().to_string();
        let begins = format!("checkpoint {} is of {name} ", path.display());
        assert!(error.starts_with(&begins) && error.contains(&format!(", this training has {name} ")), "{error}");
    }
    let unjudged = Case { trainer: &base(), path: path.clone(), judged: false }.run::<f32>(Found::Resume, None);
    assert!(unjudged.unwrap_err().to_string().contains("is of held-back rows 10, this training has held-back rows 0"));
    let refused = Case { trainer: &base(), path: path.clone(), judged: true }.run::<f32>(Found::Refuse, None);
    assert!(refused.unwrap_err().to_string().contains("exists already"));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // Where the schedule looks to the end, the end is part of it.
    for schedule in [Schedule::OneCycle { rise: 0.3 }, Schedule::Cosine { period: 0, growth: 1 }] {
        let of = |epochs| Trainer { schedule, epochs, ..base() };
        Case { trainer: &of(2), path: path.clone(), judged: true }.run::<f32>(Found::Replace, None).unwrap();
        let error =
            Case { trainer: &of(3), path: path.clone(), judged: true }.run::<f32>(Found::Resume, None).unwrap_err();
        assert!(error.to_string().contains("is of epochs 2, this training has epochs 3"), "{error}");
    }
}

#[test]
fn what_may_change_continues_to_the_bits_of_a_whole_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.st");
    let run =
        |trainer: &Trainer, found| Case { trainer, path: path.clone(), judged: false }.run::<f32>(found, None).unwrap();
    let rule = Stopping { tolerance: 0.05, patience: 2, ..Stopping::NEVER };
    let stalling = Trainer { epochs: 200, stopping: rule, ..trainer(Method::adam()) };
    let (expected, whole, _) = run(&stalling, Found::Replace);
    assert_eq!(whole.stopped, Stopped::TrainingStalled);
    let last = *whole.training.last().unwrap();
    let target = whole.training[1];
    let limits = [
        // Reached in the epoch in which it stalls too: what is told first must not hide the other from the resumed.
        Stopping { target_loss: Some(last), ..rule },
        Stopping { target_loss: Some(target), ..rule },
        Stopping { time_limit: Some(Duration::ZERO), ..rule },
    ];
    for (i, stopping) in limits.into_iter().enumerate() {
        let (_, short, _) = run(&Trainer { stopping, ..stalling.clone() }, Found::Replace);
        assert!(matches!(short.stopped, Stopped::TargetReached | Stopped::TimeUp), "{i}: {:?}", short.stopped);
        // Under the same limit there is nothing left to do.
        let (_, same, _) = run(&Trainer { stopping, ..stalling.clone() }, Found::Resume);
        assert_eq!(same, short);
        let (params, found, _) = run(&stalling, Found::Resume);
        assert_eq!((params, found), (expected.clone(), whole.clone()), "limit {i}");
    }
}

#[test]
fn an_observer_that_ends_it_does_not_end_the_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.st");
    let (x, y) = rows::<f64>();
    let train = |path: &Path, last: usize, found| {
        let (trainer, mut net) = (trainer(Method::adam()), net::<f64>());
        let mut observe =
            |epoch: &deltarule::train::Epoch<'_>| if epoch.number == last { Break(()) } else { Continue(()) };
        let run = Run { observe: Some(&mut observe), ..Run::default() };
        let state = Checkpointing { path, every: 100, found, told: None };
        let batch = Batch { x: x.view(), y: y.view(), weights: None };
        let history = trainer.run_checkpointed(&mut net, batch, run, state).unwrap();
        (net.params().to_vec(), history)
    };
    assert_eq!(train(&path, 4, Found::Refuse).1.stopped, Stopped::Observer);
    assert_eq!(train(&path, 0, Found::Resume), train(&folder.path().join("whole"), 0, Found::Refuse));
}

/// Figures that JSON cannot hold.
struct Strange;

impl Measure<f32> for Strange {
    fn names(&self) -> Vec<String> {
        vec!["infinite".into(), "none".into()]
    }

    fn figures(&self, _: Part, _: ArrayView2<'_, f32>) -> deltarule::Result<Vec<f64>> {
        Ok(vec![f64::INFINITY, f64::NAN])
    }
}

#[test]
fn figures_that_are_no_numbers_are_kept_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (x, y) = rows::<f32>();
    for index in 0..2 {
        let path = folder.path().join(format!("{index}"));
        let train = |path: &Path, found, epochs| {
            let stopping = Stopping { monitor: Monitor::Figure { index, rises: false }, ..Stopping::NEVER };
            let (trainer, mut net) = (Trainer { epochs, stopping, ..trainer(Method::adam()) }, net::<f32>());
            let batch = Batch { x: x.view(), y: y.view(), weights: None };
            let run = Run { held_back: Some(batch.view()), measure: Some(&Strange), ..Run::default() };
            let state = Checkpointing { path, every: 1, found, told: None };
            let history = trainer.run_checkpointed(&mut net, batch.view(), run, state).unwrap();
            // NaN is unlike itself; its name is not.
            (net.params().to_vec(), format!("{history:?}"))
        };
        train(&path, Found::Refuse, 3);
        let resumed = train(&path, Found::Resume, 6);
        assert_eq!(resumed, train(&folder.path().join("whole"), Found::Replace, 6), "{index}");
        assert!(resumed.1.contains("[inf, NaN]"));
    }
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let never = AtomicBool::new(false);
    let adam = trainer(Method::adam());
    let nowhere = Case { trainer: &adam, path: folder.path().join("none/c.st"), judged: false };
    assert!(matches!(nowhere.run::<f32>(Found::Resume, Some(&never)), Err(Error::Io { .. })));
    assert!(!never.load(Ordering::Relaxed));
}
