//! ONNX: the whole pipeline out, plain multilayer perceptrons in.
//!
//! Begin reading at [`export()`] and [`import()`]. `messages.rs` is the format. Out: `graph.rs` is a graph that grows, `activations.rs` what
//! activations look like in it. In: `wire.rs` looks before anything is decoded, `operators.rs` runs a graph on what is known of its values
//! (`value.rs`) with the help of `shapes.rs`, `functions.rs` and `tables.rs`; layers grow in `layers.rs`, preprocessing in `columns.rs`, and `expression.rs` recognises activations.

mod activations;
mod columns;
mod constant;
mod export;
mod expression;
mod functions;
mod graph;
mod import;
mod layers;
mod messages;
mod operators;
mod shapes;
mod tables;
mod value;
mod wire;

pub use export::{Options, export};
pub use import::import;
pub(crate) use wire::looks_like;
