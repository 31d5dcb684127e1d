//! Rows that stay in their file: trained on, predicted and measured with the bits of rows in memory.

use deltarule::data::{ClassWeights, Missing, Parting, csv, idx, npy};
use deltarule::model::{Model, Predictions, Recipe, Source};
use deltarule::prelude::*;
use deltarule::train::{Inputs, Run};
use deltarule::{Error, Result};
use ndarray::Array2;
use std::ops::ControlFlow::Continue;
use std::path::{Path, PathBuf};

/// An NPY file of this type and shape.
fn npy_file(path: &Path, descr: &str, shape: &str, bytes: &[u8]) {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let file = [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), bytes].concat();
    std::fs::write(path, file).unwrap();
}

fn idx_file(path: &Path, dims: &[u32], bytes: &[u8]) {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|size| file.extend(size.to_be_bytes()));
    std::fs::write(path, [&file[..], bytes].concat()).unwrap();
}

const ROWS: usize = 700;
const WIDTH: usize = 20;

/// Numbers without a pattern, from -1 to 1.
fn value(i: usize) -> f32 {
    2.0 * (i as f64 * 0.618_033_988_749_895).fract() as f32 - 1.0
}

struct Files {
    _folder: tempfile::TempDir,
    matrix: PathBuf,
    classes: PathBuf,
    numbers: PathBuf,
    images: PathBuf,
    labels: PathBuf,
}

/// A matrix with gaps, three classes and a number of its rows; images and their labels.
fn files() -> Files {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let class = |row: usize| row * 7 % 3;
    let cell = |i: usize| match (i % 97, class(i / WIDTH) == i % 3) {
        (5, _) => f32::NAN,
        (_, true) => value(i) + 1.0,
        _ => 50.0 * value(i),
    };
    let bytes: Vec<u8> = (0..ROWS * WIDTH).flat_map(|i| cell(i).to_be_bytes()).collect();
    npy_file(&path("x.npy"), ">f4", &format!("({ROWS}, {WIDTH})"), &bytes);
    let bytes: Vec<u8> = (0..ROWS).flat_map(|row| (class(row) as i64 - 1).to_le_bytes()).collect();
    npy_file(&path("c.npy"), "<i8", &format!("({ROWS},)"), &bytes);
    let number = |row: usize| f64::from(cell(row * WIDTH + 1)) * 3.0 + 100.0;
    let bytes: Vec<u8> = (0..ROWS).flat_map(|row| number(row).max(-1e3).to_le_bytes()).collect();
    npy_file(&path("n.npy"), "<f8", &format!("({ROWS}, 1)"), &bytes);
    let pixels: Vec<u8> = (0..ROWS * WIDTH).map(|i| (i * 37 % 200 + 20 * class(i / WIDTH)) as u8).collect();
    idx_file(&path("i"), &[ROWS as u32, 4, WIDTH as u32 / 4], &pixels);
    idx_file(&path("l"), &[ROWS as u32], &(0..ROWS).map(|row| class(row) as u8).collect::<Vec<_>>());
    Files {
        matrix: path("x.npy"),
        classes: path("c.npy"),
        numbers: path("n.npy"),
        images: path("i"),
        labels: path("l"),
        _folder: folder,
    }
}

/// The same source twice: in memory, and in its file.
fn pairs(files: &Files) -> Vec<(&'static str, Source, Source)> {
    let matrix = |targets: &Path, in_file: bool| {
        let open = if in_file { npy::open } else { npy::read };
        Source::matrix(open(&files.matrix).unwrap(), Some(npy::read(targets).unwrap())).unwrap()
    };
    let labels = || Some(idx::labels(&files.labels).unwrap());
    let in_memory = Source::images(idx::images(&files.images).unwrap(), labels()).unwrap();
    let in_file = Source::images(idx::open(&files.images).unwrap(), labels()).unwrap();
    vec![
        ("classes", matrix(&files.classes, false), matrix(&files.classes, true)),
        ("a number", matrix(&files.numbers, false), matrix(&files.numbers, true)),
        ("images", in_memory, in_file),
    ]
}

