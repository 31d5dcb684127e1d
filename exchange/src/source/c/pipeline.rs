//! Templates of the C file: declarations, the way from raw inputs to answers, and the self-test.

/// Where the declarations begin.
pub const GUARD: &str = "
#ifndef @@_DECLARED
#define @@_DECLARED

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern \"C\" {
#endif

";

/// What a prediction can end with, and its functions.
pub const STATUSES: &str = "
/* What a prediction can end with; `out` is written for @@_OK alone. */
enum {
    @@_OK = 0,
    @@_UNSEEN = -1,       /* the code of a category is none of those that are known */
    @@_MISSING = -2,      /* a value is NaN, and nothing is known to fill in */
    @@_OUT_OF_RANGE = -3  /* an input is infinite or out of its range, or so far away that the answer is no number */
};

/* The prediction for one row. Keeps @@_WORKSPACE numbers on the stack. */
int @_predict(const REAL *in, REAL *out);
/* The same, with the caller's memory in place of the stack. */
int @_predict_with(const REAL *in, REAL *out, REAL *workspace);
";

/// For inputs with categories.
pub const CODE_DECLARED: &str = "/* The code of a text (of so many bytes) in an input column (from 0), or -1: what stands in `in` for a category. */
int @_code(size_t column, const char *text, size_t length);
";

/// For the columns of a table.
pub const INPUT_NAMES_DECLARED: &str = "/* The names of the input columns. */
extern const char *const @_input_names[@@_INPUTS];
";

/// For classes.
pub const CLASS_DECLARED: &str = "/* The most probable class of a prediction. */
size_t @_class(const REAL *out);
/* The names of the classes. */
extern const char *const @_class_names[@@_OUTPUTS];
";

/// For labels.
pub const LABELS_DECLARED: &str = "/* Whether a prediction says that the row has a label (from 0). */
int @_label(const REAL *out, size_t label);
/* The names of the labels, and for each those of its two classes: without it, and with it. */
extern const char *const @_label_names[@@_OUTPUTS];
extern const char *const @_class_names[@@_OUTPUTS][2];
";

/// For numbers.
pub const OUTPUT_NAMES_DECLARED: &str = "/* The names of the predicted numbers. */
extern const char *const @_output_names[@@_OUTPUTS];
";

/// What every file declares, and where declarations end.
pub const TEST_DECLARED: &str = "/* 0 if all is as it was when this file was written; -1 if its parameters are others; else the number of the first row, from 1, whose
   answer differs from the library's by more than is said above. Rows behind the last are those that must be refused. */
int @_self_test(void);
/* Whether the answers have exactly the bits that they had when this file was written: they have unless a compiler fuses or reorders. */
int @_same_bits(void);

#ifdef __cplusplus
}
#endif

#endif
";

/// Where the definitions begin.
pub const BODY: &str = "
#ifndef @@_HEADER

