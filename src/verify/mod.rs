//! Gradient verification of whole networks: the adaptors between [`network`](crate::network) and [`gradcheck`], which know
//! nothing of each other.
//!
//! - [`parameters`]: the gradient of a network's objective, in double precision, before all witnesses; [`claimed`] for a gradient that
//!   somebody else computed.
//! - [`precision`]: the gradient in the network's own precision against the one in double precision at the same numbers, to a bound
//!   from the roundings on the way.
//! - [`inputs`]: the gradient with respect to the inputs. [`curvature`]: the Hessian's product with vectors.
//! - [`suite`]: thousands of random networks of every kind. [`specimens`]: gradients that are wrong in every way we know of.
//!
//! `point.rs` is what a forward pass leaves at the point, `structure.rs` how every parameter is checked by little work, `witnesses.rs` the
//! same in dual and complex numbers, `coupled.rs` what is checked by whole passes, `bound.rs` the bound on rounding.
//!
//! Batch normalisation is checked as it is trained: value and gradient are those of the batch at hand, through its statistics.
//!
//! Row 6 of the house: imports everything below.

mod bound;
mod bound_norm;
mod coupled;
mod inputs;
mod point;
mod powers;
pub mod specimens;
mod structure;
pub mod suite;
mod witnesses;

use crate::activation::ActivationFn;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::gradcheck::jacobian::{self, Product, Values};
use crate::gradcheck::{self, Function, Mode, Options, Report, Tensor};
use crate::loss::LossFn;
use crate::network::noise::Draw;
use crate::network::objective::{Batch, Objective};
use crate::network::workspace::Workspace;
use crate::network::{Network, Spec, generic, pass};
use crate::scalar::Scalar;
use crate::threads::Threads;
use coupled::Coupled;
pub use inputs::inputs;
use ndarray::{Array2, ArrayView2};
use point::{Dropped, Point};
use structure::Subject;

/// Entries smaller than this part of the largest are compared with differences as if they had that size: at a tolerance of 1e-7 to
/// 1e-13 of the largest, some hundred roundings of the sums that both come from. In a trained network some are as small as 1e-22.
const NEGLIGIBLE: f64 = 1e-6;

/// A second derivative along a random vector has some times the terms of the first, and rounds as much more.
const SECOND_ROUNDING: f64 = 64.0;

/// So many standard deviations of a gradient's rounding errors are in its bound, or more.
const BOUND_DEVIATIONS: f64 = 64.0;

/// The parts of a network's parameters, by name: `layer 1, weights`, `layer 1, biases`, …
pub fn tensors_of<A: ActivationFn>(spec: &Spec<A>) -> Vec<Tensor> {
    spec.tensors().into_iter().map(|(name, range)| Tensor { name, range }).collect()
}

/// Checks the gradient of the objective with respect to every parameter, in `f64` at the network's parameters, with all witnesses of
/// the options: differences of values that `engine` computes, dual numbers, a complex step.
///
/// The report's indices are those of the flat buffer; its names those of [`Spec::parameter_name`].
///
/// **Errors**: shapes that do not fit, an activation without slope, or no memory.
///
/// ```
/// use deltarule::prelude::*;
/// use deltarule::{gradcheck, verify};
/// use ndarray::array;
///
/// let net = Network::<f64>::new(Spec::mlp(2, &[3], Activation::Gelu, 1, Activation::Identity)?, None, &mut Rng::new(1))?;
/// let (x, y) = (array![[0.5, -1.0], [2.0, 0.1]], array![[1.0], [-0.5]]);
/// let batch = Batch { x: x.view(), y: y.view(), weights: None };
/// let objective = Objective { loss: Loss::SquaredError, l1: 0.01, l2: 0.1 };
/// let report = verify::parameters(&net, batch, &objective, Engine::default(), &gradcheck::Options::default())?;
/// report.require()?;
/// assert_eq!((report.tensors[1].name.as_str(), report.tensors[1].counts.verified), ("layer 1, biases", 3));
/// # Ok::<(), deltarule::Error>(())
/// ```
pub fn parameters<T: Float, A: ActivationFn, L: LossFn>(
    net: &Network<T, A>,
    batch: Batch<'_, T>,
    objective: &Objective<L>,
    engine: Engine,
    options: &Options,
) -> Result<Report> {
    parameters_under(&Draw::default(), net, batch, objective, engine, options)
}

/// [`parameters`] under the noise of a step: the gradient that a training takes, with the same numbers for all witnesses.
///
/// **Errors** as there, and rates out of range.
pub fn parameters_under<T: Float, A: ActivationFn, L: LossFn>(
    draw: &Draw,
    net: &Network<T, A>,
    batch: Batch<'_, T>,
    objective: &Objective<L>,
    engine: Engine,
    options: &Options,
) -> Result<Report> {
    let (net, rows) = (net.cast::<f64>(), Rows::new(&batch));
    let gradient = gradient_of(draw, &net, rows.batch(), objective, engine)?;
    let (rows, dropped) = rows.under(draw, net.spec(), engine);
    check_claimed(&net, (&rows, dropped), objective, &gradient, engine, options)
}

