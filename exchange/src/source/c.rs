//! The C99 file.
//!
//! Its pieces are templates in which `@` is the name's prefix, `@@` that in capitals, and `REAL` the type. Other words in capitals are filled in first, `@` last: whatever the name is. What comes from the model is
//! added behind them, so that nothing of it is read as a template. Begin reading at [`write`].

use super::golden::{Golden, MISSING, ROWS, START, mix};
use super::head;
use super::plan::{Inputs, Outputs, Plan};
use super::words::{Language, write_to};
use deltarule::data::Target;
use deltarule::float::Float;
use deltarule::kernel::{layer_norm, vector};
use deltarule::network::Norm;
use deltarule::{Error, Result};

/// The longest text of a category: C99 promises literals of 4095 characters.
const LONGEST_TEXT: usize = 4095;

/// The file's text.
pub fn write<T: Float>(plan: &Plan<'_, T>, golden: &Golden<T>, name: &str) -> Result<String> {
    let filled = |template: &str| fill::<T>(template, name);
    let mut out = String::from("/*\n");
    for line in head::lines(plan, golden, Language::C, name) {
        write_to(&mut out, format_args!("{}\n", format!(" * {line}").trim_end()));
    }
    out += " */\n";
    out += &filled(GUARD);
    out += &declarations(plan, name);
    out += &filled(BODY);
    out += &names(plan, name)?;
    out += &filled(BITS);
    let asks =
        |test: fn(&super::record::Operation<T>) -> bool| plan.functions.iter().any(|f| f.operations.iter().any(test));
    use super::record::Operation::{Abs, CopySign, MulAdd, PowerOfTwo};
    if plan.has_layer_norm() || asks(|o| matches!(o, MulAdd(..))) {
        out += &filled(if T::NAME == "f32" { FMA_SINGLE } else { FMA_DOUBLE });
    }
    for (wanted, template) in [
        (asks(|o| matches!(o, Abs(..))), MAGNITUDE),
        (asks(|o| matches!(o, CopySign(..))), SIGNED_AS),
        (asks(|o| matches!(o, PowerOfTwo(..))), POWER_OF_TWO),
    ] {
        out += &if wanted { filled(template) } else { String::new() };
    }
    let prefix = format!("{name}_");
    plan.functions.iter().for_each(|function| out += &Language::C.function(function, &prefix));
    if plan.has_layer_norm() {
        let epsilon = Language::C.number(T::from_f64(layer_norm::EPSILON));
        let chains = vector::chains::<T>().to_string();
        out += &filled(&LAYER_NORM.replace("CHAINS", &chains).replace("EPSILON", &epsilon));
    }
    if plan.has_softmax() {
        out += &filled(SOFTMAX);
    }
    (0..plan.of_layer.len()).for_each(|l| out += &layer(plan, l, name));
    out += &encoder(plan, name);
    out += &predict(plan, name);
    out += &questions(plan, name)?;
    out += &self_test(plan, golden, name);
    Ok(out + END)
}

/// A template for this type and name, which comes last: no name is read as a word of a template.
fn fill<T: Float>(template: &str, name: &str) -> String {
    let single = T::NAME == "f32";
    let pick = |one: &'static str, two: &'static str| if single { one } else { two };
    template
        .replace("REAL", Language::C.type_name::<T>())
        .replace("WORD", pick("uint32_t", "uint64_t"))
        .replace("SIGN_BIT", pick("UINT32_C(0x80000000)", "UINT64_C(0x8000000000000000)"))
        .replace("PLACES", pick("23", "52"))
        .replace("BIAS", pick("127", "1023"))
        .replace("MAGIC", pick("0x1.8p+23f + 127.0f", "0x1.8p+52 + 1023.0"))
        .replace("QUIET_NAN", pick("UINT32_C(0x7fc00000)", "UINT64_C(0x7ff8000000000000)"))
        .replace("INFINITE", pick("UINT32_C(0x7f800000)", "UINT64_C(0x7ff0000000000000)"))
        .replace("@@", &name.to_uppercase())
        .replace('@', name)
}

const GUARD: &str = "
#ifndef @@_DECLARED
#define @@_DECLARED

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern \"C\" {
#endif

";

