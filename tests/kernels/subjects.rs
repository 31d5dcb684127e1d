//! Every slice kernel beside its definition in plain scalar code: the same bits, for every length, place and level.

use super::Real;
use deltarule::kernel::elementwise::Function;
use deltarule::kernel::softmax::{RowFunction, RowReduction};
use deltarule::kernel::{math, rows, update, vector};
use deltarule::simd::{Isa, Kernel, Lanes, VIRTUAL_LANES};

/// How many rows the matrices of the row kernels have.
const ROWS: usize = 3;

/// A kernel on some slices, and what it means.
struct Subject<T> {
    name: &'static str,
    /// The slices' lengths, in multiples of the length under test.
    slices: &'static [usize],
    run: fn(Isa, &mut [&mut [T]]) -> T,
    plain: fn(&mut [Vec<T>]) -> T,
}

/// A value as the portable level gives it alone: what defines the elementary functions for every place and level. Their
/// accuracy is tested beside the oracle.
fn alone<T: Real>(kernel: Function, x: T) -> T {
    let mut one = [x];
    kernel.apply(Isa::Portable, &mut one);
    one[0]
}

/// The definition of a sum: partial sums in turn, then halves added.
fn sum_of<T: Real>(chains: usize, terms: impl Iterator<Item = (T, T)>) -> T {
    let mut lanes = vec![T::ZERO; chains];
    for (i, (x, y)) in terms.enumerate() {
        lanes[i % chains] = x.mul_add(y, lanes[i % chains]);
    }
    let mut half = chains;
    while half > 1 {
        half /= 2;
        for i in 0..half {
            // A partial sum of -0 becomes +0.
            lanes[i] = (lanes[i] + T::ZERO) + (lanes[i + half] + T::ZERO);
        }
    }
    lanes[0]
}

fn constant<T: Real>(single: f64, double: f64) -> T {
    T::from_f64(T::either(single, double))
}

/// What an optimiser makes of numbers that are too small to be multiplied.
fn zero_below<T: Real>(least: T, x: T) -> T {
    if x.abs() < least { T::ZERO } else { x }
}

fn gradient<T: Real>(x: T) -> T {
    zero_below(constant(1e-33, 1e-300), x)
}

fn moment<T: Real>(x: T) -> T {
    zero_below(constant(16.0 * f64::from(f32::MIN_POSITIVE), 16.0 * f64::MIN_POSITIVE), x)
}

fn parameter<T: Real>(x: T) -> T {
    zero_below(constant(f64::from(f32::MIN_POSITIVE), f64::MIN_POSITIVE), x)
}

fn square<T: Real>(x: T) -> T {
    let x = zero_below(constant(1.5e-17, 1.5e-152), x);
    x * x
}

fn mean<T: Real>(decay: T, mean: T, x: T) -> T {
    decay.mul_add(mean, (T::ONE - decay) * x)
}

fn adam_step<T: Real>() -> update::AdamStep<T> {
    let of = T::from_f64;
    update::AdamStep { beta1: of(0.9), beta2: of(0.999), rate: of(0.01), correction: of(1.3), epsilon: of(1e-8) }
}

fn nadam_step<T: Real>() -> update::NadamStep<T> {
    let of = T::from_f64;
    let (beta1, beta2, epsilon) = (of(0.9), of(0.999), of(1e-8));
    update::NadamStep { beta1, beta2, rate: of(0.01), ahead: of(0.03), correction: of(1.3), epsilon }
}

fn lion_step<T: Real>() -> update::LionStep<T> {
    let of = T::from_f64;
    update::LionStep { beta1: of(0.9), beta2: of(0.99), rate: of(0.01), keep: of(0.999) }
}

fn rmsprop_step<T: Real>() -> update::RmspropStep<T> {
    let of = T::from_f64;
    update::RmspropStep { decay: of(0.99), momentum: of(0.5), rate: of(0.01), epsilon: of(1e-8) }
}

