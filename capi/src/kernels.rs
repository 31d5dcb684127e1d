//! The kernels themselves: functions of numbers and of rows.

use crate::abi::{Function, RowFunction, RowReduction};
use crate::border::{Call, In, Out, export, export_plain};
use crate::network::{Real, usage};
use crate::status::{Failure, Outcome};
use deltarule::kernel::elementwise::Function as Kernel;
use deltarule::kernel::softmax;
use deltarule::prelude::{Activation, ActivationFn};
use deltarule::simd::Isa;
use std::ffi::{CStr, c_char};

/// Every function, with its name.
const FUNCTIONS: [(Function, &CStr); 17] = [
    (Function::Identity, c"identity"),
    (Function::Step, c"step"),
    (Function::Exp, c"exp"),
    (Function::Expm1, c"expm1"),
    (Function::Ln, c"ln"),
    (Function::Ln1p, c"ln1p"),
    (Function::Sigmoid, c"sigmoid"),
    (Function::LogSigmoid, c"log_sigmoid"),
    (Function::Tanh, c"tanh"),
    (Function::Relu, c"relu"),
    (Function::LeakyRelu, c"leaky_relu"),
    (Function::Elu, c"elu"),
    (Function::Selu, c"selu"),
    (Function::Softplus, c"softplus"),
    (Function::Silu, c"silu"),
    (Function::Gelu, c"gelu"),
    (Function::GeluTanh, c"gelu_tanh"),
];

/// A function with its constant: one with a kernel, or one that needs none.
enum Chosen {
    Kernel(Kernel),
    Identity,
    Step,
}

impl Chosen {
    fn of(number: i32, constant: f64) -> Result<Self, Failure> {
        let Some((function, _)) = FUNCTIONS.into_iter().find(|(known, _)| *known as i32 == number) else {
            return Err(usage("function", "a deltarule_function, 0 to 16", number));
        };
        let takes_one = matches!(function, Function::LeakyRelu | Function::Elu);
        if takes_one && !(constant.is_finite() && constant >= 0.0) {
            return Err(usage("constant", "a finite number of at least 0", constant));
        }
        if !takes_one && constant != 0.0 {
            return Err(usage("constant", "0, for a function that has none", constant));
        }
        Ok(Self::Kernel(match function {
            Function::Identity => return Ok(Self::Identity),
            Function::Step => return Ok(Self::Step),
            Function::Exp => Kernel::Exp,
            Function::Expm1 => Kernel::ExpM1,
            Function::Ln => Kernel::Ln,
            Function::Ln1p => Kernel::Ln1p,
            Function::Sigmoid => Kernel::Sigmoid,
            Function::LogSigmoid => Kernel::LogSigmoid,
            Function::Tanh => Kernel::Tanh,
            Function::Relu => Kernel::Relu,
            Function::LeakyRelu => Kernel::LeakyRelu { slope: constant },
            Function::Elu => Kernel::Elu { alpha: constant },
            Function::Selu => Kernel::Selu,
            Function::Softplus => Kernel::Softplus,
            Function::Silu => Kernel::Silu,
            Function::Gelu => Kernel::Gelu,
            Function::GeluTanh => Kernel::GeluTanh,
        }))
    }

    /// `y <- f(y)`.
    fn apply<T: Real>(&self, y: &mut [T]) {
        match self {
            Self::Kernel(kernel) => kernel.apply(Isa::current(), y),
            Self::Identity => {}
            Self::Step => Activation::Step.apply(Isa::current(), y, 1),
        }
    }

    /// `y <- f(y)`, `slope <- f'(y)`.
    fn apply_with_slope<T: Real>(&self, y: &mut [T], slope: &mut [T]) {
        match self {
            Self::Kernel(kernel) => kernel.apply_with_slope(Isa::current(), y, slope),
            Self::Identity => slope.fill(T::ONE),
            Self::Step => Activation::Step.apply_with_slope(Isa::current(), y, slope, 1),
        }
    }
}

