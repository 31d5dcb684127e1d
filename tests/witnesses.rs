//! What the gradient check does beyond differences: several witnesses, pieces, samples, Jacobians, bounds, and files for machines.

use deltarule::activation::ActivationFn;
use deltarule::gradcheck::jacobian::{self, Product};
use deltarule::gradcheck::junit;
use deltarule::gradcheck::{
    self, Generic, Mode, Options, Oracle, Report, Tensor, Verdict, against, check, check_generic, check_pieces,
};
use deltarule::loss::LossFn;
use deltarule::prelude::*;
use deltarule::scalar::Scalar;
use deltarule::simd::Isa;
use deltarule::verify;
use ndarray::{Array2, array};

fn tensors(names: &[(&str, usize)]) -> Vec<Tensor> {
    let mut end = 0;
    let tensor = |(name, length): &(&str, usize)| {
        end += length;
        Tensor { name: (*name).into(), range: end - length..end }
    };
    names.iter().map(tensor).collect()
}

/// `sum_i c_i tanh(x_i) + x_0 x_1`.
struct Sum(Vec<f64>);

impl Generic for Sum {
    fn value<S: Scalar>(&self, x: &[S]) -> S {
        let mut sum = x[0] * x[1];
        x.iter().zip(&self.0).for_each(|(x, &c)| sum += S::from_f64(c) * x.tanh());
        sum
    }
}

impl Sum {
    fn subject(length: usize) -> (Self, Vec<f64>, Vec<f64>) {
        let mut rng = Rng::new(3);
        let c: Vec<f64> = (0..length).map(|_| rng.normal(0.0, 1.0)).collect();
        let at: Vec<f64> = (0..length).map(|_| rng.normal(0.0, 1.0)).collect();
        let mut gradient: Vec<f64> = at.iter().zip(&c).map(|(x, c)| c * (1.0 - x.tanh().powi(2))).collect();
        gradient[0] += at[1];
        gradient[1] += at[0];
        (Self(c), at, gradient)
    }
}

fn disagreed(report: &Report, a: &str, b: &str) -> usize {
    let pair = report.disagreements.iter().find(|pair| pair.between == [a, b]);
    pair.unwrap_or_else(|| panic!("{a} and {b} were not compared: {report}")).disagreed
}

#[test]
fn the_matrix_says_who_disagrees_with_whom() {
    let (f, at, gradient) = Sum::subject(30);
    let report = check_generic(&f, &gradient, &at, &Options::default());
    assert_eq!((report.verdict, report.counts.verified), (Verdict::Verified, 30), "{report}");
    assert!(report.disagreements.len() == 6 && report.disagreements.iter().all(|pair| pair.compared == 30));

    // A gradient off by 1e-9: differences cannot see it, the exact witnesses do, and among themselves all agree.
    let mut wrong = gradient.clone();
    wrong[17] *= 1.0 + 1e-9;
    let report = check_generic(&f, &wrong, &at, &Options::default());
    assert_eq!((report.verdict, report.counts.wrong, report.faults[0].index), (Verdict::Wrong, 1, 17), "{report}");
    let found = [("gradient", "differences"), ("gradient", "dual"), ("gradient", "complex"), ("differences", "dual")];
    assert_eq!(found.map(|(a, b)| disagreed(&report, a, b)), [0, 1, 1, 0]);
    let differences = Options { oracles: vec![Oracle::Differences], ..Options::default() };
    assert_eq!(check_generic(&f, &wrong, &at, &differences).verdict, Verdict::Verified);

    // Values that are not those of the formula: gradient and differences agree, and the others do not.
    struct Bent;
    impl Generic for Bent {
        fn value<S: Scalar>(&self, x: &[S]) -> S {
            let bent = std::any::type_name::<S>() == "f64";
            S::from_f64(if bent { 1.001 } else { 1.0 }) * x[0] * x[0]
        }
    }
    let report = check_generic(&Bent, &[2.002], &[1.0], &Options::default());
    assert_eq!(report.verdict, Verdict::Wrong);
    let found = [("gradient", "differences"), ("gradient", "dual"), ("differences", "dual"), ("dual", "complex")];
    assert_eq!(found.map(|(a, b)| disagreed(&report, a, b)), [0, 1, 1, 0]);
}

