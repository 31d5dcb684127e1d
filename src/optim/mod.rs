//! Optimisers: how parameters follow their gradient. They see slices and know no network.
//!
//! Two families. A first-order [`Method`] turns one gradient into one step ([`Optimizer::step`]) and suits batches;
//! [`lbfgs`] calls the whole objective as often as its line search needs and suits full batches of small data, as [`scg`] does, which
//! has no line search; [`levenberg_marquardt`] also asks for the curvature of a sum of squares and suits networks of up to some
//! thousand parameters, whose fits it takes digits further.
//! [`perceptron`] is the ancestor of both: a rule without a gradient. A new method is a variant of [`Method`], a file
//! beside `adam.rs` and a line in each `match` below; outside the library it is an implementation of [`Update`].
//!
//! Row 5 of the house: imports `gemm`, `engine`, `kernel`, `simd`, `scalar`, `threads` and `error`. Begin reading at
//! [`Optimizer::step`], then `lbfgs.rs`.

mod adam;
pub mod bayes;
mod cholesky;
mod history;
pub mod lbfgs;
pub mod levenberg_marquardt;
mod line_search;
mod minimum;
pub mod perceptron;
pub mod scg;
mod sgd;

pub use lbfgs::Lbfgs;
pub use levenberg_marquardt::LevenbergMarquardt;
pub use minimum::{Iteration, Report, Stop};
pub use scg::Scg;

use crate::error::{Error, Result};
use crate::kernel::update::{self, AdamStep};
use crate::kernel::vector;
use crate::memory;
use crate::simd::{Isa, Vectorized};
use crate::threads::Threads;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// One step down a gradient: the open door for optimisers of your own.
///
/// ```
/// use deltarule::{optim::Update, simd::Isa};
///
/// /// Moves every parameter by the rate, against the sign of its gradient.
/// struct SignDescent;
///
/// impl Update<f32> for SignDescent {
///     fn step(&mut self, _isa: Isa, rate: f64, grad: &[f32], params: &mut [f32]) {
///         params.iter_mut().zip(grad).for_each(|(p, g)| *p -= rate as f32 * g.signum());
///     }
/// }
///
/// let mut params = [1.0, -1.0];
/// SignDescent.step(Isa::current(), 0.25, &[3.0, -0.1], &mut params);
/// assert_eq!(params, [0.75, -0.75]);
/// ```
pub trait Update<T>: Send {
    /// Moves `params` against `grad`, at the learning rate `rate`.
    ///
    /// **Shapes**: `grad` and `params` have the length that the optimiser was made for.
    fn step(&mut self, isa: Isa, rate: f64, grad: &[T], params: &mut [T]);
}

/// A first-order method and its constants; the learning rate is not among them, for a schedule may change it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Method {
    /// Gradient descent, with momentum unless it is 0.
    ///
    /// **Source**: Polyak 1964; for `nesterov`, Sutskever, Martens, Dahl and Hinton 2013, in the form of
    /// [`update::momentum`].
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
}

impl Method {
    /// Gradient descent with scikit-learn's defaults: Nesterov momentum 0.9.
    pub const fn sgd() -> Self {
        Self::Sgd { momentum: 0.9, nesterov: true }
    }

    /// Adam with the paper's and scikit-learn's defaults: 0.9, 0.999, 1e-8.
    pub const fn adam() -> Self {
        Self::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }

    /// The method of that name, with its default constants.
    ///
    /// **Errors** if there is none.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "sgd" => Ok(Self::sgd()),
            "adam" => Ok(Self::adam()),
            _ => Err(Error::setting("method", "sgd or adam", name)),
        }
    }

    /// The method's name, which [`parse`](Self::parse) reads.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::Adam { .. } => "adam",
        }
    }

    /// How many numbers the method remembers for each parameter.
    pub const fn moments(&self) -> usize {
        match self {
            Self::Sgd { momentum, .. } => sgd::moments(*momentum),
            Self::Adam { .. } => adam::MOMENTS,
        }
    }

    /// Whether every constant is in its range.
    ///
    /// **Errors** name the first that is not.
    pub fn check(&self) -> Result<()> {
        self.check_as(|value| value)
    }

    /// [`check`](Self::check) of the constants as they are once `rounded` to the type of the parameters: 1 - 1e-9 is
    /// below 1 as an `f64` and 1 as an `f32`.
    fn check_as(&self, rounded: impl Fn(f64) -> f64) -> Result<()> {
        match *self {
            Self::Sgd { momentum, .. } => sgd::check(rounded(momentum)),
            Self::Adam { beta1, beta2, epsilon } => adam::check(rounded(beta1), rounded(beta2), rounded(epsilon)),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sgd { momentum, nesterov } => {
                write!(f, "sgd, momentum {momentum}{}", if *nesterov { " (Nesterov)" } else { "" })
            }
            Self::Adam { beta1, beta2, epsilon } => write!(f, "adam, beta {beta1} and {beta2}, epsilon {epsilon}"),
        }
    }
}

/// A [`Method`] at work: its constants and all that it remembers between steps.
///
/// A clone continues with the same bits, and so does [`resume`](Self::resume) from saved [`moments`](Self::moments) and
/// [`steps`](Self::steps).
///
/// ```
/// use deltarule::{optim::{Method, Optimizer}, simd::Isa};
///
/// let mut params = [3.0, -2.0];
/// let mut optimizer = Optimizer::<f64>::new(Method::sgd(), params.len())?;
/// for _ in 0..400 {
///     let grad = params; // of half the squared length
///     optimizer.step(Isa::current(), 0.1, &grad, &mut params);
/// }
/// assert!(params.iter().all(|p| p.abs() < 1e-6));
/// # Ok::<(), deltarule::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer<T> {
    method: Method,
    len: usize,
    moments: Vec<T>,
    steps: u64,
}

impl<T: Vectorized> Optimizer<T> {
    /// An optimiser for `len` parameters, before its first step.
    ///
    /// **Errors** if a constant is outside its range, also after rounding to `T`, or memory is short.
    pub fn new(method: Method, len: usize) -> Result<Self> {
        method.check_as(|value| T::from_f64(value).real())?;
        let moments = zeros(len, method.moments(), "the optimiser's memory")?;
        Ok(Self { method, len, moments, steps: 0 })
    }

    /// An optimiser for `len` parameters that continues after `steps` steps, with what was remembered then.
    ///
    /// **Errors** as [`new`](Self::new), and if `moments` is not as long as `method` and `len` ask or not finite.
    pub fn resume(method: Method, len: usize, moments: Vec<T>, steps: u64) -> Result<Self> {
        method.check_as(|value| T::from_f64(value).real())?;
        if len.checked_mul(method.moments()) != Some(moments.len()) {
            let expected = format!("{} for each of {len} parameters", method.moments());
            return Err(Error::shape("the optimiser's moments", expected, moments.len()));
        }
        if let Some(index) = moments.iter().position(|m| !m.is_finite()) {
            let name = format!("the optimiser's moment at index {index}");
            return Err(Error::setting(name, "a finite number", moments[index].real()));
        }
        Ok(Self { method, len, moments, steps })
    }

    /// Moves `params` against `grad`, at the learning rate `rate`. Allocates nothing.
    ///
    /// **Shapes**: `grad` and `params` have the length given to [`new`](Self::new) (checked in debug builds).
    ///
    /// **Determinism**: the same bits on every instruction set.
    pub fn step(&mut self, isa: Isa, rate: f64, grad: &[T], params: &mut [T]) {
        let rule = self.begin(rate, grad, params);
        let [first, second] = self.moments_mut();
        rule.apply(isa, grad, first, second, params);
    }

