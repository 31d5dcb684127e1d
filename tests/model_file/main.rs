//! The model file: what is saved comes back bit for bit, others can read it, and whatever the writer would not have written is
//! refused with its reason.
//!
//! Here are the subjects and the round trip; `refusals.rs` forges files, `golden.rs` reads those of released versions,
//! `writing.rs` interrupts what writes them, `targets.rs` has several targets and weighted rows, and `certificates.rs` has files
//! that carry a gradient check.

mod certificates;
mod golden;
mod refusals;
mod targets;
mod writing;

use deltarule::data::csv;
use deltarule::data::idx::Idx;
use deltarule::data::target::Number;
use deltarule::metrics::Metrics;
use deltarule::model::{Model, Predictions, Recipe, Source, peek_dtype};
use deltarule::prelude::*;
use safetensors::SafeTensors;
use std::fmt::Write as _;
use std::ops::ControlFlow::Continue;
use std::path::Path;

/// A table of a number with a gap, a category and a constant column; classes and a number to predict.
fn table(target: &str) -> Source {
    let mut text = "length,colour,one,class,price\n".to_string();
    for i in 0..36 {
        let (length, colour) = (f64::from(i) * 0.37 - 5.0, ["red", "green", "blue"][i as usize % 3]);
        let class = ["no", "yes", "perhaps"][(i / 12) as usize];
        let shown = if i == 7 { String::new() } else { length.to_string() };
        writeln!(text, "{shown},{colour},1,{class},{}", 100.0 * length + f64::from(i % 3) + 0.1).unwrap();
    }
    let options = csv::Options::default();
    let table = csv::read_from(text.as_bytes(), "small.csv", &options).unwrap();
    Source::table(table, &[target], None).unwrap()
}

/// Twelve images of 2 x 3 pixels, with two labels.
fn images() -> Source {
    let pixels = (0..72u32).map(|i| (i * 37 % 256) as u8).collect();
    let images = Idx { name: "images".into(), dims: vec![12, 2, 3], bytes: pixels };
    let labels = Idx { name: "labels".into(), dims: vec![12], bytes: (0..12).map(|i| 4 + i % 2).collect() };
    Source::images(images, Some(labels)).unwrap()
}

fn fit<T: Float>(source: &Source, adjust: impl FnOnce(&mut Recipe)) -> Model<T> {
    let mut recipe = Recipe { hidden: vec![4], ..Recipe::default() };
    recipe.trainer.epochs = 5;
    recipe.features.missing = deltarule::data::Missing::Mean;
    adjust(&mut recipe);
    let rows: Vec<usize> = (0..source.rows()).collect();
    recipe.fit(source, &rows, &mut |_| Continue(())).unwrap().model
}

/// A classifier of the table, in f32, which most tests take apart.
fn small() -> Model<f32> {
    fit(&table("class"), |recipe| recipe.features.ignore = vec!["price".into()])
}

fn numbers(predictions: Predictions) -> Vec<f64> {
    predictions.values().iter().copied().collect()
}

const PATH: &str = "some/model.safetensors";

fn read<T: Float>(bytes: &[u8]) -> Result<Model<T>, String> {
    Model::from_bytes(bytes, Path::new(PATH)).map_err(|e| e.to_string())
}

fn comes_back<T: Float>(source: &Source, adjust: impl Fn(&mut Recipe)) {
    let model = fit::<T>(source, &adjust);
    let bytes = model.to_bytes().unwrap();
    let back = read::<T>(&bytes).unwrap();
    assert_eq!(back, model);
    let bits = |m: &Model<T>| m.network.params().iter().map(|p| p.real().to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&back), bits(&model));
    assert_eq!(back.to_bytes().unwrap(), bytes, "the same model, the same bytes");
    assert_eq!(fit::<T>(source, &adjust).to_bytes().unwrap(), bytes, "made again, the same bytes");
    assert_eq!(back.parameters_sha256(), model.parameters_sha256());
    assert_eq!(peek_dtype(&bytes, Path::new(PATH)).unwrap().name(), T::NAME);
    let rows: Vec<usize> = (0..source.rows()).collect();
    let (p, q) = (numbers(model.predict(source, &rows).unwrap()), numbers(back.predict(source, &rows).unwrap()));
    assert!(p.iter().map(|p| p.to_bits()).eq(q.iter().map(|q| q.to_bits())) && p.iter().all(|p| p.is_finite()));
}

