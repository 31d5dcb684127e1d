//! Checkpoints of the solvers that look at all rows: interrupted at any iteration's border and resumed from a file, with another number
//! of threads, each comes to the bits of a training that was never interrupted; a state that is none of its own is refused by name.

use deltarule::Error;
use deltarule::engine::Engine;
use deltarule::optim::levenberg_marquardt::{self, Problem};
use deltarule::optim::{Iteration, Lbfgs, LevenbergMarquardt, Minimiser, Rprop, Scg, Stop, bayes, lbfgs, rprop, scg};
use deltarule::prelude::*;
use deltarule::simd::{Isa, Vectorized};
use deltarule::threads::Threads;
use deltarule::train::checkpoint::{Checkpoint, Checkpointing, Found, Identity, Start, to_bytes};
use deltarule::train::{History, Run, Saved, Saving, Snapshot, Stopped};
use ndarray::{Array2, s};
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const ROWS: usize = 40;

fn rows<T: Float>(solver: Solver) -> (Array2<T>, Array2<T>) {
    let mut rng = Rng::new(5);
    let mut x = Array2::from_elem((ROWS, 2), T::ZERO);
    x.iter_mut().for_each(|x| *x = rng.uniform(-1.0, 1.0));
    let y = Array2::from_shape_fn((ROWS, 1), |(i, _)| {
        let [a, b] = [x[[i, 0]].real(), x[[i, 1]].real()];
        // A line for a layer of thresholds, far from the origin for it to take some passes; else exclusive or, with noise.
        let fires = if solver == Solver::Perceptron { a + 0.9 * b > 0.6 } else { (a * b > 0.0) != (i % 11 == 0) };
        T::from_f64(f64::from(u8::from(fires)))
    });
    (x, y)
}

fn net<T: Float>(solver: Solver) -> Network<T> {
    let spec = match solver {
        Solver::Perceptron => Spec::mlp(2, &[], Activation::Step, 1, Activation::Step),
        _ => Spec::mlp(2, &[4], Activation::Tanh, 1, Activation::Sigmoid),
    };
    Network::new(spec.unwrap(), None, &mut Rng::new(1)).unwrap()
}

fn trainer(solver: Solver) -> Trainer {
    // Bayesian regularisation weighs squared errors alone; of the others, the cross-entropy is the harder.
    let (loss, l2) = match solver {
        Solver::Bayes(_) => (Loss::SquaredError, 0.0),
        _ => (Loss::LogisticCrossEntropy, 1e-4),
    };
    let objective = Objective { loss, l1: 0.0, l2 };
    Trainer { solver, objective, epochs: 25, stopping: Stopping::NEVER, ..Trainer::default() }
}

fn solvers() -> [Solver; 7] {
    let minus = rprop::Options { variant: rprop::Variant::Minus, ..rprop::Options::default() };
    let options = levenberg_marquardt::Options::default();
    [
        Solver::Lbfgs,
        Solver::Scg,
        Solver::Rprop(rprop::Options::default()),
        Solver::Rprop(minus),
        Solver::LevenbergMarquardt(options),
        Solver::Bayes(options),
        Solver::Perceptron,
    ]
}

/// Rows held back have no meaning for the perceptron.
fn judgings(solver: Solver) -> &'static [bool] {
    if solver == Solver::Perceptron { &[false] } else { &[false, true] }
}

fn batch<'a, T>(x: &'a Array2<T>, y: &'a Array2<T>) -> Batch<'a, T> {
    Batch { x: x.view(), y: y.view(), weights: None }
}

fn bits<T: Float>(numbers: &[T]) -> Vec<u64> {
    numbers.iter().map(|p| p.real().to_bits()).collect()
}

struct Case<'a> {
    trainer: &'a Trainer,
    path: PathBuf,
    judged: bool,
    every: usize,
}

