//! Both cores, and how long it will take.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// `work` of every number below `count`, on all cores; the results in order, whoever made them.
pub fn in_parallel<R: Send>(count: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<R>>> = Mutex::new((0..count).map(|_| None).collect());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers.min(count) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= count {
                        return;
                    }
                    let result = work(i);
                    results.lock().expect("no worker panicked with the lock")[i] = Some(result);
                }
            });
        }
    });
    let results = results.into_inner().expect("every worker is done");
    results.into_iter().map(|result| result.expect("every number was taken")).collect()
}

/// How much of the work is done, in nanoseconds as they were once measured: a guess that the clock corrects.
#[derive(Debug)]
pub struct Progress {
    begun: Instant,
    total: u64,
    done: AtomicU64,
    cost: AtomicU64,
    over: AtomicBool,
}

impl Progress {
    /// Nothing done of `total` (inputs, each times its cost).
    pub fn new(total: u64) -> Self {
        let (done, cost, over) = (AtomicU64::new(0), AtomicU64::new(1), AtomicBool::new(false));
        Self { begun: Instant::now(), total, done, cost, over }
    }

    /// What an input costs from here on.
    pub fn each_costs(&self, cost: u64) {
        self.cost.store(cost, Ordering::Relaxed);
    }

    /// So many more inputs are done.
    pub fn advance(&self, inputs: u64) {
        self.done.fetch_add(inputs * self.cost.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// The time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Runs `work` while standard error tells how much time is left: often on a terminal, now and then in a log.
    pub fn shown<R>(&self, work: impl FnOnce() -> R) -> R {
        let terminal = std::io::stderr().is_terminal();
        let pause = Duration::from_secs(if terminal { 1 } else { 60 });
        thread::scope(|scope| {
            let watch = scope.spawn(|| {
                while !self.over.load(Ordering::Relaxed) {
                    thread::park_timeout(pause);
                    if !self.over.load(Ordering::Relaxed) {
                        self.tell(terminal);
                    }
                }
            });
            let result = work();
            self.over.store(true, Ordering::Relaxed);
            watch.thread().unpark();
            result
        })
    }

    fn tell(&self, terminal: bool) {
        let share = self.done.load(Ordering::Relaxed) as f64 / self.total.max(1) as f64;
        let left = self.elapsed().as_secs_f64() * (1.0 - share).max(0.0) / share.max(1e-6);
        let (begin, end) = if terminal { ("\r", "   ") } else { ("", "\n") };
        eprint!("{begin}prove: {:.0} %, {:.1} minutes left{end}", 100.0 * share, left / 60.0);
        // Nobody is told when standard error itself fails.
        let _ = std::io::stderr().flush();
    }
}
