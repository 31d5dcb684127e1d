//! What one step of a method does to each parameter: the constants of a sweep, made of the method's, the rate, and the step's number.
//!
//! Row 5 of the house: imports `kernel` and `simd`. Begin reading at [`Rule::new`].

use super::adam;
use super::method::Method;
use super::nadam::Schedule;
use crate::kernel::update::{self, AdamStep, LionStep, NadamStep, RmspropStep};
use crate::simd::{Isa, Vectorized};

/// The moments of some parameters, in the method's order; what it does without is empty.
pub(super) type Moments<'a, T> = [&'a mut [T]; Method::MOST_MOMENTS];

/// One step, the same to each parameter: its sweep and its constants.
#[derive(Clone, Copy)]
pub(super) enum Rule<T> {
    Descend { rate: T },
    Momentum { rate: T, momentum: T, nesterov: bool },
    Adam(AdamStep<T>),
    AdamW { step: AdamStep<T>, keep: T },
    AmsGrad(AdamStep<T>),
    NAdam(NadamStep<T>),
    RmsProp { step: RmspropStep<T>, centered: bool },
    Adagrad { rate: T, epsilon: T },
    Adadelta { rate: T, rho: T, epsilon: T },
    Lion(LionStep<T>),
}

impl<T: Vectorized> Rule<T> {
    /// The step of that number, from 1, at the learning rate `rate`. Only NAdam has a use for `schedule`, which counts it.
    pub(super) fn new(method: Method, rate: f64, number: u64, schedule: &mut Schedule) -> Self {
        let of = T::from_f64;
        // What decoupled decay leaves of a parameter; in f64, for the decay may be far below the type's epsilon.
        let keep = |weight_decay: f64| of(1.0 - rate * weight_decay);
        match method {
            Method::Sgd { momentum: 0.0, .. } => Self::Descend { rate: of(rate) },
            Method::Sgd { momentum, nesterov } => Self::Momentum { rate: of(rate), momentum: of(momentum), nesterov },
            Method::Adam { beta1, beta2, epsilon } => Self::Adam(adam::rule(rate, number, [beta1, beta2, epsilon])),
            Method::AdamW { beta1, beta2, epsilon, weight_decay } => {
                Self::AdamW { step: adam::rule(rate, number, [beta1, beta2, epsilon]), keep: keep(weight_decay) }
            }
            Method::AmsGrad { beta1, beta2, epsilon } => {
                Self::AmsGrad(adam::rule(rate, number, [beta1, beta2, epsilon]))
            }
            Method::NAdam { beta1, beta2, epsilon, momentum_decay } => {
                Self::NAdam(schedule.rule(rate, number, [beta1, beta2, epsilon, momentum_decay]))
            }
            Method::RmsProp { rho, epsilon, momentum, centered } => {
                let step = RmspropStep { decay: of(rho), momentum: of(momentum), rate: of(rate), epsilon: of(epsilon) };
                Self::RmsProp { step, centered }
            }
            Method::Adagrad { epsilon } => Self::Adagrad { rate: of(rate), epsilon: of(epsilon) },
            Method::Adadelta { rho, epsilon } => Self::Adadelta { rate: of(rate), rho: of(rho), epsilon: of(epsilon) },
            Method::Lion { beta1, beta2, weight_decay } => {
                let (beta1, beta2) = (of(beta1), of(beta2));
                Self::Lion(LionStep { beta1, beta2, rate: of(rate), keep: keep(weight_decay) })
            }
        }
    }

    /// Takes the step.
    pub(super) fn apply(self, isa: Isa, grad: &[T], [first, second, third]: Moments<'_, T>, params: &mut [T]) {
        match self {
            Self::Descend { rate } => update::descend(isa, rate, grad, params),
            Self::Momentum { rate, momentum, nesterov } => {
                update::momentum(isa, rate, momentum, nesterov, grad, first, params);
            }
            Self::Adam(step) => update::adam(isa, step, grad, first, second, params),
            Self::AdamW { step, keep } => update::adamw(isa, step, keep, grad, first, second, params),
            Self::AmsGrad(step) => update::amsgrad(isa, step, grad, first, second, third, params),
            Self::NAdam(step) => update::nadam(isa, step, grad, first, second, params),
            Self::RmsProp { step, centered: false } => update::rmsprop(isa, step, grad, first, second, params),
            Self::RmsProp { step, centered: true } => {
                update::rmsprop_centered(isa, step, grad, first, second, third, params);
            }
            Self::Adagrad { rate, epsilon } => update::adagrad(isa, rate, epsilon, grad, first, params),
            Self::Adadelta { rate, rho, epsilon } => {
                update::adadelta(isa, [rate, rho, epsilon], grad, first, second, params);
            }
            Self::Lion(step) => update::lion(isa, step, grad, first, params),
        }
    }
}
