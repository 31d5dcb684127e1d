//! Losses of the error `e`, output less target: value and slope.

use crate::scalar::Scalar;
use std::f64::consts::LN_2;

/// Half the square.
pub(super) fn squared<T: Scalar>(e: T) -> (T, T) {
    (T::from_f64(0.5) * e * e, e)
}

/// The absolute value.
pub(super) fn absolute<T: Scalar>(e: T) -> (T, T) {
    (e.abs(), sign(e))
}

/// Half the square up to `knee`, then a straight line.
pub(super) fn huber<T: Scalar>(e: T, knee: f64) -> (T, T) {
    let (half, knee) = (T::from_f64(0.5), T::from_f64(knee));
    if e.abs().real() <= knee.real() { (half * e * e, e) } else { (knee * (e.abs() - half * knee), knee * sign(e)) }
}

/// `(1 - quantile) e` above the target, `-quantile e` below.
pub(super) fn quantile<T: Scalar>(e: T, quantile: f64) -> (T, T) {
    match e.real() {
        r if r > 0.0 => {
            let slope = T::from_f64(1.0 - quantile);
            (slope * e, slope)
        }
        r if r < 0.0 => {
            let slope = T::from_f64(-quantile);
            (slope * e, slope)
        }
        _ => (e, e),
    }
}

/// Up to this error, `cosh - 1` has the digits; from here on the value is 0.43 at least, and a difference of numbers of that size will do.
pub const LOG_COSH_NEAR: f64 = 1.0;

/// `ln(cosh(e))`, nearly half the square near 0 and the absolute error less `ln 2` far away.
pub(super) fn log_cosh<T: Scalar>(e: T) -> (T, T) {
    let a = e.abs();
    let value = if a.real() < LOG_COSH_NEAR {
        // cosh - 1 = (1 - exp(-a))^2 / (2 exp(-a)).
        let m = (-a).exp_m1();
        let s = T::ONE + m;
        (m * m / (s + s)).ln_1p()
    } else {
        (a - T::from_f64(LN_2)) + (-(a + a)).exp().ln_1p()
    };
    (value, e.tanh())
}

/// The sign, 0 at 0, NaN for NaN.
fn sign<T: Scalar>(x: T) -> T {
    match x.real() {
        r if r > 0.0 => T::ONE,
        r if r < 0.0 => -T::ONE,
        _ => x,
    }
}
