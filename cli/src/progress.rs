//! How far a training is: a bar on a terminal, plain lines elsewhere, both on standard error.

use crate::report::say;
use deltarule::train::Epoch;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// A training in progress.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    epochs: usize,
    last_line: Instant,
    /// What is said before each line, such as the fold.
    prefix: String,
}

/// Lines come no faster than this.
const LINE_EVERY: Duration = Duration::from_secs(2);

impl Progress {
    /// A training of up to `epochs` epochs begins.
    pub fn start(epochs: usize, prefix: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = "{prefix}{bar:30.cyan} epoch {pos}/{len}  {msg}";
            ProgressBar::new(epochs as u64)
                .with_prefix(prefix.to_string())
                .with_style(ProgressStyle::with_template(style).expect("a template that is tested"))
        });
        Self { bar, epochs, last_line: Instant::now(), prefix: prefix.to_string() }
    }

    /// An epoch is over.
    pub fn epoch(&mut self, epoch: &Epoch) {
        let validation = epoch.validation.map(|v| format!("  held back {v:.6}")).unwrap_or_default();
        let losses = format!("loss {:.6}{validation}", epoch.training);
        if let Some(bar) = &self.bar {
            bar.set_position(epoch.number as u64);
            bar.set_message(losses);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            say(&format!("{}epoch {}/{}  {losses}", self.prefix, epoch.number, self.epochs));
            self.last_line = Instant::now();
        }
    }

    /// The training is over.
    pub fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
