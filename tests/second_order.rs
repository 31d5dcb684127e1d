//! Second-order training of small networks: curvatures, Levenberg-Marquardt, Bayesian regularisation, scaled conjugate gradients.
//!
//! Golden numbers: `scripts/golden-second-order.py` (NumPy 2.4.6, SciPy 1.17.1).

use deltarule::activation::ActivationFn;
use deltarule::error::Error;
use deltarule::loss::LossFn;
use deltarule::network::curvature::Curvature;
use deltarule::network::{Norm, generic, pass, workspace::Workspace};
use deltarule::optim::levenberg_marquardt::{Options, Problem};
use deltarule::optim::{Scg, Stop, scg};
use deltarule::prelude::*;
use deltarule::scalar::Scalar;
use deltarule::simd::{Isa, Vectorized};
use deltarule::train::{History, Stopped};
use ndarray::Array2;
use std::ops::ControlFlow::{Break, Continue};

const SCG_ROSENBROCK: [[f64; 2]; 4] = [
    [-1.056691075641986, 1.058493438513475],
    [-1.0306838741377518, 1.0685501781018856],
    [-1.003759122213657, 1.0134321883230055],
    [0.06863713637389579, -0.04318513125806206],
];
const SCG_QUADRATIC: [[f64; 4]; 4] = [
    [0.010477606301383996, 0.041910425205535985, 0.2619401575345999, 1.0477606301383997],
    [0.051092240615234465, 0.1993876132404514, 1.0282385543565402, 0.9996109546221451],
    [0.3023432522151839, 1.0513898921620646, 0.999789539189712, 1.0000008446366329],
    [0.9999999715554485, 0.9999999999153476, 0.9999992820615901, 0.9999863556997187],
];
const MINPACK: f64 = 0.006751307450718811;
const EVIDENCE: ([f64; 3], [f64; 3]) = (
    [1.9908561922086376, 0.018225936465531424, -0.4985531942372915],
    [0.35560023665071755, 10.555632713005519, 2.995857922466168],
);

fn lm() -> Solver {
    Solver::LevenbergMarquardt(Options::default())
}

fn bayes() -> Solver {
    Solver::Bayes(Options::default())
}

/// Without looking on, and without rows held back.
fn fit<T: Float, A: ActivationFn, L: LossFn>(
    trainer: &Trainer<L>,
    net: &mut Network<T, A>,
    (x, y): (&Array2<T>, &Array2<T>),
    weights: Option<&[T]>,
) -> Result<History, Error> {
    trainer.fit(net, Batch { x: x.view(), y: y.view(), weights }, None, &mut |_| Continue(()))
}

/// The sine on -pi to pi, at 200 equally spaced points; the inputs are scaled to -1 to 1.
fn sine() -> (Array2<f64>, Array2<f64>) {
    let x = Array2::from_shape_fn((200, 1), |(i, _)| -1.0 + 2.0 * i as f64 / 199.0);
    let y = x.mapv(|x| (std::f64::consts::PI * x).sin());
    (x, y)
}

/// The epoch in which ten tanh units fit the sine to a mean squared error of 1e-10, if one of 300 does.
fn sine_epochs(seed: u64, init: Option<Init>) -> Option<usize> {
    let (x, y) = sine();
    let spec = Spec::mlp(1, &[10], Activation::Tanh, 1, Activation::Identity).unwrap();
    let mut net = Network::<f64>::new(spec, init, &mut Rng::new(seed)).unwrap();
    let trainer = Trainer { solver: lm(), epochs: 300, ..Trainer::default() };
    let mut observe =
        |epoch: &deltarule::train::Epoch| if 2.0 * epoch.training <= 1e-10 { Break(()) } else { Continue(()) };
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let history = trainer.fit(&mut net, batch, None, &mut observe).unwrap();
    let error = net.predict(x.view()).unwrap() - &y;
    let reached = (&error * &error).mean().unwrap() <= 1.0001e-10;
    reached.then_some(history.training.len())
}

#[test]
fn levenberg_marquardt_fits_a_sine_to_ten_digits() {
    // 40 of 40 seeds do, in some 30 epochs for the middle one; a plain method from Glorot's start reaches it in a quarter of them.
    let epochs: Vec<_> = (0..12).map(|seed| sine_epochs(seed, Some(Init::NguyenWidrow))).collect();
    println!("{epochs:?}");
    assert!(epochs.iter().flatten().count() >= 10, "{epochs:?}");
    assert!(epochs.iter().flatten().filter(|&&e| e < 100).count() >= 8, "{epochs:?}");
}

