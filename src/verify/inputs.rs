//! The gradient with respect to a network's inputs: a random combination of its outputs, as a function of them.
//!
//! An input changes its own row's outputs alone, so that row is all that is computed again; under batch normalisation it changes those of
//! all rows, which are computed as a training does.

use super::bound;
use super::point::{Dropped, Point};
use super::{NEGLIGIBLE, double};
use crate::activation::ActivationFn;
use crate::complex::Complex;
use crate::dual::Dual;
use crate::engine::Engine;
use crate::error::Result;
use crate::float::Float;
use crate::gradcheck::{self, Function, Move, Options, Oracle, Report, Sample, slope_of};
use crate::loss::LossFn;
use crate::network::objective::{Batch, Objective};
use crate::network::workspace::Workspace;
use crate::network::{Network, generic, pass};
use crate::rng::Rng;
use crate::scalar::Scalar;
use crate::threads::Threads;
use ndarray::{Array2, ArrayView1, ArrayView2, s};

/// Checks [`pass::backward`] with respect to the inputs, in `f64`: the gradient of a random combination of the outputs.
/// The report's index counts the elements of `x`, row after row.
///
/// **Errors**: shapes that do not fit, an activation without slope.
pub fn inputs<T: Float, A: ActivationFn>(
    net: &Network<T, A>,
    x: ArrayView2<'_, T>,
    engine: Engine,
    options: &Options,
) -> Result<Report> {
    let (net, x) = (net.cast::<f64>(), double(x));
    let (rows, outputs) = (x.nrows(), net.spec().outputs());
    let mut rng = Rng::new(0);
    let combination = Array2::from_shape_simple_fn((rows, outputs), || rng.normal::<f64>(0.0, 1.0));
    let mut workspace = Workspace::new(net.spec(), rows, engine, Threads::one())?;
    let mut gradient = vec![0.0; net.spec().parameters()];
    let mut below = Array2::zeros(x.dim());
    let into = Some(below.view_mut());
    pass::backward(net.spec(), net.params(), x.view(), combination.view(), &mut workspace, &mut gradient, into)?;
    // The combination as a loss, for the bound: the mean over the rows, of which the sum is as many times as much.
    let batch = Batch { x: x.view(), y: combination.view(), weights: None };
    let objective = Objective { loss: Combination, l1: 0.0, l2: 0.0 };
    let point = Point::new(net.spec(), net.params(), batch, &objective, engine, Dropped::default())?;
    let bounds = bound::rounding_of_both::<f64, _, _>(&point).map(|(_, inputs)| inputs);
    let bounds = bounds.map(|bounds| bounds.into_iter().map(|bound| rows as f64 * bound).collect());
    let mut outputs_of = Outputs {
        objective: &objective,
        net: &net,
        combination: &combination,
        workspace,
        base: x.view(),
        values: Vec::new(),
        bounds,
    };
    if !net.spec().couples_rows() {
        outputs_of.values = outputs_of.parts(x.view(), 0);
    }
    let options = &Options { negligible: options.negligible.max(NEGLIGIBLE), ..options.clone() };
    let (below, at) = (below.as_slice().expect("row-major"), x.as_slice().expect("row-major"));
    Ok(gradcheck::check_function(&mut outputs_of, below, at, options))
}

/// The sum of a row's outputs, each times its target.
#[derive(Clone, Debug)]
struct Combination;

impl LossFn for Combination {
    fn row<S: Scalar>(&self, output: &[S], target: &[S], delta: &mut [S]) -> S {
        delta.copy_from_slice(target);
        output.iter().zip(target).fold(S::ZERO, |sum, (&o, &t)| o.mul_add(t, sum))
    }
}

/// A combination of a network's outputs, as a function of its inputs.
struct Outputs<'a, A> {
    objective: &'a Objective<Combination>,
    net: &'a Network<f64, A>,
    combination: &'a Array2<f64>,
    workspace: Workspace<f64>,
    base: ArrayView2<'a, f64>,
    /// Of each row, its part of the value at the point.
    values: Vec<f64>,
    bounds: Option<Vec<f64>>,
}

