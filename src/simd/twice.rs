//! Two vectors at a time: what a long loop needs to keep the arithmetic units busy.

use super::lanes::Lanes;
use super::{Isa, TABLE_COLUMNS, Table, Vectorized};

/// The lanes of `L`, twice as wide: each operation is done on two vectors.
///
/// An elementary function is one long chain of operations, each waiting four cycles for the one before. Two chains side by
/// side hide half of that, four (`Twice<Twice<L>>`) hide nearly all. The bits do not change.
#[derive(Clone, Copy, Debug)]
pub struct Twice<L>(pub L);

/// Forwards an operation on vectors to both halves.
macro_rules! both {
    ($($name:ident($($x:ident),*);)*) => {$(
        #[inline(always)]
        fn $name(self, $($x: Self::Vector),*) -> Self::Vector {
            [self.0.$name($($x[0]),*), self.0.$name($($x[1]),*)]
        }
    )*};
}

impl<T: Vectorized, L: Lanes<T>> Lanes<T> for Twice<L> {
    type Vector = [L::Vector; 2];
    type Mask = [L::Mask; 2];
    type Index = [L::Index; 2];
    const ISA: Isa = L::ISA;
    const WIDTH: usize = 2 * L::WIDTH;

    both! {
        add(a, b);
        sub(a, b);
        mul(a, b);
        div(a, b);
        mul_add(a, b, c);
        sqrt(x);
        neg(x);
        abs(x);
        copysign(magnitude, sign);
        round(x);
        min(a, b);
        max(a, b);
        pow2(k);
        scale(x, k);
        scale_far(x, k);
        scale_down(x, k);
    }

    #[inline(always)]
    fn exponent_and_mantissa(self, x: Self::Vector) -> (Self::Vector, Self::Vector) {
        let (low, high) = (self.0.exponent_and_mantissa(x[0]), self.0.exponent_and_mantissa(x[1]));
        ([low.0, high.0], [low.1, high.1])
    }
    #[inline(always)]
    fn splat(self, value: T) -> Self::Vector {
        [self.0.splat(value); 2]
    }
    #[inline(always)]
    fn load(self, from: &[T]) -> Self::Vector {
        let (low, high) = from[..Self::WIDTH].split_at(L::WIDTH);
        [self.0.load(low), self.0.load(high)]
    }
    #[inline(always)]
    fn load_partial(self, from: &[T]) -> Self::Vector {
        let (low, high) = from.split_at(from.len().min(L::WIDTH));
        [self.0.load_partial(low), self.0.load_partial(high)]
    }
    #[inline(always)]
    fn store(self, x: Self::Vector, to: &mut [T]) {
        let (low, high) = to[..Self::WIDTH].split_at_mut(L::WIDTH);
        self.0.store(x[0], low);
        self.0.store(x[1], high);
    }
    #[inline(always)]
    fn store_partial(self, x: Self::Vector, to: &mut [T]) {
        let (low, high) = to.split_at_mut(to.len().min(L::WIDTH));
        self.0.store_partial(x[0], low);
        self.0.store_partial(x[1], high);
    }
    #[inline(always)]
    fn lt(self, a: Self::Vector, b: Self::Vector) -> Self::Mask {
        [self.0.lt(a[0], b[0]), self.0.lt(a[1], b[1])]
    }
    #[inline(always)]
    fn le(self, a: Self::Vector, b: Self::Vector) -> Self::Mask {
        [self.0.le(a[0], b[0]), self.0.le(a[1], b[1])]
    }
    #[inline(always)]
    fn select(self, mask: Self::Mask, yes: Self::Vector, no: Self::Vector) -> Self::Vector {
        [self.0.select(mask[0], yes[0], no[0]), self.0.select(mask[1], yes[1], no[1])]
    }
    #[inline(always)]
    fn index<const SHIFT: u32>(self, x: Self::Vector) -> Self::Index {
        [self.0.index::<SHIFT>(x[0]), self.0.index::<SHIFT>(x[1])]
    }
    #[inline(always)]
    fn lookup(self, table: &Table<T>, index: Self::Index) -> [Self::Vector; TABLE_COLUMNS] {
        let low = self.0.lookup(table, index[0]);
        let high = self.0.lookup(table, index[1]);
        let mut both = [[low[0], high[0]]; TABLE_COLUMNS];
        for i in 1..TABLE_COLUMNS {
            both[i] = [low[i], high[i]];
        }
        both
    }
    #[inline(always)]
    fn all(self, mask: Self::Mask) -> bool {
        self.0.all(mask[0]) && self.0.all(mask[1])
    }
}
