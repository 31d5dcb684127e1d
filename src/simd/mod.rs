//! Vector instructions: which levels there are, which is used, and lanes over them.
//!
//! Row 2 of the house: imports `scalar` and `error`. Begin with [`Lanes`]: it says what a vector can do. A [`Kernel`] is
//! written once over any lanes; [`Vectorized::dispatch`] runs it with the instructions of one [`Isa`]. A token of a level
//! (`Avx2`, `Avx512`, `Neon`) is had only by asking the CPU, so that holding one proves that its instructions exist.
//!
//! All unsafe code is in `x86` and `neon`.

mod isa;
mod lanes;
#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code)] // Intrinsics, and entering a function compiled for them.
mod neon;
mod portable;
mod table;
mod twice;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)] // The same.
mod x86;

pub use isa::{Isa, VARIABLE};
pub use lanes::{Lanes, VIRTUAL_LANES};
#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
pub use portable::Portable;
pub use table::{TABLE_BITS, TABLE_COLUMNS, TABLE_ROWS, Table};
pub use twice::Twice;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

use crate::scalar::Scalar;

/// A computation written once for the vectors of every level.
pub trait Kernel<T: Vectorized> {
    /// What it returns.
    type Output;

    /// Runs it. Implementations, and all that they call with `lanes`, are `#[inline(always)]`: only code inlined into the
    /// level's entry is compiled to the level's instructions (what is not stays right, and is ten times slower).
    fn run<L: Lanes<T>>(self, lanes: L) -> Self::Output;
}

/// The scalars that have lanes: `f32` and `f64`.
pub trait Vectorized: Scalar + PartialOrd + lanes::sealed::Sealed {
    /// Runs the kernel with the instructions of `isa`.
    ///
    /// **Panics** if this machine does not have them ([`Isa::require`] tells before).
    fn dispatch<K: Kernel<Self>>(isa: Isa, kernel: K) -> K::Output;

    /// The value that belongs to this type: how generic code holds constants for both.
    fn either<V>(single: V, double: V) -> V;

    /// The slices, with the type that they have: how generic code reaches what is compiled once for each.
    fn typed<'a, const READS: usize, const WRITES: usize>(
        read: [&'a [Self]; READS],
        written: [&'a mut [Self]; WRITES],
    ) -> Typed<'a, READS, WRITES>;

    /// The table, if it is one of this type: how generic code has an algorithm for `f32` alone.
    fn own(single: &'static Table<f32>) -> Option<&'static Table<Self>>;
}

/// Slices that are read and slices that are written, of one type.
#[derive(Debug)]
pub enum Typed<'a, const READS: usize, const WRITES: usize> {
    /// Of `f32`.
    Single([&'a [f32]; READS], [&'a mut [f32]; WRITES]),
    /// Of `f64`.
    Double([&'a [f64]; READS], [&'a mut [f64]; WRITES]),
}

macro_rules! vectorized {
    ($t:ident, $typed:ident, $either:expr, $own:expr) => {
        impl lanes::sealed::Sealed for $t {}

        impl Vectorized for $t {
            // Always, so that the kernel's fields are written once, where `compiled` reads them.
            #[inline(always)]
            fn dispatch<K: Kernel<Self>>(isa: Isa, kernel: K) -> K::Output {
                match isa {
                    Isa::Portable => Portable.enter(kernel),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => Avx2::new().unwrap_or_else(|| absent(isa)).enter(kernel),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => Avx512::new().unwrap_or_else(|| absent(isa)).enter(kernel),
                    #[cfg(target_arch = "aarch64")]
                    Isa::Neon => Neon::new().unwrap_or_else(|| absent(isa)).enter(kernel),
                    _ => absent(isa),
                }
            }

            #[inline(always)]
            fn either<V>(single: V, double: V) -> V {
                $either(single, double)
            }

            #[inline(always)]
            fn typed<'a, const READS: usize, const WRITES: usize>(
                read: [&'a [Self]; READS],
                written: [&'a mut [Self]; WRITES],
            ) -> Typed<'a, READS, WRITES> {
                Typed::$typed(read, written)
            }

            #[inline(always)]
            fn own(single: &'static Table<f32>) -> Option<&'static Table<Self>> {
                $own(single)
            }
        }
    };
}

vectorized!(f32, Single, |single, _| single, Some);
vectorized!(f64, Double, |_, double| double, |_| None);

/// What makes `k + MAGIC` hold, in its low bits, the integer `k` plus the bias of an exponent: 1.5 times the power of two
/// from which on a number has no fraction, plus the bias. Shifted left by the mantissa's bits, that is the number `2^k`.
const MAGIC_F32: f32 = 12_582_912.0 + 127.0;
const MANTISSA_BITS_F32: u32 = 23;
const MAGIC_F64: f64 = 6_755_399_441_055_744.0 + 1023.0;
const MANTISSA_BITS_F64: u32 = 52;

#[cold]
fn absent<Token>(isa: Isa) -> Token {
    panic!("the instruction set {isa} was asked for, which this machine does not have")
}
