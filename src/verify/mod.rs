//! Gradient checks of whole networks: the adaptors between [`network`](crate::network) and
//! [`gradcheck`], which know nothing of each other.
//!
//! Row 6 of the house: imports everything below.

use crate::activation::ActivationFn;
use crate::engine::Engine;
use crate::error::Result;
use crate::float::Float;
use crate::gradcheck::{self, Options, Report};
use crate::loss::LossFn;
use crate::network::objective::{Batch, Objective};
use crate::network::workspace::Workspace;
use crate::network::{Network, Spec, pass};
use crate::rng::Rng;
use crate::threads::Threads;
use ndarray::{Array2, ArrayView2};

/// Entries smaller than this part of the largest are compared as if they had that size: at a tolerance of 1e-7 to 1e-13 of the
/// largest, some hundred roundings of the sums that both come from. In a trained network some are as small as 1e-22.
const NEGLIGIBLE: f64 = 1e-6;

/// Checks the gradient of the objective with respect to every parameter, in `f64` at the network's parameters.
///
/// The report's indices are those of the flat buffer; [`Spec::parameter_name`] names them.
///
/// **Errors**: shapes that do not fit, an activation without slope.
///
/// ```
/// use deltarule::prelude::*;
/// use deltarule::{gradcheck, verify};
/// use ndarray::array;
///
/// let net = Network::<f64>::new(Spec::mlp(2, &[3], Activation::Gelu, 1, Activation::Identity)?, None, &mut Rng::new(1))?;
/// let (x, y) = (array![[0.5, -1.0], [2.0, 0.1]], array![[1.0], [-0.5]]);
/// let batch = Batch { x: x.view(), y: y.view(), weights: None };
/// let objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.1 };
/// verify::parameters(&net, batch, &objective, &gradcheck::Options::default())?.require()?;
/// # Ok::<(), deltarule::Error>(())
/// ```
pub fn parameters<T: Float, A: ActivationFn, L: LossFn>(
    net: &Network<T, A>,
    batch: Batch<'_, T>,
    objective: &Objective<L>,
    options: &Options,
) -> Result<Report> {
    let net = net.cast::<f64>();
    let (x, y) = (double(batch.x), double(batch.y));
    let weights: Option<Vec<f64>> = batch.weights.map(|w| w.iter().map(|w| w.real()).collect());
    let batch = Batch { x: x.view(), y: y.view(), weights: weights.as_deref() };
    let mut workspace = workspace(net.spec(), x.nrows())?;
    let mut gradient = vec![0.0; net.spec().parameters()];
    pass::value_and_gradient(net.spec(), net.params(), batch.view(), objective, &mut workspace, &mut gradient)?;
    // What fails here has failed above already.
    let value = |params: &[f64]| {
        pass::value(net.spec(), params, batch.view(), objective, &mut workspace).map_or(f64::NAN, |v| v.objective())
    };
    let options = Options { negligible: options.negligible.max(NEGLIGIBLE), ..options.clone() };
    Ok(gradcheck::check(value, &gradient, net.params(), &options))
}

/// Checks [`pass::backward`] with respect to the inputs, in `f64`: the gradient of a random combination of the outputs.
/// The report's index counts the elements of `x`, row after row.
///
/// **Errors**: shapes that do not fit, an activation without slope.
pub fn inputs<T: Float, A: ActivationFn>(
    net: &Network<T, A>,
    x: ArrayView2<'_, T>,
    options: &Options,
) -> Result<Report> {
    let (net, x) = (net.cast::<f64>(), double(x));
    let (rows, outputs) = (x.nrows(), net.spec().outputs());
    let mut rng = Rng::new(0);
    let combination = Array2::from_shape_simple_fn((rows, outputs), || rng.normal::<f64>(0.0, 1.0));
    let mut workspace = workspace(net.spec(), rows)?;
    let mut gradient = vec![0.0; net.spec().parameters()];
    let mut below = Array2::zeros(x.dim());
    let into = Some(below.view_mut());
    pass::backward(net.spec(), net.params(), x.view(), combination.view(), &mut workspace, &mut gradient, into)?;
    let mut out = Array2::zeros((rows, outputs));
    let value = |at: &[f64]| {
        let x = ArrayView2::from_shape(x.dim(), at).expect("as many as x has");
        match pass::predict_into(net.spec(), net.params(), x, &mut workspace, out.view_mut()) {
            Ok(()) => out.iter().zip(&combination).map(|(o, c)| o * c).sum(),
            Err(_) => f64::NAN,
        }
    };
    Ok(gradcheck::check(value, below.as_slice().expect("row-major"), x.as_slice().expect("row-major"), options))
}

fn double<T: Float>(array: ArrayView2<'_, T>) -> Array2<f64> {
    array.mapv(|v| v.real()).as_standard_layout().into_owned()
}

fn workspace<A: ActivationFn>(spec: &Spec<A>, rows: usize) -> Result<Workspace<f64>> {
    Workspace::new(spec, rows, Engine::default(), Threads::one())
}
