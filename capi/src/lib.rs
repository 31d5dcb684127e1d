//! deltarule for C: handles, status codes and slices in place of types, `Result` and references.
//!
//! A shell of the house (row 7): the library's public interface only. Begin reading at [`border`], where every pointer of C becomes
//! a slice or an error, and every panic a status; then `network.rs`, which is how all the others look. [`abi`] is what the header
//! declares; `tests/header.rs` makes the header of it.
//!
//! `docs/c.md` is the page for those who link against it.

mod abi;
mod border;
#[cfg(feature = "failpoints")]
mod failpoint;
mod gemm;
mod gradcheck;
mod handle;
mod info;
mod kernels;
mod model;
mod network;
mod predict;
mod status;
mod text;
mod threads;
mod train;
mod workspace;
