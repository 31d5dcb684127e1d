//! Activations and losses whose value is right and whose slope is not, through the open traits: what a user would write.
//!
//! Each comes in two versions, with its fault and without; the second is the control. Values are the same in both.

use crate::activation::{Activation, ActivationFn};
use crate::kernel::elementwise::{SELU_ALPHA, SELU_SCALE};
use crate::loss::{Loss, LossFn};
use crate::scalar::Scalar;

/// An activation, and what is wrong with its slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unit {
    /// Nothing is.
    Sound(Activation),
    /// GELU's tanh form, with the slope of the exact form.
    ExactGelu,
    /// Leaky ReLU, whose slopes have changed sides.
    LeakySides,
    /// tanh, with the sigmoid's `a (1 - a)`.
    SigmoidOfTanh,
    /// tanh, with `1 - a` for `1 - a^2`.
    TanhUnsquared,
    /// SELU, whose slope has its constants to five digits.
    RoundedSelu,
    /// tanh, whose slope went through single precision.
    SingleTanh,
    /// SiLU, with one of the product rule's two terms.
    SiluHalf,
    /// Softplus, whose slope has lost the sign in its exponent.
    SoftplusExponent,
    /// tanh, without any slope.
    Slopeless,
    /// Softmax, without what each output does to the others.
    SoftmaxDiagonal,
    /// Each row less its mean, over its deviation; the slope takes both for constants.
    FixedStatistics,
    /// The same, but the slope takes only the mean for a constant.
    FixedMean,
    /// Only the deviation.
    FixedDeviation,
}

/// An activation with its fault, or without.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Formula {
    pub unit: Unit,
    pub faulty: bool,
}

/// What is added to a variance, as everywhere.
const VARIANCE_FLOOR: f64 = 1e-5;

impl Formula {
    fn base(&self) -> Activation {
        match self.unit {
            Unit::Sound(activation) => activation,
            Unit::ExactGelu => Activation::GeluTanh,
            Unit::LeakySides => Activation::LeakyRelu { slope: 0.01 },
            Unit::SigmoidOfTanh | Unit::TanhUnsquared | Unit::SingleTanh | Unit::Slopeless => Activation::Tanh,
            Unit::RoundedSelu => Activation::Selu,
            Unit::SiluHalf => Activation::Silu,
            Unit::SoftplusExponent => Activation::Softplus,
            Unit::SoftmaxDiagonal => Activation::Softmax,
            Unit::FixedStatistics | Unit::FixedMean | Unit::FixedDeviation => Activation::Identity,
        }
    }
}

impl ActivationFn for Formula {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        let (a, slope) = self.base().value_and_slope(z);
        if !self.faulty {
            return (a, slope);
        }
        let wrong = match self.unit {
            Unit::ExactGelu => Activation::Gelu.value_and_slope(z).1,
            Unit::LeakySides => self.base().value_and_slope(-z).1,
            Unit::SigmoidOfTanh => a * (T::ONE - a),
            Unit::TanhUnsquared => T::ONE - a,
            Unit::RoundedSelu if z.real() > 0.0 => T::from_f64(rounded(SELU_SCALE)),
            Unit::RoundedSelu => T::from_f64(rounded(SELU_SCALE) * rounded(SELU_ALPHA)) * z.exp(),
            Unit::SingleTanh => {
                let a = a.real() as f32;
                T::from_f64(f64::from(1.0 - a * a))
            }
            Unit::SiluHalf => z.sigmoid(),
            Unit::SoftplusExponent => (-z).sigmoid(),
            Unit::Slopeless => T::ONE,
            _ => slope,
        };
        (a, wrong)
    }

    fn forward_row<T: Scalar>(&self, z: &mut [T], slope: &mut [T]) {
        match self.unit {
            Unit::SoftmaxDiagonal => Activation::Softmax.forward_row(z, slope),
            Unit::FixedStatistics | Unit::FixedMean | Unit::FixedDeviation => {
                let width = T::from_f64(z.len() as f64);
                let sum = |numbers: &mut dyn Iterator<Item = T>| numbers.fold(T::ZERO, |sum, x| sum + x);
                let mean = sum(&mut z.iter().copied()) / width;
                let variance = sum(&mut z.iter().map(|&z| (z - mean) * (z - mean))) / width;
                let scale = T::ONE / (variance + T::from_f64(VARIANCE_FLOOR)).sqrt();
                z.iter_mut().for_each(|z| *z = (*z - mean) * scale);
                slope.fill(scale);
            }
            _ if slope.is_empty() => z.iter_mut().for_each(|z| *z = self.value_and_slope(*z).0),
            _ => z.iter_mut().zip(slope).for_each(|(z, slope)| (*z, *slope) = self.value_and_slope(*z)),
        }
    }

    fn backward_row<T: Scalar>(&self, a: &[T], slope: &[T], delta: &mut [T]) {
        match self.unit {
            Unit::SoftmaxDiagonal if self.faulty => {
                delta.iter_mut().zip(a).for_each(|(d, &a)| *d *= a * (T::ONE - a));
            }
            Unit::SoftmaxDiagonal => Activation::Softmax.backward_row(a, slope, delta),
            Unit::FixedStatistics | Unit::FixedMean | Unit::FixedDeviation => {
                let is_fixed = |unit| self.faulty && (self.unit == unit || self.unit == Unit::FixedStatistics);
                let width = T::from_f64(a.len() as f64);
                let (mut mean, mut along) = (T::ZERO, T::ZERO);
                delta.iter().zip(a).for_each(|(&d, &a)| (mean, along) = (mean + d / width, along + a * d / width));
                mean = if is_fixed(Unit::FixedMean) { T::ZERO } else { mean };
                along = if is_fixed(Unit::FixedDeviation) { T::ZERO } else { along };
                delta.iter_mut().zip(a).zip(slope).for_each(|((d, &a), &s)| *d = s * (*d - mean - a * along));
            }
            _ => delta.iter_mut().zip(slope).for_each(|(d, &s)| *d *= s),
        }
    }

    fn piece(&self, z: f64) -> u32 {
        self.base().piece(z)
    }

    fn is_piecewise(&self) -> Option<bool> {
        self.base().is_piecewise()
    }
}

