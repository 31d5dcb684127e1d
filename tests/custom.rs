//! A stranger's activations and losses: trained and checked like our own, and found out where they are wrong.

use deltarule::gradcheck::{Options, Verdict};
use deltarule::optim::Update;
use deltarule::prelude::*;
use deltarule::scalar::Scalar;
use deltarule::simd::Isa;
use deltarule::{Result, verify};
use ndarray::Array2;
use std::ops::ControlFlow::Continue;

/// Bent identity: the least that a stranger must write.
#[derive(Clone, Debug)]
struct Bent;

impl ActivationFn for Bent {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        let two = T::from_f64(2.0);
        let root = (z * z + T::ONE).sqrt();
        ((root - T::ONE) / two + z, z / (two * root) + T::ONE)
    }
}

/// The logarithm of the hyperbolic cosine of the error.
#[derive(Clone, Debug)]
struct LogCosh;

impl LossFn for LogCosh {
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
        let mut sum = T::ZERO;
        for ((&o, &t), d) in output.iter().zip(target).zip(delta) {
            let e = (o - t).abs();
            sum += e + (-(e + e)).exp().ln_1p() - T::from_f64(std::f64::consts::LN_2);
            *d = (o - t).tanh();
        }
        sum
    }
}

/// A row divided by its length: no function of one sum alone.
#[derive(Clone, Debug)]
struct UnitLength;

impl ActivationFn for UnitLength {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        (z / z.abs(), T::ZERO)
    }

    fn forward_row<T: Scalar>(&self, z: &mut [T], slope: &mut [T]) {
        let length = length(z);
        slope.fill(T::ONE / length);
        z.iter_mut().for_each(|z| *z /= length);
    }

    fn backward_row<T: Scalar>(&self, a: &[T], slope: &[T], delta: &mut [T]) {
        let mut along = T::ZERO;
        a.iter().zip(&*delta).for_each(|(&a, &d)| along += a * d);
        delta.iter_mut().zip(a).zip(slope).for_each(|((d, &a), &s)| *d = (*d - along * a) * s);
    }
}

fn length<T: Scalar>(row: &[T]) -> T {
    let mut square = T::ZERO;
    row.iter().for_each(|&z| square += z * z);
    square.sqrt()
}

/// Ours under another name, so that a network may mix them with one's own.
#[derive(Clone, Debug)]
enum Mixed {
    Mine(Bent),
    Ours(Activation),
}

impl ActivationFn for Mixed {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        match self {
            Self::Mine(a) => a.value_and_slope(z),
            Self::Ours(a) => a.value_and_slope(z),
        }
    }
    fn apply<T: Float>(&self, isa: Isa, z: &mut [T], cols: usize) {
        match self {
            Self::Mine(a) => a.apply(isa, z, cols),
            Self::Ours(a) => a.apply(isa, z, cols),
        }
    }
    fn apply_with_slope<T: Float>(&self, isa: Isa, z: &mut [T], slope: &mut [T], cols: usize) {
        match self {
            Self::Mine(a) => a.apply_with_slope(isa, z, slope, cols),
            Self::Ours(a) => a.apply_with_slope(isa, z, slope, cols),
        }
    }
    fn backward<T: Float>(&self, isa: Isa, a: &[T], slope: &[T], delta: &mut [T], cols: usize) {
        match self {
            Self::Mine(f) => f.backward(isa, a, slope, delta, cols),
            Self::Ours(f) => f.backward(isa, a, slope, delta, cols),
        }
    }
    fn builtin(&self) -> Option<Activation> {
        match self {
            Self::Mine(a) => a.builtin(),
            Self::Ours(a) => a.builtin(),
        }
    }
}

/// The focal loss with gamma 2, which reads logits: `-t (1 - s)^2 ln s - (1 - t) s^2 ln(1 - s)` (Lin et al. 2017).
#[derive(Clone, Debug)]
struct Focal;

impl LossFn for Focal {
    fn row<T: Scalar>(&self, output: &[T], target: &[T], delta: &mut [T]) -> T {
        let (two, mut sum) = (T::from_f64(2.0), T::ZERO);
        for ((&o, &t), d) in output.iter().zip(target).zip(delta) {
            let (s, r) = (o.sigmoid(), (-o).sigmoid());
            let (ln_s, ln_r) = (-(-o).softplus(), -o.softplus());
            sum += -(t * r * r * ln_s) - (T::ONE - t) * s * s * ln_r;
            *d = t * r * r * (two * s * ln_s - r) - (T::ONE - t) * s * s * (two * r * ln_r - s);
        }
        sum
    }
    fn link(&self) -> Option<Activation> {
        Some(Activation::Sigmoid)
    }
    fn check_target(&self, target: &[f64]) -> Result<()> {
        match target.iter().find(|t| ![0.0, 1.0].contains(*t)) {
            Some(bad) => Err(deltarule::Error::shape("target of the focal loss", "0 or 1", bad)),
            None => Ok(()),
        }
    }
}

