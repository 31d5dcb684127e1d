//! Softmax and its relatives: how accurate they are, what they make of special rows, that a row's bits are its own, and what
//! is refused at the border.

use super::Real;
use deltarule::kernel::softmax::{RowFunction, RowReduction};
use deltarule::simd::Isa;

/// What the docs state, for the widest rows tried: 4 ulp and `cols / 32`.
fn bound_ulp(cols: usize) -> f64 {
    4.0 + cols as f64 / 32.0
}

/// The distance of `found` from `exact`, in units in the last place of an `f32` there.
fn ulps(found: f32, exact: f64) -> f64 {
    let exponent = (exact.abs().max(f64::from(f32::MIN_POSITIVE)).to_bits() >> 52) as i32 - 1023;
    (f64::from(found) - exact).abs() / 2f64.powi(exponent - 23)
}

/// Rows of a stated spread around a stated middle, without a pattern.
fn matrix(rows: usize, cols: usize, spread: f64, middle: f64) -> Vec<f32> {
    let mut state = 1u64;
    (0..rows * cols)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (((state >> 11) as f64 / (1u64 << 53) as f64 - 0.5) * spread + middle) as f32
        })
        .collect()
}

/// The row's largest number and the exact sum of the exponentials below it, without one of the largest.
fn exactly(row: &[f32]) -> (f64, f64) {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let first = row.iter().position(|&x| x == top).unwrap();
    let rest = row.iter().enumerate().filter(|(j, _)| *j != first);
    (f64::from(top), rest.map(|(_, &x)| libm::exp(f64::from(x) - f64::from(top))).sum())
}

/// The worst errors in ulp of softmax and log-softmax, as `apply` gives them.
fn worst(isa: Isa, cols: usize, apply: impl Fn(RowFunction, Isa, &mut [f32], usize)) -> [f64; 2] {
    let mut worst = [0f64; 2];
    // Nearly equal, ordinary, certain, and far from zero.
    for (spread, middle) in [(0.1, 0.0), (10.0, 0.0), (100.0, -20.0), (60.0, 1000.0), (170.0, 3.0)] {
        let x = matrix(20, cols, spread, middle);
        for (worst, function) in worst.iter_mut().zip(RowFunction::ALL) {
            let mut y = x.clone();
            apply(function, isa, &mut y, cols);
            for (row, found) in x.chunks(cols).zip(y.chunks(cols)) {
                let (top, rest) = exactly(row);
                for (&x, &y) in row.iter().zip(found) {
                    let distance = f64::from(x) - top;
                    let error = match function {
                        RowFunction::Softmax if distance < -87.0 => f64::from(u8::from(y != 0.0)) * 1e9,
                        RowFunction::Softmax => ulps(y, libm::exp(distance) / (1.0 + rest)),
                        // The columns that count as nothing beside the largest.
                        _ if (f64::from(y) - (distance - libm::log1p(rest))).abs() < cols as f64 * libm::exp(-87.0) => {
                            0.0
                        }
                        _ => ulps(y, distance - libm::log1p(rest)),
                    };
                    *worst = worst.max(error);
                }
            }
        }
    }
    worst
}

#[test]
fn softmax_and_log_softmax_keep_their_bounds() {
    for isa in Isa::available() {
        for cols in [1, 2, 3, 10, 16, 32, 33, 100, 1000] {
            let found = worst(isa, cols, |function, isa, x, cols| function.apply(isa, x, cols));
            println!("{cols} columns at {isa}: softmax {:.2} ulp, log_softmax {:.2} ulp", found[0], found[1]);
            assert!(found.iter().all(|&e| e <= bound_ulp(cols)), "{cols} columns at {isa}: {found:?} ulp");
        }
    }
}

#[test]
fn the_textbook_formulas_do_not_keep_them() {
    let found = worst(Isa::Portable, 10, |function, _, x, cols| {
        for row in x.chunks_mut(cols) {
            let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = row.iter().map(|&x| libm::expf(x - top)).sum();
            row.iter_mut().for_each(|x| {
                *x = match function {
                    RowFunction::Softmax if f64::from(*x) - f64::from(top) < -87.0 => 0.0,
                    RowFunction::Softmax => libm::expf(*x - top) / sum,
                    _ => *x - top - libm::logf(sum),
                }
            });
        }
    });
    assert!(found.iter().all(|&e| e > 2.0 * bound_ulp(10)), "{found:?} ulp");
}

