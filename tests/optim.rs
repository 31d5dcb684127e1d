//! Optimisers: they walk where an independent reference walks, and end where the minimum is. All first-order methods together are in
//! `optim_methods.rs`.
//!
//! Golden numbers: `scripts/golden-optim.py` (NumPy 2.4.6, SciPy 1.17.1, scikit-learn 1.9.1).

use deltarule::error::{Error, Result};
use deltarule::optim::lbfgs::Options;
use deltarule::optim::perceptron::Perceptron;
use deltarule::optim::{Lbfgs, Method, Optimizer, Update};
use deltarule::optim::{Report, Stop};
use deltarule::rng::Rng;
use deltarule::simd::{Isa, Vectorized};
use std::ops::ControlFlow::{Break, Continue};

const PLAIN: [[f64; 2]; 4] = [
    [-0.9843999999999999, 1.088],
    [-1.0272715665664, 1.0642086720000001],
    [-1.0214113342697504, 1.0512622673760386],
    [-0.5097132981403509, 0.2673661432884418],
];
const MOMENTUM: [[f64; 2]; 4] = [
    [-1.17844, 1.0088],
    [-1.1406917557140965, 1.0243184166719999],
    [-0.9152165627678206, 1.1051941431603343],
    [-0.4760140144900128, 0.23386969328949744],
];
const NESTEROV: [[f64; 2]; 4] = [
    [-1.159036, 1.01672],
    [-1.1119789229489978, 1.036260489073248],
    [-0.9653037972212118, 1.0837476073724888],
    [-0.5046382263970033, 0.26211008866228824],
];
const ADAM: [[f64; 2]; 4] = [
    [-1.1990000000000463, 1.0009999999998864],
    [-1.198000228388679, 1.0019997903455287],
    [-1.1900287459448549, 1.0099735450155218],
    [-1.0582935880884812, 1.1262717192207767],
];
const LOGISTIC: ([f64; 4], f64) =
    ([0.8785334717646778, 0.019771602527182377, -0.10568497683995001, 0.027538315001634842], 0.6399609029595575);

/// The walks reach a fixed point of rounding errors of 500 steps that neither amplify nor forget: 1e-16 a step, times
/// 200 for the curvature's valley.
const WALK_TOLERANCE: f64 = 1e-11;

/// Rosenbrock's function, chained over neighbours as SciPy has it.
fn rosenbrock<T: Vectorized>(p: &[T], grad: &mut [T]) -> Result<f64> {
    grad.fill(T::ZERO);
    let (mut value, hundred, two) = (0.0, T::from_f64(100.0), T::from_f64(2.0));
    for i in 0..p.len() - 1 {
        let (a, b) = (T::ONE - p[i], p[i + 1] - p[i] * p[i]);
        value += (a * a + hundred * b * b).real();
        grad[i] -= two * a + two * two * hundred * p[i] * b;
        grad[i + 1] += two * hundred * b;
    }
    Ok(value)
}

fn start<T: Vectorized>(n: usize) -> Vec<T> {
    (0..n).map(|i| T::from_f64(if i % 2 == 0 { -1.2 } else { 1.0 })).collect()
}

fn minimize<T: Vectorized>(
    options: Options,
    params: &mut [T],
    objective: impl FnMut(&[T], &mut [T]) -> Result<f64>,
) -> Result<Report> {
    let mut last = f64::INFINITY;
    Lbfgs::new(params.len(), options)?.minimize(Isa::current(), params, objective, |iteration| {
        assert!(iteration.value <= last, "iteration {}: {} after {last}", iteration.number, iteration.value);
        last = iteration.value;
        Continue(())
    })
}

fn exacting() -> Options {
    Options { gradient_tolerance: 1e-8, function_tolerance: 0.0, max_iterations: 10_000, ..Options::default() }
}

fn walk(method: Method, rate: f64, golden: &[[f64; 2]; 4]) {
    let mut optimizer = Optimizer::<f64>::new(method, 2).unwrap();
    let (mut params, mut grad) = (start::<f64>(2), [f64::NAN; 2]);
    for (end, expected) in [1, 2, 10, 500].into_iter().zip(golden) {
        while optimizer.steps() < end {
            rosenbrock(&params, &mut grad).unwrap();
            optimizer.step(Isa::current(), rate, &grad, &mut params);
        }
        for (p, e) in params.iter().zip(expected) {
            assert!((p - e).abs() <= WALK_TOLERANCE, "{method} after {end} steps: {params:?}, expected {expected:?}");
        }
    }
}

