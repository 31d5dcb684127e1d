//! What a source file says of itself: where it comes from, what goes in and comes out, how exact it is, how it is built.

use super::golden::{Golden, ROWS};
use super::plan::{Column, Inputs, Outputs, Plan};
use super::words::Language;
use deltarule::data::Target;
use deltarule::float::Float;

/// Columns and names that are listed; of more, how many there are.
const LISTED: usize = 200;
/// Texts of one category that are listed.
const LEVELS: usize = 20;

/// The lines, without the marks of a comment.
pub fn lines<T: Float>(plan: &Plan<'_, T>, golden: &Golden<T>, language: Language, name: &str) -> Vec<String> {
    let of = &plan.model.provenance;
    let say = |text: &str| language.remark(text);
    let mut lines = vec![
        format!(
            "{name}: a trained model as source, written by deltarule {}. It allocates nothing and needs nothing else.",
            env!("CARGO_PKG_VERSION")
        ),
        String::new(),
        format!("network            {}", plan.network.spec().architecture()),
        format!("type               {}", T::NAME),
        format!("parameters_sha256  {}", plan.model.parameters_sha256()),
    ];
    if !of.version.is_empty() {
        lines.push(format!("model by           deltarule {}", say(&of.version)));
    }
    if !of.data.is_empty() {
        lines.push(format!("data               {}, {} rows, seed {}", say(&of.data), of.rows, of.seed));
    }
    if !of.training.is_empty() {
        lines.push(format!("training           {}, {} epochs", say(&of.training), of.epochs));
    }
    lines.extend([String::new(), format!("Inputs of a row ({}):", plan.inputs.count())]);
    lines.extend(inputs(&plan.inputs, &say));
    lines.extend([String::new(), format!("Outputs of a row ({}): {}", plan.values(), outputs(plan))]);
    let names = of_outputs(&plan.model.target);
    lines.extend(names.iter().take(LISTED).enumerate().map(|(i, name)| format!("  {i:3}  {}", say(name))));
    if names.len() > LISTED {
        lines.push(format!("  and {} more", names.len() - LISTED));
    }
    lines.push(String::new());
    lines.extend(accuracy(plan, golden, language, name));
    lines
}

/// A line to each column.
fn inputs(inputs: &Inputs, say: &dyn Fn(&str) -> String) -> Vec<String> {
    let columns = match inputs {
        Inputs::Pixels(_) => return vec!["  pixels from 0 to 255, row after row of the image".into()],
        Inputs::Columns(columns) => columns,
    };
    let mut lines = Vec::new();
    for (i, column) in columns.iter().take(LISTED).enumerate() {
        let missing = match column.fill() {
            Some(fill) => format!(", NaN where missing: then {fill}"),
            None => ", never missing".into(),
        };
        let kind = match column {
            Column::Number { mean, scale, .. } => format!("a number (mean {mean}, deviation {scale}){missing}"),
            Column::Category { levels, .. } => {
                let texts: Vec<_> =
                    levels.iter().take(LEVELS).enumerate().map(|(code, l)| format!("{code} = {}", say(l))).collect();
                let more =
                    if levels.len() > LEVELS { format!(" and {} more", levels.len() - LEVELS) } else { String::new() };
                format!("the code of a category{missing}: {}{more}", texts.join(", "))
            }
        };
        lines.push(format!("  {i:3}  {}: {kind}", say(column.name())));
    }
    if columns.len() > LISTED {
        lines.push(format!("  and {} more", columns.len() - LISTED));
    }
    lines
}

/// What the outputs are.
fn outputs<T>(plan: &Plan<'_, T>) -> &'static str {
    match plan.outputs {
        Outputs::Numbers(_) => "numbers in their own units",
        Outputs::AsTheyAre if matches!(plan.model.target, Target::Labels(_)) => "the probability of each label",
        Outputs::AsTheyAre | Outputs::Second => "the probability of each class",
        Outputs::Shares => "the share of each class",
        Outputs::Signs => "1 for each label that the row has, else 0",
        Outputs::Sign | Outputs::Largest => "1 for the class that is chosen, 0 for the others",
    }
}

/// The names of the outputs.
fn of_outputs(target: &Target) -> Vec<&str> {
    match target {
        Target::Classes(classes) => classes.labels.iter().map(String::as_str).collect(),
        several => several.names(),
    }
}

/// How exact the file is, what it takes, and how it is built.
fn accuracy<T: Float>(plan: &Plan<'_, T>, golden: &Golden<T>, language: Language, name: &str) -> Vec<String> {
    let unit = match plan.outputs {
        Outputs::Numbers(_) => "of each output's largest value among them (64 deviations away: of the value itself)",
        _ => "of 1",
    };
    let stack: usize = plan.halves().iter().sum::<usize>() * size_of::<T>();
    let mut lines = vec![
        "Accuracy: activations, softmax and layer normalisation have the bits of the library's; weighted sums are rounded in another order.".to_string(),
        format!(
            "Over {} rows drawn like those of the training the answers differed from the library's by at most {:.2} units in the last place",
            golden.sampled, golden.found
        ),
        format!("{unit}. The self-test allows {} such units, in {ROWS} rows that this file carries.", golden.units),
        String::new(),
        format!("Memory: {} parameters of {} bytes; a prediction keeps {stack} bytes on the stack for its layers.", plan.network.spec().parameters(), size_of::<T>()),
    ];
    let upper = name.to_uppercase();
    lines.extend(match language {
        Language::C => vec![
            String::new(),
            "Build:    cc -std=c99 -O3 -c FILE.c        (no library is needed; not with -ffast-math)".to_string(),
            "Faster:   -march=native, or -DDELTARULE_LIBM and -lm, where activations are smooth: fused products are slow without".into(),
            "          an instruction for them. The bits stay the same.".into(),
            format!("Check:    cc -std=c99 -O3 -D{upper}_MAIN FILE.c && ./a.out"),
            format!("Declare:  #define {upper}_HEADER, then #include this file: it is its own header."),
"Compilers other than GCC and Clang may fuse products and sums: the last bits then differ, as same_bits tells.".into(),
        ],
        Language::Rust => vec![
            String::new(),
            format!("Use:      mod {name}; (any edition; core alone, no unsafe code), then {name}::predict(&input, &mut output)"),
            "Check:    rustc --test FILE.rs && ./FILE, or self_test() in the program".into(),
            "Faster:   the feature std of the crate takes fused products from the standard library. The bits stay the same.".into(),
        ],
    });
    lines
}
