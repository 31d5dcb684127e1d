//! Raw bits through every function, level and type: the same bits on all levels, NaN kept, the range kept, and near the truth.

#![no_main]

#[path = "../../tests/kernels/oracle/mod.rs"]
mod oracle;

use deltarule::kernel::elementwise::Function;
use deltarule::simd::{Isa, Vectorized};
use libfuzzer_sys::fuzz_target;
use oracle::{Format, Number, Wide, slope, slope_error, value};

/// Units in the last place: what a broken kernel misses by far, and none that keeps its bound reaches. What the bound is to the
/// digit is for `scripts/prove` to say.
const UNITS: f64 = 4.0;
/// Where a gated unit's value is tiny, so far from it absolutely, in terms of the type's epsilon.
const SHUT: f64 = 1.0;
/// Of a slope, in the same terms, absolutely up to 1 and relatively beyond.
const SLOPE: f64 = 16.0;

fuzz_target!(|input: &[u8]| {
    // The truth in a hundred bits takes microseconds for each function.
    let input = &input[..input.len().min(256)];
    let singles: Vec<f32> =
        input.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four bytes"))).collect();
    let doubles: Vec<f64> =
        input.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes"))).collect();
    for function in Function::ALL {
        every_level(function, &singles, Format::SINGLE);
        every_level(function, &doubles, Format::DOUBLE);
    }
});

fn every_level<T: Vectorized>(function: Function, x: &[T], format: Format) {
    let epsilon = 2f64.powi(1 - format.digits);
    let mut first: Option<[Vec<T>; 2]> = None;
    for isa in Isa::available() {
        let nan = T::from_f64(f64::NAN);
        let (mut alone, mut y, mut s) = (x.to_vec(), vec![nan; x.len()], vec![nan; x.len()]);
        function.apply(isa, &mut alone);
        function.map_with_slope(isa, x, &mut y, &mut s).expect("slices of one length, and a level that is there");
        let place = |i: usize| format!("{} at {isa}, x = {:e}: {:e}", function.name(), x[i].real(), y[i].real());
        for i in 0..x.len() {
            assert!(same(alone[i], y[i]), "{}, {:e} without the slope", place(i), alone[i].real());
        }
        if let Some([values, slopes]) = &first {
            for i in 0..x.len() {
                assert!(same(values[i], y[i]), "{}, elsewhere {:e}", place(i), values[i].real());
                assert!(
                    same(slopes[i], s[i]),
                    "{}, slope {:e}, elsewhere {:e}",
                    place(i),
                    s[i].real(),
                    slopes[i].real()
                );
            }
            continue;
        }
        for i in 0..x.len() {
            let (x, y, s) = (x[i].real(), y[i].real(), s[i].real());
            let truth: Wide = value(function, x);
            assert_eq!(truth.parts().0.is_nan(), y.is_nan(), "{}", place(i));
            let (low, high) = range(function);
            assert!(x.is_nan() || y.is_nan() || (low..=high).contains(&y), "{}, outside {low}..={high}", place(i));
            let units = format.ulps(truth, y);
            let gated = matches!(function, Function::Silu | Function::Gelu | Function::GeluTanh);
            let shut = gated && x < -1.0 && y.abs() <= 1.0 && slope_error(truth, y, format) <= SHUT * epsilon;
            assert!(units <= UNITS || shut, "{}, wrong by {units} ulp", place(i));
            let truth: Wide = slope(function, x);
            if !truth.parts().0.is_nan() {
                let error = slope_error(truth, s, format);
                assert!(error <= SLOPE * epsilon, "{}, slope {s:e}, wrong by {error:e}", place(i));
            }
        }
        first = Some([y, s]);
    }
}

/// No value is outside.
fn range(function: Function) -> (f64, f64) {
    match function {
        Function::Exp | Function::Relu | Function::Softplus => (0.0, f64::INFINITY),
        Function::ExpM1 | Function::Elu { .. } => (-1.0, f64::INFINITY),
        Function::Sigmoid => (0.0, 1.0),
        Function::LogSigmoid => (f64::NEG_INFINITY, 0.0),
        Function::Tanh => (-1.0, 1.0),
        Function::Silu | Function::Gelu | Function::GeluTanh => (-0.2785, f64::INFINITY),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    }
}

/// The same number, to the bit; of a NaN only that it is one is promised.
fn same<T: Vectorized>(a: T, b: T) -> bool {
    let (a, b) = (a.real(), b.real());
    // What an f32 is as an f64 tells its bits.
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}