#[test]
fn first_order_methods_walk_where_the_formulas_of_the_papers_do() {
    walk(Method::Sgd { momentum: 0.0, nesterov: true }, 1e-3, &PLAIN);
    walk(Method::Sgd { momentum: 0.9, nesterov: false }, 1e-4, &MOMENTUM);
    walk(Method::sgd(), 1e-4, &NESTEROV);
    walk(Method::adam(), 1e-3, &ADAM);
}

#[test]
#[should_panic(expected = "expected [-1.159036")]
fn another_method_walks_elsewhere() {
    walk(Method::Sgd { momentum: 0.9, nesterov: false }, 1e-4, &NESTEROV);
}

#[test]
fn adams_first_step_is_the_rate_in_both_types() {
    // Both corrections cancel at the first step, if made with the betas that the means decay by. With powers of the
    // exact 0.999 an f32 would be off by 2.3e-5.
    fn first<T: Vectorized>(tolerance: f64) {
        let (mut params, grad) = ([T::ZERO; 3], [3.0, -0.01, 2e4].map(T::from_f64));
        let mut optimizer = Optimizer::<T>::new(Method::adam(), 3).unwrap();
        optimizer.step(Isa::current(), 0.5, &grad, &mut params);
        for (p, g) in params.iter().zip(grad) {
            assert!((p.real() + 0.5 * g.real().signum()).abs() < tolerance, "{p:?}");
        }
    }
    // epsilon / |g| of the rate, and some roundings.
    first::<f64>(0.5 * 1e-8 / 0.01 + 1e-15);
    first::<f32>(0.5 * 1e-8 / 0.01 + 4.0 * 6e-8);
}

#[test]
fn adam_goes_on_after_a_billion_steps() {
    let mut optimizer = Optimizer::resume(Method::adam(), 1, vec![1.0f32, 1.0], 1_000_000_000).unwrap();
    let mut params = [0.0];
    optimizer.step(Isa::current(), 0.1, &[1.0], &mut params);
    assert_eq!(optimizer.steps(), 1_000_000_001);
    assert!((params[0] + 0.1).abs() < 1e-6, "{params:?}");
}

