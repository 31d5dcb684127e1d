//! How good a model is on rows it has not seen, beside what one would reach without looking at the inputs.

use super::predictions::Truth;
use super::{Model, Predictions, Source};
use crate::data::Target;
use crate::error::Result;
use crate::float::Float;
use crate::metrics::classification::most_probable;
use crate::metrics::multilabel::{either, probable};
use crate::metrics::{ConfusionMatrix, Interval, MajorityBaseline, MeanBaseline, Metrics, MultiLabel, Regression};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

/// The figures of a model on some rows.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// How many rows.
    pub rows: usize,
    /// The model's figures.
    pub metrics: Metrics,
    /// The figures of the most frequent class, or of the mean, of the training rows; of several columns, of each.
    pub baseline: Metrics,
    /// A 95 % interval of the first figure: Wilson's for accuracy, a bootstrap for R2 and for weighted rows.
    pub interval: Interval,
    /// How often each class was taken for each; none for numbers and for several columns.
    pub confusion: Option<ConfusionMatrix>,
    /// Of several target columns, the figures of each by itself, as if it were the only one; empty of a single one.
    pub columns: Vec<ColumnEvaluation>,
}

/// The figures of one of several target columns.
#[derive(Clone, Debug)]
pub struct ColumnEvaluation {
    /// The column's name.
    pub name: String,
    /// The model's figures.
    pub metrics: Metrics,
    /// The figures of the most frequent class, or of the mean, of the training rows.
    pub baseline: Metrics,
}

impl<T: Float> Model<T> {
    /// The model's figures on the given rows of `source`, beside those of a prediction that ignores the inputs: the
    /// most frequent class, or the mean, of the rows it was trained on. Rows count by the source's weights, if it has any. Without
    /// [probabilities](Model::has_probabilities) there is no log loss: it is NaN, in JSON null.
    ///
    /// **Determinism**: the interval's samples are decided by the model's seed.
    /// **Errors** name file, line, column and value.
    pub fn evaluate(&self, source: &Source, rows: &[usize]) -> Result<Evaluation> {
        let weights = source.weights(rows)?;
        let weights = weights.as_deref();
        let predictions = self.predict(source, rows)?;
        let (mut classes, mut numbers) = (Array2::zeros((rows.len(), 0)), Array2::zeros((rows.len(), 0)));
        match &predictions {
            Predictions::Classes(_) | Predictions::Labels(_) => classes = source.classes(&self.target, rows)?,
            Predictions::Numbers(_) => numbers = source.numbers(&self.target, rows)?,
        }
        let truth = Truth { classes: classes.view(), numbers: numbers.view() };
        match &predictions {
            Predictions::Classes(_) => self.judge_classes(&predictions, truth, weights),
            Predictions::Labels(_) => self.judge_labels(&predictions, truth, weights),
            Predictions::Numbers(_) => self.judge_numbers(&predictions, truth, weights),
        }
    }

    /// The figures of what it says of one column or all.
    fn figures(&self, predictions: &Predictions, truth: Truth<'_>, weights: Option<&[f64]>) -> Result<Metrics> {
        predictions.metrics(truth, weights, self.has_probabilities())
    }

    fn judge_classes(
        &self,
        predictions: &Predictions,
        truth: Truth<'_>,
        weights: Option<&[f64]>,
    ) -> Result<Evaluation> {
        let probabilities = predictions.values();
        let metrics = self.figures(predictions, truth, weights)?;
        let truth: Vec<usize> = truth.classes.iter().copied().collect();
        let predicted = most_probable(probabilities);
        let right: Vec<bool> = truth.iter().zip(&predicted).map(|(t, p)| t == p).collect();
        let labels = self.target.labels();
        let baseline = &self.class_baselines()?[0];
        Ok(Evaluation {
            rows: truth.len(),
            metrics,
            baseline: Metrics::Classification(baseline.evaluate(&truth, weights)?),
            interval: Interval::share("accuracy", &right, weights, self.provenance.seed),
            confusion: Some(ConfusionMatrix::new(&truth, &predicted, labels.len(), weights)?.named(labels)?),
            columns: Vec::new(),
        })
    }

