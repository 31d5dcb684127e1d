//! deltarule (map to come)
#![deny(unsafe_code)]

pub mod activation;
pub mod data;
pub mod engine;
pub mod error;
pub mod file;
pub mod float;
pub mod gemm;
pub mod gradcheck;
pub mod init;
pub mod kernel;
pub mod loss;
pub mod memory;
pub mod metrics;
pub mod model;
pub mod network;
pub mod optim;
#[cfg(feature = "pictures")]
pub mod picture;
pub mod rng;
pub mod scalar;
pub mod simd;
pub mod threads;
pub mod train;
pub mod verify;

pub use error::{Error, Result};

/// What most programs need.
pub mod prelude {
    pub use crate::activation::{Activation, ActivationFn};
    pub use crate::engine::{Backend, Engine};
    pub use crate::float::Float;
    pub use crate::init::Init;
    pub use crate::loss::{Loss, LossFn};
    pub use crate::network::objective::{Batch, Objective};
    pub use crate::network::pass;
    pub use crate::network::workspace::Workspace;
    pub use crate::network::{Layer, Network, Spec};
    pub use crate::optim::Method;
    pub use crate::rng::Rng;
    pub use crate::threads::Threads;
    pub use crate::train::{Solver, Stopping, Trainer};
}
