//! Dense layers as a graph makes them, one after the other.
//!
//! Imports `columns`, `constant`, `expression`, `messages`. A [`Stage`] is weighted sums of what the stage before gives; [`Rows`] is what
//! nodes have made of a stage so far. Begin reading at [`Layers::settle`], which says what activation that is.

use super::columns::{Columns, Step};
use super::constant::Constant;
use super::expression::{Expression, One, Peeled, Two};
use super::messages::element;
use deltarule::activation::Activation;
use std::rc::Rc;

/// Weighted sums.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Of what.
    pub parent: Parent,
    pub inputs: usize,
    pub outputs: usize,
    /// Inputs x outputs.
    pub weights: Rc<Vec<f64>>,
    /// What each unit's weights are multiplied by, if anything.
    pub factor: Option<Vec<f64>>,
    pub bias: Option<Vec<f64>>,
    /// Scale and shift of layer normalisation.
    pub norm: Option<[Vec<f64>; 2]>,
    /// The type of the weights.
    pub element: i32,
}

/// What a layer's inputs are.
#[derive(Clone, Debug)]
pub enum Parent {
    Columns(Rc<Columns>),
    Layer(usize, Activation),
}

/// What nodes have made of a stage: `scale f(sums) + shift`.
#[derive(Clone, Debug)]
pub struct Rows {
    pub stage: usize,
    pub form: Form,
    /// Scale and shift, a number for each unit or one for all.
    pub line: Option<Rc<[Vec<f64>; 2]>>,
    /// Whether rows were divided by their sums.
    pub scaled: bool,
    /// The node that made them, for messages.
    pub made: Option<Rc<str>>,
}

/// `f`.
#[derive(Clone, Debug)]
pub enum Form {
    Sums,
    Function(Expression),
    Softmax,
    /// The probabilities of two classes, by that of the second.
    Pair(Expression),
}

/// The stages.
#[derive(Debug)]
pub struct Layers {
    pub stages: Vec<Stage>,
    /// How many more numbers may be copied: a file can name one matrix again and again.
    budget: usize,
    /// Which stage a line behind another has become: whoever uses both the sums and a function of them means one stage.
    folded: Vec<(usize, Rc<[Vec<f64>; 2]>, usize)>,
    /// Whose fault the last refusal is, where it is not that of the node at which it showed.
    pub blamed: Option<Rc<str>>,
}

/// A number for each, or one for all.
fn at(numbers: &[f64], i: usize) -> f64 {
    if let [one] = numbers { *one } else { numbers[i] }
}

/// `a x + b`, and then `c` of it plus `d`.
fn then([a, b]: [&[f64]; 2], [c, d]: [&[f64]; 2]) -> [Vec<f64>; 2] {
    let length = [a, b, c, d].map(<[f64]>::len).into_iter().max().unwrap_or(1);
    let scale = (0..length).map(|i| at(a, i) * at(c, i)).collect();
    [scale, (0..length).map(|i| at(b, i).mul_add(at(c, i), at(d, i))).collect()]
}

