//! IDX files: what is read, and what every broken one is told.

use deltarule::data::idx::{self, Idx};
use deltarule::error::Error;
use flate2::{Compression, write::GzEncoder};
use std::io::{Read, Write};

/// A header for the given sizes and the bytes after it.
fn file(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|size| file.extend(size.to_be_bytes()));
    file.extend(bytes);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Idx, Error> {
    idx::read_from(bytes, "t.idx")
}

#[test]
fn images_and_labels_are_read_raw_and_gzipped() {
    let pixels: Vec<u8> = (0..12).map(|at| at * 20).collect();
    let raw = file(&[2, 2, 3], &pixels);
    let (front, back) = raw.split_at(9);
    for bytes in [raw.clone(), gzip(&raw), [gzip(front), gzip(back)].concat()] {
        let images = read(&bytes).unwrap();
        assert_eq!((images.dims.as_slice(), images.rows(), images.width()), (&[2, 2, 3][..], 2, 6));
        assert_eq!(images.row(1), &pixels[6..]);
        let scaled = images.pixels::<f64>(&[1, 0]).unwrap();
        assert_eq!((scaled.dim(), scaled[[0, 0]], scaled[[1, 5]]), ((2, 6), 120.0 / 255.0, 100.0 / 255.0));
    }
    let full = read(&file(&[1, 2], &[0, 255])).unwrap().pixels::<f32>(&[0]).unwrap();
    assert_eq!(full, ndarray::arr2(&[[0.0, 1.0]]));

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let images = idx::images(&path("images", &raw)).unwrap();
    let labels = idx::labels(&path("labels.gz", &gzip(&file(&[3], &[1, 2, 3])))).unwrap();
    let message = |result: Result<Idx, Error>| result.unwrap_err().to_string();
    assert!(
        message(idx::images(&path("labels", &file(&[3], &[1, 2, 3]))))
            .ends_with("not images: expected 2 or 3 dimensions, found 1")
    );
    assert!(message(idx::labels(&path("images", &raw))).ends_with("not labels: expected 1 dimensions, found 3"));
    assert!(message(idx::images(folder.path())).ends_with("a folder, not a file"));
    assert!(matches!(idx::images(&folder.path().join("none")), Err(Error::Io { .. })));
    let mismatch = images.expect_labels(&labels).unwrap_err().to_string();
    assert!(
        mismatch.contains("labels.gz: expected 2 labels for the images of ") && mismatch.ends_with(", found 3"),
        "{mismatch}"
    );
    images.expect_labels(&read(&file(&[2], &[0, 1])).unwrap()).unwrap();
}

#[test]
fn broken_files_are_refused_each_in_its_words() {
    let good = gzip(&file(&[4], &[1, 2, 3, 4]));
    let mut flipped = good.clone();
    let sum = good.len() - 8;
    flipped[sum] ^= 1;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "expected an IDX header of 4 bytes and more, found 0 bytes"),
        (vec![0], "expected an IDX header of 4 bytes and more, found 1 byte"),
        (vec![0, 0, 8], "expected an IDX header of 4 bytes and more, found 3 bytes"),
        (b"a,b\n1,2\n".to_vec(), "not an IDX file: it begins with 61 2c 62 0a"),
        (vec![0, 0, 0x0d, 2], "expected unsigned bytes (IDX type 0x08), found IDX type 0x0d"),
        (vec![0, 0, 8, 0], "expected 1 to 3 dimensions, found 0"),
        (vec![0, 0, 8, 4], "expected 1 to 3 dimensions, found 4"),
        (vec![0, 0, 8, 2, 0, 0, 0, 1, 0], "truncated in its header: expected 2 sizes, the file ends in number 2"),
        (file(&[2, 0, 3], &[]), "dimension 2 is zero: there are no data"),
        (
            file(&[u32::MAX; 3], &[]),
            "its header says 4294967295 x 4294967295 x 4294967295 bytes; expected at most 8589934592",
        ),
        (file(&[1 << 20, 1 << 14], &[]), "its header says 1048576 x 16384 bytes; expected at most 8589934592"),
        (file(&[2, 3], &[0; 5]), "truncated: its header says 2 x 3 = 6 bytes, found 5"),
        // A header that promises all that is allowed costs no memory before the bytes are there.
        (file(&[1 << 20, 1 << 13], &[0; 5]), "truncated: its header says 1048576 x 8192 = 8589934592 bytes, found 5"),
        (file(&[2, 3], &[0; 7]), "bytes left over: its header says 2 x 3 = 6 bytes, found more"),
        (gzip(&file(&[2, 3], &[0; 5])), "truncated: its header says 2 x 3 = 6 bytes, found 5"),
        (gzip(&file(&[2, 3], &[0; 7])), "bytes left over: its header says 2 x 3 = 6 bytes, found more"),
        (gzip(&good), "not an IDX file: it begins with 1f 8b 08 00"),
        (good[..good.len() - 4].to_vec(), "broken gzip compression: "),
        (flipped, "broken gzip compression: "),
        ([good, b"garbage".to_vec()].concat(), "broken gzip compression: "),
        (vec![0x1f, 0x8b], "broken gzip compression: "),
    ];
    for (bytes, expected) in cases {
        let message = read(&bytes).expect_err(expected).to_string();
        assert!(message.starts_with(&format!("t.idx: {expected}")), "expected {expected}, found {message}");
        assert!(
            message.len() == expected.len() + 7 || expected.ends_with(": "),
            "expected {expected}, found {message}"
        );
    }
}

/// A file that says six bytes and unpacks to 256 MiB is given up after the seventh.
#[test]
fn a_bomb_is_defused_by_its_header() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&file(&[2, 3], &[])).unwrap();
    for _ in 0..256 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    struct Counted<'a>(&'a [u8], &'a std::cell::Cell<usize>);
    impl Read for Counted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.read(buffer)?;
            self.1.set(self.1.get() + count);
            Ok(count)
        }
    }
    let taken = std::cell::Cell::new(0);
    let error = idx::read_from(Counted(&bomb, &taken), "t.idx").unwrap_err();
    assert_eq!(error.to_string(), "t.idx: bytes left over: its header says 2 x 3 = 6 bytes, found more");
    // One buffer of the decoder's, of a bomb of more than a megabyte.
    assert!(taken.get() <= 64 << 10 && bomb.len() > 1 << 20, "{} of {} bytes", taken.get(), bomb.len());
}

/// Cut anywhere or with any bit flipped, a small file is refused or differs where it was flipped.
#[test]
fn every_cut_and_every_flip_is_survived() {
    let raw = file(&[2, 2], &[1, 2, 3, 4]);
    for (bytes, is_raw) in [(raw.clone(), true), (gzip(&raw), false)] {
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "cut at {end}");
        }
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match read(&flipped) {
                Ok(found) if is_raw => assert!(bit / 8 >= 12 && found.dims == [2, 2], "bit {bit}: {found:?}"),
                // Bits that say nothing of the content: parts of the gzip header, the padding of its last byte.
                Ok(found) => assert!(found.dims == [2, 2] && found.bytes == [1, 2, 3, 4], "bit {bit}: {found:?}"),
                Err(_) => {}
            }
        }
    }
}
