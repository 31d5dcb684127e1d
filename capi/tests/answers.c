/* That every function gives the right answer: against sums written out, against the C library, and against each other, with gaps
   between rows and without, for one thread and several. */
#include <deltarule.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int answers, faults;

static void require(int line, deltarule_status status) {
    if (status != DELTARULE_STATUS_OK) {
        fprintf(stderr, "%d: %s\n", line, deltarule_last_error());
        exit(EXIT_FAILURE);
    }
}

#define DO(call) require(__LINE__, call)

static void expect(int line, int condition, const char *what) {
    answers++;
    if (!condition) {
        faults++;
        fprintf(stderr, "%d: not so: %s\n", line, what);
    }
}

#define EXPECT(condition) expect(__LINE__, condition, #condition)

static const deltarule_threads alone = {0};

/* Numbers between -1 and 1 that are the same everywhere. */
static double number(void) {
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / (1 << 23) - 1;
}

/* Every order and transpose against three loops, with gaps, in both types. */
static void products(void) {
    enum { M = 13, N = 9, K = 11, MOST = 20 };
    static double a[MOST * MOST], b[MOST * MOST], c[MOST * MOST], expected[MOST * MOST];
    static float af[MOST * MOST], bf[MOST * MOST], cf[MOST * MOST];
    const size_t lda = 17, ldb = 18, ldc = 15;
    deltarule_threads pool;
    DO(deltarule_threads_new(3, &pool));
    for (int i = 0; i < MOST * MOST; i++) {
        af[i] = (float)(a[i] = (float)number());
        bf[i] = (float)(b[i] = (float)number());
    }
    for (int which = 0; which < 8; which++) {
        const int by_columns = which & 1, ta = which >> 1 & 1, tb = which >> 2;
        const int32_t order = by_columns ? DELTARULE_ORDER_COL_MAJOR : DELTARULE_ORDER_ROW_MAJOR;
        const int32_t trans_a = ta ? DELTARULE_TRANSPOSE_YES : DELTARULE_TRANSPOSE_NO;
        const int32_t trans_b = tb ? DELTARULE_TRANSPOSE_YES : DELTARULE_TRANSPOSE_NO;
        for (int i = 0; i < MOST * MOST; i++) {
            cf[i] = (float)(expected[i] = c[i] = (float)number());
        }
        for (size_t i = 0; i < M; i++) {
            for (size_t j = 0; j < N; j++) {
                double sum = 0;
                for (size_t p = 0; p < K; p++) {
                    sum += (by_columns != ta ? a[p * lda + i] : a[i * lda + p]) * (by_columns != tb ? b[j * ldb + p] : b[p * ldb + j]);
                }
                double *to = by_columns ? &expected[j * ldc + i] : &expected[i * ldc + j];
                *to = 1.5 * sum - 0.5 * *to;
            }
        }
        DO(deltarule_gemm_f64(order, trans_a, trans_b, M, N, K, 1.5, a, lda, b, ldb, -0.5, c, ldc, alone));
        DO(deltarule_gemm_f32(order, trans_a, trans_b, M, N, K, 1.5f, af, lda, bf, ldb, -0.5f, cf, ldc, pool));
        double worst = 0, worst_single = 0;
        for (int i = 0; i < MOST * MOST; i++) {
            worst = fmax(worst, fabs(c[i] - expected[i]));
            worst_single = fmax(worst_single, fabs(cf[i] - expected[i]));
        }
        EXPECT(worst < 1e-14);
        EXPECT(worst_single < 1e-5);
    }
    /* So much that threads share it: the same bits. */
    enum { LARGE = 320 };
    float *large = malloc(4 * LARGE * LARGE * sizeof *large), *one = large + 2 * LARGE * LARGE, *three = one + LARGE * LARGE;
    EXPECT(large != NULL);
    for (int i = 0; i < 2 * LARGE * LARGE; i++) {
        large[i] = (float)number();
    }
    for (int by_columns = 0; by_columns < 2; by_columns++) {
        const int32_t order = by_columns ? DELTARULE_ORDER_COL_MAJOR : DELTARULE_ORDER_ROW_MAJOR;
        const int32_t no = DELTARULE_TRANSPOSE_NO, yes = DELTARULE_TRANSPOSE_YES;
        float *b_of = large + LARGE * LARGE;
        DO(deltarule_gemm_f32(order, yes, no, LARGE, LARGE, LARGE, 1, large, LARGE, b_of, LARGE, 0, one, LARGE, alone));
        DO(deltarule_gemm_f32(order, yes, no, LARGE, LARGE, LARGE, 1, large, LARGE, b_of, LARGE, 0, three, LARGE, pool));
        EXPECT(memcmp(one, three, LARGE * LARGE * sizeof *one) == 0);
    }
    free(large);
    DO(deltarule_threads_free(pool));
}

