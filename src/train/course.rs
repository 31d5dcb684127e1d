//! The course of a training by a solver that looks at all rows before each move: who judges an iteration, who is told of it, what is
//! kept and saved, and when it is over.
//!
//! Row 6 of the house: imports everything below. Begin reading at [`Course::lead`].

use super::judge::Jury;
use super::required::copied;
use super::run::{Observer, Run, Saving, tell};
use super::state::{Minimisation, Saved, Snapshot, Standing};
use super::{History, Solver, Stopped, Trainer};
use crate::activation::ActivationFn;
use crate::error::Result;
use crate::float::Float;
use crate::loss::LossFn;
use crate::network::objective::{Batch, Value};
use crate::network::workspace::Workspace;
use crate::network::{Network, Spec, pass};
use crate::optim::Stop;
use crate::optim::bayes::Regularisation;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// A solver at work on a network and all its rows, which is led an iteration at a time and can be saved between any two.
pub(super) trait WholeBatch<T> {
    /// Takes an iteration, and leaves in `params` where it ended; gives the objective there, or why there is none.
    fn advance(&mut self, params: &mut [T]) -> Result<ControlFlow<Stop, Value>>;

    /// Puts into `params` what all came to, where that is not the last iteration's.
    fn settle(&self, params: &mut [T]) {
        let _ = params;
    }

    /// What it has found of the penalty, if it looks for one.
    fn regularisation(&self) -> Option<Regularisation> {
        None
    }

    /// The numbers of its state, if it has more than parameters.
    fn minimisation(&self) -> Option<Minimisation> {
        None
    }

    /// The buffers of its state, beside the parameters.
    fn buffers(&self) -> Vec<(&'static str, &[T])> {
        Vec::new()
    }

    /// Those in `f64`, whatever the network's type.
    fn wide(&self) -> Vec<(&'static str, &[f64])> {
        Vec::new()
    }
}

/// What all these solvers share.
pub(super) struct Course<'a, T, L> {
    trainer: &'a Trainer<L>,
    jury: Jury<'a, 'a, T, L>,
    standing: Standing,
    /// The best parameters by the rows held back; empty without them.
    best: Vec<T>,
    observe: Option<&'a mut Observer<'a>>,
    interrupt: Option<&'a AtomicBool>,
    save: Option<Saving<'a, T>>,
    /// The epoch whose state was saved last.
    saved: Option<usize>,
    begun: Instant,
    /// Of earlier runs.
    seconds_before: f64,
    /// The statistics of batch normalisation, where there is any.
    settled: Option<Settled<'a, T>>,
}

/// Statistics of batch normalisation at any parameters: those of the whole batch, which is what a running average of them would approach.
struct Settled<'a, T> {
    training: Batch<'a, T>,
    workspace: Workspace<T>,
    /// A network's state.
    numbers: Vec<T>,
}

impl<'a, T: Float> Settled<'a, T> {
    fn new<A: ActivationFn, L>(trainer: &Trainer<L>, net: &Network<T, A>, training: &Batch<'a, T>) -> Result<Self> {
        let (rows, threads) = (training.x.nrows(), trainer.threads.clone());
        let workspace = Workspace::for_prediction(net.spec(), rows, trainer.engine, threads)?;
        Ok(Self { training: *training, workspace, numbers: copied(net.state(), "the running statistics")? })
    }

    /// The state of the network at `params`.
    fn at<A: ActivationFn, L: LossFn>(&mut self, trainer: &Trainer<L>, spec: &Spec<A>, params: &[T]) -> Result<&[T]> {
        pass::value(spec, params, self.training.view(), &trainer.objective, &mut self.workspace)?;
        self.numbers[..params.len()].copy_from_slice(params);
        self.workspace.update_running(spec, 1.0, &mut self.numbers);
        Ok(&self.numbers)
    }
}

impl<'a, T: Float, L: LossFn> Course<'a, T, L> {
    /// The course of a training that begins, or continues from the run's saved state, whose buffers of the solver are given back.
    ///
    /// **Errors**: no memory; a state that no such training has saved.
    pub fn new<A: ActivationFn>(
        trainer: &'a Trainer<L>,
        net: &Network<T, A>,
        training: Batch<'a, T>,
        run: Run<'a, T>,
    ) -> Result<(Self, Option<Saved<T>>)> {
        let Run { held_back, measure, observe, interrupt, save, mut resume, .. } = run;
        let settled = net.spec().couples_rows().then(|| Settled::new(trainer, net, &training)).transpose()?;
        let jury = Jury::new(trainer, net.spec(), training, held_back, measure)?;
        let (standing, best) = match &mut resume {
            None => {
                let best = copied(if jury.judges() { net.params() } else { &[] }, "the best parameters")?;
                (Standing::new(), best)
            }
            Some(saved) => {
                let mut standing = saved.standing.clone();
                let is_bayes = matches!(trainer.solver, Solver::Bayes(_));
                let minimises = trainer.solver != Solver::Perceptron;
                standing.check_whole(trainer.epochs, jury.judges(), is_bayes, minimises)?;
                standing.reopen(&trainer.stopping, jury.judges());
                (standing, if jury.judges() { saved.take("best", net.params().len())? } else { Vec::new() })
            }
        };
        let (seconds_before, begun) = (standing.seconds, Instant::now());
        let course = Self {
            trainer,
            jury,
            standing,
            best,
            observe,
            interrupt,
            save,
            saved: None,
            begun,
            seconds_before,
            settled,
        };
        Ok((course, resume))
    }

