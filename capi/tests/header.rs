//! The committed header is what cbindgen makes of the sources: `UPDATE=1 cargo test -p deltarule-capi --test header` writes it anew.
//!
//! cbindgen knows no macros, so the functions of `export!` are written out for it: a pair becomes two functions, and the border's
//! pointers those of C.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The files with exported functions, in the order of the header.
const FILES: [&str; 10] =
    ["info", "status", "threads", "network", "predict", "workspace", "train", "model", "kernels", "gemm"];

/// What stands above the declarations.
const HEAD: &str = "\
/* deltarule.h: trains and runs dense neural networks on a CPU.

   Made from the sources by capi/tests/header.rs; docs/c.md is the page with examples. In short:

   - Functions return a deltarule_status; after any but DELTARULE_STATUS_OK, deltarule_last_error() says in words what was expected of
     which argument and what was found, and nothing was written unless the function says otherwise.
   - Handles are small structs with a number; all zero is none. A handle that was freed, or is of another kind, is an error.
   - Functions that end in _f32 are for networks of single precision, those in _f64 for double.
   - Matrices lie row after row; a stride is the distance between the beginnings of rows in elements. Memory that is written may not be
     shared with anything else that a call is given, from its first element to its last, gaps between rows included.
   - Arrays of length 0 may be null. Texts are UTF-8 and end with a zero.
   - Every function may be called from any thread, also with the same handle at once. No exception or panic leaves the library.

   SPDX-License-Identifier: MIT OR Apache-2.0 */";

/// The end of the item that begins in `text`: after its closing brace.
fn end_of_braces(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    panic!("braces that do not close: {text}");
}

/// The types of the border, as C has them.
fn without_border(text: &str) -> String {
    let mut text = text.replace("In<In<c_char>>", "*const *const c_char");
    for (ours, theirs) in [("In<", "*const "), ("Out<", "*mut ")] {
        while let Some(at) = text.find(ours) {
            let start = at + ours.len();
            let end = start
                + text[start..]
                    .char_indices()
                    .scan(1, |depth, (i, c)| {
                        *depth += i32::from(c == '<') - i32::from(c == '>');
                        Some((i, *depth))
                    })
                    .find(|(_, depth)| *depth == 0)
                    .expect("a closing bracket")
                    .0;
            text = format!("{}{theirs}{}{}", &text[..at], &text[start..end], &text[end + 1..]);
        }
    }
    text.replace("User", "*mut c_void").replace("abi::", "")
}

/// One function without its body, over `real` if it is one of a pair.
fn function(out: &mut String, doc: &str, name: &str, arguments: &str, result: &str, real: Option<&str>) {
    let mut arguments = without_border(arguments);
    if let Some(real) = real {
        let batch = format!("Batch{}", real.to_uppercase());
        arguments = arguments.replace("Rows<T>", &batch);
        let words = arguments.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_');
        let is_real = |word: &str| word.trim_end_matches([',', ' ', '\n']) == "T";
        let replaced: Vec<_> =
            words.map(|word| if is_real(word) { word.replace('T', real) } else { word.into() }).collect();
        arguments = replaced.concat();
    }
    writeln!(out, "{doc}#[unsafe(no_mangle)] pub extern \"C\" fn {name}({arguments}) -> {result} {{ loop {{}} }}")
        .unwrap();
}

/// The functions of one `export!` or `export_plain!`.
fn functions(out: &mut String, block: &str, is_plain: bool) {
    let mut rest = block;
    while let Some(start) = rest.find("    fn ") {
        let doc: String = rest[..start]
            .lines()
            .filter(|line| line.trim().starts_with("///"))
            .fold(String::new(), |doc, line| doc + line.trim() + "\n");
        let head_end = start + rest[start..].find('{').expect("a body");
        let head = rest[start + "    fn ".len()..head_end].trim();
        let (names, signature) = head.split_once('(').expect("arguments");
        let (arguments, result) = signature.rsplit_once(')').expect("arguments");
        let result = result.trim().strip_prefix("->").map_or("Status".into(), |result| without_border(result.trim()));
        // The first argument is the call.
        let arguments =
            if is_plain { arguments } else { arguments.split_once(',').map_or("", |(_, arguments)| arguments) };
        match names.split_once('|') {
            None => function(out, &doc, names.trim(), arguments, &result, None),
            Some((single, double)) => {
                function(out, &doc, single.trim(), arguments, &result, Some("f32"));
                let double = double.split_once('<').expect("a pair is over a type").0.trim();
                function(
                    out,
                    &format!("/// {} in double precision.\n", single.trim()),
                    double,
                    arguments,
                    &result,
                    Some("f64"),
                );
            }
        }
        rest = &rest[head_end..];
        rest = &rest[end_of_braces(rest)..];
    }
}

