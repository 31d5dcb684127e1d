//! A CSV file from its bytes to arrays: read, infer, fit, encode. Any error will do, a panic or an infinite number not.
//!
//! The first byte chooses what a user would: separator, header, missing cells, the target's column.

#![no_main]

use deltarule::data::csv::{self, Header};
use deltarule::data::{Features, Missing, Table, Target, features};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, text)) = input.split_first() else { return };
    let delimiter = [None, Some(b','), Some(b';'), Some(b' ')][usize::from(choice & 3)];
    let header = [Header::Auto, Header::Yes, Header::No, Header::Auto][usize::from(choice >> 2 & 3)];
    let missing = [Missing::Error, Missing::Mean, Missing::Drop, Missing::Mean][usize::from(choice >> 4 & 3)];
    let Ok(table) = csv::read_from(text, "fuzz.csv", &csv::Options { delimiter, header }) else { return };
    let lines: Vec<u64> = (0..table.rows()).map(|row| table.line(row)).collect();
    assert!(!lines.is_empty() && lines[0] >= 1 && lines.is_sorted_by(|a, b| a < b), "lines {lines:?}");

    let target = if choice & 64 == 0 { table.columns().len() - 1 } else { 0 };
    let categorical = if choice & 128 == 0 { Vec::new() } else { vec!["1".into()] };
    inputs(&table, target, &features::Options { missing, categorical, ignore: Vec::new() });
    let rows: Vec<usize> = (0..table.rows()).collect();
    if let Ok(mut target) = Target::infer(&table, &[target], None) {
        target.fit(&table, &rows, None).expect("what was inferred can be fitted");
        target.check().expect("what was fitted is sound");
        let encoded = target.encode::<f32>(&table, &rows).expect("the training rows can be encoded");
        assert!(encoded.iter().all(|value| value.is_finite()));
    }
});

fn inputs(table: &Table, target: usize, options: &features::Options) {
    let Ok((mut features, warnings)) = Features::infer(table, &[target], options) else { return };
    warnings.iter().for_each(|warning| assert!(!warning.to_string().is_empty()));
    let rows = match options.missing {
        Missing::Drop => features.complete_rows(table).expect("the training table has its columns"),
        _ => (0..table.rows()).collect(),
    };
    if features.fit(table, &rows, None).is_err() {
        return;
    }
    features.check().expect("what was fitted is sound");
    let encoded = features.encode::<f32>(table, &rows).expect("the training rows can be encoded");
    assert_eq!(encoded.dim(), (rows.len(), features.names().len()));
    assert!(encoded.iter().all(|value| value.is_finite()));
}
