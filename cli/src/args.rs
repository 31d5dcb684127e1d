//! What can be said on the command line. Parsing only: nothing here opens a file.

mod course;
mod exchange;

use clap::{Args, Parser, Subcommand, ValueEnum};
pub use course::Course;
pub use exchange::{Export, Import};
use std::path::PathBuf;

/// Train, use and verify dense neural networks on a CPU.
#[derive(Parser, Debug)]
#[command(name = "deltarule", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Train a network on a data file: CSV, or IDX images or an NPY matrix with --labels
    Train(Box<Train>),
    /// Predict the target of each row
    Predict(Predict),
    /// Measure a model on rows whose target is known
    Evaluate(Evaluate),
    /// Check gradients: of a model, of a random network, or of thousands
    Gradcheck(Box<Gradcheck>),
    /// Show what is inside a model file
    Inspect(Inspect),
    /// Write a model for other programs: ONNX, C or Rust source, PyTorch's safetensors
    Export(Export),
    /// Make a model of another program's network: ONNX, FANN, safetensors
    Import(Import),
    /// Show instruction set, GEMM backend, threads and version
    Info(Info),
}

/// How a data file is read.
#[derive(Args, Clone, Debug)]
pub struct Reading {
    /// Whether the first line names the columns
    #[arg(long, value_enum, default_value_t = Header::Auto, help_heading = "Reading")]
    pub header: Header,
    /// The separator, if it is not to be found out: one character, or 'tab'
    #[arg(long, value_name = "CHAR", help_heading = "Reading")]
    pub delimiter: Option<String>,
    /// The labels of IDX images, or the targets of an NPY matrix: whole numbers are classes, others a number (see --task)
    #[arg(long, value_name = "FILE", help_heading = "Reading")]
    pub labels: Option<PathBuf>,
}

/// Whether the first line names the columns.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum Header {
    /// Find out
    Auto,
    /// It does
    Yes,
    /// It is data
    No,
}

/// How the machine is used.
#[derive(Args, Clone, Debug)]
pub struct Machine {
    /// Threads; 0 means one for each core. The result has the same bits for any number
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Machine")]
    pub threads: usize,
    #[command(flatten)]
    pub multiply: Multiply,
}

/// Who multiplies matrices.
#[derive(Args, Clone, Debug)]
pub struct Multiply {
    /// Who multiplies matrices: embedded; a BLAS library by its path, its name, or as openblas, mkl, blis or accelerate; or blas where one was built in
    #[arg(long, value_name = "BACKEND", default_value = "embedded", help_heading = "Machine")]
    pub gemm: String,
    /// The kernels that an OpenBLAS to be loaded uses, where it does not know the processor: auto, or a name such as Haswell
    #[arg(long, value_name = "CORE", help_heading = "Machine")]
    pub blas_core: Option<String>,
}

/// The type of the network's numbers.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// Single precision
    F32,
    /// Double precision
    F64,
}

/// What is to be predicted.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum Task {
    /// One of several classes
    Classify,
    /// A number
    Regress,
}

/// What to do with missing cells.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum Missing {
    /// Refuse them, naming their places
    Error,
    /// Put the training rows' mean, or most frequent category
    Mean,
    /// Leave out their rows
    Drop,
}

/// What `--standardise` says.
fn standardised(text: &str) -> Result<bool, &'static str> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no"),
    }
}

/// How parameters are moved.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solver {
    /// Adam, in mini-batches
    Adam,
    /// Adam with decoupled weight decay, in mini-batches
    Adamw,
    /// Adam by the largest mean square so far, in mini-batches
    Amsgrad,
    /// Adam with Nesterov's look ahead, in mini-batches
    Nadam,
    /// The gradient over the root of its mean square, in mini-batches
    Rmsprop,
    /// The gradient over the root of all its squares, in mini-batches
    Adagrad,
    /// Adadelta, which finds its rate, in mini-batches
    Adadelta,
    /// Steps of one size along the sign of a mean, in mini-batches
    Lion,
    /// Gradient descent with momentum, in mini-batches
    Sgd,
    /// L-BFGS with a strong-Wolfe line search, on all rows
    Lbfgs,
    /// iRPROP+: a step of its own for each parameter, by the sign of its slope, on all rows
    Rprop,
    /// Scaled conjugate gradients, on all rows
    Scg,
    /// Levenberg-Marquardt, on all rows, for networks of up to some thousand parameters
    Lm,
    /// Levenberg-Marquardt with Bayesian regularisation: for a number, finds the penalty on parameters itself
    Bayes,
    /// Rosenblatt's rule, for a layer of threshold units (implies --hidden none)
    Perceptron,
}

