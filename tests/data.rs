//! Reading data: what a file holds, and what the message says when it cannot be used.
//!
//! Each table pairs a file's bytes with the whole message expected, so that a change of wording is seen.

use deltarule::data::csv::{self, Header};
use deltarule::data::features::{self, Kind};
use deltarule::data::target::{Classes, Number};
use deltarule::data::{Features, Missing, Table, Target, Task, Warning};
use deltarule::error::Error;
use std::path::Path;

fn read_with(bytes: &[u8], delimiter: Option<u8>, header: Header) -> Result<Table, Error> {
    csv::read_from(bytes, "t.csv", &csv::Options { delimiter, header })
}

fn read(bytes: impl AsRef<[u8]>) -> Result<Table, Error> {
    read_with(bytes.as_ref(), None, Header::Auto)
}

fn cells(table: &Table) -> Vec<Vec<&str>> {
    (0..table.rows()).map(|row| table.row(row).collect()).collect()
}

fn all(table: &Table) -> Vec<usize> {
    (0..table.rows()).collect()
}

/// The message of a result that must be an error.
fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.expect_err("this must be refused").to_string()
}

/// The message of reading, inferring, fitting and encoding with column `y` as the target.
fn pipeline(text: &str, options: &features::Options) -> String {
    let run = || -> Result<(), Error> {
        let table = read(text)?;
        let target = table.column("y")?;
        let (mut features, _) = Features::infer(&table, &[target], options)?;
        features.fit(&table, &all(&table), None)?;
        features.encode::<f32>(&table, &all(&table))?;
        let mut target = Target::infer(&table, &[target], None)?;
        target.fit(&table, &all(&table), None)?;
        target.encode::<f32>(&table, &all(&table))?;
        Ok(())
    };
    message(run())
}

