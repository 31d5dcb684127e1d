//! Checkpoints: a training's state in a file, from which it continues with the same bits.
//!
//! ```text
//! tensors     params, moments, before, ...: each buffer of the state, of one dimension; those that are f64 in any training as F64
//! metadata    deltarule_checkpoint = {"format":1,"sha256":"...","checkpoint":{...}}
//! sha256      over the text of "checkpoint", then the buffers in the order in which it lists them, as little-endian bytes
//! ```
//!
//! The document says which training it is of, in an ordered list of named fields ([`Identity`]), and where it stands. A training
//! continues only a checkpoint of its own, for under other settings, or on other rows, it would come to parameters that no
//! uninterrupted training comes to. Reading is written as refusals: whatever the writer would not have written is an error.
//!
//! Row 6 of the house: imports everything below. Begin reading at [`Trainer::run_checkpointed`].

use super::run::{Observer, Run, Saving};
use super::state::{Saved, Snapshot, Standing};
use super::{Epoch, History, Inputs, Measure, Solver, Trainer};
use crate::activation::ActivationFn;
use crate::error::{Error, Result};
use crate::file::{self, Existing};
use crate::float::Float;
use crate::loss::LossFn;
use crate::memory;
use crate::network::Network;
use crate::network::objective::{Batch, Objective};
use crate::sealed::{self, Kind, Tensor, Tensors, hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::Path;

const FORMAT: u32 = 1;
const KIND: Kind = Kind { key: "deltarule_checkpoint", field: "checkpoint", formats: &[FORMAT] };
/// The largest file that is read: of L-BFGS, whose state is the longest with 23 numbers for each parameter, that of 700 million in f64.
const LIMIT: u64 = 128 << 30;
/// Numbers that are hashed at a time.
const HASHED: usize = 1 << 13;

/// Which training a state is of: everything that decides the bits it comes to, as named fields in order.
///
/// What may differ is not in it: the number of epochs (unless the schedule depends on it), threads, instruction set, limits of time
/// and loss, which gradients are watched, and how often the state is saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity(Vec<(String, String)>);

impl Identity {
    /// That of a training about to begin: `net` holds the parameters that it begins with.
    pub fn of<T: Float, A: ActivationFn + fmt::Display, L: fmt::Display>(
        trainer: &Trainer<L>,
        net: &Network<T, A>,
        training: &Batch<'_, T>,
        held_back: Option<&Batch<'_, T>>,
        measure: Option<&dyn Measure<T>>,
    ) -> Self {
        // All by name: a new setting is either a line of the list or, as threads, known to decide nothing.
        let Trainer {
            solver,
            objective: Objective { loss, l1, l2 },
            learning_rate,
            schedule,
            warm_up,
            clip,
            averaging,
            epochs,
            batch,
            shuffle,
            seed,
            stopping,
            noise,
            max_norm,
            watch_gradients: _,
            engine,
            threads: _,
        } = trainer;
        let solver = match solver {
            Solver::Steps(method) => method.to_string(),
            Solver::Rprop(options) => constants(solver, options),
            Solver::LevenbergMarquardt(options) | Solver::Bayes(options) => constants(solver, options),
            // Of their options a training sets none.
            Solver::Lbfgs | Solver::Scg | Solver::Perceptron => solver.name().into(),
        };
        let gemm = engine.backend.blas().map_or_else(
            || engine.backend.to_string(),
            |library| {
                let about = library.about();
                let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
                format!("{}, version {}, core {}", about.name, known(&about.version), known(&about.core))
            },
        );
        let mut fields = vec![
            field("library version", env!("CARGO_PKG_VERSION")),
            field("dtype", T::NAME),
            field("architecture", net.spec().architecture()),
            field("loss", loss),
            field("l1", l1),
            field("l2", l2),
            field("solver", solver),
            field("learning rate", learning_rate),
            field("schedule", schedule),
            field(EPOCHS, if schedule.knows_the_end() { epochs.to_string() } else { ANY.into() }),
            field("warm-up", warm_up),
            field("clip", optional(clip)),
            field("averaging", optional(averaging)),
            field("batch", batch),
            field("shuffle", shuffle),
            field("seed", seed),
            field(
                "tolerance",
                format!("{}{}", stopping.tolerance, if stopping.is_absolute { " absolute" } else { "" }),
            ),
            field("patience", stopping.patience),
            field("monitor", format!("{:?}", stopping.monitor)),
            field("dropout", format!("{:?}", noise.dropout)),
            field("input dropout", noise.input_dropout),
            field("input noise", noise.input_noise),
            field("max norm", optional(max_norm)),
            field("figures", measure.map_or_else(|| "none".into(), figures)),
            field("gemm", gemm),
        ];
        fields.extend(rows("training", Some(training)));
        fields.extend(rows("held-back", held_back));
        fields.push(field("initial parameters", sha256(net.state().iter())));
        Self(fields)
    }

    /// The training rows' inputs, where they are not in memory.
    fn set_inputs(&mut self, hash: String) {
        self.0.iter_mut().filter(|(name, _)| name == "training inputs").for_each(|(_, value)| value.clone_from(&hash));
    }

    /// Refuses a checkpoint of this identity for a training of another, naming the first field that differs, and both values.
    ///
    /// **Errors** with [`Error::Unsupported`].
    pub fn check(&self, path: &Path, training: &Self) -> Result<()> {
        let value =
            |of: &Self, name: &str| of.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
        let names = training.0.iter().chain(&self.0).map(|(name, _)| name);
        let differing = names.map(|name| (name, value(self, name), value(training, name))).find(|(_, a, b)| a != b);
        match differing {
            None => Ok(()),
            Some((name, saved, asked)) => Err(mismatch(path, name, &shown(saved), &shown(asked))),
        }
    }
}

/// A whole-batch solver with its constants; its iterations are the training's epochs, which have a field of their own.
fn constants(solver: &Solver, options: &impl Serialize) -> String {
    let mut options = serde_json::to_value(options).unwrap_or_default();
    options.as_object_mut().and_then(|options| options.remove("max_iterations"));
    format!("{} {options}", solver.name())
}

/// The name of the number of epochs.
const EPOCHS: &str = "epochs";

/// What stands for a number of epochs that decides nothing.
const ANY: &str = "any";

fn field(name: &str, value: impl fmt::Display) -> (String, String) {
    (name.into(), value.to_string())
}

fn optional(value: &Option<impl fmt::Debug>) -> String {
    value.as_ref().map_or_else(|| "none".into(), |value| format!("{value:?}"))
}

/// Which figures a history has, for it goes on with the same.
fn figures<T>(measure: &dyn Measure<T>) -> String {
    let of = if measure.measures_training() { "all rows" } else { "held-back rows" };
    format!("{} of {of}", measure.names().join(", "))
}

/// The first digits of a hash say enough to a reader.
fn shown(value: Option<String>) -> String {
    match value {
        None => "no such field".into(),
        Some(hash) if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("sha256 {}...", &hash[..12])
        }
        Some(value) => value,
    }
}

