//! Learning in many calls, each of a pass over rows that need not be there at the next.
//!
//! Row 6 of the house. Begin reading at [`Incremental::partial_fit`].

use super::prepared::origin;
use super::recipe::Begin;
use super::{Model, Provenance, Recipe, Source, With};
use crate::data::{ClassWeights, Warning};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::schedule::Schedule;
use crate::train::{Averaging, History, Saved, Solver, Stopping};

/// A model that learns in many calls: scikit-learn's `partial_fit`.
///
/// The first call decides what the columns hold, their means and deviations, and the classes; all of that stays. What a first batch lacks of
/// them is named in [`Recipe::declared`]. From call to call go on the parameters, what the optimiser remembers, the number of the epoch
/// (by which the order of the rows, the noise and the schedule go) and the average. Calls with the same rows come to the bits of a
/// [`fit`](Recipe::fit) of as many epochs that nothing ends early. Where calls have other numbers of batches, a schedule that goes by
/// steps takes those before for as many as the present one.
///
/// ```
/// use deltarule::data::csv;
/// use deltarule::model::{Declared, Incremental, Recipe, Source};
///
/// let batch = |text: &str| Source::table(csv::read_from(text.as_bytes(), "b.csv", &csv::Options::default())?, &["y"], None);
/// // No row of the first batch is of the class `yes`.
/// let recipe = Recipe { declared: Declared::classes(["no", "yes"]), ..Recipe::default() };
/// let mut learner = Incremental::<f32>::new(recipe)?;
/// for text in ["a,y\n1,no\n2,no\n3,no\n", "a,y\n8,yes\n2,no\n9,yes\n"] {
///     let source = batch(text)?;
///     let loss = learner.partial_fit(&source, &[0, 1, 2])?;
///     assert!(loss.is_finite());
/// }
/// assert_eq!(learner.model().expect("two calls").target.labels(), ["no", "yes"]);
/// assert!(learner.partial_fit(&batch("a,y\n5,perhaps\n")?, &[0]).is_err());
/// # Ok::<(), deltarule::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Incremental<T> {
    recipe: Recipe,
    model: Option<Model<T>>,
    state: Option<Saved<T>>,
    history: History,
    warnings: Vec<Warning>,
    seen: Seen,
    /// Where it began, if with a model; in words.
    origin: String,
}

/// What the calls so far were of.
#[derive(Clone, Debug, Default)]
struct Seen {
    rows: usize,
    class_counts: Vec<usize>,
    /// The sums of the rows' weights in each class.
    class_weights: Vec<f64>,
    /// Whether any rows had weights of their own.
    is_weighted: bool,
}

impl<T: Float> Incremental<T> {
    /// Nothing learnt yet. The recipe's `epochs`, patience and tolerance are not used: a call is an epoch.
    ///
    /// **Errors** for what has no meaning in single passes, by name: solvers that look at all rows, rows held back and figures to be
    /// monitored or taken, ends by loss or time, schedules that look to the end or wait for a stall, averages from a later epoch on, and
    /// balanced classes.
    pub fn new(recipe: Recipe) -> Result<Self> {
        check(&recipe)?;
        let (model, state, history, warnings) = (None, None, History::default(), Vec::new());
        Ok(Self { recipe, model, state, history, warnings, seen: Seen::default(), origin: String::new() })
    }

    /// Goes on with a model, such as one that was saved: with its parameters, preprocessing and classes. What an optimiser remembered of
    /// its training is in no model, and begins anew. [`Recipe::of`] is a recipe for it.
    ///
    /// **Errors** as [`new`](Self::new); a recipe of another network than the model's is refused by the first call.
    pub fn of(recipe: Recipe, model: Model<T>) -> Result<Self> {
        let (seen, origin) = (Seen::of(&model), origin(&model));
        Ok(Self { model: Some(model), seen, origin, ..Self::new(recipe)? })
    }

    /// One epoch over the given rows: each once, in mini-batches. Gives their mean loss while it ran, without penalty.
    ///
    /// A call that fails changes nothing.
    ///
    /// **Determinism**: the same calls give the same bits, for any number of threads.
    /// **Errors** as [`Recipe::fit_with`] in the first call, and as [`Recipe::fit_from`] in those after it: an unseen class or category
    /// is refused with file, line, column and value.
    pub fn partial_fit(&mut self, source: &Source, rows: &[usize]) -> Result<f64> {
        let mut recipe = self.recipe.clone();
        recipe.trainer.epochs = self.history.training.len() + 1;
        recipe.trainer.stopping = Stopping { patience: usize::MAX, ..Stopping::default() };
        let mut state = self.state.clone();
        let begin = Begin { model: self.model.as_ref(), state: Some(&mut state) };
        let fitted = recipe.fit_begun(source, rows, With::default(), begin)?;
        let seen = self.seen.and(&fitted.model, source, rows)?;
        let (mut model, is_first) = (fitted.model, self.model.is_none());
        model.provenance.training += &self.origin;
        model.provenance.rows = seen.rows;
        model.provenance.class_counts.clone_from(&seen.class_counts);
        model.provenance.class_shares = seen.shares();
        if is_first {
            // From now on all that it says of inputs and outputs is the model's.
            let Recipe { task, features, init, declared, .. } = Recipe::of(&model);
            self.recipe = Recipe { task, features, init, declared, ..std::mem::take(&mut self.recipe) };
        }
        (self.model, self.state, self.history, self.seen) = (Some(model), state, fitted.history, seen);
        self.warnings.extend(fitted.warnings);
        Ok(self.history.training.last().copied().unwrap_or(f64::NAN))
    }