fn declarations<T: Float>(plan: &Plan<'_, T>, name: &str) -> String {
    let upper = name.to_uppercase();
    let numbers: usize = plan.halves().iter().sum();
    let mut out = String::new();
    for (what, value, remark) in [
        ("INPUTS", plan.inputs.count(), "numbers that a row of raw inputs has"),
        ("OUTPUTS", plan.values(), "numbers that a prediction has"),
        ("WORKSPACE", numbers, "numbers that a prediction needs meanwhile"),
    ] {
        write_to(&mut out, format_args!("/* {remark} */\n#define {upper}_{what} {value}\n"));
    }
    out += &fill::<T>(STATUSES, name);
    if plan.inputs.columns().iter().any(|column| !column.levels().is_empty()) {
        out += &fill::<T>(CODE_DECLARED, name);
    }
    out += &fill::<T>(if plan.inputs.columns().is_empty() { "" } else { INPUT_NAMES_DECLARED }, name);
    out += &fill::<T>(
        match plan.model.target {
            Target::Classes(_) => CLASS_DECLARED,
            Target::Labels(_) => LABELS_DECLARED,
            _ => OUTPUT_NAMES_DECLARED,
        },
        name,
    );
    out + &fill::<T>(TEST_DECLARED, name)
}

const STATUSES: &str = "
/* What a prediction can end with; `out` is written for @@_OK alone. */
enum {
    @@_OK = 0,
    @@_UNSEEN = -1,       /* the code of a category is none of those that are known */
    @@_MISSING = -2,      /* a value is NaN, and nothing is known to fill in */
    @@_OUT_OF_RANGE = -3  /* an input is infinite or out of its range, or so far away that the answer is no number */
};

/* The prediction for one row. Keeps @@_WORKSPACE numbers on the stack. */
int @_predict(const REAL *in, REAL *out);
/* The same, with the caller's memory in place of the stack. */
int @_predict_with(const REAL *in, REAL *out, REAL *workspace);
";

const CODE_DECLARED: &str = "/* The code of a text (of so many bytes) in an input column (from 0), or -1: what stands in `in` for a category. */
int @_code(size_t column, const char *text, size_t length);
";
const INPUT_NAMES_DECLARED: &str = "/* The names of the input columns. */
extern const char *const @_input_names[@@_INPUTS];
";
const CLASS_DECLARED: &str = "/* The most probable class of a prediction. */
size_t @_class(const REAL *out);
/* The names of the classes. */
extern const char *const @_class_names[@@_OUTPUTS];
";
const LABELS_DECLARED: &str = "/* Whether a prediction says that the row has a label (from 0). */
int @_label(const REAL *out, size_t label);
/* The names of the labels, and for each those of its two classes: without it, and with it. */
extern const char *const @_label_names[@@_OUTPUTS];
extern const char *const @_class_names[@@_OUTPUTS][2];
";
const OUTPUT_NAMES_DECLARED: &str = "/* The names of the predicted numbers. */
extern const char *const @_output_names[@@_OUTPUTS];
";
const TEST_DECLARED: &str = "/* 0 if all is as it was when this file was written; -1 if its parameters are others; else the number of the first row, from 1, whose
   answer differs from the library's by more than is said above. Rows behind the last are those that must be refused. */
int @_self_test(void);
/* Whether the answers have exactly the bits that they had when this file was written: they have unless a compiler fuses or reorders. */
int @_same_bits(void);

#ifdef __cplusplus
}
#endif

#endif
";

const BODY: &str = "
#ifndef @@_HEADER

