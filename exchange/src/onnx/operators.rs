//! What each operator makes of its inputs.
//!
//! Imports `columns`, `constant`, `expression`, `layers`, `messages`. A graph is run once, in its order, on values that are not numbers but
//! what is known of them; what is not understood is [`Value::Unknown`] with the reason, which only matters if an output needs it. Begin
//! reading at [`Machine::run`].

use super::columns::{Columns, Step};
use super::constant::{Constant, Content};
use super::expression::{Expression, One, Two, round};
use super::layers::{Form, Layers, Rows, Weights, step_of};
use super::messages::{Attribute, Node, element};
use deltarule::activation::Activation;
use deltarule::kernel::{batch_norm, layer_norm};
use std::rc::Rc;

/// What is known of a value.
#[derive(Clone, Debug)]
pub enum Value {
    Constant(Rc<Constant>),
    /// An input of texts.
    Text(Rc<str>),
    /// The same as numbers of its levels, and which stands for a missing one.
    Level(Rc<str>, Rc<Vec<String>>, usize),
    Columns(Rc<Columns>),
    /// Which cells are NaN.
    Missing(Rc<Columns>),
    Rows(Rows),
    /// Something that is known of each row of a network's outputs.
    Of(About, Rows),
    /// Class names.
    Label(Rows, Rc<Vec<String>>),
    /// Nothing, and why.
    Unknown(Rc<str>),
}

/// What is known of each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Its sum.
    Sum,
    /// Whether it is NaN.
    Missing,
    /// Whether its sum is 0.
    None,
    /// Where its largest number stands.
    Place,
}

/// Runs nodes.
#[derive(Debug)]
pub struct Machine {
    pub layers: Layers,
    /// The version of the standard operators.
    pub version: i64,
}

/// A node's attributes.
struct Attributes<'a>(&'a [Attribute]);

impl Attributes<'_> {
    fn find(&self, name: &str) -> Option<&Attribute> {
        self.0.iter().find(|attribute| attribute.name.as_deref() == Some(name))
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.find(name).and_then(|a| a.i).unwrap_or(default)
    }

    /// A single-precision number, as the decimal that was meant.
    fn float(&self, name: &str, default: f64) -> f64 {
        self.find(name).and_then(|a| a.f).map_or(default, |f| round(f.into()))
    }

    fn floats(&self, name: &str) -> Vec<f64> {
        self.find(name).map_or(Vec::new(), |a| a.floats.iter().map(|&f| f.into()).collect())
    }

    fn texts(&self, name: &str) -> Vec<String> {
        self.find(name)
            .map_or(Vec::new(), |a| a.strings.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect())
    }
}

impl Machine {
    /// What a node gives as its first output.
    ///
    /// **Errors** say what is not understood.
    pub fn run(&mut self, node: Node, inputs: &[Option<Value>]) -> Result<Value, String> {
        let operator = node.op_type.as_deref().unwrap_or_default();
        let attributes = Attributes(&node.attribute);
        for input in inputs.iter().flatten() {
            if let Value::Unknown(_) = input {
                return Ok(input.clone());
            }
        }
        let input = |i: usize| inputs.get(i).and_then(Option::as_ref);
        let no_such = || Err("it is none of the operators of a multilayer perceptron".to_string());
        match node.domain.as_deref().unwrap_or_default() {
            "" | "ai.onnx" => {}
            "ai.onnx.ml" => return of_tables(operator, &attributes, input(0), input(1)).unwrap_or_else(no_such),
            _ => return no_such(),
        }
        if operator == "Constant" {
            return constant(node.attribute);
        }
        if operator == "Concat" {
            return concat(inputs, attributes.int("axis", 1));
        }
        let first = input(0).ok_or("its first input is missing")?;
        if let Some(value) = passed(operator, &attributes, first, input(1), input(2)) {
            return value;
        }
        if let Some(value) = known(operator, &attributes, first, input(1), input(2)) {
            return value;
        }
        if let Some(function) = two(operator) {
            let second = input(1).ok_or("its second input is missing")?;
            return self.pair(function, first, second);
        }
        match (operator, first) {
            ("Gemm" | "MatMul", _) => self.dense(operator == "Gemm", &attributes, first, input(1), input(2)),
            ("Where", _) => choice(first, input(1), input(2)),
            ("BatchNormalization", _) => {
                let parameters = [1, 2, 3, 4].map(|i| input(i).and_then(numbers));
                self.batch_norm(&attributes, first, parameters)
            }
            ("LayerNormalization", Value::Rows(rows)) => {
                let epsilon = attributes.float("epsilon", layer_norm::EPSILON);
                if (epsilon - layer_norm::EPSILON).abs() > 1e-11 || !matches!(attributes.int("axis", -1), -1 | 1) {
                    return Err(format!("epsilon {epsilon}, expected {} over the last dimension", layer_norm::EPSILON));
                }
                let scale = input(1).and_then(numbers).ok_or("a scale that is no constant")?;
                let shift = match input(2) {
                    None => None,
                    Some(shift) => Some(numbers(shift).ok_or("a shift that is no constant")?),
                };
                Ok(Value::Rows(self.layers.normalised(rows, &scale, shift.as_ref().map(|shift| &shift[..]))?))
            }
            ("Softmax", Value::Rows(rows)) => {
                let axis = attributes.int("axis", if self.version < 13 { 1 } else { -1 });
                if axis != 1 && axis != -1 {
                    return Err(format!("over the dimension {axis}"));
                }
                Ok(Value::Rows(self.layers.softmax(rows)?))
            }
            (_, Value::Rows(rows)) => match one(operator, &attributes, input(1), input(2))? {
                Some(function) => Ok(Value::Rows(self.layers.function(rows, function)?)),
                None => no_such(),
            },
            _ => no_such(),
        }
    }

