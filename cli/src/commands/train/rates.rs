//! `train --find-rate`: the learning-rate range test, its table, its picture and the rate that it suggests.

use super::solver;
use crate::args::Train;
use crate::commands::existing;
use crate::report::{self, say};
use crate::signals::Signals;
use deltarule::data::Warning;
use deltarule::float::Float;
use deltarule::model::{Recipe, Source};
use deltarule::train::{RangeEnd, RangeTest, RateRange, Solver};
use deltarule::{Error, Result, file};
use serde_json::json;
use std::time::Instant;

/// The most lines of the table; `--json` has all steps.
const LINES: usize = 25;

/// The range, if one was asked for.
///
/// **Errors** for solvers without a rate, and a range that is none.
pub fn range(args: &Train, recipe: &Recipe) -> Result<Option<RateRange>> {
    let Some(text) = &args.course.find_rate else { return Ok(None) };
    if !matches!(recipe.trainer.solver, Solver::Steps(_)) {
        return Err(Error::Unsupported(format!(
            "--find-rate has no meaning for --solver {}, which takes no mini-batches at a learning rate",
            solver::name(args.solver)
        )));
    }
    RateRange::parse(text).map(Some)
}

/// Tests, reports, and draws.
pub fn run<T: Float>(
    args: &Train,
    (recipe, range): (&Recipe, RateRange),
    (source, rows): (&Source, &[usize]),
    signals: &Signals,
    mut warn: impl FnMut(&[Warning]),
) -> Result<()> {
    let started = Instant::now();
    let recipe = solver::suit(args, recipe, rows.len());
    let (found, warnings) = recipe.find_rate::<T>(source, rows, range, Some(signals.asked()))?;
    let seconds = started.elapsed().as_secs_f64();
    warn(&warnings);
    print_table(&found);
    let why = match found.end {
        RangeEnd::Diverged => "the loss ran away",
        RangeEnd::AllTried => "all rates tried",
        RangeEnd::Interrupted => "interrupted",
        _ => "ended",
    };
    say(&format!("{} of {}, {seconds:.2} s: {why}", report::count(found.tried.len(), "step"), range.steps));
    match (found.suggestion(), found.lowest()) {
        (Some(rate), Some(lowest)) => {
            say(&format!(
                "suggested: --rate {rate:.1e}, a tenth of {:.1e}, where the smoothed loss is lowest",
                lowest.rate
            ));
            if found.end == RangeEnd::AllTried && found.tried.last() == Some(&lowest) {
                say(&format!("the loss still fell at {:.1e}: rates above it may be better", range.to));
            }
        }
        _ if found.end == RangeEnd::Interrupted => {}
        _ => say(&format!("no rate suggests itself: the loss did not fall beyond ten times {:.1e}", range.from)),
    }
    if let Some(path) = &args.plot {
        file::write_whole(path, found.svg().as_bytes(), existing(args.force))?;
        say(&format!("wrote {}", path.display()));
    }
    if args.json {
        report::print_json(&json!({
            "range": range, "end": found.end, "seconds": seconds, "rows": rows.len(), "suggestion": found.suggestion(),
            "steepest": found.steepest(), "lowest": found.lowest(), "tried": found.tried,
        }))?;
    }
    Ok(())
}

/// The steps, so many of them as a screen has lines, the last among them.
fn print_table(found: &RangeTest) {
    say(&format!("{:>10}{:>14}{:>14}", "rate", "loss", "smoothed"));
    let last = found.tried.len().saturating_sub(1);
    let stride = last.div_ceil(LINES - 1).max(1);
    for (_, step) in found.tried.iter().enumerate().filter(|(i, _)| i % stride == 0 || *i == last) {
        say(&format!("{:>10.1e}{:>14.6}{:>14.6}", step.rate, step.loss, step.smoothed));
    }
}