fn data<T: Float>() -> (Array2<T>, Array2<T>) {
    let mut rng = Rng::new(1);
    let x = Array2::from_shape_simple_fn((40, 2), || rng.normal::<f64>(0.0, 1.0));
    let y = Array2::from_shape_fn((40, 1), |(i, _)| f64::from(x[[i, 0]] * x[[i, 1]] > 0.0));
    (x.mapv(T::from_f64), y.mapv(T::from_f64))
}

fn mlp<T: Float, A: ActivationFn>(hidden: A, output: A) -> Network<T, A> {
    Network::new(Spec::mlp(2, &[12], hidden, 1, output).unwrap(), None, &mut Rng::new(3)).unwrap()
}

/// Trains by every solver, checks the gradient at the start and where the training ends, and gives the least loss reached.
fn learns<T: Float, A: ActivationFn, L: LossFn>(net: &Network<T, A>, loss: L) -> f64 {
    let (x, y) = data::<T>();
    let rows = Batch { x: x.view(), y: y.view(), weights: None };
    let objective = Objective { loss, l1: 0.0, l2: 0.0 };
    let mut least = f64::INFINITY;
    for solver in [Solver::Steps(Method::sgd()), Solver::Steps(Method::adam()), Solver::Lbfgs] {
        let base = Trainer::new(objective.clone());
        let trainer =
            Trainer { solver, learning_rate: 0.02, epochs: 300, batch: 10, stopping: Stopping::NEVER, ..base };
        let mut trained = net.clone();
        let history = trainer.fit(&mut trained, rows, None, &mut |_| Continue(())).unwrap();
        let last = history.training[history.training.len() - 1];
        assert!(last < 0.5 * history.training[0], "{solver:?} {}: {last} of {}", T::NAME, history.training[0]);
        verify::parameters(&trained, rows, &trainer.objective, Engine::default(), &Options::default())
            .unwrap()
            .require()
            .unwrap();
        least = least.min(last);
    }
    verify::parameters(net, rows, &objective, Engine::default(), &Options::default()).unwrap().require().unwrap();
    verify::inputs(net, x.view(), Engine::default(), &Options::default()).unwrap().require().unwrap();
    least
}

#[test]
fn a_strangers_functions_are_trained_and_checked() {
    assert!(learns(&mlp::<f64, _>(Bent, Bent), LogCosh) < 0.02);
    assert!(learns(&mlp::<f32, _>(Bent, Bent), LogCosh) < 0.02);
    assert!(learns(&mlp::<f64, _>(Mixed::Mine(Bent), Mixed::Ours(Activation::Sigmoid)), Focal) < 0.01);
    // A stranger's loss on our activations, which it recognises by its link.
    assert!(learns(&mlp::<f32, _>(Activation::Tanh, Activation::Sigmoid), Focal) < 0.01);
}

#[test]
fn a_function_of_whole_rows_may_stand_in_any_layer() {
    let (x, _) = data::<f64>();
    let y = Array2::from_shape_fn((40, 3), |(i, j)| x[[i, j % 2]]);
    let rows = Batch { x: x.view(), y: y.view(), weights: None };
    for hidden in [&[][..], &[4], &[4, 5]] {
        let net =
            Network::<f64, _>::new(Spec::mlp(2, hidden, UnitLength, 3, UnitLength).unwrap(), None, &mut Rng::new(2))
                .unwrap();
        let objective = Objective { loss: LogCosh, l1: 0.0, l2: 0.1 };
        verify::parameters(&net, rows, &objective, Engine::default(), &Options::default()).unwrap().require().unwrap();
        verify::inputs(&net, x.view(), Engine::default(), &Options::default()).unwrap().require().unwrap();
    }
}

#[test]
fn our_functions_behind_a_strangers_door_give_the_same_bits() {
    let (x, y) = data::<f32>();
    let rows = Batch { x: x.view(), y: y.view(), weights: None };
    let trainer = Trainer {
        objective: Objective { loss: Loss::LogisticCrossEntropy, l1: 0.0, l2: 0.01 },
        epochs: 20,
        ..Trainer::default()
    };
    let mut ours = mlp::<f32, _>(Activation::Tanh, Activation::Sigmoid);
    let mut mixed = mlp(Mixed::Ours(Activation::Tanh), Mixed::Ours(Activation::Sigmoid));
    trainer.fit(&mut ours, rows, None, &mut |_| Continue(())).unwrap();
    trainer.fit(&mut mixed, rows, None, &mut |_| Continue(())).unwrap();
    assert_eq!(ours.params(), mixed.params());
}

