//! What is asked of a kernel at each input, and what is recorded.

use crate::bounds::{Promise, promise};
use crate::inputs::Inputs;
use crate::oracle::{Format, Number, Wide, slope, value};
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
        Function::apply(*self, isa, x);
    }
    fn apply_with_slope(&self, isa: Isa, x: &mut [T], slope: &mut [T]) {
        Function::apply_with_slope(*self, isa, x, slope);
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
            lowest: T::from_f64(f64::INFINITY),
            highest: T::from_f64(f64::NEG_INFINITY),
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
        if next.ulp > self.ulp {
            (self.ulp, self.at) = (next.ulp, next.at);
        }
        if next.slope_error > self.slope_error {
            (self.slope_error, self.slope_at) = (next.slope_error, next.slope_at);
        }
        self.descents += next.descents;
        if let (Some([_, (x, y)]), Some([(next_x, next_y), _])) = (self.ends, next.ends) {
            self.descents += u64::from(x < next_x && y > next_y);
        }
        self.lowest = if next.lowest < self.lowest { next.lowest } else { self.lowest };
        self.highest = if next.highest > self.highest { next.highest } else { self.highest };
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
            let next = try_block(subject, levels, block, questions);
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
        if questions.truth && promise.monotone && finding.descents > 0 {
            let (isa, descents) = (finding.isa, finding.descents);
            finding.fault(|| format!("{} {} at {isa}: {descents} descents", function.name(), T::NAME));
        }
    }
    findings
}

/// Inputs, values and truth of so many stay in the cache of a core.
const BLOCK: usize = 1 << 12;

fn try_block<T: Real>(subject: &impl Subject<T>, levels: &[Isa], x: &[T], questions: Questions) -> Vec<Finding<T>> {
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
    for &isa in levels {
        let mut block = Block { function, promise: promise(function), x, found: Finding::new(isa) };
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
            block.same("at -x the negative", &y, mirrored.iter().map(|&y| -y));
        }
        let mut s = Vec::new();
        if questions.slopes {
            let mut again = x.to_vec();
            s = vec![T::from_f64(f64::NAN); x.len()];
            subject.apply_with_slope(isa, &mut again, &mut s);
            block.found.slope_hash = hash(&s);
            block.same("with the slope", &y, again.iter().copied());
            if questions.truth {
                block.measure_slopes(&s, &slopes);
            }
        }
        match &reference {
            None => reference = Some((y, s)),
            Some((value, slope)) => {
                let first = levels[0];
                block.same(&format!("at {first}"), &y, value.iter().copied());
                block.same(&format!("the slope at {first}"), &s, slope.iter().copied());
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
        for &y in y {
            found.lowest = if y < found.lowest { y } else { found.lowest };
            found.highest = if y > found.highest { y } else { found.highest };
        }
        found.descents = y.windows(2).map(|pair| u64::from(pair[0] > pair[1])).sum();
        if let (Some(&first), Some(&last)) = (x.first(), x.last()) {
            found.ends = Some([(first, y[0]), (last, y[y.len() - 1])]);
        }
    }

    /// Range, NaN, and the stated values.
    fn hold_promises(&mut self, y: &[T]) {
        let (low, high) = (T::from_f64(self.promise.low), T::from_f64(self.promise.high));
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
        let epsilon = 2f64.powi(1 - T::FORMAT.digits);
        for (i, (&s, &truth)) in s.iter().zip(truth).enumerate() {
            let (high, low, exponent) = truth.parts();
            if high.is_nan() {
                if s.real().is_finite() && self.x[i].real().is_nan() && self.promise.slope_keeps_nan {
                    self.fault(i, s, || "expected a slope of NaN".into());
                }
                continue;
            }
            let small = exponent < 0 || exponent == 0 && high.abs() <= 1.0;
            let error = if small {
                let scale = 2f64.powi(exponent.max(-1074));
                ((s.real() - high * scale) - low * scale).abs()
            } else {
                T::FORMAT.ulps(truth, s.real()) * epsilon
            };
            if error.is_nan() {
                self.fault(i, s, || "expected a slope that is a number".into());
            } else if error > self.found.slope_error {
                (self.found.slope_error, self.found.slope_at) = (error, self.x[i]);
            }
        }
    }

    /// The same bits as others gave.
    fn same(&mut self, who: &str, y: &[T], others: impl Iterator<Item = T>) {
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

/// One step of a hash that sees order: a rotation after a product keeps every bit in play (bijective in each argument).
#[inline]
fn hash_step(hash: u64, value: u64) -> u64 {
    (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// Of all values in order: eight chains side by side, because a product has to wait for the one before.
fn hash<T: Real>(values: &[T]) -> u64 {
    let mut chains = [0u64; 8];
    for chunk in values.chunks(8) {
        for (chain, &value) in chains.iter_mut().zip(chunk) {
            *chain = hash_step(*chain, value.canonical());
        }
    }
    chains.into_iter().fold(values.len() as u64, hash_step)
}