impl Case<'_> {
    fn run<T: Float>(
        &self,
        found: Found,
        interrupt: Option<&AtomicBool>,
    ) -> deltarule::Result<(Vec<u64>, History, Start)> {
        let (x, y) = rows::<T>(self.trainer.solver);
        let part = |from, to| Batch { x: x.slice(s![from..to, ..]), y: y.slice(s![from..to, ..]), weights: None };
        let mut net = net::<T>(self.trainer.solver);
        let run = Run { held_back: self.judged.then(|| part(30, ROWS)), interrupt, ..Run::default() };
        let mut start = Start::Anew;
        let mut told = |how| start = how;
        let state = Checkpointing { path: &self.path, every: self.every, found, told: Some(&mut told) };
        let history = self.trainer.run_checkpointed(&mut net, part(0, 30), run, state)?;
        Ok((bits(net.params()), history, start))
    }
}

/// Interrupted after every single iteration, with another number of threads each time, against a run in one piece.
fn interrupted_everywhere<T: Float>(trainer: &Trainer, judged: bool) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let what = format!("{} {:?}, judged {judged}", T::NAME, trainer.solver);
    let whole = Case { trainer, path: folder.path().join("whole"), judged, every: 7 };
    let (expected, history, _) = whole.run::<T>(Found::Refuse, None).unwrap();
    let mut plain = net::<T>(trainer.solver);
    let (x, y) = rows::<T>(trainer.solver);
    let part = |from, to| Batch { x: x.slice(s![from..to, ..]), y: y.slice(s![from..to, ..]), weights: None };
    let held_back = judged.then(|| part(30, ROWS));
    let unsaved = trainer.run(&mut plain, part(0, 30), Run { held_back, ..Run::default() }).unwrap();
    assert_eq!((&bits(plain.params()), &unsaved), (&expected, &history), "{what}: saving moves nothing");
    let always = AtomicBool::new(true);
    let path = folder.path().join("pieces");
    for piece in 1.. {
        let trainer = Trainer { threads: Threads::new(1 + piece % 2).unwrap(), ..trainer.clone() };
        let case = Case { trainer: &trainer, path: path.clone(), judged, every: 1000 };
        let (params, found, start) = case.run::<T>(Found::Resume, Some(&always)).unwrap();
        let expected_start = match piece - 1 {
            0 => Start::Anew,
            epochs => Start::Continued { epochs, batches: 0 },
        };
        assert_eq!(start, expected_start, "{what}");
        if found.stopped != Stopped::Interrupted {
            assert_eq!(params, expected, "{what}");
            assert_eq!(found, history, "{what}");
            // Continued once more, the same again.
            let (again, found, _) = case.run::<T>(Found::Resume, None).unwrap();
            assert_eq!((again, found), (params, history.clone()), "{what}");
            break;
        }
        assert_eq!(found.training[..], history.training[..piece], "{what}");
    }
    history.training.len()
}

#[test]
fn interrupted_at_every_border_each_solver_comes_to_the_same_bits() {
    for solver in solvers() {
        for &judged in judgings(solver) {
            let least = [interrupted_everywhere::<f32>, interrupted_everywhere::<f64>]
                .map(|interrupted| interrupted(&trainer(solver), judged));
            assert!(least.into_iter().all(|iterations| iterations > 3), "{solver:?}: {least:?} iterations");
        }
    }
}

