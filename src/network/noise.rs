//! The noise of a training: units and inputs dropped at random, and normal numbers added to the inputs.
//!
//! Row 4 of the house: imports `spec`, the engines and `error`. Begin with [`Noise`]; a workspace applies it
//! ([`Workspace::set_noise`](super::workspace::Workspace::set_noise)).
//!
//! ```text
//! inputs          x' = m (x + s n)          m: 0 with probability p, else 1 / (1 - p);  n: standard normal
//! hidden layer    a' = m f(z)               its slope m f'(z), so that the way back needs to know nothing of it
//! ```
//!
//! Noise is a property of the training, not of the network: nothing of it is saved, and predictions have none. As kept units are scaled up
//! while training (inverted dropout), a prediction needs no scaling either.
//!
//! Every number is a function of seed, step, layer, row of the batch and unit ([`philox`]).

use super::spec::Spec;
use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::kernel::philox::{self, Drop, Stream};
use crate::simd::{Isa, Vectorized};

/// How much noise: rates from 0 to below 1, and a standard deviation.
///
/// **Source**: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Dropout (JMLR 15, 2014), who drop 0.2 of the inputs and 0.5 of
/// the hidden units; Bishop, Training with noise is equivalent to Tikhonov regularization (Neural Computation 7, 1995).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Noise {
    /// The part of each hidden layer's units that is dropped: none, one for all layers, or one for each.
    pub dropout: Vec<f64>,
    /// The part of the inputs that is dropped.
    pub input_dropout: f64,
    /// The standard deviation of what is added to each input, in the inputs' unit.
    pub input_noise: f64,
}

impl Noise {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.input_dropout == 0.0 && self.input_noise == 0.0 && self.dropout.iter().all(|rate| *rate == 0.0)
    }

    /// Whether the inputs have any.
    pub fn is_on_inputs(&self) -> bool {
        self.input_dropout > 0.0 || self.input_noise > 0.0
    }

    /// The part dropped of hidden layer `l` (from 0).
    pub fn rate(&self, l: usize) -> f64 {
        match self.dropout[..] {
            [] => 0.0,
            [all] => all,
            _ => self.dropout[l],
        }
    }

    /// What there is of it, for the end of a line: `; dropout 0.5, input noise 0.1`, or nothing.
    pub fn describe(&self) -> String {
        let rates: Vec<_> = self.dropout.iter().map(|rate| rate.to_string()).collect();
        let parts = [
            ("dropout", self.dropout.iter().any(|rate| *rate > 0.0), rates.join(", ")),
            ("input dropout", self.input_dropout > 0.0, self.input_dropout.to_string()),
            ("input noise", self.input_noise > 0.0, self.input_noise.to_string()),
        ];
        let said: Vec<_> =
            parts.iter().filter(|part| part.1).map(|(name, _, value)| format!("{name} {value}")).collect();
        if said.is_empty() { String::new() } else { format!("; {}", said.join(", ")) }
    }

    /// Refuses rates out of range, and rates for more or fewer layers than there are.
    pub fn check<A: ActivationFn>(&self, spec: &Spec<A>) -> Result<()> {
        let hidden = spec.layers().len() - 1;
        let found = self.dropout.len();
        if found > 0 && hidden == 0 {
            return Err(Error::setting(
                "dropout",
                "none, for there are no hidden layers",
                format!("{:?}", self.dropout),
            ));
        }
        if found > 1 && found != hidden {
            return Err(Error::setting(
                "dropout",
                format!("one rate, or one for each of {hidden} hidden layers"),
                found,
            ));
        }
        let named = |l: usize| if found == 1 { "dropout".into() } else { format!("dropout of layer {}", l + 1) };
        let rates = self.dropout.iter().enumerate().map(|(l, rate)| (named(l), *rate));
        for (name, rate) in rates.chain([("input dropout".into(), self.input_dropout)]) {
            if !(0.0..1.0).contains(&rate) {
                return Err(Error::setting(name, "a rate of at least 0 and below 1", rate));
            }
        }
        if !(self.input_noise.is_finite() && self.input_noise >= 0.0) {
            return Err(Error::setting("input noise", "a finite standard deviation of at least 0", self.input_noise));
        }
        Ok(())
    }
}

/// The noise of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draw {
    /// How much.
    pub noise: Noise,
    /// What it is drawn from, with the step.
    pub seed: u64,
    /// The step, from 0 or 1 as you like: of each the noise is another.
    pub step: u64,
}

/// The streams of a step: what is added to the inputs, what of them is dropped, and from here on the hidden layers.
const ADDED: u16 = 0;
const INPUTS: u16 = 1;
const HIDDEN: usize = 2;

impl Draw {
    /// Layers beyond the 65,534th would share the numbers of others.
    fn stream(&self, number: u16) -> Stream {
        Stream { seed: self.seed, step: self.step, number }
    }

    /// The inputs `x` with noise, written to `to`: rows of `width` numbers, of which the first is row `row` of the batch.
    pub(super) fn inputs<T: Vectorized>(&self, isa: Isa, (row, width): (usize, usize), x: &[T], to: &mut [T]) {
        match self.noise.input_noise {
            0.0 => to.copy_from_slice(x),
            deviation => philox::add_normal(isa, self.stream(ADDED), deviation, place(row, width), x, to),
        }
        self.drop_inputs(isa, (row, width), to);
    }

    /// Drops of numbers that belong to inputs what is dropped of those.
    pub(super) fn drop_inputs<T: Vectorized>(&self, isa: Isa, (row, width): (usize, usize), numbers: &mut [T]) {
        if self.noise.input_dropout > 0.0 {
            let drop = Drop::new(self.noise.input_dropout);
            philox::drop(isa, self.stream(INPUTS), drop, place(row, width), [numbers]);
        }
    }

    /// Drops of numbers that belong to hidden layer `l` what is dropped of its units; slices may be empty.
    pub(super) fn drop_units<T: Vectorized, const N: usize>(
        &self,
        isa: Isa,
        l: usize,
        (row, width): (usize, usize),
        numbers: [&mut [T]; N],
    ) {
        let rate = self.noise.rate(l);
        if rate > 0.0 {
            let stream = self.stream((HIDDEN + l) as u16);
            philox::drop(isa, stream, Drop::new(rate), place(row, width), numbers);
        }
    }

    /// The inputs of a batch with their noise, row-major, and for each hidden layer what its activations are multiplied by, rows x units, or
    /// nothing where none are dropped: the noise of a workspace with this draw, written out.
    ///
    /// **Shapes**: `x` rows x inputs, row-major.
    pub fn write_out<A: ActivationFn>(&self, spec: &Spec<A>, isa: Isa, x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let rows = x.len() / spec.inputs();
        let mut noisy = vec![0.0; x.len()];
        self.inputs(isa, (0, spec.inputs()), x, &mut noisy);
        let hidden = &spec.layers()[..spec.layers().len() - 1];
        let factors = |(l, width): (usize, usize)| {
            let mut factors = vec![1.0; if self.noise.rate(l) > 0.0 { rows * width } else { 0 }];
            self.drop_units(isa, l, (0, width), [&mut factors[..]]);
            factors
        };
        (noisy, hidden.iter().map(|layer| layer.outputs).enumerate().map(factors).collect())
    }
}

/// The place of a row's first number in its stream.
fn place(row: usize, width: usize) -> u64 {
    row as u64 * width as u64
}
