//! The house: who may import whom, where `unsafe` may stand, how long a file may be, and what is not written anywhere.
//!
//! The table is [`HOUSE`]. Every rule is a function from a file's path and text to its faults, so that each is also tried
//! on small texts that break it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rows, the lowest first. A module may import every row below its own and, inside its row, the tiers to the right of
/// its own; modules of one tier do not know each other.
const HOUSE: [(&str, &[&[&str]]); 6] = [
    ("ground", &[&["rng", "threads", "file", "memory", "dual", "complex"], &["scalar", "error"]]),
    ("engines", &[&["float"], &["gemm"], &["engine"], &["gemm::blas"], &["kernel"], &["simd"]]),
    ("mathematics", &[&["init", "loss", "schedule"], &["activation"]]),
    (
        "network",
        &[
            &["network::predictor"],
            &["network"],
            &["network::pass", "network::generic"],
            &["network::workspace", "network::objective"],
            &[
                "network::fold",
                "network::keep",
                "network::max_norm",
                "network::noise",
                "network::norms",
                "network::plan",
                "network::shapes",
                "network::tiny",
            ],
            &["network::spec"],
        ],
    ),
    ("learning", &[&["optim", "gradcheck", "data", "metrics", "picture", "sealed"]]),
    ("assembly", &[&["model", "verify"], &["train"]]),
];

/// Who does not know whom, though the rows would allow it: learning is about slices, closures and tables.
const STRANGERS: [(&str, &str); 4] =
    [("optim", "network"), ("gradcheck", "network"), ("data", "network"), ("metrics", "network")];

/// Where `unsafe` may stand.
const UNSAFE: [&str; 8] = [
    "src/simd/x86/mod.rs",
    "src/simd/x86/avx2.rs",
    "src/simd/x86/avx512.rs",
    "src/simd/neon.rs",
    "src/gemm/blas/call.rs",
    "src/gemm/blas/linked.rs",
    "src/gemm/blas/loaded.rs",
    // Pointers of C become slices there, and functions get the names that C knows.
    "capi/src/border.rs",
];

/// The most lines of code of a file, without its tests; blank lines and comments are none.
const LINES: usize = 400;

/// Words that say nothing of what is inside.
const EMPTY_NAMES: [&str; 4] = ["util", "helper", "manager", "common"];

/// A word of Rust, or one other character.
type Token<'a> = &'a str;

/// The text with every comment and what is inside of every literal blotted out; lines stay where they are.
fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut i = 0;
    // Copies line breaks, and `blot` for every other character, up to `end`.
    let blot = |out: &mut String, from: usize, end: usize, blot: char| {
        chars[from..end.min(chars.len())].iter().for_each(|&c| out.push(if c == '\n' { c } else { blot }));
        end
    };
    while i < chars.len() {
        let raw = (at(i) == 'r' || at(i) == 'b' && at(i + 1) == 'r') && !(i > 0 && is_word(chars[i - 1]));
        let mut quote = i + if at(i) == 'b' { 2 } else { 1 };
        while raw && at(quote) == '#' {
            quote += 1;
        }
        let end = if at(i) == '/' && at(i + 1) == '/' {
            let end = (i..chars.len()).find(|&j| chars[j] == '\n').unwrap_or(chars.len());
            i = blot(&mut out, i, end, ' ');
            continue;
        } else if at(i) == '/' && at(i + 1) == '*' {
            let (mut depth, mut j) = (1, i + 2);
            while depth > 0 && j < chars.len() {
                match (at(j), at(j + 1)) {
                    ('/', '*') => (depth, j) = (depth + 1, j + 2),
                    ('*', '/') => (depth, j) = (depth - 1, j + 2),
                    _ => j += 1,
                }
            }
            i = blot(&mut out, i, j, ' ');
            continue;
        } else if raw && at(quote) == '"' {
            let hashes = quote - i - if at(i) == 'b' { 2 } else { 1 };
            let closes = |j: usize| at(j) == '"' && (1..=hashes).all(|k| at(j + k) == '#');
            (quote + 1..chars.len()).find(|&j| closes(j)).unwrap_or(chars.len()) + 1 + hashes
        } else if at(i) == '"' || at(i) == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            let mut j = i + 1;
            while j < chars.len() && at(j) != at(i) {
                j += if at(j) == '\\' { 2 } else { 1 };
            }
            j + 1
        } else {
            out.push(at(i));
            i += 1;
            continue;
        };
        i = blot(&mut out, i, end, '0');
    }
    out
}

