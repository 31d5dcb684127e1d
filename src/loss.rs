//! Loss functions: the closed list [`Loss`], and the open door [`LossFn`] for anybody's own.
//!
//! A loss speaks of one row and knows neither means nor weights: those are applied in one place, in
//! [`pass`](crate::network::pass). Row 3 of the house: imports `activation` and the ground.

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::row_loss::RowLoss;
use crate::scalar::Scalar;
use crate::simd::Isa;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Debug};

/// How wrong one row of outputs is.
///
/// ```
/// use deltarule::gradcheck;
/// use deltarule::loss::LossFn;
/// use deltarule::scalar::Scalar;
///
/// /// Logarithm of the hyperbolic cosine of the error, summed over outputs.
/// #[derive(Clone, Debug)]
/// struct LogCosh;
///
/// impl LossFn for LogCosh {
///     fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
///         let mut sum = T::ZERO;
///         for ((&o, &t), d) in output.iter().zip(target).zip(delta) {
///             let e = (o - t).abs();
///             sum += e + (-(e + e)).exp().ln_1p() - T::from_f64(std::f64::consts::LN_2);
///             *d = (o - t).tanh();
///         }
///         sum
///     }
/// }
///
/// let (output, target) = ([0.3, -1.2], [1.0, 0.5]);
/// let mut gradient = [0.0; 2];
/// LogCosh.row(&output, &target, &mut gradient);
/// let value = |o: &[f64]| LogCosh.row(o, &target, &mut [0.0; 2]);
/// gradcheck::check(value, &gradient, &output, &Default::default()).require().unwrap();
/// ```
pub trait LossFn: Clone + Debug + Send + Sync + 'static {
    /// The loss of one row, summed over its outputs; writes the gradient with respect to `output` to `delta`.
    ///
    /// **Shapes**: all three have as many elements as the network has outputs. **Overwrites** `delta`.
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T;

    /// The losses of several rows, each as [`row`](Self::row) has it, and their gradients.
    ///
    /// **Shapes**: `output`, `target` and `delta` rows x `cols`; a place in `losses` for each row. **Overwrites** `delta` and `losses`.
    fn rows<T: Float>(&self, isa: Isa, output: &[T], target: &[T], delta: &mut [T], cols: usize, losses: &mut [T]) {
        let _ = isa;
        one_by_one(self, output, target, delta, cols, losses);
    }

    /// The output activation whose input this loss reads: where a network ends in it, the loss is given the weighted
    /// sums themselves, so that it stays finite and its gradient simple. With any other output activation the loss is
    /// given the outputs.
    fn link(&self) -> Option<Activation> {
        None
    }

    /// Which of its smooth pieces a row lies in, as any number that differs between them.
    /// What it is for is told at [`ActivationFn::piece`](crate::activation::ActivationFn::piece).
    fn piece(&self, output: &[f64], target: &[f64]) -> u64 {
        let _ = (output, target);
        0
    }

    /// Whether there is more than one piece; `None`, the default, says that [`piece`](Self::piece) tells nothing.
    fn is_piecewise(&self) -> Option<bool> {
        None
    }

    /// A square root of the loss's second derivative with respect to `output`: rows `s` with `sum s s'` equal to it. What the
    /// Gauss-Newton methods need of a loss; `false`, the default, writes nothing and refuses them.
    ///
    /// **Shapes**: `root` outputs x outputs. **Overwrites** `root`.
    fn curvature_root<T: Scalar>(&self, output: &[T], target: &[T], root: &mut [T]) -> bool {
        let _ = (output, target, root);
        false
    }

    /// Whether it is half the sum of squared errors, so that its second derivative is 1 wherever the outputs are.
    fn is_squared_error(&self) -> bool {
        false
    }

    /// Whether its constants are in their range.
    ///
    /// **Errors** name the constant.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// What a target must be for this loss to mean anything, as an error if `target` is not.
    fn check_target(&self, target: &[f64]) -> Result<()> {
        let _ = target;
        Ok(())
    }
}

/// [`LossFn::rows`], row after row.
fn one_by_one<T: Scalar, L: LossFn>(
    loss: &L,
    output: &[T],
    target: &[T],
    delta: &mut [T],
    cols: usize,
    losses: &mut [T],
) {
    let rows = output.chunks_exact(cols).zip(target.chunks_exact(cols)).zip(delta.chunks_exact_mut(cols));
    losses.iter_mut().zip(rows).for_each(|(to, ((output, target), delta))| *to = loss.row(output, target, delta));
}

