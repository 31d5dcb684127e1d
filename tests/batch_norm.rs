//! Batch normalisation: against PyTorch, against loops, for any threads, folded, and where it is refused.

mod normed;

use deltarule::network::{generic, pass};
use deltarule::optim::levenberg_marquardt;
use deltarule::prelude::*;
use deltarule::simd::Isa;
use deltarule::train::checkpoint::{Checkpointing, Found, Start};
use deltarule::train::{Averaging, Run, Stopped};
use ndarray::{Array2, ArrayView2, array, s};
use normed::{Drawn, OBJECTIVE, number};
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

// torch 2.15.0+cu132; `scripts/golden-norms.py batch`.
const LOSS: f64 = 1.6795487619649936;
const GRADIENT: [f64; 45] = [
    0.7725642188589785,
    0.013181929870076235,
    -0.014755268171623533,
    -0.00668531515184885,
    -1.5450243268842396,
    0.013381379666181945,
    -0.019351681903641536,
    -0.09052467031717547,
    0.7725642188589784,
    0.013181929870076237,
    -0.01475526817162353,
    -0.006685315151848864,
    0.0,
    -3.469446951953614e-18,
    3.469446951953614e-18,
    3.946495907847236e-17,
    -0.001709677818884361,
    -0.1435019258990389,
    0.07212274702230159,
    -0.12486656052497244,
    -0.01821403948339664,
    -0.0394277519098741,
    0.021763135791005625,
    0.12409034954958102,
    0.0712750367240381,
    0.06940036685610194,
    0.26201955354945405,
    -0.007127743422727055,
    -0.11788675876139351,
    0.14293591576071496,
    -0.0022350983341284693,
    -0.023924519087413658,
    0.02286573250743662,
    0.04121487337661412,
    0.1867956062461576,
    -0.0907997059115005,
    -1.3877787807814457e-17,
    -6.071532165918825e-17,
    1.942890293094024e-16,
    -0.05742471463077813,
    0.28005140195077033,
    -0.9615542976018412,
    -0.31117397454031126,
    0.8316831683168316,
    -0.8826025459688825,
];
const STATE: [f64; 59] = [
    -1.0797326043623365,
    -0.2489392213531522,
    0.4598806269326801,
    -0.8812707512213079,
    0.08254071087974198,
    0.6666933709084424,
    -0.6060986112351703,
    0.12211270706156589,
    0.7810073396858924,
    -0.412573606475629,
    0.33058078548615166,
    -0.8714833944169796,
    -0.20792079207920788,
    0.5247524752475248,
    -0.7425742574257426,
    -0.009900990099009906,
    0.7291702217250772,
    -0.5474735327351653,
    0.1939877505114455,
    0.9258329427267492,
    -0.3435977909878414,
    0.38767183240880343,
    -0.8797948727846852,
    -0.1478466277366499,
    0.5730233982199722,
    -0.6925129980235963,
    0.15462263861090864,
    0.787025854017399,
    -0.4668713819371695,
    0.27858051045473603,
    0.9814688679070948,
    -0.283078828491062,
    0.4475670935474199,
    -0.8235471533632349,
    -0.12428994863289879,
    0.620402255164118,
    -0.6237623762376238,
    0.10891089108910901,
    0.8415841584158417,
    -0.4142357184175477,
    0.07972206796519185,
    -0.7280222648142348,
    -0.1470862800565771,
    0.2982727015558698,
    -0.47722545968882607,
    -0.07543421299815589,
    0.1881148150714187,
    -0.26248039423505093,
    0.011753559011794909,
    0.8776463149756314,
    0.7736993549671314,
    0.7718868614256458,
    0.8218672182904994,
    -0.39120553617918674,
    0.12316272272929969,
    0.1787285667090251,
    1.0491833667250776,
    0.7405046162959025,
    0.692679847070639,
];
const OUTPUTS: [f64; 21] = [
    0.12100995003093706,
    0.2666178634473737,
    -1.0272131239937456,
    0.017058773575475618,
    0.27175007534255424,
    -0.8491771947923277,
    -0.08134156302365354,
    0.27675023150339567,
    -0.6797917358215548,
    0.7446255288630241,
    0.35750869282672876,
    -1.0199929320623342,
    0.6931521501538308,
    0.3607812881003337,
    -0.9273510351154514,
    0.6146101027216189,
    0.36492676999523416,
    -0.7910768740219272,
    0.5142838742431499,
    0.36976281537590144,
    -0.6197788176361867,
];

