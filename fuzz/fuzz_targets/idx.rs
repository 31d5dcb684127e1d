//! An IDX file, raw or gzipped, from its bytes to pixels. Any error will do, a panic or a wrong size not.

#![no_main]

use deltarule::data::idx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(found) = idx::read_from(input, "fuzz.idx") else { return };
    assert_eq!(found.bytes.len(), found.rows() * found.width());
    assert!(!found.bytes.is_empty());
    let rows: Vec<usize> = (0..found.rows()).collect();
    let pixels = found.pixels::<f32>(&rows).expect("memory for four times a small file");
    assert_eq!(pixels.dim(), (found.rows(), found.width()));
    assert!(pixels.iter().all(|value| (0.0..=1.0).contains(value)));
    found.expect_labels(&found).expect("as many as itself");
});
