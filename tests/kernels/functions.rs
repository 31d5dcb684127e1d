//! Every function of the list, in place, from slice to slice, and with its slope: the same bits for every length, place and
//! level, nothing touched beside the slices, and what the border refuses.

use super::{Real, sample, special};
use deltarule::kernel::elementwise::Function;
use deltarule::simd::Isa;

/// What stands before and behind each slice, and must stand there afterwards.
const GUARD: f64 = -77.0;
/// Enough for the widest step of a sweep on either side.
const GUARDS: usize = 72;

/// The ways to call a function. All take the input and return value and slope, each as they stand in memory with their guards;
/// a slope that is not asked for stays a guard.
const WAYS: [&str; 4] = ["in place", "in place with slope", "mapped", "mapped with slope"];

fn call<T: Real>(function: Function, way: &str, isa: Isa, x: &[T], offset: usize) -> [Vec<T>; 2] {
    let guard = T::from_f64(GUARD);
    let place = offset..offset + x.len();
    let mut value = vec![guard; GUARDS + x.len()];
    let mut slope = value.clone();
    if way.starts_with("in place") {
        value[place.clone()].copy_from_slice(x);
    }
    let (y, s) = (&mut value[place.clone()], &mut slope[place]);
    match way {
        "in place" => function.apply(isa, y),
        "in place with slope" => function.apply_with_slope(isa, y, s),
        "mapped" => function.map(isa, x, y).unwrap(),
        _ => function.map_with_slope(isa, x, y, s).unwrap(),
    }
    [value, slope]
}

fn same<T: Real>(a: T, b: T) -> bool {
    // Of NaN, only that it is one is promised.
    a.bits() == b.bits() || (a.real().is_nan() && b.real().is_nan())
}

/// Both slices hold what is expected at `offset`, and guards elsewhere.
fn expect<T: Real>(found: &[Vec<T>; 2], expected: [&[T]; 2], offset: usize, place: &dyn Fn() -> String) {
    for (which, (found, expected)) in ["value", "slope"].iter().zip(found.iter().zip(expected)) {
        for (i, &found) in found.iter().enumerate() {
            let expected = i.checked_sub(offset).and_then(|i| expected.get(i)).copied();
            let expected = expected.unwrap_or(T::from_f64(GUARD));
            assert!(
                same(found, expected),
                "{}: {which}, element {i} less {offset}: {found:e}, expected {expected:e}",
                place()
            );
        }
    }
}

fn every_length_and_place<T: Real>() {
    let edges = special::<T>();
    for function in Function::ALL {
        // Ordinary numbers, with an edge among them now and then, and a NaN.
        let mut x: Vec<T> =
            (0..65)
                .map(|i| {
                    if i % 5 == 4 { edges[i * 97 % edges.len()] } else { T::from_f64((i * 37 % 65) as f64 / 6.0 - 5.0) }
                })
                .collect();
        x[20] = T::from_f64(f64::NAN);
        // A value as the portable level gives it alone is what defines it here; its accuracy is tested elsewhere.
        let (mut values, mut slopes) = (Vec::new(), Vec::new());
        for &x in &x {
            let [value, slope] = call(function, "in place with slope", Isa::Portable, &[x], 0);
            values.push(value[0]);
            slopes.push(slope[0]);
        }
        for isa in Isa::available() {
            for way in WAYS {
                for length in 0..=65 {
                    for offset in [0, 1, 3, 7] {
                        let found = call(function, way, isa, &x[..length], offset);
                        let slope = if way.ends_with("slope") { &slopes[..length] } else { &[] };
                        expect(&found, [&values[..length], slope], offset, &|| {
                            let name = T::either("f32", "f64");
                            format!("{} {name} at {isa}, {way}, length {length}, offset {offset}", function.name())
                        });
                    }
                }
            }
        }
    }
}

#[test]
fn every_function_at_every_length_and_place_in_f32() {
    every_length_and_place::<f32>();
}

#[test]
fn every_function_at_every_length_and_place_in_f64() {
    every_length_and_place::<f64>();
}

