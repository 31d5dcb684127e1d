//! Operators before the first layer and behind the last: of input columns, and of classes.
//!
//! Imports `columns`, `constant`, `expression`, `layers`, `value`. Begin reading at [`of_tables`] and [`known`].

use super::columns::{Columns, Step};
use super::expression::Expression;
use super::layers::{Form, Layers, Rows};
use super::value::{About, Attributes, Value, numbers};
use std::rc::Rc;

/// Operators for tables and classes.
pub fn of_tables(
    operator: &str,
    attributes: &Attributes<'_>,
    first: Option<&Value>,
    second: Option<&Value>,
) -> Option<Result<Value, String>> {
    let columns = |columns: Result<Columns, String>| columns.map(|columns| Value::Columns(Rc::new(columns)));
    Some(match (operator, first?) {
        ("Scaler", Value::Columns(of)) => {
            let (offset, scale) = (attributes.floats("offset"), attributes.floats("scale"));
            // The reciprocal of a rounded reciprocal: what was divided by, to the digits there are.
            let divided: Vec<f64> = scale.iter().map(|scale| 1.0 / scale).collect();
            columns(Columns::clone(of).apply(Step::Sub, &offset).and_then(|columns| columns.apply(Step::Div, &divided)))
        }
        ("Imputer", Value::Columns(of)) => {
            if attributes.find("replaced_value_float").and_then(|a| a.f).is_some_and(|value| !value.is_nan()) {
                return Some(Err("it replaces a number, expected NaN".into()));
            }
            columns(Columns::clone(of).apply(Step::Fill, &attributes.floats("imputed_value_floats")))
        }
        ("LabelEncoder", Value::Text(name)) => levels(name, attributes),
        ("LabelEncoder", Value::Of(About::Place, of)) => {
            let keys = attributes.find("keys_int64s").map_or(&[][..], |a| &a.ints);
            let texts = attributes.texts("values_strings");
            let in_order = keys.iter().copied().eq(0..keys.len() as i64) && texts.len() == keys.len();
            if in_order { Ok(Value::Label(of.clone(), Rc::new(texts))) } else { Err("class names out of order".into()) }
        }
        ("OneHotEncoder", Value::Text(_) | Value::Level(..)) if attributes.int("zeros", 1) != 0 => {
            Err("it takes any category (zeros), expected those of the training alone".into())
        }
        ("OneHotEncoder", Value::Text(name)) => {
            columns(Ok(Columns::texts(name, attributes.texts("cats_strings"), None)))
        }
        ("OneHotEncoder", Value::Level(name, levels, fill)) => {
            columns(Ok(Columns::texts(name, levels.to_vec(), Some(*fill))))
        }
        ("ArrayFeatureExtractor", Value::Constant(constant)) => match second? {
            Value::Of(About::Place, rows) => Ok(Value::Label(rows.clone(), Rc::new(constant.texts()))),
            _ => return None,
        },
        ("ZipMap", Value::Rows(rows)) => {
            let mut names = attributes.texts("classlabels_strings");
            names.extend(
                attributes.find("classlabels_int64s").into_iter().flat_map(|a| a.ints.iter().map(i64::to_string)),
            );
            Ok(Value::Label(rows.clone(), Rc::new(names)))
        }
        _ => return None,
    })
}

/// Texts to the numbers of their levels; those behind the levels are spellings of a missing cell, which all mean one level.
fn levels(name: &Rc<str>, attributes: &Attributes<'_>) -> Result<Value, String> {
    let keys = attributes.texts("keys_strings");
    let places = attributes.find("values_int64s").map_or(&[][..], |a| &a.ints);
    let count = places.iter().enumerate().take_while(|(i, place)| **place == *i as i64).count();
    let fill = match places[count..].first() {
        Some(fill) if places[count..].iter().all(|place| place == fill) => {
            usize::try_from(*fill).ok().filter(|&fill| fill < count)
        }
        _ => None,
    };
    match fill {
        Some(fill) if keys.len() == places.len() => {
            Ok(Value::Level(name.clone(), Rc::new(keys[..count].to_vec()), fill))
        }
        _ => Err("texts to numbers in another way than a fill of missing cells".into()),
    }
}

