//! An NPY file from its bytes to numbers, at once and in pieces. Any error will do, a panic or a wrong size not.

#![no_main]

use deltarule::data::matrix::Scratch;
use deltarule::data::{Matrix, npy};
use libfuzzer_sys::fuzz_target;

fn bits(matrix: &Matrix) -> Vec<u64> {
    let rows: Vec<usize> = (0..matrix.rows()).collect();
    let mut bits = Vec::new();
    let take = |_, row: &[f64]| {
        bits.extend(row.iter().map(|value| value.to_bits()));
        Ok(())
    };
    matrix.each_row(&rows, &mut Scratch::default(), take).expect("rows in memory");
    bits
}

fuzz_target!(|input: &[u8]| {
    let whole = npy::read_from(input, "fuzz.npy");
    let mut pieces = Vec::new();
    let rows = npy::chunks(input, "fuzz.npy").and_then(|mut chunks| {
        while let Some(piece) = chunks.next(3)? {
            pieces.extend(bits(&piece));
        }
        Ok(chunks.rows())
    });
    assert_eq!(rows.is_ok(), whole.is_ok(), "{rows:?}");
    let Ok(matrix) = whole else { return };
    let found = bits(&matrix);
    assert!(found.len() == matrix.rows() * matrix.width() && !found.is_empty());
    assert_eq!(found, pieces);
});
