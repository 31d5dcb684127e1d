//! The metrics against scikit-learn (`tests/golden/metrics.json`, made by `scripts/golden-metrics.py`), and their laws.

use deltarule::metrics::classification::{accuracy, balanced_accuracy, log_loss};
use deltarule::metrics::multilabel::{either, f1_macro, f1_micro, hamming_loss, probable, subset_accuracy};
use deltarule::metrics::regression::{mae, r2, rmse};
use deltarule::metrics::{
    Classification, ConfusionMatrix, Interval, MajorityBaseline, MeanBaseline, Metrics, MultiLabel, Regression,
};
use deltarule::rng::Rng;
use ndarray::{Array2, array};
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The sums have at most 60 terms of at most 1000, in another order than scikit-learn's.
const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct Golden {
    classification: Vec<ClassificationCase>,
    regression: Vec<RegressionCase>,
    multilabel: Vec<MultiLabelCase>,
}

#[derive(Deserialize)]
struct ClassificationCase {
    dtype: String,
    classes: usize,
    truth: Vec<usize>,
    probabilities: Vec<Vec<f64>>,
    weights: Option<Vec<f64>>,
    train: Vec<usize>,
    train_weights: Option<Vec<f64>>,
    #[serde(flatten)]
    figures: ClassificationFigures,
    confusion: Vec<Vec<f64>>,
    baseline: ClassificationFigures,
}

#[derive(Deserialize)]
struct ClassificationFigures {
    accuracy: f64,
    balanced_accuracy: f64,
    log_loss: f64,
}

#[derive(Deserialize)]
struct RegressionCase {
    truth: Vec<Vec<f64>>,
    predicted: Vec<Vec<f64>>,
    weights: Option<Vec<f64>>,
    train: Vec<Vec<f64>>,
    train_weights: Option<Vec<f64>>,
    #[serde(flatten)]
    figures: RegressionFigures,
    baseline: RegressionFigures,
}

#[derive(Deserialize)]
struct RegressionFigures {
    r2: f64,
    rmse: f64,
    mae: f64,
}

#[derive(Deserialize)]
struct MultiLabelCase {
    truth: Vec<Vec<bool>>,
    predicted: Vec<Vec<bool>>,
    probabilities: Vec<Vec<f64>>,
    weights: Option<Vec<f64>>,
    #[serde(flatten)]
    figures: MultiLabelFigures,
    shares: Vec<f64>,
    baseline: MultiLabelFigures,
    labels: Vec<ClassificationFigures>,
}

#[derive(Deserialize)]
struct MultiLabelFigures {
    accuracy: f64,
    hamming_loss: f64,
    f1_macro: f64,
    f1_micro: f64,
    log_loss: f64,
}

fn golden() -> Golden {
    fn read<T: DeserializeOwned>(text: &str) -> T {
        serde_json::from_str(text).expect("the golden file has this form")
    }
    read(include_str!("golden/metrics.json"))
}

fn matrix<T: Clone>(rows: &[Vec<T>]) -> Array2<T> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).expect("rows of one length")
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0)
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    assert!(close(found, expected), "{found}, expected {expected}");
}

#[track_caller]
fn assert_classification(found: &Classification, expected: &ClassificationFigures) {
    assert_close(found.accuracy, expected.accuracy);
    assert_close(found.balanced_accuracy, expected.balanced_accuracy);
    assert_close(found.log_loss, expected.log_loss);
}

#[track_caller]
fn assert_regression(found: &Regression, expected: &RegressionFigures) {
    assert_close(found.r2, expected.r2);
    assert_close(found.rmse, expected.rmse);
    assert_close(found.mae, expected.mae);
}

#[test]
fn classification_is_scikit_learns() {
    for case in golden().classification {
        let probabilities = matrix(&case.probabilities);
        let weights = case.weights.as_deref();
        let found = match case.dtype.as_str() {
            "float32" => Classification::of(&case.truth, probabilities.mapv(|p| p as f32).view(), weights),
            _ => Classification::of(&case.truth, probabilities.view(), weights),
        };
        assert_classification(&found.unwrap(), &case.figures);
        let predicted = deltarule::metrics::classification::most_probable(probabilities.view());
        let confusion = ConfusionMatrix::new(&case.truth, &predicted, case.classes, weights).unwrap();
        for (truth, row) in case.confusion.iter().enumerate() {
            for (predicted, &expected) in row.iter().enumerate() {
                assert_close(confusion.count(truth, predicted), expected);
            }
        }
        let baseline = MajorityBaseline::fit(&case.train, case.classes, case.train_weights.as_deref()).unwrap();
        assert_classification(&baseline.evaluate(&case.truth, weights).unwrap(), &case.baseline);
    }
}

