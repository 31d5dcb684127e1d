//! Functions with many values: their Jacobian, given as its product with vectors.
//!
//! A backward pass multiplies it from the left (`u' J`, a vector-Jacobian product), a forward one from the right (`J v`). Whoever has
//! gradients and their derivative along a vector, a Hessian-vector product, has the second kind: the function is the gradient.

use super::difference::{self, Slope};
use super::function::{Sample, Tensor};
use super::report::{Report, Subject, Verdict};
use super::witness::{Bench, Testimony};
use super::{Mode, NOTHING, Options, direction, distinct, go, noise, scale};
use crate::rng::Rng;
use std::collections::BTreeSet;
use std::fmt;

/// A product with the Jacobian at the point; it gets the vector.
pub enum Product<'a> {
    /// `J v`: as many numbers as the function has values, for as many as it has coordinates.
    Right(&'a mut dyn FnMut(&[f64]) -> Vec<f64>),
    /// `u' J`: the other way round.
    Left(&'a mut dyn FnMut(&[f64]) -> Vec<f64>),
}

impl fmt::Debug for Product<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Right(_) => "Right",
            Self::Left(_) => "Left",
        })
    }
}

/// Compares a product with the Jacobian of `f` with slopes of its values, measured around `at`.
///
/// With [`Mode::EveryCoordinate`] every entry is compared: a tensor for each value, its entries counted by coordinates. With
/// [`Mode::Directions`], each is `J v` value by value for a random `v` where the product is from the right, and `u' J v` for random `u`
/// and `v` where it is from the left. [`Mode::Sample`] is as every coordinate, for so many coordinates at random.
/// `options.tensors` name the values here; `tolerance`, `negligible` and the verdicts are as in [`check`](super::check). Differences are
/// the only witness.
///
/// ```
/// use deltarule::gradcheck::{jacobian, Options};
/// use deltarule::gradcheck::jacobian::Product;
///
/// // Polar to Cartesian coordinates, and what a forward pass would give.
/// let at = [2.0f64, 0.5];
/// let f = |x: &[f64]| vec![x[0] * x[1].cos(), x[0] * x[1].sin()];
/// let (sin, cos) = at[1].sin_cos();
/// let mut jvp = |v: &[f64]| vec![v[0] * cos - v[1] * at[0] * sin, v[0] * sin + v[1] * at[0] * cos];
/// jacobian::check(f, Product::Right(&mut jvp), &at, &Options::default()).require()?;
/// # Ok::<(), deltarule::Error>(())
/// ```
pub fn check(mut f: impl FnMut(&[f64]) -> Vec<f64>, product: Product<'_>, at: &[f64], options: &Options) -> Report {
    check_values(|x| Values { values: f(x), crossed: None }, &[], product, at, options)
}

/// What a function of many values is at a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// The values.
    pub values: Vec<f64>,
    /// How many of its parts are in another smooth piece than at the point that is checked; `None` if it does not tell.
    pub crossed: Option<usize>,
}

