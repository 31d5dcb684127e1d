//! Templates of the Rust file: what activations, norms and softmax are made of.

/// A number and its bits.
pub const BITS: &str = "fn bits(number: REAL) -> WORD {
    number.to_bits()
}

#[allow(dead_code)]
fn of_bits(bits: WORD) -> REAL {
    REAL::from_bits(bits)
}

";

/// `|x|`.
pub const MAGNITUDE: &str = "fn magnitude(x: REAL) -> REAL {
    of_bits(bits(x) & !SIGN_BIT)
}

";

/// The magnitude of one number with the sign of another.
pub const SIGNED_AS: &str = "fn signed_as(magnitude: REAL, sign: REAL) -> REAL {
    of_bits((bits(magnitude) & !SIGN_BIT) | (bits(sign) & SIGN_BIT))
}

";

/// `2^k`.
pub const POWER_OF_TWO: &str =
    "/// `2^k`: in `k + magic` the low bits are `k` plus the bias of the exponent, and the shift drops the rest.
fn power_of_two(k: REAL) -> REAL {
    of_bits(bits(k + (MAGIC)) << PLACES)
}

";

/// The fused product and sum of `f32`.
pub const FMA_SINGLE: &str = "/// `a b + c`, rounded once. The product is exact in `f64`; the sum is rounded to odd (Boldo and Melquiond, 2008), so that rounding it
/// again, to `f32`, does no harm. With the feature `std` of the crate it is the standard library's.
#[allow(unexpected_cfgs)]
fn fma(a: f32, b: f32, c: f32) -> f32 {
    #[cfg(feature = \"std\")]
    return a.mul_add(b, c);
    #[cfg(not(feature = \"std\"))]
    {
        let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
        let sum = product + c;
        let back = sum - product;
        let lost = (product - (sum - back)) + (c - back);
        let mut odd = sum.to_bits();
        if (lost < 0.0 || lost > 0.0) && odd & 1 == 0 {
            odd = if (lost > 0.0) == (sum > 0.0) { odd + 1 } else { odd - 1 };
        }
        f64::from_bits(odd) as f32
    }
}

";

/// That of `f64`.
pub const FMA_DOUBLE: &str = "/// The product as a sum of two (Dekker, 1971), to which `c` is added with the last but one rounding to odd (Boldo and Melquiond, 2008).
#[allow(unexpected_cfgs)]
#[cfg(not(feature = \"std\"))]
fn fma_near(a: f64, b: f64, c: f64) -> f64 {
    let (split_a, split_b) = (134_217_729.0 * a, 134_217_729.0 * b);
    let (a_high, b_high) = (split_a - (split_a - a), split_b - (split_b - b));
    let (a_low, b_low) = (a - a_high, b - b_high);
    let high = a * b;
    let low = (((a_high * b_high - high) + a_high * b_low) + a_low * b_high) + a_low * b_low;
    let t = c + low;
    let t_back = t - c;
    let t_low = (c - (t - t_back)) + (low - t_back);
    let v = high + t;
    let v_back = v - high;
    let v_low = (high - (v - v_back)) + (t - v_back);
    let rest = t_low + v_low;
    let rest_back = rest - t_low;
    let lost = (t_low - (rest - rest_back)) + (v_low - rest_back);
    let mut odd = bits(rest);
    if (lost < 0.0 || lost > 0.0) && odd & 1 == 0 {
        odd = if (lost > 0.0) == (rest > 0.0) { odd + 1 } else { odd - 1 };
    }
    v + of_bits(odd)
}