/// To five digits, as papers are quoted.
fn rounded(constant: f64) -> f64 {
    (constant * 1e4).round() / 1e4
}

/// A loss, and what is wrong with its gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lapse {
    /// Cross-entropy of probabilities, with the gradient for the logit.
    LogitOfProbability,
    /// Half the mean square over outputs, with the gradient of the sum.
    SumOfOutputs,
    /// Half the square, with the slope of the whole.
    SlopeOfWhole,
    /// Cross-entropy of probabilities kept from 0 and 1; the gradient is not.
    Unclipped,
    /// Softmax cross-entropy, whose gradient takes the first class for padding.
    FirstClassIgnored,
    /// Softmax cross-entropy with class weights, whose gradient has none before the probabilities.
    MassForgotten,
    /// Softmax cross-entropy with smoothed labels, and the gradient of hard ones.
    HardLabels,
    /// Huber's loss, whose linear side has slope 1.
    UnitKnee,
    /// Focal loss, whose gradient takes the focus for a constant.
    FixedFocus,
    /// The same of sigmoids: the cross-entropy's gradient times the focus.
    FixedFocusOfSigmoids,
    /// The pinball loss, whose slopes have changed sides.
    PinballSides,
    /// Poisson's loss of log-rates, whose gradient takes them for rates.
    RateNotTaken,
    /// The hinge, whose slope is that of rows beyond the margin.
    BeyondMargin,
}

/// A loss with its fault, or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    pub lapse: Lapse,
    pub faulty: bool,
}

/// How near to 0 and 1 a probability counts.
pub(super) const CLIP: f64 = 1e-7;
/// Probability given to all classes alike.
const SMOOTHING: f64 = 0.1;
/// Where Huber's loss turns linear; at 1, its default, a slope of 1 is right.
const KNEE: f64 = 0.5;
/// A quantile; at 0.5, the median, both sides are alike.
const QUANTILE: f64 = 0.9;
/// The exponent of Lin et al.
const FOCUS: f64 = 2.0;

impl Measure {
    /// The output activation that it is meant for.
    pub fn output(&self) -> Activation {
        match self.lapse {
            Lapse::LogitOfProbability | Lapse::Unclipped => Activation::Sigmoid,
            _ => Activation::Identity,
        }
    }

    /// Whether its targets are classes.
    pub fn is_classes(&self) -> bool {
        use Lapse::{BeyondMargin, FirstClassIgnored, FixedFocus, FixedFocusOfSigmoids, HardLabels, MassForgotten};
        matches!(
            self.lapse,
            FirstClassIgnored | MassForgotten | HardLabels | FixedFocus | FixedFocusOfSigmoids | BeyondMargin
        )
    }

    /// Whether its targets are counts.
    pub fn is_counts(&self) -> bool {
        self.lapse == Lapse::RateNotTaken
    }
}

