//! Rprop: it walks where PyTorch and the paper's algorithm walk, keeps the lowest point, and goes on as if never stopped.
//!
//! Golden numbers: `scripts/golden-optim.py` (NumPy 2.4.6, PyTorch 2.15.0), in `tests/golden/optim.json`.

mod walks;

use deltarule::error::{Error, Result};
use deltarule::optim::rprop::{Options, State, Variant};
use deltarule::optim::{Report, Rprop, Stop};
use deltarule::prelude::*;
use deltarule::scalar::Scalar;
use deltarule::simd::{Isa, Vectorized};
use deltarule::train::Stopped;
use ndarray::array;
use std::ops::ControlFlow::{Break, Continue};
use walks::{Golden, Walk, distance};

/// Never stops by itself.
const ENDLESS: Options = Options {
    variant: Variant::Plus,
    eta_minus: 0.5,
    eta_plus: 1.2,
    initial_step: 0.0125,
    min_step: 0.0,
    max_step: 50.0,
    max_iterations: 200,
    gradient_tolerance: 0.0,
    function_tolerance: 0.0,
    patience: usize::MAX,
};

fn minimize<T: Vectorized>(
    options: Options,
    params: &mut [T],
    objective: impl FnMut(&[T], &mut [T]) -> Result<f64>,
) -> Result<Report> {
    Rprop::new(params.len(), options)?.minimize(Isa::current(), params, objective, |_| Continue(()))
}

/// How far a minimisation is from a walk at any of its points.
fn gap<T: Vectorized>(golden: &Golden, walk: &Walk, change: impl Fn(&mut Options)) -> f64 {
    let mut options: Options = serde_json::from_value(walk.case["options"].clone()).unwrap();
    options = Options { max_iterations: 200, gradient_tolerance: 0.0, patience: usize::MAX, ..options };
    change(&mut options);
    let mut params = golden.start::<T>();
    let mut most: f64 = 0.0;
    let mut seen = 0;
    Rprop::new(8, options)
        .unwrap()
        .minimize(
            Isa::current(),
            &mut params,
            |p, g| golden.convex(p, g),
            |iteration| {
                if let Some((_, expected)) = walk.points.iter().find(|(end, _)| *end == iteration.number as u64) {
                    most = most.max(distance(iteration.params, expected, 0.1));
                    seen += 1;
                }
                Continue(())
            },
        )
        .unwrap();
    assert_eq!(seen, walk.points.len());
    most
}

#[test]
fn both_variants_walk_where_pytorch_and_the_paper_do() {
    let golden = Golden::read();
    assert_eq!(golden.rprop.len(), 4);
    for walk in &golden.rprop {
        let gap = gap::<f64>(&golden, walk, |_| ());
        println!("{}: {gap:.1e}", walk.case["options"]);
        assert!(gap < 1e-13, "{}: {gap:e}", walk.case["options"]);
    }
}

#[test]
fn a_wrong_factor_and_the_other_variant_walk_elsewhere() {
    let golden = Golden::read();
    let mut differ = 0;
    for walk in &golden.rprop {
        let factor = gap::<f64>(&golden, walk, |options| options.eta_plus += 1e-6);
        assert!(factor > 1e-9, "{factor:e}");
        let other = gap::<f64>(&golden, walk, |options| {
            options.variant = if options.variant == Variant::Plus { Variant::Minus } else { Variant::Plus };
        });
        differ += usize::from(other > 1e-6);
    }
    // On the way down from the small first step, no jump raises the objective.
    assert!(differ >= 2, "{differ} of 4 walks tell the variants apart");
}

