//! Formulas with their slopes: functions of one number, and whoever walks in through the open traits.

use super::difference::{self, Finding, NotFinite, Slope};
use super::function::{Function, Oracle, Sample, Tensor, slope_of};
use super::report::{Report, Subject, Verdict};
use super::witness::{Bench, Testimony};
use super::{Options, check_function, noise, scale};
use crate::activation::ActivationFn;
use crate::complex::{Complex, STEP};
use crate::dual::Dual;
use crate::loss::LossFn;

/// A function of one number, around a point.
trait Formula {
    /// The value at `x`; `at` is the point whose piece counts.
    fn sample(&mut self, x: f64, at: f64) -> Sample;
    fn slope(&mut self, x: f64) -> f64;
    fn exact(&mut self, oracle: Oracle, x: f64) -> Option<f64>;
}

struct Closures<F, S>(F, S);

impl<F: FnMut(f64) -> f64, S: FnMut(f64) -> f64> Formula for Closures<F, S> {
    fn sample(&mut self, x: f64, _: f64) -> Sample {
        (self.0)(x).into()
    }
    fn slope(&mut self, x: f64) -> f64 {
        (self.1)(x)
    }
    fn exact(&mut self, _: Oracle, _: f64) -> Option<f64> {
        None
    }
}

impl<A: ActivationFn> Formula for &A {
    fn sample(&mut self, x: f64, at: f64) -> Sample {
        let crossed = Some(usize::from(self.piece(x) != self.piece(at)));
        // One that does not tell its pieces may have kinks all the same.
        Sample { value: self.value_and_slope(x).0, crossed: crossed.filter(|_| self.is_piecewise().is_some()) }
    }
    fn slope(&mut self, x: f64) -> f64 {
        self.value_and_slope(x).1
    }
    fn exact(&mut self, oracle: Oracle, x: f64) -> Option<f64> {
        match oracle {
            Oracle::Differences => None,
            Oracle::Dual => Some(self.value_and_slope(Dual::variable(x)).0.slope),
            Oracle::Complex => Some(self.value_and_slope(Complex { re: x, im: STEP }).0.im / STEP),
        }
    }
}

/// Compares `slope` with measured slopes of `f`, a function of one number, at each of `points`.
///
/// As [`check`](super::check) with the default options; an entry's index is that of its point. Choose points on both sides of a kink,
/// and short decimals, so that a failure can be recomputed by hand.
///
/// ```
/// use deltarule::gradcheck::scalar;
///
/// let report = scalar(|x| x.tanh(), |x| 1.0 - x.tanh().powi(2), &[-2.0, -0.1, 0.0, 0.7, 3.0]);
/// assert_eq!((report.counts.verified, report.counts.kinks), (5, 0));
///
/// // ReLU has no slope at 0; 0 is a valid subgradient, and so is 1.
/// let report = scalar(|x| x.max(0.0), |x| if x > 0.0 { 1.0 } else { 0.0 }, &[-1.0, 0.0, 1.0]);
/// assert_eq!((report.counts.verified, report.counts.kinks), (2, 1));
/// ```
pub fn scalar(f: impl FnMut(f64) -> f64, slope: impl FnMut(f64) -> f64, points: &[f64]) -> Report {
    at_points(Closures(f, slope), points)
}

/// Checks an activation's slope at each of `points`, with all witnesses: its formula runs on dual and complex numbers.
///
/// ```
/// use deltarule::activation::ActivationFn;
/// use deltarule::gradcheck;
/// use deltarule::scalar::Scalar;
///
/// /// `z^2 / 2`, and the slope of `z^2`.
/// #[derive(Clone, Debug)]
/// struct Parabola;
///
/// impl ActivationFn for Parabola {
///     fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
///         (T::from_f64(0.5) * z * z, z + z)
///     }
/// }
///
/// let report = gradcheck::activation(&Parabola, &[-3.0, 0.5]);
/// assert_eq!(report.counts.wrong, 2);
/// ```
pub fn activation(f: &impl ActivationFn, points: &[f64]) -> Report {
    at_points(f, points)
}

