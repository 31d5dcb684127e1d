//! Sweeps over slices: safe code, generic over lanes.
//!
//! Row 2 of the house: imports `simd`, `scalar` and `error`. [`math`] has the functions of one vector, `sweep` the loop that takes one
//! over slices, `layout` lays rows into vectors, and the other modules are what a network needs. Begin with [`math`].
//!
//! All slices of one call have the same length unless the function says otherwise (checked by `debug_assert!`; a slice that is
//! too short panics in any build).
//!
//! **Determinism**: the same bits at every level, wherever a value stands in its slice. NaN in gives NaN out.
//!
//! **Panics**: every function, if this machine does not have the level `isa` ([`Isa::require`](crate::simd::Isa::require)
//! tells before).

pub mod batch_norm;
pub mod elementwise;
pub mod layer_norm;
mod layout;
pub mod math;
pub mod philox;
pub mod row_loss;
pub mod rows;
pub mod softmax;
mod sweep;
pub mod update;
pub mod vector;

use crate::error::{Error, Result};

/// That a slice from outside is as long as it must be.
fn check_length(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::shape(what, format!("{expected} elements"), found)) }
}