impl LossFn for Measure {
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
        let constant = T::from_f64;
        let (width, faulty) = (output.len() as f64, self.faulty);
        let cross_entropy = Loss::SoftmaxCrossEntropy;
        match self.lapse {
            Lapse::LogitOfProbability | Lapse::Unclipped => {
                let mut sum = T::ZERO;
                for ((&p, &t), d) in output.iter().zip(target).zip(delta) {
                    let clipped = self.lapse == Lapse::Unclipped && is_clipped(p.real());
                    let counted = if clipped { constant(p.real().clamp(CLIP, 1.0 - CLIP)) } else { p };
                    sum -= t * counted.ln() + (T::ONE - t) * (T::ONE - counted).ln();
                    *d = match self.lapse {
                        Lapse::LogitOfProbability if faulty => p - t,
                        _ if clipped && !faulty => T::ZERO,
                        _ => (p - t) / (p * (T::ONE - p)),
                    };
                }
                sum
            }
            Lapse::SumOfOutputs => {
                let value = Loss::SquaredError.row(output, target, delta);
                if !faulty {
                    delta.iter_mut().for_each(|d| *d /= constant(width));
                }
                value / constant(width)
            }
            Lapse::SlopeOfWhole => {
                let value = Loss::SquaredError.row(output, target, delta);
                if faulty {
                    delta.iter_mut().for_each(|d| *d *= constant(2.0));
                }
                value
            }
            Lapse::FirstClassIgnored => {
                let value = cross_entropy.row(output, target, delta);
                if faulty && target[0] == T::ONE {
                    delta.fill(T::ZERO);
                }
                value
            }
            Lapse::MassForgotten => {
                // The first class counts once, each further one half more.
                let counted = |(j, &t): (usize, &T)| t * constant(1.0 + 0.5 * j as f64);
                let target: Vec<T> = target.iter().enumerate().map(counted).collect();
                let value = cross_entropy.row(output, &target, delta);
                if faulty {
                    delta.iter_mut().zip(softmax(output)).zip(&target).for_each(|((d, p), &t)| *d = p - t);
                }
                value
            }
            Lapse::HardLabels => {
                let smooth = |&t: &T| constant(1.0 - SMOOTHING) * t + constant(SMOOTHING / width);
                let smoothed: Vec<T> = target.iter().map(smooth).collect();
                let value = cross_entropy.row(output, &smoothed, delta);
                if faulty {
                    cross_entropy.row(output, target, delta);
                }
                value
            }
            Lapse::UnitKnee => {
                let value = Loss::Huber { delta: KNEE }.row(output, target, delta);
                if faulty {
                    let linear = delta.iter_mut().filter(|d| d.real().abs() >= KNEE);
                    linear.for_each(|d| *d /= constant(KNEE));
                }
                value
            }
            Lapse::FixedFocus => {
                let p = softmax(output);
                let class = target.iter().position(|&t| t == T::ONE).unwrap_or(0);
                let (chosen, rest) = (p[class], T::ONE - p[class]);
                // -(1 - p)^2 ln p, and its slope by ln p.
                let (focus, log) = (rest * rest, chosen.ln());
                let slope = if faulty { -focus } else { constant(2.0) * rest * chosen * log - focus };
                for (j, (d, p)) in delta.iter_mut().zip(p).enumerate() {
                    *d = slope * (if j == class { T::ONE } else { T::ZERO } - p);
                }
                -focus * log
            }
            Lapse::FixedFocusOfSigmoids => {
                let value = Loss::Focal { gamma: FOCUS }.row(output, target, delta);
                if faulty {
                    for ((d, &o), &t) in delta.iter_mut().zip(output).zip(target) {
                        let wrong = (if t == T::ONE { -o } else { o }).sigmoid();
                        *d = wrong * wrong * (o.sigmoid() - t);
                    }
                }
                value
            }
            Lapse::PinballSides => {
                let value = Loss::Quantile { quantile: QUANTILE }.row(output, target, delta);
                if faulty {
                    Loss::Quantile { quantile: 1.0 - QUANTILE }.row(output, target, delta);
                }
                value
            }
            Lapse::RateNotTaken => {
                let value = Loss::Poisson.row(output, target, delta);
                if faulty {
                    delta.iter_mut().zip(output.iter().zip(target)).for_each(|(d, (&o, &t))| *d = o - t);
                }
                value
            }
            Lapse::BeyondMargin => {
                let value = Loss::Hinge.row(output, target, delta);
                if faulty {
                    for ((d, &o), &t) in delta.iter_mut().zip(output).zip(target) {
                        let y = t + t - T::ONE;
                        *d = if (y * o).real() > 1.0 { -y } else { T::ZERO };
                    }
                }
                value
            }
        }
    }

    fn piece(&self, output: &[f64], target: &[f64]) -> u64 {
        match self.lapse {
            Lapse::Unclipped => output.iter().fold(0, |piece, &p| piece.wrapping_mul(2) + u64::from(is_clipped(p))),
            Lapse::UnitKnee => Loss::Huber { delta: KNEE }.piece(output, target),
            Lapse::PinballSides => Loss::Quantile { quantile: QUANTILE }.piece(output, target),
            Lapse::BeyondMargin => Loss::Hinge.piece(output, target),
            _ => 0,
        }
    }

    fn is_piecewise(&self) -> Option<bool> {
        let kinked = [Lapse::Unclipped, Lapse::UnitKnee, Lapse::PinballSides, Lapse::BeyondMargin];
        Some(kinked.contains(&self.lapse))
    }
}

fn is_clipped(p: f64) -> bool {
    !(CLIP..=1.0 - CLIP).contains(&p)
}

fn softmax<T: Scalar>(logits: &[T]) -> Vec<T> {
    let mut p = logits.to_vec();
    Activation::Softmax.forward_row(&mut p, &mut []);
    p
}