/// The complex square root at 0 is no number, where the real function has a slope.
#[test]
fn a_witness_that_is_no_number_says_nothing() {
    struct Root;
    impl Generic for Root {
        fn value<S: Scalar>(&self, x: &[S]) -> S {
            let root = (x[0] * x[0]).sqrt();
            root * root * root * x[1]
        }
    }
    let report = check_generic(&Root, &[0.0, 0.0], &[0.0, 1.0], &Options::default());
    assert_eq!((report.verdict, report.counts.wrong), (Verdict::Verified, 0), "{report}");
    let alone = Options { oracles: vec![Oracle::Dual], ..Options::default() };
    assert_eq!(check_generic(&Root, &[0.0, 0.0], &[0.0, 1.0], &alone).counts.wrong, 0);
}

#[test]
fn a_sample_skips_no_tensor_and_directions_find_who_is_to_blame() {
    let (f, at, gradient) = Sum::subject(1000);
    let names = tensors(&[("weights", 900), ("bias", 1), ("rest", 99)]);
    let sample = |per_tensor| Options {
        mode: Mode::Sample { per_tensor, seed: 1 },
        tensors: names.clone(),
        ..Options::default()
    };
    let report = check_generic(&f, &gradient, &at, &sample(5));
    assert_eq!(report.tensors.iter().map(|t| t.counts.checked).collect::<Vec<_>>(), [5, 1, 5]);
    report.require().unwrap();
    // The bias is one among a thousand, and is looked at all the same; so is the largest entry of a tensor.
    let largest = (0..900).max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs())).unwrap();
    for (index, tensor) in [(900, "bias"), (largest, "weights")] {
        let mut wrong = gradient.clone();
        wrong[index] *= 1.01;
        assert_eq!(check_generic(&f, &wrong, &at, &sample(2)).wrong_tensors(), [tensor]);
        let directions =
            Options { mode: Mode::Directions { count: 4, seed: 1 }, tensors: names.clone(), ..Options::default() };
        let report = check_generic(&f, &wrong, &at, &directions);
        assert_eq!((report.verdict, report.counts.checked), (Verdict::Wrong, 4), "{report}");
        assert_eq!(report.wrong_tensors(), ["all coordinates", tensor], "{report}");
    }
}

#[test]
fn pieces_tell_kinks_from_faults() {
    // Far too close to the kink for slopes to tell, from the right and from the left; and on it.
    let f = |x: &[f64]| (x[0].max(0.0) + x[1].sin(), u64::from(x[0] > 0.0));
    for (at, claim, expected) in [
        (1e-8, 1.0, [Verdict::Verified, Verdict::Verified]),
        (-1e-8, 0.0, [Verdict::Verified, Verdict::Verified]),
        (1e-8, 0.9, [Verdict::Wrong, Verdict::Verified]),
        (0.0, 0.0, [Verdict::Kink, Verdict::Verified]),
        (0.0, 0.7, [Verdict::Kink, Verdict::Verified]),
        (0.0, -0.5, [Verdict::Wrong, Verdict::Verified]),
    ] {
        let names = tensors(&[("kinked", 1), ("smooth", 1)]);
        let options = Options { tensors: names, ..Options::default() };
        let report = check_pieces(f, &[claim, 0.3f64.cos()], &[at, 0.3], &options);
        let found: Vec<_> = report.tensors.iter().map(|t| t.verdict).collect();
        assert_eq!(found, expected, "{at} {claim}: {report}");
    }
    // Smooth steps are certified.
    let report = check_pieces(f, &[1.0, 0.3f64.cos()], &[0.5, 0.3], &Options::default());
    assert_eq!(report.worst.and_then(|worst| worst.smooth), Some(true));
}

