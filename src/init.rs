//! Initial weights: how wide the first random numbers are.
//!
//! Row 3 of the house: imports `activation`, `rng`, `scalar`.

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::rng::Rng;
use crate::scalar::Scalar;
use serde::{Deserialize, Serialize};

/// The distribution of initial weights. Biases start at 0, except in [`NguyenWidrow`](Self::NguyenWidrow).
///
/// `n` is the layer's number of inputs, `m` of outputs.
///
/// **Determinism**: the same [`Rng`] gives the same weights on every platform.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Init {
    /// Uniform within `sqrt(6 / (n + m))` (Glorot and Bengio 2010, eq. 16).
    GlorotUniform,
    /// Normal with deviation `sqrt(2 / (n + m))`.
    GlorotNormal,
    /// Uniform within `sqrt(6 / n)` (He et al. 2015, eq. 10, as a uniform).
    HeUniform,
    /// Normal with deviation `sqrt(2 / n)` (He et al. 2015, eq. 10).
    HeNormal,
    /// Uniform within `sqrt(3 / n)` (LeCun et al. 1998, section 4.6, as a uniform).
    LecunUniform,
    /// Normal with deviation `sqrt(1 / n)` (LeCun et al. 1998, eq. 16).
    LecunNormal,
    /// Uniform within `limit`.
    Uniform {
        /// The largest magnitude.
        limit: f64,
    },
    /// Normal with the given deviation.
    Normal {
        /// The standard deviation.
        deviation: f64,
    },
    /// All zero: for one-layer networks, whose units need no difference to begin with.
    Zeros,
    /// Hidden units whose active regions tile the inputs, which are taken to lie in -1 to 1 (Nguyen and Widrow 1990): `m` weight
    /// vectors of length `0.7 m^(1/n)` in random directions, and biases evenly spaced within that length, so that in one dimension
    /// the units share the interval. Of a sigmoid, which is half as steep as a tanh, both are doubled. The paper draws the biases
    /// uniformly; evenly spaced, as MATLAB's `initnw` has them, they leave no gaps. An output layer's weights are those of
    /// [`GlorotUniform`](Self::GlorotUniform). Where inputs reach further than 1, as standardised ones do, the tiles lie nearer
    /// to their middle.
    NguyenWidrow,
}

impl Init {
    /// Every initialiser, with unit width where it is a choice.
    pub const ALL: [Self; 10] = [
        Self::GlorotUniform,
        Self::GlorotNormal,
        Self::HeUniform,
        Self::HeNormal,
        Self::LecunUniform,
        Self::LecunNormal,
        Self::Uniform { limit: 1.0 },
        Self::Normal { deviation: 1.0 },
        Self::Zeros,
        Self::NguyenWidrow,
    ];

    /// What suits an activation: He for rectifiers, LeCun for SELU, Glorot for the rest.
    pub fn suited_to(activation: Activation) -> Self {
        match activation {
            Activation::Relu
            | Activation::LeakyRelu { .. }
            | Activation::Elu { .. }
            | Activation::Softplus
            | Activation::Silu
            | Activation::Gelu
            | Activation::GeluTanh => Self::HeUniform,
            Activation::Selu => Self::LecunNormal,
            _ => Self::GlorotUniform,
        }
    }

