/* deltarule.h: trains and runs dense neural networks on a CPU.

   Made from the sources by capi/tests/header.rs; docs/c.md is the page with examples. In short:

   - Functions return a deltarule_status; after any but DELTARULE_STATUS_OK, deltarule_last_error() says in words what was expected of
     which argument and what was found, and nothing was written unless the function says otherwise.
   - Handles are small structs with a number; all zero is none. A handle that was freed, or is of another kind, is an error.
   - Functions that end in _f32 are for networks of single precision, those in _f64 for double.
   - Matrices lie row after row; a stride is the distance between the beginnings of rows in elements. Memory that is written may not be
     shared with anything else that a call is given, from its first element to its last, gaps between rows included.
   - Arrays of length 0 may be null. Texts are UTF-8 and end with a zero.
   - Every function may be called from any thread, also with the same handle at once. No exception or panic leaves the library.

   SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef DELTARULE_H
#define DELTARULE_H

#include <stddef.h>
#include <stdint.h>

/* The version of this header; deltarule_version() has the library's. */
#define DELTARULE_VERSION "0.1.0"
#define DELTARULE_VERSION_MAJOR 0
#define DELTARULE_VERSION_MINOR 1
#define DELTARULE_VERSION_PATCH 0
#define DELTARULE_VERSION_NUMBER 100

/* The number of the binary interface: libdeltarule.so.0. */
#define DELTARULE_ABI_VERSION 0

/* What a function came to. The first numbers are the exit codes of the command. */
enum deltarule_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /* Done. */
    DELTARULE_STATUS_OK = 0,
    /* A check did not pass: a gradient, or a BLAS library's self-test. */
    DELTARULE_STATUS_CHECK = 1,
    /* A size or a setting that does not fit, or something that cannot be done. */
    DELTARULE_STATUS_USAGE = 2,
    /* Data that cannot be used. */
    DELTARULE_STATUS_DATA = 3,
    /* A model file that is refused. */
    DELTARULE_STATUS_MODEL = 4,
    /* A training that ran away. */
    DELTARULE_STATUS_DIVERGED = 5,
    /* A file that cannot be read or written. */
    DELTARULE_STATUS_IO = 6,
    /* More memory than can be had. */
    DELTARULE_STATUS_MEMORY = 7,
    /* A pointer is null that may not be. */
    DELTARULE_STATUS_NULL = 20,
    /* A pointer is not aligned for what it points to. */
    DELTARULE_STATUS_POINTER = 21,
    /* Memory that is written is also given for something else. */
    DELTARULE_STATUS_OVERLAP = 22,
    /* A handle that was freed, is of another kind, or was never ours. */
    DELTARULE_STATUS_HANDLE = 23,
    /* A fault of this library. It can still be used. */
    DELTARULE_STATUS_PANIC = 24,
    /* The caller asked to stop. */
    DELTARULE_STATUS_INTERRUPTED = 130,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum deltarule_status deltarule_status;
#else
typedef int32_t deltarule_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* The type of a network's numbers. */
enum deltarule_type
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /* Single precision: the functions that end in _f32. */
    DELTARULE_TYPE_F32 = 32,
    /* Double precision: the functions that end in _f64. */
    DELTARULE_TYPE_F64 = 64,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum deltarule_type deltarule_type;
#else
typedef int32_t deltarule_type;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* Functions of one number. */
enum deltarule_function
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /* x */
    DELTARULE_FUNCTION_IDENTITY = 0,
    /* 1 where x > 0, else 0 */
    DELTARULE_FUNCTION_STEP = 1,
    /* e^x */
    DELTARULE_FUNCTION_EXP = 2,
    /* e^x - 1 */
    DELTARULE_FUNCTION_EXPM1 = 3,
    /* The natural logarithm. */
    DELTARULE_FUNCTION_LN = 4,
    /* ln(1 + x) */
    DELTARULE_FUNCTION_LN1P = 5,
    /* 1 / (1 + e^-x) */
    DELTARULE_FUNCTION_SIGMOID = 6,
    /* ln(sigmoid(x)) */
    DELTARULE_FUNCTION_LOG_SIGMOID = 7,
    /* The hyperbolic tangent. */
    DELTARULE_FUNCTION_TANH = 8,
    /* max(x, 0) */
    DELTARULE_FUNCTION_RELU = 9,
    /* x where positive, else the constant times x */
    DELTARULE_FUNCTION_LEAKY_RELU = 10,
    /* x where positive, else the constant times (e^x - 1) */
    DELTARULE_FUNCTION_ELU = 11,
    /* Scaled ELU. */
    DELTARULE_FUNCTION_SELU = 12,
    /* ln(1 + e^x) */
    DELTARULE_FUNCTION_SOFTPLUS = 13,
    /* x sigmoid(x), also called swish */
    DELTARULE_FUNCTION_SILU = 14,
    /* x Phi(x), by erf */
    DELTARULE_FUNCTION_GELU = 15,
    /* x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 */
    DELTARULE_FUNCTION_GELU_TANH = 16,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum deltarule_function deltarule_function;
#else
typedef int32_t deltarule_function;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* Functions of a row that give a row. */
enum deltarule_row_function
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /* e^x_j / sum(e^x) */
    DELTARULE_ROW_FUNCTION_SOFTMAX = 0,
    /* x_j - ln(sum(e^x)) */
    DELTARULE_ROW_FUNCTION_LOG_SOFTMAX = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum deltarule_row_function deltarule_row_function;
#else
typedef int32_t deltarule_row_function;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* Functions of a row that give a number. */
enum deltarule_row_reduction
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /* The largest number. */
    DELTARULE_ROW_REDUCTION_MAX = 0,
    /* ln(sum(e^x)) */
    DELTARULE_ROW_REDUCTION_LOG_SUM_EXP = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum deltarule_row_reduction deltarule_row_reduction;
