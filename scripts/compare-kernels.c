/* MKL's and SLEEF's side of `scripts/compare kernels`: their vector functions, timed on request without an interpreter.
 *
 *     compare-kernels [MKL]      MKL: its library libmkl_rt; SLEEF is linked where its header was found
 *
 * It reads one request a line from stdin and answers each with one line on stdout, as benches/peer.rs does:
 *
 *     about                             the versions
 *     load f32|f64 FILE                 takes the numbers of FILE as the input: ok
 *     write SIDE FUNCTION FILE          writes what the side computes: ok, or none if it has no such function
 *     time SIDE FUNCTION REPETITIONS    the nanoseconds that so many calls took, after one that is not counted
 *
 * SIDE is mkl-ha, mkl-la, sleef-avx512 or sleef-avx2. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__) && __has_include(<sleef.h>)
#include <immintrin.h>
/* The header declares only what the compiler's target has. */
#pragma GCC push_options
#pragma GCC target("avx512f,avx2,fma")
#include <sleef.h>
#pragma GCC pop_options
#define SLEEF 1
#else
#define SLEEF 0
#endif

/* ------------------------------------------------------------------------------------------------ MKL */

/* vmsExp and its like; the mode is 1 for LA (low accuracy), 2 for HA (high accuracy). */
typedef void vector_math(int length, const void *x, void *y, int64_t mode);

static void *mkl;