    /// Reads a name such as `he_normal`, `uniform=0.5` or `normal=1`.
    ///
    /// **Errors** name the list.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, number) = text.split_once('=').map_or((text, None), |(name, number)| (name, Some(number)));
        let width = match number {
            None => Some(1.0),
            Some(number) => number.parse().ok().filter(|&w| in_range(w)),
        };
        let found = Self::ALL.into_iter().find(|i| i.name() == name).zip(width);
        match found {
            Some((Self::Uniform { .. }, limit)) => Ok(Self::Uniform { limit }),
            Some((Self::Normal { .. }, deviation)) => Ok(Self::Normal { deviation }),
            Some((init, _)) if number.is_none() => Ok(init),
            _ => {
                let names: Vec<_> = Self::ALL.iter().map(Self::name).collect();
                Err(Error::setting("init", format!("one of {}", names.join(", ")), format!("'{text}'")))
            }
        }
    }

    /// Whether its constant is in its range.
    ///
    /// **Errors** name it.
    pub fn check(&self) -> Result<()> {
        match *self {
            Self::Uniform { limit: width } | Self::Normal { deviation: width } if !in_range(width) => {
                Err(Error::setting(format!("the constant of {}", self.name()), "a finite number of at least 0", width))
            }
            _ => Ok(()),
        }
    }

    /// The name without constants.
    pub fn name(&self) -> &'static str {
        match self {
            Self::GlorotUniform => "glorot_uniform",
            Self::GlorotNormal => "glorot_normal",
            Self::HeUniform => "he_uniform",
            Self::HeNormal => "he_normal",
            Self::LecunUniform => "lecun_uniform",
            Self::LecunNormal => "lecun_normal",
            Self::Uniform { .. } => "uniform",
            Self::Normal { .. } => "normal",
            Self::Zeros => "zeros",
            Self::NguyenWidrow => "nguyen_widrow",
        }
    }

    /// Draws the weights of a layer of `inputs` x `outputs`, in the order of the slice.
    ///
    /// **Overwrites** `weights`.
    pub fn fill<T: Scalar>(self, rng: &mut Rng, inputs: usize, outputs: usize, weights: &mut [T]) {
        let (n, m) = (inputs as f64, outputs as f64);
        let mut uniform = |limit: f64| weights.iter_mut().for_each(|w| *w = rng.uniform(-limit, limit));
        match self {
            Self::GlorotUniform => uniform((6.0 / (n + m)).sqrt()),
            Self::HeUniform => uniform((6.0 / n).sqrt()),
            Self::LecunUniform => uniform((3.0 / n).sqrt()),
            Self::Uniform { limit } => uniform(limit),
            Self::GlorotNormal => normal(rng, (2.0 / (n + m)).sqrt(), weights),
            Self::HeNormal => normal(rng, (2.0 / n).sqrt(), weights),
            Self::LecunNormal => normal(rng, (1.0 / n).sqrt(), weights),
            Self::Normal { deviation } => normal(rng, deviation, weights),
            Self::Zeros => weights.fill(T::ZERO),
            Self::NguyenWidrow => {
                uniform(1.0);
                let length = active_length(inputs, outputs);
                for unit in 0..outputs {
                    let norm = (weights[unit..].iter().step_by(outputs)).map(|w| w.real().powi(2)).sum::<f64>().sqrt();
                    // All zero is a chance of 2^-24 in one dimension of f32, where it then is a unit that does nothing.
                    let factor = if norm > 0.0 { length / norm } else { 0.0 };
                    weights[unit..].iter_mut().step_by(outputs).for_each(|w| *w = T::from_f64(w.real() * factor));
                }
            }
        }
    }

    /// Draws a layer as a network has it: weights as [`fill`](Self::fill), and the biases, which may be none.
    ///
    /// `activation` is that of the layer's units; `output` says that no layer follows.
    ///
    /// **Overwrites** `weights` and `biases`.
    #[allow(clippy::too_many_arguments, reason = "what a layer is, and its two buffers")]
    pub fn fill_layer<T: Scalar>(
        self,
        rng: &mut Rng,
        activation: Option<Activation>,
        output: bool,
        inputs: usize,
        outputs: usize,
        weights: &mut [T],
        biases: &mut [T],
    ) {
        biases.fill(T::ZERO);
        if self != Self::NguyenWidrow {
            return self.fill(rng, inputs, outputs, weights);
        }
        if output {
            return Self::GlorotUniform.fill(rng, inputs, outputs, weights);
        }
        self.fill(rng, inputs, outputs, weights);
        let steepness = if activation == Some(Activation::Sigmoid) { 2.0 } else { 1.0 };
        weights.iter_mut().for_each(|w| *w *= T::from_f64(steepness));
        let (length, last) = (steepness * active_length(inputs, outputs), outputs.saturating_sub(1).max(1) as f64);
        for (unit, bias) in biases.iter_mut().enumerate() {
            // A single unit lies in the middle. The sign of a weight turns the unit round, and its place with it.
            let place = if outputs > 1 { 2.0 * unit as f64 / last - 1.0 } else { 0.0 };
            let turned = if weights[unit].real() < 0.0 { -place } else { place };
            *bias = T::from_f64(length * turned);
        }
    }
}

/// The length of a weight vector of Nguyen and Widrow's, for units as steep as tanh.
fn active_length(inputs: usize, outputs: usize) -> f64 {
    0.7 * (outputs as f64).powf(1.0 / inputs as f64)
}

/// Whether a number may be the width of a distribution. Twice it must be finite too: from one end to the other.
fn in_range(width: f64) -> bool {
    (2.0 * width).is_finite() && width >= 0.0
}

fn normal<T: Scalar>(rng: &mut Rng, deviation: f64, weights: &mut [T]) {
    weights.iter_mut().for_each(|w| *w = rng.normal(0.0, deviation));
}
