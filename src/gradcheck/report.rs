//! What a gradient check found: data first; `table.rs` prints it for people, `junit.rs` for continuous integration.

use super::function::Tensor;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an entry's index counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// The coordinates of the point.
    Coordinate,
    /// The random directions.
    Direction,
    /// The points given to [`scalar`](super::scalar).
    Point,
}

/// The answer: of one entry, of a tensor, of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Entry: every witness that could tell agrees. Tensor: some entries are, and none is wrong. All: each tensor is.
    Verified,
    /// Entry: there is a kink at the point, and the analytic slope is a valid subgradient: it lies between the slopes of the two
    /// sides. Tensor: there is nothing else in it.
    Kink,
    /// Entry: no witness could measure well enough to tell. Tensor: nothing in it is verified. All: that is so of a tensor.
    Inconclusive,
    /// A witness disagrees, or something is not finite.
    Wrong,
}

impl Verdict {
    /// The answer that those of all tensors amount to: one of which nothing is verified is not vouched for by its neighbours; one that is
    /// all kinks has valid subgradients, and is.
    pub fn of(tensors: impl Iterator<Item = Counts>) -> Self {
        let (mut all, mut unknown) = (Counts::default(), false);
        for counts in tensors {
            all.absorb(&counts);
            unknown |= counts.verdict() == Self::Inconclusive;
        }
        match all.verdict() {
            Self::Verified if unknown => Self::Inconclusive,
            verdict => verdict,
        }
    }
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Which coordinate, direction or point, from 0.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// The answer.
    pub verdict: Verdict,
    /// The slope in question.
    pub analytic: f64,
    /// The slope measured by differences; NaN without it, or if the function is not finite beside the point.
    pub numeric: f64,
    /// `|analytic - numeric| / max(|analytic|, |numeric|, floor)`, or that of the exact witness furthest away if it alone disagrees;
    /// infinite if something is not finite.
    pub error: f64,
    /// The measured slope's own error, estimated: truncation and rounding.
    pub estimate: f64,
    /// The longer of the two steps that it was measured with.
    pub step: f64,
    /// Whether the steps stayed within one smooth piece of the function, if it tells.
    pub smooth: Option<bool>,
    /// Of a kink: the slopes to the left and to the right.
    pub sides: Option<[f64; 2]>,
    /// The slope in dual numbers, where there is such a witness.
    pub dual: Option<f64>,
    /// The slope by a complex step, where there is such a witness.
    pub complex: Option<f64>,
}

/// How many entries got which answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Comparisons made: the sum of the next four.
    pub checked: usize,
    /// Those that agree.
    pub verified: usize,
    /// Those at a kink, with a valid subgradient.
    pub kinks: usize,
    /// Those that could not be measured well enough to judge.
    pub inconclusive: usize,
    /// Those that disagree.
    pub wrong: usize,
}

impl Counts {
    /// The answer that they amount to.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self { wrong: 1.., .. } => Verdict::Wrong,
            Self { verified: 1.., .. } => Verdict::Verified,
            Self { inconclusive: 0, kinks: 1.., .. } => Verdict::Kink,
            _ => Verdict::Inconclusive,
        }
    }

    /// The part of the entries that no witness could judge.
    pub fn inconclusive_share(&self) -> f64 {
        self.inconclusive as f64 / self.checked.max(1) as f64
    }

    fn add(&mut self, verdict: Verdict) {
        self.checked += 1;
        *match verdict {
            Verdict::Verified => &mut self.verified,
            Verdict::Kink => &mut self.kinks,
            Verdict::Inconclusive => &mut self.inconclusive,
            Verdict::Wrong => &mut self.wrong,
        } += 1;
    }

    /// Adds another's.
    pub fn absorb(&mut self, other: &Self) {
        self.checked += other.checked;
        self.verified += other.verified;
        self.kinks += other.kinks;
        self.inconclusive += other.inconclusive;
        self.wrong += other.wrong;
    }
}

/// What was found in one tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorReport {
    /// Its name.
    pub name: String,
    /// How many entries it has.
    pub entries: usize,
    /// The answer.
    pub verdict: Verdict,
    /// The answers of its entries.
    #[serde(flatten)]
    pub counts: Counts,
    /// The wrong entry, or else the comparison, with the largest error; kinks apart.
    pub worst: Option<Entry>,
}

/// Who disagrees with whom: the gradient and its witnesses, pair by pair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disagreements {
    /// The pair.
    pub between: [String; 2],
    /// Entries for which both had something to say, kinks apart.
    pub compared: usize,
    /// Those on which they disagree.
    pub disagreed: usize,
    /// The largest distance, in parts of the larger of both and of what is negligible.
    pub worst: f64,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// What was compared.
    pub subject: Subject,
    /// The largest relative error that agrees with differences; of a gradient that was held against another to bounds, nothing.
    pub tolerance: Option<f64>,
    /// The answers of all entries.
    #[serde(flatten)]
    pub counts: Counts,
    /// Tensor by tensor; of directions, those that were tried to find which tensor is to blame come after the whole.
    pub tensors: Vec<TensorReport>,
    /// The gradient's witnesses, pair by pair.
    pub disagreements: Vec<Disagreements>,
    /// The largest absolute floor used: slopes smaller than this were compared absolutely.
    pub floor: f64,
    /// The comparison with the largest error, kinks apart.
    pub worst: Option<Entry>,
    /// The first comparisons that are wrong.
    pub faults: Vec<Entry>,
    /// The first entries at a kink, with the slopes of both sides.
    pub at_kinks: Vec<Entry>,
    /// What else is to be said, such as where a value is not finite.
    pub message: Option<String>,
    #[serde(skip)]
    used: f64,
    /// How many tensors the verdict is of, where others were tried to find who is to blame.
    #[serde(skip)]
    pub(super) judged: Option<usize>,
    #[serde(skip)]
    pub(super) most_wrong: usize,
}

