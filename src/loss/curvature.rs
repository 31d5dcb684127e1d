//! Square roots of second derivatives: what the Gauss-Newton methods need of a loss.

use super::Loss;
use crate::scalar::Scalar;

/// [`LossFn::curvature_root`] of the built-in losses: the identity; `p (1 - p)` on the diagonal, whose root keeps its digits on both
/// sides; and of `diag(p) - p p'`, for a row that sums to `m`, `sqrt(m) (I - q q') diag(q)` with `q` the root of `p`, whose length is 1.
pub(super) fn root<T: Scalar>(loss: &Loss, output: &[T], target: &[T], root: &mut [T]) -> bool {
    let count = output.len();
    match loss {
        Loss::SquaredError | Loss::LogisticCrossEntropy => {
            root.fill(T::ZERO);
            for (row, (to, &o)) in root.chunks_exact_mut(count).zip(output).enumerate() {
                let squared = *loss == Loss::SquaredError;
                to[row] = if squared { T::ONE } else { (o.sigmoid() * (-o).sigmoid()).sqrt() };
            }
        }
        Loss::SoftmaxCrossEntropy => {
            let top =
                output.iter().copied().reduce(|top, o| if o.real() > top.real() { o } else { top }).unwrap_or_default();
            let (mut sum, mut mass) = (T::ZERO, T::ZERO);
            for (&o, &t) in output.iter().zip(target) {
                sum += (o - top).exp();
                mass += t;
            }
            let q = |j: usize| ((output[j] - top).exp() / sum).sqrt();
            for (i, row) in root.chunks_exact_mut(count).enumerate() {
                for (j, to) in row.iter_mut().enumerate() {
                    let identity = if i == j { T::ONE } else { T::ZERO };
                    *to = mass.sqrt() * (identity - q(i) * q(j)) * q(j);
                }
            }
        }
        _ => return false,
    }
    true
}
