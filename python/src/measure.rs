//! The figures of the rows held back after each epoch: scikit-learn's, under its names.

use deltarule::activation::Activation;
use deltarule::data::target::{Classes, Number, Target};
use deltarule::float::Float;
use deltarule::metrics::{Classification, Metrics, MultiLabel, Regression};
use deltarule::model::Predictions;
use deltarule::train::{Measure, Monitor, Part};
use deltarule::{Error, Result};
use ndarray::ArrayView2;

/// What a network predicts, as Python names it: `classes`, `labels` or `numbers`, and how many.
pub fn target(kind: &str, names: &[String]) -> Result<Target> {
    let number = |name: &String| Number { name: name.clone(), mean: 0.0, scale: 1.0 };
    Ok(match kind {
        "classes" => Target::Classes(Classes { name: "label".into(), labels: names.to_vec() }),
        "labels" => {
            let two = || vec!["0".to_string(), "1".to_string()];
            Target::Labels(names.iter().map(|name| Classes { name: name.clone(), labels: two() }).collect())
        }
        "numbers" if names.len() == 1 => Target::Number(number(&names[0])),
        "numbers" => Target::Numbers(names.iter().map(number).collect()),
        _ => return Err(Error::setting("target", "classes, labels or numbers", kind)),
    })
}

/// The figures of some rows, whose targets are encoded as the network is trained on them.
#[derive(Debug)]
pub struct Score<'a, T> {
    pub target: &'a Target,
    pub output: Option<Activation>,
    pub truth: ArrayView2<'a, T>,
    pub weights: Option<Vec<f64>>,
}

impl<T: Float> Score<'_, T> {
    /// The names of a target's figures.
    fn names_of(target: &Target) -> &'static [&'static str] {
        match target {
            Target::Classes(_) => &Classification::NAMES,
            Target::Labels(_) => &MultiLabel::NAMES,
            Target::Number(_) | Target::Numbers(_) => &Regression::NAMES,
        }
    }

    /// How the figure of that name is watched.
    pub fn monitor(target: &Target, name: &str) -> Result<Monitor> {
        let names = Self::names_of(target);
        let falls = ["log_loss", "hamming_loss", "rmse", "mae"];
        match names.iter().position(|known| *known == name) {
            Some(index) => Ok(Monitor::Figure { index, rises: !falls.contains(&name) }),
            None => Err(Error::setting("monitor", names.join(", "), name)),
        }
    }
}

impl<T: Float> Measure<T> for Score<'_, T> {
    fn names(&self) -> Vec<String> {
        Self::names_of(self.target).iter().map(|name| (*name).into()).collect()
    }

    fn figures(&self, _: Part, outputs: ArrayView2<'_, T>) -> Result<Vec<f64>> {
        let weights = self.weights.as_deref();
        let has = |value: &T| value.real() > 0.5;
        let metrics = match Predictions::of(self.target, self.output, outputs)? {
            Predictions::Classes(p) => {
                let class = |row: ndarray::ArrayView1<'_, T>| match row.len() {
                    1 => usize::from(has(&row[0])),
                    _ => row.iter().position(has).unwrap_or(0),
                };
                let truth: Vec<usize> = self.truth.rows().into_iter().map(class).collect();
                Metrics::Classification(Classification::of(&truth, p.view(), weights)?)
            }
            Predictions::Labels(p) => {
                Metrics::MultiLabel(MultiLabel::of(self.truth.map(has).view(), p.view(), weights)?)
            }
            Predictions::Numbers(p) => {
                Metrics::Regression(Regression::of(self.truth.map(|y| y.real()).view(), p.view(), weights)?)
            }
        };
        Ok(metrics.figures().into_iter().map(|(_, figure)| figure).collect())
    }

    fn measures_training(&self) -> bool {
        false
    }
}
