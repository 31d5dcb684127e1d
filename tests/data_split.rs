//! Splits: every row once, shares kept to within one row, the same on every platform.

use deltarule::data::split::{Split, Strata, folds, hold_out};
use deltarule::rng::Rng;
use proptest::prelude::*;
use serde_json::Value;

/// What every split of so many rows must be.
fn check(split: &Split, rows: usize) {
    assert!(!split.train.is_empty() && !split.test.is_empty(), "a part is empty: {split:?}");
    assert!(split.train.is_sorted() && split.test.is_sorted());
    let mut all = [split.train.clone(), split.test.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..rows).collect::<Vec<_>>(), "every row is in one part");
}

fn count(rows: &[usize], classes: &[usize], class: usize) -> usize {
    rows.iter().filter(|&&row| classes[row] == class).count()
}

/// Class indices from class sizes, the classes mixed.
fn classes(sizes: &[usize]) -> Vec<usize> {
    let mut classes: Vec<usize> = sizes.iter().enumerate().flat_map(|(class, &size)| vec![class; size]).collect();
    Rng::new(99).shuffle(&mut classes);
    classes
}

fn labels(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("c{class}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn hold_outs_keep_shares(sizes in prop::collection::vec(2_usize..40, 1..6), fraction in 0.001..0.999, seed: u64) {
        let (classes, labels) = (classes(&sizes), labels(sizes.len()));
        let rows = classes.len();
        let split = hold_out(Strata::None(rows), fraction, &mut Rng::new(seed)).unwrap();
        check(&split, rows);
        prop_assert!((split.test.len() as f64 - rows as f64 * fraction).abs() < 1.0);

        let strata = Strata::Classes { classes: &classes, labels: &labels };
        let split = hold_out(strata, fraction, &mut Rng::new(seed)).unwrap();
        check(&split, rows);
        for (class, &size) in sizes.iter().enumerate() {
            let held = count(&split.test, &classes, class);
            prop_assert!(held >= 1 && held < size, "class {class}: {held} of {size}");
            prop_assert!((held as f64 - size as f64 * fraction).abs() < 1.0 + 1e-9, "class {class}: {held} of {size}");
        }
        // The whole is as near as the classes' bounds allow: exactly right where none of them binds.
        if sizes.iter().all(|&size| size as f64 * fraction >= 1.0 && size as f64 * (1.0 - fraction) >= 1.0) {
            prop_assert_eq!(split.test.len(), (rows as f64 * fraction).round() as usize);
        }
    }

    #[test]
    fn folds_keep_shares(sizes in prop::collection::vec(2_usize..30, 1..6), parts in 2_usize..8, times in 1_usize..3, seed: u64) {
        let (classes, labels) = (classes(&sizes), labels(sizes.len()));
        let rows = classes.len();
        prop_assume!(parts <= rows);
        let stratified = Strata::Classes { classes: &classes, labels: &labels };
        for (strata, is_stratified) in [(Strata::None(rows), false), (stratified, true)] {
            let splits = folds(strata, parts, times, &mut Rng::new(seed)).unwrap();
            prop_assert_eq!(splits.len(), parts * times);
            for repetition in splits.chunks(parts) {
                let mut tested: Vec<usize> = repetition.iter().flat_map(|split| split.test.clone()).collect();
                tested.sort_unstable();
                prop_assert_eq!(tested, (0..rows).collect::<Vec<_>>());
                for split in repetition {
                    check(split, rows);
                    prop_assert!(split.test.len() == rows / parts || split.test.len() == rows.div_ceil(parts));
                    for (class, &size) in sizes.iter().enumerate().filter(|_| is_stratified) {
                        let held = count(&split.test, &classes, class);
                        prop_assert!(held == size / parts || held == size.div_ceil(parts), "class {class}: {held} of {size}");
                        prop_assert!(held < size, "no class is missing from training");
                    }
                }
            }
        }
    }
}

