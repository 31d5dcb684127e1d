//! Model files that are damaged, forged or of another kind: none is used.
//!
//! Damage is tried byte by byte and bit by bit through the library, as the command calls it; a few files go through the
//! command itself.

use crate::command::certified::certify;
use crate::command::data::{classes, csv, gzip, idx};
use crate::command::{Folder, rejects};
use crate::{IO, MODEL, case};
use deltarule::Error;
use deltarule::model::{Dtype, Model, peek_dtype};
use sha2::{Digest, Sha256};
use std::path::Path;

/// What stands in the folder of models.
const NAMES: [&str; 3] = ["f32.st", "f64.st", "certified.st"];

/// A small model of numbers and one of categories, in both precisions, and the first with a certificate.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("t.csv", csv("a,b,y", &classes()));
    let colours: Vec<_> = (0..40).map(|i| format!("{},{}", ["red", "green"][i % 2], i % 5 / 2)).collect();
    folder.write("c.csv", csv("colour,y", &colours));
    folder.must("train t.csv --target y --hidden 2 --epochs 3 --model f32.st");
    folder.must("train c.csv --target y --hidden none --epochs 3 --dtype f64 --model f64.st");
    folder.write("certified.st", folder.read("f32.st"));
    certify(&folder, "certified.st", |_| {});
    folder
}

/// Reads a model as the command does.
fn load(bytes: &[u8]) -> Result<(), Error> {
    let path = Path::new("damaged.st");
    match peek_dtype(bytes, path)? {
        Dtype::F32 => Model::<f32>::from_bytes(bytes, path).map(drop),
        Dtype::F64 => Model::<f64>::from_bytes(bytes, path).map(drop),
    }
}

/// Fails unless the bytes are refused as a model that is none.
fn refused(bytes: &[u8], what: &str) {
    match load(bytes) {
        Err(Error::Model { file, message }) => {
            assert!(file == Path::new("damaged.st") && !message.is_empty(), "{what}: {message}");
        }
        Err(other) => panic!("{what}: refused as {other:?}, expected a fault of the model file"),
        Ok(()) => panic!("{what}: taken for a good model"),
    }
}

#[test]
fn a_model_cut_at_any_length() {
    let folder = folder();
    for name in NAMES {
        let whole = folder.read(name);
        load(&whole).expect("the whole model");
        (0..whole.len()).for_each(|length| refused(&whole[..length], &format!("{name} cut to {length} bytes")));
        for more in [&b"\0"[..], b" ", b"}", &whole] {
            refused(&[&whole, more].concat(), &format!("{name} with {} bytes more", more.len()));
        }
        for length in [1, 7, 8, 9, 100, whole.len() / 2, whole.len() - 1] {
            folder.write("cut.st", &whole[..length]);
            for line in ["predict cut.st t.csv", "evaluate cut.st t.csv", "inspect cut.st", "gradcheck cut.st t.csv"] {
                rejects(&folder, case(line, MODEL, &["cut.st: not a usable model: "]));
            }
        }
    }
}

#[test]
fn a_model_with_any_byte_or_bit_flipped() {
    let folder = folder();
    for name in NAMES {
        let mut bytes = folder.read(name);
        for at in 0..bytes.len() {
            for mask in [0xff, 1, 2, 4, 8, 16, 32, 64, 128] {
                bytes[at] ^= mask;
                refused(&bytes, &format!("{name}, byte {at} xor {mask:#04x}"));
                bytes[at] ^= mask;
            }
        }
        for at in [0, 7, 8, 9, 20, bytes.len() / 2, bytes.len() - 1] {
            bytes[at] ^= 0x10;
            folder.write("flipped.st", &bytes);
            rejects(&folder, case("predict flipped.st t.csv", MODEL, &["flipped.st: not a usable model: "]));
            rejects(&folder, case("inspect flipped.st --json", MODEL, &["flipped.st: not a usable model: "]));
            bytes[at] ^= 0x10;
        }
    }
}

