//! What nodes make of each weighted sum, as an expression of it, and which activation that is.
//!
//! Imports nothing of ours. Exporters write one activation in many ways: GELU by `Erf` of a quotient or of a product, SiLU as a product
//! with a sigmoid, leaky ReLU as a choice. An expression is recognised by its values, not by its form: at [`points`] it has those of an
//! activation, and no two activations have the same there. Begin reading at [`Expression::activation`].

use deltarule::activation::{Activation, ActivationFn};
use deltarule::kernel::elementwise::{SELU_ALPHA, SELU_SCALE};
use std::rc::Rc;

/// The deepest expression: GELU by arithmetic alone, as deltarule itself writes it for doubles, has 60.
const DEPTH: usize = 100;
/// The largest.
const SIZE: usize = 2000;

/// A function of one weighted sum `z`.
#[derive(Clone, Debug)]
pub struct Expression {
    node: Rc<Node>,
    depth: usize,
    size: usize,
}

#[derive(Debug)]
enum Node {
    Z,
    Number(f64),
    One(One, Expression),
    Two(Two, Expression, Expression),
    /// The second where the first is not 0, else the third.
    Where(Expression, Expression, Expression),
}

/// A function of one number, with its constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum One {
    Abs,
    Neg,
    Exp,
    Log,
    Sqrt,
    Reciprocal,
    Erf,
    Sign,
    Not,
    Clip(f64, f64),
    Selu(f64, f64),
    Celu(f64),
    Known(Activation),
}

/// A function of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Two {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Max,
    Min,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Where an expression is held against activations: around 0, over the range where they bend, and far out, where a cut would show.
fn points() -> impl Iterator<Item = f64> {
    let near = (-48..=48).map(|i| f64::from(i) / 8.0);
    let far = [1e-6, 1e-3, 7.7, 9.3, 12.0, 16.0, 23.0, 37.0, 61.0, 85.0].into_iter().flat_map(|x| [x, -x]);
    near.chain(far)
}

/// How close the values are, relative to them and to 1: constants in files are single-precision numbers, of 6e-8, and GELU and its tanh
/// form are 5e-4 apart.
const CLOSE: f64 = 2e-6;

impl Expression {
    /// The weighted sum itself.
    pub fn z() -> Self {
        Self { node: Rc::new(Node::Z), depth: 1, size: 1 }
    }

    /// A number.
    pub fn number(number: f64) -> Self {
        Self { node: Rc::new(Node::Number(number)), depth: 1, size: 1 }
    }

    fn of(node: Node, parts: &[&Self]) -> Option<Self> {
        let depth = 1 + parts.iter().map(|part| part.depth).max().unwrap_or(0);
        let size = parts.iter().fold(1usize, |size, part| size.saturating_add(part.size));
        (depth <= DEPTH && size <= SIZE).then(|| Self { node: Rc::new(node), depth, size })
    }

    /// A function of it, unless it becomes too large.
    pub fn one(self, function: One) -> Option<Self> {
        let part = self.clone();
        Self::of(Node::One(function, self), &[&part])
    }

    /// A function of two.
    pub fn two(function: Two, a: Self, b: Self) -> Option<Self> {
        let parts = [a.clone(), b.clone()];
        Self::of(Node::Two(function, a, b), &[&parts[0], &parts[1]])
    }

    /// A choice of two.
    pub fn choice(which: Self, a: Self, b: Self) -> Option<Self> {
        let parts = [which.clone(), a.clone(), b.clone()];
        Self::of(Node::Where(which, a, b), &[&parts[0], &parts[1], &parts[2]])
    }

    /// Its value at `z`.
    pub fn value(&self, z: f64) -> f64 {
        match &*self.node {
            Node::Z => z,
            Node::Number(number) => *number,
            Node::One(function, a) => function.value(a.value(z)),
            Node::Two(function, a, b) => function.value(a.value(z), b.value(z)),
            Node::Where(which, a, b) => {
                if which.value(z) != 0.0 {
                    a.value(z)
                } else {
                    b.value(z)
                }
            }
        }
    }

    /// `a` and `b`, if it is `a z + b` by its form.
    pub fn line(&self) -> Option<(f64, f64)> {
        match &*self.node {
            Node::Z => Some((1.0, 0.0)),
            Node::Number(number) => Some((0.0, *number)),
            Node::One(One::Neg, inner) => inner.line().map(|(a, b)| (-a, -b)),
            Node::One(One::Known(Activation::Identity), inner) => inner.line(),
            Node::Two(function, left, right) => {
                let ((a, b), (c, d)) = (left.line()?, right.line()?);
                match function {
                    Two::Add => Some((a + c, b + d)),
                    Two::Sub => Some((a - c, b - d)),
                    Two::Mul if a == 0.0 => Some((b * c, b * d)),
                    Two::Mul if c == 0.0 => Some((a * d, b * d)),
                    Two::Div if c == 0.0 && d != 0.0 => Some((a / d, b / d)),
                    _ => None,
                }
            }
            Node::One(..) | Node::Where(..) => None,
        }
    }