/// Both moments, and the step along the first by the root of the second that `root_of` gives.
fn adam<T: Real>(g: T, m: &mut T, v: &mut T, root_of: impl FnOnce(T) -> T) -> T {
    let c = adam_step::<T>();
    *m = mean(c.beta1, *m, g);
    *v = mean(c.beta2, *v, square(g));
    c.rate * *m / ((root_of(*v) * c.correction).sqrt() + c.epsilon)
}

fn momentum<T: Real>(nesterov: bool, s: &mut [Vec<T>]) -> T {
    let (rate, momentum) = (T::from_f64(0.1), T::from_f64(0.9));
    updated(s, |v| {
        let step = -rate * v[0];
        v[1] = momentum.mul_add(v[1], step);
        v[2] += if nesterov { momentum.mul_add(v[1], step) } else { v[1] };
    })
}

fn rmsprop<T: Real>(g: T, variance: T, buffer: &mut T, p: &mut T) {
    let c = rmsprop_step::<T>();
    *buffer = c.momentum.mul_add(*buffer, g / (variance.sqrt() + c.epsilon));
    *p = (-c.rate).mul_add(*buffer, *p);
}

/// Applies a step to gradient, moments and parameter at each place.
fn updated<T: Real>(s: &mut [Vec<T>], step: impl Fn(&mut [T])) -> T {
    each(s, |v| {
        let original = v[0];
        v[0] = gradient(v[0]);
        step(v);
        v[0] = original;
        let last = v.len() - 1;
        v[1..last].iter_mut().for_each(|m| *m = moment(*m));
        v[last] = parameter(v[last]);
    })
}

/// The larger of two, or NaN if one is.
fn larger<T: Real>(a: T, b: T) -> T {
    if a < b {
        b
    } else if b <= a {
        a
    } else {
        a + b
    }
}

/// The largest, NaN passed over.
fn top_of<T: Real>(row: &[T]) -> T {
    row.iter().fold(T::from_f64(f64::NEG_INFINITY), |top, &x| if x > top { x } else { top })
}

/// `e^(x + low)`, by the portable level.
struct ExpSum<T>(T, T);

impl<T: Real> Kernel<T> for ExpSum<T> {
    type Output = T;
    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) -> T {
        let mut one = [T::ZERO];
        lanes.store_partial(math::exp_sum(lanes, lanes.splat(self.0), lanes.splat(self.1)), &mut one);
        one[0]
    }
}

/// `e^(x - top)`, with what the difference lost.
fn exp_below<T: Real>(x: T, top: T) -> T {
    let distance = x - top;
    let minus_top = distance - x;
    let lost = (x - (distance - minus_top)) - (top + minus_top);
    if distance < constant(-87.0, -708.0) {
        return T::ZERO;
    }
    T::dispatch(Isa::Portable, ExpSum(distance, lost - constant(1e-12, 1e-24)))
}

fn softmax<T: Real>(row: &mut [T]) {
    let top = top_of(row);
    row.iter_mut().for_each(|x| *x = exp_below(*x, top));
    let inverse = T::ONE / sum_of(VIRTUAL_LANES, row.iter().map(|&e| (e, T::ONE)));
    row.iter_mut().for_each(|e| *e *= inverse);
}

fn log_sum<T: Real>(row: &[T]) -> (T, T) {
    let top = top_of(row);
    let ties = row.iter().filter(|&&x| x >= top).count();
    let below = row.iter().map(|&x| (if x >= top { T::ZERO } else { exp_below(x, top) }, T::ONE));
    let rest = T::from_f64(ties as f64 - 1.0) + sum_of(VIRTUAL_LANES, below);
    (top, alone(Function::Ln1p, rest))
}

fn log_softmax<T: Real>(row: &mut [T]) {
    let (top, log_sum) = log_sum(row);
    // NaN where the largest is infinite.
    let log_sum = if top.is_finite() { log_sum } else { T::from_f64(f64::NAN) };
    row.iter_mut().for_each(|x| *x = (*x - top) - log_sum);
}