    /// Epochs done in earlier runs.
    pub fn epochs(&self) -> usize {
        self.standing.epoch
    }

    /// The training loss of the last of them.
    pub fn last_loss(&self) -> Option<f64> {
        self.standing.history.training.last().copied()
    }

    /// Leads the solver to its end from the network's state, `numbers`, whose parameters then are the best where rows judged them, and
    /// else what it came to; so they are also where it fails.
    pub fn lead<A: ActivationFn>(
        mut self,
        spec: &Spec<A>,
        numbers: &mut [T],
        solver: &mut impl WholeBatch<T>,
    ) -> Result<History> {
        let params = &mut numbers[..spec.parameters()];
        let ended = self.walk(spec, params, solver);
        solver.settle(params);
        ended?;
        let mut history = self.standing.history;
        history.stopped = self.standing.stopped.unwrap_or(Stopped::Epochs);
        if self.jury.judges() && history.kept > 0 {
            params.copy_from_slice(&self.best);
        }
        if let Some(settled) = &mut self.settled {
            let settled = settled.at(self.trainer, spec, params)?;
            numbers.copy_from_slice(settled);
        }
        Ok(history)
    }

    fn walk<A: ActivationFn>(
        &mut self,
        spec: &Spec<A>,
        params: &mut [T],
        solver: &mut impl WholeBatch<T>,
    ) -> Result<()> {
        while self.standing.stopped.is_none() {
            match solver.advance(params)? {
                ControlFlow::Continue(value) => self.see(spec, params, (value, solver.regularisation()))?,
                // With more epochs it would go on: that is no end to be saved.
                ControlFlow::Break(Stop::IterationLimit) if self.saved == Some(self.standing.epoch) => return Ok(()),
                ControlFlow::Break(stop) => {
                    self.standing.stopped = ended(stop);
                    return self.save(params, solver);
                }
            }
            let every = self.save.as_ref().map_or(usize::MAX, |save| save.every);
            if self.standing.stopped.is_some() || self.standing.epoch.is_multiple_of(every) {
                self.save(params, solver)?;
            }
        }
        Ok(())
    }

    /// Takes in an iteration, which ended at `params`.
    fn see<A: ActivationFn>(
        &mut self,
        spec: &Spec<A>,
        params: &[T],
        (value, found): (Value, Option<Regularisation>),
    ) -> Result<()> {
        let numbers = match &mut self.settled {
            Some(settled) if self.jury.listens() => settled.at(self.trainer, spec, params)?,
            _ => params,
        };
        let heard = self.jury.hear(spec, numbers, (self.standing.epoch + 1, 1))?;
        let judges = self.jury.judges();
        let standing = &mut self.standing;
        standing.seconds = self.seconds_before + self.begun.elapsed().as_secs_f64();
        standing.history.regularisation.extend(found);
        // Without rows held back, the solver's own tolerances say when there is nothing left to gain.
        if standing.end_epoch(self.trainer, value, heard, judges) && judges {
            self.best.copy_from_slice(params);
        }
        tell(standing, &mut self.observe, self.interrupt);
        Ok(())
    }

    /// Hands the state on, if anybody wants it.
    fn save(&mut self, params: &[T], solver: &impl WholeBatch<T>) -> Result<()> {
        let Some(Saving { save, .. }) = &mut self.save else { return Ok(()) };
        self.standing.minimisation = solver.minimisation();
        let mut buffers = vec![("params", params)];
        if self.jury.judges() {
            buffers.push(("best", &self.best));
        }
        buffers.extend(solver.buffers());
        save(&Snapshot { standing: &self.standing, buffers, wide: solver.wide() })?;
        self.saved = Some(self.standing.epoch);
        Ok(())
    }
}

/// Why a training is over whose solver stopped so; one that has used all its epochs is not, with more of them.
fn ended(stop: Stop) -> Option<Stopped> {
    match stop {
        Stop::Gradient | Stop::Decrease => Some(Stopped::Converged),
        Stop::LineSearch => Some(Stopped::LineSearch),
        Stop::NotFinite => Some(Stopped::NotFinite),
        Stop::EvaluationLimit => Some(Stopped::Epochs),
        Stop::Observer => Some(Stopped::Observer),
        Stop::IterationLimit => None,
    }
}
