//! What becomes of an error: its number, and its text, which the thread keeps.

use crate::abi::Status;
use crate::border::{In, export_plain};
use deltarule::Error;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};

/// What a function comes to.
pub type Outcome = Result<(), Failure>;

/// An error of the library, or of the border.
#[derive(Debug)]
pub struct Failure {
    pub status: Status,
    pub message: String,
}

impl Failure {
    /// An error of the border.
    pub fn border(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Check(_) => Status::Check,
            Error::Data { .. } => Status::Data,
            Error::Model { .. } | Error::Checkpoint { .. } => Status::Model,
            Error::Diverged { .. } => Status::Diverged,
            Error::Io { .. } => Status::Io,
            Error::Memory { .. } => Status::Memory,
            Error::Interrupted => Status::Interrupted,
            // Shapes, settings and what cannot be done.
            _ => Status::Usage,
        };
        Self { status, message: error.to_string() }
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// Keeps the text of a failure for [`deltarule_last_error`] and gives its number.
pub fn remember(name: &str, failure: &Failure) -> Status {
    let text = format!("{name}: {}", failure.message).replace('\0', "\u{fffd}");
    let text = CString::new(text).unwrap_or_default();
    // While a thread ends there is nowhere to keep it.
    let _ = LAST.try_with(|last| last.replace(text));
    failure.status
}

/// The names of the numbers.
const NAMES: [(Status, &CStr); 14] = [
    (Status::Ok, c"ok"),
    (Status::Check, c"check"),
    (Status::Usage, c"usage"),
    (Status::Data, c"data"),
    (Status::Model, c"model"),
    (Status::Diverged, c"diverged"),
    (Status::Io, c"io"),
    (Status::Memory, c"memory"),
    (Status::Null, c"null"),
    (Status::Pointer, c"pointer"),
    (Status::Overlap, c"overlap"),
    (Status::Handle, c"handle"),
    (Status::Panic, c"panic"),
    (Status::Interrupted, c"interrupted"),
];

export_plain! {
    /// What went wrong in the last call of this thread that failed: the function, the argument, what was expected and what was found;
    /// empty before. The text is this thread's, and stays until the next of its calls that fails.
    fn deltarule_last_error() -> In<c_char> {
        LAST.try_with(|last| In::of_text(&last.borrow())).unwrap_or(In::of_text(c""))
    }

    /// The name of a status, such as "diverged"; "unknown" of any other number. The text stays.
    fn deltarule_status_name(status: i32) -> In<c_char> {
        In::of_text(NAMES.iter().find(|(known, _)| *known as i32 == status).map_or(c"unknown", |(_, name)| name))
    }
}
