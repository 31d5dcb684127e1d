//! Rows that are read from a file and encoded allocate when they are first read, and never again. A file of its own, for it
//! replaces the allocator.

mod counting;

use counting::{allocations, alone};
use deltarule::data::features::Options;
use deltarule::data::matrix::Scratch;
use deltarule::data::{idx, npy};
use deltarule::model::Source;
use std::path::Path;

fn write(path: &Path, parts: &[&[u8]]) {
    std::fs::write(path, parts.concat()).unwrap();
}

#[test]
fn the_count_sees_an_allocation() {
    let _alone = alone();
    assert!(allocations(|| drop(std::hint::black_box(vec![1u8; 100]))) > 0);
}

#[test]
fn a_batch_read_from_a_file_allocates_nothing() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let [matrix, targets, images, labels] = ["x", "y", "i", "l"].map(|name| folder.path().join(name));
    let header = |descr: &str, shape: &str| {
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\0", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat()
    };
    let numbers: Vec<u8> = (0..500 * 9).flat_map(|i| (f64::from(i) * 0.37).sin().to_le_bytes()).collect();
    let classes: Vec<u8> = (0..500).map(|i| (i % 3) as u8).collect();
    write(&matrix, &[&header("<f8", "(500, 9)"), &numbers]);
    write(&targets, &[&header("|u1", "(500,)"), &classes]);
    write(&images, &[&[0, 0, 8, 3, 0, 0, 1, 0xf4, 0, 0, 0, 3, 0, 0, 0, 3], &vec![7; 500 * 9]]);
    write(&labels, &[&[0, 0, 8, 1, 0, 0, 1, 0xf4], &classes]);
    let sources = [
        Source::matrix(npy::open(&matrix).unwrap(), Some(npy::read(&targets).unwrap())).unwrap(),
        Source::images(idx::open(&images).unwrap(), Some(idx::labels(&labels).unwrap())).unwrap(),
    ];
    for source in &sources {
        let (input, ..) = source.infer(None, &Options::default()).unwrap();
        let (mut x, mut scratch) = (vec![0_f32; 64 * 9], Scratch::default());
        let scattered: Vec<usize> = (0..64).map(|i| i * 37 % 500).collect();
        let together: Vec<usize> = (100..164).collect();
        input.encode_into(source, &scattered, &mut x, &mut scratch).unwrap();
        let count = allocations(|| {
            input.encode_into(source, &together, &mut x, &mut scratch).unwrap();
            input.encode_into(source, &scattered[..9], &mut x[..81], &mut scratch).unwrap();
        });
        assert_eq!(count, 0, "{}", source.name());
    }
}
