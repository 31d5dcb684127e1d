//! Networks of FANN's, in files written after its format, against values computed by hand.

use deltarule::activation::Activation;
use deltarule::data::Target;
use deltarule::model::Model;
use deltarule_exchange::{AnyModel, fann};
use ndarray::array;
use std::path::Path;

/// 2 inputs, 2 units of `2 / (1 + e^(-2 z / 2)) - 1`, 1 output: the sigmoid of `2 z / 4`. What training needs is there, as FANN writes it.
const XOR: &str = "FANN_FLO_2.1
num_layers=3
learning_rate=0.700000
connection_rate=1.000000
network_type=0
learning_momentum=0.000000
training_algorithm=2
cascade_activation_functions_count=2
cascade_activation_functions=3 5 
layer_sizes=3 3 2 
scale_included=0
neurons (num_inputs, activation_function, activation_steepness)=(0, 0, 0.00000000000000000000e+00) (0, 0, 0.00000000000000000000e+00) (0, 0, 0.00000000000000000000e+00) (3, 5, 5.00000000000000000000e-01) (3, 5, 5.00000000000000000000e-01) (0, 5, 0.00000000000000000000e+00) (3, 3, 2.50000000000000000000e-01) (0, 3, 0.00000000000000000000e+00) 
connections (connected_to_neuron, weight)=(0, 1.50000000000000000000e+00) (1, -2.00000000000000000000e+00) (2, 2.50000000000000000000e-01) (0, -5.00000000000000000000e-01) (1, 1.00000000000000000000e+00) (2, -1.00000000000000000000e+00) (3, 3.00000000000000000000e+00) (4, -4.00000000000000000000e+00) (5, 5.00000000000000000000e-01) 
";

fn read(text: &str) -> deltarule::Result<AnyModel> {
    fann::import(text.as_bytes(), Path::new("net.net"))
}

fn single(text: &str) -> Model<f32> {
    match read(text) {
        Ok(AnyModel::F32(model)) => model,
        other => panic!("{other:?}"),
    }
}

fn double(text: &str) -> Model<f64> {
    match read(text) {
        Ok(AnyModel::F64(model)) => model,
        other => panic!("{other:?}"),
    }
}

fn refused(text: &str) -> String {
    read(text).expect_err("a refusal").to_string()
}

#[test]
fn a_network_gives_what_was_computed_by_hand() {
    let model = single(XOR);
    assert_eq!(model.network.spec().architecture(), "2-2-1, tanh, sigmoid");
    assert!(matches!(model.target, Target::Classes(_)));
    assert_eq!(model.provenance.training, "imported from a network of FANN's");
    let saved = Model::from_bytes(&model.to_bytes().unwrap(), Path::new("again")).unwrap();
    assert_eq!(saved, model);
    // For (1, 0): z = (1.75, -1.5), a = tanh of half of them = (0.703906, -0.635149), z = 3 a1 - 4 a2 + 1/2 = 5.152313 and
    // 1 / (1 + e^(-z / 2)) = 0.929311. For (-1, 2): z = (-5.25, 1.5), a = (-0.989560, 0.635149), z = -5.009275, 0.075534.
    let said = model.network.predict(array![[1.0, 0.0], [-1.0, 2.0]].view()).unwrap();
    for (found, expected) in said.iter().zip([0.929_311_2, 0.075_533_7]) {
        assert!((found - expected).abs() < 2e-7, "{found}, expected {expected}");
    }
}

#[test]
fn commas_for_points_and_an_older_format_are_read() {
    let commas: String = XOR
        .lines()
        .map(|line| if line.contains("e+00") { line.replace(".", ",") } else { line.to_string() })
        .map(|line| line + "\r\n")
        .collect();
    assert!(commas.contains("(0, 1,50000000000000000000e+00)"));
    assert_eq!(single(&commas).network, single(XOR).network);
    let older: String = XOR.replace("FANN_FLO_2.1", "FANN_FLO_2.0").replace("scale_included=0\n", "");
    assert_eq!(single(&older).network, single(XOR).network);
}

