//! The catalogue itself: name, mistake, and which tensors it reaches.

use super::backprop::Fault;
use super::batch_norm;
use super::dropout::Slip;
use super::formulas::{Lapse, Unit};
use super::{How, Reach, Specimen};

const fn specimen(name: &'static str, what: &'static str, how: How, reach: Reach) -> Specimen {
    Specimen { name, what, how, reach }
}

/// All of them.
pub(super) static ALL: [Specimen; 60] = [
    // Sums over rows, and what they are divided by.
    specimen(
        "sign",
        "The error is taken as t - y: textbooks that add the step instead of subtracting it, copied half.",
        How::Code(Fault::Sign),
        Reach::Everything,
    ),
    specimen(
        "sum_for_mean",
        "Rows are summed where the value is their mean: NumPy tutorials that report the mean and step with the sum.",
        How::Code(Fault::Summed),
        Reach::Everything,
    ),
    specimen(
        "mean_twice",
        "The loss divides by the number of rows, and the weights' gradient does again.",
        How::Code(Fault::MeanTwice),
        Reach::Everything,
    ),
    specimen(
        "sums_in_f32",
        "Products are made in f64 and summed over rows in f32: accumulators of mixed precision, right to 1e-7.",
        How::Code(Fault::SingleSums),
        Reach::Everything,
    ),
    specimen(
        "last_block_forgotten",
        "A kernel goes through rows in blocks and leaves out those after the last whole one.",
        How::Code(Fault::LastBlock),
        Reach::Weights,
    ),
    specimen(
        "previous_batch_kept",
        "The gradient is added to the previous batch's: beta = 1 where 0 is due, or zero_grad forgotten.",
        How::Code(Fault::Accumulated),
        Reach::Everything,
    ),
    specimen(
        "row_weights_ignored",
        "The value is a weighted mean and the gradient a plain one: sample weights that reach the metric only.",
        How::Code(Fault::WeightsIgnored),
        Reach::Everything,
    ),
    specimen(
        "neighbours_row_weight",
        "One row counts as its neighbour does: an index off by one, at the edge of a block.",
        How::Code(Fault::NeighboursWeight),
        Reach::Everything,
    ),
    specimen(
        "row_weights_not_normalised",
        "Weighted rows are divided by how many they are, and not by their weight: two readings of a weighted mean.",
        How::Code(Fault::WeightsNotNormalised),
        Reach::Everything,
    ),
    specimen(
        "targets_shifted",
        "Targets are those of the next row: inputs and targets shuffled or sliced apart.",
        How::Code(Fault::TargetsShifted),
        Reach::Everything,
    ),
    // Layers.
    specimen(
        "back_untransposed",
        "The error goes back through W, not its transpose, which a square layer does not notice.",
        How::Code(Fault::BackUntransposed),
        Reach::BelowOutput,
    ),
    specimen(
        "stored_transposed",
        "The weights' gradient is stored outputs x inputs, as another library has it, in a flat buffer.",
        How::Code(Fault::StoredTransposed),
        Reach::Weights,
    ),
    specimen(
        "bias_forgotten",
        "Biases have no gradient: they are still zero, as they began, and nobody saw it.",
        How::Code(Fault::BiasForgotten),
        Reach::Biases,
    ),
    specimen(
        "bias_of_last_row",
        "The biases' gradient is set row by row where it should be added to.",
        How::Code(Fault::BiasOfLastRow),
        Reach::Biases,
    ),
    specimen(
        "bias_over_units",
        "Each bias gets the sum over rows and units: np.sum(delta) without its axis, which broadcasting accepts.",
        How::Code(Fault::BiasOverUnits),
        Reach::Biases,
    ),
    specimen(
        "output_slope_missing",
        "delta = y - t with a tanh output and squared error, as it is right for cross-entropy alone.",
        How::Code(Fault::OutputSlopeMissing),
        Reach::Everything,
    ),
    specimen(
        "slope_of_layer_before",
        "A layer's slope is that of the layer before: lists of activations that begin with the input.",
        How::Code(Fault::SlopeOfLayerBefore),
        Reach::BelowOutput,
    ),
    specimen(
        "slope_at_activation",
        "The derivative is called with the activation where it wants the sum: sigmoid_prime(a) for sigmoid_prime(z).",
        How::Code(Fault::SlopeAtActivation),
        Reach::BelowOutput,
    ),
    specimen(
        "sums_for_activations",
        "The weights' gradient multiplies with the sums of the layer below: the wrong one of two cached arrays.",
        How::Code(Fault::SumsForActivations),
        Reach::LaterWeights,
    ),
    specimen(
        "moved_before",
        "A layer moves its weights before the error goes back through them: backward and step in one method.",
        How::Code(Fault::MovedBefore),
        Reach::BelowOutput,
    ),
    specimen(
        "detached",
        "Nothing goes below the output layer: a graph that was cut for speed, or by a conversion to an array.",
        How::Code(Fault::Detached),
        Reach::BelowOutput,
    ),
    // Penalties.
    specimen(
        "bias_penalised",
        "The gradient penalises biases, the value does not: weight decay over all parameters of an optimiser.",
        How::Code(Fault::BiasPenalised),
        Reach::Biases,
    ),
    specimen(
        "l2_missing",
        "The squared penalty is reported and never followed.",
        How::Code(Fault::L2Missing),
        Reach::Weights,
    ),
    specimen(
        "l2_twice",
        "The squared penalty has half a square in its value and a factor 2 in its gradient.",
        How::Code(Fault::L2Twice),
        Reach::Weights,
    ),
    specimen(
        "l1_unsigned",
        "The absolute penalty adds its factor to every entry, whatever the weight's sign.",
        How::Code(Fault::L1Unsigned),
        Reach::Weights,
    ),
    specimen(
        "penalty_per_row",
        "The gradient divides the penalty by the number of rows, as scikit-learn's objective has it, the value does not.",
        How::Code(Fault::PenaltyPerRow),
        Reach::Weights,
    ),
    // Activations.
    specimen(
        "gelu_forms_mixed",
        "GELU in its tanh form with the slope of the exact form: the two are taken for one function.",
        How::Activation(Unit::ExactGelu),
        Reach::BelowOutput,
    ),
    specimen(
        "leaky_sides_changed",
        "Leaky ReLU has its small slope on the positive side: a mask turned round.",
        How::Activation(Unit::LeakySides),
        Reach::BelowOutput,
    ),
    specimen(
        "sigmoids_slope_for_tanh",
        "tanh with a (1 - a): the activation was exchanged and its slope was not.",
        How::Activation(Unit::SigmoidOfTanh),
        Reach::BelowOutput,
    ),
    specimen(
        "tanh_unsquared",
        "tanh with 1 - a for 1 - a^2.",
        How::Activation(Unit::TanhUnsquared),
        Reach::BelowOutput,
    ),
    specimen(
        "selu_rounded",
        "SELU, whose slope has its constants to five digits and whose value has them all: two files, two sources.",
        How::Activation(Unit::RoundedSelu),
        Reach::BelowOutput,
    ),
    specimen(
        "slope_in_f32",
        "tanh, whose slope went through single precision: an f32 cache beside an f64 pass.",
        How::Activation(Unit::SingleTanh),
        Reach::BelowOutput,
    ),
    specimen(
        "product_rule_halved",
        "SiLU with sigmoid(z) for its slope: the gate is taken for a constant.",
        How::Activation(Unit::SiluHalf),
        Reach::BelowOutput,
    ),
    specimen(
        "softplus_exponent",
        "Softplus with 1 / (1 + exp(z)) for 1 / (1 + exp(-z)): a sign lost when the sigmoid was written out.",
        How::Activation(Unit::SoftplusExponent),
        Reach::BelowOutput,
    ),
    specimen(
        "softmax_diagonal",
        "Softmax with p (1 - p) under squared error: each output as if it were a sigmoid.",
        How::Activation(Unit::SoftmaxDiagonal),
        Reach::Everything,
    ),
    specimen(
        "statistics_held_fixed",
        "Layer normalisation, whose gradient takes mean and deviation for constants.",
        How::Activation(Unit::FixedStatistics),
        Reach::BelowOutput,
    ),
    specimen(
        "mean_held_fixed",
        "Layer normalisation, whose gradient takes the mean for a constant.",
        How::Activation(Unit::FixedMean),
        Reach::BelowOutput,
    ),
    specimen(
        "deviation_held_fixed",
        "Layer normalisation, whose gradient takes the deviation for a constant: the sum of squares has no way back.",
        How::Activation(Unit::FixedDeviation),
        Reach::BelowOutput,
    ),
    specimen(
        "inputs_without_first_slope",
        "The gradient with respect to the inputs skips the first layer's slope: saliency maps, adversarial examples.",
        How::Inputs,
        Reach::Everything,
    ),
    // Losses.
    specimen(
        "logits_gradient_of_probabilities",
        "Binary cross-entropy of probabilities with p - t, the gradient for the logit: sigmoid's slope is then taken again.",
        How::Loss(Lapse::LogitOfProbability),
        Reach::Everything,
    ),
    specimen(
        "sum_over_outputs",
        "The squared error is averaged over outputs too, its gradient is not: MSE of several outputs.",
        How::Loss(Lapse::SumOfOutputs),
        Reach::Everything,
    ),
    specimen(
        "half_square_full_slope",
        "Half the square with the slope of the whole: the half was added for beauty.",
        How::Loss(Lapse::SlopeOfWhole),
        Reach::Everything,
    ),
    specimen(
        "gradient_unclipped",
        "Log loss of probabilities kept from 0 and 1, where a saturated row is flat, with the gradient of unclipped ones.",
        How::Loss(Lapse::Unclipped),
        Reach::Everything,
    ),
    specimen(
        "first_class_ignored",
        "Rows of class 0 have no gradient: ignore_index = 0, for padding, on data that has none.",
        How::Loss(Lapse::FirstClassIgnored),
        Reach::Everything,
    ),
    specimen(
        "class_weight_forgotten",
        "Softmax cross-entropy with class weights, with p - w t for w (p - t).",
        How::Loss(Lapse::MassForgotten),
        Reach::Everything,
    ),
    specimen(
        "labels_smoothed_in_value",
        "Labels are smoothed for the value, hard for the gradient.",
        How::Loss(Lapse::HardLabels),
        Reach::Everything,
    ),
    specimen(
        "huber_unit_knee",
        "Huber's loss has slope 1 beyond its knee, which is right for a knee of 1 only.",
        How::Loss(Lapse::UnitKnee),
        Reach::Everything,
    ),
    specimen(
        "focus_held_fixed",
        "Focal loss, whose gradient takes the factor (1 - p)^2 for a constant.",
        How::Loss(Lapse::FixedFocus),
        Reach::Everything,
    ),
    specimen(
        "focus_of_sigmoids_held_fixed",
        "Focal loss of sigmoids, whose gradient is the cross-entropy's times (1 - p)^2.",
        How::Loss(Lapse::FixedFocusOfSigmoids),
        Reach::Everything,
    ),
    specimen(
        "pinball_sides_swapped",
        "The pinball loss of the quantile 0.9, with the slopes of the quantile 0.1: error taken as target less output.",
        How::Loss(Lapse::PinballSides),
        Reach::Everything,
    ),
    specimen(
        "poisson_without_exp",
        "Poisson's loss of log-rates with o - t for exp(o) - t: log_input forgotten on the way back.",
        How::Loss(Lapse::RateNotTaken),
        Reach::Everything,
    ),
    specimen(
        "hinge_beyond_margin",
        "The hinge has its slope where the margin is kept, and none where it is broken: a comparison turned round.",
        How::Loss(Lapse::BeyondMargin),
        Reach::Everything,
    ),
    // Dropout.
    specimen(
        "stale_dropout_mask",
        "The way back takes the dropout mask of the draw before: a mask drawn anew, or kept too long.",
        How::Dropout(Slip::StaleMask),
        Reach::BelowOutput,
    ),
    specimen(
        "dropout_unscaled",
        "The way back has a mask of zeros and ones, where the way forward scaled up what it kept.",
        How::Dropout(Slip::Unscaled),
        Reach::BelowOutput,
    ),
    specimen(
        "dropout_mask_forgotten",
        "The way back has no mask: units that were dropped learn as if they had been there.",
        How::Dropout(Slip::Forgotten),
        Reach::BelowOutput,
    ),
    // Batch normalisation.
    specimen(
        "batch_mean_held_fixed",
        "Batch normalisation, whose gradient takes the mean over rows for a constant.",
        How::BatchNorm(batch_norm::Slip::FixedMean),
        Reach::FirstWeights,
    ),
    specimen(
        "batch_deviation_held_fixed",
        "Batch normalisation, whose gradient takes the deviation over rows for a constant.",
        How::BatchNorm(batch_norm::Slip::FixedDeviation),
        Reach::FirstWeights,
    ),
    specimen(
        "running_statistics_backward",
        "The way back takes the running statistics, which are constants, where the way forward took the batch's: a layer left in \
         evaluation mode on one side.",
        How::BatchNorm(batch_norm::Slip::Running),
        Reach::FirstWeights,
    ),
    specimen(
        "batch_variance_unbiased",
        "The way back divides sums over rows by one row less, as the running variance does and the batch's does not.",
        How::BatchNorm(batch_norm::Slip::OneRowLess),
        Reach::FirstWeights,
    ),
    // Size.
    specimen(
        super::LARGE,
        "One entry among 99,330 is off by a thousandth of itself: a bit, a race, the edge of a tile.",
        How::Entry,
        Reach::FirstWeights,
    ),
];