/// Applies `f` to each row of all slices.
fn each_row<T: Real>(s: &mut [Vec<T>], f: impl Fn(&[T], &mut [T])) -> T {
    let cols = s[0].len() / ROWS;
    let (first, rest) = s.split_at_mut(1);
    for i in 0..ROWS {
        let at = i * cols..(i + 1) * cols;
        match rest.first_mut() {
            Some(second) => f(&first[0][at.clone()], &mut second[at]),
            None => f(&[], &mut first[0][at]),
        }
    }
    T::ZERO
}

/// Applies `f` to the elements at one place of all slices.
fn each<T: Real>(s: &mut [Vec<T>], f: impl Fn(&mut [T])) -> T {
    for i in 0..s[0].len() {
        let mut values: Vec<T> = s.iter().map(|slice| slice[i]).collect();
        f(&mut values);
        s.iter_mut().zip(values).for_each(|(slice, value)| slice[i] = value);
    }
    T::ZERO
}

/// A kernel that returns nothing, as one that returns zero.
macro_rules! subject {
    ($name:literal, $slices:expr, |$isa:ident, $s:ident| $run:expr, |$p:ident| $plain:expr) => {
        Subject {
            name: $name,
            slices: &$slices,
            run: |$isa, $s| {
                $run;
                T::ZERO
            },
            plain: |$p| $plain,
        }
    };
}

