/* A small CBLAS that claims to be OpenBLAS: right as it stands, and wrong in one way for each macro that is defined.
 * tests/blas/mod.rs compiles it. */
#include <math.h>
#include <stdlib.h>

#define JOIN(a, b, c) a##b##c
#define NAMED(a, b, c) JOIN(a, b, c)
#ifndef PREFIX
#define PREFIX
#endif
#ifndef SUFFIX
#define SUFFIX
#endif
#define NAME(name) NAMED(PREFIX, name, SUFFIX)
#ifndef INTEGER
#define INTEGER int
#endif
#ifndef SUM
#define SUM double
#endif

static const char *core = "Prescott";
static int threads = 8;

/* As OpenBLAS does: once, when it is loaded. */
__attribute__((constructor)) static void choose_core(void)
{
    const char *chosen = getenv("OPENBLAS_CORETYPE");
#ifdef ONE_CORE
    chosen = 0;
#endif
    if (chosen && *chosen)
        core = chosen;
}

#ifndef NO_OPENBLAS
const char *NAME(openblas_get_config)(void)
{
#ifdef USE64BITINT
    return "OpenBLAS 9.8.7 NO_LAPACKE USE64BITINT DYNAMIC_ARCH Specimen MAX_THREADS=8";
#elif defined(USE_OPENMP)
    return "OpenBLAS 9.8.7 NO_LAPACKE DYNAMIC_ARCH USE_OPENMP Specimen MAX_THREADS=8";
#else
    return "OpenBLAS 9.8.7 NO_LAPACKE DYNAMIC_ARCH Specimen MAX_THREADS=8";
#endif
}

const char *NAME(openblas_get_corename)(void) { return core; }
void NAME(openblas_set_num_threads)(int count) { threads = count; }
int NAME(openblas_get_num_threads)(void) { return threads; }
#endif

#ifndef NO_CBLAS
#ifndef NO_DOT
float NAME(cblas_sdot)(INTEGER n, const float *x, INTEGER x_step, const float *y, INTEGER y_step)
{
    float sum = 0;
    for (INTEGER i = 0; i < n; i++)
        sum += x[i * x_step] * y[i * y_step];
    return sum;
}
#endif

#define GEMM(name, T, S)                                                                                              \
    void name(int order, int a_transpose, int b_transpose, INTEGER m, INTEGER n, INTEGER k, T alpha, const T *a,      \
              INTEGER a_apart, const T *b, INTEGER b_apart, T beta, T *c, INTEGER c_apart)                            \
    {                                                                                                                 \
        if (order != 101)                                                                                             \
            abort();                                                                                                  \
        for (INTEGER i = 0; i < m; i++)                                                                               \
            for (INTEGER j = 0; j < n; j++) {                                                                         \
                S sum = 0;                                                                                            \
                for (INTEGER p = 0; p < k; p++)                                                                       \
                    sum += (S)(a_transpose == 112 ? a[p * a_apart + i] : a[i * a_apart + p]) *                        \
                           (S)(b_transpose == 112 ? b[j * b_apart + p] : b[p * b_apart + j]);                         \
                T *at = &c[i * c_apart + j];                                                                          \
                T before = beta == 0 && !READS_C ? 0 : beta * *at;                                                    \
                if (k > 0 || !LEAVES_C)                                                                               \
                    *at = (T)(alpha * sum + before);                                                                  \
                if (WRONG)                                                                                            \
                    *at += (T)0.25;                                                                                   \
                if (WRITES_BEHIND && j == n - 1 && c_apart > n && i == m - 1)                                         \
                    at[1] = 0;                                                                                        \
            }                                                                                                         \
    }

/* Whether beta = 0 reads C; whether nothing is done where the sums have no terms; which elements are wrong; whether the element
 * behind C is written. */
#ifndef READS_C
#define READS_C 0
#endif
#ifndef LEAVES_C
#define LEAVES_C 0
#endif
#ifndef WRONG
#define WRONG 0
#endif
#ifndef WRITES_BEHIND
#define WRITES_BEHIND 0
#endif

GEMM(NAME(cblas_sgemm), float, SUM)
GEMM(NAME(cblas_dgemm), double, SUM)
#endif
