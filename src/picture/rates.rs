//! The loss over the learning rates that a range test has tried: that of each step, and the smoothed one.
//!
//! The axis of losses fits the smoothed ones but the last, which may be of another size altogether where the test ended with
//! it: what lies above is drawn on the upper edge.
//!
//! Imports the area, the axis and the sheet. Begin with [`Rates::svg`].

use super::area::{Area, FOOT, HEIGHT, LINE, MARGIN, WIDTH};
use super::axis::Axis;
use super::svg::{COLOURS, Escaped, Number, Svg, figure, shorten};

/// A range test.
#[derive(Clone, Debug)]
pub struct Rates<'a> {
    /// What stands above.
    pub title: &'a str,
    /// The rate of each step.
    pub rates: &'a [f64],
    /// The loss before each step.
    pub losses: &'a [f64],
    /// The same, smoothed.
    pub smoothed: &'a [f64],
    /// Rates to be marked, each with its name.
    pub marks: &'a [(&'a str, f64)],
}

impl Rates<'_> {
    /// The picture as the text of an SVG file.
    pub fn svg(&self) -> String {
        let (rates, smoothed) = (self.rates, self.smoothed);
        let fitted = &smoothed[..smoothed.len().saturating_sub(1).max(1).min(smoothed.len())];
        let losses = Axis::fitting(fitted.iter().copied(), None).unwrap_or_else(|| Axis::linear(0.0, 1.0));
        let across = Axis::fitting(rates.iter().copied(), Some(true)).unwrap_or_else(|| Axis::linear(0.0, 1.0));
        let left = Area::left_of(losses.ticks.iter());
        let top = 78.0 + LINE * (2 + self.marks.len()) as f64;
        let names = ["loss", "learning rate"];
        let area = Area { left, top, height: HEIGHT, across, at: Some(rates), losses, names };

        let mut svg = Svg::new(WIDTH, top + HEIGHT + FOOT, self.title);
        svg.text(MARGIN, 32.0, "title", &shorten(self.title, WIDTH - 2.0 * MARGIN));
        area.draw(&mut svg);
        let [smooth, mark, single] = [0, 1, 4].map(|colour| COLOURS[colour]);
        let styles = [format!("stroke=\"{single}\" stroke-opacity=\"0.6\""), format!("stroke=\"{smooth}\"")];
        for (place, (values, style)) in [self.losses, smoothed].into_iter().zip(&styles).enumerate() {
            let path = area.path(values);
            if !path.is_empty() {
                svg.put(format_args!("<path class=\"curve\" {style} d=\"{path}\"/>"));
            }
            let figures = match (area.lowest(values), place) {
                (None, _) => "nothing to draw".to_string(),
                (Some((step, lowest)), 1) => format!("lowest {} at {}", figure(lowest), figure(rates[step])),
                (Some(_), _) => format!("{} steps", values.len()),
            };
            legend(&mut svg, place, style, ["each step", "smoothed"][place], &figures);
        }
        let style = format!("stroke=\"{mark}\" stroke-dasharray=\"7 4\"");
        for (place, (name, rate)) in self.marks.iter().enumerate() {
            // Of several the first is the one to be seen; the others are dotted.
            let style = if place == 0 { &style } else { &format!("stroke=\"{mark}\" stroke-dasharray=\"2 4\"") };
            let (x, bottom) = (Number(area.x_of(*rate)), Number(top + HEIGHT));
            svg.put(format_args!("<path class=\"curve\" {style} d=\"M{x} {}V{bottom}\"/>", Number(top)));
            legend(&mut svg, 2 + place, style, name, &figure(*rate));
        }
        svg.finish()
    }
}

/// One line of the legend.
fn legend(svg: &mut Svg, place: usize, style: &str, name: &str, figures: &str) {
    let y = 56.0 + LINE * place as f64;
    let (left, right, middle) = (Number(MARGIN), Number(MARGIN + 24.0), Number(y - 4.0));
    svg.put(format_args!("<path class=\"curve\" {style} d=\"M{left} {middle}H{right}\"/>"));
    svg.put(format_args!(
        "<text x=\"{}\" y=\"{}\">{} <tspan class=\"quiet\" dx=\"6\">{figures}</tspan></text>",
        Number(MARGIN + 32.0),
        Number(y),
        Escaped(&shorten(name, 200.0)),
    ));
}

#[cfg(test)]
mod tests {
    use super::super::svg::tests::{assert_texts_fit, texts};
    use super::*;

    fn picture(losses: &[f64], smoothed: &[f64]) -> String {
        let rates: Vec<f64> = (0..losses.len()).map(|i| 1e-7 * 1.2f64.powi(i as i32)).collect();
        let svg = Rates { title: "a test", rates: &rates, losses, smoothed, marks: &[("suggested", 1e-3)] }.svg();
        assert_texts_fit(&svg);
        svg
    }

    #[test]
    fn equal_quotients_of_rates_are_equally_far_apart() {
        let losses: Vec<f64> = (0..101).map(|i| 1.0 - f64::from(i) * 5e-3).collect();
        let svg = picture(&losses, &losses);
        let all = texts(&svg);
        for expected in ["learning rate, logarithmic", "10\u{2212}6", "each step 101 steps", "suggested 0.001"] {
            assert!(all.iter().any(|text| text == expected), "no '{expected}' in {all:?}");
        }
        let data =
            svg.lines().find_map(|line| line.split_once("d=\"").filter(|(_, d)| d.contains('L'))).expect("a line").1;
        let x = |point: &str| point.split_once(' ').expect("two numbers").0.parse::<f64>().expect("a number");
        let xs: Vec<f64> = data.trim_matches(|c: char| !c.is_ascii_digit()).split('L').map(x).collect();
        assert_eq!(xs.len(), 101);
        let steps: Vec<f64> = xs.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| (step - steps[0]).abs() < 0.11 && *step > 0.0), "{steps:?}");
    }

    #[test]
    fn a_loss_that_has_run_away_leaves_the_axis_as_it_is() {
        let tame = picture(&[1.0, 0.8, 0.6, 0.5], &[1.0, 0.8, 0.6, 0.5]);
        let wild = picture(&[1.0, 0.8, 0.6, 1e30], &[1.0, 0.8, 0.6, 1e29]);
        let labels = |svg: &str| texts(svg).into_iter().filter(|text| text.starts_with("0.")).collect::<Vec<_>>();
        assert!(labels(&tame) == labels(&wild) && !labels(&wild).is_empty(), "{:?}", labels(&wild));
    }

    #[test]
    fn degenerate_tests_are_pictures_too() {
        for losses in [&[][..], &[0.5], &[f64::NAN], &[0.0, 0.0], &[f64::MAX, f64::MIN, -1.0]] {
            picture(losses, losses);
        }
    }
}
