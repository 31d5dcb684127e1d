//! Models of every kind, untrained, and random rows for them.

use deltarule::activation::Activation;
use deltarule::data::features::{Feature, Features, Kind, Missing};
use deltarule::data::target::{Classes, Number, Target};
use deltarule::data::{Matrix, Table};
use deltarule::float::Float;
use deltarule::loss::Loss;
use deltarule::model::{Input, Model, Provenance, Source};
use deltarule::network::{Layer, Network, Norm, Spec};
use deltarule::rng::Rng;

/// One input, one unit of weight 1.
pub fn one_unit<T: Float>(activation: Activation) -> Model<T> {
    let spec = Spec::new(1, vec![Layer::without_bias(1, activation)]).unwrap();
    let network = Network::from_params(spec, vec![T::ONE]).unwrap();
    let target = Target::Number(Number { name: "y".into(), mean: 0.0, scale: 1.0 });
    Model::of_network(network, None, target, Loss::SquaredError).unwrap()
}

/// Texts that mean something to a compiler.
pub const TEXTS: [&str; 7] = [
    "plain",
    "quote\" and back\\slash",
    "line\nbreak */ int x; /*",
    "??/ trigraph ??>",
    "nul\0in the middle",
    "Größe 中文 \u{202e}",
    "\"); evil(); //\\",
];

fn classes(name: &str, labels: &[&str]) -> Classes {
    Classes { name: name.into(), labels: labels.iter().map(|l| (*l).to_string()).collect() }
}

/// Two numbers and two categories, one of each with something to fill in.
pub fn columns() -> Input {
    let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_string()).collect::<Vec<_>>();
    let kinds = [
        ("width */ \"?\"", Kind::Number { mean: 61.3, scale: 12.7, fill: None }),
        (TEXTS[1], Kind::Category { levels: texts(&TEXTS), fill: None }),
        ("depth\\", Kind::Number { mean: -0.002, scale: 3.5e-4, fill: Some(-0.0021) }),
        ("safety??/", Kind::Category { levels: texts(&["low", "med", "high"]), fill: Some("med".into()) }),
    ];
    let feature = |(position, (name, kind)): (usize, (&str, Kind))| Feature { name: name.into(), position, kind };
    Input::Table(Features {
        columns: kinds.into_iter().enumerate().map(feature).collect(),
        header: true,
        source_columns: 5,
        missing: Missing::Mean,
    })
}

/// A model of these layers with random parameters and running statistics.
pub fn model<T: Float>(input: Input, layers: Vec<Layer>, target: Target) -> Model<T> {
    let spec = Spec::new(input.width(), layers).unwrap();
    let parameters = spec.parameters();
    let mut rng = Rng::new(11);
    let mut network = Network::<T>::new(spec, None, &mut rng).unwrap();
    for (i, value) in network.state_mut().iter_mut().enumerate() {
        let noise: f64 = rng.uniform(0.0, 0.3);
        *value =
            T::from_f64(if i < parameters { value.real() + noise - 0.15 } else { value.real().abs() + noise + 0.2 });
    }
    let provenance = Provenance {
        version: "0.1.0".into(),
        data: "what */ is ??/ this\n.csv\\".into(),
        training: "not */ at \\ all".into(),
        ..Provenance::default()
    };
    Model { input, network, target, loss: Loss::SquaredError, provenance, certificate: None }
}

