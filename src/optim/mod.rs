//! Optimisers: how parameters follow their gradient. They see slices and know no network.
//!
//! Two families. A first-order [`Method`] turns one gradient into one step ([`Optimizer::step`]) and suits batches;
//! [`lbfgs`], [`scg`] and [`rprop`] call the whole objective as often as they need and suit full batches of small data;
//! [`levenberg_marquardt`] also asks for the curvature of a sum of squares and suits networks of up to some thousand parameters, whose
//! fits it takes digits further. Each of these is led an iteration at a time ([`Minimiser::advance`]), and says between any two all
//! that it needs to go on with the same bits. [`perceptron`] is the ancestor of all: a rule without a gradient. A new method is a variant of
//! [`Method`] and a line in each `match` of `method.rs` and `rule.rs`, with a file beside `nadam.rs` where it knows more than constants;
//! outside the library it is an implementation of [`Update`].
//!
//! Row 5 of the house: imports `gemm`, `engine`, `kernel`, `simd`, `scalar`, `threads` and `error`. Begin reading at
//! [`Optimizer::step`], then `lbfgs.rs`.

mod adam;
pub mod bayes;
mod cholesky;
mod constants;
mod history;
pub mod lbfgs;
pub mod levenberg_marquardt;
mod line_search;
mod method;
mod minimum;
mod nadam;
pub mod perceptron;
pub mod rprop;
mod rule;
pub mod scg;

pub use lbfgs::Lbfgs;
pub use levenberg_marquardt::LevenbergMarquardt;
pub use method::Method;
pub use minimum::{Iteration, Minimiser, Objective, Report, Stop};
pub use rprop::Rprop;
pub use scg::Scg;

use crate::error::{Error, Result};
use crate::kernel::vector;
use crate::memory;
use crate::simd::{Isa, Vectorized};
use crate::threads::Threads;
use nadam::Schedule;
use rule::{Moments, Rule};
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
    /// NAdam's; it follows from `steps`.
    schedule: Schedule,
}

impl<T: Vectorized> Optimizer<T> {
    /// An optimiser for `len` parameters, before its first step.
    ///
    /// **Errors** if a constant is outside its range, also after rounding to `T`, or memory is short.
    pub fn new(method: Method, len: usize) -> Result<Self> {
        method.check_as(|value| T::from_f64(value).real())?;
        let moments = zeros(len, method.moments(), "the optimiser's memory")?;
        Ok(Self { method, len, moments, steps: 0, schedule: Schedule::START })
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
        let schedule = match method {
            Method::NAdam { beta1, momentum_decay, .. } => {
                Schedule::after(steps, T::from_f64(beta1).real(), momentum_decay)
            }
            _ => Schedule::START,
        };
        Ok(Self { method, len, moments, steps, schedule })
    }

    /// Moves `params` against `grad`, at the learning rate `rate`. Allocates nothing.
    ///
    /// **Shapes**: `grad` and `params` have the length given to [`new`](Self::new) (checked in debug builds).
    ///
    /// **Determinism**: the same bits on every instruction set.
    pub fn step(&mut self, isa: Isa, rate: f64, grad: &[T], params: &mut [T]) {
        let rule = self.begin(rate, grad, params);
        rule.apply(isa, grad, self.moments_mut(), params);
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
        let [first, second, third] = self.moments_mut();
        threads.share(pieces, len, [params, first, second, third], |range, [params, moments @ ..]| {
            let chunks = grad[range].chunks(CHUNK).zip(params.chunks_mut(CHUNK));
            let mut moments = moments.map(|moment| moment.chunks_mut(CHUNK));
            for (grad, params) in chunks {
                if !vector::all_finite(isa, grad) {
                    bad_gradient.store(true, Ordering::Relaxed);
                }
                let moments = moments.each_mut().map(|moment| moment.next().unwrap_or_default());
                rule.apply(isa, grad, moments, params);
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
        self.steps = self.steps.saturating_add(1);
        Rule::new(self.method, rate, self.steps, &mut self.schedule)
    }

    /// The moments, one buffer after the other; what the method does without is empty.
    fn moments_mut(&mut self) -> Moments<'_, T> {
        let mut rest = self.moments.as_mut_slice();
        [(); Method::MOST_MOMENTS].map(|()| {
            let cut = self.len.min(rest.len());
            let (moment, others) = std::mem::take(&mut rest).split_at_mut(cut);
            rest = others;
            moment
        })
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

impl<T: Vectorized> Update<T> for Optimizer<T> {
    fn step(&mut self, isa: Isa, rate: f64, grad: &[T], params: &mut [T]) {
        Optimizer::step(self, isa, rate, grad, params);
    }
}

/// `count` buffers of `len` zeros, or an error where the memory cannot be had.
fn zeros<T: Vectorized>(len: usize, count: usize, what: &str) -> Result<Vec<T>> {
    memory::zeros(len.saturating_mul(count), what)
}
