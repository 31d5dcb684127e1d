//! Every first-order method: where PyTorch or the paper's formulas walk, whole when saved, and one for all threads and types.
//!
//! Golden numbers: `scripts/golden-optim.py` (NumPy 2.4.6, PyTorch 2.15.0), in `tests/golden/optim.json`.

mod walks;

use deltarule::error::Error;
use deltarule::kernel::update::{self, RmspropStep};
use deltarule::optim::{Method, Optimizer};
use deltarule::rng::Rng;
use deltarule::simd::{Isa, Vectorized};
use deltarule::threads::Threads;
use proptest::prelude::*;
use walks::{Golden, Walk, distance, scheduled};

/// Every method with its defaults, and what a constant switches on.
fn methods() -> Vec<Method> {
    let rmsprop = |momentum, centered| Method::RmsProp { rho: 0.9, epsilon: 1e-6, momentum, centered };
    let mut methods: Vec<_> = Method::NAMES.iter().map(|name| Method::parse(name).unwrap()).collect();
    methods.extend([
        Method::Sgd { momentum: 0.0, nesterov: false },
        Method::Sgd { momentum: 0.9, nesterov: false },
        Method::Lion { beta1: 0.9, beta2: 0.99, weight_decay: 0.1 },
        rmsprop(0.5, false),
        rmsprop(0.0, true),
        rmsprop(0.5, true),
    ]);
    methods
}

fn bits<T: Vectorized>(x: &[T]) -> Vec<u64> {
    x.iter().map(|x| x.real().to_bits()).collect()
}

// --------------------------------------------------------------------------------------------------- golden walks

/// The rounding of 200 steps, on walks that forget it: the largest distance is 7e-15.
const NEAR_F64: f64 = 1e-13;
/// The same in single precision: the largest distance is 5e-6.
const NEAR_F32: f64 = 5e-5;

/// How far `method` ends from a walk at any of its points, its rate asked of `rate`.
fn gap<T: Vectorized>(golden: &Golden, walk: &Walk, method: Method, rate: impl Fn(u64) -> f64) -> f64 {
    let mut optimizer = Optimizer::<T>::new(method, 8).unwrap();
    let (mut params, mut grad) = (golden.start::<T>(), [T::ZERO; 8]);
    let mut most: f64 = 0.0;
    for (end, expected) in &walk.points {
        while optimizer.steps() < *end {
            golden.convex(&params, &mut grad).unwrap();
            optimizer.step(Isa::current(), rate(optimizer.steps() + 1), &grad, &mut params);
        }
        most = most.max(distance(&params, expected, 0.1));
    }
    most
}

fn case(walk: &Walk) -> (Method, f64) {
    (serde_json::from_value(walk.case["method"].clone()).unwrap(), walk.case["rate"].as_f64().unwrap())
}

#[test]
fn every_method_walks_where_pytorch_or_its_paper_does() {
    let golden = Golden::read();
    let mut names: Vec<_> = golden.walks.iter().map(|walk| case(walk).0.name()).collect();
    names.dedup();
    assert_eq!(names, Method::NAMES, "each method has its walks");
    let mut far = Vec::new();
    for walk in &golden.walks {
        let (method, rate) = case(walk);
        let double = gap::<f64>(&golden, walk, method, |step| scheduled(rate, step));
        let single = gap::<f32>(&golden, walk, method, |step| scheduled(rate, step));
        println!("{method}: {double:.1e} and {single:.1e} from the golden walk");
        if double > NEAR_F64 || single > NEAR_F32 {
            far.push(format!("{method}: {double:e}, f32 {single:e}"));
        }
    }
    assert!(far.is_empty(), "{far:#?}");
}

