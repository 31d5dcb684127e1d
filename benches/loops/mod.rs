//! A job in plain loops, of any depth, as one writes it down first: what the benches of steps are compared with, and stand beside.
//!
//! Begin reading at [`Loops::gradient`].

use crate::rows::{distinct, drawn};
use crate::subject::{Job, Work};
use deltarule::activation::Activation;
use deltarule::float::Float;

/// One layer: weights inputs x outputs, which begin at `weights` of all parameters, then biases, if it has them, up to `end`.
struct Dense {
    outputs: usize,
    activation: Activation,
    weights: usize,
    biases: usize,
    end: usize,
}

/// A network, the rows of it that differ, and room for one row.
pub struct Loops<'a, T> {
    job: &'a Job,
    layers: Vec<Dense>,
    params: Vec<T>,
    x: Vec<T>,
    y: Vec<T>,
    pub gradient: Vec<T>,
    moments: (Vec<T>, Vec<T>),
    steps: i32,
    /// The input, and what each layer makes of it.
    activations: Vec<Vec<T>>,
    /// The gradient with respect to a layer's weighted sums, and to its inputs.
    delta: Vec<T>,
    below: Vec<T>,
    pub outputs: Vec<T>,
}

impl<'a, T: Float> Loops<'a, T> {
    pub fn new(job: &'a Job) -> Self {
        let parse = |name: &str| Activation::parse(name).expect("a row's activation");
        let mut layers: Vec<Dense> = Vec::new();
        for (l, pair) in job.widths.windows(2).enumerate() {
            let weights = layers.last().map_or(0, |layer| layer.end);
            let biases = weights + pair[0] * pair[1];
            let end = biases + if job.biases { pair[1] } else { 0 };
            let activation = parse(if l + 2 == job.widths.len() { &job.output } else { &job.hidden });
            layers.push(Dense { outputs: pair[1], activation, weights, biases, end });
        }
        let zeros = |len: usize| vec![T::ZERO; len];
        let (rows, length) = (distinct(job), layers.last().expect("layers").end);
        let [inputs, .., outputs] = job.widths[..] else { panic!("widths of a network") };
        Self {
            job,
            layers,
            params: drawn(job, "params", length),
            x: drawn(job, "x", rows * inputs),
            y: drawn(job, "y", rows * outputs),
            gradient: zeros(length),
            moments: (zeros(length), zeros(length)),
            steps: 0,
            activations: job.widths.iter().map(|&width| zeros(width)).collect(),
            delta: Vec::new(),
            below: Vec::new(),
            outputs: zeros(rows * outputs),
        }
    }

    /// What the job repeats; the mean loss before it, if it has one.
    pub fn once(&mut self) -> f64 {
        match self.job.work {
            Work::Step => {
                let loss = self.gradient();
                self.update();
                loss
            }
            Work::Gradient => self.gradient(),
            Work::Predict => self.predict(),
            Work::Epoch => unreachable!("epochs are no row of these benches"),
        }
    }

    /// The mean loss, and its gradient.
    fn gradient(&mut self) -> f64 {
        let [inputs, .., outputs] = self.job.widths[..] else { unreachable!("checked when made") };
        self.gradient.fill(T::ZERO);
        let (rows, distinct) = (self.job.rows, distinct(self.job));
        let mut loss = 0.0;
        for i in 0..distinct {
            // How often it is repeated: once if all differ.
            let share = (rows - i).div_ceil(distinct) as f64 / rows as f64;
            self.activations[0].copy_from_slice(&self.x[i * inputs..][..inputs]);
            self.forward();
            loss += share * self.loss(i * outputs, T::from_f64(share));
            self.backward();
        }
        loss
    }

    /// The outputs of all rows that differ.
    fn predict(&mut self) -> f64 {
        let [inputs, .., outputs] = self.job.widths[..] else { unreachable!("checked when made") };
        for i in 0..distinct(self.job) {
            self.activations[0].copy_from_slice(&self.x[i * inputs..][..inputs]);
            self.forward();
            self.outputs[i * outputs..][..outputs].copy_from_slice(&self.activations[self.layers.len()]);
        }
        0.0
    }

