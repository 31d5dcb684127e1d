//! Is this the gradient of that function? For anybody's function and anybody's gradient.
//!
//! A gradient worked out by hand or by back-propagation is compared with slopes measured from values of the function
//! alone. [`check`] takes a function of many numbers, [`scalar`] a function of one, such as an activation's formula.
//! Every measured slope comes with an estimate of its own error, so that three answers are possible: it agrees, it
//! disagrees, or this measurement cannot tell. A fourth is that there is no slope: a kink, as ReLU has at 0.
//!
//! How it decides, file by file: `difference.rs` measures one slope and judges (begin reading there), `noise.rs` finds
//! how many digits of the function's values can be trusted, `report.rs` is what comes out.
//!
//! Row 5 of the house: imports `rng` and `error`, and knows no network; the network brings closures.
//!
//! ```
//! use deltarule::gradcheck::{check, Options, Verdict};
//!
//! // Your function, and the gradient you believe it has.
//! let f = |x: &[f64]| x[0].sin() * x[1] + x[1].powi(3);
//! let gradient = |x: &[f64]| [x[0].cos() * x[1], x[0].sin() + 3.0 * x[1] * x[1]];
//!
//! let at = [0.5, -1.25];
//! let report = check(f, &gradient(&at), &at, &Options::default());
//! report.require()?; // an error that names the worst coordinate
//!
//! // A factor forgotten is found.
//! let wrong = [at[0].cos() * at[1], at[0].sin() + at[1] * at[1]];
//! let report = check(f, &wrong, &at, &Options::default());
//! assert_eq!(report.verdict, Verdict::Wrong);
//! assert_eq!(report.worst.unwrap().index, 1);
//! println!("{report}");
//! # Ok::<(), deltarule::error::Error>(())
//! ```

mod difference;
mod noise;
mod report;

pub use report::{Entry, Report, Subject, Verdict};

use crate::rng::Rng;
use difference::{Finding, Slope};

/// Along what to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every coordinate by itself, which names the culprit; from 4 evaluations of the function for each.
    EveryCoordinate,
    /// Random directions: a few evaluations each, whatever the number of coordinates.
    ///
    /// Directions are normal, in units of `max(1, |x|)` for each coordinate (rounded up to a power of two). If the
    /// gradient is off by `e` while its true value is `g` (both in these units), one direction overlooks it with
    /// probability `2/pi atan(tolerance |g| / |e|)`, since `e . u` and `g . u` are normal numbers (for `e` at right
    /// angles to `g`, and as long as rounding does not count). Say one coordinate among a thousand alike is off by 1e-5
    /// of its value: 20 % for one direction, 2e-6 for eight.
    Directions {
        /// How many.
        count: usize,
        /// What they are drawn from.
        seed: u64,
    },
}

/// How to check.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Along what to measure.
    pub mode: Mode,
    /// The largest relative error that agrees. In `f64`, 1e-7 leaves measured slopes one digit of reserve at least.
    pub tolerance: f64,
    /// Entries smaller than this part of the largest one are compared as if they had that size. 0, the default, compares each
    /// by its own size, as coordinates of different units ask for.
    pub negligible: f64,
    /// How many wrong entries to list; all are counted.
    pub most_wrong: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { mode: Mode::EveryCoordinate, tolerance: 1e-7, negligible: 0.0, most_wrong: 10 }
    }
}

