//! What the header declares: numbers and structs, as C lays them out.
//!
//! `tests/header.rs` reads this file as it stands. Sizes and places are checked against `abi/layout.txt`; structs that may grow
//! begin with their size.

use crate::border::{In, User};
use std::ffi::c_char;

/// What a function came to. The first numbers are the exit codes of the command.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// A check did not pass: a gradient, or a BLAS library's self-test.
    Check = 1,
    /// A size or a setting that does not fit, or something that cannot be done.
    Usage = 2,
    /// Data that cannot be used.
    Data = 3,
    /// A model file that is refused.
    Model = 4,
    /// A training that ran away.
    Diverged = 5,
    /// A file that cannot be read or written.
    Io = 6,
    /// More memory than can be had.
    Memory = 7,
    /// A pointer is null that may not be.
    Null = 20,
    /// A pointer is not aligned for what it points to.
    Pointer = 21,
    /// Memory that is written is also given for something else.
    Overlap = 22,
    /// A handle that was freed, is of another kind, or was never ours.
    Handle = 23,
    /// A fault of this library. It can still be used.
    Panic = 24,
    /// The caller asked to stop.
    Interrupted = 130,
}

/// The type of a network's numbers.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Single precision: the functions that end in _f32.
    F32 = 32,
    /// Double precision: the functions that end in _f64.
    F64 = 64,
}

/// Functions of one number.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// x
    Identity = 0,
    /// 1 where x > 0, else 0
    Step = 1,
    /// e^x
    Exp = 2,
    /// e^x - 1
    Expm1 = 3,
    /// The natural logarithm.
    Ln = 4,
    /// ln(1 + x)
    Ln1p = 5,
    /// 1 / (1 + e^-x)
    Sigmoid = 6,
    /// ln(sigmoid(x))
    LogSigmoid = 7,
    /// The hyperbolic tangent.
    Tanh = 8,
    /// max(x, 0)
    Relu = 9,
    /// x where positive, else the constant times x
    LeakyRelu = 10,
    /// x where positive, else the constant times (e^x - 1)
    Elu = 11,
    /// Scaled ELU.
    Selu = 12,
    /// ln(1 + e^x)
    Softplus = 13,
    /// x sigmoid(x), also called swish
    Silu = 14,
    /// x Phi(x), by erf
    Gelu = 15,
    /// x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
    GeluTanh = 16,
}

/// Functions of a row that give a row.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFunction {
    /// e^x_j / sum(e^x)
    Softmax = 0,
    /// x_j - ln(sum(e^x))
    LogSoftmax = 1,
}

/// Functions of a row that give a number.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowReduction {
    /// The largest number.
    Max = 0,
    /// ln(sum(e^x))
    LogSumExp = 1,
}

/// How matrices lie in memory: CBLAS's numbers.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Row after row.
    RowMajor = 101,
    /// Column after column.
    ColMajor = 102,
}

/// Whether a matrix is multiplied as it is: CBLAS's numbers.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transpose {
    /// As it is.
    No = 111,
    /// Its transpose.
    Yes = 112,
}

/// The parts of a layer.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tensor {
    /// inputs x outputs, row after row: all that one input feeds lies together.
    Weights = 0,
    /// One for each output.
    Bias = 1,
    /// What a norm multiplies each unit by.
    Scale = 2,
    /// What a norm then adds to each unit.
    Shift = 3,
    /// The running means of batch normalisation.
    Mean = 4,
    /// Its running variances.
    Variance = 5,
}

/// Why a training ended.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All epochs were used.
    Epochs = 0,
    /// The training loss no longer fell.
    TrainingStalled = 1,
    /// The loss on the rows held back no longer fell; the best parameters were put back.
    ValidationStalled = 2,
    /// The loss came down to target_loss.
    TargetReached = 3,
    /// time_limit was over.
    TimeUp = 4,
    /// The caller asked to stop.
    Interrupted = 5,
    /// The solver found nothing left to gain.
    Converged = 6,
    /// No step along the steepest descent gave less.
    LineSearch = 7,
    /// No step led to finite numbers; what came before is kept.
    NotFinite = 8,
    /// The function on_epoch asked for it.
    Callback = 9,
    /// For a reason that this header does not know.
    Other = 10,
}