#else
typedef int32_t deltarule_row_reduction;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* How matrices lie in memory: CBLAS's numbers. */
enum deltarule_order
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /* Row after row. */
    DELTARULE_ORDER_ROW_MAJOR = 101,
    /* Column after column. */
    DELTARULE_ORDER_COL_MAJOR = 102,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum deltarule_order deltarule_order;
#else
typedef int32_t deltarule_order;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* Whether a matrix is multiplied as it is: CBLAS's numbers. */
enum deltarule_transpose
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /* As it is. */
    DELTARULE_TRANSPOSE_NO = 111,
    /* Its transpose. */
    DELTARULE_TRANSPOSE_YES = 112,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum deltarule_transpose deltarule_transpose;
#else
typedef int32_t deltarule_transpose;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* The parts of a layer. */
enum deltarule_tensor
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /* inputs x outputs, row after row: all that one input feeds lies together. */
    DELTARULE_TENSOR_WEIGHTS = 0,
    /* One for each output. */
    DELTARULE_TENSOR_BIAS = 1,
    /* What a norm multiplies each unit by. */
    DELTARULE_TENSOR_SCALE = 2,
    /* What a norm then adds to each unit. */
    DELTARULE_TENSOR_SHIFT = 3,
    /* The running means of batch normalisation. */
    DELTARULE_TENSOR_MEAN = 4,
    /* Its running variances. */
    DELTARULE_TENSOR_VARIANCE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum deltarule_tensor deltarule_tensor;
#else
typedef int32_t deltarule_tensor;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* Why a training ended. */
enum deltarule_stopped
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /* All epochs were used. */
    DELTARULE_STOPPED_EPOCHS = 0,
    /* The training loss no longer fell. */
    DELTARULE_STOPPED_TRAINING_STALLED = 1,
    /* The loss on the rows held back no longer fell; the best parameters were put back. */
    DELTARULE_STOPPED_VALIDATION_STALLED = 2,
    /* The loss came down to target_loss. */
    DELTARULE_STOPPED_TARGET_REACHED = 3,
    /* time_limit was over. */
    DELTARULE_STOPPED_TIME_UP = 4,
    /* The caller asked to stop. */
    DELTARULE_STOPPED_INTERRUPTED = 5,
    /* The solver found nothing left to gain. */
    DELTARULE_STOPPED_CONVERGED = 6,
    /* No step along the steepest descent gave less. */
    DELTARULE_STOPPED_LINE_SEARCH = 7,
    /* No step led to finite numbers; what came before is kept. */
    DELTARULE_STOPPED_NOT_FINITE = 8,
    /* The function on_epoch asked for it. */
    DELTARULE_STOPPED_CALLBACK = 9,
    /* For a reason that this header does not know. */
    DELTARULE_STOPPED_OTHER = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum deltarule_stopped deltarule_stopped;
#else
typedef int32_t deltarule_stopped;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* What a model's outputs are. */
enum deltarule_task
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /* The probability of each class, summing to 1. */
    DELTARULE_TASK_CLASSES = 0,
    /* The probability of each label. */
    DELTARULE_TASK_LABELS = 1,
    /* Numbers in their own units. */
    DELTARULE_TASK_NUMBERS = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum deltarule_task deltarule_task;
#else
typedef int32_t deltarule_task;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* The answer of a gradient check. */
enum deltarule_verdict
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /* Every entry that could be measured agrees. */
    DELTARULE_VERDICT_VERIFIED = 0,
    /* There is a kink at the point, and the gradient is a valid subgradient. */
    DELTARULE_VERDICT_KINK = 1,
    /* The differences could not be measured well enough to tell. */
    DELTARULE_VERDICT_INCONCLUSIVE = 2,
    /* An entry disagrees, or something is not finite. */
    DELTARULE_VERDICT_WRONG = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum deltarule_verdict deltarule_verdict;
#else
typedef int32_t deltarule_verdict;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* Structs whose size and places are part of the interface. */
enum deltarule_struct
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /* deltarule_layer */
    DELTARULE_STRUCT_LAYER = 0,
    /* deltarule_batch_f32 */
    DELTARULE_STRUCT_BATCH_F32 = 1,
    /* deltarule_batch_f64 */
    DELTARULE_STRUCT_BATCH_F64 = 2,
    /* deltarule_value */
    DELTARULE_STRUCT_VALUE = 3,
    /* deltarule_epoch */
    DELTARULE_STRUCT_EPOCH = 4,
    /* deltarule_train_options */
    DELTARULE_STRUCT_TRAIN_OPTIONS = 5,
    /* deltarule_history */
    DELTARULE_STRUCT_HISTORY = 6,
    /* deltarule_gradcheck_options */
    DELTARULE_STRUCT_GRADCHECK_OPTIONS = 7,
    /* deltarule_gradcheck_report */
    DELTARULE_STRUCT_GRADCHECK_REPORT = 8,
    /* deltarule_network_sizes */
    DELTARULE_STRUCT_NETWORK_SIZES = 9,
    /* deltarule_layer_place */
    DELTARULE_STRUCT_LAYER_PLACE = 10,
    /* deltarule_model_facts */
    DELTARULE_STRUCT_MODEL_FACTS = 11,
    /* deltarule_build */
    DELTARULE_STRUCT_BUILD = 12,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum deltarule_struct deltarule_struct;
#else
typedef int32_t deltarule_struct;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* This library on this machine. */
typedef struct deltarule_build {
    /* sizeof(deltarule_build), set by the caller. */
    size_t size;
    /* Its version, such as "0.1.0". */
    const char *version;
    /* The instructions in use: portable, avx2, avx512 or neon. The variable DELTARULE_ISA names others. */
    const char *isa;
    /* Who multiplies matrices: embedded. */
    const char *gemm;
    /* How many threads the machine runs at once. */
    size_t cores;
    /* The number of the binary interface: DELTARULE_ABI_VERSION. */
    uint32_t abi_version;
    /* How many objects there are that were made and not yet freed. */
    uint32_t objects;
} deltarule_build;

