//! Loss functions: the closed list [`Loss`], and the open door [`LossFn`] for anybody's own.
//!
//! A loss speaks of one row and knows neither means nor weights: those are applied in one place, in
//! [`pass`](crate::network::pass). The formulas stand beside: `error.rs` of the error, `count.rs` of rates, `entropy.rs` of
//! probabilities, `margin.rs` of scores; `labels.rs` smooths targets. `docs/losses.md` is the table of all.
//! Row 3 of the house: imports `activation` and the ground.

/// The page with the table of losses: its examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/losses.md")]
struct Page;

mod count;
mod curvature;
mod each;
mod entropy;
mod error;
mod labels;
mod margin;

pub use labels::{check_smoothing, smooth_labels};

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::row_loss::RowLoss;
use crate::scalar::Scalar;
use crate::simd::Isa;
use each::{each_output, sides};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Debug};

/// How wrong one row of outputs is.
///
/// ```
/// use deltarule::gradcheck;
/// use deltarule::loss::LossFn;
/// use deltarule::scalar::Scalar;
///
/// /// `sqrt(1 + e^2) - 1` of the error, summed over outputs (Charbonnier et al. 1997).
/// #[derive(Clone, Debug)]
/// struct Charbonnier;
///
/// impl LossFn for Charbonnier {
///     fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
///         let mut sum = T::ZERO;
///         for ((&o, &t), d) in output.iter().zip(target).zip(delta) {
///             let e = o - t;
///             let root = (T::ONE + e * e).sqrt();
///             sum += e * e / (T::ONE + root);
///             *d = e / root;
///         }
///         sum
///     }
/// }
///
/// let (output, target) = ([0.3, -1.2], [1.0, 0.5]);
/// let mut gradient = [0.0; 2];
/// Charbonnier.row(&output, &target, &mut gradient);
/// let value = |o: &[f64]| Charbonnier.row(o, &target, &mut [0.0; 2]);
/// gradcheck::check(value, &gradient, &output, &Default::default()).require().unwrap();
/// ```
pub trait LossFn: Clone + Debug + Send + Sync + 'static {
    /// The loss of one row, summed over its outputs; writes the gradient with respect to `output` to `delta`.
    ///
    /// **Shapes**: all three have as many elements as the network has outputs. **Overwrites** `delta`.
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T;

    /// The losses of several rows, each as [`row`](Self::row) has it, and their gradients.
    ///
    /// **Shapes**: `output`, `target` and `delta` rows x `cols`; a place in `losses` for each row. **Overwrites** `delta` and `losses`.
    fn rows<T: Float>(&self, isa: Isa, output: &[T], target: &[T], delta: &mut [T], cols: usize, losses: &mut [T]) {
        let _ = isa;
        one_by_one(self, output, target, delta, cols, losses);
    }

    /// The output activation whose input this loss reads: where a network ends in it, the loss is given the weighted
    /// sums themselves, so that it stays finite and its gradient simple. With any other output activation the loss is
    /// given the outputs.
    fn link(&self) -> Option<Activation> {
        None
    }

    /// Which of its smooth pieces a row lies in, as any number that differs between them.
    /// What it is for is told at [`ActivationFn::piece`](crate::activation::ActivationFn::piece).
    fn piece(&self, output: &[f64], target: &[f64]) -> u64 {
        let _ = (output, target);
        0
    }

    /// Whether there is more than one piece; `None`, the default, says that [`piece`](Self::piece) tells nothing.
    fn is_piecewise(&self) -> Option<bool> {
        None
    }

    /// A square root of the loss's second derivative with respect to `output`: rows `s` with `sum s s'` equal to it. What the
    /// Gauss-Newton methods need of a loss; `false`, the default, writes nothing and refuses them.
    ///
    /// **Shapes**: `root` outputs x outputs. **Overwrites** `root`.
    fn curvature_root<T: Scalar>(&self, output: &[T], target: &[T], root: &mut [T]) -> bool {
        let _ = (output, target, root);
        false
    }

    /// Whether it is half the sum of squared errors, so that its second derivative is 1 wherever the outputs are.
    fn is_squared_error(&self) -> bool {
        false
    }

    /// Whether its constants are in their range.
    ///
    /// **Errors** name the constant.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// What a target must be for this loss to mean anything, as an error if `target` is not.
    fn check_target(&self, target: &[f64]) -> Result<()> {
        let _ = target;
        Ok(())
    }
}

