//! The elementary functions of a vector, one file for each family.
//!
//! Nothing branches, so that one formula serves every level, and most serve both types. Begin with `exponential`: its splitting is the first
//! step of most others.
//!
//! A quotient of rounded numbers would be wrong by more than two units in the last place: half a unit each for numerator,
//! denominator and division, and the first two may count double where the quotient's mantissa is large. So [`sigmoid`] and
//! [`tanh`] of `f64` keep what those roundings lost, and put it right with one step of Newton's method on the quotient. Of `f32` they
//! need no quotient: a polynomial for each of 32 intervals is looked up in a table that fits the registers.
//!
//! **Accuracy** is the largest distance from the exact value, in units in the last place (ulp) of that value: for `f32` over every
//! input, for `f64` over those tried. `scripts/prove` measures it.

mod coefficients;
mod elu;
mod exponential;
mod gated;
mod gelu;
mod logarithm;
mod polynomial;
mod reciprocal;
mod sigmoid;
mod softplus;
mod tables;
mod tanh;

// For whoever writes the normal distribution elsewhere: a file, or source.
pub use coefficients::{NORMAL_DOUBLE, Tail};
pub use elu::{elu, elu_with_slope};
pub use exponential::{exp, exp_m1, exp_m1_with_slope, exp_sum};
pub use gated::{gelu_tanh, gelu_tanh_with_slope, silu, silu_with_slope};
pub use gelu::{gelu, gelu_with_slope};
pub use logarithm::{ln, ln_1p};
pub use sigmoid::{sigmoid, sigmoid_from};
pub use softplus::{log_sigmoid, log_sigmoid_with_slope, softplus, softplus_with_slope};
pub use tables::{SIGMOID, TANH};
pub use tanh::{tanh, tanh_from};
