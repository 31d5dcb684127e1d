//! What the kinds of file share: a model around a network that came out of one, and numbers that may go into one.

use deltarule::activation::Activation;
use deltarule::data::Target;
use deltarule::float::Float;
use deltarule::loss::Loss;
use deltarule::model::{Model, plain_target};
use deltarule::network::Network;
use deltarule::{Error, Result};

/// The model of a network that takes numbers as they are, `from` such a file; what its outputs mean is what their activation tells.
///
/// **Errors** as [`Model::of_network`].
pub(crate) fn model<T: Float>(network: Network<T>, from: &str) -> Result<Model<T>> {
    let target = plain_target(network.spec());
    model_of(network, target, from)
}

/// The same with the target given.
pub(crate) fn model_of<T: Float>(network: Network<T>, target: Target, from: &str) -> Result<Model<T>> {
    let output = network.spec().layers()[network.spec().layers().len() - 1].activation;
    let loss = loss(&target, output);
    let mut model = Model::of_network(network, None, target, loss)?;
    model.provenance.training = format!("imported from {from}");
    Ok(model)
}

/// The loss that such a target is trained with by outputs of this activation.
pub(crate) fn loss(target: &Target, output: Activation) -> Loss {
    match (target, output) {
        (Target::Classes(_) | Target::Labels(_), Activation::Softmax) => Loss::SoftmaxCrossEntropy,
        (Target::Classes(_) | Target::Labels(_), Activation::Sigmoid) => Loss::LogisticCrossEntropy,
        (Target::Classes(_) | Target::Labels(_), Activation::Identity) => Loss::Hinge,
        (Target::Number(_) | Target::Numbers(_), Activation::Exponential) => Loss::Poisson,
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
