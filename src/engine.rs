//! Which instructions and which GEMM a computation uses: a small value, chosen once and passed down.
//!
//! Row 2 of the house: imports `simd` and `error`.

use crate::simd::Isa;

/// The library that multiplies matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The kernels built in: nothing to install.
    #[default]
    Embedded,
    /// A linked CBLAS (feature `blas` or `openblas`); without it this asks for something absent, which
    /// [`Engine::check`](Engine::check) refuses.
    Blas,
}

/// The instruction set of our kernels and the GEMM backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine {
    /// The instruction set of our own kernels.
    pub isa: Isa,
    /// Who multiplies large matrices.
    pub backend: Backend,
}

impl Default for Engine {
    fn default() -> Self {
        Self { isa: Isa::current(), backend: Backend::default() }
    }
}