/// What a model's outputs are.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// The probability of each class, summing to 1.
    Classes = 0,
    /// The probability of each label.
    Labels = 1,
    /// Numbers in their own units.
    Numbers = 2,
}

/// The answer of a gradient check.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every entry that could be measured agrees.
    Verified = 0,
    /// There is a kink at the point, and the gradient is a valid subgradient.
    Kink = 1,
    /// The differences could not be measured well enough to tell.
    Inconclusive = 2,
    /// An entry disagrees, or something is not finite.
    Wrong = 3,
}

/// Structs whose size and places are part of the interface.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Struct {
    /// deltarule_layer
    Layer = 0,
    /// deltarule_batch_f32
    BatchF32 = 1,
    /// deltarule_batch_f64
    BatchF64 = 2,
    /// deltarule_value
    Value = 3,
    /// deltarule_epoch
    Epoch = 4,
    /// deltarule_train_options
    TrainOptions = 5,
    /// deltarule_history
    History = 6,
    /// deltarule_gradcheck_options
    GradcheckOptions = 7,
    /// deltarule_gradcheck_report
    GradcheckReport = 8,
    /// deltarule_network_sizes
    NetworkSizes = 9,
    /// deltarule_layer_place
    LayerPlace = 10,
    /// deltarule_model_facts
    ModelFacts = 11,
    /// deltarule_build
    Build = 12,
}

/// A pool of threads; all zero is the calling thread alone, wherever one may be given.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads {
    /// Its number; 0 is none.
    pub id: u64,
}

/// A network: its shape and its parameters. Many threads may read one at once.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its number; 0 is none.
    pub id: u64,
}

/// A network made ready to predict again and again, with its buffers. One call at a time; others wait.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predictor {
    /// Its number; 0 is none.
    pub id: u64,
}

/// The buffers of values and gradients. One call at a time; others wait.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Its number; 0 is none.
    pub id: u64,
}

/// A whole pipeline from raw rows to predictions, as a model file holds it. Many threads may read one at once.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its number; 0 is none.
    pub id: u64,
}

/// One dense layer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// How many units it has.
    pub units: usize,
    /// identity, step, sigmoid, tanh, relu, leaky_relu, elu, selu, softplus, silu, gelu, gelu_tanh, exponential, or of the last layer
    /// softmax; with a constant leaky_relu=0.2 or elu=0.5.
    pub activation: In<c_char>,
    /// none (or null), layer or batch.
    pub norm: In<c_char>,
    /// Whether each unit adds a bias: 0 or 1.
    pub bias: i32,
}

/// Rows to learn from. Strides are the distances between the beginnings of rows, in elements, at least as many as there are columns;
/// rows without gaps are used where they are, others are copied.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Batch<T> {
    /// How many rows there are.
    pub rows: usize,
    /// rows x inputs.
    pub x: In<T>,
    /// The columns of x: the network's inputs.
    pub inputs: usize,
    /// The stride of x.
    pub x_stride: usize,
    /// rows x outputs: numbers, 0 and 1, or rows of one 1 and zeros, as the loss has it.
    pub y: In<T>,
    /// The columns of y: the network's outputs.
    pub outputs: usize,
    /// The stride of y.
    pub y_stride: usize,
    /// How much each row counts, one number each, finite and at least 0; or null.
    pub weights: In<T>,
}

/// What is minimised, at one point.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Value {
    /// The weighted mean of the rows' losses.
    pub loss: f64,
    /// l1 times the sum of the absolute weights and l2 / 2 times that of their squares, biases excluded.
    pub penalty: f64,
}

/// One epoch of a training.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    /// The size of this struct in the library that made it.
    pub size: usize,
    /// Its number, from 1.
    pub number: usize,
    /// The mean training loss while it ran, without penalty.
    pub training_loss: f64,
    /// The loss on the rows held back after it; NaN without any.
    pub validation_loss: f64,
    /// The learning rate of its last step; 0 of a solver that chooses its own.
    pub learning_rate: f64,
}

/// Told of each epoch, on the thread that trains; any result but 0 ends the training, which keeps what it has. It may call any function
/// of the library. It may not be left by an exception or longjmp.
pub type EpochCallback = Option<extern "C" fn(epoch: In<Epoch>, user: User) -> i32>;

