//! AVX2 with FMA. The duties that the notes name stand at the head of the folder's `mod.rs`.

use super::spans;
use crate::simd::lanes::{Lanes, strided};
use crate::simd::{
    Isa, Kernel, MAGIC_F32, MAGIC_F64, MANTISSA_BITS_F32, MANTISSA_BITS_F64, TABLE_COLUMNS, TABLE_ROWS, Table,
    Vectorized,
};
use std::arch::x86_64::*;

token! {
    /// Proof that this CPU has AVX2 and FMA.
    Avx2, "avx2,fma", is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

macro_rules! avx2 {
    (
        $t:ident, $vector:ident, $width:literal, $magic:expr, $mantissa_bits:expr, $masks:expr,
        $splat:ident $load:ident $store:ident $maskload:ident $maskstore:ident
        $add:ident $sub:ident $mul:ident $div:ident $fmadd:ident $sqrt:ident $round:ident $min:ident $max:ident
        $cmp:ident $blendv:ident $movemask:ident $and:ident $andnot:ident $or:ident $xor:ident
        $to_bits:ident $shift:ident $from_bits:ident
        $bits:ident $splat_bits:ident $add_bits:ident $sub_bits:ident $shift_right:ident,
        $gather:ident $indices:expr,
        $shift_left_by:ident $shift_right_by:ident $transpose:ident
    ) => {
        impl Lanes<$t> for Avx2 {
            type Vector = $vector;
            type Mask = $vector;
            type Index = __m256i;
            const ISA: Isa = Isa::Avx2;
            const WIDTH: usize = $width;

            operations! {
                add(a: Vector, b: Vector) -> Self::Vector = $add(a, b);
                sub(a: Vector, b: Vector) -> Self::Vector = $sub(a, b);
                mul(a: Vector, b: Vector) -> Self::Vector = $mul(a, b);
                div(a: Vector, b: Vector) -> Self::Vector = $div(a, b);
                mul_add(a: Vector, b: Vector, c: Vector) -> Self::Vector = $fmadd(a, b, c);
                sqrt(x: Vector) -> Self::Vector = $sqrt(x);
                neg(x: Vector) -> Self::Vector = $xor(x, $splat(-0.0));
                abs(x: Vector) -> Self::Vector = $andnot($splat(-0.0), x);
                copysign(magnitude: Vector, sign: Vector) -> Self::Vector =
                    $or($andnot($splat(-0.0), magnitude), $and($splat(-0.0), sign));
                round(x: Vector) -> Self::Vector = $round::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
                min(a: Vector, b: Vector) -> Self::Vector = $min(a, b);
                max(a: Vector, b: Vector) -> Self::Vector = $max(a, b);
                lt(a: Vector, b: Vector) -> Self::Mask = $cmp::<_CMP_LT_OQ>(a, b);
                le(a: Vector, b: Vector) -> Self::Mask = $cmp::<_CMP_LE_OQ>(a, b);
                select(mask: Mask, yes: Vector, no: Vector) -> Self::Vector = $blendv(no, yes, mask);
                all(mask: Mask) -> bool = $movemask(mask) == (1 << $width) - 1;
                pow2(k: Vector) -> Self::Vector =
                    $from_bits($shift::<{ $mantissa_bits as i32 }>($to_bits($add(k, $splat($magic)))));
            }

            #[inline(always)]
            fn index<const SHIFT: u32>(self, x: Self::Vector) -> Self::Index {
                const BYTES: u32 = (size_of::<$t>() * TABLE_COLUMNS).ilog2();
                // SAFETY: Token.
                unsafe {
                    let bits = $to_bits(x);
                    // How many bytes the row is from the first: its number times the bytes of a row.
                    let shifted = if SHIFT < BYTES {
                        $shift_left_by(bits, _mm_cvtsi32_si128(BYTES.wrapping_sub(SHIFT) as i32))
                    } else {
                        $shift_right_by(bits, _mm_cvtsi32_si128(SHIFT.wrapping_sub(BYTES) as i32))
                    };
                    _mm256_and_si256(shifted, $splat_bits(((TABLE_ROWS - 1) << BYTES) as $bits))
                }
            }
            #[inline(always)]
            fn lookup(self, table: &Table<$t>, index: Self::Index) -> [Self::Vector; TABLE_COLUMNS] {
                // SAFETY: Token, and Bounds: an index comes from `index`, which lets no more than the last row through.
                unsafe { $transpose(&table.rows, index) }
            }
            #[inline(always)]
            fn exponent_and_mantissa(self, x: Self::Vector) -> (Self::Vector, Self::Vector) {
                // As in `Portable`. An exponent becomes a number as the last bits of one too large to have a fraction.
                const ONE: $bits = (1.0 as $t).to_bits() as $bits;
                const STEP: $bits = ONE - (0.75 as $t).to_bits() as $bits;
                const WHOLE: $t = (1u64 << $mantissa_bits) as $t;
                const BIAS: $t = (ONE >> $mantissa_bits) as $t;
                const UP: $t = ($mantissa_bits + 1) as $t;
                // SAFETY: Token.
                unsafe {
                    let small = $cmp::<_CMP_LT_OQ>(x, $splat($t::MIN_POSITIVE));
                    let x = $blendv(x, $mul(x, $splat(2.0 * WHOLE)), small);
                    let bias = $blendv($splat(WHOLE + BIAS), $splat(WHOLE + (BIAS + UP)), small);
                    let bits = $to_bits(x);
                    let exponent = $shift_right::<{ $mantissa_bits as i32 }>($add_bits(bits, $splat_bits(STEP)));
                    let k = $from_bits(_mm256_or_si256(exponent, $to_bits($splat(WHOLE))));
                    let m = $sub_bits(bits, $shift::<{ $mantissa_bits as i32 }>(exponent));
                    ($sub(k, bias), $from_bits($add_bits(m, $splat_bits(ONE))))
                }
            }
            #[inline(always)]
            fn splat(self, value: $t) -> Self::Vector {
                // SAFETY: Token.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            fn load(self, from: &[$t]) -> Self::Vector {
                assert!(from.len() >= $width);
                // SAFETY: Token, and Bounds by the assertion.
                unsafe { $load(from.as_ptr()) }
            }
            #[inline(always)]
            fn load_partial(self, from: &[$t]) -> Self::Vector {
                let count = from.len().min($width);
                // SAFETY: Token, and Bounds: `count` lanes of the mask are true, for it begins `count` before the first zero
                // of `masks`, and it lies within them.
                unsafe {
                    let mask = _mm256_loadu_si256($masks[$width - count..][..$width].as_ptr().cast());
                    $maskload(from.as_ptr(), mask)
                }
            }
            #[inline(always)]
            fn prefetch(self, from: &[$t]) {
                // SAFETY: Token; an address that is asked for is not read.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(from.as_ptr().cast()) }
            }
            #[inline(always)]
            fn load_strided(self, from: &[$t], stride: usize, count: usize) -> Self::Vector {
                let count = count.min($width);
                if !spans(from.len(), stride, count) {
                    return self.load_partial(&strided(from, stride, count));
                }
                let stride = stride as i32;
                // SAFETY: Token, and Bounds: `spans` says that the true lanes of the mask have their numbers in `from`. The mask
                // begins `count` before the first zero of `masks`, and lies within them.
                unsafe {
                    let mask = $from_bits(_mm256_loadu_si256($masks[$width - count..][..$width].as_ptr().cast()));
                    $gather::<{ size_of::<$t>() as i32 }>($splat(0.0), from.as_ptr(), $indices(stride), mask)
                }
            }
            #[inline(always)]
            fn store(self, x: Self::Vector, to: &mut [$t]) {
                assert!(to.len() >= $width);
                // SAFETY: Token, and Bounds by the assertion.
                unsafe { $store(to.as_mut_ptr(), x) }
            }
            #[inline(always)]
            fn store_partial(self, x: Self::Vector, to: &mut [$t]) {
                let count = to.len().min($width);
                // SAFETY: as in `load_partial`.
                unsafe {
                    let mask = _mm256_loadu_si256($masks[$width - count..][..$width].as_ptr().cast());
                    $maskstore(to.as_mut_ptr(), mask, x)
                }
            }
        }
    };
}

/// As many true lanes as a vector has, then as many false ones: the mask of the first `n` lanes begins `n` before the middle.
static MASKS_F32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
static MASKS_F64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

avx2! {
    f32, __m256, 8, MAGIC_F32, MANTISSA_BITS_F32, MASKS_F32,
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_maskload_ps _mm256_maskstore_ps
    _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps _mm256_fmadd_ps _mm256_sqrt_ps _mm256_round_ps _mm256_min_ps _mm256_max_ps
    _mm256_cmp_ps _mm256_blendv_ps _mm256_movemask_ps _mm256_and_ps _mm256_andnot_ps _mm256_or_ps _mm256_xor_ps
    _mm256_castps_si256 _mm256_slli_epi32 _mm256_castsi256_ps
    i32 _mm256_set1_epi32 _mm256_add_epi32 _mm256_sub_epi32 _mm256_srli_epi32,
    _mm256_mask_i32gather_ps |stride| _mm256_mullo_epi32(_mm256_set1_epi32(stride), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
    _mm256_sll_epi32 _mm256_srl_epi32 transpose_f32
}

avx2! {
    f64, __m256d, 4, MAGIC_F64, MANTISSA_BITS_F64, MASKS_F64,
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_maskload_pd _mm256_maskstore_pd
    _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd _mm256_fmadd_pd _mm256_sqrt_pd _mm256_round_pd _mm256_min_pd _mm256_max_pd
    _mm256_cmp_pd _mm256_blendv_pd _mm256_movemask_pd _mm256_and_pd _mm256_andnot_pd _mm256_or_pd _mm256_xor_pd
    _mm256_castpd_si256 _mm256_slli_epi64 _mm256_castsi256_pd
    i64 _mm256_set1_epi64x _mm256_add_epi64 _mm256_sub_epi64 _mm256_srli_epi64,
    _mm256_mask_i32gather_pd |stride| _mm_mullo_epi32(_mm_set1_epi32(stride), _mm_setr_epi32(0, 1, 2, 3)),
    _mm256_sll_epi64 _mm256_srl_epi64 transpose_f64
}

/// Four 64-bit integers in general registers, two at a time: what an address is made of.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn extract(x: __m256i) -> [u64; 4] {
    let (low, high) = (_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
    [_mm_cvtsi128_si64(low), _mm_extract_epi64::<1>(low), _mm_cvtsi128_si64(high), _mm_extract_epi64::<1>(high)]
        .map(|x| x as u64)
}

/// The columns of the rows that begin so many bytes behind the first.
///
/// **Safety**: as many bytes as a row has are there, within the table.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose_f32(table: &[[f32; TABLE_COLUMNS]; TABLE_ROWS], offsets: __m256i) -> [__m256; TABLE_COLUMNS] {
    let [a, b, c, d] = extract(offsets);
    let offsets = [
        a as u32,
        (a >> 32) as u32,
        b as u32,
        (b >> 32) as u32,
        c as u32,
        (c >> 32) as u32,
        d as u32,
        (d >> 32) as u32,
    ];
    let mut columns = [_mm256_setzero_ps(); TABLE_COLUMNS];
    for half in 0..2 {
        // Row i in the low lane, row i + 4 in the high one; then four by four in each lane.
        let pair = |i: usize| {
            // SAFETY: Token by the caller; Bounds by the caller, and a row has two times four numbers.
            unsafe {
                let row = |i: usize| table.as_ptr().byte_add(offsets[i] as usize).cast::<f32>().add(4 * half);
                _mm256_set_m128(_mm_loadu_ps(row(i + 4)), _mm_loadu_ps(row(i)))
            }
        };
        let [a, b, c, d] = [pair(0), pair(1), pair(2), pair(3)];
        let [ab, ab_high] = [_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)];
        let [cd, cd_high] = [_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d)];
        columns[4 * half] = _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd);
        columns[4 * half + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd);
        columns[4 * half + 2] = _mm256_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high);
        columns[4 * half + 3] = _mm256_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high);
    }
    columns
}

/// The same.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose_f64(table: &[[f64; TABLE_COLUMNS]; TABLE_ROWS], offsets: __m256i) -> [__m256d; TABLE_COLUMNS] {
    let offsets = extract(offsets);
    let mut columns = [_mm256_setzero_pd(); TABLE_COLUMNS];
    for quarter in 0..4 {
        // Row i in the low lane, row i + 2 in the high one; then two by two in each lane.
        let pair = |i: usize| {
            // SAFETY: Token by the caller; Bounds by the caller, and a row has four times two numbers.
            unsafe {
                let row = |i: usize| table.as_ptr().byte_add(offsets[i] as usize).cast::<f64>().add(2 * quarter);
                _mm256_set_m128d(_mm_loadu_pd(row(i + 2)), _mm_loadu_pd(row(i)))
            }
        };
        let [a, b] = [pair(0), pair(1)];
        columns[2 * quarter] = _mm256_unpacklo_pd(a, b);
        columns[2 * quarter + 1] = _mm256_unpackhi_pd(a, b);
    }
    columns
}
