//! Handwritten digits: 784-100-10, ten epochs, and what the hundred units look for.
//!
//!     scripts/fetch-data mnist
//!     cargo run --release --example mnist [DATA [PICTURES]]     target/data/mnist and target/pictures unless named

use deltarule::data::idx;
use deltarule::file::{self, Existing};
use deltarule::model::{Recipe, Source};
use deltarule::prelude::*;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

fn main() -> deltarule::Result<()> {
    let argument =
        |n: usize, default: &str| std::env::args().nth(n).map_or_else(|| PathBuf::from(default), PathBuf::from);
    let (data, pictures) = (argument(1, "target/data/mnist"), argument(2, "target/pictures"));
    let load = |name: &str| -> deltarule::Result<Source> {
        let images = idx::images(&data.join(format!("{name}-images-idx3-ubyte")))?;
        let labels = idx::labels(&data.join(format!("{name}-labels-idx1-ubyte")))?;
        Source::images(images, Some(labels))
    };
    let (training, test) = (load("train")?, load("t10k")?);
    let all = |source: &Source| (0..source.rows()).collect::<Vec<_>>();

    let mut recipe = Recipe::default();
    recipe.trainer.epochs = 10;
    recipe.trainer.batch = 64;
    recipe.trainer.learning_rate = 0.001;
    recipe.trainer.threads = Threads::new(0)?;
    let started = Instant::now();
    let fitted = recipe.fit::<f32>(&training, &all(&training), &mut |epoch| {
        println!("epoch {:2}  loss {:.4}  {:5.1} s", epoch.number, epoch.training, started.elapsed().as_secs_f64());
        ControlFlow::Continue(())
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let evaluation = fitted.model.evaluate(&test, &all(&test))?;
    let accuracy = evaluation.metrics.get("accuracy").unwrap_or(f64::NAN);
    println!(
        "{} test images: accuracy {accuracy:.4}, 95 % interval {:.4} to {:.4}; {seconds:.1} s of training",
        evaluation.rows, evaluation.interval.low, evaluation.interval.high
    );
    draw(&pictures, "mnist-weights.svg", &fitted.model.weights_svg()?)?;
    draw(&pictures, "mnist-loss.svg", &fitted.curve_svg())?;
    assert!(accuracy >= 0.975, "test accuracy {accuracy}");
    Ok(())
}

fn draw(folder: &Path, name: &str, svg: &str) -> deltarule::Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| deltarule::Error::io(folder, e))?;
    file::write_whole(&folder.join(name), svg.as_bytes(), Existing::Replace)?;
    println!("wrote {}", folder.join(name).display());
    Ok(())
}
