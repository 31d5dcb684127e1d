//! Activation functions: the closed list [`Activation`], and the open door [`ActivationFn`] for anybody's own.
//!
//! Row 3 of the house: imports the engines and the ground. Begin reading at [`ActivationFn`].

use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::elementwise::{Function, SELU_ALPHA, SELU_SCALE};
use crate::kernel::softmax::RowFunction;
use crate::kernel::vector;
use crate::scalar::Scalar;
use crate::simd::Isa;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Debug};

/// What a layer does to its weighted sums `z`.
///
/// One function is asked for: value and slope at one `z`, for any [`Scalar`]. The rest has defaults. A function of whole rows, as softmax
/// is one, overrides [`forward_row`](Self::forward_row) and [`backward_row`](Self::backward_row); what has kinks, [`piece`](Self::piece)
/// and [`is_piecewise`](Self::is_piecewise), so that gradient checks tell kinks from faults; what has kernels of its own, the rest.
///
/// ```
/// use deltarule::activation::ActivationFn;
/// use deltarule::gradcheck;
/// use deltarule::scalar::Scalar;
///
/// /// Bent identity: `(sqrt(z^2 + 1) - 1) / 2 + z`.
/// #[derive(Clone, Debug)]
/// struct BentIdentity;
///
/// impl ActivationFn for BentIdentity {
///     fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
///         let two = T::from_f64(2.0);
///         let root = (z * z + T::ONE).sqrt();
///         ((root - T::ONE) / two + z, z / (two * root) + T::ONE)
///     }
/// }
///
/// let points = [-3.0, -0.5, 0.0, 0.25, 4.0];
/// gradcheck::scalar(|z| BentIdentity.value_and_slope(z).0, |z| BentIdentity.value_and_slope(z).1, &points).require().unwrap();
/// ```
pub trait ActivationFn: Clone + Debug + Send + Sync + 'static {
    /// The value and the derivative at `z`.
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T);

    /// A row of weighted sums in any numbers: they become activations, and `slope` what [`backward_row`](Self::backward_row) needs; it is
    /// empty where no gradient will be asked for. It also runs on dual and complex numbers, which is how every gradient is verified.
    ///
    /// **Overwrites** `z` and `slope`.
    fn forward_row<T: Scalar>(&self, z: &mut [T], slope: &mut [T]) {
        each_forward(self, z, slope);
    }

    /// Turns the gradient with respect to the activations `a` of a row into the one with respect to its weighted sums.
    ///
    /// **Overwrites** `delta`.
    fn backward_row<T: Scalar>(&self, a: &[T], slope: &[T], delta: &mut [T]) {
        let _ = a;
        each_backward(slope, delta);
    }

    /// [`forward_row`](Self::forward_row) for rows of `cols` weighted sums, without slopes: where a kernel comes in.
    ///
    /// **Overwrites** `z`.
    fn apply<T: Float>(&self, isa: Isa, z: &mut [T], cols: usize) {
        let _ = isa;
        z.chunks_exact_mut(cols).for_each(|row| self.forward_row(row, &mut []));
    }

    /// [`apply`](Self::apply), and keeps the slopes for [`backward`](Self::backward).
    ///
    /// **Overwrites** `z` and `slope`.
    fn apply_with_slope<T: Float>(&self, isa: Isa, z: &mut [T], slope: &mut [T], cols: usize) {
        let _ = isa;
        let rows = z.chunks_exact_mut(cols).zip(slope.chunks_exact_mut(cols));
        rows.for_each(|(row, slope)| self.forward_row(row, slope));
    }

    /// [`backward_row`](Self::backward_row) for rows of `cols`.
    ///
    /// **Overwrites** `delta`.
    fn backward<T: Float>(&self, isa: Isa, a: &[T], slope: &[T], delta: &mut [T], cols: usize) {
        let _ = isa;
        let rows = a.chunks_exact(cols).zip(slope.chunks_exact(cols)).zip(delta.chunks_exact_mut(cols));
        rows.for_each(|((a, slope), delta)| self.backward_row(a, slope, delta));
    }

    /// Which of its smooth pieces `z` lies in, numbered from left to right.
    ///
    /// The slope may jump between two pieces and nowhere else. A verification that knows the pieces can tell a kink from a fault, and
    /// certifies that a step has crossed none; one that does not has to guess from slopes.
    fn piece(&self, z: f64) -> u32 {
        let _ = z;
        0
    }

    /// Whether there is more than one piece; `None`, the default, says that [`piece`](Self::piece) tells nothing.
    fn is_piecewise(&self) -> Option<bool> {
        None
    }

    /// Whether it has a slope that training can follow.
    fn is_differentiable(&self) -> bool {
        true
    }

    /// Whether its constants are in their range.
    ///
    /// **Errors** name the constant.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The member of the closed list that this is, if it is one: how a loss recognises its own link.
    fn builtin(&self) -> Option<Activation> {
        None
    }
}