/// Random rows for a network, and targets that its loss takes.
fn rows(spec: &Spec<impl ActivationFn>, count: usize, rng: &mut Rng) -> (Array2<f64>, Vec<f64>) {
    let x = Array2::from_shape_simple_fn((count, spec.inputs()), || rng.uniform(-1.0, 1.0));
    (x, (0..count).map(|i| (i % 3) as f64 + 0.5).collect())
}

/// The largest error of a curvature, over its largest element, beside the exact Hessian where every residual is zero: there the two
/// are the same, and the Hessian comes from backward passes in dual numbers, which share no code with it.
fn curvature_error<A: ActivationFn, L: LossFn>(
    net: &Network<f64, A>,
    objective: &Objective<L>,
    count: usize,
    threads: Threads,
) -> f64 {
    let (spec, n) = (net.spec(), net.spec().parameters());
    let (x, weights) = rows(spec, count, &mut Rng::new(7));
    let y = net.predict(x.view()).unwrap();
    // Of a loss that reads logits the network must end in its link: then outputs are targets without a residual.
    let batch = Batch { x: x.view(), y: y.view(), weights: Some(&weights) };
    let mut found = vec![f64::NAN; n * n];
    let mut curvature = Curvature::new(spec, count, Engine::default(), threads).unwrap();
    curvature.compute(spec, net.params(), batch.view(), objective, &mut found).unwrap();
    let (mut largest, mut worst, mut product) = (0.0f64, 0.0f64, vec![0.0; n]);
    for j in 0..n {
        let mut unit = vec![0.0; n];
        unit[j] = 1.0;
        generic::hessian_vector(spec, net.params(), &batch, objective, &unit, &mut product).unwrap();
        for i in j..n {
            largest = largest.max(product[i].abs());
            worst = worst.max((found[i * n + j] - product[i]).abs());
        }
    }
    worst / largest
}

/// Sums of some hundred products round to this at most, of the largest element.
const ROUNDING: f64 = 1e-13;

#[test]
fn curvatures_agree_with_the_hessian_of_dual_numbers_where_nothing_is_left_to_gain() {
    use Activation::{Elu, Gelu, Identity, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh};
    let mut subjects = 0;
    for (hidden, layers, output, loss) in [
        (Tanh, &[5][..], Identity, Loss::SquaredError),
        (Sigmoid, &[4, 3], Identity, Loss::SquaredError),
        (Relu, &[6, 4], Tanh, Loss::SquaredError),
        (Elu { alpha: 1.0 }, &[4], Sigmoid, Loss::SquaredError),
        (Gelu, &[3, 3, 3], Softmax, Loss::SquaredError),
        (Silu, &[], Identity, Loss::SquaredError),
        (Softplus, &[5], Softmax, Loss::SoftmaxCrossEntropy),
        (Tanh, &[4, 4], Sigmoid, Loss::LogisticCrossEntropy),
    ] {
        for outputs in [1, 3] {
            for bias in [true, false] {
                // One block, several lanes, and several blocks.
                for count in [3, 61, 700] {
                    let mut shape: Vec<_> = layers
                        .iter()
                        .map(|&units| Layer { outputs: units, bias, activation: hidden, norm: Norm::None })
                        .collect();
                    shape.push(Layer { outputs, bias, activation: output, norm: Norm::None });
                    let spec = Spec::new(3, shape).unwrap();
                    let mut net = Network::<f64>::new(spec, None, &mut Rng::new(subjects)).unwrap();
                    let mut rng = Rng::new(100 + subjects);
                    net.params_mut().iter_mut().for_each(|p| *p += rng.uniform::<f64>(-0.3, 0.3));
                    let objective = Objective { loss, l1: 0.0, l2: 0.01 };
                    let error = curvature_error(&net, &objective, count, Threads::new(2).unwrap());
                    assert!(error < ROUNDING, "{} {loss}, {count} rows: {error:e}", net.spec().architecture());
                    subjects += 1;
                }
            }
        }
    }
    assert_eq!(subjects, 96);
}

