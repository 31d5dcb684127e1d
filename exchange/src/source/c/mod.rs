//! The C99 file.
//!
//! Its pieces are templates in which `@` is the name's prefix, `@@` that in capitals, and `REAL` the type. Other words in capitals are
//! filled in first, `@` last, whatever the name is. What comes from the model is added behind them, so that nothing of it is read as a
//! template. Begin reading at [`write`].

mod arithmetic;
mod pipeline;

use super::golden::{Golden, MISSING, ROWS, START, mix};
use super::head;
use super::plan::{Inputs, Outputs, Plan};
use super::words::{Language, write_to};
use arithmetic::{BITS, FMA_DOUBLE, FMA_SINGLE, LAYER_NORM, MAGNITUDE, POWER_OF_TWO, SIGNED_AS, SOFTMAX};
use deltarule::data::Target;
use deltarule::float::Float;
use deltarule::kernel::{layer_norm, vector};
use deltarule::network::Norm;
use deltarule::{Error, Result};
use pipeline::{
    BODY, CLASS, CLASS_DECLARED, CODE, CODE_DECLARED, COLUMNS, END, GUARD, INPUT_NAMES_DECLARED, LABEL,
    LABELS_DECLARED, OUTPUT_NAMES_DECLARED, PIXELS, STATUSES, TEST, TEST_DECLARED,
};

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

/// The golden rows and what compares them.
fn self_test<T: Float>(plan: &Plan<'_, T>, golden: &Golden<T>, name: &str) -> String {
    let finite = |row: &Vec<T>| row.iter().map(|v| if v.is_finite() { *v } else { T::ZERO }).collect::<Vec<T>>();
    let inputs: Vec<Vec<T>> = golden.inputs.iter().map(finite).collect();
    let mut out = Language::C.table(&format!("{name}_golden_inputs"), &inputs);
    out += &Language::C.table(&format!("{name}_golden_outputs"), &golden.outputs);
    out += &Language::C.table(&format!("{name}_tolerances"), &golden.tolerances);
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
