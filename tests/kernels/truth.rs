//! The truth about the functions that build on the exponential, for `f64` in pairs as in `oracle`, and for `f32`'s sake in `f64`.

use super::oracle::{Pair, Truth, exp};
use deltarule::kernel::elementwise::{Function, SELU_ALPHA, SELU_SCALE};

/// The function's exact value at a finite `x`, to some 80 bits; where it is finite itself.
pub fn of(function: Function, x: f64) -> Truth {
    let plain = |value: Pair| Truth { value, exponent: 0 };
    let truth = match function {
        Function::ExpM1 => exp_m1(x),
        Function::Ln => {
            // Subnormal numbers lose no digits on their way up.
            let (up, k) = if x < f64::MIN_POSITIVE { (x * 2f64.powi(60), 60.0) } else { (x, 0.0) };
            plain(ln(Pair::from(up)) - Pair::from(k) * Pair::LN_2)
        }
        Function::Ln1p => plain(ln_1p(Pair::from(x))),
        Function::Softplus => softplus(x),
        Function::LogSigmoid => {
            let Truth { value, exponent } = softplus(-x);
            Truth { value: -value, exponent }
        }
        Function::Elu { alpha } => elu(1.0, alpha, x),
        Function::Selu => elu(SELU_SCALE, SELU_ALPHA, x),
        Function::Silu => gated(x, Pair::from(x)),
        Function::Gelu => {
            let Truth { value, exponent } = normal_tail(x.abs());
            let product = value * Pair::from(-x.abs());
            if x <= 0.0 { Truth { value: product, exponent } } else { plain(Pair::from(x) + held(product, exponent)) }
        }
        Function::GeluTanh => {
            // The square root of 8 / pi, and 0.044715 exactly.
            let root = Pair { high: 1.595_769_121_605_730_8, low: -9.969_308_809_110_92e-17 };
            let coefficient = Pair::from(44_715.0) / Pair::from(1e6);
            let square = Pair::from(x) * Pair::from(x);
            gated(x, root * Pair::from(x) * (Pair::ONE + coefficient * square))
        }
        _ => unreachable!("another file's function"),
    };
    // Below half of the smallest number.
    if truth.exponent < -1100 { plain(Pair::from(0.0)) } else { truth }
}

/// A number far below what a pair holds, as 0.
fn held(value: Pair, exponent: i32) -> Pair {
    if exponent < -200 { Pair::from(0.0) } else { value.power_of_two(exponent) }
}

/// `e^x` of a pair.
fn exp_of(x: Pair) -> Truth {
    let Truth { value, exponent } = exp(x.high);
    let low = Pair::from(x.low);
    Truth { value: value * (Pair::ONE + low + low * low / Pair::from(2.0)), exponent }
}

fn exp_m1(x: f64) -> Truth {
    if x.abs() < 0.1 {
        let x = Pair::from(x);
        let series = |rest, i| (Pair::ONE + rest * x) / Pair::from(f64::from(i));
        return Truth { value: x * (1..=20).rev().fold(Pair::from(0.0), series), exponent: 0 };
    }
    let e = exp(x);
    // Far out, 1 does not matter.
    if e.exponent > 120 { e } else { Truth { value: held(e.value, e.exponent) - Pair::ONE, exponent: 0 } }
}

/// `ln(1 + x)`.
fn ln_1p(x: Pair) -> Pair {
    if x.high.abs() < 1e-200 {
        return x;
    }
    if x.high.abs() < 0.06 {
        // The series of the hyperbolic arctangent of x / (2 + x).
        let s = x / (Pair::from(2.0) + x);
        let square = s * s;
        let sum =
            (0..14).rev().fold(Pair::from(0.0), |sum, i| sum * square + Pair::ONE / Pair::from(f64::from(2 * i + 1)));
        Pair::from(2.0) * s * sum
    } else {
        ln(Pair::ONE + x)
    }
}

fn ln(x: Pair) -> Pair {
    if (x.high - 1.0).abs() < 0.06 {
        return ln_1p(x - Pair::ONE);
    }
    // One step of Newton's method from the nearest f64: x e^-y is 1 + d with a tiny d.
    let y = libm::log(x.high);
    let Truth { value, exponent } = exp(-y);
    let d = (x.power_of_two(exponent / 2) * value).power_of_two(exponent - exponent / 2) - Pair::ONE;
    Pair::from(y) + d - d * d / Pair::from(2.0)
}

fn softplus(x: f64) -> Truth {
    let Truth { value, exponent } = exp(-x.abs());
    if x < 0.0 && exponent < -120 {
        // The next term is below 2^-120 of it.
        return Truth { value, exponent };
    }
    Truth { value: Pair::from(x.max(0.0)) + ln_1p(held(value, exponent)), exponent: 0 }
}

