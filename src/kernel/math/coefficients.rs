//! The constants of the exponential, written by `scripts/coefficients`; its `--check` compares them with this file.

#![allow(clippy::approx_constant, reason = "the standard library's constants are these for one of the types only")]

/// What splits `e^x` into `2^k (1 + r + r^2 p(r))`, with `|r|` at most half of `ln 2`.
#[derive(Debug)]
pub struct Split {
    /// `1 / ln 2`.
    pub log2_e: f64,
    /// The number of the type nearest to `ln 2`.
    pub ln2_high: f64,
    /// And the one nearest to the rest.
    pub ln2_low: f64,
    /// `p`, the lowest coefficients first, an even and an odd one each.
    pub polynomial: &'static [[f64; 2]],
}

/// For `f32`: the polynomial leaves 0.04 x 2^-24 of relative error in `e^r - 1`.
pub const SINGLE: Split = Split {
    log2_e: 1.442_695_021_629_333_5,
    ln2_high: 0.693_147_182_464_599_6,
    ln2_low: -1.904_654_212_125_933_6e-09,
    polynomial: &[
        [0.5, 0.166_666_671_633_720_4],
        [0.041_666_351_258_754_73, 0.008_333_298_377_692_7],
        [0.001_394_121_325_574_815_3, 0.000_198_993_904_632_516_2],
    ],
};

/// For `f64`: the polynomial leaves 0.19 x 2^-53 of relative error in `e^r - 1`.
pub const DOUBLE: Split = Split {
    log2_e: 1.442_695_040_888_963_4,
    ln2_high: 0.693_147_180_559_945_3,
    ln2_low: 2.319_046_813_846_299_6e-17,
    polynomial: &[
        [0.500_000_000_000_000_6, 0.166_666_666_666_666_7],
        [0.041_666_666_666_572_39, 0.008_333_333_333_326_084],
        [0.001_388_888_893_275_1, 0.000_198_412_698_750_022_8],
        [2.480_150_401_442_690_6e-05, 2.755_725_517_000_089e-06],
        [2.762_649_554_643_219_6e-07, 2.510_531_272_962_210_3e-08],
    ],
};
