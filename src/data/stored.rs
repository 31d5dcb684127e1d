//! Bytes of an array: in memory, or left in their file and read by position.
//!
//! Imports nothing of ours. Begin reading at [`Stored::read`].

use std::fs::File;
use std::io;
use std::sync::Arc;

/// The bytes of an array.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file, from this byte on.
    File { file: Arc<File>, start: u64 },
}

impl Stored {
    /// The `length` bytes from `at` on: those in memory, or `scratch`, filled from the file. It grows to the longest read and
    /// stays, so that a second read of that length allocates nothing.
    pub(super) fn read<'a>(&'a self, at: u64, length: usize, scratch: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        match self {
            Self::Memory(bytes) => Ok(&bytes[at as usize..at as usize + length]),
            Self::File { file, start } => {
                if scratch.len() < length {
                    scratch.resize(length, 0);
                }
                read_exact_at(file, &mut scratch[..length], start + at)?;
                Ok(&scratch[..length])
            }
        }
    }

    pub(super) fn is_in_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

/// Elsewhere the file has one position for all who hold it: an array is read by one thread at a time.
#[cfg(not(unix))]
fn read_exact_at(mut file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_and_memory_hold_the_same_bytes() {
        let bytes: Vec<u8> = (0..100).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"head").and_then(|()| file.write_all(&bytes)).unwrap();
        let (in_memory, in_file) = (Stored::Memory(bytes), Stored::File { file: Arc::new(file), start: 4 });
        let (mut one, mut other) = (Vec::new(), Vec::new());
        for (at, length) in [(0, 100), (99, 1), (7, 0), (40, 20)] {
            assert_eq!(in_memory.read(at, length, &mut one).unwrap(), in_file.read(at, length, &mut other).unwrap());
        }
        assert!(in_file.read(90, 11, &mut other).is_err(), "behind the end");
        assert!(in_file.is_in_file() && !in_memory.is_in_file());
    }
}
