//! Activations as ONNX writes them.
//!
//! Imports `graph`. In `f32` the standard's operators; in `f64` those of them that runtimes compute in `f64`, and for the others
//! arithmetic that loses no digits: ONNX Runtime 1.32 has no `LeakyRelu`, `Elu`, `Selu`, `Softplus` and `Erf` of doubles, and an
//! operator's constant is a single-precision attribute.

use super::graph::{Builder, float, int, text};
use deltarule::activation::Activation;
use deltarule::float::Float;
use deltarule::kernel::elementwise::{SELU_ALPHA, SELU_SCALE};
use deltarule::kernel::math::NORMAL_DOUBLE;
use deltarule::{Error, Result};

/// `sqrt(8 / pi)` and 0.044715 times it: the tanh form of GELU is `z sigmoid(z (a + b z^2))` with these.
const GELU_TANH: [f64; 2] = [1.595_769_121_605_730_8, 0.071_354_816_272_600_25];

/// What an activation makes of the weighted sums `z`, under the wanted name.
///
/// **Errors** for an activation that this version does not know.
pub fn activation<T: Float>(g: &mut Builder, activation: Activation, z: &str, wanted: &str) -> Result<String> {
    let single = T::NAME == "f32";
    let mut on = On { g, z, wanted };
    Ok(match activation {
        Activation::Identity => z.into(),
        // 1 where z > 0, and NaN stays NaN.
        Activation::Step => {
            let sign = on.node("Sign", &[z]);
            on.node("Relu", &[&sign])
        }
        Activation::Sigmoid => on.node("Sigmoid", &[z]),
        Activation::Tanh => on.node("Tanh", &[z]),
        Activation::Relu => on.node("Relu", &[z]),
        Activation::Exponential => on.node("Exp", &[z]),
        Activation::Softmax => on.g.node("Softmax", &[z], vec![int("axis", -1)], wanted),
        Activation::Silu => {
            let gate = on.node("Sigmoid", &[z]);
            on.node("Mul", &[z, &gate])
        }
        Activation::LeakyRelu { slope } if single => on.g.node("LeakyRelu", &[z], vec![float("alpha", slope)], wanted),
        Activation::Elu { alpha } if single => on.g.node("Elu", &[z], vec![float("alpha", alpha)], wanted),
        Activation::Selu if single => {
            let constants = vec![float("alpha", SELU_ALPHA), float("gamma", SELU_SCALE)];
            on.g.node("Selu", &[z], constants, wanted)
        }
        Activation::Softplus if single => on.node("Softplus", &[z]),
        Activation::Gelu if single => on.node("Gelu", &[z]),
        Activation::GeluTanh if single => on.g.node("Gelu", &[z], vec![text("approximate", "tanh")], wanted),
        Activation::LeakyRelu { slope } => {
            let (positive, negative) = (on.node("Relu", &[z]), on.negative::<T>());
            let negative = on.with::<T>("Mul", &negative, slope);
            on.node("Add", &[&positive, &negative])
        }
        Activation::Elu { alpha } => on.elu::<T>(alpha),
        Activation::Selu => {
            let elu = on.elu::<T>(SELU_ALPHA);
            on.with::<T>("Mul", &elu, SELU_SCALE)
        }
        Activation::Softplus => on.softplus::<T>(),
        Activation::Gelu => on.gelu::<T>(),
        Activation::GeluTanh => {
            let square = on.node("Mul", &[z, z]);
            let [a, b] = GELU_TANH;
            let factor = on.with::<T>("Mul", &square, b);
            let factor = on.with::<T>("Add", &factor, a);
            let argument = on.node("Mul", &[z, &factor]);
            let gate = on.node("Sigmoid", &[&argument]);
            on.node("Mul", &[z, &gate])
        }
        other => return Err(Error::Unsupported(format!("the activation {other} has no form in ONNX"))),
    })
}

/// A function of `z` under construction.
struct On<'a> {
    g: &'a mut Builder,
    z: &'a str,
    wanted: &'a str,
}

impl On<'_> {
    fn node(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.g.node(operator, inputs, Vec::new(), self.wanted)
    }

    /// A value and a number.
    fn with<T: Float>(&mut self, operator: &str, value: &str, number: f64) -> String {
        let number = self.g.number::<T>(self.wanted, number);
        self.node(operator, &[value, &number])
    }

    /// `min(z, 0)`.
    fn negative<T: Float>(&mut self) -> String {
        self.with::<T>("Min", self.z, 0.0)
    }

    /// `z` where positive, else `alpha (exp(z) - 1)`, the difference as `tanh(z / 2) (exp(z) + 1)`, which does not cancel.
    fn elu<T: Float>(&mut self, alpha: f64) -> String {
        let (positive, negative) = (self.node("Relu", &[self.z]), self.negative::<T>());
        let half = self.with::<T>("Mul", &negative, 0.5);
        let tanh = self.node("Tanh", &[&half]);
        let exp = self.node("Exp", &[&negative]);
        let sum = self.with::<T>("Add", &exp, 1.0);
        let less_one = self.node("Mul", &[&tanh, &sum]);
        let scaled = self.with::<T>("Mul", &less_one, alpha);
        self.node("Add", &[&positive, &scaled])
    }

    /// `max(z, 0) + ln(1 + u)`, `u = exp(-|z|)`, the logarithm as `ln(w) - ((w - 1) - u) / w` with `w = 1 + u`: what the sum lost comes
    /// back to first order.
    fn softplus<T: Float>(&mut self) -> String {
        let size = self.node("Abs", &[self.z]);
        let size = self.node("Neg", &[&size]);
        let u = self.node("Exp", &[&size]);
        let w = self.with::<T>("Add", &u, 1.0);
        let log = self.node("Log", &[&w]);
        let added = self.with::<T>("Sub", &w, 1.0);
        let lost = self.node("Sub", &[&added, &u]);
        let lost = self.node("Div", &[&lost, &w]);
        let log = self.node("Sub", &[&log, &lost]);
        let positive = self.node("Relu", &[self.z]);
        self.node("Add", &[&positive, &log])
    }

    /// `max(z, 0) - m Phi(-m)`, `m = |z|`, the tail of the normal distribution by the polynomial of the library's own kernel.
    fn gelu<T: Float>(&mut self) -> String {
        let m = self.node("Abs", &[self.z]);
        let less = self.with::<T>("Sub", &m, 4.0);
        let more = self.with::<T>("Add", &m, 4.0);
        let t = self.node("Div", &[&less, &more]);
        let mut powers = NORMAL_DOUBLE.polynomial.iter().flatten().rev();
        let highest = powers.next().copied().unwrap_or_default();
        let mut p = self.with::<T>("Mul", &t, highest);
        for &coefficient in powers {
            let sum = self.with::<T>("Add", &p, coefficient);
            p = self.node("Mul", &[&sum, &t]);
        }
        let p = self.with::<T>("Add", &p, NORMAL_DOUBLE.first);
        let pole = self.with::<T>("Add", &m, 1.25);
        let quotient = self.node("Div", &[&p, &pole]);
        let square = self.node("Mul", &[&m, &m]);
        let exponent = self.with::<T>("Mul", &square, -0.5);
        let exponential = self.node("Exp", &[&exponent]);
        let tail = self.node("Mul", &[&quotient, &exponential]);
        let product = self.node("Mul", &[&m, &tail]);
        let positive = self.node("Relu", &[self.z]);
        self.node("Sub", &[&positive, &product])
    }
}
