//! How long a prediction takes, compiled as a user would: run by hand, for a machine that others use tells nothing.

use crate::compiled::{cc, compile, rustc};
use deltarule::activation::Activation;
use deltarule::data::target::{Classes, Target};
use deltarule::float::Float;
use deltarule::loss::Loss;
use deltarule::model::Model;
use deltarule::network::{Network, Spec};
use deltarule::rng::Rng;
use deltarule_exchange::source;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const C: &str = r#"#include <stdio.h>
#include <time.h>
#define NET_HEADER
#include "net.c"
int main(void) {
    REAL in[NET_INPUTS] = {0}, out[NET_OUTPUTS] = {0};
    double best = 1e9, sum = 0;
    int turn, i;
    for (turn = 0; turn < 25; turn++) {
        const clock_t start = clock();
        double each;
        for (i = 0; i < 20000; i++) {
            /* Each row waits for the answer before it. */
            in[i % NET_INPUTS] = out[i % NET_OUTPUTS] - (REAL)0.3;
            if (net_predict(in, out) != NET_OK) {
                return 1;
            }
        }
        each = (double)(clock() - start) / CLOCKS_PER_SEC / 20000 * 1e9;
        best = each < best ? each : best;
        sum += (double)out[0];
    }
    printf("%.0f ns (%g)", best, sum);
    return 0;
}
"#;

const RUST: &str = r#"mod net;
use net::*;
fn main() {
    let (mut input, mut output) = ([0.0; INPUTS], [0.0; OUTPUTS]);
    let mut best = f64::INFINITY;
    for _ in 0..25 {
        let start = std::time::Instant::now();
        for i in 0..20_000 {
            input[i % INPUTS] = output[i % OUTPUTS] - 0.3;
            predict(&input, &mut output).unwrap();
        }
        best = best.min(start.elapsed().as_secs_f64() / 20_000.0 * 1e9);
    }
    println!("{best:.0} ns ({})", output[0]);
}
"#;

fn run(folder: &Path) -> String {
    String::from_utf8(Command::new(folder.join("program")).output().unwrap().stdout).unwrap().trim().to_string()
}

fn measure<T: Float>(activation: Activation) {
    let spec = Spec::mlp(6, &[64, 8], activation, 4, Activation::Softmax).unwrap();
    let network = Network::<T>::new(spec, None, &mut Rng::new(1)).unwrap();
    let labels = ["a", "b", "c", "d"].map(String::from).to_vec();
    let target = Target::Classes(Classes { name: "class".into(), labels });
    let model = Model::of_network(network, None, target, Loss::SoftmaxCrossEntropy).unwrap();
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("net.c", &source::c(&model, "net").unwrap());
    write("net.rs", &source::rust(&model, "net").unwrap());
    write("main.c", &C.replace("REAL", if T::NAME == "f32" { "float" } else { "double" }));
    write("main.rs", RUST);
    for flags in [
        &["-std=c99", "-O2"][..],
        &["-std=c99", "-O3", "-DDELTARULE_LIBM", "-lm"],
        &["-std=c99", "-O3", "-march=native"],
    ] {
        compile(cc(folder.path(), flags, &["main.c", "net.c"]).args(["-o", "program"]));
        println!("6-64-8-4 {activation} {} C {}: {}", T::NAME, flags[1..].join(" "), run(folder.path()));
    }
    for flags in [
        &["-C", "opt-level=3"][..],
        &["-C", "opt-level=3", "--cfg", "feature=\"std\""],
        &["-C", "opt-level=3", "-C", "target-cpu=native", "--cfg", "feature=\"std\""],
    ] {
        compile(rustc(folder.path()).args(flags).args(["-o", "program", "main.rs"]));
        println!("6-64-8-4 {activation} {} Rust {}: {}", T::NAME, flags[1..].join(" "), run(folder.path()));
    }
}

#[test]
#[ignore = "a measurement, for a quiet machine: cargo test -p deltarule-exchange --test source -- --ignored --nocapture latency"]
fn latency_of_one_row() {
    measure::<f32>(Activation::Relu);
    measure::<f32>(Activation::Tanh);
    measure::<f64>(Activation::Relu);
    measure::<f64>(Activation::Tanh);
}
