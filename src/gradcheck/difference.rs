//! Measures one slope from values of a function, with its own error, and judges the analytic one by it.
//!
//! Along a line, `phi(t)` is the function `t` away from the point. A central difference
//! `D(h) = (phi(h) - phi(-h)) / 2h` errs by h^2 phi'''/6; two of them, `(4 D(h/2) - D(h)) / 3`, cancel that
//! (Richardson). What is left has two parts, and their sum is the error estimate:
//!
//! - *truncation*, `|D(h/2) - D(h)| / 3`: the error of `D(h/2)`, generous for the combination;
//! - *rounding*, `10 noise / h`: five standard deviations of the errors of the values.
//!
//! No step suits every function, so there is a ladder of them, 8 apart. It starts near the cube root of epsilon, where
//! a kink nearby is rarely met; climbs while rounding is the larger part; and descends while truncation is, or while
//! there is a kink, to step out of its way. A correct gradient mostly agrees at the first rung: 4 evaluations.
//!
//! A **kink** shows in the jump `J(h)` between the slope to the right and the slope to the left. Where `phi` is smooth
//! it halves with `h`; at a kink it stays. So `|2 J(h/2) - J(h)|` is 0 up to h^3 for the one and the whole jump for the
//! other. A function that tells which of its pieces it was in ([`Sample::crossed`]) needs no such guess: a step whose ends lie in the
//! point's own piece is smooth, and one whose ends do not is not. If the kink stays down the ladder until rounding would hide it, it
//! is at the point: then there are two slopes, one to each side, and what lies between them is a valid subgradient.
//!
//! Begin reading at [`judge`].

use super::function::Sample;
use super::noise;

/// The first step, for scale 1: the power of two next to the cube root of epsilon, 6.06e-6.
const FIRST_STEP: f64 = 1.0 / (1u64 << 17) as f64;
/// Between the rungs.
const RUNG: f64 = 8.0;
/// Rungs below the first: down to 2^-35, where a value has 18 bits of slope left.
const MOST_DOWN: usize = 6;
/// Rungs above the first: up to 2^7 scales, for functions that change over thousands.
const MOST_UP: usize = 8;
/// Values that err by `noise` (a standard deviation) make the combined slope err by 1.9 noise / h; five times that.
const ROUNDING: f64 = 10.0;
/// The jump's change errs by five times as much as the slope does; with some reserve.
const JUMP_ROUNDING: f64 = 8.0;
/// A smooth jump changes by less than this part while the step resolves the function: `(w h)^2 / 16` for a wave of
/// frequency `w`, which is 0.1 at a fifth of a wavelength.
const SMOOTH: f64 = 0.1;
/// A step of this many scales is long: two of them may agree by chance, so that a verdict takes a shorter one that says the same.
const LONG: f64 = 1.0 / 256.0;
/// A rung is worth descending to if its rounding is at most this part of the jump.
const VISIBLE: f64 = 1.0 / 128.0;
/// Error estimates are right but for such a factor: beyond it, what they do not explain is wrong.
pub(super) const CONFIDENCE: f64 = 4.0;
/// How far outside the two slopes of a kink a subgradient may lie, in parts of the larger: they come from one side each, to a few digits.
const BESIDE: f64 = 1e-2;

/// How far the first rung goes: to the right and left, and half as far.
pub(super) fn first_rung(scale: f64) -> [f64; 4] {
    let step = FIRST_STEP * scale;
    [step, -step, step / 2.0, -step / 2.0]
}

/// What is to be judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slope {
    pub analytic: f64,
    /// `phi(0)`.
    pub center: f64,
    /// The standard deviation of the rounding errors of `phi`.
    pub noise: f64,
    /// The length in which steps are measured, a power of two.
    pub scale: f64,
    pub tolerance: f64,
    /// The least size that an error is measured by.
    pub least: f64,
    /// How far the analytic slope may be off by its own rounding.
    pub slack: f64,
}

/// A measured slope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub numeric: f64,
    pub step: f64,
    pub truncation: f64,
    pub rounding: f64,
    /// The slope on the right less the one on the left, and what a smooth function would not have of it.
    jump: f64,
    kink: f64,
    /// The slopes to the left and to the right by themselves.
    pub sides: [f64; 2],
    /// Whether an end of a step lies in another piece than the point; unknown if the function does not tell.
    pub crossed: Option<bool>,
}

impl Measured {
    pub fn estimate(&self) -> f64 {
        self.truncation + self.rounding
    }
}

/// The judgement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Finding {
    Agrees(Measured),
    Disagrees(Measured),
    /// The slope could not be measured well enough to tell.
    Inconclusive(Measured),
    /// There is no slope at the point, and the analytic one lies between those of the two sides.
    Kink(Measured),
    /// There is no slope at the point, and the analytic one lies outside.
    NoSubgradient(Measured),
    /// The values beside the point are not finite, however near.
    NotFinite(NotFinite),
}