/// The built-in losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Loss {
    /// Half the square of the error, summed over outputs.
    #[default]
    SquaredError,
    /// The absolute error, summed over outputs; its slope at 0 is taken as 0.
    AbsoluteError,
    /// Half the square up to `delta`, then linear with slope `delta` (Huber 1964).
    Huber {
        /// Where the square ends.
        delta: f64,
    },
    /// `-t ln(s) - (1 - t) ln(1 - s)` with `s = sigmoid(logit)`, summed over outputs: binary and multi-label targets
    /// in `0..=1`. Reads logits.
    LogisticCrossEntropy,
    /// `-sum(t ln(p))` with `p = softmax(logits)`: targets that are distributions, such as one-hot rows. Reads logits.
    SoftmaxCrossEntropy,
}

impl Loss {
    /// Every built-in loss, with the constants its users expect.
    pub const ALL: [Self; 5] = [
        Self::SquaredError,
        Self::AbsoluteError,
        Self::Huber { delta: 1.0 },
        Self::LogisticCrossEntropy,
        Self::SoftmaxCrossEntropy,
    ];

    /// Reads a name such as `squared_error`, `huber` or `huber=0.5`.
    ///
    /// **Errors** name the list.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = || {
            let names: Vec<_> = Self::ALL.iter().map(Self::name).collect();
            Error::setting("loss", format!("one of {}", names.join(", ")), format!("'{text}'"))
        };
        if let Some(number) = text.strip_prefix("huber=") {
            let delta = number.parse().ok().filter(|d: &f64| d.is_finite() && *d > 0.0).ok_or_else(refuse)?;
            return Ok(Self::Huber { delta });
        }
        Self::ALL.into_iter().find(|l| l.name() == text).ok_or_else(refuse)
    }

    /// The name without constants.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SquaredError => "squared_error",
            Self::AbsoluteError => "absolute_error",
            Self::Huber { .. } => "huber",
            Self::LogisticCrossEntropy => "logistic_cross_entropy",
            Self::SoftmaxCrossEntropy => "softmax_cross_entropy",
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Huber { delta } => write!(f, "huber={delta}"),
            _ => f.write_str(self.name()),
        }
    }
}

/// The sum over outputs of a loss that looks at each error alone: `one` gives value and slope.
fn each_error<T: Scalar>(output: &[T], target: &[T], delta: &mut [T], one: impl Fn(T) -> (T, T)) -> T {
    let mut sum = T::ZERO;
    for ((&o, &t), d) in output.iter().zip(target).zip(delta) {
        let (value, slope) = one(o - t);
        sum += value;
        *d = slope;
    }
    sum
}

/// The sign, 0 at 0, NaN for NaN.
fn sign<T: Scalar>(x: T) -> T {
    match x.real() {
        r if r > 0.0 => T::ONE,
        r if r < 0.0 => -T::ONE,
        _ => x,
    }
}

/// The cross-entropy of a softmax. With `top` the largest logit and `rest` the sum of `exp(o - top)` over the others,
/// `ln(sum(exp(o)))` is `top + ln(1 + rest)`: value and gradient keep their digits however sure the network is, where
/// `1 + rest` has none of them left.
fn softmax_cross_entropy<T: Scalar>(output: &[T], target: &[T], delta: &mut [T]) -> T {
    let mut first = 0;
    for (j, o) in output.iter().enumerate() {
        if o.real() > output[first].real() {
            first = j;
        }
    }
    let top = output[first];
    let mut rest = T::ZERO;
    for (j, (&o, d)) in output.iter().zip(delta.iter_mut()).enumerate() {
        *d = (o - top).exp();
        if j != first {
            rest += *d;
        }
    }
    let log_sum = rest.ln_1p();
    let (mut value, mut mass) = (T::ZERO, T::ZERO);
    for (&o, &t) in output.iter().zip(target) {
        // A class without mass adds nothing, even where its logit is minus infinity.
        if t != T::ZERO {
            value += t * (log_sum - (o - top));
            mass += t;
        }
    }
    let sum = T::ONE + rest;
    let share = mass / sum;
    delta.iter_mut().zip(target).for_each(|(d, &t)| *d = *d * share - t);
    // For the largest, `mass / sum - t` without the difference of two numbers near 1.
    let t = target[first];
    delta[first] = ((mass - t) - t * rest) / sum;
    value
}

/// The sigmoid's cross-entropy for one logit, and its slope: each term keeps its digits, where `softplus(o) - t o` and
/// `sigmoid(o) - t` would cancel once the network is right.
fn logistic_cross_entropy<T: Scalar>(o: T, t: T) -> (T, T) {
    if t == T::ZERO {
        (o.softplus(), o.sigmoid())
    } else if t == T::ONE {
        ((-o).softplus(), -(-o).sigmoid())
    } else {
        (t * (-o).softplus() + (T::ONE - t) * o.softplus(), o.sigmoid() - t)
    }
}