/* A pool of threads; all zero is the calling thread alone, wherever one may be given. */
typedef struct deltarule_threads {
    /* Its number; 0 is none. */
    uint64_t id;
} deltarule_threads;

/* One dense layer. */
typedef struct deltarule_layer {
    /* How many units it has. */
    size_t units;
    /* identity, step, sigmoid, tanh, relu, leaky_relu, elu, selu, softplus, silu, gelu, gelu_tanh, exponential, or of the last layer
       softmax; with a constant leaky_relu=0.2 or elu=0.5. */
    const char *activation;
    /* none (or null), layer or batch. */
    const char *norm;
    /* Whether each unit adds a bias: 0 or 1. */
    int32_t bias;
} deltarule_layer;

/* A network: its shape and its parameters. Many threads may read one at once. */
typedef struct deltarule_network {
    /* Its number; 0 is none. */
    uint64_t id;
} deltarule_network;

/* The sizes of a network. */
typedef struct deltarule_network_sizes {
    /* sizeof(deltarule_network_sizes), set by the caller. */
    size_t size;
    /* The width of an input row. */
    size_t inputs;
    /* The width of an output row. */
    size_t outputs;
    /* How many layers there are. */
    size_t layers;
    /* How many parameters there are. */
    size_t parameters;
    /* How many numbers there are with the running statistics of batch normalisation. */
    size_t state;
    /* A deltarule_type. */
    int32_t dtype;
    /* Reserved; 0. */
    int32_t reserved;
} deltarule_network_sizes;

/* Where a layer lies in the flat buffer of parameters: weights, then biases, then scales and shifts of its norm. Parts that it does not
   have are of length 0. */
typedef struct deltarule_layer_place {
    /* sizeof(deltarule_layer_place), set by the caller. */
    size_t size;
    /* The width of its input. */
    size_t inputs;
    /* How many units it has. */
    size_t outputs;
    /* Where its weights begin, inputs x outputs of them. */
    size_t weights;
    /* Where its biases begin. */
    size_t bias;
    /* How many there are: its outputs, or 0. */
    size_t bias_length;
    /* Where its norm's scales begin. */
    size_t scale;
    /* Where its norm's shifts begin. */
    size_t shift;
    /* How many there are of each: its outputs, or 0. */
    size_t norm_length;
} deltarule_layer_place;

/* A network made ready to predict again and again, with its buffers. One call at a time; others wait. */
typedef struct deltarule_predictor {
    /* Its number; 0 is none. */
    uint64_t id;
} deltarule_predictor;

/* The buffers of values and gradients. One call at a time; others wait. */
typedef struct deltarule_workspace {
    /* Its number; 0 is none. */
    uint64_t id;
} deltarule_workspace;

/* Rows to learn from. Strides are the distances between the beginnings of rows, in elements, at least as many as there are columns;
   rows without gaps are used where they are, others are copied. */
typedef struct deltarule_batch_f32 {
    /* How many rows there are. */
    size_t rows;
    /* rows x inputs. */
    const float *x;
    /* The columns of x: the network's inputs. */
    size_t inputs;
    /* The stride of x. */
    size_t x_stride;
    /* rows x outputs: numbers, 0 and 1, or rows of one 1 and zeros, as the loss has it. */
    const float *y;
    /* The columns of y: the network's outputs. */
    size_t outputs;
    /* The stride of y. */
    size_t y_stride;
    /* How much each row counts, one number each, finite and at least 0; or null. */
    const float *weights;
} deltarule_batch_f32;

/* What is minimised, at one point. */
typedef struct deltarule_value {
    /* The weighted mean of the rows' losses. */
    double loss;
    /* l1 times the sum of the absolute weights and l2 / 2 times that of their squares, biases excluded. */
    double penalty;
} deltarule_value;

/* Rows to learn from. Strides are the distances between the beginnings of rows, in elements, at least as many as there are columns;
   rows without gaps are used where they are, others are copied. */
typedef struct deltarule_batch_f64 {
    /* How many rows there are. */
    size_t rows;
    /* rows x inputs. */
    const double *x;
    /* The columns of x: the network's inputs. */
    size_t inputs;
    /* The stride of x. */
    size_t x_stride;
    /* rows x outputs: numbers, 0 and 1, or rows of one 1 and zeros, as the loss has it. */
    const double *y;
    /* The columns of y: the network's outputs. */
    size_t outputs;
    /* The stride of y. */
    size_t y_stride;
    /* How much each row counts, one number each, finite and at least 0; or null. */
    const double *weights;
} deltarule_batch_f64;

/* One epoch of a training. */
typedef struct deltarule_epoch {
    /* The size of this struct in the library that made it. */
    size_t size;
    /* Its number, from 1. */
    size_t number;
    /* The mean training loss while it ran, without penalty. */
    double training_loss;
    /* The loss on the rows held back after it; NaN without any. */
    double validation_loss;
    /* The learning rate of its last step; 0 of a solver that chooses its own. */
    double learning_rate;
} deltarule_epoch;

/* Told of each epoch, on the thread that trains; any result but 0 ends the training, which keeps what it has. It may call any function
   of the library. It may not be left by an exception or longjmp. */
typedef int32_t (*deltarule_epoch_callback)(const struct deltarule_epoch *epoch, void *user);

