//! From `--checkpoint`, `--every` and `--resume` to the library's checkpoint, and what is said of it.

use crate::args::{Checkpoints, Train};
use crate::report::{count, say};
use deltarule::train::Stopped;
use deltarule::train::checkpoint::{Checkpointing, Found, Start};
use deltarule::{Error, Result};
use std::io;
use std::path::Path;

/// Refuses, before any work is done, a checkpoint that is there and that nothing is said of.
pub fn check(args: &Train, path: &Path) -> Result<()> {
    if args.checkpoints.every == 0 {
        return Err(Error::setting("--every", "at least 1 epoch", 0));
    }
    if path.is_file() && !args.checkpoints.resume && !args.force {
        let reason = "exists already (--resume continues it, --force replaces it)";
        return Err(Error::io(path, io::Error::new(io::ErrorKind::AlreadyExists, reason)));
    }
    Ok(())
}

/// Where the training's state is kept, if it is.
pub fn of<'a>(args: &'a Train, told: &'a mut dyn FnMut(Start)) -> Option<Checkpointing<'a>> {
    let Checkpoints { checkpoint, every, resume } = &args.checkpoints;
    let found = match (resume, args.force) {
        (true, _) => Found::Resume,
        (false, true) => Found::Replace,
        (false, false) => Found::Refuse,
    };
    checkpoint.as_deref().map(|path| Checkpointing { path, every: *every, found, told: Some(told) })
}

/// Says how the training begins, where `--resume` leaves it open.
pub fn say_start(args: &Checkpoints, start: Start) {
    let Some(path) = args.checkpoint.as_ref().filter(|_| args.resume).map(|path| path.display()) else { return };
    match start {
        Start::Anew => say(&format!("{path} is not there yet: beginning anew")),
        Start::Continued { epochs, batches: 0 } => say(&format!("continuing {path}, after {}", count(epochs, "epoch"))),
        Start::Continued { epochs, batches } => {
            let batches = if batches == 1 { "1 batch".into() } else { format!("{batches} batches") };
            say(&format!("continuing {path}, after {} and {batches} of the next", count(epochs, "epoch")));
        }
    }
}

/// Says how to go on after an interruption.
pub fn say_end(args: &Checkpoints, stopped: Stopped) {
    if let (Stopped::Interrupted, Some(path)) = (stopped, &args.checkpoint) {
        say(&format!("interrupted: the same command with --resume continues from {}", path.display()));
    }
}
