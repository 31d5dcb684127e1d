//! The rows that a source file carries and checks itself with: what the library says of them, and what the file's own arithmetic does.
//!
//! The file's arithmetic is the library's but for the weighted sums, which are plain products and sums from the first input to the last,
//! where the library's are fused and run in an order of their own. [`Golden::of`] runs that arithmetic here, over rows of which the file
//! keeps some, and measures by how much the model's answers differ: that number stands in the file.

use super::plan::{Column, Inputs, Outputs, Plan};
use deltarule::activation::ActivationFn;
use deltarule::float::Float;
use deltarule::kernel::layer_norm;
use deltarule::network::{Layer, Norm};
use deltarule::rng::Rng;
use deltarule::simd::Isa;
use deltarule::{Error, Result};
use ndarray::ArrayView2;

/// How many rows a file keeps.
pub const ROWS: usize = 8;
/// The row, from 0, in which everything is missing that can be filled.
pub const MISSING: usize = 2;
/// How many more are measured.
const SAMPLED: usize = 256;
/// Files that differ by more than this from the library, relative to the largest answer, are not written.
const LARGEST_DIFFERENCE: f64 = 1e-3;
/// The least number of units that a self-test allows: another compiler may fuse a product and a sum.
const LEAST_UNITS: u64 = 16;

/// What a file checks itself with.
#[derive(Debug)]
pub struct Golden<T> {
    /// The raw inputs of [`ROWS`] rows. In the row [`MISSING`] what can be filled is NaN.
    pub inputs: Vec<Vec<T>>,
    /// What the library says of them.
    pub outputs: Vec<Vec<T>>,
    /// By how much each value of each row may differ from that.
    pub tolerances: Vec<Vec<T>>,
    /// That in units in the last place of 1 (probabilities) or of the output's largest number in rows like those of the training.
    pub units: u64,
    /// The largest difference that was found, in the same units.
    pub found: f64,
    /// The rows that it was found in.
    pub sampled: usize,
    /// A checksum of the bits of the file's own answers.
    pub bits: u64,
}

impl<T: Float> Golden<T> {
    /// Draws the rows, asks the library and the file's arithmetic, and compares.
    ///
    /// **Errors**: no rows with finite answers, or answers that differ by more than a thousandth.
    pub fn of(plan: &Plan<'_, T>) -> Result<Self> {
        let mut rng = Rng::new(0);
        let (mut inputs, mut outputs, mut own) = (Vec::new(), Vec::new(), Vec::new());
        let mut tries = 0;
        while inputs.len() < ROWS + SAMPLED {
            let row = inputs.len();
            let raw: Vec<T> = match row {
                0 => draw(&plan.inputs, |_| 0.0, |_| 0),
                // From 64 deviations on, nearer each time that the answer is no number.
                _ if row == ROWS - 1 => {
                    let far = 64.0 / f64::from(1u32 << tries);
                    draw(&plan.inputs, |i| if i % 2 == 0 { far } else { -far }, |levels| levels - 1)
                }
                _ => {
                    let rng = std::cell::RefCell::new(&mut rng);
                    draw(
                        &plan.inputs,
                        |_| rng.borrow_mut().normal::<f64>(0.0, 1.0),
                        |levels| rng.borrow_mut().below(levels),
                    )
                }
            };
            let raw = if row == MISSING { without(&plan.inputs, raw) } else { raw };
            let answers = encode(&plan.inputs, &raw).map(|x| Ok((library(plan, &x)?, answer(plan, &x)))).transpose()?;
            match answers {
                Some((said, here)) if said.iter().chain(&here).all(|value| value.is_finite()) => {
                    inputs.push(raw);
                    outputs.push(said);
                    own.push(here);
                    tries = 0;
                }
                _ if tries == 16 => {
                    let why = "no row like those of the training has a finite prediction: there is nothing to check a source file with";
                    return Err(Error::Check(why.into()));
                }
                _ => tries += 1,
            }
        }
        let (found, ulps) = differences(plan, &outputs, &own);
        let relative = found * epsilon::<T>();
        if relative > LARGEST_DIFFERENCE {
            let why = format!(
                "plain sums give answers that differ by {relative:e} (relative to the largest) from the library's: expected at most {LARGEST_DIFFERENCE:e}; a source file of this model would not be that model"
            );
            return Err(Error::Check(why));
        }
        let units = LEAST_UNITS.max(4 * found.ceil() as u64);
        let tolerance = |ulp: &f64| T::from_f64(ulp * units as f64);
        let tolerances = ulps.iter().take(ROWS).map(|row| row.iter().map(tolerance).collect()).collect();
        let bits = own.iter().take(ROWS).flatten().fold(START, |sum, &value| mix(sum, value));
        let sampled = inputs.len();
        inputs.truncate(ROWS);
        outputs.truncate(ROWS);
        Ok(Self { inputs, outputs, tolerances, units, found, sampled, bits })
    }
}

