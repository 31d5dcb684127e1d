//! What the kinds of file share: a model around a network that came out of one, and numbers that may go into one.

use deltarule::activation::Activation;
use deltarule::data::Target;
use deltarule::float::Float;
use deltarule::loss::Loss;
use deltarule::model::{Model, plain_target};
use deltarule::network::Network;
use deltarule::{Error, Result};

/// The model of a network that takes numbers as they are; what its outputs mean is what their activation tells.
///
/// **Errors** as [`Model::of_network`].
pub(crate) fn model<T: Float>(network: Network<T>) -> Result<Model<T>> {
    let target = plain_target(network.spec());
    let output = network.spec().layers().last().map(|layer| layer.activation);
    let loss = loss(&target, output);
    Model::of_network(network, None, target, loss)
}

/// The loss that such a target is trained with.
pub(crate) fn loss(target: &Target, output: Option<Activation>) -> Loss {
    match (target, output) {
        (_, Some(Activation::Softmax)) => Loss::SoftmaxCrossEntropy,
        (Target::Classes(_) | Target::Labels(_), Some(Activation::Sigmoid)) => Loss::LogisticCrossEntropy,
        (Target::Number(_) | Target::Numbers(_), Some(Activation::Exponential)) => Loss::Poisson,
        _ => Loss::SquaredError,
    }
}

/// Refuses a network with a number that is not finite, naming it.
pub(crate) fn require_finite<T: Float>(network: &Network<T>) -> Result<()> {
    let Some(bad) = network.state().iter().position(|value| !value.is_finite()) else { return Ok(()) };
    let parameter = bad < network.params().len();
    let what = if parameter { network.spec().parameter_name(bad) } else { "a running statistic".into() };
    Err(Error::shape(what, "a finite number", network.state()[bad]))
}