/// The constants of a mini-batch solver; each is refused for a solver without it.
#[derive(Args, Clone, Debug, Default)]
pub struct Constants {
    /// Decay of the mean gradient of adam, adamw, amsgrad and nadam; the mean's part in a step of lion [default: 0.9]
    #[arg(long, value_name = "F", help_heading = "Training")]
    pub beta1: Option<f64>,
    /// Decay of the mean square of adam, adamw, amsgrad and nadam [default: 0.999]; of the mean of lion [default: 0.99]
    #[arg(long, value_name = "F", help_heading = "Training")]
    pub beta2: Option<f64>,
    /// What keeps the quotient finite [default: 1e-8 for adam, adamw, amsgrad, nadam and rmsprop; 1e-10 for adagrad, 1e-6 for adadelta]
    #[arg(long, value_name = "F", help_heading = "Training")]
    pub epsilon: Option<f64>,
    /// Decay of the mean squares of rmsprop [default: 0.99] and adadelta [default: 0.9]
    #[arg(long, value_name = "F", help_heading = "Training")]
    pub rho: Option<f64>,
    /// Decoupled weight decay: what every parameter loses of itself in a step, over the rate, for adamw [default: 0.01] and lion [default: 0]
    #[arg(long, value_name = "F", help_heading = "Training")]
    pub weight_decay: Option<f64>,
    /// The part of the last step that is taken again, by sgd [default: 0.9] and rmsprop [default: 0]
    #[arg(long, value_name = "F", help_heading = "Training")]
    pub momentum: Option<f64>,
    /// Momentum without Nesterov's look ahead, for sgd
    #[arg(long, help_heading = "Training")]
    pub no_nesterov: bool,
    /// The root of the variance, not of the mean square, for rmsprop
    #[arg(long, help_heading = "Training")]
    pub centered: bool,
}

impl Constants {
    /// The flags that were given, by their names, with their values; a switch has none.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, Option<f64>)> {
        let number = |name, value: Option<f64>| value.map(|value| (name, Some(value)));
        let switch = |name, on: bool| on.then_some((name, None));
        [
            number("beta1", self.beta1),
            number("beta2", self.beta2),
            number("epsilon", self.epsilon),
            number("rho", self.rho),
            number("weight-decay", self.weight_decay),
            number("momentum", self.momentum),
            switch("no-nesterov", self.no_nesterov),
            switch("centered", self.centered),
        ]
        .into_iter()
        .flatten()
    }
}

/// What is done to weighted sums.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum Norm {
    /// Nothing
    None,
    /// Layer normalisation: of each row to mean 0 and deviation 1, then scaled and shifted by what is learnt
    Layer,
    /// Batch normalisation: of each unit to mean 0 and deviation 1 over the rows of a batch, then the same; predictions
    /// take running averages, folded into the weights
    Batch,
}

/// How rows are parted.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitBy {
    /// At random, with the classes' shares kept
    Random,
    /// In their order, such as that of time: what is measured on comes last
    Ordered,
}

/// `deltarule train`.
#[derive(Args, Debug)]
#[command(allow_negative_numbers = true)]
pub struct Train {
    /// The data file; '-' is standard input
    pub data: PathBuf,
    /// The column to predict: its name, or its number from 1; several are all numbers, or all classes of two kinds (labels)
    #[arg(long, value_name = "COL,…")]
    pub target: Option<String>,
    /// Classes or a number; guessed from the column if not given
    #[arg(long, value_enum)]
    pub task: Option<Task>,
    #[command(flatten)]
    pub reading: Reading,
    /// Columns that are categories even if they hold numbers
    #[arg(long, value_name = "COL,…", value_delimiter = ',', help_heading = "Reading")]
    pub categorical: Vec<String>,
    /// Columns to leave out
    #[arg(long, value_name = "COL,…", value_delimiter = ',', help_heading = "Reading")]
    pub ignore: Vec<String>,
    /// The column that says how much each row counts, in training and in figures; it is no input
    #[arg(long, value_name = "COL", help_heading = "Reading")]
    pub weight_column: Option<String>,
    /// What to do with missing cells [default: error]
    #[arg(long, value_enum, help_heading = "Reading")]
    pub missing: Option<Missing>,
    /// Bring numbers, of inputs and targets, to mean 0 and deviation 1 over the training rows [default: yes]
    #[arg(long, value_name = "yes|no", value_parser = standardised, conflicts_with = "warm_start", help_heading = "Reading")]
    pub standardise: Option<bool>,
    /// Leave the rows of an IDX or NPY file in it and read each mini-batch when its turn comes: the same bits, in memory
    /// of some hundred bytes a row; happens by itself where the rows would not fit
    #[arg(long, help_heading = "Reading")]
    pub stream: bool,

