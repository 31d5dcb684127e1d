//! The grammar of CSV: a machine that takes bytes in pieces of any size and hands out records.
//!
//! The grammar is RFC 4180's with line breaks of any kind (LF, CRLF, CR) and spaces allowed around cells. It is ours rather than a
//! library's because it must refuse what libraries let through: an unclosed quote, which swallows the rest of the
//! file, and text after a closing quote. `tests/data_oracle.rs` compares it with the csv crate.
//!
//! Imports `table` (limits). Begin reading at [`Records::feed`].

use super::table::{MAX_COLUMNS, MAX_ROW_BYTES};

/// The most bytes one cell may hold: no cell of a data set is that long, but a file without line breaks is.
pub(super) const MAX_CELL_BYTES: usize = 16 << 20;

/// What is wrong with the text, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub line: u64,
    /// The column's index.
    pub column: Option<usize>,
    pub message: String,
}

/// One record: its cells' joined bytes, where each ends in them, and the line at which it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub line: u64,
    pub bytes: &'a [u8],
    pub ends: &'a [u32],
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Before a cell's first byte that is no space.
    Start,
    /// In a cell without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote between quotes: the cell's end, or half of a doubled quote.
    Quote,
    /// After the closing quote.
    Closed,
}

/// The machine.
#[derive(Debug)]
pub(super) struct Records {
    delimiter: u8,
    state: State,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// The line being read, and the one where the record began and where the open quote stands.
    line: u64,
    record_line: u64,
    quote_line: u64,
    /// The last byte was a carriage return: a line feed now belongs to the same line break.
    after_return: bool,
    /// The record holds a quoted cell, so it is no blank line even if it is empty.
    has_quotes: bool,
    /// Bytes that end a run of ordinary ones.
    special: [bool; 256],
}

impl Records {
    pub(super) fn new(delimiter: u8) -> Self {
        let mut special = [false; 256];
        for byte in [delimiter, b'"', b'\r', b'\n', 0] {
            special[byte as usize] = true;
        }
        Self {
            delimiter,
            state: State::Start,
            bytes: Vec::new(),
            ends: Vec::new(),
            line: 1,
            record_line: 1,
            quote_line: 1,
            after_return: false,
            has_quotes: false,
            special,
        }
    }

    /// Whether the bytes so far end in a line break (or there are none).
    pub(super) fn at_line_start(&self) -> bool {
        self.state == State::Start && self.bytes.is_empty() && self.ends.is_empty()
    }

    /// Takes the next bytes of the file and hands every record that they complete to `sink`.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(Record<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            if self.state == State::Start && !self.special[byte as usize] && !self.is_space(byte) {
                self.state = State::Plain;
            }
            let run = self.run(rest);
            if run > 0 {
                self.append(&rest[..run])?;
                self.after_return = false;
                rest = &rest[run..];
                continue;
            }
            rest = &rest[1..];
            let line_feed_of_return = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            if byte == 0 {
                return Err(self.fault("a NUL byte; is this a binary file?"));
            }
            match self.state {
                State::Quoted if byte == b'"' => self.state = State::Quote,
                State::Quoted => {
                    self.append(&[byte])?;
                    self.line += u64::from(!line_feed_of_return);
                }
                State::Quote if byte == b'"' => {
                    self.append(b"\"")?;
                    self.state = State::Quoted;
                }
                _ if line_feed_of_return => {}
                _ if byte == b'\r' || byte == b'\n' => {
                    self.end_record(sink)?;
                    self.line += 1;
                    self.record_line = self.line;
                }
                _ if byte == self.delimiter => self.end_cell()?,
                State::Quote | State::Closed if self.is_space(byte) => self.state = State::Closed,
                State::Quote | State::Closed => {
                    return Err(self.fault("text after the closing quote; a quote inside quotes is written twice"));
                }
                State::Start if self.is_space(byte) => {}
                State::Start if byte == b'"' => {
                    self.state = State::Quoted;
                    self.has_quotes = true;
                    self.quote_line = self.line;
                }
                // Only a quote is left: other bytes are part of a run.
                State::Start | State::Plain => {
                    return Err(self.fault("a quote inside a cell that does not begin with one"));
                }
            }
        }
        Ok(())
    }

    /// Takes the end of the file.
    pub(super) fn finish(&mut self, sink: &mut dyn FnMut(Record<'_>) -> Result<(), Fault>) -> Result<(), Fault> {
        if self.state == State::Quoted {
            let message = "this cell's opening quote is never closed".to_string();
            return Err(Fault { line: self.quote_line, column: Some(self.ends.len()), message });
        }
        self.end_record(sink)
    }

    /// How many bytes from here on belong to the cell, whatever they are.
    fn run(&self, bytes: &[u8]) -> usize {
        let special = |&byte: &u8| self.special[byte as usize];
        match self.state {
            State::Plain => bytes.iter().position(special).unwrap_or(bytes.len()),
            State::Quoted => {
                bytes.iter().position(|byte| special(byte) && *byte != self.delimiter).unwrap_or(bytes.len())
            }
            _ => 0,
        }
    }

    fn is_space(&self, byte: u8) -> bool {
        (byte == b' ' || byte == b'\t') && byte != self.delimiter
    }

    fn cell_start(&self) -> usize {
        self.ends.last().map_or(0, |&end| end as usize)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let cell = self.bytes.len() - self.cell_start() + bytes.len();
        if cell > MAX_CELL_BYTES {
            return Err(
                self.fault(format!("a cell of more than {MAX_CELL_BYTES} bytes; is a quote or line break missing?"))
            );
        }
        if self.bytes.len() + bytes.len() > MAX_ROW_BYTES {
            return Err(self.fault(format!("a row of more than {MAX_ROW_BYTES} bytes; are the line breaks missing?")));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn end_cell(&mut self) -> Result<(), Fault> {
        if self.state == State::Plain {
            let start = self.cell_start();
            while self.bytes.len() > start && self.bytes.last().is_some_and(|&byte| self.is_space(byte)) {
                self.bytes.pop();
            }
        }
        if self.ends.len() == MAX_COLUMNS {
            return Err(self.fault(format!("more than {MAX_COLUMNS} cells in a row; are the line breaks missing?")));
        }
        self.ends.push(self.bytes.len() as u32);
        self.state = State::Start;
        Ok(())
    }

    fn end_record(&mut self, sink: &mut dyn FnMut(Record<'_>) -> Result<(), Fault>) -> Result<(), Fault> {
        let blank = self.bytes.is_empty() && self.ends.is_empty() && !self.has_quotes;
        if !blank {
            self.end_cell()?;
            sink(Record { line: self.record_line, bytes: &self.bytes, ends: &self.ends })?;
        }
        self.bytes.clear();
        self.ends.clear();
        self.state = State::Start;
        self.has_quotes = false;
        Ok(())
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault { line: self.line, column: Some(self.ends.len()), message: message.into() }
    }
}