fn map<T: Real>(call: &Call, function: Chosen, n: usize, x: In<T>, y: Out<T>) -> Outcome {
    if y.is(x) {
        function.apply(call.write("y", y, n)?);
        return Ok(());
    }
    let (x, y) = (call.read("x", x, n)?, call.write("y", y, n)?);
    if let Chosen::Kernel(kernel) = function {
        return Ok(kernel.map(Isa::current(), x, y)?);
    }
    y.copy_from_slice(x);
    function.apply(y);
    Ok(())
}

fn map_with_slope<T: Real>(call: &Call, function: Chosen, n: usize, x: In<T>, (y, slope): (Out<T>, Out<T>)) -> Outcome {
    if y.is(x) {
        function.apply_with_slope(call.write("y", y, n)?, call.write("slope", slope, n)?);
        return Ok(());
    }
    let (x, y, slope) = (call.read("x", x, n)?, call.write("y", y, n)?, call.write("slope", slope, n)?);
    if let Chosen::Kernel(kernel) = function {
        return Ok(kernel.map_with_slope(Isa::current(), x, y, slope)?);
    }
    y.copy_from_slice(x);
    function.apply_with_slope(y, slope);
    Ok(())
}

fn row_function(number: i32) -> Result<softmax::RowFunction, Failure> {
    match number {
        number if number == RowFunction::Softmax as i32 => Ok(softmax::RowFunction::Softmax),
        number if number == RowFunction::LogSoftmax as i32 => Ok(softmax::RowFunction::LogSoftmax),
        number => Err(usage("function", "a deltarule_row_function, 0 or 1", number)),
    }
}

fn check_cols(cols: usize) -> Outcome {
    if cols > 0 { Ok(()) } else { Err(usage("cols", "at least 1", 0)) }
}

fn map_rows<T: Real>(
    call: &Call,
    function: softmax::RowFunction,
    (rows, cols): (usize, usize),
    (x, x_stride): (In<T>, usize),
    (y, y_stride): (Out<T>, usize),
) -> Outcome {
    check_cols(cols)?;
    let in_place = y.is(x) && x_stride == y_stride;
    let x = if in_place { None } else { Some(call.rows("x", x, (rows, cols), x_stride)?) };
    let mut y = call.rows_mut("y", y, (rows, cols), y_stride)?;
    if let Some(x) = x {
        y.assign(&x);
    }
    if let Some(whole) = y.as_slice_mut() {
        function.apply(Isa::current(), whole, cols);
        return Ok(());
    }
    for mut row in y.rows_mut() {
        function.apply(Isa::current(), row.as_slice_mut().expect("without gaps in a row"), cols);
    }
    Ok(())
}

fn rows_backward<T: Real>(
    call: &Call,
    function: softmax::RowFunction,
    (rows, cols): (usize, usize),
    (y, y_stride): (In<T>, usize),
    (delta, delta_stride): (Out<T>, usize),
) -> Outcome {
    check_cols(cols)?;
    let y = call.rows("y", y, (rows, cols), y_stride)?;
    let mut delta = call.rows_mut("delta", delta, (rows, cols), delta_stride)?;
    for (y, mut delta) in y.rows().into_iter().zip(delta.rows_mut()) {
        let y = y.to_slice().expect("without gaps in a row");
        function.backward(Isa::current(), y, delta.as_slice_mut().expect("without gaps in a row"), cols);
    }
    Ok(())
}

fn reduce_rows<T: Real>(
    call: &Call,
    reduction: i32,
    (rows, cols): (usize, usize),
    (x, x_stride): (In<T>, usize),
    results: Out<T>,
) -> Outcome {
    let reduction = match reduction {
        number if number == RowReduction::Max as i32 => softmax::RowReduction::Max,
        number if number == RowReduction::LogSumExp as i32 => softmax::RowReduction::LogSumExp,
        number => return Err(usage("reduction", "a deltarule_row_reduction, 0 or 1", number)),
    };
    check_cols(cols)?;
    let x = call.rows("x", x, (rows, cols), x_stride)?;
    let results = call.write("results", results, rows)?;
    if let Some(whole) = x.as_slice() {
        reduction.apply(Isa::current(), whole, cols, results);
        return Ok(());
    }
    for (row, result) in x.rows().into_iter().zip(results) {
        let row = row.to_slice().expect("without gaps in a row");
        reduction.apply(Isa::current(), row, cols, std::slice::from_mut(result));
    }
    Ok(())
}