fn fit<T: Float>(source: &Source, adjust: &dyn Fn(&mut Recipe)) -> Result<(Model<T>, Vec<f64>)> {
    let mut recipe = Recipe { hidden: vec![8], ..Recipe::default() };
    recipe.trainer.epochs = 4;
    recipe.features.missing = Missing::Mean;
    adjust(&mut recipe);
    // Every fifth row is left out, so that a row's number and its place differ.
    let rows: Vec<usize> = (0..source.rows()).filter(|row| row % 5 != 2).collect();
    let fitted = recipe.fit::<T>(source, &rows, &mut |_| Continue(()))?;
    Ok((fitted.model, fitted.history.training))
}

fn bits(predictions: Predictions) -> Vec<u64> {
    predictions.values().iter().map(|value| value.to_bits()).collect()
}

fn agree<T: Float>(adjust: &dyn Fn(&mut Recipe)) {
    agree_on::<T>(&["classes", "a number", "images"], adjust);
}

fn agree_on<T: Float>(names: &[&str], adjust: &dyn Fn(&mut Recipe)) {
    let files = files();
    for (name, in_memory, in_file) in pairs(&files).into_iter().filter(|(name, ..)| names.contains(name)) {
        assert!(!in_memory.is_in_file() && in_file.is_in_file());
        let (expected, losses) = fit::<T>(&in_memory, adjust).unwrap();
        assert!(losses.last() < losses.first(), "{name}: {losses:?}");
        let all: Vec<usize> = (0..ROWS).collect();
        for threads in [1, 2] {
            let threaded = |recipe: &mut Recipe| {
                adjust(recipe);
                recipe.trainer.threads = Threads::new(threads).unwrap();
            };
            let (found, found_losses) = fit::<T>(&in_file, &threaded).unwrap();
            assert_eq!(found.parameters_sha256(), expected.parameters_sha256(), "{name}, {threads} threads");
            assert_eq!(found_losses, losses, "{name}");
            assert_eq!(found.input, expected.input, "{name}: means and deviations");
            let predict = |source| bits(expected.predict(source, &all).unwrap());
            assert_eq!(predict(&in_file), predict(&in_memory), "{name}");
            let evaluate = |source| expected.evaluate(source, &all).unwrap().metrics;
            assert_eq!(evaluate(&in_file), evaluate(&in_memory), "{name}");
        }
    }
}

#[test]
fn the_bits_are_those_of_rows_in_memory() {
    agree::<f32>(&|_| {});
    agree::<f64>(&|recipe| recipe.trainer.batch = 7);
    agree::<f32>(&|recipe| recipe.trainer.shuffle = false);
}

#[test]
fn rows_held_back_change_nothing_in_that() {
    agree::<f32>(&|recipe| recipe.held_back = Some(0.2));
    agree::<f32>(&|recipe| (recipe.held_back, recipe.parting) = (Some(0.2), Parting::Ordered));
}

/// What else may come to a mini-batch: noise on inputs and units, smoothed labels, weights of classes.
#[test]
fn noise_and_weights_change_nothing_in_that() {
    agree::<f32>(&|recipe| {
        recipe.trainer.noise.dropout = vec![0.2];
        recipe.trainer.noise.input_noise = 0.1;
        recipe.trainer.watch_gradients = Some(5);
    });
    agree_on::<f64>(&["classes", "images"], &|recipe| {
        (recipe.label_smoothing, recipe.class_weights) = (0.1, Some(ClassWeights::Balanced));
        (recipe.held_back, recipe.monitor) = (Some(0.2), Some("accuracy".into()));
    });
}

#[test]
fn solvers_that_need_all_rows_refuse_those_of_a_file() {
    for (_, _, in_file) in pairs(&files()) {
        for (solver, name) in [
            (Solver::Lbfgs, "L-BFGS"),
            (Solver::Rprop(Default::default()), "Rprop"),
            (Solver::Scg, "scaled conjugate gradients"),
            (Solver::LevenbergMarquardt(Default::default()), "Levenberg-Marquardt"),
            (Solver::Bayes(Default::default()), "Bayesian regularisation"),
            (Solver::Perceptron, "the perceptron rule"),
        ] {
            let refusal = trainer_refusal(solver);
            let expected = format!(
                "rows that are not in memory are for solvers that step after each mini-batch, which {name} is not"
            );
            assert!(matches!(&refusal, Error::Unsupported(message) if *message == expected), "{refusal}");
        }
        let refusal = fit::<f32>(&in_file, &|recipe| recipe.trainer.solver = Solver::Lbfgs).unwrap_err();
        assert!(matches!(refusal, Error::Unsupported(_)) && refusal.to_string().contains("L-BFGS"), "{refusal}");
    }
}