#[test]
fn a_strangers_optimiser_moves_a_network() {
    struct SignDescent;
    impl Update<f64> for SignDescent {
        fn step(&mut self, _: Isa, rate: f64, grad: &[f64], params: &mut [f64]) {
            params.iter_mut().zip(grad).for_each(|(p, g)| *p -= rate * g.signum());
        }
    }
    let (x, y) = data();
    let mut net = mlp(Bent, Bent);
    let mut workspace = Workspace::new(net.spec(), 40, Engine::default(), Threads::one()).unwrap();
    let mut gradient = vec![0.0; net.params().len()];
    let objective = Objective { loss: LogCosh, l1: 0.0, l2: 0.0 };
    let mut loss = Vec::new();
    for _ in 0..200 {
        let batch = Batch { x: x.view(), y: y.view(), weights: None };
        let (spec, params) = net.parts_mut();
        let value = pass::value_and_gradient(spec, params, batch, &objective, &mut workspace, &mut gradient).unwrap();
        SignDescent.step(Isa::current(), 0.005, &gradient, params);
        loss.push(value.loss);
    }
    assert!(loss[199] < 0.5 * loss[0], "{} of {}", loss[199], loss[0]);
}

// --------------------------------------------------------------------------------------------------------- wrong ones

/// Bent identity, wrong in one way.
#[derive(Clone, Debug, PartialEq)]
enum Wrong {
    /// The slope has lost its 1.
    Slope,
    /// The sign of the slope.
    Sign,
    /// What predicts is not what is trained.
    Apply,
    /// The slope is taken where the activation is, not its sum.
    Place,
}

impl ActivationFn for Wrong {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        let (value, slope) = Bent.value_and_slope(z);
        match self {
            Self::Slope => (value, slope - T::ONE),
            Self::Sign => (value, -slope),
            Self::Apply => (value, slope),
            Self::Place => (value, Bent.value_and_slope(value).1),
        }
    }
    fn apply<T: Float>(&self, _: Isa, z: &mut [T], _: usize) {
        let factor = T::from_f64(if *self == Self::Apply { 1.001 } else { 1.0 });
        z.iter_mut().for_each(|z| *z = factor * Bent.value_and_slope(*z).0);
    }
}

#[test]
fn wrong_functions_are_refused_by_the_check() {
    let (x, y) = data::<f64>();
    let rows = Batch { x: x.view(), y: y.view(), weights: None };
    for wrong in [Wrong::Slope, Wrong::Sign, Wrong::Apply, Wrong::Place] {
        let net = mlp::<f64, _>(wrong.clone(), wrong.clone());
        let objective = Objective { loss: LogCosh, l1: 0.0, l2: 0.0 };
        let report = verify::parameters(&net, rows, &objective, Engine::default(), &Options::default()).unwrap();
        assert_eq!(report.verdict, Verdict::Wrong, "{wrong:?}");
        let error = report.require().unwrap_err().to_string();
        assert!(error.starts_with("gradient wrong at tolerance 1e-7: of 49 coordinates "), "{error}");
        // Of one layer, for two wrong signs make a right one.
        let spec = Spec::mlp(2, &[], wrong.clone(), 1, wrong.clone()).unwrap();
        let net = Network::<f64, _>::new(spec, None, &mut Rng::new(3)).unwrap();
        assert_eq!(
            verify::inputs(&net, x.view(), Engine::default(), &Options::default()).unwrap().verdict,
            Verdict::Wrong,
            "{wrong:?}"
        );
    }
}

/// A constant out of range, and no slope.
#[derive(Clone, Debug)]
struct Useless;

impl ActivationFn for Useless {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        (z, T::ONE)
    }
    fn is_differentiable(&self) -> bool {
        false
    }
}

#[derive(Clone, Debug)]
struct OutOfRange;

impl ActivationFn for OutOfRange {
    fn value_and_slope<T: Scalar>(&self, z: T) -> (T, T) {
        (z, T::ONE)
    }
    fn check(&self) -> Result<()> {
        Err(deltarule::Error::setting("beta of mine", "a number above 0", -1))
    }
}

#[test]
fn what_a_stranger_refuses_is_refused() {
    let error = Spec::mlp(2, &[3], OutOfRange, 1, OutOfRange).unwrap_err().to_string();
    assert_eq!(error, "layer 1: beta of mine: expected a number above 0, found -1");
    let (x, y) = data::<f64>();
    let batch = |y| Batch { x: x.view(), y, weights: None };
    let error =
        Trainer::<Loss>::default().fit(&mut mlp(Useless, Useless), batch(y.view()), None, &mut |_| Continue(()));
    assert!(error.unwrap_err().to_string().starts_with("layer 1 has an activation without a usable slope (Useless)"));

    let trainer = Trainer::new(Objective { loss: Focal, l1: 0.0, l2: 0.0 });
    let mut half = y.clone();
    half[[6, 0]] = 0.5;
    let error =
        trainer.fit(&mut mlp(Bent, Bent), batch(half.view()), None, &mut |_| Continue(())).unwrap_err().to_string();
    assert_eq!(error, "row 7: target of the focal loss: expected 0 or 1, found 0.5");
}
