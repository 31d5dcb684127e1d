//! Properties of reading data: what is written comes back, nothing makes it panic, and the csv crate agrees.

use deltarule::data::csv::{self, Header};
use deltarule::data::features::{self, Kind};
use deltarule::data::{Features, Missing, Table, Target, idx};
use proptest::prelude::*;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

fn read(bytes: &[u8], delimiter: Option<u8>, header: Header) -> deltarule::error::Result<Table> {
    csv::read_from(bytes, "t.csv", &csv::Options { delimiter, header })
}

/// Cells of everything that CSV finds hard.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,6}",
        prop::collection::vec(
            prop::sample::select(vec!["\"", ",", ";", "\n", "\r", "\r\n", "é", "日", " ", "a", "1", "\t"]),
            0..6
        )
        .prop_map(|parts| parts.concat()),
        any::<f64>().prop_map(|value| value.to_string()),
    ]
}

fn rows() -> impl Strategy<Value = Vec<Vec<String>>> {
    (1_usize..5).prop_flat_map(|width| prop::collection::vec(prop::collection::vec(cell(), width), 1..8))
}

/// Bytes that look like a table often enough to get far.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"1"[..],
        b"2.5",
        b"-3e4",
        b"1e309",
        b"nan",
        b"inf",
        b"",
        b"x",
        b"yes",
        b",",
        b",",
        b",",
        b";",
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b"\"",
        b"\"\"",
        b" ",
        b"\xff",
        b"\0",
        b"\xc3\xa9",
        b"\xef\xbb\xbf",
        b"?",
    ]);
    prop_oneof![
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat()),
        prop::collection::vec(any::<u8>(), 0..80)
    ]
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn what_is_written_comes_back(rows in rows(), delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|']), ending in prop::sample::select(vec!["\n", "\r\n", "\r"])) {
        let write = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let separator = (delimiter as char).to_string();
        let lines = rows.iter().map(|row| row.iter().map(write).collect::<Vec<_>>().join(&separator) + ending);
        let text: String = lines.collect();
        let table = match read(text.as_bytes(), Some(delimiter), Header::No) {
            Ok(table) => table,
            // A NUL is refused wherever it stands, and one column that another separator cuts evenly is asked about.
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.contains("NUL") || (rows[0].len() == 1 && message.contains("1 column found")), "{message}");
                return Ok(());
            }
        };
        let found: Vec<Vec<String>> = (0..table.rows()).map(|row| table.row(row).map(str::to_string).collect()).collect();
        prop_assert_eq!(found, rows);
    }

    /// Where we accept a file without quotes outside whole cells, the csv crate reads the same cells.
    #[test]
    fn the_csv_crate_agrees(text in bytes()) {
        let Ok(table) = read(&text, Some(b','), Header::No) else { return Ok(()) };
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).flexible(false).from_reader(&text[..]);
        let mut theirs = Vec::new();
        for record in reader.records() {
            let Ok(record) = record else {
                // It counts a line of spaces as a record, we do not.
                prop_assert!(text.contains(&b' '), "{:?}", String::from_utf8_lossy(&text));
                return Ok(());
            };
            theirs.push(record.iter().map(str::to_string).collect::<Vec<_>>());
        }
        // Spaces around cells are dropped by us alone, and lie inside theirs.
        if text.contains(&b' ') {
            return Ok(());
        }
        let ours: Vec<Vec<String>> = (0..table.rows()).map(|row| table.row(row).map(str::to_string).collect()).collect();
        prop_assert_eq!(ours, theirs);
    }

    /// Whatever the bytes, the whole path ends in a table of finite numbers or in an error.
    #[test]
    fn nothing_panics(text in bytes(), missing in prop::sample::select(vec![Missing::Error, Missing::Mean, Missing::Drop])) {
        let _ = idx::read_from(&text[..], "t.idx");
        let Ok(table) = read(&text, None, Header::Auto) else { return Ok(()) };
        let last = table.columns().len() - 1;
        let options = features::Options { missing, ..Default::default() };
        if let Ok((mut features, _)) = Features::infer(&table, &[last], &options) {
            let rows = if missing == Missing::Drop { features.complete_rows(&table).unwrap() } else { (0..table.rows()).collect() };
            if features.fit(&table, &rows, None).is_ok() {
                prop_assert_eq!(features.check(), Ok(()));
                let encoded = features.encode::<f32>(&table, &rows).unwrap();
                prop_assert_eq!(encoded.dim(), (rows.len(), features.names().len()));
                prop_assert!(encoded.iter().all(|value| value.is_finite()));
            }
        }
        if let Ok(mut target) = Target::infer(&table, &[last], None) {
            let rows: Vec<usize> = (0..table.rows()).collect();
            target.fit(&table, &rows, None).unwrap();
            prop_assert_eq!(target.check(), Ok(()));
            prop_assert!(target.encode::<f32>(&table, &rows).unwrap().iter().all(|value| value.is_finite()));
        }
    }

    /// Standardised training rows have mean 0 and variance 1, whatever their magnitude, and the target comes back.
    #[test]
    fn scaling_is_undone(values in prop::collection::vec(-1.0..1.0_f64, 2..40), exponent in -290_i32..290) {
        // A sum of up to 40 numbers of at most sqrt(40), each off by a few ulp.
        const CLOSE: f64 = 1e-12;
        let values: Vec<f64> = values.iter().map(|value| value * 10_f64.powi(exponent)).collect();
        let mut table = Table::new("t.csv", vec!["x".into(), "y".into()]).unwrap();
        for (row, value) in values.iter().enumerate() {
            table.push(row as u64 + 2, &[format!("{value:e}"), format!("{value:e}")]).unwrap();
        }
        let rows: Vec<usize> = (0..values.len()).collect();
        let (mut features, _) = Features::infer(&table, &[1], &features::Options::default()).unwrap();
        features.fit(&table, &rows, None).unwrap();
        let encoded = features.encode::<f64>(&table, &rows).unwrap();
        let count = values.len() as f64;
        prop_assert!((encoded.sum() / count).abs() < CLOSE);
        prop_assert!((encoded.mapv(|value| value * value).sum() / count - 1.0).abs() < CLOSE);

        let mut target = Target::infer(&table, &[1], Some(deltarule::data::Task::Regress)).unwrap();
        target.fit(&table, &rows, None).unwrap();
        let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let back = target.inverse_all(target.encode::<f64>(&table, &rows).unwrap().view()).unwrap();
        prop_assert!(back.iter().zip(&values).all(|(back, value)| (back - value).abs() <= CLOSE * largest));
    }

    /// What a model file keeps is what was fitted, to the bit.
    #[test]
        fn fitted_features_survive_json(values in prop::collection::vec(any::<f64>().prop_filter("finite", |value| value.is_finite()), 2..10)) {
        let mut table = Table::new("t.csv", vec!["x".into(), "k".into(), "y".into()]).unwrap();
        for (row, value) in values.iter().enumerate() {
            table.push(row as u64 + 2, &[format!("{value:e}"), ["a", "b\"\n"][row % 2].into(), "0".into()]).unwrap();
        }
        let rows: Vec<usize> = (0..values.len()).collect();
        let options = features::Options { missing: Missing::Mean, categorical: vec!["k".into()], ..Default::default() };
        let (mut features, _) = Features::infer(&table, &[2], &options).unwrap();
        features.fit(&table, &rows, None).unwrap();
        prop_assert_eq!(features.check(), Ok(()));
        let Kind::Number { mean, scale, .. } = features.columns[0].kind else { panic!("a number") };
        prop_assert!(mean.is_finite() && scale > 0.0);
        let text = serde_json::to_string(&features).unwrap();
        prop_assert_eq!(serde_json::from_str::<Features>(&text).unwrap(), features);
    }
}
