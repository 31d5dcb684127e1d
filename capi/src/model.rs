//! Models: the whole pipeline, from a model file or around a network.

use crate::abi::{self, ModelFacts, Task};
use crate::border::{Call, In, Out, export};
use crate::handle;
use crate::network::{self, Real, any, expect, flag, type_of, usage};
use crate::status::{Failure, Outcome};
use crate::text::Buffer;
use deltarule::Error;
use deltarule::data::features::{Feature, Features, Kind};
use deltarule::data::{Table, Target, npy};
use deltarule::file::Existing;
use deltarule::model::{self, Dtype, Input, Model, Predictions, Source};
use deltarule::prelude::Float;
use ndarray::{Array2, ArrayView2};
use std::ffi::c_char;
use std::path::Path;
use std::sync::Arc;

/// What stands for the caller's rows in messages.
const ROWS: &str = "rows";
/// So many rows are encoded at a time, that they need not be in memory twice.
const PIECE: usize = 4096;

/// What can be asked of a model without its type.
trait AnyModel: Send + Sync {
    fn input(&self) -> &Input;
    fn target(&self) -> &Target;
    fn trained_rows(&self) -> usize;
    fn dtype(&self) -> Dtype;
    fn has_probabilities(&self) -> bool;
    fn network(&self) -> Result<abi::Network, Failure>;
    fn save(&self, path: &Path, existing: Existing) -> Outcome;
    fn sha256(&self) -> String;
    /// The predictions for rows of numbers, or of a table.
    fn predict(&self, input: &Input, source: &Source) -> deltarule::Result<Predictions>;
}

impl<T: Real> AnyModel for Model<T> {
    fn input(&self) -> &Input {
        &self.input
    }

    fn target(&self) -> &Target {
        &self.target
    }

    fn trained_rows(&self) -> usize {
        self.provenance.rows
    }

    fn dtype(&self) -> Dtype {
        Dtype::of::<T>()
    }

    fn has_probabilities(&self) -> bool {
        Model::has_probabilities(self)
    }

    fn network(&self) -> Result<abi::Network, Failure> {
        network::keep(self.network.clone())
    }

    fn save(&self, path: &Path, existing: Existing) -> Outcome {
        Ok(Model::save(self, path, existing)?)
    }

    fn sha256(&self) -> String {
        self.parameters_sha256()
    }

    fn predict(&self, input: &Input, source: &Source) -> deltarule::Result<Predictions> {
        let rows: Vec<usize> = (0..source.rows()).collect();
        let predictions = self.predict_encoded(input.encode(source, &rows)?.view())?;
        match predictions.values().rows().into_iter().position(|row| row.iter().any(|value| !value.is_finite())) {
            None => Ok(predictions),
            Some(row) => Err(Error::data(
                ROWS,
                format!("row {}: the prediction is not finite: it is too far from those of the training", row + 1),
            )),
        }
    }
}

fn get(model: abi::Model) -> Result<Arc<dyn AnyModel>, Failure> {
    if let Some(single) = handle::get::<Model<f32>>(model)? {
        return Ok(single);
    }
    Ok(handle::get::<Model<f64>>(model)?.expect("a model of one of two types"))
}

fn keep(bytes: &[u8], path: &Path) -> Result<abi::Model, Failure> {
    match model::peek_dtype(bytes, path)? {
        Dtype::F32 => handle::keep(Model::<f32>::from_bytes(bytes, path)?),
        Dtype::F64 => handle::keep(Model::<f64>::from_bytes(bytes, path)?),
    }
}

/// How many numbers or texts a raw row has.
fn columns(input: &Input) -> usize {
    match input {
        Input::Table(features) => features.columns.len(),
        Input::Images { height, width } => height * width,
    }
}

/// The names of what a raw row has.
fn column_names(input: &Input) -> Vec<String> {
    match input {
        Input::Table(features) => features.columns.iter().map(|column| column.name.clone()).collect(),
        Input::Images { .. } => input.names(),
    }
}