fn tokens(code: &str) -> Vec<(usize, Token<'_>)> {
    let mut found = Vec::new();
    let mut rest = code.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut end = start + c.len_utf8();
        while let Some((next, _)) = rest.next_if(|&(_, next)| is_word(c) && is_word(next)) {
            end = next + code[next..].chars().next().map_or(0, char::len_utf8);
        }
        if !c.is_whitespace() {
            found.push((start, &code[start..end]));
        }
    }
    found
}

/// The code without the items under `#[cfg(test)]`; lines stay where they are.
fn without_tests(code: &str) -> String {
    let found = tokens(code);
    let mut kept: Vec<u8> = code.bytes().collect();
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut i = 0;
    while i < found.len() {
        if !found[i..].iter().map(|t| t.1).take(mark.len()).eq(mark) {
            i += 1;
            continue;
        }
        let start = found[i].0;
        i += mark.len();
        let mut depth = 0;
        while let Some(&(_, token)) = found.get(i) {
            depth += i32::from("{[(".contains(token)) - i32::from("}])".contains(token));
            i += 1;
            if depth == 0 && (token == ";" || token == "}") {
                break;
            }
        }
        let end = found.get(i).map_or(code.len(), |t| t.0);
        kept[start..end].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
    }
    String::from_utf8(kept).expect("only whole characters were replaced by as many spaces")
}

/// The module that a file of `src` is, as path segments.
fn module_of(file: &str) -> Vec<String> {
    let name = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if name == "lib" { Vec::new() } else { name.split('/').map(Into::into).collect() }
}

/// Every path that begins with `crate`, `super` or `self` in the code of `module`, from the crate's root.
fn imports(module: &[String], code: &str) -> BTreeSet<Vec<String>> {
    let words: Vec<_> = tokens(code).into_iter().map(|t| t.1).collect();
    let mut paths = BTreeSet::new();
    // The module at hand, and how deep in braces those lie that are written inside the file.
    let (mut inside, mut depth, mut depths) = (module.to_vec(), 0, Vec::new());
    let mut i = 0;
    while i < words.len() {
        let is_path = |i: usize| words.get(i + 1) == Some(&":") && words.get(i + 2) == Some(&":");
        match words[i] {
            "mod" if words.get(i + 2) == Some(&"{") => {
                inside.push(words[i + 1].to_string());
                depths.push(depth);
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if depths.last() == Some(&depth) {
                    depths.pop();
                    inside.pop();
                }
            }
            _ => {}
        }
        let mut base = match words[i] {
            "crate" if is_path(i) => Vec::new(),
            "super" if is_path(i) => inside[..inside.len().saturating_sub(1)].to_vec(),
            "self" if is_path(i) => inside.clone(),
            _ => {
                i += 1;
                continue;
            }
        };
        i += 3;
        while words.get(i) == Some(&"super") && is_path(i) {
            base.pop();
            i += 3;
        }
        use_tree(&words, &mut i, base, &mut paths);
    }
    paths
}