#[test]
fn killed_at_every_border_it_resumes_from_the_state_before() {
    for solver in solvers() {
        let trainer = trainer(solver);
        let (x, y) = rows::<f32>(solver);
        let mut states = Vec::new();
        let mut save = |snapshot: &Snapshot<'_, f32>| {
            states.push(snapshot.to_saved());
            Ok(())
        };
        let run = Run { save: Some(Saving { every: 1, save: &mut save }), ..Run::default() };
        let mut whole = net::<f32>(solver);
        let history = trainer.run(&mut whole, batch(&x, &y), run).unwrap();
        assert!(states.len() >= history.training.len());
        for (i, state) in states.into_iter().enumerate() {
            let mut other = Network::<f32>::zeros(net::<f32>(solver).spec().clone()).unwrap();
            let trainer = Trainer { threads: Threads::new(1 + i % 2).unwrap(), ..trainer.clone() };
            let resumed =
                trainer.run(&mut other, batch(&x, &y), Run { resume: Some(state), ..Run::default() }).unwrap();
            assert_eq!(bits(other.params()), bits(whole.params()), "{solver:?}, after {i}");
            assert_eq!(resumed, history, "{solver:?}, after {i}");
        }
    }
}

#[test]
fn with_more_epochs_it_goes_on_and_under_a_limit_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    for (i, solver) in solvers().into_iter().enumerate() {
        let path = folder.path().join(format!("{i}"));
        let run = |trainer: &Trainer, found| {
            Case { trainer, path: path.clone(), judged: false, every: 2 }.run::<f64>(found, None).unwrap()
        };
        let whole = trainer(solver);
        let (expected, history, _) = run(&whole, Found::Replace);
        run(&Trainer { epochs: 3, ..whole.clone() }, Found::Replace);
        let (params, found, start) = run(&whole, Found::Resume);
        assert_eq!(start, Start::Continued { epochs: 3, batches: 0 }, "{solver:?}");
        assert_eq!((&params, &found), (&expected, &history), "{solver:?}");
        // A limit that is over, and one that is not; the seconds of all runs count.
        let limited = |seconds| Trainer {
            stopping: Stopping { time_limit: Some(Duration::from_secs(seconds)), ..Stopping::NEVER },
            ..whole.clone()
        };
        let (_, short, _) = run(&limited(0), Found::Replace);
        assert_eq!((short.stopped, short.training.len()), (Stopped::TimeUp, 1), "{solver:?}");
        assert_eq!(run(&limited(0), Found::Resume).1, short, "{solver:?}");
        let (params, found, _) = run(&limited(1_000_000), Found::Resume);
        assert_eq!((&params, &found), (&expected, &history), "{solver:?}");
    }
}

