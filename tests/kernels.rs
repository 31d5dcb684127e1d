//! The promise of the kernels: accurate to their bound, the same bits at every level and wherever a value stands, nothing
//! touched beside the slice, NaN kept, and the level that was asked for is the level that ran.

#[path = "kernels/oracle.rs"]
mod oracle;
#[path = "kernels/rows.rs"]
mod rows;
#[path = "kernels/subjects.rs"]
mod subjects;
#[path = "kernels/subnormal.rs"]
mod subnormal;

use deltarule::kernel::elementwise;
use deltarule::simd::{Isa, Kernel, Lanes, Vectorized};
use oracle::{Format, Truth};
use std::fmt::LowerExp;

/// A type under test.
trait Real: Vectorized + LowerExp {
    const FORMAT: Format;
    /// The number with these bits, of which the type takes as many as it has.
    fn from_bits(bits: u64) -> Self;
    fn bits(self) -> u64;
}

impl Real for f32 {
    const FORMAT: Format = Format { digits: 24, min_exponent: -126 };
    fn from_bits(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
}

impl Real for f64 {
    const FORMAT: Format = Format { digits: 53, min_exponent: -1022 };
    fn from_bits(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

/// A function under test.
struct Function<T> {
    name: &'static str,
    run: fn(Isa, &mut [T]),
    truth: fn(f64) -> Truth,
    /// The bound that its docs state, in units in the last place.
    bound: f64,
    low: f64,
    high: f64,
    odd: bool,
}

fn exp<T: Vectorized>(isa: Isa, x: &mut [T]) {
    elementwise::Function::Exp.apply(isa, x);
}
fn sigmoid<T: Vectorized>(isa: Isa, x: &mut [T]) {
    elementwise::Function::Sigmoid.apply(isa, x);
}
fn tanh<T: Vectorized>(isa: Isa, x: &mut [T]) {
    elementwise::Function::Tanh.apply(isa, x);
}

fn functions<T: Real>() -> [Function<T>; 3] {
    let [exp_truth, sigmoid_truth, tanh_truth] = T::either(
        [oracle::in_f64::exp as fn(f64) -> Truth, oracle::in_f64::sigmoid, oracle::in_f64::tanh],
        [oracle::exp, oracle::sigmoid, oracle::tanh],
    );
    [
        Function { name: "exp", run: exp, truth: exp_truth, bound: 1.0, low: 0.0, high: f64::INFINITY, odd: false },
        Function { name: "sigmoid", run: sigmoid, truth: sigmoid_truth, bound: 1.0, low: 0.0, high: 1.0, odd: false },
        Function { name: "tanh", run: tanh, truth: tanh_truth, bound: 1.0, low: -1.0, high: 1.0, odd: true },
    ]
}

/// Checks the function at `inputs`, and returns the largest error and where it is; or says what is wrong.
fn check<T: Real>(function: &Function<T>, isa: Isa, inputs: &[T]) -> Result<(f64, T), String> {
    let mut outputs = inputs.to_vec();
    (function.run)(isa, &mut outputs);
    let mut mirrored: Vec<T> = inputs.iter().map(|&x| -x).collect();
    (function.run)(isa, &mut mirrored);
    let mut worst = (0.0, T::ZERO);
    for ((&x, &y), &mirror) in inputs.iter().zip(&outputs).zip(&mirrored) {
        let place = || format!("{} at {isa}, x = {x:e} (bits {:x}): {y:e}", function.name, x.bits());
        if x.real().is_nan() {
            if !y.real().is_nan() {
                return Err(format!("{}, expected NaN", place()));
            }
            continue;
        }
        if !(function.low..=function.high).contains(&y.real()) {
            return Err(format!("{}, outside {}..={}", place(), function.low, function.high));
        }
        if function.odd && mirror.bits() != (-y).bits() {
            return Err(format!("{}, but {mirror:e} at -x", place()));
        }
        // Beyond this the limit at infinity is the answer, which the oracle's series do not take.
        let error = if x.real().abs() > T::either(200.0, 1000.0) {
            let limit = if x.real() > 0.0 { function.high } else { function.low };
            if y.real() == limit { 0.0 } else { f64::INFINITY }
        } else {
            (function.truth)(x.real()).ulps(y.real(), T::FORMAT)
        };
        if error.is_nan() || error > function.bound {
            return Err(format!("{}, wrong by {error:.3} ulp of at most {}", place(), function.bound));
        }
        if error > worst.0 {
            worst = (error, x);
        }
    }
    Ok(worst)
}

/// The edges: of the type, of the functions' range, of the splitting's intervals, with their neighbours.
fn special<T: Real>() -> Vec<T> {
    let mut values: Vec<f64> = vec![0.0, f64::INFINITY, f64::NAN, 1e-6, 0.5, 1.0];
    values.extend(T::either(
        [1e-45, 1.1754942e-38, 1.1754944e-38, 3.4028235e38],
        [5e-324, 2.225_073_858_507_201e-308, f64::MIN_POSITIVE, f64::MAX],
    ));
    // Where tanh reaches 1, sigmoid and exp reach 0, 1 and infinity; and the bounds inside the kernels.
    values.extend([
        8.48,
        8.664_34,
        9.010_913,
        9.1,
        18.53,
        19.061_547_465_398_498,
        20.0,
        60.0,
        87.336_54,
        88.0,
        88.722_83,
        103.972,
        104.0,
    ]);
    values.extend([708.396_418_532_264_1, 709.782_712_893_384, 744.440_071_921_381_2, 745.133_219_101_941_2, 746.0]);
    values.extend((1..80).map(|k| (f64::from(k) + 0.5) * std::f64::consts::LN_2));
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

fn accuracy<T: Real>(inputs: &[T]) {
    for function in functions::<T>() {
        for isa in Isa::available() {
            let (error, x) = check(&function, isa, inputs).unwrap_or_else(|fault| panic!("{fault}"));
            println!("{} {} at {isa}: {error:.4} ulp, at {x:e}", function.name, T::either("f32", "f64"));
        }
    }
}

#[test]
fn functions_keep_their_bounds_in_f32() {
    accuracy::<f32>(&[special(), sample(1 << 20), ordinary(1 << 16, 100.0)].concat());
}

#[test]
fn functions_keep_their_bounds_in_f64() {
    // 30,000 numbers: the oracle takes a microsecond for each.
    accuracy::<f64>(&[special(), sample(1 << 14), ordinary(1 << 13, 20.0), ordinary(1 << 13, 750.0)].concat());
}

/// Every f32, at every level but the portable one (which the other tests tie to them, and which would take an hour):
/// `cargo test --release --test kernels -- --ignored --nocapture every_f32`, three minutes a function and level.
#[test]
#[ignore = "takes minutes; scripts run it in release"]
fn every_f32() {
    const BLOCK: u64 = 1 << 20;
    for function in functions::<f32>() {
        for isa in Isa::available().filter(|&isa| isa != Isa::Portable) {
            let mut worst = (0.0, 0.0f32);
            for block in 0..(1u64 << 32) / BLOCK {
                let inputs: Vec<f32> = (0..BLOCK).map(|i| f32::from_bits((block * BLOCK + i) as u32)).collect();
                let found = check(&function, isa, &inputs).unwrap_or_else(|fault| panic!("{fault}"));
                worst = if found.0 > worst.0 { found } else { worst };
            }
            println!("{} f32 at {isa}, every input: {:.4} ulp, at {:e}", function.name, worst.0, worst.1);
        }
    }
}

/// The textbook sigmoid, whose three roundings nobody puts right.
fn textbook_sigmoid(isa: Isa, x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = -*x);
    exp(isa, x);
    x.iter_mut().for_each(|x| *x = 1.0 / (1.0 + *x));
}

/// A clamp with x first: NaN becomes the bound.
fn deaf_sigmoid(isa: Isa, x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = if *x > -100.0 { *x } else { -100.0 });
    sigmoid(isa, x);
}

#[test]
fn the_harness_rejects_specimens() {
    let [_, sigmoid, _] = functions::<f32>();
    let inputs = [ordinary(1 << 16, 80.0), vec![f32::NAN]].concat();
    for isa in Isa::available() {
        check(&sigmoid, isa, &inputs).unwrap();
        let fault = check(&Function { run: textbook_sigmoid, ..functions()[1] }, isa, &inputs).unwrap_err();
        assert!(fault.contains("ulp"), "{fault}");
        let fault = check(&Function { run: deaf_sigmoid, ..functions()[1] }, isa, &inputs[1 << 16..]).unwrap_err();
        assert!(fault.contains("expected NaN"), "{fault}");
    }
}

/// Which level's code runs.
struct Report;

impl<T: Vectorized> Kernel<T> for Report {
    type Output = (Isa, usize);
    #[inline(always)]
    fn run<L: Lanes<T>>(self, _: L) -> (Isa, usize) {
        (L::ISA, L::WIDTH)
    }
}

#[test]
fn the_level_asked_for_is_the_level_that_runs() {
    for isa in Isa::available() {
        let bytes = match isa {
            Isa::Portable | Isa::Neon => 16,
            Isa::Avx2 => 32,
            Isa::Avx512 => 64,
        };
        assert_eq!(f32::dispatch(isa, Report).0, isa);
        assert_eq!(f64::dispatch(isa, Report).0, isa);
        if isa != Isa::Portable {
            assert_eq!(f32::dispatch(isa, Report).1 * 4, bytes);
            assert_eq!(f64::dispatch(isa, Report).1 * 8, bytes);
        }
        assert_eq!(Isa::parse(isa.name()).unwrap(), isa);
    }
    assert!(Isa::available().any(|isa| isa == Isa::best()));
    let fault = Isa::parse("sse9").unwrap_err().to_string();
    assert!(fault.contains("'sse9'") && fault.contains("avx512"), "{fault}");
}

#[test]
fn an_absent_level_is_refused() {
    for isa in [Isa::Avx2, Isa::Avx512, Isa::Neon].into_iter().filter(|isa| !isa.is_available()) {
        assert!(std::panic::catch_unwind(|| f32::dispatch(isa, Report)).is_err());
        let fault = isa.require("isa").unwrap_err().to_string();
        assert!(fault.contains(isa.name()) && fault.contains("portable"), "{fault}");
    }
}

/// Not a test by itself: what the next one runs in a process of its own.
#[test]
#[ignore = "the next test runs it"]
fn says_which_level_is_in_use() {
    println!("[{} {}]", Isa::current(), Isa::from_environment().map_or_else(|e| e.to_string(), |isa| isa.to_string()));
}

#[test]
fn the_variable_forces_a_level() {
    let says = |value: &str| {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["says_which_level_is_in_use", "--exact", "--ignored", "--nocapture"])
            .env("DELTARULE_ISA", value)
            .output()
            .map_or_else(|reason| reason.to_string(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    if !says("portable").contains("running 1 test") {
        // An emulator that is not registered with the system cannot start its programs' programs.
        if cfg!(target_arch = "x86_64") {
            panic!("this program cannot start itself");
        }
        println!("skipped: an emulated program cannot start itself");
        return;
    }
    for isa in Isa::available() {
        let said = says(isa.name());
        assert!(said.contains(&format!("[{isa} {isa}]")), "{said}");
    }
    let best = Isa::best();
    assert!(says("").contains(&format!("[{best} {best}]")));
    // A wrong one is an error for who asks, and the best for who cannot.
    let said = says("fastest");
    assert!(said.contains(&format!("[{best} DELTARULE_ISA: expected portable, avx2")), "{said}");
    assert!(said.contains("'fastest'"), "{said}");
}