/// [`ActivationFn::forward_row`] of a function that looks at each sum alone.
fn each_forward<T: Scalar, A: ActivationFn>(f: &A, z: &mut [T], slope: &mut [T]) {
    if slope.is_empty() {
        z.iter_mut().for_each(|z| *z = f.value_and_slope(*z).0);
    } else {
        z.iter_mut().zip(slope).for_each(|(z, slope)| (*z, *slope) = f.value_and_slope(*z));
    }
}

/// [`ActivationFn::backward_row`] of such a function.
fn each_backward<T: Scalar>(slope: &[T], delta: &mut [T]) {
    delta.iter_mut().zip(slope).for_each(|(delta, &slope)| *delta *= slope);
}

/// The built-in activations.
///
/// All are defined for every input: NaN stays NaN, and at the infinities they take their limits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Activation {
    /// `z`.
    Identity,
    /// Heaviside: 1 where `z > 0`, else 0. It has no useful slope: only the perceptron rule trains it.
    Step,
    /// The logistic sigmoid `1 / (1 + exp(-z))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `max(z, 0)`; its slope at 0 is taken as 0.
    Relu,
    /// `z` where positive, else `slope z`.
    LeakyRelu {
        /// The slope of the negative side.
        slope: f64,
    },
    /// `z` where positive, else `alpha (exp(z) - 1)` (Clevert, Unterthiner and Hochreiter 2016).
    Elu {
        /// Minus the limit at minus infinity.
        alpha: f64,
    },
    /// Scaled ELU with the constants that keep mean 0 and variance 1 (Klambauer et al. 2017, eq. 14).
    Selu,
    /// `ln(1 + exp(z))`.
    Softplus,
    /// `z sigmoid(z)`, also called swish.
    Silu,
    /// `z Phi(z)` with the normal distribution function, in its exact form by `erf` (Hendrycks and Gimpel 2016).
    Gelu,
    /// GELU in its tanh form, `z (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) / 2`.
    GeluTanh,
    /// `exp(z)`, the rate of counts. Infinite where that is too large for the numbers' type: from `z` = 88.73 on in `f32`, 709.79 in
    /// `f64`; a training that goes there ends as diverged.
    Exponential,
    /// `exp(z_j) / sum(exp(z))` over the row: for the output layer only.
    Softmax,
}

impl Activation {
    /// Every built-in activation, with the constants its users expect.
    pub const ALL: [Self; 14] = [
        Self::Identity,
        Self::Step,
        Self::Sigmoid,
        Self::Tanh,
        Self::Relu,
        Self::LeakyRelu { slope: 0.01 },
        Self::Elu { alpha: 1.0 },
        Self::Selu,
        Self::Softplus,
        Self::Silu,
        Self::Gelu,
        Self::GeluTanh,
        Self::Exponential,
        Self::Softmax,
    ];