impl Layers {
    /// None, of a file of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self { stages: Vec::new(), budget: bytes.saturating_add(1 << 20), folded: Vec::new(), blamed: None }
    }

    /// Refuses to copy more numbers than the file has bytes: it would hold each several times.
    fn spend(&mut self, numbers: usize) -> Result<(), String> {
        self.budget = self.budget.checked_sub(numbers).ok_or("weights that are used again and again")?;
        Ok(())
    }

    fn push(&mut self, stage: Stage) -> Result<Rows, String> {
        self.spend(stage.outputs.saturating_mul(4))?;
        self.stages.push(stage);
        Ok(Rows { stage: self.stages.len() - 1, form: Form::Sums, line: None, scaled: false, made: None })
    }

    /// Units of a stage.
    pub fn width(&self, rows: &Rows) -> usize {
        self.stages[rows.stage].outputs
    }

    /// A layer on input columns.
    pub fn first(&mut self, columns: &Rc<Columns>, weights: &Weights) -> Result<Rows, String> {
        if !columns.flat {
            return Err("a layer on an input that has not two dimensions".into());
        }
        self.spend(weights.numbers.len())?;
        let columns = Columns::clone(columns).with_width(weights.inputs)?;
        self.push(weights.stage(Parent::Columns(Rc::new(columns))))
    }

    /// A layer on what another gives.
    pub fn next(&mut self, rows: &Rows, weights: &Weights) -> Result<Rows, String> {
        if self.width(rows) != weights.inputs || matches!(rows.form, Form::Pair(_)) || rows.scaled {
            return Err(format!("weights of {} inputs behind a layer of {} units", weights.inputs, self.width(rows)));
        }
        self.spend(weights.numbers.len())?;
        let (stage, activation, line) = self.settle(rows)?;
        let mut next = weights.stage(Parent::Layer(stage, activation));
        if let Some(line) = line {
            let [scale, shift] = &*line;
            let width = weights.outputs;
            let mut bias = next.bias.unwrap_or_else(|| vec![0.0; width]);
            let mut scaled = weights.numbers.to_vec();
            for (i, row) in scaled.chunks_exact_mut(width).enumerate() {
                bias.iter_mut().zip(&*row).for_each(|(bias, weight)| *bias += at(shift, i) * weight);
                row.iter_mut().for_each(|weight| *weight *= at(scale, i));
            }
            next.weights = Rc::new(scaled);
            next.bias = Some(bias);
        }
        self.push(next)
    }

    /// The stage with each unit's sum times `scale` plus `shift`.
    fn fold(&mut self, stage: usize, [scale, shift]: [&[f64]; 2]) -> Result<Rows, String> {
        let mut folded = self.stages[stage].clone();
        let units = folded.outputs;
        if let Some(norm) = &mut folded.norm {
            let [a, b] = &*norm;
            *norm = then([a, b], [scale, shift]);
            return self.push(folded);
        }
        if scale.iter().any(|&scale| scale != 1.0) {
            let factor = folded.factor.take().unwrap_or_else(|| vec![1.0]);
            folded.factor = Some((0..units).map(|i| at(&factor, i) * at(scale, i)).collect());
        }
        let bias = folded.bias.take().unwrap_or_else(|| vec![0.0]);
        folded.bias = Some(
            (0..units)
                .map(|i| {
                    if at(scale, i) == 1.0 {
                        at(&bias, i) + at(shift, i)
                    } else {
                        at(&bias, i).mul_add(at(scale, i), at(shift, i))
                    }
                })
                .collect(),
        );
        self.push(folded)
    }

    /// Layer normalisation of weighted sums.
    pub fn normalised(&mut self, rows: &Rows, scale: &[f64], shift: Option<&[f64]>) -> Result<Rows, String> {
        let rows = self.sums(rows)?;
        let mut stage = self.stages[rows.stage].clone();
        if stage.norm.is_some() {
            return Err("a norm of what is normalised already".into());
        }
        let units = stage.outputs;
        if scale.len() != units || shift.is_some_and(|shift| shift.len() != units) {
            return Err(format!("a norm of {} units behind a layer of {units}", scale.len()));
        }
        stage.norm = Some([scale.to_vec(), shift.map_or_else(|| vec![0.0; units], <[f64]>::to_vec)]);
        self.push(stage)
    }

    /// The rows as weighted sums alone, with what is linear in them folded into the weights.
    fn sums(&mut self, rows: &Rows) -> Result<Rows, String> {
        match self.settle(rows)? {
            (stage, Activation::Identity, None) => {
                Ok(Rows { stage, form: Form::Sums, line: None, scaled: false, made: None })
            }
            (stage, Activation::Identity, Some(line)) => self.fold(stage, [&line[0], &line[1]]),
            (_, activation, _) => Err(format!("a norm behind the activation {activation}")),
        }
    }

    /// `scale` times the rows plus `shift`, a number for each unit or one for all.
    pub fn line(&mut self, rows: &Rows, scale: &[f64], shift: &[f64]) -> Result<Rows, String> {
        let units = self.width(rows);
        if let Some(length) = [scale.len(), shift.len()].into_iter().find(|&length| length != 1 && length != units) {
            return Err(format!("{length} numbers behind a layer of {units} units"));
        }
        if let (Form::Sums, None, true) = (&rows.form, &rows.line, scale.iter().all(|&scale| scale == 1.0)) {
            return self.fold(rows.stage, [scale, shift]);
        }
        self.spend(2 * scale.len().max(shift.len()))?;
        let line = match rows.line.as_deref() {
            None => [scale.to_vec(), shift.to_vec()],
            Some([a, b]) => then([a, b], [scale, shift]),
        };
        Ok(Rows { line: Some(Rc::new(line)), ..rows.clone() })
    }

    /// The rows and a constant.
    pub fn with_constant(
        &mut self,
        rows: &Rows,
        function: Two,
        constant: &Constant,
        first: bool,
    ) -> Result<Rows, String> {
        let numbers = constant.columns().ok_or("a constant that is not one number for each column")?;
        let is_bias = matches!(rows.form, Form::Sums) && (function == Two::Add || function == Two::Sub && !first);
        // A single number may be part of an activation; added to sums it is a bias.
        if let ([number], false, Some(z)) = (&numbers[..], is_bias, rows.expression()) {
            let number = Expression::number(*number);
            let (a, b) = if first { (number, z) } else { (z, number) };
            return rows.function(Expression::two(function, a, b));
        }
        let each = |f: fn(f64) -> f64| numbers.iter().map(|&n| f(n)).collect::<Vec<_>>();
        match (function, first) {
            (Two::Add, _) => self.line(rows, &[1.0], numbers),
            (Two::Sub, false) => self.line(rows, &[1.0], &each(|n| -n)),
            (Two::Sub, true) => self.line(rows, &[-1.0], numbers),
            (Two::Mul, _) => self.line(rows, numbers, &[0.0]),
            (Two::Div, false) => self.line(rows, &each(|n| 1.0 / n), &[0.0]),
            _ => Err("a function of rows and a list of numbers that is no line".into()),
        }
    }

    /// A line behind weighted sums as part of the weights.
    pub fn canonical(&mut self, rows: &Rows) -> Result<Rows, String> {
        let (Form::Sums, Some(line)) = (&rows.form, &rows.line) else { return Ok(rows.clone()) };
        let known = self.folded.iter().find(|(stage, of, _)| *stage == rows.stage && Rc::ptr_eq(of, line));
        let stage = match known {
            Some((.., stage)) => *stage,
            None => {
                let stage = self.fold(rows.stage, [&line[0], &line[1]])?.stage;
                self.folded.push((rows.stage, line.clone(), stage));
                stage
            }
        };
        Ok(Rows { stage, line: None, ..rows.clone() })
    }

    /// A function of each number.
    pub fn function(&mut self, rows: &Rows, function: One) -> Result<Rows, String> {
        let rows = self.canonical(rows)?;
        let inner = rows.expression().ok_or("a function of probabilities, or of an activation that is scaled")?;
        rows.function(inner.one(function))
    }

    /// Softmax of weighted sums.
    pub fn softmax(&mut self, rows: &Rows) -> Result<Rows, String> {
        Ok(Rows { form: Form::Softmax, ..self.sums(rows)? })
    }

    /// The stage, its activation, and what is done to that.
    pub fn settle(&mut self, rows: &Rows) -> Result<(usize, Activation, Option<Rc<[Vec<f64>; 2]>>), String> {
        let mut expression = match &rows.form {
            Form::Sums => return Ok((rows.stage, Activation::Identity, rows.line.clone())),
            Form::Softmax => return Ok((rows.stage, Activation::Softmax, rows.line.clone())),
            Form::Function(expression) | Form::Pair(expression) => expression.clone(),
        };
        let (mut stage, mut line) = (rows.stage, rows.line.clone());
        let behind = |line: Option<Rc<[Vec<f64>; 2]>>, (a, b): (f64, f64)| {
            let [c, d] = line.as_deref().map_or([&[1.0][..], &[0.0]], |[c, d]| [c, d]);
            Some(Rc::new(then([&[a], &[b]], [c, d])))
        };
        loop {
            if let Some(of) = expression.line() {
                return Ok((stage, Activation::Identity, if of == (1.0, 0.0) { line } else { behind(line, of) }));
            }
            if let Some(activation) = expression.activation() {
                return Ok((stage, activation, line));
            }
            expression = match expression.peeled() {
                Some(Peeled::Before((a, b), inner)) => {
                    stage = self.fold(stage, [&[a], &[b]])?.stage;
                    inner
                }
                Some(Peeled::After(inner, of)) => {
                    line = behind(line, of);
                    inner
                }
                None => {
                    self.blamed.clone_from(&rows.made);
                    return Err("what it makes of weighted sums is none of the activations".into());
                }
            };
        }
    }
}