fn at_points(mut f: impl Formula, points: &[f64]) -> Report {
    let options = Options::default();
    let mut report = Report::new(Subject::Point, Some(options.tolerance), options.most_wrong);
    if points.is_empty() {
        return report.conclude();
    }
    report.open(&Tensor { name: "points".into(), range: 0..points.len() });
    for (index, &x) in points.iter().enumerate() {
        let (center, scale, analytic) = (f.sample(x, x).value, scale(x), f.slope(x));
        let mut slope =
            Slope { analytic, center, noise: 0.0, scale, tolerance: options.tolerance, least: 0.0, slack: 0.0 };
        let finding = if x.is_finite() && center.is_finite() {
            slope.noise = noise::fine(center, |t, side| f.sample(x + if side == 0 { t } else { -t } * scale, x).value);
            difference::judge(slope, &mut |t| (x + t - x, f.sample(x + t, x)))
        } else {
            Finding::NotFinite(NotFinite { went: 0.0, value: if x.is_finite() { center } else { x } })
        };
        let [dual, complex] = [Oracle::Dual, Oracle::Complex].map(|oracle| f.exact(oracle, x));
        let said = Testimony { index, slope, finding: Some(finding), dual, complex };
        let bench = Bench {
            // Formulas such as 1 - tanh(z)^2 round as numbers of size 1 do.
            absolute: 16.0 * f64::EPSILON * center.abs().max(1.0),
            ..Bench::new(&options, analytic.abs().min(f64::MAX), None)
        };
        bench.hear(&said, &mut report, || format!("point {index}, at {x}"));
    }
    report.conclude()
}

/// Checks the gradient that a loss writes for one row, with all witnesses.
///
/// **Shapes**: `output` and `target` have one length.
///
/// ```
/// use deltarule::gradcheck;
/// use deltarule::loss::Loss;
///
/// gradcheck::loss(&Loss::SoftmaxCrossEntropy, &[0.3, -1.0, 2.0], &[0.0, 1.0, 0.0]).require()?;
/// # Ok::<(), deltarule::Error>(())
/// ```
pub fn loss(loss: &impl LossFn, output: &[f64], target: &[f64]) -> Report {
    if output.len() != target.len() {
        let report = Report::new(Subject::Coordinate, None, 0);
        return report.refuse(Verdict::Wrong, format!("{} outputs, and targets for {}", output.len(), target.len()));
    }
    let mut gradient = vec![f64::NAN; output.len()];
    loss.row(output, target, &mut gradient);
    check_function(&mut Row { loss, target, output }, &gradient, output, &Options::default())
}

/// A loss of one row, as a function of its outputs.
struct Row<'a, L> {
    loss: &'a L,
    target: &'a [f64],
    output: &'a [f64],
}

impl<L: LossFn> Function for Row<'_, L> {
    fn sample(&mut self, x: &[f64]) -> Sample {
        let (here, there) = (self.loss.piece(self.output, self.target), self.loss.piece(x, self.target));
        let crossed = self.loss.is_piecewise().map(|_| usize::from(here != there));
        Sample { value: self.loss.row(x, self.target, &mut vec![0.0; x.len()]), crossed }
    }

    fn slope(&mut self, oracle: Oracle, at: &[f64], direction: &[f64]) -> Option<f64> {
        fn lifted<S: crate::scalar::Scalar>(target: &[f64]) -> (Vec<S>, Vec<S>) {
            (target.iter().map(|&t| S::from_f64(t)).collect(), vec![S::ZERO; target.len()])
        }
        let (dual, complex) = (
            |x: &[Dual]| {
                let (target, mut delta) = lifted(self.target);
                self.loss.row(x, &target, &mut delta)
            },
            |x: &[Complex]| {
                let (target, mut delta) = lifted(self.target);
                self.loss.row(x, &target, &mut delta)
            },
        );
        slope_of(oracle, at, direction, dual, complex)
    }

    fn name(&self, index: usize) -> Option<String> {
        Some(format!("output {}", index + 1))
    }
}