#[test]
fn every_function_that_is_ours_is_folded_as_fann_defines_it() {
    // One input, one unit: f(s (w x + b)) with s = 0.3, w = 1.7, b = -0.4.
    let file = |function: usize| {
        format!(
            "FANN_FLO_2.1\nnum_layers=2\nnetwork_type=0\nlayer_sizes=2 2\n\
             neurons (num_inputs, activation_function, activation_steepness)=(0, 0, 0) (0, 0, 0) (2, {function}, 0.3) (0, 0, 0)\n\
             connections (connected_to_neuron, weight)=(0, 1.7) (1, -0.4)\n"
        )
    };
    let of = |x: f64| 0.3 * (1.7 * x - 0.4);
    type Formula = fn(f64) -> f64;
    let cases: [(usize, Activation, Formula); 5] = [
        (0, Activation::Identity, |z| z),
        (3, Activation::Sigmoid, |z| 1.0 / (1.0 + (-2.0 * z).exp())),
        (5, Activation::Tanh, |z| 2.0 / (1.0 + (-2.0 * z).exp()) - 1.0),
        (18, Activation::Relu, |z| z.max(0.0)),
        (19, Activation::LeakyRelu { slope: 0.01 }, |z| if z < 0.0 { 0.01 * z } else { z }),
    ];
    for (function, activation, formula) in cases {
        let model = double(&file(function));
        assert_eq!(model.network.spec().layers()[0].activation, activation);
        for x in [-3.0, -0.1, 0.0, 0.7, 4.0] {
            let said = model.network.predict(array![[x]].view()).unwrap()[[0, 0]];
            assert!((said - formula(of(x))).abs() < 1e-15, "{activation} at {x}: {said}");
        }
    }
    for (function, name) in
        [(1, "THRESHOLD"), (4, "SIGMOID_STEPWISE"), (7, "GAUSSIAN"), (10, "ELLIOT"), (12, "LINEAR_PIECE"), (16, "SIN")]
    {
        let message = refused(&file(function));
        assert!(
            message.starts_with("net.net:5: neurons")
                && message.contains(&format!("neuron 2 (from 0, layer 2) has the function {name} ({function})")),
            "{message}"
        );
    }
    assert!(refused(&file(20)).contains("a number below 20"));
}

#[test]
fn scaling_parameters_become_part_of_the_model() {
    let text = XOR.replace(
        "scale_included=0",
        "scale_included=1\nscale_mean_in=10.0 -2.0 \nscale_deviation_in=4.0 0.5 \nscale_new_min_in=-1.0 0.0 \nscale_factor_in=1.0 0.5 \n\
         scale_mean_out=100.0 \nscale_deviation_out=20.0 \nscale_new_min_out=0.0 \nscale_factor_out=0.5 ",
    );
    let model = single(&text);
    let Target::Number(number) = &model.target else { panic!("{:?}", model.target) };
    // ((x - 10) / 4 + 1) - 1 and ((x + 2) / 0.5 + 1) / 2: for (14, -2.5) they are 1 and 0, the row above.
    let deltarule::model::Input::Table(features) = &model.input else { panic!("{:?}", model.input) };
    let mut table = deltarule::data::Table::unnamed("rows", 2).unwrap();
    table.push(1, &["14", "-2.5"]).unwrap();
    let x = features.encode::<f64>(&table, &[0]).unwrap();
    assert!((x[[0, 0]] - 1.0).abs() < 1e-6 && x[[0, 1]].abs() < 1e-6, "{x}");
    // (0.9293112 / 0.5 - 1) 20 + 100.
    assert!((number.inverse(0.929_311_2) - 117.172_448).abs() < 1e-4, "{}", number.inverse(0.929_311_2));
    let message = refused(&text.replace("scale_deviation_in=4.0 0.5", "scale_deviation_in=4.0 0.0"));
    assert!(message.contains("scale_factor_in: column 2"), "{message}");
    let message = refused(&text.replace("scale_factor_out=0.5", "scale_factor_out=0.5 1"));
    assert!(message.contains("scale_factor_out: expected 1 numbers, found 2"), "{message}");
}

