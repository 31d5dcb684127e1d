//! Parting rows into training and test: hold-out and K folds, at random, with the classes' shares kept, in the rows' order, or
//! by whole groups.
//!
//! At random and by groups every row lands in exactly one test part; stratified, each class is spread over the parts to within
//! one row. In order, no training part holds a row behind the first of its test part.
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

impl Split {
    /// The rows at these places of a list of rows.
    ///
    /// **Panics** if it has not so many.
    pub fn among(&self, rows: &[usize]) -> Self {
        let pick = |places: &[usize]| places.iter().map(|&place| rows[place]).collect();
        Self { train: pick(&self.train), test: pick(&self.test) }
    }
}

/// How rows are parted into those to train on and those to measure on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Parting {
    /// At random, with the classes' shares kept.
    #[default]
    Random,
    /// In their order, which is that of time: what is measured on comes after all that was trained on.
    Ordered,
    /// By whole groups, which are the values of this column (its name, or its number from 1): none is on both sides.
    Groups(String),
}

/// What a split keeps: proportions, an order, or groups.
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
    /// The order: so many rows, the last of which are held out.
    Ordered(usize),
    /// Groups, none of which is parted.
    Groups(
        /// The group of each row: numbers from 0, without gaps.
        &'a [usize],
    ),
}

impl Strata<'_> {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::None(rows) | Self::Ordered(rows) => *rows,
            Self::Classes { classes: marks, .. } | Self::Groups(marks) => marks.len(),
        }
    }

    /// The rows of each class in random order; without classes, of all rows. Refuses what cannot be parted.
    fn groups(&self, rng: &mut Rng, setting: &str) -> Result<Vec<Vec<usize>>> {
        if self.rows() < 2 {
            return Err(Error::setting(setting, "at least 2 rows to part", self.rows()));
        }
        let mut groups = match self {
            Self::None(rows) | Self::Ordered(rows) => vec![(0..*rows).collect::<Vec<_>>()],
            Self::Groups(_) => self.whole_groups(setting)?,
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

    /// The rows of each group, in order. Refuses a single one.
    fn whole_groups(&self, setting: &str) -> Result<Vec<Vec<usize>>> {
        let Self::Groups(marks) = self else { return Ok(Vec::new()) };
        let mut groups = vec![Vec::new(); marks.iter().max().map_or(0, |&last| last + 1)];
        marks.iter().enumerate().for_each(|(row, &group)| groups[group].push(row));
        groups.retain(|group| !group.is_empty());
        if groups.len() < 2 {
            return Err(Error::setting(setting, "at least 2 groups to part", groups.len()));
        }
        Ok(groups)
    }
}

/// Holds out the given fraction of the rows.
///
/// Stratified, the test part has each class's share rounded to a neighbouring whole number, at least one row of every
/// class in each part, and as near to the fraction of all rows as that allows. In order, the last rows are held out, their number
/// rounded up (as scikit-learn's `train_test_split(shuffle=False)` does). Of groups, those that come first in a random order, each
/// taken if that brings the test part's rows nearer to the fraction; at least one is on each side.
///
/// **Determinism**: the same seed gives the same rows on every platform.
///
/// **Errors**: a fraction outside 0 to 1 (exclusive); fewer than two rows, of all or, stratified, of a class.
pub fn hold_out(strata: Strata<'_>, fraction: f64, rng: &mut Rng) -> Result<Split> {
    let setting = "test fraction";
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(Error::setting(setting, "a number between 0 and 1", fraction));
    }
    match strata {
        Strata::Ordered(rows) if rows >= 2 => {
            let held = ((rows as f64 * fraction).ceil() as usize).clamp(1, rows - 1);
            return Ok(part(rows, rows - held..rows));
        }
        Strata::Groups(marks) => return hold_out_groups(strata.whole_groups(setting)?, marks.len(), fraction, rng),
        _ => {}
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

/// Whole groups whose rows are about the fraction of all.
fn hold_out_groups(mut groups: Vec<Vec<usize>>, rows: usize, fraction: f64, rng: &mut Rng) -> Result<Split> {
    rng.shuffle(&mut groups);
    let wanted = rows as f64 * fraction;
    let (mut held, mut taken) = (Vec::new(), 0);
    for group in &groups {
        let (now, then) = (held.len() as f64, (held.len() + group.len()) as f64);
        if taken + 1 < groups.len() && (then - wanted).abs() < (now - wanted).abs() {
            held.extend(group);
            taken += 1;
        }
    }
    if taken == 0 {
        // All are larger than twice the share: the smallest is the nearest.
        held.extend(groups.iter().min_by_key(|group| group.len()).into_iter().flatten());
    }
    Ok(part(rows, held.into_iter()))
}

/// Parts the rows into `folds` test parts, each with the rest as its training part; `repetitions` times over, each
/// time in a new order.
///
/// The parts' sizes differ by at most one row; stratified, so do each class's rows in them. A class with fewer rows than
/// folds is missing in some test parts, never in a training part.
///
/// In order, the test parts are the last `folds` of `folds + 1` equal pieces (the first takes what does not divide), and each
/// is preceded by its training part: scikit-learn's `TimeSeriesSplit`, an expanding window. Of groups, the largest go first, each to the
/// fold that has the fewest rows so far: scikit-learn's `GroupKFold`. Both are the same in every repetition.
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
    if let Strata::Ordered(rows) = strata
        && folds + 1 > rows
    {
        let expected = format!("2 to {} in order (there are {})", (rows - 1).max(2), count(rows, "row"));
        return Err(Error::setting("folds", expected, folds));
    }
    let mut splits = Vec::new();
    for _ in 0..repetitions {
        match strata {
            Strata::Ordered(rows) => {
                let size = rows / (folds + 1);
                let starts = (0..folds).map(|fold| rows - (folds - fold) * size);
                splits.extend(starts.map(|at| Split { train: (0..at).collect(), test: (at..at + size).collect() }));
                continue;
            }
            Strata::Groups(_) => {
                let parts = group_folds(strata.whole_groups("folds")?, folds)?;
                splits.extend(parts.into_iter().map(|held| part(rows, held.into_iter())));
                continue;
            }
            _ => {}
        }
        // Dealt like cards, class after class without starting anew: that bounds classes and parts alike.
        let dealt: Vec<usize> = strata.groups(rng, "folds")?.concat();
        splits.extend((0..folds).map(|fold| part(rows, dealt.iter().copied().skip(fold).step_by(folds))));
    }
    Ok(splits)
}

/// The rows of each fold: groups dealt from the largest to the smallest, of equals the last first.
fn group_folds(mut groups: Vec<Vec<usize>>, folds: usize) -> Result<Vec<Vec<usize>>> {
    if folds > groups.len() {
        let expected = format!("2 to {} (there are {})", groups.len(), count(groups.len(), "group"));
        return Err(Error::setting("folds", expected, folds));
    }
    groups.reverse();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let mut parts = vec![Vec::new(); folds];
    for group in groups {
        // Of folds as light as each other the first.
        if let Some(lightest) = parts.iter_mut().min_by_key(|part| part.len()) {
            lightest.extend(group);
        }
    }
    Ok(parts)
}

fn part(rows: usize, held: impl Iterator<Item = usize>) -> Split {
    let mut is_held = vec![false; rows];
    held.for_each(|row| is_held[row] = true);
    let (test, train) = (0..rows).partition(|&row| is_held[row]);
    Split { train, test }
}
