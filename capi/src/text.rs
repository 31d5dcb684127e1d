//! Texts for the caller's buffer.

use crate::abi::Status;
use crate::border::{Call, Out};
use crate::status::{Failure, Outcome};
use std::ffi::c_char;

/// Where a text goes: its bytes and a zero, and its length without that.
pub struct Buffer<'c> {
    bytes: &'c mut [u8],
    length: Option<&'c mut usize>,
    /// The caller wants to know the length alone.
    asks: bool,
}

impl<'c> Buffer<'c> {
    /// A buffer of `capacity` bytes, which may be none where the length is wanted alone.
    pub fn new(call: &'c Call, buffer: Out<c_char>, capacity: usize, length: Out<usize>) -> Result<Self, Failure> {
        let asks = buffer.is_null() && capacity == 0;
        let length = if length.is_null() { None } else { Some(call.place("length", length)?) };
        let bytes = call.write("buffer", buffer.bytes(), capacity)?;
        Ok(Self { bytes, length, asks })
    }

    /// Writes as much of the text as there is room for.
    pub fn set_cut(self, text: &str) {
        if let Some(length) = self.length {
            *length = text.len();
        }
        let Some(room) = self.bytes.len().checked_sub(1) else { return };
        // Not in the middle of a character.
        let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        self.bytes[end] = 0;
    }

    /// Writes the text, which must have room.
    pub fn set(self, text: &str) -> Outcome {
        let needed = text.len() + 1;
        if !self.asks {
            if self.bytes.len() < needed {
                let found = self.bytes.len();
                return Err(Failure::border(
                    Status::Usage,
                    format!("capacity: expected at least {needed}, found {found}"),
                ));
            }
            self.bytes[..text.len()].copy_from_slice(text.as_bytes());
            self.bytes[text.len()] = 0;
        }
        if let Some(length) = self.length {
            *length = text.len();
        }
        Ok(())
    }
}