/* How a network is trained. Set it by deltarule_train_options_init, then change what you like. */
typedef struct deltarule_train_options {
    /* sizeof(deltarule_train_options), set by deltarule_train_options_init. */
    size_t size;
    /* squared_error (or null), absolute_error, huber=1, quantile=0.5, log_cosh, poisson, logistic_cross_entropy,
       softmax_cross_entropy, focal=2, softmax_focal=2, hinge or squared_hinge. */
    const char *loss;
    /* adam (or null), sgd, adamw, amsgrad, nadam, rmsprop, adagrad, adadelta, lion, which step after each mini-batch, with constants
       where wanted: "sgd:momentum=0.8,nesterov=0"; or of the whole batch lbfgs, rprop, scg, levenberg_marquardt, bayes; or perceptron. */
    const char *solver;
    /* constant (or null), inverse_scaling=0.5, adaptive=5,1e-6, step=30,0.1, exponential=0.95, cosine, one_cycle=0.3, plateau=10,0.1. */
    const char *schedule;
    /* Who multiplies matrices: embedded (or null), or a BLAS library by name or path. */
    const char *gemm;
    /* The length of a step; 0 is the solver's own default. */
    double learning_rate;
    /* l1 times the sum of absolute weights is added to the loss. */
    double l1;
    /* l2 / 2 times the sum of squared weights is added to the loss. */
    double l2;
    /* The most passes over the rows. */
    size_t epochs;
    /* Rows of a mini-batch; more than there are means all. */
    size_t batch;
    /* Whether each epoch takes the rows in a new random order: 0 or 1. */
    int32_t shuffle;
    /* Reserved; 0. */
    int32_t reserved;
    /* The seed of those orders, of the rows held back and of dropout. Same seed, data and settings: the same bits, for any number of
       threads. */
    uint64_t seed;
    /* The part of the rows that is held back to judge the training, drawn at random; 0 is none. Not together with a batch held back. */
    double validation_share;
    /* How many epochs without progress are borne; 0 is for ever. */
    size_t patience;
    /* The least progress that counts, as a part of the first epoch's figure. */
    double tolerance;
    /* Ends the training after the first epoch with a loss of at most this; NaN is never. */
    double target_loss;
    /* Ends the training after the first epoch that is over later than so many seconds; 0 is never. */
    double time_limit;
    /* Over so many epochs the rate first rises, step by step. */
    size_t warm_up;
    /* Gradients longer than this are shortened to it; 0 is never. */
    double clip_norm;
    /* The longest that the weights into a hidden unit may be; 0 is any length. */
    double max_norm;
    /* The part of the hidden units that is dropped in each step. */
    double dropout;
    /* The part of the inputs that is dropped in each step. */
    double input_dropout;
    /* The standard deviation of the normal noise that is added to each input. */
    double input_noise;
    /* The decay of the moving average of the parameters that is kept in place of the last; 0 is none. */
    double average_decay;
    /* Holds the gradient of every so manieth step against differences in double precision, and ends the training where one is wrong;
       0 is never. */
    size_t watch_gradients;
    /* Who shares each batch; all zero is the calling thread alone. */
    struct deltarule_threads threads;
    /* Told of each epoch, or null. */
    deltarule_epoch_callback on_epoch;
    /* Handed to on_epoch. */
    void *user;
} deltarule_train_options;

/* What came of a training. */
typedef struct deltarule_history {
    /* sizeof(deltarule_history), set by the caller. */
    size_t size;
    /* How many epochs there were. */
    size_t epochs;
    /* The epoch, from 1, whose parameters were kept. */
    size_t kept;
    /* The training loss of the last epoch. */
    double training_loss;
    /* The least loss on the rows held back; NaN without any. */
    double validation_loss;
    /* Why it ended: a deltarule_stopped. */
    int32_t stopped;
    /* Reserved; 0. */
    int32_t reserved;
} deltarule_history;

/* A whole pipeline from raw rows to predictions, as a model file holds it. Many threads may read one at once. */
typedef struct deltarule_model {
    /* Its number; 0 is none. */
    uint64_t id;
} deltarule_model;

/* What is known of a model. */
typedef struct deltarule_model_facts {
    /* sizeof(deltarule_model_facts), set by the caller. */
    size_t size;
    /* How many numbers or texts a raw row has. */
    size_t columns;
    /* How many numbers a prediction has: classes, labels or numbers. */
    size_t values;
    /* How many rows it was trained on; 0 if unknown. */
    size_t trained_rows;
    /* What the values are: a deltarule_task. */
    int32_t task;
    /* Whether the values of classes and labels are probabilities, and not choices by scores: 0 or 1. */
    int32_t has_probabilities;
    /* Whether rows of numbers suffice: 0 if a column holds words. */
    int32_t takes_numbers;
    /* The type of its network's numbers: a deltarule_type. */
    int32_t dtype;
} deltarule_model_facts;

/* How to check a gradient. Set it by deltarule_gradcheck_options_init, then change what you like. */
typedef struct deltarule_gradcheck_options {
    /* sizeof(deltarule_gradcheck_options), set by deltarule_gradcheck_options_init. */
    size_t size;
    /* The largest relative error that agrees, 1e-7. */
    double tolerance;
    /* Entries smaller than this part of the largest one are compared as if they had that size, 0. */
    double negligible;
    /* An absolute error that always agrees, 0. */
    double absolute;
    /* Check so many coordinates, drawn at random; 0 is all. */
    size_t sample;
    /* Check along so many random directions in place of coordinates; 0 is none. */
    size_t directions;
    /* What both are drawn from. */
    uint64_t seed;
} deltarule_gradcheck_options;

/* A function to be differentiated: its value at x, which has n numbers. It must be a function: the same bits for the same point. It may
   not be left by an exception or longjmp. */
typedef double (*deltarule_value_callback)(const double *x, size_t n, void *user);

/* What a gradient check found. */
typedef struct deltarule_gradcheck_report {
    /* sizeof(deltarule_gradcheck_report), set by the caller. */
    size_t size;
    /* The answer: a deltarule_verdict. */
    int32_t verdict;
    /* Reserved; 0. */
    int32_t reserved;
    /* Comparisons made: the sum of the next four. */
    size_t checked;
    /* Those that agree. */
    size_t verified;
    /* Those at a kink. */
    size_t kinks;
    /* Those that could not be measured well enough. */
    size_t inconclusive;
    /* Those that disagree. */
    size_t wrong;
    /* The coordinate (or direction), from 0, with the largest error; SIZE_MAX if nothing was compared. */
    size_t worst_index;
    /* The gradient there. */
    double worst_analytic;
    /* The slope measured there. */
    double worst_numeric;
    /* Their relative distance. */
    double worst_error;
    /* The measured slope's own error, estimated. */
    double worst_estimate;
    /* Slopes smaller than this were compared absolutely. */
    double floor;
} deltarule_gradcheck_report;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/* The library's version, such as "0.1.0"; the header's is DELTARULE_VERSION. The text stays. */
const char *deltarule_version(void);

