//! The truth about the functions, and how far a result is from it.
//!
//! Begin with [`value`] and [`slope`]: each function is written once, over any [`Number`]. In `f64` that is truth enough for an
//! `f32` (whoever uses this module says how an `f64` does it); in [`Wide`], some 100 bits, for an `f64`, or to settle a doubt.
//! `series` has the mathematics under it. Slow and simple on purpose, and it shares no code and no constant with the kernels.
//!
//! Used here, by the package `prove`, and by the fuzz target of the kernels.

mod pair;
mod series;
mod wide;

pub use wide::Wide;

use deltarule::kernel::elementwise::{Function, SELU_ALPHA, SELU_SCALE};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number in which truth is computed.
pub trait Number:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// Whether the last place is rounded, so that a power of two may stand for a number just below it.
    const ROUNDED: bool;
    /// `high + low`, as exactly as the type can.
    fn constant(high: f64, low: f64) -> Self;
    /// `(high + low) * 2^exponent`.
    fn parts(self) -> (f64, f64, i32);
    /// The exponential.
    fn exp(self) -> Self;
    /// `e^x - 1`, accurate near zero.
    fn exp_m1(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// `ln(1 + x)`, accurate near zero.
    fn ln_1p(self) -> Self;
    /// The normal distribution function, accurate in its tail.
    fn normal_distribution(self) -> Self;

    /// That number, exactly.
    fn of(x: f64) -> Self {
        Self::constant(x, 0.0)
    }

    /// `1 / (1 + e^-x)`. Of a large exponential nothing is added to 1, so that nothing cancels or overflows.
    fn sigmoid(self) -> Self {
        let one = Self::of(1.0);
        if self.parts().0 >= 0.0 {
            one / (one + (-self).exp())
        } else {
            let e = self.exp();
            e / (one + e)
        }
    }
}

/// Beyond this every function is its limit, or the nearest thing to it: the exponentials are below 2^-2885.
const FAR: f64 = 2000.0;

/// The exact value of the function.
#[inline]
pub fn value<N: Number>(function: Function, x: f64) -> N {
    let n = N::of(x);
    let number = |x: f64| N::of(x);
    if x.abs() > FAR {
        let up = x > 0.0;
        match function {
            Function::Exp => return number(if up { f64::INFINITY } else { 0.0 }),
            Function::ExpM1 => return number(if up { f64::INFINITY } else { -1.0 }),
            Function::Sigmoid => return number(if up { 1.0 } else { 0.0 }),
            Function::Tanh => return number(if up { 1.0 } else { -1.0 }),
            Function::LogSigmoid => return number(if up { 0.0 } else { x }),
            Function::Softplus | Function::Silu | Function::Gelu | Function::GeluTanh => {
                return number(if up { x } else { 0.0 });
            }
            Function::Elu { alpha } if !up => return number(-alpha),
            Function::Selu if !up => return -(number(SELU_SCALE) * number(SELU_ALPHA)),
            _ => {}
        }
    }
    match function {
        Function::Exp => n.exp(),
        Function::ExpM1 => n.exp_m1(),
        Function::Ln => n.ln(),
        Function::Ln1p => n.ln_1p(),
        Function::Sigmoid => n.sigmoid(),
        Function::LogSigmoid => -softplus(-n),
        Function::Tanh => {
            // With m = e^(-2|x|) - 1.
            let m = (number(-2.0 * x.abs())).exp_m1();
            let value = -m / (number(2.0) + m);
            if x < 0.0 { -value } else { value }
        }
        Function::Relu if x <= 0.0 => number(0.0),
        Function::LeakyRelu { slope } if x <= 0.0 => number(slope) * n,
        Function::Elu { alpha } if x <= 0.0 => number(alpha) * n.exp_m1(),
        Function::Selu if x <= 0.0 => number(SELU_SCALE) * number(SELU_ALPHA) * n.exp_m1(),
        Function::Selu => number(SELU_SCALE) * n,
        Function::Relu | Function::LeakyRelu { .. } | Function::Elu { .. } => n,
        Function::Softplus => softplus(n),
        Function::Silu => n * n.sigmoid(),
        Function::Gelu => n * n.normal_distribution(),
        Function::GeluTanh => n * gate(n).0.sigmoid(),
        _ => unreachable!("{} has no formula here", function.name()),
    }
}

