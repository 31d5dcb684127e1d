//! What L-BFGS knows of the curvature: the last few moves, and how the gradient changed along each.
//!
//! **Source**: Nocedal 1980; the two loops are Algorithm 7.4 of Nocedal and Wright, Numerical Optimization (2006).

use super::minimum::{check_buffer, check_number};
use super::zeros;
use crate::error::Result;
use crate::kernel::vector;
use crate::simd::{Isa, Vectorized};

/// A ring of moves `s` and gradient changes `y`, oldest overwritten first.
#[derive(Clone, Debug)]
pub(super) struct History<T> {
    len: usize,
    moves: Vec<T>,
    changes: Vec<T>,
    /// `s . y` of each pair.
    products: Vec<f64>,
    /// The factors between the two loops.
    factors: Vec<f64>,
    /// `s . y / y . y` of the newest pair: the scale of the inverse curvature.
    scale: f64,
    count: usize,
    next: usize,
}

impl<T: Vectorized> History<T> {
    pub fn new(len: usize, capacity: usize) -> Result<Self> {
        let pairs = |count| zeros(len, count, "the L-BFGS history");
        Ok(Self {
            len,
            moves: pairs(capacity)?,
            changes: pairs(capacity)?,
            products: vec![0.0; capacity],
            factors: vec![0.0; capacity],
            scale: 1.0,
            count: 0,
            next: 0,
        })
    }

    /// The history that [`pairs`](Self::pairs) and [`ring`](Self::ring) said; what follows from the pairs is computed again.
    ///
    /// **Errors** if a length, a number or a place in the ring is none that a history has.
    pub fn resume(
        isa: Isa,
        len: usize,
        capacity: usize,
        (moves, changes): (Vec<T>, Vec<T>),
        (count, next): (usize, usize),
    ) -> Result<Self> {
        check_buffer("L-BFGS's moves", &moves, capacity.saturating_mul(len))?;
        check_buffer("L-BFGS's changes", &changes, capacity.saturating_mul(len))?;
        check_number("L-BFGS's pairs", count <= capacity, &format!("0 to {capacity}"), count)?;
        check_number("L-BFGS's next pair", next < capacity, &format!("below {capacity}"), next)?;
        let numbers = || vec![0.0; capacity];
        let mut history =
            Self { len, moves, changes, products: numbers(), factors: numbers(), scale: 1.0, count, next };
        for age in (0..count).rev() {
            let slot = (next + capacity - 1 - age) % capacity;
            let pair = slot * len..(slot + 1) * len;
            let (s, y) = (&history.moves[pair.clone()], &history.changes[pair]);
            let product = dot(isa, s, y);
            let scale = product / dot(isa, y, y);
            let is_curved = product.is_finite() && product > 0.0 && scale.is_finite() && scale > 0.0;
            check_number(&format!("L-BFGS's pair {slot}, move times change"), is_curved, "above 0", product)?;
            (history.products[slot], history.scale) = (product, scale);
        }
        Ok(history)
    }

    /// The ring's moves and changes, those forgotten too.
    pub fn pairs(&self) -> (&[T], &[T]) {
        (&self.moves, &self.changes)
    }

    /// How many pairs are known, and where the next one goes.
    pub fn ring(&self) -> (usize, usize) {
        (self.count, self.next)
    }

    pub fn clear(&mut self) {
        self.count = 0;
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Remembers the move between two points with their gradients, unless its curvature is not positive beyond
    /// `rounding` (then the inverse would not stay positive definite).
    pub fn push(&mut self, isa: Isa, rounding: f64, from: (&[T], &[T]), to: (&[T], &[T])) {
        let slot = self.next;
        let range = slot * self.len..(slot + 1) * self.len;
        let (s, y) = (&mut self.moves[range.clone()], &mut self.changes[range]);
        for (difference, from, to) in [(&mut *s, from.0, to.0), (&mut *y, from.1, to.1)] {
            difference.copy_from_slice(to);
            vector::axpy(isa, -T::ONE, from, difference);
        }
        let (sy, ss, yy) = (dot(isa, s, y), dot(isa, s, s), dot(isa, y, y));
        let scale = sy / yy;
        if sy > rounding * ss.sqrt() * yy.sqrt() && scale.is_finite() && scale > 0.0 {
            self.products[slot] = sy;
            self.scale = scale;
            self.next = (slot + 1) % self.products.len();
            self.count = (self.count + 1).min(self.products.len());
        } else {
            // The slot held the oldest pair of a full ring, now overwritten; what may not be finite is not kept.
            s.fill(T::ZERO);
            y.fill(T::ZERO);
            self.count = self.count.min(self.products.len() - 1);
        }
    }

    /// `direction <- -H grad`, H the inverse curvature as far as it is known. Not for an empty history.
    pub fn descend(&mut self, isa: Isa, grad: &[T], direction: &mut [T]) {
        direction.copy_from_slice(grad);
        let capacity = self.products.len();
        for age in 0..self.count {
            let slot = (self.next + capacity - 1 - age) % capacity;
            let pair = slot * self.len..(slot + 1) * self.len;
            let factor = dot(isa, &self.moves[pair.clone()], direction) / self.products[slot];
            self.factors[slot] = factor;
            vector::axpy(isa, T::from_f64(-factor), &self.changes[pair], direction);
        }
        vector::scale(isa, T::from_f64(-self.scale), direction);
        for age in (0..self.count).rev() {
            let slot = (self.next + capacity - 1 - age) % capacity;
            let pair = slot * self.len..(slot + 1) * self.len;
            let back = dot(isa, &self.changes[pair.clone()], direction) / self.products[slot];
            vector::axpy(isa, T::from_f64(-(self.factors[slot] + back)), &self.moves[pair], direction);
        }
    }
}

/// The inner product; summed again as `f64` where `T` has over- or underflowed, as an `f32` does at 1e20 squared.
pub(super) fn dot<T: Vectorized>(isa: Isa, x: &[T], y: &[T]) -> f64 {
    let fast = vector::dot(isa, x, y).real();
    if fast.is_normal() { fast } else { x.iter().zip(y).fold(0.0, |sum, (x, y)| x.real().mul_add(y.real(), sum)) }
}
