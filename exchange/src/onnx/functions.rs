//! Operators that are functions of each number.
//!
//! Imports `constant`, `expression`, `value`.

use super::expression::{One, Two, round};
use super::value::{Attributes, Value, numbers};
use deltarule::activation::Activation;

/// A function of two numbers.
pub fn two(operator: &str) -> Option<Two> {
    Some(match operator {
        "Add" => Two::Add,
        "Sub" => Two::Sub,
        "Mul" => Two::Mul,
        "Div" => Two::Div,
        "Pow" => Two::Pow,
        "Max" => Two::Max,
        "Min" => Two::Min,
        "Greater" => Two::Greater,
        "GreaterOrEqual" => Two::GreaterOrEqual,
        "Less" => Two::Less,
        "LessOrEqual" => Two::LessOrEqual,
        _ => return None,
    })
}

/// A function of one number, with its constants.
pub fn one(
    operator: &str,
    attributes: &Attributes<'_>,
    second: Option<&Value>,
    third: Option<&Value>,
) -> Result<Option<One>, String> {
    let constant = |value: Option<&Value>, name: &str, default: f64| match value {
        None => Ok(attributes.float(name, default)),
        Some(Value::Constant(constant)) => constant.number().ok_or("a limit that is no number"),
        Some(_) => Err("a limit that is no constant"),
    };
    Ok(Some(match operator {
        "Sigmoid" => One::Known(Activation::Sigmoid),
        "Tanh" => One::Known(Activation::Tanh),
        "Relu" => One::Known(Activation::Relu),
        "LeakyRelu" => One::Known(Activation::LeakyRelu { slope: attributes.float("alpha", 0.01) }),
        "PRelu" => {
            let slopes = second.and_then(numbers).ok_or("slopes that are no constants")?;
            match slopes.first() {
                Some(&slope) if slopes.iter().all(|&other| other == slope) => {
                    One::Known(Activation::LeakyRelu { slope: round(slope) })
                }
                _ => return Err("a slope of its own for each unit".into()),
            }
        }
        "Elu" => One::Known(Activation::Elu { alpha: attributes.float("alpha", 1.0) }),
        "Selu" => One::selu(attributes.float("alpha", 1.673_263_2), attributes.float("gamma", 1.050_701)),
        "Celu" => One::Celu(attributes.float("alpha", 1.0)),
        "Softplus" => One::Known(Activation::Softplus),
        "Gelu" => One::Known(match attributes.find("approximate").and_then(|a| a.s.as_deref()) {
            Some(b"tanh") => Activation::GeluTanh,
            _ => Activation::Gelu,
        }),
        "Swish" if attributes.float("alpha", 1.0) == 1.0 => One::Known(Activation::Silu),
        "Exp" => One::Exp,
        "Log" => One::Log,
        "Sqrt" => One::Sqrt,
        "Reciprocal" => One::Reciprocal,
        "Erf" => One::Erf,
        "Abs" => One::Abs,
        "Neg" => One::Neg,
        "Sign" => One::Sign,
        "Not" => One::Not,
        "Clip" => One::Clip(constant(second, "min", f64::NEG_INFINITY)?, constant(third, "max", f64::INFINITY)?),
        _ => return Ok(None),
    }))
}
