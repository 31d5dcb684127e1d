//! Every GEMM backend, on every instruction set this machine has, against sums in twice the precision of `f64`.
//!
//! `DELTARULE_BLAS` names a BLAS library to be loaded and tried too. All small shapes, transposes, strides and factors are tried exhaustively, larger ones by selection and at random.

mod blas;

use deltarule::engine::{Backend, Engine};
use deltarule::float::Float;
use deltarule::gemm::{DEPTH, Mat, MatMut, gemm};
use deltarule::rng::Rng;
use deltarule::simd::Isa;
use proptest::prelude::*;

/// What stands around C and between its rows, to be found there afterwards.
const GUARD: f64 = 1.0e30;
const FACTORS: [(f64, f64); 9] =
    [(1.0, 0.0), (1.0, 1.0), (1.0, 0.5), (-0.5, 0.0), (-0.5, 1.0), (-0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (0.0, 0.5)];
const LAYOUTS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

/// Every engine that can be had here.
fn engines() -> Vec<Engine> {
    let mut engines = Vec::new();
    for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Neon] {
        engines.extend(Engine::new(isa, Backend::Embedded).ok());
    }
    engines.extend(blas::engines());
    engines
}

fn embedded_engines() -> Vec<Engine> {
    engines().into_iter().filter(|engine| engine.backend() == Backend::Embedded).collect()
}

/// A product with its exact answer.
struct Problem<T> {
    m: usize,
    n: usize,
    k: usize,
    a: Vec<T>,
    b: Vec<T>,
    c: Vec<T>,
    /// A B, correctly rounded to `f64` but for a few last places.
    product: Vec<f64>,
    /// |A| |B|.
    magnitude: Vec<f64>,
}

impl<T: Float> Problem<T> {
    fn new(m: usize, n: usize, k: usize) -> Self {
        let mut rng = Rng::with_stream(20, (m * 1_000_000 + n * 1_000 + k) as u64);
        let mut draw = |len: usize| -> Vec<T> { (0..len).map(|_| rng.uniform(-1.0, 1.0)).collect() };
        let (a, b, c) = (draw(m * k), draw(k * n), draw(m * n));
        let (mut product, mut magnitude) = (vec![0.0; m * n], vec![0.0; m * n]);
        for i in 0..m {
            for j in 0..n {
                // Two-fold sums (Ogita, Rump and Oishi 2005): as if computed in twice the precision of f64, so that the
                // reference's own error is nothing beside the bound even where T is f64.
                let (mut sum, mut lost) = (0.0, 0.0);
                for p in 0..k {
                    let (x, y) = (a[i * k + p].real(), b[p * n + j].real());
                    let term = x * y;
                    let next = sum + term;
                    let back = next - sum;
                    lost += x.mul_add(y, -term) + ((sum - (next - back)) + (term - back));
                    sum = next;
                    magnitude[i * n + j] += term.abs();
                }
                product[i * n + j] = sum + lost;
            }
        }
        Self { m, n, k, a, b, c, product, magnitude }
    }

    /// Computes `alpha A B + beta C` from and into padded memory; gives C's buffer.
    fn run(&self, engine: Engine, factors: (f64, f64), layout: (bool, bool), padding: usize) -> Vec<T> {
        let &Self { m, n, k, .. } = self;
        let a = Stored::new(&self.a, m, k, layout.0, padding);
        let b = Stored::new(&self.b, k, n, layout.1, padding);
        let stride = n + padding;
        let mut c = vec![T::from_f64(GUARD); padding + m * stride + padding];
        for i in 0..m {
            let row = &mut c[padding + i * stride..][..n];
            if factors.1 == 0.0 {
                row.fill(T::from_f64(f64::NAN));
            } else {
                row.copy_from_slice(&self.c[i * n..][..n]);
            }
        }
        let view = MatMut::with_stride(&mut c[padding..], m, n, stride);
        gemm(engine, T::from_f64(factors.0), a.view(), b.view(), T::from_f64(factors.1), view);
        c
    }

