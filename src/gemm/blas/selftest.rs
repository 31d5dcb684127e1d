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

/// A bound of the memory that it takes: product and magnitudes of the largest shape, its factors and C in `f64`.
pub(super) const BYTES: u128 = 16 << 20;

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
/// Thick products of few terms, where releases were wrong: as stored, and both transposed.
const LARGE: [(usize, usize, usize); 1] = [(625, 625, 5)];
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
        for (at, layout) in LAYOUTS.into_iter().enumerate() {
            for factors in FACTORS {
                problem.check::<f32>(functions, layout, at % 3, factors)?;
                problem.check::<f64>(functions, layout, at % 3, factors)?;
                products += 2;
            }
        }
    }
    for shape in LARGE {
        let problem = Problem::new(shape, &mut rng);
        for layout in STRAIGHT_AND_TURNED {
            problem.check::<f32>(functions, layout, 0, FACTORS[0])?;
            problem.check::<f64>(functions, layout, 0, FACTORS[0])?;
            products += 2;
        }
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

/// A product with its answer.
struct Problem {
    m: usize,
    n: usize,
    k: usize,
    a: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
    /// A B.
    product: Vec<f64>,
    /// |A| |B|.
    magnitude: Vec<f64>,
}

impl Problem {
    fn new((m, n, k): (usize, usize, usize), rng: &mut Rng) -> Self {
        assert!(k <= LONGEST, "a sum that would be rounded");
        const STEPS: usize = 1 << 23;
        let mut draw = |len: usize| -> Vec<f64> {
            (0..len).map(|_| (rng.below(2 * STEPS + 1) as f64 - STEPS as f64) / STEPS as f64).collect()
        };
        let (a, b, c) = (draw(m * k), draw(k * n), draw(m * n));
        let (mut product, mut magnitude) = (vec![0.0; m * n], vec![0.0; m * n]);
        for i in 0..m {
            let (sums, sizes) = (&mut product[i * n..][..n], &mut magnitude[i * n..][..n]);
            for p in 0..k {
                let x = a[i * k + p];
                for ((sum, size), y) in sums.iter_mut().zip(sizes.iter_mut()).zip(&b[p * n..][..n]) {
                    *sum += x * y;
                    *size += (x * y).abs();
                }
            }
        }
        Self { m, n, k, a, b, c, product, magnitude }
    }

    /// Has it computed from and into rows that lie `padding` further apart than they must, and compares.
    fn check<T: Tested>(
        &self,
        functions: &Functions,
        layout: (bool, bool),
        padding: usize,
        (alpha, beta): (f64, f64),
    ) -> Result<(), String> {
        let &Self { m, n, k, .. } = self;
        let (a, a_apart) = store::<T>(&self.a, (m, k), layout.0, padding);
        let (b, b_apart) = store::<T>(&self.b, (k, n), layout.1, padding);
        let c_apart = n + padding;
        let mut c = vec![T::from_f64(GUARD); m * c_apart];
        for (row, values) in c.chunks_exact_mut(c_apart).zip(self.c.chunks_exact(n)) {
            // Where beta is zero, C must not be read.
            row.iter_mut().zip(values).for_each(|(c, &v)| *c = T::from_f64(if beta == 0.0 { f64::NAN } else { v }));
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

        let fault = |what: String| {
            let stored = |transposed: bool| if transposed { "transposed" } else { "as stored" };
            Err(format!(
                "{} of {m} x {k} times {k} x {n}, A {}, B {}, rows {padding} elements longer than needed, alpha {alpha}, beta \
                 {beta}: {what}",
                T::FUNCTION,
                stored(layout.0),
                stored(layout.1)
            ))
        };
        // k roundings in the sum and two in the factors, for any order of summation.
        let unit = (k + 2) as f64 * T::UNIT_ROUNDOFF;
        for (i, row) in c.chunks_exact(c_apart).enumerate() {
            let answers = self.product[i * n..].iter().zip(&self.magnitude[i * n..]).zip(&self.c[i * n..]);
            for (j, (found, ((product, magnitude), before))) in row[..n].iter().zip(answers).enumerate() {
                let before = beta * before;
                let (expected, bound) = (alpha * product + before, unit * (alpha.abs() * magnitude + before.abs()));
                let error = (found.real() - expected).abs();
                // A NaN must not pass.
                if error.is_nan() || error > bound {
                    let found = found.real();
                    return fault(format!("C[{i}, {j}]: expected {expected} within {bound:e}, found {found}"));
                }
            }
            if let Some(j) = row[n..].iter().position(|&guard| guard.real() != T::from_f64(GUARD).real()) {
                let found = row[n + j].real();
                return fault(format!("{j} elements behind row {i} of C: expected no change, found {found}"));
            }
        }
        Ok(())
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