#[test]
fn a_checkpoint_of_another_training_is_refused_by_its_field() {
    let folder = tempfile::tempdir().unwrap();
    for (i, solver) in solvers().into_iter().enumerate() {
        let (path, base) = (folder.path().join(format!("{i}")), Trainer { epochs: 2, ..trainer(solver) });
        Case { trainer: &base, path: path.clone(), judged: false, every: 1 }.run::<f32>(Found::Refuse, None).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let other = match solver {
            Solver::Rprop(options) => Solver::Rprop(rprop::Options { eta_plus: 1.3, ..options }),
            Solver::LevenbergMarquardt(options) => {
                Solver::LevenbergMarquardt(levenberg_marquardt::Options { bend: 0.5, ..options })
            }
            Solver::Bayes(options) => Solver::Bayes(levenberg_marquardt::Options { damping: 0.5, ..options }),
            Solver::Lbfgs => Solver::Scg,
            _ => Solver::Steps(Method::adam()),
        };
        let name = if solver == Solver::Perceptron { "architecture" } else { "solver" };
        let l2 = Objective { l2: 0.125, ..base.objective };
        let others = [
            (name, Trainer { solver: other, ..base.clone() }),
            ("seed", Trainer { seed: 9, ..base.clone() }),
            ("l2", Trainer { objective: l2, ..base.clone() }),
            ("epochs", Trainer { epochs: 1, ..base.clone() }),
        ];
        for (name, trainer) in others.iter().filter(|(name, _)| !(matches!(solver, Solver::Bayes(_)) && *name == "l2"))
        {
            let case = Case { trainer, path: path.clone(), judged: false, every: 1 };
            let error = case.run::<f32>(Found::Resume, None).unwrap_err().to_string();
            let begins = format!("checkpoint {} is of {name} ", path.display());
            assert!(error.starts_with(&begins), "{solver:?}: {error}");
        }
        let case = Case { trainer: &base, path: path.clone(), judged: false, every: 1 };
        let error = case.run::<f64>(Found::Resume, None).unwrap_err().to_string();
        assert!(error.contains("dtype f32, this training has dtype f64"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{solver:?}: what is refused stays");
    }
}

/// A small checkpoint's bytes, with which training it is of, and the state in it.
fn small<T: Float>(solver: Solver) -> (Identity, Vec<u8>, Saved<T>) {
    let trainer = Trainer { epochs: 2, ..trainer(solver) };
    let (x, y) = rows::<T>(solver);
    let (x, y) = (x.slice(s![..9, ..]), y.slice(s![..9, ..]));
    let batch = Batch { x, y, weights: None };
    let mut net = net::<T>(solver);
    let identity = Identity::of(&trainer, &net, &batch, None, None);
    let mut kept = None;
    let mut save = |snapshot: &Snapshot<'_, T>| {
        kept = Some((to_bytes(&identity, snapshot)?, snapshot.to_saved()));
        Ok(())
    };
    let run = Run { save: Some(Saving { every: 1, save: &mut save }), ..Run::default() };
    trainer.run(&mut net, batch, run).unwrap();
    let (bytes, saved) = kept.unwrap();
    (identity, bytes, saved)
}

#[test]
fn what_is_not_whole_is_refused() {
    let path = Path::new("c.st");
    for solver in solvers() {
        let (identity, bytes, saved) = small::<f32>(solver);
        let whole = Checkpoint::<f32>::from_bytes(&bytes, path).unwrap();
        assert_eq!(whole, Checkpoint { identity, saved }, "{solver:?}");
        // All of one solver whose file holds numbers in both types, of the others some.
        let step = if matches!(solver, Solver::Bayes(_)) { 1 } else { 17 };
        for length in (0..bytes.len()).step_by(step) {
            let error = Checkpoint::<f32>::from_bytes(&bytes[..length], path).expect_err("it is cut short");
            assert!(matches!(error, Error::Checkpoint { .. }), "{solver:?}, {length}: {error}");
        }
        for bit in (0..8 * bytes.len()).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Checkpoint::<f32>::from_bytes(&flipped, path).is_err(), "{solver:?}, bit {bit}");
        }
    }
}

#[test]
fn a_state_that_no_such_training_has_is_refused_by_name() {
    for solver in solvers() {
        let (_, _, saved) = small::<f32>(solver);
        let refusal = |trainer: &Trainer, saved: Saved<f32>| {
            let (x, y) = rows::<f32>(solver);
            let before = net::<f32>(solver);
            let mut network = before.clone();
            let (x, y) = (x.slice(s![..9, ..]), y.slice(s![..9, ..]));
            let run = Run { resume: Some(saved), ..Run::default() };
            let error = trainer.run(&mut network, Batch { x, y, weights: None }, run).unwrap_err().to_string();
            assert_eq!(network, before, "{error}");
            error
        };
        let own = trainer(solver);
        for name in saved.buffers.keys() {
            let mut broken = saved.clone();
            broken.buffers.get_mut(name).unwrap()[2] = if name == "params" { f32::INFINITY } else { f32::NAN };
            let error = refusal(&own, broken);
            assert!(error.contains(&format!("'{name}', index 2: expected a finite number")), "{solver:?}: {error}");
            let mut short = saved.clone();
            short.buffers.get_mut(name).unwrap().pop();
            assert!(refusal(&own, short).contains(&format!("'{name}'")), "{solver:?}");
            let mut without = saved.clone();
            without.buffers.remove(name);
            assert!(refusal(&own, without).contains("no such buffer"), "{solver:?}");
        }
        for name in saved.wide.keys() {
            let mut broken = saved.clone();
            broken.wide.get_mut(name).unwrap()[2] = f64::NAN;
            let error = refusal(&own, broken);
            assert!(error.contains(&format!("'{name}', index 2: expected a finite number")), "{solver:?}: {error}");
        }
        let mut more = saved.clone();
        more.wide.insert("more".into(), vec![1.0]);
        assert!(refusal(&own, more).contains("'more'"), "{solver:?}");
        let mut early = saved.clone();
        early.standing.epoch = 1;
        assert!(refusal(&own, early).contains("saved history"), "{solver:?}");
        let mut within = saved.clone();
        within.standing.batch = 1;
        assert!(refusal(&own, within).contains("1 batches"), "{solver:?}");
        // Of another solver's numbers, as a hand might put together.
        for other in
            solvers().into_iter().filter(|other| std::mem::discriminant(other) != std::mem::discriminant(&solver))
        {
            if [solver, other].contains(&Solver::Perceptron) {
                continue;
            }
            let error = refusal(&trainer(other), saved.clone());
            assert!(error.contains("saved"), "{solver:?} as {other:?}: {error}");
        }
    }
}

