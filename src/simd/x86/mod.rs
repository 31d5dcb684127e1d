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

/// The token of a level: how it is had, and how a kernel is run with its instructions.
macro_rules! token {
    ($(#[$doc:meta])* $token:ident, $features:literal, $present:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $token(());

        impl $token {
            /// The token, if the CPU has the instructions.
            #[inline]
            pub fn new() -> Option<Self> {
                static PRESENT: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| $present);
                PRESENT.then_some(Self(()))
            }

            /// Runs the kernel compiled for these instructions.
            #[inline(always)]
            pub fn enter<T: Vectorized, K: Kernel<T>>(self, kernel: K) -> K::Output
            where
                Self: Lanes<T>,
            {
                #[target_feature(enable = $features)]
                fn compiled<T: Vectorized, K: Kernel<T>>(kernel: K, token: $token) -> K::Output
                where
                    $token: Lanes<T>,
                {
                    kernel.run(token)
                }
                // SAFETY: Token.
                unsafe { compiled(kernel, self) }
            }
        }
    };
}

mod avx2;
mod avx512;

pub use avx2::Avx2;
pub use avx512::Avx512;

use super::VIRTUAL_LANES;

/// Whether a slice of `length` holds `count` numbers a `stride` apart, with indices that fit the gathers' 32 bits.
#[inline(always)]
fn spans(length: usize, stride: usize, count: usize) -> bool {
    stride <= i32::MAX as usize / VIRTUAL_LANES && count.saturating_sub(1) * stride < length
}
