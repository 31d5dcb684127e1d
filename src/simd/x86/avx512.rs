//! AVX-512 F, BW, DQ and VL. The duties that the notes name stand at the head of the folder's `mod.rs`.

use super::{Avx2, spans};
use crate::simd::lanes::{Lanes, strided};
use crate::simd::{Isa, Kernel, TABLE_COLUMNS, TABLE_ROWS, Table, Vectorized};
use std::arch::x86_64::*;

token! {
    /// Proof that this CPU has AVX-512 F, BW, DQ and VL.
    Avx512, "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl",
    Avx2::new().is_some()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// The elements of a column that the low five bits of each lane name.
#[inline]
#[target_feature(enable = "avx512f")]
fn permute_f32(column: &[f32; TABLE_ROWS], index: __m512i) -> __m512 {
    let (low, high) = column.split_at(16);
    // SAFETY: Token by the caller; Bounds: both halves have 16 numbers.
    let [low, high] = unsafe { [_mm512_loadu_ps(low.as_ptr()), _mm512_loadu_ps(high.as_ptr())] };
    _mm512_permutex2var_ps(low, index, high)
}

/// The same; a permutation sees four bits, so the fifth chooses between two.
#[inline]
#[target_feature(enable = "avx512f")]
fn permute_f64(column: &[f64; TABLE_ROWS], index: __m512i) -> __m512d {
    // SAFETY: Token by the caller; Bounds: a column has four times eight numbers.
    let part = |i: usize| unsafe { _mm512_loadu_pd(column[8 * i..][..8].as_ptr()) };
    let low = _mm512_permutex2var_pd(part(0), index, part(1));
    let high = _mm512_permutex2var_pd(part(2), index, part(3));
    _mm512_mask_blend_pd(_mm512_test_epi64_mask(index, _mm512_set1_epi64(16)), low, high)
}

macro_rules! avx512 {
    (
        $t:ident, $vector:ident, $width:literal, $mask:ident,
        $splat:ident $load:ident $store:ident $maskload:ident $maskstore:ident
        $add:ident $sub:ident $mul:ident $div:ident $fmadd:ident $sqrt:ident $round:ident $scalef:ident $min:ident $max:ident
        $cmp:ident $blend:ident $abs:ident $and:ident $andnot:ident $or:ident $xor:ident $getexp:ident $getmant:ident $gather:ident $indices:expr,
        $to_bits:ident $shift_right:ident $permute:ident
    ) => {
        impl Lanes<$t> for Avx512 {
            type Vector = $vector;
            type Mask = $mask;
            type Index = __m512i;
            const ISA: Isa = Isa::Avx512;
            const WIDTH: usize = $width;

            operations! {
                add(a: Vector, b: Vector) -> Self::Vector = $add(a, b);
                sub(a: Vector, b: Vector) -> Self::Vector = $sub(a, b);
                mul(a: Vector, b: Vector) -> Self::Vector = $mul(a, b);
                div(a: Vector, b: Vector) -> Self::Vector = $div(a, b);
                mul_add(a: Vector, b: Vector, c: Vector) -> Self::Vector = $fmadd(a, b, c);
                sqrt(x: Vector) -> Self::Vector = $sqrt(x);
                neg(x: Vector) -> Self::Vector = $xor(x, $splat(-0.0));
                abs(x: Vector) -> Self::Vector = $abs(x);
                copysign(magnitude: Vector, sign: Vector) -> Self::Vector =
                    $or($andnot($splat(-0.0), magnitude), $and($splat(-0.0), sign));
                round(x: Vector) -> Self::Vector = $round::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
                min(a: Vector, b: Vector) -> Self::Vector = $min(a, b);
                max(a: Vector, b: Vector) -> Self::Vector = $max(a, b);
                lt(a: Vector, b: Vector) -> Self::Mask = $cmp::<_CMP_LT_OQ>(a, b);
                le(a: Vector, b: Vector) -> Self::Mask = $cmp::<_CMP_LE_OQ>(a, b);
                select(mask: Mask, yes: Vector, no: Vector) -> Self::Vector = $blend(mask, no, yes);
                pow2(k: Vector) -> Self::Vector = $scalef($splat(1.0), k);
                scale(x: Vector, k: Vector) -> Self::Vector = $scalef(x, k);
                scale_far(x: Vector, k: Vector) -> Self::Vector = $scalef(x, k);
                scale_down(x: Vector, k: Vector) -> Self::Vector = $scalef(x, k);
            }

            #[inline(always)]
            fn index<const SHIFT: u32>(self, x: Self::Vector) -> Self::Index {
                // SAFETY: Token. The bits above the fifth stay: permutations do not see them.
                unsafe { $shift_right::<SHIFT>($to_bits(x)) }
            }
            #[inline(always)]
            fn lookup(self, table: &Table<$t>, index: Self::Index) -> [Self::Vector; TABLE_COLUMNS] {
                let mut columns = [Lanes::<$t>::splat(self, 0.0); TABLE_COLUMNS];
                for i in 0..TABLE_COLUMNS {
                    // SAFETY: Token.
                    columns[i] = unsafe { $permute(&table.columns[i], index) };
                }
                columns
            }
            #[inline(always)]
            fn exponent_and_mantissa(self, x: Self::Vector) -> (Self::Vector, Self::Vector) {
                // SAFETY: Token.
                unsafe {
                    let m = $getmant::<_MM_MANT_NORM_P75_1P5, _MM_MANT_SIGN_SRC>(x);
                    // The exponent of m is -1 below 1.
                    ($sub($getexp(x), $getexp(m)), m)
                }
            }
            #[inline(always)]
            fn all(self, mask: Self::Mask) -> bool {
                mask == $mask::MAX
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
                let first = ((1u32 << from.len().min($width)) - 1) as $mask;
                // SAFETY: Token, and Bounds by the mask.
                unsafe { $maskload(first, from.as_ptr()) }
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
                let first = ((1u32 << count) - 1) as $mask;
                // SAFETY: Token, and Bounds: `spans` says that the true lanes of the mask have their numbers in `from`.
                unsafe {
                    $gather::<{ size_of::<$t>() as i32 }>($splat(0.0), first, $indices(stride), from.as_ptr().cast())
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
                let first = ((1u32 << to.len().min($width)) - 1) as $mask;
                // SAFETY: Token, and Bounds by the mask.
                unsafe { $maskstore(to.as_mut_ptr(), first, x) }
            }
        }
    };
}

avx512! {
    f32, __m512, 16, __mmask16,
    _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_maskz_loadu_ps _mm512_mask_storeu_ps
    _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps _mm512_fmadd_ps _mm512_sqrt_ps _mm512_roundscale_ps _mm512_scalef_ps _mm512_min_ps _mm512_max_ps
    _mm512_cmp_ps_mask _mm512_mask_blend_ps _mm512_abs_ps _mm512_and_ps _mm512_andnot_ps _mm512_or_ps _mm512_xor_ps _mm512_getexp_ps _mm512_getmant_ps
    _mm512_mask_i32gather_ps |stride| _mm512_mullo_epi32(
        _mm512_set1_epi32(stride), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)),
    _mm512_castps_si512 _mm512_srli_epi32 permute_f32
}

avx512! {
    f64, __m512d, 8, __mmask8,
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_maskz_loadu_pd _mm512_mask_storeu_pd
    _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd _mm512_fmadd_pd _mm512_sqrt_pd _mm512_roundscale_pd _mm512_scalef_pd _mm512_min_pd _mm512_max_pd
    _mm512_cmp_pd_mask _mm512_mask_blend_pd _mm512_abs_pd _mm512_and_pd _mm512_andnot_pd _mm512_or_pd _mm512_xor_pd _mm512_getexp_pd _mm512_getmant_pd
    _mm512_mask_i32gather_pd |stride| _mm256_mullo_epi32(_mm256_set1_epi32(stride), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
    _mm512_castpd_si512 _mm512_srli_epi64 permute_f64
}
