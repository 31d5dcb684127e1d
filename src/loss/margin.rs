//! Hinges: losses of the margin `y o` of a score `o`, where `y` is 1 for a target of 1 and -1 for one of 0. Value and slope.

use crate::scalar::Scalar;

/// What the margin lacks of 1, and the target as a sign.
fn lack<T: Scalar>(o: T, t: T) -> (T, T) {
    let y = (t + t) - T::ONE;
    (T::ONE - y * o, y)
}

/// What the margin lacks of 1, if anything.
pub(super) fn hinge<T: Scalar>(o: T, t: T) -> (T, T) {
    match lack(o, t) {
        (lack, _) if lack.real() <= 0.0 => (T::ZERO, T::ZERO),
        (lack, _) if lack.real().is_nan() => (lack, lack),
        (lack, y) => (lack, -y),
    }
}

/// Its square.
pub(super) fn squared_hinge<T: Scalar>(o: T, t: T) -> (T, T) {
    match lack(o, t) {
        (lack, _) if lack.real() <= 0.0 => (T::ZERO, T::ZERO),
        (lack, y) => (lack * lack, -(y * (lack + lack))),
    }
}

/// On which side of the margin an output lies.
pub(super) fn side(o: f64, t: f64) -> u64 {
    u64::from(lack(o, t).0 > 0.0)
}
