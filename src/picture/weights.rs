//! What the first layer of a network looks for in an image: each unit's weights as a little picture of their own.
//!
//! Blue is a positive weight, orange a negative one, white is zero, so that a unit shows what it likes and what it
//! dislikes to see. Each little picture is a PNG within the SVG, a square of pixels for each weight: asked to enlarge
//! single pixels, some viewers blur them. A few weights are far larger
//! than the rest and would leave all others pale: the strongest colour belongs to the 99.5th percentile of the sizes, and
//! both that and the largest size are written below.
//!
//! Imports the sheet and the library's errors, and the crate `png`. Begin with [`Weights::svg`].

use std::io::Cursor;

use crate::error::{Error, Result};

use super::svg::{self, Number, QUIET, Svg, TEXT, TITLE, count, figure, shorten};

/// Units drawn at most.
const UNITS: usize = 100;

/// Pixels drawn at most, all units together. Incompressible, each costs a byte, and base64 a third more: 1.6 MB.
const PIXELS: usize = 1_200_000;

/// The share of weights whose colours differ; the largest share the strongest one.
const TOLD_APART: f64 = 0.995;

/// Steps from white to the strongest colour.
const STEPS: u8 = 63;
/// The colours of the strongest weights: the style sheet's blue and orange, darker, for white lies far from them.
const POSITIVE: [f64; 3] = [0.0, 60.0, 120.0];
const NEGATIVE: [f64; 3] = [150.0, 65.0, 0.0];
/// Half way to them.
const HALF_POSITIVE: [f64; 3] = [70.0, 155.0, 215.0];
const HALF_NEGATIVE: [f64; 3] = [240.0, 150.0, 50.0];
/// The colour of a weight that is no number.
const UNDEFINED: [u8; 3] = [128, 128, 128];

const MARGIN: f64 = 24.0;
/// The side that a little picture is fitted to, if its pixels are few enough.
const SIDE: f64 = 84.0;
/// The longest side of one whose pixels are many.
const LARGEST_SIDE: f64 = 240.0;
const GAP: f64 = 10.0;
/// For a unit's number.
const NUMBER: f64 = 13.0;
const TOP: f64 = 72.0;

/// Which weights the strongest colour stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The same for all units: strong units look strong.
    Common,
    /// Each unit has its own: weak units show their pattern too.
    PerUnit,
}

/// The weights of a layer whose inputs are the pixels of an image.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a, T> {
    /// What stands above.
    pub title: &'a str,
    /// The image's height and width in pixels, its rows one after the other.
    pub image: (usize, usize),
    /// The layer's outputs.
    pub units: usize,
    /// A row for each pixel, a column for each unit.
    pub weights: &'a [T],
    /// Whether colours compare between units.
    pub scale: Scale,
}

