//! Models for other programs and from them: what is written, what is recognised, and what is refused.

mod command;

use command::Folder;
use command::data::csv;

/// A folder with data and a model of it.
fn folder() -> Folder {
    let folder = Folder::new();
    let rows: Vec<_> = (0..60).map(|i| format!("{},{},{}", i % 7, i % 5, ["no", "yes"][i % 2])).collect();
    folder.write("data.csv", csv("a,b,class", &rows));
    folder.must("train data.csv --target class --test 0 --epochs 2 --hidden 3 --model model.safetensors");
    folder
}

/// The command fails with this code and says this.
fn refused(folder: &Folder, words: &str, code: i32, says: &str) {
    let run = folder.command().words(words).run();
    assert_eq!(run.code(), code, "{words}: {}", run.stderr);
    assert!(run.stderr.contains(says), "{words}: {}", run.stderr);
}

#[test]
fn an_export_asks_for_what_it_can_write() {
    let folder = folder();
    refused(&folder, "export model.safetensors", 2, "OUT: expected a file to write");
    refused(&folder, "export model.safetensors out.txt", 2, "ends in .onnx, .c, .rs or .safetensors");
    refused(&folder, "export model.safetensors out.c --one-input", 2, "--one-input: expected an ONNX file");
    refused(&folder, "export model.safetensors model.safetensors", 6, "exists already");
    refused(&folder, "export model.safetensors model.safetensors --force", 2, "another file than the input");
    refused(&folder, "export data.csv out.onnx", 4, "data.csv: not a usable model");
    refused(&folder, "export nothing out.onnx", 6, "nothing:");
}

#[test]
fn an_import_says_what_a_file_is() {
    let folder = folder();
    folder.write("a.zip", "PK\u{3}\u{4}....");
    folder.write("a.txt", "some text");
    for (file, code, says) in [
        ("model.safetensors", 4, "a model of deltarule's already"),
        ("a.zip", 4, "a zip archive"),
        ("a.txt", 4, "none of the kinds"),
        ("none", 6, "none:"),
    ] {
        refused(&folder, &format!("import {file} --model out"), code, says);
    }
    refused(&folder, "import a.txt --model data.csv", 6, "exists already");
    refused(
        &folder,
        "import a.txt --model out --columns a,a",
        2,
        "--columns: expected names, each once, found 'a' twice",
    );
    refused(&folder, "import a.txt --model out --activation foo", 2, "--activation: expected one of identity");
    refused(&folder, "import a.txt", 2, "--model");
}
