//! The kernels in cache, at every level, beside the plain loop: every elementary function, softmax and log-softmax of narrow
//! and wide rows, the inner product, Adam's sweep (also with subnormal numbers).
//!
//! ```text
//! cargo bench --bench kernels -- tanh/f32
//! ```
//!
//! Names are `function/type/level/length`, for rows `function/type/level/columns`; the level `plain` is the loop. Each is
//! verified before it is timed. Compare within one run only. Kernels that overwrite are given their input anew by a copy, which
//! takes part in the time: a tenth of a nanosecond an `f32`.

#![allow(missing_docs, reason = "criterion's macros make functions without")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use deltarule::activation::{Activation, ActivationFn};
use deltarule::kernel::elementwise::Function;
use deltarule::kernel::softmax::RowFunction;
use deltarule::kernel::{update, vector};
use deltarule::scalar::Scalar;
use deltarule::simd::{Isa, Vectorized};
use std::hint::black_box;
use std::time::Duration;

const ELEMENTS: usize = 8192;

/// How far a kernel may be from the plain loop, in roundings of the larger of the value and 1/8: the kernels' bounds are up to 2
/// ulp, the loops' a few more, and near a zero of the function neither has more digits than its argument.
const TOLERANCE: f64 = 16.0;

/// A type's name, and the roundings of its sums of 8,192 numbers.
fn name_of<T: Vectorized>() -> &'static str {
    T::either("f32", "f64")
}

fn epsilon<T: Vectorized>() -> f64 {
    T::either(f64::from(f32::EPSILON), f64::EPSILON)
}

/// Numbers from -`limit` to `limit`, in no order.
fn numbers<T: Vectorized>(length: usize, limit: f64) -> Vec<T> {
    (0..length).map(|i| T::from_f64(((i * 7919 % 8191) as f64 / 8190.0 * 2.0 - 1.0) * limit)).collect()
}

fn verify<T: Vectorized>(what: &str, found: &[T], expected: &[T], roundings: f64) {
    assert_eq!(found.len(), expected.len());
    for (&found, &expected) in found.iter().zip(expected) {
        let error = (found.real() - expected.real()).abs();
        let unit = expected.real().abs().max(0.125) * epsilon::<T>();
        assert!(error <= roundings * unit, "{what}: {found:?}, expected {expected:?}");
    }
}

/// Times `kernel` at every level and `plain` beside it, on input that is copied anew each time.
fn compare<T: Vectorized>(
    criterion: &mut Criterion,
    [name, length]: [&str; 2],
    input: &[T],
    roundings: f64,
    kernel: impl Fn(Isa, &mut [T]),
    plain: impl Fn(&mut [T]),
) {
    let mut group = criterion.benchmark_group(format!("{name}/{}", name_of::<T>()));
    group.throughput(Throughput::Elements(input.len() as u64));
    let mut expected = input.to_vec();
    plain(&mut expected);
    let mut x = input.to_vec();
    for isa in Isa::available() {
        x.copy_from_slice(input);
        kernel(isa, &mut x);
        verify(&format!("{name} at {isa}"), &x, &expected, roundings);
        group.bench_function(BenchmarkId::new(isa.name(), length), |bencher| {
            bencher.iter(|| {
                x.copy_from_slice(input);
                kernel(isa, black_box(&mut x));
            });
        });
    }
    group.bench_function(BenchmarkId::new("plain", length), |bencher| {
        bencher.iter(|| {
            x.copy_from_slice(input);
            plain(black_box(&mut x));
        });
    });
    group.finish();
}

/// The function as a plain formula over the `libm` crate.
fn plainly<T: Vectorized>(function: Function, x: T) -> T {
    let activation = match function {
        Function::Exp => return x.exp(),
        Function::ExpM1 => return x.exp_m1(),
        Function::Ln => return x.ln(),
        Function::Ln1p => return x.ln_1p(),
        Function::LogSigmoid => return -(-x).softplus(),
        Function::Sigmoid => Activation::Sigmoid,
        Function::Tanh => Activation::Tanh,
        Function::Relu => Activation::Relu,
        Function::LeakyRelu { slope } => Activation::LeakyRelu { slope },
        Function::Elu { alpha } => Activation::Elu { alpha },
        Function::Selu => Activation::Selu,
        Function::Softplus => Activation::Softplus,
        Function::Silu => Activation::Silu,
        Function::Gelu => Activation::Gelu,
        Function::GeluTanh => Activation::GeluTanh,
        other => panic!("{} has no plain formula here", other.name()),
    };
    activation.value_and_slope(x).0
}

