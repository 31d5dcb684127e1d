//! This library's side of `scripts/compare kernels`: the kernels, and the plain loops they stand beside, timed on request.
//!
//! Called with `serve` it reads one request a line from stdin and answers each with one line on stdout:
//!
//! ```text
//! about                             what this is, at which level
//! load f32|f64 FILE                 takes the numbers of FILE (raw, little-endian) as the input: ok
//! write SIDE FUNCTION FILE          writes what the side computes, both parts of `slope`: ok, or none if it has no such function
//! time SIDE FUNCTION REPETITIONS    the nanoseconds that so many calls took, after one that is not counted
//! ```
//!
//! SIDE is `value`, `slope` (value and slope together) or `plain` (a loop over the standard library's function); FUNCTION a
//! [`Function`]'s name, or `softmax/COLUMNS`. A request that cannot be met is answered by `error:` and the reason.
//! Otherwise (as `cargo bench` calls it) it checks both sides against each other, times nothing, and ends.

mod served;

use deltarule::kernel::elementwise::Function;
use deltarule::kernel::softmax::RowFunction;
use deltarule::scalar::Scalar;
use deltarule::simd::{Isa, Vectorized};
use served::{converse, fail, read};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// What it is called.
const PROGRAM: &str = "peer";

fn main() {
    let isa = Isa::from_environment().unwrap_or_else(|error| fail(PROGRAM, &error.to_string()));
    if std::env::args().any(|argument| argument == "serve") {
        let mut loaded = None;
        converse(PROGRAM, |request| answer(isa, &mut loaded, request));
    } else {
        check::<f32>(isa);
        check::<f64>(isa);
        check_requests(isa);
        println!("peer: both sides agree at {isa}; `scripts/compare kernels` times them");
    }
}

// ---------------------------------------------------------------------------------------------------------- requests

/// The input that was loaded, with room for the answers.
enum Loaded {
    Single(Buffers<f32>),
    Double(Buffers<f64>),
}

fn answer(isa: Isa, loaded: &mut Option<Loaded>, request: &str) -> Result<String, String> {
    let words: Vec<&str> = request.split_whitespace().collect();
    match words[..] {
        ["about"] => Ok(format!("deltarule {} at {isa}", env!("CARGO_PKG_VERSION"))),
        ["load", "f32", file] => {
            *loaded = Some(Loaded::Single(Buffers::new(&read(Path::new(file), f32::from_le_bytes)?)));
            Ok("ok".to_string())
        }
        ["load", "f64", file] => {
            *loaded = Some(Loaded::Double(Buffers::new(&read(Path::new(file), f64::from_le_bytes)?)));
            Ok("ok".to_string())
        }
        [verb @ ("write" | "time"), side, function, last] => match loaded {
            None => Err(format!("{verb} before any load")),
            Some(Loaded::Single(buffers)) => run(isa, buffers, verb, side, function, last, |x| x.to_le_bytes()),
            Some(Loaded::Double(buffers)) => run(isa, buffers, verb, side, function, last, |x| x.to_le_bytes()),
        },
        _ => Err(format!("expected about, load, write or time with their words, found '{request}'")),
    }
}

/// Answers `write` and `time`.
fn run<T: Plain, const SIZE: usize>(
    isa: Isa,
    buffers: &mut Buffers<T>,
    verb: &str,
    side: &str,
    function: &str,
    last: &str,
    bytes: impl Fn(T) -> [u8; SIZE],
) -> Result<String, String> {
    let Some(job) = job::<T>(isa, side, function) else {
        return Ok("none".to_string());
    };
    let (x, y, slope) = buffers.slices();
    job(x, y, slope);
    if verb == "write" {
        let slope: &[T] = if side == "slope" { slope } else { &[] };
        let raw: Vec<u8> = y.iter().chain(slope).flat_map(|&value| bytes(value)).collect();
        std::fs::write(last, raw).map_err(|error| format!("{last}: {error}"))?;
        return Ok("ok".to_string());
    }
    let repetitions: u32 = last.parse().map_err(|_| format!("expected a number of repetitions, found '{last}'"))?;
    let begun = Instant::now();
    for _ in 0..repetitions {
        job(black_box(x), black_box(&mut *y), black_box(&mut *slope));
    }
    Ok(begun.elapsed().as_nanos().to_string())
}

// ----------------------------------------------------------------------------------------------------------- buffers

/// Bytes of a page: a load that follows a store to the same place of another page waits for it (4K aliasing).
const PAGE: usize = 4096;