/// [`LossFn::curvature_root`] of the built-in losses: the identity; `p (1 - p)` on the diagonal, whose root keeps its digits on both
/// sides; and of `diag(p) - p p'`, for a row that sums to `m`, `sqrt(m) (I - q q') diag(q)` with `q` the root of `p`, whose length is 1.
fn curvature_root<T: Scalar>(loss: &Loss, output: &[T], target: &[T], root: &mut [T]) -> bool {
    let count = output.len();
    match loss {
        Loss::AbsoluteError | Loss::Huber { .. } => return false,
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
    }
    true
}

impl LossFn for Loss {
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
        match *self {
            Self::SquaredError => each_error(output, target, delta, |e| (T::from_f64(0.5) * e * e, e)),
            Self::AbsoluteError => each_error(output, target, delta, |e| (e.abs(), sign(e))),
            Self::Huber { delta: knee } => {
                let (half, knee) = (T::from_f64(0.5), T::from_f64(knee));
                each_error(output, target, delta, |e| {
                    if e.abs().real() <= knee.real() {
                        (half * e * e, e)
                    } else {
                        (knee * (e.abs() - half * knee), knee * sign(e))
                    }
                })
            }
            Self::LogisticCrossEntropy => {
                let mut sum = T::ZERO;
                for ((&o, &t), d) in output.iter().zip(target).zip(delta) {
                    let (value, slope) = logistic_cross_entropy(o, t);
                    sum += value;
                    *d = slope;
                }
                sum
            }
            Self::SoftmaxCrossEntropy => softmax_cross_entropy(output, target, delta),
        }
    }

    fn rows<T: Float>(&self, isa: Isa, output: &[T], target: &[T], delta: &mut [T], cols: usize, losses: &mut [T]) {
        let kernel = match self {
            Self::SquaredError => RowLoss::SquaredError,
            Self::LogisticCrossEntropy => RowLoss::LogisticCrossEntropy,
            Self::SoftmaxCrossEntropy => RowLoss::SoftmaxCrossEntropy,
            Self::AbsoluteError | Self::Huber { .. } => {
                return one_by_one(self, output, target, delta, cols, losses);
            }
        };
        delta.copy_from_slice(output);
        kernel.apply(isa, target, delta, cols, losses);
    }

    fn link(&self) -> Option<Activation> {
        match self {
            Self::LogisticCrossEntropy => Some(Activation::Sigmoid),
            Self::SoftmaxCrossEntropy => Some(Activation::Softmax),
            _ => None,
        }
    }

    fn is_piecewise(&self) -> Option<bool> {
        Some(matches!(self, Self::AbsoluteError | Self::Huber { .. }))
    }

    fn curvature_root<T: Scalar>(&self, output: &[T], target: &[T], root: &mut [T]) -> bool {
        curvature_root(self, output, target, root)
    }

    fn is_squared_error(&self) -> bool {
        *self == Self::SquaredError
    }

    fn piece(&self, output: &[f64], target: &[f64]) -> u64 {
        let knee = match *self {
            Self::AbsoluteError => 0.0,
            Self::Huber { delta } => delta,
            _ => return 0,
        };
        // Below, inside or above, output by output; a number of base 3 that may wrap, for it need only differ.
        let side = |(o, t): (&f64, &f64)| u64::from(o - t > -knee) + u64::from(o - t > knee);
        output.iter().zip(target).map(side).fold(0, |piece, side| piece.wrapping_mul(3).wrapping_add(side))
    }

    fn check(&self) -> Result<()> {
        match *self {
            Self::Huber { delta } if !(delta.is_finite() && delta > 0.0) => {
                Err(Error::setting("delta of huber", "a finite number above 0", delta))
            }
            _ => Ok(()),
        }
    }

    fn check_target(&self, target: &[f64]) -> Result<()> {
        let refuse = |expected: &str, found: f64| Err(Error::shape(format!("target of {self}"), expected, found));
        if let Some(&bad) = target.iter().find(|t| !t.is_finite()) {
            return refuse("a finite number", bad);
        }
        let outside = target.iter().find(|t| !(0.0..=1.0).contains(*t));
        if let (Self::LogisticCrossEntropy | Self::SoftmaxCrossEntropy, Some(&bad)) = (self, outside) {
            return refuse("a number in 0..=1", bad);
        }
        if *self == Self::SoftmaxCrossEntropy {
            let sum: f64 = target.iter().sum();
            // f32 rows of up to 10^4 classes sum to one within this.
            if (sum - 1.0).abs() > 1e-3 {
                return refuse("a row that sums to 1", sum);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::simd::VIRTUAL_LANES;

    /// Units of the type's last place: roundings of a handful of operations, and of sums over the columns. Of `f64` the reference has
    /// errors of its own: it rounds a distance of 160 between two logits before it takes the exponential.
    const TOLERANCE: (f64, f64) = (8.0, 200.0);

    fn rows_agree<T: Float>(loss: &Loss, rows: usize, cols: usize, scale: f64) {
        let mut rng = Rng::with_stream(8, (rows * 1000 + cols) as u64);
        let logits: Vec<T> = (0..rows * cols).map(|_| rng.uniform(-scale, scale)).collect();
        let mut target = vec![T::ZERO; rows * cols];
        for (i, row) in target.chunks_exact_mut(cols).enumerate() {
            // Certain of one class, or spread over two.
            row[i % cols] = T::from_f64(if i % 3 == 0 { 0.75 } else { 1.0 });
            row[(i + 1) % cols] += T::from_f64(if i % 3 == 0 { 0.25 } else { 0.0 });
        }
        let unit = T::either(f64::from(f32::EPSILON), f64::EPSILON)
            * (T::either(TOLERANCE.0, TOLERANCE.1) + (cols / VIRTUAL_LANES) as f64);
        let mut first: Option<(Vec<T>, Vec<T>)> = None;
        for isa in Isa::available() {
            let (mut delta, mut losses) = (vec![T::from_f64(f64::NAN); rows * cols], vec![T::from_f64(f64::NAN); rows]);
            loss.rows(isa, &logits, &target, &mut delta, cols, &mut losses);
            for (i, &found) in losses.iter().enumerate() {
                let row = i * cols..(i + 1) * cols;
                let wide = |x: &[T]| x.iter().map(|x| x.real()).collect::<Vec<f64>>();
                let mut exact = vec![0.0; cols];
                let value = loss.row(&wide(&logits[row.clone()]), &wide(&target[row.clone()]), &mut exact);
                let error = (found.real() - value).abs();
                assert!(error <= unit * value.abs(), "{isa} {loss} {cols} columns, row {i}: {found:?} for {value}");
                for ((found, exact), t) in delta[row.clone()].iter().zip(exact).zip(&target[row]) {
                    let error = (found.real() - exact).abs();
                    // Of a target that is not certain the gradient is a difference.
                    let size = if t.real() % 1.0 == 0.0 { exact.abs() } else { exact.abs().max(1.0) };
                    assert!(error <= unit * size.max(1e-30), "{isa} {loss} {cols} columns: {found:?} for {exact}");
                }
            }
            match &first {
                None => first = Some((delta, losses)),
                Some(first) => assert_eq!(first, &(delta, losses), "{isa}"),
            }
        }
    }

    #[test]
    fn rows_by_vectors_are_rows_one_by_one() {
        for loss in Loss::ALL {
            for cols in [1, 2, 3, 10, 31, 33, 100] {
                for (rows, scale) in [(1, 1.0), (5, 20.0), (17, 80.0), (40, 3.0)] {
                    rows_agree::<f32>(&loss, rows, cols, scale);
                    rows_agree::<f64>(&loss, rows, cols, scale);
                }
            }
        }
    }

    #[test]
    fn logits_of_any_size_give_a_finite_loss_and_nan_stays_in_its_row() {
        for loss in [Loss::LogisticCrossEntropy, Loss::SoftmaxCrossEntropy] {
            for cols in [1, 4, 40] {
                let mut logits = vec![0.0f32; 5 * cols];
                for (i, row) in logits.chunks_exact_mut(cols).enumerate() {
                    row.fill([1e4, -1e4, 88.8, f32::NAN, -88.8][i]);
                    row[0] = if i == 1 { f32::NEG_INFINITY } else { row[0] };
                }
                let mut target = vec![0.0f32; logits.len()];
                target.chunks_exact_mut(cols).for_each(|row| row[cols - 1] = if cols > 1 { 1.0 } else { 0.0 });
                let (mut delta, mut losses) = (logits.clone(), vec![0.0; 5]);
                loss.rows(Isa::current(), &logits, &target, &mut delta, cols, &mut losses);
                for (i, value) in losses.iter().enumerate() {
                    assert_eq!(value.is_nan(), i == 3, "{loss} {cols} columns, row {i}: {value}");
                    assert!(value.is_nan() || value.is_finite(), "{loss} {cols} columns, row {i}: {value}");
                }
            }
        }
    }
}