#[test]
fn seeds_decide() {
    let at = |seed| hold_out(Strata::None(50), 0.3, &mut Rng::new(seed)).unwrap();
    assert_eq!(at(1), at(1));
    assert_ne!(at(1), at(2));
    let mut rng = Rng::new(1);
    let twice = folds(Strata::None(20), 4, 2, &mut rng).unwrap();
    assert_ne!(twice[..4], twice[4..], "each repetition has its own order");
    // Pinned: the generator's stream and the dealing are the same on every platform and in every version.
    assert_eq!(hold_out(Strata::None(12), 0.25, &mut Rng::new(7)).unwrap().test, GOLDEN_HOLD_OUT);
    let mixed = classes(&[6, 4]);
    let strata = Strata::Classes { classes: &mixed, labels: &labels(2) };
    let tests: Vec<Vec<usize>> =
        folds(strata, 3, 1, &mut Rng::new(7)).unwrap().into_iter().map(|split| split.test).collect();
    assert_eq!(tests, GOLDEN_FOLDS);
}

/// Printed by this test when it was written.
const GOLDEN_HOLD_OUT: [usize; 3] = [3, 5, 8];
const GOLDEN_FOLDS: [&[usize]; 3] = [&[3, 4, 6, 8], &[2, 7, 9], &[0, 1, 5]];

#[test]
fn what_cannot_be_parted_is_refused() {
    let labels = labels(3);
    let classes = [0, 0, 0, 2, 1, 1];
    let strata = Strata::Classes { classes: &classes, labels: &labels };
    let hold = |strata, fraction| hold_out(strata, fraction, &mut Rng::new(1)).unwrap_err().to_string();
    let fold = |strata, parts, times| folds(strata, parts, times, &mut Rng::new(1)).unwrap_err().to_string();
    let single = "expected at least 2 rows of every class, to part it, found 1 row of class 'c2'";
    assert_eq!(hold(strata, 0.5), format!("test fraction: {single}"));
    assert_eq!(fold(strata, 2, 1), format!("folds: {single}"));
    for fraction in [0.0, 1.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
        assert_eq!(
            hold(Strata::None(9), fraction),
            format!("test fraction: expected a number between 0 and 1, found {fraction}")
        );
    }
    for rows in [0, 1] {
        assert_eq!(
            hold(Strata::None(rows), 0.5),
            format!("test fraction: expected at least 2 rows to part, found {rows}")
        );
    }
    assert_eq!(fold(Strata::None(3), 4, 1), "folds: expected 2 to 3 (there are 3 rows), found 4");
    assert_eq!(fold(Strata::None(3), 1, 1), "folds: expected 2 to 3 (there are 3 rows), found 1");
    assert_eq!(fold(Strata::None(3), 2, 0), "repetitions: expected at least 1, found 0");
    let wrong = Strata::Classes { classes: &[0, 0, 3], labels: &labels };
    assert_eq!(hold(wrong, 0.5), "class of row 2: expected less than 3, found 3");
    // A class without rows asks for nothing.
    let absent = Strata::Classes { classes: &[0, 0, 1, 1], labels: &labels };
    assert_eq!(hold_out(absent, 0.5, &mut Rng::new(1)).unwrap().test.len(), 2);
}

