//! The loss over the epochs, one line for the training part and one for whatever else was watched; under it, if asked for, values
//! of another kind.
//!
//! A million epochs have more points than a screen has columns, so a long series is thinned: each of four hundred
//! stretches keeps its first, lowest, highest and last value, which is what the full line would have painted, and its
//! first gap. The picture shows what happened and says so: gaps stay gaps and are counted, and each line names its
//! lowest value and the epoch of it.
//!
//! Imports the axis and the sheet. Begin with [`Curve::svg`].

use super::axis::{Axis, Label};
use super::svg::{self, COLOURS, Escaped, Number, Svg, counted, figure, shorten};

/// The longest series drawn point by point.
const POINTS: usize = 2000;

/// The stretches of a longer one: each keeps at most five points.
const STRETCHES: usize = POINTS / 5;

const WIDTH: f64 = 720.0;
/// Of the area between the axes.
const HEIGHT: f64 = 300.0;
/// Of that of the panel below.
const PANEL_HEIGHT: f64 = 90.0;
/// Under an area: the numbers of its axis, and what they count.
const FOOT: f64 = 56.0;
/// Over the panel's area: what its values are.
const HEAD: f64 = 30.0;
const MARGIN: f64 = 24.0;
/// From one line of the legend to the next.
const LINE: f64 = 19.0;

/// One line of the picture.
#[derive(Clone, Debug)]
pub struct Series<'a> {
    /// What the legend calls it: `training`, `validation`.
    pub name: &'a str,
    /// Its value after each epoch, the first epoch's first; a gap wherever it is not finite.
    pub values: &'a [f64],
}

/// Loss per epoch.
#[derive(Clone, Debug)]
pub struct Curve<'a> {
    /// What stands above.
    pub title: &'a str,
    /// The lines, each drawn over those before it.
    pub series: Vec<Series<'a>>,
    /// Whether losses are shown on a logarithmic axis (on which values that are not positive are gaps); `None` leaves it
    /// to the values, which are if they are positive and span more than two decades.
    pub log_y: Option<bool>,
    /// What is drawn under the losses, if anything.
    pub below: Option<Panel<'a>>,
}

/// A smaller picture under the losses, of values of another kind and with a count of their own, on a logarithmic axis.
#[derive(Clone, Debug)]
pub struct Panel<'a> {
    /// What its values are.
    pub name: &'a str,
    /// What they are counted by: `step`.
    pub count: &'a str,
    /// Each value, the first count's first; a gap wherever it is not finite and positive.
    pub values: &'a [f64],
}

/// The area between the axes.
struct Area<'a> {
    left: f64,
    top: f64,
    height: f64,
    epochs: Axis,
    losses: Axis,
    /// What its values are, and what they are counted by.
    names: [&'a str; 2],
}