/// The exact derivative of the function; at a kink, that from the left.
#[inline]
pub fn slope<N: Number>(function: Function, x: f64) -> N {
    let n = N::of(x);
    let number = |x: f64| N::of(x);
    let one = number(1.0);
    let below = x <= 0.0;
    if x.abs() > FAR {
        match function {
            Function::Exp | Function::ExpM1 => return number(if below { 0.0 } else { f64::INFINITY }),
            Function::Sigmoid | Function::Tanh => return number(0.0),
            Function::LogSigmoid => return number(if below { 1.0 } else { 0.0 }),
            Function::Softplus | Function::Silu | Function::Gelu | Function::GeluTanh => {
                return number(if below { 0.0 } else { 1.0 });
            }
            Function::Elu { .. } | Function::Selu if below => return number(0.0),
            _ => {}
        }
    }
    match function {
        Function::Exp | Function::ExpM1 => n.exp(),
        Function::Ln => one / n,
        Function::Ln1p => one / (one + n),
        Function::Sigmoid => n.sigmoid() * (-n).sigmoid(),
        Function::LogSigmoid => (-n).sigmoid(),
        Function::Tanh => {
            let e = number(-2.0 * x.abs()).exp();
            number(4.0) * e / ((one + e) * (one + e))
        }
        _ if x.is_nan() => n,
        Function::Relu => number(if below { 0.0 } else { 1.0 }),
        Function::LeakyRelu { slope } => number(if below { slope } else { 1.0 }),
        Function::Elu { alpha } if below => number(alpha) * n.exp(),
        Function::Elu { .. } => one,
        Function::Selu if below => number(SELU_SCALE) * number(SELU_ALPHA) * n.exp(),
        Function::Selu => number(SELU_SCALE),
        Function::Softplus => n.sigmoid(),
        Function::Silu => n.sigmoid() + n * n.sigmoid() * (-n).sigmoid(),
        Function::Gelu => {
            let density = N::constant(series::DENSITY.high, series::DENSITY.low) * (-(n * n * number(0.5))).exp();
            n.normal_distribution() + n * density
        }
        Function::GeluTanh => {
            let (u, du) = gate(n);
            u.sigmoid() + n * du * u.sigmoid() * (-u).sigmoid()
        }
        _ => unreachable!("{} has no formula here", function.name()),
    }
}

fn softplus<N: Number>(n: N) -> N {
    if n.parts().0 > 0.0 { n + (-n).exp().ln_1p() } else { n.exp().ln_1p() }
}

/// `u` and its derivative, where `(1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2` is the sigmoid of `u`.
fn gate<N: Number>(x: N) -> (N, N) {
    // 2 sqrt(2/pi), and that times the decimal 0.044715.
    let linear = N::constant(1.595_769_121_605_730_8, -9.969_308_809_110_92e-17);
    let cubic = N::constant(0.071_354_816_272_600_25, -6.175_149_918_155_315e-19);
    let square = x * x;
    (x * (linear + cubic * square), linear + N::of(3.0) * cubic * square)
}

/// The limits of a type: digits of the mantissa, and the exponent of its smallest normal number.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The digits of the mantissa, the hidden one included.
    pub digits: i32,
    /// The exponent of the smallest normal number.
    pub min_exponent: i32,
}

impl Format {
    /// `f32`.
    pub const SINGLE: Self = Self { digits: 24, min_exponent: -126 };
    /// `f64`.
    pub const DOUBLE: Self = Self { digits: 53, min_exponent: -1022 };

    /// How far `y` is from the truth, in units in the last place of this format at the truth. An infinite `y` stands for the
    /// power of two above the largest number, and is right for all that lies beyond it. Two NaN are no distance apart. Where a
    /// rounded truth is a power of two, `y` below it is measured in the smaller units, at worst too strictly.
    #[inline]
    pub fn ulps<N: Number>(self, truth: N, y: f64) -> f64 {
        let (high, low, exponent) = truth.parts();
        if high.is_nan() || y.is_nan() {
            return if high.is_nan() && y.is_nan() { 0.0 } else { f64::INFINITY };
        }
        let beyond = 2 - self.min_exponent;
        // Just below a power of two the units are half as large.
        let power = high.to_bits() << 12 == 0;
        let under = power && (low * high < 0.0 || N::ROUNDED && y.abs() < high.abs());
        let leading = (exponent_of(high) + exponent - i32::from(under)).max(self.min_exponent);
        if high.is_infinite() || y.is_infinite() {
            let right = high.signum() == y.signum() && y.is_infinite() && leading >= beyond;
            if right || high.is_infinite() {
                return if right { 0.0 } else { f64::INFINITY };
            }
        }
        // Everything in units; those of y fit as they are at most 53 digits apart, or the distance is infinite anyway.
        let unit = self.digits - 1 - leading;
        let y = if y.is_infinite() { scale(y.signum(), beyond + unit) } else { scale(y, unit) };
        let (high, low) = (scale(high, exponent + unit), scale(low, exponent + unit));
        ((y - high) - low).abs()
    }
}