#[test]
fn files_that_are_no_tables_are_refused_with_the_place() {
    let long = |length: usize| [b"a,b\n1,".to_vec(), vec![b'x'; length], b"\n".to_vec()].concat();
    let utf16: Vec<u8> = "a,b\n1,2\n3,4\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: Vec<(&[u8], &str)> = vec![
        (b"", "t.csv: no data rows: the file is empty"),
        (b"\n\n \r\n", "t.csv: no data rows: the file is empty"),
        (b"\xef\xbb\xbf", "t.csv: no data rows: the file is empty"),
        (b"a,b\n", "t.csv: no data rows: the file ends after its header line"),
        (b"a,b", "t.csv: no data rows: the file ends after its header line"),
        (b"a,b\n1,2\n3\n", "t.csv:3: expected 2 cells as in line 1, found 1"),
        (b"\na,b\n1,2\n3,4,5\n", "t.csv:4: expected 2 cells as in line 2, found 3"),
        (b"a,b\n1,2,\n", "t.csv:2: expected 2 cells as in line 1, found 3"),
        (b"My measurements\na,b\n1,2\n", "t.csv:2: expected 1 cell as in line 1, found 2"),
        (b"a,b\n1,\"2\n3,4\n5,6\n", "t.csv:2: column 'b': this cell's opening quote is never closed"),
        (b"a,b\n\"x\ny\",1\n\"z,2\n", "t.csv:4: column 'a': this cell's opening quote is never closed"),
        (
            b"a,b\n1,\"2\"x\n",
            "t.csv:2: column 'b': text after the closing quote; a quote inside quotes is written twice",
        ),
        (b"a,b\n1,2\"x\n", "t.csv:2: column 'b': a quote inside a cell that does not begin with one"),
        (b"a,b,a\n1,2,3\n", "t.csv:1: columns 1 and 3 are both called 'a'"),
        (b"a,,c\n1,2,3\n", "t.csv:1: column 2 has no name"),
        (b"a,b\n1,\xff\n", "t.csv:2: column 'b': invalid UTF-8: byte 0xff; expected a file in UTF-8"),
        (b"a,b\n\"x\r\ny\",\"\n\xe9\"\n", "t.csv:4: column 'b': invalid UTF-8: byte 0xe9; expected a file in UTF-8"),
        // Two halves of a character in two cells are none.
        (b"a,b\nx\xc3,\xa9\n", "t.csv:2: column 'a': invalid UTF-8: byte 0xc3; expected a file in UTF-8"),
        (b"a,b\n1,\x002\n", "t.csv:2: column 'b': a NUL byte; is this a binary file?"),
        (b"\x00\x00\x08\x03\x00\x00", "t.csv:1: column '1': a NUL byte; is this a binary file?"),
        (b"\xff\xfea\0,\0b\0", "t.csv: looks like UTF-16; expected UTF-8"),
        (&utf16, "t.csv: looks like UTF-16; expected UTF-8"),
        (b"\x1f\x8b\x08\0\0", "t.csv: is compressed with gzip; expected text"),
        (b"PK\x03\x04....", "t.csv: is a zip archive or a spreadsheet; expected text, so export it as CSV"),
        (b"1 2 3\n4 5 6\n", "t.csv:1: 1 column found; is the separator a space?"),
        (b"1,5;2,5\n3,5;4,5\n", "t.csv: both ',' and ';' cut every line evenly; say which is the separator"),
        (
            b"x,2020\n1,2\n3,4\n",
            "t.csv:1: is this the header line? 'x' stands above numbers like a name, but '2020' is a number; say whether there is a header",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(message(read(bytes)), expected, "{:?}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(
        message(read_with(b"a;b\n1;2\n", Some(b','), Header::Auto)),
        "t.csv:1: 1 column found; is the separator ';'?"
    );
    assert_eq!(
        message(read_with(b"a\tb\n1\t2\n", Some(b';'), Header::Yes)),
        "t.csv:1: 1 column found; is the separator a tab?"
    );
    assert_eq!(
        message(read(long(17 << 20))),
        "t.csv:2: column 'b': a cell of more than 16777216 bytes; is a quote or line break missing?"
    );
    assert!(message(read_with(b"a", Some(b'"'), Header::Auto)).starts_with("delimiter: expected an ASCII character"));
    // A file of one line stays bounded, whatever it is made of.
    assert_eq!(
        message(read(vec![b','; 2 << 20])),
        "t.csv:1: column '1048577': more than 1048576 cells in a row; are the line breaks missing?"
    );
}

#[test]
fn every_dialect_gives_the_same_table() {
    let plain = [["1.5", "x"], ["-2", "y"]];
    for text in [
        "a,b\n1.5,x\n-2,y\n",
        "a,b\n1.5,x\n-2,y",
        "a,b\r\n1.5,x\r\n-2,y\r\n",
        "a,b\r1.5,x\r-2,y\r",
        "a,b\r\n1.5,x\n-2,y\r",
        "\u{feff}a,b\n1.5,x\n-2,y\n",
        "\u{feff}\"a\",\"b\"\n\"1.5\",\"x\"\n\"-2\",\"y\"\n",
        "\n\na,b\n\n1.5,x\n   \n-2,y\n\n",
        "a;b\n1.5;x\n-2;y\n",
        "a\tb\n1.5\tx\n-2\ty\n",
        "a|b\n1.5|x\n-2|y\n",
        " a , b \n 1.5 , x \n -2\t, \"y\" \n",
    ] {
        let table = read(text).unwrap();
        assert_eq!((table.columns(), table.has_header()), (&["a".to_string(), "b".into()][..], true), "{text:?}");
        assert_eq!(cells(&table), plain, "{text:?}");
        assert_eq!(table.has_final_newline(), text.ends_with(['\n', '\r']), "{text:?}");
    }
    let quoted = read("a,b\n\"x, \"\"y\"\"\n\",1\n \"\" , 2\n").unwrap();
    assert_eq!(cells(&quoted), [["x, \"y\"\n", "1"], ["", "2"]]);
    assert_eq!((quoted.line(0), quoted.line(1)), (2, 4), "a line break inside quotes is a line of the file");
}

#[test]
fn lines_are_those_of_the_file() {
    let text = "a,b\r\n\r\n\"1\r\n2\",x\r\n\"\n\r\r\n\",y\r3,z\n\n\"\"\"\n\",w";
    let table = read(text).unwrap();
    let lines: Vec<u64> = (0..table.rows()).map(|row| table.line(row)).collect();
    assert_eq!(lines, [3, 5, 9, 11]);
    // However the bytes arrive.
    struct Trickle<'a>(&'a [u8]);
    impl std::io::Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(1).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    let slowly = csv::read_from(Trickle(text.as_bytes()), "t.csv", &csv::Options::default()).unwrap();
    assert_eq!(cells(&slowly), cells(&table));
    // Beyond the sample that the separator is found in, and over the edges of the pieces read.
    let mut long = String::from("a,b\n");
    for row in 0..200_000 {
        long += &format!("{row},\"r{row}\n\"\r\n");
    }
    let table = read(&long).unwrap();
    assert_eq!((table.rows(), table.line(199_999)), (200_000, 2 + 2 * 199_999));
    assert_eq!(table.row(199_999).collect::<Vec<_>>(), ["199999", "r199999\n"]);
    let semicolons = format!("\u{feff}{}", long.replace(',', ";").replace('"', ""));
    assert_eq!(
        message(read_with(semicolons.as_bytes(), Some(b'|'), Header::Auto)),
        "t.csv:1: 1 column found; is the separator ';'?",
        "the sample's last line is cut, and not counted"
    );
    assert_eq!(message(read(long + "1\n")), "t.csv:400002: expected 2 cells as in line 1, found 1");
}

