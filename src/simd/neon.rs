//! Lanes of aarch64: NEON, which every such CPU of note has.
//!
//! Every `unsafe` block here stands on one or both of two duties.
//!
//! **Token**: an intrinsic, or a function compiled for a CPU feature, may run only where the CPU has that feature. Tokens come
//! from `new` alone, which asks the CPU; every block with this duty lies in a method that takes `self`, a token.
//!
//! **Bounds**: an access through a pointer stays inside the slice that the pointer came from; an assertion on the length
//! precedes it. (There are no masked accesses: partial vectors go through an array.)

use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;
use std::sync::LazyLock;

use super::lanes::Lanes;
use super::{
    Isa, Kernel, MAGIC_F32, MAGIC_F64, MANTISSA_BITS_F32, MANTISSA_BITS_F64, TABLE_COLUMNS, TABLE_ROWS, Table,
    Vectorized,
};

/// Proof that this CPU has NEON.
#[derive(Clone, Copy, Debug)]
pub struct Neon(());

impl Neon {
    /// The token, if the CPU has the instructions.
    #[inline]
    pub fn new() -> Option<Self> {
        static PRESENT: LazyLock<bool> = LazyLock::new(|| is_aarch64_feature_detected!("neon"));
        PRESENT.then_some(Self(()))
    }