fn subjects<T: Real>() -> Vec<Subject<T>> {
    fn a<T: Real>() -> T {
        T::from_f64(-0.7)
    }
    vec![
        subject!("multiply", [1, 1], |isa, s| two(s, |x, y| vector::multiply(isa, x, y)), |s| each(s, |v| v[0] *=
            v[1])),
        subject!("axpy", [1, 1], |isa, s| two(s, |x, y| vector::axpy(isa, a(), x, y)), |s| each(s, |v| {
            v[1] = a::<T>().mul_add(v[0], v[1]);
        })),
        subject!("add_signs", [1, 1], |isa, s| two(s, |x, y| vector::add_signs(isa, a(), x, y)), |s| each(s, |v| {
            let sign = if v[0].abs() > T::ZERO { T::from_f64(v[0].real().signum()) } else { v[0] };
            v[1] = a::<T>().mul_add(sign, v[1]);
        })),
        subject!("add", [1, 1], |isa, s| two(s, |x, y| vector::add(isa, x, y)), |s| each(s, |v| v[1] += v[0])),
        subject!("scale", [1], |isa, s| vector::scale(isa, a(), s[0]), |s| each(s, |v| v[0] *= a())),
        Subject {
            name: "dot",
            slices: &[1, 1],
            run: |isa, s| vector::dot(isa, s[0], s[1]),
            plain: |s| sum_of(vector::chains::<T>(), s[0].iter().copied().zip(s[1].iter().copied())),
        },
        Subject {
            name: "sum",
            slices: &[1],
            run: |isa, s| vector::sum(isa, s[0]),
            plain: |s| sum_of(vector::chains::<T>(), s[0].iter().map(|&x| (x, T::ONE))),
        },
        Subject {
            name: "squared_norm",
            slices: &[1],
            run: |isa, s| vector::squared_norm(isa, s[0]),
            plain: |s| sum_of(vector::chains::<T>(), s[0].iter().map(|&x| (x, x))),
        },
        Subject {
            name: "sum_abs",
            slices: &[1],
            run: |isa, s| vector::sum_abs(isa, s[0]),
            plain: |s| sum_of(vector::chains::<T>(), s[0].iter().map(|&x| (x.abs(), T::ONE))),
        },
        Subject {
            name: "max_abs",
            slices: &[1],
            run: |isa, s| vector::max_abs(isa, s[0]),
            plain: |s| s[0].iter().fold(T::ZERO, |top, x| larger(top, x.abs())),
        },
        subject!("add_column_sums", [ROWS, 1], |isa, s| two(s, |x, y| rows::add_column_sums(isa, x, y)), |s| {
            let cols = s[1].len();
            for j in 0..cols {
                s[1][j] = (0..ROWS).fold(s[1][j], |sum, i| sum + s[0][i * cols + j]);
            }
            T::ZERO
        }),
        subject!("softmax", [ROWS], |isa, s| RowFunction::Softmax.apply(isa, s[0], s[0].len() / ROWS), |s| each_row(
            s,
            |_, row| softmax(row)
        )),
        subject!("log_softmax", [ROWS], |isa, s| RowFunction::LogSoftmax.apply(isa, s[0], s[0].len() / ROWS), |s| {
            each_row(s, |_, row| log_softmax(row))
        }),
        subject!(
            "softmax, backward",
            [ROWS, ROWS],
            |isa, s| two(s, |y, delta| RowFunction::Softmax.backward(isa, y, delta, y.len() / ROWS)),
            |s| each_row(s, |y, delta| {
                let mean = sum_of(VIRTUAL_LANES, y.iter().copied().zip(delta.iter().copied()));
                delta.iter_mut().zip(y).for_each(|(d, &y)| *d = y * (*d - mean));
            })
        ),
        subject!(
            "log_softmax, backward",
            [ROWS, ROWS],
            |isa, s| two(s, |y, delta| RowFunction::LogSoftmax.backward(isa, y, delta, y.len() / ROWS)),
            |s| each_row(s, |y, delta| {
                let sum = sum_of(VIRTUAL_LANES, delta.iter().map(|&d| (d, T::ONE)));
                delta.iter_mut().zip(y).for_each(|(d, &y)| *d = alone(Function::Exp, y).mul_add(-sum, *d));
            })
        ),
        subject!(
            "row maximum",
            [1, ROWS],
            |isa, s| two(s, |x, y| RowReduction::Max.apply(isa, &y[..x.len() * ROWS], ROWS, x)),
            |s| {
                for i in 0..s[0].len() {
                    let row = &s[1][i * ROWS..(i + 1) * ROWS];
                    let nan = row.iter().find(|x| x.real().is_nan());
                    s[0][i] = nan.copied().unwrap_or(top_of(row) + T::ZERO);
                }
                T::ZERO
            }
        ),
        subject!(
            "row log-sum-exp",
            [1, ROWS],
            |isa, s| two(s, |x, y| RowReduction::LogSumExp.apply(isa, y, ROWS, x)),
            |s| {
                for i in 0..s[0].len() {
                    let (top, log_sum) = log_sum(&s[1][i * ROWS..(i + 1) * ROWS]);
                    s[0][i] = top + log_sum;
                }
                T::ZERO
            }
        ),
        subject!("descend", [1, 1], |isa, s| two(s, |x, y| update::descend(isa, a(), x, y)), |s| updated(s, |v| {
            v[1] = (-a::<T>()).mul_add(v[0], v[1]);
        })),
        subject!(
            "momentum",
            [1, 1, 1],
            |isa, s| {
                let [g, v, p] = s else { unreachable!() };
                update::momentum(isa, T::from_f64(0.1), T::from_f64(0.9), false, g, v, p)
            },
            |s| momentum(false, s)
        ),
        subject!(
            "momentum, Nesterov",
            [1, 1, 1],
            |isa, s| {
                let [g, v, p] = s else { unreachable!() };
                update::momentum(isa, T::from_f64(0.1), T::from_f64(0.9), true, g, v, p)
            },
            |s| momentum(true, s)
        ),
        subject!(
            "adam",
            [1, 1, 1, 1],
            |isa, s| {
                let [g, m, v, p] = s else { unreachable!() };
                update::adam(isa, adam_step(), g, m, v, p)
            },
            |s| updated(s, |x| {
                let [g, m, v, p] = x else { unreachable!() };
                *p -= adam(*g, m, v, |v| v);
            })
        ),
        subject!(
            "adamw",
            [1, 1, 1, 1],
            |isa, s| {
                let [g, m, v, p] = s else { unreachable!() };
                update::adamw(isa, adam_step(), a(), g, m, v, p)
            },
            |s| updated(s, |x| {
                let [g, m, v, p] = x else { unreachable!() };
                *p = a::<T>() * *p - adam(*g, m, v, |v| v);
            })
        ),
        subject!(
            "amsgrad",
            [1, 1, 1, 1, 1],
            |isa, s| {
                let [g, m, v, t, p] = s else { unreachable!() };
                update::amsgrad(isa, adam_step(), g, m, v, t, p)
            },
            |s| updated(s, |x| {
                let [g, m, v, t, p] = x else { unreachable!() };
                *p -= adam(*g, m, v, |v| {
                    *t = if *t > v { *t } else { v };
                    *t
                });
            })
        ),
        subject!(
            "nadam",
            [1, 1, 1, 1],
            |isa, s| {
                let [g, m, v, p] = s else { unreachable!() };
                update::nadam(isa, nadam_step(), g, m, v, p)
            },
            |s| updated(s, |x| {
                let [g, m, v, p] = x else { unreachable!() };
                let c = nadam_step::<T>();
                adam(*g, m, v, |v| v);
                *p -= c.ahead.mul_add(*m, c.rate * *g) / ((*v * c.correction).sqrt() + c.epsilon);
            })
        ),
        subject!(
            "rmsprop",
            [1, 1, 1, 1],
            |isa, s| {
                let [g, v, b, p] = s else { unreachable!() };
                update::rmsprop(isa, rmsprop_step(), g, v, b, p)
            },
            |s| updated(s, |x| {
                let [g, v, b, p] = x else { unreachable!() };
                *v = mean(rmsprop_step::<T>().decay, *v, square(*g));
                rmsprop(*g, *v, b, p);
            })
        ),
        subject!(
            "rmsprop, centred",
            [1, 1, 1, 1, 1],
            |isa, s| {
                let [g, v, m, b, p] = s else { unreachable!() };
                update::rmsprop_centered(isa, rmsprop_step(), g, v, m, b, p)
            },
            |s| updated(s, |x| {
                let [g, v, m, b, p] = x else { unreachable!() };
                *v = mean(rmsprop_step::<T>().decay, *v, square(*g));
                *m = mean(rmsprop_step::<T>().decay, *m, *g);
                let variance = *v - square(*m);
                rmsprop(*g, if variance < T::ZERO { T::ZERO } else { variance }, b, p);
            })
        ),
        subject!(
            "adagrad",
            [1, 1, 1],
            |isa, s| {
                let [g, v, p] = s else { unreachable!() };
                update::adagrad(isa, T::from_f64(0.01), T::from_f64(1e-10), g, v, p)
            },
            |s| updated(s, |v| {
                v[1] += square(v[0]);
                v[2] -= T::from_f64(0.01) * v[0] / (v[1].sqrt() + T::from_f64(1e-10));
            })
        ),
        subject!(
            "adadelta",
            [1, 1, 1, 1],
            |isa, s| {
                let [g, v, u, p] = s else { unreachable!() };
                update::adadelta(isa, [0.5, 0.9, 1e-6].map(T::from_f64), g, v, u, p)
            },
            |s| updated(s, |x| {
                let [g, v, u, p] = x else { unreachable!() };
                let [rate, decay, epsilon] = [0.5, 0.9, 1e-6].map(T::from_f64);
                *v = mean(decay, *v, square(*g));
                let step = (*u + epsilon).sqrt() / (*v + epsilon).sqrt() * *g;
                *u = mean(decay, *u, square(step));
                *p = (-rate).mul_add(step, *p);
            })
        ),
        subject!(
            "lion",
            [1, 1, 1],
            |isa, s| {
                let [g, m, p] = s else { unreachable!() };
                update::lion(isa, lion_step(), g, m, p)
            },
            |s| updated(s, |x| {
                let [g, m, p] = x else { unreachable!() };
                let c = lion_step::<T>();
                let direction = mean(c.beta1, *m, *g);
                let step = if direction > T::ZERO {
                    c.rate
                } else if direction < T::ZERO {
                    -c.rate
                } else {
                    direction
                };
                *p = c.keep * *p - step;
                *m = mean(c.beta2, *m, *g);
            })
        ),
    ]
}