#[test]
fn a_network_on_its_kinks_has_valid_subgradients() {
    // All weighted sums of the hidden layer are 0: each of its parameters is at a kink.
    let spec = Spec::mlp(2, &[2], Activation::Relu, 1, Activation::Identity).unwrap();
    let mut net = Network::<f64>::zeros(spec).unwrap();
    net.params_mut()[6..8].copy_from_slice(&[0.5, -2.0]);
    let (x, y) = (array![[1.0, 2.0], [-1.5, 0.5]], array![[1.0], [0.3]]);
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let objective = Objective::<Loss>::default();
    let options = Options::default();
    let report = verify::parameters(&net, batch, &objective, Engine::default(), &options).unwrap();
    let found: Vec<_> = report.tensors.iter().map(|t| (t.counts.kinks, t.verdict)).collect();
    let expected = [(4, Verdict::Kink), (2, Verdict::Kink), (0, Verdict::Verified), (0, Verdict::Verified)];
    assert_eq!((found.as_slice(), report.verdict), (&expected[..], Verdict::Verified), "{report}");
    // What lies outside the two slopes is no subgradient.
    let mut workspace = Workspace::new(net.spec(), 2, Engine::default(), Threads::one()).unwrap();
    let mut gradient = vec![0.0; net.params().len()];
    pass::value_and_gradient(net.spec(), net.params(), batch, &objective, &mut workspace, &mut gradient).unwrap();
    gradient[4] = 3.0;
    let report = verify::claimed(&net, batch, &objective, &gradient, Engine::default(), &options).unwrap();
    assert_eq!((report.verdict, report.wrong_tensors()), (Verdict::Wrong, vec!["layer 1, biases"]), "{report}");
    assert!(report.message.as_ref().is_some_and(|m| m.contains("a subgradient lies between")), "{report}");
}

#[test]
fn every_activation_and_loss_agrees_with_all_witnesses() {
    let points: Vec<f64> = (-60..=60).map(|i| f64::from(i) / 7.0 + 0.01).collect();
    for activation in Activation::ALL.into_iter().filter(ActivationFn::is_differentiable) {
        if activation != Activation::Softmax {
            let report = gradcheck::activation(&activation, &points);
            assert_eq!(report.counts.verified, points.len(), "{activation}: {report}");
        }
    }
    let at_zero = |activation| gradcheck::activation(&activation, &[0.0]).verdict;
    assert_eq!(at_zero(Activation::Relu), Verdict::Kink);
    assert_eq!(at_zero(Activation::Selu), Verdict::Kink);
    assert_eq!(at_zero(Activation::Tanh), Verdict::Verified);
    for loss in Loss::ALL {
        for target in [[0.0, 1.0, 0.0], [0.2, 0.5, 0.3]] {
            gradcheck::loss(&loss, &[0.7, -1.1, 2.5], &target).require().unwrap();
        }
    }
    // Exactly on the target, |e| has a kink; exactly on the knee, Huber's has none that matters.
    assert_eq!(gradcheck::loss(&Loss::AbsoluteError, &[1.0], &[1.0]).verdict, Verdict::Kink);
    assert_eq!(gradcheck::loss(&Loss::Huber { delta: 1.0 }, &[1.5], &[0.5]).verdict, Verdict::Verified);
}

/// `(x y, sin x, x + y^2)` and its Jacobian.
fn values(x: &[f64]) -> Vec<f64> {
    vec![x[0] * x[1], x[0].sin(), x[0] + x[1] * x[1]]
}

fn rows(x: &[f64]) -> [[f64; 2]; 3] {
    [[x[1], x[0]], [x[0].cos(), 0.0], [1.0, 2.0 * x[1]]]
}