/// Reads `a::b`, or `a::{b, c::d}`, at `i`.
fn use_tree(words: &[Token<'_>], i: &mut usize, mut base: Vec<String>, paths: &mut BTreeSet<Vec<String>>) {
    loop {
        match words.get(*i) {
            Some(&"{") => {
                *i += 1;
                while words.get(*i).is_some_and(|w| *w != "}") {
                    match words[*i] {
                        "," => *i += 1,
                        _ => use_tree(words, i, base.clone(), paths),
                    }
                }
                *i += 1;
                return;
            }
            Some(word) => base.push((*word).to_string()),
            None => {}
        }
        *i += 1;
        if !(words.get(*i) == Some(&":") && words.get(*i + 1) == Some(&":")) {
            break;
        }
        *i += 2;
    }
    if words.get(*i) == Some(&"as") {
        *i += 2;
    }
    paths.insert(base);
}

/// Row, tier and name of the longest entry of the table that `module` lies in.
fn place(module: &[String]) -> Option<(usize, usize, &'static str)> {
    let inside = |name: &str| name.split("::").eq(module.iter().map(String::as_str).take(name.split("::").count()));
    let entries = HOUSE.iter().enumerate().flat_map(|(row, (_, tiers))| {
        tiers.iter().enumerate().flat_map(move |(tier, names)| names.iter().map(move |name| (row, tier, *name)))
    });
    entries.filter(|(_, _, name)| inside(name)).max_by_key(|(_, _, name)| name.len())
}

/// Imports that the table does not allow.
fn misplaced(file: &str, text: &str) -> Vec<String> {
    let module = module_of(file);
    if module.is_empty() {
        return Vec::new();
    }
    let Some((row, tier, name)) = place(&module) else { return vec![format!("{file} has no place in the table")] };
    let allowed = |path: &Vec<String>| match place(path) {
        None => false,
        Some((_, _, other)) if other == name => true,
        Some((_, _, other)) if STRANGERS.iter().any(|&(who, whom)| name == who && other.starts_with(whom)) => false,
        Some((below, _, _)) if below != row => below < row,
        Some((_, right, _)) => right > tier,
    };
    let paths = imports(&module, &without_tests(&code(text)));
    let refused = paths.into_iter().filter(|path| !allowed(path));
    refused.map(|path| format!("{file} may not import {}", path.join("::"))).collect()
}

/// Files of one folder that import each other in a circle.
fn circles(files: &[(String, String)]) -> Vec<String> {
    let modules: Vec<_> = files.iter().map(|(file, text)| (module_of(file), without_tests(&code(text)))).collect();
    let mut edges: BTreeMap<&[String], BTreeSet<&[String]>> = BTreeMap::new();
    for (module, code) in modules.iter().filter(|(module, _)| module.len() > 1) {
        let siblings = modules.iter().filter(|(other, _)| other.len() == module.len() && other != module);
        let imported = imports(module, code);
        let seen = siblings.filter(|(other, _)| imported.iter().any(|path| path.starts_with(other)));
        edges.insert(module, seen.map(|(other, _)| &other[..]).collect());
    }
    // What imports nothing is no part of a circle; without it others import nothing, until only circles are left.
    while let Some(leaf) = edges.iter().find(|(_, to)| to.is_empty()).map(|(from, _)| *from) {
        edges.remove(leaf);
        edges.values_mut().for_each(|to| _ = to.remove(leaf));
    }
    edges.keys().map(|module| format!("{} is part of a circle of imports, or imports one", module.join("::"))).collect()
}

/// `unsafe` outside the files that may hold it.
fn unsafe_blocks(file: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let found = !UNSAFE.contains(&file) && tokens(&code).iter().any(|t| t.1 == "unsafe");
    if found { vec![format!("{file} holds unsafe code")] } else { Vec::new() }
}

/// Too many lines.
fn too_long(file: &str, text: &str) -> Vec<String> {
    let lines = without_tests(&code(text)).lines().filter(|line| !line.trim().is_empty()).count();
    if lines > LINES { vec![format!("{file} has {lines} lines of code, at most {LINES}")] } else { Vec::new() }
}

/// Names that say nothing: of the file, and of what it declares.
fn empty_names(file: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let words: Vec<_> = tokens(&code).into_iter().map(|t| t.1).collect();
    let declared =
        words.windows(2).filter(|w| ["mod", "struct", "enum", "trait", "fn", "type", "macro_rules"].contains(&w[0]));
    let stem = Path::new(file).file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    let names = std::iter::once(stem).chain(declared.map(|w| w[1]));
    let empty = |name: &&str| {
        let mut parts = vec![String::new()];
        for c in name.chars() {
            if c == '_' || c.is_uppercase() {
                parts.push(String::new());
            }
            parts.last_mut().expect("never empty").extend(c.to_lowercase().filter(|c| *c != '_'));
        }
        parts.iter().any(|part| EMPTY_NAMES.iter().any(|e| part == e || part.strip_suffix('s') == Some(e)))
    };
    names.filter(empty).map(|name| format!("{file}: the name {name} says nothing")).collect()
}

/// A lint silenced without a reason in the attribute or behind it.
fn silenced(file: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let found = tokens(&code);
    let mut faults = Vec::new();
    for (i, window) in found.windows(2).enumerate() {
        let opens = i > 0 && found[i - 1].1 == "[" && window[1].1 == "(";
        if !(opens && ["allow", "expect"].contains(&window[0].1)) {
            continue;
        }
        let (mut depth, mut j, mut reason) = (0, i + 1, false);
        while let Some(&(_, token)) = found.get(j) {
            depth += i32::from("([".contains(token)) - i32::from(")]".contains(token));
            reason |= token == "reason";
            j += 1;
            if depth < 0 {
                break;
            }
        }
        let end = found.get(j - 1).map_or(text.len(), |t| t.0 + 1);
        // Comments are blotted with as many spaces only where they are ASCII, so lines are counted instead.
        let line = code[..end].matches('\n').count();
        let behind = text.lines().nth(line).and_then(|line| line.split_once(']')).map_or("", |(_, behind)| behind);
        if !reason && !behind.trim_start().starts_with("//") {
            faults.push(format!("{file}:{}: a lint is silenced without a reason beside it", line + 1));
        }
    }
    faults
}

/// A file that does not begin by saying what it is.
fn headless(file: &str, text: &str) -> Vec<String> {
    if text.starts_with("//! ") { Vec::new() } else { vec![format!("{file} does not begin with //!")] }
}

/// Places that exist on one machine only, and hosts of package registries: nothing of the project depends on them.
fn elsewhere(file: &str, text: &str) -> Vec<String> {
    let folders = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
    let hosts = [concat!("crates", ".io"), concat!("pypi", ".org"), concat!("python", "hosted"), concat!("npmjs", ".")];
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let absolute = folders.iter().filter(|folder| {
            // Part of a longer path it may be, such as that of a web page.
            line.match_indices(**folder).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '.'))
        });
        for found in absolute.chain(hosts.iter().filter(|host| line.contains(**host))) {
            faults.push(format!("{file}:{}: mentions {found}", number + 1));
        }
    }
    faults
}