    /// Train this model further: from its parameters, with its network, preprocessing, classes and type of numbers; options that would change
    /// them are refused
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["cv", "init", "categorical", "ignore"], help_heading = "Network")]
    pub warm_start: Option<PathBuf>,
    /// Units of each hidden layer, first to last, or 'none' [default: 100]
    #[arg(long, value_name = "N,…", help_heading = "Network")]
    pub hidden: Option<String>,
    /// The hidden layers' activation, or one for each: identity, sigmoid, tanh, relu, leaky_relu, elu, selu, softplus, silu, gelu, gelu_tanh, exponential [default: relu]
    #[arg(long, value_name = "NAME,…", help_heading = "Network")]
    pub activation: Option<String>,
    /// What is done to a hidden layer's weighted sums before its activation [default: none]
    #[arg(long, value_enum, help_heading = "Network")]
    pub norm: Option<Norm>,
    /// The output layer's activation: one of these, step, exponential (a rate) or softmax; chosen by the loss and the task if not given
    #[arg(long, value_name = "NAME", help_heading = "Network")]
    pub output_activation: Option<String>,
    /// The initial weights: glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, uniform=W, normal=S, zeros, nguyen_widrow; if not given, nguyen_widrow for lm and bayes with tanh or sigmoid units, glorot_uniform where all are relu, else chosen by the activation
    #[arg(long, value_name = "NAME", help_heading = "Network")]
    pub init: Option<String>,
    /// The type of the network's numbers [default: f64 for lm and bayes, else f32]
    #[arg(long, value_enum, help_heading = "Network")]
    pub dtype: Option<Dtype>,

    /// The loss; of a number: squared_error, absolute_error, huber=D, quantile=Q, log_cosh, poisson (counts); of classes: logistic_cross_entropy, softmax_cross_entropy, focal=GAMMA, softmax_focal=GAMMA, hinge, squared_hinge; chosen by the task if not given
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub loss: Option<String>,
    /// The share of each training row's label that is spread over all classes; the rows to stop on and to measure keep theirs
    #[arg(long, value_name = "F", default_value_t = 0.0, help_heading = "Training")]
    pub label_smoothing: f64,
    /// How much the rows of each class count in training: 'balanced' (each class alike), or weights such as yes=5,no=1 (1 where
    /// not named)
    #[arg(long, value_name = "WEIGHTS", help_heading = "Training")]
    pub class_weight: Option<String>,
    /// How parameters are moved
    #[arg(long, value_enum, default_value_t = Solver::Adam, help_heading = "Training")]
    pub solver: Solver,
    /// The most passes over the data [default: those of 10,000 mini-batches, from 20 to 200; 200 for solvers that look at all rows]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub epochs: Option<usize>,
    /// Rows of a mini-batch [default: 32, from 25,600 rows on 64, from 51,200 on 128]; of solvers that take mini-batches
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub batch: Option<usize>,
    /// The learning rate [default: 0.005 for adam, adamw, amsgrad and nadam; 0.002 for rmsprop, 0.05 for adagrad and sgd, 1 for adadelta, 0.0005 for lion; of those of adam's kind, rmsprop and lion times 100 over the units of the widest hidden layer, if that has more]
    #[arg(long, value_name = "F", help_heading = "Training")]
    pub rate: Option<f64>,
    #[command(flatten)]
    pub constants: Constants,
    /// The penalty on absolute weights, which keeps those of no use near 0
    #[arg(long, value_name = "F", default_value_t = 0.0, help_heading = "Training")]
    pub l1: f64,
    /// The penalty on squared weights; scikit-learn's alpha over the rows it averages over [default: of classes, 0.4 over the rows to train on; 0 of a number, for adamw and lion, which have --weight-decay, and for lm, bayes and perceptron]
    #[arg(long, value_name = "F", help_heading = "Training")]
    pub l2: Option<f64>,
    /// Drop this part of the hidden units at random in each step, or one part for each hidden layer; for the mini-batch solvers
    #[arg(long, value_name = "F,…", value_delimiter = ',', help_heading = "Training")]
    pub dropout: Vec<f64>,
    /// Drop this part of the inputs at random in each step
    #[arg(long, value_name = "F", default_value_t = 0.0, help_heading = "Training")]
    pub input_dropout: f64,
    /// Add normal noise of this standard deviation to the network's inputs in each step: columns of numbers have 1, pixels lie in 0..1
    #[arg(long, value_name = "F", default_value_t = 0.0, help_heading = "Training")]
    pub input_noise: f64,
    /// Cut the weights that come into a hidden unit to this norm after each step; for the mini-batch solvers
    #[arg(long, value_name = "F", help_heading = "Training")]
    pub max_norm: Option<f64>,
    /// The seed of split, weights, order and dropout
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Training")]
    pub seed: u64,
    /// Stop after so many epochs without progress [default: 30]; solvers that look at all rows do where rows judge them
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub patience: Option<usize>,
    /// The least fall of the loss that is progress, as a share of the first epoch's loss [default: 0.0001]
    #[arg(long, value_name = "F", help_heading = "Training")]
    pub tolerance: Option<f64>,
    /// Hold back this share of the training rows, stop when their loss stalls, keep the best parameters
    #[arg(long, value_name = "SHARE", group = "judging", help_heading = "Training")]
    pub early_stopping: Option<f64>,
    /// Judge the training by the rows of this file instead of some held back: stop when their loss stalls, keep the best parameters; they are
    /// encoded by what was learnt from DATA, and have the same columns (in any order) and classes
    #[arg(long, value_name = "FILE", group = "judging", conflicts_with = "cv", help_heading = "Training")]
    pub validation: Option<PathBuf>,
    /// The labels or targets of --validation, if it is IDX or NPY
    #[arg(long, value_name = "FILE", requires = "validation", help_heading = "Training")]
    pub validation_labels: Option<PathBuf>,
    /// Hold the gradient of the first step, and of every N-th after it, against central differences, and stop where one is wrong (exit code 1); for the mini-batch solvers
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub watch_gradients: Option<usize>,
    #[command(flatten)]
    pub course: Course,
    #[command(flatten)]
    pub checkpoints: Checkpoints,
    #[command(flatten)]
    pub machine: Machine,

    /// The share of rows held out to measure the model; 0 for none
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, help_heading = "Measuring")]
    pub test: f64,
    /// Cross-validate instead: K folds, R times over; a model to be saved is then trained on all rows
    #[arg(long, value_name = "K[xR]", conflicts_with_all = ["test", "validation_labels", "every", "resume"], help_heading = "Measuring")]
    pub cv: Option<String>,
    /// How rows are parted, for the test, for --cv and for --early-stopping: at random, or in order, the last for measuring
    #[arg(long, value_enum, default_value_t = SplitBy::Random, help_heading = "Measuring")]
    pub split: SplitBy,
    /// The column whose values are groups that no split parts; it is no input
    #[arg(long, value_name = "COL", help_heading = "Measuring")]
    pub groups: Option<String>,

    /// Save the model here
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub model: Option<PathBuf>,
    /// Draw the loss over the epochs here (SVG)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub plot: Option<PathBuf>,
    /// Draw the network here (SVG)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub diagram: Option<PathBuf>,
    /// Draw the first layer's weights of image inputs here (SVG)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub weights: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long, help_heading = "Output")]
    pub force: bool,
    /// Print the figures as one JSON object on standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The state of a training, kept to continue it.