fn matrix(from: usize) -> Array2<f64> {
    Array2::from_shape_fn((7, 3), |(i, j)| number(from + 3 * i + j))
}

fn normed(inputs: usize, hidden: &[usize], activation: Activation, outputs: usize) -> Spec {
    normed::normed(Norm::Batch, inputs, hidden, activation, outputs)
}

fn near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() < 1e-13, "{what}, {i}: {f} for {e}");
    }
}

/// Gradient, running statistics after four steps, and the outputs by those.
#[test]
fn gradient_running_statistics_and_predictions_are_pytorchs() {
    let spec = normed(3, &[4], Activation::Tanh, 3);
    for isa in Isa::available() {
        let engine = Engine::new(isa, Backend::Embedded).unwrap();
        let mut net = Network::from_params(spec.clone(), (0..spec.parameters()).map(number).collect()).unwrap();
        let mut workspace = Workspace::new(&spec, 7, engine, Threads::one()).unwrap();
        let mut gradient = vec![f64::NAN; spec.parameters()];
        for step in 0..4 {
            let (x, y) = (matrix(1000 + 21 * step), matrix(2000 + 21 * step));
            let batch = Batch { x: x.view(), y: y.view(), weights: None };
            let (spec, state) = net.state_parts_mut();
            let (params, _) = state.split_at_mut(spec.parameters());
            let value =
                pass::value_and_gradient(spec, params, batch, &OBJECTIVE, &mut workspace, &mut gradient).unwrap();
            if step == 0 {
                assert!((value.loss - LOSS).abs() < 1e-14 * LOSS, "{isa}: {}", value.loss);
                near(&gradient, &GRADIENT, "gradient");
            }
            params.iter_mut().zip(&gradient).for_each(|(p, g)| *p -= 0.1 * g);
            workspace.update_running(spec, 0.1, state);
        }
        near(net.state(), &STATE, "state");
        near(net.predict(matrix(3000).view()).unwrap().as_slice().unwrap(), &OUTPUTS, "outputs");
    }
}

#[test]
fn tensors_and_statistics_have_names_and_places() {
    let spec = normed(2, &[3], Activation::Relu, 1);
    assert_eq!(spec.architecture(), "2-3-1, relu of batch norm, identity of batch norm");
    assert_eq!((spec.parameters(), spec.state()), (21, 29));
    assert_eq!((spec.blocks()[0].variance.clone(), spec.blocks()[1].mean.clone()), (24..27, 27..28));
    assert_eq!(spec.folded().architecture(), "2-3-1, relu, identity");
    let net = Network::<f32>::new(spec.clone(), None, &mut Rng::new(1)).unwrap();
    assert_eq!(net.norm(0), [array![1.0, 1.0, 1.0].view(), array![0.0, 0.0, 0.0].view()]);
    assert_eq!(net.statistics(0), [array![0.0, 0.0, 0.0].view(), array![1.0, 1.0, 1.0].view()]);
    assert!(Network::from_state(spec.clone(), vec![0.0f32; 21]).unwrap_err().to_string().contains("29"));
    assert!(Network::from_params(spec, vec![0.0f32; 29]).unwrap_err().to_string().contains("21"));
}

