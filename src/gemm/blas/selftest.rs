//! Whether a library computes: a few milliseconds of products whose answers are known.
//!
//! Row 2 of the house: imports `call` and the ground. Begin reading at [`run`].
//!
//! A distribution's BLAS was tested by who built it, on his CPU. Wrong products without any sign of it have been released for single
//! cores: sgemm with `k = 0` (OpenBLAS issue 2914), all zeros (3152), `625 x 5 x 625` on Sapphire Rapids (5267), single rows and
//! columns (0.3.16 and 0.3.17), the product with an identity on Apple's M4 (5429), NaN in C that `beta = 0` should have
//! covered (746).
//!
//! Factors are whole multiples of 2^-23 in [-1, 1], which `f32` holds; their products and the sums of up to 64 of them are whole
//! multiples of 2^-46 below 64, which `f64` holds. So the plain loop is exact, and one serves both types.

use super::call::{Cblas, Functions, Product, Stored, has_64_bit_sizes, multiply};
use crate::rng::Rng;
use crate::scalar::Scalar;

/// A bound of the memory that it takes: the largest C in both types is 4.7 MB.
pub(super) const BYTES: u128 = 8 << 20;

/// The longest sum of which the plain loop is exact.
const LONGEST: usize = 64;

/// What stands where nothing may be written.
const GUARD: f64 = 1.0e30;

/// Rows, columns and terms of the products that are tried with every transpose, padding and factor: odd, single, around the
/// widths of vectors, and none.
const SMALL: [(usize, usize, usize); 11] = [
    (1, 1, 1),
    (3, 5, 7),
    (7, 3, 5),
    (1, 33, 17),
    (33, 1, 17),
    (5, 7, 1),
    (13, 17, 31),
    (45, 33, 45),
    (16, 16, LONGEST),
    (4, 3, 0),
    (33, 17, 0),
];
const LAYOUTS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];
const FACTORS: [(f64, f64); 3] = [(1.0, 0.0), (1.0, 1.0), (-0.5, 0.5)];
/// A large product of few terms, where a release was wrong: as stored, and both transposed.
const LARGE: (usize, usize, usize) = (625, 625, 5);
const STRAIGHT_AND_TURNED: [(bool, bool); 2] = [(false, false), (true, true)];

/// How many products were right, or the first that is not.
pub(super) fn run(functions: &Functions) -> Result<usize, String> {
    if has_64_bit_sizes(functions) {
        return Err("expected integers of 32 bits, found that it reads 64".into());
    }
    let mut products = 0;
    let mut rng = Rng::new(0);
    for shape in SMALL {
        let problem = Problem::new(shape, &mut rng);
        for (padding, layout) in LAYOUTS.into_iter().enumerate() {
            for (alpha, beta) in FACTORS {
                problem.check(functions, Call { layout, padding, alpha, beta })?;
                products += 2;
            }
        }
    }
    let problem = Problem::new(LARGE, &mut rng);
    for layout in STRAIGHT_AND_TURNED {
        problem.check(functions, Call { layout, padding: 0, alpha: 1.0, beta: 0.0 })?;
        products += 2;
    }
    Ok(products)
}

/// `f32` and `f64`, as a fault is described and judged.
trait Tested: Cblas + Scalar {
    const FUNCTION: &'static str;
    const UNIT_ROUNDOFF: f64;
}

impl Tested for f32 {
    const FUNCTION: &'static str = "cblas_sgemm";
    const UNIT_ROUNDOFF: f64 = f32::EPSILON as f64 / 2.0;
}

impl Tested for f64 {
    const FUNCTION: &'static str = "cblas_dgemm";
    const UNIT_ROUNDOFF: f64 = f64::EPSILON / 2.0;
}

/// How a product is asked for.
#[derive(Clone, Copy)]
struct Call {
    /// Whether A and B are given as transposes.
    layout: (bool, bool),
    /// How much further apart rows lie than they must.
    padding: usize,
    alpha: f64,
    beta: f64,
}

/// Two matrices, and what C holds before, over and over.
struct Problem {
    m: usize,
    n: usize,
    k: usize,
    a: Vec<f64>,
    b: Vec<f64>,
    c: [f64; 61],
}

impl Problem {
    fn new((m, n, k): (usize, usize, usize), rng: &mut Rng) -> Self {
        assert!(k <= LONGEST, "a sum that would be rounded");
        const STEPS: usize = 1 << 23;
        let mut number = || (rng.below(2 * STEPS + 1) as f64 - STEPS as f64) / STEPS as f64;
        let c = std::array::from_fn(|_| number());
        let mut draw = |len: usize| -> Vec<f64> { (0..len).map(|_| number()).collect() };
        Self { m, n, k, a: draw(m * k), b: draw(k * n), c }
    }