/// [`LossFn::rows`], row after row.
fn one_by_one<T: Scalar, L: LossFn>(
    loss: &L,
    output: &[T],
    target: &[T],
    delta: &mut [T],
    cols: usize,
    losses: &mut [T],
) {
    let rows = output.chunks_exact(cols).zip(target.chunks_exact(cols)).zip(delta.chunks_exact_mut(cols));
    losses.iter_mut().zip(rows).for_each(|(to, ((output, target), delta))| *to = loss.row(output, target, delta));
}

/// The built-in losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Loss {
    /// Half the square of the error, summed over outputs.
    #[default]
    SquaredError,
    /// The absolute error, summed over outputs; its slope at 0 is taken as 0.
    AbsoluteError,
    /// Half the square up to `delta`, then linear with slope `delta` (Huber 1964).
    Huber {
        /// Where the square ends.
        delta: f64,
    },
    /// The pinball loss: `quantile` of the error where the output is below the target, `1 - quantile` of it where it is above
    /// (Koenker and Bassett 1978). Its least mean has that share of the targets below it; 0.5 is half the absolute error. Its slope at 0
    /// is taken as 0.
    Quantile {
        /// The share, above 0 and below 1.
        quantile: f64,
    },
    /// `ln(cosh(e))` of the error: half its square near 0, its absolute value less `ln 2` far away, smooth between.
    LogCosh,
    /// `exp(o) - t o` of the logarithm `o` of a rate: counts and other targets of at least 0. That is the negative log-likelihood of a
    /// Poisson distribution, or half its deviance, without what depends on the target alone (`ln t!`, or `t ln t - t`), so that it may
    /// be negative. Infinite where the rate is too large for the numbers' type: from `o` = 88.73 on in `f32`, 709.79 in `f64`.
    Poisson,
    /// `-t ln(s) - (1 - t) ln(1 - s)` with `s = sigmoid(logit)`, summed over outputs: binary and multi-label targets
    /// in `0..=1`. Reads logits.
    LogisticCrossEntropy,
    /// `-sum(t ln(p))` with `p = softmax(logits)`: targets that are distributions, such as one-hot rows. Reads logits.
    SoftmaxCrossEntropy,
    /// The cross-entropy of a sigmoid times `(1 - p)^gamma`, `p` being the probability of what is true: rows that the network is sure of
    /// count less (Lin et al. 2017). A target between 0 and 1 is a mixture. Reads logits.
    Focal {
        /// By how much: 0 is the cross-entropy itself; at most 100.
        gamma: f64,
    },
    /// `-sum(t (1 - p)^gamma ln(p))` with `p = softmax(logits)`: the focal loss of several classes. Reads logits.
    SoftmaxFocal {
        /// By how much: 0 is the cross-entropy itself; at most 100.
        gamma: f64,
    },
    /// `max(0, 1 - y o)` with `y = 2 t - 1` of targets 0 and 1, summed over outputs: the support vector machine's, of several outputs one
    /// class against the rest. Reads scores; its slope at the margin is taken as 0.
    Hinge,
    /// The square of the hinge, `max(0, 1 - y o)^2`, summed over outputs. Reads scores.
    SquaredHinge,
}

/// What a loss's targets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Any finite numbers.
    Numbers,
    /// Numbers of at least 0.
    Counts,
    /// 0 or 1.
    Labels,
    /// Numbers in `0..=1`.
    Probabilities,
    /// Numbers in `0..=1` that sum to 1.
    Distribution,
}

/// The largest exponent of a focal loss: with more, a row of which the network is no surer than of a coin would count nothing in `f32`.
const MOST_FOCUS: f64 = 100.0;

impl Loss {
    /// Every built-in loss, with the constants its users expect.
    pub const ALL: [Self; 12] = [
        Self::SquaredError,
        Self::AbsoluteError,
        Self::Huber { delta: 1.0 },
        Self::Quantile { quantile: 0.5 },
        Self::LogCosh,
        Self::Poisson,
        Self::LogisticCrossEntropy,
        Self::SoftmaxCrossEntropy,
        Self::Focal { gamma: 2.0 },
        Self::SoftmaxFocal { gamma: 2.0 },
        Self::Hinge,
        Self::SquaredHinge,
    ];

