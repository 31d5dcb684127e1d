//! So many steps of one row, and nothing else: what `scripts/instructions` runs under valgrind, for two numbers of steps, whose
//! difference is the steps' alone.
//!
//! ```text
//! instructions ROW STEPS             the level of instructions is that of DELTARULE_ISA
//! instructions ROW STEPS PERIOD      every PERIOD-th step is done twice: a rise that must be noticed
//! ```
//!
//! Otherwise (as `cargo bench` calls it) it requires that a row started over gives the same loss, counts nothing, and ends. What the
//! steps compute is verified by the bench `step`.

mod rows;
mod subject;

use deltarule::prelude::*;
use deltarule::simd::Isa;
use rows::{drawn, rows};
use std::hint::black_box;
use subject::{Job, Subject, Work};

fn main() {
    if let Err(error) = Isa::from_environment() {
        fail(&error.to_string());
    }
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let count = |text: &str| match text.parse() {
        Ok(count) if count > 0 => count,
        _ => fail(&format!("expected a number above 0, found '{text}'")),
    };
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [name, steps] => run(name, count(steps), usize::MAX),
        [name, steps, period] => run(name, count(steps), count(period)),
        _ => check(),
    }
}

fn fail(reason: &str) -> ! {
    eprintln!("instructions: {reason}");
    std::process::exit(2)
}

fn run(name: &str, steps: usize, period: usize) {
    let rows = rows();
    let Some(row) = rows.iter().find(|row| row.name == name) else { fail(&format!("there is no row {name}")) };
    match &row.job.kind[..] {
        "f64" => repeat::<f64>(&row.job, steps, period),
        _ => repeat::<f32>(&row.job, steps, period),
    }
}

fn subject<T: Float>(job: &Job) -> Subject<T> {
    let numbers = |name: &str, length| Ok(drawn(job, name, length));
    Subject::new(job, &Threads::one(), numbers).unwrap_or_else(|reason| fail(&reason))
}

fn repeat<T: Float>(job: &Job, steps: usize, period: usize) {
    let mut subject = subject::<T>(job);
    for step in 1..=steps {
        black_box(subject.once());
        if step % period == 0 {
            black_box(subject.once());
        }
    }
}

fn check() {
    // Not the largest, which takes seconds.
    for row in rows().iter().filter(|row| row.name != "T7" && row.job.work != Work::Epoch && row.job.kind == "f32") {
        let mut subject = subject::<f32>(&row.job);
        let first = subject.once();
        subject.start_over();
        assert_eq!(subject.once(), first, "{}", row.name);
    }
    println!("instructions: rows repeat; `scripts/instructions` counts them");
}
