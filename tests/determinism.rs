//! Same seed, data and settings: the same bits of every parameter and every recorded loss, for any number of threads; also
//! with a BLAS, the linked one or the one that `DELTARULE_BLAS` names.

mod blas;

use deltarule::prelude::*;
use deltarule::scalar::Scalar;
use deltarule::simd::Isa;
use ndarray::{Array2, s};
use std::collections::BTreeMap;
use std::ops::ControlFlow::Continue;
use std::sync::{Arc, Mutex};

/// One thread, a few, an odd number that divides nothing evenly, and more than there are cores here.
const THREADS: [usize; 5] = [1, 2, 3, 4, 8];

/// What is trained, and on what.
#[derive(Clone, Copy)]
struct Subject {
    name: &'static str,
    inputs: usize,
    hidden: &'static [usize],
    rows: usize,
    batch: usize,
    epochs: usize,
}

/// Thousands of rows through small layers: batches are cut into shards of rows.
const TALL: Subject = Subject { name: "tall", inputs: 20, hidden: &[48, 48], rows: 2501, batch: 1250, epochs: 2 };
/// Few rows through wide layers: the products are cut, if anything is.
const WIDE: Subject = Subject { name: "wide", inputs: 300, hidden: &[257], rows: 160, batch: 64, epochs: 2 };

const OUTPUTS: usize = 3;

struct Data<T> {
    x: Array2<T>,
    y: Array2<T>,
    weights: Vec<T>,
}

impl<T: Float> Data<T> {
    fn new(subject: Subject) -> Self {
        let mut rng = Rng::new(7);
        let x = Array2::from_shape_simple_fn((subject.rows, subject.inputs), || rng.normal(0.0, 1.0));
        let mut y = Array2::from_elem((subject.rows, OUTPUTS), T::ZERO);
        y.rows_mut().into_iter().for_each(|mut row| row[rng.below(OUTPUTS)] = T::ONE);
        Self { x, y, weights: (0..subject.rows).map(|_| rng.uniform(0.5, 2.0)).collect() }
    }

    fn rows(&self, rows: std::ops::Range<usize>, weighted: bool) -> Batch<'_, T> {
        let weights = weighted.then(|| &self.weights[rows.clone()]);
        Batch { x: self.x.slice(s![rows.clone(), ..]), y: self.y.slice(s![rows, ..]), weights }
    }
}

/// The bits of a training: parameters, training losses, held-back losses.
type Bits = [Vec<u64>; 3];

#[derive(Clone, Copy)]
struct Setting {
    subject: Subject,
    solver: Solver,
    engine: Engine,
    seed: u64,
    weighted: bool,
    held_back: bool,
}

fn train<T: Float>(setting: Setting, threads: &Threads) -> Bits {
    let Setting { subject, solver, engine, seed, weighted, held_back } = setting;
    let data = Data::<T>::new(subject);
    let spec = Spec::mlp(subject.inputs, subject.hidden, Activation::Tanh, OUTPUTS, Activation::Softmax).unwrap();
    let mut net = Network::<T>::new(spec, None, &mut Rng::with_stream(seed, 1)).unwrap();
    let trainer = Trainer {
        solver,
        objective: Objective { loss: Loss::SoftmaxCrossEntropy, l1: 0.0, l2: 1e-3 },
        learning_rate: 0.01,
        epochs: subject.epochs,
        batch: subject.batch,
        seed,
        stopping: Stopping::NEVER,
        engine,
        threads: threads.clone(),
        ..Trainer::default()
    };
    let last = if held_back { subject.rows - subject.rows / 5 } else { subject.rows };
    let judged = held_back.then(|| data.rows(last..subject.rows, weighted));
    let history = trainer.fit(&mut net, data.rows(0..last, weighted), judged, &mut |_| Continue(())).unwrap();
    assert_eq!((history.training.len(), history.validation.is_empty()), (subject.epochs, !held_back));
    let bits = |numbers: &[f64]| numbers.iter().map(|n| n.to_bits()).collect();
    let params: Vec<f64> = net.params().iter().map(|p| p.real()).collect();
    [bits(&params), bits(&history.training), bits(&history.validation)]
}

const SOLVERS: [Solver; 3] =
    [Solver::Steps(Method::Sgd { momentum: 0.9, nesterov: false }), Solver::Steps(Method::adam()), Solver::Lbfgs];

