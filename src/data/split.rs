//! Parting rows into training and test: hold-out and K folds, at random or with the classes' shares kept.
//!
//! Every row lands in exactly one test part; stratified, each class is spread over the parts to within one row.
//! Imports `rng`, `cell`, `error`. Begin reading at [`hold_out`] and [`folds`].

use super::cell::{count, quoted};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Row indices, ascending in both parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The rows to train on.
    pub train: Vec<usize>,
    /// The rows held out.
    pub test: Vec<usize>,
}

/// What a split keeps in proportion.
#[derive(Clone, Copy, Debug)]
pub enum Strata<'a> {
    /// Nothing: so many rows, parted at random.
    None(usize),
    /// The classes' shares.
    Classes {
        /// The class of each row, an index into `labels`.
        classes: &'a [usize],
        /// The classes' names, for messages.
        labels: &'a [String],
    },
}

impl Strata<'_> {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::None(rows) => *rows,
            Self::Classes { classes, .. } => classes.len(),
        }
    }

    /// The rows of each class in random order; without classes, of all rows. Refuses what cannot be parted.
    fn groups(&self, rng: &mut Rng, setting: &str) -> Result<Vec<Vec<usize>>> {
        if self.rows() < 2 {
            return Err(Error::setting(setting, "at least 2 rows to part", self.rows()));
        }
        let mut groups = match self {
            Self::None(rows) => vec![(0..*rows).collect::<Vec<_>>()],
            Self::Classes { classes, labels } => {
                let mut groups = vec![Vec::new(); labels.len()];
                for (row, &class) in classes.iter().enumerate() {
                    let message =
                        || Error::shape(format!("class of row {row}"), format!("less than {}", labels.len()), class);
                    groups.get_mut(class).ok_or_else(message)?.push(row);
                }
                if let Some(class) = groups.iter().position(|group| group.len() == 1) {
                    let found = format!("1 row of class {}", quoted(&labels[class]));
                    return Err(Error::setting(setting, "at least 2 rows of every class, to part it", found));
                }
                groups.retain(|group| !group.is_empty());
                groups
            }
        };
        groups.iter_mut().for_each(|group| rng.shuffle(group));
        Ok(groups)
    }
}

/// Holds out the given fraction of the rows.
///
/// Stratified, the test part has each class's share rounded to a neighbouring whole number, at least one row of every
/// class in each part, and as near to the fraction of all rows as that allows.
///
/// **Determinism**: the same seed gives the same rows on every platform.
///
/// **Errors**: a fraction outside 0 to 1 (exclusive); fewer than two rows, of all or, stratified, of a class.
pub fn hold_out(strata: Strata<'_>, fraction: f64, rng: &mut Rng) -> Result<Split> {
    let setting = "test fraction";
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(Error::setting(setting, "a number between 0 and 1", fraction));
    }
    let groups = strata.groups(rng, setting)?;
    let shares: Vec<f64> = groups.iter().map(|group| group.len() as f64 * fraction).collect();
    let mut takes: Vec<usize> =
        groups.iter().zip(&shares).map(|(group, share)| (share.floor() as usize).clamp(1, group.len() - 1)).collect();
    // What rounding down left goes to the classes with the largest remainders, of equals to the first.
    let wanted = (strata.rows() as f64 * fraction).round() as usize;
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by(|&a, &b| (shares[b] - shares[b].floor()).total_cmp(&(shares[a] - shares[a].floor())));
    let mut left = wanted.saturating_sub(takes.iter().sum());
    for group in order {
        let more = (shares[group].ceil() as usize).min(groups[group].len() - 1);
        if left > 0 && takes[group] < more {
            takes[group] += 1;
            left -= 1;
        }
    }
    let held = groups.iter().zip(&takes).flat_map(|(group, &take)| group[..take].iter().copied());
    Ok(part(strata.rows(), held))
}

/// Parts the rows into `folds` test parts, each with the rest as its training part; `repetitions` times over, each
/// time in a new order.
///
/// The parts' sizes differ by at most one row; stratified, so do each class's rows in them. A class with fewer rows than
/// folds is missing in some test parts, never in a training part.
///
/// **Determinism**: the same seed gives the same rows on every platform.
///
/// **Errors**: fewer than two folds, more folds than rows, no repetition; stratified, a class with a single row.
pub fn folds(strata: Strata<'_>, folds: usize, repetitions: usize, rng: &mut Rng) -> Result<Vec<Split>> {
    let rows = strata.rows();
    if folds < 2 || folds > rows {
        let expected = format!("2 to {} (there are {})", rows.max(2), count(rows, "row"));
        return Err(Error::setting("folds", expected, folds));
    }
    if repetitions == 0 {
        return Err(Error::setting("repetitions", "at least 1", repetitions));
    }
    let mut splits = Vec::new();
    for _ in 0..repetitions {
        // Dealt like cards, class after class without starting anew: that bounds classes and parts alike.
        let dealt: Vec<usize> = strata.groups(rng, "folds")?.concat();
        splits.extend((0..folds).map(|fold| part(rows, dealt.iter().copied().skip(fold).step_by(folds))));
    }
    Ok(splits)
}

fn part(rows: usize, held: impl Iterator<Item = usize>) -> Split {
    let mut is_held = vec![false; rows];
    held.for_each(|row| is_held[row] = true);
    let (test, train) = (0..rows).partition(|&row| is_held[row]);
    Split { train, test }
}