#[test]
fn log_sum_exp_and_maximum_keep_their_bounds() {
    for isa in Isa::available() {
        for cols in [1, 3, 10, 32, 33, 1000] {
            for (spread, middle) in [(10.0, 0.0), (2.0, -3.0), (170.0, 50.0)] {
                let x = matrix(20, cols, spread, middle);
                let mut found = [[0f32; 20]; 2];
                for (found, reduction) in found.iter_mut().zip(RowReduction::ALL) {
                    reduction.map(isa, &x, cols, found).unwrap();
                }
                for ((row, &max), &lse) in x.chunks(cols).zip(&found[0]).zip(&found[1]) {
                    let (top, rest) = exactly(row);
                    assert_eq!(f64::from(max), top);
                    let exact = top + libm::log1p(rest);
                    let unit = ulps(0.0, 1.0).recip() * exact.abs().max(top.abs()).max((cols as f64).ln());
                    let error = (f64::from(lse) - exact).abs() / unit;
                    assert!(error <= 2.0, "{cols} columns at {isa}: {lse}, expected {exact}: {error}");
                }
            }
        }
    }
}

/// Whether all of `y` are NaN.
fn all_nan(y: &[f32]) -> bool {
    y.iter().all(|y| y.is_nan())
}

#[test]
fn special_rows_are_as_documented() {
    const INFINITY: f32 = f32::INFINITY;
    for isa in Isa::available() {
        // Narrow, and wide with a last vector that is not full.
        for cols in [4, 37] {
            let row = |first: &[f32], others: f32| {
                let mut row = vec![others; cols];
                row[cols - first.len()..].copy_from_slice(first);
                row
            };
            let run = |function: RowFunction, row: &[f32]| {
                let mut y = vec![f32::NAN; row.len()];
                function.map(isa, row, cols, &mut y).unwrap();
                y
            };
            let one = |reduction: RowReduction, row: &[f32]| {
                let mut y = [7.0];
                reduction.map(isa, row, cols, &mut y).unwrap();
                y[0]
            };
            for bad in [row(&[f32::NAN], 1.0), row(&[INFINITY], 1.0), row(&[], -INFINITY), row(&[f32::NAN], f32::NAN)] {
                assert!(RowFunction::ALL.iter().all(|&f| all_nan(&run(f, &bad))), "{isa}: {bad:?}");
            }
            for reduction in RowReduction::ALL {
                assert!(one(reduction, &row(&[f32::NAN, 2.0], 1.0)).is_nan());
                assert!(one(reduction, &row(&[f32::NAN, INFINITY], 1.0)).is_nan());
                assert_eq!(one(reduction, &row(&[INFINITY, INFINITY], 1.0)), INFINITY);
                assert_eq!(one(reduction, &row(&[], -INFINITY)), -INFINITY);
            }
            assert_eq!(one(RowReduction::Max, &row(&[], -0.0)).to_bits(), 0);

            let hidden = row(&[3.0, 3.0], -INFINITY);
            let y = run(RowFunction::Softmax, &hidden);
            assert!(y[..cols - 2].iter().all(|&y| y == 0.0) && y[cols - 2..] == [0.5, 0.5], "{isa}: {y:?}");
            let y = run(RowFunction::LogSoftmax, &hidden);
            assert!(y[..cols - 2].iter().all(|&y| y == -INFINITY), "{isa}: {y:?}");
            assert_eq!(one(RowReduction::LogSumExp, &hidden), 3.0 + std::f32::consts::LN_2);

            // Nearly certain: the largest's logarithm is minus the others' share.
            let y = run(RowFunction::LogSoftmax, &row(&[30.0, 0.0], -INFINITY));
            assert!(ulps(y[cols - 2], -libm::log1p(libm::exp(-30.0))) <= bound_ulp(cols), "{isa}: {y:?}");
            // The largest numbers there are.
            let y = run(RowFunction::Softmax, &row(&[f32::MAX, f32::MAX], f32::MIN));
            assert_eq!(y[cols - 2..], [0.5, 0.5]);
        }
    }
}

