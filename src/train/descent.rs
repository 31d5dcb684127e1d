//! Mini-batch descent: gather, gradient, step; an epoch after another.
//!
//! Everything that changes is in [`State`], so that a training which was saved continues with the same bits.

use super::averaging::Average;
use super::divergence::{check_finite, check_statistics, diverged, largest_layer, not_finite};
use super::judge::Jury;
use super::required::{copied, counted};
use super::rows::{Buffers, Cut, Inputs, gather};
use super::run::{Run, Saving};
use super::state::{Saved, Snapshot, Standing};
use super::watch::GradientWatch;
use super::{History, Stopped, Trainer};
use crate::activation::ActivationFn;
use crate::error::Result;
use crate::float::Float;
use crate::kernel::batch_norm::MOMENTUM;
use crate::loss::LossFn;
use crate::memory::zeros;
use crate::network::max_norm::MaxNorm;
use crate::network::noise::Draw;
use crate::network::objective::{Batch, Value};
use crate::network::workspace::Workspace;
use crate::network::{Network, Spec, pass};
use crate::optim::{Method, Optimizer};
use crate::rng::{Rng, stream};
use crate::schedule::Progress;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A loss this many times the largest of 1, the first loss, and what the same rows lost before training has run away: an
/// adaptive method that does so stays finite for ever. The same rows, because those of the first batch may all have been
/// easy.
const RUN_AWAY: f64 = 1000.0;

pub(super) fn fit<'a, T: Float, A: ActivationFn, L: LossFn>(
    trainer: &Trainer<L>,
    method: Method,
    net: &mut Network<T, A>,
    training: Batch<'a, T>,
    run: Run<'a, T>,
) -> Result<History> {
    let Run { held_back, inputs, measure, mut observe, interrupt, mut save, resume } = run;
    let begun = Instant::now();
    let mut jury = Jury::new(trainer, net.spec(), training, held_back, measure)?;
    let mut descent = Descent::new(trainer, method, net, (training, inputs), jury.judges(), resume)?;
    let seconds_before = descent.state.standing.seconds;

    while !descent.state.standing.is_over(trainer.epochs) {
        let (spec, numbers) = net.state_parts_mut();
        let outcome = match descent.workspace.is_shared() {
            true => trainer.threads.enter(|| descent.epoch(spec, numbers, interrupt)),
            false => descent.epoch(spec, numbers, interrupt),
        };
        let heard = outcome.and_then(|value| {
            let at = (descent.state.standing.epoch + 1, descent.cut.batches);
            let hear = |value| Ok((value, jury.hear(spec, descent.state.judged(numbers), at)?));
            value.map(hear).transpose()
        });
        let heard = heard.inspect_err(|_| numbers.copy_from_slice(&descent.state.before))?;
        let state = &mut descent.state;
        state.standing.seconds = seconds_before + begun.elapsed().as_secs_f64();
        let Some((value, heard)) = heard else {
            save_state(&mut save, state, numbers, true)?;
            state.standing.stopped = Some(Stopped::Interrupted);
            break;
        };
        let is_best = state.standing.end_epoch(trainer, value, heard, true);
        if observe.as_mut().is_some_and(|observe| observe(&state.standing.last_epoch()).is_break()) {
            state.standing.stopped = Some(Stopped::Observer);
        }
        state.before.copy_from_slice(numbers);
        if jury.judges() && is_best {
            state.keep_as_best(numbers);
        }
        let is_over = state.standing.is_over(trainer.epochs);
        let is_interrupted = !is_over && interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed));
        save_state(&mut save, state, numbers, is_over || is_interrupted)?;
        if is_interrupted {
            state.standing.stopped = Some(Stopped::Interrupted);
        }
    }
    let state = descent.state;
    if jury.judges() && state.standing.history.kept > 0 {
        net.state_mut().copy_from_slice(&state.best);
    } else if let Some(average) = state.average.as_ref().filter(|_| state.standing.averaged > 0) {
        net.state_mut().copy_from_slice(&average.params);
    }
    let mut history = state.standing.history;
    history.stopped = state.standing.stopped.unwrap_or(Stopped::Epochs);
    // An epoch that was begun has a rate already, and no loss.
    history.rates.truncate(history.training.len());
    Ok(history)
}

