/* Learns exclusive or by a gradient descent of its own, checks the gradient that it follows, and multiplies two matrices.

       cc xor.c $(pkg-config --cflags --libs deltarule) -lm -o xor && ./xor

   Everything is held against what it must be; the program fails where it is not. */
#include <deltarule.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void require(deltarule_status status) {
    if (status != DELTARULE_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", deltarule_status_name(status), deltarule_last_error());
        exit(EXIT_FAILURE);
    }
}

static void expect(int condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "not as it must be: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

/* What the descent looks at: a network, the buffers of its passes, and the four rows. */
typedef struct problem {
    deltarule_network network;
    deltarule_workspace workspace;
    deltarule_batch_f64 rows;
    size_t parameters;
} problem;

/* The loss at any parameters, and its gradient unless that is null. */
static double loss(const problem *p, const double *parameters, double *gradient) {
    deltarule_value value;
    require(deltarule_value_and_gradient_f64(p->network, p->workspace, parameters, p->parameters, &p->rows, "logistic_cross_entropy",
                                             0.0, 0.0, gradient, gradient ? p->parameters : 0, &value));
    return value.loss;
}

/* The same as the gradient check asks for it. */
static double value_at(const double *x, size_t n, void *user) {
    (void)n;
    return loss(user, x, NULL);
}

/* Descends with momentum until the loss is small; returns the steps that it took. */
static int descend(const problem *p, double *parameters) {
    double *gradient = calloc(2 * p->parameters, sizeof *gradient);
    double *velocity = gradient + p->parameters;
    int step = 0;
    expect(gradient != NULL, "memory");
    while (loss(p, parameters, gradient) > 0.01 && step < 5000) {
        for (size_t i = 0; i < p->parameters; i++) {
            velocity[i] = 0.9 * velocity[i] - 0.5 * gradient[i];
            parameters[i] += velocity[i];
        }
        step++;
    }
    free(gradient);
    return step;
}

int main(void) {
    static const double x[] = {0, 0, 0, 1, 1, 0, 1, 1}, y[] = {0, 1, 1, 0};
    const deltarule_layer layers[] = {{8, "tanh", NULL, 1}, {1, "sigmoid", NULL, 1}};
    const deltarule_threads alone = {0};
    problem p = {.rows = {.rows = 4, .x = x, .inputs = 2, .x_stride = 2, .y = y, .outputs = 1, .y_stride = 1, .weights = NULL}};

    expect(deltarule_abi_version() == DELTARULE_ABI_VERSION, "the library's binary interface");
    require(deltarule_network_new(2, layers, 2, DELTARULE_TYPE_F64, NULL, 1, &p.network));
    require(deltarule_workspace_new(p.network, 4, alone, &p.workspace));
    deltarule_network_sizes sizes = {.size = sizeof sizes};
    require(deltarule_network_describe(p.network, &sizes));
    p.parameters = sizes.parameters;
    expect(p.parameters == 2 * 8 + 8 + 8 * 1 + 1, "the number of parameters");

    /* The parameters are ours until they are good enough for the network. */
    double parameters[33], outputs[4];
    require(deltarule_network_parameters_f64(p.network, parameters, p.parameters));
    double before = loss(&p, parameters, NULL);
    int steps = descend(&p, parameters);
    double after = loss(&p, parameters, NULL);
    require(deltarule_network_set_parameters_f64(p.network, parameters, p.parameters));
    require(deltarule_predict_f64(p.network, 4, x, 2, 2, outputs, 1, 1));
    printf("loss %.4f -> %.4f in %d steps; outputs %.3f %.3f %.3f %.3f\n", before, after, steps, outputs[0], outputs[1], outputs[2],
           outputs[3]);
    expect(after <= 0.01, "the loss after the descent");
    for (int i = 0; i < 4; i++) {
        expect(fabs(outputs[i] - y[i]) < 0.05, "an output");
    }

    /* Was that the gradient? And would a wrong one have been found? */
    double gradient[33];
    deltarule_gradcheck_report report = {.size = sizeof report};
    loss(&p, parameters, gradient);
    require(deltarule_gradcheck(value_at, &p, p.parameters, parameters, gradient, NULL, &report, NULL, 0, NULL));
    printf("gradient: %zu of %zu entries verified, largest error %.1e\n", report.verified, report.checked, report.worst_error);
    expect(report.verdict == DELTARULE_VERDICT_VERIFIED && report.verified == p.parameters, "the gradient check");
    gradient[20] += 1e-3;
    deltarule_status status =
        deltarule_gradcheck(value_at, &p, p.parameters, parameters, gradient, NULL, &report, NULL, 0, NULL);
    expect(status == DELTARULE_STATUS_CHECK && report.verdict == DELTARULE_VERDICT_WRONG && report.worst_index == 20,
           "a wrong gradient is found");

    /* C <- 2 A B + C, and a row of tanh. */
    const float a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8};
    float c[] = {1, 1, 1, 1};
    require(deltarule_gemm_f32(DELTARULE_ORDER_ROW_MAJOR, DELTARULE_TRANSPOSE_NO, DELTARULE_TRANSPOSE_NO, 2, 2, 2, 2.0f, a, 2, b, 2,
                               1.0f, c, 2, alone));
    expect(c[0] == 39 && c[1] == 45 && c[2] == 87 && c[3] == 101, "the product");
    float t[] = {-2, -0.5f, 0.25f, 3};
    const float t_of[] = {-2, -0.5f, 0.25f, 3};
    require(deltarule_map_f32(DELTARULE_FUNCTION_TANH, 0, 4, t, t));
    for (int i = 0; i < 4; i++) {
        expect(fabs(t[i] - tanh(t_of[i])) < 2e-7, "a hyperbolic tangent");
    }

    require(deltarule_workspace_free(p.workspace));
    require(deltarule_network_free(p.network));
    puts("all as it must be");
    return EXIT_SUCCESS;
}
