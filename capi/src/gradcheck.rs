//! Is this the gradient of that function? For functions of C.

use crate::abi::{GradcheckOptions, GradcheckReport, ValueCallback, Verdict};
use crate::border::{Call, In, Out, User, export};
use crate::network::usage;
use crate::status::{Failure, Outcome};
use crate::text::Buffer;
use deltarule::gradcheck::{self, Mode, Options};
use std::ffi::c_char;

fn defaults() -> GradcheckOptions {
    let Options { tolerance, negligible, absolute, .. } = Options::default();
    GradcheckOptions {
        size: size_of::<GradcheckOptions>(),
        tolerance,
        negligible,
        absolute,
        sample: 0,
        directions: 0,
        seed: 0,
    }
}

/// The library's options.
fn options(given: &GradcheckOptions) -> Result<Options, Failure> {
    let &GradcheckOptions { tolerance, negligible, absolute, sample, directions, seed, .. } = given;
    if !(tolerance > 0.0 && tolerance < 1.0) {
        return Err(usage("tolerance", "a number between 0 and 1", tolerance));
    }
    if !(0.0..1.0).contains(&negligible) {
        return Err(usage("negligible", "a number from 0 to below 1", negligible));
    }
    if !(absolute.is_finite() && absolute >= 0.0) {
        return Err(usage("absolute", "a finite number of at least 0", absolute));
    }
    let mode = match (sample, directions) {
        (0, 0) => Mode::EveryCoordinate,
        (per_tensor, 0) => Mode::Sample { per_tensor, seed },
        (0, count) => Mode::Directions { count, seed },
        _ => return Err(usage("directions", "0, where coordinates are drawn", directions)),
    };
    Ok(Options { mode, tolerance, negligible, absolute, ..Options::default() })
}

fn verdict(verdict: gradcheck::Verdict) -> Verdict {
    match verdict {
        gradcheck::Verdict::Verified => Verdict::Verified,
        gradcheck::Verdict::Kink => Verdict::Kink,
        gradcheck::Verdict::Inconclusive => Verdict::Inconclusive,
        gradcheck::Verdict::Wrong => Verdict::Wrong,
    }
}

fn check(
    call: &Call,
    (function, user): (ValueCallback, User),
    (at, gradient, n): (In<f64>, In<f64>, usize),
    given: In<GradcheckOptions>,
    report: Out<GradcheckReport>,
    text: (Out<c_char>, usize, Out<usize>),
) -> Outcome {
    let Some(function) = function else {
        return Err(Failure::border(crate::abi::Status::Null, "function: expected one, found null"));
    };
    let options = options(&call.options("options", given, defaults())?)?;
    if n == 0 {
        return Err(usage("n", "at least 1", 0));
    }
    let (at, gradient) = (call.read("at", at, n)?, call.read("gradient", gradient, n)?);
    let report = call.optional_report("report", report)?;
    let text = Buffer::new(call, text.0, text.1, text.2)?;
    let found = gradcheck::check(|x| function(In::of(x), x.len(), user), gradient, at, &options);
    let worst = found.worst.as_ref();
    let of_worst = |number: fn(&gradcheck::Entry) -> f64| worst.map_or(f64::NAN, number);
    report.set(GradcheckReport {
        size: 0,
        verdict: verdict(found.verdict) as i32,
        reserved: 0,
        checked: found.counts.checked,
        verified: found.counts.verified,
        kinks: found.counts.kinks,
        inconclusive: found.counts.inconclusive,
        wrong: found.counts.wrong,
        worst_index: worst.map_or(usize::MAX, |entry| entry.index),
        worst_analytic: of_worst(|entry| entry.analytic),
        worst_numeric: of_worst(|entry| entry.numeric),
        worst_error: of_worst(|entry| entry.error),
        worst_estimate: of_worst(|entry| entry.estimate),
        floor: found.floor,
    });
    text.set_cut(found.to_string().trim_end());
    Ok(found.require()?)
}

export! {
    /// Sets `options` to the library's defaults. `size` is sizeof(deltarule_gradcheck_options) as the caller's header has it.
    fn deltarule_gradcheck_options_init(call, options: Out<GradcheckOptions>, size: usize) {
        call.begin_report("options", options, size)?.set(defaults());
        Ok(())
    }

    /// Holds the `n` numbers of `gradient` against slopes of `function` measured around `at`, each with an estimate of its own error:
    /// about four values for each coordinate, in double precision. `user` is handed to the function.
    ///
    /// DELTARULE_STATUS_OK says that the gradient is verified, DELTARULE_STATUS_CHECK that it is not; `report` (or null) is written in both
    /// cases, and so is the report in words, to `text` of `capacity` bytes, cut short where that is too small: `length` (or null) becomes
    /// its whole length without the zero. With a null `text` of capacity 0 there is none. `options` may be null, for the defaults.
    fn deltarule_gradcheck(
        call, function: ValueCallback, user: User, n: usize, at: In<f64>, gradient: In<f64>, options: In<GradcheckOptions>,
        report: Out<GradcheckReport>, text: Out<c_char>, capacity: usize, length: Out<usize>,
    ) {
        check(call, (function, user), (at, gradient, n), options, report, (text, capacity, length))
    }
}
