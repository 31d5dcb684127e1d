//! An array of numbers whose first dimension counts rows: in memory, or left in its file and read by rows.
//!
//! What NPY and IDX files hold. The bytes stay as the file has them (a byte for a pixel, not eight) and become numbers when
//! a row is asked for. Imports `stored`, `input`, `cell`, `error`. Begin reading at [`Matrix::each_row`];
//! [`Chunks`] reads an array that may be larger than memory from its beginning to its end.

use super::cell::count;
use super::input::read_some;
use super::stored::Stored;
use crate::error::{Error, Result};
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// How many bytes are read at a time: what is allocated before a file has shown that it holds as much as it says.
const CHUNK_BYTES: usize = 64 << 10;

/// The longest run of rows that is read from a file at once, in bytes.
const RUN_BYTES: usize = 1 << 20;

/// The type of an array's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
}

/// How one number lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub kind: Kind,
    pub big_endian: bool,
}

impl Element {
    /// A byte, as IDX has them.
    pub(super) const BYTE: Self = Self { kind: Kind::U8, big_endian: false };

    pub(super) fn bytes(self) -> usize {
        match self.kind {
            Kind::Bool | Kind::I8 | Kind::U8 => 1,
            Kind::I16 | Kind::U16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
        }
    }

    pub(super) fn is_float(self) -> bool {
        matches!(self.kind, Kind::F32 | Kind::F64)
    }

    /// Hands out the numbers in `bytes`, in order. Integers beyond 2^53 are rounded to the nearest `f64`.
    #[inline]
    fn values(self, bytes: &[u8], mut take: impl FnMut(f64)) {
        macro_rules! each {
            ($number:ty) => {
                for bytes in bytes.chunks_exact(size_of::<$number>()) {
                    let bytes = bytes.try_into().expect("as long as the number");
                    let value =
                        if self.big_endian { <$number>::from_be_bytes(bytes) } else { <$number>::from_le_bytes(bytes) };
                    take(value as f64);
                }
            };
        }
        match self.kind {
            // NumPy writes 0 and 1, and takes any other byte for true.
            Kind::Bool => bytes.iter().for_each(|&byte| take(f64::from(u8::from(byte != 0)))),
            Kind::I8 => each!(i8),
            Kind::I16 => each!(i16),
            Kind::I32 => each!(i32),
            Kind::I64 => each!(i64),
            Kind::U8 => bytes.iter().for_each(|&byte| take(f64::from(byte))),
            Kind::U16 => each!(u16),
            Kind::U32 => each!(u32),
            Kind::U64 => each!(u64),
            Kind::F32 => each!(f32),
            Kind::F64 => each!(f64),
        }
    }

    /// The whole number in `bytes`, exactly; none if it is no whole number.
    fn integer(self, bytes: &[u8]) -> Option<i128> {
        let wide = |signed: bool| {
            let bytes: [u8; 8] = bytes.try_into().expect("eight bytes");
            let value = if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) };
            if signed { i128::from(value as i64) } else { i128::from(value) }
        };
        match self.kind {
            Kind::I64 => Some(wide(true)),
            Kind::U64 => Some(wide(false)),
            _ => {
                let mut number = f64::NAN;
                self.values(bytes, |value| number = value);
                (number == number.trunc() && number.abs() < 2_f64.powi(53)).then_some(number as i128)
            }
        }
    }
}

/// An array of numbers: rows of a fixed width.
#[derive(Clone, Debug)]
pub struct Matrix {
    name: String,
    dims: Vec<usize>,
    element: Element,
    stored: Stored,
    /// What stands before row 0 in the file, where this is a piece of it.
    first: usize,
    /// Of the rows stored, those that count; none means all.
    kept: Option<Vec<usize>>,
}

impl Matrix {
    pub(super) fn new(name: String, dims: Vec<usize>, element: Element, stored: Stored) -> Self {
        Self { name, dims, element, stored, first: 0, kept: None }
    }

