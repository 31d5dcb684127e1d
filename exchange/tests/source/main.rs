//! Models as C and Rust source: compiled by a C compiler and by rustc, run, and compared with the library.

mod compiled;
mod latency;
mod models;

use compiled::{Answers, Program, Written, c_program, cc, compile, rust_program, rustc};
use deltarule::activation::Activation;
use deltarule::data::csv;
use deltarule::data::features::{Feature, Kind};
use deltarule::float::Float;
use deltarule::kernel::elementwise::Function;
use deltarule::model::{Input, Model, Recipe, Source};
use deltarule::network::{Layer, Network, Spec};
use deltarule::rng::Rng;
use deltarule::simd::Isa;
use deltarule::train::Solver;
use deltarule_exchange::source;
use models::{Raw, TEXTS, every_model, one_unit};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// C as its users compile it: by the standard alone, and with whatever the compiler and the machine can.
const FLAGS: [&[&str]; 3] =
    [&["-std=c99", "-O2"], &["-std=gnu11", "-O3", "-march=native"], &["-std=c99", "-O1", "-DDELTARULE_LIBM", "-lm"]];

/// Writes every model in both languages, compiles all, and has all programs answer the rows: their bits must be the same.
fn answers<T: Float>(models: &[(String, Model<T>)], rows: &[Vec<Vec<T>>]) -> Vec<Answers<T>> {
    let written: Vec<Written> = models.iter().map(|(name, model)| Written::of(model, name)).collect();
    let mut programs: Vec<Program> = FLAGS.iter().map(|flags| c_program::<T>(&written, flags)).collect();
    programs.extend([false, true].map(|std| rust_program::<T>(&written, std)));
    let mut first = Vec::new();
    for (i, written) in written.iter().enumerate() {
        let all: Vec<Answers<T>> = programs.iter().map(|program| program.run(i, written, &rows[i])).collect();
        for (other, which) in
            all.iter().zip(["C", "C with this machine's instructions", "C with <math.h>", "Rust", "Rust with std"])
        {
            assert_eq!(other.self_test, 0, "{}: the self-test of {which}", written.name);
            assert!(other.same_bits, "{}: other bits in {which} than when it was written", written.name);
            for ((row, a), b) in rows[i].iter().zip(&all[0].rows).zip(&other.rows) {
                assert_eq!(a.0, b.0, "{}: status of {row:?} in {which}", written.name);
                // A fused sum that is subnormal may be rounded twice where there is no instruction for it.
                let exact = |v: &T| if T::NAME == "f64" && v.real().abs() < 1e-290 { 0 } else { v.real().to_bits() };
                let bits = |row: &(i32, Vec<T>)| row.1.iter().map(exact).collect::<Vec<_>>();
                assert!(
                    a.0 != 0 || bits(a) == bits(b),
                    "{}: {row:?} gives {a:?} in C and {b:?} in {which}",
                    written.name
                );
            }
        }
        first.push(all.into_iter().next().expect("five"));
    }
    first
}