#[test]
fn headers_are_recognised() {
    for (text, header) in [
        ("a,b\n1,2\n", true),
        ("a,b\nx,y\n", true),
        ("buying,maint\nvhigh,vhigh\nhigh,low\n", true),
        ("vhigh,vhigh\nhigh,low\n", false),
        ("vhigh,low\nhigh,med\nvhigh,x\n", false),
        ("1,2\n3,4\n", false),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", false),
        ("vhigh,2,unacc\nhigh,3,acc\n", false),
        ("label,pixel0\n5,0\n", true),
        ("a,b\n?,1\n2,NA\n", true),
    ] {
        assert_eq!(read(text).unwrap().has_header(), header, "{text:?}");
    }
    let forced = read_with(b"1,2\n3,4\n", None, Header::Yes).unwrap();
    assert_eq!((forced.columns(), forced.rows()), (&["1".to_string(), "2".into()][..], 1));
    let data = read_with(b"a,b\nc,d\n", None, Header::No).unwrap();
    assert_eq!((data.columns(), data.rows()), (&["1".to_string(), "2".into()][..], 2));
    // In a file said to have no header the first line is data: then a name is a number gone wrong.
    let table = read_with(format!("x,y\n{}", "1,0\n2,1\n".repeat(9)).as_bytes(), None, Header::No).unwrap();
    assert_eq!(
        message(Features::infer(&table, &[1], &features::Options::default())),
        "t.csv:1: column '1': not a number: 'x'; 18 of the column's 19 values are numbers, so this is taken for a mistake (unless the column is declared categorical)"
    );
}

#[test]
fn unreadable_files_are_named() {
    let missing = csv::read(Path::new("no/such.csv"), &csv::Options::default());
    assert!(message(missing).starts_with("no/such.csv: "));
    let folder = csv::read(Path::new("src"), &csv::Options::default());
    assert!(matches!(folder, Err(Error::Io { .. })));
    assert_eq!(message(folder), "src: a folder, not a file");
    #[cfg(target_os = "linux")]
    assert_eq!(
        message(csv::read(Path::new("/dev/zero"), &csv::Options::default())),
        "/dev/zero:1: column '1': a NUL byte; is this a binary file?"
    );
}