#[test]
fn it_finds_minima_in_both_types_and_stops_there() {
    fn check<T: Vectorized>(near: f64) {
        for variant in [Variant::Plus, Variant::Minus] {
            let mut params = vec![T::from_f64(-4.0); 5];
            let quartic = |p: &[T], grad: &mut [T]| {
                let mut value = 0.0;
                for (i, (p, g)) in p.iter().zip(grad).enumerate() {
                    let (scale, off) = (T::from_f64(10f64.powi(i as i32 - 2)), *p - T::from_f64(i as f64));
                    *g = scale * (off + off * off * off);
                    value +=
                        (scale * (T::from_f64(0.5) * off * off + T::from_f64(0.25) * off * off * off * off)).real();
                }
                Ok(value)
            };
            let report = minimize(Options { variant, ..Options::default() }, &mut params, quartic).unwrap();
            println!("{variant:?}: {report:?}");
            assert!(report.stopped.converged() && report.iterations < 200, "{report:?}");
            params.iter().enumerate().for_each(|(i, p)| assert!((p.real() - i as f64).abs() < near, "{params:?}"));
        }
    }
    check::<f64>(1.1e-3);
    check::<f32>(1.1e-3);
}

fn xor<T: Float>() {
    let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]].mapv(T::from_f64);
    let y = array![[0.0], [1.0], [1.0], [0.0]].mapv(T::from_f64);
    let objective = Objective { loss: Loss::LogisticCrossEntropy, l1: 0.0, l2: 1e-3 };
    let engine = Engine::default();
    for variant in [Variant::Plus, Variant::Minus] {
        for seed in 0..3 {
            let spec = Spec::mlp(2, &[8], Activation::Tanh, 1, Activation::Sigmoid).unwrap();
            let mut net = Network::<T>::new(spec, None, &mut Rng::new(seed)).unwrap();
            let (spec, params) = net.parts_mut();
            let mut workspace = Workspace::new(spec, 4, engine, Threads::one()).unwrap();
            let options = Options { variant, ..Options::default() };
            let report = minimize(options, params, |p: &[T], grad: &mut [T]| {
                let batch = Batch { x: x.view(), y: y.view(), weights: None };
                Ok(pass::value_and_gradient(spec, p, batch, &objective, &mut workspace, grad)?.objective())
            })
            .unwrap();
            println!("{} {variant:?} seed {seed}: {report:?}", T::NAME);
            assert!(report.stopped.converged(), "{report:?}");
            for (p, y) in net.predict(x.view()).unwrap().iter().zip(&y) {
                assert!((p.real() - y.real()).abs() < 0.1, "{} {variant:?} seed {seed}", T::NAME);
            }
        }
    }
}

#[test]
fn a_network_learns_exclusive_or() {
    xor::<f64>();
    xor::<f32>();
}

#[test]
fn it_stops_where_the_value_no_longer_falls_and_keeps_the_lowest_point() {
    // |p|: the gradient never vanishes; the value falls until the steps are below the rounding.
    let corner = |p: &[f64], grad: &mut [f64]| {
        p.iter().zip(grad).for_each(|(p, g)| *g = p.signum());
        Ok(p.iter().map(|p| p.abs()).sum())
    };
    let mut params = [1.0, -2.0, 0.3];
    let report = minimize(Options::default(), &mut params, corner).unwrap();
    println!("corner: {report:?}");
    assert_eq!(report.stopped, Stop::Decrease);
    assert!(params.iter().all(|p| p.abs() < 1e-6), "{params:?}");
    assert_eq!(report.value, params.iter().map(|p| p.abs()).sum::<f64>());
    // Uphill for downhill: it ends where it began.
    let uphill = |p: &[f32], grad: &mut [f32]| {
        p.iter().zip(grad).for_each(|(p, g)| *g = -p);
        Ok(f64::from(p[0] * p[0]))
    };
    let mut params = [1.5f32];
    let report = minimize(Options::default(), &mut params, uphill).unwrap();
    assert_eq!((report.stopped, report.iterations, params[0], report.value), (Stop::Decrease, 20, 1.5, 2.25));
    // A plateau beyond a low point: its gradient is 0 and its value higher.
    let cliff = |p: &[f64], grad: &mut [f64]| {
        grad[0] = if p[0] < 1.0 { -1.0 } else { 0.0 };
        Ok(if p[0] < 1.0 { -p[0] } else { 5.0 })
    };
    let mut params = [0.0];
    let report = minimize(Options::default(), &mut params, cliff).unwrap();
    assert_eq!((report.stopped, report.gradient), (Stop::Decrease, 1.0));
    assert!(params[0] > 0.5 && params[0] < 1.0 && report.value == -params[0], "{params:?} {report:?}");
}

