//! A curve in one line of text, for the end of a run in a terminal.
//!
//! Imports the axis, which decides when a logarithm reads better.

use super::axis::Axis;

/// Its width in characters.
const CHARACTERS: usize = 40;

/// The heights a character can have.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The values as a row of bars, at most forty: each stands for the mean of its stretch of values, a gap for a stretch
/// without finite values, the middle height for values that are all the same.
pub fn spark(values: &[f64]) -> String {
    let bars = values.len().min(CHARACTERS);
    let start = |bar: usize| bar * values.len() / bars;
    let means: Vec<f64> = (0..bars).map(|bar| mean(&values[start(bar)..start(bar + 1)])).collect();
    let Some(axis) = Axis::fitting(means.iter().copied(), None) else { return " ".repeat(bars) };
    let (low, high) = extremes(&means, &axis);
    let top = (LEVELS.len() - 1) as f64;
    let bar = |&mean: &f64| match axis.place(mean) {
        None => ' ',
        Some(_) if low == high => LEVELS[3],
        Some(place) => LEVELS[((place - low) / (high - low) * top).round() as usize],
    };
    means.iter().map(bar).collect()
}

/// The lowest and the highest place on the axis.
fn extremes(means: &[f64], axis: &Axis) -> (f64, f64) {
    let places = means.iter().filter_map(|&mean| axis.place(mean));
    places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| (low.min(place), high.max(place)))
}

/// The mean of the finite ones, NaN if there is none; divided first, so that the sum stays finite.
fn mean(values: &[f64]) -> f64 {
    let finite = values.iter().filter(|value| value.is_finite());
    let count = finite.clone().count() as f64;
    if count == 0.0 { f64::NAN } else { finite.map(|value| value / count).sum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_follow_the_values() {
        assert_eq!(spark(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), "▁▂▃▄▅▆▇█");
        assert_eq!(spark(&[7.0, f64::NAN, 0.0, f64::INFINITY]), "█ ▁ ");
        // Four decades: a logarithm, or all but the first would lie on the ground.
        assert_eq!(spark(&[1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]), "▁▂▃▄▅▆▇█");
        assert_eq!(spark(&[2.5; 3]), "▄▄▄");
        assert_eq!(spark(&[f64::NAN; 3]), "   ");
        assert_eq!(spark(&[]), "");
    }

    #[test]
    fn long_series_keep_to_forty_bars() {
        let falling: Vec<f64> = (0..1_000_000).map(|epoch| 1e6 - f64::from(epoch)).collect();
        let bars = spark(&falling);
        assert_eq!(bars.chars().count(), CHARACTERS);
        assert!(bars.starts_with('█') && bars.ends_with('▁'), "{bars}");
        assert_eq!(spark(&[f64::MAX, f64::MIN, 0.0]).chars().count(), 3);
    }
}
