//! A graph that grows: nodes, constants and names that are each given once.
//!
//! Imports `messages`. Begin reading at [`Builder::node`].

use super::messages::{Attribute, Dimension, Entry, Graph, Node, Shape, Tensor, TensorType, Type, ValueInfo};
use super::messages::{attribute, element};
use deltarule::float::Float;
use prost::bytes::Bytes;
use std::collections::HashSet;

/// The domain of the operators for tables and classes.
pub const ML: &str = "ai.onnx.ml";

/// The name of the first dimension of every input and output.
const ROWS: &str = "N";

/// What a tensor's numbers are called in a file.
pub fn element_of<T: Float>() -> i32 {
    if T::NAME == "f32" { element::FLOAT } else { element::DOUBLE }
}

/// A graph that grows.
#[derive(Debug, Default)]
pub struct Builder {
    graph: Graph,
    names: HashSet<String>,
}

impl Builder {
    /// A name that nothing has yet: the one that is wanted, or that with a number behind it.
    fn fresh(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_string();
        let mut count = 1;
        while name.is_empty() || !self.names.insert(name.clone()) {
            count += 1;
            name = format!("{wanted}_{count}");
        }
        name
    }

    /// An input, rows x `columns`; the name under which it is known.
    pub fn input(&mut self, wanted: &str, element: i32, columns: usize) -> String {
        let name = self.fresh(wanted);
        self.graph.input.push(value(&name, element, Some(columns)));
        name
    }

    /// Gives a value, rows or rows x columns, out of the graph; the name under which it is known.
    pub fn output(&mut self, wanted: &str, from: &str, element: i32, columns: Option<usize>) {
        let name = self.fresh(wanted);
        // No second node for a name: what made the value takes it.
        for node in &mut self.graph.node {
            let places = node.input.iter_mut().chain(&mut node.output);
            places.filter(|place| *place == from).for_each(|place| place.clone_from(&name));
        }
        self.graph.output.push(value(&name, element, columns));
    }

    /// What an operator makes of values, under the wanted name.
    pub fn node(&mut self, operator: &str, inputs: &[&str], attributes: Vec<Attribute>, wanted: &str) -> String {
        self.node_of("", operator, inputs, attributes, wanted)
    }

    /// The same in another domain.
    pub fn node_of(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<Attribute>,
        wanted: &str,
    ) -> String {
        let output = self.fresh(wanted);
        self.graph.node.push(Node {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![output.clone()],
            name: Some(output.clone()),
            op_type: Some(operator.into()),
            attribute: attributes,
            domain: (!domain.is_empty()).then(|| domain.into()),
        });
        output
    }

    /// The values side by side.
    pub fn beside(&mut self, values: &[String], wanted: &str) -> String {
        match values {
            [one] => one.clone(),
            values => {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                self.node("Concat", &values, vec![int("axis", 1)], wanted)
            }
        }
    }

    /// The numbers of a value in another type.
    pub fn cast(&mut self, from: &str, to: i32, wanted: &str) -> String {
        self.node("Cast", &[from], vec![int("to", to.into())], wanted)
    }

    /// Constant numbers of the type `T`.
    pub fn numbers<T: Float>(&mut self, wanted: &str, dims: &[usize], numbers: impl Iterator<Item = T>) -> String {
        let mut raw = Vec::with_capacity(dims.iter().product::<usize>() * size_of::<T>());
        numbers.for_each(|number| number.write_le(&mut raw));
        self.constant(
            wanted,
            dims,
            Tensor { data_type: Some(element_of::<T>()), raw_data: Some(raw.into()), ..Tensor::default() },
        )
    }

    /// One constant number.
    pub fn number<T: Float>(&mut self, wanted: &str, number: f64) -> String {
        self.numbers(wanted, &[], std::iter::once(T::from_f64(number)))
    }

    /// Constant whole numbers.
    pub fn integers(&mut self, wanted: &str, dims: &[usize], numbers: &[i64]) -> String {
        let raw: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.constant(
            wanted,
            dims,
            Tensor { data_type: Some(element::INT64), raw_data: Some(raw.into()), ..Tensor::default() },
        )
    }

    /// Constant texts.
    pub fn texts<'a>(&mut self, wanted: &str, texts: impl Iterator<Item = &'a str>) -> String {
        let string_data: Vec<Bytes> = texts.map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
        let dims = [string_data.len()];
        self.constant(wanted, &dims, Tensor { data_type: Some(element::STRING), string_data, ..Tensor::default() })
    }

    fn constant(&mut self, wanted: &str, dims: &[usize], tensor: Tensor) -> String {
        let name = self.fresh(wanted);
        let dims = dims.iter().map(|&dim| dim as i64).collect();
        self.graph.initializer.push(Tensor { name: Some(name.clone()), dims, ..tensor });
        name
    }

    /// The graph.
    pub fn finish(self, name: &str) -> Graph {
        Graph { name: Some(name.into()), ..self.graph }
    }
}

/// An input or output of rows.
fn value(name: &str, element: i32, columns: Option<usize>) -> ValueInfo {
    let rows = Dimension { dim_param: Some(ROWS.into()), ..Dimension::default() };
    let columns = columns.map(|columns| Dimension { dim_value: Some(columns as i64), ..Dimension::default() });
    let shape = Shape { dim: std::iter::once(rows).chain(columns).collect() };
    let tensor = TensorType { elem_type: Some(element), shape: Some(shape) };
    ValueInfo { name: Some(name.into()), r#type: Some(Type { tensor_type: Some(tensor) }), doc_string: None }
}

fn attribute(name: &str, kind: i32) -> Attribute {
    Attribute { name: Some(name.into()), r#type: Some(kind), ..Attribute::default() }
}

/// A whole number as attribute.
pub fn int(name: &str, i: i64) -> Attribute {
    Attribute { i: Some(i), ..attribute(name, attribute::INT) }
}

/// A number as attribute.
pub fn float(name: &str, f: f64) -> Attribute {
    Attribute { f: Some(f as f32), ..attribute(name, attribute::FLOAT) }
}

/// A text as attribute.
pub fn text(name: &str, s: &str) -> Attribute {
    Attribute { s: Some(Bytes::copy_from_slice(s.as_bytes())), ..attribute(name, attribute::STRING) }
}

/// Whole numbers as attribute.
pub fn ints(name: &str, ints: Vec<i64>) -> Attribute {
    Attribute { ints, ..attribute(name, attribute::INTS) }
}

/// Texts as attribute.
pub fn texts<'a>(name: &str, texts: impl Iterator<Item = &'a str>) -> Attribute {
    let strings = texts.map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
    Attribute { strings, ..attribute(name, attribute::STRINGS) }
}

/// A key and its value.
pub fn entry(key: &str, value: impl Into<String>) -> Entry {
    Entry { key: Some(key.into()), value: Some(value.into()) }
}
