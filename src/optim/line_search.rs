//! A step along a direction that satisfies the strong Wolfe conditions: bracket, then zoom with cubics.
//!
//! Everything here is about a function of one number, `phi(step)`, known by its values and slopes; no vectors. Begin
//! reading at [`search`].
//!
//! **Source**: Nocedal and Wright, Numerical Optimization (2006), Algorithms 3.5 and 3.6 and equation 3.59; the rule
//! that the bracket must shrink by a third, More and Thuente 1994; acceptance by slope within rounding, Hager and Zhang
//! 2005.

use crate::error::Result;

/// A step that was tried: the value there, and the slope along the direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub step: f64,
    pub value: f64,
    pub slope: f64,
}

impl Point {
    fn is_finite(&self) -> bool {
        self.value.is_finite() && self.slope.is_finite()
    }
}

/// What counts as a good step, and how long to look for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wolfe {
    /// The part of the decrease promised by the slope that a step must keep (c1).
    pub decrease: f64,
    /// The part of the slope that may be left (c2).
    pub curvature: f64,
    /// How often `phi` may be asked.
    pub evaluations: usize,
    /// The relative rounding error of a value.
    pub rounding: f64,
}

/// The factor towards the last good step after a value that is not finite: 20 trials reach 1e-20.
const RETREAT: f64 = 0.1;
/// How far a step may grow at once, and must.
const GROWTH: (f64, f64) = (2.0, 10.0);
/// A cubic's minimum nearer than this part of the bracket to one of its ends is moved: it would hardly shrink it.
const MARGIN: f64 = 0.1;
/// A bracket that keeps more than this after two trials is halved.
const SLOW: f64 = 2.0 / 3.0;

/// Looks for a good step from `start` (step 0, where the slope is negative), trying `first` at first.
///
/// Gives the point that `phi` was asked for last. It satisfies both conditions; or, if trials ran out, only the first
/// one; or is `None`, if no step gave less.
///
/// Two ends are kept: `low` gave the least value so far and enough decrease; `high` is the other end of the bracket,
/// once there is one. The slope at `low` points towards `high`, so that a good step lies between.
pub(super) fn search(
    start: Point,
    first: f64,
    wolfe: Wolfe,
    mut phi: impl FnMut(f64) -> Result<Point>,
) -> Result<Option<Point>> {
    let (mut low, mut high, mut last) = (start, None::<Point>, start);
    let mut trial = first;
    let mut widths = [f64::INFINITY; 2];
    // One evaluation is kept to go back to `low`.
    for _ in 0..wolfe.evaluations.saturating_sub(1).max(1) {
        let point = phi(trial)?;
        let before = low;
        last = point;
        if !point.is_finite() || !decreases(start, point, wolfe) || (low.step > 0.0 && point.value >= low.value) {
            high = Some(point);
        } else if point.slope.abs() <= wolfe.curvature * -start.slope {
            return Ok(Some(point));
        } else {
            // Uphill towards the far end: the minimum lies between this point and the last one.
            if point.slope * high.map_or(1.0, |h| h.step - point.step) >= 0.0 {
                high = Some(low);
            }
            low = point;
        }
        trial = match high {
            None => grow(before, low),
            Some(high) => {
                let width = (high.step - low.step).abs();
                let slow = width > SLOW * widths[0];
                widths = [widths[1], width];
                if slow { f64::midpoint(low.step, high.step) } else { between(low, high) }
            }
        };
        // What the slope promises for this step must be visible in the value.
        let invisible = trial * -start.slope <= wolfe.rounding * start.value.abs();
        if !trial.is_finite() || trial == low.step || trial == point.step || invisible {
            break;
        }
    }
    if low.step == 0.0 {
        return Ok(None);
    }
    let point = if last.step == low.step { low } else { phi(low.step)? };
    Ok((point.is_finite() && point.value <= start.value).then_some(point))
}

/// Enough decrease; or, where the values differ by rounding alone and cannot tell, no increase and a slope that has
/// decreased (for a parabola the two say the same).
fn decreases(start: Point, point: Point, wolfe: Wolfe) -> bool {
    let gain = start.value - point.value;
    gain >= -wolfe.decrease * point.step * start.slope
        || ((0.0..=wolfe.rounding * start.value.abs()).contains(&gain)
            && point.slope.abs() <= wolfe.curvature * -start.slope)
}

/// A longer step: where the cubic through the last two points has its minimum, within limits.
fn grow(before: Point, last: Point) -> f64 {
    let (least, most) = (GROWTH.0 * last.step, GROWTH.1 * last.step);
    let minimum = cubic_minimum(before, last);
    if minimum.is_finite() && minimum > last.step { minimum.clamp(least, most) } else { most }
}

/// A step inside the bracket: where the cubic through its ends has its minimum, kept off the ends.
fn between(low: Point, high: Point) -> f64 {
    let width = high.step - low.step;
    if !high.is_finite() {
        return low.step + RETREAT * width;
    }
    let part = (cubic_minimum(low, high) - low.step) / width;
    low.step + width * if part.is_finite() { part.clamp(MARGIN, 1.0 - MARGIN) } else { 0.5 }
}

/// Where the cubic with the values and slopes of both points has its minimum; NaN if it has none.
fn cubic_minimum(a: Point, b: Point) -> f64 {
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.step - b.step);
    let d2 = (b.step - a.step).signum() * (d1 * d1 - a.slope * b.slope).sqrt();
    b.step - (b.step - a.step) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2)
}
