//! Opening and reading files, with the file's name in every error.
//!
//! Imports `error`.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens a file for reading; a directory, which the system opens without complaint, is refused here.
pub(super) fn open(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    let kind = file.metadata().map_err(|source| Error::io(path, source))?;
    if kind.is_dir() {
        return Err(Error::io(path, io::Error::new(ErrorKind::IsADirectory, "a folder, not a file")));
    }
    Ok(file)
}

/// Reads some bytes, however often a signal interrupts; 0 is the end.
pub(super) fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
