//! Averages of the parameters along a training, which predict better than where it happens to end.
//!
//! The running statistics of batch normalisation are averaged with them, by the same shares (PyTorch's `AveragedModel` with
//! `use_buffers=True`). That is not what the averaged parameters would find in the rows, which would cost a pass over all of them
//! for each judgement; where it matters, a mean of late epochs, which lie close together, is the one to take.
//!
//! Row 6 of the house: imports `kernel` and below.

use super::required::copied;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::vector;
use crate::simd::Isa;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which average of the parameters is judged on held-back rows and kept, in place of the last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Averaging {
    /// After each step `average <- decay average + (1 - decay) params`, from the parameters after the first step on: an exponential
    /// moving average (Polyak and Juditsky 1992; PyTorch's `get_ema_multi_avg_fn`).
    Exponential {
        /// What is left of the average at each step; at least 0 and below 1. 0.999 remembers some thousand steps.
        decay: f64,
    },
    /// The mean of the parameters after each epoch from this one on: stochastic weight averaging (Izmailov et al. 2018).
    Uniform {
        /// The first epoch, from 1, whose parameters are part of it.
        from: usize,
    },
}

impl Averaging {
    pub(super) fn check(&self, epochs: usize) -> Result<()> {
        match *self {
            Self::Exponential { decay } if !(0.0..1.0).contains(&decay) => {
                Err(Error::setting("decay of the average", "at least 0 and below 1", decay))
            }
            Self::Uniform { from } if !(1..=epochs).contains(&from) => {
                Err(Error::setting("first epoch of the average", format!("1 to {epochs}, the epochs"), from))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Averaging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exponential { decay } => write!(f, "moving average of decay {decay}"),
            Self::Uniform { from } => write!(f, "average from epoch {from}"),
        }
    }
}

/// An average at work. How many parameters it is of is told it, for that is part of a training's [`Standing`](super::Standing).
#[derive(Clone, Debug)]
pub(super) struct Average<T> {
    rule: Averaging,
    /// The average, once it is of any.
    pub params: Vec<T>,
}

impl<T: Float> Average<T> {
    pub fn new(rule: Averaging, params: &[T]) -> Result<Self> {
        Ok(Self { rule, params: copied(params, "the average of the parameters")? })
    }

    /// Takes in the parameters after a step.
    pub fn step(&mut self, isa: Isa, params: &[T], count: &mut u64) {
        if let Averaging::Exponential { decay } = self.rule {
            self.add(isa, params, 1.0 - decay, count);
        }
    }

    /// Takes in the parameters after epoch `number`.
    pub fn epoch(&mut self, isa: Isa, params: &[T], number: usize, count: &mut u64) {
        if let Averaging::Uniform { from } = self.rule
            && number >= from
        {
            self.add(isa, params, 1.0 / (*count + 1) as f64, count);
        }
    }

    /// `average <- average + share (params - average)`; the first is taken as it is.
    fn add(&mut self, isa: Isa, params: &[T], share: f64, count: &mut u64) {
        *count += 1;
        if *count == 1 {
            return self.params.copy_from_slice(params);
        }
        vector::approach(isa, T::from_f64(share), params, &mut self.params);
    }
}
