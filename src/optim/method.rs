//! The first-order methods and their constants: what each is, who found it, and what its users expect of it.
//!
//! Row 5 of the house: imports `error`. Begin reading at [`Method`]; what a step does with the constants is in `rule.rs`.

use super::constants::{Constant, Constants, Range};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A first-order method and its constants; the learning rate is not among them, for a schedule may change it.
///
/// Where the rate changes from step to step, each step is taken with its own: whatever a method remembers is made of gradients
/// and knows no rate, as in PyTorch. [`Sgd`](Self::Sgd) alone differs.
///
/// ```
/// use deltarule::optim::Method;
///
/// let method = Method::parse("lion")?.with("beta2", 0.98)?;
/// assert_eq!(method, Method::Lion { beta1: 0.9, beta2: 0.98, weight_decay: 0.0 });
/// assert_eq!(method.with("momentum", 0.5).unwrap_err().to_string(), "momentum has no meaning for lion");
/// # Ok::<(), deltarule::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Method {
    /// Gradient descent, with momentum unless it is 0.
    ///
    /// The velocity gathers steps, not gradients, as in the paper and in scikit-learn: where a schedule lowers the rate, what was
    /// gathered keeps the rates that it was gathered at. PyTorch's gathers gradients and takes all of them at the rate of the
    /// day; at a constant rate the two are the same.
    ///
    /// **Source**: Polyak 1964; for `nesterov`, Sutskever, Martens, Dahl and Hinton 2013, in the form of
    /// [`momentum`](crate::kernel::update::momentum).
    Sgd {
        /// The part of the last step that is taken again, in `0..=1`.
        momentum: f64,
        /// Whether the gradient counts as taken after the momentum's move.
        nesterov: bool,
    },
    /// Steps scaled by running means of the gradient and of its square.
    ///
    /// **Source**: Kingma and Ba 2015, Algorithm 1. `epsilon` is added to the corrected root, as there and in PyTorch;
    /// scikit-learn adds it to the uncorrected one, which differs where gradients are as small as `epsilon`.
    Adam {
        /// Decay of the mean gradient, in `0..1`.
        beta1: f64,
        /// Decay of the mean squared gradient, in `0..1`.
        beta2: f64,
        /// What keeps the quotient finite; above 0.
        epsilon: f64,
    },
    /// [`Adam`](Self::Adam) whose weight decay is no part of the gradient: before each step every parameter, biases too, shrinks by
    /// the factor `1 - rate weight_decay`.
    ///
    /// **Source**: Loshchilov and Hutter 2019, Algorithm 2, in PyTorch's form, where the learning rate scales the decay.
    AdamW {
        /// Decay of the mean gradient, in `0..1`.
        beta1: f64,
        /// Decay of the mean squared gradient, in `0..1`.
        beta2: f64,
        /// What keeps the quotient finite; above 0.
        epsilon: f64,
        /// What a parameter loses of itself, over the rate; from 0 on.
        weight_decay: f64,
    },
    /// [`Adam`](Self::Adam) scaled by the largest mean square so far, so that no step grows because gradients were forgotten.
    ///
    /// **Source**: Reddi, Kale and Kumar 2018, Algorithm 2, with both corrections as in PyTorch (Adam with `amsgrad`).
    AmsGrad {
        /// Decay of the mean gradient, in `0..1`.
        beta1: f64,
        /// Decay of the mean squared gradient, in `0..1`.
        beta2: f64,
        /// What keeps the quotient finite; above 0.
        epsilon: f64,
    },
    /// [`Adam`](Self::Adam) with Nesterov's look ahead, whose momentum begins at half of `beta1` and grows towards it: at step `t` it is
    /// `beta1 (1 - 0.96^(t momentum_decay) / 2)`.
    ///
    /// **Source**: Dozat 2016, Algorithm 2 and its schedule, as in PyTorch.
    NAdam {
        /// Decay of the mean gradient and limit of the momentum, in `0..1`.
        beta1: f64,
        /// Decay of the mean squared gradient, in `0..1`.
        beta2: f64,
        /// What keeps the quotient finite; above 0.
        epsilon: f64,
        /// How fast the momentum grows; from 0 on.
        momentum_decay: f64,
    },
    /// The gradient over the root of its running mean square; `centered`, over that of its variance.
    ///
    /// **Source**: Tieleman and Hinton 2012 (lecture 6.5); for `centered`, Graves 2013, eq. 38 to 45; in PyTorch's form, but the root
    /// of a variance that rounding made negative is 0, not NaN.
    RmsProp {
        /// Decay of the mean square (PyTorch's `alpha`), in `0..1`.
        rho: f64,
        /// What keeps the quotient finite; above 0.
        epsilon: f64,
        /// The part of the last step that is taken again, in `0..=1`.
        momentum: f64,
        /// Whether the square of the running mean is taken from the mean square.
        centered: bool,
    },
    /// The gradient over the root of the sum of all its squares: steps that only shrink, least where gradients are rare.
    ///
    /// **Source**: Duchi, Hazan and Singer 2011, fig. 1 (diagonal).
    Adagrad {
        /// What keeps the quotient finite; above 0.
        epsilon: f64,
    },
    /// Steps in the parameters' own unit: the gradient times the root mean square of past steps, over that of gradients. Its rate is 1.
    ///
    /// **Source**: Zeiler 2012, Algorithm 1; the rate, a factor on each step, is PyTorch's.
    Adadelta {
        /// Decay of both mean squares, in `0..1`.
        rho: f64,
        /// Added under both roots; above 0. Its root is the first step.
        epsilon: f64,
    },
    /// Steps of one size, the rate: the sign of a mean of the gradient, with the decoupled weight decay of [`AdamW`](Self::AdamW).
    ///
    /// **Source**: Chen et al. 2023, Algorithm 2. Its authors advise a rate 3 to 10 times below AdamW's, and a weight decay as many
    /// times above.
    Lion {
        /// The mean's part in the step, in `0..1`.
        beta1: f64,
        /// Decay of the mean, in `0..1`.
        beta2: f64,
        /// What a parameter loses of itself, over the rate; from 0 on.
        weight_decay: f64,
    },
}

