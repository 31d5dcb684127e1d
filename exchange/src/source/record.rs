//! The library's own kernels as data: lanes that do no arithmetic and note what they are asked for.
//!
//! A formula of [`deltarule::kernel::math`] is written over any [`Lanes`]. Run on [`Recorder`], it leaves a list of operations, which
//! `words.rs` prints in C and in Rust. So the file that is written computes what the library computes, operation by operation: no formula
//! and no coefficient stands here a second time. Begin reading at [`function`].

use deltarule::activation::Activation;
use deltarule::kernel::elementwise::{SELU_ALPHA, SELU_SCALE};
use deltarule::kernel::{math, softmax};
use deltarule::simd::{Isa, Lanes, TABLE_COLUMNS, TABLE_ROWS, Table, Vectorized};
use std::cell::RefCell;

/// The place of an operation in its list.
pub type Place = usize;

/// What a formula asks for; a place is that of an earlier operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation<T> {
    /// Argument so many.
    Argument(usize),
    /// A number.
    Constant(T),
    /// `a + b`.
    Add(Place, Place),
    /// `a - b`.
    Sub(Place, Place),
    /// `a * b`.
    Mul(Place, Place),
    /// `a / b`.
    Div(Place, Place),
    /// `a * b + c`, rounded once.
    MulAdd(Place, Place, Place),
    /// `-x`.
    Neg(Place),
    /// `|x|`.
    Abs(Place),
    /// The magnitude of the first with the sign of the second.
    CopySign(Place, Place),
    /// `a` where `a < b`, else `b`.
    Min(Place, Place),
    /// `a` where `a > b`, else `b`.
    Max(Place, Place),
    /// Whether `a < b`.
    Less(Place, Place),
    /// Whether `a <= b`.
    LessOrEqual(Place, Place),
    /// The second where the first is true, else the third.
    Select(Place, Place, Place),
    /// The row that the bits of a number name from the given one on.
    Index(u32, Place),
    /// A column of that row of a table.
    Lookup(usize, Place, usize),
    /// `2^k`.
    PowerOfTwo(Place),
}

impl<T> Operation<T> {
    /// The earlier operations that it is made of.
    pub fn reads(&self) -> Vec<Place> {
        use Operation::*;
        match *self {
            Argument(_) | Constant(_) => Vec::new(),
            Neg(a) | Abs(a) | Index(_, a) | Lookup(_, a, _) | PowerOfTwo(a) => vec![a],
            Add(a, b) | Sub(a, b) | Mul(a, b) | Div(a, b) | CopySign(a, b) => vec![a, b],
            Min(a, b) | Max(a, b) | Less(a, b) | LessOrEqual(a, b) => vec![a, b],
            MulAdd(a, b, c) | Select(a, b, c) => vec![a, b, c],
        }
    }
}

/// A table that is looked up in.
pub type Rows<T> = [[T; TABLE_COLUMNS]; TABLE_ROWS];

/// A function as the list of its operations.
#[derive(Clone, Debug)]
pub struct Function<T> {
    /// Its name.
    pub name: String,
    /// How many arguments it has.
    pub arguments: usize,
    /// The operations, those that the result is made of; places are into this list.
    pub operations: Vec<Operation<T>>,
    /// The tables.
    pub tables: Vec<Rows<T>>,
}

/// What was asked for so far.
#[derive(Debug)]
struct Tape<T> {
    operations: Vec<Operation<T>>,
    tables: Vec<Rows<T>>,
}

/// The lanes that note.
#[derive(Clone, Copy, Debug)]
struct Recorder<'a, T>(&'a RefCell<Tape<T>>);

impl<T: Vectorized> Recorder<'_, T> {
    /// The place of an operation, which stands once in the list. (Of equal numbers: 0 and -0 are two.)
    fn note(self, operation: Operation<T>) -> Place {
        let same = |other: &Operation<T>| match (other, &operation) {
            (Operation::Constant(a), Operation::Constant(b)) => a.real().to_bits() == b.real().to_bits(),
            (a, b) => a == b,
        };
        let operations = &mut self.0.borrow_mut().operations;
        operations.iter().position(same).unwrap_or_else(|| {
            operations.push(operation);
            operations.len() - 1
        })
    }
}

