//! Random numbers that are a function of where they are used: Philox 4x32-10, and the noise of a training that is made of it.
//!
//! Row 2 of the house: imports `simd`, `scalar` and its own kind. Begin with [`Stream`].
//!
//! Dropout needs a random number for each unit of each row in each step, whoever computes it and in whatever order. So there is no
//! generator with a state: the number at place `i` of a [`Stream`] is ten rounds of a keyed bijection of the place (Salmon et al. 2011,
//! "Parallel random numbers: as easy as 1, 2, 3", which passes TestU01's BigCrush; seven rounds do too). Bits therefore depend neither on
//! threads nor on how a batch is cut, and a training that is taken up again at a step meets the numbers it would have met.
//!
//! A bijection of counters is what other hashes of this price are not: no two places of a stream share their 128 bits.

use super::math;
use crate::simd::{Isa, Kernel, Lanes, Vectorized};

/// Which random numbers: the seed is the key, step and number the upper half of the counter, of which the lower is a place.
///
/// Of the step 48 bits count: at a step each microsecond they come round after nine years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The seed.
    pub seed: u64,
    /// The training step.
    pub step: u64,
    /// What they are used for.
    pub number: u16,
}

/// Words made at once: of sixteen counters the first words, then the second ones, and so on, so that a lane is a counter's and nothing
/// is transposed.
const GROUP: usize = 64;
/// Counters at work at once: their state fills the registers of the narrowest vectors that it is fast on.
const SIDE_BY_SIDE: usize = 8;
const ROUNDS: usize = 10;
/// The multipliers and the steps of the key (Salmon et al. 2011, table 2 and section 4.3: golden ratio and root of 3, less 1).
const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u64; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// Words are held in the lower halves of lanes of 64 bits: a product of two then needs no shuffle.
const LOW: u64 = 0xFFFF_FFFF;

/// Ten rounds on `SIDE_BY_SIDE` counters.
#[inline(always)]
fn philox([mut a, mut b, mut c, mut d]: [[u64; SIDE_BY_SIDE]; 4], seed: u64) -> [[u64; SIDE_BY_SIDE]; 4] {
    let (mut key, mut other) = (seed & LOW, seed >> 32);
    for _ in 0..ROUNDS {
        let (mut first, mut second) = ([0; SIDE_BY_SIDE], [0; SIDE_BY_SIDE]);
        for i in 0..SIDE_BY_SIDE {
            first[i] = (a[i] & LOW) * MULTIPLIERS[0];
            second[i] = (c[i] & LOW) * MULTIPLIERS[1];
        }
        for i in 0..SIDE_BY_SIDE {
            a[i] = (second[i] >> 32) ^ b[i] ^ key;
            c[i] = (first[i] >> 32) ^ d[i] ^ other;
            b[i] = second[i] & LOW;
            d[i] = first[i] & LOW;
        }
        (key, other) = ((key + WEYL[0]) & LOW, (other + WEYL[1]) & LOW);
    }
    [a, b, c, d]
}

/// The words at the places `GROUP group` and on of a stream.
#[inline(always)]
fn words(stream: Stream, group: u64) -> [u32; GROUP] {
    let Stream { seed, step, number } = stream;
    let mut words = [0; GROUP];
    let width = GROUP / 4;
    for first in (0..width).step_by(SIDE_BY_SIDE) {
        let (mut low, mut high) = ([0; SIDE_BY_SIDE], [0; SIDE_BY_SIDE]);
        for i in 0..SIDE_BY_SIDE {
            let counter = group * width as u64 + (first + i) as u64;
            (low[i], high[i]) = (counter & LOW, counter >> 32);
        }
        let upper = [step & LOW, step >> 32 & 0xFFFF | u64::from(number) << 16];
        let made = philox([low, high, [upper[0]; SIDE_BY_SIDE], [upper[1]; SIDE_BY_SIDE]], seed);
        for (w, word) in made.iter().enumerate() {
            for i in 0..SIDE_BY_SIDE {
                words[w * width + first + i] = word[i] as u32;
            }
        }
    }
    words
}

/// The groups that the places `at .. at + length` lie in: each with the first of its places, the first of ours, and how many.
#[inline(always)]
fn groups(at: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let place = at + done as u64;
        let from = (place % GROUP as u64) as usize;
        let (start, count) = (done, (GROUP - from).min(length - done));
        done += count;
        (count > 0).then_some((place / GROUP as u64, from, start, count))
    })
}

/// The words at the places `at` and on.
pub fn fill_words(isa: Isa, stream: Stream, at: u64, to: &mut [u32]) {
    f32::dispatch(isa, Words { stream, at, to });
}

struct Words<'a> {
    stream: Stream,
    at: u64,
    to: &'a mut [u32],
}