/// The embedded GEMM, and each BLAS that can be had.
fn engines() -> Vec<Engine> {
    [vec![Engine::default()], blas::engines()].concat()
}

fn settings(engine: Engine) -> impl Iterator<Item = Setting> {
    let subjects = [TALL, WIDE].into_iter().flat_map(|subject| SOLVERS.map(|solver| (subject, solver)));
    subjects.flat_map(move |(subject, solver)| {
        [(false, false), (true, true)].map(|(weighted, held_back)| Setting {
            subject,
            solver,
            engine,
            seed: 3,
            weighted,
            held_back,
        })
    })
}

fn any_number_of_threads<T: Float>() {
    let pools = THREADS.map(|count| Threads::new(count).unwrap());
    for setting in engines().into_iter().flat_map(settings) {
        let [one, others @ ..] = &pools;
        let expected = train::<T>(setting, one);
        for threads in others {
            let Setting { subject, solver, engine, .. } = setting;
            let (count, gemm) = (threads.count(), engine.backend());
            let what = format!("{} {} {solver:?}, {gemm}, {count} threads", T::NAME, subject.name);
            assert!(train::<T>(setting, threads) == expected, "{what}: other bits than on one thread");
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit_in_f32() {
    any_number_of_threads::<f32>();
}

#[test]
fn the_number_of_threads_changes_no_bit_in_f64() {
    any_number_of_threads::<f64>();
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    for setting in engines().into_iter().flat_map(settings) {
        let first = train::<f32>(setting, &Threads::one());
        assert!(first == train::<f32>(setting, &Threads::one()), "{} {:?}", setting.subject.name, setting.solver);
        let [params, losses, _] = train::<f32>(Setting { seed: 4, ..setting }, &Threads::one());
        assert!(params != first[0] && losses != first[1], "{} {:?}", setting.subject.name, setting.solver);
    }
}

/// The squared error, and where the rows of outputs lie.
#[derive(Clone, Debug, Default)]
struct Addresses(Arc<Mutex<Vec<usize>>>);

impl LossFn for Addresses {
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
        self.0.lock().unwrap().push(output.as_ptr() as usize);
        Loss::SquaredError.row(output, target, delta)
    }
}

/// Into how many pieces a batch of the subject is cut: runs of adjacent rows of outputs.
fn pieces(subject: Subject) -> usize {
    let data = Data::<f64>::new(subject);
    let spec = Spec::mlp(subject.inputs, subject.hidden, Activation::Tanh, OUTPUTS, Activation::Softmax).unwrap();
    let net = Network::<f64>::new(spec, None, &mut Rng::new(1)).unwrap();
    let mut workspace = Workspace::new(net.spec(), subject.batch, Engine::default(), Threads::one()).unwrap();
    let objective = Objective { loss: Addresses::default(), l1: 0.0, l2: 0.0 };
    pass::value(net.spec(), net.params(), data.rows(0..subject.batch, false), &objective, &mut workspace).unwrap();
    let mut found = objective.loss.0.lock().unwrap().clone();
    found.sort_unstable();
    1 + found.windows(2).filter(|pair| pair[1] - pair[0] != OUTPUTS * size_of::<f64>()).count()
}

#[test]
fn the_subjects_are_cut_so_that_threads_have_something_to_share() {
    assert!(pieces(TALL) > 2, "{}", pieces(TALL));
}

/// More than is promised so far: the kernels' bits are the same on every instruction set, and so, as it stands, are the
/// products', which cut their sums by shape alone.
#[test]
fn the_instruction_set_changes_no_bit() {
    fn agree<T: Float>() {
        for setting in settings(Engine::default()).filter(|setting| setting.weighted) {
            let mut groups: BTreeMap<Bits, Vec<&str>> = BTreeMap::new();
            for isa in Isa::available() {
                let engine = Engine::new(isa, Backend::Embedded).unwrap();
                groups.entry(train::<T>(Setting { engine, ..setting }, &Threads::one())).or_default().push(isa.name());
            }
            let groups: Vec<_> = groups.values().map(|names| names.join(" = ")).collect();
            let what = format!("{} {} {:?}: {}", T::NAME, setting.subject.name, setting.solver, groups.join(" | "));
            println!("{what}");
            assert_eq!(groups.len(), 1, "{what}");
        }
    }
    agree::<f32>();
    agree::<f64>();
}