/* The library's version as a number: 10000 major + 100 minor + patch; the header's is DELTARULE_VERSION_NUMBER. */
uint32_t deltarule_version_number(void);

/* The number of the library's binary interface; a program is sound with a library whose number is the header's
   DELTARULE_ABI_VERSION. */
uint32_t deltarule_abi_version(void);

/* The size in bytes of a struct as the library has it (a deltarule_struct), to be held against sizeof; 0 of one that it does not
   know. Structs that begin with their size may differ. */
size_t deltarule_abi_size(int32_t which);

/* What this library is and what it found on this machine. The texts stay. */
deltarule_status deltarule_build_info(struct deltarule_build *build);

/* What went wrong in the last call of this thread that failed: the function, the argument, what was expected and what was found;
   empty before. The text is this thread's, and stays until the next of its calls that fails. */
const char *deltarule_last_error(void);

/* The name of a status, such as "diverged"; "unknown" of any other number. The text stays. */
const char *deltarule_status_name(int32_t status);

/* Starts a pool of `count` threads; 0 is one for each core, 1024 the most. Starting one takes about 100 us, so that one is made and
   used again and again. After fork() the child has none of its threads: it makes its own. */
deltarule_status deltarule_threads_new(size_t count, struct deltarule_threads *threads);

/* Frees a pool. Its threads end when nothing that was made with it is left. */
deltarule_status deltarule_threads_free(struct deltarule_threads threads);

/* How many threads a pool has; of all zero, 1. */
deltarule_status deltarule_threads_count(struct deltarule_threads threads, size_t *count);

/* Makes a network of `count` layers on rows of `inputs` numbers, of a deltarule_type, with random weights drawn from `seed`.

   `init`: glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, uniform=0.5, normal=0.1, zeros,
   nguyen_widrow; null takes what suits each layer's activation. Biases are 0 but with nguyen_widrow. */
deltarule_status deltarule_network_new(size_t inputs,
                                       const struct deltarule_layer *layers,
                                       size_t count,
                                       int32_t dtype,
                                       const char *init,
                                       uint64_t seed,
                                       struct deltarule_network *network);

/* Makes a network of a shape in JSON, as deltarule_network_json writes it:
   {"inputs":2,"layers":[{"outputs":8,"bias":true,"activation":"tanh"},{"outputs":1,"bias":true,"activation":"sigmoid"}]}
   The rest is as for deltarule_network_new. */
deltarule_status deltarule_network_from_json(const char *json,
                                             int32_t dtype,
                                             const char *init,
                                             uint64_t seed,
                                             struct deltarule_network *network);

/* Makes a copy of a network, of the same or the other deltarule_type. */
deltarule_status deltarule_network_copy(struct deltarule_network network, int32_t dtype, struct deltarule_network *copy);

/* Frees a network. Calls that are at work on it in other threads end as if it were there. */
deltarule_status deltarule_network_free(struct deltarule_network network);

/* The sizes of a network. */
deltarule_status deltarule_network_describe(struct deltarule_network network, struct deltarule_network_sizes *sizes);

/* Where the parameters of a layer (from 0) lie in the flat buffer. */
deltarule_status deltarule_network_layer(struct deltarule_network network, size_t layer, struct deltarule_layer_place *place);

/* The whole shape on one line, such as "21-100-4, relu, softmax".

   Texts go to `buffer`, of `capacity` bytes, with a zero at the end; `length` (or null) becomes their length without it. With a null
   buffer of capacity 0 only the length is told. */
deltarule_status deltarule_network_architecture(struct deltarule_network network,
                                                char *buffer,
                                                size_t capacity,
                                                size_t *length);

/* The shape in JSON. The text goes to `buffer` as in deltarule_network_architecture. */
deltarule_status deltarule_network_json(struct deltarule_network network, char *buffer, size_t capacity, size_t *length);

/* The name of a parameter (from 0), such as "layer 2, weight from input 5 to unit 3", which counts from 1. The text goes to
   `buffer` as in deltarule_network_architecture. */
deltarule_status deltarule_network_parameter_name(struct deltarule_network network,
                                                  size_t index,
                                                  char *buffer,
                                                  size_t capacity,
                                                  size_t *length);

/* Copies all parameters to `out`, layer after layer as deltarule_network_layer says. `count` is how many there are. */
deltarule_status deltarule_network_parameters_f32(struct deltarule_network network, float *out, size_t count);

/* deltarule_network_parameters_f32 in double precision. */
deltarule_status deltarule_network_parameters_f64(struct deltarule_network network, double *out, size_t count);

/* Overwrites all parameters. Threads that read meanwhile see all the old or all the new ones. */
deltarule_status deltarule_network_set_parameters_f32(struct deltarule_network network, const float *from, size_t count);

/* deltarule_network_set_parameters_f32 in double precision. */
deltarule_status deltarule_network_set_parameters_f64(struct deltarule_network network, const double *from, size_t count);

/* Copies the state to `out`: the parameters, then of each layer with batch normalisation its running means and variances. */
deltarule_status deltarule_network_state_f32(struct deltarule_network network, float *out, size_t count);

/* deltarule_network_state_f32 in double precision. */
deltarule_status deltarule_network_state_f64(struct deltarule_network network, double *out, size_t count);

/* Overwrites the state. */
deltarule_status deltarule_network_set_state_f32(struct deltarule_network network, const float *from, size_t count);

/* deltarule_network_set_state_f32 in double precision. */
deltarule_status deltarule_network_set_state_f64(struct deltarule_network network, const double *from, size_t count);

/* Copies a part of a layer (from 0), a deltarule_tensor, to `out`: weights are inputs x outputs, row after row. `count` is how many
   numbers it has; 0 of a part that the layer does not have. */