impl<T: Vectorized> Kernel<T> for Words<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, _: L) {
        let Self { stream, at, to } = self;
        for (group, from, start, count) in groups(at, to.len()) {
            to[start..start + count].copy_from_slice(&words(stream, group)[from..from + count]);
        }
    }
}

/// How much is dropped: a part `rate` of the numbers, from 0 to below 1, while the others are divided by `1 - rate`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drop {
    threshold: u32,
    scale: f64,
}

impl Drop {
    /// For a rate from 0 to below 1, which is met to 2^-33.
    pub fn new(rate: f64) -> Self {
        debug_assert!((0.0..1.0).contains(&rate));
        // Saturates at the highest word, which is kept.
        Self { threshold: (rate * (1u64 << 32) as f64).round() as u32, scale: 1.0 / (1.0 - rate) }
    }
}

/// Inverted dropout (Srivastava et al. 2014, section 10): each number of each slice becomes 0 or is scaled up, as the word at its place says;
/// the first of them stands at place `at`. Zero is +0, whatever was there.
///
/// **Shapes**: slices of one length, or empty.
pub fn drop<T: Vectorized, const N: usize>(isa: Isa, stream: Stream, drop: Drop, at: u64, numbers: [&mut [T]; N]) {
    T::dispatch(isa, Dropped { stream, drop, at, numbers });
}

struct Dropped<'a, T, const N: usize> {
    stream: Stream,
    drop: Drop,
    at: u64,
    numbers: [&'a mut [T]; N],
}

impl<T: Vectorized, const N: usize> Kernel<T> for Dropped<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, _: L) {
        let Self { stream, drop: Drop { threshold, scale }, at, mut numbers } = self;
        let scale = T::from_f64(scale);
        let length = numbers.iter().map(|slice| slice.len()).max().unwrap_or(0);
        for (group, from, start, count) in groups(at, length) {
            let words = words(stream, group);
            for slice in numbers.iter_mut().filter(|slice| !slice.is_empty()) {
                let slice = &mut slice[start..start + count];
                match <&mut [T; GROUP]>::try_from(&mut *slice) {
                    Ok(whole) => {
                        for i in 0..GROUP {
                            whole[i] = if words[i] >= threshold { whole[i] * scale } else { T::ZERO };
                        }
                    }
                    Err(_) => {
                        for (x, word) in slice.iter_mut().zip(&words[from..]) {
                            *x = if *word >= threshold { *x * scale } else { T::ZERO };
                        }
                    }
                }
            }
        }
    }
}

/// `to <- x + deviation n` with a standard normal number `n` for each place, the first of which is `at`.
///
/// The number is the normal quantile of the word: that of `(w + 1/2) / 2^32`, within 1.2e-7 of itself (Wichura 1988, algorithm AS 241,
/// PPND7), so that none lies beyond 6.34; in `f64` whatever `T` is, so that both precisions have the same noise. Box and Muller's way
/// would take a sine for the division here.
pub fn add_normal<T: Vectorized>(isa: Isa, stream: Stream, deviation: f64, at: u64, x: &[T], to: &mut [T]) {
    debug_assert_eq!(x.len(), to.len());
    let mut normal = [0.0; GROUP];
    for (group, from, start, count) in groups(at, to.len()) {
        f64::dispatch(isa, Normal { stream, group, to: &mut normal });
        let x = &x[start..start + count];
        for ((to, &x), n) in to[start..start + count].iter_mut().zip(x).zip(&normal[from..]) {
            *to = x + T::from_f64(deviation * n);
        }
    }
}

struct Normal<'a> {
    stream: Stream,
    group: u64,
    to: &'a mut [f64; GROUP],
}

/// AS 241, PPND7: numerator and denominator from the constant up, around the median and in the tail.
const CENTRE: [[f64; 4]; 2] = [
    [3.387_132_717_9, 50.434_271_938, 159.291_132_02, 59.109_374_720],
    [1.0, 17.895_169_469, 78.757_757_664, 67.187_563_600],
];
const TAIL: [[f64; 4]; 2] = [
    [1.423_437_277_7, 2.756_815_390_0, 1.306_728_481_6, 0.170_238_211_03],
    [1.0, 0.737_001_642_50, 0.120_211_329_75, 0.0],
];
/// How far from 1/2 the median's formula reaches, the middle of its argument, and of the tail's.
const NEAR: f64 = 0.425;
const CENTRE_MIDDLE: f64 = 0.180_625;
const TAIL_MIDDLE: f64 = 1.6;