    /// Compares C's buffer with the exact answer.
    fn check(&self, c: &[T], (alpha, beta): (f64, f64), padding: usize) -> Result<(), String> {
        let &Self { m, n, k, .. } = self;
        let unit_roundoff = if T::NAME == "f32" { f64::from(f32::EPSILON) } else { f64::EPSILON } / 2.0;
        let guard = T::from_f64(GUARD);
        let stride = n + padding;
        for (at, &found) in c.iter().enumerate() {
            let (i, j) = (at.wrapping_sub(padding) / stride.max(1), at.wrapping_sub(padding) % stride.max(1));
            if at < padding || i >= m || j >= n {
                if found != guard {
                    return Err(format!("outside C, element {at} of the buffer became {found}"));
                }
                continue;
            }
            let before = if beta == 0.0 { 0.0 } else { beta * self.c[i * n + j].real() };
            let expected = alpha * self.product[i * n + j] + before;
            // k roundings in the sum, and two in the factors: the a-priori bound for any order of summation.
            let bound = (k + 2) as f64 * unit_roundoff * (alpha.abs() * self.magnitude[i * n + j] + before.abs());
            let error = (found.real() - expected).abs();
            // A NaN must not pass.
            if error.is_nan() || error > bound {
                return Err(format!("C[{i}, {j}] = {found}, expected {expected} within {bound:e}"));
            }
        }
        Ok(())
    }

    fn verify(&self, engine: Engine, factors: (f64, f64), layout: (bool, bool), padding: usize) {
        let c = self.run(engine, factors, layout, padding);
        if let Err(fault) = self.check(&c, factors, padding) {
            let &Self { m, n, k, .. } = self;
            panic!(
                "{engine:?} {}: {m} x {n} x {k}, (alpha, beta) {factors:?}, transposed {layout:?}, padding {padding}: {fault}",
                T::NAME
            );
        }
    }
}

/// A matrix in memory, with NaN between its rows.
struct Stored<T> {
    data: Vec<T>,
    rows: usize,
    cols: usize,
    transposed: bool,
    padding: usize,
}

impl<T: Float> Stored<T> {
    fn new(matrix: &[T], rows: usize, cols: usize, transposed: bool, padding: usize) -> Self {
        let (outer, inner) = if transposed { (cols, rows) } else { (rows, cols) };
        let mut data = vec![T::from_f64(f64::NAN); outer * (inner + padding)];
        for i in 0..rows {
            for j in 0..cols {
                let at = if transposed { j * (inner + padding) + i } else { i * (inner + padding) + j };
                data[at] = matrix[i * cols + j];
            }
        }
        Self { data, rows, cols, transposed, padding }
    }

    fn view(&self) -> Mat<'_, T> {
        let &Self { rows, cols, padding, .. } = self;
        if self.transposed {
            Mat::with_stride(&self.data, cols, rows, rows + padding).t()
        } else {
            Mat::with_stride(&self.data, rows, cols, cols + padding)
        }
    }
}

