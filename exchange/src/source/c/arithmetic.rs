//! Templates of the C file: what activations, norms and softmax are made of.

/// A number and its bits.
pub const BITS: &str = "static WORD @_bits(const REAL number) {
    union { REAL number; WORD bits; } both;
    both.number = number;
    return both.bits;
}

static REAL @_of_bits(const WORD bits) {
    union { REAL number; WORD bits; } both;
    both.bits = bits;
    return both.number;
}

";

/// `|x|`.
pub const MAGNITUDE: &str = "static REAL @_magnitude(const REAL x) {
    return @_of_bits(@_bits(x) & ~SIGN_BIT);
}

";

/// The magnitude of one number with the sign of another.
pub const SIGNED_AS: &str = "static REAL @_signed_as(const REAL magnitude, const REAL sign) {
    return @_of_bits((@_bits(magnitude) & ~SIGN_BIT) | (@_bits(sign) & SIGN_BIT));
}

";

/// `2^k`.
pub const POWER_OF_TWO: &str =
    "/* 2^k: in k + magic the low bits are k plus the bias of the exponent, and the shift drops the rest. */
static REAL @_power_of_two(const REAL k) {
    return @_of_bits(@_bits(k + (MAGIC)) << PLACES);
}

";

/// The fused product and sum of `float`.
pub const FMA_SINGLE: &str = "/* a b + c, rounded once. The product is exact in double; the sum is rounded to odd (Boldo and Melquiond, 2008), so that rounding it
   again, to float, does no harm. */
static float @_fma(const float a, const float b, const float c) {
#if defined(__GNUC__) && (defined(__FMA__) || defined(__aarch64__) || defined(__FP_FAST_FMAF))
    return __builtin_fmaf(a, b, c);
#else
    const double product = (double)a * (double)b;
    const double sum = product + (double)c;
    const double back = sum - product;
    const double lost = (product - (sum - back)) + ((double)c - back);
    union { double number; uint64_t bits; } odd;
    odd.number = sum;
    if ((lost < 0.0 || lost > 0.0) && (odd.bits & 1) == 0) {
        odd.bits += (lost > 0.0) == (sum > 0.0) ? 1 : UINT64_MAX;
    }
    return (float)odd.number;
#endif
}

";

/// That of `double`.
pub const FMA_DOUBLE: &str = "/* a b + c, rounded once (but for subnormal results): the product as a sum of two (Dekker, 1971), to which c is added with the last but
   one rounding to odd (Boldo and Melquiond, 2008). */
#if !(defined(__GNUC__) && (defined(__FMA__) || defined(__aarch64__) || defined(__FP_FAST_FMA)))
static double @_fma_near(const double a, const double b, const double c) {
    const double split_a = 134217729.0 * a, split_b = 134217729.0 * b;
    const double a_high = split_a - (split_a - a), b_high = split_b - (split_b - b);
    const double a_low = a - a_high, b_low = b - b_high;
    const double high = a * b;
    const double low = (((a_high * b_high - high) + a_high * b_low) + a_low * b_high) + a_low * b_low;
    const double t = c + low, t_back = t - c;
    const double t_low = (c - (t - t_back)) + (low - t_back);
    const double v = high + t, v_back = v - high;
    const double v_low = (high - (v - v_back)) + (t - v_back);
    const double rest = t_low + v_low, rest_back = rest - t_low;
    const double lost = (t_low - (rest - rest_back)) + (v_low - rest_back);
    uint64_t odd = @_bits(rest);
    if ((lost < 0.0 || lost > 0.0) && (odd & 1) == 0) {
        odd += (lost > 0.0) == (rest > 0.0) ? 1 : UINT64_MAX;
    }
    return v + @_of_bits(odd);
}
#endif