static double value_of(int32_t function, double constant, double x) {
    switch (function) {
    case DELTARULE_FUNCTION_IDENTITY: return x;
    case DELTARULE_FUNCTION_STEP: return x > 0;
    case DELTARULE_FUNCTION_EXP: return exp(x);
    case DELTARULE_FUNCTION_EXPM1: return expm1(x);
    case DELTARULE_FUNCTION_LN: return log(x);
    case DELTARULE_FUNCTION_LN1P: return log1p(x);
    case DELTARULE_FUNCTION_SIGMOID: return 1 / (1 + exp(-x));
    case DELTARULE_FUNCTION_LOG_SIGMOID: return -log1p(exp(-x));
    case DELTARULE_FUNCTION_TANH: return tanh(x);
    case DELTARULE_FUNCTION_RELU: return x > 0 ? x : 0;
    case DELTARULE_FUNCTION_LEAKY_RELU: return x > 0 ? x : constant * x;
    case DELTARULE_FUNCTION_ELU: return x > 0 ? x : constant * expm1(x);
    case DELTARULE_FUNCTION_SELU: return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x));
    case DELTARULE_FUNCTION_SOFTPLUS: return log1p(exp(x));
    case DELTARULE_FUNCTION_SILU: return x / (1 + exp(-x));
    case DELTARULE_FUNCTION_GELU: return x * erfc(-x / sqrt(2)) / 2;
    default: return x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x))) / 2;
    }
}

/* Every function against the C library, its slope against differences, and all ways to call it against each other. */
static void functions(void) {
    enum { N = 101 };
    for (int32_t function = 0; function <= DELTARULE_FUNCTION_GELU_TANH; function++) {
        const char *name = deltarule_function_name(function);
        int32_t parsed;
        double constant, x[N], y[N], slope[N], in_place[N];
        float single[N], single_slope[N];
        DO(deltarule_function_parse(name, &parsed, &constant));
        EXPECT(parsed == function);
        const int is_logarithm = function == DELTARULE_FUNCTION_LN || function == DELTARULE_FUNCTION_LN1P;
        for (int i = 0; i < N; i++) {
            x[i] = is_logarithm ? 0.1 + 0.1 * i : 0.11 * (i - 50) + 0.003;
            single[i] = (float)x[i];
        }
        memcpy(in_place, x, sizeof x);
        DO(deltarule_map_f64(function, constant, N, x, y));
        DO(deltarule_map_f64(function, constant, N, in_place, in_place));
        EXPECT(memcmp(y, in_place, sizeof y) == 0);
        DO(deltarule_map_with_slope_f64(function, constant, N, x, in_place, slope));
        EXPECT(memcmp(y, in_place, sizeof y) == 0);
        DO(deltarule_map_with_slope_f32(function, constant, N, single, single, single_slope));
        double worst = 0, worst_single = 0, worst_slope = 0;
        for (int i = 0; i < N; i++) {
            const double h = 1e-5, expected = value_of(function, constant, x[i]), size = fmax(fabs(expected), 1);
            const double difference = (value_of(function, constant, x[i] + h) - value_of(function, constant, x[i] - h)) / (2 * h);
            worst = fmax(worst, fabs(y[i] - expected) / size);
            worst_single = fmax(worst_single, fabs(single[i] - expected) / size);
            worst_slope = fmax(worst_slope, fabs(slope[i] - difference) / fmax(fabs(difference), 1));
        }
        EXPECT(worst < 4e-15);
        EXPECT(worst_single < 1e-6);
        EXPECT(worst_slope < 1e-8);
    }
    int32_t parsed;
    double constant;
    DO(deltarule_function_parse("leaky_relu=0.25", &parsed, &constant));
    EXPECT(parsed == DELTARULE_FUNCTION_LEAKY_RELU && constant == 0.25);
    DO(deltarule_function_parse("swish", &parsed, &constant));
    EXPECT(parsed == DELTARULE_FUNCTION_SILU && constant == 0);
}