impl<T: Copy + Into<f64>> Weights<'_, T> {
    /// The picture as the text of an SVG file, below 2 MB. Of more than a hundred units, or of large images, it shows the
    /// first so many and says so.
    ///
    /// **Errors.** [`Error::Shape`] unless there is a weight for each pixel and unit; [`Error::Unsupported`] for images
    /// without pixels or with too many.
    pub fn svg(&self) -> Result<String> {
        let shown = self.check()?;
        let common = Range::of(self.all(shown));
        let across = across(shown);
        let (width, height) = self.size();
        let (step_x, step_y) = (width.max(24.0) + GAP, height + GAP + NUMBER);
        let lines = self.captions(shown, common);
        let texts = lines.iter().map(|line| svg::width(line, QUIET)).fold(LEGEND, f64::max);
        let grid = across as f64 * step_x - GAP;
        let sheet = grid.max(texts) + 2.0 * MARGIN;
        let bottom = TOP + shown.div_ceil(across) as f64 * step_y;

        let mut svg = Svg::new(sheet, bottom + 50.0, self.title);
        svg.text(MARGIN, 32.0, "title", &shorten(self.title, (sheet - 2.0 * MARGIN) * TEXT / (1.1 * TITLE)));
        for (line, text) in lines.iter().enumerate() {
            svg.text(MARGIN, 50.0 + 15.0 * line as f64, "quiet", text);
        }
        let palette = palette();
        let enlarged = (self.scale() as usize).max(1);
        for unit in 0..shown {
            let range = if self.scale == Scale::Common { common } else { Range::of(self.all_of(unit)) };
            let (x, y) = (MARGIN + (unit % across) as f64 * step_x, TOP + 8.0 + (unit / across) as f64 * step_y);
            let colours: Vec<u8> = self.all_of(unit).map(|weight| range.colour(weight)).collect();
            let image = base64(&encode(&colours, self.image.1, enlarged, &palette)?);
            let place = format!(
                "x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
                Number(x),
                Number(y),
                Number(width),
                Number(height)
            );
            svg.put(format_args!(
                "<image class=\"unit\" {place} preserveAspectRatio=\"none\" href=\"data:image/png;base64,{image}\"/>\n\
                 <rect class=\"frame\" {place}><title>unit {}, largest |w| {}</title></rect>",
                unit + 1,
                figure(range.largest)
            ));
            svg.text(x + width / 2.0, y + height + 11.0, "tiny middle", &count(unit + 1));
        }
        let full = (self.scale == Scale::Common).then_some(common.full);
        legend(&mut svg, bottom + 24.0, full);
        Ok(svg.finish())
    }

    /// How many units are shown.
    fn check(&self) -> Result<usize> {
        let (height, width) = self.image;
        let pixels = height.checked_mul(width).filter(|&pixels| (1..=PIXELS).contains(&pixels)).ok_or_else(|| {
            let range = format!("1 to {} pixels", count(PIXELS));
            Error::Unsupported(format!("a picture of weights needs images of {range}, found {height} x {width}"))
        })?;
        if pixels.checked_mul(self.units) != Some(self.weights.len()) {
            let expected = format!("{height} x {width} pixels x {} units", self.units);
            return Err(Error::shape("weights of a picture", expected, self.weights.len()));
        }
        Ok(self.units.min(UNITS).min(PIXELS / pixels))
    }

    /// A unit's weights, pixel by pixel.
    fn all_of(&self, unit: usize) -> impl Iterator<Item = f64> + Clone {
        self.weights.iter().skip(unit).step_by(self.units.max(1)).map(|&weight| weight.into())
    }

    /// The weights of the first units.
    fn all(&self, units: usize) -> impl Iterator<Item = f64> + Clone {
        self.weights.chunks(self.units.max(1)).flat_map(move |row| &row[..units]).map(|&weight| weight.into())
    }

    /// The side of a weight on the sheet: whole pixels, if that fits.
    fn scale(&self) -> f64 {
        let longest = self.image.0.max(self.image.1) as f64;
        if longest <= SIDE { (SIDE / longest).floor() } else { (LARGEST_SIDE / longest).min(1.0) }
    }

    /// A little picture's width and height on the sheet.
    fn size(&self) -> (f64, f64) {
        // A single row of weights is still a stripe.
        let side = |weights: usize| (weights as f64 * self.scale()).max(6.0);
        (side(self.image.1), side(self.image.0))
    }

    /// The lines below the title.
    fn captions(&self, shown: usize, range: Range) -> [String; 2] {
        let (height, width) = self.image;
        let units = match self.units {
            all if all == shown => svg::counted(all, "unit"),
            all => format!("the first {} of {} units", count(shown), count(all)),
        };
        let scale = match self.scale {
            Scale::Common => "one scale for all",
            Scale::PerUnit => "a scale for each",
        };
        let clipped = if range.full < range.largest { ", colours end at the 99.5th percentile" } else { "" };
        let second = format!("{scale}; largest |w| {}{clipped}", figure(range.largest));
        [format!("{units} of {height} \u{d7} {width} weights"), second]
    }
}

/// The sizes that colours stand for.
#[derive(Clone, Copy, Debug)]
struct Range {
    /// The size of the strongest colour.
    full: f64,
    /// The largest size.
    largest: f64,
}