    /// What stands for it in messages: its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The sizes of its dimensions in the file, the first of which counts the rows.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.kept.as_ref().map_or(self.dims[0], Vec::len)
    }

    /// The numbers in a row: the product of all dimensions but the first.
    pub fn width(&self) -> usize {
        self.dims[1..].iter().product()
    }

    /// Whether its numbers are floating-point, not integers or truth values.
    pub fn is_float(&self) -> bool {
        self.element.is_float()
    }

    /// Whether its rows lie in the file and are read when they are asked for.
    pub fn is_in_file(&self) -> bool {
        self.stored.is_in_file()
    }

    /// The bytes that its rows take as the file has them.
    pub fn bytes(&self) -> u128 {
        self.dims.iter().map(|&size| size as u128).product::<u128>() * self.element.bytes() as u128
    }

    /// The number of a row in the file, from 1, for messages.
    pub fn number(&self, row: usize) -> usize {
        self.first + self.place(row) + 1
    }

    fn place(&self, row: usize) -> usize {
        self.kept.as_ref().map_or(row, |kept| kept[row])
    }

    /// Keeps the given rows, which ascend; each keeps its number.
    ///
    /// **Panics** if there is no such row.
    pub fn keep_rows(&mut self, rows: &[usize]) {
        self.kept = Some(rows.iter().map(|&row| self.place(row)).collect());
    }

    /// The same array, read into memory if it lies in a file.
    ///
    /// **Errors**: it cannot be read, or does not fit.
    pub fn into_memory(mut self) -> Result<Self> {
        if self.is_in_file() {
            let bytes = usize::try_from(self.bytes()).unwrap_or(usize::MAX);
            let mut all = Vec::new();
            let refused = |_| Error::Memory { what: self.name.clone(), bytes };
            all.try_reserve_exact(bytes).map_err(refused)?;
            let (mut at, mut scratch) = (0, Vec::new());
            while at < bytes {
                let length = RUN_BYTES.min(bytes - at);
                let read = self.stored.read(at as u64, length, &mut scratch).map_err(|e| self.failed(e))?;
                all.extend_from_slice(read);
                at += length;
            }
            self.stored = Stored::Memory(all);
        }
        Ok(self)
    }

    /// Hands out the given rows as numbers, in order; rows that follow one another in a file are read together.
    ///
    /// **Allocates** nothing once `scratch` has been through a call of as many rows.
    ///
    /// **Errors**: those of `take`; the file cannot be read.
    ///
    /// **Panics** if there is no such row.
    pub fn each_row(
        &self,
        rows: &[usize],
        scratch: &mut Scratch,
        mut take: impl FnMut(usize, &[f64]) -> Result<()>,
    ) -> Result<()> {
        let Scratch { bytes, values, .. } = scratch;
        let width = self.width();
        let row_bytes = width * self.element.bytes();
        values.resize(width, 0.0);
        let most = (RUN_BYTES / row_bytes.max(1)).max(1);
        let longest = most.min(rows.len()) * row_bytes;
        // For the longest run there can be, whichever rows come together this time.
        if self.is_in_file() && bytes.len() < longest {
            bytes.resize(longest, 0);
        }
        let mut rest = rows;
        while let Some(&first) = rest.first() {
            let place = self.place(first);
            assert!(place < self.dims[0], "row {first} of {}", self.rows());
            let follows = |&(i, &row): &(usize, &usize)| self.place(row) == place + i;
            let run = rest.iter().enumerate().take(most).take_while(follows).count();
            let read = self.stored.read(place as u64 * row_bytes as u64, run * row_bytes, bytes);
            let read = read.map_err(|error| self.failed(error))?;
            for (&row, bytes) in rest[..run].iter().zip(read.chunks_exact(row_bytes)) {
                let mut at = 0;
                self.element.values(bytes, |value| {
                    values[at] = value;
                    at += 1;
                });
                take(row, values)?;
            }
            rest = &rest[run..];
        }
        Ok(())
    }

    /// The whole number that each of the given rows of a single column holds; none where it is no whole number.
    pub(super) fn integers(&self, rows: &[usize]) -> Result<Vec<Option<i128>>> {
        debug_assert_eq!(self.width(), 1);
        let size = self.element.bytes();
        let mut scratch = Vec::new();
        let mut integer = |&row: &usize| {
            let read = self.stored.read((self.place(row) * size) as u64, size, &mut scratch);
            Ok(self.element.integer(read.map_err(|error| self.failed(error))?))
        };
        rows.iter().map(&mut integer).collect()
    }

    /// An error about one row.
    pub(super) fn row_fault(&self, row: usize, message: impl fmt::Display) -> Error {
        Error::data(&self.name, format!("row {}: {message}", self.number(row)))
    }

    fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            ErrorKind::UnexpectedEof => Error::data(&self.name, "has become shorter since it was opened"),
            _ => Error::io(Path::new(&self.name), error),
        }
    }
}

/// The buffers of [`Matrix::each_row`] and of those who encode its rows.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    bytes: Vec<u8>,
    values: Vec<f64>,
    /// Where a model's columns lie.
    pub(super) columns: Vec<usize>,
}

/// An array read from its beginning to its end, some rows at a time.
pub struct Chunks<'a> {
    name: String,
    dims: Vec<usize>,
    element: Element,
    source: Box<dyn Read + 'a>,
    /// What its header says, for messages, such as `2 x 3`.
    shape: String,
    /// Rows that were handed out, and bytes that were read.
    rows: usize,
    read: usize,
    total: usize,
    /// Whether its file has the first dimension running fastest, so that no row is complete before the file's end.
    fortran: bool,
}