/// What is known of rows and of input columns, and class names; `None` for others.
pub fn known(
    operator: &str,
    attributes: &Attributes<'_>,
    first: &Value,
    second: Option<&Value>,
) -> Option<Result<Value, String>> {
    let over_units = || {
        let axes = second.and_then(numbers).map(|axes| axes.to_vec());
        let axes = axes
            .or_else(|| attributes.find("axes").map(|a| a.ints.iter().map(|&i| i as f64).collect()))
            .unwrap_or_default();
        matches!(axes[..], [1.0] | [-1.0])
    };
    match (operator, first) {
        ("IsNaN", Value::Columns(columns)) => Some(Ok(Value::Missing(columns.clone()))),
        ("IsNaN", Value::Rows(rows) | Value::Of(About::Sum, rows)) => Some(Ok(Value::Of(About::Missing, rows.clone()))),
        ("ArgMax", Value::Rows(rows)) if matches!(attributes.int("axis", 0), 1 | -1) => {
            Some(Ok(Value::Of(About::Place, rows.clone())))
        }
        ("ReduceSum", Value::Rows(rows)) if over_units() => Some(Ok(Value::Of(About::Sum, rows.clone()))),
        ("ReduceMean", Value::Rows(rows)) if over_units() && rows.is_sums() => {
            Some(Ok(Value::Of(About::Mean, rows.clone())))
        }
        ("ReduceMean", Value::Of(About::Square, rows)) if over_units() => {
            Some(Ok(Value::Of(About::Variance, rows.clone())))
        }
        ("Sqrt", Value::Of(About::Padded, rows)) => Some(Ok(Value::Of(About::Deviation, rows.clone()))),
        ("Equal", Value::Of(About::Sum, rows)) if matches!(second, Some(Value::Constant(c)) if c.number() == Some(0.0)) => {
            Some(Ok(Value::Of(About::None, rows.clone())))
        }
        // Class names, and for each row which: by the largest number, or for each output one of two.
        ("Gather", Value::Constant(constant)) => match second {
            Some(Value::Of(About::Place, rows) | Value::Rows(rows)) => {
                Some(Ok(Value::Label(rows.clone(), Rc::new(constant.texts()))))
            }
            _ => None,
        },
        _ => None,
    }
}

/// `Where`.
pub fn choice(layers: &mut Layers, which: &Value, a: Option<&Value>, b: Option<&Value>) -> Result<Value, String> {
    let (Some(a), Some(b)) = (a, b) else { return Err("it has fewer than three inputs".into()) };
    match (which, a, b) {
        (Value::Missing(of), Value::Constant(fill), Value::Columns(columns)) if Rc::ptr_eq(of, columns) => {
            let fill = fill.columns().ok_or("a fill that is not one number for each column")?;
            Ok(Value::Columns(Rc::new(Columns::clone(columns).apply(Step::Fill, fill)?)))
        }
        // What stands where a row is NaN, or sums to 0, is of no account.
        (Value::Of(About::Missing, _), Value::Constant(_), Value::Of(..) | Value::Rows(_)) => Ok(b.clone()),
        (Value::Of(About::None, _), Value::Constant(_), Value::Rows(Rows { scaled: true, .. })) => Ok(b.clone()),
        (Value::Rows(rows), a, b) => {
            let rows = layers.canonical(rows)?;
            let mut part = |value: &Value| match value {
                Value::Rows(other) => {
                    layers.canonical(other).ok().filter(|other| other.stage == rows.stage)?.expression()
                }
                Value::Constant(constant) => constant.number().map(Expression::number),
                _ => None,
            };
            let (Some(which), Some(a), Some(b)) = (rows.expression(), part(a), part(b)) else {
                return Err("a choice of what is not of one layer".into());
            };
            Ok(Value::Rows(rows.function(Expression::choice(which, a, b))?))
        }
        _ => Err("a choice that is none of a multilayer perceptron".into()),
    }
}

/// `Concat`: of input columns, or of the two probabilities that one makes.
pub fn concat(inputs: &[Option<Value>], axis: i64) -> Result<Value, String> {
    if axis != 1 && axis != -1 {
        return Err(format!("along the dimension {axis}"));
    }
    if let [Some(Value::Rows(a)), Some(Value::Rows(b))] = inputs {
        return match (a.expression(), b.expression()) {
            (Some(first), Some(second)) if a.stage == b.stage && first.is_complement_of(&second) => {
                Ok(Value::Rows(Rows { form: Form::Pair(second), ..b.clone() }))
            }
            _ => Err("it joins two layers".into()),
        };
    }
    let columns: Option<Vec<Rc<Columns>>> = inputs
        .iter()
        .map(|value| if let Some(Value::Columns(columns)) = value { Some(columns.clone()) } else { None })
        .collect();
    let columns = columns.ok_or("it joins what are no input columns")?;
    Ok(Value::Columns(Rc::new(Columns::beside(&columns)?)))
}
