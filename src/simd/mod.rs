//! Instruction sets: which there are, which is used, and lanes over them. (Interface; the lanes follow.)
//!
//! Row 2 of the house: imports `scalar` and `error`.

use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// A level of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// No vector instructions: the reference semantics.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// aarch64 with NEON.
    Neon,
}

impl Isa {
    /// The level in use: the one that `DELTARULE_ISA` names, else the best this machine has.
    pub fn current() -> Self {
        Isa::Portable
    }
    /// Reads a level's name.
    pub fn parse(name: &str) -> Result<Self> {
        Err(Error::setting("isa", "portable, avx2, avx512 or neon", name))
    }
}

/// The scalars that have lanes.
pub trait Vectorized: Scalar + PartialOrd {}
impl Vectorized for f32 {}
impl Vectorized for f64 {}