/// The checksum guards against damage, not against intent: whoever edits a model computes it anew.
#[test]
fn a_model_forged_with_its_checksum() {
    let folder = folder();
    let whole = folder.read("f32.st");
    let (header, tensors) = parts(&whole);
    let document = document(&header);
    let same = forge(&document, &header, tensors);
    load(&same).expect("a document forged into itself");
    assert_eq!(same.len(), whole.len());
    for (from, to) in [
        (r#""inputs":2"#, r#""inputs":3"#),
        (r#""inputs":2"#, r#""inputs":1e999"#),
        (r#""inputs":2"#, r#""inputs":18446744073709551615"#),
        (r#""outputs":2"#, r#""outputs":0"#),
        (r#""outputs":2"#, r#""outputs":9223372036854775807"#),
        (r#""bias":true"#, r#""bias":false"#),
        (r#""activation":"relu""#, r#""activation":"softmax""#),
        (r#""activation":"relu""#, r#""activation":"bogus""#),
        (r#""labels":["p","q"]"#, r#""labels":["p","p"]"#),
        (r#""labels":["p","q"]"#, r#""labels":["p"]"#),
        (r#""labels":["p","q"]"#, r#""labels":["p","q","r"]"#),
        (r#""name":"b""#, r#""name":"a""#),
        (r#""position":1"#, r#""position":9"#),
        (r#""scale":"#, r#""scale":-"#),
        (r#""mean":"#, r#""mean":1e400,"x":"#),
        (r#""dtype":"f32""#, r#""dtype":"f64""#),
        (r#""class_counts":["#, r#""class_counts":[1,"#),
        (r#""loss":"#, r#""lost":"#),
        (r#"{"dtype""#, r#"{"extra":1,"dtype""#),
    ] {
        assert!(document.contains(from), "{from} is not in {document}");
        refused(&forge(&document.replacen(from, to, 1), &header, tensors), &format!("{from} -> {to}"));
    }
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for at in (0..tensors.len()).step_by(4) {
            let mut tensors = tensors.to_vec();
            tensors[at..at + 4].copy_from_slice(&bad.to_le_bytes());
            refused(&forge(&document, &header, &tensors), &format!("{bad} at byte {at} of the tensors"));
        }
    }
    folder.write("forged.st", forge(&document.replacen("\"scale\":", "\"scale\":-", 1), &header, tensors));
    rejects(&folder, case("predict forged.st t.csv", MODEL, &["forged.st: ", "column 'a'", "positive scale"]));
    let text = String::from_utf8(header).expect("text").replacen("\\\"format\\\":1", "\\\"format\\\":6", 1);
    folder.write("later.st", file(text.as_bytes(), tensors));
    rejects(&folder, case("predict later.st t.csv", MODEL, &["later.st: ", "format 6", "reads formats 1 to 5"]));
}

/// A file's header, and its tensors.
fn parts(file: &[u8]) -> (Vec<u8>, &[u8]) {
    let length = u64::from_le_bytes(file[..8].try_into().expect("8 bytes")) as usize;
    (file[8..8 + length].to_vec(), &file[8 + length..])
}

/// The description of the model in a header.
fn document(header: &[u8]) -> String {
    let header: serde_json::Value = serde_json::from_slice(header).expect("JSON");
    let envelope = header["__metadata__"]["deltarule"].as_str().expect("the key");
    let start = envelope.find(r#""model":"#).expect("a model") + 8;
    envelope[start..envelope.len() - 1].to_string()
}

/// A file with this description and these tensors, and the checksum that fits them.
fn forge(document: &str, header: &[u8], tensors: &[u8]) -> Vec<u8> {
    let mut header: serde_json::Value = serde_json::from_slice(header).expect("JSON");
    // The sum takes each layer's weights before its biases.
    let mut hash = Sha256::new_with_prefix(document);
    for name in ["0.weight", "0.bias", "1.weight", "1.bias"] {
        let end = |i: usize| header[name]["data_offsets"][i].as_u64().expect("an offset") as usize;
        hash.update(&tensors[end(0)..end(1)]);
    }
    let sum: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let envelope = format!(r#"{{"format":1,"sha256":"{sum}","model":{document}}}"#);
    header["__metadata__"]["deltarule"] = envelope.into();
    file(header.to_string().as_bytes(), tensors)
}

fn file(header: &[u8], tensors: &[u8]) -> Vec<u8> {
    let padded = header.len().next_multiple_of(8);
    let mut file = (padded as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.resize(8 + padded, b' ');
    file.extend(tensors);
    file
}

#[test]
fn a_file_of_another_kind() {
    let folder = folder();
    let foreign = |metadata: &str| {
        file(
            format!("{{{metadata}\"w\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}}}").as_bytes(),
            &[0; 4],
        )
    };
    let table: &[(Vec<u8>, &str)] = &[
        (Vec::new(), "it is empty"),
        (folder.read("t.csv"), "a text file"),
        (b"PK\x03\x04\x14\x00\x00\x00".to_vec(), "a zip archive"),
        (b"\x80\x02}q\x00X\x05\x00".to_vec(), "a Python pickle"),
        (b"\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00}\x94.".to_vec(), "a Python pickle"),
        (gzip(b"something"), "gzipped"),
        (idx(&[2, 2, 2], &[0; 8]), "an IDX file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), "a text or XML file"),
        (b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00".to_vec(), "no safetensors file"),
        (vec![0xff; 64], "no safetensors file"),
        (foreign(""), "no metadata"),
        (foreign("\"__metadata__\":{\"format\":\"pt\"},"), "'deltarule' alone, found \"format\""),
        (foreign("\"__metadata__\":{\"deltarule\":\"{}\"},"), "damaged"),
        (foreign("\"__metadata__\":{\"deltarule\":1},"), "damaged"),
        (foreign("\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"), "stands twice"),
    ];
    for (bytes, says) in table {
        refused(bytes, says);
        folder.write("x.st", bytes);
        rejects(&folder, case("predict x.st t.csv", MODEL, &["x.st: not a usable model: ", says]));
    }
    std::fs::create_dir(folder.path("d")).expect("a folder");
    rejects(&folder, case("predict d t.csv", IO, &["d: ", "regular file"]));
    rejects(&folder, case("inspect d", IO, &["d: ", "regular file"]));
    #[cfg(target_os = "linux")]
    rejects(&folder, case("predict /dev/zero t.csv", IO, &["/dev/zero: ", "regular file"]));
}
