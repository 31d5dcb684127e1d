//! The one bound that users see: `f32` or `f64`, with every engine behind it.
//!
//! Row 2 of the house: imports `gemm`, `simd`, `scalar`.

use crate::gemm::Gemm;
use crate::scalar::Scalar;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32` or `f64`: a [`Scalar`] with the SIMD kernels and the GEMM of this library.
pub trait Float: Scalar + Gemm + std::fmt::Display + sealed::Sealed {
    /// The type's name: `f32` or `f64`.
    const NAME: &'static str;
    /// Appends the number's bytes, little-endian.
    fn write_le(self, bytes: &mut Vec<u8>);
    /// The number of the given little-endian bytes, `size_of::<Self>()` of them.
    fn read_le(bytes: &[u8]) -> Self;
}

macro_rules! float {
    ($t:ident) => {
        impl Float for $t {
            const NAME: &'static str = stringify!($t);
            fn write_le(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
            fn read_le(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("as many bytes as the type has"))
            }
        }
    };
}

float!(f32);
float!(f64);
