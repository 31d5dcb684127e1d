//! Normalisation at work on a block of rows, handed out to threads: that of each row, and that of each column over all rows.
//!
//! Row 4 of the house: imports `kernel`, the engines and the ground. The formulas are in [`layer_norm`] and [`batch_norm`]. What a batch
//! becomes under the latter depends on all of its rows, so a pass takes it as one block ([`plan`](super::plan)), and threads share the
//! chunks of each sum and the rows of what follows from it: the same bits for any number of them.

use crate::error::Result;
use crate::float::Float;
use crate::kernel::batch_norm::{self, EPSILON, Sum, chunks};
use crate::kernel::{layer_norm, rows};
use crate::memory::zeros;
use crate::simd::Isa;
use crate::threads::Threads;

/// Numbers of a unit that a pass keeps: mean, variance and inverse deviation.
const KEPT: usize = 3;

/// What a pass keeps of the statistics of a batch, and the room to sum in, for one layer with batch normalisation.
#[derive(Clone, Debug, Default)]
pub(super) struct Statistics<T> {
    /// For each unit the mean, then the variance of the population that the batch is drawn from, then the inverse deviation.
    kept: Vec<T>,
    /// The sums of each chunk of rows.
    partial: Vec<T>,
}

impl<T: Float> Statistics<T> {
    /// How many numbers they are for batches of up to `rows` rows.
    pub fn numbers(rows: usize, units: usize) -> usize {
        chunks(rows).saturating_add(KEPT).saturating_mul(units)
    }

    /// **Errors** if the memory cannot be had.
    pub fn new(rows: usize, units: usize, what: &str) -> Result<Self> {
        let partial = zeros(chunks(rows).saturating_mul(units), what)?;
        Ok(Self { kept: zeros(KEPT.saturating_mul(units), what)?, partial })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.kept.len() + self.partial.len()
    }

    /// Means and variances, of as many units as there are.
    pub fn mean_and_variance(&self) -> [&[T]; 2] {
        let units = self.kept.len() / KEPT;
        [&self.kept[..units], &self.kept[units..2 * units]]
    }
}

/// Who works on how many rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work<'a> {
    pub isa: Isa,
    pub threads: &'a Threads,
    /// Into how many pieces the work is cut.
    pub pieces: usize,
    pub rows: usize,
}

impl Work<'_> {
    /// Sums over all rows of each column.
    fn sum<T: Float>(self, what: Sum<'_, T>, partial: &mut [T], sums: &mut [T]) {
        let (count, width) = (chunks(self.rows), sums.len());
        let partial = &mut partial[..count * width];
        self.threads.share(self.pieces, count, [&mut *partial], |chunks, [partial]| {
            batch_norm::sum_chunks(self.isa, width, what, chunks, partial);
        });
        sums.fill(T::ZERO);
        rows::add_column_sums(self.isa, partial, sums);
    }

    /// By rows: the gradient with respect to what the activation was given becomes that with respect to the weighted sums; those of scales
    /// and shifts are added to what is there unless the block is the first.
    pub fn backward_of_rows<T: Float>(
        self,
        scale: &[T],
        (normalised, inverse): (&[T], &[T]),
        delta: &mut [T],
        [scales, shifts]: [&mut [T]; 2],
        is_first: bool,
    ) {
        if is_first {
            scales.fill(T::ZERO);
            shifts.fill(T::ZERO);
        }
        rows::add_column_products(self.isa, delta, normalised, scales);
        rows::add_column_sums(self.isa, delta, shifts);
        self.threads.share(self.pieces, self.rows, [delta], |rows, [delta]| {
            let elements = rows.start * scale.len()..rows.end * scale.len();
            layer_norm::backward(self.isa, scale, &normalised[elements], &inverse[rows], delta);
        });
    }

    /// By columns: weighted sums become what the activation is given; what they were normalised to is kept where there is room for it.
    pub fn forward_of_columns<T: Float>(
        self,
        [scale, shift]: [&[T]; 2],
        z: &mut [T],
        normalised: &mut [T],
        statistics: &mut Statistics<T>,
    ) {
        let width = scale.len();
        let (isa, count) = (self.isa, self.rows as f64);
        let (share, of_population) = (T::from_f64(1.0 / count), T::from_f64(count / (count - 1.0)));
        let Statistics { kept, partial } = statistics;
        let (mean, rest) = kept.split_at_mut(width);
        let (variance, inverse) = rest.split_at_mut(width);
        self.sum(Sum::Numbers(z), partial, mean);
        mean.iter_mut().for_each(|mean| *mean *= share);
        self.sum(Sum::SquaresAbout(z, mean), partial, variance);
        for (variance, inverse) in variance.iter_mut().zip(&mut *inverse) {
            *variance *= share;
            *inverse = T::ONE / (*variance + T::from_f64(EPSILON)).sqrt();
            *variance *= of_population;
        }
        let numbers: [&[T]; 4] = [mean, inverse, scale, shift];
        self.threads.share(self.pieces, self.rows, [z, normalised], |_, [z, normalised]| {
            batch_norm::forward(isa, numbers, z, normalised);
        });
    }

    /// By columns: the gradient with respect to what the activation was given becomes that with respect to the weighted sums; those of
    /// scales and shifts are written.
    pub fn backward_of_columns<T: Float>(
        self,
        scale: &[T],
        normalised: &[T],
        statistics: &mut Statistics<T>,
        delta: &mut [T],
        [scales, shifts]: [&mut [T]; 2],
    ) {
        let width = scale.len();
        let Statistics { kept, partial } = statistics;
        self.sum(Sum::Products(delta, normalised), partial, scales);
        self.sum(Sum::Numbers(delta), partial, shifts);
        let numbers: [&[T]; 4] = [&kept[2 * width..], scale, scales, shifts];
        self.threads.share(self.pieces, self.rows, [delta], |rows, [delta]| {
            let normalised = &normalised[rows.start * width..rows.end * width];
            batch_norm::backward(self.isa, self.rows, numbers, normalised, delta);
        });
    }
}
