//! Is this the gradient of that function? For anybody's function and anybody's gradient.
//!
//! A gradient worked out by hand or by back-propagation is compared with what its witnesses say, none of which knows the gradient's
//! code: slopes measured from values of the function alone, each with an estimate of its own error; and, of a function that is
//! written over [`Scalar`](crate::scalar::Scalar), slopes in dual numbers and by a complex step, which have all digits. Four answers
//! are possible: an entry is *verified*; it is *wrong*; it lies at a *kink*, as ReLU has at 0, and is a valid subgradient there; or it
//! is *inconclusive*, because no witness could measure well enough.
//!
//! - [`check`]: a function of many numbers; [`check_pieces`] if it tells which smooth piece it is in, [`check_generic`] if it is
//!   written over any number, [`check_function`] for whatever can do more.
//! - [`jacobian`]: a function with many values, and its product with vectors, from the left or the right. The Hessian's product with a
//!   vector is the Jacobian's of the gradient.
//! - [`scalar`]: a function of one number, such as an activation's formula; [`activation`] and [`loss`] check the open traits.
//!
//! How it decides, file by file: `difference.rs` measures one slope and judges (begin reading there), `noise.rs` finds how many digits
//! of the function's values can be trusted, `witness.rs` hears all witnesses of an entry, `report.rs` is what comes out.
//!
//! Row 5 of the house: imports `rng`, `error`, the numbers and the open traits, and knows no network; the network brings a
//! [`Function`].
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
//! assert_eq!(report.worst.as_ref().unwrap().index, 1);
//! println!("{report}");
//! # Ok::<(), deltarule::error::Error>(())
//! ```

/// The page on checking one's own: its examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/checking-gradients.md")]
struct Page;

mod against;
mod difference;
mod formulas;
mod function;
pub mod jacobian;
pub mod junit;
mod noise;
mod report;
mod table;
mod witness;

pub use against::against;
pub use formulas::{activation, loss, scalar};
pub use function::{Function, Generic, Move, Oracle, Sample, Tensor, slope_of};
pub use report::{Counts, Disagreements, Entry, Report, Subject, TensorReport, Verdict};

use crate::rng::Rng;
use against::VACUOUS;
use difference::{Slope, first_rung};
use function::{Pieces, Values, Witnessed};
use std::collections::BTreeSet;
use std::ops::Range;
use witness::{Bench, Testimony};

/// Along what to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every coordinate by itself, which names the culprit; from 4 evaluations of the function for each.
    EveryCoordinate,
    /// Some coordinates of each tensor, none of which is skipped: the one with the largest entry, and others at random.
    Sample {
        /// How many of each tensor; all of one that has no more.
        per_tensor: usize,
        /// What they are drawn from.
        seed: u64,
    },
    /// Random directions: a few evaluations each, whatever the number of coordinates.
    ///
    /// Directions are normal, in units of `max(1, |x|)` for each coordinate (rounded up to a power of two). If the
    /// gradient is off by `e` while its true value is `g` (both in these units), one direction overlooks it with
    /// probability `2/pi atan(tolerance |g| / |e|)`, since `e . u` and `g . u` are normal numbers (for `e` at right
    /// angles to `g`, and as long as rounding does not count). Say one coordinate among a thousand alike is off by 1e-5
    /// of its value: 20 % for one direction, 2e-6 for eight. If something is wrong, each tensor is tried by itself to find
    /// which is to blame.
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
    /// The largest relative error that agrees with differences. In `f64`, 1e-7 leaves measured slopes one digit of reserve at least.
    pub tolerance: f64,
    /// The largest relative error that agrees with a witness that has all digits, where the function knows no bound on rounding:
    /// a million roundings, relative to the larger entry and to a thousandth of the largest of all.
    pub exact: f64,
    /// Entries smaller than this part of the largest one are compared as if they had that size. 0, the default, compares each
    /// by its own size, as coordinates of different units ask for.
    pub negligible: f64,
    /// An absolute error that always agrees: what rounding makes of an entry that is 0. The default is 0, for it has the function's unit.
    pub absolute: f64,
    /// Whom to ask; a function that has no such witness is not asked.
    pub oracles: Vec<Oracle>,
    /// The names of the coordinates' parts, in order and without gaps; without any, they are one.
    pub tensors: Vec<Tensor>,
    /// How many wrong entries to list; all are counted.
    pub most_wrong: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::EveryCoordinate,
            tolerance: 1e-7,
            exact: 1e-10,
            negligible: 0.0,
            absolute: 0.0,
            oracles: Oracle::ALL.to_vec(),
            tensors: Vec::new(),
            most_wrong: 10,
        }
    }
}