/// Input and two outputs where every side of the comparison has them: the input from the start of a page, each output
/// [`SHIFT`] bytes further into its page than the one before, so that no store falls just ahead of a load.
struct Buffers<T> {
    memory: Vec<T>,
    start: usize,
    stride: usize,
    length: usize,
}

/// A third of a page, in whole cache lines.
const SHIFT: usize = 1344;

impl<T: Scalar> Buffers<T> {
    fn new(input: &[T]) -> Self {
        let size = size_of::<T>();
        let length = input.len();
        let stride = (size_of_val(input).next_multiple_of(PAGE) + SHIFT) / size;
        let memory = vec![T::ZERO; 3 * stride + PAGE / size];
        let start = memory.as_ptr().align_offset(PAGE);
        let mut buffers = Self { memory, start, stride, length };
        buffers.memory[start..start + length].copy_from_slice(input);
        buffers
    }

    /// The input, and room for values and slopes.
    fn slices(&mut self) -> (&[T], &mut [T], &mut [T]) {
        let (x, rest) = self.memory[self.start..].split_at_mut(self.stride);
        let (y, slope) = rest.split_at_mut(self.stride);
        (&x[..self.length], &mut y[..self.length], &mut slope[..self.length])
    }
}

// ------------------------------------------------------------------------------------------------------------- sides

/// Reads the first slice and fills the second, and for `slope` the third.
type Job<T> = Box<dyn Fn(&[T], &mut [T], &mut [T])>;

/// What `side` does for `function`, if it has it.
fn job<T: Plain>(isa: Isa, side: &str, function: &str) -> Option<Job<T>> {
    if let Some((name, columns)) = function.split_once('/') {
        let columns = columns.parse().ok().filter(|&columns| columns > 0)?;
        return match side {
            "value" => {
                RowFunction::ALL.into_iter().find(|function| function.name() == name).map(|function| -> Job<T> {
                    Box::new(move |x, y, _| function.map(isa, x, columns, y).expect("slices of one length"))
                })
            }
            "plain" => T::plain_rows(name).map(|plain| -> Job<T> { Box::new(move |x, y, _| plain(x, y, columns)) }),
            _ => None,
        };
    }
    match side {
        "value" => named(function).map(|function| -> Job<T> {
            Box::new(move |x, y, _| function.map(isa, x, y).expect("slices of one length"))
        }),
        "slope" => named(function).map(|function| -> Job<T> {
            Box::new(move |x, y, slope| function.map_with_slope(isa, x, y, slope).expect("slices of one length"))
        }),
        "plain" => T::plain(function).map(|plain| -> Job<T> { Box::new(move |x, y, _| plain(x, y)) }),
        _ => None,
    }
}

fn named(name: &str) -> Option<Function> {
    Function::ALL.into_iter().find(|function| function.name() == name)
}

/// Fills the second slice with a function of the first.
type Loop<T> = fn(&[T], &mut [T]);
/// The same of whole rows, of so many columns.
type RowLoop<T> = fn(&[T], &mut [T], usize);

/// The plain loops: what one writes with the standard library (and the `libm` crate, where that has no such function).
trait Plain: Vectorized {
    fn plain(function: &str) -> Option<Loop<Self>>;
    fn plain_rows(function: &str) -> Option<RowLoop<Self>>;
}

fn each<T: Copy>(x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(x));
}

