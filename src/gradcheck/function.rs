//! What is checked: a function, and whatever else it can tell of itself.
//!
//! Values are enough. A function that also tells which smooth piece it was in has its kinks found rather than guessed; one that is
//! written over [`Scalar`] has witnesses beside differences; one that has structure may find values beside the point by less work
//! than from the start. Begin reading at [`Function`].

use crate::complex::{Complex, STEP};
use crate::dual::Dual;
use crate::scalar::Scalar;
use serde::Serialize;
use std::fmt;
use std::ops::Range;

/// A witness against a gradient. None of them knows anything of the gradient's own code, nor of each other's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Oracle {
    /// Central differences of values, extrapolated, with an estimate of their own error. Every function has them.
    Differences,
    /// Forward mode, in [dual numbers](crate::dual): the rules of calculus, to all digits.
    Dual,
    /// A [complex step](crate::complex): no rules and no differences, to all digits.
    Complex,
}

impl Oracle {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Differences, Self::Dual, Self::Complex];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Differences => "differences",
            Self::Dual => "dual",
            Self::Complex => "complex",
        }
    }
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A value of the function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The value.
    pub value: f64,
    /// How many of its parts (units, rows, branches) are in another smooth piece than at the point that is checked; `None` if the
    /// function does not tell.
    pub crossed: Option<usize>,
}

impl From<f64> for Sample {
    fn from(value: f64) -> Self {
        Self { value, crossed: None }
    }
}

/// One coordinate of the point, put elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    /// Which.
    pub index: usize,
    /// What it becomes.
    pub to: f64,
}

/// Coordinates that belong together and have a name: a layer's weights, its biases. None is ever skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The name.
    pub name: String,
    /// Where its coordinates lie.
    pub range: Range<usize>,
}

/// A function of many numbers, around the point that it is checked at.
pub trait Function {
    /// The value at `x`, which may be the point itself or any other.
    fn sample(&mut self, x: &[f64]) -> Sample;

    /// The values where single coordinates are moved, each by itself, away from the point `at`.
    ///
    /// **Shapes**: `samples` has a place for each of `moves`. **Overwrites** `samples`.
    fn moved(&mut self, at: &[f64], moves: &[Move], samples: &mut [Sample]) {
        let mut x = at.to_vec();
        for (sample, &Move { index, to }) in samples.iter_mut().zip(moves) {
            x[index] = to;
            *sample = self.sample(&x);
            x[index] = at[index];
        }
    }

    /// The slope at `at` along `direction`, by `oracle` (never [`Oracle::Differences`]); `None` if there is no such witness.
    fn slope(&mut self, oracle: Oracle, at: &[f64], direction: &[f64]) -> Option<f64> {
        let _ = (oracle, at, direction);
        None
    }

    /// The slopes at `at` of the given coordinates, by `oracle`; whether there is such a witness.
    ///
    /// **Shapes**: `slopes` has a place for each of `indices`. **Overwrites** `slopes`.
    fn slopes(&mut self, oracle: Oracle, at: &[f64], indices: &[usize], slopes: &mut [f64]) -> bool {
        let mut direction = vec![0.0; at.len()];
        for (slope, &index) in slopes.iter_mut().zip(indices) {
            direction[index] = 1.0;
            match self.slope(oracle, at, &direction) {
                Some(found) => *slope = found,
                None => return false,
            }
            direction[index] = 0.0;
        }
        true
    }

    /// The coordinates' tensors, in order; those of the options if there are none.
    fn tensors(&self) -> Vec<Tensor> {
        Vec::new()
    }

    /// The name of a coordinate, if it has one.
    fn name(&self, index: usize) -> Option<String> {
        let _ = index;
        None
    }

    /// For each coordinate, a bound on the rounding errors of its entry of a right gradient, if one is known: what separates a
    /// rounding from a fault where the witness itself has all digits. Without it [`Options::exact`](super::Options::exact) does.
    fn rounding(&self) -> Option<&[f64]> {
        None
    }
}

/// Values alone.
pub(super) struct Values<F>(pub F);

impl<F: FnMut(&[f64]) -> f64> Function for Values<F> {
    fn sample(&mut self, x: &[f64]) -> Sample {
        (self.0)(x).into()
    }
}

/// Values, and which piece they were found in.
pub(super) struct Pieces<F> {
    pub f: F,
    /// That of the point.
    pub piece: u64,
}

impl<F: FnMut(&[f64]) -> (f64, u64)> Function for Pieces<F> {
    fn sample(&mut self, x: &[f64]) -> Sample {
        let (value, piece) = (self.f)(x);
        Sample { value, crossed: Some(usize::from(piece != self.piece)) }
    }
}

/// A function written once, for every kind of number.
///
/// Run on `f64` it gives values; on [`Dual`] and [`Complex`] numbers, derivatives. Decisions (is it positive?) are to be taken on
/// [`Scalar::real`].
///
/// ```
/// use deltarule::gradcheck::{self, Generic, Options};
/// use deltarule::scalar::Scalar;
///
/// /// Rosenbrock's valley.
/// struct Valley;
///
/// impl Generic for Valley {
///     fn value<S: Scalar>(&self, x: &[S]) -> S {
///         let (a, b) = (S::ONE - x[0], x[1] - x[0] * x[0]);
///         a * a + S::from_f64(100.0) * b * b
///     }
/// }
///
/// let at: [f64; 2] = [-1.2, 1.0];
/// let b = at[1] - at[0] * at[0];
/// let gradient = [-2.0 * (1.0 - at[0]) - 400.0 * at[0] * b, 200.0 * b];
/// let report = gradcheck::check_generic(&Valley, &gradient, &at, &Options::default());
/// report.require()?;
/// println!("{report}"); // ends with who disagrees with whom: gradient, differences, dual, complex
/// # Ok::<(), deltarule::Error>(())
/// ```
pub trait Generic {
    /// The value at `x`.
    fn value<S: Scalar>(&self, x: &[S]) -> S;

    /// Which smooth piece `x` lies in, as any number that differs between them; `None` if that is not known.
    fn piece(&self, x: &[f64]) -> Option<u64> {
        let _ = x;
        None
    }
}

/// A [`Generic`] function around its point.
pub(super) struct Witnessed<'a, G> {
    pub f: &'a G,
    pub piece: Option<u64>,
}

impl<G: Generic> Function for Witnessed<'_, G> {
    fn sample(&mut self, x: &[f64]) -> Sample {
        let crossed = self.piece.and_then(|here| Some(usize::from(self.f.piece(x)? != here)));
        Sample { value: self.f.value(x), crossed }
    }

    fn slope(&mut self, oracle: Oracle, at: &[f64], direction: &[f64]) -> Option<f64> {
        slope_of(oracle, at, direction, |x| self.f.value(x), |x| self.f.value(x))
    }
}

/// The slope along `direction` of a function that runs on dual and complex numbers.
pub fn slope_of(
    oracle: Oracle,
    at: &[f64],
    direction: &[f64],
    dual: impl FnOnce(&[Dual]) -> Dual,
    complex: impl FnOnce(&[Complex]) -> Complex,
) -> Option<f64> {
    let along = at.iter().zip(direction);
    match oracle {
        Oracle::Differences => None,
        Oracle::Dual => Some(dual(&along.map(|(&value, &slope)| Dual { value, slope }).collect::<Vec<_>>()).slope),
        Oracle::Complex => {
            let x: Vec<_> = along.map(|(&re, &d)| Complex { re, im: STEP * d }).collect();
            Some(complex(&x).im / STEP)
        }
    }
}
