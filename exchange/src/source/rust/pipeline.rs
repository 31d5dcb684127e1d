//! Templates of the Rust file: the way from raw inputs to answers, and the self-test.

/// Why there is no prediction.
pub const REFUSAL: &str = "
/// Why there is no prediction for a row.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The code of a category, in this column (from 0), is none of those that are known.
    Unseen(usize),
    /// The value in this column is NaN, and nothing is known to fill in.
    Missing(usize),
    /// An input is infinite or out of its range, or so far away that the answer is no number.
    OutOfRange,
}

";

/// From pixels to inputs.
pub const PIXELS: &str = "fn encode(input: &[REAL; INPUTS], x: &mut [REAL]) -> Result<(), Refusal> {
    for (i, (&pixel, x)) in input.iter().zip(x).enumerate() {
        if pixel.is_nan() {
            return Err(Refusal::Missing(i));
        }
        if !(0.0..=255.0).contains(&pixel) {
            return Err(Refusal::OutOfRange);
        }
        *x = (pixel as f64 / 255.0) as REAL;
    }
    Ok(())
}

";

/// From columns to inputs.
pub const COLUMNS: &str = "fn encode(input: &[REAL; INPUTS], x: &mut [REAL]) -> Result<(), Refusal> {
    let mut at = 0;
    for (i, (column, &value)) in COLUMNS.iter().zip(input).enumerate() {
        let value = match column.fill {
            Some(fill) if value.is_nan() => fill,
            None if value.is_nan() => return Err(Refusal::Missing(i)),
            _ => value as f64,
        };
        if column.levels == 0 {
            let difference = value - column.mean;
            let standard =
                if difference.is_finite() { difference / column.scale } else { value / column.scale - column.mean / column.scale };
            x[at] = standard as REAL;
            if !x[at].is_finite() {
                return Err(Refusal::OutOfRange);
            }
            at += 1;
        } else {
            let mut seen = false;
            for (level, x) in x[at..at + column.levels].iter_mut().enumerate() {
                let is_it = value == level as f64;
                *x = if is_it { 1.0 } else { 0.0 };
                seen |= is_it;
            }
            if !seen {
                return Err(Refusal::Unseen(i));
            }
            at += column.levels;
        }
    }
    Ok(())
}

";

/// The prediction.
pub const PREDICT: &str = "/// The prediction for one row.
///
/// **Errors** say what is wrong with it; `output` is then left as it was.
#[allow(dead_code)]
pub fn predict(input: &[REAL; INPUTS], output: &mut [REAL; OUTPUTS]) -> Result<(), Refusal> {
    predict_with(input, output, &mut [0.0; WORKSPACE])
}

/// The same, with the caller's memory in place of the stack; what is in it does not matter.
pub fn predict_with(
    input: &[REAL; INPUTS],
    output: &mut [REAL; OUTPUTS],
    workspace: &mut [REAL; WORKSPACE],
) -> Result<(), Refusal> {
    let (x, z) = workspace.split_at_mut(FIRST);
    encode(input, x)?;
LAYERS    let mut said: [REAL; OUTPUTS] = [0.0; OUTPUTS];
VALUES    if said.iter().any(|value| !value.is_finite()) {
        return Err(Refusal::OutOfRange);
    }
    *output = said;
    Ok(())
}

";

/// The self-test.
pub const TEST: &str = "fn golden_row(row: usize) -> [REAL; INPUTS] {
    LET input = GOLDEN_INPUTS[row];
MISSING_ROW    input
}

/// FNV-1a over whole numbers.
fn mixed(sum: u64, number: &REAL) -> u64 {
    (sum ^ u64::from(bits(*number))).wrapping_mul(0x0100_0000_01b3)
}

fn parameters() -> u64 {
    let mut sum = SEED;
PARAMETERS    sum
}

/// Compares the answers for the rows that this file carries with the library's.
///
/// **Errors**: the number of the first row, from 1, that differs by more than is said above; rows behind the last are those that must be
/// refused. 0 if the parameters are others than when this file was written.
#[allow(dead_code)]
pub fn self_test() -> Result<(), usize> {
    if parameters() != CHECKSUM {
        return Err(0);
    }
    let mut output = [0.0; OUTPUTS];
    for row in 0..ROW_COUNT {
        let done = predict(&golden_row(row), &mut output);
        let close = |i: usize| {
            let difference = output[i] - GOLDEN_OUTPUTS[row][i];
            difference <= TOLERANCES[row][i] && -difference <= TOLERANCES[row][i]
        };
        if done.is_err() || !(0..OUTPUTS).all(close) {
            return Err(row + 1);
        }
    }
REFUSED    Ok(())
}

/// Whether the answers have exactly the bits that they had when this file was written.
#[allow(dead_code)]
pub fn same_bits() -> bool {
    let mut output = [0.0; OUTPUTS];
    let mut sum = SEED;
    for row in 0..ROW_COUNT {
        if predict(&golden_row(row), &mut output).is_err() {
            return false;
        }
        sum = output.iter().fold(sum, mixed);
    }
    sum == OWN_BITS
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_model_is_what_it_was_when_it_was_written() {
        assert_eq!(super::self_test(), Ok(()));
        assert!(super::same_bits());
    }
}
";
