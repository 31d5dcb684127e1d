//! The functions of one number, over slices, with or without their slope: in place, or from one slice to another.

use super::sweep::{Step, sweep, sweep_at};
use super::{check_length, math};
use crate::error::Result;
use crate::simd::{Isa, Lanes, Typed, Vectorized};

/// A function of one number that has a kernel.
///
/// What each does at the infinities, at zeros and for subnormal numbers stands with its formula in [`math`]; NaN in gives NaN out.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Function {
    /// [`math::exp`].
    Exp,
    /// [`math::exp_m1`].
    ExpM1,
    /// [`math::ln`].
    Ln,
    /// [`math::ln_1p`].
    Ln1p,
    /// [`math::sigmoid`].
    Sigmoid,
    /// [`math::log_sigmoid`].
    LogSigmoid,
    /// [`math::tanh`].
    Tanh,
    /// `max(x, 0)`; its slope at 0 is 0, and -0 becomes +0.
    Relu,
    /// `x` where positive, else `slope x`.
    LeakyRelu {
        /// The slope of the negative side.
        slope: f64,
    },
    /// `x` where positive, else `alpha (e^x - 1)`.
    Elu {
        /// Minus the limit at minus infinity.
        alpha: f64,
    },
    /// `SELU_SCALE` times the [`Elu`](Self::Elu) of [`SELU_ALPHA`].
    Selu,
    /// [`math::softplus`].
    Softplus,
    /// [`math::silu`].
    Silu,
    /// [`math::gelu`].
    Gelu,
    /// [`math::gelu_tanh`].
    GeluTanh,
}

/// SELU's scale (Klambauer et al. 2017, the fixed point of eq. 4 and 5).
pub const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
/// SELU's alpha.
pub const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

/// Runs `$body` with `$f` bound to the vector code of the function.
macro_rules! with {
    ($function:expr, $f:ident => $body:expr) => {
        match $function {
            Function::Exp => {
                let $f = Exp;
                $body
            }
            Function::ExpM1 => {
                let $f = ExpM1;
                $body
            }
            Function::Ln => {
                let $f = Ln;
                $body
            }
            Function::Ln1p => {
                let $f = Ln1p;
                $body
            }
            Function::Sigmoid => {
                let $f = Sigmoid;
                $body
            }
            Function::LogSigmoid => {
                let $f = LogSigmoid;
                $body
            }
            Function::Tanh => {
                let $f = Tanh;
                $body
            }
            Function::Relu => {
                let $f = Relu;
                $body
            }
            Function::LeakyRelu { slope } => {
                let $f = LeakyRelu { slope };
                $body
            }
            Function::Elu { alpha } => {
                let $f = Elu { scale: 1.0, alpha };
                $body
            }
            Function::Selu => {
                let $f = Elu { scale: SELU_SCALE, alpha: SELU_ALPHA };
                $body
            }
            Function::Softplus => {
                let $f = Softplus;
                $body
            }
            Function::Silu => {
                let $f = Silu;
                $body
            }
            Function::Gelu => {
                let $f = Gelu;
                $body
            }
            Function::GeluTanh => {
                let $f = GeluTanh;
                $body
            }
        }
    };
}

impl Function {
    /// Every function, with the constants its users expect.
    pub const ALL: [Self; 15] = [
        Self::Exp,
        Self::ExpM1,
        Self::Ln,
        Self::Ln1p,
        Self::Sigmoid,
        Self::LogSigmoid,
        Self::Tanh,
        Self::Relu,
        Self::LeakyRelu { slope: 0.01 },
        Self::Elu { alpha: 1.0 },
        Self::Selu,
        Self::Softplus,
        Self::Silu,
        Self::Gelu,
        Self::GeluTanh,
    ];

