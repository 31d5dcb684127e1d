//! Flags out of range, networks that do not fit into memory, and trainings that run away.

use crate::command::data::{classes, csv, numbers};
use crate::command::{Folder, rejects, rejects_command};
use crate::{DIVERGED, MEMORY, USAGE, case};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("t.csv", csv("a,b,y", &classes()));
    folder.write("n.csv", csv("a,b,y", &numbers()));
    folder
}

#[test]
fn training_settings_out_of_range() {
    let folder = folder();
    let table: &[(&str, &[&str])] = &[
        ("--bogus", &["--bogus"]),
        ("--hidden 10,,5", &["--hidden", "'10,,5'"]),
        ("--hidden 0", &["--hidden", "whole numbers above 0", "'0'"]),
        ("--hidden 10,-5", &["--hidden", "'10,-5'"]),
        ("--hidden 1e3", &["--hidden", "'1e3'"]),
        ("--hidden 99999999999999999999", &["--hidden", "99999999999999999999"]),
        ("--hidden 10000000000,10000000000", &["size of layer 2", "10000000000 x 10000000000"]),
        ("--cv 1", &["--cv", "2 or more", "'1'"]),
        ("--cv x", &["--cv", "5x4", "'x'"]),
        ("--cv 5x0", &["--cv", "'5x0'"]),
        ("--cv 5x4x3", &["--cv", "'5x4x3'"]),
        ("--cv 41", &["--cv", "2 to 40 (there are 40 rows)", "41"]),
        ("--cv 5 --test 0.2", &["--cv", "--test"]),
        ("--cv 5 --resume", &["--cv", "--resume"]),
        ("--cv 5 --every 7", &["--cv", "--every"]),
        ("--cv 5 --validation-labels m", &["--cv", "--validation-labels"]),
        ("--test 2", &["--test", "between 0 and 1", "found 2"]),
        ("--test 1", &["--test", "between 0 and 1", "found 1"]),
        ("--test -0.5", &["--test", "between 0 and 1", "found -0.5"]),
        ("--test nan", &["--test", "between 0 and 1", "found NaN"]),
        ("--test some", &["--test", "some"]),
        ("--early-stopping 2", &["--early-stopping", "between 0 and 1", "found 2"]),
        ("--batch 0", &["--batch", "at least 1", "found 0"]),
        ("--epochs 0", &["--epochs", "at least 1", "found 0"]),
        ("--epochs -1", &["--epochs", "-1"]),
        ("--patience 0", &["--patience", "at least 1", "found 0"]),
        ("--tolerance nan", &["--tolerance", "finite", "found NaN"]),
        ("--tolerance -1", &["--tolerance", "at least 0", "found -1"]),
        ("--rate 0", &["--rate", "above 0", "found 0"]),
        ("--rate -1", &["--rate", "above 0", "found -1"]),
        ("--rate nan", &["--rate", "finite", "found NaN"]),
        ("--rate inf", &["--rate", "finite", "found inf"]),
        ("--l1 -1", &["--l1", "at least 0", "found -1"]),
        ("--l1 inf", &["--l1", "finite", "found inf"]),
        ("--l2 -1", &["--l2", "at least 0", "found -1"]),
        ("--l2 nan", &["--l2", "finite", "found NaN"]),
        ("--solver sgd --momentum 2", &["--momentum", "found 2"]),
        ("--solver sgd --momentum nan", &["--momentum", "found NaN"]),
        ("--solver newton", &["--solver", "newton", "lbfgs", "adamw", "lion"]),
        ("--beta1 1", &["--beta1", "from 0 to below 1", "found 1"]),
        ("--beta2 -0.5", &["--beta2", "from 0 to below 1", "found -0.5"]),
        ("--epsilon 0", &["--epsilon", "above 0", "found 0"]),
        ("--epsilon 1e-50", &["--epsilon", "above 0", "found 0"]),
        ("--beta2 0.9999999999", &["--beta2", "below 1 in the type of the parameters", "found 1"]),
        ("--solver rmsprop --rho 1", &["--rho", "from 0 to below 1", "found 1"]),
        ("--solver rmsprop --momentum 2", &["--momentum", "from 0 to 1", "found 2"]),
        ("--solver adamw --weight-decay -1", &["--weight-decay", "at least 0", "found -1"]),
        ("--solver lion --weight-decay nan", &["--weight-decay", "at least 0", "found NaN"]),
        ("--solver sgd --beta1 0.9", &["--beta1 has no meaning for --solver sgd"]),
        ("--solver lion --epsilon 1e-8", &["--epsilon has no meaning for --solver lion"]),
        ("--solver adagrad --rho 0.9", &["--rho has no meaning for --solver adagrad"]),
        ("--solver nadam --weight-decay 0.1", &["--weight-decay has no meaning for --solver nadam"]),
        ("--momentum 0.9", &["--momentum has no meaning for --solver adam"]),
        ("--solver amsgrad --no-nesterov", &["--no-nesterov has no meaning for --solver amsgrad"]),
        ("--solver adadelta --centered", &["--centered has no meaning for --solver adadelta"]),
        ("--solver lbfgs --beta2 0.9", &["--beta2 has no meaning for --solver lbfgs"]),
        ("--solver perceptron --batch 8", &["--batch has no meaning for --solver perceptron"]),
        ("--solver perceptron --norm batch", &["--norm has no meaning for --solver perceptron"]),
        ("--solver perceptron --activation tanh", &["--activation has no meaning for --solver perceptron"]),
        ("--solver perceptron --hidden 4", &["--hidden has no meaning for --solver perceptron"]),
        ("--solver perceptron --patience 3", &["--patience has no meaning for --solver perceptron"]),
        ("--solver perceptron --l2 0.1", &["--l2 has no meaning for --solver perceptron"]),
        ("--solver lbfgs --patience 3", &["--patience", "lbfgs", "--early-stopping"]),
        ("--solver lm --tolerance 0.1", &["--tolerance", "lm", "--validation"]),
        ("--hidden none --norm layer", &["--norm has no meaning with --hidden none"]),
        ("--hidden none --activation tanh", &["--activation has no meaning with --hidden none"]),
        ("--hidden none --max-norm 1", &["--max-norm has no meaning with --hidden none"]),
        ("--warm-up 500 --epochs 3", &["--warm-up", "at most 3", "500"]),
        ("--solver perceptron --no-nesterov", &["--no-nesterov has no meaning for --solver perceptron"]),
        ("--watch-gradients 0", &["--watch-gradients", "at least 1", "found 0"]),
        ("--watch-gradients -1", &["--watch-gradients", "-1"]),
        ("--watch-gradients 9 --solver lbfgs", &["watching", "L-BFGS"]),
        ("--watch-gradients 9 --solver perceptron", &["watching", "perceptron"]),
        ("--watch-gradients 9 --solver lbfgs --cv 5", &["watching", "L-BFGS"]),
        ("--dropout 1", &["--dropout", "below 1", "found 1"]),
        ("--dropout 0.5,nan --hidden 5,5", &["dropout of layer 2", "below 1", "found NaN"]),
        ("--dropout 0.5,0.5", &["--dropout", "1 hidden layers", "found 2"]),
        ("--dropout 0.5 --hidden none", &["--dropout", "no hidden layers"]),
        ("--dropout 0.5 --solver lbfgs", &["dropout", "L-BFGS"]),
        ("--dropout 0.5 --solver perceptron", &["dropout", "perceptron"]),
        ("--input-dropout -0.1", &["--input-dropout", "at least 0", "found -0.1"]),
        ("--input-noise -1", &["--input-noise", "at least 0", "found -1"]),
        ("--input-noise 1 --solver perceptron", &["noise", "perceptron"]),
        ("--norm batch --batch 1", &["training rows of a batch", "at least 2, for layer 1", "in batches of 1"]),
        ("--norm batch --solver lm", &["no norms", "layer 1"]),
        ("--max-norm 0", &["--max-norm", "above 0", "found 0"]),
        ("--max-norm 3 --solver lbfgs", &["max norm", "L-BFGS"]),
        ("--seed -1", &["--seed", "-1"]),
        ("--seed 18446744073709551616", &["--seed", "18446744073709551616"]),
        ("--threads 100000", &["--threads", "1024", "found 100000"]),
        ("--threads -1", &["--threads", "-1"]),
        ("--gemm cuda", &["--gemm", "embedded or blas", "cuda"]),
        ("--dtype f16", &["--dtype", "f16"]),
        ("--activation bogus", &["--activation", "sigmoid", "'bogus'"]),
        ("--activation softmax", &["activation of layer 1", "softmax"]),
        ("--activation relu,tanh", &["--activation", "1 hidden layer", "found 2"]),
        ("--activation step", &["layer 1", "Step"]),
        ("--output-activation tanh", &["output activation", "sigmoid or softmax", "tanh"]),
        ("--loss bogus", &["--loss", "squared_error", "'bogus'"]),
        ("--loss huber=0", &["--loss", "'huber=0'"]),
        ("--loss huber=nan", &["--loss", "'huber=nan'"]),
        (
            "--loss softmax_cross_entropy --output-activation sigmoid",
            &["--loss", "sigmoid outputs", "softmax_cross_entropy"],
        ),
        ("--loss quantile=1.0", &["--loss", "above 0 and below 1", "'quantile=1.0'"]),
        ("--loss focal=-1", &["--loss", "gamma", "0 to 100", "'focal=-1'"]),
        ("--loss hinge=2", &["--loss", "'hinge=2'"]),
        ("--loss poisson", &["--loss", "for classes", "poisson"]),
        ("--loss hinge --output-activation tanh", &["output activation", "hinge", "identity", "tanh"]),
        ("--loss hinge --label-smoothing 0.1", &["--label-smoothing", "hinge", "0.1"]),
        ("--label-smoothing 1", &["--label-smoothing", "below 1", "found 1"]),
        ("--label-smoothing -0.1", &["--label-smoothing", "found -0.1"]),
        ("--init bogus", &["--init", "he_uniform", "'bogus'"]),
        ("--init uniform=-1", &["--init", "'uniform=-1'"]),
        ("--init normal=1e300", &["init normal", "finite in f32"]),
        ("--init normal=1e300 --solver lbfgs", &["init normal", "finite in f32"]),
        ("--init normal=1e300 --solver perceptron", &["init normal", "finite in f32"]),
        ("--delimiter ab", &["--delimiter", "'ab'"]),
        ("--delimiter \u{e9}", &["--delimiter", "'\u{e9}'"]),
        ("--delimiter \"", &["--delimiter", "byte 34"]),
        ("--task guess", &["--task", "guess"]),
        ("--weights w.svg", &["--weights", "images"]),
    ];
    for (flags, says) in table {
        rejects(&folder, case(&format!("train t.csv --target y --model m {flags}"), USAGE, says));
    }
    rejects(&folder, case("train n.csv --target y --output-activation softmax", USAGE, &["softmax"]));
    rejects(&folder, case("train n.csv --target y --solver perceptron --task regress", USAGE, &["step"]));
    rejects(&folder, case("train n.csv --target y --loss hinge", USAGE, &["--loss", "for a number", "hinge"]));
    rejects(&folder, case("train n.csv --target y --label-smoothing 0.1", USAGE, &["--label-smoothing", "number"]));
    rejects(&folder, case("train t.csv", USAGE, &["--target", "a, b, y"]));
    rejects(&folder, case("train", USAGE, &["<DATA>"]));
    rejects(&folder, case("", USAGE, &["Usage"]));
    rejects(&folder, case("fly", USAGE, &["fly"]));
}

