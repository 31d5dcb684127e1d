//! The Rust file: `core` alone, no unsafe code, no allocation.
//!
//! Its pieces are templates in which `REAL` is the type and other words in capitals are what `fill` says. What comes from the model is
//! added behind them, so that nothing of it is read as a template. The arithmetic is that of the C file. Begin reading at [`write`].

mod arithmetic;
mod pipeline;

use super::golden::{Golden, MISSING, ROWS, START, mix};
use super::head;
use super::plan::{Column, Inputs, Outputs, Plan};
use super::record::Operation;
use super::words::{Language, write_to};
use arithmetic::{BITS, FMA_DOUBLE, FMA_SINGLE, LAYER_NORM, MAGNITUDE, POWER_OF_TWO, SIGNED_AS, SOFTMAX};
use deltarule::Result;
use deltarule::data::Target;
use deltarule::float::Float;
use deltarule::kernel::{layer_norm, vector};
use deltarule::network::Norm;
use pipeline::{COLUMNS, PIXELS, PREDICT, REFUSAL, TEST};

/// The file's text.
pub fn write<T: Float>(plan: &Plan<'_, T>, golden: &Golden<T>, name: &str) -> Result<String> {
    let mut out = String::new();
    for line in head::lines(plan, golden, Language::Rust, name) {
        write_to(&mut out, format_args!("{}\n", format!("// {line}").trim_end()));
    }
    out += &sizes(plan);
    out += REFUSAL;
    out += &names(plan);
    out += &fill::<T>(BITS);
    let asks = |test: fn(&Operation<T>) -> bool| plan.functions.iter().any(|f| f.operations.iter().any(test));
    if plan.has_layer_norm() || asks(|o| matches!(o, Operation::MulAdd(..))) {
        out += if T::NAME == "f32" { FMA_SINGLE } else { FMA_DOUBLE };
    }
    for (wanted, template) in [
        (asks(|o| matches!(o, Operation::Abs(..))), MAGNITUDE),
        (asks(|o| matches!(o, Operation::CopySign(..))), SIGNED_AS),
        (asks(|o| matches!(o, Operation::PowerOfTwo(..))), POWER_OF_TWO),
    ] {
        out += &if wanted { fill::<T>(template) } else { String::new() };
    }
    plan.functions.iter().for_each(|function| out += &Language::Rust.function(function, ""));
    if plan.has_layer_norm() {
        let epsilon = Language::Rust.number(T::from_f64(layer_norm::EPSILON));
        let chains = vector::chains::<T>().to_string();
        out += &fill::<T>(&LAYER_NORM.replace("CHAINS", &chains).replace("EPSILON", &epsilon));
    }
    if plan.has_softmax() {
        out += &fill::<T>(SOFTMAX);
    }
    (0..plan.of_layer.len()).for_each(|l| out += &layer(plan, l));
    out += &encoder(plan);
    out += &predict(plan);
    out += &questions(plan);
    Ok(out + &self_test(plan, golden))
}

/// A template for this type.
fn fill<T: Float>(template: &str) -> String {
    let single = T::NAME == "f32";
    let pick = |one: &'static str, two: &'static str| if single { one } else { two };
    template
        .replace("REAL", T::NAME)
        .replace("WORD", pick("u32", "u64"))
        .replace("SIGN_BIT", pick("0x8000_0000", "0x8000_0000_0000_0000"))
        .replace("PLACES", pick("23", "52"))
        .replace("BIAS", pick("127", "1023"))
        .replace("MAGIC", pick("12_582_912.0 + 127.0", "6_755_399_441_055_744.0 + 1023.0"))
}

fn sizes<T: Float>(plan: &Plan<'_, T>) -> String {
    let mut out = String::from("\n");
    for (what, value, remark) in [
        ("INPUTS", plan.inputs.count(), "Numbers that a row of raw inputs has."),
        ("OUTPUTS", plan.values(), "Numbers that a prediction has."),
        ("WORKSPACE", plan.halves().iter().sum(), "Numbers that a prediction needs meanwhile."),
    ] {
        write_to(&mut out, format_args!("/// {remark}\npub const {what}: usize = {value};\n"));
    }
    out
}