impl Range {
    fn of(weights: impl Iterator<Item = f64>) -> Self {
        let mut sizes: Vec<f64> = weights.map(f64::abs).filter(|size| size.is_finite()).collect();
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        if sizes.is_empty() {
            return Self { full: 0.0, largest };
        }
        let place = ((sizes.len() - 1) as f64 * TOLD_APART).ceil() as usize;
        let (_, &mut full, _) = sizes.select_nth_unstable_by(place, f64::total_cmp);
        // Almost all weights zero: the others are to be seen.
        Self { full: if full > 0.0 { full } else { largest }, largest }
    }

    /// A weight's place in the palette.
    fn colour(&self, weight: f64) -> u8 {
        if weight.is_nan() {
            return 2 * STEPS + 1;
        }
        let share = if weight == 0.0 { 0.0 } else { (weight / self.full).clamp(-1.0, 1.0) };
        let steps = (share * f64::from(STEPS)).round();
        // From 0, the most negative, through STEPS, white, to 2 STEPS.
        (f64::from(STEPS) + steps) as u8
    }
}

/// From orange through white to blue, and the grey of no number.
fn palette() -> Vec<u8> {
    let mix = |from: f64, to: f64, share: f64| (from + (to - from) * share).round() as u8;
    let colour = |step: i16| {
        let share = f64::from(step.abs()) / f64::from(STEPS);
        let (half, full) = if step < 0 { (HALF_NEGATIVE, NEGATIVE) } else { (HALF_POSITIVE, POSITIVE) };
        [0, 1, 2].map(|channel: usize| match share {
            share if share <= 0.5 => mix(255.0, half[channel], share * 2.0),
            share => mix(half[channel], full[channel], share * 2.0 - 1.0),
        })
    };
    let steps = i16::from(STEPS);
    (-steps..=steps).flat_map(colour).chain(UNDEFINED).collect()
}

/// A PNG of colours by their place in the palette, rows of `width`, each enlarged to a square.
fn encode(colours: &[u8], width: usize, enlarged: usize, palette: &[u8]) -> Result<Vec<u8>> {
    let wide = |row: &[u8]| row.iter().flat_map(|&colour| std::iter::repeat_n(colour, enlarged)).collect::<Vec<u8>>();
    let pixels: Vec<u8> = colours.chunks(width).flat_map(|row| wide(row).repeat(enlarged)).collect();
    let (width, height) = (width * enlarged, colours.len() / width * enlarged);
    let mut file = Cursor::new(Vec::new());
    // Both sides are at most PIXELS.
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette);
    // Differences between places in the palette compress worse than the places.
    encoder.set_filter(png::Filter::NoFilter);
    encoder.set_compression(png::Compression::High);
    let fault = |error: png::EncodingError| Error::Unsupported(format!("a picture of weights: {error}"));
    let mut writer = encoder.write_header().map_err(fault)?;
    writer.write_image_data(&pixels).map_err(fault)?;
    writer.finish().map_err(fault)?;
    Ok(file.into_inner())
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().enumerate().fold(0, |bits, (place, &byte)| bits | u32::from(byte) << (16 - 8 * place));
        for place in 0..4 {
            let sextet = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(sextet) } else { '=' });
        }
    }
    text
}

/// How many pictures stand side by side: about as many as there are rows, at most ten, and few places left empty.
fn across(units: usize) -> usize {
    let square = (1..=UNITS).find(|side| side * side >= units).unwrap_or(UNITS);
    let empty = |across: &usize| (units.div_ceil(*across) * across - units, *across);
    (square..=(2 * square).min(10)).min_by_key(empty).unwrap_or(1).max(1)
}

/// The width of the legend.
const LEGEND: f64 = 360.0;