/// [`check`] for a function that tells which of its pieces it was in, and how its values round: `rounding` has a standard deviation for
/// each of them, or is empty where that is not known and measured.
pub fn check_values(
    mut f: impl FnMut(&[f64]) -> Values,
    rounding: &[f64],
    mut product: Product<'_>,
    at: &[f64],
    options: &Options,
) -> Report {
    let subject = match options.mode {
        Mode::Directions { .. } => Subject::Direction,
        _ => Subject::Coordinate,
    };
    let mut report = Report::new(subject, Some(options.tolerance), options.most_wrong);
    if at.is_empty() {
        return report.refuse(Verdict::Inconclusive, NOTHING.into());
    }
    let (center, again) = (f(at).values, f(at).values);
    if center.is_empty() {
        return report.refuse(Verdict::Inconclusive, "the function has no values: there is nothing to check".into());
    }
    let values = center.len();
    let tensors = match options.tensors.is_empty() {
        true => (0..values).map(|k| Tensor { name: format!("value {}", k + 1), range: k..k + 1 }).collect(),
        false => options.tensors.clone(),
    };
    if let Some(fault) = options.fault(values, &tensors) {
        return report.refuse(Verdict::Inconclusive, fault);
    }
    if !rounding.is_empty() && rounding.len() != values {
        let fault = format!("rounding: expected {values} numbers, one for each value, found {}", rounding.len());
        return report.refuse(Verdict::Inconclusive, fault);
    }
    if let Some(fault) = fault_of(at, &center, &again) {
        return report.refuse(Verdict::Wrong, fault);
    }
    // The vectors from the right, and those from the left or nothing.
    let n = at.len();
    let unit = |length: usize, i: usize| (0..length).map(|j| f64::from(u8::from(i == j))).collect::<Vec<f64>>();
    let columns: Vec<(Vec<f64>, String)> = match options.mode {
        Mode::EveryCoordinate => (0..n).map(|i| (unit(n, i), format!("coordinate {i}"))).collect(),
        Mode::Sample { per_tensor, seed } => {
            let mut rng = Rng::new(seed);
            let chosen = distinct(BTreeSet::new(), 0..n, per_tensor.min(n), &mut rng);
            chosen.into_iter().map(|i| (unit(n, i), format!("coordinate {i}"))).collect()
        }
        Mode::Directions { count, seed } => (0..count)
            .map(|i| (direction(at, &mut Rng::with_stream(seed, i as u64)), format!("direction {}", i + 1)))
            .collect(),
    };
    let analytic = match analytic(&mut product, &columns, n, values, options.mode) {
        Ok(analytic) => analytic,
        Err(fault) => return report.refuse(Verdict::Wrong, fault),
    };
    let (combinations, analytic) = analytic;
    let tensors =
        if combinations.is_some() { vec![Tensor { name: "all values".into(), range: 0..1 }] } else { tensors };
    let largest = analytic.iter().flatten().filter(|a| a.is_finite()).fold(0.0, |m: f64, a| m.max(a.abs()));
    // What was found on the way along the column at hand; columns are gone through for each value.
    let combine = |combination: Option<&Vec<f64>>, value: usize, found: &[f64]| match combination {
        None => found[value],
        Some(u) => u.iter().zip(found).map(|(u, f)| u * f).sum(),
    };
    let mut reached: Vec<Vec<(f64, Values)>> = vec![Vec::new(); columns.len()];
    for tensor in &tensors {
        report.open(&Tensor { name: tensor.name.clone(), range: 0..tensor.range.len() * columns.len() });
        for value in tensor.range.clone() {
            for (i, (column, name)) in columns.iter().enumerate() {
                let combination = combinations.as_ref().map(|u| &u[i]);
                let mut point = at.to_vec();
                let known = &mut reached[i];
                let mut phi = |t: f64| {
                    let found = match known.iter().position(|(there, _)| *there == t) {
                        Some(at) => &known[at].1,
                        None => {
                            go(&mut point, at, t, column);
                            known.push((t, f(&point)));
                            &known[known.len() - 1].1
                        }
                    };
                    // A function that changes how many values it has, has not this one here.
                    let there = found.values.len() == values;
                    let number = if there { combine(combination, value, &found.values) } else { f64::NAN };
                    Sample { value: number, crossed: found.crossed }
                };
                let center = combine(combination, value, &center);
                // Random directions are in units of the coordinates already.
                let scale = if subject == Subject::Direction { 1.0 } else { dot(column, at).abs() }.max(1.0);
                let scale = self::scale(scale);
                let noise = noise::fine(center, |t, side| phi(scale * if side == 0 { t } else { -t }).value);
                let noise = noise.max(match combination {
                    _ if rounding.is_empty() => 0.0,
                    None => rounding[value],
                    Some(u) => u.iter().zip(rounding).map(|(u, r)| (u * r).powi(2)).sum::<f64>().sqrt(),
                });
                let least = options.negligible * largest;
                let slope = Slope {
                    analytic: analytic[i][value],
                    center,
                    noise,
                    scale,
                    tolerance: options.tolerance,
                    least,
                    slack: options.absolute,
                };
                let finding = difference::judge(slope, &mut |t| (t, phi(t)));
                let index = (value - tensor.range.start) * columns.len() + i;
                let said = Testimony { index, slope, finding: Some(finding), dual: None, complex: None };
                let whole = tensor.range.len() == 1;
                Bench::new(options, largest, None).hear(&said, &mut report, || match whole {
                    true => format!("{}, {name}", tensor.name),
                    false => format!("{} {}, {name}", tensor.name, value - tensor.range.start),
                });
            }
        }
    }
    report.conclude()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn fault_of(at: &[f64], center: &[f64], again: &[f64]) -> Option<String> {
    if let Some(i) = at.iter().position(|x| !x.is_finite()) {
        return Some(format!("coordinate {i} of the point is {}", at[i]));
    }
    if let Some(k) = center.iter().position(|f| !f.is_finite()) {
        return Some(format!("value {} of the function is {} at the point itself", k + 1, center[k]));
    }
    if center.len() != again.len() {
        return Some(format!("not a function: at one point it had {} values and then {}", center.len(), again.len()));
    }
    let differs = |k: &usize| center[*k].to_bits() != again[*k].to_bits();
    (0..center.len())
        .find(differs)
        .map(|k| format!("not a function: at one point value {} was {:e} and then {:e}", k + 1, center[k], again[k]))
}

/// The combinations of values that are compared, if values are not compared one by one; and for each column what the product says.
type Analytic = (Option<Vec<Vec<f64>>>, Vec<Vec<f64>>);

fn analytic(
    product: &mut Product<'_>,
    columns: &[(Vec<f64>, String)],
    coordinates: usize,
    values: usize,
    mode: Mode,
) -> Result<Analytic, String> {
    let sized = |found: Vec<f64>, length: usize, what: &str| match found.len() == length {
        true => Ok(found),
        false => Err(format!("the {what} has {} entries, expected {length}", found.len())),
    };
    match (product, mode) {
        (Product::Right(times), _) => {
            let found = columns.iter().map(|(v, _)| sized(times(v), values, "product J v"));
            Ok((None, found.collect::<Result<_, _>>()?))
        }
        (Product::Left(times), Mode::Directions { seed, count }) => {
            let combinations: Vec<Vec<f64>> = (0..count)
                .map(|i| {
                    let mut rng = Rng::with_stream(seed, (count + i) as u64);
                    (0..values).map(|_| rng.normal(0.0, 1.0)).collect()
                })
                .collect();
            let found = combinations
                .iter()
                .zip(columns)
                .map(|(u, (v, _))| Ok(vec![dot(&sized(times(u), coordinates, "product u' J")?, v)]));
            let found = found.collect::<Result<_, String>>()?;
            Ok((Some(combinations), found))
        }
        (Product::Left(times), _) => {
            let unit = |k: usize| (0..values).map(|j| f64::from(u8::from(j == k))).collect::<Vec<f64>>();
            let rows: Vec<Vec<f64>> =
                (0..values).map(|k| sized(times(&unit(k)), coordinates, "product u' J")).collect::<Result<_, _>>()?;
            Ok((None, columns.iter().map(|(v, _)| rows.iter().map(|row| dot(row, v)).collect()).collect()))
        }
    }
}