fn functions<T: Vectorized>(criterion: &mut Criterion) {
    for function in Function::ALL {
        let mut input = numbers::<T>(ELEMENTS, 8.0);
        if matches!(function, Function::Ln | Function::Ln1p) {
            input.iter_mut().for_each(|x| *x = x.abs() + T::from_f64(0.01));
        }
        let each = |x: &mut [T]| x.iter_mut().for_each(|x| *x = plainly(function, *x));
        let length = ELEMENTS.to_string();
        compare(criterion, [function.name(), &length], &input, TOLERANCE, |isa, x| function.apply(isa, x), each);
    }
}

/// The textbook softmax of one row, or its logarithm.
fn plain_row<T: Vectorized>(function: RowFunction, row: &mut [T]) {
    let top = row.iter().fold(row[0], |top, &x| if x > top { x } else { top });
    let mut sum = T::ZERO;
    row.iter().for_each(|&x| sum += (x - top).exp());
    match function {
        RowFunction::Softmax => row.iter_mut().for_each(|x| *x = (*x - top).exp() / sum),
        _ => row.iter_mut().for_each(|x| *x = *x - top - sum.ln()),
    }
}

fn rows<T: Vectorized>(criterion: &mut Criterion) {
    for function in RowFunction::ALL {
        for cols in [10, 1000] {
            let input = numbers::<T>(ELEMENTS / cols * cols, 5.0);
            let each = |x: &mut [T]| x.chunks_exact_mut(cols).for_each(|row| plain_row(function, row));
            let kernel = |isa, x: &mut [T]| function.apply(isa, x, cols);
            // The loop adds a thousand numbers one after the other.
            compare(criterion, [function.name(), &cols.to_string()], &input, 100.0, kernel, each);
        }
    }
}

fn dot<T: Vectorized>(criterion: &mut Criterion) {
    let (x, y) = (numbers::<T>(ELEMENTS, 1.0), numbers::<T>(ELEMENTS - 1, 2.0));
    let y = [&y[..], &[T::ONE]].concat();
    let plain = |x: &[T], y: &[T]| x.iter().zip(y).fold(T::ZERO, |sum, (&x, &y)| sum + x * y);
    let mut group = criterion.benchmark_group(format!("dot/{}", name_of::<T>()));
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    for isa in Isa::available() {
        verify("dot", &[vector::dot(isa, &x, &y)], &[plain(&x, &y)], ELEMENTS as f64);
        group.bench_function(BenchmarkId::new(isa.name(), ELEMENTS), |bencher| {
            bencher.iter(|| vector::dot(isa, black_box(&x), black_box(&y)));
        });
    }
    group.bench_function(BenchmarkId::new("plain", ELEMENTS), |bencher| {
        bencher.iter(|| plain(black_box(&x), black_box(&y)));
    });
    group.finish();
}

/// Gradient, both moments and parameters stand one after the other in one slice.
fn adam<T: Vectorized>(criterion: &mut Criterion, name: &str, unit: f64) {
    let of = T::from_f64;
    let (rate, correction, epsilon) = (of(1e-3), of(1.3), of(1e-8));
    let c = update::AdamStep { beta1: of(0.9), beta2: of(0.999), rate, correction, epsilon };
    let input: Vec<T> = numbers::<T>(4 * ELEMENTS, unit).into_iter().map(Scalar::abs).collect();
    let kernel = |isa, all: &mut [T]| {
        let [grad, first, second, params] = quarters(all);
        update::adam(isa, c, grad, first, second, params);
    };
    let plain = |all: &mut [T]| {
        let [grad, first, second, params] = quarters(all);
        for i in 0..grad.len() {
            first[i] = c.beta1 * first[i] + (T::ONE - c.beta1) * grad[i];
            second[i] = c.beta2 * second[i] + (T::ONE - c.beta2) * grad[i] * grad[i];
            params[i] -= c.rate * first[i] / ((second[i] * c.correction).sqrt() + c.epsilon);
        }
    };
    compare(criterion, [name, &ELEMENTS.to_string()], &input, TOLERANCE, kernel, plain);
}

fn quarters<T>(all: &mut [T]) -> [&mut [T]; 4] {
    let (front, back) = all.split_at_mut(2 * ELEMENTS);
    let ((a, b), (c, d)) = (front.split_at_mut(ELEMENTS), back.split_at_mut(ELEMENTS));
    [a, b, c, d]
}

fn kernels(criterion: &mut Criterion) {
    println!("one thread; best level {}; no GEMM", Isa::best());
    functions::<f32>(criterion);
    functions::<f64>(criterion);
    rows::<f32>(criterion);
    rows::<f64>(criterion);
    dot::<f32>(criterion);
    dot::<f64>(criterion);
    adam::<f32>(criterion, "adam", 0.1);
    adam::<f64>(criterion, "adam", 0.1);
    // The portable level and the loop show what subnormal numbers cost where nothing is done about them.
    adam::<f32>(criterion, "adam, subnormal", 1e-40);
    adam::<f64>(criterion, "adam, subnormal", 1e-310);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    targets = kernels
}
criterion_main!(benches);