deltarule_status deltarule_network_tensor_f32(struct deltarule_network network,
                                              size_t layer,
                                              int32_t tensor,
                                              float *out,
                                              size_t count);

/* deltarule_network_tensor_f32 in double precision. */
deltarule_status deltarule_network_tensor_f64(struct deltarule_network network,
                                              size_t layer,
                                              int32_t tensor,
                                              double *out,
                                              size_t count);

/* Overwrites a part of a layer (from 0). */
deltarule_status deltarule_network_set_tensor_f32(struct deltarule_network network,
                                                  size_t layer,
                                                  int32_t tensor,
                                                  const float *from,
                                                  size_t count);

/* deltarule_network_set_tensor_f32 in double precision. */
deltarule_status deltarule_network_set_tensor_f64(struct deltarule_network network,
                                                  size_t layer,
                                                  int32_t tensor,
                                                  const double *from,
                                                  size_t count);

/* Writes a network to a model file, whole or not at all, as one that takes numbers as they are; classes are called 0, 1, … What is at
   `path` is replaced if `replace` is 1, and with 0 it is an error. `loss` is the one it was trained with, as in
   deltarule_train_options. */
deltarule_status deltarule_network_save(struct deltarule_network network,
                                        const char *loss,
                                        const char *path,
                                        int32_t replace);

/* The outputs for `rows` rows, on the calling thread: `x` is rows x cols (the network's inputs), `out` rows x out_cols (its outputs).
   Rows begin `x_stride` and `out_stride` elements apart. Any number of threads may predict by one network at once. */
deltarule_status deltarule_predict_f32(struct deltarule_network network,
                                       size_t rows,
                                       const float *x,
                                       size_t cols,
                                       size_t x_stride,
                                       float *out,
                                       size_t out_cols,
                                       size_t out_stride);

/* deltarule_predict_f32 in double precision. */
deltarule_status deltarule_predict_f64(struct deltarule_network network,
                                       size_t rows,
                                       const double *x,
                                       size_t cols,
                                       size_t x_stride,
                                       double *out,
                                       size_t out_cols,
                                       size_t out_stride);

/* Makes a predictor of a network as it is now: its weights packed for batches of up to `rows` rows (1 for one at a time), and the
   buffers, so that predictions without gaps in their matrices allocate nothing. Large batches are shared among `threads`. */
deltarule_status deltarule_predictor_new(struct deltarule_network network,
                                         size_t rows,
                                         struct deltarule_threads threads,
                                         struct deltarule_predictor *predictor);

/* Frees a predictor. */
deltarule_status deltarule_predictor_free(struct deltarule_predictor predictor);

/* The outputs for `rows` rows, which may be more than the predictor was made for: then piece after piece. Shapes are those of
   deltarule_predict_f32, and so are the bits, for any number of threads. */
deltarule_status deltarule_predictor_predict_f32(struct deltarule_predictor predictor,
                                                 size_t rows,
                                                 const float *x,
                                                 size_t cols,
                                                 size_t x_stride,
                                                 float *out,
                                                 size_t out_cols,
                                                 size_t out_stride);

/* deltarule_predictor_predict_f32 in double precision. */
deltarule_status deltarule_predictor_predict_f64(struct deltarule_predictor predictor,
                                                 size_t rows,
                                                 const double *x,
                                                 size_t cols,
                                                 size_t x_stride,
                                                 double *out,
                                                 size_t out_cols,
                                                 size_t out_stride);

/* Makes the buffers for values and gradients of a network, or of others of the same widths, norms and type, over batches of up to
   `rows` rows, which `threads` share where they are large. */
deltarule_status deltarule_workspace_new(struct deltarule_network network,
                                         size_t rows,
                                         struct deltarule_threads threads,
                                         struct deltarule_workspace *workspace);

/* Frees a workspace. */
deltarule_status deltarule_workspace_free(struct deltarule_workspace workspace);

/* What training minimises, and its gradient: the weighted mean over the rows of the batch of the loss (as in
   deltarule_train_options; null is squared_error), plus l1 times the sum of absolute weights and l2 / 2 times that of squared ones.

   The parameters are those at `parameters`, so that an optimiser of yours need not copy them, or the network's own if that is null
   and `parameter_count` is 0. `gradient` has as many numbers; with null and 0 only the value is computed, in a third of the time.
   Nothing is allocated, if the rows have no gaps. The same bits for any number of threads. */
deltarule_status deltarule_value_and_gradient_f32(struct deltarule_network network,
                                                  struct deltarule_workspace workspace,
                                                  const float *parameters,
                                                  size_t parameter_count,
                                                  const struct deltarule_batch_f32 *batch,
                                                  const char *loss,
                                                  double l1,
                                                  double l2,
                                                  float *gradient,
                                                  size_t gradient_count,
                                                  struct deltarule_value *value);

/* deltarule_value_and_gradient_f32 in double precision. */
deltarule_status deltarule_value_and_gradient_f64(struct deltarule_network network,
                                                  struct deltarule_workspace workspace,
                                                  const double *parameters,
                                                  size_t parameter_count,
                                                  const struct deltarule_batch_f64 *batch,
                                                  const char *loss,
                                                  double l1,
                                                  double l2,
                                                  double *gradient,
                                                  size_t gradient_count,
                                                  struct deltarule_value *value);

/* The gradient with respect to the parameters, given the one with respect to the outputs (rows x outputs), for a network inside of
   something larger, or with a loss of your own; and to `input_gradient`, unless it is null, the one with respect to the inputs,
   rows x inputs without gaps. The rest is as for deltarule_value_and_gradient_f32. */
deltarule_status deltarule_backward_f32(struct deltarule_network network,
                                        struct deltarule_workspace workspace,
                                        const float *parameters,
                                        size_t parameter_count,
                                        size_t rows,
                                        const float *x,
                                        size_t inputs,
                                        size_t x_stride,
                                        const float *output_gradient,
                                        size_t outputs,
                                        size_t output_stride,
                                        float *gradient,
                                        size_t gradient_count,
                                        float *input_gradient);

