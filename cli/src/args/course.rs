//! How a training goes: its rate, its steps, when it ends, and what is kept of it.

use clap::Args;
use std::path::PathBuf;

/// What a range test has no use for: it writes no model, ends by itself, and sets the rates.
const NOT_WITH_FIND_RATE: [&str; 23] = [
    "validation_labels",
    "every",
    "resume",
    "validation",
    "warm_start",
    "cv",
    "checkpoint",
    "model",
    "history",
    "diagram",
    "weights",
    "rate",
    "schedule",
    "warm_up",
    "ema",
    "swa",
    "monitor",
    "target_loss",
    "time_limit",
    "epochs",
    "patience",
    "tolerance",
    "watch_gradients",
];

/// The course of a training by mini-batches; what a solver has no use for is refused by name.
#[derive(Args, Clone, Debug, Default)]
pub struct Course {
    /// What becomes of the learning rate: constant, inverse_scaling[=POWER], adaptive[=DIVISOR,LEAST], step[=EPOCHS,FACTOR], exponential[=FACTOR], cosine[=EPOCHS,GROWTH] (warm restarts; once over all epochs if not given), one_cycle[=RISE], plateau[=EPOCHS,FACTOR] [default: cosine; constant with --swa]
    #[arg(long, value_name = "NAME", help_heading = "Course")]
    pub schedule: Option<String>,
    /// Let the rate rise over the first so many epochs, step by step
    #[arg(long, value_name = "EPOCHS", default_value_t = 0, help_heading = "Course")]
    pub warm_up: usize,
    /// Shorten gradients to this Euclidean length
    #[arg(long, value_name = "F", conflicts_with = "clip_value", help_heading = "Course")]
    pub clip_norm: Option<f64>,
    /// Cut each component of a gradient to this absolute value
    #[arg(long, value_name = "F", help_heading = "Course")]
    pub clip_value: Option<f64>,
    /// Keep a moving average of the parameters, which this much is left of at each step, such as 0.999
    #[arg(long, value_name = "DECAY", conflicts_with = "swa", help_heading = "Course")]
    pub ema: Option<f64>,
    /// Keep the mean of the parameters after each epoch from this one on (stochastic weight averaging)
    #[arg(long, value_name = "EPOCH", help_heading = "Course")]
    pub swa: Option<usize>,
    /// Stop when this figure of the rows held back, or of --validation, no longer improves, in place of their loss: accuracy, balanced_accuracy, log_loss, hamming_loss, f1_macro, f1_micro, r2, rmse or mae, whichever the task has
    #[arg(long, value_name = "NAME", requires = "judging", help_heading = "Course")]
    pub monitor: Option<String>,
    /// Stop after the epoch whose loss (of the rows held back, if there are any) is at most this
    #[arg(long, value_name = "F", help_heading = "Course")]
    pub target_loss: Option<f64>,
    /// Stop after the epoch that is over later than so many seconds
    #[arg(long, value_name = "SECONDS", help_heading = "Course")]
    pub time_limit: Option<f64>,
    /// Train nothing: try all learning rates from FROM to TO on a copy of the network, one more for each of STEPS mini-batches, and suggest one
    /// that teaches; --plot draws the losses [default range: 1e-7,10,100]
    #[arg(long, value_name = "FROM,TO[,STEPS]", num_args = 0..=1, require_equals = true, default_missing_value = "1e-7,10,100",
          conflicts_with_all = NOT_WITH_FIND_RATE, help_heading = "Course")]
    pub find_rate: Option<String>,
    /// Write each epoch's rate, losses and figures of the rows trained on and held back here (CSV)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub history: Option<PathBuf>,
}
