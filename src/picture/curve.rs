//! The loss over the epochs, one line for the training part and one for whatever else was watched; under it, if asked for, values
//! of another kind.
//!
//! The picture shows what happened and says so: gaps stay gaps and are counted, and each line names its lowest value and the
//! epoch of it.
//!
//! Imports the area, the axis and the sheet. Begin with [`Curve::svg`].

use super::area::{Area, FOOT, HEIGHT, LINE, MARGIN, WIDTH};
use super::axis::Axis;
use super::svg::{self, COLOURS, Escaped, Number, Svg, counted, figure, shorten};

/// Of that of the panel below.
const PANEL_HEIGHT: f64 = 90.0;
/// Over the panel's area: what its values are.
const HEAD: f64 = 30.0;

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
        let panel = self.below.as_ref().map(|panel| {
            let errors = Axis::fitting(panel.values.iter().copied(), Some(true));
            (panel, errors.unwrap_or_else(|| Axis::linear(0.0, 1.0)))
        });
        let ticks = losses.ticks.iter().chain(panel.iter().flat_map(|(_, axis)| &axis.ticks));
        let left = Area::left_of(ticks);
        let top = 78.0 + LINE * self.series.len() as f64;
        let area = Area { left, top, height: HEIGHT, across: Axis::epochs(longest), at: None, losses, names };
        let below = panel.map(|(panel, losses)| {
            let (top, across) = (top + HEIGHT + FOOT + HEAD, Axis::epochs(panel.values.len()));
            let names = [panel.name, panel.count];
            (panel, Area { left, top, height: PANEL_HEIGHT, across, at: None, losses, names })
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

#[cfg(test)]
mod tests {
    use super::super::area::{POINTS, STRETCHES};
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
        let (across, losses) = (Axis::epochs(values.len()), Axis::linear(0.0, 9.0));
        let names = ["loss", "epoch"];
        let area = Area { left: 0.0, top: 0.0, height: HEIGHT, across, at: None, losses, names };
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