/// The declarations as Rust that cbindgen can read.
fn plain_rust(sources: &Path) -> String {
    let abi = fs::read_to_string(sources.join("abi.rs")).unwrap();
    let abi = abi.split_once("use std::ffi::c_char;").expect("the imports of abi.rs").1;
    let abi = without_border(abi);
    // A batch of each type.
    let start = abi.find("/// Rows to learn from").expect("the batch");
    let end = start + end_of_braces(&abi[start..]);
    let batch = &abi[start..end];
    let mut out = abi[..start].to_string();
    for real in ["f32", "f64"] {
        out += &batch
            .replace("Batch<T>", &format!("Batch{}", real.to_uppercase()))
            .replace("*const T", &format!("*const {real}"));
        out.push('\n');
    }
    out += &abi[end..];
    for file in FILES.iter().chain(&["gradcheck"]) {
        let text = fs::read_to_string(sources.join(format!("{file}.rs"))).unwrap();
        for (opening, is_plain) in [("\nexport_plain! {", true), ("\nexport! {", false)] {
            for (at, _) in text.match_indices(opening) {
                let block = &text[at + opening.len() - 1..];
                functions(&mut out, &block[1..end_of_braces(block) - 1], is_plain);
            }
        }
    }
    out
}

fn header() -> String {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deltarule_c.rs");
    fs::write(&source, plain_rust(&crate_root.join("src"))).unwrap();
    let mut config = cbindgen::Config::from_file(crate_root.join("cbindgen.toml")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    let [major, minor, patch] = parts[..] else { panic!("{version}") };
    config.header = Some(HEAD.to_string());
    config.after_includes = Some(format!(
        "\n/* The version of this header; deltarule_version() has the library's. */\n#define DELTARULE_VERSION \"{version}\"\n\
         #define DELTARULE_VERSION_MAJOR {major}\n#define DELTARULE_VERSION_MINOR {minor}\n#define DELTARULE_VERSION_PATCH {patch}\n\
         #define DELTARULE_VERSION_NUMBER {}\n\n/* The number of the binary interface: libdeltarule.so.0. */\n\
         #define DELTARULE_ABI_VERSION 0",
        10_000 * major + 100 * minor + patch
    ));
    let mut bytes = Vec::new();
    cbindgen::Builder::new().with_config(config).with_src(&source).generate().expect("a header").write(&mut bytes);
    tidy(&String::from_utf8(bytes).unwrap())
}

/// The same with comments that begin and end where their text does: cbindgen gives both a line of their own.
fn tidy(header: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut comment: Option<usize> = None;
    for line in header.lines() {
        let text = line.trim();
        match comment {
            None if text == "/*" => comment = Some(0),
            None => out.push(line.to_string()),
            Some(_) if text == "*/" => {
                out.last_mut().expect("a text").push_str(" */");
                comment = None;
            }
            Some(count) => {
                let indent = line.len() - line.trim_start().len();
                let indent = " ".repeat(indent.saturating_sub(1) / 4 * 4);
                let opening = if count == 0 { "/* " } else { "   " };
                out.push(if text.is_empty() { String::new() } else { format!("{indent}{opening}{text}") });
                comment = Some(count + 1);
            }
        }
    }
    out.join("\n") + "\n"
}

/// The text without its comments.
fn without_comments(text: &str) -> String {
    let mut pieces = text.split("/*");
    let first = pieces.next().unwrap_or_default().to_string();
    pieces.fold(first, |out, piece| out + piece.split_once("*/").expect("a comment that ends").1)
}

#[test]
fn the_committed_header_is_what_the_sources_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/deltarule.h");
    let made = header();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(committed.lines()).position(|(made, committed)| made != committed);
    assert!(
        made == committed,
        "include/deltarule.h is not what the sources say, first in line {:?}: UPDATE=1 cargo test -p deltarule-capi --test header",
        differs.map(|line| line + 1)
    );
}

#[test]
fn every_member_of_every_struct_has_its_place_in_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = without_comments(&fs::read_to_string(root.join("include/deltarule.h")).unwrap());
    let mut names = Vec::new();
    for block in header.split("typedef struct ").skip(1) {
        let (name, members) = block.split_once('{').expect("a struct with members");
        let name = name.trim();
        names.push(name.to_string());
        let members = members.split_once('}').expect("an end").0;
        let last_word = |member: &str| member.trim_end().rsplit([' ', '*']).next().expect("a name").to_string();
        names.extend(
            members.rsplit_once(';').expect("a member").0.split(';').map(|m| format!("{name}.{}", last_word(m))),
        );
    }
    let listed = fs::read_to_string(root.join("abi/layout.txt")).unwrap();
    let listed: Vec<_> = listed.lines().map(|line| line.split_once(' ').expect("a name and a number").0).collect();
    assert_eq!(names, listed, "tests/layout.c prints abi/layout.txt");
}

#[test]
fn every_exported_function_is_declared_and_in_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = fs::read_to_string(root.join("include/deltarule.h")).unwrap();
    let listed = fs::read_to_string(root.join("abi/symbols.txt")).unwrap();
    let header = without_comments(&header);
    let mut declared: Vec<&str> = header
        .lines()
        .filter(|line| !line.starts_with("typedef"))
        .filter_map(|line| Some(line.split_once('(')?.0.rsplit([' ', '*']).next()?))
        .filter(|name| name.starts_with("deltarule_"))
        .collect();
    declared.sort_unstable();
    assert_eq!(declared, listed.lines().collect::<Vec<_>>());
    assert!(declared.len() > 70, "{}", declared.len());
}