    /// The activation that it is.
    pub fn activation(&self) -> Option<Activation> {
        if let Node::One(One::Known(activation), inner) = &*self.node
            && let Node::Z = *inner.node
        {
            return Some(*activation);
        }
        // A constant shows where nothing else does.
        let (slope, alpha) = (round(-self.value(-1.0)), round(-self.value(-40.0)));
        let candidates = Activation::ALL.into_iter().filter_map(|activation| match activation {
            Activation::Softmax | Activation::Identity => None,
            Activation::LeakyRelu { .. } => Some(Activation::LeakyRelu { slope }),
            Activation::Elu { .. } => Some(Activation::Elu { alpha }),
            other => Some(other),
        });
        let is = |activation: &Activation| {
            activation.check().is_ok()
                && points().all(|z| {
                    let (found, expected) = (self.value(z), activation.value_and_slope(z).0);
                    found == expected || (found - expected).abs() <= CLOSE * expected.abs().max(1.0)
                })
        };
        candidates.into_iter().find(is)
    }

    /// A function of a line `a z + b` as a function of what the line gives, and the line; or a line of a function as the function, and the
    /// line after it. What is not activation is weights.
    pub fn peeled(&self) -> Option<Peeled> {
        match &*self.node {
            Node::One(function, inner) => {
                if let Some(line) = inner.line() {
                    return (line != (1.0, 0.0)).then(|| Some(Peeled::Before(line, Self::z().one(*function)?)))?;
                }
                match inner.peeled()? {
                    Peeled::Before(line, inner) => Some(Peeled::Before(line, inner.one(*function)?)),
                    Peeled::After(..) => None,
                }
            }
            Node::Two(function, a, b) => {
                let (inner, after) = match (function, a.constant(), b.constant()) {
                    (Two::Add, None, Some(b)) => (a, (1.0, b)),
                    (Two::Add, Some(a), None) => (b, (1.0, a)),
                    (Two::Sub, None, Some(b)) => (a, (1.0, -b)),
                    (Two::Sub, Some(a), None) => (b, (-1.0, a)),
                    (Two::Mul, None, Some(b)) => (a, (b, 0.0)),
                    (Two::Mul, Some(a), None) => (b, (a, 0.0)),
                    (Two::Div, None, Some(b)) if b != 0.0 => (a, (1.0 / b, 0.0)),
                    _ => return None,
                };
                Some(Peeled::After(inner.clone(), after))
            }
            _ => None,
        }
    }

    fn constant(&self) -> Option<f64> {
        if let Node::Number(number) = *self.node { Some(number) } else { None }
    }

    /// Whether it is 1 less the other.
    pub fn is_complement_of(&self, other: &Self) -> bool {
        points().all(|z| (self.value(z) + other.value(z) - 1.0).abs() <= CLOSE)
    }
}

/// An expression, parted.
#[derive(Debug)]
pub enum Peeled {
    /// A line, and the function of what it gives.
    Before((f64, f64), Expression),
    /// A function, and the line of what it gives.
    After(Expression, (f64, f64)),
}

/// A single-precision number as the decimal that was meant: 0.2 and not 0.20000000298.
pub fn round(number: f64) -> f64 {
    let single = number as f32;
    if f64::from(single) == number { single.to_string().parse().unwrap_or(number) } else { number }
}

impl One {
    fn value(self, x: f64) -> f64 {
        let elu = |alpha: f64, x: f64| if x > 0.0 { x } else { alpha * x.exp_m1() };
        match self {
            Self::Abs => x.abs(),
            Self::Neg => -x,
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sqrt => x.sqrt(),
            Self::Reciprocal => 1.0 / x,
            Self::Erf => erf(x),
            Self::Sign => {
                if x == 0.0 {
                    x
                } else {
                    x.signum()
                }
            }
            Self::Not => f64::from(u8::from(x == 0.0)),
            Self::Clip(low, high) => x.max(low).min(high),
            Self::Selu(alpha, gamma) => gamma * elu(alpha, x),
            Self::Celu(alpha) => x.max(0.0) + (alpha * (x / alpha).exp_m1()).min(0.0),
            Self::Known(activation) => activation.value_and_slope(x).0,
        }
    }

    /// The activation SELU, or what has other constants.
    pub fn selu(alpha: f64, gamma: f64) -> Self {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
        if close(alpha, SELU_ALPHA) && close(gamma, SELU_SCALE) {
            Self::Known(Activation::Selu)
        } else {
            Self::Selu(alpha, gamma)
        }
    }
}

/// The error function, by the exact GELU: `gelu(x) = x (1 + erf(x / sqrt 2)) / 2`.
fn erf(x: f64) -> f64 {
    let y = x * std::f64::consts::SQRT_2;
    // Around 0 the quotient has no digits; there erf is a line, to its cube.
    if y.abs() < 1e-5 {
        x * std::f64::consts::FRAC_2_SQRT_PI
    } else {
        2.0 * Activation::Gelu.value_and_slope(y).0 / y - 1.0
    }
}

impl Two {
    fn value(self, a: f64, b: f64) -> f64 {
        let truth = |is: bool| f64::from(u8::from(is));
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Pow => a.powf(b),
            Self::Max => a.max(b),
            Self::Min => a.min(b),
            Self::Greater => truth(a > b),
            Self::GreaterOrEqual => truth(a >= b),
            Self::Less => truth(a < b),
            Self::LessOrEqual => truth(a <= b),
        }
    }
}