    /// Reads a name such as `tanh`, `leaky_relu` or `leaky_relu=0.2`.
    ///
    /// **Errors** name the list.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, constant) = match text.split_once('=') {
            Some((name, number)) => (name, Some(number)),
            None => (text, None),
        };
        let name = match name {
            "logistic" => "sigmoid",
            "linear" => "identity",
            "swish" => "silu",
            "heaviside" => "step",
            "exp" => "exponential",
            name => name,
        };
        let found = Self::ALL.into_iter().find(|a| a.name() == name);
        let refuse = || {
            let names: Vec<_> = Self::ALL.iter().map(Self::name).collect();
            Error::setting("activation", format!("one of {}", names.join(", ")), format!("'{text}'"))
        };
        let Some(number) = constant else { return found.ok_or_else(refuse) };
        let number = number.parse().ok().filter(|&n| in_range(n)).ok_or_else(refuse)?;
        match found {
            Some(Self::LeakyRelu { .. }) => Ok(Self::LeakyRelu { slope: number }),
            Some(Self::Elu { .. }) => Ok(Self::Elu { alpha: number }),
            _ => Err(refuse()),
        }
    }

    /// Its kernel, if it is a function of one number with a slope.
    pub(crate) fn kernel(self) -> Option<Function> {
        Some(match self {
            Self::Sigmoid => Function::Sigmoid,
            Self::Tanh => Function::Tanh,
            Self::Relu => Function::Relu,
            Self::LeakyRelu { slope } => Function::LeakyRelu { slope },
            Self::Elu { alpha } => Function::Elu { alpha },
            Self::Selu => Function::Selu,
            Self::Softplus => Function::Softplus,
            Self::Silu => Function::Silu,
            Self::Gelu => Function::Gelu,
            Self::GeluTanh => Function::GeluTanh,
            Self::Exponential => Function::Exp,
            Self::Identity | Self::Step | Self::Softmax => return None,
        })
    }

    /// The name without constants.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Step => "step",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::LeakyRelu { .. } => "leaky_relu",
            Self::Elu { .. } => "elu",
            Self::Selu => "selu",
            Self::Softplus => "softplus",
            Self::Silu => "silu",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_tanh",
            Self::Exponential => "exponential",
            Self::Softmax => "softmax",
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeakyRelu { slope: number } | Self::Elu { alpha: number } => write!(f, "{}={number}", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}

/// Whether a number may be an activation's constant.
fn in_range(constant: f64) -> bool {
    constant.is_finite() && constant >= 0.0
}

/// `z` where it is positive or NaN, else the value and slope of `below`.
fn rectified<T: Scalar>(z: T, scale: T, below: impl FnOnce() -> (T, T)) -> (T, T) {
    if z.real() <= 0.0 { below() } else { (scale * z, scale) }
}

/// `z gate(z)` and its slope `gate + z gate'`; the product's limit where the gate has shut.
fn gated<T: Scalar>(z: T, gate: T, gate_slope: T) -> (T, T) {
    if gate == T::ZERO { (T::ZERO, T::ZERO) } else { (z * gate, z.mul_add(gate_slope, gate)) }
}

