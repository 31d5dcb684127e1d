//! Losses that look at each output of a row alone.

use crate::scalar::Scalar;

/// The sum over outputs: `one` gives value and slope of an output and its target.
pub(super) fn each_output<T: Scalar>(output: &[T], target: &[T], delta: &mut [T], one: impl Fn(T, T) -> (T, T)) -> T {
    let mut sum = T::ZERO;
    for ((&o, &t), d) in output.iter().zip(target).zip(delta) {
        let (value, slope) = one(o, t);
        sum += value;
        *d = slope;
    }
    sum
}

/// Which side of its kink each output of a row lies on, as one number: of base `sides`, and it may wrap, for it need only differ.
pub(super) fn sides(output: &[f64], target: &[f64], sides: u64, side: impl Fn(f64, f64) -> u64) -> u64 {
    let each = output.iter().zip(target).map(|(&o, &t)| side(o, t));
    each.fold(0, |piece, side| piece.wrapping_mul(sides).wrapping_add(side))
}