/// The squared error with a curvature that is a millionth too large.
#[derive(Clone, Debug)]
struct TooCurved;

impl LossFn for TooCurved {
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
        Loss::SquaredError.row(output, target, delta)
    }
    fn curvature_root<T: Scalar>(&self, output: &[T], target: &[T], root: &mut [T]) -> bool {
        let known = Loss::SquaredError.curvature_root(output, target, root);
        root.iter_mut().for_each(|r| *r *= T::from_f64(1.0 + 5e-7));
        known
    }
}

/// A tanh whose way back is wrong in its rows alone, by a ten-thousandth.
#[derive(Clone, Debug)]
struct Bent;

impl ActivationFn for Bent {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        let t = z.tanh();
        (t, T::ONE - t * t)
    }
    fn backward<T: Float>(&self, _: Isa, _: &[T], slope: &[T], delta: &mut [T], _: usize) {
        delta.iter_mut().zip(slope).for_each(|(d, &s)| *d *= s * T::from_f64(1.0001));
    }
}

#[test]
fn a_wrong_jacobian_is_caught() {
    let spec = Spec::mlp(3, &[5], Activation::Tanh, 2, Activation::Identity).unwrap();
    let net = Network::<f64>::new(spec, None, &mut Rng::new(1)).unwrap();
    let error = curvature_error(&net, &Objective { loss: TooCurved, l1: 0.0, l2: 0.0 }, 40, Threads::one());
    assert!(error > 5e-7, "{error:e}");
    let net = Network::<f64, _>::new(Spec::mlp(3, &[5], Bent, 2, Bent).unwrap(), None, &mut Rng::new(1)).unwrap();
    let error = curvature_error(&net, &Objective::<Loss>::default(), 40, Threads::one());
    assert!(error > 5e-5, "{error:e}");
}

#[test]
fn a_linear_network_is_solved_in_one_step() {
    let spec = Spec::new(6, vec![Layer::new(3, Activation::Identity)]).unwrap();
    let (x, weights) = rows(&spec, 50, &mut Rng::new(3));
    let truth = Network::<f64>::new(spec.clone(), Some(Init::Normal { deviation: 1.0 }), &mut Rng::new(4)).unwrap();
    let exact = truth.predict(x.view()).unwrap();
    let mut rng = Rng::new(5);
    let noisy = exact.mapv(|y| y + rng.normal::<f64>(0.0, 0.5));
    let solver = Solver::LevenbergMarquardt(Options { damping: 0.0, ..Options::default() });
    let trainer = Trainer { solver, epochs: 1, ..Trainer::default() };
    let mut net = Network::<f64>::new(spec.clone(), None, &mut Rng::new(6)).unwrap();
    fit(&trainer, &mut net, (&x, &exact), Some(&weights)).unwrap();
    let worst = net.params().iter().zip(truth.params()).fold(0.0, |w: f64, (a, b)| w.max((a - b).abs()));
    assert!(worst < 1e-12, "{worst:e}");

    fit(&trainer, &mut net, (&x, &noisy), Some(&weights)).unwrap();
    let mut gradient = vec![0.0; spec.parameters()];
    let mut workspace = Workspace::new(&spec, 50, Engine::default(), Threads::one()).unwrap();
    let batch = Batch { x: x.view(), y: noisy.view(), weights: Some(&weights) };
    pass::value_and_gradient(&spec, net.params(), batch, &Objective::<Loss>::default(), &mut workspace, &mut gradient)
        .unwrap();
    assert!(gradient.iter().all(|g| g.abs() < 1e-13), "{gradient:?}");
}

/// The rows of the golden script: inputs, two targets, weights.
fn golden_rows() -> (Array2<f64>, Array2<f64>, Array2<f64>, Vec<f64>) {
    let i = |i: usize| i as f64;
    let x = Array2::from_shape_fn((40, 2), |(r, c)| if c == 0 { (1.0 + i(r)).sin() } else { (2.0 * i(r)).cos() });
    let y = Array2::from_shape_fn((40, 1), |(r, _)| (2.0 * x[[r, 0]]).sin() + x[[r, 1]].powi(2));
    let line = Array2::from_shape_fn((40, 1), |(r, _)| 2.0 * x[[r, 0]] - 0.5 + 0.3 * (5.0 * i(r)).sin());
    (x, y, line, (0..40).map(|r| 1.0 + i(r % 3)).collect())
}