#[test]
fn gradcheck_settings_out_of_range() {
    let folder = folder();
    folder.must("train t.csv --target y --epochs 2 --model m.st");
    folder.must("train t.csv --target y --solver perceptron --model p.st");
    let table: &[(&str, &[&str])] = &[
        ("--inputs 0", &["--inputs", "at least 1"]),
        ("--outputs 0", &["layer 2", "at least 1"]),
        ("--rows 0", &["--rows", "at least 1"]),
        ("--directions 0", &["--directions", "at least 1"]),
        ("--hidden x", &["--hidden", "'x'"]),
        ("--tolerance 0", &["--tolerance", "between 0 and 1", "found 0"]),
        ("--tolerance nan", &["--tolerance", "between 0 and 1", "found NaN"]),
        ("--tolerance -1", &["--tolerance", "between 0 and 1", "found -1"]),
        ("--l2 nan", &["--l2", "finite", "found NaN"]),
        ("--l2 -1", &["--l2", "at least 0", "found -1"]),
        ("--l1 -1", &["--l1", "at least 0", "found -1"]),
        ("--sample 0", &["--sample", "at least 1"]),
        ("--sample 3 --directions 3", &["--sample", "--directions"]),
        ("--oracles entrails", &["--oracles", "entrails", "differences, dual, complex"]),
        ("--checks nothing", &["--checks", "nothing"]),
        ("--certify", &["MODEL"]),
        ("m.st t.csv --certify --directions 3", &["--certify", "--directions"]),
        ("m.st t.csv --certify --checks precision", &["--checks", "parameters"]),
        ("--suite --rows 3", &["--suite", "--rows"]),
        ("--network 3", &["--suite"]),
        ("--suite --network 99999", &["number of a network", "0 to 8543", "99999"]),
        ("--activation step", &["layer 1", "Step"]),
        ("--activation softmax", &["layer 1", "softmax"]),
        ("m.st", &["DATA"]),
        ("m.st t.csv --inputs 3", &["--inputs"]),
        ("p.st t.csv", &["layer 1", "Step"]),
        ("m.st t.csv --rows 0", &["--rows", "at least 1"]),
    ];
    for (flags, says) in table {
        rejects(&folder, case(&format!("gradcheck {flags}"), USAGE, says));
    }
}

