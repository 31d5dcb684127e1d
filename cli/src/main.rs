//! The `deltarule` command.

fn main() {}
