//! One pool of threads, or none.
//!
//! Work is handed out as a fixed list of pieces; which thread takes which piece never changes a result.
//! Ground of the house: imports `error`.

use crate::error::{Error, Result};
use rayon::prelude::*;
use std::sync::Arc;

/// The threads that an engine may use: itself alone, or a pool of its own.
#[derive(Clone, Debug, Default)]
pub struct Threads(Option<Arc<rayon::ThreadPool>>);

impl Threads {
    /// The calling thread alone: nothing of rayon is on the path.
    pub fn one() -> Self {
        Self(None)
    }

    /// A pool of `count` threads; 0 means one for each available core.
    ///
    /// **Errors** if the system cannot start them.
    pub fn new(count: usize) -> Result<Self> {
        let count = match count {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
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
        Ok(Self(Some(Arc::new(pool))))
    }

    /// How many threads there are.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// Runs `work` inside the pool, so that what it hands out allocates nothing: to be entered once for many steps.
    pub fn enter<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            None => work(),
            Some(pool) => pool.install(work),
        }
    }

    /// Calls `work` with the index of each piece and the piece.
    pub fn for_each<P: Send>(&self, pieces: &mut [P], work: impl Fn(usize, &mut P) + Sync) {
        match &self.0 {
            Some(pool) if pieces.len() > 1 => {
                pool.install(|| pieces.par_iter_mut().enumerate().for_each(|(i, piece)| work(i, piece)));
            }
            _ => pieces.iter_mut().enumerate().for_each(|(i, piece)| work(i, piece)),
        }
    }
}