/// Compares `grad` with slopes of `f` measured around `at`.
///
/// An entry agrees if `|analytic - numeric| <= tolerance max(|analytic|, |numeric|, floor)`. The absolute floor is the
/// rounding error of the measured slope over the tolerance: about `1e-15 |f| / step` over 1e-7, from 1e-3 of `f` at the
/// first step down to 1e-6 at longer ones, which are taken where it matters. What is smaller cannot be seen from values
/// of `f` (add 1e8 to a function, and 8 of its digits are gone); the largest floor used is in the report.
///
/// `f` is best computed in `f64`. Errors that it makes inside (single precision, sums that cancel) are measured and
/// answered with a larger floor or `inconclusive`; some one slope in 5,000 of such a function is misjudged all the
/// same.
///
/// `f` must be a function: the same bits for the same point (no dropout drawn anew). Anything that is not finite, in
/// `at`, `grad` or the values of `f`, is wrong, and the report says where.
///
/// **Shapes**: `grad` and `at` have one length.
///
/// **Determinism**: the same report for the same `f`, points and seed.
pub fn check(mut f: impl FnMut(&[f64]) -> f64, grad: &[f64], at: &[f64], options: &Options) -> Report {
    let subject = match options.mode {
        Mode::EveryCoordinate => Subject::Coordinate,
        Mode::Directions { .. } => Subject::Direction,
    };
    let mut report = Report::new(subject, options);
    if !report.accepts(options) {
        return report;
    }
    if grad.len() != at.len() {
        return report.refuse(format!(
            "the gradient has {} entries where there are {} coordinates",
            grad.len(),
            at.len()
        ));
    }
    if let Some(i) = at.iter().position(|x| !x.is_finite()) {
        return report.refuse(format!("coordinate {i} of the point is {}", at[i]));
    }
    if let (Some(i), Mode::Directions { .. }) = (grad.iter().position(|g| !g.is_finite()), options.mode) {
        return report.refuse(format!("the gradient at coordinate {i} is {}", grad[i]));
    }
    let (center, again) = (f(at), f(at));
    if !center.is_finite() {
        return report.refuse(format!("the function is {center} at the point itself"));
    }
    if center.to_bits() != again.to_bits() {
        return report.refuse(format!("not a function: at one point it gave {center:e} and then {again:e}"));
    }

    let mut point = at.to_vec();
    // Any two directions that are nothing special, the same for everybody.
    let directions = [0, 1].map(|side| direction(at, &mut Rng::with_stream(0, side)));
    let noise = noise::fine(center, |t, side| {
        go(&mut point, at, t, &directions[side]);
        f(&point)
    });
    let least = options.negligible * grad.iter().fold(0.0, |most: f64, g| most.max(g.abs()));
    match options.mode {
        Mode::EveryCoordinate => {
            point.copy_from_slice(at);
            for (i, (&x, &analytic)) in at.iter().zip(grad).enumerate() {
                let mut along = |t: f64| {
                    point[i] = x + t;
                    (point[i] - x, f(&point))
                };
                let slope = Slope { analytic, center, noise, scale: scale(x), tolerance: options.tolerance, least };
                report.add(i, &slope, difference::judge(slope, &mut along));
                point[i] = x;
            }
        }
        Mode::Directions { count, seed } => {
            for i in 0..count {
                let direction = direction(at, &mut Rng::with_stream(seed, i as u64));
                let mut along = |t: f64| {
                    go(&mut point, at, t, &direction);
                    (t, f(&point))
                };
                let analytic = grad.iter().zip(&direction).map(|(g, d)| g * d).sum();
                let slope = Slope { analytic, center, noise, scale: 1.0, tolerance: options.tolerance, least };
                report.add(i, &slope, difference::judge(slope, &mut along));
            }
        }
    }
    report.conclude()
}

/// Compares `slope` with measured slopes of `f`, a function of one number, at each of `points`.
///
/// As [`check`] with the default options; an entry's index is that of its point. Choose points on both sides of a kink,
/// and short decimals, so that a failure can be recomputed by hand.
///
/// ```
/// use deltarule::gradcheck::scalar;
///
/// let report = scalar(|x| x.tanh(), |x| 1.0 - x.tanh().powi(2), &[-2.0, -0.1, 0.0, 0.7, 3.0]);
/// assert_eq!((report.agreed, report.kinks), (5, 0));
///
/// // ReLU has no slope at 0: counted, not judged.
/// let report = scalar(|x| x.max(0.0), |x| if x > 0.0 { 1.0 } else { 0.0 }, &[-1.0, 0.0, 1.0]);
/// assert_eq!((report.agreed, report.kinks), (2, 1));
/// ```
pub fn scalar(mut f: impl FnMut(f64) -> f64, mut slope: impl FnMut(f64) -> f64, points: &[f64]) -> Report {
    let options = Options::default();
    let mut report = Report::new(Subject::Point, &options);
    for (i, &x) in points.iter().enumerate() {
        let (center, scale) = (f(x), scale(x));
        if !(x.is_finite() && center.is_finite()) {
            let slope =
                Slope { analytic: slope(x), center, noise: 0.0, scale, tolerance: options.tolerance, least: 0.0 };
            report.add(i, &slope, Finding::NotFinite);
            continue;
        }
        let noise = noise::fine(center, |t, side| f(x + if side == 0 { t } else { -t } * scale));
        let slope = Slope { analytic: slope(x), center, noise, scale, tolerance: options.tolerance, least: 0.0 };
        report.add(i, &slope, difference::judge(slope, &mut |t| (x + t - x, f(x + t))));
    }
    report.conclude()
}

/// `max(1, |x|)`, rounded up to a power of two: steps that are fractions of it by powers of two are exact.
fn scale(x: f64) -> f64 {
    let mut scale = 1.0;
    while scale < x.abs() && scale < f64::MAX / 2.0 {
        scale *= 2.0;
    }
    scale
}

/// Normal numbers in units of each coordinate's scale, rounded to 10 binary digits, so that a coordinate plus the
/// smallest step (2^-35) is exact, but for the last bit where it crosses a power of two.
fn direction(at: &[f64], rng: &mut Rng) -> Vec<f64> {
    const DIGITS: f64 = 1024.0;
    at.iter().map(|&x| (rng.normal::<f64>(0.0, 1.0) * DIGITS).round() / DIGITS * scale(x)).collect()
}

/// `point <- at + t direction`.
fn go(point: &mut [f64], at: &[f64], t: f64, direction: &[f64]) {
    point.iter_mut().zip(at).zip(direction).for_each(|((p, &x), &d)| *p = x + t * d);
}