/// A narrow valley that bends.
fn valley<T: Vectorized>(p: &[T], grad: &mut [T]) -> deltarule::Result<f64> {
    let (x, y) = (p[0].real(), p[1].real());
    let (a, b) = (1.0 - x, y - x * x);
    grad[0] = T::from_f64(-2.0 * a - 400.0 * x * b);
    grad[1] = T::from_f64(200.0 * b);
    Ok(a * a + 100.0 * b * b)
}

/// Takes each iteration by a minimiser that was put together anew from the state before, and holds it against one in one piece.
fn minimised_in_pieces<M: Minimiser<f64> + Clone>(mut whole: M, again: impl Fn(&M) -> M) -> usize {
    let isa = Isa::current();
    let mut expected = vec![-1.2, 1.0];
    let mut params = expected.clone();
    let mut piece = whole.clone();
    for number in 1.. {
        let seen = |moved: ControlFlow<Stop, Iteration<'_, f64>>| match moved {
            Continue(i) => Ok((i.number, i.value.to_bits(), i.gradient.to_bits(), i.step.to_bits(), i.evaluations)),
            Break(stop) => Err(stop),
        };
        let one = seen(whole.advance(isa, &mut expected, &mut valley).unwrap());
        let other = seen(piece.advance(isa, &mut params, &mut valley).unwrap());
        assert_eq!((one, bits(&expected)), (other, bits(&params)));
        let Ok((seen, ..)) = one else { return number - 1 };
        assert_eq!(seen, number);
        piece = again(&piece);
    }
    unreachable!()
}

#[test]
fn each_minimiser_goes_on_from_its_state() {
    let o = lbfgs::Options { history: 3, ..Default::default() };
    let count = minimised_in_pieces(Lbfgs::new(2, o).unwrap(), |piece| {
        let lbfgs::State { gradient, moves, changes, progress } = piece.state();
        let state =
            lbfgs::State { gradient: gradient.to_vec(), moves: moves.to_vec(), changes: changes.to_vec(), progress };
        Lbfgs::resume(Isa::current(), o, state).unwrap()
    });
    assert!(count > 15, "{count}: the ring goes round");
    let o = scg::Options::default();
    let count = minimised_in_pieces(Scg::new(2, o).unwrap(), |piece| {
        let scg::State { direction, gradient, progress } = piece.state();
        Scg::resume(o, scg::State { direction: direction.to_vec(), gradient: gradient.to_vec(), progress }).unwrap()
    });
    assert!(count > 15, "{count}");
    let o = rprop::Options::default();
    let count = minimised_in_pieces(Rprop::new(2, o).unwrap(), |piece| {
        let rprop::State { params, best, steps, gradient, moves, progress } = piece.state();
        let [params, best, steps, gradient, moves] = [params, best, steps, gradient, moves].map(<[f64]>::to_vec);
        Rprop::resume(o, rprop::State { params, best, steps, gradient, moves, progress }).unwrap()
    });
    assert!(count > 15, "{count}");
}