/// Reads a function's name, with the constant of those that have one.
fn parse(text: &str) -> Result<(Function, f64), Failure> {
    let find = |name: &str| FUNCTIONS.into_iter().find(|(_, known)| known.to_bytes() == name.as_bytes());
    let names: Vec<_> = FUNCTIONS.iter().map(|(_, name)| name.to_string_lossy()).collect();
    let refuse = || usage("name", format!("one of {}", names.join(", ")), format!("'{text}'"));
    match Activation::parse(text) {
        Ok(Activation::LeakyRelu { slope }) => Ok((Function::LeakyRelu, slope)),
        Ok(Activation::Elu { alpha }) => Ok((Function::Elu, alpha)),
        Ok(Activation::Exponential) => Ok((Function::Exp, 0.0)),
        Ok(activation) => find(activation.name()).map(|(function, _)| (function, 0.0)).ok_or_else(refuse),
        Err(_) => find(text).map(|(function, _)| (function, 0.0)).ok_or_else(refuse),
    }
}

export_plain! {
    /// The name of a deltarule_function, such as "tanh"; "unknown" of any other number. The text stays.
    fn deltarule_function_name(function: i32) -> In<c_char> {
        let found = FUNCTIONS.into_iter().find(|(known, _)| *known as i32 == function);
        In::of_text(found.map_or(c"unknown", |(_, name)| name))
    }
}

export! {
    /// The deltarule_function of a name, such as "tanh" or "leaky_relu=0.2", and its constant: 0.01 of leaky_relu and 1 of elu without a
    /// number, and 0 of those that have none.
    fn deltarule_function_parse(call, name: In<c_char>, function: Out<i32>, constant: Out<f64>) {
        let name = call.text("name", name)?;
        let (function, constant) = (call.place("function", function)?, call.place("constant", constant)?);
        let (found, number) = parse(name)?;
        (*function, *constant) = (found as i32, number);
        Ok(())
    }

    /// y <- f(x) of `n` numbers: a deltarule_function, with the constant of leaky_relu and elu, or 0. `y` may be `x`, but not overlap it
    /// in any other way. NaN gives NaN; accuracies are in docs/c.md.
    fn deltarule_map_f32 | deltarule_map_f64 <T>(call, function: i32, constant: f64, n: usize, x: In<T>, y: Out<T>) {
        map(call, Chosen::of(function, constant)?, n, x, y)
    }

    /// y <- f(x) and slope <- f'(x). `y` may be `x`.
    fn deltarule_map_with_slope_f32 | deltarule_map_with_slope_f64 <T>(
        call, function: i32, constant: f64, n: usize, x: In<T>, y: Out<T>, slope: Out<T>,
    ) {
        map_with_slope(call, Chosen::of(function, constant)?, n, x, (y, slope))
    }

    /// Each row of `y` becomes a deltarule_row_function of that row of `x`. `y` may be `x` with the same stride.
    fn deltarule_map_rows_f32 | deltarule_map_rows_f64 <T>(
        call, function: i32, rows: usize, cols: usize, x: In<T>, x_stride: usize, y: Out<T>, y_stride: usize,
    ) {
        map_rows(call, row_function(function)?, (rows, cols), (x, x_stride), (y, y_stride))
    }

    /// Turns the gradient `delta` with respect to the results `y` of deltarule_map_rows_f32 into the one with respect to what they were
    /// made of.
    fn deltarule_map_rows_backward_f32 | deltarule_map_rows_backward_f64 <T>(
        call, function: i32, rows: usize, cols: usize, y: In<T>, y_stride: usize, delta: Out<T>, delta_stride: usize,
    ) {
        rows_backward(call, row_function(function)?, (rows, cols), (y, y_stride), (delta, delta_stride))
    }

    /// Each of the `rows` results becomes a deltarule_row_reduction of that row of `x`.
    fn deltarule_reduce_rows_f32 | deltarule_reduce_rows_f64 <T>(
        call, reduction: i32, rows: usize, cols: usize, x: In<T>, x_stride: usize, results: Out<T>,
    ) {
        reduce_rows(call, reduction, (rows, cols), (x, x_stride), results)
    }
}
