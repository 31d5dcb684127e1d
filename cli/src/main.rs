//! The `deltarule` command: a shell around the library's public interface.
//!
//! Begin reading at `args.rs` (what can be said), then `commands/` (a file for each).

mod args;
mod commands;
mod input;
mod progress;
mod report;
mod signals;

use clap::Parser;
use deltarule::Error;
use std::process::ExitCode;

/// A check failed: a gradient is wrong.
const CHECK_FAILED: u8 = 1;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    match commands::run(cli.command) {
        Ok(commands::Outcome::Done) => ExitCode::SUCCESS,
        Ok(commands::Outcome::CheckFailed) => ExitCode::from(CHECK_FAILED),
        Ok(commands::Outcome::Interrupted(code)) => ExitCode::from(code),
        // The reader of our output has seen enough: nothing went wrong.
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let code = exit_code(&error);
            let error = match error {
                Error::Setting { name, expected, found } => Error::setting(report::flag(&name), expected, found),
                other => other,
            };
            report::say(&format!("deltarule: {error}"));
            ExitCode::from(code)
        }
    }
}

/// The exit code of an error: 2 usage, 3 data, 4 model file or checkpoint, 5 divergence, 6 input or output, 7 memory,
/// 130 interrupted.
fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Check(_) => CHECK_FAILED,
        Error::Data { .. } => 3,
        Error::Model { .. } | Error::Checkpoint { .. } => 4,
        Error::Diverged { .. } => 5,
        Error::Io { .. } => 6,
        Error::Memory { .. } => 7,
        Error::Interrupted => 130,
        // Shapes and settings are what the user asked for.
        _ => 2,
    }
}