    /// Reads a name such as `squared_error`, `huber` or `huber=0.5`.
    ///
    /// **Errors** name the list, or the constant and its range.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = || {
            let names: Vec<_> = Self::ALL.iter().map(Self::name).collect();
            Error::setting("loss", format!("one of {}", names.join(", ")), format!("'{text}'"))
        };
        let (name, constant) = text.split_once('=').map_or((text, None), |(name, number)| (name, Some(number)));
        let found = Self::ALL.into_iter().find(|l| l.name() == name).ok_or_else(refuse)?;
        let Some(number) = constant else { return Ok(found) };
        let (_, what, range, _) = found.constant().ok_or_else(refuse)?;
        let refuse = || Error::setting("loss", format!("{} with {what} {range}", found.name()), format!("'{text}'"));
        let with = found.with(number.parse().map_err(|_| refuse())?);
        with.check().map(|()| with).map_err(|_| refuse())
    }

    /// The name without constants.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SquaredError => "squared_error",
            Self::AbsoluteError => "absolute_error",
            Self::Huber { .. } => "huber",
            Self::Quantile { .. } => "quantile",
            Self::LogCosh => "log_cosh",
            Self::Poisson => "poisson",
            Self::LogisticCrossEntropy => "logistic_cross_entropy",
            Self::SoftmaxCrossEntropy => "softmax_cross_entropy",
            Self::Focal { .. } => "focal",
            Self::SoftmaxFocal { .. } => "softmax_focal",
            Self::Hinge => "hinge",
            Self::SquaredHinge => "squared_hinge",
        }
    }

    /// What its targets are.
    pub fn targets(&self) -> Targets {
        match self {
            Self::SquaredError | Self::AbsoluteError | Self::Huber { .. } | Self::Quantile { .. } | Self::LogCosh => {
                Targets::Numbers
            }
            Self::Poisson => Targets::Counts,
            Self::LogisticCrossEntropy | Self::Focal { .. } => Targets::Probabilities,
            Self::SoftmaxCrossEntropy | Self::SoftmaxFocal { .. } => Targets::Distribution,
            Self::Hinge | Self::SquaredHinge => Targets::Labels,
        }
    }

    /// Its constant, if it has one: value, name, range in words, and whether the value is in it.
    fn constant(&self) -> Option<(f64, &'static str, &'static str, bool)> {
        match *self {
            Self::Huber { delta } => {
                Some((delta, "delta", "a finite number above 0", delta.is_finite() && delta > 0.0))
            }
            Self::Quantile { quantile } => {
                Some((quantile, "quantile", "a number above 0 and below 1", quantile > 0.0 && quantile < 1.0))
            }
            Self::Focal { gamma } | Self::SoftmaxFocal { gamma } => {
                Some((gamma, "gamma", "a number from 0 to 100", (0.0..=MOST_FOCUS).contains(&gamma)))
            }
            _ => None,
        }
    }

    /// The same loss with another constant.
    fn with(self, constant: f64) -> Self {
        match self {
            Self::Huber { .. } => Self::Huber { delta: constant },
            Self::Quantile { .. } => Self::Quantile { quantile: constant },
            Self::Focal { .. } => Self::Focal { gamma: constant },
            Self::SoftmaxFocal { .. } => Self::SoftmaxFocal { gamma: constant },
            other => other,
        }
    }

    /// Its kernel, if it has one.
    fn kernel(&self) -> Option<RowLoss> {
        Some(match *self {
            Self::SquaredError => RowLoss::SquaredError,
            Self::AbsoluteError => RowLoss::AbsoluteError,
            Self::Huber { delta } => RowLoss::Huber { delta },
            Self::Quantile { quantile } => RowLoss::Quantile { quantile },
            Self::LogCosh => RowLoss::LogCosh,
            Self::Poisson => RowLoss::Poisson,
            Self::LogisticCrossEntropy => RowLoss::LogisticCrossEntropy,
            Self::SoftmaxCrossEntropy => RowLoss::SoftmaxCrossEntropy,
            Self::Hinge => RowLoss::Hinge,
            Self::SquaredHinge => RowLoss::SquaredHinge,
            Self::Focal { .. } | Self::SoftmaxFocal { .. } => return None,
        })
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.constant() {
            Some((value, ..)) => write!(f, "{}={value}", self.name()),
            None => f.write_str(self.name()),
        }
    }
}

