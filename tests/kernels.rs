//! The promise of the kernels: accurate to their bound, the same bits at every level and wherever a value stands, nothing
//! touched beside the slice, NaN kept, and the level that was asked for is the level that ran.

#[path = "kernels/functions.rs"]
mod functions;
#[path = "kernels/oracle/mod.rs"]
mod oracle;
#[path = "kernels/rows.rs"]
mod rows;
#[path = "kernels/subjects.rs"]
mod subjects;
#[path = "kernels/subnormal.rs"]
mod subnormal;

use deltarule::kernel::elementwise::Function;
use deltarule::simd::{Isa, Kernel, Lanes, Vectorized};
use oracle::{Format, Number, Wide};
use std::fmt::LowerExp;

/// A type under test.
trait Real: Vectorized + LowerExp {
    /// The number with these bits, of which the type takes as many as it has.
    fn from_bits(bits: u64) -> Self;
    fn bits(self) -> u64;
    /// How far `y` is from the function's value at `x`, in units in the last place.
    fn ulps(function: Function, x: Self, y: Self) -> f64;
    /// How far `s` is from its slope: absolutely up to 1, relatively beyond; 0 where it has none.
    fn slope_error(function: Function, x: Self, s: Self) -> f64;
}

impl Real for f32 {
    fn from_bits(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
    fn ulps(function: Function, x: Self, y: Self) -> f64 {
        Format::SINGLE.ulps(oracle::value::<f64>(function, x.into()), y.into())
    }
    fn slope_error(function: Function, x: Self, s: Self) -> f64 {
        let truth = oracle::slope::<f64>(function, x.into());
        if truth.parts().0.is_nan() { 0.0 } else { oracle::slope_error(truth, s.into(), Format::SINGLE) }
    }
}

impl Real for f64 {
    fn from_bits(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    fn bits(self) -> u64 {
        self.to_bits()
    }
    fn ulps(function: Function, x: Self, y: Self) -> f64 {
        Format::DOUBLE.ulps(oracle::value::<Wide>(function, x), y)
    }
    fn slope_error(function: Function, x: Self, s: Self) -> f64 {
        let truth = oracle::slope::<Wide>(function, x);
        if truth.parts().0.is_nan() { 0.0 } else { oracle::slope_error(truth, s, Format::DOUBLE) }
    }
}

/// For an `f32`'s sake: the `libm` crate in `f64` is within a few units of 2^-53, far below the digits that an `f32` shows.
impl Number for f64 {
    const ROUNDED: bool = true;