#[test]
fn what_is_saved_comes_back_bit_for_bit() {
    let two = |recipe: &mut Recipe| {
        recipe.hidden = vec![5, 3];
        recipe.activations = vec![Activation::LeakyRelu { slope: 0.1 }, Activation::Gelu];
    };
    let huber = |recipe: &mut Recipe| recipe.loss = Some(Loss::Huber { delta: 0.1 });
    let perceptron = |recipe: &mut Recipe| (recipe.trainer.solver, recipe.hidden) = (Solver::Perceptron, vec![]);
    for source in [table("class"), table("price"), images()] {
        comes_back::<f32>(&source, two);
        comes_back::<f64>(&source, |_| {});
        comes_back::<f32>(&source, |recipe| recipe.norm = Norm::Layer);
        comes_back::<f64>(&source, |recipe| recipe.norm = Norm::Batch);
    }
    comes_back::<f64>(&table("price"), huber);
    comes_back::<f32>(&images(), perceptron);
    comes_back::<f32>(&table("class"), perceptron);
}

#[test]
fn threshold_units_of_several_classes_give_probabilities_that_can_be_evaluated() {
    let source = table("class");
    let model = fit::<f32>(&source, |recipe| (recipe.trainer.solver, recipe.hidden) = (Solver::Perceptron, vec![]));
    let rows: Vec<usize> = (0..36).collect();
    let Predictions::Classes(p) = model.predict(&source, &rows).unwrap() else { panic!("classes") };
    assert!(p.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-12));
    assert!(matches!(model.evaluate(&source, &rows).unwrap().metrics, Metrics::Classification(_)));
}

#[test]
fn numbers_of_the_description_come_back_bit_for_bit() {
    let mut model = fit::<f64>(&table("price"), |_| {});
    for number in [0.1 + 0.2, 5e-324, f64::MAX, f64::MIN_POSITIVE, 1.0 / 3.0, 1e23, 123_456_789.123_456_79] {
        if let deltarule::data::Target::Number(Number { mean, scale, .. }) = &mut model.target {
            (*mean, *scale) = (-number, number);
        }
        assert_eq!(read::<f64>(&model.to_bytes().unwrap()).unwrap(), model, "{number:e}");
    }
}

#[test]
fn norms_have_pytorchs_names_under_their_layers() {
    let model = fit::<f32>(&table("class"), |recipe| recipe.norm = Norm::Layer);
    let bytes = model.to_bytes().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    assert_eq!(names, ["0.bias", "0.norm.bias", "0.norm.weight", "0.weight", "1.bias", "1.weight"]);
    for (name, numbers) in ["0.norm.weight", "0.norm.bias"].into_iter().zip(model.network.norm(0)) {
        let expected: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(file.tensor(name).unwrap().data(), expected);
    }
    // What batch normalisation knows of the rows, too; its layer has no biases.
    let model = fit::<f32>(&table("class"), |recipe| recipe.norm = Norm::Batch);
    let bytes = model.to_bytes().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    let statistics = ["0.norm.running_mean", "0.norm.running_var"];
    let expected = ["0.norm.bias", statistics[0], statistics[1], "0.norm.weight", "0.weight", "1.bias", "1.weight"];
    assert_eq!(names, expected);
    for (name, numbers) in statistics.into_iter().zip(model.network.statistics(0)) {
        let expected: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(file.tensor(name).unwrap().data(), expected);
    }
}

/// A variance is not negative, nor is a statistic infinite, be it written or read.
#[test]
fn running_statistics_that_are_none_are_refused() {
    let sound = fit::<f32>(&table("class"), |recipe| recipe.norm = Norm::Batch);
    let variance = sound.network.spec().blocks()[0].variance.clone();
    for (at, number, said) in [
        (variance.start + 1, -0.5, "layer 1, running variance of unit 2 is -0.5"),
        (variance.start - 1, f32::INFINITY, "running mean of unit"),
    ] {
        let mut model = sound.clone();
        model.network.state_mut()[at] = number;
        let refusal = model.to_bytes().unwrap_err().to_string();
        assert!(refusal.contains(said), "{refusal}");
    }
}

#[test]
fn pytorch_finds_its_names_and_its_layout() {
    let model = fit::<f32>(&table("class"), |recipe| recipe.hidden = vec![5, 3]);
    let bytes = model.to_bytes().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    assert_eq!(names, ["0.bias", "0.weight", "1.bias", "1.weight", "2.bias", "2.weight"]);
    for l in 0..3 {
        let (weights, bias) = (model.network.weights(l), model.network.bias(l));
        let tensor = file.tensor(&format!("{l}.weight")).unwrap();
        assert_eq!(
            (tensor.dtype(), tensor.shape()),
            (safetensors::Dtype::F32, &[weights.ncols(), weights.nrows()][..])
        );
        let floats = |bytes: &[u8]| -> Vec<f32> {
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
        };
        for (at, number) in floats(tensor.data()).into_iter().enumerate() {
            assert_eq!(number, weights[[at % weights.nrows(), at / weights.nrows()]]);
        }
        let tensor = file.tensor(&format!("{l}.bias")).unwrap();
        assert_eq!((tensor.shape(), floats(tensor.data())), (&[bias.len()][..], bias.to_vec()));
    }
}