#ifdef __FAST_MATH__
#error \"compile this file without -ffast-math: it tells NaN from numbers, and its functions live on how sums are rounded\"
#endif
/* No product is fused with a sum where it is not said, whatever the options; vectors of additions beside subtractions are made of such. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize (\"fp-contract=off\", \"no-tree-slp-vectorize\")
#endif

";

const END: &str = "
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

#endif
";

/// The constant texts.
fn names<T: Float>(plan: &Plan<'_, T>, name: &str) -> Result<String> {
    let upper = name.to_uppercase();
    let literal = |text: &str| match text.len() {
        ..=LONGEST_TEXT => Ok(Language::C.text(text)),
        length => Err(Error::setting("a name's length", format!("at most {LONGEST_TEXT} bytes"), length)),
    };
    let list = |texts: &mut dyn Iterator<Item = &str>| -> Result<String> {
        Ok(texts.map(literal).collect::<Result<Vec<_>>>()?.join(",\n    "))
    };
    let mut out = String::new();
    let columns = plan.inputs.columns();
    if !columns.is_empty() {
        let texts = list(&mut columns.iter().map(|column| column.name()))?;
        write_to(
            &mut out,
            format_args!("const char *const {name}_input_names[{upper}_INPUTS] = {{\n    {texts}\n}};\n\n"),
        );
    }
    match &plan.model.target {
        Target::Classes(classes) => {
            let texts = list(&mut classes.labels.iter().map(String::as_str))?;
            write_to(
                &mut out,
                format_args!("const char *const {name}_class_names[{upper}_OUTPUTS] = {{\n    {texts}\n}};\n\n"),
            );
        }
        Target::Labels(labels) => {
            let texts = list(&mut labels.iter().map(|label| label.name.as_str()))?;
            write_to(
                &mut out,
                format_args!("const char *const {name}_label_names[{upper}_OUTPUTS] = {{\n    {texts}\n}};\n\n"),
            );
            let pair = |label: &deltarule::data::target::Classes| {
                Ok(format!("{{{}}}", list(&mut label.labels.iter().map(String::as_str))?.replace(",\n    ", ", ")))
            };
            let texts = labels.iter().map(pair).collect::<Result<Vec<_>>>()?.join(",\n    ");
            write_to(
                &mut out,
                format_args!("const char *const {name}_class_names[{upper}_OUTPUTS][2] = {{\n    {texts}\n}};\n\n"),
            );
        }
        numbers => {
            let texts = list(&mut numbers.names().into_iter())?;
            write_to(
                &mut out,
                format_args!("const char *const {name}_output_names[{upper}_OUTPUTS] = {{\n    {texts}\n}};\n\n"),
            );
        }
    }
    Ok(out)
}

const BITS: &str = "static WORD @_bits(const REAL number) {
    union { REAL number; WORD bits; } both;
    both.number = number;
    return both.bits;
}

static REAL @_of_bits(const WORD bits) {
    union { REAL number; WORD bits; } both;
    both.bits = bits;
    return both.number;
}

";

const MAGNITUDE: &str = "static REAL @_magnitude(const REAL x) {
    return @_of_bits(@_bits(x) & ~SIGN_BIT);
}

";

const SIGNED_AS: &str = "static REAL @_signed_as(const REAL magnitude, const REAL sign) {
    return @_of_bits((@_bits(magnitude) & ~SIGN_BIT) | (@_bits(sign) & SIGN_BIT));
}

";

const POWER_OF_TWO: &str =
    "/* 2^k: in k + magic the low bits are k plus the bias of the exponent, and the shift drops the rest. */
static REAL @_power_of_two(const REAL k) {
    return @_of_bits(@_bits(k + (MAGIC)) << PLACES);
}

";

const FMA_SINGLE: &str = "/* a b + c, rounded once. The product is exact in double; the sum is rounded to odd (Boldo and Melquiond, 2008), so that rounding it
   again, to float, does no harm. */
static float @_fma(const float a, const float b, const float c) {
#if defined(__GNUC__) && (defined(__FMA__) || defined(__aarch64__) || defined(__FP_FAST_FMAF))
    return __builtin_fmaf(a, b, c);
#else
    const double product = (double)a * (double)b;
    const double sum = product + (double)c;
    const double back = sum - product;
    const double lost = (product - (sum - back)) + ((double)c - back);
    union { double number; uint64_t bits; } odd;
    odd.number = sum;
    if ((lost < 0.0 || lost > 0.0) && (odd.bits & 1) == 0) {
        odd.bits += (lost > 0.0) == (sum > 0.0) ? 1 : UINT64_MAX;
    }
    return (float)odd.number;
#endif
}

";

const FMA_DOUBLE: &str = "/* a b + c, rounded once (but for subnormal results): the product as a sum of two (Dekker, 1971), to which c is added with the last but
   one rounding to odd (Boldo and Melquiond, 2008). */