/// How a network is trained. Set it by deltarule_train_options_init, then change what you like.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TrainOptions {
    /// sizeof(deltarule_train_options), set by deltarule_train_options_init.
    pub size: usize,
    /// squared_error (or null), absolute_error, huber=1, quantile=0.5, log_cosh, poisson, logistic_cross_entropy,
    /// softmax_cross_entropy, focal=2, softmax_focal=2, hinge or squared_hinge.
    pub loss: In<c_char>,
    /// adam (or null), sgd, adamw, amsgrad, nadam, rmsprop, adagrad, adadelta, lion, which step after each mini-batch, with constants
    /// where wanted: "sgd:momentum=0.8,nesterov=0"; or of the whole batch lbfgs, rprop, scg, levenberg_marquardt, bayes; or perceptron.
    pub solver: In<c_char>,
    /// constant (or null), inverse_scaling=0.5, adaptive=5,1e-6, step=30,0.1, exponential=0.95, cosine, one_cycle=0.3, plateau=10,0.1.
    pub schedule: In<c_char>,
    /// Who multiplies matrices: embedded (or null), or a BLAS library by name or path.
    pub gemm: In<c_char>,
    /// The length of a step; 0 is the solver's own default.
    pub learning_rate: f64,
    /// l1 times the sum of absolute weights is added to the loss.
    pub l1: f64,
    /// l2 / 2 times the sum of squared weights is added to the loss.
    pub l2: f64,
    /// The most passes over the rows.
    pub epochs: usize,
    /// Rows of a mini-batch; more than there are means all.
    pub batch: usize,
    /// Whether each epoch takes the rows in a new random order: 0 or 1.
    pub shuffle: i32,
    /// Reserved; 0.
    pub reserved: i32,
    /// The seed of those orders, of the rows held back and of dropout. Same seed, data and settings: the same bits, for any number of
    /// threads.
    pub seed: u64,
    /// The part of the rows that is held back to judge the training, drawn at random; 0 is none. Not together with a batch held back.
    pub validation_share: f64,
    /// How many epochs without progress are borne; 0 is for ever.
    pub patience: usize,
    /// The least progress that counts, as a part of the first epoch's figure.
    pub tolerance: f64,
    /// Ends the training after the first epoch with a loss of at most this; NaN is never.
    pub target_loss: f64,
    /// Ends the training after the first epoch that is over later than so many seconds; 0 is never.
    pub time_limit: f64,
    /// Over so many epochs the rate first rises, step by step.
    pub warm_up: usize,
    /// Gradients longer than this are shortened to it; 0 is never.
    pub clip_norm: f64,
    /// The longest that the weights into a hidden unit may be; 0 is any length.
    pub max_norm: f64,
    /// The part of the hidden units that is dropped in each step.
    pub dropout: f64,
    /// The part of the inputs that is dropped in each step.
    pub input_dropout: f64,
    /// The standard deviation of the normal noise that is added to each input.
    pub input_noise: f64,
    /// The decay of the moving average of the parameters that is kept in place of the last; 0 is none.
    pub average_decay: f64,
    /// Holds the gradient of every so manieth step against differences in double precision, and ends the training where one is wrong;
    /// 0 is never.
    pub watch_gradients: usize,
    /// Who shares each batch; all zero is the calling thread alone.
    pub threads: Threads,
    /// Told of each epoch, or null.
    pub on_epoch: EpochCallback,
    /// Handed to on_epoch.
    pub user: User,
}

/// What came of a training.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct History {
    /// sizeof(deltarule_history), set by the caller.
    pub size: usize,
    /// How many epochs there were.
    pub epochs: usize,
    /// The epoch, from 1, whose parameters were kept.
    pub kept: usize,
    /// The training loss of the last epoch.
    pub training_loss: f64,
    /// The least loss on the rows held back; NaN without any.
    pub validation_loss: f64,
    /// Why it ended: a deltarule_stopped.
    pub stopped: i32,
    /// Reserved; 0.
    pub reserved: i32,
}

/// A function to be differentiated: its value at x, which has n numbers. It must be a function: the same bits for the same point. It may
/// not be left by an exception or longjmp.
pub type ValueCallback = Option<extern "C" fn(x: In<f64>, n: usize, user: User) -> f64>;