fn all_small_shapes<T: Float>() {
    for m in 0..=9 {
        for n in 0..=9 {
            for k in 0..=9 {
                let problem = Problem::<T>::new(m, n, k);
                for engine in engines() {
                    for factors in FACTORS {
                        for layout in LAYOUTS {
                            problem.verify(engine, factors, layout, (m + n + k) % 3);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn all_small_shapes_f32() {
    all_small_shapes::<f32>();
}

#[test]
fn all_small_shapes_f64() {
    all_small_shapes::<f64>();
}

/// Around the widths of vectors and tiles, skinny, and beyond one block in each direction.
fn selected_shapes<T: Float>() {
    let edges = [1, 4, 6, 7, 15, 16, 17, 31, 33, 48, 63, 64, 65, 70];
    let mut shapes: Vec<_> = edges.iter().flat_map(|&m| edges.map(|n| (m, n, 1 + (m * 7 + n * 3) % 70))).collect();
    for n in [1, 10, 64, 300, 1000] {
        shapes.extend([(1, n, 50), (n, 1, 50), (n, 3, 5), (3, n, 1)]);
    }
    shapes.extend([(625, 625, 5), (625, 5, 625), (5, 625, 625), (45, 33, 45), (33, 45, 33)]);
    shapes.extend([
        (13, 70, DEPTH),
        (7, 66, DEPTH + 1),
        (50, 20, 2 * DEPTH + 3),
        (1010, 20, 9),
        (2020, 3, 3),
        (55, 600, 17),
    ]);
    shapes.push((9, 128 * 64 + 5, 7));
    for (m, n, k) in shapes {
        let problem = Problem::<T>::new(m, n, k);
        for engine in engines() {
            for (index, layout) in LAYOUTS.into_iter().enumerate() {
                // With alpha zero the shape is of no account.
                problem.verify(engine, FACTORS[(m + n + k + index) % 6], layout, (m + k + index) % 4);
            }
        }
    }
}

#[test]
fn selected_shapes_f32() {
    selected_shapes::<f32>();
}

#[test]
fn selected_shapes_f64() {
    selected_shapes::<f64>();
}

#[test]
fn the_check_rejects_two_elements_swapped_and_a_touched_guard() {
    let (problem, factors, padding) = (Problem::<f32>::new(5, 4, 3), (1.0, 0.0), 2);
    let right = problem.run(Engine::default(), factors, (false, false), padding);
    problem.check(&right, factors, padding).expect("the product is right");
    let mut swapped = right.clone();
    swapped.swap(padding + 1, padding + 2);
    assert!(problem.check(&swapped, factors, padding).unwrap_err().contains("C[0, 1]"));
    let mut touched = right;
    touched[padding + 4] = 0.0;
    assert!(problem.check(&touched, factors, padding).unwrap_err().contains("outside"));
}

fn identities<T: Float>() {
    for engine in engines() {
        for size in [1, 5, 16, 40, 65] {
            let problem = Problem::<T>::new(size, size, size);
            let a = Mat::new(&problem.a, size, size);
            let mut unit = vec![T::ZERO; size * size];
            (0..size).for_each(|i| unit[i * size + i] = T::ONE);
            let unit = Mat::new(&unit, size, size);
            let product = |left: Mat<'_, T>, right: Mat<'_, T>| {
                let mut c = vec![T::from_f64(f64::NAN); size * size];
                gemm(engine, T::ONE, left, right, T::ZERO, MatMut::new(&mut c, size, size));
                c
            };
            assert_eq!(product(a, unit), problem.a);
            assert_eq!(product(unit, a), problem.a);
            assert_eq!(product(a.t(), unit), product(unit, a.t()));
            // (A B)^T = B^T A^T: the same products in the same order, if both sums are fused (BLAS owes nothing).
            let b = Mat::new(&problem.b, size, size);
            let (straight, turned) = (product(a, b), product(b.t(), a.t()));
            for (i, j) in (0..size).flat_map(|i| (0..size).map(move |j| (i, j))) {
                let (x, y) = (straight[i * size + j], turned[j * size + i]);
                match engine.backend() {
                    Backend::Embedded => assert_eq!(x, y),
                    // Two roundings of the same sum: twice the bound of one, with |A||B| < size.
                    _ => assert!((x - y).real().abs() < 1e-5 * size as f64, "{x} {y}"),
                }
            }
        }
    }
}

#[test]
fn the_identity_and_the_transpose_identity() {
    identities::<f32>();
    identities::<f64>();
}

fn special_values<T: Float>(subnormal: T) {
    for engine in engines() {
        for (m, n, k) in [(3, 3, 3), (1, 5, 4), (20, 70, 20)] {
            let mut a = vec![T::ONE; m * k];
            let mut b = vec![T::ZERO; k * n];
            let mut c = vec![T::ONE; m * n];
            let mut product = |a: &[T], b: &[T]| {
                gemm(engine, T::ONE, Mat::new(a, m, k), Mat::new(b, k, n), T::ZERO, MatMut::new(&mut c, m, n));
                c.clone()
            };
            // A NaN or an infinity against zero is NaN in its whole row of C and nowhere else.
            for special in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                a[k - 1] = T::from_f64(special);
                for (at, value) in product(&a, &b).into_iter().enumerate() {
                    assert_eq!(
                        value.real().is_nan(),
                        at < n,
                        "{engine:?} {special} {m} x {n} x {k}: C[{at}] = {value}"
                    );
                }
            }
            // An infinity against ones stays one.
            a[k - 1] = T::from_f64(f64::INFINITY);
            b.fill(T::ONE);
            let with_infinity = product(&a, &b);
            assert!(with_infinity[..n].iter().all(|x| x.real() == f64::INFINITY));
            assert!(with_infinity[n..].iter().all(|&x| x == T::from_f64(k as f64)));
            // Subnormal numbers are not flushed: neither as factors nor as results.
            a.fill(T::ZERO);
            (0..m).for_each(|i| a[i * k] = subnormal);
            assert!(subnormal > T::ZERO && product(&a, &b).iter().all(|&x| x == subnormal), "{engine:?} flushes");
        }
    }
}

#[test]
fn nan_infinity_and_subnormal_numbers_go_through() {
    special_values(f32::from_bits(3));
    special_values(f64::from_bits(3));
}

#[test]
fn alpha_zero_does_not_read_the_factors_and_beta_zero_not_c() {
    let nan = [f32::NAN; 4];
    for engine in engines() {
        let mut c = [1.0, 2.0, 3.0, 4.0];
        gemm(engine, 0.0, Mat::new(&nan, 2, 2), Mat::new(&nan, 2, 2), 0.5, MatMut::new(&mut c, 2, 2));
        assert_eq!(c, [0.5, 1.0, 1.5, 2.0]);
        let mut c = nan;
        gemm(engine, 0.0, Mat::new(&nan, 2, 2), Mat::new(&nan, 2, 2), 0.0, MatMut::new(&mut c, 2, 2));
        assert_eq!(c, [0.0; 4]);
    }
}

/// Shapes on both sides of every decision that the embedded backend takes by size.
const SHARDED: [(usize, usize, usize); 6] =
    [(33, 10, 20), (64, 64, 64), (130, 100, 784), (45, 33, 2 * DEPTH + 7), (1100, 40, 16), (40, 700, 30)];

fn row_shards<T: Float>() {
    for engine in embedded_engines() {
        for (m, n, k) in SHARDED {
            let problem = Problem::<T>::new(m, n, k);
            for layout in LAYOUTS {
                let (a, b) = (Stored::new(&problem.a, m, k, layout.0, 0), Stored::new(&problem.b, k, n, layout.1, 0));
                let mut whole = vec![T::ZERO; m * n];
                gemm(engine, T::ONE, a.view(), b.view(), T::ZERO, MatMut::new(&mut whole, m, n));
                for height in [1, 2, 5, 32, 64] {
                    let mut sharded = vec![T::from_f64(f64::NAN); m * n];
                    let mut c = MatMut::new(&mut sharded, m, n);
                    for start in (0..m).step_by(height) {
                        let rows = start..m.min(start + height);
                        let shard = c.reborrow().row_range(rows.clone());
                        gemm(engine, T::ONE, a.view().row_range(rows), b.view(), T::ZERO, shard);
                    }
                    assert_eq!(sharded, whole, "{engine:?} {m} x {n} x {k} {layout:?} in shards of {height}");
                }
            }
        }
    }
}

#[test]
fn row_shards_have_the_bits_of_the_whole() {
    row_shards::<f32>();
    row_shards::<f64>();
}

fn instruction_sets<T: Float>() {
    let engines = embedded_engines();
    for (m, n, k) in SHARDED {
        let problem = Problem::<T>::new(m, n, k);
        for layout in LAYOUTS {
            for factors in [(1.0, 0.0), (1.0, 1.0), (-0.5, 0.5)] {
                let first = problem.run(engines[0], factors, layout, 1);
                for &other in &engines[1..] {
                    assert_eq!(problem.run(other, factors, layout, 1), first, "{other:?} {m} x {n} x {k} {layout:?}");
                }
            }
        }
    }
}

#[test]
fn every_instruction_set_has_the_same_bits() {
    instruction_sets::<f32>();
    instruction_sets::<f64>();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn random_shapes(
        (m, n, k) in (0..90usize, 0..90usize, 0..90usize), layout: (bool, bool), padding in 0..20usize, factors in 0..9usize,
    ) {
        let (single, double) = (Problem::<f32>::new(m, n, k), Problem::<f64>::new(m, n, k));
        for engine in engines() {
            single.verify(engine, FACTORS[factors], layout, padding);
            double.verify(engine, FACTORS[factors], layout, padding);
        }
    }
}

fn panics(work: impl FnOnce() + std::panic::UnwindSafe) -> bool {
    std::panic::catch_unwind(work).is_err()
}

#[test]
fn a_view_beyond_its_slice_cannot_be_had() {
    let data = [0.0f32; 10];
    type View = fn(&[f32]) -> Mat<'_, f32>;
    let views: [View; 8] = [
        |d| Mat::new(d, 3, 3),
        |d| Mat::new(d, usize::MAX, 2),
        |d| Mat::with_stride(d, 3, 2, 5),
        |d| Mat::with_stride(d, 2, 4, 3),
        |d| Mat::with_stride(d, usize::MAX, 1, usize::MAX),
        |d| Mat::with_stride(d, 2, 1, usize::MAX),
        |d| Mat::new(d, 5, 2).row_range(3..6),
        |d| Mat::new(d, 5, 2).t().row_range(1..3),
    ];
    for (index, view) in views.into_iter().enumerate() {
        assert!(panics(|| assert!(view(&data).rows() > 0)), "view {index}");
    }
    assert!(panics(|| assert!(MatMut::with_stride(&mut [0.0f32; 4], 2, 2, 3).rows() > 0)));
    assert!(panics(|| assert!(MatMut::new(&mut [0.0f32; 4], 2, 2).split_at_row(3).0.rows() > 0)));
}

#[test]
fn views_that_end_with_their_slice_are_had() {
    let data: Vec<f64> = (0..13).map(f64::from).collect();
    // Three rows of 3, 5 apart: the last ends at element 13.
    let a = Mat::with_stride(&data, 3, 3, 5);
    let unit = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let read = |a: Mat<'_, f64>| {
        let mut c = vec![f64::NAN; a.rows() * 3];
        let rows = a.rows();
        gemm(Engine::default(), 1.0, a, Mat::new(&unit, 3, 3), 0.0, MatMut::new(&mut c, rows, 3));
        c
    };
    assert_eq!(read(a.row_range(1..3)), [5.0, 6.0, 7.0, 10.0, 11.0, 12.0]);
    assert_eq!(read(a.t().row_range(2..3)), [2.0, 7.0, 12.0]);
    assert_eq!(read(a.row_range(3..3)), [0.0; 0]);
    let mut written = [0.0f64; 13];
    let mut c = MatMut::with_stride(&mut written, 3, 3, 5);
    let (upper, lower) = c.reborrow().split_at_row(1);
    assert_eq!((upper.rows(), lower.rows(), lower.cols()), (1, 2, 3));
    let (all, none) = c.split_at_row(3);
    assert_eq!((all.rows(), none.rows()), (3, 0));
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let square = [0.0f32; 4];
    for (b_rows, b_cols, c_cols) in [(1, 4, 4), (2, 2, 1), (4, 1, 1)] {
        assert!(panics(|| {
            let mut c = vec![0.0; 2 * c_cols];
            let b = Mat::new(&square, b_rows, b_cols);
            gemm(Engine::default(), 1.0, Mat::new(&square, 2, 2), b, 0.0, MatMut::new(&mut c, 2, c_cols));
        }));
    }
}