#if !(defined(__GNUC__) && (defined(__FMA__) || defined(__aarch64__) || defined(__FP_FAST_FMA)))
static double @_fma_near(const double a, const double b, const double c) {
    const double split_a = 134217729.0 * a, split_b = 134217729.0 * b;
    const double a_high = split_a - (split_a - a), b_high = split_b - (split_b - b);
    const double a_low = a - a_high, b_low = b - b_high;
    const double high = a * b;
    const double low = (((a_high * b_high - high) + a_high * b_low) + a_low * b_high) + a_low * b_low;
    const double t = c + low, t_back = t - c;
    const double t_low = (c - (t - t_back)) + (low - t_back);
    const double v = high + t, v_back = v - high;
    const double v_low = (high - (v - v_back)) + (t - v_back);
    const double rest = t_low + v_low, rest_back = rest - t_low;
    const double lost = (t_low - (rest - rest_back)) + (v_low - rest_back);
    uint64_t odd = @_bits(rest);
    if ((lost < 0.0 || lost > 0.0) && (odd & 1) == 0) {
        odd += (lost > 0.0) == (rest > 0.0) ? 1 : UINT64_MAX;
    }
    return v + @_of_bits(odd);
}
#endif

static double @_fma(const double a, const double b, const double c) {
#if defined(__GNUC__) && (defined(__FMA__) || defined(__aarch64__) || defined(__FP_FAST_FMA))
    return __builtin_fma(a, b, c);
#else
    const int of_a = (int)(@_bits(a) >> 52 & 2047), of_b = (int)(@_bits(b) >> 52 & 2047), of_c = (int)(@_bits(c) >> 52 & 2047);
    const uint64_t rest = ~(UINT64_C(2047) << 52), one = UINT64_C(1023) << 52;
    double sum;
    int shift = of_a + of_b - 2046, moved;
    if (of_a > 600 && of_a < 1400 && of_b > 600 && of_b < 1400 && of_c < 1800) {
        return @_fma_near(a, b, c);
    }
    /* Zeros, subnormal numbers and those that are none. */
    if (of_a == 0 || of_b == 0 || of_a == 2047 || of_b == 2047 || of_c == 2047) {
        return a * b + c;
    }
    /* Others are moved to where nothing overflows or vanishes, and the sum is moved back. */
    moved = of_c - shift;
    if (moved > 1800) {
        return c;
    }
    moved = of_c == 0 || moved < 200 ? 200 : moved;
    sum = @_fma_near(@_of_bits((@_bits(a) & rest) | one), @_of_bits((@_bits(b) & rest) | one),
        c == 0.0 ? c : @_of_bits((@_bits(c) & rest) | (uint64_t)moved << 52));
    for (; shift > 1000; shift -= 1000) {
        sum *= 0x1p+1000;
    }
    for (; shift < -1000; shift += 1000) {
        sum *= 0x1p-1000;
    }
    return sum * @_of_bits((uint64_t)(1023 + shift) << 52);
#endif
}

";