/// How to check a gradient. Set it by deltarule_gradcheck_options_init, then change what you like.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct GradcheckOptions {
    /// sizeof(deltarule_gradcheck_options), set by deltarule_gradcheck_options_init.
    pub size: usize,
    /// The largest relative error that agrees, 1e-7.
    pub tolerance: f64,
    /// Entries smaller than this part of the largest one are compared as if they had that size, 0.
    pub negligible: f64,
    /// An absolute error that always agrees, 0.
    pub absolute: f64,
    /// Check so many coordinates, drawn at random; 0 is all.
    pub sample: usize,
    /// Check along so many random directions in place of coordinates; 0 is none.
    pub directions: usize,
    /// What both are drawn from.
    pub seed: u64,
}

/// What a gradient check found.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct GradcheckReport {
    /// sizeof(deltarule_gradcheck_report), set by the caller.
    pub size: usize,
    /// The answer: a deltarule_verdict.
    pub verdict: i32,
    /// Reserved; 0.
    pub reserved: i32,
    /// Comparisons made: the sum of the next four.
    pub checked: usize,
    /// Those that agree.
    pub verified: usize,
    /// Those at a kink.
    pub kinks: usize,
    /// Those that could not be measured well enough.
    pub inconclusive: usize,
    /// Those that disagree.
    pub wrong: usize,
    /// The coordinate (or direction), from 0, with the largest error; SIZE_MAX if nothing was compared.
    pub worst_index: usize,
    /// The gradient there.
    pub worst_analytic: f64,
    /// The slope measured there.
    pub worst_numeric: f64,
    /// Their relative distance.
    pub worst_error: f64,
    /// The measured slope's own error, estimated.
    pub worst_estimate: f64,
    /// Slopes smaller than this were compared absolutely.
    pub floor: f64,
}

/// The sizes of a network.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NetworkSizes {
    /// sizeof(deltarule_network_sizes), set by the caller.
    pub size: usize,
    /// The width of an input row.
    pub inputs: usize,
    /// The width of an output row.
    pub outputs: usize,
    /// How many layers there are.
    pub layers: usize,
    /// How many parameters there are.
    pub parameters: usize,
    /// How many numbers there are with the running statistics of batch normalisation.
    pub state: usize,
    /// A deltarule_type.
    pub dtype: i32,
    /// Reserved; 0.
    pub reserved: i32,
}

/// Where a layer lies in the flat buffer of parameters: weights, then biases, then scales and shifts of its norm. Parts that it does not
/// have are of length 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LayerPlace {
    /// sizeof(deltarule_layer_place), set by the caller.
    pub size: usize,
    /// The width of its input.
    pub inputs: usize,
    /// How many units it has.
    pub outputs: usize,
    /// Where its weights begin, inputs x outputs of them.
    pub weights: usize,
    /// Where its biases begin.
    pub bias: usize,
    /// How many there are: its outputs, or 0.
    pub bias_length: usize,
    /// Where its norm's scales begin.
    pub scale: usize,
    /// Where its norm's shifts begin.
    pub shift: usize,
    /// How many there are of each: its outputs, or 0.
    pub norm_length: usize,
}

/// What is known of a model.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ModelFacts {
    /// sizeof(deltarule_model_facts), set by the caller.
    pub size: usize,
    /// How many numbers or texts a raw row has.
    pub columns: usize,
    /// How many numbers a prediction has: classes, labels or numbers.
    pub values: usize,
    /// How many rows it was trained on; 0 if unknown.
    pub trained_rows: usize,
    /// What the values are: a deltarule_task.
    pub task: i32,
    /// Whether the values of classes and labels are probabilities, and not choices by scores: 0 or 1.
    pub has_probabilities: i32,
    /// Whether rows of numbers suffice: 0 if a column holds words.
    pub takes_numbers: i32,
    /// The type of its network's numbers: a deltarule_type.
    pub dtype: i32,
}

/// This library on this machine.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// sizeof(deltarule_build), set by the caller.
    pub size: usize,
    /// Its version, such as "0.1.0".
    pub version: In<c_char>,
    /// The instructions in use: portable, avx2, avx512 or neon. The variable DELTARULE_ISA names others.
    pub isa: In<c_char>,
    /// Who multiplies matrices: embedded.
    pub gemm: In<c_char>,
    /// How many threads the machine runs at once.
    pub cores: usize,
    /// The number of the binary interface: DELTARULE_ABI_VERSION.
    pub abi_version: u32,
    /// How many objects there are that were made and not yet freed.
    pub objects: u32,
}