fn takes_numbers(input: &Input) -> bool {
    match input {
        Input::Table(features) => features.columns.iter().all(|column| matches!(column.kind, Kind::Number { .. })),
        Input::Images { .. } => true,
    }
}

/// The names of what a prediction has.
fn value_names(target: &Target) -> Vec<String> {
    match target {
        Target::Classes(classes) => classes.labels.clone(),
        other => other.names().into_iter().map(Into::into).collect(),
    }
}

/// The same input for the columns that it needs alone, in their order.
fn by_position(input: &Input) -> Input {
    let Input::Table(features) = input else { return input.clone() };
    let columns = features.columns.iter().enumerate();
    let columns: Vec<_> = columns.map(|(position, column)| Feature { position, ..column.clone() }).collect();
    let source_columns = columns.len();
    Input::Table(Features { columns, header: false, source_columns, missing: features.missing })
}

/// Rows of numbers in memory, as the library reads them: an NPY array.
fn source<T: Float>(input: &Input, x: ArrayView2<'_, T>) -> deltarule::Result<Source> {
    let shape = match input {
        Input::Table(_) => format!("({}, {})", x.nrows(), x.ncols()),
        Input::Images { height, width } => format!("({}, {height}, {width})", x.nrows()),
    };
    let header = format!("{{'descr': '<f{}', 'fortran_order': False, 'shape': {shape}, }}", size_of::<T>());
    // Magic, version and the header's length take 10 bytes; the whole is a multiple of 64 with a line break at the end.
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    deltarule::memory::require("a copy of the rows", 2 * (x.len() * size_of::<T>()) as u128)?;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend_from_slice(&(length as u16).to_le_bytes());
    bytes.extend_from_slice(format!("{header:<width$}\n", width = length - 1).as_bytes());
    x.iter().for_each(|number| number.write_le(&mut bytes));
    let matrix = npy::read_from(&bytes[..], ROWS)?;
    match input {
        Input::Table(_) => Source::matrix(matrix, None),
        Input::Images { .. } => Source::images(matrix, None),
    }
}

/// Predicts piece after piece, and hands on each with its first row.
fn each_piece<T: Real>(
    model: &dyn AnyModel,
    x: ArrayView2<'_, T>,
    mut take: impl FnMut(usize, &Predictions),
) -> Outcome {
    let input = by_position(model.input());
    for first in (0..x.nrows()).step_by(PIECE) {
        let rows = first..(first + PIECE).min(x.nrows());
        let source = source(&input, x.slice(ndarray::s![rows, ..]))?;
        take(first, &model.predict(&input, &source)?);
    }
    Ok(())
}

fn predict<T: Real>(
    call: &Call,
    model: abi::Model,
    rows: usize,
    (x, cols, x_stride): (In<T>, usize, usize),
    (out, out_cols, out_stride): (Out<T>, usize, usize),
) -> Outcome {
    let model = get(model)?;
    expect("columns of x", columns(model.input()), cols)?;
    let width = value_names(model.target()).len();
    expect("columns of out", width, out_cols)?;
    let x = call.rows("x", x, (rows, cols), x_stride)?;
    let mut out = call.rows_mut("out", out, (rows, out_cols), out_stride)?;
    // A later piece may be refused, and nothing is written then.
    deltarule::memory::require("the predictions", (rows as u128 * width as u128) * size_of::<T>() as u128)?;
    let mut values = Array2::from_elem((rows, width), T::ZERO);
    each_piece(&*model, x, |first, said| {
        for (row, mut to) in said.values().rows().into_iter().zip(values.rows_mut().into_iter().skip(first)) {
            row.iter().zip(&mut to).for_each(|(value, to)| *to = T::from_f64(*value));
        }
    })?;
    out.assign(&values);
    Ok(())
}

/// The first of the largest.
fn most_probable(row: ndarray::ArrayView1<'_, f64>) -> usize {
    let better = |best: usize, i: usize| if row[i] > row[best] { i } else { best };
    (0..row.len()).fold(0, better)
}

