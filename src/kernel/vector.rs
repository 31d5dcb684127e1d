//! Vector operations on whole slices: what BLAS calls level 1.
//!
//! Sums of whole slices run in [`chains`] partial sums, so that a sum has the same bits on every level. That is four vectors
//! of the widest level: an addition waits four cycles for the one before, and one chain would take four times as long.

use super::sweep::{Step, sweep, sweep_at};
use crate::simd::{Isa, Kernel, Lanes, VIRTUAL_LANES, Vectorized};

/// `y <- y + a x`, each element rounded once.
pub fn axpy<T: Vectorized>(isa: Isa, a: T, x: &[T], y: &mut [T]) {
    sweep(isa, Axpy(a), [x], [y]);
}

/// `y <- y + a sign(x)`, where the sign of 0 is 0 and that of NaN is NaN.
pub fn add_signs<T: Vectorized>(isa: Isa, a: T, x: &[T], y: &mut [T]) {
    sweep(isa, AddSigns(a), [x], [y]);
}

/// `y <- y + x`.
pub fn add<T: Vectorized>(isa: Isa, x: &[T], y: &mut [T]) {
    sweep(isa, Add, [x], [y]);
}

/// `x <- a x`.
pub fn scale<T: Vectorized>(isa: Isa, a: T, x: &mut [T]) {
    sweep(isa, Scale(a), [], [x]);
}

/// `y <- y + part (x - y)`: that part of the way from `y` to `x`.
pub fn approach<T: Vectorized>(isa: Isa, part: T, x: &[T], y: &mut [T]) {
    sweep(isa, Approach(part), [x], [y]);
}

/// Each element is cut to the absolute value `most`; what is not finite becomes or stays NaN.
pub fn clamp<T: Vectorized>(isa: Isa, most: T, x: &mut [T]) {
    sweep(isa, Clamp(most), [], [x]);
}

/// `x <- x * by`, element by element.
pub fn multiply<T: Vectorized>(isa: Isa, x: &mut [T], by: &[T]) {
    sweep(isa, Multiply, [by], [x]);
}

/// [`multiply`] inside a kernel.
#[inline(always)]
pub(crate) fn multiply_at<T: Vectorized, L: Lanes<T>>(lanes: L, x: &mut [T], by: &[T]) {
    sweep_at(lanes, Multiply, [by], [x]);
}

/// How many partial sums [`dot`] and its relatives keep: 64 in `f32`, 32 in `f64`.
pub fn chains<T: Vectorized>() -> usize {
    T::either(4, 2) * VIRTUAL_LANES
}

/// The inner product of `x` and `y`: element `i` goes, by a fused multiply-add, to partial sum `i` modulo [`chains`]. Those are
/// added in halves, the upper to the lower, until [`VIRTUAL_LANES`] are left, and these as [`Lanes::sum`] says.
///
/// Slices of subnormal numbers take 40 times as long (x86; so do products of matrices). The optimisers leave none
/// ([`update`](super::update)), so that nothing is done about them here.
pub fn dot<T: Vectorized>(isa: Isa, x: &[T], y: &[T]) -> T {
    debug_assert_eq!(x.len(), y.len());
    T::dispatch(isa, Total([x, &y[..x.len()]], Product))
}

/// The sum of the squares of `x`: `dot(x, x)`, read once.
pub fn squared_norm<T: Vectorized>(isa: Isa, x: &[T]) -> T {
    T::dispatch(isa, Total([x], Square))
}

/// The sum of `x`, in the order of [`dot`].
pub fn sum<T: Vectorized>(isa: Isa, x: &[T]) -> T {
    T::dispatch(isa, Total([x], Plain))
}

/// The sum of the absolute values of `x`, in the order of [`dot`].
pub fn sum_abs<T: Vectorized>(isa: Isa, x: &[T]) -> T {
    T::dispatch(isa, Total([x], Absolute))
}

/// The largest absolute value: 0 of nothing, NaN if there is one.
pub fn max_abs<T: Vectorized>(isa: Isa, x: &[T]) -> T {
    T::dispatch(isa, MaxAbs { x })
}

