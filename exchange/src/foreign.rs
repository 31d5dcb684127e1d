//! A model around a network that came out of another program's file.

use deltarule::Result;
use deltarule::activation::Activation;
use deltarule::data::Target;
use deltarule::float::Float;
use deltarule::loss::Loss;
use deltarule::model::{Model, plain_target};
use deltarule::network::Network;

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