    fn constant(high: f64, _: f64) -> Self {
        high
    }
    fn parts(self) -> (f64, f64, i32) {
        (self, 0.0, 0)
    }
    fn exp(self) -> Self {
        libm::exp(self)
    }
    fn exp_m1(self) -> Self {
        libm::expm1(self)
    }
    fn ln(self) -> Self {
        libm::log(self)
    }
    fn ln_1p(self) -> Self {
        libm::log1p(self)
    }
    fn normal_distribution(self) -> Self {
        0.5 * libm::erfc(-self * std::f64::consts::FRAC_1_SQRT_2)
    }
}

/// A function under test.
#[derive(Clone, Copy)]
struct Subject<T> {
    function: Function,
    run: fn(Function, Isa, &mut [T]),
    /// The bound that its docs state, in units in the last place.
    bound: f64,
    low: f64,
    high: f64,
}

impl<T: Real> Subject<T> {
    fn new(function: Function) -> Self {
        let (bound, low, high) = match function {
            Function::Exp => (1.0, 0.0, f64::INFINITY),
            Function::Ln => (1.0, f64::NEG_INFINITY, f64::INFINITY),
            Function::Sigmoid => (1.0, 0.0, 1.0),
            Function::Tanh => (1.0, -1.0, 1.0),
            Function::LogSigmoid => (2.0, f64::NEG_INFINITY, 0.0),
            Function::ExpM1 => (2.0, -1.0, f64::INFINITY),
            Function::Relu | Function::Softplus => (2.0, 0.0, f64::INFINITY),
            _ => (2.0, f64::NEG_INFINITY, f64::INFINITY),
        };
        Self { function, run: Function::apply, bound, low, high }
    }
}

fn exp<T: Vectorized>(isa: Isa, x: &mut [T]) {
    Function::Exp.apply(isa, x);
}

/// Checks the function at `inputs`, and returns the largest error and where it is; or says what is wrong.
fn check<T: Real>(subject: &Subject<T>, isa: Isa, inputs: &[T]) -> Result<(f64, T), String> {
    let &Subject { function, bound, low, high, .. } = subject;
    let mut outputs = inputs.to_vec();
    (subject.run)(function, isa, &mut outputs);
    let mut mirrored: Vec<T> = inputs.iter().map(|&x| -x).collect();
    (subject.run)(function, isa, &mut mirrored);
    let mut worst = (0.0, T::ZERO);
    for ((&x, &y), &mirror) in inputs.iter().zip(&outputs).zip(&mirrored) {
        let place = || format!("{} at {isa}, x = {x:e} (bits {:x}): {y:e}", function.name(), x.bits());
        if x.real().is_nan() && !y.real().is_nan() {
            return Err(format!("{}, expected NaN", place()));
        }
        if y.real() < low || y.real() > high {
            return Err(format!("{}, outside {low}..={high}", place()));
        }
        if function == Function::Tanh && !x.real().is_nan() && mirror.bits() != (-y).bits() {
            return Err(format!("{}, but {mirror:e} at -x", place()));
        }
        let error = T::ulps(function, x, y);
        if error.is_nan() || error > bound {
            return Err(format!("{}, wrong by {error:.3} ulp of at most {bound}", place()));
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
    for function in Function::ALL {
        for isa in Isa::available() {
            let (error, x) = check(&Subject::new(function), isa, inputs).unwrap_or_else(|fault| panic!("{fault}"));
            println!("{} {} at {isa}: {error:.4} ulp, at {x:e}", function.name(), T::either("f32", "f64"));
        }
    }
}

#[test]
fn functions_keep_their_bounds_in_f32() {
    accuracy::<f32>(&[special(), sample(1 << 18), ordinary(1 << 16, 100.0)].concat());
}

#[test]
fn functions_keep_their_bounds_in_f64() {
    // 30,000 numbers: the oracle takes microseconds for each.
    accuracy::<f64>(&[special(), sample(1 << 14), ordinary(1 << 13, 20.0), ordinary(1 << 13, 750.0)].concat());
}

/// Of a slope no bound is promised, but a wrong formula is wrong by far more than a few roundings of numbers up to 2.
const SLOPE_EPSILONS: f64 = 16.0;

fn slopes<T: Real>() {
    let x = [special(), sample(1 << 12), ordinary::<T>(1 << 10, 20.0)].concat();
    let epsilon = T::either(f64::from(f32::EPSILON), f64::EPSILON);
    for function in Function::ALL {
        let (mut y, mut s) = (x.clone(), x.clone());
        // Levels are compared in `functions`.
        function.apply_with_slope(Isa::best(), &mut y, &mut s);
        for (&x, &s) in x.iter().zip(&s) {
            let error = T::slope_error(function, x, s);
            assert!(error <= SLOPE_EPSILONS * epsilon, "{} at {x:e}: slope {s:e}, wrong by {error:e}", function.name());
        }
    }
}

#[test]
fn slopes_are_derivatives_in_f32() {
    slopes::<f32>();
}

#[test]
fn slopes_are_derivatives_in_f64() {
    slopes::<f64>();
}

/// The textbook sigmoid, whose three roundings nobody puts right.
fn textbook_sigmoid(_: Function, isa: Isa, x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = -*x);
    exp(isa, x);
    x.iter_mut().for_each(|x| *x = 1.0 / (1.0 + *x));
}

/// A clamp with x first: NaN becomes the bound.
fn deaf_sigmoid(function: Function, isa: Isa, x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = if *x > -100.0 { *x } else { -100.0 });
    function.apply(isa, x);
}

#[test]
fn the_harness_rejects_specimens() {
    let sigmoid = Subject::new(Function::Sigmoid);
    let inputs = [ordinary(1 << 16, 80.0), vec![f32::NAN]].concat();
    for isa in Isa::available() {
        check(&sigmoid, isa, &inputs).unwrap();
        let fault = check(&Subject { run: textbook_sigmoid, ..sigmoid }, isa, &inputs).unwrap_err();
        assert!(fault.contains("ulp"), "{fault}");
        let fault = check(&Subject { run: deaf_sigmoid, ..sigmoid }, isa, &inputs[1 << 16..]).unwrap_err();
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