/// Whether every element is finite.
pub fn all_finite<T: Vectorized>(isa: Isa, x: &[T]) -> bool {
    T::dispatch(isa, AllFinite { x })
}

#[derive(Clone, Copy)]
struct Axpy<T>(T);

impl<T: Vectorized> Step<T, 1, 1> for Axpy<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [x]: [L::Vector; 1], [y]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.mul_add(lanes.splat(self.0), x, y)]
    }
}

#[derive(Clone, Copy)]
struct AddSigns<T>(T);

impl<T: Vectorized> Step<T, 1, 1> for AddSigns<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [x]: [L::Vector; 1], [y]: [L::Vector; 1]) -> [L::Vector; 1] {
        let is_signed = lanes.lt(lanes.splat(T::ZERO), lanes.abs(x));
        // Neither 0 nor NaN is: they are their own signs.
        let sign = lanes.select(is_signed, lanes.copysign(lanes.splat(T::ONE), x), x);
        [lanes.mul_add(lanes.splat(self.0), sign, y)]
    }
}

#[derive(Clone, Copy)]
struct Add;

impl<T: Vectorized> Step<T, 1, 1> for Add {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [x]: [L::Vector; 1], [y]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.add(y, x)]
    }
}

#[derive(Clone, Copy)]
struct Scale<T>(T);

impl<T: Vectorized> Step<T, 0, 1> for Scale<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, []: [L::Vector; 0], [x]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.mul(lanes.splat(self.0), x)]
    }
}

#[derive(Clone, Copy)]
struct Approach<T>(T);

impl<T: Vectorized> Step<T, 1, 1> for Approach<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [x]: [L::Vector; 1], [y]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.mul_add(lanes.splat(self.0), lanes.sub(x, y), y)]
    }
}

#[derive(Clone, Copy)]
struct Clamp<T>(T);

impl<T: Vectorized> Step<T, 0, 1> for Clamp<T> {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, []: [L::Vector; 0], [x]: [L::Vector; 1]) -> [L::Vector; 1] {
        let most = lanes.splat(self.0);
        let is_beyond = lanes.lt(most, lanes.abs(x));
        // An infinite element less itself is NaN.
        let cut = lanes.add(lanes.copysign(most, x), lanes.sub(x, x));
        [lanes.select(is_beyond, cut, x)]
    }
}

#[derive(Clone, Copy)]
struct Multiply;

impl<T: Vectorized> Step<T, 1, 1> for Multiply {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [by]: [L::Vector; 1], [x]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.mul(x, by)]
    }
}

/// What an element adds to its partial sum. Always `#[inline(always)]`.
trait Term<T: Vectorized, const READS: usize>: Copy {
    fn add<L: Lanes<T>>(self, lanes: L, x: [L::Vector; READS], part: L::Vector) -> L::Vector;
}

#[derive(Clone, Copy)]
struct Product;

impl<T: Vectorized> Term<T, 2> for Product {
    #[inline(always)]
    fn add<L: Lanes<T>>(self, lanes: L, [x, y]: [L::Vector; 2], part: L::Vector) -> L::Vector {
        lanes.mul_add(x, y, part)
    }
}

#[derive(Clone, Copy)]
struct Square;

impl<T: Vectorized> Term<T, 1> for Square {
    #[inline(always)]
    fn add<L: Lanes<T>>(self, lanes: L, [x]: [L::Vector; 1], part: L::Vector) -> L::Vector {
        lanes.mul_add(x, x, part)
    }
}

#[derive(Clone, Copy)]
struct Plain;

impl<T: Vectorized> Term<T, 1> for Plain {
    #[inline(always)]
    fn add<L: Lanes<T>>(self, lanes: L, [x]: [L::Vector; 1], part: L::Vector) -> L::Vector {
        lanes.add(x, part)
    }
}

#[derive(Clone, Copy)]
struct Absolute;

impl<T: Vectorized> Term<T, 1> for Absolute {
    #[inline(always)]
    fn add<L: Lanes<T>>(self, lanes: L, [x]: [L::Vector; 1], part: L::Vector) -> L::Vector {
        lanes.add(lanes.abs(x), part)
    }
}

struct Total<'a, T, S, const READS: usize>([&'a [T]; READS], S);