const LAYER_NORM: &str = "/* The square root, rounded to the nearest: digit after digit in whole numbers. For normal numbers; others come back as they are. */
static REAL @_root(const REAL x) {
    const WORD bits = @_bits(x);
    WORD mantissa = (bits & (((WORD)1 << PLACES) - 1)) | (WORD)1 << PLACES, rest = 0, root = 0;
    int exponent = (int)(bits >> PLACES) - BIAS, i;
    if (!(x > 0) || x - x != 0) {
        return x;
    }
    if (exponent & 1) {
        mantissa <<= 1;
        exponent -= 1;
    }
    for (i = PLACES + 1; i >= 0; i--) {
        const int at = 2 * i - (PLACES + 2);
        const WORD two = at >= 0 ? mantissa >> at & 3 : at == -1 ? mantissa << 1 & 3 : 0;
        const WORD trial = root << 2 | 1;
        rest = rest << 2 | two;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    root = (root + 1) >> 1;
    return @_of_bits(((WORD)(exponent / 2 + BIAS - 1) << PLACES) + root);
}

/* The sum of numbers or of their squares, in CHAINS partial sums that are added in halves. */
static REAL @_total(const REAL *z, const size_t units, const int squares) {
    REAL part[CHAINS] = {0};
    size_t i, half;
    for (i = 0; i < units; i++) {
        part[i % CHAINS] = squares ? @_fma(z[i], z[i], part[i % CHAINS]) : z[i] + part[i % CHAINS];
    }
    for (half = CHAINS / 2; half > 0; half /= 2) {
        for (i = 0; i < half; i++) {
            part[i] += part[i + half];
        }
    }
    return part[0];
}

/* To mean 0 and variance 1, then scaled and shifted. */
static void @_normalise(REAL *z, const size_t units, const REAL *scale, const REAL *shift) {
    const REAL share = (REAL)1 / (REAL)units;
    const REAL mean = @_total(z, units, 0) * share;
    REAL by;
    size_t i;
    for (i = 0; i < units; i++) {
        z[i] -= mean;
    }
    by = @_total(z, units, 1) * share;
    by = (REAL)1 / @_root(by + EPSILON);
    for (i = 0; i < units; i++) {
        const REAL normalised = z[i] * by;
        z[i] = @_fma(scale[i], normalised, shift[i]);
    }
}

";

const SOFTMAX: &str = "/* e^z_j over their sum, which is kept in 16 partial sums that are added in halves. */
static void @_softmax(REAL *z, const size_t units) {
    REAL part[16] = {0}, top = z[0], inverse;
    size_t i, half;
    for (i = 1; i < units; i++) {
        top = z[i] > top ? z[i] : top;
    }
    for (i = 0; i < units; i++) {
        z[i] = @_exp_below(z[i], top);
        part[i % 16] += z[i];
    }
    for (half = 8; half > 0; half /= 2) {
        for (i = 0; i < half; i++) {
            part[i] += part[i + half];
        }
    }
    inverse = (REAL)1 / part[0];
    for (i = 0; i < units; i++) {
        z[i] *= inverse;
    }
}

";

/// A layer: its numbers, and the function from its inputs to its outputs.
fn layer<T: Float>(plan: &Plan<'_, T>, l: usize, name: &str) -> String {
    let (spec, params) = (plan.network.spec(), plan.network.params());
    let (layer, block) = (spec.layers()[l], &spec.blocks()[l]);
    let (inputs, outputs, n) = (block.inputs, block.outputs, l + 1);
    let rows: Vec<&[T]> = params[block.weights.clone()].chunks_exact(outputs).collect();
    let mut out = Language::C.table(&format!("{name}_weights_{n}"), &rows);
    for (what, range) in [("biases", &block.bias), ("scales", &block.scale), ("shifts", &block.shift)] {
        if !range.is_empty() {
            out += &Language::C.vector(&format!("{name}_{what}_{n}"), &params[range.clone()]);
        }
    }
    let start = if layer.bias { format!("@_biases_{n}[j]") } else { "0".into() };
    let mut rest = String::new();
    if layer.norm == Norm::Layer {
        write_to(&mut rest, format_args!("    @_normalise(z, {outputs}, @_scales_{n}, @_shifts_{n});\n"));
    }
    if let Some(function) = plan.of_layer[l] {
        let function = &plan.functions[function].name;
        write_to(
            &mut rest,
            format_args!("    for (j = 0; j < {outputs}; j++) {{\n        z[j] = @_{function}(z[j]);\n    }}\n"),
        );
    } else if l + 1 == plan.of_layer.len() && plan.has_softmax() {
        write_to(&mut rest, format_args!("    @_softmax(z, {outputs});\n"));
    }
    let template = "static void @_layer_N(const REAL *restrict x, REAL *restrict z) {
    size_t i, j;
    for (j = 0; j < UNITS; j++) {
        z[j] = START;
    }
    for (i = 0; i < WIDTH; i++) {
        const REAL input = x[i];
        const REAL *const row = @_weights_N[i];
        for (j = 0; j < UNITS; j++) {
            const REAL product = input * row[j];
            z[j] += product;
        }
    }
";
    let [units, width, n] = [outputs, inputs, n].map(|size| size.to_string());
    let code = template.replace("UNITS", &units).replace("WIDTH", &width).replace("_N", &format!("_{n}"));
    out + &fill::<T>(&(code.replace("START", &start) + &rest), name) + "}\n\n"
}

const PIXELS: &str = "static int @_encode(const REAL *in, REAL *x) {
    size_t i;
    for (i = 0; i < @@_INPUTS; i++) {
        if (in[i] != in[i]) {
            return @@_MISSING;
        }
        if (!(in[i] >= 0 && in[i] <= 255)) {
            return @@_OUT_OF_RANGE;
        }
        x[i] = (REAL)((double)in[i] / 255.0);
    }
    return @@_OK;
}

";