/// Models of every kind of output, with every activation and norm.
pub fn every_model<T: Float>() -> Vec<(String, Model<T>)> {
    let layer = |units: usize, activation: Activation| Layer::new(units, activation);
    let all = Activation::ALL
        .into_iter()
        .filter(|a| !matches!(a, Activation::Softmax | Activation::Step | Activation::Exponential));
    let norms = [Norm::Layer, Norm::Batch, Norm::None];
    let deep: Vec<Layer> = all
        .enumerate()
        .map(|(i, activation)| Layer { bias: i % 4 != 3, ..layer(5 + i % 3, activation) }.with_norm(norms[i % 3]))
        .chain([layer(7, Activation::Softmax)])
        .collect();
    let number = |name: &str, mean: f64, scale: f64| Number { name: name.into(), mean, scale };
    let labels = || {
        Target::Labels(vec![
            classes("wet */", &["no", "yes"]),
            classes("cold", &TEXTS[1..3]),
            classes("dark", &["0", "1"]),
        ])
    };
    let relu = Activation::Relu;
    vec![
        ("deep".into(), model(columns(), deep, Target::Classes(classes("kind", &TEXTS)))),
        (
            "wide_norm".into(),
            model(
                columns(),
                vec![
                    layer(131, relu).with_norm(Norm::Layer),
                    layer(33, Activation::Tanh).with_norm(Norm::Batch),
                    layer(40, Activation::Softmax),
                ],
                Target::Classes(classes(
                    "many",
                    &(0..40)
                        .map(|i| ["a", "b", "c", "d"][i % 4].repeat(i / 4 + 1))
                        .collect::<Vec<_>>()
                        .iter()
                        .map(String::as_str)
                        .collect::<Vec<_>>(),
                )),
            ),
        ),
        (
            "car".into(),
            model(
                columns(),
                vec![layer(64, relu), layer(8, relu), layer(4, Activation::Softmax)],
                Target::Classes(classes("class", &["acc", "good", "unacc", "vgood"])),
            ),
        ),
        (
            "two".into(),
            model(
                columns(),
                vec![layer(9, Activation::Silu), layer(1, Activation::Sigmoid)],
                Target::Classes(classes("class", &TEXTS[..2])),
            ),
        ),
        ("labels".into(), model(columns(), vec![layer(9, Activation::Gelu), layer(3, Activation::Sigmoid)], labels())),
        (
            "numbers".into(),
            model(
                columns(),
                vec![layer(9, Activation::Selu), layer(2, Activation::Identity)],
                Target::Numbers(vec![number("far", 1e4, 3.5), number("near\"", -2e-3, 1e-4)]),
            ),
        ),
        (
            "number".into(),
            model(columns(), vec![layer(1, Activation::Exponential)], Target::Number(number("count", 0.0, 1.0))),
        ),
        (
            "shares".into(),
            model(columns(), vec![layer(3, Activation::Sigmoid)], Target::Classes(classes("class", &["a", "b", "c"]))),
        ),
        (
            "perceptron".into(),
            model(columns(), vec![layer(3, Activation::Step)], Target::Classes(classes("class", &["a", "b", "c"]))),
        ),
        (
            "step".into(),
            model(columns(), vec![layer(1, Activation::Step)], Target::Classes(classes("class", &["a", "b"]))),
        ),
        (
            "scores".into(),
            model(columns(), vec![layer(3, Activation::Identity)], Target::Classes(classes("class", &["a", "b", "c"]))),
        ),
        (
            "score".into(),
            model(columns(), vec![layer(1, Activation::Identity)], Target::Classes(classes("class", &["a", "b"]))),
        ),
        ("signs".into(), model(columns(), vec![layer(3, Activation::Identity)], labels())),
        (
            "REAL_WORD_BIAS".into(),
            model(
                Input::Images { height: 6, width: 5 },
                vec![layer(12, Activation::Tanh), layer(10, Activation::Softmax)],
                Target::Classes(classes("digit", &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])),
            ),
        ),
    ]
}

/// Rows as a file takes them, and the same rows as the library does.
pub struct Raw<T> {
    pub rows: Vec<Vec<T>>,
    pub source: Source,
}

impl<T: Float> Raw<T> {
    pub fn of(model: &Model<T>, count: usize) -> Self {
        let mut rng = Rng::new(5);
        let features = match &model.input {
            Input::Images { height, width } => {
                let bytes: Vec<u8> = (0..count * height * width).map(|_| rng.below(256) as u8).collect();
                let rows = bytes
                    .chunks_exact(height * width)
                    .map(|row| row.iter().map(|&b| T::from_f64(b.into())).collect())
                    .collect();
                let mut file = vec![0, 0, 8, 3];
                [count, *height, *width].iter().for_each(|&n| file.extend((n as u32).to_be_bytes()));
                file.extend(&bytes);
                let idx = deltarule::data::idx::read_from(&file[..], "images").unwrap();
                return Self { rows, source: Source::images(Matrix::from(idx), None).unwrap() };
            }
            Input::Table(features) => features,
        };
        let names: Vec<String> = features.columns.iter().map(|column| column.name.clone()).collect();
        let mut table = Table::new("rows", names).unwrap();
        let mut rows = Vec::new();
        for line in 0..count {
            let (mut row, mut cells) = (Vec::new(), Vec::new());
            for column in &features.columns {
                let missing = rng.below(10) == 0;
                let (value, cell) = match &column.kind {
                    Kind::Number { fill: Some(_), .. } | Kind::Category { fill: Some(_), .. } if missing => {
                        (T::from_f64(f64::NAN), String::new())
                    }
                    Kind::Number { mean, scale, .. } => {
                        let value: T = rng.normal(*mean, *scale);
                        (value, value.real().to_string())
                    }
                    Kind::Category { levels, .. } => {
                        let code = rng.below(levels.len());
                        (T::from_f64(code as f64), levels[code].clone())
                    }
                };
                row.push(value);
                cells.push(cell);
            }
            table.push(line as u64 + 2, &cells).unwrap();
            rows.push(row);
        }
        Self { rows, source: Source::table::<&str>(table, &[], None).unwrap() }
    }
}