    /// Runs the kernel compiled for NEON.
    #[inline(always)]
    pub fn enter<T: Vectorized, K: Kernel<T>>(self, kernel: K) -> K::Output
    where
        Self: Lanes<T>,
    {
        #[target_feature(enable = "neon")]
        fn compiled<T: Vectorized, K: Kernel<T>>(kernel: K, token: Neon) -> K::Output
        where
            Neon: Lanes<T>,
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

macro_rules! neon {
    (
        $t:ident, $vector:ident, $mask:ident, $width:literal, $magic:expr, $mantissa_bits:expr, $sign:expr,
        $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $div:ident $fma:ident $sqrt:ident
        $neg:ident $abs:ident $round:ident $lt:ident $le:ident $select:ident $all:expr,
        $splat_bits:ident $to_bits:ident $shift:ident $from_bits:ident
        $bits:ident $add_bits:ident $sub_bits:ident $or_bits:ident $shift_right:ident,
        $store_bits:ident $transpose:expr
    ) => {
        impl Lanes<$t> for Neon {
            type Vector = $vector;
            type Mask = $mask;
            type Index = [usize; $width];
            const ISA: Isa = Isa::Neon;
            const WIDTH: usize = $width;

            operations! {
                add(a: Vector, b: Vector) -> Self::Vector = $add(a, b);
                sub(a: Vector, b: Vector) -> Self::Vector = $sub(a, b);
                mul(a: Vector, b: Vector) -> Self::Vector = $mul(a, b);
                div(a: Vector, b: Vector) -> Self::Vector = $div(a, b);
                mul_add(a: Vector, b: Vector, c: Vector) -> Self::Vector = $fma(c, a, b);
                sqrt(x: Vector) -> Self::Vector = $sqrt(x);
                neg(x: Vector) -> Self::Vector = $neg(x);
                abs(x: Vector) -> Self::Vector = $abs(x);
                copysign(magnitude: Vector, sign: Vector) -> Self::Vector = $select($splat_bits($sign), sign, magnitude);
                round(x: Vector) -> Self::Vector = $round(x);
                // Not FMIN and FMAX: theirs are other rules for NaN and for zeros.
                min(a: Vector, b: Vector) -> Self::Vector = $select($lt(a, b), a, b);
                max(a: Vector, b: Vector) -> Self::Vector = $select($lt(b, a), a, b);
                lt(a: Vector, b: Vector) -> Self::Mask = $lt(a, b);
                le(a: Vector, b: Vector) -> Self::Mask = $le(a, b);
                select(mask: Mask, yes: Vector, no: Vector) -> Self::Vector = $select(mask, yes, no);
                all(mask: Mask) -> bool = $all(mask);
                pow2(k: Vector) -> Self::Vector =
                    $from_bits($shift::<{ $mantissa_bits as i32 }>($to_bits($add(k, $splat($magic)))));
            }

            #[inline(always)]
            fn index<const SHIFT: u32>(self, x: Self::Vector) -> Self::Index {
                let mut bits = [0 as $bits; $width];
                // SAFETY: Token, and Bounds: as many numbers as the vector has lanes.
                unsafe { $store_bits(bits.as_mut_ptr(), $to_bits(x)) };
                bits.map(|bits| (bits >> SHIFT) as usize % TABLE_ROWS)
            }
            #[inline(always)]
            fn lookup(self, table: &Table<$t>, index: Self::Index) -> [Self::Vector; TABLE_COLUMNS] {
                let mut columns = [Lanes::<$t>::splat(self, 0.0); TABLE_COLUMNS];
                for (part, columns) in columns.chunks_exact_mut($width).enumerate() {
                    let rows = index.map(|row| Lanes::<$t>::load(self, &table.rows[row][part * $width..]));
                    // SAFETY: Token.
                    let transposed = unsafe { $transpose(rows) };
                    columns.copy_from_slice(&transposed);
                }
                columns
            }
            #[inline(always)]
            fn exponent_and_mantissa(self, x: Self::Vector) -> (Self::Vector, Self::Vector) {
                // As in `Portable`. An exponent becomes a number as the last bits of one too large to have a fraction.
                const ONE: $bits = (1.0 as $t).to_bits();
                const STEP: $bits = ONE - (0.75 as $t).to_bits();
                const WHOLE: $t = (1u64 << $mantissa_bits) as $t;
                const BIAS: $t = (ONE >> $mantissa_bits) as $t;
                const UP: $t = ($mantissa_bits + 1) as $t;
                // SAFETY: Token.
                unsafe {
                    let small = $lt(x, $splat($t::MIN_POSITIVE));
                    let x = $select(small, $mul(x, $splat(2.0 * WHOLE)), x);
                    let bias = $select(small, $splat(WHOLE + (BIAS + UP)), $splat(WHOLE + BIAS));
                    let bits = $to_bits(x);
                    let exponent = $shift_right::<{ $mantissa_bits as i32 }>($add_bits(bits, $splat_bits(STEP)));
                    let k = $from_bits($or_bits(exponent, $to_bits($splat(WHOLE))));
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
                if from.len() >= $width {
                    return self.load(from);
                }
                let mut lanes = [0.0; $width];
                lanes[..from.len()].copy_from_slice(from);
                self.load(&lanes)
            }
            #[inline(always)]
            fn store(self, x: Self::Vector, to: &mut [$t]) {
                assert!(to.len() >= $width);
                // SAFETY: Token, and Bounds by the assertion.
                unsafe { $store(to.as_mut_ptr(), x) }
            }
            #[inline(always)]
            fn store_partial(self, x: Self::Vector, to: &mut [$t]) {
                if to.len() >= $width {
                    return self.store(x, to);
                }
                let mut lanes = [0.0; $width];
                self.store(x, &mut lanes);
                to.copy_from_slice(&lanes[..to.len()]);
            }
        }
    };
}

neon! {
    f32, float32x4_t, uint32x4_t, 4, MAGIC_F32, MANTISSA_BITS_F32, 1 << 31,
    vdupq_n_f32 vld1q_f32 vst1q_f32 vaddq_f32 vsubq_f32 vmulq_f32 vdivq_f32 vfmaq_f32 vsqrtq_f32
    vnegq_f32 vabsq_f32 vrndnq_f32 vcltq_f32 vcleq_f32 vbslq_f32 |mask| vminvq_u32(mask) == u32::MAX,
    vdupq_n_u32 vreinterpretq_u32_f32 vshlq_n_u32 vreinterpretq_f32_u32
    u32 vaddq_u32 vsubq_u32 vorrq_u32 vshrq_n_u32,
    vst1q_u32 |[a, b, c, d]: [float32x4_t; 4]| {
        let pairs = |x, y| [vtrn1q_f32(x, y), vtrn2q_f32(x, y)].map(|v| vreinterpretq_f64_f32(v));
        let ([ab, ab_next], [cd, cd_next]) = (pairs(a, b), pairs(c, d));
        [vtrn1q_f64(ab, cd), vtrn1q_f64(ab_next, cd_next), vtrn2q_f64(ab, cd), vtrn2q_f64(ab_next, cd_next)]
            .map(|v| vreinterpretq_f32_f64(v))
    }
}

neon! {
    f64, float64x2_t, uint64x2_t, 2, MAGIC_F64, MANTISSA_BITS_F64, 1 << 63,
    vdupq_n_f64 vld1q_f64 vst1q_f64 vaddq_f64 vsubq_f64 vmulq_f64 vdivq_f64 vfmaq_f64 vsqrtq_f64
    vnegq_f64 vabsq_f64 vrndnq_f64 vcltq_f64 vcleq_f64 vbslq_f64 |mask| vminvq_u32(vreinterpretq_u32_u64(mask)) == u32::MAX,
    vdupq_n_u64 vreinterpretq_u64_f64 vshlq_n_u64 vreinterpretq_f64_u64
    u64 vaddq_u64 vsubq_u64 vorrq_u64 vshrq_n_u64,
    vst1q_u64 |[a, b]: [float64x2_t; 2]| [vtrn1q_f64(a, b), vtrn2q_f64(a, b)]
}