impl Curve<'_> {
    /// The picture as the text of an SVG file.
    pub fn svg(&self) -> String {
        self.svg_of(["loss", "epoch"])
    }

    /// The same of other values by another count: `["mean squared error", "millisecond"]`.
    pub fn svg_of(&self, names: [&str; 2]) -> String {
        let all = self.series.iter().flat_map(|series| series.values.iter().copied());
        let fitting = Axis::fitting(all, self.log_y);
        let empty = fitting.is_none();
        let losses = fitting.unwrap_or_else(|| Axis::linear(0.0, 1.0));
        let longest = self.series.iter().map(|series| series.values.len()).max().unwrap_or(0);
        let label = |tick: &super::axis::Tick| match &tick.label {
            Label::Unlabelled => 0.0,
            Label::Number(text) => svg::width(text, svg::TEXT),
            Label::Power(power) => svg::width(&format!("10{power}"), svg::TEXT),
        };
        let panel = self.below.as_ref().map(|panel| {
            let errors = Axis::fitting(panel.values.iter().copied(), Some(true));
            (panel, errors.unwrap_or_else(|| Axis::linear(0.0, 1.0)))
        });
        let ticks = losses.ticks.iter().chain(panel.iter().flat_map(|(_, axis)| &axis.ticks));
        let left = MARGIN + ticks.map(label).fold(0.0, f64::max) + 8.0;
        let top = 78.0 + LINE * self.series.len() as f64;
        let area = Area { left, top, height: HEIGHT, epochs: Axis::epochs(longest), losses, names };
        let below = panel.map(|(panel, losses)| {
            let (top, epochs) = (top + HEIGHT + FOOT + HEAD, Axis::epochs(panel.values.len()));
            let names = [panel.name, panel.count];
            (panel, Area { left, top, height: PANEL_HEIGHT, epochs, losses, names })
        });

        let bottom = below.as_ref().map_or(top + HEIGHT, |(_, area)| area.top + area.height);
        let mut svg = Svg::new(WIDTH, bottom + FOOT, self.title);
        svg.text(MARGIN, 32.0, "title", &shorten(self.title, (WIDTH - 2.0 * MARGIN) / (1.1 * svg::TITLE / svg::TEXT)));
        area.draw(&mut svg);
        for (place, series) in self.series.iter().enumerate() {
            let colour = COLOURS[place % COLOURS.len()];
            let dashes = ["", " stroke-dasharray=\"7 4\"", " stroke-dasharray=\"2 4\""][place / COLOURS.len() % 3];
            let style = format!("stroke=\"{colour}\"{dashes}");
            let path = area.path(series.values);
            if !path.is_empty() {
                svg.put(format_args!("<path class=\"curve\" {style} d=\"{path}\"/>"));
            }
            let lowest = area.lowest(series.values);
            if let Some((epoch, value)) = lowest {
                let (x, y) = (Number(area.x(epoch)), Number(area.y(value)));
                svg.put(format_args!("<circle class=\"lowest\" cx=\"{x}\" cy=\"{y}\" r=\"3.5\" stroke=\"{colour}\"/>"));
            }
            let y = 56.0 + LINE * place as f64;
            legend(&mut svg, y, (&style, names[1]), series, lowest, area.gaps(series.values));
        }
        if empty {
            svg.text(left + area.width() / 2.0, top + HEIGHT / 2.0, "quiet middle", "no finite values");
        }
        if let Some((panel, area)) = below {
            area.draw(&mut svg);
            let path = area.path(panel.values);
            if !path.is_empty() {
                svg.put(format_args!("<path class=\"curve\" stroke=\"{}\" d=\"{path}\"/>", COLOURS[0]));
            }
        }
        svg.finish()
    }
}

/// One line of the legend: a piece of the curve, its name, and its lowest and last value.
fn legend(
    svg: &mut Svg,
    y: f64,
    (style, by): (&str, &str),
    series: &Series,
    lowest: Option<(usize, f64)>,
    gaps: usize,
) {
    let (left, right, middle) = (Number(MARGIN), Number(MARGIN + 24.0), Number(y - 4.0));
    svg.put(format_args!("<path class=\"curve\" {style} d=\"M{left} {middle}H{right}\"/>"));
    let mut figures = match (lowest, series.values.last()) {
        (Some((epoch, value)), Some(&last)) => {
            format!("lowest {} in {by} {}, last {}", figure(value), svg::count(epoch + 1), figure(last))
        }
        _ => "nothing to draw".to_string(),
    };
    if gaps > 0 {
        figures += &format!(", {} not drawn", counted(gaps, "value"));
    }
    svg.put(format_args!(
        "<text x=\"{}\" y=\"{}\">{} <tspan class=\"quiet\" dx=\"6\">{figures}</tspan></text>",
        Number(MARGIN + 32.0),
        Number(y),
        Escaped(&shorten(series.name, 200.0)),
    ));
}