/* deltarule_backward_f32 in double precision. */
deltarule_status deltarule_backward_f64(struct deltarule_network network,
                                        struct deltarule_workspace workspace,
                                        const double *parameters,
                                        size_t parameter_count,
                                        size_t rows,
                                        const double *x,
                                        size_t inputs,
                                        size_t x_stride,
                                        const double *output_gradient,
                                        size_t outputs,
                                        size_t output_stride,
                                        double *gradient,
                                        size_t gradient_count,
                                        double *input_gradient);

/* Sets `options` to the library's defaults: Adam at its own rate on the squared error, 200 epochs of batches of 200 rows, until the
   loss no longer falls for 10. `size` is sizeof(deltarule_train_options) as the caller's header has it. */
deltarule_status deltarule_train_options_init(struct deltarule_train_options *options, size_t size);

/* Trains a network on the rows of `training`. `held_back` (or null) are rows that judge it: the training ends when their loss stalls,
   and the best parameters are kept. `options` may be null, for the defaults; `history` too.

   The training works on a copy, which is put in the network's place at its end: threads that read meanwhile see the old parameters,
   and what others write meanwhile is lost. After DELTARULE_STATUS_DIVERGED or _CHECK the network holds the parameters of the last good
   epoch, after any other error the old ones. Numbers that are not finite, and targets that the loss has no meaning for, are refused.
   The same bits for any number of threads. */
deltarule_status deltarule_train_f32(struct deltarule_network network,
                                     const struct deltarule_batch_f32 *training,
                                     const struct deltarule_batch_f32 *held_back,
                                     const struct deltarule_train_options *options,
                                     struct deltarule_history *history);

/* deltarule_train_f32 in double precision. */
deltarule_status deltarule_train_f64(struct deltarule_network network,
                                     const struct deltarule_batch_f64 *training,
                                     const struct deltarule_batch_f64 *held_back,
                                     const struct deltarule_train_options *options,
                                     struct deltarule_history *history);

/* Opens a model file, as the command, deltarule_model_save and deltarule_network_save write it. */
deltarule_status deltarule_model_open(const char *path, struct deltarule_model *model);

/* Reads a model from the bytes of its file, which may be part of your program. */
deltarule_status deltarule_model_read(const uint8_t *bytes, size_t length, struct deltarule_model *model);

/* Makes a model around a copy of a network: numbers go in as they are, and the outputs mean what their activation says: classes
   after a softmax or a single sigmoid, labels after several sigmoids, else numbers. `loss` is as in deltarule_train_options. */
deltarule_status deltarule_model_of_network(struct deltarule_network network, const char *loss, struct deltarule_model *model);

/* Frees a model. */
deltarule_status deltarule_model_free(struct deltarule_model model);

/* Writes a model to a file, whole or not at all. What is at `path` is replaced if `replace` is 1, and with 0 it is an error. */
deltarule_status deltarule_model_save(struct deltarule_model model, const char *path, int32_t replace);

/* What is known of a model. */
deltarule_status deltarule_model_describe(struct deltarule_model model, struct deltarule_model_facts *facts);

/* The name of a column (from 0) of raw rows. The text goes to `buffer` as in deltarule_network_architecture. */
deltarule_status deltarule_model_column_name(struct deltarule_model model,
                                             size_t index,
                                             char *buffer,
                                             size_t capacity,
                                             size_t *length);

/* The name of a value (from 0) of predictions: a class, a label's column or a number's column. The text goes to `buffer` as in
   deltarule_network_architecture. */
deltarule_status deltarule_model_value_name(struct deltarule_model model,
                                            size_t index,
                                            char *buffer,
                                            size_t capacity,
                                            size_t *length);

/* The SHA-256 of the parameters, 64 hexadecimal digits: two trainings with the same bits have the same, in whatever language. The
   text goes to `buffer` as in deltarule_network_architecture. */
deltarule_status deltarule_model_sha256(struct deltarule_model model, char *buffer, size_t capacity, size_t *length);

/* A copy of the network inside, whose inputs are encoded rows. */
deltarule_status deltarule_model_network(struct deltarule_model model, struct deltarule_network *network);

/* The predictions for raw rows of numbers: `x` is rows x cols, in the order of deltarule_model_column_name, in their own units; NaN
   is a missing number, which is filled in if the model knows how. `out` is rows x out_cols, the values of deltarule_model_describe.
   The model's network may be of either type. Nothing is written if a row is refused. */
deltarule_status deltarule_model_predict_f32(struct deltarule_model model,
                                             size_t rows,
                                             const float *x,
                                             size_t cols,
                                             size_t x_stride,
                                             float *out,
                                             size_t out_cols,
                                             size_t out_stride);

/* deltarule_model_predict_f32 in double precision. */
deltarule_status deltarule_model_predict_f64(struct deltarule_model model,
                                             size_t rows,
                                             const double *x,
                                             size_t cols,
                                             size_t x_stride,
                                             double *out,
                                             size_t out_cols,
                                             size_t out_stride);

/* The most probable class of each row, as an index for deltarule_model_value_name; of a model of classes. The rest is as for
   deltarule_model_predict_f32. */
deltarule_status deltarule_model_classify_f32(struct deltarule_model model,
                                              size_t rows,
                                              const float *x,
                                              size_t cols,
                                              size_t x_stride,
                                              size_t *classes);

/* deltarule_model_classify_f32 in double precision. */
deltarule_status deltarule_model_classify_f64(struct deltarule_model model,
                                              size_t rows,
                                              const double *x,
                                              size_t cols,
                                              size_t x_stride,
                                              size_t *classes);

/* The predictions for raw rows of texts, as a table has them, for models with columns of words: `cells` are rows x cols pointers, row
   after row. The rest is as for deltarule_model_predict_f64. */
deltarule_status deltarule_model_predict_text(struct deltarule_model model,
                                              size_t rows,
                                              const char *const *cells,
                                              size_t cols,
                                              double *out,
                                              size_t out_cols,
                                              size_t out_stride);