#[test]
fn regression_is_scikit_learns() {
    for case in golden().regression {
        let (truth, predicted, weights) = (matrix(&case.truth), matrix(&case.predicted), case.weights.as_deref());
        assert_regression(&Regression::of(truth.view(), predicted.view(), weights).unwrap(), &case.figures);
        let baseline = MeanBaseline::fit(matrix(&case.train).view(), case.train_weights.as_deref()).unwrap();
        assert_regression(&baseline.evaluate(truth.view(), weights).unwrap(), &case.baseline);
    }
}

#[track_caller]
fn assert_labels(found: &MultiLabel, expected: &MultiLabelFigures) {
    assert_close(found.accuracy, expected.accuracy);
    assert_close(found.hamming_loss, expected.hamming_loss);
    assert_close(found.f1_macro, expected.f1_macro);
    assert_close(found.f1_micro, expected.f1_micro);
    assert_close(found.log_loss, expected.log_loss);
}

#[test]
fn labels_are_scikit_learns() {
    let mut never = 0;
    for case in golden().multilabel {
        let (truth, predicted, p) = (matrix(&case.truth), matrix(&case.predicted), matrix(&case.probabilities));
        let weights = case.weights.as_deref();
        assert_labels(&MultiLabel::of(truth.view(), p.view(), weights).unwrap(), &case.figures);
        assert_eq!(probable(p.view()), predicted);
        for (single, expected) in [
            (subset_accuracy as fn(_, _, _) -> _, case.figures.accuracy),
            (hamming_loss, case.figures.hamming_loss),
            (f1_macro, case.figures.f1_macro),
            (f1_micro, case.figures.f1_micro),
        ] {
            assert_close(single(truth.view(), predicted.view(), weights).unwrap(), expected);
        }
        let shares = Array2::from_shape_fn(truth.dim(), |(_, label)| case.shares[label]);
        assert_labels(&MultiLabel::of(truth.view(), shares.view(), weights).unwrap(), &case.baseline);
        for (label, expected) in case.labels.iter().enumerate() {
            let classes: Vec<usize> = truth.column(label).iter().map(|&has| usize::from(has)).collect();
            let found = Classification::of(&classes, either(p.view(), label).view(), weights).unwrap();
            assert_classification(&found, expected);
            never += usize::from(!truth.column(label).iter().chain(&predicted.column(label)).any(|&has| has));
        }
    }
    assert!(never > 0, "a label that no row has");
}

/// What the golden comparisons would say if two rows were swapped: they must be able to fail.
#[test]
fn the_comparison_rejects_two_predictions_swapped() {
    let case = &golden().regression[0];
    let mut predicted = case.predicted.clone();
    predicted.swap(0, 1);
    let found = Regression::of(matrix(&case.truth).view(), matrix(&predicted).view(), None).unwrap();
    // Not the mean absolute error: swapping two predictions that both lie above (or below) leaves it as it was.
    assert!(!close(found.r2, case.figures.r2) && !close(found.rmse, case.figures.rmse));
}

