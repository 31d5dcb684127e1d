//! Pools of threads, which calls may share their work among.

use crate::abi::Threads;
use crate::border::{Out, export};
use crate::handle;
use crate::status::Failure;
use deltarule::threads::Threads as Pool;

/// The pool of a handle; none is the calling thread alone.
pub fn pool(threads: Threads) -> Result<Pool, Failure> {
    match threads.id {
        0 => Ok(Pool::one()),
        _ => Ok((*handle::get::<Pool>(threads)?.expect("there is one type of pools")).clone()),
    }
}

export! {
    /// Starts a pool of `count` threads; 0 is one for each core, 1024 the most. Starting one takes about 100 us, so that one is made and
    /// used again and again. After fork() the child has none of its threads: it makes its own.
    fn deltarule_threads_new(call, count: usize, threads: Out<Threads>) {
        let place = call.place("threads", threads)?;
        *place = handle::keep(Pool::new(count)?)?;
        Ok(())
    }

    /// Frees a pool. Its threads end when nothing that was made with it is left.
    fn deltarule_threads_free(_call, threads: Threads) {
        handle::free(threads)
    }

    /// How many threads a pool has; of all zero, 1.
    fn deltarule_threads_count(call, threads: Threads, count: Out<usize>) {
        let place = call.place("count", count)?;
        *place = pool(threads)?.count();
        Ok(())
    }
}
