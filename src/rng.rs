//! Random numbers that are the same on every platform.
//!
//! The stream is ChaCha with 8 rounds, whose output is specified; the distributions are rand_distr's, pinned by golden
//! values in `tests/random.rs`. Ground of the house: imports `scalar`.

use crate::scalar::Scalar;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// A seeded source of random numbers.
///
/// **Determinism**: the same seed and stream give the same numbers on every platform and in every thread.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// A generator for `seed`.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// An independent generator of the same seed: one stream for each use (weights, split, shuffle) keeps a change in
    /// one from moving the others.
    pub fn with_stream(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self(generator)
    }

    /// A uniform number in `low..high`, from 53 random bits.
    pub fn uniform<T: Scalar>(&mut self, low: f64, high: f64) -> T {
        T::from_f64(low + (high - low) * self.0.random::<f64>())
    }

    /// A normal number with the given mean and standard deviation.
    pub fn normal<T: Scalar>(&mut self, mean: f64, deviation: f64) -> T {
        T::from_f64(mean + deviation * self.0.sample::<f64, _>(StandardNormal))
    }

    /// Fills the words with random bits.
    pub fn fill_bits(&mut self, words: &mut [u64]) {
        words.iter_mut().for_each(|word| *word = self.0.random());
    }

    /// A uniform integer in `0..bound`.
    ///
    /// **Panics** if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound as u64) as usize
    }

    /// Puts the items into a uniformly random order (Fisher and Yates).
    pub fn shuffle<I>(&mut self, items: &mut [I]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// The streams of a seed: one for each use.
pub mod stream {
    /// Initial weights.
    pub const WEIGHTS: u64 = 1;
    /// Which rows are held out or form which fold.
    pub const SPLIT: u64 = 2;
    /// The order of rows: this plus the epoch's number. (3 is a second split's.)
    pub const SHUFFLE: u64 = 1 << 32;
    /// The directions along which a gradient is watched: this plus the step's number.
    pub const WATCH: u64 = 1 << 40;
}
