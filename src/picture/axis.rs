//! An axis: which values it shows, where on it each of them lies, and its round, labelled ticks.
//!
//! Imports the sheet's way of writing numbers.

use super::svg::{count, exponent};

/// The values an axis can show reach so far from zero (and, on a logarithmic one, so near): their differences and their
/// quotients stay finite. What lies beyond, infinities and NaN are gaps.
const FARTHEST: f64 = 1e300;

/// Values whose spread is below this share of their size are one value: ticks between them would need more digits than
/// a double has.
const SAME: f64 = 1e-12;

/// A logarithm reads better than a line once the values span more than this.
const DECADES: f64 = 2.0;

/// An axis from 0 (its low end) to 1 (its high end).
#[derive(Clone, Debug)]
pub struct Axis {
    low: f64,
    high: f64,
    /// Whether equal quotients, not equal differences, are equally far apart.
    pub log: bool,
    /// The ticks, from low to high.
    pub ticks: Vec<Tick>,
}

/// A tick of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where, from 0 to 1.
    pub place: f64,
    /// What it says.
    pub label: Label,
}

/// What a tick says.
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// Nothing: it lies between two labelled ones.
    Unlabelled,
    /// A number.
    Number(String),
    /// Ten to this power.
    Power(i32),
}

impl Axis {
    /// The axis that shows all these values, or none if there is nothing to show.
    ///
    /// It is logarithmic if `log` says so or, where `log` leaves it open, if the values are positive and span more than
    /// two decades. A logarithmic axis without a positive value becomes a linear one.
    pub fn fitting(values: impl Iterator<Item = f64> + Clone, log: Option<bool>) -> Option<Self> {
        let extremes = |values: &mut dyn Iterator<Item = f64>| {
            let values = values.filter(|value| value.abs() <= FARTHEST);
            let none = (f64::INFINITY, f64::NEG_INFINITY);
            let (low, high) = values.fold(none, |(low, high), value| (low.min(value), high.max(value)));
            (low <= high).then_some((low, high))
        };
        let (low, high) = extremes(&mut values.clone())?;
        let wanted = log.unwrap_or(low > 0.0 && high.log10() - low.log10() > DECADES);
        if wanted && let Some((low, high)) = extremes(&mut values.filter(|&value| value > 0.0)) {
            return Some(Self::logarithmic(low.max(1.0 / FARTHEST), high.max(1.0 / FARTHEST)));
        }
        Some(Self::linear(low, high))
    }

    /// The axis of epochs 1 to `epochs`, with whole ticks.
    pub fn epochs(epochs: usize) -> Self {
        // A single epoch stands in the middle of an axis that has no other.
        let (low, high) = if epochs < 2 { (0.5, 1.5) } else { (1.0, epochs as f64) };
        let step = round_step((high - low) / 8.0).max(1.0);
        let mut axis = Self { low, high, log: false, ticks: Vec::new() };
        let marks = (1..=(high / step) as usize).map(|mark| mark as f64 * step);
        for epoch in [1.0].into_iter().chain(marks.filter(|&epoch| epoch > 1.0)) {
            axis.tick(epoch, Label::Number(count(epoch as usize)));
        }
        axis
    }

    /// An axis of equal differences, from a tick at or below `low` to one at or above `high`.
    pub fn linear(low: f64, high: f64) -> Self {
        let size = low.abs().max(high.abs());
        let (low, high) = match high - low {
            // Around one value: its half and its one and a half, or minus one to one.
            spread if spread <= size * SAME => {
                let room = if size == 0.0 { 1.0 } else { (size / 2.0).max(1.0 / FARTHEST) };
                (low - room, high + room)
            }
            // Zero belongs to what comes near it.
            spread if low > 0.0 && low < spread => (0.0, high),
            _ => (low, high),
        };
        let step = round_step((high - low) / 6.0);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let mut axis = Self { low: first * step, high: last * step, log: false, ticks: Vec::new() };
        let largest = axis.low.abs().max(axis.high.abs());
        // Not more than a dozen steps make the axis, whatever rounding did.
        for tick in 0..=(last - first).min(12.0) as usize {
            let value = (first + tick as f64) * step;
            axis.tick(value, Label::Number(label(value, step, largest)));
        }
        axis
    }

