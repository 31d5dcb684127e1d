//! The promise of the elementary functions that build on the exponential: accurate to the bound in their docs, with their slope
//! or without, the same bits at every level, and right at zeros, infinities and NaN.

#[allow(dead_code, reason = "half of it is for the functions of tests/kernels.rs")]
#[path = "kernels/oracle.rs"]
mod oracle;
#[path = "kernels/truth.rs"]
mod truth;

use deltarule::kernel::elementwise::Function;
use deltarule::simd::{Isa, Vectorized};
use oracle::Format;
use std::fmt::LowerExp;

/// A type under test.
trait Real: Vectorized + LowerExp {
    const FORMAT: Format;
    /// The distance from 1 to the next number.
    const EPSILON: f64;
    /// The number with these bits, of which the type takes as many as it has.
    fn from_bits(bits: u64) -> Self;
    fn bits(self) -> u64;
}

impl Real for f32 {
    const FORMAT: Format = Format { digits: 24, min_exponent: -126 };
    const EPSILON: f64 = f32::EPSILON as f64;
    fn from_bits(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
}

impl Real for f64 {
    const FORMAT: Format = Format { digits: 53, min_exponent: -1022 };
    const EPSILON: f64 = f64::EPSILON;
    fn from_bits(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

/// A function under test.
#[derive(Clone, Copy)]
struct Subject {
    function: Function,
    /// The bound that its docs state, in units in the last place.
    bound: f64,
    /// That of its slope, in units in the last place of the slope or of 1, whichever are larger.
    slope: f64,
    /// What it is at minus infinity, -0, 0 and infinity, signs of zeros included.
    special: [f64; 4],
}

const INF: f64 = f64::INFINITY;
const LN_2: f64 = std::f64::consts::LN_2;
const SUBJECTS: [Subject; 10] = [
    Subject { function: Function::ExpM1, bound: 1.1, slope: 2.0, special: [-1.0, -0.0, 0.0, INF] },
    Subject { function: Function::Ln, bound: 1.0, slope: 1.0, special: [f64::NAN, -INF, -INF, INF] },
    Subject { function: Function::Ln1p, bound: 1.0, slope: 2.0, special: [f64::NAN, -0.0, 0.0, INF] },
    Subject { function: Function::Softplus, bound: 1.3, slope: 3.0, special: [0.0, LN_2, LN_2, INF] },
    Subject { function: Function::LogSigmoid, bound: 1.3, slope: 3.0, special: [-INF, -LN_2, -LN_2, -0.0] },
    Subject { function: Function::Elu { alpha: 1.0 }, bound: 1.0, slope: 3.0, special: [-1.0, -0.0, 0.0, INF] },
    Subject { function: Function::Selu, bound: 1.0, slope: 3.0, special: [-1.758_099_340_847_376_6, -0.0, 0.0, INF] },
    Subject { function: Function::Silu, bound: 1.0, slope: 3.0, special: [-0.0, -0.0, 0.0, INF] },
    Subject { function: Function::Gelu, bound: 1.8, slope: 3.0, special: [-0.0, -0.0, 0.0, INF] },
    Subject { function: Function::GeluTanh, bound: 1.0, slope: 3.0, special: [-0.0, -0.0, 0.0, INF] },
];

/// Where a logarithm is minus infinity; below there is none.
fn pole(function: Function) -> Option<f64> {
    match function {
        Function::Ln => Some(0.0),
        Function::Ln1p => Some(-1.0),
        _ => None,
    }
}

/// Checks the subject at `inputs`, and returns the largest error and where it is, and the same of the slope; or says what is wrong.
fn check<T: Real>(subject: Subject, isa: Isa, inputs: &[T]) -> Result<[(f64, T); 2], String> {
    let Subject { function, bound, slope: slope_bound, .. } = subject;
    let mut alone = inputs.to_vec();
    function.apply(isa, &mut alone);
    let (mut values, mut slopes) = (inputs.to_vec(), inputs.to_vec());
    function.apply_with_slope(isa, &mut values, &mut slopes);
    let mut worst = [(0.0, T::ZERO); 2];
    for (i, &x) in inputs.iter().enumerate() {
        let (y, slope) = (values[i], slopes[i]);
        let place = || format!("{} at {isa}, x = {x:e} (bits {:x}): {y:e}, slope {slope:e}", function.name(), x.bits());
        if x.real().is_nan() {
            if !y.real().is_nan() || !alone[i].real().is_nan() || !slope.real().is_nan() {
                return Err(format!("{}, expected NaN", place()));
            }
            continue;
        }
        if pole(function).is_some_and(|pole| x.real() <= pole) {
            let right =
                if Some(x.real()) == pole(function) { y.real() == f64::NEG_INFINITY } else { y.real().is_nan() };
            if !right || !same(alone[i], y) {
                return Err(format!("{}, expected minus infinity at the pole and NaN below", place()));
            }
            continue;
        }
        if !same(alone[i], y) {
            return Err(format!("{}, but {:e} without the slope", place(), alone[i]));
        }
        // `the_edges_are_decided` has the infinities.
        if !x.real().is_finite() {
            continue;
        }
        let far = x.real().abs() > T::either(200.0, 1000.0);
        // Far out, all but the logarithms are 0, 1, x or infinite, for which f64 will do.
        let plain = far && !matches!(function, Function::Ln | Function::Ln1p) || T::EPSILON > f64::EPSILON;
        let truth = if plain { truth::in_f64(function, x.real()) } else { truth::of(function, x.real()) };
        let error = if far && truth.value.high.is_infinite() && y.real() == truth.value.high {
            0.0
        } else {
            truth.ulps(y.real(), T::FORMAT)
        };
        if error.is_nan() || error > bound {
            return Err(format!("{}, wrong by {error:.3} ulp of at most {bound}", place()));
        }
        if error > worst[0].0 {
            worst[0] = (error, x);
        }
        let exact = truth::slope(function, x.real());
        let overflows = exact.abs() >= T::either(f32::MAX.into(), f64::MAX) * (1.0 - T::EPSILON);
        let error = (slope.real() - exact).abs() / exact.abs().max(1.0) / T::EPSILON;
        if !overflows {
            if error.is_nan() || error > slope_bound {
                return Err(format!(
                    "{}, expected {exact:e}, wrong by {error:.3} units of at most {slope_bound}",
                    place()
                ));
            }
            if error > worst[1].0 {
                worst[1] = (error, x);
            }
        }
    }
    Ok(worst)
}

/// The edges: of the type, of the functions' range, of their intervals, with their neighbours.
fn special<T: Real>() -> Vec<T> {
    let mut values: Vec<f64> = vec![0.0, f64::INFINITY, f64::NAN, 1e-6, 0.5, 0.75, 1.0, 1.5, 4.0, 1e30];
    values.extend(T::either(
        [1e-45, 1.1754942e-38, 1.1754944e-38, 3.4028235e38],
        [5e-324, 2.225_073_858_507_201e-308, f64::MIN_POSITIVE, f64::MAX],
    ));
    // Where results leave the normal numbers, or reach their limit; and the bounds inside the kernels.
    values.extend([
        8.3, 11.0, 12.0, 13.9, 14.2, 14.5, 17.33, 22.0, 37.43, 38.48, 38.8, 69.3, 87.0, 88.722_83, 92.0, 103.972,
    ]);
    values.extend([104.0, 108.6, 112.0, 693.1, 708.0, 709.782_712_893_384, 715.0, 745.2, 746.0, 752.0, 754.0]);
    values.extend((1..80).map(|k| (f64::from(k) + 0.5) * LN_2));
    values.extend((1..60).map(|k| 2f64.powi(-k)));
    let mut all = Vec::new();
    for value in values.into_iter().flat_map(|v| [v, v / 2.0, 2.0 * v]).map(T::from_f64) {
        let bits = value.bits();
        let above = if value.is_finite() { 3 } else { 0 };
        let around = bits.saturating_sub(3)..=bits + above;
        all.extend(around.map(T::from_bits).flat_map(|x| [x, -x]));
    }
    all
}

/// About `count` numbers of every sign, exponent and finest digits; NaN among them.
fn sample<T: Real>(count: u64) -> Vec<T> {
    let bits = T::either(32, 64);
    let stride = 1u64 << (bits - count.ilog2());
    // The multiplier of a congruential generator fills the low digits.
    let fine = |i: u64| i.wrapping_mul(6_364_136_223_846_793_005).rotate_left(20) % stride;
    (0..count).map(|i| T::from_bits(i.wrapping_mul(stride) + fine(i))).collect()
}

/// Numbers between -`limit` and `limit`, where the functions are neither linear nor flat.
fn ordinary<T: Real>(count: u32, limit: f64) -> Vec<T> {
    (0..count).map(|i| T::from_f64((f64::from(i) / f64::from(count) * 2.0 - 1.0) * limit)).collect()
}

fn same<T: Real>(a: T, b: T) -> bool {
    // Of NaN, only that it is one is promised.
    a.bits() == b.bits() || (a.real().is_nan() && b.real().is_nan())
}

fn accuracy<T: Real>(inputs: &[T], few: &[T]) {
    let mut faults = Vec::new();
    for subject in SUBJECTS {
        for isa in Isa::available() {
            // The portable level's fused multiply-add is a call into the system's library.
            let inputs = if isa == Isa::Portable { few } else { inputs };
            match check(subject, isa, inputs) {
                Ok([(error, x), (slope, at)]) => println!(
                    "{} {} at {isa}: {error:.4} ulp, at {x:e}; slope {slope:.4}, at {at:e}",
                    subject.function.name(),
                    T::either("f32", "f64")
                ),
                Err(fault) => faults.push(fault),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn functions_keep_their_bounds_in_f32() {
    let few = [special(), sample(1 << 14), ordinary(1 << 13, 20.0)].concat();
    let inputs = [few.clone(), sample(1 << 22), ordinary(1 << 18, 4.0), ordinary(1 << 18, 110.0)].concat();
    accuracy::<f32>(&inputs, &few);
}

#[test]
fn functions_keep_their_bounds_in_f64() {
    // The oracle takes some microseconds for each.
    let few = [special(), sample(1 << 11), ordinary(1 << 11, 20.0)].concat();
    let inputs =
        [few.clone(), sample(1 << 13), ordinary(1 << 14, 4.0), ordinary(1 << 14, 40.0), ordinary(1 << 12, 760.0)];
    accuracy::<f64>(&inputs.concat(), &few);
}

/// What stands in the docs about zeros, infinities and the ends of the logarithms, the signs of zeros included; and NaN.
fn edges<T: Real>() {
    for subject in SUBJECTS {
        for isa in Isa::available() {
            let inputs = [f64::NEG_INFINITY, -0.0, 0.0, INF, f64::NAN].map(T::from_f64);
            let (mut values, mut slopes) = (inputs.to_vec(), inputs.to_vec());
            subject.function.apply_with_slope(isa, &mut values, &mut slopes);
            for ((&x, &y), expected) in inputs.iter().zip(&values).zip(subject.special.into_iter().chain([f64::NAN])) {
                // LN_2 and SELU's limit are met by the bounds of the other tests.
                let near = (y.real() - expected).abs() <= T::EPSILON && expected != 0.0;
                assert!(
                    near || same(y, T::from_f64(expected)),
                    "{} at {isa}: {y:e} at {x:e}, expected {expected:e}",
                    subject.function.name()
                );
            }
            // A slope is a number wherever the function is one.
            for (&x, &slope) in inputs.iter().zip(&slopes).take(4) {
                let outside = pole(subject.function).is_some_and(|pole| x.real() <= pole);
                assert!(outside || !slope.real().is_nan(), "{} at {isa}: NaN slope at {x:e}", subject.function.name());
            }
        }
    }
}

#[test]
fn the_edges_are_decided() {
    edges::<f32>();
    edges::<f64>();
}

#[test]
fn small_numbers_come_back_as_they_are() {
    // Below 2^-60 the next term of the series is below half a unit, in both types.
    let small: Vec<f64> =
        (61..1075).step_by(7).flat_map(|k| [2f64.powi(-k), -2f64.powi(-k), -1.7 * 2f64.powi(-k)]).collect();
    for isa in Isa::available() {
        for function in [Function::ExpM1, Function::Ln1p, Function::Elu { alpha: 1.0 }] {
            let mut y = small.clone();
            function.apply(isa, &mut y);
            assert_eq!(y, small, "{} at {isa}", function.name());
            let single: Vec<f32> = small.iter().map(|&x| x as f32).collect();
            let mut y = single.clone();
            function.apply(isa, &mut y);
            assert_eq!(y, single, "{} at {isa}", function.name());
        }
    }
}

#[test]
fn every_level_gives_the_same_bits() {
    fn compare<T: Real>() {
        let inputs = [special(), sample::<T>(1 << 13), ordinary(1 << 13, 12.0)].concat();
        for Subject { function, .. } in SUBJECTS {
            let results = Isa::available().map(|isa| {
                let (mut values, mut slopes) = (inputs.clone(), inputs.clone());
                function.apply_with_slope(isa, &mut values, &mut slopes);
                (isa, values, slopes)
            });
            let results: Vec<_> = results.collect();
            let (_, values, slopes) = &results[0];
            for (isa, other_values, other_slopes) in &results[1..] {
                for (i, x) in inputs.iter().enumerate() {
                    assert!(
                        same(values[i], other_values[i]) && same(slopes[i], other_slopes[i]),
                        "{} at {isa}, x = {x:e}: {:e} and {:e}, portable {:e} and {:e}",
                        function.name(),
                        other_values[i],
                        other_slopes[i],
                        values[i],
                        slopes[i]
                    );
                }
            }
        }
    }
    compare::<f32>();
    compare::<f64>();
}

/// The bounds are no wider than they need be, and the harness sees a fault: no subject passes at half of its bound.
#[test]
fn half_of_each_bound_is_refused() {
    let inputs = [special(), sample::<f32>(1 << 18), ordinary(1 << 16, 4.0), ordinary(1 << 16, 110.0)].concat();
    for subject in SUBJECTS {
        let strict = Subject { bound: subject.bound / 2.0, ..subject };
        let fault = check(strict, Isa::best(), &inputs).unwrap_err();
        assert!(fault.contains("wrong by"), "{fault}");
    }
}

/// Every oracle against the other one, which shares no formula with it.
#[test]
fn the_oracles_agree() {
    const DOUBLE: Format = Format { digits: 53, min_exponent: -1022 };
    for Subject { function, .. } in SUBJECTS {
        for i in -2000..=2000 {
            let x = f64::from(i) * 0.0137 + 1e-4;
            if pole(function).is_some_and(|pole| x <= pole) {
                continue;
            }
            let plain = truth::in_f64(function, x).value.high;
            // A rounded argument z of an exponential counts z times, and those of GELU are rounded more than once.
            let argument = match function {
                Function::Gelu => x * x,
                Function::GeluTanh => x.powi(3).abs(),
                _ => 0.0,
            };
            let error = truth::of(function, x).ulps(plain, DOUBLE);
            assert!(error < 8.0 + 2.0 * argument, "{} at {x}: {error} units apart", function.name());
        }
    }
}