impl LossFn for Loss {
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
        match *self {
            Self::SquaredError => each_output(output, target, delta, |o, t| error::squared(o - t)),
            Self::AbsoluteError => each_output(output, target, delta, |o, t| error::absolute(o - t)),
            Self::Huber { delta: knee } => each_output(output, target, delta, |o, t| error::huber(o - t, knee)),
            Self::Quantile { quantile } => each_output(output, target, delta, |o, t| error::quantile(o - t, quantile)),
            Self::LogCosh => each_output(output, target, delta, |o, t| error::log_cosh(o - t)),
            Self::Poisson => each_output(output, target, delta, count::poisson),
            Self::LogisticCrossEntropy => each_output(output, target, delta, entropy::logistic),
            Self::SoftmaxCrossEntropy => entropy::softmax(output, target, delta),
            Self::Focal { gamma } => each_output(output, target, delta, |o, t| entropy::focal(o, t, gamma)),
            Self::SoftmaxFocal { gamma } => entropy::softmax_focal(output, target, delta, gamma),
            Self::Hinge => each_output(output, target, delta, margin::hinge),
            Self::SquaredHinge => each_output(output, target, delta, margin::squared_hinge),
        }
    }

    fn rows<T: Float>(&self, isa: Isa, output: &[T], target: &[T], delta: &mut [T], cols: usize, losses: &mut [T]) {
        match self.kernel() {
            None => one_by_one(self, output, target, delta, cols, losses),
            Some(kernel) => {
                delta.copy_from_slice(output);
                kernel.apply(isa, target, delta, cols, losses);
            }
        }
    }

    fn link(&self) -> Option<Activation> {
        match self {
            Self::Poisson => Some(Activation::Exponential),
            Self::LogisticCrossEntropy | Self::Focal { .. } => Some(Activation::Sigmoid),
            Self::SoftmaxCrossEntropy | Self::SoftmaxFocal { .. } => Some(Activation::Softmax),
            _ => None,
        }
    }

    fn is_piecewise(&self) -> Option<bool> {
        Some(matches!(
            self,
            Self::AbsoluteError | Self::Huber { .. } | Self::Quantile { .. } | Self::Hinge | Self::SquaredHinge
        ))
    }

    fn curvature_root<T: Scalar>(&self, output: &[T], target: &[T], root: &mut [T]) -> bool {
        curvature::root(self, output, target, root)
    }

    fn is_squared_error(&self) -> bool {
        *self == Self::SquaredError
    }

    fn piece(&self, output: &[f64], target: &[f64]) -> u64 {
        let knee = match *self {
            Self::AbsoluteError | Self::Quantile { .. } => 0.0,
            Self::Huber { delta } => delta,
            Self::Hinge | Self::SquaredHinge => return sides(output, target, 2, margin::side),
            _ => return 0,
        };
        // Below, inside or above.
        sides(output, target, 3, |o, t| u64::from(o - t > -knee) + u64::from(o - t > knee))
    }

    fn check(&self) -> Result<()> {
        match self.constant() {
            Some((value, what, range, false)) => {
                Err(Error::setting(format!("{what} of {}", self.name()), range, value))
            }
            _ => Ok(()),
        }
    }

    fn check_target(&self, target: &[f64]) -> Result<()> {
        let refuse = |expected: &str, found: f64| Err(Error::shape(format!("target of {self}"), expected, found));
        if let Some(&bad) = target.iter().find(|t| !t.is_finite()) {
            return refuse("a finite number", bad);
        }
        let outside = |fits: fn(f64) -> bool| target.iter().copied().find(|&t| !fits(t));
        let is_probability = |t: f64| (0.0..=1.0).contains(&t);
        let (expected, bad) = match self.targets() {
            Targets::Numbers => return Ok(()),
            Targets::Counts => ("a number of at least 0", outside(|t| t >= 0.0)),
            Targets::Labels => ("0 or 1", outside(|t| t == 0.0 || t == 1.0)),
            Targets::Probabilities | Targets::Distribution => ("a number in 0..=1", outside(is_probability)),
        };
        if let Some(bad) = bad {
            return refuse(expected, bad);
        }
        if self.targets() == Targets::Distribution {
            let sum: f64 = target.iter().sum();
            // f32 rows of up to 10^4 classes sum to one within this.
            if (sum - 1.0).abs() > 1e-3 {
                return refuse("a row that sums to 1", sum);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::simd::VIRTUAL_LANES;

    /// Units of the type's last place: roundings of a handful of operations, and of sums over the columns. Of `f64` the reference has
    /// errors of its own: it rounds a distance of 160 between two logits before it takes the exponential.
    const TOLERANCE: (f64, f64) = (8.0, 200.0);

    fn rows_agree<T: Float>(loss: &Loss, rows: usize, cols: usize, scale: f64) {
        let mut rng = Rng::with_stream(8, (rows * 1000 + cols) as u64);
        let logits: Vec<T> = (0..rows * cols).map(|_| rng.uniform(-scale, scale)).collect();
        let mut target = vec![T::ZERO; rows * cols];
        for (i, row) in target.chunks_exact_mut(cols).enumerate() {
            // Certain of one class, or spread over two.
            row[i % cols] = T::from_f64(if i % 3 == 0 { 0.75 } else { 1.0 });
            row[(i + 1) % cols] += T::from_f64(if i % 3 == 0 { 0.25 } else { 0.0 });
        }
        let unit = T::either(f64::from(f32::EPSILON), f64::EPSILON)
            * (T::either(TOLERANCE.0, TOLERANCE.1) + (cols / VIRTUAL_LANES) as f64);
        let mut first: Option<(Vec<T>, Vec<T>)> = None;
        for isa in Isa::available() {
            let (mut delta, mut losses) = (vec![T::from_f64(f64::NAN); rows * cols], vec![T::from_f64(f64::NAN); rows]);
            loss.rows(isa, &logits, &target, &mut delta, cols, &mut losses);
            for (i, &found) in losses.iter().enumerate() {
                let row = i * cols..(i + 1) * cols;
                let wide = |x: &[T]| x.iter().map(|x| x.real()).collect::<Vec<f64>>();
                let mut exact = vec![0.0; cols];
                let value = loss.row(&wide(&logits[row.clone()]), &wide(&target[row.clone()]), &mut exact);
                let error = (found.real() - value).abs();
                assert!(error <= unit * value.abs(), "{isa} {loss} {cols} columns, row {i}: {found:?} for {value}");
                for ((found, exact), t) in delta[row.clone()].iter().zip(exact).zip(&target[row]) {
                    let error = (found.real() - exact).abs();
                    // Of a target that is not certain the gradient is a difference, and so it is of a rate and what was counted.
                    let is_count = loss.targets() == Targets::Counts;
                    let least = if is_count || t.real() % 1.0 != 0.0 { t.real() } else { 0.0 };
                    let size = exact.abs().max(if least > 0.0 { 1.0 } else { 0.0 });
                    assert!(error <= unit * size.max(1e-30), "{isa} {loss} {cols} columns: {found:?} for {exact}");
                }
            }
            match &first {
                None => first = Some((delta, losses)),
                Some(first) => assert_eq!(first, &(delta, losses), "{isa}"),
            }
        }
    }

    #[test]
    fn rows_by_vectors_are_rows_one_by_one() {
        let more = [Loss::Huber { delta: 0.3 }, Loss::Quantile { quantile: 0.9 }];
        for loss in Loss::ALL.into_iter().chain(more).filter(|loss| loss.kernel().is_some()) {
            for cols in [1, 2, 3, 10, 31, 33, 100] {
                for (rows, scale) in [(1, 1.0), (5, 20.0), (17, 80.0), (40, 3.0)] {
                    rows_agree::<f32>(&loss, rows, cols, scale);
                    rows_agree::<f64>(&loss, rows, cols, scale);
                }
            }
        }
    }

    #[test]
    fn logits_of_any_size_give_a_finite_loss_and_nan_stays_in_its_row() {
        let focal = [0.0, 0.5, 2.0].map(|gamma| [Loss::Focal { gamma }, Loss::SoftmaxFocal { gamma }]);
        let cross_entropies = [Loss::LogisticCrossEntropy, Loss::SoftmaxCrossEntropy];
        for loss in cross_entropies.into_iter().chain(focal.into_iter().flatten()) {
            // Row by row, a single class without mass is not looked at.
            let least = if matches!(loss, Loss::SoftmaxFocal { .. }) { 2 } else { 1 };
            for cols in [least, 4, 40] {
                let mut logits = vec![0.0f32; 5 * cols];
                for (i, row) in logits.chunks_exact_mut(cols).enumerate() {
                    row.fill([1e4, -1e4, 88.8, f32::NAN, -88.8][i]);
                    row[0] = if i == 1 { f32::NEG_INFINITY } else { row[0] };
                }
                let mut target = vec![0.0f32; logits.len()];
                let last = if cols > 1 { 1.0 } else { 0.0 };
                target.chunks_exact_mut(cols).for_each(|row| row[cols - 1] = last);
                let (mut delta, mut losses) = (logits.clone(), vec![0.0; 5]);
                loss.rows(Isa::current(), &logits, &target, &mut delta, cols, &mut losses);
                for (i, value) in losses.iter().enumerate() {
                    assert_eq!(value.is_nan(), i == 3, "{loss} {cols} columns, row {i}: {value}");
                    assert!(value.is_nan() || value.is_finite(), "{loss} {cols} columns, row {i}: {value}");
                }
            }
        }
    }

    #[test]
    fn names_and_constants_come_back_as_they_were_written() {
        let constants = [
            Loss::Huber { delta: 0.25 },
            Loss::Quantile { quantile: 0.9 },
            Loss::Focal { gamma: 0.0 },
            Loss::SoftmaxFocal { gamma: 3.5 },
        ];
        for loss in Loss::ALL.into_iter().chain(constants) {
            assert_eq!(Loss::parse(&loss.to_string()).unwrap(), loss);
            assert_eq!(serde_json::from_str::<Loss>(&serde_json::to_string(&loss).unwrap()).unwrap(), loss);
            assert!(loss.check().is_ok());
        }
        let cases = [
            ("quantile=1.0", "above 0 and below 1"),
            ("quantile=0", "above 0 and below 1"),
            ("focal=-1", "gamma a number from 0 to 100"),
            ("softmax_focal=101", "gamma a number from 0 to 100"),
            ("focal=nan", "gamma a number from 0 to 100"),
            ("huber=0", "delta a finite number above 0"),
            ("huber=", "delta a finite number above 0"),
            ("hinge=1", "squared_hinge"),
            ("log_cos", "log_cosh"),
        ];
        for (text, expected) in cases {
            let error = Loss::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains(&format!("'{text}'")), "{error}");
        }
        let error = Loss::Quantile { quantile: f64::NAN }.check().unwrap_err().to_string();
        assert!(error.contains("quantile of quantile") && error.contains("NaN"), "{error}");
    }

    #[test]
    fn targets_without_a_meaning_are_refused_with_value_and_range() {
        let cases: [(Loss, &[f64], &str); 8] = [
            (Loss::Poisson, &[3.0, -2.0], "at least 0, found -2"),
            (Loss::Hinge, &[0.0, 0.5], "0 or 1, found 0.5"),
            (Loss::SquaredHinge, &[-1.0], "0 or 1, found -1"),
            (Loss::Focal { gamma: 2.0 }, &[1.5], "0..=1, found 1.5"),
            (Loss::SoftmaxFocal { gamma: 2.0 }, &[0.5, 0.25], "sums to 1, found 0.75"),
            (Loss::LogCosh, &[f64::NAN], "finite number, found NaN"),
            (Loss::Quantile { quantile: 0.5 }, &[f64::INFINITY], "finite number, found inf"),
            (Loss::SoftmaxCrossEntropy, &[2.0, -1.0], "0..=1, found 2"),
        ];
        for (loss, target, expected) in cases {
            let error = loss.check_target(target).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains(loss.name()), "{error}");
        }
        Loss::Poisson.check_target(&[0.0, 2.5]).unwrap();
        Loss::Hinge.check_target(&[0.0, 1.0]).unwrap();
    }

    #[test]
    fn without_focus_a_focal_loss_is_the_cross_entropy() {
        let (output, targets) = ([0.3, -40.0, 2.5], [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.2, 0.5, 0.3]]);
        let pairs = [
            (Loss::Focal { gamma: 0.0 }, Loss::LogisticCrossEntropy),
            (Loss::SoftmaxFocal { gamma: 0.0 }, Loss::SoftmaxCrossEntropy),
        ];
        for (focal, plain) in pairs {
            for target in targets {
                let (mut a, mut b) = ([0.0; 3], [0.0; 3]);
                let (x, y): (f64, f64) = (focal.row(&output, &target, &mut a), plain.row(&output, &target, &mut b));
                assert!((x - y).abs() <= 4.0 * f64::EPSILON * y, "{focal}: {x} {y}");
                a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() <= 4.0 * f64::EPSILON, "{focal}: {a} {b}"));
            }
        }
    }
}