    fn logarithmic(low: f64, high: f64) -> Self {
        let (low, high) = if high / low < 1.0 + SAME { (low / 3.0, high * 3.0) } else { (low, high) };
        let (first, last) = (exponent(low), exponent(high) + 1);
        // The ends are the nearest 1, 2 or 5 times a power of ten.
        let round = |power: i32| [1.0, 2.0, 5.0].map(|digit| digit * ten_to(power));
        let start = round(first).into_iter().rev().find(|&end| end <= low * (1.0 + SAME)).unwrap_or(low);
        let end = round(last - 1).into_iter().find(|&end| end * (1.0 + SAME) >= high).unwrap_or(ten_to(last));
        let mut axis = Self { low: start, high: end, log: true, ticks: Vec::new() };
        let decades = (end.log10() - start.log10()).ceil() as i32;
        let stride = round_step(f64::from((decades / 8).max(1))) as i32;
        let plain = exponent(start) >= -4 && exponent(end) <= 4;
        for power in first..=last {
            for digit in 1..10 {
                let value = f64::from(digit) * ten_to(power);
                let labelled = match digit {
                    1 => power.rem_euclid(stride) == 0,
                    // Few powers of ten leave room for numbers between them.
                    2 | 5 => decades <= 3,
                    _ => false,
                };
                let label = match labelled {
                    true if plain || decades <= 3 => Label::Number(label(value, ten_to(power), value)),
                    true => Label::Power(power),
                    false => Label::Unlabelled,
                };
                if labelled || decades <= 8 {
                    axis.tick(value, label);
                }
            }
        }
        axis
    }

    /// Adds a tick, if it lies on the axis.
    fn tick(&mut self, value: f64, label: Label) {
        let reach = (self.high - self.low) * 1e-9;
        if (self.low - reach..=self.high + reach).contains(&value)
            && let Some(place) = self.place(value)
        {
            self.ticks.push(Tick { place, label });
        }
    }

    /// Whether a value has a place on the axis.
    pub fn shows(&self, value: f64) -> bool {
        if self.log { value > 0.0 && value <= FARTHEST } else { value.abs() <= FARTHEST }
    }

    /// Where a value lies, from 0 to 1; nowhere if it is not finite, out of all proportion, or not positive on a
    /// logarithmic axis.
    pub fn place(&self, value: f64) -> Option<f64> {
        let share = |value: f64, low: f64, high: f64| ((value - low) / (high - low)).clamp(0.0, 1.0);
        let place = if self.log {
            share(value.log10(), self.low.log10(), self.high.log10())
        } else {
            share(value, self.low, self.high)
        };
        self.shows(value).then_some(place)
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = exponent(step);
    let steps = [1.0, 2.0, 5.0].map(|digit| digit * ten_to(power));
    steps.into_iter().find(|&round| round * (1.0 + SAME) >= step).unwrap_or(ten_to(power + 1))
}

/// A power of ten to the last bit, which repeated multiplication is not.
fn ten_to(power: i32) -> f64 {
    format!("1e{power}").parse().unwrap_or(f64::NAN)
}

/// A tick's number: as many decimals as its step needs, or a power of ten where `largest` or the step is far from one.
fn label(value: f64, step: f64, largest: f64) -> String {
    let (power, magnitude) = (exponent(step), exponent(largest));
    let text = if magnitude >= 5 || (magnitude < -4 && power < -4) {
        let decimals = (magnitude - power).max(0) as usize;
        if value.abs() < step / 2.0 { "0".to_string() } else { scientific(value, magnitude, decimals) }
    } else {
        format!("{:.*}", (-power).max(0) as usize, value + 0.0)
    };
    text.replace('-', "\u{2212}")
}

/// `value` as a multiple of the axis's one power of ten, `0.5e7` beside `1.5e7`.
fn scientific(value: f64, magnitude: i32, decimals: usize) -> String {
    format!("{:.decimals$}e{magnitude}", value / ten_to(magnitude))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        let text = |tick: &Tick| match &tick.label {
            Label::Unlabelled => None,
            Label::Number(text) => Some(text.clone()),
            Label::Power(power) => Some(format!("10^{power}")),
        };
        axis.ticks.iter().filter_map(text).collect()
    }