#[test]
fn columns_that_cannot_be_used_are_refused_with_the_place() {
    let error = features::Options::default();
    let mean = features::Options { missing: Missing::Mean, ..Default::default() };
    let rows = |first: &str, rest: &str, count: usize| format!("x,z,y\n{first}{}", rest.repeat(count));
    let cases: Vec<(String, &features::Options, &str)> = vec![
        (
            rows("", "1,2,a\n1,3,b\n", 5) + "0x10,4,a\n",
            &error,
            "t.csv:12: column 'x': not a number: '0x10'; 10 of the column's 11 values are numbers, so this is taken for a mistake (unless the column is declared categorical)",
        ),
        (
            rows("1,,a\nNA,1,b\nnull,?,a\n", "1,2,a\nNaN,1,b\n", 2),
            &error,
            "t.csv:2: column 'z': 6 cells missing: line 2 'z', line 3 'x', line 4 'x', line 4 'z', line 6 'x', …; choose to fill in the mean or to drop their rows",
        ),
        (
            rows("1,1e309,a\n-inf,1,b\n", "1,2,a\n", 3),
            &mean,
            "t.csv:2: column 'z': 2 cells infinite or too large for a number: line 2 'z', line 3 'x'",
        ),
        (rows("", ",1,a\n,2,b\n", 3), &mean, "t.csv: column 'x': every cell is missing"),
        (
            rows("", "1,2,a\n1,2,b\n", 3) + "1,2,\n1,2,NA\n",
            &error,
            "t.csv:8: column 'y': 2 cells missing in the target: line 8 'y', line 9 'y'; leave out their rows",
        ),
        (
            rows("", "1,2,a\n2,2,a\n", 3),
            &error,
            "t.csv: column 'y': expected at least 2 classes, found 'a' in every row",
        ),
        (
            rows("", "1,2,1.0\n2,2,1\n2,1,x\n1,1,y\n", 9),
            &error,
            "t.csv: column 'y': '1' and '1.0' are one number written in two ways; which class is it?",
        ),
        ("y\n1\n2\n".into(), &error, "t.csv: no input column beside the target 'y'"),
        ("x,z\n1\n".into(), &error, "t.csv:2: expected 2 cells as in line 1, found 1"),
        ("x,z\n1,2\n".into(), &error, "t.csv: no column 'y'; it has 'x', 'z'"),
        (
            (0..100).fold("x,y\n".to_string(), |text, row| text + &format!("id{row},{}\n", row % 2)),
            &error,
            "t.csv: column 'x': looks like an identifier or free text: 100 distinct values in 100 rows (the first is 'id0'); leave the column out, or declare it categorical",
        ),
        (
            (0..100).fold("x,y\n".to_string(), |text, row| text + &format!("{row},id{row}\n")),
            &error,
            "t.csv: column 'y': looks like an identifier or free text: 100 distinct values in 100 rows (the first is 'id0'); leave the column out, or declare it categorical",
        ),
    ];
    for (text, options, expected) in cases {
        assert_eq!(pipeline(&text, options), expected, "{text}");
    }
    let many = (0..10_001).fold("x,y\n".to_string(), |text, row| text + &format!("id{row},{}\n", row % 2));
    let declared = features::Options { categorical: vec!["x".into()], ..Default::default() };
    assert_eq!(pipeline(&many, &declared), "t.csv: column 'x': expected at most 10000 categories, found 10001");
    let nothing = features::Options { ignore: vec!["w".into()], ..Default::default() };
    assert_eq!(pipeline("x,y\n1,2\n", &nothing), "t.csv: no column 'w'; it has 'x', 'y'");
}

#[test]
fn kinds_follow_the_columns() {
    let mut text = String::from("size,colour,id,code,y\n");
    for row in 0..10 {
        text += &format!("{},{},n{row},{},{}\n", row * row, ["red", "green", "blue"][row % 3], row % 2 + 9, row % 2);
    }
    let table = read(&text).unwrap();
    let options = features::Options {
        categorical: vec!["code".into()],
        ignore: vec!["id".into()],
        ..features::Options::default()
    };
    let (mut features, warnings) = Features::infer(&table, &[4], &options).unwrap();
    assert_eq!(warnings, []);
    features.fit(&table, &all(&table), None).unwrap();
    assert_eq!(features.names(), ["size", "colour=blue", "colour=green", "colour=red", "code=9", "code=10"]);
    assert_eq!(features.width(), 6);
    // Squares of 0 to 9: mean 28.5, variance 1533.3 - 28.5^2 = 721.05.
    let encoded = features.encode::<f64>(&table, &[9, 3]).unwrap();
    let expected = [(81.0 - 28.5) / 721.05_f64.sqrt(), 0.0, 0.0, 1.0, 0.0, 1.0];
    for (found, expected) in encoded.row(0).iter().zip(expected) {
        assert!((found - expected).abs() < 1e-14, "{encoded}");
    }
    assert_eq!(encoded.row(1).iter().skip(1).copied().collect::<Vec<_>>(), [0.0, 0.0, 1.0, 0.0, 1.0]);
    // Ten different names in ten rows are identifiers; five categories that stand twice are none.
    assert!(
        message(Features::infer(&table, &[4], &features::Options::default()))
            .contains("column 'id': looks like an identifier")
    );
    let (_, warnings) = Features::infer(
        &read("c,k,y\na,v,1\nb,v,2").unwrap(),
        &[2],
        &features::Options { categorical: vec!["c".into()], ..Default::default() },
    )
    .unwrap();
    assert_eq!(
        warnings.iter().map(Warning::to_string).collect::<Vec<_>>(),
        [
            "column 'k' holds one value only and tells nothing",
            "t.csv:3: the last line has no line break at its end; is the file complete?"
        ]
    );
}

