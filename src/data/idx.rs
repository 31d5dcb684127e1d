//! Reading IDX files, the format of MNIST: a header of big-endian sizes, then one byte for each pixel or label.
//!
//! The header: two zero bytes, the type (8 is the unsigned byte, the only one read here), the number of dimensions, and each
//! dimension in four bytes. Raw files need no feature; gzipped ones, known by their first bytes, need the feature `gzip`.
//! Source: LeCun, Cortes and Burges, "The MNIST database", section on file formats.
//! Imports `input`, `cell`, `array`, `scalar`, `error`. Begin reading at [`read_from`].

use super::array::{rows_mut, zeros};
use super::cell::count;
use super::input::{open, read_some};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use ndarray::Array2;
use std::io::{self, BufReader, Chain, Cursor, ErrorKind, Read};
use std::path::Path;

/// The most bytes an IDX file may hold: a hundred times EMNIST. The header is not to be trusted, and behind gzip a
/// small file holds a thousand times its size.
pub const MAX_BYTES: usize = 8 << 30;

/// How many bytes are read at a time: what is allocated before the file has shown that it holds as much as it says.
const CHUNK_BYTES: usize = 64 << 10;

/// An array of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// What stands for it in messages.
    pub name: String,
    /// The sizes of its dimensions, one to three, none zero; the first counts the samples.
    pub dims: Vec<usize>,
    /// The bytes, the last dimension running fastest.
    pub bytes: Vec<u8>,
}

/// Reads an IDX file of unsigned bytes, raw or gzipped.
///
/// **Errors**: [`Error::Io`] if it cannot be read; [`Error::Data`] for another magic number, type or rank, a zero or
/// overflowing size, bytes missing or left over, and broken compression; [`Error::Memory`] if it does not fit.
pub fn read(path: &Path) -> Result<Idx> {
    read_from(BufReader::new(open(path)?), &path.display().to_string())
}

/// Reads images: [`read`], of two dimensions (rows of numbers) or three.
///
/// **Errors**: as for [`read`]; another number of dimensions.
pub fn images(path: &Path) -> Result<Idx> {
    read(path)?.expect_images()
}

/// Reads labels: [`read`], of one dimension.
///
/// **Errors**: as for [`read`]; another number of dimensions.
pub fn labels(path: &Path) -> Result<Idx> {
    read(path)?.expect_rank(1, 1, "labels")
}

/// Reads an IDX array from any source; `name` stands for it in messages.
///
/// **Errors**: as for [`read`].
pub fn read_from(mut source: impl Read, name: &str) -> Result<Idx> {
    let mut magic = [0; 2];
    let count = fill(&mut source, &mut magic).map_err(|error| failed(name, error))?;
    let source = Cursor::new(magic).take(count as u64).chain(source);
    if magic == [0x1f, 0x8b] { gunzipped(source, name) } else { decode(source, name) }
}

type Whole<R> = Chain<io::Take<Cursor<[u8; 2]>>, R>;

/// A file of several gzip members is their contents one after the other, as gzip itself has it.
#[cfg(feature = "gzip")]
fn gunzipped(source: Whole<impl Read>, name: &str) -> Result<Idx> {
    decode(flate2::read::MultiGzDecoder::new(source), name)
}

#[cfg(not(feature = "gzip"))]
fn gunzipped(_: Whole<impl Read>, name: &str) -> Result<Idx> {
    Err(Error::Unsupported(format!("{name}: gzipped, which this build without the feature `gzip` cannot read")))
}