#[test]
fn what_is_undefined_is_nan_and_null() {
    let undefined = [
        r2(array![[1.0]].view(), array![[2.0]].view(), None),
        r2(array![[0.1], [0.1], [0.1]].view(), array![[0.2], [0.1], [0.3]].view(), None),
        r2(array![[1.0], [1.0], [5.0]].view(), array![[1.0], [2.0], [3.0]].view(), Some(&[1.0, 1.0, 0.0])),
        rmse(Array2::<f64>::zeros((0, 1)).view(), Array2::zeros((0, 1)).view(), None),
        accuracy(&[], &[], None),
        balanced_accuracy(&[], &[], None),
    ];
    for (index, figure) in undefined.into_iter().enumerate() {
        assert!(figure.unwrap().is_nan(), "figure {index}");
    }
    let constant = Regression::of(array![[1.0], [1.0]].view(), array![[1.5], [1.0]].view(), None).unwrap();
    let json = serde_json::to_string(&Metrics::Regression(constant)).unwrap();
    assert_eq!(json, r#"{"r2":null,"rmse":0.3535533905932738,"mae":0.25}"#);
    let interval = Interval::bootstrap("r2", 0, None, 1, |_| 0.0);
    assert_eq!(serde_json::to_string(&interval).unwrap(), r#"{"metric":"r2","low":null,"high":null}"#);
    let no_rows =
        MultiLabel::of(Array2::from_elem((0, 2), true).view(), Array2::<f64>::zeros((0, 2)).view(), None).unwrap();
    assert_eq!(
        serde_json::to_string(&Metrics::MultiLabel(no_rows)).unwrap(),
        r#"{"accuracy":null,"hamming_loss":null,"f1_macro":0.0,"f1_micro":0.0,"log_loss":null}"#
    );
}

#[test]
fn certain_and_wrong_costs_what_the_type_can_tell_apart() {
    let (single, double) = (array![[1.0f32, 0.0]], array![[1.0f64, 0.0]]);
    assert_close(log_loss(&[1], single.view(), None).unwrap(), 23.0 * std::f64::consts::LN_2);
    assert_close(log_loss(&[1], double.view(), None).unwrap(), 52.0 * std::f64::consts::LN_2);
    assert!(log_loss(&[0], double.view(), None).unwrap() < 1e-15);
}

#[test]
fn bad_input_is_refused_in_words() {
    let half = array![[0.5, 0.5]];
    let refusals = [
        (accuracy(&[0, 1], &[0], None), "rows of predictions: expected 2, found 1"),
        (accuracy(&[0], &[0], Some(&[-1.0])), "sample weight, row 0: expected a finite number of at least 0, found -1"),
        (accuracy(&[0], &[0], Some(&[0.0])), "sample weights: expected one above 0, found none"),
        (log_loss(&[2], half.view(), None), "true class, row 0: expected a class below 2, found 2"),
        (
            log_loss(&[0], array![[f64::NAN, 1.0]].view(), None),
            "probability, row 0, class 0: expected a number in 0 to 1, found NaN",
        ),
        (mae(half.view(), array![[1.0]].view(), None), "predictions: expected 1 x 2, found 1 x 1"),
        (
            mae(half.view(), array![[1.0, f64::INFINITY]].view(), None),
            "prediction, row 0, column 1: expected a finite number, found inf",
        ),
    ];
    for (refusal, words) in refusals {
        assert_eq!(refusal.unwrap_err().to_string(), words);
    }
    assert!(Regression::interval("accuracy", half.view(), half.view(), None, 1).is_err());
    assert!(MajorityBaseline::fit(&[], 2, None).is_err());
    assert!(MeanBaseline::fit(Array2::<f64>::zeros((0, 1)).view(), None).is_err());
}

#[test]
fn a_confusion_matrix_prints_as_a_table() {
    let matrix = ConfusionMatrix::new(&[0, 0, 1, 2, 2, 2], &[0, 1, 1, 2, 2, 0], 3, None).unwrap();
    let names = ["cat", "dog", "whale"].map(String::from);
    let table = "\
true \\ predicted  cat  dog  whale
cat                 1    1      0
dog                 0    1      0
whale               1    0      2";
    assert_eq!(matrix.clone().named(&names).unwrap().to_string(), table);
    assert_close(matrix.recall(2), 2.0 / 3.0);
    assert!(matrix.named(&names[..2]).is_err());
    let weighted = ConfusionMatrix::new(&[0, 1], &[0, 0], 2, Some(&[0.5, 1.25])).unwrap();
    assert!(weighted.to_string().ends_with("1                 1.25  0.00"), "{weighted}");
}

#[test]
fn the_majority_is_the_first_of_the_commonest() {
    let baseline = MajorityBaseline::fit(&[2, 1, 2, 1], 4, None).unwrap();
    assert_eq!((baseline.class(), baseline.frequencies()), (1, &[0.0, 0.5, 0.5, 0.0][..]));
    assert_eq!(MajorityBaseline::fit(&[0, 1], 2, Some(&[1.0, 2.0])).unwrap().class(), 1);
    assert_eq!(MeanBaseline::fit(array![[1.0f32], [4.0]].view(), Some(&[1.0, 3.0])).unwrap().means(), &[3.25]);
}

/// The closed form for 8 of 10, and its limits.
#[test]
fn wilsons_interval() {
    let interval = Interval::wilson("accuracy", 8, 10);
    // (0.8 + z2/20 -+ z sqrt(0.16/10 + z2/400)) / (1 + z2/10), z = 1.959964
    assert!((interval.low - 0.490_162).abs() < 1e-6 && (interval.high - 0.943_318).abs() < 1e-6, "{interval:?}");
    assert_eq!(Interval::wilson("accuracy", 0, 5).low, 0.0);
    assert_eq!(Interval::wilson("accuracy", 5, 5).high, 1.0);
    assert!(Interval::wilson("accuracy", 0, 0).low.is_nan());
}

/// 95 % of the intervals hold the truth: 19 of 20 give or take 3 standard errors of 300 trials, and the bootstrap's known shortfall
/// of a few per cent at 60 rows.
#[test]
fn intervals_hold_the_truth_about_as_often_as_they_say() {
    const TRIALS: usize = 300;
    let mut rng = Rng::new(5);
    let (mut wilson, mut bootstrap) = (0, 0);
    for trial in 0..TRIALS {
        let right = (0..60).filter(|_| rng.uniform::<f64>(0.0, 1.0) < 0.8).count();
        let interval = Interval::wilson("accuracy", right, 60);
        wilson += usize::from(interval.low <= 0.8 && 0.8 <= interval.high);
        // Normal errors of deviation 1: the mean absolute error is sqrt(2 / pi).
        let truth = Array2::<f64>::zeros((60, 1));
        let predicted = Array2::from_shape_simple_fn((60, 1), || rng.normal::<f64>(0.0, 1.0));
        let interval = Regression::interval("mae", truth.view(), predicted.view(), None, trial as u64).unwrap();
        let expected = (2.0 / std::f64::consts::PI).sqrt();
        bootstrap += usize::from(interval.low <= expected && expected <= interval.high);
    }
    assert!((273..=297).contains(&wilson), "Wilson held {wilson} of {TRIALS}");
    assert!((264..=297).contains(&bootstrap), "the bootstrap held {bootstrap} of {TRIALS}");
}

#[test]
fn a_bootstrap_is_decided_by_its_seed_and_holds_the_figure() {
    let case = &golden().regression[0];
    let (truth, predicted) = (matrix(&case.truth), matrix(&case.predicted));
    for (metric, figure) in [("r2", case.figures.r2), ("rmse", case.figures.rmse), ("mae", case.figures.mae)] {
        let interval = |seed| Regression::interval(metric, truth.view(), predicted.view(), None, seed).unwrap();
        assert_eq!(interval(1), interval(1));
        assert_ne!(interval(1), interval(2));
        assert!(interval(1).low < figure && figure < interval(1).high, "{:?} {figure}", interval(1));
    }
    // Constant targets: no sample has an R2.
    let constant = Array2::<f64>::ones((9, 1));
    assert!(Regression::interval("r2", constant.view(), constant.view(), None, 1).unwrap().low.is_nan());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_rows_does_not_matter_and_figures_keep_their_bounds(rows in 1..40usize, classes in 1..6usize, seed: u64) {
        let mut rng = Rng::new(seed);
        let truth: Vec<usize> = (0..rows).map(|_| rng.below(classes)).collect();
        let mut scores = Array2::from_shape_simple_fn((rows, classes), || rng.uniform::<f64>(0.01, 1.0));
        scores.rows_mut().into_iter().for_each(|mut row| row /= row.sum());
        let weights: Vec<f64> = (0..rows).map(|_| rng.uniform(0.1, 2.0)).collect();
        let mut order: Vec<usize> = (0..rows).collect();
        rng.shuffle(&mut order);
        let moved = |values: &[f64]| order.iter().map(|&row| values[row]).collect::<Vec<_>>();
        let moved_truth: Vec<usize> = order.iter().map(|&row| truth[row]).collect();

        let here = Classification::of(&truth, scores.view(), Some(&weights)).unwrap();
        let there =
            Classification::of(&moved_truth, scores.select(ndarray::Axis(0), &order).view(), Some(&moved(&weights))).unwrap();
        prop_assert!(close(here.accuracy, there.accuracy) && close(here.log_loss, there.log_loss));
        prop_assert!(close(here.balanced_accuracy, there.balanced_accuracy));
        prop_assert!((0.0..=1.0).contains(&here.accuracy) && here.log_loss >= 0.0);
        prop_assert!((0.0..=1.0).contains(&here.balanced_accuracy));

        let numbers = scores.column(0).to_vec();
        let column = |values: &[f64]| Array2::from_shape_vec((rows, 1), values.to_vec()).unwrap();
        let predicted: Vec<f64> = numbers.iter().map(|x| x + 0.1 * rng.normal::<f64>(0.0, 1.0)).collect();
        let here = Regression::of(column(&numbers).view(), column(&predicted).view(), Some(&weights)).unwrap();
        let there = Regression::of(column(&moved(&numbers)).view(), column(&moved(&predicted)).view(), Some(&moved(&weights))).unwrap();
        prop_assert!(close(here.rmse, there.rmse) && close(here.mae, there.mae));
        prop_assert!(here.r2.is_nan() == there.r2.is_nan() && (here.r2.is_nan() || (here.r2 <= 1.0 && close(here.r2, there.r2))));
        prop_assert!(here.rmse >= here.mae * (1.0 - TOLERANCE));
        let perfect = Regression::of(column(&numbers).view(), column(&numbers).view(), None).unwrap();
        prop_assert!(perfect.rmse == 0.0 && perfect.mae == 0.0 && (perfect.r2 == 1.0 || perfect.r2.is_nan()));
    }

    #[test]
    fn wilsons_interval_lies_in_0_to_1_around_the_share(rows in 1..2000usize, part in 0.0..=1.0f64) {
        let right = (part * rows as f64) as usize;
        let Interval { low, high, .. } = Interval::wilson("accuracy", right, rows);
        let share = right as f64 / rows as f64;
        prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
    }
}