#[test]
fn numbers_that_no_minimisation_comes_to_are_refused_by_name() {
    fn says<M>(result: deltarule::Result<M>, words: &str) {
        let error = result.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(words), "{error:?} says {words:?}");
    }
    let o = lbfgs::Options { history: 2, ..Default::default() };
    let lbfgs = |change: &dyn Fn(&mut lbfgs::State<Vec<f64>>)| {
        let progress =
            lbfgs::Progress { iterations: 2, evaluations: 3, value: 1.0, pairs: 1, next: 1, exhausted: false };
        let (moves, changes) = (vec![1.0, 2.0, 0.0, 0.0], vec![1.0, 1.0, 0.0, 0.0]);
        let mut state = lbfgs::State { gradient: vec![1.0, -1.0], moves, changes, progress };
        change(&mut state);
        Lbfgs::resume(Isa::current(), o, state)
    };
    assert!(lbfgs(&|_| ()).is_ok());
    says(lbfgs(&|s| s.moves.push(0.0)), "L-BFGS's moves: expected 4, found 5");
    says(lbfgs(&|s| s.changes[3] = f64::INFINITY), "L-BFGS's changes at index 3: expected a finite number");
    says(lbfgs(&|s| s.gradient[1] = f64::NAN), "L-BFGS's gradient at index 1");
    says(lbfgs(&|s| s.changes[0] = -9.0), "L-BFGS's pair 0, move times change: expected above 0, found -7");
    says(lbfgs(&|s| s.progress.pairs = 3), "L-BFGS's pairs: expected 0 to 2, found 3");
    says(lbfgs(&|s| s.progress.pairs = 2), "L-BFGS's pair 1");
    says(lbfgs(&|s| s.progress.next = 2), "L-BFGS's next pair: expected below 2, found 2");
    says(lbfgs(&|s| s.progress.value = f64::NAN), "L-BFGS's value");
    says(lbfgs(&|s| s.progress.evaluations = 0), "L-BFGS's evaluations");
    let scg = |change: &dyn Fn(&mut scg::State<Vec<f64>>)| {
        let progress = scg::Progress { iterations: 2, evaluations: 5, value: 1.0, lambda: 1e-6, since_restart: 1 };
        let mut state = scg::State { direction: vec![1.0, 2.0], gradient: vec![-1.0, 1.0], progress };
        change(&mut state);
        Scg::resume(scg::Options::default(), state)
    };
    assert!(scg(&|_| ()).is_ok());
    says(scg(&|s| s.direction.truncate(1)), "SCG's direction: expected 2, found 1");
    says(scg(&|s| s.direction[0] = f64::NAN), "SCG's direction at index 0");
    says(scg(&|s| s.progress.lambda = -1.0), "SCG's lambda: expected a finite number, at least 0, found -1");
    says(scg(&|s| s.progress.lambda = f64::INFINITY), "SCG's lambda");
    says(scg(&|s| s.progress.since_restart = 2), "SCG's steps since a restart: expected at most 1, found 2");
    says(scg(&|s| s.progress.value = f64::INFINITY), "SCG's value");
    says(scg(&|s| s.progress.evaluations = 0), "SCG's evaluations");
    let rows = bayes::Rows { weight: 9.0, outputs: 1 };
    let found = bayes::Regularisation { alpha: 0.1, beta: 2.0, gamma: 1.5 };
    let solver = |bayes: Option<bayes::Rows>, change: &dyn Fn(&mut levenberg_marquardt::State<Vec<f64>>)| {
        let regularisation = bayes.map(|_| found);
        let progress = levenberg_marquardt::Progress {
            iterations: 2,
            evaluations: 5,
            damping: 1e-3,
            exhausted: false,
            regularisation,
        };
        let mut state = levenberg_marquardt::State { scale: vec![1.0, 2.0], progress };
        change(&mut state);
        LevenbergMarquardt::resume(levenberg_marquardt::Options::default(), bayes, state)
    };
    assert!(solver(None, &|_| ()).is_ok() && solver(Some(rows), &|_| ()).is_ok());
    says(
        solver(None, &|s| s.scale[1] = 0.0),
        "Levenberg-Marquardt's scale at index 1: expected a number above 0, found 0",
    );
    says(solver(None, &|s| s.scale[1] = f64::NAN), "Levenberg-Marquardt's scale at index 1");
    says(solver(None, &|s| s.progress.damping = -1.0), "Levenberg-Marquardt's damping");
    says(solver(None, &|s| s.progress.evaluations = 0), "Levenberg-Marquardt's evaluations");
    says(solver(None, &|s| s.progress.regularisation = Some(found)), "regularisation: expected none");
    says(solver(Some(rows), &|s| s.progress.regularisation = None), "regularisation: expected alpha, beta and gamma");
    let with = |change: &dyn Fn(&mut bayes::Regularisation)| {
        let mut found = found;
        change(&mut found);
        solver(Some(rows), &|s| s.progress.regularisation = Some(found))
    };
    says(with(&|r| r.alpha = -1.0), "the evidence's alpha");
    says(with(&|r| r.beta = 0.0), "the evidence's beta: expected a finite number above 0, found 0");
    says(with(&|r| r.gamma = 2.5), "the evidence's gamma: expected 0 to 2, found 2.5");
}