    /// [`step`](Self::step) on all of `threads`, which also says whether the gradient and the moved parameters are finite: read while
    /// they are in a cache, that costs a tenth of what two more passes over them do.
    ///
    /// **Determinism**: the same bits for any number of threads.
    pub fn step_checked(&mut self, threads: &Threads, isa: Isa, rate: f64, grad: &[T], params: &mut [T]) -> Finite {
        let rule = self.begin(rate, grad, params);
        let (bad_gradient, bad_params) = (AtomicBool::new(false), AtomicBool::new(false));
        let pieces = threads.count().min(params.len() / PIECE);
        let len = self.len;
        let [first, second] = self.moments_mut();
        threads.share(pieces, len, [params, first, second], |range, [params, first, second]| {
            let chunks = grad[range].chunks(CHUNK).zip(params.chunks_mut(CHUNK));
            let (mut first, mut second) = (first.chunks_mut(CHUNK), second.chunks_mut(CHUNK));
            for (grad, params) in chunks {
                if !vector::all_finite(isa, grad) {
                    bad_gradient.store(true, Ordering::Relaxed);
                }
                rule.apply(isa, grad, first.next().unwrap_or_default(), second.next().unwrap_or_default(), params);
                if !vector::all_finite(isa, params) {
                    bad_params.store(true, Ordering::Relaxed);
                }
            }
        });
        Finite { gradient: !bad_gradient.into_inner(), params: !bad_params.into_inner() }
    }

    /// Counts a step and gives what it does to each parameter.
    fn begin(&mut self, rate: f64, grad: &[T], params: &[T]) -> Rule<T> {
        debug_assert_eq!((grad.len(), params.len()), (self.len, self.len));
        self.steps += 1;
        match self.method {
            Method::Sgd { momentum: 0.0, .. } => Rule::Descend { rate: T::from_f64(rate) },
            Method::Sgd { momentum, nesterov } => {
                Rule::Momentum { rate: T::from_f64(rate), momentum: T::from_f64(momentum), nesterov }
            }
            Method::Adam { beta1, beta2, epsilon } => Rule::Adam(adam::rule(rate, self.steps, [beta1, beta2, epsilon])),
        }
    }

    /// The first and the second moments; what the method does without is empty.
    fn moments_mut(&mut self) -> [&mut [T]; 2] {
        let cut = self.moments.len().min(self.len);
        let (first, second) = self.moments.split_at_mut(cut);
        [first, second]
    }

    /// The method and its constants.
    pub fn method(&self) -> Method {
        self.method
    }

    /// What the method remembers: [`Method::moments`] buffers as long as the parameters, one after the other.
    pub fn moments(&self) -> &[T] {
        &self.moments
    }

    /// How many steps were taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

/// Elements that go through check, step and check together: 8 to 32 KiB of each buffer.
const CHUNK: usize = 4096;
/// Parameters that a thread is woken for: some 40 us of a step, twice what it costs to wake one that has fallen asleep. (From 2^15 on, two
/// threads took a step of 257-257-257-10 on one row in 1.3 times the time of one.)
const PIECE: usize = 1 << 17;

/// What [`Optimizer::step_checked`] saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finite {
    /// Whether every element of the gradient was finite.
    pub gradient: bool,
    /// Whether every parameter is, after the step.
    pub params: bool,
}

/// What one step does, the same to each parameter: its constants.
#[derive(Clone, Copy)]
enum Rule<T> {
    Descend { rate: T },
    Momentum { rate: T, momentum: T, nesterov: bool },
    Adam(AdamStep<T>),
}

impl<T: Vectorized> Rule<T> {
    fn apply(self, isa: Isa, grad: &[T], first: &mut [T], second: &mut [T], params: &mut [T]) {
        match self {
            Self::Descend { rate } => update::descend(isa, rate, grad, params),
            Self::Momentum { rate, momentum, nesterov } => {
                update::momentum(isa, rate, momentum, nesterov, grad, first, params);
            }
            Self::Adam(constants) => update::adam(isa, constants, grad, first, second, params),
        }
    }
}

impl<T: Vectorized> Update<T> for Optimizer<T> {
    fn step(&mut self, isa: Isa, rate: f64, grad: &[T], params: &mut [T]) {
        Optimizer::step(self, isa, rate, grad, params);
    }
}

/// `count` buffers of `len` zeros, or an error where the memory cannot be had.
fn zeros<T: Vectorized>(len: usize, count: usize, what: &str) -> Result<Vec<T>> {
    memory::zeros(len.saturating_mul(count), what)
}