/// What a golden walk must refuse: the neighbouring method, another constant, a rate that comes a step late.
#[test]
fn a_method_that_is_a_little_wrong_walks_elsewhere() {
    let golden = Golden::read();
    for walk in &golden.walks {
        let (method, rate) = case(walk);
        let late = gap::<f64>(&golden, walk, method, |step| scheduled(rate, step + 1));
        assert!(late > 1e3 * NEAR_F64, "{method}, rates a step late: {late:e}");
        let mut wrong: Vec<Method> = match method {
            Method::Sgd { momentum: 0.0, .. } => vec![],
            Method::Sgd { momentum, nesterov } => vec![Method::Sgd { momentum, nesterov: !nesterov }],
            Method::Adam { beta1, beta2, epsilon } => vec![
                Method::AmsGrad { beta1, beta2, epsilon },
                Method::NAdam { beta1, beta2, epsilon, momentum_decay: 0.004 },
            ],
            Method::AdamW { beta1, beta2, epsilon, .. } => vec![Method::Adam { beta1, beta2, epsilon }],
            Method::AmsGrad { beta1, beta2, epsilon } => vec![Method::Adam { beta1, beta2, epsilon }],
            Method::NAdam { beta1, beta2, epsilon, .. } => vec![Method::Adam { beta1, beta2, epsilon }],
            Method::RmsProp { rho, epsilon, momentum, centered } => {
                vec![Method::RmsProp { rho, epsilon, momentum, centered: !centered }]
            }
            _ => vec![],
        };
        // Epsilons of 1e-8 and less are below what this function shows.
        let shows = |name: &str, value: f64| name != "epsilon" || value >= 1e-6;
        for (name, value) in method.constants().into_iter().filter(|&(name, value)| shows(name, value)) {
            // Of Lion's means, only the signs are seen.
            let other = match method {
                Method::Lion { .. } => 0.5 * value + if value == 0.0 { 0.1 } else { 0.0 },
                _ => value + (0.5 * (1.0 - value)).abs().clamp(1e-6, 0.01),
            };
            wrong.push(method.with(name, other).unwrap());
        }
        assert!(!wrong.is_empty() || method == Method::adagrad(), "{method}");
        for wrong in wrong {
            // AMSGrad is Adam where no mean square has ever fallen, as in 200 of a thousand remembered.
            let same = matches!((wrong, method), (Method::AmsGrad { beta2, .. }, Method::Adam { .. })
                | (Method::Adam { beta2, .. }, Method::AmsGrad { .. }) if beta2 > 0.99);
            let gap = gap::<f64>(&golden, walk, wrong, |step| scheduled(rate, step));
            assert!(same || gap > 1e3 * NEAR_F64, "{wrong} in place of {method}: {gap:e}");
        }
    }
}

// ---------------------------------------------------------------------------------------------------- convergence

fn converges<T: Vectorized>(near: f64) {
    let (curvature, minimum) = ([0.5, 1.0, 2.0, 4.0, 8.0], [1.0, -2.0, 0.25, 3.0, -0.5]);
    for method in methods() {
        // Decay moves the minimum, and is switched off; Lion's steps never get smaller by themselves, nor do those of an RMSprop.
        let method = method.with("weight_decay", 0.0).unwrap_or(method);
        let rate = match method {
            Method::Sgd { momentum: 0.0, .. } => 0.2,
            Method::Adadelta { .. } => 10.0,
            Method::Adagrad { .. } => 0.5,
            _ => 0.05,
        };
        let mut optimizer = Optimizer::<T>::new(method, 5).unwrap();
        let (mut params, mut grad) = ([T::ZERO; 5], [T::ZERO; 5]);
        for step in 0..2000 {
            for i in 0..5 {
                grad[i] = T::from_f64(curvature[i]) * (params[i] - T::from_f64(minimum[i]));
            }
            optimizer.step(Isa::current(), rate * 0.995f64.powi(step), &grad, &mut params);
        }
        let off = distance(&params, &minimum, 1.0);
        println!("{method}: {off:.1e}");
        assert!(off < near, "{method}: {params:?}");
    }
}

#[test]
fn every_method_finds_the_minimum_of_a_quadratic() {
    converges::<f64>(1e-3);
    converges::<f32>(1e-3);
}

// ----------------------------------------------------------------------------------- one for all: threads and levels