/// The first two slices at once.
fn two<T>(s: &mut [&mut [T]], f: impl FnOnce(&mut [T], &mut [T])) {
    let [x, y, ..] = s else { unreachable!() };
    f(x, y);
}

/// Ordinary numbers, with every special one among them now and then.
fn content<T: Real>(length: usize, seed: usize) -> Vec<T> {
    const SPECIAL: [f64; 8] = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-310, -3e38, 1e-40];
    (0..length)
        .map(|i| {
            let mixed = (i + 131 * seed).wrapping_mul(0x9E37_79B9) >> 7;
            // Three contents of four are finite, so that a sum or a softmax is not NaN throughout.
            let special = seed % 4 == 3 && mixed.is_multiple_of(11);
            T::from_f64(if special { SPECIAL[mixed / 11 % 8] } else { (mixed % 4001) as f64 / 400.0 - 5.0 })
        })
        .collect()
}

fn same<T: Real>(a: T, b: T) -> bool {
    // Of NaN, only that it is one is promised.
    a.bits() == b.bits() || (a.real().is_nan() && b.real().is_nan())
}

fn definitions_hold<T: Real>() {
    /// What stands before and behind each slice, and must stand there afterwards.
    const GUARD: f64 = -77.0;
    const GUARDS: usize = 40;
    for subject in subjects::<T>() {
        for length in 0..=65 {
            for offset in [0, 1, 3, 7] {
                let seed = length + offset;
                let mut expected: Vec<Vec<T>> =
                    subject.slices.iter().enumerate().map(|(i, &m)| content(m * length, seed + i)).collect();
                let original = expected.clone();
                let returned = (subject.plain)(&mut expected);
                for isa in Isa::available() {
                    let guard = [T::from_f64(GUARD); GUARDS];
                    let mut buffers: Vec<Vec<T>> =
                        original.iter().map(|s| [&guard[..offset], s, &guard[..GUARDS - offset]].concat()).collect();
                    let mut slices: Vec<&mut [T]> = buffers
                        .iter_mut()
                        .zip(&original)
                        .map(|(buffer, s)| &mut buffer[offset..offset + s.len()])
                        .collect();
                    let found = (subject.run)(isa, &mut slices);
                    let place = || {
                        format!(
                            "{} {} at {isa}, length {length}, offset {offset}",
                            subject.name,
                            T::either("f32", "f64")
                        )
                    };
                    assert!(same(found, returned), "{}: {found:e}, expected {returned:e}", place());
                    for (which, (buffer, expected)) in buffers.iter().zip(&expected).enumerate() {
                        let whole = [&guard[..offset], expected, &guard[..GUARDS - offset]].concat();
                        for (i, (&found, &expected)) in buffer.iter().zip(&whole).enumerate() {
                            assert!(
                                same(found, expected),
                                "{}: slice {which}, element {i} less {offset}: {found:e}, expected {expected:e}",
                                place()
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn kernels_are_their_definitions_in_f32() {
    definitions_hold::<f32>();
}

#[test]
fn kernels_are_their_definitions_in_f64() {
    definitions_hold::<f64>();
}

#[test]
fn one_bad_element_is_found_anywhere() {
    for isa in Isa::available() {
        for length in 0..=140 {
            let mut x = vec![f32::MAX; length];
            assert!(vector::all_finite(isa, &x), "{isa}, length {length}");
            for place in 0..length {
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    x[place] = bad;
                    assert!(!vector::all_finite(isa, &x), "{isa}, length {length}, {bad} at {place}");
                }
                x[place] = -f32::MAX;
            }
        }
    }
}