/// `a b + c`, rounded once (but for subnormal results). With the feature `std` of the crate it is the standard library's.
#[allow(unexpected_cfgs)]
fn fma(a: f64, b: f64, c: f64) -> f64 {
    #[cfg(feature = \"std\")]
    return a.mul_add(b, c);
    #[cfg(not(feature = \"std\"))]
    {
        let exponent = |x: f64| (bits(x) >> 52 & 2047) as i32;
        let (of_a, of_b, of_c) = (exponent(a), exponent(b), exponent(c));
        let near = |exponent: i32| exponent > 600 && exponent < 1400;
        if near(of_a) && near(of_b) && of_c < 1800 {
            return fma_near(a, b, c);
        }
        // Zeros, subnormal numbers and those that are none.
        if of_a == 0 || of_b == 0 || of_a == 2047 || of_b == 2047 || of_c == 2047 {
            return a * b + c;
        }
        // Others are moved to where nothing overflows or vanishes, and the sum is moved back.
        let mut shift = of_a + of_b - 2046;
        let moved = of_c - shift;
        if moved > 1800 {
            return c;
        }
        let moved = if of_c == 0 || moved < 200 { 200 } else { moved };
        let with = |x: f64, exponent: i32| of_bits((bits(x) & !(2047 << 52)) | (exponent as u64) << 52);
        let mut sum = fma_near(with(a, 1023), with(b, 1023), if c == 0.0 { c } else { with(c, moved) });
        while shift > 1000 {
            sum *= of_bits((1023 + 1000) << 52);
            shift -= 1000;
        }
        while shift < -1000 {
            sum *= of_bits((1023 - 1000) << 52);
            shift += 1000;
        }
        sum * of_bits(((1023 + shift) as u64) << 52)
    }
}

";

/// Layer normalisation, and the root and the sums that it needs.
pub const LAYER_NORM: &str = "/// The square root, rounded to the nearest: digit after digit in whole numbers. For normal numbers; others come back as they are.
fn root(x: REAL) -> REAL {
    if !(x > 0.0) || x - x != 0.0 {
        return x;
    }
    let mut mantissa = (bits(x) & ((1 << PLACES) - 1)) | 1 << PLACES;
    let mut exponent = (bits(x) >> PLACES) as i32 - BIAS;
    if exponent & 1 != 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    let (mut rest, mut root): (WORD, WORD) = (0, 0);
    for i in (0..PLACES + 2).rev() {
        let at = 2 * i - (PLACES + 2);
        let two = if at >= 0 { mantissa >> at & 3 } else if at == -1 { mantissa << 1 & 3 } else { 0 };
        let trial = root << 2 | 1;
        rest = rest << 2 | two;
        root <<= 1;
        if rest >= trial {
            rest -= trial;
            root |= 1;
        }
    }
    root = (root + 1) >> 1;
    of_bits((((exponent / 2 + BIAS - 1) as WORD) << PLACES) + root)
}

/// The sum of numbers or of their squares, in CHAINS partial sums that are added in halves.
fn total(z: &[REAL], squares: bool) -> REAL {
    let mut part = [0.0; CHAINS];
    for (i, &z) in z.iter().enumerate() {
        let part = &mut part[i % CHAINS];
        *part = if squares { fma(z, z, *part) } else { z + *part };
    }
    let mut half = CHAINS / 2;
    while half > 0 {
        for i in 0..half {
            part[i] += part[i + half];
        }
        half /= 2;
    }
    part[0]
}

/// To mean 0 and variance 1, then scaled and shifted.
fn normalise(z: &mut [REAL], scale: &[REAL], shift: &[REAL]) {
    let share = 1.0 / z.len() as REAL;
    let mean = total(z, false) * share;
    z.iter_mut().for_each(|z| *z -= mean);
    let variance = total(z, true) * share;
    let by = 1.0 / root(variance + EPSILON);
    for ((z, &scale), &shift) in z.iter_mut().zip(scale).zip(shift) {
        *z = fma(scale, *z * by, shift);
    }
}

";

/// Softmax.
pub const SOFTMAX: &str = "/// `e^z_j` over their sum, which is kept in 16 partial sums that are added in halves.
fn softmax(z: &mut [REAL]) {
    let mut top = z[0];
    z.iter().for_each(|&z| top = if z > top { z } else { top });
    let mut part: [REAL; 16] = [0.0; 16];
    for (i, z) in z.iter_mut().enumerate() {
        *z = exp_below(*z, top);
        part[i % 16] += *z;
    }
    let mut half = 8;
    while half > 0 {
        for i in 0..half {
            part[i] += part[i + half];
        }
        half /= 2;
    }
    let inverse = 1.0 / part[0];
    z.iter_mut().for_each(|z| *z *= inverse);
}

";