/// Three pieces of 2^17 and a remainder: as many as three threads share.
const LONG: usize = 3 * (1 << 17) + 13;

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let mut rng = Rng::new(3);
    let (start, grad): (Vec<f32>, Vec<f32>) =
        (0..LONG).map(|_| (rng.normal::<f32>(0.0, 1.0), rng.normal::<f32>(0.0, 1.0))).unzip();
    for method in methods() {
        let run = |threads: Option<usize>| {
            let mut optimizer = Optimizer::new(method, LONG).unwrap();
            let mut params = start.clone();
            let threads = threads.map(|count| Threads::new(count).unwrap());
            for step in 1..=3 {
                let rate = scheduled(0.1, step);
                match &threads {
                    None => optimizer.step(Isa::current(), rate, &grad, &mut params),
                    Some(threads) => {
                        let finite = optimizer.step_checked(threads, Isa::current(), rate, &grad, &mut params);
                        assert!(finite.gradient && finite.params);
                    }
                }
            }
            (optimizer, params)
        };
        let alone = run(None);
        assert!(alone.1 != start, "{method}");
        for threads in [1, 2, 3, 8] {
            let (optimizer, params) = run(Some(threads));
            assert!(bits(&params) == bits(&alone.1) && optimizer == alone.0, "{method} on {threads} threads");
        }
    }
}

fn levels<T: Vectorized>() {
    let mut rng = Rng::new(4);
    let grads: Vec<Vec<T>> = (0..5).map(|_| (0..67).map(|_| T::from_f64(rng.normal(0.0, 1.0))).collect()).collect();
    for method in methods() {
        let run = |isa: Isa| {
            let mut optimizer = Optimizer::<T>::new(method, 67).unwrap();
            let mut params = vec![T::from_f64(0.5); 67];
            grads.iter().zip(1..).for_each(|(g, t)| optimizer.step(isa, scheduled(0.1, t), g, &mut params));
            (bits(&params), bits(optimizer.moments()))
        };
        let portable = run(Isa::Portable);
        Isa::available().for_each(|isa| assert!(run(isa) == portable, "{method} at {isa}"));
    }
}

#[test]
fn the_same_bits_on_every_instruction_set() {
    levels::<f32>();
    levels::<f64>();
}

#[test]
fn an_rmsprop_without_momentum_needs_no_buffer() {
    fn check<T: Vectorized>() {
        let of = T::from_f64;
        let (c, isa) =
            (RmspropStep { decay: of(0.9), momentum: T::ZERO, rate: of(0.01), epsilon: of(1e-8) }, Isa::current());
        let mut rng = Rng::new(6);
        let grads: Vec<Vec<T>> =
            (0..5).map(|_| (0..35).map(|i| of(rng.normal::<f64>(0.0, 10f64.powi(4 - i)))).collect()).collect();
        for centered in [false, true] {
            let run = |buffer: usize| {
                let [mut square, mut mean, mut params] = [(); 3].map(|()| vec![T::ZERO; 35]);
                let mut last = vec![T::ZERO; buffer];
                for grad in &grads {
                    if centered {
                        update::rmsprop_centered(isa, c, grad, &mut square, &mut mean, &mut last, &mut params);
                    } else {
                        update::rmsprop(isa, c, grad, &mut square, &mut last, &mut params);
                    }
                }
                assert!(params.iter().any(|p| *p != T::ZERO));
                [square, mean, params].map(|x| bits(&x))
            };
            assert_eq!(run(35), run(0));
        }
    }
    check::<f32>();
    check::<f64>();
}

// ------------------------------------------------------------------------------------------------- saved and resumed

