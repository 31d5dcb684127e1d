//! Targets that are less sure than their rows.

use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// Checks that `smoothing` is a share that labels can lose.
///
/// **Errors** name it.
pub fn check_smoothing(smoothing: f64) -> Result<()> {
    match (0.0..1.0).contains(&smoothing) {
        true => Ok(()),
        false => Err(Error::setting("label smoothing", "a number from 0 to below 1", smoothing)),
    }
}

/// Takes the share `smoothing` from each row's labels and spreads it over all classes alike: a target `t` becomes
/// `t (1 - smoothing) + smoothing / cols`; of a single output, which tells two classes apart, `t (1 - smoothing) + smoothing / 2`.
/// So a network that is trained on them does not grow its logits without end.
///
/// **Shapes**: `targets` rows x `cols`, one-hot, distributions, or one number in `0..=1` a row. A row that sums to 1 still does.
///
/// **Errors**: `smoothing` not from 0 to below 1, or a target that is no label; then nothing is changed.
///
/// **Source**: Szegedy et al., Rethinking the Inception architecture for computer vision (2016), section 7; the same as
/// `label_smoothing` of PyTorch's `cross_entropy` and of Keras' `CategoricalCrossentropy` and `BinaryCrossentropy`.
///
/// ```
/// let mut targets = [0.0, 1.0, 0.0, 0.0];
/// deltarule::loss::smooth_labels(&mut targets, 4, 0.2)?;
/// assert!(targets.iter().zip([0.05, 0.85, 0.05, 0.05]).all(|(t, expected): (&f64, _)| (t - expected).abs() < 1e-15));
/// # Ok::<(), deltarule::Error>(())
/// ```
pub fn smooth_labels<T: Scalar>(targets: &mut [T], cols: usize, smoothing: f64) -> Result<()> {
    check_smoothing(smoothing)?;
    if cols == 0 || !targets.len().is_multiple_of(cols) {
        return Err(Error::shape("targets", format!("rows of {cols}"), targets.len()));
    }
    if let Some(bad) = targets.iter().position(|t| !(0.0..=1.0).contains(&t.real())) {
        let what = format!("target of row {} to be smoothed", bad / cols + 1);
        return Err(Error::shape(what, "a number in 0..=1", targets[bad].real()));
    }
    if smoothing > 0.0 {
        let (kept, spread) = (T::from_f64(1.0 - smoothing), T::from_f64(smoothing / cols.max(2) as f64));
        targets.iter_mut().for_each(|t| *t = kept * *t + spread);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothed_rows_keep_their_sum_and_a_single_output_stays_even() {
        for cols in [2, 3, 7] {
            for smoothing in [0.0, 0.1, 0.75] {
                let mut rows = vec![0.0; 2 * cols];
                (rows[1], rows[cols]) = (1.0, 1.0);
                smooth_labels(&mut rows, cols, smoothing).unwrap();
                for row in rows.chunks_exact(cols) {
                    assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-15, "{row:?}");
                }
                let share = smoothing / cols as f64;
                assert!((rows[0] - share).abs() < 1e-16 && (rows[1] - (1.0 - smoothing + share)).abs() < 1e-15);
            }
        }
        let mut single = [0.0_f32, 1.0];
        smooth_labels(&mut single, 1, 0.25).unwrap();
        assert_eq!(single, [0.125, 0.875]);
    }

    #[test]
    fn what_is_no_share_and_what_is_no_label_is_refused_and_nothing_changed() {
        for smoothing in [1.0, -0.1, f64::NAN] {
            let error = smooth_labels(&mut [1.0_f64], 1, smoothing).unwrap_err().to_string();
            assert!(error.contains("label smoothing") && error.contains(&smoothing.to_string()), "{error}");
        }
        let mut targets = [0.0, 1.0, 0.0, 2.0];
        let error = smooth_labels(&mut targets, 2, 0.1).unwrap_err().to_string();
        assert!(error.contains("row 2") && error.contains("found 2"), "{error}");
        assert_eq!(targets, [0.0, 1.0, 0.0, 2.0]);
    }
}