#[test]
fn it_turns_back_from_where_nothing_is_finite() {
    // p - ln(p) with its minimum at 1; NaN below 0, infinite beyond 1.5 with a gradient that is not.
    let barrier = |p: &[f64], grad: &mut [f64]| {
        let mut value = 0.0;
        for (p, g) in p.iter().zip(grad) {
            (*g, value) = if *p > 1.5 { (f64::NAN, f64::INFINITY) } else { (1.0 - 1.0 / p, value + p - p.ln()) };
        }
        Ok(value)
    };
    for variant in [Variant::Plus, Variant::Minus] {
        let mut params = [1e-3, 0.5, 1.49];
        let mut shortened = 0;
        let options = Options { variant, initial_step: 1.0, ..Options::default() };
        let report = Rprop::new(3, options)
            .unwrap()
            .minimize(Isa::current(), &mut params, barrier, |iteration| {
                assert!(iteration.value.is_finite() && iteration.params.iter().all(|p| *p > 0.0 && *p <= 1.5));
                shortened += usize::from(iteration.step < 1.0);
                Continue(())
            })
            .unwrap();
        println!("{variant:?}: {report:?}, {shortened} steps shortened");
        assert!(report.stopped.converged() && shortened > 0);
        assert!(params.iter().all(|p| (p - 1.0).abs() < 1e-4), "{params:?}");
    }
    // An island: nothing but the start is finite. Bounded, and it ends there.
    let island = |p: &[f64], grad: &mut [f64]| {
        grad[0] = 1.0;
        Ok(if p[0] == 0.0 { 1.0 } else { f64::NAN })
    };
    let mut params = [0.0];
    let report = minimize(ENDLESS, &mut params, island).unwrap();
    assert_eq!((report.stopped, report.iterations, report.evaluations), (Stop::NotFinite, 0, 62));
    assert_eq!((params[0], report.value), (0.0, 1.0));
}

/// Finite at an output of 0 alone.
#[derive(Clone, Debug)]
struct Island;

impl LossFn for Island {
    fn row<T: Scalar>(&self, output: &[T], _: &[T], delta: &mut [T]) -> T {
        delta.fill(T::ONE);
        T::from_f64(if output[0].real() == 0.0 { 1.0 } else { f64::NAN })
    }
}

#[test]
fn a_training_that_cannot_leave_its_start_says_that_nothing_is_finite() {
    let spec = Spec::mlp(1, &[], Activation::Tanh, 1, Activation::Identity).unwrap();
    let mut net = Network::<f32>::zeros(spec).unwrap();
    let trainer = Trainer {
        solver: Solver::Rprop(Options::default()),
        ..Trainer::new(Objective { loss: Island, l1: 0.0, l2: 0.0 })
    };
    let (x, y) = (array![[1.0], [2.0]], array![[0.0], [0.0]]);
    let rows = Batch { x: x.view(), y: y.view(), weights: None };
    let history = trainer.fit(&mut net, rows, None, &mut |_| Continue(())).unwrap();
    assert_eq!((history.stopped, history.training.len(), net.params()), (Stopped::NotFinite, 0, &[0.0, 0.0][..]));
    assert_eq!(serde_json::to_string(&history.stopped).unwrap(), "\"not_finite\"");
}

