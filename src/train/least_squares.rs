//! Levenberg-Marquardt and its Bayesian form: a network and its rows as a [`Problem`].
//!
//! All is computed in `f64`, whatever the network's type: normal equations square a condition number, and an `f32` would lose half
//! its digits before the first step. Rows and parameters are copied into it once; the parameters are rounded back for those who
//! look on, and at the end. Begin reading at [`fit`].

use super::course::{Course, WholeBatch};
use super::divergence::{check_finite, not_finite};
use super::run::Run;
use super::state::Minimisation;
use super::{History, Trainer};
use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::vector;
use crate::loss::LossFn;
use crate::memory::zeros;
use crate::network::curvature::{Curvature, check_objective};
use crate::network::objective::{Batch, Objective, Value, penalty, total_weight};
use crate::network::workspace::Workspace;
use crate::network::{Network, Spec, pass};
use crate::optim::bayes::{Evidence, Regularisation, Rows};
use crate::optim::levenberg_marquardt::{Options, Problem, State};
use crate::optim::{LevenbergMarquardt, Stop};
use ndarray::{ArrayView2, ArrayViewMut2};
use std::ops::ControlFlow;

/// How far along a step the outputs are looked at for their bend, on either side: Transtrum and Sethna's 0.1. The second difference
/// then has an error of some 1e-14 of the outputs.
const LOOK: f64 = 0.1;

/// Trains by Levenberg-Marquardt; with `bayes`, by Bayesian regularisation.
pub(super) fn fit<'a, T: Float, A: ActivationFn, L: LossFn>(
    trainer: &'a Trainer<L>,
    (options, bayes): (Options, bool),
    net: &mut Network<T, A>,
    training: Batch<'a, T>,
    run: Run<'a, T>,
) -> Result<History> {
    let (course, mut saved) = Course::new(trainer, net, training, run)?;
    let (len, (count, outputs)) = (net.params().len(), training.y.dim());
    let weight = total_weight(training.weights, count)?;
    let options = Options { max_iterations: trainer.epochs, ..options };
    let rows = bayes.then_some(Rows { weight, outputs });
    let (solver, wide) = match &mut saved {
        None => (LevenbergMarquardt::new(len, options, rows)?, widened(net.params(), "the parameters in f64")?),
        Some(saved) => {
            let Some(Minimisation::LevenbergMarquardt(progress)) = saved.standing.minimisation else {
                let expected = format!("one of {}", trainer.solver.name());
                return Err(Error::shape("saved state", expected, "one of another solver"));
            };
            let (params, wide) = (saved.take("params", len)?, saved.take_wide("position", len)?);
            let state = State { scale: saved.take_wide("scale", len)?, progress };
            let solver = LevenbergMarquardt::resume(options, rows, state)?;
            saved.check_empty()?;
            net.params_mut().copy_from_slice(&params);
            (solver, wide)
        }
    };
    let (spec, numbers) = net.state_parts_mut();
    let data = Wide::new(&training)?;
    let fit = Fit::new(trainer, spec, data.batch())?;
    course.lead(spec, numbers, &mut Fitting { trainer, solver, fit, wide })
}

/// The solver at work on a network's objective.
struct Fitting<'a, A, L> {
    trainer: &'a Trainer<L>,
    solver: LevenbergMarquardt,
    fit: Fit<'a, A, L>,
    /// Where it stands, of which the network has what its type can hold.
    wide: Vec<f64>,
}

impl<T: Float, A: ActivationFn, L: LossFn> WholeBatch<T> for Fitting<'_, A, L> {
    fn advance(&mut self, params: &mut [T]) -> Result<ControlFlow<Stop, Value>> {
        let Self { trainer, solver, fit, wide } = self;
        Ok(match solver.advance(trainer.engine, &trainer.threads, wide, fit)? {
            ControlFlow::Break(stop) => ControlFlow::Break(stop),
            ControlFlow::Continue(iteration) => {
                params.iter_mut().zip(iteration.params).for_each(|(p, &w)| *p = T::from_f64(w));
                let penalty = penalty(fit.spec, iteration.params, &trainer.objective, trainer.engine, None);
                ControlFlow::Continue(Value { loss: iteration.value - penalty, penalty })
            }
        })
    }

    fn regularisation(&self) -> Option<Regularisation> {
        self.solver.evidence().map(Evidence::regularisation)
    }

    fn minimisation(&self) -> Option<Minimisation> {
        Some(Minimisation::LevenbergMarquardt(self.solver.state().progress))
    }

    fn wide(&self) -> Vec<(&'static str, &[f64])> {
        vec![("position", &self.wide), ("scale", self.solver.state().scale)]
    }
}

/// Refuses what these methods have no meaning for, naming it.
pub(super) fn check<T: Float, A: ActivationFn, L: LossFn>(
    trainer: &Trainer<L>,
    net: &Network<T, A>,
    (options, bayes): (Options, bool),
) -> Result<()> {
    options.check()?;
    check_objective(net.spec(), &trainer.objective)?;
    if bayes && !trainer.objective.loss.is_squared_error() {
        return Err(Error::Unsupported(format!(
            "Bayesian regularisation weighs the squared error against the parameters, and the loss is {:?}",
            trainer.objective.loss
        )));
    }
    if bayes && trainer.objective.l2 != 0.0 {
        let found = trainer.objective.l2;
        return Err(Error::setting("l2", "0 with Bayesian regularisation, which finds the penalty itself", found));
    }
    Ok(())
}

