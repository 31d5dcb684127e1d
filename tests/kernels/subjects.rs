//! Every slice kernel beside its definition in plain scalar code: the same bits, for every length, place and level.

use super::Real;
use deltarule::kernel::{rows, update, vector};
use deltarule::simd::{Isa, VIRTUAL_LANES};

/// How many rows the matrices of the row kernels have.
const ROWS: usize = 3;

/// A kernel on up to four slices, and what it means.
struct Subject<T> {
    name: &'static str,
    /// The slices' lengths, in multiples of the length under test.
    slices: &'static [usize],
    run: fn(Isa, &mut [&mut [T]]) -> T,
    plain: fn(&mut [Vec<T>]) -> T,
}

/// A value as the portable level gives it alone: what defines the elementary functions for every place and level. Their
/// accuracy is tested beside the oracle.
fn alone<T: Real>(kernel: fn(Isa, &mut [T]), x: T) -> T {
    let mut one = [x];
    kernel(Isa::Portable, &mut one);
    one[0]
}

/// The definition of a sum: partial sums in turn, then halves added.
fn sum_of<T: Real>(terms: impl Iterator<Item = (T, T)>) -> T {
    let mut lanes = [T::ZERO; VIRTUAL_LANES];
    for (i, (x, y)) in terms.enumerate() {
        lanes[i % VIRTUAL_LANES] = x.mul_add(y, lanes[i % VIRTUAL_LANES]);
    }
    let mut half = VIRTUAL_LANES;
    while half > 1 {
        half /= 2;
        for i in 0..half {
            // A partial sum of -0 would become +0 in the last block's zeros.
            lanes[i] = (lanes[i] + T::ZERO) + (lanes[i + half] + T::ZERO);
        }
    }
    lanes[0]
}

fn adam_step<T: Real>() -> update::AdamStep<T> {
    let of = T::from_f64;
    update::AdamStep { beta1: of(0.9), beta2: of(0.999), rate: of(0.01), correction: of(1.3), epsilon: of(1e-8) }
}

fn momentum<T: Real>(nesterov: bool, s: &mut [Vec<T>]) -> T {
    let (rate, momentum) = (T::from_f64(0.1), T::from_f64(0.9));
    for i in 0..s[0].len() {
        let step = -rate * s[0][i];
        s[1][i] = momentum.mul_add(s[1][i], step);
        let ahead = if nesterov { momentum.mul_add(s[1][i], step) } else { s[1][i] };
        s[2][i] += ahead;
    }
    T::ZERO
}

fn softmax<T: Real>(row: &mut [T]) {
    let Some(&first) = row.first() else { return };
    let top = row.iter().fold(first, |top, &x| if x > top { x } else { top });
    row.iter_mut().for_each(|x| *x = alone(super::exp, *x - top));
    let sum = sum_of(row.iter().map(|&e| (e, T::ONE)));
    row.iter_mut().for_each(|e| *e /= sum);
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
        subject!("add", [1, 1], |isa, s| two(s, |x, y| vector::add(isa, x, y)), |s| each(s, |v| v[1] += v[0])),
        subject!("scale", [1], |isa, s| vector::scale(isa, a(), s[0]), |s| each(s, |v| v[0] *= a())),
        Subject {
            name: "dot",
            slices: &[1, 1],
            run: |isa, s| vector::dot(isa, s[0], s[1]),
            plain: |s| sum_of(s[0].iter().copied().zip(s[1].iter().copied())),
        },
        Subject {
            name: "sum",
            slices: &[1],
            run: |isa, s| vector::sum(isa, s[0]),
            plain: |s| sum_of(s[0].iter().map(|&x| (x, T::ONE))),
        },
        subject!("broadcast", [ROWS, 1], |isa, s| two(s, |x, y| rows::broadcast(isa, x, y)), |s| {
            s[0] = s[1].repeat(ROWS);
            T::ZERO
        }),
        subject!("column_sums", [ROWS, 1], |isa, s| two(s, |x, y| rows::column_sums(isa, x, y)), |s| {
            let cols = s[1].len();
            for j in 0..cols {
                s[1][j] = (0..ROWS).fold(T::ZERO, |sum, i| sum + s[0][i * cols + j]);
            }
            T::ZERO
        }),
        subject!(
            "softmax",
            [ROWS],
            |isa, s| {
                let cols = s[0].len() / ROWS;
                rows::softmax(isa, s[0], cols)
            },
            |s| {
                let cols = s[0].len() / ROWS;
                (0..ROWS).for_each(|i| softmax(&mut s[0][i * cols..(i + 1) * cols]));
                T::ZERO
            }
        ),
        subject!("descend", [1, 1], |isa, s| two(s, |x, y| update::descend(isa, a(), x, y)), |s| each(s, |v| {
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
            |s| each(s, |v| {
                let c = adam_step::<T>();
                v[1] = c.beta1.mul_add(v[1], (T::ONE - c.beta1) * v[0]);
                v[2] = c.beta2.mul_add(v[2], (T::ONE - c.beta2) * v[0] * v[0]);
                v[3] -= c.rate * v[1] / ((v[2] * c.correction).sqrt() + c.epsilon);
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

#[test]
fn softmax_is_a_distribution() {
    for isa in Isa::available() {
        let mut x = vec![1000.0f32, 999.0, -1000.0, 88.0, -3e38, 3e38, 0.0, -0.0];
        rows::softmax(isa, &mut x, 4);
        for row in x.chunks(4) {
            // Four roundings of numbers up to 1.
            assert!((row.iter().sum::<f32>() - 1.0).abs() <= 4.0 * f32::EPSILON, "{isa}: {row:?}");
            assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{isa}: {row:?}");
        }
        assert!((x[0] - 0.731_058_6).abs() < 1e-6 && x[5] == 1.0, "{isa}: {x:?}");
        let mut x = vec![1.0f32, f32::NAN, 2.0];
        rows::softmax(isa, &mut x, 3);
        assert!(x.iter().all(|p| p.is_nan()), "{isa}: {x:?}");
    }
}
