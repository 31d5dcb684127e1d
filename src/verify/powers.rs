//! Powers of errors, in which both ways of adding errors are sums.

/// Standard deviations of independent errors: far beyond any that occurs, for errors are not quite independent.
pub(super) const DEVIATIONS: f64 = 16.0;
/// Units of roundoff that a kernel's value or slope may be off by: the proof's table has at most 2 in the last place, which are 4.
pub(super) const KERNEL: f64 = 8.0;

/// How errors add.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Power {
    /// In absolute terms.
    Certain,
    /// As squares.
    Likely,
}

impl Power {
    /// What is added of an error, or of what multiplies one.
    pub fn of(self, x: f64) -> f64 {
        if self == Self::Certain { x.abs() } else { x * x }
    }

    pub fn root(self, power: f64) -> f64 {
        if self == Self::Certain { power } else { power.sqrt() }
    }

    pub fn powers(self, numbers: &[f64]) -> Vec<f64> {
        numbers.iter().map(|&x| self.of(x)).collect()
    }

    /// How many deviations a number is moved by to see what becomes of it: past the kinks that errors may reach.
    pub fn reach(self) -> f64 {
        if self == Self::Certain { 1.0 } else { DEVIATIONS }
    }

    /// What a sum of `n` products rounds, as a factor of the sum of their powers.
    pub fn summed(self, n: usize, u: f64) -> f64 {
        let n = n as f64;
        self.of(u * if self == Self::Certain { n } else { n.sqrt() })
    }
}