#[test]
fn what_does_not_fit_into_memory_is_refused_before_it_is_touched() {
    let folder = folder();
    let big = "--hidden 1000000000 --model m";
    for line in [
        format!("train t.csv --target y {big}"),
        format!("train t.csv --target y --dtype f64 {big}"),
        format!("train t.csv --target y --solver lbfgs {big}"),
        format!("train t.csv --target y --cv 5 {big}"),
        "train t.csv --target y --hidden 1000000,1000000 --model m".into(),
        "gradcheck --rows 10000000000".into(),
        "gradcheck --rows 1000000000000000000".into(),
        "gradcheck --hidden 1000000000".into(),
        "gradcheck --inputs 1000000 --hidden 1000000".into(),
    ] {
        rejects(&folder, case(&line, MEMORY, &["needs ", " bytes", "cannot be had"]));
    }
}

/// The seeds' lesson: what runs away is noticed in its step, and never saved.
#[test]
fn a_training_that_runs_away() {
    let folder = folder();
    for (data, solver, dtype) in [
        ("t.csv", "sgd", "f32"),
        ("t.csv", "sgd", "f64"),
        ("t.csv", "adam", "f32"),
        ("t.csv", "adam", "f64"),
        ("n.csv", "sgd", "f32"),
        ("n.csv", "adam", "f64"),
    ] {
        let line = format!("train {data} --target y --solver {solver} --rate 1e10 --dtype {dtype} --model m --json");
        rejects(&folder, case(&line, DIVERGED, &["diverged in epoch ", ", batch ", "loss is "]));
    }
    // Where a number stops being finite, the layer is named.
    let line = "train n.csv --target y --init normal=1e30 --hidden 10,10 --model m";
    rejects(&folder, case(line, DIVERGED, &["diverged in epoch 1, batch 1: ", "(layer "]));
    let line = "train t.csv --target y --init normal=1e20 --solver lbfgs --model m";
    rejects(&folder, case(line, DIVERGED, &["diverged in epoch 1, batch 1: ", "(layer "]));
}