/// The colours, from the most negative to the most positive.
fn legend(svg: &mut Svg, y: f64, full: Option<f64>) {
    let palette = palette();
    let (left, bar) = (MARGIN + 90.0, 2.0);
    for (place, colour) in palette.chunks(3).take(2 * usize::from(STEPS) + 1).enumerate().step_by(2) {
        let (x, y) = (Number(left + place as f64 / 2.0 * bar), Number(y - 10.0));
        let &[red, green, blue] = colour else { continue };
        // A hair wider than its step, so that no seam shows.
        svg.put(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"2.5\" height=\"12\" fill=\"rgb({red},{green},{blue})\"/>"
        ));
    }
    let right = left + 64.0 * bar;
    let (low, high) = match full {
        Some(full) => (figure(-full), figure(full)),
        None => ("negative".to_string(), "positive".to_string()),
    };
    svg.text(left - 8.0, y, "quiet end", &low);
    svg.text(right + 8.0, y, "quiet", &high);
    svg.text((left + right) / 2.0, y + 15.0, "quiet middle", "0");
}

#[cfg(test)]
mod tests {
    use super::super::svg::tests::{assert_texts_fit, elements, parsed, texts};
    use super::*;

    /// Weights from -1 to 1 without a pattern, so that nothing compresses by luck.
    fn noise(count: usize) -> Vec<f32> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    fn draw(image: (usize, usize), units: usize, scale: Scale) -> String {
        let weights = noise(image.0 * image.1 * units);
        let svg = Weights { title: "weights", image, units, weights: &weights, scale }.svg().unwrap();
        assert_texts_fit(&svg);
        assert!(svg.len() < 2_000_000, "{} bytes", svg.len());
        svg
    }

    /// Height and width, and the colours pixel by pixel.
    type Decoded = ((usize, usize), Vec<[u8; 3]>);