#[test]
fn jacobians_are_checked_from_both_sides() {
    let at = [0.4, -1.3];
    let right = rows(&at);
    let mut wrong = right;
    wrong[2][1] *= 1.0001;
    for mode in [Mode::EveryCoordinate, Mode::Sample { per_tensor: 2, seed: 0 }, Mode::Directions { count: 3, seed: 1 }]
    {
        let options = Options { mode, ..Options::default() };
        for (rows, expected) in [(right, Verdict::Verified), (wrong, Verdict::Wrong)] {
            let mut from_right = |v: &[f64]| rows.iter().map(|row| row[0] * v[0] + row[1] * v[1]).collect();
            let report = jacobian::check(values, Product::Right(&mut from_right), &at, &options);
            assert_eq!(report.verdict, expected, "{mode:?}: {report}");
            if expected == Verdict::Wrong {
                assert_eq!(report.wrong_tensors(), ["value 3"], "{mode:?}: {report}");
            }
            let mut from_left = |u: &[f64]| (0..2).map(|j| (0..3).map(|i| u[i] * rows[i][j]).sum()).collect();
            let report = jacobian::check(values, Product::Left(&mut from_left), &at, &options);
            assert_eq!(report.verdict, expected, "{mode:?}: {report}");
        }
    }
    let mut short = |_: &[f64]| vec![0.0; 2];
    let report = jacobian::check(values, Product::Right(&mut short), &at, &Options::default());
    assert_eq!(report.message.as_deref(), Some("the product J v has 2 entries, expected 3"));
    let mut product = |_: &[f64]| vec![1.0];
    let report = jacobian::check(|_| vec![f64::NAN], Product::Right(&mut product), &[1.0], &Options::default());
    assert_eq!(report.message.as_deref(), Some("value 1 of the function is NaN at the point itself"));
    let mut calls = 0.0;
    let counting = |x: &[f64]| {
        calls += 1.0;
        vec![x[0] + calls]
    };
    let report = jacobian::check(counting, Product::Right(&mut product), &[1.0], &Options::default());
    assert!(report.message.is_some_and(|m| m.starts_with("not a function: at one point value 1 was")));
    // A large coordinate's steps are as large.
    let mut product = |v: &[f64]| vec![2e8 * v[0]];
    let report = jacobian::check(|x| vec![x[0] * x[0]], Product::Right(&mut product), &[1e8], &Options::default());
    report.require().unwrap();
}

#[test]
fn settings_that_make_no_sense_are_told() {
    let says = |options: Options, at: &[f64], what: &str| {
        let report = check(|x| x.iter().sum(), &vec![1.0; at.len()], at, &options);
        assert_eq!(report.verdict, Verdict::Inconclusive);
        assert!(report.message.as_ref().is_some_and(|m| m.contains(what)), "'{what}' in: {report}");
    };
    let default = Options::default;
    says(Options { tolerance: 0.0, ..default() }, &[1.0], "tolerance: expected a number between 0 and 1, found 0");
    says(Options { exact: f64::NAN, ..default() }, &[1.0], "exact tolerance: expected");
    says(Options { negligible: 1.0, ..default() }, &[1.0], "negligible: expected");
    says(Options { absolute: -1.0, ..default() }, &[1.0], "absolute: expected");
    says(Options { oracles: Vec::new(), ..default() }, &[1.0], "oracles: expected at least one");
    says(Options { mode: Mode::Sample { per_tensor: 0, seed: 0 }, ..default() }, &[1.0], "mode: expected at least 1");
    says(default(), &[], "no coordinates");
    let gap = vec![Tensor { name: "a".into(), range: 1..2 }];
    says(Options { tensors: gap, ..default() }, &[1.0, 2.0], "tensors: expected 0..2 without gaps, found a at 1..2");
    // Which coordinate, and on which side.
    let wall = |x: &[f64]| if x[1] < 2.0 { f64::NAN } else { x[0] + x[1] };
    let report = check(wall, &[1.0, 1.0], &[1.0, 2.0], &default());
    let message = report.message.unwrap();
    assert!(message.contains("the function is NaN") && message.contains("to the left of coordinate 1"), "{message}");
}

/// The squared error, off by a ten-thousandth where a kernel of single precision computes it.
#[derive(Clone, Debug)]
struct RoughKernel;