fn activations<T: Float>() {
    let kernels = [
        (Activation::Sigmoid, Some(Function::Sigmoid)),
        (Activation::Tanh, Some(Function::Tanh)),
        (Activation::Relu, Some(Function::Relu)),
        (Activation::LeakyRelu { slope: 0.3 }, Some(Function::LeakyRelu { slope: 0.3 })),
        (Activation::Elu { alpha: 0.7 }, Some(Function::Elu { alpha: 0.7 })),
        (Activation::Selu, Some(Function::Selu)),
        (Activation::Softplus, Some(Function::Softplus)),
        (Activation::Silu, Some(Function::Silu)),
        (Activation::Gelu, Some(Function::Gelu)),
        (Activation::GeluTanh, Some(Function::GeluTanh)),
        (Activation::Exponential, Some(Function::Exp)),
        (Activation::Identity, None),
    ];
    // From subnormal numbers to where everything overflows, more densely where functions bend.
    let mut rng = Rng::new(3);
    let mut xs: Vec<T> = vec![T::ZERO, -T::ZERO, T::from_f64(1e-30), T::from_f64(-1e-30), T::from_f64(-700.5)];
    for i in 0..6000 {
        let deviation = [0.1, 1.0, 10.0, 100.0, 1e-3, 1000.0][i % 6];
        xs.push(rng.normal(0.0, deviation));
    }
    let models: Vec<(String, Model<T>)> =
        kernels.iter().map(|(activation, _)| (activation.name().to_string(), one_unit(*activation))).collect();
    let rows: Vec<Vec<Vec<T>>> = kernels.iter().map(|_| xs.iter().map(|&x| vec![x]).collect()).collect();
    for ((activation, kernel), answers) in kernels.iter().zip(answers(&models, &rows)) {
        let mut expected = xs.clone();
        if let Some(kernel) = kernel {
            kernel.apply(Isa::Portable, &mut expected);
        }
        let mut compared = 0;
        for ((&x, y), (status, found)) in xs.iter().zip(expected).zip(&answers.rows) {
            let finite = y.is_finite();
            assert_eq!(*status == 0, finite, "{activation} of {x:?}");
            // A fused sum that is subnormal may be rounded twice where there is no instruction for it.
            let smallest = if T::NAME == "f32" { f64::from(f32::MIN_POSITIVE) } else { 1e-290 };
            if finite && (y.real().abs() > smallest || y == T::ZERO) {
                let found = found[found.len() - 1];
                assert_eq!(found.real() + 0.0, y.real() + 0.0, "{activation} of {x:?}");
                compared += 1;
            }
        }
        assert!(compared > 3000, "{activation}: {compared} compared");
    }
}

#[test]
fn activations_have_the_bits_of_the_kernels_in_single_precision() {
    activations::<f32>();
}

#[test]
fn activations_have_the_bits_of_the_kernels_in_double_precision() {
    activations::<f64>();
}

/// Whole pipelines, on rows that the files do not carry.
fn pipelines<T: Float>() {
    let models = every_model::<T>();
    let raws: Vec<Raw<T>> = models.iter().map(|(_, model)| Raw::of(model, 200)).collect();
    let rows: Vec<Vec<Vec<T>>> = raws.iter().map(|raw| raw.rows.clone()).collect();
    for (((name, model), raw), answers) in models.iter().zip(&raws).zip(answers(&models, &rows)) {
        let said = model.predict(&raw.source, &(0..raw.rows.len()).collect::<Vec<_>>()).unwrap();
        let largest = said.values().iter().fold(1.0f64, |most, v| most.max(v.abs()));
        let bound =
            f64::from(answers.units) * largest * if T::NAME == "f32" { f64::from(f32::EPSILON) } else { f64::EPSILON };
        let mut worst = 0.0f64;
        for (((status, found), expected), row) in answers.rows.iter().zip(said.values().rows()).zip(&raw.rows) {
            assert_eq!(*status, 0, "{name}: {row:?}");
            for (found, expected) in found.iter().zip(expected) {
                worst = worst.max((found.real() - expected).abs());
            }
        }
        println!("{name} {}: {:.2e} of {bound:.2e}", T::NAME, worst);
        assert!(worst <= bound, "{name}: differs by {worst:e}, stated are {bound:e} ({} units)", answers.units);
    }
}

#[test]
fn pipelines_agree_with_the_library_in_single_precision() {
    pipelines::<f32>();
}

#[test]
fn pipelines_agree_with_the_library_in_double_precision() {
    pipelines::<f64>();
}

/// The model of this name.
fn named<T: Float>(name: &str) -> Model<T> {
    every_model().into_iter().find(|(other, _)| other == name).expect("a model of that name").1
}

/// Compiles a C file as the program that it holds, and runs it.
fn self_test_of(folder: &TempDir, text: &str) -> (bool, String) {
    fs::write(folder.path().join("car.c"), text).unwrap();
    compile(cc(folder.path(), &["-std=c99", "-O1", "-DCAR_MAIN"], &["car.c"]).args(["-o", "car"]));
    let out = Command::new(folder.path().join("car")).output().unwrap();
    (out.status.success(), String::from_utf8(out.stdout).unwrap())
}