/// Rows of several chunks, products that are shared, under noise and without; the value alone is that of the gradient's pass.
#[test]
fn bits_do_not_depend_on_threads_and_are_those_of_loops() {
    fn check<T: Float>(hidden: &[usize], rows: usize, tolerance: f64) {
        let drawn = Drawn::<T>::new(Norm::Batch, hidden, rows);
        let (net, spec, batch) = (&drawn.net, drawn.net.spec(), drawn.batch());
        for step in Drawn::<T>::draws() {
            let mut seen: Vec<(Vec<T>, Vec<T>)> = Vec::new();
            for threads in [1, 2, 3, 8] {
                let threads = Threads::new(threads).unwrap();
                let mut workspace = Workspace::new(spec, rows, Engine::default(), threads.clone()).unwrap();
                workspace.set_noise(spec, step.clone()).unwrap();
                let (mut gradient, mut state) = (vec![T::ZERO; spec.parameters()], net.state().to_vec());
                let value = pass::value_and_gradient(
                    spec,
                    net.params(),
                    batch.view(),
                    &OBJECTIVE,
                    &mut workspace,
                    &mut gradient,
                );
                workspace.update_running(spec, 1.0, &mut state);
                seen.push((gradient, state));
                let mut workspace = Workspace::for_prediction(spec, rows, Engine::default(), threads).unwrap();
                workspace.set_noise(spec, step.clone()).unwrap();
                let alone = pass::value(spec, net.params(), batch.view(), &OBJECTIVE, &mut workspace);
                assert_eq!(alone.unwrap(), value.unwrap());
            }
            assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
            drawn.assert_near_loops(&step, &seen[0].0, tolerance);
        }
    }
    check::<f64>(&[64, 48], 1200, 1e-13);
    check::<f32>(&[64, 48], 1200, 1e-5);
    check::<f64>(&[300, 257], 130, 1e-13);
    check::<f32>(&[300, 257], 1100, 1e-5);
}

/// Two numbers apart by 1 at 4096: in `f32` the mean of squares less the square of the mean would be 0 or 4.
#[test]
fn variances_survive_large_means_and_nan_comes_through() {
    let spec = Spec::new(1, vec![Layer::without_bias(1, Activation::Identity).with_norm(Norm::Batch)]).unwrap();
    let mut state = [1.0f32, 1.0, 0.0, 0.0, 1.0];
    let mut x = Array2::from_shape_fn((10_000, 1), |(i, _)| 4096.0 + (i % 2) as f32);
    let y = Array2::zeros((10_000, 1));
    let mut workspace = Workspace::new(&spec, 10_000, Engine::default(), Threads::one()).unwrap();
    let mut value = |x: ArrayView2<'_, f32>| {
        let batch = Batch { x, y: y.view(), weights: None };
        let value = pass::value(&spec, &[1.0, 1.0, 0.0], batch, &OBJECTIVE, &mut workspace).unwrap();
        workspace.update_running(&spec, 1.0, &mut state);
        (value.loss, state[3], state[4])
    };
    let (loss, mean, variance) = value(x.view());
    assert_eq!(mean, 4096.5);
    assert!((f64::from(variance) - 0.25 * 10_000.0 / 9_999.0).abs() < 1e-7, "{variance}");
    assert!((loss - 0.5 * 0.25 / (0.25 + 1e-5)).abs() < 1e-6, "{loss}");
    x[[5000, 0]] = f32::NAN;
    assert!(value(x.view()).0.is_nan());
}