macro_rules! plain {
    ($t:ident, $erf:path) => {
        impl Plain for $t {
            fn plain(function: &str) -> Option<Loop<$t>> {
                Some(match function {
                    "exp" => |x, y| each(x, y, $t::exp),
                    "expm1" => |x, y| each(x, y, $t::exp_m1),
                    "ln" => |x, y| each(x, y, $t::ln),
                    "ln1p" => |x, y| each(x, y, $t::ln_1p),
                    "sigmoid" => |x, y| each(x, y, |x| 1.0 / (1.0 + (-x).exp())),
                    "log_sigmoid" => |x, y| each(x, y, |x| x.min(0.0) - (-x.abs()).exp().ln_1p()),
                    "tanh" => |x, y| each(x, y, $t::tanh),
                    "softplus" => |x, y| each(x, y, |x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
                    "silu" => |x, y| each(x, y, |x| x / (1.0 + (-x).exp())),
                    "gelu" => |x, y| each(x, y, |x| 0.5 * x * (1.0 + $erf(x * std::f64::consts::FRAC_1_SQRT_2 as $t))),
                    "gelu_tanh" => |x, y| {
                        // The square root of 2 / pi.
                        const SCALE: $t = (std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2) as $t;
                        each(x, y, |x| 0.5 * x * (1.0 + (SCALE * (x + 0.044_715 * x * x * x)).tanh()))
                    },
                    "elu" => |x, y| each(x, y, |x| if x > 0.0 { x } else { x.exp_m1() }),
                    _ => return None,
                })
            }

            fn plain_rows(function: &str) -> Option<RowLoop<$t>> {
                match function {
                    "softmax" => Some(|x, y, columns| {
                        for (x, y) in x.chunks_exact(columns).zip(y.chunks_exact_mut(columns)) {
                            let top = x.iter().fold($t::NEG_INFINITY, |top, &x| top.max(x));
                            each(x, y, |x| (x - top).exp());
                            let sum: $t = y.iter().sum();
                            y.iter_mut().for_each(|y| *y /= sum);
                        }
                    }),
                    "log_softmax" => Some(|x, y, columns| {
                        for (x, y) in x.chunks_exact(columns).zip(y.chunks_exact_mut(columns)) {
                            let top = x.iter().fold($t::NEG_INFINITY, |top, &x| top.max(x));
                            let log_sum = x.iter().map(|x| (x - top).exp()).sum::<$t>().ln();
                            each(x, y, |x| x - top - log_sum);
                        }
                    }),
                    _ => None,
                }
            }
        }
    };
}

plain!(f32, libm::erff);
plain!(f64, libm::erf);

// -------------------------------------------------------------------------------------------------------- self-check

/// How far the two sides may be apart: the plain formulas round four times, and where they cancel their error is that of
/// numbers as large as 1.
const TOLERANCE_EPSILONS: f64 = 16.0;

/// Numbers above zero, for the logarithm is among the functions: 0.08 to 8 in 100 steps, 10 rows of 10.
fn sample<T: Scalar>() -> Vec<T> {
    (1..=100).map(|i| T::from_f64(f64::from(i) * 0.08)).collect()
}

/// Every function of which there are two sides: equal within the tolerance, and the value the same with the slope as alone.
fn check<T: Plain>(isa: Isa) {
    let input = sample::<T>();
    let compute = |side: &str, function: &str| {
        let mut buffers = Buffers::new(&input);
        let (x, y, slope) = buffers.slices();
        job::<T>(isa, side, function).map(|job| {
            job(x, y, slope);
            y.to_vec()
        })
    };
    let epsilon = T::either(f64::from(f32::EPSILON), f64::EPSILON);
    let names = Function::ALL.map(Function::name);
    let mut compared = 0;
    for function in names.into_iter().chain(["softmax/10", "log_softmax/10"]) {
        let (Some(ours), Some(plain)) = (compute("value", function), compute("plain", function)) else { continue };
        for (ours, plain) in ours.iter().zip(&plain) {
            let allowed = TOLERANCE_EPSILONS * epsilon * plain.real().abs().max(1.0);
            assert!(
                (ours.real() - plain.real()).abs() <= allowed,
                "{function} at {isa}: {ours:?}, the plain loop has {plain:?}"
            );
        }
        if let Some(with_slope) = compute("slope", function) {
            assert_eq!(with_slope, ours, "{function} at {isa}: the value beside the slope, and alone");
        }
        compared += 1;
    }
    assert!(compared >= 13, "only {compared} functions have two sides");
}

/// A conversation, among it requests that must be refused.
fn check_requests(isa: Isa) {
    let folder = tempfile::tempdir().expect("a folder for the samples");
    let (input, output) = (folder.path().join("input"), folder.path().join("output"));
    std::fs::write(&input, sample::<f64>().iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())
        .expect("the sample");
    let (input, output) = (input.display(), output.display());
    let conversation = [
        (format!("write value exp {output}"), "error: write before any load"),
        (format!("load f64 {input}"), "ok"),
        (format!("write slope tanh {output}"), "ok"),
        ("write value cosine nowhere".to_string(), "none"),
        ("time value exp many".to_string(), "error: expected a number of repetitions, found 'many'"),
        ("dance".to_string(), "error: expected about, load, write or time with their words, found 'dance'"),
    ];
    let requests: String = conversation.iter().map(|(request, _)| format!("{request}\n")).collect();
    let (mut loaded, mut answers) = (None, Vec::new());
    served::serve(requests.as_bytes(), &mut answers, |request| answer(isa, &mut loaded, request))
        .expect("answers kept in memory");
    let answers = String::from_utf8(answers).expect("text");
    assert!(answers.lines().eq(conversation.iter().map(|&(_, expected)| expected)), "answered:\n{answers}");
    let bytes = std::fs::metadata(output.to_string()).expect("the output").len();
    assert_eq!(bytes, 2 * 100 * 8, "the bytes of values and slopes");
}
