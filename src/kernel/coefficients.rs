//! The constants of the exponential, written by `scripts/coefficients`; its `--check` compares them with this file.

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

/// For `f32`: the polynomial leaves 0.03 x 2^-24 of relative error in `e^r - 1`.
pub const SINGLE: Split = Split {
    log2_e: 1.442_695_021_629_333_5,
    ln2_high: 0.693_147_182_464_599_6,
    ln2_low: -1.904_654_212_125_933_6e-09,
    polynomial: &[
        [0.5, 0.166_666_671_633_720_4],
        [0.041_666_463_017_463_684, 0.008_333_310_484_886_17],
        [0.001_393_373_124_301_433_6, 0.000_198_910_798_644_647],
    ],
};

/// For `f64`: the polynomial leaves 0.35 x 2^-53 of relative error in `e^r - 1`.
pub const DOUBLE: Split = Split {
    log2_e: 1.442_695_040_888_963_4,
    ln2_high: 0.693_147_180_559_945_3,
    ln2_low: 2.319_046_813_846_299_6e-17,
    polynomial: &[
        [0.500_000_000_000_000_1, 0.166_666_666_666_666_69],
        [0.041_666_666_666_623_824, 0.008_333_333_333_330_039],
        [0.001_388_888_891_736_708_1, 0.000_198_412_698_631_715_57],
        [2.480_152_105_786_820_4e-05, 2.755_726_827_690_569_6e-06],
        [2.762_020_159_103_154_7e-07, 2.510_047_250_569_499_6e-08],
    ],
};
