//! Source files on their way through a compiler, and programs that answer rows with them.

use deltarule::float::Float;
use deltarule::model::Model;
use deltarule_exchange::source;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A model in both languages.
pub struct Written {
    pub name: String,
    pub c: String,
    pub rust: String,
    pub outputs: usize,
    /// The units in the last place that the file says it may differ by.
    pub units: u32,
}

impl Written {
    pub fn of<T: Float>(model: &Model<T>, name: &str) -> Self {
        let c = source::c(model, name).unwrap_or_else(|e| panic!("{name}: {e}"));
        let rust = source::rust(model, name).unwrap_or_else(|e| panic!("{name}: {e}"));
        let number = |before: &str| -> u32 {
            let rest =
                &c[c.find(before).unwrap_or_else(|| panic!("{name} says nothing of '{before}'")) + before.len()..];
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().expect("a number")
        };
        let upper = name.to_uppercase();
        let outputs = number(&format!("#define {upper}_OUTPUTS ")) as usize;
        let units = number("The self-test allows ");
        Self { name: name.into(), outputs, units, c, rust }
    }
}

/// What a program says of some rows.
pub struct Answers<T> {
    pub self_test: i32,
    pub same_bits: bool,
    pub units: u32,
    /// The status and the outputs of each row.
    pub rows: Vec<(i32, Vec<T>)>,
}

/// A compiled program.
pub struct Program {
    folder: TempDir,
}

impl Program {
    /// What the model of this number says.
    pub fn run<T: Float>(&self, model: usize, written: &Written, rows: &[Vec<T>]) -> Answers<T> {
        let mut bytes = Vec::new();
        rows.iter().flatten().for_each(|value| value.write_le(&mut bytes));
        let mut child = Command::new(self.folder.path().join("program"))
            .arg(model.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let writer = std::thread::spawn(move || stdin.write_all(&bytes).expect("the program reads"));
        let out = child.wait_with_output().expect("the program ends");
        writer.join().expect("written");
        assert!(out.status.success(), "{}: {}", written.name, out.status);
        let whole = |bytes: &[u8]| i32::from_le_bytes(bytes.try_into().expect("4 bytes"));
        let size = 4 + written.outputs * size_of::<T>();
        let row =
            |bytes: &[u8]| (whole(&bytes[..4]), bytes[4..].chunks_exact(size_of::<T>()).map(T::read_le).collect());
        let answered: Vec<_> = out.stdout[8..].chunks_exact(size).map(row).collect();
        assert_eq!((answered.len(), out.stdout.len()), (rows.len(), 8 + rows.len() * size), "{}", written.name);
        let (self_test, same_bits) = (whole(&out.stdout[..4]), whole(&out.stdout[4..8]) == 1);
        Answers { self_test, same_bits, units: written.units, rows: answered }
    }
}

/// Runs a compiler, which may say nothing at all.
pub fn compile(command: &mut Command) {
    let out = command.output().expect("the compiler starts");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && said.is_empty(),
        "{command:?}\n{}",
        said.lines().take(40).collect::<Vec<_>>().join("\n")
    );
}

/// The C compiler, told to be strict.
pub fn cc(folder: &Path, flags: &[&str], files: &[&str]) -> Command {
    let mut command = Command::new("cc");
    let (libraries, flags): (Vec<&str>, Vec<&str>) = flags.iter().partition(|flag| flag.starts_with("-l"));
    command
        .current_dir(folder)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic"])
        .args(flags)
        .args(files)
        .args(libraries);
    command
}

/// The Rust compiler.
pub fn rustc(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.current_dir(folder).args(["--edition", "2021", "-D", "warnings", "-C", "opt-level=1"]);
    command
}