    /// Has it computed in both types and compares.
    fn check(&self, functions: &Functions, call: Call) -> Result<(), String> {
        let (single, double) = (self.compute::<f32>(functions, call), self.compute::<f64>(functions, call));
        let apart = self.n + call.padding;
        // A row at a time, which stays in the first-level cache; whole matrices cost their pages.
        let (mut product, mut magnitude) = (vec![0.0; self.n], vec![0.0; self.n]);
        for (i, (single, double)) in single.chunks_exact(apart).zip(double.chunks_exact(apart)).enumerate() {
            self.multiply_row(i, &mut product, &mut magnitude);
            self.check_row(i, call, &product, &magnitude, single)?;
            self.check_row(i, call, &product, &magnitude, double)?;
        }
        Ok(())
    }

    /// What the library makes of it.
    fn compute<T: Tested>(&self, functions: &Functions, call: Call) -> Vec<T> {
        let &Self { m, n, k, .. } = self;
        let Call { layout, padding, alpha, beta } = call;
        let (a, a_apart) = store::<T>(&self.a, (m, k), layout.0, padding);
        let (b, b_apart) = store::<T>(&self.b, (k, n), layout.1, padding);
        let c_apart = n + padding;
        let mut c = vec![T::from_f64(GUARD); m * c_apart];
        for (i, row) in c.chunks_exact_mut(c_apart).enumerate() {
            // Where beta is zero, C must not be read.
            let before = |j: usize| if beta == 0.0 { f64::NAN } else { self.before(i, j) };
            row[..n].iter_mut().enumerate().for_each(|(j, c)| *c = T::from_f64(before(j)));
        }
        let product = Product {
            m,
            n,
            k,
            alpha: T::from_f64(alpha),
            a: Stored { data: &a, transposed: layout.0, rows_apart: a_apart },
            b: Stored { data: &b, transposed: layout.1, rows_apart: b_apart },
            beta: T::from_f64(beta),
        };
        multiply(functions, product, &mut c, c_apart);
        c
    }

    /// An element of C before.
    fn before(&self, i: usize, j: usize) -> f64 {
        self.c[(i * self.n + j) % self.c.len()]
    }

    /// A row of A B, and of |A| |B|.
    fn multiply_row(&self, i: usize, product: &mut [f64], magnitude: &mut [f64]) {
        product.fill(0.0);
        magnitude.fill(0.0);
        for (x, row) in self.a[i * self.k..][..self.k].iter().zip(self.b.chunks_exact(self.n)) {
            for ((sum, size), y) in product.iter_mut().zip(magnitude.iter_mut()).zip(row) {
                *sum += x * y;
                *size += (x * y).abs();
            }
        }
    }

    /// Compares a row of C, and what lies behind it.
    fn check_row<T: Tested>(
        &self,
        i: usize,
        call: Call,
        product: &[f64],
        magnitude: &[f64],
        row: &[T],
    ) -> Result<(), String> {
        let Call { alpha, beta, .. } = call;
        // k roundings in the sum and two in the factors, for any order of summation.
        let unit = (self.k + 2) as f64 * T::UNIT_ROUNDOFF;
        for (j, (found, (product, magnitude))) in row.iter().zip(product.iter().zip(magnitude)).enumerate() {
            let before = if beta == 0.0 { 0.0 } else { beta * self.before(i, j) };
            let (expected, bound) = (alpha * product + before, unit * (alpha.abs() * magnitude + before.abs()));
            let found = found.real();
            let error = (found - expected).abs();
            // A NaN must not pass.
            if error.is_nan() || error > bound {
                let what = format!("C[{i}, {j}]: expected {expected} within {bound:e}, found {found}");
                return Err(self.describe::<T>(call, &what));
            }
        }
        let behind = &row[self.n..];
        match behind.iter().position(|&guard| guard != T::from_f64(GUARD)) {
            None => Ok(()),
            Some(j) => {
                let what =
                    format!("element {} behind row {i} of C: expected no change, found {}", j + 1, behind[j].real());
                Err(self.describe::<T>(call, &what))
            }
        }
    }

    /// A fault, and the product in which it is.
    fn describe<T: Tested>(&self, call: Call, what: &str) -> String {
        let &Self { m, n, k, .. } = self;
        let Call { layout, padding, alpha, beta } = call;
        let stored = |transposed: bool| if transposed { "transposed" } else { "as stored" };
        format!(
            "{} of {m} x {k} times {k} x {n}, A {}, B {}, padding {padding}, alpha {alpha}, beta {beta}: \
             {what}",
            T::FUNCTION,
            stored(layout.0),
            stored(layout.1)
        )
    }
}

/// A matrix in memory, with NaN behind its rows, and how far apart they begin.
fn store<T: Tested>(matrix: &[f64], (rows, cols): (usize, usize), transposed: bool, padding: usize) -> (Vec<T>, usize) {
    let (outer, inner) = if transposed { (cols, rows) } else { (rows, cols) };
    let apart = (inner + padding).max(1);
    let mut data = vec![T::from_f64(f64::NAN); outer * apart];
    for (i, row) in matrix.chunks_exact(cols.max(1)).enumerate() {
        for (j, &number) in row.iter().enumerate() {
            data[if transposed { j * apart + i } else { i * apart + j }] = T::from_f64(number);
        }
    }
    (data, apart)
}