/// Checks a gradient of the objective that somebody else computed: another library, or a kernel of your own.
///
/// **Shapes**: `gradient` lies as the parameters do ([`Spec::blocks`]). **Errors** as [`parameters`].
pub fn claimed<A: ActivationFn, L: LossFn>(
    net: &Network<f64, A>,
    batch: Batch<'_, f64>,
    objective: &Objective<L>,
    gradient: &[f64],
    engine: Engine,
    options: &Options,
) -> Result<Report> {
    if gradient.len() != net.params().len() {
        return Err(Error::shape("gradient", net.params().len(), gradient.len()));
    }
    check_claimed(net, (&Rows::new(&batch), Dropped::default()), objective, gradient, engine, options)
}

fn check_claimed<A: ActivationFn, L: LossFn>(
    net: &Network<f64, A>,
    (rows, dropped): (&Rows, Dropped),
    objective: &Objective<L>,
    gradient: &[f64],
    engine: Engine,
    options: &Options,
) -> Result<Report> {
    let mut subject = Subject::new(Point::new(net.spec(), net.params(), rows.batch(), objective, engine, dropped)?)?;
    let options = Options { negligible: options.negligible.max(NEGLIGIBLE), ..options.clone() };
    if net.spec().couples_rows() {
        return Ok(gradcheck::check_function(&mut Coupled(&mut subject), gradient, net.params(), &options));
    }
    if let Some(fault) = subject.agrees_with_the_pass() {
        return Err(Error::Check(fault));
    }
    Ok(gradcheck::check_function(&mut subject, gradient, net.params(), &options))
}

/// Checks the gradient in the network's own precision against the one in `f64` at the same numbers.
///
/// The tolerance of each entry is a bound on the rounding errors of exactly this gradient, on these rows (`bound.rs`); an entry whose
/// bound is too large to tell a fault is inconclusive. Of an `f64` network it is the gradient by loops, over the formulas, that the pass
/// is compared with.
///
/// **Errors** as [`parameters`], and an activation that is not built in, whose own rounding nobody knows.
///
/// ```
/// use deltarule::prelude::*;
/// use deltarule::verify;
/// use ndarray::array;
///
/// let spec = Spec::mlp(2, &[8], Activation::Tanh, 1, Activation::Identity)?;
/// let net = Network::<f32>::new(spec, None, &mut Rng::new(1))?;
/// let (x, y) = (array![[0.5f32, -1.0], [2.0, 0.1]], array![[1.0f32], [-0.5]]);
/// let batch = Batch { x: x.view(), y: y.view(), weights: None };
/// let report = verify::precision(&net, batch, &Objective::<Loss>::default(), Engine::default())?;
/// report.require()?;
/// assert!(report.worst.unwrap().estimate < 1e-5);
/// # Ok::<(), deltarule::Error>(())
/// ```
pub fn precision<T: Float, A: ActivationFn, L: LossFn>(
    net: &Network<T, A>,
    batch: Batch<'_, T>,
    objective: &Objective<L>,
    engine: Engine,
) -> Result<Report> {
    precision_under(&Draw::default(), net, batch, objective, engine)
}

/// [`precision`] under the noise of a step, which has the same numbers in both types.
///
/// **Errors** as there, and rates out of range.
pub fn precision_under<T: Float, A: ActivationFn, L: LossFn>(
    draw: &Draw,
    net: &Network<T, A>,
    batch: Batch<'_, T>,
    objective: &Objective<L>,
    engine: Engine,
) -> Result<Report> {
    let (wide, plain) = (net.cast::<f64>(), Rows::new(&batch));
    let own: Vec<f64> = gradient_of(draw, net, batch, objective, engine)?.into_iter().map(Scalar::real).collect();
    let by_pass = gradient_of(draw, &wide, plain.batch(), objective, engine)?;
    let (rows, dropped) = plain.under(draw, net.spec(), engine);
    let point = Point::new(net.spec(), wide.params(), rows.batch(), objective, engine, dropped)?;
    let bounds = bound::rounding::<T, _, _>(&point).ok_or_else(|| {
        Error::Unsupported("the rounding of an activation that is not built in is not known: no bound follows".into())
    })?;
    let (between, reference, bounds) = if T::NAME == f32::NAME {
        (["f32", "f64"], by_pass, bounds)
    } else {
        let (factors, mut gradient) = (&point.dropped.factors, vec![0.0; own.len()]);
        let (spec, to) = (net.spec(), Some(&mut gradient[..]));
        generic::objective_under(factors, spec, wide.params(), &rows.batch(), objective, to)?;
        // Here both sides have rounded.
        (["f64", "loops"], gradient, bounds.iter().map(|bound| 2.0 * bound).collect())
    };
    let name = |index| net.spec().parameter_name(index);
    Ok(gradcheck::against(between, &own, &reference, &bounds, &tensors_of(net.spec()), name))
}

