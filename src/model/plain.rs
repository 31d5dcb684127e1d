//! A model around a network alone: numbers go in as they are, and its outputs mean what their activation says.
//!
//! For networks from elsewhere: another program's file, or a training of one's own. Row 6 of the house.

use super::{Input, Model, Provenance};
use crate::activation::Activation;
use crate::data::features::{Feature, Features, Kind, Missing};
use crate::data::target::{Classes, Number, Target};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::loss::Loss;
use crate::network::{Network, Spec};

impl<T: Float> Model<T> {
    /// The model of a network that takes numbers as they are: the columns of `names`, matched by name, or, without names, those of a
    /// matrix by position.
    ///
    /// **Errors**: not as many names as inputs or one twice; a target that is not of the network's outputs.
    ///
    /// ```
    /// use deltarule::model::Model;
    /// use deltarule::prelude::*;
    ///
    /// let spec = Spec::mlp(2, &[3], Activation::Tanh, 1, Activation::Identity)?;
    /// let network = Network::<f64>::new(spec, None, &mut Rng::new(1))?;
    /// let target = deltarule::model::plain_target(network.spec());
    /// let model = Model::of_network(network, Some(&["width".into(), "height".into()]), target, Loss::SquaredError)?;
    /// assert_eq!(model.input.names(), ["width", "height"]);
    /// # Ok::<(), deltarule::Error>(())
    /// ```
    pub fn of_network(network: Network<T>, names: Option<&[String]>, target: Target, loss: Loss) -> Result<Self> {
        let inputs = network.spec().inputs();
        if let Some(names) = names {
            if names.len() != inputs {
                return Err(Error::shape("names of inputs", inputs, names.len()));
            }
            if let Some((_, twice)) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
                return Err(Error::setting("names of inputs", "each once", format!("'{twice}' twice")));
            }
        }
        let outputs = network.spec().outputs();
        let fits = match &target {
            Target::Classes(Classes { labels, .. }) => labels.len() == outputs || labels.len() == 2 && outputs == 1,
            several => several.width() == outputs,
        };
        if !fits {
            return Err(Error::shape(
                "target",
                format!("one of {outputs} outputs"),
                format!("one of {}", target.width()),
            ));
        }
        let kind = Kind::Number { mean: 0.0, scale: 1.0, fill: None };
        let name = |i: usize| names.map_or_else(|| format!("column {}", i + 1), |names| names[i].clone());
        let columns = (0..inputs).map(|position| Feature { name: name(position), position, kind: kind.clone() });
        let features = Features {
            columns: columns.collect(),
            header: names.is_some(),
            source_columns: inputs,
            missing: Missing::Error,
        };
        let provenance = Provenance { version: env!("CARGO_PKG_VERSION").into(), ..Provenance::default() };
        Ok(Self { input: Input::Table(features), network, target, loss, provenance, certificate: None })
    }
}

/// What the outputs of a network are, as far as their activation tells: classes `0`, `1`, … after a softmax, two of them of a single
/// sigmoid or threshold unit, labels of several, else numbers.
pub fn plain_target(spec: &Spec) -> Target {
    let outputs = spec.outputs();
    let digits = |count: usize| (0..count).map(|class| class.to_string()).collect();
    let classes = |name: String, count: usize| Classes { name, labels: digits(count) };
    match spec.layers().last().map(|layer| layer.activation) {
        Some(Activation::Softmax) if outputs > 1 => Target::Classes(classes("label".into(), outputs)),
        Some(Activation::Sigmoid | Activation::Step) if outputs == 1 => Target::Classes(classes("label".into(), 2)),
        Some(Activation::Sigmoid | Activation::Step) => {
            Target::Labels((1..=outputs).map(|label| classes(format!("label {label}"), 2)).collect())
        }
        _ => {
            let number = |name: String| Number { name, mean: 0.0, scale: 1.0 };
            match outputs {
                1 => Target::Number(number("target".into())),
                _ => Target::Numbers((1..=outputs).map(|i| number(format!("target {i}"))).collect()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;
    use crate::data::Table;
    use crate::network::Layer;
    use crate::rng::Rng;
    use std::path::Path;

    /// What a network of these outputs and this activation is taken for can be saved, read again and measured, though nothing is known of
    /// its training.
    #[test]
    fn a_network_from_elsewhere_is_saved_and_measured() {
        for (outputs, activation, loss) in [
            (1, Activation::Sigmoid, Loss::LogisticCrossEntropy),
            (3, Activation::Softmax, Loss::SoftmaxCrossEntropy),
            (2, Activation::Sigmoid, Loss::LogisticCrossEntropy),
            (2, Activation::Identity, Loss::SquaredError),
            (1, Activation::Exponential, Loss::Poisson),
        ] {
            let spec = Spec::new(2, vec![Layer::new(outputs, activation)]).unwrap();
            let network = Network::<f32>::new(spec, None, &mut Rng::new(1)).unwrap();
            let names = ["a".to_string(), "b".to_string()];
            let target = plain_target(network.spec());
            let model = Model::of_network(network, Some(&names), target, loss).unwrap();
            let bytes = model.to_bytes().unwrap();
            assert_eq!(Model::<f32>::from_bytes(&bytes, Path::new("again")).unwrap(), model);

            let targets = model.target.names();
            let columns: Vec<String> =
                names.iter().map(String::as_str).chain(targets.clone()).map(Into::into).collect();
            let mut table = Table::new("rows", columns.clone()).unwrap();
            for row in 0..4 {
                let cells: Vec<_> = (0..columns.len()).map(|column| ((row + column) % 2).to_string()).collect();
                table.push(row as u64 + 2, &cells).unwrap();
            }
            let source = Source::table(table, &targets, None).unwrap();
            let evaluation = model.evaluate(&source, &[0, 1, 2, 3]).unwrap();
            assert_eq!(evaluation.rows, 4, "{activation}");
        }
    }
}