/* Softmax and what belongs to it, with gaps and without. */
static void rows(void) {
    enum { ROWS = 5, COLS = 7, GAP = 10 };
    double x[ROWS * GAP], y[ROWS * GAP], packed[ROWS * COLS], logs[ROWS * COLS], top[ROWS], sums[ROWS], delta[ROWS * GAP];
    for (int i = 0; i < ROWS * GAP; i++) {
        x[i] = 3 * number();
        y[i] = delta[i] = 77;
    }
    for (int i = 0; i < ROWS; i++) {
        memcpy(packed + COLS * i, x + GAP * i, COLS * sizeof(double));
    }
    DO(deltarule_map_rows_f64(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, COLS, x, GAP, y, GAP));
    DO(deltarule_map_rows_f64(DELTARULE_ROW_FUNCTION_LOG_SOFTMAX, ROWS, COLS, packed, COLS, logs, COLS));
    DO(deltarule_reduce_rows_f64(DELTARULE_ROW_REDUCTION_MAX, ROWS, COLS, x, GAP, top));
    DO(deltarule_reduce_rows_f64(DELTARULE_ROW_REDUCTION_LOG_SUM_EXP, ROWS, COLS, packed, COLS, sums));
    DO(deltarule_map_rows_f64(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, COLS, packed, COLS, packed, COLS));
    for (int i = 0; i < ROWS; i++) {
        double sum = 0, largest = -INFINITY;
        for (int j = 0; j < COLS; j++) {
            sum += exp(x[GAP * i + j]);
            largest = fmax(largest, x[GAP * i + j]);
        }
        EXPECT(top[i] == largest && fabs(sums[i] - log(sum)) < 1e-14);
        EXPECT(memcmp(packed + COLS * i, y + GAP * i, COLS * sizeof(double)) == 0);
        EXPECT(i + 1 == ROWS || (y[GAP * i + COLS] == 77 && y[GAP * i + GAP - 1] == 77));
        for (int j = 0; j < COLS; j++) {
            EXPECT(fabs(y[GAP * i + j] - exp(x[GAP * i + j]) / sum) < 1e-15);
            EXPECT(fabs(logs[COLS * i + j] - (x[GAP * i + j] - log(sum))) < 1e-14);
            delta[GAP * i + j] = j == 2;
        }
    }
    /* The derivative of column 2 by each sum. */
    DO(deltarule_map_rows_backward_f64(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, COLS, y, GAP, delta, GAP));
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < COLS; j++) {
            const double *p = y + GAP * i;
            EXPECT(fabs(delta[GAP * i + j] - p[j] * ((j == 2) - p[2])) < 1e-15);
        }
    }
}

enum { ROWS = 12, IN = 3, UNITS = 4, OUT = 2, GAP = 5, COUNT = IN * UNITS + UNITS + UNITS * OUT + OUT };

static double x[ROWS * IN], x_gaps[ROWS * GAP], y[ROWS * OUT], y_gaps[ROWS * GAP], weights[ROWS];

/* A pass written out: tanh units, then sums. */
static void forward(const double *p, const double *row, double *outputs) {
    const double *bias = p + IN * UNITS, *second = bias + UNITS, *last = second + UNITS * OUT;
    for (int k = 0; k < OUT; k++) {
        outputs[k] = last[k];
    }
    for (int j = 0; j < UNITS; j++) {
        double sum = bias[j];
        for (int i = 0; i < IN; i++) {
            sum += row[i] * p[i * UNITS + j];
        }
        for (int k = 0; k < OUT; k++) {
            outputs[k] += tanh(sum) * second[j * OUT + k];
        }
    }
}

