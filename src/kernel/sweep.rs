//! The one loop over slices, which all elementwise kernels share.

use crate::simd::{Isa, Kernel, Lanes, Twice, Vectorized};

/// What happens to the elements at one place of `READS` slices and of `WRITES` others.
pub trait Step<T: Vectorized, const READS: usize, const WRITES: usize>: Copy {
    /// The new values of the written slices. Always `#[inline(always)]`.
    fn step<L: Lanes<T>>(self, lanes: L, read: [L::Vector; READS], written: [L::Vector; WRITES])
    -> [L::Vector; WRITES];
}

/// Scaled and shifted, rounded once: what a norm ends with.
#[derive(Clone, Copy)]
pub(super) struct Affine;

impl<T: Vectorized> Step<T, 2, 1> for Affine {
    #[inline(always)]
    fn step<L: Lanes<T>>(self, lanes: L, [scale, shift]: [L::Vector; 2], [x]: [L::Vector; 1]) -> [L::Vector; 1] {
        [lanes.mul_add(scale, x, shift)]
    }
}

/// Takes the step along the slices, all as long as the first that is written.
#[inline]
pub fn sweep<T: Vectorized, S: Step<T, READS, WRITES>, const READS: usize, const WRITES: usize>(
    isa: Isa,
    step: S,
    read: [&[T]; READS],
    written: [&mut [T]; WRITES],
) {
    debug_assert!(read.iter().all(|r| r.len() == written[0].len()), "slices of different lengths");
    debug_assert!(written.iter().all(|w| w.len() == written[0].len()), "slices of different lengths");
    T::dispatch(isa, Sweep { step, read, written });
}

/// [`sweep`] inside a kernel that runs at a level already, for slices of a few vectors.
#[inline(always)]
pub(super) fn sweep_at<
    T: Vectorized,
    L: Lanes<T>,
    S: Step<T, READS, WRITES>,
    const READS: usize,
    const WRITES: usize,
>(
    lanes: L,
    step: S,
    read: [&[T]; READS],
    written: [&mut [T]; WRITES],
) {
    let length = written[0].len();
    sweep_rest(lanes, step, read.map(|slice| &slice[..length]), written.map(|slice| &mut slice[..length]), 0);
}

/// The step at every vector from `at` on, with lanes to spare in the last.
#[inline(always)]
fn sweep_rest<T: Vectorized, L: Lanes<T>, S: Step<T, READS, WRITES>, const READS: usize, const WRITES: usize>(
    lanes: L,
    step: S,
    read: [&[T]; READS],
    written: [&mut [T]; WRITES],
    mut at: usize,
) {
    let length = written[0].len();
    while at < length {
        let mut x = [lanes.splat(T::ZERO); READS];
        for i in 0..READS {
            x[i] = lanes.load_partial(&read[i][at..]);
        }
        let mut y = [lanes.splat(T::ZERO); WRITES];
        for i in 0..WRITES {
            y[i] = lanes.load_partial(&written[i][at..]);
        }
        y = step.step(lanes, x, y);
        for i in 0..WRITES {
            lanes.store_partial(y[i], &mut written[i][at..]);
        }
        at += L::WIDTH;
    }
}

struct Sweep<'a, T, S, const READS: usize, const WRITES: usize> {
    step: S,
    read: [&'a [T]; READS],
    written: [&'a mut [T]; WRITES],
}

impl<T, S, const READS: usize, const WRITES: usize> Kernel<T> for Sweep<'_, T, S, READS, WRITES>
where
    T: Vectorized,
    S: Step<T, READS, WRITES>,
{
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let length = self.written[0].len();
        // Cut to one length here, so that the loops need no further checks.
        let mut read = [&[][..]; READS];
        for (cut, slice) in read.iter_mut().zip(self.read) {
            *cut = &slice[..length];
        }
        let written = self.written.map(|slice| &mut slice[..length]);

        let wide = Twice(Twice(lanes));
        let width = 4 * L::WIDTH;
        let mut at = 0;
        while length - at >= width {
            let mut x = [wide.splat(T::ZERO); READS];
            for i in 0..READS {
                x[i] = wide.load(&read[i][at..at + width]);
            }
            let mut y = [wide.splat(T::ZERO); WRITES];
            for i in 0..WRITES {
                y[i] = wide.load(&written[i][at..at + width]);
            }
            y = self.step.step(wide, x, y);
            for i in 0..WRITES {
                wide.store(y[i], &mut written[i][at..at + width]);
            }
            at += width;
        }
        // The rest goes through the same operations.
        sweep_rest(lanes, self.step, read, written, at);
    }
}
