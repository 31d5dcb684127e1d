//! Cross-entropies of logits, and their focal kin (Lin et al. 2017), which give less to a row the surer the network is of it.

use crate::scalar::Scalar;

/// Turns logits into `exp(o - top)`, `top` being the largest; its place, and the sum of the others.
fn exponentials<T: Scalar>(output: &[T], to: &mut [T]) -> (usize, T) {
    let mut first = 0;
    for (j, o) in output.iter().enumerate() {
        if o.real() > output[first].real() {
            first = j;
        }
    }
    let top = output[first];
    let mut rest = T::ZERO;
    for (j, (&o, to)) in output.iter().zip(to.iter_mut()).enumerate() {
        *to = (o - top).exp();
        if j != first {
            rest += *to;
        }
    }
    (first, rest)
}

/// The cross-entropy of a softmax. With `top` the largest logit and `rest` the sum of `exp(o - top)` over the others,
/// `ln(sum(exp(o)))` is `top + ln(1 + rest)`: value and gradient keep their digits however sure the network is, where
/// `1 + rest` has none of them left.
pub(super) fn softmax<T: Scalar>(output: &[T], target: &[T], delta: &mut [T]) -> T {
    let (first, rest) = exponentials(output, delta);
    let (top, log_sum) = (output[first], rest.ln_1p());
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
pub(super) fn logistic<T: Scalar>(o: T, t: T) -> (T, T) {
    if t == T::ZERO {
        (o.softplus(), o.sigmoid())
    } else if t == T::ONE {
        ((-o).softplus(), -(-o).sigmoid())
    } else {
        (t * (-o).softplus() + (T::ONE - t) * o.softplus(), o.sigmoid() - t)
    }
}

/// `q^gamma`; nothing of nothing, but for `gamma` 0. A small whole power is a product: of `exp(gamma ln q)` the exponent is rounded.
fn focus<T: Scalar>(q: T, log: impl FnOnce() -> T, gamma: f64) -> T {
    match gamma {
        0.0 => T::ONE,
        _ if q.real() == 0.0 => T::ZERO,
        1.0 => q,
        2.0 => q * q,
        _ => (T::from_f64(gamma) * log()).exp(),
    }
}

/// `p x`, also where the one is 0 and the other infinite.
fn part<T: Scalar>(p: T, x: T) -> T {
    if p.real() == 0.0 { T::ZERO } else { p * x }
}

/// The focal loss of a sigmoid for one logit, and its slope.
///
/// Of the class that is true, with the logit `z` for it, `p = sigmoid(z)` and `q = sigmoid(-z)`, the value is `q^gamma softplus(-z)`
/// and the slope `-q^gamma (gamma p softplus(-z) + q)`: no term is a difference. A target between 0 and 1 is a mixture of both.
pub(super) fn focal<T: Scalar>(o: T, t: T, gamma: f64) -> (T, T) {
    let of_logit = |z: T| {
        let (p, q, cost) = (z.sigmoid(), (-z).sigmoid(), (-z).softplus());
        let focus = focus(q, || -z.softplus(), gamma);
        (focus * cost, -(focus * (T::from_f64(gamma) * part(p, cost) + q)))
    };
    if t == T::ONE {
        return of_logit(o);
    }
    let (for_no, minus_slope) = of_logit(-o);
    if t == T::ZERO {
        return (for_no, -minus_slope);
    }
    let (for_yes, slope) = of_logit(o);
    (t * for_yes + (T::ONE - t) * for_no, t * slope - (T::ONE - t) * minus_slope)
}

/// The focal loss of a softmax, `sum(t q^gamma l)` with `l = -ln p` and `q = 1 - p` of each class.
///
/// With `g = q^gamma (1 + gamma p l / q)`, what a class's loss falls by as `ln p` grows, the gradient is
/// `p_j sum_k(t_k g_k) - t_j g_j`, and without the difference `p_j sum_(k != j)(t_k g_k) - t_j g_j q_j`.
pub(super) fn softmax_focal<T: Scalar>(output: &[T], target: &[T], delta: &mut [T], gamma: f64) -> T {
    let (first, rest) = exponentials(output, delta);
    let (top, log_sum, sum) = (output[first], rest.ln_1p(), T::ONE + rest);
    // Of class j with e = exp(o - top): its loss, and g.
    let of_class = |j: usize, e: T| {
        let (p, q) = chances(e, rest, sum, j == first);
        let log = || if j == first { rest.ln() - log_sum } else { (-p).ln_1p() };
        let (focus, cost) = (focus(q, log, gamma), log_sum - (output[j] - top));
        let along = if q.real() == 0.0 { T::ZERO } else { part(p, cost) / q };
        (focus * cost, focus * (T::ONE + T::from_f64(gamma) * along))
    };
    let (mut value, mut all) = (T::ZERO, T::ZERO);
    for (j, (&t, &e)) in target.iter().zip(&*delta).enumerate() {
        // A class without mass adds nothing, even where its logit is minus infinity.
        if t != T::ZERO {
            let (loss, g) = of_class(j, e);
            value += t * loss;
            all += t * g;
        }
    }
    for (j, (&t, d)) in target.iter().zip(delta).enumerate() {
        let (p, q) = chances(*d, rest, sum, j == first);
        let own = if t == T::ZERO { T::ZERO } else { t * of_class(j, *d).1 };
        *d = p * (all - own) - own * q;
    }
    value
}

/// The probability of a class, and of all others: for the likeliest their sum, for the rest, of at most 1/2, a difference that keeps its
/// digits.
fn chances<T: Scalar>(e: T, rest: T, sum: T, is_first: bool) -> (T, T) {
    let p = e / sum;
    (p, if is_first { rest / sum } else { T::ONE - p })
}
