//! What is known of a value of a graph.
//!
//! Imports `columns`, `constant`, `layers`, `messages`.

use super::columns::Columns;
use super::constant::Constant;
use super::expression::round;
use super::layers::Rows;
use super::messages::Attribute;
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
    /// On the way to a layer normalisation by arithmetic: its mean, …
    Mean,
    /// … it without its mean, …
    Centred,
    /// … the squares of that, …
    Square,
    /// … their mean, …
    Variance,
    /// … that and what keeps it from 0, …
    Padded,
    /// … and the root of it.
    Deviation,
}

/// A node's attributes.
pub struct Attributes<'a>(pub &'a [Attribute]);

impl Attributes<'_> {
    pub fn find(&self, name: &str) -> Option<&Attribute> {
        self.0.iter().find(|attribute| attribute.name.as_deref() == Some(name))
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.find(name).and_then(|a| a.i).unwrap_or(default)
    }

    /// A single-precision number, as the decimal that was meant.
    pub fn float(&self, name: &str, default: f64) -> f64 {
        self.find(name).and_then(|a| a.f).map_or(default, |f| round(f.into()))
    }

    pub fn floats(&self, name: &str) -> Vec<f64> {
        self.find(name).map_or(Vec::new(), |a| a.floats.iter().map(|&f| f.into()).collect())
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        self.find(name)
            .map_or(Vec::new(), |a| a.strings.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect())
    }
}

/// A constant's numbers, one for each column.
pub fn numbers(value: &Value) -> Option<Rc<Vec<f64>>> {
    if let Value::Constant(constant) = value { constant.columns().cloned() } else { None }
}