impl Finding {
    /// The slope that it speaks of.
    pub fn measured(&self) -> Option<&Measured> {
        match self {
            Self::Agrees(m) | Self::Disagrees(m) | Self::Inconclusive(m) | Self::Kink(m) | Self::NoSubgradient(m) => {
                Some(m)
            }
            Self::NotFinite(_) => None,
        }
    }
}

/// A value that is not finite, and how far from the point.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotFinite {
    pub went: f64,
    pub value: f64,
}

/// Errors of values that exceed those of the fine step by such a factor deserve a second look.
const NOISIER: f64 = 4.0;

/// Judges `slope.analytic`. `phi` gets how far to go and gives how far it went (rounding may shorten a step) and what it found there.
///
/// Whatever does not agree gets a second look, if coarser steps show more noise than the fine one did: a function in
/// single precision is made of stairs, and on each of them its slope is 0. Only what both looks call wrong is wrong.
pub(super) fn judge(slope: Slope, phi: &mut impl FnMut(f64) -> (f64, Sample)) -> Finding {
    let first = climb(slope, phi);
    if matches!(first, Finding::Agrees(_) | Finding::NotFinite(_)) {
        return first;
    }
    let noise = noise::coarse(slope.center, |t, side| phi(if side == 0 { t } else { -t } * slope.scale).1.value);
    if noise <= NOISIER * slope.noise {
        return first;
    }
    let second = climb(Slope { noise, ..slope }, phi);
    match (first, second) {
        (Finding::Disagrees(_) | Finding::NoSubgradient(_), Finding::Disagrees(_) | Finding::NoSubgradient(_)) => first,
        (Finding::Disagrees(m) | Finding::NoSubgradient(m), _)
        | (Finding::Inconclusive(m), Finding::Kink(_) | Finding::NoSubgradient(_) | Finding::NotFinite(_)) => {
            Finding::Inconclusive(m)
        }
        (_, second) => second,
    }
}

/// One look: up or down the ladder until the slope is known well enough.
fn climb(slope: Slope, phi: &mut impl FnMut(f64) -> (f64, Sample)) -> Finding {
    let mut step = FIRST_STEP * slope.scale;
    let mut measured: [Option<Measured>; MOST_DOWN + MOST_UP + 1] = [None; MOST_DOWN + MOST_UP + 1];
    let (mut up, mut down) = (0, 0);
    let mut kinked: Option<Measured> = None;
    let mut fault = NotFinite { went: 0.0, value: f64::NAN };
    for rung in 0..measured.len() {
        let next = measure(slope, step, phi);
        let descend = match next {
            // Above the first rung, whatever is not smooth is merely too far away.
            Err(_) if up > 0 => break,
            Ok(m) if up > 0 && slope.is_broken(&m) => break,
            Err(at) => {
                (fault, kinked) = (at, None);
                true
            }
            Ok(m) if slope.is_broken(&m) => {
                // Whatever seemed smooth above this was met by chance.
                measured.fill(None);
                kinked = Some(m);
                if m.rounding * RUNG > VISIBLE * m.kink {
                    break;
                }
                true
            }
            Ok(m) => {
                measured[rung] = Some(m);
                kinked = None;
                if slope.agrees_exactly(&m) {
                    return Finding::Agrees(m);
                }
                let rounds = m.rounding >= m.truncation;
                // What stops short of the tolerance is worth another rung; so is a verdict that has no second witness.
                let blunt = m.rounding > slope.tolerance * slope.size(&m) && slope.size(&m) > 0.0;
                if up > 0 && !(rounds && blunt) || down > 0 && rounds {
                    break;
                }
                !rounds && up == 0
            }
        };
        if descend {
            down += 1;
            step /= RUNG;
        } else {
            up += 1;
            step *= RUNG;
        }
        if down > MOST_DOWN || up > MOST_UP {
            break;
        }
    }
    if let Some(m) = kinked {
        return if slope.is_subgradient(&m) { Finding::Kink(m) } else { Finding::NoSubgradient(m) };
    }
    let witnesses = measured.iter().flatten();
    match witnesses.clone().min_by(|a, b| a.estimate().total_cmp(&b.estimate())) {
        None => Finding::NotFinite(fault),
        Some(best) => slope.decide(best, witnesses),
    }
}

impl Slope {
    fn size(&self, m: &Measured) -> f64 {
        self.analytic.abs().max(m.numeric.abs()).max(self.least)
    }

    /// The size below which an error is measured absolutely: there rounding alone reaches the tolerance.
    pub fn floor(&self, m: &Measured) -> f64 {
        (m.rounding + self.slack) / self.tolerance
    }

    /// The relative error that the tolerance is compared with.
    pub fn error(&self, m: &Measured) -> f64 {
        let difference = (self.analytic - m.numeric).abs();
        match self.size(m).max(self.floor(m)) {
            0.0 => 0.0,
            size => difference / size,
        }
    }