    fn of(values: &[f64]) -> Axis {
        Axis::fitting(values.iter().copied(), None).unwrap()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(&of(&[0.11, 0.69])), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(labels(&of(&[0.65, 0.69])), ["0.65", "0.66", "0.67", "0.68", "0.69"]);
        assert_eq!(labels(&of(&[-2.0, 3.0])), ["−2", "−1", "0", "1", "2", "3"]);
        assert_eq!(labels(&of(&[4.0, 4.0])), ["2", "3", "4", "5", "6"]);
        assert_eq!(labels(&of(&[0.0])), ["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(&of(&[1e7, 2.5e7])), ["0", "0.5e7", "1.0e7", "1.5e7", "2.0e7", "2.5e7"]);
        assert_eq!(labels(&of(&[0.00123, 0.00124]))[..2], ["0.001230", "0.001232"]);
        assert_eq!(labels(&of(&[1.5e-9, 2e-9]))[..2], ["1.5e−9", "1.6e−9"]);
    }

    #[test]
    fn more_than_two_decades_are_logarithmic() {
        assert!(!of(&[0.01, 1.0]).log && of(&[0.0099, 1.0]).log);
        assert!(!of(&[0.0, 1.0]).log && !of(&[-1.0, 1000.0]).log);
        assert!(Axis::fitting([1.0, 2.0].into_iter(), Some(true)).unwrap().log);
        assert!(!Axis::fitting([0.0, -2.0].into_iter(), Some(true)).unwrap().log);
        assert!(!Axis::fitting([1.0, 2e9].into_iter(), Some(false)).unwrap().log);
        assert_eq!(labels(&of(&[0.004, 0.9])), ["0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]);
        assert_eq!(labels(&of(&[1e-4, 1.0])), ["0.0001", "0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels(&of(&[1e-9, 1e-5])), ["10^-9", "10^-8", "10^-7", "10^-6", "10^-5"]);
    }

    #[test]
    fn no_value_breaks_an_axis() {
        assert!(Axis::fitting([f64::NAN, f64::INFINITY, f64::MAX].into_iter(), None).is_none());
        let values = [5e-324, -5e-324, 1e-300, 1e-15, 1.0, 1.0 + 1e-15, 1.0 + 1e-11, 1e300, -1e300, 0.0, -7.0];
        for log in [None, Some(false), Some(true)] {
            for (a, b) in values.iter().flat_map(|&a| values.map(|b| (a, b))) {
                let axis = Axis::fitting([a, b].into_iter(), log).unwrap();
                assert!((1..60).contains(&axis.ticks.len()), "{a} to {b}: {} ticks", axis.ticks.len());
                assert!((1..20).contains(&labels(&axis).len()), "{a} to {b}: {:?}", labels(&axis));
                assert!(labels(&axis).iter().all(|label| label.len() < 24), "{a} to {b}: {:?}", labels(&axis));
                assert!(axis.ticks.is_sorted_by(|a, b| a.place < b.place), "{a} to {b}: {:?}", axis.ticks);
                for value in [a, b].into_iter().filter(|&value| axis.shows(value)) {
                    let place = axis.place(value).unwrap();
                    assert!((0.0..=1.0).contains(&place), "{value} of {a} to {b} lies at {place}");
                }
            }
        }
    }

    #[test]
    fn epochs_are_whole() {
        assert_eq!(labels(&Axis::epochs(1)), ["1"]);
        assert_eq!(labels(&Axis::epochs(0)), ["1"]);
        assert_eq!(labels(&Axis::epochs(2)), ["1", "2"]);
        assert_eq!(labels(&Axis::epochs(7)), ["1", "2", "3", "4", "5", "6", "7"]);
        assert_eq!(labels(&Axis::epochs(100)), ["1", "20", "40", "60", "80", "100"]);
        assert_eq!(labels(&Axis::epochs(1_000_000))[..2], ["1", "200,000"]);
    }
}