/// The valley as residuals.
struct Valley;

impl Problem for Valley {
    fn value(&mut self, p: &[f64]) -> deltarule::Result<f64> {
        Ok(50.0 * (p[1] - p[0] * p[0]).powi(2) + 0.5 * (1.0 - p[0]).powi(2))
    }

    fn model(&mut self, p: &[f64], gradient: &mut [f64], curvature: &mut [f64]) -> deltarule::Result<f64> {
        let (r, s) = (10.0 * (p[1] - p[0] * p[0]), 1.0 - p[0]);
        gradient.copy_from_slice(&[-20.0 * p[0] * r - s, 10.0 * r]);
        curvature.copy_from_slice(&[400.0 * p[0] * p[0] + 1.0, 0.0, -200.0 * p[0], 100.0]);
        self.value(p)
    }
}

#[test]
fn levenberg_marquardt_goes_on_from_its_state_with_and_without_evidence() {
    let options = levenberg_marquardt::Options::default();
    let threads = Threads::one();
    for bayes in [None, Some(bayes::Rows { weight: 9.0, outputs: 1 })] {
        let new = || LevenbergMarquardt::new(2, options, bayes).unwrap();
        let (mut whole, mut piece) = (new(), new());
        let (mut expected, mut params) = (vec![-1.2, 1.0], vec![-1.2, 1.0]);
        for number in 1.. {
            let [one, other] = [(&mut whole, &mut expected), (&mut piece, &mut params)].map(|(solver, params)| {
                match solver.advance(Engine::default(), &threads, params, &mut Valley).unwrap() {
                    Continue(i) => Ok((i.number, i.value.to_bits(), i.gradient.to_bits(), i.evaluations)),
                    Break(stop) => Err(stop),
                }
            });
            assert_eq!((one, bits(&expected)), (other, bits(&params)), "{bayes:?}, {number}");
            assert_eq!(whole.evidence(), piece.evidence());
            if one.is_err() {
                assert!(number > 5, "{number}");
                break;
            }
            let levenberg_marquardt::State { scale, progress } = piece.state();
            let state = levenberg_marquardt::State { scale: scale.to_vec(), progress };
            piece = LevenbergMarquardt::resume(options, bayes, state).unwrap();
        }
    }
}
