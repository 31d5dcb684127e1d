//! What every level can do with a vector: the operations that a [`Kernel`](super::Kernel) is written in.

use std::fmt::Debug;

use super::{Isa, Vectorized};

pub(super) mod sealed {
    pub trait Sealed {}
}

/// How many partial sums a reduction keeps, at every level: the lanes of the widest vector.
pub const VIRTUAL_LANES: usize = 16;

/// A token that proves that this CPU has a level's instructions, and the operations on that level's vectors of `T`.
///
/// **Determinism**: each operation gives the same bits in each lane at every level. (Of a NaN only that it is one: hardware
/// chooses the payload.) So a kernel gives the same bits everywhere if no lane of it depends on [`WIDTH`](Self::WIDTH);
/// reductions keep [`VIRTUAL_LANES`] partial sums and end with [`sum`](Self::sum).
///
/// **NaN** goes through arithmetic. Comparisons with it are false. [`min`](Self::min) and [`max`](Self::max) return their
/// *second* operand if either is NaN, as x86 does: a clamp that puts `x` second keeps NaN, one that puts it first loses it.
pub trait Lanes<T: Vectorized>: Copy + Debug + sealed::Sealed {
    /// [`WIDTH`](Self::WIDTH) numbers in a register.
    type Vector: Copy;
    /// A truth for each lane.
    type Mask: Copy;
    /// The level.
    const ISA: Isa;
    /// How many lanes a vector has.
    const WIDTH: usize;

    /// `value` in every lane.
    fn splat(self, value: T) -> Self::Vector;

    /// The first `WIDTH` numbers of `from`.
    ///
    /// **Panics** if there are fewer.
    fn load(self, from: &[T]) -> Self::Vector;
    /// The numbers of `from`, at most `WIDTH`, and zero in the lanes that it does not fill.
    fn load_partial(self, from: &[T]) -> Self::Vector;
    /// Each `stride`-th number of `from`, from its first: at most `count` and at most `WIDTH`; the other lanes are zero.
    #[inline(always)]
    fn load_strided(self, from: &[T], stride: usize, count: usize) -> Self::Vector {
        self.load_partial(&strided(from, stride, count.min(Self::WIDTH)))
    }
    /// Writes the first `WIDTH` numbers of `to`.
    ///
    /// **Panics** if there are fewer.
    fn store(self, x: Self::Vector, to: &mut [T]);
    /// Writes the numbers of `to`, at most `WIDTH`; lanes that it has no place for are dropped.
    fn store_partial(self, x: Self::Vector, to: &mut [T]);

    /// `a + b`.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a - b`.
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b`.
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a / b`.
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The square root.
    fn sqrt(self, x: Self::Vector) -> Self::Vector;
    /// `-x`.
    fn neg(self, x: Self::Vector) -> Self::Vector;
    /// The absolute value.
    fn abs(self, x: Self::Vector) -> Self::Vector;
    /// The magnitude of the first with the sign of the second.
    fn copysign(self, magnitude: Self::Vector, sign: Self::Vector) -> Self::Vector;
    /// The nearest integer, of two the even one.
    fn round(self, x: Self::Vector) -> Self::Vector;

    /// `a` where `a < b`, else `b`.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a` where `a > b`, else `b`.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a < b`.
    fn lt(self, a: Self::Vector, b: Self::Vector) -> Self::Mask;
    /// `a <= b`.
    fn le(self, a: Self::Vector, b: Self::Vector) -> Self::Mask;
    /// `yes` where the mask is true, else `no`.
    fn select(self, mask: Self::Mask, yes: Self::Vector, no: Self::Vector) -> Self::Vector;
    /// Whether the mask is true in every lane.
    fn all(self, mask: Self::Mask) -> bool;

    /// `2^k` for integers `k` whose `2^k` is a normal number; for others anything.
    fn pow2(self, k: Self::Vector) -> Self::Vector;
    /// `x * 2^k`, rounded once, for normal `x` and integers `k` whose `2^k` is a normal number; for others anything.
    #[inline(always)]
    fn scale(self, x: Self::Vector, k: Self::Vector) -> Self::Vector {
        self.mul(x, self.pow2(k))
    }
    /// `k` and `m` of `x = 2^k m`, with integers `k` and `m` from 3/4 to below 3/2, for finite positive `x`, subnormal ones too;
    /// for others anything.
    fn exponent_and_mantissa(self, x: Self::Vector) -> (Self::Vector, Self::Vector);

    /// The sum of [`VIRTUAL_LANES`] lanes, held in the first `VIRTUAL_LANES / WIDTH` vectors of `parts`: lane `i` plus lane
    /// `i + 8`, of those `i` plus `i + 4`, and so on.
    #[inline(always)]
    fn sum(self, parts: [Self::Vector; VIRTUAL_LANES]) -> T {
        let mut lanes = [T::ZERO; VIRTUAL_LANES];
        for (to, &part) in lanes.chunks_exact_mut(Self::WIDTH).zip(&parts) {
            self.store(part, to);
        }
        let mut half = VIRTUAL_LANES;
        while half > 1 {
            half /= 2;
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
        }
        lanes[0]
    }
}

/// Every `stride`-th number of `from`, at most `count`, then zeros.
#[inline(always)]
pub(super) fn strided<T: Vectorized>(from: &[T], stride: usize, count: usize) -> [T; VIRTUAL_LANES] {
    let mut lanes = [T::ZERO; VIRTUAL_LANES];
    let values = from.iter().step_by(stride.max(1)).take(count);
    lanes.iter_mut().zip(values).for_each(|(lane, &value)| *lane = value);
    lanes
}