impl fmt::Debug for Chunks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks").field("name", &self.name).field("dims", &self.dims).field("rows", &self.rows).finish()
    }
}

impl<'a> Chunks<'a> {
    /// `total` is the product of `dims` and the element's bytes.
    pub(super) fn new(
        name: &str,
        dims: Vec<usize>,
        (element, fortran): (Element, bool),
        total: usize,
        source: Box<dyn Read + 'a>,
    ) -> Self {
        let shape = dims.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
        let shape = match element {
            Element::BYTE => shape,
            _ => format!("{shape} of {}", count(element.bytes(), "byte")),
        };
        let fortran = fortran && dims.len() > 1;
        Self { name: name.to_string(), dims, element, source, shape, rows: 0, read: 0, total, fortran }
    }

    /// How many rows there are in all, as the header says.
    pub fn rows(&self) -> usize {
        self.dims[0]
    }

    /// The next rows, at most so many; of a file in Fortran order, all of them. None at the end.
    ///
    /// **Errors**: bytes missing, or left over at the end; broken compression; no memory.
    pub fn next(&mut self, most: usize) -> Result<Option<Matrix>> {
        let left = self.dims[0] - self.rows;
        if left == 0 {
            return Ok(None);
        }
        let take = if self.fortran { left } else { left.min(most.max(1)) };
        let row_bytes = self.total / self.dims[0];
        let mut bytes = self.take_bytes(take * row_bytes)?;
        let mut dims = self.dims.clone();
        if self.fortran {
            bytes = c_order(&bytes, &dims, self.element.bytes(), &self.name)?;
        }
        dims[0] = take;
        let first = self.rows;
        self.rows += take;
        if self.rows == self.dims[0] {
            self.expect_end()?;
        }
        let stored = Stored::Memory(bytes);
        Ok(Some(Matrix { first, ..Matrix::new(self.name.clone(), dims, self.element, stored) }))
    }

    /// All bytes as they stand in the file.
    pub(super) fn whole(mut self) -> Result<Vec<u8>> {
        let bytes = self.take_bytes(self.total)?;
        self.expect_end()?;
        Ok(bytes)
    }

    fn take_bytes(&mut self, expected: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < expected {
            let read = bytes.len();
            let size = CHUNK_BYTES.min(expected - read);
            bytes.try_reserve(size).map_err(|_| Error::Memory { what: self.name.clone(), bytes: expected })?;
            bytes.resize(read + size, 0);
            let found = fill(&mut self.source, &mut bytes[read..]).map_err(|error| failed(&self.name, error))?;
            self.read += found;
            if found < size {
                let Self { shape, total, read, .. } = &*self;
                let message = format!("truncated: its header says {shape} = {total} bytes, found {read}");
                return Err(Error::data(&self.name, message));
            }
        }
        Ok(bytes)
    }

    fn expect_end(&mut self) -> Result<()> {
        // Asking for one more byte also makes gzip check its sum.
        if fill(&mut self.source, &mut [0]).map_err(|error| failed(&self.name, error))? > 0 {
            let Self { shape, total, .. } = &*self;
            let message = format!("bytes left over: its header says {shape} = {total} bytes, found more");
            return Err(Error::data(&self.name, message));
        }
        Ok(())
    }
}

/// The elements of an array whose first dimension runs fastest, in the order in which the last one does.
fn c_order(bytes: &[u8], dims: &[usize], size: usize, name: &str) -> Result<Vec<u8>> {
    let mut ordered = Vec::new();
    let refused = |_| Error::Memory { what: format!("{name} in row-major order"), bytes: bytes.len() };
    ordered.try_reserve_exact(bytes.len()).map_err(refused)?;
    // How far apart in the file lie neighbours along each dimension.
    let mut strides = vec![size];
    dims.iter().for_each(|&length| strides.push(strides[strides.len() - 1] * length));
    let (mut index, mut at) = (vec![0; dims.len()], 0);
    while ordered.len() < bytes.len() {
        ordered.extend_from_slice(&bytes[at..at + size]);
        for d in (0..dims.len()).rev() {
            index[d] += 1;
            at += strides[d];
            if index[d] < dims[d] {
                break;
            }
            at -= strides[d] * dims[d];
            index[d] = 0;
        }
    }
    Ok(ordered)
}

/// Reads until the buffer is full or the source ends; how much there was.
pub(super) fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read_some(source, &mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// Broken compression is a fault of the data, anything else one of reading.
pub(super) fn failed(name: &str, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
            Error::data(name, format!("broken gzip compression: {error}"))
        }
        _ => Error::io(Path::new(name), error),
    }
}
