//! deltarule (map to come)
#![deny(unsafe_code)]

pub mod data;
pub mod engine;
pub mod error;
pub mod float;
pub mod gemm;
pub mod gradcheck;
pub mod kernel;
pub mod metrics;
pub mod optim;
pub mod rng;
pub mod scalar;
pub mod simd;
pub mod threads;