#[test]
fn scaling_is_learnt_from_the_training_rows_alone() {
    let table = read("x,k,y\n1,7,0\n3,7,1\n1000,8,0\n").unwrap();
    let (mut features, _) = Features::infer(&table, &[2], &features::Options::default()).unwrap();
    let warnings = features.fit(&table, &[0, 1], None).unwrap();
    assert_eq!(warnings, [Warning::Constant { columns: vec!["k".into()] }]);
    assert_eq!(features.columns[0].kind, Kind::Number { mean: 2.0, scale: 1.0, fill: None });
    assert_eq!(features.columns[1].kind, Kind::Number { mean: 7.0, scale: 1.0, fill: None });
    let encoded = features.encode::<f32>(&table, &[0, 1, 2]).unwrap();
    assert_eq!(encoded, ndarray::arr2(&[[-1.0, 0.0], [1.0, 0.0], [998.0, 1.0]]));
    assert_eq!(message(features.fit(&table, &[], None)), "t.csv: no rows to train on");
}

#[test]
fn magnitudes_at_both_ends_stay_finite() {
    let table = read("huge,tiny,y\n1e308,1e-308,0\n-1e308,3e-308,1\n1.7e308,2e-308,0\n").unwrap();
    let (mut features, _) = Features::infer(&table, &[2], &features::Options::default()).unwrap();
    features.fit(&table, &all(&table), None).unwrap();
    let encoded = features.encode::<f32>(&table, &all(&table)).unwrap();
    for column in encoded.columns() {
        let (sum, squares) = (column.sum(), column.mapv(|value| value * value).sum());
        assert!(
            sum.abs() < 1e-6 && (squares - 3.0).abs() < 1e-5,
            "standardised: mean 0 and variance 1, found {encoded}"
        );
    }
    // In range for the file, out of range for f32 once divided by a small scale.
    let other = read("huge,tiny,y\n1,1e300,0\n").unwrap();
    assert_eq!(
        message(features.encode::<f32>(&other, &[0])).split(" once").next().unwrap(),
        "t.csv:2: column 'tiny': '1e300' is out of range"
    );
}

#[test]
fn columns_are_matched_by_name() {
    let table = read("a,b,y\n1,u,0\n2,v,1\n3,u,0\n4,v,1\n").unwrap();
    let (mut features, _) = Features::infer(&table, &[2], &features::Options::default()).unwrap();
    features.fit(&table, &all(&table), None).unwrap();
    assert!(!features.is_by_position());
    let expected = features.encode::<f64>(&table, &[1, 2]).unwrap();
    let other = read("z,b,a\n9,v,2\n9,u,3\n").unwrap();
    assert_eq!(features.encode::<f64>(&other, &[0, 1]).unwrap(), expected);
    for (text, expected) in [
        ("a,c,d\n1,2,3\n", "t.csv: 1 column missing: 'b'; the table has 'a', 'c', 'd'"),
        ("c,d\n1,2\n", "t.csv: 2 columns missing: 'a', 'b'; the table has 'c', 'd'"),
        ("1,2\n3,4\n", "t.csv: columns are matched by name: expected a header line, found none"),
        ("a,b\n1,w\n", "t.csv:2: column 'b': 'w' was not seen in training, which knew 'u', 'v'"),
        ("a,b\nx,u\n", "t.csv:2: column 'a': not a number: 'x'"),
        ("a,b\ninf,u\n", "t.csv:2: column 'a': 'inf' is infinite or too large for a number"),
        (
            "a,b\n,u\n1,?\n",
            "t.csv:2: column 'a': 2 cells missing: line 2 'a', line 3 'b'; choose to fill in the mean or to drop their rows",
        ),
    ] {
        let table =
            read_with(text.as_bytes(), None, if text.starts_with('1') { Header::No } else { Header::Yes }).unwrap();
        assert_eq!(message(features.encode::<f32>(&table, &all(&table))), expected, "{text}");
    }
}

