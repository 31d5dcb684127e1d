//! Elementary functions over 8,192 elements in cache, at every level, beside the plain loop over the `libm` crate.
//!
//! Each is verified before it is timed. `cargo bench --bench kernels`; compare levels within one run only.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use deltarule::kernel::elementwise::Function;
use deltarule::scalar::Scalar;
use deltarule::simd::{Isa, Vectorized};
use std::hint::black_box;

const ELEMENTS: usize = 8192;

/// The functions' bound is 1 ulp; libm's own are up to 2.
const TOLERANCE_ULP: f64 = 3.0;

fn function<T: Vectorized>(criterion: &mut Criterion, name: &str, kernel: Function, plain: fn(T) -> T) {
    let input: Vec<T> = (0..ELEMENTS).map(|i| T::from_f64(i as f64 / ELEMENTS as f64 * 16.0 - 8.0)).collect();
    let expected: Vec<T> = input.iter().map(|&x| plain(x)).collect();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    let mut x = input.clone();
    for isa in Isa::available() {
        x.copy_from_slice(&input);
        kernel.apply(isa, &mut x);
        for (&found, &expected) in x.iter().zip(&expected) {
            let unit = expected.real().abs() * T::either(f64::from(f32::EPSILON), f64::EPSILON);
            let error = (found.real() - expected.real()).abs();
            assert!(error <= TOLERANCE_ULP * unit, "{name} at {isa}: {found:?}, expected {expected:?}");
        }
        // The copy takes part in the time: a tenth of a nanosecond an element, for the kernel overwrites its input.
        group.bench_function(BenchmarkId::from_parameter(isa), |bencher| {
            bencher.iter(|| {
                x.copy_from_slice(&input);
                kernel.apply(isa, black_box(&mut x));
            });
        });
    }
    group.bench_function("plain", |bencher| {
        bencher.iter(|| {
            x.copy_from_slice(&input);
            black_box(&mut x).iter_mut().for_each(|x| *x = plain(*x));
        });
    });
    group.finish();
}

fn kernels(criterion: &mut Criterion) {
    println!("one thread; best level {}; no GEMM", Isa::best());
    function::<f32>(criterion, "sigmoid/f32", Function::Sigmoid, Scalar::sigmoid);
    function::<f32>(criterion, "tanh/f32", Function::Tanh, libm::tanhf);
    function::<f64>(criterion, "sigmoid/f64", Function::Sigmoid, Scalar::sigmoid);
    function::<f64>(criterion, "tanh/f64", Function::Tanh, libm::tanh);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_millis(300)).measurement_time(std::time::Duration::from_secs(1));
    targets = kernels
}
criterion_main!(benches);
