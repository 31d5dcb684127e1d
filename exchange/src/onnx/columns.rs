//! Input columns on their way to the first layer: what is done to them becomes a model's preprocessing.
//!
//! Imports nothing of ours. Begin reading at [`Columns::apply`].

use deltarule::data::Features;
use deltarule::data::features::{Feature, Kind, Missing};
use std::rc::Rc;

/// The most columns: each takes some hundred bytes, and a file may claim any number of them.
const MOST: usize = 1 << 20;

/// Columns side by side.
#[derive(Clone, Debug)]
pub struct Columns {
    parts: Vec<Part>,
    /// Whether they are known to have two dimensions.
    pub flat: bool,
    /// How many rows there are in the one batch that the graph was made for, if it says so.
    rows: Option<i64>,
}

/// Columns of one input of the graph, encoded as `(value - mean) / scale`; a list of one number is the same for all.
#[derive(Clone, Debug)]
struct Part {
    name: Rc<str>,
    /// Known where the graph says so, or something has as many numbers.
    width: Option<usize>,
    mean: Vec<f64>,
    scale: Vec<f64>,
    fill: Vec<f64>,
    /// Texts, one-hot, and which stands for a missing one.
    levels: Option<(Rc<Vec<String>>, Option<usize>)>,
}

/// What a node does to columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Adds numbers.
    Add,
    /// Takes them away.
    Sub,
    /// Multiplies by them.
    Mul,
    /// Divides by them.
    Div,
    /// Puts them where cells are missing.
    Fill,
}

impl Columns {
    /// An input of numbers.
    pub fn numbers(name: &str, width: Option<usize>, flat: bool) -> Self {
        let (mean, scale) = (vec![0.0], vec![1.0]);
        let part = Part { name: name.into(), width, mean, scale, fill: Vec::new(), levels: None };
        Self { parts: vec![part], flat, rows: None }
    }

    /// The same for a batch of so many rows.
    pub fn of_rows(self, rows: Option<i64>) -> Self {
        Self { rows, ..self }
    }

    /// Whether so many rows are all that there are: -1 is any number, 0 as many as before.
    pub fn is_all(&self, rows: f64) -> bool {
        rows <= 0.0 || self.rows.is_some_and(|all| all as f64 == rows)
    }

    /// An input of texts, one-hot.
    pub fn texts(name: &str, levels: Vec<String>, fill: Option<usize>) -> Self {
        let mut columns = Self::numbers(name, Some(levels.len()), false);
        columns.parts[0].levels = Some((Rc::new(levels), fill));
        columns
    }

    /// Several side by side.
    pub fn beside(all: &[Rc<Self>]) -> Result<Self, String> {
        let parts: Vec<Part> = all.iter().flat_map(|columns| columns.parts.iter().cloned()).collect();
        if let Some(part) = parts.iter().find(|part| part.width.is_none()) {
            return Err(format!("it is not known how many columns the input '{}' has", part.name));
        }
        // Texts are one-hot in a dimension of their own until they are squeezed.
        let rows = all.first().and_then(|columns| columns.rows);
        Ok(Self { parts, flat: all.iter().all(|columns| columns.flat), rows })
    }

    /// The same in two dimensions.
    pub fn flattened(&self) -> Self {
        Self { flat: true, ..self.clone() }
    }

    /// How many there are, if that is known.
    pub fn width(&self) -> Option<usize> {
        self.parts.iter().try_fold(0usize, |width, part| width.checked_add(part.width?))
    }

    /// Takes them for `width` columns.
    pub fn with_width(mut self, width: usize) -> Result<Self, String> {
        if width > MOST {
            return Err(format!("{width} columns, expected at most {MOST}"));
        }
        if let [part] = &mut self.parts[..] {
            part.width.get_or_insert(width);
        }
        match self.width() {
            Some(found) if found == width => Ok(self),
            found => Err(format!("expected {width} columns, found {}", found.unwrap_or(0))),
        }
    }