#[test]
fn other_networks_are_refused_by_file_line_key_and_value() {
    for (from, to, expected) in [
        ("FANN_FLO_2.1", "FANN_FIX_2.1", "net.net:1: a network of fixed-point numbers"),
        ("FANN_FLO_2.1", "FANN_FLO_1.1", "net.net:1: an older format"),
        (
            "FANN_FLO_2.1",
            "<xml>",
            "net.net:1: the first line is none of FANN's: expected FANN_FLO_2.1 or FANN_FLO_2.0, found '<xml>'",
        ),
        ("network_type=0", "network_type=1", "net.net:5: network_type: expected 0 (layer), found 1 (shortcut"),
        ("num_layers=3", "num_layers=4", "net.net:10: layer_sizes: expected 4 sizes"),
        (
            "layer_sizes=3 3 2",
            "layer_sizes=3 1 2",
            "layer_sizes: expected at least a neuron and the bias neuron in layer 2, found 1",
        ),
        ("layer_sizes=3 3 2", "layer_sizes=3 4 2", "layer_sizes asks for 9, found 8"),
        ("layer_sizes=3 3 2", "layer_sizes=3 18446744073709551615 2", "fewer than can be counted"),
        ("(3, 5, 5.0", "(2, 5, 5.0", "neuron 3 (from 0, layer 2): expected 3 connections"),
        ("(0, 5, 0.0", "(3, 5, 0.0", "neuron 5 (from 0, layer 2): expected 0 connections"),
        (
            "(3, 5, 5.00000000000000000000e-01) (3, 5",
            "(3, 5, 5.00000000000000000000e-01) (3, 3",
            "expected the function of the others of its layer, SIGMOID_SYMMETRIC (5), found SIGMOID (3)",
        ),
        ("(1, -2.0", "(3, -2.0", "connection 2 of neuron 3: expected a neuron of the layer before, 0 to 2, found 3"),
        ("(1, -2.0", "(0, -2.0", "connection 2 of neuron 3: expected each neuron once, found 0"),
        (
            "(1, -2.00000000000000000000e+00)",
            "(1, nan)",
            "connections (connected_to_neuron, weight): expected a finite number, found 'nan'",
        ),
        ("(1, -2.00000000000000000000e+00) ", "", "the neurons ask for 9, found 8"),
        ("(1, -2.00000000000000000000e+00) ", "(1; 2) ", "expected (number, number) at place 2, found '(1; 2)'"),
        ("scale_included=0", "scale_included=7", "scale_included: expected 0 or 1, found '7'"),
        ("learning_rate=0.700000", "nonsense", "net.net:3: expected key=value, found 'nonsense'"),
        ("learning_rate=", "num_layers=", "net.net:3: num_layers stands there twice"),
    ] {
        assert!(XOR.contains(from), "{from}");
        let message = refused(&XOR.replacen(from, to, 1));
        assert!(message.contains(expected), "{message}\nexpected {expected}");
    }
}

#[test]
fn no_cut_and_no_change_of_a_byte_gets_past_or_panics() {
    for end in 0..XOR.len() - 2 {
        // Digits behind the point that are zero can be missing from the last weight; what counts cannot.
        if let Ok(AnyModel::F32(model)) = read(&XOR[..end]) {
            panic!("{end} bytes are {:?}", model.network);
        }
    }
    let mut state = 12345u32;
    for at in 0..XOR.len() {
        for _ in 0..3 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut bytes = XOR.as_bytes().to_vec();
            bytes[at] = (state >> 24) as u8;
            if let Ok(AnyModel::F32(model)) = fann::import(&bytes, Path::new("net.net")) {
                assert_eq!(model.network.params().len(), 9);
            }
        }
    }
}