/* The table of columns: what a C compiler reads as {mean, scale, fill, has_fill, levels}. */
const COLUMNS: &str = "static int @_encode(const REAL *in, REAL *x) {
    size_t i;
    for (i = 0; i < @@_INPUTS; i++) {
        double value = (double)in[i];
        if (value != value) {
            if (!@_columns[i].fills) {
                return @@_MISSING;
            }
            value = @_columns[i].fill;
        }
        if (@_columns[i].levels == 0) {
            const double mean = @_columns[i].mean, scale = @_columns[i].scale;
            const double difference = value - mean;
            *x = (REAL)(difference - difference == 0.0 ? difference / scale : value / scale - mean / scale);
            if (!(*x - *x == 0)) {
                return @@_OUT_OF_RANGE;
            }
            x += 1;
        } else {
            const size_t levels = @_columns[i].levels;
            size_t level;
            int seen = 0;
            for (level = 0; level < levels; level++) {
                const int is_it = value == (double)level;
                x[level] = is_it ? (REAL)1 : (REAL)0;
                seen |= is_it;
            }
            if (!seen) {
                return @@_UNSEEN;
            }
            x += levels;
        }
    }
    return @@_OK;
}

";

/// From raw inputs to the network's.
fn encoder<T: Float>(plan: &Plan<'_, T>, name: &str) -> String {
    let Inputs::Columns(columns) = &plan.inputs else { return fill::<T>(PIXELS, name) };
    let mut out = fill::<T>(
        "/* Each column: mean and scale of a number; what stands for a missing value, if anything; how many categories, of a number none. */
static const struct {
    double mean, scale, fill;
    int fills;
    size_t levels;
} @_columns[@@_INPUTS] = {\n",
        name,
    );
    for column in columns {
        let (mean, scale) = match column {
            super::plan::Column::Number { mean, scale, .. } => (*mean, *scale),
            super::plan::Column::Category { .. } => (0.0, 1.0),
        };
        let [mean, scale, fill] = [mean, scale, column.fill().unwrap_or(0.0)].map(|number| Language::C.double(number));
        let fills = u8::from(column.fill().is_some());
        write_to(&mut out, format_args!("    {{{mean}, {scale}, {fill}, {fills}, {}}},\n", column.levels().len()));
    }
    out + "};\n\n" + &fill::<T>(COLUMNS, name)
}

/// The prediction.
fn predict<T: Float>(plan: &Plan<'_, T>, name: &str) -> String {
    let mut out = String::new();
    if let Outputs::Numbers(units) = &plan.outputs {
        for (what, numbers) in [
            ("means", units.iter().map(|unit| unit.0).collect::<Vec<f64>>()),
            ("deviations", units.iter().map(|unit| unit.1).collect()),
        ] {
            out += &Language::C.vector(&format!("{name}_{what}"), &numbers);
        }
    }
    let [first, _] = plan.halves();
    let mut layers = String::new();
    let (mut from, mut to) = ("x", "z");
    for n in 1..=plan.of_layer.len() {
        write_to(&mut layers, format_args!("    @_layer_{n}({from}, {to});\n"));
        (from, to) = (to, from);
    }
    let values = match &plan.outputs {
        Outputs::Numbers(_) => {
            "    for (i = 0; i < @@_OUTPUTS; i++) {
        const double scaled = (double)RESULT[i] * @_deviations[i];
        said[i] = (REAL)(scaled + @_means[i]);
    }\n"
        }
        Outputs::AsTheyAre => {
            "    for (i = 0; i < @@_OUTPUTS; i++) {
        said[i] = RESULT[i];
    }\n"
        }
        Outputs::Signs => {
            "    for (i = 0; i < @@_OUTPUTS; i++) {
        said[i] = RESULT[i] - RESULT[i] != 0 ? RESULT[i] - RESULT[i] : RESULT[i] > 0 ? (REAL)1 : (REAL)0;
    }\n"
        }
        Outputs::Sign => {
            "    said[1] = RESULT[0] - RESULT[0] != 0 ? RESULT[0] - RESULT[0] : RESULT[0] > 0 ? (REAL)1 : (REAL)0;
    said[0] = 1 - said[1];
"
        }
        Outputs::Second => {
            "    said[0] = (REAL)(1.0 - (double)RESULT[0]);
    said[1] = RESULT[0];
"
        }
        Outputs::Largest => {
            "    for (i = 0; i < @@_OUTPUTS; i++) {
        if (RESULT[i] - RESULT[i] != 0) {
            return @@_OUT_OF_RANGE;
        }
        largest = RESULT[i] > RESULT[largest] ? i : largest;
    }
    for (i = 0; i < @@_OUTPUTS; i++) {
        said[i] = i == largest ? (REAL)1 : (REAL)0;
    }\n"
        }
        Outputs::Shares => {
            "    for (i = 0; i < @@_OUTPUTS; i++) {
        sum += (double)RESULT[i];
    }
    for (i = 0; i < @@_OUTPUTS; i++) {
        said[i] = (REAL)(sum - sum != 0.0 ? sum - sum : sum > 0.0 ? (double)RESULT[i] / sum : 1.0 / @@_OUTPUTS);
    }\n"
        }
    };
    let extra = match plan.outputs {
        Outputs::Largest => "    size_t largest = 0;\n",
        Outputs::Shares => "    double sum = 0.0;\n",
        _ => "",
    };
    let template = "int @_predict_with(const REAL *in, REAL *out, REAL *workspace) {
    REAL *const x = workspace, *const z = workspace + FIRST;
    REAL said[@@_OUTPUTS];
    size_t i;