#[test]
fn one_row_alone_and_predictions_by_a_pass_are_refused() {
    let spec =
        Spec::new(2, vec![Layer::new(3, Activation::Tanh), Layer::new(1, Activation::Identity).with_norm(Norm::Batch)])
            .unwrap();
    let net = Network::<f64>::new(spec.clone(), None, &mut Rng::new(1)).unwrap();
    let (x, y) = (Array2::zeros((1, 2)), Array2::zeros((1, 1)));
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let mut workspace = Workspace::new(&spec, 4, Engine::default(), Threads::one()).unwrap();
    let mut gradient = vec![0.0; spec.parameters()];
    let (params, wanted) = (net.params(), "at least 2, for layer 2 has batch normalisation");
    for refusal in [
        pass::value(&spec, params, batch.view(), &OBJECTIVE, &mut workspace).map(|_| ()),
        pass::value_and_gradient(&spec, params, batch.view(), &OBJECTIVE, &mut workspace, &mut gradient).map(|_| ()),
        pass::backward(&spec, params, x.view(), y.view(), &mut workspace, &mut gradient, None),
        generic::objective(&spec, params, &batch, &OBJECTIVE, None).map(|_| ()),
    ] {
        let refusal = refusal.unwrap_err().to_string();
        assert!(refusal.contains(wanted), "{refusal}");
    }
    let mut out = y.clone();
    let refusal = pass::predict_into(&spec, params, x.view(), &mut workspace, out.view_mut()).unwrap_err().to_string();
    assert!(refusal.contains("fold the network first"), "{refusal}");
    assert_eq!(net.predict(x.view()).unwrap().dim(), (1, 1));
}

/// The outputs by running statistics, in `f64` and as they are defined, and for each a bound on what folding, rounding and summing in `T`
/// may change: absolute errors through layers whose slopes are at most 1.
fn by_definition(net: &Network<f64>, x: &Array2<f64>, unit: f64) -> (Array2<f64>, Array2<f64>) {
    let (mut a, mut error) = (x.clone(), x.mapv(|_| 0.0));
    for (l, layer) in net.spec().layers().iter().enumerate() {
        let weights = net.weights(l);
        let mut z = a.dot(&weights);
        if layer.bias {
            z += &net.bias(l);
        }
        let [mean, variance] = net.statistics(l);
        let [scale, shift] = net.norm(l);
        let factor = |j: usize| if mean.is_empty() { 1.0 } else { scale[j] / (variance[j] + 1e-5).sqrt() };
        let sizes = a.mapv(f64::abs).dot(&weights.mapv(f64::abs));
        let moved = error.dot(&weights.mapv(f64::abs));
        let count = weights.nrows() as f64 + 3.0;
        error = Array2::from_shape_fn(z.dim(), |(i, j)| {
            let bias = if layer.bias { net.bias(l)[j] } else { 0.0 };
            let folded = match mean.is_empty() {
                true => bias,
                false => (bias - mean[j]) * factor(j) + shift[j],
            };
            factor(j).abs() * moved[[i, j]] + count * unit * (factor(j).abs() * sizes[[i, j]] + folded.abs())
        });
        if !mean.is_empty() {
            z.indexed_iter_mut().for_each(|((_, j), z)| *z = (*z - mean[j]) * factor(j) + shift[j]);
        }
        // tanh moves no further than its sum, and its own kernel is good to two units in the last place.
        if layer.activation == Activation::Tanh {
            z.mapv_inplace(f64::tanh);
            error.mapv_inplace(|e| e + 4.0 * unit);
        }
        a = z;
    }
    // What this function itself rounds, in f64.
    let own = 1e-12 * a.iter().fold(1.0, |most: f64, a| most.max(a.abs()));
    (a, error + own)
}

