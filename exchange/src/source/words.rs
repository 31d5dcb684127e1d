//! Numbers, texts and recorded functions in the words of C and of Rust.
//!
//! Texts come from files: of a column's or a class's name nothing may reach the compiler but characters of a literal.

use super::record::{Function, Operation, Place};
use deltarule::float::Float;
use std::fmt::Write;

/// The language of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// C99.
    C,
    /// Rust, of `core` alone.
    Rust,
}

impl Language {
    /// The type's name.
    pub fn type_name<T: Float>(self) -> &'static str {
        match (self, T::NAME) {
            (Self::C, "f32") => "float",
            (Self::C, _) => "double",
            (Self::Rust, name) => name,
        }
    }

    /// A finite number, exactly: hexadecimal in C, the shortest digits that lead back to it in Rust.
    pub fn number<T: Float>(self, value: T) -> String {
        match (self, T::NAME) {
            (Self::Rust, "f32") => format!("{:?}", value.real() as f32),
            (Self::Rust, _) => format!("{:?}", value.real()),
            (Self::C, "f32") => hexadecimal(value.real()) + "f",
            (Self::C, _) => hexadecimal(value.real()),
        }
    }

    /// An `f64`, in the same way.
    pub fn double(self, value: f64) -> String {
        self.number::<f64>(value)
    }

    /// A literal of the bytes of a text. In C also what three letters in a row would mean (trigraphs) is shut out.
    pub fn text(self, text: &str) -> String {
        let mut literal = String::from("\"");
        for c in text.chars() {
            match (self, c) {
                (_, '"' | '\\') => literal.extend(['\\', c]),
                (Self::C, '?') => literal += "\\?",
                (_, ' '..='~') => literal.push(c),
                // Octal, of three digits always, so that a digit behind it is none of its own.
                (Self::C, c) => {
                    c.to_string().bytes().for_each(|byte| write_to(&mut literal, format_args!("\\{byte:03o}")))
                }
                (Self::Rust, c) => write_to(&mut literal, format_args!("\\u{{{:x}}}", u32::from(c))),
            }
        }
        literal + "\""
    }

    /// A text for a comment, on one line and of ASCII alone, without what ends a comment or begins one.
    pub fn remark(self, text: &str) -> String {
        let plain: String = text.chars().flat_map(char::escape_default).collect();
        let plain = plain.replace("\\\"", "\"").replace("\\'", "'");
        let plain = if plain.contains("??") { plain.replace('?', "? ") } else { plain };
        plain.replace("*/", "* /").replace("/*", "/ *").trim_end_matches('\\').to_string()
    }

    /// A recorded function. In C its name, and those of the functions it calls, begin with `prefix`.
    pub fn function<T: Float>(self, function: &Function<T>, prefix: &str) -> String {
        let mut out = String::new();
        for (t, rows) in function.tables.iter().enumerate() {
            out += &self.table(&format!("{prefix}{}", table_name(self, function, t)), rows);
        }
        let arguments = &["x", "top"][..function.arguments];
        let (name, t) = (&function.name, self.type_name::<T>());
        match self {
            Self::C => {
                let arguments: Vec<_> = arguments.iter().map(|x| format!("const {t} {x}")).collect();
                write_to(&mut out, format_args!("static {t} {prefix}{name}({}) {{\n", arguments.join(", ")));
            }
            Self::Rust => {
                let arguments: Vec<_> = arguments.iter().map(|x| format!("{x}: {t}")).collect();
                write_to(&mut out, format_args!("fn {name}({}) -> {t} {{\n", arguments.join(", ")));
            }
        }
        let last = function.operations.len() - 1;
        for (place, operation) in function.operations.iter().enumerate() {
            let Some((kind, value)) = self.operation(function, *operation, prefix) else { continue };
            match (self, place == last) {
                (Self::C, true) => write_to(&mut out, format_args!("    return {value};\n")),
                (Self::Rust, true) => write_to(&mut out, format_args!("    {value}\n")),
                (Self::C, false) => {
                    let kind = kind.unwrap_or(t);
                    write_to(&mut out, format_args!("    const {kind} v{place} = {value};\n"));
                }
                (Self::Rust, false) => write_to(&mut out, format_args!("    let v{place} = {value};\n")),
            }
        }
        out + "}\n\n"
    }

    /// What an operation is, and its type in C if that is none of numbers; nothing for what stands where it is used.
    fn operation<T: Float>(
        self,
        function: &Function<T>,
        operation: Operation<T>,
        prefix: &str,
    ) -> Option<(Option<&'static str>, String)> {
        use Operation::*;
        let at = |place: Place| match function.operations[place] {
            Argument(i) => ["x", "top"][i].to_string(),
            Constant(value) if value.is_finite() => self.number(value),
            Constant(value) => self.special(value, prefix),
            _ => format!("v{place}"),
        };
        let either = |condition: String, yes: String, no: String| match self {
            Self::C => format!("{condition} ? {yes} : {no}"),
            Self::Rust => format!("if {condition} {{ {yes} }} else {{ {no} }}"),
        };
        let value = match operation {
            Argument(_) | Constant(_) => return None,
            Add(a, b) => format!("{} + {}", at(a), at(b)),
            Sub(a, b) => format!("{} - {}", at(a), at(b)),
            Mul(a, b) => format!("{} * {}", at(a), at(b)),
            Div(a, b) => format!("{} / {}", at(a), at(b)),
            MulAdd(a, b, c) => format!("{prefix}fma({}, {}, {})", at(a), at(b), at(c)),
            Neg(a) => format!("-{}", at(a)),
            Abs(a) => format!("{prefix}magnitude({})", at(a)),
            CopySign(a, b) => format!("{prefix}signed_as({}, {})", at(a), at(b)),
            Min(a, b) => either(format!("{} < {}", at(a), at(b)), at(a), at(b)),
            Max(a, b) => either(format!("{} > {}", at(a), at(b)), at(a), at(b)),
            Less(a, b) => return Some((Some("int"), format!("{} < {}", at(a), at(b)))),
            LessOrEqual(a, b) => return Some((Some("int"), format!("{} <= {}", at(a), at(b)))),
            Select(a, b, c) => either(at(a), at(b), at(c)),
            Index(shift, a) => {
                let index = match self {
                    Self::C => format!("({prefix}bits({}) >> {shift}) % 32u", at(a)),
                    Self::Rust => format!("((bits({}) >> {shift}) % 32) as usize", at(a)),
                };
                return Some((Some("uint32_t"), index));
            }
            Lookup(t, row, column) => format!("{prefix}{}[{}][{column}]", table_name(self, function, t), at(row)),
            PowerOfTwo(a) => format!("{prefix}power_of_two({})", at(a)),
        };
        Some((None, value))
    }

    /// A number that has no digits.
    fn special<T: Float>(self, value: T, prefix: &str) -> String {
        match (T::NAME, self) {
            ("f32", Self::C) => format!("{prefix}of_bits(UINT32_C({:#x}))", (value.real() as f32).to_bits()),
            ("f32", Self::Rust) => format!("of_bits({:#x})", (value.real() as f32).to_bits()),
            (_, Self::C) => format!("{prefix}of_bits(UINT64_C({:#x}))", value.real().to_bits()),
            (_, Self::Rust) => format!("of_bits({:#x})", value.real().to_bits()),
        }
    }

    /// A constant matrix.
    pub fn table<T: Float, R: AsRef<[T]>>(self, name: &str, rows: &[R]) -> String {
        let (t, columns) = (self.type_name::<T>(), rows.first().map_or(0, |row| row.as_ref().len()));
        let (open, close, head) = match self {
            Self::C => ("{", "}", format!("static const {t} {name}[{}][{columns}] = {{\n", rows.len())),
            Self::Rust => ("[", "]", format!("static {name}: [[{t}; {columns}]; {}] = [\n", rows.len())),
        };
        let mut out = head;
        for row in rows {
            write_to(&mut out, format_args!("    {open}{}{close},\n", self.list(row.as_ref(), 8)));
        }
        out + close + ";\n\n"
    }

    /// A constant vector.
    pub fn vector<T: Float>(self, name: &str, numbers: &[T]) -> String {
        let (t, count, list) = (self.type_name::<T>(), numbers.len(), self.list(numbers, 4));
        match self {
            Self::C => format!("static const {t} {name}[{count}] = {{\n    {list}\n}};\n\n"),
            Self::Rust => format!("static {name}: [{t}; {count}] = [\n    {list}\n];\n\n"),
        }
    }

    /// Numbers, some on a line.
    fn list<T: Float>(self, numbers: &[T], indent: usize) -> String {
        let mut out = String::new();
        for (i, &number) in numbers.iter().enumerate() {
            if i > 0 {
                out += if i % 8 == 0 { ",\n" } else { ", " };
                out += if i % 8 == 0 { &"        "[..indent] } else { "" };
            }
            out += &self.number(number);
        }
        out
    }
}

