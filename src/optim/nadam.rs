//! NAdam's momentum, which grows from step to step: its schedule, and the product that corrects for it.
//!
//! Row 5 of the house: imports `simd` and the sweeps' constants. Begin reading at [`Schedule`].

use super::adam::gathered;
use crate::kernel::update::NadamStep;
use crate::simd::Vectorized;

/// The base of the momentum's growth.
///
/// **Source**: Dozat 2016, section 3.1, as in PyTorch and Keras.
const BASE: f64 = 0.96;
/// A product below this is none: 1 less it rounds to 1.
const NOTHING: f64 = f64::EPSILON / 4.0;

/// The momentum of each step, and the product of all up to the last that was taken.
///
/// The product follows from the number of steps, so a saved optimiser need not hold it: [`after`](Self::after) multiplies the same
/// factors in the same order. It stops where nothing is left, with the default beta of 0.9 after 361 steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Schedule {
    product: f64,
}

impl Schedule {
    /// Before the first step.
    pub(super) const START: Self = Self { product: 1.0 };

    /// After `steps` steps. At most some `37 / (1 - beta1)` multiplications, however many steps.
    pub(super) fn after(steps: u64, beta1: f64, momentum_decay: f64) -> Self {
        let mut schedule = Self::START;
        let mut number = 0;
        while number < steps && schedule.product > 0.0 {
            number += 1;
            schedule.take(number, beta1, momentum_decay);
        }
        schedule
    }

    /// Counts step `number`, from 1, and gives its momentum.
    fn take(&mut self, number: u64, beta1: f64, momentum_decay: f64) -> f64 {
        let momentum = momentum(number as f64, beta1, momentum_decay);
        self.product *= momentum;
        if self.product < NOTHING {
            self.product = 0.0;
        }
        momentum
    }

    /// The constants of step `number`, from 1, which it counts. The betas are rounded to `T` as Adam's are.
    pub(super) fn rule<T: Vectorized>(
        &mut self,
        rate: f64,
        number: u64,
        [beta1, beta2, epsilon, momentum_decay]: [f64; 4],
    ) -> NadamStep<T> {
        let (beta1, beta2) = (T::from_f64(beta1), T::from_f64(beta2));
        let now = self.take(number, beta1.real(), momentum_decay);
        let next = momentum(number as f64 + 1.0, beta1.real(), momentum_decay);
        NadamStep {
            beta1,
            beta2,
            rate: T::from_f64(rate * (1.0 - now) / (1.0 - self.product)),
            ahead: T::from_f64(rate * next / (1.0 - self.product * next)),
            correction: T::from_f64(1.0 / gathered(beta2, number)),
            epsilon: T::from_f64(epsilon),
        }
    }
}

/// The momentum of step `number`. `libm`'s power is the same on every platform.
fn momentum(number: f64, beta1: f64, momentum_decay: f64) -> f64 {
    beta1 * (1.0 - 0.5 * libm::pow(BASE, number * momentum_decay))
}
