//! The types under test, and the natural order of their numbers.

use crate::oracle::{Format, Number, Wide};
use crate::pass;
use deltarule::kernel::elementwise::Function;
use deltarule::simd::{Isa, Vectorized};
use std::fmt::LowerExp;

/// A type under test: `f32` or `f64`.
pub trait Real: Vectorized + LowerExp {
    /// In what its truth is computed.
    type Truth: Number;
    /// Its digits.
    const FORMAT: Format;
    /// How many bits it has.
    const WIDTH: u32;
    /// Its name.
    const NAME: &'static str;

    /// The number with these bits, of which the type takes as many as it has.
    fn from_bits(bits: u64) -> Self;
    /// The bits.
    fn bits(self) -> u64;

    /// The bits as an integer in the natural order.
    fn key(self) -> i64;
    /// The number with this key.
    fn from_key(key: i64) -> Self;

    /// [`Function::apply`], compiled once, here.
    fn apply(function: Function, isa: Isa, x: &mut [Self]);
    /// [`Function::apply_with_slope`], likewise.
    fn apply_with_slope(function: Function, isa: Isa, x: &mut [Self], slope: &mut [Self]);

    /// At least the largest distance of a block from its truth, in units in the last place.
    fn largest_distance(truth: &[Self::Truth], y: &[Self]) -> f64;
    /// At least the largest error of a block of slopes, as [`Finding::slope_error`](crate::sweep::Finding::slope_error) has it.
    fn largest_slope_error(truth: &[Self::Truth], slopes: &[Self]) -> f64;

    /// The number at this place of the natural order: from the negative NaN through minus infinity, -0, +0 and infinity to the
    /// positive NaN.
    #[inline]
    fn from_place(place: u64) -> Self {
        let sign = 1 << (Self::WIDTH - 1);
        Self::from_bits(if place & sign == 0 { !place } else { place ^ sign })
    }

    /// Its place in the natural order.
    fn place(self) -> u64 {
        let (bits, sign) = (self.bits(), 1 << (Self::WIDTH - 1));
        if bits & sign == 0 { bits | sign } else { !bits & (sign | (sign - 1)) }
    }

    /// The bits, with one pattern for all NaN: of a NaN only that it is one is promised.
    #[inline]
    fn canonical(self) -> u64 {
        if self.real().is_nan() { u64::MAX } else { self.bits() }
    }
}

impl Real for f32 {
    type Truth = f64;
    const FORMAT: Format = Format::SINGLE;
    const WIDTH: u32 = 32;
    const NAME: &'static str = "f32";

    #[inline]
    fn from_bits(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    #[inline]
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }

    #[inline]
    fn key(self) -> i64 {
        let bits = self.to_bits() as i32;
        i64::from(bits ^ ((bits >> (i32::BITS - 1)) & i32::MAX))
    }
    fn from_key(key: i64) -> Self {
        let bits = key as i32;
        f32::from_bits((bits ^ ((bits >> (i32::BITS - 1)) & i32::MAX)) as _)
    }
    fn apply(function: Function, isa: Isa, x: &mut [Self]) {
        function.apply(isa, x);
    }
    fn apply_with_slope(function: Function, isa: Isa, x: &mut [Self], slope: &mut [Self]) {
        function.apply_with_slope(isa, x, slope);
    }
    fn largest_distance(truth: &[Self::Truth], y: &[Self]) -> f64 {
        pass::largest_distance(truth, y)
    }
    fn largest_slope_error(truth: &[Self::Truth], slopes: &[Self]) -> f64 {
        pass::largest_slope_error(truth, slopes)
    }
}

impl Real for f64 {
    type Truth = Wide;
    const FORMAT: Format = Format::DOUBLE;
    const WIDTH: u32 = 64;
    const NAME: &'static str = "f64";

    #[inline]
    fn from_bits(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    #[inline]
    fn bits(self) -> u64 {
        self.to_bits()
    }

    #[inline]
    fn key(self) -> i64 {
        let bits = self.to_bits() as i64;
        bits ^ ((bits >> (i64::BITS - 1)) & i64::MAX)
    }
    fn from_key(key: i64) -> Self {
        let bits = key;
        f64::from_bits((bits ^ ((bits >> (i64::BITS - 1)) & i64::MAX)) as _)
    }
    fn apply(function: Function, isa: Isa, x: &mut [Self]) {
        function.apply(isa, x);
    }
    fn apply_with_slope(function: Function, isa: Isa, x: &mut [Self], slope: &mut [Self]) {
        function.apply_with_slope(isa, x, slope);
    }
    // Beside the hundred bits of the truth a look at each is nothing.
    fn largest_distance(_: &[Self::Truth], _: &[Self]) -> f64 {
        f64::INFINITY
    }
    fn largest_slope_error(_: &[Self::Truth], _: &[Self]) -> f64 {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_order() {
        let mut values = [f32::NEG_INFINITY, f32::MIN, -1.0, -1e-45, -0.0, 0.0, 1e-45, 1.0, f32::MAX, f32::INFINITY];
        assert!(values.is_sorted_by_key(|x| x.place()));
        assert!(values.iter().all(|x| f32::from_place(x.place()).to_bits() == x.to_bits()));
        assert_eq!((-0.0f64).place() + 1, 0.0f64.place());
        values.reverse();
        assert!(!values.is_sorted_by_key(|x| x.place()));
        assert!(f32::from_place(0).is_nan() && f32::from_place(u64::from(u32::MAX)).is_nan());
    }
}
