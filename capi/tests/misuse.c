/* Everything that a caller can do wrong and a library can see: each call is refused with the status it should have, a sentence that
   names function and argument, and nothing written. Run under AddressSanitizer and valgrind by scripts/test-c.

   With -DFAILPOINTS, against a library built with the cargo feature 'failpoints', every function is also made to panic inside. */
#define _POSIX_C_SOURCE 200809L
#include <deltarule.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int calls, faults;

/* What functions may write to: all of it must stay as it is when a call is refused. */
static union {
    unsigned char bytes[4096];
    float f[64];
    double d[64];
    size_t n[64];
    char text[256];
    int32_t number;
    deltarule_network network;
    deltarule_predictor predictor;
    deltarule_workspace workspace;
    deltarule_model model;
    deltarule_threads threads;
    deltarule_value value;
} out, second;

static void fault(int line, const char *call, const char *what) {
    faults++;
    fprintf(stderr, "%d: %s: %s (last error: %s)\n", line, call, what, deltarule_last_error());
}

static void mark(void) {
    memset(&out, 0xA5, sizeof out);
    memset(&second, 0xA5, sizeof second);
}

static int is_marked(void) {
    for (size_t i = 0; i < sizeof out; i++) {
        if (out.bytes[i] != 0xA5 || second.bytes[i] != 0xA5) {
            return 0;
        }
    }
    return 1;
}

static void refused(int line, const char *call, int32_t expected, const char *named, int32_t found) {
    calls++;
    const char *said = deltarule_last_error();
    /* Some calls are written short, by a macro in capitals. */
    size_t name = strncmp(call, "deltarule_", 10) == 0 ? strcspn(call, "(") : 10;
    if (found != expected) {
        fault(line, call, deltarule_status_name(found));
    } else if (strncmp(said, name == 10 ? "deltarule_" : call, name) != 0 || strstr(said + name, ": ") == NULL) {
        fault(line, call, "the error does not name the function");
    } else if (strstr(said + name, named) == NULL) {
        fault(line, call, named);
    }
    if (!is_marked()) {
        fault(line, call, "something was written");
        mark();
    }
}

#define REFUSED(status, named, call) refused(__LINE__, #call, DELTARULE_STATUS_##status, named, (call))

static void done(int line, const char *call, int32_t status) {
    if (status != DELTARULE_STATUS_OK) {
        fault(line, call, deltarule_status_name(status));
    }
}

#define DONE(call) done(__LINE__, #call, (call))

/* Handles that mean nothing where a network, say, is expected: none, freed, of other kinds, never made, a pointer. */
enum { BAD = 6 };
static uint64_t bad[BAD];

#define BAD_HANDLES(type, named, call)                                                                                                \
    for (int i = 0; i < BAD; i++) {                                                                                                    \
        const type h = {bad[i]};                                                                                                       \
        REFUSED(HANDLE, named ": expected a handle of a " named, call);                                                                \
    }

static deltarule_network single, doubled, other;
static deltarule_workspace workspace;
static deltarule_predictor predictor;
static deltarule_model model;
static deltarule_threads pool;
static const deltarule_threads alone = {0};
static const deltarule_layer layers[] = {{5, "tanh", "none", 1}, {2, "softmax", NULL, 1}};

/* 3 inputs, 5 units, 2 outputs. */
enum { ROWS = 4, IN = 3, OUT = 2, COUNT = 3 * 5 + 5 + 5 * 2 + 2 };
static float x[ROWS * IN], y[ROWS * OUT], w[ROWS] = {1, 1, 1, 1}, parameters[COUNT];
static double xd[ROWS * IN], gradient[COUNT], at[COUNT];

static deltarule_batch_f32 batch(void) {
    const deltarule_batch_f32 batch = {ROWS, x, IN, IN, y, OUT, OUT, w};
    return batch;
}

static double square(const double *p, size_t n, void *user) {
    double sum = 0;
    (void)user;
    for (size_t i = 0; i < n; i++) {
        sum += p[i] * p[i];
    }
    return sum;
}

/* The type T at an address that no T may have. */
#define ASKEW(T) ((T *)(void *)((char *)askew + 1))
static double askew[64];

/* So large a number of elements that their bytes do not fit, and one that fits but for its product. */
#define HUGE_COUNT (SIZE_MAX / 2)

static void set_up(void) {
    for (int i = 0; i < ROWS * IN; i++) {
        x[i] = 0.1f * (float)i;
        xd[i] = 0.1 * i;
    }
    for (int i = 0; i < ROWS; i++) {
        y[i * OUT + i % OUT] = 1;
    }
    for (int i = 0; i < COUNT; i++) {
        at[i] = 0.05 * i;
        gradient[i] = 2 * at[i];
    }
    DONE(deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F32, NULL, 1, &single));
    DONE(deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F64, "he_normal", 1, &doubled));
    DONE(deltarule_network_new(IN + 1, layers, 2, DELTARULE_TYPE_F32, NULL, 1, &other));
    DONE(deltarule_threads_new(2, &pool));
    DONE(deltarule_workspace_new(single, ROWS, pool, &workspace));
    DONE(deltarule_predictor_new(single, 2, alone, &predictor));
    DONE(deltarule_model_of_network(single, "softmax_cross_entropy", &model));
    deltarule_network freed;
    DONE(deltarule_network_copy(single, DELTARULE_TYPE_F32, &freed));
    DONE(deltarule_network_free(freed));
    bad[1] = freed.id;
    bad[2] = 0x1234567890abcdefu;
    bad[3] = (uint64_t)(uintptr_t)&freed;
    bad[4] = UINT64_MAX;
    mark();
}

/* The last is a handle of another kind. */
static void of_another_kind(uint64_t id) { bad[BAD - 1] = id; }