/// How far a slope is from the truth: absolutely where that is at most 1, else in units in the last place times the type's
/// epsilon. NaN if the truth is a number and the slope none.
#[inline]
pub fn slope_error<N: Number>(truth: N, slope: f64, format: Format) -> f64 {
    let (high, low, exponent) = truth.parts();
    let (high, low) = (scale(high, exponent), scale(low, exponent));
    match high.abs() <= 1.0 {
        true => ((slope - high) - low).abs(),
        false if slope.is_nan() => slope,
        false => format.ulps(truth, slope) * power_of_two(1 - format.digits),
    }
}

/// The exponent of the leading digit; -1023 for zero and subnormal numbers.
fn exponent_of(x: f64) -> i32 {
    ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023
}

/// `2^exponent`, for exponents of normal numbers.
fn power_of_two(exponent: i32) -> f64 {
    debug_assert!((-1022..=1023).contains(&exponent));
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// `x * 2^exponent`, in two steps, for one factor alone may overflow, or vanish. Exponents beyond all numbers are cut.
#[inline]
fn scale(x: f64, exponent: i32) -> f64 {
    let exponent = exponent.clamp(-2040, 2040);
    x * power_of_two(exponent / 2) * power_of_two(exponent - exponent / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_yardstick_measures_units() {
        let one = Wide::of(1.0);
        assert_eq!(Format::DOUBLE.ulps(one, 1.0 + f64::EPSILON), 1.0);
        assert_eq!(Format::DOUBLE.ulps(one, 1.0 - f64::EPSILON), 1.0);
        assert_eq!(Format::SINGLE.ulps(one, 1.0 - f64::from(f32::EPSILON)), 1.0);
        let smallest = Wide::of(5e-324);
        assert_eq!(Format::DOUBLE.ulps(smallest, 0.0), 1.0);
        assert_eq!(Format::DOUBLE.ulps(smallest, 5e-324), 0.0);
        assert_eq!(Format::DOUBLE.ulps(smallest * Wide::of(0.25), 5e-324), 0.75);
        let huge = Wide::of(f64::MAX) * Wide::of(4.0);
        assert_eq!(Format::DOUBLE.ulps(huge, f64::INFINITY), 0.0);
        assert!(Format::DOUBLE.ulps(huge, f64::NEG_INFINITY) > 1e15);
        assert!(Format::DOUBLE.ulps(huge, f64::MAX) > 1e15);
        assert_eq!(Format::DOUBLE.ulps(Wide::of(f64::MAX), f64::INFINITY), 1.0);
        assert_eq!(Format::SINGLE.ulps(Wide::of(f64::from(f32::MAX)), f64::INFINITY), 1.0);
        assert_eq!(Format::SINGLE.ulps(Wide::of(f64::NAN), 1.0), f64::INFINITY);
    }

    /// The functions at places where they are known in closed form or by symmetry.
    #[test]
    fn truths_are_consistent() {
        let near = |a: Wide, b: Wide| {
            let (high, _, exponent) = ((a - b) / b).parts();
            assert!(high == 0.0 || exponent < -90, "{a:?} {b:?}");
        };
        for i in -200..=200 {
            let x = f64::from(i) * 0.173;
            let n = Wide::of(x);
            let v = |function| value::<Wide>(function, x);
            near(v(Function::Exp).ln() + Wide::of(100.0), n + Wide::of(100.0));
            near(v(Function::Exp) * (-n).exp(), Wide::of(1.0));
            if i != 0 {
                // Far below zero the value is -1 but for a little, and the way back has lost it.
                if x > -3.0 {
                    near(v(Function::ExpM1).ln_1p(), n);
                }
                near(v(Function::Softplus).exp_m1(), v(Function::Exp));
            }
            near(v(Function::Sigmoid) / (-n).sigmoid(), v(Function::Exp));
            near(v(Function::LogSigmoid).exp(), v(Function::Sigmoid));
            near(n.normal_distribution() + (-n).normal_distribution(), Wide::of(1.0));
            // A central difference in 100 bits: its third derivative leaves 1e-18.
            let h = 2f64.powi(-30);
            for function in Function::ALL.into_iter().filter(|_| i != 0) {
                if x < -0.9 && matches!(function, Function::Ln | Function::Ln1p) || x < 0.0 && function == Function::Ln
                {
                    continue;
                }
                let difference = (value::<Wide>(function, x + h) - value::<Wide>(function, x - h))
                    / (Wide::of(x + h) - Wide::of(x - h));
                let wrong = difference - slope::<Wide>(function, x);
                let (high, _, exponent) = (wrong / (slope::<Wide>(function, x) + Wide::of(1.0))).parts();
                assert!(high == 0.0 || exponent < -50, "{function:?} at {x}: {wrong:?}");
            }
        }
    }
}