fn folds<T: Float>(seed: u64, bias: bool, unit: f64) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let layer = |n, activation, norm| Layer { outputs: n, bias, activation, norm };
    let layers = vec![
        layer(1 + rng.below(20), Activation::Tanh, Norm::Batch),
        layer(1 + rng.below(20), Activation::Tanh, if rng.below(2) == 0 { Norm::Batch } else { Norm::None }),
        layer(2, Activation::Identity, if rng.below(2) == 0 { Norm::Batch } else { Norm::None }),
    ];
    let mut net = Network::<T>::new(Spec::new(1 + rng.below(30), layers).unwrap(), None, &mut rng).unwrap();
    net.params_mut().iter_mut().for_each(|p| *p += rng.normal::<T>(0.0, 0.5));
    let blocks = net.spec().blocks().to_vec();
    for block in blocks {
        net.state_mut()[block.mean].iter_mut().for_each(|m| *m = rng.normal::<T>(0.0, 3.0));
        // From next to nothing, where only what is added to it keeps the factor finite, to large.
        net.state_mut()[block.variance].iter_mut().for_each(|v| *v = rng.uniform::<T>(-8.0, 4.0).exp());
    }
    let x = Array2::from_shape_simple_fn((5, net.spec().inputs()), || rng.normal::<T>(0.0, 2.0));
    let folded = net.folded().unwrap();
    let (expected, bound) = by_definition(&net.cast(), &x.mapv(|x| x.real()), unit);
    let mut predictor = Predictor::new(&net, 5, Engine::default(), Threads::one()).unwrap();
    let mut out = Array2::from_elem((5, 2), T::ZERO);
    predictor.predict_into(x.view(), out.view_mut()).unwrap();
    let found = folded.predict(x.view()).unwrap();
    if out != found || net.predict(x.view()).unwrap() != found || folded.spec().couples_rows() {
        return Err("the predictor, the network and the folded network differ".into());
    }
    for ((f, e), bound) in found.iter().zip(&expected).zip(&bound) {
        if (f.real() - e).abs() > *bound {
            return Err(format!("{f} for {e}, more than {bound} away"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_folded_network_predicts_the_same_within_its_rounding(seed in any::<u64>(), bias in any::<bool>()) {
        for folded in [folds::<f32>(seed, bias, f64::from(f32::EPSILON) / 2.0), folds::<f64>(seed, bias, f64::EPSILON / 2.0)] {
            prop_assert!(folded.is_ok(), "{}", folded.unwrap_err());
        }
    }
}

/// It depends on the row: no weights can do it.
#[test]
fn layer_normalisation_is_not_folded() {
    let layers = vec![Layer::new(4, Activation::Tanh).with_norm(Norm::Layer), Layer::new(1, Activation::Identity)];
    let net = Network::<f64>::new(Spec::new(2, layers).unwrap(), None, &mut Rng::new(1)).unwrap();
    assert_eq!(net.folded().unwrap(), net);
}

/// A network of two classes on three numbers of any scale, without biases under its norms as is usual.
fn classifier() -> Spec {
    let layer = Layer::without_bias(8, Activation::Tanh).with_norm(Norm::Batch);
    Spec::new(3, vec![layer, layer, Layer::new(1, Activation::Sigmoid)]).unwrap()
}

fn rows(count: usize) -> (Array2<f32>, Array2<f32>) {
    let mut rng = Rng::new(6);
    let x = Array2::from_shape_simple_fn((count, 3), || 100.0 + 50.0 * rng.normal::<f32>(0.0, 1.0));
    let y = x.map_axis(ndarray::Axis(1), |r| f32::from(u8::from(r[0] > r[1]))).insert_axis(ndarray::Axis(1));
    (x, y)
}

fn part<'a>(x: &'a Array2<f32>, y: &'a Array2<f32>, from: usize, to: usize) -> Batch<'a, f32> {
    Batch { x: x.slice(s![from..to, ..]), y: y.slice(s![from..to, ..]), weights: None }
}

fn trainer() -> Trainer {
    let objective = Objective { loss: Loss::LogisticCrossEntropy, l1: 0.0, l2: 0.0 };
    let stopping = Stopping { patience: 1000, ..Stopping::default() };
    Trainer { learning_rate: 0.01, epochs: 30, batch: 32, stopping, ..Trainer::new(objective) }
}

fn loss_of(net: &Network<f32>, x: ArrayView2<'_, f32>, y: ArrayView2<'_, f32>) -> f64 {
    let folded = net.folded().unwrap();
    let mut workspace = Workspace::for_prediction(folded.spec(), x.nrows(), Engine::default(), Threads::one()).unwrap();
    let batch = Batch { x, y, weights: None };
    pass::value(folded.spec(), folded.params(), batch, &trainer().objective, &mut workspace).unwrap().loss
}

/// Under each kind of training, with its gradients watched; rows held back are judged by running statistics, and the best are kept.
#[test]
fn it_learns_and_keeps_the_statistics_of_what_was_best() {
    // One more than whole batches: it joins the last of them.
    let (x, y) = rows(32 * 12 + 1 + 100);
    let (training, held_back) = (part(&x, &y, 100, x.nrows()), part(&x, &y, 0, 100));
    let watched = Trainer { watch_gradients: Some(5), ..trainer() };
    let small = Trainer { epochs: 12, ..trainer() };
    for (trainer, is_judged) in [
        (watched.clone(), false),
        (watched, true),
        (Trainer { averaging: Some(Averaging::Exponential { decay: 0.9 }), ..trainer() }, true),
        (Trainer { averaging: Some(Averaging::Uniform { from: 20 }), ..trainer() }, true),
        (Trainer { solver: Solver::Steps(Method::parse("adamw").unwrap()), ..trainer() }, true),
        (Trainer { solver: Solver::Lbfgs, ..small.clone() }, false),
        (Trainer { solver: Solver::Lbfgs, ..small.clone() }, true),
        (Trainer { solver: Solver::Scg, epochs: 60, ..small.clone() }, true),
    ] {
        let mut net = Network::<f32>::new(classifier(), None, &mut Rng::new(1)).unwrap();
        let run = Run { held_back: is_judged.then(|| held_back.view()), ..Run::default() };
        let history = trainer.run(&mut net, training.view(), run).unwrap();
        let loss = loss_of(&net, held_back.x.view(), held_back.y.view());
        let what = format!("{:?}, {:?}, judged {is_judged}", trainer.solver, trainer.averaging);
        assert!(loss < 0.3, "{what}: {loss}, {:?}", history.training);
        if is_judged {
            let best = history.validation.iter().copied().fold(f64::INFINITY, f64::min);
            assert!((loss - best).abs() < 1e-6, "{what}: {loss} for {best}");
        }
        assert!(net.statistics(0)[0].iter().all(|mean| mean.abs() > 1e-3), "{what}: {:?}", net.statistics(0));
    }
}

/// Whole-batch solvers end with the statistics of all rows, at the parameters that they end with.
#[test]
fn whole_batches_leave_their_own_statistics() {
    let (x, y) = rows(150);
    for is_judged in [false, true] {
        let mut net = Network::<f32>::new(classifier(), None, &mut Rng::new(1)).unwrap();
        let trainer = Trainer { solver: Solver::Lbfgs, epochs: 8, ..trainer() };
        let run = Run { held_back: is_judged.then(|| part(&x, &y, 0, 150)), ..Run::default() };
        trainer.run(&mut net, part(&x, &y, 0, 150), run).unwrap();
        let mut workspace = Workspace::for_prediction(net.spec(), 150, Engine::default(), Threads::one()).unwrap();
        pass::value(net.spec(), net.params(), part(&x, &y, 0, 150), &trainer.objective, &mut workspace).unwrap();
        let mut state = net.state().to_vec();
        workspace.update_running(net.spec(), 1.0, &mut state);
        assert_eq!(state, net.state());
    }
}

/// Interrupted after every batch and continued with other threads, under an average and rows held back: the same bits, of which running
/// statistics are a part.
#[test]
fn interrupted_after_every_batch_it_comes_to_the_same_bits() {
    let (x, y) = rows(31 + 20);
    let folder = tempfile::tempdir().unwrap();
    for averaging in [None, Some(Averaging::Exponential { decay: 0.8 })] {
        // Three batches: of 10, of 10, and of 11 rows.
        let trainer = Trainer { batch: 10, epochs: 4, averaging, ..trainer() };
        let run = |trainer: &Trainer, name: &str, found: Found, interrupt: bool| {
            let mut net = Network::<f32>::new(classifier(), None, &mut Rng::new(1)).unwrap();
            let flag = std::sync::atomic::AtomicBool::new(interrupt);
            let run = Run { held_back: Some(part(&x, &y, 31, 51)), interrupt: Some(&flag), ..Run::default() };
            let (path, mut start) = (folder.path().join(name), Start::Anew);
            let mut told = |how| start = how;
            let state = Checkpointing { path: &path, every: 1, found, told: Some(&mut told) };
            let history = trainer.run_checkpointed(&mut net, part(&x, &y, 0, 31), run, state).unwrap();
            (net.state().to_vec(), history, start)
        };
        let (expected, history, _) = run(&trainer, "whole", Found::Replace, false);
        std::fs::remove_file(folder.path().join("pieces")).ok();
        for piece in 1.. {
            let trainer = Trainer { threads: Threads::new(1 + piece % 2).unwrap(), ..trainer.clone() };
            let (state, found, start) = run(&trainer, "pieces", Found::Resume, true);
            if piece > 1 {
                assert_eq!(start, Start::Continued { epochs: (piece - 1) / 3, batches: (piece - 1) % 3 });
            }
            if found.stopped != Stopped::Interrupted {
                assert_eq!((state, found), (expected, history));
                break;
            }
        }
    }
}

#[test]
fn trainings_that_cannot_have_it_say_so_before_they_begin() {
    let (x, y) = rows(33);
    let refusal = |trainer: &Trainer, rows: usize, layers: Vec<Layer>| {
        let mut net = Network::<f32>::new(Spec::new(3, layers).unwrap(), None, &mut Rng::new(1)).unwrap();
        let batch = Batch { x: x.slice(s![..rows, ..]), y: y.slice(s![..rows, ..]), weights: None };
        let before = net.clone();
        let refusal = trainer.run(&mut net, batch, Run::default()).unwrap_err().to_string();
        assert_eq!(net, before);
        refusal
    };
    let layers = || classifier().layers().to_vec();
    let said = refusal(&Trainer { batch: 1, ..trainer() }, 33, layers());
    assert!(said.contains("at least 2, for layer 1 has batch norm") && said.contains("33 in batches of 1"), "{said}");
    let said = refusal(&trainer(), 1, layers());
    assert!(said.contains("at least 2") && said.contains("1 in batches of 32"), "{said}");
    let said = refusal(&Trainer { solver: Solver::Lbfgs, ..trainer() }, 1, layers());
    assert!(said.contains("at least 2"), "{said}");
    let options = levenberg_marquardt::Options::default();
    for solver in [Solver::LevenbergMarquardt(options), Solver::Bayes(options)] {
        let said = refusal(&Trainer { solver, ..trainer() }, 33, layers());
        assert!(said.contains("take no norms, and layer 1 has one"), "{said}");
    }
    let step = vec![Layer::new(1, Activation::Step).with_norm(Norm::Batch)];
    let said = refusal(&Trainer { solver: Solver::Perceptron, ..trainer() }, 33, step);
    assert!(said.contains("without a norm"), "{said}");
}

/// Sums whose squares overflow are normalised to nothing, and the loss stays finite.
#[test]
fn statistics_that_are_not_finite_end_a_training_in_their_step() {
    let (x, y) = rows(64);
    let x = x.mapv(|x| 1e22 * x);
    let mut net = Network::<f32>::new(classifier(), None, &mut Rng::new(1)).unwrap();
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let refusal = trainer().run(&mut net, batch, Run::default()).unwrap_err().to_string();
    assert!(refusal.contains("epoch 1, batch 1") && refusal.contains("layer 1"), "{refusal}");
    assert!(net.state().iter().all(|number| number.is_finite()));
}
