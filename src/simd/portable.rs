//! Lanes without vector instructions: plain arrays, which are also the definition of what every level computes.

use super::lanes::Lanes;
use super::{Isa, Kernel, TABLE_COLUMNS, TABLE_ROWS, Table, VIRTUAL_LANES, Vectorized};

/// The level that every machine has.
///
/// Each operation is written lane by lane. A compiler turns most into whatever vectors the target has by default; the fused
/// multiply-add is a call into the system's library where the target has none, and slow.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Portable {
    /// Runs the kernel, out of the way of the levels that share a function with the call.
    #[inline(never)]
    pub fn enter<T: Vectorized, K: Kernel<T>>(self, kernel: K) -> K::Output
    where
        Self: Lanes<T>,
    {
        kernel.run(self)
    }
}

pub(super) const WIDTH: usize = 4;
const _: () = assert!(VIRTUAL_LANES.is_multiple_of(WIDTH));

macro_rules! portable {
    ($t:ident, $magic:expr, $mantissa_bits:expr) => {
        impl Lanes<$t> for Portable {
            type Vector = [$t; WIDTH];
            type Mask = [bool; WIDTH];
            type Index = [usize; WIDTH];
            const ISA: Isa = Isa::Portable;
            const WIDTH: usize = WIDTH;

            #[inline(always)]
            fn splat(self, value: $t) -> Self::Vector {
                [value; WIDTH]
            }
            #[inline(always)]
            fn load(self, from: &[$t]) -> Self::Vector {
                std::array::from_fn(|i| from[i])
            }
            #[inline(always)]
            fn load_partial(self, from: &[$t]) -> Self::Vector {
                std::array::from_fn(|i| from.get(i).copied().unwrap_or(0.0))
            }
            #[inline(always)]
            fn store(self, x: Self::Vector, to: &mut [$t]) {
                to[..WIDTH].copy_from_slice(&x);
            }
            #[inline(always)]
            fn store_partial(self, x: Self::Vector, to: &mut [$t]) {
                to.iter_mut().zip(x).for_each(|(to, x)| *to = x);
            }
            #[inline(always)]
            fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| a[i] + b[i])
            }
            #[inline(always)]
            fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| a[i] - b[i])
            }
            #[inline(always)]
            fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| a[i] * b[i])
            }
            #[inline(always)]
            fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| a[i] / b[i])
            }
            #[inline(always)]
            fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
            }
            #[inline(always)]
            fn sqrt(self, x: Self::Vector) -> Self::Vector {
                x.map($t::sqrt)
            }
            #[inline(always)]
            fn neg(self, x: Self::Vector) -> Self::Vector {
                x.map(|x| -x)
            }
            #[inline(always)]
            fn abs(self, x: Self::Vector) -> Self::Vector {
                x.map($t::abs)
            }
            #[inline(always)]
            fn copysign(self, magnitude: Self::Vector, sign: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| magnitude[i].copysign(sign[i]))
            }
            #[inline(always)]
            fn round(self, x: Self::Vector) -> Self::Vector {
                x.map($t::round_ties_even)
            }
            #[inline(always)]
            fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
            }
            #[inline(always)]
            fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
            }
            #[inline(always)]
            fn lt(self, a: Self::Vector, b: Self::Vector) -> Self::Mask {
                std::array::from_fn(|i| a[i] < b[i])
            }
            #[inline(always)]
            fn le(self, a: Self::Vector, b: Self::Vector) -> Self::Mask {
                std::array::from_fn(|i| a[i] <= b[i])
            }
            #[inline(always)]
            fn select(self, mask: Self::Mask, yes: Self::Vector, no: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| if mask[i] { yes[i] } else { no[i] })
            }
            #[inline(always)]
            fn all(self, mask: Self::Mask) -> bool {
                mask.iter().all(|&m| m)
            }
            #[inline(always)]
            fn index<const SHIFT: u32>(self, x: Self::Vector) -> Self::Index {
                x.map(|x| (x.to_bits() >> SHIFT) as usize % TABLE_ROWS)
            }
            #[inline(always)]
            fn lookup(self, table: &Table<$t>, index: Self::Index) -> [Self::Vector; TABLE_COLUMNS] {
                std::array::from_fn(|column| index.map(|row| table.rows[row][column]))
            }
            #[inline(always)]
            fn pow2(self, k: Self::Vector) -> Self::Vector {
                // In `k + magic` the low bits are k plus the bias of the exponent; the shift drops the rest.
                k.map(|k| $t::from_bits((k + $magic).to_bits() << $mantissa_bits))
            }
            #[inline(always)]
            fn exponent_and_mantissa(self, x: Self::Vector) -> (Self::Vector, Self::Vector) {
                // Subnormal numbers are made normal first.
                let (up, scale) = (($mantissa_bits + 1) as $t, (2u64 << $mantissa_bits) as $t);
                let small = x.map(|x| x < $t::MIN_POSITIVE);
                let bits: [_; WIDTH] = std::array::from_fn(|i| if small[i] { x[i] * scale } else { x[i] }.to_bits());
                // One step from 3/4 to 1 moves the intervals' edges to where the exponent changes.
                let one = (1.0 as $t).to_bits();
                let step = one - (0.75 as $t).to_bits();
                let exponent = bits.map(|bits| bits.wrapping_add(step) >> $mantissa_bits);
                let k = std::array::from_fn(|i| {
                    exponent[i] as $t - (one >> $mantissa_bits) as $t - if small[i] { up } else { 0.0 }
                });
                let m = std::array::from_fn(|i| {
                    $t::from_bits(bits[i].wrapping_sub(exponent[i] << $mantissa_bits).wrapping_add(one))
                });
                (k, m)
            }
        }
    };
}

portable!(f32, super::MAGIC_F32, super::MANTISSA_BITS_F32);
portable!(f64, super::MAGIC_F64, super::MANTISSA_BITS_F64);
