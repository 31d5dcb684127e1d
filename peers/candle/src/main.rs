//! candle's side of `scripts/compare steps`: `candle_nn::Linear`, its losses and its optimisers, on the CPU.

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{AdamW, Linear, Module, Optimizer, ParamsAdamW, SGD, loss, ops};
use served::{Job, Peer, Work};

fn main() {
    let version = served::version(include_str!("../../Cargo.lock"), "candle-core");
    served::serve::<Candle>(&format!("candle {version}"));
}

struct Candle {
    job: Job,
    /// Of each layer its weights, outputs x inputs, and its biases; and what they were first.
    vars: Vec<Var>,
    first: Vec<Tensor>,
    layers: Vec<Linear>,
    x: Tensor,
    /// Classes, or numbers.
    targets: Tensor,
    update: Update,
}

enum Update {
    Sgd(SGD),
    Adam(AdamW),
}

impl Update {
    fn new(job: &Job, vars: &[Var]) -> Result<Self> {
        Ok(match &job.method[..] {
            "sgd" => Self::Sgd(SGD::new(vars.to_vec(), job.rate)?),
            // Without decay it is Adam.
            _ => {
                let params = ParamsAdamW { lr: job.rate, weight_decay: 0.0, ..ParamsAdamW::default() };
                Self::Adam(AdamW::new(vars.to_vec(), params)?)
            }
        })
    }

    fn step(&mut self, gradients: &GradStore) -> Result<()> {
        match self {
            Self::Sgd(sgd) => sgd.step(gradients),
            Self::Adam(adam) => adam.step(gradients),
        }
    }
}

fn activate(name: &str, z: &Tensor) -> Result<Tensor> {
    match name {
        "relu" => z.relu(),
        "tanh" => z.tanh(),
        "sigmoid" => ops::sigmoid(z),
        "softmax" => ops::softmax_last_dim(z),
        _ => Ok(z.clone()),
    }
}

/// The loss or the outputs, and the gradients where they are asked for.
type Found = (Tensor, Option<GradStore>);

impl Candle {
    fn new(job: &Job) -> std::result::Result<Self, String> {
        let (layers, x, y) = (job.layers()?, job.x()?, job.y()?);
        let labels = if job.classifies() { job.labels()? } else { Vec::new() };
        let make = || {
            let kind = if job.kind == "f32" { DType::F32 } else { DType::F64 };
            let tensor = |numbers: &[f64], shape: &[usize]| {
                Tensor::from_slice(numbers, shape, &Device::Cpu)?.to_dtype(kind)?.contiguous()
            };
            let (mut vars, mut linear) = (Vec::new(), Vec::new());
            for layer in &layers {
                let weights = tensor(&layer.weights, &[layer.inputs, layer.outputs])?.t()?.contiguous()?;
                let weights = Var::from_tensor(&weights)?;
                let biases =
                    layer.biases.as_ref().map(|b| Var::from_tensor(&tensor(b, &[layer.outputs])?)).transpose()?;
                linear.push(Linear::new(weights.as_tensor().clone(), biases.as_ref().map(|b| b.as_tensor().clone())));
                vars.push(weights);
                vars.extend(biases);
            }
            let targets = match job.classifies() {
                true => Tensor::from_slice(&labels, job.rows, &Device::Cpu)?,
                false => tensor(&y, &[job.rows, job.outputs()])?,
            };
            Ok(Self {
                job: job.clone(),
                first: vars.iter().map(|var| var.as_tensor().copy()).collect::<Result<_>>()?,
                update: Update::new(job, &vars)?,
                vars,
                layers: linear,
                x: tensor(&x, &[job.rows, job.widths[0]])?,
                targets,
            })
        };
        make().map_err(|error: candle_core::Error| error.to_string())
    }

    fn logits(&self, x: &Tensor) -> Result<Tensor> {
        let (last, below) = self.layers.split_last().expect("at least one layer");
        let mut a = x.clone();
        for layer in below {
            a = activate(&self.job.hidden, &layer.forward(&a)?)?;
        }
        last.forward(&a)
    }

    fn loss(&self, x: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let logits = self.logits(x)?;
        if self.job.classifies() {
            loss::cross_entropy(&logits, targets)
        } else {
            loss::mse(&activate(&self.job.output, &logits)?, targets)? * self.job.half_outputs()
        }
    }

    fn step(&mut self, x: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let loss = self.loss(x, targets)?;
        self.update.step(&loss.backward()?)?;
        Ok(loss)
    }

    fn work(&mut self) -> Result<Found> {
        let (x, targets) = (self.x.clone(), self.targets.clone());
        Ok(match self.job.work {
            Work::Step => (self.step(&x, &targets)?, None),
            Work::Gradient => {
                let loss = self.loss(&x, &targets)?;
                let gradients = loss.backward()?;
                (loss, Some(gradients))
            }
            Work::Epoch => {
                let mut total = 0.0;
                for (start, rows) in self.job.batches() {
                    let loss = self.step(&x.narrow(0, start, rows)?, &targets.narrow(0, start, rows)?)?;
                    total += f64::from(loss.to_scalar::<f32>()?) * rows as f64;
                }
                (Tensor::new(total / self.job.rows as f64, &Device::Cpu)?, None)
            }
            Work::Predict => (activate(&self.job.output, &self.logits(&x)?)?, None),
        })
    }

    fn flat(&self, (value, gradients): Found) -> Result<Vec<f64>> {
        let flat = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
        let mut numbers = flat(&value)?;
        if let Some(gradients) = gradients {
            for var in &self.vars {
                let gradient = gradients.get(var).expect("every parameter has a gradient");
                numbers.extend(flat(&if gradient.rank() == 2 { gradient.t()? } else { gradient.clone() })?);
            }
        }
        Ok(numbers)
    }
}

impl Peer for Candle {
    type Output = Found;

    fn load(job: &Job) -> std::result::Result<Self, String> {
        Self::new(job)
    }

    fn start_over(&mut self) {
        for (var, first) in self.vars.iter().zip(&self.first) {
            var.set(&first.copy().expect("memory")).expect("one shape");
        }
        self.update = Update::new(&self.job, &self.vars).expect("as the first one");
    }

    fn once(&mut self) -> Found {
        self.work().expect("shapes that the job gave")
    }

    fn numbers(&self, found: Found) -> Vec<f64> {
        self.flat(found).expect("numbers")
    }
}
