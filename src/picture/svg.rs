//! What every picture is written with: one style sheet, escaped text, short numbers, and a guess at how wide text is.
//!
//! An SVG file names its fonts and does not hold them, so nobody knows a text's width before it is shown. [`width`]
//! guesses from above (the widest common family, DejaVu Sans): what fits here fits with Arial too.
//!
//! Imports nothing of ours.

use std::fmt::{self, Display, Write};

/// The colours: Okabe and Ito's, told apart with any colour vision, the first two in print without colour too.
pub const COLOURS: [&str; 6] = ["#0072b2", "#e07000", "#009e73", "#cc79a7", "#56b4e9", "#7a6a00"];

/// Of every picture; below the class `deltarule`, so that a page may hold several and keep its own styles.
const STYLE: &str = "\
.deltarule text{font-family:Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif;font-size:12px;fill:#333}
.deltarule .title{font-size:15px;font-weight:bold;fill:#111}
.deltarule .name{font-weight:bold}
.deltarule .quiet{font-size:11px;fill:#666}
.deltarule .tiny{font-size:9px;fill:#666}
.deltarule .middle{text-anchor:middle}
.deltarule .end{text-anchor:end}
.deltarule .halo{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}
.deltarule .axis{stroke:#888;fill:none}
.deltarule .grid{stroke:#e8e8e8;fill:none}
.deltarule .curve{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.deltarule .lowest{fill:#fff;stroke-width:1.8}
.deltarule .positive{stroke:#0072b2}
.deltarule .negative{stroke:#e07000}
.deltarule .undefined{stroke:#999;stroke-dasharray:3 3}
.deltarule .node{fill:#fff;stroke:#444;stroke-width:1.4}
.deltarule .bias{fill:#eee;stroke:#888}
.deltarule .dot{fill:#666}
.deltarule .unit{image-rendering:optimizeSpeed;image-rendering:pixelated}
.deltarule .frame{fill:none;stroke:#ccc}
";

/// Sizes of text in pixels, as the style sheet has them.
pub const TITLE: f64 = 15.0;
/// Plain text.
pub const TEXT: f64 = 12.0;
/// Text that explains.
pub const QUIET: f64 = 11.0;

/// A picture in the making; drawing later is drawing on top.
#[derive(Debug)]
pub struct Svg {
    text: String,
}

impl Svg {
    /// A white sheet of so many pixels, with the title that screen readers speak.
    pub fn new(width: f64, height: f64, title: &str) -> Self {
        let (width, height) = (Number(width.ceil()), Number(height.ceil()));
        let mut svg = Self { text: String::new() };
        svg.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"deltarule\" role=\"img\" \
             width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n<title>{}</title>\n\
             <style>\n{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>",
            Escaped(&shorten(title, TOLD))
        ));
        svg
    }

    /// One element, or several, already escaped.
    pub fn put(&mut self, element: fmt::Arguments) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{element}");
    }

    /// A line of text on its baseline, escaped; `class` holds its style and, unless it starts at `x`, its anchor.
    pub fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let (x, y) = (Number(x), Number(y));
        self.put(format_args!("<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{}</text>", Escaped(text)));
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        self.put(format_args!(
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"{class}\"/>",
            Number(from.0),
            Number(from.1),
            Number(to.0),
            Number(to.1)
        ));
    }

    /// The whole file.
    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

/// A coordinate with at most two decimals: a hundredth of a pixel, which nobody sees.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub f64);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        debug_assert!(self.0.is_finite(), "a coordinate is {}", self.0);
        // Adding zero turns -0 into 0.
        let hundredths = (self.0 * 100.0).round() + 0.0;
        write!(f, "{}", hundredths / 100.0)
    }
}

/// A figure for people: three significant digits, a true minus sign, and a power of ten where zeros would be counted.
pub fn figure(value: f64) -> String {
    let size = value.abs();
    let text = if value == 0.0 {
        "0".to_string()
    } else if !value.is_finite() {
        format!("{value}")
    } else if (1e-3..1e4).contains(&size) {
        let decimals = (2 - exponent(value)).max(0) as usize;
        let text = format!("{value:.decimals$}");
        if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_string() }
    } else {
        format!("{value:.2e}")
    };
    text.replace('-', "\u{2212}")
}

/// The power of ten of a number's first digit, by its digits: a rounded logarithm is off by one at powers of ten.
pub fn exponent(value: f64) -> i32 {
    let digits = format!("{value:e}");
    digits.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0)
}

/// A count with its thousands marked, `1,000,000`.
pub fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun in the right number, `1 epoch`, `2 epochs`.
pub fn counted(value: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// Text that XML can hold and a reader can see: markup escaped, each letter made [`visible`].
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for c in self.0.chars() {
            match visible(c) {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// White space made a space; what has no shape, turns the writing direction or has no place in XML made U+FFFD.
fn visible(c: char) -> char {
    match c {
        c if c.is_whitespace() => ' ',
        c if c.is_control() => '\u{fffd}',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c => c,
    }
}

/// The longest text a tooltip tells, in pixels of plain text: some sixty letters.
pub const TOLD: f64 = 450.0;

/// A letter's width as a share of its size: from above, for DejaVu Sans.
fn letter(c: char) -> f64 {
    match visible(c) {
        'i' | 'j' | 'l' | 'I' | '|' | '\'' | '.' | ',' | ':' | ';' | ' ' => 0.36,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' | '"' => 0.43,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '\u{2026}' => 1.0,
        'A'..='Z' | '+' | '=' | '<' | '>' | '~' | '&' | '#' | '\u{2212}' | '\u{d7}' => 0.84,
        '\0'..='\u{2ff}' => 0.65,
        // Greek, Cyrillic and their neighbours; from Hangul on (and for pictographs) letters are square and more.
        '\u{300}'..='\u{10ff}' | '\u{1e00}'..='\u{20ff}' => 0.9,
        _ => 1.3,
    }
}

/// How wide a text is at most, in pixels, at this size of its letters; a bold text is a tenth wider.
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().map(letter).sum::<f64>() * size
}

/// The text itself if it fits into `room` pixels of plain text, else its beginning, an ellipsis and its end: names that
/// begin alike often end apart. Looks at no more letters than it keeps.
pub fn shorten(text: &str, room: f64) -> String {
    let mut used = 0.0;
    if text.chars().all(|c| {
        used += letter(c) * TEXT;
        used <= room
    }) {
        return text.to_string();
    }
    let room = (room - letter('\u{2026}') * TEXT).max(0.0);
    let taken = |letters: &mut dyn Iterator<Item = char>, room: f64| {
        let mut used = 0.0;
        letters
            .take_while(|&c| {
                used += letter(c) * TEXT;
                used <= room
            })
            .map(char::len_utf8)
            .sum::<usize>()
    };
    let head = taken(&mut text.chars(), room * 0.6);
    let tail = taken(&mut text[head..].chars().rev(), room * 0.4);
    format!("{}\u{2026}{}", text[..head].trim_end(), text[text.len() - tail..].trim_start())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The elements of a picture that carry this class.
    pub fn elements(svg: &str, class: &str) -> usize {
        let document = parsed(svg);
        let carries =
            |node: &roxmltree::Node| node.attribute("class").is_some_and(|c| c.split(' ').any(|c| c == class));
        document.descendants().filter(carries).count()
    }

    /// All the texts of a picture, tooltips left out.
    pub fn texts(svg: &str) -> Vec<String> {
        let document = parsed(svg);
        let texts = document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
        texts.map(|node| node.descendants().filter(|n| n.is_text()).filter_map(|n| n.text()).collect()).collect()
    }

    /// Well-formed, no script, no link, and nothing but the file's own data; or the test fails.
    pub fn parsed(svg: &str) -> roxmltree::Document<'_> {
        let document = roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("not XML: {error}"));
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            assert!(!["script", "foreignObject", "a"].contains(&node.tag_name().name()));
            for attribute in node.attributes() {
                assert!(!attribute.name().starts_with("on"), "a script in {}", attribute.name());
                let value = attribute.value();
                assert!(attribute.name() != "href" || value.starts_with("data:image/png;base64,"), "a link to {value}");
                let finite = !value.contains("NaN") && !value.contains("inf");
                assert!(attribute.name() == "href" || finite, "{} is {value}", attribute.name());
            }
        }
        document
    }

    /// Text begins and ends on the sheet; nothing is cut off.
    pub fn assert_texts_fit(svg: &str) {
        let document = parsed(svg);
        let number = |node: &roxmltree::Node, name: &str| node.attribute(name).unwrap().parse::<f64>().unwrap();
        let (right, bottom) = (number(&document.root_element(), "width"), number(&document.root_element(), "height"));
        for node in document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text"))) {
            let text: String = node.descendants().filter(|n| n.is_text()).filter_map(|n| n.text()).collect();
            let class = node.attribute("class").unwrap_or_default();
            let size = match class {
                class if class.contains("title") => TITLE * 1.1,
                class if class.contains("quiet") => QUIET,
                _ => TEXT,
            };
            let wide = width(&text, size);
            let (x, y) = (number(&node, "x"), number(&node, "y"));
            let left = match class {
                class if class.contains("middle") => x - wide / 2.0,
                class if class.contains("end") => x - wide,
                _ => x,
            };
            assert!(left >= 0.0 && left + wide <= right, "cut off: '{text}' from {left}, {wide} wide, on {right}");
            assert!(y > 8.0 && y <= bottom - 2.0, "cut off: '{text}' at height {y} of {bottom}");
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        let hostile = "<script>alert('x')</script> & \"quotes\" ]]> \u{0}\u{1b}[31m\u{202e}\u{fffe}\u{ffff}\n\t end";
        let mut svg = Svg::new(900.0, 50.0, hostile);
        svg.text(1.0, 20.0, "name", hostile);
        let svg = svg.finish();
        let seen = &texts(&svg)[0];
        assert!(seen.starts_with("<script>alert('x')</script> & \"quotes\" ]]> \u{fffd}\u{fffd}[31m"), "{seen}");
        assert!(seen.ends_with("\u{fffd}\u{fffd}\u{fffd}   end"), "{seen}");
    }

    #[test]
    #[should_panic(expected = "not XML")]
    fn unescaped_text_is_noticed() {
        let mut svg = Svg::new(10.0, 10.0, "");
        svg.put(format_args!("<text x=\"1\" y=\"1\">a < b</text>"));
        parsed(&svg.finish());
    }

    #[test]
    #[should_panic(expected = "cut off")]
    fn text_beyond_the_sheet_is_noticed() {
        let mut svg = Svg::new(100.0, 50.0, "");
        svg.text(90.0, 20.0, "name", "too wide");
        assert_texts_fit(&svg.finish());
    }

    #[test]
    fn text_is_shortened_in_its_middle() {
        assert_eq!(shorten("sacral slope", 200.0), "sacral slope");
        let short = shorten("degree of spondylolisthesis, left", 120.0);
        assert!(short.starts_with("degree") && short.ends_with("left") && short.contains('\u{2026}'), "{short}");
        for room in [0.0, 5.0, 12.0, 13.0, 50.0] {
            for text in ["é".repeat(1 << 19), "\u{1f600}".repeat(100), "a b".repeat(100)] {
                let short = shorten(&text, room);
                assert!(width(&short, TEXT) <= room.max(TEXT), "{short}");
            }
        }
        assert_eq!(shorten("", 0.0), "");
    }

    #[test]
    fn numbers_are_short() {
        let coordinates = [0.0, -0.0, -0.001, 1.5, 2.0 / 3.0, 100.0, 719.999];
        assert_eq!(coordinates.map(|n| Number(n).to_string()), ["0", "0", "0", "1.5", "0.67", "100", "720"]);
        let figures = [0.0, 1.0, -0.52345, 12.0, 0.001, 123.4, 1000.0, 1234.5, 12345.0, 1e-7, f64::NAN];
        let expected = ["0", "1", "−0.523", "12", "0.001", "123", "1000", "1234", "1.23e4", "1.00e−7", "NaN"];
        assert_eq!(figures.map(figure), expected);
        assert_eq!([0, 999, 1000, 1_000_000].map(count), ["0", "999", "1,000", "1,000,000"]);
        assert_eq!([0, 1, 2].map(|n| counted(n, "epoch")), ["0 epochs", "1 epoch", "2 epochs"]);
    }
}
