//! Operators that change nothing that counts, or only the shape and type of a constant.
//!
//! Imports `columns`, `constant`, `messages`, `value`. Begin reading at [`passed`].

use super::constant::{Constant, Content};
use super::messages::{Attribute, element};
use super::value::{Attributes, Value, numbers};
use std::rc::Rc;

/// `Constant`.
pub fn constant(attributes: Vec<Attribute>) -> Result<Value, String> {
    let attribute = attributes.into_iter().next().ok_or("it has no value")?;
    let list = |numbers: Vec<f64>, element| Ok(Constant::list(numbers, element));
    let one = |number: f64, element| Ok(Constant { dims: Vec::new(), ..Constant::list(vec![number], element) });
    let constant = match (attribute.name.as_deref().unwrap_or_default(), attribute.t) {
        ("value", Some(tensor)) => Constant::read(tensor),
        ("value_float", _) => one(attribute.f.unwrap_or(0.0).into(), element::FLOAT),
        ("value_int", _) => one(attribute.i.unwrap_or(0) as f64, element::INT64),
        ("value_floats", _) => list(attribute.floats.into_iter().map(f64::from).collect(), element::FLOAT),
        ("value_ints", _) => list(attribute.ints.into_iter().map(|i| i as f64).collect(), element::INT64),
        (other, _) => Err(format!("a constant of the kind '{other}'")),
    }?;
    Ok(Value::Constant(Rc::new(constant)))
}

/// Operators that change nothing that counts, and those that change the shape of a constant; `None` for others. Rows have so many `units`.
pub fn passed(
    operator: &str,
    attributes: &Attributes<'_>,
    first: &Value,
    second: Option<&Value>,
    third: Option<&Value>,
    units: Option<usize>,
) -> Option<Result<Value, String>> {
    let same = || Some(Ok(first.clone()));
    let shape = second.and_then(numbers);
    match (operator, first) {
        ("Dropout", _) if third.is_some_and(|t| !matches!(t, Value::Constant(c) if c.number() == Some(0.0))) => {
            Some(Err("it drops units, as in training".into()))
        }
        ("Identity" | "Dropout", _) => same(),
        ("Cast", Value::Constant(constant)) => Some(cast(constant, attributes.int("to", 1))),
        ("Cast", _) => same(),
        ("Transpose", Value::Constant(constant)) => Some(transposed(constant)),
        ("Reshape" | "Squeeze" | "Unsqueeze" | "Flatten", Value::Constant(constant)) => {
            Some(reshaped(operator, attributes, constant, shape))
        }
        ("Flatten", _) if attributes.int("axis", 1) != 1 => {
            Some(Err("it flattens other dimensions than those of a row".into()))
        }
        ("Reshape", Value::Rows(_) | Value::Columns(_)) => Some(as_matrix(first, &shape?, units)),
        ("Flatten" | "Squeeze", Value::Columns(columns)) => Some(Ok(Value::Columns(Rc::new(columns.flattened())))),
        ("Flatten" | "Squeeze", Value::Rows(_)) => same(),
        ("Reshape" | "Squeeze" | "Unsqueeze" | "Flatten", Value::Label(..) | Value::Of(..) | Value::Text(_)) => same(),
        _ => None,
    }
}

/// Rows in the shape of a matrix: of as many columns as they have, whatever is said of the rows, or of all that is in a row.
fn as_matrix(first: &Value, shape: &[f64], units: Option<usize>) -> Result<Value, String> {
    let [rows, columns] = shape[..] else { return Err(format!("to {} dimensions, expected 2", shape.len())) };
    let refuse = || Err(format!("to {rows} x {columns}, expected all rows as they are"));
    let Value::Columns(of) = first else {
        let same =
            columns == 0.0 || columns == -1.0 && rows == 0.0 || units.is_some_and(|units| columns == units as f64);
        return if same { Ok(first.clone()) } else { refuse() };
    };
    let all = of.is_all(rows);
    let known = match of.width() {
        Some(width) if columns == width as f64 || all && columns == -1.0 && rows != -1.0 => Ok(of.flattened()),
        None if all && columns >= 1.0 => of.flattened().with_width(columns as usize),
        None if all && columns == -1.0 && rows != -1.0 => Ok(of.flattened()),
        _ => return refuse(),
    };
    known.map(|columns| Value::Columns(Rc::new(columns)))
}

/// A constant's numbers in another type.
fn cast(constant: &Constant, to: i64) -> Result<Value, String> {
    let to = i32::try_from(to).unwrap_or(0);
    let numbers = constant.numbers().ok_or("texts as numbers")?;
    let content = match to {
        element::FLOAT => Rc::new(numbers.iter().map(|&number| f64::from(number as f32)).collect()),
        element::DOUBLE => numbers.clone(),
        element::INT64 | element::INT32 => Rc::new(numbers.iter().map(|number| number.trunc()).collect()),
        other => return Err(format!("to the type {}", element::name(other))),
    };
    Ok(Value::Constant(Rc::new(Constant {
        dims: constant.dims.clone(),
        element: to,
        content: Content::Numbers(content),
    })))
}

fn transposed(constant: &Constant) -> Result<Value, String> {
    let (rows, columns, numbers) = constant.matrix(true).ok_or("of what is no matrix")?;
    let content = Content::Numbers(numbers);
    Ok(Value::Constant(Rc::new(Constant { dims: vec![rows, columns], element: constant.element, content })))
}

/// A constant in another shape: of which only the number of dimensions counts, for lists and matrices.
fn reshaped(
    operator: &str,
    attributes: &Attributes<'_>,
    constant: &Constant,
    shape: Option<Rc<Vec<f64>>>,
) -> Result<Value, String> {
    let mut dims = constant.dims.clone();
    match operator {
        "Squeeze" => dims.retain(|&dim| dim != 1),
        "Unsqueeze" => {
            let axes = attributes.find("axes").map(|a| a.ints.iter().map(|&i| i as f64).collect());
            let axes: Vec<f64> = shape.map(|axes| axes.to_vec()).or(axes).unwrap_or_default();
            for axis in axes {
                let at = if axis < 0.0 { (dims.len() + 1).checked_sub(-axis as usize) } else { Some(axis as usize) };
                match at.filter(|&at| at <= dims.len() && dims.len() < 8) {
                    Some(at) => dims.insert(at, 1),
                    None => return Err(format!("a dimension at {axis}")),
                }
            }
        }
        "Reshape" => {
            let shape = shape.ok_or("to a shape that is no constant")?;
            let count: usize = dims.iter().product();
            let given: Vec<usize> = shape
                .iter()
                .enumerate()
                .map(|(i, &dim)| if dim == 0.0 { dims.get(i).copied().unwrap_or(0) } else { dim.max(0.0) as usize })
                .collect();
            let known = given
                .iter()
                .zip(&*shape)
                .filter(|(_, dim)| **dim >= 0.0)
                .try_fold(1usize, |known, (&dim, _)| known.checked_mul(dim));
            let known = known.filter(|&known| known > 0 && count % known == 0).ok_or("to a shape of another size")?;
            dims =
                given.iter().zip(&*shape).map(|(&given, &dim)| if dim < 0.0 { count / known } else { given }).collect();
            if dims.iter().try_fold(1usize, |size, &dim| size.checked_mul(dim)) != Some(count) || dims.len() > 8 {
                return Err("to a shape of another size".into());
            }
        }
        _ => return Err("of a constant".into()),
    }
    Ok(Value::Constant(Rc::new(Constant { dims, ..constant.clone() })))
}
