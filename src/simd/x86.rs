//! Lanes of x86-64: AVX2 with FMA, and AVX-512 F, BW, DQ and VL.
//!
//! Every `unsafe` block here stands on one or both of two duties.
//!
//! **Token**: an intrinsic, or a function compiled for a CPU feature, may run only where the CPU has that feature. Tokens come
//! from `new` alone, which asks the CPU; every block with this duty lies in a method that takes `self`, a token.
//!
//! **Bounds**: an access through a pointer stays inside the slice that the pointer came from. Whole vectors are preceded by
//! an assertion on the length. Partial ones pass a mask whose true lanes are the first `min(length, WIDTH)`; lanes where it
//! is false are not accessed, by the instruction's definition. Unaligned forms are used throughout.

use std::arch::x86_64::*;
use std::sync::LazyLock;

use super::lanes::{Lanes, sealed, strided};
use super::{Isa, Kernel, MAGIC_F32, MAGIC_F64, MANTISSA_BITS_F32, MANTISSA_BITS_F64, VIRTUAL_LANES, Vectorized};

/// Proof that this CPU has AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

/// Proof that this CPU has AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

impl sealed::Sealed for Avx2 {}
impl sealed::Sealed for Avx512 {}

impl Avx2 {
    /// The token, if the CPU has the instructions.
    #[inline]
    pub fn new() -> Option<Self> {
        static PRESENT: LazyLock<bool> =
            LazyLock::new(|| is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"));
        PRESENT.then_some(Self(()))
    }

    /// Runs the kernel compiled for AVX2.
    #[inline(always)]
    pub fn enter<T: Vectorized, K: Kernel<T>>(self, kernel: K) -> K::Output
    where
        Self: Lanes<T>,
    {
        #[target_feature(enable = "avx2,fma")]
        fn compiled<T: Vectorized, K: Kernel<T>>(kernel: K, token: Avx2) -> K::Output
        where
            Avx2: Lanes<T>,
        {
            kernel.run(token)
        }
        // SAFETY: Token.
        unsafe { compiled(kernel, self) }
    }
}

impl Avx512 {
    /// The token, if the CPU has the instructions.
    #[inline]
    pub fn new() -> Option<Self> {
        static PRESENT: LazyLock<bool> = LazyLock::new(|| {
            Avx2::new().is_some()
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
        });
        PRESENT.then_some(Self(()))
    }

    /// Runs the kernel compiled for AVX-512.
    #[inline(always)]
    pub fn enter<T: Vectorized, K: Kernel<T>>(self, kernel: K) -> K::Output
    where
        Self: Lanes<T>,
    {
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
        fn compiled<T: Vectorized, K: Kernel<T>>(kernel: K, token: Avx512) -> K::Output
        where
            Avx512: Lanes<T>,
        {
            kernel.run(token)
        }
        // SAFETY: Token.
        unsafe { compiled(kernel, self) }
    }
}

/// Operations that are one expression of intrinsics, which needs no more than the token.
macro_rules! operations {
    ($($name:ident($($x:ident: $of:ident),*) -> $result:ty = $body:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($x: Self::$of),*) -> $result {
            // SAFETY: Token.
            unsafe { $body }
        }
    )*};
}

/// Whether a slice of `length` holds `count` numbers a `stride` apart, with indices that fit the gathers' 32 bits.
#[inline(always)]
fn spans(length: usize, stride: usize, count: usize) -> bool {
    stride <= i32::MAX as usize / VIRTUAL_LANES && count.saturating_sub(1) * stride < length
}

macro_rules! avx2 {
    (
        $t:ident, $vector:ident, $width:literal, $magic:expr, $mantissa_bits:expr, $masks:expr,
        $splat:ident $load:ident $store:ident $maskload:ident $maskstore:ident
        $add:ident $sub:ident $mul:ident $div:ident $fmadd:ident $sqrt:ident $round:ident $min:ident $max:ident
        $cmp:ident $blendv:ident $movemask:ident $and:ident $andnot:ident $or:ident $xor:ident
        $to_bits:ident $shift:ident $from_bits:ident
        $bits:ident $splat_bits:ident $add_bits:ident $sub_bits:ident $shift_right:ident,
        $gather:ident $indices:expr
    ) => {
        impl Lanes<$t> for Avx2 {
            type Vector = $vector;
            type Mask = $vector;
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
    _mm256_mask_i32gather_ps |stride| _mm256_mullo_epi32(_mm256_set1_epi32(stride), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
}

avx2! {
    f64, __m256d, 4, MAGIC_F64, MANTISSA_BITS_F64, MASKS_F64,
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_maskload_pd _mm256_maskstore_pd
    _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd _mm256_fmadd_pd _mm256_sqrt_pd _mm256_round_pd _mm256_min_pd _mm256_max_pd
    _mm256_cmp_pd _mm256_blendv_pd _mm256_movemask_pd _mm256_and_pd _mm256_andnot_pd _mm256_or_pd _mm256_xor_pd
    _mm256_castpd_si256 _mm256_slli_epi64 _mm256_castsi256_pd
    i64 _mm256_set1_epi64x _mm256_add_epi64 _mm256_sub_epi64 _mm256_srli_epi64,
    _mm256_mask_i32gather_pd |stride| _mm_mullo_epi32(_mm_set1_epi32(stride), _mm_setr_epi32(0, 1, 2, 3))
}

macro_rules! avx512 {
    (
        $t:ident, $vector:ident, $width:literal, $mask:ident,
        $splat:ident $load:ident $store:ident $maskload:ident $maskstore:ident
        $add:ident $sub:ident $mul:ident $div:ident $fmadd:ident $sqrt:ident $round:ident $scalef:ident $min:ident $max:ident
        $cmp:ident $blend:ident $abs:ident $and:ident $andnot:ident $or:ident $xor:ident $getexp:ident $getmant:ident $gather:ident $indices:expr
    ) => {
        impl Lanes<$t> for Avx512 {
            type Vector = $vector;
            type Mask = $mask;
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
        _mm512_set1_epi32(stride), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
}

avx512! {
    f64, __m512d, 8, __mmask8,
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_maskz_loadu_pd _mm512_mask_storeu_pd
    _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd _mm512_fmadd_pd _mm512_sqrt_pd _mm512_roundscale_pd _mm512_scalef_pd _mm512_min_pd _mm512_max_pd
    _mm512_cmp_pd_mask _mm512_mask_blend_pd _mm512_abs_pd _mm512_and_pd _mm512_andnot_pd _mm512_or_pd _mm512_xor_pd _mm512_getexp_pd _mm512_getmant_pd
    _mm512_mask_i32gather_pd |stride| _mm256_mullo_epi32(_mm256_set1_epi32(stride), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
}
