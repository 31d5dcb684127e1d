//! Second-order training of small networks: curvatures, Levenberg-Marquardt, Bayesian regularisation, scaled conjugate gradients.

use deltarule::network::curvature::Curvature;
use deltarule::network::generic;
use deltarule::optim::levenberg_marquardt::Options;
use deltarule::prelude::*;
use deltarule::train::History;
use ndarray::Array2;
use std::ops::ControlFlow::Continue;

/// The sine on -pi to pi, at 200 equally spaced points, over inputs scaled to -1 to 1.
fn sine() -> (Array2<f64>, Array2<f64>) {
    let x = Array2::from_shape_fn((200, 1), |(i, _)| -1.0 + 2.0 * i as f64 / 199.0);
    let y = x.mapv(|x| (std::f64::consts::PI * x).sin());
    (x, y)
}

fn fit_sine(seed: u64, init: Option<Init>, solver: Solver, scale: f64) -> (f64, History) {
    let (x, y) = sine();
    let x = x * scale;
    let spec = Spec::mlp(1, &[10], Activation::Tanh, 1, Activation::Identity).unwrap();
    let mut net = Network::<f64>::new(spec, init, &mut Rng::new(seed)).unwrap();
    let trainer = Trainer { solver, epochs: 300, ..Trainer::default() };
    let history =
        trainer.fit(&mut net, Batch { x: x.view(), y: y.view(), weights: None }, None, &mut |_| Continue(())).unwrap();
    let error = net.predict(x.view()).unwrap() - &y;
    ((&error * &error).mean().unwrap(), history)
}

#[test]
#[ignore]
fn probe() {
    for (init, scale) in [
        (None, std::f64::consts::PI),
        (None, 1.0),
        (Some(Init::NguyenWidrow), std::f64::consts::PI),
        (Some(Init::NguyenWidrow), 1.0),
    ] {
        let mut its = Vec::new();
        let t = std::time::Instant::now();
        for seed in 1000..1040 {
            let (_, h) = fit_sine(seed, init, Solver::LevenbergMarquardt(Options::default()), scale);
            its.push((h.training.iter().position(|l| 2.0 * l <= 1e-10).unwrap_or(999), h.training.len(), h.stopped));
        }
        let ok = its.iter().filter(|i| i.0 < 999).count();
        its.sort_by_key(|i| i.0);
        println!(
            "{init:?} {scale}: {ok} of 40, {:?} {:?} {:?} {:.2} s",
            its[20],
            its[0],
            its[39],
            t.elapsed().as_secs_f64()
        );
    }
    let (e, h) = fit_sine(1, Some(Init::NguyenWidrow), Solver::Bayes(Options::default()), 1.0);
    println!("{e:e} {} {:?} {:?} {:?}", h.training.len(), h.stopped, h.regularisation.first(), h.regularisation.last());
    let _ = (generic::objective::<f64, Activation, Loss>, Curvature::<f64>::new::<Activation>);
}

#[test]
#[ignore]
fn speed() {
    use deltarule::optim::levenberg_marquardt::{LevenbergMarquardt, Problem};
    struct P(usize, Vec<f64>);
    impl Problem for P {
        fn value(&mut self, _: &[f64]) -> deltarule::Result<f64> {
            self.0 += 1;
            Ok(1.0 + self.0 as f64)
        }
        fn model(&mut self, _: &[f64], g: &mut [f64], c: &mut [f64]) -> deltarule::Result<f64> {
            g.fill(1.0);
            c.copy_from_slice(&self.1);
            Ok(1.0)
        }
    }
    for n in [31usize, 200, 500, 1000, 2000] {
        let mut a = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                a[i * n + j] = 1.0 / (1.0 + (i as f64 - j as f64).abs());
            }
            a[i * n + i] += 2.0;
        }
        for threads in [1, 2] {
            let mut lm = LevenbergMarquardt::new(n, Options::default(), None).unwrap();
            let threads = Threads::new(threads).unwrap();
            let mut best = f64::INFINITY;
            for _ in 0..3 {
                let mut p = P(0, a.clone());
                let t = std::time::Instant::now();
                let _ =
                    lm.minimize(Engine::default(), &threads, &mut vec![0.0; n], &mut p, |_, _| Continue(())).unwrap();
                best = best.min(t.elapsed().as_secs_f64() / p.0 as f64);
            }
            println!("{n}: {:.3} ms", best * 1e3);
        }
    }
}