fn resumes<T: Vectorized>(method: Method, before: u64, after: u64, seed: u64, rate: f64) {
    let mut rng = Rng::new(seed);
    let len = 1 + rng.below(20);
    let mut step = |optimizers: &mut [(Optimizer<T>, Vec<T>)]| {
        let scale = 10f64.powf(rng.uniform(-6.0, 3.0));
        let grad: Vec<T> = (0..len).map(|_| T::from_f64(rng.normal::<f64>(0.0, scale))).collect();
        for (optimizer, params) in optimizers {
            let rate = scheduled(rate, optimizer.steps() + 1);
            optimizer.step(Isa::current(), rate, &grad, params);
        }
    };
    let mut all = vec![(Optimizer::new(method, len).unwrap(), vec![T::from_f64(0.5); len])];
    (0..before).for_each(|_| step(&mut all));
    let (optimizer, params) = all[0].clone();
    let moments = optimizer.moments().to_vec();
    assert_eq!(moments.len(), len * method.moments());
    all.push((Optimizer::resume(method, len, moments, optimizer.steps()).unwrap(), params));
    (0..after).for_each(|_| step(&mut all));
    assert!(bits(&all[0].1) == bits(&all[1].1) && all[0].0 == all[1].0, "{method} after {before} steps");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]
    /// NAdam's momenta are used up after some 360 steps, which the longest walks pass.
    #[test]
    fn a_resumed_optimiser_is_the_one_that_never_stopped(
        which in 0..methods().len(), before in 0u64..500, after in 1u64..20, seed: u64, rate in 1e-4..0.5f64,
        constant in 0..4usize, value in 0.0..0.999f64,
    ) {
        let method = methods()[which];
        let names = method.constants();
        let changed = method.with(names[constant % names.len()].0, value).unwrap_or(method);
        for method in [method, changed] {
            resumes::<f32>(method, before, after, seed, rate);
            resumes::<f64>(method, before, after, seed, rate);
        }
    }

    /// One bad number among many: seen in the gradient, and in the parameter that it reaches.
    #[test]
    fn what_is_not_finite_is_reported(
        which in 0..methods().len(), len in 1..20_000usize, place: prop::sample::Index, infinite: bool, steps in 0..3,
    ) {
        let method = methods()[which];
        let mut optimizer = Optimizer::<f32>::new(method, len).unwrap();
        let (mut params, mut grad) = (vec![1.0; len], vec![0.5; len]);
        let mut step = |grad: &[f32], params: &mut [f32]| {
            optimizer.step_checked(&Threads::one(), Isa::current(), 0.01, grad, params)
        };
        for _ in 0..steps {
            let finite = step(&grad, &mut params);
            prop_assert!(finite.gradient && finite.params);
        }
        grad[place.index(len)] = if infinite { f32::NEG_INFINITY } else { f32::NAN };
        let finite = step(&grad, &mut params);
        prop_assert!(!finite.gradient, "{}", method);
        if !infinite {
            prop_assert!(!finite.params, "{}: NaN arrives in the parameter", method);
            prop_assert!(params.iter().enumerate().all(|(i, p)| p.is_nan() == (i == place.index(len))), "{}", method);
        }
    }

    /// Numbers below the smallest normal one cost an x86 CPU hundreds of cycles each: no step leaves any.
    #[test]
    fn no_step_leaves_a_subnormal_number(which in 0..methods().len(), exponent in -45.0..-30.0f64, seed: u64) {
        fn check<T: Vectorized>(method: Method, size: f64, seed: u64, smallest: f64) {
            let mut rng = Rng::new(seed);
            let mut tiny = || (0..19).map(|_| T::from_f64(rng.normal::<f64>(0.0, size))).collect::<Vec<T>>();
            let (mut params, grad) = (tiny(), tiny());
            let moments = (0..method.moments()).flat_map(|_| tiny()).map(T::abs).collect();
            let mut optimizer = Optimizer::resume(method, 19, moments, 7).unwrap();
            optimizer.step(Isa::current(), 1e-3, &grad, &mut params);
            let mut left = params.iter().chain(optimizer.moments()).map(|x| x.real().abs());
            assert!(left.all(|x| x == 0.0 || x >= smallest), "{method}: {params:?} {:?}", optimizer.moments());
        }
        let method = methods()[which];
        check::<f32>(method, 10f64.powf(exponent), seed, f64::from(f32::MIN_POSITIVE));
        check::<f64>(method, 10f64.powf(exponent * 7.1), seed, f64::MIN_POSITIVE);
    }
}