fn mismatch(path: &Path, name: &str, saved: &str, asked: &str) -> Error {
    let path = path.display();
    let why = if name == EPOCHS { ", and its schedule looks to their end (a constant one does not)" } else { "" };
    Error::Unsupported(format!("checkpoint {path} is of {name} {saved}, this training has {name} {asked}{why}"))
}

/// The fields of one part of the data.
fn rows<T: Float>(part: &str, batch: Option<&Batch<'_, T>>) -> [(String, String); 4] {
    let hash = |of: Option<String>| of.unwrap_or_else(|| "none".into());
    [
        field(&format!("{part} rows"), batch.map_or(0, |batch| batch.x.nrows())),
        field(&format!("{part} inputs"), hash(batch.map(|batch| sha256(batch.x.iter())))),
        field(&format!("{part} targets"), hash(batch.map(|batch| sha256(batch.y.iter())))),
        field(&format!("{part} weights"), hash(batch.and_then(|batch| batch.weights).map(|w| sha256(w.iter())))),
    ]
}

/// The SHA-256 of numbers as little-endian bytes.
fn sha256<'a, T: Float>(numbers: impl Iterator<Item = &'a T>) -> String {
    let (mut hash, mut bytes) = (Sha256::new(), Vec::with_capacity(HASHED * size_of::<T>()));
    for number in numbers {
        number.write_le(&mut bytes);
        if bytes.len() >= HASHED * size_of::<T>() {
            hash.update(&bytes);
            bytes.clear();
        }
    }
    hash.update(&bytes);
    hex(hash.finalize())
}

