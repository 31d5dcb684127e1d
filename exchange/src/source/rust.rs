//! The Rust file: `core` alone, no unsafe code, no allocation.
//!
//! Its pieces are templates in which `REAL` is the type and other words in capitals are what `fill` says. What comes from the model is
//! added behind them, so that nothing of it is read as a template. The arithmetic is that of the C file. Begin reading at [`write`].

use super::golden::{Golden, MISSING, ROWS, START, mix};
use super::head;
use super::plan::{Column, Inputs, Outputs, Plan};
use super::record::Operation;
use super::words::{Language, write_to};
use deltarule::Result;
use deltarule::data::Target;
use deltarule::float::Float;
use deltarule::kernel::{layer_norm, vector};
use deltarule::network::Norm;

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

const REFUSAL: &str = "
/// Why there is no prediction for a row.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The code of a category, in this column (from 0), is none of those that are known.
    Unseen(usize),
    /// The value in this column is NaN, and nothing is known to fill in.
    Missing(usize),
    /// An input is infinite or out of its range, or so far away that the answer is no number.
    OutOfRange,
}

";

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

const BITS: &str = "fn bits(number: REAL) -> WORD {
    number.to_bits()
}

#[allow(dead_code)]
fn of_bits(bits: WORD) -> REAL {
    REAL::from_bits(bits)
}

";

const MAGNITUDE: &str = "fn magnitude(x: REAL) -> REAL {
    of_bits(bits(x) & !SIGN_BIT)
}

";

const SIGNED_AS: &str = "fn signed_as(magnitude: REAL, sign: REAL) -> REAL {
    of_bits((bits(magnitude) & !SIGN_BIT) | (bits(sign) & SIGN_BIT))
}

";

const POWER_OF_TWO: &str =
    "/// `2^k`: in `k + magic` the low bits are `k` plus the bias of the exponent, and the shift drops the rest.
fn power_of_two(k: REAL) -> REAL {
    of_bits(bits(k + (MAGIC)) << PLACES)
}

";

const FMA_SINGLE: &str = "/// `a b + c`, rounded once. The product is exact in `f64`; the sum is rounded to odd (Boldo and Melquiond, 2008), so that rounding it
/// again, to `f32`, does no harm. With the feature `std` of the crate it is the standard library's.
#[allow(unexpected_cfgs)]
fn fma(a: f32, b: f32, c: f32) -> f32 {
    #[cfg(feature = \"std\")]
    return a.mul_add(b, c);
    #[cfg(not(feature = \"std\"))]
    {
        let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
        let sum = product + c;
        let back = sum - product;
        let lost = (product - (sum - back)) + (c - back);
        let mut odd = sum.to_bits();
        if (lost < 0.0 || lost > 0.0) && odd & 1 == 0 {
            odd = if (lost > 0.0) == (sum > 0.0) { odd + 1 } else { odd - 1 };
        }
        f64::from_bits(odd) as f32
    }
}

";

const FMA_DOUBLE: &str = "/// The product as a sum of two (Dekker, 1971), to which `c` is added with the last but one rounding to odd (Boldo and Melquiond, 2008).
#[allow(unexpected_cfgs)]
#[cfg(not(feature = \"std\"))]
fn fma_near(a: f64, b: f64, c: f64) -> f64 {
    let (split_a, split_b) = (134_217_729.0 * a, 134_217_729.0 * b);
    let (a_high, b_high) = (split_a - (split_a - a), split_b - (split_b - b));
    let (a_low, b_low) = (a - a_high, b - b_high);
    let high = a * b;
    let low = (((a_high * b_high - high) + a_high * b_low) + a_low * b_high) + a_low * b_low;
    let t = c + low;
    let t_back = t - c;
    let t_low = (c - (t - t_back)) + (low - t_back);
    let v = high + t;
    let v_back = v - high;
    let v_low = (high - (v - v_back)) + (t - v_back);
    let rest = t_low + v_low;
    let rest_back = rest - t_low;
    let lost = (t_low - (rest - rest_back)) + (v_low - rest_back);
    let mut odd = bits(rest);
    if (lost < 0.0 || lost > 0.0) && odd & 1 == 0 {
        odd = if (lost > 0.0) == (rest > 0.0) { odd + 1 } else { odd - 1 };
    }
    v + of_bits(odd)
}