/// Hands the state on, if it is wanted now.
fn save_state<T: Float>(
    save: &mut Option<Saving<'_, T>>,
    state: &State<T>,
    numbers: &[T],
    is_last: bool,
) -> Result<()> {
    match save {
        Some(Saving { every, save }) if is_last || state.standing.epoch.is_multiple_of(*every) => {
            save(&state.snapshot(numbers))
        }
        _ => Ok(()),
    }
}

/// What changes in a training, beside the network's own state, its parameters and running statistics: of which copies hold all.
struct State<T> {
    standing: Standing,
    optimizer: Optimizer<T>,
    average: Option<Average<T>>,
    /// The parameters after the last epoch.
    before: Vec<T>,
    /// The best parameters, where rows judge them.
    best: Vec<T>,
    /// The parameters before training.
    start: Vec<T>,
}

impl<T: Float> State<T> {
    /// What is judged and kept: the average, where there is one.
    fn judged<'a>(&'a self, numbers: &'a [T]) -> &'a [T] {
        self.average.as_ref().filter(|_| self.standing.averaged > 0).map_or(numbers, |average| &average.params)
    }

    fn keep_as_best(&mut self, numbers: &[T]) {
        let mut best = std::mem::take(&mut self.best);
        best.copy_from_slice(self.judged(numbers));
        self.best = best;
    }

    fn snapshot<'a>(&'a self, numbers: &'a [T]) -> Snapshot<'a, T> {
        let mut buffers = vec![
            ("params", numbers),
            ("moments", self.optimizer.moments()),
            ("before", &self.before),
            ("best", &self.best),
            ("start", &self.start),
        ];
        buffers.extend(self.average.as_ref().map(|average| ("average", &average.params[..])));
        buffers.retain(|(_, buffer)| !buffer.is_empty());
        Snapshot { standing: &self.standing, buffers, wide: Vec::new() }
    }
}

/// Everything that a step needs, allocated before the first.
pub(super) struct Descent<'a, 'd, T, L> {
    trainer: &'a Trainer<L>,
    training: Batch<'d, T>,
    /// Where the inputs of the rows are read, if not in `training`.
    inputs: Option<&'d mut (dyn Inputs<T> + 'd)>,
    workspace: Workspace<T>,
    gradient: Vec<T>,
    cut: Cut,
    /// The order in which the rows are taken.
    order: Vec<usize>,
    /// The rows of a mini-batch, gathered: inputs, targets, weights.
    gathered: Buffers<T>,
    watch: Option<GradientWatch>,
    max_norm: Option<MaxNorm<T>>,
    state: State<T>,
}