#[test]
fn whatever_the_rate_a_saved_model_is_finite() {
    let folder = folder();
    let (mut saved, mut diverged) = (0, 0);
    let solvers = ["adam", "adamw", "amsgrad", "nadam", "rmsprop", "adagrad", "adadelta", "lion", "sgd", "perceptron"];
    for solver in solvers {
        for exponent in [-320, -30, 0, 1, 3, 5, 20, 38, 39, 150, 308] {
            let line =
                format!("train t.csv --target y --solver {solver} --rate 1e{exponent} --epochs 30 --model m --force");
            let run = folder.run(&line);
            match run.code() {
                // Loading a model refuses what is not finite.
                0 => {
                    saved += 1;
                    folder.must("evaluate m t.csv");
                }
                5 => {
                    diverged += 1;
                    assert!(run.stderr.contains("diverged in epoch "), "{line}: {}", run.stderr);
                }
                other => panic!("{line}: exit {other}\n{}", run.stderr),
            }
        }
    }
    assert!(saved >= 22 && diverged >= 5, "{saved} saved, {diverged} diverged");
}

#[test]
fn an_instruction_set_that_is_none() {
    let folder = folder();
    folder.must("train t.csv --target y --epochs 2 --model m.st");
    let foreign = if cfg!(target_arch = "aarch64") { "avx2" } else { "neon" };
    for line in
        ["info", "train t.csv --target y", "predict m.st t.csv", "evaluate m.st t.csv", "inspect m.st", "gradcheck"]
    {
        let with = |isa: &str| folder.command().words(line).env("DELTARULE_ISA", isa);
        rejects_command(&folder, with("bogus"), case(line, USAGE, &["DELTARULE_ISA", "portable", "'bogus'"]));
        rejects_command(&folder, with(foreign), case(line, USAGE, &["DELTARULE_ISA", "this machine has", foreign]));
        assert_eq!(with("portable").run().code(), 0, "{line}");
    }
    let info = folder.command().words("info --json").env("DELTARULE_ISA", "portable").run();
    assert_eq!(info.json()["isa"], "portable");
}