fn decode(mut source: impl Read, name: &str) -> Result<Idx> {
    let bad = |message: String| Error::data(name, message);
    let mut magic = [0; 4];
    let found = fill(&mut source, &mut magic).map_err(|error| failed(name, error))?;
    let rank = match magic {
        _ if found < 4 => {
            return Err(bad(format!("expected an IDX header of 4 bytes and more, found {}", count(found, "byte"))));
        }
        [0, 0, 8, rank @ 1..=3] => rank as usize,
        [0, 0, 8, rank] => return Err(bad(format!("expected 1 to 3 dimensions, found {rank}"))),
        [0, 0, kind @ (9 | 11..=14), _] => {
            return Err(bad(format!("expected unsigned bytes (IDX type 0x08), found IDX type 0x{kind:02x}")));
        }
        [a, b, c, d] => return Err(bad(format!("not an IDX file: it begins with {a:02x} {b:02x} {c:02x} {d:02x}"))),
    };
    let mut dims = Vec::with_capacity(rank);
    for dimension in 1..=rank {
        let mut size = [0; 4];
        let found = fill(&mut source, &mut size).map_err(|error| failed(name, error))?;
        if found < 4 {
            return Err(bad(format!(
                "truncated in its header: expected {}, the file ends in number {dimension}",
                count(rank, "size")
            )));
        }
        let size = u32::from_be_bytes(size) as usize;
        if size == 0 {
            return Err(bad(format!("dimension {dimension} is zero: there are no data")));
        }
        dims.push(size);
    }
    let shape = dims.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
    let expected = dims.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let Some(expected) = expected.filter(|&bytes| bytes <= MAX_BYTES) else {
        return Err(bad(format!("its header says {shape} bytes; expected at most {MAX_BYTES}")));
    };

    let mut bytes = Vec::new();
    while bytes.len() < expected {
        let read = bytes.len();
        let size = CHUNK_BYTES.min(expected - read);
        bytes.try_reserve(size).map_err(|_| Error::Memory { what: name.to_string(), bytes: expected })?;
        bytes.resize(read + size, 0);
        let found = fill(&mut source, &mut bytes[read..]).map_err(|error| failed(name, error))?;
        if found < size {
            return Err(bad(format!("truncated: its header says {shape} = {expected} bytes, found {}", read + found)));
        }
    }
    // Asking for one more byte also makes gzip check its sum.
    if fill(&mut source, &mut [0]).map_err(|error| failed(name, error))? > 0 {
        return Err(bad(format!("bytes left over: its header says {shape} = {expected} bytes, found more")));
    }
    Ok(Idx { name: name.to_string(), dims, bytes })
}

/// Reads until the buffer is full or the source ends; how much there was.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
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
fn failed(name: &str, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
            Error::data(name, format!("broken gzip compression: {error}"))
        }
        _ => Error::io(Path::new(name), error),
    }
}

impl Idx {
    /// The number of samples.
    pub fn rows(&self) -> usize {
        self.dims.first().copied().unwrap_or(0)
    }

    /// The number of bytes in each sample.
    pub fn width(&self) -> usize {
        self.dims.iter().skip(1).product()
    }

    /// The bytes of a sample.
    ///
    /// **Panics** if there is no such sample.
    pub fn row(&self, row: usize) -> &[u8] {
        &self.bytes[row * self.width()..(row + 1) * self.width()]
    }

    /// Writes a sample's pixels, divided by 255, into `out`.
    ///
    /// **Overwrites** `out`.
    ///
    /// **Panics** if there is no such sample, or `out` has another length than [`width`](Self::width).
    pub fn pixels_into<T: Scalar>(&self, row: usize, out: &mut [T]) {
        assert_eq!(out.len(), self.width(), "pixels of a sample");
        for (out, &pixel) in out.iter_mut().zip(self.row(row)) {
            *out = T::from_f64(f64::from(pixel) / 255.0);
        }
    }

    /// The given samples' pixels, divided by 255.
    ///
    /// **Shapes**: `rows.len()` x [`width`](Self::width).
    ///
    /// **Errors**: no memory.
    ///
    /// **Panics** if there is no such sample.
    pub fn pixels<T: Scalar>(&self, rows: &[usize]) -> Result<Array2<T>> {
        let mut values = zeros::<T>(rows.len(), self.width(), "the pixels")?;
        for (&row, out) in rows.iter().zip(rows_mut(&mut values)) {
            self.pixels_into(row, out);
        }
        Ok(values)
    }

    /// Refuses labels of another number than the images.
    ///
    /// **Errors**: both files and counts.
    pub fn expect_labels(&self, labels: &Self) -> Result<()> {
        if self.rows() == labels.rows() {
            return Ok(());
        }
        let message = format!(
            "expected {} for the images of {}, found {}",
            count(self.rows(), "label"),
            self.name,
            labels.rows()
        );
        Err(Error::data(&labels.name, message))
    }

    /// Itself, if it holds images: of two dimensions (rows of numbers) or three.
    ///
    /// **Errors**: another number of dimensions.
    pub fn expect_images(self) -> Result<Self> {
        self.expect_rank(2, 3, "images")
    }

    fn expect_rank(self, low: usize, high: usize, what: &str) -> Result<Self> {
        if (low..=high).contains(&self.dims.len()) {
            return Ok(self);
        }
        let expected = if low == high { low.to_string() } else { format!("{low} or {high}") };
        Err(Error::data(&self.name, format!("not {what}: expected {expected} dimensions, found {}", self.dims.len())))
    }
}
