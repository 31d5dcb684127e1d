//! Sweeps over the rows of a row-major matrix.

use crate::simd::{Isa, Vectorized};

/// Fills each row of `x` (rows of `row.len()` columns) with `row`.
pub fn broadcast<T: Vectorized>(_isa: Isa, x: &mut [T], row: &[T]) {
    x.chunks_exact_mut(row.len()).for_each(|r| r.copy_from_slice(row));
}

/// `sums[j] <- sum over the rows of x[row][j]`, rows added in order from the first.
pub fn column_sums<T: Vectorized>(_isa: Isa, x: &[T], sums: &mut [T]) {
    sums.fill(T::ZERO);
    for row in x.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(s, &x)| *s += x);
    }
}

/// Each row of `x` (of `cols` columns) `<- softmax(row)`: finite for every finite input.
pub fn softmax<T: Vectorized>(_isa: Isa, x: &mut [T], cols: usize) {
    for row in x.chunks_exact_mut(cols) {
        let top = row.iter().fold(row[0], |m, &v| if v > m || v != v { v } else { m });
        let mut sum = T::ZERO;
        for v in row.iter_mut() {
            *v = (*v - top).exp();
            sum += *v;
        }
        row.iter_mut().for_each(|v| *v /= sum);
    }
}

/// The gradient through a softmax, row by row: `delta_j <- a_j (delta_j - sum_k delta_k a_k)`.
pub fn softmax_backward<T: Vectorized>(_isa: Isa, a: &[T], delta: &mut [T], cols: usize) {
    for (a, delta) in a.chunks_exact(cols).zip(delta.chunks_exact_mut(cols)) {
        let mean = a.iter().zip(delta.iter()).fold(T::ZERO, |s, (&a, &d)| a.mul_add(d, s));
        delta.iter_mut().zip(a).for_each(|(d, &a)| *d = a * (*d - mean));
    }
}
