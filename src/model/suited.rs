//! The settings that suit so many rows, for whoever asks for none.
//!
//! Row 6 of the house: imports the recipe. Begin with [`Recipe::suited_to`].

use super::Recipe;
use crate::data::Task;
use crate::init::Init;
use crate::schedule::Schedule;

/// Mini-batches: small ones find what large ones do not in a few thousand rows, and of many rows large ones take less time.
const BATCH: [usize; 2] = [32, 128];
/// Rows for each row of a mini-batch, between those.
const ROWS_A_BATCH: usize = 400;
/// Passes: so many as make these steps, within bounds.
const STEPS: usize = 10_000;
const EPOCHS: [usize; 2] = [20, 200];
/// Adam's rate for a hidden layer of up to so many units; over wider ones it falls as they widen.
const RATE: f64 = 0.005;
const UNITS: usize = 100;
/// The penalty on squared weights, times the rows: a weight is thought to be normal with a variance of 2.5 before the first row is seen.
const PRIOR: f64 = 0.4;
/// As the rate falls to 0 whatever the loss does, a stall at a high one says little.
const PATIENCE: usize = 30;

impl Recipe {
    /// The recipe for `rows` rows to train on, what is to be told of them, and these hidden layers: what `deltarule train` does without a flag.
    ///
    /// | setting | value | where it comes from |
    /// |---|---|---|
    /// | initial weights | uniform, Glorot and Bengio's | wider starts fit noise: of five sets none is better with He's |
    /// | batch | 32 rows, from 25,600 rows on 64, from 51,200 on 128 | |
    /// | epochs | those of 10,000 steps; from 20 to 200 | |
    /// | rate | 0.005; times 100 over the units of the widest layer, if that has more | Yang et al., Tensor programs V (2022): over the fan-in |
    /// | schedule | half a cosine down to 0 over all epochs | Loshchilov and Hutter 2017 |
    /// | `l2` | of classes 0.4 over the rows | a normal prior of one strength for any number of rows, as scikit-learn's `alpha` and `C` are |
    /// | | of a number 0 | how strong a prior is beside a squared error, its noise says, and of exact data any spoils the fit |
    /// | patience | 30 epochs | |
    ///
    /// The constants were chosen on the folds of seeds 0 to 9 of iris, wine, breast cancer, digits and diabetes and on splits of the
    /// car data; `scripts/compare train` measures them on others.
    pub fn suited_to(rows: usize, task: Task, hidden: &[usize]) -> Self {
        let mut recipe = Self { hidden: hidden.to_vec(), init: Some(Init::GlorotUniform), ..Self::default() };
        let trainer = &mut recipe.trainer;
        trainer.batch = batch(rows);
        trainer.epochs = epochs(rows);
        trainer.learning_rate = narrowed(RATE, hidden);
        trainer.schedule = Schedule::Cosine { period: 0, growth: 1 };
        trainer.objective.l2 = if task == Task::Classify { penalty(rows) } else { 0.0 };
        trainer.stopping.patience = PATIENCE;
        recipe
    }
}

/// The rows of a mini-batch, a power of two.
fn batch(rows: usize) -> usize {
    let [least, most] = BATCH;
    1 << (rows / ROWS_A_BATCH).clamp(least, most).ilog2()
}

/// The passes over so many rows in mini-batches of what suits them.
fn epochs(rows: usize) -> usize {
    let [least, most] = EPOCHS;
    (STEPS / rows.div_ceil(batch(rows)).max(1)).clamp(least, most)
}

/// A rate for hidden layers of up to 100 units, made to suit these: times 100 over the units of the widest, if that has more. For
/// methods whose steps do not shrink with the gradient, such as Adam's.
pub fn narrowed(rate: f64, hidden: &[usize]) -> f64 {
    match hidden.iter().copied().max() {
        Some(widest) if widest > UNITS => rate * UNITS as f64 / widest as f64,
        _ => rate,
    }
}

/// The penalty, to three digits.
fn penalty(rows: usize) -> f64 {
    let exact = PRIOR / rows.max(1) as f64;
    format!("{exact:.2e}").parse().expect("a number, as it was one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_suits_few_rows_and_many() {
        let suits = |rows, hidden: &[usize]| {
            let trainer = Recipe::suited_to(rows, Task::Classify, hidden).trainer;
            (trainer.batch, trainer.epochs, trainer.learning_rate, trainer.objective.l2)
        };
        assert_eq!(suits(0, &[]), (32, 200, 0.005, 0.4));
        assert_eq!(suits(1382, &[100]), (32, 200, 0.005, 2.89e-4));
        assert_eq!(suits(25_600, &[200, 50]), (64, 25, 0.0025, 1.56e-5));
        assert_eq!(suits(60_000, &[500, 500]), (128, 21, 0.001, 6.67e-6));
        let (batch, epochs, rate, l2) = suits(usize::MAX, &[usize::MAX]);
        assert_eq!((batch, epochs), (128, 20));
        assert!(rate > 0.0 && l2 > 0.0);
        assert_eq!(Recipe::suited_to(1382, Task::Regress, &[]).trainer.objective.l2, 0.0);
    }
}
