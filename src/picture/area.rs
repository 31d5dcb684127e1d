//! The area of a picture between its axes, and lines of values in it.
//!
//! A million epochs have more points than a screen has columns, so a long series is thinned: each of four hundred
//! stretches keeps its first, lowest, highest and last value, which is what the full line would have painted, and its
//! first gap.
//!
//! Imports the axis and the sheet.

use super::axis::{Axis, Label, Tick};
use super::svg::{self, Number, Svg, shorten};

/// The longest series drawn point by point.
pub const POINTS: usize = 2000;

/// The stretches of a longer one: each keeps at most five points.
pub const STRETCHES: usize = POINTS / 5;

/// Of the sheet.
pub const WIDTH: f64 = 720.0;
/// Of the area between the axes.
pub const HEIGHT: f64 = 300.0;
/// Under an area: the numbers of its axis, and what they count.
pub const FOOT: f64 = 56.0;
/// Around everything.
pub const MARGIN: f64 = 24.0;
/// From one line of the legend to the next.
pub const LINE: f64 = 19.0;

/// The area between the axes.
#[derive(Debug)]
pub struct Area<'a> {
    /// Where it begins.
    pub left: f64,
    /// Its upper end.
    pub top: f64,
    /// Its height.
    pub height: f64,
    /// The axis below.
    pub across: Axis,
    /// What each value is of, on that axis; of its number, from 1, if not given.
    pub at: Option<&'a [f64]>,
    /// The axis of the values.
    pub losses: Axis,
    /// What its values are, and what they are counted by.
    pub names: [&'a str; 2],
}

impl Area<'_> {
    /// Where an area begins whose values have these ticks.
    pub fn left_of<'t>(ticks: impl Iterator<Item = &'t Tick>) -> f64 {
        let width = |tick: &Tick| match &tick.label {
            Label::Unlabelled => 0.0,
            Label::Number(text) => svg::width(text, svg::TEXT),
            Label::Power(power) => svg::width(&format!("10{power}"), svg::TEXT),
        };
        MARGIN + ticks.map(width).fold(0.0, f64::max) + 8.0
    }

    /// Its width.
    pub fn width(&self) -> f64 {
        WIDTH - MARGIN - self.left
    }

    /// Where the value of this number lies, from 0.
    pub fn x(&self, number: usize) -> f64 {
        self.x_of(self.at.map_or((number + 1) as f64, |at| at[number]))
    }

    /// Where what it is of lies.
    pub fn x_of(&self, of: f64) -> f64 {
        self.left + self.width() * self.across.place(of).unwrap_or(0.0)
    }

    /// Where a value lies.
    pub fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - self.losses.place(value).unwrap_or(0.0))
    }

    /// The axes, their grid and their labels.
    pub fn draw(&self, svg: &mut Svg) {
        let (left, right, top, bottom) = (self.left, self.left + self.width(), self.top, self.top + self.height);
        for tick in &self.losses.ticks {
            let y = bottom - self.height * tick.place;
            if tick.label == Label::Unlabelled {
                svg.line((left - 3.0, y), (left, y), "axis");
                continue;
            }
            svg.line((left, y), (right, y), "grid");
            svg.line((left - 5.0, y), (left, y), "axis");
            match &tick.label {
                Label::Power(power) => power_of_ten(svg, (left - 9.0, y + 4.0), "end", *power),
                Label::Number(text) => svg.text(left - 9.0, y + 4.0, "end", text),
                Label::Unlabelled => {}
            }
        }
        for tick in &self.across.ticks {
            let x = left + self.width() * tick.place;
            let length = if tick.label == Label::Unlabelled { 3.0 } else { 5.0 };
            svg.line((x, bottom), (x, bottom + length), "axis");
            match &tick.label {
                Label::Number(text) => {
                    // The last number stays on the sheet.
                    let x = x.min(WIDTH - 4.0 - svg::width(text, svg::TEXT) / 2.0);
                    svg.text(x, bottom + 19.0, "middle", text);
                }
                Label::Power(power) => power_of_ten(svg, (x, bottom + 19.0), "middle", *power),
                Label::Unlabelled => {}
            }
        }
        svg.line((left, top), (left, bottom), "axis");
        svg.line((left, bottom), (right, bottom), "axis");
        let [values, count] = self.names;
        let kind = if self.losses.log { ", logarithmic" } else { "" };
        svg.text(MARGIN, top - 14.0, "quiet", &format!("{}{kind}", shorten(values, WIDTH - 2.0 * MARGIN - 80.0)));
        let kind = if self.across.log { ", logarithmic" } else { "" };
        svg.text(left + self.width() / 2.0, bottom + 40.0, "quiet middle", &format!("{count}{kind}"));
    }

    /// The line through the values: a new piece after every gap, a dash where a value stands alone.
    pub fn path(&self, values: &[f64]) -> String {
        let mut path = String::new();
        // The epochs drawn since the last gap.
        let mut drawn = 0;
        let dash = |drawn: usize| if drawn == 1 { "m-2 0h4" } else { "" };
        for (epoch, value) in self.thinned(values) {
            if self.losses.shows(value) {
                path += &format!("{}{:.1} {:.1}", if drawn == 0 { 'M' } else { 'L' }, self.x(epoch), self.y(value));
                drawn += 1;
            } else {
                path += dash(drawn);
                drawn = 0;
            }
        }
        path + dash(drawn)
    }

    /// At most [`POINTS`] epochs and their values, in order, gaps among them.
    pub fn thinned(&self, values: &[f64]) -> Vec<(usize, f64)> {
        if values.len() <= POINTS {
            return values.iter().copied().enumerate().collect();
        }
        let mut points = Vec::with_capacity(POINTS);
        let start = |stretch: usize| stretch * values.len() / STRETCHES;
        for stretch in 0..STRETCHES {
            let range = start(stretch)..start(stretch + 1);
            let mut shown = range.clone().filter(|&epoch| self.losses.shows(values[epoch]));
            let by_value = |a: &usize, b: &usize| values[*a].total_cmp(&values[*b]);
            let lowest = shown.clone().min_by(by_value);
            let highest = shown.clone().max_by(by_value);
            let gap = range.clone().find(|&epoch| !self.losses.shows(values[epoch]));
            let mut kept =
                [shown.clone().next(), lowest, highest, shown.next_back(), gap].map(|epoch| epoch.unwrap_or(range.end));
            kept.sort_unstable();
            for (place, &epoch) in kept.iter().enumerate() {
                if epoch < range.end && (place == 0 || kept[place - 1] != epoch) {
                    points.push((epoch, values[epoch]));
                }
            }
        }
        points
    }

    /// The epoch, from 0, of the lowest value shown, and that value; the first of several.
    pub fn lowest(&self, values: &[f64]) -> Option<(usize, f64)> {
        let shown = values.iter().copied().enumerate().filter(|&(_, value)| self.losses.shows(value));
        shown.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Values that have no place.
    pub fn gaps(&self, values: &[f64]) -> usize {
        values.iter().filter(|&&value| !self.losses.shows(value)).count()
    }
}

/// Ten to a power, as text.
fn power_of_ten(svg: &mut Svg, (x, y): (f64, f64), class: &str, power: i32) {
    svg.put(format_args!(
        "<text x=\"{}\" y=\"{}\" class=\"{class}\">10<tspan class=\"tiny\" dy=\"-5\">{}</tspan></text>",
        Number(x),
        Number(y),
        power.to_string().replace('-', "\u{2212}")
    ));
}