impl<'a, 'd, T: Float, L: LossFn> Descent<'a, 'd, T, L> {
    pub(super) fn new<A: ActivationFn>(
        trainer: &'a Trainer<L>,
        method: Method,
        net: &mut Network<T, A>,
        (training, inputs): (Batch<'d, T>, Option<&'d mut (dyn Inputs<T> + 'd)>),
        is_judged: bool,
        resume: Option<Saved<T>>,
    ) -> Result<Self> {
        let count = training.x.nrows();
        let cut = Cut::new(count, trainer.batch, net.spec().couples_rows());
        let batch = cut.largest;
        let state = match resume {
            None => fresh(trainer, method, net, is_judged)?,
            Some(saved) => resumed(trainer, method, net, is_judged, cut.batches, saved)?,
        };
        let spec = net.spec();
        let gathers = trainer.shuffle || inputs.is_some();
        let gather = |width: usize| zeros(if gathers { batch.saturating_mul(width) } else { 0 }, "a mini-batch");
        let draw = || Draw { noise: trainer.noise.clone(), seed: trainer.seed, step: 0 };
        let mut workspace = Workspace::new(spec, batch, trainer.engine, trainer.threads.clone())?;
        workspace.set_noise(spec, draw())?;
        let mut watch = GradientWatch::new(trainer, spec, batch)?;
        watch.iter_mut().try_for_each(|watch| watch.workspace.set_noise(spec, draw()))?;
        Ok(Self {
            trainer,
            training,
            inputs,
            workspace,
            gradient: zeros(spec.parameters(), "the gradient")?,
            cut,
            order: counted(count, "the order of the rows")?,
            gathered: (gather(spec.inputs())?, gather(spec.outputs())?, gather(1)?),
            watch,
            max_norm: trainer.max_norm.map(|limit| MaxNorm::new(spec, limit)).transpose()?,
            state,
        })
    }

    /// The number of the step to be taken, from 1: by epoch and batch, those without weight counted too.
    fn number_of_step(&self) -> u64 {
        (self.state.standing.epoch * self.cut.batches + self.state.standing.batch) as u64 + 1
    }

    /// What is left of a pass over the rows; the mean over them of the objective while it ran, or nothing if it was interrupted.
    fn epoch<A: ActivationFn>(
        &mut self,
        spec: &Spec<A>,
        numbers: &mut [T],
        interrupt: Option<&AtomicBool>,
    ) -> Result<Option<Value>> {
        let (count, batches) = (self.order.len(), self.cut.batches);
        let number = self.state.standing.epoch + 1;
        self.put_in_order();
        let standing = &mut self.state.standing;
        if let Some(watch) = &self.watch {
            standing.history.watched.reserve(watch.most(batches));
        }
        if standing.history.rates.len() < number {
            standing.history.rates.push(0.0);
        }
        while self.state.standing.batch < batches {
            let (rows, weight) = self.batch_to_come();
            let at = Progress {
                step: self.number_of_step() - 1,
                steps: (self.trainer.epochs * batches) as u64,
                steps_per_epoch: batches as u64,
                rows: count as u64,
            };
            let rate = self.state.standing.rate.at(self.trainer, at);
            // Rows that weigh nothing teach nothing; the last step's rate is the epoch's.
            if weight > 0.0 {
                let value = self.step(spec, numbers, rows, rate)?;
                let [loss, penalty, total] = &mut self.state.standing.sums;
                *loss += weight * value.loss;
                *penalty += weight * value.penalty;
                *total += weight;
            }
            let standing = &mut self.state.standing;
            standing.history.rates[number - 1] = rate;
            standing.batch += 1;
            if standing.batch < batches && interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return Ok(None);
            }
        }
        if let Some(average) = &mut self.state.average {
            average.epoch(self.trainer.engine.isa, numbers, number, &mut self.state.standing.averaged);
        }
        let standing = &mut self.state.standing;
        let [loss, penalty, total] = std::mem::take(&mut standing.sums);
        standing.batch = 0;
        Ok(Some(Value { loss: loss / total, penalty: penalty / total }))
    }

    /// Takes one step after another, each of a batch that weighs something, at the rates that `rate` finds: it is told the loss of the
    /// last batch, first of none, and ends them with none. Epochs pass as in a training.
    ///
    /// **Errors** as in a training.
    pub(super) fn steps<A: ActivationFn>(
        &mut self,
        spec: &Spec<A>,
        numbers: &mut [T],
        mut rate: impl FnMut(Option<f64>) -> Option<f64>,
    ) -> Result<()> {
        let (batches, mut last) = (self.cut.batches, None);
        while let Some(rate) = rate(last.take()) {
            while last.is_none() {
                if self.state.standing.batch == 0 {
                    self.put_in_order();
                }
                let (rows, weight) = self.batch_to_come();
                if weight > 0.0 {
                    last = Some(self.step(spec, numbers, rows, rate)?.loss);
                }
                let standing = &mut self.state.standing;
                standing.batch += 1;
                if standing.batch == batches {
                    (standing.epoch, standing.batch) = (standing.epoch + 1, 0);
                }
            }
        }
        Ok(())
    }

    /// Puts the rows into the order of the epoch that begins.
    fn put_in_order(&mut self) {
        if self.trainer.shuffle {
            // From the identity, so that an epoch's order depends on its number alone.
            self.order.iter_mut().enumerate().for_each(|(i, o)| *o = i);
            let number = self.state.standing.epoch as u64 + 1;
            Rng::with_stream(self.trainer.seed, stream::SHUFFLE + number).shuffle(&mut self.order);
        }
    }

    /// The rows of the batch to come, as places in the order, and what they weigh.
    fn batch_to_come(&self) -> (Range<usize>, f64) {
        let rows = self.cut.rows_of(self.state.standing.batch);
        let weight = match self.training.weights {
            None => rows.len() as f64,
            Some(weights) => {
                let row = |r: usize| if self.trainer.shuffle { self.order[r] } else { r };
                rows.clone().map(|r| weights[row(r)].real()).sum()
            }
        };
        (rows, weight)
    }

    /// One step on the rows at `rows` of the order.
    fn step<A: ActivationFn>(
        &mut self,
        spec: &Spec<A>,
        numbers: &mut [T],
        rows: Range<usize>,
        rate: f64,
    ) -> Result<Value> {
        // Noise, as order, depends on the epoch's number and the batch's alone.
        let step = self.number_of_step();
        self.workspace.set_step(step);
        let Self { trainer, training, inputs, workspace, gradient, state, max_norm, .. } = self;
        let batch = match inputs {
            None if !trainer.shuffle => training.rows(rows),
            // Without shuffling the order is that of the rows.
            inputs => {
                let inputs = inputs.as_deref_mut();
                gather(training, inputs, trainer.engine.isa, &self.order[rows], &mut self.gathered)?
            }
        };
        let objective = &trainer.objective;
        let params = &mut numbers[..spec.parameters()];
        let value = pass::value_and_gradient(spec, params, batch.view(), objective, workspace, gradient)?;
        let (isa, standing) = (trainer.engine.isa, &mut state.standing);
        let at = (standing.epoch + 1, standing.batch + 1);
        if !value.objective().is_finite() {
            return Err(not_finite(workspace, value, at));
        }
        let known = *standing.start_loss.get_or_insert(value.loss);
        if value.loss > RUN_AWAY * known.max(1.0) {
            let start = pass::value(spec, &state.start[..params.len()], batch.view(), objective, workspace)?.loss;
            if value.loss > RUN_AWAY * start.max(1.0) {
                return Err(diverged("loss", value.objective(), Some(largest_layer(spec, params)), at));
            }
            standing.start_loss = Some(start.max(known));
        }
        standing.steps += 1;
        if let Some(watch) = &mut self.watch
            && watch.is_due(standing.steps)
        {
            watch.workspace.set_step(step);
            let seen = watch.check((spec, params), batch, objective, gradient, at, standing.steps)?;
            standing.history.watched.extend(seen);
        }
        trainer.clip.iter().for_each(|clip| clip.apply(isa, gradient));
        let finite = state.optimizer.step_checked(&trainer.threads, isa, rate, gradient, params);
        if !finite.gradient {
            check_finite("gradient", isa, spec, gradient, at)?;
        }
        if !finite.params {
            check_finite("weight", isa, spec, params, at)?;
        }
        max_norm.iter_mut().for_each(|limit| limit.limit_norms(isa, spec, params));
        if spec.couples_rows() {
            workspace.update_running(spec, MOMENTUM, numbers);
            check_statistics(isa, spec, numbers, at)?;
        }
        if let Some(average) = &mut state.average {
            average.step(isa, numbers, &mut standing.averaged);
        }
        Ok(value)
    }
}

/// The state of a training that begins.
fn fresh<T: Float, A: ActivationFn, L>(
    trainer: &Trainer<L>,
    method: Method,
    net: &Network<T, A>,
    is_judged: bool,
) -> Result<State<T>> {
    let numbers = net.state();
    Ok(State {
        standing: Standing::new(),
        optimizer: Optimizer::new(method, net.params().len())?,
        average: trainer.averaging.map(|rule| Average::new(rule, numbers)).transpose()?,
        before: copied(numbers, "the parameters of the last epoch")?,
        best: copied(if is_judged { numbers } else { &[] }, "the best parameters")?,
        start: copied(numbers, "the parameters before training")?,
    })
}

/// The state of a training that continues; the network's parameters and running statistics become the saved ones.
fn resumed<T: Float, A: ActivationFn, L>(
    trainer: &Trainer<L>,
    method: Method,
    net: &mut Network<T, A>,
    is_judged: bool,
    batches: usize,
    mut saved: Saved<T>,
) -> Result<State<T>> {
    let (length, parameters) = (net.state().len(), net.params().len());
    let mut standing = saved.standing.clone();
    standing.check(trainer.epochs, batches, is_judged)?;
    standing.reopen(&trainer.stopping, true);
    let numbers = saved.take("params", length)?;
    let moments = match method.moments() {
        0 => Vec::new(),
        count => saved.take("moments", count * parameters)?,
    };
    let average = trainer.averaging.map(|rule| Average::new(rule, &saved.take("average", length)?)).transpose()?;
    let state = State {
        optimizer: Optimizer::resume(method, parameters, moments, standing.steps)?,
        average,
        before: saved.take("before", length)?,
        best: if is_judged { saved.take("best", length)? } else { Vec::new() },
        start: saved.take("start", length)?,
        standing,
    };
    saved.check_empty()?;
    net.state_mut().copy_from_slice(&numbers);
    Ok(state)
}
