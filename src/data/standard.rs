//! Mean and standard deviation of numbers of any magnitude, each counting as often as its weight says, in two passes.
//!
//! The first pass finds the extent, the second sums squares of numbers divided by a power of two so that they lie in
//! -1..=1: exact, and columns of 1e308 and of 1e-308 are no special cases (their squares would overflow and vanish).
//! Imports nothing of ours. Begin reading at [`Moments`].

/// The first pass: how many numbers, and between which bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub count: usize,
    low: f64,
    high: f64,
}

impl Extent {
    pub(super) fn new() -> Self {
        Self { count: 0, low: f64::INFINITY, high: f64::NEG_INFINITY }
    }

    /// Takes in a number; one of weight 0 is not there.
    pub(super) fn add(&mut self, value: f64, weight: f64) {
        if weight == 0.0 {
            return;
        }
        self.count += 1;
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }

    pub(super) fn is_constant(&self) -> bool {
        self.low == self.high
    }
}

/// The second pass: Welford's recurrence (Technometrics 4, 1962), which does not subtract large sums, with West's weights
/// (Communications of the ACM 22, 1979). A weight of 1 changes no bit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    extent: Extent,
    exponent: i32,
    factor: f64,
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    pub(super) fn new(extent: Extent) -> Self {
        let largest = extent.low.abs().max(extent.high.abs());
        // At -1000 the smallest subnormal number still has a square, and 2^1000 is finite.
        let exponent = if largest.is_finite() { libm::frexp(largest).1.max(-1000) } else { 0 };
        let factor = libm::ldexp(1.0, -exponent);
        Self { extent, exponent, factor, count: 0.0, mean: 0.0, squares: 0.0 }
    }

    pub(super) fn add(&mut self, value: f64, weight: f64) {
        if weight == 0.0 {
            return;
        }
        let value = value * self.factor;
        self.count += weight;
        let before = value - self.mean;
        self.mean += weight * before / self.count;
        self.squares += weight * before * (value - self.mean);
    }

    /// The mean, exact if all numbers are equal.
    pub(super) fn mean(&self) -> f64 {
        let mean = libm::ldexp(self.mean, self.exponent);
        if self.extent.is_constant() { self.extent.low } else { mean.clamp(self.extent.low, self.extent.high) }
    }

    /// The standard deviation of the numbers as a population (divided by their count, as scikit-learn's
    /// `StandardScaler` does); 1 if they are all equal.
    pub(super) fn scale(&self) -> f64 {
        let deviation = libm::ldexp((self.squares / self.count).sqrt(), self.exponent);
        if self.extent.is_constant() || !(deviation > 0.0 && deviation.is_finite()) { 1.0 } else { deviation }
    }
}

/// `(value - mean) / scale`, finite where the result is.
pub(super) fn standardise(value: f64, mean: f64, scale: f64) -> f64 {
    let difference = value - mean;
    if difference.is_finite() { difference / scale } else { value / scale - mean / scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(values: &[f64]) -> (f64, f64) {
        let mut extent = Extent::new();
        values.iter().for_each(|&value| extent.add(value, 1.0));
        let mut moments = Moments::new(extent);
        values.iter().for_each(|&value| moments.add(value, 1.0));
        (moments.mean(), moments.scale())
    }

    /// Two roundings for each number and one root: 8 ulp for eight numbers.
    const CLOSE: f64 = 8.0 * f64::EPSILON;

    #[test]
    fn magnitudes_do_not_matter() {
        // Mean 5 and deviation 2, by hand; every power of two that keeps them normal must give the same digits.
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        for exponent in [-1000, -500, -1, 0, 1, 500, 1000, 1020] {
            let unit = libm::ldexp(1.0, exponent);
            let scaled = values.map(|value| value * unit);
            let (mean, scale) = fit(&scaled);
            assert!((mean / unit - 5.0).abs() <= 5.0 * CLOSE, "2^{exponent}: mean {mean}");
            assert!((scale / unit - 2.0).abs() <= 2.0 * CLOSE, "2^{exponent}: scale {scale}");
        }
    }

    #[test]
    fn extremes_stay_finite() {
        for values in
            [&[f64::MAX, -f64::MAX][..], &[f64::MAX; 3], &[5e-324, 0.0], &[1e308, 1e-308], &[0.0, 0.0], &[-0.0]]
        {
            let (mean, scale) = fit(values);
            assert!(mean.is_finite() && scale.is_finite() && scale > 0.0, "{values:?}: {mean} {scale}");
            assert!(values.iter().all(|&value| standardise(value, mean, scale).is_finite()), "{values:?}");
        }
        assert_eq!(fit(&[0.1; 7]), (0.1, 1.0), "a constant column is its own mean, at scale 1");
    }

    #[test]
    fn a_large_offset_does_not_drown_the_deviation() {
        // The textbook formula, mean of squares minus square of the mean, gives 0 here.
        let (mean, scale) = fit(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]);
        assert_eq!(mean, 1e9 + 10.0);
        assert!((scale * scale - 22.5).abs() < 1e-6, "{scale}");
    }
}
