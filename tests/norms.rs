//! Layer normalisation: against PyTorch, against loops, for any threads, and in a model's file.

mod normed;

use deltarule::network::pass;
use deltarule::prelude::*;
use deltarule::simd::Isa;
use ndarray::{Array2, array};
use normed::{Drawn, OBJECTIVE, number};
use std::ops::ControlFlow;

// torch 2.15.0+cu132; `scripts/golden-norms.py`.
const LOSS: f64 = 2.2298746184529867;
const GRADIENT: [f64; 45] = [
    -0.10260987864736491,
    -0.13695337700735696,
    0.0008801064903609685,
    0.2386831491643609,
    0.1820640932945951,
    0.3214029571918808,
    -0.011872267570783437,
    -0.49159478291569236,
    0.0033506923650311726,
    0.11735088151436038,
    0.0207659492497071,
    -0.14146752312909866,
    -0.19818551244911126,
    -0.4756431501980269,
    -0.037193891086925175,
    0.7110225537340632,
    -0.08455280950698163,
    0.23676544850860426,
    0.01085485253552576,
    0.05957653465440263,
    0.09549131828110222,
    0.2562563769390199,
    0.12858529742054348,
    0.3369570028809416,
    0.06915635567162631,
    0.33736858888829346,
    -0.40652494455991983,
    0.008244505242615729,
    0.049160562315764184,
    -0.05740506755837996,
    0.05111491419664757,
    0.2954954532575605,
    -0.34661036745420815,
    0.026014061520670265,
    -0.05664788198275471,
    0.030633820462084516,
    -0.08100241524320793,
    -0.42162792379027136,
    0.5026303390334794,
    -0.017712070076211534,
    1.0272064056570158,
    -0.873954641071714,
    0.024816750396370477,
    1.2810422541787887,
    -1.5263142717794156,
];

fn normed(inputs: usize, hidden: &[usize], activation: Activation, outputs: usize) -> Spec {
    normed::normed(Norm::Layer, inputs, hidden, activation, outputs)
}

#[test]
fn the_gradient_is_pytorchs() {
    let spec = normed(3, &[4], Activation::Tanh, 3);
    let params: Vec<f64> = (0..spec.parameters()).map(number).collect();
    let rows = |from: usize| Array2::from_shape_fn((5, 3), |(i, j)| number(from + 3 * i + j));
    let (x, y) = (rows(1000), rows(2000));
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    for isa in Isa::available() {
        let engine = Engine::new(isa, Backend::Embedded).unwrap();
        let mut workspace = Workspace::new(&spec, 5, engine, Threads::one()).unwrap();
        let mut gradient = vec![f64::NAN; params.len()];
        let value =
            pass::value_and_gradient(&spec, &params, batch.view(), &OBJECTIVE, &mut workspace, &mut gradient).unwrap();
        assert!((value.loss - LOSS).abs() < 1e-14 * LOSS, "{isa}: {}", value.loss);
        for (i, (g, e)) in gradient.iter().zip(&GRADIENT).enumerate() {
            assert!((g - e).abs() < 1e-13, "{isa}, {}: {g} for {e}", spec.parameter_name(i));
        }
    }
}

#[test]
fn tensors_and_parameters_have_names() {
    let spec = normed(2, &[3], Activation::Relu, 1);
    let names: Vec<_> = spec.tensors().into_iter().map(|(name, range)| (name, range.len())).collect();
    let expected =
        [("weights", 6), ("biases", 3), ("scale", 3), ("shift", 3)].map(|(what, n)| (format!("layer 1, {what}"), n));
    assert_eq!(names[..4], expected);
    assert_eq!(spec.parameter_name(10), "layer 1, scale of unit 2");
    assert_eq!(spec.parameter_name(14), "layer 1, shift of unit 3");
    assert_eq!(spec.parameter_name(15), "layer 2, weight from input 1 to unit 1");
    assert_eq!(spec.architecture(), "2-3-1, relu of layer norm, identity of layer norm");
    let net = Network::<f32>::new(spec, None, &mut Rng::new(1)).unwrap();
    assert_eq!(net.norm(0), [array![1.0, 1.0, 1.0].view(), array![0.0, 0.0, 0.0].view()]);
}

