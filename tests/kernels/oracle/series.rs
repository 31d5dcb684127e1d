//! The series: three functions on pairs from which all others follow.

use super::pair::Pair;
use std::sync::LazyLock;

/// `1 / n!` from n = 2: as pairs while a term's rounding would show, then as numbers.
const FACTORIALS: [Pair; 5] = [
    Pair { high: 0.5, low: 0.0 },
    Pair { high: 1.0 / 6.0, low: 9.251_858_538_542_97e-18 },
    Pair { high: 1.0 / 24.0, low: 2.312_964_634_635_742_7e-18 },
    Pair { high: 1.0 / 120.0, low: 1.156_482_317_317_871_4e-19 },
    Pair { high: 1.0 / 720.0, low: -5.300_543_954_373_577e-20 },
];
const SMALL_FACTORIALS: [f64; 6] =
    [1.0 / 5040.0, 1.0 / 40_320.0, 1.0 / 362_880.0, 1.0 / 3_628_800.0, 1.0 / 39_916_800.0, 1.0 / 479_001_600.0];

/// `e^r - 1` for `|r|` up to 0.35, accurate also near zero.
///
/// Taylor's series for `r / 64`, then six times `e^(2s) - 1 = m (2 + m)` with `m = e^s - 1`. With `|s|` at most 0.0055 the
/// twelfth term is below 2^-110 of the first, and from the seventh on the terms are below 2^-57.
pub fn exp_m1(r: Pair) -> Pair {
    let s = r.scale(-6);
    let mut tail = 0.0;
    for &c in SMALL_FACTORIALS.iter().rev() {
        tail = tail * s.high + c;
    }
    let mut sum = Pair::from(tail);
    for &c in FACTORIALS.iter().rev() {
        sum = c + sum * s;
    }
    let mut m = s + s * s * sum;
    for _ in 0..6 {
        m = m * (m + Pair::from(2.0));
    }
    m
}

/// `ln(1 + u)` for `|u|` up to 0.42, accurate also near zero: one step of Newton's method from the `f64`'s logarithm `y`, with
/// `(1 + u) e^-y - 1`, some 2^-52, put through the logarithm's series. What cancels there is known to 100 bits of `u`.
pub fn ln_1p(u: Pair) -> Pair {
    let y = u.high.ln_1p();
    let m = exp_m1(Pair::from(-y));
    let rest = (u + m) + u * m;
    Pair::from(y) + rest - Pair::from(0.5 * rest.high * rest.high)
}

/// `1 / sqrt(2 pi)`.
pub const DENSITY: Pair = Pair { high: 0.398_942_280_401_432_7, low: -2.492_327_202_277_73e-17 };

/// Where the normal distribution's tail is no longer wanted: `e^(-x^2/2)` is then below 2^-1154.
pub const TAIL_END: f64 = 40.0;
/// Taylor's series start at the multiples of 1 over this.
const GRID: usize = 16;
/// As many terms as 1/32 away from a start matter to 105 bits; from the tenth on an `f64` holds them.
const TERMS: usize = 18;
const PAIRS: usize = 9;

/// `G(x) = e^(x^2/2) Phi(-x)` (Mills' ratio times the density at 0), for `x` from 0 to [`TAIL_END`].
///
/// `G' = x G - 1/sqrt(2 pi)` gives Taylor's series at any place from the value there.
pub fn mills(x: Pair) -> Pair {
    static TABLE: LazyLock<Vec<[Pair; TERMS]>> = LazyLock::new(table);
    let nearest = (x.high * GRID as f64).round();
    let terms = &TABLE[nearest as usize];
    let h = x - Pair::from(nearest / GRID as f64);
    let tail = terms[PAIRS..].iter().rev().fold(0.0, |sum, term| sum * h.high + term.high);
    terms[..PAIRS].iter().rev().fold(Pair::from(tail), |sum, &term| term + sum * h)
}

/// The series at every start, from the last, where a continued fraction (DLMF 7.9.2) converges at once, down to 0. In that
/// direction errors shrink: they are multiples of `e^(x^2/2)`.
fn table() -> Vec<[Pair; TERMS]> {
    let mut x = TAIL_END;
    let mut fraction = Pair::from(x);
    for k in (1..=60).rev() {
        fraction = Pair::from(x) + Pair::from(f64::from(k)) / fraction;
    }
    let mut value = DENSITY / fraction;
    let mut table = Vec::new();
    loop {
        // 26 terms bring the series a whole step of the grid down to 2^-105.
        let terms = taylor::<26>(x, value);
        table.push(std::array::from_fn(|i| terms[i]));
        if x == 0.0 {
            table.reverse();
            return table;
        }
        let step = 1.0 / GRID as f64;
        x -= step;
        value = terms.iter().rev().fold(Pair::from(0.0), |sum, &term| term + sum * Pair::from(-step));
    }
}

/// Taylor's coefficients at `x` of the function that has this value there: `(n + 1) a_(n+1) = x a_n + a_(n-1)`.
fn taylor<const N: usize>(x: f64, value: Pair) -> [Pair; N] {
    let mut terms = [value; N];
    terms[1] = Pair::from(x) * value - DENSITY;
    for n in 1..N - 1 {
        terms[n + 1] = (Pair::from(x) * terms[n] + terms[n - 1]) / Pair::from((n + 1) as f64);
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_what_they_are_called() {
        let mut factorial = Pair::ONE;
        for (i, &c) in FACTORIALS.iter().enumerate() {
            factorial = factorial * Pair::from((i + 2) as f64);
            assert!((c * factorial - Pair::ONE).high.abs() < 1e-31);
        }
        let pi = Pair { high: std::f64::consts::PI, low: 1.224_646_799_147_353_2e-16 };
        assert!((DENSITY * DENSITY * pi * Pair::from(2.0) - Pair::ONE).high.abs() < 1e-31);
        let half = Pair::from(0.5);
        assert!((ln_1p(half) + ln_1p(Pair::ONE / Pair::from(3.0)) - Pair::LN_2).high.abs() < 1e-30);
    }

    #[test]
    fn mills_ratio_arrives_at_one_half() {
        // From 40 down to 0 through 640 series: what is wrong with any of them would show.
        assert!((mills(Pair::from(0.0)) - Pair::from(0.5)).high.abs() < 1e-30);
    }
}
