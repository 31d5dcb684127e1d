//! One pool of threads, or none.
//!
//! Work is handed out as a fixed list of pieces; which thread takes which piece never changes a result.
//! Ground of the house: imports `error`. What it allocates and what becomes of panics is tested in `tests/threads.rs`.

use crate::error::{Error, Result};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// The threads that an engine may use: itself alone, or a pool of its own.
#[derive(Clone, Debug, Default)]
pub struct Threads(Option<Arc<rayon::ThreadPool>>);

impl Threads {
    /// The most threads a pool may have: above the 768 hardware threads of the largest two-socket machines, and well below
    /// the 32768 tasks at which a Linux system as installed refuses more.
    pub const MAX: usize = 1024;

    /// The calling thread alone: nothing of rayon is on the path.
    pub fn one() -> Self {
        Self(None)
    }

    /// A pool of `count` threads; 0 means one for each available core, of which it takes no more than [`MAX`](Self::MAX).
    ///
    /// **Errors** if `count` is above [`MAX`](Self::MAX), or the system cannot start so many.
    pub fn new(count: usize) -> Result<Self> {
        let count = match count {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get()).min(Self::MAX),
            n if n > Self::MAX => return Err(Error::setting("threads", format!("0 (all cores) to {}", Self::MAX), n)),
            n => n,
        };
        if count == 1 {
            return Ok(Self::one());
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|i| format!("deltarule-{i}"))
            .build()
            .map_err(|e| {
                Error::setting("threads", "a number of threads that the system can start", format!("{count} ({e})"))
            })?;
        // A thread's first allocation reserves address space for its own (64 MiB with glibc). Here it does, so that what `memory`
        // finds free under a limit is not taken by threads that begin later.
        pool.broadcast(|_| drop(std::hint::black_box(Box::new(0_u8))));
        Ok(Self(Some(Arc::new(pool))))
    }

    /// How many threads there are.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// Runs `work` inside the pool, so that what it hands out allocates nothing: to be entered once for many steps.
    ///
    /// **Panics** if `work` does; the pool can be used again.
    pub fn enter<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            None => work(),
            Some(pool) => pool.install(work),
        }
    }

    /// Runs both, on two threads if one is free. To be called inside the pool ([`enter`](Self::enter)); allocates nothing.
    pub fn join(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
        match &self.0 {
            None => {
                a();
                b();
            }
            Some(pool) => pool.install(|| {
                rayon::join(a, b);
            }),
        }
    }

    /// Cuts matrices of `rows` rows each into `pieces` ranges of rows and calls `work` with each range and its rows of every matrix,
    /// once each, in any order and on any thread. A piece but the last is a multiple of 8 rows; there may be fewer pieces.
    ///
    /// **Shapes**: each slice is `rows` times a number of columns of its own, which may be 0.
    #[inline]
    pub fn share<T: Send, const N: usize>(
        &self,
        pieces: usize,
        rows: usize,
        matrices: [&mut [T]; N],
        work: impl Fn(Range<usize>, [&mut [T]; N]) + Sync,
    ) {
        if pieces < 2 {
            return work(0..rows, matrices);
        }
        self.share_range(pieces, 0..rows, matrices, &work);
    }

    fn share_range<T: Send, const N: usize>(
        &self,
        pieces: usize,
        rows: Range<usize>,
        matrices: [&mut [T]; N],
        work: &(impl Fn(Range<usize>, [&mut [T]; N]) + Sync),
    ) {
        if pieces < 2 {
            return work(rows, matrices);
        }
        let first = (rows.len() * (pieces / 2) / pieces).next_multiple_of(8);
        if first == 0 || first >= rows.len() {
            return work(rows, matrices);
        }
        let mut upper = matrices;
        let lower = upper.each_mut().map(|matrix| {
            let cut = matrix.len() / rows.len() * first;
            let (top, bottom) = std::mem::take(matrix).split_at_mut(cut);
            *matrix = top;
            bottom
        });
        let middle = rows.start + first;
        self.join(
            || self.share_range(pieces / 2, rows.start..middle, upper, work),
            || self.share_range(pieces - pieces / 2, middle..rows.end, lower, work),
        );
    }

    /// Calls `work` with the index of each piece and the piece, once each, in any order and on any thread.
    ///
    /// **Panics** with the panic of a piece, after the pieces begun have ended; the others may not have been called.
    pub fn for_each<P: Send>(&self, pieces: &mut [P], work: impl Fn(usize, &mut P) + Sync) {
        match &self.0 {
            Some(pool) if pieces.len() > 1 => {
                pool.install(|| pieces.par_iter_mut().enumerate().for_each(|(i, piece)| work(i, piece)));
            }
            _ => pieces.iter_mut().enumerate().for_each(|(i, piece)| work(i, piece)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_threads_as_asked_for() {
        assert_eq!(Threads::one().count(), 1);
        assert_eq!(Threads::default().count(), 1);
        assert_eq!(Threads::new(1).unwrap().count(), 1);
        assert_eq!(Threads::new(3).unwrap().count(), 3);
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(Threads::new(0).unwrap().count(), cores.min(Threads::MAX));
    }

    #[test]
    fn an_absurd_number_is_refused_before_anything_starts() {
        for count in [Threads::MAX + 1, 100_000, usize::MAX] {
            let refusal = Threads::new(count).unwrap_err().to_string();
            assert_eq!(refusal, format!("threads: expected 0 (all cores) to 1024, found {count}"));
        }
    }

    #[test]
    fn every_piece_is_called_once_with_its_index() {
        for threads in [Threads::one(), Threads::new(4).unwrap()] {
            for len in [0, 1, 2, 7, 1000] {
                let mut pieces = vec![0; len];
                threads.for_each(&mut pieces, |i, piece| *piece += i + 1);
                assert!(pieces.iter().enumerate().all(|(i, &piece)| piece == i + 1));
            }
        }
    }

    #[test]
    fn matrices_are_cut_at_the_same_rows_and_every_row_is_called_once() {
        for threads in [Threads::one(), Threads::new(3).unwrap()] {
            for (pieces, rows) in [(0, 5), (1, 100), (2, 0), (2, 7), (2, 8), (2, 9), (3, 100), (7, 33), (16, 1000)] {
                let (mut narrow, mut wide) = (vec![0; rows], vec![0; 3 * rows]);
                threads.share(pieces, rows, [&mut narrow, &mut wide, &mut []], |range, [narrow, wide, none]| {
                    assert!(none.is_empty() && wide.len() == 3 * range.len() && narrow.len() == range.len());
                    assert!(range.start.is_multiple_of(8));
                    narrow.iter_mut().zip(range.clone()).for_each(|(x, i)| *x += i + 1);
                    wide.iter_mut().enumerate().for_each(|(j, x)| *x += range.start + j / 3 + 1);
                });
                assert!(narrow.iter().enumerate().all(|(i, &x)| x == i + 1), "{pieces} pieces of {rows}");
                assert!(wide.iter().enumerate().all(|(j, &x)| x == j / 3 + 1), "{pieces} pieces of {rows}");
            }
        }
    }

    #[test]
    fn entering_runs_inside_and_gives_the_result() {
        let threads = Threads::new(2).unwrap();
        assert!(threads.enter(|| std::thread::current().name().is_some_and(|name| name.starts_with("deltarule-"))));
        assert_eq!(Threads::one().enter(|| 7), 7);
        // Entering again inside is the same pool, not a second one.
        assert_eq!(threads.enter(|| threads.enter(|| threads.count())), 2);
    }
}