static void networks(void) {
    deltarule_layer wrong = layers[0];
    REFUSED(NULL, "layers", deltarule_network_new(IN, NULL, 2, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    REFUSED(NULL, "network", deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F32, NULL, 1, NULL));
    REFUSED(POINTER, "layers", deltarule_network_new(IN, ASKEW(deltarule_layer), 1, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    REFUSED(POINTER, "network", deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F32, NULL, 1, ASKEW(deltarule_network)));
    REFUSED(USAGE, "layers", deltarule_network_new(IN, layers, HUGE_COUNT, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    REFUSED(USAGE, "layers", deltarule_network_new(IN, layers, 0, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    REFUSED(USAGE, "inputs", deltarule_network_new(0, layers, 2, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    REFUSED(USAGE, "addressable", deltarule_network_new(HUGE_COUNT, layers, 2, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    REFUSED(USAGE, "dtype", deltarule_network_new(IN, layers, 2, 16, NULL, 1, &out.network));
    REFUSED(USAGE, "init", deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F32, "nothing", 1, &out.network));
    REFUSED(USAGE, "init", deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F32, "uniform=nan", 1, &out.network));
    REFUSED(USAGE, "UTF-8", deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F32, "\xff", 1, &out.network));
    wrong.activation = NULL;
    REFUSED(NULL, "layers[0].activation", deltarule_network_new(IN, &wrong, 1, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    wrong.activation = "sinus";
    REFUSED(USAGE, "layers[0].activation", deltarule_network_new(IN, &wrong, 1, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    wrong.activation = "elu=-1";
    REFUSED(USAGE, "layers[0].activation", deltarule_network_new(IN, &wrong, 1, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    wrong.activation = "tanh";
    wrong.norm = "group";
    REFUSED(USAGE, "layers[0].norm", deltarule_network_new(IN, &wrong, 1, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    wrong.norm = NULL;
    wrong.bias = 7;
    REFUSED(USAGE, "layers[0].bias", deltarule_network_new(IN, &wrong, 1, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    wrong.bias = 1;
    wrong.units = 0;
    REFUSED(USAGE, "units of layer 1", deltarule_network_new(IN, &wrong, 1, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    REFUSED(MEMORY, "bytes", deltarule_network_new((size_t)1 << 57, layers, 2, DELTARULE_TYPE_F32, NULL, 1, &out.network));

    REFUSED(NULL, "json", deltarule_network_from_json(NULL, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    REFUSED(NULL, "network", deltarule_network_from_json("{}", DELTARULE_TYPE_F32, NULL, 1, NULL));
    REFUSED(USAGE, "json", deltarule_network_from_json("{}", DELTARULE_TYPE_F32, NULL, 1, &out.network));
    REFUSED(USAGE, "json", deltarule_network_from_json("{\"inputs\":2", DELTARULE_TYPE_F32, NULL, 1, &out.network));
    REFUSED(USAGE, "json", deltarule_network_from_json("{\"inputs\":2,\"layers\":[]}", DELTARULE_TYPE_F32, NULL, 1, &out.network));

    BAD_HANDLES(deltarule_network, "network", deltarule_network_copy(h, DELTARULE_TYPE_F64, &out.network))
    REFUSED(NULL, "copy", deltarule_network_copy(single, DELTARULE_TYPE_F64, NULL));
    REFUSED(USAGE, "dtype", deltarule_network_copy(single, 0, &out.network));
    BAD_HANDLES(deltarule_network, "network", deltarule_network_free(h))

    BAD_HANDLES(deltarule_network, "network", deltarule_network_architecture(h, out.text, 256, &second.n[0]))
    REFUSED(USAGE, "capacity", deltarule_network_architecture(single, out.text, 3, &second.n[0]));
    REFUSED(USAGE, "capacity", deltarule_network_architecture(single, out.text, 0, &second.n[0]));
    REFUSED(NULL, "buffer", deltarule_network_architecture(single, NULL, 100, &second.n[0]));
    REFUSED(OVERLAP, "buffer", deltarule_network_architecture(single, out.text, 256, &out.n[1]));
    REFUSED(POINTER, "length", deltarule_network_architecture(single, out.text, 256, ASKEW(size_t)));
    REFUSED(USAGE, "buffer", deltarule_network_json(single, out.text, SIZE_MAX, &second.n[0]));
    REFUSED(USAGE, "capacity", deltarule_network_json(single, out.text, 10, &second.n[0]));
    BAD_HANDLES(deltarule_network, "network", deltarule_network_json(h, NULL, 0, &second.n[0]))
    REFUSED(USAGE, "index", deltarule_network_parameter_name(single, COUNT, out.text, 256, &second.n[0]));
    REFUSED(USAGE, "index", deltarule_network_parameter_name(single, SIZE_MAX, out.text, 256, &second.n[0]));
    BAD_HANDLES(deltarule_network, "network", deltarule_network_parameter_name(h, 0, out.text, 256, NULL))
}

static void reports(void) {
    deltarule_network_sizes sizes = {.size = sizeof sizes};
    deltarule_layer_place place = {.size = sizeof place};
    BAD_HANDLES(deltarule_network, "network", deltarule_network_describe(h, &sizes))
    BAD_HANDLES(deltarule_network, "network", deltarule_network_layer(h, 0, &place))
    REFUSED(NULL, "sizes", deltarule_network_describe(single, NULL));
    REFUSED(POINTER, "sizes", deltarule_network_describe(single, ASKEW(deltarule_network_sizes)));
    REFUSED(NULL, "place", deltarule_network_layer(single, 0, NULL));
    REFUSED(USAGE, "layer", deltarule_network_layer(single, 2, &place));
    sizes.size = 0;
    REFUSED(USAGE, "sizes.size", deltarule_network_describe(single, &sizes));
    sizes.size = SIZE_MAX;
    REFUSED(USAGE, "sizes.size", deltarule_network_describe(single, &sizes));
    /* An older header knew fewer members: what it does not have room for is not written. */
    deltarule_network_sizes older = {.size = 2 * sizeof(size_t), .outputs = 77};
    DONE(deltarule_network_describe(single, &older));
    if (older.inputs != IN || older.outputs != 77 || older.size != 2 * sizeof(size_t)) {
        fault(__LINE__, "deltarule_network_describe", "written beyond the caller's size");
    }
    REFUSED(NULL, "build", deltarule_build_info(NULL));
    REFUSED(POINTER, "build", deltarule_build_info(ASKEW(deltarule_build)));
    if (deltarule_abi_size(99) != 0 || deltarule_abi_size(-1) != 0 || strcmp(deltarule_status_name(99), "unknown") != 0 ||
        strcmp(deltarule_function_name(-1), "unknown") != 0) {
        fault(__LINE__, "deltarule_abi_size", "a number that means nothing");
    }
}

static void numbers(void) {
    BAD_HANDLES(deltarule_network, "network", deltarule_network_parameters_f32(h, out.f, COUNT))
    BAD_HANDLES(deltarule_network, "network", deltarule_network_parameters_f64(h, out.d, COUNT))
    BAD_HANDLES(deltarule_network, "network", deltarule_network_set_parameters_f32(h, parameters, COUNT))
    BAD_HANDLES(deltarule_network, "network", deltarule_network_set_tensor_f64(h, 0, DELTARULE_TENSOR_BIAS, at, 5))
    REFUSED(HANDLE, "expected one of f64", deltarule_network_parameters_f64(single, out.d, COUNT));
    REFUSED(HANDLE, "expected one of f32", deltarule_network_parameters_f32(doubled, out.f, COUNT));
    REFUSED(HANDLE, "expected one of f64", deltarule_network_set_parameters_f64(single, at, COUNT));
    REFUSED(NULL, "out", deltarule_network_parameters_f32(single, NULL, COUNT));
    REFUSED(USAGE, "count", deltarule_network_parameters_f32(single, out.f, COUNT - 1));
    REFUSED(USAGE, "count", deltarule_network_parameters_f32(single, out.f, 0));
    REFUSED(USAGE, "count", deltarule_network_parameters_f32(single, out.f, SIZE_MAX));
    REFUSED(POINTER, "out", deltarule_network_parameters_f32(single, ASKEW(float), COUNT));
    REFUSED(NULL, "from", deltarule_network_set_parameters_f32(single, NULL, COUNT));
    REFUSED(USAGE, "count", deltarule_network_set_parameters_f32(single, parameters, COUNT + 1));
    REFUSED(POINTER, "from", deltarule_network_set_parameters_f64(doubled, ASKEW(double), COUNT));
    REFUSED(NULL, "out", deltarule_network_state_f32(single, NULL, COUNT));
    REFUSED(USAGE, "count", deltarule_network_state_f32(single, out.f, COUNT + 2));
    REFUSED(NULL, "from", deltarule_network_set_state_f32(single, NULL, COUNT));
    REFUSED(USAGE, "count", deltarule_network_set_state_f32(single, parameters, 1));
    REFUSED(USAGE, "layer", deltarule_network_tensor_f32(single, 2, DELTARULE_TENSOR_WEIGHTS, out.f, 15));
    REFUSED(USAGE, "tensor", deltarule_network_tensor_f32(single, 0, 6, out.f, 15));
    REFUSED(USAGE, "tensor", deltarule_network_tensor_f32(single, 0, -1, out.f, 15));
    REFUSED(USAGE, "count", deltarule_network_tensor_f32(single, 0, DELTARULE_TENSOR_WEIGHTS, out.f, 14));
    REFUSED(USAGE, "count", deltarule_network_tensor_f32(single, 0, DELTARULE_TENSOR_MEAN, out.f, 5));
    REFUSED(NULL, "out", deltarule_network_tensor_f32(single, 0, DELTARULE_TENSOR_WEIGHTS, NULL, 15));
    REFUSED(NULL, "from", deltarule_network_set_tensor_f32(single, 0, DELTARULE_TENSOR_BIAS, NULL, 5));
    REFUSED(USAGE, "count", deltarule_network_set_tensor_f32(single, 1, DELTARULE_TENSOR_BIAS, parameters, 5));
}

static void predictions(void) {
    BAD_HANDLES(deltarule_network, "network", deltarule_predict_f32(h, ROWS, x, IN, IN, out.f, OUT, OUT))
    BAD_HANDLES(deltarule_network, "network", deltarule_predict_f64(h, ROWS, xd, IN, IN, out.d, OUT, OUT))
    REFUSED(HANDLE, "expected one of f64", deltarule_predict_f64(single, ROWS, xd, IN, IN, out.d, OUT, OUT));
    REFUSED(NULL, "x", deltarule_predict_f32(single, ROWS, NULL, IN, IN, out.f, OUT, OUT));
    REFUSED(NULL, "out", deltarule_predict_f32(single, ROWS, x, IN, IN, NULL, OUT, OUT));
    REFUSED(POINTER, "x", deltarule_predict_f32(single, ROWS, ASKEW(const float), IN, IN, out.f, OUT, OUT));
    REFUSED(POINTER, "out", deltarule_predict_f32(single, ROWS, x, IN, IN, ASKEW(float), OUT, OUT));
    REFUSED(USAGE, "columns of x", deltarule_predict_f32(single, ROWS, x, IN + 1, IN + 1, out.f, OUT, OUT));
    REFUSED(USAGE, "columns of x", deltarule_predict_f32(single, ROWS, x, 0, IN, out.f, OUT, OUT));
    REFUSED(USAGE, "columns of out", deltarule_predict_f32(single, ROWS, x, IN, IN, out.f, OUT + 1, OUT + 1));
    REFUSED(USAGE, "stride of x", deltarule_predict_f32(single, ROWS, x, IN, IN - 1, out.f, OUT, OUT));
    REFUSED(USAGE, "stride of x", deltarule_predict_f32(single, ROWS, x, IN, 0, out.f, OUT, OUT));
    REFUSED(USAGE, "stride of out", deltarule_predict_f32(single, ROWS, x, IN, IN, out.f, OUT, 1));
    REFUSED(USAGE, "x: expected what memory can hold", deltarule_predict_f32(single, SIZE_MAX, x, IN, IN, out.f, OUT, OUT));
    REFUSED(USAGE, "x: expected what memory can hold", deltarule_predict_f32(single, HUGE_COUNT / 4, x, IN, IN, out.f, OUT, OUT));
    REFUSED(USAGE, "x: expected what memory can hold", deltarule_predict_f32(single, 2, x, IN, SIZE_MAX - 1, out.f, OUT, OUT));
    REFUSED(USAGE, "out: expected what memory can hold", deltarule_predict_f32(single, 2, x, IN, IN, out.f, OUT, SIZE_MAX / 4));
    REFUSED(OVERLAP, "out", deltarule_predict_f32(single, ROWS, out.f, IN, IN, out.f, OUT, OUT));
    REFUSED(OVERLAP, "out", deltarule_predict_f32(single, ROWS, out.f, IN, IN, out.f + IN * ROWS - 1, OUT, OUT));
    REFUSED(OVERLAP, "out", deltarule_predict_f32(single, ROWS, out.f, IN, 8, out.f + IN, OUT, 8));

    BAD_HANDLES(deltarule_network, "network", deltarule_predictor_new(h, 1, alone, &out.predictor))
    REFUSED(NULL, "predictor", deltarule_predictor_new(single, 1, alone, NULL));
    REFUSED(USAGE, "rows", deltarule_predictor_new(single, 0, alone, &out.predictor));
    REFUSED(HANDLE, "threads", deltarule_predictor_new(single, 1, (deltarule_threads){single.id}, &out.predictor));
    of_another_kind(workspace.id);
    BAD_HANDLES(deltarule_predictor, "predictor", deltarule_predictor_predict_f32(h, ROWS, x, IN, IN, out.f, OUT, OUT))
    BAD_HANDLES(deltarule_predictor, "predictor", deltarule_predictor_free(h))
    REFUSED(HANDLE, "expected one of f64", deltarule_predictor_predict_f64(predictor, ROWS, xd, IN, IN, out.d, OUT, OUT));
    REFUSED(NULL, "x", deltarule_predictor_predict_f32(predictor, ROWS, NULL, IN, IN, out.f, OUT, OUT));
    REFUSED(NULL, "out", deltarule_predictor_predict_f32(predictor, ROWS, x, IN, IN, NULL, OUT, OUT));
    REFUSED(USAGE, "columns of x", deltarule_predictor_predict_f32(predictor, ROWS, x, 1, IN, out.f, OUT, OUT));
    REFUSED(USAGE, "stride of out", deltarule_predictor_predict_f32(predictor, ROWS, x, IN, IN, out.f, OUT, 0));
    REFUSED(OVERLAP, "out", deltarule_predictor_predict_f32(predictor, ROWS, out.f, IN, IN, out.f + 1, OUT, OUT));
    of_another_kind(model.id);
    /* More rows than memory could have are no fault: buffers are as large as what is asked of them. */
    deltarule_predictor roomy;
    float gaps[4 * ROWS], outputs[5 * ROWS];
    for (int i = 0; i < ROWS; i++) {
        memcpy(gaps + 4 * i, x + IN * i, IN * sizeof(float));
        outputs[5 * i + OUT] = 77;
    }
    DONE(deltarule_predictor_new(single, HUGE_COUNT, alone, &roomy));
    DONE(deltarule_predictor_predict_f32(roomy, ROWS, gaps, IN, 4, outputs, OUT, 5));
    float whole[ROWS * OUT];
    DONE(deltarule_predict_f32(single, ROWS, x, IN, IN, whole, OUT, OUT));
    for (int i = 0; i < ROWS; i++) {
        if (memcmp(outputs + 5 * i, whole + OUT * i, OUT * sizeof(float)) != 0 || (i + 1 < ROWS && outputs[5 * i + OUT] != 77)) {
            fault(__LINE__, "deltarule_predictor_predict_f32", "rows with gaps");
        }
    }
    DONE(deltarule_predictor_free(roomy));
    /* Nothing to do is no fault, wherever the pointers point. */
    DONE(deltarule_predict_f32(single, 0, NULL, IN, IN, NULL, OUT, OUT));
    DONE(deltarule_predictor_predict_f32(predictor, 0, NULL, IN, IN, NULL, OUT, OUT));
}

#define GRADIENT(network, workspace, p, np, b, loss, l1, l2, g, ng, v) \
    deltarule_value_and_gradient_f32(network, workspace, p, np, b, loss, l1, l2, g, ng, v)

static void gradients(void) {
    const char *loss = "softmax_cross_entropy";
    deltarule_batch_f32 b = batch();
    const deltarule_workspace none = {0};
    BAD_HANDLES(deltarule_network, "network", GRADIENT(h, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value))
    of_another_kind(predictor.id);
    BAD_HANDLES(deltarule_workspace, "workspace", GRADIENT(single, h, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value))
    BAD_HANDLES(deltarule_workspace, "workspace", deltarule_workspace_free(h))
    of_another_kind(model.id);
    REFUSED(HANDLE, "workspace", GRADIENT(single, none, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    REFUSED(HANDLE, "expected one of f32", GRADIENT(doubled, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    REFUSED(NULL, "batch", GRADIENT(single, workspace, NULL, 0, NULL, loss, 0, 0, out.f, COUNT, &second.value));
    REFUSED(NULL, "parameters", GRADIENT(single, workspace, NULL, COUNT, &b, loss, 0, 0, out.f, COUNT, &second.value));
    REFUSED(USAGE, "parameter_count", GRADIENT(single, workspace, parameters, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    REFUSED(USAGE, "parameter_count", GRADIENT(single, workspace, parameters, 7, &b, loss, 0, 0, out.f, COUNT, &second.value));
    REFUSED(NULL, "gradient", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, NULL, COUNT, &second.value));
    REFUSED(USAGE, "gradient_count", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT - 1, &second.value));
    REFUSED(USAGE, "gradient_count", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, 0, &second.value));
    REFUSED(NULL, "value", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, NULL));
    REFUSED(OVERLAP, "gradient", GRADIENT(single, workspace, out.f, COUNT, &b, loss, 0, 0, out.f, COUNT, &second.value));
    REFUSED(OVERLAP, "value", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &out.value));
    REFUSED(OVERLAP, "gradient", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, x, COUNT, &second.value));
    REFUSED(USAGE, "loss", GRADIENT(single, workspace, NULL, 0, &b, "no loss", 0, 0, out.f, COUNT, &second.value));
    REFUSED(USAGE, "loss", GRADIENT(single, workspace, NULL, 0, &b, "huber=nan", 0, 0, out.f, COUNT, &second.value));
    REFUSED(USAGE, "l1", GRADIENT(single, workspace, NULL, 0, &b, loss, NAN, 0, out.f, COUNT, &second.value));
    REFUSED(USAGE, "l2", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, -1, out.f, COUNT, &second.value));
    REFUSED(USAGE, "l2", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, INFINITY, out.f, COUNT, &second.value));
    REFUSED(USAGE, "x", GRADIENT(other, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT + 5, &second.value));
    b.rows = 0;
    REFUSED(USAGE, "rows", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    b = batch();
    b.x = NULL;
    REFUSED(NULL, "batch.x", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    b = batch();
    b.y = NULL;
    REFUSED(NULL, "batch.y", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    b = batch();
    b.inputs = 2;
    REFUSED(USAGE, "batch.inputs", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    b = batch();
    b.outputs = 3;
    REFUSED(USAGE, "batch.outputs", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    b = batch();
    b.x_stride = 1;
    REFUSED(USAGE, "stride of batch.x", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    b = batch();
    b.y_stride = 0;
    REFUSED(USAGE, "stride of batch.y", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    b = batch();
    b.rows = HUGE_COUNT;
    REFUSED(USAGE, "batch.x", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    b = batch();
    b.weights = ASKEW(const float);
    REFUSED(POINTER, "batch.weights", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    b = batch();
    w[1] = -1;
    REFUSED(USAGE, "weight of row 2", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    w[1] = NAN;
    REFUSED(USAGE, "weight of row 2", GRADIENT(single, workspace, NULL, 0, &b, loss, 0, 0, out.f, COUNT, &second.value));
    w[1] = 1;

    BAD_HANDLES(deltarule_network, "network", deltarule_workspace_new(h, ROWS, alone, &out.workspace))
    REFUSED(NULL, "workspace", deltarule_workspace_new(single, ROWS, alone, NULL));
    REFUSED(USAGE, "rows", deltarule_workspace_new(single, 0, alone, &out.workspace));
    REFUSED(HANDLE, "threads", deltarule_workspace_new(single, 1, (deltarule_threads){workspace.id}, &out.workspace));

    REFUSED(NULL, "x", deltarule_backward_f32(single, workspace, NULL, 0, ROWS, NULL, IN, IN, y, OUT, OUT, out.f, COUNT, NULL));
#define BACKWARD(x, inputs, y, outputs, g, count, below) \
    deltarule_backward_f32(single, workspace, NULL, 0, ROWS, x, inputs, IN, y, outputs, OUT, g, count, below)
    REFUSED(NULL, "output_gradient", BACKWARD(x, IN, NULL, OUT, out.f, COUNT, NULL));
    REFUSED(NULL, "gradient", deltarule_backward_f32(single, workspace, NULL, 0, ROWS, x, IN, IN, y, OUT, OUT, NULL, COUNT, NULL));
    REFUSED(USAGE, "gradient_count", deltarule_backward_f32(single, workspace, NULL, 0, ROWS, x, IN, IN, y, OUT, OUT, out.f, 1, NULL));
    REFUSED(USAGE, "columns of x", deltarule_backward_f32(single, workspace, NULL, 0, ROWS, x, 1, IN, y, OUT, OUT, out.f, COUNT, NULL));
    REFUSED(USAGE, "columns of output_gradient", BACKWARD(x, IN, y, 1, out.f, COUNT, NULL));
    REFUSED(OVERLAP, "input_gradient", BACKWARD(x, IN, y, OUT, out.f, COUNT, out.f));
}

static int32_t never(const deltarule_epoch *epoch, void *user) {
    (void)epoch;
    *(int *)user += 1;
    return 0;
}

/* Frees its own network while it is trained. */
static int32_t frees(const deltarule_epoch *epoch, void *user) {
    deltarule_network *network = user;
    if (epoch->number == 1) {
        DONE(deltarule_network_free(*network));
    }
    return epoch->number == 3;
}

#define TRAIN(network, t, h, o) deltarule_train_f32(network, t, h, o, NULL)

static void trainings(void) {
    deltarule_train_options o, *options = &o;
    deltarule_batch_f32 b = batch(), held = batch();
    deltarule_history history = {.size = sizeof history};
    REFUSED(NULL, "options", deltarule_train_options_init(NULL, sizeof o));
    REFUSED(USAGE, "options.size", deltarule_train_options_init(&o, 0));
    REFUSED(USAGE, "options.size", deltarule_train_options_init(&o, SIZE_MAX));
    REFUSED(POINTER, "options", deltarule_train_options_init(ASKEW(deltarule_train_options), sizeof o));
    DONE(deltarule_train_options_init(&o, sizeof o));
    BAD_HANDLES(deltarule_network, "network", deltarule_train_f32(h, &b, NULL, options, &history))
    BAD_HANDLES(deltarule_network, "network", deltarule_train_f64(h, NULL, NULL, options, &history))
    REFUSED(HANDLE, "expected one of f32", TRAIN(doubled, &b, NULL, options));
    REFUSED(NULL, "training", TRAIN(single, NULL, NULL, options));
    REFUSED(POINTER, "training", TRAIN(single, ASKEW(deltarule_batch_f32), NULL, options));
    REFUSED(POINTER, "options", TRAIN(single, &b, NULL, ASKEW(deltarule_train_options)));
    b.x = NULL;
    REFUSED(NULL, "training.x", TRAIN(single, &b, NULL, options));
    b = batch();
    b.inputs = 1;
    REFUSED(USAGE, "training.inputs", TRAIN(single, &b, NULL, options));
    b = batch();
    b.y_stride = 1;
    REFUSED(USAGE, "stride of training.y", TRAIN(single, &b, NULL, options));
    b = batch();
    b.rows = SIZE_MAX;
    REFUSED(USAGE, "training.x", TRAIN(single, &b, NULL, options));
    b = batch();
    b.rows = 0;
    REFUSED(USAGE, "rows", TRAIN(single, &b, NULL, options));
    b = batch();
    x[0] = NAN;
    REFUSED(USAGE, "x", TRAIN(single, &b, NULL, options));
    x[0] = 0;
    held.outputs = 9;
    REFUSED(USAGE, "held_back.outputs", TRAIN(single, &b, &held, options));
    held = batch();
    held.y = NULL;
    REFUSED(NULL, "held_back.y", TRAIN(single, &b, &held, options));
    held = batch();
    o.validation_share = 0.5;
    REFUSED(USAGE, "validation_share", TRAIN(single, &b, &held, options));
    /* One setting after the other, with numbers that it may not have. */
#define SETTING(member, number, named)                          \
    DONE(deltarule_train_options_init(&o, sizeof o));           \
    o.member = number;                                          \
    REFUSED(USAGE, named, TRAIN(single, &b, NULL, options))
    SETTING(learning_rate, NAN, "learning_rate");
    SETTING(learning_rate, -1, "learning_rate");
    SETTING(learning_rate, INFINITY, "learning_rate");
    SETTING(l1, NAN, "l1");
    SETTING(l2, -1, "l2");
    SETTING(epochs, 0, "epochs");
    SETTING(batch, 0, "batch");
    SETTING(shuffle, 2, "shuffle");
    SETTING(validation_share, NAN, "validation_share");
    SETTING(validation_share, 1, "fraction");
    SETTING(tolerance, NAN, "tolerance");
    SETTING(target_loss, INFINITY, "target loss");
    SETTING(time_limit, NAN, "time_limit");
    SETTING(time_limit, 1e300, "time_limit");
    SETTING(clip_norm, NAN, "clip_norm");
    SETTING(max_norm, -1, "max_norm");
    SETTING(dropout, NAN, "dropout");
    SETTING(dropout, 1, "dropout");
    SETTING(input_dropout, NAN, "input");
    SETTING(input_noise, -1, "input");
    SETTING(average_decay, 2, "average");
    SETTING(loss, "no loss", "loss");
    SETTING(loss, "\xff", "loss");
    SETTING(solver, "newton", "solver");
    SETTING(solver, "adam:beta1", "solver");
    SETTING(solver, "adam:beta9=1", "beta9");
    SETTING(solver, "lbfgs:momentum=1", "solver");
    SETTING(schedule, "later", "schedule");
    SETTING(gemm, "no such library", "gemm");
    SETTING(solver, "perceptron", "");
    SETTING(size, 3, "options.size");
    SETTING(size, sizeof(void *) + 4, "options.size");
    DONE(deltarule_train_options_init(&o, sizeof o));
    o.threads.id = single.id;
    REFUSED(HANDLE, "threads", TRAIN(single, &b, NULL, options));
    /* A newer header with a member that this library does not know. */
    struct {
        deltarule_train_options o;
        size_t unknown;
    } newer;
    DONE(deltarule_train_options_init(&newer.o, sizeof newer));
    newer.unknown = 1;
    REFUSED(USAGE, "options.size", TRAIN(single, &b, NULL, &newer.o));
    newer.unknown = 0;
    newer.o.epochs = 1;
    DONE(TRAIN(single, &b, NULL, &newer.o));
    history.size = 1;
    REFUSED(USAGE, "history.size", deltarule_train_f32(single, &b, NULL, NULL, &history));
    history.size = sizeof history;
    REFUSED(USAGE, "target", deltarule_train_f32(single, &(deltarule_batch_f32){ROWS, x, IN, IN, x, OUT, OUT, NULL}, NULL,
                                                 &(deltarule_train_options){.size = 2 * sizeof(void *), .loss = "hinge"}, NULL));
    /* A network that is freed in the middle of its training. */
    deltarule_network doomed;
    DONE(deltarule_network_copy(single, DELTARULE_TYPE_F32, &doomed));
    DONE(deltarule_train_options_init(&o, sizeof o));
    o.on_epoch = frees;
    o.user = &doomed;
    DONE(deltarule_train_f32(doomed, &b, NULL, &o, &history));
    if (history.epochs != 3 || history.stopped != DELTARULE_STOPPED_CALLBACK) {
        fault(__LINE__, "deltarule_train_f32", "the callback did not end the training");
    }
    REFUSED(HANDLE, "freed", deltarule_network_free(doomed));
    /* One that runs away; its network keeps the parameters of the last good epoch. */
    const deltarule_layer linear = {OUT, "identity", NULL, 1};
    deltarule_network runaway;
    float kept[(IN + 1) * OUT];
    int epochs = 0;
    DONE(deltarule_network_new(IN, &linear, 1, DELTARULE_TYPE_F32, NULL, 1, &runaway));
    DONE(deltarule_train_options_init(&o, sizeof o));
    o.solver = "sgd";
    o.learning_rate = 1e10;
    o.on_epoch = never;
    o.user = &epochs;
    REFUSED(DIVERGED, "diverged", TRAIN(runaway, &b, NULL, options));
    DONE(deltarule_network_parameters_f32(runaway, kept, (IN + 1) * OUT));
    for (int i = 0; i < (IN + 1) * OUT; i++) {
        if (!isfinite(kept[i])) {
            fault(__LINE__, "deltarule_train_f32", "a parameter of a good epoch is not finite");
        }
    }
    DONE(deltarule_network_free(runaway));
}

static void models(void) {
    uint8_t byte = 0;
    const char *cells[ROWS * IN];
    for (int i = 0; i < ROWS * IN; i++) {
        cells[i] = "0.5";
    }
    deltarule_model_facts facts = {.size = sizeof facts};
    REFUSED(NULL, "path", deltarule_model_open(NULL, &out.model));
    REFUSED(NULL, "model", deltarule_model_open("a", NULL));
    REFUSED(IO, "no such file", deltarule_model_open("no such file", &out.model));
    REFUSED(IO, "", deltarule_model_open("", &out.model));
    REFUSED(USAGE, "UTF-8", deltarule_model_open("\xff\xfe", &out.model));
    REFUSED(NULL, "bytes", deltarule_model_read(NULL, 5, &out.model));
    REFUSED(MODEL, "bytes", deltarule_model_read(NULL, 0, &out.model));
    REFUSED(MODEL, "bytes", deltarule_model_read(&byte, 1, &out.model));
    REFUSED(USAGE, "bytes", deltarule_model_read(&byte, SIZE_MAX, &out.model));
    REFUSED(NULL, "model", deltarule_model_read(&byte, 1, NULL));
    BAD_HANDLES(deltarule_network, "network", deltarule_model_of_network(h, NULL, &out.model))
    REFUSED(NULL, "model", deltarule_model_of_network(single, NULL, NULL));
    REFUSED(USAGE, "loss", deltarule_model_of_network(single, "none", &out.model));
    REFUSED(NULL, "path", deltarule_network_save(single, NULL, NULL, 1));
    REFUSED(IO, "no such folder", deltarule_network_save(single, NULL, "no such folder/model", 1));
    REFUSED(USAGE, "replace", deltarule_network_save(single, NULL, "model", 2));
    REFUSED(USAGE, "loss", deltarule_network_save(single, "none", "model", 1));
    BAD_HANDLES(deltarule_network, "network", deltarule_network_save(h, NULL, "model", 1))
    of_another_kind(single.id);
    BAD_HANDLES(deltarule_model, "model", deltarule_model_free(h))
    BAD_HANDLES(deltarule_model, "model", deltarule_model_save(h, "model", 1))
    BAD_HANDLES(deltarule_model, "model", deltarule_model_describe(h, &facts))
    BAD_HANDLES(deltarule_model, "model", deltarule_model_network(h, &out.network))
    BAD_HANDLES(deltarule_model, "model", deltarule_model_predict_f32(h, ROWS, x, IN, IN, out.f, OUT, OUT))
    BAD_HANDLES(deltarule_model, "model", deltarule_model_classify_f64(h, ROWS, xd, IN, IN, out.n))
    BAD_HANDLES(deltarule_model, "model", deltarule_model_predict_text(h, ROWS, cells, IN, out.d, OUT, OUT))
    BAD_HANDLES(deltarule_model, "model", deltarule_model_sha256(h, out.text, 65, NULL))
    REFUSED(NULL, "path", deltarule_model_save(model, NULL, 1));
    REFUSED(USAGE, "replace", deltarule_model_save(model, "model", -1));
    REFUSED(NULL, "facts", deltarule_model_describe(model, NULL));
    facts.size = 4;
    REFUSED(USAGE, "facts.size", deltarule_model_describe(model, &facts));
    REFUSED(USAGE, "capacity", deltarule_model_sha256(model, out.text, 64, NULL));
    REFUSED(USAGE, "index", deltarule_model_column_name(model, IN, out.text, 256, NULL));
    REFUSED(USAGE, "index", deltarule_model_value_name(model, OUT, out.text, 256, NULL));
    REFUSED(NULL, "network", deltarule_model_network(model, NULL));
    REFUSED(NULL, "x", deltarule_model_predict_f32(model, ROWS, NULL, IN, IN, out.f, OUT, OUT));
    REFUSED(NULL, "out", deltarule_model_predict_f32(model, ROWS, x, IN, IN, NULL, OUT, OUT));
    REFUSED(USAGE, "columns of x", deltarule_model_predict_f32(model, ROWS, x, 1, IN, out.f, OUT, OUT));
    REFUSED(USAGE, "columns of out", deltarule_model_predict_f32(model, ROWS, x, IN, IN, out.f, 1, OUT));
    REFUSED(USAGE, "stride of x", deltarule_model_predict_f32(model, ROWS, x, IN, 2, out.f, OUT, OUT));
    REFUSED(OVERLAP, "out", deltarule_model_predict_f32(model, ROWS, out.f, IN, IN, out.f, OUT, OUT));
    xd[4] = NAN;
    REFUSED(DATA, "row 2", deltarule_model_predict_f64(model, ROWS, xd, IN, IN, out.d, OUT, OUT));
    xd[4] = INFINITY;
    REFUSED(DATA, "row 2", deltarule_model_classify_f64(model, ROWS, xd, IN, IN, out.n));
    xd[4] = 0.4;
    REFUSED(NULL, "classes", deltarule_model_classify_f32(model, ROWS, x, IN, IN, NULL));
    REFUSED(POINTER, "classes", deltarule_model_classify_f32(model, ROWS, x, IN, IN, ASKEW(size_t)));
    REFUSED(NULL, "cells", deltarule_model_predict_text(model, ROWS, NULL, IN, out.d, OUT, OUT));
    REFUSED(USAGE, "columns of cells", deltarule_model_predict_text(model, ROWS, cells, 1, out.d, OUT, OUT));
    cells[5] = NULL;
    REFUSED(NULL, "cells[1][2]", deltarule_model_predict_text(model, ROWS, cells, IN, out.d, OUT, OUT));
    cells[5] = "a word";
    REFUSED(DATA, "a word", deltarule_model_predict_text(model, ROWS, cells, IN, out.d, OUT, OUT));
    cells[5] = "";
    REFUSED(DATA, "missing", deltarule_model_predict_text(model, ROWS, cells, IN, out.d, OUT, OUT));
}

static void kernels(void) {
    double constant;
    REFUSED(USAGE, "function", deltarule_map_f32(17, 0, 4, x, out.f));
    REFUSED(USAGE, "function", deltarule_map_f32(-1, 0, 4, x, out.f));
    REFUSED(USAGE, "constant", deltarule_map_f32(DELTARULE_FUNCTION_ELU, NAN, 4, x, out.f));
    REFUSED(USAGE, "constant", deltarule_map_f32(DELTARULE_FUNCTION_LEAKY_RELU, -1, 4, x, out.f));
    REFUSED(USAGE, "constant", deltarule_map_f32(DELTARULE_FUNCTION_TANH, 1, 4, x, out.f));
    REFUSED(NULL, "x", deltarule_map_f32(DELTARULE_FUNCTION_EXP, 0, 4, NULL, out.f));
    REFUSED(NULL, "y", deltarule_map_f32(DELTARULE_FUNCTION_EXP, 0, 4, x, NULL));
    REFUSED(NULL, "y", deltarule_map_f32(DELTARULE_FUNCTION_EXP, 0, 4, NULL, NULL));
    REFUSED(POINTER, "x", deltarule_map_f64(DELTARULE_FUNCTION_EXP, 0, 4, ASKEW(const double), out.d));
    REFUSED(POINTER, "y", deltarule_map_f64(DELTARULE_FUNCTION_EXP, 0, 4, xd, ASKEW(double)));
    REFUSED(OVERLAP, "y", deltarule_map_f32(DELTARULE_FUNCTION_EXP, 0, 4, out.f, out.f + 1));
    REFUSED(OVERLAP, "y", deltarule_map_f32(DELTARULE_FUNCTION_IDENTITY, 0, 4, out.f + 3, out.f));
    REFUSED(USAGE, "x", deltarule_map_f32(DELTARULE_FUNCTION_EXP, 0, SIZE_MAX, x, out.f));
    REFUSED(USAGE, "x", deltarule_map_f64(DELTARULE_FUNCTION_EXP, 0, HUGE_COUNT, xd, out.d));
    REFUSED(NULL, "slope", deltarule_map_with_slope_f32(DELTARULE_FUNCTION_TANH, 0, 4, x, out.f, NULL));
    REFUSED(OVERLAP, "slope", deltarule_map_with_slope_f32(DELTARULE_FUNCTION_TANH, 0, 4, x, out.f, out.f));
    REFUSED(OVERLAP, "slope", deltarule_map_with_slope_f32(DELTARULE_FUNCTION_TANH, 0, 4, out.f, out.f, out.f + 2));
    REFUSED(USAGE, "function", deltarule_map_with_slope_f64(99, 0, 4, xd, out.d, second.d));
    REFUSED(NULL, "name", deltarule_function_parse(NULL, &out.number, &constant));
    REFUSED(NULL, "function", deltarule_function_parse("tanh", NULL, &constant));
    REFUSED(NULL, "constant", deltarule_function_parse("tanh", &out.number, NULL));
    REFUSED(USAGE, "name", deltarule_function_parse("softmax", &out.number, &constant));
    REFUSED(USAGE, "name", deltarule_function_parse("leaky_relu=nan", &out.number, &constant));
    REFUSED(USAGE, "function", deltarule_map_rows_f32(2, ROWS, IN, x, IN, out.f, IN));
    REFUSED(USAGE, "cols", deltarule_map_rows_f32(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, 0, x, IN, out.f, IN));
    REFUSED(NULL, "x", deltarule_map_rows_f32(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, IN, NULL, IN, out.f, IN));
    REFUSED(NULL, "y", deltarule_map_rows_f32(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, IN, x, IN, NULL, IN));
    REFUSED(USAGE, "stride of x", deltarule_map_rows_f32(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, IN, x, 1, out.f, IN));
    REFUSED(USAGE, "stride of y", deltarule_map_rows_f32(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, IN, x, IN, out.f, 1));
    REFUSED(OVERLAP, "y", deltarule_map_rows_f32(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, IN, out.f, IN, out.f, IN + 1));
    REFUSED(USAGE, "x", deltarule_map_rows_f32(DELTARULE_ROW_FUNCTION_SOFTMAX, SIZE_MAX, IN, x, IN, out.f, IN));
    REFUSED(USAGE, "cols", deltarule_map_rows_backward_f32(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, 0, x, IN, out.f, IN));
    REFUSED(NULL, "y", deltarule_map_rows_backward_f32(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, IN, NULL, IN, out.f, IN));
    REFUSED(NULL, "delta", deltarule_map_rows_backward_f32(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, IN, x, IN, NULL, IN));
    REFUSED(OVERLAP, "delta", deltarule_map_rows_backward_f64(DELTARULE_ROW_FUNCTION_SOFTMAX, ROWS, IN, out.d, IN, out.d, IN));
    REFUSED(USAGE, "reduction", deltarule_reduce_rows_f32(2, ROWS, IN, x, IN, out.f));
    REFUSED(USAGE, "cols", deltarule_reduce_rows_f32(DELTARULE_ROW_REDUCTION_MAX, ROWS, 0, x, IN, out.f));
    REFUSED(NULL, "x", deltarule_reduce_rows_f32(DELTARULE_ROW_REDUCTION_MAX, ROWS, IN, NULL, IN, out.f));
    REFUSED(NULL, "results", deltarule_reduce_rows_f64(DELTARULE_ROW_REDUCTION_MAX, ROWS, IN, xd, IN, NULL));
    REFUSED(USAGE, "stride of x", deltarule_reduce_rows_f64(DELTARULE_ROW_REDUCTION_MAX, ROWS, IN, xd, 0, out.d));
    DONE(deltarule_map_f32(DELTARULE_FUNCTION_EXP, 0, 0, NULL, NULL));
    DONE(deltarule_map_rows_f32(DELTARULE_ROW_FUNCTION_SOFTMAX, 0, IN, NULL, IN, NULL, IN));
}

#define GEMM(order, ta, tb, m, n, k, a, lda, b, ldb, c, ldc) \
    deltarule_gemm_f32(order, ta, tb, m, n, k, 1.0f, a, lda, b, ldb, 0.0f, c, ldc, alone)
enum { ROWS_FIRST = DELTARULE_ORDER_ROW_MAJOR, AS_IS = DELTARULE_TRANSPOSE_NO };

static void products(void) {
    REFUSED(USAGE, "order", GEMM(0, AS_IS, AS_IS, 2, 2, 2, x, 2, y, 2, out.f, 2));
    REFUSED(USAGE, "trans_a", GEMM(ROWS_FIRST, 0, AS_IS, 2, 2, 2, x, 2, y, 2, out.f, 2));
    REFUSED(USAGE, "trans_b", GEMM(ROWS_FIRST, AS_IS, 113, 2, 2, 2, x, 2, y, 2, out.f, 2));
    REFUSED(NULL, "a", GEMM(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, NULL, 2, y, 2, out.f, 2));
    REFUSED(NULL, "b", GEMM(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, x, 2, NULL, 2, out.f, 2));
    REFUSED(NULL, "c", GEMM(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, x, 2, y, 2, NULL, 2));
    REFUSED(USAGE, "stride of a", GEMM(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 3, x, 2, y, 2, out.f, 2));
    REFUSED(USAGE, "stride of a", GEMM(ROWS_FIRST, DELTARULE_TRANSPOSE_YES, AS_IS, 3, 2, 2, x, 2, y, 2, out.f, 2));
    REFUSED(USAGE, "stride of b", GEMM(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, x, 2, y, 1, out.f, 2));
    REFUSED(USAGE, "stride of c", GEMM(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, x, 2, y, 2, out.f, 1));
    REFUSED(USAGE, "stride of c", GEMM(DELTARULE_ORDER_COL_MAJOR, AS_IS, AS_IS, 3, 2, 2, x, 3, y, 2, out.f, 2));
    REFUSED(USAGE, "a", GEMM(ROWS_FIRST, AS_IS, AS_IS, SIZE_MAX, 2, 2, x, 2, y, 2, out.f, 2));
    REFUSED(USAGE, "a", GEMM(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, x, SIZE_MAX, y, 2, out.f, 2));
    REFUSED(USAGE, "c", GEMM(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, x, 2, y, 2, out.f, HUGE_COUNT));
    REFUSED(OVERLAP, "c", GEMM(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, out.f, 2, y, 2, out.f, 2));
    REFUSED(OVERLAP, "c", GEMM(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, x, 2, out.f + 3, 2, out.f, 2));
    REFUSED(POINTER, "a", GEMM(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, ASKEW(const float), 2, y, 2, out.f, 2));
    REFUSED(POINTER, "c", GEMM(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, x, 2, y, 2, ASKEW(float), 2));
    REFUSED(HANDLE, "threads", deltarule_gemm_f64(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, 1, xd, 2, xd, 2, 0, out.d, 2,
                                                  (deltarule_threads){model.id}));
    DONE(GEMM(ROWS_FIRST, AS_IS, AS_IS, 0, 2, 2, NULL, 2, NULL, 2, NULL, 2));
    float c[4] = {NAN, NAN, NAN, NAN};
    DONE(deltarule_gemm_f32(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 0, 1.0f, NULL, 2, NULL, 2, 0.0f, c, 2, alone));
    DONE(deltarule_gemm_f32(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, 0.0f, NULL, 2, NULL, 2, 1.0f, c, 2, alone));
    if (c[0] != 0 || c[3] != 0) {
        fault(__LINE__, "deltarule_gemm_f32", "beta of 0 reads C");
    }
}

#define CHECK(f, n, at, g, o, r) deltarule_gradcheck(f, NULL, n, at, g, o, r, NULL, 0, NULL)

static void checks(void) {
    deltarule_gradcheck_options o;
    deltarule_gradcheck_report report = {.size = sizeof report};
    REFUSED(NULL, "options", deltarule_gradcheck_options_init(NULL, sizeof o));
    REFUSED(USAGE, "options.size", deltarule_gradcheck_options_init(&o, 1));
    REFUSED(NULL, "function", CHECK(NULL, COUNT, at, gradient, NULL, &report));
    REFUSED(USAGE, "n: ", CHECK(square, 0, at, gradient, NULL, &report));
    REFUSED(NULL, "at", CHECK(square, COUNT, NULL, gradient, NULL, &report));
    REFUSED(NULL, "gradient", CHECK(square, COUNT, at, NULL, NULL, &report));
    REFUSED(POINTER, "at", CHECK(square, COUNT, ASKEW(const double), gradient, NULL, &report));
    REFUSED(USAGE, "at", CHECK(square, SIZE_MAX, at, gradient, NULL, &report));
    REFUSED(NULL, "buffer", deltarule_gradcheck(square, NULL, COUNT, at, gradient, NULL, NULL, NULL, 10, NULL));
    REFUSED(OVERLAP, "buffer", deltarule_gradcheck(square, NULL, COUNT, at, out.d, NULL, NULL, out.text, 10, NULL));
    report.size = 3;
    REFUSED(USAGE, "report.size", CHECK(square, COUNT, at, gradient, NULL, &report));
    report.size = sizeof report;
#define CHECK_SETTING(member, number)                               \
    DONE(deltarule_gradcheck_options_init(&o, sizeof o));           \
    o.member = number;                                              \
    REFUSED(USAGE, #member, CHECK(square, COUNT, at, gradient, &o, &report))
    CHECK_SETTING(tolerance, NAN);
    CHECK_SETTING(tolerance, 0);
    CHECK_SETTING(tolerance, 1);
    CHECK_SETTING(negligible, NAN);
    CHECK_SETTING(negligible, -1);
    CHECK_SETTING(absolute, INFINITY);
    CHECK_SETTING(size, SIZE_MAX);
    o.size = sizeof o;
    o.sample = 2;
    o.directions = 2;
    REFUSED(USAGE, "directions", CHECK(square, COUNT, at, gradient, &o, &report));
    gradient[3] = NAN;
    REFUSED(CHECK, "", CHECK(square, COUNT, at, gradient, NULL, &report));
    gradient[3] = 1;
    REFUSED(CHECK, "4", CHECK(square, COUNT, at, gradient, NULL, &report));
    if (report.worst_index != 3 || report.verdict != DELTARULE_VERDICT_WRONG) {
        fault(__LINE__, "deltarule_gradcheck", "the wrong entry is not named");
    }
    gradient[3] = 2 * at[3];
    char words[20];
    size_t length = 0;
    DONE(deltarule_gradcheck(square, NULL, COUNT, at, gradient, NULL, &report, words, sizeof words, &length));
    if (strlen(words) != 19 || length < 20) {
        fault(__LINE__, "deltarule_gradcheck", "a text cut short");
    }
}

static void pools(void) {
    size_t count = 0;
    REFUSED(NULL, "threads", deltarule_threads_new(1, NULL));
    REFUSED(USAGE, "threads", deltarule_threads_new(100000, &out.threads));
    REFUSED(USAGE, "threads", deltarule_threads_new(SIZE_MAX, &out.threads));
    BAD_HANDLES(deltarule_threads, "threads", deltarule_threads_free(h))
    for (int i = 1; i < BAD; i++) {
        REFUSED(HANDLE, "threads", deltarule_threads_count((deltarule_threads){bad[i]}, &out.n[0]));
    }
    REFUSED(NULL, "count", deltarule_threads_count(pool, NULL));
    DONE(deltarule_threads_count(pool, &count));
    if (count != 2) {
        fault(__LINE__, "deltarule_threads_count", "not two");
    }
}

/* Threads that read a network while it is written, and while it is freed: what each sees is whole, or an error. */
typedef struct reader {
    deltarule_network network;
    float old[OUT], new[OUT];
    int torn;
} reader;

static void *reads(void *of) {
    reader *r = of;
    float outputs[OUT];
    for (int i = 0; i < 300; i++) {
        deltarule_status status = deltarule_predict_f32(r->network, 1, x + IN, IN, IN, outputs, OUT, OUT);
        if (status == DELTARULE_STATUS_HANDLE) {
            break;
        }
        int is_old = memcmp(outputs, r->old, sizeof outputs) == 0, is_new = memcmp(outputs, r->new, sizeof outputs) == 0;
        r->torn += status != DELTARULE_STATUS_OK || !(is_old || is_new);
    }
    /* Errors belong to the thread: this one's are not the other's. */
    deltarule_network none = {0};
    r->torn += deltarule_network_free(none) != DELTARULE_STATUS_HANDLE || strstr(deltarule_last_error(), "all zero") == NULL;
    return NULL;
}

static void *frees_elsewhere(void *of) {
    DONE(deltarule_network_free(*(deltarule_network *)of));
    return NULL;
}

static void together(void) {
    deltarule_network shared;
    float first[COUNT], last[COUNT];
    reader r = {.torn = 0};
    DONE(deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F32, NULL, 5, &shared));
    DONE(deltarule_network_parameters_f32(shared, first, COUNT));
    DONE(deltarule_predict_f32(shared, 1, x + IN, IN, IN, r.old, OUT, OUT));
    for (int i = 0; i < COUNT; i++) {
        last[i] = 0.5f * first[i];
    }
    DONE(deltarule_network_set_parameters_f32(shared, last, COUNT));
    DONE(deltarule_predict_f32(shared, 1, x + IN, IN, IN, r.new, OUT, OUT));
    r.network = shared;
    reader others[3] = {r, r, r};
    pthread_t threads[3], freer;
    for (int i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, reads, &others[i]);
    }
    for (int i = 0; i < 100; i++) {
        DONE(deltarule_network_set_parameters_f32(shared, i % 2 ? first : last, COUNT));
    }
    pthread_create(&freer, NULL, frees_elsewhere, &shared);
    pthread_join(freer, NULL);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        if (others[i].torn > 0) {
            fault(__LINE__, "deltarule_predict_f32", "a thread saw what was never whole");
        }
    }
    REFUSED(HANDLE, "freed", deltarule_predict_f32(shared, 1, x, IN, IN, out.f, OUT, OUT));
    REFUSED(HANDLE, "freed", deltarule_network_free(shared));
}

#ifdef FAILPOINTS
int32_t deltarule_failpoint(int32_t armed);

/* Every function panics inside: a status and a sentence, nothing written, and the library goes on. */
#define PANICS(call) REFUSED(PANIC, "a fault of this library: the failpoint", call)

static void panics(void) {
    deltarule_batch_f32 b = batch();
    deltarule_batch_f64 bd = {0, NULL, IN, IN, NULL, OUT, OUT, NULL};
    deltarule_value v;
    deltarule_network n = single;
    deltarule_workspace ws = workspace;
    deltarule_predictor p = predictor;
    deltarule_model md = model;
    deltarule_failpoint(1);
    PANICS(deltarule_build_info(NULL));
    PANICS(deltarule_threads_new(1, &out.threads));
    PANICS(deltarule_threads_free(pool));
    PANICS(deltarule_threads_count(pool, &out.n[0]));
    PANICS(deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F32, NULL, 1, &out.network));
    PANICS(deltarule_network_from_json("{}", 32, NULL, 1, &out.network));
    PANICS(deltarule_network_copy(n, 32, &out.network));
    PANICS(deltarule_network_free(n));
    PANICS(deltarule_network_describe(n, NULL));
    PANICS(deltarule_network_layer(n, 0, NULL));
    PANICS(deltarule_network_architecture(n, out.text, 99, NULL));
    PANICS(deltarule_network_json(n, out.text, 99, NULL));
    PANICS(deltarule_network_parameter_name(n, 0, out.text, 99, NULL));
    PANICS(deltarule_network_parameters_f32(n, out.f, COUNT));
    PANICS(deltarule_network_parameters_f64(doubled, out.d, COUNT));
    PANICS(deltarule_network_set_parameters_f32(n, parameters, COUNT));
    PANICS(deltarule_network_set_parameters_f64(doubled, at, COUNT));
    PANICS(deltarule_network_state_f32(n, out.f, COUNT));
    PANICS(deltarule_network_state_f64(doubled, out.d, COUNT));
    PANICS(deltarule_network_set_state_f32(n, parameters, COUNT));
    PANICS(deltarule_network_set_state_f64(doubled, at, COUNT));
    PANICS(deltarule_network_tensor_f32(n, 0, 0, out.f, 15));
    PANICS(deltarule_network_tensor_f64(doubled, 0, 0, out.d, 15));
    PANICS(deltarule_network_set_tensor_f32(n, 0, 0, parameters, 15));
    PANICS(deltarule_network_set_tensor_f64(doubled, 0, 0, at, 15));
    PANICS(deltarule_network_save(n, NULL, "model", 1));
    PANICS(deltarule_predict_f32(n, ROWS, x, IN, IN, out.f, OUT, OUT));
    PANICS(deltarule_predict_f64(doubled, ROWS, xd, IN, IN, out.d, OUT, OUT));
    PANICS(deltarule_predictor_new(n, 1, alone, &out.predictor));
    PANICS(deltarule_predictor_free(p));
    PANICS(deltarule_predictor_predict_f32(p, ROWS, x, IN, IN, out.f, OUT, OUT));
    PANICS(deltarule_predictor_predict_f64(p, ROWS, xd, IN, IN, out.d, OUT, OUT));
    PANICS(deltarule_workspace_new(n, 1, alone, &out.workspace));
    PANICS(deltarule_workspace_free(ws));
    PANICS(deltarule_value_and_gradient_f32(n, ws, NULL, 0, &b, NULL, 0, 0, out.f, COUNT, &v));
    PANICS(deltarule_value_and_gradient_f64(n, ws, NULL, 0, &bd, NULL, 0, 0, out.d, COUNT, &v));
    PANICS(deltarule_backward_f32(n, ws, NULL, 0, ROWS, x, IN, IN, y, OUT, OUT, out.f, COUNT, NULL));
    PANICS(deltarule_backward_f64(n, ws, NULL, 0, ROWS, xd, IN, IN, xd, OUT, OUT, out.d, COUNT, NULL));
    PANICS(deltarule_train_options_init(NULL, 0));
    PANICS(deltarule_train_f32(n, &b, NULL, NULL, NULL));
    PANICS(deltarule_train_f64(doubled, &bd, NULL, NULL, NULL));
    PANICS(deltarule_model_open("model", &out.model));
    PANICS(deltarule_model_read(NULL, 0, &out.model));
    PANICS(deltarule_model_of_network(n, NULL, &out.model));
    PANICS(deltarule_model_free(md));
    PANICS(deltarule_model_save(md, "model", 1));
    PANICS(deltarule_model_describe(md, NULL));
    PANICS(deltarule_model_column_name(md, 0, out.text, 99, NULL));
    PANICS(deltarule_model_value_name(md, 0, out.text, 99, NULL));
    PANICS(deltarule_model_sha256(md, out.text, 99, NULL));
    PANICS(deltarule_model_network(md, &out.network));
    PANICS(deltarule_model_predict_f32(md, ROWS, x, IN, IN, out.f, OUT, OUT));
    PANICS(deltarule_model_predict_f64(md, ROWS, xd, IN, IN, out.d, OUT, OUT));
    PANICS(deltarule_model_classify_f32(md, ROWS, x, IN, IN, out.n));
    PANICS(deltarule_model_classify_f64(md, ROWS, xd, IN, IN, out.n));
    PANICS(deltarule_model_predict_text(md, 0, NULL, IN, out.d, OUT, OUT));
    PANICS(deltarule_function_parse("tanh", &out.number, &second.d[0]));
    PANICS(deltarule_map_f32(DELTARULE_FUNCTION_TANH, 0, 4, x, out.f));
    PANICS(deltarule_map_f64(DELTARULE_FUNCTION_TANH, 0, 4, xd, out.d));
    PANICS(deltarule_map_with_slope_f32(DELTARULE_FUNCTION_TANH, 0, 4, x, out.f, second.f));
    PANICS(deltarule_map_with_slope_f64(DELTARULE_FUNCTION_TANH, 0, 4, xd, out.d, second.d));
    PANICS(deltarule_map_rows_f32(0, ROWS, IN, x, IN, out.f, IN));
    PANICS(deltarule_map_rows_f64(0, ROWS, IN, xd, IN, out.d, IN));
    PANICS(deltarule_map_rows_backward_f32(0, ROWS, IN, x, IN, out.f, IN));
    PANICS(deltarule_map_rows_backward_f64(0, ROWS, IN, xd, IN, out.d, IN));
    PANICS(deltarule_reduce_rows_f32(0, ROWS, IN, x, IN, out.f));
    PANICS(deltarule_reduce_rows_f64(0, ROWS, IN, xd, IN, out.d));
    PANICS(deltarule_gemm_f32(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, 1, x, 2, y, 2, 0, out.f, 2, alone));
    PANICS(deltarule_gemm_f64(ROWS_FIRST, AS_IS, AS_IS, 2, 2, 2, 1, xd, 2, xd, 2, 0, out.d, 2, alone));
    PANICS(deltarule_gradcheck_options_init(NULL, 0));
    PANICS(deltarule_gradcheck(square, NULL, COUNT, at, gradient, NULL, NULL, NULL, 0, NULL));
    deltarule_failpoint(0);
    float outputs[ROWS * OUT];
    DONE(deltarule_predict_f32(n, ROWS, x, IN, IN, outputs, OUT, OUT));
}
#endif

int main(void) {
    if (deltarule_last_error()[0] != 0) {
        fault(__LINE__, "deltarule_last_error", "words before there is anything to say");
    }
    set_up();
    of_another_kind(model.id);
    networks();
    reports();
    numbers();
    predictions();
    gradients();
    trainings();
    models();
    kernels();
    products();
    checks();
    pools();
    together();
    int before = calls;
#ifdef FAILPOINTS
    panics();
#endif
    DONE(deltarule_network_free(single));
    DONE(deltarule_network_free(doubled));
    DONE(deltarule_network_free(other));
    DONE(deltarule_workspace_free(workspace));
    DONE(deltarule_predictor_free(predictor));
    DONE(deltarule_model_free(model));
    DONE(deltarule_threads_free(pool));
    REFUSED(HANDLE, "freed", deltarule_threads_free(pool));
    REFUSED(HANDLE, "freed", deltarule_model_free(model));
    deltarule_build build = {.size = sizeof build};
    DONE(deltarule_build_info(&build));
    if (build.objects != 0) {
        fault(__LINE__, "deltarule_build_info", "an object that nobody freed");
    }
    printf("%d misuse calls refused, and %d panics inside; %d faults (%s)\n", before + 2, calls - before - 2, faults, build.isa);
    return faults == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
