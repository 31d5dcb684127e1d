//! Networks each of whose layers has one norm, rows for them, and loops to compare them with.

use deltarule::network::generic;
use deltarule::network::noise::Draw;
use deltarule::prelude::*;
use deltarule::simd::Isa;
use ndarray::Array2;

pub const OBJECTIVE: Objective = Objective { loss: Loss::SquaredError, l1: 0.0, l2: 0.0 };

/// The formula that the script knows, too.
pub fn number(i: usize) -> f64 {
    (i * 37 % 101) as f64 / 50.5 - 1.0
}

pub fn normed(norm: Norm, inputs: usize, hidden: &[usize], activation: Activation, outputs: usize) -> Spec {
    let mut layers: Vec<_> = hidden.iter().map(|&n| Layer::new(n, activation).with_norm(norm)).collect();
    layers.push(Layer::new(outputs, Activation::Identity).with_norm(norm));
    Spec::new(inputs, layers).unwrap()
}

/// A network of 20 inputs and 3 outputs, and rows for it.
pub struct Drawn<T> {
    pub net: Network<T>,
    pub x: Array2<T>,
    pub y: Array2<T>,
}

impl<T: Float> Drawn<T> {
    pub fn new(norm: Norm, hidden: &[usize], rows: usize) -> Self {
        let mut rng = Rng::new(2);
        let mut net = Network::<T>::new(normed(norm, 20, hidden, Activation::Gelu, 3), None, &mut rng).unwrap();
        net.params_mut().iter_mut().for_each(|p| *p += rng.uniform::<T>(-0.2, 0.2));
        let mut draw = |cols| Array2::from_shape_simple_fn((rows, cols), || rng.normal::<T>(0.0, 1.0));
        let (x, y) = (draw(20), draw(3));
        Self { net, x, y }
    }

    pub fn batch(&self) -> Batch<'_, T> {
        Batch { x: self.x.view(), y: self.y.view(), weights: None }
    }

    /// Without noise, and with some.
    pub fn draws() -> [Draw; 2] {
        [Noise::default(), Noise { dropout: vec![0.3], input_dropout: 0.0, input_noise: 0.0 }].map(|noise| Draw {
            noise,
            seed: 1,
            step: 1,
        })
    }

    /// Whether a gradient under a draw is that of loops in `f64`, to a part of its largest number.
    pub fn assert_near_loops(&self, draw: &Draw, gradient: &[T], tolerance: f64) {
        let spec = self.net.spec();
        let (x, y) = (self.x.mapv(|x| x.real()), self.y.mapv(|y| y.real()));
        let (_, factors) = draw.write_out(spec, Isa::Portable, x.as_slice().unwrap());
        let batch = Batch { x: x.view(), y: y.view(), weights: None };
        let (wide, mut loops) = (self.net.cast::<f64>(), vec![0.0; spec.parameters()]);
        generic::objective_under(&factors, spec, wide.params(), &batch, &OBJECTIVE, Some(&mut loops)).unwrap();
        let largest = loops.iter().fold(0.0, |most: f64, g| most.max(g.abs()));
        for (g, e) in gradient.iter().zip(&loops) {
            assert!((g.real() - e).abs() < tolerance * largest, "{g} for {e}");
        }
    }
}