#[test]
fn a_changed_digit_fails_the_self_test() {
    let folder = TempDir::new().unwrap();
    let text = source::c(&named::<f32>("car"), "car").unwrap();
    assert_eq!(self_test_of(&folder, &text), (true, "self-test: passed (0); bits as written: yes\n".into()));
    // The last digit of one weight: no answer shows it, the checksum does.
    let start = text.find("car_weights_2[64][8]").unwrap();
    let digit = start + text[start..].find("p-").unwrap() - 1;
    let other = if &text[digit..=digit] == "2" { "4" } else { "2" };
    let weight = [&text[..digit], other, &text[digit + 1..]].concat();
    let said = self_test_of(&folder, &weight).1;
    assert!(said.starts_with("self-test: FAILED (-1)"), "{said}");
    // What the checksum does not cover, the rows do: an answer of the library, the mean of a column, an activation's sign.
    for (from, to) in [
        ("0x1.ea66666666666p+5", "0x1.eb66666666666p+5"),
        ("x <= 0.0f", "x < -1.0f"),
        ("part[i % 16] += z[i]", "part[i % 16] -= z[i]"),
    ] {
        assert!(text.contains(from), "{from}");
        let (passed, said) = self_test_of(&folder, &text.replacen(from, to, 1));
        assert!(!passed && said.contains("FAILED ("), "{from}: {said}");
    }
}

#[test]
fn texts_from_files_arrive_as_they_were_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let model = named::<f64>("deep");
    let main = r#"#define DEEP_HEADER
#include "deep.c"
#include <stdio.h>
int main(void) {
    size_t i;
    for (i = 0; i < DEEP_OUTPUTS; i++) {
        fputs(deep_class_names[i], stdout);
        fputc(1, stdout);
    }
    printf("%d %d %d %d ", deep_code(1, "nul\000in the middle", 17), deep_code(1, "nul", 3), deep_code(3, "high", 4), deep_code(0, "low", 3));
    printf("%d %d\n", deep_code(9, "low", 3), deep_code(3, "hig", 3));
    return 0;
}
"#;
    fs::write(folder.path().join("deep.c"), source::c(&model, "deep").unwrap()).unwrap();
    fs::write(folder.path().join("main.c"), main).unwrap();
    compile(cc(folder.path(), &["-std=c99", "-trigraphs", "-Wtrigraphs"], &["deep.c", "main.c"]).args(["-o", "texts"]));
    let out = Command::new(folder.path().join("texts")).output().unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    // A C string ends at its first NUL; the code of such a text is found all the same.
    let names: Vec<&str> = TEXTS.iter().map(|text| text.split('\0').next().unwrap()).collect();
    assert_eq!(said, names.join("\u{1}") + "\u{1}4 -1 2 -1 -1 -1\n");

    let rust = source::rust(&model, "deep").unwrap();
    let expected: Vec<String> = TEXTS.iter().map(|text| format!("{text:?}")).collect();
    let main = format!(
        "mod deep;\nfn main() {{
    assert_eq!(deep::CLASS_NAMES, [{}]);
    assert_eq!((deep::code(1, \"nul\\0in the middle\"), deep::code(1, \"nul\"), deep::code(9, \"low\")), (Some(4), None, None));
}}\n",
        expected.join(", ")
    );
    fs::write(folder.path().join("deep.rs"), rust).unwrap();
    fs::write(folder.path().join("main.rs"), main).unwrap();
    compile(rustc(folder.path()).args(["-o", "rust_texts", "main.rs"]));
    assert!(Command::new(folder.path().join("rust_texts")).status().unwrap().success());
    // The file's own test runs as it stands.
    compile(rustc(folder.path()).args(["--test", "-o", "own_test", "deep.rs"]));
    let out = Command::new(folder.path().join("own_test")).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).contains("1 passed"), "{out:?}");
}

