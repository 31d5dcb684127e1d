//! What a model says of some rows, from what its network gives.

use crate::activation::Activation;
use crate::data::Target;
use crate::error::Result;
use crate::float::Float;
use crate::metrics::classification::most_probable;
use crate::metrics::{Classification, Metrics, MultiLabel, Regression};
use ndarray::{Array2, ArrayView2, Axis};

/// What some rows are, by the kind of their [`Target`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Truth<'a> {
    /// Rows x class columns; none of numbers.
    pub classes: ArrayView2<'a, usize>,
    /// Rows x number columns; none of classes.
    pub numbers: ArrayView2<'a, f64>,
}

/// What a model says of some rows, by the kind of its [`Target`].
#[derive(Clone, Debug, PartialEq)]
pub enum Predictions {
    /// The probability of each class: rows x classes, each row summing to 1 (independent sigmoids and threshold units are
    /// scaled to; where none fires, every class is as probable). Of scores, as a hinge trains them, the class with the largest has 1:
    /// [`Model::has_probabilities`](super::Model::has_probabilities) tells.
    Classes(Array2<f64>),
    /// The probability of each label, that of the second class of its column: rows x labels.
    Labels(Array2<f64>),
    /// The numbers in their own units: rows x numbers.
    Numbers(Array2<f64>),
}

impl Predictions {
    /// The probabilities or numbers: a row to each row.
    pub fn values(&self) -> ArrayView2<'_, f64> {
        let (Self::Classes(values) | Self::Labels(values) | Self::Numbers(values)) = self;
        values.view()
    }

    pub(super) fn values_mut(&mut self) -> &mut Array2<f64> {
        let (Self::Classes(values) | Self::Labels(values) | Self::Numbers(values)) = self;
        values
    }

    /// Other values of the same kind.
    pub(super) fn like(&self, values: Array2<f64>) -> Self {
        match self {
            Self::Classes(_) => Self::Classes(values),
            Self::Labels(_) => Self::Labels(values),
            Self::Numbers(_) => Self::Numbers(values),
        }
    }

    /// Whether what a network says of classes that ends in the activation `output` are probabilities.
    pub(super) fn are_probabilities(output: Option<Activation>) -> bool {
        matches!(output, Some(Activation::Softmax | Activation::Sigmoid))
    }

    /// Their figures, in training and after it. A choice of one class is not the claim that no other is possible: unless they are
    /// [probabilities](Self::are_probabilities) there is no log loss, it is NaN.
    ///
    /// **Errors** if there are not as many rows as in `truth`, or something is not finite.
    pub(super) fn metrics(
        &self,
        truth: Truth<'_>,
        weights: Option<&[f64]>,
        are_probabilities: bool,
    ) -> Result<Metrics> {
        let log_loss = |figure| if are_probabilities { figure } else { f64::NAN };
        Ok(match self {
            Self::Classes(p) => {
                let truth: Vec<usize> = truth.classes.iter().copied().collect();
                let figures = Classification::of(&truth, p.view(), weights)?;
                Metrics::Classification(Classification { log_loss: log_loss(figures.log_loss), ..figures })
            }
            Self::Labels(p) => {
                let truth = truth.classes.mapv(|class| class == 1);
                let figures = MultiLabel::of(truth.view(), p.view(), weights)?;
                Metrics::MultiLabel(MultiLabel { log_loss: log_loss(figures.log_loss), ..figures })
            }
            Self::Numbers(p) => Metrics::Regression(Regression::of(truth.numbers, p.view(), weights)?),
        })
    }

    /// What the `outputs` of a network that ends in the activation `output` say of `target`; they may hold what is not finite.
    ///
    /// **Shapes**: `outputs` rows x outputs. **Errors** if they are not as many as the target asks for.
    pub fn of<T: Float>(target: &Target, output: Option<Activation>, outputs: ArrayView2<'_, T>) -> Result<Self> {
        let is_scores = output == Some(Activation::Identity);
        let is_softmax = output == Some(Activation::Softmax);
        let classes = match target {
            Target::Number(_) | Target::Numbers(_) => {
                return Ok(Predictions::Numbers(target.inverse_all(outputs)?));
            }
            // Of scores, the sign is the choice.
            Target::Labels(_) if is_scores => {
                let choice =
                    |score: T| if score.is_finite() { f64::from(u8::from(score.real() > 0.0)) } else { f64::NAN };
                return Ok(Predictions::Labels(outputs.mapv(choice)));
            }
            Target::Labels(_) => return Ok(Predictions::Labels(outputs.mapv(|output| output.real()))),
            Target::Classes(classes) => classes.labels.len(),
        };
        let mut probabilities = Array2::zeros((outputs.nrows(), classes));
        for (output, mut p) in outputs.rows().into_iter().zip(probabilities.rows_mut()) {
            if is_scores && output.iter().any(|score| !score.is_finite()) {
                p.fill(f64::NAN);
            } else if is_scores {
                let largest = match output.len() {
                    1 => usize::from(output[0].real() > 0.0),
                    _ => most_probable(output.insert_axis(Axis(0)))[0],
                };
                p[largest] = 1.0;
            } else if output.len() == 1 {
                let second = output[0].real();
                (p[0], p[1]) = (1.0 - second, second);
            } else {
                p.iter_mut().zip(output).for_each(|(p, &o)| *p = o.real());
                if !is_softmax {
                    let sum: f64 = p.sum();
                    p.mapv_inplace(|v| if sum > 0.0 { v / sum } else { 1.0 / classes as f64 });
                }
            }
        }
        Ok(Predictions::Classes(probabilities))
    }
}