/* Half the squared error, weighted, and the penalties. */
static double objective(const double *p, double l1, double l2) {
    double loss = 0, total = 0;
    for (int r = 0; r < ROWS; r++) {
        double outputs[OUT];
        forward(p, x + IN * r, outputs);
        for (int k = 0; k < OUT; k++) {
            loss += weights[r] * pow(outputs[k] - y[OUT * r + k], 2) / 2;
        }
        total += weights[r];
    }
    loss /= total;
    for (int i = 0; i < COUNT; i++) {
        const int is_bias = (i >= IN * UNITS && i < IN * UNITS + UNITS) || i >= COUNT - OUT;
        loss += is_bias ? 0 : l1 * fabs(p[i]) + l2 / 2 * p[i] * p[i];
    }
    return loss;
}

static void networks(void) {
    const deltarule_layer layers[] = {{UNITS, "tanh", "none", 1}, {OUT, "identity", NULL, 1}};
    deltarule_network network, same, single;
    double p[COUNT], again[COUNT], gradient[COUNT], packed_gradient[COUNT], outputs[ROWS * OUT], gaps[ROWS * GAP], expected[OUT];
    for (int r = 0; r < ROWS; r++) {
        for (int i = 0; i < GAP; i++) {
            x_gaps[GAP * r + i] = number();
            y_gaps[GAP * r + i] = number();
        }
        memcpy(x + IN * r, x_gaps + GAP * r, IN * sizeof(double));
        memcpy(y + OUT * r, y_gaps + GAP * r, OUT * sizeof(double));
        weights[r] = 1 + number() / 2;
    }
    DO(deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F64, "normal=0.7", 3, &network));
    DO(deltarule_network_parameters_f64(network, p, COUNT));

    /* Outputs against a pass written out, however they are asked for. */
    deltarule_predictor predictor;
    DO(deltarule_predict_f64(network, ROWS, x, IN, IN, outputs, OUT, OUT));
    DO(deltarule_predict_f64(network, ROWS, x_gaps, IN, GAP, gaps, OUT, GAP));
    DO(deltarule_predictor_new(network, 5, alone, &predictor));
    double pieces[ROWS * OUT];
    DO(deltarule_predictor_predict_f64(predictor, ROWS, x_gaps, IN, GAP, pieces, OUT, OUT));
    EXPECT(memcmp(outputs, pieces, sizeof outputs) == 0);
    for (int r = 0; r < ROWS; r++) {
        forward(p, x + IN * r, expected);
        EXPECT(memcmp(outputs + OUT * r, gaps + GAP * r, OUT * sizeof(double)) == 0);
        EXPECT(fabs(outputs[OUT * r] - expected[0]) < 1e-14 && fabs(outputs[OUT * r + 1] - expected[1]) < 1e-14);
    }

    /* Value and gradient against differences of the objective written out. */
    deltarule_workspace workspace;
    deltarule_value value, alone_value;
    const deltarule_batch_f64 batch = {ROWS, x_gaps, IN, GAP, y_gaps, OUT, GAP, weights};
    const deltarule_batch_f64 packed = {ROWS, x, IN, IN, y, OUT, OUT, weights};
    DO(deltarule_workspace_new(network, ROWS, alone, &workspace));
    DO(deltarule_value_and_gradient_f64(network, workspace, NULL, 0, &batch, NULL, 0.01, 0.02, gradient, COUNT, &value));
    const char *loss = "squared_error";
    DO(deltarule_value_and_gradient_f64(network, workspace, p, COUNT, &packed, loss, 0.01, 0.02, packed_gradient, COUNT, &value));
    DO(deltarule_value_and_gradient_f64(network, workspace, p, COUNT, &packed, NULL, 0.01, 0.02, NULL, 0, &alone_value));
    EXPECT(memcmp(gradient, packed_gradient, sizeof gradient) == 0);
    EXPECT(fabs(value.loss + value.penalty - objective(p, 0.01, 0.02)) < 1e-14);
    EXPECT(value.loss == alone_value.loss && value.penalty == alone_value.penalty);
    for (int i = 0; i < COUNT; i++) {
        const double h = 1e-5, at = p[i];
        p[i] = at + h;
        double above = objective(p, 0.01, 0.02);
        p[i] = at - h;
        double below = objective(p, 0.01, 0.02);
        p[i] = at;
        EXPECT(fabs(gradient[i] - (above - below) / (2 * h)) < 1e-9);
    }

    /* The way back with the gradient of that loss by hand is the same gradient; to the inputs against differences. */
    double delta[ROWS * OUT], input_gradient[ROWS * IN], total = 0;
    for (int r = 0; r < ROWS; r++) {
        total += weights[r];
    }
    for (int r = 0; r < ROWS; r++) {
        for (int k = 0; k < OUT; k++) {
            delta[OUT * r + k] = weights[r] / total * (outputs[OUT * r + k] - y[OUT * r + k]);
        }
    }
    DO(deltarule_value_and_gradient_f64(network, workspace, NULL, 0, &packed, NULL, 0, 0, gradient, COUNT, &value));
    DO(deltarule_backward_f64(network, workspace, NULL, 0, ROWS, x_gaps, IN, GAP, delta, OUT, OUT, packed_gradient, COUNT, input_gradient));
    for (int i = 0; i < COUNT; i++) {
        EXPECT(fabs(gradient[i] - packed_gradient[i]) < 1e-15);
    }
    for (int i = 0; i < ROWS * IN; i++) {
        const double h = 1e-5, at = x[i];
        x[i] = at + h;
        double above = objective(p, 0, 0);
        x[i] = at - h;
        double below = objective(p, 0, 0);
        x[i] = at;
        EXPECT(fabs(input_gradient[i] - (above - below) / (2 * h)) < 1e-9);
    }

    /* Where everything lies, and what it is called. */
    deltarule_network_sizes sizes = {.size = sizeof sizes};
    deltarule_layer_place place = {.size = sizeof place};
    char text[512], name[64];
    size_t length;
    DO(deltarule_network_describe(network, &sizes));
    EXPECT(sizes.inputs == IN && sizes.outputs == OUT && sizes.layers == 2 && sizes.parameters == COUNT && sizes.state == COUNT);
    EXPECT(sizes.dtype == DELTARULE_TYPE_F64);
    DO(deltarule_network_layer(network, 1, &place));
    EXPECT(place.inputs == UNITS && place.outputs == OUT && place.weights == IN * UNITS + UNITS);
    EXPECT(place.bias == COUNT - OUT && place.bias_length == OUT && place.norm_length == 0);
    DO(deltarule_network_tensor_f64(network, 1, DELTARULE_TENSOR_WEIGHTS, again, UNITS * OUT));
    EXPECT(memcmp(again, p + place.weights, UNITS * OUT * sizeof *p) == 0);
    DO(deltarule_network_set_tensor_f64(network, 0, DELTARULE_TENSOR_BIAS, x, UNITS));
    DO(deltarule_network_state_f64(network, again, COUNT));
    EXPECT(memcmp(again + IN * UNITS, x, UNITS * sizeof *x) == 0 && memcmp(again, p, IN * UNITS * sizeof *p) == 0);
    DO(deltarule_network_set_state_f64(network, p, COUNT));
    DO(deltarule_network_architecture(network, NULL, 0, &length));
    DO(deltarule_network_architecture(network, text, length + 1, NULL));
    EXPECT(strcmp(text, "3-4-2, tanh, identity") == 0 && strlen(text) == length);
    DO(deltarule_network_parameter_name(network, COUNT - 1, name, sizeof name, NULL));
    EXPECT(strcmp(name, "layer 2, bias of unit 2") == 0);

    /* The same shape and seed by JSON: the same parameters. Other types round. */
    float singles[COUNT];
    DO(deltarule_network_json(network, text, sizeof text, NULL));
    DO(deltarule_network_from_json(text, DELTARULE_TYPE_F64, "normal=0.7", 3, &same));
    DO(deltarule_network_parameters_f64(same, again, COUNT));
    EXPECT(memcmp(again, p, sizeof p) == 0);
    DO(deltarule_network_copy(network, DELTARULE_TYPE_F32, &single));
    DO(deltarule_network_parameters_f32(single, singles, COUNT));
    for (int i = 0; i < COUNT; i++) {
        EXPECT(singles[i] == (float)p[i]);
    }

    DO(deltarule_network_free(single));
    DO(deltarule_network_free(same));
    DO(deltarule_workspace_free(workspace));
    DO(deltarule_predictor_free(predictor));
    DO(deltarule_network_free(network));
}

