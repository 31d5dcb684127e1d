//! Which inputs are tried, cut into units of work. Each unit is in natural order, so that descents can be seen.

use crate::real::Real;

/// Inputs in units.
pub trait Inputs<T>: Sync {
    /// How many units there are.
    fn units(&self) -> usize;
    /// The inputs of a unit, in natural order.
    fn unit(&self, unit: usize) -> Vec<T>;
}

/// Every number of a narrow type, or every `stride`-th, in natural order.
#[derive(Clone, Copy, Debug)]
pub struct Every {
    /// 1 for all.
    pub stride: u64,
}

/// How many places a unit of [`Every`] spans.
const SPAN: u64 = 1 << 20;

impl Inputs<f32> for Every {
    fn units(&self) -> usize {
        ((1u64 << f32::WIDTH) / SPAN) as usize
    }
    fn unit(&self, unit: usize) -> Vec<f32> {
        let begin = unit as u64 * SPAN;
        let first = begin.next_multiple_of(self.stride);
        (first..begin + SPAN).step_by(self.stride as usize).map(f32::from_place).collect()
    }
}

/// `count` random numbers after the neighbourhoods of all special ones: half of them of any bits, half with the exponents from
/// -60 to 10, where the functions are neither linear nor flat.
#[derive(Clone, Debug)]
pub struct Random {
    count: u64,
    /// The places of the special ones, in order.
    special: Vec<u64>,
}

impl Random {
    /// The special ones of a type, and so many others.
    pub fn new<T: Real>(count: u64) -> Self {
        Self { count, special: special::<T>() }
    }
}

/// How many a unit of [`Random`] and [`Subset`] has: the random ones are sorted, and small sorts are fast.
const SAMPLE: u64 = 1 << 14;
/// The units of [`Random`] that hold the special ones.
const SPECIAL_UNITS: usize = 64;

impl<T: Real> Inputs<T> for Random {
    fn units(&self) -> usize {
        SPECIAL_UNITS + self.count.div_ceil(SAMPLE) as usize
    }
    fn unit(&self, unit: usize) -> Vec<T> {
        if unit < SPECIAL_UNITS {
            let length = self.special.len().div_ceil(SPECIAL_UNITS);
            return self
                .special
                .chunks(length)
                .nth(unit)
                .unwrap_or_default()
                .iter()
                .map(|&place| T::from_place(place))
                .collect();
        }
        let begin = (unit - SPECIAL_UNITS) as u64 * SAMPLE;
        let end = (begin + SAMPLE).min(self.count);
        ordered((begin..end).map(|i| drawn::<T>(mixed(i), i % 2 == 0).place()).collect())
    }
}

/// 2^24 numbers, spread over all patterns: half evenly, half over the exponents from -60 to 10. For hashes at every level.
#[derive(Clone, Copy, Debug)]
pub struct Subset {
    /// 2^24, or fewer in tests.
    pub count: u64,
}

impl Subset {
    /// The inputs over which levels are compared.
    pub const WHOLE: Self = Self { count: 1 << 24 };
}

impl<T: Real> Inputs<T> for Subset {
    fn units(&self) -> usize {
        self.count.div_ceil(SAMPLE) as usize
    }
    fn unit(&self, unit: usize) -> Vec<T> {
        let begin = unit as u64 * SAMPLE;
        let end = (begin + SAMPLE).min(self.count);
        // A seed of its own, away from those of `Random`.
        ordered((begin..end).map(|i| drawn::<T>(mixed(!i), i % 2 == 0).place()).collect())
    }
}

fn ordered<T: Real>(mut places: Vec<u64>) -> Vec<T> {
    places.sort_unstable();
    places.into_iter().map(T::from_place).collect()
}