#[test]
fn without_a_header_columns_are_matched_by_position() {
    let table = read("0,1,u\n1,2,v\n0,3,u\n1,4,v\n").unwrap();
    let target = table.column("1").unwrap();
    let (mut features, _) = Features::infer(&table, &[target], &features::Options::default()).unwrap();
    features.fit(&table, &all(&table), None).unwrap();
    assert!(features.is_by_position());
    assert_eq!(features.names(), ["2", "3=u", "3=v"]);
    let expected = features.encode::<f64>(&table, &[1]).unwrap();
    for text in ["2,v\n", "7,2,v\n"] {
        let other = read_with(text.as_bytes(), None, Header::No).unwrap();
        assert_eq!(features.encode::<f64>(&other, &[0]).unwrap(), expected, "{text}");
    }
    assert_eq!(
        message(features.encode::<f64>(&read("1,2,3,4\n5,6,7,8\n").unwrap(), &[0])),
        "t.csv: the training file had no header line, so columns are matched by position: expected 3 columns, or 2 without target and ignored ones, found 4"
    );
}

#[test]
fn missing_cells_are_filled_or_dropped_only_when_asked() {
    let table = read("a,b,y\n1,u,0\n?,v,1\n3,,0\n8,v,1\n").unwrap();
    let mut options = features::Options { missing: Missing::Mean, ..Default::default() };
    let (mut features, _) = Features::infer(&table, &[2], &options).unwrap();
    features.fit(&table, &all(&table), None).unwrap();
    let Kind::Number { mean, fill, .. } = features.columns[0].kind else { panic!("a number") };
    assert_eq!((mean, fill), (4.0, Some(4.0)));
    assert!(matches!(&features.columns[1].kind, Kind::Category { fill: Some(fill), .. } if fill == "v"));
    let encoded = features.encode::<f64>(&table, &[1, 2]).unwrap();
    assert_eq!((encoded[[0, 0]], encoded[[1, 1]], encoded[[1, 2]]), (0.0, 0.0, 1.0));
    let nothing = "t.csv: column 'a': every cell is missing in the training rows";
    assert_eq!(message(features.fit(&table, &[1], None)), nothing);
    assert_eq!(message(features.fit(&table, &[0, 1], Some(&[0.0, 1.0]))), nothing, "a row of weight 0 is not there");

    options.missing = Missing::Drop;
    let (mut features, _) = Features::infer(&table, &[2], &options).unwrap();
    let rows = features.complete_rows(&table).unwrap();
    assert_eq!(rows, [0, 3]);
    features.fit(&table, &rows, None).unwrap();
    assert_eq!(features.encode::<f64>(&table, &rows).unwrap().nrows(), 2);
    assert!(message(features.encode::<f64>(&table, &[1])).contains("1 cell missing: line 3 'a'"));
}