/// Numbers of any type in `f64`, or the error that says how many bytes could not be had.
fn widened<T: Float>(numbers: &[T], what: &str) -> Result<Vec<f64>> {
    let mut wide = zeros(numbers.len(), what)?;
    wide.iter_mut().zip(numbers).for_each(|(w, n)| *w = n.real());
    Ok(wide)
}

/// The rows in `f64`.
struct Wide {
    x: Vec<f64>,
    y: Vec<f64>,
    weights: Option<Vec<f64>>,
    shape: [usize; 3],
}

impl Wide {
    fn new<T: Float>(rows: &Batch<'_, T>) -> Result<Self> {
        let copy = |array: &ArrayView2<'_, T>| {
            widened(array.as_slice().expect("row-major, as fit() has checked"), "the rows in f64")
        };
        let weights = rows.weights.map(|w| widened(w, "the weights in f64")).transpose()?;
        let shape = [rows.x.nrows(), rows.x.ncols(), rows.y.ncols()];
        Ok(Self { x: copy(&rows.x)?, y: copy(&rows.y)?, weights, shape })
    }

    fn batch(&self) -> Batch<'_, f64> {
        let [rows, inputs, outputs] = self.shape;
        Batch {
            x: ArrayView2::from_shape((rows, inputs), &self.x).expect("as many as copied"),
            y: ArrayView2::from_shape((rows, outputs), &self.y).expect("as many as copied"),
            weights: self.weights.as_deref(),
        }
    }
}

/// The network's objective on its rows.
struct Fit<'a, A, L> {
    spec: &'a Spec<A>,
    batch: Batch<'a, f64>,
    objective: &'a Objective<L>,
    total: f64,
    workspace: Workspace<f64>,
    curvature: Curvature<f64>,
    /// The outputs before, at and after a point: rows x outputs; none where no bend is known.
    outputs: [Vec<f64>; 3],
    /// A point beside the parameters.
    beside: Vec<f64>,
    begun: bool,
}

impl<'a, A: ActivationFn, L: LossFn> Fit<'a, A, L> {
    fn new(trainer: &'a Trainer<L>, spec: &'a Spec<A>, batch: Batch<'a, f64>) -> Result<Self> {
        let (count, outputs) = batch.y.dim();
        let (engine, threads) = (trainer.engine, &trainer.threads);
        let len = if trainer.objective.loss.is_squared_error() { count * outputs } else { 0 };
        let buffer = || zeros(len, "the outputs about a step");
        Ok(Self {
            spec,
            objective: &trainer.objective,
            total: total_weight(batch.weights, count)?,
            workspace: Workspace::new(spec, count, engine, threads.clone())?,
            curvature: Curvature::new(spec, count, engine, threads.clone())?,
            outputs: [buffer()?, buffer()?, buffer()?],
            beside: zeros(spec.parameters(), "a point beside the parameters")?,
            begun: false,
            batch,
        })
    }
}

impl<A: ActivationFn, L: LossFn> Problem for Fit<'_, A, L> {
    fn value(&mut self, params: &[f64]) -> Result<f64> {
        Ok(pass::value(self.spec, params, self.batch.view(), self.objective, &mut self.workspace)?.objective())
    }

    fn model(&mut self, params: &[f64], gradient: &mut [f64], curvature: &mut [f64]) -> Result<f64> {
        let (spec, batch) = (self.spec, self.batch.view());
        let value = pass::value_and_gradient(spec, params, batch, self.objective, &mut self.workspace, gradient)?;
        if !std::mem::replace(&mut self.begun, true) {
            if !value.objective().is_finite() {
                return Err(not_finite(&self.workspace, value, (1, 1)));
            }
            check_finite("gradient", self.workspace.engine().isa, spec, gradient, (1, 1))?;
        }
        self.curvature.compute(spec, params, self.batch.view(), self.objective, curvature)?;
        Ok(value.objective())
    }

    fn bend(&mut self, params: &[f64], direction: &[f64], gradient: &mut [f64]) -> Result<bool> {
        if !self.objective.loss.is_squared_error() {
            return Ok(false);
        }
        let (spec, isa) = (self.spec, self.workspace.engine().isa);
        for (out, look) in self.outputs.iter_mut().zip([-LOOK, 0.0, LOOK]) {
            self.beside.copy_from_slice(params);
            vector::axpy(isa, look, direction, &mut self.beside);
            let out = ArrayViewMut2::from_shape(self.batch.y.dim(), out).expect("rows x outputs");
            pass::predict_into(spec, &self.beside, self.batch.x.view(), &mut self.workspace, out)?;
        }
        let [before, at, after] = &mut self.outputs;
        let (width, total) = (self.batch.y.ncols(), self.total);
        for (i, ((before, at), after)) in before.iter().zip(at.iter_mut()).zip(after.iter()).enumerate() {
            let share = self.batch.weights.map_or(1.0, |w| w[i / width]) / total;
            *at = share * ((before - *at) + (after - *at)) / (LOOK * LOOK);
        }
        let bend = ArrayView2::from_shape(self.batch.y.dim(), &*at).expect("rows x outputs");
        pass::backward(spec, params, self.batch.x.view(), bend, &mut self.workspace, gradient, None)?;
        Ok(true)
    }
}
