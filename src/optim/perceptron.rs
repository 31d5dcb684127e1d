//! Rosenblatt's rule: a layer of threshold units learns from its mistakes alone.
//!
//! Where a line (a hyperplane) separates the classes the rule finds one after finitely many mistakes; where none does,
//! it never comes to rest. It needs no gradient and no learning rate that matters. Begin reading at
//! [`Perceptron::pass`].
//!
//! **Source**: Rosenblatt 1958, The perceptron (Psychological Review 65, 386-408); that it ends, Novikoff 1962.

use super::zeros;
use crate::error::{Error, Result};
use crate::kernel::vector;
use crate::simd::{Isa, Vectorized};

/// The rule for one layer of units that fire (1) where `x weights + bias` is above 0, and else do not (0).
///
/// ```
/// use deltarule::{optim::perceptron::Perceptron, simd::Isa};
///
/// let x = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
/// let and = [0.0, 0.0, 0.0, 1.0];
/// let (mut weights, mut bias) = ([0.0; 2], [0.0]);
/// let fit = Perceptron::<f64>::new(2, 1)?.fit(Isa::current(), 100, &x, &and, &mut weights, &mut bias)?;
/// assert!(fit.separated());
/// # Ok::<(), deltarule::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Perceptron<T> {
    inputs: usize,
    outputs: usize,
    /// What each unit missed in the row at hand: 1 should have fired, -1 should not have, 0 was right.
    errors: Vec<T>,
}

/// How a [`fit`](Perceptron::fit) ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Passes over the rows, the last one included.
    pub passes: usize,
    /// Mistakes of the last pass.
    pub mistakes: usize,
}

impl Fit {
    /// Whether the last pass was without a mistake: the units separate the rows.
    pub fn separated(&self) -> bool {
        self.passes > 0 && self.mistakes == 0
    }
}

impl<T: Vectorized> Perceptron<T> {
    /// The rule for `outputs` units of `inputs` inputs each.
    ///
    /// **Errors** if either is 0 or memory is short.
    pub fn new(inputs: usize, outputs: usize) -> Result<Self> {
        for (name, found) in [("inputs", inputs), ("outputs", outputs)] {
            if found == 0 {
                return Err(Error::setting(name, "at least 1", found));
            }
        }
        Ok(Self { inputs, outputs, errors: zeros(outputs, 1, "the perceptron's errors")? })
    }

    /// Passes over the rows, in order, until one is without a mistake or `max_passes` are done.
    ///
    /// **Shapes**, **Errors**: as [`pass`](Self::pass).
    pub fn fit(
        &mut self,
        isa: Isa,
        max_passes: usize,
        x: &[T],
        targets: &[T],
        weights: &mut [T],
        bias: &mut [T],
    ) -> Result<Fit> {
        let mut fit = Fit { passes: 0, mistakes: 0 };
        while fit.passes < max_passes && !fit.separated() {
            fit = Fit { passes: fit.passes + 1, mistakes: self.pass(isa, x, targets, weights, bias)? };
        }
        Ok(fit)
    }

    /// Passes once over the rows, in order, and gives the number of mistakes (a row counts once for each unit).
    ///
    /// Each unit adds to its weights what it missed times the row: a row on which it should have fired is added,
    /// one on which it should not have is subtracted. There is no rate: from zero weights it would scale every weight
    /// alike and change no decision.
    ///
    /// **Shapes**: `x`: rows x inputs; `targets`: rows x outputs, each 0 or 1; `weights`: inputs x outputs; `bias`:
    /// outputs.
    ///
    /// **Overwrites** `weights` and `bias`.
    ///
    /// **Errors** if shapes disagree, an input is not finite or a target neither 0 nor 1; then nothing was changed.
    pub fn pass(&mut self, isa: Isa, x: &[T], targets: &[T], weights: &mut [T], bias: &mut [T]) -> Result<usize> {
        self.check(x, targets, weights, bias)?;
        let mut mistakes = 0;
        for (row, targets) in x.chunks_exact(self.inputs).zip(targets.chunks_exact(self.outputs)) {
            let errors = &mut self.errors[..];
            errors.copy_from_slice(bias);
            for (&x, weights) in row.iter().zip(weights.chunks_exact(self.outputs)) {
                vector::axpy(isa, x, weights, errors);
            }
            for (error, &target) in errors.iter_mut().zip(targets) {
                let fired = if *error > T::ZERO { T::ONE } else { T::ZERO };
                *error = target - fired;
            }
            let missed = errors.iter().filter(|&&e| e != T::ZERO).count();
            if missed > 0 {
                mistakes += missed;
                vector::add(isa, errors, bias);
                for (&x, weights) in row.iter().zip(weights.chunks_exact_mut(self.outputs)) {
                    vector::axpy(isa, x, errors, weights);
                }
            }
        }
        Ok(mistakes)
    }

    fn check(&self, x: &[T], targets: &[T], weights: &[T], bias: &[T]) -> Result<()> {
        let rows = targets.len() / self.outputs;
        let sizes = [
            ("targets", self.outputs.checked_mul(rows), targets.len()),
            ("x", self.inputs.checked_mul(rows), x.len()),
            ("weights", self.inputs.checked_mul(self.outputs), weights.len()),
            ("bias", Some(self.outputs), bias.len()),
        ];
        for (name, expected, found) in sizes {
            if expected != Some(found) {
                let (inputs, outputs) = (self.inputs, self.outputs);
                let expected = format!(
                    "{} numbers ({rows} rows, {inputs} inputs, {outputs} outputs)",
                    expected.map_or("too many".to_string(), |n| n.to_string())
                );
                return Err(Error::shape(name, expected, found));
            }
        }
        if let Some(i) = x.iter().position(|x| !x.is_finite()) {
            let name = format!("x in row {}, column {}", i / self.inputs + 1, i % self.inputs + 1);
            return Err(Error::setting(name, "a finite number", x[i].real()));
        }
        if let Some(i) = targets.iter().position(|&t| t != T::ZERO && t != T::ONE) {
            let name = format!("target in row {}, column {}", i / self.outputs + 1, i % self.outputs + 1);
            return Err(Error::setting(name, "0 or 1", targets[i].real()));
        }
        Ok(())
    }
}