    /// Agreement to the tolerance, without the help of the floor.
    fn agrees_exactly(&self, m: &Measured) -> bool {
        self.analytic.is_finite()
            && m.rounding <= self.tolerance * self.size(m)
            && (self.analytic - m.numeric).abs() <= self.tolerance * self.size(m)
    }

    /// A jump that does not halve with the step: beyond rounding, beyond what a smooth function does, and large enough
    /// to matter. Within one piece there is none.
    fn is_broken(&self, m: &Measured) -> bool {
        m.crossed != Some(false)
            && m.kink > JUMP_ROUNDING * m.rounding
            && (m.crossed == Some(true) || m.kink > SMOOTH * m.jump.abs())
            && m.kink > self.tolerance * m.numeric.abs()
    }

    /// Whether the analytic slope lies between those of the two sides.
    fn is_subgradient(&self, m: &Measured) -> bool {
        let [left, right] = m.sides;
        let beside = BESIDE * left.abs().max(right.abs()).max(self.least) + CONFIDENCE * m.rounding;
        (left.min(right) - beside..=left.max(right) + beside).contains(&self.analytic)
    }

    /// What a kink may add that the step crossed, and that is too small to be seen.
    fn doubt(&self, m: &Measured) -> f64 {
        if m.crossed == Some(true) { m.kink + JUMP_ROUNDING * m.rounding } else { 0.0 }
    }

    /// Whether a long step is the only one to disagree: at a step as long as the function is wide, an estimate may be small by chance.
    fn is_alone<'a>(&self, best: &Measured, mut witnesses: impl Iterator<Item = &'a Measured>) -> bool {
        let confirms =
            |m: &Measured| m.step < best.step && (self.analytic - m.numeric).abs() > CONFIDENCE * m.estimate();
        best.step > LONG * self.scale && !witnesses.any(confirms)
    }

    /// Whether the ladder ended before it could tell whether the kink is at the point or merely near.
    pub fn ended_early(&self, m: &Measured) -> bool {
        m.step > FIRST_STEP * self.scale / RUNG.powi(MOST_DOWN as i32) * 1.5
    }

    fn decide<'a>(&self, best: &Measured, mut witnesses: impl Iterator<Item = &'a Measured> + Clone) -> Finding {
        let difference = (self.analytic - best.numeric).abs();
        if !self.analytic.is_finite() {
            Finding::Disagrees(*best)
        } else if self.error(best) <= self.tolerance {
            Finding::Agrees(*best)
        } else if difference <= CONFIDENCE * (best.estimate() + self.doubt(best))
            || self.is_alone(best, witnesses.clone())
            || witnesses.any(|m| {
                // Two rungs contradict each other, by enough to explain the difference.
                let gap = (m.numeric - best.numeric).abs();
                gap > CONFIDENCE * (m.estimate() + best.estimate()) && CONFIDENCE * gap > difference
            })
        {
            Finding::Inconclusive(*best)
        } else {
            Finding::Disagrees(*best)
        }
    }
}

/// The slope from steps `step` and `step / 2`; or which value is not finite.
fn measure(slope: Slope, step: f64, phi: &mut impl FnMut(f64) -> (f64, Sample)) -> Result<Measured, NotFinite> {
    let mut largest = slope.center.abs();
    let mut crossed = None;
    let mut at = |t: f64| {
        let mut side = |t: f64| {
            let (went, Sample { value, crossed: pieces }) = phi(t);
            largest = largest.max(value.abs());
            crossed = pieces.map(|pieces| pieces > 0 || crossed == Some(true));
            if value.is_finite() { Ok((went, value)) } else { Err(NotFinite { went, value }) }
        };
        let ((right, above), (left, below)) = (side(t)?, side(-t)?);
        let central = (above - below) / (right - left);
        Ok((central, (above - slope.center) / right, (below - slope.center) / left))
    };
    let (wide, near) = (at(step)?, at(step / 2.0)?);
    let noise = slope.noise.max(f64::EPSILON / 2.0 * largest);
    let jump = wide.1 - wide.2;
    let measured = Measured {
        numeric: (4.0 * near.0 - wide.0) / 3.0,
        step,
        truncation: (near.0 - wide.0).abs() / 3.0,
        rounding: ROUNDING * noise / step,
        jump,
        kink: (2.0 * (near.1 - near.2) - jump).abs(),
        // One-sided differences err by the step itself, which two of them cancel.
        sides: [2.0 * near.2 - wide.2, 2.0 * near.1 - wide.1],
        crossed,
    };
    // Finite values far apart can differ by more than there are numbers.
    let finite = [measured.numeric, measured.kink, measured.rounding].iter().all(|v| v.is_finite());
    if finite { Ok(measured) } else { Err(NotFinite { went: step, value: measured.numeric }) }
}