/// What no formula of one number asks for.
const ROWS_ONLY: &str = "a formula of single numbers neither loads nor stores, and none here takes roots or logarithms";

impl<T: Vectorized> Lanes<T> for Recorder<'_, T> {
    type Vector = Place;
    type Mask = Place;
    type Index = Place;
    const ISA: Isa = Isa::Portable;
    const WIDTH: usize = 1;

    fn splat(self, value: T) -> Place {
        self.note(Operation::Constant(value))
    }
    fn load(self, _: &[T]) -> Place {
        unreachable!("{ROWS_ONLY}")
    }
    fn load_partial(self, _: &[T]) -> Place {
        unreachable!("{ROWS_ONLY}")
    }
    fn store(self, _: Place, _: &mut [T]) {
        unreachable!("{ROWS_ONLY}")
    }
    fn store_partial(self, _: Place, _: &mut [T]) {
        unreachable!("{ROWS_ONLY}")
    }
    fn add(self, a: Place, b: Place) -> Place {
        self.note(Operation::Add(a, b))
    }
    fn sub(self, a: Place, b: Place) -> Place {
        self.note(Operation::Sub(a, b))
    }
    fn mul(self, a: Place, b: Place) -> Place {
        self.note(Operation::Mul(a, b))
    }
    fn div(self, a: Place, b: Place) -> Place {
        self.note(Operation::Div(a, b))
    }
    fn mul_add(self, a: Place, b: Place, c: Place) -> Place {
        self.note(Operation::MulAdd(a, b, c))
    }
    fn sqrt(self, _: Place) -> Place {
        unreachable!("{ROWS_ONLY}")
    }
    fn neg(self, x: Place) -> Place {
        self.note(Operation::Neg(x))
    }
    fn abs(self, x: Place) -> Place {
        self.note(Operation::Abs(x))
    }
    fn copysign(self, magnitude: Place, sign: Place) -> Place {
        self.note(Operation::CopySign(magnitude, sign))
    }
    fn round(self, _: Place) -> Place {
        unreachable!("{ROWS_ONLY}")
    }
    fn min(self, a: Place, b: Place) -> Place {
        self.note(Operation::Min(a, b))
    }
    fn max(self, a: Place, b: Place) -> Place {
        self.note(Operation::Max(a, b))
    }
    fn lt(self, a: Place, b: Place) -> Place {
        self.note(Operation::Less(a, b))
    }
    fn le(self, a: Place, b: Place) -> Place {
        self.note(Operation::LessOrEqual(a, b))
    }
    fn select(self, mask: Place, yes: Place, no: Place) -> Place {
        self.note(Operation::Select(mask, yes, no))
    }
    fn all(self, _: Place) -> bool {
        unreachable!("{ROWS_ONLY}")
    }
    fn index<const SHIFT: u32>(self, x: Place) -> Place {
        self.note(Operation::Index(SHIFT, x))
    }
    fn lookup(self, table: &Table<T>, index: Place) -> [Place; TABLE_COLUMNS] {
        let at = {
            let tables = &mut self.0.borrow_mut().tables;
            tables.iter().position(|rows| *rows == table.rows).unwrap_or_else(|| {
                tables.push(table.rows);
                tables.len() - 1
            })
        };
        std::array::from_fn(|column| self.note(Operation::Lookup(at, index, column)))
    }
    fn pow2(self, k: Place) -> Place {
        self.note(Operation::PowerOfTwo(k))
    }
    fn exponent_and_mantissa(self, _: Place) -> (Place, Place) {
        unreachable!("{ROWS_ONLY}")
    }
}