type Rule = fn(&str, &str) -> Vec<String>;

/// All files below a folder of the project, as paths from its root, but what is built or belongs to git.
fn files_below(folder: &str, found: &mut Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut entries: Vec<PathBuf> = fs::read_dir(root.join(folder)).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_str().unwrap();
        let relative = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
        match path.is_dir() {
            true if ["target", ".git", ".venv", "artifacts", "__pycache__", "node_modules"].contains(&name) => {}
            true => files_below(&relative, found),
            false => found.push(relative),
        }
    }
}

/// The text files that `wanted` picks, with their text.
fn texts(wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let mut files = Vec::new();
    files_below("", &mut files);
    files.retain(|file| wanted(file));
    let read =
        |file: String| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).ok().map(|bytes| (file, bytes));
    let text = |(file, bytes)| String::from_utf8(bytes).ok().map(|text| (file, text));
    files.into_iter().filter_map(read).filter_map(text).collect()
}

fn require(rules: &[Rule], wanted: impl Fn(&str) -> bool, at_least: usize) {
    let texts = texts(wanted);
    assert!(texts.len() >= at_least, "found {} files, expected at least {at_least}", texts.len());
    let faults: Vec<_> = texts.iter().flat_map(|(f, t)| rules.iter().flat_map(move |rule| rule(f, t))).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn is_library(file: &str) -> bool {
    file.starts_with("src/") && file.ends_with(".rs")
}

#[test]
fn the_library_keeps_its_walls() {
    require(&[misplaced], is_library, 60);
    let faults = circles(&texts(is_library));
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_table_names_no_module_that_is_not_there() {
    let modules: Vec<_> = texts(is_library).iter().map(|(file, _)| module_of(file).join("::")).collect();
    for name in HOUSE.iter().flat_map(|(_, tiers)| tiers.iter().copied().flatten()) {
        assert!(modules.iter().any(|module| module == name), "{name}");
    }
}

#[test]
fn library_and_shells_keep_the_rules_of_a_file() {
    let folders = ["cli/src/", "exchange/src/", "capi/src/", "python/src/"];
    let others = |file: &str| folders.iter().any(|folder| file.starts_with(folder)) && file.ends_with(".rs");
    let shipped = |file: &str| is_library(file) || others(file);
    require(&[unsafe_blocks, too_long, empty_names, silenced, headless], shipped, 80);
}

#[test]
fn tests_benchmarks_and_fuzz_targets_say_what_they_are_and_silence_nothing() {
    let others = |file: &str| {
        ["tests/", "benches/", "examples/", "capi/tests/", "exchange/tests/", "fuzz/"]
            .iter()
            .any(|f| file.starts_with(f))
    };
    require(&[silenced, headless, empty_names], |file| others(file) && file.ends_with(".rs"), 12);
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    // A lock file names the registry's index by its nature.
    require(&[elsewhere], |file| !file.ends_with(".lock") && file != ".git", 100);
}

/// Each rule, a text that keeps it, and texts that break it.
const SPECIMENS: [(Rule, &str, &str, &[&str]); 7] = [
    (
        misplaced,
        "src/optim/adam.rs",
        "use super::zeros;\nuse crate::{error::Result, kernel::{update, vector as v}};\n/// [`crate::network`] \n\
         mod inner { use super::super::zeros; }\nfn f() { g(\"crate::network\", 'c', r#\"crate::train\"#) }\n#[cfg(test)]\nmod tests { use crate::network::Spec; }",
        &[
            "use crate::network::Spec;",
            "use crate::network::pass;",
            "use crate::{error::Result, gemm::{Mat, blas as b}, data::Table};",
            "fn f() -> crate::metrics::Metrics { todo() }",
            "use super::super::train::Trainer;",
            "mod inner { use super::super::super::train::Trainer; }",
            "#[cfg(test)]\nmod tests { use crate::network::Spec; }\nuse crate::model::Model;",
            "use crate::Error;",
        ],
    ),
    (
        unsafe_blocks,
        "src/file.rs",
        "// unsafe\nfn f() -> &str { \"unsafe\" }",
        &["fn f() { unsafe { g() } }", "unsafe fn f() {}"],
    ),
    (too_long, "src/file.rs", "fn f() {}\n// comment\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n", &[]),
    (
        empty_names,
        "src/file.rs",
        "fn utility() {} struct Commonness; // helper",
        &["mod util;", "struct PoolManager;", "fn load_helpers() {}", "trait Common {}"],
    ),
    (
        silenced,
        "src/file.rs",
        "#[allow(dead_code, reason = \"kept for é\")]\nfn f() {}\n#[expect(unused)] // For later.\nfn g() {}\nfn h() { x.expect(\"allow(\") }",
        &[
            "#[allow(dead_code)]\nfn f() {}",
            "// é\n#![expect(unused)]\n// Because.\nfn g() {}",
            "#[expect(\n    unused\n)]\nfn f() {}",
        ],
    ),
    (
        headless,
        "src/file.rs",
        "//! What this is.\n",
        &["use std::fmt;\n", "// What this is.\n", "\n//! What this is.\n"],
    ),
    (
        elsewhere,
        "README.md",
        "https://example.org/home/page /usr/bin/env",
        &[concat!("see /wo", "rk/notes"), concat!("(/ro", "ot/.cargo)"), concat!("from index.crates", ".io")],
    ),
];

#[test]
fn every_rule_catches_what_breaks_it() {
    for (rule, file, sound, broken) in SPECIMENS {
        assert_eq!(rule(file, sound), [""; 0], "{sound}");
        for text in broken {
            assert_eq!(rule(file, text).len(), 1, "{text}");
        }
    }
    let long = |lines: usize| format!("//! Head.\n{}", "fn f() {}\n\n".repeat(lines));
    assert_eq!((too_long("src/file.rs", &long(LINES)).len(), too_long("src/file.rs", &long(LINES + 1)).len()), (0, 1));
    assert_eq!(empty_names("src/utils.rs", "").len(), 1);
    assert_eq!(misplaced("src/elsewhere.rs", ""), ["src/elsewhere.rs has no place in the table"]);
}

#[test]
fn the_table_decides_by_row_and_inside_a_row_by_tier() {
    let allowed = |file: &str, import: &str| misplaced(file, &format!("use crate::{import}::X;")).is_empty();
    for (file, import) in [
        ("src/gemm/mod.rs", "engine"),
        ("src/network/pass.rs", "network::workspace"),
        ("src/network/mod.rs", "network::pass"),
        ("src/model/format.rs", "train"),
        ("src/verify.rs", "gradcheck"),
        ("src/rng.rs", "scalar"),
    ] {
        assert!(allowed(file, import), "{file} imports {import}");
        // Turned round, it points upwards.
        let back = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
        assert!(!allowed(&format!("src/{}.rs", import.replace("::", "/")), &back), "{import} imports {back}");
    }
    assert!(!allowed("src/model/mod.rs", "verify") && !allowed("src/network/objective.rs", "network::workspace"));
}

#[test]
fn a_circle_of_files_is_found_and_a_chain_is_none() {
    let file = |name: &str, text: &str| (format!("src/data/{name}.rs"), text.to_string());
    let chain = [file("a", "use super::b::B;"), file("b", "use super::c;"), file("c", "use super::Warning;")];
    assert_eq!(circles(&chain), [""; 0]);
    let circle = [file("a", "use super::b::B;"), file("b", "use super::c;"), file("c", "use crate::data::a::A;")];
    assert_eq!(circles(&circle).len(), 3);
}