fn classify<T: Real>(
    call: &Call,
    model: abi::Model,
    rows: usize,
    (x, cols, x_stride): (In<T>, usize, usize),
    classes: Out<usize>,
) -> Outcome {
    let model = get(model)?;
    if !matches!(model.target(), Target::Classes(_)) {
        return Err(Error::Unsupported("model: expected one of classes, found one of labels or numbers".into()).into());
    }
    expect("columns of x", columns(model.input()), cols)?;
    let x = call.rows("x", x, (rows, cols), x_stride)?;
    let classes = call.write("classes", classes, rows)?;
    deltarule::memory::require("the classes", (rows * size_of::<usize>()) as u128)?;
    let mut found = Vec::with_capacity(rows);
    each_piece(&*model, x, |_, said| found.extend(said.values().rows().into_iter().map(most_probable)))?;
    classes.copy_from_slice(&found);
    Ok(())
}

fn predict_text(
    call: &Call,
    model: abi::Model,
    (cells, rows, cols): (In<In<c_char>>, usize, usize),
    (out, out_cols, out_stride): (Out<f64>, usize, usize),
) -> Outcome {
    let model = get(model)?;
    let Input::Table(features) = model.input() else {
        return Err(Error::Unsupported("model: expected one of a table's columns, found one of images".into()).into());
    };
    expect("columns of cells", features.columns.len(), cols)?;
    expect("columns of out", value_names(model.target()).len(), out_cols)?;
    let cells = call.rows("cells", cells, (rows, cols), cols)?;
    let mut out = call.rows_mut("out", out, (rows, out_cols), out_stride)?;
    let mut table = Table::unnamed(ROWS, cols)?;
    for (i, row) in cells.rows().into_iter().enumerate() {
        let copy = |(j, cell): (usize, &In<c_char>)| call.text_copy(&format!("cells[{i}][{j}]"), *cell);
        let row = row.iter().enumerate().map(copy).collect::<Result<Vec<_>, _>>()?;
        table.push(i as u64 + 1, &row)?;
    }
    if rows > 0 {
        let source = Source::Table { table, targets: Vec::new(), weights: None };
        out.assign(&model.predict(&by_position(model.input()), &source)?.values());
    }
    Ok(())
}

/// Writes one of some names.
fn name(buffer: Buffer<'_>, names: &[String], index: usize) -> Outcome {
    match names.get(index) {
        Some(name) => buffer.set(name),
        None => Err(usage("index", format!("0 to {}", names.len() - 1), index)),
    }
}