impl<A: ActivationFn> Outputs<'_, A> {
    /// What each row of `x` adds, which are those of the point from `first` on.
    fn parts(&mut self, x: ArrayView2<'_, f64>, first: usize) -> Vec<f64> {
        let mut out = Array2::zeros((x.nrows(), self.combination.ncols()));
        let done = pass::predict_into(self.net.spec(), self.net.params(), x, &mut self.workspace, out.view_mut());
        let sum = |(o, c): (ArrayView1<'_, f64>, ArrayView1<'_, f64>)| match done {
            Ok(()) => o.iter().zip(c).map(|(o, c)| o * c).sum(),
            Err(_) => f64::NAN,
        };
        out.rows().into_iter().zip(self.combination.rows().into_iter().skip(first)).map(sum).collect()
    }
}

impl<A: ActivationFn> Function for Outputs<'_, A> {
    fn sample(&mut self, x: &[f64]) -> Sample {
        let x = ArrayView2::from_shape(self.base.dim(), x).expect("as many as x has");
        if self.net.spec().couples_rows() {
            let batch = Batch { x, y: self.combination.view(), weights: None };
            let mean = pass::value(self.net.spec(), self.net.params(), batch, self.objective, &mut self.workspace);
            return mean.map_or(f64::NAN, |mean| mean.loss * x.nrows() as f64).into();
        }
        self.parts(x, 0).iter().sum::<f64>().into()
    }

    fn moved(&mut self, at: &[f64], moves: &[Move], samples: &mut [Sample]) {
        let cols = self.base.ncols();
        if self.net.spec().couples_rows() {
            let mut x = at.to_vec();
            for (sample, &Move { index, to }) in samples.iter_mut().zip(moves) {
                x[index] = to;
                *sample = self.sample(&x);
                x[index] = at[index];
            }
            return;
        }
        for (sample, &Move { index, to }) in samples.iter_mut().zip(moves) {
            let (i, j) = (index / cols, index % cols);
            let mut row = self.base.slice(s![i..i + 1, ..]).to_owned();
            row[[0, j]] = to;
            let value = self.parts(row.view(), i)[0];
            // In the order of rows, as the whole is summed.
            let all = self.values.iter().enumerate().map(|(r, &v)| if r == i { value } else { v });
            *sample = all.sum::<f64>().into();
        }
    }

    fn slope(&mut self, oracle: Oracle, at: &[f64], direction: &[f64]) -> Option<f64> {
        let combination = self.combination.as_slice().expect("row-major");
        slope_of(
            oracle,
            at,
            direction,
            |x: &[Dual]| combined(self.net, x, combination),
            |x: &[Complex]| combined(self.net, x, combination),
        )
    }

    fn slopes(&mut self, oracle: Oracle, at: &[f64], indices: &[usize], slopes: &mut [f64]) -> bool {
        let cols = self.base.ncols();
        if self.net.spec().couples_rows() {
            let mut direction = vec![0.0; at.len()];
            return slopes.iter_mut().zip(indices).all(|(slope, &index)| {
                direction[index] = 1.0;
                let found = self.slope(oracle, at, &direction);
                direction[index] = 0.0;
                *slope = found.unwrap_or(f64::NAN);
                found.is_some()
            });
        }
        for (slope, &index) in slopes.iter_mut().zip(indices) {
            let (i, j) = (index / cols, index % cols);
            let row = self.base.row(i).to_vec();
            let direction: Vec<f64> = (0..cols).map(|k| f64::from(u8::from(k == j))).collect();
            let combination = self.combination.row(i).to_vec();
            let found = slope_of(
                oracle,
                &row,
                &direction,
                |x: &[Dual]| combined(self.net, x, &combination),
                |x: &[Complex]| combined(self.net, x, &combination),
            );
            match found {
                Some(found) => *slope = found,
                None => return false,
            }
        }
        true
    }

    fn rounding(&self) -> Option<&[f64]> {
        self.bounds.as_deref()
    }

    fn name(&self, index: usize) -> Option<String> {
        let cols = self.base.ncols();
        Some(format!("row {}, input {}", index / cols + 1, index % cols + 1))
    }
}

fn combined<S: Scalar, A: ActivationFn>(net: &Network<f64, A>, x: &[S], combination: &[f64]) -> S {
    let params: Vec<S> = net.params().iter().map(|&p| S::from_f64(p)).collect();
    generic::combined_outputs(&[], net.spec(), &params, x, combination)
}