    /// Every unit's picture, decoded from the SVG.
    fn pictures(svg: &str) -> Vec<Decoded> {
        let document = parsed(svg);
        let images = document.descendants().filter(|node| node.attribute("class") == Some("unit"));
        let decode = |node: roxmltree::Node| {
            let data = node.attribute("href").unwrap().strip_prefix("data:image/png;base64,").unwrap();
            let mut decoder = png::Decoder::new(Cursor::new(unbase64(data)));
            decoder.set_transformations(png::Transformations::EXPAND);
            let mut reader = decoder.read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).unwrap();
            let colours = pixels.chunks(3).map(|colour| [colour[0], colour[1], colour[2]]).collect();
            ((info.height as usize, info.width as usize), colours)
        };
        images.map(decode).collect()
    }

    fn unbase64(text: &str) -> Vec<u8> {
        let sextet = |c: char| match c {
            'A'..='Z' => c as u32 - 65,
            'a'..='z' => c as u32 - 71,
            '0'..='9' => c as u32 + 4,
            '+' => 62,
            _ => 63,
        };
        let mut bits = (0u32, 0);
        let mut bytes = Vec::new();
        for c in text.trim_end_matches('=').chars() {
            bits = (bits.0 << 6 | sextet(c), bits.1 + 6);
            if bits.1 >= 8 {
                bits.1 -= 8;
                bytes.push((bits.0 >> bits.1) as u8);
                bits.0 &= (1 << bits.1) - 1;
            }
        }
        bytes
    }

    #[test]
    fn base64_is_the_standard_one() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in cases {
            assert_eq!(base64(plain.as_bytes()), coded);
            assert_eq!(unbase64(coded), plain.as_bytes());
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
    }

    #[test]
    fn each_unit_shows_its_own_weights() {
        // Two units of 2 x 3 weights: the rows are pixels, the columns units.
        let weights = [1.0, -1.0, 0.0, 0.0, 0.5, 2.0, -2.0, 0.25, f64::NAN, 0.0, f64::INFINITY, -0.5];
        let weights = Weights { title: "two", image: (2, 3), units: 2, weights: &weights, scale: Scale::Common };
        let svg = weights.svg().unwrap();
        let found = pictures(&svg);
        assert_eq!(found.len(), 2);
        let strongest = |colour: [f64; 3]| colour.map(|channel| channel as u8);
        let white = [255; 3];
        for ((size, colours), unit) in found.iter().zip(["first", "second"]) {
            assert_eq!(*size, (56, 84), "the {unit} is not enlarged by 28");
            let at = |row: usize, column: usize| colours[(row * 28 + 14) * 84 + column * 28 + 14];
            if unit == "first" {
                assert_eq!((at(0, 1), at(1, 0), at(1, 1)), (white, strongest(NEGATIVE), UNDEFINED));
                assert_eq!(at(1, 2), strongest(POSITIVE), "infinity has the strongest colour");
                assert!(at(0, 0)[2] > at(0, 0)[0], "a positive weight is blue");
            } else {
                assert_eq!((at(0, 1), at(0, 2), at(1, 1)), (white, strongest(POSITIVE), white));
                assert!(at(0, 0)[0] > at(0, 0)[2], "a negative weight is orange");
            }
        }
        let alone = pictures(&Weights { scale: Scale::PerUnit, ..weights }.svg().unwrap());
        assert_eq!(alone.len(), 2);
        assert_eq!(svg, weights.svg().unwrap(), "not the same bytes");
    }

    #[test]
    fn a_hundred_units_fit_into_two_megabytes() {
        let svg = draw((28, 28), 100, Scale::Common);
        assert_eq!((elements(&svg, "unit"), elements(&svg, "frame")), (100, 100));
        let svg = draw((28, 28), 512, Scale::PerUnit);
        assert_eq!(elements(&svg, "unit"), UNITS);
        assert!(texts(&svg).iter().any(|text| text == "the first 100 of 512 units of 28 × 28 weights"));
        assert_eq!(elements(&draw((400, 500), 7, Scale::Common), "unit"), 6);
    }

    #[test]
    fn a_few_large_weights_do_not_pale_the_rest() {
        let mut weights: Vec<f64> = noise(10_000).iter().map(|&weight| f64::from(weight)).collect();
        weights[5] = 1000.0;
        let range = Range::of(weights.iter().copied());
        assert!((0.98..1.0).contains(&range.full) && range.largest == 1000.0, "{range:?}");
        assert_eq!((range.colour(1000.0), range.colour(-1000.0), range.colour(0.0)), (2 * STEPS, 0, STEPS));
        let sparse = Range::of((0..10_000).map(|place| if place == 7 { -3.0 } else { 0.0 }));
        assert_eq!((sparse.full, sparse.colour(-3.0), sparse.colour(-0.0)), (3.0, 0, STEPS));
    }

    #[test]
    fn degenerate_images_are_pictures_too() {
        for (image, units) in [((1, 1), 1), ((1, 784), 3), ((784, 1), 3), ((28, 28), 0), ((100, 3), 2), ((8, 8), 13)] {
            let svg = draw(image, units, Scale::Common);
            assert_eq!(pictures(&svg).len(), units);
        }
        for value in [0.0, f64::NAN, f64::INFINITY, f64::MAX, 5e-324] {
            let svg =
                Weights { title: "<", image: (2, 2), units: 1, weights: &[value; 4], scale: Scale::PerUnit }.svg();
            assert_texts_fit(&svg.unwrap());
        }
        assert_eq!([0, 1, 2, 7, 10, 16, 64, 100].map(across), [1, 1, 2, 4, 5, 4, 8, 10]);
    }

    #[test]
    fn sizes_that_disagree_are_refused() {
        let message = |image, units, weights: &[f64]| {
            Weights { title: "", image, units, weights, scale: Scale::Common }.svg().unwrap_err().to_string()
        };
        let found = message((2, 2), 3, &[0.0; 11]);
        assert_eq!(found, "weights of a picture: expected 2 x 2 pixels x 3 units, found 11");
        let range = "a picture of weights needs images of 1 to 1,200,000 pixels, found";
        assert_eq!(message((0, 5), 3, &[]), format!("{range} 0 x 5"));
        assert_eq!(message((usize::MAX, 2), 3, &[]), format!("{range} {} x 2", usize::MAX));
        assert!(message((1, 1), usize::MAX, &[]).ends_with("found 0"));
    }
}