    /// What was learnt so far; nothing before the first call. Its provenance counts each row as often as it was in a call, on top of
    /// those of the model begun with.
    pub fn model(&self) -> Option<&Model<T>> {
        self.model.as_ref()
    }

    /// The same, to keep.
    pub fn into_model(self) -> Option<Model<T>> {
        self.model
    }

    /// The losses so far, an epoch for each call.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What was odd about the data of the first call.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

impl Seen {
    /// The rows of a model's own training.
    fn of<T>(model: &Model<T>) -> Self {
        let Provenance { rows, class_counts, class_shares, .. } = &model.provenance;
        let weights = match &class_shares[..] {
            [] => class_counts.iter().map(|&count| count as f64).collect(),
            shares => shares.iter().map(|share| share * *rows as f64).collect(),
        };
        let (class_counts, is_weighted) = (class_counts.clone(), !class_shares.is_empty());
        Self { rows: *rows, class_counts, class_weights: weights, is_weighted }
    }

    /// These and the given rows.
    fn and<T: Float>(&self, model: &Model<T>, source: &Source, rows: &[usize]) -> Result<Self> {
        let rows = source.counted(rows)?;
        let weights = source.weights(&rows)?;
        let mut seen = self.clone();
        seen.rows += rows.len();
        seen.is_weighted |= weights.is_some();
        let columns = model.target.class_columns();
        if columns.is_empty() {
            return Ok(seen);
        }
        let width = columns.iter().map(|column| column.labels.len()).sum();
        seen.class_counts.resize(width, 0);
        seen.class_weights.resize(width, 0.0);
        for (row, classes) in source.classes(&model.target, &rows)?.rows().into_iter().enumerate() {
            let mut first = 0;
            for (&class, column) in classes.iter().zip(columns) {
                seen.class_counts[first + class] += 1;
                seen.class_weights[first + class] += weights.as_ref().map_or(1.0, |weights| weights[row]);
                first += column.labels.len();
            }
        }
        Ok(seen)
    }

    /// Each class's share of the weights; empty where no row had one.
    fn shares(&self) -> Vec<f64> {
        // Each row is counted in every column: the shares of each column are those of its own sum, and all sums are alike.
        let Self { class_counts, class_weights, is_weighted: true, .. } = self else { return Vec::new() };
        let (rows, counts) = (self.rows as f64, class_counts.iter().sum::<usize>() as f64);
        let total = class_weights.iter().sum::<f64>() * rows / counts;
        class_weights.iter().map(|weight| weight / total).collect()
    }
}

/// Refuses what has no meaning in single passes.
fn check(recipe: &Recipe) -> Result<()> {
    let trainer = &recipe.trainer;
    let schedule = trainer.schedule;
    let waits = matches!(schedule, Schedule::Adaptive { .. } | Schedule::Plateau { .. }) || schedule.knows_the_end();
    let wanted = [
        (!matches!(trainer.solver, Solver::Steps(_)), trainer.solver.name().to_string()),
        (recipe.held_back.is_some(), "a share of rows to be held back".into()),
        (recipe.monitor.is_some(), "a figure to be monitored".into()),
        (recipe.measures_training, "figures of the training rows".into()),
        (trainer.stopping.target_loss.is_some(), "a target loss".into()),
        (trainer.stopping.time_limit.is_some(), "a time limit".into()),
        (waits, format!("schedule {}", schedule.name())),
        (
            matches!(trainer.averaging, Some(Averaging::Uniform { from }) if from > 1),
            "an average from a later epoch on".into(),
        ),
        (recipe.class_weights == Some(ClassWeights::Balanced), "weights that balance the classes of all rows".into()),
    ];
    match wanted.into_iter().find(|(is_wanted, _)| *is_wanted) {
        None => Ok(()),
        Some((_, what)) => Err(Error::Unsupported(format!(
            "{what} in a partial fit, each call of which is one pass in mini-batches over rows that may be others than the next"
        ))),
    }
}