EXTRA    const int status = @_encode(in, x);
    if (status != @@_OK) {
        return status;
    }
LAYERSVALUES    for (i = 0; i < @@_OUTPUTS; i++) {
        if (!(said[i] - said[i] == 0)) {
            return @@_OUT_OF_RANGE;
        }
    }
    for (i = 0; i < @@_OUTPUTS; i++) {
        out[i] = said[i];
    }
    return @@_OK;
}

int @_predict(const REAL *in, REAL *out) {
    REAL workspace[@@_WORKSPACE];
    return @_predict_with(in, out, workspace);
}

";
    let code = template.replace("VALUES", values).replace("EXTRA", extra).replace("RESULT", from);
    let code = code.replace("FIRST", &first.to_string()).replace("LAYERS", &layers);
    out + &fill::<T>(&code, name)
}

const CODE: &str = "int @_code(size_t column, const char *text, size_t length) {
    size_t at = 0, i, k;
    if (column >= @@_INPUTS) {
        return -1;
    }
    for (i = 0; i < column; i++) {
        at += @_columns[i].levels;
    }
    for (i = 0; i < @_columns[column].levels; i++) {
        for (k = 0; k < length && k < @_levels[at + i].length && text[k] == @_levels[at + i].text[k]; k++) {
        }
        if (k == length && k == @_levels[at + i].length) {
            return (int)i;
        }
    }
    return -1;
}

";
const CLASS: &str = "size_t @_class(const REAL *out) {
    size_t best = 0, i;
    for (i = 1; i < @@_OUTPUTS; i++) {
        best = out[i] > out[best] ? i : best;
    }
    return best;
}

";
const LABEL: &str = "int @_label(const REAL *out, size_t label) {
    return label < @@_OUTPUTS && (double)out[label] > 0.5;
}

";

/// From texts to codes, and from predictions to classes.
fn questions<T: Float>(plan: &Plan<'_, T>, name: &str) -> Result<String> {
    let mut out = String::new();
    let levels: Vec<&String> = plan.inputs.columns().iter().flat_map(|column| column.levels()).collect();
    if !levels.is_empty() {
        write_to(
            &mut out,
            format_args!(
                "static const struct {{\n    const char *text;\n    size_t length;\n}} {name}_levels[{}] = {{\n",
                levels.len()
            ),
        );
        for level in levels {
            if level.len() > LONGEST_TEXT {
                return Err(Error::setting(
                    "a category's length",
                    format!("at most {LONGEST_TEXT} bytes"),
                    level.len(),
                ));
            }
            write_to(&mut out, format_args!("    {{{}, {}}},\n", Language::C.text(level), level.len()));
        }
        out += "};\n\n";
        out += &fill::<T>(CODE, name);
    }
    Ok(match plan.model.target {
        Target::Classes(_) => out + &fill::<T>(CLASS, name),
        Target::Labels(_) => out + &fill::<T>(LABEL, name),
        _ => out,
    })
}

const TEST: &str = "/* The third row, with nothing where something can be filled in; and rows that must be refused. */
static void @_golden_row(const size_t row, REAL *in) {
    size_t i;
    for (i = 0; i < @@_INPUTS; i++) {
        in[i] = @_golden_inputs[row][i];
    }
MISSING_ROW}

/* FNV-1a over whole numbers. */
static uint64_t @_mixed(const uint64_t sum, const REAL number) {
    return (sum ^ (uint64_t)@_bits(number)) * UINT64_C(0x100000001b3);
}

static uint64_t @_parameters(void) {
    uint64_t sum = UINT64_C(SEED);
    size_t i;
PARAMETERS    return sum;
}