    /// `Gemm`, and `MatMul` of rows and a matrix.
    fn dense(
        &mut self,
        is_gemm: bool,
        attributes: &Attributes<'_>,
        rows: &Value,
        weights: Option<&Value>,
        bias: Option<&Value>,
    ) -> Result<Value, String> {
        let Some(Value::Constant(weights)) = weights else { return Err("weights that are no constant".into()) };
        let mut weights = Weights::read(weights, is_gemm && attributes.int("transB", 0) != 0)?;
        if is_gemm {
            if attributes.int("transA", 0) != 0 {
                return Err("rows that are columns (transA)".into());
            }
            let (alpha, beta) = (attributes.float("alpha", 1.0), attributes.float("beta", 1.0));
            if alpha != 1.0 {
                weights.numbers = Rc::new(weights.numbers.iter().map(|weight| weight * alpha).collect());
            }
            if let Some(bias) = bias {
                let bias = numbers(bias).ok_or("biases that are no constants of one dimension")?;
                let each = match &bias[..] {
                    [one] => vec![*one; weights.outputs],
                    bias if bias.len() == weights.outputs => bias.to_vec(),
                    bias => return Err(format!("{} biases of {} units", bias.len(), weights.outputs)),
                };
                weights.bias = Some(each.into_iter().map(|bias| bias * beta).collect());
            }
        }
        match rows {
            Value::Columns(columns) => Ok(Value::Rows(self.layers.first(columns, &weights)?)),
            Value::Rows(rows) => Ok(Value::Rows(self.layers.next(rows, &weights)?)),
            _ => Err("weights of what are no rows".into()),
        }
    }

    fn batch_norm(
        &mut self,
        attributes: &Attributes<'_>,
        rows: &Value,
        parameters: [Option<Rc<Vec<f64>>>; 4],
    ) -> Result<Value, String> {
        if attributes.int("training_mode", 0) != 0 {
            return Err("batch normalisation in training".into());
        }
        let [Some(scale), Some(shift), Some(mean), Some(variance)] = parameters else {
            return Err("parameters that are no constants".into());
        };
        let units = scale.len();
        if [&shift, &mean, &variance].iter().any(|list| list.len() != units) {
            return Err("parameters of several lengths".into());
        }
        let epsilon = attributes.float("epsilon", batch_norm::EPSILON);
        let by: Vec<f64> =
            scale.iter().zip(&*variance).map(|(scale, variance)| scale / (variance + epsilon).sqrt()).collect();
        let plus: Vec<f64> = (0..units).map(|i| (-mean[i]).mul_add(by[i], shift[i])).collect();
        match rows {
            Value::Columns(columns) => {
                let columns = Columns::clone(columns).apply(Step::Mul, &by)?.apply(Step::Add, &plus)?;
                Ok(Value::Columns(Rc::new(columns)))
            }
            Value::Rows(rows) => Ok(Value::Rows(self.layers.line(rows, &by, &plus)?)),
            _ => Err("batch normalisation of what are no rows".into()),
        }
    }