fn indices(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|index| index.as_u64().unwrap() as usize).collect()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// Made by `scripts/golden-data.py`.
#[test]
fn ordered_and_group_splits_are_those_of_scikit_learn() {
    let golden: Value = serde_json::from_str(include_str!("golden/data.json")).unwrap();
    let list = |name: &str| golden[name].as_array().unwrap();
    let pairs = |value: &Value| {
        let pair = |pair: &Value| Split { train: indices(&pair[0]), test: indices(&pair[1]) };
        value.as_array().unwrap().iter().map(pair).collect::<Vec<_>>()
    };
    for case in list("ordered") {
        let found = folds(Strata::Ordered(number(&case["rows"])), number(&case["folds"]), 1, &mut Rng::new(1)).unwrap();
        assert_eq!(found, pairs(&case["splits"]), "{}", case["rows"]);
    }
    for case in list("held") {
        let strata = Strata::Ordered(number(&case["rows"]));
        let found = hold_out(strata, case["share"].as_f64().unwrap(), &mut Rng::new(1)).unwrap();
        assert_eq!(found, Split { train: indices(&case["train"]), test: indices(&case["test"]) });
    }
    for case in list("grouped") {
        let groups = indices(&case["groups"]);
        let found = folds(Strata::Groups(&groups), number(&case["folds"]), 1, &mut Rng::new(1)).unwrap();
        assert_eq!(found, pairs(&case["splits"]), "{}", case["groups"]);
    }
    assert_eq!((list("ordered").len(), list("held").len(), list("grouped").len()), (4, 5, 4));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn no_group_is_parted(sizes in prop::collection::vec(1_usize..30, 2..9), parts in 2_usize..8, fraction in 0.001..0.999, seed: u64) {
        let groups = classes(&sizes);
        let apart = |split: &Split| {
            check(split, groups.len());
            split.test.iter().all(|&row| split.train.iter().all(|&other| groups[other] != groups[row]))
        };
        let split = hold_out(Strata::Groups(&groups), fraction, &mut Rng::new(seed)).unwrap();
        prop_assert!(apart(&split), "{:?}", split);
        // Never further away than the largest group: it is taken or left to come nearer.
        let largest = sizes.iter().copied().max().unwrap_or(0) as f64;
        let wanted = groups.len() as f64 * fraction;
        prop_assert!((split.test.len() as f64 - wanted).abs() <= largest, "{} of {wanted}", split.test.len());
        if parts <= sizes.len() {
            let splits = folds(Strata::Groups(&groups), parts, 1, &mut Rng::new(seed)).unwrap();
            prop_assert!(splits.iter().all(apart));
            let mut tested: Vec<usize> = splits.iter().flat_map(|split| split.test.clone()).collect();
            tested.sort_unstable();
            prop_assert_eq!(tested, (0..groups.len()).collect::<Vec<_>>());
            // Dealt to the lightest, folds differ by no more than the largest group.
            let lengths = splits.iter().map(|split| split.test.len());
            let (low, high) = (lengths.clone().min().unwrap_or(0), lengths.max().unwrap_or(0));
            prop_assert!((high - low) as f64 <= largest);
        }
    }

    #[test]
    fn nothing_of_the_future_is_trained_on(rows in 3_usize..200, parts in 2_usize..9, fraction in 0.001..0.999) {
        let split = hold_out(Strata::Ordered(rows), fraction, &mut Rng::new(1)).unwrap();
        check(&split, rows);
        prop_assert!(split.train.last() < split.test.first());
        if parts < rows {
            for split in folds(Strata::Ordered(rows), parts, 1, &mut Rng::new(1)).unwrap() {
                prop_assert!(!split.train.is_empty() && split.train.last() < split.test.first());
            }
        }
    }
}

#[test]
fn orders_and_groups_that_cannot_be_parted_are_refused() {
    let fold = |strata, parts| folds(strata, parts, 1, &mut Rng::new(1)).unwrap_err().to_string();
    assert_eq!(fold(Strata::Ordered(4), 4), "folds: expected 2 to 3 in order (there are 4 rows), found 4");
    assert_eq!(fold(Strata::Groups(&[0, 1, 1, 0]), 3), "folds: expected 2 to 2 (there are 2 groups), found 3");
    assert_eq!(fold(Strata::Groups(&[0, 0, 0, 0]), 3), "folds: expected at least 2 groups to part, found 1");
    let hold = |strata| hold_out(strata, 0.5, &mut Rng::new(1)).unwrap_err().to_string();
    assert_eq!(hold(Strata::Groups(&[0, 0, 0])), "test fraction: expected at least 2 groups to part, found 1");
    assert_eq!(hold(Strata::Ordered(1)), "test fraction: expected at least 2 rows to part, found 1");
}