impl Area<'_> {
    fn width(&self) -> f64 {
        WIDTH - MARGIN - self.left
    }

    fn x(&self, epoch: usize) -> f64 {
        self.left + self.width() * self.epochs.place((epoch + 1) as f64).unwrap_or(0.0)
    }

    fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - self.losses.place(value).unwrap_or(0.0))
    }

    /// The axes, their grid and their labels.
    fn draw(&self, svg: &mut Svg) {
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
                Label::Power(power) => svg.put(format_args!(
                    "<text x=\"{}\" y=\"{}\" class=\"end\">10<tspan class=\"tiny\" dy=\"-5\">{}</tspan></text>",
                    Number(left - 9.0),
                    Number(y + 4.0),
                    power.to_string().replace('-', "\u{2212}")
                )),
                Label::Number(text) => svg.text(left - 9.0, y + 4.0, "end", text),
                Label::Unlabelled => {}
            }
        }
        for tick in &self.epochs.ticks {
            let x = left + self.width() * tick.place;
            svg.line((x, bottom), (x, bottom + 5.0), "axis");
            if let Label::Number(text) = &tick.label {
                // The last number stays on the sheet.
                let x = x.min(WIDTH - 4.0 - svg::width(text, svg::TEXT) / 2.0);
                svg.text(x, bottom + 19.0, "middle", text);
            }
        }
        svg.line((left, top), (left, bottom), "axis");
        svg.line((left, bottom), (right, bottom), "axis");
        let [values, count] = self.names;
        let kind = if self.losses.log { ", logarithmic" } else { "" };
        svg.text(MARGIN, top - 14.0, "quiet", &format!("{}{kind}", shorten(values, WIDTH - 2.0 * MARGIN - 80.0)));
        svg.text(left + self.width() / 2.0, bottom + 40.0, "quiet middle", count);
    }

    /// The line through the values: a new piece after every gap, a dash where a value stands alone.
    fn path(&self, values: &[f64]) -> String {
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
    fn thinned(&self, values: &[f64]) -> Vec<(usize, f64)> {
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
    fn lowest(&self, values: &[f64]) -> Option<(usize, f64)> {
        let shown = values.iter().copied().enumerate().filter(|&(_, value)| self.losses.shows(value));
        shown.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn gaps(&self, values: &[f64]) -> usize {
        values.iter().filter(|&&value| !self.losses.shows(value)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::super::svg::tests::{assert_texts_fit, elements, texts};
    use super::*;

    fn curve(series: &[&[f64]]) -> String {
        let names = ["training", "validation", "third"];
        let series = series.iter().enumerate().map(|(i, values)| Series { name: names[i % 3], values }).collect();
        let svg = Curve { title: "loss of a test", series, log_y: None, below: None }.svg();
        assert_texts_fit(&svg);
        svg
    }

    /// The pieces and points of each line, those of the legend left out.
    fn lines(svg: &str) -> Vec<(usize, usize)> {
        let paths = svg.lines().filter_map(|line| line.strip_prefix("<path class=\"curve\"")?.split_once(" d=\""));
        let of = |data: &str| (data.matches('M').count(), data.matches(['M', 'L']).count());
        paths.filter(|(_, data)| !data.contains('H')).map(|(_, data)| of(data)).collect()
    }

    #[test]
    fn two_series_share_their_axes() {
        let training: Vec<f64> = (0..50).map(|epoch| 0.7 * (-0.05 * f64::from(epoch)).exp()).collect();
        let validation: Vec<f64> = training.iter().map(|loss| loss + 0.1).collect();
        let svg = curve(&[&training, &validation]);
        assert_eq!(lines(&svg), [(1, 50), (1, 50)]);
        assert_eq!(elements(&svg, "lowest"), 2);
        let texts = texts(&svg);
        for expected in ["loss of a test", "loss", "epoch", "1", "10", "50", "0.8"] {
            assert!(texts.iter().any(|text| text == expected), "no '{expected}' in {texts:?}");
        }
        assert!(texts.iter().any(|text| text == "training lowest 0.0604 in epoch 50, last 0.0604"), "{texts:?}");
        assert_eq!(svg, curve(&[&training, &validation]), "not the same bytes");
    }

    #[test]
    fn gaps_stay_gaps_and_are_counted() {
        let svg = curve(&[&[3.0, 2.0, f64::NAN, 1.0, f64::INFINITY, 0.5, 0.4, f64::NAN]]);
        assert_eq!(lines(&svg), [(3, 5)]);
        assert!(svg.contains("h4"), "a value that stands alone is not drawn");
        assert!(svg.contains("lowest 0.4 in epoch 7, last NaN, 3 values not drawn"), "{svg}");
    }

    #[test]
    fn a_million_epochs_are_thinned_and_keep_their_extremes() {
        let mut values: Vec<f64> = (0..1_000_000).map(|epoch| 1.0 + f64::from(epoch % 97) * 1e-3).collect();
        values[123_456] = 9.0;
        values[654_321] = 0.25;
        values[777_777] = f64::NAN;
        let svg = curve(&[&values]);
        let points = lines(&svg)[0].1;
        assert!((1000..=POINTS).contains(&points), "{points} points");
        assert!(svg.len() < 50_000, "{} bytes", svg.len());
        let (epochs, losses) = (Axis::epochs(values.len()), Axis::linear(0.0, 9.0));
        let area = Area { left: 0.0, top: 0.0, height: HEIGHT, epochs, losses, names: ["loss", "epoch"] };
        let kept = area.thinned(&values);
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
        for epoch in [0, 123_456, 654_321, 777_777, 999_999] {
            assert!(kept.iter().any(|point| point.0 == epoch), "epoch {epoch} is lost");
        }
    }

    #[test]
    fn a_logarithm_where_it_helps() {
        let falling: Vec<f64> = (0..100).map(|epoch| (-0.2 * f64::from(epoch)).exp()).collect();
        let svg = curve(&[&falling]);
        assert!(texts(&svg).iter().any(|text| text == "loss, logarithmic"));
        assert!(texts(&svg).iter().any(|text| text == "10\u{2212}8"), "{:?}", texts(&svg));
    }

    #[test]
    fn degenerate_series_are_pictures_too() {
        let subnormal = [5e-324; 4];
        let alternating: Vec<f64> = (0..10_000).map(|epoch| if epoch % 2 == 0 { 1.0 } else { f64::NAN }).collect();
        let cases: [&[f64]; 9] = [
            &[],
            &[0.5],
            &[f64::NAN],
            &[0.25; 30],
            &[0.0; 30],
            &subnormal,
            &[1e300, -1e300],
            &[f64::MAX, f64::MIN, f64::INFINITY],
            &alternating,
        ];
        for case in cases {
            curve(&[case]);
            curve(&[case, &[1.0, 2.0, 3.0]]);
        }
        assert!(texts(&curve(&[])).iter().any(|text| text == "no finite values"));
        assert!(curve(&[&[0.5]]).contains("h4"), "a single value is not drawn");
        // One gap for each stretch, and a piece on either side of each.
        assert_eq!(lines(&curve(&[&alternating]))[0].0, STRETCHES + 1);
        let many: Vec<&[f64]> = vec![&[1.0, 2.0]; 40];
        curve(&many);
    }

    #[test]
    fn a_panel_lies_under_the_losses_and_leaves_them_as_they_are() {
        let (losses, errors) = ([3.0, 2.0, 1.0], [1e-7, 3e-6, f64::NAN, 0.0, 2e-7, 1e-7]);
        let curve = |values: Option<&'static [f64]>| {
            let series = vec![Series { name: "training", values: &losses }];
            let below = values.map(|values| Panel { name: "error", count: "check", values });
            Curve { title: "loss of a test", series, log_y: None, below }.svg()
        };
        let alone = curve(None);
        let both = curve(Some(&[1e-7, 3e-6, f64::NAN, 0.0, 2e-7, 1e-7]));
        assert_texts_fit(&both);
        // Two gaps in a row are one; both lines stand, the losses' first.
        assert_eq!(lines(&both), [(1, 3), (2, errors.len() - 2)]);
        for expected in ["loss", "epoch", "error, logarithmic", "check"] {
            assert!(texts(&both).iter().any(|text| text == expected), "no '{expected}'");
        }
        assert!(lines(&alone) == [(1, 3)] && alone.len() < both.len());
        for values in [&[][..], &[f64::NAN], &[0.0], &[1e-6]] {
            assert_texts_fit(&curve(Some(values)));
        }
        let name = "<&".repeat(1000);
        let below = Some(Panel { name: &name, count: "check", values: &[1.0] });
        assert_texts_fit(&Curve { title: "loss", series: Vec::new(), log_y: None, below }.svg());
    }

    #[test]
    fn names_are_escaped_and_shortened() {
        let name = "<b>&\"'\u{0}".repeat(100_000);
        let series = vec![Series { name: &name, values: &[1.0, 2.0] }];
        let svg = Curve { title: &name, series, log_y: Some(true), below: None }.svg();
        assert_texts_fit(&svg);
        assert!(svg.len() < 20_000, "{} bytes", svg.len());
    }
}
