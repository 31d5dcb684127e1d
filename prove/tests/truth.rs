//! The truth itself against a second opinion: CORE-MATH's correctly rounded functions are never more than half a unit from it;
//! and the truth in `f64` about an `f32` is as near to it as the sweep takes it to be.

use deltarule::kernel::elementwise::Function;
use deltarule_prove::inputs::{Inputs, Random};
use deltarule_prove::oracle::{Format, Number, Wide, slope, value};

#[test]
fn core_math_is_half_a_unit_from_a_hundred_bits_at_most() {
    // 40,000 and all special ones, 1.9 million values: an error of 2^-20 units in the truth would take some across a tie.
    let random = Random::new::<f64>(40_000);
    let mut tried = 0;
    for unit in 0..Inputs::<f64>::units(&random) {
        for x in random.unit(unit) {
            let n = Wide::of(x);
            let functions: [(&str, Wide, f64); 6] = [
                ("exp", value(Function::Exp, x), core_math::exp(x)),
                ("expm1", value(Function::ExpM1, x), core_math::expm1(x)),
                ("ln", value(Function::Ln, x), core_math::log(x)),
                ("ln1p", value(Function::Ln1p, x), core_math::log1p(x)),
                ("tanh", value(Function::Tanh, x), core_math::tanh(x)),
                // Phi at a number that is x sqrt(2) only to a hundred bits, so away from the last tail.
                (
                    "erfc",
                    if x.abs() < 26.0 {
                        Wide::of(2.0)
                            * (n * Wide::constant(-std::f64::consts::SQRT_2, SQRT_2_LOW)).normal_distribution()
                    } else {
                        Wide::of(core_math::erfc(x))
                    },
                    core_math::erfc(x),
                ),
            ];
            for (name, truth, said) in functions {
                tried += 1;
                // Half a unit, and what a hundred bits cannot tell from it: e^(2^-53) is a tie but for 2^-107.
                let distance = Format::DOUBLE.ulps(truth, said);
                assert!(distance <= 0.5 + 1e-12, "{name}({x:e}): {said:e}, {distance} units away");
            }
        }
    }
    assert!(tried > 1_000_000);
}

/// What the `f64` nearest to minus the root of 2 leaves of it.
const SQRT_2_LOW: f64 = 9.667_293_313_452_913e-17;

#[test]
fn the_truth_about_an_f32_is_near_enough() {
    // Of 1e-4 units in the last place of an f32, which the sweep allows for.
    const DOUBT: f64 = 1e-5;
    let random = Random::new::<f32>(20_000);
    for function in Function::ALL {
        for unit in 0..Inputs::<f32>::units(&random) {
            for x in random.unit(unit) {
                let x: f32 = x;
                if x.is_nan() {
                    continue;
                }
                for (quick, exact) in [
                    (value::<f64>(function, x.into()), value::<Wide>(function, x.into())),
                    (slope::<f64>(function, x.into()), slope::<Wide>(function, x.into())),
                ] {
                    if exact.parts().0.is_nan() && quick.is_nan() {
                        continue;
                    }
                    let distance = Format::SINGLE.ulps(exact, quick);
                    // A slope crosses zero where two terms cancel: there the sweep asks for no more than an absolute error.
                    let absolute = distance * 2f64.powi(exact.parts().2.max(-126) - 23);
                    let name = function.name();
                    assert!(distance < DOUBT || absolute < 1e-15, "{name} at {x:e}: {quick:e}, {distance} units away");
                }
            }
        }
    }
}