impl Options {
    /// What makes no sense in them, for a point of `length` coordinates.
    fn fault(&self, length: usize, tensors: &[Tensor]) -> Option<String> {
        for (name, tolerance) in [("tolerance", self.tolerance), ("exact tolerance", self.exact)] {
            if !(tolerance > 0.0 && tolerance < 1.0) {
                return Some(format!("{name}: expected a number between 0 and 1, found {tolerance}"));
            }
        }
        if !(self.negligible >= 0.0 && self.negligible < 1.0) {
            return Some(format!("negligible: expected a number from 0 to below 1, found {}", self.negligible));
        }
        if !(self.absolute >= 0.0 && self.absolute.is_finite()) {
            return Some(format!("absolute: expected a finite number of at least 0, found {}", self.absolute));
        }
        if self.oracles.is_empty() {
            return Some("oracles: expected at least one, found none".into());
        }
        if length == 0 {
            return Some(NOTHING.into());
        }
        if let Mode::Sample { per_tensor: 0, .. } | Mode::Directions { count: 0, .. } = self.mode {
            return Some(format!("mode: expected at least 1, found {:?}", self.mode));
        }
        let ends =
            tensors.iter().try_fold(0, |end, t| (t.range.start == end && t.range.end >= end).then_some(t.range.end));
        (ends != Some(length)).then(|| {
            let found: Vec<_> = tensors.iter().map(|t| format!("{} at {:?}", t.name, t.range)).collect();
            format!("tensors: expected 0..{length} without gaps, found {}", found.join(", "))
        })
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
pub fn check(f: impl FnMut(&[f64]) -> f64, grad: &[f64], at: &[f64], options: &Options) -> Report {
    check_function(&mut Values(f), grad, at, options)
}

/// [`check`] for a function that tells, beside its value, which of its smooth pieces it was in: any number that differs between them,
/// such as a hash of which ReLUs are on and which maximum won. A step within the point's own piece is then certified to cross no kink,
/// and one that leaves it is made smaller; if it leaves it however small, the point is at a kink.
///
/// ```
/// use deltarule::gradcheck::{check_pieces, Options, Verdict};
///
/// let f = |x: &[f64]| (x[0].max(x[1]), u64::from(x[0] > x[1]));
/// assert_eq!(check_pieces(f, &[1.0, 0.0], &[2.0, 1.0], &Options::default()).verdict, Verdict::Verified);
/// // Where both are equal, (1/2, 1/2) is a subgradient; (2, -1) is none.
/// assert_eq!(check_pieces(f, &[0.5, 0.5], &[1.0, 1.0], &Options::default()).verdict, Verdict::Kink);
/// assert_eq!(check_pieces(f, &[2.0, -1.0], &[1.0, 1.0], &Options::default()).verdict, Verdict::Wrong);
/// ```
pub fn check_pieces(mut f: impl FnMut(&[f64]) -> (f64, u64), grad: &[f64], at: &[f64], options: &Options) -> Report {
    // A function of nothing is refused below, and may not be called.
    let piece = if at.is_empty() { 0 } else { f(at).1 };
    check_function(&mut Pieces { f, piece }, grad, at, options)
}

/// [`check`] for a function written over any number, with all witnesses.
pub fn check_generic(f: &impl Generic, grad: &[f64], at: &[f64], options: &Options) -> Report {
    check_function(&mut Witnessed { f, piece: if at.is_empty() { None } else { f.piece(at) } }, grad, at, options)
}

/// [`check`] for whatever can do more than values.
pub fn check_function(f: &mut impl Function, grad: &[f64], at: &[f64], options: &Options) -> Report {
    let subject = match options.mode {
        Mode::EveryCoordinate | Mode::Sample { .. } => Subject::Coordinate,
        Mode::Directions { .. } => Subject::Direction,
    };
    let mut tensors = f.tensors();
    if tensors.is_empty() {
        tensors = options.tensors.clone();
    }
    if tensors.is_empty() {
        tensors.push(Tensor { name: "coordinate".into(), range: 0..at.len() });
    }
    let report = Report::new(subject, Some(options.tolerance), options.most_wrong);
    if let Some(fault) = options.fault(at.len(), &tensors) {
        return report.refuse(Verdict::Inconclusive, fault);
    }
    let center = match center_of(f, grad, at, options.mode) {
        Ok(center) => center,
        Err(fault) => return report.refuse(Verdict::Wrong, fault),
    };
    let largest = grad.iter().filter(|g| g.is_finite()).fold(0.0, |most: f64, g| most.max(g.abs()));
    let rounding = f.rounding().map(<[f64]>::to_vec);
    let noise = if options.oracles.contains(&Oracle::Differences) { noise_of(f, center, at) } else { 0.0 };
    let least = options.negligible * largest;
    let slope = Slope {
        analytic: 0.0,
        center,
        noise,
        scale: 1.0,
        tolerance: options.tolerance,
        least,
        slack: options.absolute,
    };
    let mut checking = Checking { f, grad, at, options, largest, rounding, slope, report };
    match options.mode {
        Mode::EveryCoordinate => tensors.iter().for_each(|tensor| checking.coordinates(tensor, tensor.range.clone())),
        Mode::Sample { per_tensor, seed } => {
            for (i, tensor) in tensors.iter().enumerate() {
                let rng = Rng::with_stream(seed, i as u64);
                checking.coordinates(tensor, sample(grad, tensor, per_tensor, rng).into_iter());
            }
        }
        Mode::Directions { count, seed } => checking.directions(count, seed, &tensors),
    }
    checking.report.conclude()
}

/// The value at the point; or what can be said before anything is compared.
fn center_of(f: &mut impl Function, grad: &[f64], at: &[f64], mode: Mode) -> Result<f64, String> {
    if grad.len() != at.len() {
        return Err(format!("the gradient has {} entries where there are {} coordinates", grad.len(), at.len()));
    }
    if let Some(i) = at.iter().position(|x| !x.is_finite()) {
        return Err(format!("coordinate {i} of the point is {}", at[i]));
    }
    if let (Some(i), Mode::Directions { .. }) = (grad.iter().position(|g| !g.is_finite()), mode) {
        return Err(format!("the gradient at coordinate {i} is {}", grad[i]));
    }
    let (center, again) = (f.sample(at).value, f.sample(at).value);
    if !center.is_finite() {
        return Err(format!("the function is {center} at the point itself"));
    }
    match center.to_bits() == again.to_bits() {
        true => Ok(center),
        false => Err(format!("not a function: at one point it gave {center:e} and then {again:e}")),
    }
}

fn noise_of(f: &mut impl Function, center: f64, at: &[f64]) -> f64 {
    let mut point = at.to_vec();
    // Any two directions that are nothing special, the same for everybody.
    let directions = [0, 1].map(|side| direction(at, &mut Rng::with_stream(0, side)));
    noise::fine(center, |t, side| {
        go(&mut point, at, t, &directions[side]);
        f.sample(&point).value
    })
}

/// Said of a point without coordinates.
const NOTHING: &str = "the point has no coordinates: there is nothing to check";

/// Coordinates looked at together: enough that a function with structure makes few calls of many rows.
const CHUNK: usize = 64;

/// A check under way.
struct Checking<'a, F> {
    f: &'a mut F,
    grad: &'a [f64],
    at: &'a [f64],
    options: &'a Options,
    largest: f64,
    rounding: Option<Vec<f64>>,
    /// Of whatever is judged next.
    slope: Slope,
    report: Report,
}

impl<F: Function> Checking<'_, F> {
    fn asks(&self, oracle: Oracle) -> bool {
        self.options.oracles.contains(&oracle)
    }

