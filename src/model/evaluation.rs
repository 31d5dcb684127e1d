//! How good a model is on rows it has not seen, beside what one would reach without looking at the inputs.

use super::{Model, Predictions, Source};
use crate::error::Result;
use crate::float::Float;
use crate::metrics::{Classification, ConfusionMatrix, Interval, MajorityBaseline, MeanBaseline, Metrics, Regression};
use ndarray::ArrayView2;

/// The figures of a model on some rows.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// How many rows.
    pub rows: usize,
    /// The model's figures.
    pub metrics: Metrics,
    /// The figures of the most frequent class, or of the mean, of the training rows.
    pub baseline: Metrics,
    /// A 95 % interval of the first figure: Wilson's for accuracy, a bootstrap for R2.
    pub interval: Interval,
    /// How often each class was taken for each.
    pub confusion: Option<ConfusionMatrix>,
}

fn column(numbers: &[f64]) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape((numbers.len(), 1), numbers).expect("as many as there are")
}

impl<T: Float> Model<T> {
    /// The model's figures on the given rows of `source`, beside those of a prediction that ignores the inputs: the
    /// most frequent class, or the mean, of the rows it was trained on. Without [probabilities](Model::has_probabilities) there is no
    /// log loss: it is NaN, in JSON null.
    ///
    /// **Determinism**: the interval's samples are decided by the model's seed.
    /// **Errors** name file, line, column and value.
    pub fn evaluate(&self, source: &Source, rows: &[usize]) -> Result<Evaluation> {
        match self.predict(source, rows)? {
            Predictions::Classes(probabilities) => {
                let truth = source.classes(&self.target, rows)?;
                let predicted = crate::metrics::classification::most_probable(probabilities.view());
                let right = truth.iter().zip(&predicted).filter(|(t, p)| t == p).count();
                let labels = self.target.labels();
                let counts: Vec<f64> = self.provenance.class_counts.iter().map(|&n| n as f64).collect();
                let classes: Vec<usize> = (0..labels.len()).collect();
                let baseline = MajorityBaseline::fit(&classes, labels.len(), Some(&counts))?;
                let mut figures = Classification::of(&truth, probabilities.view(), None)?;
                if !self.has_probabilities() {
                    // A choice of one class is not the claim that no other is possible.
                    figures.log_loss = f64::NAN;
                }
                Ok(Evaluation {
                    rows: rows.len(),
                    metrics: Metrics::Classification(figures),
                    baseline: Metrics::Classification(baseline.evaluate(&truth, None)?),
                    interval: Interval::wilson("accuracy", right, truth.len()),
                    confusion: Some(ConfusionMatrix::new(&truth, &predicted, labels.len(), None)?.named(labels)?),
                })
            }
            Predictions::Numbers(predicted) => {
                let truth = source.numbers(&self.target, rows)?;
                let mean = self.provenance.mean.unwrap_or_else(|| self.target.inverse(0.0));
                let baseline = MeanBaseline::fit(column(&[mean]), None)?;
                let (truth, predicted) = (column(&truth), column(&predicted));
                Ok(Evaluation {
                    rows: rows.len(),
                    metrics: Metrics::Regression(Regression::of(truth, predicted, None)?),
                    baseline: Metrics::Regression(baseline.evaluate(truth, None)?),
                    interval: Regression::interval("r2", truth, predicted, self.provenance.seed)?,
                    confusion: None,
                })
            }
        }
    }
}