/// The constant texts.
fn names<T: Float>(plan: &Plan<'_, T>) -> String {
    let list = |texts: &mut dyn Iterator<Item = &str>| {
        texts.map(|text| format!("    {},\n", Language::Rust.text(text))).collect::<String>()
    };
    let item = |remark: &str, name: &str, texts: String| {
        format!("/// {remark}\n#[allow(dead_code)]\npub static {name} = [\n{texts}];\n\n")
    };
    let mut out = String::new();
    let columns = plan.inputs.columns();
    if !columns.is_empty() {
        out += &item(
            "The names of the input columns.",
            "INPUT_NAMES: [&str; INPUTS]",
            list(&mut columns.iter().map(Column::name)),
        );
    }
    out + &match &plan.model.target {
        Target::Classes(classes) => {
            let texts = list(&mut classes.labels.iter().map(String::as_str));
            item("The names of the classes.", "CLASS_NAMES: [&str; OUTPUTS]", texts)
        }
        Target::Labels(labels) => {
            let texts = list(&mut labels.iter().map(|label| label.name.as_str()));
            let pair = |label: &deltarule::data::target::Classes| {
                let pair: Vec<_> = label.labels.iter().map(|text| Language::Rust.text(text)).collect();
                format!("    [{}],\n", pair.join(", "))
            };
            item("The names of the labels.", "LABEL_NAMES: [&str; OUTPUTS]", texts)
                + &item(
                    "For each label the names of its classes: without it, and with it.",
                    "CLASS_NAMES: [[&str; 2]; OUTPUTS]",
                    labels.iter().map(pair).collect(),
                )
        }
        numbers => {
            let texts = list(&mut numbers.names().into_iter());
            item("The names of the predicted numbers.", "OUTPUT_NAMES: [&str; OUTPUTS]", texts)
        }
    }
}

/// A layer: its numbers, and the function from its inputs to its outputs.
fn layer<T: Float>(plan: &Plan<'_, T>, l: usize) -> String {
    let (spec, params) = (plan.network.spec(), plan.network.params());
    let (layer, block) = (spec.layers()[l], &spec.blocks()[l]);
    let (t, inputs, outputs, n) = (T::NAME, block.inputs, block.outputs, l + 1);
    let rows: Vec<&[T]> = params[block.weights.clone()].chunks_exact(outputs).collect();
    let mut out = Language::Rust.table(&format!("WEIGHTS_{n}"), &rows);
    for (what, range) in [("BIASES", &block.bias), ("SCALES", &block.scale), ("SHIFTS", &block.shift)] {
        if !range.is_empty() {
            out += &Language::Rust.vector(&format!("{what}_{n}"), &params[range.clone()]);
        }
    }
    let start = if layer.bias { format!("z.copy_from_slice(&BIASES_{n});") } else { "z.fill(0.0);".into() };
    write_to(
        &mut out,
        format_args!(
            "fn layer_{n}(x: &[{t}], z: &mut [{t}]) {{
    let z = &mut z[..{outputs}];
    {start}
    for (&input, row) in x[..{inputs}].iter().zip(&WEIGHTS_{n}) {{
        for (z, &weight) in z.iter_mut().zip(row) {{
            *z += input * weight;
        }}
    }}\n"
        ),
    );
    if layer.norm == Norm::Layer {
        write_to(&mut out, format_args!("    normalise(z, &SCALES_{n}, &SHIFTS_{n});\n"));
    }
    if let Some(function) = plan.of_layer[l] {
        let function = &plan.functions[function].name;
        write_to(&mut out, format_args!("    z.iter_mut().for_each(|z| *z = {function}(*z));\n"));
    } else if l + 1 == plan.of_layer.len() && plan.has_softmax() {
        out += "    softmax(z);\n";
    }
    out + "}\n\n"
}

