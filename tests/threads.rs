//! The pool: which threads it has, what it allocates, and what becomes of a panic.
//!
//! A file of its own because it counts every allocation of its process; one test at a time does, by the lock.

mod counting;

use counting::{allocations, alone};
use deltarule::engine::Engine;
use deltarule::gemm::{Mat, MatMut, gemm};
use deltarule::threads::Threads;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Enough pieces that a thread finds some, few enough to be quick.
const PIECES: usize = 64;

/// Hands out pieces until each thread has taken one and `work` has run in each.
fn warm_up(threads: &Threads, work: &(impl Fn() + Sync)) {
    let seen = Mutex::new(HashSet::new());
    let begun = Instant::now();
    while seen.lock().unwrap().len() < threads.count() {
        assert!(begun.elapsed() < Duration::from_secs(60), "a thread takes no work");
        threads.for_each(&mut [(); PIECES], |_, ()| {
            work();
            seen.lock().unwrap().insert(std::thread::current().id());
            std::thread::sleep(Duration::from_micros(100));
        });
    }
}

#[test]
fn handing_out_work_inside_the_pool_allocates_nothing() {
    let _alone = alone();
    for count in [1, 2, 4] {
        let threads = Threads::new(count).unwrap();
        let mut sums = [0usize; PIECES];
        warm_up(&threads, &|| ());
        let counted = threads.enter(|| {
            allocations(|| {
                for _ in 0..1000 {
                    threads.for_each(&mut sums, |i, sum| *sum += i);
                }
            })
        });
        assert_eq!(counted, 0, "{count} threads");
        assert!(sums.iter().enumerate().all(|(i, &sum)| sum == 1000 * i));
    }
    assert!(allocations(|| drop(vec![1u8; 10])) > 0, "the count counts");
}

#[test]
fn products_inside_the_pool_allocate_nothing() {
    let _alone = alone();
    let threads = Threads::new(2).unwrap();
    let (a, b) = (vec![1.0f32; 100 * 80], vec![1.0f32; 80 * 70]);
    let product = |c: &mut [f32]| {
        // B transposed and with a ragged edge: both factors are packed.
        let b = Mat::new(&b, 70, 80).t();
        gemm(Engine::default(), 1.0, Mat::new(&a, 100, 80), b, 0.0, MatMut::new(c, 100, 70));
    };
    warm_up(&threads, &|| product(&mut [0.0; 100 * 70]));
    let mut results = vec![vec![0.0f32; 100 * 70]; 8];
    let counted = threads.enter(|| {
        allocations(|| {
            for _ in 0..20 {
                threads.for_each(&mut results, |_, c| product(c));
            }
        })
    });
    assert_eq!(counted, 0);
    assert!(results.iter().flatten().all(|&x| x == 80.0));
}

#[test]
fn a_panic_of_a_worker_reaches_the_caller_and_the_pool_lives_on() {
    let _alone = alone();
    for count in [1, 3] {
        let threads = Threads::new(count).unwrap();
        let mut pieces = [0usize; PIECES];
        let caught = catch_unwind(AssertUnwindSafe(|| {
            threads.enter(|| threads.for_each(&mut pieces, |i, _| assert!(i != 40, "piece 40 is bad")));
        }));
        let message = caught.unwrap_err().downcast_ref::<&str>().copied().unwrap_or_default().to_string();
        assert_eq!(message, "piece 40 is bad", "{count} threads");
        threads.for_each(&mut pieces, |i, piece| *piece = i);
        assert!(pieces.iter().enumerate().all(|(i, &piece)| piece == i), "{count} threads");
    }
}