#[test]
fn steps_shrunk_to_nothing_can_grow_again() {
    // The slope changes its sign 2000 times, then keeps it: from the smallest normal number, 200 iterations lead to 1e-291.
    let mut calls = 0;
    let fickle = |_: &[f64], grad: &mut [f64]| {
        calls += 1;
        grad[0] = if calls < 4000 && calls % 2 == 0 { 1.0 } else { -1.0 };
        Ok(0.0)
    };
    let mut rprop = Rprop::new(1, Options { max_iterations: 8000, ..ENDLESS }).unwrap();
    let mut params = [0.0];
    rprop.minimize(Isa::current(), &mut params, fickle, |_| Continue(())).unwrap();
    assert!(rprop.state().steps[0] > 1.0, "{:?}", rprop.state());
}

fn bits<T: Vectorized>(x: &[T]) -> Vec<u64> {
    x.iter().map(|x| x.real().to_bits()).collect()
}

fn resumes<T: Vectorized>() {
    let golden = Golden::read();
    let objective = |p: &[T], g: &mut [T]| golden.convex(p, g);
    for variant in [Variant::Plus, Variant::Minus] {
        let options = Options { variant, initial_step: 0.5, gradient_tolerance: 1e-4, patience: 20, ..ENDLESS };
        let mut whole = Rprop::new(8, options).unwrap();
        let mut expected = golden.start::<T>();
        let report = whole.minimize(Isa::current(), &mut expected, objective, |_| Continue(())).unwrap();
        assert!(report.iterations > 20 && report.stopped.converged(), "{report:?}");
        for stop in 1..report.iterations {
            let mut params = golden.start::<T>();
            let mut begun = Rprop::new(8, options).unwrap();
            let stopped = begun
                .minimize(Isa::current(), &mut params, objective, |iteration| {
                    if iteration.number == stop { Break(()) } else { Continue(()) }
                })
                .unwrap();
            assert_eq!((stopped.stopped, stopped.iterations), (Stop::Observer, stop));
            // Through JSON, as a checkpoint's counts go; the buffers as they are.
            let State { params: at, best, steps, gradient, moves, progress } = begun.state();
            let progress = serde_json::from_str(&serde_json::to_string(&progress).unwrap()).unwrap();
            let [at, best, steps, gradient, moves] = [at, best, steps, gradient, moves].map(<[T]>::to_vec);
            let state = State { params: at, best, steps, gradient, moves, progress };
            let mut resumed = Rprop::resume(options, state).unwrap();
            for mut rprop in [resumed.clone(), begun] {
                let mut params = vec![T::ZERO; 8];
                let again = rprop.proceed(Isa::current(), &mut params, objective, |_| Continue(())).unwrap();
                assert_eq!(again, report, "{variant:?} stopped after {stop}");
                assert_eq!(bits(&params), bits(&expected));
                assert_eq!(rprop.state(), whole.state());
            }
            // A fresh start is one, whatever came before.
            let mut params = golden.start::<T>();
            assert_eq!(resumed.minimize(Isa::current(), &mut params, objective, |_| Continue(())).unwrap(), report);
        }
    }
}

#[test]
fn a_resumed_minimisation_is_the_one_that_never_stopped() {
    resumes::<f64>();
    resumes::<f32>();
}

#[test]
fn the_same_bits_on_every_instruction_set() {
    let golden = Golden::read();
    let run = |isa: Isa| {
        let mut params = golden.start::<f32>();
        let mut rprop = Rprop::new(8, Options { max_iterations: 60, ..ENDLESS }).unwrap();
        rprop.minimize(isa, &mut params, |p, g| golden.convex(p, g), |_| Continue(())).unwrap();
        bits(&params)
    };
    Isa::available().for_each(|isa| assert_eq!(run(isa), run(Isa::Portable), "{isa}"));
}

