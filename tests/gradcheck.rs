//! The gradient check finds what is wrong, and never cries over what is right.

use deltarule::gradcheck::{Mode, Options, Report, Subject, Verdict, check, scalar};
use deltarule::rng::Rng;
use std::f64::consts::PI;

/// How a smooth function of one number and its slope are written down.
type Formula = (fn(f64) -> f64, fn(f64) -> f64);

/// What random functions are made of: bounded, growing, curved, and waves.
const FORMULAS: [Formula; 6] = [
    (|z| z.tanh(), |z| 1.0 - z.tanh().powi(2)),
    (|z| z.sin(), |z| z.cos()),
    (|z| (0.5 * z).exp(), |z| 0.5 * (0.5 * z).exp()),
    (|z| z * z - z, |z| 2.0 * z - 1.0),
    (|z| (-z * z).exp(), |z| -2.0 * z * (-z * z).exp()),
    (|z| z.max(0.0) + (-z.abs()).exp().ln_1p(), |z| 1.0 / (1.0 + (-z).exp())),
];

/// `offset + scale sum of weight formula(row . x + bias)`: a network of one hidden layer, with odd units.
struct Smooth {
    units: Vec<(f64, Formula, Vec<f64>, f64)>,
    scale: f64,
    offset: f64,
}

impl Smooth {
    fn random(inputs: usize, scale: f64, offset: f64, rng: &mut Rng) -> Self {
        let units = (0..1 + rng.below(6))
            .map(|_| {
                let row = (0..inputs).map(|_| rng.normal(0.0, 1.0)).collect();
                (rng.normal(0.0, 1.0), FORMULAS[rng.below(FORMULAS.len())], row, rng.normal(0.0, 1.0))
            })
            .collect();
        Self { units, scale, offset }
    }

    fn value(&self, x: &[f64]) -> f64 {
        self.offset + self.scale * self.units.iter().map(|(w, (f, _), row, b)| w * f(dot(row, x) + b)).sum::<f64>()
    }