impl LossFn for RoughKernel {
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
        Loss::SquaredError.row(output, target, delta)
    }
    fn rows<T: Float>(&self, isa: Isa, output: &[T], target: &[T], delta: &mut [T], cols: usize, losses: &mut [T]) {
        Loss::SquaredError.rows(isa, output, target, delta, cols, losses);
        if T::NAME == "f32" {
            delta.iter_mut().for_each(|d| *d *= T::from_f64(1.0001));
        }
    }
}

#[test]
fn a_gradient_in_f32_is_held_to_its_own_bounds() {
    let spec = Spec::mlp(30, &[40, 20], Activation::Tanh, 5, Activation::Identity).unwrap();
    let net = Network::<f32>::new(spec, None, &mut Rng::new(1)).unwrap();
    let mut rng = Rng::new(2);
    let x = Array2::from_shape_simple_fn((50, 30), || rng.normal::<f32>(0.0, 1.0));
    let y = Array2::from_shape_simple_fn((50, 5), || rng.normal::<f32>(0.0, 1.0));
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let right = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.0 };
    let report = verify::precision(&net, batch, &right, Engine::default()).unwrap();
    assert_eq!(report.counts.verified, net.params().len(), "{report}");
    assert!(report.worst_of_estimate() < 0.5, "{report}");
    let rough = Objective { loss: RoughKernel, l1: 0.0, l2: 0.0 };
    let report = verify::precision(&net, batch, &rough, Engine::default()).unwrap();
    assert_eq!(report.wrong_tensors().len(), 6, "{report}");
    // In double precision the same loss has no fault.
    verify::parameters(&net, batch, &rough, Engine::default(), &Options::default()).unwrap().require().unwrap();
}

#[test]
fn what_is_compared_with_a_reference_is_verified_wrong_or_in_doubt() {
    let names = tensors(&[("a", 3), ("b", 1)]);
    let report = against(
        ["mine", "theirs"],
        &[1.0, 2.1, f64::NAN, 5.0],
        &[1.0, 2.0, 3.0, 4.0],
        &[1e-9, 1e-3, 1.0, 9.0],
        &names,
        |i| format!("entry {i}"),
    );
    assert_eq!((report.counts.verified, report.counts.wrong, report.counts.inconclusive), (1, 2, 1), "{report}");
    assert_eq!(report.message.as_deref(), Some("the gradient at entry 2 is NaN"));
    assert_eq!(report.wrong_tensors(), ["a"]);
    let short = against(["mine", "theirs"], &[1.0], &[1.0], &[1.0], &names, |i| i.to_string());
    assert!(short.message.is_some_and(|m| m.contains("expected 4 of each")));
}

#[test]
fn the_junit_file_is_xml_that_says_what_the_report_says() {
    let names = tensors(&[("weights <&\">", 2), ("bias\u{1}", 1)]);
    let options = Options { tensors: names, ..Options::default() };
    let report = check(|x| x[0] * x[1] + x[2], &[2.0, 1.0, 1.5], &[1.0, 2.0, 0.0], &options);
    let refused = check(|x| x[0], &[1.0, 2.0], &[1.0], &Options::default());
    let xml = junit::xml(&[("mine", report.cases()), ("refused", refused.cases())]);
    let document = roxmltree::Document::parse(&xml).unwrap_or_else(|e| panic!("{e}: {xml}"));
    let suites: Vec<_> = document.descendants().filter(|node| node.has_tag_name("testsuite")).collect();
    let numbers =
        |name: &str| suites.iter().map(|suite| suite.attribute(name).unwrap().to_string()).collect::<Vec<_>>();
    assert_eq!((numbers("tests"), numbers("failures")), (vec!["2".into(), "1".into()], vec!["1".into(), "1".into()]));
    let cases: Vec<_> = document.descendants().filter(|node| node.has_tag_name("testcase")).collect();
    assert_eq!(cases[0].attribute("name"), Some("weights <&\">"));
    let failure = cases[1].children().find(|node| node.has_tag_name("failure")).expect("the bias is wrong");
    assert!(failure.attribute("message").is_some_and(|m| m.contains("1 wrong")));
    assert!(failure.text().is_some_and(|text| text.contains("analytic 1.5e0")), "{xml}");
}
