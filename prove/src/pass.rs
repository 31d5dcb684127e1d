//! The passes over a block that run for every input: plain loops, compiled to the best instructions of the machine, that only
//! say whether a closer look is needed. 4.3 billion inputs on each level make every nanosecond here a few seconds.

use crate::real::Real;
use deltarule::simd::{Isa, Kernel, Lanes};

/// How many accumulators a loop keeps: the lanes of a wide vector.
const CHAINS: usize = 16;

/// Runs the closure with the best instructions; it and what it calls are inlined.
struct Fast<F>(F);

impl<T: Real, F: FnOnce() -> R, R> Kernel<T> for Fast<F> {
    type Output = R;
    #[inline(always)]
    fn run<L: Lanes<T>>(self, _: L) -> R {
        (self.0)()
    }
}

fn fast<T: Real, R>(pass: impl FnOnce() -> R) -> R {
    T::dispatch(Isa::best(), Fast(pass))
}

/// What a block's values are as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Summary<T> {
    /// The lowest that is not NaN, -0 below +0; NaN if there is none.
    pub lowest: T,
    /// The highest.
    pub highest: T,
    /// How often one is below the one before.
    pub descents: u64,
}

/// Lowest, highest and descents.
pub fn summary<T: Real>(y: &[T]) -> Summary<T> {
    let (low, high, descents) = fast::<T, _>(
        #[inline(always)]
        || {
            let (mut low, mut high) = ([i64::MAX; CHAINS], [i64::MIN; CHAINS]);
            for chunk in y.chunks(CHAINS) {
                for (i, &y) in chunk.iter().enumerate() {
                    let key = y.key();
                    let valid = !y.real().is_nan();
                    low[i] = low[i].min(if valid { key } else { i64::MAX });
                    high[i] = high[i].max(if valid { key } else { i64::MIN });
                }
            }
            let descents: u64 = y.iter().zip(y.iter().skip(1)).map(|(a, b)| u64::from(a > b)).sum();
            (low.into_iter().min(), high.into_iter().max(), descents)
        },
    );
    let number = |key: Option<i64>| match key {
        Some(key) if key != i64::MAX && key != i64::MIN => T::from_key(key),
        _ => T::from_f64(f64::NAN),
    };
    Summary { lowest: number(low), highest: number(high), descents }
}

/// Of all values in order. Each chain is a hash that sees order; they stand side by side because a product has to wait for the
/// one before. A NaN counts as one pattern.
pub fn hash<T: Real>(values: &[T]) -> u64 {
    let chains = fast::<T, _>(
        #[inline(always)]
        || {
            let mut chains = [0u64; CHAINS];
            for chunk in values.chunks(CHAINS) {
                for (chain, &value) in chains.iter_mut().zip(chunk) {
                    *chain = hash_step(*chain, value.canonical());
                }
            }
            chains
        },
    );
    chains.into_iter().fold(values.len() as u64, hash_step)
}

/// One step of the hash: a rotation after the product keeps every bit in play, and no step loses what went in.
#[inline(always)]
pub fn hash_step(hash: u64, value: u64) -> u64 {
    (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// Whether the bits are the same, but for those of NaN.
pub fn same<T: Real>(a: &[T], b: &[T]) -> bool {
    a.len() == b.len()
        && fast::<T, _>(
            #[inline(always)]
            || a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a.canonical() ^ b.canonical())),
        ) == 0
}

/// At least the largest distance of a block of `f32` from its truth, in units in the last place: more where an infinity or a
/// power of two calls for the yardstick itself, NaN or infinite where one of the two is NaN.
pub fn largest_distance(truth: &[f64], y: &[f32]) -> f64 {
    largest(truth, y, f64::INFINITY)
}

/// At least the largest error of a block of slopes: absolute up to 1, beyond that in terms of the type's epsilon.
pub fn largest_slope_error(truth: &[f64], slopes: &[f32]) -> f64 {
    // 2^23 units are 1 from 1 to 2, and more of 1 below.
    largest(truth, slopes, 2f64.powi(23)) * 2f64.powi(-23)
}

/// The largest distance, in units of which at most `most` are 1.
fn largest(truth: &[f64], y: &[f32], most: f64) -> f64 {
    // The exponents of a f64's bits: of the smallest normal f32, and what makes 2^(23 - e) of e.
    const SMALLEST: u64 = 1023 - 126;
    const UNIT: u64 = 2 * 1023 + 23;
    let chains = fast::<f32, _>(
        #[inline(always)]
        || {
            let mut chains = [0u64; CHAINS];
            for (truth, y) in truth.chunks(CHAINS).zip(y.chunks(CHAINS)) {
                for ((chain, &truth), &y) in chains.iter_mut().zip(truth).zip(y) {
                    let y = f64::from(y);
                    let bits = truth.to_bits();
                    let exponent = ((bits >> 52) & 0x7ff).max(SMALLEST);
                    let units = f64::from_bits((UNIT - exponent) << 52);
                    // Just below a power of two the units are half as large.
                    let units = if bits << 12 == 0 { 2.0 * units } else { units };
                    let distance = (y - truth).abs() * if units < most { units } else { most };
                    let equal = y == truth || (y.is_nan() && truth.is_nan());
                    // Of numbers that are not negative the bits are in order, with NaN at the top.
                    *chain = (*chain).max(if equal { 0 } else { distance.abs().to_bits() });
                }
            }
            chains
        },
    );
    f64::from_bits(chains.into_iter().max().unwrap_or(0))
}