#[test]
fn levenberg_marquardt_ends_where_minpack_does() {
    let (x, y, _, weights) = golden_rows();
    let spec = Spec::mlp(2, &[3], Activation::Tanh, 1, Activation::Identity).unwrap();
    let start: Vec<f64> = (0..13).map(|i| 0.9 * (1.0 + f64::from(i)).sin()).collect();
    let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 1e-3 };
    let trainer = Trainer { solver: lm(), objective, ..Trainer::default() };
    let mut net = Network::from_params(spec.clone(), start).unwrap();
    let history = fit(&trainer, &mut net, (&x, &y), Some(&weights)).unwrap();
    assert_eq!(history.stopped, Stopped::Converged, "{} epochs", history.training.len());
    let mut workspace = Workspace::new(&spec, 40, Engine::default(), Threads::one()).unwrap();
    let batch = Batch { x: x.view(), y: y.view(), weights: Some(&weights) };
    let value = pass::value(&spec, net.params(), batch, &objective, &mut workspace).unwrap().objective();
    assert!((value / MINPACK - 1.0).abs() < 1e-10, "{value:?} after {} epochs", history.training.len());
}

#[test]
fn the_evidence_has_the_fixed_point_of_mackays_formulas() {
    let (x, _, line, _) = golden_rows();
    let spec = Spec::new(2, vec![Layer::new(1, Activation::Identity)]).unwrap();
    let mut net = Network::<f64>::new(spec, None, &mut Rng::new(1)).unwrap();
    let trainer = Trainer { solver: bayes(), ..Trainer::default() };
    let history = fit(&trainer, &mut net, (&x, &line), None).unwrap();
    let found = history.regularisation.last().unwrap();
    let (w, numbers) = EVIDENCE;
    let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-7;
    assert!(net.params().iter().zip(w).all(|(&a, b)| near(a, b)), "{:?}", net.params());
    assert!([found.alpha, found.beta, found.gamma].into_iter().zip(numbers).all(|(a, b)| near(a, b)), "{found:?}");
    assert_eq!(history.regularisation.len(), history.training.len());
}

#[test]
fn bayesian_regularisation_bears_a_network_that_is_too_large() {
    // 20 rows with noise, 61 parameters: without a penalty they are fitted to the last digit and new rows are not.
    let mut rng = Rng::new(11);
    let x = Array2::from_shape_fn((20, 1), |(i, _)| -1.0 + 2.0 * i as f64 / 19.0);
    let truth = |x: &Array2<f64>| x.mapv(|x| (3.0 * x).sin());
    let y = truth(&x).mapv(|y| y + rng.normal::<f64>(0.0, 0.1));
    let new = Array2::from_shape_fn((100, 1), |(i, _)| -1.0 + 2.0 * i as f64 / 99.0);
    let mut errors = Vec::new();
    for solver in [lm(), bayes()] {
        let spec = Spec::mlp(1, &[20], Activation::Tanh, 1, Activation::Identity).unwrap();
        let mut net = Network::<f64>::new(spec, Some(Init::NguyenWidrow), &mut Rng::new(2)).unwrap();
        let history = fit(&Trainer { solver, ..Trainer::default() }, &mut net, (&x, &y), None).unwrap();
        let error = net.predict(new.view()).unwrap() - truth(&new);
        errors.push((&error * &error).mean().unwrap().sqrt());
        if let Some(found) = history.regularisation.last() {
            assert!(found.gamma > 2.0 && found.gamma < 15.0, "{found:?}");
            // The noise, of deviation 0.1: beta is one over twice its variance.
            assert!((20.0..200.0).contains(&found.beta), "{found:?}");
        }
    }
    println!("{errors:?}");
    assert!(errors[1] < 0.08 && errors[1] < 0.5 * errors[0], "{errors:?}");
}