#ifdef DELTARULE_LIBM
#include <math.h>
#endif
#ifdef __FAST_MATH__
#error \"compile this file without -ffast-math: it tells NaN from numbers, and its functions live on how sums are rounded\"
#endif
/* No product is fused with a sum where it is not said, whatever the options; vectors of additions beside subtractions are made of such. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize (\"fp-contract=off\", \"no-tree-slp-vectorize\")
#endif

";

/// Where they end.
pub const END: &str = "
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

#endif
";

/// From pixels to inputs.
pub const PIXELS: &str = "static int @_encode(const REAL *in, REAL *x) {
    size_t i;
    for (i = 0; i < @@_INPUTS; i++) {
        if (in[i] != in[i]) {
            return @@_MISSING;
        }
        if (!(in[i] >= 0 && in[i] <= 255)) {
            return @@_OUT_OF_RANGE;
        }
        x[i] = (REAL)((double)in[i] / 255.0);
    }
    return @@_OK;
}

";

/// From columns to inputs.
pub const COLUMNS: &str = "static int @_encode(const REAL *in, REAL *x) {
    size_t i;
    for (i = 0; i < @@_INPUTS; i++) {
        double value = (double)in[i];
        if (value != value) {
            if (!@_columns[i].fills) {
                return @@_MISSING;
            }
            value = @_columns[i].fill;
        }
        if (@_columns[i].levels == 0) {
            const double mean = @_columns[i].mean, scale = @_columns[i].scale;
            const double difference = value - mean;
            *x = (REAL)(difference - difference == 0.0 ? difference / scale : value / scale - mean / scale);
            if (!(*x - *x == 0)) {
                return @@_OUT_OF_RANGE;
            }
            x += 1;
        } else {
            const size_t levels = @_columns[i].levels;
            size_t level;
            int seen = 0;
            for (level = 0; level < levels; level++) {
                const int is_it = value == (double)level;
                x[level] = is_it ? (REAL)1 : (REAL)0;
                seen |= is_it;
            }
            if (!seen) {
                return @@_UNSEEN;
            }
            x += levels;
        }
    }
    return @@_OK;
}

";

/// From texts to codes.
pub const CODE: &str = "int @_code(size_t column, const char *text, size_t length) {
    size_t at = 0, i, k;
    if (column >= @@_INPUTS) {
        return -1;
    }
    for (i = 0; i < column; i++) {
        at += @_columns[i].levels;
    }
    for (i = 0; i < @_columns[column].levels; i++) {
        for (k = 0; k < length && k < @_levels[at + i].length && text[k] == @_levels[at + i].text[k]; k++) {
        }
        if (k == length && k == @_levels[at + i].length) {
            return (int)i;
        }
    }
    return -1;
}

";

/// The most probable class.
pub const CLASS: &str = "size_t @_class(const REAL *out) {
    size_t best = 0, i;
    for (i = 1; i < @@_OUTPUTS; i++) {
        best = out[i] > out[best] ? i : best;
    }
    return best;
}

";

/// Whether a row has a label.
pub const LABEL: &str = "int @_label(const REAL *out, size_t label) {
    return label < @@_OUTPUTS && (double)out[label] > 0.5;
}

";

/// The self-test.
pub const TEST: &str = "/* The third row, with nothing where something can be filled in; and rows that must be refused. */
static void @_golden_row(const size_t row, REAL *in) {
    size_t i;
    for (i = 0; i < @@_INPUTS; i++) {
        in[i] = @_golden_inputs[row][i];
    }
MISSING_ROW}

/* FNV-1a over whole numbers. */
static uint64_t @_mixed(const uint64_t sum, const REAL number) {
    return (sum ^ (uint64_t)@_bits(number)) * UINT64_C(0x100000001b3);
}

static uint64_t @_parameters(void) {
    uint64_t sum = UINT64_C(SEED);
    size_t i;
PARAMETERS    return sum;
}

int @_self_test(void) {
    REAL in[@@_INPUTS], out[@@_OUTPUTS];
    size_t row, i;
    if (@_parameters() != UINT64_C(CHECKSUM)) {
        return -1;
    }
    for (row = 0; row < ROW_COUNT; row++) {
        @_golden_row(row, in);
        if (@_predict(in, out) != @@_OK) {
            return (int)row + 1;
        }
        for (i = 0; i < @@_OUTPUTS; i++) {
            const REAL difference = out[i] - @_golden_outputs[row][i];
            if (!(difference <= @_tolerances[row][i] && -difference <= @_tolerances[row][i])) {
                return (int)row + 1;
            }
        }
    }
REFUSED    return 0;
}

int @_same_bits(void) {
    REAL in[@@_INPUTS], out[@@_OUTPUTS];
    uint64_t sum = UINT64_C(SEED);
    size_t row, i;
    for (row = 0; row < ROW_COUNT; row++) {
        @_golden_row(row, in);
        if (@_predict(in, out) != @@_OK) {
            return 0;
        }
        for (i = 0; i < @@_OUTPUTS; i++) {
            sum = @_mixed(sum, out[i]);
        }
    }
    return sum == UINT64_C(OWN_BITS);
}

#ifdef @@_MAIN
#include <stdio.h>

int main(void) {
    const int fault = @_self_test();
    printf(\"self-test: %s (%d); bits as written: %s\\n\", fault == 0 ? \"passed\" : \"FAILED\", fault, @_same_bits() ? \"yes\" : \"no\");
    return fault == 0 ? 0 : 1;
}
#endif
";