/// From raw inputs to the network's.
fn encoder<T: Float>(plan: &Plan<'_, T>) -> String {
    let Inputs::Columns(columns) = &plan.inputs else { return fill::<T>(PIXELS) };
    let mut out = String::from(
        "/// Mean and scale of a number; what stands for a missing value, if anything; how many categories, of a number none.
struct Column {
    mean: f64,
    scale: f64,
    fill: Option<f64>,
    levels: usize,
}

static COLUMNS: [Column; INPUTS] = [\n",
    );
    for column in columns {
        let (mean, scale) = match column {
            Column::Number { mean, scale, .. } => (*mean, *scale),
            Column::Category { .. } => (0.0, 1.0),
        };
        let (fill, levels) = (column.fill(), column.levels().len());
        write_to(
            &mut out,
            format_args!("    Column {{ mean: {mean:?}, scale: {scale:?}, fill: {fill:?}, levels: {levels} }},\n"),
        );
    }
    out + "];\n\n" + &fill::<T>(COLUMNS)
}

/// The prediction.
fn predict<T: Float>(plan: &Plan<'_, T>) -> String {
    let mut out = String::new();
    if let Outputs::Numbers(units) = &plan.outputs {
        out += &Language::Rust.vector("MEANS", &units.iter().map(|unit| unit.0).collect::<Vec<f64>>());
        out += &Language::Rust.vector("DEVIATIONS", &units.iter().map(|unit| unit.1).collect::<Vec<f64>>());
    }
    let mut layers = String::new();
    let (mut from, mut to) = ("x", "z");
    for n in 1..=plan.of_layer.len() {
        write_to(&mut layers, format_args!("    layer_{n}({from}, {to});\n"));
        (from, to) = (to, from);
    }
    let values = match &plan.outputs {
        Outputs::Numbers(_) => {
            "    for (i, said) in said.iter_mut().enumerate() {
        *said = (RESULT[i] as f64 * DEVIATIONS[i] + MEANS[i]) as REAL;
    }\n"
        }
        Outputs::AsTheyAre => "    said.copy_from_slice(&RESULT[..OUTPUTS]);\n",
        Outputs::Signs => {
            "    for (said, &score) in said.iter_mut().zip(RESULT.iter()) {
        *said = if !score.is_finite() { score } else if score > 0.0 { 1.0 } else { 0.0 };
    }\n"
        }
        Outputs::Sign => {
            "    said[1] = if !RESULT[0].is_finite() { RESULT[0] } else if RESULT[0] > 0.0 { 1.0 } else { 0.0 };
    said[0] = 1.0 - said[1];\n"
        }
        Outputs::Second => "    said[0] = (1.0 - RESULT[0] as f64) as REAL;\n    said[1] = RESULT[0];\n",
        Outputs::Largest => {
            "    let scores = &RESULT[..OUTPUTS];
    if scores.iter().any(|score| !score.is_finite()) {
        return Err(Refusal::OutOfRange);
    }
    let largest = (1..OUTPUTS).fold(0, |best, i| if scores[i] > scores[best] { i } else { best });
    said[largest] = 1.0;\n"
        }
        Outputs::Shares => {
            "    let sum = RESULT[..OUTPUTS].iter().fold(0.0, |sum, &value| sum + value as f64);
    for (said, &value) in said.iter_mut().zip(RESULT.iter()) {
        *said = (if !sum.is_finite() { sum } else if sum > 0.0 { value as f64 / sum } else { 1.0 / OUTPUTS as f64 }) as REAL;
    }\n"
        }
    };
    let code = PREDICT.replace("FIRST", &plan.halves()[0].to_string()).replace("LAYERS", &layers);
    out + &fill::<T>(&code.replace("VALUES", values).replace("RESULT", from))
}