/// The same of inputs that are read some rows at a time: that of the same numbers in memory.
fn sha256_of_inputs<T: Float>(inputs: &mut dyn Inputs<T>, rows: usize, width: usize) -> Result<String> {
    let at_a_time = (HASHED / width.max(1)).clamp(1, rows.max(1));
    let (mut hash, mut bytes) = (Sha256::new(), Vec::new());
    let mut numbers = memory::zeros(at_a_time * width, "rows that are hashed")?;
    let rows: Vec<usize> = (0..rows).collect();
    for rows in rows.chunks(at_a_time) {
        let numbers = &mut numbers[..rows.len() * width];
        inputs.read(rows, numbers)?;
        bytes.clear();
        numbers.iter().for_each(|number| number.write_le(&mut bytes));
        hash.update(&bytes);
    }
    Ok(hex(hash.finalize()))
}

/// All of a checkpoint but its tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    dtype: String,
    identity: Identity,
    standing: Standing,
    /// Names and lengths.
    buffers: Vec<(String, usize)>,
    /// The same of those in `f64`, which come after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    wide: Vec<(String, usize)>,
}

/// A state, and which training it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<T> {
    /// Which training.
    pub identity: Identity,
    /// Its state.
    pub saved: Saved<T>,
}

impl<T: Float> Checkpoint<T> {
    /// Reads a checkpoint.
    ///
    /// **Errors** name the path and what was expected and found: [`Error::Io`], or [`Error::Checkpoint`] for what no training wrote
    /// or what was damaged since.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(&file::read_whole(path, LIMIT)?, path)
    }

    /// Reads a checkpoint from the bytes of its file; `path` is for messages.
    ///
    /// **Errors** as [`load`](Self::load).
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = |message: String| Error::checkpoint(path, message);
        let metadata = sealed::metadata(&KIND, bytes).map_err(damaged)?;
        let envelope = sealed::envelope(&KIND, &metadata).map_err(damaged)?;
        let document = serde_json::from_str::<Document>(envelope.document);
        let document = document.map_err(|e| damaged(format!("its description is damaged: {e}")))?;
        let Document { dtype, identity, standing, buffers: names, wide: wide_names } = document;
        if dtype != T::NAME {
            return Err(mismatch(path, "dtype", &dtype, T::NAME));
        }
        let read = || {
            let mut tensors = Tensors::open(bytes, &envelope)?;
            let (buffers, wide) = (read_all(&mut tensors, names)?, read_all(&mut tensors, wide_names)?);
            tensors.finish()?;
            Ok((buffers, wide))
        };
        let (buffers, wide) = read().map_err(damaged)?;
        Ok(Self { identity, saved: Saved { standing, buffers, wide } })
    }
}

/// The tensors of these names and lengths.
fn read_all<T: Float>(
    tensors: &mut Tensors<'_>,
    names: Vec<(String, usize)>,
) -> std::result::Result<BTreeMap<String, Vec<T>>, String> {
    names.into_iter().map(|(name, length)| Ok((name.clone(), tensors.numbers(&name, &[length])?))).collect()
}