#[test]
fn a_rows_bits_are_its_own() {
    fn check<T: Real>() {
        for cols in 1..=40 {
            for rows in [1, 15, 16, 17, 50] {
                let x: Vec<T> = matrix(rows, cols, 20.0, 0.0).iter().map(|&x| T::from_f64(f64::from(x))).collect();
                for isa in Isa::available() {
                    for function in RowFunction::ALL {
                        let mut together = x.clone();
                        function.apply(isa, &mut together, cols);
                        let mut apart = x.clone();
                        apart.chunks_mut(cols).for_each(|row| function.apply(Isa::Portable, row, cols));
                        let same = together.iter().zip(&apart).all(|(a, b)| a.bits() == b.bits());
                        assert!(same, "{} of {rows} rows of {cols} at {isa}", function.name());
                    }
                    for reduction in RowReduction::ALL {
                        let (mut together, mut apart) = (vec![T::ZERO; rows], vec![T::ZERO; rows]);
                        reduction.apply(isa, &x, cols, &mut together);
                        for (row, result) in x.chunks(cols).zip(apart.chunks_mut(1)) {
                            reduction.apply(Isa::Portable, row, cols, result);
                        }
                        let same = together.iter().zip(&apart).all(|(a, b)| a.bits() == b.bits());
                        assert!(same, "{} of {rows} rows of {cols} at {isa}", reduction.name());
                    }
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn gradients_are_the_functions() {
    // Central differences in f64, with the step whose roundings cost most: sums of some hundred, rounded to
    // 1e-13, over twice 1e-5.
    const STEP: f64 = 1e-5;
    const TOLERANCE: f64 = 1e-8;
    for isa in Isa::available() {
        for cols in [1, 5, 35] {
            for function in RowFunction::ALL {
                let x: Vec<f64> = matrix(2, cols, 4.0, 0.0).into_iter().map(f64::from).collect();
                let weights: Vec<f64> = matrix(2, cols, 2.0, 1.0).into_iter().map(f64::from).collect();
                let value = |x: &[f64]| {
                    let mut y = vec![0.0; x.len()];
                    function.map(isa, x, cols, &mut y).unwrap();
                    y.iter().zip(&weights).map(|(y, w)| y * w).sum::<f64>()
                };
                let mut y = x.clone();
                function.apply(isa, &mut y, cols);
                let mut delta = weights.clone();
                function.backward(isa, &y, &mut delta, cols);
                for (j, &found) in delta.iter().enumerate() {
                    let at = |step: f64| {
                        let mut x = x.clone();
                        x[j] += step;
                        value(&x)
                    };
                    let expected = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                    assert!((found - expected).abs() < TOLERANCE, "{} at {isa}: {found}, {expected}", function.name());
                }
            }
        }
    }
}

#[test]
fn the_border_refuses_what_does_not_fit() {
    let x = [1.0f32; 6];
    let isa = Isa::Portable;
    for function in RowFunction::ALL {
        let mut y = [7.0f32; 6];
        for (cols, length, says) in
            [(0, 6, "cols"), (4, 6, "whole rows of 4"), (3, 5, "the output"), (7, 6, "rows of 7")]
        {
            let fault = function.map(isa, &x, cols, &mut y[..length]).unwrap_err().to_string();
            assert!(fault.contains(says), "{fault}");
        }
        for absent in [Isa::Avx2, Isa::Avx512, Isa::Neon].into_iter().filter(|isa| !isa.is_available()) {
            assert!(function.map(absent, &x, 3, &mut y).is_err());
        }
        assert_eq!(y, [7.0; 6]);
        function.map(isa, &x[..0], 3, &mut y[..0]).unwrap();
    }
    for reduction in RowReduction::ALL {
        let mut results = [7.0f32; 3];
        for (cols, length, says) in
            [(0, 2, "cols"), (4, 2, "whole rows of 4"), (3, 3, "the results"), (3, 1, "the results")]
        {
            let fault = reduction.map(isa, &x, cols, &mut results[..length]).unwrap_err().to_string();
            assert!(fault.contains(says), "{fault}");
        }
        assert_eq!(results, [7.0; 3]);
    }
}