/// From texts to codes, and from predictions to classes.
fn questions<T: Float>(plan: &Plan<'_, T>) -> String {
    let mut out = String::new();
    let columns = plan.inputs.columns();
    if columns.iter().any(|column| !column.levels().is_empty()) {
        out += "static LEVELS: [&[&str]; INPUTS] = [\n";
        for column in columns {
            let texts: Vec<_> = column.levels().iter().map(|level| Language::Rust.text(level)).collect();
            write_to(&mut out, format_args!("    &[{}],\n", texts.join(", ")));
        }
        out += "];

/// The code of a text in an input column (from 0): what stands in the input for a category.
#[allow(dead_code)]
pub fn code(column: usize, text: &str) -> Option<usize> {
    LEVELS.get(column)?.iter().position(|level| *level == text)
}

";
    }
    out + &fill::<T>(match plan.model.target {
        Target::Classes(_) => {
            "/// The most probable class of a prediction.
#[allow(dead_code)]
pub fn class(output: &[REAL; OUTPUTS]) -> usize {
    (1..OUTPUTS).fold(0, |best, i| if output[i] > output[best] { i } else { best })
}

"
        }
        Target::Labels(_) => {
            "/// Whether a prediction says that the row has a label (from 0).
#[allow(dead_code)]
pub fn has_label(output: &[REAL; OUTPUTS], label: usize) -> bool {
    output[label] as f64 > 0.5
}

"
        }
        _ => "",
    })
}

/// The golden rows and what compares them.
fn self_test<T: Float>(plan: &Plan<'_, T>, golden: &Golden<T>) -> String {
    let finite = |row: &Vec<T>| row.iter().map(|v| if v.is_finite() { *v } else { T::ZERO }).collect::<Vec<T>>();
    let inputs: Vec<Vec<T>> = golden.inputs.iter().map(finite).collect();
    let mut out = Language::Rust.table("GOLDEN_INPUTS", &inputs);
    out += &Language::Rust.table("GOLDEN_OUTPUTS", &golden.outputs);
    out += &Language::Rust.table("TOLERANCES", &golden.tolerances);
    let fills = plan.inputs.columns().iter().any(|column| column.fill().is_some());
    let missing = format!(
        "    if row == {MISSING} {{
        for (value, column) in input.iter_mut().zip(&COLUMNS) {{
            *value = if column.fill.is_some() {{ REAL::NAN }} else {{ *value }};
        }}
    }}\n"
    );
    let (mut sums, mut checksum) = (String::new(), START);
    for (array, numbers) in super::arrays(plan) {
        let flat = if array.columns == 0 { "" } else { ".flatten()" };
        write_to(&mut sums, format_args!("    sum = {}.iter(){flat}.fold(sum, mixed);\n", array.name.to_uppercase()));
        checksum = numbers.iter().fold(checksum, |sum, &number| mix(sum, number));
    }
    let mut refused = String::new();
    for (case, (column, value, status)) in super::refusals(plan).into_iter().enumerate() {
        let value = match value {
            super::Wrong::Code(code) => format!("{code}.0"),
            super::Wrong::Missing => "REAL::NAN".into(),
            super::Wrong::Infinite => "REAL::INFINITY".into(),
        };
        let refusal = match status {
            "UNSEEN" => format!("Unseen({column})"),
            "MISSING" => format!("Missing({column})"),
            _ => "OutOfRange".into(),
        };
        write_to(
            &mut refused,
            format_args!(
                "    let mut input = golden_row(0);
    input[{column}] = {value};
    if predict(&input, &mut output) != Err(Refusal::{refusal}) {{
        return Err({});
    }}\n",
                ROWS + case + 1
            ),
        );
    }
    let code = TEST.replace("MISSING_ROW", if fills { &missing } else { "" });
    let code = code.replace("LET", if fills { "let mut" } else { "let" }).replace("REFUSED", &refused);
    let code = code.replace("ROW_COUNT", &ROWS.to_string()).replace("SEED", &format!("{START:#x}"));
    let code = code.replace("CHECKSUM", &format!("{checksum:#x}")).replace("OWN_BITS", &format!("{:#x}", golden.bits));
    out + &fill::<T>(&code).replace("PARAMETERS", &sums)
}
