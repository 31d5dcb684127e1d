//! Small networks on exact data: how many digits each solver reaches in the time that Levenberg-Marquardt takes.
//!
//!     cargo run --release --example small_fits [small-fits.svg]
//!
//! Two problems without noise, in `f64`, from Nguyen and Widrow's start, seeds from 0: a sine by ten tanh units, whose mean squared
//! error should come to 1e-10 within 300 iterations; and Friedman's first function of ten inputs by twenty. Levenberg-Marquardt goes
//! first, for 300 iterations; every other method then gets the same wall time on the same start. L-BFGS and scaled conjugate
//! gradients run with their tolerances off, Adam at the best of three rates by the median. With a file's name it draws the first
//! seed of the second problem over time.

use deltarule::optim::{Iteration, Lbfgs, Report, Scg, lbfgs, levenberg_marquardt::Options, scg};
use deltarule::picture::curve::{Curve, Series};
use deltarule::prelude::*;
use deltarule::{file, train::Epoch};
use ndarray::Array2;
use std::f64::consts::PI;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::{Duration, Instant};

/// A run's errors: after so many seconds, the mean squared error.
type Run = Vec<(f64, f64)>;

struct Problem {
    name: &'static str,
    hidden: usize,
    seeds: u64,
    x: Array2<f64>,
    y: Array2<f64>,
}

/// How a method moves: by the trainer, or by a minimiser of its own settings.
enum Method {
    Trainer(Solver, f64),
    Lbfgs,
    Scg,
}

fn problems() -> [Problem; 2] {
    let x = Array2::from_shape_fn((200, 1), |(i, _)| -1.0 + 2.0 * i as f64 / 199.0);
    let y = x.mapv(|x| (PI * x).sin());
    let sine = Problem { name: "sine, 1-10-1, 200 rows", hidden: 10, seeds: 40, x, y };
    let mut rng = Rng::new(1);
    let u = Array2::from_shape_simple_fn((500, 10), || rng.uniform::<f64>(0.0, 1.0));
    let y = Array2::from_shape_fn((500, 1), |(i, _)| {
        let x = u.row(i);
        10.0 * (PI * x[0] * x[1]).sin() + 20.0 * (x[2] - 0.5).powi(2) + 10.0 * x[3] + 5.0 * x[4]
    });
    [sine, Problem { name: "Friedman 1, 10-20-1, 500 rows", hidden: 20, seeds: 5, x: u * 2.0 - 1.0, y }]
}

