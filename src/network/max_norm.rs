//! A limit on the weights that come into a unit, kept after each step.
//!
//! Row 4 of the house: imports `spec`, the engines and the ground.

use super::spec::Spec;
use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::{rows, vector};
use crate::memory::zeros;
use crate::simd::Isa;

/// The limit, and room for the norms of one layer.
///
/// The vector of the weights that come into a hidden unit, biases excluded, is scaled down to the limit wherever it is longer: projection onto
/// a ball. With dropout this allows large rates (Srivastava et al. 2014, section 5.1, with limits of 3 to 4). The output layer is free: what
/// it puts out has the unit of the targets.
#[derive(Clone, Debug)]
pub struct MaxNorm<T> {
    limit: f64,
    squares: Vec<T>,
}

impl<T: Float> MaxNorm<T> {
    /// **Errors**: a limit that is not finite or not above 0, or no memory.
    pub fn new<A: ActivationFn>(spec: &Spec<A>, limit: f64) -> Result<Self> {
        check(limit)?;
        Ok(Self { limit, squares: zeros(widest(spec), "the norms of a layer")? })
    }

    /// The bytes that [`new`](Self::new) takes.
    pub fn required_bytes<A: ActivationFn>(spec: &Spec<A>) -> u128 {
        widest(spec) as u128 * size_of::<T>() as u128
    }

    /// Scales down the weights of every hidden unit whose norm is above the limit, to the limit within rounding.
    ///
    /// **Determinism**: squares are summed in the order of the inputs, so that the bits are the same on every level; nothing is shared among
    /// threads, for it reads each weight once, which takes a hundredth of a step. A norm that is not finite is left alone: whoever checks the
    /// parameters shall find it.
    pub fn limit_norms<A: ActivationFn>(&mut self, isa: Isa, spec: &Spec<A>, params: &mut [T]) {
        let hidden = spec.layers().len() - 1;
        for block in &spec.blocks()[..hidden] {
            let weights = &mut params[block.weights.clone()];
            let factors = &mut self.squares[..block.outputs];
            factors.fill(T::ZERO);
            rows::add_column_squares(isa, weights, factors);
            let mut any = false;
            for factor in &mut *factors {
                let norm = factor.real().sqrt();
                let above = norm > self.limit && norm.is_finite();
                any |= above;
                *factor = if above { T::from_f64(self.limit / norm) } else { T::ONE };
            }
            if any {
                weights.chunks_exact_mut(block.outputs).for_each(|row| vector::multiply(isa, row, factors));
            }
        }
    }
}

/// Refuses a limit that is none.
pub fn check(limit: f64) -> Result<()> {
    match limit.is_finite() && limit > 0.0 {
        true => Ok(()),
        false => Err(Error::setting("max norm", "a finite number above 0", limit)),
    }
}

fn widest<A: ActivationFn>(spec: &Spec<A>) -> usize {
    let hidden = &spec.layers()[..spec.layers().len() - 1];
    hidden.iter().map(|layer| layer.outputs).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::network::Network;
    use crate::rng::Rng;

    fn check_limit<T: Float>(hidden: &[usize], limit: f64) {
        let spec = Spec::mlp(37, hidden, Activation::Relu, 3, Activation::Identity).unwrap();
        let before = Network::<T>::new(spec.clone(), None, &mut Rng::new(1)).unwrap();
        let mut of_all_levels = Vec::new();
        for isa in Isa::available() {
            let mut net = before.clone();
            let mut constraint = MaxNorm::new(&spec, limit).unwrap();
            constraint.limit_norms(isa, &spec, net.params_mut());
            for l in 0..spec.layers().len() {
                for (from, to) in before.weights(l).columns().into_iter().zip(net.weights(l).columns()) {
                    let norm = |column: ndarray::ArrayView1<'_, T>| {
                        column.iter().map(|w| w.real().powi(2)).sum::<f64>().sqrt()
                    };
                    let (norm_before, norm) = (norm(from), norm(to));
                    let rounding = T::either(1e-6, 1e-14) * limit;
                    if l + 1 == spec.layers().len() || norm_before < limit - rounding {
                        assert_eq!(from, to);
                    } else {
                        assert!((norm - limit).abs() <= rounding, "{norm} for {limit}");
                        // The direction stays.
                        from.iter()
                            .zip(to)
                            .for_each(|(a, b)| assert!((a.real() * limit / norm_before - b.real()).abs() <= rounding));
                    }
                }
                assert_eq!(before.bias(l), net.bias(l));
            }
            of_all_levels.push(net.params().to_vec());
        }
        assert!(of_all_levels.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn long_columns_are_cut_to_the_limit_and_short_ones_stay() {
        for limit in [0.5, 1.4, 100.0] {
            check_limit::<f32>(&[70, 5], limit);
            check_limit::<f64>(&[70, 5], limit);
            check_limit::<f32>(&[], limit);
        }
    }

    #[test]
    fn what_is_not_finite_is_left_to_others_and_bad_limits_are_refused() {
        let spec = Spec::mlp(2, &[2], Activation::Relu, 1, Activation::Identity).unwrap();
        let mut params = vec![1.0_f32; spec.parameters()];
        (params[0], params[1]) = (f32::MAX, f32::NAN);
        let before = params.clone();
        MaxNorm::new(&spec, 0.5).unwrap().limit_norms(Isa::Portable, &spec, &mut params);
        assert_eq!(params[0], before[0]);
        assert!(params[1].is_nan());
        for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let refusal = MaxNorm::<f32>::new(&spec, limit).unwrap_err().to_string();
            assert!(refusal.starts_with("max norm: expected a finite number above 0"), "{refusal}");
        }
    }
}