impl Kernel<f64> for Normal<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, lanes: L) {
        let words = words(self.stream, self.group);
        let mut signed = [0.0; GROUP];
        for i in 0..GROUP {
            // The distance to the nearer end of 0..1, exactly, and on which side of the median it is.
            let nearer = |word: u32| (f64::from(word) + 0.5) / (1u64 << 32) as f64;
            signed[i] = if words[i] >> 31 == 0 { -nearer(words[i]) } else { nearer(!words[i]) };
        }
        let horner = |[a, b, c, d]: [f64; 4], x: L::Vector| {
            let high = lanes.mul_add(lanes.splat(d), x, lanes.splat(c));
            lanes.mul_add(lanes.mul_add(high, x, lanes.splat(b)), x, lanes.splat(a))
        };
        for (from, to) in signed.chunks_exact(L::WIDTH).zip(self.to.chunks_exact_mut(L::WIDTH)) {
            let signed = lanes.load(from);
            let p = lanes.abs(signed);
            let q = lanes.sub(lanes.splat(0.5), p);
            let near = lanes.sub(lanes.splat(CENTRE_MIDDLE), lanes.mul(q, q));
            let far = lanes.sub(lanes.sqrt(lanes.neg(math::ln(lanes, p))), lanes.splat(TAIL_MIDDLE));
            let is_near = lanes.le(q, lanes.splat(NEAR));
            let over = lanes.select(is_near, lanes.mul(q, horner(CENTRE[0], near)), horner(TAIL[0], far));
            let under = lanes.select(is_near, horner(CENTRE[1], near), horner(TAIL[1], far));
            lanes.store(lanes.copysign(lanes.div(over, under), signed), to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::Scalar;

    const STREAM: Stream = Stream { seed: 7, step: 3, number: 2 };

    #[test]
    fn the_bijection_is_philox_4x32_10() {
        // The known answers of Random123's kat_vectors.
        let answers = [
            ([0; 4], 0, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([LOW; 4], u64::MAX, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                0x299f_31d0_a409_3822,
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, seed, expected) in answers {
            let found = philox(counter.map(|word| [word; SIDE_BY_SIDE]), seed);
            assert_eq!(found.map(|words| words[5] & LOW), expected);
        }
    }

    #[test]
    fn a_word_depends_on_its_place_alone() {
        let mut all = vec![0; 1000];
        fill_words(Isa::Portable, STREAM, 0, &mut all);
        // Word 1 of counter 3 is at place 16 + 3.
        let counter = [3, 0, STREAM.step, u64::from(STREAM.number) << 16];
        assert_eq!(all[19], philox(counter.map(|word| [word; SIDE_BY_SIDE]), STREAM.seed)[1][0] as u32);
        for isa in Isa::available() {
            for (at, length) in [(0, 1000), (1, 63), (1, 64), (63, 2), (64, 64), (130, 517), (999, 1), (5, 0)] {
                let mut part = vec![0; length];
                fill_words(isa, STREAM, at as u64, &mut part);
                assert_eq!(part, all[at..at + length], "{isa}, {length} from {at}");
                let mut normal = vec![0.0; length];
                add_normal(isa, STREAM, 1.0, at as u64, &vec![0.0; length], &mut normal);
                let mut whole = vec![0.0; 1000];
                add_normal(Isa::Portable, STREAM, 1.0, 0, &[0.0; 1000], &mut whole);
                assert_eq!(normal, whole[at..at + length], "{isa}, {length} from {at}");
            }
        }
        // Beyond 32 bits of counter, and of step.
        let word = |stream: Stream, at: u64| {
            let mut word = [0];
            fill_words(Isa::Portable, stream, at, &mut word);
            word[0]
        };
        let others = [
            word(STREAM, 1 << 36),
            word(Stream { step: STREAM.step | 1 << 32, ..STREAM }, 0),
            word(Stream { number: 3, ..STREAM }, 0),
            word(Stream { seed: 7 | 1 << 32, ..STREAM }, 0),
        ];
        others.iter().for_each(|other| assert_ne!(*other, all[0]));
    }

    #[test]
    fn what_is_kept_is_scaled_and_the_rest_is_zero() {
        fn check<T: Vectorized>() {
            let mut words = vec![0; 300];
            fill_words(Isa::Portable, STREAM, 21, &mut words);
            for isa in Isa::available() {
                let mut x = vec![T::from_f64(3.0); 300];
                let mut slope = vec![T::from_f64(f64::INFINITY); 300];
                drop(isa, STREAM, Drop::new(0.25), 21, [&mut x, &mut slope]);
                for ((x, slope), word) in x.iter().zip(&slope).zip(&words) {
                    let kept = f64::from(*word) >= 0.25 * (1u64 << 32) as f64;
                    assert_eq!(x.real(), if kept { T::from_f64(3.0 / 0.75).real() } else { 0.0 });
                    assert_eq!(slope.real(), if kept { f64::INFINITY } else { 0.0 });
                }
            }
        }
        check::<f32>();
        check::<f64>();
    }

    /// Pearson's statistic of counts against what is expected, in standard deviations of its distribution.
    fn chi_square(counts: &[f64], expected: &[f64]) -> f64 {
        let sum: f64 = counts.iter().zip(expected).map(|(n, e)| (n - e) * (n - e) / e).sum();
        let freedom = counts.len() as f64 - 1.0;
        (sum - freedom) / (2.0 * freedom).sqrt()
    }

    #[test]
    fn rates_are_met_in_every_step_layer_and_place() {
        // Each of 512 cells has 4096 numbers: of a step, of a stream, and of a place modulo 512, over all others.
        const CELLS: usize = 512;
        for rate in [0.01, 0.2, 0.5, 0.9] {
            let (mut steps, mut numbers, mut places, mut pairs) =
                (vec![0.0; CELLS], vec![0.0; CELLS], vec![0.0; CELLS], [0.0; 4]);
            let mut dropped = |stream: Stream, cell: &mut f64| {
                let mut x = vec![1.0_f32; 4096];
                drop(Isa::Portable, stream, Drop::new(rate), 0, [&mut x]);
                for (place, x) in x.iter().enumerate() {
                    *cell += f64::from(u8::from(*x == 0.0));
                    places[place % CELLS] += f64::from(u8::from(*x == 0.0));
                }
                // Units side by side do not know each other.
                x.windows(2)
                    .step_by(2)
                    .for_each(|w| pairs[usize::from(w[0] == 0.0) * 2 + usize::from(w[1] == 0.0)] += 1.0);
            };
            for i in 0..CELLS {
                dropped(Stream { step: i as u64, ..STREAM }, &mut steps[i]);
                dropped(Stream { number: 100 + i as u16, ..STREAM }, &mut numbers[i]);
            }
            for (cells, each) in [(&steps, 4096.0), (&numbers, 4096.0), (&places, 2.0 * 4096.0)] {
                // Of binomial counts, which vary by 1 - rate of what Poisson's do.
                let (expected, scale) = (each * rate, 1.0 / (1.0 - rate));
                let sum: f64 = cells.iter().map(|n| scale * (n - expected) * (n - expected) / expected).sum();
                let z = (sum - CELLS as f64) / (2.0 * CELLS as f64).sqrt();
                assert!(z.abs() < 4.0, "rate {rate}: {z:.2} deviations");
            }
            let total: f64 = pairs.iter().sum();
            let (p, q) = (rate, 1.0 - rate);
            let z = chi_square(&pairs, &[q * q * total, q * p * total, p * q * total, p * p * total]);
            assert!(z < 4.0, "rate {rate}: pairs by {z:.2} deviations");
        }
    }

    #[test]
    fn normal_numbers_are_the_quantiles_of_the_words() {
        let mut words = vec![0; 1 << 16];
        fill_words(Isa::Portable, STREAM, 0, &mut words);
        let mut normal = vec![0.0; words.len()];
        add_normal(Isa::Portable, STREAM, 1.0, 0, &vec![0.0; words.len()], &mut normal);
        let mut counts = [0.0; 100];
        for (n, word) in normal.iter().zip(&words) {
            let p = (f64::from(*word) + 0.5) / (1u64 << 32) as f64;
            // The tail beyond |n| from the error function, against the one that the word says.
            let (tail, expected) = (libm::erfc(n.abs() / 2f64.sqrt()) / 2.0, p.min(1.0 - p));
            assert!((tail / expected - 1.0).abs() < 5e-6, "{n}: {tail} for {expected}");
            assert_eq!(*n < 0.0, p < 0.5);
            counts[(100.0 * p) as usize] += 1.0;
        }
        let z = chi_square(&counts, &[words.len() as f64 / 100.0; 100]);
        assert!(z.abs() < 4.0, "{z:.2} deviations");
        let count = normal.len() as f64;
        let moment = |k: i32| normal.iter().map(|n| n.powi(k)).sum::<f64>() / count;
        // Standard errors of the moments of n normal numbers: 1, root 2, root 15 and root 96 over root n.
        for (k, expected, error) in
            [(1, 0.0, 1.0), (2, 1.0, 2f64.sqrt()), (3, 0.0, 15f64.sqrt()), (4, 3.0, 96f64.sqrt())]
        {
            assert!((moment(k) - expected).abs() < 4.0 * error / count.sqrt(), "moment {k}: {}", moment(k));
        }
    }

    #[test]
    fn both_precisions_have_the_same_noise() {
        let (mut single, mut double) = (vec![0.0_f32; 100], vec![0.0_f64; 100]);
        add_normal(Isa::Portable, STREAM, 0.3, 5, &[0.0; 100], &mut single);
        add_normal(Isa::Portable, STREAM, 0.3, 5, &[0.0; 100], &mut double);
        single.iter().zip(&double).for_each(|(s, d)| assert_eq!(*s, *d as f32));
    }
}
