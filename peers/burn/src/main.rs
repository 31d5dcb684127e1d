//! burn's side of `scripts/compare steps`: `nn::Linear`, its losses and its optimisers, on its CPU backend burn-flex.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig, MseLoss, Reduction};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::{relu, sigmoid, softmax, tanh};
use burn::tensor::{DType, Device, Gradients, Int, Tensor, TensorData};
use served::{Job, Layer, Peer, Work};

fn main() {
    let version = served::version(include_str!("../../Cargo.lock"), "burn");
    served::serve::<Burn>(&format!("burn {version} (flex)"));
}

#[derive(Module, Debug)]
struct Network {
    layers: Vec<Linear>,
}

struct Burn {
    job: Job,
    first: Vec<Layer>,
    device: Device,
    kind: DType,
    /// Taken while it is moved by the optimiser.
    network: Option<Network>,
    optimizer: ModuleOptimizer,
    x: Tensor<2>,
    y: Tensor<2>,
    labels: Tensor<1, Int>,
    cross_entropy: CrossEntropyLoss,
}

/// The loss or the outputs, and the gradients where they are asked for.
enum Found {
    Loss(Tensor<1>),
    Gradient(Tensor<1>, Gradients),
    Mean(f64),
    Outputs(Tensor<2>),
}

fn activate(name: &str, z: Tensor<2>) -> Tensor<2> {
    match name {
        "relu" => relu(z),
        "tanh" => tanh(z),
        "sigmoid" => sigmoid(z),
        "softmax" => softmax(z, 1),
        _ => z,
    }
}

fn tensor<const D: usize>(numbers: &[f64], shape: [usize; D], device: &Device, kind: DType) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers.to_vec(), shape), (device, kind))
}

fn optimizer(job: &Job) -> ModuleOptimizer {
    match &job.method[..] {
        "sgd" => SgdConfig::new().init(),
        _ => AdamConfig::new().with_epsilon(1e-8).init(),
    }
}

impl Burn {
    fn fresh_network(&self) -> Network {
        let layer = |layer: &Layer| Linear {
            weight: Param::from_tensor(tensor(&layer.weights, [layer.inputs, layer.outputs], &self.device, self.kind)),
            bias: layer
                .biases
                .as_ref()
                .map(|biases| Param::from_tensor(tensor(biases, [layer.outputs], &self.device, self.kind))),
        };
        Network { layers: self.first.iter().map(layer).collect() }
    }

    fn network(&self) -> &Network {
        self.network.as_ref().expect("put back after each step")
    }

    fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        let (last, below) = self.network().layers.split_last().expect("at least one layer");
        let a = below.iter().fold(x, |a, layer| activate(&self.job.hidden, layer.forward(a)));
        last.forward(a)
    }

    fn loss(&self, x: Tensor<2>, y: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
        let logits = self.logits(x);
        if self.job.classifies() {
            self.cross_entropy.forward(logits, labels)
        } else {
            let outputs = activate(&self.job.output, logits);
            MseLoss::new().forward(outputs, y, Reduction::Mean) * self.job.half_outputs()
        }
    }

    fn step(&mut self, x: Tensor<2>, y: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
        let loss = self.loss(x, y, labels);
        let network = self.network.take().expect("put back after each step");
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        self.network = Some(self.optimizer.step(self.job.rate, network, gradients));
        loss
    }
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

impl Peer for Burn {
    type Output = Found;

    fn load(job: &Job) -> Result<Self, String> {
        let kind = if job.kind == "f32" { DType::F32 } else { DType::F64 };
        let device = Device::flex();
        let device = if job.work == Work::Predict { device } else { device.autodiff() };
        let labels = if job.classifies() && job.work != Work::Predict { job.labels()? } else { vec![0] };
        let labels: Vec<i64> = labels.into_iter().map(i64::from).collect();
        let count = labels.len();
        let mut burn = Self {
            first: job.layers()?,
            network: None,
            optimizer: optimizer(job),
            x: tensor(&job.x()?, [job.rows, job.widths[0]], &device, kind),
            y: tensor(&job.y()?, [job.rows, job.outputs()], &device, kind),
            labels: Tensor::from_data(TensorData::new(labels, [count]), &device),
            cross_entropy: CrossEntropyLossConfig::new().init(&device),
            job: job.clone(),
            device,
            kind,
        };
        burn.start_over();
        Ok(burn)
    }

    fn start_over(&mut self) {
        self.network = Some(self.fresh_network());
        self.optimizer = optimizer(&self.job);
    }

    fn once(&mut self) -> Found {
        let (x, y, labels) = (self.x.clone(), self.y.clone(), self.labels.clone());
        match self.job.work {
            Work::Step => Found::Loss(self.step(x, y, labels)),
            Work::Gradient => {
                let loss = self.loss(x, y, labels);
                let gradients = loss.backward();
                Found::Gradient(loss, gradients)
            }
            Work::Epoch => {
                let mut total = 0.0;
                for (start, rows) in self.job.batches() {
                    let (x, y) = (x.clone().narrow(0, start, rows), y.clone().narrow(0, start, rows));
                    let loss = self.step(x, y, labels.clone().narrow(0, start, rows));
                    total += flat(loss)[0] * rows as f64;
                }
                Found::Mean(total / self.job.rows as f64)
            }
            Work::Predict => Found::Outputs(activate(&self.job.output, self.logits(x))),
        }
    }

    fn numbers(&self, found: Found) -> Vec<f64> {
        match found {
            Found::Loss(loss) => flat(loss),
            Found::Mean(loss) => vec![loss],
            Found::Outputs(outputs) => flat(outputs),
            Found::Gradient(loss, gradients) => {
                let mut numbers = flat(loss);
                for layer in &self.network().layers {
                    numbers.extend(flat(layer.weight.val().grad(&gradients).expect("a gradient of weights")));
                    let bias = layer.bias.as_ref().map(|bias| bias.val().grad(&gradients).expect("one of biases"));
                    numbers.extend(bias.map(flat).unwrap_or_default());
                }
                numbers
            }
        }
    }
}