/// Runs a formula of so many arguments, and keeps what its result is made of.
fn record<T: Vectorized>(
    name: String,
    arguments: usize,
    formula: impl FnOnce(Recorder<'_, T>, &[Place]) -> Place,
) -> Function<T> {
    let tape = RefCell::new(Tape { operations: Vec::new(), tables: Vec::new() });
    let lanes = Recorder(&tape);
    let given: Vec<Place> = (0..arguments).map(|i| lanes.note(Operation::Argument(i))).collect();
    let result = formula(lanes, &given);
    let Tape { operations, tables } = tape.into_inner();
    // Slopes, and what else the result does not need, stay away: what an operation reads stands before it.
    let mut needed = vec![false; operations.len()];
    needed[result] = true;
    given.iter().for_each(|&place| needed[place] = true);
    for place in (0..operations.len()).rev().filter(|place| *place <= result) {
        if needed[place] {
            operations[place].reads().into_iter().for_each(|read| needed[read] = true);
        }
    }
    let mut places = vec![0; operations.len()];
    let mut kept = Vec::new();
    for (place, operation) in operations.into_iter().enumerate().filter(|(place, _)| needed[*place]) {
        places[place] = kept.len();
        kept.push(moved(operation, &places));
    }
    // A result that stands before an argument or another function's rest would not be the last.
    debug_assert_eq!(places[result] + 1, kept.len(), "the result is the last operation");
    Function { name, arguments, operations: kept, tables }
}

/// The same operation on operations that have moved.
fn moved<T>(operation: Operation<T>, to: &[Place]) -> Operation<T> {
    use Operation::*;
    match operation {
        Argument(i) => Argument(i),
        Constant(value) => Constant(value),
        Add(a, b) => Add(to[a], to[b]),
        Sub(a, b) => Sub(to[a], to[b]),
        Mul(a, b) => Mul(to[a], to[b]),
        Div(a, b) => Div(to[a], to[b]),
        MulAdd(a, b, c) => MulAdd(to[a], to[b], to[c]),
        Neg(a) => Neg(to[a]),
        Abs(a) => Abs(to[a]),
        CopySign(a, b) => CopySign(to[a], to[b]),
        Min(a, b) => Min(to[a], to[b]),
        Max(a, b) => Max(to[a], to[b]),
        Less(a, b) => Less(to[a], to[b]),
        LessOrEqual(a, b) => LessOrEqual(to[a], to[b]),
        Select(a, b, c) => Select(to[a], to[b], to[c]),
        Index(shift, a) => Index(shift, to[a]),
        Lookup(table, a, column) => Lookup(table, to[a], column),
        PowerOfTwo(a) => PowerOfTwo(to[a]),
    }
}

/// The function that an activation does to each sum; none of the identity and of softmax, which is one of rows.
pub fn function<T: Vectorized>(activation: Activation, name: String) -> Option<Function<T>> {
    Some(match activation {
        Activation::Sigmoid => record(name, 1, |lanes, x| math::sigmoid(lanes, x[0])),
        Activation::Tanh => record(name, 1, |lanes, x| math::tanh(lanes, x[0])),
        Activation::Softplus => record(name, 1, |lanes, x| math::softplus(lanes, x[0])),
        Activation::Silu => record(name, 1, |lanes, x| math::silu(lanes, x[0])),
        Activation::Gelu => record(name, 1, |lanes, x| math::gelu(lanes, x[0])),
        Activation::GeluTanh => record(name, 1, |lanes, x| math::gelu_tanh(lanes, x[0])),
        Activation::Exponential => record(name, 1, |lanes, x| math::exp(lanes, x[0])),
        Activation::Elu { alpha } => record(name, 1, |lanes, x| math::elu(lanes, 1.0, alpha, x[0])),
        Activation::Selu => record(name, 1, |lanes, x| math::elu(lanes, SELU_SCALE, SELU_ALPHA, x[0])),
        // Those below are a comparison each; NaN is in no order and comes back.
        Activation::Relu => record(name, 1, |lanes, x| {
            let zero = lanes.splat(T::ZERO);
            lanes.select(lanes.le(x[0], zero), zero, x[0])
        }),
        Activation::LeakyRelu { slope } => record(name, 1, |lanes, x| {
            let below = lanes.mul(lanes.splat(T::from_f64(slope)), x[0]);
            lanes.select(lanes.le(x[0], lanes.splat(T::ZERO)), below, x[0])
        }),
        Activation::Step => record(name, 1, |lanes, x| {
            let (zero, one) = (lanes.splat(T::ZERO), lanes.splat(T::ONE));
            lanes.select(lanes.lt(zero, x[0]), one, lanes.select(lanes.le(x[0], zero), zero, x[0]))
        }),
        _ => return None,
    })
}

/// `e^(x - top)`, of which softmax is made: arguments `x` and `top`.
pub fn exp_below<T: Vectorized>(name: String) -> Function<T> {
    record(name, 2, |lanes, x| softmax::exp_below(lanes, x[0], x[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deltarule::float::Float;
    use deltarule::kernel::elementwise::Function as Kernel;

    /// What the operations give for these arguments.
    fn run<T: Float>(function: &Function<T>, given: &[T]) -> T {
        use Operation::*;
        let bit = |yes: bool| if yes { T::ONE } else { T::ZERO };
        let bits = |x: T| if T::NAME == "f32" { u64::from((x.real() as f32).to_bits()) } else { x.real().to_bits() };
        let mut v: Vec<T> = Vec::new();
        for &operation in &function.operations {
            let value = match operation {
                Argument(i) => given[i],
                Constant(value) => value,
                Add(a, b) => v[a] + v[b],
                Sub(a, b) => v[a] - v[b],
                Mul(a, b) => v[a] * v[b],
                Div(a, b) => v[a] / v[b],
                MulAdd(a, b, c) => v[a].mul_add(v[b], v[c]),
                Neg(a) => -v[a],
                Abs(a) => T::from_f64(v[a].real().abs()),
                CopySign(a, b) => T::from_f64(v[a].real().copysign(v[b].real())),
                Min(a, b) => {
                    if v[a] < v[b] {
                        v[a]
                    } else {
                        v[b]
                    }
                }
                Max(a, b) => {
                    if v[a] > v[b] {
                        v[a]
                    } else {
                        v[b]
                    }
                }
                Less(a, b) => bit(v[a] < v[b]),
                LessOrEqual(a, b) => bit(v[a] <= v[b]),
                Select(a, b, c) => {
                    if v[a] == T::ONE {
                        v[b]
                    } else {
                        v[c]
                    }
                }
                Index(shift, a) => T::from_f64((bits(v[a]) >> shift) as usize as f64 % TABLE_ROWS as f64),
                Lookup(table, a, column) => function.tables[table][v[a].real() as usize][column],
                PowerOfTwo(a) => T::from_f64(v[a].real().exp2()),
            };
            v.push(value);
        }
        v[v.len() - 1]
    }

    fn check<T: Float>() {
        let cases: Vec<T> =
            (-4000..4000).map(|i| T::from_f64(f64::from(i) * 0.031)).chain([T::ZERO, -T::ZERO]).collect();
        let pairs = [
            (Activation::Sigmoid, Kernel::Sigmoid),
            (Activation::Tanh, Kernel::Tanh),
            (Activation::Relu, Kernel::Relu),
            (Activation::LeakyRelu { slope: 0.2 }, Kernel::LeakyRelu { slope: 0.2 }),
            (Activation::Elu { alpha: 1.5 }, Kernel::Elu { alpha: 1.5 }),
            (Activation::Selu, Kernel::Selu),
            (Activation::Softplus, Kernel::Softplus),
            (Activation::Silu, Kernel::Silu),
            (Activation::Gelu, Kernel::Gelu),
            (Activation::GeluTanh, Kernel::GeluTanh),
            (Activation::Exponential, Kernel::Exp),
        ];
        for (activation, kernel) in pairs {
            let function = function::<T>(activation, "f".into()).unwrap();
            let mut expected = cases.clone();
            kernel.apply(Isa::Portable, &mut expected);
            for (&x, y) in cases.iter().zip(expected) {
                let found = run(&function, &[x]);
                assert_eq!(
                    found.real().to_bits(),
                    y.real().to_bits(),
                    "{activation} of {x:?}: {found:?}, expected {y:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_recorded_of_a_kernel_has_its_bits() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn slopes_stay_away() {
        let function = function::<f64>(Activation::Silu, "f".into()).unwrap();
        for (place, operation) in function.operations.iter().enumerate().take(function.operations.len() - 1) {
            let read = function.operations.iter().any(|later| later.reads().contains(&place));
            assert!(read, "nothing reads {operation:?}");
        }
    }
}