impl ActivationFn for Activation {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        let constant = T::from_f64;
        match *self {
            Self::Identity => (z, T::ONE),
            Self::Step if z.real().is_nan() => (z, T::ZERO),
            Self::Step => (if z.real() > 0.0 { T::ONE } else { T::ZERO }, T::ZERO),
            Self::Sigmoid => {
                let s = z.sigmoid();
                (s, s * (T::ONE - s))
            }
            Self::Tanh => {
                let t = z.tanh();
                (t, T::ONE - t * t)
            }
            Self::Relu => rectified(z, T::ONE, || (T::ZERO, T::ZERO)),
            Self::LeakyRelu { slope } => rectified(z, T::ONE, || (constant(slope) * z, constant(slope))),
            Self::Elu { alpha } => {
                let alpha = constant(alpha);
                rectified(z, T::ONE, || (alpha * z.exp_m1(), alpha * z.exp()))
            }
            Self::Selu => {
                let alpha = constant(SELU_SCALE * SELU_ALPHA);
                rectified(z, constant(SELU_SCALE), || (alpha * z.exp_m1(), alpha * z.exp()))
            }
            Self::Softplus => (z.softplus(), z.sigmoid()),
            Self::Silu => {
                let s = z.sigmoid();
                gated(z, s, s * (-z).sigmoid())
            }
            Self::Gelu => {
                let half = constant(0.5);
                let density = constant((0.5 / std::f64::consts::PI).sqrt()) * (-(half * z * z)).exp();
                gated(z, half * (-z * constant(std::f64::consts::FRAC_1_SQRT_2)).erfc(), density)
            }
            Self::GeluTanh => {
                let root = (2.0 / std::f64::consts::PI).sqrt();
                let cubic = constant(root * 0.044_715) * z * z;
                // (1 + tanh(x)) / 2 is sigmoid(2x), which keeps its digits in the tail.
                let twice = (z + z) * (constant(root) + cubic);
                let (gate, shut) = (twice.sigmoid(), (-twice).sigmoid());
                let slope = constant(2.0 * root) + constant(6.0) * cubic;
                // Once the gate is fully open or shut its slope is 0, also where `slope` has overflowed.
                let product = gate * shut;
                gated(z, gate, if product == T::ZERO { T::ZERO } else { product * slope })
            }
            Self::Exponential => {
                let e = z.exp();
                (e, e)
            }
            // Of a row that is this unit alone; rows go through `apply`.
            Self::Softmax => (if z.is_finite() { T::ONE } else { T::from_f64(f64::NAN) }, T::ZERO),
        }
    }

    fn apply<T: Float>(&self, isa: Isa, z: &mut [T], cols: usize) {
        match (self, self.kernel()) {
            (_, Some(function)) => function.apply(isa, z),
            (Self::Softmax, _) => RowFunction::Softmax.apply(isa, z, cols),
            (Self::Step, _) => z.iter_mut().for_each(|z| *z = self.value_and_slope(*z).0),
            _ => {}
        }
    }

    fn apply_with_slope<T: Float>(&self, isa: Isa, z: &mut [T], slope: &mut [T], cols: usize) {
        match self.kernel() {
            Some(function) => function.apply_with_slope(isa, z, slope),
            None => {
                self.apply(isa, z, cols);
                if *self == Self::Step {
                    slope.fill(T::ZERO);
                }
            }
        }
    }

    fn backward<T: Float>(&self, isa: Isa, a: &[T], slope: &[T], delta: &mut [T], cols: usize) {
        match self {
            Self::Identity => {}
            Self::Softmax => RowFunction::Softmax.backward(isa, a, delta, cols),
            _ => vector::multiply(isa, delta, slope),
        }
    }

    fn forward_row<T: Scalar>(&self, z: &mut [T], slope: &mut [T]) {
        if *self != Self::Softmax {
            return each_forward(self, z, slope);
        }
        let top = z.iter().copied().reduce(|top, z| if z.real() > top.real() { z } else { top }).unwrap_or_default();
        let mut sum = T::ZERO;
        for z in z.iter_mut() {
            *z = (*z - top).exp();
            sum += *z;
        }
        z.iter_mut().for_each(|z| *z /= sum);
    }

    fn backward_row<T: Scalar>(&self, a: &[T], slope: &[T], delta: &mut [T]) {
        if *self != Self::Softmax {
            return each_backward(slope, delta);
        }
        let mut mean = T::ZERO;
        a.iter().zip(&*delta).for_each(|(&a, &d)| mean = a.mul_add(d, mean));
        delta.iter_mut().zip(a).for_each(|(d, &a)| *d = a * (*d - mean));
    }

    fn piece(&self, z: f64) -> u32 {
        u32::from(self.is_piecewise() == Some(true) && z > 0.0)
    }

    fn is_piecewise(&self) -> Option<bool> {
        Some(matches!(self, Self::Step | Self::Relu | Self::LeakyRelu { .. } | Self::Elu { .. } | Self::Selu))
    }

    fn is_differentiable(&self) -> bool {
        *self != Self::Step
    }

    fn check(&self) -> Result<()> {
        match *self {
            Self::LeakyRelu { slope: number } | Self::Elu { alpha: number } if !in_range(number) => {
                Err(Error::setting(format!("the constant of {}", self.name()), "a finite number of at least 0", number))
            }
            _ => Ok(()),
        }
    }

    fn builtin(&self) -> Option<Activation> {
        Some(*self)
    }
}