impl Report {
    pub(super) fn new(subject: Subject, tolerance: Option<f64>, most_wrong: usize) -> Self {
        Self {
            verdict: Verdict::Inconclusive,
            subject,
            tolerance,
            counts: Counts::default(),
            tensors: Vec::new(),
            disagreements: Vec::new(),
            floor: 0.0,
            worst: None,
            faults: Vec::new(),
            at_kinks: Vec::new(),
            message: None,
            used: 0.0,
            judged: None,
            most_wrong,
        }
    }

    /// Nothing can be compared: what was given is wrong by itself, or was not asked in a way that can be answered.
    pub(super) fn refuse(mut self, verdict: Verdict, message: String) -> Self {
        self.verdict = verdict;
        self.message = Some(message);
        self
    }

    pub(super) fn open(&mut self, tensor: &Tensor) {
        self.tensors.push(TensorReport {
            name: tensor.name.clone(),
            entries: tensor.range.len(),
            verdict: Verdict::Inconclusive,
            counts: Counts::default(),
            worst: None,
        });
    }

    /// An entry of the tensor that was opened last. Its name is asked for where it is kept.
    pub(super) fn add(&mut self, mut entry: Entry, name: impl Fn() -> String, fault: Option<String>) {
        let tensor = self.tensors.last_mut().expect("a tensor that was opened");
        tensor.counts.add(entry.verdict);
        self.counts.add(entry.verdict);
        let used = (entry.analytic - entry.numeric).abs() / entry.estimate;
        self.used = if entry.estimate > 0.0 { self.used.max(used) } else { self.used };
        let is_wrong = entry.verdict == Verdict::Wrong;
        let listed = is_wrong && self.faults.len() < self.most_wrong;
        let kink = entry.verdict == Verdict::Kink && self.at_kinks.len() < self.most_wrong;
        let leads = |worst: &Option<Entry>| {
            let Some(worst) = worst else { return true };
            (is_wrong, entry.error) > (worst.verdict == Verdict::Wrong, worst.error)
        };
        let (of_all, of_tensor) = (leads(&self.worst), leads(&tensor.worst));
        let kept = entry.verdict != Verdict::Kink && (of_all || of_tensor);
        if !(listed || kink || kept || fault.is_some() && self.message.is_none()) {
            return;
        }
        entry.name = name();
        if let (Some(fault), None) = (fault, &self.message) {
            self.message = Some(fault.replace("{}", &entry.name));
        }
        if listed {
            self.faults.push(entry.clone());
        }
        if kink {
            self.at_kinks.push(entry.clone());
        }
        if kept && of_tensor {
            tensor.worst = Some(entry.clone());
        }
        if kept && of_all {
            self.worst = Some(entry);
        }
    }

    /// Counts one comparison of the witnesses `between`.
    pub(super) fn compare(&mut self, between: [&str; 2], agrees: bool, distance: f64) {
        let pair = match self.disagreements.iter().position(|pair| pair.between == between) {
            Some(at) => &mut self.disagreements[at],
            None => {
                let between = between.map(Into::into);
                self.disagreements.push(Disagreements { between, compared: 0, disagreed: 0, worst: 0.0 });
                self.disagreements.last_mut().expect("the one just pushed")
            }
        };
        pair.compared += 1;
        pair.disagreed += usize::from(!agrees);
        pair.worst = if distance.is_nan() { f64::INFINITY } else { pair.worst.max(distance) };
    }

    pub(super) fn conclude(mut self) -> Self {
        for tensor in &mut self.tensors {
            tensor.verdict = tensor.counts.verdict();
        }
        let tried = &self.tensors[..self.judged.unwrap_or(self.tensors.len())];
        let tried = || tried.iter().filter(|tensor| tensor.entries > 0);
        self.verdict = Verdict::of(tried().map(|tensor| tensor.counts));
        let unknown = tried().find(|tensor| tensor.verdict == Verdict::Inconclusive);
        if let (Verdict::Inconclusive, Some(tensor), true) = (self.verdict, unknown, self.counts.verified > 0) {
            self.message = self.message.take().or(Some(format!("nothing in {} could be verified", tensor.name)));
        }
        if self.counts.verified + self.counts.wrong + self.counts.inconclusive == 0 {
            let reason =
                if self.counts.checked == 0 { "there was nothing to compare" } else { "there is a kink everywhere" };
            self.message = self.message.take().or(Some(reason.to_string()));
        }
        self
    }

    /// The names of the tensors that hold something wrong.
    pub fn wrong_tensors(&self) -> Vec<&str> {
        self.tensors.iter().filter(|t| t.verdict == Verdict::Wrong).map(|t| t.name.as_str()).collect()
    }

    /// The largest difference in parts of its estimate: of a gradient that was compared to a bound on its rounding, how much of it was used.
    pub fn worst_of_estimate(&self) -> f64 {
        self.used
    }

    /// Success, or an error that names the worst entry.
    ///
    /// **Errors** if the verdict is not [`Verdict::Verified`].
    pub fn require(&self) -> Result<()> {
        match self.verdict {
            Verdict::Verified => Ok(()),
            _ => Err(Error::Check(self.to_string().trim_end().to_string())),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Coordinate => "coordinate",
            Self::Direction => "direction",
            Self::Point => "point",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Verified => "verified",
            Self::Kink => "kink",
            Self::Inconclusive => "inconclusive",
            Self::Wrong => "wrong",
        })
    }
}