fn run(problem: &Problem, method: &Method, seed: u64, iterations: usize, limit: Duration) -> deltarule::Result<Run> {
    let Problem { x, y, hidden, .. } = problem;
    let spec = Spec::mlp(x.ncols(), &[*hidden], Activation::Tanh, 1, Activation::Identity)?;
    let mut net = Network::<f64>::new(spec, Some(Init::NguyenWidrow), &mut Rng::new(seed))?;
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let (started, mut errors) = (Instant::now(), Run::new());
    // The loss is half the squared error.
    let mut see = |loss: f64| -> ControlFlow<()> {
        errors.push((started.elapsed().as_secs_f64(), 2.0 * loss));
        if started.elapsed() < limit { Continue(()) } else { Break(()) }
    };
    let (isa, objective) = (Engine::default().isa(), Objective::<Loss>::default());
    let mut workspace = Workspace::new(net.spec(), x.nrows(), Engine::default(), Threads::one())?;
    let (spec, params) = net.parts_mut();
    let f = |p: &[f64], g: &mut [f64]| {
        Ok(pass::value_and_gradient(spec, p, batch.view(), &objective, &mut workspace, g)?.objective())
    };
    let seen = |i: &Iteration<'_, f64>| see(i.value);
    let _: Option<Report> = match *method {
        Method::Lbfgs => {
            let most = lbfgs::Options { max_iterations: iterations, max_evaluations: usize::MAX, ..Default::default() };
            let options = lbfgs::Options { gradient_tolerance: 0.0, function_tolerance: 0.0, ..most };
            Some(Lbfgs::new(params.len(), options)?.minimize(isa, params, f, seen)?)
        }
        Method::Scg => {
            let most = scg::Options { max_iterations: iterations, max_evaluations: usize::MAX, ..Default::default() };
            let options = scg::Options { gradient_tolerance: 0.0, ..most };
            Some(Scg::new(params.len(), options)?.minimize(isa, params, f, seen)?)
        }
        Method::Trainer(solver, learning_rate) => {
            let stopping = Stopping::NEVER;
            let trainer =
                Trainer { solver, learning_rate, epochs: iterations, batch: 32, stopping, ..Trainer::default() };
            trainer.fit(&mut net, batch.view(), None, &mut |epoch: &Epoch| see(epoch.training))?;
            None
        }
    };
    // What an epoch of mini-batches averages while it runs is not the error at its end.
    let error = net.predict(x.view())? - y;
    let last = (&error * &error).mean().expect("rows");
    errors.push((errors.last().map_or(0.0, |e| e.0), last));
    Ok(errors)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> deltarule::Result<()> {
    let adam = |rate| Method::Trainer(Solver::Steps(deltarule::optim::Method::adam()), rate);
    let mut drawn = Vec::new();
    for problem in problems() {
        println!("{}, {} seeds", problem.name, problem.seeds);
        println!("  method                median MSE   best MSE   to 1e-10   in iterations   iterations   seconds");
        let lm = Method::Trainer(Solver::LevenbergMarquardt(Options::default()), 1.0);
        let bayes = Method::Trainer(Solver::Bayes(Options::default()), 1.0);
        let rates = [0.001, 0.005, 0.02];
        let methods = [("Levenberg-Marquardt", vec![lm]), ("Bayesian", vec![bayes]), ("SCG", vec![Method::Scg])];
        let methods = methods.into_iter().chain([("L-BFGS", vec![Method::Lbfgs]), ("Adam", rates.map(adam).into())]);
        let (mut limits, mut medians, mut curves) = (Vec::new(), Vec::new(), Vec::new());
        for (name, choices) in methods {
            let first = limits.is_empty();
            let mut best: Option<Vec<Run>> = None;
            for choice in &choices {
                let all = (0..problem.seeds).map(|seed| {
                    let limit = limits.get(seed as usize).copied().unwrap_or(Duration::MAX);
                    run(&problem, choice, seed, if first { 300 } else { usize::MAX >> 8 }, limit)
                });
                let all = all.collect::<deltarule::Result<Vec<Run>>>()?;
                let last = |runs: &[Run]| median(runs.iter().map(|run| run[run.len() - 1].1).collect());
                if best.as_ref().is_none_or(|best| last(&all) < last(best)) {
                    best = Some(all);
                }
            }
            let runs = best.expect("a choice");
            if first {
                limits = runs.iter().map(|run| Duration::from_secs_f64(run[run.len() - 1].0)).collect();
            }
            let ends: Vec<f64> = runs.iter().map(|run| run[run.len() - 1].1).collect();
            let reached: Vec<f64> =
                runs.iter().filter_map(|run| run.iter().position(|e| e.1 <= 1e-10)).map(|i| i as f64 + 1.0).collect();
            let within = if reached.is_empty() { "-".into() } else { format!("{}", median(reached.clone())) };
            println!(
                "  {name:<20} {:>11.1e} {:>10.1e} {:>5} of {:<2} {within:>13} {:>12} {:>9.3}",
                median(ends.clone()),
                ends.iter().copied().fold(f64::INFINITY, f64::min),
                reached.len(),
                problem.seeds,
                median(runs.iter().map(|run| run.len() as f64 - 1.0).collect()),
                median(runs.iter().map(|run| run[run.len() - 1].0).collect()),
            );
            medians.push(median(ends));
            curves.push((name, runs[0].clone()));
        }
        println!("  Adam's median over Levenberg-Marquardt's: {:.1e}\n", medians[4] / medians[0]);
        drawn = curves;
    }
    if let Some(path) = std::env::args().nth(1) {
        // One value a millisecond: the last error before it.
        let longest = drawn.iter().map(|(_, run)| run[run.len() - 1].0).fold(0.0, f64::max);
        let sampled = drawn.iter().map(|(name, run)| {
            let at = |ms: usize| run.iter().take_while(|e| e.0 * 1e3 <= ms as f64).last().map_or(f64::NAN, |e| e.1);
            (*name, (1..=(longest * 1e3) as usize).map(at).collect::<Vec<f64>>())
        });
        let sampled: Vec<_> = sampled.collect();
        let series = sampled.iter().map(|(name, values)| Series { name, values }).collect();
        let curve = Curve { title: "Friedman 1 by twenty tanh units", series, log_y: Some(true), below: None };
        let svg = curve.svg_of(["mean squared error of the training rows", "millisecond"]);
        file::write_whole(path.as_ref(), svg.as_bytes(), file::Existing::Replace)?;
    }
    Ok(())
}