    /// A function of two values.
    fn pair(&mut self, function: Two, a: &Value, b: &Value) -> Result<Value, String> {
        match (a, b) {
            (Value::Columns(columns), Value::Constant(constant))
            | (Value::Constant(constant), Value::Columns(columns)) => {
                let first = matches!(a, Value::Constant(_));
                let step = step_of(function, first).ok_or("a function of input columns that is no line")?;
                let numbers = constant.columns().ok_or("a constant that is not one number for each column")?;
                Ok(Value::Columns(Rc::new(Columns::clone(columns).apply(step, numbers)?)))
            }
            (Value::Rows(rows), Value::Constant(constant)) => {
                Ok(Value::Rows(self.layers.with_constant(rows, function, constant, false)?))
            }
            (Value::Constant(constant), Value::Rows(rows)) => {
                Ok(Value::Rows(self.layers.with_constant(rows, function, constant, true)?))
            }
            (Value::Rows(a), Value::Rows(b)) => {
                let (Some(left), Some(right), true) = (a.expression(), b.expression(), a.stage == b.stage) else {
                    return Err("it joins two layers".into());
                };
                Ok(Value::Rows(a.function(Expression::two(function, left, right))?))
            }
            // Independent probabilities, scaled to the sum 1.
            (Value::Rows(rows), Value::Of(About::Sum, of)) if function == Two::Div && rows.stage == of.stage => {
                Ok(Value::Rows(Rows { scaled: true, ..rows.clone() }))
            }
            _ => Err("a function of what are no rows of numbers".into()),
        }
    }
}

/// Operators for tables and classes.
fn of_tables(
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
        ("OneHotEncoder", value) if attributes.int("zeros", 1) != 0 => match value {
            Value::Text(_) | Value::Level(..) => {
                Err("it takes any category (zeros), expected those of the training alone".into())
            }
            _ => return None,
        },
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

/// A constant's numbers, one for each column.
fn numbers(value: &Value) -> Option<Rc<Vec<f64>>> {
    if let Value::Constant(constant) = value { constant.columns().cloned() } else { None }
}

/// `Constant`.
fn constant(attributes: Vec<Attribute>) -> Result<Value, String> {
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

/// Operators that change nothing that counts, and those that change the shape of a constant; `None` for others.
fn passed(
    operator: &str,
    attributes: &Attributes<'_>,
    first: &Value,
    second: Option<&Value>,
    third: Option<&Value>,
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
        ("Reshape", Value::Rows(_) | Value::Columns(_)) => {
            let shape = shape?;
            let width = if let Value::Columns(columns) = first { columns.width() } else { None };
            // [rows, columns], either of which may be left to be found out.
            let [rows, columns] = shape[..] else {
                return Some(Err(format!("to {} dimensions, expected 2", shape.len())));
            };
            if rows > 0.0 || columns == 0.0 && !matches!(first, Value::Rows(_)) {
                return Some(Err(format!("to {rows} x {columns}, expected all rows")));
            }
            match first {
                Value::Columns(of) => {
                    let of = of.flattened();
                    let known = if columns > 0.0 && width.is_none() { of.with_width(columns as usize) } else { Ok(of) };
                    Some(known.map(|columns| Value::Columns(Rc::new(columns))))
                }
                _ => same(),
            }
        }
        ("Flatten" | "Squeeze", Value::Columns(columns)) => Some(Ok(Value::Columns(Rc::new(columns.flattened())))),
        ("Flatten" | "Squeeze", Value::Rows(_)) => same(),
        ("Reshape" | "Squeeze" | "Unsqueeze" | "Flatten", Value::Label(..) | Value::Of(..) | Value::Text(_)) => same(),
        _ => None,
    }
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

/// What is known of rows and of input columns, and class names; `None` for others.
fn known(
    operator: &str,
    attributes: &Attributes<'_>,
    first: &Value,
    second: Option<&Value>,
    _: Option<&Value>,
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
fn choice(which: &Value, a: Option<&Value>, b: Option<&Value>) -> Result<Value, String> {
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
            let part = |value: &Value| match value {
                Value::Rows(other) if other.stage == rows.stage => other.expression(),
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
fn concat(inputs: &[Option<Value>], axis: i64) -> Result<Value, String> {
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

/// A function of two numbers.
fn two(operator: &str) -> Option<Two> {
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
fn one(
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
