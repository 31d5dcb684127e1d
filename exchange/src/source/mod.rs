//! A model as one source file, in C99 or in Rust of `core` alone, that needs nothing else and checks itself.
//!
//! The file holds the whole pipeline that numbers go into: raw columns (categories as codes, for which it has the texts), what stands for
//! missing values, standardisation, every layer, and what the model says, in its own units. It allocates nothing, calls nothing, and does
//! the same on every machine with IEEE arithmetic:
//!
//! - Activations, softmax and layer normalisation are the library's kernels, operation by operation (`record.rs`), with the same bits.
//! - Weighted sums are plain products and sums, from the first input to the last, which any compiler makes vectors of. The library fuses
//!   and orders them in a way of its own. By how much the answers differ for it is measured when the file is written, stands in its head,
//!   and is what its self-test allows ([`golden`]).
//! - Batch normalisation is folded into the weights.
//!
//! Begin reading at [`plan`]; `c.rs` and `rust.rs` are the two languages, `words.rs` what they share.

mod c;
mod golden;
mod head;
mod plan;
mod record;
mod rust;
mod words;

use deltarule::float::Float;
use deltarule::model::Model;
use deltarule::{Error, Result};
use golden::Golden;
use plan::{Inputs, Plan};

/// The text of a C99 file with the functions `NAME_predict`, `NAME_self_test` and what belongs to them.
///
/// It includes `<stddef.h>` and `<stdint.h>` and links nothing, unless `DELTARULE_LIBM` is defined: then fused products are `<math.h>`'s. With `NAME_HEADER` defined it is its own header, with `NAME_MAIN` a program
/// that runs the self-test.
///
/// **Accuracy**: in the file's head, in units in the last place against [`Model::predict`](deltarule::model::Model::predict), measured over
/// 264 rows; the bits of C and Rust are the same. **Errors**: a `name` that is no identifier; a model that is damaged, or has no
/// finite prediction for rows like those of its training; one whose answers move by more than a thousandth when sums run in another
/// order; a text of more than 4095 bytes.
///
/// ```
/// use deltarule::loss::Loss;
/// use deltarule::model::{Model, plain_target};
/// use deltarule::prelude::*;
///
/// let spec = Spec::mlp(2, &[3], Activation::Tanh, 1, Activation::Identity)?;
/// let network = Network::<f32>::new(spec, None, &mut Rng::new(1))?;
/// let target = plain_target(network.spec());
/// let model = Model::of_network(network, None, target, Loss::SquaredError)?;
/// let text = deltarule_exchange::source::c(&model, "level")?;
/// assert!(text.contains("int level_predict(const float *in, float *out);"));
/// # Ok::<(), deltarule::Error>(())
/// ```
pub fn c<T: Float>(model: &Model<T>, name: &str) -> Result<String> {
    let plan = prepared(model, name)?;
    c::write(&plan, &Golden::of(&plan)?, name)
}

/// The text of a Rust file, to be used as the module `name` (`mod name;`): `predict`, `self_test` and what belongs to them.
///
/// It needs `core` alone and holds no unsafe code. `rustc --test` on it runs the self-test.
///
/// **Accuracy** and **errors** as [`c`].
pub fn rust<T: Float>(model: &Model<T>, name: &str) -> Result<String> {
    let plan = prepared(model, name)?;
    rust::write(&plan, &Golden::of(&plan)?, name)
}

/// The longest name: C99 tells 31 letters of an external name apart, of which the longest ending here takes 14.
const LONGEST_NAME: usize = 17;

/// The plan of a model whose file may have this name.
fn prepared<'a, T: Float>(model: &'a Model<T>, name: &str) -> Result<Plan<'a, T>> {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if !letters || !begins || name.len() > LONGEST_NAME {
        let expected = format!("a letter, then letters, digits and underscores, at most {LONGEST_NAME}");
        return Err(Error::setting("name", expected, format!("'{name}'")));
    }
    Plan::new(model)
}

/// An array of parameters in a file.
struct Array {
    /// Its name, without prefix.
    name: String,
    /// Its columns; 0 of a vector.
    columns: usize,
}

/// Every array of parameters, in the order in which they are summed up.
fn arrays<'a, T: Float>(plan: &'a Plan<'_, T>) -> Vec<(Array, &'a [T])> {
    let mut arrays = Vec::new();
    for (l, block) in plan.network.spec().blocks().iter().enumerate() {
        let parts =
            [("weights", &block.weights), ("biases", &block.bias), ("scales", &block.scale), ("shifts", &block.shift)];
        for (what, range) in parts.into_iter().filter(|(_, range)| !range.is_empty()) {
            let columns = if what == "weights" { block.outputs } else { 0 };
            let array = Array { name: format!("{what}_{}", l + 1), columns };
            arrays.push((array, &plan.network.params()[range.clone()]));
        }
    }
    arrays
}

/// What is wrong with a value that a file must refuse.
enum Wrong {
    /// A code beyond the last.
    Code(usize),
    /// Nothing is there.
    Missing,
    /// It is infinite.
    Infinite,
}

/// The cases of refusal that a self-test tries: column, value, and the name of the status.
fn refusals<T: Float>(plan: &Plan<'_, T>) -> Vec<(usize, Wrong, &'static str)> {
    let columns = plan.inputs.columns();
    let is_category = |column: &plan::Column| !column.levels().is_empty();
    let mut cases = Vec::new();
    if let Some(column) = columns.iter().position(is_category) {
        cases.push((column, Wrong::Code(columns[column].levels().len()), "UNSEEN"));
    }
    let (missing, number) = match plan.inputs {
        Inputs::Pixels(_) => (Some(0), Some(0)),
        Inputs::Columns(_) => (
            columns.iter().position(|column| column.fill().is_none()),
            columns.iter().position(|column| !is_category(column)),
        ),
    };
    cases.extend(missing.map(|column| (column, Wrong::Missing, "MISSING")));
    cases.extend(number.map(|column| (column, Wrong::Infinite, "OUT_OF_RANGE")));
    cases
}
