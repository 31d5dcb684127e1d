//! Every training step and prediction of `benches/rows/rows.json` but the epoch, beside the same in plain loops.
//!
//! ```text
//! cargo bench --bench step                all
//! cargo bench --bench step -- T4          one row
//! cargo bench --bench step -- ^P          predictions
//! ```
//!
//! Before a row is timed, its answer is compared with the loops': the loss, the whole gradient and the losses of further steps; of a
//! prediction all outputs. Of T7 the loops do a few rows only, which the others repeat; their time is of so many. Compare within
//! one run only.

#![allow(missing_docs, reason = "criterion's macros make functions without")]

mod loops;
mod rows;
mod subject;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use deltarule::prelude::*;
use loops::Loops;
use rows::{distinct, drawn, rows};
use std::time::Duration;
use subject::{Job, Subject, Work};

/// Steps compared before any is timed.
const COMPARED: usize = 3;

/// How far two answers may be apart, relative to the largest of the numbers: sums of up to 10,000 terms, rounded at each, grow
/// errors of 2^-24 (2^-53) to about 1e-5 (1e-14) of the largest.
fn tolerance<T: Float>() -> f64 {
    if size_of::<T>() == 8 { 1e-12 } else { 1e-4 }
}

/// The largest difference, relative to the largest expected number.
fn difference<T: Float>(found: &[T], expected: &[T]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().map(|x| x.real().abs()).fold(0.0, f64::max);
    let pairs = found.iter().zip(expected);
    // Not `max`, which forgets NaN.
    let larger = |a: f64, b: f64| if a >= b || a.is_nan() { a } else { b };
    let far = pairs.map(|(f, e)| (f.real() - e.real()).abs()).fold(0.0, larger);
    if far == 0.0 { 0.0 } else { far / largest }
}

/// Requires the same numbers, and that one that is off would be noticed.
fn require<T: Float>(what: &str, found: &[T], expected: &[T]) {
    let is_same = |found: &[T]| difference(found, expected) <= tolerance::<T>();
    assert!(is_same(found), "{what}: differs from the loops' by {:e}", difference(found, expected));
    let largest = expected.iter().map(|x| x.real().abs()).fold(0.0, f64::max);
    let mut wrong = found.to_vec();
    for fault in [20.0 * tolerance::<T>() * largest, f64::NAN] {
        wrong[found.len() / 2] = found[found.len() / 2] + T::from_f64(fault);
        assert!(largest == 0.0 || !is_same(&wrong), "{what}: the comparison does not notice {fault:e}");
    }
}

/// The job of a row, after its answer was compared with the loops'.
fn verified<T: Float>(name: &str, job: &Job) -> Subject<T> {
    let mut subject = Subject::new(job, &Threads::one(), |name, length| Ok(drawn(job, name, length))).expect(name);
    let mut loops = Loops::<T>::new(job);
    if job.work == Work::Predict {
        // What is not written is noticed.
        subject.outputs.fill(T::from_f64(f64::NAN));
    }
    let (ours, theirs) = (subject.once(), loops.once());
    if job.work == Work::Predict {
        let outputs = subject.outputs.as_slice().expect("made row-major");
        require(&format!("{name}, outputs"), outputs, &loops.outputs);
        return subject;
    }
    let mut losses = [vec![ours], vec![theirs]];
    for (l, block) in subject.net.spec().blocks().iter().enumerate() {
        for (what, range) in [("weights", &block.weights), ("biases", &block.bias)] {
            let [found, expected] = [&subject.gradient, &loops.gradient].map(|gradient| &gradient[range.clone()]);
            if !range.is_empty() {
                require(&format!("{name}, gradient of the {what} of layer {}", l + 1), found, expected);
            }
        }
    }
    if job.work == Work::Step {
        for _ in 1..COMPARED {
            losses[0].push(subject.once());
            losses[1].push(loops.once());
        }
        // Each step must be noticed, or its update would not be verified.
        let moved = losses[1].windows(2).all(|pair| (pair[1] / pair[0] - 1.0).abs() > 20.0 * tolerance::<T>());
        assert!(moved, "{name}: the losses of the loops do not move: {:?}", losses[1]);
    }
    let [found, expected] = losses.map(|losses| losses.into_iter().map(T::from_f64).collect::<Vec<_>>());
    require(&format!("{name}, losses"), &found, &expected);
    subject
}

fn title(name: &str, job: &Job) -> String {
    let widths: Vec<_> = job.widths.iter().map(usize::to_string).collect();
    let what = match job.work {
        Work::Predict => "predict",
        Work::Gradient => "value and gradient",
        _ => &job.method,
    };
    format!("{name} {} {}, {} rows, {what}, {}", widths.join("-"), job.hidden, job.rows, job.kind)
}

fn row<T: Float>(criterion: &mut Criterion, name: &str, job: &Job) {
    let mut group = criterion.benchmark_group(title(name, job));
    // Few rows are learnt at once by the rate of many (T7's seven in one step), and a loss of 0 says nothing.
    let job = &Job { rate: job.rate * distinct(job) as f64 / job.rows as f64, ..job.clone() };
    // A step of the largest takes a fifth of a second.
    group.sampling_mode(SamplingMode::Flat).sample_size(20);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));

    // Made when first called for: the command line may leave the row out.
    let mut subject = None;
    group.throughput(Throughput::Elements(job.rows as u64));
    group.bench_function(BenchmarkId::from_parameter("deltarule"), |bencher| {
        let subject = subject.get_or_insert_with(|| verified::<T>(name, job));
        // Each sample: after thousands of steps on the same rows gradients are no more what training meets.
        subject.start_over();
        bencher.iter(|| subject.once());
    });
    let mut loops = None;
    group.throughput(Throughput::Elements(distinct(job) as u64));
    group.bench_function(BenchmarkId::from_parameter("loops"), |bencher| {
        let loops = loops.get_or_insert_with(|| Loops::<T>::new(job));
        bencher.iter(|| loops.once());
    });
}

fn steps(criterion: &mut Criterion) {
    let engine = Engine::default();
    println!("{}; {}; gemm {}; one thread", cpu(), engine.isa(), engine.backend());
    for row_of_table in rows().iter().filter(|row| row.job.work != Work::Epoch) {
        let measure = if row_of_table.job.kind == "f64" { row::<f64> } else { row::<f32> };
        measure(criterion, &row_of_table.name, &row_of_table.job);
    }
}

/// The CPU as Linux names it.
fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")).and_then(|rest| rest.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_string(), |(_, name)| name.trim().to_string())
}

criterion_group!(benches, steps);
criterion_main!(benches);