/* The name of a deltarule_function, such as "tanh"; "unknown" of any other number. The text stays. */
const char *deltarule_function_name(int32_t function);

/* The deltarule_function of a name, such as "tanh" or "leaky_relu=0.2", and its constant: 0.01 of leaky_relu and 1 of elu without a
   number, and 0 of those that have none. */
deltarule_status deltarule_function_parse(const char *name, int32_t *function, double *constant);

/* y <- f(x) of `n` numbers: a deltarule_function, with the constant of leaky_relu and elu, or 0. `y` may be `x`, but not overlap it
   in any other way. NaN gives NaN; accuracies are in docs/c.md. */
deltarule_status deltarule_map_f32(int32_t function, double constant, size_t n, const float *x, float *y);

/* deltarule_map_f32 in double precision. */
deltarule_status deltarule_map_f64(int32_t function, double constant, size_t n, const double *x, double *y);

/* y <- f(x) and slope <- f'(x). `y` may be `x`. */
deltarule_status deltarule_map_with_slope_f32(int32_t function,
                                              double constant,
                                              size_t n,
                                              const float *x,
                                              float *y,
                                              float *slope);

/* deltarule_map_with_slope_f32 in double precision. */
deltarule_status deltarule_map_with_slope_f64(int32_t function,
                                              double constant,
                                              size_t n,
                                              const double *x,
                                              double *y,
                                              double *slope);

/* Each row of `y` becomes a deltarule_row_function of that row of `x`. `y` may be `x` with the same stride. */
deltarule_status deltarule_map_rows_f32(int32_t function,
                                        size_t rows,
                                        size_t cols,
                                        const float *x,
                                        size_t x_stride,
                                        float *y,
                                        size_t y_stride);

/* deltarule_map_rows_f32 in double precision. */
deltarule_status deltarule_map_rows_f64(int32_t function,
                                        size_t rows,
                                        size_t cols,
                                        const double *x,
                                        size_t x_stride,
                                        double *y,
                                        size_t y_stride);

/* Turns the gradient `delta` with respect to the results `y` of deltarule_map_rows_f32 into the one with respect to what they were
   made of. */
deltarule_status deltarule_map_rows_backward_f32(int32_t function,
                                                 size_t rows,
                                                 size_t cols,
                                                 const float *y,
                                                 size_t y_stride,
                                                 float *delta,
                                                 size_t delta_stride);

/* deltarule_map_rows_backward_f32 in double precision. */
deltarule_status deltarule_map_rows_backward_f64(int32_t function,
                                                 size_t rows,
                                                 size_t cols,
                                                 const double *y,
                                                 size_t y_stride,
                                                 double *delta,
                                                 size_t delta_stride);

/* Each of the `rows` results becomes a deltarule_row_reduction of that row of `x`. */
deltarule_status deltarule_reduce_rows_f32(int32_t reduction,
                                           size_t rows,
                                           size_t cols,
                                           const float *x,
                                           size_t x_stride,
                                           float *results);

/* deltarule_reduce_rows_f32 in double precision. */
deltarule_status deltarule_reduce_rows_f64(int32_t reduction,
                                           size_t rows,
                                           size_t cols,
                                           const double *x,
                                           size_t x_stride,
                                           double *results);

/* C <- alpha op(A) op(B) + beta C, as CBLAS has it: op(A) is m x k, op(B) k x n and C m x n; `order` and the transposes are
   deltarule_order and deltarule_transpose, with CBLAS's numbers; `lda`, `ldb` and `ldc` are the distances of rows (by columns: of
   columns) in elements. With a beta of 0 C is not read and may hold NaN; with an alpha of 0, or a k of 0, A and B are not, and may be
   null. C may not overlap A or B.

   `threads` share the rows of C (by columns: its columns); all zero is the calling thread alone. The same bits for any number of
   threads and on every instruction set. */
deltarule_status deltarule_gemm_f32(int32_t order,
                                    int32_t trans_a,
                                    int32_t trans_b,
                                    size_t m,
                                    size_t n,
                                    size_t k,
                                    float alpha,
                                    const float *a,
                                    size_t lda,
                                    const float *b,
                                    size_t ldb,
                                    float beta,
                                    float *c,
                                    size_t ldc,
                                    struct deltarule_threads threads);

/* deltarule_gemm_f32 in double precision. */
deltarule_status deltarule_gemm_f64(int32_t order,
                                    int32_t trans_a,
                                    int32_t trans_b,
                                    size_t m,
                                    size_t n,
                                    size_t k,
                                    double alpha,
                                    const double *a,
                                    size_t lda,
                                    const double *b,
                                    size_t ldb,
                                    double beta,
                                    double *c,
                                    size_t ldc,
                                    struct deltarule_threads threads);

/* Sets `options` to the library's defaults. `size` is sizeof(deltarule_gradcheck_options) as the caller's header has it. */
deltarule_status deltarule_gradcheck_options_init(struct deltarule_gradcheck_options *options, size_t size);

/* Holds the `n` numbers of `gradient` against slopes of `function` measured around `at`, each with an estimate of its own error:
   about four values for each coordinate, in double precision. `user` is handed to the function.

   DELTARULE_STATUS_OK says that the gradient is verified, DELTARULE_STATUS_CHECK that it is not; `report` (or null) is written in both
   cases, and so is the report in words, to `text` of `capacity` bytes, cut short where that is too small: `length` (or null) becomes
   its whole length without the zero. With a null `text` of capacity 0 there is none. `options` may be null, for the defaults. */
deltarule_status deltarule_gradcheck(deltarule_value_callback function,
                                     void *user,
                                     size_t n,
                                     const double *at,
                                     const double *gradient,
                                     const struct deltarule_gradcheck_options *options,
                                     struct deltarule_gradcheck_report *report,
                                     char *text,
                                     size_t capacity,
                                     size_t *length);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DELTARULE_H */
