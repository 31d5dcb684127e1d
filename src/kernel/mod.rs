//! Sweeps over slices: safe code, generic over lanes.
//!
//! Row 2 of the house: imports `simd` and `scalar`. (Interface with plain bodies; the lanes follow.)
//!
//! All slices of one call have the same length unless the function says otherwise (checked by `debug_assert!`).

pub mod elementwise;
pub mod rows;
pub mod update;
pub mod vector;