static int32_t count_epochs(const deltarule_epoch *epoch, void *user) {
    *(size_t *)user += 1;
    EXPECT(epoch->size == sizeof *epoch && isnan(epoch->validation_loss) && epoch->learning_rate == 0.01);
    return 0;
}

/* A training with and without gaps, with threads and without: the same bits. */
static void training(void) {
    const deltarule_layer layers[] = {{20, "relu", "batch", 0}, {OUT, "identity", NULL, 1}};
    deltarule_network networks[3];
    deltarule_threads pool;
    deltarule_history history = {.size = sizeof history};
    double states[3][20 * IN + 2 * 20 + 20 * OUT + OUT + 40];
    size_t epochs = 0;
    DO(deltarule_threads_new(2, &pool));
    for (int i = 0; i < 3; i++) {
        const deltarule_batch_f64 with_gaps = {ROWS, x_gaps, IN, GAP, y_gaps, OUT, GAP, weights};
        const deltarule_batch_f64 packed = {ROWS, x, IN, IN, y, OUT, OUT, weights};
        deltarule_train_options options;
        DO(deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F64, NULL, 9, &networks[i]));
        DO(deltarule_train_options_init(&options, sizeof options));
        options.solver = "adam:beta1=0.8";
        options.learning_rate = 0.01;
        options.epochs = 30;
        options.batch = 5;
        options.seed = 4;
        options.patience = 0;
        options.threads = i == 2 ? pool : alone;
        options.on_epoch = count_epochs;
        options.user = &epochs;
        DO(deltarule_train_f64(networks[i], i == 1 ? &with_gaps : &packed, NULL, &options, &history));
        DO(deltarule_network_state_f64(networks[i], states[i], sizeof states[i] / sizeof(double)));
        EXPECT(history.epochs == 30 && history.stopped == DELTARULE_STOPPED_EPOCHS && isnan(history.validation_loss));
    }
    EXPECT(epochs == 90);
    EXPECT(memcmp(states[0], states[1], sizeof states[0]) == 0 && memcmp(states[0], states[2], sizeof states[0]) == 0);

    /* Rows held back: by a share, and by a batch of their own; the solvers of the whole batch. */
    const deltarule_batch_f64 batch = {ROWS, x, IN, IN, y, OUT, OUT, NULL}, held = {4, x, IN, IN, y, OUT, OUT, NULL};
    const char *solvers[] = {"adam", "sgd:momentum=0.5,nesterov=0", "rmsprop:centered=1", "lbfgs", "rprop", "scg", "levenberg_marquardt"};
    for (size_t i = 0; i < sizeof solvers / sizeof *solvers; i++) {
        const deltarule_layer plain[] = {{4, "tanh", NULL, 1}, {OUT, "identity", NULL, 1}};
        deltarule_network network;
        deltarule_train_options options;
        DO(deltarule_network_new(IN, plain, 2, DELTARULE_TYPE_F64, NULL, 2, &network));
        DO(deltarule_train_options_init(&options, sizeof options));
        options.solver = solvers[i];
        options.epochs = 20;
        options.validation_share = i % 2 ? 0.25 : 0;
        DO(deltarule_train_f64(network, &batch, i % 2 ? NULL : &held, &options, &history));
        EXPECT(history.epochs >= 1 && history.kept >= 1 && isfinite(history.training_loss) && isfinite(history.validation_loss));
        DO(deltarule_network_free(network));
    }
    for (int i = 0; i < 3; i++) {
        DO(deltarule_network_free(networks[i]));
    }
    DO(deltarule_threads_free(pool));
}

