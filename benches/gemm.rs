//! Products as multilayer perceptrons form them, by every backend of this build, beside three nested loops.
//!
//! ```text
//! cargo bench --bench gemm                       the embedded backend on each instruction set of this machine
//! cargo bench --bench gemm --features openblas   and the system's OpenBLAS
//! DELTARULE_BLAS=openblas cargo bench …          and a library loaded by name or path
//! ```
//!
//! Every product is compared with the loops' before it is timed.

#![allow(missing_docs, reason = "criterion's macros make functions without")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use deltarule::engine::{Backend, Engine};
use deltarule::gemm::{Mat, MatMut, gemm};
use deltarule::rng::Rng;
use deltarule::simd::Isa;
use std::hint::black_box;
use std::time::Duration;

/// A layer's product: what for, rows of C, columns of C, length of the sums, and which factors are transposed.
const PRODUCTS: [(&str, usize, usize, usize, bool, bool); 7] = [
    ("forward of one row", 1, 100, 784, false, false),
    ("forward", 200, 100, 784, false, false),
    ("forward, wide", 128, 512, 512, false, false),
    ("forward, last layer", 200, 10, 100, false, false),
    ("gradient of the weights", 784, 100, 200, true, false),
    ("gradient of the inputs", 200, 784, 100, false, true),
    ("square", 512, 512, 512, false, false),
];

/// The k roundings of the sum, for numbers below 1: with 784 terms about 5e-5, and in each of the two products.
const TOLERANCE: f32 = 1e-4;

fn loops(
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    n: usize,
    at_a: impl Fn(usize, usize) -> usize,
    at_b: impl Fn(usize, usize) -> usize,
) {
    let (m, k) = (c.len() / n, a.len() / (c.len() / n));
    for i in 0..m {
        for j in 0..n {
            c[i * n + j] = (0..k).map(|p| a[at_a(i, p)] * b[at_b(p, j)]).sum();
        }
    }
}

fn products(criterion: &mut Criterion) {
    let mut engines = Vec::new();
    for isa in [Isa::Avx512, Isa::Avx2, Isa::Neon] {
        engines.extend(Engine::new(isa, Backend::Embedded).ok().map(|engine| (format!("embedded {isa:?}"), engine)));
    }
    if engines.is_empty() {
        engines.extend(Engine::new(Isa::Portable, Backend::Embedded).ok().map(|engine| ("embedded".into(), engine)));
    }
    for backend in std::env::var("DELTARULE_BLAS")
        .ok()
        .map(|name| Backend::parse(&name).expect("a BLAS library"))
        .into_iter()
        .chain([Backend::Blas])
    {
        let Ok(engine) = Engine::new(Isa::Portable, backend) else { continue };
        let about = engine.backend().blas().expect("no embedded one").about();
        engines.push((format!("blas ({})", about.core.as_deref().unwrap_or("core unknown")), engine));
        about.warnings.iter().for_each(|warning| println!("warning: {warning}"));
    }
    let names: Vec<&str> = engines.iter().map(|(name, _)| name.as_str()).collect();
    println!("{}; {}; one thread; f32", cpu(), names.join(", "));

    for (purpose, m, n, k, a_transposed, b_transposed) in PRODUCTS {
        let mut group = criterion.benchmark_group(format!("{purpose}: {m} x {n} x {k}"));
        group.throughput(Throughput::Elements(2 * (m * n * k) as u64));
        group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
        let mut rng = Rng::new(1);
        let mut draw = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.uniform(-1.0, 1.0)).collect() };
        let (a, b) = (draw(m * k), draw(k * n));
        let view_a = if a_transposed { Mat::new(&a, k, m).t() } else { Mat::new(&a, m, k) };
        let view_b = if b_transposed { Mat::new(&b, n, k).t() } else { Mat::new(&b, k, n) };
        let at_a = |i: usize, p: usize| if a_transposed { p * m + i } else { i * k + p };
        let at_b = |p: usize, j: usize| if b_transposed { j * k + p } else { p * n + j };
        let mut expected = vec![0.0; m * n];
        group.bench_function("three loops", |bencher| {
            bencher.iter(|| loops(black_box(&a), black_box(&b), &mut expected, n, at_a, at_b));
        });
        // Also where the command line leaves the rival out.
        loops(&a, &b, &mut expected, n, at_a, at_b);
        for (name, engine) in &engines {
            let mut c = vec![f32::NAN; m * n];
            let mut product =
                || gemm(*engine, 1.0, black_box(view_a), black_box(view_b), 0.0, MatMut::new(&mut c, m, n));
            product();
            let worst = c.iter().zip(&expected).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(worst <= TOLERANCE && c.iter().all(|x| x.is_finite()), "{name}, {purpose}: off by {worst}");
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher
                    .iter(|| gemm(*engine, 1.0, black_box(view_a), black_box(view_b), 0.0, MatMut::new(&mut c, m, n)));
            });
        }
    }
}

/// The CPU as Linux names it.
fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")).and_then(|rest| rest.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_string(), |(_, name)| name.trim().to_string())
}

criterion_group!(benches, products);
criterion_main!(benches);
