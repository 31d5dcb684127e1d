//! Reading IDX files, the format of MNIST: a header of big-endian sizes, then one byte for each pixel or label.
//!
//! The header: two zero bytes, the type (8 is the unsigned byte, the only one read here), the number of dimensions, and each
//! dimension in four bytes. Raw files need no feature; gzipped ones, known by their first bytes, need the feature `gzip`.
//! Source: LeCun, Cortes and Burges, "The MNIST database", section on file formats.
//! Imports `matrix` (rows by place or by pieces), `stored`, `input`, `cell`, `array`, `scalar`, `error`. Begin reading at [`read_from`].

use super::array::{rows_mut, zeros};
use super::cell::count;
use super::input;
use super::matrix::{Chunks, Element, Matrix, failed, fill};
use super::stored::Stored;
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use ndarray::Array2;
use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// The most bytes an IDX file may hold: a hundred times EMNIST. The header is not to be trusted, and behind gzip a
/// small file holds a thousand times its size.
pub const MAX_BYTES: usize = 8 << 30;

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
    read_from(BufReader::new(input::open(path)?), &path.display().to_string())
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
pub fn read_from(source: impl Read, name: &str) -> Result<Idx> {
    let (dims, chunks) = begin(source, name)?;
    Ok(Idx { name: name.to_string(), dims, bytes: chunks.whole()? })
}

/// Reads the header of an IDX array from any source, raw or gzipped; its rows follow piece by piece.
///
/// **Errors**: as for [`read`].
pub fn chunks<'a>(source: impl Read + 'a, name: &str) -> Result<Chunks<'a>> {
    begin(source, name).map(|(_, chunks)| chunks)
}

/// Opens a raw IDX file whose rows stay in it until they are asked for.
///
/// **Errors**: as for [`read`], but a file of any size will do; [`Error::Unsupported`] for a gzipped one, of which no row
/// can be found before all rows in front of it are unpacked.
pub fn open(path: &Path) -> Result<Matrix> {
    let name = path.display().to_string();
    let mut file = input::open(path)?;
    let mut reader = BufReader::with_capacity(HEADER_BYTES, &file);
    let header = header(&mut reader, &name);
    if let Err(Error::Data { .. }) = header
        && is_gzipped(&mut file).map_err(|e| Error::io(path, e))?
    {
        return Err(Error::Unsupported(format!(
            "{name}: gzipped, so no row can be read by its place: unpack it first"
        )));
    }
    let (dims, expected) = header?;
    let start = 4 + 4 * dims.len();
    let found = file.metadata().map_err(|e| Error::io(path, e))?.len().saturating_sub(start as u64);
    if let Some(message) = wrong_length(&dims, expected, found) {
        return Err(Error::data(name, message));
    }
    Ok(Matrix::new(name, dims, Element::BYTE, Stored::File { file: Arc::new(file), start: start as u64 }))
}

/// The longest header: magic and three sizes.
const HEADER_BYTES: usize = 16;

fn is_gzipped(file: &mut File) -> io::Result<bool> {
    let mut magic = [0; 2];
    file.seek(SeekFrom::Start(0))?;
    Ok(fill(file, &mut magic)? == 2 && magic == GZIP)
}

/// What is wrong with a file that holds so many bytes behind its header, if anything.
fn wrong_length(dims: &[usize], expected: usize, found: u64) -> Option<String> {
    let shape = shown(dims);
    match found.cmp(&(expected as u64)) {
        Ordering::Equal => None,
        Ordering::Less => Some(format!("truncated: its header says {shape} = {expected} bytes, found {found}")),
        Ordering::Greater => Some(format!("bytes left over: its header says {shape} = {expected} bytes, found more")),
    }
}

/// How a gzipped file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

fn begin<'a>(mut source: impl Read + 'a, name: &str) -> Result<(Vec<usize>, Chunks<'a>)> {
    let mut magic = [0; 2];
    let count = fill(&mut source, &mut magic).map_err(|error| failed(name, error))?;
    let source = Cursor::new(magic).take(count as u64).chain(source);
    let mut source = if magic == GZIP { gunzipped(source, name)? } else { Box::new(source) };
    let (dims, expected) = header(&mut source, name)?;
    if expected > MAX_BYTES {
        return Err(Error::data(name, format!("its header says {} bytes; expected at most {MAX_BYTES}", shown(&dims))));
    }
    let chunks = Chunks::new(name, dims.clone(), (Element::BYTE, false), expected, source);
    Ok((dims, chunks))
}

type Whole<R> = Chain<io::Take<Cursor<[u8; 2]>>, R>;

/// A file of several gzip members is their contents one after the other, as gzip itself has it.
#[cfg(feature = "gzip")]
fn gunzipped<'a>(source: Whole<impl Read + 'a>, _: &str) -> Result<Box<dyn Read + 'a>> {
    Ok(Box::new(flate2::read::MultiGzDecoder::new(source)))
}

#[cfg(not(feature = "gzip"))]
fn gunzipped<'a>(_: Whole<impl Read + 'a>, name: &str) -> Result<Box<dyn Read + 'a>> {
    Err(Error::Unsupported(format!("{name}: gzipped, which this build without the feature `gzip` cannot read")))
}

/// The sizes that the header says, and their product.
fn header(source: &mut impl Read, name: &str) -> Result<(Vec<usize>, usize)> {
    let bad = |message: String| Error::data(name, message);
    let mut magic = [0; 4];
    let found = fill(source, &mut magic).map_err(|error| failed(name, error))?;
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
        let found = fill(source, &mut size).map_err(|error| failed(name, error))?;
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
    // A product that overflows is larger than any file.
    let product = dims.iter().try_fold(1_usize, |product, &size| product.checked_mul(size)).unwrap_or(usize::MAX);
    Ok((dims, product))
}

fn shown(dims: &[usize]) -> String {
    dims.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}

impl From<Idx> for Matrix {
    fn from(idx: Idx) -> Self {
        Self::new(idx.name, idx.dims, Element::BYTE, Stored::Memory(idx.bytes))
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