static double @_fma(const double a, const double b, const double c) {
#if defined(__GNUC__) && (defined(__FMA__) || defined(__aarch64__) || defined(__FP_FAST_FMA))
    return __builtin_fma(a, b, c);
#else
    const int of_a = (int)(@_bits(a) >> 52 & 2047), of_b = (int)(@_bits(b) >> 52 & 2047), of_c = (int)(@_bits(c) >> 52 & 2047);
    const uint64_t rest = ~(UINT64_C(2047) << 52), one = UINT64_C(1023) << 52;
    double sum;
    int shift = of_a + of_b - 2046, moved;
    if (of_a > 600 && of_a < 1400 && of_b > 600 && of_b < 1400 && of_c < 1800) {
        return @_fma_near(a, b, c);
    }
    /* Zeros, subnormal numbers and those that are none. */
    if (of_a == 0 || of_b == 0 || of_a == 2047 || of_b == 2047 || of_c == 2047) {
        return a * b + c;
    }
    /* Others are moved to where nothing overflows or vanishes, and the sum is moved back. */
    moved = of_c - shift;
    if (moved > 1800) {
        return c;
    }
    moved = of_c == 0 || moved < 200 ? 200 : moved;
    sum = @_fma_near(@_of_bits((@_bits(a) & rest) | one), @_of_bits((@_bits(b) & rest) | one),
        c == 0.0 ? c : @_of_bits((@_bits(c) & rest) | (uint64_t)moved << 52));
    for (; shift > 1000; shift -= 1000) {
        sum *= 0x1p+1000;
    }
    for (; shift < -1000; shift += 1000) {
        sum *= 0x1p-1000;
    }
    return sum * @_of_bits((uint64_t)(1023 + shift) << 52);
#endif
}

";

/// Layer normalisation, and the root and the sums that it needs.
pub const LAYER_NORM: &str = "/* The square root, rounded to the nearest: digit after digit in whole numbers. For normal numbers; others come back as they are. */
static REAL @_root(const REAL x) {
    const WORD bits = @_bits(x);
    WORD mantissa = (bits & (((WORD)1 << PLACES) - 1)) | (WORD)1 << PLACES, rest = 0, root = 0;
    int exponent = (int)(bits >> PLACES) - BIAS, i;
    if (!(x > 0) || x - x != 0) {
        return x;
    }
    if (exponent & 1) {
        mantissa <<= 1;
        exponent -= 1;
    }
    for (i = PLACES + 1; i >= 0; i--) {
        const int at = 2 * i - (PLACES + 2);
        const WORD two = at >= 0 ? mantissa >> at & 3 : at == -1 ? mantissa << 1 & 3 : 0;
        const WORD trial = root << 2 | 1;
        rest = rest << 2 | two;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    root = (root + 1) >> 1;
    return @_of_bits(((WORD)(exponent / 2 + BIAS - 1) << PLACES) + root);
}

/* The sum of numbers or of their squares, in CHAINS partial sums that are added in halves. */
static REAL @_total(const REAL *z, const size_t units, const int squares) {
    REAL part[CHAINS] = {0};
    size_t i, half;
    for (i = 0; i < units; i++) {
        part[i % CHAINS] = squares ? @_fma(z[i], z[i], part[i % CHAINS]) : z[i] + part[i % CHAINS];
    }
    for (half = CHAINS / 2; half > 0; half /= 2) {
        for (i = 0; i < half; i++) {
            part[i] += part[i + half];
        }
    }
    return part[0];
}

/* To mean 0 and variance 1, then scaled and shifted. */
static void @_normalise(REAL *z, const size_t units, const REAL *scale, const REAL *shift) {
    const REAL share = (REAL)1 / (REAL)units;
    const REAL mean = @_total(z, units, 0) * share;
    REAL by;
    size_t i;
    for (i = 0; i < units; i++) {
        z[i] -= mean;
    }
    by = @_total(z, units, 1) * share;
    by = (REAL)1 / @_root(by + EPSILON);
    for (i = 0; i < units; i++) {
        const REAL normalised = z[i] * by;
        z[i] = @_fma(scale[i], normalised, shift[i]);
    }
}

";

/// Softmax.
pub const SOFTMAX: &str = "/* e^z_j over their sum, which is kept in 16 partial sums that are added in halves. */
static void @_softmax(REAL *z, const size_t units) {
    REAL part[16] = {0}, top = z[0], inverse;
    size_t i, half;
    for (i = 1; i < units; i++) {
        top = z[i] > top ? z[i] : top;
    }
    for (i = 0; i < units; i++) {
        z[i] = @_exp_below(z[i], top);
        part[i % 16] += z[i];
    }
    for (half = 8; half > 0; half /= 2) {
        for (i = 0; i < half; i++) {
            part[i] += part[i + half];
        }
    }
    inverse = (REAL)1 / part[0];
    for (i = 0; i < units; i++) {
        z[i] *= inverse;
    }
}

";
