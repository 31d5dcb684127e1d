//! What every level can do with a vector: the operations that a [`Kernel`](super::Kernel) is written in.

use std::fmt::Debug;

use super::{Isa, TABLE_COLUMNS, Table, Vectorized};

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
/// Anybody may write lanes, as of numbers of another kind: a token that does no arithmetic and notes what it is asked for has, of a formula
/// in [`math`](crate::kernel::math), the formula as data. Which levels a kernel is dispatched to is closed ([`Vectorized::dispatch`]).
///
/// **NaN** goes through arithmetic. Comparisons with it are false. [`min`](Self::min) and [`max`](Self::max) return their
/// *second* operand if either is NaN, as x86 does: a clamp that puts `x` second keeps NaN, one that puts it first loses it.
pub trait Lanes<T: Vectorized>: Copy + Debug {
    /// [`WIDTH`](Self::WIDTH) numbers in a register.
    type Vector: Copy;
    /// A truth for each lane.
    type Mask: Copy;
    /// A row of a [`Table`] for each lane.
    type Index: Copy;
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
    /// Asks for the line that holds the first number of `from` to be brought into the second-level cache; nothing depends on it.
    #[inline(always)]
    fn prefetch(self, from: &[T]) {
        let _ = from;
    }
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

    /// The row that each lane names with the five bits of its representation from `SHIFT` up.
    fn index<const SHIFT: u32>(self, x: Self::Vector) -> Self::Index;
    /// The row of each lane, as one vector for each column. (What a caller does not use costs nothing.)
    fn lookup(self, table: &Table<T>, index: Self::Index) -> [Self::Vector; TABLE_COLUMNS];

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

    /// `x * 2^k`, rounded once, for `x` from 1/4 to 2 and integers `k` up to 2^10 either way; for others anything.
    #[inline(always)]
    fn scale_far(self, x: Self::Vector, k: Self::Vector) -> Self::Vector {
        // 2^k may be no normal number: of two factors the first stays among them, so that only the second product rounds.
        let safe = T::from_f64(T::either(100.0, 1000.0));
        let first = self.min(self.splat(safe), self.max(self.splat(-safe), k));
        self.scale(self.scale(x, first), self.sub(k, first))
    }

    /// [`scale_far`](Self::scale_far) for `k` from -200 for `f32`, -2000 for `f64`, up to 0: half the operations.
    #[inline(always)]
    fn scale_down(self, x: Self::Vector, k: Self::Vector) -> Self::Vector {
        let (up, down) =
            T::either((100.0, f64::from_bits((1023 - 100) << 52)), (1000.0, f64::from_bits((1023 - 1000) << 52)));
        let near = self.scale(x, self.add(k, self.splat(T::from_f64(up))));
        self.mul(near, self.splat(T::from_f64(down)))
    }

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
