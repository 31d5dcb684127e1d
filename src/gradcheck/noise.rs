//! How many digits of a function's values can be trusted.
//!
//! A slope is a difference of values over a step, and the smaller the step, the larger the part of the values' rounding
//! errors in it. Half an epsilon of the value is the least error there is; sums that cancel inside the function can
//! make it a million times that, and so does a function that works in `f32`. So it is measured: over steps so tiny that
//! a smooth function is a straight line, differences of high order are rounding errors and nothing else.
//!
//! How tiny? [`fine`] is meant for every function, even one that oscillates a million times between 0 and 1. [`coarse`]
//! is asked where a verdict would be bad: it sees errors that come in stairs too wide for the fine step, on which the
//! value just stands still.
//!
//! **Source**: Moré and Wild, Estimating computational noise (SIAM J. Sci. Comput. 33, 2011).

/// So many values, for stairs can look straight over a few; seven are enough for the sixth order.
const VALUES: usize = 16;
/// The last order that still has several differences.
const LAST_ORDER: usize = 6;
/// As many of them must differ for a step to be large enough.
const DISTINCT: usize = 8;
/// The fine step, relative to the scale: a wave of frequency 1e8 is still straight over it, to 1e-18 in the sixth
/// order, and numbers near 1 still move by 1e5 units in the last place.
const FINE: [[f64; 1]; 1] = [[1.0 / (1u64 << 36) as f64]];
/// The coarse steps, smallest first: the first three see the errors of an `f32`, the others stairs of 1e-5. Three of
/// each size, for a step that climbs a whole number of stairs, to a sixteenth, sees a straight line: an eighth of all
/// slopes do that to one step, one in 500 to all three.
const COARSE: [[f64; 3]; 2] = [[0.618e-6, 0.874e-6, 1.071e-6], [1.618e-4, 2.288e-4, 2.803e-4]];
/// The first order that is free of the function's own slope and curvature.
const FIRST_ORDER: usize = 3;

/// The standard deviation of the rounding errors of a function near where it is `center`, as the fine step shows it.
///
/// `value(t, side)` is the function `t` away along a direction; there are two of them, `side` 0 and 1, and the less of
/// two answers is taken, lest a kink in one of them be taken for noise. Never below half an epsilon of `center`.
pub(super) fn fine(center: f64, value: impl FnMut(f64, usize) -> f64) -> f64 {
    least(center, &FINE, value)
}

/// The same, as the coarse steps show it.
pub(super) fn coarse(center: f64, value: impl FnMut(f64, usize) -> f64) -> f64 {
    least(center, &COARSE, value)
}

fn least<const N: usize>(center: f64, sizes: &[[f64; N]], mut value: impl FnMut(f64, usize) -> f64) -> f64 {
    let sides = [0, 1].map(|side| {
        let mut measure = |step: f64| {
            let mut values = [center; VALUES];
            for (j, v) in values.iter_mut().enumerate().skip(1) {
                *v = value(j as f64 * step, side);
            }
            (distinct(values) >= DISTINCT).then(|| deviation(values)).filter(|d| d.is_finite())
        };
        sizes.iter().find_map(|steps| steps.iter().filter_map(|&step| measure(step)).max_by(f64::total_cmp))
    });
    let least = sides.into_iter().flatten().min_by(f64::total_cmp).unwrap_or(0.0);
    least.max(f64::EPSILON / 2.0 * center.abs())
}

fn distinct(mut values: [f64; VALUES]) -> usize {
    values.sort_by(f64::total_cmp);
    1 + values.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// The least estimate over the orders: what remains of the function itself only adds.
///
/// Differences of order k of independent errors have `(2k)! / (k!)^2` times their variance.
fn deviation(mut differences: [f64; VALUES]) -> f64 {
    let mut growth = 1.0;
    let mut least = f64::INFINITY;
    for order in 1..=LAST_ORDER {
        let left = VALUES - order;
        for j in 0..left {
            differences[j] = differences[j + 1] - differences[j];
        }
        growth *= (2 * order * (2 * order - 1)) as f64 / (order * order) as f64;
        if order >= FIRST_ORDER {
            // Scaled by the largest, so that squares of differences of 1e-170 do not vanish.
            let largest = differences[..left].iter().fold(0.0, |m: f64, d| m.max(d.abs()));
            let squares: f64 = differences[..left].iter().map(|d| (d / largest).powi(2)).sum();
            let estimate = if largest == 0.0 { 0.0 } else { largest * (squares / left as f64 / growth).sqrt() };
            if estimate.is_nan() {
                return f64::NAN;
            }
            least = least.min(estimate);
        }
    }
    least
}
