//! A constant of a file: numbers or texts, of a shape that they fill.
//!
//! Imports `messages`. Begin reading at [`Constant::read`].

use super::messages::{Tensor, element};
use std::rc::Rc;

/// A constant.
#[derive(Clone, Debug)]
pub struct Constant {
    /// The shape.
    pub dims: Vec<usize>,
    /// The type, as `messages::element` numbers it.
    pub element: i32,
    /// What it holds, row-major.
    pub content: Content,
}

/// Numbers or texts; copies share them.
#[derive(Clone, Debug)]
pub enum Content {
    Numbers(Rc<Vec<f64>>),
    Texts(Rc<Vec<String>>),
}

/// The largest rank.
const RANK: usize = 8;

impl Constant {
    /// Reads a tensor.
    ///
    /// **Errors**: a type that is none of float, double, int64, int32, bool and string; numbers in another file; not as many as the shape
    /// says.
    pub fn read(tensor: Tensor) -> Result<Self, String> {
        if !tensor.external_data.is_empty() || tensor.data_location.unwrap_or(0) != 0 {
            return Err("its numbers are in another file, which is not read: save it as one file".into());
        }
        let element = tensor.data_type.unwrap_or(0);
        if tensor.dims.len() > RANK {
            return Err(format!("it has {} dimensions, expected at most {RANK}", tensor.dims.len()));
        }
        let dims = tensor.dims.iter().map(|&dim| usize::try_from(dim).map_err(|_| format!("a dimension of {dim}")));
        let dims = dims.collect::<Result<Vec<_>, _>>()?;
        let count = dims
            .iter()
            .try_fold(1usize, |count, &dim| count.checked_mul(dim))
            .ok_or("more numbers than can be addressed")?;
        fn raw<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Result<Vec<f64>, String> {
            let (numbers, rest) = bytes.as_chunks::<N>();
            match rest {
                [] => Ok(numbers.iter().map(|&bytes| number(bytes)).collect()),
                _ => Err(format!("{} bytes of numbers of {N}", bytes.len())),
            }
        }
        let bytes = tensor.raw_data.as_deref();
        let content = match (element, bytes) {
            (element::FLOAT, Some(bytes)) => raw(bytes, |b| f32::from_le_bytes(b).into())?,
            (element::FLOAT, None) => tensor.float_data.into_iter().map(f64::from).collect(),
            (element::DOUBLE, Some(bytes)) => raw(bytes, f64::from_le_bytes)?,
            (element::DOUBLE, None) => tensor.double_data,
            (element::INT64, Some(bytes)) => raw(bytes, |b| i64::from_le_bytes(b) as f64)?,
            (element::INT64, None) => tensor.int64_data.into_iter().map(|i| i as f64).collect(),
            (element::INT32, Some(bytes)) => raw(bytes, |b| i32::from_le_bytes(b).into())?,
            (element::BOOL, Some(bytes)) => raw(bytes, |[b]| b.into())?,
            (element::INT32 | element::BOOL, None) => tensor.int32_data.into_iter().map(f64::from).collect(),
            (element::STRING, _) => {
                let text = |bytes: prost::bytes::Bytes| {
                    String::from_utf8(bytes.into()).map_err(|_| "a text that is no UTF-8".to_string())
                };
                let texts = tensor.string_data.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
                return Self { dims, element, content: Content::Texts(Rc::new(texts)) }.checked(count);
            }
            (other, _) => return Err(format!("it is of the type {}, expected float or double", element::name(other))),
        };
        Self { dims, element, content: Content::Numbers(Rc::new(content)) }.checked(count)
    }

    fn checked(self, count: usize) -> Result<Self, String> {
        let found = match &self.content {
            Content::Numbers(numbers) => numbers.len(),
            Content::Texts(texts) => texts.len(),
        };
        if found == count {
            Ok(self)
        } else {
            Err(format!("it holds {found} numbers or texts, its shape {:?} {count}", self.dims))
        }
    }

    /// Numbers of a list.
    pub fn list(numbers: Vec<f64>, element: i32) -> Self {
        Self { dims: vec![numbers.len()], element, content: Content::Numbers(Rc::new(numbers)) }
    }

    /// Its numbers, if it holds any.
    pub fn numbers(&self) -> Option<&Rc<Vec<f64>>> {
        if let Content::Numbers(numbers) = &self.content { Some(numbers) } else { None }
    }

    /// Its only number.
    pub fn number(&self) -> Option<f64> {
        if let [number] = self.numbers()?[..] { Some(number) } else { None }
    }

    /// Its numbers, if they stand in one dimension: one for each column of rows.
    pub fn columns(&self) -> Option<&Rc<Vec<f64>>> {
        let numbers = self.numbers()?;
        (self.dims.iter().filter(|&&dim| dim != 1).count() <= 1
            && self.dims.last().is_none_or(|&dim| dim == numbers.len()))
        .then_some(numbers)
    }

    /// What it holds as texts: class names may be numbers.
    pub fn texts(&self) -> Vec<String> {
        match &self.content {
            Content::Numbers(numbers) => numbers.iter().map(ToString::to_string).collect(),
            Content::Texts(texts) => texts.to_vec(),
        }
    }

    /// Rows and columns, and the numbers; with the other order of dimensions if asked for.
    pub fn matrix(&self, transposed: bool) -> Option<(usize, usize, Rc<Vec<f64>>)> {
        let (&[rows, columns], numbers) = (&self.dims[..], self.numbers()?) else { return None };
        if !transposed {
            return Some((rows, columns, numbers.clone()));
        }
        let turned = (0..columns).flat_map(|c| (0..rows).map(move |r| r * columns + c)).map(|at| numbers[at]).collect();
        Some((columns, rows, Rc::new(turned)))
    }
}