#[test]
fn tasks_are_guessed() {
    let repeat = |values: &[&str], times: usize| {
        format!("y,x\n{}", values.iter().map(|v| format!("{v},1\n")).collect::<String>().repeat(times))
    };
    for (text, task) in [
        (repeat(&["0", "1", "1", "0"], 1), Task::Classify),
        (repeat(&["1.0", "2.0"], 9), Task::Classify),
        (repeat(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], 6), Task::Classify),
        (repeat(&["1.5", "2.5"], 90), Task::Regress),
        (repeat(&["yes", "no"], 3), Task::Classify),
        (repeat(&["3", "17", "29", "40", "12"], 1), Task::Regress),
        ((0..21).map(|v| format!("{v},1\n").repeat(30)).fold("y,x\n".into(), |a, b| a + &b), Task::Regress),
        ((0..20).map(|v| format!("{v},1\n").repeat(30)).fold("y,x\n".into(), |a, b| a + &b), Task::Classify),
    ] {
        assert_eq!(Task::guess(&read(&text).unwrap(), 0).unwrap(), task, "{text}");
    }
}

#[test]
fn targets_are_encoded_and_decoded() {
    let table = read("x,y\n1,10\n2,9\n3,10\n4,9\n").unwrap();
    let classes = Target::infer(&table, &[1], None).unwrap();
    assert_eq!(classes.labels(), ["9", "10"], "whole numbers in their order");
    assert_eq!(classes.classes(&table, &[0, 1, 3]).unwrap(), ndarray::arr2(&[[1], [0], [0]]));
    assert_eq!(classes.encode::<f32>(&table, &[0, 1]).unwrap(), ndarray::arr2(&[[0.0, 1.0], [1.0, 0.0]]));
    let other = read("y\n9\n11\n").unwrap();
    assert_eq!(
        message(classes.classes(&other, &[0, 1])),
        "t.csv:3: column 'y': class '11' was not seen in training, which knew '9', '10'"
    );
    assert_eq!(message(classes.numbers(&table, &[0])), "the target 'y' has classes and is no number");
    assert_eq!(message(classes.classes(&read("x\n1\n").unwrap(), &[0])), "t.csv: no column 'y'; it has 'x'");

    let mut number = Target::infer(&table, &[1], Some(Task::Regress)).unwrap();
    assert_eq!(number.fit(&table, &[0, 1], None).unwrap(), []);
    assert_eq!(number, Target::Number(Number { name: "y".into(), mean: 9.5, scale: 0.5 }));
    let encoded = number.encode::<f32>(&table, &all(&table)).unwrap();
    assert_eq!(encoded, ndarray::arr2(&[[1.0], [-1.0], [1.0], [-1.0]]));
    assert_eq!(number.inverse_all(encoded.view()).unwrap(), ndarray::arr2(&[[10.0], [9.0], [10.0], [9.0]]));
    assert!(
        message(number.inverse_all(ndarray::Array2::<f32>::zeros((1, 2)).view()))
            .contains("expected 1 column, found 2")
    );
    assert_eq!(message(number.classes(&table, &[0])), "the target 'y' is a number and has no classes");
    assert_eq!(number.fit(&table, &[0, 2], None).unwrap(), [Warning::Constant { columns: vec!["y".into()] }]);
    assert_eq!(
        message(Target::infer(&read("x,y\n1,a\n2,b\n").unwrap(), &[1], Some(Task::Regress))),
        "t.csv:2: column 'y': not a number: 'a'"
    );
}

#[test]
fn the_data_sets_are_what_their_page_says() {
    let car = csv::read(Path::new("data/car.csv"), &csv::Options::default()).unwrap();
    assert_eq!((car.rows(), car.has_header(), car.line(0)), (1728, true, 2));
    let class = car.column("class").unwrap();
    let (features, warnings) = Features::infer(&car, &[class], &features::Options::default()).unwrap();
    assert_eq!((features.width(), warnings.len()), (21, 0));
    assert_eq!(&features.names()[8..12], ["doors=2", "doors=3", "doors=4", "doors=5more"]);
    assert!(features.encode::<f32>(&car, &all(&car)).unwrap().rows().into_iter().all(|row| row.sum() == 6.0));
    let target = Target::infer(&car, &[class], None).unwrap();
    assert_eq!(target.labels(), ["acc", "good", "unacc", "vgood"]);
    let classes = target.classes(&car, &all(&car)).unwrap();
    let counts: Vec<usize> = (0..4).map(|class| classes.iter().filter(|&&found| found == class).count()).collect();
    assert_eq!(counts, [384, 69, 1210, 65]);

    // The published file has no header line, and is recognised as such.
    let text = std::fs::read("data/car.csv").unwrap();
    let body = &text[text.iter().position(|&byte| byte == b'\n').unwrap() + 1..];
    for header in [Header::No, Header::Auto] {
        let table = read_with(body, None, header).unwrap();
        assert_eq!((table.rows(), table.has_header(), table.line(0)), (1728, false, 1));
        assert_eq!(table.column("7").unwrap(), 6);
    }

    let vertebral = csv::read(Path::new("data/vertebral.csv"), &csv::Options::default()).unwrap();
    let class = vertebral.column("class").unwrap();
    let (features, _) = Features::infer(&vertebral, &[class], &features::Options::default()).unwrap();
    assert_eq!((vertebral.rows(), features.width()), (310, 6));
    let classes = Target::infer(&vertebral, &[class], None).unwrap().classes(&vertebral, &all(&vertebral)).unwrap();
    assert_eq!(classes.iter().filter(|&&class| class == 0).count(), 210);
}