/// `scripts/prove --hash` tries 2^24; here, where nothing is compiled for speed, 2^16 and the edges.
fn same_bits<T: Real>() {
    let x = [sample::<T>(1 << 16), special()].concat();
    for function in Function::ALL {
        let mut first: Option<[Vec<T>; 2]> = None;
        for isa in Isa::available() {
            let found = call(function, "mapped with slope", isa, &x, 0);
            let Some(first) = &first else {
                first = Some(found);
                continue;
            };
            expect(&found, [&first[0], &first[1]], 0, &|| {
                format!("{} {} at {isa}", function.name(), T::either("f32", "f64"))
            });
        }
    }
}

#[test]
fn every_function_gives_the_same_bits_at_every_level_in_f32() {
    same_bits::<f32>();
}

#[test]
fn every_function_gives_the_same_bits_at_every_level_in_f64() {
    same_bits::<f64>();
}

#[test]
#[should_panic(expected = "element 9 less 3")]
fn a_touched_guard_is_seen() {
    let x = [1.0f32; 6];
    let mut found = call(Function::Tanh, "mapped", Isa::Portable, &x, 3);
    let values = found[0][3..9].to_vec();
    expect(&found, [&values, &[]], 3, &|| "untouched".into());
    found[0][9] = 0.0;
    expect(&found, [&values, &[]], 3, &|| "touched".into());
}

#[test]
fn the_border_refuses_what_does_not_fit() {
    let isa = Isa::Portable;
    let x = [1.0f32, 2.0, 3.0];
    for function in Function::ALL {
        for length in [0, 2, 4] {
            let mut short = vec![7.0f32; length];
            let mut right = [7.0f32; 3];
            let refusals = [
                (function.map(isa, &x, &mut short), "the output"),
                (function.map_with_slope(isa, &x, &mut short.clone(), &mut right), "the output"),
                (function.map_with_slope(isa, &x, &mut right.clone(), &mut short.clone()), "the slope"),
            ];
            for (refusal, what) in refusals {
                let said = refusal.unwrap_err().to_string();
                assert!(
                    said.contains(what) && said.contains("3 elements") && said.contains(&length.to_string()),
                    "{said}"
                );
            }
            // Nothing is written then.
            assert!(short.iter().chain(&right).all(|&y| y == 7.0));
        }
        for absent in [Isa::Avx2, Isa::Avx512, Isa::Neon].into_iter().filter(|isa| !isa.is_available()) {
            let (mut y, mut s) = ([7.0f32; 3], [7.0f32; 3]);
            for refusal in [function.map(absent, &x, &mut y), function.map_with_slope(absent, &x, &mut y, &mut s)] {
                let said = refusal.unwrap_err().to_string();
                assert!(said.contains(absent.name()) && said.contains("portable"), "{said}");
            }
            assert_eq!((y, s), ([7.0; 3], [7.0; 3]));
        }
        // Empty slices are no fault.
        function.map::<f64>(isa, &[], &mut []).unwrap();
        function.map_with_slope::<f64>(isa, &[], &mut [], &mut []).unwrap();
    }
}

#[test]
fn small_numbers_come_back_as_they_are() {
    use Function::{Elu, ExpM1, Ln1p, Tanh};
    // Below 2^-60 the next term of the series is below half a unit, in both types.
    let small: Vec<f64> =
        (61..1075).step_by(7).flat_map(|k| [2f64.powi(-k), -2f64.powi(-k), -1.7 * 2f64.powi(-k)]).collect();
    let single: Vec<f32> = small.iter().map(|&x| x as f32).collect();
    for isa in Isa::available() {
        for function in [ExpM1, Ln1p, Tanh, Elu { alpha: 1.0 }] {
            let mut y = small.clone();
            function.apply(isa, &mut y);
            assert_eq!(y, small, "{} at {isa}", function.name());
            let mut y = single.clone();
            function.apply(isa, &mut y);
            assert_eq!(y, single, "{} at {isa}", function.name());
        }
    }
}