    fn gradient(&self, x: &[f64]) -> Vec<f64> {
        let mut grad = vec![0.0; x.len()];
        for (w, (_, slope), row, b) in &self.units {
            let s = self.scale * w * slope(dot(row, x) + b);
            grad.iter_mut().zip(row).for_each(|(g, r)| *g += s * r);
        }
        grad
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn normals(len: usize, deviation: f64, rng: &mut Rng) -> Vec<f64> {
    (0..len).map(|_| rng.normal(0.0, deviation)).collect()
}

fn every() -> Options {
    Options::default()
}

fn directions(count: usize, seed: u64) -> Options {
    Options { mode: Mode::Directions { count, seed }, ..Options::default() }
}

/// The reference subject: 40 coordinates, one of every kind of unit.
fn subject() -> (Smooth, Vec<f64>, Vec<f64>) {
    let mut rng = Rng::new(2);
    let mut f = Smooth::random(40, 1.0, 0.0, &mut rng);
    f.units = FORMULAS.iter().map(|&formula| (1.5, formula, normals(40, 0.2, &mut rng), 0.1)).collect();
    let x = normals(40, 1.0, &mut rng);
    let grad = f.gradient(&x);
    (f, x, grad)
}

fn judged(report: &Report, verdict: Verdict) {
    assert_eq!(report.verdict, verdict, "{report}");
    assert_eq!(
        report.counts.verified + report.counts.wrong + report.counts.kinks + report.counts.inconclusive,
        report.counts.checked,
        "{report}"
    );
}

#[test]
fn right_gradients_agree_in_both_modes() {
    let (f, x, grad) = subject();
    let report = check(|x| f.value(x), &grad, &x, &every());
    println!("{report}");
    judged(&report, Verdict::Verified);
    assert_eq!((report.counts.verified, report.subject), (40, Subject::Coordinate));
    report.require().unwrap();
    let report = check(|x| f.value(x), &grad, &x, &directions(12, 1));
    println!("{report}");
    judged(&report, Verdict::Verified);
    assert_eq!((report.counts.verified, report.subject), (12, Subject::Direction));
}

#[test]
fn wrong_gradients_are_found_in_both_modes() {
    let (f, x, grad) = subject();
    let largest = (0..40).max_by(|&a, &b| grad[a].abs().total_cmp(&grad[b].abs())).unwrap();
    let mut faults: Vec<(&str, Vec<f64>, Option<usize>)> = vec![
        ("the sign", grad.iter().map(|g| -g).collect(), None),
        ("half", grad.iter().map(|g| g / 2.0).collect(), None),
        ("a millionth more", grad.iter().map(|g| g * 1.000001).collect(), None),
        ("nothing", vec![0.0; 40], None),
        ("the neighbour's", grad.iter().cycle().skip(1).take(40).copied().collect(), None),
    ];
    for (i, by) in [(largest, 1.0 + 1e-5), (7, 1.0 - 1e-5), (39, -1.0), (0, 0.0)] {
        let mut wrong = grad.clone();
        wrong[i] *= by;
        faults.push(("one coordinate", wrong, Some(i)));
    }
    for (name, wrong, culprit) in faults {
        let report = check(|x| f.value(x), &wrong, &x, &every());
        judged(&report, Verdict::Wrong);
        match culprit {
            Some(i) => {
                assert_eq!((report.counts.wrong, report.counts.verified), (1, 39), "{name} {i}: {report}");
                assert_eq!((report.worst.as_ref().unwrap().index, report.faults[0].index), (i, i));
                let text = report.require().unwrap_err().to_string();
                assert!(text.contains(&format!("worst at coordinate {i}\n")), "{text}");
            }
            None => assert_eq!((report.counts.wrong, report.faults.len()), (40, 10), "{name}: {report}"),
        }
        let report = check(|x| f.value(x), &wrong, &x, &directions(8, 3));
        judged(&report, Verdict::Wrong);
    }
}

#[test]
fn nothing_that_is_not_finite_is_right() {
    let f = |x: &[f64]| dot(x, x);
    let (x, grad) = ([1.0, -2.0, 0.5], [2.0, -4.0, 1.0]);
    for mode in [every(), directions(2, 0)] {
        judged(&check(f, &grad, &x, &mode), Verdict::Verified);
        for bad in [f64::NAN, f64::INFINITY] {
            let says = |report: Report, what: &str| {
                judged(&report, Verdict::Wrong);
                let text = report.require().unwrap_err().to_string();
                assert!(text.contains(what), "'{what}' in: {text}");
            };
            says(check(f, &[2.0, bad, 1.0], &x, &mode), &format!("the gradient at coordinate 1 is {bad}"));
            says(check(f, &grad, &[1.0, -2.0, bad], &mode), &format!("coordinate 2 of the point is {bad}"));
            says(check(|_| bad, &grad, &x, &mode), &format!("the function is {bad} at the point itself"));
            let wall = |x: &[f64]| if x[2] > 0.5 { bad } else { dot(x, x) };
            says(check(wall, &grad, &x, &mode), "and not finite however near");
        }
    }
    let report = check(f, &grad[..2], &x, &every());
    judged(&report, Verdict::Wrong);
    assert!(report.to_string().contains("2 entries where there are 3 coordinates"), "{report}");
    judged(&scalar(f64::ln, |x| 1.0 / x, &[1.0, -1.0]), Verdict::Wrong);
    judged(&scalar(|x| x * x, |_| f64::NAN, &[1.0]), Verdict::Wrong);
}

#[test]
fn what_is_no_function_is_refused() {
    let mut calls = 0.0;
    let dropout = |x: &[f64]| {
        calls += 1.0;
        dot(x, x) + 1e-12 * calls
    };
    let report = check(dropout, &[2.0], &[1.0], &every());
    judged(&report, Verdict::Wrong);
    assert!(report.message.unwrap().starts_with("not a function"));
}

#[test]
fn nothing_compared_is_not_success() {
    for report in [
        check(|_| 1.0, &[], &[], &every()),
        check(|x| x[0], &[1.0], &[0.0], &directions(0, 0)),
        check(|x| x[0], &[1.0], &[0.0], &Options { tolerance: f64::NAN, ..every() }),
        scalar(|x| x, |_| 1.0, &[]),
    ] {
        judged(&report, Verdict::Inconclusive);
        assert!(report.message.is_some() && report.require().is_err(), "{report}");
    }
}

#[test]
fn kinks_are_counted_and_all_else_is_judged() {
    // At a kink, beside it by less than any step, by less than the first step, by about it, and by more.
    let mut kinks = 0;
    for distance in [0.0, 1e-13, 1e-9, 1e-8, 1e-7, 1e-6, 2e-6, 2.54e-6, 3e-6, 5e-6, 7e-6, 1e-5, 1e-4, 1e-3, 0.1, 1.0] {
        for side in [1.0, -1.0] {
            let at: [f64; 3] = [0.3, side * distance, -0.7];
            let f = |x: &[f64]| x[0].sin() + 2.0 * x[1].abs() + x[1] + x[2].exp();
            let slope = if distance == 0.0 { 1.0 } else { 1.0 + 2.0 * side };
            let report = check(f, &[at[0].cos(), slope, at[2].exp()], &at, &every());
            judged(&report, Verdict::Verified);
            assert_eq!(report.counts.verified + report.counts.kinks, 3, "{distance}: {report}");
            assert!(distance > 1e-12 || report.counts.kinks == 1, "{distance}: {report}");
            assert!(distance < 1e-7 || report.counts.kinks == 0, "{distance}: {report}");
            kinks += report.counts.kinks;
            // A wrong gradient elsewhere is still found; and beside the kink, if there is a slope to be seen.
            let report = check(f, &[at[0].cos(), slope, 0.0], &at, &every());
            judged(&report, Verdict::Wrong);
            if distance >= 1e-7 {
                let report = check(f, &[at[0].cos(), slope * 1.001, at[2].exp()], &at, &every());
                judged(&report, Verdict::Wrong);
            }
        }
    }
    assert!(kinks >= 4);
    // ReLU and its relatives at 0: what lies between the slopes of both sides is a subgradient, and nothing else is.
    type Kink = (fn(f64) -> f64, f64, f64);
    let kinks: [Kink; 4] = [
        (|x| x.max(0.0), 0.0, 1.0),
        (|x| x.max(0.01 * x), 0.01, 1.0),
        (|x| 1e-3 * x.abs(), -1e-3, 1e-3),
        (|x| 1e6 + 1e6 * x.abs(), -1e6, 1e6),
    ];
    for (f, left, right) in kinks {
        for share in [0.0, 0.3, 1.0] {
            let report = scalar(f, |_| left + share * (right - left), &[0.0]);
            assert_eq!((report.verdict, report.counts.kinks), (Verdict::Kink, 1), "{report}");
        }
        for claim in [left - 0.1 * right, right * 1.1] {
            let report = scalar(f, |_| claim, &[0.0]);
            assert_eq!((report.verdict, report.counts.wrong), (Verdict::Wrong, 1), "{report}");
            let [to_left, to_right] = report.faults[0].sides.unwrap();
            assert!((to_left - left).abs() + (to_right - right).abs() < 1e-6 * right, "{report}");
        }
    }
    // A smooth bend, however sharp, is not a kink.
    for sharp in [1.0, 1e2, 1e4, 1e6] {
        let report = scalar(|x| (x * x + 1.0 / (sharp * sharp)).sqrt(), |_| 0.0, &[0.0]);
        assert_eq!((report.counts.verified, report.counts.kinks), (1, 0), "{sharp}: {report}");
    }
}

#[test]
fn ill_scaled_functions_are_judged() {
    for scale in [1e8, 1e-8, 1e150, 1e-150] {
        // The values, large or small: f = scale sin.
        let f = |x: &[f64]| scale * (x[0].sin() * x[1]);
        let at = [0.4f64, 1.7];
        let grad = [scale * at[0].cos() * at[1], scale * at[0].sin()];
        judged(&check(f, &grad, &at, &every()), Verdict::Verified);
        judged(&check(f, &[grad[0], grad[1] * (1.0 + 1e-5)], &at, &every()), Verdict::Wrong);
    }
    for scale in [1e8, 1e4, 1e-2, 1e-4] {
        // The argument: f = sin(scale x), at a point of that size and at one of size 1 / scale.
        for x in [0.4 / scale, 1.3 / scale] {
            let right = scalar(|x| (scale * x).sin(), |x| scale * (scale * x).cos(), &[x]);
            judged(&right, Verdict::Verified);
            let wrong = scalar(|x| (scale * x).sin(), |x| scale * (scale * x).cos() * (1.0 + 1e-5), &[x]);
            judged(&wrong, Verdict::Wrong);
        }
    }
    // Coordinates of very different size together.
    let at = [3e8, 2e-8, -1.5];
    let f = |x: &[f64]| (1e-8 * x[0]).exp() + (1e8 * x[1]).tanh() + x[2] * x[2];
    let grad = [1e-8 * 3f64.exp(), 1e8 * (1.0 - 2f64.tanh().powi(2)), -3.0];
    judged(&check(f, &grad, &at, &every()), Verdict::Verified);
    for i in 0..3 {
        let mut wrong = grad;
        wrong[i] *= 1.0 + 1e-5;
        let report = check(f, &wrong, &at, &every());
        judged(&report, Verdict::Wrong);
        assert_eq!(report.faults[0].index, i);
    }
    // What rounding hides is compared absolutely, and the report says below what.
    let hidden = |x: &[f64]| 1e8 + x[0].sin();
    let report = check(hidden, &[1f64.cos() * 1.000001], &[1.0], &every());
    judged(&report, Verdict::Verified);
    assert!(report.floor > 1.0, "{report:?}");
    judged(&check(hidden, &[1f64.cos() * 1.01], &[1.0], &every()), Verdict::Wrong);
}

/// Stairs on which every step of the measurement climbs whole numbers cannot be told from a line: 5 slopes of 24,000
/// were called wrong or a kink, so that 0.8 are expected of 4000.
const MOST_ALARMS: usize = 3;

#[test]
fn noise_inside_the_function_hardly_ever_raises_an_alarm() {
    // Some digits are lost inside, and nothing in the value says so; or it is computed in single precision.
    let noisy: [fn(&[f64]) -> f64; 4] = [
        |x| (x[0].sin() + 1e4) - 1e4 + x[1],
        |x| (x[0].sin() + 1e8) - 1e8 + x[1],
        |x| (x[0].sin() + 1e6) - 1e6 + x[1],
        |x| f64::from((x[0] as f32).sin() + x[1] as f32),
    ];
    let (mut rng, mut found, mut alarms, mut overlooked) = (Rng::new(6), 0, 0, 0);
    for f in noisy {
        for _ in 0..1000 {
            let at = normals(2, 1.0, &mut rng);
            let grad = [at[0].cos(), 1.0];
            let report = check(f, &grad, &at, &every());
            alarms += report.counts.wrong + report.counts.kinks;
            let report = check(f, &[at[0].cos() + 1.0, 1.0], &at, &every());
            overlooked += usize::from(report.counts.verified == 2);
            found += report.counts.wrong;
        }
    }
    println!("noisy: {alarms} alarms; of 4000 wrong gradients {found} are called wrong, {overlooked} right");
    assert!(alarms <= MOST_ALARMS && overlooked <= MOST_ALARMS && found >= 3990, "{alarms} {overlooked} {found}");
}

/// 1000 random functions of 1 to 12 numbers, of sizes 1e-8 to 1e8, half of them with an offset up to 100 times as
/// large.
fn random_functions(mut subject: impl FnMut(usize, Smooth, Vec<f64>)) {
    for case in 0..1000 {
        let mut rng = Rng::with_stream(11, case as u64);
        let scale = 10f64.powf(rng.uniform(-8.0, 8.0));
        let offset = if case % 2 == 0 { 0.0 } else { scale * rng.uniform::<f64>(-100.0, 100.0) };
        let inputs = 1 + rng.below(12);
        let f = Smooth::random(inputs, scale, offset, &mut rng);
        let deviation = 10f64.powf(rng.uniform(-3.0, 0.3));
        let x = normals(inputs, deviation, &mut rng);
        subject(case, f, x);
    }
}

#[test]
fn no_false_alarm_over_a_thousand_random_functions() {
    let (mut checked, mut inconclusive, mut evaluations) = (0, 0, 0);
    random_functions(|case, f, x| {
        let grad = f.gradient(&x);
        for options in [every(), directions(3, case as u64)] {
            let count = |x: &[f64]| {
                evaluations += 1;
                f.value(x)
            };
            let report = check(count, &grad, &x, &options);
            assert_eq!((report.counts.wrong, report.counts.kinks), (0, 0), "case {case} at {x:?}\n{report}");
            checked += report.counts.checked;
            inconclusive += report.counts.inconclusive;
        }
    });
    println!("{checked} slopes, {inconclusive} inconclusive, {} evaluations each", evaluations / checked);
    assert_eq!(inconclusive, 0);
}

#[test]
fn no_error_of_a_hundred_thousandth_is_overlooked_in_a_thousand_random_functions() {
    let mut hidden = [0, 0];
    random_functions(|case, f, x| {
        let mut grad = f.gradient(&x);
        let largest = (0..x.len()).max_by(|&a, &b| grad[a].abs().total_cmp(&grad[b].abs())).unwrap();
        let error = 1e-5 * grad[largest];
        grad[largest] += if case % 3 == 0 { error } else { -error };
        let report = check(|x| f.value(x), &grad, &x, &every());
        if report.verdict == Verdict::Wrong {
            assert_eq!((report.worst.as_ref().unwrap().index, report.counts.wrong), (largest, 1));
        } else {
            // Only what the report itself says cannot be seen.
            let unseen = (4.0 * report.worst.as_ref().unwrap().estimate).max(report.floor * report.tolerance.unwrap());
            assert!(error.abs() < unseen * 1.01, "case {case} at {x:?}\n{report}");
            hidden[case % 2] += 1;
        }
    });
    println!("hidden by rounding: {} of 500 without an offset, {} of 500 with one", hidden[0], hidden[1]);
    assert!(hidden[0] == 0 && hidden[1] <= 5, "{hidden:?}");
}

#[test]
fn directions_overlook_one_wrong_coordinate_as_often_as_stated() {
    // A thousand coordinates alike, one off by 1e-5 of its value: 2/pi atan(1e-7 sqrt(1000) / 1e-5) = 19.5 %.
    let n = 1000;
    let at: Vec<f64> = (0..n).map(|i| 0.5 + 0.4 * (i as f64).sin()).collect();
    let f = |x: &[f64]| x.iter().map(|x| x + 0.01 * x * x).sum::<f64>();
    let mut grad: Vec<f64> = at.iter().map(|x| 1.0 + 0.02 * x).collect();
    judged(&check(f, &grad, &at, &directions(20, 9)), Verdict::Verified);
    let size = dot(&grad, &grad).sqrt();
    let off = 1e-5 * grad[417];
    grad[417] += off;
    let stated = 2.0 / PI * (1e-7 * size / off).atan();
    let trials = 1000;
    let report = check(f, &grad, &at, &directions(trials, 77));
    let overlooked = (trials - report.counts.wrong) as f64 / trials as f64;
    println!("stated {stated}, overlooked {overlooked}\n{report}");
    // Four standard deviations of a binomial share of 1000 trials.
    let spread = 4.0 * (stated * (1.0 - stated) / trials as f64).sqrt();
    assert!((overlooked - stated).abs() < spread, "{overlooked} against {stated} +- {spread}");
    for seed in 0..50 {
        let report = check(f, &grad, &at, &directions(8, seed));
        judged(&report, Verdict::Wrong);
    }
    // Every coordinate by itself names it.
    let report = check(f, &grad, &at, &every());
    assert_eq!((report.counts.wrong, report.worst.as_ref().unwrap().index), (1, 417), "{report}");
}

#[test]
fn reports_are_the_same_each_time_and_machines_can_read_them() {
    let (f, x, mut grad) = subject();
    grad[3] = f64::NAN;
    let again = || check(|x| f.value(x), &grad, &x, &every());
    assert_eq!(format!("{:?}", again()), format!("{:?}", again()));
    let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(&again()).unwrap()).unwrap();
    assert_eq!(json["verdict"], "wrong");
    assert_eq!(json["subject"], "coordinate");
    assert_eq!((&json["checked"], &json["wrong"]), (&40.into(), &1.into()));
    assert_eq!((&json["worst"]["index"], &json["worst"]["error"]), (&3.into(), &serde_json::Value::Null));
    assert_eq!(json["message"], "the gradient at coordinate 3 is NaN");
}
