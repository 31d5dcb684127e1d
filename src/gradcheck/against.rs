//! One gradient against another that is more exact, to a bound on the rounding of the first.

use super::function::Tensor;
use super::report::{Entry, Report, Subject, Verdict};

/// A bound above this part of its tensor's largest entry says too little of an entry to verify it.
pub(super) const VACUOUS: f64 = 0.1;

/// Compares `grad` with `reference` entry by entry: verified within `bounds`, wrong beyond; inconclusive where the bound is larger than
/// a tenth of the tensor's largest entry, and would hide a fault.
///
/// This is how a gradient in single precision is checked: against the one in double precision at the same numbers, with a bound from the
/// roundings that were made on the way, layer by layer. An entry's `numeric` is the reference, its `estimate` the bound.
///
/// **Shapes**: all as long as the tensors reach. `between` names the two, `name` an entry.
pub fn against(
    between: [&str; 2],
    grad: &[f64],
    reference: &[f64],
    bounds: &[f64],
    tensors: &[Tensor],
    name: impl Fn(usize) -> String,
) -> Report {
    let mut report = Report::new(Subject::Coordinate, None, 10);
    let length = tensors.last().map_or(0, |t| t.range.end);
    if [grad.len(), reference.len(), bounds.len()] != [length; 3] {
        let found = format!("{} and {} entries and {} bounds", grad.len(), reference.len(), bounds.len());
        return report.refuse(Verdict::Wrong, format!("expected {length} of each, found {found}"));
    }
    for tensor in tensors {
        report.open(tensor);
        let largest = reference[tensor.range.clone()].iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        for index in tensor.range.clone() {
            let (analytic, numeric, bound) = (grad[index], reference[index], bounds[index]);
            let difference = (analytic - numeric).abs();
            let verdict = match () {
                () if !(analytic.is_finite() && numeric.is_finite()) => Verdict::Wrong,
                () if difference <= bound && bound <= VACUOUS * largest => Verdict::Verified,
                // A tensor without any gradient.
                () if difference == 0.0 && largest == 0.0 => Verdict::Verified,
                () if difference <= bound || bound.is_nan() => Verdict::Inconclusive,
                () => Verdict::Wrong,
            };
            let size = analytic.abs().max(numeric.abs()).max(largest * VACUOUS);
            let error = if difference == 0.0 { 0.0 } else { difference / size };
            let error = if error.is_nan() { f64::INFINITY } else { error };
            let entry = Entry {
                index,
                name: String::new(),
                verdict,
                analytic,
                numeric,
                error,
                estimate: bound,
                step: 0.0,
                smooth: None,
                sides: None,
                dual: None,
                complex: None,
            };
            let fault = (!analytic.is_finite()).then(|| format!("the gradient at {{}} is {analytic}"));
            report.compare(between, verdict != Verdict::Wrong, error);
            report.add(entry, || name(index), fault);
        }
    }
    report.conclude()
}