#[test]
fn fitted_features_from_a_file_are_checked() {
    let table = read("a,b,y\n1,u,0\n2,v,1\n3,u,0\n4,v,1\n").unwrap();
    let (mut good, _) = Features::infer(&table, &[2], &features::Options::default()).unwrap();
    good.fit(&table, &all(&table), None).unwrap();
    assert_eq!(good.check(), Ok(()));
    let spoil = |change: &dyn Fn(&mut Features)| {
        let mut features = good.clone();
        change(&mut features);
        features.check().expect_err("this must be refused")
    };
    let number = |mean, scale, fill| Kind::Number { mean, scale, fill };
    let category = |levels: &[&str], fill: Option<&str>| Kind::Category {
        levels: levels.iter().map(|level| level.to_string()).collect(),
        fill: fill.map(str::to_string),
    };
    for kind in [
        number(f64::NAN, 1.0, None),
        number(0.0, 0.0, None),
        number(0.0, -1.0, None),
        number(0.0, f64::INFINITY, None),
        number(0.0, 1.0, Some(f64::NAN)),
        category(&[], None),
        category(&["a", "a"], None),
        category(&["a"], Some("b")),
    ] {
        assert!(
            spoil(&|features| features.columns[0].kind = kind.clone()).starts_with("input column 'a': "),
            "{kind:?}"
        );
    }
    spoil(&|features| features.columns.clear());
    spoil(&|features| features.columns[0].name = "b".into());
    spoil(&|features| features.columns[0].position = 1);
    spoil(&|features| features.columns[0].position = 3);
    let column = |labels: &[&str]| Classes { name: "y".into(), labels: labels.iter().map(|l| l.to_string()).collect() };
    let classes = |labels: &[&str]| Target::Classes(column(labels));
    assert_eq!(classes(&["a", "b"]).check(), Ok(()));
    let number = |name: &str, scale: f64| Number { name: name.into(), mean: 0.0, scale };
    let label = |name: &str, labels: &[&str]| Classes { name: name.into(), ..column(labels) };
    assert_eq!(Target::Numbers(vec![number("y", 1.0), number("z", 1.0)]).check(), Ok(()));
    assert_eq!(Target::Labels(vec![label("y", &["a", "b"]), label("z", &["a", "b"])]).check(), Ok(()));
    for target in [
        classes(&["a"]),
        classes(&["a", "a"]),
        Target::Number(number("y", 0.0)),
        Target::Numbers(vec![]),
        Target::Numbers(vec![number("y", 1.0)]),
        Target::Numbers(vec![number("y", 1.0), number("y", 1.0)]),
        Target::Numbers(vec![number("y", 1.0), number("z", -1.0)]),
        Target::Labels(vec![label("y", &["a", "b"])]),
        Target::Labels(vec![label("y", &["a", "b"]), label("y", &["a", "b"])]),
        Target::Labels(vec![label("y", &["a", "b"]), label("z", &["a", "b", "c"])]),
        Target::Labels(vec![label("y", &["a", "b"]), label("z", &["a", "a"])]),
    ] {
        assert!(target.check().is_err(), "{target:?}");
    }
}
