/* That a step allocates nothing, and what a call costs: prints nanoseconds, and fails where memory was asked for.

   Every request for memory of the process is counted, those of the library and of its threads included (glibc). */
#define _POSIX_C_SOURCE 200809L
#include <deltarule.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static size_t requests;

static void count(void) { __atomic_add_fetch(&requests, 1, __ATOMIC_RELAXED); }

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    count();
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **to, size_t alignment, size_t size) {
    count();
    *to = __libc_memalign(alignment, size);
    return *to == NULL;
}

static int faults;

static void require(deltarule_status status) {
    if (status != DELTARULE_STATUS_OK) {
        fprintf(stderr, "%s\n", deltarule_last_error());
        exit(EXIT_FAILURE);
    }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* The least time of a call in several rounds, after a first that may prepare. */
#define STEP(name, times, call)                                                          \
    do {                                                                                 \
        require(call);                                                                   \
        size_t before = __atomic_load_n(&requests, __ATOMIC_RELAXED);                    \
        double least = 1e30;                                                             \
        for (int round = 0; round < 10; round++) {                                       \
            double begun = now();                                                        \
            for (int i = 0; i < (times); i++) {                                          \
                require(call);                                                           \
            }                                                                            \
            double each = (now() - begun) / (times);                                     \
            least = each < least ? each : least;                                         \
        }                                                                                \
        size_t asked = __atomic_load_n(&requests, __ATOMIC_RELAXED) - before;            \
        printf("%-58s %10.0f ns, %zu requests for memory\n", name, least, asked);        \
        faults += asked > 0;                                                             \
    } while (0)

enum { ROWS = 64, IN = 20, UNITS = 32, OUT = 3 };

int main(void) {
    static float x[ROWS * IN], y[ROWS * OUT], out[ROWS * OUT], parameters[IN * UNITS + UNITS + UNITS * OUT + OUT];
    static float gradient[sizeof parameters / sizeof *parameters], a[64 * 64], b[64 * 64], c[64 * 64];
    const size_t n = sizeof parameters / sizeof *parameters;
    for (int i = 0; i < ROWS * IN; i++) {
        x[i] = (float)(i % 17) / 17;
    }
    for (int i = 0; i < ROWS; i++) {
        y[i * OUT + i % OUT] = 1;
    }
    const deltarule_layer layers[] = {{UNITS, "tanh", NULL, 1}, {OUT, "softmax", NULL, 1}};
    const deltarule_threads alone = {0};
    deltarule_threads two;
    deltarule_network network;
    deltarule_predictor predictor;
    deltarule_workspace workspace, shared;
    const deltarule_batch_f32 batch = {ROWS, x, IN, IN, y, OUT, OUT, NULL};
    const char *loss = "softmax_cross_entropy";
    deltarule_value value;
    size_t threads;
    require(deltarule_threads_new(2, &two));
    require(deltarule_network_new(IN, layers, 2, DELTARULE_TYPE_F32, NULL, 1, &network));
    require(deltarule_network_parameters_f32(network, parameters, n));
    require(deltarule_predictor_new(network, ROWS, alone, &predictor));
    require(deltarule_workspace_new(network, ROWS, alone, &workspace));
    require(deltarule_workspace_new(network, ROWS, two, &shared));

    STEP("a call that does nothing", 100000, deltarule_map_f32(DELTARULE_FUNCTION_TANH, 0, 0, NULL, NULL));
    STEP("a call with a handle", 100000, deltarule_threads_count(two, &threads));
    STEP("tanh of 64 numbers", 100000, deltarule_map_f32(DELTARULE_FUNCTION_TANH, 0, 64, x, c));
    STEP("GEMM of 8 x 8 x 8", 100000,
         deltarule_gemm_f32(DELTARULE_ORDER_ROW_MAJOR, DELTARULE_TRANSPOSE_NO, DELTARULE_TRANSPOSE_NO, 8, 8, 8, 1, a, 8, b, 8, 0, c, 8,
                            alone));
    STEP("a prediction of 1 row, 20-32-3", 10000, deltarule_predictor_predict_f32(predictor, 1, x, IN, IN, out, OUT, OUT));
    STEP("predictions of 64 rows", 1000, deltarule_predictor_predict_f32(predictor, ROWS, x, IN, IN, out, OUT, OUT));
    STEP("value and gradient of 64 rows", 1000,
         deltarule_value_and_gradient_f32(network, workspace, parameters, n, &batch, loss, 0, 1e-4, gradient, n, &value));
    STEP("value and gradient of 64 rows, pool of two threads", 1000,
         deltarule_value_and_gradient_f32(network, shared, NULL, 0, &batch, loss, 0, 1e-4, gradient, n, &value));
    STEP("setting all parameters", 10000, deltarule_network_set_parameters_f32(network, parameters, n));

    require(deltarule_workspace_free(shared));
    require(deltarule_workspace_free(workspace));
    require(deltarule_predictor_free(predictor));
    require(deltarule_network_free(network));
    require(deltarule_threads_free(two));
    puts(faults == 0 ? "no step asks for memory" : "a step asks for memory");
    return faults == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
