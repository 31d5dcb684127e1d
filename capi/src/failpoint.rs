//! A panic inside any function, on request: for the tests alone. Cargo feature `failpoints`, which nothing that is installed has.

use crate::border::export_plain;
use std::cell::Cell;

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

/// Panics if this thread has asked for it.
pub fn pass(name: &str) {
    assert!(!ARMED.get(), "the failpoint in {name}");
}

export_plain! {
    /// From now on every call of this thread panics inside; not with 0.
    fn deltarule_failpoint(armed: i32) -> i32 {
        ARMED.set(armed != 0);
        armed
    }
}