/// `x sigmoid(z)`, for a `z` of the sign of `x`.
fn gated(x: f64, z: Pair) -> Truth {
    let Truth { value, exponent } = exp_of(if z.high > 0.0 { -z } else { z });
    let sigmoid = Pair::ONE / (Pair::ONE + held(value, exponent));
    if x < 0.0 {
        Truth { value: Pair::from(x) * sigmoid * value, exponent }
    } else {
        Truth { value: Pair::from(x) * sigmoid, exponent: 0 }
    }
}

fn elu(scale: f64, alpha: f64, x: f64) -> Truth {
    let scale = Pair::from(scale);
    let value = if x > 0.0 { scale * Pair::from(x) } else { scale * Pair::from(alpha) * exp_m1(x).value };
    Truth { value, exponent: 0 }
}

/// `Phi(-a)` for `a` from 0.
fn normal_tail(a: f64) -> Truth {
    let root = Pair { high: 2.506_628_274_631_000_7, low: -1.832_857_998_045_916_7e-16 };
    let square = Pair::from(a) * Pair::from(a);
    let Truth { value, exponent } = exp_of(-square / Pair::from(2.0));
    if a < 5.0 {
        // 1/2 less e^(-a^2 / 2) (a + a^3 / 3 + a^5 / (3 5) + ...) / root: 22 bits cancel at most.
        let (mut term, mut sum) = (Pair::from(a), Pair::from(a));
        for i in 1..150 {
            term = term * square / Pair::from(f64::from(2 * i + 1));
            sum = sum + term;
        }
        return Truth { value: Pair::from(0.5) - sum * value.power_of_two(exponent) / root, exponent: 0 };
    }
    // The continued fraction a + 1 / (a + 2 / (a + 3 / ...)).
    let fraction = (1..=200).rev().fold(Pair::from(a), |below, i| Pair::from(a) + Pair::from(f64::from(i)) / below);
    Truth { value: value / (root * fraction), exponent }
}

/// The same in `f64`, some units in the last place of that from it: for `f32`, and for slopes.
pub fn in_f64(function: Function, x: f64) -> Truth {
    let value = match function {
        Function::ExpM1 => libm::expm1(x),
        Function::Ln => libm::log(x),
        Function::Ln1p => libm::log1p(x),
        Function::Softplus => x.max(0.0) + libm::log1p(libm::exp(-x.abs())),
        Function::LogSigmoid => x.min(0.0) - libm::log1p(libm::exp(-x.abs())),
        Function::Elu { alpha } => {
            if x > 0.0 {
                x
            } else {
                alpha * libm::expm1(x)
            }
        }
        Function::Selu => SELU_SCALE * if x > 0.0 { x } else { SELU_ALPHA * libm::expm1(x) },
        Function::Silu => x * sigmoid(x),
        Function::Gelu => x * normal(x),
        Function::GeluTanh => x * sigmoid(gelu_argument(x)),
        _ => unreachable!("another file's function"),
    };
    Truth { value: Pair::from(value), exponent: 0 }
}

fn sigmoid(x: f64) -> f64 {
    let e = libm::exp(-x.abs());
    if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}

fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn gelu_argument(x: f64) -> f64 {
    (8.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)
}

/// The derivative at a finite `x`, in `f64`.
pub fn slope(function: Function, x: f64) -> f64 {
    match function {
        Function::ExpM1 => libm::exp(x),
        Function::Ln => 1.0 / x,
        Function::Ln1p => 1.0 / (1.0 + x),
        Function::Softplus => sigmoid(x),
        Function::LogSigmoid => sigmoid(-x),
        Function::Elu { alpha } => {
            if x > 0.0 {
                1.0
            } else {
                alpha * libm::exp(x)
            }
        }
        Function::Selu => SELU_SCALE * if x > 0.0 { 1.0 } else { SELU_ALPHA * libm::exp(x) },
        Function::Silu => sigmoid(x) + x * sigmoid(x) * sigmoid(-x),
        Function::Gelu => normal(x) + x * (-0.5 * x * x).exp() * (0.5 / std::f64::consts::PI).sqrt(),
        Function::GeluTanh => {
            let (z, bend) = (gelu_argument(x), (8.0 / std::f64::consts::PI).sqrt() * (1.0 + 3.0 * 0.044_715 * x * x));
            // Far out the bend overflows where the gate has long been 0 or 1.
            sigmoid(z) + if x.abs() > 30.0 { 0.0 } else { x * sigmoid(z) * sigmoid(-z) * bend }
        }
        _ => unreachable!("another file's function"),
    }
}