/// Gradients of several shards of several blocks, and of products that are shared.
#[test]
fn bits_do_not_depend_on_threads_and_are_those_of_loops() {
    fn check<T: Float>(hidden: &[usize], rows: usize, tolerance: f64) {
        let drawn = Drawn::<T>::new(Norm::Layer, hidden, rows);
        let (net, spec, batch) = (&drawn.net, drawn.net.spec(), drawn.batch());
        for step in Drawn::<T>::draws() {
            let mut seen: Vec<Vec<T>> = Vec::new();
            for threads in [1, 2, 3, 8] {
                let threads = Threads::new(threads).unwrap();
                let mut workspace = Workspace::new(spec, rows, Engine::default(), threads).unwrap();
                workspace.set_noise(spec, step.clone()).unwrap();
                let mut gradient = vec![T::ZERO; spec.parameters()];
                pass::value_and_gradient(spec, net.params(), batch.view(), &OBJECTIVE, &mut workspace, &mut gradient)
                    .unwrap();
                seen.push(gradient);
            }
            assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
            drawn.assert_near_loops(&step, &seen[0], tolerance);
        }
    }
    check::<f64>(&[64, 48], 1200, 1e-13);
    check::<f32>(&[64, 48], 1200, 1e-5);
    check::<f64>(&[300, 257], 130, 1e-13);
}

#[test]
fn a_row_of_equal_sums_stays_finite_and_predictions_do_not_depend_on_the_other_rows() {
    let spec = normed(2, &[5], Activation::Tanh, 3);
    let mut net = Network::<f32>::zeros(spec).unwrap();
    assert!(net.predict(array![[1.0, 2.0]].view()).unwrap().iter().all(|p| *p == 0.0));
    let mut rng = Rng::new(4);
    net.params_mut().iter_mut().for_each(|p| *p = rng.normal(0.0, 1.0));
    let x = Array2::from_shape_simple_fn((70, 2), || rng.normal::<f32>(0.0, 3.0));
    let all = net.predict(x.view()).unwrap();
    let one = net.predict(x.slice(ndarray::s![33..34, ..])).unwrap();
    assert_eq!(one.row(0), all.row(33));
}

#[test]
fn a_workspace_made_for_other_norms_is_refused() {
    let spec = normed(2, &[5], Activation::Tanh, 3);
    let plain = Spec::mlp(2, &[5], Activation::Tanh, 3, Activation::Identity).unwrap();
    let (x, mut out) = (Array2::zeros((4, 2)), Array2::zeros((4, 3)));
    let mut workspace = Workspace::new(&plain, 4, Engine::default(), Threads::one()).unwrap();
    let net = Network::<f64>::zeros(spec).unwrap();
    let refusal =
        pass::predict_into(net.spec(), net.params(), x.view(), &mut workspace, out.view_mut()).unwrap_err().to_string();
    assert!(refusal.contains("made for norms [None, None]"), "{refusal}");
}

/// Sums of any size and place: what standardising would do by hand, the network does by itself.
#[test]
fn it_learns_where_inputs_have_any_scale() {
    let mut rng = Rng::new(6);
    let x = Array2::from_shape_simple_fn((400, 3), || 100.0 + 50.0 * rng.normal::<f32>(0.0, 1.0));
    let y = x.map_axis(ndarray::Axis(1), |r| f32::from(u8::from(r[0] > r[1]))).insert_axis(ndarray::Axis(1));
    let layers = vec![Layer::new(16, Activation::Tanh).with_norm(Norm::Layer), Layer::new(1, Activation::Sigmoid)];
    let mut net = Network::<f32>::new(Spec::new(3, layers).unwrap(), None, &mut rng).unwrap();
    let objective = Objective { loss: Loss::LogisticCrossEntropy, l1: 0.0, l2: 0.0 };
    let trainer =
        Trainer { learning_rate: 0.01, epochs: 40, batch: 32, watch_gradients: Some(7), ..Trainer::new(objective) };
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let history = trainer.fit(&mut net, batch, None, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(history.training.last().unwrap() < &0.15, "{:?}", history.training);
}
