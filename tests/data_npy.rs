//! NPY files: NumPy's own are read to the bit, and what every broken one is told.

use deltarule::data::matrix::Scratch;
use deltarule::data::{Matrix, npy};
use deltarule::error::Error;
use serde_json::Value;

/// A file with this header and these bytes after it.
fn file(header: &str, bytes: &[u8]) -> Vec<u8> {
    [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), bytes].concat()
}

fn read(bytes: &[u8]) -> Result<Matrix, Error> {
    npy::read_from(bytes, "t.npy")
}

fn rows(matrix: &Matrix) -> Vec<Vec<f64>> {
    let mut found = Vec::new();
    let order: Vec<usize> = (0..matrix.rows()).collect();
    let take = |_, row: &[f64]| {
        found.push(row.to_vec());
        Ok(())
    };
    matrix.each_row(&order, &mut Scratch::default(), take).unwrap();
    found
}

fn same(found: &[Vec<f64>], expected: &[Vec<f64>]) -> bool {
    let bits = |rows: &[Vec<f64>]| -> Vec<Vec<u64>> {
        // Which NaN it is does not matter.
        let bits = |value: &f64| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
        rows.iter().map(|row| row.iter().map(bits).collect()).collect()
    };
    bits(found) == bits(expected)
}

/// Made by `scripts/golden-data.py`.
#[test]
fn what_numpy_writes_is_read_to_the_bit() {
    let golden: Value = serde_json::from_str(include_str!("golden/data.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = golden["files"].as_array().unwrap();
    assert_eq!(files.len(), 31);
    for entry in files {
        let name = entry["name"].as_str().unwrap();
        let hex = entry["hex"].as_str().unwrap();
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
        let expected: Vec<Vec<f64>> = entry["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row.as_array().unwrap().iter().map(number).collect())
            .collect();
        let path = folder.path().join("x.npy");
        std::fs::write(&path, &bytes).unwrap();
        let matrix = read(&bytes).unwrap();
        assert!(same(&rows(&matrix), &expected), "{name}");
        assert_eq!(serde_json::json!(matrix.dims()), entry["dims"], "{name}");
        assert_eq!(serde_json::json!(matrix.is_float()), entry["float"], "{name}");
        assert!(same(&rows(&npy::read(&path).unwrap()), &expected), "{name}, from a file");
        match npy::open(&path) {
            Ok(opened) => {
                assert!(opened.is_in_file() && !name.starts_with("Fortran"));
                assert!(same(&rows(&opened), &expected), "{name}, left in its file");
                assert!(same(&rows(&opened.into_memory().unwrap()), &expected), "{name}, loaded");
            }
            Err(error) => {
                assert!(name.starts_with("Fortran") && error.to_string().contains("numpy.ascontiguousarray"), "{error}")
            }
        }
        // In pieces of any length.
        for most in [1, 2, 5, 100] {
            let mut pieces = npy::chunks(&bytes[..], "t.npy").unwrap();
            let mut all = Vec::new();
            while let Some(piece) = pieces.next(most).unwrap() {
                assert_eq!(piece.number(0), all.len() + 1);
                all.extend(rows(&piece));
            }
            assert!(same(&all, &expected), "{name}, {most} rows at a time");
        }
    }
}

const GOOD: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";

#[test]
fn what_a_header_may_look_like() {
    for header in [
        GOOD,
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
        "{ \"shape\" : ( 2 , 3 , ) ,'fortran_order':False,\"descr\":\"<f4\"}      ",
    ] {
        let matrix = read(&file(header, &[0; 24])).unwrap();
        assert_eq!((matrix.rows(), matrix.width(), matrix.dims()), (2, 3, &[2, 3][..]), "{header}");
    }
    let padded = format!("{GOOD}{}", " ".repeat(npy::MAX_HEADER_BYTES - GOOD.len()));
    assert!(read(&file(&padded, &[0; 24])).is_ok());
}

#[test]
fn broken_files_are_refused_each_in_its_words() {
    let with = |from: &str, to: &str| file(&GOOD.replace(from, to), &[0; 24]);
    let (long, good) = (" ".repeat(npy::MAX_HEADER_BYTES), file(GOOD, &[0; 24]));
    let mut version = good.clone();
    version[6] = 4;
    let mut endless = good.clone();
    endless[6] = 2;
    endless[8..12].fill(255);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "not an NPY file: it begins with; expected 93 4e 55 4d 50 59"),
        (b"a,b\n1,2\n".to_vec(), "not an NPY file: it begins with 61 2c 62 0a 31 2c"),
        (b"PK\x03\x04rest of an npz".to_vec(), "not an NPY file: it begins with 50 4b 03 04"),
        (good[..7].to_vec(), "truncated in its version"),
        (version, "expected NPY version 1.0, 2.0 or 3.0, found 4.0"),
        (good[..9].to_vec(), "truncated in the size of its header"),
        (good[..30].to_vec(), "truncated in its header of 60 bytes: found 20"),
        (endless, "expected a header of at most 10000 bytes, found 4294967295"),
        (file(&format!("{GOOD}{long}"), &[0; 24]), "expected a header of at most 10000 bytes, found 10060"),
        (good[..good.len() - 1].to_vec(), "truncated: its header says 2 x 3 of 4 bytes = 24 bytes, found 23"),
        ([&good[..], &[0]].concat(), "bytes left over: its header says 2 x 3 of 4 bytes = 24 bytes, found more"),
        (with("<f4", "|O"), "its header: an array of Python objects ('|O')"),
        (with("<f4", "<U5"), "its header: an array of texts ('<U5')"),
        (with("<f4", "<c8"), "its header: an array of complex numbers ('<c8')"),
        (with("<f4", "<M8[ns]"), "its header: an array of times"),
        (with("<f4", "|V8"), "its header: an array of records ('|V8')"),
        (with("<f4", "<f2"), "its header: an array of floating-point numbers of another width ('<f2')"),
        (with("<f4", "f4"), "its header: an array of unknown type ('f4')"),
        (with("<f4", "|f4"), "its header: an array of numbers without a byte order ('|f4')"),
        (with("<f4", "=f4"), "its header: an array of numbers without a byte order"),
        (with("'<f4'", "[('a', '<f4')]"), "its header: a structured array"),
        (with("(2, 3)", "()"), "its header: expected 1 to 32 dimensions, found 0"),
        (with("(2, 3)", "(0, 3)"), "its header: dimension 1 is zero: there are no data"),
        (with("(2, 3)", "(6)"), "its header: expected a tuple such as (6,), found (6)"),
        (with("(2, 3)", "(2, -3)"), "its header: expected a size, found '-3)"),
        (with("(2, 3)", "(2, 3L)"), "its header: expected ')', found 'L)"),
        (with("(2, 3)", "(99999999999999999999, 3)"), "its header: expected a size"),
        (with("(2, 3)", "(4294967295, 4294967296)"), "its header: 4294967295 x 4294967296 numbers of 4 bytes are more"),
        (with("False", "0"), "its header: expected True or False, found '0,"),
        (with("False", "__import__('os')"), "its header: expected True or False"),
        (with("'shape': (2, 3)", "'shape': (2, 3), 'shape': (6, 1)"), "its header: 'shape' stands twice"),
        (with("'shape': (2, 3), ", ""), "its header: 'shape' is missing"),
        (with("'shape'", "'form'"), "its header: expected descr, fortran_order and shape, found 'form'"),
        (with("}", ""), "its header: expected a string, found its end"),
        (with("}", "} + {}"), "its header: expected its end, found '+ {}"),
        (with("{", "["), "its header: expected '{'"),
        (with("'descr'", "'descr"), "its header: expected ':'"),
        // A header that promises a tebibyte costs no memory before the bytes are there.
        (with("(2, 3)", "(1048576, 262144)"), "truncated: its header says 1048576 x 262144 of 4 bytes"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    for (bytes, expected) in cases {
        let message = read(&bytes).expect_err(expected).to_string();
        assert!(message.starts_with(&format!("t.npy: {expected}")), "expected {expected}, found {message}");
        std::fs::write(&path, &bytes).unwrap();
        for message in [npy::read(&path), npy::open(&path)].map(|found| found.expect_err(expected).to_string()) {
            assert!(message.contains(&format!("x.npy: {expected}")), "expected {expected}, found {message}");
        }
    }
    assert!(matches!(npy::read(&folder.path().join("none")), Err(Error::Io { .. })));
    assert!(npy::read(folder.path()).unwrap_err().to_string().ends_with("a folder, not a file"));
}

/// Cut anywhere or with any bit flipped, a small file is refused or holds as many numbers as it says.
#[test]
fn every_cut_and_every_flip_is_survived() {
    let good = file(GOOD, &[7; 24]);
    for end in 0..good.len() {
        assert!(read(&good[..end]).is_err(), "cut at {end}");
    }
    for bit in 0..8 * good.len() {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(matrix) = read(&flipped) {
            assert_eq!(rows(&matrix).concat().len(), matrix.rows() * matrix.width(), "bit {bit}");
            assert_eq!(matrix.bytes(), 24, "bit {bit}");
        }
    }
}

/// The specimen: a file that became shorter after it was opened is noticed when its rows are asked for.
#[test]
fn a_file_that_shrinks_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    std::fs::write(&path, file(GOOD, &[0; 24])).unwrap();
    let matrix = npy::open(&path).unwrap();
    std::fs::write(&path, file(GOOD, &[0; 12])).unwrap();
    let refusal = matrix.each_row(&[0, 1], &mut Scratch::default(), |_, _| Ok(())).unwrap_err().to_string();
    assert!(refusal.ends_with("x.npy: has become shorter since it was opened"), "{refusal}");
}