/* A model by numbers, by texts, by its file and by its network: the same answers. */
static void models(const char *path) {
    const deltarule_layer layers[] = {{UNITS, "tanh", NULL, 1}, {3, "softmax", NULL, 1}};
    deltarule_network network, inside;
    deltarule_model model, opened, read;
    deltarule_model_facts facts = {.size = sizeof facts};
    double probabilities[ROWS * 3], by_file[ROWS * 3], by_text[ROWS * 3], by_network[ROWS * 3];
    char cells_of[ROWS * IN][32], sha[65], other_sha[65], name[32];
    const char *cells[ROWS * IN];
    size_t classes[ROWS], length;
    DO(deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F64, "normal=2", 6, &network));
    DO(deltarule_model_of_network(network, "softmax_cross_entropy", &model));
    DO(deltarule_model_save(model, path, 1));
    EXPECT(deltarule_model_save(model, path, 0) == DELTARULE_STATUS_IO);
    DO(deltarule_model_open(path, &opened));
    DO(deltarule_model_describe(opened, &facts));
    EXPECT(facts.columns == IN && facts.values == 3 && facts.task == DELTARULE_TASK_CLASSES && facts.has_probabilities == 1);
    EXPECT(facts.takes_numbers == 1 && facts.dtype == DELTARULE_TYPE_F64);
    DO(deltarule_model_sha256(model, sha, sizeof sha, &length));
    DO(deltarule_model_sha256(opened, other_sha, sizeof other_sha, NULL));
    EXPECT(length == 64 && strcmp(sha, other_sha) == 0);
    DO(deltarule_model_value_name(opened, 2, name, sizeof name, NULL));
    EXPECT(strcmp(name, "2") == 0);
    DO(deltarule_model_column_name(opened, 0, name, sizeof name, NULL));
    EXPECT(strcmp(name, "column 1") == 0);
    for (int i = 0; i < ROWS * IN; i++) {
        snprintf(cells_of[i], sizeof cells_of[i], "%.17g", x[i]);
        cells[i] = cells_of[i];
    }
    DO(deltarule_model_network(opened, &inside));
    DO(deltarule_model_predict_f64(model, ROWS, x, IN, IN, probabilities, 3, 3));
    DO(deltarule_model_predict_f64(opened, ROWS, x_gaps, IN, GAP, by_file, 3, 3));
    DO(deltarule_model_predict_text(opened, ROWS, cells, IN, by_text, 3, 3));
    DO(deltarule_predict_f64(inside, ROWS, x, IN, IN, by_network, 3, 3));
    DO(deltarule_model_classify_f64(opened, ROWS, x, IN, IN, classes));
    EXPECT(memcmp(probabilities, by_file, sizeof by_file) == 0 && memcmp(by_file, by_text, sizeof by_file) == 0);
    EXPECT(memcmp(by_file, by_network, sizeof by_file) == 0);
    for (int r = 0; r < ROWS; r++) {
        const double *of = by_file + 3 * r;
        EXPECT(fabs(of[0] + of[1] + of[2] - 1) < 1e-14);
        EXPECT(classes[r] < 3 && of[classes[r]] >= of[0] && of[classes[r]] >= of[1] && of[classes[r]] >= of[2]);
    }
    /* From the bytes of its file. */
    FILE *file = fopen(path, "rb");
    EXPECT(file != NULL);
    static uint8_t bytes[1 << 16];
    length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    DO(deltarule_model_read(bytes, length, &read));
    DO(deltarule_model_sha256(read, other_sha, sizeof other_sha, NULL));
    EXPECT(strcmp(sha, other_sha) == 0);
    bytes[length / 2] ^= 1;
    deltarule_model damaged;
    EXPECT(deltarule_model_read(bytes, length, &damaged) == DELTARULE_STATUS_MODEL);
    DO(deltarule_model_free(model));
    DO(deltarule_model_free(opened));
    DO(deltarule_model_free(read));
    DO(deltarule_network_free(inside));
    DO(deltarule_network_free(network));
}

static void versions(void) {
    deltarule_build build = {.size = sizeof build};
    DO(deltarule_build_info(&build));
    EXPECT(strcmp(build.version, deltarule_version()) == 0 && strcmp(build.version, DELTARULE_VERSION) == 0);
    EXPECT(deltarule_version_number() == DELTARULE_VERSION_NUMBER && build.abi_version == DELTARULE_ABI_VERSION);
    EXPECT(strcmp(build.gemm, "embedded") == 0 && strcmp(build.isa, "unknown") != 0 && build.cores >= 1 && build.objects == 0);
    EXPECT(strcmp(deltarule_status_name(DELTARULE_STATUS_DIVERGED), "diverged") == 0);
}

int main(int count, char **arguments) {
    versions();
    products();
    functions();
    rows();
    networks();
    training();
    models(count > 1 ? arguments[1] : "answers.model");
    versions();
    printf("%d answers, %d of them wrong\n", answers, faults);
    return faults == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
