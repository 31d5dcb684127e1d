//! Reading NPY files, NumPy's format for one array.
//!
//! A file is the magic bytes, a version, the length of a header, the header (a Python dictionary of three entries: the
//! type, the order, the shape) and the numbers. Read are versions 1, 2 and 3; integers of 8 to 64 bits, `float32`, `float64`
//! and `bool` of either byte order; C order, and Fortran order where the array is read whole. Arrays of objects are Python
//! pickles, which run code when they are read: refused, like everything else that is no such number.
//! Source: NumPy Enhancement Proposal 1 and `numpy.lib.format`.
//!
//! Ours rather than a crate's: `npyz` brings 28 crates and `ndarray-npy` 42, and neither reads by rows.
//! Imports `matrix`, `stored`, `input`, `cell`, `error`. Begin reading at [`chunks`].

use super::cell::{count, plain, quoted};
use super::input;
use super::matrix::{Chunks, Element, Kind, Matrix, failed, fill};
use super::stored::Stored;
use crate::error::{Error, Result};
use crate::memory;
use std::cmp::Ordering;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

/// How an NPY file begins.
pub const MAGIC: [u8; 6] = *b"\x93NUMPY";

/// The longest header, in bytes: NumPy's own limit (`max_header_size`), for an array of plain numbers needs a hundred.
pub const MAX_HEADER_BYTES: usize = 10_000;

/// The most dimensions: those of NumPy 1. More make no rows.
const MAX_RANK: usize = 32;

/// What a header says.
struct Header {
    element: Element,
    fortran: bool,
    dims: Vec<usize>,
    /// The bytes of the numbers.
    total: usize,
    /// The bytes in front of them.
    start: u64,
}

/// Reads an NPY file into memory.
///
/// **Errors**: [`Error::Io`] if it cannot be read; [`Error::Data`] for anything but an array of numbers of one of the types above,
/// of one dimension and more, and exactly as long as its header says; [`Error::Memory`] if it does not fit.
pub fn read(path: &Path) -> Result<Matrix> {
    let file = input::open(path)?;
    let kind = file.metadata().map_err(|e| Error::io(path, e))?;
    let name = path.display().to_string();
    let mut source = BufReader::new(file);
    let header = header(&mut source, &name)?;
    // A pipe has no length; what it holds is seen when it has come.
    if kind.is_file() {
        header.check_length(&name, kind.len())?;
        memory::require(&format!("{name}: the array"), header.total as u128)?;
    }
    whole(chunked(header, source, &name))
}

/// Reads an NPY array from any source; `name` stands for it in messages.
///
/// **Errors**: as for [`read`].
pub fn read_from(source: impl Read, name: &str) -> Result<Matrix> {
    whole(chunks(source, name)?)
}

/// Reads the header of an NPY array from any source; its rows follow piece by piece.
///
/// **Errors**: as for [`read`].
pub fn chunks<'a>(mut source: impl Read + 'a, name: &str) -> Result<Chunks<'a>> {
    let header = header(&mut source, name)?;
    Ok(chunked(header, source, name))
}

/// Opens an NPY file whose rows stay in it until they are asked for.
///
/// **Errors**: as for [`read`]; [`Error::Unsupported`] for Fortran order, in which a row lies all over the file.
pub fn open(path: &Path) -> Result<Matrix> {
    let name = path.display().to_string();
    let file = input::open(path)?;
    let header = header(&mut BufReader::new(&file), &name)?;
    header.check_length(&name, file.metadata().map_err(|e| Error::io(path, e))?.len())?;
    if header.fortran && header.dims.len() > 1 {
        return Err(Error::Unsupported(format!(
            "{name}: in Fortran order, so no row can be read by its place: save it in C order (numpy.ascontiguousarray)"
        )));
    }
    let stored = Stored::File { file: Arc::new(file), start: header.start };
    Ok(Matrix::new(name, header.dims, header.element, stored))
}

fn chunked<'a>(header: Header, source: impl Read + 'a, name: &str) -> Chunks<'a> {
    Chunks::new(name, header.dims, (header.element, header.fortran), header.total, Box::new(source))
}