/// A matrix is a table of numbers: the same network comes of both, and one predicts for the other.
#[test]
fn a_matrix_and_a_table_of_the_same_numbers_are_one() {
    let files = files();
    let [(_, matrix, _), ..] = &pairs(&files)[..] else { panic!("three pairs") };
    let Source::Matrix { matrix: numbers, targets: Some(targets) } = matrix else { panic!("a matrix") };
    let mut text = String::new();
    let all: Vec<usize> = (0..ROWS).collect();
    let mut labels = Vec::new();
    let label = |_, row: &[f64]| {
        labels.push(row[0]);
        Ok(())
    };
    targets.each_row(&all, &mut Default::default(), label).unwrap();
    let line = |row: usize, values: &[f64]| {
        values
            .iter()
            .for_each(|value| text += &format!("{},", if value.is_nan() { "".into() } else { value.to_string() }));
        text += &format!("{}\n", labels[row]);
        Ok(())
    };
    numbers.each_row(&all, &mut Default::default(), line).unwrap();
    let options = csv::Options { header: csv::Header::No, ..csv::Options::default() };
    let table = csv::read_from(text.as_bytes(), "t.csv", &options).unwrap();
    let table = Source::table(table, &[(WIDTH + 1).to_string()], None).unwrap();
    let (of_matrix, losses) = fit::<f64>(matrix, &|_| {}).unwrap();
    let (of_table, losses_of_table) = fit::<f64>(&table, &|_| {}).unwrap();
    assert_eq!(losses, losses_of_table);
    assert_eq!(of_matrix.parameters_sha256(), of_table.parameters_sha256());
    assert_eq!(of_matrix.target.labels(), of_table.target.labels());
    let of = |model: &Model<f64>, source: &Source| bits(model.predict(source, &all).unwrap());
    assert_eq!(of(&of_table, matrix), of(&of_matrix, matrix));
}

/// What a training on one threshold or linear unit says to inputs that are not in memory.
fn trainer_refusal(solver: Solver) -> Error {
    let output = if solver == Solver::Perceptron { Activation::Step } else { Activation::Identity };
    let mut net = Network::<f32>::zeros(Spec::mlp(2, &[], Activation::Tanh, 1, output).unwrap()).unwrap();
    let (x, y) = (Array2::zeros((5, 0)), Array2::zeros((5, 1)));
    let run = Run { inputs: Some(&mut Broken), ..Run::default() };
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    Trainer { solver, ..Trainer::default() }.run(&mut net, batch, run).unwrap_err()
}

/// Inputs that are no numbers, on the third row: what a caller's own source might give.
struct Broken;

impl Inputs<f32> for Broken {
    fn read(&mut self, rows: &[usize], out: &mut [f32]) -> Result<()> {
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(2)) {
            out.fill(if row == 2 { f32::NAN } else { 1.0 });
        }
        Ok(())
    }
}

#[test]
fn inputs_that_are_not_finite_are_named_when_they_are_read() {
    let spec = Spec::mlp(2, &[3], Activation::Tanh, 1, Activation::Identity).unwrap();
    let mut net = Network::<f32>::new(spec, None, &mut Rng::new(1)).unwrap();
    let (x, y) = (Array2::zeros((5, 0)), Array2::zeros((5, 1)));
    let batch = Batch { x: x.view(), y: y.view(), weights: None };
    let trainer = Trainer { epochs: 1, ..Trainer::default() };
    let mut broken = Broken;
    let run = Run { inputs: Some(&mut broken), ..Run::default() };
    let refusal = trainer.run(&mut net, batch, run).unwrap_err().to_string();
    assert_eq!(refusal, "x, row 3, column 1: expected a finite number, found NaN");
    let whole = Array2::zeros((5, 2));
    let mut broken = Broken;
    let run = Run { inputs: Some(&mut broken), ..Run::default() };
    let both = Batch { x: whole.view(), y: y.view(), weights: None };
    let refusal = trainer.run(&mut net, both, run).unwrap_err().to_string();
    assert_eq!(refusal, "x: expected 5 x 0, found 5 x 2", "inputs in both places");
}