#[test]
fn wrong_options_states_and_starts_are_refused() {
    let d = Options::default();
    for (options, name) in [
        (Options { eta_minus: 0.0, ..d }, "eta_minus"),
        (Options { eta_minus: 1.0, ..d }, "eta_minus"),
        (Options { eta_plus: 1.0, ..d }, "eta_plus"),
        (Options { eta_plus: f64::NAN, ..d }, "eta_plus"),
        (Options { initial_step: 0.0, ..d }, "initial_step"),
        (Options { initial_step: 51.0, ..d }, "initial_step"),
        (Options { initial_step: 1e-3, min_step: 1e-2, ..d }, "initial_step"),
        (Options { min_step: -1.0, ..d }, "min_step"),
        (Options { max_step: f64::INFINITY, ..d }, "max_step"),
        (Options { gradient_tolerance: -1.0, ..d }, "gradient_tolerance"),
        (Options { function_tolerance: f64::NAN, ..d }, "function_tolerance"),
        (Options { patience: 0, ..d }, "patience"),
        // In f32 alone.
        (Options { eta_plus: 1.0 + 1e-9, ..d }, "eta_plus"),
        (Options { initial_step: 1e-50, ..d }, "initial_step"),
    ] {
        let error = Rprop::<f32>::new(3, options).unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
    }
    assert!(Rprop::<f64>::new(3, Options { eta_plus: 1.0 + 1e-9, ..d }).is_ok());
    assert!(matches!(Rprop::<f64>::new(usize::MAX / 64, d), Err(Error::Memory { .. })));

    let good = || Rprop::<f64>::new(2, d).unwrap();
    let state = |change: &dyn Fn(&mut State<Vec<f64>>)| {
        let rprop = good();
        let State { params, best, steps, gradient, moves, progress } = rprop.state();
        let [params, best, steps, gradient, moves] = [params, best, steps, gradient, moves].map(<[f64]>::to_vec);
        let mut state = State { params, best, steps, gradient, moves, progress };
        change(&mut state);
        Rprop::resume(d, state)
    };
    assert!(state(&|_| ()).is_ok());
    for (error, says) in [
        (state(&|s| s.moves.push(0.0)), "Rprop's moves: expected 2, found 3"),
        (state(&|s| s.steps[1] = -1.0), "Rprop's steps at index 1: expected a finite number, at least 0, found -1"),
        (state(&|s| s.best[0] = f64::NAN), "Rprop's best parameters at index 0: expected a finite number, found NaN"),
        (state(&|s| s.progress.reference = f64::INFINITY), "Rprop's progress: expected finite values, found inf"),
    ] {
        assert_eq!(error.unwrap_err().to_string(), says);
    }

    let fine = |_: &[f64], grad: &mut [f64]| Ok((grad.fill(1.0), 1.0).1);
    let error = good().minimize(Isa::current(), &mut [0.0; 3], fine, |_| Continue(())).unwrap_err().to_string();
    assert_eq!(error, "parameters to minimise over: expected 2, found 3");
    let error = minimize(d, &mut [0.0, f64::NAN], fine).unwrap_err().to_string();
    assert_eq!(error, "the parameter at the start, index 1: expected a finite number, found NaN");
    let error = minimize(d, &mut [1.0, 2.0], |_, _| Ok(f64::NAN)).unwrap_err().to_string();
    assert_eq!(error, "the objective at the start: expected a finite number, found NaN");

    // An error of the objective's is passed on; the parameters are the lowest point.
    let mut calls = 0;
    let mut params = [4.0, 4.0];
    let error = minimize(d, &mut params, |p, grad: &mut [f64]| {
        calls += 1;
        grad.copy_from_slice(p);
        if calls > 7 { Err(Error::Interrupted) } else { Ok(p.iter().map(|p| p * p).sum()) }
    });
    assert!(matches!(error, Err(Error::Interrupted)));
    assert!(params.iter().all(|&p| p < 3.95), "{params:?}");
    assert_eq!(minimize(d, &mut [], |_: &[f64], _: &mut [f64]| Ok(1.0)).unwrap().stopped, Stop::Gradient);
}