static vector_math *mkl_function(const char *function, int is_double) {
    static const struct {
        const char *name, *mkl_name;
    } names[] = {{"exp", "Exp"}, {"expm1", "Expm1"}, {"ln", "Ln"}, {"ln1p", "Log1p"}, {"tanh", "Tanh"}};
    char symbol[32];
    for (size_t i = 0; mkl && i < sizeof names / sizeof *names; i++)
        if (!strcmp(function, names[i].name)) {
            snprintf(symbol, sizeof symbol, "vm%c%s", is_double ? 'd' : 's', names[i].mkl_name);
            return (vector_math *)dlsym(mkl, symbol);
        }
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- SLEEF */

/* A loop over whole vectors. */
typedef void loop(const void *x, void *y, size_t length);

struct sleef_loop {
    const char *side, *function;
    int is_double;
    size_t width;
    loop *run;
};

#if SLEEF
#define LOOP(NAME, ISA, T, WIDTH, LOAD, STORE, CALL)                                                                   \
    __attribute__((target(ISA))) static void NAME(const void *from, void *to, size_t length) {                        \
        const T *x = from;                                                                                             \
        T *y = to;                                                                                                     \
        for (size_t i = 0; i < length; i += WIDTH) STORE(y + i, CALL(LOAD(x + i)));                                    \
    }
/* The variants with a bound of 1.0 ulp, of one function at both levels and for both types. */
#define LOOPS(F)                                                                                                       \
    LOOP(F##_512_single, "avx512f", float, 16, _mm512_loadu_ps, _mm512_storeu_ps, Sleef_##F##f16_u10avx512f)           \
    LOOP(F##_512_double, "avx512f", double, 8, _mm512_loadu_pd, _mm512_storeu_pd, Sleef_##F##d8_u10avx512f)            \
    LOOP(F##_256_single, "avx2,fma", float, 8, _mm256_loadu_ps, _mm256_storeu_ps, Sleef_##F##f8_u10avx2)               \
    LOOP(F##_256_double, "avx2,fma", double, 4, _mm256_loadu_pd, _mm256_storeu_pd, Sleef_##F##d4_u10avx2)
#define ROWS(NAME, F)                                                                                                  \
    {"sleef-avx512", NAME, 0, 16, F##_512_single}, {"sleef-avx512", NAME, 1, 8, F##_512_double},                       \
        {"sleef-avx2", NAME, 0, 8, F##_256_single}, {"sleef-avx2", NAME, 1, 4, F##_256_double}
LOOPS(exp)
LOOPS(expm1)
LOOPS(log)
LOOPS(log1p)
LOOPS(tanh)
static const struct sleef_loop sleef_loops[] = {ROWS("exp", exp), ROWS("expm1", expm1), ROWS("ln", log),
                                                ROWS("ln1p", log1p), ROWS("tanh", tanh)};

static int machine_has(const char *side) {
    return strcmp(side, "sleef-avx512") ? __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                                        : __builtin_cpu_supports("avx512f");
}

static loop *sleef_function(const char *side, const char *function, int is_double, size_t length) {
    for (size_t i = 0; i < sizeof sleef_loops / sizeof *sleef_loops; i++) {
        const struct sleef_loop *entry = &sleef_loops[i];
        if (!strcmp(entry->side, side) && !strcmp(entry->function, function) && entry->is_double == is_double)
            return machine_has(side) && length % entry->width == 0 ? entry->run : NULL;
    }
    return NULL;
}
#else
static loop *sleef_function(const char *side, const char *function, int is_double, size_t length) {
    (void)side, (void)function, (void)is_double, (void)length;
    return NULL;
}
#endif

/* ------------------------------------------------------------------------------------------- requests */

/* Input and output as benches/peer.rs lays them out: from the start of a page, and a third of a page further. */
enum { PAGE = 4096, SHIFT = 1344 };
static char *x, *y;
static size_t bytes;
static int is_double;

static const char *load(const char *type, const char *file) {
    FILE *stream = fopen(file, "rb");
    if (!stream) return "error: the file cannot be opened";
    fseek(stream, 0, SEEK_END);
    long size = ftell(stream);
    rewind(stream);
    is_double = !strcmp(type, "f64");
    bytes = size > 0 ? (size_t)size / (is_double ? 8 : 4) * (is_double ? 8 : 4) : 0;
    size_t stride = (bytes + PAGE - 1) / PAGE * PAGE;
    free(x);
    x = aligned_alloc(PAGE, 2 * stride + PAGE);
    int complete = x && bytes > 0 && bytes == (size_t)size && fread(x, 1, bytes, stream) == bytes;
    fclose(stream);
    if (!complete) {
        free(x);
        x = NULL;
        return "error: the file holds no whole numbers";
    }
    y = x + stride + SHIFT;
    memset(y, 0, bytes);
    return "ok";
}

struct job {
    vector_math *mkl;
    int64_t mode;
    loop *sleef;
};

static void run(struct job job) {
    size_t length = bytes / (is_double ? 8 : 4);
    if (job.mkl)
        job.mkl((int)length, x, y, job.mode);
    else
        job.sleef(x, y, length);
}

static void report(const char *verb, const char *side, const char *function, const char *last) {
    struct job job = {NULL, 0, NULL};
    if (!x) {
        puts("error: no input was loaded");
        return;
    }
    if (!strcmp(side, "mkl-ha") || !strcmp(side, "mkl-la")) {
        job.mkl = mkl_function(function, is_double);
        job.mode = strcmp(side, "mkl-ha") ? 1 : 2;
    } else {
        job.sleef = sleef_function(side, function, is_double, bytes / (is_double ? 8 : 4));
    }
    if (!job.mkl && !job.sleef) {
        puts("none");
        return;
    }
    run(job);
    if (!strcmp(verb, "write")) {
        FILE *stream = fopen(last, "wb");
        int complete = stream && fwrite(y, 1, bytes, stream) == bytes;
        if (stream && fclose(stream)) complete = 0;
        puts(complete ? "ok" : "error: the file cannot be written");
        return;
    }
    struct timespec begun, ended;
    long repetitions = strtol(last, NULL, 10);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (long i = 0; i < repetitions; i++) run(job);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%lld\n", (ended.tv_sec - begun.tv_sec) * 1000000000LL + (ended.tv_nsec - begun.tv_nsec));
}

/* Finds the library with MKL's vector functions for this processor, which tells the instructions that they use. */
static int find_level(struct dl_phdr_info *info, size_t size, void *level) {
    const char *prefix = "libmkl_vml_", *name = strstr(info->dlpi_name, prefix);
    (void)size;
    return name && sscanf(name + strlen(prefix), "%31[a-z0-9]", (char *)level) == 1;
}

static void about(void) {
    vector_math *first = mkl_function("exp", 0);
    void (*version)(char *, int) = mkl ? (void (*)(char *, int))dlsym(mkl, "MKL_Get_Version_String") : NULL;
    if (first && version) {
        char text[256] = "", number[32] = "of unknown version", level[32] = "an unknown level", *found;
        float one[1] = {1};
        first(1, one, one, 1);
        version(text, sizeof text - 1);
        if ((found = strstr(text, "Version "))) sscanf(found, "Version %31[0-9.]", number);
        dl_iterate_phdr(find_level, level);
        printf("MKL %s at %s; ", number, level);
    } else {
        printf("no MKL; ");
    }
#if SLEEF
    printf("SLEEF %d.%d.%d\n", SLEEF_VERSION_MAJOR, SLEEF_VERSION_MINOR, SLEEF_VERSION_PATCHLEVEL);
#else
    puts("no SLEEF");
#endif
}

int main(int count, char **arguments) {
    char request[8192], verb[16], first[64], second[4096], last[4096];
    if (count > 1 && !(mkl = dlopen(arguments[1], RTLD_LAZY | RTLD_GLOBAL)))
        fprintf(stderr, "compare: skipped MKL, %s\n", dlerror());
    while (fgets(request, sizeof request, stdin)) {
        int words = sscanf(request, "%15s %63s %4095s %4095s", verb, first, second, last);
        if (words == 1 && !strcmp(verb, "about"))
            about();
        else if (words == 3 && !strcmp(verb, "load"))
            puts(load(first, second));
        else if (words == 4 && (!strcmp(verb, "write") || !strcmp(verb, "time")))
            report(verb, first, second, last);
        else
            puts("error: expected about, load, write or time with their words");
        fflush(stdout);
    }
    return 0;
}