    /// The name: `exp`, `leaky_relu`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Exp => "exp",
            Self::ExpM1 => "expm1",
            Self::Ln => "ln",
            Self::Ln1p => "ln1p",
            Self::Sigmoid => "sigmoid",
            Self::LogSigmoid => "log_sigmoid",
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::LeakyRelu { .. } => "leaky_relu",
            Self::Elu { .. } => "elu",
            Self::Selu => "selu",
            Self::Softplus => "softplus",
            Self::Silu => "silu",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_tanh",
        }
    }

    /// `x <- f(x)`.
    pub fn apply<T: Vectorized>(self, isa: Isa, x: &mut [T]) {
        match T::typed([], [x]) {
            Typed::Single([], [x]) => single::apply(self, isa, x),
            Typed::Double([], [x]) => double::apply(self, isa, x),
        }
    }

    /// `x <- f(x)` and `slope <- f'(x)`; both slices are as long.
    pub fn apply_with_slope<T: Vectorized>(self, isa: Isa, x: &mut [T], slope: &mut [T]) {
        match T::typed([], [x, slope]) {
            Typed::Single([], [x, slope]) => single::apply_with_slope(self, isa, x, slope),
            Typed::Double([], [x, slope]) => double::apply_with_slope(self, isa, x, slope),
        }
    }

    /// `y <- f(x)`, for callers whose slices come from outside.
    ///
    /// **Errors**: slices of different lengths; a level that this machine does not have. Nothing is written then.
    pub fn map<T: Vectorized>(self, isa: Isa, x: &[T], y: &mut [T]) -> Result<()> {
        isa.require("isa")?;
        check_length("the output", x.len(), y.len())?;
        match T::typed([x], [y]) {
            Typed::Single([x], [y]) => single::map(self, isa, x, y),
            Typed::Double([x], [y]) => double::map(self, isa, x, y),
        }
        Ok(())
    }

    /// `y <- f(x)` and `slope <- f'(x)`, for callers whose slices come from outside.
    ///
    /// **Errors**: slices of different lengths; a level that this machine does not have. Nothing is written then.
    pub fn map_with_slope<T: Vectorized>(self, isa: Isa, x: &[T], y: &mut [T], slope: &mut [T]) -> Result<()> {
        isa.require("isa")?;
        check_length("the output", x.len(), y.len())?;
        check_length("the slope", x.len(), slope.len())?;
        match T::typed([x], [y, slope]) {
            Typed::Single([x], [y, slope]) => single::map_with_slope(self, isa, x, y, slope),
            Typed::Double([x], [y, slope]) => double::map_with_slope(self, isa, x, y, slope),
        }
        Ok(())
    }
}

/// [`Function::apply`] inside a kernel, for slices of a few vectors.
#[inline(always)]
pub(crate) fn apply_at<T: Vectorized, L: Lanes<T>>(lanes: L, function: Function, x: &mut [T]) {
    with!(function, f => sweep_at(lanes, InPlace(f), [], [x]));
}

/// [`Function::apply_with_slope`] inside a kernel, for slices of a few vectors.
#[inline(always)]
pub(crate) fn apply_with_slope_at<T: Vectorized, L: Lanes<T>>(
    lanes: L,
    function: Function,
    x: &mut [T],
    slope: &mut [T],
) {
    with!(function, f => sweep_at(lanes, InPlace(f), [], [x, slope]));
}

/// The kernels of one type, compiled here: as generic code every crate that calls one would compile them all.
macro_rules! compiled {
    ($module:ident, $t:ty) => {
        mod $module {
            use super::*;

            pub fn apply(function: Function, isa: Isa, x: &mut [$t]) {
                with!(function, f => sweep(isa, InPlace(f), [], [x]));
            }
            pub fn apply_with_slope(function: Function, isa: Isa, x: &mut [$t], slope: &mut [$t]) {
                with!(function, f => sweep(isa, InPlace(f), [], [x, slope]));
            }
            pub fn map(function: Function, isa: Isa, x: &[$t], y: &mut [$t]) {
                with!(function, f => sweep(isa, Map(f), [x], [y]));
            }
            pub fn map_with_slope(function: Function, isa: Isa, x: &[$t], y: &mut [$t], slope: &mut [$t]) {
                with!(function, f => sweep(isa, Map(f), [x], [y, slope]));
            }
        }
    };
}

compiled!(single, f32);
compiled!(double, f64);

/// A function of a vector, and its derivative.
trait Elementwise: Copy {
    fn value<T: Vectorized, L: Lanes<T>>(self, lanes: L, x: L::Vector) -> L::Vector;
    fn value_and_slope<T: Vectorized, L: Lanes<T>>(self, lanes: L, x: L::Vector) -> (L::Vector, L::Vector);
}

/// Overwrites its argument.
#[derive(Clone, Copy)]
struct InPlace<F>(F);

impl<T: Vectorized, F: Elementwise> Step<T, 0, 1> for InPlace<F> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, []: [L::Vector; 0], [x]: [L::Vector; 1]) -> [L::Vector; 1] {
        [self.0.value(lanes, x)]
    }
}

/// With the slope, whose slice is overwritten unseen.
impl<T: Vectorized, F: Elementwise> Step<T, 0, 2> for InPlace<F> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, []: [L::Vector; 0], [x, _]: [L::Vector; 2]) -> [L::Vector; 2] {
        self.0.value_and_slope(lanes, x).into()
    }
}

/// Writes elsewhere.
#[derive(Clone, Copy)]
struct Map<F>(F);

