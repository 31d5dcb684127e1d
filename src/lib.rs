//! deltarule trains and runs dense neural networks on a CPU, and proves what others assume: its gradients, its kernels,
//! its reproducibility.
//!
//! A [`Network`](network::Network) is plain data: a [`Spec`](network::Spec) and one flat buffer of parameters. A
//! [`pass`](network::pass) turns parameters and rows into a loss and its gradient; an [optimiser](optim) moves the parameters; a
//! [`Trainer`](train::Trainer) repeats that; a [`Model`](model::Model) adds what comes before and after a network, from the columns of a
//! file to the names of classes.
//!
//! ```
//! use deltarule::prelude::*;
//! use ndarray::array;
//!
//! let (x, y) = (array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], array![[0.0], [1.0], [1.0], [0.0]]);
//! let mut net = Network::<f64>::new(Spec::mlp(2, &[8], Activation::Tanh, 1, Activation::Sigmoid)?, None, &mut Rng::new(1))?;
//! let objective = Objective { loss: Loss::LogisticCrossEntropy, l1: 0.0, l2: 0.0 };
//! let trainer = Trainer { solver: Solver::Lbfgs, objective, ..Trainer::default() };
//! let batch = Batch { x: x.view(), y: y.view(), weights: None };
//! trainer.fit(&mut net, batch, None, &mut |_| std::ops::ControlFlow::Continue(()))?;
//! assert!((net.predict(x.view())? - y).iter().all(|error| error.abs() < 0.01));
//! # Ok::<(), deltarule::Error>(())
//! ```
//!
//! # The house
//!
//! Imports point to a lower row; inside a row only as ">" says. `tests/house.rs` enforces it.
//!
//! ```text
//! 7  shells       cli, python > exchange    capi                            (public interface only)
//! 6  assembly     verify   model (recipe, file format) > train
//! 5  learning     optim    gradcheck    data    metrics    picture    sealed
//! 4  network      predictor > network, curvature > pass, generic > workspace, objective > noise, plan, tiny, ... > spec
//! 3  mathematics  loss, init, schedule > activation
//! 2  engines      float > gemm > engine > gemm::blas > kernel > simd
//! 1  ground       rng, threads, file, memory, dual, complex > scalar, error
//! ```
//!
//! `optim` knows no network (slices only), `gradcheck` none either (closures; its adaptors to networks are in `verify`), `data`
//! knows no model. All `unsafe` sits in `simd/x86`, `simd/neon.rs` and three files of `gemm/blas`. A visitor reads
//! `kernel/math`, `network/pass.rs` and `gradcheck` first.
//!
//! # Conventions
//!
//! - Rows are samples: `x` is rows x inputs, `y` rows x outputs, row-major.
//! - A row's loss is the sum over its outputs (squared error: half the square). The objective is the weighted mean over
//!   rows plus `l1` times the absolute and `l2 / 2` times the squared weights, biases excluded ([`network::objective`]).
//! - Cross-entropies read logits: where a network ends in the loss's own link (softmax, sigmoid) they are given what went
//!   into it, so that they stay finite ([`loss::LossFn::link`]).
//! - In memory weights lie inputs x outputs; in model files outputs x inputs, as PyTorch has it.
//! - Same seed, data and version on one machine: the same bits, for any number of threads.
//!
//! # Features
//!
//! `gzip` reads gzipped IDX files; `pictures` draws SVG; `blas` multiplies through a CBLAS that your binary links, and
//! `openblas` through the system's OpenBLAS. None is on by default. A BLAS library chosen at run time needs no feature
//! ([`gemm::blas::Library::load`]).
#![deny(unsafe_code)]

pub mod activation;
pub mod complex;
pub mod data;
pub mod dual;
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
pub mod schedule;
mod sealed;
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
    pub use crate::network::noise::Noise;
    pub use crate::network::objective::{Batch, Objective};
    pub use crate::network::pass;
    pub use crate::network::predictor::Predictor;
    pub use crate::network::workspace::Workspace;
    pub use crate::network::{Layer, Network, Norm, Spec};
    pub use crate::optim::Method;
    pub use crate::rng::Rng;
    pub use crate::schedule::Schedule;
    pub use crate::threads::Threads;
    pub use crate::train::{Solver, Stopping, Trainer};
}