/// A checkpoint as the bytes of its file.
///
/// **Errors**: a state that could not be read again; no memory.
pub fn to_bytes<T: Float>(identity: &Identity, snapshot: &Snapshot<'_, T>) -> Result<Vec<u8>> {
    let unwritable = |why: &dyn fmt::Display| Error::Unsupported(format!("the checkpoint cannot be written: {why}"));
    // The tensors, and the file that they are put into.
    memory::require("the bytes of a checkpoint", 2 * snapshot.bytes())?;
    let document = Document {
        dtype: T::NAME.into(),
        identity: identity.clone(),
        standing: snapshot.standing.clone(),
        buffers: lengths(&snapshot.buffers),
        wide: lengths(&snapshot.wide),
    };
    let text = serde_json::to_string(&document).map_err(|e| unwritable(&e))?;
    // Nothing may be written that cannot be read, as a loss that is not finite.
    let read = serde_json::from_str::<Document>(&text).map_err(|e| unwritable(&e))?;
    if serde_json::to_string(&read).map_err(|e| unwritable(&e))? != text {
        return Err(unwritable(&"its state would be read as another"));
    }
    let tensors: Vec<_> = tensors(&snapshot.buffers).chain(tensors(&snapshot.wide)).collect();
    sealed::seal(&KIND, FORMAT, &text, &tensors).map_err(|e| unwritable(&e))
}

fn lengths<T>(buffers: &[(&str, &[T])]) -> Vec<(String, usize)> {
    buffers.iter().map(|(name, buffer)| ((*name).into(), buffer.len())).collect()
}

fn tensors<T: Float>(buffers: &[(&str, &[T])]) -> impl Iterator<Item = Tensor> {
    buffers.iter().map(|(name, buffer)| Tensor::new(name, vec![buffer.len()], buffer.iter()))
}

/// Writes a checkpoint, whole or not at all, in place of the one before.
///
/// **Errors** as [`to_bytes`] and [`file::write_whole`]; the one before is then untouched.
pub fn write<T: Float>(path: &Path, identity: &Identity, snapshot: &Snapshot<'_, T>) -> Result<()> {
    file::write_whole(path, &to_bytes(identity, snapshot)?, Existing::Replace)
}

/// What becomes of a file that is already there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Found {
    /// It stays, and the training is refused.
    #[default]
    Refuse,
    /// The first state saved replaces it.
    Replace,
    /// The training continues from it; where there is none, it begins: a process may be killed before it saves anything.
    Resume,
}

/// How a training begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From the network's own parameters.
    Anew,
    /// From a checkpoint.
    Continued {
        /// Epochs finished.
        epochs: usize,
        /// Batches done of the next.
        batches: usize,
    },
}

/// Where a training's state is kept.
pub struct Checkpointing<'a> {
    /// The file.
    pub path: &'a Path,
    /// After every so many epochs (iterations of a solver that looks at all rows), and where the training ends or is interrupted.
    pub every: usize,
    /// What becomes of a file that is already there.
    pub found: Found,
    /// Told how the training begins, before its first step.
    pub told: Option<&'a mut dyn FnMut(Start)>,
}

impl fmt::Debug for Checkpointing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, every, found, .. } = self;
        f.debug_struct("Checkpointing")
            .field("path", path)
            .field("every", every)
            .field("found", found)
            .finish_non_exhaustive()
    }
}

