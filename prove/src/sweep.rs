//! What is asked of a kernel at each input, and what is recorded.

use crate::bounds::{Promise, promise};
use crate::inputs::Inputs;
use crate::oracle::{Format, Number, Wide, slope, slope_error, value};
use crate::pass::{self, hash, hash_step};
use crate::real::Real;
use crate::work::{Progress, in_parallel};
use deltarule::kernel::elementwise::Function;
use deltarule::simd::Isa;

/// What is tried: the kernel of a function, or in tests something that claims to be one.
pub trait Subject<T>: Sync {
    /// The function.
    fn function(&self) -> Function;
    /// `x <- f(x)`.
    fn apply(&self, isa: Isa, x: &mut [T]);
    /// `x <- f(x)` and `slope <- f'(x)`.
    fn apply_with_slope(&self, isa: Isa, x: &mut [T], slope: &mut [T]);
}

impl<T: Real> Subject<T> for Function {
    fn function(&self) -> Function {
        *self
    }
    fn apply(&self, isa: Isa, x: &mut [T]) {
        T::apply(*self, isa, x);
    }
    fn apply_with_slope(&self, isa: Isa, x: &mut [T], slope: &mut [T]) {
        T::apply_with_slope(*self, isa, x, slope);
    }
}

/// What to ask beyond the same bits on all levels.
#[derive(Clone, Copy, Debug)]
pub struct Questions {
    /// Compare with the truth, and hold the promises.
    pub truth: bool,
    /// Try value and slope together too.
    pub slopes: bool,
}

/// What was found on one level.
#[derive(Clone, Debug)]
pub struct Finding<T> {
    /// The level.
    pub isa: Isa,
    /// How many inputs.
    pub tried: u64,
    /// The largest error in units in the last place.
    pub ulp: f64,
    /// Where.
    pub at: T,
    /// The slope's largest error: absolute where the slope is at most 1, else in units of the type's epsilon times that.
    pub slope_error: f64,
    /// Where.
    pub slope_at: T,
    /// How often the value falls from one input to the next.
    pub descents: u64,
    /// The lowest value.
    pub lowest: T,
    /// The highest.
    pub highest: T,
    /// Of all values, in order.
    pub hash: u64,
    /// Of all slopes.
    pub slope_hash: u64,
    /// The promises that were broken: how often, and the first few in words.
    pub faults: u64,
    /// In words.
    pub words: Vec<String>,
    /// The first and the last input and value, where descents are looked for when findings are joined.
    ends: Option<[(T, T); 2]>,
}

/// How many faults are told in words.
const WORDS: usize = 3;

impl<T: Real> Finding<T> {
    fn new(isa: Isa) -> Self {
        Self {
            isa,
            tried: 0,
            ulp: 0.0,
            at: T::ZERO,
            slope_error: 0.0,
            slope_at: T::ZERO,
            descents: 0,
            lowest: T::from_f64(f64::NAN),
            highest: T::from_f64(f64::NAN),
            hash: 0,
            slope_hash: 0,
            faults: 0,
            words: Vec::new(),
            ends: None,
        }
    }

    fn fault(&mut self, words: impl FnOnce() -> String) {
        self.faults += 1;
        if self.words.len() < WORDS {
            self.words.push(words());
        }
    }

    /// This finding followed by the next.
    fn join(mut self, next: Self) -> Self {
        self.tried += next.tried;
        if next.ulp > self.ulp || self.tried == 0 {
            (self.ulp, self.at) = (next.ulp, next.at);
        }
        if next.slope_error > self.slope_error || self.tried == 0 {
            (self.slope_error, self.slope_at) = (next.slope_error, next.slope_at);
        }
        self.descents += next.descents;
        if let (Some([_, (x, y)]), Some([(next_x, next_y), _])) = (self.ends, next.ends) {
            self.descents += u64::from(x < next_x && y > next_y);
        }
        // The one that is not NaN, where only one is.
        self.lowest = if self.lowest <= next.lowest || next.lowest.real().is_nan() { self.lowest } else { next.lowest };
        self.highest =
            if self.highest >= next.highest || next.highest.real().is_nan() { self.highest } else { next.highest };
        self.hash = hash_step(self.hash, next.hash);
        self.slope_hash = hash_step(self.slope_hash, next.slope_hash);
        self.faults += next.faults;
        self.words.extend(next.words);
        self.words.truncate(WORDS);
        self.ends = match (self.ends, next.ends) {
            (Some([first, _]), Some([_, last])) => Some([first, last]),
            (a, b) => a.or(b),
        };
        self
    }
}