fn whole(mut chunks: Chunks<'_>) -> Result<Matrix> {
    Ok(chunks.next(usize::MAX)?.expect("no dimension is zero"))
}

impl Header {
    /// Refuses a file of another length than the header says.
    fn check_length(&self, name: &str, length: u64) -> Result<()> {
        let (total, found) = (self.total, length.saturating_sub(self.start));
        let shape = self.dims.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
        let shape = match self.element {
            Element::BYTE => shape,
            element => format!("{shape} of {}", count(element.bytes(), "byte")),
        };
        let message = match found.cmp(&(total as u64)) {
            Ordering::Equal => return Ok(()),
            Ordering::Less => format!("truncated: its header says {shape} = {total} bytes, found {found}"),
            Ordering::Greater => format!("bytes left over: its header says {shape} = {total} bytes, found more"),
        };
        Err(Error::data(name, message))
    }
}

fn header(source: &mut impl Read, name: &str) -> Result<Header> {
    let bad = |message: String| Error::data(name, message);
    let mut take = |length: usize| {
        let mut bytes = vec![0; length];
        let found = fill(source, &mut bytes).map_err(|error| failed(name, error))?;
        bytes.truncate(found);
        Ok::<_, Error>(bytes)
    };
    let start = take(MAGIC.len() + 2)?;
    if !start.starts_with(&MAGIC) {
        let shown: String = start.iter().take(MAGIC.len()).map(|byte| format!(" {byte:02x}")).collect();
        return Err(bad(format!("not an NPY file: it begins with{shown}; expected 93 4e 55 4d 50 59 (\\x93NUMPY)")));
    }
    let [.., major, minor] = start[..] else { return Err(bad("truncated in its version".into())) };
    if start.len() < MAGIC.len() + 2 {
        return Err(bad("truncated in its version".into()));
    }
    let size_bytes = match (major, minor) {
        (1, 0) => 2,
        (2 | 3, 0) => 4,
        _ => return Err(bad(format!("expected NPY version 1.0, 2.0 or 3.0, found {major}.{minor}"))),
    };
    let size = take(size_bytes)?;
    if size.len() < size_bytes {
        return Err(bad("truncated in the size of its header".into()));
    }
    let length = size.iter().rev().fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
    if length > MAX_HEADER_BYTES {
        return Err(bad(format!("expected a header of at most {MAX_HEADER_BYTES} bytes, found {length}")));
    }
    let text = take(length)?;
    if text.len() < length {
        return Err(bad(format!("truncated in its header of {length} bytes: found {}", text.len())));
    }
    let start = (MAGIC.len() + 2 + size_bytes + length) as u64;
    // Version 3 writes UTF-8, the others Latin-1; the entries that are read here are ASCII in each.
    let text = String::from_utf8_lossy(&text);
    parse(&text, start).map_err(|message| bad(format!("its header: {message}")))
}

/// Reads the dictionary.
fn parse(text: &str, start: u64) -> std::result::Result<Header, String> {
    let mut words = Words { rest: text };
    let (mut descr, mut fortran, mut dims) = (None, None, None);
    words.expect('{')?;
    while !words.found('}') {
        let key = words.string()?;
        words.expect(':')?;
        let again = match key {
            "descr" => descr.replace(words.element()?).is_some(),
            "fortran_order" => fortran.replace(words.truth()?).is_some(),
            "shape" => dims.replace(words.shape()?).is_some(),
            _ => return Err(format!("expected descr, fortran_order and shape, found {}", quoted(key))),
        };
        if again {
            return Err(format!("{} stands twice", quoted(key)));
        }
        if !words.found(',') {
            words.expect('}')?;
            break;
        }
    }
    words.end()?;
    let missing = |key: &str| format!("'{key}' is missing");
    let element: Element = descr.ok_or_else(|| missing("descr"))?;
    let fortran = fortran.ok_or_else(|| missing("fortran_order"))?;
    let dims: Vec<usize> = dims.ok_or_else(|| missing("shape"))?;
    if dims.is_empty() || dims.len() > MAX_RANK {
        return Err(format!("expected 1 to {MAX_RANK} dimensions, found {}", dims.len()));
    }
    if let Some(zero) = dims.iter().position(|&size| size == 0) {
        return Err(format!("dimension {} is zero: there are no data", zero + 1));
    }
    let total = dims.iter().try_fold(element.bytes(), |product, &size| product.checked_mul(size));
    let total = total.filter(|&total| total <= isize::MAX as usize).ok_or_else(|| {
        let shape = dims.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
        format!("{shape} numbers of {} are more than there can be", count(element.bytes(), "byte"))
    })?;
    Ok(Header { element, fortran, dims, total, start })
}