impl<L: LossFn + fmt::Display> Trainer<L> {
    /// [`run`](Self::run) with its state in a file: killed at any instant and resumed, with any number of threads, it comes to the same
    /// bits as if it had never been.
    ///
    /// At every instant the file is the last state saved or the one before, as a whole. The run's own `save` and `resume` stay empty.
    ///
    /// **Errors** as there; also for a file that is there and is to be refused, that cannot be read or written, or that is a
    /// checkpoint of another training, naming the field that differs. A state that cannot be written ends the training.
    ///
    /// ```
    /// use deltarule::prelude::*;
    /// use deltarule::train::checkpoint::{Checkpointing, Found};
    /// use deltarule::train::Run;
    /// use ndarray::array;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("state.safetensors");
    /// let (x, y) = (array![[0.0], [1.0], [2.0]], array![[1.0], [3.0], [5.0]]);
    /// let net = || Network::<f64>::zeros(Spec::mlp(1, &[], Activation::Tanh, 1, Activation::Identity)?);
    /// let train = |epochs, found| {
    ///     let (mut net, batch) = (net()?, Batch { x: x.view(), y: y.view(), weights: None });
    ///     let trainer = Trainer { learning_rate: 0.1, epochs, ..Trainer::default() };
    ///     let state = Checkpointing { path: &path, every: 1, found, told: None };
    ///     trainer.run_checkpointed(&mut net, batch, Run::default(), state)?;
    ///     Ok::<_, deltarule::Error>(net.params().to_vec())
    /// };
    /// train(10, Found::Refuse)?;
    /// let continued = train(30, Found::Resume)?;
    /// assert_eq!(continued, train(30, Found::Replace)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run_checkpointed<'a, T: Float, A: ActivationFn + fmt::Display>(
        &'a self,
        net: &mut Network<T, A>,
        training: Batch<'a, T>,
        run: Run<'a, T>,
        checkpointing: Checkpointing<'_>,
    ) -> Result<History> {
        let Run { held_back, inputs, measure, mut observe, interrupt, save, resume } = run;
        let mut inputs = inputs;
        let Checkpointing { path, every, found, told } = checkpointing;
        if save.is_some() || resume.is_some() {
            return Err(Error::Unsupported("a run with a checkpoint that saves or resumes elsewhere too".into()));
        }
        file::check_writable(path, if found == Found::Refuse { Existing::Keep } else { Existing::Replace })?;
        // All at once: the buffers of the state, and the file with them.
        memory::require("the bytes of a checkpoint", 2 * self.state_bytes::<T>(net.state().len()))?;
        let mut identity = Identity::of(self, net, &training, held_back.as_ref(), measure);
        if let Some(inputs) = inputs.as_deref_mut() {
            identity.set_inputs(sha256_of_inputs(inputs, training.x.nrows(), net.spec().inputs())?);
        }
        let resume = if found == Found::Resume { self.load(path, &identity)? } else { None };
        if let Some(told) = told {
            told(resume.as_ref().map_or(Start::Anew, |Saved { standing, .. }| Start::Continued {
                epochs: standing.epoch,
                batches: standing.batch,
            }));
        }
        let mut write = |snapshot: &Snapshot<'_, T>| write(path, &identity, snapshot);
        let save = Some(Saving { every, save: &mut write });
        // The run is over when what writes is; the rows and the observer of its caller may last longer.
        let (training, held_back) = (training.view(), held_back.as_ref().map(Batch::view));
        let mut tell = |epoch: &Epoch<'_>| observe.as_mut().map_or(ControlFlow::Continue(()), |observe| observe(epoch));
        let observe: Option<&mut Observer<'_>> = Some(&mut tell);
        let inputs = inputs.map(|inputs| -> &mut dyn Inputs<T> { inputs });
        self.run(net, training, Run { held_back, inputs, measure, observe, interrupt, save, resume })
    }

    /// The state in a checkpoint of this training, if there is one.
    fn load<T: Float>(&self, path: &Path, identity: &Identity) -> Result<Option<Saved<T>>> {
        let Checkpoint { identity: found, saved } = match Checkpoint::<T>::load(path) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
            loaded => loaded?,
        };
        found.check(path, identity)?;
        match saved.standing.epoch {
            done if done > self.epochs => {
                let path = path.display();
                Err(Error::Unsupported(format!(
                    "checkpoint {path} is of epochs {done} done, this training has epochs {} in all",
                    self.epochs
                )))
            }
            _ => Ok(Some(saved)),
        }
    }
}