/// Tries the inputs on each level, all against one truth and against each other. The first level is the one that the others
/// must equal.
pub fn sweep<T: Real>(
    subject: &impl Subject<T>,
    levels: &[Isa],
    inputs: &impl Inputs<T>,
    questions: Questions,
    progress: &Progress,
) -> Vec<Finding<T>> {
    let units = inputs.units();
    let found = in_parallel(units, |unit| {
        let mut findings: Vec<Finding<T>> = levels.iter().map(|&isa| Finding::new(isa)).collect();
        let all = inputs.unit(unit);
        for block in all.chunks(BLOCK) {
            let next = try_block(subject, &findings, block, questions);
            findings = findings.into_iter().zip(next).map(|(a, b)| a.join(b)).collect();
        }
        progress.advance(all.len() as u64);
        findings
    });
    let none = levels.iter().map(|&isa| Finding::new(isa)).collect();
    let mut findings: Vec<Finding<T>> =
        found.into_iter().fold(none, |sum, next| sum.into_iter().zip(next).map(|(a, b)| a.join(b)).collect());
    let (function, promise) = (subject.function(), promise(subject.function()));
    for finding in &mut findings {
        if questions.truth && promise.never_falls && finding.descents > 0 {
            let (isa, descents) = (finding.isa, finding.descents);
            finding.fault(|| format!("{} {} at {isa}: {descents} descents", function.name(), T::NAME));
        }
    }
    findings
}

/// Inputs, values and truth of so many stay in the cache of a core.
const BLOCK: usize = 1 << 12;

/// What is found in a block, of which no error counts that is below the largest so far.
fn try_block<T: Real>(
    subject: &impl Subject<T>,
    so_far: &[Finding<T>],
    x: &[T],
    questions: Questions,
) -> Vec<Finding<T>> {
    let function = subject.function();
    let truth: Vec<T::Truth> =
        if questions.truth { x.iter().map(|x| value(function, x.real())).collect() } else { Vec::new() };
    let slopes: Vec<T::Truth> = if questions.truth && questions.slopes {
        x.iter().map(|x| slope(function, x.real())).collect()
    } else {
        Vec::new()
    };
    let mut reference: Option<(Vec<T>, Vec<T>)> = None;
    let mut findings = Vec::new();
    for Finding { isa, ulp, slope_error, .. } in so_far {
        let isa = *isa;
        let found = Finding { ulp: *ulp, slope_error: *slope_error, ..Finding::new(isa) };
        let mut block = Block { function, promise: promise(function), x, found };
        let mut y = x.to_vec();
        subject.apply(isa, &mut y);
        block.record(&y);
        if questions.truth {
            block.hold_promises(&y);
            block.measure(&y, &truth);
        }
        if questions.truth && block.promise.odd {
            let mut mirrored: Vec<T> = x.iter().map(|&x| -x).collect();
            subject.apply(isa, &mut mirrored);
            mirrored.iter_mut().for_each(|y| *y = -*y);
            block.same("at -x the negative", &y, &mirrored);
        }
        let mut s = Vec::new();
        if questions.slopes {
            let mut again = x.to_vec();
            s = vec![T::from_f64(f64::NAN); x.len()];
            subject.apply_with_slope(isa, &mut again, &mut s);
            block.found.slope_hash = hash(&s);
            block.same("with the slope", &y, &again);
            if questions.truth {
                block.measure_slopes(&s, &slopes);
            }
        }
        match &reference {
            None => reference = Some((y, s)),
            Some((value, slope)) => {
                let first = so_far[0].isa;
                block.same(&format!("at {first}"), &y, value);
                block.same(&format!("the slope at {first}"), &s, slope);
            }
        }
        findings.push(block.found);
    }
    findings
}

/// A block of inputs on one level.
struct Block<'a, T> {
    function: Function,
    promise: Promise,
    x: &'a [T],
    found: Finding<T>,
}