/// Checks [`generic::hessian_vector`] along random vectors against differences of the gradient: second derivatives, row by row of the
/// Hessian. As many vectors as the options' mode has directions, or one. The only witness are differences, to the options' tolerance.
///
/// **Errors** as [`parameters`].
pub fn curvature<T: Float, A: ActivationFn, L: LossFn>(
    net: &Network<T, A>,
    batch: Batch<'_, T>,
    objective: &Objective<L>,
    engine: Engine,
    options: &Options,
) -> Result<Report> {
    curvature_under(&Draw::default(), net, batch, objective, engine, options)
}

/// [`curvature`] under the noise of a step.
///
/// **Errors** as there, and rates out of range.
pub fn curvature_under<T: Float, A: ActivationFn, L: LossFn>(
    draw: &Draw,
    net: &Network<T, A>,
    batch: Batch<'_, T>,
    objective: &Objective<L>,
    engine: Engine,
    options: &Options,
) -> Result<Report> {
    let mode = match options.mode {
        Mode::Directions { .. } => options.mode,
        Mode::EveryCoordinate => Mode::Directions { count: 1, seed: 0 },
        Mode::Sample { seed, .. } => Mode::Directions { count: 1, seed },
    };
    draw.noise.check(net.spec())?;
    let (net, rows) = (net.cast::<f64>(), Rows::new(&batch));
    generic::check(net.spec(), net.params(), &rows.batch())?;
    let (rows, dropped) = rows.under(draw, net.spec(), engine);
    let (batch, factors) = (rows.batch(), dropped.factors.clone());
    let mut workspace = Workspace::new(net.spec(), batch.x.nrows(), engine, Threads::one())?;
    workspace.set_noise(net.spec(), dropped.draw.clone())?;
    let times = |vector: &[f64], product: &mut [f64]| {
        generic::hessian_vector_under(&factors, net.spec(), net.params(), &batch, objective, (vector, product))
    };
    // What else is refused is so here; below it has been tried.
    times(net.params(), &mut vec![0.0; net.params().len()])?;
    let point = Point::new(net.spec(), net.params(), batch.view(), objective, engine, dropped)?;
    let subject = Subject::new(point)?;
    let bounds = subject.rounding().map(<[f64]>::to_vec).unwrap_or_default();
    let largest = bounds.iter().fold(0.0, |most: f64, bound| most.max(*bound));
    let deviations: Vec<f64> = bounds.iter().map(|bound| bound / BOUND_DEVIATIONS).collect();
    let gradient = |params: &[f64]| {
        let mut values = vec![f64::NAN; params.len()];
        let _ = pass::value_and_gradient(net.spec(), params, batch.view(), objective, &mut workspace, &mut values);
        Values { values, crossed: subject.crossed(params) }
    };
    let mut times = |vector: &[f64]| {
        let mut product = vec![f64::NAN; vector.len()];
        let _ = times(vector, &mut product);
        product
    };
    let options = Options {
        mode,
        tensors: tensors_of(net.spec()),
        negligible: options.negligible.max(NEGLIGIBLE),
        absolute: SECOND_ROUNDING * largest,
        ..options.clone()
    };
    let product = Product::Right(&mut times);
    Ok(jacobian::check_values(gradient, &deviations, product, net.params(), &options))
}

/// The gradient that the pass computes.
fn gradient_of<T: Float, A: ActivationFn, L: LossFn>(
    draw: &Draw,
    net: &Network<T, A>,
    batch: Batch<'_, T>,
    objective: &Objective<L>,
    engine: Engine,
) -> Result<Vec<T>> {
    let mut workspace = Workspace::new(net.spec(), batch.x.nrows(), engine, Threads::one())?;
    workspace.set_noise(net.spec(), draw.clone())?;
    let mut gradient = vec![T::ZERO; net.spec().parameters()];
    pass::value_and_gradient(net.spec(), net.params(), batch, objective, &mut workspace, &mut gradient)?;
    Ok(gradient)
}

/// Rows in double precision.
struct Rows {
    x: Array2<f64>,
    y: Array2<f64>,
    weights: Option<Vec<f64>>,
}

impl Rows {
    fn new<T: Float>(batch: &Batch<'_, T>) -> Self {
        let weights = batch.weights.map(|w| w.iter().map(|w| w.real()).collect());
        Self { x: double(batch.x.view()), y: double(batch.y.view()), weights }
    }

    /// The rows as the noise of a step makes them, which must fit the network, and what it drops of the layers.
    fn under<A: ActivationFn>(self, draw: &Draw, spec: &Spec<A>, engine: Engine) -> (Self, Dropped) {
        let (x, dropped) =
            Dropped::new(draw, spec, engine, self.x.as_slice().expect("row-major, as double() makes it"));
        let x = Array2::from_shape_vec(self.x.dim(), x).expect("as many as there were");
        (Self { x, ..self }, dropped)
    }

    fn batch(&self) -> Batch<'_, f64> {
        Batch { x: self.x.view(), y: self.y.view(), weights: self.weights.as_deref() }
    }
}

fn double<T: Float>(array: ArrayView2<'_, T>) -> Array2<f64> {
    array.mapv(|v| v.real()).as_standard_layout().into_owned()
}
