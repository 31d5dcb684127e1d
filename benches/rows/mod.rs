//! The steps and predictions that are measured, and numbers for them: `rows.json`, which `scripts/compare` reads too.

use crate::subject::Job;
use deltarule::float::Float;
use deltarule::rng::Rng;
use serde::Deserialize;

/// A job and its name in tables. (The purpose in the file is for its readers.)
#[derive(Debug, Deserialize)]
pub struct Row {
    pub name: String,
    pub job: Job,
}

/// All rows, in their order.
pub fn rows() -> Vec<Row> {
    serde_json::from_str(include_str!("rows.json")).expect("rows as this file declares them")
}

/// Plain loops over a step must end in some tenths of a second: so many multiplications by a weight.
const MOST_PRODUCTS: usize = 300_000_000;

/// How many rows of a job differ: all, or of a large network a few, which the others repeat in turn. A mean over all is then a
/// weighted mean over those few, which plain loops can afford. An odd number, so that blocks of rows begin with different ones.
pub fn distinct(job: &Job) -> usize {
    // Forward, weights and inputs: each multiplies by every weight once.
    let products: usize = job.widths.windows(2).map(|pair| 3 * pair[0] * pair[1]).sum();
    if job.rows * products <= MOST_PRODUCTS { job.rows } else { (MOST_PRODUCTS / products).max(1) | 1 }
}

/// Numbers for a job's `params`, `x` or `y`, `length` of them: always the same.
///
/// Parameters are multiples of 1/64 and inputs of 1/2, so that no sum before a relu is ever rounded, in any order: no unit is on one
/// side of the bend here and on the other there, and gradients can be compared to the last digits of their type. The widest network
/// needs 2^-19 and sums below 2^4 in its third layer, 23 bits; an `f32` has 24.
pub fn drawn<T: Float>(job: &Job, name: &str, length: usize) -> Vec<T> {
    let short = |number: f64, steps: f64| T::from_f64((number * steps).round() / steps);
    let mut numbers = Vec::with_capacity(length);
    match name {
        "params" => {
            let mut rng = Rng::new(1);
            for pair in job.widths.windows(2) {
                let deviation = (2.0 / pair[0] as f64).sqrt();
                numbers.extend((0..pair[0] * pair[1]).map(|_| short(rng.normal(0.0, deviation), 64.0)));
                // Not zero, so that one forgotten is noticed.
                let biases = if job.biases { pair[1] } else { 0 };
                numbers.extend((0..biases).map(|_| short(rng.uniform(-0.25, 0.25), 64.0)));
            }
        }
        "x" => {
            let mut rng = Rng::new(2);
            numbers.extend((0..distinct(job) * job.widths[0]).map(|_| short(rng.normal(0.0, 1.0), 2.0)));
        }
        _ => {
            let (mut rng, outputs) = (Rng::new(3), job.widths[job.widths.len() - 1]);
            for _ in 0..distinct(job) {
                // A class to each row; for squared errors numbers that a sigmoid can reach.
                let class = rng.below(outputs);
                let target = |j| match job.output.as_str() {
                    "softmax" => T::from_f64(f64::from(j == class)),
                    _ => rng.uniform(0.0, 1.0),
                };
                numbers.extend((0..outputs).map(target));
            }
        }
    }
    let period = numbers.len();
    (period..length).for_each(|i| numbers.push(numbers[i - period]));
    numbers
}
