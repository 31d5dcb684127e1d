//! How good a model is on rows it has not seen, beside what one would reach without looking at the inputs.

use super::{Model, Predictions, Source};
use crate::data::Target;
use crate::error::Result;
use crate::float::Float;
use crate::metrics::classification::most_probable;
use crate::metrics::multilabel::{either, probable};
use crate::metrics::{
    Classification, ConfusionMatrix, Interval, MajorityBaseline, MeanBaseline, Metrics, MultiLabel, Regression,
};
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
        match self.predict(source, rows)? {
            Predictions::Classes(p) => self.judge_classes(source.classes(&self.target, rows)?, p.view(), weights),
            Predictions::Labels(p) => self.judge_labels(source.classes(&self.target, rows)?, p.view(), weights),
            Predictions::Numbers(p) => {
                self.judge_numbers(source.numbers(&self.target, rows)?.view(), p.view(), weights)
            }
        }
    }

    fn judge_classes(
        &self,
        truth: Array2<usize>,
        probabilities: ArrayView2<'_, f64>,
        weights: Option<&[f64]>,
    ) -> Result<Evaluation> {
        let truth: Vec<usize> = truth.into_iter().collect();
        let predicted = most_probable(probabilities);
        let right: Vec<bool> = truth.iter().zip(&predicted).map(|(t, p)| t == p).collect();
        let labels = self.target.labels();
        let baseline = &self.class_baselines()?[0];
        Ok(Evaluation {
            rows: truth.len(),
            metrics: Metrics::Classification(self.classification(&truth, probabilities, weights)?),
            baseline: Metrics::Classification(baseline.evaluate(&truth, weights)?),
            interval: Interval::share("accuracy", &right, weights, self.provenance.seed),
            confusion: Some(ConfusionMatrix::new(&truth, &predicted, labels.len(), weights)?.named(labels)?),
            columns: Vec::new(),
        })
    }

    /// The figures of one column's classes. A choice of one class is not the claim that no other is possible: where that is all that
    /// the network gives, there is no log loss.
    fn classification(
        &self,
        truth: &[usize],
        probabilities: ArrayView2<'_, f64>,
        weights: Option<&[f64]>,
    ) -> Result<Classification> {
        let mut figures = Classification::of(truth, probabilities, weights)?;
        if !self.has_probabilities() {
            figures.log_loss = f64::NAN;
        }
        Ok(figures)
    }

    fn judge_labels(
        &self,
        classes: Array2<usize>,
        probabilities: ArrayView2<'_, f64>,
        weights: Option<&[f64]>,
    ) -> Result<Evaluation> {
        let truth = classes.mapv(|class| class == 1);
        let predicted = probable(probabilities);
        let right: Vec<bool> = truth.rows().into_iter().zip(predicted.rows()).map(|(t, p)| t == p).collect();
        let baselines = self.class_baselines()?;
        let shares = Array2::from_shape_fn(truth.dim(), |(_, label)| baselines[label].frequencies()[1]);
        let mut columns = Vec::with_capacity(baselines.len());
        for (label, baseline) in baselines.iter().enumerate() {
            let classes = classes.column(label).to_vec();
            let metrics = self.classification(&classes, either(probabilities, label).view(), weights)?;
            columns.push(ColumnEvaluation {
                name: self.target.class_columns()[label].name.clone(),
                metrics: Metrics::Classification(metrics),
                baseline: Metrics::Classification(baseline.evaluate(&classes, weights)?),
            });
        }
        let mut metrics = MultiLabel::of(truth.view(), probabilities, weights)?;
        if !self.has_probabilities() {
            metrics.log_loss = f64::NAN;
        }
        Ok(Evaluation {
            rows: truth.nrows(),
            metrics: Metrics::MultiLabel(metrics),
            baseline: Metrics::MultiLabel(MultiLabel::of(truth.view(), shares.view(), weights)?),
            interval: Interval::share("accuracy", &right, weights, self.provenance.seed),
            confusion: None,
            columns,
        })
    }

    fn judge_numbers(
        &self,
        truth: ArrayView2<'_, f64>,
        predicted: ArrayView2<'_, f64>,
        weights: Option<&[f64]>,
    ) -> Result<Evaluation> {
        let numbers = self.target.number_columns();
        let figures = |truth: ArrayView2<'_, f64>, predicted: ArrayView2<'_, f64>, means: &[f64]| -> Result<_> {
            let baseline = MeanBaseline::fit(ArrayView1::from(means).insert_axis(Axis(0)), None)?;
            Ok((
                Metrics::Regression(Regression::of(truth, predicted, weights)?),
                Metrics::Regression(baseline.evaluate(truth, weights)?),
            ))
        };
        // Of standardised numbers a 0 is the mean.
        let means: Vec<f64> = match &self.provenance.means[..] {
            [] => numbers.iter().map(|number| number.inverse(0.0)).collect(),
            means => means.to_vec(),
        };
        let (metrics, baseline) = figures(truth, predicted, &means)?;
        let mut columns = Vec::new();
        if let Target::Numbers(_) = self.target {
            for (j, number) in numbers.iter().enumerate() {
                let of = |array: &ArrayView2<'_, f64>| array.column(j).insert_axis(Axis(1)).to_owned();
                let (metrics, baseline) = figures(of(&truth).view(), of(&predicted).view(), &means[j..=j])?;
                columns.push(ColumnEvaluation { name: number.name.clone(), metrics, baseline });
            }
        }
        Ok(Evaluation {
            rows: truth.nrows(),
            metrics,
            baseline,
            interval: Regression::interval("r2", truth, predicted, weights, self.provenance.seed)?,
            confusion: None,
            columns,
        })
    }

    /// For each class column, what predicts the most frequent class of the training rows.
    fn class_baselines(&self) -> Result<Vec<MajorityBaseline>> {
        let counts = self.provenance.class_counts.iter().map(|&n| n as f64);
        let shares = &self.provenance.class_shares;
        let mut frequencies: Vec<f64> = if shares.is_empty() { counts.collect() } else { shares.clone() };
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