#[test]
fn what_no_file_can_be_written_for_is_refused_by_name() {
    let model = named::<f32>("car");
    for name in ["", "1st", "a-b", "a b", "_a", "é", "a;b", "a_name_that_is_too_long_for_c"] {
        let message = source::c(&model, name).unwrap_err().to_string();
        assert!(message.contains("name") && message.contains(&format!("'{name}'")), "{message}");
        assert!(source::rust(&model, name).is_err());
    }
    let mut broken = model.clone();
    broken.network.params_mut()[3] = f32::NAN;
    let message = source::c(&broken, "car").unwrap_err().to_string();
    assert!(message.contains("layer 1, weight from input 1 to unit 4"), "{message}");
    // The bias and every text of the second column cancel: what is left are the roundings on the way there.
    let mut cancels = named::<f32>("number");
    let layers = vec![Layer::new(1, Activation::Identity)];
    cancels.network = Network::from_params(
        Spec::new(12, layers).unwrap(),
        (0..13).map(|i| if i == 12 { 1e8 } else { [3.3, -1e8][usize::from((1..8).contains(&i))] }).collect(),
    )
    .unwrap();
    let message = source::c(&cancels, "cancels").err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message.contains("differ by") && message.contains("1e-3"), "{message}");
}

/// Trained on a table, all rows: the same answers and the same classes.
fn trained<T: Float>(file: &str, target: &str) -> (String, Model<T>, Source, Vec<Vec<T>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(file);
    let table = csv::read(&path, &csv::Options::default()).unwrap();
    let source = Source::table(table.clone(), &[target], None).unwrap();
    let all: Vec<usize> = (0..table.rows()).collect();
    let mut recipe = Recipe { hidden: vec![16], ..Recipe::default() };
    recipe.trainer.solver = Solver::Lbfgs;
    recipe.trainer.epochs = 30;
    let model = recipe.fit::<T>(&source, &all, &mut |_| ControlFlow::Continue(())).unwrap().model;
    let Input::Table(features) = &model.input else { panic!("a table") };
    let cell = |row: usize, column: &Feature| match &column.kind {
        Kind::Number { .. } => T::from_f64(table.cell(row, column.position).parse().unwrap()),
        Kind::Category { levels, .. } => {
            T::from_f64(levels.iter().position(|level| level == table.cell(row, column.position)).unwrap() as f64)
        }
    };
    let rows = all.iter().map(|&row| features.columns.iter().map(|column| cell(row, column)).collect()).collect();
    (file.replace(".csv", ""), model, source, rows)
}

#[test]
fn trained_models_say_the_same_of_every_row_they_were_trained_on() {
    fn check<T: Float>() {
        let trained = [trained::<T>("car.csv", "class"), trained::<T>("vertebral.csv", "class")];
        let models: Vec<(String, Model<T>)> = trained.iter().map(|t| (t.0.clone(), t.1.clone())).collect();
        let rows: Vec<Vec<Vec<T>>> = trained.iter().map(|t| t.3.clone()).collect();
        for ((name, model, source, rows), answers) in trained.iter().zip(answers(&models, &rows)) {
            let said = model.predict(source, &(0..rows.len()).collect::<Vec<_>>()).unwrap();
            let unit = if T::NAME == "f32" { f64::from(f32::EPSILON) } else { f64::EPSILON };
            let mut worst = 0.0f64;
            for (row, ((status, found), expected)) in answers.rows.iter().zip(said.values().rows()).enumerate() {
                let found: Vec<f64> = found.iter().map(|value| value.real()).collect();
                let largest =
                    |values: &[f64]| (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap();
                assert_eq!((*status, largest(&found)), (0, largest(&expected.to_vec())), "{name}, row {row}");
                worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(worst, f64::max);
            }
            println!(
                "{name} {}: {} rows, at most {:.2} units of 1; stated {}",
                T::NAME,
                rows.len(),
                worst / unit,
                answers.units
            );
            assert!(worst <= f64::from(answers.units) * unit, "{name}: {worst:e}");
        }
    }
    check::<f32>();
    check::<f64>();
}
