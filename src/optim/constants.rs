//! The constants of a method: their names and their ranges.
//!
//! Row 5 of the house: imports `error`.

use crate::error::{Error, Result};

/// Where a constant may lie, once rounded to the type of the parameters: 1 - 1e-9 is below 1 as an `f64` and 1 as an `f32`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Range {
    /// What decays: a mean that keeps all of itself would never learn, and divides by zero in its own correction.
    BelowOne,
    /// A momentum: at 1 nothing is ever lost, as scikit-learn allows; above it every training runs away.
    UpToOne,
    /// What keeps a quotient finite: at 0 the first parameter without a gradient is divided by zero.
    AboveZero,
    /// How fast something shrinks.
    FromZero,
}

/// A constant: its name, its value, and where it may lie.
#[derive(Debug)]
pub(super) struct Constant<'a> {
    pub name: &'static str,
    pub value: &'a mut f64,
    pub range: Range,
}

/// As many as the method with the most has.
pub(super) type Constants<'a> = [Option<Constant<'a>>; 4];

impl<'a> Constant<'a> {
    pub(super) fn new(name: &'static str, value: &'a mut f64, range: Range) -> Option<Self> {
        Some(Self { name, value, range })
    }

    /// Refuses `value` where it is outside of the range, by its name.
    pub(super) fn check(&self, value: f64) -> Result<()> {
        let (inside, expected) = match self.range {
            Range::BelowOne => {
                ((0.0..1.0).contains(&value), "a number from 0 to below 1 in the type of the parameters")
            }
            Range::UpToOne => ((0.0..=1.0).contains(&value), "a number from 0 to 1"),
            Range::AboveZero => (value > 0.0 && value.is_finite(), "a number above 0 in the type of the parameters"),
            Range::FromZero => {
                (value >= 0.0 && value.is_finite(), "a finite number, at least 0, in the type of the parameters")
            }
        };
        if inside { Ok(()) } else { Err(Error::setting(self.name, expected, value)) }
    }
}