/// `a b + c`, rounded once (but for subnormal results). With the feature `std` of the crate it is the standard library's.
#[allow(unexpected_cfgs)]
fn fma(a: f64, b: f64, c: f64) -> f64 {
    #[cfg(feature = \"std\")]
    return a.mul_add(b, c);
    #[cfg(not(feature = \"std\"))]
    {
        let exponent = |x: f64| (bits(x) >> 52 & 2047) as i32;
        let (of_a, of_b, of_c) = (exponent(a), exponent(b), exponent(c));
        let near = |exponent: i32| exponent > 600 && exponent < 1400;
        if near(of_a) && near(of_b) && of_c < 1800 {
            return fma_near(a, b, c);
        }
        // Zeros, subnormal numbers and those that are none.
        if of_a == 0 || of_b == 0 || of_a == 2047 || of_b == 2047 || of_c == 2047 {
            return a * b + c;
        }
        // Others are moved to where nothing overflows or vanishes, and the sum is moved back.
        let mut shift = of_a + of_b - 2046;
        let moved = of_c - shift;
        if moved > 1800 {
            return c;
        }
        let moved = if of_c == 0 || moved < 200 { 200 } else { moved };
        let with = |x: f64, exponent: i32| of_bits((bits(x) & !(2047 << 52)) | (exponent as u64) << 52);
        let mut sum = fma_near(with(a, 1023), with(b, 1023), if c == 0.0 { c } else { with(c, moved) });
        while shift > 1000 {
            sum *= of_bits((1023 + 1000) << 52);
            shift -= 1000;
        }
        while shift < -1000 {
            sum *= of_bits((1023 - 1000) << 52);
            shift += 1000;
        }
        sum * of_bits(((1023 + shift) as u64) << 52)
    }
}

";

const LAYER_NORM: &str = "/// The square root, rounded to the nearest: digit after digit in whole numbers. For normal numbers; others come back as they are.
fn root(x: REAL) -> REAL {
    if !(x > 0.0) || x - x != 0.0 {
        return x;
    }
    let mut mantissa = (bits(x) & ((1 << PLACES) - 1)) | 1 << PLACES;
    let mut exponent = (bits(x) >> PLACES) as i32 - BIAS;
    if exponent & 1 != 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    let (mut rest, mut root): (WORD, WORD) = (0, 0);
    for i in (0..PLACES + 2).rev() {
        let at = 2 * i - (PLACES + 2);
        let two = if at >= 0 { mantissa >> at & 3 } else if at == -1 { mantissa << 1 & 3 } else { 0 };
        let trial = root << 2 | 1;
        rest = rest << 2 | two;
        root <<= 1;
        if rest >= trial {
            rest -= trial;
            root |= 1;
        }
    }
    root = (root + 1) >> 1;
    of_bits((((exponent / 2 + BIAS - 1) as WORD) << PLACES) + root)
}

/// The sum of numbers or of their squares, in CHAINS partial sums that are added in halves.
fn total(z: &[REAL], squares: bool) -> REAL {
    let mut part = [0.0; CHAINS];
    for (i, &z) in z.iter().enumerate() {
        let part = &mut part[i % CHAINS];
        *part = if squares { fma(z, z, *part) } else { z + *part };
    }
    let mut half = CHAINS / 2;
    while half > 0 {
        for i in 0..half {
            part[i] += part[i + half];
        }
        half /= 2;
    }
    part[0]
}

/// To mean 0 and variance 1, then scaled and shifted.
fn normalise(z: &mut [REAL], scale: &[REAL], shift: &[REAL]) {
    let share = 1.0 / z.len() as REAL;
    let mean = total(z, false) * share;
    z.iter_mut().for_each(|z| *z -= mean);
    let variance = total(z, true) * share;
    let by = 1.0 / root(variance + EPSILON);
    for ((z, &scale), &shift) in z.iter_mut().zip(scale).zip(shift) {
        *z = fma(scale, *z * by, shift);
    }
}

";

const SOFTMAX: &str = "/// `e^z_j` over their sum, which is kept in 16 partial sums that are added in halves.
fn softmax(z: &mut [REAL]) {
    let mut top = z[0];
    z.iter().for_each(|&z| top = if z > top { z } else { top });
    let mut part: [REAL; 16] = [0.0; 16];
    for (i, z) in z.iter_mut().enumerate() {
        *z = exp_below(*z, top);
        part[i % 16] += *z;
    }
    let mut half = 8;
    while half > 0 {
        for i in 0..half {
            part[i] += part[i + half];
        }
        half /= 2;
    }
    let inverse = 1.0 / part[0];
    z.iter_mut().for_each(|z| *z *= inverse);
}

";

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

const PIXELS: &str = "fn encode(input: &[REAL; INPUTS], x: &mut [REAL]) -> Result<(), Refusal> {
    for (i, (&pixel, x)) in input.iter().zip(x).enumerate() {
        if pixel.is_nan() {
            return Err(Refusal::Missing(i));
        }
        if !(0.0..=255.0).contains(&pixel) {
            return Err(Refusal::OutOfRange);
        }
        *x = (pixel as f64 / 255.0) as REAL;
    }
    Ok(())
}