/// The little of Python's grammar that a header is written in.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn found(&mut self, wanted: char) -> bool {
        self.rest = self.rest.trim_ascii_start();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> std::result::Result<(), String> {
        if self.found(wanted) { Ok(()) } else { Err(format!("expected '{wanted}', found {}", self.here())) }
    }

    fn here(&self) -> String {
        if self.rest.is_empty() { "its end".into() } else { quoted(self.rest) }
    }

    fn end(&mut self) -> std::result::Result<(), String> {
        self.rest = self.rest.trim_ascii_start();
        if self.rest.is_empty() { Ok(()) } else { Err(format!("expected its end, found {}", self.here())) }
    }

    fn string(&mut self) -> std::result::Result<&'a str, String> {
        for quote in ['\'', '"'] {
            if self.found(quote) {
                let (text, rest) = self.rest.split_once(quote).ok_or("a string without an end")?;
                self.rest = rest;
                return Ok(text);
            }
        }
        Err(format!("expected a string, found {}", self.here()))
    }

    fn truth(&mut self) -> std::result::Result<bool, String> {
        self.rest = self.rest.trim_ascii_start();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(format!("expected True or False, found {}", self.here()))
    }

    fn shape(&mut self) -> std::result::Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut dims = Vec::new();
        while !self.found(')') {
            self.rest = self.rest.trim_ascii_start();
            let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = self.rest.split_at(digits);
            let size = number.parse().map_err(|_| format!("expected a size, found {}", self.here()))?;
            self.rest = rest;
            dims.push(size);
            if !self.found(',') {
                self.expect(')')?;
                // `(3)` is a number in brackets, not a shape.
                if dims.len() == 1 {
                    return Err(format!("expected a tuple such as ({size},), found ({size})"));
                }
                break;
            }
        }
        Ok(dims)
    }

    fn element(&mut self) -> std::result::Result<Element, String> {
        if self.found('[') {
            return Err("a structured array: expected an array of plain numbers".into());
        }
        let text = self.string()?;
        let wanted = "float32, float64, bool, or an integer of 8 to 64 bits";
        let refuse = |what: &str| Err(format!("an array of {what} ('{}'): expected {wanted}", plain(text)));
        let mut chars = text.chars();
        let order = match chars.next() {
            Some(order @ ('<' | '>' | '|' | '=')) => order,
            _ => return refuse("unknown type"),
        };
        let kind = match chars.as_str() {
            "b1" | "?" => Kind::Bool,
            "i1" => Kind::I8,
            "i2" => Kind::I16,
            "i4" => Kind::I32,
            "i8" => Kind::I64,
            "u1" => Kind::U8,
            "u2" => Kind::U16,
            "u4" => Kind::U32,
            "u8" => Kind::U64,
            "f4" => Kind::F32,
            "f8" => Kind::F64,
            other => {
                return refuse(match other.chars().next() {
                    Some('O') => "Python objects",
                    Some('U' | 'S' | 'a') => "texts",
                    Some('V') => "records",
                    Some('c') => "complex numbers",
                    Some('M' | 'm') => "times",
                    Some('f') => "floating-point numbers of another width",
                    _ => "unknown type",
                });
            }
        };
        let element = Element { kind, big_endian: order == '>' };
        // "Native" says nothing about a file that travels, and one byte has no order.
        if order == '=' || (order == '|' && element.bytes() > 1) {
            return refuse("numbers without a byte order");
        }
        Ok(Element { big_endian: element.big_endian && element.bytes() > 1, ..element })
    }
}