#[derive(Args, Debug)]
pub struct Checkpoints {
    /// Keep the training's state here, from which --resume continues it, with the same bits as if it had never been interrupted
    #[arg(long, value_name = "FILE", conflicts_with = "cv", help_heading = "Checkpoints")]
    pub checkpoint: Option<PathBuf>,
    /// Write it after every N epochs (of solvers that look at all rows: iterations), and where the training ends or is interrupted (SIGINT, SIGTERM)
    #[arg(long, value_name = "N", default_value_t = 1, requires = "checkpoint", help_heading = "Checkpoints")]
    pub every: usize,
    /// Continue from the checkpoint if it is there, else begin; refused where data or settings are others (epochs and threads may be)
    #[arg(long, requires = "checkpoint", help_heading = "Checkpoints")]
    pub resume: bool,
}

/// `deltarule predict`.
#[derive(Args, Debug)]
pub struct Predict {
    /// The model file
    pub model: PathBuf,
    /// The data file; '-' is standard input
    pub data: PathBuf,
    #[command(flatten)]
    pub reading: Reading,
    /// Also print the probability of each class; of several targets, that of the second class of each
    #[arg(long)]
    pub proba: bool,
    /// Write here instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
}

/// `deltarule evaluate`.
#[derive(Args, Debug)]
pub struct Evaluate {
    /// The model file
    pub model: PathBuf,
    /// The data file; '-' is standard input
    pub data: PathBuf,
    #[command(flatten)]
    pub reading: Reading,
    /// The column that says how much each row counts
    #[arg(long, value_name = "COL", help_heading = "Reading")]
    pub weight_column: Option<String>,
    /// Print the figures as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// `deltarule gradcheck`.
#[derive(Args, Debug)]
#[command(allow_negative_numbers = true)]
pub struct Gradcheck {
    /// A model file, to be checked on rows of DATA
    #[arg(requires = "data", conflicts_with_all = ["inputs", "hidden", "outputs", "activation", "output_activation", "loss", "dtype"])]
    pub model: Option<PathBuf>,
    /// The data file; '-' is standard input
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub reading: Reading,
    /// Run the suite: thousands of random networks of every kind, and a catalogue of wrong gradients that must be found
    #[arg(long, conflicts_with_all = [
        "model", "inputs", "hidden", "outputs", "activation", "output_activation", "loss", "dtype", "l1", "l2", "rows",
        "directions", "sample", "oracles", "checks", "tolerance",
    ])]
    pub suite: bool,
    /// Of the suite, only the network of this number
    #[arg(long, value_name = "N", requires = "suite")]
    pub network: Option<usize>,
    /// Without a model: inputs of a random network
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Random network")]
    pub inputs: usize,
    /// Units of each hidden layer, or 'none'
    #[arg(long, value_name = "N,…", default_value = "10", help_heading = "Random network")]
    pub hidden: String,
    /// Outputs
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Random network")]
    pub outputs: usize,
    /// The hidden layers' activation
    #[arg(long, value_name = "NAME", default_value = "tanh", help_heading = "Random network")]
    pub activation: String,
    /// The output layer's activation
    #[arg(long, value_name = "NAME", default_value = "softmax", help_heading = "Random network")]
    pub output_activation: String,
    /// The loss
    #[arg(long, value_name = "NAME", default_value = "softmax_cross_entropy", help_heading = "Random network")]
    pub loss: String,
    /// The type of the network's numbers
    #[arg(long, value_enum, default_value_t = Dtype::F64, help_heading = "Random network")]
    pub dtype: Dtype,
    /// The penalty on the size of weights
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    pub l1: f64,
    /// The penalty on squared weights
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    pub l2: f64,
    /// How many rows to check on
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub rows: usize,
    /// What to check: parameters (before all witnesses), precision (the gradient in the network's own type against f64, to a bound on
    /// rounding), inputs (their gradient), curvature (products of the Hessian with one random vector, or --directions of them)
    #[arg(long, value_name = "NAME,…", value_enum, value_delimiter = ',', default_value = "parameters,precision")]
    pub checks: Vec<Check>,
    /// Check so many random directions instead of every parameter
    #[arg(long, value_name = "N", conflicts_with = "sample")]
    pub directions: Option<usize>,
    /// Check so many parameters of each layer's weights and of its biases instead of every parameter
    #[arg(long, value_name = "N")]
    pub sample: Option<usize>,
    /// The witnesses: central differences, dual numbers, a complex step
    #[arg(long, value_name = "NAME,…", value_enum, value_delimiter = ',', default_value = "differences,dual,complex")]
    pub oracles: Vec<Oracle>,
    /// The largest relative error that passes as a difference's
    #[arg(long, value_name = "F", default_value_t = 1e-7)]
    pub tolerance: f64,
    /// The seed of random networks, rows and directions
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Keep what was found in the model's file, as a certificate
    #[arg(long, requires = "model", conflicts_with = "directions")]
    pub certify: bool,
    /// Write the report as a JUnit file, a test case for each layer's weights and biases
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub multiply: Multiply,
    /// Print the report as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// What a gradient check checks.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The gradient of every parameter
    Parameters,
    /// The gradient in the network's own type
    Precision,
    /// The gradient of the inputs
    Inputs,
    /// Products with the Hessian
    Curvature,
}

/// A witness against a gradient.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// Central differences
    Differences,
    /// Dual numbers
    Dual,
    /// A complex step
    Complex,
}

/// `deltarule inspect`.
#[derive(Args, Debug)]
pub struct Inspect {
    /// The model file
    pub model: PathBuf,
    /// Draw the network here (SVG)
    #[arg(long, value_name = "FILE")]
    pub diagram: Option<PathBuf>,
    /// Draw the first layer's weights of image inputs here (SVG)
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
    /// Print it as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// `deltarule info`.
#[derive(Args, Debug)]
pub struct Info {
    #[command(flatten)]
    pub machine: Machine,
    /// Describe this BLAS library and test it, without choosing it: a path or name as for --gemm
    #[arg(long, value_name = "LIBRARY")]
    pub blas: Option<String>,
    /// Print it as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}