/// The name of a function's table: static items of Rust are in capitals.
fn table_name<T>(language: Language, function: &Function<T>, table: usize) -> String {
    let name =
        if table == 0 { format!("{}_table", function.name) } else { format!("{}_table_{}", function.name, table + 1) };
    if language == Language::Rust { name.to_uppercase() } else { name }
}

/// Appends to a text.
pub fn write_to(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a text takes everything");
}

/// A finite number in C99's hexadecimal digits.
fn hexadecimal(value: f64) -> String {
    let bits = value.to_bits();
    let sign = if bits >> 63 == 1 { "-" } else { "" };
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
    if exponent == 0 && fraction == 0 {
        return format!("{sign}0.0");
    }
    let digits = format!("{fraction:013x}");
    let digits = digits.trim_end_matches('0');
    let (lead, exponent) = if exponent == 0 { (0, -1022) } else { (1, exponent - 1023) };
    let point = if digits.is_empty() { "" } else { "." };
    format!("{sign}0x{lead}{point}{digits}p{exponent:+}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        for (value, text) in
            [(1.0, "0x1p+0"), (-0.5, "-0x1p-1"), (0.1, "0x1.999999999999ap-4"), (5e-324, "0x0.0000000000001p-1022")]
        {
            assert_eq!(Language::C.double(value), text);
        }
        assert_eq!(Language::C.number(0.1f32), "0x1.99999ap-4f");
        assert_eq!((Language::C.number(-0.0f32), Language::Rust.number(-0.0f64)), ("-0.0f".into(), "-0.0".into()));
        assert_eq!(Language::Rust.number(0.1f32), "0.1");
    }

    #[test]
    fn texts_stay_inside_their_quotes() {
        let text = "a\"b\\c\n??/*/ é\x007";
        assert_eq!(Language::C.text(text), r#""a\"b\\c\012\?\?/*/ \303\251\0007""#);
        assert_eq!(Language::Rust.text(text), r#""a\"b\\c\u{a}??/*/ \u{e9}\u{0}7""#);
        let remark = Language::C.remark("x*/ int y; /* ??/ \n \\");
        assert_eq!(remark, "x* / int y; / * ? ? / \\n ");
    }
}
