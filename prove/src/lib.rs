//! Proves the kernels: every `f32` input of every function, on every level of instructions, against the exact value.
//!
//! A package of its own because it builds C code (the correctly rounded functions of CORE-MATH), which must reach no user of the
//! library. Begin with [`sweep`]: what is asked of a kernel at each input, and what is recorded. [`bounds`] is the table of what
//! each function promises, [`inputs`] says which inputs are tried, [`oracle`] is the truth, [`table`] the record.
//!
//! The truth about an `f32` is computed in `f64` with correctly rounded functions, so that a few units of 2^-53, at most 2^-45
//! in the tails of GELU, stand beside the 2^-24 that is measured. The worst input of every block, and each whose error lies near
//! its bound, is computed again with a hundred bits ([`oracle::Wide`]), as is every `f64`. Those hundred bits are themselves
//! compared with CORE-MATH in `tests/truth.rs`.

pub mod bounds;
mod double;
pub mod inputs;
// The library's own tests use it too, and must not need this package.
#[path = "../../tests/kernels/oracle/mod.rs"]
pub mod oracle;
pub mod pass;
pub mod real;
pub mod sweep;
pub mod table;
pub mod work;
