//! Optimisers allocate when they are made and never again. A file of its own, for it replaces the allocator.

use deltarule::optim::lbfgs::Options;
use deltarule::optim::perceptron::Perceptron;
use deltarule::optim::{Lbfgs, Method, Optimizer, Rprop, rprop};
use deltarule::simd::Isa;
use deltarule::threads::Threads;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::ControlFlow::Continue;

thread_local! {
    /// Of this thread alone: the test harness allocates in others.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting.
struct Counting;

// SAFETY: every call is passed to the system's allocator as it came; the count is a thread-local `Cell` without a
// destructor, which touching cannot allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's duty, passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's duty, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn the_count_sees_an_allocation() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1u8; 100]))), 1);
}

#[test]
fn first_order_steps_allocate_nothing() {
    let isa = Isa::current();
    let centred = Method::RmsProp { rho: 0.9, epsilon: 1e-8, momentum: 0.9, centered: true };
    let methods = Method::NAMES.iter().map(|name| Method::parse(name).unwrap());
    for method in methods.chain([Method::Sgd { momentum: 0.0, nesterov: false }, centred]) {
        let mut optimizer = Optimizer::<f32>::new(method, 1000).unwrap();
        let (mut params, grad) = (vec![1.0; 1000], vec![0.5; 1000]);
        assert_eq!(allocations(|| (0..10).for_each(|_| optimizer.step(isa, 0.01, &grad, &mut params))), 0, "{method}");
        let threads = Threads::one();
        let count = allocations(|| {
            optimizer.step_checked(&threads, isa, 0.01, &grad, &mut params);
        });
        assert_eq!(count, 0, "{method}, checked");
        assert!(params[999] < 1.0);
    }
}

#[test]
fn a_minimisation_allocates_nothing() {
    let isa = Isa::current();
    let mut lbfgs = Lbfgs::<f64>::new(100, Options { gradient_tolerance: 1e-9, ..Options::default() }).unwrap();
    let mut params = vec![0.0; 100];
    let mut report = None;
    let objective = |p: &[f64], grad: &mut [f64]| {
        let mut value = 0.0;
        for (i, (p, g)) in p.iter().zip(grad).enumerate() {
            *g = (i + 1) as f64 * (p - 1.0) + (p - 1.0).powi(3);
            value += 0.5 * (i + 1) as f64 * (p - 1.0).powi(2) + 0.25 * (p - 1.0).powi(4);
        }
        Ok(value)
    };
    let count = allocations(|| report = Some(lbfgs.minimize(isa, &mut params, objective, |_| Continue(())).unwrap()));
    assert_eq!(count, 0);
    assert!(report.unwrap().iterations > 10, "{report:?}: the history of 10 must have been filled");

    let mut rprop = Rprop::<f64>::new(100, rprop::Options::default()).unwrap();
    params.fill(0.0);
    let count = allocations(|| report = Some(rprop.minimize(isa, &mut params, objective, |_| Continue(())).unwrap()));
    assert_eq!(count, 0);
    assert!(report.unwrap().stopped.converged(), "{report:?}");
}

#[test]
fn a_perceptrons_passes_allocate_nothing() {
    let mut rule = Perceptron::<f32>::new(2, 1).unwrap();
    let (mut weights, mut bias) = ([0.0; 2], [0.0]);
    let count = allocations(|| {
        rule.fit(Isa::current(), 50, &[0.0, 1.0, 1.0, 0.0], &[1.0, 0.0], &mut weights, &mut bias).unwrap();
    });
    assert_eq!(count, 0);
    assert!(weights != [0.0; 2]);
}