impl<T: Vectorized, S: Term<T, READS>, const READS: usize> Kernel<T> for Total<'_, T, S, READS> {
    type Output = T;

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) -> T {
        let Self(slices, term) = self;
        let length = slices[0].len();
        let chains = chains::<T>();
        // At most sixteen of the narrowest vectors; of the widest there are four.
        let mut parts = [lanes.splat(T::ZERO); VIRTUAL_LANES];
        let whole = length / chains * chains;
        for block in (0..whole).step_by(chains) {
            let blocks = slices.map(|slice| &slice[block..block + chains]);
            for (i, part) in parts.iter_mut().take(chains / L::WIDTH).enumerate() {
                let mut x = [lanes.splat(T::ZERO); READS];
                for (x, block) in x.iter_mut().zip(blocks) {
                    *x = lanes.load(&block[i * L::WIDTH..(i + 1) * L::WIDTH]);
                }
                *part = term.add(lanes, x, *part);
            }
        }
        for (part, at) in parts.iter_mut().zip((whole..length).step_by(L::WIDTH)) {
            let mut x = [lanes.splat(T::ZERO); READS];
            for (x, slice) in x.iter_mut().zip(slices) {
                *x = lanes.load_partial(&slice[at..]);
            }
            *part = term.add(lanes, x, *part);
        }
        // The zeros of a partly filled vector turn partial sums of -0 into +0: here all others, too.
        for part in parts.iter_mut().take(chains / L::WIDTH) {
            *part = lanes.add(*part, lanes.splat(T::ZERO));
        }
        let mut half = chains / L::WIDTH;
        while half > VIRTUAL_LANES / L::WIDTH {
            half /= 2;
            for i in 0..half {
                parts[i] = lanes.add(parts[i], parts[i + half]);
            }
        }
        lanes.sum(parts)
    }
}

struct MaxAbs<'a, T> {
    x: &'a [T],
}

impl<T: Vectorized> Kernel<T> for MaxAbs<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) -> T {
        let mut tops = [lanes.splat(T::ZERO); 4];
        let blocks = self.x.chunks_exact(4 * L::WIDTH);
        let rest = blocks.remainder();
        for block in blocks {
            for (top, x) in tops.iter_mut().zip(block.chunks_exact(L::WIDTH)) {
                *top = larger(lanes, lanes.load(x), *top);
            }
        }
        for (top, x) in tops.iter_mut().zip(rest.chunks(L::WIDTH)) {
            *top = larger(lanes, lanes.load_partial(x), *top);
        }
        let mut values = [T::ZERO; VIRTUAL_LANES];
        let mut most = T::ZERO;
        for top in tops {
            lanes.store(top, &mut values);
            for &value in &values[..L::WIDTH] {
                // As above, for one number.
                most = if value <= most {
                    most
                } else if most <= value {
                    value
                } else {
                    most + value
                };
            }
        }
        most
    }
}

/// The larger of `|x|` and `top`, or NaN if either is.
#[inline(always)]
fn larger<T: Vectorized, L: Lanes<T>>(lanes: L, x: L::Vector, top: L::Vector) -> L::Vector {
    let x = lanes.abs(x);
    // The sum of two that are in no order is NaN.
    lanes.select(lanes.le(x, top), top, lanes.select(lanes.lt(top, x), x, lanes.add(x, top)))
}

struct AllFinite<'a, T> {
    x: &'a [T],
}

impl<T: Vectorized> Kernel<T> for AllFinite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) -> bool {
        // x - x is zero for a finite x, and NaN for the others: four vectors' are added before one comparison.
        let zero = lanes.splat(T::ZERO);
        let excess = |x: L::Vector| lanes.sub(x, x);
        let blocks = self.x.chunks_exact(4 * L::WIDTH);
        let rest = blocks.remainder();
        for block in blocks {
            let mut total = zero;
            for part in block.chunks_exact(L::WIDTH) {
                total = lanes.add(total, excess(lanes.load(part)));
            }
            if !lanes.all(lanes.le(total, zero)) {
                return false;
            }
        }
        rest.chunks(L::WIDTH).all(|part| lanes.all(lanes.le(excess(lanes.load_partial(part)), zero)))
    }
}