    fn judge_labels(&self, predictions: &Predictions, truth: Truth<'_>, weights: Option<&[f64]>) -> Result<Evaluation> {
        let probabilities = predictions.values();
        let metrics = self.figures(predictions, truth, weights)?;
        let classes = truth.classes;
        let positive = classes.mapv(|class| class == 1);
        let predicted = probable(probabilities);
        let right: Vec<bool> = positive.rows().into_iter().zip(predicted.rows()).map(|(t, p)| t == p).collect();
        let baselines = self.class_baselines()?;
        let shares = Array2::from_shape_fn(positive.dim(), |(_, label)| baselines[label].frequencies()[1]);
        let mut columns = Vec::with_capacity(baselines.len());
        for (label, baseline) in baselines.iter().enumerate() {
            let own = classes.column(label);
            let predicted = Predictions::Classes(either(probabilities, label));
            columns.push(ColumnEvaluation {
                name: self.target.class_columns()[label].name.clone(),
                metrics: self.figures(&predicted, Truth { classes: own.insert_axis(Axis(1)), ..truth }, weights)?,
                baseline: Metrics::Classification(baseline.evaluate(&own.to_vec(), weights)?),
            });
        }
        Ok(Evaluation {
            rows: positive.nrows(),
            metrics,
            baseline: Metrics::MultiLabel(MultiLabel::of(positive.view(), shares.view(), weights)?),
            interval: Interval::share("accuracy", &right, weights, self.provenance.seed),
            confusion: None,
            columns,
        })
    }

    fn judge_numbers(
        &self,
        predictions: &Predictions,
        truth: Truth<'_>,
        weights: Option<&[f64]>,
    ) -> Result<Evaluation> {
        let predicted = predictions.values();
        let numbers = self.target.number_columns();
        // Of standardised numbers a 0 is the mean.
        let means: Vec<f64> = match &self.provenance.means[..] {
            // Trained elsewhere: its rows' mean is not known, and that of these is what no constant can beat.
            _ if self.provenance.rows == 0 => {
                truth.numbers.mean_axis(Axis(0)).map_or(Vec::new(), |means| means.to_vec())
            }
            [] => numbers.iter().map(|number| number.inverse(0.0)).collect(),
            means => means.to_vec(),
        };
        let baseline = |truth: ArrayView2<'_, f64>, means: &[f64]| -> Result<_> {
            let baseline = MeanBaseline::fit(ArrayView1::from(means).insert_axis(Axis(0)), None)?;
            Ok(Metrics::Regression(baseline.evaluate(truth, weights)?))
        };
        let mut columns = Vec::new();
        if let Target::Numbers(_) = self.target {
            for (j, number) in numbers.iter().enumerate() {
                let own = Truth { numbers: truth.numbers.column(j).insert_axis(Axis(1)), ..truth };
                let predicted = Predictions::Numbers(predicted.column(j).insert_axis(Axis(1)).to_owned());
                columns.push(ColumnEvaluation {
                    name: number.name.clone(),
                    metrics: self.figures(&predicted, own, weights)?,
                    baseline: baseline(own.numbers, &means[j..=j])?,
                });
            }
        }
        Ok(Evaluation {
            rows: predicted.nrows(),
            metrics: self.figures(predictions, truth, weights)?,
            baseline: baseline(truth.numbers, &means)?,
            interval: Regression::interval("r2", truth.numbers, predicted, weights, self.provenance.seed)?,
            confusion: None,
            columns,
        })
    }

    /// For each class column, what predicts the most frequent class of the training rows; of a network whose training is not known, the
    /// first.
    fn class_baselines(&self) -> Result<Vec<MajorityBaseline>> {
        let counts = self.provenance.class_counts.iter().map(|&n| n as f64);
        let shares = &self.provenance.class_shares;
        let mut frequencies: Vec<f64> = if shares.is_empty() { counts.collect() } else { shares.clone() };
        if frequencies.is_empty() {
            // Trained elsewhere: no class is known to be the most frequent, and the first is taken.
            frequencies = vec![1.0; self.target.class_columns().iter().map(|column| column.labels.len()).sum()];
        }
        let mut baselines = Vec::new();
        for column in self.target.class_columns() {
            let others = frequencies.split_off(column.labels.len().min(frequencies.len()));
            let classes: Vec<usize> = (0..column.labels.len()).collect();
            baselines.push(MajorityBaseline::fit(&classes, classes.len(), Some(&frequencies))?);
            frequencies = others;
        }
        Ok(baselines)
    }
}