impl Rows {
    /// What they are as a function of the sums.
    pub fn expression(&self) -> Option<Expression> {
        match (&self.form, &self.line) {
            (Form::Sums, None) => Some(Expression::z()),
            (Form::Function(expression), None) => Some(expression.clone()),
            _ => None,
        }
    }

    /// Whether they are the sums themselves.
    pub fn is_sums(&self) -> bool {
        matches!((&self.form, &self.line), (Form::Sums, None))
    }

    /// Another function of the sums.
    pub fn function(&self, expression: Option<Expression>) -> Result<Self, String> {
        let expression = expression.ok_or("a function of too many nodes")?;
        Ok(Self { form: Form::Function(expression), ..self.clone() })
    }
}

/// Weights, and biases if there are any.
#[derive(Clone, Debug)]
pub struct Weights {
    pub inputs: usize,
    pub outputs: usize,
    pub numbers: Rc<Vec<f64>>,
    pub bias: Option<Vec<f64>>,
    pub element: i32,
}

impl Weights {
    /// Reads a matrix of inputs x outputs, or of outputs x inputs if `transposed`.
    pub fn read(constant: &Constant, transposed: bool) -> Result<Self, String> {
        if ![element::FLOAT, element::DOUBLE].contains(&constant.element) {
            return Err(format!("weights of the type {}, expected float or double", element::name(constant.element)));
        }
        let (inputs, outputs, numbers) = constant.matrix(transposed).ok_or("weights that are no matrix")?;
        if inputs == 0 || outputs == 0 {
            return Err(format!("weights of {inputs} inputs and {outputs} units"));
        }
        Ok(Self { inputs, outputs, numbers, bias: None, element: constant.element })
    }

    fn stage(&self, parent: Parent) -> Stage {
        let Self { inputs, outputs, numbers, bias, element } = self;
        Stage {
            parent,
            inputs: *inputs,
            outputs: *outputs,
            weights: numbers.clone(),
            factor: None,
            bias: bias.clone(),
            norm: None,
            element: *element,
        }
    }
}

/// What a function of columns and constants does to columns.
pub fn step_of(function: Two, first: bool) -> Option<Step> {
    match (function, first) {
        (Two::Add, _) => Some(Step::Add),
        (Two::Sub, false) => Some(Step::Sub),
        (Two::Mul, _) => Some(Step::Mul),
        (Two::Div, false) => Some(Step::Div),
        _ => None,
    }
}