    /// From the input of one row to all activations.
    fn forward(&mut self) {
        for (l, layer) in self.layers.iter().enumerate() {
            let [x, z] = &mut self.activations[l..l + 2] else { unreachable!("an input and an output") };
            z.fill(T::ZERO);
            for (&x, weights) in x.iter().zip(self.params[layer.weights..layer.biases].chunks_exact(layer.outputs)) {
                for (z, &weight) in z.iter_mut().zip(weights) {
                    *z += x * weight;
                }
            }
            for (z, &bias) in z.iter_mut().zip(&self.params[layer.biases..layer.end]) {
                *z += bias;
            }
            activate(layer.activation, z);
        }
    }

    /// The loss of the row at hand, whose targets begin at `y`; leaves `share` of its gradient with respect to the last sums.
    fn loss(&mut self, y: usize, share: T) -> f64 {
        let (layer, outputs) = (&self.layers[self.layers.len() - 1], &self.activations[self.layers.len()]);
        let mut loss = 0.0;
        self.delta.clear();
        for (&a, &y) in outputs.iter().zip(&self.y[y..]) {
            if layer.activation == Activation::Softmax {
                loss -= y.real() * a.real().ln();
                self.delta.push((a - y) * share);
            } else {
                loss += (a - y).real().powi(2) / 2.0;
                self.delta.push((a - y) * slope(layer.activation, a) * share);
            }
        }
        loss
    }

    /// Adds the gradient of the row at hand.
    fn backward(&mut self) {
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let weights = self.params[layer.weights..layer.biases].chunks_exact(layer.outputs);
            let gradients = self.gradient[layer.weights..layer.biases].chunks_exact_mut(layer.outputs);
            for (&x, gradients) in self.activations[l].iter().zip(gradients) {
                for (gradient, &delta) in gradients.iter_mut().zip(&self.delta) {
                    *gradient += x * delta;
                }
            }
            for (gradient, &delta) in self.gradient[layer.biases..layer.end].iter_mut().zip(&self.delta) {
                *gradient += delta;
            }
            if l > 0 {
                self.below.clear();
                for (&a, weights) in self.activations[l].iter().zip(weights) {
                    let mut sum = T::ZERO;
                    for (&weight, &delta) in weights.iter().zip(&self.delta) {
                        sum += weight * delta;
                    }
                    self.below.push(sum * slope(self.layers[l - 1].activation, a));
                }
                std::mem::swap(&mut self.delta, &mut self.below);
            }
        }
    }

    /// Moves every parameter.
    fn update(&mut self) {
        self.steps += 1;
        let (rate, number) = (T::from_f64(self.job.rate), T::from_f64);
        let (beta1, beta2) = (0.9, 0.999);
        let corrections = [beta1, beta2].map(|beta: f64| T::from_f64(1.0 - beta.powi(self.steps)));
        let (means, squares) = &mut self.moments;
        for (i, (p, &g)) in self.params.iter_mut().zip(&self.gradient).enumerate() {
            *p -= if self.job.method == "adam" {
                let (mean, square) = (&mut means[i], &mut squares[i]);
                *mean = number(beta1) * *mean + number(1.0 - beta1) * g;
                *square = number(beta2) * *square + number(1.0 - beta2) * g * g;
                rate * (*mean / corrections[0]) / ((*square / corrections[1]).sqrt() + number(1e-8))
            } else {
                rate * g
            };
        }
    }
}

/// Weighted sums to activations.
fn activate<T: Float>(activation: Activation, z: &mut [T]) {
    match activation {
        Activation::Identity => {}
        Activation::Relu => z.iter_mut().for_each(|z| *z = if *z > T::ZERO { *z } else { T::ZERO }),
        Activation::Sigmoid => z.iter_mut().for_each(|z| *z = T::ONE / (T::ONE + (-*z).exp())),
        Activation::Tanh => z.iter_mut().for_each(|z| *z = z.tanh()),
        Activation::Softmax => {
            let largest = z.iter().fold(z[0], |largest, &z| if z > largest { z } else { largest });
            let mut sum = T::ZERO;
            for z in z.iter_mut() {
                *z = (*z - largest).exp();
                sum += *z;
            }
            z.iter_mut().for_each(|z| *z /= sum);
        }
        other => panic!("no row has {other:?}"),
    }
}

/// The derivative, by the activation itself. Softmax has its own in the loss.
fn slope<T: Float>(activation: Activation, a: T) -> T {
    match activation {
        Activation::Relu if a > T::ZERO => T::ONE,
        Activation::Relu => T::ZERO,
        Activation::Sigmoid => a * (T::ONE - a),
        Activation::Tanh => T::ONE - a * a,
        _ => T::ONE,
    }
}
