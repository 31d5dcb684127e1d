//! What each operator makes of its inputs.
//!
//! Imports `columns`, `expression`, `functions`, `layers`, `messages`, `shapes`, `tables`, `value`. A graph is run once, in its order, on values that are not numbers but
//! what is known of them; what is not understood is [`Value::Unknown`] with the reason, which only matters if an output needs it. Begin
//! reading at [`Machine::run`].

use super::columns::{Columns, Step};
use super::expression::{Expression, Two};
use super::functions::{one, two};
use super::layers::{Layers, Rows, Weights, step_of};
use super::messages::Node;
use super::shapes::{constant, passed};
use super::tables::{choice, concat, known, of_tables};
use super::value::{About, Attributes, Value, numbers};
use deltarule::kernel::{batch_norm, layer_norm};
use std::rc::Rc;

/// Runs nodes.
#[derive(Debug)]
pub struct Machine {
    pub layers: Layers,
    /// The version of the standard operators.
    pub version: i64,
}

impl Machine {
    /// What a node gives as its first output.
    ///
    /// **Errors** say what is not understood, or that a small file asks for large copies.
    pub fn run(&mut self, node: Node, inputs: &[Option<Value>]) -> Result<Value, String> {
        let copies = matches!(node.op_type.as_deref(), Some("Cast" | "Transpose"));
        let value = self.evaluate(node, inputs)?;
        self.layers.spend(match &value {
            Value::Columns(columns) => columns.size(),
            Value::Constant(constant) if copies => constant.numbers().map_or(0, |numbers| numbers.len()),
            _ => 0,
        })?;
        Ok(value)
    }

    fn evaluate(&mut self, node: Node, inputs: &[Option<Value>]) -> Result<Value, String> {
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
        let units = if let Value::Rows(rows) = first { Some(self.layers.width(rows)) } else { None };
        if let Some(value) = passed(operator, &attributes, first, input(1), input(2), units) {
            return value;
        }
        if let Some(value) = known(operator, &attributes, first, input(1)) {
            return value;
        }
        if let Some(function) = two(operator) {
            let second = input(1).ok_or("its second input is missing")?;
            return self.pair(function, first, second);
        }
        match (operator, first) {
            ("Gemm" | "MatMul", _) => self.dense(operator == "Gemm", &attributes, first, input(1), input(2)),
            ("Where", _) => choice(&mut self.layers, first, input(1), input(2)),
            ("BatchNormalization", _) => {
                let parameters = [1, 2, 3, 4].map(|i| input(i).and_then(numbers));
                self.batch_norm(&attributes, first, parameters)
            }
            ("LayerNormalization", Value::Rows(rows)) => {
                layer_epsilon(attributes.float("epsilon", layer_norm::EPSILON))?;
                if !matches!(attributes.int("axis", -1), -1 | 1) {
                    return Err("over another dimension than that of the units".into());
                }
                let scale = input(1).and_then(numbers).ok_or("a scale that is no constant")?;
                let shift = match input(2) {
                    None => None,
                    Some(shift) => Some(numbers(shift).ok_or("a shift that is no constant")?),
                };
                Ok(Value::Rows(self.layers.normalised(rows, &scale, shift.as_ref().map(|shift| &shift[..]))?))
            }
            // The logarithm of what the model says; probabilities are what every command shows.
            ("Softmax" | "LogSoftmax", Value::Rows(rows)) => {
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

    /// A step of a layer normalisation that is written as arithmetic.
    fn norm_step(&mut self, function: Two, a: &Value, b: &Value) -> Result<Value, String> {
        let about = |about, rows: &Rows| Ok(Value::Of(about, rows.clone()));
        let number = || if let Value::Constant(constant) = b { constant.number() } else { None };
        match (function, a, b) {
            (Two::Sub, Value::Rows(rows), Value::Of(About::Mean, of)) if rows.stage == of.stage && rows.is_sums() => {
                about(About::Centred, rows)
            }
            (Two::Mul, Value::Of(About::Centred, rows), Value::Of(About::Centred, of)) if rows.stage == of.stage => {
                about(About::Square, rows)
            }
            (Two::Pow, Value::Of(About::Centred, rows), _) if number() == Some(2.0) => about(About::Square, rows),
            (Two::Add, Value::Of(About::Variance, rows), _) => {
                let epsilon = number().ok_or("an epsilon that is no constant")?;
                layer_epsilon(epsilon)?;
                about(About::Padded, rows)
            }
            (Two::Div, Value::Of(About::Centred, rows), Value::Of(About::Deviation, of)) if rows.stage == of.stage => {
                Ok(Value::Rows(self.layers.normalised(rows, &vec![1.0; self.layers.width(rows)], None)?))
            }
            _ => Err("a function of what is known of rows that is no layer normalisation".into()),
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
                let (a, b) = (self.layers.canonical(a)?, self.layers.canonical(b)?);
                let (Some(left), Some(right), true) = (a.expression(), b.expression(), a.stage == b.stage) else {
                    return Err("it joins two layers".into());
                };
                Ok(Value::Rows(a.function(Expression::two(function, left, right))?))
            }
            (Value::Of(..), _) | (_, Value::Of(About::Mean, _)) => self.norm_step(function, a, b),
            // Independent probabilities, scaled to the sum 1.
            (Value::Rows(rows), Value::Of(About::Sum, of)) if function == Two::Div && rows.stage == of.stage => {
                Ok(Value::Rows(Rows { scaled: true, ..rows.clone() }))
            }
            (Value::Rows(_), Value::Columns(_)) | (Value::Columns(_), Value::Rows(_)) => {
                Err("it joins a layer and the input columns".into())
            }
            _ => Err("a function of what are no rows of numbers".into()),
        }
    }
}

/// Refuses another epsilon than the library's, but for the digits that a single-precision number has not.
fn layer_epsilon(epsilon: f64) -> Result<(), String> {
    let expected = layer_norm::EPSILON;
    if (epsilon - expected).abs() < 1e-6 * expected {
        Ok(())
    } else {
        Err(format!("epsilon {epsilon}, expected {expected}"))
    }
}
