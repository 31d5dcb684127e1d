//! scratch
use deltarule::data::{csv, split};
use deltarule::model::{Predictions, Recipe, Source};
use deltarule::prelude::*;
use std::path::Path;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let table = csv::read(Path::new(&a[1]), &Default::default()).unwrap();
    let t = table.column("class").unwrap();
    let source = Source::Table { table, target: Some(t) };
    let g = |i: usize, d: f64| a.get(i).map(|s| s.parse::<f64>().unwrap()).unwrap_or(d);
    let mut accs = vec![];
    let mut eps = vec![];
    let mut secs = vec![];
    for seed in 0..10u64 {
        let mut recipe = Recipe::default();
        recipe.trainer.seed = seed;
        recipe.trainer.learning_rate = g(2, 0.005);
        recipe.trainer.batch = g(3, 32.0) as usize;
        recipe.trainer.epochs = g(4, 200.0) as usize;
        recipe.trainer.stopping.tolerance = g(5, 1e-3);
        recipe.trainer.objective.l2 = g(6, 0.0);
        if let Some(act) = a.get(7) {
            recipe.activations = vec![Activation::parse(act).unwrap()];
        }
        recipe.trainer.stopping.patience = g(8, 10.0) as usize;
        recipe.hidden = a.get(9).map(|s| s.split(',').map(|x| x.parse().unwrap()).collect()).unwrap_or(vec![100]);
        let (_, target, _) = source.infer(None, &recipe.features).unwrap();
        let rows: Vec<usize> = (0..source.rows()).collect();
        let mut classes = vec![];
        let strata = source.strata(&target, &rows, &mut classes).unwrap();
        let sp = split::hold_out(strata, 0.2, &mut Rng::with_stream(seed, 2)).unwrap();
        let t0 = std::time::Instant::now();
        let fitted = recipe.fit::<f32>(&source, &sp.train, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
        secs.push(t0.elapsed().as_secs_f64());
        let p = fitted.model.predict(&source, &sp.test).unwrap();
        let truth = source.classes(&fitted.model.target, &sp.test).unwrap();
        let Predictions::Classes(_) = &p else { panic!() };
        let ok = p.classes().iter().zip(&truth).filter(|(a, b)| a == b).count();
        accs.push(ok as f64 / truth.len() as f64);
        eps.push((fitted.history.training.len(), *fitted.history.training.last().unwrap()));
    }
    println!(
        "{:?}\n{:?}\n{:?}\nmean {:.4} secs {:.2}",
        accs,
        eps,
        secs,
        accs.iter().sum::<f64>() / 10.0,
        secs.iter().sum::<f64>() / 10.0
    );
}