int @_self_test(void) {
    REAL in[@@_INPUTS], out[@@_OUTPUTS];
    size_t row, i;
    if (@_parameters() != UINT64_C(CHECKSUM)) {
        return -1;
    }
    for (row = 0; row < ROW_COUNT; row++) {
        @_golden_row(row, in);
        if (@_predict(in, out) != @@_OK) {
            return (int)row + 1;
        }
        for (i = 0; i < @@_OUTPUTS; i++) {
            const REAL difference = out[i] - @_golden_outputs[row][i];
            if (!(difference <= @_tolerances[i] && -difference <= @_tolerances[i])) {
                return (int)row + 1;
            }
        }
    }
REFUSED    return 0;
}

int @_same_bits(void) {
    REAL in[@@_INPUTS], out[@@_OUTPUTS];
    uint64_t sum = UINT64_C(SEED);
    size_t row, i;
    for (row = 0; row < ROW_COUNT; row++) {
        @_golden_row(row, in);
        if (@_predict(in, out) != @@_OK) {
            return 0;
        }
        for (i = 0; i < @@_OUTPUTS; i++) {
            sum = @_mixed(sum, out[i]);
        }
    }
    return sum == UINT64_C(OWN_BITS);
}

#ifdef @@_MAIN
#include <stdio.h>

int main(void) {
    const int fault = @_self_test();
    printf(\"self-test: %s (%d); bits as written: %s\\n\", fault == 0 ? \"passed\" : \"FAILED\", fault, @_same_bits() ? \"yes\" : \"no\");
    return fault == 0 ? 0 : 1;
}
#endif
";

/// The golden rows and what compares them.
fn self_test<T: Float>(plan: &Plan<'_, T>, golden: &Golden<T>, name: &str) -> String {
    let finite = |row: &Vec<T>| row.iter().map(|v| if v.is_finite() { *v } else { T::ZERO }).collect::<Vec<T>>();
    let inputs: Vec<Vec<T>> = golden.inputs.iter().map(finite).collect();
    let mut out = Language::C.table(&format!("{name}_golden_inputs"), &inputs);
    out += &Language::C.table(&format!("{name}_golden_outputs"), &golden.outputs);
    out += &Language::C.vector(&format!("{name}_tolerances"), &golden.tolerances);
    let fills = plan.inputs.columns().iter().any(|column| column.fill().is_some());
    let missing = format!(
        "    if (row == {MISSING}) {{
        for (i = 0; i < @@_INPUTS; i++) {{
            in[i] = @_columns[i].fills ? @_of_bits(QUIET_NAN) : in[i];
        }}
    }}\n"
    );
    let (mut sums, mut checksum) = (String::new(), START);
    for (array, numbers) in super::arrays(plan) {
        let (count, columns) = (numbers.len(), array.columns);
        let index = if columns == 0 { "[i]".into() } else { format!("[i / {columns}][i % {columns}]") };
        write_to(
            &mut sums,
            format_args!(
                "    for (i = 0; i < {count}; i++) {{\n        sum = @_mixed(sum, @_{}{index});\n    }}\n",
                array.name
            ),
        );
        checksum = numbers.iter().fold(checksum, |sum, &number| mix(sum, number));
    }
    let mut refused = String::new();
    for (case, (column, value, status)) in super::refusals(plan).into_iter().enumerate() {
        let value = match value {
            super::Wrong::Code(code) => format!("(REAL){code}"),
            super::Wrong::Missing => "@_of_bits(QUIET_NAN)".into(),
            super::Wrong::Infinite => "@_of_bits(INFINITE)".into(),
        };
        write_to(
            &mut refused,
            format_args!(
                "    @_golden_row(0, in);\n    in[{column}] = {value};\n    if (@_predict(in, out) != @@_{status}) {{\n        return {};\n    }}\n",
                ROWS + case + 1
            ),
        );
    }
    let code = TEST.replace("MISSING_ROW", if fills { &missing } else { "" }).replace("REFUSED", &refused);
    let code = code.replace("ROW_COUNT", &ROWS.to_string()).replace("SEED", &format!("{START:#x}"));
    let code = code.replace("CHECKSUM", &format!("{checksum:#x}")).replace("OWN_BITS", &format!("{:#x}", golden.bits));
    out + &fill::<T>(&code.replace("PARAMETERS", &sums), name)
}