    /// Some coordinates of one tensor.
    fn coordinates(&mut self, tensor: &Tensor, indices: impl Iterator<Item = usize>) {
        self.report.open(tensor);
        let indices: Vec<usize> = indices.collect();
        let at = self.at;
        let local = |index: usize| format!("{} {}", tensor.name, index - tensor.range.start);
        for chunk in indices.chunks(CHUNK) {
            let exact = [Oracle::Dual, Oracle::Complex].map(|oracle| {
                let mut found = vec![f64::NAN; chunk.len()];
                let asked = self.asks(oracle) && self.f.slopes(oracle, at, chunk, &mut found);
                asked.then_some(found)
            });
            let rungs: Vec<_> = chunk.iter().map(|&i| first_rung(scale(at[i]))).collect();
            let mut samples = vec![Sample::from(f64::NAN); 4 * chunk.len()];
            if self.asks(Oracle::Differences) {
                let moves =
                    chunk.iter().zip(&rungs).flat_map(|(&i, rung)| rung.map(|t| Move { index: i, to: at[i] + t }));
                self.f.moved(at, &moves.collect::<Vec<_>>(), &mut samples);
            }
            for (k, &index) in chunk.iter().enumerate() {
                let bound = self.rounding.as_ref().map(|bounds| bounds[index]);
                let slack = bound.unwrap_or(0.0).min(VACUOUS * self.largest) + self.slope.slack;
                let slope = Slope { analytic: self.grad[index], scale: scale(at[index]), slack, ..self.slope };
                let finding = self.asks(Oracle::Differences).then(|| {
                    difference::judge(slope, &mut |t| {
                        let to = at[index] + t;
                        let known = rungs[k].iter().position(|&known| known == t);
                        let sample = known.map(|j| samples[4 * k + j]).unwrap_or_else(|| {
                            let mut sample = [Sample::from(f64::NAN)];
                            self.f.moved(at, &[Move { index, to }], &mut sample);
                            sample[0]
                        });
                        (to - at[index], sample)
                    })
                });
                let [dual, complex] = exact.each_ref().map(|found| found.as_ref().map(|found| found[k]));
                let said = Testimony { index, slope, finding, dual, complex };
                let bench = Bench::new(self.options, self.largest, bound);
                bench.hear(&said, &mut self.report, || self.f.name(index).unwrap_or_else(|| local(index)));
            }
        }
    }