impl<T: Real> Block<'_, T> {
    fn fault(&mut self, i: usize, y: T, what: impl FnOnce() -> String) {
        let (name, isa, x) = (self.function.name(), self.found.isa, self.x[i]);
        self.found.fault(|| format!("{name} {} at {isa}, x = {x:e} (bits {:x}): {y:e}, {}", T::NAME, x.bits(), what()));
    }

    fn record(&mut self, y: &[T]) {
        let (x, found) = (self.x, &mut self.found);
        found.tried = x.len() as u64;
        found.hash = hash(y);
        let pass::Summary { lowest, highest, descents } = pass::summary(y);
        (found.lowest, found.highest, found.descents) = (lowest, highest, descents);
        if let (Some(&first), Some(&last)) = (x.first(), x.last()) {
            found.ends = Some([(first, y[0]), (last, y[y.len() - 1])]);
        }
    }

    /// Range, NaN, and the stated values.
    fn hold_promises(&mut self, y: &[T]) {
        let (low, high) = (T::from_f64(self.promise.low), T::from_f64(self.promise.high));
        // A block is in order: does it hold a zero or an infinity?
        let (first, last) = (self.x[0].key(), self.x[self.x.len() - 1].key());
        let special = [f64::NEG_INFINITY, -0.0, 0.0, f64::INFINITY].map(|x| T::from_f64(x).key());
        let inside = |y: T| y.real().is_nan() || (low.key()..=high.key()).contains(&y.key());
        if inside(self.found.lowest)
            && inside(self.found.highest)
            && !special.iter().any(|x| (first..=last).contains(x))
        {
            return;
        }
        for (i, (&x, &y)) in self.x.iter().zip(y).enumerate() {
            if y < low || y > high || (y == low && y == T::ZERO && y.canonical() != T::ZERO.bits()) {
                self.fault(i, y, || format!("outside {low:e}..={high:e}"));
            }
            if x.bits() << (65 - T::WIDTH) == 0 || x.real().is_infinite() {
                let place = match (x.real() == 0.0, x.bits() >> (T::WIDTH - 1) == 1) {
                    (false, true) => 0,
                    (true, true) => 1,
                    (true, false) => 2,
                    (false, false) => 3,
                };
                if let Some(stated) = self.promise.at[place].map(T::from_f64) {
                    let zeros = x.real().is_infinite() && y == T::ZERO && stated == T::ZERO;
                    if y.canonical() != stated.canonical() && !zeros {
                        self.fault(i, y, || format!("expected {stated:e}"));
                    }
                }
            }
        }
    }

    /// The distance from the truth. What comes near the bound, and the largest, is measured with a hundred bits.
    fn measure(&mut self, y: &[T], truth: &[T::Truth]) {
        // The truth about an f32 is known to 2^-20 units at worst.
        const DOUBT: f64 = 1e-4;
        let bound = self.promise.bound;
        let near = bound.ulp - if T::Truth::ROUNDED { DOUBT } else { 0.0 };
        if T::largest_distance(truth, y) <= self.found.ulp.min(near) {
            return;
        }
        let (mut largest, mut worst) = (0.0, 0);
        for (i, (&y, &truth)) in y.iter().zip(truth).enumerate() {
            let ulp = T::FORMAT.ulps(truth, y.real());
            if ulp > near {
                self.settle(i, y);
            } else if ulp > largest {
                (largest, worst) = (ulp, i);
            }
        }
        // Near the bound every one has been settled already.
        if largest > self.found.ulp {
            let exact: Wide = value(self.function, self.x[worst].real());
            (self.found.ulp, self.found.at) = (T::FORMAT.ulps(exact, y[worst].real()), self.x[worst]);
        }
    }

    fn settle(&mut self, i: usize, y: T) {
        let bound = self.promise.bound;
        if self.x[i].real().is_nan() || y.real().is_nan() {
            return self.fault(i, y, || "expected NaN for NaN, and only then".into());
        }
        let exact: Wide = value(self.function, self.x[i].real());
        let ulp = T::FORMAT.ulps(exact, y.real());
        // In units of 2^-1074 or 2^-149, where an absolute bound is meant.
        let absolute = ulp * unit_of(exact, T::FORMAT);
        if ulp > bound.ulp && absolute > bound.absolute {
            self.fault(i, y, || format!("wrong by {ulp:.4} ulp of at most {}", bound.ulp));
        }
        if ulp > self.found.ulp {
            (self.found.ulp, self.found.at) = (ulp, self.x[i]);
        }
    }

    fn measure_slopes(&mut self, s: &[T], truth: &[T::Truth]) {
        if T::largest_slope_error(truth, s) <= self.found.slope_error {
            return;
        }
        for (i, (&s, &truth)) in s.iter().zip(truth).enumerate() {
            if truth.parts().0.is_nan() {
                if !s.real().is_nan() && self.x[i].real().is_nan() && self.promise.slope_keeps_nan {
                    self.fault(i, s, || "expected a slope of NaN".into());
                }
                continue;
            }
            let error = slope_error(truth, s.real(), T::FORMAT);
            if error.is_nan() {
                self.fault(i, s, || "expected a slope that is a number".into());
            } else if error > self.found.slope_error {
                (self.found.slope_error, self.found.slope_at) = (error, self.x[i]);
            }
        }
    }

    /// The same bits as others gave.
    fn same(&mut self, who: &str, y: &[T], others: &[T]) {
        if pass::same(y, others) {
            return;
        }
        for (i, (&y, other)) in y.iter().zip(others).enumerate() {
            if y.canonical() != other.canonical() {
                self.fault(i, y, || format!("but {who}: {other:e}"));
            }
        }
    }
}

/// The unit in the last place at a number, or the smallest subnormal where `f64` ends.
fn unit_of(truth: Wide, format: Format) -> f64 {
    let (high, _, exponent) = truth.parts();
    let leading = if high == 0.0 { format.min_exponent } else { exponent.max(format.min_exponent) };
    2f64.powi((leading + 1 - format.digits).clamp(-1074, 1023))
}