#[test]
fn classes_are_learnt_to_the_same_minimum_as_by_l_bfgs() {
    let (x, y, _, _) = golden_rows();
    for (classes, loss) in [(3, Loss::SoftmaxCrossEntropy), (1, Loss::LogisticCrossEntropy)] {
        let targets = Array2::from_shape_fn((40, classes), |(r, c)| {
            let class = usize::from(y[[r, 0]] > 0.2) + usize::from(y[[r, 0]] > 0.8);
            f64::from(u8::from(if classes == 1 { class > 0 } else { class == c }))
        });
        // Convex: one layer, whose minimum is one.
        let spec = Spec::new(2, vec![Layer::new(classes, loss.link().unwrap())]).unwrap();
        let objective = Objective { loss, l1: 0.0, l2: 0.01 };
        let losses = [lm(), Solver::Lbfgs, Solver::Scg].map(|solver| {
            let mut net = Network::<f64>::new(spec.clone(), None, &mut Rng::new(1)).unwrap();
            let history =
                fit(&Trainer { solver, objective, ..Trainer::default() }, &mut net, (&x, &targets), None).unwrap();
            if matches!(solver, Solver::LevenbergMarquardt(_)) {
                assert!(history.training.len() < 30, "{} epochs", history.training.len());
            }
            *history.training.last().unwrap()
        });
        assert!((losses[0] - losses[1]).abs() < 1e-4 && (losses[0] - losses[2]).abs() < 1e-4, "{losses:?}");
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    // 3 bands of curvature, several blocks and lanes.
    let spec = Spec::mlp(4, &[20, 8], Activation::Tanh, 2, Activation::Identity).unwrap();
    let (x, weights) = rows(&spec, 400, &mut Rng::new(9));
    let y = Array2::from_shape_fn((400, 2), |(i, j)| (x[[i, j]] * 3.0).sin() * x[[i, 3]]);
    for solver in [lm(), bayes(), Solver::Scg] {
        let params = [1, 2, 3].map(|count| {
            let mut net = Network::<f64>::new(spec.clone(), None, &mut Rng::new(1)).unwrap();
            let trainer = Trainer { solver, epochs: 6, threads: Threads::new(count).unwrap(), ..Trainer::default() };
            let history = fit(&trainer, &mut net, (&x, &y), Some(&weights)).unwrap();
            assert_eq!(history.training.len(), 6);
            net.params().iter().map(|p| p.to_bits()).collect::<Vec<_>>()
        });
        assert!(params[0] == params[1] && params[0] == params[2], "{solver:?}");
    }
}

#[test]
fn a_network_in_f32_is_computed_in_f64_and_rounded() {
    let (x, y) = sine();
    let (narrow_x, narrow_y) = (x.mapv(|x| x as f32), y.mapv(|y| y as f32));
    let spec = Spec::mlp(1, &[6], Activation::Tanh, 1, Activation::Identity).unwrap();
    let mut narrow = Network::<f32>::new(spec, Some(Init::NguyenWidrow), &mut Rng::new(1)).unwrap();
    let mut wide = narrow.cast::<f64>();
    let trainer = Trainer { solver: lm(), epochs: 20, ..Trainer::default() };
    fit(&trainer, &mut narrow, (&narrow_x, &narrow_y), None).unwrap();
    fit(&trainer, &mut wide, (&narrow_x.mapv(f64::from), &narrow_y.mapv(f64::from)), None).unwrap();
    assert!(narrow.params().iter().zip(wide.params()).all(|(n, w)| *n == *w as f32));
}

#[test]
fn what_a_method_cannot_do_is_refused_by_name() {
    let (x, y, _, _) = golden_rows();
    let net = |output| {
        let spec = Spec::mlp(2, &[3], Activation::Tanh, 1, output).unwrap();
        Network::<f64>::new(spec, None, &mut Rng::new(1)).unwrap()
    };
    let refusal = |trainer: Trainer, net: &mut Network<f64>| {
        let before = net.params().to_vec();
        let error = fit(&trainer, net, (&x, &y), None).unwrap_err().to_string();
        assert!(net.params().iter().zip(&before).all(|(a, b)| a.to_bits() == b.to_bits()), "{error}");
        error
    };
    let with = |solver, loss, l1, l2| Trainer { solver, objective: Objective { loss, l1, l2 }, ..Trainer::default() };
    let squared = Loss::SquaredError;
    for (trainer, expected) in [
        (with(lm(), Loss::Huber { delta: 1.0 }, 0.0, 0.0), "Huber"),
        (with(bayes(), Loss::AbsoluteError, 0.0, 0.0), "AbsoluteError"),
        (with(lm(), squared, 0.1, 0.0), "l1 = 0.1"),
        (with(bayes(), squared, 0.0, 0.1), "l2: expected 0 with Bayesian regularisation"),
        (with(Solver::LevenbergMarquardt(Options { raise: 1.0, ..Options::default() }), squared, 0.0, 0.0), "raise"),
        (Trainer { watch_gradients: Some(1), ..with(lm(), squared, 0.0, 0.0) }, "Levenberg-Marquardt"),
        (Trainer { watch_gradients: Some(1), ..with(Solver::Scg, squared, 0.0, 0.0) }, "scaled conjugate gradients"),
    ] {
        let error = refusal(trainer, &mut net(Activation::Identity));
        assert!(error.contains(expected), "{error}");
    }
    // A start that is not finite, as the other solvers say it.
    for solver in [lm(), bayes(), Solver::Scg] {
        let mut spoilt = net(Activation::Identity);
        spoilt.params_mut()[2] = f64::NAN;
        let error = refusal(Trainer { solver, ..Trainer::default() }, &mut spoilt);
        assert!(error.contains("NaN") && error.contains("epoch 1"), "{error}");
    }
    // A hundred million parameters: 80 PB for one matrix, and there are two.
    let mut large =
        Network::<f64>::zeros(Spec::mlp(2, &[25_000_000], Activation::Tanh, 1, Activation::Identity).unwrap()).unwrap();
    let error = refusal(Trainer { solver: lm(), ..Trainer::default() }, &mut large);
    assert!(error.contains("needs") && error.contains("bytes") && error.contains("100000001 parameters"), "{error}");
}

#[test]
fn rows_held_back_stop_the_training_and_keep_the_best() {
    let mut rng = Rng::new(2);
    let x = Array2::from_shape_fn((30, 1), |(i, _)| -1.0 + 2.0 * i as f64 / 29.0);
    let y = x.mapv(|x| (3.0 * x).sin() + rng.normal::<f64>(0.0, 0.2));
    let part = |array: &Array2<f64>, odd: usize| Array2::from_shape_fn((15, 1), |(i, _)| array[[2 * i + odd, 0]]);
    let ((x, held_x), (y, held_y)) = ((part(&x, 0), part(&x, 1)), (part(&y, 0), part(&y, 1)));
    for solver in [lm(), Solver::Scg, Solver::Lbfgs] {
        let spec = Spec::mlp(1, &[20], Activation::Tanh, 1, Activation::Identity).unwrap();
        let mut net = Network::<f64>::new(spec.clone(), Some(Init::NguyenWidrow), &mut Rng::new(2)).unwrap();
        let batch = |x, y| Batch { x, y, weights: None };
        let held_back = Some(batch(held_x.view(), held_y.view()));
        let trainer = Trainer { solver, ..Trainer::default() };
        let history = trainer.fit(&mut net, batch(x.view(), y.view()), held_back, &mut |_| Continue(())).unwrap();
        // 61 parameters fit 15 rows to the last digit before the others have stalled for ten epochs.
        let stopped = if solver == lm() { Stopped::Converged } else { Stopped::ValidationStalled };
        assert_eq!(history.stopped, stopped, "{solver:?}");
        assert!(history.kept < history.training.len());
        let mut workspace = Workspace::new(&spec, 15, Engine::default(), Threads::one()).unwrap();
        let judged = batch(held_x.view(), held_y.view());
        let kept =
            pass::value(&spec, net.params(), judged, &Objective::<Loss>::default(), &mut workspace).unwrap().loss;
        assert!(history.validation.iter().all(|v| *v >= kept) && kept == history.validation[history.kept - 1]);
    }
}

/// Rosenbrock's function, chained over neighbours as SciPy has it.
fn rosenbrock<T: Vectorized>(p: &[T], grad: &mut [T]) -> Result<f64, Error> {
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

/// An objective that writes its gradient and gives its value.
type Valued = dyn Fn(&[f64], &mut [f64]) -> Result<f64, Error>;

#[test]
fn scaled_conjugate_gradients_walk_where_the_paper_does() {
    let walk = |params: &mut [f64], steps: &[usize], f: &Valued| {
        let mut points = Vec::new();
        let options =
            scg::Options { max_iterations: steps[steps.len() - 1], gradient_tolerance: 0.0, ..Default::default() };
        let mut scg = Scg::new(params.len(), options).unwrap();
        scg.minimize(Isa::current(), params, f, |i| {
            if steps.contains(&i.number) {
                points.push(i.params.to_vec());
            }
            Continue(())
        })
        .unwrap();
        points
    };
    let near = |a: &[f64], b: &[f64], by: f64| a.iter().zip(b).all(|(a, b)| (a - b).abs() < by);
    // The curvature is a difference of gradients over 5e-5: roundings of 1e-16 come to 1e-11 of it, and grow along the valley.
    let points = walk(&mut [-1.2, 1.0], &[1, 2, 5, 20], &|p, g| rosenbrock(p, g));
    for ((found, golden), by) in points.iter().zip(SCG_ROSENBROCK).zip([1e-9, 1e-9, 1e-9, 1e-6]) {
        assert!(near(found, &golden, by), "{found:?} for {golden:?}");
    }
    let points = walk(&mut [0.0; 4], &[1, 2, 3, 4], &|p, g| {
        let curvature = [1.0, 4.0, 25.0, 100.0];
        g.iter_mut().zip(p).zip(curvature).for_each(|((g, p), c)| *g = c * (p - 1.0));
        Ok(p.iter().zip(curvature).map(|(p, c)| 0.5 * c * (p - 1.0).powi(2)).sum())
    });
    for (found, golden) in points.iter().zip(SCG_QUADRATIC) {
        assert!(near(found, &golden, 1e-8), "{found:?} for {golden:?}");
    }
}

#[test]
fn scaled_conjugate_gradients_find_minima_in_both_types_and_end() {
    fn start<T: Vectorized>(n: usize) -> Vec<T> {
        (0..n).map(|i| T::from_f64(if i % 2 == 0 { -1.2 } else { 1.0 })).collect()
    }
    let options = scg::Options { gradient_tolerance: 1e-8, max_iterations: 10_000, ..Default::default() };
    // SciPy's minimum of Rosenbrock's function is all 1; of ten variables from here too.
    for n in [2, 10] {
        let mut params = start::<f64>(n);
        let report =
            Scg::new(n, options).unwrap().minimize(Isa::current(), &mut params, rosenbrock, |_| Continue(())).unwrap();
        println!("{report:?}");
        assert!(report.stopped.converged() && params.iter().all(|p| (p - 1.0).abs() < 1e-6), "{report:?} {params:?}");
    }
    let mut params = start::<f32>(2);
    let report =
        Scg::new(2, options).unwrap().minimize(Isa::current(), &mut params, rosenbrock, |_| Continue(())).unwrap();
    assert!(params.iter().all(|p| (p - 1.0).abs() < 1e-2), "{report:?} {params:?}");

    // Evaluations are bounded, the value never rises, observers are obeyed.
    for limit in 1..40 {
        let mut params = start::<f64>(2);
        let mut last = f64::INFINITY;
        let mut scg = Scg::new(2, scg::Options { max_evaluations: limit, ..options }).unwrap();
        let report = scg
            .minimize(Isa::current(), &mut params, rosenbrock, |i| {
                assert!(i.value < last);
                last = i.value;
                Continue(())
            })
            .unwrap();
        assert!(report.evaluations <= limit && report.stopped == Stop::EvaluationLimit, "{report:?}");
    }
    let mut scg = Scg::new(2, options).unwrap();
    let report = scg.minimize(Isa::current(), &mut start::<f64>(2), rosenbrock, |_| Break(())).unwrap();
    assert_eq!((report.stopped, report.iterations), (Stop::Observer, 1));

    // A gradient of the wrong sign, and a cliff: no minimum is claimed, and the search ends.
    let uphill = |p: &[f64], g: &mut [f64]| {
        let value = rosenbrock(p, g)?;
        g.iter_mut().for_each(|g| *g = -*g);
        Ok(value)
    };
    let report = scg.minimize(Isa::current(), &mut start::<f64>(2), uphill, |_| Continue(())).unwrap();
    assert_eq!((report.stopped, report.iterations), (Stop::LineSearch, 0));
    let cliff = |p: &[f64], g: &mut [f64]| {
        g.copy_from_slice(&[-1.0 / p[0], 0.0]);
        Ok(if p[0] < 1.0 { -p[0].ln() } else { f64::NAN })
    };
    let mut params = [0.5, 0.0];
    let report = scg.minimize(Isa::current(), &mut params, cliff, |_| Continue(())).unwrap();
    assert!(params[0] > 0.9 && params[0] < 1.0, "{report:?} {params:?}");

    for (options, name) in [
        (scg::Options { sigma: 0.0, ..options }, "sigma"),
        (scg::Options { lambda: 1.0, ..options }, "lambda"),
        (scg::Options { max_evaluations: 0, ..options }, "max_evaluations"),
        (scg::Options { gradient_tolerance: f64::NAN, ..options }, "gradient_tolerance"),
    ] {
        let error = Scg::<f64>::new(2, options).unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
    }
    let error = scg.minimize(Isa::current(), &mut [f64::NAN, 0.0], rosenbrock, |_| Continue(())).unwrap_err();
    assert!(error.to_string().starts_with("the objective at the start"), "{error}");
}

/// A quadratic `(p - 1)' A (p - 1) / 2 + 1` with `A = c I + u u'`: all that is asked of it is known.
struct Quadratic {
    c: f64,
    u: Vec<f64>,
}

impl Problem for Quadratic {
    fn value(&mut self, p: &[f64]) -> Result<f64, Error> {
        let along: f64 = p.iter().zip(&self.u).map(|(p, u)| (p - 1.0) * u).sum();
        Ok(1.0 + 0.5 * (self.c * p.iter().map(|p| (p - 1.0).powi(2)).sum::<f64>() + along * along))
    }
    fn model(&mut self, p: &[f64], gradient: &mut [f64], curvature: &mut [f64]) -> Result<f64, Error> {
        let (n, along) = (p.len(), p.iter().zip(&self.u).map(|(p, u)| (p - 1.0) * u).sum::<f64>());
        for (i, (g, p)) in gradient.iter_mut().zip(p).enumerate() {
            *g = self.c * (p - 1.0) + along * self.u[i];
            // What lies above the diagonal must not be read.
            curvature[i * n..(i + 1) * n].fill(f64::NAN);
            (0..=i).for_each(|j| curvature[i * n + j] = self.u[i] * self.u[j] + if i == j { self.c } else { 0.0 });
        }
        self.value(p)
    }
}

#[test]
fn matrices_of_many_blocks_are_solved_and_traced() {
    use deltarule::optim::LevenbergMarquardt;
    use deltarule::optim::bayes::Rows;
    for n in [1, 47, 48, 49, 97, 150, 300] {
        let quadratic = || Quadratic { c: 0.5, u: (0..n).map(|i| (i as f64).sin() + 0.1).collect() };
        let options = Options { damping: 0.0, max_iterations: 1, ..Options::default() };
        let mut params = vec![0.0; n];
        let mut solver = LevenbergMarquardt::new(n, options, None).unwrap();
        let threads = Threads::new(2).unwrap();
        solver.minimize(Engine::default(), &threads, &mut params, &mut quadratic(), |_, _| Continue(())).unwrap();
        assert!(params.iter().all(|p| (p - 1.0).abs() < 1e-11), "{n}: {params:?}");

        // The trace, by the eigenvalues: c, and once c + u'u.
        let rows = Rows { weight: 10.0 * n as f64, outputs: 1 };
        let mut params = vec![0.5; n];
        let mut solver = LevenbergMarquardt::new(n, options, Some(rows)).unwrap();
        // The decay of the first step: from all n parameters as determined, n / 4 of squares, and a value v at the start.
        let mut problem = quadratic();
        let value = problem.value(&params).unwrap();
        let beta = (10.0 * n as f64 - n as f64) / (2.0 * 2.0 * rows.weight * value);
        let decay = 2.0 / (beta * rows.weight);
        solver.minimize(Engine::default(), &threads, &mut params, &mut problem, |_, _| Continue(())).unwrap();
        let squares: f64 = problem.u.iter().map(|u| u * u).sum();
        let trace = (n as f64 - 1.0) / (problem.c + decay) + 1.0 / (problem.c + squares + decay);
        let gamma = solver.evidence().unwrap().regularisation().gamma;
        let expected = n as f64 - decay * trace;
        assert!((gamma - expected).abs() < 1e-9 * n as f64, "{n}: {gamma} for {expected}");
    }
}