    fn directions(&mut self, count: usize, seed: u64, tensors: &[Tensor]) {
        self.report.open(&Tensor { name: "all coordinates".into(), range: 0..count });
        for i in 0..count {
            let direction = direction(self.at, &mut Rng::with_stream(seed, i as u64));
            self.along(i, &direction, || format!("direction {}", i + 1));
        }
        if self.report.counts.wrong == 0 || tensors.len() < 2 {
            return;
        }
        // Who is to blame? These are no further directions: what was counted stays as it is.
        let (counts, wrong) = (self.report.counts, self.report.faults.len());
        let pairs = self.report.disagreements.clone();
        self.report.judged = Some(self.report.tensors.len());
        for (i, tensor) in tensors.iter().enumerate() {
            self.report.open(tensor);
            let mut only = direction(self.at, &mut Rng::with_stream(seed, (count + i) as u64));
            only[..tensor.range.start].fill(0.0);
            only[tensor.range.end..].fill(0.0);
            self.along(i, &only, || format!("direction of {}", tensor.name));
        }
        (self.report.counts, self.report.disagreements) = (counts, pairs);
        self.report.faults.truncate(wrong);
    }

    fn along(&mut self, index: usize, direction: &[f64], name: impl Fn() -> String) {
        let at = self.at;
        let analytic = self.grad.iter().zip(direction).map(|(g, d)| g * d).sum();
        // The sum over all entries rounds, too.
        let terms = || self.grad.iter().zip(direction).map(|(g, d)| (g * d).abs()).sum::<f64>();
        let bound = self
            .rounding
            .as_ref()
            .map(|bounds| bounds.iter().zip(direction).map(|(b, d)| b * d.abs()).sum::<f64>() + f64::EPSILON * terms());
        let slope = Slope { analytic, slack: self.slope.slack + bound.unwrap_or(0.0), ..self.slope };
        let finding = self.asks(Oracle::Differences).then(|| {
            let mut point = at.to_vec();
            difference::judge(slope, &mut |t| {
                go(&mut point, at, t, direction);
                (t, self.f.sample(&point))
            })
        });
        let [dual, complex] = [Oracle::Dual, Oracle::Complex]
            .map(|oracle| if self.asks(oracle) { self.f.slope(oracle, at, direction) } else { None });
        let bench = Bench::new(self.options, terms(), bound);
        bench.hear(&Testimony { index, slope, finding, dual, complex }, &mut self.report, name);
    }
}

/// The coordinate of the tensor's largest entry, and others at random, in order.
fn sample(grad: &[f64], tensor: &Tensor, count: usize, mut rng: Rng) -> Vec<usize> {
    let range = tensor.range.clone();
    if range.len() <= count {
        return range.collect();
    }
    let size = |i: &usize| if grad[*i].is_finite() { grad[*i].abs() } else { f64::INFINITY };
    let largest = range.clone().max_by(|a, b| size(a).total_cmp(&size(b))).expect("not empty");
    distinct(BTreeSet::from([largest]), range, count, &mut rng).into_iter().collect()
}

/// The numbers that are `chosen`, and others of the range at random until there are `count` of them, which are not more than it has.
fn distinct(mut chosen: BTreeSet<usize>, range: Range<usize>, count: usize, rng: &mut Rng) -> BTreeSet<usize> {
    while chosen.len() < count {
        chosen.insert(range.start + rng.below(range.len()));
    }
    chosen
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