    /// Does the same to each column with its number, or with the only one.
    pub fn apply(self, step: Step, numbers: &[f64]) -> Result<Self, String> {
        let mut columns = if numbers.len() == 1 { self } else { self.with_width(numbers.len())? };
        let mut at = 0;
        for part in &mut columns.parts {
            let own = match numbers {
                [one] => std::slice::from_ref(one),
                numbers => {
                    at += part.width.unwrap_or(0);
                    &numbers[at - part.width.unwrap_or(0)..at]
                }
            };
            part.apply(step, own)?;
        }
        Ok(columns)
    }

    /// The preprocessing of a model.
    pub fn features(&self) -> Result<Features, String> {
        let mut columns = Vec::new();
        for part in &self.parts {
            let width = part.width.ok_or("it is not known how many columns there are")?;
            if let Some((levels, fill)) = &part.levels {
                let kind = Kind::Category { levels: levels.to_vec(), fill: fill.map(|fill| levels[fill].clone()) };
                columns.push(Feature { name: part.name.to_string(), position: columns.len(), kind });
                continue;
            }
            for i in 0..width {
                let name = if width == 1 && self.is_named() {
                    part.name.to_string()
                } else {
                    format!("column {}", columns.len() + 1)
                };
                let fill =
                    if part.fill.is_empty() { None } else { Some(at(&part.fill, i)).filter(|fill| !fill.is_nan()) };
                let kind = Kind::Number { mean: at(&part.mean, i), scale: at(&part.scale, i), fill };
                columns.push(Feature { name, position: columns.len(), kind });
            }
        }
        let filled = |column: &Feature| {
            matches!(column.kind, Kind::Number { fill: Some(_), .. } | Kind::Category { fill: Some(_), .. })
        };
        let missing = if columns.iter().any(filled) { Missing::Mean } else { Missing::Error };
        let features = Features { header: self.is_named(), source_columns: columns.len(), missing, columns };
        features.check()?;
        Ok(features)
    }

    /// Whether each column is an input by itself, with a name.
    fn is_named(&self) -> bool {
        let alone = |part: &Part| part.width == Some(1) || part.levels.is_some();
        self.parts.iter().all(alone) && (self.parts.len() > 1 || self.parts[0].levels.is_some())
    }
}

fn at(numbers: &[f64], i: usize) -> f64 {
    if let [one] = numbers { *one } else { numbers[i] }
}

impl Part {
    fn apply(&mut self, step: Step, numbers: &[f64]) -> Result<(), String> {
        let neutral = match step {
            Step::Add | Step::Sub => numbers.iter().all(|&n| n == 0.0),
            Step::Mul | Step::Div => numbers.iter().all(|&n| n == 1.0),
            Step::Fill => false,
        };
        if neutral {
            return Ok(());
        }
        if self.levels.is_some() {
            return Err(format!("arithmetic on the texts of '{}'", self.name));
        }
        let is_raw = || self.mean.iter().all(|&mean| mean == 0.0) && self.scale.iter().all(|&scale| scale == 1.0);
        if step == Step::Fill {
            if !is_raw() || !self.fill.is_empty() {
                return Err("missing cells are filled after something else was done to them".into());
            }
            self.fill = numbers.to_vec();
            return Ok(());
        }
        // (x - mean) / scale, and what becomes of it.
        let length = numbers.len().max(self.mean.len()).max(self.scale.len());
        let (mut means, mut scales) = (Vec::with_capacity(length), Vec::with_capacity(length));
        for i in 0..length {
            let (mean, scale, n) = (at(&self.mean, i), at(&self.scale, i), at(numbers, i));
            let (mean, scale) = match step {
                Step::Add => (mean - n * scale, scale),
                Step::Sub => (mean + n * scale, scale),
                Step::Mul => (mean, scale / n),
                Step::Div => (mean, scale * n),
                Step::Fill => (mean, scale),
            };
            if !(mean.is_finite() && scale.is_finite() && scale > 0.0) {
                return Err(format!("a column that is divided by {scale}: expected a finite number above 0"));
            }
            means.push(mean);
            scales.push(scale);
        }
        (self.mean, self.scale) = (means, scales);
        Ok(())
    }
}
