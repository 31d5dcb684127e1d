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

/// What a model says of the rows of `data.csv`.
fn said(folder: &Folder, model: &str) -> String {
    folder.must(&format!("predict {model} data.csv --proba")).text().to_string()
}

#[test]
fn a_model_comes_back_from_onnx_and_says_the_same() {
    let folder = folder();
    folder.must("export model.safetensors model.onnx");
    folder.must("import model.onnx --model again.safetensors");
    assert_eq!(said(&folder, "again.safetensors"), said(&folder, "model.safetensors"));
    let inspected = folder.must("inspect again.safetensors").text().to_string();
    assert!(
        inspected.contains("trained    elsewhere\n             imported from ONNX, written by deltarule"),
        "{inspected}"
    );
    assert!(
        inspected.contains("predicts   class: no, yes") && inspected.contains("a: number, mean 2.9"),
        "{inspected}"
    );
    let before = folder.must("inspect model.safetensors --json").json();
    let again = folder.must("inspect again.safetensors --json").json();
    for key in ["dtype", "network", "parameters_sha256", "target", "loss"] {
        assert_eq!(before[key], again[key], "{key}");
    }
    assert_eq!(before["input"]["table"]["columns"], again["input"]["table"]["columns"]);
    // A file is what it holds, whatever it is called; and it is not replaced unless that was said.
    folder.must("export model.safetensors --onnx model.txt");
    folder.must("import model.txt --model again.safetensors --force");
    refused(&folder, "export model.safetensors model.onnx", 6, "exists already");
    refused(&folder, "import model.onnx --model again.safetensors", 6, "exists already");
    refused(&folder, "import model.onnx --model b --activation relu", 2, "the file says what its activations are");
    refused(
        &folder,
        "import model.onnx --model b --output-activation relu",
        2,
        "the last layer of the file has sigmoid",
    );
    let cut = &folder.read("model.onnx")[..400];
    folder.write("cut.onnx", cut);
    refused(&folder, "import cut.onnx --model b", 4, "cut.onnx: not a usable model: it is damaged");
}

#[test]
fn an_import_gives_names_to_columns_targets_and_classes() {
    let folder = folder();
    // Of a network that ends in weighted sums, of columns without names.
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../exchange/tests/golden/pytorch_gelu.onnx");
    folder.write("net.onnx", std::fs::read(golden).expect("a golden file"));
    let names = "--columns a,b,c,d --target kind --labels cat,dog --output-activation softmax";
    folder.must(&format!("import net.onnx --model net {names}"));
    folder.write("rows.csv", csv("d,kind,a,b,c", &["1,cat,0,0.5,-1", "0,dog,1,2,3"].map(String::from)));
    let said = folder.must("predict net rows.csv --proba").text().to_string();
    assert!(said.starts_with("kind,p(cat),p(dog)\n"), "{said}");
    folder.must("evaluate net rows.csv");
    refused(
        &folder,
        "import net.onnx --model b --labels cat,dog",
        2,
        "--labels: expected outputs that are probabilities",
    );
    refused(
        &folder,
        "import net.onnx --model b --columns a,b",
        2,
        "--columns: expected 4 names, one for each input column, found 2",
    );
    refused(&folder, "import net.onnx --model b --target a", 2, "--target: expected 2 names");
    // Numbers, without any of it: columns by position.
    folder.must("import net.onnx --model numbers");
    folder.write("numbers.csv", "1,2,3,4\n");
    let said = folder.must("predict numbers numbers.csv --header no").text().to_string();
    assert!(said.starts_with("target 1,target 2\n") && said.lines().count() == 2, "{said}");
}

#[test]
fn one_input_is_for_columns_of_numbers() {
    let folder = folder();
    folder.must("export model.safetensors one.onnx --one-input");
    folder.must("import one.onnx --model one --columns a,b");
    assert_eq!(said(&folder, "one"), said(&folder, "model.safetensors"));
    folder.write("texts.csv", csv("t,class", &["x,1", "y,0", "x,1", "y,0", "x,1", "y,0"].map(String::from)));
    folder.must("train texts.csv --target class --test 0 --epochs 1 --batch 2 --model texts");
    refused(
        &folder,
        "export texts out.onnx --one-input",
        2,
        "--one-input: expected columns of numbers, found 't', of texts",
    );
}