/// SplitMix64's output function of a counter.
fn mixed(counter: u64) -> u64 {
    let mut z = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number of these bits; or with their sign and mantissa and an exponent from -60 to 10.
fn drawn<T: Real>(bits: u64, any: bool) -> T {
    let number = T::from_bits(bits >> (64 - T::WIDTH));
    if any {
        return number;
    }
    let mantissa = (T::FORMAT.digits - 1) as u32;
    let bias = (1 - T::FORMAT.min_exponent) as u64;
    // The low bits of a 64-bit pattern are in its mantissa, but nowhere else.
    let exponent = mixed(bits) % 71 + bias - 60;
    let kept = number.bits() & (((1 << mantissa) - 1) | 1 << (T::WIDTH - 1));
    T::from_bits(kept | exponent << mantissa)
}

/// The places of all special numbers and their neighbours, ordered: the type's edges, every power of two, the borders of the
/// intervals into which multiples of `ln 2 / 2` cut, and where the functions saturate.
fn special<T: Real>() -> Vec<u64> {
    // Neighbours on either side: of numbers that come by the thousand, and of single ones.
    const FEW: u64 = 16;
    const MANY: u64 = 1024;
    let largest = 1 - T::FORMAT.min_exponent;
    let powers = (T::FORMAT.min_exponent - T::FORMAT.digits..=largest).map(|e| 2f64.powi(e / 2) * 2f64.powi(e - e / 2));
    let halves = (1..2200).map(|k| f64::from(k) * 0.5 * std::f64::consts::LN_2);
    let single = [
        0.0,
        1.0,
        0.5,
        2.0,
        8.48,
        8.664_34,
        9.010_913,
        16.635_532,
        18.53,
        18.714_974,
        19.061_547_465_398_498,
        37.43,
        36.736_8,
        38.5,
        60.0,
        87.336_54,
        88.722_83,
        103.972,
        104.0,
        708.396_418_532_264_1,
        709.782_712_893_384,
        744.440_071_921_381_2,
        745.133_219_101_941_2,
        746.0,
        f64::INFINITY,
        f64::NAN,
        // Where GELU, both its forms and SiLU turn, and where GELU's tails end.
        0.751_791_5,
        0.752_461,
        1.278_464_5,
        5.4,
        13.0,
        14.4,
        21.0,
        38.6,
    ];
    let around = |value: f64, reach: u64| {
        [value, -value].into_iter().flat_map(move |value| {
            let place = T::from_f64(value).place();
            let last = if T::WIDTH == 64 { u64::MAX } else { (1 << T::WIDTH) - 1 };
            place.saturating_sub(reach)..=place.saturating_add(reach).min(last)
        })
    };
    let mut places: Vec<u64> = powers.chain(halves).flat_map(|value| around(value, FEW)).collect();
    places.extend(single.into_iter().flat_map(|value| around(value, MANY)));
    places.sort_unstable();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_comes_once_and_in_order() {
        let all = Every { stride: 1 };
        let units = Inputs::<f32>::units(&all);
        assert_eq!(units as u64 * SPAN, 1 << 32);
        for unit in [0, 1, units / 2 - 1, units / 2, units - 1] {
            let inputs = all.unit(unit);
            assert_eq!(inputs.len() as u64, SPAN);
            assert_eq!(inputs[0].place(), unit as u64 * SPAN);
            assert!(inputs.windows(2).all(|pair| pair[0].place() + 1 == pair[1].place()));
        }
        // A stride that does not divide a unit goes on in the next.
        let some = Every { stride: 3 };
        let tried: usize = (0..3).map(|unit| some.unit(unit).len()).sum();
        assert_eq!(tried as u64, SPAN);
    }

    #[test]
    fn samples_are_ordered_and_hold_the_special_ones() {
        let random = Random::new::<f64>(3 * SAMPLE + 5);
        let inputs: Vec<Vec<f64>> = (0..Inputs::<f64>::units(&random)).map(|unit| random.unit(unit)).collect();
        assert!(inputs.iter().all(|unit| unit.is_sorted_by_key(|x| x.place())));
        let drawn: usize = inputs[SPECIAL_UNITS..].iter().map(Vec::len).sum();
        assert_eq!(drawn as u64, random.count);
        let special: Vec<f64> = inputs[..SPECIAL_UNITS].concat();
        for x in [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 5e-324, f64::MAX, f64::MIN_POSITIVE, -1.0] {
            assert!(special.iter().any(|s| s.to_bits() == x.to_bits()), "{x:e}");
        }
        assert!(special.iter().any(|x| x.is_nan()));
        let middling = inputs[SPECIAL_UNITS].iter().filter(|x| (2f64.powi(-60)..2048.0).contains(&x.abs())).count();
        // Half of them, and 3 % of the others.
        assert!((8192..9200).contains(&middling), "{middling}");
    }
}