#[test]
fn nadam_resumes_far_beyond_its_momenta_and_at_once() {
    let mut optimizer = Optimizer::resume(Method::nadam(), 1, vec![1.0f32, 1.0], u64::MAX).unwrap();
    let mut params = [0.0];
    optimizer.step(Isa::current(), 0.1, &[1.0], &mut params);
    // All momenta used up, both means at 1: the step is the rate.
    assert!((params[0] + 0.1).abs() < 1e-6, "{params:?}");
    // The count ends there, and the steps go on.
    optimizer.step(Isa::current(), 0.1, &[1.0], &mut params);
    assert!(optimizer.steps() == u64::MAX && (params[0] + 0.2).abs() < 1e-6, "{params:?}");
}

// -------------------------------------------------------------------------------------------------------- settings

#[test]
fn every_method_is_read_written_and_said() {
    for (name, rate) in Method::NAMES.iter().zip([0.01, 0.001, 0.001, 0.001, 0.002, 0.01, 0.01, 1.0, 1e-4]) {
        let method = Method::parse(name).unwrap();
        assert_eq!((method.name(), method.default_rate()), (*name, rate));
        assert!(method.to_string().starts_with(&format!("{name}, ")), "{method}");
        method.check().unwrap();
        assert!(method.moments() <= Method::MOST_MOMENTS);
        for (constant, value) in method.constants() {
            let said = format!("{}", value);
            assert!(method.to_string().contains(&said), "{method} does not say its {constant}, {said}");
            assert_eq!(method.with(constant, value).unwrap(), method);
        }
    }
    for method in methods() {
        let json = serde_json::to_string(&method).unwrap();
        assert!(json.starts_with(&format!("{{\"{}\":{{", method.name())), "{json}");
        assert_eq!(serde_json::from_str::<Method>(&json).unwrap(), method);
    }
    assert!(serde_json::from_str::<Method>(r#"{"lion":{"beta1":0.9,"beta2":0.99}}"#).is_err());
    let error = Method::parse("newton").unwrap_err().to_string();
    assert_eq!(
        error,
        "method: expected sgd, adam, adamw, amsgrad, nadam, rmsprop, adagrad, adadelta or lion, found newton"
    );
}

#[test]
fn constants_out_of_range_are_refused_by_name() {
    for name in Method::NAMES {
        let method = Method::parse(name).unwrap();
        for (constant, _) in method.constants() {
            let bad: &[f64] = match constant {
                "beta1" | "beta2" | "rho" => &[-0.1, 1.0, 1.5, f64::NAN],
                "momentum" => &[-0.1, 1.1, f64::NAN],
                "epsilon" => &[0.0, -1e-8, f64::INFINITY, f64::NAN],
                _ => &[-1e-3, f64::INFINITY, f64::NAN],
            };
            for &value in bad {
                let error = method.with(constant, value).unwrap_err().to_string();
                let (says, found) = (format!("{constant}: expected "), format!("found {value}"));
                assert!(error.starts_with(&says) && error.ends_with(&found), "{name}: {error}");
            }
            // As an f32: 1 - 1e-9 is 1, 1e-50 is 0, 1e39 is infinite.
            let rounded = match constant {
                "beta1" | "beta2" | "rho" => 1.0 - 1e-9,
                "epsilon" => 1e-50,
                "momentum" => continue,
                _ => 1e39,
            };
            let method = method.with(constant, rounded).unwrap();
            assert!(Optimizer::<f64>::new(method, 1).is_ok());
            let error = Optimizer::<f32>::new(method, 1).unwrap_err().to_string();
            assert!(error.starts_with(constant), "{name}: {error}");
            assert!(Optimizer::<f32>::resume(method, 0, vec![], 0).is_err());
        }
        let error = method.with("curiosity", 0.5).unwrap_err();
        assert!(matches!(&error, Error::Unsupported(why) if why == &format!("curiosity has no meaning for {name}")));
        let error = Optimizer::resume(method, 3, vec![0.0f32; 13], 1).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("the optimiser's moments: expected {} for each of 3 parameters, found 13", method.moments())
        );
    }
}