/// The relative distance of 1 and the next number.
fn epsilon<T: Float>() -> f64 {
    if T::NAME == "f32" { f64::from(f32::EPSILON) } else { f64::EPSILON }
}

/// The largest difference in units in the last place, and that unit of each value of each row: of probabilities that of 1, of numbers that
/// of the output's largest. The far row, where numbers may be of another size altogether, has its own.
fn differences<T: Float>(plan: &Plan<'_, T>, said: &[Vec<T>], own: &[Vec<T>]) -> (f64, Vec<Vec<f64>>) {
    let is_numbers = matches!(plan.outputs, Outputs::Numbers(_));
    let near = || said.iter().enumerate().filter(|(row, _)| *row != ROWS - 1).map(|(_, values)| values);
    let largest: Vec<f64> = (0..plan.values())
        .map(|value| if is_numbers { near().map(|row| row[value].real().abs()).fold(0.0, f64::max) } else { 1.0 })
        .collect();
    let smallest = if T::NAME == "f32" { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
    let unit = |(value, largest): (&T, &f64)| {
        let size = if is_numbers { value.real().abs().max(*largest) } else { *largest };
        // The power of two below it, times the distance of the numbers there.
        f64::from_bits(size.to_bits() & !((1 << 52) - 1)).max(smallest) * epsilon::<T>()
    };
    let units: Vec<Vec<f64>> = said.iter().map(|row| row.iter().zip(&largest).map(unit).collect()).collect();
    let rows = said.iter().zip(own).zip(&units);
    let each = rows.flat_map(|((said, own), units)| said.iter().zip(own).zip(units));
    (each.map(|((said, own), unit)| (said.real() - own.real()).abs() / unit).fold(0.0, f64::max), units)
}

/// A row of raw inputs: numbers so many deviations from their mean, categories by their number of levels.
fn draw<T: Float>(inputs: &Inputs, deviations: impl Fn(usize) -> f64, code: impl Fn(usize) -> usize) -> Vec<T> {
    match inputs {
        Inputs::Pixels(count) => {
            (0..*count).map(|i| T::from_f64((128.0 + 64.0 * deviations(i)).clamp(0.0, 255.0).round())).collect()
        }
        Inputs::Columns(columns) => {
            let raw = |(i, column): (usize, &Column)| match column {
                Column::Number { mean, scale, .. } => T::from_f64(mean + scale * deviations(i)),
                Column::Category { levels, .. } => T::from_f64(code(levels.len()) as f64),
            };
            columns.iter().enumerate().map(raw).collect()
        }
    }
}

/// The row without what can be filled.
fn without<T: Float>(inputs: &Inputs, mut raw: Vec<T>) -> Vec<T> {
    let columns = inputs.columns().iter().zip(&mut raw);
    columns.filter(|(column, _)| column.fill().is_some()).for_each(|(_, value)| *value = T::from_f64(f64::NAN));
    raw
}

/// The network's inputs; none where a file refuses.
pub fn encode<T: Float>(inputs: &Inputs, raw: &[T]) -> Option<Vec<T>> {
    let columns = match inputs {
        Inputs::Pixels(_) => return Some(raw.iter().map(|value| T::from_f64(value.real() / 255.0)).collect()),
        Inputs::Columns(columns) => columns,
    };
    let mut x = Vec::new();
    for (column, value) in columns.iter().zip(raw) {
        let value = if value.real().is_nan() { column.fill()? } else { value.real() };
        match column {
            Column::Number { mean, scale, .. } => {
                let difference = value - mean;
                let far = !difference.is_finite();
                x.push(T::from_f64(if far { value / scale - mean / scale } else { difference / scale }));
            }
            Column::Category { levels, .. } => {
                let code = (0..levels.len()).find(|&code| code as f64 == value)?;
                x.extend((0..levels.len()).map(|level| if level == code { T::ONE } else { T::ZERO }));
            }
        }
    }
    x.iter().all(|x| x.is_finite()).then_some(x)
}

/// What the library says of a row of the network's inputs, in the type of the file.
fn library<T: Float>(plan: &Plan<'_, T>, x: &[T]) -> Result<Vec<T>> {
    let x = ArrayView2::from_shape((1, x.len()), x).expect("a row");
    Ok(plan.model.predict_encoded(x)?.values().iter().map(|&value| T::from_f64(value)).collect())
}

/// What the file says of it.
pub fn answer<T: Float>(plan: &Plan<'_, T>, x: &[T]) -> Vec<T> {
    let (spec, params) = (plan.network.spec(), plan.network.params());
    let mut x = x.to_vec();
    for (layer, block) in spec.layers().iter().zip(spec.blocks()) {
        let mut z = if layer.bias { params[block.bias.clone()].to_vec() } else { vec![T::ZERO; layer.outputs] };
        for (&x, weights) in x.iter().zip(params[block.weights.clone()].chunks_exact(layer.outputs)) {
            z.iter_mut().zip(weights).for_each(|(z, &weight)| *z += x * weight);
        }
        finish(layer, [&params[block.scale.clone()], &params[block.shift.clone()]], &mut z);
        x = z;
    }
    said(&plan.outputs, &x)
}

/// Norm and activation, by the library's kernels: their bits are the same at every level.
fn finish<T: Float>(layer: &Layer, [scale, shift]: [&[T]; 2], z: &mut [T]) {
    if layer.norm == Norm::Layer {
        layer_norm::forward(Isa::Portable, [scale, shift], z, &mut [], &mut []);
    }
    layer.activation.apply(Isa::Portable, z, layer.outputs);
}

/// What the model says, of what its network says.
fn said<T: Float>(outputs: &Outputs, z: &[T]) -> Vec<T> {
    let bit = |yes: bool| if yes { T::ONE } else { T::ZERO };
    let number = T::from_f64;
    match outputs {
        Outputs::Numbers(units) => {
            z.iter().zip(units).map(|(z, (mean, scale))| number(z.real() * scale + mean)).collect()
        }
        Outputs::AsTheyAre => z.to_vec(),
        Outputs::Signs => z.iter().map(|&z| bit(z > T::ZERO)).collect(),
        Outputs::Sign => {
            let second = bit(z[0] > T::ZERO);
            vec![T::ONE - second, second]
        }
        Outputs::Second => vec![number(1.0 - z[0].real()), z[0]],
        Outputs::Largest => {
            let largest = (1..z.len()).fold(0, |best, i| if z[i] > z[best] { i } else { best });
            (0..z.len()).map(|i| bit(i == largest)).collect()
        }
        Outputs::Shares => {
            let sum = z.iter().fold(0.0, |sum, z| sum + z.real());
            z.iter().map(|v| number(if sum > 0.0 { v.real() / sum } else { 1.0 / z.len() as f64 })).collect()
        }
    }
}

/// Where a checksum begins (FNV-1a's offset, over whole numbers in place of bytes).
pub const START: u64 = 0xcbf2_9ce4_8422_2325;

/// The checksum with one more number.
pub fn mix<T: Float>(sum: u64, value: T) -> u64 {
    let bits = if T::NAME == "f32" { u64::from((value.real() as f32).to_bits()) } else { value.real().to_bits() };
    (sum ^ bits).wrapping_mul(0x0000_0100_0000_01b3)
}
