//! IDX files that are cut, mismatched or of another kind.

use crate::command::data::{classes, csv, gzip, idx, images};
use crate::command::{Folder, rejects};
use crate::{DATA, IO, USAGE, case};

fn folder() -> Folder {
    let folder = Folder::new();
    let (pixels, labels) = images(40);
    folder.write("i.gz", gzip(&pixels));
    folder.write("l.gz", gzip(&labels));
    folder.write("i", pixels);
    folder.write("l", labels);
    folder.write("t.csv", csv("a,b,y", &classes()));
    folder
}

#[test]
fn images_to_train_on() {
    let folder = folder();
    let (pixels, labels) = images(40);
    let other_type = |kind: u8| [&[0, 0, kind, 3], &pixels[4..]].concat();
    /// What is wrong, the images' and the labels' bytes, and what is said.
    type Fault<'a> = (&'a str, Vec<u8>, Vec<u8>, &'a [&'a str]);
    let table: &[Fault<'_>] = &[
        (
            "cut",
            pixels[..pixels.len() - 1].into(),
            labels.clone(),
            &["x: truncated", "40 x 4 x 4 = 640 bytes, found 639"],
        ),
        ("cut in the header", pixels[..13].into(), labels.clone(), &["x: truncated in its header"]),
        ("cut in the magic", pixels[..3].into(), labels.clone(), &["x: ", "found 3 bytes"]),
        ("too long", [&pixels[..], &[0]].concat(), labels.clone(), &["x: bytes left over", "640"]),
        ("no data", idx(&[0, 4, 4], &[]), labels.clone(), &["x: dimension 1 is zero"]),
        ("huge", idx(&[u32::MAX; 3], &[1; 99]), labels.clone(), &["x: its header says", "4294967295", "at most"]),
        ("large", idx(&[1 << 11, 1 << 10, 1 << 11], &[1; 99]), labels.clone(), &["x: truncated", "found 99"]),
        ("floats", other_type(13), labels.clone(), &["x: expected unsigned bytes", "0x0d"]),
        ("no type", other_type(7), labels.clone(), &["x: not an IDX file", "00 00 07 03"]),
        ("five dimensions", idx(&[1; 5], &[1]), labels.clone(), &["x: expected 1 to 3 dimensions, found 5"]),
        ("labels for images", labels.clone(), labels.clone(), &["x: not images", "found 1"]),
        ("images for labels", pixels.clone(), pixels.clone(), &["z: not labels", "found 3"]),
        ("too few labels", pixels.clone(), images(39).1, &["z: expected 40 labels", "found 39"]),
        ("cut labels", pixels.clone(), labels[..47].into(), &["z: truncated", "40 = 40 bytes, found 39"]),
        ("one class", pixels.clone(), idx(&[40], &[3; 40]), &["z: all labels are 3"]),
        ("a lone class", pixels.clone(), [&labels[..47], &[9]].concat(), &["x: image 40: class '9'", "alone"]),
        ("no IDX", b"a,b\n1,2\n".to_vec(), labels.clone(), &["x: --labels goes with IDX images"]),
        ("text as labels", pixels.clone(), b"3\n7\n".to_vec(), &["z: not an IDX file"]),
    ];
    for (what, pixels, labels, says) in table {
        for zip in [false, true] {
            let dress = |bytes: &[u8]| if zip { gzip(bytes) } else { bytes.to_vec() };
            folder.write("x", dress(pixels));
            folder.write("z", dress(labels));
            if zip && *what == "no IDX" {
                continue;
            }
            eprintln!("{what}, gzipped: {zip}");
            rejects(&folder, case("train x --labels z --epochs 1 --model m", DATA, says));
        }
    }
}

#[test]
fn broken_compression() {
    let folder = folder();
    let packed = gzip(&images(40).0);
    for length in [2, 3, 9, 10, 11, packed.len() / 2, packed.len() - 8, packed.len() - 1] {
        folder.write("x", &packed[..length]);
        rejects(&folder, case("train x --labels l --model m", DATA, &["x: ", "gzip"]));
    }
    let mut wrong = packed;
    let sum = wrong.len() - 6;
    wrong[sum] ^= 1;
    folder.write("x", wrong);
    rejects(&folder, case("train x --labels l --model m", DATA, &["x: ", "gzip"]));
}

#[test]
fn images_and_the_wrong_flags_or_models() {
    let folder = folder();
    let plain = folder.must("train i --labels l --epochs 20 --model m.st --json").json();
    let zipped = folder.must("train i.gz --labels l.gz --epochs 20 --json").json();
    assert_eq!(plain["parameters_sha256"], zipped["parameters_sha256"], "gzipped or not");
    folder.must("train t.csv --target y --epochs 2 --model t.st");
    folder.write("wide", idx(&[40, 2, 8], &images(40).0[16..]));
    folder.write("other", idx(&[40], &[5; 40]));
    for (line, code, says) in [
        ("train i", DATA, &["i: ", "--labels"][..]),
        ("train i --target 3", USAGE, &["target", "--labels"]),
        ("train i --labels l --target 3", USAGE, &["target", "--labels"]),
        ("train i --labels l --task regress", USAGE, &["task", "classify", "regress"]),
        ("train i --labels absent", IO, &["absent: ", "No such file"]),
        ("train i --labels l --model l --force", USAGE, &["another file than the input"]),
        ("predict m.st t.csv", DATA, &["t.csv: ", "holds a table", "4 x 4"]),
        ("predict t.st i", DATA, &["i: ", "holds images"]),
        ("predict m.st wide", DATA, &["wide: ", "expected images of 4 x 4 pixels, found 2 x 8"]),
        ("evaluate m.st i", DATA, &["i: ", "--labels"]),
        ("evaluate m.st i --labels other", DATA, &["other: label 1 is 5", "3, 7"]),
        ("evaluate t.st t.csv --labels l", DATA, &["t.csv: --labels goes with IDX images"]),
    ] {
        rejects(&folder, case(line, code, says));
    }
    let run = folder.must("evaluate m.st i.gz --labels l --json").json();
    assert_eq!(run["metrics"]["accuracy"], 1.0);
}