#[test]
fn a_clone_and_a_resumed_optimiser_continue_with_the_same_bits() {
    for method in [Method::sgd(), Method::Sgd { momentum: 0.0, nesterov: false }, Method::adam()] {
        for len in 0..=17 {
            let mut rng = Rng::new(5);
            let grads: Vec<Vec<f32>> = (0..6).map(|_| (0..len).map(|_| rng.normal(0.0, 1.0)).collect()).collect();
            let mut params = vec![0.5f32; len];
            let mut optimizer = Optimizer::new(method, len).unwrap();
            grads[..3].iter().for_each(|g| optimizer.step(Isa::current(), 0.01, g, &mut params));
            let mut copies = [
                (optimizer.clone(), params.clone()),
                (
                    Optimizer::resume(method, len, optimizer.moments().to_vec(), optimizer.steps()).unwrap(),
                    params.clone(),
                ),
            ];
            grads[3..].iter().for_each(|g| optimizer.step(Isa::current(), 0.01, g, &mut params));
            for (copy, p) in &mut copies {
                let copy: &mut dyn Update<f32> = copy;
                grads[3..].iter().for_each(|g| copy.step(Isa::current(), 0.01, g, p));
                assert!(p.iter().zip(&params).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
            assert!(copies.iter().all(|(copy, _)| *copy == optimizer));
        }
    }
}

#[test]
fn methods_are_read_and_written() {
    for method in [Method::sgd(), Method::adam(), Method::Adam { beta1: 0.8, beta2: 0.99, epsilon: 1e-6 }] {
        let json = serde_json::to_string(&method).unwrap();
        assert_eq!(serde_json::from_str::<Method>(&json).unwrap(), method);
        assert_eq!(Method::parse(method.name()).unwrap().name(), method.name());
    }
    assert!(serde_json::from_str::<Method>(r#"{"sgd":{"momentum":0.9,"nesterov":true,"rate":1}}"#).is_err());
    assert!(Method::parse("newton").unwrap_err().to_string().ends_with("adadelta or lion, found newton"));
}

#[test]
fn constants_outside_their_range_are_refused() {
    let adam = |beta1, beta2, epsilon| Method::Adam { beta1, beta2, epsilon };
    let sgd = |momentum| Method::Sgd { momentum, nesterov: false };
    for (method, name) in [
        (sgd(-0.1), "momentum"),
        (sgd(1.1), "momentum"),
        (sgd(f64::NAN), "momentum"),
        (adam(1.0, 0.9, 1e-8), "beta1"),
        (adam(0.9, -1.0, 1e-8), "beta2"),
        (adam(0.9, 0.9, 0.0), "epsilon"),
        (adam(0.9, 0.9, f64::INFINITY), "epsilon"),
    ] {
        let error = method.check().unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
        assert!(Optimizer::<f64>::new(method, 1).is_err());
    }
    // Rounded to an f32 this is 1, and 1e-50 is 0.
    assert!(Optimizer::<f64>::new(adam(0.9, 1.0 - 1e-9, 1e-50), 1).is_ok());
    assert!(Optimizer::<f32>::new(adam(0.9, 1.0 - 1e-9, 1e-8), 1).is_err());
    assert!(Optimizer::<f32>::new(adam(0.9, 0.999, 1e-50), 1).is_err());
    assert!(sgd(1.0).check().is_ok());
    let error = Optimizer::<f64>::new(Method::adam(), usize::MAX / 3).unwrap_err();
    assert!(matches!(error, Error::Memory { .. }), "{error}");
    let error = Optimizer::resume(Method::adam(), 3, vec![0.0f32; 5], 1).unwrap_err().to_string();
    assert_eq!(error, "the optimiser's moments: expected 2 for each of 3 parameters, found 5");
    assert!(Optimizer::resume(Method::sgd(), 2, vec![0.0, f64::NAN], 1).is_err());
}

#[test]
fn lbfgs_finds_rosenbrocks_minimum() {
    // SciPy's L-BFGS-B needs 46 and 96 evaluations for the same tolerance; half as many again are allowed.
    for (n, most) in [(2, 46 * 3 / 2), (10, 96 * 3 / 2)] {
        let mut params = start::<f64>(n);
        let report = minimize(exacting(), &mut params, rosenbrock).unwrap();
        println!("rosenbrock {n}: {report:?}");
        assert_eq!(report.stopped, Stop::Gradient);
        assert!(params.iter().all(|p| (p - 1.0).abs() < 1e-7), "{params:?}");
        assert!(report.evaluations <= most, "{report:?}");
    }
}

#[test]
fn lbfgs_ends_in_f32_as_near_as_rounding_lets_it() {
    for n in [2, 10] {
        for tolerance in [0.0, 1e-5] {
            let mut params = start::<f32>(n);
            let options = Options { gradient_tolerance: tolerance, ..exacting() };
            let report = minimize(options, &mut params, rosenbrock).unwrap();
            println!("rosenbrock {n} f32: {report:?}");
            assert!(report.evaluations < 500, "{report:?}");
            // The valley is flat: curvature 0.4, so values of rounding size 1e-7 squared reach out this far.
            assert!(params.iter().all(|p| (p - 1.0).abs() < 2e-3), "{params:?} {report:?}");
        }
    }
}

#[test]
fn lbfgs_finds_the_minimum_of_a_logistic_regression() {
    let rows = 60;
    let x = |i: usize| {
        let i = i as f64;
        [(1.0 + i).sin(), (2.0 * i).cos(), (0.5 * i).sin().powi(2), 1.0]
    };
    let objective = |w: &[f64], grad: &mut [f64]| {
        let mut value = 0.005 * w[..3].iter().map(|w| w * w).sum::<f64>();
        (0..4).for_each(|j| grad[j] = if j < 3 { 0.01 * w[j] } else { 0.0 });
        for i in 0..rows {
            let x = x(i);
            let y = if (3.0 * i as f64).sin() + x[0] > 0.0 { 1.0 } else { 0.0 };
            let z: f64 = x.iter().zip(w).map(|(x, w)| x * w).sum();
            value += (z.max(0.0) + (-z.abs()).exp().ln_1p() - y * z) / rows as f64;
            let delta = (1.0 / (1.0 + (-z).exp()) - y) / rows as f64;
            (0..4).for_each(|j| grad[j] += delta * x[j]);
        }
        Ok(value)
    };
    let mut params = [0.0; 4];
    let report = minimize(Options { gradient_tolerance: 1e-9, ..exacting() }, &mut params, objective).unwrap();
    println!("logistic: {report:?}");
    assert_eq!(report.stopped, Stop::Gradient);
    assert!((report.value - LOGISTIC.1).abs() < 1e-15);
    // The least curvature is about 0.02: gradients of 1e-9 leave 5e-8.
    assert!(params.iter().zip(LOGISTIC.0).all(|(a, b)| (a - b).abs() < 5e-8), "{params:?}");
}

/// Curvatures from 1 to `condition`, evenly on a logarithmic scale; the minimum 0 is at 1.
fn quadratic<T: Vectorized>(condition: f64) -> impl FnMut(&[T], &mut [T]) -> Result<f64> {
    move |p: &[T], grad: &mut [T]| {
        let mut value = 0.0;
        for (i, (p, g)) in p.iter().zip(grad).enumerate() {
            let curvature = T::from_f64(condition.powf(i as f64 / 49.0));
            let off = *p - T::ONE;
            *g = curvature * off;
            value += 0.5 * (*g * off).real();
        }
        Ok(value)
    }
}

#[test]
fn lbfgs_finds_the_minimum_of_an_ill_conditioned_quadratic() {
    let mut params = [0.0f64; 50];
    let options = Options { gradient_tolerance: 1e-5, ..exacting() };
    let report = minimize(options, &mut params, quadratic(1e6)).unwrap();
    println!("quadratic: {report:?}");
    assert_eq!(report.stopped, Stop::Gradient);
    // SciPy's L-BFGS-B needs 7401 evaluations.
    assert!(report.evaluations <= 7401 * 3 / 2, "{report:?}");
    assert!(params.iter().all(|p| (p - 1.0).abs() < 1.01e-5), "{params:?}");
    // Single precision: a millionth of the start's value, 1.9e6, is lost in rounding; it ends by itself well below.
    let mut params = [0.0f32; 50];
    let report = minimize(exacting(), &mut params, quadratic(1e6)).unwrap();
    println!("quadratic f32: {report:?}");
    assert!(report.value < 1.0 && report.stopped != Stop::EvaluationLimit, "{report:?}");
}

#[test]
fn lbfgs_turns_back_from_where_nothing_is_finite() {
    // x - ln(x) has its minimum at 1; it is NaN below 0, and a first step from 1e-3 (slope -999) leads far away. Here
    // everything beyond 3 is infinite too, and its gradient NaN.
    let barrier = |p: &[f64], grad: &mut [f64]| {
        let mut value = 0.0;
        for (p, g) in p.iter().zip(grad) {
            (*g, value) = if *p > 3.0 { (f64::NAN, f64::INFINITY) } else { (1.0 - 1.0 / p, value + p - p.ln()) };
        }
        Ok(value)
    };
    let mut params = [1e-3, 0.5, 2.9];
    let report = minimize(exacting(), &mut params, barrier).unwrap();
    println!("barrier: {report:?}");
    assert_eq!(report.stopped, Stop::Gradient);
    assert!(params.iter().all(|p| (p - 1.0).abs() < 1e-7), "{params:?}");
}

#[test]
fn lbfgs_needs_a_finite_start() {
    let error = minimize(Options::default(), &mut [1.0, 2.0], |_, _| Ok(f64::NAN)).unwrap_err().to_string();
    assert_eq!(error, "the objective at the start: expected a finite number, found NaN");
    let infinite = |_: &[f32], grad: &mut [f32]| {
        grad.copy_from_slice(&[0.0, f32::INFINITY]);
        Ok(1.0)
    };
    let error = minimize(Options::default(), &mut [1.0f32, 2.0], infinite).unwrap_err().to_string();
    assert_eq!(error, "the gradient at the start, index 1: expected a finite number, found inf");
}

#[test]
fn lbfgs_ends_on_a_wrong_gradient_where_it_started() {
    // Uphill for downhill: nothing is ever less. And a gradient of the wrong size must still end.
    let mut params = start::<f64>(4);
    let uphill = |p: &[f64], grad: &mut [f64]| {
        let value = rosenbrock(p, grad);
        grad.iter_mut().for_each(|g| *g = -*g);
        value
    };
    let report = minimize(Options::default(), &mut params, uphill).unwrap();
    assert_eq!((report.stopped, report.iterations), (Stop::LineSearch, 0));
    assert_eq!(params, start::<f64>(4));
    assert!(report.evaluations <= 21, "{report:?}");
}

#[test]
fn lbfgs_ends_on_noise_slopes_without_end_and_jumps() {
    let options = Options { max_evaluations: 300, ..exacting() };
    let mut rng = Rng::new(1);
    let noise = |p: &[f32], grad: &mut [f32]| {
        grad.iter_mut().for_each(|g| *g = rng.normal(0.0, 1.0));
        Ok(f64::from(p[0]).abs() + rng.normal::<f64>(0.0, 1.0))
    };
    let endless = |p: &[f32], grad: &mut [f32]| {
        grad.fill(-1.0);
        Ok(p.iter().map(|p| -f64::from(*p)).sum())
    };
    let jump = |p: &[f32], grad: &mut [f32]| {
        grad.fill(1.0);
        Ok(if p[0] < 0.5 { 10.0 } else { f64::from(p[0]) })
    };
    for (name, report) in [
        ("noise", minimize(options, &mut [1.0; 3], noise)),
        ("endless", minimize(options, &mut [1.0; 3], endless)),
        ("jump", minimize(options, &mut [1.0; 1], jump)),
        ("flat", minimize(options, &mut [1.0; 3], |_: &[f32], g: &mut [f32]| Ok((g.fill(0.0), 1.0).1))),
        ("nothing", minimize(options, &mut [], |_: &[f32], _: &mut [f32]| Ok(1.0))),
    ] {
        let report = report.unwrap();
        println!("{name}: {report:?}");
        assert!(report.evaluations <= 300 && report.value.is_finite(), "{name}: {report:?}");
    }
}

#[test]
fn lbfgs_copes_with_magnitudes_whose_squares_overflow() {
    // Gradients of 1e25, far beyond the root of the largest f32; and of 1e-25.
    for scale in [1e25f32, 1e-25] {
        let objective = |p: &[f32], grad: &mut [f32]| {
            p.iter().zip(grad).enumerate().for_each(|(i, (p, g))| *g = scale * (i + 1) as f32 * (p - 3.0));
            Ok(p.iter()
                .enumerate()
                .map(|(i, p)| 0.5 * f64::from(scale) * (i + 1) as f64 * (f64::from(*p) - 3.0).powi(2))
                .sum())
        };
        let mut params = [0.0f32; 5];
        let options = Options { gradient_tolerance: 0.0, ..exacting() };
        let report = minimize(options, &mut params, objective).unwrap();
        println!("scale {scale}: {report:?}");
        assert!(params.iter().all(|p| (p - 3.0).abs() < 1e-3), "{params:?} {report:?}");
    }
}

#[test]
fn lbfgs_stops_where_it_is_told_and_keeps_what_it_has() {
    let mut evaluations = 0;
    let mut lbfgs = Lbfgs::new(2, exacting()).unwrap();
    let mut seen = Vec::new();
    let mut params = start::<f64>(2);
    let report = lbfgs
        .minimize(Isa::current(), &mut params, rosenbrock, |iteration| {
            seen = iteration.params.to_vec();
            if iteration.number == 5 { Break(()) } else { Continue(()) }
        })
        .unwrap();
    assert_eq!((report.stopped, report.iterations), (Stop::Observer, 5));
    assert_eq!(seen, params);

    // The same object again: it starts afresh, with the same bits as a new one.
    for limit in 1..60 {
        let options = Options { max_evaluations: limit, ..exacting() };
        let mut params = start::<f64>(2);
        let report = minimize(options, &mut params, rosenbrock).unwrap();
        assert!(report.evaluations <= limit, "{report:?}");
        assert_eq!(report.value, rosenbrock(&params, &mut [0.0; 2]).unwrap());
        assert!(matches!(report.stopped, Stop::EvaluationLimit | Stop::Gradient), "{report:?}");
    }
    let (mut first, mut again) = (start::<f64>(2), start::<f64>(2));
    minimize(exacting(), &mut first, rosenbrock).unwrap();
    lbfgs.minimize(Isa::current(), &mut again, rosenbrock, |_| Continue(())).unwrap();
    assert_eq!(first, again);

    let options = Options { max_iterations: 3, ..exacting() };
    assert_eq!(minimize(options, &mut start::<f64>(2), rosenbrock).unwrap().stopped, Stop::IterationLimit);

    // An error of the objective's is passed on; the parameters stay at the last accepted point.
    let mut params = start::<f64>(2);
    let error = minimize(exacting(), &mut params, |p, grad| {
        evaluations += 1;
        if evaluations > 7 { Err(Error::Interrupted) } else { rosenbrock(p, grad) }
    });
    assert!(matches!(error, Err(Error::Interrupted)));
    assert!(rosenbrock(&params, &mut [0.0; 2]).unwrap() < 24.2);
}

#[test]
fn lbfgs_refuses_wrong_options_and_sizes() {
    let d = Options::default();
    for (options, name) in [
        (Options { history: 0, ..d }, "history"),
        (Options { history: usize::MAX, ..d }, "history"),
        (Options { max_evaluations: 0, ..d }, "max_evaluations"),
        (Options { max_search_evaluations: 0, ..d }, "max_search_evaluations"),
        (Options { gradient_tolerance: -1.0, ..d }, "gradient_tolerance"),
        (Options { function_tolerance: f64::NAN, ..d }, "function_tolerance"),
    ] {
        let error = Lbfgs::<f32>::new(3, options).unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
    }
    assert!(matches!(Lbfgs::<f64>::new(usize::MAX / 64, d), Err(Error::Memory { .. })));
    let mut lbfgs = Lbfgs::<f64>::new(3, d).unwrap();
    let error = lbfgs.minimize(Isa::current(), &mut [0.0; 2], rosenbrock, |_| Continue(())).unwrap_err();
    assert_eq!(error.to_string(), "parameters to minimise over: expected 3, found 2");
}

const CORNERS: [f32; 8] = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];

#[test]
fn a_perceptron_learns_and_and_or_together() {
    // Two units at once, so that the layout counts: AND, OR.
    let targets = [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0];
    let (mut weights, mut bias) = ([0.0; 4], [0.0; 2]);
    let mut rule = Perceptron::<f32>::new(2, 2).unwrap();
    let fit = rule.fit(Isa::current(), 100, &CORNERS, &targets, &mut weights, &mut bias).unwrap();
    assert!(fit.separated() && fit.passes < 20, "{fit:?}");
    for (x, targets) in CORNERS.chunks(2).zip(targets.chunks(2)) {
        for (unit, target) in targets.iter().enumerate() {
            let z = x[0] * weights[unit] + x[1] * weights[2 + unit] + bias[unit];
            assert_eq!(if z > 0.0 { 1.0 } else { 0.0 }, *target, "unit {unit} at {x:?}");
        }
    }
}

#[test]
fn a_perceptron_never_learns_exclusive_or() {
    let (mut weights, mut bias) = ([0.0; 2], [0.0]);
    let mut rule = Perceptron::<f32>::new(2, 1).unwrap();
    let targets = [0.0, 1.0, 1.0, 0.0];
    let fit = rule.fit(Isa::current(), 10_000, &CORNERS, &targets, &mut weights, &mut bias).unwrap();
    assert_eq!(fit.passes, 10_000);
    assert!(fit.mistakes > 0);
    // It cycles (Minsky and Papert 1969, chapter 11) rather than running away.
    assert!(weights.iter().all(|w| w.abs() < 10.0), "{weights:?}");
}

#[test]
fn a_perceptron_names_what_it_cannot_learn_from() {
    let mut rule = Perceptron::<f32>::new(2, 1).unwrap();
    let mut pass = |x: &[f32], targets: &[f32]| {
        let (mut weights, mut bias) = ([0.0; 2], [0.0]);
        let error = rule.pass(Isa::current(), x, targets, &mut weights, &mut bias).unwrap_err().to_string();
        assert_eq!((weights, bias), ([0.0; 2], [0.0]));
        error
    };
    assert_eq!(pass(&[1.0, 2.0, 3.0], &[1.0]), "x: expected 2 numbers (1 rows, 2 inputs, 1 outputs), found 3");
    assert_eq!(
        pass(&[1.0, 2.0, 3.0, f32::NAN], &[1.0, 0.0]),
        "x in row 2, column 2: expected a finite number, found NaN"
    );
    assert_eq!(pass(&[1.0, 2.0], &[-1.0]), "target in row 1, column 1: expected 0 or 1, found -1");
    assert!(Perceptron::<f32>::new(0, 1).is_err());
}