impl Method {
    /// All names, in the order of the documentation.
    pub const NAMES: [&'static str; 9] =
        ["sgd", "adam", "adamw", "amsgrad", "nadam", "rmsprop", "adagrad", "adadelta", "lion"];

    /// Gradient descent with scikit-learn's defaults: Nesterov momentum 0.9.
    pub const fn sgd() -> Self {
        Self::Sgd { momentum: 0.9, nesterov: true }
    }

    /// Adam with the paper's and scikit-learn's defaults: 0.9, 0.999, 1e-8.
    pub const fn adam() -> Self {
        Self::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }

    /// AdamW with PyTorch's defaults: Adam's, and a weight decay of 0.01.
    pub const fn adamw() -> Self {
        Self::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }

    /// AMSGrad with PyTorch's defaults, which are Adam's.
    pub const fn amsgrad() -> Self {
        Self::AmsGrad { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }

    /// NAdam with PyTorch's defaults: Adam's, and the paper's schedule.
    pub const fn nadam() -> Self {
        Self::NAdam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, momentum_decay: 0.004 }
    }

    /// RMSprop with PyTorch's defaults: 0.99, 1e-8, neither momentum nor centred.
    pub const fn rmsprop() -> Self {
        Self::RmsProp { rho: 0.99, epsilon: 1e-8, momentum: 0.0, centered: false }
    }

    /// Adagrad with PyTorch's default: 1e-10.
    pub const fn adagrad() -> Self {
        Self::Adagrad { epsilon: 1e-10 }
    }

    /// Adadelta with PyTorch's defaults: 0.9, 1e-6.
    pub const fn adadelta() -> Self {
        Self::Adadelta { rho: 0.9, epsilon: 1e-6 }
    }

    /// Lion with the paper's betas, 0.9 and 0.99, and no weight decay, as in its authors' code; they tune it to the task.
    pub const fn lion() -> Self {
        Self::Lion { beta1: 0.9, beta2: 0.99, weight_decay: 0.0 }
    }

    /// The method of that name, with its default constants.
    ///
    /// **Errors** if there is none.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "sgd" => Ok(Self::sgd()),
            "adam" => Ok(Self::adam()),
            "adamw" => Ok(Self::adamw()),
            "amsgrad" => Ok(Self::amsgrad()),
            "nadam" => Ok(Self::nadam()),
            "rmsprop" => Ok(Self::rmsprop()),
            "adagrad" => Ok(Self::adagrad()),
            "adadelta" => Ok(Self::adadelta()),
            "lion" => Ok(Self::lion()),
            _ => {
                let [most @ .., last] = Self::NAMES;
                Err(Error::setting("method", format!("{} or {last}", most.join(", ")), name))
            }
        }
    }

    /// The method's name, which [`parse`](Self::parse) reads.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
            Self::AmsGrad { .. } => "amsgrad",
            Self::NAdam { .. } => "nadam",
            Self::RmsProp { .. } => "rmsprop",
            Self::Adagrad { .. } => "adagrad",
            Self::Adadelta { .. } => "adadelta",
            Self::Lion { .. } => "lion",
        }
    }

    /// The learning rate that the method's users know as its default: Adam's, AdamW's and AMSGrad's 0.001 (paper, PyTorch,
    /// scikit-learn), NAdam's 0.002 (PyTorch), RMSprop's and Adagrad's 0.01 (PyTorch), Adadelta's 1 (paper, PyTorch), Lion's 1e-4
    /// (its authors' code) and 0.01 for gradient descent (Keras; PyTorch and scikit-learn have 0.001).
    pub const fn default_rate(&self) -> f64 {
        match self {
            Self::Adam { .. } | Self::AdamW { .. } | Self::AmsGrad { .. } => 0.001,
            Self::NAdam { .. } => 0.002,
            Self::Sgd { .. } | Self::RmsProp { .. } | Self::Adagrad { .. } => 0.01,
            Self::Adadelta { .. } => 1.0,
            Self::Lion { .. } => 1e-4,
        }
    }

    /// How many numbers the method remembers for each parameter, at most [`MOST_MOMENTS`](Self::MOST_MOMENTS).
    pub const fn moments(&self) -> usize {
        match *self {
            // Descent without momentum needs no velocity.
            Self::Sgd { momentum: 0.0, .. } => 0,
            Self::Sgd { .. } | Self::Adagrad { .. } | Self::Lion { .. } => 1,
            Self::Adam { .. } | Self::AdamW { .. } | Self::NAdam { .. } | Self::Adadelta { .. } => 2,
            Self::AmsGrad { .. } => 3,
            // The mean square, the mean, the last step.
            Self::RmsProp { momentum, centered, .. } => 1 + centered as usize + (momentum != 0.0) as usize,
        }
    }

    /// The most that any method remembers for each parameter.
    pub const MOST_MOMENTS: usize = 3;

    /// The constants that are numbers, by their names.
    pub fn constants(mut self) -> Vec<(&'static str, f64)> {
        self.constants_mut().into_iter().flatten().map(|constant| (constant.name, *constant.value)).collect()
    }

    /// The method with the constant of that name at `value`.
    ///
    /// **Errors** if the method has no such constant, or `value` is out of its range.
    pub fn with(mut self, name: &str, value: f64) -> Result<Self> {
        let method = self.name();
        let Some(constant) = self.constants_mut().into_iter().flatten().find(|constant| constant.name == name) else {
            return Err(Error::Unsupported(format!("{name} has no meaning for {method}")));
        };
        constant.check(value)?;
        *constant.value = value;
        Ok(self)
    }

    /// Whether every constant is in its range.
    ///
    /// **Errors** name the first that is not.
    pub fn check(&self) -> Result<()> {
        self.check_as(|value| value)
    }

    /// [`check`](Self::check) of the constants as they are once `rounded` to the type of the parameters.
    pub(super) fn check_as(mut self, rounded: impl Fn(f64) -> f64) -> Result<()> {
        self.constants_mut().into_iter().flatten().try_for_each(|constant| constant.check(rounded(*constant.value)))
    }

    /// The one table of names and ranges.
    fn constants_mut(&mut self) -> Constants<'_> {
        use Range::{AboveZero, BelowOne, FromZero, UpToOne};
        let new = Constant::new;
        match self {
            Self::Sgd { momentum, nesterov: _ } => [new("momentum", momentum, UpToOne), None, None, None],
            Self::Adam { beta1, beta2, epsilon } | Self::AmsGrad { beta1, beta2, epsilon } => {
                [new("beta1", beta1, BelowOne), new("beta2", beta2, BelowOne), new("epsilon", epsilon, AboveZero), None]
            }
            Self::AdamW { beta1, beta2, epsilon, weight_decay } => [
                new("beta1", beta1, BelowOne),
                new("beta2", beta2, BelowOne),
                new("epsilon", epsilon, AboveZero),
                new("weight_decay", weight_decay, FromZero),
            ],
            Self::NAdam { beta1, beta2, epsilon, momentum_decay } => [
                new("beta1", beta1, BelowOne),
                new("beta2", beta2, BelowOne),
                new("epsilon", epsilon, AboveZero),
                new("momentum_decay", momentum_decay, FromZero),
            ],
            Self::RmsProp { rho, epsilon, momentum, centered: _ } => [
                new("rho", rho, BelowOne),
                new("epsilon", epsilon, AboveZero),
                new("momentum", momentum, UpToOne),
                None,
            ],
            Self::Adagrad { epsilon } => [new("epsilon", epsilon, AboveZero), None, None, None],
            Self::Adadelta { rho, epsilon } => {
                [new("rho", rho, BelowOne), new("epsilon", epsilon, AboveZero), None, None]
            }
            Self::Lion { beta1, beta2, weight_decay } => [
                new("beta1", beta1, BelowOne),
                new("beta2", beta2, BelowOne),
                new("weight_decay", weight_decay, FromZero),
                None,
            ],
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Sgd { momentum, nesterov } => {
                write!(f, "{name}, momentum {momentum}{}", if *nesterov { " (Nesterov)" } else { "" })
            }
            Self::Adam { beta1, beta2, epsilon } | Self::AmsGrad { beta1, beta2, epsilon } => {
                write!(f, "{name}, beta {beta1} and {beta2}, epsilon {epsilon}")
            }
            Self::AdamW { beta1, beta2, epsilon, weight_decay } => {
                write!(f, "{name}, beta {beta1} and {beta2}, epsilon {epsilon}, weight decay {weight_decay}")
            }
            Self::NAdam { beta1, beta2, epsilon, momentum_decay } => {
                write!(f, "{name}, beta {beta1} and {beta2}, epsilon {epsilon}, momentum decay {momentum_decay}")
            }
            Self::RmsProp { rho, epsilon, momentum, centered } => {
                let centred = if *centered { ", centred" } else { "" };
                write!(f, "{name}, rho {rho}, epsilon {epsilon}, momentum {momentum}{centred}")
            }
            Self::Adagrad { epsilon } => write!(f, "{name}, epsilon {epsilon}"),
            Self::Adadelta { rho, epsilon } => write!(f, "{name}, rho {rho}, epsilon {epsilon}"),
            Self::Lion { beta1, beta2, weight_decay } => {
                write!(f, "{name}, beta {beta1} and {beta2}, weight decay {weight_decay}")
            }
        }
    }
}
