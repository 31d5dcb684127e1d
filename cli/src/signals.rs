//! Signals that end a training early and in order: the first asks it to end after the batch, a second ends the process at once.

use deltarule::{Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Hears SIGINT and SIGTERM from now on.
#[derive(Debug)]
pub struct Signals {
    asked: Arc<AtomicBool>,
    /// The last signal, or 0.
    signal: Arc<AtomicUsize>,
}

impl Signals {
    /// Begins to listen.
    pub fn listen() -> Result<Self> {
        let signals = Self { asked: Arc::default(), signal: Arc::default() };
        let listen = || -> io::Result<()> {
            for signal in [SIGINT, SIGTERM] {
                // Asked before this one: whoever asks twice does not want to wait. In the order in which they are registered.
                flag::register_conditional_shutdown(signal, i32::from(exit_code(signal)), signals.asked.clone())?;
                flag::register_usize(signal, signals.signal.clone(), usize::from(exit_code(signal)))?;
                flag::register(signal, signals.asked.clone())?;
            }
            Ok(())
        };
        listen().map_err(|source| Error::io(Path::new("signals"), source))?;
        Ok(signals)
    }

    /// What becomes true with the first signal.
    pub fn asked(&self) -> &AtomicBool {
        &self.asked
    }

    /// The exit code that the signal heard asks for: 128 and its number, as shells have it.
    pub fn exit_code(&self) -> Option<u8> {
        u8::try_from(self.signal.load(Ordering::Relaxed)).ok().filter(|code| *code > 0)
    }
}

/// 130 for SIGINT, 143 for SIGTERM.
fn exit_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