export! {
    /// Opens a model file, as the command, deltarule_model_save and deltarule_network_save write it.
    fn deltarule_model_open(call, path: In<c_char>, model: Out<abi::Model>) {
        let path = Path::new(call.text("path", path)?);
        let place = call.place("model", model)?;
        *place = keep(&model::read(path)?, path)?;
        Ok(())
    }

    /// Reads a model from the bytes of its file, which may be part of your program.
    fn deltarule_model_read(call, bytes: In<u8>, length: usize, model: Out<abi::Model>) {
        let bytes = call.read("bytes", bytes, length)?;
        let place = call.place("model", model)?;
        *place = keep(bytes, Path::new("bytes"))?;
        Ok(())
    }

    /// Makes a model around a copy of a network: numbers go in as they are, and the outputs mean what their activation says: classes
    /// after a softmax or a single sigmoid, labels after several sigmoids, else numbers. `loss` is as in deltarule_train_options.
    fn deltarule_model_of_network(call, network: abi::Network, loss: In<c_char>, model: Out<abi::Model>) {
        let loss = network::loss(call, loss)?;
        let place = call.place("model", model)?;
        *place = any(network)?.model(loss)?;
        Ok(())
    }

    /// Frees a model.
    fn deltarule_model_free(_call, model: abi::Model) {
        handle::free(model)
    }

    /// Writes a model to a file, whole or not at all. What is at `path` is replaced if `replace` is 1, and with 0 it is an error.
    fn deltarule_model_save(call, model: abi::Model, path: In<c_char>, replace: i32) {
        let path = call.text("path", path)?;
        let existing = if flag("replace", replace)? { Existing::Replace } else { Existing::Keep };
        get(model)?.save(Path::new(path), existing)
    }

    /// What is known of a model.
    fn deltarule_model_describe(call, model: abi::Model, facts: Out<ModelFacts>) {
        let report = call.report("facts", facts)?;
        let model = get(model)?;
        let task = match model.target() {
            Target::Classes(_) => Task::Classes,
            Target::Labels(_) => Task::Labels,
            Target::Number(_) | Target::Numbers(_) => Task::Numbers,
        };
        report.set(ModelFacts {
            size: 0,
            columns: columns(model.input()),
            values: value_names(model.target()).len(),
            trained_rows: model.trained_rows(),
            task: task as i32,
            has_probabilities: i32::from(model.has_probabilities()),
            takes_numbers: i32::from(takes_numbers(model.input())),
            dtype: type_of(model.dtype()),
        });
        Ok(())
    }

    /// The name of a column (from 0) of raw rows. The text goes to `buffer` as in deltarule_network_architecture.
    fn deltarule_model_column_name(
        call, model: abi::Model, index: usize, buffer: Out<c_char>, capacity: usize, length: Out<usize>,
    ) {
        let buffer = Buffer::new(call, buffer, capacity, length)?;
        name(buffer, &column_names(get(model)?.input()), index)
    }

    /// The name of a value (from 0) of predictions: a class, a label's column or a number's column. The text goes to `buffer` as in
    /// deltarule_network_architecture.
    fn deltarule_model_value_name(
        call, model: abi::Model, index: usize, buffer: Out<c_char>, capacity: usize, length: Out<usize>,
    ) {
        let buffer = Buffer::new(call, buffer, capacity, length)?;
        name(buffer, &value_names(get(model)?.target()), index)
    }

    /// The SHA-256 of the parameters, 64 hexadecimal digits: two trainings with the same bits have the same, in whatever language. The
    /// text goes to `buffer` as in deltarule_network_architecture.
    fn deltarule_model_sha256(call, model: abi::Model, buffer: Out<c_char>, capacity: usize, length: Out<usize>) {
        let buffer = Buffer::new(call, buffer, capacity, length)?;
        buffer.set(&get(model)?.sha256())
    }

    /// A copy of the network inside, whose inputs are encoded rows.
    fn deltarule_model_network(call, model: abi::Model, network: Out<abi::Network>) {
        let place = call.place("network", network)?;
        *place = get(model)?.network()?;
        Ok(())
    }

    /// The predictions for raw rows of numbers: `x` is rows x cols, in the order of deltarule_model_column_name, in their own units; NaN
    /// is a missing number, which is filled in if the model knows how. `out` is rows x out_cols, the values of deltarule_model_describe.
    /// The model's network may be of either type. Nothing is written if a row is refused.
    fn deltarule_model_predict_f32 | deltarule_model_predict_f64 <T>(
        call, model: abi::Model, rows: usize, x: In<T>, cols: usize, x_stride: usize, out: Out<T>, out_cols: usize, out_stride: usize,
    ) {
        predict(call, model, rows, (x, cols, x_stride), (out, out_cols, out_stride))
    }

    /// The most probable class of each row, as an index for deltarule_model_value_name; of a model of classes. The rest is as for
    /// deltarule_model_predict_f32.
    fn deltarule_model_classify_f32 | deltarule_model_classify_f64 <T>(
        call, model: abi::Model, rows: usize, x: In<T>, cols: usize, x_stride: usize, classes: Out<usize>,
    ) {
        classify(call, model, rows, (x, cols, x_stride), classes)
    }

    /// The predictions for raw rows of texts, as a table has them, for models with columns of words: `cells` are rows x cols pointers, row
    /// after row. The rest is as for deltarule_model_predict_f64.
    fn deltarule_model_predict_text(
        call, model: abi::Model, rows: usize, cells: In<In<c_char>>, cols: usize, out: Out<f64>, out_cols: usize, out_stride: usize,
    ) {
        predict_text(call, model, (cells, rows, cols), (out, out_cols, out_stride))
    }
}