/// A program of all models: each in an object of its own, of which the program knows the declarations alone. Nothing is linked but C's library.
pub fn c_program<T: Float>(models: &[Written], flags: &[&str]) -> Program {
    let folder = TempDir::new().expect("a folder");
    let t = if T::NAME == "f32" { "float" } else { "double" };
    let (mut main, mut cases) = (String::from("#include <stdio.h>\n#include <stdlib.h>\n"), String::new());
    let mut files = vec!["main.c".to_string()];
    for (i, Written { name, c, .. }) in models.iter().enumerate() {
        let upper = name.to_uppercase();
        fs::write(folder.path().join(format!("{name}.c")), c).expect("written");
        writeln!(main, "#define {upper}_HEADER\n#include \"{name}.c\"").unwrap();
        writeln!(
            cases,
            "    if (model == {i}) {{
        {t} in[{upper}_INPUTS], out[{upper}_OUTPUTS] = {{0}};
        int head[2];
        head[0] = {name}_self_test();
        head[1] = {name}_same_bits();
        fwrite(head, sizeof head, 1, stdout);
        while (fread(in, sizeof in, 1, stdin) == 1) {{
            const int status = {name}_predict(in, out);
            fwrite(&status, sizeof status, 1, stdout);
            fwrite(out, sizeof out, 1, stdout);
        }}
    }}"
        )
        .unwrap();
        files.push(format!("{name}.c"));
    }
    write!(main, "int main(int count, char **words) {{\n    const int model = count > 1 ? atoi(words[1]) : -1;\n{cases}    return 0;\n}}\n").unwrap();
    fs::write(folder.path().join("main.c"), main).expect("written");
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    compile(cc(folder.path(), flags, &files).args(["-o", "program"]));
    Program { folder }
}

/// A program of all models, which are a library without the standard one, or, on wish, with its feature `std`.
pub fn rust_program<T: Float>(models: &[Written], std: bool) -> Program {
    let folder = TempDir::new().expect("a folder");
    let (t, size) = (T::NAME, size_of::<T>());
    let (mut library, mut cases) = (
        String::from(
            "#![cfg_attr(not(feature = \"std\"), no_std)]\n#![forbid(unsafe_code)]\n#![allow(non_snake_case)]\n",
        ),
        String::new(),
    );
    for (i, Written { name, rust, .. }) in models.iter().enumerate() {
        fs::write(folder.path().join(format!("{name}.rs")), rust).expect("written");
        writeln!(library, "pub mod {name};").unwrap();
        writeln!(
            cases,
            "    if model == {i} {{
        use models::{name}::*;
        let failed = match self_test() {{ Ok(()) => 0, Err(0) => -1, Err(row) => row as i32 }};
        out.write_all(&failed.to_le_bytes()).unwrap();
        out.write_all(&i32::from(same_bits()).to_le_bytes()).unwrap();
        let mut output = [0.0; OUTPUTS];
        for row in bytes.chunks_exact(INPUTS * {size}) {{
            let mut input = [0.0; INPUTS];
            input.iter_mut().zip(row.chunks_exact({size})).for_each(|(to, from)| *to = {t}::from_le_bytes(from.try_into().unwrap()));
            let status = match predict(&input, &mut output) {{
                Ok(()) => 0,
                Err(Refusal::Unseen(_)) => -1,
                Err(Refusal::Missing(_)) => -2,
                Err(Refusal::OutOfRange) => -3i32,
            }};
            out.write_all(&status.to_le_bytes()).unwrap();
            output.iter().for_each(|value| out.write_all(&value.to_le_bytes()).unwrap());
        }}
    }}"
        )
        .unwrap();
    }
    let main = format!(
        "use std::io::{{Read, Write}};\nfn main() {{
    let model: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).unwrap();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());\n{cases}}}\n"
    );
    fs::write(folder.path().join("models.rs"), library).expect("written");
    fs::write(folder.path().join("main.rs"), main).expect("written");
    let feature: &[&str] = if std { &["--cfg", "feature=\"std\""] } else { &[] };
    compile(rustc(folder.path()).args(["--crate-type", "lib", "models.rs"]).args(feature));
    compile(rustc(folder.path()).args(["--extern", "models=libmodels.rlib", "-o", "program", "main.rs"]));
    Program { folder }
}