impl<T: Vectorized, F: Elementwise> Step<T, 1, 1> for Map<F> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [x]: [L::Vector; 1], _: [L::Vector; 1]) -> [L::Vector; 1] {
        [self.0.value(lanes, x)]
    }
}

impl<T: Vectorized, F: Elementwise> Step<T, 1, 2> for Map<F> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [x]: [L::Vector; 1], _: [L::Vector; 2]) -> [L::Vector; 2] {
        self.0.value_and_slope(lanes, x).into()
    }
}

/// The vector code of a function without constants: its value, and both.
macro_rules! elementwise {
    ($name:ident, |$lanes:ident, $x:ident| $value:expr, $both:expr) => {
        #[derive(Clone, Copy)]
        struct $name;

        impl Elementwise for $name {
            #[inline(always)]
            fn value<T: Vectorized, L: Lanes<T>>(self, $lanes: L, $x: L::Vector) -> L::Vector {
                $value
            }
            #[inline(always)]
            fn value_and_slope<T: Vectorized, L: Lanes<T>>(self, $lanes: L, $x: L::Vector) -> (L::Vector, L::Vector) {
                $both
            }
        }
    };
}

elementwise!(Exp, |lanes, x| math::exp(lanes, x), {
    let y = math::exp(lanes, x);
    (y, y)
});
elementwise!(ExpM1, |lanes, x| math::exp_m1(lanes, x), math::exp_m1_with_slope(lanes, x));
elementwise!(Ln, |lanes, x| math::ln(lanes, x), (math::ln(lanes, x), lanes.div(lanes.splat(T::ONE), x)));
elementwise!(Ln1p, |lanes, x| math::ln_1p(lanes, x), {
    let one = lanes.splat(T::ONE);
    (math::ln_1p(lanes, x), lanes.div(one, lanes.add(one, x)))
});
elementwise!(Sigmoid, |lanes, x| math::sigmoid(lanes, x), {
    let y = math::sigmoid(lanes, x);
    (y, lanes.mul(y, lanes.sub(lanes.splat(T::ONE), y)))
});
elementwise!(LogSigmoid, |lanes, x| math::log_sigmoid(lanes, x), math::log_sigmoid_with_slope(lanes, x));
elementwise!(Tanh, |lanes, x| math::tanh(lanes, x), {
    let y = math::tanh(lanes, x);
    (y, lanes.mul_add(lanes.neg(y), y, lanes.splat(T::ONE)))
});
elementwise!(
    Relu,
    |lanes, x| {
        // A maximum with zero would let -0 through on x86.
        let zero = lanes.splat(T::ZERO);
        lanes.select(lanes.le(x, zero), zero, x)
    },
    {
        let zero = lanes.splat(T::ZERO);
        let y = lanes.select(lanes.le(x, zero), zero, x);
        // Where x is not above zero, y is 0 or NaN, which is the slope there.
        (y, lanes.select(lanes.lt(zero, x), lanes.splat(T::ONE), y))
    }
);
elementwise!(Softplus, |lanes, x| math::softplus(lanes, x), math::softplus_with_slope(lanes, x));
elementwise!(Silu, |lanes, x| math::silu(lanes, x), math::silu_with_slope(lanes, x));
elementwise!(Gelu, |lanes, x| math::gelu(lanes, x), math::gelu_with_slope(lanes, x));
elementwise!(GeluTanh, |lanes, x| math::gelu_tanh(lanes, x), math::gelu_tanh_with_slope(lanes, x));

#[derive(Clone, Copy)]
struct LeakyRelu {
    slope: f64,
}

impl Elementwise for LeakyRelu {
    #[inline(always)]
    fn value<T: Vectorized, L: Lanes<T>>(self, lanes: L, x: L::Vector) -> L::Vector {
        self.value_and_slope(lanes, x).0
    }
    #[inline(always)]
    fn value_and_slope<T: Vectorized, L: Lanes<T>>(self, lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
        let below = lanes.le(x, lanes.splat(T::ZERO));
        let slope = lanes.splat(T::from_f64(self.slope));
        let value = lanes.select(below, lanes.mul(slope, x), x);
        (value, lanes.select(below, slope, lanes.splat(T::ONE)))
    }
}

#[derive(Clone, Copy)]
struct Elu {
    scale: f64,
    alpha: f64,
}

impl Elementwise for Elu {
    #[inline(always)]
    fn value<T: Vectorized, L: Lanes<T>>(self, lanes: L, x: L::Vector) -> L::Vector {
        math::elu(lanes, self.scale, self.alpha, x)
    }
    #[inline(always)]
    fn value_and_slope<T: Vectorized, L: Lanes<T>>(self, lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
        math::elu_with_slope(lanes, self.scale, self.alpha, x)
    }
}