";

const COLUMNS: &str = "fn encode(input: &[REAL; INPUTS], x: &mut [REAL]) -> Result<(), Refusal> {
    let mut at = 0;
    for (i, (column, &value)) in COLUMNS.iter().zip(input).enumerate() {
        let value = match column.fill {
            Some(fill) if value.is_nan() => fill,
            None if value.is_nan() => return Err(Refusal::Missing(i)),
            _ => value as f64,
        };
        if column.levels == 0 {
            let difference = value - column.mean;
            let standard =
                if difference.is_finite() { difference / column.scale } else { value / column.scale - column.mean / column.scale };
            x[at] = standard as REAL;
            if !x[at].is_finite() {
                return Err(Refusal::OutOfRange);
            }
            at += 1;
        } else {
            let mut seen = false;
            for (level, x) in x[at..at + column.levels].iter_mut().enumerate() {
                let is_it = value == level as f64;
                *x = if is_it { 1.0 } else { 0.0 };
                seen |= is_it;
            }
            if !seen {
                return Err(Refusal::Unseen(i));
            }
            at += column.levels;
        }
    }
    Ok(())
}

";

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

const PREDICT: &str = "/// The prediction for one row.
///
/// **Errors** say what is wrong with it; `output` is then left as it was.
#[allow(dead_code)]
pub fn predict(input: &[REAL; INPUTS], output: &mut [REAL; OUTPUTS]) -> Result<(), Refusal> {
    predict_with(input, output, &mut [0.0; WORKSPACE])
}

/// The same, with the caller's memory in place of the stack; what is in it does not matter.
pub fn predict_with(
    input: &[REAL; INPUTS],
    output: &mut [REAL; OUTPUTS],
    workspace: &mut [REAL; WORKSPACE],
) -> Result<(), Refusal> {
    let (x, z) = workspace.split_at_mut(FIRST);
    encode(input, x)?;
LAYERS    let mut said: [REAL; OUTPUTS] = [0.0; OUTPUTS];
VALUES    if said.iter().any(|value| !value.is_finite()) {
        return Err(Refusal::OutOfRange);
    }
    *output = said;
    Ok(())
}

";

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

const TEST: &str = "fn golden_row(row: usize) -> [REAL; INPUTS] {
    LET input = GOLDEN_INPUTS[row];
MISSING_ROW    input
}

/// FNV-1a over whole numbers.
fn mixed(sum: u64, number: &REAL) -> u64 {
    (sum ^ u64::from(bits(*number))).wrapping_mul(0x0100_0000_01b3)
}

fn parameters() -> u64 {
    let mut sum = SEED;
PARAMETERS    sum
}

/// Compares the answers for the rows that this file carries with the library's.
///
/// **Errors**: the number of the first row, from 1, that differs by more than is said above; rows behind the last are those that must be
/// refused. 0 if the parameters are others than when this file was written.
#[allow(dead_code)]
pub fn self_test() -> Result<(), usize> {
    if parameters() != CHECKSUM {
        return Err(0);
    }
    let mut output = [0.0; OUTPUTS];
    for row in 0..ROW_COUNT {
        let done = predict(&golden_row(row), &mut output);
        let close = |i: usize| {
            let difference = output[i] - GOLDEN_OUTPUTS[row][i];
            difference <= TOLERANCES[i] && -difference <= TOLERANCES[i]
        };
        if done.is_err() || !(0..OUTPUTS).all(close) {
            return Err(row + 1);
        }
    }
REFUSED    Ok(())
}

/// Whether the answers have exactly the bits that they had when this file was written.
#[allow(dead_code)]
pub fn same_bits() -> bool {
    let mut output = [0.0; OUTPUTS];
    let mut sum = SEED;
    for row in 0..ROW_COUNT {
        if predict(&golden_row(row), &mut output).is_err() {
            return false;
        }
        sum = output.iter().fold(sum, mixed);
    }
    sum == OWN_BITS
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_model_is_what_it_was_when_it_was_written() {
        assert_eq!(super::self_test(), Ok(()));
        assert!(super::same_bits());
    }
}
";

/// The golden rows and what compares them.
fn self_test<T: Float>(plan: &Plan<'_, T>, golden: &Golden<T>) -> String {
    let finite = |row: &Vec<T>| row.iter().map(|v| if v.is_finite() { *v } else { T::ZERO }).collect::<Vec<T>>();
    let inputs: Vec<Vec<T>> = golden.inputs.iter().map(finite).collect();
    let mut out = Language::Rust.table("GOLDEN_INPUTS", &inputs);
    out += &Language::Rust.table("GOLDEN_OUTPUTS", &golden.outputs);
    out += &Language::Rust.vector("TOLERANCES", &golden.tolerances);
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
