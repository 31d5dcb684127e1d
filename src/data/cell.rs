//! What one cell of a table says: a number, nothing, or a text. The rules stand here and nowhere else.
//!
//! Imports nothing of ours.

/// Spellings of "no value"; any spelling of NaN is one too.
pub const MISSING: [&str; 7] = ["", "NA", "N/A", "n/a", "null", "NULL", "?"];

/// A cell, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// No value: one of [`MISSING`], or NaN.
    Missing,
    /// A finite number.
    Number(f64),
    /// Written as infinity, or too large for an `f64` (`1e309`).
    Infinite,
    /// Anything else.
    Text,
}

impl Cell {
    /// Reads a cell: digits with an optional sign, decimal point and exponent make a number, spaces around it do not
    /// matter. `1,5`, `1_000`, `0x10` and digits of other scripts are texts.
    pub fn parse(text: &str) -> Self {
        // Most cells of large tables are short integers (pixels): exact below 2^53, and ten times faster than `parse`.
        if (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let value = text.bytes().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
            return Self::Number(value as f64);
        }
        let text = text.trim_ascii();
        match text.parse::<f64>() {
            Ok(value) if value.is_nan() => Self::Missing,
            Ok(value) if value.is_infinite() => Self::Infinite,
            Ok(value) => Self::Number(value),
            Err(_) if MISSING.contains(&text) => Self::Missing,
            Err(_) => Self::Text,
        }
    }

    /// The number, if it is one.
    pub fn number(self) -> Option<f64> {
        if let Self::Number(value) = self { Some(value) } else { None }
    }
}

/// How many characters of a cell a message shows.
const SHOWN: usize = 40;

/// How many names a message lists.
const LISTED: usize = 10;

/// A text from a file as messages show it: without control characters (a terminal would obey them), shortened.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == SHOWN {
            shown.push('…');
            break;
        }
        if character.is_control() { shown.extend(character.escape_default()) } else { shown.push(character) }
    }
    shown
}

/// [`plain`] in quotes.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", plain(text))
}

/// Names for a message, quoted; of many the first ten and the count.
pub(crate) fn list<S: AsRef<str>>(names: &[S]) -> String {
    let mut text = names.iter().take(LISTED).map(|name| quoted(name.as_ref())).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        text += &format!(", … ({} in all)", names.len());
    }
    text
}

/// A count with its noun.
pub(crate) fn count(number: usize, noun: &str) -> String {
    match (number, noun) {
        (1, noun) => format!("1 {noun}"),
        (number, "class") => format!("{number} classes"),
        (number, noun) => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_by_the_rules() {
        for (text, value) in [
            ("0", 0.0),
            ("007", 7.0),
            ("999999999999999", 999_999_999_999_999.0),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("-1.5", -1.5),
            ("+2", 2.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1E-3", 0.001),
            (" 4 ", 4.0),
            ("1e308", 1e308),
            ("1e-320", 1e-320),
            ("1e-400", 0.0),
        ] {
            assert_eq!(Cell::parse(text), Cell::Number(value), "{text:?}");
        }
        for text in ["", " ", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "null", "NULL", "?", " ? "] {
            assert_eq!(Cell::parse(text), Cell::Missing, "{text:?}");
        }
        for text in ["inf", "-inf", "Infinity", "1e309", "-1e400"] {
            assert_eq!(Cell::parse(text), Cell::Infinite, "{text:?}");
        }
        for text in ["0x10", "1_000", "1,5", "١٢", "1 2", "e5", "-", "+-1", "1e", "na", "high", "١", "1\u{a0}"] {
            assert_eq!(Cell::parse(text), Cell::Text, "{text:?}");
        }
    }

    #[test]
    fn messages_show_no_control_characters_and_stay_short() {
        assert_eq!(quoted("a\u{1b}[2Jb\n"), r"'a\u{1b}[2Jb\n'");
        assert_eq!(plain(&"x".repeat(1000)).chars().count(), SHOWN + 1);
        assert_eq!(list(&["a"; 12]), "'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', … (12 in all)");
    }
}
